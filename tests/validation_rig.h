/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * For the tests that validate estimates: networks on paper, run for real and traced to a file, the
 * file read back as a load, projected on a chip. Weights are whole numbers and spikes make
 * potentials jump, so that anyone can follow a run without rounding.
 */
#ifndef VOLLEY_VALIDATION_RIG_H
#define VOLLEY_VALIDATION_RIG_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "neurons/build.h"
#include "traces/energy/estimate.h"
#include "traces/trace.h"

static const double RIG_TICK = 1e-3;

static inline void must(bool done, const struct error *error)
{
    if (!done)
        fail_msg("%s", error->text);
}

/* Where the trace of this process lies. */
static inline const char *rig_path(void)
{
    static char path[512];
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/volley_validation_%ld.db", folder != NULL ? folder : "/tmp",
             (long)getpid());
    return path;
}

static inline struct blueprint *rig_blueprint(const char *name)
{
    struct blueprint *blueprint = blueprint_new(name);
    assert_non_null(blueprint);
    blueprint->rules = (struct cell_rules){.dt = RIG_TICK, .area = AREA_JUMP, .seed = 1};
    return blueprint;
}

/* Perfect integrators that fire above `threshold`; without one (NAN), an input. */
static inline uint32_t rig_population(struct blueprint *blueprint, const char *name,
                                      uint32_t neurons, double threshold)
{
    struct error error = {0};
    struct blueprint_population *p = blueprint_add_population(blueprint, name, &error);
    must(p != NULL, &error);
    p->neurons = neurons;
    if (isnan(threshold))
        return blueprint->population_count - 1;
    p->model = cell_model_find("if", &error);
    must(p->model != NULL, &error);
    p->parameter[cell_model_parameter(p->model, "v_threshold")] =
        (struct quantity){.kind = QUANTITY_CONSTANT, .constant = threshold};
    return blueprint->population_count - 1;
}

/* Takes over `spikes`, sorted by tick. */
static inline void rig_feed(struct blueprint *blueprint, uint32_t population,
                            struct timed_spike *spikes, uint64_t count)
{
    blueprint->populations[population].spikes = spikes;
    blueprint->populations[population].spike_count = count;
}

/* Its weights are still to come. */
static inline struct blueprint_projection *rig_projection(struct blueprint *blueprint,
                                                          const char *name, uint32_t source,
                                                          uint32_t target, enum link_kind kind)
{
    struct error error = {0};
    struct blueprint_projection *p = blueprint_add_projection(blueprint, name, &error);
    must(p != NULL, &error);
    p->source = source;
    p->target = target;
    p->kind = kind;
    p->format = WEIGHT_FLOAT;
    p->delay = RIG_TICK;
    return p;
}

static inline double *rig_weights(struct blueprint_projection *projection, uint64_t count)
{
    projection->weights = calloc(count, sizeof *projection->weights);
    assert_non_null(projection->weights);
    return projection->weights;
}

static inline void rig_place(struct blueprint *blueprint, uint32_t population, uint32_t first,
                             uint32_t count, uint32_t core)
{
    uint32_t length = blueprint->placement_count;
    struct blueprint_placement *placements =
        realloc(blueprint->placements, (length + 1) * sizeof *placements);
    assert_non_null(placements);
    placements[length] = (struct blueprint_placement){population, first, count, core};
    blueprint->placements = placements;
    blueprint->placement_count = length + 1;
}

/* What the run is to be. */
struct rig_run {
    int64_t ticks;   /* of each sample */
    int64_t samples; /* 0: one run without samples */
    enum trace_level level;
    bool updates; /* are counted */
};

static inline struct network *rig_network(const struct blueprint *blueprint, bool updates,
                                          struct workers *workers)
{
    struct error error = {0};
    const struct build_options options = {.workers = workers};
    struct network *network = blueprint_build(blueprint, &options, &error);
    must(network != NULL, &error);
    network->workers = workers;
    for (uint32_t i = 0; updates && i < network->population_count; i++)
        if (network->populations[i]->port_count > 0)
            must(cells_count_updates(network->populations[i], &error), &error);
    must(network_seal(network, &error), &error);
    return network;
}

/* Runs the network on paper, which it frees, traces it and reads the trace. */
static inline struct load *rig_load(struct blueprint *blueprint, struct rig_run run)
{
    struct error error = {0};
    struct workers *workers = workers_new(1, &error);
    must(workers != NULL, &error);
    struct network *network = rig_network(blueprint, run.updates, workers);
    const struct run_facts facts = {.command = "validation",
                                    .model = blueprint->name,
                                    .sampled = run.samples > 0,
                                    .placements = blueprint->placements,
                                    .placement_count = blueprint->placement_count};
    const struct trace_options options = {.level = run.level, .last = INT64_MAX};
    unlink(rig_path());
    struct tally *tally = tally_new(network, &error);
    must(tally != NULL && network_observe(network, tally_observer(tally), &error), &error);
    struct trace *trace = trace_open(rig_path(), &options, &facts, network, &error);
    must(trace != NULL && network_observe(network, trace_observer(trace), &error), &error);
    for (int64_t sample = 0; sample < run.samples || sample == 0; sample++) {
        if (sample > 0)
            network_reset(network);
        must(network_run(network, sample, run.ticks, NULL, &error) &&
                 network_finish(network, &error),
             &error);
    }
    must(trace_close(trace, tally, "done", 1, &error), &error);
    tally_free(tally);
    network_free(network);
    workers_free(workers);
    blueprint_free(blueprint);
    struct load *load = load_from_file(rig_path(), 0, &error);
    must(load != NULL, &error);
    return load;
}

static inline struct estimate *rig_estimate(const struct load *load, const struct chip *chip,
                                            struct estimate_options options)
{
    struct error error = {0};
    struct estimate *estimate = estimate_new(load, chip, &options, &error);
    must(estimate != NULL, &error);
    return estimate;
}

static inline struct chip *rig_chip(const char *name)
{
    struct error error = {0};
    struct chip *chip = chip_open(name, &error);
    must(chip != NULL, &error);
    return chip;
}

/* The peer's made-up chip, of tests/chips. */
static inline struct chip *rig_example_chip(void)
{
    char path[1024];
    const char *data = getenv("VOLLEY_TEST_DATA");
    if (data == NULL)
        fail_msg("VOLLEY_TEST_DATA says where tests/golden is");
    snprintf(path, sizeof path, "%s/../chips/example_sanafe.json", data);
    return rig_chip(path);
}

/* Sums over rows. */
static inline struct estimate_events rig_events(const struct estimate *estimate)
{
    struct estimate_events sum = {0};
    for (uint32_t r = 0; r < estimate->row_count; r++) {
        const struct estimate_events *own = &estimate->rows[r].events;
        for (int kind = 0; kind < 3; kind++)
            sum.synops[kind] += own->synops[kind];
        sum.macs += own->macs;
        sum.accesses += own->accesses;
        sum.updates += own->updates;
        sum.spikes += own->spikes;
        sum.traffic.messages += own->traffic.messages;
        sum.traffic.hops_east += own->traffic.hops_east;
        sum.traffic.hops_west += own->traffic.hops_west;
        sum.traffic.hops_north += own->traffic.hops_north;
        sum.traffic.hops_south += own->traffic.hops_south;
        sum.traffic.hops_local += own->traffic.hops_local;
        sum.traffic.links += own->traffic.links;
    }
    return sum;
}

/* A double as the peer prints it. */
static inline void rig_same_digits(const char *what, double value, const char *expected)
{
    char text[32];
    snprintf(text, sizeof text, "%.6e", value);
    if (strcmp(text, expected) != 0)
        fail_msg("%s: %s, not %s", what, text, expected);
}

static inline void rig_same_count(const char *what, double value, double expected)
{
    if (value != expected)
        fail_msg("%s: %.10g, not %.10g", what, value, expected);
}

static inline void rig_near(const char *what, double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance * fabs(expected)))
        fail_msg("%s: %.12g, not %.12g", what, value, expected);
}

#endif
