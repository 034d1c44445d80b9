/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading and multiplying dense floating-point weights; float_convert.c makes them.
 *
 * A lone lane reads every row once, as memory delivers it. For more, TILE_ROWS rows at a time are
 * widened and meet the lanes TILE_LANES by TILE_LANES.
 */
#include "neurons/delivery/dense_float.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    PIECE = 512,            /* numbers that are widened together */
    TILE_INPUTS = 1 << 16   /* longer rows are widened, and lanes split, one by one, on the stack */
};

static uint32_t sooner(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

struct dense_float *dense_float_new(uint32_t outputs, uint32_t inputs, enum float_format format,
                                    const void *weights, bool owned, struct error *error)
{
    struct dense_float *dense = calloc(1, sizeof *dense);
    if (dense == NULL || inputs > DENSE_FLOAT_INPUTS) {
        if (owned)
            free((void *)(uintptr_t)weights);
        free(dense);
        error_set(error, ERROR_FAILED, inputs > DENSE_FLOAT_INPUTS
                      ? "a dense projection takes at most %d inputs"
                      : "not enough memory for weights of up to %d inputs", DENSE_FLOAT_INPUTS);
        return NULL;
    }
    dense->outputs = outputs;
    dense->inputs = inputs;
    dense->format = format;
    dense->weights = weights;
    dense->owned = owned ? (void *)(uintptr_t)weights : NULL;
    return dense;
}

struct dense_float *dense_float_share(const struct dense_float *dense, struct error *error)
{
    struct dense_float *shared = malloc(sizeof *shared);
    if (shared == NULL) {
        error_no_memory(error, "shared weights");
        return NULL;
    }
    *shared = *dense;
    shared->owned = NULL;
    shared->bias = NULL;
    return shared;
}

void dense_float_free(void *weights)
{
    struct dense_float *dense = weights;
    if (dense == NULL)
        return;
    free(dense->owned);
    free(dense->bias);
    free(dense);
}

static size_t width_of(enum float_format format)
{
    return format == FLOAT_SINGLE ? sizeof(float) : sizeof(uint16_t);
}

static const char *place_of(const struct dense_float *dense, uint32_t row)
{
    return (const char *)dense->weights + (size_t)row * dense->inputs * width_of(dense->format);
}

/* `length` numbers at `at`, at most PIECE, in single precision. */
static void widen(const char *at, enum float_format format, const struct kernels *kernels,
                  uint32_t length, float *out)
{
    uint16_t copy[PIECE];
    const uint16_t *narrow = (const uint16_t *)(const void *)at;
    if (format == FLOAT_SINGLE) {
        memcpy(out, at, length * sizeof *out);
        return;
    }
    if ((uintptr_t)at % _Alignof(uint16_t) != 0)
        narrow = memcpy(copy, at, length * sizeof *copy);
    (format == FLOAT_HALF ? kernels->from_half : kernels->from_bfloat)(narrow, out, length);
}

const float *dense_float_row(const struct dense_float *dense, const struct kernels *kernels,
                             uint32_t row, float *buffer)
{
    assert(dense->format != FLOAT_BYTE);
    const char *at = place_of(dense, row);
    if (dense->format == FLOAT_SINGLE && (uintptr_t)at % _Alignof(float) == 0)
        return (const float *)(const void *)at;
    for (uint32_t i = 0; i < dense->inputs; i += PIECE)
        widen(at + i * width_of(dense->format), dense->format, kernels,
              sooner(dense->inputs - i, PIECE), buffer + i);
    return buffer;
}

static struct byte_block block_of(const struct dense_float *dense, uint32_t row)
{
    size_t block = row / BYTE_ROWS;
    return (struct byte_block){
        .inputs = dense->inputs,
        .codes = (const int8_t *)dense->weights + block * byte_block_size(dense->inputs),
        .scales = dense->scales + block * byte_groups(dense->inputs) * BYTE_ROWS,
    };
}

void dense_float_values(const struct dense_float *dense, const struct kernels *kernels,
                        uint32_t row, double *out)
{
    if (dense->format == FLOAT_BYTE) {
        struct byte_block block = block_of(dense, row);
        byte_block_row(&block, row % BYTE_ROWS, out);
        return;
    }
    const char *at = place_of(dense, row);
    for (uint32_t i = 0; i < dense->inputs; i += PIECE) {
        float piece[PIECE];
        uint32_t length = sooner(dense->inputs - i, PIECE);
        widen(at + i * width_of(dense->format), dense->format, kernels, length, piece);
        for (uint32_t j = 0; j < length; j++)
            out[i + j] = (double)piece[j];
    }
}

uint64_t dense_float_bytes(const struct dense_float *dense)
{
    if (dense->format != FLOAT_BYTE)
        return (uint64_t)dense->outputs * dense->inputs * width_of(dense->format);
    uint64_t blocks = dense->outputs / BYTE_ROWS + (dense->outputs % BYTE_ROWS != 0);
    return blocks * (byte_block_size(dense->inputs) +
                     byte_groups(dense->inputs) * BYTE_ROWS * sizeof(float));
}

void dense_float_describe(struct projection *projection)
{
    const struct dense_float *dense = projection->weights;
    projection->weight_count = (uint64_t)dense->outputs * dense->inputs;
    projection->synapses = projection->weight_count;
    projection->bytes = dense_float_bytes(dense);
}

/* ---- delivering ---- */

static void add(const struct projection *self, uint32_t lane, uint32_t row, double sum)
{
    const struct dense_float *dense = self->weights;
    const struct port *port = &self->target->ports[self->port];
    port->current[(size_t)lane * port->width + row] +=
        dense->bias != NULL ? sum + dense->bias[row] : sum;
}

/* Lanes from…to-1 of weights in 8 bits. */
static void deliver_bytes(const struct projection *self, const struct delivery *delivery,
                          const struct kernels *kernels, uint32_t begin, uint32_t end,
                          uint32_t from, uint32_t to)
{
    const struct dense_float *dense = self->weights;
    uint32_t groups = byte_groups(dense->inputs);
    size_t length = (size_t)byte_pairs(dense->inputs) * BYTE_DIGITS * 2;
    int16_t digits[(to - from) * length];
    double steps[(to - from) * groups], sums[BYTE_LANES * BYTE_ROWS];
    for (uint32_t lane = from; lane < to; lane++)
        byte_values_split(delivery->values + (size_t)lane * dense->inputs, dense->inputs,
                          digits + (lane - from) * length, steps + (lane - from) * groups);
    const struct byte_values values = {to - from, digits, steps};
    for (uint32_t row = begin; row < end;) {
        struct byte_block block = block_of(dense, row);
        uint32_t next = sooner((row / BYTE_ROWS + 1) * BYTE_ROWS, end);
        kernels->dot_bytes(&block, &values, sums);
        for (; row < next; row++)
            for (uint32_t lane = from; lane < to; lane++)
                add(self, lane, row, sums[(lane - from) * BYTE_ROWS + row % BYTE_ROWS]);
    }
}

/* Values of one lane: narrow weights are widened on their way, and never stored. */
static void deliver_lane(const struct projection *self, const struct delivery *delivery,
                         const struct kernels *kernels, uint32_t begin, uint32_t end)
{
    const struct dense_float *dense = self->weights;
    uint32_t lane = delivery->lane_from;
    const double *values = delivery->values + (size_t)lane * dense->inputs;
    for (uint32_t row = begin; row < end; row++) {
        const void *weights = place_of(dense, row);
        double sum = dense->format == FLOAT_SINGLE
                         ? kernels->dot(weights, values, dense->inputs)
                     : dense->format == FLOAT_HALF
                         ? kernels->dot_half(weights, values, dense->inputs)
                         : kernels->dot_bfloat(weights, values, dense->inputs);
        add(self, lane, row, sum);
    }
}

/* Rows row…next-1, at most TILE_ROWS, to all lanes. `buffers` has room for them. */
static void deliver_tiles(const struct projection *self, const struct delivery *delivery,
                          const struct kernels *kernels, uint32_t row, uint32_t next,
                          float *buffers)
{
    const struct dense_float *dense = self->weights;
    double sums[TILE_LANES * TILE_ROWS];
    struct float_tile tile = {
        .rows = next - row, .inputs = dense->inputs, .stride = dense->inputs};
    for (uint32_t r = 0; r < tile.rows; r++)
        tile.weights[r] =
            dense_float_row(dense, kernels, row + r, buffers + (size_t)r * dense->inputs);
    for (uint32_t lane = delivery->lane_from; lane < delivery->lanes; lane += TILE_LANES) {
        tile.lanes = sooner(delivery->lanes - lane, TILE_LANES);
        tile.values = delivery->values + (size_t)lane * dense->inputs;
        kernels->dot_tile(&tile, sums);
        for (uint32_t l = 0; l < tile.lanes; l++)
            for (uint32_t r = 0; r < tile.rows; r++)
                add(self, lane + l, row + r, sums[l * TILE_ROWS + r]);
    }
}

static void deliver(const struct projection *self, const struct delivery *delivery,
                    const struct kernels *kernels, uint32_t begin, uint32_t end)
{
    const struct dense_float *dense = self->weights;
    uint32_t lanes = delivery->lanes - delivery->lane_from;
    bool aligned = (uintptr_t)dense->weights % width_of(dense->format) == 0;
    bool wide = dense->inputs > TILE_INPUTS;
    if (dense->format == FLOAT_BYTE) {
        for (uint32_t lane = delivery->lane_from, next; lane < delivery->lanes; lane = next) {
            next = sooner(delivery->lanes, lane + (wide ? 1 : BYTE_LANES));
            deliver_bytes(self, delivery, kernels, begin, end, lane, next);
        }
    } else if (lanes == 1 && aligned) {
        deliver_lane(self, delivery, kernels, begin, end);
    } else {
        uint32_t rows = wide ? 1 : TILE_ROWS;
        float buffers[rows * dense->inputs];
        for (uint32_t row = begin; row < end; row += rows)
            deliver_tiles(self, delivery, kernels, row, sooner(row + rows, end), buffers);
    }
}

const struct projection_kind projection_dense_float = {
    .name = "dense float",
    .deliver = deliver,
    .free = dense_float_free,
};
