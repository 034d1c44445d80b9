/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The integrator (NIR's I), which shows the integral of its input:
 *
 *     v' = r I,   in a tick: v ← v + r dt I
 *
 * A spike that jumps adds its weight to v. In raw forward steps (snnTorch) v is in units of r dt.
 */
#include "neurons/models/cell_models.h"
#include "neurons/models/event_models.h"
#include "neurons/models/linear.h"

#include <stdlib.h>

enum { R };

static double unit_of(const struct cells *cells, uint32_t i)
{
    return cells_parameter(cells, R, i) * cells->rules.dt;
}

static double gain_of(const struct cells *cells, uint32_t i)
{
    bool plain = cells->rules.area == AREA_JUMP || in_raw_units(cells);
    return rounded(plain ? 1 : unit_of(cells, i), cells->rules.single);
}

static double one(const struct cells *cells, uint32_t i)
{
    (void)cells, (void)i;
    return 1;
}

static double zero(const struct cells *cells, uint32_t i)
{
    (void)cells, (void)i;
    return 0;
}

static bool prepare(struct cells *cells, struct error *error)
{
    if (!raw_form_is_sound(cells, unit_of, error))
        return false;
    struct linear *own = cells->own = calloc(1, sizeof *own);
    if (own == NULL)
        return error_no_memory(error, "neurons");
    return coefficient_fill(&own->decay, cells, 0, one, error) &&
           coefficient_fill(&own->leak, cells, 0, zero, error) &&
           coefficient_fill(&own->gain, cells, 1u << R, gain_of, error);
}

static void reset(struct cells *cells)
{
    for (uint32_t i = 0; in_raw_units(cells) && i < cells->neurons; i++)
        cells->variable[0][i] /= unit_of(cells, i);
}

const struct cell_model integrator_cells = {
    .name = "integrator",
    .summary = "integral of the input, shown as a value (NIR: I)",
    .equation = "v' = r I",
    .parameters = {{"r", "", 1, RANGE_ANY, "resistance: rate of v for an input of 1"}},
    .variables = {{"v", "", NULL}},
    .ports = {"input"},
    .integrations = 1u << INTEGRATE_EXACT | 1u << INTEGRATE_EULER,
    .output = CELLS_SHOW,
    .prepare = prepare,
    .step = linear_step,
    .reset = reset,
    .free = free,
    .event = &event_integrator,
};
