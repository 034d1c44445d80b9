/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The estimator that quality_information.h defines. Invariant: bins[i] is the bin of x[i], below
 * x_bins, and every bin of x holds a value.
 */
#include "encoding/quality_information.h"

#include "encoding/arithmetic.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BINS_LEAST = 2, BINS_MOST = 256, PAIRS_PER_CELL = 5 };

static const double LN2 = 0.69314718055994530942;

struct information {
    size_t length;
    uint32_t bins_most;  /* B */
    uint32_t x_bins;     /* in use */
    uint32_t other_bins; /* of the signal last compared */
    unsigned char *bins; /* [length] */
    double *sorted;      /* [length], room */
    uint64_t *counts;    /* [B][B], of x and the other */
    double edges[BINS_MOST];
};

static int compare_values(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Cuts `values` into bins: bin k holds those from edges[k - 1] up to but without edges[k], as far
 * as there are such edges. Returns the number of bins. */
static uint32_t find_edges(struct information *information, const double *values)
{
    double *sorted = information->sorted, *edges = information->edges;
    size_t length = information->length;
    uint32_t most = information->bins_most, bins = 1;
    memcpy(sorted, values, length * sizeof *sorted);
    qsort(sorted, length, sizeof *sorted, compare_values);
    for (size_t i = 1; i < length && bins <= most; i++)
        if (sorted[i] > sorted[i - 1]) {
            if (bins < most)
                edges[bins - 1] = sorted[i];
            bins++;
        }
    if (bins <= most)
        return bins; /* one for each different value */
    bins = 1;
    for (uint32_t k = 1; k < most; k++) {
        double edge = sorted[(size_t)((double)k / most * (double)length)];
        if (edge > (bins > 1 ? edges[bins - 2] : sorted[0]))
            edges[bins++ - 1] = edge;
    }
    return bins;
}

/* How many of `edges` are not above the value. */
static inline uint32_t find_bin(const double *edges, uint32_t bins, double value)
{
    uint32_t bin = 0;
    for (uint32_t step = BINS_MOST / 2; step > 0; step /= 2)
        if (bin + step < bins && edges[bin + step - 1] <= value)
            bin += step;
    return bin;
}

struct information *information_open(const double *x, size_t length, struct error *error)
{
    struct information *information = calloc(1, sizeof *information);
    if (information != NULL) {
        double bins = floor(sqrt((double)length / PAIRS_PER_CELL));
        information->length = length;
        information->bins_most = bins < BINS_LEAST  ? BINS_LEAST
                                 : bins > BINS_MOST ? BINS_MOST : (uint32_t)bins;
        information->bins = malloc(length);
        if (length <= SIZE_MAX / sizeof(double))
            information->sorted = malloc(length * sizeof(double));
        information->counts = malloc((size_t)information->bins_most * information->bins_most *
                                     sizeof *information->counts);
    }
    if (information == NULL || information->bins == NULL || information->sorted == NULL ||
        information->counts == NULL) {
        information_close(information);
        error_no_memory(error, "the information in a signal");
        return NULL;
    }
    information->x_bins = find_edges(information, x);
    information->other_bins = 1;
    for (size_t i = 0; i < length; i++)
        information->bins[i] =
            (unsigned char)find_bin(information->edges, information->x_bins, x[i]);
    return information;
}

void information_close(struct information *information)
{
    if (information == NULL)
        return;
    free(information->bins);
    free(information->sorted);
    free(information->counts);
    free(information);
}

/* Gathers the counts of cells for their entropy. */
struct entropy {
    double sum; /* of n ln n over cells */
    uint64_t occupied;
};

static void entropy_add(struct entropy *entropy, uint64_t count)
{
    if (count == 0)
        return;
    entropy->sum += (double)count * arithmetic_log((double)count);
    entropy->occupied++;
}

/* With Miller and Madow's correction. */
static double entropy_nats(const struct entropy *entropy, double values)
{
    return arithmetic_log(values) - entropy->sum / values +
           (double)(entropy->occupied - 1) / (2 * values);
}

double information_bits(struct information *information, const double *decoded)
{
    uint32_t x_bins = information->x_bins, bins = find_edges(information, decoded);
    uint64_t *counts = information->counts, rows[BINS_MOST] = {0}, columns[BINS_MOST] = {0};
    information->other_bins = bins;
    memset(counts, 0, (size_t)x_bins * bins * sizeof *counts);
    for (size_t i = 0; i < information->length; i++)
        counts[information->bins[i] * bins + find_bin(information->edges, bins, decoded[i])]++;

    struct entropy of_x = {0, 0}, of_decoded = {0, 0}, of_both = {0, 0};
    for (uint32_t row = 0; row < x_bins; row++)
        for (uint32_t column = 0; column < bins; column++) {
            uint64_t count = counts[row * bins + column];
            rows[row] += count;
            columns[column] += count;
            entropy_add(&of_both, count);
        }
    for (uint32_t row = 0; row < x_bins; row++)
        entropy_add(&of_x, rows[row]);
    for (uint32_t column = 0; column < bins; column++)
        entropy_add(&of_decoded, columns[column]);

    double values = (double)information->length;
    double nats = entropy_nats(&of_x, values) + entropy_nats(&of_decoded, values) -
                  entropy_nats(&of_both, values);
    double most = arithmetic_log(x_bins < bins ? x_bins : bins);
    return (nats < 0 ? 0 : nats > most ? most : nats) / LN2;
}

double information_chance(const struct information *information)
{
    double freedom = (double)(information->x_bins - 1) * (information->other_bins - 1);
    return sqrt(2 * freedom) / (2 * (double)information->length * LN2);
}
