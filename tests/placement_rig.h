/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Loads made by hand for the tests of placement and routes, with every synapse written down beside
 * them, and the plain way to answer what placement.c and routes.c work out: synapse by synapse,
 * neuron by neuron, core by core, step by step.
 */
#ifndef VOLLEY_PLACEMENT_RIG_H
#define VOLLEY_PLACEMENT_RIG_H

#include "traces/energy/routes.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { RIG_MOST = 32 };

/* One connection: `synapses` of them, from neuron to element, of one projection. */
struct rig_synapse {
    uint32_t projection, source, target;
    uint32_t synapses;
};

struct rig {
    struct load load;
    struct load_population populations[RIG_MOST];
    struct load_projection projections[RIG_MOST];
    struct load_compartment compartments[RIG_MOST];
    struct load_placed placed[RIG_MOST];
    struct rig_synapse *synapses; /* [synapse_count], of projections with a reach or one to one */
    size_t synapse_count, synapse_capacity;
};

static inline struct rig *rig_new(void)
{
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    rig->load.populations = rig->populations;
    rig->load.projections = rig->projections;
    rig->load.compartments = rig->compartments;
    rig->load.placed = rig->placed;
    rig->load.clocked = true;
    return rig;
}

static inline void rig_free(struct rig *rig)
{
    for (uint32_t i = 0; i < rig->load.population_count; i++) {
        free(rig->populations[i].name);
        free(rig->populations[i].active);
        free(rig->populations[i].spikes);
    }
    for (uint32_t i = 0; i < rig->load.projection_count; i++) {
        free(rig->projections[i].fan_out);
        reach_free(rig->projections[i].reach);
    }
    free(rig->synapses);
    free(rig);
}

/* A population whose neuron i fired `base` + i times, each time with a payload of 3; its
 * compartment has the same number as it as long as no port was added. */
static inline uint32_t rig_population(struct rig *rig, const char *name, uint32_t neurons,
                                      uint64_t base)
{
    uint32_t id = rig->load.population_count++;
    struct load_population *own = &rig->populations[id];
    assert_true(id < RIG_MOST && rig->load.compartment_count < RIG_MOST);
    own->name = strdup(name);
    own->neurons = neurons;
    own->spiking = own->clocked = own->placed = true;
    own->active = calloc(neurons, sizeof *own->active);
    own->spikes = calloc(neurons, sizeof *own->spikes);
    assert_true(own->name != NULL && own->active != NULL && own->spikes != NULL);
    for (uint32_t i = 0; i < neurons; i++) {
        own->active[i] = base + i;
        own->spikes[i] = 3 * own->active[i];
        own->active_total += own->active[i];
        own->spikes_total += own->spikes[i];
    }
    own->compartment = rig->load.compartment_count;
    rig->compartments[rig->load.compartment_count++] =
        (struct load_compartment){.population = id, .width = neurons};
    return id;
}

/* Nothing is known of its single neurons. */
static inline void rig_forget_neurons(struct rig *rig, uint32_t population)
{
    struct load_population *own = &rig->populations[population];
    free(own->active);
    free(own->spikes);
    own->active = own->spikes = NULL;
}

static inline uint32_t rig_port(struct rig *rig, uint32_t population, uint32_t width)
{
    static char name[] = "side";
    assert_true(rig->load.compartment_count < RIG_MOST);
    rig->compartments[rig->load.compartment_count] =
        (struct load_compartment){.population = population, .port = name, .width = width};
    return rig->load.compartment_count++;
}

static inline struct load_projection *rig_projection(struct rig *rig, enum synapse_kind kind,
                                                     uint32_t source, uint32_t compartment)
{
    assert_true(rig->load.projection_count < RIG_MOST);
    struct load_projection *own = &rig->projections[rig->load.projection_count++];
    own->kind = kind;
    own->source = source;
    own->target = rig->compartments[compartment].population;
    own->compartment = compartment;
    own->spikes = own->weighted = true;
    return own;
}

/* All to all. */
static inline void rig_dense(struct rig *rig, uint32_t source, uint32_t compartment)
{
    struct load_projection *own = rig_projection(rig, SYNAPSES_DENSE, source, compartment);
    own->synapses =
        (uint64_t)rig->populations[source].neurons * rig->compartments[compartment].width;
    own->weight_count = own->parameters = own->synapses;
}

static inline void rig_note(struct rig *rig, uint32_t source, uint32_t target, uint32_t synapses)
{
    if (rig->synapse_count == rig->synapse_capacity) {
        rig->synapse_capacity = rig->synapse_capacity * 2 + 64;
        rig->synapses =
            realloc(rig->synapses, rig->synapse_capacity * sizeof *rig->synapses);
        assert_non_null(rig->synapses);
    }
    rig->synapses[rig->synapse_count++] =
        (struct rig_synapse){rig->load.projection_count - 1, source, target, synapses};
}

static inline void rig_one_to_one(struct rig *rig, uint32_t source, uint32_t compartment)
{
    struct load_projection *own = rig_projection(rig, SYNAPSES_SPARSE, source, compartment);
    uint32_t neurons = rig->populations[source].neurons;
    uint32_t width = rig->compartments[compartment].width;
    own->one_to_one = true;
    for (uint32_t i = 0; i < neurons && i < width; i++) {
        rig_note(rig, i, i, 1);
        own->synapses++;
    }
}

/* Writes one number as reach.h says. */
static inline unsigned char *rig_number(unsigned char *out, uint32_t number)
{
    for (; number >= 128; number >>= 7)
        *out++ = (unsigned char)(number & 127) | 128;
    *out++ = (unsigned char)number;
    return out;
}

/* Synapses from `source` to `target`, 0 if there are none. */
typedef uint32_t rig_rule(void *self, uint32_t source, uint32_t target);

/* By a rule, with a reach of that grain. */
static inline struct load_projection *rig_rule_based(struct rig *rig, enum synapse_kind kind,
                                                     uint32_t source, uint32_t compartment,
                                                     rig_rule *rule, void *self, uint32_t grain)
{
    struct load_projection *own = rig_projection(rig, kind, source, compartment);
    uint32_t sources = rig->populations[source].neurons;
    uint32_t width = rig->compartments[compartment].width;
    uint32_t groups = (width + grain - 1) / grain;
    unsigned char *data = malloc(1 + (size_t)sources * (5 + 10 * (size_t)groups));
    uint32_t *in_group = malloc(groups * sizeof *in_group);
    assert_true(data != NULL && in_group != NULL);
    unsigned char *out = data;
    *out++ = 1; /* with the number of synapses */
    for (uint32_t i = 0; i < sources; i++) {
        uint32_t reached = 0, before = 0;
        memset(in_group, 0, groups * sizeof *in_group);
        for (uint32_t target = 0; target < width; target++) {
            uint32_t synapses = rule(self, i, target);
            if (synapses == 0)
                continue;
            rig_note(rig, i, target, synapses);
            own->synapses += synapses;
            in_group[target / grain] += synapses;
        }
        for (uint32_t group = 0; group < groups; group++)
            reached += in_group[group] > 0;
        out = rig_number(out, reached);
        for (uint32_t group = 0; group < groups; group++) {
            if (in_group[group] == 0)
                continue;
            out = rig_number(out, group - before);
            out = rig_number(out, in_group[group]);
            before = group;
        }
    }
    struct error error = {0};
    own->reach = reach_read(data, (size_t)(out - data), sources, width, grain, &error);
    if (own->reach == NULL)
        fail_msg("%s", error.text);
    free(data);
    free(in_group);
    return own;
}

static inline void rig_place(struct rig *rig, uint32_t population, uint32_t first, uint32_t count,
                             uint32_t core)
{
    assert_true(rig->load.placed_count < RIG_MOST);
    rig->placed[rig->load.placed_count++] = (struct load_placed){population, first, count, core};
}

/* A chip without limits. */
static inline struct chip rig_chip(uint32_t columns, uint32_t rows, uint32_t cores_per_tile)
{
    static char name[] = "Testchip";
    return (struct chip){.name = name,
                         .weight_bits = 8,
                         .mesh = {.columns = columns,
                                  .rows = rows,
                                  .cores_per_tile = cores_per_tile,
                                  .column_major = true}};
}

static inline struct placement *rig_placed(const struct rig *rig, const struct chip *chip,
                                           enum placement_method method)
{
    struct error error = {0};
    struct placement *placement = placement_new(&rig->load, chip, method, false, 1, &error);
    if (placement == NULL)
        fail_msg("%s", error.text);
    return placement;
}

static inline struct routes *rig_routes(const struct rig *rig, const struct placement *placement)
{
    struct error error = {0};
    struct routes *routes = routes_new(&rig->load, placement, &error);
    if (routes == NULL)
        fail_msg("%s", error.text);
    return routes;
}

/* ------------------------------------------------- the plain way to know */

/* The core of an element, by looking through all ranges; it must stand in one. */
static inline uint32_t plain_core(const struct placement *placement, uint32_t compartment,
                                  uint32_t element)
{
    uint32_t found = UINT32_MAX;
    for (uint32_t i = 0; i < placement->range_count; i++) {
        const struct placed_range *range = &placement->ranges[i];
        if (range->compartment != compartment || element < range->first
            || element >= range->first + range->count)
            continue;
        assert_int_equal(found, UINT32_MAX);
        found = range->core;
    }
    assert_true(found < placement->core_count);
    return found;
}

/* The synapses [cores][3] that a spike of a neuron meets, by looking at every one. Those of a grain
 * are on the core of their group's first element. The full projections' are averages. */
static inline void plain_meets(const struct rig *rig, const struct placement *placement,
                               uint32_t population, uint32_t neuron, double (*meets)[3])
{
    memset(meets, 0, placement->core_count * sizeof *meets);
    for (size_t i = 0; i < rig->synapse_count; i++) {
        const struct rig_synapse *synapse = &rig->synapses[i];
        const struct load_projection *projection = &rig->projections[synapse->projection];
        if (projection->source != population || synapse->source != neuron)
            continue;
        uint32_t core = plain_core(placement, projection->compartment, synapse->target);
        meets[core][projection->kind] += synapse->synapses;
    }
    for (uint32_t i = 0; i < rig->load.projection_count; i++) {
        const struct load_projection *projection = &rig->projections[i];
        if (projection->source != population || projection->reach != NULL
            || projection->one_to_one)
            continue;
        uint32_t width = rig->compartments[projection->compartment].width;
        double each = (double)projection->synapses / rig->populations[population].neurons / width;
        for (uint32_t element = 0; element < width && each > 0; element++)
            meets[plain_core(placement, projection->compartment, element)][projection->kind] +=
                each;
    }
}

/* Column and row of a place's tile, by counting tiles up to it. */
static inline void plain_tile(const struct chip *chip, uint32_t side, uint32_t place, int *x,
                              int *y)
{
    int columns = (int)chip->mesh.columns, rows = (int)chip->mesh.rows;
    uint32_t tile = place / chip->mesh.cores_per_tile, number = 0;
    for (uint32_t c = 0;; c++) {
        int left = (int)(c % side) * columns, low = (int)(c / side) * rows;
        int outer = chip->mesh.column_major ? columns : rows;
        int inner = chip->mesh.column_major ? rows : columns;
        for (int i = 0; i < outer; i++)
            for (int k = 0; k < inner; k++)
                if (number++ == tile) {
                    *x = left + (chip->mesh.column_major ? i : k);
                    *y = low + (chip->mesh.column_major ? k : i);
                    return;
                }
    }
}

/* Walks from one place to another, first along x, then along y, a tile at a time. */
static inline struct steps plain_steps(const struct chip *chip, uint32_t side, uint32_t from,
                                       uint32_t to)
{
    struct steps steps = {.local = true};
    int columns = (int)chip->mesh.columns, rows = (int)chip->mesh.rows;
    int x, y, to_x, to_y;
    plain_tile(chip, side, from, &x, &y);
    plain_tile(chip, side, to, &to_x, &to_y);
    while (x != to_x || y != to_y) {
        int was_x = x, was_y = y;
        steps.local = false;
        if (x < to_x) {
            x++;
            steps.east++;
        } else if (x > to_x) {
            x--;
            steps.west++;
        } else if (y < to_y) {
            y++;
            steps.north++;
        } else {
            y--;
            steps.south++;
        }
        steps.links += x / columns != was_x / columns || y / rows != was_y / rows;
    }
    return steps;
}

/* What a run sent, spike by spike. */
static inline void plain_traffic(const struct rig *rig, const struct chip *chip,
                                 const struct placement *placement, struct traffic *traffic,
                                 struct core_traffic *cores)
{
    double (*meets)[3] = malloc(placement->core_count * sizeof *meets);
    assert_non_null(meets);
    memset(traffic, 0, rig->load.population_count * sizeof *traffic);
    memset(cores, 0, placement->core_count * sizeof *cores);
    for (uint32_t p = 0; p < rig->load.population_count; p++) {
        const struct load_population *own = &rig->populations[p];
        for (uint32_t neuron = 0; neuron < own->neurons; neuron++) {
            uint32_t from = plain_core(placement, own->compartment, neuron);
            double spikes = (double)(chip->graded ? own->active_total : own->spikes_total)
                            / own->neurons;
            if (own->active != NULL)
                spikes = (double)(chip->graded ? own->active[neuron] : own->spikes[neuron]);
            plain_meets(rig, placement, p, neuron, meets);
            for (uint32_t to = 0; to < placement->core_count; to++) {
                double met = meets[to][0] + meets[to][1] + meets[to][2];
                if (met == 0 || spikes == 0)
                    continue;
                struct steps steps = plain_steps(chip, placement->side,
                                                 placement->cores[from].place,
                                                 placement->cores[to].place);
                uint32_t hops = steps.east + steps.west + steps.north + steps.south;
                traffic[p].messages += spikes;
                traffic[p].hops_east += spikes * steps.east;
                traffic[p].hops_west += spikes * steps.west;
                traffic[p].hops_north += spikes * steps.north;
                traffic[p].hops_south += spikes * steps.south;
                traffic[p].hops_local += steps.local ? spikes : 0;
                traffic[p].links += spikes * steps.links;
                if (hops > traffic[p].most_hops)
                    traffic[p].most_hops = hops;
                cores[from].out += spikes;
                cores[to].in += spikes;
                cores[to].synops += spikes * met;
            }
        }
    }
    free(meets);
}

/* ------------------------------------------------------- random networks */

static uint64_t rig_state = UINT64_C(0x9e3779b97f4a7c15);

static inline uint32_t rig_random(uint32_t limit)
{
    rig_state ^= rig_state << 13;
    rig_state ^= rig_state >> 7;
    rig_state ^= rig_state << 17;
    return (uint32_t)((rig_state * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % limit;
}

/* Connected with a chance of `self` / 100, now and then more than once. */
static inline uint32_t rig_chance(void *self, uint32_t source, uint32_t target)
{
    (void)source;
    (void)target;
    return rig_random(100) < *(uint32_t *)self ? 1 + (rig_random(8) == 0) : 0;
}

static inline struct rig *rig_random_network(void)
{
    struct rig *rig = rig_new();
    uint32_t populations = 1 + rig_random(4);
    for (uint32_t i = 0; i < populations; i++) {
        uint32_t id = rig_population(rig, "some", 1 + rig_random(24), rig_random(3));
        if (rig_random(4) == 0)
            rig_port(rig, id, 1 + rig_random(30));
        if (rig_random(5) == 0)
            rig_forget_neurons(rig, id);
    }
    uint32_t projections = rig_random(6);
    for (uint32_t i = 0; i < projections; i++) {
        uint32_t source = rig_random(populations);
        uint32_t compartment = rig_random(rig->load.compartment_count);
        uint32_t kind = rig_random(5), chance = 1 + rig_random(60);
        uint32_t grain = rig_random(3) > 0 ? 1 : 1u << rig_random(4);
        while (grain > 1 && grain >= 2 * rig->compartments[compartment].width)
            grain /= 2;
        if (kind == 0) {
            rig_dense(rig, source, compartment);
            struct load_projection *own = &rig->projections[rig->load.projection_count - 1];
            if (rig_random(2) == 0) /* some weights are 0 */
                own->synapses = 1 + rig_random((uint32_t)own->synapses);
        } else if (kind == 1) {
            rig_one_to_one(rig, source, compartment);
        } else {
            enum synapse_kind of = kind == 2 ? SYNAPSES_CONVOLUTION : SYNAPSES_SPARSE;
            rig_rule_based(rig, of, source, compartment, rig_chance, &chance, grain)->parameters =
                1 + rig_random(9);
        }
    }
    return rig;
}

static inline struct chip rig_random_chip(void)
{
    struct chip chip = rig_chip(1 + rig_random(4), 1 + rig_random(4), 1 + rig_random(3));
    chip.mesh.column_major = rig_random(2) == 0;
    chip.graded = rig_random(2) == 0;
    chip.shares_kernels = rig_random(2) == 0;
    chip.weight_bits = 1 + rig_random(12);
    struct chip_limits *limits = &chip.limits;
    limits->neurons = rig_random(5) == 0 ? 0 : 1 + rig_random(24);
    limits->synapses = rig_random(3) > 0 ? 0 : 1 + rig_random(400);
    limits->synapse_bytes = rig_random(3) > 0 ? 0 : 1 + rig_random(400);
    limits->fan_in = rig_random(3) > 0 ? 0 : 1 + rig_random(60);
    limits->fan_out = rig_random(3) > 0 ? 0 : 1 + rig_random(60);
    limits->neuron_fan_in = rig_random(5) > 0 ? 0 : 1 + rig_random(60);
    limits->chips = rig_random(3) > 0 ? 0 : 1 + rig_random(5);
    return chip;
}

/* Neurons on cores at random, in pieces, for placements that nobody deals. */
static inline void rig_scatter(struct rig *rig)
{
    for (uint32_t i = 0; i < rig->load.population_count; i++) {
        uint32_t first = 0, neurons = rig->populations[i].neurons;
        for (uint32_t piece = 0; piece < 4 && first < neurons; piece++) {
            uint32_t count = piece == 3 ? neurons - first : 1 + rig_random(neurons - first);
            rig_place(rig, i, first, count, rig_random(8));
            first += count;
        }
    }
}

#endif
