/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Latency, time to the first spike: one spike at t = round((1 - y) (T - 1)), y = min(1, gain x),
 * none where y <= 0; halves are rounded up. So the largest value fires at tick 0 and the smallest
 * that fires at all at tick T - 1. Back: x = (1 - t / (T - 1)) / gain, and 0 where nothing comes;
 * of one tick, a spike says 1 / gain.
 */
#include "encoding/schemes/schemes.h"

enum { TICKS, GAIN };

static size_t room(const struct scheme_settings *settings, size_t length)
{
    (void)settings;
    return length;
}

/* A spike is written in any case and counted if it is one: no branch. Its place is there, since no
 * more spikes than values have come before. */
static size_t encode(const struct scheme_settings *settings, const double *x, size_t length,
                     uint64_t start, struct timed_spike *spikes)
{
    (void)start;
    uint64_t ticks = (uint64_t)settings->parameter[TICKS];
    double last = settings->parameter[TICKS] - 1, gain = settings->parameter[GAIN];
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        double y = gain * x[i] < 1 ? gain * x[i] : 1;
        double seen = y > 0 ? y : 0;
        int32_t tick = (int32_t)((1 - seen) * last + 0.5); /* positive: cut off is floor */
        spikes[count] = (struct timed_spike){.tick = (int64_t)(i * ticks) + tick, .payload = 1};
        count += y > 0;
    }
    return count;
}

static void decode(const struct scheme_settings *settings, const struct timed_spike *spikes,
                   size_t count, size_t length, double *x)
{
    uint64_t ticks = (uint64_t)settings->parameter[TICKS];
    double last = settings->parameter[TICKS] - 1, gain = settings->parameter[GAIN];
    for (size_t i = 0; i < length; i++)
        x[i] = 0;
    for (size_t s = 0; s < count; s++) {
        uint64_t at = (uint64_t)spikes[s].tick, tick = at % ticks;
        x[at / ticks] = tick == 0 ? 1 / gain : (1 - (double)tick / last) / gain;
    }
}

/* Half a tick, and what the gain lifts beyond 1. */
static double bound(const struct scheme_settings *settings, const double *x, size_t length)
{
    double last = settings->parameter[TICKS] - 1, gain = settings->parameter[GAIN], most = 0;
    for (size_t i = 0; i < length; i++)
        most = x[i] > most ? x[i] : most;
    double beyond = most - 1 / gain;
    return (last > 0 ? 0.5 / last + 0x1p-50 : 1) / gain + (beyond > 0 ? beyond : 0);
}

const struct scheme scheme_latency = {
    .name = "latency",
    .summary = "one spike, the earlier the larger the value; none for 0",
    .definition = "t = round((T-1) (1 - min(1, gain x))); back: (1 - t / (T-1)) / gain",
    .reference = "S. J. Thorpe, 1990, Spike arrival times; snnTorch's linear latency",
    .form = SCHEME_VALUE,
    .parameters =
        {
            {"ticks", "ticks", 64, 1, 1000000, true, false, "how long one value is shown"},
            {"gain", "", 1, 0.001, 1000, false, true, "1 / gain and all above fires at tick 0"},
        },
    .room = room,
    .encode = encode,
    .decode = decode,
    .bound = bound,
};
