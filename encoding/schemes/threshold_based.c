/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Threshold-based representation, the simplest temporal contrast: a spike where the signal moves by
 * more than θ from one tick to the next,
 *
 *     x[i] - x[i-1] > θ: +1,   < -θ: -1,   x[-1] = start.
 *
 * The receiver takes each spike for a step of θ. What moves slowly is never said, and nothing
 * corrects the sum, so no error is promised.
 *
 * θ is a parameter, as the receiver has to know it. The published forms derive it from the whole
 * signal before the first spike, θ = mean + f · standard deviation of the differences (of their
 * absolute values in some), and tell the receiver: for a given signal each f is one θ, so looking
 * for the best θ is looking for the best f.
 */
#include "encoding/schemes/schemes.h"

#include "encoding/schemes/steps.h"

enum { THRESHOLD, START };

static size_t encode(const struct scheme_settings *settings, const double *x, size_t length,
                     uint64_t start, struct timed_spike *spikes)
{
    (void)start;
    double threshold = settings->parameter[THRESHOLD], before = settings->parameter[START];
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        double change = x[i] - before;
        count = steps_fire(spikes, count, i, (change > threshold) - (change < -threshold));
        before = x[i];
    }
    return count;
}

static void decode(const struct scheme_settings *settings, const struct timed_spike *spikes,
                   size_t count, size_t length, double *x)
{
    steps_decode(settings->parameter[START], settings->parameter[THRESHOLD], spikes, count, length,
                 x);
}

const struct scheme scheme_threshold = {
    .name = "threshold-based",
    .summary = "a signed spike where the signal moves by more than the threshold in one tick",
    .definition = "x[i] - x[i-1] > θ: +1, < -θ: -1; decoded: start + θ · sum of the spikes",
    .reference = "Petro, Kasabov, Kiss 2020, IEEE TNNLS 31, 358-370 (TBR)",
    .form = SCHEME_SIGNAL,
    .is_signed = true,
    .parameters = {{.name = "threshold", .unit = "of the range", .standard = 0.1, .low = 0.0001,
                    .high = 1, .tuned = true, .meaning = "θ, the change in one tick that is said"},
                   STEPS_START},
    .encode = encode,
    .decode = decode,
};
