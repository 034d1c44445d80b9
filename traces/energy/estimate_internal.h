/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The last two steps of estimate_new, each in a file of its own: both read an estimate whose rows,
 * totals and events are there. */
#ifndef VOLLEY_ESTIMATE_INTERNAL_H
#define VOLLEY_ESTIMATE_INTERNAL_H

#include "traces/energy/estimate.h"

/* By number: see ESTIMATE_COEFFICIENTS. */
static inline const struct coefficient *estimate_coefficient(const struct chip *chip,
                                                             uint32_t number)
{
    return number < CHIP_FIGURES ? &chip->figure[number]
                                 : &chip->memory[number - CHIP_FIGURES].read;
}

/* Fills low, high and ranged. */
bool estimate_interval(struct estimate *estimate, struct error *error);

/* Fills missing. */
bool estimate_missing(struct estimate *estimate, struct error *error);

/* Whether a load has to be placed on this chip: it has more than one core, limits, or figures that
 * only a placement can feed. */
bool estimate_needs_cores(const struct chip *chip);

/* Whether the load says where every spike leads. */
bool estimate_has_reach(const struct load *load);

#endif
