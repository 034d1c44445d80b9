/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "traces/lookup.h"

const struct lookup_entry *lookup_find(struct lookup *lookup, const struct coding *coding,
                                       struct frame frame)
{
    uint32_t place = (frame.ticks * 31 + (uint32_t)frame.zero * 7) % LOOKUP_WAYS;
    struct lookup_entry *entry = &lookup->entries[place];
    if (entry->coding == coding && entry->frame.ticks == frame.ticks &&
        entry->frame.zero == frame.zero)
        return entry;
    entry->coding = coding;
    entry->frame = frame;
    for (int32_t i = 0; i < 2 * LOOKUP_REACH; i++)
        entry->spikes[i] = coding->spikes(i - LOOKUP_REACH, frame);
    return entry;
}
