/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Radix: the bits of an integer, most significant first.
 *
 *     q = round(x (2^T - 1)),  a spike at tick t if bit T-1-t of q is 1,
 *     x = q / (2^T - 1) = sum of 2^(T-1-t) / (2^T - 1) over the spikes
 *
 * The receiver doubles what it has before each tick, so spikes carry no weight: that is the
 * difference to the count coding `bitwise`, whose payloads are the weights; to `phase` it is that
 * the value is rounded and not cut off, and that 1 can be said. (Wang, Gu, Goh, Zhou and Luo:
 * Efficient spiking neural networks with radix encoding, IEEE TNNLS 35, 2024, arXiv:2105.06943.)
 */
#include "encoding/schemes/schemes.h"
#include "encoding/schemes/unit.h"

static uint32_t ticks_of(const struct scheme_settings *settings)
{
    return (uint32_t)settings->parameter[0];
}

/* 2^T - 1. */
static uint64_t largest_of(uint32_t ticks)
{
    return (UINT64_C(1) << ticks) - 1;
}

static size_t encode(const struct scheme_settings *settings, const double *x, size_t length,
                     uint64_t start, struct timed_spike *spikes)
{
    (void)start;
    uint32_t ticks = ticks_of(settings);
    double largest = (double)largest_of(ticks);
    size_t count = 0;
    int64_t tick = 0;
    for (size_t i = 0; i < length; i++) {
        uint64_t q = (uint64_t)(unit_clip(x[i], 0) * largest + 0.5);
        for (uint32_t t = 0; t < ticks; t++, tick++) {
            /* written in any case and kept if the bit is set: the room has a place for each tick */
            spikes[count] = (struct timed_spike){.tick = tick, .payload = 1};
            count += q >> (ticks - 1 - t) & 1;
        }
    }
    return count;
}

static void decode(const struct scheme_settings *settings, const struct timed_spike *spikes,
                   size_t count, size_t length, double *x)
{
    uint32_t ticks = ticks_of(settings);
    double largest = (double)largest_of(ticks);
    size_t next = 0;
    int64_t end = 0;
    for (size_t i = 0; i < length; i++) {
        uint64_t q = 0;
        end += ticks;
        for (; next < count && spikes[next].tick < end; next++)
            q += UINT64_C(1) << (end - 1 - spikes[next].tick);
        x[i] = (double)q / largest;
    }
}

/* Half a step; and what rounding the product, the half added to it and the quotient costs. */
static double bound(const struct scheme_settings *settings, const double *x, size_t length)
{
    return 0.5 / (double)largest_of(ticks_of(settings)) + 0x1p-51 + unit_excess(x, length, 0);
}

const struct scheme scheme_radix = {
    .name = "radix",
    .summary = "the bits of x as an integer, most significant first",
    .definition = "q = round(x (2^T - 1)), a spike at t if bit T-1-t of q is 1; "
                  "x = sum of 2^(T-1-t) / (2^T - 1)",
    .reference = "Wang et al. 2024, IEEE TNNLS 35 (arXiv:2105.06943)",
    .form = SCHEME_VALUE,
    .parameters = {{"ticks", "ticks", 8, 1, 32, true, false, "T of each value, a bit each"}},
    .encode = encode,
    .decode = decode,
    .bound = bound,
};
