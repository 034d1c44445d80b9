/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading the populations of a native document: cells with their parameters, and inputs with the
 * spikes that they bring. Their order in the document is their order in the network.
 */
#include "neurons/import/native/native_values.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_LISTED = 64 };

/* ------------------------------------------------------------------- cells */

static bool read_size(const struct native_reader *reader, const struct native_item *item,
                      struct blueprint_population *population)
{
    struct native_item neurons = native_member(item, "neurons"),
                       shape = native_member(item, "shape");
    int64_t count = 0;
    if (neurons.json == NULL && shape.json == NULL)
        return native_refuse(reader, item,
                             "has neither 'neurons', how many there are, nor 'shape', "
                             "how they are arranged");
    if (neurons.json != NULL && !native_integer(reader, &neurons, 1, INT32_MAX, &count))
        return false;
    if (shape.json != NULL) {
        if (!native_integers(reader, &shape, BLUEPRINT_RANK, 1, population->shape,
                             &population->rank))
            return false;
        uint64_t product = 1; /* each factor is below 2^31, and it is looked at after each */
        for (uint32_t i = 0; i < population->rank; i++) {
            product *= population->shape[i];
            if (product > INT32_MAX)
                return native_refuse(reader, &shape, "has more than %d neurons", INT32_MAX);
        }
        if (neurons.json != NULL && (uint64_t)count != product)
            return native_refuse(reader, &shape, "has %llu neurons, but 'neurons' is %lld",
                                 (unsigned long long)product, (long long)count);
        count = (int64_t)product;
    }
    population->neurons = (uint32_t)count;
    return true;
}

static bool read_model(const struct native_reader *reader, const struct native_item *item,
                       struct blueprint_population *population)
{
    struct native_item named = native_member(item, "model");
    const char *name, *names[NAMES_LISTED];
    size_t length, listed = 0;
    if (!native_text(reader, &named, &name))
        return false;
    const struct cell_model *const *models = cell_models(&length);
    for (size_t i = 0; i < length; i++) {
        if (strcmp(models[i]->name, name) == 0) {
            population->model = models[i];
            return true;
        }
        if (listed < NAMES_LISTED)
            names[listed++] = models[i]->name;
    }
    return native_unknown(reader, &named, "model", name, names, listed);
}

static bool read_parameters(struct native_reader *reader, const struct native_item *item,
                            struct blueprint_population *population)
{
    const struct cell_model *model = population->model;
    struct native_item parameters = native_member(item, "parameters");
    const char *names[CELL_PARAMETERS + 1] = {NULL};
    uint32_t count = 0;
    for (; model->parameters[count].name != NULL; count++)
        names[count] = model->parameters[count].name;
    if (parameters.json != NULL && !native_fields(reader, &parameters, names))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const struct cell_parameter *parameter = &model->parameters[i];
        struct native_item value = native_member(&parameters, parameter->name);
        if (value.json == NULL && isnan(parameter->standard))
            return native_refuse(reader, &value, "is missing; model '%s' needs it: %s", model->name,
                                 parameter->meaning);
        if (value.json != NULL && !native_quantity(reader, &value, population->neurons,
                                                   parameter->range, &population->parameter[i]))
            return false;
    }
    return true;
}

static bool read_initial(struct native_reader *reader, const struct native_item *item,
                         struct blueprint_population *population)
{
    struct native_item initial = native_member(item, "initial");
    const char *names[CELL_VARIABLES + 1] = {NULL};
    for (uint32_t i = 0; population->model->variables[i].name != NULL; i++)
        names[i] = population->model->variables[i].name;
    if (initial.json == NULL)
        return true;
    if (!native_fields(reader, &initial, names))
        return false;
    for (uint32_t i = 0; names[i] != NULL; i++) {
        struct native_item value = native_member(&initial, names[i]);
        if (value.json != NULL && !native_quantity(reader, &value, population->neurons, RANGE_ANY,
                                                   &population->initial[i]))
            return false;
    }
    return true;
}

static bool read_drive(struct native_reader *reader, const struct native_item *item,
                       struct blueprint_population *population)
{
    struct native_item drive = native_member(item, "drive");
    if (drive.json == NULL)
        return true;
    if (!native_fields(reader, &drive, population->model->ports))
        return false;
    for (uint32_t i = 0; population->model->ports[i] != NULL; i++) {
        struct native_item value = native_member(&drive, population->model->ports[i]);
        uint64_t shape[1] = {population->neurons};
        double constant;
        if (value.json == NULL)
            continue;
        if (native_is_array(&value)) {
            if (!native_array(reader, &value, 1, shape, true, &population->drive[i]))
                return false;
            continue;
        }
        if (!native_number(reader, &value, RANGE_ANY, &constant))
            return false;
        population->drive[i] = native_spread(reader, &value, constant, population->neurons);
        if (population->drive[i] == NULL)
            return false;
    }
    return true;
}

/* ------------------------------------------------------------------ inputs */

static int spike_compare(const void *left, const void *right)
{
    const struct timed_spike *a = left, *b = right;
    if (a->tick != b->tick)
        return a->tick < b->tick ? -1 : 1;
    return a->neuron < b->neuron ? -1 : a->neuron > b->neuron;
}

static bool spikes_sort(const struct native_reader *reader, const struct native_item *item,
                        struct blueprint_population *population)
{
    struct timed_spike *spikes = population->spikes;
    qsort(spikes, population->spike_count, sizeof *spikes, spike_compare);
    for (uint64_t i = 1; i < population->spike_count; i++)
        if (spike_compare(&spikes[i - 1], &spikes[i]) == 0)
            return native_refuse(reader, item,
                                 "neuron %u spikes twice in tick %lld, at %.9g s; "
                                 "give one spike with their number as its payload, or a shorter "
                                 "tick",
                                 spikes[i].neuron, (long long)spikes[i].tick,
                                 (double)spikes[i].tick * reader->blueprint->rules.dt);
    return true;
}

static bool spikes_new(const struct native_reader *reader, struct blueprint_population *population,
                       uint64_t length)
{
    if (length < SIZE_MAX / sizeof *population->spikes)
        population->spikes = calloc(length + 1, sizeof *population->spikes);
    population->spike_count = length;
    return population->spikes != NULL || error_no_memory(reader->error, "the spikes of an input");
}

static bool spike_time(const struct native_reader *reader, const struct native_item *item,
                       double time, int64_t *tick)
{
    double ticks = time / reader->blueprint->rules.dt;
    if (!(ticks >= 0 && ticks <= native_tick_limit))
        return native_refuse(reader, item, "spikes at %.9g s, which is %s", time,
                             ticks < 0 ? "before the run begins"
                                       : "more ticks than can be counted");
    *tick = (int64_t)llround(ticks);
    return true;
}

/* [[time, neuron], [time, neuron, payload], …] */
static bool read_spike_list(const struct native_reader *reader, const struct native_item *list,
                            struct blueprint_population *population)
{
    if (!spikes_new(reader, population, json_array_size(list->json)))
        return false;
    for (size_t i = 0; i < population->spike_count; i++) {
        struct native_item item = native_element(list, i);
        size_t length = json_array_size(item.json);
        if (length != 2 && length != 3)
            return native_refuse(reader, &item,
                                 "must be [time in seconds, neuron] or [time, "
                                 "neuron, payload]");
        struct native_item at = native_element(&item, 0), who = native_element(&item, 1),
                           what = native_element(&item, 2);
        double time;
        int64_t neuron, payload = 1;
        if (!native_number(reader, &at, RANGE_NOT_NEGATIVE, &time) ||
            !spike_time(reader, &at, time, &population->spikes[i].tick) ||
            !native_integer(reader, &who, 0, (int64_t)population->neurons - 1, &neuron) ||
            (length == 3 && !native_integer(reader, &what, INT32_MIN, INT32_MAX, &payload)))
            return false;
        population->spikes[i].neuron = (uint32_t)neuron;
        population->spikes[i].payload = (int32_t)payload;
    }
    return spikes_sort(reader, list, population);
}

static bool spike_arrays_take(const struct native_reader *reader, const struct native_item *times,
                              const double *time, const double *neuron, const double *payload,
                              struct blueprint_population *population)
{
    for (uint64_t i = 0; i < population->spike_count; i++) {
        if (!spike_time(reader, times, time[i], &population->spikes[i].tick))
            return false;
        population->spikes[i].neuron = (uint32_t)neuron[i];
        population->spikes[i].payload = payload == NULL ? 1 : (int32_t)payload[i];
    }
    return true;
}

/* {"times": …, "neurons": …, "payloads": …}, arrays or tensors of one length */
static bool read_spike_arrays(struct native_reader *reader, const struct native_item *item,
                              struct blueprint_population *population)
{
    static const char *const fields[] = {"times", "neurons", "payloads", NULL};
    struct native_item times = native_member(item, "times"), who = native_member(item, "neurons"),
                       payloads = native_member(item, "payloads");
    uint64_t length;
    double *time = NULL, *neuron = NULL, *payload = NULL;
    if (!native_fields(reader, item, fields) || !native_length(reader, &times, &length) ||
        !spikes_new(reader, population, length))
        return false;
    bool read = native_array(reader, &times, 1, &length, false, &time) &&
                native_array(reader, &who, 1, &length, false, &neuron) &&
                native_whole(reader, &who, neuron, length, 0, population->neurons - 1.0) &&
                (payloads.json == NULL ||
                 (native_array(reader, &payloads, 1, &length, false, &payload) &&
                  native_whole(reader, &payloads, payload, length, INT32_MIN, INT32_MAX))) &&
                spike_arrays_take(reader, &times, time, neuron, payload, population) &&
                spikes_sort(reader, item, population);
    free(time);
    free(neuron);
    free(payload);
    return read;
}

static bool read_input(struct native_reader *reader, const struct native_item *item,
                       struct blueprint_population *population)
{
    static const char *const fields[] = {"spikes", NULL};
    struct native_item input = native_member(item, "input");
    if (json_is_true(input.json))
        return true;
    if (!json_is_object(input.json))
        return native_refuse(reader, &input,
                             "must be true, for one that is fed from outside, or "
                             "{\"spikes\": …}");
    struct native_item spikes = native_member(&input, "spikes");
    if (!native_fields(reader, &input, fields))
        return false;
    if (json_is_array(spikes.json))
        return read_spike_list(reader, &spikes, population);
    if (json_is_object(spikes.json))
        return read_spike_arrays(reader, &spikes, population);
    return native_refuse(reader, &spikes,
                         "must be a list of [time in seconds, neuron], or "
                         "{\"times\": …, \"neurons\": …}");
}

/* ------------------------------------------------------------- populations */

static bool read_population(struct native_reader *reader, const struct native_item *item,
                            struct blueprint_population *population)
{
    static const char *const input_fields[] = {"input", "neurons", "shape", "output", NULL};
    static const char *const cell_fields[] = {"model",   "neurons", "shape",  "parameters",
                                              "initial", "drive",   "output", NULL};
    bool input = json_object_get(item->json, "input") != NULL;
    struct native_item output = native_member(item, "output");
    if (input && json_object_get(item->json, "model") != NULL)
        return native_refuse(reader, item, "has both 'model' and 'input'; it must be one of them");
    if (json_is_object(item->json) && !input && json_object_get(item->json, "model") == NULL)
        return native_refuse(reader, item,
                             "has neither 'model', the name of a neuron model, nor "
                             "'input'");
    if (!native_fields(reader, item, input ? input_fields : cell_fields) ||
        !read_size(reader, item, population) ||
        (output.json != NULL && !native_flag(reader, &output, &population->output)))
        return false;
    if (input)
        return read_input(reader, item, population);
    return read_model(reader, item, population) && read_parameters(reader, item, population) &&
           read_initial(reader, item, population) && read_drive(reader, item, population);
}

bool native_read_populations(struct native_reader *reader, const struct native_item *document)
{
    struct native_item list = native_member(document, "populations");
    if (!json_is_object(list.json) || json_object_size(list.json) == 0)
        return native_refuse(reader, &list,
                             "must be an object with at least one population, "
                             "{\"name\": {…}}");
    reader->numbers = json_object();
    if (reader->numbers == NULL)
        return error_no_memory(reader->error, "the names of populations");
    const char *name;
    json_t *value;
    json_object_foreach(list.json, name, value)
    {
        struct native_item item = native_member(&list, name);
        if (name[0] == '\0')
            return native_refuse(reader, &list, "the name of a population must not be empty");
        uint32_t number = reader->blueprint->population_count;
        struct blueprint_population *population =
            blueprint_add_population(reader->blueprint, name, reader->error);
        if (population == NULL || !read_population(reader, &item, population))
            return false;
        if (json_object_set_new(reader->numbers, name, json_integer(number)) != 0)
            return error_no_memory(reader->error, "the names of populations");
    }
    return true;
}

bool native_population(const struct native_reader *reader, const struct native_item *item,
                       const char *key, uint32_t *index)
{
    struct native_item named = native_member(item, key);
    const struct blueprint *blueprint = reader->blueprint;
    const char *name, *names[NAMES_LISTED];
    if (!native_text(reader, &named, &name))
        return false;
    const json_t *number = json_object_get(reader->numbers, name);
    if (number != NULL) {
        *index = (uint32_t)json_integer_value(number);
        return true;
    }
    size_t count =
        blueprint->population_count < NAMES_LISTED ? blueprint->population_count : NAMES_LISTED;
    for (size_t i = 0; i < count; i++)
        names[i] = blueprint->populations[i].name;
    return native_unknown(reader, &named, "population", name, names, count);
}
