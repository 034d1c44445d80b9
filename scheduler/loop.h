/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The one loop that runs every network:
 *
 *     while anything is due:
 *         take all that is due at the earliest tick
 *         deliver each volley along its projections
 *         update the populations that are due; they fire
 *         push what fired, `delay` ticks later
 *
 * The loop knows events, not networks: who delivers and who updates is told
 * by a driver. Within a tick deliveries come before updates; among deliveries
 * and among updates the smaller index comes first.
 */
#ifndef VOLLEY_LOOP_H
#define VOLLEY_LOOP_H

#include "scheduler/queue.h"

/* Both may push events, at the present tick or later. A volley pushed at the present tick is
 * delivered before any other population is updated. */
struct loop_driver {
    void *self;
    /* Delivers `length` volleys that are due, in order. */
    bool (*deliver)(void *self, int64_t tick, const struct event *due, size_t length,
                    struct error *error);
    /* Updates a population that is due. */
    bool (*update)(void *self, int64_t tick, uint32_t population, struct error *error);
};

struct loop;

/* NULL when memory is short. */
struct loop *loop_new(struct loop_driver driver);
void loop_free(struct loop *loop);

/* The tick last taken (0 before the first). */
int64_t loop_now(const struct loop *loop);

/* `volley` reaches the end of projection `projection` at `tick`. */
bool loop_push_delivery(struct loop *loop, int64_t tick, uint32_t projection, uint32_t volley,
                        struct error *error);
/* `population` is due at `tick`. */
bool loop_push_update(struct loop *loop, int64_t tick, uint32_t population, struct error *error);

/* Runs until nothing is due before tick `until`, or until *stop is non-zero
 * (looked at between ticks; may be NULL). */
bool loop_run(struct loop *loop, int64_t until, const volatile int *stop, struct error *error);

/* Forgets what is due and starts again at tick 0. */
void loop_clear(struct loop *loop);

#endif
