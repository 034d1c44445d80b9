/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Spikes and volleys, the words all rooms share.
 *
 * A spike is a neuron index and an integer payload (1 for a plain spike; the
 * weight of its bit or its sign for the graded codings). A volley is all
 * spikes that one population fires at one tick.
 */
#ifndef VOLLEY_VOLLEY_H
#define VOLLEY_VOLLEY_H

#include <stdint.h>

struct spike {
    uint32_t neuron;
    int32_t payload;
};

/* One that says when. */
struct timed_spike {
    int64_t tick;
    uint32_t neuron;
    int32_t payload;
};

#endif
