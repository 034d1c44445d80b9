/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How many spikes a count makes, looked up: what coding->spikes says of every
 * small count, kept for the (coding, frame) pairs met last. Counting runs over
 * every channel of every token, and nearly all counts are small.
 */
#ifndef VOLLEY_LOOKUP_H
#define VOLLEY_LOOKUP_H

#include "encoding/coding.h"

enum {
    LOOKUP_REACH = 256,     /* counts from -256 up to 255 are looked up, or fewer */
    LOOKUP_WAYS = 32,       /* pairs that are kept; a new one replaces that of its place */
    LOOKUP_MOST = INT16_MAX /* spikes of a count that is looked up */
};

struct lookup_entry {
    const struct coding *coding; /* NULL: empty */
    struct frame frame;
    uint64_t round;      /* in which it was found last */
    int32_t first, last; /* counts that are looked up; first > last: none */
    uint16_t spikes[2 * LOOKUP_REACH]; /* of count i - LOOKUP_REACH */
};

struct lookup {
    uint64_t round;
    struct lookup_entry entries[LOOKUP_WAYS];
};

/* Begins a round: entries found from now on stay as they are until the next. */
void lookup_begin(struct lookup *lookup);

/* The entry of a coding and a frame, filled if it was not there; NULL if its place is taken by
 * another of this round. */
const struct lookup_entry *lookup_find(struct lookup *lookup, const struct coding *coding,
                                       struct frame frame);

static inline uint32_t lookup_spikes(const struct lookup_entry *entry, int32_t count)
{
    return count >= entry->first && count <= entry->last
               ? entry->spikes[count + LOOKUP_REACH]
               : entry->coding->spikes(count, entry->frame);
}

/* What counts [length] make together. */
uint64_t lookup_total(const struct lookup_entry *entry, const int32_t *counts, uint32_t length);

#endif
