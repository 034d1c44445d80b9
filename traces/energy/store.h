/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Estimates in the trace: the rows of the tables estimate, estimate_term and placement, from which
 * the view layer_energy is made.
 */
#ifndef VOLLEY_STORE_H
#define VOLLEY_STORE_H

#include "traces/energy/estimate.h"

struct stored_estimate {
    const struct estimate *estimate;
    const char *changes; /* of the chip's figures, as given; NULL: none */
};

/* Writes estimates of one load into the trace it came from, all or none. Each takes the place of an
 * earlier one of the same run, chip and options. Terms that cost nothing have no row. False with
 * error, the trace as it was, if it cannot be written or no longer holds the run. */
bool store_estimates(const struct stored_estimate *estimates, size_t count, struct error *error);

#endif
