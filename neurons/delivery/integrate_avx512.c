/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The integration of integer weights for AVX-512 with VNNI.
 *
 * One lane: vpdpbusd adds four products of an unsigned byte (a code + CODE_BIAS) and a signed one
 * (of a count) to each 32-bit sum. Four columns are interleaved where they are, eight are read at
 * a time, and the next eight are fetched meanwhile. What the bias adds is taken off by where the
 * sums begin:
 *
 *     Σ c·s = Σ (c + bias)·s - bias · Σ s
 *
 * Many lanes: the codes of a segment, whole ones of 16 bits, and the counts are laid out in pairs
 * of inputs (vpdpwssd), and each sum is a row with a lane in every place:
 *
 *     codes   [rows / 16][pairs][16 rows][2]
 *     counts  [pairs][LANES_TOGETHER][2]
 *
 * Sums wrap modulo 2^32, so only the finished one need fit.
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
    WIDTH = 16,    /* 32-bit numbers of a vector */
    SEGMENT = EXTRA_INPUTS, /* inputs that are laid out at a time */
    PAIRS = SEGMENT / 2
};

INLINE void fetch(const void *place)
{
    _mm_prefetch((const char *)place, _MM_HINT_T0);
}

/* A quad of bytes, to all sums. */
INLINE __m512i quad_to_all(const void *bytes)
{
    int32_t quad;
    memcpy(&quad, bytes, sizeof quad);
    return _mm512_set1_epi32(quad);
}

/* Adds the products of four columns and a quad of counts to the sums of 64 rows. */
INLINE void add_quad(__m512i sum[4], const uint8_t *const columns[4], uint32_t row, __m512i quad)
{
    __m512i a = _mm512_loadu_si512(columns[0] + row), b = _mm512_loadu_si512(columns[1] + row);
    __m512i c = _mm512_loadu_si512(columns[2] + row), d = _mm512_loadu_si512(columns[3] + row);
    __m512i low_ab = _mm512_unpacklo_epi8(a, b), low_cd = _mm512_unpacklo_epi8(c, d);
    __m512i high_ab = _mm512_unpackhi_epi8(a, b), high_cd = _mm512_unpackhi_epi8(c, d);
    sum[0] = _mm512_dpbusd_epi32(sum[0], _mm512_unpacklo_epi16(low_ab, low_cd), quad);
    sum[1] = _mm512_dpbusd_epi32(sum[1], _mm512_unpackhi_epi16(low_ab, low_cd), quad);
    sum[2] = _mm512_dpbusd_epi32(sum[2], _mm512_unpacklo_epi16(high_ab, high_cd), quad);
    sum[3] = _mm512_dpbusd_epi32(sum[3], _mm512_unpackhi_epi16(high_ab, high_cd), quad);
}

/* Eight columns, and those that come next. */
struct unit {
    const uint8_t *column[FIRING_UNIT], *next[FIRING_UNIT];
};

INLINE void find_unit(struct unit *unit, const struct code_band *band, const uint32_t *inputs,
                      uint32_t begin)
{
    for (uint32_t k = 0; k < FIRING_UNIT; k++) {
        unit->column[k] = band->codes + (size_t)inputs[k] * band->height + begin;
        unit->next[k] = band->codes + (size_t)inputs[k + FIRING_UNIT] * band->height + begin;
    }
}

/* Adds the products of a unit of inputs to totals [rows]. Meanwhile the next unit is fetched, and
 * `share` extras are added for every piece: work that needs no memory while there is to be waited
 * for it. Returns whether there are more of them. */
INLINE bool add_unit(uint32_t *totals, const struct unit *unit, const int8_t *bytes, uint32_t rows,
                     struct extra_walk *walk, bool more, uint32_t share)
{
    __m512i first = quad_to_all(bytes), second = quad_to_all(bytes + 4);
    for (uint32_t row = 0; row < rows; row += PIECE_ROWS) {
#pragma GCC unroll 8
        for (uint32_t k = 0; k < FIRING_UNIT; k++)
            fetch(unit->next[k] + row);
        __m512i sum[4];
#pragma GCC unroll 4
        for (uint32_t v = 0; v < 4; v++)
            sum[v] = _mm512_loadu_si512(totals + row + v * WIDTH);
        add_quad(sum, unit->column, row, first);
        add_quad(sum, unit->column + 4, row, second);
#pragma GCC unroll 4
        for (uint32_t v = 0; v < 4; v++)
            _mm512_storeu_si512(totals + row + v * WIDTH, sum[v]);
        if (more)
            more = body_walk_on(walk, share);
    }
    return more;
}

/* sums += scales · totals, in doubles. */
INLINE void add_scaled(double *sums, const float *scales, const uint32_t *totals, uint32_t rows)
{
    for (uint32_t row = 0; row < rows; row += 8) {
        __m512d scale = _mm512_cvtps_pd(_mm256_loadu_ps(scales + row));
        __m512d total = _mm512_cvtepi32_pd(_mm256_loadu_si256((const void *)(totals + row)));
        _mm512_storeu_pd(sums + row, _mm512_add_pd(_mm512_loadu_pd(sums + row),
                                                   _mm512_mul_pd(scale, total)));
    }
}

INLINE void fill(uint32_t *totals, uint32_t value, uint32_t rows)
{
    for (uint32_t row = 0; row < rows; row += WIDTH)
        _mm512_storeu_si512(totals + row, _mm512_set1_epi32((int32_t)value));
}

/* totals · 256 + value */
INLINE void raise(uint32_t *totals, uint32_t value, uint32_t rows)
{
    for (uint32_t row = 0; row < rows; row += WIDTH) {
        __m512i raised = _mm512_slli_epi32(_mm512_loadu_si512(totals + row), 8);
        _mm512_storeu_si512(totals + row,
                            _mm512_add_epi32(raised, _mm512_set1_epi32((int32_t)value)));
    }
}

void avx512_integrate(const struct code_band *band, const struct firing_list *firing,
                      uint32_t first_group, uint32_t groups, uint32_t begin, uint32_t end,
                      double *sums)
{
    _Alignas(64) uint32_t room[TOTALS_ROOM];
    uint32_t rows = end - begin, *totals = room + EXTRA_ROWS;
    memset(sums, 0, rows * sizeof *sums);
    for (uint32_t g = first_group; g < first_group + groups; g++) {
        const struct firing_group *group = &firing->groups[g];
        uint32_t bias = (uint32_t)-CODE_BIAS * (uint32_t)group->sum;
        if (group->firing == 0)
            continue; /* adding 0 would change nothing */
        fill(totals, group->high == group->low ? bias : 0, rows);
        struct unit unit;
        struct extra_walk walk;
        for (uint32_t k = group->high; k < group->low; k += FIRING_UNIT) {
            find_unit(&unit, band, firing->inputs + k, begin);
            add_unit(totals, &unit, firing->bytes + k, rows, &walk, false, 0);
        }
        if (group->high < group->low)
            raise(totals, bias, rows);
        body_walk_begin(&walk, band, g, firing->counts, begin, end, totals);
        uint32_t pieces = (group->end - group->low) / FIRING_UNIT * (rows / PIECE_ROWS);
        uint32_t share = body_walk_share(&walk, pieces);
        bool more = true;
        for (uint32_t k = group->low; k < group->end; k += FIRING_UNIT) {
            find_unit(&unit, band, firing->inputs + k, begin);
            more = add_unit(totals, &unit, firing->bytes + k, rows, &walk, more, share);
        }
        while (more)
            more = body_walk_on(&walk, share);
        add_scaled(sums, band->scales + (size_t)g * band->height + begin, totals, rows);
    }
}

/* ---- many lanes ---- */

struct segment {
    uint32_t inputs, first, pairs; /* of the inputs `inputs` from `first` on; pairs */
    _Alignas(64) int16_t codes[ROWS_TOGETHER * SEGMENT]; /* [rows / 16][pairs][16 rows][2] */
    _Alignas(64) int16_t counts[PAIRS][LANES_TOGETHER][2];
};

/* The codes of 64 rows of a pair of columns, to places of the segment that are `stride` apart. */
INLINE void widen_piece(int16_t *codes, size_t stride, __m512i a, __m512i b)
{
    const __m512i zero = _mm512_setzero_si512(), bias = _mm512_set1_epi16(CODE_BIAS);
    __m512i low = _mm512_unpacklo_epi8(a, b), high = _mm512_unpackhi_epi8(a, b);
    __m512i part[4] = {_mm512_unpacklo_epi8(low, zero), _mm512_unpackhi_epi8(low, zero),
                       _mm512_unpacklo_epi8(high, zero), _mm512_unpackhi_epi8(high, zero)};
#pragma GCC unroll 4
    for (uint32_t v = 0; v < 4; v++)
        _mm512_storeu_si512(codes + v * stride, _mm512_sub_epi16(part[v], bias));
}

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
    size_t stride = (size_t)segment->pairs * 2 * WIDTH; /* from 16 rows to the next */
    for (uint32_t p = 0; p < segment->pairs; p++) {
        uint32_t input = segment->first + 2 * p;
        const uint8_t *a = band->codes + (size_t)input * band->height, *b = a + band->height;
        bool alone = 2 * p + 1 == segment->inputs;
        for (uint32_t row = begin; row < end; row += PIECE_ROWS)
            widen_piece(segment->codes + (row - begin) / WIDTH * stride + (size_t)p * 2 * WIDTH,
                        stride, _mm512_loadu_si512(a + row),
                        alone ? _mm512_set1_epi8((char)CODE_BIAS) : _mm512_loadu_si512(b + row));
    }
    lay_out_extras(segment, band, begin, end);
}

/* Rows become columns: 16 vectors of 16 numbers of 32 bits. */
INLINE void transpose(__m512i m[WIDTH])
{
    __m512i t[WIDTH];
#pragma GCC unroll 8
    for (uint32_t i = 0; i < WIDTH; i += 2) {
        t[i] = _mm512_unpacklo_epi32(m[i], m[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(m[i], m[i + 1]);
    }
#pragma GCC unroll 4
    for (uint32_t i = 0; i < WIDTH; i += 4)
#pragma GCC unroll 2
        for (uint32_t j = 0; j < 2; j++) {
            m[i + 2 * j] = _mm512_unpacklo_epi64(t[i + j], t[i + j + 2]);
            m[i + 2 * j + 1] = _mm512_unpackhi_epi64(t[i + j], t[i + j + 2]);
        }
#pragma GCC unroll 4
    for (uint32_t i = 0; i < 4; i++) {
        __m512i low_even = _mm512_shuffle_i32x4(m[i], m[i + 4], 0x88);
        __m512i low_odd = _mm512_shuffle_i32x4(m[i], m[i + 4], 0xdd);
        __m512i high_even = _mm512_shuffle_i32x4(m[i + 8], m[i + 12], 0x88);
        __m512i high_odd = _mm512_shuffle_i32x4(m[i + 8], m[i + 12], 0xdd);
        t[i] = _mm512_shuffle_i32x4(low_even, high_even, 0x88);
        t[i + 8] = _mm512_shuffle_i32x4(low_even, high_even, 0xdd);
        t[i + 4] = _mm512_shuffle_i32x4(low_odd, high_odd, 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(low_odd, high_odd, 0xdd);
    }
    memcpy(m, t, sizeof t);
}

/* Lanes that are not there, and the second of a last pair alone, have counts 0. */
static void lay_out_counts(struct segment *segment, const struct count_block *counts)
{
    for (uint32_t lane = 0; lane < counts->lanes; lane += WIDTH)
        for (uint32_t p = 0; p < segment->pairs; p += WIDTH) {
            uint32_t left = segment->inputs - 2 * p; /* counts */
            __mmask32 mask = left < 2 * WIDTH ? (1U << left) - 1 : UINT32_MAX;
            __m512i m[WIDTH];
            for (uint32_t i = 0; i < WIDTH; i++)
                m[i] = lane + i < counts->lanes
                           ? _mm512_maskz_loadu_epi16(mask, counts->counts +
                                                                (lane + i) * counts->stride +
                                                                segment->first + 2 * p)
                           : _mm512_setzero_si512();
            transpose(m);
            for (uint32_t i = 0; i < WIDTH; i++)
                _mm512_store_si512(segment->counts[p + i][lane], m[i]);
        }
}

/* Adds the products of a segment to the sums of 16 rows and 16 lanes. */
INLINE void add_segment(__m512i sum[WIDTH], const struct segment *segment, uint32_t row,
                        uint32_t lane)
{
    const int16_t *codes = segment->codes + (size_t)row * segment->pairs * 2;
    for (uint32_t p = 0; p < segment->pairs; p++, codes += 2 * WIDTH) {
        __m512i count = _mm512_load_si512(segment->counts[p][lane]);
#pragma GCC unroll 16
        for (uint32_t i = 0; i < WIDTH; i++)
            sum[i] = _mm512_dpwssd_epi32(sum[i], count, quad_to_all(codes + 2 * i));
    }
}

INLINE void add_scaled_lanes(double *sums, double scale, __m512i total)
{
    __m512d scales = _mm512_set1_pd(scale);
    __m512d low = _mm512_mul_pd(scales, _mm512_cvtepi32_pd(_mm512_castsi512_si256(total)));
    __m512d high = _mm512_mul_pd(scales, _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(total, 1)));
    _mm512_storeu_pd(sums, _mm512_add_pd(_mm512_loadu_pd(sums), low));
    _mm512_storeu_pd(sums + 8, _mm512_add_pd(_mm512_loadu_pd(sums + 8), high));
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
            __m512i sum[WIDTH];
#pragma GCC unroll 16
            for (uint32_t i = 0; i < WIDTH; i++)
                sum[i] = totals != NULL ? _mm512_loadu_si512(&totals[row + i][lane])
                                        : _mm512_setzero_si512();
            add_segment(sum, segment, row, lane);
#pragma GCC unroll 16
            for (uint32_t i = 0; i < WIDTH; i++)
                if (last)
                    add_scaled_lanes(sums + (size_t)(row + i) * LANES_TOGETHER + lane,
                                     (double)scales[row + i], sum[i]);
                else
                    _mm512_storeu_si512(&totals[row + i][lane], sum[i]);
        }
}

void avx512_integrate_lanes(const struct code_band *band, const struct count_block *counts,
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
