/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Counting: an observer that adds up what every population fired.
 *
 * All figures of a report come from these counters, and from nothing else.
 * Let channel mean one neuron in one vector (one lane of one update), and its
 * spikes the number its coding fires over all virtual ticks.
 *
 * A wave is counted as a whole when it is done; one that was cut off is counted
 * nowhere, so every figure is of `positions` complete tokens. What a clocked
 * population fires counts at once: a vector is then one tick, whether anything
 * fired or not, and a channel's count its payload (0: silent).
 */
#ifndef VOLLEY_TALLY_H
#define VOLLEY_TALLY_H

#include "neurons/network.h"

enum {
    TALLY_SRAM_BLOCK = 8,  /* input channels in one 64-bit memory line of 8-bit weights */
    TALLY_DRAM_BLOCK = 64, /* input channels in one 64-byte burst of 8-bit weights */
    TALLY_HISTOGRAM =
        256 /* counts from -256 to 256 have a bin each; those beyond are at the ends */
};

struct population_tally {
    uint64_t vectors;        /* updates, times lanes; of clocked populations: ticks */
    uint64_t channels;       /* vectors x neurons */
    uint64_t silent;         /* channels without a spike */
    uint64_t spikes;         /* spikes of all channels */
    uint64_t spikes_up_to_3; /* sum over channels of min(spikes, 3) */
    uint64_t slots;          /* sum over vectors of virtual ticks x neurons */
    uint64_t sram_blocks;    /* blocks of TALLY_SRAM_BLOCK channels with a spike in them */
    uint64_t dram_blocks;    /* blocks of TALLY_DRAM_BLOCK channels with a spike in them */
    uint64_t synops;         /* of all spike-carrying projections that leave here */
    uint64_t histogram[2 * TALLY_HISTOGRAM + 1]; /* channels of count i - TALLY_HISTOGRAM */
};

/* Of one neuron. */
struct neuron_tally {
    uint64_t active; /* vectors (clocked: ticks) in which it fired */
    uint64_t spikes; /* spikes of its coding (clocked: sum of |payload|) */
};

struct tally {
    const struct network *network;
    struct population_tally *populations; /* [population_count] */
    struct neuron_tally **neurons; /* private: read them with tally_neurons */
    uint64_t *synops;                     /* [projection_count] */
    uint64_t positions;                   /* lanes of all waves done: tokens fed in */
    uint64_t ticks;                       /* of all lanes, on their own clocks; clocked: so far */
    struct tally_work *work;              /* private: the wave under way, and scratch */
};

struct tally *tally_new(const struct network *network, struct error *error);
void tally_free(struct tally *tally);
struct observer tally_observer(struct tally *tally);

/* What each neuron of a population did [neurons]; NULL: it does not spike, or its spikes are noise
 * (population.h). Stays as it is until the tally sees more. */
const struct neuron_tally *tally_neurons(const struct tally *tally, uint32_t population);

/* Synops of a projection in all waves done, whoever counts them: from its fan_out, or, where
 * that is NULL, by its target (of a clocked source: up to its last firing). Of values between
 * clocked populations: the multiply-accumulates of those that were not 0. */
uint64_t tally_synops(const struct tally *tally, uint32_t projection);

/* The four definitions of sparsity (and the mean), from the counters; all 0
 * when nothing was counted. Definitions: see README, "Sparsity". */
struct sparsity {
    double silent_fraction; /* silent / channels */
    double mean_spikes;     /* spikes / channels */
    double slot_sparsity_3; /* 1 - spikes_up_to_3 / (3 channels) */
    double slot_sparsity;   /* 1 - spikes / slots */
    double report_sparsity; /* Z / (Z + channels - silent), Z = 3 channels - spikes_up_to_3 */
};
struct sparsity sparsity_of(const struct population_tally *tally);

/* Adds b to a. */
void population_tally_add(struct population_tally *a, const struct population_tally *b);

#endif
