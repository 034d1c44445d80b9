/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kernels in plain C: what every other version must equal bit for bit.
 *
 * Above each function that adds doubles stands its order of additions. Every
 * product is rounded before it is added: these files are compiled with
 * -ffp-contract=off. Sums of integers wrap modulo 2^32, so that their order
 * does not matter; by the contracts in kernels.h no finished sum has wrapped.
 *
 * Included by the versions, which use some of these bodies for short ends.
 */
#ifndef VOLLEY_KERNELS_BODY_H
#define VOLLEY_KERNELS_BODY_H

#include "neurons/delivery/kernels.h"

#include <string.h>

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

#define BODY static inline __attribute__((unused))

/* Adds to totals[row] the products of `length` codes of each row and counts. */
BODY void body_add_group(uint32_t *totals, const int8_t *codes, const int16_t *counts,
                         uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        const int8_t *code = codes + (size_t)(i / QUAD) * BLOCK_ROWS * QUAD + i % QUAD;
        for (uint32_t row = 0; row < BLOCK_ROWS; row++)
            totals[row] += (uint32_t)(code[row * QUAD] * counts[i]);
    }
}

/* The same for what exceeds 8 bits, in group g. */
BODY void body_add_remainder(uint32_t *totals, const struct code_block *codes, uint32_t g,
                             const int16_t *counts)
{
    uint32_t segments = segment_count(codes->group);
    const uint32_t *start = codes->remainder_start + (size_t)g * segments;
    for (uint32_t s = 0; s < segments; s++) {
        const int16_t *count = counts + (size_t)g * codes->group + (size_t)s * SEGMENT;
        for (uint32_t r = start[s]; r < start[s + 1]; r++)
            for (uint32_t row = 0; row < BLOCK_ROWS; row++)
                for (uint32_t i = 0; i < 2; i++)
                    totals[row] += (uint32_t)(codes->remainder[r].extra[row][i] *
                                              count[codes->remainder[r].input[row][i]]);
    }
}

/* sum = ((0 + p[0]) + p[1]) + …, where p[g] is the rounded product of scale g and
 * the exact sum of group g. */
BODY void body_integrate(const struct code_block *codes, const struct count_block *counts,
                         double *sums)
{
    for (uint32_t lane = 0; lane < counts->lanes; lane++) {
        const int16_t *count = counts->counts + (size_t)lane * counts->stride;
        const int8_t *code = codes->codes;
        double *sum = sums + (size_t)lane * BLOCK_ROWS;
        for (uint32_t row = 0; row < BLOCK_ROWS; row++)
            sum[row] = 0;
        for (uint32_t begin = 0, g = 0; begin < codes->inputs; g++) {
            uint32_t left = codes->inputs - begin;
            uint32_t length = left < codes->group ? left : codes->group;
            uint32_t totals[BLOCK_ROWS] = {0};
            body_add_group(totals, code, count + begin, length);
            body_add_remainder(totals, codes, g, count);
            for (uint32_t row = 0; row < BLOCK_ROWS; row++)
                sum[row] += (double)codes->scales[(size_t)g * BLOCK_ROWS + row] *
                            (double)(int32_t)totals[row];
            code += (size_t)quad_count(length) * QUAD * BLOCK_ROWS;
            begin += length;
        }
    }
}

/* For versions that read counts as they are. */
BODY void body_pack(const struct count_block *counts, uint32_t inputs, uint32_t group)
{
    (void)counts;
    (void)inputs;
    (void)group;
}

BODY int32_t body_dot_key(int32_t sum, const int8_t *codes, const int32_t *counts,
                          uint32_t inputs)
{
    uint32_t total = (uint32_t)sum;
    for (uint32_t i = 0; i < inputs; i++)
        total += (uint32_t)codes[i] * (uint32_t)counts[i];
    return (int32_t)total;
}

/* One rounded product and one rounded sum for each element. */
BODY void body_add_codes(double *total, double factor, const int8_t *codes, uint32_t length)
{
    for (uint32_t j = 0; j < length; j++)
        total[j] += factor * (double)codes[j];
}

/* Two rounded products, then their rounded sum, for each element. */
BODY void body_decay_add(double *state, double decay, double key, const double *value,
                         uint32_t length)
{
    for (uint32_t j = 0; j < length; j++) {
        double kept = decay * state[j];
        double added = key * value[j];
        state[j] = kept + added;
    }
}

/* One rounded product and one rounded sum for each element. */
BODY void body_add_scaled(double *total, double factor, const double *values, uint32_t length)
{
    for (uint32_t j = 0; j < length; j++)
        total[j] += factor * values[j];
}

BODY float body_float_of_bits(uint32_t bits)
{
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* A half has 1 sign, 5 exponent (bias 15) and 10 fraction bits; a float 1, 8
 * (bias 127) and 23. Every half is a float. A signalling NaN becomes quiet, as
 * processors do it. */
BODY void body_from_half(const uint16_t *half, float *out, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        uint32_t sign = (uint32_t)(half[i] & 0x8000) << 16;
        uint32_t exponent = half[i] >> 10 & 0x1f;
        uint32_t fraction = half[i] & 0x3ff;
        uint32_t bits;
        if (exponent == 0x1f) {
            bits = 0x7f800000 | fraction << 13 | (fraction != 0 ? 0x00400000 : 0);
        } else if (exponent != 0) {
            bits = (exponent + 112) << 23 | fraction << 13;
        } else if (fraction != 0) { /* subnormal: fraction * 2^-24 */
            uint32_t shift = (uint32_t)__builtin_clz(fraction) - 21; /* to the hidden bit */
            bits = (113 - shift) << 23 | (fraction << shift & 0x3ff) << 13;
        } else {
            bits = 0;
        }
        out[i] = body_float_of_bits(sign | bits);
    }
}

/* A bfloat16 is the upper half of a float. */
BODY void body_from_bfloat(const uint16_t *bfloat, float *out, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        out[i] = body_float_of_bits((uint32_t)bfloat[i] << 16);
}

/* Adds the last products, fewer than PARTIAL_SUMS, to the partial sums, and returns
 * their tree: partial[i] += partial[i+n] for n = 16, 8, 4, 2, 1. */
BODY double body_dot_finish(double partial[PARTIAL_SUMS], const float *weights,
                            const double *values, uint32_t length)
{
    for (uint32_t p = 0; p < length; p++)
        partial[p] += (double)weights[p] * values[p];
    for (int n = PARTIAL_SUMS / 2; n >= 1; n /= 2)
        for (int i = 0; i < n; i++)
            partial[i] += partial[i + n];
    return partial[0];
}

/* partial[p] = ((w[p]v[p] + w[p+32]v[p+32]) + …), from 0, every product
 * rounded; then the tree above. */
BODY double body_dot(const float *weights, const double *values, uint32_t inputs)
{
    double partial[PARTIAL_SUMS] = {0};
    uint32_t i = 0;
    for (; inputs - i >= PARTIAL_SUMS; i += PARTIAL_SUMS)
        for (uint32_t p = 0; p < PARTIAL_SUMS; p++)
            partial[p] += (double)weights[i + p] * values[i + p];
    return body_dot_finish(partial, weights + i, values + i, inputs - i);
}

/* The same, PARTIAL_SUMS weights converted at a time. */
BODY double body_dot_narrow(const uint16_t *weights, const double *values, uint32_t inputs,
                            void (*convert)(const uint16_t *, float *, uint32_t))
{
    double partial[PARTIAL_SUMS] = {0};
    float wide[PARTIAL_SUMS];
    uint32_t i = 0;
    for (; inputs - i >= PARTIAL_SUMS; i += PARTIAL_SUMS) {
        convert(weights + i, wide, PARTIAL_SUMS);
        for (uint32_t p = 0; p < PARTIAL_SUMS; p++)
            partial[p] += (double)wide[p] * values[i + p];
    }
    convert(weights + i, wide, inputs - i);
    return body_dot_finish(partial, wide, values + i, inputs - i);
}

BODY double body_dot_half(const uint16_t *weights, const double *values, uint32_t inputs)
{
    return body_dot_narrow(weights, values, inputs, body_from_half);
}

BODY double body_dot_bfloat(const uint16_t *weights, const double *values, uint32_t inputs)
{
    return body_dot_narrow(weights, values, inputs, body_from_bfloat);
}

BODY void body_dot_tile(const struct float_tile *tile, double *sums)
{
    for (uint32_t lane = 0; lane < tile->lanes; lane++)
        for (uint32_t row = 0; row < tile->rows; row++)
            sums[lane * TILE_ROWS + row] =
                body_dot(tile->weights[row], tile->values + lane * tile->stride, tile->inputs);
}

/* Adds the products of a group: totals[digit][row], each exact. */
BODY void body_add_digits(int32_t totals[BYTE_DIGITS][BYTE_ROWS], const int8_t *codes,
                          const int16_t *digits, uint32_t pairs)
{
    for (uint32_t p = 0; p < pairs; p++)
        for (uint32_t d = 0; d < BYTE_DIGITS; d++)
            for (uint32_t row = 0; row < BYTE_ROWS; row++)
                for (uint32_t i = 0; i < 2; i++)
                    totals[d][row] += codes[(p * BYTE_ROWS + row) * 2 + i] *
                                      digits[(p * BYTE_DIGITS + d) * 2 + i];
}

/* sum = ((0 + p[0]) + p[1]) + …, where p[g] is the rounded product of scale · step of group g (also
 * rounded, where it is too small or too large to be exact) and the group's total. That is the
 * total of the highest digits times 2^32 plus that of the middle ones times 2^16, exact, plus
 * that of the lowest, rounded. */
BODY void body_dot_bytes(const struct byte_block *block, const struct byte_values *values,
                         double *sums)
{
    uint32_t pairs = byte_pairs(block->inputs), groups = byte_groups(block->inputs);
    for (uint32_t lane = 0; lane < values->lanes; lane++) {
        const int16_t *digits = values->digits + (size_t)lane * pairs * BYTE_DIGITS * 2;
        const double *steps = values->steps + (size_t)lane * groups;
        double *sum = sums + (size_t)lane * BYTE_ROWS;
        for (uint32_t row = 0; row < BYTE_ROWS; row++)
            sum[row] = 0;
        for (uint32_t g = 0; g < groups; g++) {
            uint32_t first = g * BYTE_GROUP / 2, left = pairs - first;
            int32_t totals[BYTE_DIGITS][BYTE_ROWS] = {{0}};
            body_add_digits(totals, block->codes + (size_t)first * BYTE_ROWS * 2,
                            digits + (size_t)first * BYTE_DIGITS * 2,
                            left < BYTE_GROUP / 2 ? left : BYTE_GROUP / 2);
            for (uint32_t row = 0; row < BYTE_ROWS; row++) {
                double total = (double)totals[2][row] * 0x1p32 + (double)totals[1][row] * 0x1p16;
                double factor = (double)block->scales[(size_t)g * BYTE_ROWS + row] * steps[g];
                sum[row] += factor * (total + (double)totals[0][row]);
            }
        }
    }
}

#endif
