/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The leaky integrator behind a current-based synapse (NIR's CubaLI), which shows its potential:
 *
 *     tau_syn I' = -I + w_in x,   tau_mem v' = (v_leak - v) + r I
 *
 * cuba.h has the recurrence. A block sleeps once it has come to rest at 0, as in linear.c.
 */
#include "neurons/models/cell_models.h"
#include "neurons/models/event_models.h"
#include "neurons/models/cuba.h"

#include <stdlib.h>

static bool prepare(struct cells *cells, struct error *error)
{
    struct cuba *own = cells->own = calloc(1, sizeof *own);
    if (own == NULL)
        return error_no_memory(error, "neurons");
    return cuba_prepare(own, cells, error);
}

/* 0 if nothing moved, nothing came and nothing is shown. */
VECTOR_INLINE uint64_t move(const struct cuba_block *block, bool single, uint32_t count)
{
    const struct cuba_block b = *block;
    double *v = b.v, *current = b.current;
    uint64_t changed = 0;
#pragma GCC ivdep
    for (uint32_t i = 0; i < count; i++) {
        double current_next, v_next = cuba_move(&b, i, single, &current_next);
        v_next = settled(v_next, single);
        changed |= double_bits(v[i]) ^ double_bits(v_next);
        changed |= double_bits(current[i]) ^ double_bits(current_next);
        changed |= double_bits(v_next) | double_bits(b.input[i]);
        v[i] = v_next;
        current[i] = current_next;
    }
    return changed;
}

VECTOR_INLINE uint64_t advance(const struct cuba_block *b, bool single)
{
    if (single)
        return b->count == CELL_BLOCK ? move(b, true, CELL_BLOCK) : move(b, true, b->count);
    return b->count == CELL_BLOCK ? move(b, false, CELL_BLOCK) : move(b, false, b->count);
}
VECTOR_VERSIONS_OF(uint64_t, advance, (const struct cuba_block *b, bool single), (b, single))

static void step(struct cells *cells, struct cell_step *step)
{
    step->fired_count = 0;
    for (uint32_t i = step->begin; i < step->end; i += CELL_BLOCK) {
        const struct cuba_block block = cuba_block_of(cells->own, cells, step, i);
        uint64_t changed = advance_by[step->vector](&block, cells->rules.single);
        if (step->watch)
            step->awake[(i - step->begin) / CELL_BLOCK] = changed != 0;
    }
}

const struct cell_model cuba_li_cells = {
    .name = "cuba_li",
    .summary = "leaky integrator with a synaptic current, shown as a value (NIR: CubaLI)",
    .equation = "tau_syn I' = -I + w_in x; tau_mem v' = v_leak - v + r I",
    .parameters = {CUBA_PARAMETERS_LIST},
    .variables = {{"v", "", "v_leak"}, {"i", "", NULL}},
    .ports = {"input"},
    .integrations = 1u << INTEGRATE_EXACT | 1u << INTEGRATE_EULER,
    .output = CELLS_SHOW,
    .prepare = prepare,
    .step = step,
    .reset = cuba_reset,
    .free = free,
    .event = &event_cuba_li,
};
