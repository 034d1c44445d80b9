/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The integration of integer weights for AVX-512 with VNNI.
 *
 * vpdpbusd adds four products of unsigned and signed bytes to each 32-bit sum.
 * A count s travels as the unsigned number u = s + bias, in one byte where all
 * counts of a group fit (bias 128), in two planes of bytes elsewhere (bias
 * 32768, low bytes first); the sum over codes · bias is taken off at the end:
 *
 *     Σ c·s = Σ c·u - bias · Σ c
 *
 * Sums wrap modulo 2^32, so only the finished one need fit. A quad of codes is
 * a vector of 16 rows. Few lanes: each sum is a row, and a quad of counts goes
 * to all rows. More: each sum is a lane, and a quad of codes goes to all lanes,
 * row by row; neither way ends in sums across a vector.
 *
 *     packed, few lanes:  [lanes][groups][planes][quads][QUAD]
 *     packed, more:       [groups][planes][quads][BLOCK_LANES][QUAD]
 *     at the end of both: [groups], how many planes each group has
 *
 * The remainder is multiplied by the counts as they are: few lanes, by looking
 * them up in the four vectors that hold the counts of a segment.
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

#include <stdbool.h>

#define INLINE static inline __attribute__((always_inline))

enum {
    QUAD_CODES = BLOCK_ROWS * QUAD, /* bytes of a quad of codes, and of 16 lanes' counts */
    WIDE = 32, /* counts of 16 bits in a vector */
    AHEAD = 2048 /* how far before their use codes are fetched, in bytes: a usual group */
};

/* Fetches what comes `ahead` bytes later; an address past the array is not touched. */
INLINE void fetch(const void *place, size_t ahead)
{
    _mm_prefetch((const char *)((uintptr_t)place + ahead), _MM_HINT_T0);
}

/* Where packed counts say how many planes each group has. */
INLINE uint8_t *planes_of(const struct count_block *counts, uint32_t inputs, uint32_t group)
{
    return counts->packed + packed_size(inputs, group, counts->lanes) -
           group_count(inputs, group);
}

INLINE __mmask32 mask_of(uint32_t length)
{
    return length < WIDE ? (1U << length) - 1 : UINT32_MAX;
}

/* Whether all counts of a group fit 8 bits, in all lanes. */
static bool fits_byte(const struct count_block *counts, uint32_t begin, uint32_t length)
{
    const __m512i bias = _mm512_set1_epi16(128), beyond = _mm512_set1_epi16((short)0xff00);
    __mmask32 large = 0;
    for (uint32_t lane = 0; lane < counts->lanes; lane++) {
        const int16_t *count = counts->counts + (size_t)lane * counts->stride + begin;
        for (uint32_t i = 0; i < length; i += WIDE) {
            __m512i s = _mm512_maskz_loadu_epi16(mask_of(length - i), count + i);
            large |= _mm512_test_epi16_mask(_mm512_add_epi16(s, bias), beyond);
        }
    }
    return large == 0;
}

/* One plane of one lane's counts of a group: bytes [whole quads]. */
INLINE void pack_plane(uint8_t *bytes, const int16_t *count, uint32_t length, int16_t bias,
                       uint32_t shift)
{
    const __m128i bits = _mm_cvtsi32_si128((int)shift);
    uint32_t room = quad_count(length) * QUAD;
    for (uint32_t i = 0; i < length; i += WIDE) {
        __m512i s = _mm512_maskz_loadu_epi16(mask_of(length - i), count + i);
        __m512i u = _mm512_srl_epi16(_mm512_add_epi16(s, _mm512_set1_epi16(bias)), bits);
        _mm256_mask_storeu_epi8(bytes + i, mask_of(room - i), _mm512_cvtepi16_epi8(u));
    }
}

/* The same, its quads BLOCK_LANES quads apart. */
static void pack_plane_apart(uint8_t *bytes, const int16_t *count, uint32_t length, int16_t bias,
                             uint32_t shift)
{
    for (uint32_t i = 0; i < length; i += WIDE, bytes += WIDE / QUAD * QUAD_CODES) {
        uint8_t part[WIDE];
        uint32_t left = length - i < WIDE ? length - i : WIDE;
        pack_plane(part, count + i, left, bias, shift);
        for (uint32_t q = 0; q < quad_count(left); q++)
            memcpy(bytes + (size_t)q * QUAD_CODES, part + (size_t)q * QUAD, QUAD);
    }
}

void avx512_pack(const struct count_block *counts, uint32_t inputs, uint32_t group)
{
    uint8_t *planes = planes_of(counts, inputs, group);
    size_t lane_size = 2 * QUAD * row_quads(inputs, group), quads = 0;
    if (counts->lanes > FEW_LANES && counts->lanes < BLOCK_LANES)
        memset(counts->packed, 0, BLOCK_LANES * lane_size); /* lanes that are not there */
    for (uint32_t begin = 0; begin < inputs; planes++) {
        uint32_t length = inputs - begin < group ? inputs - begin : group;
        size_t plane_size = (size_t)quad_count(length) * QUAD;
        *planes = fits_byte(counts, begin, length) ? 1 : 2;
        int16_t bias = *planes == 1 ? 128 : INT16_MIN;
        for (uint32_t lane = 0; lane < counts->lanes; lane++) {
            const int16_t *count = counts->counts + (size_t)lane * counts->stride + begin;
            if (counts->lanes <= FEW_LANES) {
                uint8_t *bytes = counts->packed + lane * lane_size + quads * QUAD;
                for (uint32_t p = 0; p < *planes; p++)
                    pack_plane(bytes + p * plane_size, count, length, bias, 8 * p);
            } else {
                uint8_t *bytes = counts->packed + quads * QUAD_CODES + (size_t)lane * QUAD;
                for (uint32_t p = 0; p < *planes; p++)
                    pack_plane_apart(bytes + p * plane_size * BLOCK_LANES, count, length, bias,
                                     8 * p);
            }
        }
        quads += (size_t)*planes * quad_count(length);
        begin += length;
    }
}

/* A quad of bytes, to all sums. */
INLINE __m512i to_all(const void *bytes)
{
    int32_t quad;
    memcpy(&quad, bytes, sizeof quad);
    return _mm512_set1_epi32(quad);
}

/* sum[row] of the products of one plane of counts. Four sums at once hide the time an
 * addition takes. */
INLINE __m512i rows_dot(const int8_t *codes, const uint8_t *bytes, uint32_t quads)
{
    __m512i sum[4];
#pragma GCC unroll 4
    for (int v = 0; v < 4; v++)
        sum[v] = _mm512_setzero_si512();
    uint32_t q = 0;
    for (; quads - q >= 4; q += 4)
#pragma GCC unroll 4
        for (uint32_t v = 0; v < 4; v++) {
            const int8_t *code = codes + (size_t)(q + v) * QUAD_CODES;
            fetch(code, AHEAD);
            sum[v] = _mm512_dpbusd_epi32(sum[v], to_all(bytes + (size_t)(q + v) * QUAD),
                                         _mm512_loadu_si512(code));
        }
    for (; q < quads; q++)
        sum[0] = _mm512_dpbusd_epi32(sum[0], to_all(bytes + (size_t)q * QUAD),
                                     _mm512_loadu_si512(codes + (size_t)q * QUAD_CODES));
    return _mm512_add_epi32(_mm512_add_epi32(sum[0], sum[1]), _mm512_add_epi32(sum[2], sum[3]));
}

/* sum + scale · total in doubles, of the lower or upper eight. */
INLINE __m512d add_scaled_half(__m512d sum, __m512d scale, __m256i total)
{
    return _mm512_add_pd(sum, _mm512_mul_pd(scale, _mm512_cvtepi32_pd(total)));
}

/* total[row] and what codes of one segment exceed 8 bits by, times the segment's counts. */
INLINE __m512i add_remainder(__m512i total, const struct remainder *remainder, uint32_t length,
                             const int16_t *count, uint32_t inputs)
{
    __m512i part[4];
#pragma GCC unroll 4
    for (uint32_t v = 0; v < 4; v++) {
        uint32_t left = inputs > v * WIDE ? inputs - v * WIDE : 0;
        part[v] = _mm512_maskz_loadu_epi16(mask_of(left), count + v * WIDE);
    }
    for (uint32_t r = 0; r < length; r++) {
        fetch(&remainder[r], AHEAD / 4);
        fetch(&remainder[r], AHEAD / 4 + sizeof *remainder / 2);
        __m512i input = _mm512_cvtepu8_epi16(
            _mm256_loadu_si256((const __m256i *)(const void *)remainder[r].input));
        __mmask32 upper = _mm512_test_epi16_mask(input, _mm512_set1_epi16(SEGMENT / 2));
        __m512i s = _mm512_mask_mov_epi16(_mm512_permutex2var_epi16(part[0], input, part[1]), upper,
                                          _mm512_permutex2var_epi16(part[2], input, part[3]));
        total = _mm512_dpwssd_epi32(total, s, _mm512_loadu_si512(remainder[r].extra));
    }
    return total;
}

static void one_lane(const struct code_block *block, const int16_t *count, const uint8_t *bytes,
                     const uint8_t *planes, double *sums)
{
    const int8_t *codes = block->codes;
    uint32_t segments = segment_count(block->group);
    __m512d low = _mm512_setzero_pd(), high = _mm512_setzero_pd();
    for (uint32_t begin = 0, g = 0; begin < block->inputs; g++) {
        uint32_t left = block->inputs - begin;
        uint32_t length = left < block->group ? left : block->group, quads = quad_count(length);
        size_t at = (size_t)g * BLOCK_ROWS;
        const uint32_t *start = block->remainder_start + (size_t)g * segments;
        fetch(block->code_sums + at, AHEAD / 16);
        fetch(block->scales + at, AHEAD / 16);
        __m512i total = rows_dot(codes, bytes, quads);
        __m512i code_sum = _mm512_loadu_si512(block->code_sums + at);
        if (planes[g] == 1) {
            total = _mm512_sub_epi32(total, _mm512_slli_epi32(code_sum, 7));
        } else {
            __m512i upper = rows_dot(codes, bytes + (size_t)quads * QUAD, quads);
            total = _mm512_add_epi32(total, _mm512_slli_epi32(upper, 8));
            total = _mm512_sub_epi32(total, _mm512_slli_epi32(code_sum, 15));
        }
        for (uint32_t i = 0; i < length; i += SEGMENT, start++)
            if (start[0] < start[1])
                total = add_remainder(total, block->remainder + start[0], start[1] - start[0],
                                      count + begin + i, length - i);
        const float *scales = block->scales + at;
        low = add_scaled_half(low, _mm512_cvtps_pd(_mm256_loadu_ps(scales)),
                              _mm512_castsi512_si256(total));
        high = add_scaled_half(high, _mm512_cvtps_pd(_mm256_loadu_ps(scales + 8)),
                               _mm512_extracti64x4_epi64(total, 1));
        codes += (size_t)quads * QUAD_CODES;
        bytes += (size_t)planes[g] * quads * QUAD;
        begin += length;
    }
    _mm512_storeu_pd(sums, low);
    _mm512_storeu_pd(sums + 8, high);
}

/* Adds to sum[row] [lanes] the products of one plane of counts. */
INLINE void lanes_dot(__m512i sum[BLOCK_ROWS], const int8_t *codes, const uint8_t *bytes,
                      uint32_t quads)
{
    for (uint32_t q = 0; q < quads; q++) {
        __m512i count = _mm512_loadu_si512(bytes + (size_t)q * QUAD_CODES);
        const int8_t *code = codes + (size_t)q * QUAD_CODES;
        fetch(code, AHEAD);
#pragma GCC unroll 16
        for (int row = 0; row < BLOCK_ROWS; row++)
            sum[row] = _mm512_dpbusd_epi32(sum[row], count, to_all(code + (size_t)row * QUAD));
    }
}

/* Those extras of a segment that are not 0, each as extra << 16 | row << 8 | input. */
INLINE uint32_t list_extras(int32_t *list, const struct remainder *remainder, uint32_t length)
{
    const __m512i rows = _mm512_slli_epi32(
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), 8);
    const __m512i lower = _mm512_set1_epi32(0xffff);
    uint32_t listed = 0;
    for (uint32_t r = 0; r < length; r++) {
        __m512i input = _mm512_cvtepu8_epi16(
            _mm256_loadu_si256((const __m256i *)(const void *)remainder[r].input));
        __m512i extra = _mm512_loadu_si512(remainder[r].extra);
        __m512i first = _mm512_or_si512(_mm512_slli_epi32(extra, 16),
                                        _mm512_and_si512(input, lower));
        __m512i second = _mm512_or_si512(_mm512_andnot_si512(lower, extra),
                                         _mm512_srli_epi32(input, 16));
        __mmask16 has = _mm512_test_epi32_mask(extra, lower);
        _mm512_mask_compressstoreu_epi32(list + listed, has, _mm512_or_si512(first, rows));
        listed += (uint32_t)__builtin_popcount(has);
        has = _mm512_test_epi32_mask(extra, _mm512_slli_epi32(lower, 16));
        _mm512_mask_compressstoreu_epi32(list + listed, has, _mm512_or_si512(second, rows));
        listed += (uint32_t)__builtin_popcount(has);
    }
    return listed;
}

/* Adds to extra[row] [lanes] what codes of one segment exceed 8 bits by, times the counts. */
static void lanes_remainder(__m512i extra[BLOCK_ROWS], const struct remainder *remainder,
                            uint32_t length, const uint8_t *bytes, size_t plane_size,
                            uint8_t planes)
{
    const __m512i low_byte = _mm512_set1_epi32(0xff);
    const __m512i bias = _mm512_set1_epi32(planes == 1 ? 128 : 32768);
    int32_t list[SEGMENT * BLOCK_ROWS];
    uint32_t listed = list_extras(list, remainder, length);
    for (uint32_t i = 0; i < listed; i++) {
        uint32_t input = (uint32_t)list[i] & 0xff, row = (uint32_t)list[i] >> 8 & 0xff;
        const uint8_t *quad = bytes + (size_t)(input / QUAD) * QUAD_CODES;
        __m128i shift = _mm_cvtsi32_si128((int)(8 * (input % QUAD)));
        __m512i u = _mm512_and_si512(_mm512_srl_epi32(_mm512_loadu_si512(quad), shift), low_byte);
        if (planes == 2) {
            __m512i upper = _mm512_loadu_si512(quad + plane_size);
            upper = _mm512_and_si512(_mm512_srl_epi32(upper, shift), low_byte);
            u = _mm512_or_si512(u, _mm512_slli_epi32(upper, 8));
        }
        __m512i product = _mm512_mullo_epi32(_mm512_sub_epi32(u, bias),
                                             _mm512_set1_epi32(list[i] >> 16));
        extra[row] = _mm512_add_epi32(extra[row], product);
    }
}

/* Eight rows of eight columns, to eight columns of eight rows, `stride` doubles apart. */
INLINE void store_transposed(double *out, size_t stride, const __m512d row[8], uint32_t columns)
{
    __m512d pair[8], four[8];
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) { /* columns 0 2 4 6, and 1 3 5 7, of two rows */
        pair[i] = _mm512_unpacklo_pd(row[i], row[i + 1]);
        pair[i + 1] = _mm512_unpackhi_pd(row[i], row[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) /* columns (0, 4), (1, 5), (2, 6), (3, 7) of four rows */
#pragma GCC unroll 2
        for (int odd = 0; odd < 2; odd++) {
            __m512d a = pair[i + odd], b = pair[i + odd + 2];
            four[i + odd] = _mm512_shuffle_f64x2(a, b, 0x88);
            four[i + odd + 2] = _mm512_shuffle_f64x2(a, b, 0xdd);
        }
    __m512d column[8];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        column[i] = _mm512_shuffle_f64x2(four[i], four[i + 4], 0x88);
        column[i + 4] = _mm512_shuffle_f64x2(four[i], four[i + 4], 0xdd);
    }
#pragma GCC unroll 8
    for (uint32_t i = 0; i < 8; i++)
        if (i < columns)
            _mm512_storeu_pd(out + i * stride, column[i]);
}

static void many_lanes(const struct code_block *block, const struct count_block *counts,
                       const uint8_t *planes, double *sums)
{
    const int8_t *codes = block->codes;
    const uint8_t *bytes = counts->packed;
    uint32_t segments = segment_count(block->group);
    __m512d low[BLOCK_ROWS], high[BLOCK_ROWS]; /* [lanes] of a row, in memory */
    for (int row = 0; row < BLOCK_ROWS; row++)
        low[row] = high[row] = _mm512_setzero_pd();
    for (uint32_t begin = 0, g = 0; begin < block->inputs; g++) {
        uint32_t left = block->inputs - begin;
        uint32_t length = left < block->group ? left : block->group, quads = quad_count(length);
        const uint32_t *start = block->remainder_start + (size_t)g * segments;
        __m512i extra[BLOCK_ROWS], sum[BLOCK_ROWS];
        bool extras = start[0] < start[segments];
        for (int row = 0; extras && row < BLOCK_ROWS; row++)
            extra[row] = _mm512_setzero_si512();
        for (uint32_t i = 0; extras && i < length; i += SEGMENT, start++)
            lanes_remainder(extra, block->remainder + start[0], start[1] - start[0],
                            bytes + (size_t)i * BLOCK_LANES, (size_t)quads * QUAD_CODES,
                            planes[g]);
#pragma GCC unroll 16
        for (int row = 0; row < BLOCK_ROWS; row++)
            sum[row] = _mm512_setzero_si512();
        unsigned bias_bits = 7;
        if (planes[g] == 2) {
            lanes_dot(sum, codes, bytes + (size_t)quads * QUAD_CODES, quads);
#pragma GCC unroll 16
            for (int row = 0; row < BLOCK_ROWS; row++)
                sum[row] = _mm512_slli_epi32(sum[row], 8);
            bias_bits = 15;
        }
        lanes_dot(sum, codes, bytes, quads);
        const int32_t *code_sums = block->code_sums + (size_t)g * BLOCK_ROWS;
        const float *scales = block->scales + (size_t)g * BLOCK_ROWS;
#pragma GCC unroll 16
        for (int row = 0; row < BLOCK_ROWS; row++) {
            __m512i total = sum[row];
            if (extras)
                total = _mm512_add_epi32(total, extra[row]);
            total = _mm512_sub_epi32(
                total, _mm512_set1_epi32((int32_t)((uint32_t)code_sums[row] << bias_bits)));
            __m512d scale = _mm512_cvtps_pd(_mm256_set1_ps(scales[row]));
            low[row] = add_scaled_half(low[row], scale, _mm512_castsi512_si256(total));
            high[row] = add_scaled_half(high[row], scale, _mm512_extracti64x4_epi64(total, 1));
        }
        codes += (size_t)quads * QUAD_CODES;
        bytes += (size_t)planes[g] * quads * QUAD_CODES;
        begin += length;
    }
    for (uint32_t row = 0; row < BLOCK_ROWS; row += 8) {
        store_transposed(sums + row, BLOCK_ROWS, low + row, counts->lanes);
        if (counts->lanes > 8)
            store_transposed(sums + 8 * BLOCK_ROWS + row, BLOCK_ROWS, high + row,
                             counts->lanes - 8);
    }
}

void avx512_integrate(const struct code_block *codes, const struct count_block *counts,
                      double *sums)
{
    const uint8_t *planes = planes_of(counts, codes->inputs, codes->group);
    if (counts->lanes > FEW_LANES) {
        many_lanes(codes, counts, planes, sums);
        return;
    }
    size_t lane_size = 2 * QUAD * row_quads(codes->inputs, codes->group);
    for (uint32_t lane = 0; lane < counts->lanes; lane++)
        one_lane(codes, counts->counts + (size_t)lane * counts->stride,
                 counts->packed + lane * lane_size, planes, sums + (size_t)lane * BLOCK_ROWS);
}

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
