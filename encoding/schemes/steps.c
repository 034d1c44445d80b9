/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "encoding/schemes/steps.h"

void steps_decode(double start, double step, const struct timed_spike *spikes, size_t count,
                  size_t length, double *x)
{
    int64_t level = 0;
    size_t next = 0;
    for (size_t i = 0; i < length; i++) {
        for (; next < count && spikes[next].tick <= (int64_t)i; next++)
            level += spikes[next].payload;
        x[i] = start + (double)level * step;
    }
}

double steps_bound(double start, double step, const double *x, size_t length, double bound)
{
    double most = 0; /* |x| */
    for (size_t i = 0; i < length; i++)
        most = fabs(x[i]) > most ? fabs(x[i]) : most;
    if (most + fabs(start) >= STEPS_LIMIT * step)
        return INFINITY;
    /* The difference, the quotient, the product, the sum and the error itself are rounded once. */
    return bound + 0x1p-50 * (most + fabs(start) + step);
}
