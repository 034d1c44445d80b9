/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/made_network.h"

#include <stdlib.h>

static const struct population_model model = {.name = "made"};
static const struct projection_kind kind = {.name = "made"};

static const struct {
    char *name;
    int32_t layer;
    uint32_t neurons;
} shapes[MADE_POPULATIONS] = {
    {"source", -1, 10}, {"layer.0.early", 0, 150}, {"layer.0.late", 0, 64},
    {"layer.1.attend", 1, 37}, {"plain", -1, 90},
};

static const struct {
    char *name;
    uint32_t source, target;
    enum carries carries;
    uint64_t weights; /* 0: none of its own */
} wires[MADE_PROJECTIONS] = {
    {"source-early", 0, 1, CARRIES_VALUES, 1500},
    {"early-late", 1, 2, CARRIES_SPIKES, 150 * 64},
    {"early-attend", 1, 3, CARRIES_SPIKES, 150 * 37},
    {"late-attend", 2, 3, CARRIES_SPIKES, 64 * 37},
    {"attend-late", 3, 2, CARRIES_SPIKES, 0},
    {"plain-plain", 4, 4, CARRIES_SPIKES, 90 * 90},
};

static uint32_t mix(uint32_t x)
{
    x = (x ^ x >> 16) * UINT32_C(0x7feb352d);
    x = (x ^ x >> 15) * UINT32_C(0x846ca68b);
    return x ^ x >> 16;
}

static uint32_t mixed(uint32_t population, uint32_t neuron, int64_t position)
{
    return mix(population * 7919 + mix(neuron + mix((uint32_t)position)));
}

int32_t made_count(uint32_t population, uint32_t neuron, int64_t position)
{
    uint32_t x = mixed(population, neuron, position);
    if (x % 1000 == 0)
        return (int32_t)(x >> 12) % 700; /* beyond lookups and histogram */
    if (neuron / 20 % 3 == 1 || x % 4 == 0)
        return 0;
    return (int32_t)(x >> 8) % 9 - 4;
}

struct made *made_new(const char *coding_name)
{
    const struct coding *coding = coding_find(coding_name, NULL);
    struct made *made = calloc(1, sizeof *made);
    if (coding == NULL || made == NULL)
        abort();
    for (uint32_t i = 0; i < MADE_POPULATIONS; i++) {
        struct population *population = &made->populations[i];
        *population = (struct population){.id = i, .name = shapes[i].name, .model = &model,
                                          .layer = shapes[i].layer, .neurons = shapes[i].neurons,
                                          .lanes_limit = MADE_LANES};
        if (i >= 1 && i <= 3)
            population->train = train_new(coding, shapes[i].neurons, 1, MADE_LANES);
        made->ports[i][0] = (struct port){.name = "in", .width = shapes[i].neurons};
        made->ports[i][1] = (struct port){.name = "keys", .width = MADE_KEYS};
        population->ports = made->ports[i];
        population->port_count = i > 0 ? 2 : 0;
        made->population_list[i] = population;
    }
    made->populations[4].clocked = true;
    made->populations[4].spikes = made->plain = calloc(shapes[4].neurons, sizeof *made->plain);
    for (uint32_t p = 0; p < MADE_PROJECTIONS; p++) {
        uint32_t neurons = shapes[wires[p].source].neurons;
        struct projection *projection = &made->projections[p];
        *projection = (struct projection){.id = p, .name = wires[p].name, .kind = &kind,
                                          .source = &made->populations[wires[p].source],
                                          .target = &made->populations[wires[p].target],
                                          .carries = wires[p].carries, .port = p == 2, .delay = 1,
                                          .weight_count = wires[p].weights,
                                          .parameters = wires[p].weights,
                                          .bytes = wires[p].weights};
        if (wires[p].weights > 0) {
            made->fan_out[p] = calloc(neurons, sizeof *made->fan_out[p]);
            for (uint32_t i = 0; i < neurons; i++) {
                made->fan_out[p][i] = (uint32_t)(wires[p].weights / neurons) - i % 3;
                projection->synapses += made->fan_out[p][i];
            }
            projection->fan_out = made->fan_out[p];
        }
        made->projection_list[p] = projection;
    }
    made->network = (struct network){.name = "made", .lanes_limit = MADE_LANES,
                                     .kernels = kernels_find("plain", NULL),
                                     .populations = made->population_list,
                                     .population_count = MADE_POPULATIONS,
                                     .projections = made->projection_list,
                                     .projection_count = MADE_PROJECTIONS};
    return made;
}

void made_free(struct made *made)
{
    for (uint32_t i = 0; i < MADE_POPULATIONS; i++)
        train_free(made->populations[i].train);
    for (uint32_t p = 0; p < MADE_PROJECTIONS; p++)
        free(made->fan_out[p]);
    free(made->plain);
    free(made);
}

static bool show(struct made *made, const struct firing *firing, struct error *error)
{
    for (uint32_t i = 0; i < made->network.observer_count; i++) {
        const struct observer *observer = &made->network.observers[i];
        if (!observer->fired(observer->self, firing, error))
            return false;
    }
    return true;
}

bool made_wave(struct made *made, int64_t position, uint32_t lanes, bool cut,
               struct error *error)
{
    struct wave wave = {.position = position, .lanes = lanes};
    int64_t ticks[MADE_LANES] = {0};
    for (uint32_t i = 1; i <= 3; i++) {
        struct train *train = made->populations[i].train;
        for (uint32_t lane = 0; lane < lanes; lane++) {
            int32_t *count = train->count + (size_t)lane * train->neurons;
            for (uint32_t n = 0; n < train->neurons; n++)
                count[n] = made_count(i, n, position + lane);
            train->frame[lane] = coding_frame(train->coding, count, train->neurons);
            train->tick[lane] = ticks[lane] + 1;
            ticks[lane] += train->frame[lane].ticks + 1;
        }
        train_seal(train, lanes);
        struct firing firing = {.population = &made->populations[i], .train = train,
                                .tick = train->tick[0], .wave = &wave};
        if (!show(made, &firing, error))
            return false;
    }
    made->projections[4].synops += lanes * 1000;
    for (uint32_t i = 0; !cut && i < made->network.observer_count; i++) {
        const struct observer *observer = &made->network.observers[i];
        if (observer->wave_done != NULL &&
            !observer->wave_done(observer->self, &wave, ticks, error))
            return false;
    }
    return true;
}

bool made_clocked(struct made *made, int64_t tick, struct error *error)
{
    struct population *population = &made->populations[4];
    population->spike_count = 0;
    for (uint32_t n = 0; n < population->neurons; n++)
        if (mixed(4, n, tick) % 10 == 0)
            made->plain[population->spike_count++] = (struct spike){.neuron = n, .payload = 1};
    struct wave wave = {0};
    struct firing firing = {.population = population, .tick = tick, .spikes = made->plain,
                            .spike_count = population->spike_count, .wave = &wave};
    return population->spike_count == 0 || show(made, &firing, error);
}
