/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/experiment.h"

#include <stdlib.h>
#include <string.h>

#include "neurons/import/nir/nir_data.h"
#include "sim/live.h"

enum { STRETCH = 1000 }; /* ticks after which the outside may have a say */

static bool keep_spikes(struct outcome *outcome, const struct firing *firing, int64_t tick,
                        struct error *error)
{
    if (outcome->kept_room - outcome->kept_count < firing->spike_count) {
        uint64_t room = 2 * outcome->kept_room + firing->spike_count + 1024;
        struct timed_spike *kept = realloc(outcome->kept, room * sizeof *kept);
        if (kept == NULL)
            return error_no_memory(error, "the spikes of an output");
        outcome->kept = kept;
        outcome->kept_room = room;
    }
    for (uint32_t i = 0; i < firing->spike_count; i++)
        outcome->kept[outcome->kept_count++] =
            (struct timed_spike){tick, firing->spikes[i].neuron, firing->spikes[i].payload};
    return true;
}

static bool fired(void *self, const struct firing *firing, struct error *error)
{
    struct experiment *experiment = self;
    for (uint32_t o = 0; o < experiment->outcome_count; o++) {
        struct outcome *outcome = &experiment->outcomes[o];
        if (outcome->population != firing->population->id)
            continue;
        for (uint32_t i = 0; i < firing->spike_count; i++)
            outcome->spikes[firing->spikes[i].neuron] += (uint64_t)abs(firing->spikes[i].payload);
        if (outcome->keeps &&
            !keep_spikes(outcome, firing, firing->tick / experiment->stride, error))
            return false;
    }
    return true;
}

struct observer experiment_observer(struct experiment *experiment)
{
    return (struct observer){.self = experiment, .fired = fired};
}

/* A variable of all neurons at the end of tick `tick`, the last one run. */
static bool read_variable(struct experiment *experiment, const struct population *population,
                          uint32_t variable, int64_t tick, double *values)
{
    if (experiment->stride == 1) {
        cells_read(population, variable, tick, values);
        return true;
    }
    int64_t end = (tick + 1) * experiment->stride;
    return event_cells_read(population, variable, end, values) ||
           event_cells_read(population, variable, end - 1, values) ||
           error_set(&experiment->error, ERROR_FAILED, "population %s cannot be read at tick %lld",
                     population->name, (long long)tick);
}

/* Writes down what is due of the variables after the tick that has just been run. */
static bool read_probes(struct experiment *experiment, int64_t tick)
{
    for (uint32_t i = 0; i < experiment->probe_count; i++) {
        const struct probe *probe = &experiment->probes[i];
        const struct population *population = experiment->network->populations[probe->population];
        if (tick % probe->every != 0)
            continue;
        if (!read_variable(experiment, population, probe->variable, tick, probe->values) ||
            !matrix_file_add(probe->file, probe->values + probe->first, &experiment->error))
            return false;
    }
    return true;
}

static bool read_series(struct experiment *experiment, int64_t tick)
{
    for (uint32_t o = 0; o < experiment->outcome_count; o++) {
        const struct outcome *outcome = &experiment->outcomes[o];
        const struct population *population = experiment->network->populations[outcome->population];
        if (outcome->series != NULL &&
            !read_variable(experiment, population, 0, tick,
                           outcome->series + (uint64_t)tick * population->neurons))
            return false;
    }
    return true;
}

bool experiment_keep(struct experiment *experiment, int64_t ticks, struct error *error)
{
    for (uint32_t o = 0; o < experiment->outcome_count; o++) {
        struct outcome *outcome = &experiment->outcomes[o];
        const struct population *population = experiment->network->populations[outcome->population];
        outcome->keeps = true;
        if (population->spikes != NULL)
            continue;
        uint64_t length;
        if (!__builtin_mul_overflow((uint64_t)ticks, (uint64_t)population->neurons, &length))
            outcome->series = calloc(length, sizeof *outcome->series);
        if (outcome->series == NULL)
            return error_no_memory(error, "the values of an output");
    }
    return true;
}

bool experiment_write(const struct experiment *experiment, struct error *error)
{
    struct nir_series *series = calloc(experiment->outcome_count, sizeof *series);
    if (series == NULL)
        return error_no_memory(error, "the outputs");
    for (uint32_t o = 0; o < experiment->outcome_count; o++) {
        const struct outcome *outcome = &experiment->outcomes[o];
        const struct population *population = experiment->network->populations[outcome->population];
        series[o] = (struct nir_series){.node = population->name,
                                        .observable = outcome->series != NULL ? "v" : "spikes",
                                        .neurons = population->neurons,
                                        .ticks = experiment->longest,
                                        .spikes = outcome->kept,
                                        .spike_count = outcome->kept_count,
                                        .values = outcome->series};
    }
    bool done = nir_data_write(experiment->output, series, experiment->outcome_count,
                               experiment->blueprint->rules.dt, error);
    free(series);
    return done;
}

static bool run_ticks(struct experiment *experiment, uint64_t sample, int64_t ticks)
{
    bool every = experiment->probe_count > 0 || experiment->output != NULL;
    int64_t stretch = every ? 1 : STRETCH, done = 0;
    const volatile int *stop = (const volatile int *)&experiment->stop;
    while (done < ticks && atomic_load(&experiment->stop) == 0) {
        int64_t part = ticks - done < stretch ? ticks - done : stretch;
        if (!network_run(experiment->network, (int64_t)sample, part * experiment->stride, stop,
                         &experiment->error))
            return false;
        done += part;
        if (!read_probes(experiment, done - 1) || !read_series(experiment, done - 1))
            return false;
        atomic_store(&experiment->tick, (uint64_t)done);
    }
    return network_finish(experiment->network, &experiment->error);
}

static uint32_t largest(const double *values, uint32_t length)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < length; i++)
        best = values[i] > values[best] ? i : best;
    return best;
}

/* The class an output population stands for: the neuron with the most spikes or, if it does not
 * fire, the largest value at the end; the first of several. */
static bool find_class(struct experiment *experiment, const struct outcome *outcome, int64_t ticks,
                       uint32_t *class)
{
    const struct population *population = experiment->network->populations[outcome->population];
    double *values = malloc(population->neurons * sizeof *values);
    if (values == NULL)
        return error_no_memory(&experiment->error, "an output");
    bool done = true;
    for (uint32_t i = 0; population->spikes != NULL && i < population->neurons; i++)
        values[i] = (double)outcome->spikes[i];
    if (population->spikes == NULL)
        done = read_variable(experiment, population, 0, ticks - 1, values);
    *class = largest(values, population->neurons);
    free(values);
    return done;
}

static bool judge(struct experiment *experiment, int64_t label, int64_t ticks)
{
    uint32_t class = 0;
    experiment->done++;
    if (experiment->outcome_count == 0 || (label < 0 && experiment->predictions == NULL))
        return true;
    if (!find_class(experiment, &experiment->outcomes[0], ticks, &class))
        return false;
    if (experiment->predictions != NULL && fprintf(experiment->predictions, "%u\n", class) < 0)
        return error_set(&experiment->error, ERROR_FAILED, "the predictions cannot be written");
    if (label < 0)
        return true;
    experiment->labelled++;
    experiment->correct += (int64_t)class == label;
    return true;
}

static bool run_sample(struct experiment *experiment, uint64_t index, struct sample *sample)
{
    struct network *network = experiment->network;
    int64_t ticks = experiment->ticks, label = -1;
    if (experiment->recording != NULL) {
        if (!recording_sample(experiment->recording, index, experiment->scheme, sample,
                              &experiment->error))
            return false;
        ticks = ticks > 0 ? ticks : sample->ticks;
        label = sample->label;
    }
    if (experiment->done > 0)
        network_reset(network);
    if (experiment->recording != NULL &&
        !sample_feed(sample, network->populations[experiment->input], &experiment->error))
        return false;
    for (uint32_t o = 0; o < experiment->outcome_count; o++) {
        const struct outcome *outcome = &experiment->outcomes[o];
        memset(outcome->spikes, 0,
               network->populations[outcome->population]->neurons * sizeof *outcome->spikes);
    }
    experiment->longest = ticks > experiment->longest ? ticks : experiment->longest;
    if (!run_ticks(experiment, index, ticks))
        return false;
    return atomic_load(&experiment->stop) != 0 || judge(experiment, label, ticks);
}

bool experiment_run(struct experiment *experiment)
{
    struct sample sample = {0};
    double start = seconds_now();
    bool done = true;
    for (uint64_t i = 0; done && i < experiment->samples; i++) {
        if (atomic_load(&experiment->stop) != 0)
            break;
        atomic_store(&experiment->sample, i);
        done = run_sample(experiment, experiment->first_sample + i, &sample);
    }
    experiment->seconds = seconds_now() - start;
    sample_free(&sample);
    return done;
}
