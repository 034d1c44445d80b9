/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One-to-one with weights: neuron i reaches target i, with one weight for all or one each, and
 * with an extra delay each if wanted. Takes spikes and values.
 * (one_to_one.h is the plain wire that language models use.)
 */
#ifndef VOLLEY_DIAGONAL_H
#define VOLLEY_DIAGONAL_H

#include "neurons/projection.h"

/* `weights` [neurons] or NULL: all `same`. `extras` [neurons] ticks, or NULL. Copied. Onto a port
 * that counts, weights must be whole multiples of the port's scale (checked when the network is
 * sealed). */
void *diagonal_new(uint32_t neurons, const double *weights, double same, const uint32_t *extras,
                   struct error *error);
void diagonal_free(void *diagonal);
void diagonal_describe(struct projection *projection);

extern const struct projection_kind projection_diagonal;

#endif
