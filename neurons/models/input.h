/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inputs: populations that put out what they are fed, tick by tick: spikes, or values.
 * It is due only at ticks at which there is something.
 */
#ifndef VOLLEY_INPUT_H
#define VOLLEY_INPUT_H

#include "neurons/network.h"

/* `shows`: it puts out values; else spikes. */
struct population *input_new(struct network *network, const char *name, uint32_t neurons,
                             bool shows, struct error *error);
/* What it puts out from the next tick 0 on (before network_run, after network_reset). Borrowed,
 * not copied, so it must stay while the network runs; put out once more after a reset if nothing
 * else is fed. Spikes sorted by tick; one neuron at
 * most once a tick; no payload is 0. Fails, naming the spike, if they are not or a neuron does not
 * exist, and for a population that shows values; nothing is fed then. */
bool input_feed_spikes(struct population *population, const struct timed_spike *spikes,
                       uint64_t length, struct error *error);
/* values [ticks][neurons]; silence after the last. A population that spikes takes only whole
 * numbers, which are payloads, 0 being no spike; fails, naming the tick and the neuron, for others
 * and for what is not finite. */
bool input_feed_values(struct population *population, const double *values, int64_t ticks,
                       struct error *error);
/* For networks of a finer tick, in which currents flow until they change (event_cells.h): a tick of
 * what is fed lasts `stride` ticks of the network, and values are put out as differences to the
 * tick before. To be called once, before anything is fed. */
bool input_stride(struct population *population, int64_t stride, struct error *error);

#endif
