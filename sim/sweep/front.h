/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The Pareto front: the points that no other point is better than. */
#ifndef VOLLEY_SWEEP_FRONT_H
#define VOLLEY_SWEEP_FRONT_H

#include <stdbool.h>
#include <stddef.h>

/* One of the two figures that are weighed. */
struct front_side {
    const double *values; /* [count]; NAN: the point has none, and is not on the front */
    bool more;            /* more is better; else less */
};

/* Finds which points are on the front, into front [count]: those for which no other is at least as
 * good on both sides and better on one. Equal points are on it together. False: no memory. */
bool front_find(struct front_side x, struct front_side y, size_t count, bool *front);

#endif
