/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `volley run` of a spiking network, from a NIR file or a native document.
 *
 * As for language models: everything that can be found wrong is found before the first output and
 * before a file is made; what is opened is closed on every path.
 */
#include "sim/run.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/experiment.h"
#include "sim/live.h"
#include "sim/model_file.h"
#include "sim/screen.h"
#include "traces/activity.h"

struct network_options {
    struct model_file_options model;
    const char *input, *population, *labels, *encode, *samples;
    const char *trace, *trace_level, *trace_populations, *trace_ticks, *trace_samples;
    const char *record, *record_to, *predictions, *output, *updates, *vector;
    int64_t ticks, threads;
    double duration, warm_up;
    bool timeless, json, quiet, count_updates;
};

struct network_run {
    struct network_options options;
    const char *path;
    char *command;
    struct blueprint *blueprint;
    struct workers *workers;
    struct network *network;
    struct recording *recording;
    struct scheme_settings scheme;
    struct tally *tally;
    struct activity *activity;
    struct trace *trace;
    int64_t trace_run;
    struct run_facts facts;
    struct experiment experiment;
    double build_seconds;
    struct error error;
};

/* ---- what comes in ---- */

/* Options that say how to read --input mean nothing without it. */
static bool check_input_options(const struct network_options *o, struct error *error)
{
    const char *idle = o->encode != NULL    ? "--encode"
                       : o->samples != NULL ? "--samples"
                       : o->labels != NULL  ? "--labels"
                       : o->population != NULL ? "--input-population"
                       : o->timeless        ? "--timeless"
                                            : NULL;
    return o->input != NULL || idle == NULL ||
           error_set(error, ERROR_MISUSED, "%s goes with --input FILE", idle);
}

static bool find_input_population(struct network_run *run)
{
    const struct blueprint *blueprint = run->blueprint;
    const char *wanted = run->options.population;
    uint32_t found = UINT32_MAX, inputs = 0;
    for (uint32_t i = 0; i < blueprint->population_count; i++) {
        const struct blueprint_population *p = &blueprint->populations[i];
        if (p->model != NULL || p->spikes != NULL)
            continue;
        inputs++;
        if (wanted == NULL || strcmp(wanted, p->name) == 0)
            found = found == UINT32_MAX ? i : found;
    }
    run->experiment.input = found;
    if (wanted != NULL && found == UINT32_MAX)
        return error_set(&run->error, ERROR_MISUSED, "%s: there is no input population '%.60s'",
                         run->path, wanted);
    if (run->options.input == NULL)
        return inputs == 0 ||
               error_set(&run->error, ERROR_MISUSED,
                         "%s: population %s waits for input; give it with --input FILE", run->path,
                         blueprint->populations[found].name);
    if (inputs == 0)
        return error_set(&run->error, ERROR_MISUSED, "%s has no population that takes --input",
                         run->path);
    return inputs == 1 || wanted != NULL ||
           error_set(&run->error, ERROR_MISUSED,
                     "%s has %u input populations; say which with --input-population NAME",
                     run->path, inputs);
}

static bool open_input(struct network_run *run)
{
    const struct network_options *o = &run->options;
    struct experiment *experiment = &run->experiment;
    int64_t first, last;
    experiment->samples = 1;
    if (!run_range("--samples", o->samples, &first, &last, &run->error))
        return false;
    if (o->input == NULL)
        return true;
    const struct blueprint_population *p = &run->blueprint->populations[experiment->input];
    if (o->encode != NULL && !scheme_parse(o->encode, &run->scheme, &run->error))
        return false;
    /* a scheme may need several neurons for a value: whether they fit is seen later */
    struct recording_options options = {.tick_seconds = run->blueprint->rules.dt,
                                        .neurons = o->encode == NULL ? p->neurons : 0,
                                        .timeless = o->timeless,
                                        .population = p->name,
                                        .labels = o->labels};
    run->recording = recording_open(o->input, &options, &run->error);
    if (run->recording == NULL)
        return false;
    experiment->recording = run->recording;
    if ((uint64_t)first >= run->recording->samples)
        return error_set(&run->error, ERROR_MISUSED,
                         "%s has %llu samples; --samples %s begins behind them", o->input,
                         (unsigned long long)run->recording->samples, o->samples);
    experiment->first_sample = (uint64_t)first;
    experiment->samples = run->recording->samples - (uint64_t)first;
    if (experiment->samples > (uint64_t)(last - first))
        experiment->samples = (uint64_t)(last - first);
    return true;
}

/* Whether the input population puts out values. Whole numbers are spikes with payloads. */
static bool input_shows(const struct network_run *run)
{
    const struct recording *recording = run->recording;
    if (recording == NULL)
        return false;
    if (run->experiment.scheme != NULL)
        return run->scheme.scheme->form == SCHEME_CURRENT;
    return !recording_is_spiking(recording);
}

/* Whether a sample of the recording knows how long it lasts: by itself, or by the scheme. */
static bool has_own_length(const struct network_run *run)
{
    const struct recording *recording = run->recording;
    const struct scheme *scheme = run->scheme.scheme;
    if (recording == NULL)
        return false;
    if (recording->content != RECORDING_VALUES || scheme == NULL || scheme->form == SCHEME_GROUP)
        return true; /* or is refused before it matters */
    int ticks = scheme_parameter(scheme, "ticks");
    return ticks < 0 || (run->scheme.given & UINT32_C(1) << ticks) != 0;
}

static bool find_length(struct network_run *run)
{
    const struct network_options *o = &run->options;
    const struct blueprint *blueprint = run->blueprint;
    if (o->ticks > 0 && o->duration > 0)
        return error_set(&run->error, ERROR_MISUSED,
                         "--ticks and --duration say the same; give one");
    double duration = o->duration > 0 ? o->duration : blueprint->duration;
    double ticks = o->ticks > 0 ? (double)o->ticks : nearbyint(duration / blueprint->rules.dt);
    if (o->ticks == 0 && o->duration <= 0 && has_own_length(run))
        return true;
    if (ticks < 1)
        return error_set(&run->error, ERROR_MISUSED,
                         "how long shall it run? Give --duration in seconds or --ticks");
    if (ticks > 1e15)
        return error_set(&run->error, ERROR_MISUSED, "%g ticks are too many", ticks);
    run->experiment.ticks = (int64_t)ticks;
    if (o->warm_up >= ticks * blueprint->rules.dt)
        return error_set(&run->error, ERROR_MISUSED,
                         "--warm-up %g leaves nothing of a run of %g s", o->warm_up,
                         ticks * blueprint->rules.dt);
    return true;
}

/* Settles the scheme, if there is one, and sees that what it makes fits the input and the run. */
static bool settle_scheme(struct network_run *run)
{
    const struct network_options *o = &run->options;
    const struct recording *recording = run->recording;
    struct experiment *experiment = &run->experiment;
    if (recording == NULL || (o->encode == NULL && recording->content != RECORDING_VALUES))
        return true;
    if (o->encode == NULL)
        return error_set(&run->error, ERROR_MISUSED,
                         "%s holds values without time: choose --encode SCHEME (volley encode "
                         "--list), and --ticks N or --duration S", o->input);
    struct scheme_settings *scheme = &run->scheme;
    scheme->seed = run->blueprint->rules.seed;
    scheme->owner = experiment->input;
    if (!recording_settle_scheme(recording, experiment->ticks, scheme, &run->error))
        return false;
    const struct blueprint_population *p = &run->blueprint->populations[experiment->input];
    uint64_t inputs = recording_inputs(recording, scheme);
    if (inputs != p->neurons)
        return error_set(&run->error, ERROR_MISUSED,
                         "%s: has %u values at a time, which scheme %s gives to %llu neurons, but "
                         "the input population %s has %u", o->input, recording->neurons,
                         scheme->scheme->name, (unsigned long long)inputs, p->name, p->neurons);
    experiment->scheme = scheme;
    if (recording->content != RECORDING_VALUES)
        return true;
    bool group = scheme->scheme->form == SCHEME_GROUP;
    int64_t ticks = group ? recording->neurons : scheme_ticks(scheme);
    if (experiment->ticks == 0)
        experiment->ticks = ticks;
    /* of a window, a shorter run sees the first in order */
    return group ||
           ticks <= experiment->ticks ||
           error_set(&run->error, ERROR_MISUSED,
                     "scheme %s takes %lld ticks for each value, but a sample runs for %lld; give "
                     "more --ticks, or it fewer", scheme->scheme->name, (long long)ticks,
                     (long long)experiment->ticks);
}

/* ---- what goes out ---- */

static bool add_probe(struct network_run *run, struct probe probe, const char *path)
{
    struct experiment *experiment = &run->experiment;
    struct probe *probes =
        realloc(experiment->probes, (experiment->probe_count + 1) * sizeof *probes);
    if (probes == NULL)
        return error_no_memory(&run->error, "recordings");
    experiment->probes = probes;
    uint32_t neurons = run->blueprint->populations[probe.population].neurons;
    probe.values = malloc(neurons * sizeof *probe.values);
    if (probe.values == NULL)
        return error_no_memory(&run->error, "recordings");
    probe.file = matrix_file_open(path, probe.count, true, &run->error);
    probes[experiment->probe_count++] = probe; /* also without a file: released with the rest */
    return probe.file != NULL;
}

/* POPULATION.VARIABLE=FILE.npy */
static bool add_recording(struct network_run *run, char *text)
{
    char *file = strchr(text, '=');
    if (file != NULL)
        *file++ = '\0';
    char *variable = strrchr(text, '.');
    if (file == NULL || *file == '\0' || variable == NULL)
        return error_set(&run->error, ERROR_MISUSED,
                         "--record takes POPULATION.VARIABLE=FILE.npy, not '%.60s'", text);
    *variable++ = '\0';
    int64_t population = blueprint_find(run->blueprint, text);
    if (population < 0)
        return error_set(&run->error, ERROR_MISUSED, "--record: there is no population '%.60s'",
                         text);
    const struct blueprint_population *p = &run->blueprint->populations[population];
    int index = p->model != NULL ? cell_model_variable(p->model, variable) : -1;
    if (index < 0)
        return error_set(&run->error, ERROR_MISUSED,
                         "--record: population %s has no state variable '%.60s'", text, variable);
    struct probe probe = {(uint32_t)population, (uint32_t)index, 0, p->neurons, 1, NULL, NULL};
    return add_probe(run, probe, file);
}

static bool open_probes(struct network_run *run)
{
    const struct network_options *o = &run->options;
    const struct blueprint *blueprint = run->blueprint;
    char *list = o->record != NULL ? strdup(o->record) : NULL, *rest = list, *item;
    bool done = o->record == NULL || list != NULL || error_no_memory(&run->error, "recordings");
    while (done && rest != NULL && (item = strsep(&rest, ",")) != NULL)
        done = add_recording(run, item);
    free(list);
    for (uint32_t i = 0; done && o->record_to != NULL && i < blueprint->recording_count; i++) {
        const struct blueprint_recording *r = &blueprint->recordings[i];
        const struct blueprint_population *p = &blueprint->populations[r->population];
        char *path;
        if (asprintf(&path, "%s/%s.%s.npy", o->record_to, p->name,
                     p->model->variables[r->variable].name) < 0)
            return error_no_memory(&run->error, "recordings");
        done = add_probe(run, (struct probe){r->population, r->variable, r->first, r->count,
                                             r->every, NULL, NULL}, path);
        free(path);
    }
    if (done && o->record_to == NULL && o->record == NULL && blueprint->recording_count > 0 &&
        !o->quiet)
        fprintf(stderr, "volley: %s asks for recordings; --record-to FOLDER writes them\n",
                run->path);
    return done;
}

static bool make_outcomes(struct network_run *run)
{
    struct experiment *experiment = &run->experiment;
    uint32_t count = run->blueprint->population_count;
    experiment->outcomes = calloc(count, sizeof *experiment->outcomes);
    if (experiment->outcomes == NULL)
        return error_no_memory(&run->error, "the outputs");
    for (uint32_t i = 0; i < count; i++) {
        const struct blueprint_population *p = &run->blueprint->populations[i];
        if (!p->output || p->model == NULL)
            continue;
        struct outcome *outcome = &experiment->outcomes[experiment->outcome_count];
        outcome->population = i;
        outcome->spikes = calloc(p->neurons, sizeof *outcome->spikes);
        if (outcome->spikes == NULL)
            return error_no_memory(&run->error, "the outputs");
        experiment->outcome_count++;
    }
    const char *path = run->options.predictions;
    experiment->output = run->options.output;
    if ((path != NULL || experiment->output != NULL) && experiment->outcome_count == 0)
        return error_set(&run->error, ERROR_MISUSED,
                         "%s has no output population, so there is nothing to write", run->path);
    if (experiment->output != NULL && experiment->samples > 1)
        return error_set(&run->error, ERROR_MISUSED,
                         "--output takes one sample; choose it with --samples N:N+1");
    int64_t ticks = experiment->ticks > 0 || run->recording == NULL ? experiment->ticks
                                                                    : run->recording->ticks;
    if (experiment->output != NULL && !experiment_keep(experiment, ticks, &run->error))
        return false;
    if (path == NULL)
        return true;
    experiment->predictions = fopen(path, "w");
    return experiment->predictions != NULL ||
           error_set(&run->error, ERROR_MISUSED, "%s: %s", path, strerror(errno));
}

static bool open_trace(struct network_run *run)
{
    const struct network_options *o = &run->options;
    struct trace_options options = {.level = TRACE_VOLLEY, .populations = o->trace_populations};
    if (!run_trace_level(o->trace_level, &options.level, &run->error) ||
        (o->trace_ticks != NULL && o->trace_samples != NULL &&
         !error_set(&run->error, ERROR_MISUSED,
                    "give --trace-ticks or --trace-samples, not both")) ||
        !run_range("--trace-ticks", o->trace_ticks, &options.first, &options.last, &run->error))
        return false;
    options.by_tick = o->trace_samples == NULL;
    if (!options.by_tick && !run_range("--trace-samples", o->trace_samples, &options.first,
                                       &options.last, &run->error))
        return false;
    if (o->trace == NULL)
        return true;
    run->trace = trace_open(o->trace, &options, &run->facts, run->network, &run->error);
    if (run->trace == NULL)
        return false;
    trace_watch(run->trace, run->tally);
    return network_observe(run->network, trace_observer(run->trace), &run->error);
}

/* ---- the run ---- */

static bool find_updates(const char *name, enum update_rule *rule, struct error *error)
{
    static const char *const names[] = {"auto", "all", "touched"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) {
            *rule = (enum update_rule)i;
            return true;
        }
    return error_set(error, ERROR_MISUSED, "--updates is auto, all or touched, not '%.60s'", name);
}

/* In all populations that have a state and something that moves it. */
static bool count_updates(struct network_run *run)
{
    for (uint32_t i = 0; i < run->blueprint->population_count; i++) {
        struct population *population = run->network->populations[i];
        if (run->blueprint->populations[i].model != NULL && population->port_count > 0 &&
            !cells_count_updates(population, &run->error))
            return false;
    }
    return true;
}

static bool build(struct network_run *run)
{
    const struct network_options *o = &run->options;
    struct build_options options = {.inputs_show = input_shows(run)};
    if (!find_updates(o->updates, &options.updates, &run->error))
        return false;
    const struct kernels *kernels = kernels_find(o->vector, &run->error);
    run->workers = kernels != NULL ? workers_new((uint32_t)o->threads, &run->error) : NULL;
    if (run->workers == NULL)
        return false;
    options.workers = run->workers;
    double start = seconds_now();
    run->network = blueprint_build(run->blueprint, &options, &run->error);
    if (run->network == NULL)
        return false;
    run->network->workers = run->workers;
    run->network->kernels = kernels;
    bool sealed = (!o->count_updates || count_updates(run)) &&
                  network_seal(run->network, &run->error);
    run->build_seconds = seconds_now() - start;
    return sealed;
}

static bool observe(struct network_run *run)
{
    struct network *network = run->network;
    struct error *error = &run->error;
    const double dt = network->tick_seconds;
    run->tally = tally_new(network, error);
    if (run->tally == NULL || !network_observe(network, tally_observer(run->tally), error))
        return false;
    struct activity_options activity = {.tick_seconds = dt,
                                        .neurons_only = true,
                                        .start = (int64_t)nearbyint(run->options.warm_up / dt)};
    run->activity = activity_new(network, &activity, error);
    return run->activity != NULL &&
           network_observe(network, activity_observer(run->activity), error) &&
           network_observe(network, experiment_observer(&run->experiment), error);
}

static void find_facts(struct network_run *run)
{
    run->facts = (struct run_facts){.command = run->command,
                                    .model = run->path,
                                    .model_digest = run->blueprint->digest,
                                    .seed = run->blueprint->rules.seed,
                                    .sampled = run->recording != NULL,
                                    .stride = (uint32_t)run->experiment.stride,
                                    .placements = run->blueprint->placements,
                                    .placement_count = run->blueprint->placement_count};
    int64_t ticks = run->experiment.ticks > 0 ? run->experiment.ticks : run->recording->ticks;
    uint64_t weights = 0;
    for (uint32_t i = 0; i < run->network->projection_count; i++)
        weights += run->network->projections[i]->weight_count;
    if (__builtin_mul_overflow(weights, (uint64_t)ticks, &run->facts.dense_macs))
        run->facts.dense_macs = UINT64_MAX;
}

static bool prepare(struct network_run *run)
{
    run->blueprint = model_file_open(run->path, &run->options.model, &run->error);
    if (run->blueprint == NULL)
        return false;
    for (uint32_t i = 0; i < run->blueprint->warning_count && !run->options.quiet; i++)
        fprintf(stderr, "volley: %s\n", run->blueprint->warnings[i]);
    if (!check_input_options(&run->options, &run->error) || !find_input_population(run) ||
        !open_input(run) || !find_length(run) || !settle_scheme(run) || !build(run) ||
        !observe(run))
        return false;
    run->experiment.blueprint = run->blueprint;
    run->experiment.network = run->network;
    run->experiment.stride =
        run->blueprint->rules.integration == INTEGRATE_EVENT ? EVENT_RESOLUTION : 1;
    find_facts(run);
    return make_outcomes(run) && open_probes(run) && open_trace(run);
}

static bool run_experiment(void *experiment)
{
    return experiment_run(experiment);
}

static void describe(void *self, char *line, size_t room)
{
    struct experiment *experiment = self;
    unsigned long long tick = atomic_load(&experiment->tick),
                       sample = atomic_load(&experiment->sample);
    if (experiment->samples > 1)
        snprintf(line, room, "sample %llu of %llu", sample + 1,
                 (unsigned long long)experiment->samples);
    else
        snprintf(line, room, "%.3f of %.3f s simulated",
                 (double)tick * experiment->blueprint->rules.dt,
                 (double)experiment->ticks * experiment->blueprint->rules.dt);
}

/* The figures of the report's rows, which are the spiking populations in their order. */
static struct activity_figures *find_activity(struct network_run *run, uint32_t rows)
{
    struct activity_figures *activity = calloc(rows + 1, sizeof *activity);
    uint32_t row = 0;
    if (activity == NULL)
        error_no_memory(&run->error, "the figures");
    for (uint32_t i = 0; activity != NULL && i < run->network->population_count; i++)
        if (run->network->populations[i]->spikes != NULL &&
            !activity_figures(run->activity, i, &activity[row++], &run->error))
            break;
    return activity;
}

static bool print_figures(struct network_run *run, const char *status)
{
    const struct experiment *experiment = &run->experiment;
    struct references references = {0};
    struct report *report = run_report(run->tally, &run->facts, status, experiment->seconds,
                                       run->options.trace, &references, &run->error);
    if (report == NULL)
        return false;
    struct activity_figures *activity = find_activity(run, report->row_count);
    const struct network_outcome outcome = {.samples = experiment->done,
                                            .labelled = experiment->labelled,
                                            .correct = experiment->correct,
                                            .build_seconds = run->build_seconds,
                                            .run_seconds = experiment->seconds,
                                            .memory_bytes = run_memory()};
    bool printed = run->error.code == ERROR_NONE;
    if (printed && run->options.json) {
        printed = screen_network_json(stdout, report, &references, activity, &outcome,
                                      &run->error);
    } else if (printed) {
        screen_network(stdout, report, &references, activity, &outcome);
        if (run->options.trace != NULL)
            fprintf(stdout, "trace: %s, run %lld (volley report %s)\n", run->options.trace,
                    (long long)run->trace_run, run->options.trace);
    }
    report_free(report);
    free(activity);
    if (printed && fflush(stdout) != 0)
        return error_set(&run->error, ERROR_FAILED, "standard output cannot be written");
    return printed;
}

static bool close_outputs(struct network_run *run, bool done, const char *status)
{
    struct experiment *experiment = &run->experiment;
    if (run->trace != NULL) {
        run->trace_run = trace_run(run->trace);
        done = trace_close(run->trace, run->tally, status, experiment->seconds,
                           done ? &run->error : NULL) && done;
        run->trace = NULL;
    }
    for (uint32_t i = 0; i < experiment->probe_count; i++) {
        done =
            matrix_file_close(experiment->probes[i].file, done, done ? &run->error : NULL) && done;
        experiment->probes[i].file = NULL;
    }
    if (experiment->predictions != NULL && fclose(experiment->predictions) != 0 && done)
        done =
            error_set(&run->error, ERROR_FAILED, "%s cannot be written", run->options.predictions);
    experiment->predictions = NULL;
    return done && (experiment->output == NULL || experiment_write(experiment, &run->error));
}

static int perform(struct network_run *run)
{
    struct experiment *experiment = &run->experiment;
    const struct live_task task = {.self = experiment,
                                   .run = run_experiment,
                                   .describe = describe,
                                   .stop = &experiment->stop,
                                   .stopping = "this tick",
                                   .error = &experiment->error};
    const struct live_options live = {.quiet = run->options.quiet};
    int signal_number = 0;
    bool done = live_run(&task, &live, &signal_number);
    if (!done)
        run->error = experiment->error;
    const char *status = !done ? "failed" : signal_number != 0 ? "interrupted" : "done";
    done = close_outputs(run, done, status);
    if (!done || !print_figures(run, status))
        return command_failed(&run->error);
    return signal_number != 0 ? 128 + signal_number : 0;
}

static void release(struct network_run *run)
{
    struct experiment *experiment = &run->experiment;
    if (run->trace != NULL)
        trace_close(run->trace, run->tally, "failed", 0, NULL);
    for (uint32_t i = 0; i < experiment->probe_count; i++) {
        matrix_file_close(experiment->probes[i].file, false, NULL);
        free(experiment->probes[i].values);
    }
    for (uint32_t i = 0; i < experiment->outcome_count; i++) {
        free(experiment->outcomes[i].spikes);
        free(experiment->outcomes[i].kept);
        free(experiment->outcomes[i].series);
    }
    if (experiment->predictions != NULL)
        fclose(experiment->predictions);
    free(experiment->probes);
    free(experiment->outcomes);
    activity_free(run->activity);
    tally_free(run->tally);
    network_free(run->network);
    workers_free(run->workers);
    recording_close(run->recording);
    blueprint_free(run->blueprint);
    free(run->command);
}

int run_network(int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct network_run run = {.options = {.model = MODEL_FILE_DEFAULTS,
                                          .trace_level = "volley",
                                          .updates = "auto",
                                          .vector = "auto",
                                          .threads = cores > 0 ? cores : 1}};
    struct network_options *o = &run.options;
    const struct option_line lines[] = {
        {"duration", "S", "seconds to simulate (default: what the file says)", OPTION_NUMBER,
         &o->duration, 0, 1e12},
        {"ticks", "N", "the same in ticks", OPTION_INTEGER, &o->ticks, 1, 1e15},
        {"input", "FILE", ".npy, .csv (tick,neuron,payload), IDX, N-MNIST .bin, or NIRData",
         OPTION_TEXT, &o->input, 0, 0},
        {"input-population", "NAME", "which population takes it, if there are several", OPTION_TEXT,
         &o->population, 0, 0},
        {"encode", "SCHEME", "values become spikes or currents: NAME[:PARAMETER=VALUE,...]",
         OPTION_TEXT, &o->encode, 0, 0},
        {"timeless", NULL, "rows of an array are samples, not ticks", OPTION_FLAG, &o->timeless, 0,
         0},
        {"samples", "A:B", "only samples A to B-1", OPTION_TEXT, &o->samples, 0, 0},
        {"labels", "FILE", "labels of the samples (IDX, .npy): prints accuracy", OPTION_TEXT,
         &o->labels, 0, 0},
        {"predictions", "FILE", "write the predicted class of each sample", OPTION_TEXT,
         &o->predictions, 0, 0},
        {"output", "FILE", "write what output populations put out as NIRData (HDF5)", OPTION_TEXT,
         &o->output, 0, 0},
        MODEL_FILE_OPTIONS(&o->model),
        {"record", "P.V=FILE", "write variable V of population P to FILE.npy (commas: several)",
         OPTION_TEXT, &o->record, 0, 0},
        {"record-to", "FOLDER", "write the recordings that the file asks for", OPTION_TEXT,
         &o->record_to, 0, 0},
        {"warm-up", "S", "seconds left out of rates and their like (default 0)", OPTION_NUMBER,
         &o->warm_up, 0, 1e12},
        {"updates", "HOW", "auto, all, touched: the same bits from each", OPTION_TEXT, &o->updates,
         0, 0},
        {"count-updates", NULL, "count each neuron's updates (for volley energy); slower",
         OPTION_FLAG, &o->count_updates, 0, 0},
        {"threads", "N", "default: all cores; any number gives the same bits", OPTION_INTEGER,
         &o->threads, 1, 1024},
        {"vector", "NAME", "auto, plain, avx2, avx512: the same bits from each", OPTION_TEXT,
         &o->vector, 0, 0},
        {"trace", "DB", "log to this SQLite file", OPTION_TEXT, &o->trace, 0, 0},
        {"trace-level", "LEVEL", "summary, volley (default), spike", OPTION_TEXT, &o->trace_level,
         0, 0},
        {"trace-populations", "GLOB", "only populations of such names", OPTION_TEXT,
         &o->trace_populations, 0, 0},
        {"trace-ticks", "A:B", "only ticks A to B-1 of each sample", OPTION_TEXT, &o->trace_ticks,
         0, 0},
        {"trace-samples", "A:B", "only samples A to B-1", OPTION_TEXT, &o->trace_samples, 0, 0},
        {"json", NULL, "figures as JSON", OPTION_FLAG, &o->json, 0, 0},
        {"quiet", NULL, "no progress and no notes on standard error", OPTION_FLAG, &o->quiet, 0, 0},
    };
    const size_t length = sizeof lines / sizeof *lines;
    const char *path = NULL;
    size_t count = 0;
    bool help = false;
    if (!options_parse(argc, argv, lines, length, &path, 1, &count, &help, &run.error))
        return command_failed(&run.error);
    if (help) {
        options_print_list(stdout, lines, length);
        return 0;
    }
    run.path = path;
    run.command = run_command_line(argc, argv);
    if (run.command == NULL)
        error_no_memory(&run.error, "the command line");
    else if (count != 1)
        error_set(&run.error, ERROR_MISUSED, "which model? See volley run --help");
    else
        prepare(&run);
    int code = run.error.code != ERROR_NONE ? command_failed(&run.error) : perform(&run);
    release(&run);
    return code;
}
