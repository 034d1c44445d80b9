/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kernels for AVX-512 (F, BW, DQ, VL, VNNI).
 *
 * Codes are widened to 16 bits and multiplied by counts in pairs (vpdpwssd).
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

enum {
    WIDE = 32, /* codes in a vector, once widened */
    CHUNK = 4, /* vectors of codes held in registers while the lanes pass */
    AHEAD = 16384 /* how far before their use codes are fetched, in bytes */
};

/* The next rows of codes; an address past the array is not touched. */
INLINE void fetch_ahead(const int8_t *codes)
{
    _mm_prefetch((const char *)((uintptr_t)codes + AHEAD), _MM_HINT_T0);
}

INLINE __m512i widen(const int8_t *codes)
{
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)codes));
}

INLINE void chunk_widen(__m512i code[CHUNK], const int8_t *codes)
{
#pragma GCC unroll 4
    for (int v = 0; v < CHUNK; v++)
        code[v] = widen(codes + v * WIDE);
}

/* Adds to sum[lane] the products of a chunk for each of `lanes` lanes, a
 * constant where this is inlined. The empty statement keeps the compiler from
 * holding the address of every lane in a register. */
INLINE void chunk_add(__m512i *sum, const __m512i code[CHUNK], const int16_t *counts,
                      size_t counts_stride, int lanes)
{
#pragma GCC unroll 4
    for (int lane = 0; lane < lanes; lane++) {
#pragma GCC unroll 4
        for (int v = 0; v < CHUNK; v++)
            sum[lane] = _mm512_dpwssd_epi32(sum[lane], code[v],
                                            _mm512_loadu_si512(counts + v * WIDE));
        counts += counts_stride;
        __asm__("" : "+r"(counts));
    }
}

/* The same for a group of any length, with a masked end. */
INLINE void group_add(__m512i *sum, const int8_t *codes, const int16_t *counts,
                      size_t counts_stride, int lanes, uint32_t length)
{
    uint32_t i = 0;
    for (; length - i >= CHUNK * WIDE; i += CHUNK * WIDE) {
        __m512i code[CHUNK];
        chunk_widen(code, codes + i);
        chunk_add(sum, code, counts + i, counts_stride, lanes);
    }
    for (; i < length; i += WIDE) {
        __mmask32 mask = length - i < WIDE ? (1U << (length - i)) - 1 : UINT32_MAX;
        __m512i code = _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(mask, codes + i));
#pragma GCC unroll 4
        for (int lane = 0; lane < lanes; lane++)
            sum[lane] = _mm512_dpwssd_epi32(
                sum[lane], code,
                _mm512_maskz_loadu_epi16(mask, counts + (size_t)lane * counts_stride + i));
    }
}

INLINE void sums_clear(__m512i *sum)
{
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        sum[i] = _mm512_setzero_si512();
}

/* In every quarter: the sums over that quarter of sum[0 … 3]. */
INLINE __m512i quarters_of_four(const __m512i *sum)
{
    __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(sum[0], sum[1]),
                                  _mm512_unpackhi_epi32(sum[0], sum[1]));
    __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(sum[2], sum[3]),
                                  _mm512_unpackhi_epi32(sum[2], sum[3]));
    return _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
}

INLINE __m128i totals_of_four(const __m512i *sum)
{
    __m512i quarters = quarters_of_four(sum);
    __m256i halves = _mm256_add_epi32(_mm512_castsi512_si256(quarters),
                                      _mm512_extracti64x4_epi64(quarters, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}

/* Quarters 0 and 1 added, then 2 and 3, of a and then of b. */
INLINE __m512i quarters_joined(__m512i a, __m512i b)
{
    return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd));
}

/* Sixteen lanes, a group at a time. */
static void sixteen_lanes(const int8_t *codes, const int16_t *counts, size_t counts_stride,
                          uint32_t inputs, uint32_t group, int32_t *sums, size_t sums_stride)
{
    for (uint32_t begin = 0; begin < inputs; sums++) {
        uint32_t length = inputs - begin < group ? inputs - begin : group;
        const int16_t *count = counts + begin;
        __m512i quarters[4];
        if (length == CHUNK * WIDE) { /* the usual group: its codes stay in registers */
            __m512i code[CHUNK];
            chunk_widen(code, codes + begin);
#pragma GCC unroll 4
            for (int four = 0; four < 4; four++, count += 4 * counts_stride) {
                __m512i sum[4];
                sums_clear(sum);
                chunk_add(sum, code, count, counts_stride, 4);
                quarters[four] = quarters_of_four(sum);
            }
        } else {
            for (int four = 0; four < 4; four++, count += 4 * counts_stride) {
                __m512i sum[4];
                sums_clear(sum);
                group_add(sum, codes + begin, count, counts_stride, 4, length);
                quarters[four] = quarters_of_four(sum);
            }
        }
        int32_t total[16];
        _mm512_storeu_si512(total, quarters_joined(quarters_joined(quarters[0], quarters[1]),
                                                   quarters_joined(quarters[2], quarters[3])));
#pragma GCC unroll 16
        for (int lane = 0; lane < 16; lane++)
            sums[(size_t)lane * sums_stride] = total[lane];
        begin += length;
    }
}

/* Four lanes, a group at a time. */
static void four_lanes(const int8_t *codes, const int16_t *counts, size_t counts_stride,
                       uint32_t inputs, uint32_t group, int32_t *sums, size_t sums_stride)
{
    for (uint32_t begin = 0; begin < inputs; sums++) {
        uint32_t length = inputs - begin < group ? inputs - begin : group;
        __m512i sum[4];
        sums_clear(sum);
        group_add(sum, codes + begin, counts + begin, counts_stride, 4, length);
        int32_t total[4];
        _mm_storeu_si128((__m128i *)total, totals_of_four(sum));
#pragma GCC unroll 4
        for (int lane = 0; lane < 4; lane++)
            sums[(size_t)lane * sums_stride] = total[lane];
        begin += length;
    }
}

/* One lane, four groups at a time while four are whole: first the usual group of
 * one chunk, then any other. */
static void one_lane(const int8_t *codes, const int16_t *counts, uint32_t inputs,
                     uint32_t group, int32_t *sums)
{
    uint32_t begin = 0;
    if (group == CHUNK * WIDE)
        for (; inputs - begin >= 4 * CHUNK * WIDE; begin += 4 * CHUNK * WIDE) {
            __m512i sum[4];
            sums_clear(sum);
#pragma GCC unroll 4
            for (int g = 0; g < 4; g++) {
                size_t at = begin + (size_t)g * CHUNK * WIDE;
                __m512i code[CHUNK];
                fetch_ahead(codes + at);
                fetch_ahead(codes + at + 2 * WIDE);
                chunk_widen(code, codes + at);
                chunk_add(&sum[g], code, counts + at, 0, 1);
            }
            _mm_storeu_si128((__m128i *)sums, totals_of_four(sum));
            sums += 4;
        }
    else if (group <= inputs / 4)
        for (; inputs - begin >= 4 * group; begin += 4 * group) {
            __m512i sum[4];
            sums_clear(sum);
            for (int g = 0; g < 4; g++) {
                size_t at = begin + (size_t)g * group;
                fetch_ahead(codes + at);
                group_add(&sum[g], codes + at, counts + at, 0, 1, group);
            }
            _mm_storeu_si128((__m128i *)sums, totals_of_four(sum));
            sums += 4;
        }
    while (begin < inputs) {
        uint32_t length = inputs - begin < group ? inputs - begin : group;
        __m512i sum = _mm512_setzero_si512();
        group_add(&sum, codes + begin, counts + begin, 0, 1, length);
        *sums++ = _mm512_reduce_add_epi32(sum);
        begin += length;
    }
}

static void avx512_dot_groups(const int8_t *codes, const int16_t *counts, size_t counts_stride,
                              uint32_t lanes, uint32_t inputs, uint32_t group, int32_t *sums,
                              size_t sums_stride)
{
    uint32_t lane = 0;
    for (; lanes - lane >= 16; lane += 16)
        sixteen_lanes(codes, counts + lane * counts_stride, counts_stride, inputs, group,
                      sums + lane * sums_stride, sums_stride);
    for (; lanes - lane >= 4; lane += 4)
        four_lanes(codes, counts + lane * counts_stride, counts_stride, inputs, group,
                   sums + lane * sums_stride, sums_stride);
    for (; lane < lanes; lane++)
        one_lane(codes, counts + lane * counts_stride, inputs, group, sums + lane * sums_stride);
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

static double avx512_scale_groups(const float *scales, const int32_t *sums, uint32_t groups)
{
    __m512d partial = _mm512_setzero_pd();
    uint32_t g = 0;
    for (; groups - g >= 8; g += 8) {
        __m512d scale = _mm512_cvtps_pd(_mm256_loadu_ps(scales + g));
        __m512d sum = _mm512_cvtepi32_pd(_mm256_loadu_si256((const __m256i *)(sums + g)));
        partial = _mm512_add_pd(partial, _mm512_mul_pd(scale, sum));
    }
    if (g < groups) {
        __mmask8 mask = mask_of_eight(groups - g);
        __m512d scale = _mm512_cvtps_pd(_mm256_maskz_loadu_ps(mask, scales + g));
        __m512d sum = _mm512_cvtepi32_pd(_mm256_maskz_loadu_epi32(mask, sums + g));
        partial = _mm512_mask_add_pd(partial, mask, partial, _mm512_mul_pd(scale, sum));
    }
    return tree_of_eight(partial);
}

static double avx512_dot(const float *weights, const double *values, uint32_t inputs)
{
    __m512d partial[PARTIAL_SUMS / 8];
    for (int p = 0; p < PARTIAL_SUMS / 8; p++)
        partial[p] = _mm512_setzero_pd();
    uint32_t i = 0;
    for (; inputs - i >= PARTIAL_SUMS; i += PARTIAL_SUMS) {
        fetch_ahead((const int8_t *)(weights + i));
        fetch_ahead((const int8_t *)(weights + i + PARTIAL_SUMS / 2));
#pragma GCC unroll 4
        for (int p = 0; p < PARTIAL_SUMS / 8; p++) {
            __m512d weight = _mm512_cvtps_pd(_mm256_loadu_ps(weights + i + 8 * p));
            __m512d value = _mm512_loadu_pd(values + i + 8 * p);
            partial[p] = _mm512_add_pd(partial[p], _mm512_mul_pd(weight, value));
        }
    }
#pragma GCC unroll 4
    for (int p = 0; p < PARTIAL_SUMS / 8; p++, i += 8) {
        if (i >= inputs)
            break;
        __mmask8 mask = inputs - i < 8 ? mask_of_eight(inputs - i) : 0xff;
        __m512d weight = _mm512_cvtps_pd(_mm256_maskz_loadu_ps(mask, weights + i));
        __m512d value = _mm512_maskz_loadu_pd(mask, values + i);
        partial[p] = _mm512_mask_add_pd(partial[p], mask, partial[p],
                                        _mm512_mul_pd(weight, value));
    }
    partial[0] = _mm512_add_pd(partial[0], partial[2]);
    partial[1] = _mm512_add_pd(partial[1], partial[3]);
    return tree_of_eight(_mm512_add_pd(partial[0], partial[1]));
}

static int32_t avx512_dot_key(const int8_t *codes, const int32_t *counts, uint32_t inputs)
{
    __m512i sum[4];
    sums_clear(sum);
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
    .dot_groups = avx512_dot_groups,
    .scale_groups = avx512_scale_groups,
    .dot = avx512_dot,
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
