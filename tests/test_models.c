/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The synops of queries, counted again from nothing but the definitions: which
 * keys lie in the window, which of their codes are not zero, how often each
 * query channel spiked. And the synops of a dense projection, weight by weight.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "neurons/delivery/dense_integer.h"
#include "neurons/delivery/one_to_one.h"
#include "neurons/models/models.h"
#include "traces/tally.h"

enum { HEADS = 4, KEY_HEADS = 2, SIZE = 6, NEURONS = HEADS * SIZE, WIDTH = KEY_HEADS * SIZE };
enum { POSITIONS = 23, WINDOW = 5, VOCABULARY = 16, OUTPUTS = 9 };

static double pseudo_random(uint32_t i)
{
    uint64_t x = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 31)) * UINT64_C(0xBF58476D1CE4E5B9);
    return (double)((x ^ (x >> 29)) >> 11) * 0x1p-52 - 1;
}

/* Row `token` of the table: queries, keys and values side by side, many of them near zero. */
static double input(uint32_t token, uint32_t channel)
{
    double x = pseudo_random(token * 100 + channel);
    return (double)(float)(x * x * x);
}

/* A matrix that picks `width` channels from `first` on. */
static struct dense_float *picker(uint32_t width, uint32_t first, uint32_t inputs,
                                  struct error *error)
{
    float *weights = calloc((size_t)width * inputs, sizeof *weights);
    assert_non_null(weights);
    for (uint32_t i = 0; i < width; i++)
        weights[(size_t)i * inputs + first + i] = 1;
    return dense_float_new(width, inputs, FLOAT_SINGLE, weights, true, error);
}

static void join(struct network *network, struct population *source, struct population *target,
                 uint32_t port, uint32_t first, struct error *error)
{
    uint32_t width = target->ports[port].width;
    assert_non_null(network_add_projection(network, "pick", &projection_dense_float,
                                           picker(width, first, source->neurons, error), source,
                                           CARRIES_VALUES, target, port, 1, error));
}

struct seen {
    int32_t query[POSITIONS][NEURONS];
    struct frame frame[POSITIONS];
    int32_t output[POSITIONS][NEURONS];
    struct frame output_frame[POSITIONS];
};

static bool look(void *self, const struct firing *firing, struct error *error)
{
    (void)error;
    struct seen *seen = self;
    const struct train *train = firing->train;
    bool query = strcmp(firing->population->name, "query") == 0;
    for (uint32_t lane = 0; lane < train->lanes; lane++) {
        int64_t position = firing->wave->position + lane;
        memcpy(query ? seen->query[position] : seen->output[position],
               train->count + (size_t)lane * NEURONS, NEURONS * sizeof *train->count);
        *(query ? &seen->frame[position] : &seen->output_frame[position]) = train->frame[lane];
    }
    return true;
}

/* The 8-bit code of key `head`, channel `i` of a position, from the definitions. */
static long key_code(uint32_t position, uint32_t head, uint32_t i)
{
    double rotated[SIZE], largest = 0;
    for (uint32_t c = 0; c < SIZE / 2; c++) {
        double angle = position * pow(10000, -2.0 * c / SIZE);
        double a = input(position % VOCABULARY, NEURONS + head * SIZE + c);
        double b = input(position % VOCABULARY, NEURONS + head * SIZE + c + SIZE / 2);
        rotated[c] = a * cos(angle) - b * sin(angle);
        rotated[c + SIZE / 2] = b * cos(angle) + a * sin(angle);
    }
    for (uint32_t c = 0; c < SIZE; c++)
        largest = fabs(rotated[c]) > largest ? fabs(rotated[c]) : largest;
    return lrint(rotated[i] / fmax(largest / 127, 1e-5));
}

static uint64_t expected_query_synops(const struct seen *seen, const struct coding *coding)
{
    uint64_t synops = 0;
    for (uint32_t p = 0; p < POSITIONS; p++)
        for (uint32_t n = 0; n < NEURONS; n++) {
            uint32_t keys = 0, head = n / SIZE / (HEADS / KEY_HEADS);
            for (uint32_t t = p + 1 < WINDOW ? 0 : p + 1 - WINDOW; t <= p; t++)
                keys += key_code(t, head, n % SIZE) != 0;
            uint32_t spikes = 0;
            for (uint32_t tick = 0; tick < seen->frame[p].ticks; tick++)
                spikes += coding->payload(seen->query[p][n], seen->frame[p], tick) != 0;
            synops += (uint64_t)spikes * keys;
        }
    return synops;
}

static long output_code(uint32_t output, uint32_t neuron)
{
    return lrint(3 * pseudo_random(5000 + output * 50 + neuron)); /* a third are zero */
}

static uint64_t expected_output_synops(const struct seen *seen, const struct coding *coding)
{
    uint64_t synops = 0;
    for (uint32_t p = 0; p < POSITIONS; p++)
        for (uint32_t n = 0; n < NEURONS; n++)
            for (uint32_t tick = 0; tick < seen->output_frame[p].ticks; tick++)
                if (coding->payload(seen->output[p][n], seen->output_frame[p], tick) != 0)
                    for (uint32_t o = 0; o < OUTPUTS; o++)
                        synops += output_code(o, n) != 0;
    return synops;
}

static struct dense_integer *output_weights(struct error *error)
{
    struct dense_integer *dense = dense_integer_new(OUTPUTS, NEURONS, 7, error);
    float rows[OUTPUTS][NEURONS], scales[OUTPUTS][4];
    for (uint32_t o = 0; o < OUTPUTS; o++) {
        for (uint32_t n = 0; n < NEURONS; n++)
            rows[o][n] = 0.5f * (float)output_code(o, n);
        for (uint32_t g = 0; g < 4; g++)
            scales[o][g] = 0.5f;
    }
    assert_true(dense_integer_fill(dense, 0, OUTPUTS, rows[0], scales[0], "output", error));
    assert_true(dense_integer_settle(dense, NULL, error));
    return dense;
}

static struct dense_float *table(struct error *error)
{
    const uint32_t channels = NEURONS + 2 * WIDTH;
    float *rows = malloc((size_t)VOCABULARY * channels * sizeof *rows);
    assert_non_null(rows);
    for (uint32_t t = 0; t < VOCABULARY; t++)
        for (uint32_t c = 0; c < channels; c++)
            rows[t * channels + c] = (float)input(t, c);
    return dense_float_new(VOCABULARY, channels, FLOAT_SINGLE, rows, true, error);
}

static void check_synops(const char *coding_name, uint32_t lanes, bool expand)
{
    struct error error = {0};
    struct firing_rule rule = {.coding = coding_find(coding_name, &error), .k = 3};
    struct heads heads = {HEADS, KEY_HEADS, SIZE};
    struct workers *workers = workers_new(2, &error);
    struct network *network = network_new("window", lanes);
    network->expand = expand;
    struct population *source = embedding_new(network, "source", table(&error), &error);
    struct population *query = rotary_query_new(network, "query", 0, heads, 10000, rule, &error);
    struct population *attention = window_attention_new(network, "attention", 0, heads, 10000,
                                                        WINDOW, query, rule, &error);
    struct population *readout = readout_new(network, "readout", OUTPUTS, &error);
    assert_non_null(readout);
    join(network, source, query, 0, 0, &error);
    struct projection *wire = network_add_projection(network, "query", &projection_one_to_one, NULL,
                                                     query, CARRIES_SPIKES, attention, 0, 1, &error);
    window_attention_count_for(attention, wire);
    join(network, source, attention, 1, NEURONS, &error);
    join(network, source, attention, 2, NEURONS + WIDTH, &error);
    struct projection *dense = network_add_projection(network, "output", &projection_dense_integer,
                                                      output_weights(&error), attention,
                                                      CARRIES_SPIKES, readout, 0, 1, &error);
    dense_integer_describe(dense);
    network->workers = workers;
    assert_true(network_seal(network, &error));
    static struct seen seen;
    struct tally *tally = tally_new(network, &error);
    assert_true(network_observe(network, tally_observer(tally), &error));
    assert_true(network_observe(network, (struct observer){&seen, look, NULL}, &error));
    for (uint32_t done = 0; done < POSITIONS;) {
        uint32_t tokens[POSITIONS], length = POSITIONS - done < lanes ? POSITIONS - done : lanes;
        for (uint32_t i = 0; i < length; i++)
            tokens[i] = (done + i) % VOCABULARY;
        assert_true(embedding_feed(source, tokens, length, &error));
        struct wave wave = {done, length, 0};
        if (!network_wave(network, source, wave, NULL, &error))
            fail_msg("%s", error.text);
        done += length;
    }
    uint64_t keys = expected_query_synops(&seen, rule.coding);
    assert_true(keys > 0);
    assert_int_equal(tally_synops(tally, wire->id), keys);
    assert_int_equal(tally_synops(tally, dense->id), expected_output_synops(&seen, rule.coding));
    tally_free(tally);
    network_free(network);
    workers_free(workers);
}

static void test_synops(void **state)
{
    (void)state;
    size_t codings;
    const struct coding *const *coding = coding_table(&codings);
    for (size_t c = 0; c < codings; c++) {
        check_synops(coding[c]->name, 1, false);
        check_synops(coding[c]->name, 4, false);
        check_synops(coding[c]->name, 9, true);
    }
}

/* ---- counts beyond 16 bits, and sums beyond 32 ---- */

enum { WIDE = 100, GROUP = 30, GROUPS = (WIDE + GROUP - 1) / GROUP };
static struct workers *alone; /* a team of one, for the whole group of tests */
static const double wide_k = 1000; /* a vector with one value has a count of k times its length */

static float wide_code(uint32_t input, float largest)
{
    return input == 0 ? largest : (float)(input % 7) - 3;
}

/* One row, one token: its first channel is `first`, the second tiny, all others 0. Returns what the
 * projection brought, or NAN with `error` filled. */
static double deliver_wide(float first, float largest_code, bool expand, const char *coding,
                           struct train **train, struct network **network_out,
                           struct error *error)
{
    float *row = calloc(WIDE, sizeof *row), weights[WIDE], scales[GROUPS];
    assert_non_null(row);
    row[0] = first;
    row[1] = -1e-4f;
    for (uint32_t i = 0; i < WIDE; i++)
        weights[i] = 0.25f * wide_code(i, largest_code);
    for (uint32_t g = 0; g < GROUPS; g++)
        scales[g] = 0.25f;
    double gain[WIDE];
    for (uint32_t i = 0; i < WIDE; i++)
        gain[i] = 1;
    struct firing_rule rule = {.coding = coding_find(coding, error), .k = wide_k};
    struct network *network = network_new("wide", 1);
    network->expand = expand;
    network->workers = alone;
    struct population *source = embedding_new(
        network, "source", dense_float_new(1, WIDE, FLOAT_SINGLE, row, true, error), error);
    struct population *norm = rms_norm_new(network, "norm", 0, WIDE, gain, 1e-6, rule, error);
    struct population *readout = readout_new(network, "readout", 1, error);
    struct dense_integer *dense = dense_integer_new(1, WIDE, GROUP, error);
    assert_true(dense_integer_fill(dense, 0, 1, weights, scales, "wide", error));
    assert_true(dense_integer_settle(dense, NULL, error));
    assert_int_equal(dense->code_limit, (int32_t)largest_code);
    assert_non_null(network_add_projection(network, "in", &projection_one_to_one, NULL, source,
                                           CARRIES_VALUES, norm, 0, 1, error));
    assert_non_null(network_add_projection(network, "wide", &projection_dense_integer, dense, norm,
                                           CARRIES_SPIKES, readout, 0, 1, error));
    assert_true(network_seal(network, error));
    const uint32_t token = 0;
    assert_true(embedding_feed(source, &token, 1, error));
    bool done = network_wave(network, source, (struct wave){0, 1, 0}, NULL, error);
    *train = norm->train;
    *network_out = network;
    return done ? readout->values[0] : NAN;
}

static void test_wide_counts(void **state)
{
    (void)state;
    static const char *const codings[] = {"bitwise", "unsigned", "twos-complement"};
    for (size_t c = 0; c < 3; c++)
        for (int way = 0; way < 4; way++) {
            /* A negative first channel shifts all others by its count in a coding with a zero
             * point: sums on their way may then wrap, the finished one may not. */
            bool expand = way % 2 != 0, negative = way >= 2;
            struct error error = {0};
            struct train *train;
            struct network *network;
            double value = deliver_wide(negative ? -1 : 1, 300, expand, codings[c], &train,
                                        &network, &error);
            if (isnan(value))
                fail_msg("%s", error.text);
            assert_true(abs(train->count[0]) > 90000 && !train->fits);
            double sum = 0;
            for (uint32_t g = 0; g < GROUPS; g++) {
                int64_t exact = 0;
                for (uint32_t i = g * GROUP; i < WIDE && i < (g + 1) * GROUP; i++)
                    exact += (int64_t)train->count[i] * (int64_t)wide_code(i, 300);
                sum += 0.25 * (double)exact;
            }
            assert_true(value == train->threshold[0] * sum); /* quarters add exactly in any order */
            network_free(network);
        }
}

static void test_overflow_is_refused(void **state)
{
    (void)state;
    struct error error = {0};
    struct train *train;
    struct network *network;
    assert_true(isnan(deliver_wide(1, 32767, false, "bitwise", &train, &network, &error)));
    assert_int_equal(error.code, ERROR_FAILED);
    assert_non_null(strstr(error.text, "overflow 32 bits"));
    network_free(network);
}

static void test_unknown_token(void **state)
{
    (void)state;
    struct error error = {0};
    struct network *network = network_new("source", 2);
    struct population *source = embedding_new(network, "source", table(&error), &error);
    const uint32_t good[] = {0, VOCABULARY - 1}, bad[] = {0, VOCABULARY};
    assert_true(embedding_feed(source, good, 2, &error));
    assert_false(embedding_feed(source, bad, 2, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    network_free(network);
}

static int start_team(void **state)
{
    (void)state;
    alone = workers_new(1, NULL);
    return alone == NULL;
}

static int end_team(void **state)
{
    (void)state;
    workers_free(alone);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_synops),
        cmocka_unit_test(test_wide_counts),
        cmocka_unit_test(test_overflow_is_refused),
        cmocka_unit_test(test_unknown_token),
    };
    return cmocka_run_group_tests_name("models", tests, start_team, end_team);
}
