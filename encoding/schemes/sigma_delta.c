/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sigma-delta: the change since the last tick, with what was not said before, is sent whole once it
 * reaches θ,
 *
 *     d = x[i] - x[i-1] + residue,   |d| >= θ: send d, residue = d - sent;   else residue = d,
 *
 * and the receiver sums what is sent. So d is x minus that sum, x^ = start + level · u, where u is
 * the unit of the payloads: a spike says d / u rounded to a whole number, halves upwards. (Lava's
 * floating-point form sends d itself, its fixed-point form shifts it right.)
 *
 * Bound: less than θ without a spike, u/2 after one, so the larger of both. Where θ < u/2, d can
 * round to no unit at all; then nothing is sent.
 */
#include "encoding/schemes/schemes.h"

#include "encoding/schemes/steps.h"

enum { THRESHOLD, UNIT, START };

static size_t encode(const struct scheme_settings *settings, const double *x, size_t length,
                     uint64_t start, struct timed_spike *spikes)
{
    (void)start;
    double unit = settings->parameter[UNIT], origin = settings->parameter[START];
    double threshold = settings->parameter[THRESHOLD] / unit; /* in units, as all below */
    double level = 0;
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        double steps = steps_of(x[i], origin, unit), whole = steps_floor(steps + 0.5);
        double next = fabs(steps - level) >= threshold ? whole : level;
        count = steps_fire(spikes, count, i, (int32_t)(next - level));
        level = next;
    }
    return count;
}

static void decode(const struct scheme_settings *settings, const struct timed_spike *spikes,
                   size_t count, size_t length, double *x)
{
    steps_decode(settings->parameter[START], settings->parameter[UNIT], spikes, count, length, x);
}

static double bound(const struct scheme_settings *settings, const double *x, size_t length)
{
    double threshold = settings->parameter[THRESHOLD], unit = settings->parameter[UNIT];
    return steps_bound(settings->parameter[START], unit, x, length, fmax(threshold, unit / 2));
}

const struct scheme scheme_sigma_delta = {
    .name = "sigma-delta",
    .summary = "graded spikes send the change and what was not said before, once it is large",
    .definition = "d = x[i] - x[i-1] + residue; |d| >= θ: payload round(d / unit), the rest stays; "
                  "decoded: start + unit · sum",
    .reference = "Lava, proc/sdn (Delta); O'Connor, Welling 2016, Sigma delta quantized networks",
    .form = SCHEME_SIGNAL,
    .is_signed = true,
    .graded = true,
    .parameters = {{.name = "threshold", .unit = "of the range", .standard = 0.1, .low = 0.0001,
                    .high = 1, .tuned = true, .meaning = "θ, the change that is sent"},
                   {.name = "unit", .unit = "of the range", .standard = 1.0 / 256,
                    .low = 1.0 / 65536, .high = 1, .meaning = "what a payload of 1 stands for"},
                   STEPS_START},
    .encode = encode,
    .decode = decode,
    .bound = bound,
};
