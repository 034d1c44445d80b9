/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sweeps: the grid's points and texts, the Pareto front against plain comparison, which points of a
 * trace count as done, what is read of a run, and processes. The program itself is what jobs_run
 * starts, so this one with arguments plays the jobs.
 */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "sim/sweep/digest.h"
#include "sim/sweep/front.h"
#include "sim/sweep/grid.h"
#include "sim/sweep/jobs.h"
#include "traces/sweeps.h"

/* ---- the grid ---- */

static void points_are_all_combinations(void **state)
{
    (void)state;
    struct grid grid = {.axis_count = 0};
    struct error error = {0};
    assert_int_equal(grid_points(&grid), 0);
    assert_true(grid_add_axis(&grid, "coding", "bitwise,ternary", &error));
    assert_true(grid_add_axis(&grid, "k", "2,2.5,3", &error));
    assert_true(grid_add_axis(&grid, "down-proj", "paper", &error));
    assert_int_equal(grid_points(&grid), 6);
    const char *const expected[6][3] = {
        {"bitwise", "2", "paper"}, {"bitwise", "2.5", "paper"}, {"bitwise", "3", "paper"},
        {"ternary", "2", "paper"}, {"ternary", "2.5", "paper"}, {"ternary", "3", "paper"}};
    for (size_t i = 0; i < 6; i++)
        for (size_t a = 0; a < 3; a++)
            assert_string_equal(grid_value(&grid, i, a), expected[i][a]);
    grid_free(&grid);
}

static void parameters_stay_with_their_scheme(void **state)
{
    (void)state;
    struct grid grid = {.axis_count = 0};
    struct error error = {0};
    assert_true(grid_add_axis(&grid, "encode", "rate,burst:base=2,ticks=8,latency:ticks=4,rate:a=1",
                              &error));
    assert_int_equal(grid.axes[0].count, 4);
    assert_string_equal(grid.axes[0].values[0], "rate");
    assert_string_equal(grid.axes[0].values[1], "burst:base=2,ticks=8");
    assert_string_equal(grid.axes[0].values[2], "latency:ticks=4");
    assert_string_equal(grid.axes[0].values[3], "rate:a=1");
    grid_free(&grid);
}

static void refused(const char *list, const char *words)
{
    struct grid grid = {.axis_count = 0};
    struct error error = {0};
    assert_false(grid_add_axis(&grid, "k", list, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    assert_non_null(strstr(error.text, words));
    grid_free(&grid);
}

static void senseless_lists_are_refused(void **state)
{
    (void)state;
    refused("", "one is empty");
    refused(",", "one is empty");
    refused("2,", "one is empty");
    refused(",2", "one is empty");
    refused("2,,3", "one is empty");
    refused("2,3,2", "'2' twice");
}

/* The numbers 1 … count with commas between. */
static char *numbers(int count)
{
    char *text = malloc((size_t)count * 12);
    assert_non_null(text);
    size_t used = 0;
    for (int i = 1; i <= count; i++)
        used += (size_t)sprintf(text + used, "%s%d", i > 1 ? "," : "", i);
    return text;
}

static void the_number_of_points_is_limited(void **state)
{
    (void)state;
    struct error error = {0};
    char *hundred = numbers(100), *more = numbers(101);
    struct grid grid = {.axis_count = 0};
    assert_true(grid_add_axis(&grid, "k", hundred, &error));
    assert_true(grid_add_axis(&grid, "coding", hundred, &error));
    assert_int_equal(grid_points(&grid), GRID_POINTS);
    grid_free(&grid);
    assert_true(grid_add_axis(&grid, "k", hundred, &error));
    assert_false(grid_add_axis(&grid, "coding", more, &error));
    assert_non_null(strstr(error.text, "10000 points"));
    grid_free(&grid);
    free(hundred);
    free(more);
}

static void expect_text(char *text, const char *expected)
{
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static void equal_points_have_equal_texts(void **state)
{
    (void)state;
    struct error error = {0};
    struct grid one = {.axis_count = 0}, other = {.axis_count = 0};
    assert_true(grid_add_axis(&one, "k", "2,3", &error));
    assert_true(grid_add_axis(&one, "coding", "bitwise,say \"a\"", &error));
    assert_true(grid_add_setting(&one, "lanes", "4", false, &error));
    assert_true(grid_add_setting(&one, "window", "9", true, &error));
    assert_true(grid_add_axis(&other, "coding", "say \"a\"", &error));
    assert_true(grid_add_axis(&other, "k", "1,2", &error));
    assert_true(grid_add_setting(&other, "window", "9", true, &error));
    const char *expected = "{\"coding\":\"say \\\"a\\\"\",\"k\":\"2\",\"window\":\"9\"}";
    expect_text(grid_point_options(&one, 1), expected);
    expect_text(grid_point_options(&other, 1), expected);
    expect_text(grid_axes_text(&one),
                "[[\"k\",[\"2\",\"3\"]],[\"coding\",[\"bitwise\",\"say \\\"a\\\"\"]]]");
    expect_text(grid_settings_text(&one), "{\"window\":\"9\"}");
    grid_free(&one);
    grid_free(&other);
}

static void text_that_is_no_utf8_has_no_options(void **state)
{
    (void)state;
    struct error error = {0};
    struct grid grid = {.axis_count = 0};
    assert_true(grid_add_axis(&grid, "k", "\xff", &error));
    assert_null(grid_point_options(&grid, 0));
    assert_null(grid_axes_text(&grid));
    grid_free(&grid);
}

static void arguments_need_no_shell(void **state)
{
    (void)state;
    struct error error = {0};
    struct grid grid = {.axis_count = 0};
    const char *const first[] = {"--json"};
    assert_true(grid_add_axis(&grid, "k", "2,$(rm *)", &error));
    assert_true(grid_add_setting(&grid, "score", "a b.txt", false, &error));
    assert_true(grid_add_setting(&grid, "timeless", NULL, true, &error));
    char **arguments = grid_arguments(&grid, 1, first, 1, "my model");
    const char *const expected[] = {"run", "--json", "--k=$(rm *)", "--score=a b.txt",
                                    "--timeless", "my model"};
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(arguments[i], expected[i]);
    assert_null(arguments[6]);
    grid_arguments_free(arguments);
    grid_free(&grid);
}

/* ---- the front ---- */

static bool is_better(double a, double b, bool more)
{
    return more ? a > b : a < b;
}

/* By the definition: every point against every other. */
static bool on_front(struct front_side x, struct front_side y, size_t count, size_t i)
{
    if (isnan(x.values[i]) || isnan(y.values[i]))
        return false;
    for (size_t j = 0; j < count; j++) {
        if (isnan(x.values[j]) || isnan(y.values[j]))
            continue;
        bool worse = is_better(x.values[i], x.values[j], x.more) ||
                     is_better(y.values[i], y.values[j], y.more);
        bool better = is_better(x.values[j], x.values[i], x.more) ||
                      is_better(y.values[j], y.values[i], y.more);
        if (!worse && better)
            return false;
    }
    return true;
}

static void the_front_is_what_comparing_all_gives(void **state)
{
    (void)state;
    enum { LONGEST = 40 };
    double x[LONGEST], y[LONGEST];
    bool front[LONGEST];
    srand(7);
    for (int round = 0; round < 4000; round++) {
        size_t count = (size_t)(rand() % LONGEST);
        int range = 1 + rand() % 12; /* small: many are equal */
        for (size_t i = 0; i < count; i++) {
            x[i] = rand() % 15 == 0 ? NAN : rand() % range;
            y[i] = rand() % 15 == 0 ? NAN : rand() % range;
        }
        struct front_side across = {x, round & 1}, up = {y, round & 2};
        assert_true(front_find(across, up, count, front));
        for (size_t i = 0; i < count; i++)
            assert_int_equal(front[i], on_front(across, up, count, i));
    }
}

/* ---- the trace ---- */

static char folder[64], path[96];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/test_sweep.XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/sweep.db", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    sweeps_remove(path);
    return rmdir(folder);
}

static const struct swept_model model = {.command = "volley sweep",
                                         .model = "m",
                                         .data = "d",
                                         .kind = "language",
                                         .digest = "0123",
                                         .axes = "[]",
                                         .settings = "{}",
                                         .unit = "token"};

static void execute(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static double number(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    double value = sqlite3_column_double(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

/* A run of two tokens with two spiking populations and one that is not. */
static void add_run(int id, const char *command, const char *status)
{
    char *sql = sqlite3_mprintf(
        "INSERT INTO run (id, status, started, command, sampled, stride, level, positions, ticks, "
        "wall_seconds) VALUES (%d, %Q, '', %Q, 1, 1, 'summary', 2, 30, 0.5);"
        "INSERT INTO population (run, id, name, layer, model, neurons, spiking, input, clocked, "
        "coding, vectors, channels, silent, spikes, spikes_up_to_3, slots, synops) VALUES "
        "(%d, 0, 'a', 0, 'm', 10, 1, 0, 0, 'bitwise', 2, 20, 8, 24, 20, 100, 400),"
        "(%d, 1, 'b', 0, 'm', 10, 1, 0, 0, 'bitwise', 2, 20, 2, 36, 30, 200, 600),"
        "(%d, 2, 'c', 0, 'm', 10, 0, 0, 0, NULL, 2, 999, 9, 9, 9, 9, 9);"
        "INSERT INTO histogram VALUES (%d, 0, -8, 1), (%d, 0, -7, 2), (%d, 0, 0, 8), (%d, 0, 7, 9),"
        "(%d, 1, 8, 20)",
        id, status, command, id, id, id, id, id, id, id, id);
    execute(sql);
    sqlite3_free(sql);
}

static void near(double value, double expected)
{
    assert_true(fabs(value - expected) <= 1e-12 * fabs(expected));
}

static struct sweeps *open_trace(void)
{
    struct error error = {0};
    struct sweeps *sweeps = sweeps_open(path, &error);
    assert_non_null(sweeps);
    return sweeps;
}

/* Point 1 done with run 5, point 2 failed. */
static void make_sweep(void)
{
    struct error error = {0};
    struct sweeps *sweeps = open_trace();
    struct swept_point points[2];
    swept_point_begin(&points[0], "{\"k\":\"2\"}");
    swept_point_begin(&points[1], "{\"k\":\"3\"}");
    assert_true(sweeps_begin(sweeps, &model, points, 2, &error));
    assert_int_equal(points[0].status, POINT_WAITING);
    assert_false(sweeps_read_run(sweeps, "c", &points[0], &error)); /* there is none yet */
    assert_non_null(strstr(error.text, "lacks the run"));
    error.code = ERROR_NONE;
    add_run(4, "c", "done");
    add_run(5, "c", "done");
    add_run(6, "c", "running");
    points[0].status = POINT_DONE;
    points[0].figure[FIGURE_BITS_PER_CHARACTER] = 1.25;
    assert_true(sweeps_read_run(sweeps, "c", &points[0], &error));
    assert_int_equal(points[0].run, 5);
    struct swept_cost costs[] = {{"x", 1e-6, NAN, "lower", NULL, NULL},
                                 {"y", NAN, NAN, NULL, NULL, (char *)(uintptr_t) "too large"}};
    points[0].costs = costs;
    points[0].cost_count = 2;
    assert_true(sweeps_put(sweeps, &points[0], &error));
    points[1].status = POINT_FAILED;
    points[1].message = (char *)(uintptr_t) "why";
    assert_true(sweeps_put(sweeps, &points[1], &error));
    points[0].front = true;
    assert_true(sweeps_put_front(sweeps, points, 2, &error));
    sweeps_close(sweeps);
}

static void figures_are_the_sums_of_the_run(void **state)
{
    (void)state;
    make_sweep();
    near(number("SELECT spikes FROM sweep_point WHERE number = 1"), 60 / 2.0);
    near(number("SELECT synops FROM sweep_point WHERE number = 1"), 1000 / 2.0);
    near(number("SELECT ticks FROM sweep_point WHERE number = 1"), 15);
    near(number("SELECT mean_spikes FROM sweep_point WHERE number = 1"), 60 / 40.0);
    near(number("SELECT silent_fraction FROM sweep_point WHERE number = 1"), 10 / 40.0);
    near(number("SELECT slot_sparsity_3 FROM sweep_point WHERE number = 1"), 1 - 50 / 120.0);
    near(number("SELECT slot_sparsity FROM sweep_point WHERE number = 1"), 1 - 60 / 300.0);
    near(number("SELECT report_sparsity FROM sweep_point WHERE number = 1"), 70 / 100.0);
    near(number("SELECT small_counts FROM sweep_point WHERE number = 1"), 19 / 40.0);
    near(number("SELECT bits_per_character FROM sweep_point WHERE number = 1"), 1.25);
    near(number("SELECT count(*) FROM sweep_point WHERE number = 2 AND status = 'failed' AND "
                "message = 'why' AND run IS NULL AND spikes IS NULL AND units IS NULL"), 1);
    near(number("SELECT count(*) FROM sweep_energy WHERE chip = 'x' AND joules = 1e-6 AND "
                "joules_bound = 'lower' AND seconds IS NULL AND message IS NULL"), 1);
    near(number("SELECT count(*) FROM sweep_energy WHERE chip = 'y' AND joules IS NULL AND "
                "message = 'too large'"), 1);
    near(number("SELECT sum(front) FROM sweep_point"), 1);
}

/* How many of these points are taken as done. */
static int found(const struct swept_model *other, const char *const *options, size_t count)
{
    struct error error = {0};
    struct sweeps *sweeps = open_trace();
    struct swept_point points[3];
    int done = 0;
    for (size_t i = 0; i < count; i++)
        swept_point_begin(&points[i], options[i]);
    assert_true(sweeps_begin(sweeps, other, points, count, &error));
    for (size_t i = 0; i < count; i++) {
        done += points[i].status == POINT_DONE;
        if (points[i].status == POINT_DONE) {
            assert_string_equal(points[i].options, "{\"k\":\"2\"}");
            assert_int_equal(points[i].run, 5);
            near(points[i].figure[FIGURE_BITS_PER_CHARACTER], 1.25);
            near(points[i].figure[FIGURE_TICKS], 15);
            assert_true(isnan(points[i].figure[FIGURE_ACCURACY]));
        }
    }
    sweeps_close(sweeps);
    return done;
}

static void points_are_matched_by_options_and_digest(void **state)
{
    (void)state;
    const char *const options[] = {"{\"k\":\"2\"}", "{\"k\":\"3\"}"};
    const char *const turned[] = {"{\"k\":\"1\"}", "{\"k\":\"9\"}", "{\"k\":\"2\"}"};
    struct swept_model other = model;
    make_sweep();
    assert_int_equal(found(&model, options, 2), 1);
    near(number("SELECT count(*) FROM sweep"), 1);
    other.axes = "[1]"; /* another sweep of the same model has done it */
    assert_int_equal(found(&other, turned, 3), 1);
    near(number("SELECT count(*) FROM sweep"), 2);
    other.digest = "4567";
    assert_int_equal(found(&other, turned, 3), 0);
    near(number("SELECT count(*) FROM sweep"), 3);
    execute("UPDATE sweep SET version = 'older'");
    assert_int_equal(found(&model, options, 2), 0);
}

static void only_runs_that_are_done_count(void **state)
{
    (void)state;
    const char *const options[] = {"{\"k\":\"2\"}"};
    make_sweep();
    execute("UPDATE run SET status = 'interrupted' WHERE id = 5");
    assert_int_equal(found(&model, options, 1), 0);
    execute("DELETE FROM run WHERE id = 5");
    assert_int_equal(found(&model, options, 1), 0);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void other_files_are_refused_and_left_alone(void **state)
{
    (void)state;
    struct error error = {0};
    char text[64] = "";
    write_file(path, "no database, but long enough to be read as one");
    assert_null(sweeps_open(path, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    FILE *file = fopen(path, "r");
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    assert_string_equal(text, "no database, but long enough to be read as one");
    error.code = ERROR_NONE;
    assert_null(sweeps_open("/nowhere/sweep.db", &error));
    assert_int_equal(error.code, ERROR_MISUSED);
}

/* ---- digests ---- */

static void a_digest_is_of_the_content(void **state)
{
    (void)state;
    char one[96], two[96];
    struct error error = {0};
    uint64_t first = DIGEST_BEGIN, second = DIGEST_BEGIN, third = DIGEST_BEGIN;
    snprintf(one, sizeof one, "%s/config.json", folder);
    snprintf(two, sizeof two, "%s/other.txt", folder);
    write_file(one, "abc");
    write_file(two, "abc");
    assert_true(digest_file(&first, one, &error));
    assert_true(digest_file(&second, two, &error));
    assert_true(first == second);
    uint64_t of_folder = DIGEST_BEGIN, again = DIGEST_BEGIN, changed = DIGEST_BEGIN;
    assert_true(digest_model_folder(&of_folder, folder, &error));
    write_file(two, "abd"); /* no file of the model */
    assert_true(digest_file(&third, two, &error));
    assert_true(third != first);
    assert_true(digest_model_folder(&again, folder, &error));
    assert_true(again == of_folder && again != DIGEST_BEGIN);
    write_file(one, "abd");
    assert_true(digest_model_folder(&changed, folder, &error));
    assert_true(changed != of_folder);
    assert_false(digest_file(&first, folder, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    unlink(one);
    unlink(two);
}

/* ---- jobs ---- */

enum { LONG_OUTPUT = 300000 };

/* What a job does: "say TEXT", "fail", "long", "die", "wait". */
static int play(char **arguments)
{
    if (strcmp(arguments[0], "say") == 0)
        return printf("%s", arguments[1]) < 0;
    if (strcmp(arguments[0], "long") == 0)
        for (int i = 0; i < LONG_OUTPUT; i++)
            putchar('x');
    if (strcmp(arguments[0], "fail") == 0) {
        fputs("a warning\nvolley: it is wrong\n", stderr);
        return 2;
    }
    if (strcmp(arguments[0], "die") == 0)
        raise(SIGKILL);
    if (strcmp(arguments[0], "wait") == 0)
        pause();
    return 0;
}

struct played {
    const char *const (*arguments)[2];
    char *output[8], *reason[8];
    bool succeeded[8], stopped[8];
    size_t refuse; /* the job whose end is not taken */
};

static char **played_arguments(void *self, size_t job)
{
    struct played *played = self;
    char **arguments = calloc(3, sizeof *arguments);
    for (int i = 0; i < 2 && played->arguments[job][i] != NULL; i++)
        arguments[i] = strdup(played->arguments[job][i]);
    return arguments;
}

static bool played_ended(void *self, size_t job, const struct job_end *end)
{
    struct played *played = self;
    played->output[job] = strdup(end->output);
    played->reason[job] = strdup(end->reason);
    played->succeeded[job] = end->succeeded;
    played->stopped[job] = end->stopped;
    return job != played->refuse;
}

static void forget(struct played *played)
{
    for (size_t i = 0; i < 8; i++) {
        free(played->output[i]);
        free(played->reason[i]);
    }
}

static void jobs_end_each_in_its_way(void **state)
{
    (void)state;
    const char *const arguments[][2] = {{"say", "one two"}, {"fail"}, {"long"}, {"die"},
                                        {"say", "$HOME;`id`"}, {"say", ""}};
    for (int64_t limit = 1; limit <= 8; limit += 3) {
        struct played played = {.arguments = arguments, .refuse = 99};
        const struct jobs jobs = {&played, 6, limit, true, played_arguments, played_ended};
        struct error error = {0};
        int signal_number = -1;
        assert_true(jobs_run(&jobs, &signal_number, &error));
        assert_int_equal(signal_number, 0);
        const bool good[] = {true, false, true, false, true, true};
        for (int i = 0; i < 6; i++) {
            assert_int_equal(played.succeeded[i], good[i]);
            assert_false(played.stopped[i]);
        }
        assert_string_equal(played.output[0], "one two");
        assert_string_equal(played.reason[1], "it is wrong");
        assert_int_equal(strlen(played.output[2]), LONG_OUTPUT);
        assert_non_null(strstr(played.reason[3], "signal 9"));
        assert_string_equal(played.output[4], "$HOME;`id`");
        assert_string_equal(played.output[5], "");
        forget(&played);
    }
}

static void a_signal_ends_all_jobs(void **state)
{
    (void)state;
    const char *const arguments[][2] = {{"wait"}, {"wait"}, {"wait"}};
    struct played played = {.arguments = arguments, .refuse = 99};
    const struct jobs jobs = {&played, 3, 2, true, played_arguments, played_ended};
    struct error error = {0};
    int signal_number = 0;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGTERM};
    const struct itimerspec soon = {.it_value = {.tv_nsec = 300000000}};
    timer_t timer;
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    assert_int_equal(timer_settime(timer, 0, &soon, NULL), 0);
    assert_true(jobs_run(&jobs, &signal_number, &error));
    timer_delete(timer);
    assert_int_equal(signal_number, SIGTERM);
    assert_true(played.stopped[0] && played.stopped[1]);
    assert_null(played.output[2]); /* never begun */
    forget(&played);
}

static void a_refused_end_ends_all_jobs(void **state)
{
    (void)state;
    const char *const arguments[][2] = {{"wait"}, {"say", "x"}, {"say", "y"}};
    struct played played = {.arguments = arguments, .refuse = 1};
    const struct jobs jobs = {&played, 3, 2, true, played_arguments, played_ended};
    struct error error = {0};
    int signal_number = 0;
    assert_false(jobs_run(&jobs, &signal_number, &error));
    assert_true(played.stopped[0]);
    assert_null(played.output[2]);
    forget(&played);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return play(argv + 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_are_all_combinations),
        cmocka_unit_test(parameters_stay_with_their_scheme),
        cmocka_unit_test(senseless_lists_are_refused),
        cmocka_unit_test(the_number_of_points_is_limited),
        cmocka_unit_test(equal_points_have_equal_texts),
        cmocka_unit_test(text_that_is_no_utf8_has_no_options),
        cmocka_unit_test(arguments_need_no_shell),
        cmocka_unit_test(the_front_is_what_comparing_all_gives),
        cmocka_unit_test_setup_teardown(figures_are_the_sums_of_the_run, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(points_are_matched_by_options_and_digest, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(only_runs_that_are_done_count, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(other_files_are_refused_and_left_alone, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_digest_is_of_the_content, make_folder, remove_folder),
        cmocka_unit_test(jobs_end_each_in_its_way),
        cmocka_unit_test(a_signal_ends_all_jobs),
        cmocka_unit_test(a_refused_end_ends_all_jobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
