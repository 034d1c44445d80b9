/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Building a network and driving it through the one loop.
 *
 * Invariant between waves: nothing is due, every port is zero, and every
 * population's `pending` equals its `expected`.
 */
#include "neurons/network_internal.h"

#include <stdlib.h>
#include <string.h>

static bool deliver_due(void *self, int64_t tick, const struct event *due, size_t length,
                        struct error *error);
static bool update_due(void *self, int64_t tick, uint32_t population, struct error *error);

struct network *network_new(const char *name, uint32_t lanes_limit)
{
    struct network *network = calloc(1, sizeof *network);
    if (network == NULL)
        return NULL;
    network->lanes_limit = lanes_limit;
    network->name = strdup(name);
    network->flight = calloc(1, sizeof *network->flight);
    struct loop_driver driver = {network, deliver_due, update_due};
    network->loop = loop_new(driver);
    network->kernels = kernels_find("auto", NULL);
    if (network->name == NULL || network->flight == NULL || network->loop == NULL) {
        network_free(network);
        return NULL;
    }
    network->flight->free_slot = FLIGHT_NONE;
    return network;
}

void network_free(struct network *network)
{
    if (network == NULL)
        return;
    flight_free(network->flight, network->population_count);
    for (uint32_t i = 0; i < network->projection_count; i++) {
        struct projection *projection = network->projections[i];
        projection->kind->free(projection->weights);
        free(projection->name);
        free(projection);
    }
    for (uint32_t i = 0; i < network->population_count; i++)
        population_free(network->populations[i]);
    cohorts_free(network);
    loop_free(network->loop);
    free(network->projections);
    free(network->populations);
    free(network->name);
    free(network);
}

struct population *network_add_population(struct network *network, const char *name, int32_t layer,
                                          const struct population_model *model, uint32_t neurons,
                                          struct error *error)
{
    size_t bytes = (network->population_count + 1) * sizeof *network->populations;
    struct population **list = realloc(network->populations, bytes);
    if (list != NULL)
        network->populations = list;
    struct population *population = calloc(1, sizeof *population);
    if (list == NULL || population == NULL) {
        free(population);
        error_no_memory(error, "a population");
        return NULL;
    }
    population->model = model;
    population->id = network->population_count;
    population->layer = layer;
    population->neurons = neurons;
    population->lanes_limit = network->lanes_limit;
    population->due = INT64_MAX;
    population->busy_until = -1;
    population->name = strdup(name);
    population->started = calloc(network->lanes_limit, sizeof *population->started);
    population->done = calloc(network->lanes_limit, sizeof *population->done);
    if (population->name == NULL || population->started == NULL || population->done == NULL) {
        population_free(population);
        error_no_memory(error, "a population");
        return NULL;
    }
    network->populations[network->population_count++] = population;
    return population;
}

struct projection *network_add_projection(struct network *network, const char *name,
                                          const struct projection_kind *kind, void *weights,
                                          struct population *source, enum carries carries,
                                          struct population *target, uint32_t port,
                                          uint32_t delay, struct error *error)
{
    size_t bytes = (network->projection_count + 1) * sizeof *network->projections;
    struct projection **list = realloc(network->projections, bytes);
    if (list != NULL)
        network->projections = list;
    struct projection *projection = calloc(1, sizeof *projection);
    char *copy = strdup(name);
    if (list == NULL || projection == NULL || copy == NULL) {
        free(projection);
        free(copy);
        kind->free(weights);
        error_no_memory(error, "a projection");
        return NULL;
    }
    *projection = (struct projection){.id = network->projection_count,
                                      .name = copy,
                                      .kind = kind,
                                      .source = source,
                                      .target = target,
                                      .port = port,
                                      .carries = carries,
                                      .delay = delay,
                                      .weights = weights};
    network->projections[network->projection_count++] = projection;
    return projection;
}

bool network_observe(struct network *network, struct observer observer, struct error *error)
{
    if (network->observer_count == NETWORK_OBSERVERS)
        return error_set(error, ERROR_FAILED, "a network has room for %d observers",
                         NETWORK_OBSERVERS);
    network->observers[network->observer_count++] = observer;
    return true;
}

static bool check_projection(const struct projection *projection, struct error *error)
{
    const struct population *source = projection->source;
    if (projection->delay < 1 && !(source->clocked && projection->target->clocked))
        return error_set(error, ERROR_MISUSED, "projection %s: the delay must be at least 1 tick",
                         projection->name);
    if (source->clocked != projection->target->clocked)
        return error_set(error, ERROR_MISUSED,
                         "projection %s: only one of its ends lives in simulated time",
                         projection->name);
    if (projection->port >= projection->target->port_count)
        return error_set(error, ERROR_MISUSED, "projection %s: population %s has no port %u",
                         projection->name, projection->target->name, projection->port);
    bool shows = source->values != NULL, fires = source->train != NULL || source->spikes != NULL;
    if (projection->carries == CARRIES_VALUES ? !shows : !fires)
        return error_set(error, ERROR_MISUSED, "projection %s: population %s puts out no %s",
                         projection->name, source->name,
                         projection->carries == CARRIES_VALUES ? "values" : "spikes");
    return true;
}

static bool add_outgoing(struct projection *projection, struct error *error)
{
    struct population *source = projection->source;
    struct projection **list = realloc(source->outgoing,
                                       (source->outgoing_count + 1) * sizeof *list);
    if (list == NULL)
        return error_no_memory(error, "projections");
    source->outgoing = list;
    list[source->outgoing_count++] = projection;
    /* The volleys of a train are opened in one place per population, one tick at a time. */
    for (uint32_t i = 0; source->train != NULL && i < source->outgoing_count; i++)
        if (list[i]->carries == CARRIES_SPIKES && projection->carries == CARRIES_SPIKES &&
            list[i]->delay != projection->delay)
            return error_set(error, ERROR_MISUSED,
                             "projections %s and %s: spike trains of one population need one delay",
                             list[i]->name, projection->name);
    return true;
}

/* Where every source neuron reaches equally many, that many; else 0. */
static uint32_t same_fan_out(const struct projection *projection)
{
    const uint32_t *fan_out = projection->fan_out;
    for (uint32_t i = 1; fan_out != NULL && i < projection->source->neurons; i++)
        if (fan_out[i] != fan_out[0])
            return 0;
    return fan_out != NULL ? fan_out[0] : 0;
}

bool network_seal(struct network *network, struct error *error)
{
    for (uint32_t i = 0; i < network->projection_count; i++) {
        struct projection *projection = network->projections[i];
        projection->parts = workers_count(network->workers);
        projection->readout |= projection->target->model->reads_out;
        if (!check_projection(projection, error) || !add_outgoing(projection, error))
            return false;
        projection->target->expected++;
        if (projection->kind->prepare != NULL &&
            !projection->kind->prepare(projection, network->lanes_limit, network->expand, error))
            return false;
        projection->same_fan_out = same_fan_out(projection);
        if (projection->parameters == 0)
            projection->parameters = projection->weight_count;
    }
    if (!cohorts_make(network, error))
        return false;
    for (uint32_t i = 0; i < network->population_count; i++) {
        struct population *population = network->populations[i];
        population->pending = population->expected;
        if (population->model->prepare != NULL &&
            !population->model->prepare(population, workers_count(network->workers), error))
            return false;
    }
    struct flight *flight = network->flight;
    flight->deliveries_room = network->projection_count > 0 ? network->projection_count : 1;
    flight->deliveries = calloc(flight->deliveries_room, sizeof *flight->deliveries);
    if (flight->deliveries == NULL)
        return error_no_memory(error, "deliveries");
    if (!network->expand)
        return true;
    flight->opened = calloc(network->population_count, sizeof *flight->opened);
    if (flight->opened == NULL)
        return error_no_memory(error, "opened volleys");
    for (uint32_t i = 0; i < network->population_count; i++) {
        const struct train *train = network->populations[i]->train;
        struct opened *opened = &flight->opened[i];
        opened->volley = FLIGHT_NONE;
        if (train == NULL)
            continue;
        opened->spikes =
            calloc((size_t)train->lanes_limit * train->neurons, sizeof *opened->spikes);
        opened->lane_start = calloc((size_t)train->lanes_limit + 1, sizeof *opened->lane_start);
        if (opened->spikes == NULL || opened->lane_start == NULL)
            return error_no_memory(error, "opened volleys");
    }
    return true;
}

/* ---- delivering ---- */

/* The volley of one virtual tick, every lane that has not ended yet. */
static struct opened *open_volley(struct network *network, uint32_t slot)
{
    struct volley *volley = &network->flight->slots[slot];
    struct opened *opened = &network->flight->opened[volley->population];
    if (opened->volley == slot)
        return opened;
    const struct train *train = network->populations[volley->population]->train;
    uint32_t used = 0;
    for (uint32_t lane = 0; lane < train->lanes; lane++) {
        opened->lane_start[lane] = used;
        if (volley->step < train->frame[lane].ticks)
            used += coding_open(train->coding, train->count + (size_t)lane * train->neurons,
                                train->neurons, train->frame[lane], volley->step,
                                opened->spikes + used);
    }
    opened->lane_start[train->lanes] = used;
    opened->volley = slot;
    return opened;
}

static const uint32_t SINGLE_LANE = 1;
enum { MANY_SPIKES = 512 }; /* from here on, changing buffers is quicker than copying */
static const double FEW_SYNAPSES = 2000; /* about a microsecond of delivering */

static void describe(struct network *network, const struct projection *projection, uint32_t slot,
                     int64_t tick, struct delivery *delivery)
{
    struct volley *volley = &network->flight->slots[slot];
    const struct population *source = projection->source;
    *delivery = (struct delivery){.tick = tick,
                                  .first = volley->first,
                                  .last = volley->last,
                                  .lane_from = projection->readout ? network->wave.readout_from : 0,
                                  .lanes = network->wave.lanes};
    switch (volley->form) {
    case VOLLEY_TRAIN: delivery->train = source->train; break;
    case VOLLEY_VALUES:
        delivery->values = source->clocked ? volley->values : source->values;
        break;
    case VOLLEY_STEP: {
        const struct opened *opened = open_volley(network, slot);
        delivery->spikes = opened->spikes;
        delivery->lane_start = opened->lane_start;
        delivery->origin = source->train;
        break;
    }
    case VOLLEY_SPIKES:
        delivery->spikes = volley->spikes + volley->spike_first;
        delivery->spike_count = volley->spike_count;
        delivery->lanes = SINGLE_LANE;
        break;
    }
}

struct delivery_job {
    const struct network *network;
    const struct event *due;
    size_t length;
};

static void deliver_part(void *argument, uint32_t part, uint32_t parts)
{
    const struct delivery_job *job = argument;
    for (size_t i = 0; i < job->length; i++) {
        const struct projection *projection = job->network->projections[job->due[i].order];
        uint32_t width = projection->target->ports[projection->port].width, begin, end;
        /* In whole blocks of targets, so that no block is worked on twice. */
        uint32_t block = projection->target->clocked ? PORT_BLOCK : PIECE_ROWS;
        workers_slice((width + block - 1) / block, part, parts, &begin, &end);
        begin *= block;
        end = (uint64_t)end * block < width ? end * block : width;
        if (begin < end)
            projection->kind->deliver(projection, &job->network->flight->deliveries[i],
                                      job->network->kernels, begin, end);
    }
}

/* The last volley of a train has arrived: moves the target's lane clocks on, and
 * makes it due if that was the last input it waited for. */
static bool complete(struct network *network, const struct projection *projection, int64_t tick,
                     struct error *error)
{
    struct population *target = projection->target;
    if (target->clocked)
        return cohort_arrival(network, target, tick, projection->most_extra, error);
    for (uint32_t lane = 0; lane < network->wave.lanes; lane++) {
        int64_t arrival = projection->source->done[lane] + projection->delay;
        if (arrival > target->started[lane])
            target->started[lane] = arrival;
    }
    if (--target->pending > 0)
        return true;
    return loop_push_update(network->loop, tick, target->id, error);
}

/* In how many parts a batch is delivered: waking other threads does not pay for a few synapses. */
static uint32_t delivery_parts(const struct delivery_job *job)
{
    uint32_t parts = workers_count(job->network->workers);
    double synapses = 0;
    for (size_t i = 0; i < job->length && parts > 1; i++) {
        const struct projection *projection = job->network->projections[job->due[i].order];
        const struct delivery *delivery = &job->network->flight->deliveries[i];
        if (!projection->source->clocked || delivery->spikes == NULL)
            return parts;
        synapses += (double)delivery->spike_count * (double)(projection->synapses + 1) /
                    projection->source->neurons;
        if (synapses > FEW_SYNAPSES)
            return parts;
    }
    return 1;
}

static bool deliver_batch(struct network *network, int64_t tick, const struct event *due,
                          size_t length, struct error *error)
{
    for (size_t i = 0; i < length; i++) {
        const struct projection *projection = network->projections[due[i].order];
        struct delivery *delivery = &network->flight->deliveries[i];
        describe(network, projection, due[i].payload, tick, delivery);
        if (projection->kind->check != NULL &&
            !projection->kind->check(projection, delivery, error))
            return false;
    }
    struct delivery_job job = {network, due, length};
    workers_run(network->workers, deliver_part, &job, delivery_parts(&job));
    for (size_t i = 0; i < length; i++) {
        struct volley *volley = &network->flight->slots[due[i].payload];
        if (volley->last && !complete(network, network->projections[due[i].order], tick, error))
            return false;
        if (--volley->references == 0) {
            if (volley->form == VOLLEY_STEP)
                network->flight->opened[volley->population].volley = FLIGHT_NONE;
            flight_release(network->flight, due[i].payload);
        }
    }
    return true;
}

static bool deliver_due(void *self, int64_t tick, const struct event *due, size_t length,
                        struct error *error)
{
    struct network *network = self;
    size_t room = network->flight->deliveries_room;
    for (size_t done = 0; done < length; done += room) {
        size_t part = length - done < room ? length - done : room;
        if (!deliver_batch(network, tick, due + done, part, error))
            return false;
    }
    return true;
}

/* ---- updating ---- */

/* Copies spikes, or, where they are many, takes their buffer and leaves its own. */
static bool keep_spikes(struct volley *volley, struct population *source, struct error *error)
{
    bool many = source->spike_count > MANY_SPIKES;
    uint32_t room = many ? source->neurons : source->spike_count;
    volley->spike_count = source->spike_count;
    if (room > volley->spike_room) {
        struct spike *spikes = realloc(volley->spikes, (size_t)room * sizeof *spikes);
        if (spikes == NULL)
            return error_no_memory(error, "volleys on their way");
        volley->spikes = spikes;
        volley->spike_room = room;
    }
    if (many && volley->spike_room == source->neurons) {
        struct spike *taken = source->spikes;
        source->spikes = volley->spikes;
        volley->spikes = taken;
        volley->spike_first = source->spike_first;
        return true;
    }
    volley->spike_first = 0;
    memcpy(volley->spikes, source->spikes + source->spike_first,
           source->spike_count * sizeof *volley->spikes);
    return true;
}

static bool keep_values(struct volley *volley, const struct population *source,
                        struct error *error)
{
    if (source->neurons > volley->value_room) {
        double *values = realloc(volley->values, source->neurons * sizeof *values);
        if (values == NULL)
            return error_no_memory(error, "volleys on their way");
        volley->values = values;
        volley->value_room = source->neurons;
    }
    memcpy(volley->values, source->values, source->neurons * sizeof *volley->values);
    return true;
}

/* Sends one volley, fired at `tick`, along all projections that carry its kind. */
static bool send(struct network *network, struct population *source, enum carries carries,
                 struct volley content, int64_t tick, struct error *error)
{
    uint32_t receivers = 0;
    for (uint32_t i = 0; i < source->outgoing_count; i++)
        receivers += source->outgoing[i]->carries == carries;
    if (receivers == 0)
        return true;
    uint32_t slot = flight_take(network->flight, error);
    if (slot == FLIGHT_NONE)
        return false;
    struct volley *volley = &network->flight->slots[slot];
    content.spikes = volley->spikes;
    content.spike_room = volley->spike_room;
    content.values = volley->values;
    content.value_room = volley->value_room;
    *volley = content;
    volley->population = source->id;
    volley->references = receivers;
    if ((content.form == VOLLEY_SPIKES && !keep_spikes(volley, source, error)) ||
        (content.form == VOLLEY_VALUES && source->clocked && !keep_values(volley, source, error)))
        return false;
    for (uint32_t i = 0; i < source->outgoing_count; i++) {
        const struct projection *projection = source->outgoing[i];
        if (projection->carries == carries &&
            !loop_push_delivery(network->loop, tick + projection->delay, projection->id, slot,
                                error))
            return false;
    }
    return true;
}

/* Counts the non-zero weights that the values of a clocked population meet. */
static void count_values(const struct population *source)
{
    for (uint32_t p = 0; p < source->outgoing_count; p++) {
        struct projection *projection = source->outgoing[p];
        if (projection->carries != CARRIES_VALUES || projection->fan_out == NULL)
            continue;
        for (uint32_t i = 0; i < source->neurons; i++)
            projection->synops += source->values[i] != 0 ? projection->fan_out[i] : 0;
    }
}

bool network_send(struct network *network, struct population *source, int64_t tick,
                  struct error *error)
{
    struct volley whole = {.first = true, .last = true};
    if (source->values != NULL && (source->shown || !source->clocked)) {
        whole.form = VOLLEY_VALUES;
        if (source->clocked)
            count_values(source);
        if (!send(network, source, CARRIES_VALUES, whole, tick, error))
            return false;
    }
    if (source->spikes != NULL && source->spike_count > 0) {
        whole.form = VOLLEY_SPIKES;
        if (!send(network, source, CARRIES_SPIKES, whole, tick, error))
            return false;
    }
    if (source->train == NULL)
        return true;
    uint32_t ticks = 1;
    for (uint32_t lane = 0; lane < source->train->lanes; lane++)
        if (source->train->frame[lane].ticks > ticks)
            ticks = source->train->frame[lane].ticks;
    if (!network->expand) {
        whole.form = VOLLEY_TRAIN;
        return send(network, source, CARRIES_SPIKES, whole, tick + ticks - 1, error);
    }
    for (uint32_t step = 0; step < ticks; step++) {
        struct volley volley = {.form = VOLLEY_STEP,
                                .step = step,
                                .first = step == 0,
                                .last = step + 1 == ticks};
        if (!send(network, source, CARRIES_SPIKES, volley, tick + step, error))
            return false;
    }
    return true;
}

bool network_show(struct network *network, struct population *population, int64_t tick,
                  struct error *error)
{
    if (population->train == NULL && population->spike_count == 0)
        return true;
    struct firing firing = {population, tick, population->train,
                            population->spikes != NULL
                                ? population->spikes + population->spike_first
                                : NULL,
                            population->spike_count, &network->wave};
    for (uint32_t i = 0; i < network->observer_count; i++)
        if (!network->observers[i].fired(network->observers[i].self, &firing, error))
            return false;
    return true;
}

static bool update_one(struct network *network, struct population *population, int64_t tick,
                       struct error *error)
{
    struct moment moment = {tick, &network->wave, network->workers, network->kernels};
    uint32_t lanes = network->wave.lanes;
    if (!population->model->update(population, &moment, error))
        return error_within(error, "population %s, input %lld", population->name,
                            (long long)network->wave.position);
    if (!population->model->clears)
        population_clear_ports(population, lanes);
    population->pending = population->expected;
    struct train *train = population->train;
    for (uint32_t lane = 0; lane < lanes; lane++) {
        population->done[lane] = population->started[lane];
        if (train != NULL) {
            train->tick[lane] = population->started[lane];
            population->done[lane] += train->frame[lane].ticks - 1;
        }
        population->started[lane] = 0;
    }
    return network_show(network, population, tick, error) &&
           network_send(network, population, tick, error);
}

static bool update_due(void *self, int64_t tick, uint32_t population, struct error *error)
{
    struct network *network = self;
    if (population >= network->population_count) /* a cohort */
        return cohort_update(network, &network->cohorts[population - network->population_count],
                             tick, error);
    return update_one(network, network->populations[population], tick, error);
}

/* ---- running ---- */

static bool show_done(struct network *network, const int64_t *ticks, struct error *error)
{
    for (uint32_t i = 0; i < network->observer_count; i++) {
        const struct observer *observer = &network->observers[i];
        if (observer->wave_done != NULL &&
            !observer->wave_done(observer->self, &network->wave, ticks, error))
            return false;
    }
    return true;
}

static bool wave_left(struct network *network, struct error *error)
{
    uint32_t lanes = network->wave.lanes;
    int64_t ticks[lanes];
    for (uint32_t lane = 0; lane < lanes; lane++) {
        ticks[lane] = 0;
        for (uint32_t p = 0; p < network->population_count; p++)
            if (network->populations[p]->done[lane] + 1 > ticks[lane])
                ticks[lane] = network->populations[p]->done[lane] + 1;
    }
    return show_done(network, ticks, error);
}

bool network_wave(struct network *network, struct population *source, struct wave wave,
                  const volatile int *stop, struct error *error)
{
    if (wave.lanes < 1 || wave.lanes > network->lanes_limit)
        return error_set(error, ERROR_MISUSED, "a wave has 1 to %u lanes, not %u",
                         network->lanes_limit, wave.lanes);
    network->wave = wave;
    int64_t tick = loop_now(network->loop) + 1;
    if (!loop_push_update(network->loop, tick, source->id, error) ||
        !loop_run(network->loop, INT64_MAX, stop, error))
        return false;
    if (stop != NULL && *stop != 0)
        return true;
    return wave_left(network, error);
}

bool network_run(struct network *network, int64_t position, int64_t ticks,
                 const volatile int *stop, struct error *error)
{
    network->wave = (struct wave){.position = position, .lanes = SINGLE_LANE};
    if (!network->running && !cohorts_begin(network, error))
        return false;
    if (!network->running)
        network->until = 0;
    network->running = true;
    int64_t until = network->until + ticks;
    if (!loop_run(network->loop, until, stop, error))
        return false;
    bool stopped = stop != NULL && *stop != 0;
    network->until =
        stopped && loop_now(network->loop) < until ? loop_now(network->loop) + 1 : until;
    return true;
}

bool network_finish(struct network *network, struct error *error)
{
    return show_done(network, &network->until, error);
}

void network_reset(struct network *network)
{
    loop_clear(network->loop);
    flight_clear(network->flight);
    network->running = false;
    for (uint32_t i = 0; i < network->population_count; i++) {
        struct population *population = network->populations[i];
        population_clear_ports(population, population->lanes_limit);
        population->pending = population->expected;
        population->spike_count = 0;
        population->due = INT64_MAX;
        population->busy_until = -1;
        population->arrived = population->shown = false;
        memset(population->started, 0, network->lanes_limit * sizeof *population->started);
        if (population->model->reset != NULL)
            population->model->reset(population);
        if (network->flight->opened != NULL)
            network->flight->opened[i].volley = FLIGHT_NONE;
    }
    for (uint32_t i = 0; i < network->projection_count; i++)
        if (!network->projections[i]->source->clocked)
            network->projections[i]->synops = 0;
}
