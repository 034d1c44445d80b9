/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * NeuroBench's metrics. With, for a projection of source s, neuron n's firings a[n], spikes c[n]
 * and non-zero weights f[n]:
 *
 *     effective = sum of a[n] f[n],   spread = sum of c[n] f[n],   dense = weight_count x calls
 *
 * The run counted one of the first two itself (the synops: of a language model those of spikes that
 * were delivered, of a spiking network firings); both are scaled so that this one agrees, because
 * not all that fires need be delivered (a readout sees the last token only).
 */
#include "traces/energy/neurobench.h"

#include <string.h>

/* NeuroBench has a layer for it. */
static bool is_layer(const struct load_projection *projection)
{
    static const char *const others[] = {"pooling", "diagonal"};
    for (size_t i = 0; projection->kind_name != NULL && i < sizeof others / sizeof *others; i++)
        if (strcmp(projection->kind_name, others[i]) == 0)
            return false;
    return projection->weighted && !projection->one_to_one;
}

static const struct load_population *source_of(const struct load *load,
                                               const struct load_projection *projection)
{
    return &load->populations[projection->source];
}

/* How often a vector of the population goes through a projection. Vectors of values are not
 * counted: there is one for each tick or token. */
static double calls_of(const struct load *load, const struct load_population *source)
{
    if (source->tally.vectors > 0)
        return (double)source->tally.vectors;
    if (source->spiking)
        return 0;
    return source->clocked ? (double)load->ticks : load_inferences(load);
}

/* Weights of the full matrix, those that are not connected, too. */
static double full_weights(const struct load *load, const struct load_projection *projection)
{
    double weights = (double)projection->weight_count;
    if (projection->kind != SYNAPSES_SPARSE)
        return weights;
    uint32_t targets = projection->compartment < load->compartment_count
                           ? load->compartments[projection->compartment].width
                           : load->populations[projection->target].neurons;
    double pairs = (double)source_of(load, projection)->neurons * targets;
    return pairs > weights ? pairs : weights;
}

/* times [neurons], or NULL: `total` evenly. */
static double meet(const struct load_population *source, const struct load_projection *projection,
                   const uint64_t *times, uint64_t total)
{
    if (source->neurons == 0)
        return 0;
    double mean = (double)projection->synapses / source->neurons;
    if (times == NULL || projection->fan_out == NULL)
        return (double)total * mean;
    double sum = 0;
    for (uint32_t n = 0; n < source->neurons; n++)
        sum += (double)times[n] * projection->fan_out[n];
    return sum;
}

/* Operations of one projection in the whole run. */
struct operations {
    double effective, spread;
};

static struct operations spike_operations(const struct load *load,
                                          const struct load_projection *projection)
{
    const struct load_population *source = source_of(load, projection);
    struct operations sum = {
        .effective = meet(source, projection, source->active, source->active_total),
        .spread = meet(source, projection, source->spikes, source->spikes_total),
    };
    double counted = (double)projection->synops;
    double expected = source->clocked ? sum.effective : sum.spread;
    if (expected > 0) {
        sum.effective *= counted / expected;
        sum.spread *= counted / expected;
    }
    return sum;
}

static void add_spikes(struct neurobench *sum, const struct load *load,
                       const struct load_projection *projection)
{
    const struct load_population *source = source_of(load, projection);
    struct operations operations = spike_operations(load, projection);
    bool binary = source->clocked && source->spikes_total == source->active_total;
    *(binary ? &sum->effective_acs : &sum->effective_macs) += operations.effective;
    sum->spread_acs += operations.spread;
}

static void add_values(struct neurobench *sum, const struct load *load,
                       const struct load_projection *projection)
{
    const struct load_population *source = source_of(load, projection);
    double macs = (double)projection->synops;
    if (!source->clocked) {
        macs = (double)projection->synapses * calls_of(load, source);
        sum->value_macs_bounded = true;
    }
    sum->effective_macs += macs;
    sum->value_macs += macs;
}

/* Weights held, a convolution's once; full: with those of pairs that are not connected. */
struct weights {
    double held, full, zeros, full_zeros;
};

static void add_weights(struct weights *sum, const struct load *load,
                        const struct load_projection *projection)
{
    double connections = (double)projection->weight_count, held = (double)projection->parameters;
    if (connections <= 0)
        return;
    double zeros = held * (connections - (double)projection->synapses) / connections;
    double absent = full_weights(load, projection) - connections;
    sum->held += held;
    sum->zeros += zeros;
    sum->full += held + absent;
    sum->full_zeros += zeros + absent;
}

static void add_projections(struct neurobench *sum, const struct load *load)
{
    struct weights weights = {0};
    for (uint32_t p = 0; p < load->projection_count; p++) {
        const struct load_projection *projection = &load->projections[p];
        sum->footprint += (double)projection->bytes;
        sum->footprint_float32 += 4 * (double)projection->parameters;
        if (!is_layer(projection)) {
            sum->other_synops += projection->weighted ? (double)projection->synops : 0;
            continue;
        }
        double calls = calls_of(load, source_of(load, projection));
        sum->dense += (double)projection->weight_count * calls;
        sum->dense_full += full_weights(load, projection) * calls;
        add_weights(&weights, load, projection);
        if (projection->spikes)
            add_spikes(sum, load, projection);
        else
            add_values(sum, load, projection);
    }
    if (weights.held > 0)
        sum->connection_sparsity = weights.zeros / weights.held;
    if (weights.full > 0)
        sum->connection_sparsity_full = weights.full_zeros / weights.full;
}

static void add_updates(struct neurobench *sum, const struct load *load,
                        const struct load_population *population)
{
    if (population->input || !(population->clocked || population->spiking))
        return;
    double all = population->neurons * calls_of(load, population);
    sum->neuron_updates_dense += all;
    if (!population->clocked) {
        sum->neuron_updates += all;
        return;
    }
    if (population->updates == NULL) {
        sum->neuron_updates += all;
        sum->updates_bounded = true;
        return;
    }
    for (uint32_t n = 0; n < population->neurons; n++)
        sum->neuron_updates += (double)population->updates[n];
}

static void add_populations(struct neurobench *sum, const struct load *load)
{
    double silent = 0, channels = 0, spikes = 0, slots = 0;
    for (uint32_t i = 0; i < load->population_count; i++) {
        const struct load_population *population = &load->populations[i];
        add_updates(sum, load, population);
        if (!population->spiking || population->input)
            continue;
        silent += (double)population->tally.silent;
        channels += (double)population->tally.channels;
        spikes += (double)population->tally.spikes;
        slots += (double)population->tally.slots;
    }
    if (channels > 0)
        sum->activation_sparsity = silent / channels;
    if (slots > 0)
        sum->activation_sparsity_spread = 1 - spikes / slots;
}

struct neurobench neurobench_of(const struct load *load)
{
    struct neurobench sum = {0};
    double inferences = load_inferences(load);
    add_projections(&sum, load);
    add_populations(&sum, load);
    double *const rates[] = {&sum.dense,        &sum.dense_full,     &sum.effective_macs,
                             &sum.effective_acs, &sum.spread_acs,    &sum.value_macs,
                             &sum.neuron_updates, &sum.neuron_updates_dense, &sum.other_synops};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        *rates[i] /= inferences;
    return sum;
}
