/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Linear membranes, models without a state and sources, each against an answer found another way:
 * a closed form in long double, the published recurrence written out, or a chi-square test. And
 * all of them: the same bits for every vector level and for parameters given one by one, and
 * blocks that sleep hold still.
 */
#include "neurons/models/cell_models.h"
#include "encoding/vector.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t random_state;

static double random_number(double low, double high)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return low + (high - low) * (double)(random_state >> 11) * 0x1p-53;
}

static bool level_is_there(enum vector_level level)
{
#if defined(__x86_64__)
    if (level == VECTOR_AVX2)
        return __builtin_cpu_supports("avx2");
    if (level == VECTOR_AVX512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
    return true;
}

/* ---- a population, stepped by hand ---- */

struct rig {
    struct network *network;
    struct cells *cells;
    uint32_t neurons, ports;
    double *input[CELL_PORTS]; /* [neurons], of the tick to come; cleared by a step */
    bool keeps;                /* ports are kept in the variables after the first */
    struct spike *fired;       /* [neurons], of the last tick */
    uint32_t fired_count;
    uint8_t *awake;            /* [blocks] */
    bool watch;
    enum vector_level level;
    int64_t tick;
};

static const struct cell_rules plain_rules = {.dt = 1e-4, .seed = 77};

static struct cell_settings settings_with(struct cell_rules rules)
{
    return (struct cell_settings){.rules = rules};
}

/* `values` must live until the rig is made. */
static void set(struct cell_settings *settings, const struct cell_model *model, const char *name,
                const double *values, uint32_t length)
{
    int p = cell_model_parameter(model, name);
    assert_true(p >= 0);
    settings->parameter[p] = values;
    settings->parameter_length[p] = length;
}

static bool rig_try(struct rig *rig, const struct cell_model *model, uint32_t neurons,
                    const struct cell_settings *settings, struct error *error)
{
    *rig = (struct rig){.network = network_new("test", 1), .neurons = neurons};
    struct population *population =
        cells_new(rig->network, "some cells", model, neurons, settings, error);
    if (population == NULL) {
        network_free(rig->network);
        return false;
    }
    rig->cells = population->state;
    rig->keeps = model == &cuba_lif_exc_inh_cells && settings->rules.area == AREA_JUMP;
    while (model->ports[rig->ports] != NULL)
        rig->input[rig->ports++] = calloc(neurons, sizeof(double));
    rig->fired = calloc(neurons, sizeof *rig->fired);
    rig->awake = calloc(neurons / CELL_BLOCK + 1, 1);
    return true;
}

static void rig_make(struct rig *rig, const struct cell_model *model, uint32_t neurons,
                     const struct cell_settings *settings)
{
    struct error error = {0};
    if (!rig_try(rig, model, neurons, settings, &error))
        fail_msg("%s", error.text);
}

static void rig_free(struct rig *rig)
{
    network_free(rig->network);
    for (uint32_t p = 0; p < rig->ports; p++)
        free(rig->input[p]);
    free(rig->fired);
    free(rig->awake);
}

static void rig_step(struct rig *rig)
{
    rig->fired_count = 0;
    for (uint32_t begin = 0; begin < rig->neurons; begin += CELL_STRETCH) {
        struct cell_step step = {.tick = rig->tick,
                                 .begin = begin,
                                 .end = rig->neurons - begin < CELL_STRETCH ? rig->neurons
                                                                            : begin + CELL_STRETCH,
                                 .fired = rig->fired + rig->fired_count,
                                 .watch = rig->watch,
                                 .awake = rig->awake + begin / CELL_BLOCK,
                                 .vector = rig->level};
        for (uint32_t p = 0; p < rig->ports; p++) {
            const struct port *port = &rig->cells->population->ports[p];
            double gain = port->gains != NULL ? port->gains[rig->tick & port->gain_mask] : 1;
            for (uint32_t i = begin; rig->keeps && i < step.end; i++)
                rig->cells->variable[1 + p][i] += rig->input[p][i] * gain;
            step.input[p] = rig->keeps ? NULL : rig->input[p] + begin;
        }
        rig->cells->model->step(rig->cells, &step);
        rig->fired_count += step.fired_count;
    }
    for (uint32_t p = 0; p < rig->ports; p++)
        memset(rig->input[p], 0, rig->neurons * sizeof(double));
    rig->tick++;
}

/* A variable of neuron i after the last tick. */
static double state_of(const struct rig *rig, uint32_t variable, uint32_t i)
{
    const struct cells *cells = rig->cells;
    return cells->model->read != NULL ? cells->model->read(cells, variable, i, rig->tick - 1)
                                      : cells->variable[variable][i];
}

static double state(const struct rig *rig, uint32_t variable)
{
    return state_of(rig, variable, 0);
}

/* One tick of a population of one neuron; returns its payload. */
static int32_t tick_with(struct rig *rig, double input)
{
    rig->input[0][0] = input;
    rig_step(rig);
    return rig->fired_count > 0 ? rig->fired[0].payload : 0;
}

static void assert_near(double value, long double expected, double tolerance)
{
    if (!(fabsl(value - expected) <= tolerance))
        fail_msg("%.17g is not %.17Lg to within %g", value, expected, tolerance);
}

/* ---- membranes that show themselves ---- */

static void integrator_adds_up_its_input(void **context)
{
    (void)context;
    double r = 3;
    struct cell_settings settings = settings_with(plain_rules);
    set(&settings, &integrator_cells, "r", &r, 1);
    struct rig rig;
    rig_make(&rig, &integrator_cells, 1, &settings);
    double sum = 0;
    for (int t = 0; t < 100; t++, sum += t % 7)
        tick_with(&rig, t % 7);
    sum -= 100 % 7;
    assert_near(state(&rig, 0), 3e-4L * (sum + 0), 1e-14);
    rig_free(&rig);
    settings.rules.area = AREA_JUMP;
    rig_make(&rig, &integrator_cells, 1, &settings);
    tick_with(&rig, 0.25);
    tick_with(&rig, 0);
    assert_true(state(&rig, 0) == 0.25);
    rig_free(&rig);
}

static void li_follows_the_step_response(void **context)
{
    (void)context;
    double tau = 0.0123, r = 2, leak = -0.5, start = 0.75;
    struct cell_settings settings = settings_with(plain_rules);
    set(&settings, &li_cells, "tau", &tau, 1);
    set(&settings, &li_cells, "r", &r, 1);
    set(&settings, &li_cells, "v_leak", &leak, 1);
    settings.initial[0] = &start;
    settings.initial_length[0] = 1;
    struct rig rig;
    rig_make(&rig, &li_cells, 1, &settings);
    for (int t = 1; t <= 1000; t++) {
        tick_with(&rig, 1.5);
        long double goal = -0.5L + 2 * 1.5L;
        assert_near(state(&rig, 0), goal + (0.75L - goal) * expl(-t * 1e-4L / 0.0123L), 1e-13);
    }
    rig_free(&rig);
    settings.rules.area = AREA_JUMP;
    rig_make(&rig, &li_cells, 1, &settings);
    tick_with(&rig, 1.5);
    assert_near(state(&rig, 0), -0.5L + 1.25L * expl(-1e-4L / 0.0123L) + 1.5L, 1e-15);
    rig_free(&rig);
}

/* The recurrences of the frameworks, as their documentation gives them. */
static void li_follows_the_frameworks(void **context)
{
    (void)context;
    double tau = 0.0025, r = 1.5;
    struct cell_rules rules[3] = {plain_rules, plain_rules, plain_rules};
    rules[0].integration = INTEGRATE_EULER; /* Norse */
    rules[1].raw = true;                    /* Rockpool */
    rules[2].integration = INTEGRATE_EULER; /* snnTorch, in floats */
    rules[2].raw = rules[2].single = true;
    for (int k = 0; k < 3; k++) {
        struct cell_settings settings = settings_with(rules[k]);
        set(&settings, &li_cells, "tau", &tau, 1);
        set(&settings, &li_cells, "r", &r, 1);
        struct rig rig;
        rig_make(&rig, &li_cells, 1, &settings);
        double v = 0, decay = k == 1 ? exp(-1e-4 / 0.0025) : 1 - 1e-4 / 0.0025;
        float s = 0, beta = (float)(1 - 1e-4 / 0.0025);
        for (int t = 0; t < 500; t++) {
            double x = random_number(-1, 2);
            tick_with(&rig, x);
            v = decay * v + 0.04 * 1.5 * x;
            float faded = beta * s;
            s = faded + (float)x;
            if (k < 2)
                assert_near(state(&rig, 0), v, 1e-14);
            else
                assert_true(state(&rig, 0) == s);
        }
        rig_free(&rig);
    }
}

/* What a current that was 1 at time 0 has done to v by time t, for r = 1. */
static long double response(long double t, long double tau_syn, long double tau_mem)
{
    long double slower = tau_syn > tau_mem ? tau_syn : tau_mem;
    long double z = t * fabsl(tau_syn - tau_mem) / tau_mem / tau_syn;
    return t / tau_mem * expl(-t / slower) * (z > 0 ? -expm1l(-z) / z : 1);
}

static void cuba_answers_one_spike_as_a_double_exponential(void **context)
{
    (void)context;
    static const double taus[][2] = {{0.005, 0.02}, {0.02, 0.005}, {0.01, 0.01},
                                     {0.01, 0.01 * (1 + 1e-13)}, {0.01 * (1 + 1e-7), 0.01},
                                     {0.01, 0.0101}, {1e-5, 0.01}, {0.01, 1e-5}, {3e-4, 2e-4}};
    for (size_t k = 0; k < sizeof taus / sizeof *taus; k++) {
        struct cell_settings settings = settings_with(plain_rules);
        settings.rules.area = AREA_JUMP;
        double w = 2, leak = 0.5;
        set(&settings, &cuba_li_cells, "tau_syn", &taus[k][0], 1);
        set(&settings, &cuba_li_cells, "tau_mem", &taus[k][1], 1);
        set(&settings, &cuba_li_cells, "w_in", &w, 1);
        set(&settings, &cuba_li_cells, "v_leak", &leak, 1);
        struct rig rig;
        rig_make(&rig, &cuba_li_cells, 1, &settings);
        for (int t = 1; t <= 600; t++) {
            tick_with(&rig, t == 1 ? 3 : 0);
            long double time = t * 1e-4L;
            assert_near(state(&rig, 0), 0.5L + 6 * response(time, taus[k][0], taus[k][1]), 1e-12);
            assert_near(state(&rig, 1), 6 * expl(-time / taus[k][0]), 1e-12);
        }
        rig_free(&rig);
    }
}

/* A held input switches a step of the current on and, a tick later, off: the difference of two
 * responses to a step, each goal (1 - e^(-t/tau_mem)) - response. */
static void cuba_answers_a_held_input(void **context)
{
    (void)context;
    static const double taus[][2] = {{0.005, 0.02}, {0.02, 0.005}, {0.01, 0.01}, {2e-4, 1e-4}};
    for (size_t k = 0; k < sizeof taus / sizeof *taus; k++) {
        struct cell_settings settings = settings_with(plain_rules);
        double w = 2, r = 5;
        set(&settings, &cuba_li_cells, "tau_syn", &taus[k][0], 1);
        set(&settings, &cuba_li_cells, "tau_mem", &taus[k][1], 1);
        set(&settings, &cuba_li_cells, "w_in", &w, 1);
        set(&settings, &cuba_li_cells, "r", &r, 1);
        struct rig rig;
        rig_make(&rig, &cuba_li_cells, 1, &settings);
        for (int t = 1; t <= 400; t++) {
            tick_with(&rig, t <= 30 ? 0.3 : 0);
            long double v = 0;
            for (int off = 0; off <= (t > 30); off++) {
                long double time = (t - 30 * off) * 1e-4L;
                long double step = -expm1l(-time / taus[k][1]) -
                                   response(time, taus[k][0], taus[k][1]);
                v += (off ? -3.0L : 3.0L) * step;
            }
            assert_near(state(&rig, 0), v, 1e-13);
        }
        rig_free(&rig);
    }
}

static void cuba_follows_the_frameworks(void **context)
{
    (void)context;
    double tau_syn = 0.002, tau_mem = 0.0025, r = 2, w = 3;
    enum { EULER, EULER_JUMP, ROCKPOOL, SNNTORCH, KINDS };
    for (int k = 0; k < KINDS; k++) {
        struct cell_settings settings = settings_with(plain_rules);
        settings.rules.integration = k == ROCKPOOL ? INTEGRATE_EXACT : INTEGRATE_EULER;
        settings.rules.area = k == EULER_JUMP ? AREA_JUMP : AREA_HOLD;
        settings.rules.raw = k >= ROCKPOOL;
        settings.rules.single = k == SNNTORCH;
        set(&settings, &cuba_li_cells, "tau_syn", &tau_syn, 1);
        set(&settings, &cuba_li_cells, "tau_mem", &tau_mem, 1);
        set(&settings, &cuba_li_cells, "r", &r, 1);
        set(&settings, &cuba_li_cells, "w_in", &w, 1);
        struct rig rig;
        rig_make(&rig, &cuba_li_cells, 1, &settings);
        bool exact = k == ROCKPOOL;
        double fade = exact ? exp(-0.05) : 0.95, decay = exact ? exp(-0.04) : 0.96;
        double v = 0, current = 0;
        float syn = 0, mem = 0;
        const float alpha = (float)(1 - 1e-4 / 0.002), beta = (float)(1 - 1e-4 / 0.0025);
        for (int t = 0; t < 500; t++) {
            double x = random_number(-1, 2);
            tick_with(&rig, x);
            if (k == EULER_JUMP) { /* Norse: the current jumps, acts, decays */
                current += 3 * x;
                v = v + 0.04 * (0 - v + 2 * current);
                current *= fade;
            } else {
                current = fade * current + 0.05 * 3 * x;
                v = decay * v + 0.04 * 2 * current;
            }
            float faded = alpha * syn;
            syn = faded + (float)x;
            faded = beta * mem;
            mem = faded + syn;
            if (k < SNNTORCH)
                assert_near(state(&rig, 0), v, 1e-12);
            else
                assert_true(state(&rig, 0) == mem && state(&rig, 1) == syn);
        }
        rig_free(&rig);
    }
}

/* Raw forward steps are plain ones in other units, initial values, leak and thresholds too. */
static void raw_units_change_nothing_but_the_scale(void **context)
{
    (void)context;
    static const struct {
        const struct cell_model *model;
        double unit;
    } cases[] = {{&integrator_cells, 2e-4},
                 {&li_cells, 2 * 1e-4 / 0.02},
                 {&cuba_li_cells, 2 * (1e-4 / 0.02) * 3 * (1e-4 / 0.005)},
                 {&cuba_lif_cells, 2 * (1e-4 / 0.02) * 3 * (1e-4 / 0.005)}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        double r = 2, w = 3, leak = 0.5, reset = 0.125, start = 0.75;
        struct cell_settings settings = settings_with(plain_rules);
        settings.rules.integration = INTEGRATE_EULER;
        set(&settings, cases[k].model, "r", &r, 1);
        if (k > 0)
            set(&settings, cases[k].model, "v_leak", &leak, 1);
        if (k > 1)
            set(&settings, cases[k].model, "w_in", &w, 1);
        if (k > 2)
            set(&settings, cases[k].model, "v_reset", &reset, 1);
        for (int v = 0; v <= (k > 1); v++) {
            settings.initial[v] = &start;
            settings.initial_length[v] = 1;
        }
        struct rig plain, raw;
        rig_make(&plain, cases[k].model, 1, &settings);
        settings.rules.raw = true;
        rig_make(&raw, cases[k].model, 1, &settings);
        for (int t = 0; t < 2000; t++) {
            double x = random_number(-0.5, 1.5);
            assert_int_equal(tick_with(&plain, x), tick_with(&raw, x));
            assert_near(state(&raw, 0) * cases[k].unit, state(&plain, 0), 1e-11);
        }
        rig_free(&plain);
        rig_free(&raw);
    }
}

/* ---- spikes and resets ---- */

/* A membrane that is its input: time constants so short that nothing is left of the tick before. */
static void make_instant(struct rig *rig, struct cell_rules rules, double refractory)
{
    static const double tau = 1e-9, threshold = 0.5, reset = 0.25;
    struct cell_settings settings = settings_with(rules);
    set(&settings, &cuba_lif_cells, "tau_syn", &tau, 1);
    set(&settings, &cuba_lif_cells, "tau_mem", &tau, 1);
    set(&settings, &cuba_lif_cells, "v_threshold", &threshold, 1);
    set(&settings, &cuba_lif_cells, "v_reset", &reset, 1);
    set(&settings, &cuba_lif_cells, "refractory", &refractory, 1);
    rig_make(rig, &cuba_lif_cells, 1, &settings);
}

static void threshold_is_strict_or_inclusive(void **context)
{
    (void)context;
    for (int inclusive = 0; inclusive < 2; inclusive++) {
        struct cell_rules rules = plain_rules;
        rules.inclusive = inclusive;
        struct rig rig;
        make_instant(&rig, rules, 0);
        assert_int_equal(tick_with(&rig, 0.5), inclusive);
        assert_int_equal(tick_with(&rig, nextafter(0.5, 1)), 1);
        assert_int_equal(tick_with(&rig, nextafter(0.5, 0)), 0);
        rig_free(&rig);
        rules.single = true;
        make_instant(&rig, rules, 0);
        assert_int_equal(tick_with(&rig, 0.5), inclusive);
        assert_int_equal(tick_with(&rig, nextafterf(0.5f, 1)), 1);
        assert_int_equal(tick_with(&rig, nextafterf(0.5f, 0)), 0);
        rig_free(&rig);
    }
}

static void reset_is_to_a_value_or_by_subtraction(void **context)
{
    (void)context;
    struct cell_rules rules = plain_rules;
    struct rig rig;
    make_instant(&rig, rules, 0);
    assert_int_equal(tick_with(&rig, 0.875), 1);
    assert_true(state(&rig, 0) == 0.25);
    rig_free(&rig);
    rules.reset = RESET_SUBTRACT;
    make_instant(&rig, rules, 0);
    assert_int_equal(tick_with(&rig, 0.875), 1);
    assert_true(state(&rig, 0) == 0.625);
    rig_free(&rig);
    rules.several = true; /* (1.5 - 0.25) / 0.25 */
    make_instant(&rig, rules, 0);
    assert_int_equal(tick_with(&rig, 1.5), 5);
    assert_true(state(&rig, 0) == 0.25);
    assert_int_equal(tick_with(&rig, 0.625), 1);
    assert_true(state(&rig, 0) == 0.375);
    assert_int_equal(tick_with(&rig, 1e30), INT32_MAX);
    rig_free(&rig);
}

static void refractory_period_is_counted_in_ticks(void **context)
{
    (void)context;
    for (int ticks = 0; ticks <= 5; ticks++)
        for (int subtract = 0; subtract < 2; subtract++) {
            struct cell_rules rules = plain_rules;
            rules.reset = subtract ? RESET_SUBTRACT : RESET_VALUE;
            struct rig rig;
            make_instant(&rig, rules, (ticks + 0.4) * 1e-4);
            for (int t = 0; t < 40; t++) {
                /* Held: also where subtraction has left it above the threshold. */
                bool fires = t % (ticks + 1) == 0;
                assert_int_equal(tick_with(&rig, 4), fires);
                assert_near(state(&rig, 0), subtract ? 3.75L : 0.25L, 0);
                assert_near(state(&rig, 1), 4, 0); /* the current goes on */
            }
            rig_free(&rig);
        }
}

static void exc_inh_is_held_where_subtraction_leaves_it(void **context)
{
    (void)context;
    double refractory = 3e-4, high = 5;
    struct cell_settings settings = settings_with(plain_rules);
    settings.rules.area = AREA_JUMP;
    settings.rules.reset = RESET_SUBTRACT;
    set(&settings, &cuba_lif_exc_inh_cells, "refractory", &refractory, 1);
    set(&settings, &cuba_lif_exc_inh_cells, "v_leak", &high, 1);
    struct rig rig;
    rig_make(&rig, &cuba_lif_exc_inh_cells, 1, &settings);
    double v = 5;
    for (int t = 0; t < 16; t++) {
        bool fires = t % 4 == 0;
        v = fires ? 5 + (v - 5) * exp(-1e-4 / 0.02) - 1 : v;
        rig_step(&rig);
        assert_int_equal(rig.fired_count, fires);
        assert_near(state(&rig, 0), v, 1e-13);
    }
    rig_free(&rig);
}

/* snnTorch: whether to reset is decided by the membrane of the tick before. */
static void late_reset_acts_in_the_next_tick(void **context)
{
    (void)context;
    for (int subtract = 0; subtract < 2; subtract++) {
        double tau_syn = 0.0005, tau_mem = 0.002, threshold = 0.1;
        struct cell_settings settings = settings_with(plain_rules);
        settings.rules.integration = INTEGRATE_EULER;
        settings.rules.raw = settings.rules.single = settings.rules.late_reset = true;
        settings.rules.reset = subtract ? RESET_SUBTRACT : RESET_VALUE;
        set(&settings, &cuba_lif_cells, "tau_syn", &tau_syn, 1);
        set(&settings, &cuba_lif_cells, "tau_mem", &tau_mem, 1);
        set(&settings, &cuba_lif_cells, "v_threshold", &threshold, 1);
        struct rig rig;
        rig_make(&rig, &cuba_lif_cells, 1, &settings);
        float syn = 0, mem = 0, alpha = 0.8f, beta = 0.95f;
        float limit = (float)(0.1 / (1e-4 / 0.002 * (1e-4 / 0.0005)));
        int spikes = 0;
        for (int t = 0; t < 300; t++) {
            float x = (float)random_number(-1, 3);
            bool fired = tick_with(&rig, x) > 0, was_above = mem > limit;
            float faded = alpha * syn;
            syn = faded + x;
            faded = beta * mem;
            mem = faded + syn;
            if (was_above)
                mem = subtract ? mem - limit : 0;
            assert_true(state(&rig, 0) == mem && fired == (mem > limit));
            spikes += fired;
        }
        assert_true(spikes > 10);
        rig_free(&rig);
    }
}

/* Each step's state by the closed form from the state before; and spikes by comparing. */
static void exc_inh_follows_the_closed_form(void **context)
{
    (void)context;
    enum { N = 150, TICKS = 3000 };
    double leak = -49e-3, threshold = -50e-3, reset = -60e-3, refractory = 5e-3;
    struct cell_settings settings = settings_with(plain_rules);
    settings.rules.area = AREA_JUMP;
    set(&settings, &cuba_lif_exc_inh_cells, "v_leak", &leak, 1);
    set(&settings, &cuba_lif_exc_inh_cells, "v_threshold", &threshold, 1);
    set(&settings, &cuba_lif_exc_inh_cells, "v_reset", &reset, 1);
    set(&settings, &cuba_lif_exc_inh_cells, "refractory", &refractory, 1);
    settings.initial[0] = &reset;
    settings.initial_length[0] = 1;
    struct rig rig;
    rig_make(&rig, &cuba_lif_exc_inh_cells, N, &settings);
    rig.level = level_is_there(VECTOR_AVX512) ? VECTOR_AVX512 : VECTOR_PLAIN;
    static long double v[N], exc[N], inh[N];
    static int left[N];
    const long double decay = expl(-1e-4L / 0.02L), fade_exc = expl(-1e-4L / 0.005L),
                      fade_inh = expl(-1e-4L / 0.01L), from_exc = response(1e-4L, 0.005L, 0.02L),
                      from_inh = response(1e-4L, 0.01L, 0.02L);
    for (int i = 0; i < N; i++)
        v[i] = reset, exc[i] = inh[i] = left[i] = 0;
    uint32_t spikes = 0;
    for (int t = 0; t < TICKS; t++) {
        for (int i = 0; i < N; i++) {
            rig.input[0][i] = random_number(0, 1) < 0.06 ? 1.62e-3 : 0;
            rig.input[1][i] = random_number(0, 1) < 0.004 ? -9e-3 : 0;
            exc[i] += rig.input[0][i];
            inh[i] += rig.input[1][i];
        }
        rig_step(&rig);
        uint32_t fired = 0;
        for (int i = 0; i < N; i++) {
            if (left[i]-- <= 0)
                v[i] = leak + (v[i] - leak) * decay + from_exc * exc[i] + from_inh * inh[i];
            exc[i] *= fade_exc;
            inh[i] *= fade_inh;
            if (v[i] > threshold) {
                v[i] = reset;
                left[i] = 50;
                assert_true(fired < rig.fired_count && rig.fired[fired].neuron == (uint32_t)i);
                fired++;
            }
            assert_near(state_of(&rig, 0, i), v[i], 1e-15);
            assert_near(state_of(&rig, 1, i), exc[i], 1e-15);
            assert_near(state_of(&rig, 2, i), inh[i], 1e-15);
        }
        assert_int_equal(rig.fired_count, fired);
        spikes += fired;
    }
    assert_true(spikes > 1000);
    rig_free(&rig);
}

/* Held weights: the same as cuba_li with both currents. */
static void exc_inh_takes_held_input(void **context)
{
    (void)context;
    double offset = 0.5, r = 2, threshold = 1e9, leak = -0.25;
    struct cell_settings settings = settings_with(plain_rules);
    set(&settings, &cuba_lif_exc_inh_cells, "i_offset", &offset, 1);
    set(&settings, &cuba_lif_exc_inh_cells, "r", &r, 1);
    set(&settings, &cuba_lif_exc_inh_cells, "v_threshold", &threshold, 1);
    set(&settings, &cuba_lif_exc_inh_cells, "v_leak", &leak, 1);
    struct rig rig;
    rig_make(&rig, &cuba_lif_exc_inh_cells, 1, &settings);
    for (int t = 1; t <= 500; t++) {
        rig.input[0][0] = 3;
        rig.input[1][0] = -1;
        rig_step(&rig);
        long double time = t * 1e-4L, rise = -expm1l(-time / 0.02L);
        long double v = -0.25L + rise * 2 * 0.5L + 6 * (rise - response(time, 0.005L, 0.02L)) -
                        2 * (rise - response(time, 0.01L, 0.02L));
        assert_near(state(&rig, 0), v, 1e-13);
    }
    rig_free(&rig);
}

static void exc_inh_takes_forward_steps(void **context)
{
    (void)context;
    struct cell_settings settings = settings_with(plain_rules);
    settings.rules.area = AREA_JUMP;
    settings.rules.integration = INTEGRATE_EULER;
    settings.rules.reset = RESET_SUBTRACT;
    struct rig rig;
    rig_make(&rig, &cuba_lif_exc_inh_cells, 1, &settings);
    double v = 0, exc = 0, inh = 0;
    int spikes = 0;
    for (int t = 0; t < 5000; t++) {
        double a = random_number(0, 0.2), b = random_number(-0.04, 0);
        rig.input[0][0] = a;
        rig.input[1][0] = b;
        rig_step(&rig);
        exc += a;
        inh += b;
        v += 1e-4 / 0.02 * (exc + inh - v);
        exc -= 1e-4 / 0.005 * exc;
        inh -= 1e-4 / 0.01 * inh;
        assert_int_equal(rig.fired_count, v > 1);
        spikes += v > 1;
        v -= v > 1;
        assert_near(state(&rig, 0), v, 1e-12);
    }
    assert_true(spikes > 10);
    rig_free(&rig);
}

/* ---- without a state ---- */

static void threshold_relay_and_graded_pass_their_input_on(void **context)
{
    (void)context;
    double threshold = 0.5;
    struct cell_settings settings = settings_with(plain_rules);
    set(&settings, &threshold_cells, "threshold", &threshold, 1);
    struct rig rig;
    rig_make(&rig, &threshold_cells, 1, &settings);
    assert_int_equal(tick_with(&rig, 0.5), 0);
    assert_int_equal(tick_with(&rig, 0.75), 1);
    rig_free(&rig);
    settings.rules.inclusive = true;
    rig_make(&rig, &threshold_cells, 1, &settings);
    assert_int_equal(tick_with(&rig, 0.5), 1);
    rig_free(&rig);
    threshold = -1; /* fires without any input: must not sleep */
    rig_make(&rig, &threshold_cells, 1, &settings);
    rig.watch = true;
    assert_int_equal(tick_with(&rig, 0), 1);
    assert_int_equal(rig.awake[0], 1);
    rig_free(&rig);
    settings = settings_with(plain_rules);
    rig_make(&rig, &relay_cells, 1, &settings);
    tick_with(&rig, -7.5);
    assert_true(state(&rig, 0) == -7.5);
    tick_with(&rig, 0);
    assert_true(state(&rig, 0) == 0);
    rig_free(&rig);
    rig_make(&rig, &graded_cells, 1, &settings);
    assert_int_equal(tick_with(&rig, 12), 12);
    assert_int_equal(tick_with(&rig, -3), -3);
    assert_int_equal(tick_with(&rig, 0), 0);
    assert_int_equal(rig.fired_count, 0);
    assert_int_equal(tick_with(&rig, 1e20), INT32_MAX);
    assert_int_equal(tick_with(&rig, -1e20), -INT32_MAX);
    rig_free(&rig);
}

/* ---- sources ---- */

static void regular_source_fires_at_its_interval(void **context)
{
    (void)context;
    enum { N = 70 };
    static double rate[N], phase[N];
    for (int i = 0; i < N; i++) {
        rate[i] = i == 3 ? 0 : 1 / ((i + 1) * 1e-4);
        phase[i] = i % 5 * 1e-4;
    }
    struct cell_settings settings = settings_with(plain_rules);
    set(&settings, &regular_cells, "rate", rate, N);
    set(&settings, &regular_cells, "phase", phase, N);
    struct rig rig;
    rig_make(&rig, &regular_cells, N, &settings);
    for (int round = 0; round < 2; round++) {
        for (int t = 0; t < 500; t++) {
            uint32_t fired = 0;
            rig_step(&rig);
            for (int i = 0; i < N; i++)
                if (i != 3 && t >= i % 5 && (t - i % 5) % (i + 1) == 0) {
                    assert_true(fired < rig.fired_count);
                    assert_int_equal(rig.fired[fired].neuron, i);
                    assert_int_equal(rig.fired[fired++].payload, 1);
                }
            assert_int_equal(fired, rig.fired_count);
        }
        rig.tick = 0;
        regular_cells.reset(rig.cells);
    }
    rig_free(&rig);
}

/* How often each number of events was drawn, against the distribution; groups of at least 10. */
static double chi_square_p(const uint64_t *drawn, uint32_t kinds, uint64_t draws, double mean)
{
    double chi = 0, expected = 0, left = 1;
    uint64_t seen = 0, all = 0;
    int groups = 0;
    for (uint32_t k = 0; k < kinds; k++) {
        double p = gsl_ran_poisson_pdf(k, mean);
        expected += p * (double)draws;
        left -= p;
        seen += drawn[k];
        all += drawn[k];
        if (expected < 10 || left * (double)draws < 10)
            continue;
        chi += ((double)seen - expected) * ((double)seen - expected) / expected;
        expected = 0;
        seen = 0;
        groups++;
    }
    expected += left > 0 ? left * (double)draws : 0;
    seen += draws - all;
    chi += ((double)seen - expected) * ((double)seen - expected) / expected;
    return gsl_cdf_chisq_Q(chi, groups);
}

static void poisson_counts_are_poisson_distributed(void **context)
{
    (void)context;
    static const double means[] = {0.003, 0.3, 2, 20, 150, 200};
    enum { N = 900, TICKS = 300, KINDS = 400 };
    for (size_t k = 0; k < sizeof means / sizeof *means; k++) {
        double rate = means[k] / 1e-4 / 4, sources = 4;
        struct cell_settings settings = settings_with(plain_rules);
        set(&settings, &poisson_cells, "rate", &rate, 1);
        set(&settings, &poisson_cells, "sources", &sources, 1);
        struct rig rig;
        rig_make(&rig, &poisson_cells, N, &settings);
        uint64_t drawn[KINDS] = {0};
        double together = 0, before = 0, last[N] = {0};
        for (int t = 0; t < TICKS; t++) {
            double now[N] = {0};
            rig_step(&rig);
            drawn[0] += N - rig.fired_count;
            for (uint32_t f = 0; f < rig.fired_count; f++) {
                assert_in_range(rig.fired[f].payload, 1, KINDS - 1);
                assert_true(f == 0 || rig.fired[f].neuron > rig.fired[f - 1].neuron);
                drawn[rig.fired[f].payload]++;
                now[rig.fired[f].neuron] = rig.fired[f].payload;
            }
            for (int i = 0; i < N; i++) {
                together += i > 0 ? (now[i] - means[k]) * (now[i - 1] - means[k]) : 0;
                before += (now[i] - means[k]) * (last[i] - means[k]) * (t > 0);
                last[i] = now[i];
            }
        }
        assert_true(chi_square_p(drawn, KINDS, N * TICKS, means[k]) > 1e-3);
        double deviation = means[k] * sqrt(N * TICKS); /* of both sums, if all are independent */
        assert_true(fabs(together) < 4 * deviation && fabs(before) < 4 * deviation);
        rig_free(&rig);
    }
}

static void poisson_sources_begin_and_stop(void **context)
{
    (void)context;
    double rate = 1e5, start[3] = {0.001, 0.002, 0.001}, stop[3] = {0.003, 0.003, 0.0025};
    for (uint32_t length = 1; length <= 3; length += 2) {
        struct cell_settings settings = settings_with(plain_rules);
        set(&settings, &poisson_cells, "rate", &rate, 1);
        set(&settings, &poisson_cells, "start", start, length);
        set(&settings, &poisson_cells, "stop", stop, length);
        struct rig rig;
        rig_make(&rig, &poisson_cells, 3, &settings);
        rig.watch = true;
        int64_t first[3] = {-1, -1, -1}, last[3] = {-1, -1, -1};
        for (int64_t t = 0; t < 50; t++) {
            rig_step(&rig);
            for (uint32_t f = 0; f < rig.fired_count; f++) {
                uint32_t neuron = rig.fired[f].neuron;
                first[neuron] = first[neuron] < 0 ? t : first[neuron];
                last[neuron] = t;
            }
            assert_int_equal(rig.awake[0], t < 29); /* must begin by itself */
        }
        for (uint32_t i = 0; i < 3; i++) { /* 10 events a tick: none is silent by chance */
            uint32_t k = length == 1 ? 0 : i;
            assert_int_equal(first[i], (int)(start[k] * 1e4 + 0.5));
            assert_int_equal(last[i], (int)(stop[k] * 1e4 + 0.5) - 1);
        }
        rig_free(&rig);
    }
}

/* ---- every model ---- */

struct variant {
    const struct cell_model *model;
    const char *uneven;        /* a parameter that can be given one by one */
    struct cell_rules rules;   /* beside dt and seed */
    double input;              /* that makes it busy */
};

static const struct variant variants[] = {
    {&integrator_cells, "r", {.area = AREA_HOLD}, 1},
    {&li_cells, "tau", {.area = AREA_HOLD}, 1},
    {&li_cells, "v_leak", {.area = AREA_JUMP, .integration = INTEGRATE_EULER}, 1},
    {&li_cells, "tau", {.raw = true, .single = true, .integration = INTEGRATE_EULER}, 1},
    {&cuba_li_cells, "tau_syn", {.area = AREA_HOLD}, 10},
    {&cuba_li_cells, "tau_mem", {.single = true}, 10},
    {&cuba_lif_cells, "tau_mem", {.area = AREA_HOLD}, 200},
    {&cuba_lif_cells, "v_threshold", {.area = AREA_JUMP, .reset = RESET_SUBTRACT}, 5},
    {&cuba_lif_cells, "refractory", {.integration = INTEGRATE_EULER, .inclusive = true}, 200},
    {&cuba_lif_cells, "tau_syn", {.reset = RESET_SUBTRACT, .several = true, .raw = true}, 500},
    {&cuba_lif_cells, "w_in",
     {.integration = INTEGRATE_EULER, .raw = true, .single = true, .late_reset = true}, 50},
    {&cuba_lif_exc_inh_cells, "tau_m", {.area = AREA_JUMP}, 20},
    {&cuba_lif_exc_inh_cells, "tau_exc", {.area = AREA_HOLD}, 100},
    {&cuba_lif_exc_inh_cells, "refractory",
     {.area = AREA_JUMP, .integration = INTEGRATE_EULER, .reset = RESET_SUBTRACT}, 20},
    {&threshold_cells, "threshold", {.area = AREA_HOLD}, 3},
    {&relay_cells, NULL, {.area = AREA_HOLD}, 1},
    {&graded_cells, NULL, {.area = AREA_HOLD}, 5},
    {&poisson_cells, "rate", {.area = AREA_HOLD}, 0},
    {&poisson_cells, "stop", {.area = AREA_HOLD}, 0},
    {&regular_cells, "phase", {.area = AREA_HOLD}, 0},
};

enum { MANY = 650, ODD = 100, NONE = MANY }; /* more than a stretch; its last block is not whole */

enum values { EVEN, UNEVEN, OTHER };

/* Parameters that keep it busy. UNEVEN: neuron ODD has another value of the variant's parameter;
 * OTHER: all neurons have that. */
static void make_variant(struct rig *rig, const struct variant *variant, enum values kind)
{
    static double values[CELL_PARAMETERS][MANY];
    const struct cell_model *model = variant->model;
    struct cell_settings settings = settings_with(variant->rules);
    settings.rules.dt = 1e-3;
    settings.rules.seed = 5;
    for (uint32_t p = 0; model->parameters[p].name != NULL; p++) {
        const char *name = model->parameters[p].name;
        double value = strcmp(name, "rate") == 0         ? model == &poisson_cells ? 700 : 0
                       : strcmp(name, "interval") == 0   ? 0.007
                       : strcmp(name, "refractory") == 0 ? variant->rules.late_reset ? 0 : 0.004
                       : strcmp(name, "stop") == 0       ? 0.4
                       : strcmp(name, "v_leak") == 0     ? model->output == CELLS_FIRE ? 0.25 : 0
                       : strncmp(name, "tau", 3) == 0    ? 0.3 * model->parameters[p].standard
                                                         : model->parameters[p].standard;
        for (int i = 0; i < MANY; i++)
            values[p][i] = value;
        bool chosen = variant->uneven != NULL && strcmp(name, variant->uneven) == 0;
        for (int i = 0; i < MANY; i++)
            if (chosen && (kind == OTHER || (kind == UNEVEN && i == ODD)))
                values[p][i] = 1.5 * value + (value == 0 ? 0.003 : 0);
        settings.parameter[p] = values[p];
        settings.parameter_length[p] = MANY;
    }
    rig_make(rig, model, MANY, &settings);
}

/* The same for every rig that is at the same tick. Blocks have their times of silence. */
static void feed(struct rig *rig, const struct variant *variant)
{
    random_state = 88172645463325252u + 1000003u * (uint64_t)rig->tick;
    for (uint32_t p = 0; p < rig->ports; p++)
        for (uint32_t i = 0; i < rig->neurons; i++) {
            double chance = random_number(0, 1), weight = random_number(-0.3, 1) * variant->input;
            bool silent = rig->tick >= 100 && rig->tick / 100 % 6 != i / CELL_BLOCK % 6;
            if (variant->model == &graded_cells)
                weight = round(weight);
            rig->input[p][i] = chance < 0.2 && !silent ? p == 1 ? -weight / 4 : weight : 0;
        }
}

/* Of all neurons but `except`. */
static bool same_bits(const struct rig *a, const struct rig *b, uint32_t except)
{
    for (uint32_t v = 0; a->cells->model->variables[v].name != NULL; v++)
        for (uint32_t i = 0; i < MANY; i++)
            if (i != except && memcmp(&a->cells->variable[v][i], &b->cells->variable[v][i],
                                      sizeof(double)) != 0)
                return false;
    uint32_t k = 0;
    for (uint32_t f = 0; f < a->fired_count; f++) {
        if (a->fired[f].neuron == except)
            continue;
        k += k < b->fired_count && b->fired[k].neuron == except;
        if (k == b->fired_count || memcmp(&a->fired[f], &b->fired[k++], sizeof *a->fired) != 0)
            return false;
    }
    k += k < b->fired_count && b->fired[k].neuron == except;
    return k == b->fired_count;
}

static void every_vector_level_gives_the_same_bits(void **context)
{
    (void)context;
    for (size_t k = 0; k < sizeof variants / sizeof *variants; k++)
        for (int kind = EVEN; kind <= UNEVEN; kind++)
            for (int level = VECTOR_AVX2; level < VECTOR_LEVELS; level++) {
                if (!level_is_there(level))
                    continue;
                struct rig plain, other;
                make_variant(&plain, &variants[k], kind);
                make_variant(&other, &variants[k], kind);
                other.level = level;
                other.watch = level == VECTOR_AVX512;
                uint64_t spikes = 0;
                for (int t = 0; t < 500; t++) {
                    feed(&plain, &variants[k]);
                    feed(&other, &variants[k]);
                    rig_step(&plain);
                    rig_step(&other);
                    if (!same_bits(&plain, &other, NONE))
                        fail_msg("variant %zu (%s), level %d, tick %d", k, variants[k].model->name,
                                 level, t);
                    spikes += plain.fired_count;
                }
                if (spikes < 500 && variants[k].model->output != CELLS_SHOW)
                    fail_msg("variant %zu (%s): only %d spikes", k, variants[k].model->name,
                             (int)spikes);
                rig_free(&plain);
                rig_free(&other);
            }
}

/* The state of one neuron, and its payload. */
static bool same_at(const struct rig *a, const struct rig *b, uint32_t neuron)
{
    int64_t payload[2] = {0, 0};
    for (uint32_t f = 0; f < a->fired_count; f++)
        payload[0] += a->fired[f].neuron == neuron ? a->fired[f].payload : 0;
    for (uint32_t f = 0; f < b->fired_count; f++)
        payload[1] += b->fired[f].neuron == neuron ? b->fired[f].payload : 0;
    for (uint32_t v = 0; a->cells->model->variables[v].name != NULL; v++)
        if (memcmp(&a->cells->variable[v][neuron], &b->cells->variable[v][neuron],
                   sizeof(double)) != 0)
            return false;
    return payload[0] == payload[1];
}

static void parameters_one_by_one_give_the_same_bits(void **context)
{
    (void)context;
    for (size_t k = 0; k < sizeof variants / sizeof *variants; k++) {
        if (variants[k].uneven == NULL)
            continue;
        struct rig rigs[3];
        for (int kind = EVEN; kind <= OTHER; kind++)
            make_variant(&rigs[kind], &variants[k], kind);
        bool differs = false;
        for (int t = 0; t < 700; t++) {
            for (int kind = EVEN; kind <= OTHER; kind++) {
                feed(&rigs[kind], &variants[k]);
                rig_step(&rigs[kind]);
            }
            if (!same_bits(&rigs[EVEN], &rigs[UNEVEN], ODD) ||
                !same_at(&rigs[OTHER], &rigs[UNEVEN], ODD))
                fail_msg("variant %zu (%s), tick %d", k, variants[k].model->name, t);
            differs |= !same_at(&rigs[EVEN], &rigs[UNEVEN], ODD);
        }
        if (!differs)
            fail_msg("variant %zu (%s)", k, variants[k].model->name);
        for (int kind = EVEN; kind <= OTHER; kind++)
            rig_free(&rigs[kind]);
    }
}

/* Without input every block falls asleep in the end, but for sources; and what sleeps, and
 * nothing reaches, neither moves nor fires when it is stepped all the same. */
static void blocks_asleep_hold_still(void **context)
{
    (void)context;
    enum { BLOCKS = (MANY + CELL_BLOCK - 1) / CELL_BLOCK };
    for (size_t k = 0; k < sizeof variants / sizeof *variants; k++) {
        const struct cell_model *model = variants[k].model;
        struct rig rig;
        make_variant(&rig, &variants[k], EVEN);
        rig.watch = true;
        static double kept[CELL_VARIABLES][MANY];
        uint32_t asleep = 0;
        for (int t = 0; t < 3700; t++) {
            bool still[BLOCKS] = {false};
            if (t < 700)
                feed(&rig, &variants[k]);
            for (uint32_t i = 0; i < MANY; i++) {
                if (i % CELL_BLOCK == 0)
                    still[i / CELL_BLOCK] = t > 0 && rig.awake[i / CELL_BLOCK] == 0;
                for (uint32_t p = 0; p < rig.ports; p++)
                    still[i / CELL_BLOCK] &= rig.input[p][i] == 0;
                for (uint32_t v = 0; model->variables[v].name != NULL; v++)
                    kept[v][i] = rig.cells->variable[v][i];
            }
            rig_step(&rig);
            for (uint32_t f = 0; f < rig.fired_count; f++)
                assert_false(still[rig.fired[f].neuron / CELL_BLOCK]);
            for (uint32_t i = 0; i < MANY; i++)
                for (uint32_t v = 0; still[i / CELL_BLOCK] && model->variables[v].name != NULL; v++)
                    assert_memory_equal(&kept[v][i], &rig.cells->variable[v][i], sizeof(double));
            for (uint32_t b = 0; b < BLOCKS; b++)
                asleep += still[b];
        }
        bool never = model == &regular_cells || model == &integrator_cells;
        if ((asleep < 1000) != never)
            fail_msg("variant %zu (%s): asleep %u times", k, model->name, asleep);
        rig_free(&rig);
    }
}

/* While a neuron is held nothing about it moves; but it will. */
static void blocks_with_a_held_neuron_are_awake(void **context)
{
    (void)context;
    const struct cell_model *models[] = {&cuba_lif_cells, &cuba_lif_exc_inh_cells};
    for (int k = 0; k < 2; k++) {
        double refractory = 5e-4, reset = 0.5, start = 2;
        struct cell_settings settings = settings_with(plain_rules);
        settings.rules.area = AREA_JUMP;
        set(&settings, models[k], "refractory", &refractory, 1);
        set(&settings, models[k], "v_reset", &reset, 1);
        settings.initial[0] = &start;
        settings.initial_length[0] = 1;
        struct rig rig;
        rig_make(&rig, models[k], 1, &settings);
        rig.watch = true;
        for (int t = 0; t <= 5; t++) {
            assert_int_equal(tick_with(&rig, 0), t == 0);
            assert_true(state(&rig, 0) == 0.5);
            assert_int_equal(rig.awake[0], 1);
        }
        tick_with(&rig, 0);
        assert_true(state(&rig, 0) < 0.5);
        rig_free(&rig);
    }
}

/* ---- refusals ---- */

static void assert_refused(const struct cell_model *model, struct cell_rules rules,
                           const char *parameter, double value, const char *reason)
{
    struct error error = {0};
    struct cell_settings settings = settings_with(rules);
    static const double rate = 10;
    if (model == &poisson_cells)
        set(&settings, model, "rate", &rate, 1);
    if (parameter != NULL)
        set(&settings, model, parameter, &value, 1);
    struct rig rig;
    assert_false(rig_try(&rig, model, 5, &settings, &error));
    if (strstr(error.text, reason) == NULL || strstr(error.text, "some cells") == NULL)
        fail_msg("refused with: %s", error.text);
}

static void what_makes_no_sense_is_refused(void **context)
{
    (void)context;
    struct cell_rules rules = plain_rules;
    assert_refused(&cuba_lif_cells, rules, "v_reset", 2, "would fire for ever");
    assert_refused(&cuba_lif_exc_inh_cells, rules, "v_reset", 2, "would fire for ever");
    assert_refused(&cuba_lif_cells, rules, "refractory", 6.5536, "65534 ticks");
    assert_refused(&cuba_lif_cells, rules, "tau_syn", 0, "must be positive");
    assert_refused(&poisson_cells, rules, "rate", 2.1e6, "events a tick on average");
    assert_refused(&poisson_cells, rules, "sources", -1, "fewer than 0");
    assert_refused(&poisson_cells, rules, "sources", 1.5, "whole number");
    assert_refused(&regular_cells, rules, "interval", 1e-5, "more often than once a tick");
    rules.several = true;
    assert_refused(&cuba_lif_cells, rules, NULL, 0, "several spikes a tick");
    assert_refused(&cuba_lif_exc_inh_cells, rules, NULL, 0, "several spikes a tick");
    rules = plain_rules;
    rules.late_reset = true;
    assert_refused(&cuba_lif_cells, rules, "refractory", 0.01, "refractory period");
    rules = plain_rules;
    rules.raw = true;
    rules.area = AREA_JUMP;
    assert_refused(&li_cells, rules, NULL, 0, "held for a tick");
    rules.area = AREA_HOLD;
    rules.integration = INTEGRATE_EULER;
    assert_refused(&integrator_cells, rules, "r", 0, "must be positive");
    assert_refused(&cuba_li_cells, rules, "w_in", -1, "must be positive");
}

int main(void)
{
    random_state = UINT64_C(88172645463325252);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integrator_adds_up_its_input),
        cmocka_unit_test(li_follows_the_step_response),
        cmocka_unit_test(li_follows_the_frameworks),
        cmocka_unit_test(cuba_answers_one_spike_as_a_double_exponential),
        cmocka_unit_test(cuba_answers_a_held_input),
        cmocka_unit_test(cuba_follows_the_frameworks),
        cmocka_unit_test(raw_units_change_nothing_but_the_scale),
        cmocka_unit_test(threshold_is_strict_or_inclusive),
        cmocka_unit_test(reset_is_to_a_value_or_by_subtraction),
        cmocka_unit_test(refractory_period_is_counted_in_ticks),
        cmocka_unit_test(exc_inh_is_held_where_subtraction_leaves_it),
        cmocka_unit_test(late_reset_acts_in_the_next_tick),
        cmocka_unit_test(exc_inh_follows_the_closed_form),
        cmocka_unit_test(exc_inh_takes_held_input),
        cmocka_unit_test(exc_inh_takes_forward_steps),
        cmocka_unit_test(threshold_relay_and_graded_pass_their_input_on),
        cmocka_unit_test(regular_source_fires_at_its_interval),
        cmocka_unit_test(poisson_counts_are_poisson_distributed),
        cmocka_unit_test(poisson_sources_begin_and_stop),
        cmocka_unit_test(every_vector_level_gives_the_same_bits),
        cmocka_unit_test(parameters_one_by_one_give_the_same_bits),
        cmocka_unit_test(blocks_asleep_hold_still),
        cmocka_unit_test(blocks_with_a_held_neuron_are_awake),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
