/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Counting a train: all that a tally wants to know of its channels, in one pass over pieces that
 * stay in the nearest cache. For tally.c.
 *
 * Sums are integers, so pieces may be counted by any number of threads.
 */
#ifndef VOLLEY_TRAIN_COUNT_H
#define VOLLEY_TRAIN_COUNT_H

#include "traces/lookup.h"
#include "traces/wave_neurons.h"

/* A spike-carrying projection that leaves the train's population. */
struct departure {
    uint32_t projection;
    const uint32_t *fan_out; /* [neurons]; NULL: it is not counted here */
    int16_t *narrow;         /* [neurons], the same; NULL if not all fit */
    uint32_t most;           /* no element is above */
};

/* What a thread adds up. */
struct train_sums {
    struct population_tally *tally; /* of the population; channels, vectors and slots are not
                                       counted here */
    uint64_t *synops;               /* [departures] */
    uint32_t most;                  /* spikes of a channel in a narrow piece, at most */
    uint32_t bins[2][2 * LOOKUP_REACH]; /* all 0 between pieces */
};

/* The lanes lane … end-1 of a train. */
struct train_count {
    const struct train *train;
    uint32_t lane, end;
    const struct lookup_entry *const *entries; /* [lanes of the train] */
    const struct departure *departures;
    uint32_t departure_count;
    const uint32_t *from; /* [departure_count]: it takes lanes from this one on */
    struct wave_neurons *neurons; /* lane 0 begins its wave */
    enum vector_level vector;
};

/* Place of a count in population_tally.histogram. */
static inline uint32_t histogram_bin(int32_t count)
{
    count = count < -TALLY_HISTOGRAM ? -TALLY_HISTOGRAM : count;
    count = count > TALLY_HISTOGRAM ? TALLY_HISTOGRAM : count;
    return (uint32_t)(count + TALLY_HISTOGRAM);
}

/* Counts part `part` of `parts` of the neurons. */
void train_count(const struct train_count *count, struct train_sums *sums, uint32_t part,
                 uint32_t parts);

#endif
