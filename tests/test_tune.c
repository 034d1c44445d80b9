/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tuning on schemes made here, whose best parameter is known: what they decode is wrong by as much
 * as the parameter is from it. Every evaluation is written down, to hold the result against all of
 * them.
 */
#include "encoding/quality.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LENGTH = 500, LOG = 1000 };

static double signal[LENGTH];

/* What the scheme made here does, and what was asked of it. */
static struct {
    double best;  /* of the first parameter */
    double best_other; /* of the second */
    double log[LOG]; /* [calls] values of the first parameter */
    double score[LOG];
    uint32_t calls;
    size_t room; /* spikes that the last encode was promised */
} made;

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < LENGTH; i++)
        signal[i] = 0.5 + 0.5 * sin(i / 7.0);
    memset(&made, 0, sizeof made);
    return 0;
}

static void note(double value, double error)
{
    double power = 0;
    for (int i = 0; i < LENGTH; i++)
        power += signal[i] * signal[i];
    assert_true(made.calls < LOG);
    made.log[made.calls] = value;
    made.score[made.calls++] = 10 * log10(power / LENGTH) - 20 * log10(fabs(error));
}

/* Fills all the room, so that room that is too small is noticed. */
static size_t encode(const struct scheme_settings *settings, const double *x, size_t length,
                     uint64_t start, struct timed_spike *spikes)
{
    assert_ptr_equal(x, signal);
    assert_int_equal(start, 0);
    made.room = scheme_room(settings, length);
    for (size_t i = 0; i < made.room; i++)
        spikes[i] = (struct timed_spike){(int64_t)i, 0, 1};
    return made.room;
}

static size_t one_spike(const struct scheme_settings *settings, const double *x, size_t length,
                        uint64_t start, struct timed_spike *spikes)
{
    (void)settings, (void)x, (void)length, (void)start;
    spikes[0] = (struct timed_spike){0, 0, 1};
    return 1;
}

static void decode_off_by(double error, double *x)
{
    for (int i = 0; i < LENGTH; i++)
        x[i] = signal[i] + error;
}

static void decode_distance(const struct scheme_settings *settings,
                            const struct timed_spike *spikes, size_t count, size_t length,
                            double *x)
{
    (void)spikes, (void)count;
    assert_int_equal(length, LENGTH);
    double error = settings->parameter[0] - made.best;
    if (settings->scheme->parameters[1].name != NULL)
        error = fabs(error) + fabs(settings->parameter[1] - made.best_other);
    note(settings->parameter[0], error);
    decode_off_by(error, x);
}

/* Hills everywhere. */
static void decode_rugged(const struct scheme_settings *settings, const struct timed_spike *spikes,
                          size_t count, size_t length, double *x)
{
    (void)spikes, (void)count, (void)length;
    double value = settings->parameter[0];
    double error = 1.5 + sin(1000 * value) * cos(37 * value * value) + 0.1 * sin(1e5 * value);
    note(value, error);
    decode_off_by(error, x);
}

static size_t large_room(const struct scheme_settings *settings, size_t length)
{
    return length + (size_t)fabs(10 * settings->parameter[0]);
}

static struct scheme scheme_of(double standard, double low, double high, bool whole)
{
    return (struct scheme){.name = "made", .form = SCHEME_SIGNAL, .encode = encode,
                           .decode = decode_distance, .room = large_room,
                           .parameters = {{.name = "theta", .standard = standard, .low = low,
                                           .high = high, .whole = whole, .tuned = true}}};
}

static double score_of(double value)
{
    for (uint32_t i = 0; i < made.calls; i++)
        if (made.log[i] == value)
            return made.score[i];
    fail_msg("%g was never tried", value);
    return 0;
}

/* Tunes and holds the result against what was tried. */
static double tune(const struct scheme *scheme, double given)
{
    struct scheme_settings settings = {.scheme = scheme, .parameter = {given}, .highest = 1};
    struct error error = {0};
    uint32_t evaluations = 99;
    made.calls = 0;
    if (!quality_tune(&settings, TUNE_SNR, signal, LENGTH, &evaluations, &error))
        fail_msg("%s", error.text);
    assert_int_equal(evaluations, made.calls);
    assert_true(evaluations <= TUNE_LIMIT);
    double found = settings.parameter[0];
    assert_true(found >= scheme->parameters[0].low && found <= scheme->parameters[0].high);
    for (uint32_t i = 0; i < made.calls; i++) {
        assert_true(made.score[i] <= score_of(found));
        assert_false(scheme->parameters[0].whole && made.log[i] != floor(made.log[i]));
        for (uint32_t j = 0; j < i; j++)
            assert_true(made.log[i] != made.log[j]); /* nothing is tried twice */
    }
    score_of(given);
    if (made.score[0] < 1e9)
        score_of(scheme->parameters[0].standard);
    return found;
}

static void assert_found(double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance))
        fail_msg("found %.12g, but %.12g is best", found, expected);
}

static void finds_the_best_on_a_linear_scale(void **state)
{
    (void)state;
    static const double best[] = {-2.9, -1.234567, 0, 0.1, 1.9999, 2.03125};
    struct scheme scheme = scheme_of(1, -3, 3, false);
    for (size_t i = 0; i < sizeof best / sizeof *best; i++) {
        made.best = best[i];
        /* a place on the scale is 6/32, and the search ends within a part of it */
        assert_found(tune(&scheme, 0.5), best[i], 0.002);
    }
}

static void finds_the_best_on_a_logarithmic_scale(void **state)
{
    (void)state;
    static const double best[] = {1.1e-4, 0.00123, 0.0456, 0.789, 1, 9.3};
    struct scheme scheme = scheme_of(1, 1e-4, 10, false), from_0 = scheme_of(0.1, 0, 10, false);
    for (size_t i = 0; i < sizeof best / sizeof *best; i++) {
        made.best = best[i];
        assert_found(tune(&scheme, 0.5), best[i], 0.005 * best[i]);
        if (best[i] > 1e-3)
            assert_found(tune(&from_0, 0.5), best[i], 0.005 * best[i]);
    }
}

static void finds_the_ends_of_the_range(void **state)
{
    (void)state;
    struct scheme linear = scheme_of(0.5, -1, 1, false), from_0 = scheme_of(0.5, 0, 1, false);
    made.best = -2;
    assert_true(tune(&linear, 0) == -1);
    made.best = 5;
    assert_true(tune(&linear, 0) == 1);
    assert_true(tune(&from_0, 0.5) == 1);
    made.best = -0.25;
    assert_true(tune(&from_0, 0.5) == 0);
    made.best = -0.99; /* between the end and its neighbour */
    assert_found(tune(&linear, 0), -0.99, 0.001);
    made.best = 0.975;
    assert_found(tune(&linear, 0), 0.975, 0.001);
}

static void finds_whole_numbers(void **state)
{
    (void)state;
    struct scheme few = scheme_of(3, 1, 33, true), many = scheme_of(10, 1, 1000, true);
    struct scheme linear = scheme_of(0, -500, 400, true), from_0 = scheme_of(5, 0, 60000, true);
    for (int best = 1; best <= 33; best += 4) {
        made.best = best + 0.3; /* so that no number is exact, which would end the search */
        assert_true(tune(&few, 7) == best);
    }
    static const double best[] = {1, 2, 137, 500, 731, 999, 1000};
    for (size_t i = 0; i < sizeof best / sizeof *best; i++) {
        made.best = best[i] + 0.2;
        assert_found(tune(&many, 10), best[i], best[i] / 200);
        made.best = best[i] / 2 - 200.3;
        assert_found(tune(&linear, 10), rint(made.best), 1);
        made.best = best[i] * 53 + 0.2;
        assert_found(tune(&from_0, 10), best[i] * 53, best[i] * 53 / 200);
    }
}

static void nothing_tried_is_better(void **state)
{
    (void)state;
    struct scheme scheme = scheme_of(0.5, 0.01, 4, false);
    scheme.decode = decode_rugged;
    for (int i = 0; i < 50; i++)
        tune(&scheme, 0.01 + 0.07 * i);
}

static void the_same_twice(void **state)
{
    (void)state;
    struct scheme scheme = scheme_of(0.5, 0.01, 4, false);
    scheme.decode = decode_rugged;
    double first = tune(&scheme, 0.7);
    uint32_t calls = made.calls;
    assert_true(tune(&scheme, 0.7) == first);
    assert_int_equal(made.calls, calls);
}

/* A better value that lies off the grid is kept when it is what was given, or the standard. */
static void the_given_and_the_standard_are_tried(void **state)
{
    (void)state;
    struct scheme scheme = scheme_of(0.51234, 0, 1, false);
    made.best = 0.51234 + 1e-9;
    assert_true(tune(&scheme, 0.2) == 0.51234);
    assert_true(tune(&scheme, 0.51234 + 2e-10) == 0.51234 + 2e-10);
    made.best = 1e-7; /* below the logarithmic scale */
    assert_true(tune(&scheme, 2e-7) == 2e-7 || tune(&scheme, 2e-7) == 0);
}

static void an_exact_scheme_stays(void **state)
{
    (void)state;
    struct scheme scheme = scheme_of(0.5, 0, 1, false);
    made.best = 0.25;
    assert_true(tune(&scheme, 0.25) == 0.25);
    /* the climb would only cost */
    assert_true(made.calls <= 37);
}

static bool refuse_upper_half(const struct scheme_settings *settings, struct error *error)
{
    return settings->parameter[0] < 0.5 || error_set(error, ERROR_MISUSED, "too large");
}

static void what_the_scheme_refuses_is_passed_over(void **state)
{
    (void)state;
    struct scheme scheme = scheme_of(0.25, -1, 1, false);
    scheme.check = refuse_upper_half;
    made.best = 0.75;
    assert_found(tune(&scheme, 0.2), 0.5, 0.01);
    for (uint32_t i = 0; i < made.calls; i++)
        assert_true(made.log[i] < 0.5);
}

static void two_parameters_one_after_the_other(void **state)
{
    (void)state;
    struct scheme scheme = scheme_of(0.5, -1, 1, false);
    scheme.parameters[1] = (struct scheme_parameter){.name = "fixed", .low = -5, .high = 5};
    scheme.parameters[2] = scheme.parameters[0];
    made.best = 0.7;
    made.best_other = 0;
    struct scheme_settings settings = {.scheme = &scheme, .parameter = {0.5, 0.125, 0.5},
                                       .highest = 1};
    uint32_t evaluations;
    assert_true(quality_tune(&settings, TUNE_SNR, signal, LENGTH, &evaluations, NULL));
    assert_found(settings.parameter[0], 0.7, 0.001);
    assert_true(settings.parameter[1] == 0.125); /* is not tuned */
    assert_true(settings.parameter[2] == 0.5);   /* makes no difference: stays */
    assert_true(evaluations > TUNE_LIMIT / 2 && evaluations <= 2 * TUNE_LIMIT);
}

/* Decoded to four levels whatever the parameter, at a price that is least for the best. */
static size_t room_of_price(const struct scheme_settings *settings, size_t length)
{
    (void)length;
    return 10 + (size_t)(1000 * fabs(settings->parameter[0] - made.best));
}

static void decode_levels(const struct scheme_settings *settings, const struct timed_spike *spikes,
                          size_t count, size_t length, double *x)
{
    (void)spikes, (void)count;
    note(settings->parameter[0], 1);
    for (size_t i = 0; i < length; i++)
        x[i] = floor(signal[i] * 3.99);
}

static void least_spikes_for_the_same_information(void **state)
{
    (void)state;
    struct scheme scheme = scheme_of(0.5, -1, 1, false);
    scheme.room = room_of_price;
    scheme.decode = decode_levels;
    made.best = 0.3;
    struct scheme_settings settings = {.scheme = &scheme, .parameter = {0.5}, .highest = 1};
    uint32_t evaluations;
    assert_true(quality_tune(&settings, TUNE_INFORMATION_PER_SPIKE, signal, LENGTH, &evaluations,
                             NULL));
    assert_found(settings.parameter[0], 0.3, 0.002);
    assert_int_equal(evaluations, made.calls);
}

/* Noise at one spike against all of the signal at 500: chance alone is no information. */
static size_t encode_or_not(const struct scheme_settings *settings, const double *x, size_t length,
                            uint64_t start, struct timed_spike *spikes)
{
    if (settings->parameter[0] == 1)
        return encode(settings, x, length, start, spikes);
    return settings->parameter[0] == 2 ? 0 : one_spike(settings, x, length, start, spikes);
}

static void decode_noise(const struct scheme_settings *settings, const struct timed_spike *spikes,
                         size_t count, size_t length, double *x)
{
    (void)spikes, (void)count;
    uint32_t noise = (uint32_t)settings->parameter[0];
    for (size_t i = 0; i < length; i++) {
        noise = noise * 1664525 + 1013904223;
        x[i] = settings->parameter[0] <= 2 ? signal[i] : noise >> 29;
    }
}

static void chance_is_no_information(void **state)
{
    (void)state;
    struct scheme scheme = scheme_of(3, 1, 30, true);
    scheme.encode = encode_or_not;
    scheme.decode = decode_noise;
    struct scheme_settings settings = {.scheme = &scheme, .parameter = {3}, .highest = 1};
    uint32_t evaluations;
    assert_true(quality_tune(&settings, TUNE_INFORMATION_PER_SPIKE, signal, LENGTH, &evaluations,
                             NULL));
    assert_true(settings.parameter[0] == 1);
}

static void what_cannot_be_tuned_stays(void **state)
{
    (void)state;
    struct scheme scheme = scheme_of(0.5, 0, 1, false);
    scheme.parameters[0].tuned = false;
    struct scheme_settings settings = {.scheme = &scheme, .parameter = {0.75}, .highest = 1},
                           before = settings;
    uint32_t evaluations = 9;
    assert_true(quality_tune(&settings, TUNE_SNR, signal, LENGTH, &evaluations, NULL));
    assert_int_equal(evaluations, 0);
    assert_memory_equal(&settings, &before, sizeof before);
    scheme.parameters[0].tuned = true;
    assert_true(quality_tune(&settings, TUNE_SNR, signal, 0, &evaluations, NULL)); /* no values */
    scheme.encode = NULL; /* a current */
    assert_true(quality_tune(&settings, TUNE_SNR, signal, LENGTH, &evaluations, NULL));
    assert_int_equal(evaluations, 0);
    assert_memory_equal(&settings, &before, sizeof before);
}

static size_t endless_room(const struct scheme_settings *settings, size_t length)
{
    (void)length;
    return settings->parameter[0] > 0.6 ? SIZE_MAX : 10;
}

static void what_fails_leaves_the_settings(void **state)
{
    (void)state;
    struct scheme scheme = scheme_of(0.5, 0, 1, false);
    struct scheme_settings settings = {.scheme = &scheme, .parameter = {0.75}, .highest = 1};
    struct error error = {0};
    uint32_t evaluations;
    double bad[LENGTH] = {0, NAN};
    assert_false(quality_tune(&settings, TUNE_SNR, bad, LENGTH, &evaluations, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    assert_non_null(strstr(error.text, "value 1 of the signal is nan"));
    error.code = ERROR_NONE;
    scheme.room = endless_room;
    made.best = 0.3;
    settings.parameter[0] = 0.4;
    assert_false(quality_tune(&settings, TUNE_SNR, signal, LENGTH, &evaluations, &error));
    assert_int_equal(error.code, ERROR_FAILED);
    assert_true(settings.parameter[0] == 0.4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(finds_the_best_on_a_linear_scale, setup),
        cmocka_unit_test_setup(finds_the_best_on_a_logarithmic_scale, setup),
        cmocka_unit_test_setup(finds_the_ends_of_the_range, setup),
        cmocka_unit_test_setup(finds_whole_numbers, setup),
        cmocka_unit_test_setup(nothing_tried_is_better, setup),
        cmocka_unit_test_setup(the_same_twice, setup),
        cmocka_unit_test_setup(the_given_and_the_standard_are_tried, setup),
        cmocka_unit_test_setup(an_exact_scheme_stays, setup),
        cmocka_unit_test_setup(what_the_scheme_refuses_is_passed_over, setup),
        cmocka_unit_test_setup(two_parameters_one_after_the_other, setup),
        cmocka_unit_test_setup(least_spikes_for_the_same_information, setup),
        cmocka_unit_test_setup(chance_is_no_information, setup),
        cmocka_unit_test_setup(what_cannot_be_tuned_stays, setup),
        cmocka_unit_test_setup(what_fails_leaves_the_settings, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
