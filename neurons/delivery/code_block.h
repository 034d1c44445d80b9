/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Integer weights as their kernels read them: in blocks of BLOCK_ROWS rows, all
 * that belongs to a block in the order in which it is needed.
 *
 *     codes of a block:  group 0            group 1 …
 *                        quad 0  quad 1 …
 *                        row 0: c c c c | row 1: c c c c | … row 15: c c c c
 *
 * A quad is QUAD inputs that follow each other. A group begins with a new quad;
 * codes past its end are 0, and so are the rows that the last block lacks.
 * Groups are of `group` consecutive inputs, the last may have fewer.
 */
#ifndef VOLLEY_CODE_BLOCK_H
#define VOLLEY_CODE_BLOCK_H

#include <stddef.h>
#include <stdint.h>

enum {
    BLOCK_ROWS = 16,  /* rows of a block of codes */
    BLOCK_LANES = 16, /* most lanes of a block of counts */
    FEW_LANES = 4,    /* so many are packed one by one */
    QUAD = 4,
    SEGMENT = 128 /* inputs that share a part of the remainder */
};

/* What codes exceed 8 bits by, in a segment of a group: two inputs of every row, so that the
 * rows fill a vector. */
struct remainder {
    uint8_t input[BLOCK_ROWS][2]; /* counted from the segment's first */
    int16_t extra[BLOCK_ROWS][2]; /* code - the 8 bits held; 0 where a row has no more */
};

struct code_block {
    uint32_t inputs, group;
    const int8_t *codes;        /* [groups][quads of the group][BLOCK_ROWS][QUAD] */
    const float *scales;        /* [groups][BLOCK_ROWS] */
    const int32_t *code_sums;   /* [groups][BLOCK_ROWS], of the 8 bits held */
    const struct remainder *remainder; /* by segment */
    const uint32_t *remainder_start;   /* [groups][segments] and one, places in `remainder` */
};

/* The counts of some lanes, and room for the form that a version of the kernels packs
 * them into. */
struct count_block {
    uint32_t lanes; /* 1 … BLOCK_LANES */
    size_t stride;  /* from one lane's counts to the next's */
    const int16_t *counts; /* [lanes][inputs] */
    uint8_t *packed;       /* [packed_size(…)] */
};

static inline uint32_t group_count(uint32_t inputs, uint32_t group)
{
    return inputs / group + (inputs % group != 0);
}

static inline uint32_t quad_count(uint32_t length)
{
    return length / QUAD + (length % QUAD != 0);
}

/* Segments of a group; the last group has as many, though they may be empty. */
static inline uint32_t segment_count(uint32_t group)
{
    return group / SEGMENT + (group % SEGMENT != 0);
}

/* Quads of a row. */
static inline size_t row_quads(uint32_t inputs, uint32_t group)
{
    return (size_t)(inputs / group) * quad_count(group) + quad_count(inputs % group);
}

/* Two bytes a count, whole quads, all lanes of a block unless they are few; and a byte a group. */
static inline size_t packed_size(uint32_t inputs, uint32_t group, uint32_t lanes)
{
    size_t packed_lanes = lanes <= FEW_LANES ? lanes : BLOCK_LANES;
    return 2 * QUAD * packed_lanes * row_quads(inputs, group) + group_count(inputs, group);
}

#endif
