/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Explicit placement: neurons where the network file wants them. Its core numbers are places. The
 * file knows nothing of ports; element i of a port of W elements goes with neuron ⌊i · N / W⌋ of
 * the N of its population, so that a port is spread over the cores of its population, in order.
 */
#include "traces/energy/placement_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct wishes {
    const struct needs *needs;
    size_t *first;   /* [compartments + 1], elements counted through */
    uint32_t *place; /* [elements]; NO_CORE: none */
};

static bool wish_check(const struct load *load, const struct load_placed *wish,
                       struct error *error)
{
    if (wish->population >= load->population_count)
        return error_set(error, ERROR_FAILED, "the placement in the trace names population "
                         "%" PRIu32 " of %" PRIu32 "; the trace is damaged", wish->population,
                         load->population_count);
    const struct load_population *population = &load->populations[wish->population];
    if ((uint64_t)wish->first + wish->count > population->neurons)
        return error_set(error, ERROR_FAILED, "population %.160s has %" PRIu32 " neurons, but its "
                         "placement goes to number %" PRIu64, population->name,
                         population->neurons, (uint64_t)wish->first + wish->count - 1);
    if (wish->core == NO_CORE)
        return error_set(error, ERROR_FAILED, "population %.160s: there is no core %" PRIu32,
                         population->name, wish->core);
    return true;
}

static bool wishes_fill(struct wishes *wishes, struct error *error)
{
    const struct load *load = wishes->needs->load;
    for (uint32_t i = 0; i < load->placed_count; i++) {
        const struct load_placed *wish = &load->placed[i];
        if (!wish_check(load, wish, error))
            return false;
        const struct load_population *population = &load->populations[wish->population];
        if (!population->placed)
            continue;
        uint32_t *place = wishes->place + wishes->first[population->compartment];
        for (uint32_t neuron = wish->first; neuron < wish->first + wish->count; neuron++) {
            if (place[neuron] != NO_CORE)
                return error_set(error, ERROR_MISUSED, "the network file gives neuron %" PRIu32
                                 " of population %.160s two places, core %" PRIu32 " and core %"
                                 PRIu32 "; leave one out", neuron, population->name,
                                 place[neuron], wish->core);
            place[neuron] = wish->core;
        }
    }
    return true;
}

static bool neurons_check(const struct wishes *wishes, uint32_t compartment, struct error *error)
{
    const struct needs *needs = wishes->needs;
    const struct load_compartment *own = &needs->load->compartments[compartment];
    const char *name = needs->load->populations[own->population].name;
    const uint32_t *place = wishes->place + wishes->first[compartment];
    uint32_t grain = needs->grain[compartment];
    for (uint32_t neuron = 0; neuron < own->width; neuron++) {
        uint32_t first = neuron / grain * grain;
        if (place[neuron] == NO_CORE)
            return error_set(error, ERROR_MISUSED, "the network file gives neuron %" PRIu32
                             " of population %.160s no core; place every neuron, or use another "
                             "--placement", neuron, name);
        if (place[neuron] != place[first])
            return error_set(error, ERROR_MISUSED, "population %.160s: the trace says where spikes "
                             "go for groups of %" PRIu32 " neurons, and the network file puts "
                             "neurons %" PRIu32 " and %" PRIu32 " of one group on cores %" PRIu32
                             " and %" PRIu32 "; let cores begin at multiples of %" PRIu32, name,
                             grain, first, neuron, place[first], place[neuron], grain);
    }
    return true;
}

static void port_fill(struct wishes *wishes, uint32_t compartment)
{
    const struct needs *needs = wishes->needs;
    const struct load_compartment *own = &needs->load->compartments[compartment];
    const struct load_population *population = &needs->load->populations[own->population];
    const uint32_t *neurons = wishes->place + wishes->first[population->compartment];
    uint32_t *place = wishes->place + wishes->first[compartment];
    uint32_t grain = needs->grain[compartment];
    for (uint32_t i = 0; i < own->width; i++)
        place[i] = neurons[(uint64_t)(i / grain * grain) * population->neurons / own->width];
}

static bool wishes_take(struct wishes *wishes, struct error *error)
{
    const struct load *load = wishes->needs->load;
    uint32_t count = load->compartment_count;
    wishes->first = calloc((size_t)count + 1, sizeof *wishes->first);
    if (wishes->first == NULL)
        return error_no_memory(error, "the placement");
    for (uint32_t i = 0; i < count; i++)
        wishes->first[i + 1] = wishes->first[i] + load->compartments[i].width;
    wishes->place = malloc((wishes->first[count] + 1) * sizeof *wishes->place);
    if (wishes->place == NULL)
        return error_no_memory(error, "the placement");
    memset(wishes->place, 0xff, wishes->first[count] * sizeof *wishes->place);
    if (!wishes_fill(wishes, error))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (load->compartments[i].port == NULL && !neurons_check(wishes, i, error))
            return false;
    for (uint32_t i = 0; i < count; i++)
        if (load->compartments[i].port != NULL)
            port_fill(wishes, i);
    return true;
}

/* ----------------------------------------------------------------- cores */

static int compare_places(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

/* Runs of elements on one place, with the place where the core belongs. */
static bool wishes_run(const struct wishes *wishes, struct range_list *list, struct error *error)
{
    for (uint32_t i = 0; i < wishes->needs->load->compartment_count; i++) {
        uint32_t width = wishes->needs->load->compartments[i].width;
        const uint32_t *place = wishes->place + wishes->first[i];
        for (uint32_t first = 0, end; first < width; first = end) {
            for (end = first + 1; end < width && place[end] == place[first]; end++)
                ;
            if (!range_list_add(list, i, first, end - first, place[first], error))
                return false;
        }
    }
    return true;
}

/* Cores in order of their places; ranges get their index. */
static bool places_number(struct placement *placement, struct range_list *list,
                          struct error *error)
{
    uint32_t *places = malloc(((size_t)list->count + 1) * sizeof *places);
    if (places == NULL)
        return error_no_memory(error, "the placement");
    for (uint32_t i = 0; i < list->count; i++)
        places[i] = list->ranges[i].core;
    qsort(places, list->count, sizeof *places, compare_places);
    uint32_t count = 0;
    for (uint32_t i = 0; i < list->count; i++)
        if (count == 0 || places[i] != places[count - 1])
            places[count++] = places[i];
    placement->cores = calloc((size_t)count + 1, sizeof *placement->cores);
    placement->core_count = count;
    for (uint32_t i = 0; i < count && placement->cores != NULL; i++)
        placement->cores[i].place = places[i];
    for (uint32_t i = 0; i < list->count; i++) {
        const uint32_t *found =
            bsearch(&list->ranges[i].core, places, count, sizeof *places, compare_places);
        list->ranges[i].core = (uint32_t)(found - places);
    }
    free(places);
    return placement->cores != NULL || error_no_memory(error, "the placement");
}

bool placement_take(struct placement *placement, const struct needs *needs, struct error *error)
{
    if (needs->load->placed_count == 0)
        return error_set(error, ERROR_MISUSED, "the network file says nothing of cores; give its "
                         "populations a placement, or use another --placement");
    struct wishes wishes = {.needs = needs};
    struct range_list list = {0};
    bool taken = wishes_take(&wishes, error) && wishes_run(&wishes, &list, error)
                 && places_number(placement, &list, error);
    free(wishes.first);
    free(wishes.place);
    if (!taken) {
        free(list.ranges);
        return false;
    }
    return placement_set_ranges(placement, &list, needs->load->compartment_count, error);
}
