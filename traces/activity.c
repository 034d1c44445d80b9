/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Figures of spike trains, gathered spike by spike.
 *
 * Time here counts the observed ticks only, from 0, over all stretches (runs between two resets).
 * Means and variances of intervals are kept by Welford's recurrence, which does not lose digits
 * where a variance is small beside a mean:
 *
 *     n += 1;  d = x - mean;  mean += d / n;  squares += d (x - mean)
 *
 * Invariant of a train set: every spike taken has counted in `spikes`, in its neuron's record, in
 * the bin under way, and, if its neuron is in the sample, in the last entry of `counts` that
 * neuron has, if that is of the present bin, or else in a new one; so `counts` is sorted by bin and
 * holds a neuron and bin once.
 */
#include "traces/activity.h"

#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double standard_synchrony_bin = 3e-3, standard_correlation_bin = 2e-3;

enum { NOT_SAMPLED = UINT32_MAX };
#define NEVER INT64_MIN

struct neuron {
    int64_t last; /* time it fired last; NEVER: it has not */
    double mean, squares; /* of its intervals: mean and sum of squared distances from it */
    uint32_t intervals;
    uint32_t sampled; /* index in the sample, or NOT_SAMPLED */
};

struct bin_count {
    uint32_t bin;
    uint32_t sampled;
    uint64_t spikes;
};

/* What is gathered of one population. */
struct trains {
    uint32_t neurons;
    struct neuron *neuron; /* [neurons], or NULL: it does not fire */
    uint64_t spikes;
    int64_t bin;       /* number of the synchrony bin under way */
    uint64_t in_bin;   /* spikes in it */
    double bins_sum, bins_squares; /* of the bins before: counts and their squares */
    uint32_t sample;          /* neurons in the sample */
    struct bin_count *counts; /* [counts_length] */
    uint64_t counts_length, counts_room;
    uint64_t *newest; /* [sample]: 1 + index of a neuron's last entry in `counts`, or 0 */
};

/* Ticks in a bin of each kind; 0: cannot be said. */
struct bins {
    int64_t synchrony, correlation;
};

struct activity {
    const struct network *network;
    struct activity_options options;
    struct bins bins;
    struct trains *trains; /* [population_count] */
    int64_t elapsed; /* ticks observed in the stretches that are over */
};

/* ---- gathering ---- */

static bool trains_begin(struct trains *trains, uint32_t neurons, struct error *error)
{
    uint32_t every = neurons > 0 ? (neurons - 1) / ACTIVITY_SAMPLE + 1 : 1;
    trains->neurons = neurons;
    trains->sample = neurons > 0 ? (neurons - 1) / every + 1 : 0;
    trains->neuron = calloc((size_t)neurons + 1, sizeof *trains->neuron);
    trains->newest = calloc((size_t)trains->sample + 1, sizeof *trains->newest);
    if (trains->neuron == NULL || trains->newest == NULL)
        return error_no_memory(error, "figures of activity");
    for (uint32_t i = 0; i < neurons; i++) {
        trains->neuron[i].last = NEVER;
        trains->neuron[i].sampled = i % every == 0 ? i / every : NOT_SAMPLED;
    }
    return true;
}

static void trains_end(struct trains *trains)
{
    free(trains->neuron);
    free(trains->counts);
    free(trains->newest);
}

/* Ends the synchrony bin under way and goes on to `bin`; those between are empty. */
static void bin_close(struct trains *trains, int64_t bin)
{
    double count = (double)trains->in_bin;
    trains->bins_sum += count;
    trains->bins_squares += count * count;
    trains->in_bin = 0;
    trains->bin = bin;
}

static bool count_sampled(struct trains *trains, uint32_t sampled, uint32_t bin, uint32_t spikes,
                          struct error *error)
{
    uint64_t newest = trains->newest[sampled];
    if (newest > 0 && trains->counts[newest - 1].bin == bin) {
        trains->counts[newest - 1].spikes += spikes;
        return true;
    }
    if (trains->counts_length == trains->counts_room) {
        uint64_t room = trains->counts_room == 0 ? 1024 : 2 * trains->counts_room;
        struct bin_count *counts = NULL;
        if (room <= SIZE_MAX / sizeof *counts)
            counts = realloc(trains->counts, room * sizeof *counts);
        if (counts == NULL)
            return error_no_memory(error, "figures of activity");
        trains->counts = counts;
        trains->counts_room = room;
    }
    trains->counts[trains->counts_length++] = (struct bin_count){bin, sampled, spikes};
    trains->newest[sampled] = trains->counts_length;
    return true;
}

/* A neuron fires at `time`; what it fired before `stretch` is of another stretch. */
static inline void neuron_fire(struct neuron *neuron, int64_t time, int64_t stretch)
{
    if (neuron->last >= stretch && neuron->last < time) {
        double interval = (double)(time - neuron->last), distance = interval - neuron->mean;
        neuron->mean += distance / ++neuron->intervals;
        neuron->squares += distance * (interval - neuron->mean);
    }
    neuron->last = time;
}

static inline uint32_t spikes_of(int32_t payload)
{
    return payload < 0 ? 0U - (uint32_t)payload : (uint32_t)payload;
}

/* Takes what a population fired at one time. Times never go down. */
static bool trains_take(struct trains *trains, const struct bins *bins, int64_t time,
                        int64_t stretch, const struct spike *spikes, uint32_t length,
                        struct error *error)
{
    uint64_t fired = 0;
    bool binned = bins->correlation > 0;
    uint32_t bin = binned ? (uint32_t)(time / bins->correlation) : 0;
    if (binned && time / bins->correlation > UINT32_MAX)
        return error_set(error, ERROR_FAILED, "the run is longer than 2^32 bins of correlation; "
                         "make them wider");
    for (uint32_t i = 0; i < length; i++) {
        struct neuron *neuron = &trains->neuron[spikes[i].neuron];
        uint32_t count = spikes_of(spikes[i].payload);
        if (count == 0)
            continue;
        fired += count;
        neuron_fire(neuron, time, stretch);
        if (binned && neuron->sampled != NOT_SAMPLED &&
            !count_sampled(trains, neuron->sampled, bin, count, error))
            return false;
    }
    if (bins->synchrony > 0 && time / bins->synchrony != trains->bin)
        bin_close(trains, time / bins->synchrony);
    trains->in_bin += fired;
    trains->spikes += fired;
    return true;
}

/* ---- figures ---- */

static bool figure_cv(const struct trains *trains, struct activity_figures *figures,
                      struct error *error)
{
    double *cv = malloc(((size_t)trains->neurons + 1) * sizeof *cv);
    size_t length = 0;
    if (cv == NULL)
        return error_no_memory(error, "figures of activity");
    for (uint32_t i = 0; i < trains->neurons; i++) {
        const struct neuron *neuron = &trains->neuron[i];
        if (neuron->intervals >= 2)
            cv[length++] = sqrt(neuron->squares / neuron->intervals) / neuron->mean;
    }
    figures->cv_neurons = length;
    if (length > 0) {
        gsl_sort(cv, 1, length);
        figures->cv_mean = gsl_stats_mean(cv, 1, length);
        figures->cv_median = gsl_stats_median_from_sorted_data(cv, 1, length);
    }
    free(cv);
    return true;
}

static double figure_synchrony(const struct trains *trains, int64_t width, int64_t ticks)
{
    int64_t bins = width > 0 ? ticks / width : 0;
    if (bins == 0)
        return NAN;
    double last = trains->bin < bins ? (double)trains->in_bin : 0; /* else the bin is not full */
    double mean = (trains->bins_sum + last) / (double)bins;
    double squares = (trains->bins_squares + last * last) / (double)bins;
    return mean > 0 ? (squares - mean * mean) / mean : NAN;
}

/* Mean and standard deviation of each sampled neuron's counts; those that never change, and so
 * cannot be correlated, get deviation 0. Returns how many can. */
static uint64_t sample_moments(const struct trains *trains, int64_t bins, double *mean,
                               double *deviation)
{
    uint64_t used = 0;
    for (uint64_t i = 0; i < trains->counts_length && trains->counts[i].bin < bins; i++) {
        double count = (double)trains->counts[i].spikes;
        mean[trains->counts[i].sampled] += count;
        deviation[trains->counts[i].sampled] += count * count;
    }
    for (uint32_t i = 0; i < trains->sample; i++) {
        mean[i] /= (double)bins;
        double variance = deviation[i] / (double)bins - mean[i] * mean[i];
        /* a constant count leaves a rounding error at most */
        bool varies = variance > 1e-12 * deviation[i] / (double)bins;
        deviation[i] = varies ? sqrt(variance) : 0;
        used += varies;
    }
    return used;
}

/* Sum over bins of (sum over neurons of z)². Empty bins all have the same sum. */
static double squared_sums(const struct trains *trains, int64_t bins, const double *mean,
                           const double *deviation)
{
    double empty = 0, total = 0;
    for (uint32_t i = 0; i < trains->sample; i++)
        if (deviation[i] > 0)
            empty -= mean[i] / deviation[i];
    int64_t filled = 0;
    const struct bin_count *at = trains->counts, *end = at + trains->counts_length;
    while (at < end && at->bin < bins) {
        double sum = empty;
        for (uint32_t bin = at->bin; at < end && at->bin == bin; at++)
            if (deviation[at->sampled] > 0)
                sum += (double)at->spikes / deviation[at->sampled];
        total += sum * sum;
        filled++;
    }
    return total + (double)(bins - filled) * empty * empty;
}

static bool figure_correlation(const struct trains *trains, int64_t width, int64_t ticks,
                               struct activity_figures *figures, struct error *error)
{
    int64_t bins = width > 0 ? ticks / width : 0;
    if (bins == 0 || trains->counts_length == 0)
        return true;
    double *mean = calloc(2 * (size_t)trains->sample, sizeof *mean);
    if (mean == NULL)
        return error_no_memory(error, "figures of activity");
    double *deviation = mean + trains->sample;
    uint64_t used = sample_moments(trains, bins, mean, deviation);
    figures->correlated_neurons = used;
    if (used >= 2) {
        double m = (double)used, b = (double)bins;
        figures->correlation =
            (squared_sums(trains, bins, mean, deviation) - m * b) / (m * (m - 1) * b);
    }
    free(mean);
    return true;
}

/* Everything of one population, over `ticks` observed ticks. */
static bool figures_of(const struct trains *trains, const struct bins *bins, double tick_seconds,
                       int64_t ticks, struct activity_figures *figures, struct error *error)
{
    *figures = (struct activity_figures){.rate = NAN, .cv_mean = NAN, .cv_median = NAN,
                                         .synchrony = NAN, .correlation = NAN,
                                         .silent_fraction = NAN};
    if (trains->neuron == NULL || trains->neurons == 0 || ticks <= 0)
        return true;
    uint64_t silent = 0;
    for (uint32_t i = 0; i < trains->neurons; i++)
        silent += trains->neuron[i].last == NEVER;
    figures->spikes = trains->spikes;
    figures->silent_fraction = (double)silent / trains->neurons;
    if (tick_seconds > 0)
        figures->rate =
            (double)trains->spikes / ((double)trains->neurons * (double)ticks * tick_seconds);
    figures->synchrony = figure_synchrony(trains, bins->synchrony, ticks);
    return figure_cv(trains, figures, error) &&
           figure_correlation(trains, bins->correlation, ticks, figures, error);
}

/* ---- the observer ---- */

/* A bin's width in ticks. */
static bool bin_ticks(double seconds, double standard, double tick_seconds, int64_t *ticks,
                      struct error *error)
{
    double width = round((seconds != 0 ? seconds : standard) / tick_seconds);
    *ticks = 0;
    if (!(seconds >= 0) || !isfinite(seconds) || (tick_seconds > 0 && width > 0x1p53))
        return error_set(error, ERROR_MISUSED, "figures of activity cannot use bins of %g s",
                         seconds);
    if (tick_seconds > 0)
        *ticks = width >= 1 ? (int64_t)width : 1;
    return true;
}

static bool bins_of(const struct activity_options *options, struct bins *bins, struct error *error)
{
    double dt = options->tick_seconds;
    if (!(dt >= 0) || !isfinite(dt) || options->start < 0)
        return error_set(error, ERROR_MISUSED, "figures of activity cannot use ticks of %g s from "
                         "tick %" PRId64 " on", dt, options->start);
    return bin_ticks(options->synchrony_bin, standard_synchrony_bin, dt, &bins->synchrony, error) &&
           bin_ticks(options->correlation_bin, standard_correlation_bin, dt, &bins->correlation,
                     error);
}

struct activity *activity_new(const struct network *network,
                              const struct activity_options *options, struct error *error)
{
    struct bins bins;
    if (!bins_of(options, &bins, error))
        return NULL;
    struct activity *activity = calloc(1, sizeof *activity);
    if (activity != NULL)
        activity->trains = calloc((size_t)network->population_count + 1, sizeof *activity->trains);
    if (activity == NULL || activity->trains == NULL) {
        free(activity);
        error_no_memory(error, "figures of activity");
        return NULL;
    }
    activity->network = network;
    activity->options = *options;
    activity->bins = bins;
    for (uint32_t i = 0; i < network->population_count; i++) {
        const struct population *population = network->populations[i];
        if (population->clocked && population->spikes != NULL &&
            (population->port_count > 0 || !options->neurons_only) &&
            !trains_begin(&activity->trains[i], population->neurons, error)) {
            activity_free(activity);
            return NULL;
        }
    }
    return activity;
}

void activity_free(struct activity *activity)
{
    if (activity == NULL)
        return;
    for (uint32_t i = 0; i < activity->network->population_count; i++)
        trains_end(&activity->trains[i]);
    free(activity->trains);
    free(activity);
}

static bool observe_firing(void *self, const struct firing *firing, struct error *error)
{
    struct activity *activity = self;
    struct trains *trains = &activity->trains[firing->population->id];
    if (trains->neuron == NULL || firing->tick < activity->options.start)
        return true;
    return trains_take(trains, &activity->bins,
                       activity->elapsed + firing->tick - activity->options.start,
                       activity->elapsed, firing->spikes, firing->spike_count, error);
}

static bool observe_end(void *self, const struct wave *wave, const int64_t *ticks,
                        struct error *error)
{
    (void)wave, (void)error;
    struct activity *activity = self;
    if (ticks[0] > activity->options.start)
        activity->elapsed += ticks[0] - activity->options.start;
    return true;
}

struct observer activity_observer(struct activity *activity)
{
    return (struct observer){activity, observe_firing, observe_end};
}

bool activity_figures(const struct activity *activity, uint32_t population,
                      struct activity_figures *figures, struct error *error)
{
    return figures_of(&activity->trains[population], &activity->bins,
                      activity->options.tick_seconds, activity->elapsed, figures, error);
}

/* ---- from a list ---- */

static bool list_take(struct trains *trains, const struct bins *bins, int64_t start,
                      const struct timed_spike *spikes, uint64_t length, int64_t ticks,
                      struct error *error)
{
    for (uint64_t i = 0; i < length; i++) {
        struct timed_spike spike = spikes[i];
        if (spike.tick < 0 || spike.tick >= ticks || spike.neuron >= trains->neurons ||
            (i > 0 && spike.tick < spikes[i - 1].tick))
            return error_set(error, ERROR_FAILED, "spike %" PRIu64 " (tick %" PRId64 ", neuron %"
                             PRIu32 ") is out of order, or beyond the run's %" PRId64 " ticks or "
                             "the population's %" PRIu32 " neurons", i, spike.tick, spike.neuron,
                             ticks, trains->neurons);
        struct spike one = {.neuron = spike.neuron, .payload = spike.payload};
        if (spike.tick >= start &&
            !trains_take(trains, bins, spike.tick - start, 0, &one, 1, error))
            return false;
    }
    return true;
}

bool activity_from_spikes(const struct timed_spike *spikes, uint64_t length, uint32_t neurons,
                          int64_t ticks, const struct activity_options *options,
                          struct activity_figures *figures, struct error *error)
{
    struct bins bins;
    struct trains trains = {0};
    bool made = bins_of(options, &bins, error) && trains_begin(&trains, neurons, error) &&
                list_take(&trains, &bins, options->start, spikes, length, ticks, error) &&
                figures_of(&trains, &bins, options->tick_seconds, ticks - options->start, figures,
                           error);
    trains_end(&trains);
    return made;
}
