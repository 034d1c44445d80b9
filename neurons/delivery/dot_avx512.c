/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Products of floating-point weights and doubles for AVX-512 (F, BW, DQ, VL, VNNI).
 *
 * Short ends are read under a mask, so nothing is read past an array. Products
 * of doubles are rounded before they are added, in the order that
 * kernels_body.h states.
 */
#include "neurons/delivery/kernels_versions.h"

#ifdef KERNELS_X86
#include <immintrin.h>
#include <stdbool.h>
#include <string.h>
#if defined(__clang__)
#pragma clang attribute push(                                                                      \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#endif
#include "neurons/delivery/kernels_body.h"

#define INLINE static inline __attribute__((always_inline))

enum {
    VECTORS = PARTIAL_SUMS / 8, /* vectors of partial sums */
    AHEAD = 3072 /* how far before their use weights are fetched, in bytes: less is late, and
                    more drives the values out of the nearest cache */
};

enum format { SINGLE, HALF, BFLOAT };

/* The next rows; an address past the array is not touched. */
INLINE void fetch_ahead(const void *weights)
{
    _mm_prefetch((const char *)((uintptr_t)weights + AHEAD), _MM_HINT_T0);
}

INLINE __mmask8 mask_of_eight(uint32_t length)
{
    return length < 8 ? (__mmask8)((1U << length) - 1) : 0xff;
}

/* The tree over all partial sums. */
INLINE double tree(const __m512d partial[VECTORS])
{
    __m512d eight = _mm512_add_pd(_mm512_add_pd(partial[0], partial[2]),
                                  _mm512_add_pd(partial[1], partial[3]));
    __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

/* Eight weights at `i`, or fewer under a mask, in double; `format` and `masked` are constants
 * where this is inlined. */
INLINE __m512d widen_eight(const void *weights, enum format format, uint32_t i, bool masked,
                           __mmask8 mask)
{
    if (format == SINGLE) {
        const float *single = (const float *)weights + i;
        return _mm512_cvtps_pd(masked ? _mm256_maskz_loadu_ps(mask, single)
                                      : _mm256_loadu_ps(single));
    }
    const uint16_t *at = (const uint16_t *)weights + i;
    __m128i narrow =
        masked ? _mm_maskz_loadu_epi16(mask, at) : _mm_loadu_si128((const __m128i *)at);
    if (format == HALF)
        return _mm512_cvtps_pd(_mm256_maskz_cvtph_ps(0xff, narrow));
    return _mm512_cvtps_pd(
        _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(narrow), 16)));
}

INLINE double dot_of(const void *weights, enum format format, const double *values,
                     uint32_t inputs)
{
    __m512d partial[VECTORS];
#pragma GCC unroll 4
    for (int p = 0; p < VECTORS; p++)
        partial[p] = _mm512_setzero_pd();
    uint32_t i = 0;
    for (; inputs - i >= PARTIAL_SUMS; i += PARTIAL_SUMS) {
        fetch_ahead((const char *)weights + (size_t)i * (format == SINGLE ? 4 : 2));
        if (format == SINGLE)
            fetch_ahead((const float *)weights + i + PARTIAL_SUMS / 2);
#pragma GCC unroll 4
        for (uint32_t p = 0; p < VECTORS; p++) {
            __m512d weight = widen_eight(weights, format, i + 8 * p, false, 0xff);
            __m512d value = _mm512_loadu_pd(values + i + 8 * p);
            partial[p] = _mm512_add_pd(partial[p], _mm512_mul_pd(weight, value));
        }
    }
#pragma GCC unroll 4
    for (int p = 0; p < VECTORS; p++, i += 8) {
        if (i >= inputs)
            break;
        __mmask8 mask = mask_of_eight(inputs - i);
        __m512d weight = widen_eight(weights, format, i, true, mask);
        __m512d value = _mm512_maskz_loadu_pd(mask, values + i);
        partial[p] = _mm512_mask_add_pd(partial[p], mask, partial[p],
                                        _mm512_mul_pd(weight, value));
    }
    return tree(partial);
}

double avx512_dot(const float *weights, const double *values, uint32_t inputs)
{
    return dot_of(weights, SINGLE, values, inputs);
}

double avx512_dot_half(const uint16_t *weights, const double *values, uint32_t inputs)
{
    return dot_of(weights, HALF, values, inputs);
}

double avx512_dot_bfloat(const uint16_t *weights, const double *values, uint32_t inputs)
{
    return dot_of(weights, BFLOAT, values, inputs);
}

/* ---- several rows and lanes ---- */

/* Adds the products of eight inputs from `i` on, or, masked, of fewer. */
INLINE void add_tile_step(const struct float_tile *tile, uint32_t i, bool masked, __mmask8 mask,
                          __m512d sum[TILE_LANES * TILE_ROWS])
{
    __m512d weight[TILE_ROWS];
#pragma GCC unroll 4
    for (int row = 0; row < TILE_ROWS; row++)
        weight[row] = widen_eight(tile->weights[row], SINGLE, i, masked, mask);
#pragma GCC unroll 4
    for (int lane = 0; lane < TILE_LANES; lane++) {
        const double *at = tile->values + lane * tile->stride + i;
        __m512d value = masked ? _mm512_maskz_loadu_pd(mask, at) : _mm512_loadu_pd(at);
#pragma GCC unroll 4
        for (int row = 0; row < TILE_ROWS; row++) {
            __m512d *own = &sum[lane * TILE_ROWS + row];
            __m512d product = _mm512_mul_pd(weight[row], value);
            *own = masked ? _mm512_mask_add_pd(*own, mask, *own, product)
                          : _mm512_add_pd(*own, product);
        }
    }
}

/* Vector p of the partial sums of a whole tile. */
INLINE void add_tile(const struct float_tile *tile, uint32_t p, __m512d *sums)
{
    __m512d sum[TILE_LANES * TILE_ROWS];
#pragma GCC unroll 16
    for (int s = 0; s < TILE_LANES * TILE_ROWS; s++)
        sum[s] = _mm512_setzero_pd();
    uint32_t i = 8 * p;
    for (; i + 8 <= tile->inputs; i += PARTIAL_SUMS)
        add_tile_step(tile, i, false, 0xff, sum);
    if (i < tile->inputs)
        add_tile_step(tile, i, true, mask_of_eight(tile->inputs - i), sum);
#pragma GCC unroll 16
    for (int s = 0; s < TILE_LANES * TILE_ROWS; s++)
        sums[s] = sum[s];
}

void avx512_dot_tile(const struct float_tile *tile, double *sums)
{
    if (tile->rows < TILE_ROWS || tile->lanes < TILE_LANES) {
        for (uint32_t lane = 0; lane < tile->lanes; lane++)
            for (uint32_t row = 0; row < tile->rows; row++)
                sums[lane * TILE_ROWS + row] = avx512_dot(
                    tile->weights[row], tile->values + lane * tile->stride, tile->inputs);
        return;
    }
    __m512d partial[VECTORS][TILE_LANES * TILE_ROWS];
    for (uint32_t p = 0; p < VECTORS; p++)
        add_tile(tile, p, partial[p]);
    for (int s = 0; s < TILE_LANES * TILE_ROWS; s++)
        sums[s] = tree((__m512d[VECTORS]){partial[0][s], partial[1][s], partial[2][s],
                                          partial[3][s]});
}

/* ---- weights in 8 bits ---- */

/* Adds the products of a pair of inputs of every row, digit by digit. */
INLINE void add_pair(__m512i sums[BYTE_DIGITS], __m512i codes, const int16_t *digits)
{
#pragma GCC unroll 3
    for (int d = 0; d < BYTE_DIGITS; d++) {
        int32_t pair;
        memcpy(&pair, digits + 2 * d, sizeof pair);
        sums[d] = _mm512_dpwssd_epi32(sums[d], codes, _mm512_set1_epi32(pair));
    }
}

INLINE __m512i codes_of_pair(const int8_t *codes, uint32_t pair)
{
    return _mm512_cvtepi8_epi16(
        _mm256_loadu_si256((const __m256i *)(codes + (size_t)pair * 2 * BYTE_ROWS)));
}

/* The totals of a group and eight rows, rounded. */
INLINE __m512d join_digits(__m256i lowest, __m256i middle, __m256i highest)
{
    __m512d total = _mm512_add_pd(
        _mm512_mul_pd(_mm512_cvtepi32_pd(highest), _mm512_set1_pd(0x1p32)),
        _mm512_mul_pd(_mm512_cvtepi32_pd(middle), _mm512_set1_pd(0x1p16)));
    return _mm512_add_pd(total, _mm512_cvtepi32_pd(lowest));
}

/* `lanes` is a constant where this is inlined. A lone lane has `sets` of sums, so that a product
 * need not wait for the one before. */
INLINE void dot_bytes(const struct byte_block *block, const struct byte_values *values,
                      uint32_t lanes, uint32_t sets, double *sums)
{
    uint32_t pairs = byte_pairs(block->inputs), groups = byte_groups(block->inputs);
    __m512d sum[BYTE_LANES][2];
#pragma GCC unroll 4
    for (uint32_t lane = 0; lane < lanes; lane++)
        sum[lane][0] = sum[lane][1] = _mm512_setzero_pd();
    for (uint32_t g = 0; g < groups; g++) {
        uint32_t p = g * (BYTE_GROUP / 2);
        uint32_t end = pairs - p < BYTE_GROUP / 2 ? pairs : p + BYTE_GROUP / 2;
        __m512i total[BYTE_LANES][BYTE_DIGITS];
#pragma GCC unroll 4
        for (uint32_t s = 0; s < lanes * sets; s++)
#pragma GCC unroll 3
            for (int d = 0; d < BYTE_DIGITS; d++)
                total[s][d] = _mm512_setzero_si512();
        for (; end - p >= 4; p += 4) {
            fetch_ahead(block->codes + (size_t)p * 2 * BYTE_ROWS);
            fetch_ahead(block->codes + (size_t)(p + 2) * 2 * BYTE_ROWS);
#pragma GCC unroll 4
            for (uint32_t i = 0; i < 4; i++) {
                __m512i codes = codes_of_pair(block->codes, p + i);
#pragma GCC unroll 4
                for (uint32_t lane = 0; lane < lanes; lane++)
                    add_pair(total[lane * sets + i % sets], codes,
                             values->digits + ((size_t)lane * pairs + p + i) * BYTE_DIGITS * 2);
            }
        }
        for (; p < end; p++)
#pragma GCC unroll 4
            for (uint32_t lane = 0; lane < lanes; lane++)
                add_pair(total[lane * sets], codes_of_pair(block->codes, p),
                         values->digits + ((size_t)lane * pairs + p) * BYTE_DIGITS * 2);
#pragma GCC unroll 4
        for (uint32_t lane = 0; lane < lanes; lane++) {
            __m512i digit[BYTE_DIGITS];
#pragma GCC unroll 3
            for (int d = 0; d < BYTE_DIGITS; d++) {
                digit[d] = total[lane * sets][d];
#pragma GCC unroll 4
                for (uint32_t s = 1; s < sets; s++)
                    digit[d] = _mm512_add_epi32(digit[d], total[lane * sets + s][d]);
            }
            __m512d step = _mm512_set1_pd(values->steps[(size_t)lane * groups + g]);
            const float *scales = block->scales + (size_t)g * BYTE_ROWS;
            __m512d low = join_digits(_mm512_castsi512_si256(digit[0]),
                                      _mm512_castsi512_si256(digit[1]),
                                      _mm512_castsi512_si256(digit[2]));
            __m512d high = join_digits(_mm512_extracti64x4_epi64(digit[0], 1),
                                       _mm512_extracti64x4_epi64(digit[1], 1),
                                       _mm512_extracti64x4_epi64(digit[2], 1));
            __m512d factor = _mm512_mul_pd(_mm512_cvtps_pd(_mm256_loadu_ps(scales)), step);
            sum[lane][0] = _mm512_add_pd(sum[lane][0], _mm512_mul_pd(factor, low));
            factor = _mm512_mul_pd(_mm512_cvtps_pd(_mm256_loadu_ps(scales + 8)), step);
            sum[lane][1] = _mm512_add_pd(sum[lane][1], _mm512_mul_pd(factor, high));
        }
    }
#pragma GCC unroll 4
    for (uint32_t lane = 0; lane < lanes; lane++) {
        _mm512_storeu_pd(sums + lane * BYTE_ROWS, sum[lane][0]);
        _mm512_storeu_pd(sums + lane * BYTE_ROWS + 8, sum[lane][1]);
    }
}

void avx512_dot_bytes(const struct byte_block *block, const struct byte_values *values,
                      double *sums)
{
    switch (values->lanes) {
    case 1: dot_bytes(block, values, 1, 4, sums); break;
    case 2: dot_bytes(block, values, 2, 2, sums); break;
    case 3: dot_bytes(block, values, 3, 1, sums); break;
    default: dot_bytes(block, values, 4, 1, sums); break;
    }
}

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
