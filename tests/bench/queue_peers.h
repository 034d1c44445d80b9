/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the benchmark of the queue (queue.c) and the queues it is compared with (queue_peers.cc, a
 * library that is loaded at run time, since a C++ compiler may be missing) know of one another.
 */
#ifndef VOLLEY_BENCH_QUEUE_PEERS_H
#define VOLLEY_BENCH_QUEUE_PEERS_H

#include <stddef.h>
#include <stdint.h>

enum { INCREMENTS = 1 << 16 };

struct peer_event { /* as large as Volley's */
    int64_t tick;
    uint32_t order;
    uint32_t payload;
};

/* The work: `length` events are pending; then, again and again, the earliest is popped and pushed
 * back `increments[i]` later. */
struct hold_work {
    size_t length;
    const int64_t *first;      /* [length]: ticks to begin with */
    const int64_t *increments; /* [INCREMENTS], used in turn */
    double mean;               /* what only the told wheel may look at: the increments' mean … */
    int64_t most;              /* … and the largest */
};

struct hold_queue {
    const char *name;
    void *(*make)(const struct hold_work *work); /* filled; NULL when memory is short */
    /* `holds` holds from increment `from` on. Returns the sum of the ticks popped, which does not
     * depend on how a queue orders events of one tick. */
    uint64_t (*hold)(void *queue, const struct hold_work *work, size_t from, size_t holds);
    void (*destroy)(void *queue);
};

/* The library's: ends with an entry without a name. */
#define HOLD_PEERS "hold_peers"

#endif
