/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The updates of the language models' populations: against plain computations in double with the C
 * library's functions, and the same bits from every vector extension, any number of threads and
 * any grouping of positions into waves.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "neurons/delivery/one_to_one.h"
#include "neurons/models/models.h"
#include "neurons/network_internal.h"

enum { POSITIONS = 75, LANES = 20 };
static const double EPSILON = 1e-6, THETA = 10000;

/* Noise of heavy tails that depends on nothing but its place. */
static double noise(uint32_t port, uint32_t position, uint32_t channel)
{
    uint64_t x = (((uint64_t)port << 20 | position) << 24 | channel) * UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 31)) * UINT64_C(0xBF58476D1CE4E5B9);
    double u = (double)((x ^ (x >> 29)) >> 11) * 0x1p-52 - 1;
    return 6 * u * u * u;
}

/* What is tested. */
struct kind {
    const char *name;
    struct heads heads;
    uint32_t neurons, window;
    struct population *(*build)(struct network *network, const struct kind *kind,
                                struct firing_rule rule, struct error *error);
    /* Fills output [POSITIONS][neurons] by the definition. */
    void (*define)(const struct kind *kind, double *output);
    double tolerance; /* of the largest output */
    double query_k;   /* window attention with spikes: k of its queries; 0: none */
    double scale;     /* of what comes in at port 3 */
};

/* A way to run it. */
struct way {
    const char *kernels;
    uint32_t threads, lanes;
    bool spikes;
};

static double gain_of(uint32_t i)
{
    return 0.5 + (i % 7) * 0.25;
}

static double *gains(uint32_t length)
{
    double *gain = malloc(length * sizeof *gain);
    assert_non_null(gain);
    for (uint32_t i = 0; i < length; i++)
        gain[i] = gain_of(i);
    return gain;
}

static double input(const struct kind *kind, uint32_t port, uint32_t position, uint32_t channel)
{
    return noise(port, position, channel) * (port == 3 ? kind->scale : 1);
}

/* ---- the norm ---- */

static struct population *build_norm(struct network *network, const struct kind *kind,
                                     struct firing_rule rule, struct error *error)
{
    double *gain = gains(kind->neurons);
    struct population *population =
        rms_norm_new(network, "norm", 0, kind->neurons, gain, EPSILON, rule, error);
    free(gain);
    return population;
}

static void normalise(double *values, uint32_t length)
{
    long double sum = 0;
    for (uint32_t i = 0; i < length; i++)
        sum += (long double)values[i] * values[i];
    for (uint32_t i = 0; i < length; i++)
        values[i] *= gain_of(i) / sqrt((double)(sum / length) + EPSILON);
}

static void define_norm(const struct kind *kind, double *output)
{
    for (uint32_t p = 0; p < POSITIONS; p++, output += kind->neurons) {
        for (uint32_t i = 0; i < kind->neurons; i++)
            output[i] = input(kind, 0, p, i);
        normalise(output, kind->neurons);
    }
}

/* ---- the gated unit ---- */

static struct population *build_unit(struct network *network, const struct kind *kind,
                                     struct firing_rule rule, struct error *error)
{
    return gated_unit_new(network, "unit", 0, kind->neurons, rule, error);
}

static void define_unit(const struct kind *kind, double *output)
{
    for (uint32_t p = 0; p < POSITIONS; p++)
        for (uint32_t i = 0; i < kind->neurons; i++) {
            double gate = input(kind, 0, p, i);
            output[(size_t)p * kind->neurons + i] =
                gate / (1 + exp(-gate)) * input(kind, 1, p, i);
        }
}

/* ---- queries ---- */

static struct population *build_query(struct network *network, const struct kind *kind,
                                      struct firing_rule rule, struct error *error)
{
    return rotary_query_new(network, "query", 0, kind->heads, THETA, rule, error);
}

static void rotate(double *values, uint32_t size, uint32_t position)
{
    for (uint32_t i = 0; i < size / 2; i++) {
        double angle = position * pow(THETA, -2.0 * i / size);
        double a = values[i], b = values[i + size / 2];
        values[i] = a * cos(angle) - b * sin(angle);
        values[i + size / 2] = b * cos(angle) + a * sin(angle);
    }
}

/* One head of a port, turned to its position. */
static void turned(const struct kind *kind, uint32_t port, uint32_t position, uint32_t head,
                   double *values)
{
    for (uint32_t i = 0; i < kind->heads.size; i++)
        values[i] = input(kind, port, position, head * kind->heads.size + i);
    rotate(values, kind->heads.size, position);
}

static void define_query(const struct kind *kind, double *output)
{
    for (uint32_t p = 0; p < POSITIONS; p++)
        for (uint32_t h = 0; h < kind->heads.queries; h++, output += kind->heads.size)
            turned(kind, 0, p, h, output);
}

/* ---- linear attention ---- */

static struct population *build_linear(struct network *network, const struct kind *kind,
                                       struct firing_rule rule, struct error *error)
{
    double *gain = gains(kind->heads.size);
    struct population *population =
        linear_attention_new(network, "linear", 0, kind->heads, gain, EPSILON, rule, error);
    free(gain);
    return population;
}

/* A query head by itself, with a state of its own. */
static void define_linear_head(const struct kind *kind, uint32_t head, double *output)
{
    uint32_t size = kind->heads.size, key = head / (kind->heads.queries / kind->heads.keys) * size;
    double *state = calloc((size_t)size * size, sizeof *state);
    assert_non_null(state);
    for (uint32_t p = 0; p < POSITIONS; p++) {
        double *o = output + (size_t)p * kind->neurons + (size_t)head * size;
        memset(o, 0, size * sizeof *o);
        for (uint32_t i = 0; i < size; i++) {
            double g = input(kind, 3, p, key + i);
            double decay = exp((g < 0 ? g - log1p(exp(g)) : -log1p(exp(-g))) / 16);
            double k = fmax(0, input(kind, 1, p, key + i));
            double q = fmax(0, input(kind, 0, p, head * size + i)) / sqrt(size);
            for (uint32_t j = 0; j < size; j++) {
                double *s = &state[(size_t)i * size + j];
                *s = decay * *s + k * input(kind, 2, p, key + j);
                o[j] += q * *s;
            }
        }
        normalise(o, size);
    }
    free(state);
}

static void define_linear(const struct kind *kind, double *output)
{
    for (uint32_t head = 0; head < kind->heads.queries; head++)
        define_linear_head(kind, head, output);
}

/* ---- window attention ---- */

static struct population *build_window(struct network *network, const struct kind *kind,
                                       struct firing_rule rule, struct error *error)
{
    struct firing_rule queries = {.coding = kind->query_k > 0 ? coding_find("bitwise", NULL) : NULL,
                                  .k = kind->query_k};
    struct population *query =
        rotary_query_new(network, "query", 0, kind->heads, THETA, queries, error);
    struct population *attention = window_attention_new(network, "window", 0, kind->heads, THETA,
                                                        kind->window, query, rule, error);
    assert_non_null(attention);
    struct projection *projection = network_add_projection(
        network, "one to one", &projection_one_to_one, NULL, query,
        kind->query_k > 0 ? CARRIES_SPIKES : CARRIES_VALUES, attention, 0, 1, error);
    if (kind->query_k > 0)
        window_attention_count_for(attention, projection);
    return attention;
}

/* The numbers that spikes make of a head: counts times their threshold. */
static void spiked(double *values, uint32_t size, double k)
{
    double mean = 0;
    for (uint32_t i = 0; i < size; i++)
        mean += fabs(values[i]) / size;
    double threshold = fmin(fmax(mean / k, 1e-5), 1e4);
    for (uint32_t i = 0; i < size; i++)
        values[i] = rint(values[i] / threshold) * threshold;
}

static void quantised(double *values, uint32_t size)
{
    double largest = 0;
    for (uint32_t i = 0; i < size; i++)
        largest = fmax(largest, fabs(values[i]));
    double scale = fmin(fmax(largest / 127, 1e-5), 1e4);
    for (uint32_t i = 0; i < size; i++)
        values[i] = rint(values[i] / scale) * scale;
}

static void define_window_head(const struct kind *kind, uint32_t position, uint32_t head,
                               double *output)
{
    uint32_t size = kind->heads.size, key_head = head / (kind->heads.queries / kind->heads.keys);
    uint32_t first = position + 1 < kind->window ? 0 : position + 1 - kind->window;
    double query[size], other[size], score[POSITIONS], largest = -INFINITY, total = 0;
    turned(kind, 0, position, head, query);
    if (kind->query_k > 0)
        spiked(query, size, kind->query_k);
    for (uint32_t t = first; t <= position; t++) {
        turned(kind, 1, t, key_head, other);
        if (kind->query_k > 0)
            quantised(other, size);
        score[t] = 0;
        for (uint32_t i = 0; i < size; i++)
            score[t] += query[i] * other[i] / sqrt(size);
        largest = fmax(largest, score[t]);
    }
    for (uint32_t t = first; t <= position; t++)
        total += exp(score[t] - largest);
    memset(output, 0, size * sizeof *output);
    for (uint32_t t = first; t <= position; t++) {
        for (uint32_t i = 0; i < size; i++)
            other[i] = input(kind, 2, t, key_head * size + i);
        if (kind->query_k > 0)
            quantised(other, size);
        for (uint32_t i = 0; i < size; i++)
            output[i] += exp(score[t] - largest) / total * other[i];
    }
}

static void define_window(const struct kind *kind, double *output)
{
    for (uint32_t p = 0; p < POSITIONS; p++)
        for (uint32_t h = 0; h < kind->heads.queries; h++, output += kind->heads.size)
            define_window_head(kind, p, h, output);
}

/* ---- running ---- */

static void fill(const struct kind *kind, const struct population *population,
                 const struct wave *wave)
{
    for (uint32_t p = 0; p < population->port_count; p++) {
        const struct port *port = &population->ports[p];
        for (uint32_t lane = 0; port->current != NULL && lane < wave->lanes; lane++)
            for (uint32_t i = 0; i < port->width; i++) {
                double *current = &port->current[(size_t)lane * port->width + i];
                assert_true(*current == 0); /* nothing is left of the wave before */
                *current = input(kind, p, (uint32_t)wave->position + lane, i);
            }
    }
}

/* Runs the queries of a window and brings them to it. */
static void bring_queries(const struct kind *kind, const struct network *network,
                          const struct moment *moment)
{
    const struct projection *projection = network->projections[0];
    struct population *query = projection->source, *target = projection->target;
    struct error error = {0};
    fill(kind, query, moment->wave);
    assert_true(query->model->update(query, moment, &error));
    if (target->ports[0].current != NULL) /* as `fill` has left it */
        memset(target->ports[0].current, 0,
               (size_t)moment->wave->lanes * target->neurons * sizeof(double));
    const struct delivery delivery = {.train = query->train,
                                      .values = query->values,
                                      .first = true,
                                      .last = true,
                                      .lanes = moment->wave->lanes};
    projection->kind->deliver(projection, &delivery, moment->kernels, 0, target->neurons);
}

/* What comes out: values, or counts times thresholds. */
static void take_output(const struct population *population, const struct wave *wave,
                        double *output)
{
    uint32_t neurons = population->neurons;
    const struct train *train = population->train;
    for (uint32_t lane = 0; lane < wave->lanes; lane++)
        for (uint32_t i = 0; i < neurons; i++) {
            size_t at = (size_t)lane * neurons + i;
            double value = train == NULL ? population->values[at]
                                         : train->threshold[(size_t)lane * train->vectors +
                                                            i / train->span] * train->count[at];
            output[(size_t)(wave->position + lane) * neurons + i] = value;
        }
}

/* Returns the outputs of all positions; *synops becomes those of the queries. */
static double *run(const struct kind *kind, struct way way, uint64_t *synops)
{
    struct error error = {0};
    struct firing_rule rule = {.coding = way.spikes ? coding_find("bitwise", NULL) : NULL, .k = 3};
    struct network *network = network_new("test", LANES);
    struct workers *workers = workers_new(way.threads, &error);
    struct population *population = kind->build(network, kind, rule, &error);
    double *output = malloc((size_t)POSITIONS * kind->neurons * sizeof *output);
    assert_true(workers != NULL && population != NULL && output != NULL);
    struct wave wave = {.lanes = way.lanes};
    struct moment moment = {0, &wave, workers, kernels_find(way.kernels, &error)};
    assert_non_null(moment.kernels);
    if (population->model->prepare != NULL)
        assert_true(population->model->prepare(population, way.threads, &error));
    for (; wave.position < POSITIONS; wave.position += wave.lanes) {
        if (wave.position + wave.lanes > POSITIONS)
            wave.lanes = (uint32_t)(POSITIONS - wave.position);
        fill(kind, population, &wave);
        if (network->projection_count > 0)
            bring_queries(kind, network, &moment);
        if (!population->model->update(population, &moment, &error))
            fail_msg("%s: %s", kind->name, error.text);
        if (!population->model->clears)
            population_clear_ports(population, wave.lanes);
        take_output(population, &wave, output);
    }
    *synops = network->projection_count > 0 ? network->projections[0]->synops : 0;
    network_free(network);
    workers_free(workers);
    return output;
}

static void check_ways(const struct kind *kind, bool spikes, const double *expected)
{
    size_t length = (size_t)POSITIONS * kind->neurons, versions;
    const struct kernels *const *available = kernels_available(&versions);
    uint64_t synops, same_synops;
    double *first = run(kind, (struct way){"plain", 1, 1, spikes}, &synops);
    double largest = 0, apart = 0;
    for (size_t i = 0; i < length; i++) {
        largest = fmax(largest, fabs(expected[i]));
        apart = fmax(apart, fabs(first[i] - expected[i]));
    }
    if (!spikes && !(apart <= kind->tolerance * largest))
        fail_msg("%s is %g of %g apart from its definition", kind->name, apart, largest);
    for (size_t v = 0; v < versions; v++)
        for (uint32_t threads = 1; threads <= 3; threads++)
            for (uint32_t lanes = 1; lanes <= LANES; lanes += lanes == 1 ? 6 : 13) {
                struct way way = {available[v]->name, threads, lanes, spikes};
                double *same = run(kind, way, &same_synops);
                if (memcmp(first, same, length * sizeof *first) != 0 || synops != same_synops)
                    fail_msg("%s: %s, %u threads, %u lanes give other bits", kind->name,
                             way.kernels, threads, lanes);
                free(same);
            }
    free(first);
}

static void test_kind(void **state)
{
    const struct kind *kind = *state;
    double *expected = malloc((size_t)POSITIONS * kind->neurons * sizeof *expected);
    assert_non_null(expected);
    kind->define(kind, expected);
    check_ways(kind, false, expected);
    check_ways(kind, true, expected);
    free(expected);
}

/* Threads share a lane of these. */
static const struct kind norm = {"norm", {0}, 1037, 0, build_norm, define_norm, 1e-14, 0, 1};
static const struct kind unit = {"unit", {0}, 5003, 0, build_unit, define_unit, 1e-14, 0, 1};
static const struct kind query = {"query", {5, 1, 38}, 190, 0, build_query, define_query,
                                  1e-13, 0, 1};
static const struct kind linear[] = {
    {"linear", {14, 2, 24}, 336, 0, build_linear, define_linear, 1e-12, 0, 1},
    {"linear, odd", {13, 1, 21}, 273, 0, build_linear, define_linear, 1e-12, 0, 1},
    {"linear, far below zero", {3, 3, 9}, 27, 0, build_linear, define_linear, 1e-12, 0, 3000},
};
static const struct kind window[] = {
    {"window", {14, 2, 32}, 448, 40, build_window, define_window, 1e-7, 3, 1},
    {"window, long", {7, 1, 34}, 238, 100, build_window, define_window, 1e-7, 3, 1},
    {"window, short", {13, 1, 6}, 78, 5, build_window, define_window, 1e-7, 3, 1},
    {"window of one", {4, 2, 66}, 264, 1, build_window, define_window, 1e-7, 3, 1},
    {"window, odd", {3, 1, 7}, 21, 17, build_window, define_window, 1e-7, 3, 1},
    {"window, wide counts", {14, 2, 32}, 448, 40, build_window, define_window, 1e-7, 20000, 1},
    {"window, floats", {6, 2, 10}, 60, 20, build_window, define_window, 1e-12, 0, 1},
};

/* ---- a window that nobody has filled ---- */

static void test_untouched(void **state)
{
    (void)state;
    enum { MILLION = 1000000 };
    struct error error = {0};
    const struct kind kind = {"window", {28, 4, 128}, 3584, MILLION, build_window, NULL, 0, 3, 1};
    struct network *network = network_new("large", 1);
    struct workers *workers = workers_new(1, &error);
    struct population *population =
        kind.build(network, &kind, (struct firing_rule){.k = 3}, &error);
    struct wave wave = {.lanes = 1};
    struct moment moment = {0, &wave, workers, kernels_find(NULL, NULL)};
    assert_true(population->model->prepare(population, 1, &error));
    for (; wave.position < 40; wave.position++) {
        fill(&kind, population, &wave);
        bring_queries(&kind, network, &moment);
        assert_true(population->model->update(population, &moment, &error));
    }
    assert_true(population->state_bytes > (uint64_t)MILLION * 1024);
    FILE *status = fopen("/proc/self/statm", "r");
    unsigned long all, resident;
    if (status != NULL && fscanf(status, "%lu %lu", &all, &resident) == 2 &&
        getenv("VOLLEY_SANITIZERS") != NULL && getenv("VOLLEY_SANITIZERS")[0] == '\0')
        assert_true(resident * 4096 < 300e6);
    if (status != NULL)
        fclose(status);
    network_free(network);
    workers_free(workers);
}

#define KIND(kind) {(kind)->name, test_kind, NULL, NULL, (void *)(uintptr_t)(kind)}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIND(&norm),      KIND(&unit),      KIND(&query),     KIND(&linear[0]), KIND(&linear[1]),
        KIND(&linear[2]), KIND(&window[0]), KIND(&window[1]), KIND(&window[2]), KIND(&window[3]),
        KIND(&window[4]), KIND(&window[5]), KIND(&window[6]),
        cmocka_unit_test(test_untouched),
    };
    return cmocka_run_group_tests_name("populations", tests, NULL, NULL);
}
