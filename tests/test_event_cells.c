/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Event-driven cells against closed forms, against a recording, and against the differential
 * equations in small steps; and that no crossing is missed and none is made up.
 */
#include "neurons/delivery/diagonal.h"
#include "neurons/event_cells.h"
#include "neurons/models/cell_models.h"
#include "neurons/models/input.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const double NANOSECOND = 1e-9;
enum { MOST = 4096 };

static uint64_t random_state;

static double random_number(double low, double high)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return low + (high - low) * (double)(random_state >> 11) * 0x1p-53;
}

/* A population whose inputs the test adds by itself, and the spikes it has fired. */
struct rig {
    struct network *network;
    struct population *population;
    int64_t ticks[MOST];
    struct spike spikes[MOST];
    uint32_t count, updates;
};

static void set(struct cell_settings *settings, const struct cell_model *model, const char *name,
                const double *value, uint32_t length)
{
    int p = cell_model_parameter(model, name);
    assert_true(p >= 0);
    settings->parameter[p] = value;
    settings->parameter_length[p] = length;
}

static void rig_make(struct rig *rig, const struct cell_model *model, uint32_t neurons,
                     const struct cell_settings *settings)
{
    struct error error = {0};
    memset(rig, 0, sizeof *rig);
    rig->network = network_new("test", 1);
    rig->population =
        event_cells_new(rig->network, "cells", model, neurons, settings, NANOSECOND, &error);
    if (rig->population == NULL)
        fail_msg("%s", error.text);
    rig->population->due = 0;
}

static void rig_update(struct rig *rig, int64_t tick)
{
    struct moment moment = {.tick = tick};
    struct error error = {0};
    rig->updates++;
    if (!rig->population->model->update(rig->population, &moment, &error))
        fail_msg("%s", error.text);
    for (uint32_t i = 0; i < rig->population->spike_count; i++) {
        assert_true(rig->count < MOST);
        rig->ticks[rig->count] = tick;
        rig->spikes[rig->count++] = rig->population->spikes[i];
    }
}

/* All updates it asks for before `tick`. */
static void rig_run(struct rig *rig, int64_t tick)
{
    while (rig->population->due < tick)
        rig_update(rig, rig->population->due);
}

static void arrive(struct rig *rig, uint32_t port, uint32_t neuron, double weight)
{
    rig->population->ports[port].current[neuron] += weight;
    rig->population->ports[port].touched[neuron / CELL_BLOCK] = 1;
}

/* Something comes at `tick`, alone. */
static void arrive_at(struct rig *rig, int64_t tick, uint32_t port, uint32_t neuron, double weight)
{
    rig_run(rig, tick);
    arrive(rig, port, neuron, weight);
    rig_update(rig, tick);
}

static double read_v(struct rig *rig, int64_t tick)
{
    double v[64];
    assert_true(rig->population->neurons <= 64);
    assert_true(event_cells_read(rig->population, 0, tick, v));
    return v[0];
}

static struct cell_settings settings_of(enum spike_area area)
{
    return (struct cell_settings){
        .rules = {.dt = 1e-4, .integration = INTEGRATE_EVENT, .area = area}};
}

/* ---- LIF ---- */

static void test_lif_exact_is_reproduced(void **state)
{
    (void)state;
    const char *folder = getenv("VOLLEY_SHARED_DATA");
    char path[1024];
    snprintf(path, sizeof path, "%s/lif/lif_exact.csv", folder != NULL ? folder : "");
    FILE *file = folder != NULL ? fopen(path, "r") : NULL;
    if (file == NULL)
        skip();
    const double tau = 0.0025, threshold = 0.1;
    struct cell_settings s = settings_of(AREA_HOLD);
    set(&s, &lif_cells, "tau", &tau, 1);
    set(&s, &lif_cells, "v_threshold", &threshold, 1);
    struct rig rig;
    rig_make(&rig, &lif_cells, 1, &s);
    double input, v, spike, before = 0;
    int64_t rows = 0;
    uint32_t expected = 0;
    for (; fscanf(file, "%lf,%lf,%lf", &input, &v, &spike) == 3; rows++) {
        if (input != before)
            arrive_at(&rig, rows * 100000, 1, 0, input - before); /* the port for changes */
        before = input;
        rig_run(&rig, (rows + 1) * 100000 + 1);
        expected += spike != 0;
        assert_int_equal(rig.count, expected);
        assert_float_equal(read_v(&rig, (rows + 1) * 100000), v, 5e-9); /* its own precision */
    }
    fclose(file);
    assert_int_equal(rows, 1000);
    static const double crossings[] = {46.0844, 51.0898, 71.0920, 76.0909}; /* ms */
    assert_int_equal(rig.count, 4);
    for (int i = 0; i < 4; i++)
        assert_float_equal((double)rig.ticks[i] * 1e-6, crossings[i], 0.5e-4);
    network_free(rig.network);
}

static void test_lif_rate_under_constant_drive(void **state)
{
    (void)state;
    enum { NEURONS = 100 };
    double drive[NEURONS], refractory[NEURONS];
    for (uint32_t i = 0; i < NEURONS; i++) {
        drive[i] = 0.5 + 0.05 * i; /* ten and one of them never fire: the drive must pass 1 */
        refractory[i] = i % 3 * 0.0015;
    }
    struct cell_settings s = settings_of(AREA_HOLD);
    s.drive[0] = drive;
    set(&s, &lif_cells, "refractory", refractory, NEURONS);
    struct rig rig;
    rig_make(&rig, &lif_cells, NEURONS, &s);
    rig_run(&rig, 300000000); /* 0.3 s */
    uint32_t seen[NEURONS] = {0};
    for (uint32_t k = 0; k < rig.count; k++) {
        uint32_t i = rig.spikes[k].neuron, n = ++seen[i];
        double rise = -0.02 * log1p(-1 / drive[i]);
        double at = n * rise + (n - 1) * refractory[i];
        assert_true((double)rig.ticks[k] * NANOSECOND - at > -1e-12 * at - 1e-15);
        assert_true((double)rig.ticks[k] * NANOSECOND - at < NANOSECOND + 1e-12 * at);
        assert_int_equal(rig.spikes[k].payload, 1);
    }
    for (uint32_t i = 0; i < NEURONS; i++) {
        double rise = drive[i] > 1 + 1e-9 ? -0.02 * log1p(-1 / drive[i]) : INFINITY;
        double left = 0.3 - rise;
        uint32_t spikes = left < 0 ? 0 : 1 + (uint32_t)(left / (rise + refractory[i]));
        assert_int_equal(seen[i], spikes);
    }
    /* It was updated when something happened, not otherwise. */
    assert_true(rig.updates <= rig.count + 1);
    network_free(rig.network);
}

/* What a spike does by each rule: 50 us after it, and 4 ms after it. */
static void test_lif_spike_areas(void **state)
{
    (void)state;
    const double tau = 0.01, r = 2, threshold = 1e4, weight = 3;
    const double expected[][2] = {
        {weight * r * (1 - exp(-5e-5 / tau)),
         weight * r * (1 - exp(-1e-4 / tau)) * exp(-3.9e-3 / tau)},
        {weight * r / tau * exp(-5e-5 / tau), weight * r / tau * exp(-4e-3 / tau)},
        {weight * exp(-5e-5 / tau), weight * exp(-4e-3 / tau)},
    };
    for (int area = AREA_HOLD; area <= AREA_JUMP; area++) {
        struct cell_settings s = settings_of((enum spike_area)area);
        set(&s, &lif_cells, "tau", &tau, 1);
        set(&s, &lif_cells, "r", &r, 1);
        set(&s, &lif_cells, "v_threshold", &threshold, 1);
        struct rig rig;
        rig_make(&rig, &lif_cells, 1, &s);
        arrive_at(&rig, 1000000, 0, 0, weight);
        assert_float_equal(read_v(&rig, 1050000), expected[area][0], 1e-10);
        rig_run(&rig, 5000000);
        assert_float_equal(read_v(&rig, 5000000), expected[area][1], 1e-10);
        network_free(rig.network);
    }
}

static void test_held_currents_leave_nothing(void **state)
{
    (void)state;
    const double threshold = 1e9;
    struct cell_settings s = settings_of(AREA_HOLD);
    set(&s, &lif_cells, "v_threshold", &threshold, 1);
    struct rig rig;
    rig_make(&rig, &lif_cells, 2, &s);
    random_state = 2;
    double sum = 0; /* of the responses, each by itself */
    const int64_t end = 60000000;
    for (int64_t tick = 0; tick < 40000000; tick += 1 + (int64_t)random_number(0, 60000)) {
        double w = random_number(-1, 1);
        arrive_at(&rig, tick, 0, 0, w);
        sum += w * (exp(-(double)(end - tick - 100000) / 2e7) - exp(-(double)(end - tick) / 2e7));
    }
    rig_run(&rig, end);
    assert_float_equal(read_v(&rig, end), sum, 1e-12);
    assert_int_equal(rig.population->due, INT64_MAX);
    assert_float_equal(read_v(&rig, INT64_C(1) << 50), 0, 0);
    network_free(rig.network);
}

static void test_jumps_over_thresholds(void **state)
{
    (void)state;
    struct cell_settings s = settings_of(AREA_JUMP);
    struct rig rig;
    rig_make(&rig, &lif_cells, 1, &s);
    arrive_at(&rig, 10, 0, 0, 1); /* to the threshold, not above */
    assert_int_equal(rig.count, 0);
    arrive_at(&rig, 20, 0, 0, 3.5);
    assert_int_equal(rig.count, 1);
    assert_int_equal(rig.ticks[0], 20);
    assert_int_equal(rig.spikes[0].payload, 1);
    assert_float_equal(read_v(&rig, 20), 0, 0);
    network_free(rig.network);
    s.rules.reset = RESET_SUBTRACT;
    s.rules.inclusive = true;
    rig_make(&rig, &lif_cells, 1, &s);
    arrive_at(&rig, 20, 0, 0, 3.5); /* three thresholds, and half of one remains */
    assert_int_equal(rig.count, 1);
    assert_int_equal(rig.spikes[0].payload, 3);
    assert_float_equal(read_v(&rig, 20), 0.5, 0);
    arrive_at(&rig, 20, 0, 0, 0.5);
    assert_int_equal(rig.count, 2);
    network_free(rig.network);
}

static void test_jumps_are_lost_while_refractory(void **state)
{
    (void)state;
    const double refractory = 0.001;
    struct cell_settings s = settings_of(AREA_JUMP);
    set(&s, &lif_cells, "refractory", &refractory, 1);
    struct rig rig;
    rig_make(&rig, &lif_cells, 1, &s);
    arrive_at(&rig, 1000, 0, 0, 2);
    arrive_at(&rig, 1000999, 0, 0, 2);
    assert_int_equal(rig.count, 1);
    assert_float_equal(read_v(&rig, 1001000), 0, 0);
    arrive_at(&rig, 1001000, 0, 0, 2);
    assert_int_equal(rig.count, 2);
    network_free(rig.network);
}

/* An input that lifts v above the threshold for a part of a tick's thousandth, and one that
 * would but ends just before. */
static void test_crossings_between_events(void **state)
{
    (void)state;
    const double tau = 0.01;
    double rise = -tau * log1p(-1 / 1.5); /* a current of 1.5 reaches 1 */
    int64_t reach = (int64_t)ceil(rise / NANOSECOND);
    for (int late = 0; late < 2; late++) {
        struct cell_settings s = settings_of(AREA_HOLD);
        set(&s, &lif_cells, "tau", &tau, 1);
        struct rig rig;
        rig_make(&rig, &lif_cells, 1, &s);
        arrive_at(&rig, 0, 1, 0, 1.5);
        arrive_at(&rig, reach - 1 + late, 1, 0, -1.5);
        rig_run(&rig, INT64_MAX);
        assert_int_equal(rig.count, late);
        if (late)
            assert_int_equal(rig.ticks[0], reach);
        network_free(rig.network);
    }
    /* Towards the threshold for ever, never above it. */
    struct cell_settings s = settings_of(AREA_HOLD);
    struct rig rig;
    rig_make(&rig, &lif_cells, 1, &s);
    arrive_at(&rig, 0, 1, 0, 1);
    rig_run(&rig, INT64_MAX);
    assert_int_equal(rig.count, 0);
    assert_float_equal(read_v(&rig, INT64_C(1) << 50), 1, 0);
    network_free(rig.network);
}

/* ---- IF ---- */

static void test_if_fires_at_even_intervals(void **state)
{
    (void)state;
    const double r = 4, refractory = 0.001;
    struct cell_settings s = settings_of(AREA_HOLD);
    set(&s, &if_cells, "r", &r, 1);
    set(&s, &if_cells, "refractory", &refractory, 1);
    struct rig rig;
    rig_make(&rig, &if_cells, 1, &s);
    arrive_at(&rig, 500, 1, 0, 3); /* 12 a second */
    rig_run(&rig, 1000000000);
    assert_int_equal(rig.count, 11);
    for (uint32_t k = 0; k < rig.count; k++) {
        double at = 500e-9 + (k + 1) / 12.0 + k * refractory;
        assert_float_equal((double)rig.ticks[k] * NANOSECOND, at, 1.001e-9);
    }
    network_free(rig.network);
}

/* ---- CuBa-LIF ---- */

struct cuba {
    double tau_syn, tau_mem, v, i, x, threshold;
};

/* The first crossing by Runge-Kutta steps of a thousandth of a time constant, or INFINITY. */
static double cuba_crossing(struct cuba c, double end)
{
    double h = 1e-3 * (c.tau_syn < c.tau_mem ? c.tau_syn : c.tau_mem);
    for (double t = 0; t < end; t += h) {
        double v = c.v, i = c.i;
        double k[4], l[4], part[4] = {0, 0.5, 0.5, 1};
        for (int n = 0; n < 4; n++) {
            double vn = v + (n > 0 ? part[n] * h * k[n - 1] : 0);
            double in = i + (n > 0 ? part[n] * h * l[n - 1] : 0);
            k[n] = (in - vn) / c.tau_mem;
            l[n] = (c.x - in) / c.tau_syn;
        }
        c.v += h / 6 * (k[0] + 2 * k[1] + 2 * k[2] + k[3]);
        c.i += h / 6 * (l[0] + 2 * l[1] + 2 * l[2] + l[3]);
        if (c.v > c.threshold) { /* where a line between the ends, bent by the slope, meets it */
            double low = 0, high = h;
            for (int n = 0; n < 60; n++) {
                double m = (low + high) / 2, s = m / h;
                double value = v * (1 - s) * (1 - s) * (1 + 2 * s) + c.v * s * s * (3 - 2 * s) +
                               h * k[0] * s * (1 - s) * (1 - s) -
                               h * (c.i - c.v) / c.tau_mem * s * s * (1 - s);
                if (value > c.threshold)
                    high = m;
                else
                    low = m;
            }
            return t + high;
        }
    }
    return INFINITY;
}

static void test_cuba_crossings_are_those_of_the_equations(void **state)
{
    (void)state;
    random_state = 9;
    int crossed = 0, passed = 0, late = 0;
    for (int n = 0; n < 400; n++) {
        struct cuba c = {.tau_syn = n % 5 == 0 ? 0.01 : random_number(0.001, 0.02),
                         .tau_mem = n % 5 == 0 ? 0.01 : random_number(0.002, 0.02),
                         .v = random_number(-2, 0.999),
                         .i = random_number(-8, 8),
                         .x = random_number(-2, 3),
                         .threshold = 1};
        if (n % 5 == 1)
            c.tau_syn = c.tau_mem * (1 + random_number(-1e-7, 1e-7));
        double expected = cuba_crossing(c, 0.5);
        double v_leak = 0;
        struct cell_settings s = settings_of(AREA_JUMP);
        set(&s, &cuba_lif_cells, "tau_syn", &c.tau_syn, 1);
        set(&s, &cuba_lif_cells, "tau_mem", &c.tau_mem, 1);
        set(&s, &cuba_lif_cells, "v_leak", &v_leak, 1);
        s.initial[0] = &c.v;
        s.initial_length[0] = 1;
        s.initial[1] = &c.i;
        s.initial_length[1] = 1;
        s.drive[0] = &c.x;
        struct rig rig;
        rig_make(&rig, &cuba_lif_cells, 1, &s);
        rig_run(&rig, 490000000);
        double found = rig.count > 0 ? (double)rig.ticks[0] * NANOSECOND : INFINITY;
        if (expected < 0.489) {
            assert_true(rig.count > 0);
            assert_float_equal(found, expected, 2e-9);
            crossed++;
            late += expected > 0.02;
        } else {
            assert_int_equal(rig.count, 0);
            passed++;
        }
        network_free(rig.network);
    }
    assert_true(crossed > 100 && passed > 100 && late > 10);
}

/* After a jump of I by w, v rises to w/e at tau (v = w t/tau e^(-t/tau)), where the time constants
 * are equal; as good as equal is no different. */
static void test_cuba_touches_or_crosses_at_its_maximum(void **state)
{
    (void)state;
    const double tau = 0.01, near[] = {0.01, 0.01 * (1 + 1e-14), 0.01 * (1 - 3e-13)}, e = exp(1);
    for (int n = 0; n < 6; n++) {
        bool over = n % 2 == 1;
        struct cell_settings s = settings_of(AREA_JUMP);
        set(&s, &cuba_lif_cells, "tau_syn", &near[n / 2], 1);
        set(&s, &cuba_lif_cells, "tau_mem", &tau, 1);
        struct rig rig;
        rig_make(&rig, &cuba_lif_cells, 1, &s);
        arrive_at(&rig, 5000000, 0, 0, e * (over ? 1 + 1e-9 : 1 - 1e-9));
        rig_run(&rig, INT64_MAX);
        assert_int_equal(rig.count, over);
        if (over) /* 1e-9 below the maximum is sqrt(2e-9) tau before it */
            assert_float_equal((double)rig.ticks[0] * NANOSECOND, 0.015 - sqrt(2e-9) * tau, 4e-9);
        else
            assert_float_equal(read_v(&rig, 15000000), 1 - 1e-9, 1e-12);
        network_free(rig.network);
    }
}

/* While v is held by a refractory period the current goes on. */
static void test_cuba_refractory_period_counts_from_the_crossing(void **state)
{
    (void)state;
    const double tau = 0.01, refractory = 0.004;
    struct cell_settings s = settings_of(AREA_JUMP);
    set(&s, &cuba_lif_cells, "tau_syn", &tau, 1);
    set(&s, &cuba_lif_cells, "tau_mem", &tau, 1);
    set(&s, &cuba_lif_cells, "refractory", &refractory, 1);
    struct rig rig;
    rig_make(&rig, &cuba_lif_cells, 1, &s);
    arrive_at(&rig, 0, 0, 0, 5);
    rig_run(&rig, INT64_MAX);
    double low = 0, high = tau; /* 5 t/tau e^(-t/tau) = 1 */
    for (int n = 0; n < 60; n++) {
        double t = (low + high) / 2;
        if (5 * t / tau * exp(-t / tau) < 1)
            low = t;
        else
            high = t;
    }
    assert_true(rig.count >= 1);
    assert_float_equal((double)rig.ticks[0] * NANOSECOND, low, 1.001e-9);
    double from = low + refractory, current = 5 * exp(-from / tau), t = 0.03;
    assert_int_equal(rig.count, current / exp(1) > 1 ? 2 : 1);
    assert_float_equal(read_v(&rig, 30000000), current * (t - from) / tau * exp(-(t - from) / tau),
                       1e-12);
    network_free(rig.network);
}

/* ---- beside ticks, and in a network ---- */

/* The ticked, exact step with the input held for a tick is the same system: v agrees always. */
static void test_li_agrees_with_ticks(void **state)
{
    (void)state;
    struct cell_settings s = settings_of(AREA_HOLD);
    struct rig rig;
    rig_make(&rig, &cuba_li_cells, 1, &s);
    double v = 0, i = 0, a = exp(-1e-4 / 0.005), b = exp(-1e-4 / 0.02);
    double coupling = 0.005 / (0.005 - 0.02) * (a - b);
    random_state = 4;
    for (int64_t t = 0; t < 2000; t++) {
        double w = random_number(-1, 2);
        arrive_at(&rig, t * 100000, 0, 0, w);
        double end = w, before = i;
        i = end + (before - end) * a;
        v = end + (v - end) * b + (before - end) * coupling;
        assert_float_equal(read_v(&rig, (t + 1) * 100000), v, 1e-11);
    }
    network_free(rig.network);
}

struct seen {
    const struct population *population;
    int64_t ticks[8];
    uint32_t count, volleys;
};

static bool see(void *self, const struct firing *firing, struct error *error)
{
    (void)error;
    struct seen *seen = self;
    seen->volleys++;
    if (firing->population == seen->population && firing->spike_count > 0 && seen->count < 8)
        seen->ticks[seen->count++] = firing->tick;
    return true;
}

static struct population *follow(struct network *network, struct population *source,
                                 const struct cell_settings *settings, double weight,
                                 uint32_t delay, struct error *error)
{
    struct population *population =
        event_cells_new(network, "next", &lif_cells, 1, settings, NANOSECOND, error);
    assert_non_null(population);
    void *wire = diagonal_new(1, NULL, weight, NULL, error);
    struct projection *projection =
        network_add_projection(network, "wire", &projection_diagonal, wire, source, CARRIES_SPIKES,
                               population, 0, delay, error);
    assert_non_null(projection);
    diagonal_describe(projection);
    return population;
}

/* A spike that jumps one neuron over its threshold, which then drives another by a held current. */
static void test_network_of_nanoseconds(void **state)
{
    (void)state;
    struct error error = {0};
    struct network *network = network_new("test", 1);
    struct workers *workers = workers_new(1, &error);
    assert_true(network != NULL && workers != NULL);
    network->workers = workers;
    network->kernels = kernels_find("plain", &error);
    const struct timed_spike spikes[] = {{12345, 0, 1}, {5000000, 0, 1}};
    struct population *input = input_new(network, "input", 1, false, &error);
    assert_non_null(input);
    struct cell_settings jump = settings_of(AREA_JUMP), held = settings_of(AREA_HOLD);
    const double refractory = 1e-4; /* the rest of the current is lost */
    set(&held, &lif_cells, "refractory", &refractory, 1);
    struct population *first = follow(network, input, &jump, 2, 1, &error);
    struct seen seen = {.population = follow(network, first, &held, 300, 1500000, &error)};
    assert_true(network_observe(network, (struct observer){&seen, see, NULL}, &error));
    if (!network_seal(network, &error))
        fail_msg("%s", error.text);
    for (int round = 0; round < 2; round++) {
        assert_true(input_feed_spikes(input, spikes, 2, &error));
        if (!network_run(network, 0, 20000000, NULL, &error))
            fail_msg("%s", error.text);
        int64_t rise = (int64_t)ceil(-0.02 * log1p(-1.0 / 300) / NANOSECOND);
        assert_int_equal(seen.count, 2);
        assert_int_equal(seen.ticks[0], 12345 + 1 + 1500000 + rise);
        assert_int_equal(seen.ticks[1], 5000000 + 1 + 1500000 + rise);
        assert_true(seen.volleys < 40); /* never one a tick */
        network_reset(network);
        seen.count = seen.volleys = 0;
    }
    network_free(network);
    workers_free(workers);
}

static void test_reset_begins_again(void **state)
{
    (void)state;
    struct cell_settings s = settings_of(AREA_HOLD);
    static struct rig rig, again;
    rig_make(&rig, &lif_cells, 40, &s);
    for (int round = 0; round < 2; round++) {
        random_state = 6;
        rig.count = 0;
        for (int64_t tick = 0; tick < 100000000; tick += 1 + (int64_t)random_number(0, 200000))
            arrive_at(&rig, tick, 1, (uint32_t)random_number(0, 40), random_number(-0.3, 0.5));
        if (round == 0) {
            again = rig;
            memset(rig.population->ports[0].current, 0, 40 * sizeof(double));
            rig.population->model->reset(rig.population);
            rig.population->due = 0;
        }
    }
    assert_true(rig.count > 20);
    assert_int_equal(rig.count, again.count);
    assert_memory_equal(rig.ticks, again.ticks, rig.count * sizeof *rig.ticks);
    assert_memory_equal(rig.spikes, again.spikes, rig.count * sizeof *rig.spikes);
    network_free(rig.network);
}

static void assert_refused(const struct cell_model *model, const struct cell_settings *settings,
                           double tick_seconds, const char *word)
{
    struct error error = {0};
    struct network *network = network_new("test", 1);
    assert_non_null(network);
    assert_null(event_cells_new(network, "cells", model, 3, settings, tick_seconds, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    assert_non_null(strstr(error.text, word));
    network_free(network);
}

static void test_what_cannot_be_is_refused(void **state)
{
    (void)state;
    struct cell_settings s = settings_of(AREA_HOLD);
    assert_refused(&izhikevich_cells, &s, NANOSECOND, "izhikevich");
    assert_refused(&lif_cells, &s, 3e-5, "multiple");
    assert_refused(&lif_cells, &s, 1, "multiple");
    s.rules.raw = true;
    assert_refused(&lif_cells, &s, NANOSECOND, "raw");
    s.rules.raw = false;
    s.slots[0] = 8;
    assert_refused(&lif_cells, &s, NANOSECOND, "delays");
    s.slots[0] = 0;
    const double reset = 1;
    set(&s, &lif_cells, "v_reset", &reset, 1);
    assert_refused(&lif_cells, &s, NANOSECOND, "v_reset");
    /* Too fast for anything: an error, not for ever. */
    struct cell_settings fast = settings_of(AREA_HOLD);
    const double drive = 1e30;
    fast.drive[0] = &drive;
    struct network *network = network_new("test", 1);
    struct error error = {0};
    struct population *population =
        event_cells_new(network, "cells", &if_cells, 1, &fast, NANOSECOND, &error);
    assert_non_null(population);
    assert_true(population->model->update(population, &(struct moment){.tick = 0}, &error));
    assert_false(population->model->update(population, &(struct moment){.tick = 1}, &error));
    assert_non_null(strstr(error.text, "too strong"));
    network_free(network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lif_exact_is_reproduced),
        cmocka_unit_test(test_lif_rate_under_constant_drive),
        cmocka_unit_test(test_lif_spike_areas),
        cmocka_unit_test(test_held_currents_leave_nothing),
        cmocka_unit_test(test_jumps_over_thresholds),
        cmocka_unit_test(test_jumps_are_lost_while_refractory),
        cmocka_unit_test(test_crossings_between_events),
        cmocka_unit_test(test_if_fires_at_even_intervals),
        cmocka_unit_test(test_cuba_crossings_are_those_of_the_equations),
        cmocka_unit_test(test_cuba_touches_or_crosses_at_its_maximum),
        cmocka_unit_test(test_cuba_refractory_period_counts_from_the_crossing),
        cmocka_unit_test(test_li_agrees_with_ticks),
        cmocka_unit_test(test_network_of_nanoseconds),
        cmocka_unit_test(test_reset_begins_again),
        cmocka_unit_test(test_what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests_name("event-driven cells", tests, NULL, NULL);
}
