/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where a volley lands, and what it brings: shared by the kinds of projection that are delivered
 * by event (sparse, dense, convolution, pooling, diagonal).
 *
 * Their common rule: a target's sum is taken in the order of the volley's events, and within one
 * event in the order of the projection's weights. Nothing else decides it, so it has the same
 * bits however the targets are split over threads. An event of 0 brings nothing and is skipped.
 *
 * Onto a port that counts, weight / port->scale must be a whole number for every synapse, and
 * code x payload is added in 32 bits. That is exact as long as the sum of |code x payload| over
 * what reaches a target within one tick stays below 2^31; beyond, sums wrap around. Who builds
 * the network chooses a port of currents where more could come.
 */
#ifndef VOLLEY_LANDING_H
#define VOLLEY_LANDING_H

#include "neurons/projection.h"

#define LANDING_INLINE static inline __attribute__((always_inline))

struct landing {
    double *current;  /* [slots][width], or NULL … */
    uint32_t *count;  /* … then this: the port's, unsigned so that sums wrap around */
    uint8_t *touched; /* [slots][blocks], or NULL */
    uint32_t width, blocks;
    uint32_t tick;    /* of arrival; its low bits choose the slot */
    uint32_t mask;    /* slots - 1 */
};

/* What a volley brings, one event after the other. */
struct events {
    const struct spike *spikes; /* [length], or NULL … */
    const double *values;       /* … then these: [length] */
    uint32_t length, at;
    double gain;               /* of the port; see struct port */
};

struct landing landing_of(const struct projection *projection, const struct delivery *delivery);
/* What the port multiplies by that comes at `tick`. */
LANDING_INLINE double port_gain(const struct port *port, int64_t tick)
{
    return port->kept && port->gains != NULL ? port->gains[(uint64_t)tick & port->gain_mask] : 1;
}
struct events events_of(const struct projection *projection, const struct delivery *delivery);

/* The slot that an event lands in `extra` ticks after the volley's arrival. */
LANDING_INLINE uint32_t landing_slot(const struct landing *landing, uint32_t extra)
{
    return (landing->tick + extra) & landing->mask;
}

/* The landing with its arrays moved on to the slot of `extra`. */
LANDING_INLINE struct landing landing_in_slot(const struct landing *landing, uint32_t extra)
{
    struct landing there = *landing;
    size_t slot = landing_slot(landing, extra);
    there.current = landing->current == NULL ? NULL : landing->current + slot * landing->width;
    there.count = landing->count == NULL ? NULL : landing->count + slot * landing->width;
    there.touched = landing->touched == NULL ? NULL : landing->touched + slot * landing->blocks;
    return there;
}

/* The next event that is not 0: a source neuron, and a payload or a value. False at the end. */
LANDING_INLINE bool events_next(struct events *events, uint32_t *neuron, double *factor)
{
    while (events->at < events->length) {
        uint32_t at = events->at++;
        *neuron = events->spikes != NULL ? events->spikes[at].neuron : at;
        *factor = events->spikes != NULL ? events->spikes[at].payload : events->values[at];
        *factor *= events->gain;
        if (*factor != 0)
            return true;
    }
    return false;
}

/* Marks the blocks of targets begin … end-1 in a landing that is in its slot. */
void landing_touch(const struct landing *landing, uint32_t begin, uint32_t end);

/* For a kind's prepare: whether the projection meets its populations and its port; sets most_extra.
 * The weights are for `sources` and `targets` neurons and delay by up to `most_extra` ticks
 * more. */
bool landing_check(struct projection *projection, uint32_t lanes, uint32_t sources,
                   uint32_t targets, uint32_t most_extra, struct error *error);
/* What `weight` is in units of a port that counts; refused if that is no whole number (to
 * within rounding of the two) of 32 bits. */
bool landing_units(const struct projection *projection, double weight, int32_t *units,
                   struct error *error);
/* Whether integer codes worth `scale` can be added as they are to a port that counts. */
bool landing_scale(const struct projection *projection, double scale, struct error *error);
/* The refusal of weights that are no whole numbers, for a port that counts. */
bool landing_refuse_fractions(const struct projection *projection, struct error *error);

#endif
