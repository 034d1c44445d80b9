/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Window attention in 8 bits for AVX2: key_block.h says what is computed. All sums are of integers
 * and exact, so that their order does not matter.
 */
#include "neurons/delivery/kernels_versions.h"

#ifdef KERNELS_X86
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC target("avx2")
#endif

#define INLINE static inline __attribute__((always_inline))

/* 16 codes in 16 bits each. */
INLINE __m256i widen(const int8_t *codes)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)codes));
}

/* Eight positions from `position` on; `queries` is a constant where this is inlined. */
INLINE void meet_eight(const struct key_meeting *m, uint32_t query, uint32_t queries,
                       uint32_t position)
{
    const int8_t *codes = m->codes + (size_t)(position / KEY_POSITIONS) * m->pairs *
                                         KEY_POSITIONS * 2 + (size_t)position % KEY_POSITIONS * 2;
    const int16_t *counts = m->counts + (size_t)query * 2 * m->pairs;
    __m256i sum[QUERIES_TOGETHER];
#pragma GCC unroll 7
    for (uint32_t q = 0; q < queries; q++)
        sum[q] = _mm256_setzero_si256();
    for (uint32_t c = 0; c < m->pairs; c++, codes += 2 * KEY_POSITIONS) {
        __m256i code = widen(codes);
#pragma GCC unroll 7
        for (uint32_t q = 0; q < queries; q++) {
            __m256i pair = _mm256_set1_epi32(code_pair_at(counts + 2 * ((size_t)q * m->pairs + c)));
            sum[q] = _mm256_add_epi32(sum[q], _mm256_madd_epi16(code, pair));
        }
    }
#pragma GCC unroll 7
    for (uint32_t q = 0; q < queries; q++)
        _mm256_storeu_si256((__m256i *)(m->dots + (query + q) * m->stride + position), sum[q]);
}

INLINE void meet_queries(const struct key_meeting *m, uint32_t query, uint32_t queries)
{
    for (uint32_t position = 0; position < m->blocks * KEY_POSITIONS; position += 8)
        meet_eight(m, query, queries, position);
}

void avx2_meet_keys(const struct key_meeting *m)
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

/* Adds high · 2^15 + low of 8 channels to their totals. */
INLINE void add_totals(int64_t *totals, __m256i high, __m256i low)
{
    __m128i highs[2] = {_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1)};
    __m128i lows[2] = {_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1)};
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
        __m256i *total = (__m256i *)(totals + 4 * i);
        __m256i wide = _mm256_slli_epi64(_mm256_cvtepi32_epi64(highs[i]), WEIGHT_BITS);
        wide = _mm256_add_epi64(wide, _mm256_cvtepi32_epi64(lows[i]));
        _mm256_storeu_si256(total, _mm256_add_epi64(wide, _mm256_loadu_si256(total)));
    }
}

/* Eight channels from `channel` of a column on, for blocks begin … end-1, so few that 32 bits hold
 * the sums. */
INLINE void weigh_eight(const struct value_weighing *w, uint32_t column, uint32_t channel,
                        uint32_t query, uint32_t queries, uint32_t begin, uint32_t end)
{
    __m256i high[QUERIES_TOGETHER], low[QUERIES_TOGETHER];
#pragma GCC unroll 7
    for (uint32_t q = 0; q < queries; q++)
        high[q] = low[q] = _mm256_setzero_si256();
    const int8_t *codes = w->codes + column * w->column_bytes +
                          (size_t)begin * (KEY_POSITIONS / 2) * VALUE_ROW + 2 * channel;
    const int32_t *weights = w->weights + query * w->stride + (size_t)begin * KEY_POSITIONS;
    for (uint32_t t = 0; t < (end - begin) * KEY_POSITIONS; t += 2, codes += VALUE_ROW) {
        __m256i code = widen(codes);
#pragma GCC unroll 7
        for (uint32_t q = 0; q < queries; q++) {
            __m256i pair = _mm256_set1_epi32(weights[t + q * w->stride]);
            high[q] = _mm256_add_epi32(high[q], _mm256_madd_epi16(code, pair));
            pair = _mm256_set1_epi32(weights[t + 1 + q * w->stride]);
            low[q] = _mm256_add_epi32(low[q], _mm256_madd_epi16(code, pair));
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
            for (uint32_t channel = 0; channel < VALUE_CHANNELS; channel += 8)
                weigh_eight(w, column, channel, query, queries, begin, begin + blocks);
    }
}

void avx2_weigh_values(const struct value_weighing *w)
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
