/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Weights and delays of a connection's synapses. Synapse k of row r has the number of counter
 * (r, k / 4), word k % 4, of the weights' and of the delays' stream, so they depend on nothing
 * but the synapse's place.
 */
#ifndef VOLLEY_VALUES_H
#define VOLLEY_VALUES_H

#include "neurons/connect/connect.h"
#include "neurons/connect/rounded.h"

struct values {
    const struct connection *connection;
    struct random_stream weights, delays; /* streams */
    struct rounded code;                  /* integer weights */
    struct rounded ticks;                 /* delays */
    struct sparse *sparse;
};

/* Checks the distributions and prepares for drawing from them; ticks.first is the smallest
 * delay that can be drawn, ticks.length - 1 the most beyond it. False with error; released by
 * values_release then as ever. */
bool values_take(struct values *values, const struct connection *connection, uint64_t seed,
                 uint32_t projection, struct error *error);
/* Fills weights and extra delays of `sparse`, whose rows are there. */
void values_fill(struct values *values, struct sparse *sparse, struct workers *workers);
void values_release(struct values *values);

#endif
