/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A level that moves by steps: what the schemes of changes share.
 *
 * The sender and the receiver hold the same whole number, the level, and the signal it stands for,
 *
 *     x^ = start + level · step.
 *
 * A spike's payload is what the level moves by. Before the first tick the level is 0, so both
 * take the signal to be `start`. That is a parameter, since x[0] is not sent: what is published
 * tells the receiver x[0] beside the spikes, which is start=x[0] here. As the level is a whole
 * number, nothing is rounded twice, and a long signal drifts no more than a short one.
 */
#ifndef VOLLEY_STEPS_H
#define VOLLEY_STEPS_H

#include "encoding/scheme.h"

#include <math.h>

/* The level stays within ±STEPS_LIMIT, and so fit payloads, differences of two levels. */
#define STEPS_LIMIT 1073741823

/* The parameter of all of them. */
#define STEPS_START                                                                                \
    {.name = "start", .unit = "of the range", .standard = 0, .low = 0, .high = 1,                  \
     .meaning = "what the receiver takes the signal to be before the first tick"}

/* x in steps from `start`, within the limit. */
static inline double steps_of(double x, double start, double step)
{
    double steps = (x - start) / step;
    steps = steps < STEPS_LIMIT ? steps : STEPS_LIMIT;
    return steps > -STEPS_LIMIT ? steps : -STEPS_LIMIT;
}

/* Floor and ceiling of what steps_of gave; the C library's would be calls on plain x86-64. */
static inline int32_t steps_floor(double steps)
{
    int32_t whole = (int32_t)steps;
    return whole - (whole > steps);
}

static inline int32_t steps_ceiling(double steps)
{
    int32_t whole = (int32_t)steps;
    return whole + (whole < steps);
}

/* Writes a spike of `payload`, which counts unless it is 0; returns the new count. Without a
 * branch, as nobody can guess when a signal moves. Needs room for one spike more than count. */
static inline size_t steps_fire(struct timed_spike *spikes, size_t count, size_t tick,
                                int32_t payload)
{
    spikes[count] = (struct timed_spike){.tick = (int64_t)tick, .neuron = 0, .payload = payload};
    return count + (payload != 0);
}

/* x^ at every tick. */
void steps_decode(double start, double step, const struct timed_spike *spikes, size_t count,
                  size_t length, double *x);

/* What is promised in real numbers, `bound`, with what rounding may add for this x; INFINITY where
 * the level would pass its limit. */
double steps_bound(double start, double step, const double *x, size_t length, double bound);

#endif
