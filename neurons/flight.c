/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The store of volleys on their way. The queue holds their slot numbers.
 *
 * Invariant: a slot is either on the free list (references 0) or some event in
 * the queue names it.
 */
#include "neurons/network_internal.h"

#include <stdlib.h>

uint32_t flight_take(struct flight *flight, struct error *error)
{
    if (flight->free_slot != FLIGHT_NONE) {
        uint32_t slot = flight->free_slot;
        flight->free_slot = flight->slots[slot].next_free;
        return slot;
    }
    if (flight->length == flight->room) {
        uint32_t room = flight->room < 16 ? 16 : flight->room * 2;
        struct volley *slots = realloc(flight->slots, room * sizeof *slots);
        if (slots == NULL) {
            error_no_memory(error, "volleys on their way");
            return FLIGHT_NONE;
        }
        flight->slots = slots;
        flight->room = room;
    }
    flight->slots[flight->length] = (struct volley){.references = 0};
    return flight->length++;
}

void flight_release(struct flight *flight, uint32_t volley)
{
    flight->slots[volley].references = 0;
    flight->slots[volley].next_free = flight->free_slot;
    flight->free_slot = volley;
}

void flight_clear(struct flight *flight)
{
    for (uint32_t i = 0; i < flight->length; i++) {
        free(flight->slots[i].spikes);
        free(flight->slots[i].values);
    }
    flight->length = 0;
    flight->free_slot = FLIGHT_NONE;
}

void flight_free(struct flight *flight, uint32_t population_count)
{
    if (flight == NULL)
        return;
    flight_clear(flight);
    free(flight->slots);
    for (uint32_t p = 0; flight->opened != NULL && p < population_count; p++) {
        free(flight->opened[p].spikes);
        free(flight->opened[p].lane_start);
    }
    free(flight->opened);
    free(flight->deliveries);
    free(flight);
}
