/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "neurons/delivery/dense_integer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    CODE_LIMIT = 32767,
    CACHE_LINE = 64,
    PACKED_ROOM = 1 << 20, /* bytes of packed counts on the stack, unless one lane needs more */
    PASS_BLOCKS = 4        /* most blocks of lanes that pass together */
};

/* Zeros, aligned for whole vectors. Codes are read once per token from end to end: huge pages
 * spare the translation of addresses, which costs as much as the reading where pages are small. */
static void *new_zeros(size_t length)
{
    const size_t huge = (size_t)2 << 20;
    size_t unit = length < 2 * huge ? CACHE_LINE : huge;
    size_t rounded = (length + unit - 1) / unit * unit;
    void *zeros = aligned_alloc(unit, rounded);
    if (zeros == NULL)
        return NULL;
    if (unit == huge)
        madvise(zeros, rounded, MADV_HUGEPAGE); /* advice: failing changes nothing else */
    return memset(zeros, 0, rounded);
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
    dense->blocks = outputs / BLOCK_ROWS + (outputs % BLOCK_ROWS != 0);
    dense->block_size = row_quads(inputs, group) * QUAD * BLOCK_ROWS;
    size_t scales = (size_t)dense->blocks * dense->groups * BLOCK_ROWS;
    dense->codes = new_zeros(dense->blocks * dense->block_size);
    dense->scales = new_zeros(scales * sizeof *dense->scales);
    dense->code_sums = new_zeros(scales * sizeof *dense->code_sums);
    dense->fan_out = calloc(inputs, sizeof *dense->fan_out);
    dense->remainder_start = calloc((size_t)dense->blocks * dense->groups + 1,
                                    sizeof *dense->remainder_start);
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
    if (dense->remainder_length == dense->remainder_room) {
        uint32_t room = dense->remainder_room < 64 ? 64 : dense->remainder_room * 2;
        struct remainder *grown = realloc(dense->remainder, room * sizeof *grown);
        if (room < dense->remainder_room || grown == NULL)
            return error_no_memory(error, "weight codes beyond 8 bits");
        dense->remainder = grown;
        dense->remainder_room = room;
    }
    dense->remainder[dense->remainder_length++] =
        (struct remainder){input, (int16_t)extra, (uint16_t)(dense->rows % BLOCK_ROWS)};
    return true;
}

static int by_input_and_row(const void *a, const void *b)
{
    const struct remainder *x = a, *y = b;
    if (x->input != y->input)
        return x->input < y->input ? -1 : 1;
    return (int)x->row - (int)y->row;
}

/* The last row of a block is there: puts its remainder in order. */
static void finish_block(struct dense_integer *dense)
{
    uint32_t *start = dense->remainder_start +
                      (size_t)((dense->rows - 1) / BLOCK_ROWS) * dense->groups;
    uint32_t r = *start, end = dense->remainder_length;
    if (r < end)
        qsort(dense->remainder + r, end - r, sizeof *dense->remainder, by_input_and_row);
    for (uint32_t g = 0; g < dense->groups; g++) {
        while (r < end && dense->remainder[r].input / dense->group == g)
            r++;
        start[g + 1] = r;
    }
}

/* A row's codes of a group; the one at input i of the group stands at code_place(i). */
static int8_t *row_codes(const struct dense_integer *dense, uint32_t row, uint32_t g)
{
    return dense->codes + row / BLOCK_ROWS * dense->block_size +
           (size_t)g * quad_count(dense->group) * QUAD * BLOCK_ROWS + row % BLOCK_ROWS * QUAD;
}

static inline size_t code_place(uint32_t i)
{
    return (size_t)(i / QUAD) * QUAD * BLOCK_ROWS + i % QUAD;
}

/* Where something of a row and group is among [blocks][groups][BLOCK_ROWS]. */
static inline size_t group_place(const struct dense_integer *dense, uint32_t row, uint32_t g)
{
    return ((size_t)(row / BLOCK_ROWS) * dense->groups + g) * BLOCK_ROWS + row % BLOCK_ROWS;
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
    for (uint32_t g = 0; g < dense->groups; g++) {
        int8_t *codes = row_codes(dense, row, g);
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
            codes[code_place(i - begin)] = (int8_t)held;
            if (held != code && !add_remainder(dense, i, code - held, error))
                return false;
            int32_t size = code < 0 ? -code : code;
            dense->code_limit = size > dense->code_limit ? size : dense->code_limit;
            dense->fan_out[i] += code != 0;
            dense->synapses += code != 0;
            sum += code;
        }
        dense->scales[group_place(dense, row, g)] = scale;
        dense->code_sums[group_place(dense, row, g)] = sum;
    }
    dense->rows++;
    if (dense->rows % BLOCK_ROWS == 0 || dense->rows == dense->outputs)
        finish_block(dense);
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
                        dense->remainder_length * sizeof *dense->remainder +
                        (dense->bias != NULL ? dense->outputs * sizeof *dense->bias : 0);
}

static bool prepare(struct projection *self, uint32_t lanes, bool expand, struct error *error)
{
    struct dense_integer *dense = self->weights;
    if (!expand)
        return true;
    size_t length = (size_t)lanes * dense->blocks * dense->groups * BLOCK_ROWS;
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

static struct code_block block_of(const struct dense_integer *dense, uint32_t block)
{
    size_t group = (size_t)block * dense->groups;
    return (struct code_block){
        .inputs = dense->inputs,
        .group = dense->group,
        .codes = dense->codes + block * dense->block_size,
        .scales = dense->scales + group * BLOCK_ROWS,
        .code_sums = dense->code_sums + group * BLOCK_ROWS,
        .remainder = dense->remainder,
        .remainder_start = dense->remainder_start + group,
    };
}

/* The sums of rows begin … end-1 of one block, to currents. */
static inline void finish(const struct projection *self, const struct train *train, uint32_t lane,
                          uint32_t begin, uint32_t end, const double sums[BLOCK_ROWS])
{
    const struct dense_integer *dense = self->weights;
    const struct port *port = &self->target->ports[self->port];
    double *current = port->current + (size_t)lane * port->width;
    double threshold = train->threshold[lane];
    const double *own = sums + begin % BLOCK_ROWS;
    if (dense->bias != NULL)
        for (uint32_t row = begin; row < end; row++)
            current[row] += threshold * *own++ + dense->bias[row];
    else
        for (uint32_t row = begin; row < end; row++)
            current[row] += threshold * *own++;
}

/* What `integrate` does, plainly, for counts that need more than 16 bits. */
static void integrate_wide(const struct code_block *block, const int32_t *counts, double *sums)
{
    const int8_t *codes = block->codes;
    for (uint32_t row = 0; row < BLOCK_ROWS; row++)
        sums[row] = 0;
    for (uint32_t begin = 0, g = 0; begin < block->inputs; g++) {
        uint32_t left = block->inputs - begin;
        uint32_t length = left < block->group ? left : block->group;
        int32_t totals[BLOCK_ROWS] = {0};
        for (uint32_t i = 0; i < length; i++)
            for (uint32_t row = 0; row < BLOCK_ROWS; row++)
                totals[row] += codes[code_place(i) + row * QUAD] * counts[begin + i];
        for (uint32_t r = block->remainder_start[g]; r < block->remainder_start[g + 1]; r++)
            totals[block->remainder[r].row] +=
                block->remainder[r].extra * counts[block->remainder[r].input];
        for (uint32_t row = 0; row < BLOCK_ROWS; row++)
            sums[row] += (double)block->scales[(size_t)g * BLOCK_ROWS + row] * (double)totals[row];
        codes += (size_t)quad_count(length) * QUAD * BLOCK_ROWS;
        begin += length;
    }
}

static uint32_t sooner(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void deliver_wide(const struct projection *self, const struct train *train, uint32_t begin,
                         uint32_t end)
{
    const struct dense_integer *dense = self->weights;
    for (uint32_t row = begin, next; row < end; row = next) {
        struct code_block block = block_of(dense, row / BLOCK_ROWS);
        next = sooner(row - row % BLOCK_ROWS + BLOCK_ROWS, end);
        for (uint32_t lane = 0; lane < train->lanes; lane++) {
            double sums[BLOCK_ROWS];
            integrate_wide(&block, train->count + (size_t)lane * dense->inputs, sums);
            finish(self, train, lane, row, next, sums);
        }
    }
}

/* A pass over the codes for lanes `first` … first+lanes-1, in blocks of `width` lanes. A block
 * of rows that two threads share is integrated by both; each keeps the rows that are its own. */
static void deliver_pass(const struct projection *self, const struct train *train,
                         const struct kernels *kernels, uint32_t begin, uint32_t end,
                         uint32_t first, uint32_t lanes, uint32_t width)
{
    const struct dense_integer *dense = self->weights;
    struct count_block counts[PASS_BLOCKS];
    uint32_t blocks = (lanes + width - 1) / width;
    size_t size = packed_size(dense->inputs, dense->group, width);
    size = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    _Alignas(CACHE_LINE) uint8_t packed[blocks * size];
    for (uint32_t b = 0; b < blocks; b++) {
        counts[b] = (struct count_block){
            .lanes = sooner(lanes - b * width, width),
            .stride = dense->inputs,
            .counts = train->narrow + (size_t)(first + b * width) * dense->inputs,
            .packed = packed + b * size,
        };
        kernels->pack(&counts[b], dense->inputs, dense->group);
    }
    for (uint32_t row = begin, next; row < end; row = next) {
        struct code_block block = block_of(dense, row / BLOCK_ROWS);
        next = sooner(row - row % BLOCK_ROWS + BLOCK_ROWS, end);
        for (uint32_t b = 0; b < blocks; b++) {
            double sums[BLOCK_LANES][BLOCK_ROWS];
            kernels->integrate(&block, &counts[b], sums[0]);
            for (uint32_t lane = 0; lane < counts[b].lanes; lane++)
                finish(self, train, first + b * width + lane, row, next, sums[lane]);
        }
    }
}

static void deliver_merged(const struct projection *self, const struct train *train,
                           const struct kernels *kernels, uint32_t begin, uint32_t end)
{
    const struct dense_integer *dense = self->weights;
    size_t size = packed_size(dense->inputs, dense->group, BLOCK_LANES);
    uint32_t width = size <= PACKED_ROOM ? BLOCK_LANES : 1;
    uint32_t blocks = size <= PACKED_ROOM ? sooner((uint32_t)(PACKED_ROOM / size), PASS_BLOCKS) : 1;
    for (uint32_t lane = 0; lane < train->lanes; lane += blocks * width) {
        uint32_t lanes = sooner(train->lanes - lane, blocks * width);
        deliver_pass(self, train, kernels, begin, end, lane, lanes, sooner(lanes, width));
    }
}

/* Event by event: every spike adds its payload times the code to the sums [groups][BLOCK_ROWS]
 * of rows begin … end-1 of one block. Spikes come by neuron, as the remainder does. */
static void add_spikes(const struct dense_integer *dense, uint32_t begin, uint32_t end,
                       const struct spike *spikes, uint32_t length, int32_t *sums)
{
    struct code_block block = block_of(dense, begin / BLOCK_ROWS);
    uint32_t from = begin % BLOCK_ROWS, to = from + (end - begin);
    uint32_t r = block.remainder_start[0], r_end = block.remainder_start[dense->groups];
    for (uint32_t i = 0; i < length; i++) {
        uint32_t input = spikes[i].neuron, g = input / dense->group;
        const int8_t *codes = row_codes(dense, begin - from, g) +
                              code_place(input - g * dense->group);
        int32_t payload = spikes[i].payload, *sum = sums + (size_t)g * BLOCK_ROWS;
        for (uint32_t row = from; row < to; row++)
            sum[row] += payload * codes[(size_t)row * QUAD];
        while (r < r_end && block.remainder[r].input < input)
            r++;
        for (; r < r_end && block.remainder[r].input == input; r++)
            if (block.remainder[r].row >= from && block.remainder[r].row < to)
                sum[block.remainder[r].row] += payload * block.remainder[r].extra;
    }
}

static void deliver_volley(const struct projection *self, const struct delivery *delivery,
                           uint32_t begin, uint32_t end)
{
    const struct dense_integer *dense = self->weights;
    for (uint32_t lane = 0; lane < delivery->lanes; lane++) {
        const struct spike *spikes = delivery->spikes + delivery->lane_start[lane];
        uint32_t length = delivery->lane_start[lane + 1] - delivery->lane_start[lane];
        for (uint32_t row = begin, next; row < end; row = next) {
            uint32_t block = row / BLOCK_ROWS, from = row % BLOCK_ROWS;
            next = sooner(row - from + BLOCK_ROWS, end);
            uint32_t to = from + (next - row);
            int32_t *sums = dense->accumulator + ((size_t)lane * dense->blocks + block) *
                                                     dense->groups * BLOCK_ROWS;
            for (uint32_t g = 0; delivery->first && g < dense->groups; g++)
                memset(sums + (size_t)g * BLOCK_ROWS + from, 0, (to - from) * sizeof *sums);
            add_spikes(dense, row, next, spikes, length, sums);
            if (!delivery->last)
                continue;
            struct code_block codes = block_of(dense, block);
            int32_t zero = delivery->origin->frame[lane].zero;
            double scaled[BLOCK_ROWS] = {0};
            for (size_t g = 0; g < dense->groups; g++)
                for (size_t at = g * BLOCK_ROWS + from; at < g * BLOCK_ROWS + to; at++) {
                    if (zero != 0)
                        sums[at] += zero * codes.code_sums[at];
                    scaled[at % BLOCK_ROWS] += (double)codes.scales[at] * (double)sums[at];
                }
            finish(self, delivery->origin, lane, row, next, scaled);
        }
    }
}

static void deliver(const struct projection *self, const struct delivery *delivery,
                    const struct kernels *kernels, uint32_t begin, uint32_t end)
{
    if (delivery->train == NULL)
        deliver_volley(self, delivery, begin, end);
    else if (delivery->train->fits)
        deliver_merged(self, delivery->train, kernels, begin, end);
    else
        deliver_wide(self, delivery->train, begin, end);
}

const struct projection_kind projection_dense_integer = {
    .name = "dense integer",
    .prepare = prepare,
    .deliver = deliver,
    .check = check,
    .free = dense_integer_free,
};
