/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The spikes of one volley of a trace, unfolded over its virtual ticks. The
 * bytes may be hostile: a volley is accepted only if its counts are in range
 * and its ticks and zero point are those that its coding gives them.
 */
#ifndef VOLLEY_SPIKES_H
#define VOLLEY_SPIKES_H

#include "encoding/coding.h"

struct spikes_reader {
    const struct coding *coding; /* NULL: a plain volley, all at step 0 */
    struct frame frame;
    struct channel {
        uint32_t neuron;
        int32_t count;
        uint32_t left; /* spikes to come */
    } *channels; /* [length], with spikes to come, in order of neuron */
    size_t length, room;
    size_t next, kept; /* of the step under way: the next channel; those with spikes left */
    uint32_t step;
    uint64_t total; /* spikes in all */
};

/* An empty reader is all zero; one that was opened may be opened again. `coding` is a name or
 * NULL. */
bool spikes_open(struct spikes_reader *reader, const void *data, size_t length, const char *coding,
                 int64_t ticks, int64_t zero, struct error *error);
void spikes_close(struct spikes_reader *reader);

/* The next spike, ordered by step and neuron; false: there is none. */
bool spikes_next(struct spikes_reader *reader, uint32_t *step, struct spike *spike);

#endif
