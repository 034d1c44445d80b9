/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The simple model of Izhikevich (2003), in millivolts and milliseconds:
 *
 *     v' = 0.04 v² + 5 v + 140 - u + I
 *     u' = a (b v - u)
 *     a spike if v >= v_peak;  then v = c, u += d
 *
 * It is integrated as in the paper's script: in a tick v takes `substeps` forward steps, then u
 * takes one of the whole tick, then spikes are looked for. With the two substeps of the paper v
 * runs on when the first takes it past the peak, as it does there; with any other number it
 * stays, since many steps of the square would carry it off.
 *
 * I is the sum of the weights that arrived in the tick (or v jumps by it, under AREA_JUMP). A
 * population that is given no u begins at u = b v.
 *
 * There is no closed form: `exact` integration steps it in the same way.
 */
#include "neurons/models/blocks.h"
#include "neurons/models/cell_models.h"

#include <math.h>
#include <stdlib.h>

enum { PARAMETER_A, PARAMETER_B, PARAMETER_C, PARAMETER_D, V_PEAK, SUBSTEPS };
enum { V, U };

struct izhikevich {
    struct coefficient a, b, c, d, peak;
    double milliseconds; /* in a tick */
    uint32_t substeps;
};

static double tick_a_of(const struct cells *cells, uint32_t i)
{
    return cells->rules.dt * 1e3 * cells_parameter(cells, PARAMETER_A, i);
}

static bool prepare(struct cells *cells, struct error *error)
{
    if (!rules_are_plain(cells, false, error))
        return false;
    double substeps = cells->parameter[SUBSTEPS][0];
    if (cells->each[SUBSTEPS] || !(substeps >= 1 && substeps <= 1000))
        return error_set(error, ERROR_MISUSED,
                         "population %s: substeps must be one number for all neurons, 1 to 1000",
                         cells->population->name);
    struct izhikevich *own = calloc(1, sizeof *own);
    if (own == NULL)
        return error_no_memory(error, "neurons");
    cells->own = own;
    own->milliseconds = cells->rules.dt * 1e3;
    own->substeps = (uint32_t)substeps;
    coefficient_parameter(&own->b, cells, PARAMETER_B);
    coefficient_parameter(&own->c, cells, PARAMETER_C);
    coefficient_parameter(&own->d, cells, PARAMETER_D);
    coefficient_parameter(&own->peak, cells, V_PEAK);
    return coefficient_fill(&own->a, cells, 1u << PARAMETER_A, tick_a_of, error);
}

struct block {
    double *v, *u; /* [count], as all below */
    const double *input;
    const double *a, *b, *c, *d, *peak;
    double substep; /* milliseconds */
    uint32_t substeps, count;
    bool jump;
};

/* One substep of v for the whole block. */
VECTOR_INLINE void advance_v(double *v, const double *u, const double *current, const double *stop,
                             double substep, uint32_t count)
{
#pragma GCC ivdep
    for (uint32_t i = 0; i < count; i++) {
        double x = v[i];
        double moved = x + substep * (0.04 * x * x + 5 * x + 140 - u[i] + current[i]);
        v[i] = choose(mask_of(x >= stop[i]), x, moved);
    }
}

VECTOR_INLINE void advance(const struct block *b, struct block_result *result)
{
    double v[CELL_BLOCK], current[CELL_BLOCK], stop[CELL_BLOCK];
    uint64_t any = 0, changed = 0;
    const bool jump = b->jump, runs_on = b->substeps == 2;
#pragma GCC ivdep
    for (uint32_t i = 0; i < b->count; i++) {
        double input = b->input[i], start = b->v[i], peak = b->peak[i];
        v[i] = jump ? start + input : start;
        current[i] = jump ? 0 : input;
        stop[i] = runs_on ? INFINITY : peak;
    }
    for (uint32_t s = 0; s < b->substeps; s++)
        advance_v(v, b->u, current, stop, b->substep, b->count);
#pragma GCC ivdep
    for (uint32_t i = 0; i < b->count; i++) {
        double x = v[i], v_old = b->v[i], u_old = b->u[i], c = b->c[i], d = b->d[i];
        double u = u_old + b->a[i] * (b->b[i] * x - u_old);
        uint64_t fires = mask_of(x >= b->peak[i]);
        double v_next = choose(fires, c, x), u_next = choose(fires, u + d, u);
        b->v[i] = v_next;
        b->u[i] = u_next;
        result->fired[i] = choose(fires, 1, 0);
        any |= fires;
        changed |= mask_of(b->input[i] != 0) | (double_bits(v_next) ^ double_bits(v_old)) |
                   (double_bits(u_next) ^ double_bits(u_old));
    }
    result->any = any;
    result->changed = changed | any;
}
VECTOR_VERSIONS(advance, (const struct block *b, struct block_result *result), (b, result))

static void step(struct cells *cells, struct cell_step *step)
{
    const struct izhikevich *own = cells->own;
    step->fired_count = 0;
    for (uint32_t i = step->begin; i < step->end; i += CELL_BLOCK) {
        const struct block block = {
            .v = cells->variable[V] + i,
            .u = cells->variable[U] + i,
            .input = step->input[0] + (i - step->begin),
            .a = coefficient_block(&own->a, i),
            .b = coefficient_block(&own->b, i),
            .c = coefficient_block(&own->c, i),
            .d = coefficient_block(&own->d, i),
            .peak = coefficient_block(&own->peak, i),
            .substep = own->milliseconds / own->substeps,
            .substeps = own->substeps,
            .count = step->end - i < CELL_BLOCK ? step->end - i : CELL_BLOCK,
            .jump = cells->rules.area == AREA_JUMP,
        };
        struct block_result result;
        advance_by[step->vector](&block, &result);
        block_finish(step, i, block.count, &result);
    }
}

static void reset(struct cells *cells)
{
    if (cells->initial[U] != NULL)
        return;
    for (uint32_t i = 0; i < cells->neurons; i++)
        cells->variable[U][i] = cells_parameter(cells, PARAMETER_B, i) * cells->variable[V][i];
}

const struct cell_model izhikevich_cells = {
    .name = "izhikevich",
    .summary = "Izhikevich's simple model (2003), in mV and ms; weights are currents I",
    .equation = "v' = 0.04 v^2 + 5 v + 140 - u + I; u' = a (b v - u); spike if v >= v_peak, then v "
                "= c, u += d",
    .parameters = {{"a", "1/ms", 0.02, RANGE_ANY, "speed of the recovery u"},
                   {"b", "", 0.2, RANGE_ANY, "how much u follows v"},
                   {"c", "mV", -65, RANGE_ANY, "v after a spike"},
                   {"d", "", 8, RANGE_ANY, "step of u at a spike"},
                   {"v_peak", "mV", 30, RANGE_ANY, "v at which a spike is over"},
                   {"substeps", "", 2, RANGE_INTEGER, "forward steps of v in a tick"}},
    .variables = {{"v", "mV", "c"}, {"u", "", NULL}},
    .ports = {"input"},
    .integrations = 1u << INTEGRATE_EXACT | 1u << INTEGRATE_EULER,
    .output = CELLS_FIRE,
    .prepare = prepare,
    .step = step,
    .reset = reset,
    .free = free,
};
