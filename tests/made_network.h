/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A small network made by hand, for tests of what observes networks: nothing
 * runs it; made_wave and made_clocked show observers what it would fire. What a
 * neuron fires depends on its population, its index and the position only.
 *
 * Populations: 0 source (values), 1 early and 2 late (trains), 3 attend
 * (trains; its projection counts its own synops), 4 plain (clocked). Projection 2 ends at attend's
 * second port.
 */
#ifndef VOLLEY_MADE_NETWORK_H
#define VOLLEY_MADE_NETWORK_H

#include "neurons/network.h"

enum { MADE_POPULATIONS = 5, MADE_PROJECTIONS = 6, MADE_LANES = 16, MADE_KEYS = 12 };

struct made {
    struct network network;
    struct population populations[MADE_POPULATIONS];
    struct projection projections[MADE_PROJECTIONS];
    struct port ports[MADE_POPULATIONS][2]; /* as wide as the population; and one of MADE_KEYS */
    struct population *population_list[MADE_POPULATIONS];
    struct projection *projection_list[MADE_PROJECTIONS];
    uint32_t *fan_out[MADE_PROJECTIONS];
    struct train *train[MADE_POPULATIONS];
    struct spike *plain;
};

struct made *made_new(const char *coding);
void made_free(struct made *made);

/* Count of a neuron at a position. */
int32_t made_count(uint32_t population, uint32_t neuron, int64_t position);

/* Lanes position … position+lanes-1 pass; with `cut`, the wave does not finish. */
bool made_wave(struct made *made, int64_t position, uint32_t lanes, bool cut,
               struct error *error);

/* One tick of the clocked population. */
bool made_clocked(struct made *made, int64_t tick, struct error *error);

#endif
