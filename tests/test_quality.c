/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The measures of an encoding against closed forms, against numbers of a separate program (NumPy),
 * and the estimate of information against sources whose information is known.
 */
#include "encoding/quality.h"
#include "encoding/quality_information.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- schemes that only have costs ---- */

static uint32_t five_neurons(const struct scheme_settings *settings)
{
    (void)settings;
    return 5;
}

static const struct scheme signal_scheme = {.name = "signal", .form = SCHEME_SIGNAL,
                                            .is_signed = true};
static const struct scheme plain_scheme = {.name = "plain", .form = SCHEME_SIGNAL};
static const struct scheme value_scheme = {
    .name = "value", .form = SCHEME_VALUE, .graded = true, .neurons = five_neurons,
    .parameters = {{.name = "ticks", .standard = 8, .low = 1, .high = 100, .whole = true}}};
static const struct scheme group_scheme = {.name = "group", .form = SCHEME_GROUP,
                                           .neurons = five_neurons};

static struct scheme_settings settings_of(const struct scheme *scheme)
{
    return (struct scheme_settings){.scheme = scheme, .parameter = {8}, .highest = 1};
}

static struct quality measure(const struct scheme *scheme, const double *x, const double *decoded,
                              size_t length)
{
    struct scheme_settings settings = settings_of(scheme);
    struct quality quality;
    struct error error = {0};
    if (!quality_of(&settings, x, decoded, length, NULL, 0, 0, &quality, &error))
        fail_msg("%s", error.text);
    return quality;
}

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.17g is not within %g of %.17g", value, tolerance, expected);
}

/* ---- SNR and RMSE ---- */

static void snr_of_closed_forms(void **state)
{
    (void)state;
    double x[] = {0.5, 0.25, 1, 0.75}, tenth[4], off[4];
    for (int i = 0; i < 4; i++) {
        tenth[i] = x[i] * 0.9; /* an error of a tenth: 20 dB */
        off[i] = x[i] - 0.125;
    }
    assert_near(measure(&signal_scheme, x, tenth, 4).snr, 20, 1e-12);
    /* RMS(x)^2 = (4 + 1 + 16 + 9) / 64 and the error is 1/8: the ratio is sqrt(30) */
    struct quality quality = measure(&signal_scheme, x, off, 4);
    assert_near(quality.snr, 10 * log10(30), 1e-12);
    assert_true(quality.rmse == 0.125);
    struct scheme_settings settings = settings_of(&signal_scheme);
    assert_true(quality.snr == quality_snr(&settings, x, off, 4));
    assert_int_equal(quality.values, 4);
}

static void snr_at_the_ends(void **state)
{
    (void)state;
    double x[] = {0.5, 0.25}, zero[] = {0, 0};
    struct quality exact = measure(&signal_scheme, x, x, 2);
    assert_true(exact.snr == INFINITY && exact.rmse == 0);
    assert_true(measure(&signal_scheme, zero, zero, 2).snr == INFINITY);
    assert_true(measure(&signal_scheme, zero, x, 2).snr == -INFINITY);
    assert_true(measure(&signal_scheme, x, zero, 2).snr == 0);
    struct scheme_settings settings = settings_of(&signal_scheme);
    assert_true(isnan(quality_snr(&settings, x, x, 0)));
}

/* The signal +1, -1, … scaled to 1, 0, …: decoded to its mean, 0, nothing is left of it. */
static void snr_is_of_the_signal_before_it_was_scaled(void **state)
{
    (void)state;
    double x[] = {1, 0, 1, 0}, mean[] = {0.5, 0.5, 0.5, 0.5}, near[] = {0.95, 0.05, 0.95, 0.05};
    struct scheme_settings settings = settings_of(&signal_scheme);
    settings.lowest = -1;
    assert_near(quality_snr(&settings, x, mean, 4), 0, 1e-12);
    assert_near(quality_snr(&settings, x, near, 4), 20, 1e-12); /* 1 against 0.1 */
    settings.highest = 1e308;
    settings.lowest = 9e307; /* 9e307 or 1e308 against 0.05e307 */
    assert_near(quality_snr(&settings, x, near, 4), 10 * log10((81e4 + 1e6) / 2 / 0.25e2), 1e-9);
}

/* Squares of these would overflow or vanish. */
static void snr_of_huge_and_tiny_values(void **state)
{
    (void)state;
    static const double scales[] = {1e300, 1e-300, 1e-306, 0x1p-1060};
    double x[] = {0.5, 0.25, 1, 0.75}, off[4], scaled[4];
    for (size_t s = 0; s < sizeof scales / sizeof *scales; s++) {
        for (int i = 0; i < 4; i++) {
            scaled[i] = x[i] * scales[s];
            off[i] = (x[i] - 0.125) * scales[s];
        }
        struct quality quality = measure(&signal_scheme, scaled, off, 4);
        double tolerance = scales[s] > 1e-307 ? 1e-12 : 1e-4; /* 2^-1060 has 14 bits left */
        assert_near(quality.snr, 10 * log10(30), 10 * tolerance);
        assert_near(quality.rmse / scales[s], 0.125, tolerance);
    }
    double apart[] = {1e308, -1e308}, opposite[] = {-1e308, 1e308};
    struct quality quality = measure(&signal_scheme, apart, opposite, 2);
    assert_true(quality.rmse == INFINITY && quality.snr == -INFINITY);
}

/* Signals of whole numbers, so that another program can make the same. */
enum { MADE = 3000 };

static void make_signals(double *x, double *rounded, double *delayed, double *mixed)
{
    for (uint64_t i = 0; i < MADE; i++) {
        x[i] = (double)(i * i * 7919 % 10007) / 10006;
        rounded[i] = rint(x[i] * 8) / 8;
        delayed[i] = (i > 0 ? x[i - 1] : 0) * 0.9 + 0.05;
        mixed[i] = 0.7 * x[i] + 0.3 * (double)((i * i * i * 31 + 7) % 9973) / 9972;
    }
}

static void measures_agree_with_numpy(void **state)
{
    (void)state;
    double x[MADE], rounded[MADE], delayed[MADE], mixed[MADE];
    make_signals(x, rounded, delayed, mixed);
    const struct {
        const double *decoded;
        double snr, rmse, information;
    } expected[] = {{rounded, 24.001521649673123, 0.035973569718908485, 2.8391697812411696},
                    {delayed, 3.205312217531768, 0.3942702491848859, 0},
                    {mixed, 13.39719067601505, 0.12195513307344769, 1.4091827661635659}};
    for (int i = 0; i < 3; i++) {
        struct quality quality = measure(&signal_scheme, x, expected[i].decoded, MADE);
        assert_near(quality.snr, expected[i].snr, 1e-10);
        assert_near(quality.rmse, expected[i].rmse, 1e-13);
        assert_near(quality.information, expected[i].information, 1e-10);
    }
}

/* ---- settling ---- */

static void settling_of_an_exponential(void **state)
{
    (void)state;
    enum { LENGTH = 200 };
    double x[LENGTH], decoded[LENGTH];
    for (int i = 0; i < LENGTH; i++) {
        x[i] = 3;
        decoded[i] = 1 + 2 * (1 - exp(-i / 20.0)); /* from 1 to 3: 90 % after 20 ln 10 = 46.05 */
    }
    assert_true(measure(&signal_scheme, x, decoded, LENGTH).settling == 48);
    assert_true(measure(&value_scheme, x, decoded, LENGTH).settling == 48 * 8);
    assert_true(measure(&group_scheme, x, decoded, LENGTH).settling == 50); /* windows of 5 */
    assert_true(measure(&group_scheme, x, decoded, 49).settling == 49); /* the last is shorter */
    decoded[100] = 2.7; /* falls back below 2.8 once */
    assert_true(measure(&signal_scheme, x, decoded, LENGTH).settling == 102);
    decoded[100] = 30; /* beyond is no way back */
    assert_true(measure(&signal_scheme, x, decoded, LENGTH).settling == 48);
    assert_true(isnan(measure(&signal_scheme, x, decoded, 47).settling));
}

static void settling_downwards_or_not_at_all(void **state)
{
    (void)state;
    double down[] = {1, 0, 0, 0}, slowly[] = {1, 0.5, 0.0625, 0}, flat[] = {0, 0, 0, 0};
    assert_true(measure(&signal_scheme, down, slowly, 4).settling == 3);
    assert_true(isnan(measure(&signal_scheme, down, flat, 4).settling)); /* no way to go */
    assert_true(isnan(measure(&signal_scheme, down, slowly, 1).settling));
    double huge[] = {-1e308, 1e308};
    assert_true(isnan(measure(&signal_scheme, huge, huge, 2).settling));
}

/* ---- costs ---- */

static struct quality cost(const struct scheme *scheme, const struct timed_spike *spikes,
                           size_t count, double tick_seconds)
{
    struct scheme_settings settings = settings_of(scheme);
    double x[] = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
    struct quality quality;
    assert_true(quality_of(&settings, x, x, 10, spikes, count, tick_seconds, &quality, NULL));
    return quality;
}

static void costs_are_counted(void **state)
{
    (void)state;
    struct timed_spike spikes[] = {{0, 0, 1}, {1, 0, -1}, {2, 0, 0}, {3, 0, 1}};
    struct quality quality = cost(&signal_scheme, spikes, 4, 0.01);
    assert_int_equal(quality.spikes, 3); /* a payload of 0 is no spike */
    assert_int_equal(quality.ticks, 10);
    assert_near(quality.density, 0.3, 1e-15);
    assert_true(quality.link_bits == 3); /* one neuron, a sign */
    /* a fair coin, told exactly: 1 bit a value, 10 in all */
    assert_true(quality.information == 1);
    assert_near(quality.information_per_spike, 10.0 / 3, 1e-12);
    assert_near(quality.information_per_second, 100, 1e-9);

    quality = cost(&plain_scheme, spikes, 4, 0);
    assert_true(quality.link_bits == 3); /* nothing to tell, but when */
    assert_true(isnan(quality.information_per_second));
    quality = cost(&plain_scheme, NULL, 0, 0);
    assert_true(quality.spikes == 0 && quality.density == 0 && quality.link_bits == 0);
    assert_true(isnan(quality.information_per_spike));
}

static void costs_of_graded_spikes_of_several_neurons(void **state)
{
    (void)state;
    struct timed_spike spikes[] = {{0, 4, 1}, {1, 3, 7}};
    struct quality quality = cost(&value_scheme, spikes, 2, 0.5);
    assert_int_equal(quality.ticks, 80);
    assert_near(quality.density, 2.0 / (5 * 80), 1e-15);
    assert_true(quality.link_bits == 2 * (3 + 3)); /* 5 neurons, payloads up to 7 */
    assert_near(quality.information_per_second, 10.0 / 40, 1e-12);
    spikes[0].payload = 8;
    assert_true(cost(&value_scheme, spikes, 2, 0).link_bits == 2 * (3 + 4));
    spikes[0].payload = INT32_MIN;
    assert_true(cost(&value_scheme, spikes, 2, 0).link_bits == 2 * (3 + 32));
    assert_true(cost(&group_scheme, spikes, 1, 0).link_bits == 3);
}

/* ---- information ---- */

static double bits(const double *x, const double *decoded, size_t length)
{
    struct information *information = information_open(x, length, NULL);
    assert_non_null(information);
    double found = information_bits(information, decoded);
    information_close(information);
    return found;
}

static void identity_tells_the_entropy(void **state)
{
    (void)state;
    enum { LENGTH = 8000 };
    static double x[LENGTH], y[LENGTH];
    for (int levels = 1; levels <= 32; levels *= 2) { /* fewer than the 40 bins */
        for (int i = 0; i < LENGTH; i++) {
            x[i] = i % levels;
            y[i] = -5 * x[i]; /* as good as x itself */
        }
        assert_near(bits(x, y, LENGTH), log2(levels), 1e-12);
    }
    for (int i = 0; i < LENGTH; i++)
        x[i] = i;
    assert_near(bits(x, x, LENGTH), log2(40), 1e-12); /* no more than bins can say */
    for (int i = 0; i < LENGTH; i++)
        x[i] = i % 8 == 0; /* h(1/8), and the correction: 1/2N nats twice added, once taken off */
    assert_near(bits(x, x, LENGTH), (log2(8) + 7 * log2(8.0 / 7)) / 8 + 0.5 / LENGTH / log(2),
                1e-12);
}

/* 1000 bits sent, 110 of them turned: 1 - h(0.11), and less 1/2N nats. */
static void binary_symmetric_channel(void **state)
{
    (void)state;
    double x[1000], y[1000], p = 0.11;
    for (int i = 0; i < 1000; i++) {
        x[i] = i % 2;
        y[i] = (i / 2) % 100 < 11 ? 1 - x[i] : x[i];
    }
    double expected = 1 + p * log2(p) + (1 - p) * log2(1 - p) - 0.5 / 1000 / log(2);
    assert_near(bits(x, y, 1000), expected, 1e-12);
}

static double *gaussians(gsl_rng *generator, size_t length, double correlation)
{
    double *pairs = malloc(2 * length * sizeof *pairs);
    assert_non_null(pairs);
    for (size_t i = 0; i < length; i++)
        gsl_ran_bivariate_gaussian(generator, 1, 2, correlation, &pairs[i], &pairs[length + i]);
    return pairs;
}

/* The bias that quality_information.h states. */
static void information_of_gaussians(void **state)
{
    (void)state;
    static const size_t lengths[] = {500, 2000, 10000, 100000};
    static const double correlations[] = {0, 0.5, 0.9, 0.99};
    static const double bias[4][4] = {{0.02, 0.01, -0.13, -0.69},
                                      {0.01, 0.02, -0.03, -0.32},
                                      {0.01, 0.01, 0.00, -0.12},
                                      {0.01, 0.02, 0.01, -0.02}};
    gsl_rng *generator = gsl_rng_alloc(gsl_rng_mt19937);
    for (int n = 0; n < 4; n++)
        for (int c = 0; c < 4; c++) {
            int rounds = n < 2 ? 40 : n < 3 ? 20 : 2;
            double sum = 0;
            for (int round = 0; round < rounds; round++) {
                double *pairs = gaussians(generator, lengths[n], correlations[c]);
                sum += bits(pairs, pairs + lengths[n], lengths[n]);
                free(pairs);
            }
            double known = -0.5 * log2(1 - correlations[c] * correlations[c]);
            assert_near(sum / rounds, known + bias[n][c], n == 0 ? 0.025 : 0.015);
        }
    gsl_rng_free(generator);
}

static void only_the_order_of_values_counts(void **state)
{
    (void)state;
    enum { LENGTH = 5000 };
    gsl_rng *generator = gsl_rng_alloc(gsl_rng_mt19937);
    double *pairs = gaussians(generator, LENGTH, 0.8), *other = pairs + LENGTH;
    double before = bits(pairs, other, LENGTH);
    for (int i = 0; i < LENGTH; i++) {
        pairs[i] = exp(5 * pairs[i]); /* most of it in the lowest hundredth of its range */
        other[i] = other[i] * other[i] * other[i];
    }
    assert_true(bits(pairs, other, LENGTH) == before);
    free(pairs);
    gsl_rng_free(generator);
}

/* A rare event among few values has a bin of its own, far below the share of one bin. */
static void rare_values_are_told_apart(void **state)
{
    (void)state;
    enum { LENGTH = 20000, EVERY = 2500 };
    static double x[LENGTH], y[LENGTH];
    for (int i = 0; i < LENGTH; i++) {
        x[i] = i % EVERY == 17 ? 1 : 0.25;
        y[i] = i % EVERY == 17 ? -3 : 8;
    }
    double p = 1.0 / EVERY;
    double expected = -p * log2(p) - (1 - p) * log2(1 - p) + 0.5 / LENGTH / log(2);
    assert_near(bits(x, y, LENGTH), expected, 1e-12);
}

/* 500 values have 10 bins: as many as these values, however often each comes. */
static void as_many_values_as_bins(void **state)
{
    (void)state;
    double x[500];
    for (int i = 0; i < 500; i++)
        x[i] = i < 9 ? i : 9;
    double expected = 9.0 / 500 * log2(500) + 0.982 * log2(1 / 0.982) + 9.0 / 1000 / log(2);
    assert_near(bits(x, x, 500), expected, 1e-12);
}

/* Half of 500 values are equal and share one bin; the others have five of equal frequency. */
static void equal_values_share_a_bin(void **state)
{
    (void)state;
    double x[500];
    for (int i = 0; i < 500; i++)
        x[i] = i % 2 == 0 ? 0 : i;
    struct information *information = information_open(x, 500, NULL);
    double expected = 0.5 * log2(2) + 0.5 * log2(10) + 5.0 / 1000 / log(2);
    assert_near(information_bits(information, x), expected, 1e-12);
    assert_near(information_chance(information), sqrt(2 * 5 * 5) / 1000 / log(2), 1e-12);
    information_close(information);
}

/* Two independent throws of a die with four sides: 2N ln2 I is chi-square with 9 degrees of
 * freedom, and the correction takes 9 off; of that, what is above 0 has the mean 1.6616 and passes
 * three standard deviations in 0.98 % of cases (SciPy). */
static void independent_signals_tell_nothing(void **state)
{
    (void)state;
    enum { LENGTH = 2000, ROUNDS = 4000 };
    double x[LENGTH], y[LENGTH], sum = 0;
    int beyond = 0;
    gsl_rng *generator = gsl_rng_alloc(gsl_rng_mt19937);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < LENGTH; i++) {
            x[i] = (double)gsl_rng_uniform_int(generator, 4);
            y[i] = (double)gsl_rng_uniform_int(generator, 4);
        }
        struct information *information = information_open(x, LENGTH, NULL);
        double found = information_bits(information, y);
        beyond += found > 3 * information_chance(information);
        assert_near(information_chance(information), sqrt(18) / (2 * LENGTH * log(2)), 1e-12);
        information_close(information);
        sum += found;
    }
    gsl_rng_free(generator);
    assert_near(sum / ROUNDS * 2 * LENGTH * log(2), 1.6616, 0.2); /* its deviation: 0.05 */
    assert_in_range(beyond, 15, 70);                              /* 39 expected */
}

static void information_of_next_to_nothing(void **state)
{
    (void)state;
    double x[] = {0.25, 1}, same[] = {3, 3};
    assert_true(bits(x, x, 1) == 0);
    assert_true(bits(x, same, 2) == 0);
    assert_true(bits(x, x, 2) == 1); /* not more, whatever the correction says */
    double zeros[] = {0.0, -0.0};
    assert_true(bits(zeros, zeros, 2) == 0);
}

/* ---- what is refused ---- */

static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    double good[] = {0, 1, 0}, bad[] = {0, 1, NAN};
    struct scheme_settings settings = settings_of(&signal_scheme);
    struct quality quality;
    struct error error = {0};
    assert_false(quality_of(&settings, bad, good, 3, NULL, 0, 0, &quality, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    assert_non_null(strstr(error.text, "value 2 of the signal is nan"));
    error.code = ERROR_NONE;
    bad[2] = -INFINITY;
    assert_false(quality_of(&settings, good, bad, 3, NULL, 0, 0, &quality, &error));
    assert_int_equal(error.code, ERROR_FAILED);
    assert_non_null(strstr(error.text, "scheme signal: value 2 was decoded to -inf"));
}

static void of_no_values_nothing_is_known(void **state)
{
    (void)state;
    struct quality quality = measure(&signal_scheme, NULL, NULL, 0);
    assert_true(quality.values == 0 && quality.ticks == 0 && quality.spikes == 0);
    assert_true(quality.link_bits == 0);
    assert_true(isnan(quality.snr) && isnan(quality.rmse) && isnan(quality.settling));
    assert_true(isnan(quality.density) && isnan(quality.information));
    assert_true(isnan(quality.information_per_spike) && isnan(quality.information_per_second));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(snr_of_closed_forms),
        cmocka_unit_test(snr_at_the_ends),
        cmocka_unit_test(snr_is_of_the_signal_before_it_was_scaled),
        cmocka_unit_test(snr_of_huge_and_tiny_values),
        cmocka_unit_test(measures_agree_with_numpy),
        cmocka_unit_test(settling_of_an_exponential),
        cmocka_unit_test(settling_downwards_or_not_at_all),
        cmocka_unit_test(costs_are_counted),
        cmocka_unit_test(costs_of_graded_spikes_of_several_neurons),
        cmocka_unit_test(identity_tells_the_entropy),
        cmocka_unit_test(binary_symmetric_channel),
        cmocka_unit_test(information_of_gaussians),
        cmocka_unit_test(only_the_order_of_values_counts),
        cmocka_unit_test(rare_values_are_told_apart),
        cmocka_unit_test(as_many_values_as_bins),
        cmocka_unit_test(equal_values_share_a_bin),
        cmocka_unit_test(independent_signals_tell_nothing),
        cmocka_unit_test(information_of_next_to_nothing),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(of_no_values_nothing_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
