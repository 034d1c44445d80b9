/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Refractory periods as a count of ticks, two bytes a neuron, which the loop that moves the
 * membrane counts down before it looks: whoever is above 0 then is held in this tick. So a period
 * of n ticks begins with n + 1. It is 0 for a neuron asleep, so that nothing has to be known about
 * ticks that were left out.
 */
#ifndef VOLLEY_REFRACTORY_H
#define VOLLEY_REFRACTORY_H

#include "neurons/cells.h"

struct refractory {
    uint16_t *left;  /* [neurons] */
    uint16_t *begin; /* [neurons], what a period begins with; or NULL … */
    uint16_t same;   /* … then this for all */
};

/* Takes the periods from parameter `parameter` (seconds), rounded to whole ticks. Fails, naming the
 * neuron, where one is longer than 65,534 ticks. */
bool refractory_prepare(struct refractory *refractory, struct cells *cells, uint32_t parameter,
                        struct error *error);

/* One tick on. */
static inline __attribute__((always_inline)) uint16_t refractory_after(uint16_t left)
{
    return (uint16_t)(left - (left != 0));
}

/* After neuron i has fired. */
static inline void refractory_begin(struct refractory *refractory, uint32_t i)
{
    refractory->left[i] = refractory->begin != NULL ? refractory->begin[i] : refractory->same;
}

#endif
