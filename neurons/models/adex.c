/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Adaptive exponential integrate-and-fire (Brette and Gerstner 2005), in SI units:
 *
 *     C v' = -g_l (v - e_l) + g_l delta_t e^((v - v_t) / delta_t) - w + I
 *     tau_w w' = a (v - e_l) - w
 *     a spike if v >= v_peak;  then v = v_reset, w += b
 *
 * A tick is `substeps` forward steps of both. A neuron that reaches the peak in one of them is
 * reset at once and keeps its v for the rest of the tick and for `refractory` after it, while w
 * goes on with that v.
 *
 * There is no closed form: `exact` integration steps it in the same way.
 */
#include "neurons/models/blocks.h"
#include "neurons/models/cell_models.h"
#include "neurons/vector_exp.h"

#include <stdlib.h>

enum { C, G_L, E_L, V_T, DELTA_T, TAU_W, A, B, V_RESET, V_PEAK, REFRACTORY, I_OFFSET, SUBSTEPS };
enum { V, W };

struct adex {
    struct coefficient per_farad; /* substep / C */
    struct coefficient per_tau;   /* substep / tau_w */
    struct coefficient g, e, threshold, slope, a, b, reset, peak, rest, offset;
    double *free_from; /* [neurons], first tick after the refractory period */
    uint32_t substeps;
};

static double per_farad_of(const struct cells *cells, uint32_t i)
{
    return cells->rules.dt / cells->parameter[SUBSTEPS][0] / cells_parameter(cells, C, i);
}

static double per_tau_of(const struct cells *cells, uint32_t i)
{
    return cells->rules.dt / cells->parameter[SUBSTEPS][0] / cells_parameter(cells, TAU_W, i);
}

static double rest_of(const struct cells *cells, uint32_t i)
{
    return ticks_of_seconds(cells, cells_parameter(cells, REFRACTORY, i));
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
    for (uint32_t i = 0; i < cells->neurons; i++)
        if (!(cells_parameter(cells, V_RESET, i) < cells_parameter(cells, V_PEAK, i)))
            return error_set(error, ERROR_MISUSED,
                             "population %s: v_reset of neuron %u must lie below its v_peak",
                             cells->population->name, i);
    struct adex *own = calloc(1, sizeof *own);
    if (own == NULL)
        return error_no_memory(error, "neurons");
    cells->own = own;
    own->substeps = (uint32_t)substeps;
    coefficient_parameter(&own->g, cells, G_L);
    coefficient_parameter(&own->e, cells, E_L);
    coefficient_parameter(&own->threshold, cells, V_T);
    coefficient_parameter(&own->slope, cells, DELTA_T);
    coefficient_parameter(&own->a, cells, A);
    coefficient_parameter(&own->b, cells, B);
    coefficient_parameter(&own->reset, cells, V_RESET);
    coefficient_parameter(&own->peak, cells, V_PEAK);
    coefficient_parameter(&own->offset, cells, I_OFFSET);
    own->free_from = cells_array(cells, sizeof *own->free_from, error);
    return own->free_from != NULL &&
           coefficient_fill(&own->per_farad, cells, 1u << C, per_farad_of, error) &&
           coefficient_fill(&own->per_tau, cells, 1u << TAU_W, per_tau_of, error) &&
           coefficient_fill(&own->rest, cells, 1u << REFRACTORY, rest_of, error);
}

struct block {
    double *v, *w, *free_from; /* [count], as all below */
    const double *input;
    const double *per_farad, *per_tau, *g, *e, *threshold, *slope, *a, *b, *reset, *peak, *rest,
        *offset;
    double tick;
    uint32_t substeps, count;
    bool jump;
};

/* One substep of the whole block. free_from becomes that of the period after a spike, which also
 * holds the neuron for the rest of this tick. */
VECTOR_INLINE void advance_once(const struct block *b, double *v, double *w, double *free_from,
                                const double *current, double *fired)
{
    const double tick = b->tick;
#pragma GCC ivdep
    for (uint32_t i = 0; i < b->count; i++) {
        double x = v[i], y = w[i], from = free_from[i], reset = b->reset[i], jump = b->b[i];
        double g = b->g[i], slope = b->slope[i], leak = x - b->e[i], rest = b->rest[i];
        double upstroke = g * slope * vector_exp((x - b->threshold[i]) / slope);
        double moved = x + b->per_farad[i] * (upstroke - g * leak - y + current[i]);
        uint64_t held = mask_of(tick < from);
        moved = choose(held, x, moved);
        double followed = y + b->per_tau[i] * (b->a[i] * leak - y);
        uint64_t fires = mask_of(moved >= b->peak[i]) & ~held;
        v[i] = choose(fires, reset, moved);
        w[i] = choose(fires, followed + jump, followed);
        free_from[i] = choose(fires, tick + 1 + rest, from);
        fired[i] = choose(fires, 1, fired[i]);
    }
}

VECTOR_INLINE void advance(const struct block *b, struct block_result *result)
{
    double v[CELL_BLOCK], w[CELL_BLOCK], free_from[CELL_BLOCK], current[CELL_BLOCK];
    uint64_t any = 0, changed = 0;
    const bool jump = b->jump;
#pragma GCC ivdep
    for (uint32_t i = 0; i < b->count; i++) {
        double input = b->input[i], start = b->v[i], from = b->free_from[i];
        double jumped = choose(mask_of(b->tick < from), start, start + input);
        v[i] = jump ? jumped : start;
        w[i] = b->w[i];
        free_from[i] = from;
        current[i] = (jump ? 0 : input) + b->offset[i];
        result->fired[i] = 0;
    }
    for (uint32_t s = 0; s < b->substeps; s++)
        advance_once(b, v, w, free_from, current, result->fired);
#pragma GCC ivdep
    for (uint32_t i = 0; i < b->count; i++) {
        double v_next = v[i], w_next = w[i], from = free_from[i], v_old = b->v[i], w_old = b->w[i];
        changed |= (double_bits(v_next) ^ double_bits(v_old)) | mask_of(b->tick < from) |
                   (double_bits(w_next) ^ double_bits(w_old)) | mask_of(b->input[i] != 0);
        b->v[i] = v_next;
        b->w[i] = w_next;
        b->free_from[i] = from;
        any |= double_bits(result->fired[i]);
    }
    result->any = any;
    result->changed = changed;
}
VECTOR_VERSIONS(advance, (const struct block *b, struct block_result *result), (b, result))

static void step(struct cells *cells, struct cell_step *step)
{
    const struct adex *own = cells->own;
    step->fired_count = 0;
    for (uint32_t i = step->begin; i < step->end; i += CELL_BLOCK) {
        const struct block block = {
            .v = cells->variable[V] + i,
            .w = cells->variable[W] + i,
            .free_from = own->free_from + i,
            .input = step->input[0] + (i - step->begin),
            .per_farad = coefficient_block(&own->per_farad, i),
            .per_tau = coefficient_block(&own->per_tau, i),
            .g = coefficient_block(&own->g, i),
            .e = coefficient_block(&own->e, i),
            .threshold = coefficient_block(&own->threshold, i),
            .slope = coefficient_block(&own->slope, i),
            .a = coefficient_block(&own->a, i),
            .b = coefficient_block(&own->b, i),
            .reset = coefficient_block(&own->reset, i),
            .peak = coefficient_block(&own->peak, i),
            .rest = coefficient_block(&own->rest, i),
            .offset = coefficient_block(&own->offset, i),
            .tick = (double)step->tick,
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
    struct adex *own = cells->own;
    memset(own->free_from, 0, cells->neurons * sizeof *own->free_from);
}

const struct cell_model adex_cells = {
    .name = "adex",
    .summary = "adaptive exponential integrate-and-fire (Brette and Gerstner 2005), SI units",
    .equation = "C v' = -g_l (v - e_l) + g_l delta_t exp((v - v_t)/delta_t) - w + I; tau_w w' = a "
                "(v - e_l) - w; spike if v >= v_peak, then v = v_reset, w += b",
    .parameters = {{"c", "F", 281e-12, RANGE_POSITIVE, "capacitance"},
                   {"g_l", "S", 30e-9, RANGE_POSITIVE, "leak conductance"},
                   {"e_l", "V", -70.6e-3, RANGE_ANY, "potential at rest"},
                   {"v_t", "V", -50.4e-3, RANGE_ANY, "where the upstroke takes off"},
                   {"delta_t", "V", 2e-3, RANGE_POSITIVE, "how sharply it takes off"},
                   {"tau_w", "s", 0.144, RANGE_POSITIVE, "time constant of w"},
                   {"a", "S", 4e-9, RANGE_ANY, "adaptation by the potential"},
                   {"b", "A", 80.5e-12, RANGE_ANY, "adaptation by a spike"},
                   {"v_reset", "V", -70.6e-3, RANGE_ANY, "potential after a spike"},
                   {"v_peak", "V", 20e-3, RANGE_ANY, "potential at which a spike is over"},
                   {"refractory", "s", 0, RANGE_NOT_NEGATIVE, "held after a spike for so long"},
                   {"i_offset", "A", 0, RANGE_ANY, "constant current"},
                   {"substeps", "", 10, RANGE_INTEGER, "forward steps in a tick"}},
    .variables = {{"v", "V", "e_l"}, {"w", "A", NULL}},
    .ports = {"input"},
    .integrations = 1u << INTEGRATE_EXACT | 1u << INTEGRATE_EULER,
    .output = CELLS_FIRE,
    .prepare = prepare,
    .step = step,
    .reset = reset,
    .free = free,
};
