/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * NeuroBench's metrics against its check vector, and against its definitions written out: full
 * matrices, every input of every call looked at.
 */
#include "traces/energy/neurobench.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 16 };

static bool near(double value, double expected)
{
    return fabs(value - expected) <= 1e-12 * fabs(expected);
}

/* One layer as NeuroBench sees it, and the load that Volley would have of it. */
struct layer {
    uint32_t inputs, outputs, calls;
    double weight[MOST][MOST]; /* [outputs][inputs] */
    int32_t input[MOST][MOST]; /* [calls][inputs] */
};

struct recorded {
    struct load load;
    struct load_population populations[2];
    struct load_projection projection;
    uint64_t active[MOST], spikes[MOST];
    uint32_t fan_out[MOST];
};

static void count_input(struct recorded *recorded, uint32_t neuron, int32_t value)
{
    struct load_population *source = &recorded->populations[0];
    recorded->active[neuron] += value != 0;
    recorded->spikes[neuron] += (uint64_t)abs(value);
    source->tally.silent += value == 0;
    source->tally.channels++;
    source->active_total += value != 0;
    source->spikes_total += (uint64_t)abs(value);
}

/* `clocked`: a spiking network, whose spikes carry payloads; else a language model's counts, each
 * spread over a train. */
static void record(struct recorded *recorded, const struct layer *layer, bool clocked)
{
    memset(recorded, 0, sizeof *recorded);
    recorded->load = (struct load){.clocked = clocked,
                                   .positions = clocked ? 1 : layer->calls,
                                   .ticks = layer->calls,
                                   .populations = recorded->populations,
                                   .population_count = 2,
                                   .projections = &recorded->projection,
                                   .projection_count = 1};
    recorded->populations[0] = (struct load_population){.neurons = layer->inputs,
                                                        .spiking = true,
                                                        .clocked = clocked,
                                                        .active = recorded->active,
                                                        .spikes = recorded->spikes};
    recorded->populations[0].tally.vectors = layer->calls;
    recorded->populations[1] =
        (struct load_population){.neurons = layer->outputs, .clocked = clocked};
    recorded->projection = (struct load_projection){
        .spikes = true, .weighted = true, .target = 1, .compartment = UINT32_MAX,
        .weight_count = (uint64_t)layer->inputs * layer->outputs, .fan_out = recorded->fan_out};
    for (uint32_t o = 0; o < layer->outputs; o++)
        for (uint32_t i = 0; i < layer->inputs; i++)
            recorded->fan_out[i] += layer->weight[o][i] != 0;
    for (uint32_t i = 0; i < layer->inputs; i++)
        recorded->projection.synapses += recorded->fan_out[i];
    recorded->projection.parameters = recorded->projection.weight_count;
    recorded->projection.bytes = recorded->projection.weight_count * 2;
    for (uint32_t c = 0; c < layer->calls; c++)
        for (uint32_t i = 0; i < layer->inputs; i++) {
            int32_t value = layer->input[c][i];
            count_input(recorded, i, value);
            recorded->projection.synops +=
                (uint64_t)recorded->fan_out[i] * (uint64_t)(clocked ? value != 0 : abs(value));
        }
    recorded->populations[0].tally.spikes = recorded->populations[0].spikes_total;
    recorded->populations[0].tally.slots = 7 * recorded->populations[0].tally.channels;
}

/* The definition: all inputs and weights that are not 0. */
static double effective(const struct layer *layer)
{
    double sum = 0;
    for (uint32_t c = 0; c < layer->calls; c++)
        for (uint32_t o = 0; o < layer->outputs; o++)
            for (uint32_t i = 0; i < layer->inputs; i++)
                sum += layer->input[c][i] != 0 && layer->weight[o][i] != 0;
    return sum;
}

static const struct layer vector_of_facts = {
    .inputs = 3, .outputs = 3, .calls = 1,
    .weight = {{1.3, 0, -3.2}, {0, 1.2, -5.1}, {-1.1, 2.7, 0}},
    .input = {{0, 2, -1}}, /* as 0, 1.3, -1 are: nothing, graded, -1 */
};

static void check_vector(void **state)
{
    (void)state;
    struct recorded recorded;
    record(&recorded, &vector_of_facts, true);
    struct neurobench found = neurobench_of(&recorded.load);
    assert_true(found.dense == 9 && found.dense_full == 9);
    assert_true(found.effective_macs == 4 && found.effective_acs == 0 && found.value_macs == 0);
    assert_true(found.spread_acs == 2 * 2 + 1 * 2);
    assert_true(near(found.connection_sparsity, 3.0 / 9));
    assert_true(near(found.activation_sparsity, 1.0 / 3));
    assert_true(found.footprint == 18 && found.footprint_float32 == 36);

    struct layer binary = vector_of_facts;
    binary.input[0][1] = 1;
    record(&recorded, &binary, true);
    found = neurobench_of(&recorded.load);
    assert_true(found.effective_acs == 4 && found.effective_macs == 0 && found.spread_acs == 4);
}

/* As values between populations that compute in simulated time: counted in the run. */
static void check_vector_of_values(void **state)
{
    (void)state;
    struct recorded recorded;
    record(&recorded, &vector_of_facts, true);
    recorded.populations[0] = (struct load_population){.neurons = 3, .clocked = true};
    recorded.projection.spikes = false;
    recorded.projection.synops = 4;
    recorded.load.ticks = 5;
    struct neurobench found = neurobench_of(&recorded.load);
    assert_true(found.dense == 5 * 9);
    assert_true(found.effective_macs == 4 && found.value_macs == 4 && !found.value_macs_bounded);
    assert_true(found.effective_acs == 0 && found.spread_acs == 0);
    assert_true(found.activation_sparsity == 0);
}

/* Of a language model they are not: all of them, at weights that are not 0. */
static void values_of_a_language_model(void **state)
{
    (void)state;
    struct recorded recorded;
    record(&recorded, &vector_of_facts, false);
    recorded.load.positions = 10;
    recorded.populations[0] = (struct load_population){.neurons = 3};
    recorded.projection.spikes = false;
    recorded.projection.synops = 0;
    struct neurobench found = neurobench_of(&recorded.load);
    assert_true(found.dense == 9 && found.effective_macs == 6 && found.value_macs == 6);
    assert_true(found.value_macs_bounded);
}

static uint32_t random_below(uint32_t limit)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state % limit);
}

static void random_layer(struct layer *layer, bool binary)
{
    memset(layer, 0, sizeof *layer);
    layer->inputs = 1 + random_below(MOST);
    layer->outputs = 1 + random_below(MOST);
    layer->calls = 1 + random_below(MOST);
    for (uint32_t o = 0; o < layer->outputs; o++)
        for (uint32_t i = 0; i < layer->inputs; i++)
            layer->weight[o][i] = random_below(3);
    for (uint32_t c = 0; c < layer->calls; c++)
        for (uint32_t i = 0; i < layer->inputs; i++)
            layer->input[c][i] = (int32_t)random_below(binary ? 3 : 9) - (binary ? 1 : 4);
}

static void random_layers_by_the_definition(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        bool binary = round % 3 == 0, clocked = round % 3 < 2;
        struct layer layer;
        struct recorded recorded;
        random_layer(&layer, binary);
        record(&recorded, &layer, clocked);
        struct neurobench found = neurobench_of(&recorded.load);
        double calls = clocked ? layer.calls : 1; /* a token is a call */
        double expected = effective(&layer) * calls / layer.calls;
        bool adds = clocked && recorded.populations[0].spikes_total ==
                                   recorded.populations[0].active_total;
        assert_true(near(found.dense, (double)layer.inputs * layer.outputs * calls));
        assert_true(near(adds ? found.effective_acs : found.effective_macs, expected));
        assert_true((adds ? found.effective_macs : found.effective_acs) == 0);
        if (adds)
            assert_true(near(found.spread_acs, expected));
        if (!clocked)
            assert_true(near(found.spread_acs, (double)recorded.projection.synops / layer.calls));
    }
}

/* Only what was delivered counts: a readout sees one vector of four here. */
static void what_is_not_delivered_is_no_operation(void **state)
{
    (void)state;
    struct recorded recorded;
    struct layer layer = vector_of_facts;
    layer.calls = 4;
    for (int c = 1; c < 4; c++)
        memcpy(layer.input[c], layer.input[0], sizeof layer.input[0]);
    record(&recorded, &layer, false);
    recorded.projection.synops /= 4;
    struct neurobench found = neurobench_of(&recorded.load);
    assert_true(near(found.spread_acs, 6.0 / 4) && near(found.effective_macs, 4.0 / 4));
}

/* Neurons of which nothing is kept one by one count as even. */
static void even_neurons(void **state)
{
    (void)state;
    struct recorded recorded;
    record(&recorded, &vector_of_facts, true);
    recorded.populations[0].active = recorded.populations[0].spikes = NULL;
    recorded.projection.fan_out = NULL;
    recorded.projection.synops = 4;
    struct neurobench found = neurobench_of(&recorded.load);
    assert_true(near(found.effective_macs, 4) && near(found.spread_acs, 6));
}

static void connections_that_are_not_there(void **state)
{
    (void)state;
    struct load_population populations[] = {
        {.neurons = 100, .spiking = true, .clocked = true, .input = true,
         .active_total = 50, .spikes_total = 50, .tally = {.vectors = 10, .channels = 1000,
                                                           .silent = 450, .slots = 1000,
                                                           .spikes = 550}},
        {.neurons = 20, .spiking = true, .clocked = true,
         .tally = {.vectors = 10, .channels = 200, .silent = 190, .slots = 200, .spikes = 10}},
    };
    struct load_compartment compartments[] = {{.width = 20}, {.width = 40}};
    struct load_projection projections[] = {
        {.kind = SYNAPSES_SPARSE, .kind_name = "sparse", .target = 1, .compartment = 1,
         .spikes = true, .weighted = true, .synapses = 300, .weight_count = 400,
         .parameters = 400, .bytes = 5000, .synops = 150},
        {.kind_name = "pooling", .target = 1, .spikes = true, .weighted = true, .synapses = 10,
         .weight_count = 10, .parameters = 1, .bytes = 4, .synops = 33},
        {.kind_name = "diagonal", .target = 1, .spikes = true, .weighted = true, .synapses = 20,
         .weight_count = 20, .parameters = 20, .bytes = 80, .synops = 7},
        {.kind_name = "one to one", .one_to_one = true, .target = 1, .spikes = true,
         .weighted = true, .synapses = 20, .weight_count = 20, .synops = 5},
    };
    struct load load = {.clocked = true, .positions = 2, .ticks = 10,
                        .populations = populations, .population_count = 2,
                        .projections = projections, .projection_count = 4,
                        .compartments = compartments, .compartment_count = 2};
    struct neurobench found = neurobench_of(&load);
    assert_true(near(found.connection_sparsity, 0.25));
    assert_true(near(found.connection_sparsity_full, 3700.0 / 4000));
    assert_true(near(found.dense, 400 * 10 / 2.0) && near(found.dense_full, 4000 * 10 / 2.0));
    assert_true(near(found.effective_acs, 75) && near(found.other_synops, 22.5));
    assert_true(near(found.footprint, 5084) && near(found.footprint_float32, 4 * 421));
    /* The input's spikes are no activations, nor is it updated. */
    assert_true(near(found.activation_sparsity, 0.95));
    assert_true(near(found.activation_sparsity_spread, 0.95));
    assert_true(found.updates_bounded && near(found.neuron_updates, 20 * 10 / 2.0));

    uint64_t updates[20] = {3, 4};
    populations[1].updates = updates;
    found = neurobench_of(&load);
    assert_true(!found.updates_bounded && near(found.neuron_updates, 3.5));
    assert_true(near(found.neuron_updates_dense, 100));
    /* Held once, used 10 times; a quarter of what is used is 0. */
    projections[0].kind = SYNAPSES_CONVOLUTION;
    projections[0].parameters = 40;
    found = neurobench_of(&load);
    assert_true(near(found.connection_sparsity, 0.25) && near(found.dense_full, 2000));
    assert_true(near(found.connection_sparsity_full, 0.25));
}

/* The report's three-slot trains: 113 spikes of 100 channels. */
static void a_language_models_trains(void **state)
{
    (void)state;
    struct load_population population = {
        .neurons = 100, .spiking = true,
        .tally = {.vectors = 10, .channels = 1000, .silent = 184, .spikes = 1130, .slots = 4000}};
    struct load load = {.positions = 10, .populations = &population, .population_count = 1};
    struct neurobench found = neurobench_of(&load);
    assert_true(near(found.activation_sparsity, 0.184));
    assert_true(near(found.activation_sparsity_spread, 1 - 1130.0 / 4000));
    assert_true(near(found.neuron_updates, 100) && !found.updates_bounded);
}

static void nothing_at_all(void **state)
{
    (void)state;
    struct load load = {0};
    struct neurobench found = neurobench_of(&load), none = {0};
    assert_true(found.dense == none.dense && found.connection_sparsity == 0);
    struct load_population populations[] = {{.spiking = true, .clocked = true}, {.neurons = 3}};
    struct load_projection projection = {.spikes = true, .target = 1};
    load = (struct load){.populations = populations, .population_count = 2,
                         .projections = &projection, .projection_count = 1};
    found = neurobench_of(&load);
    assert_true(found.dense == 0 && found.effective_acs == 0 && found.spread_acs == 0);
    assert_true(found.activation_sparsity == 0 && found.footprint == 0);
    projection.weighted = true;
    found = neurobench_of(&load);
    assert_true(found.dense == 0 && found.connection_sparsity == 0);
    /* What spikes but had nothing to encode was not called. */
    projection.weight_count = projection.synapses = 6;
    populations[0] = (struct load_population){.neurons = 2, .spiking = true};
    load.positions = 5;
    found = neurobench_of(&load);
    assert_true(found.dense == 0 && found.effective_macs == 0 && found.neuron_updates == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_vector),
        cmocka_unit_test(check_vector_of_values),
        cmocka_unit_test(values_of_a_language_model),
        cmocka_unit_test(random_layers_by_the_definition),
        cmocka_unit_test(what_is_not_delivered_is_no_operation),
        cmocka_unit_test(even_neurons),
        cmocka_unit_test(connections_that_are_not_there),
        cmocka_unit_test(a_language_models_trains),
        cmocka_unit_test(nothing_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
