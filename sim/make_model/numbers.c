/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Element e of a matrix takes half a word: word e / 2 of counters (0, e / 8), its lower half
 * where e is even. Row o's factor takes counter (1, o), group g's word g of counters (2, g / 4).
 * Every number is one product in single precision: the same bits everywhere.
 */
#include "sim/make_model/numbers.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "neurons/connect/distribution.h"
#include "scheduler/random.h"

enum { ELEMENTS, ROWS, GROUPS }; /* upper halves of counters */
enum { FACTOR_SHIFT = 20, SMALLEST_GROUP = 8, MOST_GROUPS = NUMBERS_CHUNK / SMALLEST_GROUP };

#define GROUP_SPREAD 0.15

/* e^(spread · z) over its root mean square, at a quantile. */
static double lognormal(double spread, double uniform)
{
    const struct distribution distribution = {.kind = DISTRIBUTION_LOGNORMAL,
                                              .a = -spread * spread,
                                              .b = spread,
                                              .low = -INFINITY,
                                              .high = INFINITY};
    return distribution_value(&distribution, uniform);
}

void numbers_prepare(struct numbers *numbers, uint64_t seed)
{
    const struct distribution codes = {.kind = DISTRIBUTION_NORMAL,
                                       .b = CODE_DEVIATION,
                                       .low = -CODE_LIMIT,
                                       .high = CODE_LIMIT,
                                       .clip = true};
    const uint32_t code_count = sizeof numbers->codes / sizeof *numbers->codes;
    const uint32_t factor_count = sizeof numbers->factors / sizeof *numbers->factors;
    numbers->seed = seed;
    for (uint32_t i = 0; i < code_count; i++)
        numbers->codes[i] = (float)distribution_value(&codes, (i + 0.5) / code_count);
    for (uint32_t i = 0; i < factor_count; i++)
        numbers->factors[i] = (float)lognormal(GROUP_SPREAD, (i + 0.5) / factor_count);
}

/* ---- matrices ---- */

static uint32_t group_of(const struct recipe *recipe)
{
    return recipe->columns < GROUP ? recipe->columns : GROUP;
}

static double row_factor(const struct recipe *recipe, const struct random_stream *stream,
                         uint64_t row)
{
    uint32_t words[4];
    if (recipe->even || !(recipe->spread > 0))
        return 1;
    random_words(stream, ROWS, (uint32_t)row, words);
    return lognormal(recipe->spread, random_uniform(words[0]));
}

/* scales[count] of the groups from `first`, a multiple of 4; count is at most NUMBERS_CHUNK. */
static void fill_scales(const struct numbers *numbers, const struct recipe *recipe,
                        const struct random_stream *stream, uint64_t first, uint32_t count,
                        float *scales)
{
    uint32_t words[NUMBERS_CHUNK];
    uint32_t each = recipe->columns / group_of(recipe); /* groups of a row */
    uint64_t row = UINT64_MAX;
    double factor = 0;
    random_words_bulk(stream, GROUPS, (uint32_t)(first / 4), (count + 3) / 4, words);
    for (uint32_t g = 0; g < count; g++) {
        if ((first + g) / each != row) {
            row = (first + g) / each;
            factor = row_factor(recipe, stream, row) * recipe->deviation / CODE_DEVIATION;
        }
        float group = recipe->even ? 1 : numbers->factors[words[g] >> FACTOR_SHIFT];
        scales[g] = (float)(factor * (double)group);
    }
}

/* out[count] = code · scale, two codes a word. */
static void fill_group(const float *codes, const uint32_t *words, uint32_t count, float scale,
                       float *out)
{
    for (uint32_t i = 0; i < count; i += 2) {
        uint32_t word = words[i / 2];
        out[i] = codes[word & 0xffff] * scale;
        out[i + 1] = codes[word >> 16] * scale;
    }
}

/* Loud columns within columns begin … begin + count - 1. */
static void lift_group(const float *codes, const uint32_t *words, uint64_t begin, uint32_t count,
                       double lift, float scale, float *out)
{
    for (uint32_t i = 0; i < count; i++)
        if ((begin + i) % LOUD_EVERY == LOUD_FIRST) {
            uint32_t word = words[i / 2];
            float code = codes[i % 2 == 0 ? word & 0xffff : word >> 16];
            out[i] = ((float)lift + 0.25F * code) * scale;
        }
}

static void fill_matrix(const struct numbers *numbers, const struct recipe *recipe,
                        const struct random_stream *stream, uint64_t begin, uint32_t length,
                        float *out)
{
    uint32_t words[NUMBERS_CHUNK / 2], group = group_of(recipe);
    float scales[MOST_GROUPS];
    random_words_bulk(stream, ELEMENTS, (uint32_t)(begin / 8), (length + 7) / 8, words);
    fill_scales(numbers, recipe, stream, begin / group, length / group, scales);
    for (uint32_t i = 0; i < length; i += group) {
        const uint32_t *own = words + i / 2;
        fill_group(numbers->codes, own, group, scales[i / group], out + i);
        if (recipe->lift != 0)
            lift_group(numbers->codes, own, (begin + i) % recipe->columns, group, recipe->lift,
                       scales[i / group], out + i);
    }
}

/* ---- vectors ---- */

static struct distribution distribution_of(const struct recipe *recipe)
{
    struct distribution distribution = {.low = -INFINITY, .high = INFINITY};
    switch (recipe->kind) {
    case RECIPE_GAINS:
        distribution.kind = DISTRIBUTION_LOGNORMAL;
        distribution.a = -recipe->spread * recipe->spread;
        distribution.b = recipe->spread;
        break;
    case RECIPE_UNIFORM:
        distribution.kind = DISTRIBUTION_UNIFORM;
        distribution.a = recipe->low;
        distribution.b = recipe->high;
        break;
    default: distribution.kind = DISTRIBUTION_NORMAL; distribution.b = recipe->deviation;
    }
    return distribution;
}

static void fill_vector(const struct recipe *recipe, const struct random_stream *stream,
                        uint64_t begin, uint32_t length, float *out)
{
    double values[NUMBERS_CHUNK];
    const struct distribution distribution = distribution_of(recipe);
    double factor = recipe->kind == RECIPE_GAINS ? recipe->deviation : 1;
    distribution_fill_from(&distribution, stream, ELEMENTS, (uint32_t)(begin / 4), length, values);
    for (uint32_t i = 0; i < length; i++) {
        bool loud = recipe->loud > 0 && (begin + i) % LOUD_EVERY == LOUD_FIRST;
        out[i] = (float)(loud ? recipe->loud : factor * values[i]);
    }
}

/* ---- any of them ---- */

static void fill_chunk(const struct numbers *numbers, const struct recipe *recipe, uint64_t begin,
                       uint32_t length, float *out)
{
    const struct random_stream stream =
        random_stream_of(numbers->seed, RANDOM_CHECKPOINT, recipe->owner);
    if (recipe->kind == RECIPE_MATRIX)
        fill_matrix(numbers, recipe, &stream, begin, length, out);
    else if (recipe->kind == RECIPE_SCALES)
        fill_scales(numbers, recipe, &stream, begin, length, out);
    else
        fill_vector(recipe, &stream, begin, length, out);
}

/* To the nearest, ties to even; finite numbers only. */
static uint16_t to_bfloat(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

void numbers_fill(const struct numbers *numbers, const struct recipe *recipe, uint64_t begin,
                  uint64_t length, enum dtype dtype, void *out)
{
    assert(begin % NUMBERS_CHUNK == 0 && (dtype == DTYPE_F32 || dtype == DTYPE_BF16));
    float chunk[NUMBERS_CHUNK];
    for (uint64_t done = 0; done < length; done += NUMBERS_CHUNK) {
        uint32_t count = length - done < NUMBERS_CHUNK ? (uint32_t)(length - done) : NUMBERS_CHUNK;
        if (dtype == DTYPE_F32) {
            fill_chunk(numbers, recipe, begin + done, count, (float *)out + done);
            continue;
        }
        fill_chunk(numbers, recipe, begin + done, count, chunk);
        uint16_t *narrow = (uint16_t *)out + done;
        for (uint32_t i = 0; i < count; i++)
            narrow[i] = to_bfloat(chunk[i]);
    }
}
