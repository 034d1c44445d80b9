/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Loads, from counters and from a file, against what the made network fires by definition. */
#include "tests/made_network.h"
#include "traces/energy/load.h"
#include "traces/numbers.h"
#include "traces/trace.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { POSITIONS = 9, NEURONS = 150 };

static const struct blueprint_placement wanted[] = {{1, 0, 100, 7}, {1, 100, 50, 2}, {2, 0, 64, 3}};
static char path[512];

/* A run of POSITIONS tokens, at `level`, in waves of 4; the load of its counters. */
static struct load *run_made(const char *coding, enum trace_level level)
{
    const struct run_facts facts = {.command = "volley run",
                                    .model = "made",
                                    .coding = coding,
                                    .k = 3,
                                    .sampled = true,
                                    .placements = wanted,
                                    .placement_count = 3};
    const struct trace_options options = {.level = level, .last = INT64_MAX};
    struct error error = {0};
    struct made *made = made_new(coding);
    made->populations[4].clocked = false; /* as in a language model */
    made->populations[4].spikes = NULL;
    struct tally *tally = tally_new(&made->network, NULL);
    unlink(path);
    struct trace *trace = trace_open(path, &options, &facts, &made->network, &error);
    if (tally == NULL || trace == NULL)
        fail_msg("%s", error.text);
    made->network.observers[0] = tally_observer(tally);
    made->network.observers[1] = trace_observer(trace);
    made->network.observer_count = 2;
    for (int64_t position = 0; position < POSITIONS; position += 4)
        assert_true(made_wave(made, position, position + 4 <= POSITIONS ? 4 : 1, false, NULL));
    assert_true(trace_close(trace, tally, "done", 1.5, &error));
    struct load *load = load_from_tally(tally, true, &error);
    assert_non_null(load);
    tally_free(tally);
    made_free(made);
    return load;
}

/* Spikes of a channel, tick by tick. */
static uint32_t spikes_of(const struct coding *coding, int32_t count, struct frame frame)
{
    uint32_t spikes = 0;
    for (uint32_t tick = 0; tick < frame.ticks; tick++)
        spikes += coding->payload(count, frame, tick) != 0;
    return spikes;
}

static struct frame counts_of(const struct load *load, uint32_t id, int64_t position,
                              int32_t counts[static NEURONS])
{
    for (uint32_t n = 0; n < load->populations[id].neurons; n++)
        counts[n] = made_count(id, n, position);
    return coding_frame(coding_find(load->populations[id].coding, NULL), counts,
                        load->populations[id].neurons);
}

static void check_neurons(const struct load *load)
{
    for (uint32_t id = 1; id <= 3; id++) {
        const struct load_population *population = &load->populations[id];
        uint64_t active[NEURONS] = {0}, spikes[NEURONS] = {0}, sum = 0;
        for (int64_t position = 0; position < POSITIONS; position++) {
            int32_t counts[NEURONS];
            struct frame frame = counts_of(load, id, position, counts);
            for (uint32_t n = 0; n < population->neurons; n++) {
                uint32_t own = spikes_of(coding_find(population->coding, NULL), counts[n], frame);
                active[n] += own > 0;
                spikes[n] += own;
                sum += own;
            }
        }
        assert_memory_equal(active, population->active, population->neurons * sizeof *active);
        assert_memory_equal(spikes, population->spikes, population->neurons * sizeof *spikes);
        assert_int_equal(population->spikes_total, sum);
        assert_int_equal(population->tally.spikes, sum);
        assert_int_equal(population->active_total,
                         population->tally.channels - population->tally.silent);
        assert_null(population->updates);
    }
}

static void check_shape(const struct load *load)
{
    assert_int_equal(load->population_count, MADE_POPULATIONS);
    assert_int_equal(load->projection_count, MADE_PROJECTIONS);
    assert_int_equal(load->positions, POSITIONS);
    assert_false(load->clocked);
    assert_string_equal(load_unit(load), "token");
    static const bool placed[] = {false, true, true, true, true};
    static const bool input[] = {true, false, false, false, false};
    for (uint32_t i = 0; i < MADE_POPULATIONS; i++) {
        assert_int_equal(load->populations[i].placed, placed[i]);
        assert_int_equal(load->populations[i].input, input[i]);
    }
    /* One for each that is placed, and attend's keys. */
    assert_int_equal(load->compartment_count, 5);
    static const uint32_t owner[] = {1, 2, 3, 3, 4};
    for (uint32_t c = 0; c < 5; c++) {
        assert_int_equal(load->compartments[c].population, owner[c]);
        assert_int_equal(load->compartments[c].width,
                         c == 3 ? MADE_KEYS : load->populations[owner[c]].neurons);
    }
    assert_string_equal(load->compartments[3].port, "keys");
    assert_int_equal(load->projections[0].compartment, UINT32_MAX);
    assert_int_equal(load->projections[1].compartment, 1);
    assert_int_equal(load->projections[2].compartment, 3);
    assert_int_equal(load->projections[3].compartment, 2);
    assert_int_equal(load->projections[1].parameters, 150 * 64);
    assert_false(load->projections[4].weighted);
}

static void both_ways_tell_the_same(void **state)
{
    (void)state;
    for (int level = TRACE_SUMMARY; level <= TRACE_SPIKE; level++) {
        struct load *counted = run_made("bitwise", (enum trace_level)level);
        struct error error = {0};
        struct load *read = load_from_file(path, 0, &error);
        if (read == NULL)
            fail_msg("%s", error.text);
        check_shape(counted);
        check_shape(read);
        check_neurons(counted);
        check_neurons(read);
        assert_int_equal(read->has_spikes, level == TRACE_SPIKE);
        assert_int_equal(read->ticks, counted->ticks);
        for (uint32_t p = 0; p < MADE_PROJECTIONS; p++)
            assert_int_equal(read->projections[p].synops, counted->projections[p].synops);
        /* Two ways of counting synops. */
        for (uint32_t p = 1; p <= 3; p++) {
            const struct load_projection *projection = &read->projections[p];
            uint64_t synops = 0;
            for (uint32_t n = 0; n < read->populations[projection->source].neurons; n++)
                synops += read->populations[projection->source].spikes[n] * projection->fan_out[n];
            assert_int_equal(projection->synops, synops);
        }
        assert_int_equal(read->placed_count, 3);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(read->placed[i].population, wanted[i].population);
            assert_int_equal(read->placed[i].first, wanted[i].first);
            assert_int_equal(read->placed[i].count, wanted[i].count);
            assert_int_equal(read->placed[i].core, wanted[i].core);
        }
        load_free(counted);
        load_free(read);
    }
}

/* What is expected next: a position's vectors, or its ticks. */
struct expectation {
    const struct load *load;
    bool whole;
    int64_t position, tick; /* of the volley before */
    uint32_t population;
    uint64_t volleys, spikes;
};

static bool expect_volley(void *self, const struct load_volley *volley, struct error *error)
{
    (void)error;
    struct expectation *expected = self;
    const struct load *load = expected->load;
    int32_t counts[NEURONS];
    struct frame frame = counts_of(load, volley->population, volley->position, counts);
    const struct coding *coding = coding_find(load->populations[volley->population].coding, NULL);
    assert_true(volley->tick > expected->tick ||
                (volley->tick == expected->tick && volley->population > expected->population));
    assert_true(volley->position >= expected->position);
    expected->tick = volley->tick;
    expected->position = volley->position;
    expected->population = volley->population;
    /* Where the vector begins: the made network's populations take turns. */
    int64_t start = 0;
    for (int64_t position = 0; position <= volley->position; position++)
        for (uint32_t id = 1; id <= 3; id++)
            if (position < volley->position || id < volley->population) {
                int32_t other[NEURONS];
                start += counts_of(load, id, position, other).ticks + 1;
            }
    uint32_t step = (uint32_t)(volley->tick - start - 1), at = 0;
    assert_true(expected->whole ? step == 0 : step < frame.ticks);
    for (uint32_t n = 0; n < load->populations[volley->population].neurons; n++) {
        int32_t payload = expected->whole ? counts[n] : coding->payload(counts[n], frame, step);
        if (payload == 0)
            continue;
        assert_true(at < volley->length);
        assert_int_equal(volley->neurons[at], n);
        assert_int_equal(volley->payload[at++], expected->whole ? payload : 1);
    }
    assert_int_equal(at, volley->length);
    expected->volleys++;
    expected->spikes += volley->length;
    return true;
}

static void volleys_by_definition(void **state)
{
    (void)state;
    load_free(run_made("bitwise", TRACE_SPIKE));
    struct error error = {0};
    struct load *load = load_from_file(path, 0, &error);
    assert_non_null(load);
    struct expectation steps = {.load = load, .tick = -1};
    if (!load_volleys(load, expect_volley, &steps, &error))
        fail_msg("%s", error.text);
    struct expectation whole = {.load = load, .tick = -1, .whole = true};
    assert_true(load_vectors(load, expect_volley, &whole, &error));
    uint64_t active = 0, spikes = 0;
    for (uint32_t id = 1; id <= 3; id++) {
        active += load->populations[id].active_total;
        spikes += load->populations[id].spikes_total;
    }
    assert_int_equal(whole.volleys, 3 * POSITIONS);
    assert_int_equal(whole.spikes, active);
    assert_int_equal(steps.spikes, spikes);
    load_free(load);
}

static void says_when_spikes_are_missing(void **state)
{
    (void)state;
    load_free(run_made("ternary", TRACE_VOLLEY));
    struct error error = {0};
    struct load *load = load_from_file(path, 0, &error);
    assert_non_null(load);
    struct expectation none = {0};
    assert_false(load_volleys(load, expect_volley, &none, &error));
    assert_non_null(strstr(error.text, "--trace-level spike"));
    load_free(load);
}

static void execute(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

static void refuses_damaged_tables(void **state)
{
    (void)state;
    static const char *const damages[][2] = {
        {"UPDATE population SET neurons = -1 WHERE id = 1", "population"},
        {"UPDATE population SET neurons = 151 WHERE id = 1", "population"},
        {"UPDATE population SET id = 9 WHERE id = 2", "population"},
        {"UPDATE population SET silent = channels + 1 WHERE id = 1", "population"},
        {"UPDATE neuron_activity SET active = x'80' WHERE population = 1", "population"},
        {"UPDATE neuron_activity SET active = active || x'01' WHERE population = 1", "population"},
        {"UPDATE neuron_activity SET spikes = zeroblob(149) WHERE population = 1", "population"},
        {"UPDATE neuron_activity SET spikes = x'ffffffffffffffffff7f' WHERE population = 1",
         "population"},
        {"UPDATE projection SET source = 5 WHERE id = 1", "projection"},
        {"UPDATE projection SET target = -1 WHERE id = 1", "projection"},
        {"UPDATE projection SET width = -5 WHERE id = 1", "projection"},
        {"UPDATE projection SET fan_out = x'01' WHERE id = 1", "projection"},
        {"UPDATE projection SET fan_out = CAST(replace(hex(zeroblob(150)), '00', "
         "x'ffffffff7f') AS BLOB) WHERE id = 1",
         "projection"},
        {"INSERT INTO reach (id, digest, sources, targets, grain, data) VALUES (1, 'x', 150, 63, "
         "1, "
         "x'00'); UPDATE projection SET reach = 1 WHERE id = 1",
         "projection"},
        {"INSERT INTO reach (id, digest, sources, targets, grain, data) VALUES (1, 'x', 150, 64, "
         "1, "
         "x'00'); UPDATE projection SET reach = 1 WHERE id = 1",
         "damaged"},
        {"UPDATE wanted_placement SET count = 101 WHERE first = 100", "wanted_placement"},
        {"UPDATE wanted_placement SET population = 77 WHERE first = 100", "wanted_placement"},
        {"UPDATE run SET ticks = -1", "run"},
        {"UPDATE run SET stride = 0", "run"},
        {"UPDATE run SET sampled = 2", "run"},
        {"UPDATE run SET tick_seconds = 'x'", "run"},
        {"DROP TABLE reach", "not a whole trace"},
    };
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        load_free(run_made("bitwise", TRACE_SUMMARY));
        execute(damages[i][0]);
        struct error error = {0};
        struct load *load = load_from_file(path, 0, &error);
        if (load != NULL || strstr(error.text, damages[i][1]) == NULL)
            fail_msg("%s: %s", damages[i][0], load != NULL ? "accepted" : error.text);
    }
}

static bool ignore_volley(void *self, const struct load_volley *volley, struct error *error)
{
    (void)self, (void)volley, (void)error;
    return true;
}

static void refuses_damaged_volleys(void **state)
{
    (void)state;
    static const char *const damages[] = {
        "UPDATE volley SET population = 5 WHERE id = 4",
        "UPDATE volley SET population = -1 WHERE id = 4",
        "UPDATE volley SET tick = -3 WHERE id = 4",
        "UPDATE volley SET data = x'01ff' WHERE id = 4",
        "UPDATE volley SET data = NULL WHERE id = 4",
        "UPDATE volley SET population = 2 WHERE population = 1",
        "UPDATE volley SET ticks = ticks + 1 WHERE id = 5",
    };
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        load_free(run_made("bitwise", TRACE_SPIKE));
        execute(damages[i]);
        struct error error = {0};
        struct load *load = load_from_file(path, 0, &error);
        assert_non_null(load);
        bool accepted = load_volleys(load, ignore_volley, NULL, &error);
        if (accepted || strstr(error.text, "damaged") == NULL)
            fail_msg("%s: %s", damages[i], accepted ? "accepted" : error.text);
        load_free(load);
    }
}

static void a_run_that_is_not_there(void **state)
{
    (void)state;
    load_free(run_made("bitwise", TRACE_SUMMARY));
    struct error error = {0};
    assert_null(load_from_file(path, 7, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    assert_non_null(strstr(error.text, "no run 7"));
    assert_null(load_from_file("/nonexistent/t.db", 0, &error));
}

static void numbers_round_trip(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0, 1, 127, 128, 300, UINT32_MAX, INT64_MAX, UINT64_MAX};
    unsigned char bytes[sizeof numbers / sizeof *numbers * NUMBER_BYTES];
    size_t length = 0;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        length += number_write(numbers[i], bytes + length);
    const unsigned char expected[] = {0, 1, 0x7f, 0x80, 1, 0xac, 2};
    assert_memory_equal(bytes, expected, sizeof expected);
    const unsigned char *at = bytes;
    uint64_t number;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        assert_true(number_read(&at, bytes + length, &number));
        assert_true(number == numbers[i]);
    }
    assert_false(number_read(&at, bytes + length, &number));
    const unsigned char cut[] = {0x80, 0x80}, large[] = {0xff, 0xff, 0xff, 0xff, 0xff,
                                                         0xff, 0xff, 0xff, 0xff, 2};
    at = cut;
    assert_false(number_read(&at, cut + sizeof cut, &number));
    at = large;
    assert_false(number_read(&at, large + sizeof large, &number));
}

static int take_path(void **state)
{
    (void)state;
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/volley_test_load_%ld.db", folder != NULL ? folder : "/tmp",
             (long)getpid());
    return 0;
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_tell_the_same),
        cmocka_unit_test(volleys_by_definition),
        cmocka_unit_test(says_when_spikes_are_missing),
        cmocka_unit_test(refuses_damaged_tables),
        cmocka_unit_test(refuses_damaged_volleys),
        cmocka_unit_test(a_run_that_is_not_there),
        cmocka_unit_test(numbers_round_trip),
    };
    return cmocka_run_group_tests(tests, take_path, remove_path);
}
