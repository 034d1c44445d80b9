/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Adding the rows that dense.h describes, several at a time: a target's sum is loaded once, the
 * rows are added to it one after the other, and it is stored once, which gives the same bits as
 * adding them one by one. The targets are taken in stretches short enough that their sums stay in
 * the nearest cache while all rows of a volley are added.
 */
#include "neurons/delivery/dense.h"

#include "neurons/delivery/landing.h"
#include "encoding/vector.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    ROWS = 4,       /* added at a time */
    STRETCH = 2048, /* targets: 16 KiB of doubles */
    TURN = 16       /* sources turned together: a cache line of float weights */
};

/* ---- adding rows ---- */

/* What is added to targets 0 … length-1 of a stretch. */
struct addition {
    const void *row[ROWS];
    double factor[ROWS];
    double scale;
    double *current; /* or … */
    uint32_t *count;
    uint32_t length;
};

#define ADDITION (const struct addition *addition)
#define ADDITION_VERSIONS(name) VECTOR_VERSIONS(name, ADDITION, (addition))

/* `weight` says what row w[r][j] is worth as a double. */
#define DEFINE_CURRENT(name, type, rows, weight)                                                   \
    VECTOR_INLINE void name ADDITION                                                               \
    {                                                                                              \
        double *restrict current = addition->current;                                              \
        const double scale = addition->scale;                                                      \
        (void)scale;                                                                               \
        const type *restrict w[rows];                                                              \
        double f[rows];                                                                            \
        for (int r = 0; r < (rows); r++) {                                                         \
            w[r] = addition->row[r];                                                               \
            f[r] = addition->factor[r];                                                            \
        }                                                                                          \
        const uint32_t length = addition->length;                                                  \
        for (uint32_t j = 0; j < length; j++) {                                                    \
            double sum = current[j];                                                               \
            for (int r = 0; r < (rows); r++)                                                       \
                sum += (weight) * f[r];                                                            \
            current[j] = sum;                                                                      \
        }                                                                                          \
    }                                                                                              \
    ADDITION_VERSIONS(name)

#define DEFINE_COUNT(name, type, rows)                                                             \
    VECTOR_INLINE void name ADDITION                                                               \
    {                                                                                              \
        uint32_t *restrict count = addition->count;                                                \
        const type *restrict w[rows];                                                              \
        uint32_t f[rows];                                                                          \
        for (int r = 0; r < (rows); r++) {                                                         \
            w[r] = addition->row[r];                                                               \
            f[r] = (uint32_t)(int64_t)addition->factor[r];                                         \
        }                                                                                          \
        const uint32_t length = addition->length;                                                  \
        for (uint32_t j = 0; j < length; j++) {                                                    \
            uint32_t sum = count[j];                                                               \
            for (int r = 0; r < (rows); r++)                                                       \
                sum += (uint32_t)(int32_t)w[r][j] * f[r];                                          \
            count[j] = sum;                                                                        \
        }                                                                                          \
    }                                                                                              \
    ADDITION_VERSIONS(name)

DEFINE_CURRENT(add_float, float, 1, (double)w[r][j])
DEFINE_CURRENT(add_floats, float, ROWS, (double)w[r][j])
DEFINE_CURRENT(add_int8, int8_t, 1, scale *w[r][j])
DEFINE_CURRENT(add_int8s, int8_t, ROWS, scale *w[r][j])
DEFINE_CURRENT(add_int16, int16_t, 1, scale *w[r][j])
DEFINE_CURRENT(add_int16s, int16_t, ROWS, scale *w[r][j])
DEFINE_COUNT(count_int8, int8_t, 1)
DEFINE_COUNT(count_int8s, int8_t, ROWS)
DEFINE_COUNT(count_int16, int16_t, 1)
DEFINE_COUNT(count_int16s, int16_t, ROWS)

typedef void add_function ADDITION;

/* Of one row, and of ROWS; [counts][format]. */
static add_function *const *const one_row[2][4] = {
    {[WEIGHT_FLOAT] = add_float_by, [WEIGHT_INT8] = add_int8_by, [WEIGHT_INT16] = add_int16_by},
    {[WEIGHT_INT8] = count_int8_by, [WEIGHT_INT16] = count_int16_by},
};
static add_function *const *const several_rows[2][4] = {
    {[WEIGHT_FLOAT] = add_floats_by, [WEIGHT_INT8] = add_int8s_by, [WEIGHT_INT16] = add_int16s_by},
    {[WEIGHT_INT8] = count_int8s_by, [WEIGHT_INT16] = count_int16s_by},
};

/* Up to ROWS of the next events; how many. */
static uint32_t take_rows(const struct dense *dense, struct events *events, uint32_t begin,
                          struct addition *addition)
{
    uint32_t rows = 0, neuron;
    while (rows < ROWS && events_next(events, &neuron, &addition->factor[rows])) {
        size_t first = (size_t)neuron * dense->targets + begin;
        addition->row[rows++] = (const char *)dense->weight + first * weight_bytes(dense->format);
    }
    return rows;
}

/* Targets begin … end-1, at most STRETCH of them. */
static void deliver_stretch(const struct dense *dense, const struct landing *landing,
                            struct events events, enum vector_level vector, uint32_t begin,
                            uint32_t end)
{
    bool counts = landing->count != NULL;
    add_function *one = one_row[counts][dense->format][vector];
    add_function *several = several_rows[counts][dense->format][vector];
    struct addition addition = {.scale = dense->scale, .length = end - begin};
    if (counts)
        addition.count = landing->count + begin;
    else
        addition.current = landing->current + begin;
    uint32_t rows;
    bool touched = false;
    while ((rows = take_rows(dense, &events, begin, &addition)) > 0) {
        touched = true;
        if (rows == ROWS) {
            several(&addition);
            continue;
        }
        for (uint32_t r = 0; r < rows; r++) {
            addition.row[0] = addition.row[r];
            addition.factor[0] = addition.factor[r];
            one(&addition);
        }
    }
    if (touched)
        landing_touch(landing, begin, end);
}

static void deliver(const struct projection *self, const struct delivery *delivery,
                    const struct kernels *kernels, uint32_t begin, uint32_t end)
{
    const struct landing port = landing_of(self, delivery);
    const struct landing landing = landing_in_slot(&port, 0);
    struct events events = events_of(self, delivery);
    while (begin < end) {
        uint32_t stop = end - begin > STRETCH ? begin + STRETCH : end;
        deliver_stretch(self->weights, &landing, events, kernels->vector, begin, stop);
        begin = stop;
    }
}

/* ---- making them ---- */

static bool refuse_weight(const struct dense *dense, uint32_t target, uint32_t source,
                          double weight, struct error *error)
{
    if (dense->format == WEIGHT_FLOAT)
        return error_set(error, ERROR_MISUSED, "weight [%" PRIu32 "][%" PRIu32 "] = %.15g is not a "
                         "finite number of single precision", target, source, weight);
    return error_set(error, ERROR_MISUSED,
                     "weight [%" PRIu32 "][%" PRIu32 "] = %.15g is no multiple "
                     "of the scale %.15g within %s; choose another scale or float weights",
                     target, source, weight, dense->scale,
                     dense->format == WEIGHT_INT8 ? "8 bits" : "16 bits");
}

/* Turns TURN sources at a time, so that neither side is walked across the grain throughout. */
static bool turn_weights(struct dense *dense, const double *weights, struct error *error)
{
    uint32_t step;
    for (uint32_t first = 0; first < dense->sources; first += step) {
        step = dense->sources - first < TURN ? dense->sources - first : TURN;
        for (uint32_t t = 0; t < dense->targets; t++) {
            const double *from = weights + (size_t)t * dense->sources;
            for (uint32_t s = first; s < first + step; s++)
                if (!weight_store(dense->format, dense->scale, from[s], dense->weight,
                                  (size_t)s * dense->targets + t))
                    return refuse_weight(dense, t, s, from[s], error);
        }
    }
    for (uint32_t s = 0; s < dense->sources; s++) {
        uint64_t row = (uint64_t)s * dense->targets;
        dense->fan_out[s] = (uint32_t)weight_count_non_zero(dense->format, dense->weight, row,
                                                            row + dense->targets);
    }
    return true;
}

struct dense *dense_new(uint32_t targets, uint32_t sources, const double *weights,
                        enum weight_format format, double scale, struct error *error)
{
    uint64_t count = (uint64_t)targets * sources;
    struct dense *dense = calloc(1, sizeof *dense);
    if (dense != NULL) {
        *dense = (struct dense){sources, targets, format, scale, NULL, NULL};
        if (count <= SIZE_MAX / sizeof(double))
            dense->weight = malloc(count > 0 ? count * weight_bytes(format) : 1);
        dense->fan_out = calloc(sources > 0 ? sources : 1, sizeof *dense->fan_out);
    }
    if (dense == NULL || dense->weight == NULL || dense->fan_out == NULL)
        error_set(error, ERROR_FAILED, "not enough memory for %" PRIu32 " x %" PRIu32 " weights",
                  targets, sources);
    else if (turn_weights(dense, weights, error))
        return dense;
    dense_free(dense);
    return NULL;
}

void dense_free(void *weights)
{
    struct dense *dense = weights;
    if (dense == NULL)
        return;
    free(dense->weight);
    free(dense->fan_out);
    free(dense);
}

void dense_describe(struct projection *projection)
{
    const struct dense *dense = projection->weights;
    projection->weight_count = (uint64_t)dense->sources * dense->targets;
    projection->bytes = projection->weight_count * weight_bytes(dense->format) +
                        (uint64_t)dense->sources * sizeof *dense->fan_out;
    projection->fan_out = dense->fan_out;
    projection->synapses = 0;
    for (uint32_t s = 0; s < dense->sources; s++)
        projection->synapses += dense->fan_out[s];
}

static bool prepare(struct projection *self, uint32_t lanes, bool expand, struct error *error)
{
    (void)expand;
    const struct dense *dense = self->weights;
    if (!landing_check(self, lanes, dense->sources, dense->targets, 0, error))
        return false;
    if (self->target->ports[self->port].count == NULL)
        return true;
    return dense->format == WEIGHT_FLOAT ? landing_refuse_fractions(self, error)
                                         : landing_scale(self, dense->scale, error);
}

const struct projection_kind projection_dense = {
    .name = "dense",
    .prepare = prepare,
    .deliver = deliver,
    .free = dense_free,
};
