/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The network: populations, projections, and the events between them.
 *
 * Built once (network_add_*, network_seal), then run by the one loop. All
 * memory is taken when it is built or sealed, except that the store of volleys
 * in flight grows to what the delays need.
 */
#ifndef VOLLEY_NETWORK_H
#define VOLLEY_NETWORK_H

#include "neurons/projection.h"
#include "scheduler/loop.h"

/* What a population fired in one update, as observers see it. */
struct firing {
    const struct population *population;
    int64_t tick;             /* on the queue's clock */
    const struct train *train; /* event-driven populations */
    const struct spike *spikes; /* [spike_count], clocked populations */
    uint32_t spike_count;
    const struct wave *wave;
};

/* Observers see everything and change nothing. */
struct observer {
    void *self;
    bool (*fired)(void *self, const struct firing *firing, struct error *error);
    /* A wave has left the network; ticks[lane] is how long it took on the lane's own clock. */
    bool (*wave_done)(void *self, const struct wave *wave, const int64_t *ticks,
                      struct error *error);
};

enum { NETWORK_OBSERVERS = 4 };

struct network {
    char *name;
    double tick_seconds; /* 0: ticks are virtual and have no length in seconds */
    uint32_t lanes_limit;
    bool expand; /* deliver every virtual tick on its own */
    struct population **populations;
    uint32_t population_count;
    struct projection **projections;
    uint32_t projection_count;
    struct observer observers[NETWORK_OBSERVERS];
    uint32_t observer_count;
    struct workers *workers;       /* not owned */
    const struct kernels *kernels;
    struct wave wave;
    bool running;  /* clocked populations have begun */
    int64_t until; /* tick that clocked populations have run to */
    struct cohort *cohorts; /* private: [cohort_count], clocked populations by level */
    uint32_t cohort_count;
    struct loop *loop;
    struct flight *flight; /* private: volleys on their way */
};

/* An empty network. NULL when memory is short. */
struct network *network_new(const char *name, uint32_t lanes_limit);
void network_free(struct network *network);

/* Adds a population with no ports and no outputs; owned by the network. */
struct population *network_add_population(struct network *network, const char *name, int32_t layer,
                                          const struct population_model *model, uint32_t neurons,
                                          struct error *error);
/* Gives a population a port that collects currents (doubles). Returns its index or -1. */
int population_add_current(struct population *population, const char *name, uint32_t width,
                           struct error *error);
/* …or payload sums (integers) from a train with `vectors` thresholds. */
int population_add_count(struct population *population, const char *name, uint32_t width,
                         uint32_t vectors, struct error *error);
/* Gives it an output. */
bool population_fires(struct population *population, const struct coding *coding, uint32_t vectors,
                      struct error *error);
bool population_shows(struct population *population, struct error *error);
bool population_spikes(struct population *population, struct error *error);

/* Adds a projection that takes over `weights` (also when it fails). */
struct projection *network_add_projection(struct network *network, const char *name,
                                          const struct projection_kind *kind, void *weights,
                                          struct population *source, enum carries carries,
                                          struct population *target, uint32_t port,
                                          uint32_t delay, struct error *error);

/* Checks the network and takes the memory that running needs. */
bool network_seal(struct network *network, struct error *error);

bool network_observe(struct network *network, struct observer observer, struct error *error);

/* Sends one wave in through `source`, which has been fed, and runs the loop
 * until it has left the network. Stops early, with *stop non-zero, at a tick's end. */
bool network_wave(struct network *network, struct population *source, struct wave wave,
                  const volatile int *stop, struct error *error);

/* Runs clocked populations for `ticks` ticks more. `position` numbers what is run since
 * network_reset: one run, or the samples of a data set. */
bool network_run(struct network *network, int64_t position, int64_t ticks,
                 const volatile int *stop, struct error *error);
/* The run, or the sample, is over: tells the observers, with the ticks it took. */
bool network_finish(struct network *network, struct error *error);

/* Back to the state before the first input. */
void network_reset(struct network *network);

#endif
