/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What network.c, population.c and flight.c share and others need not know. */
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
    struct spike *spikes; /* own copy, for VOLLEY_SPIKES */
    uint32_t spike_count, spike_room;
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

#endif
