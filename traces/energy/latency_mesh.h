/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A chip's cores and the links between them, and the messages of one tick on their way. Times are
 * whole picoseconds, so that sums do not depend on their order.
 */
#ifndef VOLLEY_LATENCY_MESH_H
#define VOLLEY_LATENCY_MESH_H

#include "traces/energy/latency_internal.h"

/* What a tick may take, all its durations added up, and any of them: thirteen days. */
#define MESH_LIMIT ((double)(INT64_C(1) << 60))

static inline double picoseconds(double seconds)
{
    return seconds * 1e12;
}

static inline int64_t whole(double time)
{
    return (int64_t)(time + 0.5);
}

struct mesh;

/* What became of the messages. */
struct mesh_passage {
    int64_t duration;       /* until the last core is done */
    uint32_t last_core;     /* which that is */
    int64_t held_up;        /* all messages' waiting for links and receivers */
    uint32_t longest_queue; /* messages at one core at once: waiting and being handled */
};

/* NULL with error; also where a way is too long to be counted. */
struct mesh *mesh_new(const struct setting *setting, struct error *error);
void mesh_free(struct mesh *mesh);

/* The longest that a message may be on its way when nothing is in the way. */
int64_t mesh_longest_way(const struct mesh *mesh);

/* Makes room for the messages of a tick, of which there are none yet. */
bool mesh_reserve(struct mesh *mesh, double messages, struct error *error);

/* The next message of a core. Cores come in order. It takes `generating` once the one before has
 * left, and the receiving core takes `handling`. */
void mesh_send(struct mesh *mesh, uint32_t core, uint32_t destination, int64_t generating,
               int64_t handling);

/* A core that sends all that it will has so much to do after the last message. */
void mesh_trail(struct mesh *mesh, uint32_t core, int64_t trail);

/* Delivers all messages. The sum of their times and ways and of the trails is below
 * MESH_LIMIT. */
bool mesh_deliver(struct mesh *mesh, struct mesh_passage *passage, struct error *error);

#endif
