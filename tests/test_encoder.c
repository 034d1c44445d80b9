/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Encoders against their equations: the rate's by binomial errors, the others' by hand. */
#include "encoding/encoder.h"
#include "scheduler/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct encoding encoding_of(const char *name, uint32_t ticks, double gain)
{
    struct error error = {0};
    struct encoding encoding = {.encoder = encoder_find(name, &error), .ticks = ticks,
                                .gain = gain, .lowest = 0, .highest = 1, .seed = 7, .owner = 3};
    assert_non_null(encoding.encoder);
    assert_true(encoding_check(&encoding, &error));
    return encoding;
}

static void test_table(void **state)
{
    (void)state;
    size_t length;
    struct error error = {0};
    const struct encoder *const *table = encoder_table(&length);
    for (size_t i = 0; i < length; i++) {
        assert_ptr_equal(encoder_find(table[i]->name, &error), table[i]);
        assert_true((table[i]->spikes != NULL) != (table[i]->currents != NULL));
        assert_true(strlen(table[i]->summary) > 0);
    }
    assert_null(encoder_find("nothing", &error));
    assert_string_equal(error.text, "unknown encoder 'nothing'; known are rate, latency, constant");
}

static void test_options_that_mean_nothing(void **state)
{
    (void)state;
    static const struct {
        uint32_t ticks;
        double gain, lowest, highest;
        const char *expected;
    } cases[] = {
        {0, 1, 0, 1, "at least 1 tick"},
        {1, -1, 0, 1, "gain is -1"},
        {1, NAN, 0, 1, "gain is nan"},
        {1, INFINITY, 0, 1, "gain is inf"},
        {1, 1, 1, 1, "range of values 1 to 1"},
        {1, 1, 2, 1, "range of values 2 to 1"},
        {1, 1, 0, INFINITY, "range of values 0 to inf"},
        {1, 1, NAN, 1, "range of values nan to 1"},
        {1, 1, -1e308, 1e308, "range of values"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {0};
        struct encoding encoding = {.encoder = encoder_find("rate", NULL),
                                    .ticks = cases[i].ticks, .gain = cases[i].gain,
                                    .lowest = cases[i].lowest, .highest = cases[i].highest};
        assert_false(encoding_check(&encoding, &error));
        assert_int_equal(error.code, ERROR_MISUSED);
        assert_non_null(strstr(error.text, cases[i].expected));
    }
}

static void test_scale(void **state)
{
    (void)state;
    struct encoding encoding = encoding_of("constant", 1, 1);
    double values[3] = {0, 51, 255}, x[3];
    encoding.highest = 255;
    encoding_scale(&encoding, values, 3, x);
    assert_true(x[0] == 0 && x[1] == 0.2 && x[2] == 1);
    encoding.lowest = -51;
    encoding.highest = 51;
    encoding_scale(&encoding, values, 3, values); /* in place */
    assert_true(values[0] == 0.5 && values[1] == 1 && values[2] == 3);
}

/* Counts of Bernoulli trials lie within five standard deviations of their mean; never and always
 * are exact. Two ticks, and two samples, are independent: so is how often both fire. */
static void test_rate(void **state)
{
    (void)state;
    enum { NEURONS = 1003, TICKS = 2000 };
    struct encoding encoding = encoding_of("rate", TICKS, 0.5);
    double *x = calloc(NEURONS, sizeof *x);
    uint32_t *counts = calloc(NEURONS, sizeof *counts), *both = calloc(NEURONS, sizeof *both);
    uint32_t *samples = calloc(NEURONS, sizeof *samples);
    uint8_t *before = calloc(NEURONS, 1), *now = calloc(NEURONS, 1);
    struct spike *spikes = calloc(NEURONS, sizeof *spikes);
    for (int i = 0; i < NEURONS; i++)
        x[i] = i == 0 ? -1 : 2.5 * i / (NEURONS - 1); /* beyond 2, g x is more than 1 */
    for (uint32_t tick = 0; tick < TICKS; tick++) {
        uint32_t length = encoding.encoder->spikes(&encoding, x, NEURONS, 5, tick, spikes);
        memset(now, 0, NEURONS);
        for (uint32_t s = 0; s < length; s++) {
            assert_true(s == 0 || spikes[s - 1].neuron < spikes[s].neuron);
            assert_int_equal(spikes[s].payload, 1);
            now[spikes[s].neuron] = 1;
        }
        for (int i = 0; i < NEURONS; i++) {
            counts[i] += now[i];
            both[i] += now[i] && before[i];
        }
        memcpy(before, now, NEURONS);
        length = encoding.encoder->spikes(&encoding, x, NEURONS, 6, tick, spikes);
        for (uint32_t s = 0; s < length; s++)
            samples[spikes[s].neuron] += now[spikes[s].neuron];
    }
    double pairs = 0, pairs_expected = 0, pairs_variance = 0, across = 0;
    for (int i = 0; i < NEURONS; i++) {
        double p = fmin(1, fmax(0, 0.5 * x[i])), q = p * p;
        assert_true(fabs(counts[i] - p * TICKS) <= 5 * sqrt(p * (1 - p) * TICKS));
        pairs += both[i];
        across += samples[i];
        pairs_expected += q * TICKS;
        pairs_variance += q * (1 - q) * TICKS;
    }
    /* consecutive ticks share trials: at most three times the variance, and one pair fewer */
    assert_true(fabs(pairs - pairs_expected) <= 5 * sqrt(3 * pairs_variance) + NEURONS);
    assert_true(fabs(across - pairs_expected) <= 5 * sqrt(pairs_variance));
    free(x), free(counts), free(both), free(samples), free(before), free(now), free(spikes);
}

/* The words are those that rate.c says, so that what was encoded can be drawn again elsewhere. */
static void test_rate_draws_by_counter(void **state)
{
    (void)state;
    enum { NEURONS = 777 };
    struct encoding encoding = encoding_of("rate", 10, 1);
    double x[NEURONS];
    struct spike spikes[NEURONS];
    for (int i = 0; i < NEURONS; i++)
        x[i] = 0.4;
    struct random_stream stream = random_stream_of(7, RANDOM_ENCODING, 3);
    uint32_t length = encoding.encoder->spikes(&encoding, x, NEURONS, 9, 4, spikes), at = 0;
    for (uint32_t i = 0; i < NEURONS; i++) {
        uint32_t words[4];
        random_words(&stream, (UINT64_C(9) << 32) + 4, i / 4, words);
        if (random_uniform(words[i % 4]) < 0.4)
            assert_int_equal(spikes[at++].neuron, i);
    }
    assert_int_equal(at, length);
    encoding.seed++;
    struct spike other[NEURONS];
    assert_false(encoding.encoder->spikes(&encoding, x, NEURONS, 9, 4, other) == length &&
                 memcmp(other, spikes, length * sizeof *spikes) == 0);
}

static void test_latency(void **state)
{
    (void)state;
    static const struct {
        double x, gain;
        uint32_t ticks;
        int64_t tick; /* -1: none */
    } cases[] = {
        {1, 1, 11, 0},   {0, 1, 11, -1},    {-0.5, 1, 11, -1}, {2, 1, 11, 0},
        {0.5, 1, 11, 5}, {0.2, 1, 11, 8},   {1e-9, 1, 11, 10}, {0.5, 2, 11, 0},
        {0.25, 2, 11, 5}, {0.75, 1, 3, 1},  {0.76, 1, 3, 0},   {0.5, 1, 1, 0},
        {0.5, 0, 11, -1}, {0.25, 1, 3, 2},  {0.26, 1, 3, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct encoding encoding = encoding_of("latency", cases[i].ticks, cases[i].gain);
        for (uint32_t tick = 0; tick < cases[i].ticks; tick++) {
            struct spike spike;
            double x[2] = {0, cases[i].x};
            uint32_t fired = encoding.encoder->spikes(&encoding, x, 2, 0, tick, &spike);
            assert_int_equal(fired, tick == cases[i].tick);
            if (fired)
                assert_true(spike.neuron == 1 && spike.payload == 1);
        }
    }
}

static void test_constant(void **state)
{
    (void)state;
    struct encoding encoding = encoding_of("constant", 5, 1);
    double values[3] = {-0.3, 0, 1e9}, x[3], currents[3];
    encoding_scale(&encoding, values, 3, x);
    encoding.encoder->currents(&encoding, x, 3, 4, currents);
    assert_memory_equal(currents, values, sizeof values); /* the value itself */
    encoding.gain = 0.5;
    encoding.encoder->currents(&encoding, x, 3, 4, currents);
    assert_true(currents[0] == -0.15 && currents[1] == 0 && currents[2] == 5e8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_options_that_mean_nothing),
        cmocka_unit_test(test_scale),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_rate_draws_by_counter),
        cmocka_unit_test(test_latency),
        cmocka_unit_test(test_constant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
