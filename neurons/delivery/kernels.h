/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The arithmetic that carries the load, once in plain C and once for each
 * vector extension, chosen when the program starts. Every version gives the
 * same bits: integers are exact, and doubles are added in the order that the
 * plain version (kernels_body.h) states, without fused multiply-add.
 */
#ifndef VOLLEY_KERNELS_H
#define VOLLEY_KERNELS_H

#include "neurons/delivery/byte_block.h"
#include "neurons/delivery/code_block.h"
#include "neurons/vector.h"
#include "scheduler/error.h"

#include <stddef.h>
#include <stdint.h>

enum {
    PARTIAL_SUMS = 32, /* partial sums of a dot product of doubles */
    TILE_ROWS = 4,
    TILE_LANES = 4
};

/* Rows of weights and the values of lanes, to be multiplied each with each. */
struct float_tile {
    uint32_t rows, lanes; /* 1 … TILE_ROWS, 1 … TILE_LANES */
    uint32_t inputs;
    const float *weights[TILE_ROWS]; /* each [inputs] */
    const double *values;            /* lanes of [inputs] … */
    size_t stride;                   /* … so far apart */
};

struct kernels {
    const char *name;
    enum vector_level vector; /* which version of other loops runs beside them */
    /* Prepares counts for `integrate`, once for all blocks of codes of these inputs and
     * groups. */
    void (*pack)(const struct count_block *counts, uint32_t inputs, uint32_t group);
    /* Integer weights: for every lane and row,
     *     sums[lane][row] = Σ_g scales[g][row] · Σ_{i in g} code[row][i] · counts[lane][i],
     * one group after the other, from 0. A code is what the block holds and its remainder.
     * The inner sum is exact: callers see to it that it stays within 32 bits. */
    void (*integrate)(const struct code_block *codes, const struct count_block *counts,
                      double *sums /* [lanes][BLOCK_ROWS] */);
    /* sum over i of weights[i] * values[i]: PARTIAL_SUMS partial sums, then a tree. */
    double (*dot)(const float *weights, const double *values, uint32_t inputs);
    /* The same from weights in IEEE half and bfloat16: as if converted first. */
    double (*dot_half)(const uint16_t *weights, const double *values, uint32_t inputs);
    double (*dot_bfloat)(const uint16_t *weights, const double *values, uint32_t inputs);
    /* sums[lane][row] = dot of that row and that lane. */
    void (*dot_tile)(const struct float_tile *tile, double *sums /* [lanes][TILE_ROWS] */);
    /* Weights in 8 bits: for every lane and row
     *     sums[lane][row] = Σ_g (scales[g][row]·steps[lane][g]) · Σ_{i in g} code[row][i]·whole[i]
     * one group after the other, from 0; the inner sum exact, then rounded to double. */
    void (*dot_bytes)(const struct byte_block *block, const struct byte_values *values,
                      double *sums /* [lanes][BYTE_ROWS] */);
    /* sum of codes[i] * counts[i], exact: |counts| below 2^22 and few enough inputs
     * that the sum stays within 32 bits. */
    int32_t (*dot_key)(const int8_t *codes, const int32_t *counts, uint32_t inputs);
    /* total[j] += factor * codes[j]. */
    void (*add_codes)(double *total, double factor, const int8_t *codes, uint32_t length);
    /* One key channel of gated linear attention: for all j
     *     state[j] = decay * state[j] + key * value[j]. */
    void (*decay_add)(double *state, double decay, double key, const double *value,
                      uint32_t length);
    /* total[j] += factor * values[j]. */
    void (*add_scaled)(double *total, double factor, const double *values, uint32_t length);
    /* IEEE half and bfloat16 to float, exact. */
    void (*from_half)(const uint16_t *half, float *out, uint32_t length);
    void (*from_bfloat)(const uint16_t *bfloat, float *out, uint32_t length);
};

/* The versions this processor can run, best first; the last is "plain". */
const struct kernels *const *kernels_available(size_t *length);

/* By name; "auto" or NULL is the best. NULL with the names in `error` if it is
 * unknown or this processor lacks it. */
const struct kernels *kernels_find(const char *name, struct error *error);

#endif
