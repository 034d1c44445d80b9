/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Routes, and what a run sent over them.
 *
 * Rows are worked out one neuron after the other (placement_destinations.c) and lie one behind the
 * other; a population none of whose projections says where single neurons lead has one row for all.
 */
#include "traces/energy/routes.h"

#include "traces/energy/placement_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- routes */

static bool route_add(struct population_routes *own, uint64_t *capacity, uint64_t count,
                      const struct route *route)
{
    if (count == *capacity) {
        uint64_t larger = *capacity < 64 ? 64 : *capacity + *capacity / 2;
        struct route *routes = larger < SIZE_MAX / sizeof *routes
                                   ? realloc(own->route, larger * sizeof *routes)
                                   : NULL;
        if (routes == NULL)
            return false;
        own->route = routes;
        *capacity = larger;
    }
    own->route[count] = *route;
    return true;
}

static bool population_routes_fill(struct population_routes *own,
                                   struct destinations *destinations, uint32_t population)
{
    uint32_t neurons = destinations->load->populations[population].neurons;
    own->shared = destinations_shared(destinations, population);
    uint32_t rows = own->shared ? 1 : neurons;
    uint64_t capacity = 0, count = 0;
    own->start = calloc((size_t)rows + 1, sizeof *own->start);
    if (own->start == NULL)
        return false;
    for (uint32_t row = 0; row < rows; row++) {
        uint32_t core;
        double synapses[SYNAPSE_KINDS];
        destinations_of(destinations, population, row);
        while (destinations_next(destinations, &core, synapses)) {
            struct route route = {core, {0}};
            for (int kind = 0; kind < SYNAPSE_KINDS; kind++)
                route.synapses[kind] = (float)synapses[kind];
            if (!route_add(own, &capacity, count++, &route))
                return false;
        }
        own->start[row + 1] = count;
    }
    struct route *fitting = realloc(own->route, (count + 1) * sizeof *fitting);
    if (fitting != NULL)
        own->route = fitting;
    return own->route != NULL;
}

struct routes *routes_new(const struct load *load, const struct placement *placement,
                          struct error *error)
{
    struct destinations *destinations = destinations_new(load, placement, true, error);
    if (destinations == NULL)
        return NULL;
    struct routes *routes = calloc(1, sizeof *routes);
    bool made = routes != NULL;
    if (made) {
        routes->populations =
            calloc((size_t)load->population_count + 1, sizeof *routes->populations);
        routes->population_count = load->population_count;
        made = routes->populations != NULL;
    }
    for (uint32_t i = 0; made && i < load->population_count; i++)
        if (load->populations[i].placed && destinations_any(destinations, i))
            made = population_routes_fill(&routes->populations[i], destinations, i);
    destinations_free(destinations);
    if (!made) {
        error_no_memory(error, "the routes of spikes");
        routes_free(routes);
        return NULL;
    }
    return routes;
}

void routes_free(struct routes *routes)
{
    if (routes == NULL)
        return;
    for (uint32_t i = 0; routes->populations != NULL && i < routes->population_count; i++) {
        free(routes->populations[i].start);
        free(routes->populations[i].route);
    }
    free(routes->populations);
    free(routes);
}

/* --------------------------------------------------------------- traffic */

/* What `messages` of neurons on core `from` add, over one row of routes. */
struct crossing {
    const struct chip *chip;
    const struct placement *placement;
    struct traffic *traffic;    /* of the population, or NULL */
    struct core_traffic *cores; /* or NULL */
};

static void traffic_add(struct traffic *traffic, const struct steps *steps, double messages)
{
    uint32_t hops = steps->east + steps->west + steps->north + steps->south;
    traffic->messages += messages;
    traffic->hops_east += messages * steps->east;
    traffic->hops_west += messages * steps->west;
    traffic->hops_north += messages * steps->north;
    traffic->hops_south += messages * steps->south;
    traffic->hops_local += steps->local ? messages : 0;
    traffic->links += messages * steps->links;
    if (hops > traffic->most_hops)
        traffic->most_hops = hops;
}

static void row_send(const struct crossing *crossing, uint32_t from, double messages,
                     const struct route *row, uint64_t length)
{
    const struct core *cores = crossing->placement->cores;
    for (uint64_t i = 0; i < length; i++) {
        if (crossing->traffic != NULL) {
            struct steps steps =
                placement_steps(crossing->chip, &cores[from], &cores[row[i].core]);
            traffic_add(crossing->traffic, &steps, messages);
        }
        if (crossing->cores != NULL) {
            crossing->cores[from].out += messages;
            crossing->cores[row[i].core].in += messages;
            for (int kind = 0; kind < SYNAPSE_KINDS; kind++)
                crossing->cores[row[i].core].synops += messages * row[i].synapses[kind];
        }
    }
}

/* Neurons that share a row are taken together where they lie on one core. */
static void range_send(const struct crossing *crossing, const struct load *load,
                       const struct routes *routes, uint32_t population,
                       const struct placed_range *range)
{
    const struct load_population *own = &load->populations[population];
    bool shared = routes->populations[population].shared;
    double messages = 0;
    for (uint32_t i = 0; i < range->count; i++) {
        messages += neuron_messages(own, crossing->chip->graded, range->first + i);
        if ((shared && i + 1 < range->count) || messages == 0)
            continue;
        uint64_t length;
        const struct route *row = routes_of(routes, population, range->first + i, &length);
        row_send(crossing, range->core, messages, row, length);
        messages = 0;
    }
}

void routes_traffic(const struct load *load, const struct chip *chip,
                    const struct placement *placement, const struct routes *routes,
                    struct traffic *populations, struct core_traffic *cores)
{
    if (populations != NULL)
        memset(populations, 0, load->population_count * sizeof *populations);
    if (cores != NULL)
        memset(cores, 0, placement->core_count * sizeof *cores);
    for (uint32_t i = 0; i < load->population_count; i++) {
        if (routes->populations[i].start == NULL)
            continue;
        struct crossing crossing = {chip, placement, populations != NULL ? &populations[i] : NULL,
                                    cores};
        uint32_t compartment = load->populations[i].compartment;
        for (uint32_t k = placement->first_range[compartment];
             k < placement->first_range[compartment + 1]; k++)
            range_send(&crossing, load, routes, i, &placement->ranges[k]);
    }
}
