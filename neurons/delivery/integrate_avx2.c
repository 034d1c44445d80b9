/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The integration of integer weights for AVX2.
 *
 * A quad of codes of four rows is widened to 16 bits and multiplied by a quad
 * of counts in pairs (vpmaddwd), so that a row has two neighbouring sums, which
 * are added at the end of a group. Sums wrap modulo 2^32; only the finished one
 * need fit.
 */
#include "neurons/delivery/kernels_versions.h"

#ifdef KERNELS_X86
#include <immintrin.h>
#include <string.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,f16c"))), apply_to = function)
#else
#pragma GCC target("avx2,f16c")
#endif
#include "neurons/delivery/kernels_body.h"

#include <stdbool.h>

#define INLINE static inline __attribute__((always_inline))

enum {
    FOURS = BLOCK_ROWS / 4, /* vectors that hold a quad of codes, once widened */
    QUAD_CODES = BLOCK_ROWS * QUAD, /* bytes of a quad of codes */
    PAIR = 2, /* lanes that share the widening */
    AHEAD = 8192 /* how far before their use codes are fetched, in bytes */
};

INLINE void add_quad(__m256i sum[PAIR][FOURS], const int8_t *codes, const int64_t *quads,
                     int lanes)
{
#pragma GCC unroll 4
    for (int v = 0; v < FOURS; v++) {
        __m256i code = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(codes + 16 * v)));
#pragma GCC unroll 2
        for (int lane = 0; lane < lanes; lane++)
            sum[lane][v] = _mm256_add_epi32(
                sum[lane][v], _mm256_madd_epi16(code, _mm256_set1_epi64x(quads[lane])));
    }
}

/* Adds the products of a group for `lanes` lanes, a constant where this is inlined. */
INLINE void add_group(__m256i sum[PAIR][FOURS], const int8_t *codes, const int16_t *counts,
                      size_t stride, int lanes, uint32_t length)
{
    int64_t quads[PAIR];
    uint32_t i = 0;
    for (; length - i >= QUAD; i += QUAD, codes += QUAD_CODES) {
        for (int lane = 0; lane < lanes; lane++)
            memcpy(&quads[lane], counts + (size_t)lane * stride + i, sizeof quads[lane]);
        _mm_prefetch((const char *)((uintptr_t)codes + AHEAD), _MM_HINT_T0);
        add_quad(sum, codes, quads, lanes);
    }
    if (i < length) {
        for (int lane = 0; lane < lanes; lane++) {
            quads[lane] = 0;
            memcpy(&quads[lane], counts + (size_t)lane * stride + i,
                   (length - i) * sizeof *counts);
        }
        add_quad(sum, codes, quads, lanes);
    }
}

/* Four doubles: sums += scales · totals. */
INLINE void add_scaled_four(double *sums, const float *scales, __m128i totals)
{
    __m256d product = _mm256_mul_pd(_mm256_cvtps_pd(_mm_loadu_ps(scales)),
                                    _mm256_cvtepi32_pd(totals));
    _mm256_storeu_pd(sums, _mm256_add_pd(_mm256_loadu_pd(sums), product));
}

INLINE void integrate_lanes(const struct code_block *block, const int16_t *counts, size_t stride,
                            int lanes, double *sums)
{
    const int8_t *codes = block->codes;
    uint32_t segments = segment_count(block->group);
    memset(sums, 0, (size_t)lanes * BLOCK_ROWS * sizeof *sums);
    for (uint32_t begin = 0, g = 0; begin < block->inputs; g++) {
        uint32_t left = block->inputs - begin;
        uint32_t length = left < block->group ? left : block->group;
        const float *scales = block->scales + (size_t)g * BLOCK_ROWS;
        uint32_t extra[PAIR][BLOCK_ROWS];
        const uint32_t *start = block->remainder_start + (size_t)g * segments;
        bool extras = start[0] < start[segments];
        for (int lane = 0; extras && lane < lanes; lane++) {
            memset(extra[lane], 0, sizeof extra[lane]);
            body_add_remainder(extra[lane], block, g, counts + (size_t)lane * stride);
        }
        __m256i sum[PAIR][FOURS];
#pragma GCC unroll 2
        for (int lane = 0; lane < lanes; lane++)
#pragma GCC unroll 4
            for (int v = 0; v < FOURS; v++)
                sum[lane][v] = _mm256_setzero_si256();
        add_group(sum, codes, counts + begin, stride, lanes, length);
#pragma GCC unroll 2
        for (int lane = 0; lane < lanes; lane++)
#pragma GCC unroll 2
            for (int v = 0; v < FOURS; v += 2) {
                /* Rows 0 1 4 5 2 3 6 7, put in order. */
                __m256i total = _mm256_hadd_epi32(sum[lane][v], sum[lane][v + 1]);
                total = _mm256_permute4x64_epi64(total, 0xd8);
                if (extras)
                    total = _mm256_add_epi32(
                        total, _mm256_loadu_si256((const __m256i *)(extra[lane] + 4 * v)));
                double *own = sums + (size_t)lane * BLOCK_ROWS + 4 * v;
                add_scaled_four(own, scales + 4 * v, _mm256_castsi256_si128(total));
                add_scaled_four(own + 4, scales + 4 * v + 4, _mm256_extracti128_si256(total, 1));
            }
        codes += (size_t)quad_count(length) * QUAD_CODES;
        begin += length;
    }
}

void avx2_integrate(const struct code_block *codes, const struct count_block *counts,
                    double *sums)
{
    uint32_t lane = 0;
    const int16_t *count = counts->counts;
    for (; counts->lanes - lane >= PAIR; lane += PAIR, count += PAIR * counts->stride)
        integrate_lanes(codes, count, counts->stride, PAIR, sums + (size_t)lane * BLOCK_ROWS);
    if (lane < counts->lanes)
        integrate_lanes(codes, count, counts->stride, 1, sums + (size_t)lane * BLOCK_ROWS);
}

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
