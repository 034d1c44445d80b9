/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A network of integrate-and-fire neurons through the one loop, against a plain
 * simulation of the same equations written out here tick by tick; and what the
 * network refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "neurons/cells.h"
#include "neurons/delivery/dense.h"
#include "neurons/delivery/one_to_one.h"
#include "traces/tally.h"

enum { DRIVEN = 7, INNER = 5, TICKS = 400, FORWARD_DELAY = 3, BACK_DELAY = 170 };

struct parameters {
    double resistance, threshold, reset, initial, step;
};

static const struct parameters driven = {2, 1, 0, 0, 0.1};
static const struct parameters inner = {1, 0.8, -0.25, 0.1, 0.5};

/* A number in [0, 1) that is the same everywhere. */
static double pseudo_random(uint32_t i)
{
    uint64_t x = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 31)) * UINT64_C(0xBF58476D1CE4E5B9);
    return (double)((x ^ (x >> 29)) >> 11) * 0x1p-53;
}

static float forward_weight(uint32_t target, uint32_t source)
{
    return (target + source) % 4 == 0 ? 0 : (float)pseudo_random(target * 31 + source) - 0.3f;
}

static float back_weight(uint32_t target, uint32_t source)
{
    return (float)pseudo_random(1000 + target * 31 + source) - 0.5f;
}

static double drive(uint32_t neuron)
{
    return 0.5 + 3 * pseudo_random(2000 + neuron);
}

/* Who fired when: [TICKS][DRIVEN + INNER]. */
typedef bool raster[TICKS][DRIVEN + INNER];

/* The equations, written out: nothing of the library takes part. */
static void simulate_plainly(raster fired)
{
    double v[DRIVEN + INNER];
    for (int i = 0; i < DRIVEN; i++)
        v[i] = driven.initial;
    for (int i = 0; i < INNER; i++)
        v[DRIVEN + i] = inner.initial;
    for (int t = 0; t < TICKS; t++) {
        for (int i = 0; i < DRIVEN; i++) {
            double current = 0;
            for (int j = 0; j < INNER && t >= BACK_DELAY; j++)
                if (fired[t - BACK_DELAY][DRIVEN + j])
                    current += (double)back_weight((uint32_t)i, (uint32_t)j);
            v[i] += driven.resistance * (current + drive((uint32_t)i)) * driven.step;
            fired[t][i] = v[i] > driven.threshold;
            if (fired[t][i])
                v[i] = driven.reset;
        }
        for (int i = 0; i < INNER; i++) {
            double current = 0;
            for (int j = 0; j < DRIVEN && t >= FORWARD_DELAY; j++)
                if (fired[t - FORWARD_DELAY][j])
                    current += (double)forward_weight((uint32_t)i, (uint32_t)j);
            v[DRIVEN + i] += inner.resistance * current * inner.step;
            fired[t][DRIVEN + i] = v[DRIVEN + i] > inner.threshold;
            if (fired[t][DRIVEN + i])
                v[DRIVEN + i] = inner.reset;
        }
    }
}

static bool note_spikes(void *self, const struct firing *firing, struct error *error)
{
    (void)error;
    bool (*fired)[DRIVEN + INNER] = self;
    uint32_t offset = firing->population->id == 0 ? 0 : DRIVEN;
    for (uint32_t i = 0; i < firing->spike_count; i++) {
        assert_int_equal(firing->spikes[i].payload, 1);
        fired[firing->tick][offset + firing->spikes[i].neuron] = true;
    }
    return true;
}

static struct population *cells_of(struct network *network, const char *name, uint32_t neurons,
                                   struct parameters p, const double *drive_of,
                                   struct error *error)
{
    const struct cell_model *model = cell_model_find("if", error);
    struct cell_settings settings = {.rules = {.dt = p.step}};
    const double *const values[] = {&p.resistance, &p.threshold, &p.reset};
    static const char *const names[] = {"r", "v_threshold", "v_reset"};
    for (int i = 0; i < 3; i++) {
        settings.parameter[cell_model_parameter(model, names[i])] = values[i];
        settings.parameter_length[cell_model_parameter(model, names[i])] = 1;
    }
    settings.initial[0] = &p.initial;
    settings.initial_length[0] = 1;
    settings.drive[0] = drive_of;
    return cells_new(network, name, model, neurons, &settings, error);
}

static struct dense *weights_of(uint32_t outputs, uint32_t inputs,
                                float (*weight)(uint32_t, uint32_t), struct error *error)
{
    double *weights = malloc((size_t)outputs * inputs * sizeof *weights);
    assert_non_null(weights);
    for (uint32_t o = 0; o < outputs; o++)
        for (uint32_t i = 0; i < inputs; i++)
            weights[o * inputs + i] = (double)weight(o, i);
    struct dense *dense = dense_new(outputs, inputs, weights, WEIGHT_FLOAT, 1, error);
    free(weights);
    assert_non_null(dense);
    return dense;
}

static struct network *build(struct workers *workers)
{
    struct error error = {0};
    struct network *network = network_new("two populations", 1);
    double current[DRIVEN];
    for (uint32_t i = 0; i < DRIVEN; i++)
        current[i] = drive(i);
    struct population *first = cells_of(network, "driven", DRIVEN, driven, current, &error);
    struct population *second = cells_of(network, "inner", INNER, inner, NULL, &error);
    assert_non_null(network_add_projection(
        network, "forward", &projection_dense, weights_of(INNER, DRIVEN, forward_weight, &error),
        first, CARRIES_SPIKES, second, 0, FORWARD_DELAY, &error));
    assert_non_null(network_add_projection(
        network, "back", &projection_dense, weights_of(DRIVEN, INNER, back_weight, &error), second,
        CARRIES_SPIKES, first, 0, BACK_DELAY, &error));
    for (uint32_t i = 0; i < network->projection_count; i++)
        dense_describe(network->projections[i]);
    network->workers = workers;
    assert_true(network_seal(network, &error));
    return network;
}

/* Spikes reaching weights that are not zero, from the raster. */
static uint64_t forward_synops(raster fired)
{
    uint64_t synops = 0;
    for (int t = 0; t < TICKS; t++)
        for (uint32_t j = 0; j < DRIVEN; j++)
            for (uint32_t i = 0; i < INNER && fired[t][j]; i++)
                synops += forward_weight(i, j) != 0;
    return synops;
}

static void test_integrate_and_fire(void **state)
{
    (void)state;
    static raster expected, fired;
    memset(expected, 0, sizeof expected);
    simulate_plainly(expected);
    uint32_t spikes[2] = {0};
    for (int t = 0; t < TICKS; t++)
        for (int i = 0; i < DRIVEN + INNER; i++)
            spikes[i >= DRIVEN] += expected[t][i];
    assert_true(spikes[0] > 100 && spikes[1] > 20); /* both populations do something */
    for (uint32_t threads = 1; threads <= 3; threads++) {
        struct error error = {0};
        struct workers *workers = workers_new(threads, &error);
        struct network *network = build(workers);
        struct observer observer = {fired, note_spikes, NULL};
        assert_true(network_observe(network, observer, &error));
        struct tally *tally = tally_new(network, &error);
        assert_true(network_observe(network, tally_observer(tally), &error));
        for (int again = 0; again < 2; again++) { /* and once more after a reset */
            memset(fired, 0, sizeof fired);
            assert_true(network_run(network, again, TICKS / 4, NULL, &error)); /* in two pieces */
            assert_true(network_run(network, again, TICKS - TICKS / 4, NULL, &error));
            assert_memory_equal(fired, expected, sizeof fired);
            assert_int_equal(tally_synops(tally, 0), (again + 1) * forward_synops(expected));
            network_reset(network);
        }
        tally_free(tally);
        network_free(network);
        workers_free(workers);
    }
}

/* A charge of R·I·dt = 0.25 a tick crosses 1 (strictly) at the fifth tick, whose index is 4. */
static void test_by_hand(void **state)
{
    (void)state;
    static raster fired;
    struct error error = {0};
    struct workers *workers = workers_new(1, &error);
    struct network *network = network_new("one neuron", 1);
    const struct parameters p = {1, 1, 0, 0, 0.25};
    const double one = 1;
    struct population *cell = cells_of(network, "cell", 1, p, &one, &error);
    network->workers = workers;
    assert_true(network_seal(network, &error));
    struct observer observer = {fired, note_spikes, NULL};
    network_observe(network, observer, &error);
    assert_true(network_run(network, 0, 12, NULL, &error));
    for (int t = 0; t < 12; t++)
        assert_int_equal(fired[t][0], t == 4 || t == 9);
    double potential;
    cells_read(cell, 0, 11, &potential);
    assert_true(potential == 0.5);
    network_free(network);
    workers_free(workers);
}

static void test_refuses(void **state)
{
    (void)state;
    struct error error = {0};
    struct workers *workers = workers_new(1, &error);
    struct network *network = network_new("wrong", 1);
    network->workers = workers;
    struct population *a = cells_of(network, "a", 2, inner, NULL, &error);
    struct projection *wire = network_add_projection(network, "wire", &projection_one_to_one, NULL,
                                                     a, CARRIES_VALUES, a, 0, 1, &error);
    assert_false(network_seal(network, &error));
    assert_non_null(strstr(error.text, "puts out no values"));
    error.code = ERROR_NONE;
    wire->carries = CARRIES_SPIKES;
    wire->delay = 0;
    assert_false(network_seal(network, &error));
    assert_non_null(strstr(error.text, "loop in which nothing takes time"));
    error.code = ERROR_NONE;
    wire->delay = 1;
    wire->port = 1;
    assert_false(network_seal(network, &error));
    assert_non_null(strstr(error.text, "has no port 1"));
    network_free(network);
    workers_free(workers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integrate_and_fire),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests_name("network", tests, NULL, NULL);
}
