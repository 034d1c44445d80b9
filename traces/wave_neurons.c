/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "traces/wave_neurons.h"

#include <stdlib.h>
#include <string.h>

static uint32_t pieces_of(uint32_t neurons)
{
    return neurons / NEURONS_PIECE + (neurons % NEURONS_PIECE != 0);
}

struct wave_neurons *wave_neurons_new(uint32_t neurons)
{
    struct wave_neurons *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    size_t pieces = pieces_of(neurons), room = (size_t)neurons + 1;
    self->neurons = neurons;
    self->form = calloc(pieces + 1, sizeof *self->form);
    self->spikes = calloc(pieces * NEURONS_PIECE + 1, sizeof *self->spikes);
    self->wave = calloc(room, sizeof *self->wave);
    self->recent_active = calloc(room, sizeof *self->recent_active);
    self->recent_spikes = calloc(room, sizeof *self->recent_spikes);
    if (self->form == NULL || self->spikes == NULL || self->wave == NULL ||
        self->recent_active == NULL || self->recent_spikes == NULL) {
        wave_neurons_free(self);
        return NULL;
    }
    return self;
}

void wave_neurons_free(struct wave_neurons *self)
{
    if (self == NULL)
        return;
    free(self->form);
    free(self->spikes);
    free(self->wave);
    free(self->recent_active);
    free(self->recent_spikes);
    free(self);
}

VECTOR_INLINE void add_recent(uint16_t *restrict active, uint16_t *restrict sums,
                              const uint16_t *restrict spikes, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        active[i] = (uint16_t)(active[i] + (spikes[i] != 0));
    for (uint32_t i = 0; i < length; i++)
        sums[i] = (uint16_t)(sums[i] + spikes[i]);
}
VECTOR_VERSIONS(add_recent,
                (uint16_t *restrict active, uint16_t *restrict sums,
                 const uint16_t *restrict spikes, uint32_t length),
                (active, sums, spikes, length))

void wave_neurons_join(struct wave_neurons *self, struct neuron_tally *totals,
                       enum vector_level vector)
{
    if (self->recent_most + self->most > UINT16_MAX)
        wave_neurons_settle(self, totals);
    for (uint32_t first = 0; first < self->neurons; first += NEURONS_PIECE) {
        uint32_t left = self->neurons - first, length = left < NEURONS_PIECE ? left : NEURONS_PIECE;
        if (self->form[first / NEURONS_PIECE] == PIECE_NARROW) {
            add_recent_by[vector](self->recent_active + first, self->recent_spikes + first,
                                  self->spikes + first, length);
            continue;
        }
        for (uint32_t i = first; i < first + length; i++) {
            totals[i].active += self->wave[i].active;
            totals[i].spikes += self->wave[i].spikes;
        }
    }
    self->recent_most += self->most;
}

void wave_neurons_settle(struct wave_neurons *self, struct neuron_tally *totals)
{
    if (self->recent_most == 0)
        return;
    for (uint32_t i = 0; i < self->neurons; i++) {
        totals[i].active += self->recent_active[i];
        totals[i].spikes += self->recent_spikes[i];
    }
    memset(self->recent_active, 0, self->neurons * sizeof *self->recent_active);
    memset(self->recent_spikes, 0, self->neurons * sizeof *self->recent_spikes);
    self->recent_most = 0;
}
