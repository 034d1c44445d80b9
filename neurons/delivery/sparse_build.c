/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Making sparse matrices: taking the memory, sorting lists, counting what is not zero.
 *
 * Lists are sorted by two stable counting sorts, by target and then by source, which leaves equal
 * pairs in the order they came in.
 */
#include "neurons/delivery/sparse.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SMALL_TARGETS = 1 << 16, LARGE_PAGE = 1 << 21 };

/* How far a weight may be off a multiple of its scale, relative to itself. */
static const double WEIGHT_ROUNDING = 1e-6;

uint32_t weight_bytes(enum weight_format format)
{
    switch (format) {
    case WEIGHT_FLOAT: return sizeof(float);
    case WEIGHT_INT8: return sizeof(int8_t);
    case WEIGHT_INT16: return sizeof(int16_t);
    default: return 0;
    }
}

bool weight_store(enum weight_format format, double scale, double weight, void *array, size_t at)
{
    if (format == WEIGHT_FLOAT) {
        ((float *)array)[at] = (float)weight;
        return isfinite(((float *)array)[at]);
    }
    double code = round(weight / scale);
    int32_t limit = format == WEIGHT_INT8 ? INT8_MAX : INT16_MAX;
    if (!(code >= -limit - 1 && code <= limit) ||
        !(fabs(code * scale - weight) <= WEIGHT_ROUNDING * fabs(weight)))
        return false;
    if (format == WEIGHT_INT8)
        ((int8_t *)array)[at] = (int8_t)code;
    else
        ((int16_t *)array)[at] = (int16_t)code;
    return true;
}

/* ---- memory ---- */

/* Uninitialised; in large pages where it is large, as rows are read from all over it. */
static void *array_new(uint64_t length, uint32_t element)
{
    uint64_t bytes = length * element;
    if (bytes < LARGE_PAGE)
        return malloc(bytes > 0 ? bytes : 1);
    void *array = aligned_alloc(LARGE_PAGE, (bytes + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE);
    if (array != NULL)
        madvise(array, bytes, MADV_HUGEPAGE); /* only ever a hint */
    return array;
}

static bool arrays_new(struct sparse *sparse, uint64_t synapses)
{
    sparse->row = array_new((uint64_t)sparse->sources + 1, sizeof *sparse->row);
    bool have = sparse->row != NULL;
    if (sparse->targets <= SMALL_TARGETS)
        have &= (sparse->target16 = array_new(synapses, sizeof *sparse->target16)) != NULL;
    else
        have &= (sparse->target32 = array_new(synapses, sizeof *sparse->target32)) != NULL;
    if (sparse->format != WEIGHT_SAME)
        have &= (sparse->weight = array_new(synapses, weight_bytes(sparse->format))) != NULL;
    if (sparse->most_extra > UINT8_MAX)
        have &= (sparse->extra16 = array_new(synapses, sizeof *sparse->extra16)) != NULL;
    else if (sparse->most_extra > 0)
        have &= (sparse->extra8 = array_new(synapses, sizeof *sparse->extra8)) != NULL;
    return have;
}

struct sparse *sparse_new(uint32_t sources, uint32_t targets, uint64_t synapses,
                          enum weight_format format, uint32_t most_extra, struct error *error)
{
    if (synapses > SPARSE_SYNAPSES || most_extra > SPARSE_EXTRA) {
        error_set(error, ERROR_MISUSED,
                  "%" PRIu64 " synapses with delays of up to %" PRIu32 " ticks "
                  "beyond the shortest are too many: at most %" PRIu64 " and %d can be held",
                  synapses, most_extra, SPARSE_SYNAPSES, SPARSE_EXTRA);
        return NULL;
    }
    struct sparse *sparse = calloc(1, sizeof *sparse);
    if (sparse != NULL) {
        sparse->sources = sources;
        sparse->targets = targets;
        sparse->format = format;
        sparse->scale = 1;
        sparse->most_extra = most_extra;
    }
    if (sparse == NULL || !arrays_new(sparse, synapses)) {
        sparse_free(sparse);
        error_set(error, ERROR_FAILED, "not enough memory for %" PRIu64 " synapses", synapses);
        return NULL;
    }
    return sparse;
}

void sparse_free(void *weights)
{
    struct sparse *sparse = weights;
    if (sparse == NULL)
        return;
    free(sparse->row);
    free(sparse->target16);
    free(sparse->target32);
    free(sparse->weight);
    free(sparse->extra8);
    free(sparse->extra16);
    free(sparse->fan_out);
    free(sparse->part);
    free(sparse);
}

/* ---- counting ---- */

#define COUNT_NON_ZERO(type)                                                                       \
    for (uint64_t k = begin; k < end; k++)                                                         \
        count += ((const type *)array)[k] != 0;

uint64_t weight_count_non_zero(enum weight_format format, const void *array, uint64_t begin,
                               uint64_t end)
{
    uint64_t count = 0;
    switch (format) {
    case WEIGHT_SAME: break;
    case WEIGHT_FLOAT: COUNT_NON_ZERO(float) break;
    case WEIGHT_INT8: COUNT_NON_ZERO(int8_t) break;
    case WEIGHT_INT16: COUNT_NON_ZERO(int16_t) break;
    }
    return count;
}

static uint64_t count_row(const struct sparse *sparse, uint64_t begin, uint64_t end)
{
    if (sparse->format == WEIGHT_SAME)
        return sparse->same != 0 ? end - begin : 0;
    return weight_count_non_zero(sparse->format, sparse->weight, begin, end);
}

bool sparse_finish(struct sparse *sparse, struct error *error)
{
    free(sparse->fan_out);
    sparse->fan_out = array_new(sparse->sources, sizeof *sparse->fan_out);
    if (sparse->fan_out == NULL)
        return error_no_memory(error, "fan-out counts");
    for (uint32_t s = 0; s < sparse->sources; s++) {
        if (sparse->row[s + 1] - sparse->row[s] > UINT32_MAX)
            return error_set(error, ERROR_MISUSED,
                             "source neuron %" PRIu32 " has %" PRIu64 " synapses; "
                             "one neuron can have at most %" PRIu32,
                             s, sparse->row[s + 1] - sparse->row[s], UINT32_MAX);
        sparse->fan_out[s] = (uint32_t)count_row(sparse, sparse->row[s], sparse->row[s + 1]);
    }
    return true;
}

void sparse_describe(struct projection *projection)
{
    const struct sparse *sparse = projection->weights;
    uint64_t each =
        weight_bytes(sparse->format) +
        (sparse->target32 != NULL ? sizeof *sparse->target32 : sizeof *sparse->target16) +
        (sparse->extra8 != NULL    ? sizeof *sparse->extra8
         : sparse->extra16 != NULL ? sizeof *sparse->extra16
                                   : 0);
    projection->fan_out = sparse->fan_out;
    projection->synapses = 0;
    for (uint32_t s = 0; s < sparse->sources; s++)
        projection->synapses += sparse->fan_out[s];
    projection->weight_count = sparse->row[sparse->sources]; /* what is not there costs nothing */
    projection->bytes = sparse->row[sparse->sources] * each +
                        ((uint64_t)sparse->sources + 1) * sizeof *sparse->row +
                        (uint64_t)sparse->sources * sizeof *sparse->fan_out;
}

/* ---- from lists ---- */

struct lists {
    uint64_t synapses;
    const uint32_t *source, *target; /* [synapses] */
    const double *weights;           /* [synapses], or NULL: `same` */
    double same;
    const uint32_t *extras;          /* [synapses], or NULL */
    enum weight_format format;
    double scale;
};

static double weight_of(const struct lists *lists, uint64_t k)
{
    return lists->weights != NULL ? lists->weights[k] : lists->same;
}

static bool check_weight(const struct lists *lists, uint64_t k, struct error *error)
{
    double weight = weight_of(lists, k);
    float room;
    if (lists->format == WEIGHT_SAME ? isfinite(weight) && weight == lists->same
                                     : weight_store(lists->format, lists->scale, weight, &room, 0))
        return true;
    if (lists->format == WEIGHT_SAME || lists->format == WEIGHT_FLOAT)
        return error_set(error, ERROR_MISUSED, "synapse %" PRIu64 ": weight %.15g is %s", k, weight,
                         lists->format == WEIGHT_FLOAT ? "not a finite number of single precision"
                                                       : "not finite, or not that of all others");
    return error_set(error, ERROR_MISUSED,
                     "synapse %" PRIu64 ": weight %.15g is no multiple of the "
                     "scale %.15g within %s; choose another scale or float weights",
                     k, weight, lists->scale, lists->format == WEIGHT_INT8 ? "8 bits" : "16 bits");
}

static bool check_lists(const struct lists *lists, uint32_t sources, uint32_t targets,
                        uint32_t *most_extra, struct error *error)
{
    *most_extra = 0;
    for (uint64_t k = 0; k < lists->synapses; k++) {
        if (lists->source[k] >= sources)
            return error_set(error, ERROR_MISUSED,
                             "synapse %" PRIu64 ": there is no source neuron %" PRIu32
                             "; the source population has %" PRIu32,
                             k, lists->source[k], sources);
        if (lists->target[k] >= targets)
            return error_set(error, ERROR_MISUSED,
                             "synapse %" PRIu64 ": there is no target neuron %" PRIu32
                             "; the target population has %" PRIu32,
                             k, lists->target[k], targets);
        if (lists->extras != NULL && lists->extras[k] > SPARSE_EXTRA)
            return error_set(error, ERROR_MISUSED,
                             "synapse %" PRIu64 ": a delay of %" PRIu32 " ticks "
                             "beyond the shortest is too long; at most %d can be held",
                             k, lists->extras[k], SPARSE_EXTRA);
        if (!check_weight(lists, k, error))
            return false;
        if (lists->extras != NULL && lists->extras[k] > *most_extra)
            *most_extra = lists->extras[k];
    }
    return true;
}

/* Turns counts at index[1 …] into the places where each run begins. */
static void sum_up(uint64_t *index, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        index[i + 1] += index[i];
}

/* The synapses' numbers in order of targets, stable. NULL when memory is short. */
static uint64_t *order_by_target(const struct lists *lists, uint32_t targets)
{
    uint64_t *next = calloc((uint64_t)targets + 1, sizeof *next);
    uint64_t *order = array_new(lists->synapses, sizeof *order);
    if (next == NULL || order == NULL) {
        free(next);
        free(order);
        return NULL;
    }
    for (uint64_t k = 0; k < lists->synapses; k++)
        next[lists->target[k] + UINT64_C(1)]++;
    sum_up(next, targets);
    for (uint64_t k = 0; k < lists->synapses; k++)
        order[next[lists->target[k]]++] = k;
    free(next);
    return order;
}

/* Puts synapse k of the lists into place `at`. */
static void place_synapse(struct sparse *sparse, const struct lists *lists, uint64_t k, uint64_t at)
{
    if (sparse->target16 != NULL)
        sparse->target16[at] = (uint16_t)lists->target[k];
    else
        sparse->target32[at] = lists->target[k];
    if (sparse->extra8 != NULL)
        sparse->extra8[at] = (uint8_t)lists->extras[k];
    else if (sparse->extra16 != NULL)
        sparse->extra16[at] = (uint16_t)lists->extras[k];
    if (sparse->weight != NULL)
        weight_store(sparse->format, sparse->scale, weight_of(lists, k), sparse->weight, at);
}

static bool fill_rows(struct sparse *sparse, const struct lists *lists, struct error *error)
{
    uint64_t *order = order_by_target(lists, sparse->targets);
    uint64_t *next = calloc((uint64_t)sparse->sources + 1, sizeof *next);
    bool good = order != NULL && next != NULL;
    if (!good)
        error_set(error, ERROR_FAILED, "not enough memory to sort %" PRIu64 " synapses",
                  lists->synapses);
    for (uint64_t k = 0; good && k < lists->synapses; k++)
        next[lists->source[k] + UINT64_C(1)]++;
    if (good) {
        sum_up(next, sparse->sources);
        memcpy(sparse->row, next, ((uint64_t)sparse->sources + 1) * sizeof *next);
    }
    for (uint64_t i = 0; good && i < lists->synapses; i++)
        place_synapse(sparse, lists, order[i], next[lists->source[order[i]]]++);
    free(order);
    free(next);
    return good;
}

struct sparse *sparse_from_lists(uint32_t sources, uint32_t targets, uint64_t synapses,
                                 const uint32_t *source, const uint32_t *target,
                                 const double *weights, double same, enum weight_format format,
                                 double scale, const uint32_t *extras, struct error *error)
{
    struct lists lists = {synapses, source, target, weights, same, extras, format, scale};
    uint32_t most_extra;
    if (!check_lists(&lists, sources, targets, &most_extra, error))
        return NULL;
    struct sparse *sparse = sparse_new(sources, targets, synapses, format, most_extra, error);
    if (sparse == NULL)
        return NULL;
    sparse->same = same;
    sparse->scale = scale;
    if (!fill_rows(sparse, &lists, error) || !sparse_finish(sparse, error)) {
        sparse_free(sparse);
        return NULL;
    }
    return sparse;
}

/* ---- from a dense matrix ---- */
