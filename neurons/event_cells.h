/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Event-driven cells: populations that are never ticked (`--integration event`).
 *
 * The network's tick is then a fine resolution, a nanosecond or a hundred-thousandth of the time
 * step dt of its inputs. A neuron's state stands as of its last event and moves to the next in
 * closed form, because between events its input is constant. The moment at which v crosses the
 * threshold is found exactly; reset and refractory period count from that moment, and the spike is
 * put out at the first tick that is not before it. A population asks for the tick of its next
 * crossing by population->due.
 *
 * Ports. For every port of the model the population has two that collect currents:
 *
 *   port p: spikes. What a weight w does is told by rules.area. AREA_HOLD: a current w from its
 *       arrival until dt later. AREA_IMPULSE: a pulse of area w, at once (here weights are NOT
 *       divided by dt by the builder). AREA_JUMP: a jump by w.
 *   port event_cells_ports(model) + p: changes. A current that changes by w when w arrives, and
 *       stays so. Whoever feeds analog values sends the difference to the value before.
 *
 * Delays belong to whole projections (projection->delay): a port has one slot.
 * What the models show as values is read with event_cells_read, and not sent.
 */
#ifndef VOLLEY_EVENT_CELLS_H
#define VOLLEY_EVENT_CELLS_H

#include "neurons/cells.h"

enum { EVENT_PARAMETERS = 8 };

struct event_root;

/* A neuron model between events. Input x is constant there; `p` holds the parameters that it names,
 * `state` the model's variables, v the first. */
struct event_model {
    const char *parameters[EVENT_PARAMETERS + 1]; /* names, in the order of `p`; NULL ends them */
    uint32_t jumps; /* the variable that pulses and jumps add to */
    /* What a spike of weight 1 adds to it. */
    double (*jump)(const double *p, bool impulse);
    /* Moves the state on by `seconds` >= 0. `held`: v is refractory and stays. */
    void (*advance)(const double *p, double *state, double x, double seconds, bool held);
    /* Seconds until v rises above its threshold (`inclusive`: reaches it); 0 if it is there
     * already, INFINITY if it never will be. NULL: a model that does not fire. Models that fire
     * have parameters v_threshold, v_reset and refractory. */
    double (*crossing)(const double *p, const double *state, double x, bool inclusive,
                       struct event_root *root);
};

/* For models: where f passes from f(low) <= 0 to f(high) > 0, by Brent's method (GSL), to the
 * last bits. */
double event_root_find(struct event_root *root, double (*f)(double seconds, void *argument),
                       void *argument, double low, double high);

/* Ports of the model: the number of the first port for changes. */
uint32_t event_cells_ports(const struct cell_model *model);

/* Adds a population; `tick_seconds` is the network's tick, of which settings->rules.dt is a whole
 * multiple. Takes settings as cells_new does (its integration is not looked at, and `several` is
 * always so: a payload says how often a neuron fired since the last tick). Refuses models without
 * an event_model, rules that only make sense in ticks, and v_reset >= v_threshold.
 * cells_read and cells_model do not know such a population. NULL with error. */
struct population *event_cells_new(struct network *network, const char *name,
                                   const struct cell_model *model, uint32_t neurons,
                                   const struct cell_settings *settings, double tick_seconds,
                                   struct error *error);

/* A state variable of all neurons as it stands at `tick`, the last one run or later (but before
 * population->due), to out [neurons]. False if it is earlier than the last update. */
bool event_cells_read(const struct population *population, uint32_t variable, int64_t tick,
                      double *out);

#endif
