/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A dense projection delivered by event: weights stand source by source, and a spike adds its
 * row times its payload to all targets; a value that is not zero does the same with itself as the
 * factor. (dense_float.h is the other kind, for values of which none is zero: target by target.)
 * Weights as float32, or as 8- or 16-bit integers times a scale; added as sparse.h says.
 */
#ifndef VOLLEY_DENSE_H
#define VOLLEY_DENSE_H

#include "neurons/delivery/sparse.h"

struct dense {
    uint32_t sources, targets;
    enum weight_format format; /* not WEIGHT_SAME */
    double scale;     /* integers: weight = scale x code */
    void *weight;     /* [sources][targets] of float, int8_t or int16_t */
    uint32_t *fan_out; /* [sources], non-zero weights */
};

/* From weights [targets][sources] as files hold them; copied and turned. Weights that are no
 * multiples of `scale`, or beyond the format's range (see weight_store), are refused. */
struct dense *dense_new(uint32_t targets, uint32_t sources, const double *weights,
                        enum weight_format format, double scale, struct error *error);
void dense_free(void *dense);
void dense_describe(struct projection *projection);

extern const struct projection_kind projection_dense;

#endif
