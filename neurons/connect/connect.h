/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Connection rules: who is connected to whom, drawn from counter-based random numbers, so that the
 * network depends on the seed, the projection's number and the rule alone, whatever the
 * number of threads, and need not be stored to be rebuilt.
 */
#ifndef VOLLEY_CONNECT_H
#define VOLLEY_CONNECT_H

#include "neurons/connect/distribution.h"
#include "neurons/delivery/sparse.h"
#include "scheduler/workers.h"

enum connection_rule {
    CONNECT_ALL_TO_ALL,
    CONNECT_ONE_TO_ONE,
    CONNECT_FIXED_IN_DEGREE,  /* every target draws `number` sources */
    CONNECT_FIXED_OUT_DEGREE, /* every source draws `number` targets */
    CONNECT_FIXED_TOTAL,      /* `number` pairs, each drawn uniformly from all, repeats included */
    CONNECT_PROBABILITY       /* every pair with probability `probability` */
};

struct connection {
    enum connection_rule rule;
    uint64_t number;
    double probability;
    bool multiple;  /* degrees: a pair may be drawn more than once */
    bool to_itself; /* source and target are one population: neuron i may reach itself */
    bool same_population;
    uint32_t source_first, source_count; /* ranges of neurons it applies to */
    uint32_t target_first, target_count;
    enum weight_format format; /* WEIGHT_SAME: weight must be constant */
    double scale; /* integer formats: weights are rounded to its multiples, and must be in range */
    struct distribution weight;
    struct distribution delay; /* seconds; rounded to ticks of `dt`, half to even, at least 1 */
    double dt;
    uint32_t delay_ticks; /* out: the projection's delay: the smallest that can be drawn; extras are
                             beyond it, up to the largest that can be drawn */
    uint32_t delay_limit; /* largest delay allowed, in ticks */
};

/* Draws it. sources and targets are the sizes of the populations; `projection` is below 2^28. The
 * result is finished (fan_out counted). The same for any number of threads; `workers` may be NULL.
 *
 * Fails with one sentence: ranges beyond the populations or empty, degrees larger than what there
 * is to choose from, nothing but forbidden pairs, distributions that cannot be drawn, weights or
 * delays that can be drawn but not held (a word of 32 bits reaches 6.3 standard deviations), more
 * synapses than memory holds. */
struct sparse *connect_draw(struct connection *connection, uint32_t sources, uint32_t targets,
                            uint64_t seed, uint32_t projection, struct workers *workers,
                            struct error *error);

#endif
