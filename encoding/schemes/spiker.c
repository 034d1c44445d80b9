/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "encoding/schemes/spiker.h"

#include "encoding/arithmetic.h"

#include <math.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

/* One tap, before it is scaled. */
static double tap(uint32_t j, uint32_t taps, double cutoff)
{
    if (taps == 1)
        return 1;
    double m = fabs(j - (taps - 1) / 2.0), sine, cosine, ideal = cutoff;
    if (m > 0) {
        arithmetic_sincos(PI * cutoff * m, &sine, &cosine);
        ideal = sine / (PI * m);
    }
    arithmetic_sincos(2 * PI * j / (taps - 1), &sine, &cosine);
    return ideal * (0.54 - 0.46 * cosine);
}

struct filter spiker_filter(const struct scheme_settings *settings)
{
    struct filter filter = {.taps = (uint32_t)settings->parameter[SPIKER_TAPS]};
    double sum = 0;
    /* The two halves are mirrors of each other, to the last bit. */
    for (uint32_t j = 0; j < filter.taps; j++) {
        uint32_t mirror = filter.taps - 1 - j;
        filter.h[j] = tap(j < mirror ? j : mirror, filter.taps, settings->parameter[SPIKER_CUTOFF]);
        sum += filter.h[j];
    }
    for (uint32_t j = 0; j < filter.taps; j++) {
        filter.h[j] = filter.h[j] / sum * settings->parameter[SPIKER_GAIN];
        filter.magnitude += fabs(filter.h[j]);
    }
    return filter;
}

void remainder_load(struct remainder *remainder, const double *x, size_t length, size_t begin)
{
    double *left = remainder->left;
    size_t known = 0, most = sizeof remainder->left / sizeof *left;
    if (begin > 0) {
        known = SPIKER_TAPS_LIMIT;
        memcpy(left, left + SPIKER_BLOCK, known * sizeof *left);
    }
    size_t more = length - begin < most ? length - begin : most;
    if (more > known)
        memcpy(left + known, x + begin + known, (more - known) * sizeof *left);
    memset(left + more, 0, (most - more) * sizeof *left);
}

void spiker_decode(const struct scheme_settings *settings, const struct timed_spike *spikes,
                   size_t count, size_t length, double *x)
{
    struct filter filter = spiker_filter(settings);
    for (size_t i = 0; i < length; i++)
        x[i] = 0;
    for (size_t s = 0; s < count; s++) {
        if (spikes[s].tick < 0 || spikes[s].tick >= (int64_t)length)
            continue;
        size_t tick = (size_t)spikes[s].tick;
        for (size_t j = 0; j < filter.taps && j < length - tick; j++)
            x[tick + j] += filter.h[j] * spikes[s].payload;
    }
}
