/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The linear membrane that if.c and lif.c share: between spikes it moves towards `leak` and its
 * input is added,
 *
 *     v ← leak + (v - leak) decay^n + gain x        n ticks after the tick that v belongs to
 *
 * then it is compared with the threshold and reset.
 *
 * Where a neuron without input never fires, n runs from the neuron's last event: a tick in which
 * nothing arrives does not touch it (`since` holds the tick that v belongs to; during a refractory
 * period it lies ahead). Otherwise every tick is a step with n = 1.
 */
#ifndef VOLLEY_MEMBRANE_H
#define VOLLEY_MEMBRANE_H

#include "neurons/models/blocks.h"

/* What the models fill in before membrane_prepare. */
struct membrane {
    struct coefficient decay, gain, leak, threshold, reset, rest; /* rest: refractory ticks */
    double *unit;     /* [neurons], potentials are kept in multiples of it; NULL: 1 */
    bool since_event; /* n runs from the last event: set by membrane_prepare */
    int64_t *since;   /* [neurons] */
    double *table;    /* [MEMBRANE_TABLE], decay^n */
    double rate;      /* decay^n = e^(-rate n) beyond the table */
    bool inclusive, subtract, several, late, single;
};

enum { MEMBRANE_TABLE = 4096 };

/* Finds out whether ticks without input may be left out, and takes memory. `same_decay`: all
 * neurons have one decay. Refuses rules that do not go together. */
bool membrane_prepare(struct membrane *membrane, struct cells *cells, bool same_decay,
                      struct error *error);
void membrane_step(struct cells *cells, struct cell_step *step);
double membrane_read(const struct cells *cells, uint32_t variable, uint32_t neuron, int64_t tick);
void membrane_reset(struct cells *cells);
void membrane_free(void *own);

#endif
