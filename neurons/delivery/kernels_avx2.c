/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kernels for AVX2 and F16C, but for the integration of integer weights
 * and the products of floating-point ones and attention, which have their own files
 * (integrate_avx2.c, dot_avx2.c, attend_avx2.c).
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
    .dot_tile = avx2_dot_tile,
    .dot_bytes = avx2_dot_bytes,
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
