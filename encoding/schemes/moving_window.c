/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Moving window: the baseline is the mean of the w values before this one,
 *
 *     x[i] > mean + θ: +1,   x[i] < mean - θ: -1,   mean of x[i-w] … x[i-1],   x[<0] = start.
 *
 * (The published form looks ahead for the baseline of the first w ticks, the mean of these w; here
 * nothing looks ahead.) The receiver takes each spike for a step of θ, as in the threshold-based
 * representation; it does not know the means, so no error is promised.
 *
 * Invariant: the window is a tail of the last whole block of w values and the head of this block.
 * Tails are summed once a block, from the block's end; the head grows. So a mean costs two
 * additions, its rounding does not grow with the signal, and its bits do not depend on what was
 * longer ago than two blocks.
 */
#include "encoding/schemes/schemes.h"

#include "encoding/schemes/steps.h"

enum { THRESHOLD, WINDOW, START };
enum { WINDOW_LIMIT = 1024 };

/* tail[k] = block[k] + … + block[window - 1] of a block; NULL: of `start` throughout. */
static void sum_tails(const double *block, double start, uint32_t window, double *tail)
{
    double sum = 0;
    for (uint32_t k = window; k-- > 0;) {
        sum += block != NULL ? block[k] : start;
        tail[k] = sum;
    }
}

static size_t encode(const struct scheme_settings *settings, const double *x, size_t length,
                     uint64_t start, struct timed_spike *spikes)
{
    (void)start;
    double threshold = settings->parameter[THRESHOLD];
    uint32_t window = (uint32_t)settings->parameter[WINDOW];
    double tail[WINDOW_LIMIT];
    size_t count = 0;
    for (size_t begin = 0; begin < length; begin += window) {
        sum_tails(begin > 0 ? x + begin - window : NULL, settings->parameter[START], window, tail);
        double head = 0;
        for (size_t k = 0; k < window && k < length - begin; k++) {
            double value = x[begin + k], difference = value - (tail[k] + head) / window;
            count = steps_fire(spikes, count, begin + k,
                               (difference > threshold) - (difference < -threshold));
            head += value;
        }
    }
    return count;
}

static void decode(const struct scheme_settings *settings, const struct timed_spike *spikes,
                   size_t count, size_t length, double *x)
{
    steps_decode(settings->parameter[START], settings->parameter[THRESHOLD], spikes, count, length,
                 x);
}

const struct scheme scheme_moving_window = {
    .name = "moving-window",
    .summary = "a signed spike where the signal leaves the mean of the last values",
    .definition = "x > mean + θ: +1, x < mean - θ: -1, mean of the last w; "
                  "decoded: start + θ · sum of the spikes",
    .reference = "Petro, Kasabov, Kiss 2020, IEEE TNNLS 31, 358-370 (MW)",
    .form = SCHEME_SIGNAL,
    .is_signed = true,
    .parameters = {{.name = "threshold", .unit = "of the range", .standard = 0.1, .low = 0.0001,
                    .high = 1, .tuned = true, .meaning = "θ, the distance from the mean"},
                   {.name = "window", .unit = "ticks", .standard = 5, .low = 1,
                    .high = WINDOW_LIMIT, .whole = true, .meaning = "w, the values of a mean"},
                   STEPS_START},
    .encode = encode,
    .decode = decode,
};
