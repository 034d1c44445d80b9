/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The neuron models that live in time, one file each; cells.c has the table of them. */
#ifndef VOLLEY_CELL_MODELS_H
#define VOLLEY_CELL_MODELS_H

#include "neurons/cells.h"

/* Linear membranes. */
extern const struct cell_model if_cells;
extern const struct cell_model lif_cells;
extern const struct cell_model integrator_cells;
extern const struct cell_model li_cells;
extern const struct cell_model cuba_li_cells;
extern const struct cell_model cuba_lif_cells;
extern const struct cell_model cuba_lif_exc_inh_cells;
/* Without a state. */
extern const struct cell_model threshold_cells;
extern const struct cell_model relay_cells;
extern const struct cell_model graded_cells;
/* Sources. */
extern const struct cell_model poisson_cells;
extern const struct cell_model regular_cells;
/* More than a linear membrane. */
extern const struct cell_model adaptive_lif_cells;
extern const struct cell_model izhikevich_cells;
extern const struct cell_model adex_cells;
extern const struct cell_model cond_lif_cells;
/* As certain chips have them. */
extern const struct cell_model loihi_cells;
extern const struct cell_model sigma_delta_cells;

#endif
