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
    return queue_push(loop->queue, event, error);
}

bool loop_push_update(struct loop *loop, int64_t tick, uint32_t population, struct error *error)
{
    struct event event = {.tick = tick,
                          .order = (population & INDEX_MASK) | UINT32_C(1) << PHASE_SHIFT,
                          .payload = population};
    return queue_push(loop->queue, event, error);
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
        size_t deliveries = 0;
        while (deliveries < length && due[deliveries].order >> PHASE_SHIFT == 0)
            deliveries++;
        if (deliveries > 0 && !loop->driver.deliver(loop->driver.self, tick, due, deliveries, error))
            return false;
        if (deliveries == length)
            continue;
        /* A delivery may have made a population due that stands before one already in
         * this batch: put the updates back behind it, so that population order holds. */
        if (deliveries > 0) {
            for (size_t i = deliveries; i < length; i++)
                if (!queue_push(loop->queue, due[i], error))
                    return false;
            continue;
        }
        if (!loop->driver.update(loop->driver.self, tick, due, length, error))
            return false;
    }
    return true;
}

void loop_clear(struct loop *loop)
{
    queue_clear(loop->queue, 0);
    loop->now = 0;
}
