/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Figures of activity against processes whose figures are known, within the sampling error that
 * theory gives; and against a plain recomputation with dense arrays and GSL, pair by pair.
 */
#include "traces/activity.h"

#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t random_state = UINT64_C(88172645463325252);

static uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

static double random_unit(void)
{
    return ((double)(random_bits() >> 11) + 0.5) * 0x1p-53;
}

struct list {
    struct timed_spike *spikes;
    uint64_t length, room;
};

static void list_add(struct list *list, int64_t tick, uint32_t neuron, int32_t payload)
{
    if (list->length == list->room) {
        list->room = 2 * list->room + 1024;
        list->spikes = realloc(list->spikes, list->room * sizeof *list->spikes);
        assert_non_null(list->spikes);
    }
    list->spikes[list->length++] = (struct timed_spike){tick, neuron, payload};
}

static int compare_ticks(const void *left, const void *right)
{
    const struct timed_spike *a = left, *b = right;
    if (a->tick != b->tick)
        return a->tick < b->tick ? -1 : 1;
    return a->neuron < b->neuron ? -1 : a->neuron > b->neuron;
}

static struct activity_figures figures_of(struct list *list, uint32_t neurons, int64_t ticks,
                                          const struct activity_options *options)
{
    struct activity_figures figures;
    struct error error = {0};
    if (list->length > 0)
        qsort(list->spikes, list->length, sizeof *list->spikes, compare_ticks);
    if (!activity_from_spikes(list->spikes, list->length, neurons, ticks, options, &figures,
                              &error))
        fail_msg("%s", error.text);
    return figures;
}

static void assert_within(double value, double expected, double error)
{
    if (!(fabs(value - expected) <= error))
        fail_msg("%.9g is not within %.3g of %.9g", value, error, expected);
}

/* ---- known processes ---- */

static const struct activity_options tenth = {.tick_seconds = 1e-4};

/* Ticks until the first success of probability p. */
static int64_t geometric(double p)
{
    return 1 + (int64_t)floor(log(random_unit()) / log1p(-p));
}

/* Neurons whose intervals are sums of `order` geometric ones. */
static struct list renewal(uint32_t neurons, int64_t ticks, double p, int order)
{
    struct list list = {0};
    for (uint32_t i = 0; i < neurons; i++) {
        /* starts long before, so that the process is stationary */
        for (int64_t tick = -(int64_t)(20 * order / p); tick < ticks;) {
            if (tick >= 0)
                list_add(&list, tick, i, 1);
            for (int part = 0; part < order; part++)
                tick += geometric(p);
        }
    }
    return list;
}

/* Each tick a neuron fires with probability p: intervals are geometric, CV² = 1 - p; counts are
 * binomial, variance / mean = 1 - p; counts of two neurons are independent. The errors are those
 * of large samples: of a CV of n exponential intervals 1 / sqrt(n), and a bias of the order 1 / n;
 * of variance / mean in B bins sqrt(2 / (B - 1)); of a correlation 1 / sqrt(B - 1). */
static void test_poisson(void **state)
{
    (void)state;
    const uint32_t neurons = 400;
    const int64_t ticks = 600000;
    const double p = 0.002, five = 5;
    struct list list = renewal(neurons, ticks, p, 1);
    struct activity_figures figures = figures_of(&list, neurons, ticks, &tenth);
    double n = p * (double)ticks, bins = (double)ticks / 30, pairs = 200 * 199 / 2.0;
    assert_within(figures.rate, p / 1e-4, five * (p / 1e-4) / sqrt(n * neurons));
    assert_within(figures.cv_mean, sqrt(1 - p), five / sqrt(n * neurons) + 3 / n);
    assert_within(figures.cv_median, sqrt(1 - p), five * 1.2533 / sqrt(n * neurons) + 5 / n);
    assert_int_equal(figures.cv_neurons, neurons);
    assert_within(figures.synchrony, 1 - p, five * sqrt(2 / bins));
    assert_int_equal(figures.correlated_neurons, 200);
    assert_within(figures.correlation, 0, five / sqrt(pairs * (double)ticks / 20));
    assert_true(figures.silent_fraction == 0);
    assert_int_equal(figures.spikes, list.length);
    free(list.spikes);
}

/* Sums of four: CV² = (1 - p) / 4. The error of the CV of n intervals with coefficient c, skewness
 * 1 and kurtosis 4.5 is c sqrt((4.5 - 1) / 4 - c + c²) / sqrt(n). */
static void test_gamma_of_order_four(void **state)
{
    (void)state;
    const uint32_t neurons = 100;
    const int64_t ticks = 1000000;
    const double p = 0.01;
    struct list list = renewal(neurons, ticks, p, 4);
    struct activity_figures figures = figures_of(&list, neurons, ticks, &tenth);
    double n = p / 4 * (double)ticks, c = sqrt((1 - p) / 4);
    assert_within(figures.cv_mean, c,
                  5 * c * sqrt(0.875 - c + c * c) / sqrt(n * neurons) + 3 / n);
    assert_within(figures.rate, p / 4 / 1e-4, 5 * p / 4 / 1e-4 * c / sqrt(n * neurons));
    free(list.spikes);
}

static void test_regular(void **state)
{
    (void)state;
    struct list list = {0};
    for (uint32_t i = 0; i < 300; i++)
        for (int64_t tick = (int64_t)i % 100; tick < 100000; tick += 100)
            list_add(&list, tick, i, 1);
    struct activity_figures figures = figures_of(&list, 301, 100000, &tenth);
    assert_true(figures.cv_mean == 0);
    assert_true(figures.cv_median == 0);
    assert_int_equal(figures.cv_neurons, 300);
    assert_within(figures.rate, 300 * 100.0 / 301, 1e-9);
    assert_within(figures.silent_fraction, 1 / 301.0, 1e-12);
    /* of every second neuron, 0 … 300, 150 fire, once in five bins of 20 ticks: two neurons
     * correlate fully if they share a bin of the five, which 29 others do, and else by -1/4 */
    assert_int_equal(figures.correlated_neurons, 150);
    assert_within(figures.correlation, (29 - 120 / 4.0) / 149, 1e-12);
    free(list.spikes);
}

/* All fire together: every pair is fully correlated, and variance / mean is N times that of one. */
static void test_fully_synchronous(void **state)
{
    (void)state;
    const uint32_t neurons = 150;
    const double p = 0.003;
    const int64_t ticks = 200000;
    struct list list = {0};
    for (int64_t tick = geometric(p); tick < ticks; tick += geometric(p))
        for (uint32_t i = 0; i < neurons; i++)
            list_add(&list, tick, i, 1);
    struct activity_figures figures = figures_of(&list, neurons, ticks, &tenth);
    assert_within(figures.correlation, 1, 1e-9);
    assert_within(figures.synchrony / neurons, 1 - p, 5 * sqrt(2.0 * 30 / (double)ticks) + 0.1);
    struct list one = {0};
    for (uint64_t i = 0; i < list.length; i++)
        if (list.spikes[i].neuron == 0)
            list_add(&one, list.spikes[i].tick, 0, 1);
    struct activity_figures single = figures_of(&one, 1, ticks, &tenth);
    assert_within(figures.synchrony, neurons * single.synchrony, 1e-9 * neurons);
    assert_true(isnan(single.correlation)); /* one neuron is no pair */
    free(one.spikes);
    free(list.spikes);
}

/* Neurons copy each event of a common mother process of probability q with probability c: counts
 * have the covariance q (1 - q) c² per tick and the variance q c (1 - q c), so the correlation is
 * c (1 - q) / (1 - q c); variance / mean of N neurons is 1 - q c + (N - 1) c (1 - q). */
static void test_partly_synchronous(void **state)
{
    (void)state;
    const uint32_t neurons = 200;
    const double q = 0.02, c = 0.3;
    const int64_t ticks = 400000;
    struct list list = {0};
    for (int64_t tick = geometric(q); tick < ticks; tick += geometric(q))
        for (uint32_t i = 0; i < neurons; i++)
            if (random_unit() < c)
                list_add(&list, tick, i, 1);
    struct activity_figures figures = figures_of(&list, neurons, ticks, &tenth);
    double expected = 1 - q * c + (neurons - 1) * c * (1 - q);
    assert_within(figures.correlation, c * (1 - q) / (1 - q * c), 0.01);
    assert_within(figures.synchrony / expected, 1, 5 * sqrt(2.0 / ((double)ticks / 30)) + 0.01);
    free(list.spikes);
}

/* ---- against a plain recomputation ---- */

/* counts [neurons][bins] */
static double *count_bins(const struct list *list, uint32_t neurons, int64_t start, int64_t bins,
                          int64_t width)
{
    double *counts = calloc(neurons * (size_t)bins + 1, sizeof *counts);
    assert_non_null(counts);
    for (uint64_t i = 0; i < list->length; i++) {
        int64_t bin = (list->spikes[i].tick - start) / width;
        if (list->spikes[i].tick >= start && bin < bins)
            counts[list->spikes[i].neuron * (size_t)bins + (size_t)bin] +=
                abs(list->spikes[i].payload);
    }
    return counts;
}

static void plain_cv(const struct list *list, uint32_t neurons, int64_t start,
                     struct activity_figures *figures)
{
    double *cv = calloc(neurons, sizeof *cv), *intervals = calloc(list->length, sizeof *intervals);
    figures->cv_neurons = 0;
    for (uint32_t n = 0; n < neurons; n++) {
        int64_t last = -1;
        size_t length = 0;
        for (uint64_t i = 0; i < list->length; i++) {
            struct timed_spike spike = list->spikes[i];
            if (spike.neuron != n || spike.tick < start || spike.tick == last)
                continue;
            if (last >= 0)
                intervals[length++] = (double)(spike.tick - last);
            last = spike.tick;
        }
        if (length < 2)
            continue;
        double mean = gsl_stats_mean(intervals, 1, length);
        cv[figures->cv_neurons++] =
            sqrt(gsl_stats_variance_with_fixed_mean(intervals, 1, length, mean)) / mean;
    }
    gsl_sort(cv, 1, figures->cv_neurons);
    figures->cv_mean = gsl_stats_mean(cv, 1, figures->cv_neurons);
    figures->cv_median = gsl_stats_median_from_sorted_data(cv, 1, figures->cv_neurons);
    free(cv);
    free(intervals);
}

static double plain_synchrony(const struct list *list, uint32_t neurons, int64_t start,
                              int64_t ticks, int64_t width)
{
    int64_t bins = (ticks - start) / width;
    double *counts = count_bins(list, neurons, start, bins, width);
    for (uint32_t n = 1; n < neurons; n++)
        for (int64_t b = 0; b < bins; b++)
            counts[b] += counts[n * (size_t)bins + (size_t)b];
    double mean = gsl_stats_mean(counts, 1, (size_t)bins);
    double variance = gsl_stats_variance_with_fixed_mean(counts, 1, (size_t)bins, mean);
    free(counts);
    return variance / mean;
}

static double plain_correlation(const struct list *list, uint32_t neurons, int64_t start,
                                int64_t ticks, int64_t width, uint64_t *used)
{
    int64_t bins = (ticks - start) / width;
    double *counts = count_bins(list, neurons, start, bins, width), sum = 0;
    const double *chosen[ACTIVITY_SAMPLE];
    uint32_t every = 1;
    while ((neurons + every - 1) / every > ACTIVITY_SAMPLE)
        every++;
    *used = 0;
    for (uint32_t n = 0; n < neurons; n += every) {
        const double *row = counts + n * (size_t)bins;
        if (gsl_stats_max(row, 1, (size_t)bins) > gsl_stats_min(row, 1, (size_t)bins))
            chosen[(*used)++] = row;
    }
    for (uint64_t i = 0; i < *used; i++)
        for (uint64_t j = 0; j < i; j++)
            sum += gsl_stats_correlation(chosen[i], 1, chosen[j], 1, (size_t)bins);
    free(counts);
    return sum / ((double)*used * (double)(*used - 1) / 2);
}

/* Neurons of different rates, some silent, with payloads of more than 1 and below 0, some of
 * which come as several entries of one tick. */
static struct list mixed(uint32_t neurons, int64_t ticks)
{
    struct list list = {0};
    for (uint32_t n = 0; n < neurons; n++) {
        double p = n % 7 == 3 ? 0 : 0.1 * random_unit() * random_unit();
        for (int64_t tick = 0; tick < ticks; tick++) {
            double common = tick % 64 < 8 ? 3 : 0.7;
            if (random_unit() >= p * common)
                continue;
            list_add(&list, tick, n, (int32_t)(random_bits() % 4) + 1);
            if (random_bits() % 4 == 0)
                list_add(&list, tick, n, -2);
        }
    }
    return list;
}

static void test_equals_a_plain_recomputation(void **state)
{
    (void)state;
    static const struct {
        uint32_t neurons;
        int64_t ticks, synchrony, correlation;
        struct activity_options options;
    } cases[] = {
        {57, 3000, 30, 20, {.tick_seconds = 1e-4}},
        {200, 2011, 3, 2, {.tick_seconds = 1e-3, .start = 500}},
        {201, 2011, 50, 7, {.tick_seconds = 1e-4, .start = 13, .synchrony_bin = 5e-3,
                            .correlation_bin = 7e-4}},
        {613, 1500, 1, 1, {.tick_seconds = 5e-3, .start = 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t neurons = cases[i].neurons;
        int64_t ticks = cases[i].ticks, start = cases[i].options.start;
        struct list list = mixed(neurons, ticks);
        struct activity_figures got = figures_of(&list, neurons, ticks, &cases[i].options), plain;
        plain_cv(&list, neurons, start, &plain);
        double spikes = 0;
        bool *fired = calloc(neurons, sizeof *fired);
        for (uint64_t s = 0; s < list.length; s++)
            if (list.spikes[s].tick >= start) {
                spikes += abs(list.spikes[s].payload);
                fired[list.spikes[s].neuron] = true;
            }
        uint32_t silent = 0;
        for (uint32_t n = 0; n < neurons; n++)
            silent += !fired[n];
        assert_true((double)got.spikes == spikes);
        assert_within(got.silent_fraction, (double)silent / neurons, 1e-12);
        double seconds = (double)(ticks - start) * cases[i].options.tick_seconds;
        assert_within(got.rate, spikes / neurons / seconds, 1e-9 * got.rate);
        assert_int_equal(got.cv_neurons, plain.cv_neurons);
        assert_within(got.cv_mean, plain.cv_mean, 1e-12);
        assert_within(got.cv_median, plain.cv_median, 1e-12);
        assert_within(got.synchrony,
                      plain_synchrony(&list, neurons, start, ticks, cases[i].synchrony), 1e-9);
        double correlation = plain_correlation(&list, neurons, start, ticks, cases[i].correlation,
                                               &plain.correlated_neurons);
        assert_int_equal(got.correlated_neurons, plain.correlated_neurons);
        assert_within(got.correlation, correlation, 1e-10);
        free(fired);
        free(list.spikes);
    }
}

/* ---- what cannot be said ---- */

static void test_what_cannot_be_said(void **state)
{
    (void)state;
    struct list list = {0};
    struct activity_figures figures = figures_of(&list, 5, 100, &tenth);
    assert_true(figures.rate == 0 && figures.silent_fraction == 1 && figures.spikes == 0);
    assert_true(isnan(figures.cv_mean) && isnan(figures.synchrony) && isnan(figures.correlation));
    list_add(&list, 3, 1, 1);
    list_add(&list, 9, 1, 1);
    figures = figures_of(&list, 5, 100, &tenth);
    assert_int_equal(figures.cv_neurons, 0); /* one interval does not vary */
    assert_true(isnan(figures.cv_mean) && isnan(figures.correlation));
    assert_within(figures.silent_fraction, 0.8, 1e-12);
    list_add(&list, 19, 1, 1);
    struct activity_options virtual = {0}; /* ticks without a length */
    figures = figures_of(&list, 5, 100, &virtual);
    assert_within(figures.cv_mean, 2 / 8.0, 1e-12); /* intervals 6 and 10 */
    assert_true(isnan(figures.rate) && isnan(figures.synchrony) && isnan(figures.correlation));
    figures = figures_of(&list, 5, 0 + 20, &(struct activity_options){.tick_seconds = 1,
                                                                      .start = 20});
    assert_true(isnan(figures.rate) && figures.spikes == 0);
    figures = figures_of(&list, 5, 20, &tenth); /* not one full bin of 3 ms */
    assert_true(isnan(figures.synchrony) && !isnan(figures.rate));
    free(list.spikes);
}

static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        struct activity_options options;
        struct timed_spike spikes[2];
    } cases[] = {
        {{.tick_seconds = -1}, {{0, 0, 1}, {1, 0, 1}}},
        {{.tick_seconds = NAN}, {{0, 0, 1}, {1, 0, 1}}},
        {{.tick_seconds = 1e-4, .start = -1}, {{0, 0, 1}, {1, 0, 1}}},
        {{.tick_seconds = 1e-4, .synchrony_bin = -1}, {{0, 0, 1}, {1, 0, 1}}},
        {{.tick_seconds = 1e-4, .correlation_bin = INFINITY}, {{0, 0, 1}, {1, 0, 1}}},
        {{.tick_seconds = 1e-300, .correlation_bin = 1}, {{0, 0, 1}, {1, 0, 1}}},
        {{.tick_seconds = 1e-4}, {{1, 0, 1}, {0, 0, 1}}},
        {{.tick_seconds = 1e-4}, {{1, 0, 1}, {1, 2, 1}}},
        {{.tick_seconds = 1e-4}, {{1, 0, 1}, {50, 0, 1}}},
        {{.tick_seconds = 1e-4}, {{-1, 0, 1}, {5, 0, 1}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {0};
        struct activity_figures figures;
        assert_false(activity_from_spikes(cases[i].spikes, 2, 2, 50, &cases[i].options, &figures,
                                          &error));
        assert_int_not_equal(error.code, ERROR_NONE);
    }
}

/* ---- as an observer ---- */

struct scene {
    struct workers *workers;
    struct network *network;
    struct population *first, *shows, *second; /* inputs: spikes, values, spikes */
    struct activity *activity;
};

static void scene_set(struct scene *scene, const struct activity_options *options)
{
    struct error error = {0};
    scene->workers = workers_new(1, &error);
    scene->network = network_new("inputs", 1);
    assert_true(scene->workers != NULL && scene->network != NULL);
    scene->network->workers = scene->workers;
    scene->first = input_new(scene->network, "first", 300, false, &error);
    scene->shows = input_new(scene->network, "shows", 4, true, &error);
    scene->second = input_new(scene->network, "second", 9, false, &error);
    assert_true(scene->first != NULL && scene->shows != NULL && scene->second != NULL);
    assert_true(network_seal(scene->network, &error));
    scene->activity = activity_new(scene->network, options, &error);
    assert_non_null(scene->activity);
    assert_true(network_observe(scene->network, activity_observer(scene->activity), &error));
}

static void scene_clear(struct scene *scene)
{
    activity_free(scene->activity);
    network_free(scene->network);
    workers_free(scene->workers);
}

static void scene_run(struct scene *scene, const struct list *first, const struct list *second,
                      int64_t ticks)
{
    struct error error = {0};
    network_reset(scene->network);
    assert_true(input_feed_spikes(scene->first, first->spikes, first->length, &error));
    assert_true(input_feed_spikes(scene->second, second->spikes, second->length, &error));
    assert_true(network_run(scene->network, 0, ticks, NULL, &error));
    assert_true(network_finish(scene->network, &error));
}

static struct activity_figures scene_figures(const struct scene *scene,
                                             const struct population *population)
{
    struct error error = {0};
    struct activity_figures figures;
    assert_true(activity_figures(scene->activity, population->id, &figures, &error));
    return figures;
}

/* Inputs in a network say what their lists say; samples are laid end to end. */
static void test_observes_a_network(void **state)
{
    (void)state;
    enum { SAMPLES = 3, TICKS = 900, START = 60, LEFT = TICKS - START };
    struct activity_options options = {.tick_seconds = 1e-4, .start = START};
    struct scene scene;
    struct list joined = {0};
    scene_set(&scene, &options);
    for (int s = 0; s < SAMPLES; s++) {
        struct list first = renewal(300, TICKS, 0.03, 1), second = renewal(9, TICKS, 0.01, 1);
        struct activity_figures alone = figures_of(&first, 300, TICKS, &options);
        figures_of(&second, 9, TICKS, &options); /* sorts it */
        for (uint64_t i = 0; i < second.length; i++)
            if (second.spikes[i].tick >= START)
                list_add(&joined, second.spikes[i].tick - START + s * LEFT,
                         second.spikes[i].neuron, 1);
        scene_run(&scene, &first, &second, TICKS);
        struct activity_figures figures = scene_figures(&scene, scene.first);
        if (s == 0)
            assert_memory_equal(&figures, &alone, sizeof figures);
        free(first.spikes);
        free(second.spikes);
    }
    struct activity_figures figures = scene_figures(&scene, scene.second);
    struct activity_figures together = figures_of(&joined, 9, SAMPLES * LEFT, &tenth);
    assert_true(figures.rate == together.rate && figures.synchrony == together.synchrony);
    assert_true(figures.correlation == together.correlation);
    assert_true(figures.cv_mean != together.cv_mean); /* which has intervals across samples */
    figures = scene_figures(&scene, scene.shows);
    assert_true(figures.spikes == 0 && isnan(figures.rate));
    free(joined.spikes);
    scene_clear(&scene);
}

/* Samples that are each regular: nothing would vary but an interval from one to the next. */
static void test_no_interval_across_samples(void **state)
{
    (void)state;
    struct scene scene;
    struct list list = {0}, none = {0};
    scene_set(&scene, &tenth);
    for (int64_t tick = 7; tick < 90; tick += 10)
        list_add(&list, tick, 0, 1);
    for (int64_t sample = 0; sample < 3; sample++)
        scene_run(&scene, &list, &none, 95 + sample);
    struct activity_figures figures = scene_figures(&scene, scene.first);
    assert_true(figures.cv_mean == 0);
    assert_int_equal(figures.cv_neurons, 1);
    assert_int_equal(figures.spikes, 3 * 9);
    assert_within(figures.rate, 27 / (300 * 288 * 1e-4), 1e-9);
    free(list.spikes);
    scene_clear(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_poisson),
        cmocka_unit_test(test_gamma_of_order_four),
        cmocka_unit_test(test_regular),
        cmocka_unit_test(test_fully_synchronous),
        cmocka_unit_test(test_partly_synchronous),
        cmocka_unit_test(test_equals_a_plain_recomputation),
        cmocka_unit_test(test_what_cannot_be_said),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_observes_a_network),
        cmocka_unit_test(test_no_interval_across_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
