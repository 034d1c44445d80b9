/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Step-forward: a baseline follows the signal by steps of θ, one at most in a tick,
 *
 *     x[i] > base + θ: +1 and base += θ,   x[i] < base - θ: -1 and base -= θ,
 *
 * and the receiver's signal is that baseline, so errors are made good by later spikes. base is
 * start + level · θ, and with q = (x[i] - start) / θ the two questions are q > level + 1 and
 * q < level - 1, which whole numbers answer: level < ⌈q⌉ - 1 and level > ⌊q⌋ + 1.
 *
 * Bound: where the signal moves by no more than θ a tick (from `start` on), the error never passes
 * θ: if it did not at i - 1, then |x[i] - base| <= 2θ, and if that is more than θ, the step takes θ
 * away. A signal that moves faster leaves the baseline behind: nothing is promised.
 */
#include "encoding/schemes/schemes.h"

#include "encoding/schemes/steps.h"

enum { THRESHOLD, START };

static size_t encode(const struct scheme_settings *settings, const double *x, size_t length,
                     uint64_t start, struct timed_spike *spikes)
{
    (void)start;
    double threshold = settings->parameter[THRESHOLD], origin = settings->parameter[START];
    int32_t level = 0;
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        double steps = steps_of(x[i], origin, threshold);
        int32_t step = (level < steps_ceiling(steps) - 1) - (level > steps_floor(steps) + 1);
        count = steps_fire(spikes, count, i, step);
        level += step;
    }
    return count;
}

static void decode(const struct scheme_settings *settings, const struct timed_spike *spikes,
                   size_t count, size_t length, double *x)
{
    steps_decode(settings->parameter[START], settings->parameter[THRESHOLD], spikes, count, length,
                 x);
}

static double bound(const struct scheme_settings *settings, const double *x, size_t length)
{
    double threshold = settings->parameter[THRESHOLD], before = settings->parameter[START];
    for (size_t i = 0; i < length; i++) {
        if (!(fabs(x[i] - before) <= threshold))
            return INFINITY;
        before = x[i];
    }
    return steps_bound(settings->parameter[START], threshold, x, length, threshold);
}

const struct scheme scheme_step_forward = {
    .name = "step-forward",
    .summary = "signed spikes move a baseline by the threshold towards the signal",
    .definition = "x > base + θ: +1, base += θ; x < base - θ: -1, base -= θ; decoded: base",
    .reference = "Petro, Kasabov, Kiss 2020, IEEE TNNLS 31, 358-370 (SF)",
    .form = SCHEME_SIGNAL,
    .is_signed = true,
    .parameters = {{.name = "threshold", .unit = "of the range", .standard = 0.1, .low = 0.0001,
                    .high = 1, .tuned = true, .meaning = "θ, the step of the baseline"},
                   STEPS_START},
    .encode = encode,
    .decode = decode,
    .bound = bound,
};
