/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Distributions against closed forms, the C library's erfc and GSL's inverses, confined ones
 * against the analytic moments of the truncated normal distribution; tables of rounded values
 * against rounding the values themselves.
 */
#include "neurons/connect/rounded.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OPEN -INFINITY, INFINITY, false

static double normal_below(double deviation)
{
    return 0.5 * erfc(-deviation / sqrt(2));
}

static void assert_close(double value, double expected, double relative)
{
    if (!(fabs(value - expected) <= relative * fabs(expected)))
        fail_msg("%.17g is not %.17g", value, expected);
}

static void test_quantiles_of_closed_form(void **state)
{
    (void)state;
    const struct distribution constant = {DISTRIBUTION_CONSTANT, -3.25, NAN, 0, 0, false};
    const struct distribution uniform = {DISTRIBUTION_UNIFORM, -2, 5, OPEN};
    const struct distribution exponential = {DISTRIBUTION_EXPONENTIAL, 0.3, NAN, OPEN};
    const double uniforms[] = {0x1p-33, 1e-4, 0.1, 0.25, 0.5, 0.75, 0.9, 0.9999, 1 - 0x1p-33};
    for (size_t i = 0; i < sizeof uniforms / sizeof uniforms[0]; i++) {
        double u = uniforms[i];
        assert_true(distribution_value(&constant, u) == -3.25);
        assert_close(distribution_value(&uniform, u), -2 + 7 * u, 1e-14);
        assert_close(distribution_value(&exponential, u), -0.3 * log1p(-u), 1e-14);
    }
}

static void test_quantiles_of_normal(void **state)
{
    (void)state;
    const struct distribution standard = {DISTRIBUTION_NORMAL, 0, 1, OPEN};
    const struct distribution normal = {DISTRIBUTION_NORMAL, 87.8, 8.78, OPEN};
    const struct distribution lognormal = {DISTRIBUTION_LOGNORMAL, -1.5, 0.7, OPEN};
    /* Tables of the standard normal distribution. */
    assert_close(distribution_value(&standard, 0.975), 1.959963984540054, 1e-14);
    assert_close(distribution_value(&standard, 0.999), 3.090232306167813, 1e-14);
    assert_close(distribution_value(&standard, 0.01), -2.326347874040841, 1e-14);
    assert_true(distribution_value(&normal, 0.5) == 87.8);
    for (int i = -32; i <= 32; i++) {
        double u = i < 0 ? ldexp(1, i - 1) : i == 0 ? 0.5 : 1 - ldexp(1, -i - 1);
        double z = distribution_value(&standard, u);
        if (i <= 0)
            assert_close(normal_below(z), u, 1e-12);
        else
            assert_close(normal_below(-z), 1 - u, 1e-12);
        assert_close(distribution_value(&normal, u), 87.8 + 8.78 * z, 1e-15);
        assert_close(distribution_value(&lognormal, u), exp(-1.5 + 0.7 * z), 1e-14);
    }
}

static void test_quantiles_equal_those_of_gsl(void **state)
{
    (void)state;
    const struct distribution normal = {DISTRIBUTION_NORMAL, 0, 1, OPEN};
    const struct distribution exponential = {DISTRIBUTION_EXPONENTIAL, 3, 0, OPEN};
    struct random_stream stream = random_stream_of(2, RANDOM_PARAMETER, 0);
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t words[4];
        random_words(&stream, 0, i, words);
        double u = random_uniform(i % 3 == 0 ? words[0] >> words[1] % 32 : words[0]);
        u = i % 2 == 0 ? u : 1 - u;
        double z = distribution_value(&normal, u);
        if (fabs(u - 0.5) > 1e-6)
            assert_close(z, gsl_cdf_ugaussian_Pinv(u), 4e-15);
        assert_close(distribution_value(&exponential, u), gsl_cdf_exponential_Pinv(u, 3), 1e-15);
    }
}

/* Mean and variance over evenly spaced uniform numbers. */
static void moments(const struct distribution *distribution, double *mean, double *variance)
{
    enum { POINTS = 400000 };
    double sum = 0, squares = 0;
    for (int i = 0; i < POINTS; i++)
        sum += distribution_value(distribution, (i + 0.5) / POINTS);
    *mean = sum / POINTS;
    for (int i = 0; i < POINTS; i++) {
        double distance = distribution_value(distribution, (i + 0.5) / POINTS) - *mean;
        squares += distance * distance;
    }
    *variance = squares / POINTS;
}

static void test_moments_of_truncated_normal(void **state)
{
    (void)state;
    static const double cuts[][2] = {{-1, 2},  {0.5, 3}, {-0.2, INFINITY}, {-INFINITY, 1},
                                     {-4, -2}, {2, 2.5}, {6, 9},           {-9, -6}};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        double a = 1.5, b = 0.75, alpha = cuts[i][0], beta = cuts[i][1];
        struct distribution distribution = {DISTRIBUTION_NORMAL, a,    b, a + b * alpha,
                                            a + b * beta,        false};
        assert_true(distribution_check(&distribution, NULL));
        double density_low = isinf(alpha) ? 0 : exp(-alpha * alpha / 2) / sqrt(2 * M_PI);
        double density_high = isinf(beta) ? 0 : exp(-beta * beta / 2) / sqrt(2 * M_PI);
        double mass = alpha > 0 ? normal_below(-alpha) - normal_below(-beta)
                                : normal_below(beta) - normal_below(alpha);
        double shift = (density_low - density_high) / mass;
        double edges =
            ((isinf(alpha) ? 0 : alpha * density_low) - (isinf(beta) ? 0 : beta * density_high)) /
            mass;
        double mean, variance;
        moments(&distribution, &mean, &variance);
        assert_true(fabs(mean - (a + b * shift)) < 1e-5 * b);
        assert_true(fabs(variance - b * b * (1 + edges - shift * shift)) < 1e-4 * b * b);
    }
}

/* Far out 1 - p is lost in p: the upper tail must be drawn from its own side. */
static void test_far_tails_are_accurate(void **state)
{
    (void)state;
    const struct distribution upper = {DISTRIBUTION_NORMAL, 0, 1, 12, INFINITY, false};
    const struct distribution lower = {DISTRIBUTION_NORMAL, 0, 1, -INFINITY, -12, false};
    const struct distribution exponential = {DISTRIBUTION_EXPONENTIAL, 2, 0, 100, 104, false};
    for (double u = 0.01; u < 1; u += 0.01) {
        double value = distribution_value(&upper, u);
        assert_close(normal_below(-value) / normal_below(-12), 1 - u, 1e-11);
        assert_close(value, gsl_cdf_ugaussian_Qinv(gsl_cdf_ugaussian_Q(12) * (1 - u)), 2e-14);
        assert_close(distribution_value(&lower, 1 - u), -value, 1e-13);
        double mass = -expm1(-2);
        assert_close(distribution_value(&exponential, u), 100 - 2 * log1p(-u * mass), 1e-13);
    }
}

static const struct distribution samples[] = {
    {DISTRIBUTION_UNIFORM, -1, 3, OPEN},
    {DISTRIBUTION_UNIFORM, -1, 3, 0, 2.5, false},
    {DISTRIBUTION_NORMAL, 2, 0.5, OPEN},
    {DISTRIBUTION_NORMAL, 2, 0.5, 1.7, 4, false},
    {DISTRIBUTION_NORMAL, 2, 0.5, 3.5, 4, false},
    {DISTRIBUTION_LOGNORMAL, 0, 1, OPEN},
    {DISTRIBUTION_LOGNORMAL, 0, 1, 0.1, 3, false},
    {DISTRIBUTION_LOGNORMAL, 0, 1, -1, 3, false},
    {DISTRIBUTION_EXPONENTIAL, 1.5, 0, OPEN},
    {DISTRIBUTION_EXPONENTIAL, 1.5, 0, -2, 1, false},
    {DISTRIBUTION_EXPONENTIAL, 1.5, 0, 1, 7, false},
};
enum { SAMPLES = sizeof samples / sizeof samples[0] };

static void test_cumulative_inverts_value(void **state)
{
    (void)state;
    for (int i = 0; i < SAMPLES; i++) {
        double before = -INFINITY;
        for (double u = 0.001; u < 1; u += 0.001) {
            double value = distribution_value(&samples[i], u);
            assert_true(value >= before && value >= samples[i].low && value <= samples[i].high);
            assert_close(distribution_cumulative(&samples[i], value), u, 1e-10);
            before = value;
        }
        assert_true(distribution_cumulative(&samples[i], -1e6) == 0);
        assert_true(distribution_cumulative(&samples[i], 1e6) == 1);
    }
}

static void test_clip_moves_to_the_edge(void **state)
{
    (void)state;
    const struct distribution clipped = {DISTRIBUTION_NORMAL, 1, 2, 0, 3, true};
    const struct distribution open = {DISTRIBUTION_NORMAL, 1, 2, OPEN};
    for (double u = 0.005; u < 1; u += 0.01) {
        double value = distribution_value(&open, u);
        assert_true(distribution_value(&clipped, u) == fmin(fmax(value, 0), 3));
    }
    assert_true(distribution_cumulative(&clipped, -1e-9) == 0);
    assert_close(distribution_cumulative(&clipped, 0), normal_below(-0.5), 1e-14);
    assert_close(distribution_cumulative(&clipped, 2.999999999999), normal_below(1), 1e-9);
    assert_true(distribution_cumulative(&clipped, 3) == 1);
}

static void test_width_of_zero_is_a_constant(void **state)
{
    (void)state;
    const struct distribution normal = {DISTRIBUTION_NORMAL, 2, 0, 1, 3, false};
    const struct distribution clipped = {DISTRIBUTION_NORMAL, 5, 0, 1, 3, true};
    const struct distribution lognormal = {DISTRIBUTION_LOGNORMAL, 2, 0, OPEN};
    const struct distribution uniform = {DISTRIBUTION_UNIFORM, 4, 4, OPEN};
    const struct distribution outside = {DISTRIBUTION_NORMAL, 5, 0, 1, 3, false};
    assert_true(distribution_check(&normal, NULL) && distribution_value(&normal, 0.1) == 2);
    assert_true(distribution_check(&clipped, NULL) && distribution_value(&clipped, 0.1) == 3);
    assert_true(distribution_check(&uniform, NULL) && distribution_value(&uniform, 0.1) == 4);
    assert_close(distribution_value(&lognormal, 0.1), exp(2), 1e-15);
    assert_false(distribution_check(&outside, NULL));
    assert_true(distribution_cumulative(&normal, 2) == 1);
    assert_true(distribution_cumulative(&normal, 1.99) == 0);
}

static void test_nonsense_is_refused(void **state)
{
    (void)state;
    static const struct distribution bad[] = {
        {DISTRIBUTION_CONSTANT, NAN, 0, OPEN},
        {DISTRIBUTION_CONSTANT, INFINITY, 0, OPEN},
        {DISTRIBUTION_UNIFORM, 2, 1, OPEN},
        {DISTRIBUTION_UNIFORM, -1e308, 1.7e308, OPEN},
        {DISTRIBUTION_UNIFORM, 0, NAN, OPEN},
        {DISTRIBUTION_UNIFORM, 0, 1, 1, 2, false},
        {DISTRIBUTION_UNIFORM, 0, 1, -5, -1, false},
        {DISTRIBUTION_NORMAL, 0, -1, OPEN},
        {DISTRIBUTION_NORMAL, 0, INFINITY, OPEN},
        {DISTRIBUTION_NORMAL, 0, 1, 2, 2, false},
        {DISTRIBUTION_NORMAL, 0, 1, 3, 2, true},
        {DISTRIBUTION_NORMAL, 0, 1, NAN, 2, false},
        {DISTRIBUTION_NORMAL, 0, 1, 0, NAN, false},
        {DISTRIBUTION_NORMAL, 0, 1, 50, 60, false},
        {DISTRIBUTION_NORMAL, 0, 1, -INFINITY, -50, false},
        {DISTRIBUTION_NORMAL, 0, 1, INFINITY, INFINITY, true},
        {DISTRIBUTION_LOGNORMAL, 0, 1, -2, 0, false},
        {DISTRIBUTION_LOGNORMAL, 0, -0.1, OPEN},
        {DISTRIBUTION_EXPONENTIAL, 0, 0, OPEN},
        {DISTRIBUTION_EXPONENTIAL, -1, 0, OPEN},
        {DISTRIBUTION_EXPONENTIAL, 1, 0, -3, -1, false},
        {(enum distribution_kind)17, 1, 0, OPEN},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct error error = {0};
        assert_false(distribution_check(&bad[i], &error));
        assert_int_equal(error.code, ERROR_MISUSED);
        assert_true(strlen(error.text) > 20);
    }
    for (int i = 0; i < SAMPLES; i++)
        assert_true(distribution_check(&samples[i], NULL));
}

static void test_fill_takes_word_after_word(void **state)
{
    (void)state;
    enum { LENGTH = 2503 };
    static double values[LENGTH], from[LENGTH];
    struct random_stream stream = random_stream_of(3, RANDOM_PARAMETER, 9);
    for (int d = 0; d < SAMPLES; d++) {
        distribution_fill(&samples[d], &stream, LENGTH, values);
        for (uint32_t i = 0; i < LENGTH; i++) {
            uint32_t words[4];
            random_words(&stream, 0, i / 4, words);
            assert_true(values[i] == distribution_value(&samples[d], random_uniform(words[i % 4])));
        }
        distribution_fill_from(&samples[d], &stream, 0, 100, LENGTH - 400, from);
        assert_memory_equal(from, values + 400, (LENGTH - 400) * sizeof *from);
        distribution_fill_from(&samples[d], &stream, 1, 0, LENGTH, from);
        assert_true(memcmp(from, values, sizeof from) != 0);
    }
}

/* A word's multiple by the table and by rounding the value: the same but next to a border. */
static void rounded_compare(const struct distribution *distribution, double step)
{
    enum { WORDS = 1 << 16 };
    static uint32_t words[WORDS];
    struct random_stream stream = random_stream_of(8, RANDOM_DELAY, 1);
    double smallest, largest;
    struct rounded rounded;
    rounded_range(distribution, step, &smallest, &largest);
    assert_true(
        rounded_take(&rounded, distribution, step, (int64_t)smallest, (int64_t)largest, NULL));
    random_words_bulk(&stream, 0, 0, WORDS / 4, words);
    words[0] = 0;
    words[1] = UINT32_MAX;
    for (uint32_t i = 0; i + 1 < rounded.length && i + 4 < WORDS; i++) {
        words[i + 2] = rounded.last[i] > 2 ? rounded.last[i] - 2 : 0; /* just below a border */
        words[i + 3] = rounded.last[i] < UINT32_MAX - 3 ? rounded.last[i] + 3 : UINT32_MAX;
    }
    for (int i = 0; i < WORDS; i++) {
        double expected = rint(distribution_value(distribution, random_uniform(words[i])) / step);
        int64_t multiple = rounded.first + rounded_offset(&rounded, words[i]);
        if (multiple != (int64_t)expected)
            fail_msg("word %u: %lld, not %g", words[i], (long long)multiple, expected);
    }
    rounded_release(&rounded);
}

static void test_table_rounds_as_the_value(void **state)
{
    (void)state;
    for (int i = 0; i < SAMPLES; i++) {
        rounded_compare(&samples[i], 0.1);
        rounded_compare(&samples[i], 0.02);
        rounded_compare(&samples[i], 100); /* one multiple */
    }
    const struct distribution clipped = {DISTRIBUTION_NORMAL, 1, 2, 0.25, 2.75, true};
    rounded_compare(&clipped, 0.5); /* both edges lie half-way: 0 and 6 */
    rounded_compare(&clipped, 0.02);
    const struct distribution constant = {DISTRIBUTION_CONSTANT, -3, 0, 0, 0, false};
    rounded_compare(&constant, 1);
}

static void test_table_gathers_what_lies_beyond(void **state)
{
    (void)state;
    const struct distribution normal = {DISTRIBUTION_NORMAL, 0, 10, OPEN};
    struct rounded rounded;
    assert_true(rounded_take(&rounded, &normal, 1, -2, 3, NULL));
    assert_int_equal(rounded.length, 6);
    assert_int_equal(rounded_offset(&rounded, 0), 0);
    assert_int_equal(rounded_offset(&rounded, UINT32_MAX), 5);
    assert_true(fabs(rounded.last[0] * 0x1p-32 - normal_below(-0.15)) < 1e-9);
    assert_true(fabs(rounded.last[4] * 0x1p-32 - normal_below(0.25)) < 1e-9);
    rounded_release(&rounded);
}

static void test_rounding_is_half_to_even(void **state)
{
    (void)state;
    static const double cases[][2] = {{2.5, 2}, {3.5, 4}, {-0.5, 0}, {-1.5, -2}, {0.75, 1}};
    for (int i = 0; i < 5; i++) {
        const struct distribution constant = {DISTRIBUTION_CONSTANT, cases[i][0], 0, OPEN};
        double smallest, largest;
        rounded_range(&constant, 1, &smallest, &largest);
        assert_true(smallest == cases[i][1] && largest == cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles_of_closed_form),
        cmocka_unit_test(test_quantiles_of_normal),
        cmocka_unit_test(test_quantiles_equal_those_of_gsl),
        cmocka_unit_test(test_moments_of_truncated_normal),
        cmocka_unit_test(test_far_tails_are_accurate),
        cmocka_unit_test(test_cumulative_inverts_value),
        cmocka_unit_test(test_clip_moves_to_the_edge),
        cmocka_unit_test(test_width_of_zero_is_a_constant),
        cmocka_unit_test(test_nonsense_is_refused),
        cmocka_unit_test(test_fill_takes_word_after_word),
        cmocka_unit_test(test_table_rounds_as_the_value),
        cmocka_unit_test(test_table_gathers_what_lies_beyond),
        cmocka_unit_test(test_rounding_is_half_to_even),
    };
    return cmocka_run_group_tests_name("distribution", tests, NULL, NULL);
}
