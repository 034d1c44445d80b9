/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Statistics of spike trains read back from a trace: what the run's own observer said, to the
 * bit, where the trace holds every spike of one run; and nothing where it does not.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cmocka.h>

#include "neurons/build.h"
#include "neurons/models/cell_models.h"
#include "traces/replay.h"

enum { CELLS = 120, QUIET = 7, TICKS = 4000 };

static const double DT = 1e-4;

static const struct trace_options everything = {.level = TRACE_SPIKE, .last = INT64_MAX};

static void must(bool done, const struct error *error)
{
    if (!done)
        fail_msg("%s", error->text);
}

/* ---- a network with something of everything ---- */

static uint32_t add(struct blueprint *blueprint, const char *name, const struct cell_model *model,
                    uint32_t neurons)
{
    struct error error = {0};
    struct blueprint_population *p = blueprint_add_population(blueprint, name, &error);
    must(p != NULL, &error);
    p->model = model;
    p->neurons = neurons;
    return blueprint->population_count - 1;
}

static void set(struct blueprint *blueprint, uint32_t population, const char *name, double value)
{
    struct blueprint_population *p = &blueprint->populations[population];
    p->parameter[cell_model_parameter(p->model, name)] =
        (struct quantity){.kind = QUANTITY_CONSTANT, .constant = value};
}

static void join(struct blueprint *blueprint, uint32_t source, uint32_t target,
                 enum connection_rule rule, uint64_t number, double weight)
{
    struct error error = {0};
    struct blueprint_projection *p = blueprint_add_projection(blueprint, "joint", &error);
    must(p != NULL, &error);
    p->source = source;
    p->target = target;
    p->kind = LINK_RULE;
    p->connection = (struct connection){
        .rule = rule,
        .number = number,
        .source_count = blueprint->populations[source].neurons,
        .target_count = blueprint->populations[target].neurons,
        .weight = {.kind = DISTRIBUTION_CONSTANT, .a = weight, .low = -INFINITY, .high = INFINITY},
        .delay = {.kind = DISTRIBUTION_CONSTANT, .a = DT, .low = -INFINITY, .high = INFINITY}};
}

/* Noise onto cells that excite each other, graded cells whose spikes have payloads, cells that
 * nothing moves. */
static struct blueprint *made_blueprint(void)
{
    struct blueprint *blueprint = blueprint_new("replay");
    assert_non_null(blueprint);
    blueprint->rules.dt = DT;
    blueprint->rules.area = AREA_JUMP;
    blueprint->rules.seed = 3;
    uint32_t noise = add(blueprint, "noise", &poisson_cells, CELLS);
    set(blueprint, noise, "rate", 300);
    uint32_t cells = add(blueprint, "cells", &lif_cells, CELLS);
    set(blueprint, cells, "refractory", 0.002);
    uint32_t graded = add(blueprint, "graded", &graded_cells, 10);
    uint32_t quiet = add(blueprint, "quiet", &lif_cells, QUIET);
    join(blueprint, noise, cells, CONNECT_ONE_TO_ONE, 0, 0.4);
    join(blueprint, cells, cells, CONNECT_FIXED_IN_DEGREE, 5, 0.1);
    join(blueprint, cells, graded, CONNECT_FIXED_IN_DEGREE, 20, 1);
    join(blueprint, cells, quiet, CONNECT_FIXED_IN_DEGREE, 5, -1);
    return blueprint;
}

/* ---- a traced run, and what its observer said ---- */

struct scene {
    struct blueprint *blueprint;
    struct workers *workers;
    struct network *network;
    struct tally *tally;
    struct activity *activity;
    char path[512];
};

static void run_ticks(struct scene *scene, int64_t sample, int64_t ticks)
{
    struct error error = {0};
    must(network_run(scene->network, sample, ticks, NULL, &error), &error);
    must(network_finish(scene->network, &error), &error);
}

static void scene_run(struct scene *scene, const struct activity_options *activity,
                      struct trace_options trace_options, int samples)
{
    static int number;
    struct error error = {0};
    const char *folder = getenv("TMPDIR");
    const struct run_facts facts = {.command = "volley run", .model = "replay"};
    snprintf(scene->path, sizeof scene->path, "%s/volley_test_replay_%ld_%d.db",
             folder != NULL ? folder : "/tmp", (long)getpid(), number++);
    unlink(scene->path);
    scene->blueprint = made_blueprint();
    scene->workers = workers_new(1, &error);
    struct build_options options = {.workers = scene->workers};
    scene->network = blueprint_build(scene->blueprint, &options, &error);
    must(scene->network != NULL, &error);
    scene->network->workers = scene->workers;
    must(network_seal(scene->network, &error), &error);
    scene->tally = tally_new(scene->network, &error);
    scene->activity = activity_new(scene->network, activity, &error);
    must(scene->tally != NULL && scene->activity != NULL, &error);
    struct trace *trace =
        trace_open(scene->path, &trace_options, &facts, scene->network, &error);
    must(trace != NULL, &error);
    must(network_observe(scene->network, tally_observer(scene->tally), &error) &&
             network_observe(scene->network, activity_observer(scene->activity), &error) &&
             network_observe(scene->network, trace_observer(trace), &error),
         &error);
    for (int s = 0; s < samples; s++) {
        if (s > 0)
            network_reset(scene->network);
        run_ticks(scene, s, TICKS);
    }
    must(trace_close(trace, scene->tally, "done", 1, &error), &error);
}

static void scene_end(struct scene *scene)
{
    activity_free(scene->activity);
    tally_free(scene->tally);
    network_free(scene->network);
    workers_free(scene->workers);
    blueprint_free(scene->blueprint);
    unlink(scene->path);
}

static struct activity_figures *replayed(const struct scene *scene, struct report **report,
                                         const struct activity_options *options)
{
    struct error error = {0};
    *report = report_from_file(scene->path, 0, &error);
    must(*report != NULL, &error);
    struct activity_figures *figures = calloc((*report)->row_count + 1, sizeof *figures);
    assert_non_null(figures);
    must(replay_activity(scene->path, *report, options, figures, &error), &error);
    return figures;
}

static bool alike(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static void assert_alike(const char *name, const struct activity_figures *a,
                         const struct activity_figures *b)
{
    bool same = alike(a->rate, b->rate) && alike(a->cv_mean, b->cv_mean) &&
                alike(a->cv_median, b->cv_median) && a->cv_neurons == b->cv_neurons &&
                alike(a->synchrony, b->synchrony) && alike(a->correlation, b->correlation) &&
                a->correlated_neurons == b->correlated_neurons && a->spikes == b->spikes &&
                alike(a->silent_fraction, b->silent_fraction);
    if (!same)
        fail_msg("%s: rate %g, CV %g, synchrony %g, correlation %g, silent %g; the run said %g, "
                 "%g, %g, %g, %g", name, a->rate, a->cv_mean, a->synchrony, a->correlation,
                 a->silent_fraction, b->rate, b->cv_mean, b->synchrony, b->correlation,
                 b->silent_fraction);
}

static void a_trace_says_what_the_run_said(void **state)
{
    (void)state;
    static const int64_t starts[] = {0, 1000, 3999};
    for (size_t s = 0; s < sizeof starts / sizeof *starts; s++) {
        /* tick_seconds is the trace's own when it is read back. */
        struct activity_options options = {.tick_seconds = DT, .start = starts[s],
                                           .neurons_only = true};
        struct scene scene;
        struct report *report;
        scene_run(&scene, &options, everything, 1);
        options.tick_seconds = 77;
        struct activity_figures *figures = replayed(&scene, &report, &options);
        assert_int_equal(report->row_count, 4);
        assert_true(report->tick_seconds == DT);
        for (uint32_t i = 0; i < report->row_count; i++) {
            struct error error = {0};
            struct activity_figures said;
            must(activity_figures(scene.activity, i, &said, &error), &error);
            if (strcmp(report->rows[i].name, "quiet") == 0) {
                assert_int_equal(report->rows[i].tally.spikes, 0);
                assert_true(figures[i].rate == 0 && figures[i].silent_fraction == 1);
            }
            assert_alike(report->rows[i].name, &figures[i], &said);
        }
        /* Nothing reaches the noise; the cells fire, and as the table of the run says. */
        assert_true(isnan(figures[0].rate) && isnan(figures[0].cv_mean));
        assert_true(starts[s] == 3999 ||
                    (figures[1].rate > 10 && figures[1].cv_neurons > CELLS / 2));
        if (starts[s] == 0) {
            assert_int_equal(figures[1].spikes, report->rows[1].tally.spikes);
            assert_true(fabs(figures[1].rate - (double)figures[1].spikes / (CELLS * TICKS * DT)) <
                        1e-9);
            assert_true(figures[2].spikes >= report->rows[2].tally.spikes);
        }
        free(figures);
        report_free(report);
        scene_end(&scene);
    }
}

static void assert_nothing_said(struct trace_options trace_options, int samples)
{
    const struct activity_options options = {.tick_seconds = DT, .neurons_only = true};
    struct scene scene;
    struct report *report;
    scene_run(&scene, &options, trace_options, samples);
    struct activity_figures *figures = replayed(&scene, &report, &options);
    for (uint32_t i = 0; i < report->row_count; i++)
        assert_true(isnan(figures[i].rate) && isnan(figures[i].cv_mean) &&
                    isnan(figures[i].cv_median) && isnan(figures[i].synchrony) &&
                    isnan(figures[i].correlation) && isnan(figures[i].silent_fraction));
    free(figures);
    report_free(report);
    scene_end(&scene);
}

static void what_is_not_all_there_says_nothing(void **state)
{
    (void)state;
    assert_nothing_said((struct trace_options){.level = TRACE_SUMMARY, .last = INT64_MAX}, 1);
    assert_nothing_said((struct trace_options){.level = TRACE_VOLLEY, .last = INT64_MAX}, 1);
    assert_nothing_said(
        (struct trace_options){.level = TRACE_SPIKE, .last = TICKS - 1, .by_tick = true}, 1);
    assert_nothing_said(
        (struct trace_options){.level = TRACE_SPIKE, .first = 1, .last = TICKS, .by_tick = true},
        1);
    assert_nothing_said((struct trace_options){.level = TRACE_SPIKE, .last = INT64_MAX}, 2);
}

/* Of the populations that were not traced nothing is known. */
static void assert_others_left_out(const char *pattern)
{
    const struct activity_options options = {.tick_seconds = DT, .neurons_only = true};
    struct scene scene;
    struct report *report;
    struct error error = {0};
    scene_run(&scene, &options, (struct trace_options){.level = TRACE_SPIKE, .last = INT64_MAX,
                                                       .populations = pattern}, 1);
    struct activity_figures *figures = replayed(&scene, &report, &options);
    for (uint32_t i = 0; i < report->row_count; i++) {
        struct activity_figures said;
        must(activity_figures(scene.activity, i, &said, &error), &error);
        bool traced = i == 1 || i == 3; /* cells, quiet */
        if (isnan(figures[i].rate) == traced)
            fail_msg("traced as '%s': %s has rate %g", pattern, report->rows[i].name,
                     figures[i].rate);
        if (traced)
            assert_alike(report->rows[i].name, &figures[i], &said);
    }
    free(figures);
    report_free(report);
    scene_end(&scene);
}

static void a_pattern_leaves_out_the_others(void **state)
{
    (void)state;
    assert_others_left_out("[cq]*");
    assert_others_left_out("[!gn]*");
}

#define LAST " WHERE id = (SELECT max(id) FROM volley WHERE population = 1)"

static void a_damaged_trace_is_told_of(void **state)
{
    (void)state;
    static const char *const damages[] = {
        "UPDATE volley SET data = x'ff'" LAST,
        "UPDATE volley SET data = NULL WHERE population = 1",
        "UPDATE volley SET tick = 1000000" LAST,
        "UPDATE volley SET tick = -5" LAST,
        "UPDATE volley SET zero = 9223372036854775807 WHERE population = 1",
    };
    const struct activity_options options = {.tick_seconds = DT, .neurons_only = true};
    for (size_t d = 0; d < sizeof damages / sizeof *damages; d++) {
        struct scene scene;
        struct error error = {0};
        scene_run(&scene, &options, everything, 1);
        sqlite3 *db;
        assert_int_equal(sqlite3_open(scene.path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, damages[d], NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        struct report *report = report_from_file(scene.path, 0, &error);
        must(report != NULL, &error);
        struct activity_figures figures[4];
        if (replay_activity(scene.path, report, &options, figures, &error))
            fail_msg("nobody complains after '%s'", damages[d]);
        assert_true(error.code != ERROR_NONE && error.text[0] != '\0');
        report_free(report);
        scene_end(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trace_says_what_the_run_said),
        cmocka_unit_test(what_is_not_all_there_says_nothing),
        cmocka_unit_test(a_pattern_leaves_out_the_others),
        cmocka_unit_test(a_damaged_trace_is_told_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
