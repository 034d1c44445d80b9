/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Memory blocks: where one fetch brings the weights of `width` channels (source neurons) that lie
 * side by side, it is saved only if all of them are silent in that vector. Counted from the spikes
 * of a trace: of every population, the blocks with at least one spike in them, summed over vectors
 * (language models: all virtual ticks of a position together; clocked populations: one tick).
 *
 * What lies side by side is a choice: the channels in their own order, or sorted by how often they
 * fired (most active first, ties in their own order). An order learnt from the very vectors it is
 * judged by flatters itself. So the run is cut into two halves (positions, or ticks where there is
 * but one sample), and of the held-out order each half is counted in the order that the other half
 * gives; the second half is what a chip would see that was laid out after the first.
 */
#ifndef VOLLEY_BLOCKS_H
#define VOLLEY_BLOCKS_H

#include "traces/energy/load.h"

enum block_order {
    ORDER_NATURAL,
    ORDER_IN_SAMPLE, /* most active in the whole run first */
    ORDER_HELD_OUT,  /* most active in the other half first */
    BLOCK_ORDERS
};

struct blocks {
    uint32_t population_count, width_count;
    uint32_t *widths; /* [width_count] */
    uint32_t orders;  /* 1: natural only; or BLOCK_ORDERS */
    uint64_t *active; /* [population_count][width_count][BLOCK_ORDERS][2 halves] */
};

/* Widths are at least 1. `by_activity`: all orders. NULL with error: no spikes in the trace, or not
 * all of them; a broken trace; short memory. Takes one pass over the spikes, by activity two. */
struct blocks *blocks_count(const struct load *load, const uint32_t *widths, uint32_t width_count,
                            bool by_activity, struct error *error);
void blocks_free(struct blocks *blocks);

/* Active blocks of widths[width] channels in one half (0, 1) of the run. */
uint64_t blocks_in_half(const struct blocks *blocks, uint32_t population, uint32_t width,
                        enum block_order order, uint32_t half);

/* … and in the whole run. */
static inline uint64_t blocks_in_run(const struct blocks *blocks, uint32_t population,
                                     uint32_t width, enum block_order order)
{
    return blocks_in_half(blocks, population, width, order, 0) +
           blocks_in_half(blocks, population, width, order, 1);
}

#endif
