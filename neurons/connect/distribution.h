/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Numbers that a description gives either as a constant or as a distribution, drawn by the
 * inverse of its cumulative function from one counter-based uniform number each. The same bits
 * on every processor.
 */
#ifndef VOLLEY_DISTRIBUTION_H
#define VOLLEY_DISTRIBUTION_H

#include "scheduler/error.h"
#include "scheduler/random.h"

#include <stdbool.h>

enum distribution_kind {
    DISTRIBUTION_CONSTANT,   /* a */
    DISTRIBUTION_UNIFORM,    /* from a to b */
    DISTRIBUTION_NORMAL,     /* mean a, standard deviation b */
    DISTRIBUTION_LOGNORMAL,  /* mean a, standard deviation b of the logarithm */
    DISTRIBUTION_EXPONENTIAL /* mean a */
};

/* Confined to low … high by redrawing (that is: the distribution conditional on lying there), or,
 * if `clip`, by moving what lies beyond to the edge. A constant is not confined. */
struct distribution {
    enum distribution_kind kind;
    double a, b;
    double low, high; /* -INFINITY and INFINITY where open */
    bool clip;
};

/* Refuses what cannot be drawn: numbers that are not finite (low and high may be infinite), b < 0
 * (uniform: b < a), a mean of an exponential that is not above 0, low >= high, no probability
 * between low and high. The functions below take a distribution that has passed. */
bool distribution_check(const struct distribution *distribution, struct error *error);

/* The value at a uniform number in (0, 1). The conditional distribution is drawn by confining the
 * uniform number to the cumulative function of low … high, so one number is enough. */
double distribution_value(const struct distribution *distribution, double uniform);

/* The probability of a value of at most `value`: the inverse of distribution_value. */
double distribution_cumulative(const struct distribution *distribution, double value);

/* values[i] for the counter (0, i / 4), word i % 4. */
void distribution_fill(const struct distribution *distribution, const struct random_stream *stream,
                       uint32_t length, double *values);
/* values[i] for the counter (high, low + i / 4), word i % 4. */
void distribution_fill_from(const struct distribution *distribution,
                            const struct random_stream *stream, uint64_t high, uint32_t low,
                            uint32_t length, double *values);

#endif
