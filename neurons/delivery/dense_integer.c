/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "neurons/delivery/dense_integer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CODE_LIMIT = 32767, SUMS_ROOM = 16384, LANE_BLOCK = 16 };

/* Codes are read once per token from end to end: huge pages spare the translation of
 * addresses, which costs as much as the reading where pages are small. */
static int8_t *new_codes(size_t length)
{
    const size_t huge = (size_t)2 << 20;
    if (length < 2 * huge)
        return malloc(length);
    size_t rounded = (length + huge - 1) / huge * huge;
    int8_t *codes = aligned_alloc(huge, rounded);
    if (codes != NULL)
        madvise(codes, rounded, MADV_HUGEPAGE); /* advice: failing changes nothing else */
    return codes;
}

struct dense_integer *dense_integer_new(uint32_t outputs, uint32_t inputs, uint32_t group,
                                        struct error *error)
{
    struct dense_integer *dense = calloc(1, sizeof *dense);
    if (dense == NULL) {
        error_no_memory(error, "weights");
        return NULL;
    }
    dense->outputs = outputs;
    dense->inputs = inputs;
    dense->group = group;
    dense->groups = (inputs + group - 1) / group;
    dense->codes = new_codes((size_t)outputs * inputs);
    dense->scales = malloc((size_t)outputs * dense->groups * sizeof *dense->scales);
    dense->code_sums = malloc((size_t)outputs * dense->groups * sizeof *dense->code_sums);
    dense->fan_out = calloc(inputs, sizeof *dense->fan_out);
    dense->remainder_start = calloc((size_t)outputs + 1, sizeof *dense->remainder_start);
    if (dense->codes == NULL || dense->scales == NULL || dense->code_sums == NULL ||
        dense->fan_out == NULL || dense->remainder_start == NULL) {
        dense_integer_free(dense);
        error_no_memory(error, "weights");
        return NULL;
    }
    return dense;
}

static bool add_remainder(struct dense_integer *dense, uint32_t input, int32_t extra,
                          struct error *error)
{
    uint32_t *length = &dense->remainder_start[dense->rows + 1];
    if (*length == dense->remainder_room) {
        uint32_t room = dense->remainder_room < 64 ? 64 : dense->remainder_room * 2;
        struct remainder *grown = realloc(dense->remainder, room * sizeof *grown);
        if (room < dense->remainder_room || grown == NULL)
            return error_no_memory(error, "weight codes beyond 8 bits");
        dense->remainder = grown;
        dense->remainder_room = room;
    }
    dense->remainder[(*length)++] = (struct remainder){input, input / dense->group, extra};
    return true;
}

static float symmetric_scale(const float *weights, uint32_t length)
{
    float largest = 0;
    for (uint32_t i = 0; i < length; i++)
        largest = fabsf(weights[i]) > largest ? fabsf(weights[i]) : largest;
    float scale = largest / 127;
    return scale > 0 ? scale : 1; /* a group of zeros */
}

bool dense_integer_add_row(struct dense_integer *dense, const float *weights, const float *scales,
                           const char *name, struct error *error)
{
    const double shift = 6755399441055744.0; /* rounds to nearest, ties to even */
    uint32_t row = dense->rows;
    int8_t *codes = dense->codes + (size_t)row * dense->inputs;
    dense->remainder_start[row + 1] = dense->remainder_start[row];
    for (uint32_t g = 0; g < dense->groups; g++) {
        uint32_t begin = g * dense->group;
        uint32_t end = dense->inputs - begin < dense->group ? dense->inputs : begin + dense->group;
        for (uint32_t i = begin; i < end; i++)
            if (!isfinite(weights[i]))
                return error_set(error, ERROR_FAILED,
                                 "%s: the weight at row %u, column %u is not a finite number", name,
                                 row, i);
        float scale = scales != NULL ? scales[g] : symmetric_scale(weights + begin, end - begin);
        if (!(scale > 0) || !isfinite(scale))
            return error_set(error, ERROR_FAILED,
                             "%s_quantizer.scales: the scale at row %u, group %u is %g; scales are "
                             "positive numbers", name, row, g, (double)scale);
        int32_t sum = 0;
        for (uint32_t i = begin; i < end; i++) {
            double exact = (double)weights[i] / (double)scale;
            if (fabs(exact) > CODE_LIMIT)
                return error_set(error, ERROR_FAILED,
                                 "%s: the weight at row %u, column %u is %.4g times its scale; "
                                 "codes beyond %d are not supported", name, row, i, exact,
                                 CODE_LIMIT);
            int32_t code = (int32_t)(exact + shift - shift);
            int32_t held = code < -128 ? -128 : code > 127 ? 127 : code;
            codes[i] = (int8_t)held;
            if (held != code && !add_remainder(dense, i, code - held, error))
                return false;
            int32_t size = code < 0 ? -code : code;
            dense->code_limit = size > dense->code_limit ? size : dense->code_limit;
            dense->fan_out[i] += code != 0;
            dense->synapses += code != 0;
            sum += code;
        }
        dense->scales[(size_t)row * dense->groups + g] = scale;
        dense->code_sums[(size_t)row * dense->groups + g] = sum;
    }
    dense->rows++;
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
    free(dense->codes);
    free(dense->scales);
    free(dense->bias);
    free(dense->code_sums);
    free(dense->fan_out);
    free(dense->remainder_start);
    free(dense->remainder);
    free(dense->accumulator);
    free(dense);
}

void dense_integer_describe(struct projection *projection)
{
    const struct dense_integer *dense = projection->weights;
    uint64_t scales = (uint64_t)dense->outputs * dense->groups;
    projection->fan_out = dense->fan_out;
    projection->synapses = dense->synapses;
    projection->weight_count = (uint64_t)dense->outputs * dense->inputs;
    projection->bytes = projection->weight_count +
                        scales * (sizeof *dense->scales + sizeof *dense->code_sums) +
                        dense->remainder_start[dense->outputs] * sizeof *dense->remainder +
                        (dense->bias != NULL ? dense->outputs * sizeof *dense->bias : 0);
}

static bool prepare(struct projection *self, uint32_t lanes, bool expand, struct error *error)
{
    struct dense_integer *dense = self->weights;
    if (!expand)
        return true;
    size_t length = (size_t)lanes * dense->outputs * dense->groups;
    dense->accumulator = malloc(length * sizeof *dense->accumulator);
    return dense->accumulator != NULL || error_no_memory(error, "accumulators");
}

/* Whether the sums stay within 32 bits: |Σ s·c| <= max|c| · Σ|s|. */
static bool check(const struct projection *self, const struct delivery *delivery,
                  struct error *error)
{
    const struct dense_integer *dense = self->weights;
    const struct train *train = delivery->train != NULL ? delivery->train : delivery->origin;
    for (uint32_t lane = 0; lane < train->lanes; lane++) {
        /* A zero point makes partial sums as large as the shifted counts. */
        int64_t shifted = train->magnitude[lane] -
                          (int64_t)train->frame[lane].zero * (int64_t)train->neurons;
        if (shifted > INT32_MAX / (dense->code_limit > 0 ? dense->code_limit : 1))
            return error_set(error, ERROR_FAILED,
                             "projection %s: the spikes of one vector could overflow 32 bits "
                             "(%lld counts against codes up to %d)", self->name, (long long)shifted,
                             dense->code_limit);
    }
    return true;
}

/* The scaled sum of few groups, where calling a kernel costs more than the work: its eight
 * partial sums hold one product each, and are added as its tree adds them. */
static inline double scale_few_groups(const float *scales, const int32_t *sums, uint32_t groups)
{
    double partial[8] = {0};
    for (uint32_t g = 0; g < groups; g++)
        partial[g] += (double)scales[g] * sums[g];
    if (groups <= 2)
        return partial[0] + partial[1];
    return ((partial[0] + partial[4]) + (partial[2] + partial[6])) +
           ((partial[1] + partial[5]) + (partial[3] + partial[7]));
}

/* The group sums of a row, to currents. */
static inline void finish(const struct projection *self, const struct train *train,
                          const struct kernels *kernels, uint32_t lane, uint32_t row,
                          const int32_t *sums)
{
    const struct dense_integer *dense = self->weights;
    const struct port *port = &self->target->ports[self->port];
    const float *scales = dense->scales + (size_t)row * dense->groups;
    double sum = dense->groups <= 8 ? scale_few_groups(scales, sums, dense->groups)
                                    : kernels->scale_groups(scales, sums, dense->groups);
    double current = train->threshold[lane] * sum;
    if (dense->bias != NULL)
        current += dense->bias[row];
    port->current[(size_t)lane * port->width + row] += current;
}

/* The plain way, for counts that need more than 16 bits. */
static void dot_wide(const struct dense_integer *dense, const int8_t *codes, const int32_t *counts,
                     int32_t *sums)
{
    for (uint32_t g = 0, i = 0; g < dense->groups; g++) {
        int32_t sum = 0;
        for (uint32_t end = i + dense->group; i < end && i < dense->inputs; i++)
            sum += codes[i] * counts[i];
        sums[g] = sum;
    }
}

static void deliver_merged(const struct projection *self, const struct train *train,
                           const struct kernels *kernels, uint32_t begin, uint32_t end)
{
    const struct dense_integer *dense = self->weights;
    uint32_t block = SUMS_ROOM / dense->groups;
    block = block < 1 ? 1 : block > LANE_BLOCK ? LANE_BLOCK : block;
    int32_t sums[(size_t)block * dense->groups];
    for (uint32_t row = begin; row < end; row++) {
        const int8_t *codes = dense->codes + (size_t)row * dense->inputs;
        for (uint32_t lane = 0; lane < train->lanes; lane += block) {
            uint32_t lanes = train->lanes - lane < block ? train->lanes - lane : block;
            const int32_t *counts = train->count + (size_t)lane * dense->inputs;
            if (train->fits)
                kernels->dot_groups(codes, train->narrow + (size_t)lane * dense->inputs,
                                    dense->inputs, lanes, dense->inputs, dense->group, sums,
                                    dense->groups);
            for (uint32_t l = 0; l < lanes; l++) {
                int32_t *own = sums + (size_t)l * dense->groups;
                const int32_t *s = counts + (size_t)l * dense->inputs;
                if (!train->fits)
                    dot_wide(dense, codes, s, own);
                for (uint32_t r = dense->remainder_start[row]; r < dense->remainder_start[row + 1];
                     r++)
                    own[dense->remainder[r].group] +=
                        s[dense->remainder[r].input] * dense->remainder[r].extra;
                finish(self, train, kernels, lane + l, row, own);
            }
        }
    }
}

/* Event by event: every spike adds its payload times the code to the target's sum. */
static void deliver_volley(const struct projection *self, const struct delivery *delivery,
                           const struct kernels *kernels, uint32_t begin, uint32_t end)
{
    const struct dense_integer *dense = self->weights;
    for (uint32_t lane = 0; lane < delivery->lanes; lane++) {
        const struct spike *spikes = delivery->spikes + delivery->lane_start[lane];
        uint32_t length = delivery->lane_start[lane + 1] - delivery->lane_start[lane];
        for (uint32_t row = begin; row < end; row++) {
            int32_t *sums = dense->accumulator +
                            ((size_t)lane * dense->outputs + row) * dense->groups;
            const int8_t *codes = dense->codes + (size_t)row * dense->inputs;
            if (delivery->first)
                memset(sums, 0, dense->groups * sizeof *sums);
            uint32_t r = dense->remainder_start[row], r_end = dense->remainder_start[row + 1];
            for (uint32_t i = 0; i < length; i++) {
                uint32_t input = spikes[i].neuron;
                int32_t code = codes[input];
                while (r < r_end && dense->remainder[r].input < input)
                    r++;
                if (r < r_end && dense->remainder[r].input == input)
                    code += dense->remainder[r].extra;
                sums[input / dense->group] += spikes[i].payload * code;
            }
            if (!delivery->last)
                continue;
            int32_t zero = delivery->origin->frame[lane].zero;
            for (uint32_t g = 0; zero != 0 && g < dense->groups; g++)
                sums[g] += zero * dense->code_sums[(size_t)row * dense->groups + g];
            finish(self, delivery->origin, kernels, lane, row, sums);
        }
    }
}

static void deliver(const struct projection *self, const struct delivery *delivery,
                    const struct kernels *kernels, uint32_t begin, uint32_t end)
{
    if (delivery->train != NULL)
        deliver_merged(self, delivery->train, kernels, begin, end);
    else
        deliver_volley(self, delivery, kernels, begin, end);
}

const struct projection_kind projection_dense_integer = {
    .name = "dense integer",
    .prepare = prepare,
    .deliver = deliver,
    .check = check,
    .free = dense_integer_free,
};
