/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Routes: to which cores each neuron's spikes go, and what they meet there. One message is sent for
 * each spike and destination core, whatever the number of synapses or projections there; a message
 * to the neuron's own core is one, too.
 */
#ifndef VOLLEY_ROUTES_H
#define VOLLEY_ROUTES_H

#include "traces/energy/placement.h"

/* What one spike of a neuron meets on one core: synapses by kind. Where all neurons of a population
 * share their routes, and for a projection without reach, synapses are those of an average neuron,
 * so they need not be whole. */
struct route {
    uint32_t core; /* index into placement->cores */
    float synapses[3]; /* [enum synapse_kind] */
};

struct population_routes {
    bool shared;     /* all neurons have row 0: no projection says where single ones lead */
    uint64_t *start; /* [neurons + 1] or, shared, [2] */
    struct route *route; /* [start[…]], in order of cores */
};

struct routes {
    struct population_routes *populations; /* [population_count]; start NULL: it sends nothing */
    uint32_t population_count;
};

struct routes *routes_new(const struct load *load, const struct placement *placement,
                          struct error *error);
void routes_free(struct routes *routes);

/* The routes of one neuron, *count of them. */
static inline const struct route *routes_of(const struct routes *routes, uint32_t population,
                                            uint32_t neuron, uint64_t *count)
{
    const struct population_routes *own = &routes->populations[population];
    uint32_t row = own->shared ? 0 : neuron;
    *count = own->start != NULL ? own->start[row + 1] - own->start[row] : 0;
    return own->start != NULL ? own->route + own->start[row] : NULL;
}

/* What a run sent over them; hops at borders of chips are among those of their direction. */
struct traffic {
    double messages;
    double hops_east, hops_west, hops_north, hops_south, hops_local; /* messages x steps */
    double links; /* messages x borders of chips crossed */
    uint32_t most_hops; /* of one message */
};
struct core_traffic {
    double out, in; /* messages */
    double synops;
};

/* Of each population [population_count] and core [core_count]; either may be NULL. Spikes are
 * `active` firings where the chip sends graded spikes, else `spikes`; of populations whose neurons
 * were not counted singly, the mean of all. */
void routes_traffic(const struct load *load, const struct chip *chip,
                    const struct placement *placement, const struct routes *routes,
                    struct traffic *populations, struct core_traffic *cores);

#endif
