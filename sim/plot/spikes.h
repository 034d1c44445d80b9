/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The spikes of a raster: which populations, over which stretch of time, and then one by one.
 *
 * Along the time axis a spike stands at a place, counted from 0. Of a spiking network, a place is a
 * tick. Of a language model every token is as wide as the most virtual ticks that a vector among
 * those shown takes, and a spike stands at its virtual tick within its token.
 */
#ifndef VOLLEY_PLOT_SPIKES_H
#define VOLLEY_PLOT_SPIKES_H

#include "sim/plot/plot.h"

struct spike_band {
    int64_t population; /* its id */
    char *name;
    char *coding;       /* NULL: plain spikes */
    uint32_t neurons;
};

struct spike_plan {
    struct picture_run run;
    struct spike_band *bands; /* [band_count], in the network's order */
    uint32_t band_count;
    bool clocked;     /* else cells of one token each */
    int64_t first;    /* tick (clocked) or position at place 0 */
    int64_t places;   /* along the time axis, at least 1 */
    int64_t cell;     /* not clocked: places of a token; clocked: 0, or those of each sample */
    int64_t position; /* of the first cell */
    uint64_t spikes;  /* to come, about */
};

enum { SPIKE_BANDS = 40 };

/* Finds all that; the request's populations, ticks and positions choose. False with error if
 * nothing is there to show. spike_plan_free also after a failure. */
bool spike_plan_make(struct reading *reading, const struct picture_request *request,
                     struct spike_plan *plan);
void spike_plan_free(struct spike_plan *plan);

/* One spike: its band, its neuron, its place, and whether its payload is negative. */
typedef bool spike_visitor(void *self, uint32_t band, uint32_t neuron, int64_t place, bool negative,
                           struct error *error);
bool spike_plan_visit(struct reading *reading, const struct picture_request *request,
                      const struct spike_plan *plan, spike_visitor *visit, void *self);

#endif
