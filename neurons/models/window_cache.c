/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "neurons/models/window_cache.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LOG2_E 1.44269504088896338700
#define LN_2 0.69314718055994530942

enum { STRIP = 256, EIGHT = 8 }; /* positions whose shares are found in one go */
static const double WEIGHT_MOST = (1 << 2 * WEIGHT_BITS) - 1;
static const double ROUND = 6755399441055744.0; /* 1.5 · 2^52: rounds to integers, ties to even */

typedef int32_t int_eight __attribute__((vector_size(32)));

struct window_scratch {
    size_t stride;       /* positions of all blocks that a window can touch */
    int16_t *counts;     /* [queries / keys][2 * pairs] */
    int32_t *dots;       /* [queries / keys][stride]; weights take their place */
    int32_t *more;       /* the same, for counts beyond 16 bits */
    double *factor;      /* [stride], scales of keys; infinity outside the window */
    double *ratio;       /* [stride], scales of values over the largest, times WEIGHT_MOST */
    double *sum;         /* [queries / keys], of shares that are 1 for the best position */
    int64_t *totals;     /* [queries / keys][columns * VALUE_CHANNELS] */
};

static size_t key_block_bytes(const struct window_cache *cache)
{
    return (size_t)cache->pairs * KEY_POSITIONS * 2;
}

/* Of one column of all blocks. */
static size_t column_bytes(const struct window_cache *cache)
{
    return (size_t)cache->blocks * KEY_POSITIONS * VALUE_CHANNELS;
}

bool window_cache_take(struct window_cache *cache, struct heads heads, uint32_t window,
                       uint32_t lanes, uint64_t *bytes)
{
    uint64_t positions = (uint64_t)window + lanes;
    cache->heads = heads;
    cache->window = window;
    cache->blocks = (uint32_t)((positions + KEY_POSITIONS - 1) / KEY_POSITIONS);
    cache->pairs = (heads.size + 1) / 2;
    cache->columns = (heads.size + VALUE_CHANNELS - 1) / VALUE_CHANNELS;
    size_t blocks = (size_t)heads.keys * cache->blocks;
    cache->keys = calloc(blocks, key_block_bytes(cache));
    cache->values = calloc((size_t)heads.keys * cache->columns, column_bytes(cache));
    cache->key_scale = calloc(blocks * KEY_POSITIONS, sizeof *cache->key_scale);
    cache->value_scale = calloc(blocks * KEY_POSITIONS, sizeof *cache->value_scale);
    *bytes += blocks * (key_block_bytes(cache) + 2 * KEY_POSITIONS * sizeof(double)) +
              heads.keys * cache->columns * column_bytes(cache);
    return cache->keys != NULL && cache->values != NULL && cache->key_scale != NULL &&
           cache->value_scale != NULL;
}

void window_cache_free(struct window_cache *cache)
{
    free(cache->keys);
    free(cache->values);
    free(cache->key_scale);
    free(cache->value_scale);
}

/* ---- writing ---- */

struct quantising {
    const double *values; /* [length] */
    int8_t *codes;        /* [length] */
    uint32_t length;
    double scale;
};

/* max|x|; infinity or NaN if a value is not finite. */
VECTOR_INLINE double largest_magnitude(const struct quantising *q)
{
    int64_t largest = 0; /* magnitudes are ordered as their bits are, with NaN above all */
    for (uint32_t i = 0; i < q->length; i++) {
        int64_t bits;
        memcpy(&bits, &q->values[i], sizeof bits);
        bits &= INT64_MAX;
        largest = bits > largest ? bits : largest;
    }
    double magnitude;
    memcpy(&magnitude, &largest, sizeof magnitude);
    return magnitude;
}
VECTOR_VERSIONS_OF(double, largest_magnitude, (const struct quantising *q), (q))

VECTOR_INLINE void quantise(const struct quantising *q)
{
    const double *restrict x = q->values;
    int8_t *restrict codes = q->codes;
    for (uint32_t i = 0; i < q->length; i++) {
        double scaled = x[i] / q->scale;
        scaled = scaled > 127 ? 127 : scaled;
        scaled = scaled < -128 ? -128 : scaled;
        codes[i] = (int8_t)(int32_t)(scaled + ROUND - ROUND);
    }
}
VECTOR_VERSIONS(quantise, (const struct quantising *q), (q))

static uint32_t slot_of(const struct window_cache *cache, int64_t position)
{
    return (uint32_t)(position % ((int64_t)cache->blocks * KEY_POSITIONS));
}

/* Where the codes of a head's channels stand at a position: channel i at
 * first[i / group * group_step + i % group * step]. */
struct place {
    int8_t *first;
    size_t group_step;
    uint32_t group, step;
};

static struct place key_place(const struct window_cache *cache, uint32_t head, uint32_t slot)
{
    size_t block = (size_t)head * cache->blocks + slot / KEY_POSITIONS;
    return (struct place){cache->keys + block * key_block_bytes(cache) +
                              (size_t)slot % KEY_POSITIONS * 2, KEY_POSITIONS * 2, 2, 1};
}

static struct place value_place(const struct window_cache *cache, uint32_t head, uint32_t slot)
{
    return (struct place){cache->values + head * cache->columns * column_bytes(cache) +
                              (size_t)slot / 2 * VALUE_ROW + slot % 2,
                          column_bytes(cache), VALUE_CHANNELS, 2};
}

/* Quantises one head and writes its codes. */
static bool put_head(const double *values, uint32_t size, double *scale, struct place place,
                     enum vector_level vector)
{
    int8_t codes[STRIP];
    struct quantising q = {values, codes, size, 0};
    double largest = largest_magnitude_by[vector](&q);
    if (!isfinite(largest))
        return false;
    q.scale = largest / 127;
    q.scale = q.scale < 1e-5 ? 1e-5 : q.scale > 1e4 ? 1e4 : q.scale;
    *scale = q.scale;
    for (uint32_t begin = 0; begin < size; begin += STRIP) { /* whole groups */
        q.values = values + begin;
        q.length = size - begin < STRIP ? size - begin : STRIP;
        quantise_by[vector](&q);
        int8_t *to = place.first + begin / place.group * place.group_step;
        for (uint32_t i = 0; i < q.length; to += place.group_step)
            for (uint32_t j = 0; j < place.group && i < q.length; j++, i++)
                to[j * place.step] = codes[i];
    }
    return true;
}

bool window_cache_put(struct window_cache *cache, int64_t position, const double *key,
                      const double *value, enum vector_level vector)
{
    uint32_t size = cache->heads.size, slot = slot_of(cache, position);
    for (uint32_t head = 0; head < cache->heads.keys; head++, key += size, value += size) {
        size_t at = (size_t)head * cache->blocks * KEY_POSITIONS + slot;
        if (!put_head(key, size, &cache->key_scale[at], key_place(cache, head, slot), vector) ||
            !put_head(value, size, &cache->value_scale[at], value_place(cache, head, slot),
                      vector))
            return false;
    }
    return true;
}

void window_cache_count(const struct window_cache *cache, int64_t position, int32_t by,
                        uint32_t *held)
{
    uint32_t size = cache->heads.size, slot = slot_of(cache, position);
    for (uint32_t head = 0; head < cache->heads.keys; head++, held += size) {
        const int8_t *codes = key_place(cache, head, slot).first;
        for (uint32_t i = 0; i < size; i++)
            held[i] += codes[(size_t)i / 2 * KEY_POSITIONS * 2 + i % 2] != 0 ? (uint32_t)by : 0;
    }
}

/* ---- attending ---- */

struct window_scratch *window_scratch_new(const struct window_cache *cache)
{
    struct window_scratch *scratch = calloc(1, sizeof *scratch);
    if (scratch == NULL)
        return NULL;
    size_t share = cache->heads.queries / cache->heads.keys;
    size_t blocks = ((size_t)cache->window + 2 * (KEY_POSITIONS - 1)) / KEY_POSITIONS;
    scratch->stride = blocks * KEY_POSITIONS;
    scratch->counts = calloc(share * cache->pairs, 2 * sizeof *scratch->counts);
    scratch->dots = calloc(share * scratch->stride, sizeof *scratch->dots);
    scratch->more = calloc(share * scratch->stride, sizeof *scratch->more);
    scratch->factor = calloc(scratch->stride, sizeof *scratch->factor);
    scratch->ratio = calloc(scratch->stride, sizeof *scratch->ratio);
    scratch->sum = calloc(share, sizeof *scratch->sum);
    scratch->totals = calloc(share * cache->columns * VALUE_CHANNELS, sizeof *scratch->totals);
    if (scratch->counts == NULL || scratch->dots == NULL || scratch->more == NULL ||
        scratch->factor == NULL || scratch->ratio == NULL || scratch->sum == NULL ||
        scratch->totals == NULL) {
        window_scratch_free(scratch);
        return NULL;
    }
    return scratch;
}

void window_scratch_free(struct window_scratch *scratch)
{
    if (scratch == NULL)
        return;
    free(scratch->counts);
    free(scratch->dots);
    free(scratch->more);
    free(scratch->factor);
    free(scratch->ratio);
    free(scratch->sum);
    free(scratch->totals);
    free(scratch);
}

/* The blocks that a window touches, in up to two stretches of the ring. */
struct stretch {
    uint32_t block;  /* in the ring */
    uint32_t blocks;
    size_t offset;   /* of its first position in the scratch */
};

static void find_stretches(const struct window_cache *cache, const struct window_query *query,
                           struct stretch stretches[2])
{
    int64_t begin = query->first / KEY_POSITIONS, end = query->position / KEY_POSITIONS + 1;
    uint32_t block = (uint32_t)(begin % cache->blocks), all = (uint32_t)(end - begin);
    uint32_t before = all < cache->blocks - block ? all : cache->blocks - block;
    stretches[0] = (struct stretch){block, before, 0};
    stretches[1] = (struct stretch){0, all - before, (size_t)before * KEY_POSITIONS};
}

static void meet(const struct window_cache *cache, const struct window_query *query,
                 const struct window_scratch *scratch, const struct stretch stretches[2],
                 int32_t *dots, const struct kernels *kernels)
{
    for (uint32_t s = 0; s < 2; s++) {
        const struct key_meeting meeting = {
            .codes = key_place(cache, query->head, stretches[s].block * KEY_POSITIONS).first,
            .counts = scratch->counts,
            .dots = dots + stretches[s].offset,
            .blocks = stretches[s].blocks,
            .pairs = cache->pairs,
            .queries = cache->heads.queries / cache->heads.keys,
            .stride = scratch->stride,
        };
        kernels->meet_keys(&meeting);
    }
}

/* Lays the counts' bits out for the kernel: what is above bit 15, or what is below. */
static void lay_counts(const struct window_cache *cache, const struct window_query *query,
                       const struct window_scratch *scratch, uint32_t shift, int32_t mask)
{
    uint32_t size = cache->heads.size, share = cache->heads.queries / cache->heads.keys;
    for (uint32_t r = 0; r < share; r++)
        for (uint32_t i = 0; i < size; i++)
            scratch->counts[(size_t)r * 2 * cache->pairs + i] =
                (int16_t)(query->counts[(size_t)r * size + i] >> shift & mask);
}

/* Counts beyond 16 bits meet the keys in two steps, count = high · 2^15 + low. */
static void find_dots(const struct window_cache *cache, const struct window_query *query,
                      const struct window_scratch *scratch, const struct stretch stretches[2],
                      const struct kernels *kernels)
{
    uint32_t share = cache->heads.queries / cache->heads.keys;
    bool wide = false;
    for (uint32_t i = 0; i < share * cache->heads.size; i++)
        wide |= query->counts[i] != (int16_t)query->counts[i];
    lay_counts(cache, query, scratch, 0, wide ? INT16_MAX : -1);
    meet(cache, query, scratch, stretches, scratch->dots, kernels);
    if (!wide)
        return;
    lay_counts(cache, query, scratch, 15, -1);
    meet(cache, query, scratch, stretches, scratch->more, kernels);
    for (size_t i = 0; i < share * scratch->stride; i++)
        scratch->dots[i] =
            (int32_t)((uint32_t)scratch->dots[i] + ((uint32_t)scratch->more[i] << 15));
}

/* Gives positions begin … end-1 of the scratch no share. */
static void shut_out(const struct window_cache *cache, const struct window_scratch *scratch,
                     size_t begin, size_t end)
{
    for (size_t t = begin; t < end; t++) {
        scratch->factor[t] = INFINITY;
        scratch->ratio[t] = 0;
        for (uint32_t r = 0; r < cache->heads.queries / cache->heads.keys; r++)
            scratch->dots[r * scratch->stride + t] = -1;
    }
}

/* Copies the scales, in the order of positions, and shuts out what is beside the window. Returns
 * the largest scale of a value. */
static double lay_scales(const struct window_cache *cache, const struct window_query *query,
                         const struct window_scratch *scratch, const struct stretch stretches[2])
{
    size_t ring = (size_t)query->head * cache->blocks * KEY_POSITIONS;
    for (uint32_t s = 0; s < 2; s++) {
        size_t from = ring + (size_t)stretches[s].block * KEY_POSITIONS;
        size_t bytes = (size_t)stretches[s].blocks * KEY_POSITIONS * sizeof(double);
        memcpy(scratch->factor + stretches[s].offset, cache->key_scale + from, bytes);
        memcpy(scratch->ratio + stretches[s].offset, cache->value_scale + from, bytes);
    }
    size_t begin = (size_t)(query->first % KEY_POSITIONS);
    size_t end = begin + (size_t)(query->position - query->first + 1);
    shut_out(cache, scratch, 0, begin);
    shut_out(cache, scratch, end, (end + KEY_POSITIONS - 1) / KEY_POSITIONS * KEY_POSITIONS);
    double largest = 0;
    for (size_t t = begin; t < end; t++)
        largest = scratch->ratio[t] > largest ? scratch->ratio[t] : largest;
    double unit = WEIGHT_MOST / largest;
    for (size_t t = begin; t < end; t++)
        scratch->ratio[t] *= unit;
    return largest;
}

/* The scores of one query head, dots · factor · scale in powers of 2, and what comes of them. */
struct sharing {
    int32_t *dots; /* [length], replaced by weights as value_weighing has them */
    const double *factor, *ratio; /* [length] */
    size_t length;               /* whole blocks */
    double scale;
};

VECTOR_INLINE double largest_score(const struct sharing *sharing)
{
    double each[EIGHT], largest;
    vector_eight best = {0};
    best -= INFINITY;
    for (size_t t = 0; t < sharing->length; t += EIGHT) {
        int_eight dots;
        vector_eight factor;
        memcpy(&dots, sharing->dots + t, sizeof dots);
        memcpy(&factor, sharing->factor + t, sizeof factor);
        vector_eight score = __builtin_convertvector(dots, vector_eight) * factor;
        vector_eight_bits more = score > best;
        best = (vector_eight)(((vector_eight_bits)score & more) |
                              ((vector_eight_bits)best & ~more));
    }
    memcpy(each, &best, sizeof each);
    largest = each[0];
    for (uint32_t j = 1; j < EIGHT; j++)
        largest = each[j] > largest ? each[j] : largest;
    return largest;
}

/* 2^x for x <= 0, 0 below -1000, to within 2^-40: its use is to be rounded to 30 bits. */
VECTOR_INLINE double power_of_two(double x)
{
    x = x < -1000 ? -1000 : x;
    double shifted = x + ROUND, y = (x - (shifted - ROUND)) * LN_2;
    double sum = 1.0 / 3628800;
    sum = sum * y + 1.0 / 362880;
    sum = sum * y + 1.0 / 40320;
    sum = sum * y + 1.0 / 5040;
    sum = sum * y + 1.0 / 720;
    sum = sum * y + 1.0 / 120;
    sum = sum * y + 1.0 / 24;
    sum = sum * y + 1.0 / 6;
    sum = sum * y + 0.5;
    sum = sum * y + 1.0;
    double value = sum * y + 1.0;
    uint64_t exponent, bits; /* the integer part, in the low bits of `shifted` */
    memcpy(&exponent, &shifted, sizeof exponent);
    memcpy(&bits, &value, sizeof bits);
    bits += exponent << 52;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Two weights as value_weighing has them. */
VECTOR_INLINE uint64_t halves_of_two(uint64_t first, uint64_t second)
{
    const uint64_t half = (1 << WEIGHT_BITS) - 1;
    return (first >> WEIGHT_BITS & half) | (second >> WEIGHT_BITS & half) << 16 |
           (first & half) << 32 | (second & half) << 48;
}

/* Finds the weights and returns the sum of 2^(score - largest): by the place within a block, then
 * a tree. */
VECTOR_INLINE double find_weights(const struct sharing *sharing)
{
    double largest = largest_score(sharing), scale = sharing->scale;
    double power[STRIP], each[KEY_POSITIONS];
    uint64_t weight[STRIP], words[STRIP / 2];
    vector_eight total[2] = {{0}, {0}};
    for (size_t begin = 0; begin < sharing->length; begin += STRIP) {
        size_t left = sharing->length - begin, length = left < STRIP ? left : STRIP;
        const int32_t *dots = sharing->dots + begin;
        const double *restrict factor = sharing->factor + begin;
        const double *restrict ratio = sharing->ratio + begin;
        for (size_t t = 0; t < length; t++)
            power[t] = power_of_two(((double)dots[t] * factor[t] - largest) * scale);
        for (size_t t = 0; t < length; t += KEY_POSITIONS) {
            vector_eight some[2];
            memcpy(some, power + t, sizeof some);
            total[0] += some[0];
            total[1] += some[1];
        }
        for (size_t t = 0; t < length; t++) {
            double shifted = power[t] * ratio[t] + ROUND;
            memcpy(&weight[t], &shifted, sizeof shifted); /* its low bits are the weight */
        }
        for (size_t t = 0; t < length / 2; t++)
            words[t] = halves_of_two(weight[2 * t], weight[2 * t + 1]);
        memcpy(sharing->dots + begin, words, length * sizeof *dots);
    }
    memcpy(each, total, sizeof each);
    for (uint32_t n = KEY_POSITIONS / 2; n >= 1; n /= 2)
        for (uint32_t j = 0; j < n; j++)
            each[j] += each[j + n];
    return each[0];
}
VECTOR_VERSIONS_OF(double, find_weights, (const struct sharing *sharing), (sharing))

static void weigh(const struct window_cache *cache, const struct window_query *query,
                  const struct window_scratch *scratch, const struct stretch stretches[2],
                  const struct kernels *kernels)
{
    uint32_t share = cache->heads.queries / cache->heads.keys;
    memset(scratch->totals, 0,
           (size_t)share * cache->columns * VALUE_CHANNELS * sizeof *scratch->totals);
    for (uint32_t s = 0; s < 2; s++) {
        const struct value_weighing weighing = {
            .codes = value_place(cache, query->head, stretches[s].block * KEY_POSITIONS).first,
            .weights = scratch->dots + stretches[s].offset,
            .totals = scratch->totals,
            .blocks = stretches[s].blocks,
            .columns = cache->columns,
            .queries = share,
            .stride = scratch->stride,
            .column_bytes = column_bytes(cache),
        };
        kernels->weigh_values(&weighing);
    }
}

void window_cache_attend(const struct window_cache *cache, const struct window_query *query,
                         struct window_scratch *scratch, const struct kernels *kernels)
{
    uint32_t size = cache->heads.size, share = cache->heads.queries / cache->heads.keys;
    double root = sqrt(size);
    struct stretch stretches[2];
    find_stretches(cache, query, stretches);
    find_dots(cache, query, scratch, stretches, kernels);
    double largest = lay_scales(cache, query, scratch, stretches);
    for (uint32_t r = 0; r < share; r++) {
        const struct sharing sharing = {
            .dots = scratch->dots + r * scratch->stride,
            .factor = scratch->factor,
            .ratio = scratch->ratio,
            .length = stretches[1].offset + (size_t)stretches[1].blocks * KEY_POSITIONS,
            .scale = query->threshold[r] / root * LOG2_E,
        };
        scratch->sum[r] = find_weights_by[kernels->vector](&sharing);
    }
    weigh(cache, query, scratch, stretches, kernels);
    for (uint32_t r = 0; r < share; r++) {
        const int64_t *total = scratch->totals + (size_t)r * cache->columns * VALUE_CHANNELS;
        double factor = largest / WEIGHT_MOST / scratch->sum[r];
        for (uint32_t j = 0; j < size; j++)
            query->output[(size_t)r * size + j] = (double)total[j] * factor;
    }
}
