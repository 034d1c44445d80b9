/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Populations: neurons of one model, their input ports and what they put out.
 *
 * Projections add to the ports; when a population is due its model's update
 * reads the ports, moves the state on and writes the outputs. A population
 * that is clocked lives in simulated time: it is due at the tick it asks for
 * and whenever something arrives. Any other is due as soon as every one of its
 * inputs has delivered its last volley.
 *
 * A new neuron model is one file in models/ that defines a struct
 * population_model, and whatever creates populations of it.
 */
#ifndef VOLLEY_POPULATION_H
#define VOLLEY_POPULATION_H

#include "encoding/train.h"
#include "neurons/delivery/kernels.h"
#include "scheduler/workers.h"

struct population;

/* A group of lanes on its way through the network. */
struct wave {
    int64_t position;      /* of lane 0 in the input sequence */
    uint32_t lanes;        /* consecutive positions that travel together */
    uint32_t readout_from; /* outputs are wanted of lanes from this one on */
};

/* What an update may use. */
struct moment {
    int64_t tick;
    const struct wave *wave;
    struct workers *workers;
    const struct kernels *kernels;
};

struct population_model {
    const char *name;
    const char *equation; /* one line for `volley inspect` */
    /* One part of an update, on a thread of its own, before `update`; only of clocked
     * populations; may be NULL. */
    void (*part)(struct population *self, const struct moment *moment, uint32_t part,
                 uint32_t parts);
    /* Moves the population on and fills its outputs. Puts the ports that were read back to zero,
     * if the population is clocked or `clears` is set; those of the others are cleared for
     * them. */
    bool (*update)(struct population *self, const struct moment *moment, struct error *error);
    /* Takes what updating with a team of `threads`, in as many parts, needs; may be NULL. */
    bool (*prepare)(struct population *self, uint32_t threads, struct error *error);
    /* Back to the state before the first input; may be NULL. */
    void (*reset)(struct population *self);
    void (*free)(void *state);              /* releases `state`; may be NULL */
    bool clears;    /* its ports by itself */
    bool reads_out; /* only lanes from wave.readout_from on: nothing is delivered to others */
};

/* Where projections add up. Either currents or counts, as the model needs.
 *
 * A clocked population has one lane; its port may have a slot for each of the ticks to come, so
 * that synapses with delays of their own can add ahead: what arrives at tick t is in slot t &
 * (slots - 1). */
struct port {
    const char *name;
    uint32_t width;
    uint32_t slots;    /* a power of two; 1 unless clocked */
    double *current;   /* [lanes or slots][width], or NULL */
    int32_t *count;    /* [lanes or slots][width], payload sums, or NULL */
    double scale;      /* what one of `count` is worth to a clocked population */
    uint8_t *touched;  /* [slots][blocks of PORT_BLOCK], set to 1 where something was added; NULL:
                          nobody wants to know */
    bool kept;         /* `current` is a state variable of the model, and is not cleared … */
    const double *gains; /* [gain_mask + 1], then what arrives at tick t is multiplied by gains[t &
                            gain_mask] first; or NULL */
    uint32_t gain_mask;
    double *threshold; /* [lanes][vectors]: V_th of the train that filled `count`, or NULL */
    uint32_t vectors;
};

enum { PORT_BLOCK = 64 }; /* targets that a byte of `touched` stands for */

struct population {
    uint32_t id; /* index in the network: the order of updates within a tick */
    char *name;
    int32_t layer; /* -1 for none */
    const struct population_model *model;
    uint32_t neurons;
    uint32_t lanes_limit;
    bool clocked;
    int64_t due; /* clocked: the next tick it wants an update at by itself; INT64_MAX: none */
    int64_t busy_until; /* clocked: up to this tick something may lie in a slot */
    bool arrived;       /* clocked: something has come this tick */
    bool shown;         /* clocked: `values` are sent this tick */
    uint32_t level;     /* clocked: projections without delay on the longest way to it */
    struct port *ports; /* [port_count] */
    uint32_t port_count;
    struct train *train; /* spiking output of an event-driven population, or NULL */
    double *values;      /* [lanes][neurons], analog output, or NULL */
    struct spike *spikes; /* [neurons], what a clocked population fired, or NULL … */
    uint32_t spike_first; /* … from here on */
    uint32_t spike_count;
    bool
        noise; /* nearly all its neurons fire at nearly every tick: counted in sum, not one by one */
    uint64_t *updates; /* [neurons], ticks in which each was updated (see cells_count_updates); or
                          NULL: not counted */
    struct population *lender; /* whose lanes' memory it uses (population_share), or NULL */
    struct projection **outgoing; /* [outgoing_count], by id; filled by network_seal */
    uint32_t outgoing_count;
    void *state;         /* the model's own */
    uint64_t state_bytes; /* for inspect */
    uint32_t pending;    /* inputs still to come before it is due */
    uint32_t expected;   /* inputs in all */
    int64_t *started;    /* [lanes], tick of the update on the lane's own clock */
    int64_t *done;       /* [lanes], tick of the last volley on the lane's own clock */
};

/* Makes an event-driven population use the memory of the lanes (ports, train, values) of another
 * that is of the same model and size and was added before; nothing changes where they differ. Only
 * for populations whose turns within a wave do not overlap: before anything reaches the one, all
 * that the other fired has been delivered. A deep network so needs the memory of few layers. */
void population_share(struct population *self, struct population *lender);

/* Does one unit of an update: a lane, or a part of one. Called by several threads, a unit by one of
 * them. */
typedef bool unit_function(void *argument, uint32_t unit, struct error *error);

/* Runs function(argument, unit, …) for every unit over the team, which share them out in runs of
 * neighbours; false with the error of the lowest unit that failed. */
bool population_each(const struct moment *moment, uint32_t units, unit_function *function,
                     void *argument, struct error *error);

/* Does one lane's share of an update. Called by several threads, a lane by one of them. */
typedef bool lane_function(struct population *self, const struct moment *moment, uint32_t lane,
                           struct error *error);

/* The same for every lane of the wave. */
bool population_each_lane(struct population *self, const struct moment *moment,
                          lane_function *function, struct error *error);

/* Puts a lane of every port back to zero, or targets begin … end-1 of it (where all ports are as
 * wide as the population). For updates of populations that clear their own ports, while what they
 * have read is at hand. */
void population_clear_lane(struct population *self, uint32_t lane);
void population_clear_targets(struct population *self, uint32_t lane, uint32_t begin,
                              uint32_t end);

#endif
