/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Count codings: how an integer becomes a train of spikes over virtual ticks.
 *
 * A coding sees one vector of signed integers (the counts of a population for
 * one lane) and spreads it over `ticks` virtual ticks, one number for the
 * whole vector. At virtual tick t it gives every neuron a payload; the
 * payloads of all virtual ticks, plus the zero point, sum to the counts.
 *
 * A new coding is one file that defines a struct coding, and one line in the
 * table in coding.c.
 */
#ifndef VOLLEY_CODING_H
#define VOLLEY_CODING_H

#include "scheduler/error.h"
#include "scheduler/volley.h"

#include <stddef.h>
#include <stdint.h>

/* What a coding needs to know of a vector: found once, by coding_frame. */
struct frame {
    uint32_t ticks; /* virtual ticks T, at least 1 */
    int32_t zero;   /* zero point: added to every count by the receiver; 0 for most codings */
};

struct coding {
    const char *name;
    const char *summary; /* one line for --help */
    /* T and zero point of a vector whose smallest and largest counts are given. */
    struct frame (*frame)(int32_t smallest, int32_t largest);
    /* Spikes that neuron fires over all virtual ticks. */
    uint32_t (*spikes)(int32_t count, struct frame frame);
    /* What it sends at virtual tick `tick`: 0 means no spike. */
    int32_t (*payload)(int32_t count, struct frame frame, uint32_t tick);
};

/* All codings, in the order they are listed; *length says how many. */
const struct coding *const *coding_table(size_t *length);

/* Finds a coding by name; NULL with the known names in `error` if there is none. */
const struct coding *coding_find(const char *name, struct error *error);

/* The frame of counts [neurons]. */
struct frame coding_frame(const struct coding *coding, const int32_t *counts, uint32_t neurons);

/* The volley of one virtual tick: writes the spikes (at most `neurons`, in
 * order of neuron) and returns how many there are. */
uint32_t coding_open(const struct coding *coding, const int32_t *counts, uint32_t neurons,
                     struct frame frame, uint32_t tick, struct spike *spikes);

#endif
