/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rank order: of the values of a window, each with a neuron of its own, the largest fires at the
 * window's first tick, the next largest at the second, and so on; of equal ones the first neuron
 * goes first. What is not above 0 does not fire. The last window may be shorter.
 *
 * Only the order is said, so the receiver weighs: x = modulation^rank, and 0 where nothing comes.
 */
#include "encoding/schemes/schemes.h"

#include <stdlib.h>

enum { NEURONS, MODULATION };

static uint32_t neurons(const struct scheme_settings *settings)
{
    return (uint32_t)settings->parameter[NEURONS];
}

static size_t room(const struct scheme_settings *settings, size_t length)
{
    (void)settings;
    return length;
}

static int compare_values(const void *left, const void *right, void *window)
{
    const struct timed_spike *a = left, *b = right;
    const double *x = window;
    if (x[a->neuron] != x[b->neuron])
        return x[a->neuron] > x[b->neuron] ? -1 : 1;
    return a->neuron < b->neuron ? -1 : a->neuron > b->neuron;
}

static size_t encode(const struct scheme_settings *settings, const double *x, size_t length,
                     uint64_t start, struct timed_spike *spikes)
{
    (void)start;
    size_t window = neurons(settings), count = 0;
    for (size_t begin = 0; begin < length; begin += window) {
        size_t values = length - begin < window ? length - begin : window;
        struct timed_spike *first = spikes + count;
        uint32_t firing = 0;
        for (uint32_t i = 0; i < values; i++)
            if (x[begin + i] > 0)
                first[firing++] = (struct timed_spike){.neuron = i, .payload = 1};
        qsort_r(first, firing, sizeof *first, compare_values, (void *)(uintptr_t)(x + begin));
        for (uint32_t rank = 0; rank < firing; rank++)
            first[rank].tick = (int64_t)(begin + rank);
        count += firing;
    }
    return count;
}

static void decode(const struct scheme_settings *settings, const struct timed_spike *spikes,
                   size_t count, size_t length, double *x)
{
    size_t window = neurons(settings);
    double weight = 1;
    for (size_t i = 0; i < length; i++)
        x[i] = 0;
    for (size_t s = 0; s < count; s++) {
        size_t at = (size_t)spikes[s].tick, rank = at % window;
        /* ranks follow one another from 0 on */
        weight = rank == 0 ? 1 : weight * settings->parameter[MODULATION];
        x[at - rank + spikes[s].neuron] = weight;
    }
}

const struct scheme scheme_rank_order = {
    .name = "rank-order",
    .summary = "neurons fire in the order of their values, the largest first",
    .definition = "value of rank r (0: the largest) fires at tick r; back: modulation^r",
    .reference = "S. Thorpe, J. Gautrais, Rank order coding, Computational Neuroscience: Trends in "
                 "Research, 1998, 113-118",
    .form = SCHEME_GROUP,
    .parameters =
        {
            {"neurons", "", 16, 1, 1 << 24, true, false, "values in a window"},
            {"modulation", "", 0.9, 0.01, 0.999, false, true, "weight of a rank against the last"},
        },
    .neurons = neurons,
    .room = room,
    .encode = encode,
    .decode = decode,
};
