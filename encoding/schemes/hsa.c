/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Hough Spiker Algorithm: a spike where the filter fits under the signal at every tap,
 *
 *     s[t+j] >= h[j] for all j:   spike, s[t+j] -= h[j],
 *
 * s being what is left of x; nothing fires where the filter would reach beyond the end. What is
 * decoded never lies above x where x >= 0 (but for rounding), so it is biased downwards, and no
 * error is promised. A negative tap would add to the signal rather than take from it: refused.
 */
#include "encoding/schemes/schemes.h"

#include "encoding/schemes/spiker.h"

static bool check(const struct scheme_settings *settings, struct error *error)
{
    struct filter filter = spiker_filter(settings);
    for (uint32_t j = 0; j < filter.taps; j++)
        if (filter.h[j] < 0)
            return error_set(error, ERROR_MISUSED,
                             "hsa: with taps=%u and cutoff=%g, tap %u of the filter is negative; a "
                             "cutoff up to 2 / (taps - 1) = %g has none",
                             filter.taps, settings->parameter[SPIKER_CUTOFF], j,
                             2.0 / (filter.taps - 1));
    return true;
}

static inline bool spike_at(double *restrict s, const double *restrict h, uint32_t taps)
{
    uint32_t above = 0;
    for (uint32_t j = 0; j < taps; j++)
        above += h[j] > s[j];
    if (above > 0)
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
    size_t count = 0;
    for (size_t begin = 0; begin < length; begin += SPIKER_BLOCK) {
        remainder_load(&remainder, x, length, begin);
        for (size_t t = begin; t < begin + SPIKER_BLOCK && t + filter.taps <= length; t++) {
            bool fired = spike_at(remainder.left + (t - begin), filter.h, filter.taps);
            spikes[count] = (struct timed_spike){.tick = (int64_t)t, .neuron = 0, .payload = 1};
            count += fired;
        }
    }
    return count;
}

const struct scheme scheme_hsa = {
    .name = "hsa",
    .summary = "Hough Spiker: a spike where the filter fits under the signal at every tap",
    .definition = "s >= h at every tap: spike, s -= h; decoded: spikes convolved with h",
    .reference = "Hough, de Garis, Korkin, Gers, Nawa 1999, SPIKER",
    .form = SCHEME_SIGNAL,
    .parameters = {SPIKER_TAPS_PARAMETER, SPIKER_CUTOFF_PARAMETER,
                   {.name = "gain", .unit = "of the range", .standard = 1, .low = 0.01, .high = 10,
                    .tuned = true, .meaning = "sum of the taps, the largest constant signal"}},
    .check = check,
    .encode = encode,
    .decode = spiker_decode,
};
