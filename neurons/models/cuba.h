/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A membrane fed by a current that decays (current-based synapse, "CuBa"):
 *
 *     tau_syn I' = -I + w_in x,   tau_mem v' = (v_leak - v) + r I
 *
 * with the input x constant over a tick. Every rule comes down to one recurrence,
 *
 *     before = I + jump x
 *     I ← fade before + entry x
 *     v ← decay v + leak + (old before + direct x + fresh I)
 *
 * Exact: with alpha = e^(-dt/tau_syn), a = e^(-dt/tau_mem) and the coupling c below, I moves
 * from I to w_in x as alpha decays, so
 *
 *     I ← alpha I + (1 - alpha) w_in x
 *     v ← a v + (1 - a) v_leak + r c I + r ((1 - a) - c) w_in x
 *
 * Forward steps and raw exact ones (Rockpool) let the new current act in the same tick:
 *
 *     I ← alpha I + (dt/tau_syn) w_in x;   v ← a v + (dt/tau_mem) (v_leak + r I)
 *
 * raw forward ones (snnTorch) too, with I in units of w_in dt/tau_syn and v in units of
 * r (dt/tau_mem) w_in (dt/tau_syn). Where spikes jump, w_in x is added to I before the tick, and
 * forward steps let that current act (Norse).
 */
#ifndef VOLLEY_CUBA_H
#define VOLLEY_CUBA_H

#include "neurons/models/linear.h"

/* The first parameters of every such model. */
enum { CUBA_TAU_SYN, CUBA_TAU_MEM, CUBA_R, CUBA_V_LEAK, CUBA_W_IN, CUBA_PARAMETERS };
#define CUBA_PARAMETERS_LIST                                                                       \
    {"tau_syn", "s", 0.005, RANGE_POSITIVE, "time constant of the current"},                       \
        {"tau_mem", "s", 0.02, RANGE_POSITIVE, "membrane time constant"},                          \
        {"r", "", 1, RANGE_ANY, "resistance: current to potential"},                               \
        {"v_leak", "", 0, RANGE_ANY, "potential at rest"},                                         \
        {"w_in", "", 1, RANGE_ANY, "input to synaptic current"}
enum { CUBA_V, CUBA_I };

struct cuba {
    struct coefficient jump, fade, entry, decay, leak, old, direct, fresh;
};

/* Fills it; false with error. */
bool cuba_prepare(struct cuba *cuba, struct cells *cells, struct error *error);

/* What a potential is divided by to be in the units of v: 1 but in raw forward steps. */
double cuba_unit(const struct cells *cells, uint32_t neuron);
/* Brings initial values into these units. */
void cuba_reset(struct cells *cells);

/* What a current that is 1 at the start of a tick and decays with tau_syn adds to
 * tau_mem v' = -v + I in that tick: tau_syn / (tau_syn - tau_mem) (e^(-dt/tau_syn) -
 * e^(-dt/tau_mem)), accurate also where the time constants are equal or nearly so. */
double cuba_coupling(double dt, double tau_syn, double tau_mem);

/* One block of it. */
struct cuba_block {
    double *v, *current; /* [count], as all below */
    const double *input;
    const double *jump, *fade, *entry, *decay, *leak, *old, *direct, *fresh;
    uint32_t count;
};

/* The block that begins at neuron `begin`. */
struct cuba_block cuba_block_of(const struct cuba *cuba, const struct cells *cells,
                                const struct cell_step *step, uint32_t begin);

/* Moves neuron i of the block by a tick: returns the new v, still to be settled, and the new
 * current by `current`. */
VECTOR_INLINE double cuba_move(const struct cuba_block *b, uint32_t i, bool single, double *current)
{
    double x = rounded(b->input[i], single);
    double before = rounded(b->current[i] + rounded(b->jump[i] * x, single), single);
    double after = rounded(rounded(b->fade[i] * before, single) +
                               rounded(b->entry[i] * x, single), single);
    after = settled(after, single);
    double fed = rounded(rounded(b->old[i] * before, single) +
                             rounded(b->direct[i] * x, single), single);
    fed = rounded(fed + rounded(b->fresh[i] * after, single), single);
    double faded = rounded(rounded(b->decay[i] * b->v[i], single) + b->leak[i], single);
    *current = after;
    return rounded(faded + fed, single);
}

#endif
