/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which targets every source neuron of a projection reaches: what placing neurons on cores and
 * counting messages needs of the weights, in a form small enough for every trace.
 *
 * Targets are taken in groups of `grain` consecutive ones (a power of two; 1: exactly), and of each
 * source neuron the groups are kept that it reaches, with the number of its synapses there. As
 * bytes: for each source neuron the number of its groups, then, for each group in ascending order,
 * the distance to the one before (of the first: its index) and, unless every group is reached by
 * one synapse only, their number; all in LEB128 (see reach.c for the exact form).
 */
#ifndef VOLLEY_REACH_H
#define VOLLEY_REACH_H

#include "neurons/projection.h"

/* A source neuron is always granted so many bytes: what one group can take. */
enum { REACH_SOURCE_BYTES = 8 };

struct reach_entry {
    uint32_t group;
    uint32_t synapses; /* at least 1 */
};

struct reach {
    uint32_t sources, targets; /* neurons; groups are ⌈targets / grain⌉ */
    uint32_t grain;
    unsigned char *data; /* [length] */
    size_t length;
    size_t *row; /* [sources + 1], where each source neuron's bytes begin in data */
    uint32_t most; /* entries of one source, at most */
};

/* Of a projection whose kind says where each source neuron leads (projection_kind.reach); NULL with
 * error. The grain is the smallest that keeps it within `limit` bytes, or within REACH_SOURCE_BYTES
 * for each source neuron where that is more. (Beyond 2^31 targets, the coarsest grain is 2^31.) */
struct reach *reach_of(const struct projection *projection, size_t limit, struct error *error);
/* From bytes, copied; checks every one of them. */
struct reach *reach_read(const void *data, size_t length, uint32_t sources, uint32_t targets,
                         uint32_t grain, struct error *error);
void reach_free(struct reach *reach);

/* Writes the entries of one source neuron, ascending, to entries [reach->most] and returns how
 * many. */
uint32_t reach_row(const struct reach *reach, uint32_t source, struct reach_entry *entries);

static inline uint32_t reach_groups(const struct reach *reach)
{
    return (uint32_t)(((uint64_t)reach->targets + reach->grain - 1) / reach->grain);
}

#endif
