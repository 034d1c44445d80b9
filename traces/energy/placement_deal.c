/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Dealing: the units of all compartments, in order, to one core after the other. A core takes units
 * until the next would break a limit.
 *
 * Whether a source neuron has been counted among those that send to the core being filled is kept
 * as a stamp, the core's number + 1, so that nothing has to be cleared between cores. A unit that
 * does not fit leaves its stamps behind; they are of a core that is closed then.
 */
#include "traces/energy/placement_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- ranges */

bool range_list_add(struct range_list *list, uint32_t compartment, uint32_t first, uint32_t count,
                    uint32_t core, struct error *error)
{
    struct placed_range *last = list->count > 0 ? &list->ranges[list->count - 1] : NULL;
    if (last != NULL && last->compartment == compartment && last->core == core
        && last->first + last->count == first) {
        last->count += count;
        return true;
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity < 16 ? 16 : (size_t)list->capacity * 2;
        struct placed_range *ranges =
            capacity < UINT32_MAX ? realloc(list->ranges, capacity * sizeof *ranges) : NULL;
        if (ranges == NULL)
            return error_no_memory(error, "the placement");
        list->ranges = ranges;
        list->capacity = (uint32_t)capacity;
    }
    list->ranges[list->count++] = (struct placed_range){compartment, first, count, core};
    return true;
}

bool placement_set_ranges(struct placement *placement, struct range_list *list,
                          uint32_t compartments, struct error *error)
{
    uint32_t *first = calloc((size_t)compartments + 1, sizeof *first);
    if (first == NULL) {
        free(list->ranges);
        return error_no_memory(error, "the placement");
    }
    for (uint32_t i = 0; i < list->count; i++)
        first[list->ranges[i].compartment + 1]++;
    for (uint32_t i = 0; i < compartments; i++)
        first[i + 1] += first[i];
    free(placement->ranges);
    free(placement->first_range);
    placement->ranges = list->ranges;
    placement->range_count = list->count;
    placement->first_range = first;
    return true;
}

/* --------------------------------------------------------------- dealing */

struct dealing {
    const struct needs *needs;
    bool limited;
    struct range_list list;
    uint32_t cores; /* closed */
    struct core core; /* being filled */
    uint64_t weights; /* on it */
    uint32_t entered; /* the compartment it last took from; UINT32_MAX: none */
    /* Only if fan-in is limited. */
    uint32_t *counted; /* [neurons of all populations], stamps */
    uint32_t *whole;   /* [populations], stamps: every neuron of it has been counted */
    struct {
        uint32_t stamp;
        uint32_t neurons; /* counted one by one, if the stamp is the core's */
    } *single; /* [populations] */
};

static uint32_t stamp_of(const struct dealing *dealing)
{
    return dealing->cores + 1;
}

/* Counts a source neuron for the core being filled, unless it has been. */
static uint32_t count_one(struct dealing *dealing, uint32_t population, uint32_t neuron)
{
    uint32_t stamp = stamp_of(dealing);
    uint32_t *counted = &dealing->counted[dealing->needs->first_neuron[population] + neuron];
    if (*counted == stamp)
        return 0;
    *counted = stamp;
    if (dealing->single[population].stamp != stamp) {
        dealing->single[population].stamp = stamp;
        dealing->single[population].neurons = 0;
    }
    dealing->single[population].neurons++;
    return 1;
}

static uint32_t count_whole(struct dealing *dealing, uint32_t population)
{
    uint32_t stamp = stamp_of(dealing);
    uint32_t neurons = dealing->needs->load->populations[population].neurons;
    dealing->whole[population] = stamp;
    return dealing->single[population].stamp == stamp
               ? neurons - dealing->single[population].neurons
               : neurons;
}

/* Source neurons that a unit adds to those that send to the core. */
static uint64_t count_senders(struct dealing *dealing, uint32_t compartment, size_t unit)
{
    const struct needs *needs = dealing->needs;
    const struct load *load = needs->load;
    uint64_t added = 0;
    for (uint32_t i = needs->first_arriving[compartment];
         i < needs->first_arriving[compartment + 1]; i++) {
        const struct load_projection *projection = &load->projections[needs->arriving[i]];
        uint32_t source = projection->source;
        if (dealing->whole[source] == stamp_of(dealing))
            continue;
        if (projection_is_full(projection)) {
            added += count_whole(dealing, source);
        } else if (projection->one_to_one) {
            uint32_t first = (uint32_t)unit * needs->grain[compartment];
            uint32_t end = first + unit_elements(needs, compartment, unit);
            for (uint32_t neuron = first; neuron < end; neuron++)
                if (projection_own_synapses(load, projection, neuron) > 0)
                    added += count_one(dealing, source, neuron);
        } else {
            const struct senders *senders = &needs->senders[needs->arriving[i]];
            for (size_t k = senders->first[unit]; k < senders->first[unit + 1]; k++)
                added += count_one(dealing, source, senders->neurons[k]);
        }
    }
    return added;
}

/* The core being filled as it would be with one more unit. */
static struct core core_with(struct dealing *dealing, uint32_t compartment, size_t unit,
                             uint64_t *weights)
{
    const struct needs *needs = dealing->needs;
    const struct unit *own = &needs->units[needs->first_unit[compartment] + unit];
    struct core core = dealing->core;
    core.elements += unit_elements(needs, compartment, unit);
    if (!dealing->limited)
        return core;
    *weights = dealing->weights + own->weights
               + (dealing->entered != compartment ? needs->kernels[compartment] : 0);
    core.synapses += own->synapses;
    core.synapse_bytes = weights_bytes(needs->chip, *weights);
    core.fan_out += own->fan_out;
    if (needs->senders != NULL)
        core.fan_in += count_senders(dealing, compartment, unit);
    return core;
}

static void close_core(struct dealing *dealing)
{
    dealing->cores++;
    dealing->core = (struct core){0};
    dealing->weights = 0;
    dealing->entered = UINT32_MAX;
}

/* A core of its own is not enough for the unit. */
static bool unit_sentence(const struct dealing *dealing, uint32_t compartment, size_t unit,
                          enum limit limit, uint64_t needed, struct error *error)
{
    const struct needs *needs = dealing->needs;
    uint32_t elements = unit_elements(needs, compartment, unit);
    char called[200], subject[280];
    compartment_called(needs->load, compartment, called);
    if (elements == 1 || limit == LIMIT_NEURON_FAN_IN)
        snprintf(subject, sizeof subject, "%s: one neuron", called);
    else
        snprintf(subject, sizeof subject, "%s: a group of %" PRIu32 " neurons (the trace does not "
                 "say more closely where spikes go)", called, elements);
    return limit_sentence(needs->chip, limit, needed, subject, error);
}

static bool deal_unit(struct dealing *dealing, uint32_t compartment, size_t unit,
                      struct error *error)
{
    const struct needs *needs = dealing->needs;
    struct chip neurons_only = {.limits = {.neurons = needs->chip->limits.neurons}};
    const struct chip *chip = dealing->limited ? needs->chip : &neurons_only;
    uint64_t most = needs->chip->limits.neuron_fan_in;
    if (dealing->limited && most > 0 && unit_fan_in(needs, compartment, unit) > most)
        return unit_sentence(dealing, compartment, unit, LIMIT_NEURON_FAN_IN,
                             unit_fan_in(needs, compartment, unit), error);
    uint64_t weights = 0;
    struct core core = core_with(dealing, compartment, unit, &weights);
    enum limit limit = limit_broken(chip, &core);
    if (limit != LIMIT_NONE && dealing->core.elements > 0) {
        close_core(dealing);
        core = core_with(dealing, compartment, unit, &weights);
        limit = limit_broken(chip, &core);
    }
    if (limit != LIMIT_NONE && dealing->limited)
        return unit_sentence(dealing, compartment, unit, limit, limit_needed(limit, &core), error);
    dealing->core = core;
    dealing->weights = weights;
    dealing->entered = compartment;
    return range_list_add(&dealing->list, compartment, (uint32_t)unit * needs->grain[compartment],
                          unit_elements(needs, compartment, unit), dealing->cores, error);
}

static bool deal_all(struct dealing *dealing, struct error *error)
{
    const struct needs *needs = dealing->needs;
    for (uint32_t i = 0; i < needs->load->compartment_count; i++)
        for (size_t unit = 0; unit < needs->first_unit[i + 1] - needs->first_unit[i]; unit++)
            if (!deal_unit(dealing, i, unit, error))
                return false;
    if (dealing->core.elements > 0)
        close_core(dealing);
    return true;
}

static bool dealing_take_memory(struct dealing *dealing)
{
    const struct load *load = dealing->needs->load;
    size_t populations = load->population_count;
    if (dealing->needs->senders == NULL)
        return true;
    dealing->counted = calloc(dealing->needs->first_neuron[populations] + 1,
                              sizeof *dealing->counted);
    dealing->whole = calloc(populations + 1, sizeof *dealing->whole);
    dealing->single = calloc(populations + 1, sizeof *dealing->single);
    return dealing->counted != NULL && dealing->whole != NULL && dealing->single != NULL;
}

bool placement_deal(struct placement *placement, const struct needs *needs, bool limited,
                    struct error *error)
{
    struct dealing dealing = {.needs = needs, .limited = limited, .entered = UINT32_MAX};
    bool dealt = dealing_take_memory(&dealing) || error_no_memory(error, "the placement");
    dealt = dealt && deal_all(&dealing, error);
    free(dealing.counted);
    free(dealing.whole);
    free(dealing.single);
    struct core *cores = NULL;
    if (dealt) {
        cores = calloc((size_t)dealing.cores + 1, sizeof *cores);
        dealt = cores != NULL || error_no_memory(error, "the placement");
    }
    if (!dealt) {
        free(dealing.list.ranges);
        return false;
    }
    for (uint32_t i = 0; i < dealing.cores; i++)
        cores[i].place = i;
    free(placement->cores);
    placement->cores = cores;
    placement->core_count = dealing.cores;
    return placement_set_ranges(placement, &dealing.list, needs->load->compartment_count, error);
}
