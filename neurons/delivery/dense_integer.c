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

/* Zeros, aligned for whole vectors. Weights are read once per token from end to end: huge pages
 * spare the translation of addresses, which costs as much as the reading where pages are small. */
static void *new_zeros(size_t length)
{
    const size_t huge = (size_t)2 << 20;
    size_t unit = length < huge ? CACHE_LINE : huge;
    size_t rounded = (length + unit - 1) / unit * unit;
    void *zeros = aligned_alloc(unit, rounded);
    if (zeros == NULL)
        return NULL;
    if (unit == huge)
        madvise(zeros, rounded, MADV_HUGEPAGE); /* advice: failing changes nothing else */
    return memset(zeros, 0, rounded);
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

struct dense_integer *dense_integer_new_apart(uint32_t outputs, uint32_t inputs,
                                              uint32_t scale_group, uint32_t span,
                                              struct error *error)
{
    uint32_t group = common_divisor(scale_group, span);
    struct dense_integer *dense = calloc(1, sizeof *dense);
    if (dense == NULL) {
        error_no_memory(error, "weights");
        return NULL;
    }
    dense->outputs = outputs;
    dense->inputs = inputs;
    dense->group = group;
    dense->scale_group = scale_group;
    dense->groups = (inputs + group - 1) / group;
    dense->blocks = outputs / BLOCK_ROWS + (outputs % BLOCK_ROWS != 0);
    dense->block_size = row_quads(inputs, group) * QUAD * BLOCK_ROWS;
    size_t scales = (size_t)dense->blocks * dense->groups * BLOCK_ROWS;
    dense->codes = new_zeros(dense->blocks * dense->block_size);
    dense->scales = new_zeros(scales * sizeof *dense->scales);
    dense->code_sums = new_zeros(scales * sizeof *dense->code_sums);
    dense->fan_out = calloc(inputs, sizeof *dense->fan_out);
    dense->segments = segment_count(group);
    dense->remainder_start = calloc((size_t)dense->blocks * dense->groups * dense->segments + 1,
                                    sizeof *dense->remainder_start);
    if (dense->codes == NULL || dense->scales == NULL || dense->code_sums == NULL ||
        dense->fan_out == NULL || dense->remainder_start == NULL) {
        dense_integer_free(dense);
        error_no_memory(error, "weights");
        return NULL;
    }
    return dense;
}

static bool add_extra(struct dense_integer *dense, uint32_t input, int32_t extra,
                      struct error *error)
{
    if (dense->pending_length == dense->pending_room) {
        uint32_t room = dense->pending_room < 64 ? 64 : dense->pending_room * 2;
        struct pending *grown = realloc(dense->pending, room * sizeof *grown);
        if (grown == NULL)
            return error_no_memory(error, "weight codes beyond 8 bits");
        dense->pending = grown;
        dense->pending_room = room;
    }
    dense->pending[dense->pending_length++] =
        (struct pending){dense->rows % BLOCK_ROWS, input, (int16_t)extra};
    return true;
}

/* Makes room for the remainder to grow to `length`, in zeros. */
static bool extend_remainder(struct dense_integer *dense, size_t length, struct error *error)
{
    if (length == dense->remainder_length)
        return true;
    if (length > dense->remainder_room) {
        size_t room = dense->remainder_room < 64 ? 64 : (size_t)dense->remainder_room * 3 / 2;
        room = room < length ? length : room;
        struct remainder *grown = room > UINT32_MAX
                                      ? NULL
                                      : realloc(dense->remainder, room * sizeof *grown);
        if (grown == NULL)
            return error_no_memory(error, "weight codes beyond 8 bits");
        dense->remainder = grown;
        dense->remainder_room = (uint32_t)room;
    }
    memset(dense->remainder + dense->remainder_length, 0,
           (length - dense->remainder_length) * sizeof *dense->remainder);
    dense->remainder_length = (uint32_t)length;
    return true;
}

/* Where the segment of an input is in its block. */
static uint32_t segment_of(const struct dense_integer *dense, uint32_t input)
{
    return input / dense->group * dense->segments + input % dense->group / SEGMENT;
}

/* The last row of a block is there: spreads its extras over the segments. */
static bool finish_block(struct dense_integer *dense, struct error *error)
{
    uint32_t length = dense->groups * dense->segments;
    uint32_t *start = dense->remainder_start + (size_t)((dense->rows - 1) / BLOCK_ROWS) * length;
    memset(start + 1, 0, length * sizeof *start);
    /* First how many each segment needs, as many as its fullest row… */
    for (uint32_t i = 0, filled = 0; i < dense->pending_length; i++) {
        const struct pending *pending = &dense->pending[i];
        uint32_t segment = segment_of(dense, pending->input);
        bool same = i > 0 && pending[-1].row == pending->row &&
                    segment_of(dense, pending[-1].input) == segment;
        filled = same ? filled + 1 : 1;
        uint32_t needed = (filled + 1) / 2;
        start[segment + 1] = start[segment + 1] < needed ? needed : start[segment + 1];
    }
    for (uint32_t segment = 0; segment < length; segment++)
        start[segment + 1] += start[segment];
    if (!extend_remainder(dense, start[length], error))
        return false;
    /* … and then the extras themselves. */
    for (uint32_t i = 0, filled = 0; i < dense->pending_length; i++) {
        const struct pending *pending = &dense->pending[i];
        uint32_t segment = segment_of(dense, pending->input);
        bool same = i > 0 && pending[-1].row == pending->row &&
                    segment_of(dense, pending[-1].input) == segment;
        filled = same ? filled + 1 : 0;
        struct remainder *remainder = &dense->remainder[start[segment] + filled / 2];
        remainder->input[pending->row][filled % 2] =
            (uint8_t)(pending->input % dense->group % SEGMENT);
        remainder->extra[pending->row][filled % 2] = pending->extra;
    }
    dense->pending_length = 0;
    return true;
}

/* All rows are there: moves the remainder to memory of its size, and of the kind of the codes. */
static bool settle_remainder(struct dense_integer *dense, struct error *error)
{
    size_t size = dense->remainder_length * sizeof *dense->remainder;
    struct remainder *settled = new_zeros(size + (size == 0));
    if (settled == NULL)
        return error_no_memory(error, "weight codes beyond 8 bits");
    if (size > 0)
        memcpy(settled, dense->remainder, size);
    free(dense->remainder);
    free(dense->pending);
    dense->remainder = settled;
    dense->remainder_room = dense->remainder_length;
    dense->pending = NULL;
    dense->pending_room = 0;
    return true;
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

static uint32_t sooner(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
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
    float scale = 0;
    for (uint32_t i = 0; i < dense->inputs; i++)
        if (!isfinite(weights[i]))
            return error_set(error, ERROR_FAILED,
                             "%s: the weight at row %u, column %u is not a finite number", name,
                             row, i);
    for (uint32_t g = 0; g < dense->groups; g++) {
        int8_t *codes = row_codes(dense, row, g);
        uint32_t begin = g * dense->group;
        uint32_t end = dense->inputs - begin < dense->group ? dense->inputs : begin + dense->group;
        uint32_t shared = begin / dense->scale_group;
        if (begin % dense->scale_group == 0 && scales == NULL)
            scale = symmetric_scale(weights + begin,
                                    sooner(dense->inputs - begin, dense->scale_group));
        else if (scales != NULL)
            scale = scales[shared];
        if (!(scale > 0) || !isfinite(scale))
            return error_set(error, ERROR_FAILED,
                             "%s_quantizer.scales: the scale at row %u, group %u is %g; scales are "
                             "positive numbers", name, row, shared, (double)scale);
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
            if (held != code && !add_extra(dense, i, code - held, error))
                return false;
            int32_t size = code < 0 ? -code : code;
            dense->code_limit = size > dense->code_limit ? size : dense->code_limit;
            dense->fan_out[i] += code != 0;
            dense->synapses += code != 0;
            sum += held;
        }
        dense->scales[group_place(dense, row, g)] = scale;
        dense->code_sums[group_place(dense, row, g)] = sum;
    }
    dense->rows++;
    if (dense->rows % BLOCK_ROWS != 0 && dense->rows != dense->outputs)
        return true;
    return finish_block(dense, error) &&
           (dense->rows < dense->outputs || settle_remainder(dense, error));
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
    free(dense->pending);
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
    const struct train *train = self->source->train;
    if (train->vectors > 1 && train->span % dense->group != 0)
        return error_set(error, ERROR_MISUSED,
                         "projection %s: sums of %u inputs do not divide the %u that share a "
                         "threshold", self->name, dense->group, train->span);
    if (!expand)
        return true;
    size_t length = (size_t)lanes * dense->blocks * dense->groups * BLOCK_ROWS;
    dense->accumulator = malloc(length * sizeof *dense->accumulator);
    return dense->accumulator != NULL || error_no_memory(error, "accumulators");
}

/* Whether finished sums stay within 32 bits: |Σ s·c| <= max|c| · Σ|s|. On the way there, with
 * half of a coding's volleys delivered or its zero point to come, they may wrap modulo 2^32. */
static bool check(const struct projection *self, const struct delivery *delivery,
                  struct error *error)
{
    const struct dense_integer *dense = self->weights;
    const struct train *train = delivery->train != NULL ? delivery->train : delivery->origin;
    for (uint32_t lane = 0; lane < train->lanes; lane++) {
        if (train->magnitude[lane] > INT32_MAX / (dense->code_limit > 0 ? dense->code_limit : 1))
            return error_set(error, ERROR_FAILED,
                             "projection %s: the spikes of one vector could overflow 32 bits "
                             "(%lld counts against codes up to %d)", self->name,
                             (long long)train->magnitude[lane], dense->code_limit);
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
        .remainder_start = dense->remainder_start + group * dense->segments,
    };
}

/* Of a block: the part of the inputs that shares threshold v. */
static struct code_block part_of(const struct code_block *block, const struct train *train,
                                 uint32_t v)
{
    uint32_t first = v * train->span;
    size_t g = first / block->group;
    return (struct code_block){
        .inputs = sooner(block->inputs - first, train->span),
        .group = block->group,
        .codes = block->codes + g * quad_count(block->group) * QUAD * BLOCK_ROWS,
        .scales = block->scales + g * BLOCK_ROWS,
        .code_sums = block->code_sums + g * BLOCK_ROWS,
        .remainder = block->remainder,
        .remainder_start = block->remainder_start + g * segment_count(block->group),
    };
}

/* Adds to a lane's totals its sums of part v times their threshold; the first part begins. */
static inline void add_part(const struct train *train, uint32_t lane, uint32_t v,
                            const double sums[BLOCK_ROWS], double totals[BLOCK_ROWS])
{
    double threshold = train->threshold[(size_t)lane * train->vectors + v];
    if (v == 0)
        for (uint32_t row = 0; row < BLOCK_ROWS; row++)
            totals[row] = threshold * sums[row];
    else
        for (uint32_t row = 0; row < BLOCK_ROWS; row++)
            totals[row] += threshold * sums[row];
}

/* The totals of a block whose rows are begin … end-1, to currents. */
static inline void finish(const struct projection *self, uint32_t lane, uint32_t begin,
                          uint32_t end, const double totals[BLOCK_ROWS])
{
    const struct dense_integer *dense = self->weights;
    const struct port *port = &self->target->ports[self->port];
    double *current = port->current + (size_t)lane * port->width;
    if (dense->bias != NULL)
        for (uint32_t row = begin; row < end; row++)
            current[row] += *totals++ + dense->bias[row];
    else
        for (uint32_t row = begin; row < end; row++)
            current[row] += *totals++;
}

/* Adds to totals[row] what codes of group g exceed 8 bits by, times counts [inputs]. */
static void add_remainder(const struct code_block *block, uint32_t g, const int32_t *counts,
                          uint32_t totals[BLOCK_ROWS])
{
    uint32_t segments = segment_count(block->group);
    const uint32_t *start = block->remainder_start + (size_t)g * segments;
    for (uint32_t s = 0; s < segments; s++) {
        const int32_t *count = counts + (size_t)g * block->group + (size_t)s * SEGMENT;
        for (uint32_t r = start[s]; r < start[s + 1]; r++)
            for (uint32_t row = 0; row < BLOCK_ROWS; row++)
                for (uint32_t i = 0; i < 2; i++)
                    totals[row] += (uint32_t)block->remainder[r].extra[row][i] *
                                   (uint32_t)count[block->remainder[r].input[row][i]];
    }
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
        uint32_t totals[BLOCK_ROWS] = {0};
        for (uint32_t i = 0; i < length; i++)
            for (uint32_t row = 0; row < BLOCK_ROWS; row++)
                totals[row] += (uint32_t)codes[code_place(i) + row * QUAD] *
                               (uint32_t)counts[begin + i];
        add_remainder(block, g, counts, totals);
        for (uint32_t row = 0; row < BLOCK_ROWS; row++)
            sums[row] += (double)block->scales[(size_t)g * BLOCK_ROWS + row] *
                         (double)(int32_t)totals[row];
        codes += (size_t)quad_count(length) * QUAD * BLOCK_ROWS;
        begin += length;
    }
}

static void deliver_wide(const struct projection *self, const struct train *train, uint32_t begin,
                         uint32_t end)
{
    const struct dense_integer *dense = self->weights;
    for (uint32_t row = begin, next; row < end; row = next) {
        struct code_block block = block_of(dense, row / BLOCK_ROWS);
        next = sooner(row + BLOCK_ROWS, end);
        for (uint32_t lane = 0; lane < train->lanes; lane++) {
            const int32_t *counts = train->count + (size_t)lane * dense->inputs;
            double sums[BLOCK_ROWS], totals[BLOCK_ROWS];
            for (uint32_t v = 0; v < train->vectors; v++) {
                struct code_block part = part_of(&block, train, v);
                integrate_wide(&part, counts + (size_t)v * train->span, sums);
                add_part(train, lane, v, sums, totals);
            }
            finish(self, lane, row, next, totals);
        }
    }
}

/* Room for the packed counts of `width` lanes: every part in whole cache lines. */
static size_t part_size(const struct dense_integer *dense, const struct train *train,
                        uint32_t width)
{
    size_t size = packed_size(train->span, dense->group, width);
    return (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

/* A pass over the codes for lanes `first` … first+lanes-1, in blocks of `width` lanes. */
static void deliver_pass(const struct projection *self, const struct train *train,
                         const struct kernels *kernels, uint32_t begin, uint32_t end,
                         uint32_t first, uint32_t lanes, uint32_t width)
{
    const struct dense_integer *dense = self->weights;
    uint32_t blocks = (lanes + width - 1) / width, vectors = train->vectors;
    struct count_block counts[blocks * vectors]; /* [blocks][vectors] */
    size_t size = part_size(dense, train, width);
    _Alignas(CACHE_LINE) uint8_t packed[blocks * vectors * size];
    for (uint32_t i = 0; i < blocks * vectors; i++) {
        uint32_t b = i / vectors, input = i % vectors * train->span;
        counts[i] = (struct count_block){
            .lanes = sooner(lanes - b * width, width),
            .stride = dense->inputs,
            .counts = train->narrow + (size_t)(first + b * width) * dense->inputs + input,
            .packed = packed + i * size,
        };
        kernels->pack(&counts[i], sooner(dense->inputs - input, train->span), dense->group);
    }
    for (uint32_t row = begin, next; row < end; row = next) {
        struct code_block block = block_of(dense, row / BLOCK_ROWS);
        next = sooner(row + BLOCK_ROWS, end);
        for (uint32_t b = 0; b < blocks; b++) {
            double sums[BLOCK_LANES][BLOCK_ROWS], totals[BLOCK_LANES][BLOCK_ROWS];
            uint32_t from = first + b * width, length = counts[b * vectors].lanes;
            for (uint32_t v = 0; v < vectors; v++) {
                struct code_block part = part_of(&block, train, v);
                kernels->integrate(&part, &counts[b * vectors + v], sums[0]);
                for (uint32_t lane = 0; lane < length; lane++)
                    add_part(train, from + lane, v, sums[lane], totals[lane]);
            }
            for (uint32_t lane = 0; lane < length; lane++)
                finish(self, from + lane, row, next, totals[lane]);
        }
    }
}

static void deliver_merged(const struct projection *self, const struct train *train,
                           const struct kernels *kernels, uint32_t begin, uint32_t end)
{
    const struct dense_integer *dense = self->weights;
    size_t size = train->vectors * part_size(dense, train, BLOCK_LANES);
    uint32_t width = size <= PACKED_ROOM ? BLOCK_LANES : 1;
    uint32_t blocks = size <= PACKED_ROOM ? sooner((uint32_t)(PACKED_ROOM / size), PASS_BLOCKS) : 1;
    for (uint32_t lane = 0; lane < train->lanes; lane += blocks * width) {
        uint32_t lanes = sooner(train->lanes - lane, blocks * width);
        deliver_pass(self, train, kernels, begin, end, lane, lanes, sooner(lanes, width));
    }
}

/* Event by event: every spike adds its payload times the 8 bits held to the sums
 * [groups][BLOCK_ROWS] of a block. */
static void add_spikes(const struct dense_integer *dense, uint32_t block,
                       const struct spike *spikes, uint32_t length, uint32_t *sums)
{
    for (uint32_t i = 0; i < length; i++) {
        uint32_t input = spikes[i].neuron, g = input / dense->group;
        const int8_t *codes = row_codes(dense, block * BLOCK_ROWS, g) +
                              code_place(input - g * dense->group);
        uint32_t *sum = sums + (size_t)g * BLOCK_ROWS;
        for (uint32_t row = 0; row < BLOCK_ROWS; row++)
            sum[row] += (uint32_t)spikes[i].payload * (uint32_t)codes[(size_t)row * QUAD];
    }
}

/* The same for what exceeds 8 bits, from the payload of every input, 0 where none fired. */
static void add_extras(const struct code_block *block, const int32_t *payloads, uint32_t *sums)
{
    for (uint32_t g = 0; g < group_count(block->inputs, block->group); g++)
        add_remainder(block, g, payloads, sums + (size_t)g * BLOCK_ROWS);
}

/* After the last volley: what a zero point shifted all counts by. */
static void add_zeros(const struct code_block *block, int32_t zero, uint32_t *sums)
{
    if (zero == 0)
        return;
    int32_t zeros[block->inputs];
    for (uint32_t i = 0; i < block->inputs; i++)
        zeros[i] = zero;
    add_extras(block, zeros, sums);
    for (size_t i = 0; i < (size_t)group_count(block->inputs, block->group) * BLOCK_ROWS; i++)
        sums[i] += (uint32_t)zero * (uint32_t)block->code_sums[i];
}

/* What `integrate` does with the sums of a part. */
static void scale_sums(const struct code_block *part, const uint32_t *sums,
                       double scaled[BLOCK_ROWS])
{
    for (uint32_t row = 0; row < BLOCK_ROWS; row++)
        scaled[row] = 0;
    for (size_t g = 0; g < group_count(part->inputs, part->group); g++)
        for (uint32_t row = 0; row < BLOCK_ROWS; row++) {
            size_t at = g * BLOCK_ROWS + row;
            scaled[row] += (double)part->scales[at] * (double)(int32_t)sums[at];
        }
}

static void finish_sums(const struct projection *self, const struct train *train, uint32_t lane,
                        uint32_t begin, uint32_t end, uint32_t *sums)
{
    struct code_block block = block_of(self->weights, begin / BLOCK_ROWS);
    add_zeros(&block, train->frame[lane].zero, sums);
    double scaled[BLOCK_ROWS], totals[BLOCK_ROWS];
    for (uint32_t v = 0; v < train->vectors; v++) {
        struct code_block part = part_of(&block, train, v);
        scale_sums(&part, sums + (size_t)v * train->span / block.group * BLOCK_ROWS, scaled);
        add_part(train, lane, v, scaled, totals);
    }
    finish(self, lane, begin, end, totals);
}

static void deliver_volley(const struct projection *self, const struct delivery *delivery,
                           uint32_t begin, uint32_t end)
{
    const struct dense_integer *dense = self->weights;
    size_t length = (size_t)dense->groups * BLOCK_ROWS; /* sums of a block */
    int32_t payloads[dense->inputs];
    for (uint32_t lane = 0; lane < delivery->lanes; lane++) {
        const struct spike *spikes = delivery->spikes + delivery->lane_start[lane];
        uint32_t spike_count = delivery->lane_start[lane + 1] - delivery->lane_start[lane];
        memset(payloads, 0, sizeof payloads);
        for (uint32_t i = 0; i < spike_count; i++)
            payloads[spikes[i].neuron] += spikes[i].payload;
        for (uint32_t row = begin; row < end; row += BLOCK_ROWS) {
            uint32_t block = row / BLOCK_ROWS;
            struct code_block codes = block_of(dense, block);
            uint32_t *sums = dense->accumulator + ((size_t)lane * dense->blocks + block) * length;
            if (delivery->first)
                memset(sums, 0, length * sizeof *sums);
            add_spikes(dense, block, spikes, spike_count, sums);
            add_extras(&codes, payloads, sums);
            if (delivery->last)
                finish_sums(self, delivery->origin, lane, row, sooner(row + BLOCK_ROWS, end),
                            sums);
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
