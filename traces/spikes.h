/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The spikes of one volley of a trace, unfolded over its virtual ticks. The
 * bytes may be hostile: a volley is accepted only if its counts are in range
 * and its ticks and zero point are those that its coding gives them.
 */
#ifndef VOLLEY_SPIKES_H
#define VOLLEY_SPIKES_H

#include "encoding/coding.h"

enum { SPIKES_WINDOW = 32 }; /* steps that are unfolded at a time, at most */

struct spikes_reader {
    const struct coding *coding; /* NULL: a plain volley, all at step 0 */
    struct frame frame;
    struct channel {
        uint32_t neuron;
        int32_t count;
        uint32_t left; /* spikes to come after the steps that are unfolded */
    } *channels; /* [length], with spikes to come, in order of neuron */
    size_t length, room;
    uint64_t total; /* spikes in all */

    /* The steps begin … begin + width - 1, unfolded: for spikes_next and spikes_table.c. */
    uint32_t begin, width, widest, step;
    struct spike *spikes; /* [spikes_room], by step and neuron */
    size_t spikes_room;
    size_t at, end; /* of step `step`: its next spike, and behind its last */
    size_t ends[SPIKES_WINDOW]; /* [width], behind the last spike of each step */
    struct patterns *patterns;  /* what counts fire in these steps; or NULL */
};

/* An empty reader is all zero; one that was opened may be opened again. `coding` is a name or
 * NULL. */
bool spikes_open(struct spikes_reader *reader, const void *data, size_t length, const char *coding,
                 int64_t ticks, int64_t zero, struct error *error);
void spikes_close(struct spikes_reader *reader);

/* When at == end: goes on to the next step that has a spike; false: there is none. */
bool spikes_turn(struct spikes_reader *reader);

/* The next spike, ordered by step and neuron; false: there is none. */
static inline bool spikes_next(struct spikes_reader *reader, uint32_t *step, struct spike *spike)
{
    if (reader->at == reader->end && !spikes_turn(reader))
        return false;
    *step = reader->step;
    *spike = reader->spikes[reader->at++];
    return true;
}

#endif
