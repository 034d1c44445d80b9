/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Integer weights as their kernels read them: by columns. A column holds the codes through which
 * one input reaches the rows of a band, and lies in one piece, so that a spike fetches what it
 * needs and a silent input nothing.
 *
 *     band 0                                          band 1 …
 *     input 0: rows … | input 1: rows … | input 2 …
 *
 * A band has BAND_ROWS rows (the last may have fewer): a column of so many bytes is a page of
 * memory, at whose end processors stop fetching ahead. The rows of a band are rounded up to whole
 * pieces of PIECE_ROWS, its height; rows that are not there have code 0. In a piece, byte
 * 16 l + 4 v + j holds row 16 v + 4 l + j (l, v, j = 0 … 3), so that four columns, interleaved
 * where they are in a vector, give the rows in order. A byte is the code + CODE_BIAS.
 *
 * Codes beyond 8 bits stand there as the nearest that fits; the rest of them is in `extras`, listed
 * for the inputs of a segment and the rows of a stretch together: a silent input's are read in vain,
 * but lists so short that every input has its own cost more than that. A segment is EXTRA_INPUTS
 * inputs of a group (its last may have fewer), a stretch EXTRA_ROWS rows of a band.
 */
#ifndef VOLLEY_CODE_BAND_H
#define VOLLEY_CODE_BAND_H

#include <stddef.h>
#include <stdint.h>

enum {
    BAND_ROWS = 4096,
    PIECE_ROWS = 64, /* BAND_ROWS is a multiple of it */
    CODE_BIAS = 128,
    LANES_TOGETHER = 128, /* most lanes of a block of counts */
    ROWS_TOGETHER = 256,  /* most rows for a block of counts, whole pieces */
    FIRING_UNIT = 8,      /* inputs that fire are handled so many at a time */
    EXTRA_INPUTS = 128,
    EXTRA_ROWS = 512,
    STRETCHES = BAND_ROWS / EXTRA_ROWS /* of a band, whether it has so many rows or not */
};

/* What a code exceeds 8 bits by. */
struct extra {
    uint16_t place; /* row of the stretch + EXTRA_ROWS · input of the segment */
    int16_t extra;
};

struct code_band {
    uint32_t inputs, group;      /* of the whole matrix; inputs that share a scale */
    uint32_t height;             /* rows of the band, in whole pieces */
    const uint8_t *codes;        /* [inputs][height] */
    const float *scales;         /* [groups][height] */
    const struct extra *extras;  /* by segment and then stretch */
    const uint32_t *extra_start; /* [segments][STRETCHES] and one, places in `extras` */
};

/* The inputs of one lane that fire, group by group. A count is split into bytes, low + 256 high,
 * each from -128 to 127; what is not 0 stands in one list of all groups:
 *
 *     high bytes of group 0 | low bytes of group 0 | high bytes of group 1 | …
 *
 * each part filled up to whole units by an input that it has, with byte 0, and the whole by one
 * unit more, so that what comes next can be looked at everywhere. Inputs that fire stand among the
 * low bytes even if that byte is 0. */
struct firing_list {
    const int16_t *counts; /* [inputs] */
    uint32_t *inputs;      /* [firing_room(…)] */
    int8_t *bytes;         /* [firing_room(…)] */
    struct firing_group {
        uint32_t high, low, end; /* where its high and its low bytes begin, and where they end */
        uint32_t firing;         /* of the low ones; the rest fills up */
        int32_t sum;             /* of its counts */
    } *groups; /* [groups] */
};

/* Counts of some lanes. */
struct count_block {
    uint32_t lanes; /* 1 … LANES_TOGETHER */
    size_t stride;  /* from one lane's counts to the next's */
    const int16_t *counts; /* [lanes][inputs] */
};

/* Where row `row` of a piece stands in it. */
static inline uint32_t piece_place(uint32_t row)
{
    return (row & 3) | (row & 12) << 2 | (row & 48) >> 2;
}

static inline uint32_t group_count(uint32_t inputs, uint32_t group)
{
    return inputs / group + (inputs % group != 0);
}

/* Segments of a group; the last group has as many, though they may be empty. */
static inline uint32_t segment_count(uint32_t group)
{
    return group / EXTRA_INPUTS + (group % EXTRA_INPUTS != 0);
}

/* Rows in whole pieces. */
static inline uint32_t whole_pieces(uint32_t rows)
{
    return (rows + PIECE_ROWS - 1) / PIECE_ROWS * PIECE_ROWS;
}

/* The longest such list: all inputs twice, every group and the end filled up. */
static inline size_t firing_room(uint32_t inputs, uint32_t group)
{
    return 2 * (inputs + ((size_t)group_count(inputs, group) + 1) * FIRING_UNIT);
}

#endif
