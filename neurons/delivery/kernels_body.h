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

#include <stdbool.h>
#include <string.h>

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

#define BODY static inline __attribute__((unused))

/* Adds to totals[row - begin] the 8 bits held of an input's codes times its count. */
BODY void body_add_input(uint32_t *totals, const struct code_band *band, uint32_t input,
                         int32_t count, uint32_t begin, uint32_t end)
{
    const uint8_t *column = band->codes + (size_t)input * band->height;
    for (uint32_t piece = begin; piece < end; piece += PIECE_ROWS) {
        uint32_t *total = totals + (piece - begin);
        for (uint32_t l = 0; l < 4; l++)
            for (uint32_t v = 0; v < 4; v++)
                for (uint32_t j = 0; j < 4; j++)
                    total[16 * v + 4 * l + j] +=
                        (uint32_t)(column[piece + 16 * l + 4 * v + j] - CODE_BIAS) *
                        (uint32_t)count;
    }
}

/* Totals of rows that begin and end anywhere in a stretch have room around them for all of it, so
 * that extras need no look at their rows. */
enum { TOTALS_ROOM = EXTRA_ROWS + BAND_ROWS + EXTRA_ROWS };

/* A walk through the extras of group g for rows begin … end-1. */
struct extra_walk {
    const struct code_band *band;
    uint32_t segment, last_segment; /* present one; the group's last and one */
    uint32_t first_stretch, stretch, last_stretch;
    uint32_t at, end;       /* in the list of the present segment and stretch */
    const int16_t *counts;  /* of the segment's inputs */
    uint32_t *totals;       /* of the stretch's rows */
    uint32_t *first_totals; /* of the first stretch's */
};

BODY void body_walk_list(struct extra_walk *walk)
{
    const uint32_t *start =
        walk->band->extra_start + (size_t)walk->segment * STRETCHES + walk->stretch;
    walk->at = start[0];
    walk->end = start[1];
    walk->totals =
        walk->first_totals + (walk->stretch - walk->first_stretch) * (uint32_t)EXTRA_ROWS;
}

/* `counts` are those of all inputs; totals[row - begin] has EXTRA_ROWS around it. */
BODY void body_walk_begin(struct extra_walk *walk, const struct code_band *band, uint32_t g,
                          const int16_t *counts, uint32_t begin, uint32_t end, uint32_t *totals)
{
    uint32_t segments = segment_count(band->group);
    walk->band = band;
    walk->segment = g * segments;
    walk->last_segment = walk->segment + segments;
    walk->first_stretch = walk->stretch = begin / EXTRA_ROWS;
    walk->last_stretch = (end - 1) / EXTRA_ROWS + 1;
    walk->counts = counts + (size_t)g * band->group;
    walk->first_totals = totals - begin % EXTRA_ROWS;
    body_walk_list(walk);
}

/* Adds the products of up to `length` more extras and counts; returns whether there are more. */
BODY bool body_walk_on(struct extra_walk *walk, uint32_t length)
{
    while (length > 0) {
        uint32_t some = walk->end - walk->at < length ? walk->end - walk->at : length;
        const struct extra *extra = walk->band->extras + walk->at;
        for (uint32_t i = 0; i < some; i++)
            walk->totals[extra[i].place % EXTRA_ROWS] +=
                (uint32_t)(extra[i].extra * walk->counts[extra[i].place / EXTRA_ROWS]);
        length -= some;
        walk->at += some;
        if (walk->at < walk->end)
            continue;
        if (++walk->stretch == walk->last_stretch) {
            walk->stretch = walk->first_stretch;
            walk->counts += EXTRA_INPUTS;
            if (++walk->segment == walk->last_segment)
                return false;
        }
        body_walk_list(walk);
    }
    return true;
}

/* How many extras there are in the lists of group g for those rows, about: a share of `units`. */
BODY uint32_t body_walk_share(const struct extra_walk *walk, uint32_t units)
{
    uint32_t total = 0;
    for (uint32_t segment = walk->segment; segment < walk->last_segment; segment++) {
        const uint32_t *start = walk->band->extra_start + (size_t)segment * STRETCHES;
        total += start[walk->last_stretch] - start[walk->first_stretch];
    }
    return total / units + 1;
}

/* The inputs of group g: from its first up to *end. */
BODY uint32_t body_group(const struct code_band *band, uint32_t g, uint32_t *end)
{
    uint32_t first = g * band->group;
    *end = band->inputs - first < band->group ? band->inputs : first + band->group;
    return first;
}

/* sum = ((0 + p[0]) + p[1]) + …, where p[g] is the rounded product of scale g and
 * the exact sum of group g. */
BODY void body_integrate(const struct code_band *band, const struct firing_list *firing,
                         uint32_t first_group, uint32_t groups, uint32_t begin, uint32_t end,
                         double *sums)
{
    uint32_t rows = end - begin, room[TOTALS_ROOM], *totals = room + EXTRA_ROWS;
    struct extra_walk walk;
    memset(sums, 0, rows * sizeof *sums);
    for (uint32_t g = first_group; g < first_group + groups; g++) {
        const struct firing_group *group = &firing->groups[g];
        const float *scales = band->scales + (size_t)g * band->height + begin;
        memset(totals, 0, rows * sizeof *totals);
        for (uint32_t k = group->low; k < group->low + group->firing; k++) {
            uint32_t input = firing->inputs[k];
            body_add_input(totals, band, input, firing->counts[input], begin, end);
        }
        body_walk_begin(&walk, band, g, firing->counts, begin, end, totals);
        while (body_walk_on(&walk, UINT32_MAX))
            ;
        for (uint32_t row = 0; row < rows; row++)
            sums[row] += (double)scales[row] * (double)(int32_t)totals[row];
    }
}

/* The same order, lane by lane. */
BODY void body_integrate_lanes(const struct code_band *band, const struct count_block *counts,
                               uint32_t first_group, uint32_t groups, uint32_t begin,
                               uint32_t end, double *sums)
{
    uint32_t rows = end - begin, room[EXTRA_ROWS + ROWS_TOGETHER + EXTRA_ROWS];
    uint32_t *totals = room + EXTRA_ROWS;
    struct extra_walk walk;
    memset(sums, 0, (size_t)rows * LANES_TOGETHER * sizeof *sums);
    for (uint32_t g = first_group; g < first_group + groups; g++) {
        const float *scales = band->scales + (size_t)g * band->height + begin;
        for (uint32_t lane = 0; lane < counts->lanes; lane++) {
            const int16_t *count = counts->counts + lane * counts->stride;
            uint32_t last;
            memset(totals, 0, rows * sizeof *totals);
            for (uint32_t input = body_group(band, g, &last); input < last; input++)
                if (count[input] != 0)
                    body_add_input(totals, band, input, count[input], begin, end);
            body_walk_begin(&walk, band, g, count, begin, end, totals);
            while (body_walk_on(&walk, UINT32_MAX))
                ;
            for (uint32_t row = 0; row < rows; row++)
                sums[(size_t)row * LANES_TOGETHER + lane] +=
                    (double)scales[row] * (double)(int32_t)totals[row];
        }
    }
}

BODY void body_meet_keys(const struct key_meeting *m)
{
    for (uint32_t query = 0; query < m->queries; query++)
        for (uint32_t block = 0; block < m->blocks; block++) {
            const int8_t *code = m->codes + (size_t)block * m->pairs * KEY_POSITIONS * 2;
            const int16_t *count = m->counts + (size_t)query * 2 * m->pairs;
            uint32_t dots[KEY_POSITIONS] = {0};
            for (uint32_t c = 0; c < m->pairs; c++, code += 2 * KEY_POSITIONS, count += 2)
                for (uint32_t t = 0; t < KEY_POSITIONS; t++)
                    dots[t] += (uint32_t)(code[2 * t] * count[0] + code[2 * t + 1] * count[1]);
            memcpy(m->dots + query * m->stride + (size_t)block * KEY_POSITIONS, dots, sizeof dots);
        }
}

BODY void body_weigh_values(const struct value_weighing *w)
{
    for (uint32_t query = 0; query < w->queries; query++)
        for (uint32_t column = 0; column < w->columns; column++) {
            const int8_t *code = w->codes + column * w->column_bytes;
            const int32_t *weight = w->weights + query * w->stride;
            int64_t *total = w->totals + ((size_t)query * w->columns + column) * VALUE_CHANNELS;
            for (size_t t = 0; t < (size_t)w->blocks * KEY_POSITIONS; t += 2, code += VALUE_ROW) {
                int64_t first = (weight[t] & 0xffff) << WEIGHT_BITS | (weight[t + 1] & 0xffff);
                int64_t second = (weight[t] >> 16) << WEIGHT_BITS | weight[t + 1] >> 16;
                for (uint32_t j = 0; j < VALUE_CHANNELS; j++)
                    total[j] += first * code[2 * j] + second * code[2 * j + 1];
            }
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
