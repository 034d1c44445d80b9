/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kernels for AVX-512 (F, BW, DQ, VL, VNNI), but for the integration of
 * integer weights, the products of floating-point ones and attention, which have their own
 * files (integrate_avx512.c, dot_avx512.c, attend_avx512.c).
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

INLINE __mmask8 mask_of_eight(uint32_t length)
{
    return (__mmask8)((1U << length) - 1);
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
    .dot_tile = avx512_dot_tile,
    .dot_bytes = avx512_dot_bytes,
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
