/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One-to-one projection of weight 1: neuron i reaches target i. Values add to a
 * current port; payloads add to a count port, which also learns the thresholds.
 * It has no weights of its own (pass NULL).
 */
#ifndef VOLLEY_ONE_TO_ONE_H
#define VOLLEY_ONE_TO_ONE_H

#include "neurons/projection.h"

extern const struct projection_kind projection_one_to_one;

#endif
