/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kernels for AVX-512 (F, BW, DQ, VL, VNNI), but for the integration of
 * integer weights and the products of floating-point ones, which have their own
 * files (integrate_avx512.c, dot_avx512.c).
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

static int32_t avx512_dot_key(const int8_t *codes, const int32_t *counts, uint32_t inputs)
{
    __m512i sum[4];
#pragma GCC unroll 4
    for (int v = 0; v < 4; v++)
        sum[v] = _mm512_setzero_si512();
    uint32_t i = 0;
    for (; inputs - i >= 64; i += 64)
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++) {
            const __m128i *code = (const __m128i *)(codes + i + 16 * v);
            __m512i product = _mm512_mullo_epi32(_mm512_cvtepi8_epi32(_mm_loadu_si128(code)),
                                                 _mm512_loadu_si512(counts + i + 16 * v));
            sum[v] = _mm512_add_epi32(sum[v], product);
        }
    for (; i < inputs; i += 16) {
        __mmask16 mask = inputs - i < 16 ? (__mmask16)((1U << (inputs - i)) - 1) : 0xffff;
        __m512i code = _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask, codes + i));
        __m512i count = _mm512_maskz_loadu_epi32(mask, counts + i);
        sum[0] = _mm512_add_epi32(sum[0], _mm512_mullo_epi32(code, count));
    }
    return _mm512_reduce_add_epi32(_mm512_add_epi32(_mm512_add_epi32(sum[0], sum[1]),
                                                    _mm512_add_epi32(sum[2], sum[3])));
}

static void avx512_add_codes(double *total, double factor, const int8_t *codes, uint32_t length)
{
    __m512d factors = _mm512_set1_pd(factor);
    uint32_t j = 0;
    for (; length - j >= 8; j += 8) {
        __m128i code = _mm_loadl_epi64((const __m128i *)(codes + j));
        __m512d value = _mm512_cvtepi32_pd(_mm256_cvtepi8_epi32(code));
        _mm512_storeu_pd(total + j, _mm512_add_pd(_mm512_loadu_pd(total + j),
                                                  _mm512_mul_pd(factors, value)));
    }
    if (j < length) {
        __mmask8 mask = mask_of_eight(length - j);
        __m128i code = _mm_maskz_loadu_epi8(mask, codes + j);
        __m512d value = _mm512_cvtepi32_pd(_mm256_cvtepi8_epi32(code));
        __m512d before = _mm512_maskz_loadu_pd(mask, total + j);
        _mm512_mask_storeu_pd(total + j, mask,
                              _mm512_add_pd(before, _mm512_mul_pd(factors, value)));
    }
}

static void avx512_decay_add(double *state, double decay, double key, const double *value,
                             uint32_t length)
{
    __m512d decays = _mm512_set1_pd(decay), keys = _mm512_set1_pd(key);
    for (uint32_t j = 0; j < length; j += 8) {
        __mmask8 mask = length - j < 8 ? mask_of_eight(length - j) : 0xff;
        __m512d kept = _mm512_mul_pd(decays, _mm512_maskz_loadu_pd(mask, state + j));
        __m512d added = _mm512_mul_pd(keys, _mm512_maskz_loadu_pd(mask, value + j));
        _mm512_mask_storeu_pd(state + j, mask, _mm512_add_pd(kept, added));
    }
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
    .pack = avx512_pack,
    .integrate = avx512_integrate,
    .dot = avx512_dot,
    .dot_half = avx512_dot_half,
    .dot_bfloat = avx512_dot_bfloat,
    .dot_tile = avx512_dot_tile,
    .dot_bytes = avx512_dot_bytes,
    .dot_key = avx512_dot_key,
    .add_codes = avx512_add_codes,
    .decay_add = avx512_decay_add,
    .add_scaled = avx512_add_scaled,
    .from_half = avx512_from_half,
    .from_bfloat = avx512_from_bfloat,
};

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
