/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Window attention in 8 bits for AVX-512 with VNNI: key_block.h says what is computed. All sums are
 * of integers and exact, so that their order does not matter.
 */
#include "neurons/delivery/kernels_versions.h"

#ifdef KERNELS_X86
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(                                                                      \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#endif

#define INLINE static inline __attribute__((always_inline))

/* 32 codes in 16 bits each. */
INLINE __m512i widen(const int8_t *codes)
{
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)codes));
}

/* `queries` queries and `count` (1 or 2) blocks from `block` on, both constants where this is
 * inlined. */
INLINE void meet_blocks(const struct key_meeting *m, uint32_t query, uint32_t queries,
                        uint32_t block, uint32_t count)
{
    size_t block_bytes = (size_t)m->pairs * KEY_POSITIONS * 2;
    const int8_t *codes = m->codes + block * block_bytes;
    const int16_t *counts = m->counts + (size_t)query * 2 * m->pairs;
    __m512i sum[QUERIES_TOGETHER][2];
#pragma GCC unroll 7
    for (uint32_t q = 0; q < queries; q++)
        sum[q][0] = sum[q][1] = _mm512_setzero_si512();
    for (uint32_t c = 0; c < m->pairs; c++, codes += 2 * KEY_POSITIONS) {
        __m512i first = widen(codes), second = first;
        if (count == 2)
            second = widen(codes + block_bytes);
#pragma GCC unroll 7
        for (uint32_t q = 0; q < queries; q++) {
            __m512i pair = _mm512_set1_epi32(code_pair_at(counts + 2 * ((size_t)q * m->pairs + c)));
            sum[q][0] = _mm512_dpwssd_epi32(sum[q][0], first, pair);
            if (count == 2)
                sum[q][1] = _mm512_dpwssd_epi32(sum[q][1], second, pair);
        }
    }
    int32_t *dots = m->dots + query * m->stride + (size_t)block * KEY_POSITIONS;
#pragma GCC unroll 7
    for (uint32_t q = 0; q < queries; q++)
        for (uint32_t b = 0; b < count; b++)
            _mm512_storeu_si512(dots + q * m->stride + (size_t)b * KEY_POSITIONS, sum[q][b]);
}

INLINE void meet_queries(const struct key_meeting *m, uint32_t query, uint32_t queries)
{
    uint32_t block = 0;
    for (; m->blocks - block >= 2; block += 2)
        meet_blocks(m, query, queries, block, 2);
    if (block < m->blocks)
        meet_blocks(m, query, queries, block, 1);
}

void avx512_meet_keys(const struct key_meeting *m)
{
    for (uint32_t query = 0, queries; query < m->queries; query += queries) {
        queries = queries_together(m->queries - query);
        switch (queries) {
        case QUERIES_TOGETHER: meet_queries(m, query, QUERIES_TOGETHER); break;
        case 4: meet_queries(m, query, 4); break;
        case 2: meet_queries(m, query, 2); break;
        default: meet_queries(m, query, 1); break;
        }
    }
}

/* Adds high · 2^15 + low of 16 channels to their totals. */
INLINE void add_totals(int64_t *totals, __m512i high, __m512i low)
{
    __m256i highs[2] = {_mm512_castsi512_si256(high), _mm512_extracti64x4_epi64(high, 1)};
    __m256i lows[2] = {_mm512_castsi512_si256(low), _mm512_extracti64x4_epi64(low, 1)};
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
        __m512i wide = _mm512_slli_epi64(_mm512_cvtepi32_epi64(highs[i]), WEIGHT_BITS);
        wide = _mm512_add_epi64(wide, _mm512_cvtepi32_epi64(lows[i]));
        wide = _mm512_add_epi64(wide, _mm512_loadu_si512(totals + 8 * i));
        _mm512_storeu_si512(totals + 8 * i, wide);
    }
}

/* 16 channels from `channel` of a column on, for blocks begin … end-1, so few that 32 bits hold the
 * sums. */
INLINE void weigh_sixteen(const struct value_weighing *w, uint32_t column, uint32_t channel,
                          uint32_t query, uint32_t queries, uint32_t begin, uint32_t end)
{
    __m512i high[QUERIES_TOGETHER], low[QUERIES_TOGETHER];
#pragma GCC unroll 7
    for (uint32_t q = 0; q < queries; q++)
        high[q] = low[q] = _mm512_setzero_si512();
    const int8_t *codes = w->codes + column * w->column_bytes +
                          (size_t)begin * (KEY_POSITIONS / 2) * VALUE_ROW + 2 * channel;
    const int32_t *weights = w->weights + query * w->stride + (size_t)begin * KEY_POSITIONS;
    size_t stride = w->stride;
    for (uint32_t t = 0; t < (end - begin) * KEY_POSITIONS; t += 2, codes += VALUE_ROW) {
        __m512i code = widen(codes);
#pragma GCC unroll 7
        for (uint32_t q = 0; q < queries; q++) {
            __m512i pair = _mm512_set1_epi32(weights[t + q * stride]);
            high[q] = _mm512_dpwssd_epi32(high[q], code, pair);
            pair = _mm512_set1_epi32(weights[t + 1 + q * stride]);
            low[q] = _mm512_dpwssd_epi32(low[q], code, pair);
        }
    }
#pragma GCC unroll 7
    for (uint32_t q = 0; q < queries; q++)
        add_totals(w->totals + ((size_t)(query + q) * w->columns + column) * VALUE_CHANNELS +
                       channel, high[q], low[q]);
}

INLINE void weigh_queries(const struct value_weighing *w, uint32_t query, uint32_t queries)
{
    for (uint32_t begin = 0; begin < w->blocks; begin += WEIGHED_BLOCKS) {
        uint32_t left = w->blocks - begin, blocks = left < WEIGHED_BLOCKS ? left : WEIGHED_BLOCKS;
        for (uint32_t column = 0; column < w->columns; column++)
            for (uint32_t channel = 0; channel < VALUE_CHANNELS; channel += 16)
                weigh_sixteen(w, column, channel, query, queries, begin, begin + blocks);
    }
}

void avx512_weigh_values(const struct value_weighing *w)
{
    for (uint32_t query = 0, queries; query < w->queries; query += queries) {
        queries = queries_together(w->queries - query);
        switch (queries) {
        case QUERIES_TOGETHER: weigh_queries(w, query, QUERIES_TOGETHER); break;
        case 4: weigh_queries(w, query, 4); break;
        case 2: weigh_queries(w, query, 2); break;
        default: weigh_queries(w, query, 1); break;
        }
    }
}

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
