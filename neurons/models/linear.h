/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What linear membranes have in common: how a tick's input acts under the rules that a
 * description leaves open, arithmetic in single precision, and the step of membranes that only
 * show themselves. For the models in this folder.
 */
#ifndef VOLLEY_LINEAR_H
#define VOLLEY_LINEAR_H

#include "neurons/models/blocks.h"

#include <math.h>

/* What rounds every operation of a model in single precision. A sum, product or quotient of two
 * floats that is first rounded to double gives the same float, so double arithmetic serves both. */
VECTOR_INLINE double rounded(double x, bool single)
{
    return single ? (double)(float)x : x;
}

/* x, or 0 where nothing of it can be seen any more (see NEGLIGIBLE); above the smallest normal
 * float in single precision. */
VECTOR_INLINE double settled(double x, bool single)
{
    return fabs(x) < (single ? 0x1p-120 : NEGLIGIBLE) ? 0 : x;
}

/* How far v' = (target - v) / tau comes in a tick, as a part of its way: 1 - e^(-dt/tau), or dt/tau
 * in forward steps, and where `raw` asks for it in exact ones (Rockpool). */
double relaxation(const struct cells *cells, double tau);

/* Whether variables are in units of what an input of 1 adds in a tick: raw forward steps
 * (snnTorch). */
static inline bool in_raw_units(const struct cells *cells)
{
    return cells->rules.raw && cells->rules.integration == INTEGRATE_EULER;
}

/* Refuses spikes that jump in a raw form, which leaves no room for them, and a raw unit, of(cells,
 * neuron), that is not positive. */
bool raw_form_is_sound(const struct cells *cells, double (*unit_of)(const struct cells *, uint32_t),
                       struct error *error);

/* A membrane without a threshold: v ← decay v + leak + gain input. */
struct linear {
    struct coefficient decay, leak, gain;
};

/* Moves it on by a tick: a model's step, with cells->own a struct linear. */
void linear_step(struct cells *cells, struct cell_step *step);

#endif
