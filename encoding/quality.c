/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The measures that quality.h defines. */
#include "encoding/quality.h"

#include "encoding/arithmetic.h"
#include "encoding/quality_information.h"

#include <math.h>

static const double LN10 = 2.30258509299404568402;

/* RMS of factor · (x - y) + offset, where NULL for y stands for zeros; INFINITY where one is beyond
 * the largest double. A power of two brings the values near 1 first, so that no square overflows or
 * vanishes. */
static double rms(const double *x, const double *y, size_t length, double factor, double offset)
{
    double largest = 0, sum = 0;
    for (size_t i = 0; i < length; i++) {
        double value = fabs(factor * (y != NULL ? x[i] - y[i] : x[i]) + offset);
        largest = value > largest ? value : largest;
    }
    if (largest == 0 || isinf(largest))
        return largest;
    int exponent;
    frexp(largest, &exponent);
    exponent = exponent < -1000 ? -1000 : exponent; /* so that its inverse is a number */
    double scale = ldexp(1, -exponent);
    for (size_t i = 0; i < length; i++) {
        double value = (factor * (y != NULL ? x[i] - y[i] : x[i]) + offset) * scale;
        sum += value * value;
    }
    return ldexp(sqrt(sum / (double)length), exponent);
}

static double decibels(const struct scheme_settings *settings, const double *x, size_t length,
                       double rmse)
{
    double width = settings->highest - settings->lowest;
    double signal = rms(x, NULL, length, width, settings->lowest);
    if (rmse == 0)
        return INFINITY;
    if (signal == 0 || isinf(rmse))
        return -INFINITY;
    if (isinf(signal))
        return INFINITY;
    return 20 * (arithmetic_log(signal) - arithmetic_log(rmse) - arithmetic_log(width)) / LN10;
}

double quality_snr(const struct scheme_settings *settings, const double *x, const double *decoded,
                   size_t length)
{
    return length == 0 ? NAN : decibels(settings, x, length, rms(x, decoded, length, 1, 0));
}

/* Values until the decoded signal is there to stay; 0: never. */
static size_t values_to_settle(const double *x, const double *decoded, size_t length)
{
    double start = decoded[0], way = x[length - 1] - start;
    size_t settled = length;
    while (way != 0 && settled > 0 && (decoded[settled - 1] - start) / way >= 0.9)
        settled--;
    return settled < length ? settled + 1 : 0;
}

static double settling(const struct scheme_settings *settings, const double *x,
                       const double *decoded, size_t length)
{
    size_t values = values_to_settle(x, decoded, length);
    if (values == 0)
        return NAN;
    if (settings->scheme->form == SCHEME_GROUP) { /* to the end of the window */
        size_t window = scheme_neurons(settings);
        values += window - 1 - (values - 1) % window;
        values = values < length ? values : length;
    }
    return (double)values * scheme_ticks(settings);
}

static double bits_to_tell(uint64_t number)
{
    uint32_t bits = 0;
    while (bits < 64 && number > UINT64_C(1) << bits)
        bits++;
    return bits;
}

static double message_bits(const struct scheme_settings *settings, uint64_t largest)
{
    double bits = bits_to_tell(scheme_neurons(settings));
    if (settings->scheme->is_signed)
        bits += 1;
    if (settings->scheme->graded)
        bits += bits_to_tell(largest + 1); /* 0 … largest */
    return bits < 1 ? 1 : bits;
}

static void count_cost(const struct scheme_settings *settings, const struct timed_spike *spikes,
                       size_t count, struct quality *quality)
{
    uint64_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t payload = spikes[i].payload;
        uint64_t size = (uint64_t)(payload < 0 ? -payload : payload);
        quality->spikes += size != 0;
        largest = size > largest ? size : largest;
    }
    quality->density = (double)quality->spikes /
                       ((double)scheme_neurons(settings) * (double)quality->ticks);
    quality->link_bits = (double)quality->spikes * message_bits(settings, largest);
}

static bool check(const struct scheme_settings *settings, const double *x, const double *decoded,
                  size_t length, struct error *error)
{
    for (size_t i = 0; i < length; i++) {
        if (!isfinite(x[i]))
            return error_set(error, ERROR_MISUSED, "value %zu of the signal is %g; replace it by a "
                             "number", i, x[i]);
        if (!isfinite(decoded[i]))
            return error_set(error, ERROR_FAILED, "scheme %s: value %zu was decoded to %g, so "
                             "nothing can be said of its quality", settings->scheme->name, i,
                             decoded[i]);
    }
    return true;
}

bool quality_of(const struct scheme_settings *settings, const double *x, const double *decoded,
                size_t length, const struct timed_spike *spikes, size_t count,
                double tick_seconds, struct quality *quality, struct error *error)
{
    *quality = (struct quality){.values = length, .density = NAN, .snr = NAN, .rmse = NAN,
                                .settling = NAN, .information = NAN, .information_per_spike = NAN,
                                .information_per_second = NAN};
    if (length == 0)
        return true;
    if (!check(settings, x, decoded, length, error))
        return false;
    struct information *information = information_open(x, length, error);
    if (information == NULL)
        return false;
    quality->information = information_bits(information, decoded);
    information_close(information);

    quality->ticks = (uint64_t)length * scheme_ticks(settings);
    count_cost(settings, spikes, count, quality);
    quality->rmse = rms(x, decoded, length, 1, 0);
    quality->snr = decibels(settings, x, length, quality->rmse);
    quality->settling = settling(settings, x, decoded, length);
    double bits = quality->information * (double)length;
    if (quality->spikes > 0)
        quality->information_per_spike = bits / (double)quality->spikes;
    if (tick_seconds > 0)
        quality->information_per_second = bits / ((double)quality->ticks * tick_seconds);
    return true;
}
