/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Floating-point weights in 8 bits, as their kernels read them, and the values that meet them.
 *
 *     weight[row][i] = scale[row][g] · code[row][i],  g = i / BYTE_GROUP
 *
 * They lie in blocks of BYTE_ROWS rows, two inputs at a time, so that a vector holds every row:
 *
 *     codes of a block:  pair 0              pair 1 …
 *                        row 0: c c | row 1: c c | … row 15: c c
 *
 * The input that a last pair lacks and the rows that the last block lacks have codes 0.
 *
 * A value is rounded once for all rows, half to even, to a whole number of steps. The step of a
 * group is 2^(e-46) where its largest magnitude lies in 2^(e-1) … 2^e. The whole number is split
 * into signed digits of 16 bits, so that the sum over a group is exact in 32 bits for each digit:
 * 128 codes of at most 128 times digits of at most 2^15 are at most 2^29. So integers do the work,
 * and what is lost against sums in double is 2^-47 of the largest value: the codes have lost 2^-8.
 */
#ifndef VOLLEY_BYTE_BLOCK_H
#define VOLLEY_BYTE_BLOCK_H

#include <stddef.h>
#include <stdint.h>

enum {
    BYTE_ROWS = 16,
    BYTE_GROUP = 128, /* inputs that share a scale */
    BYTE_DIGITS = 3,
    BYTE_LANES = 4 /* most lanes that are worked on together */
};

struct byte_block {
    uint32_t inputs;
    const int8_t *codes; /* [pairs][BYTE_ROWS][2] */
    const float *scales; /* [groups][BYTE_ROWS] */
};

/* The values of some lanes, lane after lane. */
struct byte_values {
    uint32_t lanes;        /* 1 … BYTE_LANES */
    const int16_t *digits; /* [lanes][pairs][BYTE_DIGITS][2], lowest digit first */
    const double *steps;   /* [lanes][groups] */
};

static inline uint32_t byte_pairs(uint32_t inputs)
{
    return inputs / 2 + inputs % 2;
}

static inline uint32_t byte_groups(uint32_t inputs)
{
    return inputs / BYTE_GROUP + (inputs % BYTE_GROUP != 0);
}

/* Bytes of the codes of a block. */
static inline size_t byte_block_size(uint32_t inputs)
{
    return (size_t)byte_pairs(inputs) * 2 * BYTE_ROWS;
}

/* Rounds finite weights of one row [inputs] into row `row` of a block: scale = max|w| / 127 of a
 * group, rounded to single precision; code = w / scale, rounded half to even. Threads may set
 * different rows of a block at once. */
void byte_block_set_row(int8_t *codes, float *scales, uint32_t row, const float *weights,
                        uint32_t inputs);

/* The weights of row `row`, exact, to out [inputs]. */
void byte_block_row(const struct byte_block *block, uint32_t row, double *out);

/* Splits the values [inputs] of one lane into digits [pairs][BYTE_DIGITS][2] and steps [groups].
 * Where a group holds a value that is not finite, its step is not a number, and neither is any
 * sum that it goes into. */
void byte_values_split(const double *values, uint32_t inputs, int16_t *digits, double *steps);

#endif
