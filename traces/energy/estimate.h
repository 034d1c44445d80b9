/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An estimate: what a run would cost on a chip, by population and by cause.
 *
 *     joules of a cell = events x coefficient
 *
 * Events come from the load, the placement and the routes; coefficients from the chip. Each term's
 * events and what it is made of are said in estimate.c, term by term. A term whose coefficient the
 * chip does not give costs nothing and is named among what is not included.
 *
 * An all-in chip has the one term `all-in`: synops x figure. An incremental one has that (as
 * TERM_SYNOP) and the static terms. A dense one counts every weight of every projection that
 * carries spikes, once for each dense pass (estimate_passes); it sends no spikes and no messages.
 *
 * Intervals: every coefficient of energy or power in use whose low is below its high is drawn by
 * itself from the triangle over low, value, high; 90 % of the totals so found lie in the interval,
 * which is widened to the total itself where figures stand at an end of their ranges. Times are not
 * drawn. The same seed gives the same interval, and a coefficient the same draws whichever others
 * are in use.
 */
#ifndef VOLLEY_ESTIMATE_H
#define VOLLEY_ESTIMATE_H

#include "traces/energy/blocks.h"
#include "traces/energy/latency.h"

enum energy_term {
    TERM_ALL_IN,   /* everything, of a chip that has but one figure */
    TERM_SYNOP,    /* adding weights; dense chips: multiplying and adding */
    TERM_MEMORY,   /* fetching weights */
    TERM_NEURON,   /* accessing and updating neurons */
    TERM_SPIKE,    /* firing */
    TERM_MESSAGE,  /* sending and receiving messages */
    TERM_HOP,      /* carrying them over the mesh */
    TERM_LINK,     /* … and from chip to chip */
    TERM_CONTROL,  /* detecting, queueing, decoding events */
    TERM_STATIC,   /* power at rest x time */
    TERMS
};
extern const char *const energy_term_names[];    /* [TERMS], short: "synops" */
extern const char *const energy_term_meanings[]; /* [TERMS], one line each */

/* What was counted, of one population: its neurons, its spikes, and the spike-carrying projections
 * that leave it. Whole run. A population sends graded spikes where the chip has them and its own
 * are coded or not all of payload 1: then all of its spikes are. */
struct estimate_events {
    double synops[3];      /* [enum synapse_kind]; a graded chip: firings x synapses */
    double graded_synops;  /* of these, those of graded spikes: all or none */
    double macs;           /* dense chips */
    double accesses;       /* elements x ticks (dense chips: passes); of inputs: 0 */
    double updates;        /* of inputs: 0; language models: each element once a vector */
    bool updates_bounded;  /* they were not counted: every neuron at every tick */
    double spikes;         /* fired: spikes of the coding; a graded chip: firings; of inputs: 0 */
    struct traffic traffic;
    double link_bits;
    double reads[CHIP_MEMORIES]; /* blocks */
};

struct estimate_row {
    uint32_t population; /* of the load; UINT32_MAX: the chip itself (static power) */
    struct estimate_events events;
    double joules[TERMS];
};

struct estimate_options {
    enum placement_method method;
    bool unplaced; /* do not place it: messages, hops, links, power and time are left out */
    bool beyond_limits; /* where it does not fit, place it regardless of limits */
    uint64_t seed;    /* of annealing and of samples */
    uint32_t samples; /* of the coefficients' ranges; 0: no interval */
    bool queue;       /* latency by the message queue, too */
    bool by_activity; /* channel order: most active first (needs spikes in the trace); memory is
                         charged as ORDER_HELD_OUT (blocks.h) */
};

/* Coefficients by number: enum chip_figure, then the chip's memories. */
enum { ESTIMATE_COEFFICIENTS = CHIP_FIGURES + CHIP_MEMORIES };

struct estimate {
    const struct load *load; /* not owned */
    const struct chip *chip; /* not owned */
    struct estimate_options options;
    bool placed;                 /* the chip has cores and the load was placed on them */
    struct placement *placement; /* or NULL */
    struct routes *routes;       /* or NULL */
    struct estimate_row *rows;   /* [row_count] */
    uint32_t row_count;
    double joules[TERMS]; /* sums of the rows, in their order: whole run */
    double total;         /* … of these, in order of terms */
    /* What each coefficient was charged for or, where the chip does not give it, would have been:
     * whole run, all rows. Of powers: seconds x cores, chips, bytes. */
    double events[ESTIMATE_COEFFICIENTS];
    /* With options.by_activity: joules of TERM_MEMORY in each order of channels. */
    double memory_joules[BLOCK_ORDERS];
    double platform;      /* joules of board and host, in no total; needs the time */
    double low, high;     /* 90 % interval of total; equal to it without samples or ranges */
    uint32_t ranged;      /* coefficients in use that have a range */
    struct latency latency; /* per tick */
    struct latency queue;   /* if asked for */
    double passes;        /* dense passes of the run: samples, tokens, or ticks of a run in time */
    char **missing;       /* [missing_count] sentences: what is not included, the chip's and ours */
    uint32_t missing_count;
};

/* NULL with error (it does not fit; short memory; broken trace; what was asked for needs the spikes
 * and the trace has none). The load is placed on cores if the chip has more than one, limits, or
 * figures that need it (messages, hops, links, power, time). */
struct estimate *estimate_new(const struct load *load, const struct chip *chip,
                              const struct estimate_options *options, struct error *error);
void estimate_free(struct estimate *estimate);

/* Joules per token or inference of a population's row; of all terms if term is TERMS. */
double estimate_cell(const struct estimate *estimate, uint32_t row, enum energy_term term);

/* Dense passes that the same weights would take: of a language model one per vector; of a spiking
 * network one per sample, or one per tick of a run in time. */
double estimate_passes(const struct load *load, uint32_t population);

#endif
