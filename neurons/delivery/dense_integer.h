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
 * remainder, so that every code up to 16 bits is kept exactly (code_band.h).
 *
 * Weights are either made (new, fill, settle) or found ready in memory that
 * somebody else keeps (adopt): a mapped file.
 */
#ifndef VOLLEY_DENSE_INTEGER_H
#define VOLLEY_DENSE_INTEGER_H

#include "neurons/projection.h"

enum {
    DENSE_INTEGER_INPUTS = 1 << 18, /* most inputs of a row */
    DENSE_INTEGER_ROOM = 1 << 20    /* most places of a list of its inputs (firing_room) */
};

struct dense_integer {
    uint32_t outputs, inputs;
    uint32_t group, groups; /* inputs a group (the last may have fewer), groups a row */
    uint32_t scale_group;   /* inputs that share a scale: so many whole groups (or what is left) */
    uint32_t bands;         /* of BAND_ROWS rows, the last of fewer */
    uint64_t rows;          /* of all bands together, each in whole pieces */
    int32_t code_limit;     /* largest |code| */
    uint64_t synapses;      /* non-zero codes */
    /* Arrays as code_band.h has them; together they are all there is to the weights. */
    uint8_t *codes;        /* [bands][inputs][height]: rows · inputs bytes */
    float *scales;         /* [bands][groups][height] */
    uint32_t segments;     /* of all groups, each segment_count(group) */
    uint32_t *extra_start; /* [bands][segments][STRETCHES] and one */
    struct extra *extras;  /* [dense_integer_extras(…)] */
    uint32_t *fan_out;     /* [inputs], non-zero codes a channel reaches */
    double *bias;          /* [outputs], or NULL; always its own */
    bool borrowed;         /* the arrays belong to somebody else */
    bool (*verify)(void *self, struct error *error); /* asked before the first delivery whether … */
    void *verify_self;     /* … borrowed memory holds what it should; or NULL, as it is then */
    struct filling *filling; /* private: what is known while it is made */
    uint32_t *accumulator; /* [lanes][groups][rows], for volleys one by one */
};

/* Empty weights to be filled; NULL with `error` filled. */
struct dense_integer *dense_integer_new(uint32_t outputs, uint32_t inputs, uint32_t group,
                                        struct error *error);
/* The same where the source has a threshold for every `span` inputs, which `group` need not
 * divide: `group` inputs still share a scale, but sums are kept apart wherever a threshold or a
 * scale may change. */
struct dense_integer *dense_integer_new_apart(uint32_t outputs, uint32_t inputs, uint32_t group,
                                              uint32_t span, struct error *error);

/* Fills rows first_row … first_row+rows-1, a whole piece (or the end of the last) that begins at a
 * multiple of PIECE_ROWS, from weights [rows][inputs]. `scales` [rows][scale groups] are those of
 * every scale_group inputs of a row, or NULL: then scale = max|w| / 127. Codes are
 * round_half_even(weight / scale). Fails for a weight or scale that is not usable, naming `name`.
 * Several threads may fill different pieces at once. */
bool dense_integer_fill(struct dense_integer *dense, uint32_t first_row, uint32_t rows,
                        const float *weights, const float *scales, const char *name,
                        struct error *error);
/* After every piece has been filled. `workers` may be NULL. */
bool dense_integer_settle(struct dense_integer *dense, struct workers *workers,
                          struct error *error);
/* Takes a bias [outputs], copied. */
bool dense_integer_set_bias(struct dense_integer *dense, const double *bias, struct error *error);

/* How large the arrays of such weights are, in bytes. */
struct dense_integer_sizes {
    uint64_t codes, scales, extra_start, fan_out;
};
struct dense_integer_sizes dense_integer_sizes(const struct dense_integer *dense);
/* Lists of extras of such weights, whose beginnings and the last one's end are in extra_start. */
uint64_t dense_integer_lists(uint32_t outputs, uint32_t inputs, uint32_t group);
/* Extras that finished weights have. */
uint64_t dense_integer_extras(const struct dense_integer *dense);

/* Weights whose arrays lie in `arrays` (its codes, scales, extra_start, extras, fan_out, and the
 * numbers outputs, inputs, group, scale_group, code_limit and synapses; the rest is worked out),
 * which must outlive them. `extras` many there are. Fails where they would lead out of the arrays.
 */
struct dense_integer *dense_integer_adopt(const struct dense_integer *arrays, uint64_t extras,
                                          const char *name, struct error *error);

void dense_integer_free(void *dense);

extern const struct projection_kind projection_dense_integer;

/* Fills in what a projection says about its weights. */
void dense_integer_describe(struct projection *projection);

#endif
