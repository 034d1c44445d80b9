/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Leaky integrate-and-fire behind a current-based synapse (NIR's CubaLIF):
 *
 *     tau_syn I' = -I + w_in x,   tau_mem v' = (v_leak - v) + r I
 *     a spike if v > v_threshold, then v = v_reset
 *
 * cuba.h has the recurrence. For `refractory` after a spike v stays where the reset
 * put it; the current goes on. Where several spikes fit in a tick, their number is the payload: how
 * often v - v_reset holds v_threshold - v_reset. A late reset acts in the step of the next tick.
 *
 * A block's loop moves all neurons and only finds out whether one is above its threshold; spikes,
 * which are rare, are fired by a second loop.
 */
#include "neurons/models/cell_models.h"
#include "neurons/models/event_models.h"
#include "neurons/models/cuba.h"
#include "neurons/models/refractory.h"

#include <inttypes.h>
#include <stdlib.h>

enum { V_THRESHOLD = CUBA_PARAMETERS, V_RESET, REFRACTORY };

struct cuba_lif {
    struct cuba cuba;
    struct coefficient above, reset, drop; /* fires above `above`; v_threshold - v_reset */
    struct refractory refractory;
};

/* A spike at or above the threshold is one above the number before it. */
static double above_of(const struct cells *cells, uint32_t i)
{
    double threshold = cells_parameter(cells, V_THRESHOLD, i) / cuba_unit(cells, i);
    if (cells->rules.single)
        return cells->rules.inclusive ? nextafterf((float)threshold, -INFINITY) : (float)threshold;
    return cells->rules.inclusive ? nextafter(threshold, -INFINITY) : threshold;
}

static double reset_of(const struct cells *cells, uint32_t i)
{
    return rounded(cells_parameter(cells, V_RESET, i) / cuba_unit(cells, i), cells->rules.single);
}

static double drop_of(const struct cells *cells, uint32_t i)
{
    double drop = cells_parameter(cells, V_THRESHOLD, i) - cells_parameter(cells, V_RESET, i);
    return rounded(drop / cuba_unit(cells, i), cells->rules.single);
}

static bool rules_fit(const struct cells *cells, struct error *error)
{
    const struct cell_rules *rules = &cells->rules;
    const char *name = cells->population->name;
    if (rules->several && (rules->late_reset || rules->reset != RESET_SUBTRACT))
        return error_set(error, ERROR_MISUSED,
                         "population %s: several spikes a tick need reset by subtraction, in the "
                         "same tick", name);
    bool distinct = rules->reset == RESET_SUBTRACT || rules->inclusive;
    for (uint32_t i = 0; i < cells->neurons; i++) {
        double threshold = cells_parameter(cells, V_THRESHOLD, i);
        double reset = cells_parameter(cells, V_RESET, i);
        if (reset > threshold || (distinct && reset == threshold))
            return error_set(error, ERROR_MISUSED,
                             "population %s: v_reset of neuron %" PRIu32 " is %g, which is not "
                             "below v_threshold, %g: it would fire for ever", name, i, reset,
                             threshold);
        if (rules->late_reset && cells_parameter(cells, REFRACTORY, i) > 0)
            return error_set(error, ERROR_MISUSED,
                             "population %s: a refractory period (neuron %" PRIu32 ") cannot be "
                             "combined with a reset in the next tick", name, i);
    }
    return true;
}

static bool prepare(struct cells *cells, struct error *error)
{
    const unsigned unit = in_raw_units(cells) ? (1u << CUBA_PARAMETERS) - 1 : 0;
    const unsigned threshold = unit | 1u << V_THRESHOLD, reset = unit | 1u << V_RESET;
    if (!rules_fit(cells, error))
        return false;
    struct cuba_lif *own = cells->own = calloc(1, sizeof *own);
    if (own == NULL)
        return error_no_memory(error, "neurons");
    return cuba_prepare(&own->cuba, cells, error) &&
           coefficient_fill(&own->above, cells, threshold, above_of, error) &&
           coefficient_fill(&own->reset, cells, reset, reset_of, error) &&
           coefficient_fill(&own->drop, cells, threshold | reset, drop_of, error) &&
           refractory_prepare(&own->refractory, cells, REFRACTORY, error);
}

struct block {
    struct cuba_block cuba;
    const double *above, *reset, *drop; /* [count] */
    uint16_t *left;                     /* [count] */
    bool subtract;
};

/* What a block's loop found: bits, not counts. */
struct outcome {
    uint64_t fires;   /* not 0: some v is above its threshold */
    uint64_t changed; /* not 0: something moved, came or is held */
};

VECTOR_INLINE struct outcome move(const struct block *block, bool single, bool late, uint32_t count)
{
    const struct block b = *block;
    double *v = b.cuba.v, *current = b.cuba.current;
    uint16_t *left = b.left;
    uint64_t fires = 0;
    uint64_t changed = 0;
#pragma GCC ivdep
    for (uint32_t i = 0; i < count; i++) {
        double v_old = v[i], current_next;
        double v_next = cuba_move(&b.cuba, i, single, &current_next);
        if (late) {
            double lowered = rounded(v_next - b.drop[i], single);
            double after = b.subtract ? lowered : b.reset[i];
            v_next = v_old > b.above[i] ? after : v_next;
        }
        uint16_t held = refractory_after(left[i]);
        v_next = settled(held != 0 ? v_old : v_next, single);
        changed |= double_bits(v_old) ^ double_bits(v_next);
        changed |= double_bits(current[i]) ^ double_bits(current_next);
        changed |= double_bits(b.cuba.input[i]) | left[i];
        fires |= v_next > b.above[i] ? UINT64_MAX : 0;
        left[i] = held;
        v[i] = v_next;
        current[i] = current_next;
    }
    return (struct outcome){fires, changed};
}

VECTOR_INLINE struct outcome advance(const struct block *b, bool single, bool late)
{
    uint32_t count = b->cuba.count;
    if (single && late)
        return move(b, true, true, count);
    if (single)
        return move(b, true, false, count);
    if (late)
        return move(b, false, true, count);
    return count == CELL_BLOCK ? move(b, false, false, CELL_BLOCK) : move(b, false, false, count);
}
VECTOR_VERSIONS_OF(struct outcome, advance, (const struct block *b, bool single, bool late),
                   (b, single, late))

/* How many thresholds fit below v, which is above the first. */
static int32_t spikes_in(const struct cell_rules *rules, double v, double reset, double drop)
{
    if (!rules->several)
        return 1;
    double fits = floor((v - reset) / drop);
    return fits < 1 ? 1 : fits > INT32_MAX ? INT32_MAX : (int32_t)fits;
}

static void fire(struct cells *cells, struct cell_step *step, const struct block *b, uint32_t begin)
{
    struct cuba_lif *own = cells->own;
    const struct cell_rules *rules = &cells->rules;
    for (uint32_t i = 0; i < b->cuba.count; i++) {
        double *v = &b->cuba.v[i];
        if (!(*v > b->above[i]) || b->left[i] != 0)
            continue;
        int32_t spikes = spikes_in(rules, *v, b->reset[i], b->drop[i]);
        step->fired[step->fired_count++] = (struct spike){begin + i, spikes};
        if (rules->late_reset)
            continue;
        double lowered = rounded(*v - rounded(spikes * b->drop[i], rules->single), rules->single);
        *v = rules->reset == RESET_SUBTRACT ? lowered : b->reset[i];
        refractory_begin(&own->refractory, begin + i);
    }
}

static void step(struct cells *cells, struct cell_step *step)
{
    const struct cuba_lif *own = cells->own;
    step->fired_count = 0;
    for (uint32_t i = step->begin; i < step->end; i += CELL_BLOCK) {
        const struct block block = {
            .cuba = cuba_block_of(&own->cuba, cells, step, i),
            .above = coefficient_block(&own->above, i),
            .reset = coefficient_block(&own->reset, i),
            .drop = coefficient_block(&own->drop, i),
            .left = own->refractory.left + i,
            .subtract = cells->rules.reset == RESET_SUBTRACT,
        };
        struct outcome outcome =
            advance_by[step->vector](&block, cells->rules.single, cells->rules.late_reset);
        if (outcome.fires != 0)
            fire(cells, step, &block, i);
        if (step->watch)
            step->awake[(i - step->begin) / CELL_BLOCK] = (outcome.fires | outcome.changed) != 0;
    }
}

static void reset(struct cells *cells)
{
    struct cuba_lif *own = cells->own;
    memset(own->refractory.left, 0, cells->neurons * sizeof *own->refractory.left);
    cuba_reset(cells);
}

const struct cell_model cuba_lif_cells = {
    .name = "cuba_lif",
    .summary = "leaky integrate-and-fire with a synaptic current (NIR: CubaLIF)",
    .equation = "tau_syn I' = -I + w_in x; tau_mem v' = v_leak - v + r I; "
                "spike if v > v_threshold, then v = v_reset",
    .parameters = {CUBA_PARAMETERS_LIST,
                   {"v_threshold", "", 1, RANGE_ANY, "a spike above it"},
                   {"v_reset", "", 0, RANGE_ANY, "potential after a spike"},
                   {"refractory", "s", 0, RANGE_NOT_NEGATIVE, "held after a spike for so long"}},
    .variables = {{"v", "", "v_leak"}, {"i", "", NULL}},
    .ports = {"input"},
    .integrations = 1u << INTEGRATE_EXACT | 1u << INTEGRATE_EULER,
    .output = CELLS_FIRE,
    .prepare = prepare,
    .step = step,
    .reset = reset,
    .free = free,
    .event = &event_cuba_lif,
};
