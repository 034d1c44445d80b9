/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The trace file: what it holds, that it is the same however a run was cut
 * into waves, and what becomes of it when something goes wrong.
 */
#include "tests/made_network.h"
#include "traces/trace.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { POSITIONS = 24 };

static const struct trace_options everything = {.level = TRACE_SPIKE, .last = INT64_MAX};
static const struct run_facts facts = {.command = "volley run\tmade", .model = "made",
                                       .model_digest = "0123", .coding = "bitwise",
                                       .down_proj = "paper", .k = 3, .window = 4096,
                                       .seed = UINT64_MAX, .dense_macs = 1000};

/* ---- helpers ---- */

static char *path_of(const char *name)
{
    static char path[2][512];
    static int turn;
    const char *folder = getenv("TMPDIR");
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/volley_test_trace_%ld_%s",
             folder != NULL ? folder : "/tmp", (long)getpid(), name);
    return path[turn];
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static void remove_trace(const char *path)
{
    static const char *const suffixes[] = {"", "-journal", "-wal", "-shm"};
    for (int i = 0; i < 4; i++) {
        char name[600];
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

static sqlite3 *open_database(const char *path)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(spikes_table_register(db), SQLITE_OK);
    assert_int_equal(numbers_table_register(db), SQLITE_OK);
    return db;
}

static void execute(const char *path, const char *sql)
{
    sqlite3 *db = open_database(path);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* All that a query gives, as one text. */
static char *query(const char *path, const char *sql)
{
    sqlite3 *db = open_database(path);
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            if (i > 0)
                putc('|', out);
            if (sqlite3_column_type(statement, i) == SQLITE_BLOB) {
                const unsigned char *bytes = sqlite3_column_blob(statement, i);
                for (int j = 0; j < sqlite3_column_bytes(statement, i); j++)
                    fprintf(out, "%02x", bytes[j]);
            } else {
                const char *value = (const char *)sqlite3_column_text(statement, i);
                fputs(value != NULL ? value : "NULL", out);
            }
        }
        putc('\n', out);
    }
    if (code != SQLITE_DONE)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_finalize(statement);
    sqlite3_close(db);
    fclose(out);
    return text;
}

static void expect(const char *path, const char *sql, const char *expected)
{
    char *text = query(path, sql);
    assert_string_equal(text, expected);
    free(text);
}

/* A network with a tally and a trace that watch it. */
struct bench {
    struct made *made;
    struct tally *tally;
    struct trace *trace;
};

static bool bench_open(struct bench *bench, const char *path, const char *coding,
                       const struct trace_options *options, struct error *error)
{
    bench->made = made_new(coding);
    bench->tally = tally_new(&bench->made->network, NULL);
    assert_non_null(bench->tally);
    bench->trace = trace_open(path, options, &facts, &bench->made->network, error);
    if (bench->trace != NULL) {
        struct network *network = &bench->made->network;
        network->observers[network->observer_count++] = tally_observer(bench->tally);
        network->observers[network->observer_count++] = trace_observer(bench->trace);
        return true;
    }
    tally_free(bench->tally);
    made_free(bench->made);
    return false;
}

static bool bench_close(struct bench *bench, const char *status, struct error *error)
{
    bool good = trace_close(bench->trace, bench->tally, status, 1.5, error);
    tally_free(bench->tally);
    made_free(bench->made);
    return good;
}

/* A whole run in waves of `lanes`. */
static void run_waves(const char *path, const char *coding, uint32_t lanes,
                      const struct trace_options *options)
{
    struct bench bench;
    struct error error = {0};
    if (!bench_open(&bench, path, coding, options, &error))
        fail_msg("%s", error.text);
    for (int64_t position = 0; position < POSITIONS; position += lanes)
        assert_true(made_wave(bench.made, position, lanes, false, &error));
    if (!bench_close(&bench, "done", &error))
        fail_msg("%s", error.text);
}

static void assert_misused(const char *path, const char *sentence)
{
    struct bench bench;
    struct error error = {0};
    assert_false(bench_open(&bench, path, "bitwise", &everything, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    if (strstr(error.text, sentence) == NULL || strstr(error.text, path) == NULL)
        fail_msg("'%s' lacks '%s'", error.text, sentence);
}

/* ---- what a trace holds ---- */

static void lanes_do_not_matter(void **state)
{
    (void)state;
    static const char *const queries[] = {
        "SELECT * FROM volley", "SELECT * FROM token", "SELECT * FROM histogram",
        "SELECT * FROM population", "SELECT * FROM projection", "SELECT * FROM layer_sparsity",
        "SELECT * FROM spike"};
    char *path = path_of("lanes");
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        char *text[3];
        for (uint32_t lanes = 1, j = 0; j < 3; lanes = lanes == 1 ? 3 : 12, j++) {
            run_waves(path, "binary", lanes, &everything);
            text[j] = query(path, queries[i]);
            remove_trace(path);
        }
        assert_true(strlen(text[0]) > 0);
        assert_string_equal(text[0], text[1]);
        assert_string_equal(text[0], text[2]);
        for (int j = 0; j < 3; j++)
            free(text[j]);
    }
}

/* Rows, ticks and spikes are those of the made network, by definition. */
static void rows_by_definition(void **state)
{
    (void)state;
    size_t codings;
    const struct coding *const *table = coding_table(&codings);
    for (size_t c = 0; c < codings; c++) {
        char *path = path_of("rows");
        run_waves(path, table[c]->name, 4, &everything);
        char *expected = NULL, *got = query(path, "SELECT tick, population, neuron, payload "
                                                  "FROM spike WHERE run = 1");
        size_t length;
        FILE *out = open_memstream(&expected, &length);
        int64_t begin = 0;
        for (int64_t position = 0; position < POSITIONS; position++) {
            int64_t tick = 0;
            for (uint32_t id = 1; id <= 3; id++) {
                const char *name[] = {"", "layer.0.early", "layer.0.late", "layer.1.attend"};
                const uint32_t neurons[] = {0, 150, 64, 37};
                int32_t counts[150];
                struct spike spikes[150];
                for (uint32_t n = 0; n < neurons[id]; n++)
                    counts[n] = made_count(id, n, position);
                struct frame frame = coding_frame(table[c], counts, neurons[id]);
                for (uint32_t step = 0; step < frame.ticks; step++) {
                    uint32_t fired =
                        coding_open(table[c], counts, neurons[id], frame, step, spikes);
                    for (uint32_t i = 0; i < fired; i++)
                        fprintf(out, "%lld|%s|%u|%d\n", (long long)(begin + tick + 1 + step),
                                name[id], spikes[i].neuron, spikes[i].payload);
                }
                tick += frame.ticks + 1;
            }
            begin += tick;
        }
        fclose(out);
        assert_string_equal(expected, got);
        free(expected);
        free(got);

        /* The export holds the same lines. */
        char *csv = path_of("rows.csv");
        uint64_t written;
        struct error error = {0};
        assert_true(export_spikes(path, 0, csv, &written, &error));
        char count[32];
        snprintf(count, sizeof count, "%llu\n", (unsigned long long)written);
        expect(path, "SELECT sum(spikes) FROM volley", count);
        expect(path, "SELECT sum(spikes) FROM population", count);
        unlink(csv);
        remove_trace(path);
    }
}

static void export_is_csv(void **state)
{
    (void)state;
    char *path = path_of("csv"), *out = path_of("csv.csv");
    struct trace_options options = {.level = TRACE_SPIKE, .populations = "*.late", .last = 1};
    run_waves(path, "ternary", 1, &options);
    execute(path, "UPDATE population SET name = 'a,\"b\"' WHERE name = 'layer.0.late'");
    uint64_t written;
    struct error error = {0};
    assert_true(export_spikes(path, 1, out, &written, &error));
    FILE *file = fopen(out, "r");
    assert_non_null(file);
    char line[200];
    assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, "tick,population,neuron,payload\n");
    long long tick;
    unsigned neuron;
    int payload;
    for (uint64_t i = 0; i < written; i++) {
        assert_non_null(fgets(line, sizeof line, file));
        assert_int_equal(sscanf(line, "%lld,\"a,\"\"b\"\"\",%u,%d", &tick, &neuron, &payload), 3);
    }
    assert_null(fgets(line, sizeof line, file));
    fclose(file);
    /* Nothing half-done: a damaged trace leaves what was there. */
    execute(path, "UPDATE volley SET data = x'0105'");
    assert_false(export_spikes(path, 1, out, &written, &error));
    assert_non_null(strstr(error.text, "damaged"));
    assert_true(exists(out));
    error = (struct error){0};
    assert_false(export_spikes(path, 1, path, &written, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    error = (struct error){0};
    assert_false(export_spikes(path, 1, "/nowhere/at/all.csv", &written, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    unlink(out);
    remove_trace(path);
}

static void levels_patterns_and_ranges(void **state)
{
    (void)state;
    char *path = path_of("levels");
    struct trace_options options = {.level = TRACE_SUMMARY, .last = INT64_MAX};
    run_waves(path, "bitwise", 3, &options);
    expect(path, "SELECT count(*) FROM volley", "0\n");
    expect(path, "SELECT count(*) FROM token", "0\n");
    expect(path, "SELECT level, positions FROM run", "summary|24\n");
    options = (struct trace_options){.level = TRACE_VOLLEY, .first = 5, .last = 8};
    run_waves(path, "bitwise", 3, &options);
    expect(path, "SELECT position, count(*), count(data) FROM volley WHERE run = 2 "
                 "GROUP BY position",
           "5|3|0\n6|3|0\n7|3|0\n");
    expect(path, "SELECT position FROM token WHERE run = 2", "5\n6\n7\n");
    options = (struct trace_options){.level = TRACE_SPIKE, .populations = "layer.1.*", .last = 2};
    run_waves(path, "bitwise", 3, &options);
    expect(path, "SELECT DISTINCT population FROM volley WHERE run = 3", "3\n");
    struct bench bench;
    struct error error = {0};
    options.populations = "no such";
    assert_false(bench_open(&bench, path, "bitwise", &options, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    uint64_t written;
    error = (struct error){0};
    assert_false(export_spikes(path, 2, "-", &written, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    assert_non_null(strstr(error.text, "holds no spikes"));
    expect(path, "SELECT count(*) FROM run", "3\n");
    remove_trace(path);
}

static void clocked_rows(void **state)
{
    (void)state;
    char *path = path_of("clocked");
    struct bench bench;
    struct trace_options options = {
        .level = TRACE_SPIKE, .first = 10, .last = 40, .by_tick = true};
    assert_true(bench_open(&bench, path, "bitwise", &options, NULL));
    uint64_t spikes = 0;
    for (int64_t tick = 0; tick < 50; tick++) {
        assert_true(made_clocked(bench.made, tick, NULL));
        spikes += tick >= 10 && tick < 40 ? bench.made->populations[4].spike_count : 0;
    }
    assert_true(bench_close(&bench, "done", NULL));
    char expected[64];
    snprintf(expected, sizeof expected, "%llu|10|39|0|0\n", (unsigned long long)spikes);
    expect(path, "SELECT count(*), min(tick), max(tick), min(v.position), "
                 "max(v.position) FROM volley v, "
                 "volley_spikes(v.data, NULL, v.ticks, v.zero)",
           expected);
    snprintf(expected, sizeof expected, "%llu\n", (unsigned long long)spikes);
    expect(path, "SELECT count(*) FROM spike WHERE population = 'plain' AND payload = 1", expected);
    remove_trace(path);
}

/* ---- reports ---- */

static void same_report_from_file(void **state)
{
    (void)state;
    char *path = path_of("report");
    struct bench bench;
    struct error error = {0};
    assert_true(bench_open(&bench, path, "ternary", &everything, &error));
    for (int64_t position = 0; position < POSITIONS; position += 6)
        assert_true(made_wave(bench.made, position, 6, false, &error));
    assert_true(made_wave(bench.made, POSITIONS, 6, true, &error)); /* cut off by an interrupt */
    assert_true(made_clocked(bench.made, 3, &error));
    struct report *now = report_from_tally(bench.tally, &facts, "interrupted", 1.5, &error);
    assert_non_null(now);
    assert_true(bench_close(&bench, "interrupted", &error));
    struct report *later = report_from_file(path, 0, &error);
    if (later == NULL)
        fail_msg("%s", error.text);
    assert_int_equal(later->run, 1);
    assert_string_equal(now->status, later->status);
    assert_string_equal(now->command, "volley run?made");
    assert_string_equal(now->command, later->command);
    assert_string_equal(now->model, later->model);
    assert_string_equal(now->version, later->version);
    assert_string_equal(now->down_proj, later->down_proj);
    assert_true(now->k == later->k && now->window == later->window);
    assert_true(now->positions == later->positions && now->ticks == later->ticks);
    assert_true(now->wall_seconds == later->wall_seconds);
    assert_int_equal(now->positions, POSITIONS);
    assert_int_equal(now->row_count, 4);
    assert_int_equal(later->row_count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_string_equal(now->rows[i].name, later->rows[i].name);
        assert_int_equal(now->rows[i].layer, later->rows[i].layer);
        assert_int_equal(now->rows[i].neurons, later->rows[i].neurons);
        assert_memory_equal(&now->rows[i].tally, &later->rows[i].tally, sizeof now->rows[i].tally);
    }
    assert_int_equal(now->projection_count, later->projection_count);
    for (uint32_t p = 0; p < now->projection_count; p++) {
        const struct report_projection *a = &now->projections[p], *b = &later->projections[p];
        assert_string_equal(a->name, b->name);
        assert_true(a->source == b->source && a->spiking == b->spiking);
        assert_true(a->synapses == b->synapses && a->weight_count == b->weight_count);
        assert_true(a->synops == b->synops);
    }

    /* The views say the same in SQL. */
    sqlite3 *db = open_database(path);
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT silent_fraction, mean_spikes, slot_sparsity_3, "
                                            "slot_sparsity, report_sparsity FROM layer_sparsity",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    for (uint32_t i = 0; i < 4; i++) {
        struct sparsity s = sparsity_of(&now->rows[i].tally);
        const double values[] = {s.silent_fraction, s.mean_spikes, s.slot_sparsity_3,
                                 s.slot_sparsity, s.report_sparsity};
        assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
        for (int j = 0; j < 5; j++)
            assert_true(fabs(sqlite3_column_double(statement, j) - values[j]) < 1e-12);
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    expect(path, "SELECT sum(h.channels) = sum(DISTINCT p.channels) FROM spike_histogram h JOIN "
                 "population p ON p.name = h.population WHERE p.id = 1",
           "1\n");
    /* What each neuron did adds up to what its population did. */
    expect(path, "SELECT sum(s.spikes) = (SELECT sum(spikes) FROM population) FROM neuron_spikes s",
           "1\n");
    expect(path, "SELECT count(*) FROM neuron_spikes WHERE population = 'plain'", "90\n");
    expect(path, "SELECT sum(a.number) = p.channels - p.silent FROM population p JOIN "
                 "neuron_activity n ON n.population = p.id JOIN volley_numbers(n.active) a "
                 "WHERE p.id = 1",
           "1\n");
    expect(path, "SELECT count(*) FROM volley_numbers(NULL)", "0\n");
    expect(path, "SELECT neuron, number FROM volley_numbers(x'05ac0200')", "0|5\n1|300\n2|0\n");
    expect(path, "SELECT seed, typeof(seed) FROM run", "18446744073709551615|text\n");
    report_free(now);
    report_free(later);
    assert_null(report_from_file(path, 7, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    remove_trace(path);
}

static void damaged_reports_are_refused(void **state)
{
    (void)state;
    static const char *const damages[] = {
        "UPDATE population SET spikes = -1", "UPDATE population SET channels = 'many'",
        "UPDATE population SET neurons = 1e300", "UPDATE population SET silent = channels + 1",
        "UPDATE population SET id = 'x' || id", "UPDATE projection SET weight_count = x'00'",
        "UPDATE projection SET source = -4", "UPDATE run SET positions = -1",
        "UPDATE run SET k = 'three'", "UPDATE run SET wall_seconds = 9e999",
        "UPDATE histogram SET value = value + 99999", "UPDATE run SET attention_window = 1e12",
        "DROP TABLE projection", "DROP TABLE histogram", "DELETE FROM run",
        "DROP TABLE run; CREATE VIEW run AS WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL "
        "SELECT x + 1 FROM t) SELECT x FROM t",
    };
    char *path = path_of("damaged");
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        run_waves(path, "bitwise", 12, &everything);
        execute(path, damages[i]);
        struct error error = {0};
        struct report *report = report_from_file(path, 0, &error);
        if (report != NULL)
            fail_msg("accepted: %s", damages[i]);
        assert_int_equal(error.code, ERROR_FAILED);
        assert_non_null(strstr(error.text, path));
        remove_trace(path);
    }
}

/* ---- what can go wrong ---- */

static void other_files_are_left_alone(void **state)
{
    (void)state;
    char *path = path_of("other");
    execute(path, "CREATE TABLE theirs (x); PRAGMA application_id = 7");
    assert_misused(path, "belongs to another program");
    expect(path, "SELECT name FROM sqlite_master", "theirs\n");
    remove_trace(path);

    run_waves(path, "bitwise", 12, &everything);
    execute(path, "PRAGMA user_version = 3");
    assert_misused(path, "newer Volley");
    struct error error = {0};
    assert_null(report_from_file(path, 0, &error));
    assert_non_null(strstr(error.text, "newer Volley"));
    execute(path, "PRAGMA user_version = 1");
    assert_misused(path, "older Volley");
    error = (struct error){0};
    assert_null(report_from_file(path, 0, &error));
    assert_non_null(strstr(error.text, "older Volley"));
    expect(path, "SELECT count(*) FROM run", "1\n");
    remove_trace(path);

    FILE *file = fopen(path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is text, ", file);
    fclose(file);
    assert_misused(path, "not an SQLite file");
    remove_trace(path);

    assert_misused("/nowhere/at/all.db", "No such file");
    assert_false(exists("/nowhere"));
    assert_misused("/", "not a file");
    error = (struct error){0};
    assert_null(report_from_file("/nowhere/at/all.db", 0, &error));
    assert_int_equal(error.code, ERROR_MISUSED);

    /* An empty file, as mktemp leaves, becomes a trace. */
    file = fopen(path, "w");
    fclose(file);
    run_waves(path, "bitwise", 12, &everything);
    expect(path, "SELECT status FROM run", "done\n");
    remove_trace(path);
}

static void locked_file(void **state)
{
    (void)state;
    char *path = path_of("locked");
    run_waves(path, "bitwise", 12, &everything);
    sqlite3 *db = open_database(path);
    assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    struct bench bench;
    struct error error = {0};
    assert_false(bench_open(&bench, path, "bitwise", &everything, &error));
    assert_non_null(strstr(error.text, "locked by another program"));
    sqlite3_close(db);
    remove_trace(path);
}

static void finished_file_stands_alone(void **state)
{
    (void)state;
    char *path = path_of("alone");
    run_waves(path, "bitwise", 2, &everything);
    run_waves(path, "bitwise", 3, &everything);
    for (int i = 0; i < 3; i++) {
        char name[600];
        snprintf(name, sizeof name, "%s%s", path, i == 0 ? "-wal" : i == 1 ? "-shm" : "-journal");
        assert_false(exists(name));
    }
    expect(path, "PRAGMA integrity_check", "ok\n");
    expect(path, "PRAGMA journal_mode", "delete\n");
    expect(path, "PRAGMA application_id", "1448037465\n");
    expect(path, "PRAGMA user_version", "2\n");
    expect(path, "SELECT id, status, finished IS NOT NULL, positions FROM run",
           "1|done|1|24\n2|done|1|24\n");
    expect(path, "SELECT count(*) FROM (SELECT tick, population, position, ticks, zero, spikes, "
                 "data FROM volley WHERE run = 1 EXCEPT SELECT tick, population, position, ticks, "
                 "zero, spikes, data FROM volley WHERE run = 2)",
           "0\n");
    remove_trace(path);
}

/* Two runs into one file at a time. */
static void runs_side_by_side(void **state)
{
    (void)state;
    char *path = path_of("side");
    struct bench one, two;
    struct error error = {0};
    assert_true(bench_open(&one, path, "bitwise", &everything, &error));
    assert_true(bench_open(&two, path, "ternary", &everything, &error));
    for (int64_t position = 0; position < POSITIONS; position++) {
        assert_true(made_wave(one.made, position, 1, false, &error));
        assert_true(made_wave(two.made, position, 1, false, &error));
    }
    if (!bench_close(&one, "done", &error) || !bench_close(&two, "done", &error))
        fail_msg("%s", error.text);
    expect(path, "SELECT run, count(*) FROM volley GROUP BY run", "1|72\n2|72\n");
    expect(path, "SELECT status FROM run", "done\ndone\n");
    remove_trace(path);
}

/* Runs in a child of its own, because the limit on file size stays. */
static void fill_disk(const char *path, bool at_once)
{
    struct bench bench;
    struct error error = {0};
    struct rlimit limit = {.rlim_cur = at_once ? 8192 : 300000, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    bool opened = bench_open(&bench, path, "bitwise", &everything, &error), good = opened;
    if (at_once)
        _exit(!opened && error.code == ERROR_FAILED && !exists(path) ? 0 : 1);
    for (int64_t position = 0; good && position < 500000; position += 10)
        good = made_wave(bench.made, position, 10, false, &error);
    if (good)
        _exit(2); /* the run should have been stopped */
    struct error closing = {0};
    if (bench_close(&bench, "done", &closing))
        _exit(3);
    bool clear = strstr(error.text, path) != NULL && strcmp(error.text, closing.text) == 0 &&
                 (strstr(error.text, "full") != NULL || strstr(error.text, "large") != NULL);
    _exit(clear ? 0 : 4);
}

static void full_disk(void **state)
{
    (void)state;
    for (int at_once = 0; at_once < 2; at_once++) {
        char *path = path_of("full");
        pid_t child = fork();
        if (child == 0)
            fill_disk(path, at_once);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        if (at_once)
            assert_false(exists(path));
        else {
            expect(path, "PRAGMA integrity_check", "ok\n");
            char *text = query(path, "SELECT status FROM run");
            assert_true(strcmp(text, "failed\n") == 0 || strcmp(text, "running\n") == 0);
            free(text);
        }
        remove_trace(path);
    }
}

/* Starts a run of its own process that says in *done how many tokens it has traced, kills it after
 * `steps` hundredths of a second, and returns how many it had traced a second before. */
static int64_t kill_run(const char *path, volatile int64_t *done, int steps)
{
    *done = 0;
    pid_t child = fork();
    if (child == 0) {
        struct bench bench;
        if (!bench_open(&bench, path, "bitwise", &everything, NULL))
            _exit(1);
        trace_watch(bench.trace, bench.tally);
        for (int64_t position = 0;; *done = ++position)
            if (!made_wave(bench.made, position, 1, false, NULL))
                _exit(1);
    }
    int64_t before[200] = {0};
    for (int step = 0; step < steps; step++) {
        before[step] = *done;
        usleep(10000);
    }
    kill(child, SIGKILL);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    return before[steps - 100];
}

static void killed_run(void **state)
{
    (void)state;
    char *path = path_of("killed");
    volatile int64_t *done = mmap(NULL, sizeof *done, PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(done != MAP_FAILED);
    for (int steps = 200; steps >= 113; steps -= 29) { /* 1.13 … 2 s; the last file is looked at */
        remove_trace(path);
        int64_t before = kill_run(path, done, steps);
        char sql[200];
        snprintf(sql, sizeof sql, "SELECT count(*) >= %lld, count(*) <= %lld FROM token",
                 (long long)before, (long long)*done + 1);
        expect(path, sql, "1|1\n");
        expect(path, "PRAGMA integrity_check", "ok\n");
        expect(path, "SELECT count(*) FROM (SELECT position FROM volley GROUP BY position "
                     "HAVING count(*) != 3 AND position < (SELECT max(position) FROM token))",
               "0\n"); /* of the last, only some may be there */
    }
    munmap((void *)done, sizeof *done);

    /* The report reads it as it was left, without the right to change anything but the log. */
    struct error error = {0};
    struct report *report = report_from_file(path, 0, &error);
    if (report == NULL)
        fail_msg("%s", error.text);
    assert_string_equal(report->status, "running");
    assert_true(report->positions > 0 && report->rows[0].tally.spikes > 0);
    report_free(report);
    expect(path, "PRAGMA integrity_check", "ok\n");
    expect(path, "SELECT status, finished FROM run", "running|NULL\n");
    expect(path, "SELECT count(*) > 100, max(position) + 1 = count(*) FROM token", "1|1\n");
    expect(path, "SELECT count(*) > 0 FROM volley GROUP BY position HAVING count(*) > 3", "");
    run_waves(path, "bitwise", 2, &everything);
    expect(path, "SELECT id, status FROM run", "1|running\n2|done\n");
    remove_trace(path);
}

/* A volley that is not one, in SQL. */
static void damaged_volley_in_sql(void **state)
{
    (void)state;
    char *path = path_of("sql");
    run_waves(path, "bitwise", 12, &everything);
    sqlite3 *db = open_database(path);
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT * FROM volley_spikes(?1, ?2, ?3)", -1,
                                        &statement, NULL),
                     SQLITE_OK);
    sqlite3_bind_blob(statement, 1, "\x01\x05", 2, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(statement), SQLITE_ERROR);
    assert_non_null(strstr(sqlite3_errmsg(db), "damaged"));
    sqlite3_reset(statement);
    sqlite3_bind_blob(statement, 1, "\x01\x01\x06", 3, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, "nonesuch", -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(statement), SQLITE_ERROR);
    assert_non_null(strstr(sqlite3_errmsg(db), "known are"));
    sqlite3_reset(statement);
    sqlite3_bind_text(statement, 2, "bitwise", -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 3, 2);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(statement, 2), 2);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(statement, 0), 1);
    assert_int_equal(sqlite3_column_int(statement, 2), 1);
    assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
    sqlite3_reset(statement);
    sqlite3_bind_null(statement, 1);
    assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    remove_trace(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_do_not_matter),
        cmocka_unit_test(rows_by_definition),
        cmocka_unit_test(export_is_csv),
        cmocka_unit_test(levels_patterns_and_ranges),
        cmocka_unit_test(clocked_rows),
        cmocka_unit_test(same_report_from_file),
        cmocka_unit_test(damaged_reports_are_refused),
        cmocka_unit_test(other_files_are_left_alone),
        cmocka_unit_test(locked_file),
        cmocka_unit_test(finished_file_stands_alone),
        cmocka_unit_test(runs_side_by_side),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(killed_run),
        cmocka_unit_test(damaged_volley_in_sql),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
