/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Schemes: the table, settings as text, what every scheme promises; and the rates, the times and
 * the order of firing against their definitions: by hand, by numbers from a Python program that
 * has its own Philox, and by the distributions that counts must follow.
 */
#include "encoding/schemes/schemes.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct scheme_settings settings_of(const char *text)
{
    struct scheme_settings settings;
    struct error error = {0};
    if (!scheme_parse(text, &settings, &error))
        fail_msg("%s", error.text);
    return settings;
}

/* Spikes of x, in exactly the room that they may take, so that a write beyond is noticed. */
static struct timed_spike *encoded(const struct scheme_settings *settings, const double *x,
                                   size_t length, uint64_t start, size_t *count)
{
    size_t room = scheme_room(settings, length);
    struct timed_spike *spikes = malloc(room * sizeof *spikes);
    assert_true(spikes != NULL || room == 0);
    *count = settings->scheme->encode(settings, x, length, start, spikes);
    assert_true(*count <= room);
    return spikes;
}

/* The ticks at which the only neuron fires 1. */
static void ticks_expect(const char *text, const double *x, size_t length, const int64_t *expected,
                         size_t expected_count)
{
    struct scheme_settings settings = settings_of(text);
    size_t count;
    struct timed_spike *spikes = encoded(&settings, x, length, 0, &count);
    assert_int_equal(count, expected_count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(spikes[i].tick, expected[i]);
        assert_int_equal(spikes[i].neuron, 0);
        assert_int_equal(spikes[i].payload, 1);
    }
    free(spikes);
}

/* What comes back. */
static double *decoded(const struct scheme_settings *settings, const double *x, size_t length)
{
    size_t count;
    struct timed_spike *spikes = encoded(settings, x, length, 0, &count);
    double *back = malloc((length + 1) * sizeof *back);
    assert_non_null(back);
    settings->scheme->decode(settings, spikes, count, length, back);
    free(spikes);
    return back;
}

static void decoded_expect(const char *text, const double *x, size_t length,
                           const double *expected, double error)
{
    struct scheme_settings settings = settings_of(text);
    double *back = decoded(&settings, x, length);
    for (size_t i = 0; i < length; i++)
        if (!(fabs(back[i] - expected[i]) <= error))
            fail_msg("%s: %g came back as %.17g, not %.17g", text, x[i], back[i], expected[i]);
    free(back);
}

/* ---- the table ---- */

static void parameters_check(const struct scheme *scheme)
{
    int length = 0;
    for (; scheme->parameters[length].name != NULL; length++) {
        const struct scheme_parameter *parameter = &scheme->parameters[length];
        assert_true(length < SCHEME_PARAMETERS);
        assert_int_equal(scheme_parameter(scheme, parameter->name), length);
        assert_null(strpbrk(parameter->name, ":=, "));
        assert_true(parameter->unit != NULL && strlen(parameter->meaning) > 0);
        assert_true(parameter->low < parameter->high && isfinite(parameter->high));
        assert_true(parameter->standard >= parameter->low &&
                    parameter->standard <= parameter->high);
    }
    assert_int_equal(scheme_parameter(scheme, "nothing"), -1);
}

static void test_table(void **state)
{
    (void)state;
    size_t length;
    const struct scheme *const *table = scheme_table(&length);
    for (size_t i = 0; i < length; i++) {
        const struct scheme *scheme = table[i];
        struct error error = {0};
        assert_ptr_equal(scheme_find(scheme->name, &error), scheme); /* so no name is there twice */
        assert_int_equal(strspn(scheme->name, "abcdefghijklmnopqrstuvwxyz-"),
                         strlen(scheme->name));
        assert_true(strlen(scheme->summary) > 0 && strlen(scheme->definition) > 0 &&
                    strlen(scheme->reference) > 0);
        bool current = scheme->form == SCHEME_CURRENT;
        assert_true((scheme->encode == NULL) == current && (scheme->decode == NULL) == current);
        assert_true((scheme->currents != NULL) == current);
        parameters_check(scheme);
        struct scheme_settings settings = settings_of(scheme->name);
        assert_true(scheme_neurons(&settings) >= 1 && scheme_ticks(&settings) >= 1);
        char *text = scheme_text(&settings);
        assert_string_equal(text, scheme->name);
        free(text);
    }
    struct error error = {0};
    assert_null(scheme_find("nothing", &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    assert_non_null(strstr(error.text, "unknown scheme 'nothing'; known are rate, intervals, "));
    for (size_t i = 0; i < length; i++) /* all of them, the last one too */
        assert_non_null(strstr(error.text, table[i]->name));
}

static void test_text(void **state)
{
    (void)state;
    static const char *const texts[] = {"rate:ticks=100,gain=0.1,offset=-0.25", "constant",
                                        "rank-order:modulation=0.333333333333333315",
                                        "latency:gain=1e-3", "regular:ticks=1000000,phase=1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct scheme_settings settings = settings_of(texts[i]);
        assert_true(settings.lowest == 0 && settings.highest == 1);
        assert_true(settings.seed == 1 && settings.owner == 0);
        char *text = scheme_text(&settings);
        struct scheme_settings again = settings_of(text);
        assert_ptr_equal(again.scheme, settings.scheme);
        assert_memory_equal(again.parameter, settings.parameter, sizeof again.parameter);
        free(text);
    }
    struct scheme_settings settings = settings_of("rate:offset=0.5,ticks=64");
    assert_true(settings.parameter[0] == 64 && settings.parameter[1] == 1 &&
                settings.parameter[2] == 0.5);
    assert_int_equal(settings.given, 1 << 2 | 1 << 0);
    char *text = scheme_text(&settings);
    assert_string_equal(text, "rate:ticks=64,offset=0.5"); /* a standard only if it was given */
    free(text);
}

static void test_text_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", "unknown scheme ''"},
        {"Rate", "unknown scheme 'Rate'"},
        {"rate ", "unknown scheme 'rate '"},
        {":ticks=3", "unknown scheme ''"},
        {"rate:", "scheme rate: '' is not PARAMETER=VALUE"},
        {"rate:ticks", "scheme rate: 'ticks' is not PARAMETER=VALUE"},
        {"rate:ticks=3,", "scheme rate: '' is not PARAMETER=VALUE"},
        {"rate:=3", "scheme rate has no parameter ''; it has ticks, gain, offset"},
        {"rate:threshold=3", "scheme rate has no parameter 'threshold'; it has ticks, gain, off"},
        {"rate:ticks=3,gain=1,ticks=4", "scheme rate: ticks is given twice"},
        {"rate:ticks=", "scheme rate: ticks takes a number, not ''"},
        {"rate:ticks=3x", "scheme rate: ticks takes a number, not '3x'"},
        {"rate:ticks=3=3", "scheme rate: ticks takes a number, not '3=3'"},
        {"rate:ticks=0", "ticks is 0; it must be a whole number from 1 to 1000000"},
        {"rate:ticks=1000001", "ticks is 1000001; it must be a whole number from 1 to 1000000"},
        {"rate:ticks=2.5", "ticks is 2.5; it must be a whole number from 1 to 1000000"},
        {"rate:gain=-1", "scheme rate: gain is -1; it must be a number from 0.001 to 1000"},
        {"rate:gain=nan", "scheme rate: gain is nan; it must be"},
        {"rate:gain=inf", "scheme rate: gain is inf; it must be"},
        {"rate:gain=1e999", "scheme rate: gain is inf; it must be"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {0};
        struct scheme_settings settings;
        assert_false(scheme_parse(cases[i].text, &settings, &error));
        assert_int_equal(error.code, ERROR_MISUSED);
        if (strstr(error.text, cases[i].expected) == NULL)
            fail_msg("'%s' does not say '%s'", error.text, cases[i].expected);
    }
}

static void test_settings_that_mean_nothing(void **state)
{
    (void)state;
    static const struct {
        double lowest, highest;
        uint32_t owner;
        const char *expected;
    } cases[] = {
        {1, 1, 0, "range of values 1 to 1"},
        {2, 1, 0, "range of values 2 to 1"},
        {0, INFINITY, 0, "range of values 0 to inf"},
        {NAN, 1, 0, "range of values nan to 1"},
        {-1e308, 1e308, 0, "range of values"},
        {0, 1, 1 << 28, "number 268435456 is beyond"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {0};
        struct scheme_settings settings = settings_of("rate");
        settings.lowest = cases[i].lowest;
        settings.highest = cases[i].highest;
        settings.owner = cases[i].owner;
        assert_false(scheme_check(&settings, &error));
        assert_int_equal(error.code, ERROR_MISUSED);
        assert_non_null(strstr(error.text, cases[i].expected));
    }
}

static void test_scale(void **state)
{
    (void)state;
    struct scheme_settings settings = settings_of("constant");
    double values[3] = {0, 51, 255}, x[3];
    settings.highest = 255;
    scheme_scale(&settings, values, 3, x);
    assert_true(x[0] == 0 && x[1] == 0.2 && x[2] == 1);
    settings.lowest = -51;
    settings.highest = 51;
    scheme_scale(&settings, values, 3, values); /* in place */
    assert_true(values[0] == 0.5 && values[1] == 1 && values[2] == 3);
    scheme_unscale(&settings, values, 3, values);
    assert_true(values[0] == 0 && values[1] == 51 && values[2] == 255);
}

static void test_sizes(void **state)
{
    (void)state;
    struct scheme_settings settings = settings_of("rate:ticks=1000");
    assert_int_equal(scheme_ticks(&settings), 1000);
    assert_int_equal(scheme_neurons(&settings), 1);
    assert_true(scheme_room(&settings, 7) == 7000);
    assert_true(scheme_room(&settings, SIZE_MAX / 999) == SIZE_MAX); /* cannot be counted */
    settings = settings_of("latency:ticks=1000");
    assert_true(scheme_room(&settings, 7) == 7);
    settings = settings_of("rank-order:neurons=5");
    assert_int_equal(scheme_neurons(&settings), 5);
    assert_int_equal(scheme_ticks(&settings), 1);
    assert_true(scheme_room(&settings, 7) == 7);
    settings = settings_of("constant:ticks=9");
    assert_int_equal(scheme_ticks(&settings), 9);
    assert_true(scheme_room(&settings, 7) == 0);
}

/* ---- what every scheme promises ---- */

/* Signals of `length` values that are simple, extreme or random; in 0 … 1 but for the last. */
enum { SIGNALS = 10, BEYOND = SIGNALS - 1 };

static void signal_fill(int kind, double *x, size_t length)
{
    struct random_stream stream = random_stream_of(11, RANDOM_ENCODING, 5);
    for (size_t i = 0; i < length; i++) {
        uint32_t words[4];
        random_words(&stream, (uint64_t)kind, (uint32_t)i, words);
        switch (kind) {
        case 0: x[i] = 0; break;
        case 1: x[i] = 1; break;
        case 2: x[i] = 0.3; break;
        case 3: x[i] = i >= length / 2; break;                       /* a step */
        case 4: x[i] = i == length / 2; break;                       /* an impulse */
        case 5: x[i] = (double)(i % 2); break;                       /* as fast as can be */
        case 6: x[i] = (double)i / (double)length; break;            /* a ramp */
        case 7: x[i] = random_uniform(words[0]); break;
        case 8: x[i] = words[0] % 2 ? 0x1p-60 : 1 - 0x1p-53; break;  /* hardly there, hardly not */
        default: x[i] = (random_uniform(words[0]) - 0.5) * 1e6; break;
        }
    }
}

static void spikes_check(const struct scheme_settings *settings, const struct timed_spike *spikes,
                         size_t count, size_t length)
{
    const struct scheme *scheme = settings->scheme;
    for (size_t i = 0; i < count; i++) {
        const struct timed_spike *spike = &spikes[i];
        assert_true(spike->tick >= 0);
        assert_true((uint64_t)spike->tick < length * (uint64_t)scheme_ticks(settings));
        assert_true(spike->neuron < scheme_neurons(settings) && spike->payload != 0);
        assert_true(scheme->is_signed || spike->payload > 0);
        assert_true(scheme->graded || abs(spike->payload) == 1);
        if (i > 0 && spike->tick == spikes[i - 1].tick)
            assert_true(spike->neuron > spikes[i - 1].neuron);
        else if (i > 0)
            assert_true(spike->tick > spikes[i - 1].tick);
    }
}

/* Encodes, twice, and decodes: the spikes are in order and in range, the same again, and what comes
 * back is a number, as near as is promised. */
static void promise_check(const struct scheme_settings *settings, int kind, size_t length)
{
    const struct scheme *scheme = settings->scheme;
    double *x = malloc((length + 1) * sizeof *x), *back = malloc((length + 1) * sizeof *back);
    signal_fill(kind, x, length);
    size_t count, again_count;
    struct timed_spike *spikes = encoded(settings, x, length, 3, &count);
    struct timed_spike *again = encoded(settings, x, length, 3, &again_count);
    assert_int_equal(count, again_count);
    if (count > 0)
        assert_memory_equal(spikes, again, count * sizeof *spikes);
    spikes_check(settings, spikes, count, length);
    scheme->decode(settings, spikes, count, length, back);
    double bound = scheme->bound != NULL && kind != BEYOND ? scheme->bound(settings, x, length)
                                                           : INFINITY;
    for (size_t i = 0; i < length; i++) {
        assert_true(isfinite(back[i]));
        if (fabs(x[i] - back[i]) > bound)
            fail_msg("%s, signal %d of %zu: value %zu is %.17g and came back as %.17g; promised "
                     "within %g", scheme->name, kind, length, i, x[i], back[i], bound);
    }
    free(x), free(back), free(spikes), free(again);
}

static void test_promises(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 2, 3, 17, 1000};
    size_t length;
    const struct scheme *const *table = scheme_table(&length);
    for (size_t i = 0; i < length; i++) {
        if (table[i]->encode == NULL)
            continue;
        struct scheme_settings settings = settings_of(table[i]->name);
        for (int kind = 0; kind < SIGNALS; kind++)
            for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
                promise_check(&settings, kind, lengths[l]);
    }
}

/* The same at the ends of the ranges of my parameters. */
static void test_promises_at_the_ends(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "rate:ticks=1", "rate:gain=0.001,offset=1", "rate:gain=1000,offset=-1", "rate:ticks=999",
        "intervals:ticks=1", "intervals:gain=0.001", "intervals:gain=1000,ticks=13",
        "regular:ticks=1", "regular:ticks=1,phase=0", "regular:phase=0", "regular:phase=1",
        "regular:ticks=1000,phase=0.3", "latency:ticks=1", "latency:ticks=2", "latency:gain=0.001",
        "latency:gain=1000", "latency:ticks=1000000", "log-latency:ticks=2",
        "log-latency:ticks=700", "rank-order:neurons=1", "rank-order:neurons=16777216",
        "rank-order:modulation=0.01", "latency:ticks=1,gain=3",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct scheme_settings settings = settings_of(texts[i]);
        for (int kind = 0; kind < SIGNALS; kind++) {
            promise_check(&settings, kind, 1);
            promise_check(&settings, kind, 50);
        }
    }
}

/* Values that no range holds: no undefined conversion, no endless loop. */
static void test_huge_values(void **state)
{
    (void)state;
    static const char *const texts[] = {"rate", "intervals", "regular", "latency", "log-latency",
                                        "rank-order", "rate:gain=1000", "latency:gain=1000"};
    static const double x[] = {1e308, -1e308, 1e-308, -1e-308, 0x1p-1074, -0.0, 1e300, 4e9};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct scheme_settings settings = settings_of(texts[i]);
        size_t count;
        struct timed_spike *spikes = encoded(&settings, x, 8, 0, &count);
        spikes_check(&settings, spikes, count, 8);
        free(spikes);
    }
}

static void test_a_long_signal(void **state)
{
    (void)state;
    static const char *const texts[] = {"rate:ticks=1", "intervals:ticks=1", "regular:ticks=2",
                                        "latency:ticks=8", "log-latency:ticks=8", "rank-order"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct scheme_settings settings = settings_of(texts[i]);
        promise_check(&settings, 7, 300001);
    }
}

/* ---- rates ---- */

/* From a Python program: Philox and the definitions, written without this one. */
static void test_chance_is_that_of_the_definition(void **state)
{
    (void)state;
    static const double x[] = {0.1, 0.5, 0.9, -1, 2};
    static const int64_t rate[] = {2,  4,  6,  7,  9,  10, 11, 12, 14, 17,
                                   19, 20, 28, 29, 30, 31, 32, 33, 34};
    static const int64_t intervals[] = {8, 11, 14, 15, 16, 17, 19, 29, 32, 34};
    static const struct {
        const char *text;
        const int64_t *ticks;
        size_t count;
    } cases[] = {{"rate:ticks=7,gain=0.8,offset=0.1", rate, 19},
                 {"intervals:ticks=7,gain=0.8", intervals, 10}};
    for (int i = 0; i < 2; i++) {
        struct scheme_settings settings = settings_of(cases[i].text);
        settings.seed = 7;
        settings.owner = 3;
        size_t count;
        struct timed_spike *spikes = encoded(&settings, x, 5, 9, &count);
        assert_int_equal(count, cases[i].count);
        for (size_t s = 0; s < count; s++)
            assert_int_equal(spikes[s].tick, cases[i].ticks[s]);
        free(spikes);
    }
}

/* Word d % 4 of block d / 4 for draw d, wherever the bulk is cut. */
static void test_rate_draws_by_counter(void **state)
{
    (void)state;
    enum { LENGTH = 1000, TICKS = 7 };
    struct scheme_settings settings = settings_of("rate:ticks=7");
    struct random_stream stream = random_stream_of(1, RANDOM_ENCODING, 0);
    double x[LENGTH];
    for (int i = 0; i < LENGTH; i++)
        x[i] = 0.4 + 0.2 * (i % 2);
    size_t count, at = 0;
    struct timed_spike *spikes = encoded(&settings, x, LENGTH, 9, &count);
    for (uint32_t draw = 0; draw < LENGTH * TICKS; draw++) {
        uint32_t words[4];
        random_words(&stream, UINT64_C(9) << 32, draw / 4, words);
        if (random_uniform(words[draw % 4]) < x[draw / TICKS])
            assert_int_equal(spikes[at++].tick, draw);
    }
    assert_int_equal(at, count);
    free(spikes);
    assert_true(scheme_counter(9, UINT64_C(5) << 32 | 3) == (UINT64_C(9) << 32 | 5));
}

/* Seed, owner and start each change what is drawn. */
static void test_chance_has_its_keys(void **state)
{
    (void)state;
    static const char *const texts[] = {"rate", "intervals"};
    static const double x[] = {0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5};
    for (int i = 0; i < 2; i++) {
        struct scheme_settings settings = settings_of(texts[i]);
        size_t count, other_count;
        struct timed_spike *spikes = encoded(&settings, x, 8, 0, &count);
        for (int key = 0; key < 4; key++) {
            struct scheme_settings other = settings;
            other.seed += key == 0 ? 1 : key == 1 ? UINT64_C(1) << 32 : 0;
            other.owner += key == 2;
            struct timed_spike *drawn = encoded(&other, x, 8, key == 3, &other_count);
            assert_false(count == other_count &&
                         memcmp(spikes, drawn, count * sizeof *spikes) == 0);
            free(drawn);
        }
        free(spikes);
    }
}

/* How probable it is that counts [values] of `ticks` trials of probability p each are so far from a
 * binomial distribution: Pearson's chi-square, rare counts put together. */
static double binomial_fit(const double *counts, size_t values, uint32_t ticks, double p)
{
    double *seen = calloc(ticks + 1, sizeof *seen), chi = 0, expected = 0, observed = 0;
    int groups = 0;
    for (size_t i = 0; i < values; i++)
        seen[(size_t)counts[i]]++;
    double rest = (double)values;
    for (uint32_t k = 0; k <= ticks; k++) {
        double here = (double)values * gsl_ran_binomial_pdf(k, p, ticks);
        expected += here;
        observed += seen[k];
        rest -= here;
        if ((expected >= 10 && rest >= 10) || k == ticks) {
            chi += (observed - expected) * (observed - expected) / expected;
            expected = observed = 0;
            groups++;
        }
    }
    free(seen);
    return gsl_cdf_chisq_Q(chi, groups - 1);
}

/* Counts of 20,000 values: of Bernoulli trials, binomial; of a Poisson process of which a tick
 * shows whether anything came, binomial with 1 - e^-rate. */
static void test_counts_follow_their_distribution(void **state)
{
    (void)state;
    enum { VALUES = 20000, TICKS = 25 };
    static const double xs[] = {0.02, 0.3, 0.5, 0.9};
    double *x = malloc(VALUES * sizeof *x), *counts = malloc(VALUES * sizeof *counts);
    for (int i = 0; i < 4; i++)
        for (int poisson = 0; poisson < 2; poisson++) {
            struct scheme_settings settings =
                settings_of(poisson ? "intervals:ticks=25,gain=2" : "rate:ticks=25");
            for (int v = 0; v < VALUES; v++)
                x[v] = xs[i];
            size_t count;
            struct timed_spike *spikes = encoded(&settings, x, VALUES, 0, &count);
            scheme_count(spikes, count, TICKS, VALUES, counts);
            double p = poisson ? 1 - exp(-2 * xs[i]) : xs[i];
            assert_true(binomial_fit(counts, VALUES, TICKS, p) > 1e-3);
            /* the test tells: a probability that is off by a twelfth is not believed */
            assert_true(binomial_fit(counts, VALUES, TICKS, p * 13 / 12) < 1e-3);
            free(spikes);
        }
    free(x), free(counts);
}

/* Gaps in a long Poisson train are geometric, and a gap says nothing of the next. */
static void test_intervals_are_exponential(void **state)
{
    (void)state;
    enum { TICKS = 1000000, LONGEST = 60 };
    struct scheme_settings settings = settings_of("intervals:ticks=1000000,gain=0.1");
    double x = 1, p = 1 - exp(-0.1), chi = 0, left = 1, product = 0, mean = 1 / p;
    size_t count;
    struct timed_spike *spikes = encoded(&settings, &x, 1, 0, &count);
    double seen[LONGEST] = {0}; /* the last: all longer ones */
    int64_t before = 0;
    for (size_t i = 1; i < count; i++) {
        int64_t gap = spikes[i].tick - spikes[i - 1].tick;
        seen[gap < LONGEST ? gap - 1 : LONGEST - 1]++;
        if (i > 1)
            product += ((double)gap - mean) * ((double)before - mean);
        before = gap;
    }
    double gaps = (double)(count - 1), variance = (1 - p) / (p * p);
    for (int k = 0; k < LONGEST; k++) {
        double expected = gaps * (k < LONGEST - 1 ? left * p : left);
        left *= 1 - p;
        chi += (seen[k] - expected) * (seen[k] - expected) / expected;
    }
    assert_true(gsl_cdf_chisq_Q(chi, LONGEST - 1) > 1e-3);
    assert_true(fabs(product / gaps / variance) < 4 / sqrt(gaps));
    free(spikes);
}

static void test_rates_come_back(void **state)
{
    (void)state;
    /* 3 of 8 ticks: of a rate the share, less the offset; of a Poisson process -ln(5/8) */
    static const struct timed_spike spikes[] = {{0, 0, 1}, {5, 0, 1}, {7, 0, 1}, {16, 0, 1},
                                                {17, 0, 1}, {18, 0, 1}, {19, 0, 1}, {20, 0, 1},
                                                {21, 0, 1}, {22, 0, 1}, {23, 0, 1}};
    double x[3];
    struct scheme_settings settings = settings_of("rate:ticks=8,gain=0.5,offset=0.125");
    settings.scheme->decode(&settings, spikes, 11, 3, x);
    assert_true(x[0] == 0.5 && x[1] == -0.25 && x[2] == 1.75);
    settings = settings_of("intervals:ticks=8,gain=2");
    settings.scheme->decode(&settings, spikes, 11, 3, x);
    assert_true(fabs(x[0] - 0.2350018146228678) < 1e-15 && x[1] == 0 && x[2] == 1);
    settings = settings_of("regular:ticks=8");
    settings.scheme->decode(&settings, spikes, 11, 3, x);
    assert_true(x[0] == 0.375 && x[1] == 0 && x[2] == 1);
    /* where there are many ticks, all three come near */
    static const double value[] = {0.25};
    decoded_expect("rate:ticks=1000000", value, 1, value, 5 * sqrt(0.25 * 0.75 / 1e6));
    decoded_expect("intervals:ticks=1000000", value, 1, value, 5 * sqrt(0.2840254167 / 1e6));
    decoded_expect("regular:ticks=1000000", value, 1, value, 0);
}

static void test_regular(void **state)
{
    (void)state;
    /* phases after each tick: 0.75 1 1.25 1.5; 1 1.5 2 2.5; every; 0.6 … 0.9; 1.1 1.7 2.3 2.9 */
    static const double x[] = {0.25, 0.5, 1, 0.1, 0.6, 0, -3, 7};
    static const int64_t ticks[] = {1, 4, 6, 8, 9, 10, 11, 16, 18, 28, 29, 30, 31};
    ticks_expect("regular:ticks=4", x, 8, ticks, 13);
    static const double back[] = {0.25, 0.5, 1, 0, 0.5, 0, 0, 1};
    decoded_expect("regular:ticks=4", x, 8, back, 0);
    /* ten tenths are one, though 0.1 added ten times in double falls short */
    static const double tenth = 0.1;
    static const int64_t tenths[] = {9, 19};
    ticks_expect("regular:ticks=20,phase=0", &tenth, 1, tenths, 2);
    ticks_expect("regular:ticks=20,phase=1", &tenth, 1, tenths, 2); /* a whole number is none */
}

/* ---- times ---- */

static void test_latency(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double x;
        int64_t tick; /* -1: none */
        double back;
    } cases[] = {
        {"latency:ticks=11", 1, 0, 1},        {"latency:ticks=11", 0, -1, 0},
        {"latency:ticks=11", -0.5, -1, 0},    {"latency:ticks=11", 2, 0, 1},
        {"latency:ticks=11", 0.5, 5, 0.5},    {"latency:ticks=11", 0.2, 8, 0.2},
        {"latency:ticks=11", 1e-9, 10, 0},    {"latency:ticks=11,gain=2", 0.5, 0, 0.5},
        {"latency:ticks=11,gain=2", 0.25, 5, 0.25}, {"latency:ticks=3", 0.75, 1, 0.5},
        {"latency:ticks=3", 0.76, 0, 1},      {"latency:ticks=1", 0.5, 0, 1},
        {"latency:ticks=3", 0.25, 2, 0},      {"latency:ticks=3", 0.26, 1, 0.5},
        {"latency:ticks=1,gain=4", 0.1, 0, 0.25}, {"latency:ticks=1", 0, -1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ticks_expect(cases[i].text, &cases[i].x, 1, &cases[i].tick, cases[i].tick >= 0);
        decoded_expect(cases[i].text, &cases[i].x, 1, &cases[i].back, 1e-15);
    }
    static const double x[] = {0, 0.5, -1, 1};
    static const int64_t ticks[] = {16, 33}; /* value by value */
    ticks_expect("latency:ticks=11", x, 4, ticks, 2);
}

/* Numbers by Python's math.exp and math.log. */
static void test_log_latency(void **state)
{
    (void)state;
    static const double x[] = {1, 0.75, 0.5, 0.1, 0.01, 1e-3, 1e-5, 1e-7, 0, -1, 3};
    static const int64_t late[] = {0, 0, 1, 2, 5, 7, 11, 15, 15, 15, 0};
    static const double back[] = {1, 1, 0.36787924780423736, 0.13533501873358847,
                                  0.0067376431578256421, 0.00091157634208733273,
                                  1.6395803485258167e-05, 0, 0, 0, 1};
    int64_t ticks[11];
    for (int i = 0; i < 11; i++)
        ticks[i] = 16 * i + late[i];
    ticks_expect("log-latency:ticks=16", x, 11, ticks, 11);
    decoded_expect("log-latency:ticks=16", x, 11, back, 1e-15);
    static const double few[] = {1, 0.8, 0.5, 0.2, 0.1, 0.05, 0.01, 0.001, 0};
    static const int64_t few_ticks[] = {0, 5, 11, 17, 22, 28, 34, 39, 44};
    ticks_expect("log-latency:ticks=5", few, 9, few_ticks, 9);
}

/* By hand: windows of four, equal values, values that do not fire, a window that is cut short. */
static void test_rank_order(void **state)
{
    (void)state;
    static const double x[] = {0.2, 0.9, 0.2, 0.5, 0, -1, 0.1, 0.3, 0.7, 0.8};
    static const struct timed_spike expected[] = {{0, 1, 1}, {1, 3, 1}, {2, 0, 1}, {3, 2, 1},
                                                  {4, 3, 1}, {5, 2, 1}, {8, 1, 1}, {9, 0, 1}};
    static const double back[] = {0.25, 1, 0.125, 0.5, 0, 0, 0.5, 1, 0.5, 1};
    struct scheme_settings settings = settings_of("rank-order:neurons=4,modulation=0.5");
    size_t count;
    struct timed_spike *spikes = encoded(&settings, x, 10, 0, &count);
    assert_int_equal(count, 8);
    assert_memory_equal(spikes, expected, sizeof expected);
    free(spikes);
    decoded_expect("rank-order:neurons=4,modulation=0.5", x, 10, back, 0);
}

/* Only the order counts: anything that keeps it changes no spike. */
static void test_rank_order_says_order_alone(void **state)
{
    (void)state;
    enum { LENGTH = 257 };
    struct scheme_settings settings = settings_of("rank-order:neurons=100");
    double x[LENGTH], cubes[LENGTH];
    signal_fill(7, x, LENGTH);
    for (int i = 0; i < LENGTH; i++)
        cubes[i] = 40 * x[i] * x[i] * x[i];
    size_t count, cubes_count;
    struct timed_spike *spikes = encoded(&settings, x, LENGTH, 0, &count);
    struct timed_spike *others = encoded(&settings, cubes, LENGTH, 0, &cubes_count);
    assert_true(count == LENGTH && cubes_count == LENGTH);
    assert_memory_equal(spikes, others, count * sizeof *spikes);
    for (size_t i = 1; i < count; i++)
        if (i % 100 != 0)
            assert_true(x[i / 100 * 100 + spikes[i - 1].neuron] >
                        x[i / 100 * 100 + spikes[i].neuron]);
    free(spikes), free(others);
}

/* ---- currents ---- */

static void test_constant(void **state)
{
    (void)state;
    struct scheme_settings settings = settings_of("constant");
    double values[3] = {-0.3, 0, 1e9}, x[3], currents[3];
    scheme_scale(&settings, values, 3, x);
    settings.scheme->currents(&settings, x, 3, currents);
    assert_memory_equal(currents, values, sizeof values); /* the value itself */
    settings = settings_of("constant:gain=0.5");
    settings.scheme->currents(&settings, x, 3, x); /* in place */
    assert_true(x[0] == -0.15 && x[1] == 0 && x[2] == 5e8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_text_refused),
        cmocka_unit_test(test_settings_that_mean_nothing),
        cmocka_unit_test(test_scale),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_promises),
        cmocka_unit_test(test_promises_at_the_ends),
        cmocka_unit_test(test_huge_values),
        cmocka_unit_test(test_a_long_signal),
        cmocka_unit_test(test_chance_is_that_of_the_definition),
        cmocka_unit_test(test_rate_draws_by_counter),
        cmocka_unit_test(test_chance_has_its_keys),
        cmocka_unit_test(test_counts_follow_their_distribution),
        cmocka_unit_test(test_intervals_are_exponential),
        cmocka_unit_test(test_rates_come_back),
        cmocka_unit_test(test_regular),
        cmocka_unit_test(test_latency),
        cmocka_unit_test(test_log_latency),
        cmocka_unit_test(test_rank_order),
        cmocka_unit_test(test_rank_order_says_order_alone),
        cmocka_unit_test(test_constant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
