/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The integration of integer weights for AVX2.
 *
 * Codes of two columns are interleaved where they are, widened to 16 bits and multiplied by a
 * pair of counts (vpmaddwd). One lane: each sum is a row; eight columns are read at a time, and
 * the next eight are fetched meanwhile. The bias of the codes is taken off by where the sums
 * begin. Many lanes: whole codes of a segment and counts are laid out in pairs of inputs, and each
 * sum is a row with a lane in every place:
 *
 *     codes   [rows / 8][pairs][8 rows][2]
 *     counts  [pairs][LANES_TOGETHER][2]
 *
 * Sums wrap modulo 2^32; only the finished one need fit.
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

#include <stdbool.h>

#define INLINE static inline __attribute__((always_inline))

enum {
    WIDTH = 8,     /* 32-bit numbers of a vector */
    SEGMENT = EXTRA_INPUTS, /* inputs that are laid out at a time */
    PAIRS = SEGMENT / 2,
    HALF_PIECE = PIECE_ROWS / 2
};

INLINE void fetch(const void *place)
{
    _mm_prefetch((const char *)place, _MM_HINT_T0);
}

INLINE __m256i load(const void *place)
{
    return _mm256_loadu_si256((const __m256i *)place);
}

INLINE void store(void *place, __m256i vector)
{
    _mm256_storeu_si256((__m256i *)place, vector);
}

/* Half a piece of two columns as pairs of 16 bits: part[v] holds rows 16 v … 16 v + 7 of the
 * first half, and the eight after them of the second. */
INLINE void widen(__m256i part[4], __m256i a, __m256i b)
{
    const __m256i zero = _mm256_setzero_si256();
    __m256i low = _mm256_unpacklo_epi8(a, b), high = _mm256_unpackhi_epi8(a, b);
    part[0] = _mm256_unpacklo_epi8(low, zero);
    part[1] = _mm256_unpackhi_epi8(low, zero);
    part[2] = _mm256_unpacklo_epi8(high, zero);
    part[3] = _mm256_unpackhi_epi8(high, zero);
}

/* A unit of inputs with their counts, in pairs. */
struct unit {
    const uint8_t *column[FIRING_UNIT], *next[FIRING_UNIT];
    int32_t pair[FIRING_UNIT / 2];
};

INLINE void find_unit(struct unit *unit, const struct code_band *band,
                      const struct firing_list *firing, uint32_t at, uint32_t end, uint32_t begin)
{
    for (uint32_t k = 0; k < FIRING_UNIT; k++) {
        unit->column[k] = band->codes + (size_t)firing->inputs[at + k] * band->height + begin;
        unit->next[k] =
            band->codes + (size_t)firing->inputs[at + k + FIRING_UNIT] * band->height + begin;
    }
    for (uint32_t k = 0; k < FIRING_UNIT; k += 2) {
        int16_t pair[2] = {at + k < end ? firing->counts[firing->inputs[at + k]] : 0,
                           at + k + 1 < end ? firing->counts[firing->inputs[at + k + 1]] : 0};
        memcpy(&unit->pair[k / 2], pair, sizeof pair);
    }
}

/* Adds its products to totals [rows]. Meanwhile the next unit is fetched, and `share` extras are
 * added for every half of a piece: work that needs no memory while there is to be waited for it.
 * Returns whether there are more of them. */
INLINE bool add_unit(uint32_t *totals, const struct unit *unit, uint32_t rows,
                     struct extra_walk *walk, bool more, uint32_t share)
{
    for (uint32_t row = 0; row < rows; row += HALF_PIECE) {
        uint32_t *total = totals + row / PIECE_ROWS * PIECE_ROWS + row % PIECE_ROWS / 4;
        __m256i sum[4];
#pragma GCC unroll 4
        for (uint32_t v = 0; v < 4; v++)
            sum[v] = load(total + 16 * v);
#pragma GCC unroll 4
        for (uint32_t k = 0; k < FIRING_UNIT; k += 2) {
            __m256i part[4], pair = _mm256_set1_epi32(unit->pair[k / 2]);
            fetch(unit->next[k] + row);
            fetch(unit->next[k + 1] + row);
            widen(part, load(unit->column[k] + row), load(unit->column[k + 1] + row));
#pragma GCC unroll 4
            for (uint32_t v = 0; v < 4; v++)
                sum[v] = _mm256_add_epi32(sum[v], _mm256_madd_epi16(part[v], pair));
        }
#pragma GCC unroll 4
        for (uint32_t v = 0; v < 4; v++)
            store(total + 16 * v, sum[v]);
        if (more)
            more = body_walk_on(walk, share);
    }
    return more;
}

/* sums += scales · totals, in doubles. */
INLINE void add_scaled(double *sums, const float *scales, const uint32_t *totals, uint32_t rows)
{
    for (uint32_t row = 0; row < rows; row += 4) {
        __m128i total = _mm_loadu_si128((const __m128i *)(const void *)(totals + row));
        __m256d product = _mm256_mul_pd(_mm256_cvtps_pd(_mm_loadu_ps(scales + row)),
                                        _mm256_cvtepi32_pd(total));
        _mm256_storeu_pd(sums + row, _mm256_add_pd(_mm256_loadu_pd(sums + row), product));
    }
}

void avx2_integrate(const struct code_band *band, const struct firing_list *firing,
                    uint32_t first_group, uint32_t groups, uint32_t begin, uint32_t end,
                    double *sums)
{
    _Alignas(32) uint32_t room[TOTALS_ROOM];
    uint32_t rows = end - begin, *totals = room + EXTRA_ROWS;
    memset(sums, 0, rows * sizeof *sums);
    for (uint32_t g = first_group; g < first_group + groups; g++) {
        const struct firing_group *group = &firing->groups[g];
        uint32_t bias = (uint32_t)-CODE_BIAS * (uint32_t)group->sum;
        if (group->firing == 0)
            continue; /* adding 0 would change nothing */
        for (uint32_t row = 0; row < rows; row += WIDTH)
            store(totals + row, _mm256_set1_epi32((int32_t)bias));
        struct extra_walk walk;
        body_walk_begin(&walk, band, g, firing->counts, begin, end, totals);
        uint32_t halves = (group->end - group->low) / FIRING_UNIT * (rows / HALF_PIECE);
        uint32_t share = body_walk_share(&walk, halves);
        bool more = true;
        for (uint32_t k = group->low; k < group->end; k += FIRING_UNIT) {
            struct unit unit;
            find_unit(&unit, band, firing, k, group->low + group->firing, begin);
            more = add_unit(totals, &unit, rows, &walk, more, share);
        }
        while (more)
            more = body_walk_on(&walk, share);
        add_scaled(sums, band->scales + (size_t)g * band->height + begin, totals, rows);
    }
}

/* ---- many lanes ---- */

struct segment {
    uint32_t inputs, first, pairs; /* of the inputs `inputs` from `first` on; pairs */
    _Alignas(32) int16_t codes[ROWS_TOGETHER * SEGMENT]; /* [rows / 8][pairs][8 rows][2] */
    _Alignas(32) int16_t counts[PAIRS][LANES_TOGETHER][2];
};

/* Makes codes whole. */
static void lay_out_extras(struct segment *segment, const struct code_band *band, uint32_t begin,
                           uint32_t end)
{
    size_t stride = (size_t)segment->pairs * 2 * WIDTH; /* from WIDTH rows to the next */
    uint32_t segments = segment_count(band->group), number = segment->first / band->group * segments +
                                                             segment->first % band->group / SEGMENT;
    for (uint32_t s = begin / EXTRA_ROWS; s <= (end - 1) / EXTRA_ROWS; s++) {
        const uint32_t *start = band->extra_start + (size_t)number * STRETCHES + s;
        for (uint32_t e = start[0]; e < start[1]; e++) {
            uint32_t row = s * EXTRA_ROWS + band->extras[e].place % EXTRA_ROWS - begin;
            uint32_t input = band->extras[e].place / EXTRA_ROWS;
            if (row < end - begin)
                segment->codes[row / WIDTH * stride + (size_t)(input / 2) * 2 * WIDTH +
                               row % WIDTH * 2 + input % 2] += band->extras[e].extra;
        }
    }
}

static void lay_out_codes(struct segment *segment, const struct code_band *band, uint32_t begin,
                          uint32_t end)
{
    const __m256i bias = _mm256_set1_epi16(CODE_BIAS);
    size_t stride = (size_t)segment->pairs * 2 * WIDTH; /* from 8 rows to the next */
    for (uint32_t p = 0; p < segment->pairs; p++) {
        uint32_t input = segment->first + 2 * p;
        const uint8_t *a = band->codes + (size_t)input * band->height, *b = a + band->height;
        bool alone = 2 * p + 1 == segment->inputs;
        for (uint32_t row = begin; row < end; row += HALF_PIECE) {
            __m256i part[4];
            uint32_t at = (row - begin) / PIECE_ROWS * PIECE_ROWS + row % PIECE_ROWS / 4;
            widen(part, load(a + row), alone ? _mm256_set1_epi8((char)CODE_BIAS) : load(b + row));
            for (uint32_t v = 0; v < 4; v++)
                store(segment->codes + (at / WIDTH + 2 * v) * stride + (size_t)p * 2 * WIDTH,
                      _mm256_sub_epi16(part[v], bias));
        }
    }
    lay_out_extras(segment, band, begin, end);
}

/* Lanes that fill up a vector, and the second of a last pair alone, have counts 0. */
static void lay_out_counts(struct segment *segment, const struct count_block *counts)
{
    for (uint32_t p = 0; p < segment->pairs; p++) {
        uint32_t first = 2 * p, both = first + 1 < segment->inputs;
        uint32_t whole = (counts->lanes + WIDTH - 1) / WIDTH * WIDTH;
        for (uint32_t lane = 0; lane < whole; lane++) {
            const int16_t *count =
                counts->counts + (size_t)lane * counts->stride + segment->first + first;
            segment->counts[p][lane][0] = lane < counts->lanes ? count[0] : 0;
            segment->counts[p][lane][1] = lane < counts->lanes && both ? count[1] : 0;
        }
    }
}

/* Adds the products of a segment to the sums of 8 rows and 8 lanes. */
INLINE void add_segment(__m256i sum[WIDTH], const struct segment *segment, uint32_t row,
                        uint32_t lane)
{
    const int16_t *codes = segment->codes + (size_t)row * segment->pairs * 2;
    for (uint32_t p = 0; p < segment->pairs; p++, codes += 2 * WIDTH) {
        __m256i count = load(segment->counts[p][lane]);
#pragma GCC unroll 8
        for (uint32_t i = 0; i < WIDTH; i++) {
            int32_t pair;
            memcpy(&pair, codes + 2 * i, sizeof pair);
            sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(count, _mm256_set1_epi32(pair)));
        }
    }
}

INLINE void add_scaled_lanes(double *sums, double scale, __m256i total)
{
    __m256d scales = _mm256_set1_pd(scale);
    __m256d low = _mm256_mul_pd(scales, _mm256_cvtepi32_pd(_mm256_castsi256_si128(total)));
    __m256d high = _mm256_mul_pd(scales, _mm256_cvtepi32_pd(_mm256_extracti128_si256(total, 1)));
    _mm256_storeu_pd(sums, _mm256_add_pd(_mm256_loadu_pd(sums), low));
    _mm256_storeu_pd(sums + 4, _mm256_add_pd(_mm256_loadu_pd(sums + 4), high));
}

/* What a group that has several segments has come to: [rows][lanes]. */
typedef uint32_t totals_of_group[ROWS_TOGETHER][LANES_TOGETHER];

/* One segment of a group. The last one scales; `totals` is NULL for the only one. */
static void integrate_segment(const struct segment *segment, uint32_t lanes, uint32_t rows,
                              uint32_t (*totals)[LANES_TOGETHER], bool last, const float *scales,
                              double *sums)
{
    for (uint32_t row = 0; row < rows; row += WIDTH)
        for (uint32_t lane = 0; lane < lanes; lane += WIDTH) {
            __m256i sum[WIDTH];
#pragma GCC unroll 8
            for (uint32_t i = 0; i < WIDTH; i++)
                sum[i] = totals != NULL ? load(&totals[row + i][lane]) : _mm256_setzero_si256();
            add_segment(sum, segment, row, lane);
#pragma GCC unroll 8
            for (uint32_t i = 0; i < WIDTH; i++)
                if (last)
                    add_scaled_lanes(sums + (size_t)(row + i) * LANES_TOGETHER + lane,
                                     (double)scales[row + i], sum[i]);
                else
                    store(&totals[row + i][lane], sum[i]);
        }
}

void avx2_integrate_lanes(const struct code_band *band, const struct count_block *counts,
                          uint32_t first_group, uint32_t groups, uint32_t begin, uint32_t end,
                          double *sums)
{
    struct segment segment;
    totals_of_group totals;
    uint32_t rows = end - begin;
    memset(sums, 0, (size_t)rows * LANES_TOGETHER * sizeof *sums);
    for (uint32_t g = first_group; g < first_group + groups; g++) {
        const float *scales = band->scales + (size_t)g * band->height + begin;
        uint32_t last, first = body_group(band, g, &last);
        bool several = last - first > SEGMENT;
        if (several)
            memset(totals, 0, rows * sizeof *totals);
        for (; first < last; first += segment.inputs) {
            segment.first = first;
            segment.inputs = last - first < SEGMENT ? last - first : SEGMENT;
            segment.pairs = (segment.inputs + 1) / 2;
            lay_out_codes(&segment, band, begin, end);
            lay_out_counts(&segment, counts);
            integrate_segment(&segment, counts->lanes, rows, several ? totals : NULL,
                              first + segment.inputs == last, scales, sums);
        }
    }
}

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
