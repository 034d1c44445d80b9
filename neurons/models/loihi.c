/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The current-based leaky integrate-and-fire neuron of Intel's Loihi, in its fixed-point
 * arithmetic (Davies et al. 2018; as Lava's bit-accurate model has it). All are integers:
 *
 *     u ← sgn(u) ((|u| (4096 - du)) >> 12) + 64 W
 *     v ← sgn(v) ((|v| (4096 - dv)) >> 12) + u + bias_mantissa 2^bias_exponent
 *     a spike if v >= 64 v_threshold_mantissa;  then v = 0
 *
 * W is the sum of the weights that arrived in the tick: whole numbers (a fraction is rounded to the
 * nearest). u has 24 bits and wraps around beyond ±2^23; v has 24 bits and saturates at
 * ±(2^23 - 1). For `refractory` ticks after a spike v stays 0, while u goes on.
 *
 * State is kept in doubles, in which all these integers, the products included (below 2^36), are
 * exact. Lava adds 1 to du before it uses it: to match its `du`, give one more here.
 */
#include "neurons/models/blocks.h"
#include "neurons/models/cell_models.h"

#include <stdlib.h>

enum { DU, DV, V_THRESHOLD_MANTISSA, BIAS_MANTISSA, BIAS_EXPONENT, REFRACTORY };
enum { U_LIMIT = 1 << 23, V_LIMIT = (1 << 23) - 1 };
enum { V, U };

/* What the chip's registers hold, by parameter. */
static const double smallest[] = {0, 0, 0, -4096, 0, 0};
static const double largest[] = {4096, 4096, 131071, 4095, 7, 1 << 20};

struct loihi {
    struct coefficient u_keep, v_keep; /* 4096 - decay */
    struct coefficient threshold, bias, rest;
    double *free_from; /* [neurons], first tick after the refractory period */
};

static double u_keep_of(const struct cells *cells, uint32_t i)
{
    return 4096 - cells_parameter(cells, DU, i);
}

static double v_keep_of(const struct cells *cells, uint32_t i)
{
    return 4096 - cells_parameter(cells, DV, i);
}

static double threshold_of(const struct cells *cells, uint32_t i)
{
    return 64 * cells_parameter(cells, V_THRESHOLD_MANTISSA, i);
}

static double bias_of(const struct cells *cells, uint32_t i)
{
    return cells_parameter(cells, BIAS_MANTISSA, i) *
           (double)(1 << (int)cells_parameter(cells, BIAS_EXPONENT, i));
}

static bool check_registers(const struct cells *cells, struct error *error)
{
    for (uint32_t p = DU; p <= REFRACTORY; p++)
        for (uint32_t i = 0; i < (cells->each[p] ? cells->neurons : 1); i++)
            if (!(cells_parameter(cells, p, i) >= smallest[p] &&
                  cells_parameter(cells, p, i) <= largest[p]))
                return error_set(error, ERROR_MISUSED,
                                 "population %s: %s of neuron %u is %g; Loihi holds %g to %g",
                                 cells->population->name, cells->model->parameters[p].name, i,
                                 cells_parameter(cells, p, i), smallest[p], largest[p]);
    return true;
}

static bool prepare(struct cells *cells, struct error *error)
{
    if (!rules_are_plain(cells, false, error) || !check_registers(cells, error))
        return false;
    struct loihi *own = calloc(1, sizeof *own);
    if (own == NULL)
        return error_no_memory(error, "neurons");
    cells->own = own;
    coefficient_parameter(&own->rest, cells, REFRACTORY);
    own->free_from = cells_array(cells, sizeof *own->free_from, error);
    return own->free_from != NULL &&
           coefficient_fill(&own->u_keep, cells, 1u << DU, u_keep_of, error) &&
           coefficient_fill(&own->v_keep, cells, 1u << DV, v_keep_of, error) &&
           coefficient_fill(&own->threshold, cells, 1u << V_THRESHOLD_MANTISSA, threshold_of,
                            error) &&
           coefficient_fill(&own->bias, cells, 1u << BIAS_MANTISSA | 1u << BIAS_EXPONENT, bias_of,
                            error);
}

struct block {
    double *v, *u, *free_from; /* [count], as all below */
    const double *input;
    const double *u_keep, *v_keep, *threshold, *bias, *rest;
    double tick;
    uint32_t count;
};

/* sgn(x) ((|x| keep) >> 12). Adding and taking 2^52 leaves a positive number rounded to whole. */
VECTOR_INLINE double decayed(double x, double keep)
{
    double scaled = __builtin_fabs(x) * keep * 0x1p-12;
    double whole = scaled + 0x1p52 - 0x1p52;
    whole = choose(mask_of(whole > scaled), whole - 1, whole);
    return choose(mask_of(x < 0), -whole, whole);
}

/* Into -2^23 < u <= 2^23, in steps of 2^24. */
VECTOR_INLINE double wrapped(double u)
{
    const double round = 6755399441055744.0; /* 1.5 · 2^52 */
    u -= (u * 0x1p-24 + round - round) * 0x1p24;
    return choose(mask_of(u <= -U_LIMIT), u + 0x1p24, u);
}

VECTOR_INLINE void advance(const struct block *b, struct block_result *result)
{
    const double round = 6755399441055744.0;
    const double tick = b->tick;
    uint64_t any = 0, changed = 0;
#pragma GCC ivdep
    for (uint32_t i = 0; i < b->count; i++) {
        double v = b->v[i], u = b->u[i], free_from = b->free_from[i], rest = b->rest[i];
        double input = b->input[i], weight = input + round - round;
        double u_next = wrapped(decayed(u, b->u_keep[i]) + 64 * weight);
        double moved = decayed(v, b->v_keep[i]) + u_next + b->bias[i];
        moved = choose(mask_of(moved > V_LIMIT), V_LIMIT, moved);
        moved = choose(mask_of(moved < -V_LIMIT), -V_LIMIT, moved);
        uint64_t held = mask_of(tick < free_from);
        moved = choose(held, 0, moved);
        uint64_t fires = mask_of(moved >= b->threshold[i]) & ~held;
        double v_next = choose(fires, 0, moved);
        b->v[i] = v_next;
        b->u[i] = u_next;
        b->free_from[i] = choose(fires, tick + 1 + rest, free_from);
        result->fired[i] = choose(fires, 1, 0);
        any |= fires;
        changed |= held | mask_of(input != 0) | (double_bits(v_next) ^ double_bits(v)) |
                   (double_bits(u_next) ^ double_bits(u));
    }
    result->any = any;
    result->changed = changed | any;
}
VECTOR_VERSIONS(advance, (const struct block *b, struct block_result *result), (b, result))

static void step(struct cells *cells, struct cell_step *step)
{
    const struct loihi *own = cells->own;
    step->fired_count = 0;
    for (uint32_t i = step->begin; i < step->end; i += CELL_BLOCK) {
        const struct block block = {
            .v = cells->variable[V] + i,
            .u = cells->variable[U] + i,
            .free_from = own->free_from + i,
            .input = step->input[0] + (i - step->begin),
            .u_keep = coefficient_block(&own->u_keep, i),
            .v_keep = coefficient_block(&own->v_keep, i),
            .threshold = coefficient_block(&own->threshold, i),
            .bias = coefficient_block(&own->bias, i),
            .rest = coefficient_block(&own->rest, i),
            .tick = (double)step->tick,
            .count = step->end - i < CELL_BLOCK ? step->end - i : CELL_BLOCK,
        };
        struct block_result result;
        advance_by[step->vector](&block, &result);
        block_finish(step, i, block.count, &result);
    }
}

static void reset(struct cells *cells)
{
    struct loihi *own = cells->own;
    memset(own->free_from, 0, cells->neurons * sizeof *own->free_from);
    for (uint32_t i = 0; i < cells->neurons; i++) { /* whole numbers, within the registers */
        cells->variable[U][i] = wrapped(cells->variable[U][i] + 0x1.8p52 - 0x1.8p52);
        double v = cells->variable[V][i] + 0x1.8p52 - 0x1.8p52;
        cells->variable[V][i] = v > V_LIMIT ? V_LIMIT : v < -V_LIMIT ? -V_LIMIT : v;
    }
}

const struct cell_model loihi_cells = {
    .name = "loihi",
    .summary = "current-based LIF in Loihi's fixed point (Davies et al. 2018): whole weights",
    .equation = "u = sgn(u) ((|u| (4096 - du)) >> 12) + 64 W; v = sgn(v) ((|v| (4096 - dv)) >> 12) "
                "+ u + bias; spike if v >= 64 v_threshold_mantissa, then v = 0",
    .parameters = {{"du", "", 4096, RANGE_INTEGER, "decay of the current, of 4096"},
                   {"dv", "", 0, RANGE_INTEGER, "decay of the potential, of 4096"},
                   {"v_threshold_mantissa", "", 100, RANGE_INTEGER, "threshold / 64"},
                   {"bias_mantissa", "", 0, RANGE_INTEGER, "constant input, shifted by …"},
                   {"bias_exponent", "", 0, RANGE_INTEGER, "… so many bits"},
                   {"refractory", "ticks", 0, RANGE_INTEGER, "held after a spike for so long"}},
    .variables = {{"v", "", NULL}, {"u", "", NULL}},
    .ports = {"input"},
    .integrations = 1u << INTEGRATE_EXACT | 1u << INTEGRATE_EULER,
    .output = CELLS_FIRE,
    .prepare = prepare,
    .step = step,
    .reset = reset,
    .free = free,
};
