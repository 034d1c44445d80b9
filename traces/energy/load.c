/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Loads from the counters of a run that has just ended and from a trace file, whose content may be
 * hostile.
 *
 * Invariant of a finished load: every index is within its array, compartments stand in order of
 * populations, and what a projection says of its reach and fan-out fits its ends.
 */
#include "traces/energy/load.h"

#include "traces/file.h"
#include "traces/numbers.h"
#include "traces/reading.h"

#include <stdlib.h>
#include <string.h>

enum {
    POPULATIONS_LIMIT = 1 << 16, /* that a file may claim: far above any network's */
    PROJECTIONS_LIMIT = 1 << 20,
    RANGES_LIMIT = 1 << 24,
    GRAIN_LIMIT = 1 << 30
};

void load_free(struct load *load)
{
    if (load == NULL)
        return;
    for (uint32_t i = 0; i < load->population_count; i++) {
        struct load_population *population = &load->populations[i];
        free(population->name);
        free(population->model);
        free(population->coding);
        free(population->active);
        free(population->spikes);
        free(population->updates);
    }
    for (uint32_t p = 0; p < load->projection_count; p++) {
        free(load->projections[p].name);
        free(load->projections[p].kind_name);
        free(load->projections[p].fan_out);
        reach_free(load->projections[p].reach);
    }
    for (uint32_t c = 0; c < load->compartment_count; c++)
        free(load->compartments[c].port);
    free(load->populations);
    free(load->projections);
    free(load->compartments);
    free(load->placed);
    free(load->path);
    free(load->model);
    free(load->status);
    free(load);
}

const char *load_unit(const struct load *load)
{
    return !load->sampled ? "run" : load->clocked ? "inference" : "token";
}

static enum synapse_kind kind_of(const char *name)
{
    if (strcmp(name, "convolution") == 0 || strcmp(name, "pooling") == 0)
        return SYNAPSES_CONVOLUTION;
    return strncmp(name, "dense", 5) == 0 ? SYNAPSES_DENSE : SYNAPSES_SPARSE;
}

/* ---- what follows from the rest ---- */

static bool add_compartment(struct load *load, uint32_t population, const char *port,
                            uint32_t width, struct error *error)
{
    struct load_compartment *compartments =
        realloc(load->compartments, (load->compartment_count + (size_t)1) * sizeof *compartments);
    if (compartments == NULL)
        return error_no_memory(error, "the load");
    load->compartments = compartments;
    compartments[load->compartment_count] =
        (struct load_compartment){population, port != NULL ? strdup(port) : NULL, width};
    if (port != NULL && compartments[load->compartment_count].port == NULL)
        return error_no_memory(error, "the load");
    load->compartment_count++;
    return true;
}

/* Where a projection ends: among the compartments of its target, made if it is not there. */
static bool find_compartment(struct load *load, struct load_projection *projection,
                             const char *port, uint32_t width, struct error *error)
{
    const struct load_population *target = &load->populations[projection->target];
    projection->compartment = target->compartment;
    if (width == target->neurons)
        return true;
    for (uint32_t c = target->compartment; c < load->compartment_count; c++)
        if (load->compartments[c].port != NULL && strcmp(load->compartments[c].port, port) == 0) {
            projection->compartment = c;
            return load->compartments[c].width == width ||
                   error_set(error, ERROR_FAILED,
                             "the trace is damaged: port %s of population %s has two widths", port,
                             target->name);
        }
    projection->compartment = load->compartment_count;
    return add_compartment(load, projection->target, port, width, error);
}

/* `ports` and `widths` [projection_count]: of each projection's end. */
static bool make_compartments(struct load *load, char *const *ports, const uint32_t *widths,
                              struct error *error)
{
    for (uint32_t i = 0; i < load->population_count; i++)
        load->populations[i].placed = load->populations[i].spiking;
    for (uint32_t p = 0; p < load->projection_count; p++)
        load->populations[load->projections[p].target].placed |= load->projections[p].spikes;
    for (uint32_t i = 0; i < load->population_count; i++) {
        struct load_population *population = &load->populations[i];
        population->compartment = UINT32_MAX;
        if (!population->placed)
            continue;
        population->compartment = load->compartment_count;
        if (!add_compartment(load, i, NULL, population->neurons, error))
            return false;
        for (uint32_t p = 0; p < load->projection_count; p++)
            if (load->projections[p].spikes && load->projections[p].target == i &&
                !find_compartment(load, &load->projections[p], ports[p], widths[p], error))
                return false;
    }
    return true;
}

/* Sums of what neurons did; where that is not kept, from the counters. */
static void sum_neurons(struct load_population *population, uint64_t payloads)
{
    const struct population_tally *tally = &population->tally;
    population->active_total = tally->channels - tally->silent;
    population->spikes_total = payloads > 0 ? payloads : tally->spikes;
    if (population->active != NULL && population->spikes != NULL) {
        population->active_total = population->spikes_total = 0;
        for (uint32_t n = 0; n < population->neurons; n++) {
            population->active_total += population->active[n];
            population->spikes_total += population->spikes[n];
        }
    }
}

/* ---- from counters ---- */

static uint64_t payloads_of(const struct population_tally *tally)
{
    uint64_t sum = 0;
    for (int bin = 0; bin <= 2 * TALLY_HISTOGRAM; bin++)
        sum += tally->histogram[bin] * (uint64_t)abs(bin - TALLY_HISTOGRAM);
    return sum;
}

static bool copy_neurons(struct load_population *to, const struct population *from,
                         const struct neuron_tally *neurons, struct error *error)
{
    size_t bytes = ((size_t)from->neurons + 1) * sizeof(uint64_t);
    to->active = neurons != NULL ? malloc(bytes) : NULL;
    to->spikes = neurons != NULL ? malloc(bytes) : NULL;
    to->updates = from->updates != NULL ? malloc(bytes) : NULL;
    if ((neurons != NULL && (to->active == NULL || to->spikes == NULL)) ||
        (from->updates != NULL && to->updates == NULL))
        return error_no_memory(error, "the load");
    for (uint32_t n = 0; neurons != NULL && n < from->neurons; n++) {
        to->active[n] = neurons[n].active;
        to->spikes[n] = neurons[n].spikes;
    }
    if (from->updates != NULL)
        memcpy(to->updates, from->updates, from->neurons * sizeof *to->updates);
    return true;
}

static bool copy_population(struct load *load, const struct tally *tally, uint32_t id,
                            struct error *error)
{
    const struct population *from = tally->network->populations[id];
    struct load_population *to = &load->populations[load->population_count++];
    to->layer = from->layer;
    to->neurons = from->neurons;
    to->spiking = from->train != NULL || from->spikes != NULL;
    to->input = from->port_count == 0;
    to->clocked = from->clocked;
    to->tally = tally->populations[id];
    load->clocked |= from->clocked;
    const char *coding = from->train != NULL ? from->train->coding->name : NULL;
    if (!reading_copy_text(&to->name, from->name != NULL ? from->name : "", error) ||
        !reading_copy_text(&to->model, from->model != NULL ? from->model->name : "", error) ||
        !reading_copy_text(&to->coding, coding, error) ||
        !copy_neurons(to, from, tally_neurons(tally, id), error))
        return false;
    sum_neurons(to, from->clocked ? payloads_of(&to->tally) : 0);
    return true;
}

static bool copy_projection(struct load *load, const struct tally *tally, uint32_t id,
                            struct error *error)
{
    const struct projection *from = tally->network->projections[id];
    struct load_projection *to = &load->projections[load->projection_count++];
    *to = (struct load_projection){.kind = kind_of(from->kind->name),
                                   .source = from->source->id,
                                   .target = from->target->id,
                                   .compartment = UINT32_MAX,
                                   .spikes = from->carries == CARRIES_SPIKES,
                                   .weighted = from->weight_count > 0,
                                   .delay = from->delay,
                                   .synapses = from->synapses,
                                   .weight_count = from->weight_count,
                                   .parameters = from->parameters,
                                   .bytes = from->bytes,
                                   .synops = tally_synops(tally, id),
                                   .one_to_one = strcmp(from->kind->name, "one to one") == 0};
    return reading_copy_text(&to->name, from->name != NULL ? from->name : "", error) &&
           reading_copy_text(&to->kind_name, from->kind->name, error);
}

struct load *load_from_tally(const struct tally *tally, bool sampled, struct error *error)
{
    const struct network *network = tally->network;
    struct load *load = calloc(1, sizeof *load);
    char **ports = calloc((size_t)network->projection_count + 1, sizeof *ports);
    uint32_t *widths = calloc((size_t)network->projection_count + 1, sizeof *widths);
    bool good = load != NULL && ports != NULL && widths != NULL;
    if (good) {
        load->populations =
            calloc((size_t)network->population_count + 1, sizeof *load->populations);
        load->projections =
            calloc((size_t)network->projection_count + 1, sizeof *load->projections);
        good = load->populations != NULL && load->projections != NULL;
    }
    if (!good)
        error_no_memory(error, "the load");
    for (uint32_t i = 0; good && i < network->population_count; i++)
        good = copy_population(load, tally, i, error);
    for (uint32_t p = 0; good && p < network->projection_count; p++) {
        const struct projection *projection = network->projections[p];
        const struct port *port = &projection->target->ports[projection->port];
        ports[p] = (char *)(size_t)port->name; /* only read */
        widths[p] = port->width;
        good = copy_projection(load, tally, p, error);
    }
    good = good && make_compartments(load, ports, widths, error) &&
           reading_copy_text(&load->status, "done", error);
    free(ports);
    free(widths);
    if (!good) {
        load_free(load);
        return NULL;
    }
    load->positions = tally->positions;
    load->ticks = tally->ticks;
    load->sampled = sampled;
    load->stride = 1;
    load->tick_seconds = network->tick_seconds;
    return load;
}

/* ---- from a file ---- */

static bool read_run(struct reading *reading, int64_t run, struct load *load)
{
    if (!reading_begin(reading, "run",
                       "SELECT id, status, model, positions, ticks, tick_seconds, "
                       "level = 'spike' AND pattern IS NULL AND coalesce(first_position, 0) = 0 "
                       "AND coalesce(last_position, 9223372036854775807) >= CASE WHEN EXISTS "
                       "(SELECT 1 FROM population p WHERE p.run = run.id AND p.clocked) "
                       "THEN ticks ELSE positions END, stride, sampled "
                       "FROM run WHERE id = ?1 OR ?1 = 0 ORDER BY id DESC LIMIT 1",
                       run))
        return false;
    int got = reading_next(reading);
    int64_t whole = 0, sampled = 0;
    bool good = got == 1 && reading_integer(reading, 0, 1, INT64_MAX, &load->run) &&
                reading_text(reading, 1, false, &load->status) &&
                reading_text(reading, 2, true, &load->model) &&
                reading_count(reading, 3, &load->positions) &&
                reading_count(reading, 4, &load->ticks) &&
                reading_real(reading, 5, &load->tick_seconds) &&
                reading_integer(reading, 6, 0, 1, &whole) &&
                reading_integer(reading, 7, 1, UINT32_MAX, &load->stride) &&
                reading_integer(reading, 8, 0, 1, &sampled);
    load->sampled = sampled == 1;
    load->has_spikes = whole == 1;
    if (good && load->stride > 1) {
        load->ticks = (load->ticks + (uint64_t)load->stride - 1) / (uint64_t)load->stride;
        load->tick_seconds *= (double)load->stride;
    }
    if (got == 0 && run == 0)
        error_set(reading->error, ERROR_FAILED, "trace '%s' holds no run", reading->path);
    else if (got == 0)
        error_set(reading->error, ERROR_MISUSED, "trace '%s' holds no run %lld", reading->path,
                  (long long)run);
    reading_end(reading, got);
    return good;
}

/* Numbers of neurons, exactly `length` of them; a NULL in the file gives NULL. */
static bool read_numbers(struct reading *reading, int column, uint32_t length, uint64_t **numbers)
{
    *numbers = NULL;
    if (sqlite3_column_type(reading->row, column) == SQLITE_NULL)
        return true;
    const unsigned char *at = sqlite3_column_blob(reading->row, column);
    size_t bytes = (size_t)sqlite3_column_bytes(reading->row, column);
    if (bytes < length) /* each takes a byte at least */
        return reading_damaged(reading, column);
    uint64_t *array = malloc(((size_t)length + 1) * sizeof *array), sum = 0;
    if (array == NULL)
        return error_no_memory(reading->error, "the load");
    *numbers = array;
    const unsigned char *end = at + bytes;
    for (uint32_t i = 0; i < length; i++)
        if (!number_read(&at, end, &array[i]) || __builtin_add_overflow(sum, array[i], &sum) ||
            sum > INT64_MAX)
            return reading_damaged(reading, column);
    return at == end || reading_damaged(reading, column);
}

static bool read_population(struct reading *reading, struct load *load)
{
    struct load_population *population = &load->populations[load->population_count];
    struct population_tally *tally = &population->tally;
    uint64_t *const counters[] = {&tally->vectors, &tally->channels, &tally->silent,
                                  &tally->spikes, &tally->spikes_up_to_3, &tally->slots,
                                  &tally->sram_blocks, &tally->dram_blocks, &tally->synops};
    int64_t id = 0, layer = 0, neurons = 0, spiking = 0, clocked = 0, input = 0;
    memset(population, 0, sizeof *population);
    load->population_count++; /* so that what it has by now is freed */
    if (!reading_integer(reading, 0, load->population_count - 1, load->population_count - 1, &id) ||
        !reading_text(reading, 1, false, &population->name) ||
        !reading_integer(reading, 2, INT32_MIN, INT32_MAX, &layer) ||
        !reading_text(reading, 3, false, &population->model) ||
        !reading_integer(reading, 4, 0, UINT32_MAX - 1, &neurons) ||
        !reading_integer(reading, 5, 0, 1, &spiking) ||
        !reading_integer(reading, 6, 0, 1, &clocked) ||
        !reading_text(reading, 7, true, &population->coding))
        return false;
    population->layer = (int32_t)layer;
    population->neurons = (uint32_t)neurons;
    population->spiking = spiking == 1;
    population->clocked = clocked == 1;
    load->clocked |= population->clocked;
    for (int i = 0; i < (int)(sizeof counters / sizeof *counters); i++)
        if (!reading_count(reading, 8 + i, counters[i]))
            return false;
    if (tally->silent > tally->channels || tally->spikes_up_to_3 > tally->spikes)
        return reading_damaged(reading, 10);
    if (!reading_integer(reading, 21, 0, 1, &input))
        return false;
    population->input = input == 1;
    return read_numbers(reading, 17, population->neurons, &population->active) &&
           read_numbers(reading, 18, population->neurons, &population->spikes) &&
           read_numbers(reading, 19, population->neurons, &population->updates);
}

static bool read_populations(struct reading *reading, struct load *load)
{
    if (!reading_begin(reading, "population",
                       "SELECT p.id, p.name, p.layer, p.model, p.neurons, p.spiking, p.clocked, "
                       "p.coding, p.vectors, p.channels, p.silent, p.spikes, p.spikes_up_to_3, "
                       "p.slots, p.sram_blocks, p.dram_blocks, p.synops, n.active, n.spikes, "
                       "n.updates, (SELECT sum(abs(h.value) * h.channels) FROM histogram h "
                       "WHERE h.run = p.run AND h.population = p.id), p.input FROM population p "
                       "LEFT JOIN "
                       "neuron_activity n ON n.run = p.run AND n.population = p.id "
                       "WHERE p.run = ?1 ORDER BY p.id",
                       load->run))
        return false;
    int got;
    while ((got = reading_next(reading)) == 1) {
        struct load_population *populations =
            reading_grow(load->populations, load->population_count, POPULATIONS_LIMIT,
                         sizeof *populations, reading->error);
        if (populations == NULL)
            return reading_end(reading, -1);
        load->populations = populations;
        if (!read_population(reading, load))
            return reading_end(reading, -1);
        struct load_population *population = &populations[load->population_count - 1];
        sqlite3_int64 payloads = sqlite3_column_int64(reading->row, 20);
        sum_neurons(population, population->clocked && payloads > 0 ? (uint64_t)payloads : 0);
    }
    return reading_end(reading, got);
}

static bool read_fan_out(struct reading *reading, int column, const struct load *load,
                         struct load_projection *projection)
{
    uint32_t neurons = load->populations[projection->source].neurons;
    uint64_t *numbers;
    bool good = read_numbers(reading, column, neurons, &numbers);
    if (good && numbers != NULL) {
        projection->fan_out = malloc(((size_t)neurons + 1) * sizeof *projection->fan_out);
        good = projection->fan_out != NULL || error_no_memory(reading->error, "the load");
        for (uint32_t i = 0; good && i < neurons; i++) {
            good = numbers[i] <= UINT32_MAX || reading_damaged(reading, column);
            projection->fan_out[i] = (uint32_t)numbers[i];
        }
    }
    free(numbers);
    return good;
}

/* From its reach. */
static bool count_fan_out(struct load_projection *projection, struct error *error)
{
    const struct reach *reach = projection->reach;
    struct reach_entry *entries = malloc(((size_t)reach->most + 1) * sizeof *entries);
    uint32_t *fan_out = calloc((size_t)reach->sources + 1, sizeof *fan_out);
    free(projection->fan_out);
    projection->fan_out = fan_out;
    if (entries == NULL || fan_out == NULL) {
        free(entries);
        return error_no_memory(error, "the load");
    }
    for (uint32_t s = 0; s < reach->sources; s++) {
        uint32_t length = reach_row(reach, s, entries);
        for (uint32_t i = 0; i < length; i++)
            fan_out[s] += entries[i].synapses;
    }
    free(entries);
    return true;
}

/* Columns from `column` on: data, sources, targets, grain. */
static bool read_reach(struct reading *reading, int column, const struct load *load,
                       struct load_projection *projection, uint32_t width)
{
    if (sqlite3_column_type(reading->row, column) == SQLITE_NULL)
        return true;
    int64_t sources = 0, targets = 0, grain = 0;
    uint32_t neurons = load->populations[projection->source].neurons;
    if (!reading_integer(reading, column + 1, neurons, neurons, &sources) ||
        !reading_integer(reading, column + 2, width, width, &targets) ||
        !reading_integer(reading, column + 3, 1, GRAIN_LIMIT, &grain))
        return false;
    struct error failure = {0};
    projection->reach = reach_read(sqlite3_column_blob(reading->row, column),
                                   (size_t)sqlite3_column_bytes(reading->row, column),
                                   (uint32_t)sources, (uint32_t)targets, (uint32_t)grain, &failure);
    if (projection->reach == NULL)
        return error_set(reading->error, failure.code, "trace '%s' is damaged: %s", reading->path,
                         failure.text);
    return count_fan_out(projection, reading->error);
}

static bool read_projection(struct reading *reading, struct load *load, char **port,
                            uint32_t *width)
{
    struct load_projection *projection = &load->projections[load->projection_count];
    int64_t id = 0, source = 0, target = 0, spikes = 0, delay = 0, elements = 0;
    int64_t last = (int64_t)load->population_count - 1;
    memset(projection, 0, sizeof *projection);
    load->projection_count++;
    projection->compartment = UINT32_MAX;
    if (!reading_integer(reading, 0, load->projection_count - 1, load->projection_count - 1, &id) ||
        !reading_text(reading, 1, false, &projection->name) ||
        !reading_text(reading, 2, false, &projection->kind_name) ||
        !reading_integer(reading, 3, 0, last, &source) ||
        !reading_integer(reading, 4, 0, last, &target) ||
        !reading_text(reading, 5, false, port) ||
        !reading_integer(reading, 6, 0, UINT32_MAX - 1, &elements) ||
        !reading_integer(reading, 7, 0, 1, &spikes) ||
        !reading_integer(reading, 8, 0, UINT32_MAX, &delay) ||
        !reading_count(reading, 9, &projection->synapses) ||
        !reading_count(reading, 10, &projection->weight_count) ||
        !reading_count(reading, 11, &projection->parameters) ||
        !reading_count(reading, 12, &projection->bytes) ||
        !reading_count(reading, 13, &projection->synops))
        return false;
    *width = (uint32_t)elements;
    projection->source = (uint32_t)source;
    projection->target = (uint32_t)target;
    projection->spikes = spikes == 1;
    projection->delay = (uint32_t)delay;
    projection->kind = kind_of(projection->kind_name);
    projection->one_to_one = strcmp(projection->kind_name, "one to one") == 0;
    projection->weighted = projection->weight_count > 0;
    if (projection->one_to_one && *width != load->populations[source].neurons)
        return reading_damaged(reading, 6);
    return read_fan_out(reading, 14, load, projection) &&
           read_reach(reading, 15, load, projection, *width);
}

static bool read_projections(struct reading *reading, struct load *load)
{
    if (!reading_begin(reading, "projection",
                       "SELECT j.id, j.name, j.kind, j.source, j.target, j.port, j.width, "
                       "j.carries = 'spikes', j.delay, j.synapses, j.weight_count, j.parameters, "
                       "j.bytes, j.synops, j.fan_out, r.data, r.sources, r.targets, r.grain "
                       "FROM projection j LEFT JOIN reach r ON r.id = j.reach WHERE j.run = ?1 "
                       "ORDER BY j.id",
                       load->run))
        return false;
    char **ports = NULL;
    uint32_t *widths = NULL;
    int got;
    bool good = true;
    while (good && (got = reading_next(reading)) == 1) {
        uint32_t length = load->projection_count;
        struct load_projection *projections = reading_grow(
            load->projections, length, PROJECTIONS_LIMIT, sizeof *projections, reading->error);
        load->projections = projections != NULL ? projections : load->projections;
        char **names =
            reading_grow(ports, length, PROJECTIONS_LIMIT, sizeof *names, reading->error);
        ports = names != NULL ? names : ports;
        uint32_t *more =
            reading_grow(widths, length, PROJECTIONS_LIMIT, sizeof *more, reading->error);
        widths = more != NULL ? more : widths;
        good = projections != NULL && names != NULL && more != NULL;
        if (good) {
            ports[length] = NULL;
            good = read_projection(reading, load, &ports[length], &widths[length]);
        }
    }
    good = reading_end(reading, good ? got : -1) &&
           make_compartments(load, ports, widths, reading->error);
    for (uint32_t p = 0; ports != NULL && p < load->projection_count; p++)
        free(ports[p]);
    free(ports);
    free(widths);
    return good;
}

static bool read_placed(struct reading *reading, struct load *load)
{
    if (!reading_begin(reading, "wanted_placement",
                       "SELECT population, first, count, core FROM wanted_placement WHERE run = ?1 "
                       "ORDER BY population, first",
                       load->run))
        return false;
    int got;
    while ((got = reading_next(reading)) == 1) {
        int64_t population = 0, first = 0, count = 0, core = 0;
        struct load_placed *placed = reading_grow(load->placed, load->placed_count, RANGES_LIMIT,
                                                  sizeof *placed, reading->error);
        if (placed == NULL)
            return reading_end(reading, -1);
        load->placed = placed;
        if (!reading_integer(reading, 0, 0, (int64_t)load->population_count - 1, &population) ||
            !reading_integer(reading, 1, 0, load->populations[population].neurons, &first) ||
            !reading_integer(reading, 2, 1, load->populations[population].neurons - first,
                             &count) ||
            !reading_integer(reading, 3, 0, UINT32_MAX, &core))
            return reading_end(reading, -1);
        placed[load->placed_count++] = (struct load_placed){(uint32_t)population, (uint32_t)first,
                                                            (uint32_t)count, (uint32_t)core};
    }
    return reading_end(reading, got);
}

struct load *load_from_file(const char *path, int64_t run, struct error *error)
{
    struct reading reading = {.path = path, .error = error};
    reading.db = file_open_read(path, error);
    if (reading.db == NULL)
        return NULL;
    struct load *load = calloc(1, sizeof *load);
    /* One transaction: all figures of one moment, though a run may be writing. */
    bool good = load != NULL || error_no_memory(error, "the load");
    if (good && (load->path = strdup(path)) == NULL)
        good = error_no_memory(error, "the load");
    good = good && file_execute(reading.db, path, "BEGIN", error) &&
           read_run(&reading, run, load) && read_populations(&reading, load) &&
           read_projections(&reading, load) && read_placed(&reading, load);
    sqlite3_close(reading.db);
    if (!good) {
        load_free(load);
        return NULL;
    }
    return load;
}
