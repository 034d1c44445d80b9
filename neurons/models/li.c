/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The leaky integrator (NIR's LI), which shows its potential:
 *
 *     tau v' = (v_leak - v) + r I
 *
 * I is constant over a tick, so that with a = e^(-dt/tau) the exact step is
 *
 *     v ← a v + (1 - a) (v_leak + r I)
 *
 * and a forward step the same with a = 1 - dt/tau. A spike that jumps adds its weight to v. The raw
 * forms are v ← a v + (dt/tau) (v_leak + r I) in exact steps (Rockpool), and in forward ones the
 * same with v in units of r dt/tau (snnTorch).
 */
#include "neurons/models/cell_models.h"
#include "neurons/models/event_models.h"
#include "neurons/models/linear.h"

#include <stdlib.h>

enum { TAU, R, V_LEAK };

static double unit_of(const struct cells *cells, uint32_t i)
{
    return relaxation(cells, cells_parameter(cells, TAU, i)) * cells_parameter(cells, R, i);
}

static double decay_of(const struct cells *cells, uint32_t i)
{
    return rounded(cells_decay(cells, cells_parameter(cells, TAU, i), 1), cells->rules.single);
}

static double leak_of(const struct cells *cells, uint32_t i)
{
    double leak =
        relaxation(cells, cells_parameter(cells, TAU, i)) * cells_parameter(cells, V_LEAK, i);
    return rounded(in_raw_units(cells) ? leak / unit_of(cells, i) : leak, cells->rules.single);
}

static double gain_of(const struct cells *cells, uint32_t i)
{
    bool plain = cells->rules.area == AREA_JUMP || in_raw_units(cells);
    return rounded(plain ? 1 : unit_of(cells, i), cells->rules.single);
}

static bool prepare(struct cells *cells, struct error *error)
{
    if (!raw_form_is_sound(cells, unit_of, error))
        return false;
    struct linear *own = cells->own = calloc(1, sizeof *own);
    if (own == NULL)
        return error_no_memory(error, "neurons");
    const unsigned all = 1u << TAU | 1u << R | 1u << V_LEAK;
    return coefficient_fill(&own->decay, cells, 1u << TAU, decay_of, error) &&
           coefficient_fill(&own->leak, cells, all, leak_of, error) &&
           coefficient_fill(&own->gain, cells, 1u << TAU | 1u << R, gain_of, error);
}

static void reset(struct cells *cells)
{
    for (uint32_t i = 0; in_raw_units(cells) && i < cells->neurons; i++)
        cells->variable[0][i] /= unit_of(cells, i);
}

const struct cell_model li_cells = {
    .name = "li",
    .summary = "leaky integrator, shown as a value (NIR: LI)",
    .equation = "tau v' = v_leak - v + r I",
    .parameters = {{"tau", "s", 0.02, RANGE_POSITIVE, "membrane time constant"},
                   {"r", "", 1, RANGE_ANY, "resistance: input to potential"},
                   {"v_leak", "", 0, RANGE_ANY, "potential at rest"}},
    .variables = {{"v", "", "v_leak"}},
    .ports = {"input"},
    .integrations = 1u << INTEGRATE_EXACT | 1u << INTEGRATE_EULER,
    .output = CELLS_SHOW,
    .prepare = prepare,
    .step = linear_step,
    .reset = reset,
    .free = free,
    .event = &event_li,
};
