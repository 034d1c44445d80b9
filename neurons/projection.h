/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Projections: weights from one population to a port of another.
 *
 * Delivery is split over worker threads by target: a target neuron belongs to
 * one thread, and what reaches it is added in one fixed order.
 *
 * A new kind of projection is one file in delivery/ that defines a struct
 * projection_kind, and whatever creates projections of it.
 */
#ifndef VOLLEY_PROJECTION_H
#define VOLLEY_PROJECTION_H

#include "neurons/population.h"

struct projection;

/* A volley as a projection sees it. Exactly one of train, spikes and values is set. The spikes of a
 * lane are in order of neurons. */
struct delivery {
    int64_t tick;              /* of arrival */
    const struct train *train; /* whole train, merged: the counts */
    const struct spike *spikes; /* one volley, opened: the spikes of all lanes */
    const uint32_t *lane_start; /* [lanes+1], where each lane's spikes begin; NULL: one lane… */
    uint32_t spike_count;       /* …of this many */
    const double *values;      /* [lanes][neurons], analog */
    const struct train *origin; /* the train `spikes` were opened from, or NULL */
    bool first, last;          /* of the train */
    uint32_t lane_from, lanes; /* lanes lane_from … lanes-1 */
};

struct projection_kind {
    const char *name;
    /* Takes what delivering to up to `lanes` lanes needs; `expand` if volleys will come
     * one virtual tick at a time. May be NULL. */
    bool (*prepare)(struct projection *self, uint32_t lanes, bool expand, struct error *error);
    /* Adds what the volley brings to targets begin … end-1, whole pieces of PIECE_ROWS (clocked
     * targets: of PORT_BLOCK) but for the last. Called by several threads at once, for disjoint
     * ranges. */
    void (*deliver)(const struct projection *self, const struct delivery *delivery,
                    const struct kernels *kernels, uint32_t begin, uint32_t end);
    /* Whether the volley can be delivered exactly (integer range); may be NULL. */
    bool (*check)(const struct projection *self, const struct delivery *delivery,
                  struct error *error);
    /* Where a source neuron leads: writes the targets of its non-zero weights, in ascending order,
     * one for each synapse (so a target may stand there several times), to targets
     * [fan_out[source]], and returns how many: fan_out[source]. NULL: every source neuron leads to
     * all targets (dense kinds; zero weights are taken to be spread evenly) or, one to one, to the
     * target of its own number. */
    uint32_t (*reach)(const struct projection *self, uint32_t source, uint32_t *targets);
    void (*free)(void *weights);
};

enum carries { CARRIES_SPIKES, CARRIES_VALUES };

struct projection {
    uint32_t id;
    char *name;
    const struct projection_kind *kind;
    struct population *source, *target;
    uint32_t port;
    enum carries carries;
    bool readout; /* only lanes from wave.readout_from on */
    uint32_t delay; /* ticks, at least 1; 0 between clocked populations: it arrives in the tick it
                       was fired in, and the target is updated after the source */
    uint32_t most_extra; /* ticks that synapses may add to the delay, set when it is prepared */
    uint32_t parts; /* that a volley is usually delivered in, set before it is prepared */
    void *weights; /* the kind's own */
    uint64_t synapses; /* non-zero weights */
    uint64_t weight_count; /* all weights there are: the multiply-accumulates of a dense pass */
    uint64_t parameters; /* weights held: a convolution's once; set to weight_count by network_seal
                            where the kind says nothing */
    uint64_t bytes; /* memory of the weights as held */
    const uint32_t *fan_out; /* [source neurons], non-zero weights each reaches; NULL if dynamic */
    uint32_t same_fan_out; /* if not 0: every source neuron reaches so many; set by network_seal */
    /* Counted by the target where fan_out is NULL; where values are carried between clocked
     * populations: non-zero weights that values which are not 0 have met. */
    uint64_t synops;
};

#endif
