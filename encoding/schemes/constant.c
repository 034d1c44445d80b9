/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Constant: no spikes; the current gain x flows for T ticks. With the range 0 … 1 and the gain 1
 * that is the value itself.
 */
#include "encoding/schemes/schemes.h"

enum { GAIN = 1 };

static size_t room(const struct scheme_settings *settings, size_t length)
{
    (void)settings;
    (void)length;
    return 0;
}

static void currents(const struct scheme_settings *settings, const double *x, size_t length,
                     double *current)
{
    for (size_t i = 0; i < length; i++)
        current[i] = settings->parameter[GAIN] * x[i];
}

const struct scheme scheme_constant = {
    .name = "constant",
    .summary = "no spikes: gain times the value as a current at every tick",
    .definition = "I(t) = gain x for T ticks",
    .reference = "the analog input of B. Rueckauer et al., Frontiers in Neuroscience 11:682, 2017",
    .form = SCHEME_CURRENT,
    .parameters =
        {
            {"ticks", "ticks", 1, 1, 1000000, true, false, "how long one value flows"},
            {"gain", "", 1, 0.001, 1000, false, false, "current of a value of 1"},
        },
    .room = room,
    .currents = currents,
};
