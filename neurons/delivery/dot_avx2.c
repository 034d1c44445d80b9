/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Products of floating-point weights and doubles for AVX2 and F16C.
 *
 * Narrow weights are widened to single precision a piece at a time, in the
 * nearest cache, from which they are quicker to convert than from a register.
 * Short ends are left to the plain bodies. Products of doubles are rounded
 * before they are added, in the order that kernels_body.h states.
 */
#include "neurons/delivery/kernels_versions.h"

#ifdef KERNELS_X86
#include <immintrin.h>
#include <stdbool.h>
#include <string.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,f16c"))), apply_to = function)
#else
#pragma GCC target("avx2,f16c")
#endif
#include "neurons/delivery/kernels_body.h"

#define INLINE static inline __attribute__((always_inline))

enum {
    VECTORS = PARTIAL_SUMS / 4, /* vectors of partial sums */
    PIECE = 512,                /* narrow weights that are widened together */
    AHEAD = 3072,               /* how far before their use weights are fetched, in bytes: less is
                                   late, more drives the values out of the nearest cache */
    DOT_ROWS = 2           /* rows of a tile that fit the registers */
};

enum narrow_format { HALF, BFLOAT };

/* The next rows; an address past the array is not touched. */
INLINE void fetch_ahead(const void *weights)
{
    _mm_prefetch((const char *)((uintptr_t)weights + AHEAD), _MM_HINT_T0);
}

/* Adds the products of a multiple of PARTIAL_SUMS weights. */
INLINE void add_products(__m256d sum[VECTORS], const float *weights, const double *values,
                         uint32_t length, bool fetching)
{
    for (uint32_t i = 0; i < length; i += PARTIAL_SUMS) {
        if (fetching) {
            fetch_ahead(weights + i);
            fetch_ahead(weights + i + PARTIAL_SUMS / 2);
        }
#pragma GCC unroll 8
        for (uint32_t p = 0; p < VECTORS; p++) {
            __m256d weight = _mm256_cvtps_pd(_mm_loadu_ps(weights + i + 4 * p));
            __m256d value = _mm256_loadu_pd(values + i + 4 * p);
            sum[p] = _mm256_add_pd(sum[p], _mm256_mul_pd(weight, value));
        }
    }
}

/* The end, fewer than PARTIAL_SUMS weights, and the tree. */
INLINE double finish(const __m256d sum[VECTORS], const float *weights, const double *values,
                     uint32_t length)
{
    double partial[PARTIAL_SUMS];
#pragma GCC unroll 8
    for (int p = 0; p < VECTORS; p++)
        _mm256_storeu_pd(partial + 4 * p, sum[p]);
    return body_dot_finish(partial, weights, values, length);
}

/* `length` is at most PIECE. */
INLINE void widen(const uint16_t *weights, enum narrow_format format, float *out, uint32_t length)
{
    uint32_t i = 0;
    for (; length - i >= 32; i += 32) {
        fetch_ahead(weights + i);
#pragma GCC unroll 4
        for (uint32_t part = 0; part < 32; part += 8) {
            __m128i narrow = _mm_loadu_si128((const __m128i *)(weights + i + part));
            __m256 wide = format == HALF
                              ? _mm256_cvtph_ps(narrow)
                              : _mm256_castsi256_ps(
                                    _mm256_slli_epi32(_mm256_cvtepu16_epi32(narrow), 16));
            _mm256_store_ps(out + i + part, wide);
        }
    }
    if (format == HALF)
        body_from_half(weights + i, out + i, length - i);
    else
        body_from_bfloat(weights + i, out + i, length - i);
}

INLINE double dot_narrow(const uint16_t *weights, enum narrow_format format, const double *values,
                         uint32_t inputs)
{
    __m256d sum[VECTORS];
#pragma GCC unroll 8
    for (int p = 0; p < VECTORS; p++)
        sum[p] = _mm256_setzero_pd();
    _Alignas(32) float wide[PIECE];
    uint32_t i = 0;
    for (; inputs - i >= PIECE; i += PIECE) {
        widen(weights + i, format, wide, PIECE);
        add_products(sum, wide, values + i, PIECE, false);
    }
    uint32_t rest = inputs - i, whole = rest / PARTIAL_SUMS * PARTIAL_SUMS;
    widen(weights + i, format, wide, rest);
    add_products(sum, wide, values + i, whole, false);
    return finish(sum, wide + whole, values + i + whole, rest - whole);
}

double avx2_dot(const float *weights, const double *values, uint32_t inputs)
{
    __m256d sum[VECTORS];
#pragma GCC unroll 8
    for (int p = 0; p < VECTORS; p++)
        sum[p] = _mm256_setzero_pd();
    uint32_t whole = inputs / PARTIAL_SUMS * PARTIAL_SUMS;
    add_products(sum, weights, values, whole, true);
    return finish(sum, weights + whole, values + whole, inputs - whole);
}

double avx2_dot_half(const uint16_t *weights, const double *values, uint32_t inputs)
{
    return dot_narrow(weights, HALF, values, inputs);
}

double avx2_dot_bfloat(const uint16_t *weights, const double *values, uint32_t inputs)
{
    return dot_narrow(weights, BFLOAT, values, inputs);
}

/* ---- several rows and lanes ---- */

/* Vector p of the partial sums of DOT_ROWS rows and all lanes of a tile, from the whole
 * vectors there are of its inputs. */
INLINE void add_tile(const struct float_tile *tile, uint32_t first, uint32_t p,
                     double partial[TILE_LANES][DOT_ROWS][PARTIAL_SUMS])
{
    __m256d sum[TILE_LANES][DOT_ROWS];
#pragma GCC unroll 4
    for (int lane = 0; lane < TILE_LANES; lane++)
#pragma GCC unroll 2
        for (int row = 0; row < DOT_ROWS; row++)
            sum[lane][row] = _mm256_setzero_pd();
    uint32_t whole = tile->inputs / PARTIAL_SUMS * PARTIAL_SUMS;
    for (uint32_t i = 4 * p; i < whole; i += PARTIAL_SUMS) {
        __m256d weight[DOT_ROWS];
#pragma GCC unroll 2
        for (int row = 0; row < DOT_ROWS; row++)
            weight[row] = _mm256_cvtps_pd(_mm_loadu_ps(tile->weights[first + row] + i));
#pragma GCC unroll 4
        for (int lane = 0; lane < TILE_LANES; lane++) {
            __m256d value = _mm256_loadu_pd(tile->values + lane * tile->stride + i);
#pragma GCC unroll 2
            for (int row = 0; row < DOT_ROWS; row++)
                sum[lane][row] =
                    _mm256_add_pd(sum[lane][row], _mm256_mul_pd(weight[row], value));
        }
    }
#pragma GCC unroll 4
    for (int lane = 0; lane < TILE_LANES; lane++)
#pragma GCC unroll 2
        for (int row = 0; row < DOT_ROWS; row++)
            _mm256_storeu_pd(partial[lane][row] + 4 * p, sum[lane][row]);
}

void avx2_dot_tile(const struct float_tile *tile, double *sums)
{
    if (tile->rows < TILE_ROWS || tile->lanes < TILE_LANES) {
        for (uint32_t lane = 0; lane < tile->lanes; lane++)
            for (uint32_t row = 0; row < tile->rows; row++)
                sums[lane * TILE_ROWS + row] = avx2_dot(
                    tile->weights[row], tile->values + lane * tile->stride, tile->inputs);
        return;
    }
    uint32_t whole = tile->inputs / PARTIAL_SUMS * PARTIAL_SUMS;
    for (uint32_t first = 0; first < TILE_ROWS; first += DOT_ROWS) {
        double partial[TILE_LANES][DOT_ROWS][PARTIAL_SUMS];
        for (uint32_t p = 0; p < VECTORS; p++)
            add_tile(tile, first, p, partial);
        for (uint32_t lane = 0; lane < TILE_LANES; lane++)
            for (uint32_t row = 0; row < DOT_ROWS; row++)
                sums[lane * TILE_ROWS + first + row] = body_dot_finish(
                    partial[lane][row], tile->weights[first + row] + whole,
                    tile->values + lane * tile->stride + whole, tile->inputs - whole);
    }
}

/* ---- weights in 8 bits ---- */

/* The totals of four rows, rounded. */
INLINE __m256d join_digits(__m128i lowest, __m128i middle, __m128i highest)
{
    __m256d total = _mm256_add_pd(
        _mm256_mul_pd(_mm256_cvtepi32_pd(highest), _mm256_set1_pd(0x1p32)),
        _mm256_mul_pd(_mm256_cvtepi32_pd(middle), _mm256_set1_pd(0x1p16)));
    return _mm256_add_pd(total, _mm256_cvtepi32_pd(lowest));
}

/* Adds `step` times the totals of a group, of eight rows, to their sums. */
INLINE void add_group(const __m256i total[BYTE_DIGITS], const float *scales, double step,
                      double *sums)
{
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
        __m128i digit[BYTE_DIGITS];
#pragma GCC unroll 3
        for (int d = 0; d < BYTE_DIGITS; d++)
            digit[d] = half == 0 ? _mm256_castsi256_si128(total[d])
                                 : _mm256_extracti128_si256(total[d], 1);
        __m256d factor = _mm256_mul_pd(_mm256_cvtps_pd(_mm_loadu_ps(scales + 4 * half)),
                                       _mm256_set1_pd(step));
        __m256d product = _mm256_mul_pd(factor, join_digits(digit[0], digit[1], digit[2]));
        double *sum = sums + 4 * half;
        _mm256_storeu_pd(sum, _mm256_add_pd(_mm256_loadu_pd(sum), product));
    }
}

/* Adds the totals of a group to the sums of a lane. */
INLINE void add_lane(const int8_t *codes, const float *scales, const int16_t *digits, double step,
                     uint32_t pairs, double *sums)
{
    __m256i total[2][BYTE_DIGITS];
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++)
#pragma GCC unroll 3
        for (int d = 0; d < BYTE_DIGITS; d++)
            total[half][d] = _mm256_setzero_si256();
    for (uint32_t p = 0; p < pairs; p++) {
        fetch_ahead(codes + (size_t)p * 2 * BYTE_ROWS);
        __m256i code[2];
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++)
            code[half] = _mm256_cvtepi8_epi16(_mm_loadu_si128(
                (const __m128i *)(codes + ((size_t)p * 2 + (size_t)half) * BYTE_ROWS)));
#pragma GCC unroll 3
        for (int d = 0; d < BYTE_DIGITS; d++) {
            int32_t pair;
            memcpy(&pair, digits + ((size_t)p * BYTE_DIGITS + (size_t)d) * 2, sizeof pair);
#pragma GCC unroll 2
            for (int half = 0; half < 2; half++)
                total[half][d] = _mm256_add_epi32(
                    total[half][d], _mm256_madd_epi16(code[half], _mm256_set1_epi32(pair)));
        }
    }
    add_group(total[0], scales, step, sums);
    add_group(total[1], scales + 8, step, sums + 8);
}

void avx2_dot_bytes(const struct byte_block *block, const struct byte_values *values, double *sums)
{
    uint32_t pairs = byte_pairs(block->inputs), groups = byte_groups(block->inputs);
    for (uint32_t s = 0; s < values->lanes * BYTE_ROWS; s++)
        sums[s] = 0;
    for (uint32_t g = 0; g < groups; g++) {
        uint32_t first = g * (BYTE_GROUP / 2), left = pairs - first;
        for (uint32_t lane = 0; lane < values->lanes; lane++)
            add_lane(block->codes + (size_t)first * 2 * BYTE_ROWS,
                     block->scales + (size_t)g * BYTE_ROWS,
                     values->digits + ((size_t)lane * pairs + first) * BYTE_DIGITS * 2,
                     values->steps[(size_t)lane * groups + g],
                     left < BYTE_GROUP / 2 ? left : BYTE_GROUP / 2, sums + lane * BYTE_ROWS);
    }
}

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
