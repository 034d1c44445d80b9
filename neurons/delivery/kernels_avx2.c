/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kernels for AVX2 and F16C.
 *
 * Codes are widened to 16 bits and multiplied by counts in pairs (vpmaddwd).
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

enum {
    WIDE = 16, /* codes in a vector, once widened */
    CHUNK = 4, /* vectors of codes held in registers while the lanes pass */
    AHEAD = 8192 /* how far before their use codes are fetched, in bytes */
};

/* The next rows of codes; an address past the array is not touched. */
INLINE void fetch_ahead(const void *codes)
{
    _mm_prefetch((const char *)((uintptr_t)codes + AHEAD), _MM_HINT_T0);
}

INLINE __m256i widen(const int8_t *codes)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)codes));
}

INLINE __m256i add_products(__m256i sum, __m256i code, const int16_t *counts)
{
    __m256i count = _mm256_loadu_si256((const __m256i *)counts);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(code, count));
}

/* Adds to sum[lane] the products of the whole vectors of one group for each of
 * `lanes` lanes, a constant where this is inlined. */
INLINE void group_add(__m256i *sum, const int8_t *codes, const int16_t *counts,
                      size_t counts_stride, int lanes, uint32_t length)
{
    uint32_t i = 0;
    for (; length - i >= CHUNK * WIDE; i += CHUNK * WIDE) {
        __m256i code[CHUNK];
#pragma GCC unroll 4
        for (int v = 0; v < CHUNK; v++)
            code[v] = widen(codes + i + v * WIDE);
        if (lanes == 1)
            fetch_ahead(codes + i);
#pragma GCC unroll 4
        for (int lane = 0; lane < lanes; lane++) {
            const int16_t *count = counts + (size_t)lane * counts_stride + i;
#pragma GCC unroll 4
            for (int v = 0; v < CHUNK; v++)
                sum[lane] = add_products(sum[lane], code[v], count + v * WIDE);
        }
    }
    for (; length - i >= WIDE; i += WIDE) {
        __m256i code = widen(codes + i);
#pragma GCC unroll 4
        for (int lane = 0; lane < lanes; lane++)
            sum[lane] = add_products(sum[lane], code, counts + (size_t)lane * counts_stride + i);
    }
}

INLINE __m128i totals_of_four(const __m256i *sum)
{
    __m256i ab = _mm256_add_epi32(_mm256_unpacklo_epi32(sum[0], sum[1]),
                                  _mm256_unpackhi_epi32(sum[0], sum[1]));
    __m256i cd = _mm256_add_epi32(_mm256_unpacklo_epi32(sum[2], sum[3]),
                                  _mm256_unpackhi_epi32(sum[2], sum[3]));
    __m256i halves = _mm256_add_epi32(_mm256_unpacklo_epi64(ab, cd),
                                      _mm256_unpackhi_epi64(ab, cd));
    return _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}

INLINE int32_t total_of_one(__m256i sum)
{
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
}

/* Four lanes, a group at a time. */
static void four_lanes(const int8_t *codes, const int16_t *counts, size_t counts_stride,
                       uint32_t inputs, uint32_t group, int32_t *sums, size_t sums_stride)
{
    for (uint32_t begin = 0; begin < inputs; sums++) {
        uint32_t length = inputs - begin < group ? inputs - begin : group;
        uint32_t end = length % WIDE, whole = length - end;
        __m256i sum[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(),
                          _mm256_setzero_si256(), _mm256_setzero_si256()};
        group_add(sum, codes + begin, counts + begin, counts_stride, 4, length);
        int32_t total[4];
        _mm_storeu_si128((__m128i *)total, totals_of_four(sum));
        for (int lane = 0; lane < 4; lane++)
            sums[(size_t)lane * sums_stride] =
                body_dot_codes(total[lane], codes + begin + whole,
                               counts + (size_t)lane * counts_stride + begin + whole, end);
        begin += length;
    }
}

/* One lane, four groups at a time while four are whole. */
static void one_lane(const int8_t *codes, const int16_t *counts, uint32_t inputs,
                     uint32_t group, int32_t *sums)
{
    uint32_t begin = 0;
    if (group <= inputs / 4 && group % WIDE == 0)
        for (; inputs - begin >= 4 * group; begin += 4 * group) {
            __m256i sum[4];
#pragma GCC unroll 4
            for (int g = 0; g < 4; g++) {
                sum[g] = _mm256_setzero_si256();
                size_t at = begin + (size_t)g * group;
                group_add(&sum[g], codes + at, counts + at, 0, 1, group);
            }
            _mm_storeu_si128((__m128i *)sums, totals_of_four(sum));
            sums += 4;
        }
    while (begin < inputs) {
        uint32_t length = inputs - begin < group ? inputs - begin : group;
        uint32_t end = length % WIDE, whole = length - end;
        __m256i sum = _mm256_setzero_si256();
        group_add(&sum, codes + begin, counts + begin, 0, 1, length);
        *sums++ = body_dot_codes(total_of_one(sum), codes + begin + whole,
                                 counts + begin + whole, end);
        begin += length;
    }
}

static void avx2_dot_groups(const int8_t *codes, const int16_t *counts, size_t counts_stride,
                            uint32_t lanes, uint32_t inputs, uint32_t group, int32_t *sums,
                            size_t sums_stride)
{
    uint32_t lane = 0;
    for (; lanes - lane >= 4; lane += 4)
        four_lanes(codes, counts + lane * counts_stride, counts_stride, inputs, group,
                   sums + lane * sums_stride, sums_stride);
    for (; lane < lanes; lane++)
        one_lane(codes, counts + lane * counts_stride, inputs, group, sums + lane * sums_stride);
}

/* The tree over four partial sums. */
INLINE double tree_of_four(__m256d partial)
{
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(partial), _mm256_extractf128_pd(partial, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

static double avx2_scale_groups(const float *scales, const int32_t *sums, uint32_t groups)
{
    __m256d low = _mm256_setzero_pd(), high = _mm256_setzero_pd();
    uint32_t g = 0;
    for (; groups - g >= SCALE_SUMS; g += SCALE_SUMS) {
        __m256d scale = _mm256_cvtps_pd(_mm_loadu_ps(scales + g));
        __m256d sum = _mm256_cvtepi32_pd(_mm_loadu_si128((const __m128i *)(sums + g)));
        low = _mm256_add_pd(low, _mm256_mul_pd(scale, sum));
        scale = _mm256_cvtps_pd(_mm_loadu_ps(scales + g + 4));
        sum = _mm256_cvtepi32_pd(_mm_loadu_si128((const __m128i *)(sums + g + 4)));
        high = _mm256_add_pd(high, _mm256_mul_pd(scale, sum));
    }
    if (g < groups) {
        double partial[SCALE_SUMS];
        _mm256_storeu_pd(partial, low);
        _mm256_storeu_pd(partial + 4, high);
        for (; g < groups; g++)
            partial[g % SCALE_SUMS] += (double)scales[g] * (double)sums[g];
        low = _mm256_loadu_pd(partial);
        high = _mm256_loadu_pd(partial + 4);
    }
    return tree_of_four(_mm256_add_pd(low, high));
}

static double avx2_dot(const float *weights, const double *values, uint32_t inputs)
{
    __m256d sum[PARTIAL_SUMS / 4];
#pragma GCC unroll 8
    for (int p = 0; p < PARTIAL_SUMS / 4; p++)
        sum[p] = _mm256_setzero_pd();
    uint32_t i = 0;
    for (; inputs - i >= PARTIAL_SUMS; i += PARTIAL_SUMS) {
        fetch_ahead(weights + i);
        fetch_ahead(weights + i + PARTIAL_SUMS / 2);
#pragma GCC unroll 8
        for (int p = 0; p < PARTIAL_SUMS / 4; p++) {
            __m256d weight = _mm256_cvtps_pd(_mm_loadu_ps(weights + i + 4 * p));
            __m256d value = _mm256_loadu_pd(values + i + 4 * p);
            sum[p] = _mm256_add_pd(sum[p], _mm256_mul_pd(weight, value));
        }
    }
    double partial[PARTIAL_SUMS];
#pragma GCC unroll 8
    for (int p = 0; p < PARTIAL_SUMS / 4; p++)
        _mm256_storeu_pd(partial + 4 * p, sum[p]);
    return body_dot_finish(partial, weights, values, i, inputs);
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
    .dot_groups = avx2_dot_groups,
    .scale_groups = avx2_scale_groups,
    .dot = avx2_dot,
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
