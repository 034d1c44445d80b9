/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Leaky integrate-and-fire with an adaptive threshold (Bellec, Salaj, Subramoney, Legenstein and
 * Maass 2018; the adaptation as Bellec et al. 2020 scale it: a spike adds 1):
 *
 *     tau v' = (v_leak - v) + r I
 *     tau_adaptation a' = -a
 *     a spike if v > v_threshold + adaptation a;  then v is reset and a += 1
 *
 * Over a tick I is constant, so that the exact step is
 *
 *     v ← v_leak + (v - v_leak) e^(-dt/tau) + r I (1 - e^(-dt/tau))
 *     a ← a e^(-dt/tau_adaptation)
 *
 * and the comparison is made with both after the tick. Reset by subtraction takes away the
 * threshold as it stood at the spike. For `refractory` after a spike v stays where the reset put it
 * and input is lost; a goes on decaying.
 */
#include "neurons/models/blocks.h"
#include "neurons/models/cell_models.h"

#include <stdlib.h>

enum { TAU, R, V_LEAK, V_THRESHOLD, V_RESET, REFRACTORY, TAU_ADAPTATION, ADAPTATION };
enum { V, A };

struct adaptive_lif {
    struct coefficient decay, gain, leak, threshold, reset, rest, adaptation_decay, adaptation;
    double *free_from; /* [neurons], first tick after the refractory period */
};

static double decay_of(const struct cells *cells, uint32_t i)
{
    return cells_decay(cells, cells_parameter(cells, TAU, i), 1);
}

static double gain_of(const struct cells *cells, uint32_t i)
{
    if (cells->rules.area == AREA_JUMP)
        return 1;
    return cells_parameter(cells, R, i) * (1 - decay_of(cells, i));
}

static double rest_of(const struct cells *cells, uint32_t i)
{
    return ticks_of_seconds(cells, cells_parameter(cells, REFRACTORY, i));
}

static double adaptation_decay_of(const struct cells *cells, uint32_t i)
{
    return cells_decay(cells, cells_parameter(cells, TAU_ADAPTATION, i), 1);
}

static bool prepare(struct cells *cells, struct error *error)
{
    if (!rules_are_plain(cells, true, error))
        return false;
    struct adaptive_lif *own = calloc(1, sizeof *own);
    if (own == NULL)
        return error_no_memory(error, "neurons");
    cells->own = own;
    own->free_from = cells_array(cells, sizeof *own->free_from, error);
    coefficient_parameter(&own->leak, cells, V_LEAK);
    coefficient_parameter(&own->threshold, cells, V_THRESHOLD);
    coefficient_parameter(&own->reset, cells, V_RESET);
    coefficient_parameter(&own->adaptation, cells, ADAPTATION);
    return own->free_from != NULL &&
           coefficient_fill(&own->decay, cells, 1u << TAU, decay_of, error) &&
           coefficient_fill(&own->gain, cells, 1u << TAU | 1u << R, gain_of, error) &&
           coefficient_fill(&own->rest, cells, 1u << REFRACTORY, rest_of, error) &&
           coefficient_fill(&own->adaptation_decay, cells, 1u << TAU_ADAPTATION,
                            adaptation_decay_of, error);
}

struct block {
    double *v, *a, *free_from; /* [count], as all below */
    const double *input;
    const double *decay, *gain, *leak, *threshold, *reset, *rest, *adaptation_decay, *adaptation;
    double tick;
    bool inclusive, subtract;
    uint32_t count;
};

VECTOR_INLINE void advance_as(const struct block *b, struct block_result *result,
                              bool inclusive, bool subtract)
{
    uint64_t any = 0, changed = 0;
    const double tick = b->tick;
#pragma GCC ivdep
    for (uint32_t i = 0; i < b->count; i++) {
        double v = b->v[i], a = b->a[i], free_from = b->free_from[i], input = b->input[i];
        double leak = b->leak[i], reset = b->reset[i], rest = b->rest[i];
        double moved = leak + (v - leak) * b->decay[i] + input * b->gain[i];
        uint64_t held = mask_of(tick < free_from);
        moved = choose(held, v, moved);
        double faded = without_negligible(a * b->adaptation_decay[i]);
        double threshold = b->threshold[i] + b->adaptation[i] * faded;
        uint64_t over = inclusive ? mask_of(moved >= threshold) : mask_of(moved > threshold);
        uint64_t fires = over & ~held;
        double after = subtract ? moved - (threshold - reset) : reset;
        double v_next = choose(fires, after, moved), a_next = choose(fires, faded + 1, faded);
        b->v[i] = v_next;
        b->a[i] = a_next;
        b->free_from[i] = choose(fires, tick + 1 + rest, free_from);
        result->fired[i] = choose(fires, 1, 0);
        any |= fires;
        changed |= held | mask_of(input != 0) | (double_bits(v_next) ^ double_bits(v)) |
                   (double_bits(a_next) ^ double_bits(a));
    }
    result->any = any;
    result->changed = changed | any;
}

VECTOR_INLINE void advance(const struct block *b, struct block_result *result)
{
    if (b->inclusive && b->subtract)
        advance_as(b, result, true, true);
    else if (b->inclusive)
        advance_as(b, result, true, false);
    else if (b->subtract)
        advance_as(b, result, false, true);
    else
        advance_as(b, result, false, false);
}
VECTOR_VERSIONS(advance, (const struct block *b, struct block_result *result), (b, result))

static void step(struct cells *cells, struct cell_step *step)
{
    const struct adaptive_lif *own = cells->own;
    step->fired_count = 0;
    for (uint32_t i = step->begin; i < step->end; i += CELL_BLOCK) {
        const struct block block = {
            .v = cells->variable[V] + i,
            .a = cells->variable[A] + i,
            .free_from = own->free_from + i,
            .input = step->input[0] + (i - step->begin),
            .decay = coefficient_block(&own->decay, i),
            .gain = coefficient_block(&own->gain, i),
            .leak = coefficient_block(&own->leak, i),
            .threshold = coefficient_block(&own->threshold, i),
            .reset = coefficient_block(&own->reset, i),
            .rest = coefficient_block(&own->rest, i),
            .adaptation_decay = coefficient_block(&own->adaptation_decay, i),
            .adaptation = coefficient_block(&own->adaptation, i),
            .tick = (double)step->tick,
            .inclusive = cells->rules.inclusive,
            .subtract = cells->rules.reset == RESET_SUBTRACT,
            .count = step->end - i < CELL_BLOCK ? step->end - i : CELL_BLOCK,
        };
        struct block_result result;
        advance_by[step->vector](&block, &result);
        block_finish(step, i, block.count, &result);
    }
}

static void reset(struct cells *cells)
{
    struct adaptive_lif *own = cells->own;
    memset(own->free_from, 0, cells->neurons * sizeof *own->free_from);
}

const struct cell_model adaptive_lif_cells = {
    .name = "adaptive_lif",
    .summary = "leaky integrate-and-fire, adaptive threshold (Bellec et al. 2018)",
    .equation = "tau v' = v_leak - v + r I; tau_adaptation a' = -a; spike if v > v_threshold + "
                "adaptation a, then v = v_reset, a += 1",
    .parameters = {{"tau", "s", 0.02, RANGE_POSITIVE, "membrane time constant"},
                   {"r", "", 1, RANGE_ANY, "resistance: input to potential"},
                   {"v_leak", "", 0, RANGE_ANY, "potential at rest"},
                   {"v_threshold", "", 1, RANGE_ANY, "threshold without adaptation"},
                   {"v_reset", "", 0, RANGE_ANY, "potential after a spike"},
                   {"refractory", "s", 0, RANGE_NOT_NEGATIVE, "held after a spike for so long"},
                   {"tau_adaptation", "s", 0.2, RANGE_POSITIVE, "how fast adaptation fades"},
                   {"adaptation", "", 0.1, RANGE_ANY, "threshold's rise by a spike"}},
    .variables = {{"v", "", "v_leak"}, {"a", "", NULL}},
    .ports = {"input"},
    .integrations = 1u << INTEGRATE_EXACT | 1u << INTEGRATE_EULER,
    .output = CELLS_FIRE,
    .prepare = prepare,
    .step = step,
    .reset = reset,
    .free = free,
};
