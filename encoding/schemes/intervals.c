/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Intervals, a Poisson process: events come at intervals that are exponentially distributed with
 * the rate r = max(0, gain x) per tick; an event at time s falls into tick floor(s), and however
 * many fall into one tick, they are one spike. So a tick has a spike with probability 1 - e^-r.
 *
 * Back: the most likely value of 0 … 1, x = min(1, -ln(1 - count / T) / gain). (count / T, which
 * serves where events are rare, falls short where several share a tick.)
 *
 * The events between the first of a tick and the tick's end make no difference. So the next
 * interval is drawn from the tick's end on, which an exponential distribution, having no memory,
 * allows; then a value takes at most T draws, whatever its rate. Draw k of value i is word k % 4 of
 * block i ceil(T / 4) + k / 4.
 */
#include "encoding/arithmetic.h"
#include "encoding/schemes/schemes.h"

#include <math.h>

enum { TICKS, GAIN };

static size_t encode(const struct scheme_settings *settings, const double *x, size_t length,
                     uint64_t start, struct timed_spike *spikes)
{
    struct random_stream stream = scheme_stream(settings);
    uint32_t ticks = (uint32_t)settings->parameter[TICKS], words[4];
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        double rate = settings->parameter[GAIN] * x[i], from = 0;
        for (uint32_t draw = 0; rate > 0 && draw < ticks; draw++) {
            uint64_t block = i * (uint64_t)((ticks + 3) / 4) + draw / 4;
            if (draw % 4 == 0)
                random_words(&stream, scheme_counter(start, block), (uint32_t)block, words);
            double event = from - arithmetic_log(random_uniform(words[draw % 4])) / rate;
            if (!(event < ticks))
                break;
            from = floor(event) + 1;
            spikes[count++] = (struct timed_spike){
                .tick = (int64_t)(i * (uint64_t)ticks) + (int64_t)event, .payload = 1};
        }
    }
    return count;
}

static void decode(const struct scheme_settings *settings, const struct timed_spike *spikes,
                   size_t count, size_t length, double *x)
{
    double ticks = settings->parameter[TICKS];
    scheme_count(spikes, count, (uint32_t)ticks, length, x);
    for (size_t i = 0; i < length; i++) {
        double silent = 1 - x[i] / ticks; /* share of ticks without a spike */
        double most_likely = silent == 1   ? 0
                             : silent == 0 ? 1
                                           : -arithmetic_log(silent) / settings->parameter[GAIN];
        x[i] = most_likely < 1 ? most_likely : 1;
    }
}

const struct scheme scheme_intervals = {
    .name = "intervals",
    .summary = "a Poisson process: exponentially distributed intervals between spikes",
    .definition = "s(n+1) = s(n) - ln(u) / (gain x), a spike at tick floor(s), one at most; back: "
                  "-ln(1 - count / T) / gain, at most 1",
    .reference = "P. Dayan, L. F. Abbott, Theoretical Neuroscience, MIT Press 2001, section 1.4",
    .form = SCHEME_VALUE,
    .parameters =
        {
            {"ticks", "ticks", 64, 1, 1000000, true, false, "how long one value is shown"},
            {"gain", "events/tick", 1, 0.001, 1000, false, true, "rate of a value of 1"},
        },
    .encode = encode,
    .decode = decode,
};
