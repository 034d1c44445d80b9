/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Encoders: how a value without time (a pixel) becomes spikes, or a current, over ticks.
 *
 * A value v is first brought to the range of the input:
 *
 *     x = (v - lowest) / (highest - lowest)
 *
 * and then, for a presentation of T ticks t = 0 … T-1 and a gain g,
 *
 *     rate      a spike at each tick with probability min(1, max(0, g x)), independently
 *               (a Bernoulli process: the rate is g x / dt)
 *     latency   one spike at t = round((1 - y) (T - 1)), y = min(1, g x); none where x <= 0
 *               (time to first spike: the larger the value, the earlier)
 *     constant  no spikes, but at every tick the current g x; with the range 0 … 1 and the gain
 *               1 that is the value itself
 *
 * Chance is a function of (seed, owner, sample, tick, neuron), so a sample is encoded the same
 * whichever were encoded before it.
 *
 * A new encoder is one file that defines a struct encoder, and one line in the table in
 * encoder.c. It defines either `spikes` or `currents`.
 */
#ifndef VOLLEY_ENCODER_H
#define VOLLEY_ENCODER_H

#include "scheduler/error.h"
#include "scheduler/volley.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An encoder with its options. */
struct encoding {
    const struct encoder *encoder;
    uint32_t ticks;         /* T: how long one sample is shown */
    double gain;
    double lowest, highest; /* the values that are brought to 0 and 1 */
    uint64_t seed;
    uint32_t owner;         /* the input population, so that no two share their chance */
};

struct encoder {
    const char *name;
    const char *summary; /* one line for --help */
    /* What is fired at one tick, x [neurons]: writes at most `neurons` spikes, in order of neuron,
     * and returns how many. NULL for one that puts out currents. */
    uint32_t (*spikes)(const struct encoding *encoding, const double *x, uint32_t neurons,
                       uint64_t sample, uint32_t tick, struct spike *spikes);
    /* The currents [neurons] of one tick. NULL for one that fires. */
    void (*currents)(const struct encoding *encoding, const double *x, uint32_t neurons,
                     uint32_t tick, double *currents);
};

/* All encoders, in the order they are listed; *length says how many. */
const struct encoder *const *encoder_table(size_t *length);

/* Finds an encoder by name; NULL with the known names in `error` if there is none. */
const struct encoder *encoder_find(const char *name, struct error *error);

/* Refuses options that mean nothing: no ticks, a gain that is not a finite number of 0 or more,
 * a range that is not finite or is empty. */
bool encoding_check(const struct encoding *encoding, struct error *error);

/* x of values [neurons]; may be in place. */
void encoding_scale(const struct encoding *encoding, const double *values, uint32_t neurons,
                    double *x);

#endif
