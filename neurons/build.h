/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a network on paper to one that runs. */
#ifndef VOLLEY_BUILD_H
#define VOLLEY_BUILD_H

#include "neurons/blueprint.h"
#include "neurons/delivery/sparse.h"

/* Ticks of the network in one dt under INTEGRATE_EVENT, where nothing is ticked. */
enum { EVENT_RESOLUTION = 100000 };

struct build_options {
    enum update_rule updates;
    bool inputs_show;        /* inputs that bring no spikes of their own put out values */
    struct workers *workers; /* draw connections; may be NULL */
};

/* The network has as many populations as the blueprint, in its order, and its projections in the
 * same order too. Its tick is the blueprint's dt, or dt / EVENT_RESOLUTION. Not sealed. Checks what
 * readers cannot: sizes that do not meet, delays; names the population or projection. NULL with
 * error. */
struct network *blueprint_build(const struct blueprint *blueprint,
                                const struct build_options *options, struct error *error);

/* ---- what is drawn, for the builder and for those who write it out (expand.h) ---- */

/* The synapses of a projection by rule, weights times `factor`, delays in ticks of `tick_seconds`;
 * *delay_ticks is the projection's. NULL with error. */
struct sparse *blueprint_draw(const struct blueprint *blueprint, uint32_t projection, double factor,
                              double tick_seconds, struct workers *workers, uint32_t *delay_ticks,
                              struct error *error);
/* The numbers of a quantity: [*length], 1 or one each; NULL for the model's own and, with error,
 * when memory is short. Drawn ones are put into *made, to be freed. `which` keeps the quantities
 * of a population apart: a parameter's number, or CELL_PARAMETERS + a variable's. */
const double *blueprint_numbers(const struct blueprint *blueprint, uint32_t population,
                                uint32_t which, const struct quantity *quantity, uint32_t *length,
                                double **made, struct error *error);

#endif
