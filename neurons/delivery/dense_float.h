/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Dense projection of floating-point weights, added up in double:
 *
 *     y[o] = Σ_i w[o,i] · x[i] + b[o]
 *
 * For what does not spike in a model, and for the dense baseline. Weights stay as they are stored
 * (F32, F16 or BF16, in a mapped file), or are copied to a narrower format: half the bytes are
 * twice the rows that memory delivers in the same time. They are widened as they are read.
 *
 * The same matrix is a table whose rows are looked up (embedding).
 */
#ifndef VOLLEY_DENSE_FLOAT_H
#define VOLLEY_DENSE_FLOAT_H

#include "neurons/projection.h"
#include "scheduler/workers.h"

enum float_format {
    FLOAT_SINGLE,
    FLOAT_HALF,
    FLOAT_BFLOAT,
    FLOAT_BYTE /* 8-bit codes with a scale for every 128 inputs of a row (byte_block.h) */
};
enum { DENSE_FLOAT_INPUTS = 1 << 18 }; /* most inputs of a row */

struct dense_float {
    uint32_t outputs, inputs;
    enum float_format format;
    const void *weights; /* [outputs][inputs], aligned or not; FLOAT_BYTE: all codes */
    const float *scales; /* FLOAT_BYTE: [blocks][groups][BYTE_ROWS] */
    void *owned;         /* the memory of both if it belongs to this, or NULL */
    double *bias;        /* [outputs], or NULL; belongs to this */
};

/* Weights at `weights`, which must outlive this, in any format but FLOAT_BYTE; or, with `owned`,
 * taken over (single precision, from malloc). NULL with `error` filled. */
struct dense_float *dense_float_new(uint32_t outputs, uint32_t inputs, enum float_format format,
                                    const void *weights, bool owned, struct error *error);
/* The weights of `dense`, which must outlive this, without its bias. */
struct dense_float *dense_float_share(const struct dense_float *dense, struct error *error);
void dense_float_free(void *dense);

/* Weights of its own in `format`, any row of which is undefined until it is set. */
struct dense_float *dense_float_new_unset(uint32_t outputs, uint32_t inputs,
                                          enum float_format format, struct error *error);
/* Rounds [inputs] numbers, half to even, into row `row` of one that dense_float_new_unset made.
 * Several threads may set different rows at once. False with `error` filled where a number is
 * not finite or too large for the format; its text goes on after the name of the matrix. */
bool dense_float_set_row(struct dense_float *dense, uint32_t row, const float *numbers,
                         struct error *error);

/* A copy of `source` (any format but FLOAT_BYTE) in `format`, made by all of `workers` (NULL: by
 * the caller). `mapped`: the source lies in a file mapped for reading, and its memory is handed
 * back as it has been read. NULL with `error` filled, where `name` tells which numbers do not
 * fit: the text is "`name` holds …". */
struct dense_float *dense_float_convert(const struct dense_float *source, enum float_format format,
                                        const char *name, const struct kernels *kernels,
                                        struct workers *workers, bool mapped,
                                        struct error *error);

/* Hands the memory of weights in a file mapped for reading back to the system, which reads them
 * again when they are next needed. */
void dense_float_hand_back(const struct dense_float *mapped);

extern const struct projection_kind projection_dense_float;
void dense_float_describe(struct projection *projection);

/* Bytes of the weights as held. */
uint64_t dense_float_bytes(const struct dense_float *dense);

/* Row `row` in single precision: either where it lies, or widened into `buffer` [inputs]. Not of
 * FLOAT_BYTE, whose weights have more bits. */
const float *dense_float_row(const struct dense_float *dense, const struct kernels *kernels,
                             uint32_t row, float *buffer);

/* Row `row` of any format, exact, to out [inputs]. */
void dense_float_values(const struct dense_float *dense, const struct kernels *kernels,
                        uint32_t row, double *out);

#endif
