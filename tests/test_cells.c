/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Populations of cells in a network: LIF and IF against closed forms and against the same
 * recurrence written out here tick by tick; and that leaving blocks out, threads, vector levels and
 * starting afresh change no bit, for all models that can be left out.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "neurons/cells.h"
#include "neurons/delivery/diagonal.h"
#include "neurons/delivery/sparse.h"
#include "neurons/models/cell_models.h"
#include "neurons/models/input.h"

static const double DT = 1e-4;

static uint64_t random_state;

static double random_number(double low, double high)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return low + (high - low) * (double)(random_state >> 11) * 0x1p-53;
}

static uint32_t random_index(uint32_t length)
{
    return (uint32_t)random_number(0, length);
}

/* ---- a population behind an input of as many neurons, one to one, in the same tick ---- */

struct rig {
    struct workers *workers;
    struct network *network;
    struct population *input, *cells;
    struct timed_spike *fired; /* [fired_count] */
    uint32_t fired_count, fired_room;
    int64_t tick; /* next to be run */
    double *v;    /* [neurons], the first variable after tick v_tick */
    int64_t v_tick;
};

static bool note(void *self, const struct firing *firing, struct error *error)
{
    (void)error;
    struct rig *rig = self;
    if (firing->population != rig->cells)
        return true;
    for (uint32_t i = 0; i < firing->spike_count; i++) {
        if (rig->fired_count == rig->fired_room) {
            rig->fired_room = 2 * rig->fired_room + 1024;
            rig->fired = realloc(rig->fired, rig->fired_room * sizeof *rig->fired);
            assert_non_null(rig->fired);
        }
        assert_true(i == 0 || firing->spikes[i - 1].neuron < firing->spikes[i].neuron);
        rig->fired[rig->fired_count++] = (struct timed_spike){
            firing->tick, firing->spikes[i].neuron, firing->spikes[i].payload};
    }
    return true;
}

static void must(bool done, const struct error *error)
{
    if (!done)
        fail_msg("%s", error->text);
}

static void rig_begin(struct rig *rig, uint32_t inputs, bool shows, uint32_t threads)
{
    struct error error = {0};
    *rig = (struct rig){.network = network_new("test", 1)};
    rig->workers = workers_new(threads, &error);
    must(rig->workers != NULL, &error);
    rig->network->workers = rig->workers;
    rig->input = input_new(rig->network, "input", inputs, shows, &error);
    must(rig->input != NULL, &error);
}

static void rig_seal(struct rig *rig)
{
    struct error error = {0};
    must(network_seal(rig->network, &error), &error);
    must(network_observe(rig->network, (struct observer){.self = rig, .fired = note}, &error),
         &error);
}

static void rig_make(struct rig *rig, const struct cell_model *model, uint32_t neurons,
                     const struct cell_settings *settings, bool shows)
{
    struct error error = {0};
    rig_begin(rig, neurons, shows, 1);
    rig->cells = cells_new(rig->network, "cells", model, neurons, settings, &error);
    must(rig->cells != NULL, &error);
    struct projection *wire = network_add_projection(
        rig->network, "wire", &projection_diagonal, diagonal_new(neurons, NULL, 1, NULL, &error),
        rig->input, shows ? CARRIES_VALUES : CARRIES_SPIKES, rig->cells, 0, 0, &error);
    must(wire != NULL, &error);
    diagonal_describe(wire);
    rig_seal(rig);
}

static void rig_free(struct rig *rig)
{
    network_free(rig->network);
    workers_free(rig->workers);
    free(rig->fired);
    free(rig->v);
}

static void rig_feed(struct rig *rig, const double *values, int64_t ticks)
{
    struct error error = {0};
    must(input_feed_values(rig->input, values, ticks, &error), &error);
}

static void rig_run(struct rig *rig, int64_t ticks)
{
    struct error error = {0};
    must(network_run(rig->network, 0, ticks, NULL, &error), &error);
    rig->tick += ticks;
}

/* v of a neuron after the last tick run. */
static double rig_value(struct rig *rig, uint32_t neuron)
{
    if (rig->v == NULL)
        rig->v = malloc(rig->cells->neurons * sizeof *rig->v);
    assert_non_null(rig->v);
    if (rig->v_tick != rig->tick)
        cells_read(rig->cells, 0, rig->tick - 1, rig->v);
    rig->v_tick = rig->tick;
    return rig->v[neuron];
}

/* The payload that a neuron fired with at a tick; 0: none. */
static int32_t rig_spike(const struct rig *rig, int64_t tick, uint32_t neuron)
{
    for (uint32_t i = 0; i < rig->fired_count; i++)
        if (rig->fired[i].tick == tick && rig->fired[i].neuron == neuron)
            return rig->fired[i].payload;
    return 0;
}

static struct cell_settings settings_of(struct cell_rules rules)
{
    if (rules.dt == 0)
        rules.dt = DT;
    return (struct cell_settings){.rules = rules};
}

/* `values` must live until the population is made. */
static void set(struct cell_settings *settings, const struct cell_model *model, const char *name,
                const double *values, uint32_t length)
{
    int p = cell_model_parameter(model, name);
    assert_true(p >= 0);
    settings->parameter[p] = values;
    settings->parameter_length[p] = length;
}

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.17g is not %.17g to within %g", value, expected, tolerance);
}

/* ---- closed forms ---- */

static void lif_follows_the_step_response(void **state)
{
    (void)state;
    enum { NEURONS = 70, STEPS = 300, SILENCE = 9000 };
    const double tau = 0.02;
    struct cell_settings s = settings_of((struct cell_rules){0});
    set(&s, &lif_cells, "tau", &tau, 1);
    struct rig rig;
    rig_make(&rig, &lif_cells, NEURONS, &s, true);
    static double current[STEPS][NEURONS];
    for (int t = 0; t < STEPS; t++)
        for (int i = 0; i < NEURONS; i++)
            current[t][i] = 0.9 * (i + 1) / NEURONS;
    rig_feed(&rig, current[0], STEPS);
    for (int t = 0; t < STEPS; t++) {
        rig_run(&rig, 1);
        for (uint32_t i = 0; i < NEURONS; i++)
            assert_near(rig_value(&rig, i), current[0][i] * -expm1(-(t + 1) * DT / tau), 1e-13);
    }
    /* Silence: the potential is not touched, and is read in closed form. */
    for (int t = 1; t <= SILENCE; t++) {
        rig_run(&rig, 1);
        if (t % 97 != 0 && t != 4095 && t != 4096 && t != 4097 && t != SILENCE)
            continue;
        double v[NEURONS];
        cells_read(rig.cells, 0, rig.tick - 1, v);
        for (uint32_t i = 0; i < NEURONS; i++) {
            double end = current[0][i] * -expm1(-STEPS * DT / tau);
            double expected = end * exp(-t * DT / tau);
            assert_near(v[i], expected, 1e-11 * expected);
        }
    }
    rig_free(&rig);
}

/* A jump after so many ticks of silence, short of, at and beyond the table's end. */
static void lif_takes_up_again_after_silence(void **state)
{
    (void)state;
    static const int64_t silences[] = {1, 2, 4094, 4095, 4096, 4097, 5000, 20000};
    const double tau = 0.1, leak = -2;
    for (size_t k = 0; k < sizeof silences / sizeof *silences; k++) {
        struct cell_settings s = settings_of((struct cell_rules){.area = AREA_JUMP});
        set(&s, &lif_cells, "tau", &tau, 1);
        set(&s, &lif_cells, "v_leak", &leak, 1);
        struct rig rig;
        rig_make(&rig, &lif_cells, 3, &s, false);
        const struct timed_spike spikes[] = {{5, 1, 2}, {5 + silences[k], 0, 1},
                                             {5 + silences[k], 1, 1}};
        struct error error = {0};
        must(input_feed_spikes(rig.input, spikes, 3, &error), &error);
        rig_run(&rig, 5 + silences[k] + 1);
        double left = leak + 2 * exp(-(double)silences[k] * DT / tau) + 1;
        assert_near(rig_value(&rig, 1), left, 1e-11);
        assert_near(rig_value(&rig, 0), leak + 1, 1e-14);
        assert_near(rig_value(&rig, 2), leak, 0);
        rig_run(&rig, 1000);
        assert_near(rig_value(&rig, 1), leak + (left - leak) * exp(-1000 * DT / tau), 1e-11);
        rig_free(&rig);
    }
}

/* Under a constant current a neuron fires every n + refractory ticks, n being the first number
 * of ticks after which i r (1 - e^(-n dt/tau)) is above the threshold. */
static void lif_fires_at_the_rate_of_the_closed_form(void **state)
{
    (void)state;
    enum { NEURONS = 130, TICKS = 3000 };
    const double tau = 0.015, r = 2, threshold = 1.5, refractory = 0.0021;
    static double current[TICKS][NEURONS];
    for (int driven = 0; driven < 2; driven++) {
        struct cell_settings s = settings_of((struct cell_rules){0});
        set(&s, &lif_cells, "tau", &tau, 1);
        set(&s, &lif_cells, "r", &r, 1);
        set(&s, &lif_cells, "v_threshold", &threshold, 1);
        set(&s, &lif_cells, "refractory", &refractory, 1);
        for (int t = 0; t < TICKS; t++)
            for (int i = 0; i < NEURONS; i++)
                current[t][i] = 0.5 + 0.0217 * i;
        if (driven)
            s.drive[0] = current[0];
        struct rig rig;
        rig_make(&rig, &lif_cells, NEURONS, &s, true);
        if (!driven)
            rig_feed(&rig, current[0], TICKS);
        rig_run(&rig, TICKS);
        for (uint32_t i = 0; i < NEURONS; i++) {
            double drive = r * current[0][i];
            double exact = drive > threshold ? -log1p(-threshold / drive) * tau / DT : INFINITY;
            if (fabs(exact - nearbyint(exact)) < 1e-6)
                continue;
            int64_t next = exact < TICKS ? (int64_t)ceil(exact) - 1 : TICKS;
            for (uint32_t k = 0; k < rig.fired_count; k++) {
                if (rig.fired[k].neuron != i)
                    continue;
                assert_int_equal(rig.fired[k].tick, next);
                next += (int64_t)ceil(exact) + 21;
            }
            assert_true(next >= TICKS);
        }
        rig_free(&rig);
    }
}

static void if_integrates_its_current(void **state)
{
    (void)state;
    enum { TICKS = 500 };
    const double r = 50, held = 3 * 0x1p-13;
    double current[TICKS];
    for (int t = 0; t < TICKS; t++)
        current[t] = 6.25;
    struct cell_settings s = settings_of((struct cell_rules){.dt = 0x1p-13});
    set(&s, &if_cells, "r", &r, 1);
    set(&s, &if_cells, "refractory", &held, 1);
    struct rig rig;
    rig_make(&rig, &if_cells, 1, &s, true);
    rig_feed(&rig, current, TICKS);
    rig_run(&rig, TICKS);
    /* 312.5 / 8192 a tick: above 1 after 27 of them, then 3 ticks of rest. */
    assert_int_equal(rig.fired_count, (TICKS - 27) / 30 + 1);
    for (uint32_t k = 0; k < rig.fired_count; k++)
        assert_int_equal(rig.fired[k].tick, 26 + 30 * k);
    rig_free(&rig);
}

/* ---- rules, one by one ---- */

/* Feeds one neuron jumps of `weight` quarters at the ticks given, and nothing else. */
static void feed_quarters(struct rig *rig, struct timed_spike *spikes, const int *quarters,
                          int ticks)
{
    struct error error = {0};
    uint64_t count = 0;
    for (int t = 0; t < ticks; t++)
        if (quarters[t] != 0)
            spikes[count++] = (struct timed_spike){t, 0, quarters[t]};
    must(input_feed_spikes(rig->input, spikes, count, &error), &error);
}

/* A perfect integrator of threshold 1 that quarters reach: everything is exact. */
static void quarter_rig(struct rig *rig, struct cell_rules rules, double reset, double rest_ticks)
{
    struct error error = {0};
    rules.area = AREA_JUMP;
    rules.dt = 0x1p-10;
    const double rest = rest_ticks * rules.dt;
    struct cell_settings s = settings_of(rules);
    set(&s, &if_cells, "v_reset", &reset, 1);
    set(&s, &if_cells, "refractory", &rest, 1);
    rig_begin(rig, 1, false, 1);
    rig->cells = cells_new(rig->network, "cells", &if_cells, 1, &s, &error);
    must(rig->cells != NULL, &error);
    struct projection *wire = network_add_projection(
        rig->network, "wire", &projection_diagonal, diagonal_new(1, NULL, 0.25, NULL, &error),
        rig->input, CARRIES_SPIKES, rig->cells, 0, 0, &error);
    must(wire != NULL, &error);
    diagonal_describe(wire);
    rig_seal(rig);
}

struct quarter_case {
    struct cell_rules rules;
    double reset, rest;
    int quarters[12];
    int32_t payload[12];
    double v[12];
};

static void rules_do_what_they_say(void **state)
{
    (void)state;
    static const struct quarter_case cases[] = {
        /* strict: exactly at the threshold does not fire */
        {{.dt = 0}, 0, 0, {4, 0, 1, 3, 1, 1, 0, 5}, {0, 0, 1, 0, 0, 1, 0, 1},
         {1, 1, 0, 0.75, 1, 0, 0, 0}},
        {{.inclusive = true}, 0, 0, {4, 0, 1, 3, 1, 1, 0, 5}, {1, 0, 0, 1, 0, 0, 0, 1},
         {0, 0, 0.25, 0, 0.25, 0.5, 0.5, 0}},
        {{.dt = 0}, -0.5, 0, {5, 2, 4, 1}, {1, 0, 0, 1}, {-0.5, 0, 1, -0.5}},
        /* by subtraction: of the threshold less the reset */
        {{.reset = RESET_SUBTRACT}, 0, 0, {7, 1, 1}, {1, 0, 1}, {0.75, 1, 0.25}},
        {{.reset = RESET_SUBTRACT, .inclusive = true}, 0, 0, {7, 1, 1}, {1, 1, 0},
         {0.75, 0, 0.25}},
        {{.reset = RESET_SUBTRACT}, -0.5, 0, {7, 2}, {1, 0}, {0.25, 0.75}},
        /* one spike a tick: what is left fires in the ticks after, even without input */
        {{.reset = RESET_SUBTRACT}, 0, 0, {13, 0, 0, 0, 1}, {1, 1, 1, 0, 0},
         {2.25, 1.25, 0.25, 0.25, 0.5}},
        /* several at once */
        {{.reset = RESET_SUBTRACT, .several = true, .inclusive = true}, 0, 0,
         {13, 0, 7, 12, 3, 1}, {3, 0, 2, 3, 0, 1}, {0.25, 0.25, 0, 0, 0.75, 0}},
        {{.reset = RESET_SUBTRACT, .several = true}, 0, 0, {13, 3, 0, 1}, {3, 0, 0, 1},
         {0.25, 1, 1, 0.25}},
        {{.reset = RESET_SUBTRACT, .several = true}, -0.5, 0, {14, 3}, {2, 1}, {0.5, -0.25}},
        /* the reset acts in the step of the next tick: on what that step has made of it */
        {{.late_reset = true}, 0, 0, {5, 2, 1, 4, 0, 0}, {1, 0, 0, 1, 0, 0},
         {1.25, 0, 0.25, 1.25, 0, 0}},
        {{.late_reset = true, .reset = RESET_SUBTRACT}, 0, 0, {5, 2, 1, 5, 0, 0},
         {1, 0, 0, 1, 1, 0}, {1.25, 0.75, 1, 2.25, 1.25, 0.25}},
        {{.late_reset = true, .inclusive = true}, 0.25, 0, {4, 2, 3}, {1, 0, 1}, {1, 0.25, 1}},
        /* refractory: held where the reset put it, input lost */
        {{.dt = 0}, 0.5, 3, {5, 9, 0, 9, 1, 2}, {1, 0, 0, 0, 0, 1},
         {0.5, 0.5, 0.5, 0.5, 0.75, 0.5}},
        {{.reset = RESET_SUBTRACT}, 0, 2, {7, 9, 9, 1, 1}, {1, 0, 0, 0, 1},
         {0.75, 0.75, 0.75, 1, 0.25}},
        {{.reset = RESET_SUBTRACT, .several = true, .inclusive = true}, 0, 1, {9, 9, 3},
         {2, 0, 1}, {0.25, 0.25, 0}},
        /* in single precision quarters are exact, too */
        {{.single = true}, 0, 2, {4, 0, 1, 9, 9, 2}, {0, 0, 1, 0, 0, 0}, {1, 1, 0, 0, 0, 0.5}},
        {{.single = true, .reset = RESET_SUBTRACT, .inclusive = true}, -0.5, 0, {7, 2},
         {1, 0}, {0.25, 0.75}},
        {{.single = true, .late_reset = true, .reset = RESET_SUBTRACT}, 0, 0, {5, 2, 1, 5, 0, 0},
         {1, 0, 0, 1, 1, 0}, {1.25, 0.75, 1, 2.25, 1.25, 0.25}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const struct quarter_case *q = &cases[c];
        struct timed_spike spikes[12];
        struct rig rig;
        quarter_rig(&rig, q->rules, q->reset, q->rest);
        feed_quarters(&rig, spikes, q->quarters, 12);
        int ticks = 12;
        while (ticks > 1 && q->quarters[ticks - 1] == 0 && q->v[ticks - 1] == 0)
            ticks--;
        for (int t = 0; t < ticks; t++) {
            rig_run(&rig, 1);
            if (rig_spike(&rig, t, 0) != q->payload[t] || rig_value(&rig, 0) != q->v[t])
                fail_msg("case %zu, tick %d: fired %d, v %g; wanted %d, %g", c, t,
                         rig_spike(&rig, t, 0), rig_value(&rig, 0), q->payload[t], q->v[t]);
        }
        rig_free(&rig);
    }
}

/* ---- against the recurrence written out ---- */

struct parameters {
    double tau, r, leak, threshold, reset, rest; /* rest in ticks */
};

/* One neuron tick by tick, as lif.c's comment says; v in the unit that the rules keep it in. */
struct plain {
    double v;
    int64_t held; /* last tick of the refractory period */
    bool fired;   /* in the tick before */
};

static int32_t plain_step(struct plain *n, const struct cell_rules *rules,
                          const struct parameters *p, int64_t tick, double input)
{
    bool euler = rules->integration == INTEGRATE_EULER;
    double step = rules->dt / p->tau, decay = euler ? 1 - step : exp(-step);
    double unit = euler && rules->raw ? p->r * step : 1;
    double gain = rules->area == AREA_JUMP || unit != 1 ? 1 : rules->raw ? p->r * step
                                                            : p->r * (1 - decay);
    double leak = p->leak / unit, threshold = p->threshold / unit, reset = p->reset / unit;
    if (tick <= n->held)
        return 0;
    n->v = leak + (n->v - leak) * decay + gain * input;
    if (rules->late_reset && n->fired)
        n->v = rules->reset == RESET_SUBTRACT ? n->v - (threshold - reset) : reset;
    n->fired = rules->inclusive ? n->v >= threshold : n->v > threshold;
    if (!n->fired)
        return 0;
    double count = rules->several ? floor((n->v - reset) / (threshold - reset)) : 1;
    if (!rules->late_reset)
        n->v = rules->reset == RESET_SUBTRACT ? n->v - count * (threshold - reset) : reset;
    n->held = tick + (int64_t)p->rest;
    return (int32_t)count;
}

enum { NEURONS = 200, ACTIVE = 500, PAUSE = 4400, TICKS = 2 * ACTIVE + PAUSE };

/* Mostly nothing; some ticks bring much. Between two active stretches a long pause. */
static double *made_input(double most, double seldom)
{
    double *input = calloc((size_t)TICKS * NEURONS, sizeof *input);
    assert_non_null(input);
    random_state = 20261;
    for (uint32_t t = 0; t < TICKS; t++)
        for (uint32_t i = 0; i < NEURONS && (t < ACTIVE || t >= ACTIVE + PAUSE); i++)
            if (random_number(0, 1) < seldom)
                input[t * NEURONS + i] = random_number(-0.3 * most, most);
    return input;
}

static void compare_with_plain(struct cell_rules rules, bool each, bool rests, double most,
                               enum update_rule updates)
{
    static double value[6][NEURONS];
    struct parameters p[NEURONS];
    struct plain plain[NEURONS];
    double *input = made_input(most, 0.3);
    rules.dt = DT;
    for (uint32_t i = 0; i < NEURONS; i++) {
        p[i] = (struct parameters){each ? 0.005 + 1e-4 * i : 0.01, each ? 1 + 0.01 * i : 1.3, -0.1,
                                   each ? 0.8 + 1e-3 * i : 1, 0.05, rests ? 1 + i % 40 : 0};
        const double row[] = {p[i].tau,       p[i].r,     p[i].leak,
                              p[i].threshold, p[i].reset, p[i].rest * DT};
        for (int k = 0; k < 6; k++)
            value[k][i] = row[k];
        bool units = rules.raw && rules.integration == INTEGRATE_EULER;
        plain[i] = (struct plain){units ? p[i].leak / (p[i].r * DT / p[i].tau) : p[i].leak, -1,
                                  false};
    }
    static const char *const names[] = {"tau",         "r",       "v_leak",
                                        "v_threshold", "v_reset", "refractory"};
    struct cell_settings s = settings_of(rules);
    s.updates = updates;
    for (int k = 0; k < 6; k++)
        set(&s, &lif_cells, names[k], value[k], each || (k == 5 && rests) ? NEURONS : 1);
    struct rig rig;
    rig_make(&rig, &lif_cells, NEURONS, &s, true);
    rig_feed(&rig, input, TICKS);
    uint32_t seen = 0;
    for (int64_t t = 0; t < TICKS; t++) {
        rig_run(&rig, 1);
        for (uint32_t i = 0; i < NEURONS; i++) {
            int32_t payload = plain_step(&plain[i], &rules, &p[i], t, input[t * NEURONS + i]);
            if (payload != 0) {
                assert_true(seen < rig.fired_count);
                assert_int_equal(rig.fired[seen].tick, t);
                assert_int_equal(rig.fired[seen].neuron, i);
                assert_int_equal(rig.fired[seen++].payload, payload);
            }
            if (t % 7 == 0)
                assert_near(rig_value(&rig, i), plain[i].v, 1e-9 * (1 + fabs(plain[i].v)));
        }
        assert_int_equal(seen, rig.fired_count);
    }
    assert_true(seen > NEURONS);
    rig_free(&rig);
    free(input);
}

static void lif_follows_the_recurrence_written_out(void **state)
{
    (void)state;
    static const struct cell_rules rules[] = {
        {0},
        {.inclusive = true, .integration = INTEGRATE_EULER},
        {.reset = RESET_SUBTRACT},
        {.reset = RESET_SUBTRACT, .several = true, .inclusive = true},
        {.reset = RESET_SUBTRACT, .several = true, .raw = true, .inclusive = true},
        {.raw = true, .integration = INTEGRATE_EULER},
        {.raw = true},
        {.area = AREA_JUMP},
        {.area = AREA_JUMP, .reset = RESET_SUBTRACT, .several = true},
        {.late_reset = true},
        {.late_reset = true, .reset = RESET_SUBTRACT, .raw = true, .integration = INTEGRATE_EULER},
    };
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++)
        for (int each = 0; each < 2; each++)
            for (int rests = 0; rests < (rules[r].late_reset ? 1 : 2); rests++) {
                bool units = rules[r].raw && rules[r].integration == INTEGRATE_EULER;
                double most = rules[r].area == AREA_JUMP ? 1.2 : units ? 40 : 100;
                compare_with_plain(rules[r], each, rests, most,
                                   (enum update_rule)((r + (size_t)each) % 3));
            }
}

/* snnTorch's numbers: float32 throughout. */
static void single_precision_has_the_bits_of_floats(void **state)
{
    (void)state;
    const double tau = 0.01, threshold = 0.01 * 1.7;
    double *input = made_input(1, 0.3);
    for (int late = 0; late < 2; late++) {
        struct cell_rules rules = {.integration = INTEGRATE_EULER, .raw = true, .single = true,
                                   .late_reset = late,
                                   .reset = late ? RESET_SUBTRACT : RESET_VALUE};
        struct cell_settings s = settings_of(rules);
        set(&s, &lif_cells, "tau", &tau, 1);
        set(&s, &lif_cells, "v_threshold", &threshold, 1);
        struct rig rig;
        rig_make(&rig, &lif_cells, NEURONS, &s, true);
        rig_feed(&rig, input, TICKS);
        float v[NEURONS] = {0}, beta = (float)(1 - DT / tau);
        float level = (float)(threshold / (DT / tau));
        uint32_t seen = 0;
        for (int t = 0; t < ACTIVE; t++) {
            rig_run(&rig, 1);
            for (uint32_t i = 0; i < NEURONS; i++) {
                bool before = v[i] > level;
                float faded = beta * v[i];
                v[i] = faded + (float)input[t * NEURONS + i];
                if (late && before)
                    v[i] = v[i] - level;
                bool fires = v[i] > level;
                assert_int_equal(rig_spike(&rig, t, i), fires);
                seen += fires;
                if (!late && fires)
                    v[i] = 0;
                assert_true((float)rig_value(&rig, i) == v[i]);
            }
        }
        assert_true(seen > NEURONS);
        assert_int_equal(seen, rig.fired_count);
        rig_free(&rig);
    }
    free(input);
}

/* ---- parameters, initial values, drive ---- */

/* A neuron of a population whose parameters differ does what it does where all have its own. */
static void parameters_of_its_own_change_no_bit(void **state)
{
    (void)state;
    static double tau[NEURONS], threshold[NEURONS], rest[NEURONS], same[NEURONS];
    double *input = made_input(60, 0.4);
    for (uint32_t i = 0; i < NEURONS; i++) {
        tau[i] = 0.005 * (1 + i % 3);
        threshold[i] = 0.5 + 0.25 * (i % 2);
        rest[i] = 1e-3 * (i % 4);
        same[i] = 0.005;
    }
    struct cell_settings s = settings_of((struct cell_rules){.reset = RESET_SUBTRACT});
    set(&s, &lif_cells, "tau", tau, NEURONS);
    set(&s, &lif_cells, "v_threshold", threshold, NEURONS);
    set(&s, &lif_cells, "refractory", rest, NEURONS);
    struct rig own;
    rig_make(&own, &lif_cells, NEURONS, &s, true);
    rig_feed(&own, input, TICKS);
    rig_run(&own, TICKS);
    for (uint32_t kind = 0; kind < 12; kind++) {
        struct cell_settings u = settings_of((struct cell_rules){.reset = RESET_SUBTRACT});
        set(&u, &lif_cells, "tau", kind == 0 ? same : &tau[kind], kind == 0 ? NEURONS : 1);
        set(&u, &lif_cells, "v_threshold", &threshold[kind], 1);
        set(&u, &lif_cells, "refractory", &rest[kind], 1);
        struct rig all;
        rig_make(&all, &lif_cells, NEURONS, &u, true);
        rig_feed(&all, input, TICKS);
        rig_run(&all, TICKS);
        uint32_t mine = 0, theirs = 0;
        for (uint32_t k = 0; k < own.fired_count; k++) {
            if (own.fired[k].neuron % 12 != kind)
                continue;
            while (theirs < all.fired_count && all.fired[theirs].neuron % 12 != kind)
                theirs++;
            assert_true(theirs < all.fired_count);
            assert_memory_equal(&own.fired[k], &all.fired[theirs++], sizeof *own.fired);
            mine++;
        }
        assert_true(mine > 100);
        for (uint32_t i = kind; i < NEURONS; i += 12)
            assert_true(rig_value(&own, i) == rig_value(&all, i));
        rig_free(&all);
    }
    rig_free(&own);
    free(input);
}

static void initial_values_are_those_before_the_first_tick(void **state)
{
    (void)state;
    double initial[5] = {0.5, -3, 0, 0.999, 1.2};
    for (int updates = UPDATE_AUTO; updates <= UPDATE_TOUCHED; updates++)
        for (uint32_t neurons = 4; neurons <= 5; neurons++) {
            struct cell_settings s = settings_of((struct cell_rules){0});
            s.updates = (enum update_rule)updates;
            s.initial[0] = initial;
            s.initial_length[0] = neurons;
            struct rig rig;
            rig_make(&rig, &lif_cells, neurons, &s, true);
            rig_run(&rig, 100);
            for (uint32_t i = 0; i < 4; i++)
                assert_near(rig_value(&rig, i), initial[i] * exp(-100 * DT / 0.02), 1e-13);
            /* 1.2 is above the threshold before anything arrives. */
            assert_int_equal(rig.fired_count, neurons == 5);
            assert_true(neurons == 4 || rig_spike(&rig, 0, 4) == 1);
            rig_free(&rig);
        }
}

static void drive_comes_on_top_of_the_input(void **state)
{
    (void)state;
    enum { LENGTH = 300 };
    double current[LENGTH], drive[] = {0.25, 0.5};
    for (int t = 0; t < LENGTH; t++)
        current[t] = t % 2 == 0 ? 0.5 : 0; /* of neuron 0; neuron 1 has none */
    double values[LENGTH][2];
    for (int t = 0; t < LENGTH; t++)
        values[t][0] = current[t], values[t][1] = 0;
    struct cell_settings s = settings_of((struct cell_rules){0});
    s.drive[0] = drive;
    struct rig rig;
    rig_make(&rig, &lif_cells, 2, &s, true);
    rig_feed(&rig, values[0], LENGTH);
    double v = 0, decay = exp(-DT / 0.02);
    for (int t = 0; t < LENGTH; t++) {
        rig_run(&rig, 1);
        v = v * decay + (1 - decay) * (current[t] + 0.25);
        assert_near(rig_value(&rig, 0), v, 1e-13);
        assert_near(rig_value(&rig, 1), 0.5 * (1 - pow(decay, t + 1)), 1e-13);
    }
    rig_free(&rig);
}

/* ---- the same bits, whatever is left out and whoever does it ---- */

enum { SOURCES = 300, MOST_EXTRA = 37 };
enum wiring { SLOTS, KEPT, INTEGERS, WIRINGS };

struct run_case {
    const struct cell_model *model;
    struct cell_rules rules;
    double weight; /* of the strongest synapse */
    double tau, leak; /* if not 0: short, so that blocks come to rest between events */
};

static const struct run_case run_cases[] = {
    {&lif_cells, {.area = AREA_JUMP}, 0.5, 0, 0},
    {&lif_cells, {.reset = RESET_SUBTRACT}, 90, 0, 0},
    {&lif_cells, {.late_reset = true}, 90, 0, 0},
    {&lif_cells, {.single = true}, 90, 0, 0},
    {&if_cells, {.area = AREA_JUMP, .inclusive = true}, 0.5, 0, 0},
    {&cuba_lif_cells, {.dt = 0}, 400, 0, 0},
    {&cuba_lif_exc_inh_cells, {.area = AREA_JUMP}, 10, 0, 0},
    {&cuba_lif_exc_inh_cells, {.dt = 0}, 1000, 0, 0},
    {&li_cells, {.area = AREA_JUMP}, 0.5, 0, 0},
    {&adaptive_lif_cells, {.area = AREA_JUMP}, 0.5, 0, 0},
    {&izhikevich_cells, {.integration = INTEGRATE_EULER}, 60, 0, 0},
    {&lif_cells, {.area = AREA_JUMP, .reset = RESET_SUBTRACT}, 3, 2e-4, 0.5},
    {&lif_cells, {.single = true}, 6, 5e-4, 0.5},
    {&lif_cells, {.late_reset = true}, 6, 5e-4, 0.5},
    {&li_cells, {.area = AREA_JUMP}, 0.5, 1e-4, 0},
};

/* What a run came to: a digest of every spike and of every state variable now and then. */
struct digest {
    uint64_t hash;
    uint32_t spikes;
};

static void digest_add(uint64_t *hash, const void *bytes, size_t length)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < length; i++)
        *hash = (*hash ^ byte[i]) * UINT64_C(0x100000001b3);
}

static void digest_state(const struct rig *rig, uint64_t *hash)
{
    const struct cell_model *model = cells_model(rig->cells);
    double *values = malloc(rig->cells->neurons * sizeof *values);
    assert_non_null(values);
    for (uint32_t v = 0; model->variables[v].name != NULL; v++) {
        cells_read(rig->cells, v, rig->tick - 1, values);
        digest_add(hash, values, rig->cells->neurons * sizeof *values);
    }
    free(values);
}

/* Synapses from the sources to one port, with delays of their own where the wiring has slots. */
static struct sparse *made_synapses(uint32_t neurons, uint32_t port, double weight,
                                    enum wiring wiring)
{
    enum { EACH = 10 };
    struct error error = {0};
    uint32_t count = neurons * EACH, *source = malloc(3 * count * sizeof *source);
    double *weights = malloc(count * sizeof *weights);
    assert_non_null(source);
    assert_non_null(weights);
    uint32_t *target = source + count, *extra = target + count;
    random_state = 77 + port;
    for (uint32_t k = 0; k < count; k++) {
        source[k] = random_index(SOURCES);
        target[k] = k / EACH;
        extra[k] = random_index(MOST_EXTRA + 1);
        double draw = port == 0 ? random_number(-0.3, 1) : random_number(-0.5, 0);
        weights[k] = wiring == INTEGERS ? weight / 64 * nearbyint(64 * draw) : weight * draw;
    }
    struct sparse *sparse = sparse_from_lists(
        SOURCES, neurons, count, source, target, weights, 0,
        wiring == INTEGERS ? WEIGHT_INT8 : WEIGHT_FLOAT, weight / 64,
        wiring == SLOTS ? extra : NULL, &error);
    must(sparse != NULL, &error);
    free(source);
    free(weights);
    return sparse;
}

static void wire_up(struct rig *rig, const struct run_case *c, uint32_t neurons, enum wiring wiring,
                    enum update_rule updates)
{
    struct error error = {0};
    struct cell_settings s = settings_of(c->rules);
    double rest = 0.0023;
    if (c->model == &izhikevich_cells)
        s.rules.dt = 1e-3;
    if (cell_model_parameter(c->model, "refractory") >= 0 && !c->rules.late_reset)
        set(&s, c->model, "refractory", &rest, 1);
    if (c->tau != 0) {
        set(&s, c->model, "tau", &c->tau, 1);
        set(&s, c->model, "v_leak", &c->leak, 1);
    }
    s.updates = updates;
    for (uint32_t p = 0; c->model->ports[p] != NULL; p++) {
        s.slots[p] = wiring == SLOTS ? 64 : 0;
        s.sums[p] = wiring == INTEGERS ? SUM_INTEGERS : SUM_DOUBLES;
        s.scale[p] = c->weight / 64;
    }
    rig->cells = cells_new(rig->network, "cells", c->model, neurons, &s, &error);
    must(rig->cells != NULL, &error);
    for (uint32_t p = 0; c->model->ports[p] != NULL; p++) {
        struct projection *projection = network_add_projection(
            rig->network, "synapses", &projection_sparse,
            made_synapses(neurons, p, c->weight, wiring), rig->input, CARRIES_SPIKES, rig->cells, p,
            1 + p, &error);
        must(projection != NULL, &error);
        sparse_describe(projection);
    }
    rig_seal(rig);
}

/* Two active stretches, in which sources spike at `rate` a tick and neuron, and a pause between
 * them, in which one does every `trickle` ticks (0: none). */
struct stretch {
    uint32_t neurons, threads;
    int64_t active, pause;
    double rate;
    int64_t trickle;
};

static struct timed_spike *made_spikes(const struct stretch *s, uint64_t *count)
{
    struct timed_spike *spikes =
        malloc((size_t)(s->active * 2 * SOURCES + s->pause) * sizeof *spikes);
    assert_non_null(spikes);
    random_state = 4242;
    *count = 0;
    for (int64_t t = 0; t < 2 * s->active + s->pause; t++) {
        bool pauses = t >= s->active && t < s->active + s->pause;
        if (pauses && s->trickle > 0 && t % s->trickle == 0)
            spikes[(*count)++] = (struct timed_spike){t, random_index(SOURCES), 1};
        for (uint32_t i = 0; i < SOURCES && !pauses; i++)
            if (random_number(0, 1) < s->rate * (t % 50 < 25))
                spikes[(*count)++] = (struct timed_spike){t, i, 1};
    }
    return spikes;
}

static struct digest run_digest(struct rig *rig, const struct stretch *stretch)
{
    struct digest digest = {.hash = UINT64_C(0xcbf29ce484222325)};
    int64_t left = 2 * stretch->active + stretch->pause;
    rig->tick = 0;
    rig->fired_count = 0;
    while (left > 0) {
        int64_t part = left < 211 ? left : 211;
        rig_run(rig, part);
        digest_state(rig, &digest.hash);
        left -= part;
    }
    digest_add(&digest.hash, &rig->fired_count, sizeof rig->fired_count);
    for (uint32_t i = 0; i < rig->fired_count; i++) {
        digest_add(&digest.hash, &rig->fired[i].tick, sizeof rig->fired[i].tick);
        digest_add(&digest.hash, &rig->fired[i].neuron, sizeof rig->fired[i].neuron);
        digest_add(&digest.hash, &rig->fired[i].payload, sizeof rig->fired[i].payload);
    }
    digest.spikes = rig->fired_count;
    return digest;
}

static struct digest digest_of(const struct run_case *c, enum wiring wiring,
                               const struct stretch *stretch, enum update_rule updates,
                               const struct kernels *kernels, bool again)
{
    struct rig rig;
    struct error error = {0};
    uint64_t count;
    struct timed_spike *spikes = made_spikes(stretch, &count);
    rig_begin(&rig, SOURCES, false, stretch->threads);
    wire_up(&rig, c, stretch->neurons, wiring, updates);
    rig.network->kernels = kernels;
    must(input_feed_spikes(rig.input, spikes, count, &error), &error);
    if (again) { /* breaks off while something is on its way, and begins again */
        rig_run(&rig, stretch->active / 2 + 3);
        network_reset(rig.network);
        must(input_feed_spikes(rig.input, spikes, count, &error), &error);
    }
    struct digest digest = run_digest(&rig, stretch);
    rig_free(&rig);
    free(spikes);
    return digest;
}

static void assert_same(const struct run_case *c, enum wiring wiring, struct digest got,
                        struct digest wanted, const char *what)
{
    if (got.hash != wanted.hash)
        fail_msg("%s, case %td, wiring %d, %s: %u spikes, wanted %u", c->model->name, c - run_cases,
                 wiring, what, got.spikes, wanted.spikes);
}

static void updates_vectors_and_resets_change_no_bit(void **state)
{
    (void)state;
    static const char *const names[] = {"auto", "all", "touched"};
    const struct stretch stretch = {.neurons = 330, .threads = 1, .active = 700, .pause = 4500,
                                    .rate = 0.02};
    size_t levels;
    const struct kernels *const *kernels = kernels_available(&levels);
    for (size_t i = 0; i < sizeof run_cases / sizeof *run_cases; i++)
        for (enum wiring w = SLOTS; w < WIRINGS; w++) {
            const struct run_case *c = &run_cases[i];
            struct digest wanted =
                digest_of(c, w, &stretch, UPDATE_ALL, kernels[levels - 1], false);
            if (c->model != &li_cells && wanted.spikes <= 100)
                fail_msg("%s, case %zu: %u spikes are few", c->model->name, i, wanted.spikes);
            for (int u = UPDATE_AUTO; u <= UPDATE_TOUCHED; u++)
                for (size_t k = 0; k < levels; k++)
                    assert_same(c, w,
                                digest_of(c, w, &stretch, (enum update_rule)u, kernels[k],
                                          k == 0),
                                wanted, names[u]);
        }
}

/* What lies in the slots when a population begins to watch is not overlooked. */
static void trickles_are_not_overlooked(void **state)
{
    (void)state;
    const struct stretch stretch = {.neurons = 330, .threads = 1, .active = 300, .pause = 20000,
                                    .rate = 0.3, .trickle = 9};
    const struct kernels *kernels = kernels_find(NULL, NULL);
    for (size_t i = 0; i < sizeof run_cases / sizeof *run_cases; i++)
        assert_same(&run_cases[i], SLOTS,
                    digest_of(&run_cases[i], SLOTS, &stretch, UPDATE_AUTO, kernels, false),
                    digest_of(&run_cases[i], SLOTS, &stretch, UPDATE_ALL, kernels, false),
                    "trickle");
}

/* Enough neurons for all threads to be woken. */
static void threads_change_no_bit(void **state)
{
    (void)state;
    struct stretch stretch = {.neurons = 6230, .active = 60, .pause = 4200, .rate = 0.3};
    const struct kernels *kernels = kernels_find(NULL, NULL);
    for (size_t i = 0; i < sizeof run_cases / sizeof *run_cases; i += 2)
        for (enum wiring w = SLOTS; w < WIRINGS; w++) {
            struct digest wanted = {0};
            for (stretch.threads = 1; stretch.threads <= 4; stretch.threads++) {
                enum update_rule updates = stretch.threads % 2 ? UPDATE_AUTO : UPDATE_TOUCHED;
                struct digest got = digest_of(&run_cases[i], w, &stretch, updates, kernels, false);
                if (stretch.threads == 1)
                    wanted = got;
                assert_same(&run_cases[i], w, got, wanted, "threads");
            }
        }
}

/* ---- who is updated when ---- */

static bool watches(const struct rig *rig)
{
    return rig->cells->ports[0].touched != NULL;
}

static void auto_stops_watching_and_tries_again(void **state)
{
    (void)state;
    enum { BUSY = 600 };
    static double values[BUSY][NEURONS];
    for (int t = 0; t < BUSY; t++)
        for (int i = 0; i < NEURONS; i++)
            values[t][i] = 0.5;
    struct cell_settings s = settings_of((struct cell_rules){0});
    struct rig rig;
    rig_make(&rig, &lif_cells, NEURONS, &s, true);
    rig_feed(&rig, values[0], BUSY);
    assert_true(watches(&rig));
    rig_run(&rig, BUSY);
    assert_false(watches(&rig)); /* every block was touched every tick */
    rig_run(&rig, 1000);
    assert_int_equal(rig.cells->due, rig.tick); /* wants every tick */
    rig_run(&rig, 100000);
    assert_true(watches(&rig)); /* and has found out that there is nothing to do */
    assert_true(rig.cells->due == INT64_MAX);
    rig_free(&rig);

    s.updates = UPDATE_ALL;
    rig_make(&rig, &lif_cells, NEURONS, &s, true);
    rig_run(&rig, 10);
    assert_false(watches(&rig));
    assert_int_equal(rig.cells->due, 10);
    rig_free(&rig);

    s.updates = UPDATE_TOUCHED;
    rig_make(&rig, &lif_cells, NEURONS, &s, true);
    rig_feed(&rig, values[0], BUSY);
    rig_run(&rig, BUSY);
    assert_true(watches(&rig));
    rig_free(&rig);
}

/* During a refractory period nothing changes, and yet the neuron has to be looked at again. */
static void a_refractory_neuron_does_not_sleep(void **state)
{
    (void)state;
    const double tau = 2e-4, rest = 0.005, threshold = 0.75;
    for (int single = 0; single < 2; single++) {
        struct cell_settings s = settings_of((struct cell_rules){
            .area = AREA_JUMP, .reset = RESET_SUBTRACT, .single = single});
        s.updates = UPDATE_TOUCHED;
        set(&s, &lif_cells, "tau", &tau, 1);
        set(&s, &lif_cells, "refractory", &rest, 1);
        set(&s, &lif_cells, "v_threshold", &threshold, 1);
        struct rig rig;
        rig_make(&rig, &lif_cells, 1, &s, false);
        const struct timed_spike spike = {500, 0, 1};
        struct error error = {0};
        must(input_feed_spikes(rig.input, &spike, 1, &error), &error);
        rig_run(&rig, 551);
        assert_int_equal(rig.fired_count, 1);
        assert_true(rig_value(&rig, 0) == 0.25); /* the last tick of rest */
        rig_run(&rig, 10);
        assert_near(rig_value(&rig, 0), 0.25 * exp(-5), 1e-8);
        rig_free(&rig);
    }
}

/* What had come to rest moves again from its initial values. */
static void resetting_wakes_what_sleeps(void **state)
{
    (void)state;
    const double tau = 1e-4, initial[] = {1, -2, 0.5};
    struct cell_settings s = settings_of((struct cell_rules){0});
    s.updates = UPDATE_TOUCHED;
    s.initial[0] = initial;
    s.initial_length[0] = 3;
    set(&s, &li_cells, "tau", &tau, 1);
    struct rig rig;
    rig_make(&rig, &li_cells, 3, &s, true);
    for (int run = 0; run < 3; run++) {
        rig.tick = 0;
        for (int t = 1; t <= 3; t++) {
            rig_run(&rig, 1);
            for (uint32_t i = 0; i < 3; i++)
                assert_near(rig_value(&rig, i), initial[i] * exp(-t), 1e-14);
        }
        rig_run(&rig, 100000);
        assert_true(rig.cells->due == INT64_MAX);
        network_reset(rig.network);
    }
    rig_free(&rig);
}

static void silence_takes_no_time(void **state)
{
    (void)state;
    static const struct cell_model *const models[] = {
        &lif_cells, &if_cells, &cuba_lif_cells, &cuba_lif_exc_inh_cells, &li_cells};
    const int64_t late = 500000000;
    for (size_t m = 0; m < sizeof models / sizeof *models; m++)
        for (int u = UPDATE_AUTO; u <= UPDATE_TOUCHED; u += UPDATE_TOUCHED - UPDATE_AUTO) {
            struct cell_settings s = settings_of((struct cell_rules){.area = AREA_JUMP});
            s.updates = (enum update_rule)u;
            struct rig rig;
            rig_make(&rig, models[m], 1000, &s, false);
            const struct timed_spike spikes[] = {{3, 7, 1}, {late, 7, 1}};
            struct error error = {0};
            must(input_feed_spikes(rig.input, spikes, 2, &error), &error);
            clock_t begin = clock();
            rig_run(&rig, 1000000000);
            assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 2);
            if (models[m] == &if_cells)
                assert_true(rig_spike(&rig, late, 7) == 1);
            rig_free(&rig);
        }
}

/* ---- misuse ---- */

static void refuse(const struct cell_model *model, const struct cell_settings *settings,
                   const char *words)
{
    struct error error = {0};
    struct network *network = network_new("test", 1);
    assert_null(cells_new(network, "some cells", model, 3, settings, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    if (strstr(error.text, "population some cells") == NULL || strstr(error.text, words) == NULL)
        fail_msg("'%s' does not say '%s'", error.text, words);
    network_free(network);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    const double negative = -1, nothing = 0, nan = NAN;
    const double three[] = {0.1, 0.1, INFINITY}, two[] = {1, 1};
    struct cell_settings s = settings_of((struct cell_rules){0});
    set(&s, &lif_cells, "tau", &negative, 1);
    refuse(&lif_cells, &s, "tau of neuron 0 is -1; it must be positive");
    set(&s, &lif_cells, "tau", &nothing, 1);
    refuse(&lif_cells, &s, "must be positive");
    set(&s, &lif_cells, "tau", &nan, 1);
    refuse(&lif_cells, &s, "finite");
    set(&s, &lif_cells, "tau", three, 3);
    refuse(&lif_cells, &s, "tau of neuron 2");
    set(&s, &lif_cells, "tau", two, 2);
    refuse(&lif_cells, &s, "tau has 2 values; 1 or 3");
    s = settings_of((struct cell_rules){0});
    set(&s, &lif_cells, "refractory", &negative, 1);
    refuse(&lif_cells, &s, "must not be negative");
    s = settings_of((struct cell_rules){0});
    s.initial[0] = three;
    s.initial_length[0] = 3;
    refuse(&lif_cells, &s, "initial v of neuron 2");
    s = settings_of((struct cell_rules){0});
    s.drive[0] = three;
    refuse(&lif_cells, &s, "drive of neuron 2");
    s = settings_of((struct cell_rules){.several = true});
    refuse(&lif_cells, &s, "several spikes");
    s = settings_of((struct cell_rules){.late_reset = true});
    const double rest = 0.001;
    set(&s, &lif_cells, "refractory", &rest, 1);
    refuse(&lif_cells, &s, "refractory");
}

/* A neuron is updated when something reaches it, and for as long as its potential is not at rest. */
static void updates_are_counted(void **state)
{
    (void)state;
    enum { SEVENTY = 70, LENGTH = 40 };
    const double threshold = 1.5, tau = 0.01;
    double drive[SEVENTY] = {[69] = 1e-9};
    for (int leaky = 0; leaky < 2; leaky++) {
        const struct cell_model *model = leaky ? &lif_cells : &if_cells;
        struct cell_settings s = settings_of((struct cell_rules){.area = AREA_JUMP});
        set(&s, model, "v_threshold", &threshold, 1);
        if (leaky)
            set(&s, model, "tau", &tau, 1);
        s.drive[0] = drive;
        struct rig rig;
        struct error error = {0};
        rig_begin(&rig, SEVENTY, false, 2);
        rig.cells = cells_new(rig.network, "cells", model, SEVENTY, &s, &error);
        must(rig.cells != NULL, &error);
        struct projection *wire = network_add_projection(
            rig.network, "wire", &projection_diagonal,
            diagonal_new(SEVENTY, NULL, 1, NULL, &error), rig.input, CARRIES_SPIKES, rig.cells, 0,
            0, &error);
        must(wire != NULL, &error);
        diagonal_describe(wire);
        must(cells_count_updates(rig.cells, &error), &error);
        rig_seal(&rig);
        /* 1 is left with a potential, 2 fires and is back at rest, 68 is reached when it is over. */
        const struct timed_spike spikes[] = {{3, 1, 1}, {3, 2, 2}, {10, 68, 1}};
        must(input_feed_spikes(rig.input, spikes, 3, &error), &error);
        rig_run(&rig, LENGTH);
        assert_int_equal(rig.fired_count, 1);
        uint64_t expected[SEVENTY] = {[1] = LENGTH - 3, [2] = 1, [68] = LENGTH - 10, [69] = LENGTH};
        assert_memory_equal(rig.cells->updates, expected, sizeof expected);
        network_reset(rig.network); /* another sample, with the same input */
        rig_run(&rig, 5);
        expected[1] += 2, expected[2]++, expected[69] += 5;
        assert_memory_equal(rig.cells->updates, expected, sizeof expected);
        rig_free(&rig);
    }
}

static void updates_of_others_are_refused(void **state)
{
    (void)state;
    struct rig rig;
    struct error error = {0};
    rig_begin(&rig, 3, false, 1);
    assert_false(cells_count_updates(rig.input, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lif_follows_the_step_response),
        cmocka_unit_test(lif_takes_up_again_after_silence),
        cmocka_unit_test(lif_fires_at_the_rate_of_the_closed_form),
        cmocka_unit_test(if_integrates_its_current),
        cmocka_unit_test(rules_do_what_they_say),
        cmocka_unit_test(lif_follows_the_recurrence_written_out),
        cmocka_unit_test(single_precision_has_the_bits_of_floats),
        cmocka_unit_test(parameters_of_its_own_change_no_bit),
        cmocka_unit_test(initial_values_are_those_before_the_first_tick),
        cmocka_unit_test(drive_comes_on_top_of_the_input),
        cmocka_unit_test(updates_vectors_and_resets_change_no_bit),
        cmocka_unit_test(trickles_are_not_overlooked),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(auto_stops_watching_and_tries_again),
        cmocka_unit_test(a_refractory_neuron_does_not_sleep),
        cmocka_unit_test(resetting_wakes_what_sleeps),
        cmocka_unit_test(silence_takes_no_time),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(updates_are_counted),
        cmocka_unit_test(updates_of_others_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
