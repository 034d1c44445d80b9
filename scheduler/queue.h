/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The priority queue of the simulator: events ordered by tick, then by
 * `order`, then by the sequence in which they were pushed.
 *
 * It is a monotone radix heap (Ahuja, Mehlhorn, Orlin and Tarjan, 1990) with a
 * short sorted front. Simulated time never runs backwards, so every tick in the
 * queue is at least the tick last taken. The bucket of a level and a digit holds
 * the events whose tick differs from that base first in that level's digit;
 * taking the earliest tick spreads one bucket over lower ones. How wide digits
 * are is chosen from what the queue has seen, as a calendar queue (Brown, 1988)
 * chooses its days: then most events move down once or twice. Whatever comes,
 * none moves down more than 15 times, and only the few events of the front are
 * ever compared with one another: no distribution of ticks makes it slow.
 *
 * Main invariant: every event in a bucket has a later tick than all events in
 * buckets below it, and within a bucket events of one tick stand in the sequence
 * in which they were pushed.
 */
#ifndef VOLLEY_QUEUE_H
#define VOLLEY_QUEUE_H

#include "scheduler/error.h"

#include <stddef.h>
#include <stdint.h>

struct event {
    int64_t tick;
    uint32_t order;   /* what comes first within a tick: smaller */
    uint32_t payload; /* the owner's own: here the index of a volley or population */
};

struct queue;

/* Returns NULL when memory is short. The first tick that may be pushed is `start`. */
struct queue *queue_new(int64_t start);
void queue_free(struct queue *queue);

/* Number of events waiting. */
size_t queue_length(const struct queue *queue);

/* Adds an event. Its tick must not lie before the tick last taken; fails if it
 * does, or if memory is short. */
bool queue_push(struct queue *queue, struct event event, struct error *error);

/* Looks at the earliest tick. Returns false when the queue is empty. */
bool queue_peek(struct queue *queue, int64_t *tick);

/* Takes all events of the earliest tick, sorted by order and then sequence.
 * `*due` points into the queue and stays valid until the next call of
 * queue_take. Returns how many there are; 0 when the queue is empty or, with
 * `error` filled, when memory is short. Events pushed at the same tick
 * afterwards come with the next take. */
size_t queue_take(struct queue *queue, const struct event **due, struct error *error);

/* Takes the earliest event alone, as a plain priority queue does. Returns
 * false when the queue is empty (or memory is short). */
bool queue_pop(struct queue *queue, struct event *event);

/* Forgets all events; time goes on from `start`. */
void queue_clear(struct queue *queue, int64_t start);

#endif
