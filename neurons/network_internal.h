/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What network.c, cohort.c, population.c and flight.c share and others need not know. */
#ifndef VOLLEY_NETWORK_INTERNAL_H
#define VOLLEY_NETWORK_INTERNAL_H

#include "neurons/network.h"

void population_free(struct population *population);
void population_clear_ports(struct population *population, uint32_t lanes);

/* A volley (or a whole train, merged) between the tick it was fired at and the
 * tick its last projection receives it. */
struct volley {
    uint32_t population;
    uint32_t references; /* projections it still has to reach; 0: the slot is free */
    enum { VOLLEY_TRAIN, VOLLEY_STEP, VOLLEY_VALUES, VOLLEY_SPIKES } form;
    uint32_t step;     /* virtual tick, for VOLLEY_STEP */
    bool first, last;  /* of its train */
    struct spike *spikes; /* own copy, for VOLLEY_SPIKES … */
    uint32_t spike_first; /* … from here on */
    uint32_t spike_count, spike_room;
    double *values;    /* own copy, for VOLLEY_VALUES of clocked populations */
    uint32_t value_room;
    uint32_t next_free;
};

/* Slots are reused; their number is the most that were ever on their way at once. */
struct flight {
    struct volley *slots;
    uint32_t length, room, free_slot;
    /* Volleys opened from trains, per population: network->expand only. */
    struct opened {
        uint32_t volley;       /* that it holds */
        struct spike *spikes;  /* [lanes * neurons] */
        uint32_t *lane_start;  /* [lanes + 1] */
    } *opened; /* [population_count] */
    struct delivery *deliveries; /* [deliveries_room], of the present tick */
    size_t deliveries_room;
};

enum { FLIGHT_NONE = UINT32_MAX };

/* A free slot; FLIGHT_NONE with `error` filled when memory is short. */
uint32_t flight_take(struct flight *flight, struct error *error);
void flight_release(struct flight *flight, uint32_t volley);
void flight_clear(struct flight *flight);
void flight_free(struct flight *flight, uint32_t population_count);

/* Clocked populations of one level: those that are updated together within a tick. A projection
 * without delay leads from a lower level to a higher one. */
struct cohort {
    struct population **members; /* [count], by id */
    struct population **due;     /* [due_count], the members that are due in this tick */
    uint32_t count, due_count;
    int64_t *planned; /* [planned_count], ticks of updates in the queue that members asked for,
                         the earliest last */
    uint32_t planned_count, planned_room;
    int64_t called; /* latest tick for which an arrival has pushed an update */
    int64_t done;   /* latest tick at which it was updated */
};

/* Sorts clocked populations into cohorts; false for a loop of projections without delay. */
bool cohorts_make(struct network *network, struct error *error);
void cohorts_free(struct network *network);
/* Makes every clocked population due at tick 0. */
bool cohorts_begin(struct network *network, struct error *error);
/* Updates the members that are due at `tick`, over the team of workers. */
bool cohort_update(struct network *network, struct cohort *cohort, int64_t tick,
                   struct error *error);
/* Something has arrived at a clocked population, and may lie in its slots for `extra` ticks more.
 */
bool cohort_arrival(struct network *network, struct population *target, int64_t tick,
                    uint32_t extra, struct error *error);

/* Shows what a population fired to the observers and sends it along its projections. */
bool network_show(struct network *network, struct population *population, int64_t tick,
                  struct error *error);
bool network_send(struct network *network, struct population *population, int64_t tick,
                  struct error *error);

#endif
