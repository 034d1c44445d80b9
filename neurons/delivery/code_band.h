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
 * Codes beyond 8 bits stand there as the nearest that fits; the rest of them is in `extras`.
 */
#ifndef VOLLEY_CODE_BAND_H
#define VOLLEY_CODE_BAND_H

#include <stddef.h>
#include <stdint.h>

enum {
    BAND_ROWS = 4096,
    PIECE_ROWS = 64, /* BAND_ROWS is a multiple of it */
    CODE_BIAS = 128,
    LANES_TOGETHER = 64 /* most lanes of a block of counts */
};

/* What the code of one row of a column exceeds 8 bits by. */
struct extra {
    uint16_t row; /* counted from the band's first */
    int16_t extra;
};

struct code_band {
    uint32_t inputs, group;      /* of the whole matrix; inputs that share a scale */
    uint32_t height;             /* rows of the band, in whole pieces */
    const uint8_t *codes;        /* [inputs][height] */
    const float *scales;         /* [groups][height] */
    const struct extra *extras;  /* by input and then row */
    const uint32_t *extra_start; /* [inputs + 1], places in `extras` */
};

/* The counts of some lanes. */
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

/* Rows in whole pieces. */
static inline uint32_t whole_pieces(uint32_t rows)
{
    return (rows + PIECE_ROWS - 1) / PIECE_ROWS * PIECE_ROWS;
}

#endif
