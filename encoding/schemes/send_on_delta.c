/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Send-on-delta: a spike when the signal is δ or more away from what was sent last.
 *
 * What was sent last is x^ = start + level · δ. When |x - x^| >= δ, the spike's payload n says by
 * how many δ the level moves, (x - x^) / δ rounded towards 0: ±1 while the signal moves by less
 * than δ a tick, more where it jumps. So the receiver, who holds x^ until the next spike, is always
 * less than δ away: the bound is δ for every signal. (Miskowicz sends the value itself; in payloads
 * of whole δ it needs no more bits than the error is worth.)
 *
 * With q = (x - start) / δ the level is left alone if ⌊q⌋ <= level <= ⌈q⌉ and else comes to the
 * nearer of the two.
 */
#include "encoding/schemes/schemes.h"

#include "encoding/schemes/steps.h"

enum { DELTA, START };

static size_t encode(const struct scheme_settings *settings, const double *x, size_t length,
                     uint64_t start, struct timed_spike *spikes)
{
    (void)start;
    double delta = settings->parameter[DELTA], origin = settings->parameter[START];
    int32_t level = 0;
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        double steps = steps_of(x[i], origin, delta);
        int32_t low = steps_floor(steps), high = steps_ceiling(steps);
        int32_t next = level < low ? low : level;
        next = next > high ? high : next;
        count = steps_fire(spikes, count, i, next - level);
        level = next;
    }
    return count;
}

static void decode(const struct scheme_settings *settings, const struct timed_spike *spikes,
                   size_t count, size_t length, double *x)
{
    steps_decode(settings->parameter[START], settings->parameter[DELTA], spikes, count, length, x);
}

static double bound(const struct scheme_settings *settings, const double *x, size_t length)
{
    double delta = settings->parameter[DELTA];
    return steps_bound(settings->parameter[START], delta, x, length, delta);
}

const struct scheme scheme_send_on_delta = {
    .name = "send-on-delta",
    .summary = "a graded spike when the signal is delta away from what was sent last",
    .definition = "|x - sent| >= δ: payload n = (x - sent) / δ towards 0, sent += n δ; "
                  "decoded: sent",
    .reference = "Miskowicz 2006, Sensors 6, 49-63",
    .form = SCHEME_SIGNAL,
    .is_signed = true,
    .graded = true,
    .parameters = {{.name = "delta", .unit = "of the range", .standard = 0.1, .low = 0.0001,
                    .high = 1, .tuned = true, .meaning = "δ, the distance that is said"},
                   STEPS_START},
    .encode = encode,
    .decode = decode,
    .bound = bound,
};
