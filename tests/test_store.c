/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Estimates in the trace: what is written is what was estimated, an earlier estimate gives way to
 * the same one made again and to no other, and a file that cannot take them stays as it was.
 *
 * The estimates are made up, so that every figure expected here is worked out by hand.
 */
#include "traces/energy/store.h"

#include <math.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "traces/schema.h"

/* ---- a run of four samples, two populations, on two chips of 2 x 1 tiles of one core ---- */

static struct load_population populations[] = {
    {.name = "in", .layer = -1, .neurons = 3, .placed = true},
    {.name = "out \"of\", place", .layer = 4, .neurons = 2, .placed = true},
};
static struct load_compartment compartments[] = {
    {.population = 0, .width = 3},
    {.population = 1, .width = 2},
    {.population = 1, .port = "gate", .width = 7},
};
static struct chip chip = {.name = "made", .title = "Made up", .digest = "0123456789abcdef",
                           .mesh = {.columns = 2, .rows = 1, .cores_per_tile = 1}};
static struct core cores[] = {
    {.place = 0, .chip = 0, .x = 0, .y = 0},
    {.place = 3, .chip = 1, .x = 3, .y = 0},
};
static struct placed_range ranges[] = {
    {.compartment = 0, .first = 0, .count = 2, .core = 0},
    {.compartment = 0, .first = 2, .count = 1, .core = 1},
    {.compartment = 1, .first = 0, .count = 2, .core = 1},
    {.compartment = 2, .first = 0, .count = 7, .core = 1},
};
static struct placement placement = {.method = PLACEMENT_GREEDY, .cores = cores, .core_count = 2,
                                     .chips = 2, .ranges = ranges, .range_count = 4};

struct bench {
    char path[512];
    struct load load;
    struct estimate_row rows[3];
    struct estimate estimate;
};

static void remove_file(const char *path)
{
    char journal[600];
    unlink(path);
    snprintf(journal, sizeof journal, "%s-journal", path);
    unlink(journal);
}

static void execute(const char *path, const char *sql)
{
    sqlite3 *db;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

/* A trace with runs 1 and 2; the estimate is of run 2. */
static void bench_open(struct bench *bench)
{
    const char *folder = getenv("TMPDIR");
    snprintf(bench->path, sizeof bench->path, "%s/volley_test_store_%ld.db",
             folder != NULL ? folder : "/tmp", (long)getpid());
    remove_file(bench->path);
    execute(bench->path, schema_sql);
    execute(bench->path,
            "INSERT INTO run (id, status, started, level, sampled, stride) VALUES "
            "(1, 'done', '', 'summary', 1, 1), "
            "(2, 'done', '', 'summary', 1, 1);"
            "INSERT INTO population (run, id, name, layer, model, neurons, spiking, input, "
            "clocked) "
            "VALUES (2, 0, 'in', -1, '', 3, 1, 1, 1), (2, 1, 'out \"of\", place', 4, '', 2, 1, 0, 1)");
    bench->load = (struct load){.path = bench->path, .run = 2, .positions = 4, .clocked = true,
                                .sampled = true,
                                .populations = populations, .population_count = 2,
                                .compartments = compartments, .compartment_count = 3};
    memset(bench->rows, 0, sizeof bench->rows);
    bench->rows[0].population = 0;
    bench->rows[0].joules[TERM_SYNOP] = 8e-12;
    bench->rows[0].joules[TERM_HOP] = 0.5e-12;
    bench->rows[1].population = 1;
    bench->rows[1].joules[TERM_NEURON] = 2e-12;
    bench->rows[2].population = UINT32_MAX;
    bench->rows[2].joules[TERM_STATIC] = 5.5e-12;
    bench->estimate = (struct estimate){
        .load = &bench->load, .chip = &chip, .options = {.method = PLACEMENT_GREEDY, .seed = 7,
                                                         .samples = 100},
        .placed = true, .placement = &placement, .rows = bench->rows, .row_count = 3,
        .total = 16e-12, .low = 12e-12, .high = 20e-12, .platform = 3,
        .latency = {.known = true, .seconds = 0.5, .per_inference = 0.125}};
}

static void bench_close(struct bench *bench)
{
    remove_file(bench->path);
}

/* All that a query gives, as one text. */
static void expect(const char *path, const char *sql, const char *expected)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    char text[4096] = "";
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    while (sqlite3_step(statement) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            const char *value = (const char *)sqlite3_column_text(statement, i);
            size_t used = strlen(text);
            snprintf(text + used, sizeof text - used, "%s%s", value != NULL ? value : "NULL",
                     i + 1 < sqlite3_column_count(statement) ? "|" : "\n");
        }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    assert_string_equal(text, expected);
}

static void write_one(const struct bench *bench, const char *changes)
{
    struct error error = {0};
    struct stored_estimate stored = {&bench->estimate, changes};
    if (!store_estimates(&stored, 1, &error))
        fail_msg("%s", error.text);
}

static void refuses(const struct stored_estimate *stored, size_t count, const char *words)
{
    struct error error = {0};
    assert_false(store_estimates(stored, count, &error));
    if (strstr(error.text, words) == NULL)
        fail_msg("'%s' lacks '%s'", error.text, words);
}

#define ALL_ROWS                                                                                   \
    "SELECT (SELECT count(*) FROM estimate), (SELECT count(*) FROM estimate_term), "               \
    "(SELECT count(*) FROM placement)"

/* ---- what is written ---- */

static void what_was_estimated_stands_in_the_tables(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    write_one(&bench, "energy.synop=1pJ");
    expect(bench.path,
           "SELECT run, chip, chip_digest, options, length(made) = 20, unit, inferences, joules, "
           "low, high, platform_joules, seconds, seconds_per_inference, placement, cores, chips "
           "FROM estimate",
           "2|made|0123456789abcdef|{\"beyond_limits\":false,\"channel_order\":\"natural\","
           "\"placement\":\"greedy\",\"queue\":false,\"samples\":100,\"seed\":\"7\","
           "\"what_if\":\"energy.synop=1pJ\"}|1|inference|4.0|1.6e-11|1.2e-11|2.0e-11|3.0|0.5|"
           "0.125|greedy|2|2\n");
    expect(bench.path, "SELECT population, term, joules FROM estimate_term ORDER BY 1, 2",
           "-1|static|5.5e-12\n0|hops|5.0e-13\n0|synops|8.0e-12\n1|neurons|2.0e-12\n");
    expect(bench.path,
           "SELECT population, port, first, count, chip, core, x, y FROM placement "
           "ORDER BY population, port, first",
           "0||0|2|0|0|0|0\n0||2|1|1|1|3|0\n1||0|2|1|1|3|0\n1|gate|0|7|1|1|3|0\n");
    bench_close(&bench);
}

static void the_view_gives_picojoules_per_inference(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    write_one(&bench, NULL);
    expect(bench.path,
           "SELECT run, chip, unit, layer, population, round(synops_pj, 9), round(neurons_pj, 9), "
           "round(hops_pj, 9), round(static_pj, 9), round(memory_pj, 9), round(total_pj, 9) "
           "FROM layer_energy",
           "2|made|inference|NULL|(chip)|0.0|0.0|0.0|1.375|0.0|1.375\n"
           "2|made|inference|-1|in|2.0|0.0|0.125|0.0|0.0|2.125\n"
           "2|made|inference|4|out \"of\", place|0.0|0.5|0.0|0.0|0.0|0.5\n");
    bench_close(&bench);
}

static void what_is_not_known_is_null(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench.load.positions = 0;
    bench.load.sampled = false;
    bench.estimate.latency.known = false;
    bench.estimate.placement = NULL;
    write_one(&bench, NULL);
    expect(bench.path,
           "SELECT unit, inferences, seconds, seconds_per_inference, placement, cores, chips, "
           "json_extract(options, '$.what_if') FROM estimate",
           "run|1.0|NULL|NULL|NULL|NULL|NULL|NULL\n");
    expect(bench.path, ALL_ROWS, "1|4|0\n");
    /* What an earlier estimate in the same call had does not show through. */
    struct estimate second = bench.estimate;
    struct chip other = chip;
    other.name = "other";
    second.chip = &other;
    second.placement = &placement;
    second.latency.known = true;
    const struct stored_estimate both[] = {{&second, NULL}, {&bench.estimate, NULL}};
    assert_true(store_estimates(both, 2, NULL));
    expect(bench.path, "SELECT chip, seconds, cores FROM estimate ORDER BY chip",
           "made|NULL|NULL\nother|0.5|2\n");
    bench_close(&bench);
}

/* ---- again, and others ---- */

static void the_same_estimate_again_replaces_the_earlier(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    write_one(&bench, NULL);
    bench.rows[1].joules[TERM_NEURON] = 4e-12;
    bench.rows[0].joules[TERM_HOP] = 0;
    bench.estimate.total = 17.5e-12;
    bench.estimate.placement = NULL;
    write_one(&bench, NULL);
    expect(bench.path, ALL_ROWS, "1|3|0\n");
    expect(bench.path, "SELECT joules FROM estimate", "1.75e-11\n");
    expect(bench.path, "SELECT total(joules) = 17.5e-12 FROM estimate_term", "1\n");
    bench_close(&bench);
}

static void other_options_chips_runs_and_changes_stand_beside_it(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    write_one(&bench, NULL);
    bench.estimate.options.by_activity = true;
    write_one(&bench, NULL);
    bench.estimate.options.by_activity = false;
    write_one(&bench, "limits.neurons=5");
    bench.load.run = 1;
    write_one(&bench, NULL);
    bench.load.run = 2;
    struct chip other = chip;
    other.name = "other";
    bench.estimate.chip = &other;
    write_one(&bench, NULL);
    expect(bench.path, ALL_ROWS, "5|20|20\n");
    bench.estimate.chip = &chip;
    write_one(&bench, NULL); /* takes the place of the first alone */
    expect(bench.path, ALL_ROWS, "5|20|20\n");
    expect(bench.path,
           "SELECT count(*) FROM estimate_term t LEFT JOIN estimate e ON e.id = t.estimate "
           "WHERE e.id IS NULL",
           "0\n");
    /* The view shows the newest of each run and chip. */
    expect(bench.path, "SELECT count(*), count(DISTINCT estimate), count(DISTINCT run || chip) "
                       "FROM layer_energy", "9|3|3\n");
    bench_close(&bench);
}

/* ---- what cannot be written ---- */

static void all_are_written_or_none(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    write_one(&bench, NULL);
    struct estimate changed = bench.estimate, broken = bench.estimate;
    struct chip other = chip;
    changed.total = 1;
    other.name = "other";
    broken.chip = &other;
    broken.total = NAN; /* which the table does not take */
    const struct stored_estimate both[] = {{&changed, NULL}, {&broken, NULL}};
    refuses(both, 2, bench.path);
    expect(bench.path, ALL_ROWS, "1|4|4\n");
    expect(bench.path, "SELECT joules FROM estimate", "1.6e-11\n");
    bench_close(&bench);
}

static void a_file_that_is_gone_is_not_made(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    const struct stored_estimate stored = {&bench.estimate, NULL};
    remove_file(bench.path);
    refuses(&stored, 1, "no longer there");
    assert_int_equal(access(bench.path, F_OK), -1);
    bench.load.path = NULL;
    refuses(&stored, 1, "no trace");
}

static void a_file_that_changed_meanwhile_is_left_alone(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    const struct stored_estimate stored = {&bench.estimate, NULL};
    execute(bench.path, "DELETE FROM run WHERE id = 2");
    refuses(&stored, 1, "run 2");
    expect(bench.path, ALL_ROWS, "0|0|0\n");
    execute(bench.path, "DROP VIEW layer_energy; DROP TABLE estimate; "
                        "CREATE VIEW estimate AS SELECT * FROM run; "
                        "INSERT INTO run (id, status, started, level, sampled, stride) "
                        "VALUES (2, '', '', '', 1, 1)");
    refuses(&stored, 1, "not a whole trace");
    remove_file(bench.path);
    execute(bench.path, "CREATE TABLE estimate (x); PRAGMA application_id = 17");
    refuses(&stored, 1, "another program");
    expect(bench.path, "SELECT count(*) FROM estimate", "0\n");
    bench_close(&bench);
}

static void triggers_of_the_file_do_not_run(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    execute(bench.path, "CREATE TRIGGER bad AFTER INSERT ON estimate BEGIN DELETE FROM run; END");
    write_one(&bench, NULL);
    expect(bench.path, "SELECT count(*) FROM run", "2\n");
    bench_close(&bench);
}

static void nothing_to_write_is_no_failure(void **state)
{
    (void)state;
    assert_true(store_estimates(NULL, 0, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_estimated_stands_in_the_tables),
        cmocka_unit_test(the_view_gives_picojoules_per_inference),
        cmocka_unit_test(what_is_not_known_is_null),
        cmocka_unit_test(the_same_estimate_again_replaces_the_earlier),
        cmocka_unit_test(other_options_chips_runs_and_changes_stand_beside_it),
        cmocka_unit_test(all_are_written_or_none),
        cmocka_unit_test(a_file_that_is_gone_is_not_made),
        cmocka_unit_test(a_file_that_changed_meanwhile_is_left_alone),
        cmocka_unit_test(triggers_of_the_file_do_not_run),
        cmocka_unit_test(nothing_to_write_is_no_failure),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
