/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Choosing some of many, uniformly, with or without repeats: the step that random rules share. */
#ifndef VOLLEY_CHOOSE_H
#define VOLLEY_CHOOSE_H

#include "scheduler/error.h"
#include "scheduler/random.h"

/* Room for one thread's choices. */
struct chooser {
    uint32_t *chosen; /* [room] */
    uint32_t *other;  /* [room], for sorting; NULL: not wanted */
    uint64_t *taken;  /* a bit for each of the many, all 0 between choices; NULL: repeats allowed */
};

/* For up to `most` of `candidates` at a time. False with `error` when memory is short; released by
 * chooser_release then as ever. */
bool chooser_take(struct chooser *chooser, uint32_t most, uint32_t candidates, bool repeats,
                  bool sorts, struct error *error);
void chooser_release(struct chooser *chooser);

/* Chooses `number` of 0 … candidates-1 by the words of the counters (high, 0), (high, 1), …: into
 * `chosen`, in order of drawing. Without repeats `number` is at most `candidates`. */
void chooser_draw(struct chooser *chooser, const struct random_stream *stream, uint64_t high,
                  uint32_t number, uint32_t candidates);
/* Sorts `chosen`. */
void chooser_sort(struct chooser *chooser, uint32_t number, uint32_t candidates);

#endif
