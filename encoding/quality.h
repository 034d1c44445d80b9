/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an encoding kept of a signal, and what it took. Of one channel, on the scaled values x.
 */
#ifndef VOLLEY_QUALITY_H
#define VOLLEY_QUALITY_H

#include "encoding/scheme.h"

struct quality {
    uint64_t values;     /* encoded */
    uint64_t ticks;      /* that they took */
    uint64_t spikes;     /* payloads other than 0 */
    double density;      /* spikes / (neurons x ticks) */
    double snr;          /* dB: 20 log10(RMS(x) / RMS(x - decoded)); INFINITY: exact */
    double rmse;         /* of x */
    double settling;     /* ticks until the decoded signal has come to 90 % of the way from its value
                            at the beginning to the last value of x, and stays there; NAN: never, or
                            the signal ends where it began */
    double information;  /* bits per value about x in the decoded signal (mutual information; the
                            estimator and its bias: quality.c) … */
    double information_per_spike;
    double information_per_second; /* NAN where a tick has no length */
    double link_bits;    /* bits of all messages: the address of a neuron, and payloads if graded or
                            signed */
};

/* decoded [length] as decode gave it. `tick_seconds` 0: not known. */
bool quality_of(const struct scheme_settings *settings, const double *x, const double *decoded,
                size_t length, const struct timed_spike *spikes, size_t count,
                double tick_seconds, struct quality *quality, struct error *error);

enum quality_goal { TUNE_SNR, TUNE_INFORMATION_PER_SPIKE };

/* Looks for the value of the scheme's tuned parameter that is best on x: a coarse search over its
 * range, then GSL's Brent minimiser around the best. *evaluations says how often it encoded. False
 * with error; a scheme without a tuned parameter stays as it is. */
bool quality_tune(struct scheme_settings *settings, enum quality_goal goal, const double *x,
                  size_t length, uint32_t *evaluations, struct error *error);

#endif
