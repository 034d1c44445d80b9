/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "traces/lookup.h"

void lookup_begin(struct lookup *lookup)
{
    lookup->round++;
}

/* Whether there is room for the spikes of a count. */
static bool keep(struct lookup_entry *entry, int32_t count)
{
    uint32_t spikes = entry->coding->spikes(count, entry->frame);
    entry->spikes[count + LOOKUP_REACH] = (uint16_t)spikes;
    return spikes <= LOOKUP_MOST;
}

const struct lookup_entry *lookup_find(struct lookup *lookup, const struct coding *coding,
                                       struct frame frame)
{
    uint32_t place = (frame.ticks * 31 + (uint32_t)frame.zero * 7) % LOOKUP_WAYS;
    struct lookup_entry *entry = &lookup->entries[place];
    if (entry->coding != coding || entry->frame.ticks != frame.ticks ||
        entry->frame.zero != frame.zero) {
        if (entry->coding != NULL && entry->round == lookup->round)
            return NULL;
        entry->coding = coding;
        entry->frame = frame;
        entry->first = 1;
        entry->last = 0;
        for (int32_t count = 0; count >= -LOOKUP_REACH && keep(entry, count); count--)
            entry->first = count;
        for (int32_t count = entry->first; count < LOOKUP_REACH && keep(entry, count); count++)
            entry->last = count;
    }
    entry->round = lookup->round;
    return entry;
}

uint64_t lookup_total(const struct lookup_entry *entry, const int32_t *counts, uint32_t length)
{
    enum { BLOCK = 256 };
    const uint16_t *table = entry->spikes + LOOKUP_REACH;
    uint64_t total = 0;
    for (uint32_t first = 0; first < length; first += BLOCK) {
        uint32_t end = length - first < BLOCK ? length : first + BLOCK, beyond = 0, sum = 0;
        for (uint32_t i = first; i < end; i++)
            beyond |= (counts[i] < entry->first) | (counts[i] > entry->last);
        for (uint32_t i = first; beyond == 0 && i < end; i++)
            sum += table[counts[i]];
        total += sum;
        for (uint32_t i = first; beyond != 0 && i < end; i++)
            total += lookup_spikes(entry, counts[i]);
    }
    return total;
}
