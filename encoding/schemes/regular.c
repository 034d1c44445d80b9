/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Regular rate: a phase that begins at `phase` grows by x, of 0 … 1, at every tick, and fires when
 * it comes to a whole number: one spike every 1/x ticks. Back: x = count / T.
 *
 * The phase after n ticks is worked out as phase + n x, not by adding up, so that rounding does not
 * add up either. Then count = floor(phase + T x) - floor(phase), which is at most phase above and
 * 1 - phase below T x; the standard of one half rounds to the nearest.
 */
#include "encoding/schemes/schemes.h"
#include "encoding/schemes/unit.h"

enum { TICKS, PHASE };

static size_t encode(const struct scheme_settings *settings, const double *x, size_t length,
                     uint64_t start, struct timed_spike *spikes)
{
    (void)start;
    uint32_t ticks = (uint32_t)settings->parameter[TICKS];
    double phase = settings->parameter[PHASE];
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        double step = unit_clip(x[i], 0);
        int32_t passed = (int32_t)phase; /* whole numbers: the phase is not negative */
        for (uint32_t tick = 0; tick < ticks; tick++) {
            int32_t reached = (int32_t)(phase + (double)(tick + 1) * step);
            spikes[count] = (struct timed_spike){.tick = (int64_t)(i * (uint64_t)ticks + tick),
                                                 .payload = 1};
            bool fires = reached > passed;
            count += fires;
            passed += fires; /* not `reached`: hardly below 1, rounding may bring two at once */
        }
    }
    return count;
}

static void decode(const struct scheme_settings *settings, const struct timed_spike *spikes,
                   size_t count, size_t length, double *x)
{
    double ticks = settings->parameter[TICKS];
    scheme_count(spikes, count, (uint32_t)ticks, length, x);
    for (size_t i = 0; i < length; i++)
        x[i] /= ticks;
}

static double bound(const struct scheme_settings *settings, const double *x, size_t length)
{
    (void)x;
    (void)length;
    double phase = settings->parameter[PHASE], most = phase > 0.5 ? phase : 1 - phase;
    return most / settings->parameter[TICKS] + 0x1p-50; /* phase + T x is rounded twice */
}

const struct scheme scheme_regular = {
    .name = "regular",
    .summary = "spikes at even intervals, the shorter the larger the value",
    .definition = "a spike where floor(phase + (t+1) x) > floor(phase + t x); back: count / T",
    .reference = "the phase accumulator of Nengo's RegularSpiking",
    .form = SCHEME_VALUE,
    .parameters =
        {
            {"ticks", "ticks", 64, 1, 1000000, true, false, "how long one value is shown"},
            {"phase", "", 0.5, 0, 1, false, false, "where the phase begins; 0.5: to the nearest"},
        },
    .encode = encode,
    .decode = decode,
    .bound = bound,
};
