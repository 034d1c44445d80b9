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
#include "neurons/delivery/code_block.h"
#include "neurons/delivery/key_block.h"
#include "scheduler/error.h"

#include <stddef.h>
#include <stdint.h>

enum { PARTIAL_SUMS = 32 }; /* partial sums of a dot product of doubles */

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
