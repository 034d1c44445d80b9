/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `volley sweep`: one model at many points, held against each other.
 *
 * Each point is a `volley run` in a process of its own, with one thread, so that its figures do not
 * depend on how many run at a time. It writes its counters into the trace; what is done stays done
 * there, and the same sweep asked for again goes on with the rest.
 */
#include "sim/options.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/run.h"
#include "sim/sweep/columns.h"
#include "sim/sweep/jobs.h"
#include "sim/sweep/request.h"

#define DEFAULT_CHIPS "event-45nm,ideal-45nm,loihi"

struct sweep {
    struct sweep_options options;
    const char *chip, *front, *trace;
    int64_t job_limit;
    bool beyond_limits, json, csv, quiet;
    const char *model;
    bool language;
    char *command;
    char folder[256]; /* of the trace, if it is not kept; "": it is */
    char *path;       /* of the trace */
    char digest[17];
    struct grid grid;
    struct cost_chips chips;
    struct sweep_table table;
    struct swept_point *points; /* [count] */
    char **texts;               /* [count], the points' options */
    size_t count;
    size_t *waiting; /* [waiting_count], the points that are to be run */
    size_t waiting_count;
    struct sweeps *sweeps;
    struct error error;
};

/* ---- one point ---- */

static char **point_arguments(const struct sweep *sweep, size_t point)
{
    char *trace;
    if (asprintf(&trace, "--trace=%s", sweep->path) < 0)
        return NULL;
    const char *const first[] = {"--json", "--quiet", "--threads=1", trace,
                                 "--trace-level=summary"};
    char **arguments = grid_arguments(&sweep->grid, point, first, sizeof first / sizeof *first,
                                      sweep->model);
    free(trace);
    return arguments;
}

static char **job_arguments(void *self, size_t job)
{
    const struct sweep *sweep = self;
    return point_arguments(sweep, sweep->waiting[job]);
}

/* The command line of a point as its run has it in the trace. */
static char *point_command(const struct sweep *sweep, size_t point)
{
    char **arguments = point_arguments(sweep, point);
    int count = 0;
    while (arguments != NULL && arguments[count] != NULL)
        count++;
    char *command = arguments != NULL ? run_command_line(count, arguments) : NULL;
    grid_arguments_free(arguments);
    return command;
}

/* The figures that only the run itself knows. */
static bool read_output(struct swept_point *point, const char *output, struct error *error)
{
    static const enum sweep_figure figures[] = {FIGURE_BITS_PER_CHARACTER, FIGURE_BITS_PER_TOKEN,
                                                FIGURE_ACCURACY};
    json_t *root = json_loads(output, 0, NULL);
    if (!json_is_object(root)) {
        json_decref(root);
        return error_set(error, ERROR_FAILED, "a point's figures cannot be read");
    }
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        const json_t *value = json_object_get(root, sweep_figure_names[figures[i]]);
        if (json_is_number(value))
            point->figure[figures[i]] = json_number_value(value);
    }
    json_decref(root);
    return true;
}

/* Of a point whose run is in the trace. */
static bool finish_point(struct sweep *sweep, size_t index)
{
    struct swept_point *point = &sweep->points[index];
    char *command = point_command(sweep, index);
    if (command == NULL)
        return error_no_memory(&sweep->error, "the sweep");
    bool done = sweeps_read_run(sweep->sweeps, command, point, &sweep->error) &&
                costs_find(point, sweep->path, &sweep->chips, &sweep->error) &&
                sweeps_put(sweep->sweeps, point, &sweep->error);
    free(command);
    return done;
}

static bool job_ended(void *self, size_t job, const struct job_end *end)
{
    struct sweep *sweep = self;
    size_t index = sweep->waiting[job];
    struct swept_point *point = &sweep->points[index];
    if (end->stopped)
        return true;
    if (end->succeeded) {
        point->status = POINT_DONE;
        return read_output(point, end->output, &sweep->error) && finish_point(sweep, index);
    }
    point->status = POINT_FAILED;
    point->message = strdup(end->reason);
    if (point->message == NULL)
        return error_no_memory(&sweep->error, "the sweep");
    return sweeps_put(sweep->sweeps, point, &sweep->error);
}

/* ---- before and after ---- */

static bool make_points(struct sweep *sweep)
{
    sweep->count = grid_points(&sweep->grid);
    sweep->points = calloc(sweep->count, sizeof *sweep->points);
    sweep->texts = calloc(sweep->count, sizeof *sweep->texts);
    sweep->waiting = calloc(sweep->count, sizeof *sweep->waiting);
    if (sweep->points == NULL || sweep->texts == NULL || sweep->waiting == NULL)
        return error_no_memory(&sweep->error, "the sweep");
    for (size_t i = 0; i < sweep->count; i++) {
        sweep->texts[i] = grid_point_options(&sweep->grid, i);
        if (sweep->texts[i] == NULL)
            return error_set(&sweep->error, ERROR_MISUSED,
                             "an option's value is not valid UTF-8 text");
        swept_point_begin(&sweep->points[i], sweep->texts[i]);
    }
    sweep->table = (struct sweep_table){.grid = &sweep->grid,
                                        .points = sweep->points,
                                        .count = sweep->count,
                                        .chips = &sweep->chips,
                                        .model = sweep->model,
                                        .data = sweep->language ? sweep->options.score
                                                                : sweep->options.input,
                                        .digest = sweep->digest,
                                        .unit = sweep->language ? "token" : "sample",
                                        .trace = sweep->trace,
                                        .language = sweep->language};
    return sweep_front_choose(&sweep->table, sweep->front, &sweep->error);
}

/* Where the trace is: as asked for, or in a new folder that goes when the program ends. */
static bool find_path(struct sweep *sweep)
{
    if (sweep->trace != NULL) {
        sweep->path = strdup(sweep->trace);
        return sweep->path != NULL || error_no_memory(&sweep->error, "the sweep");
    }
    const char *place = getenv("TMPDIR");
    int length = snprintf(sweep->folder, sizeof sweep->folder, "%s/volley-sweep.XXXXXX",
                          place != NULL && *place != '\0' ? place : "/tmp");
    if (length >= (int)sizeof sweep->folder || mkdtemp(sweep->folder) == NULL) {
        sweep->folder[0] = '\0';
        return error_set(&sweep->error, ERROR_FAILED,
                         "no folder can be made for the trace; name a file with --trace");
    }
    if (asprintf(&sweep->path, "%s/sweep.db", sweep->folder) >= 0)
        return true;
    sweep->path = NULL;
    return error_no_memory(&sweep->error, "the sweep");
}

/* Finds what has been done before; the rest waits. */
static bool begin(struct sweep *sweep)
{
    char *axes = grid_axes_text(&sweep->grid), *settings = grid_settings_text(&sweep->grid);
    const struct swept_model model = {.command = sweep->command,
                                      .model = sweep->model,
                                      .data = sweep->table.data,
                                      .kind = sweep->language ? "language" : "network",
                                      .digest = sweep->digest,
                                      .axes = axes,
                                      .settings = settings,
                                      .unit = sweep->table.unit};
    bool done = axes != NULL && settings != NULL;
    if (!done)
        error_no_memory(&sweep->error, "the sweep");
    done = done && (sweep->sweeps = sweeps_open(sweep->path, &sweep->error)) != NULL &&
           sweeps_begin(sweep->sweeps, &model, sweep->points, sweep->count, &sweep->error);
    free(axes);
    free(settings);
    for (size_t i = 0; done && i < sweep->count; i++)
        if (sweep->points[i].status == POINT_DONE)
            done = finish_point(sweep, i);
        else
            sweep->waiting[sweep->waiting_count++] = i;
    size_t found = sweep->count - sweep->waiting_count;
    if (done && found > 0 && !sweep->quiet)
        fprintf(stderr, "volley: %zu of %zu points are in %s already\n", found, sweep->count,
                sweep->path);
    return done;
}

static bool print(struct sweep *sweep)
{
    if (!sweep_front_mark(&sweep->table, sweep->points))
        return error_no_memory(&sweep->error, "the sweep");
    if (!sweeps_put_front(sweep->sweeps, sweep->points, sweep->count, &sweep->error))
        return false;
    bool printed = true;
    if (sweep->json)
        printed = sweep_json(stdout, &sweep->table, &sweep->error);
    else if (sweep->csv)
        sweep_csv(stdout, &sweep->table);
    else
        sweep_screen(stdout, &sweep->table);
    return printed && (fflush(stdout) == 0 ||
                       error_set(&sweep->error, ERROR_FAILED, "standard output cannot be written"));
}

static bool any_failed(const struct sweep *sweep)
{
    for (size_t i = 0; i < sweep->count; i++)
        if (sweep->points[i].status == POINT_FAILED)
            return true;
    return false;
}

/* Everything that can be found wrong is found before a file is made. */
static bool prepare(struct sweep *sweep)
{
    struct error *error = &sweep->error;
    if (sweep->json && sweep->csv)
        return error_set(error, ERROR_MISUSED, "--json or --csv, one only");
    sweep->language = !model_file_is_network(sweep->model);
    sweep->chips.beyond_limits = sweep->beyond_limits;
    return sweep_request_read(&sweep->grid, &sweep->options, sweep->model, sweep->language,
                              error) &&
           cost_chips_read(&sweep->chips, sweep->chip, error) && make_points(sweep) &&
           sweep_request_digest(&sweep->options, sweep->model, sweep->language, sweep->digest,
                                error);
}

static int perform(struct sweep *sweep)
{
    int signal_number = 0;
    const struct jobs jobs = {.self = sweep,
                              .count = sweep->waiting_count,
                              .limit = sweep->job_limit,
                              .quiet = sweep->quiet,
                              .arguments = job_arguments,
                              .ended = job_ended};
    if (!jobs_run(&jobs, &signal_number, &sweep->error) || !print(sweep))
        return command_failed(&sweep->error);
    return signal_number != 0 ? 128 + signal_number : any_failed(sweep);
}

static void release(struct sweep *sweep)
{
    sweeps_close(sweep->sweeps);
    if (sweep->folder[0] != '\0') {
        if (sweep->path != NULL)
            sweeps_remove(sweep->path);
        rmdir(sweep->folder);
    }
    for (size_t i = 0; i < sweep->count && sweep->points != NULL && sweep->texts != NULL; i++) {
        swept_point_clear(&sweep->points[i]);
        free(sweep->texts[i]);
    }
    free(sweep->points);
    free(sweep->texts);
    free(sweep->waiting);
    cost_chips_free(&sweep->chips);
    grid_free(&sweep->grid);
    free(sweep->command);
    free(sweep->path);
}

static int sweep_main(int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct sweep sweep = {.options = {.model = MODEL_FILE_DEFAULTS},
                          .chip = DEFAULT_CHIPS,
                          .job_limit = cores > 0 ? cores : 1};
    struct sweep_options *o = &sweep.options;
    const struct option_line lines[] = {
        {"coding", "NAMES", "language models: codings with commas between, or all", OPTION_TEXT,
         &o->coding, 0, 0},
        {"k", "KS", "… thresholds = mean|x| / K", OPTION_TEXT, &o->k, 0, 0},
        {"threshold", "SPANS", "… token, group, head (networks: strict or inclusive)",
         OPTION_TEXT, &o->model.threshold, 0, 0},
        {"down-proj", "MODES", "… paper, repo", OPTION_TEXT, &o->down_proj, 0, 0},
        {"score", "FILE", "the text whose bits per character are found", OPTION_TEXT, &o->score, 0,
         0},
        {"k-at", "GLOB=K,…", "another K for populations of such names", OPTION_TEXT, &o->k_at, 0,
         0},
        {"lanes", "N", "tokens that travel together (default 128)", OPTION_TEXT, &o->lanes, 0, 0},
        {"window", "N", "keys a window layer sees, itself included", OPTION_TEXT, &o->window, 0, 0},
        {"encode", "SCHEMES", "networks: NAME or NAME:PARAMETER=VALUE,… or all", OPTION_TEXT,
         &o->encode, 0, 0},
        {"ticks", "NS", "… ticks of a sample", OPTION_TEXT, &o->ticks, 0, 0},
        {"input", "FILE", "the samples (see volley run --help)", OPTION_TEXT, &o->input, 0, 0},
        {"labels", "FILE", "their labels: gives accuracy", OPTION_TEXT, &o->labels, 0, 0},
        {"samples", "A:B", "only samples A to B-1", OPTION_TEXT, &o->samples, 0, 0},
        {"input-population", "NAME", "which population takes them, if there are several",
         OPTION_TEXT, &o->population, 0, 0},
        {"timeless", NULL, "rows of an array are samples, not ticks", OPTION_FLAG, &o->timeless, 0,
         0},
        {"as", "NAME", "habits of a framework (see volley run --help)", OPTION_TEXT,
         &o->model.framework, 0, 0},
        {"dt", "S", "seconds in a tick", OPTION_NUMBER, &o->model.dt, 1e-12, 1e3},
        {"integration", "HOW", "exact, euler or event", OPTION_TEXT, &o->model.integration, 0, 0},
        {"reset", "HOW", "value or subtract", OPTION_TEXT, &o->model.reset, 0, 0},
        {"spike-area", "HOW", "hold, impulse or jump", OPTION_TEXT, &o->model.spike_area, 0, 0},
        {"seed", "N", "of all random numbers (default: what the file says)", OPTION_INTEGER,
         &o->model.seed, 0, 9e18},
        {"chip", "NAMES", "what it would cost on these (volley chips)", OPTION_TEXT, &sweep.chip, 0,
         0},
        {"beyond-limits", NULL, "also where it does not fit", OPTION_FLAG, &sweep.beyond_limits, 0,
         0},
        {"front", "X,Y", "columns of the Pareto front, named as in --csv", OPTION_TEXT,
         &sweep.front, 0, 0},
        {"trace", "DB", "keep all runs here; what is done is not done again", OPTION_TEXT,
         &sweep.trace, 0, 0},
        {"jobs", "N", "points at a time (default: cores); the same figures", OPTION_INTEGER,
         &sweep.job_limit, 1, 1024},
        {"json", NULL, "everything as JSON, in SI units", OPTION_FLAG, &sweep.json, 0, 0},
        {"csv", NULL, "the same as CSV, a line for each point", OPTION_FLAG, &sweep.csv, 0, 0},
        {"quiet", NULL, "no progress on standard error", OPTION_FLAG, &sweep.quiet, 0, 0},
    };
    const size_t length = sizeof lines / sizeof *lines;
    size_t count = 0;
    bool help = false;
    bool good =
        options_parse(argc, argv, lines, length, &sweep.model, 1, &count, &help, &sweep.error);
    if (good && help) {
        options_print_help(stdout, &command_sweep, lines, length,
                           "Points are all combinations of the values given. Without --chip:\n"
                           DEFAULT_CHIPS ". The front weighs quality against\n"
                           "energy on the first chip.\n");
        return 0;
    }
    if (good && count != 1)
        good = error_set(&sweep.error, ERROR_MISUSED, "which model? See volley sweep --help");
    sweep.command = good ? run_command_line(argc, argv) : NULL;
    if (good && sweep.command == NULL)
        good = error_no_memory(&sweep.error, "the command line");
    good = good && prepare(&sweep) && find_path(&sweep) && begin(&sweep);
    int code = good ? perform(&sweep) : command_failed(&sweep.error);
    release(&sweep);
    return code;
}

const struct command command_sweep = {
    .name = "sweep",
    .arguments = "MODEL --LIST VALUE,… --score|--input FILE [OPTION …]",
    .summary = "Runs a model at many points and compares quality, spikes, energy and time.",
    .run = sweep_main,
};
