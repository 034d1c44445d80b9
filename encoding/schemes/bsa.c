/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ben's Spiker Algorithm: a spike where taking the filter away leaves clearly less of the signal,
 *
 *     Σ_j |s[t+j] - h[j]| <= Σ_j |s[t+j]| - θ:   spike, s[t+j] -= h[j],
 *
 * s being what is left of x. θ is given in parts of Σ|h|, of which a perfect fit takes away all:
 * with the gain of 1 and a filter without negative taps that is the published θ itself. At the end
 * of the signal, taps beyond it are left out of both sums, as published. No error is promised.
 *
 * The difference of both sums is taken tap by tap, in four sums over every fourth tap; so the bits
 * are the same whatever vectors the processor has. Zeros behind the filter make whole fours.
 */
#include "encoding/schemes/schemes.h"

#include "encoding/schemes/spiker.h"

#include <math.h>

enum { THRESHOLD = SPIKER_PARAMETERS };
enum { LANES = 4 };

/* Σ (|s| - |s - h|) of `taps`, a multiple of LANES. */
static inline double taken_away(const double *s, const double *h, uint32_t taps)
{
    double sum[LANES] = {0};
    for (uint32_t j = 0; j < taps; j += LANES)
        for (uint32_t lane = 0; lane < LANES; lane++)
            sum[lane] += fabs(s[j + lane]) - fabs(s[j + lane] - h[j + lane]);
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

static inline bool spike_at(double *restrict s, const double *restrict h, uint32_t taps,
                            double threshold)
{
    if (!(taken_away(s, h, taps) >= threshold))
        return false;
    for (uint32_t j = 0; j < taps; j++)
        s[j] -= h[j];
    return true;
}

static size_t encode(const struct scheme_settings *settings, const double *x, size_t length,
                     uint64_t start, struct timed_spike *spikes)
{
    (void)start;
    struct filter filter = spiker_filter(settings);
    struct remainder remainder;
    uint32_t taps = (filter.taps + LANES - 1) / LANES * LANES;
    double threshold = settings->parameter[THRESHOLD] * filter.magnitude;
    size_t count = 0;
    for (size_t begin = 0; begin < length; begin += SPIKER_BLOCK) {
        remainder_load(&remainder, x, length, begin);
        for (size_t t = begin; t < begin + SPIKER_BLOCK && t < length; t++) {
            for (; filter.taps > length - t; filter.taps--)
                filter.h[filter.taps - 1] = 0;
            bool fired = spike_at(remainder.left + (t - begin), filter.h, taps, threshold);
            spikes[count] = (struct timed_spike){.tick = (int64_t)t, .neuron = 0, .payload = 1};
            count += fired;
        }
    }
    return count;
}

const struct scheme scheme_bsa = {
    .name = "bsa",
    .summary = "Ben's Spiker: a spike where subtracting the filter leaves less of the signal",
    .definition = "Σ|s - h| <= Σ|s| - θ Σ|h|: spike, s -= h; decoded: spikes convolved with h",
    .reference = "Schrauwen, Van Campenhout 2003, BSA, IJCNN",
    .form = SCHEME_SIGNAL,
    .parameters = {SPIKER_TAPS_PARAMETER, SPIKER_CUTOFF_PARAMETER,
                   {.name = "gain", .unit = "of the range", .standard = 1, .low = 0.01, .high = 100,
                    .meaning = "sum of the taps, the largest constant signal"},
                   {.name = "threshold", .unit = "", .standard = 0.955, .low = 0, .high = 1,
                    .tuned = true, .meaning = "θ, the part of a perfect fit that is enough"}},
    .encode = encode,
    .decode = spiker_decode,
};
