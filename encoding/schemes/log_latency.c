/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Latency, logarithmic: one spike at t = round(T - 1 - ln(alpha x + 1)), alpha = e^(T-1) - 1, of x
 * in 0 … 1 (what lies beyond counts as 0 or 1); halves are rounded up. 1 fires at tick 0 and 0 at
 * tick T - 1. Back: x = (e^(T-1-t) - 1) / alpha.
 *
 * A tick is a factor of e: T ticks tell values apart from 1 down to about e^-T, coarsely.
 */
#include "encoding/arithmetic.h"
#include "encoding/schemes/schemes.h"
#include "encoding/schemes/unit.h"

enum { TICKS };

static double alpha(const struct scheme_settings *settings)
{
    return arithmetic_exp(settings->parameter[TICKS] - 1) - 1;
}

static size_t room(const struct scheme_settings *settings, size_t length)
{
    (void)settings;
    return length;
}

static size_t encode(const struct scheme_settings *settings, const double *x, size_t length,
                     uint64_t start, struct timed_spike *spikes)
{
    (void)start;
    uint64_t ticks = (uint64_t)settings->parameter[TICKS];
    double last = settings->parameter[TICKS] - 1, slope = alpha(settings);
    for (size_t i = 0; i < length; i++) {
        /* at least 0.5, about: cut off is floor */
        double time = last - arithmetic_log(slope * unit_clip(x[i], 0) + 1) + 0.5;
        spikes[i] = (struct timed_spike){.tick = (int64_t)(i * ticks) + (int64_t)time,
                                         .payload = 1};
    }
    return length;
}

static void decode(const struct scheme_settings *settings, const struct timed_spike *spikes,
                   size_t count, size_t length, double *x)
{
    uint64_t ticks = (uint64_t)settings->parameter[TICKS];
    double last = settings->parameter[TICKS] - 1, slope = alpha(settings);
    for (size_t i = 0; i < length; i++)
        x[i] = 0;
    for (size_t s = 0; s < count; s++) {
        uint64_t at = (uint64_t)spikes[s].tick;
        x[at / ticks] = (arithmetic_exp(last - (double)(at % ticks)) - 1) / slope;
    }
}

/* Half a tick is a factor of sqrt(e) in alpha x + 1. */
static double bound(const struct scheme_settings *settings, const double *x, size_t length)
{
    double most = 0;
    for (size_t i = 0; i < length; i++)
        most = x[i] > most ? x[i] : most;
    return (most + 1 / alpha(settings)) * (0.64872127070012815 + 0x1p-40);
}

const struct scheme scheme_log_latency = {
    .name = "log-latency",
    .summary = "one spike, earlier by one tick for every factor of e",
    .definition = "t = round(T-1 - ln(a x + 1)), a = e^(T-1) - 1; back: (e^(T-1-t) - 1) / a",
    .reference = "SpikingJelly's LatencyEncoder with its logarithmic function",
    .form = SCHEME_VALUE,
    .parameters =
        {
            {"ticks", "ticks", 16, 2, 700, true, false, "how long one value is shown"},
        },
    .room = room,
    .encode = encode,
    .decode = decode,
    .bound = bound,
};
