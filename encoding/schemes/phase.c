/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Weighted phase: the bits of x after the point, most significant first, over and over.
 *
 *     q = min(floor(x 2^K), 2^K - 1),  a spike at tick t if bit K-1 - (t mod K) of q is 1,
 *     its weight to the receiver 2^-(1 + t mod K)
 *
 * The weight belongs to the clock that sender and receiver share, so spikes carry none. (Kim, Kim,
 * Huh, Lee and Choi: Deep neural networks with weighted spikes, Neurocomputing 311, 2018.)
 *
 * Each period of K ticks says the whole value. Fewer ticks than phases say its first bits; ticks
 * after the last whole period say nothing new. Decoded is the mean over the whole periods, which
 * is q 2^-K without rounding: below x by less than a unit of the last bit said, by that unit for
 * x = 1, which no bits reach.
 */
#include "encoding/schemes/schemes.h"
#include "encoding/schemes/unit.h"

enum { TICKS, PHASES };

static uint32_t ticks_of(const struct scheme_settings *settings)
{
    return (uint32_t)settings->parameter[TICKS];
}

static uint32_t phases_of(const struct scheme_settings *settings)
{
    return (uint32_t)settings->parameter[PHASES];
}

static size_t encode(const struct scheme_settings *settings, const double *x, size_t length,
                     uint64_t start, struct timed_spike *spikes)
{
    (void)start;
    uint32_t ticks = ticks_of(settings), phases = phases_of(settings);
    uint64_t top = UINT64_C(1) << phases;
    size_t count = 0;
    int64_t tick = 0;
    for (size_t i = 0; i < length; i++) {
        uint64_t q = (uint64_t)(unit_clip(x[i], 0) * (double)top);
        q = q < top ? q : top - 1;
        for (uint32_t t = 0, phase = 0; t < ticks; t++, tick++) {
            /* written in any case and kept if the bit is set: faster than a branch that is taken
             * half the time, and within the room, which has a place for each tick */
            spikes[count] = (struct timed_spike){.tick = tick, .payload = 1};
            count += q >> (phases - 1 - phase) & 1;
            phase = phase + 1 < phases ? phase + 1 : 0;
        }
    }
    return count;
}

static void decode(const struct scheme_settings *settings, const struct timed_spike *spikes,
                   size_t count, size_t length, double *x)
{
    uint32_t ticks = ticks_of(settings), phases = phases_of(settings);
    uint32_t periods = ticks < phases ? 1 : ticks / phases;
    double unit = (double)periods * (double)(UINT64_C(1) << phases);
    size_t next = 0;
    int64_t begin = 0;
    for (size_t i = 0; i < length; i++, begin += ticks) {
        uint64_t sum = 0; /* below 2^20 periods of 2^32: exact as a double */
        for (; next < count && spikes[next].tick < begin + ticks; next++) {
            uint32_t t = (uint32_t)(spikes[next].tick - begin);
            if (t / phases < periods)
                sum += UINT64_C(1) << (phases - 1 - t % phases);
        }
        x[i] = (double)sum / unit;
    }
}

static double bound(const struct scheme_settings *settings, const double *x, size_t length)
{
    uint32_t ticks = ticks_of(settings), phases = phases_of(settings);
    uint32_t bits = ticks < phases ? ticks : phases;
    return 1 / (double)(UINT64_C(1) << bits) + unit_excess(x, length, 0);
}

const struct scheme scheme_phase = {
    .name = "phase",
    .summary = "the bits of x, repeated: a spike's weight is its phase",
    .definition = "a spike at t if bit 1 + t mod K after the point of x is 1; "
                  "x = sum of 2^-(1 + t mod K) over a period",
    .reference = "Kim et al. 2018, Neurocomputing 311; SpikingJelly WeightedPhaseEncoder",
    .form = SCHEME_VALUE,
    .parameters = {[TICKS] = {"ticks", "ticks", 8, 1, 1000000, true, false, "T of each value"},
                   [PHASES] = {"phases", "ticks", 8, 1, 32, true, false,
                               "K: bits of x, and ticks until they are said again"}},
    .encode = encode,
    .decode = decode,
    .bound = bound,
};
