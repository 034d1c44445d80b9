/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Dense projection of integer weight codes with a scale per group of inputs:
 *
 *     y[o] = Σ_v V_th[v] · (Σ_{g in v} scale[o,g] · (Σ_{i in g} s_i · c[o,i])) + b[o]
 *
 * (SpikingBrain: the linear projections of the W8ASpike checkpoint.) v are the
 * parts of the inputs that have a threshold of their own, one unless the source
 * is divided further. The innermost sum is exact in 32 bits; scaled sums are
 * added one group after the other, and then one part after the other.
 * Codes are held in 8 bits; what a code exceeds them by stands in a sparse
 * remainder, so that every code up to 16 bits is kept exactly.
 */
#ifndef VOLLEY_DENSE_INTEGER_H
#define VOLLEY_DENSE_INTEGER_H

#include "neurons/projection.h"

struct dense_integer {
    uint32_t outputs, inputs;
    uint32_t group, groups; /* inputs a group (the last may have fewer), groups a row */
    uint32_t scale_group;   /* inputs that share a scale: so many whole groups (or what is left) */
    uint32_t blocks;        /* of BLOCK_ROWS rows, the last filled up with zeros */
    size_t block_size;      /* codes of a block */
    int8_t *codes;          /* [blocks][block_size], in the order of code_block.h */
    float *scales;          /* [blocks][groups][BLOCK_ROWS] */
    double *bias;           /* [outputs], or NULL */
    int32_t *code_sums;     /* [blocks][groups][BLOCK_ROWS] */
    uint32_t *fan_out;      /* [inputs], non-zero codes a channel reaches */
    uint64_t synapses;      /* non-zero codes */
    int32_t code_limit;     /* largest |code| */
    struct remainder *remainder; /* [remainder_length], by block, group and segment */
    uint32_t remainder_length, remainder_room;
    uint32_t segments;         /* of a group */
    uint32_t *remainder_start; /* [blocks][groups][segments] and one: where each begins */
    struct pending {           /* extras of the block that is being filled */
        uint32_t row, input;
        int16_t extra;
    } *pending;                /* [pending_length], by row and then input */
    uint32_t pending_length, pending_room;
    uint32_t rows;         /* filled so far */
    uint32_t *accumulator;  /* [lanes][blocks][groups][BLOCK_ROWS], for volleys one by one */
};

/* Empty weights to be filled row by row; NULL with `error` filled. */
struct dense_integer *dense_integer_new(uint32_t outputs, uint32_t inputs, uint32_t group,
                                        struct error *error);
/* The same where the source has a threshold for every `span` inputs, which `group` need not
 * divide: `group` inputs still share a scale, but sums are kept apart wherever a threshold or a
 * scale may change. */
struct dense_integer *dense_integer_new_apart(uint32_t outputs, uint32_t inputs, uint32_t group,
                                              uint32_t span, struct error *error);

/* All rows must be added before anything is delivered.
 * Adds the next row from its weights [inputs]. `scales` are those of every scale_group inputs,
 * code = round_half_even(weight / scale); NULL quantises symmetrically: scale = max|w| / 127.
 * `name` is for errors: a weight that is not finite, a scale that is not positive, a code
 * beyond 16 bits. */
bool dense_integer_add_row(struct dense_integer *dense, const float *weights, const float *scales,
                           const char *name, struct error *error);

/* Gives it a bias [outputs] (copied). */
bool dense_integer_set_bias(struct dense_integer *dense, const double *bias, struct error *error);

void dense_integer_free(void *dense);

/* Carries trains into a current port. */
extern const struct projection_kind projection_dense_integer;

/* Fills in the projection's sizes from its weights. */
void dense_integer_describe(struct projection *projection);

#endif
