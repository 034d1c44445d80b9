/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The interval of an estimate's total. The total is a sum of events x coefficient, and the events
 * stay as they are, so that a sample costs one multiplication for each coefficient that has a
 * range. Each of these has a stream of random numbers of its own.
 */
#include "traces/energy/estimate_internal.h"

#include "scheduler/random.h"

#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics.h>
#include <math.h>
#include <stdlib.h>

static bool is_ranged(const struct estimate *estimate, uint32_t number)
{
    if (number == CHIP_POWER_PLATFORM ||
        (number >= CHIP_FIGURES && number - CHIP_FIGURES >= estimate->chip->memory_count))
        return false;
    const struct coefficient *coefficient = estimate_coefficient(estimate->chip, number);
    return coefficient->given && coefficient->low < coefficient->high &&
           estimate->events[number] > 0;
}

/* From the triangle over low, value, high, by the inverse of its distribution. */
static double draw(gsl_rng *generator, const struct coefficient *coefficient)
{
    double low = coefficient->low, high = coefficient->high, mode = coefficient->value;
    double u = gsl_rng_uniform(generator), width = high - low;
    return u * width < mode - low ? low + sqrt(u * width * (mode - low))
                                  : high - sqrt((1 - u) * width * (high - mode));
}

static void sample(const struct estimate *estimate, gsl_rng *generator, double *totals)
{
    uint32_t samples = estimate->options.samples;
    double certain = estimate->total;
    for (uint32_t i = 0; i < ESTIMATE_COEFFICIENTS; i++)
        if (is_ranged(estimate, i))
            certain -= estimate->events[i] * estimate_coefficient(estimate->chip, i)->value;
    for (uint32_t s = 0; s < samples; s++)
        totals[s] = certain;
    for (uint32_t i = 0; i < ESTIMATE_COEFFICIENTS; i++) {
        if (!is_ranged(estimate, i))
            continue;
        struct random_stream stream =
            random_stream_of(estimate->options.seed, RANDOM_COEFFICIENT, i);
        random_gsl_seek(generator, &stream, 0);
        for (uint32_t s = 0; s < samples; s++)
            totals[s] += estimate->events[i] *
                         draw(generator, estimate_coefficient(estimate->chip, i));
    }
}

bool estimate_interval(struct estimate *estimate, struct error *error)
{
    uint32_t samples = estimate->options.samples;
    estimate->low = estimate->high = estimate->total;
    for (uint32_t i = 0; i < ESTIMATE_COEFFICIENTS; i++)
        estimate->ranged += is_ranged(estimate, i);
    if (samples == 0 || estimate->ranged == 0)
        return true;
    double *totals = malloc(samples * sizeof *totals);
    gsl_rng *generator = random_gsl_new();
    if (totals != NULL && generator != NULL) {
        sample(estimate, generator, totals);
        gsl_sort(totals, 1, samples);
        estimate->low = fmin(estimate->total,
                             gsl_stats_quantile_from_sorted_data(totals, 1, samples, 0.05));
        estimate->high = fmax(estimate->total,
                              gsl_stats_quantile_from_sorted_data(totals, 1, samples, 0.95));
    }
    bool made = totals != NULL && generator != NULL;
    free(totals);
    if (generator != NULL)
        gsl_rng_free(generator);
    return made || error_no_memory(error, "the samples of an interval");
}
