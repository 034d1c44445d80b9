/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The elementary functions against long double, and the sampler against its distribution. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <gsl/gsl_cdf.h>

#include "encoding/arithmetic.h"
#include "sim/sampler.h"

enum { STEPS = 200000 };

static void check_relative(long double value, long double exact, long double limit)
{
    if (fabsl(value - exact) > limit * fabsl(exact))
        fail_msg("%.20Lg is not %.20Lg", value, exact);
}

static void test_exp_and_sigmoid(void **state)
{
    (void)state;
    for (int i = -STEPS; i <= STEPS; i++) {
        double x = i * (700.0 / STEPS);
        check_relative(arithmetic_exp(x), expl(x), 4e-16L);
        check_relative(arithmetic_sigmoid(x), 1 / (1 + expl(-x)), 6e-16L);
    }
    assert_true(arithmetic_exp(0) == 1 && arithmetic_sigmoid(0) == 0.5);
    assert_true(arithmetic_exp(-1000) == 0 && isinf(arithmetic_exp(1000)));
    assert_true(isnan(arithmetic_exp(NAN)) && isnan(arithmetic_sigmoid(NAN)));
    assert_true(arithmetic_sigmoid(1000) == 1 && arithmetic_sigmoid(-1000) == 0);
}

static void test_sincos(void **state)
{
    (void)state;
    for (int i = 0; i < STEPS; i++) {
        double angle = i < STEPS / 2 ? i * 1e-3 : i * 2e3 + 0.1 * i, sine, cosine;
        arithmetic_sincos(angle, &sine, &cosine);
        assert_true(fabsl(sine - sinl(angle)) < 4e-16L);
        assert_true(fabsl(cosine - cosl(angle)) < 4e-16L);
    }
}

static void test_pow(void **state)
{
    (void)state;
    for (int i = 0; i < 128; i += 2)
        for (double theta = 100; theta < 1e9; theta *= 10)
            check_relative(arithmetic_pow(theta, -i / 128.0), powl(theta, -i / 128.0L), 4e-15L);
}

static void test_bits(void **state)
{
    (void)state;
    const double logits[] = {log(1), log(2), log(5), log(8)}; /* sixteenths: 1, 2, 5, 8 */
    assert_true(fabs(sampler_bits(logits, 4, 3) - 1) < 1e-12);
    assert_true(fabs(sampler_bits(logits, 4, 1) - 3) < 1e-12);
    assert_true(fabs(sampler_bits(logits, 4, 2) - log2(16.0 / 5)) < 1e-12);
}

/* How often each of four tokens is drawn, against the probabilities: chi-square. */
static void check_distribution(double temperature, double top_p, const double *probabilities)
{
    enum { DRAWS = 40000, KINDS = 4 };
    const double logits[KINDS] = {log(4), log(1), log(3), log(2)};
    struct error error = {0};
    struct sampler sampler;
    assert_true(sampler_new(&sampler, KINDS, temperature, top_p, 7, &error));
    double drawn[KINDS] = {0}, statistic = 0;
    int kinds = 0;
    for (int i = 0; i < DRAWS; i++)
        drawn[sampler_next(&sampler, logits, i)]++;
    for (int i = 0; i < KINDS; i++) {
        double expected = probabilities[i] * DRAWS;
        if (expected == 0) {
            assert_true(drawn[i] == 0);
            continue;
        }
        statistic += (drawn[i] - expected) * (drawn[i] - expected) / expected;
        kinds++;
    }
    assert_true(gsl_cdf_chisq_Q(statistic, kinds - 1) > 1e-3); /* the seed is fixed: no chance */
    sampler_free(&sampler);
}

static void test_sampling(void **state)
{
    (void)state;
    const double all[] = {0.4, 0.1, 0.3, 0.2}, two[] = {4.0 / 7, 0, 3.0 / 7, 0};
    const double sharp[] = {16.0 / 30, 1.0 / 30, 9.0 / 30, 4.0 / 30};
    check_distribution(1, 1, all);
    check_distribution(1, 0.6, two);
    check_distribution(0.5, 1, sharp);
}

static void test_greedy(void **state)
{
    (void)state;
    const double logits[] = {1, 3, 3, -2};
    struct error error = {0};
    struct sampler sampler;
    assert_true(sampler_new(&sampler, 4, 0, 1, 0, &error));
    assert_int_equal(sampler_next(&sampler, logits, 5), 1); /* the smaller of equals */
    sampler_free(&sampler);
}

static void test_random_numbers(void **state)
{
    (void)state;
    /* Philox4x32-10 of a zero counter and key begins 6627e8d5 e169c58d (its authors' vector). */
    uint64_t bits = UINT64_C(0x6627e8d5e169c58d);
    assert_true(sampler_uniform(0, 0) == (double)(bits >> 11) * 0x1p-53);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp_and_sigmoid),
        cmocka_unit_test(test_sincos),
        cmocka_unit_test(test_pow),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_sampling),
        cmocka_unit_test(test_greedy),
        cmocka_unit_test(test_random_numbers),
    };
    return cmocka_run_group_tests_name("arithmetic", tests, NULL, NULL);
}
