/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Spikers: a spike is one impulse response, the signal a sum of them. What BSA and HSA share.
 *
 * Decoding convolves the spikes with a filter h: x^[t] = Σ_j h[j] · spike[t - j]. Encoding undoes
 * it: from the first tick to the last, a spike where h fits into what is left of the signal, from
 * which h is then taken away. It looks ahead: a spike at t is decided by x up to t + taps - 1.
 *
 * h is a low-pass filter by the window method, the ideal response times a Hamming window, scaled to
 * the sum `gain`. With `cutoff` in units of half the sampling rate and m = j - (taps - 1) / 2,
 *
 *     h[j] ~ sin(π cutoff m) / (π m) · (0.54 - 0.46 cos(2π j / (taps - 1))).
 *
 * `gain` is also the largest constant signal that there are spikes for, one at every tick.
 */
#ifndef VOLLEY_SPIKER_H
#define VOLLEY_SPIKER_H

#include "encoding/scheme.h"

enum { SPIKER_TAPS_LIMIT = 64, SPIKER_BLOCK = 1024 };

struct filter {
    uint32_t taps;
    double magnitude;            /* sum of |h| */
    double h[SPIKER_TAPS_LIMIT]; /* [taps], zeros behind */
};

/* What is left of a signal: SPIKER_BLOCK ticks of it and as many more as a filter may reach. */
struct remainder {
    double left[SPIKER_BLOCK + SPIKER_TAPS_LIMIT]; /* zeros behind the end of the signal */
};

/* The parameters, in this order. */
enum { SPIKER_TAPS, SPIKER_CUTOFF, SPIKER_GAIN, SPIKER_PARAMETERS };
#define SPIKER_TAPS_PARAMETER                                                                      \
    {.name = "taps", .unit = "ticks", .standard = 16, .low = 1, .high = SPIKER_TAPS_LIMIT,         \
     .whole = true, .meaning = "length of the low-pass filter"}
#define SPIKER_CUTOFF_PARAMETER                                                                    \
    {.name = "cutoff", .unit = "of half the sampling rate", .standard = 0.1, .low = 0.001,         \
     .high = 1, .tuned = true,                                                                     \
     .meaning = "where the filter lets half of the amplitude through"}

struct filter spiker_filter(const struct scheme_settings *settings);

/* Ticks begin … begin + SPIKER_BLOCK - 1, a multiple of SPIKER_BLOCK: what is left where spikes of
 * the block before have reached, and x [length] behind. To be called block after block. */
void remainder_load(struct remainder *remainder, const double *x, size_t length, size_t begin);

void spiker_decode(const struct scheme_settings *settings, const struct timed_spike *spikes,
                   size_t count, size_t length, double *x);

#endif
