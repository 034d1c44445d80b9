/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the steps of cells share that go block by block: coefficients, refractory periods, and
 * turning the flags of a block into spikes. For the models in this folder.
 */
#ifndef VOLLEY_BLOCKS_H
#define VOLLEY_BLOCKS_H

#include "neurons/cells.h"
#include "encoding/vector.h"

#include <string.h>

/* A number that all neurons share, spread over a block, or one for each neuron: a loop over a
 * block reads both alike. */
struct coefficient {
    double same[CELL_BLOCK];
    const double *each; /* [neurons], memory of the cells; or NULL */
};

/* Fills it with of(cells, neuron), which reads no other parameters than those whose bits
 * (1 << index) are set in `parameters`. Fails when memory is short. */
bool coefficient_fill(struct coefficient *coefficient, struct cells *cells, unsigned parameters,
                      double (*of)(const struct cells *cells, uint32_t neuron),
                      struct error *error);

/* Makes it parameter `p` as it is. */
void coefficient_parameter(struct coefficient *coefficient, const struct cells *cells, uint32_t p);

/* The block that begins at neuron `begin`. */
static inline const double *coefficient_block(const struct coefficient *coefficient, uint32_t begin)
{
    return coefficient->each != NULL ? coefficient->each + begin : coefficient->same;
}

/* seconds / dt, rounded to whole ticks. */
double ticks_of_seconds(const struct cells *cells, double seconds);

/* Refuses the rules that only linear neurons follow (raw, single, several, late_reset), and reset
 * by subtraction unless `subtracts`. */
bool rules_are_plain(const struct cells *cells, bool subtracts, struct error *error);

/* What a loop over a block leaves. */
struct block_result {
    double fired[CELL_BLOCK]; /* the spike's payload, 0 for none */
    uint64_t any;             /* not 0: some have fired */
    uint64_t changed;         /* not 0: the block's state has changed or is about to */
};

/* Appends the spikes of the block that begins at `begin`, and says whether it is awake. */
void block_finish(struct cell_step *step, uint32_t begin, uint32_t count,
                  const struct block_result *result);

/* A double's bits, for telling whether a state variable changed. */
VECTOR_INLINE uint64_t double_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Choosing without branches: compilers vectorise comparisons that become masks and masks that
 * choose between doubles, where they give up on conditions that depend on one another. */
VECTOR_INLINE uint64_t mask_of(bool condition)
{
    return -(uint64_t)condition;
}

VECTOR_INLINE double choose(uint64_t mask, double where_set, double elsewhere)
{
    uint64_t bits = (double_bits(where_set) & mask) | (double_bits(elsewhere) & ~mask);
    double chosen;
    memcpy(&chosen, &bits, sizeof chosen);
    return chosen;
}

/* Decaying state below this is taken for 0: nothing of it can be seen any more, and processors
 * are slow with numbers below the normal range. */
#define NEGLIGIBLE 0x1p-600

VECTOR_INLINE double without_negligible(double x)
{
    return choose(mask_of(__builtin_fabs(x) < NEGLIGIBLE), 0, x);
}

#endif
