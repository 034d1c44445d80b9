/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kernels for AVX-512 (F, BW, DQ, VL, VNNI), but for the integration of
 * integer weights (integrate_avx512.c) and attention (attend_avx512.c).
 *
 * Short ends are read under a mask, so nothing is read past an array. Products
 * of doubles are rounded before they are added, in the order that
 * kernels_body.h states.
 */
#include "neurons/delivery/kernels_versions.h"

#ifdef KERNELS_X86
#include <immintrin.h>
#include <string.h>
#if defined(__clang__)
#pragma clang attribute push(                                                                      \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#endif
#include "neurons/delivery/kernels_body.h"

#define INLINE static inline __attribute__((always_inline))

enum { AHEAD = 16384 }; /* how far before their use weights are fetched, in bytes */

enum weight_format { SINGLE, HALF, BFLOAT };

/* The next rows; an address past the array is not touched. */
INLINE void fetch_ahead(const void *weights)
{
    _mm_prefetch((const char *)((uintptr_t)weights + AHEAD), _MM_HINT_T0);
}

/* The tree over eight partial sums. */
INLINE double tree_of_eight(__m512d partial)
{
    __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(partial),
                                 _mm512_extractf64x4_pd(partial, 1));
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

INLINE __mmask8 mask_of_eight(uint32_t length)
{
    return (__mmask8)((1U << length) - 1);
}

/* Eight weights at `i` under a mask, in double; `format` is a constant where this is inlined. */
INLINE __m512d widen_eight(const void *weights, enum weight_format format, uint32_t i,
                           __mmask8 mask)
{
    if (format == SINGLE)
        return _mm512_cvtps_pd(_mm256_maskz_loadu_ps(mask, (const float *)weights + i));
    __m128i narrow = _mm_maskz_loadu_epi16(mask, (const uint16_t *)weights + i);
    if (format == HALF)
        return _mm512_cvtps_pd(_mm256_maskz_cvtph_ps(0xff, narrow));
    return _mm512_cvtps_pd(
        _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(narrow), 16)));
}

INLINE double dot_of(const void *weights, enum weight_format format, const double *values,
                     uint32_t inputs)
{
    __m512d partial[PARTIAL_SUMS / 8];
    for (int p = 0; p < PARTIAL_SUMS / 8; p++)
        partial[p] = _mm512_setzero_pd();
    uint32_t i = 0;
    for (; inputs - i >= PARTIAL_SUMS; i += PARTIAL_SUMS) {
        fetch_ahead((const char *)weights + (size_t)i * (format == SINGLE ? 4 : 2));
        if (format == SINGLE)
            fetch_ahead((const float *)weights + i + PARTIAL_SUMS / 2);
#pragma GCC unroll 4
        for (uint32_t p = 0; p < PARTIAL_SUMS / 8; p++) {
            __m512d weight = widen_eight(weights, format, i + 8 * p, 0xff);
            __m512d value = _mm512_loadu_pd(values + i + 8 * p);
            partial[p] = _mm512_add_pd(partial[p], _mm512_mul_pd(weight, value));
        }
    }
#pragma GCC unroll 4
    for (int p = 0; p < PARTIAL_SUMS / 8; p++, i += 8) {
        if (i >= inputs)
            break;
        __mmask8 mask = inputs - i < 8 ? mask_of_eight(inputs - i) : 0xff;
        __m512d weight = widen_eight(weights, format, i, mask);
        __m512d value = _mm512_maskz_loadu_pd(mask, values + i);
        partial[p] = _mm512_mask_add_pd(partial[p], mask, partial[p],
                                        _mm512_mul_pd(weight, value));
    }
    partial[0] = _mm512_add_pd(partial[0], partial[2]);
    partial[1] = _mm512_add_pd(partial[1], partial[3]);
    return tree_of_eight(_mm512_add_pd(partial[0], partial[1]));
}

static double avx512_dot(const float *weights, const double *values, uint32_t inputs)
{
    return dot_of(weights, SINGLE, values, inputs);
}

static double avx512_dot_half(const uint16_t *weights, const double *values, uint32_t inputs)
{
    return dot_of(weights, HALF, values, inputs);
}

static double avx512_dot_bfloat(const uint16_t *weights, const double *values, uint32_t inputs)
{
    return dot_of(weights, BFLOAT, values, inputs);
}

static void avx512_add_scaled(double *total, double factor, const double *values,
                              uint32_t length)
{
    __m512d factors = _mm512_set1_pd(factor);
    for (uint32_t j = 0; j < length; j += 8) {
        __mmask8 mask = length - j < 8 ? mask_of_eight(length - j) : 0xff;
        __m512d added = _mm512_mul_pd(factors, _mm512_maskz_loadu_pd(mask, values + j));
        __m512d before = _mm512_maskz_loadu_pd(mask, total + j);
        _mm512_mask_storeu_pd(total + j, mask, _mm512_add_pd(before, added));
    }
}

static void avx512_from_half(const uint16_t *half, float *out, uint32_t length)
{
    uint32_t i = 0;
    for (; length - i >= 16; i += 16)
        _mm512_storeu_ps(out + i,
                         _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(half + i))));
    body_from_half(half + i, out + i, length - i);
}

static void avx512_from_bfloat(const uint16_t *bfloat, float *out, uint32_t length)
{
    uint32_t i = 0;
    for (; length - i >= 16; i += 16) {
        __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(bfloat + i)));
        _mm512_storeu_si512(out + i, _mm512_slli_epi32(wide, 16));
    }
    body_from_bfloat(bfloat + i, out + i, length - i);
}

const struct kernels kernels_avx512 = {
    .name = "avx512",
    .vector = VECTOR_AVX512,
    .integrate = avx512_integrate,
    .integrate_lanes = avx512_integrate_lanes,
    .dot = avx512_dot,
    .dot_half = avx512_dot_half,
    .dot_bfloat = avx512_dot_bfloat,
    .meet_keys = avx512_meet_keys,
    .weigh_values = avx512_weigh_values,
    .add_scaled = avx512_add_scaled,
    .from_half = avx512_from_half,
    .from_bfloat = avx512_from_bfloat,
};

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
