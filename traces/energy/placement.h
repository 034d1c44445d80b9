/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Placement: which core of a chip each neuron sits on.
 *
 * Elements of compartments (load.h) are first dealt to cores in order, each core taking as many as
 * the chip's limits allow (populations share a core where there is room), and the cores then given
 * places on the mesh: in the same order; or next to those they exchange most messages with
 * (greedy); or that improved by simulated annealing. Explicit: as the network file says, core
 * numbers being places.
 *
 * Greedy and annealed take messages x (hops + links x columns of a chip) for the cost of a layout:
 * a border of chips is as long a way as a chip is wide. Greedy is never dearer than in order,
 * annealed never dearer than greedy. Both choose between the places of as few chips as hold the
 * cores.
 *
 * Where a projection's reach has a grain, a group of its targets is not split between cores. A chip
 * without limits takes everything on one core.
 */
#ifndef VOLLEY_PLACEMENT_H
#define VOLLEY_PLACEMENT_H

#include "traces/energy/chip.h"
#include "traces/energy/load.h"

enum placement_method {
    PLACEMENT_IN_ORDER,
    PLACEMENT_GREEDY,
    PLACEMENT_ANNEALED,
    PLACEMENT_EXPLICIT
};
extern const char *const placement_names[]; /* "in-order", … NULL ends */

/* One core in use. */
struct core {
    uint32_t place; /* chip x cores of a chip + core on that chip */
    uint32_t chip, tile;
    uint32_t x, y;  /* of its tile, over all chips */
    /* What it holds. */
    uint64_t elements; /* neurons and elements of other compartments */
    uint64_t neurons;  /* populations' own, inputs included */
    uint64_t synapses; /* non-zero weights of spike-carrying projections that end here; the weights
                          of a convolution each time they are used */
    uint64_t synapse_bytes; /* of these as the chip holds them */
    uint64_t fan_in;   /* source neurons that send to it */
    uint64_t fan_out;  /* messages that one spike of each of its neurons would send */
};

/* Elements first … first + count - 1 of a compartment lie on core `core` (an index into cores). */
struct placed_range {
    uint32_t compartment, first, count, core;
};

struct placement {
    enum placement_method method;
    uint64_t seed;      /* of annealing */
    struct core *cores; /* [core_count], in the order they were filled */
    uint32_t core_count;
    uint32_t chips, side; /* up to the last one in use; they stand in a square of side x side */
    uint32_t tiles;       /* in use */
    struct placed_range *ranges; /* [range_count], by compartment, then first: all elements once */
    uint32_t range_count;
    uint32_t *first_range; /* [compartments + 1], into ranges */
    bool beyond_limits;    /* limits were left out on request, and some are broken */
};

/* NULL with error: what is short, where ("population conv2: one neuron needs room for 1152
 * synapses, more than the 256 that a core of TrueNorth takes; …"). `beyond_limits`: cores take
 * `neurons` (and as many elements), whatever the other limits; one core takes everything where
 * there is no such limit. The same seed gives the same placement. */
struct placement *placement_new(const struct load *load, const struct chip *chip,
                                enum placement_method method, bool beyond_limits, uint64_t seed,
                                struct error *error);
void placement_free(struct placement *placement);

/* Core (index) of one element. */
uint32_t placement_core(const struct placement *placement, uint32_t compartment, uint32_t element);

/* Steps from one core to another, a step over a border of chips being a hop too: along x, along y,
 * borders of chips. */
struct steps {
    uint32_t east, west, north, south;
    uint32_t links;
    bool local; /* within one tile */
};
struct steps placement_steps(const struct chip *chip, const struct core *from,
                             const struct core *to);

#endif
