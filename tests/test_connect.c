/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Connection rules: what is fixed must be exact, what is random must have the distribution that
 * the rule's definition gives it (chi-square tests at fixed seeds), and any number of threads must
 * draw the same arrays.
 */
#include "neurons/connect/connect.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OPEN -INFINITY, INFINITY, false

/* Between whole populations; weights all 1, delays one tick. */
static struct connection connection_of(enum connection_rule rule, uint64_t number, uint32_t sources,
                                       uint32_t targets)
{
    return (struct connection){.rule = rule,
                               .number = number,
                               .multiple = true,
                               .to_itself = true,
                               .source_count = sources,
                               .target_count = targets,
                               .format = WEIGHT_SAME,
                               .weight = {DISTRIBUTION_CONSTANT, 1, 0, OPEN},
                               .delay = {DISTRIBUTION_CONSTANT, 1e-3, 0, OPEN},
                               .dt = 1e-3,
                               .delay_limit = 1000};
}

static struct sparse *draw(struct connection *connection, uint32_t sources, uint32_t targets,
                           uint64_t seed, uint32_t projection, struct workers *workers)
{
    struct error error = {0};
    struct sparse *sparse =
        connect_draw(connection, sources, targets, seed, projection, workers, &error);
    if (sparse == NULL)
        fail_msg("%s", error.text);
    assert_int_equal(sparse->sources, sources);
    assert_int_equal(sparse->targets, targets);
    assert_int_equal(sparse->row[0], 0);
    return sparse;
}

static uint32_t target_of(const struct sparse *sparse, uint64_t k)
{
    return sparse->target16 != NULL ? sparse->target16[k] : sparse->target32[k];
}

static uint32_t degree_of(const struct sparse *sparse, uint32_t source)
{
    return (uint32_t)(sparse->row[source + 1] - sparse->row[source]);
}

/* Rows in order, targets within the range, none twice or itself where that is forbidden. */
static void assert_rows(const struct connection *connection, const struct sparse *sparse,
                        bool multiple)
{
    for (uint32_t source = 0; source < sparse->sources; source++) {
        if (source < connection->source_first ||
            source >= connection->source_first + connection->source_count)
            assert_int_equal(degree_of(sparse, source), 0);
        for (uint64_t k = sparse->row[source]; k < sparse->row[source + 1]; k++) {
            uint32_t target = target_of(sparse, k);
            assert_in_range(target, connection->target_first,
                            connection->target_first + connection->target_count - 1);
            if (k > sparse->row[source])
                assert_true(target_of(sparse, k - 1) < target + multiple);
            if (connection->same_population && !connection->to_itself)
                assert_int_not_equal(source, target);
        }
    }
}

static uint32_t *in_degrees(const struct sparse *sparse)
{
    uint32_t *degrees = calloc(sparse->targets, sizeof *degrees);
    assert_non_null(degrees);
    for (uint64_t k = 0; k < sparse->row[sparse->sources]; k++)
        degrees[target_of(sparse, k)]++;
    return degrees;
}

static void assert_probable(double chi_square, double freedom)
{
    double probability = gsl_cdf_chisq_Q(chi_square, freedom);
    if (!(probability > 1e-4 && probability < 1 - 1e-4))
        fail_msg("chi-square %g of %g degrees of freedom", chi_square, freedom);
}

/* Counts against what is expected of each, with the total given. */
static void assert_counts(const uint32_t *counts, const double *expected, uint32_t bins)
{
    double chi_square = 0;
    for (uint32_t i = 0; i < bins; i++)
        chi_square += (counts[i] - expected[i]) * (counts[i] - expected[i]) / expected[i];
    assert_probable(chi_square, bins - 1);
}

static void assert_even(const uint32_t *counts, uint32_t bins)
{
    double *expected = malloc(bins * sizeof *expected), total = 0;
    assert_non_null(expected);
    for (uint32_t i = 0; i < bins; i++)
        total += counts[i];
    for (uint32_t i = 0; i < bins; i++)
        expected[i] = total / bins;
    assert_counts(counts, expected, bins);
    free(expected);
}

/* Degrees of `length` neurons against the binomial distribution; rare ones are put together. */
static void assert_binomial(const uint32_t *degrees, uint32_t length, double probability,
                            uint32_t trials)
{
    enum { BINS = 4096 };
    static uint32_t counts[BINS];
    static double expected[BINS];
    uint32_t bins = 0, counted = 0;
    double mass = 0;
    memset(counts, 0, sizeof counts);
    for (uint32_t value = 0; value < BINS && value <= trials; value++) {
        for (uint32_t i = 0; i < length; i++)
            counts[bins] += degrees[i] == value;
        double more = gsl_ran_binomial_pdf(value, probability, trials) * length;
        expected[bins] += more;
        if (expected[bins] >= 8) {
            mass += expected[bins];
            counted += counts[bins++];
            expected[bins] = 0;
        }
    }
    counts[bins] = length - counted;
    expected[bins] = length - mass;
    assert_true(bins > 3);
    if (expected[bins] < 8) {
        counts[bins - 1] += counts[bins];
        expected[bins - 1] += expected[bins];
        bins--;
    }
    assert_counts(counts, expected, bins + 1);
    memset(expected, 0, sizeof expected);
}

/* ---- the rules ---- */

static void test_all_to_all(void **state)
{
    (void)state;
    struct connection connection = connection_of(CONNECT_ALL_TO_ALL, 0, 5, 7);
    struct sparse *sparse = draw(&connection, 5, 7, 1, 0, NULL);
    for (uint32_t source = 0; source < 5; source++)
        for (uint32_t k = 0; k < 7; k++)
            assert_int_equal(target_of(sparse, sparse->row[source] + k), k);
    assert_int_equal(sparse->row[5], 35);
    assert_int_equal(sparse->fan_out[3], 7);
    sparse_free(sparse);

    connection = connection_of(CONNECT_ALL_TO_ALL, 0, 6, 6);
    connection.same_population = true;
    connection.to_itself = false;
    sparse = draw(&connection, 6, 6, 1, 0, NULL);
    assert_rows(&connection, sparse, false);
    for (uint32_t source = 0; source < 6; source++)
        assert_int_equal(degree_of(sparse, source), 5);
    sparse_free(sparse);
}

static void test_one_to_one(void **state)
{
    (void)state;
    struct connection connection = connection_of(CONNECT_ONE_TO_ONE, 0, 4, 4);
    connection.source_first = 2;
    connection.target_first = 5;
    struct sparse *sparse = draw(&connection, 10, 9, 1, 0, NULL);
    assert_int_equal(sparse->row[10], 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(sparse->row[2 + i], i);
        assert_int_equal(target_of(sparse, i), 5 + i);
    }
    sparse_free(sparse);
    connection.same_population = true; /* shifted: nothing to forbid */
    connection.to_itself = false;
    sparse = draw(&connection, 10, 10, 1, 0, NULL);
    assert_int_equal(sparse->row[10], 4);
    sparse_free(sparse);
}

static void test_fixed_in_degree(void **state)
{
    (void)state;
    enum { SOURCES = 1000, TARGETS = 3000, NUMBER = 60 };
    for (int multiple = 0; multiple < 2; multiple++) {
        struct connection connection =
            connection_of(CONNECT_FIXED_IN_DEGREE, NUMBER, SOURCES, TARGETS);
        connection.multiple = multiple != 0;
        struct sparse *sparse = draw(&connection, SOURCES, TARGETS, 7, 2, NULL);
        assert_rows(&connection, sparse, multiple != 0);
        uint32_t *degrees = in_degrees(sparse), out[SOURCES];
        for (uint32_t target = 0; target < TARGETS; target++)
            assert_int_equal(degrees[target], NUMBER);
        for (uint32_t source = 0; source < SOURCES; source++)
            out[source] = degree_of(sparse, source);
        if (multiple)
            assert_binomial(out, SOURCES, 1. / SOURCES, TARGETS * NUMBER);
        else
            assert_binomial(out, SOURCES, (double)NUMBER / SOURCES, TARGETS);
        free(degrees);
        sparse_free(sparse);
    }
}

static void test_fixed_out_degree(void **state)
{
    (void)state;
    enum { SOURCES = 3000, TARGETS = 1000, NUMBER = 60 };
    for (int multiple = 0; multiple < 2; multiple++) {
        struct connection connection =
            connection_of(CONNECT_FIXED_OUT_DEGREE, NUMBER, SOURCES, TARGETS);
        connection.multiple = multiple != 0;
        struct sparse *sparse = draw(&connection, SOURCES, TARGETS, 7, 2, NULL);
        assert_rows(&connection, sparse, multiple != 0);
        for (uint32_t source = 0; source < SOURCES; source++)
            assert_int_equal(degree_of(sparse, source), NUMBER);
        uint32_t *degrees = in_degrees(sparse);
        if (multiple)
            assert_binomial(degrees, TARGETS, 1. / TARGETS, SOURCES * NUMBER);
        else
            assert_binomial(degrees, TARGETS, (double)NUMBER / TARGETS, SOURCES);
        free(degrees);
        sparse_free(sparse);
    }
}

static void test_fixed_total(void **state)
{
    (void)state;
    enum { SOURCES = 2000, TARGETS = 1500, NUMBER = 90000 };
    struct connection connection = connection_of(CONNECT_FIXED_TOTAL, NUMBER, SOURCES, TARGETS);
    connection.multiple = false; /* says nothing here */
    struct sparse *sparse = draw(&connection, SOURCES, TARGETS, 11, 3, NULL);
    assert_int_equal(sparse->row[SOURCES], NUMBER);
    assert_rows(&connection, sparse, true);
    uint32_t *degrees = in_degrees(sparse), out[SOURCES], twice = 0;
    for (uint32_t source = 0; source < SOURCES; source++) {
        out[source] = degree_of(sparse, source);
        for (uint64_t k = sparse->row[source] + 1; k < sparse->row[source + 1]; k++)
            twice += target_of(sparse, k) == target_of(sparse, k - 1);
    }
    assert_even(out, SOURCES);
    assert_even(degrees, TARGETS);
    assert_binomial(out, SOURCES, 1. / SOURCES, NUMBER);
    assert_binomial(degrees, TARGETS, 1. / TARGETS, NUMBER);
    /* Draws beyond the first of their pair: NUMBER less the pairs that were hit. */
    double pairs = (double)SOURCES * TARGETS;
    double expected = NUMBER - pairs * -expm1(NUMBER * log1p(-1 / pairs));
    assert_true(fabs(twice - expected) < 4 * sqrt(expected));
    free(degrees);
    sparse_free(sparse);
}

/* Sources that are among the targets have one target fewer to choose from. */
static void test_fixed_total_without_itself(void **state)
{
    (void)state;
    enum { NEURONS = 6, NUMBER = 100000 };
    struct connection connection = connection_of(CONNECT_FIXED_TOTAL, NUMBER, NEURONS, 3);
    connection.same_population = true;
    connection.to_itself = false;
    connection.target_first = 2;
    struct sparse *sparse = draw(&connection, NEURONS, NEURONS, 4, 0, NULL);
    assert_rows(&connection, sparse, true);
    uint32_t counts[NEURONS * 3], bins = 0;
    for (uint32_t source = 0; source < NEURONS; source++)
        for (uint32_t target = 2; target < 5; target++) {
            uint32_t count = 0;
            for (uint64_t k = sparse->row[source]; k < sparse->row[source + 1]; k++)
                count += target_of(sparse, k) == target;
            if (source != target)
                counts[bins++] = count;
        }
    assert_int_equal(bins, 15);
    assert_even(counts, bins); /* every pair that is allowed, equally often */
    sparse_free(sparse);
}

static void test_probability(void **state)
{
    (void)state;
    static const double probabilities[] = {0.003, 0.1, 0.5, 0.93};
    enum { SOURCES = 1500, TARGETS = 1200 };
    for (int i = 0; i < 4; i++) {
        double p = probabilities[i];
        struct connection connection = connection_of(CONNECT_PROBABILITY, 0, SOURCES, TARGETS);
        connection.probability = p;
        struct sparse *sparse = draw(&connection, SOURCES, TARGETS, 13, 3, NULL);
        assert_rows(&connection, sparse, false);
        uint32_t *degrees = in_degrees(sparse), out[SOURCES];
        for (uint32_t source = 0; source < SOURCES; source++)
            out[source] = degree_of(sparse, source);
        assert_binomial(out, SOURCES, p, TARGETS);
        assert_binomial(degrees, TARGETS, p, SOURCES);
        free(degrees);
        sparse_free(sparse);
    }
}

static void test_probability_of_zero_and_one(void **state)
{
    (void)state;
    struct connection connection = connection_of(CONNECT_PROBABILITY, 0, 30, 40);
    struct sparse *sparse = draw(&connection, 30, 40, 1, 0, NULL);
    assert_int_equal(sparse->row[30], 0);
    sparse_free(sparse);
    connection.probability = 1;
    sparse = draw(&connection, 30, 40, 1, 0, NULL);
    assert_int_equal(sparse->row[30], 1200);
    assert_rows(&connection, sparse, false);
    sparse_free(sparse);
}

/* Every subset of two of five others, and every set of independent pairs, equally often. */
static void test_subsets_are_equally_likely(void **state)
{
    (void)state;
    enum { ROWS = 30000 };
    struct connection connection = connection_of(CONNECT_FIXED_OUT_DEGREE, 2, ROWS, 5);
    connection.multiple = false;
    struct sparse *sparse = draw(&connection, ROWS, 5, 21, 0, NULL);
    uint32_t counts[32] = {0}, seen[10], bins = 0;
    for (uint32_t row = 0; row < ROWS; row++)
        counts[1u << target_of(sparse, 2 * row) | 1u << target_of(sparse, 2 * row + 1)]++;
    for (uint32_t subset = 0; subset < 32; subset++)
        if (__builtin_popcount(subset) == 2)
            seen[bins++] = counts[subset];
    assert_even(seen, 10);
    sparse_free(sparse);

    connection = connection_of(CONNECT_PROBABILITY, 0, ROWS, 5);
    connection.probability = 0.5;
    sparse = draw(&connection, ROWS, 5, 22, 0, NULL);
    memset(counts, 0, sizeof counts);
    for (uint32_t row = 0; row < ROWS; row++) {
        uint32_t subset = 0;
        for (uint64_t k = sparse->row[row]; k < sparse->row[row + 1]; k++)
            subset |= 1u << target_of(sparse, k);
        counts[subset]++;
    }
    assert_even(counts, 32);
    sparse_free(sparse);
}

static void test_nobody_reaches_itself(void **state)
{
    (void)state;
    static const enum connection_rule rules[] = {CONNECT_FIXED_IN_DEGREE, CONNECT_FIXED_OUT_DEGREE,
                                                 CONNECT_FIXED_TOTAL, CONNECT_PROBABILITY};
    enum { NEURONS = 40 };
    for (int i = 0; i < 8; i++) {
        enum connection_rule rule = rules[i % 4];
        struct connection connection = connection_of(rule, 19, 25, 20);
        connection.number = rule == CONNECT_FIXED_TOTAL ? 5000 : 19;
        connection.probability = 0.97;
        connection.multiple = i >= 4;
        connection.same_population = true;
        connection.to_itself = false;
        connection.source_first = 3;
        connection.target_first = 10;
        bool total = rule == CONNECT_FIXED_TOTAL;
        struct sparse *sparse = draw(&connection, NEURONS, NEURONS, 5, 6, NULL);
        assert_rows(&connection, sparse, total || (connection.multiple && i % 4 < 2));
        if (rule == CONNECT_FIXED_OUT_DEGREE)
            for (uint32_t source = 3; source < 28; source++)
                assert_int_equal(degree_of(sparse, source), 19);
        sparse_free(sparse);
        connection.to_itself = true; /* and does so where it may */
        sparse = draw(&connection, NEURONS, NEURONS, 5, 6, NULL);
        uint32_t itself = 0;
        for (uint32_t source = 0; source < NEURONS; source++)
            for (uint64_t k = sparse->row[source]; k < sparse->row[source + 1]; k++)
                itself += target_of(sparse, k) == source;
        assert_true(itself > 5);
        sparse_free(sparse);
    }
}

static void test_targets_beyond_16_bits(void **state)
{
    (void)state;
    static const enum connection_rule rules[] = {CONNECT_ALL_TO_ALL, CONNECT_FIXED_IN_DEGREE,
                                                 CONNECT_FIXED_OUT_DEGREE};
    enum { TARGETS = 200000 };
    for (int i = 0; i < 3; i++) {
        struct connection connection = connection_of(rules[i], i == 1 ? 2 : 5000, 3, TARGETS);
        struct sparse *sparse = draw(&connection, 3, TARGETS, 5, 6, NULL);
        assert_null(sparse->target16);
        assert_rows(&connection, sparse, true);
        if (i == 2) { /* evenly over the whole width */
            uint32_t counts[20] = {0};
            for (uint64_t k = 0; k < sparse->row[3]; k++)
                counts[target_of(sparse, k) / 10000]++;
            assert_even(counts, 20);
        }
        sparse_free(sparse);
    }
}

/* What one row leaves behind must not show in the next. */
static void test_rows_without_repeats_are_independent(void **state)
{
    (void)state;
    enum { ROWS = 20, TARGETS = 200000, NUMBER = 20000 };
    struct connection connection = connection_of(CONNECT_FIXED_OUT_DEGREE, NUMBER, ROWS, TARGETS);
    connection.multiple = false;
    struct sparse *sparse = draw(&connection, ROWS, TARGETS, 8, 0, NULL);
    assert_rows(&connection, sparse, false);
    uint32_t counts[20] = {0}, *degrees = in_degrees(sparse);
    for (uint64_t k = 0; k < sparse->row[ROWS]; k++)
        counts[target_of(sparse, k) / 10000]++;
    assert_even(counts, 20);
    assert_binomial(degrees, TARGETS, (double)NUMBER / TARGETS, ROWS);
    connection.source_first = ROWS - 1; /* the last row alone */
    connection.source_count = 1;
    struct sparse *last = draw(&connection, ROWS, TARGETS, 8, 0, NULL);
    for (uint64_t k = 0; k < NUMBER; k++)
        assert_int_equal(target_of(last, k), target_of(sparse, sparse->row[ROWS - 1] + k));
    sparse_free(last);
    free(degrees);
    sparse_free(sparse);
}

/* ---- the same for any number of threads, and different where it should be ---- */

static void assert_same(const struct sparse *a, const struct sparse *b)
{
    static const size_t weight_bytes[] = {
        [WEIGHT_FLOAT] = 4, [WEIGHT_INT8] = 1, [WEIGHT_INT16] = 2};
    uint64_t synapses = a->row[a->sources];
    assert_memory_equal(a->row, b->row, (a->sources + 1) * sizeof *a->row);
    assert_memory_equal(a->target16, b->target16, synapses * sizeof *a->target16);
    assert_memory_equal(a->weight, b->weight, synapses * weight_bytes[a->format]);
    assert_memory_equal(a->extra8, b->extra8, synapses);
    assert_memory_equal(a->fan_out, b->fan_out, a->sources * sizeof *a->fan_out);
}

static struct connection varied(enum connection_rule rule, bool multiple, enum weight_format format)
{
    struct connection connection =
        connection_of(rule, rule == CONNECT_FIXED_TOTAL ? 30000 : 100, 300, 300);
    connection.probability = 0.3;
    connection.multiple = multiple;
    connection.same_population = true;
    connection.to_itself = rule == CONNECT_ONE_TO_ONE;
    connection.source_first = 11;
    connection.target_first = 20;
    connection.format = format;
    connection.scale = 0.25;
    connection.weight = (struct distribution){DISTRIBUTION_NORMAL, 5, 0.5, OPEN};
    connection.delay = (struct distribution){DISTRIBUTION_NORMAL, 0.01, 0.005, 0.002, 0.1, false};
    return connection;
}

static void test_any_number_of_threads_draws_the_same(void **state)
{
    (void)state;
    for (int rule = CONNECT_ALL_TO_ALL; rule <= CONNECT_PROBABILITY; rule++)
        for (int multiple = 0; multiple < 2; multiple++)
            for (int format = WEIGHT_FLOAT; format <= WEIGHT_INT16; format++) {
                struct connection connection =
                    varied((enum connection_rule)rule, multiple != 0, (enum weight_format)format);
                struct sparse *alone = draw(&connection, 350, 350, 17, 5, NULL);
                assert_true(alone->row[350] > 0);
                for (uint32_t threads = 1; threads <= 4; threads++) {
                    struct workers *workers = workers_new(threads, NULL);
                    assert_non_null(workers);
                    struct sparse *sparse = draw(&connection, 350, 350, 17, 5, workers);
                    assert_same(alone, sparse);
                    sparse_free(sparse);
                    workers_free(workers);
                }
                sparse_free(alone);
            }
}

static void test_seeds_and_projections_differ(void **state)
{
    (void)state;
    for (int rule = CONNECT_FIXED_IN_DEGREE; rule <= CONNECT_PROBABILITY; rule++) {
        struct connection connection = varied((enum connection_rule)rule, true, WEIGHT_FLOAT);
        struct sparse *one = draw(&connection, 350, 350, 1, 0, NULL);
        for (int which = 0; which < 2; which++) {
            struct sparse *other =
                draw(&connection, 350, 350, which == 0 ? 2 : 1, which == 0 ? 0 : 1, NULL);
            uint32_t same = 0, same_weight = 0, length = 20000;
            for (uint32_t k = 0; k < length; k++) {
                same += target_of(one, k) == target_of(other, k);
                same_weight += ((float *)one->weight)[k] == ((float *)other->weight)[k];
            }
            assert_true(same < length / 4 && same_weight < 10);
            sparse_free(other);
        }
        sparse_free(one);
    }
}

/* ---- weights and delays ---- */

/* Number k of a row comes from word k % 4 of counter (row, k / 4), of a stream of its own. */
static void test_a_synapse_has_its_own_words(void **state)
{
    (void)state;
    struct connection connection = connection_of(CONNECT_FIXED_OUT_DEGREE, 2500, 30, 500);
    connection.source_first = 10;
    connection.source_count = 5;
    connection.format = WEIGHT_FLOAT;
    connection.weight = (struct distribution){DISTRIBUTION_NORMAL, 1, 2, -1, 3, false};
    connection.delay =
        (struct distribution){DISTRIBUTION_EXPONENTIAL, 0.03, 0, 0.004, INFINITY, false};
    struct sparse *sparse = draw(&connection, 30, 500, 33, 12, NULL);
    struct random_stream weights = random_stream_of(33, RANDOM_WEIGHT, 12);
    struct random_stream delays = random_stream_of(33, RANDOM_DELAY, 12);
    for (uint32_t row = 10; row < 15; row++)
        for (uint32_t k = 0; k < 2500; k++) {
            uint32_t words[4];
            uint64_t place = sparse->row[row] + k;
            random_words(&weights, row, k / 4, words);
            assert_true(
                ((float *)sparse->weight)[place] ==
                (float)distribution_value(&connection.weight, random_uniform(words[k % 4])));
            random_words(&delays, row, k / 4, words);
            double delay = distribution_value(&connection.delay, random_uniform(words[k % 4]));
            uint32_t extra =
                sparse->extra8 != NULL ? sparse->extra8[place] : sparse->extra16[place];
            assert_int_equal(connection.delay_ticks + extra, (uint32_t)rint(delay / 1e-3));
        }
    sparse_free(sparse);
}

static int compare_floats(const void *left, const void *right)
{
    float a = *(const float *)left, b = *(const float *)right;
    return a < b ? -1 : a > b;
}

/* Kolmogorov and Smirnov's largest distance from the normal distribution. */
static void test_float_weights_are_normal(void **state)
{
    (void)state;
    struct connection connection = connection_of(CONNECT_FIXED_OUT_DEGREE, 1371, 100, 500);
    connection.format = WEIGHT_FLOAT;
    connection.weight = (struct distribution){DISTRIBUTION_NORMAL, 87.8, 8.78, OPEN};
    struct sparse *sparse = draw(&connection, 100, 500, 1, 0, NULL);
    uint64_t length = sparse->row[100];
    float *weights = sparse->weight;
    double sum = 0, products = 0;
    for (uint64_t k = 0; k < length; k++) {
        double deviation = ((double)weights[k] - 87.8) / 8.78;
        sum += deviation;
        products += k > 0 ? deviation * ((double)weights[k - 1] - 87.8) / 8.78 : 0;
    }
    assert_true(fabs(sum) < 4 * sqrt((double)length));
    assert_true(fabs(products) < 4 * sqrt((double)length)); /* neighbours are independent */
    qsort(weights, length, sizeof *weights, compare_floats);
    double distance = 0;
    for (uint64_t k = 0; k < length; k++) {
        double below = 0.5 * erfc(-((double)weights[k] - 87.8) / 8.78 / sqrt(2));
        distance = fmax(distance, fabs(below - ((double)k + 0.5) / (double)length));
    }
    assert_true(distance * sqrt((double)length) < 2.2); /* exceeded once in 8000 */
    sparse_free(sparse);
}

/* Codes against the probabilities of rounding a normal number to them. */
static void test_integer_weights(void **state)
{
    (void)state;
    for (int format = WEIGHT_INT8; format <= WEIGHT_INT16; format++) {
        enum { LEAST = -40, CODES = 81 };
        struct connection connection = connection_of(CONNECT_FIXED_OUT_DEGREE, 997, 200, 500);
        connection.format = (enum weight_format)format;
        connection.scale = 0.5;
        connection.weight = (struct distribution){DISTRIBUTION_NORMAL, -1.3, 3, -20, 20, true};
        struct sparse *sparse = draw(&connection, 200, 500, 1, 0, NULL);
        assert_true(sparse->scale == 0.5);
        uint64_t length = sparse->row[200];
        uint32_t counts[CODES] = {0};
        double chi_square = 0;
        int bins = 0;
        for (uint64_t k = 0; k < length; k++) {
            int code = format == WEIGHT_INT8 ? ((int8_t *)sparse->weight)[k]
                                             : ((int16_t *)sparse->weight)[k];
            assert_in_range(code - LEAST, 0, CODES - 1);
            counts[code - LEAST]++;
        }
        for (int i = 0; i < CODES; i++) {
            double from = ((LEAST + i - 0.5) * 0.5 + 1.3) / 3, to = from + 0.5 / 3;
            double expected = 0.5 * (erfc(from / sqrt(2)) - erfc(to / sqrt(2))) * (double)length;
            if (expected < 8)
                continue;
            chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
            bins++;
        }
        assert_true(bins > 30);
        assert_probable(chi_square, bins);
        sparse_free(sparse);
    }
}

static void test_constant_weights(void **state)
{
    (void)state;
    struct connection connection = connection_of(CONNECT_ALL_TO_ALL, 0, 3, 4);
    connection.weight.a = -2.125;
    struct sparse *sparse = draw(&connection, 3, 4, 1, 0, NULL);
    assert_true(sparse->same == -2.125 && sparse->weight == NULL);
    sparse_free(sparse);
    connection.format = WEIGHT_FLOAT;
    sparse = draw(&connection, 3, 4, 1, 0, NULL);
    for (int k = 0; k < 12; k++)
        assert_true(((float *)sparse->weight)[k] == -2.125f);
    sparse_free(sparse);
    connection.format = WEIGHT_INT8;
    connection.scale = 0.25; /* -8.5: half to even */
    sparse = draw(&connection, 3, 4, 1, 0, NULL);
    for (int k = 0; k < 12; k++)
        assert_int_equal(((int8_t *)sparse->weight)[k], -8);
    sparse_free(sparse);
}

static void test_constant_delays(void **state)
{
    (void)state;
    static const double cases[][2] = {{1, 1},   {2.4, 2}, {2.5, 2},    {3.5, 4},
                                      {0.1, 1}, {0, 1},   {1000, 1000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct connection connection = connection_of(CONNECT_ALL_TO_ALL, 0, 3, 4);
        connection.dt = 0.0625; /* so that halves are exact */
        connection.delay.a = cases[i][0] * connection.dt;
        struct sparse *sparse = draw(&connection, 3, 4, 1, 0, NULL);
        assert_int_equal(connection.delay_ticks, (uint32_t)cases[i][1]);
        assert_int_equal(sparse->most_extra, 0);
        assert_null(sparse->extra8);
        assert_null(sparse->extra16);
        sparse_free(sparse);
    }
    /* 1.5 ms in ticks of 0.1 ms is 15, whatever the last digit of the quotient. */
    struct connection connection = connection_of(CONNECT_ALL_TO_ALL, 0, 3, 4);
    connection.dt = 1e-4;
    connection.delay.a = 1.5e-3;
    sparse_free(draw(&connection, 3, 4, 1, 0, NULL));
    assert_int_equal(connection.delay_ticks, 15);
}

/* The microcircuit's delays: normal, 1.5 +- 0.75 ms, in ticks of 0.1 ms; what is below half a
 * tick becomes one tick. */
static void test_normal_delays(void **state)
{
    (void)state;
    enum { TICKS = 80 };
    for (int truncated = 0; truncated < 2; truncated++) {
        struct connection connection = connection_of(CONNECT_FIXED_TOTAL, 200000, 200, 500);
        connection.dt = 1e-4;
        connection.delay = (struct distribution){DISTRIBUTION_NORMAL, 1.5e-3, 0.75e-3, OPEN};
        if (truncated)
            connection.delay.low = 1e-4;
        struct sparse *sparse = draw(&connection, 200, 500, 1, 0, NULL);
        assert_int_equal(connection.delay_ticks, 1);
        assert_non_null(sparse->extra8);
        assert_in_range(sparse->most_extra, 55, 70);
        uint32_t counts[TICKS] = {0};
        for (uint64_t k = 0; k < sparse->row[200]; k++) {
            assert_true(sparse->extra8[k] <= sparse->most_extra);
            counts[connection.delay_ticks + sparse->extra8[k]]++;
        }
        assert_int_equal(counts[0], 0);
        double low = truncated ? 0.5 * erfc((15 - 1) / 7.5 / sqrt(2)) : 0, chi_square = 0;
        int bins = 0;
        for (int tick = 1; tick < TICKS; tick++) {
            double from = tick == 1 ? low : 0.5 * erfc((15 - tick + 0.5) / 7.5 / sqrt(2));
            double to = 0.5 * erfc((15 - tick - 0.5) / 7.5 / sqrt(2));
            double expected = (to - from) / (1 - low) * 200000;
            if (expected < 8)
                continue;
            chi_square += (counts[tick] - expected) * (counts[tick] - expected) / expected;
            bins++;
        }
        assert_true(bins > 30);
        assert_probable(chi_square, bins);
        sparse_free(sparse);
    }
}

static void test_long_delays_take_16_bits(void **state)
{
    (void)state;
    struct connection connection = connection_of(CONNECT_FIXED_TOTAL, 100000, 20, 500);
    connection.delay = (struct distribution){DISTRIBUTION_UNIFORM, 0.1, 0.7, OPEN};
    struct sparse *sparse = draw(&connection, 20, 500, 1, 0, NULL);
    assert_int_equal(connection.delay_ticks, 100);
    assert_int_equal(sparse->most_extra, 600);
    assert_non_null(sparse->extra16);
    uint32_t counts[599] = {0};
    for (uint64_t k = 0; k < sparse->row[20]; k++) {
        assert_true(sparse->extra16[k] <= 600);
        if (sparse->extra16[k] > 0 && sparse->extra16[k] < 600) /* the ends have half */
            counts[sparse->extra16[k] - 1]++;
    }
    assert_even(counts, 599);
    sparse_free(sparse);
}

/* ---- refusals ---- */

static void assert_refused(struct connection connection, uint32_t sources, uint32_t targets,
                           const char *word)
{
    struct error error = {0};
    assert_null(connect_draw(&connection, sources, targets, 1, 0, NULL, &error));
    assert_int_not_equal(error.code, ERROR_NONE);
    if (strstr(error.text, word) == NULL)
        fail_msg("\"%s\" does not name %s", error.text, word);
}

static void test_ranges_are_checked(void **state)
{
    (void)state;
    struct connection connection = connection_of(CONNECT_ALL_TO_ALL, 0, 10, 20);
    assert_refused(connection, 9, 20, "from 0 to 9");
    assert_refused(connection, 10, 19, "target");
    connection.source_first = 1;
    assert_refused(connection, 10, 20, "from 1 to 10");
    connection.source_first = 10;
    assert_refused(connection, 10, 20, "source");
    connection.source_first = UINT32_MAX;
    connection.source_count = UINT32_MAX;
    assert_refused(connection, 10, 20, "from 4294967295 to 8589934589");
    connection = connection_of(CONNECT_ALL_TO_ALL, 0, 0, 20);
    assert_refused(connection, 10, 20, "empty");
    connection = connection_of(CONNECT_ONE_TO_ONE, 0, 10, 20);
    assert_refused(connection, 10, 20, "10 sources and 20 targets");
    connection = connection_of(CONNECT_ONE_TO_ONE, 0, 10, 10);
    connection.same_population = true;
    connection.to_itself = false;
    assert_refused(connection, 10, 10, "itself");
}

static void test_degrees_are_checked(void **state)
{
    (void)state;
    struct connection connection = connection_of(CONNECT_FIXED_IN_DEGREE, 11, 10, 20);
    connection.multiple = false;
    assert_refused(connection, 10, 20, "11 source neurons cannot be drawn from 10");
    connection.rule = CONNECT_FIXED_OUT_DEGREE;
    connection.number = 21;
    assert_refused(connection, 10, 20, "21 target neurons cannot be drawn from 20");
    connection.number = 20;
    sparse_free(draw(&connection, 10, 20, 1, 0, NULL));
    connection.same_population = true;
    connection.to_itself = false;
    assert_refused(connection, 20, 20, "from 19");
    connection.multiple = true;
    sparse_free(draw(&connection, 20, 20, 1, 0, NULL));
    connection.source_first = 3;
    connection.target_first = 3;
    connection.source_count = connection.target_count = 1;
    assert_refused(connection, 20, 20, "itself");
    connection.rule = CONNECT_FIXED_TOTAL;
    assert_refused(connection, 20, 20, "itself");
    connection.number = 0;
    sparse_free(draw(&connection, 20, 20, 1, 0, NULL));
    connection.rule = (enum connection_rule)9;
    assert_refused(connection, 20, 20, "rule 9");
    connection = connection_of(CONNECT_PROBABILITY, 0, 10, 20);
    connection.probability = 1.5;
    assert_refused(connection, 10, 20, "1.5");
    connection.probability = NAN;
    assert_refused(connection, 10, 20, "nan");
}

static void test_absurd_sizes_are_refused(void **state)
{
    (void)state;
    enum { NEURONS = 1000000 };
    struct connection connection = connection_of(CONNECT_ALL_TO_ALL, 0, UINT32_MAX, UINT32_MAX);
    assert_refused(connection, UINT32_MAX, UINT32_MAX, "memory");
    connection = connection_of(CONNECT_PROBABILITY, 0, UINT32_MAX, UINT32_MAX);
    connection.probability = 0.5;
    assert_refused(connection, UINT32_MAX, UINT32_MAX, "memory");
    connection = connection_of(CONNECT_FIXED_TOTAL, UINT64_MAX, NEURONS, NEURONS);
    assert_refused(connection, NEURONS, NEURONS, "memory");
    connection.rule = CONNECT_FIXED_IN_DEGREE;
    assert_refused(connection, NEURONS, NEURONS, "more than 4294967295");
    connection.number = UINT32_MAX;
    assert_refused(connection, NEURONS, NEURONS, "memory");
    connection.rule = CONNECT_FIXED_OUT_DEGREE;
    assert_refused(connection, NEURONS, NEURONS, "memory");
}

static void test_weights_are_checked(void **state)
{
    (void)state;
    struct connection connection = connection_of(CONNECT_ALL_TO_ALL, 0, 10, 20);
    connection.weight = (struct distribution){DISTRIBUTION_NORMAL, 87.8, 8.78, OPEN};
    assert_refused(connection, 10, 20, "constant");
    connection.format = WEIGHT_INT8;
    connection.scale = 1; /* reaches 87.8 + 6.3 x 8.78 */
    assert_refused(connection, 10, 20, "143");
    connection.scale = 0.5;
    connection.format = WEIGHT_INT16;
    sparse_free(draw(&connection, 10, 20, 1, 0, NULL));
    connection.weight.a = -1e9;
    assert_refused(connection, 10, 20, "-1e+09");
    connection.scale = 0;
    assert_refused(connection, 10, 20, "scale");
    connection.scale = NAN;
    assert_refused(connection, 10, 20, "scale");
    connection.weight.b = -1;
    assert_refused(connection, 10, 20, "negative");
    connection.format = WEIGHT_FLOAT;
    connection.weight = (struct distribution){DISTRIBUTION_LOGNORMAL, 0, 100, OPEN};
    assert_refused(connection, 10, 20, "float");
}

static void test_delays_are_checked(void **state)
{
    (void)state;
    struct connection connection = connection_of(CONNECT_ALL_TO_ALL, 0, 10, 20);
    connection.delay.a = 1.001;
    assert_refused(connection, 10, 20, "1001 ticks");
    connection.delay.a = -1e-3;
    assert_refused(connection, 10, 20, "negative");
    connection.delay.a = NAN;
    assert_refused(connection, 10, 20, "finite");
    connection.delay = (struct distribution){DISTRIBUTION_LOGNORMAL, 0, 100, OPEN};
    assert_refused(connection, 10, 20, "1000 ticks");
    connection.delay = (struct distribution){DISTRIBUTION_UNIFORM, 0, 100, OPEN};
    connection.delay_limit = UINT32_MAX;
    assert_refused(connection, 10, 20, "65535");
    connection.dt = 0;
    assert_refused(connection, 10, 20, "tick");
    connection.dt = NAN;
    assert_refused(connection, 10, 20, "tick");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_to_all),
        cmocka_unit_test(test_one_to_one),
        cmocka_unit_test(test_fixed_in_degree),
        cmocka_unit_test(test_fixed_out_degree),
        cmocka_unit_test(test_fixed_total),
        cmocka_unit_test(test_fixed_total_without_itself),
        cmocka_unit_test(test_probability),
        cmocka_unit_test(test_probability_of_zero_and_one),
        cmocka_unit_test(test_subsets_are_equally_likely),
        cmocka_unit_test(test_nobody_reaches_itself),
        cmocka_unit_test(test_targets_beyond_16_bits),
        cmocka_unit_test(test_rows_without_repeats_are_independent),
        cmocka_unit_test(test_any_number_of_threads_draws_the_same),
        cmocka_unit_test(test_seeds_and_projections_differ),
        cmocka_unit_test(test_a_synapse_has_its_own_words),
        cmocka_unit_test(test_float_weights_are_normal),
        cmocka_unit_test(test_integer_weights),
        cmocka_unit_test(test_constant_weights),
        cmocka_unit_test(test_constant_delays),
        cmocka_unit_test(test_normal_delays),
        cmocka_unit_test(test_long_delays_take_16_bits),
        cmocka_unit_test(test_ranges_are_checked),
        cmocka_unit_test(test_degrees_are_checked),
        cmocka_unit_test(test_absurd_sizes_are_refused),
        cmocka_unit_test(test_weights_are_checked),
        cmocka_unit_test(test_delays_are_checked),
    };
    return cmocka_run_group_tests_name("connect", tests, NULL, NULL);
}
