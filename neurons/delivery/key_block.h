/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How the 8-bit keys and values of a window lie in memory, and what kernels do with them.
 *
 * Positions stand in blocks of KEY_POSITIONS. What is multiplied by one number and added up, two
 * channels of a key or two positions of a value, lies side by side, so that one instruction takes
 * both:
 *
 *     keys    [block][pair of channels][position][2 channels]
 *     values  [column of VALUE_CHANNELS][block][pair of positions][channel][2 positions]
 *
 * Channels that a head does not have are zero.
 */
#ifndef VOLLEY_KEY_BLOCK_H
#define VOLLEY_KEY_BLOCK_H

#include <stddef.h>
#include <stdint.h>

enum {
    KEY_POSITIONS = 16,
    VALUE_CHANNELS = 32,
    VALUE_ROW = VALUE_CHANNELS * 2, /* bytes of a pair of positions in a column */
    WEIGHT_BITS = 15,               /* of either half of a weight */
    WEIGHED_BLOCKS = 32, /* after which 32 bits could overflow: 512 · 127 · (2^15 - 1), or 128 */
};

/* dots[query][t] = Σ_i counts[query][i] · code of position t, channel i; exact: callers see to it
 * that it stays within 32 bits. */
struct key_meeting {
    const int8_t *codes;   /* [blocks][pairs][KEY_POSITIONS][2] */
    const int16_t *counts; /* [queries][2 * pairs] */
    int32_t *dots;         /* [queries][stride], the first blocks * KEY_POSITIONS are set */
    uint32_t blocks, pairs, queries;
    size_t stride;
};

/* totals[query][j] += Σ_t weight of position t · code of position t, channel j; exact. A weight is
 * high · 2^WEIGHT_BITS + low, with halves of WEIGHT_BITS bits. Those of positions t and t + 1 are
 * two words: the high halves in 16 bits each, that of t in the lower ones, and the low halves
 * likewise. */
struct value_weighing {
    const int8_t *codes;    /* [columns][column_bytes]; of these the first are
                               [blocks * KEY_POSITIONS / 2][VALUE_ROW] */
    const int32_t *weights; /* [queries][stride] */
    int64_t *totals;        /* [queries][columns * VALUE_CHANNELS] */
    uint32_t blocks, columns, queries;
    size_t stride, column_bytes;
};

/* Two neighbours at once. */
static inline int32_t code_pair_at(const int16_t *pair)
{
    int32_t both;
    __builtin_memcpy(&both, pair, sizeof both);
    return both;
}

/* How many of the queries that are left are worked on together. The most is what the registers
 * hold, and as many as share a key head in SpikingBrain-7B. */
enum { QUERIES_TOGETHER = 7 };

static inline uint32_t queries_together(uint32_t left)
{
    return left >= QUERIES_TOGETHER ? QUERIES_TOGETHER : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

#endif
