/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Latency encoding: one spike at t = round((1 - y) (T - 1)), y = min(1, g x), none where g x <= 0;
 * halves are rounded up. So the largest value fires at tick 0 and the smallest that fires at all
 * at tick T - 1.
 */
#include "encoding/encoders.h"

#include <math.h>

static uint32_t spikes(const struct encoding *encoding, const double *x, uint32_t neurons,
                       uint64_t sample, uint32_t tick, struct spike *fired)
{
    (void)sample;
    uint32_t count = 0;
    double last = (double)(encoding->ticks - 1);
    for (uint32_t i = 0; i < neurons; i++) {
        double y = encoding->gain * x[i] < 1 ? encoding->gain * x[i] : 1;
        if (y > 0 && floor((1 - y) * last + 0.5) == (double)tick)
            fired[count++] = (struct spike){.neuron = i, .payload = 1};
    }
    return count;
}

const struct encoder encoder_latency = {
    .name = "latency",
    .summary = "one spike, the earlier the larger the value; none for 0",
    .spikes = spikes,
};
