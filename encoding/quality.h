/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an encoding kept of a signal, and what it took. Of one channel, from the scaled values x.
 *
 * What was kept is judged value by value: decoded[i] against x[i], without shifting or scaling
 * one to fit the other. So a decoder that lags or that begins at another level is worse by that,
 * as whatever uses its output would be. The definitions:
 *
 *     RMS(a)       sqrt(mean of a[i]^2), the mean of the signal included
 *     SNR          20 log10(RMS(s) / RMS(s - r)), in dB, of the signal and what came back in the
 *                  signal's own units, s = lowest + x (highest - lowest), so that the offset that
 *                  scaling adds does not count as signal. One that the signal itself has does
 *     RMSE         RMS(x - decoded), in units of the range: 0.01 is 1 % of highest - lowest
 *     settling     ticks until the decoded signal has gone 90 % of the way from decoded[0] to the
 *                  last value of x, and stays beyond; the ticks of the value with which it gets
 *                  there (of GROUP: of its window) are counted. Meant for steps
 *     information  mutual information of x[i] and decoded[i], with its estimator and bias:
 *                  quality_information.h. Values are taken one by one, so what neighbours have in
 *                  common is counted with each of them: per spike and per second it compares
 *                  schemes on one signal, and is no capacity
 *     link         a message for each spike: ceil(log2 neurons) bits for which neuron of the
 *                  channel, a sign if payloads may be negative, and if they are graded as many
 *                  bits as the largest payload needs; at least 1 bit
 *
 * The same bits on any machine. Of no values, what was kept is NAN.
 */
#ifndef VOLLEY_QUALITY_H
#define VOLLEY_QUALITY_H

#include "encoding/scheme.h"

struct quality {
    uint64_t values;     /* encoded */
    uint64_t ticks;      /* that they took */
    uint64_t spikes;     /* payloads other than 0 */
    double density;      /* spikes / (neurons x ticks) */
    double snr;          /* dB; INFINITY: exact; -INFINITY: s is 0 everywhere, r is not */
    double rmse;         /* of x */
    double settling;     /* ticks; NAN: never, or there is no way to go */
    double information;  /* bits per value */
    double information_per_spike;  /* information x values / spikes; NAN without spikes */
    double information_per_second; /* information x values / time; NAN where a tick has no length */
    double link_bits;    /* bits of all messages */
};

/* Fills `quality`. x [length] and decoded [length] as decode gave it, which must be finite; spikes
 * [count]. `tick_seconds` 0: not known. Fails if a value is no number or memory is short. */
bool quality_of(const struct scheme_settings *settings, const double *x, const double *decoded,
                size_t length, const struct timed_spike *spikes, size_t count,
                double tick_seconds, struct quality *quality, struct error *error);

/* The SNR alone; NAN of no values. */
double quality_snr(const struct scheme_settings *settings, const double *x, const double *decoded,
                   size_t length);

enum quality_goal {
    TUNE_SNR,
    /* Information beyond what chance alone gives, per spike. Beware: it rewards a decoder that
     * holds one value for long, and may end with very few spikes. */
    TUNE_INFORMATION_PER_SPIKE
};

enum { TUNE_LIMIT = 60 };

/* Looks for the value of the scheme's tuned parameter that is best on the whole of x [length]: the
 * value it has, the standard, a coarse grid over its range (logarithmic where the range covers a
 * decade or more), then GSL's Brent minimiser between the neighbours of the best. Of all that were
 * tried the best stays, the earliest of equals; so it is never worse than any of them. Several
 * tuned parameters are taken one after the other, in the scheme's order. Each is encoded with at
 * most TUNE_LIMIT times, all with start 0, and *evaluations says how often in all. Values that the
 * scheme's own check refuses are passed over.
 *
 * A scheme without a tuned parameter or without spikes stays as it is. False with error, and
 * `settings` as they were, if x is not finite or memory is short. */
bool quality_tune(struct scheme_settings *settings, enum quality_goal goal, const double *x,
                  size_t length, uint32_t *evaluations, struct error *error);

#endif
