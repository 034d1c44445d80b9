/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kernels for AVX2 and F16C, but for the integration of integer weights
 * and the products of floating-point ones, which have their own files
 * (integrate_avx2.c, dot_avx2.c).
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

INLINE int32_t total_of_one(__m256i sum)
{
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
}

static int32_t avx2_dot_key(const int8_t *codes, const int32_t *counts, uint32_t inputs)
{
    __m256i sum[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                      _mm256_setzero_si256()};
    uint32_t i = 0;
    for (; inputs - i >= 32; i += 32)
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++) {
            __m128i code = _mm_loadl_epi64((const __m128i *)(codes + i + 8 * v));
            __m256i count = _mm256_loadu_si256((const __m256i *)(counts + i + 8 * v));
            __m256i product = _mm256_mullo_epi32(_mm256_cvtepi8_epi32(code), count);
            sum[v] = _mm256_add_epi32(sum[v], product);
        }
    int32_t total = total_of_one(_mm256_add_epi32(_mm256_add_epi32(sum[0], sum[1]),
                                                  _mm256_add_epi32(sum[2], sum[3])));
    return body_dot_key(total, codes + i, counts + i, inputs - i);
}

static void avx2_add_codes(double *total, double factor, const int8_t *codes, uint32_t length)
{
    __m256d factors = _mm256_set1_pd(factor);
    uint32_t j = 0;
    for (; length - j >= 8; j += 8) {
        __m128i code = _mm_loadl_epi64((const __m128i *)(codes + j));
        __m256d low = _mm256_cvtepi32_pd(_mm_cvtepi8_epi32(code));
        __m256d high = _mm256_cvtepi32_pd(_mm_cvtepi8_epi32(_mm_srli_epi64(code, 32)));
        _mm256_storeu_pd(total + j, _mm256_add_pd(_mm256_loadu_pd(total + j),
                                                  _mm256_mul_pd(factors, low)));
        _mm256_storeu_pd(total + j + 4, _mm256_add_pd(_mm256_loadu_pd(total + j + 4),
                                                      _mm256_mul_pd(factors, high)));
    }
    body_add_codes(total + j, factor, codes + j, length - j);
}

static void avx2_decay_add(double *state, double decay, double key, const double *value,
                           uint32_t length)
{
    __m256d decays = _mm256_set1_pd(decay), keys = _mm256_set1_pd(key);
    uint32_t j = 0;
    for (; length - j >= 4; j += 4) {
        __m256d kept = _mm256_mul_pd(decays, _mm256_loadu_pd(state + j));
        __m256d added = _mm256_mul_pd(keys, _mm256_loadu_pd(value + j));
        _mm256_storeu_pd(state + j, _mm256_add_pd(kept, added));
    }
    body_decay_add(state + j, decay, key, value + j, length - j);
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
    .pack = body_pack,
    .integrate = avx2_integrate,
    .dot = avx2_dot,
    .dot_half = avx2_dot_half,
    .dot_bfloat = avx2_dot_bfloat,
    .dot_tile = avx2_dot_tile,
    .dot_bytes = avx2_dot_bytes,
    .dot_key = avx2_dot_key,
    .add_codes = avx2_add_codes,
    .decay_add = avx2_decay_add,
    .add_scaled = avx2_add_scaled,
    .from_half = avx2_from_half,
    .from_bfloat = avx2_from_bfloat,
};

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
