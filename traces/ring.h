/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A bounded buffer of records between one thread that puts and one that takes.
 *
 * Putting waits while there is no room and never drops; taking waits for a
 * batch that is worth a transaction. Each record lies in one piece.
 */
#ifndef VOLLEY_RING_H
#define VOLLEY_RING_H

#include <stdbool.h>
#include <stddef.h>

struct ring;

/* Room for `bytes` of records, the largest of which has `largest`. NULL when memory is short. */
struct ring *ring_new(size_t bytes, size_t largest);
void ring_free(struct ring *ring);

/* The putting side. Room for a record of `length` bytes, to be filled and then put; NULL when
 * the taking side has given up. */
void *ring_room(struct ring *ring, size_t length);
void ring_put(struct ring *ring, size_t length);
/* No more will be put. */
void ring_finish(struct ring *ring);
/* Whether the taking side has given up. */
bool ring_broken(struct ring *ring);

/* The taking side. Waits until a good part of the ring is full, or `milliseconds` have passed
 * since there was something, or no more will come. False: all has been taken, and no more comes. */
bool ring_wait(struct ring *ring, unsigned milliseconds);
/* The first record, or NULL when there is none now; it stays in place until dropped. */
const void *ring_first(struct ring *ring, size_t *length);
void ring_drop(struct ring *ring);
/* Gives up: nothing will be taken any more. */
void ring_break(struct ring *ring);

#endif
