/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inputs. What was fed is checked once, so that an update only copies.
 *
 * Invariant: of the spikes, those before `next` have been put out. Like all clocked populations it
 * is due at tick 0, and from then on at the tick of the spike at `next`; for values, at every tick
 * until they end.
 */
#include "neurons/models/input.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct input {
    bool shows;
    const struct timed_spike *spikes; /* [length], borrowed, or NULL */
    uint64_t length;
    uint64_t next; /* of spikes */
    const double *values; /* [ticks][neurons], borrowed, or NULL */
    int64_t ticks;
    int64_t stride; /* ticks of the network in a tick of what is fed */
    double *last;   /* [neurons], the values before, if differences to them are wanted; or NULL */
    int64_t *seen; /* [neurons]: 1 + tick at which it was last met, while spikes are checked */
};

static int compare_neurons(const void *left, const void *right)
{
    const struct spike *a = left, *b = right;
    return a->neuron < b->neuron ? -1 : a->neuron > b->neuron;
}

/* The spikes of a tick, put in order of neurons. */
static void put_spikes(struct population *self, struct input *input, int64_t tick)
{
    bool sorted = true;
    for (; input->next < input->length && input->spikes[input->next].tick <= tick; input->next++) {
        const struct timed_spike *spike = &input->spikes[input->next];
        if (spike->tick < tick)
            continue;
        uint32_t count = self->spike_count;
        sorted = sorted && (count == 0 || self->spikes[count - 1].neuron < spike->neuron);
        self->spikes[self->spike_count++] =
            (struct spike){.neuron = spike->neuron, .payload = spike->payload};
    }
    if (!sorted)
        qsort(self->spikes, self->spike_count, sizeof *self->spikes, compare_neurons);
    self->due = input->next < input->length ? input->spikes[input->next].tick * input->stride
                                            : INT64_MAX;
}

static void put_values(struct population *self, const struct input *input, int64_t tick)
{
    bool over = tick >= input->ticks;
    const double *row = over ? NULL : input->values + (uint64_t)tick * self->neurons;
    int64_t end = input->last != NULL ? input->ticks + 1 : input->ticks; /* the last change: to 0 */
    self->due = tick + 1 < end ? (tick + 1) * input->stride : INT64_MAX;
    if (input->shows) {
        self->shown = false;
        for (uint32_t i = 0; i < self->neurons; i++) {
            double value = over ? 0 : row[i];
            self->values[i] = input->last != NULL ? value - input->last[i] : value;
            self->shown |= self->values[i] != 0;
            if (input->last != NULL)
                input->last[i] = value;
        }
        return;
    }
    for (uint32_t i = 0; !over && i < self->neurons; i++)
        if (row[i] != 0)
            self->spikes[self->spike_count++] =
                (struct spike){.neuron = i, .payload = (int32_t)row[i]};
}

static bool update(struct population *self, const struct moment *moment, struct error *error)
{
    (void)error;
    struct input *input = self->state;
    int64_t tick = moment->tick / input->stride;
    if (input->shows || input->values != NULL)
        put_values(self, input, tick);
    else
        put_spikes(self, input, tick);
    return true;
}

static void reset(struct population *self)
{
    struct input *input = self->state;
    input->next = 0; /* reads nothing of what was fed, which may be gone by now */
    if (input->last != NULL)
        memset(input->last, 0, self->neurons * sizeof *input->last);
}

static void release(void *state)
{
    struct input *input = state;
    free(input->seen);
    free(input->last);
    free(input);
}

static const struct population_model model = {
    .name = "input",
    .equation = "puts out what it is fed",
    .update = update,
    .reset = reset,
    .free = release,
};

struct population *input_new(struct network *network, const char *name, uint32_t neurons,
                             bool shows, struct error *error)
{
    struct population *population =
        network_add_population(network, name, -1, &model, neurons, error);
    struct input *input = population != NULL ? calloc(1, sizeof *input) : NULL;
    if (input == NULL) {
        error_no_memory(error, "an input");
        return NULL;
    }
    population->state = input;
    population->clocked = true;
    input->shows = shows;
    input->stride = 1;
    if (!shows) {
        input->seen = calloc(neurons, sizeof *input->seen);
        if (input->seen == NULL) {
            error_no_memory(error, "an input");
            return NULL;
        }
        population->state_bytes = neurons * sizeof *input->seen;
    }
    if (shows ? !population_shows(population, error) : !population_spikes(population, error))
        return NULL;
    return population;
}

static void feed_nothing(struct population *population)
{
    struct input *input = population->state;
    input->spikes = NULL;
    input->values = NULL;
    input->length = 0;
    input->ticks = 0;
    reset(population);
}

/* Spikes that can be put out as they are. */
static bool spikes_check(const struct population *population, const struct timed_spike *spikes,
                         uint64_t length, struct error *error)
{
    const struct input *input = population->state;
    memset(input->seen, 0, population->neurons * sizeof *input->seen);
    for (uint64_t i = 0; i < length; i++) {
        struct timed_spike spike = spikes[i];
        const char *wrong = NULL;
        if (spike.tick < 0 || spike.tick == INT64_MAX)
            wrong = "its tick is out of range";
        else if (spike.neuron >= population->neurons)
            wrong = "there is no such neuron";
        else if (spike.payload == 0)
            wrong = "its payload is 0, which is no spike";
        else if (i > 0 && spike.tick < spikes[i - 1].tick)
            wrong = "the one before it is of a later tick; sort them by tick";
        else if (input->seen[spike.neuron] == spike.tick + 1)
            wrong = "the neuron fires a second time at this tick; add up the payloads";
        if (wrong != NULL)
            return error_set(error, ERROR_MISUSED, "input %s (%" PRIu32 " neurons): spike %" PRIu64
                             " (tick %" PRId64 ", neuron %" PRIu32 ", payload %" PRId32 "): %s",
                             population->name, population->neurons, i, spike.tick, spike.neuron,
                             spike.payload, wrong);
        input->seen[spike.neuron] = spike.tick + 1;
    }
    return true;
}

bool input_feed_spikes(struct population *population, const struct timed_spike *spikes,
                       uint64_t length, struct error *error)
{
    struct input *input = population->state;
    feed_nothing(population);
    if (input->shows)
        return error_set(error, ERROR_MISUSED, "input %s puts out values and cannot take spikes",
                         population->name);
    if (!spikes_check(population, spikes, length, error))
        return false;
    input->spikes = spikes;
    input->length = length;
    reset(population);
    return true;
}

bool input_feed_values(struct population *population, const double *values, int64_t ticks,
                       struct error *error)
{
    struct input *input = population->state;
    feed_nothing(population);
    uint64_t count = (uint64_t)(ticks > 0 ? ticks : 0) * population->neurons;
    for (uint64_t i = 0; i < count; i++) {
        bool whole = fabs(values[i]) <= INT32_MAX && values[i] == (double)(int32_t)values[i];
        if (input->shows ? !isfinite(values[i]) : !whole)
            return error_set(error, ERROR_MISUSED, "input %s: tick %" PRIu64 ", neuron %" PRIu64
                             ": the value %g is %s", population->name, i / population->neurons,
                             i % population->neurons, values[i],
                             input->shows ? "not finite"
                                          : "no whole number of 32 bits, and the input puts out "
                                            "spikes; encode the values first");
    }
    input->values = values;
    input->ticks = ticks > 0 ? ticks : 0;
    reset(population);
    return true;
}

bool input_stride(struct population *population, int64_t stride, struct error *error)
{
    struct input *input = population->state;
    input->stride = stride;
    input->last = calloc(population->neurons, sizeof *input->last);
    return input->last != NULL || error_no_memory(error, "an input");
}
