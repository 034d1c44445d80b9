/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Leaky integrate-and-fire (NIR's LIF):
 *
 *     tau v' = (v_leak - v) + r I;   a spike if v > v_threshold, then v = v_reset
 *
 * Over a tick I is constant, so that n ticks after its last event
 *
 *     v ← v_leak + (v - v_leak) e^(-n dt/tau) + r I (1 - e^(-dt/tau))
 *
 * or, with forward Euler, (1 - dt/tau)^n and r I dt/tau. A spike that is a jump adds its weight to
 * v. The discrete-time form ("raw") of Rockpool has the exact decay and the gain r dt/tau; that of
 * snnTorch keeps v in units of r dt/tau: v ← (1 - dt/tau) v + I + v_leak/r. For `refractory`
 * after a spike v stays where the reset put it and input is lost.
 */
#include "neurons/models/cell_models.h"
#include "neurons/models/event_models.h"
#include "neurons/models/membrane.h"

#include <stdlib.h>

enum { TAU, R, V_LEAK, V_THRESHOLD, V_RESET, REFRACTORY };

static double decay_of(const struct cells *cells, uint32_t i)
{
    return cells_decay(cells, cells_parameter(cells, TAU, i), 1);
}

/* What potentials are divided by. */
static double unit_of(const struct cells *cells, uint32_t i)
{
    bool units = cells->rules.raw && cells->rules.integration == INTEGRATE_EULER;
    return units ? cells_parameter(cells, R, i) * cells->rules.dt / cells_parameter(cells, TAU, i)
                 : 1;
}

static double gain_of(const struct cells *cells, uint32_t i)
{
    double r = cells_parameter(cells, R, i);
    if (cells->rules.area == AREA_JUMP ||
        (cells->rules.raw && cells->rules.integration == INTEGRATE_EULER))
        return 1;
    return cells->rules.raw ? r * (cells->rules.dt / cells_parameter(cells, TAU, i))
                            : r * (1 - decay_of(cells, i));
}

static double leak_of(const struct cells *cells, uint32_t i)
{
    return cells_parameter(cells, V_LEAK, i) / unit_of(cells, i);
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

static bool take_units(struct membrane *m, struct cells *cells, struct error *error)
{
    if (!cells->rules.raw || cells->rules.integration != INTEGRATE_EULER)
        return true;
    m->unit = malloc(cells->neurons * sizeof *m->unit);
    if (m->unit == NULL)
        return error_no_memory(error, "neurons");
    for (uint32_t i = 0; i < cells->neurons; i++) {
        m->unit[i] = unit_of(cells, i);
        if (m->unit[i] <= 0)
            return error_set(
                error, ERROR_MISUSED,
                "population %s: r of neuron %u must be positive in this discrete-time form",
                cells->population->name, i);
    }
    return true;
}

static bool prepare(struct cells *cells, struct error *error)
{
    struct membrane *m = calloc(1, sizeof *m);
    if (m == NULL)
        return error_no_memory(error, "neurons");
    cells->own = m;
    const unsigned tau = 1u << TAU, unit = 1u << TAU | 1u << R;
    return take_units(m, cells, error) &&
           coefficient_fill(&m->decay, cells, tau, decay_of, error) &&
           coefficient_fill(&m->gain, cells, unit, gain_of, error) &&
           coefficient_fill(&m->leak, cells, unit | 1u << V_LEAK, leak_of, error) &&
           coefficient_fill(&m->threshold, cells, unit | 1u << V_THRESHOLD, threshold_of, error) &&
           coefficient_fill(&m->reset, cells, unit | 1u << V_RESET, reset_of, error) &&
           coefficient_fill(&m->rest, cells, 1u << REFRACTORY, rest_of, error) &&
           membrane_prepare(m, cells, !cells->each[TAU], error);
}

const struct cell_model lif_cells = {
    .name = "lif",
    .summary = "leaky integrate-and-fire (NIR's LIF)",
    .equation = "tau v' = v_leak - v + r I; spike if v > v_threshold, then v = v_reset",
    .parameters = {{"tau", "s", 0.02, RANGE_POSITIVE, "membrane time constant"},
                   {"r", "", 1, RANGE_ANY, "resistance: input to potential"},
                   {"v_leak", "", 0, RANGE_ANY, "potential at rest"},
                   {"v_threshold", "", 1, RANGE_ANY, "threshold"},
                   {"v_reset", "", 0, RANGE_ANY, "potential after a spike"},
                   {"refractory", "s", 0, RANGE_NOT_NEGATIVE, "held after a spike for so long"}},
    .variables = {{"v", "", "v_leak"}},
    .ports = {"input"},
    .integrations = 1u << INTEGRATE_EXACT | 1u << INTEGRATE_EULER,
    .output = CELLS_FIRE,
    .prepare = prepare,
    .step = membrane_step,
    .read = membrane_read,
    .reset = membrane_reset,
    .free = membrane_free,
    .event = &event_lif,
};
