/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ports that a model keeps in its state (cuba_lif_exc_inh, whose stored currents rest between
 * ticks): what every kind of projection brings, at once, by slots of delays, and as drive, against
 * the currents and the membrane written out here.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "neurons/build.h"

enum { NEURONS = 70, TICKS = 300, EVENTS = 400 };

static const double dt = 1e-4, tau_m = 0.02, tau_exc = 0.005, tau_inh = 0.01, leak = -3;

/* How the weights come. */
enum way { DIAGONAL, DIAGONAL_EACH, DENSE, LISTS, LISTS_DELAYED, DRIVEN, WAYS };

static uint32_t mixed(uint32_t i)
{
    uint64_t x = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)((x ^ x >> 29) * UINT64_C(0xBF58476D1CE4E5B9) >> 40);
}

static double weight_of(enum way way, uint32_t neuron)
{
    return way == DIAGONAL ? 1.5 : 0.25 * (mixed(neuron) % 9) - 1;
}

static uint32_t delay_of(enum way way, uint32_t neuron)
{
    return way == LISTS_DELAYED ? 1 + mixed(900 + neuron) % 5 : 1;
}

static void fill_projection(struct blueprint_projection *p, enum way way)
{
    p->target = 1;
    p->delay = dt;
    p->same = 1.5;
    p->kind = way <= DIAGONAL_EACH || way == DRIVEN ? LINK_DIAGONAL
              : way == DENSE                        ? LINK_DENSE
                                                    : LINK_LISTS;
    if (way == DIAGONAL)
        return;
    p->format = WEIGHT_FLOAT;
    size_t length = way == DENSE ? NEURONS * NEURONS : NEURONS;
    p->weights = calloc(length, sizeof *p->weights);
    for (uint32_t i = 0; i < NEURONS; i++)
        p->weights[way == DENSE ? i * NEURONS + i : i] = weight_of(way, i);
    if (p->kind != LINK_LISTS)
        return;
    p->synapses = NEURONS;
    p->sources = calloc(NEURONS, sizeof *p->sources);
    p->targets = calloc(NEURONS, sizeof *p->targets);
    p->delays = calloc(NEURONS, sizeof *p->delays);
    for (uint32_t i = 0; i < NEURONS; i++) {
        p->sources[i] = p->targets[i] = i;
        p->delays[i] = delay_of(way, i) * dt;
    }
}

static void set(struct blueprint_population *p, const char *name, double value)
{
    struct quantity *quantity = &p->parameter[cell_model_parameter(p->model, name)];
    quantity->kind = QUANTITY_CONSTANT;
    quantity->constant = value;
}

static struct blueprint *describe(enum way way, uint32_t port)
{
    struct error error = {0};
    struct blueprint *blueprint = blueprint_new("kept");
    blueprint->rules = (struct cell_rules){.dt = dt, .area = AREA_JUMP};
    struct blueprint_population *input = blueprint_add_population(blueprint, "in", &error);
    input->neurons = NEURONS;
    struct blueprint_population *cells = blueprint_add_population(blueprint, "cells", &error);
    cells->model = cell_model_find("cuba_lif_exc_inh", &error);
    cells->neurons = NEURONS;
    set(cells, "tau_m", tau_m);
    set(cells, "tau_exc", tau_exc);
    set(cells, "tau_inh", tau_inh);
    set(cells, "v_leak", leak);
    set(cells, "v_threshold", 1e6);
    if (way == DRIVEN) {
        cells->drive[port] = calloc(NEURONS, sizeof *cells->drive[port]);
        for (uint32_t i = 0; i < NEURONS; i++)
            cells->drive[port][i] = 0.125 * (mixed(500 + i) % 7);
    }
    struct blueprint_projection *p = blueprint_add_projection(blueprint, "wire", &error);
    fill_projection(p, way);
    p->port = port;
    return blueprint;
}

/* v and both currents of one neuron, tick by tick. */
struct plain {
    double v, g, arriving[TICKS + 8];
};

static void plain_step(struct plain *plain, int64_t tick, double tau, double drive)
{
    double decay = exp(-dt / tau_m), fade = exp(-dt / tau);
    plain->g += plain->arriving[tick] + drive;
    plain->v = leak + (plain->v - leak) * decay + plain->g * tau / (tau - tau_m) * (fade - decay);
    plain->g *= fade;
}

static void compare(enum way way, uint32_t port, enum update_rule updates)
{
    struct error error = {0};
    struct blueprint *blueprint = describe(way, port);
    struct workers *workers = workers_new(1, &error);
    const struct build_options options = {.updates = updates};
    struct network *network = blueprint_build(blueprint, &options, &error);
    if (network == NULL)
        fail_msg("%s", error.text);
    network->workers = workers;
    assert_true(network_seal(network, &error));

    static struct plain plain[NEURONS];
    static struct timed_spike spikes[EVENTS];
    memset(plain, 0, sizeof plain);
    for (uint32_t i = 0; i < NEURONS; i++)
        plain[i].v = leak;
    for (uint32_t e = 0; e < EVENTS; e++) { /* one a tick and a neuron, with a pause in between */
        int64_t tick = e * TICKS / EVENTS < 150 ? e * TICKS / EVENTS : 80 + e * TICKS / EVENTS / 2;
        tick = tick > 230 ? 230 : tick;
        spikes[e] = (struct timed_spike){tick, e % NEURONS, 1 + (int32_t)(mixed(e) % 3)};
        plain[e % NEURONS].arriving[tick + delay_of(way, e % NEURONS)] +=
            weight_of(way, e % NEURONS) * spikes[e].payload;
    }
    for (uint32_t e = 1; e < EVENTS; e++)
        if (spikes[e].tick < spikes[e - 1].tick)
            fail_msg("the test's own spikes are not in order");
    assert_true(input_feed_spikes(network->populations[0], spikes, EVENTS, &error));
    double v[NEURONS], g[NEURONS];
    for (int64_t tick = 0; tick < TICKS; tick++) {
        assert_true(network_run(network, 0, 1, NULL, &error));
        cells_read(network->populations[1], 0, tick, v);
        cells_read(network->populations[1], 1 + port, tick, g);
        for (uint32_t i = 0; i < NEURONS; i++) {
            double drive = way == DRIVEN ? 0.125 * (mixed(500 + i) % 7) : 0;
            plain_step(&plain[i], tick, port == 0 ? tau_exc : tau_inh, drive);
            if (fabs(v[i] - plain[i].v) > 1e-10 || fabs(g[i] - plain[i].g) > 1e-10)
                fail_msg("way %d, port %u, tick %d, neuron %u: v %.12f, not %.12f; g %.12f, not "
                         "%.12f", way, port, (int)tick, i, v[i], plain[i].v, g[i], plain[i].g);
        }
    }
    network_free(network);
    workers_free(workers);
    blueprint_free(blueprint);
}

static void what_arrives_is_what_was_sent(void **state)
{
    (void)state;
    for (int way = 0; way < WAYS; way++)
        for (uint32_t port = 0; port < 2; port++) {
            compare((enum way)way, port, UPDATE_ALL);
            compare((enum way)way, port, UPDATE_TOUCHED);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_arrives_is_what_was_sent)};
    return cmocka_run_group_tests_name("kept ports", tests, NULL, NULL);
}
