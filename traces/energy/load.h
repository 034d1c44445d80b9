/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The load that a run was, whatever the chip: who fired how often, which synapses were reached, how
 * long it took. From a trace file, at any level, or from a run that has just ended.
 *
 * Kept at every trace level: the counters of each population and projection; of every neuron of a
 * spiking population how often it fired and how many spikes that was; of every source neuron where
 * it leads (reach.h). Level `spike` adds what happened at which tick (load_volleys).
 *
 * Where things sit. What adds up input lies in compartments: the neurons of a population
 * themselves, and each of its ports that is not as wide as the population (element i of a port
 * of the same width sits with neuron i). */
#ifndef VOLLEY_LOAD_H
#define VOLLEY_LOAD_H

#include "traces/energy/reach.h"
#include "traces/tally.h"

enum synapse_kind { SYNAPSES_DENSE, SYNAPSES_SPARSE, SYNAPSES_CONVOLUTION };

struct load_population {
    char *name;
    int32_t layer; /* -1: none */
    char *model;
    char *coding;  /* NULL: plain spikes or none */
    uint32_t neurons;
    bool spiking, clocked;
    bool input; /* fed from outside or making spikes of its own: nothing can reach it */
    bool
        placed; /* it fires spikes or is reached by some: it has a place on a chip; all others (what
                    a language model computes on values between them) are in no estimate */
    struct population_tally tally; /* without the histogram */
    /* Of the whole run, [neurons]; NULL: not kept for each neuron (noise), take them as even. */
    uint64_t *active;  /* vectors (clocked: ticks) in which it fired */
    uint64_t *spikes;  /* spikes of its coding (clocked: sum of |payload|) */
    uint64_t *updates; /* ticks in which it was updated; NULL: not counted */
    uint64_t active_total, spikes_total; /* sums, also where the arrays are NULL */
    uint32_t compartment; /* of its neurons; UINT32_MAX unless placed */
};

struct load_projection {
    char *name;
    char *kind_name;
    enum synapse_kind kind;
    uint32_t source, target; /* populations */
    uint32_t compartment;    /* where it ends; UINT32_MAX if it carries values */
    bool spikes;             /* it carries spikes; else values */
    bool weighted;           /* it has weights of its own (weight_count > 0) */
    uint32_t delay;
    uint64_t synapses;     /* non-zero weights; a convolution's each time they are used */
    uint64_t weight_count; /* all connections: the multiply-accumulates of a dense pass */
    uint64_t parameters;   /* weights held: a convolution's once */
    uint64_t bytes;        /* memory as Volley holds them */
    uint64_t synops;       /* counted in the run; of values: those not 0 at non-zero weights */
    uint32_t *fan_out;     /* [source neurons], non-zero weights each reaches; NULL: even. With a
                              reach, what that says */
    struct reach *reach;   /* NULL: every source neuron leads to all of the compartment (one_to_one:
                              to the element of its own number) */
    bool one_to_one;
};

/* Of placed populations only. */
struct load_compartment {
    uint32_t population;
    char *port;     /* NULL: the neurons */
    uint32_t width; /* elements */
};

/* As in blueprint.h: where the network file wants neurons. */
struct load_placed {
    uint32_t population, first, count, core;
};

struct load {
    char *path;    /* of the trace; NULL: of a run that was not traced */
    int64_t run;
    char *model, *status;
    uint64_t positions;  /* tokens or samples; of a run in time 1, or 0 if it was cut off */
    uint64_t ticks;      /* in all; a tick is a time step of the model */
    double tick_seconds; /* 0: ticks are virtual */
    int64_t stride;      /* ticks of the trace in one of these */
    bool clocked;        /* a spiking network; else a language model */
    bool sampled;        /* positions are samples or tokens; else it is one run in time */
    bool has_spikes;     /* the trace has all spikes of all populations */
    struct load_population *populations;
    uint32_t population_count;
    struct load_projection *projections;
    uint32_t projection_count;
    struct load_compartment *compartments;
    uint32_t compartment_count;
    struct load_placed *placed;
    uint32_t placed_count;
};

/* `run` 0: the newest. NULL with error. */
struct load *load_from_file(const char *path, int64_t run, struct error *error);
/* Of a run that has just ended; without reach and fan_out of its neurons. */
struct load *load_from_tally(const struct tally *tally, bool sampled, struct error *error);
void load_free(struct load *load);

/* What everything is counted by: tokens or samples, or 1 (the run). */
static inline double load_inferences(const struct load *load)
{
    return load->positions > 0 ? (double)load->positions : 1;
}
/* "token", "inference" or "run" */
const char *load_unit(const struct load *load);

/* Level spike: the spikes of the run, tick by tick. `tick` is the chip's: it counts from the
 * start of the run through all positions. Trains are opened: each spike stands at its virtual
 * tick. Payloads of trains are 1 each (the spikes of the coding); of plain volleys as fired. */
struct load_volley {
    int64_t tick;
    int64_t position;
    uint32_t population;
    uint32_t length;
    const uint32_t *neurons; /* [length], ascending; a neuron stands once */
    const int32_t *payload;  /* [length]; NULL: 1 each */
};
typedef bool load_visitor(void *self, const struct load_volley *volley, struct error *error);

/* Calls `visit` for every volley in order of ticks; within a tick each population comes once at
 * most (run with --integration event: several times). False with error unless load->has_spikes
 * (a sentence that says how to get them), or if visit fails. */
bool load_volleys(const struct load *load, load_visitor *visit, void *self, struct error *error);
/* The same with every train as a whole: one volley for each vector, at its first tick, its payloads
 * the counts of the channels that are not silent. */
bool load_vectors(const struct load *load, load_visitor *visit, void *self, struct error *error);

#endif
