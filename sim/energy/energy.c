/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `volley energy`: what a traced run would cost on chips, from the trace alone.
 *
 * Everything that can be found wrong with what was asked for is found before the first output; the
 * estimates are stored before they are shown, so that a shown one can be queried. A trace that
 * cannot be written is no failure: a sentence says so.
 */
#include "sim/options.h"

#include <stdlib.h>
#include <string.h>

#include "sim/energy/json.h"
#include "sim/energy/tables.h"
#include "sim/energy/screen.h"
#include "traces/energy/store.h"

#define DEFAULT_CHIPS "loihi,truenorth,spinnaker2,event-45nm"

struct energy_options {
    int64_t run, seed, samples;
    const char *chip, *baseline, *layers, *placement, *what_if, *channel_order;
    bool beyond_limits, queue, break_even, waterfall, neurobench, json, csv, no_store;
};

struct energy_run {
    struct energy_options options;
    const char *path;
    struct load *load;
    struct comparison_request request;
    struct comparison comparison;
    struct energy_tables tables;
    const struct chip_cost *focus; /* its layers are shown; NULL: none's */
    struct error error;
};

/* ---- what was asked for ---- */

static bool read_placement(struct energy_run *run)
{
    const char *name = run->options.placement;
    char known[128] = "";
    for (int i = 0; placement_names[i] != NULL; i++) {
        if (strcmp(name, placement_names[i]) == 0) {
            run->request.options.method = (enum placement_method)i;
            return true;
        }
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "", placement_names[i]);
    }
    return error_set(&run->error, ERROR_MISUSED, "--placement is one of %s, not '%.60s'", known,
                     name);
}

static bool read_options(struct energy_run *run)
{
    const struct energy_options *o = &run->options;
    struct estimate_options *options = &run->request.options;
    bool natural = strcmp(o->channel_order, "natural") == 0;
    if (!natural && strcmp(o->channel_order, "by-activity") != 0)
        return error_set(&run->error, ERROR_MISUSED,
                         "--channel-order is natural or by-activity, not '%.60s'",
                         o->channel_order);
    if (o->json && o->csv)
        return error_set(&run->error, ERROR_MISUSED, "--json or --csv, one only");
    if (o->csv && (o->break_even || o->waterfall || o->neurobench))
        return error_set(&run->error, ERROR_MISUSED,
                         "--csv holds joules by chip, population and term; other tables have "
                         "--json");
    if (!read_placement(run))
        return false;
    options->beyond_limits = o->beyond_limits;
    options->seed = (uint64_t)o->seed;
    options->samples = (uint32_t)o->samples;
    options->queue = o->queue;
    options->by_activity = !natural;
    run->request.chips = o->chip;
    run->request.baselines = o->baseline;
    run->request.changes = o->what_if;
    return true;
}

/* What the load must have for what was asked for. */
static bool check_load(struct energy_run *run)
{
    const struct load *load = run->load;
    const struct estimate_options *options = &run->request.options;
    bool placed = false;
    for (uint32_t i = 0; i < load->population_count; i++)
        placed |= load->populations[i].placed;
    if (!placed)
        return error_set(&run->error, ERROR_MISUSED,
                         "run %lld of '%s' has no spikes: there is nothing to project onto a chip",
                         (long long)load->run, run->path);
    if (load->ticks == 0)
        return error_set(&run->error, ERROR_MISUSED,
                         "run %lld of '%s' ended before anything was counted",
                         (long long)load->run, run->path);
    if ((options->queue || options->by_activity) && !load->has_spikes)
        return error_set(&run->error, ERROR_MISUSED,
                         "%s needs every spike in the trace: run the model again with "
                         "--trace-level spike",
                         options->queue ? "--queue" : "--channel-order by-activity");
    if (options->method == PLACEMENT_EXPLICIT && load->placed_count == 0)
        return error_set(&run->error, ERROR_MISUSED,
                         "run %lld of '%s' has no placement of its own: --placement explicit is "
                         "for networks whose file has one",
                         (long long)load->run, run->path);
    return true;
}

/* The chip whose layers are shown: --layers, or the only one. */
static bool choose_focus(struct energy_run *run)
{
    const struct comparison *comparison = &run->comparison;
    const char *wanted = run->options.layers;
    if (wanted == NULL) {
        run->focus = comparison->asked == 1 ? &comparison->chips[0] : NULL;
        return true;
    }
    run->focus = comparison_find(comparison, wanted);
    return run->focus != NULL ||
           error_set(&run->error, ERROR_MISUSED,
                     "--layers %.60s: that is none of the chips here; name it in --chip, too",
                     wanted);
}

/* Whether the run fits on any of the chips that were asked for; if not, says why. */
static bool check_fit(struct energy_run *run)
{
    const struct comparison *comparison = &run->comparison;
    for (size_t i = 0; i < comparison->asked; i++)
        if (comparison->chips[i].estimate != NULL)
            return true;
    const char *reason = comparison->chips[0].failure.text;
    if (comparison->asked == 1)
        return error_set(&run->error, ERROR_FAILED, "%s", reason);
    return error_set(&run->error, ERROR_FAILED, "it fits on none of these %zu chips; on %.60s: %s",
                     comparison->asked, comparison->chips[0].chip->name, reason);
}

/* ---- what comes out ---- */

static void store(const struct energy_run *run)
{
    const struct comparison *comparison = &run->comparison;
    struct stored_estimate *stored = calloc(comparison->count + 1, sizeof *stored);
    struct error error = {0};
    size_t count = 0;
    for (size_t i = 0; stored != NULL && i < comparison->count; i++)
        if (comparison->chips[i].estimate != NULL)
            stored[count++] = (struct stored_estimate){comparison->chips[i].estimate,
                                                       comparison->chips[i].changes};
    if (stored == NULL)
        error_no_memory(&error, "the estimates");
    if (stored == NULL || !store_estimates(stored, count, &error))
        fprintf(stderr, "volley: the estimates are not stored: %s\n", error.text);
    free(stored);
}

static void print_screen(const struct energy_run *run)
{
    screen_energy_totals(stdout, &run->comparison);
    if (run->focus != NULL && run->focus->estimate != NULL)
        screen_energy_layers(stdout, run->focus->estimate);
    if (run->request.options.by_activity)
        screen_energy_channels(stdout, &run->comparison);
    screen_energy_tables(stdout, &run->comparison, &run->tables);
}

static bool print(struct energy_run *run)
{
    bool printed = true;
    if (run->options.json)
        printed = energy_json_print(stdout, &run->comparison, &run->tables, &run->error);
    else if (run->options.csv)
        energy_csv_print(stdout, &run->comparison);
    else
        print_screen(run);
    return printed && (fflush(stdout) == 0 ||
                       error_set(&run->error, ERROR_FAILED, "standard output cannot be written"));
}

static bool project(struct energy_run *run)
{
    if (!read_options(run))
        return false;
    run->load = load_from_file(run->path, run->options.run, &run->error);
    if (run->load == NULL || !check_load(run) ||
        !comparison_make(&run->comparison, run->load, &run->request, &run->error) ||
        !choose_focus(run) || !check_fit(run))
        return false;
    const struct energy_tables_request request = {.break_even = run->options.break_even,
                                                  .waterfall = run->options.waterfall,
                                                  .neurobench = run->options.neurobench,
                                                  .focus = run->focus};
    if (!energy_tables_make(&run->tables, &run->comparison, &request, &run->error))
        return false;
    if (!run->options.no_store)
        store(run);
    return print(run);
}

static int energy_main(int argc, char **argv)
{
    struct energy_run run = {.options = {.seed = 1,
                                         .samples = 1000,
                                         .chip = DEFAULT_CHIPS,
                                         .baseline = "fp16,int8",
                                         .placement = "in-order",
                                         .channel_order = "natural"}};
    struct energy_options *o = &run.options;
    const struct option_line lines[] = {
        {"run", "N", "which run in the file (default: the newest)", OPTION_INTEGER, &o->run, 1,
         9e15},
        {"chip", "NAMES", "names or FILE.json, commas between (volley chips)", OPTION_TEXT,
         &o->chip, 0, 0},
        {"baseline", "NAMES", "dense chips beside them (default: fp16,int8), or none", OPTION_TEXT,
         &o->baseline, 0, 0},
        {"layers", "CHIP", "population x cause, placement and time of this one", OPTION_TEXT,
         &o->layers, 0, 0},
        {"placement", "METHOD", "in-order, greedy, annealed or explicit", OPTION_TEXT,
         &o->placement, 0, 0},
        {"beyond-limits", NULL, "place the run though it does not fit", OPTION_FLAG,
         &o->beyond_limits, 0, 0},
        {"queue", NULL, "latency with messages waiting for links, too", OPTION_FLAG, &o->queue, 0,
         0},
        {"channel-order", "ORDER", "natural or by-activity: what reordering would save",
         OPTION_TEXT, &o->channel_order, 0, 0},
        {"what-if", "KEY=VALUE", "figures changed: energy.synop=20pJ,time.tick=1ms", OPTION_TEXT,
         &o->what_if, 0, 0},
        {"samples", "N", "draws for the 90% intervals (default: 1000)", OPTION_INTEGER,
         &o->samples, 0, 1e6},
        {"seed", "N", "of these draws and of annealing (default: 1)", OPTION_INTEGER, &o->seed, 0,
         9e15},
        {"break-even", NULL, "the spike rate at which a dense chip costs as much", OPTION_FLAG,
         &o->break_even, 0, 0},
        {"waterfall", NULL, "from the ideal formula to all causes, one by one", OPTION_FLAG,
         &o->waterfall, 0, 0},
        {"neurobench", NULL, "NeuroBench's metrics of complexity", OPTION_FLAG, &o->neurobench, 0,
         0},
        {"json", NULL, "everything as JSON, in SI units", OPTION_FLAG, &o->json, 0, 0},
        {"csv", NULL, "joules by chip, population and term as CSV", OPTION_FLAG, &o->csv, 0, 0},
        {"no-store", NULL, "leave the trace as it is", OPTION_FLAG, &o->no_store, 0, 0},
    };
    const size_t length = sizeof lines / sizeof *lines;
    size_t count = 0;
    bool help = false;
    bool good = options_parse(argc, argv, lines, length, &run.path, 1, &count, &help, &run.error);
    if (good && help) {
        options_print_help(stdout, &command_energy, lines, length,
                           "Without --chip: " DEFAULT_CHIPS ".\n"
                           "One chip alone, or --layers: its populations, placement and time, "
                           "too.\n");
        return 0;
    }
    if (good && count != 1)
        good = error_set(&run.error, ERROR_MISUSED, "which trace? See volley energy --help");
    good = good && project(&run);
    energy_tables_free(&run.tables);
    comparison_free(&run.comparison);
    load_free(run.load);
    return good ? 0 : command_failed(&run.error);
}

const struct command command_energy = {
    .name = "energy",
    .arguments = "TRACE.db [OPTION …]",
    .summary = "Projects a run onto chips: energy and time, by layer and by cause.",
    .run = energy_main,
};
