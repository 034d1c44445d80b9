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
    LOOKUP_REACH = 256, /* counts from -256 up to 255 are looked up */
    LOOKUP_WAYS = 32    /* pairs that are kept; a new one replaces that of its place */
};

struct lookup {
    struct lookup_entry {
        const struct coding *coding; /* NULL: empty */
        struct frame frame;
        uint32_t spikes[2 * LOOKUP_REACH]; /* of count i - LOOKUP_REACH */
    } entries[LOOKUP_WAYS];
};

/* The entry of a coding and a frame, filled if it was not there. Valid until the next call. */
const struct lookup_entry *lookup_find(struct lookup *lookup, const struct coding *coding,
                                       struct frame frame);

static inline uint32_t lookup_spikes(const struct lookup_entry *entry, int32_t count)
{
    uint32_t index = (uint32_t)count + LOOKUP_REACH;
    return index < 2 * LOOKUP_REACH ? entry->spikes[index]
                                    : entry->coding->spikes(count, entry->frame);
}

#endif
