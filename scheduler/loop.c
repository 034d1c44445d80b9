/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The run loop. An event's `order` holds the phase in its top bit (0 delivery,
 * 1 update) and the projection or population below it, so that the queue's own
 * order is the order of the rules: deliveries, then updates, then by index.
 */
#include "scheduler/loop.h"

#include <stdlib.h>

enum { PHASE_SHIFT = 31 };
static const uint32_t INDEX_MASK = (UINT32_C(1) << PHASE_SHIFT) - 1;

struct loop {
    struct loop_driver driver;
    struct queue *queue;
    int64_t now;
    bool pushed_now; /* something was pushed at the present tick since that was last looked at */
};

struct loop *loop_new(struct loop_driver driver)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return NULL;
    loop->driver = driver;
    loop->queue = queue_new(0);
    if (loop->queue == NULL) {
        free(loop);
        return NULL;
    }
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    queue_free(loop->queue);
    free(loop);
}

int64_t loop_now(const struct loop *loop)
{
    return loop->now;
}

bool loop_push_delivery(struct loop *loop, int64_t tick, uint32_t projection, uint32_t volley,
                        struct error *error)
{
    struct event event = {.tick = tick, .order = projection & INDEX_MASK, .payload = volley};
    loop->pushed_now |= tick == loop->now;
    return queue_push(loop->queue, event, error);
}

bool loop_push_update(struct loop *loop, int64_t tick, uint32_t population, struct error *error)
{
    struct event event = {.tick = tick,
                          .order = (population & INDEX_MASK) | UINT32_C(1) << PHASE_SHIFT,
                          .payload = population};
    loop->pushed_now |= tick == loop->now;
    return queue_push(loop->queue, event, error);
}

/* Puts what is still to be done at the present tick back, behind what has been pushed since. */
static bool put_back(struct loop *loop, const struct event *due, size_t length, struct error *error)
{
    for (size_t i = 0; i < length; i++)
        if (!queue_push(loop->queue, due[i], error))
            return false;
    return true;
}

/* Does all that was taken at the present tick, until something has been pushed at it meanwhile:
 * a delivery that made a population due which stands before one already here, or a volley that
 * arrives at once. */
static bool do_due(struct loop *loop, const struct event *due, size_t length, struct error *error)
{
    size_t deliveries = 0;
    while (deliveries < length && due[deliveries].order >> PHASE_SHIFT == 0)
        deliveries++;
    loop->pushed_now = false;
    if (deliveries > 0 &&
        !loop->driver.deliver(loop->driver.self, loop->now, due, deliveries, error))
        return false;
    for (size_t i = deliveries; i < length; i++) {
        if (loop->pushed_now)
            return put_back(loop, due + i, length - i, error);
        if (!loop->driver.update(loop->driver.self, loop->now, due[i].payload, error))
            return false;
    }
    return true;
}

bool loop_run(struct loop *loop, int64_t until, const volatile int *stop, struct error *error)
{
    int64_t tick;
    while (queue_peek(loop->queue, &tick) && tick < until) {
        if (stop != NULL && *stop != 0 && tick != loop->now)
            return true;
        const struct event *due;
        size_t length = queue_take(loop->queue, &due, error);
        if (length == 0)
            return false;
        loop->now = tick;
        if (!do_due(loop, due, length, error))
            return false;
    }
    return true;
}

void loop_clear(struct loop *loop)
{
    queue_clear(loop->queue, 0);
    loop->now = 0;
}
