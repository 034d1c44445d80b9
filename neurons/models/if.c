/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The perfect integrator (NIR's IF):
 *
 *     v' = r I;   a spike if v > v_threshold, then v = v_reset
 *
 * Over a tick I is constant: v ← v + r I dt, however it is integrated. A spike that is a jump adds
 * its weight to v. In snnTorch's discrete-time form ("raw" with Euler) v is kept in units of r dt.
 * For `refractory` after a spike v stays where the reset put it and input is lost.
 */
#include "neurons/models/cell_models.h"
#include "neurons/models/event_models.h"
#include "neurons/models/membrane.h"

#include <stdlib.h>

enum { R, V_THRESHOLD, V_RESET, REFRACTORY };

static bool in_units(const struct cells *cells)
{
    return cells->rules.raw && cells->rules.integration == INTEGRATE_EULER;
}

static double unit_of(const struct cells *cells, uint32_t i)
{
    return in_units(cells) ? cells_parameter(cells, R, i) * cells->rules.dt : 1;
}

static double one(const struct cells *cells, uint32_t i)
{
    (void)cells, (void)i;
    return 1;
}

static double none(const struct cells *cells, uint32_t i)
{
    (void)cells, (void)i;
    return 0;
}

static double gain_of(const struct cells *cells, uint32_t i)
{
    return cells->rules.area == AREA_JUMP || in_units(cells)
               ? 1
               : cells_parameter(cells, R, i) * cells->rules.dt;
}

static double threshold_of(const struct cells *cells, uint32_t i)
{
    return cells_parameter(cells, V_THRESHOLD, i) / unit_of(cells, i);
}

static double reset_of(const struct cells *cells, uint32_t i)
{
    return cells_parameter(cells, V_RESET, i) / unit_of(cells, i);
}

static double rest_of(const struct cells *cells, uint32_t i)
{
    return ticks_of_seconds(cells, cells_parameter(cells, REFRACTORY, i));
}

static bool prepare(struct cells *cells, struct error *error)
{
    struct membrane *m = calloc(1, sizeof *m);
    if (m == NULL)
        return error_no_memory(error, "neurons");
    cells->own = m;
    for (uint32_t i = 0; in_units(cells) && i < cells->neurons; i++)
        if (unit_of(cells, i) <= 0)
            return error_set(
                error, ERROR_MISUSED,
                "population %s: r of neuron %u must be positive in this discrete-time form",
                cells->population->name, i);
    return coefficient_fill(&m->decay, cells, 0, one, error) &&
           coefficient_fill(&m->leak, cells, 0, none, error) &&
           coefficient_fill(&m->gain, cells, 1u << R, gain_of, error) &&
           coefficient_fill(&m->threshold, cells, 1u << R | 1u << V_THRESHOLD, threshold_of,
                            error) &&
           coefficient_fill(&m->reset, cells, 1u << R | 1u << V_RESET, reset_of, error) &&
           coefficient_fill(&m->rest, cells, 1u << REFRACTORY, rest_of, error) &&
           membrane_prepare(m, cells, true, error);
}

const struct cell_model if_cells = {
    .name = "if",
    .summary = "perfect integrate-and-fire (NIR's IF)",
    .equation = "v' = r I; spike if v > v_threshold, then v = v_reset",
    .parameters = {{"r", "", 1, RANGE_ANY, "resistance: input to slope"},
                   {"v_threshold", "", 1, RANGE_ANY, "threshold"},
                   {"v_reset", "", 0, RANGE_ANY, "potential after a spike"},
                   {"refractory", "s", 0, RANGE_NOT_NEGATIVE, "held after a spike for so long"}},
    .variables = {{"v", "", NULL}},
    .ports = {"input"},
    .integrations = 1u << INTEGRATE_EXACT | 1u << INTEGRATE_EULER,
    .output = CELLS_FIRE,
    .prepare = prepare,
    .step = membrane_step,
    .read = membrane_read,
    .reset = membrane_reset,
    .free = membrane_free,
    .event = &event_if,
};
