/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The step of membranes that only show themselves. A block sleeps once it has come to rest at
 * 0: what is shown must go on being shown while it is anything else.
 */
#include "neurons/models/linear.h"

#include <inttypes.h>

double relaxation(const struct cells *cells, double tau)
{
    if (cells->rules.integration == INTEGRATE_EULER || cells->rules.raw)
        return cells->rules.dt / tau;
    return 1 - cells_decay(cells, tau, 1);
}

bool raw_form_is_sound(const struct cells *cells, double (*unit_of)(const struct cells *, uint32_t),
                       struct error *error)
{
    const char *name = cells->population->name;
    if (cells->rules.raw && cells->rules.area == AREA_JUMP)
        return error_set(error, ERROR_MISUSED,
                         "population %s: the raw discrete-time form takes inputs that are held "
                         "for a tick, not spikes that jump", name);
    for (uint32_t i = 0; in_raw_units(cells) && i < cells->neurons; i++) {
        double unit = unit_of(cells, i);
        if (!(unit > 0) || !isfinite(unit))
            return error_set(error, ERROR_MISUSED,
                             "population %s: an input of 1 adds %g to neuron %" PRIu32 "; the raw "
                             "discrete-time form measures potentials by it, so that it must be "
                             "positive", name, unit, i);
    }
    return true;
}

struct block {
    double *v; /* [count], as all below */
    const double *input, *decay, *leak, *gain;
    uint32_t count;
};

/* 0 if nothing moved, nothing came and nothing is shown. */
VECTOR_INLINE uint64_t move(const struct block *b, bool single, uint32_t count)
{
    double *restrict v = b->v;
    const double *restrict input = b->input, *restrict decay = b->decay, *restrict leak = b->leak,
                           *restrict gain = b->gain;
    uint64_t changed = 0;
    for (uint32_t i = 0; i < count; i++) {
        double x = rounded(input[i], single);
        double faded = rounded(rounded(decay[i] * v[i], single) + leak[i], single);
        double after = settled(rounded(faded + rounded(gain[i] * x, single), single), single);
        changed |= double_bits(v[i]) ^ double_bits(after);
        changed |= double_bits(after) | double_bits(x);
        v[i] = after;
    }
    return changed;
}

VECTOR_INLINE uint64_t advance(const struct block *b, bool single)
{
    if (single)
        return b->count == CELL_BLOCK ? move(b, true, CELL_BLOCK) : move(b, true, b->count);
    return b->count == CELL_BLOCK ? move(b, false, CELL_BLOCK) : move(b, false, b->count);
}
VECTOR_VERSIONS_OF(uint64_t, advance, (const struct block *b, bool single), (b, single))

void linear_step(struct cells *cells, struct cell_step *step)
{
    const struct linear *own = cells->own;
    step->fired_count = 0;
    for (uint32_t i = step->begin; i < step->end; i += CELL_BLOCK) {
        const struct block block = {
            .v = cells->variable[0] + i,
            .input = step->input[0] + (i - step->begin),
            .decay = coefficient_block(&own->decay, i),
            .leak = coefficient_block(&own->leak, i),
            .gain = coefficient_block(&own->gain, i),
            .count = step->end - i < CELL_BLOCK ? step->end - i : CELL_BLOCK,
        };
        uint64_t changed = advance_by[step->vector](&block, cells->rules.single);
        if (step->watch)
            step->awake[(i - step->begin) / CELL_BLOCK] = changed != 0;
    }
}
