/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kernels for AVX2 and F16C, but for the integration of integer weights
 * and attention (integrate_avx2.c, attend_avx2.c).
 *
 * Short ends are left to the plain bodies. Products of doubles are rounded
 * before they are added, in the order that kernels_body.h states.
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

#define INLINE static inline __attribute__((always_inline))

enum { AHEAD = 8192 }; /* how far before their use weights are fetched, in bytes */

enum weight_format { SINGLE, HALF, BFLOAT };

/* The next rows; an address past the array is not touched. */
INLINE void fetch_ahead(const void *weights)
{
    _mm_prefetch((const char *)((uintptr_t)weights + AHEAD), _MM_HINT_T0);
}

/* Four weights at `i`, in double; `format` is a constant where this is inlined. */
INLINE __m256d widen_four(const void *weights, enum weight_format format, uint32_t i)
{
    if (format == SINGLE)
        return _mm256_cvtps_pd(_mm_loadu_ps((const float *)weights + i));
    __m128i narrow = _mm_loadl_epi64((const __m128i *)(const void *)((const uint16_t *)weights + i));
    if (format == HALF)
        return _mm256_cvtps_pd(_mm_cvtph_ps(narrow));
    return _mm256_cvtps_pd(_mm_castsi128_ps(_mm_slli_epi32(_mm_cvtepu16_epi32(narrow), 16)));
}

INLINE double dot_of(const void *weights, enum weight_format format, const double *values,
                     uint32_t inputs)
{
    __m256d sum[PARTIAL_SUMS / 4];
#pragma GCC unroll 8
    for (int p = 0; p < PARTIAL_SUMS / 4; p++)
        sum[p] = _mm256_setzero_pd();
    uint32_t i = 0;
    for (; inputs - i >= PARTIAL_SUMS; i += PARTIAL_SUMS) {
        fetch_ahead((const char *)weights + (size_t)i * (format == SINGLE ? 4 : 2));
        if (format == SINGLE)
            fetch_ahead((const float *)weights + i + PARTIAL_SUMS / 2);
#pragma GCC unroll 8
        for (uint32_t p = 0; p < PARTIAL_SUMS / 4; p++) {
            __m256d value = _mm256_loadu_pd(values + i + 4 * p);
            sum[p] = _mm256_add_pd(sum[p],
                                   _mm256_mul_pd(widen_four(weights, format, i + 4 * p), value));
        }
    }
    double partial[PARTIAL_SUMS];
#pragma GCC unroll 8
    for (int p = 0; p < PARTIAL_SUMS / 4; p++)
        _mm256_storeu_pd(partial + 4 * p, sum[p]);
    float wide[PARTIAL_SUMS];
    const float *rest = wide;
    if (format == SINGLE)
        rest = (const float *)weights + i;
    else if (format == HALF)
        body_from_half((const uint16_t *)weights + i, wide, inputs - i);
    else
        body_from_bfloat((const uint16_t *)weights + i, wide, inputs - i);
    return body_dot_finish(partial, rest, values + i, inputs - i);
}

static double avx2_dot(const float *weights, const double *values, uint32_t inputs)
{
    return dot_of(weights, SINGLE, values, inputs);
}

static double avx2_dot_half(const uint16_t *weights, const double *values, uint32_t inputs)
{
    return dot_of(weights, HALF, values, inputs);
}

static double avx2_dot_bfloat(const uint16_t *weights, const double *values, uint32_t inputs)
{
    return dot_of(weights, BFLOAT, values, inputs);
}

static void avx2_add_scaled(double *total, double factor, const double *values, uint32_t length)
{
    __m256d factors = _mm256_set1_pd(factor);
    uint32_t j = 0;
    for (; length - j >= 4; j += 4) {
        __m256d added = _mm256_mul_pd(factors, _mm256_loadu_pd(values + j));
        _mm256_storeu_pd(total + j, _mm256_add_pd(_mm256_loadu_pd(total + j), added));
    }
    body_add_scaled(total + j, factor, values + j, length - j);
}

static void avx2_from_half(const uint16_t *half, float *out, uint32_t length)
{
    uint32_t i = 0;
    for (; length - i >= 8; i += 8)
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(half + i))));
    body_from_half(half + i, out + i, length - i);
}

static void avx2_from_bfloat(const uint16_t *bfloat, float *out, uint32_t length)
{
    uint32_t i = 0;
    for (; length - i >= 8; i += 8) {
        __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(bfloat + i)));
        _mm256_storeu_si256((__m256i *)(out + i), _mm256_slli_epi32(wide, 16));
    }
    body_from_bfloat(bfloat + i, out + i, length - i);
}

const struct kernels kernels_avx2 = {
    .name = "avx2",
    .vector = VECTOR_AVX2,
    .integrate = avx2_integrate,
    .integrate_lanes = avx2_integrate_lanes,
    .dot = avx2_dot,
    .dot_half = avx2_dot_half,
    .dot_bfloat = avx2_dot_bfloat,
    .meet_keys = avx2_meet_keys,
    .weigh_values = avx2_weigh_values,
    .add_scaled = avx2_add_scaled,
    .from_half = avx2_from_half,
    .from_bfloat = avx2_from_bfloat,
};

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
