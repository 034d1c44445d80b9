/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A run on a chip made by hand, for the tests of time: populations, where their neurons sit, where
 * their spikes lead, and what fires. It stands in for the trace: load_volleys plays it.
 *
 * One rig at a time; rig_begin forgets the one before.
 */
#ifndef VOLLEY_LATENCY_RIG_H
#define VOLLEY_LATENCY_RIG_H

#include "traces/energy/latency.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { RIG_POPULATIONS = 6, RIG_CORES = 72, RIG_NEURONS = 40, RIG_VOLLEYS = 400 };

struct rig_volley {
    struct load_volley volley;
    uint32_t neurons[RIG_NEURONS];
    int32_t payload[RIG_NEURONS];
};

static struct rig {
    struct chip chip;
    struct load load;
    struct load_population populations[RIG_POPULATIONS];
    struct load_compartment compartments[RIG_POPULATIONS + 2];
    struct placement placement;
    struct core cores[RIG_CORES];
    struct placed_range ranges[(RIG_POPULATIONS + 2) * RIG_NEURONS];
    uint32_t first_range[RIG_POPULATIONS + 3];
    uint32_t home[RIG_POPULATIONS][RIG_NEURONS];
    struct routes routes;
    struct population_routes own[RIG_POPULATIONS];
    struct route route[RIG_POPULATIONS][RIG_NEURONS * RIG_CORES];
    uint64_t start[RIG_POPULATIONS][RIG_NEURONS + 1];
    uint64_t active[RIG_POPULATIONS][RIG_NEURONS], spikes[RIG_POPULATIONS][RIG_NEURONS];
    uint64_t updates[RIG_POPULATIONS][RIG_NEURONS];
    struct rig_volley volleys[RIG_VOLLEYS];
    uint32_t volley_count;
    bool vectors; /* the trains were asked for as a whole */
} rig;

static uint64_t rig_random_state;

static uint64_t rig_random(uint64_t limit)
{
    rig_random_state ^= rig_random_state << 13;
    rig_random_state ^= rig_random_state >> 7;
    rig_random_state ^= rig_random_state << 17;
    return (rig_random_state * UINT64_C(0x2545f4914f6cdd1d) >> 11) % limit;
}

static void rig_random_from(uint64_t seed)
{
    rig_random_state = seed * UINT64_C(0x9e3779b97f4a7c15);
}

static bool rig_play(const struct load *load, load_visitor *visit, void *self, struct error *error)
{
    if (!load->has_spikes)
        return error_set(error, ERROR_MISUSED, "no spikes");
    for (uint32_t i = 0; i < rig.volley_count; i++)
        if (!visit(self, &rig.volleys[i].volley, error))
            return false;
    return true;
}

bool load_volleys(const struct load *load, load_visitor *visit, void *self, struct error *error)
{
    rig.vectors = false;
    return rig_play(load, visit, self, error);
}

bool load_vectors(const struct load *load, load_visitor *visit, void *self, struct error *error)
{
    rig.vectors = true;
    return rig_play(load, visit, self, error);
}

static void rig_time(enum chip_figure figure, double seconds)
{
    rig.chip.figure[figure] = (struct coefficient){.given = true, .value = seconds};
}

/* Cores are numbered tile by tile, and tiles row by row, over `side` x `side` chips. */
static void rig_begin(uint32_t side, uint32_t columns, uint32_t rows, uint32_t per_tile,
                      uint32_t cores, uint64_t ticks)
{
    memset(&rig, 0, sizeof rig);
    rig.chip.mesh =
        (struct chip_mesh){.columns = columns, .rows = rows, .cores_per_tile = per_tile};
    rig.load = (struct load){.ticks = ticks,
                             .clocked = true,
                             .has_spikes = true,
                             .stride = 1,
                             .populations = rig.populations,
                             .compartments = rig.compartments};
    rig.placement = (struct placement){.cores = rig.cores,
                                       .core_count = cores,
                                       .side = side,
                                       .chips = side * side,
                                       .ranges = rig.ranges,
                                       .first_range = rig.first_range};
    rig.placement.tiles = (cores + per_tile - 1) / per_tile;
    rig.routes.populations = rig.own;
    for (uint32_t i = 0; i < cores; i++) {
        uint32_t tile = i / per_tile;
        rig.cores[i] = (struct core){
            .place = i, .tile = tile, .x = tile % (side * columns), .y = tile / (side * columns)};
    }
}

static void rig_compartment(uint32_t population, uint32_t width, const uint32_t *home)
{
    uint32_t id = rig.load.compartment_count++;
    rig.compartments[id] = (struct load_compartment){.population = population, .width = width};
    for (uint32_t n = 0; n < width; n++) {
        uint32_t *count = &rig.placement.range_count;
        if (n > 0 && home[n] == home[n - 1])
            rig.ranges[*count - 1].count++;
        else
            rig.ranges[(*count)++] = (struct placed_range){id, n, 1, home[n]};
    }
    rig.first_range[id + 1] = rig.placement.range_count;
}

/* Neurons sit on home [neurons]. No routes yet. */
static uint32_t rig_population(uint32_t neurons, const uint32_t *home)
{
    uint32_t id = rig.load.population_count++;
    rig.routes.population_count++;
    rig.populations[id] = (struct load_population){.neurons = neurons,
                                                   .layer = -1,
                                                   .spiking = true,
                                                   .clocked = true,
                                                   .placed = true,
                                                   .active = rig.active[id],
                                                   .spikes = rig.spikes[id],
                                                   .compartment = rig.load.compartment_count};
    memcpy(rig.home[id], home, neurons * sizeof *home);
    rig_compartment(id, neurons, home);
    rig.own[id] = (struct population_routes){.start = rig.start[id], .route = rig.route[id]};
    return id;
}

/* The next route of a population: by neuron, then core. */
static void rig_route(uint32_t population, uint32_t neuron, uint32_t core, float dense,
                      float sparse, float convolution)
{
    uint64_t *start = rig.start[population];
    rig.route[population][start[neuron + 1]] = (struct route){core, {dense, sparse, convolution}};
    for (uint32_t n = neuron + 1; n <= RIG_NEURONS; n++)
        start[n]++;
}

/* The next volley; payload NULL: 1 each. Counts what fired. */
static void rig_fire(int64_t tick, uint32_t population, uint32_t length, const uint32_t *neurons,
                     const int32_t *payload)
{
    struct rig_volley *own = &rig.volleys[rig.volley_count++];
    assert_true(rig.volley_count <= RIG_VOLLEYS);
    own->volley = (struct load_volley){.tick = tick,
                                       .population = population,
                                       .length = length,
                                       .neurons = own->neurons,
                                       .payload = payload != NULL ? own->payload : NULL};
    for (uint32_t i = 0; i < length; i++) {
        own->neurons[i] = neurons[i];
        own->payload[i] = payload != NULL ? payload[i] : 1;
        uint64_t spikes = (uint64_t)llabs((long long)own->payload[i]);
        rig.active[population][neurons[i]]++;
        rig.spikes[population][neurons[i]] += spikes;
        rig.populations[population].active_total++;
        rig.populations[population].spikes_total += spikes;
    }
}

/* Up to four populations at random on all cores, random routes, and random volleys. */
static void rig_random_load(uint64_t ticks, uint32_t most_payload)
{
    uint32_t home[RIG_NEURONS], cores = rig.placement.core_count;
    uint32_t populations = 1 + (uint32_t)rig_random(4);
    for (uint32_t p = 0; p < populations; p++) {
        uint32_t neurons = 1 + (uint32_t)rig_random(RIG_NEURONS);
        for (uint32_t n = 0; n < neurons; n++)
            home[n] = n > 0 && rig_random(3) ? home[n - 1] : (uint32_t)rig_random(cores);
        rig_population(neurons, home);
        rig.populations[p].input = rig_random(4) == 0;
        for (uint32_t n = 0; n < neurons; n++)
            for (uint32_t core = 0; core < cores; core++)
                if (rig_random(cores) < 3)
                    rig_route(p, n, core, (float)rig_random(9), (float)rig_random(3) * 0.5f,
                              (float)rig_random(2));
    }
    for (uint64_t tick = 0; tick < ticks; tick++)
        for (uint32_t p = 0; p < populations; p++) {
            uint32_t neurons[RIG_NEURONS], length = 0;
            int32_t payload[RIG_NEURONS];
            uint64_t rarity = 1 + rig_random(6);
            for (uint32_t n = 0; n < rig.populations[p].neurons; n++)
                if (rig_random(rarity) == 0) {
                    payload[length] = 1 + (int32_t)rig_random(most_payload);
                    payload[length] *= rig_random(8) == 0 ? -1 : 1;
                    neurons[length++] = n;
                }
            if (length > 0 && rig_random(4) > 0)
                rig_fire((int64_t)tick, p, length, neurons, most_payload > 1 ? payload : NULL);
        }
}

/* All figures of time at random, in tenths of nanoseconds. */
static void rig_random_times(void)
{
    for (int figure = CHIP_TIME_SYNOP; figure < CHIP_TIME_TICK; figure++)
        if (rig_random(8) > 0)
            rig_time((enum chip_figure)figure, (double)rig_random(60) * 1e-10);
}

static bool near(double value, double expected)
{
    return fabs(value - expected) <= 1e-12 * fabs(expected);
}

#endif
