/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The arithmetic that carries the load, once in plain C and once for each
 * vector extension, chosen when the program starts. Every version gives the
 * same bits: integers are exact, and doubles are added in the order that the
 * plain version (kernels_body.h) states, without fused multiply-add.
 */
#ifndef VOLLEY_KERNELS_H
#define VOLLEY_KERNELS_H

#include "encoding/vector.h"
#include "neurons/delivery/byte_block.h"
#include "neurons/delivery/code_band.h"
#include "neurons/delivery/key_block.h"
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
    /* Integer weights: for rows begin … end-1 of a band, whole pieces, and the `groups` groups of
     * inputs from first_group on,
     *     sums[row - begin] = Σ_g scale[g][row] · Σ_{i in g} code[row][i] · count[i],
     * one group after the other, from 0. A code is what the band holds and its extra. The inner
     * sum is exact: callers see to it that it stays within 32 bits, and counts within two bytes. */
    void (*integrate)(const struct code_band *band, const struct firing_list *firing,
                      uint32_t first_group, uint32_t groups, uint32_t begin, uint32_t end,
                      double *sums /* [end - begin] */);
    /* The same for many lanes, and at most ROWS_TOGETHER rows:
     * sums[(row - begin) * LANES_TOGETHER + lane]; what lanes that are not there get is open. */
    void (*integrate_lanes)(const struct code_band *band, const struct count_block *counts,
                            uint32_t first_group, uint32_t groups, uint32_t begin, uint32_t end,
                            double *sums /* [end - begin][LANES_TOGETHER] */);
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
    /* Attention over keys and values in 8 bits, in exact integers: see key_block.h. */
    void (*meet_keys)(const struct key_meeting *meeting);
    void (*weigh_values)(const struct value_weighing *weighing);
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
