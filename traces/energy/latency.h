/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How long a run would take on a chip.
 *
 * What is fired at a tick is carried and handled in that tick, whatever the projection's delay: a
 * chip holds it back where it adds it up. Every core accesses (and updates) its neurons and sends
 * what they fire: generation; and it handles the messages that reach it: processing.
 *
 * Per tick. A core takes its generation, then its processing, and the longest way of a message that
 * reached it; the tick lasts until the slowest core is done and all tiles in use have synchronised.
 * With spikes in the trace (level spike) this is worked out tick by tick; without, every tick is
 * taken as the mean one, which is a lower bound.
 *
 * Queue. The messages of a tick travel over the mesh one by one, wait where a link's buffer or the
 * receiving core is full, and hold up those behind them; a core handles messages while it
 * generates others. Needs spikes in the trace. Neither model is a bound of the other.
 *
 * A language model's ticks are those of its positions one after the other. Layer by layer they
 * show what a pipeline would bring, in which positions follow each other, each in a layer of its
 * own: it is as fast as its slowest layer. Text that is being written has no such pipeline, since
 * each token waits for the last.
 */
#ifndef VOLLEY_LATENCY_H
#define VOLLEY_LATENCY_H

#include "traces/energy/routes.h"

struct stage {      /* of the pipeline: a layer of a language model, or all that is in no layer */
    int32_t layer;  /* -1: none */
    double seconds; /* per position */
};

struct latency {
    bool known;           /* the chip has cores and figures of time; else all below is 0 … */
    bool lower_bound;     /* worked out from the mean tick */
    bool real_time;       /* held to the chip's own tick in most ticks */
    double seconds;       /* of the whole run */
    double per_inference; /* seconds / positions: one after the other */
    double slowest_tick;
    double ticks;          /* worked out */
    double synchronising;  /* seconds of `seconds` */
    uint32_t busiest_core; /* the slowest in most ticks, an index; UINT32_MAX: none */
    double busiest_share;  /* of the ticks */
    /* Language models with at least two layers. A tick belongs to the last layer that fires in it;
     * one in which nothing fires, to that of the tick before. The stages' sum is per_inference.
     * With lower_bound ticks are shared out as each layer's populations had them. */
    struct stage *stages; /* [stage_count], by layer */
    uint32_t stage_count;
    double pipelined; /* seconds between positions that follow each other; 0: no pipeline */
    /* Queue */
    double messages;
    double blocked_seconds; /* all messages' waiting for links and receivers */
    double longest_queue;   /* messages at one core at once: waiting and being handled */
};

/* False with error only for short memory, a broken trace, or times beyond all reason; latency_queue
 * also where the trace has no spikes. Free with latency_free, which leaves all 0. */
bool latency_per_tick(const struct load *load, const struct chip *chip,
                      const struct placement *placement, const struct routes *routes,
                      struct latency *latency, struct error *error);
bool latency_queue(const struct load *load, const struct chip *chip,
                   const struct placement *placement, const struct routes *routes,
                   struct latency *latency, struct error *error);
void latency_free(struct latency *latency);

/* Seconds that synchronising takes with so many tiles in use. */
double chip_sync(const struct chip *chip, uint32_t tiles);

#endif
