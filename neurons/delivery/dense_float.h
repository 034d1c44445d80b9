/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Dense projection of floating-point weights, added up in double:
 *
 *     y[o] = Σ_i w[o,i] · x[i] + b[o]
 *
 * For what does not spike in a model, and for the dense baseline. Weights stay as they are stored
 * (F32, F16 or BF16, in a mapped file) and are widened row by row, for a lone lane
 * in registers.
 */
#ifndef VOLLEY_DENSE_FLOAT_H
#define VOLLEY_DENSE_FLOAT_H

#include "neurons/projection.h"

enum float_format { FLOAT_SINGLE, FLOAT_HALF, FLOAT_BFLOAT };
enum { DENSE_FLOAT_INPUTS = 1 << 18 }; /* most inputs of a row */

struct dense_float {
    uint32_t outputs, inputs;
    enum float_format format;
    const void *weights; /* [outputs][inputs], aligned or not */
    float *owned;        /* the same memory if it belongs to this, or NULL */
    double *bias;        /* [outputs], or NULL; belongs to this */
};

/* Weights at `weights`, which must outlive this; or, with `owned`, taken over (single
 * precision, from malloc). NULL with `error` filled. */
struct dense_float *dense_float_new(uint32_t outputs, uint32_t inputs, enum float_format format,
                                    const void *weights, bool owned, struct error *error);
void dense_float_free(void *dense);

extern const struct projection_kind projection_dense_float;
void dense_float_describe(struct projection *projection);

/* Row `row` in single precision: either where it lies, or widened into `buffer` [inputs]. */
const float *dense_float_row(const struct dense_float *dense, const struct kernels *kernels,
                             uint32_t row, float *buffer);

#endif
