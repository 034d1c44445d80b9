/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What each neuron of a population fired in waves: of the wave under way, which counts only when it
 * is done, and of those done. For tally.c and train_count.c.
 *
 * Neurons lie in pieces, each in one of two forms. A wave of one lane, as in decoding, leaves two
 * bytes a neuron, and waves done add up in two narrow sums, which go to the totals before they can
 * overflow: the totals, sixteen bytes a neuron, would cost more to touch than counting does.
 */
#ifndef VOLLEY_WAVE_NEURONS_H
#define VOLLEY_WAVE_NEURONS_H

#include "encoding/vector.h"
#include "traces/tally.h"

enum { NEURONS_PIECE = 1024 }; /* neurons; a multiple of TALLY_DRAM_BLOCK */

enum piece_form {
    PIECE_NARROW, /* in `spikes`: what its only lane fired */
    PIECE_WIDE    /* in `wave` */
};

struct wave_neurons {
    uint32_t neurons;
    unsigned char *form;       /* [pieces], enum piece_form, of the wave under way */
    uint16_t *spikes;          /* [pieces x NEURONS_PIECE], 0 behind the last neuron */
    struct neuron_tally *wave; /* [neurons] */
    uint32_t most;             /* no element of `spikes` in use is above */
    uint16_t *recent_active;   /* [neurons], vectors of waves done, not in the totals … */
    uint16_t *recent_spikes;   /* [neurons], … and their spikes */
    uint32_t recent_most;      /* no element of those is above */
};

/* NULL when memory is short. */
struct wave_neurons *wave_neurons_new(uint32_t neurons);
void wave_neurons_free(struct wave_neurons *self);

/* The wave is done: it counts. `totals` [neurons]. */
void wave_neurons_join(struct wave_neurons *self, struct neuron_tally *totals,
                       enum vector_level vector);

/* Adds what is recent to the totals. */
void wave_neurons_settle(struct wave_neurons *self, struct neuron_tally *totals);

#endif
