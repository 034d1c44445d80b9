/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "encoding/train.h"

#include "encoding/vector.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    COUNT_LIMIT = 4194303, /* 2^22 - 1: rounding below is exact, and sums stay in range */
    PIECE = 1024,          /* neurons of a piece: |count| of all of them add up below 2^32 */
    PARTIAL_SUMS = 32,
};

/* What is known of some neurons of one vector. */
struct train_piece {
    double sum;        /* of |x| */
    int64_t magnitude; /* sum of |count| */
    int32_t smallest, largest;
    bool beyond; /* a count is out of range */
};

/* Pieces of one vector; they begin at multiples of PIECE within it. */
static uint32_t pieces_of_vector(const struct train *train)
{
    return train->span / PIECE + (train->span % PIECE != 0);
}

static bool take_vectors(struct train *train, uint32_t vectors, uint32_t span)
{
    train->vectors = vectors;
    train->span = span;
    train->pieces = vectors * pieces_of_vector(train);
    free(train->threshold);
    free(train->piece);
    train->threshold = calloc((size_t)train->lanes_limit * vectors, sizeof *train->threshold);
    train->piece = calloc((size_t)train->lanes_limit * train->pieces, sizeof *train->piece);
    return train->threshold != NULL && train->piece != NULL;
}

struct train *train_new(const struct coding *coding, uint32_t neurons, uint32_t vectors,
                        uint32_t lanes_limit)
{
    struct train *train = calloc(1, sizeof *train);
    if (train == NULL)
        return NULL;
    size_t lanes = lanes_limit;
    train->coding = coding;
    train->neurons = neurons;
    train->lanes_limit = lanes_limit;
    train->count = calloc(lanes * neurons, sizeof *train->count);
    train->narrow = calloc(lanes * neurons, sizeof *train->narrow);
    train->wide = calloc(lanes, sizeof *train->wide);
    bool taken = take_vectors(train, vectors, neurons / vectors);
    train->magnitude = calloc(lanes, sizeof *train->magnitude);
    train->frame = calloc(lanes, sizeof *train->frame);
    train->tick = calloc(lanes, sizeof *train->tick);
    if (!taken || train->count == NULL || train->narrow == NULL || train->wide == NULL ||
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
    free(train->piece);
    free(train->wide);
    free(train->magnitude);
    free(train->frame);
    free(train->tick);
    free(train);
}

bool train_divide(struct train *train, uint32_t span)
{
    if (span == 0 || span > train->neurons)
        span = train->neurons;
    return take_vectors(train, train->neurons / span + (train->neurons % span != 0), span);
}

/* Where a piece begins; the pieces' number gives the end. */
uint32_t train_piece_begin(const struct train *train, uint32_t piece)
{
    uint32_t share = pieces_of_vector(train);
    uint64_t begin = (uint64_t)(piece / share) * train->span + (uint64_t)(piece % share) * PIECE;
    return begin < train->neurons ? (uint32_t)begin : train->neurons;
}

/* Σ |x|: partial sums, then a tree. */
VECTOR_INLINE double sum_magnitudes(const double *values, uint32_t length)
{
    vector_eight sums[PARTIAL_SUMS / 8] = {{0}};
    const double *end = values + length;
    for (; end - values >= PARTIAL_SUMS; values += PARTIAL_SUMS)
#pragma GCC unroll 4
        for (int v = 0; v < PARTIAL_SUMS / 8; v++) {
            vector_eight x;
            memcpy(&x, values + 8 * v, sizeof x);
            sums[v] += (vector_eight)((vector_eight_bits)x & INT64_MAX);
        }
    double sum[PARTIAL_SUMS];
#pragma GCC unroll 4
    for (int v = 0; v < PARTIAL_SUMS / 8; v++)
        memcpy(sum + 8 * v, &sums[v], sizeof sums[v]);
    for (uint32_t j = 0; values < end; values++, j++)
        sum[j] += fabs(*values);
    for (uint32_t n = PARTIAL_SUMS / 2; n >= 1; n /= 2)
        for (uint32_t j = 0; j < n; j++)
            sum[j] += sum[j + n];
    return sum[0];
}
VECTOR_VERSIONS_OF(double, sum_magnitudes, (const double *values, uint32_t length),
                   (values, length))

/* What a piece becomes. */
struct round_job {
    const double *values; /* [length] */
    double threshold;
    int32_t *count;  /* [length] */
    int16_t *narrow; /* [length] */
    uint32_t length;
};

/* Adding and subtracting 1.5 · 2^52 rounds to the nearest integer, ties to even, for magnitudes
 * below 2^51. */
static const double SHIFT = 6755399441055744.0;

/* Rounds x · (1 / threshold). It is within 2^-29 of x / threshold, so that both round to the same
 * integer, unless it is nearer than that to a half; then, and close to the limit of counts and for
 * NaN, the answer is false. */
VECTOR_INLINE bool round_products(const struct round_job *job)
{
    const double *restrict x = job->values;
    int32_t *restrict s = job->count;
    double inverse = 1 / job->threshold;
    uint64_t doubtful = 0;
    for (uint32_t i = 0; i < job->length; i++) {
        double scaled = x[i] * inverse;
        bool small = fabs(scaled) < COUNT_LIMIT - 1;
        double kept = small ? scaled : 0, rounded = kept + SHIFT - SHIFT;
        bool clear = fabs(kept - rounded) < 0.5 - 0x1p-28;
        doubtful += !(small & clear);
        s[i] = (int32_t)rounded;
    }
    return doubtful == 0;
}

/* Rounds x / threshold; false if a count is out of range. */
VECTOR_INLINE bool round_quotients(const struct round_job *job)
{
    const double *restrict x = job->values;
    int32_t *restrict s = job->count;
    uint64_t beyond = 0;
    for (uint32_t i = 0; i < job->length; i++) {
        double scaled = x[i] / job->threshold;
        bool fits = fabs(scaled) <= COUNT_LIMIT;
        beyond += !fits;
        s[i] = (int32_t)((fits ? scaled : 0) + SHIFT - SHIFT);
    }
    return beyond == 0;
}

/* Loops of one kind of number each, which compilers turn into vectors. */
VECTOR_INLINE void round_piece(const struct round_job *job, struct train_piece *piece)
{
    piece->beyond = !round_products(job) && !round_quotients(job);
    const int32_t *restrict s = job->count;
    int16_t *restrict narrow = job->narrow;
    uint32_t magnitude = 0;
    int32_t smallest = INT32_MAX, largest = INT32_MIN;
    for (uint32_t i = 0; i < job->length; i++)
        magnitude += (uint32_t)(s[i] < 0 ? -s[i] : s[i]);
    for (uint32_t i = 0; i < job->length; i++) {
        smallest = s[i] < smallest ? s[i] : smallest;
        largest = s[i] > largest ? s[i] : largest;
    }
    for (uint32_t i = 0; i < job->length; i++)
        narrow[i] = (int16_t)s[i];
    piece->magnitude = magnitude;
    piece->smallest = smallest;
    piece->largest = largest;
}
VECTOR_VERSIONS(round_piece, (const struct round_job *job, struct train_piece *piece),
                (job, piece))

static struct train_piece *pieces_of_lane(const struct train *train, uint32_t lane)
{
    return train->piece + (size_t)lane * train->pieces;
}

void train_measure(struct train *train, uint32_t lane, const double *values, uint32_t begin,
                   uint32_t end, enum vector_level vector)
{
    for (uint32_t p = begin; p < end; p++) {
        uint32_t from = train_piece_begin(train, p), to = train_piece_begin(train, p + 1);
        pieces_of_lane(train, lane)[p].sum =
            sum_magnitudes_by[vector](values + from, to - from);
    }
}

/* Before it is clamped; the pieces' sums are added in their order. */
static double vector_threshold(const struct train *train, uint32_t lane, uint32_t vector, double k)
{
    uint32_t share = pieces_of_vector(train), left = train->neurons - vector * train->span;
    const struct train_piece *piece = pieces_of_lane(train, lane) + (size_t)vector * share;
    double sum = piece[0].sum;
    for (uint32_t p = 1; p < share; p++)
        sum += piece[p].sum;
    return sum / (left < train->span ? left : train->span) / k;
}

void train_fire(struct train *train, uint32_t lane, const double *values, double k, uint32_t begin,
                uint32_t end, enum vector_level vector)
{
    uint32_t share = pieces_of_vector(train);
    double threshold = 0;
    for (uint32_t p = begin; p < end; p++) {
        if (p == begin || p % share == 0)
            threshold = vector_threshold(train, lane, p / share, k);
        if (!isfinite(threshold))
            continue; /* train_settle will say so */
        double clamped = threshold < 1e-5 ? 1e-5 : threshold > 1e4 ? 1e4 : threshold;
        if (p % share == 0)
            train->threshold[(size_t)lane * train->vectors + p / share] = clamped;
        uint32_t from = train_piece_begin(train, p);
        size_t at = (size_t)lane * train->neurons + from;
        const struct round_job job = {values + from, clamped, train->count + at,
                                      train->narrow + at, train_piece_begin(train, p + 1) - from};
        round_piece_by[vector](&job, &pieces_of_lane(train, lane)[p]);
    }
}

bool train_settle(struct train *train, uint32_t lane, double k, struct error *error)
{
    for (uint32_t v = 0; v < train->vectors; v++)
        if (!isfinite(vector_threshold(train, lane, v, k)))
            return error_set(error, ERROR_FAILED,
                             "an activation is not a finite number: the weights overflow, or the "
                             "checkpoint is not of this architecture");
    const struct train_piece *piece = pieces_of_lane(train, lane);
    int32_t smallest = INT32_MAX, largest = INT32_MIN;
    int64_t magnitude = 0;
    bool beyond = false;
    for (uint32_t p = 0; p < train->pieces; p++) {
        smallest = piece[p].smallest < smallest ? piece[p].smallest : smallest;
        largest = piece[p].largest > largest ? piece[p].largest : largest;
        magnitude += piece[p].magnitude;
        beyond |= piece[p].beyond;
    }
    if (beyond)
        return error_set(error, ERROR_FAILED,
                         "a spike count exceeds %d: an activation is far above its threshold",
                         COUNT_LIMIT);
    train->magnitude[lane] = magnitude;
    train->frame[lane] = train->coding->frame(smallest, largest);
    train->wide[lane] = smallest < INT16_MIN || largest > INT16_MAX;
    return true;
}

bool train_encode(struct train *train, uint32_t lane, const double *values, double k,
                  enum vector_level vector, struct error *error)
{
    train_measure(train, lane, values, 0, train->pieces, vector);
    train_fire(train, lane, values, k, 0, train->pieces, vector);
    return train_settle(train, lane, k, error);
}

void train_seal(struct train *train, uint32_t lanes)
{
    train->lanes = lanes;
    train->fits = true;
    for (uint32_t lane = 0; lane < lanes; lane++)
        train->fits &= !train->wide[lane];
}
