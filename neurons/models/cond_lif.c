/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Leaky integrate-and-fire whose synapses are conductances that decay exponentially (PyNN's
 * IF_cond_exp; the COBA network of Vogels and Abbott 2005), in units that fit together:
 *
 *     c v' = g_l (e_l - v) + g_exc (e_exc - v) + g_inh (e_inh - v) + i_offset
 *     tau_exc g_exc' = -g_exc,   tau_inh g_inh' = -g_inh
 *     a spike if v > v_threshold;  then v = v_reset
 *
 * A weight is a step of its conductance, whatever the spike area: it is there from the tick in
 * which the spike arrives. Within a tick conductances count as constant, so that v relaxes to a
 * steady state (exponential Euler; the only approximation of `exact`):
 *
 *     g ← g_l + g_exc + g_inh
 *     v_end ← (g_l e_l + g_exc e_exc + g_inh e_inh + i_offset) / g
 *     v ← v_end + (v - v_end) e^(-dt g / c)
 *
 * INTEGRATE_EULER takes v + dt v' in its place. Then conductances decay for the tick. For
 * `refractory` after a spike v stays at v_reset, while the conductances go on.
 */
#include "neurons/models/blocks.h"
#include "neurons/models/cell_models.h"
#include "neurons/vector_exp.h"

#include <stdlib.h>

enum { C, G_L, E_L, E_EXC, E_INH, TAU_EXC, TAU_INH, V_THRESHOLD, V_RESET, REFRACTORY, I_OFFSET };
enum { V, G_EXC, G_INH };

struct cond_lif {
    struct coefficient leak;      /* g_l */
    struct coefficient current;   /* g_l e_l + i_offset */
    struct coefficient per_farad; /* dt / c */
    struct coefficient exc, inh;  /* reversal potentials */
    struct coefficient exc_decay, inh_decay, threshold, reset, rest;
    double *free_from; /* [neurons], first tick after the refractory period */
};

static double current_of(const struct cells *cells, uint32_t i)
{
    return cells_parameter(cells, G_L, i) * cells_parameter(cells, E_L, i) +
           cells_parameter(cells, I_OFFSET, i);
}

static double per_farad_of(const struct cells *cells, uint32_t i)
{
    return cells->rules.dt / cells_parameter(cells, C, i);
}

static double exc_decay_of(const struct cells *cells, uint32_t i)
{
    return cells_decay(cells, cells_parameter(cells, TAU_EXC, i), 1);
}

static double inh_decay_of(const struct cells *cells, uint32_t i)
{
    return cells_decay(cells, cells_parameter(cells, TAU_INH, i), 1);
}

static double rest_of(const struct cells *cells, uint32_t i)
{
    return ticks_of_seconds(cells, cells_parameter(cells, REFRACTORY, i));
}

static bool prepare(struct cells *cells, struct error *error)
{
    if (!rules_are_plain(cells, false, error))
        return false;
    struct cond_lif *own = calloc(1, sizeof *own);
    if (own == NULL)
        return error_no_memory(error, "neurons");
    cells->own = own;
    cells_keep_port(cells, 0, G_EXC);
    cells_keep_port(cells, 1, G_INH);
    coefficient_parameter(&own->leak, cells, G_L);
    coefficient_parameter(&own->exc, cells, E_EXC);
    coefficient_parameter(&own->inh, cells, E_INH);
    coefficient_parameter(&own->threshold, cells, V_THRESHOLD);
    coefficient_parameter(&own->reset, cells, V_RESET);
    own->free_from = cells_array(cells, sizeof *own->free_from, error);
    return own->free_from != NULL &&
           coefficient_fill(&own->current, cells, 1u << G_L | 1u << E_L | 1u << I_OFFSET,
                            current_of, error) &&
           coefficient_fill(&own->per_farad, cells, 1u << C, per_farad_of, error) &&
           coefficient_fill(&own->exc_decay, cells, 1u << TAU_EXC, exc_decay_of, error) &&
           coefficient_fill(&own->inh_decay, cells, 1u << TAU_INH, inh_decay_of, error) &&
           coefficient_fill(&own->rest, cells, 1u << REFRACTORY, rest_of, error);
}

struct block {
    double *v, *g_exc, *g_inh, *free_from; /* [count], as all below */
    const double *leak, *current, *per_farad, *exc, *inh, *exc_decay, *inh_decay, *threshold,
        *reset, *rest;
    double tick;
    bool exact, inclusive;
    uint32_t count;
};

VECTOR_INLINE void advance_as(const struct block *b, struct block_result *result, bool exact,
                              bool inclusive)
{
    uint64_t any = 0, changed = 0;
    const double tick = b->tick;
#pragma GCC ivdep
    for (uint32_t i = 0; i < b->count; i++) {
        double v = b->v[i], g_exc = b->g_exc[i], g_inh = b->g_inh[i];
        double free_from = b->free_from[i], reset = b->reset[i], rest = b->rest[i];
        double g = b->leak[i] + g_exc + g_inh;
        double drive = b->current[i] + g_exc * b->exc[i] + g_inh * b->inh[i];
        double end = drive / g;
        double moved = exact ? end + (v - end) * vector_exp(-b->per_farad[i] * g)
                             : v + b->per_farad[i] * (drive - g * v);
        uint64_t held = mask_of(tick < free_from);
        moved = choose(held, v, moved);
        double threshold = b->threshold[i];
        uint64_t over = inclusive ? mask_of(moved >= threshold) : mask_of(moved > threshold);
        uint64_t fires = over & ~held;
        double v_next = choose(fires, reset, moved);
        double exc_next = without_negligible(g_exc * b->exc_decay[i]);
        double inh_next = without_negligible(g_inh * b->inh_decay[i]);
        b->v[i] = v_next;
        b->g_exc[i] = exc_next;
        b->g_inh[i] = inh_next;
        b->free_from[i] = choose(fires, tick + 1 + rest, free_from);
        result->fired[i] = choose(fires, 1, 0);
        any |= fires;
        changed |= held | (double_bits(v_next) ^ double_bits(v)) |
                   (double_bits(exc_next) ^ double_bits(g_exc)) |
                   (double_bits(inh_next) ^ double_bits(g_inh));
    }
    result->any = any;
    result->changed = changed | any;
}

VECTOR_INLINE void advance(const struct block *b, struct block_result *result)
{
    if (b->exact && b->inclusive)
        advance_as(b, result, true, true);
    else if (b->exact)
        advance_as(b, result, true, false);
    else if (b->inclusive)
        advance_as(b, result, false, true);
    else
        advance_as(b, result, false, false);
}
VECTOR_VERSIONS(advance, (const struct block *b, struct block_result *result), (b, result))

static void step(struct cells *cells, struct cell_step *step)
{
    const struct cond_lif *own = cells->own;
    step->fired_count = 0;
    for (uint32_t i = step->begin; i < step->end; i += CELL_BLOCK) {
        const struct block block = {
            .v = cells->variable[V] + i,
            .g_exc = cells->variable[G_EXC] + i,
            .g_inh = cells->variable[G_INH] + i,
            .free_from = own->free_from + i,
            .leak = coefficient_block(&own->leak, i),
            .current = coefficient_block(&own->current, i),
            .per_farad = coefficient_block(&own->per_farad, i),
            .exc = coefficient_block(&own->exc, i),
            .inh = coefficient_block(&own->inh, i),
            .exc_decay = coefficient_block(&own->exc_decay, i),
            .inh_decay = coefficient_block(&own->inh_decay, i),
            .threshold = coefficient_block(&own->threshold, i),
            .reset = coefficient_block(&own->reset, i),
            .rest = coefficient_block(&own->rest, i),
            .tick = (double)step->tick,
            .exact = cells->rules.integration != INTEGRATE_EULER,
            .inclusive = cells->rules.inclusive,
            .count = step->end - i < CELL_BLOCK ? step->end - i : CELL_BLOCK,
        };
        struct block_result result;
        advance_by[step->vector](&block, &result);
        block_finish(step, i, block.count, &result);
    }
}

static void reset(struct cells *cells)
{
    struct cond_lif *own = cells->own;
    memset(own->free_from, 0, cells->neurons * sizeof *own->free_from);
}

const struct cell_model cond_lif_cells = {
    .name = "cond_lif",
    .summary = "leaky integrate-and-fire, exponential conductances (PyNN's IF_cond_exp; "
               "Vogels and Abbott 2005)",
    .equation = "c v' = g_l (e_l - v) + g_exc (e_exc - v) + g_inh (e_inh - v) + i_offset; tau_exc "
                "g_exc' = -g_exc; tau_inh g_inh' = -g_inh; spike if v > v_threshold, then v = "
                "v_reset",
    .parameters = {{"c", "F", 200e-12, RANGE_POSITIVE, "capacitance"},
                   {"g_l", "S", 10e-9, RANGE_POSITIVE, "leak conductance"},
                   {"e_l", "V", -60e-3, RANGE_ANY, "potential at rest"},
                   {"e_exc", "V", 0, RANGE_ANY, "reversal potential of excitation"},
                   {"e_inh", "V", -80e-3, RANGE_ANY, "reversal potential of inhibition"},
                   {"tau_exc", "s", 5e-3, RANGE_POSITIVE, "time constant of g_exc"},
                   {"tau_inh", "s", 10e-3, RANGE_POSITIVE, "time constant of g_inh"},
                   {"v_threshold", "V", -50e-3, RANGE_ANY, "threshold"},
                   {"v_reset", "V", -60e-3, RANGE_ANY, "potential after a spike"},
                   {"refractory", "s", 5e-3, RANGE_NOT_NEGATIVE, "held after a spike for so long"},
                   {"i_offset", "A", 0, RANGE_ANY, "constant current"}},
    .variables = {{"v", "V", "e_l"}, {"g_exc", "S", NULL}, {"g_inh", "S", NULL}},
    .ports = {"exc", "inh"},
    .integrations = 1u << INTEGRATE_EXACT | 1u << INTEGRATE_EULER,
    .output = CELLS_FIRE,
    .prepare = prepare,
    .step = step,
    .reset = reset,
    .free = free,
};
