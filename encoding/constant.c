/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Constant encoding: no spikes; the current g x at every tick. */
#include "encoding/encoders.h"

static void currents(const struct encoding *encoding, const double *x, uint32_t neurons,
                     uint32_t tick, double *out)
{
    (void)tick;
    for (uint32_t i = 0; i < neurons; i++)
        out[i] = encoding->gain * x[i];
}

const struct encoder encoder_constant = {
    .name = "constant",
    .summary = "no spikes: gain times the value as a current at every tick",
    .currents = currents,
};
