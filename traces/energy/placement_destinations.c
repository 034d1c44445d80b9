/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The cores that the spikes of one neuron go to: all those that hold any of its synapses.
 *
 * Invariant between calls: the set is empty, or destinations_next is taking it apart, lowest core
 * first; a word's bit in `blocks` is set if the word is not 0; `synapses` of a core is 0 unless
 * the core is in the set.
 */
#include "traces/energy/placement_internal.h"

#include <stdlib.h>

static void core_add(struct destinations *destinations, uint32_t core,
                     const struct load_projection *projection, double synapses)
{
    uint32_t word = core / 64, block = word / 64;
    destinations->words[word] |= UINT64_C(1) << core % 64;
    destinations->blocks[block] |= UINT64_C(1) << word % 64;
    if (block < destinations->block)
        destinations->block = block;
    if (destinations->synapses != NULL)
        destinations->synapses[core][projection->kind] += synapses;
}

/* Each neuron is taken as the average one, its synapses as spread over the compartment. */
static void add_full(struct destinations *destinations, const struct load_projection *projection)
{
    const struct load *load = destinations->load;
    const struct placement *placement = destinations->placement;
    double neurons = load->populations[projection->source].neurons;
    double width = load->compartments[projection->compartment].width;
    double density = (double)projection->synapses / neurons / width;
    uint32_t end = placement->first_range[projection->compartment + 1];
    for (uint32_t i = placement->first_range[projection->compartment]; i < end; i++)
        core_add(destinations, placement->ranges[i].core, projection,
                 density * placement->ranges[i].count);
}

static void add_reach(struct destinations *destinations, const struct load_projection *projection,
                      uint32_t neuron)
{
    const struct reach *reach = projection->reach;
    const uint32_t *core_of =
        destinations->core_of + destinations->first_element[projection->compartment];
    uint32_t length = reach_row(reach, neuron, destinations->entries);
    for (uint32_t i = 0; i < length; i++) {
        const struct reach_entry *entry = &destinations->entries[i];
        core_add(destinations, core_of[(size_t)entry->group * reach->grain], projection,
                 entry->synapses);
    }
}

void destinations_of(struct destinations *destinations, uint32_t population, uint32_t neuron)
{
    const struct load *load = destinations->load;
    destinations->block = destinations->block_count;
    for (uint32_t i = destinations->first_leaving[population];
         i < destinations->first_leaving[population + 1]; i++) {
        const struct load_projection *projection = &load->projections[destinations->leaving[i]];
        if (projection_is_full(projection)) {
            add_full(destinations, projection);
        } else if (projection->reach != NULL) {
            add_reach(destinations, projection, neuron);
        } else {
            double synapses = projection_own_synapses(load, projection, neuron);
            size_t element = destinations->first_element[projection->compartment] + neuron;
            if (synapses > 0)
                core_add(destinations, destinations->core_of[element], projection, synapses);
        }
    }
}

bool destinations_next(struct destinations *destinations, uint32_t *core,
                       double synapses[SYNAPSE_KINDS])
{
    uint32_t block = destinations->block;
    while (block < destinations->block_count && destinations->blocks[block] == 0)
        block++;
    destinations->block = block;
    if (block == destinations->block_count)
        return false;
    uint32_t word = block * 64 + (uint32_t)__builtin_ctzll(destinations->blocks[block]);
    uint64_t *bits = &destinations->words[word];
    *core = word * 64 + (uint32_t)__builtin_ctzll(*bits);
    *bits &= *bits - 1;
    if (*bits == 0)
        destinations->blocks[block] &= destinations->blocks[block] - 1;
    if (destinations->synapses != NULL) {
        for (int kind = 0; kind < SYNAPSE_KINDS; kind++) {
            if (synapses != NULL)
                synapses[kind] = destinations->synapses[*core][kind];
            destinations->synapses[*core][kind] = 0;
        }
    }
    return true;
}

bool destinations_any(const struct destinations *destinations, uint32_t population)
{
    return destinations->first_leaving[population] < destinations->first_leaving[population + 1];
}

bool destinations_shared(const struct destinations *destinations, uint32_t population)
{
    for (uint32_t i = destinations->first_leaving[population];
         i < destinations->first_leaving[population + 1]; i++)
        if (!projection_is_full(&destinations->load->projections[destinations->leaving[i]]))
            return false;
    return true;
}

/* ---------------------------------------------------------------- making */

static bool leaving_sort(struct destinations *destinations)
{
    const struct load *load = destinations->load;
    destinations->leaving =
        malloc(((size_t)load->projection_count + 1) * sizeof *destinations->leaving);
    destinations->first_leaving =
        calloc((size_t)load->population_count + 2, sizeof *destinations->first_leaving);
    uint32_t *first = destinations->first_leaving;
    if (destinations->leaving == NULL || first == NULL)
        return false;
    for (uint32_t i = 0; i < load->projection_count; i++)
        if (projection_leads(&load->projections[i]))
            first[load->projections[i].source + 2]++;
    for (uint32_t i = 0; i < load->population_count; i++)
        first[i + 2] += first[i + 1];
    for (uint32_t i = 0; i < load->projection_count; i++)
        if (projection_leads(&load->projections[i]))
            destinations->leaving[first[load->projections[i].source + 1]++] = i;
    return true;
}

static bool elements_place(struct destinations *destinations)
{
    const struct load *load = destinations->load;
    const struct placement *placement = destinations->placement;
    size_t *first = calloc((size_t)load->compartment_count + 1, sizeof *first);
    destinations->first_element = first;
    if (first == NULL)
        return false;
    for (uint32_t i = 0; i < load->compartment_count; i++)
        first[i + 1] = first[i] + load->compartments[i].width;
    destinations->core_of =
        malloc((first[load->compartment_count] + 1) * sizeof *destinations->core_of);
    if (destinations->core_of == NULL)
        return false;
    for (uint32_t i = 0; i < placement->range_count; i++) {
        const struct placed_range *range = &placement->ranges[i];
        for (uint32_t k = 0; k < range->count; k++)
            destinations->core_of[first[range->compartment] + range->first + k] = range->core;
    }
    return true;
}

static bool set_make(struct destinations *destinations, bool synapses)
{
    const struct load *load = destinations->load;
    size_t cores = destinations->placement->core_count, most = 0;
    for (uint32_t i = 0; i < load->projection_count; i++)
        if (load->projections[i].reach != NULL && load->projections[i].reach->most > most)
            most = load->projections[i].reach->most;
    destinations->entries = malloc((most + 1) * sizeof *destinations->entries);
    destinations->block_count = (uint32_t)((cores + 4095) / 4096);
    destinations->words = calloc((cores + 63) / 64 + 1, sizeof *destinations->words);
    destinations->blocks =
        calloc((size_t)destinations->block_count + 1, sizeof *destinations->blocks);
    if (synapses)
        destinations->synapses = calloc(cores + 1, sizeof *destinations->synapses);
    return destinations->entries != NULL && destinations->words != NULL
           && destinations->blocks != NULL && (!synapses || destinations->synapses != NULL);
}

struct destinations *destinations_new(const struct load *load, const struct placement *placement,
                                      bool synapses, struct error *error)
{
    struct destinations *destinations = calloc(1, sizeof *destinations);
    if (destinations != NULL) {
        destinations->load = load;
        destinations->placement = placement;
    }
    if (destinations == NULL || !leaving_sort(destinations) || !elements_place(destinations)
        || !set_make(destinations, synapses)) {
        error_no_memory(error, "the routes of spikes");
        destinations_free(destinations);
        return NULL;
    }
    return destinations;
}

void destinations_free(struct destinations *destinations)
{
    if (destinations == NULL)
        return;
    free(destinations->first_element);
    free(destinations->core_of);
    free(destinations->leaving);
    free(destinations->first_leaving);
    free(destinations->entries);
    free(destinations->synapses);
    free(destinations->words);
    free(destinations->blocks);
    free(destinations);
}
