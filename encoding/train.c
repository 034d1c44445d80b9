/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "encoding/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT_LIMIT = 4194303 }; /* 2^22 - 1: rounding below is exact, and sums stay in range */

struct train *train_new(const struct coding *coding, uint32_t neurons, uint32_t vectors,
                        uint32_t lanes_limit)
{
    struct train *train = calloc(1, sizeof *train);
    if (train == NULL)
        return NULL;
    size_t lanes = lanes_limit;
    train->coding = coding;
    train->neurons = neurons;
    train->vectors = vectors;
    train->span = neurons / vectors;
    train->lanes_limit = lanes_limit;
    train->count = calloc(lanes * neurons, sizeof *train->count);
    train->narrow = calloc(lanes * neurons, sizeof *train->narrow);
    train->threshold = calloc(lanes * vectors, sizeof *train->threshold);
    train->magnitude = calloc(lanes, sizeof *train->magnitude);
    train->frame = calloc(lanes, sizeof *train->frame);
    train->tick = calloc(lanes, sizeof *train->tick);
    if (train->count == NULL || train->narrow == NULL || train->threshold == NULL ||
        train->magnitude == NULL || train->frame == NULL || train->tick == NULL) {
        train_free(train);
        return NULL;
    }
    return train;
}

void train_free(struct train *train)
{
    if (train == NULL)
        return;
    free(train->count);
    free(train->narrow);
    free(train->threshold);
    free(train->magnitude);
    free(train->frame);
    free(train->tick);
    free(train);
}

bool train_divide(struct train *train, uint32_t span)
{
    if (span == 0 || span > train->neurons)
        span = train->neurons;
    uint32_t vectors = train->neurons / span + (train->neurons % span != 0);
    double *threshold = calloc((size_t)train->lanes_limit * vectors, sizeof *threshold);
    if (threshold == NULL)
        return false;
    free(train->threshold);
    train->threshold = threshold;
    train->vectors = vectors;
    train->span = span;
    return true;
}

/* mean|x| of `length` values: eight partial sums, then a tree. */
static double mean_magnitude(const double *values, uint32_t length)
{
    double sum[8] = {0};
    uint32_t i = 0;
    for (; i + 8 <= length; i += 8)
        for (uint32_t j = 0; j < 8; j++)
            sum[j] += fabs(values[i + j]);
    for (uint32_t j = 0; i < length; i++, j++)
        sum[j] += fabs(values[i]);
    for (uint32_t n = 4; n >= 1; n /= 2)
        for (uint32_t j = 0; j < n; j++)
            sum[j] += sum[j + n];
    return sum[0] / length;
}

bool train_encode(struct train *train, uint32_t lane, const double *values, double k,
                  struct error *error)
{
    /* Adding and subtracting 1.5 · 2^52 rounds to the nearest integer, ties to even,
     * for magnitudes below 2^51. */
    const double shift = 6755399441055744.0;
    int32_t *count = train->count + (size_t)lane * train->neurons;
    int64_t magnitude = 0;
    bool in_range = true;
    for (uint32_t v = 0; v < train->vectors; v++) {
        size_t first = (size_t)v * train->span;
        uint32_t left = train->neurons - (uint32_t)first;
        uint32_t length = left < train->span ? left : train->span;
        const double *x = values + first;
        int32_t *s = count + first;
        double threshold = mean_magnitude(x, length) / k;
        if (!isfinite(threshold))
            return error_set(error, ERROR_FAILED,
                             "an activation is not a finite number: the weights overflow, or the "
                             "checkpoint is not of this architecture");
        threshold = threshold < 1e-5 ? 1e-5 : threshold > 1e4 ? 1e4 : threshold;
        train->threshold[(size_t)lane * train->vectors + v] = threshold;
        /* Loops of one kind of number each, which compilers turn into vectors. */
        uint64_t beyond = 0;
        for (uint32_t i = 0; i < length; i++) {
            double scaled = x[i] / threshold;
            bool fits = fabs(scaled) <= COUNT_LIMIT;
            beyond += !fits;
            s[i] = (int32_t)((fits ? scaled : 0) + shift - shift);
        }
        for (uint32_t i = 0; i < length; i++)
            magnitude += s[i] < 0 ? -s[i] : s[i];
        in_range &= beyond == 0;
    }
    if (!in_range)
        return error_set(error, ERROR_FAILED,
                         "a spike count exceeds %d: an activation is far above its threshold",
                         COUNT_LIMIT);
    train->magnitude[lane] = magnitude;
    train->frame[lane] = coding_frame(train->coding, count, train->neurons);
    int16_t *narrow = train->narrow + (size_t)lane * train->neurons;
    for (uint32_t i = 0; i < train->neurons; i++)
        narrow[i] = (int16_t)count[i];
    return true;
}

void train_seal(struct train *train, uint32_t lanes)
{
    train->lanes = lanes;
    train->fits = true;
    for (size_t i = 0, end = (size_t)lanes * train->neurons; i < end; i++)
        train->fits &= train->narrow[i] == train->count[i];
}
