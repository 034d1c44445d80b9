/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Making dense integer weights: quantised and laid out in columns piece by piece, by several
 * threads, each piece by one; or taken as they lie in a file.
 *
 * What codes exceed 8 bits by is listed piece by piece until all pieces are there (struct
 * filling), and then put in order of columns.
 */
#include "neurons/delivery/dense_integer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CODE_LIMIT = 32767, CACHE_LINE = 64, TILE = 128 /* inputs quantised at a time */ };

struct found_extra {
    uint32_t input;
    uint16_t row; /* of the band */
    int16_t extra;
};

struct filling {
    struct piece {
        struct found_extra *extras; /* [length], in order of rows for each input */
        uint32_t length, room;
        int32_t code_limit;
    } *pieces; /* [rows / PIECE_ROWS] */
};

/* Memory for weights, in huge pages where the system has them. */
static void *new_array(size_t length)
{
    const size_t huge = (size_t)2 << 20;
    size_t unit = length < huge ? CACHE_LINE : huge;
    size_t rounded = (length + unit - 1) / unit * unit;
    void *array = aligned_alloc(unit, rounded > 0 ? rounded : unit);
    if (array != NULL && unit == huge)
        madvise(array, rounded, MADV_HUGEPAGE); /* advice: failing changes nothing else */
    return array;
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
    while (b != 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

struct dense_integer *dense_integer_new(uint32_t outputs, uint32_t inputs, uint32_t group,
                                        struct error *error)
{
    return dense_integer_new_apart(outputs, inputs, group, group, error);
}

/* Works out the numbers that follow from others. */
static void set_shape(struct dense_integer *dense)
{
    dense->groups = group_count(dense->inputs, dense->group);
    dense->bands = dense->outputs / BAND_ROWS + (dense->outputs % BAND_ROWS != 0);
    dense->rows = whole_pieces(dense->outputs);
    dense->segments = dense->groups * segment_count(dense->group);
}

uint64_t dense_integer_lists(uint32_t outputs, uint32_t inputs, uint32_t group)
{
    uint64_t bands = outputs / BAND_ROWS + (outputs % BAND_ROWS != 0);
    return bands * group_count(inputs, group) * segment_count(group) * STRETCHES;
}

static uint64_t list_count(const struct dense_integer *dense)
{
    return dense_integer_lists(dense->outputs, dense->inputs, dense->group);
}

uint64_t dense_integer_extras(const struct dense_integer *dense)
{
    return dense->extra_start[list_count(dense)];
}

/* Whether lists of inputs that fire stay small enough for a thread's stack. */
static bool fits_lists(uint32_t inputs, uint32_t group)
{
    return inputs >= 1 && inputs <= DENSE_INTEGER_INPUTS && group >= 1 &&
           firing_room(inputs, group) <= DENSE_INTEGER_ROOM;
}

struct dense_integer_sizes dense_integer_sizes(const struct dense_integer *dense)
{
    return (struct dense_integer_sizes){
        .codes = dense->rows * dense->inputs,
        .scales = dense->rows * dense->groups * sizeof *dense->scales,
        .extra_start = (list_count(dense) + 1) * sizeof *dense->extra_start,
        .fan_out = (uint64_t)dense->inputs * sizeof *dense->fan_out,
    };
}

struct dense_integer *dense_integer_new_apart(uint32_t outputs, uint32_t inputs,
                                              uint32_t scale_group, uint32_t span,
                                              struct error *error)
{
    if (outputs < 1 || !fits_lists(inputs, common_divisor(scale_group, span))) {
        error_set(error, ERROR_FAILED,
                  "weights of %u rows and %u inputs with a scale for every %u of them: at most %d "
                  "inputs are supported, and no very small groups of many", outputs, inputs,
                  scale_group, DENSE_INTEGER_INPUTS);
        return NULL;
    }
    struct dense_integer *dense = calloc(1, sizeof *dense);
    if (dense == NULL) {
        error_no_memory(error, "weights");
        return NULL;
    }
    dense->outputs = outputs;
    dense->inputs = inputs;
    dense->scale_group = scale_group;
    dense->group = common_divisor(scale_group, span);
    set_shape(dense);
    struct dense_integer_sizes sizes = dense_integer_sizes(dense);
    dense->codes = new_array(sizes.codes);
    dense->scales = new_array(sizes.scales);
    dense->extra_start = calloc(sizes.extra_start, 1);
    dense->fan_out = calloc(sizes.fan_out, 1);
    dense->filling = calloc(1, sizeof *dense->filling);
    if (dense->filling != NULL)
        dense->filling->pieces =
            calloc(dense->rows / PIECE_ROWS, sizeof *dense->filling->pieces);
    if (dense->codes == NULL || dense->scales == NULL || dense->extra_start == NULL ||
        dense->fan_out == NULL || dense->filling == NULL || dense->filling->pieces == NULL) {
        dense_integer_free(dense);
        error_no_memory(error, "weights");
        return NULL;
    }
    return dense;
}

/* ---- filling a piece ---- */

/* Where a band begins among all columns, and its height. */
static uint8_t *band_codes(const struct dense_integer *dense, uint32_t row, uint32_t *height)
{
    uint64_t first = row / BAND_ROWS * BAND_ROWS;
    *height = (uint32_t)(dense->rows - first < BAND_ROWS ? dense->rows - first : BAND_ROWS);
    return dense->codes + first * dense->inputs;
}

static float *band_scales(const struct dense_integer *dense, uint32_t row)
{
    return dense->scales + (uint64_t)(row / BAND_ROWS) * BAND_ROWS * dense->groups;
}

static float symmetric_scale(const float *weights, uint32_t length)
{
    float largest = 0;
    for (uint32_t i = 0; i < length; i++)
        largest = fabsf(weights[i]) > largest ? fabsf(weights[i]) : largest;
    float scale = largest / 127;
    return scale > 0 ? scale : 1; /* a group of zeros */
}

/* The codes of a row's inputs that share a scale; the largest of them in *largest. Numbers that
 * are not finite come out as larger than CODE_LIMIT. */
VECTOR_INLINE void quantise(const float *weights, float scale, uint32_t length, int32_t *codes,
                            double *largest)
{
    const double shift = 6755399441055744.0; /* rounds to nearest, ties to even */
    double most = 0;
    for (uint32_t i = 0; i < length; i++) {
        double exact = (double)weights[i] / (double)scale, size = __builtin_fabs(exact);
        double bounded = size <= CODE_LIMIT ? exact : 0;
        codes[i] = (int32_t)(bounded + shift - shift);
        double told = size <= CODE_LIMIT ? size : 2.0 * CODE_LIMIT;
        most = told > most ? told : most;
    }
    *largest = most;
}
VECTOR_VERSIONS(quantise,
                (const float *weights, float scale, uint32_t length, int32_t *codes,
                 double *largest),
                (weights, scale, length, codes, largest))

static bool add_extra(struct piece *piece, struct found_extra extra, struct error *error)
{
    if (piece->length == piece->room) {
        uint32_t room = piece->room < 64 ? 64 : piece->room * 2;
        struct found_extra *grown = realloc(piece->extras, room * sizeof *grown);
        if (grown == NULL)
            return error_no_memory(error, "weight codes beyond 8 bits");
        piece->extras = grown;
        piece->room = room;
    }
    piece->extras[piece->length++] = extra;
    return true;
}

/* Names the first weight of a row that cannot be a code. */
static bool refuse_weight(const float *weights, float scale, uint32_t first, uint32_t length,
                          uint32_t row, const char *name, struct error *error)
{
    for (uint32_t i = 0; i < length; i++) {
        double exact = (double)weights[i] / (double)scale;
        if (!isfinite(weights[i]))
            return error_set(error, ERROR_FAILED,
                             "%s: the weight at row %u, column %u is not a finite number", name,
                             row, first + i);
        if (fabs(exact) > CODE_LIMIT)
            return error_set(error, ERROR_FAILED,
                             "%s: the weight at row %u, column %u is %.4g times its scale; codes "
                             "beyond %d are not supported", name, row, first + i, exact,
                             CODE_LIMIT);
    }
    return true;
}

/* One row's codes of up to TILE inputs that share a scale, biased, to held [length]. */
static bool fill_row(struct piece *piece, const float *weights, float scale, uint32_t first,
                     uint32_t length, uint32_t row, uint8_t *held, enum vector_level vector,
                     const char *name, struct error *error)
{
    int32_t codes[TILE];
    double largest;
    quantise_by[vector](weights, scale, length, codes, &largest);
    if (largest > CODE_LIMIT && !refuse_weight(weights, scale, first, length, row, name, error))
        return false;
    int32_t limit = 0;
    for (uint32_t i = 0; i < length; i++) {
        int32_t code = codes[i], size = code < 0 ? -code : code;
        int32_t fits = code < -128 ? -128 : code > 127 ? 127 : code;
        held[i] = (uint8_t)(fits + CODE_BIAS);
        limit = size > limit ? size : limit;
    }
    piece->code_limit = limit > piece->code_limit ? limit : piece->code_limit;
    for (uint32_t i = 0; limit > 127 && i < length; i++) {
        int32_t fits = (int32_t)held[i] - CODE_BIAS;
        if (codes[i] != fits &&
            !add_extra(piece,
                       (struct found_extra){first + i, (uint16_t)(row % BAND_ROWS),
                                            (int16_t)(codes[i] - fits)},
                       error))
            return false;
    }
    return true;
}

/* What filling a piece goes by. */
struct piece_source {
    uint32_t first_row, rows;
    const float *weights; /* [rows][inputs] */
    float *scales;        /* [rows][scale groups] */
    enum vector_level vector;
    const char *name;
};

/* Inputs first … first+length-1, which share scales. */
static bool fill_tile(struct dense_integer *dense, const struct piece_source *source,
                      uint32_t first, uint32_t length, struct error *error)
{
    uint8_t tile[PIECE_ROWS][TILE];
    uint32_t height, row = source->first_row, shared = first / dense->scale_group;
    uint32_t scale_groups = group_count(dense->inputs, dense->scale_group);
    struct piece *piece = &dense->filling->pieces[row / PIECE_ROWS];
    for (uint32_t r = 0; r < source->rows; r++)
        if (!fill_row(piece, source->weights + (size_t)r * dense->inputs + first,
                      source->scales[(size_t)r * scale_groups + shared], first, length, row + r,
                      tile[r], source->vector, source->name, error))
            return false;
    for (uint32_t r = source->rows; r < PIECE_ROWS; r++)
        memset(tile[r], CODE_BIAS, length);
    uint8_t *columns = band_codes(dense, row, &height) + row % BAND_ROWS;
    for (uint32_t i = 0; i < length; i++) {
        uint8_t *column = columns + (size_t)(first + i) * height;
        for (uint32_t r = 0; r < PIECE_ROWS; r++)
            column[piece_place(r)] = tile[r][i];
    }
    return true;
}

/* The scales [rows][scale groups] that the weights have, or get; from malloc. */
static float *find_scales(const struct dense_integer *dense, const struct piece_source *source,
                          const float *given, struct error *error)
{
    uint32_t scale_groups = group_count(dense->inputs, dense->scale_group);
    float *scales = malloc((size_t)source->rows * scale_groups * sizeof *scales);
    if (scales == NULL) {
        error_no_memory(error, "scales");
        return NULL;
    }
    for (uint32_t r = 0; r < source->rows; r++)
        for (uint32_t s = 0; s < scale_groups; s++) {
            uint32_t begin = s * dense->scale_group, left = dense->inputs - begin;
            const float *weights = source->weights + (size_t)r * dense->inputs + begin;
            uint32_t length = left < dense->scale_group ? left : dense->scale_group;
            size_t at = (size_t)r * scale_groups + s;
            if (given == NULL && !refuse_weight(weights, INFINITY, begin, length,
                                                source->first_row + r, source->name, error)) {
                free(scales);
                return NULL;
            }
            scales[at] = given != NULL ? given[at] : symmetric_scale(weights, length);
            if (scales[at] > 0 && isfinite(scales[at]))
                continue;
            error_set(error, ERROR_FAILED,
                      "%s_quantizer.scales: the scale at row %u, group %u is %g; scales are "
                      "positive numbers", source->name, source->first_row + r, s,
                      (double)scales[at]);
            free(scales);
            return NULL;
        }
    return scales;
}

/* Scales of rows that are not there are 0. */
static void store_scales(struct dense_integer *dense, const struct piece_source *source)
{
    uint32_t height, row = source->first_row % BAND_ROWS;
    uint32_t scale_groups = group_count(dense->inputs, dense->scale_group);
    float *scales = band_scales(dense, source->first_row);
    band_codes(dense, source->first_row, &height);
    for (uint32_t g = 0; g < dense->groups; g++) {
        uint32_t shared = (uint32_t)((uint64_t)g * dense->group / dense->scale_group);
        float *own = scales + (size_t)g * height + row;
        for (uint32_t r = 0; r < PIECE_ROWS; r++)
            own[r] = r < source->rows ? source->scales[(size_t)r * scale_groups + shared] : 0;
    }
}

bool dense_integer_fill(struct dense_integer *dense, uint32_t first_row, uint32_t rows,
                        const float *weights, const float *scales, const char *name,
                        struct error *error)
{
    struct piece_source source = {first_row, rows, weights, NULL,
                                  kernels_find("auto", NULL)->vector, name};
    source.scales = find_scales(dense, &source, scales, error);
    if (source.scales == NULL)
        return false;
    store_scales(dense, &source);
    bool filled = true;
    for (uint32_t g = 0; g < dense->groups && filled; g++) {
        uint32_t begin = g * dense->group, left = dense->inputs - begin;
        uint32_t end = begin + (left < dense->group ? left : dense->group);
        for (uint32_t first = begin; first < end && filled; first += TILE)
            filled = fill_tile(dense, &source, first, end - first < TILE ? end - first : TILE,
                               error);
    }
    free(source.scales);
    return filled;
}

/* ---- settling ---- */

static void filling_free(struct dense_integer *dense)
{
    for (uint64_t i = 0; dense->filling != NULL && dense->filling->pieces != NULL &&
                         i < dense->rows / PIECE_ROWS;
         i++)
        free(dense->filling->pieces[i].extras);
    if (dense->filling != NULL)
        free(dense->filling->pieces);
    free(dense->filling);
    dense->filling = NULL;
}

/* The list that an extra of piece p belongs to. */
static uint64_t list_of(const struct dense_integer *dense, uint64_t p, struct found_extra found)
{
    uint64_t band = p * PIECE_ROWS / BAND_ROWS;
    uint32_t segment = found.input / dense->group * segment_count(dense->group) +
                       found.input % dense->group / EXTRA_INPUTS;
    return (band * dense->segments + segment) * STRETCHES + found.row / EXTRA_ROWS;
}

/* Puts the extras into their lists, within each in order of pieces. */
static bool order_extras(struct dense_integer *dense, struct error *error)
{
    uint64_t pieces = dense->rows / PIECE_ROWS, lists = list_count(dense), total = 0;
    uint32_t *start = dense->extra_start;
    for (uint64_t p = 0; p < pieces; p++)
        total += dense->filling->pieces[p].length;
    dense->extras = total <= UINT32_MAX ? new_array(total * sizeof *dense->extras) : NULL;
    if (dense->extras == NULL)
        return error_no_memory(error, "weight codes beyond 8 bits");
    for (uint64_t p = 0; p < pieces; p++)
        for (uint32_t e = 0; e < dense->filling->pieces[p].length; e++)
            start[list_of(dense, p, dense->filling->pieces[p].extras[e]) + 1]++;
    for (uint64_t list = 0; list < lists; list++)
        start[list + 1] += start[list];
    /* Filling moves every start to its end, which is the next one's start. */
    for (uint64_t p = 0; p < pieces; p++) {
        const struct piece *piece = &dense->filling->pieces[p];
        for (uint32_t e = 0; e < piece->length; e++) {
            struct found_extra found = piece->extras[e];
            uint32_t input = found.input % dense->group % EXTRA_INPUTS;
            dense->extras[start[list_of(dense, p, found)]++] = (struct extra){
                (uint16_t)(found.row % EXTRA_ROWS + input * EXTRA_ROWS), found.extra};
        }
        if (piece->code_limit > dense->code_limit)
            dense->code_limit = piece->code_limit;
    }
    memmove(start + 1, start, lists * sizeof *start);
    start[0] = 0;
    return true;
}

VECTOR_INLINE uint32_t count_codes(const uint8_t *column, uint32_t height)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < height; i++)
        count += column[i] != CODE_BIAS;
    return count;
}
VECTOR_VERSIONS_OF(uint32_t, count_codes, (const uint8_t *column, uint32_t height),
                   (column, height))

/* Counts the non-zero codes of a part of the columns. */
static void count_part(void *argument, uint32_t part, uint32_t parts)
{
    struct dense_integer *dense = argument;
    enum vector_level vector = kernels_find("auto", NULL)->vector;
    uint32_t begin, end, height;
    workers_slice(dense->inputs, part, parts, &begin, &end);
    for (uint32_t row = 0; row < dense->outputs; row += height) {
        const uint8_t *codes = band_codes(dense, row, &height);
        for (uint32_t i = begin; i < end; i++)
            dense->fan_out[i] += count_codes_by[vector](codes + (size_t)i * height, height);
    }
}

bool dense_integer_settle(struct dense_integer *dense, struct workers *workers,
                          struct error *error)
{
    if (!order_extras(dense, error))
        return false;
    filling_free(dense);
    if (workers != NULL)
        workers_run(workers, count_part, dense, workers_count(workers));
    else
        count_part(dense, 0, 1);
    for (uint32_t i = 0; i < dense->inputs; i++)
        dense->synapses += dense->fan_out[i];
    return true;
}

bool dense_integer_set_bias(struct dense_integer *dense, const double *bias, struct error *error)
{
    dense->bias = malloc(dense->outputs * sizeof *dense->bias);
    if (dense->bias == NULL)
        return error_no_memory(error, "a bias");
    memcpy(dense->bias, bias, dense->outputs * sizeof *dense->bias);
    return true;
}

void dense_integer_free(void *weights)
{
    struct dense_integer *dense = weights;
    if (dense == NULL)
        return;
    filling_free(dense);
    if (!dense->borrowed) {
        free(dense->codes);
        free(dense->scales);
        free(dense->extra_start);
        free(dense->extras);
        free(dense->fan_out);
    }
    free(dense->bias);
    free(dense->accumulator);
    free(dense);
}

/* ---- adopting ---- */

/* Whether the extras of a list stay within its rows and inputs. */
static bool check_list(const struct dense_integer *dense, uint64_t list)
{
    uint32_t stretch = list % STRETCHES, segment = list / STRETCHES % dense->segments;
    uint64_t first_row = list / STRETCHES / dense->segments * BAND_ROWS + stretch * EXTRA_ROWS;
    uint64_t rows = first_row < dense->outputs ? dense->outputs - first_row : 0;
    uint32_t per_group = segment_count(dense->group), g = segment / per_group;
    uint32_t left = dense->inputs - g * dense->group, first = segment % per_group * EXTRA_INPUTS;
    uint32_t length = left < dense->group ? left : dense->group; /* of the group */
    uint32_t inputs = first < length ? length - first : 0;
    for (uint32_t e = dense->extra_start[list]; e < dense->extra_start[list + 1]; e++)
        if (dense->extras[e].place % EXTRA_ROWS >= rows ||
            dense->extras[e].place / EXTRA_ROWS >= inputs)
            return false;
    return true;
}

/* Whether all places that the arrays name lie in them. */
static bool check_places(const struct dense_integer *dense, uint64_t extras, const char *name,
                         struct error *error)
{
    uint64_t lists = list_count(dense);
    bool good = dense->extra_start[0] == 0 && dense->extra_start[lists] == extras;
    for (uint64_t list = 0; list < lists && good; list++)
        good = dense->extra_start[list] <= dense->extra_start[list + 1];
    if (!good)
        return error_set(error, ERROR_FAILED, "%s: what codes exceed 8 bits by is out of order",
                         name);
    for (uint64_t list = 0; list < lists; list++)
        if (!check_list(dense, list))
            return error_set(error, ERROR_FAILED,
                             "%s: what codes exceed 8 bits by leads out of the weights", name);
    return true;
}

struct dense_integer *dense_integer_adopt(const struct dense_integer *arrays, uint64_t extras,
                                          const char *name, struct error *error)
{
    bool usable = arrays->outputs >= 1 && fits_lists(arrays->inputs, arrays->group) &&
                  arrays->scale_group >= 1 && arrays->scale_group % arrays->group == 0 &&
                  arrays->code_limit >= 0 && arrays->code_limit <= CODE_LIMIT &&
                  arrays->synapses <= (uint64_t)arrays->outputs * arrays->inputs;
    if (!usable) {
        error_set(error, ERROR_FAILED, "%s: weights of %u rows, %u inputs and groups of %u are "
                                       "not what this version packs", name, arrays->outputs,
                  arrays->inputs, arrays->group);
        return NULL;
    }
    struct dense_integer *dense = malloc(sizeof *dense);
    if (dense == NULL) {
        error_no_memory(error, "weights");
        return NULL;
    }
    *dense = *arrays;
    dense->borrowed = true;
    dense->bias = NULL;
    dense->filling = NULL;
    dense->accumulator = NULL;
    set_shape(dense);
    if (check_places(dense, extras, name, error))
        return dense;
    free(dense);
    return NULL;
}
