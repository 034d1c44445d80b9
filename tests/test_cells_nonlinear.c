/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Neuron models beyond the linear membrane, each against an answer found another way: a closed
 * form, the equations written out plainly, GSL's integrator of differential equations, or the
 * firing patterns that were published for it. And all of them: the same bits for every vector
 * level, for parameters given one by one, and when sleeping blocks are left out.
 */
#include "encoding/arithmetic.h"
#include "neurons/models/cell_models.h"
#include "neurons/vector_exp.h"

#include <gsl/gsl_errno.h>
#include <gsl/gsl_odeiv2.h>
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

/* ---- a population and what drives it ---- */

struct rig {
    struct network *network;
    struct cells *cells;
    double *input; /* [neurons], for port 0 unless it is kept */
    struct spike *fired; /* [neurons], of the last tick */
    uint32_t fired_count;
    uint8_t *awake; /* [blocks] */
    bool skip;      /* leave out blocks that sleep and have no input */
    uint32_t skipped;
    enum vector_level level;
    int64_t tick;
};

static struct cell_settings settings_of(enum integration integration, double dt)
{
    return (struct cell_settings){.rules = {.dt = dt, .integration = integration}};
}

/* One value for all neurons; `value` must live until the rig is made. */
static void set(struct cell_settings *settings, const struct cell_model *model, const char *name,
                const double *value, uint32_t length)
{
    int p = cell_model_parameter(model, name);
    assert_true(p >= 0);
    settings->parameter[p] = value;
    settings->parameter_length[p] = length;
}

static bool rig_made(struct rig *rig, const struct cell_model *model, uint32_t neurons,
                     const struct cell_settings *settings, struct error *error)
{
    *rig = (struct rig){.network = network_new("test", 1), .level = VECTOR_PLAIN};
    assert_non_null(rig->network);
    struct population *population =
        cells_new(rig->network, "some cells", model, neurons, settings, error);
    if (population == NULL) {
        network_free(rig->network);
        return false;
    }
    uint32_t blocks = neurons / CELL_BLOCK + 1;
    rig->cells = population->state;
    rig->input = calloc(neurons, sizeof *rig->input);
    rig->fired = calloc(neurons, sizeof *rig->fired);
    rig->awake = malloc(blocks);
    assert_true(rig->input != NULL && rig->fired != NULL && rig->awake != NULL);
    memset(rig->awake, 1, blocks);
    return true;
}

static void rig_make(struct rig *rig, const struct cell_model *model, uint32_t neurons,
                     const struct cell_settings *settings)
{
    struct error error = {0};
    if (!rig_made(rig, model, neurons, settings, &error))
        fail_msg("%s", error.text);
}

static void rig_free(struct rig *rig)
{
    network_free(rig->network);
    free(rig->input);
    free(rig->fired);
    free(rig->awake);
}

static void arrive(struct rig *rig, uint32_t port, uint32_t neuron, double weight)
{
    struct port *p = &rig->cells->population->ports[port];
    if (p->kept)
        p->current[neuron] += weight;
    else
        rig->input[neuron] += weight;
    if (weight != 0)
        rig->awake[neuron / CELL_BLOCK] = 1;
}

static void rig_step(struct rig *rig)
{
    rig->fired_count = 0;
    uint32_t neurons = rig->cells->neurons, length = rig->skip ? CELL_BLOCK : CELL_STRETCH;
    for (uint32_t begin = 0; begin < neurons; begin += length) {
        if (rig->skip && rig->awake[begin / CELL_BLOCK] == 0) {
            rig->skipped++;
            continue;
        }
        struct cell_step step = {.tick = rig->tick,
                                 .begin = begin,
                                 .end = begin + length < neurons ? begin + length : neurons,
                                 .fired = rig->fired + rig->fired_count,
                                 .watch = rig->skip,
                                 .awake = rig->awake + begin / CELL_BLOCK,
                                 .vector = rig->level};
        if (!rig->cells->population->ports[0].kept)
            step.input[0] = rig->input + begin;
        rig->cells->model->step(rig->cells, &step);
        rig->fired_count += step.fired_count;
    }
    memset(rig->input, 0, neurons * sizeof *rig->input);
    rig->tick++;
}

/* Ticks at which neuron 0, alone, fires under a constant input; returns how many there are. */
static uint32_t spike_ticks(struct rig *rig, double input, uint32_t ticks, int64_t *spikes,
                            uint32_t limit)
{
    uint32_t count = 0;
    for (uint32_t t = 0; t < ticks; t++) {
        arrive(rig, 0, 0, input);
        rig_step(rig);
        if (rig->fired_count > 0 && count < limit)
            spikes[count++] = rig->tick - 1;
    }
    return count;
}

/* ---- the exponential ---- */

VECTOR_INLINE void exp_all(const double *x, double *y, uint32_t length)
{
#pragma GCC ivdep
    for (uint32_t i = 0; i < length; i++)
        y[i] = vector_exp(x[i]);
}
VECTOR_VERSIONS(exp_all, (const double *x, double *y, uint32_t length), (x, y, length))

static void test_vector_exp_has_the_bits_of_the_plain_one(void **state)
{
    (void)state;
    enum { LENGTH = 4096, ROUNDS = 300 };
    static double x[LENGTH], y[LENGTH];
    static const double edges[] = {0,      -0.0,    1,       -1,      709.782712893384,
                                   709.7827128933841, 709.79, 710,    711,     1e300,
                                   INFINITY, -INFINITY, -708.3, -708.4, -745,   -745.13,
                                   -745.14, -745.2, -745.21, -746,    -747,    -1e300,
                                   5e-324, -5e-324, 1e-17};
    random_state = 1;
    for (int round = 0; round < ROUNDS; round++) {
        double reach = round % 3 == 0 ? 760 : round % 3 == 1 ? 30 : 0.5;
        for (uint32_t i = 0; i < LENGTH; i++)
            x[i] = random_number(-reach, reach);
        if (round == 0)
            memcpy(x, edges, sizeof edges);
        for (int level = 0; level < VECTOR_LEVELS; level++) {
            if (!level_is_there(level))
                continue;
            exp_all_by[level](x, y, LENGTH);
            for (uint32_t i = 0; i < LENGTH; i++) {
                double plain = arithmetic_exp(x[i]);
                if (memcmp(&plain, &y[i], sizeof plain) != 0)
                    fail_msg("exp(%.17g) is %a, not %a, at level %d", x[i], y[i], plain, level);
            }
        }
    }
    assert_true(isnan(vector_exp(NAN)));
}

/* ---- adaptive_lif ---- */

static void test_adaptive_lif_without_adaptation_has_the_closed_rate(void **state)
{
    (void)state;
    const double dt = 1e-4, tau = 0.01, none = 0, refractory = 0.002;
    for (double current = 1.01; current < 6; current *= 1.3) {
        struct cell_settings s = settings_of(INTEGRATE_EXACT, dt);
        set(&s, &adaptive_lif_cells, "tau", &tau, 1);
        set(&s, &adaptive_lif_cells, "adaptation", &none, 1);
        set(&s, &adaptive_lif_cells, "refractory", &refractory, 1);
        struct rig rig;
        rig_make(&rig, &adaptive_lif_cells, 1, &s);
        /* After n ticks v = I (1 - e^(-n dt/tau)): above 1 from the n below on. */
        int64_t n = (int64_t)ceil(-tau / dt * log1p(-1 / current)), spikes[200];
        uint32_t count = spike_ticks(&rig, current, 3000, spikes, 200);
        assert_true(count >= 3);
        for (uint32_t i = 0; i < count; i++)
            assert_int_equal(spikes[i], n - 1 + i * (n + 20));
        rig_free(&rig);
    }
}

/* Between spikes a decays by x = e^(-T/tau_a): after many, a = 1/(1-x) just after a spike. */
static void test_adaptive_lif_settles_where_threshold_meets_potential(void **state)
{
    (void)state;
    const double dt = 1e-5, tau = 0.02, tau_a = 0.1, beta = 0.3, current = 3;
    struct cell_settings s = settings_of(INTEGRATE_EXACT, dt);
    set(&s, &adaptive_lif_cells, "tau_adaptation", &tau_a, 1);
    set(&s, &adaptive_lif_cells, "adaptation", &beta, 1);
    struct rig rig;
    rig_make(&rig, &adaptive_lif_cells, 1, &s);
    int64_t spikes[400];
    uint32_t count = spike_ticks(&rig, current, 200000, spikes, 400);
    assert_true(count > 20);
    for (uint32_t i = 2; i < count; i++)
        assert_true(spikes[i] - spikes[i - 1] >= spikes[i - 1] - spikes[i - 2] - 1);
    double low = 1e-4, high = 1; /* bisection for the interval */
    for (int i = 0; i < 80; i++) {
        double t = (low + high) / 2, x = exp(-t / tau_a);
        if (current * (1 - exp(-t / tau)) < 1 + beta * x / (1 - x))
            low = t;
        else
            high = t;
    }
    assert_float_equal((double)(spikes[count - 1] - spikes[count - 2]) * dt, low, 2 * dt);
    rig_free(&rig);
}

static void test_adaptive_lif_follows_its_equations(void **state)
{
    (void)state;
    const double dt = 1e-3, tau = 0.015, r = 2.5, leak = -0.4, threshold = 0.7, reset = -0.1,
                 refractory = 0.003, tau_a = 0.08, beta = 0.25;
    for (int kind = 0; kind < 4; kind++) {
        bool euler = kind & 1, subtract = kind & 2;
        struct cell_settings s = settings_of(euler ? INTEGRATE_EULER : INTEGRATE_EXACT, dt);
        s.rules.reset = subtract ? RESET_SUBTRACT : RESET_VALUE;
        set(&s, &adaptive_lif_cells, "tau", &tau, 1);
        set(&s, &adaptive_lif_cells, "r", &r, 1);
        set(&s, &adaptive_lif_cells, "v_leak", &leak, 1);
        set(&s, &adaptive_lif_cells, "v_threshold", &threshold, 1);
        set(&s, &adaptive_lif_cells, "v_reset", &reset, 1);
        set(&s, &adaptive_lif_cells, "refractory", &refractory, 1);
        set(&s, &adaptive_lif_cells, "tau_adaptation", &tau_a, 1);
        set(&s, &adaptive_lif_cells, "adaptation", &beta, 1);
        struct rig rig;
        rig_make(&rig, &adaptive_lif_cells, 1, &s);
        double v = leak, a = 0, keep = euler ? 1 - dt / tau : exp(-dt / tau);
        double keep_a = euler ? 1 - dt / tau_a : exp(-dt / tau_a);
        int rest = 0, spikes = 0;
        random_state = 7;
        for (int t = 0; t < 4000; t++) {
            double input = random_number(-1, 3);
            arrive(&rig, 0, 0, input);
            rig_step(&rig);
            a *= keep_a;
            bool fires = false;
            if (rest > 0) {
                rest--;
            } else {
                v = keep * v + (1 - keep) * (leak + r * input);
                fires = v > threshold + beta * a;
            }
            if (fires) {
                v = subtract ? v - (threshold + beta * a - reset) : reset;
                a += 1;
                rest = 3;
                spikes++;
            }
            assert_int_equal(rig.fired_count, fires);
            assert_float_equal(rig.cells->variable[0][0], v, 1e-11);
            assert_float_equal(rig.cells->variable[1][0], a, 1e-11);
        }
        assert_true(spikes > 100);
        rig_free(&rig);
    }
}

/* ---- izhikevich ---- */

/* The paper's script for one neuron, with its tests and updates in its order. */
static void test_izhikevich_has_the_bits_of_the_papers_script(void **state)
{
    (void)state;
    const double a = 0.1, b = 0.2, c = -65, d = 2;
    struct cell_settings s = settings_of(INTEGRATE_EULER, 1e-3);
    set(&s, &izhikevich_cells, "a", &a, 1);
    set(&s, &izhikevich_cells, "d", &d, 1);
    struct rig rig;
    rig_make(&rig, &izhikevich_cells, 1, &s);
    double v = -65, u = b * v;
    uint32_t spikes = 0;
    random_state = 3;
    for (int t = 0; t < 5000; t++) {
        double current = random_number(-5, 15);
        if (v >= 30) {
            v = c;
            u = u + d;
        }
        v = v + 0.5 * (0.04 * v * v + 5 * v + 140 - u + current);
        v = v + 0.5 * (0.04 * v * v + 5 * v + 140 - u + current);
        u = u + a * (b * v - u);
        arrive(&rig, 0, 0, current);
        rig_step(&rig);
        assert_int_equal(rig.fired_count, v >= 30);
        double v_after = v >= 30 ? c : v, u_after = v >= 30 ? u + d : u;
        assert_memory_equal(&rig.cells->variable[0][0], &v_after, sizeof v_after);
        assert_memory_equal(&rig.cells->variable[1][0], &u_after, sizeof u_after);
        spikes += v >= 30;
    }
    assert_true(spikes > 50);
    rig_free(&rig);
}

static uint32_t izhikevich_pattern(double a, double b, double c, double d, int64_t *spikes)
{
    struct cell_settings s = settings_of(INTEGRATE_EULER, 1e-4);
    const double substeps = 1;
    set(&s, &izhikevich_cells, "a", &a, 1);
    set(&s, &izhikevich_cells, "b", &b, 1);
    set(&s, &izhikevich_cells, "c", &c, 1);
    set(&s, &izhikevich_cells, "d", &d, 1);
    set(&s, &izhikevich_cells, "substeps", &substeps, 1);
    struct rig rig;
    rig_make(&rig, &izhikevich_cells, 1, &s);
    uint32_t count = spike_ticks(&rig, 10, 10000, spikes, 1000);
    rig_free(&rig);
    for (uint32_t i = 0; i + 1 < count; i++) /* intervals, in tenths of a millisecond */
        spikes[i] = spikes[i + 1] - spikes[i];
    return count;
}

static void test_izhikevich_patterns_are_the_published_ones(void **state)
{
    (void)state;
    static int64_t between[1000];
    /* Regular spiking: the first interval is short, later ones long and even. */
    uint32_t regular = izhikevich_pattern(0.02, 0.2, -65, 8, between);
    assert_in_range(regular, 15, 40);
    assert_true(between[0] < between[5] && labs(between[10] - between[9]) <= 2);
    /* Fast spiking: many times as fast, without adaptation. */
    uint32_t fast = izhikevich_pattern(0.1, 0.2, -65, 2, between);
    assert_true(fast > 2 * regular && labs(between[fast - 2] - between[2]) <= 5);
    /* Chattering: bursts of closely spaced spikes, again and again. */
    uint32_t chattering = izhikevich_pattern(0.02, 0.2, -50, 2, between), bursts = 0, close = 0;
    for (uint32_t i = 0; i + 1 < chattering; i++) {
        bursts += between[i] > 150;
        close += between[i] < 60;
    }
    assert_true(bursts >= 5 && close >= 3 * bursts);
    /* Intrinsically bursting: a burst (here of two) first, then single spikes at even intervals. */
    uint32_t bursting = izhikevich_pattern(0.02, 0.2, -55, 4, between);
    assert_true(bursting > 10 && between[0] < 60);
    for (uint32_t i = 1; i + 1 < bursting; i++)
        assert_true(between[i] > 200);
}

static void test_izhikevich_many_substeps_stay_finite(void **state)
{
    (void)state;
    struct cell_settings s = settings_of(INTEGRATE_EULER, 1e-3);
    const double substeps = 50;
    set(&s, &izhikevich_cells, "substeps", &substeps, 1);
    struct rig rig;
    rig_make(&rig, &izhikevich_cells, 1, &s);
    int64_t spikes[200];
    assert_in_range(spike_ticks(&rig, 10, 1000, spikes, 200), 15, 40);
    assert_true(fabs(rig.cells->variable[0][0]) < 100 && fabs(rig.cells->variable[1][0]) < 100);
    rig_free(&rig);
}

/* ---- adex ---- */

struct adex_constants {
    double c, g, e, threshold, slope, tau, a, b, reset, current;
};

static int adex_slope(double t, const double y[], double slope[], void *argument)
{
    (void)t;
    const struct adex_constants *k = argument;
    slope[0] = (-k->g * (y[0] - k->e) + k->g * k->slope * exp((y[0] - k->threshold) / k->slope) -
                y[1] + k->current) / k->c;
    slope[1] = (k->a * (y[0] - k->e) - y[1]) / k->tau;
    return GSL_SUCCESS;
}

static void adex_settings(struct cell_settings *s, const struct adex_constants *k)
{
    const struct cell_model *model = &adex_cells;
    set(s, model, "c", &k->c, 1);
    set(s, model, "g_l", &k->g, 1);
    set(s, model, "e_l", &k->e, 1);
    set(s, model, "v_t", &k->threshold, 1);
    set(s, model, "delta_t", &k->slope, 1);
    set(s, model, "tau_w", &k->tau, 1);
    set(s, model, "a", &k->a, 1);
    set(s, model, "b", &k->b, 1);
    set(s, model, "v_reset", &k->reset, 1);
    set(s, model, "i_offset", &k->current, 1);
}

/* Forward steps of 10 ns against GSL's Runge-Kutta (8, 9), until the upstroke. */
static void test_adex_follows_the_differential_equations(void **state)
{
    (void)state;
    struct adex_constants k = {281e-12, 30e-9, -70.6e-3, -50.4e-3, 2e-3, 0.144, 4e-9, 80.5e-12,
                               -70.6e-3, 1e-9};
    struct cell_settings s = settings_of(INTEGRATE_EULER, 1e-5);
    const double substeps = 1000;
    adex_settings(&s, &k);
    set(&s, &adex_cells, "substeps", &substeps, 1);
    struct rig rig;
    rig_make(&rig, &adex_cells, 1, &s);
    gsl_odeiv2_system system = {adex_slope, NULL, 2, &k};
    gsl_odeiv2_driver *driver =
        gsl_odeiv2_driver_alloc_y_new(&system, gsl_odeiv2_step_rk8pd, 1e-7, 1e-15, 1e-12);
    double t = 0, y[2] = {k.e, 0};
    int ticks = 0;
    for (; y[0] < -0.045; ticks++) {
        assert_int_equal(gsl_odeiv2_driver_apply(driver, &t, 1e-5 * (ticks + 1), y), GSL_SUCCESS);
        rig_step(&rig);
        assert_int_equal(rig.fired_count, 0);
        assert_float_equal(rig.cells->variable[0][0], y[0], 2e-7);
        assert_float_equal(rig.cells->variable[1][0], y[1], 1e-16);
    }
    assert_true(ticks > 500); /* 5 ms and more of a charging membrane */
    while (y[0] < 20e-3 && gsl_odeiv2_driver_apply(driver, &t, t + 1e-7, y) == GSL_SUCCESS)
        ;
    while (rig.fired_count == 0)
        rig_step(&rig);
    assert_float_equal((double)rig.tick * 1e-5, t, 1.1e-5);
    assert_float_equal(rig.cells->variable[0][0], k.reset, 0);
    assert_true(rig.cells->variable[1][0] > k.b);
    gsl_odeiv2_driver_free(driver);
    rig_free(&rig);
}

/* Intervals in ticks of 0.05 ms under the constant current of a parameter set. */
static uint32_t adex_pattern(struct adex_constants k, int64_t *between)
{
    k.c *= 1e-12, k.g *= 1e-9, k.e *= 1e-3, k.threshold *= 1e-3, k.slope *= 1e-3, k.tau *= 1e-3;
    k.a *= 1e-9, k.b *= 1e-12, k.reset *= 1e-3, k.current *= 1e-12;
    struct cell_settings s = settings_of(INTEGRATE_EULER, 5e-5);
    adex_settings(&s, &k);
    struct rig rig;
    rig_make(&rig, &adex_cells, 1, &s);
    uint32_t count = spike_ticks(&rig, 0, 10000, between, 1000);
    rig_free(&rig);
    for (uint32_t i = 0; i + 1 < count; i++)
        between[i] = between[i + 1] - between[i];
    return count;
}

/* Parameters of Naud, Marcille, Clopath and Gerstner 2008, table 1. */
static void test_adex_patterns_are_the_published_ones(void **state)
{
    (void)state;
    static int64_t between[1000];
    uint32_t tonic = adex_pattern((struct adex_constants){200, 10, -70, -50, 2, 30, 2, 0, -58, 500},
                                  between);
    assert_true(tonic > 20);
    for (uint32_t i = 8; i + 1 < tonic; i++)
        assert_true(labs(between[i] - between[7]) <= 2);
    uint32_t adapting =
        adex_pattern((struct adex_constants){200, 12, -70, -50, 2, 300, 2, 60, -58, 500}, between);
    assert_true(adapting > 8 && between[adapting - 2] > 2 * between[0]);
    for (uint32_t i = 1; i + 1 < adapting; i++)
        assert_true(between[i] >= between[i - 1] - 1);
    uint32_t first_burst =
        adex_pattern((struct adex_constants){130, 18, -58, -50, 2, 150, 4, 120, -50, 400}, between);
    assert_true(first_burst > 5 && between[0] < 200 && between[first_burst - 2] > 4 * between[0]);
    uint32_t bursting =
        adex_pattern((struct adex_constants){200, 10, -58, -50, 2, 120, 2, 100, -46, 210}, between);
    uint32_t gaps = 0, close = 0;
    for (uint32_t i = 0; i + 1 < bursting; i++) {
        gaps += between[i] > 800;
        close += between[i] < 300;
    }
    assert_true(gaps >= 2 && close >= gaps);
    uint32_t accelerating =
        adex_pattern((struct adex_constants){200, 12, -70, -50, 2, 300, -10, 0, -58, 300}, between);
    assert_true(accelerating > 5 && between[0] > between[accelerating - 2]);
    uint32_t transient =
        adex_pattern((struct adex_constants){100, 10, -65, -50, 2, 90, 10, 100, -47, 180}, between);
    assert_in_range(transient, 1, 4);
}

/* ---- cond_lif ---- */

static void test_cond_lif_rate_under_current_is_closed(void **state)
{
    (void)state;
    const double dt = 1e-4, offset = 250e-12; /* steady state -35 mV, tau 20 ms */
    struct cell_settings s = settings_of(INTEGRATE_EXACT, dt);
    set(&s, &cond_lif_cells, "i_offset", &offset, 1);
    struct rig rig;
    rig_make(&rig, &cond_lif_cells, 1, &s);
    int64_t spikes[100], n = (int64_t)ceil(200 * log(25.0 / 15));
    uint32_t count = spike_ticks(&rig, 0, 5000, spikes, 100);
    assert_true(count > 20);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(spikes[i], n - 1 + i * (n + 50));
    rig_free(&rig);
}

static int cond_slope(double t, const double y[], double slope[], void *argument)
{
    (void)t, (void)argument;
    slope[0] = (10e-9 * (-60e-3 - y[0]) + y[1] * (0 - y[0]) + y[2] * (-80e-3 - y[0])) / 200e-12;
    slope[1] = -y[1] / 5e-3;
    slope[2] = -y[2] / 10e-3;
    return GSL_SUCCESS;
}

static void test_cond_lif_follows_the_differential_equations(void **state)
{
    (void)state;
    for (int euler = 0; euler < 2; euler++) {
        struct cell_settings s = settings_of(euler ? INTEGRATE_EULER : INTEGRATE_EXACT, 1e-6);
        struct rig rig;
        rig_make(&rig, &cond_lif_cells, 1, &s);
        gsl_odeiv2_system system = {cond_slope, NULL, 3, NULL};
        gsl_odeiv2_driver *driver =
            gsl_odeiv2_driver_alloc_y_new(&system, gsl_odeiv2_step_rk8pd, 1e-6, 1e-16, 1e-12);
        double t = 0, y[3] = {-60e-3, 0, 0}, top = -1;
        for (int tick = 0; tick < 40000; tick++) {
            if (tick % 8000 == 0) {
                arrive(&rig, 0, 0, 6e-9);
                y[1] += 6e-9;
                gsl_odeiv2_driver_reset(driver);
            }
            if (tick % 15000 == 3000) {
                arrive(&rig, 1, 0, 67e-9);
                y[2] += 67e-9;
                gsl_odeiv2_driver_reset(driver);
            }
            rig_step(&rig);
            int status = gsl_odeiv2_driver_apply(driver, &t, 1e-6 * (tick + 1), y);
            assert_int_equal(status, GSL_SUCCESS);
            assert_float_equal(rig.cells->variable[0][0], y[0], 2e-6);
            assert_float_equal(rig.cells->variable[1][0], y[1], 1e-11);
            assert_float_equal(rig.cells->variable[2][0], y[2], 1e-11);
            top = y[0] > top ? y[0] : top;
        }
        assert_true(top > -0.058); /* something happened */
        gsl_odeiv2_driver_free(driver);
        rig_free(&rig);
    }
}

/* ---- loihi ---- */

static int64_t shifted(int64_t x, int64_t keep)
{
    return x < 0 ? -(-x * keep >> 12) : x * keep >> 12;
}

static void test_loihi_is_exact_in_integers(void **state)
{
    (void)state;
    enum { SETS = 6 };
    static const double du[SETS] = {4096, 1, 410, 4095, 0, 2000};
    static const double dv[SETS] = {0, 128, 4096, 17, 1, 3000};
    static const double mantissa[SETS] = {100, 3000, 131071, 50000, 131071, 1};
    static const double bias[SETS] = {0, 7, -4096, 4095, 0, -1};
    static const double exponent[SETS] = {0, 3, 7, 7, 0, 0};
    static const double refractory[SETS] = {0, 1, 0, 5, 0, 2};
    struct cell_settings s = settings_of(INTEGRATE_EXACT, 1);
    set(&s, &loihi_cells, "du", du, SETS);
    set(&s, &loihi_cells, "dv", dv, SETS);
    set(&s, &loihi_cells, "v_threshold_mantissa", mantissa, SETS);
    set(&s, &loihi_cells, "bias_mantissa", bias, SETS);
    set(&s, &loihi_cells, "bias_exponent", exponent, SETS);
    set(&s, &loihi_cells, "refractory", refractory, SETS);
    struct rig rig;
    rig_make(&rig, &loihi_cells, SETS, &s);
    int64_t u[SETS] = {0}, v[SETS] = {0}, rest[SETS] = {0};
    uint32_t spikes = 0, wraps = 0, limits = 0;
    random_state = 11;
    for (int t = 0; t < 20000; t++) {
        uint32_t expected = 0;
        double reach = t / 1000 % 2 == 0 ? 300 : 60000;
        for (uint32_t i = 0; i < SETS; i++) {
            int64_t weight = (int64_t)random_number(-reach, reach);
            arrive(&rig, 0, i, (double)weight);
            u[i] = shifted(u[i], 4096 - (int64_t)du[i]) + 64 * weight;
            for (; u[i] > 1 << 23; wraps++)
                u[i] -= 1 << 24;
            for (; u[i] <= -(1 << 23); wraps++)
                u[i] += 1 << 24;
            int64_t moved = shifted(v[i], 4096 - (int64_t)dv[i]) + u[i] +
                            (int64_t)bias[i] * (1 << (int)exponent[i]);
            limits += labs(moved) > 8388607;
            v[i] = moved > 8388607 ? 8388607 : moved < -8388607 ? -8388607 : moved;
            bool held = rest[i] > 0;
            if (held) {
                rest[i]--;
                v[i] = 0;
            } else if (v[i] >= 64 * (int64_t)mantissa[i]) {
                v[i] = 0;
                rest[i] = (int64_t)refractory[i];
                expected++;
            }
        }
        rig_step(&rig);
        assert_int_equal(rig.fired_count, expected);
        spikes += expected;
        for (uint32_t i = 0; i < SETS; i++) {
            assert_true(rig.cells->variable[0][i] == (double)v[i]);
            assert_true(rig.cells->variable[1][i] == (double)u[i]);
        }
    }
    assert_true(spikes > 1000 && wraps > 100 && limits > 100);
    rig_free(&rig);
}

static void test_loihi_fires_at_the_threshold(void **state)
{
    (void)state;
    struct cell_settings s = settings_of(INTEGRATE_EXACT, 1);
    struct rig rig;
    rig_make(&rig, &loihi_cells, 2, &s); /* threshold 100 */
    arrive(&rig, 0, 0, 100);
    arrive(&rig, 0, 1, 99);
    rig_step(&rig);
    assert_int_equal(rig.fired_count, 1);
    assert_int_equal(rig.fired[0].neuron, 0);
    arrive(&rig, 0, 0, -131072); /* -2^23 is not held: it wraps around */
    arrive(&rig, 0, 1, 131072);
    rig_step(&rig);
    assert_true(rig.cells->variable[1][0] == 8388608 && rig.cells->variable[1][1] == 8388608);
    rig_free(&rig);
}

/* ---- sigma_delta ---- */

static void test_sigma_delta_is_rebuilt_from_its_spikes(void **state)
{
    (void)state;
    const double threshold = 0.5, step = 0.125, bias = 0.3;
    for (int relu = 0; relu < 2; relu++) {
        const double rectifies = relu;
        struct cell_settings s = settings_of(INTEGRATE_EXACT, 1);
        set(&s, &sigma_delta_cells, "threshold", &threshold, 1);
        set(&s, &sigma_delta_cells, "step", &step, 1);
        set(&s, &sigma_delta_cells, "bias", &bias, 1);
        set(&s, &sigma_delta_cells, "relu", &rectifies, 1);
        struct rig rig;
        rig_make(&rig, &sigma_delta_cells, 1, &s);
        double sigma = 0;
        int64_t rebuilt = 0; /* what a target has added up */
        uint32_t spikes = 0, silent = 0;
        random_state = 5;
        for (int t = 0; t < 3000; t++) {
            double change = t % 3 == 0 ? random_number(-1, 1) : 0;
            sigma += change;
            double activation = relu && sigma + bias < 0 ? 0 : sigma + bias;
            double before = activation - step * (double)rebuilt;
            arrive(&rig, 0, 0, change);
            rig_step(&rig);
            assert_int_equal(rig.fired_count, fabs(before) >= threshold);
            if (rig.fired_count > 0) {
                assert_int_equal(rig.fired[0].payload, lrint(before / step));
                rebuilt += rig.fired[0].payload;
                spikes++;
                assert_true(fabs(activation - step * (double)rebuilt) <= step / 2);
            } else {
                silent++;
                assert_true(fabs(activation - step * (double)rebuilt) < threshold);
            }
        }
        assert_true(spikes > 200 && silent > 1000);
        rig_free(&rig);
    }
}

static void test_sigma_delta_splits_what_no_payload_holds(void **state)
{
    (void)state;
    const double step = 1;
    for (int sign = -1; sign <= 1; sign += 2) {
        struct cell_settings s = settings_of(INTEGRATE_EXACT, 1);
        set(&s, &sigma_delta_cells, "step", &step, 1);
        struct rig rig;
        rig_make(&rig, &sigma_delta_cells, 1, &s);
        arrive(&rig, 0, 0, sign * 5e9);
        int64_t sum = 0;
        for (int t = 0; t < 4; t++) {
            rig_step(&rig);
            sum += rig.fired_count > 0 ? rig.fired[0].payload : 0;
            assert_int_equal(rig.fired_count, t < 3);
        }
        assert_int_equal(sum, sign * INT64_C(5000000000));
        rig_free(&rig);
    }
}

static void test_sigma_delta_sends_at_the_threshold(void **state)
{
    (void)state;
    const double step = 0.25, threshold = 0.5;
    struct cell_settings s = settings_of(INTEGRATE_EXACT, 1);
    set(&s, &sigma_delta_cells, "step", &step, 1);
    set(&s, &sigma_delta_cells, "threshold", &threshold, 1);
    struct rig rig;
    rig_make(&rig, &sigma_delta_cells, 2, &s);
    arrive(&rig, 0, 0, 0.4375);
    arrive(&rig, 0, 1, -0.5);
    rig_step(&rig);
    assert_int_equal(rig.fired_count, 1);
    assert_int_equal(rig.fired[0].neuron, 1);
    assert_int_equal(rig.fired[0].payload, -2);
    rig_free(&rig);
}

/* ---- all of them ---- */

/* A model with two sets of parameters, an input that makes it fire, and how it is integrated. */
struct sample {
    const struct cell_model *model;
    enum integration integration;
    double dt, low, high; /* of a tick's input */
    uint32_t ports;
    struct {
        const char *name;
        double a, b;
    } parameters[4];
};

static const struct sample samples[] = {
    {&adaptive_lif_cells, INTEGRATE_EXACT, 1e-3, 0, 6, 1,
     {{"tau", 0.01, 0.03}, {"refractory", 0, 0.003}, {"adaptation", 0.1, 0.3}}},
    {&adaptive_lif_cells, INTEGRATE_EULER, 1e-3, 0, 6, 1, {{"v_leak", 0, -1}, {"v_reset", 0, 0.2}}},
    {&izhikevich_cells, INTEGRATE_EULER, 1e-3, -5, 40, 1,
     {{"a", 0.02, 0.1}, {"c", -65, -50}, {"d", 8, 2}}},
    {&adex_cells, INTEGRATE_EULER, 1e-4, 0, 4e-9, 1,
     {{"g_l", 30e-9, 20e-9},
      {"refractory", 0, 0.002},
      {"delta_t", 2e-3, 3e-3},
      {"tau_w", 5e-3, 10e-3}}},
    {&cond_lif_cells, INTEGRATE_EXACT, 1e-4, 0, 4e-9, 2,
     {{"refractory", 0.005, 0}, {"tau_exc", 5e-3, 2e-3}, {"e_inh", -80e-3, -70e-3}}},
    {&cond_lif_cells, INTEGRATE_EULER, 1e-4, 0, 4e-9, 2, {{"c", 200e-12, 100e-12}}},
    {&loihi_cells, INTEGRATE_EXACT, 1, -50, 200, 1,
     {{"du", 4096, 300}, {"dv", 100, 0}, {"refractory", 0, 2}}},
    {&sigma_delta_cells, INTEGRATE_EXACT, 1, -1, 1, 1,
     {{"step", 0.1, 0.3}, {"relu", 0, 1}, {"threshold", 0.1, 0.7}}},
};
enum { SAMPLES = sizeof samples / sizeof samples[0], MANY = 1000, LONG = 400 };

static void sample_make(struct rig *rig, const struct sample *sample, int which)
{
    static double both[4][MANY];
    struct cell_settings s = settings_of(sample->integration, sample->dt);
    for (int p = 0; p < 4 && sample->parameters[p].name != NULL; p++) {
        for (uint32_t i = 0; i < MANY; i++)
            both[p][i] = (which < 0 ? i % 2 : (uint32_t)which) == 0 ? sample->parameters[p].a
                                                                     : sample->parameters[p].b;
        set(&s, sample->model, sample->parameters[p].name, both[p], MANY);
    }
    rig_make(rig, sample->model, MANY, &s);
}

/* A tick with input to some neurons: mostly to the first half, none to it in the second half. */
static void sample_step(struct rig *rig, const struct sample *sample)
{
    random_state = 1000003 * (uint64_t)(rig->tick + 1);
    random_number(0, 1);
    for (uint32_t i = 0; i < MANY; i++)
        for (uint32_t p = 0; p < sample->ports; p++) {
            bool comes = random_number(0, 1) < 0.7 && (i < MANY / 2 ? rig->tick < 200 : i > 900);
            double weight = random_number(sample->low, sample->high);
            if (comes)
                arrive(rig, p, i, weight);
        }
    rig_step(rig);
}

static void assert_same_spikes(const struct rig *one, const struct rig *other)
{
    assert_int_equal(one->fired_count, other->fired_count);
    assert_memory_equal(one->fired, other->fired, one->fired_count * sizeof *one->fired);
}

static void assert_same_state(const struct rig *one, const struct rig *other)
{
    for (uint32_t v = 0; one->cells->model->variables[v].name != NULL; v++)
        assert_memory_equal(one->cells->variable[v], other->cells->variable[v],
                            MANY * sizeof(double));
}

static void test_vector_levels_give_the_same_bits(void **state)
{
    (void)state;
    for (int n = 0; n < SAMPLES; n++)
        for (int level = 1; level < VECTOR_LEVELS; level++) {
            if (!level_is_there(level))
                continue;
            struct rig plain, other;
            uint32_t spikes = 0;
            sample_make(&plain, &samples[n], -1);
            sample_make(&other, &samples[n], -1);
            other.level = level;
            for (int t = 0; t < LONG; t++) {
                sample_step(&plain, &samples[n]);
                sample_step(&other, &samples[n]);
                assert_same_spikes(&plain, &other);
                assert_same_state(&plain, &other);
                spikes += plain.fired_count;
            }
            assert_true(spikes > 500);
            rig_free(&plain);
            rig_free(&other);
        }
}

static void test_parameters_one_by_one_do_as_for_all(void **state)
{
    (void)state;
    for (int n = 0; n < SAMPLES; n++) {
        struct rig mixed, all[2];
        sample_make(&mixed, &samples[n], -1);
        sample_make(&all[0], &samples[n], 0);
        sample_make(&all[1], &samples[n], 1);
        for (int t = 0; t < LONG; t++) {
            sample_step(&mixed, &samples[n]);
            sample_step(&all[0], &samples[n]);
            sample_step(&all[1], &samples[n]);
            for (uint32_t v = 0; mixed.cells->model->variables[v].name != NULL; v++)
                for (uint32_t i = 0; i < MANY; i++)
                    assert_memory_equal(&mixed.cells->variable[v][i],
                                        &all[i % 2].cells->variable[v][i], sizeof(double));
        }
        rig_free(&mixed);
        rig_free(&all[0]);
        rig_free(&all[1]);
    }
}

/* Runs on for long, so that some come to rest, then wakes them. */
static void test_sleeping_blocks_change_nothing(void **state)
{
    (void)state;
    for (int n = 0; n < SAMPLES; n++) {
        struct rig all, some;
        sample_make(&all, &samples[n], -1);
        sample_make(&some, &samples[n], -1);
        some.skip = true;
        for (int t = 0; t < 12000; t++) {
            if (t == 11500)
                all.tick = some.tick = 100000000; /* long after; then input as in the beginning */
            if (t < 400 || t > 11500) {
                sample_step(&all, &samples[n]);
                sample_step(&some, &samples[n]);
            } else {
                rig_step(&all);
                rig_step(&some);
            }
            assert_same_spikes(&all, &some);
        }
        assert_same_state(&all, &some);
        assert_true(some.skipped > 1000);
        rig_free(&all);
        rig_free(&some);
    }
}

/* cells->model->reset and the initial values bring back the beginning. */
static void test_reset_begins_again(void **state)
{
    (void)state;
    for (int n = 0; n < SAMPLES; n++) {
        struct rig once, again;
        sample_make(&once, &samples[n], -1);
        sample_make(&again, &samples[n], -1);
        for (int t = 0; t < 50; t++)
            sample_step(&again, &samples[n]);
        struct population *population = again.cells->population;
        population->model->reset(population);
        again.tick = 0;
        for (int t = 0; t < 50; t++) {
            sample_step(&once, &samples[n]);
            sample_step(&again, &samples[n]);
            assert_same_spikes(&once, &again);
        }
        assert_same_state(&once, &again);
        rig_free(&once);
        rig_free(&again);
    }
}

static void assert_refused(const struct cell_model *model, const struct cell_settings *settings,
                           const char *word)
{
    struct error error = {0};
    struct rig rig;
    assert_false(rig_made(&rig, model, 3, settings, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    assert_non_null(strstr(error.text, word));
    assert_non_null(strstr(error.text, "some cells"));
}

static void test_what_cannot_be_is_refused(void **state)
{
    (void)state;
    for (int n = 0; n < SAMPLES; n++)
        for (int rule = 0; rule < 4; rule++) {
            struct cell_settings s = settings_of(samples[n].integration, samples[n].dt);
            static const char *words[] = {"raw", "single", "several", "next tick"};
            s.rules.raw = rule == 0;
            s.rules.single = rule == 1;
            s.rules.several = rule == 2;
            s.rules.late_reset = rule == 3;
            assert_refused(samples[n].model, &s, words[rule]);
        }
    const struct {
        const struct cell_model *model;
        const char *name;
        double value;
    } wrong[] = {{&izhikevich_cells, "substeps", 0},      {&adex_cells, "substeps", 1001},
                 {&adex_cells, "v_peak", -1},             {&loihi_cells, "du", 4097},
                 {&loihi_cells, "dv", -1},                {&loihi_cells, "bias_exponent", 8},
                 {&loihi_cells, "v_threshold_mantissa", 131072}, {&loihi_cells, "refractory", -1},
                 {&sigma_delta_cells, "relu", 2},         {&sigma_delta_cells, "step", 0},
                 {&cond_lif_cells, "c", 0},               {&adaptive_lif_cells, "tau", -1}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        bool euler = wrong[i].model == &izhikevich_cells || wrong[i].model == &adex_cells;
        struct cell_settings s = settings_of(euler ? INTEGRATE_EULER : INTEGRATE_EXACT, 1e-3);
        set(&s, wrong[i].model, wrong[i].name, &wrong[i].value, 1);
        assert_refused(wrong[i].model, &s, wrong[i].name);
    }
    struct cell_settings s = settings_of(INTEGRATE_EXACT, 1e-3);
    s.rules.reset = RESET_SUBTRACT;
    assert_refused(&cond_lif_cells, &s, "subtraction");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vector_exp_has_the_bits_of_the_plain_one),
        cmocka_unit_test(test_adaptive_lif_without_adaptation_has_the_closed_rate),
        cmocka_unit_test(test_adaptive_lif_settles_where_threshold_meets_potential),
        cmocka_unit_test(test_adaptive_lif_follows_its_equations),
        cmocka_unit_test(test_izhikevich_has_the_bits_of_the_papers_script),
        cmocka_unit_test(test_izhikevich_patterns_are_the_published_ones),
        cmocka_unit_test(test_izhikevich_many_substeps_stay_finite),
        cmocka_unit_test(test_adex_follows_the_differential_equations),
        cmocka_unit_test(test_adex_patterns_are_the_published_ones),
        cmocka_unit_test(test_cond_lif_rate_under_current_is_closed),
        cmocka_unit_test(test_cond_lif_follows_the_differential_equations),
        cmocka_unit_test(test_loihi_is_exact_in_integers),
        cmocka_unit_test(test_loihi_fires_at_the_threshold),
        cmocka_unit_test(test_sigma_delta_is_rebuilt_from_its_spikes),
        cmocka_unit_test(test_sigma_delta_splits_what_no_payload_holds),
        cmocka_unit_test(test_sigma_delta_sends_at_the_threshold),
        cmocka_unit_test(test_vector_levels_give_the_same_bits),
        cmocka_unit_test(test_parameters_one_by_one_do_as_for_all),
        cmocka_unit_test(test_sleeping_blocks_change_nothing),
        cmocka_unit_test(test_reset_begins_again),
        cmocka_unit_test(test_what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests_name("nonlinear cells", tests, NULL, NULL);
}
