/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How long the populations of SpikingBrain-7B take for their updates, without delivery.
 *
 *     populations [KERNELS [RUNS [KIND …]]]
 *
 * Standard: auto, 15 runs, all kinds. Each population is built at the size it has in the model
 * (hidden 3584, 28 query heads on 4 key heads of 128 channels, intermediate 18944, window 4096,
 * full), its ports are filled with noise of heavy tails, and its update is timed with what clears
 * its ports afterwards: with 1 lane and 64, by 1 thread and 2. A line for each: microseconds a
 * token in one population (median, lowest and highest of the runs, after one that is not counted),
 * and the milliseconds a token that the whole model makes of the median.
 */
#include "encoding/arithmetic.h"
#include "neurons/delivery/one_to_one.h"
#include "neurons/models/models.h"
#include "neurons/network_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HIDDEN = 3584, INTERMEDIATE = 18944, WINDOW = 4096, VOCABULARY = 152064, LANES = 64 };
enum { POSITION = 1000000, RUNS_MOST = 1000 };
static const struct heads heads = {28, 4, 128};

struct bench {
    const char *name;
    uint32_t in_model; /* how many of them a token meets */
    struct population *(*build)(struct network *network, struct firing_rule rule,
                                struct error *error);
};

static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

/* Between -8 and 8, most of them near 0, about as heavy-tailed as activations. */
static double noise(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    double x = (double)(int64_t)random_state * 0x1p-63;
    return 8 * x * x * x;
}

static double ones[HIDDEN];

static struct population *build_norm(struct network *network, struct firing_rule rule,
                                     struct error *error)
{
    return rms_norm_new(network, "rms norm", 0, HIDDEN, ones, 1e-6, rule, error);
}

static struct population *build_unit(struct network *network, struct firing_rule rule,
                                     struct error *error)
{
    return gated_unit_new(network, "gated unit", 0, INTERMEDIATE, rule, error);
}

static struct population *build_linear(struct network *network, struct firing_rule rule,
                                       struct error *error)
{
    return linear_attention_new(network, "linear attention", 0, heads, ones, 1e-6, rule, error);
}

static struct population *build_query(struct network *network, struct firing_rule rule,
                                      struct error *error)
{
    return rotary_query_new(network, "query", 0, heads, 1e6, rule, error);
}

static struct population *build_window(struct network *network, struct firing_rule rule,
                                       struct error *error)
{
    struct population *query = build_query(network, rule, error);
    struct population *attention =
        query == NULL ? NULL
                      : window_attention_new(network, "window attention", 0, heads, 1e6, WINDOW,
                                             query, rule, error);
    if (attention == NULL)
        return NULL;
    struct projection *counted =
        network_add_projection(network, "one to one", &projection_one_to_one, NULL, query,
                               CARRIES_SPIKES, attention, 0, 1, error);
    if (counted == NULL)
        return NULL;
    window_attention_count_for(attention, counted);
    return attention;
}

static struct population *build_sum(struct network *network, struct firing_rule rule,
                                    struct error *error)
{
    (void)rule;
    return sum_new(network, "sum", 0, HIDDEN, error);
}

/* A sum, timed with the one-to-one delivery of another to it. */
static struct population *build_pair(struct network *network, struct firing_rule rule,
                                     struct error *error)
{
    struct population *source = build_sum(network, rule, error);
    struct population *target = source == NULL ? NULL : build_sum(network, rule, error);
    if (target == NULL ||
        network_add_projection(network, "one to one", &projection_one_to_one, NULL, source,
                               CARRIES_VALUES, target, 0, 1, error) == NULL)
        return NULL;
    return target;
}

static struct population *build_readout(struct network *network, struct firing_rule rule,
                                        struct error *error)
{
    (void)rule;
    return readout_new(network, "readout", VOCABULARY, error);
}

static const struct bench benches[] = {
    {"rms-norm", 57, build_norm},          {"gated-unit", 28, build_unit},
    {"linear-attention", 14, build_linear}, {"rotary-query", 14, build_query},
    {"window-attention", 14, build_window}, {"sum", 57, build_sum},
    {"one-to-one-and-sum", 113, build_pair}, {"readout", 1, build_readout},
};

struct setting {
    struct network *network;
    struct population *population;
    struct moment moment;
    struct wave wave;
};

static void fill(struct population *population, uint32_t lanes)
{
    for (uint32_t p = 0; p < population->port_count; p++) {
        const struct port *port = &population->ports[p];
        for (size_t i = 0; port->current != NULL && i < (size_t)lanes * port->width; i++)
            port->current[i] = noise();
    }
}

struct delivery_job {
    const struct projection *projection;
    struct delivery delivery;
    const struct kernels *kernels;
};

static void deliver_part(void *argument, uint32_t part, uint32_t parts)
{
    const struct delivery_job *job = argument;
    uint32_t width = job->projection->target->neurons, begin, end;
    workers_slice(width / PIECE_ROWS, part, parts, &begin, &end);
    job->projection->kind->deliver(job->projection, &job->delivery, job->kernels,
                                   begin * PIECE_ROWS, end * PIECE_ROWS);
}

static void deliver(const struct setting *setting)
{
    const struct projection *projection = setting->network->projections[0];
    struct delivery_job job = {projection,
                               {.train = projection->source->train,
                                .values = projection->source->values,
                                .first = true,
                                .last = true,
                                .lanes = setting->wave.lanes},
                               setting->moment.kernels};
    workers_run(setting->moment.workers, deliver_part, &job,
                workers_count(setting->moment.workers));
}

static void die(const struct error *error)
{
    fprintf(stderr, "populations: %s\n", error->text);
    exit(1);
}

/* With one thread, processor time, so that others on the machine do not count. */
static double now(const struct setting *setting)
{
    struct timespec time;
    bool alone = workers_count(setting->moment.workers) == 1;
    clock_gettime(alone ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &time);
    return 1e6 * (double)time.tv_sec + 1e-3 * (double)time.tv_nsec;
}

static void wait_part(void *argument, uint32_t part, uint32_t parts)
{
    (void)part, (void)parts;
    double end = now(argument) + 100;
    while (now(argument) < end)
        ;
}

/* Microseconds of one update. As in a run, where delivery comes before it, no thread sleeps. */
static double time_update(struct setting *setting)
{
    struct population *population = setting->population;
    struct network *network = setting->network;
    struct error error = {0};
    uint32_t lanes = setting->wave.lanes;
    bool pair = population->model == network->populations[0]->model &&
                network->projection_count > 0;
    fill(population, lanes);
    if (network->projection_count > 0) {
        struct population *source = network->populations[0];
        fill(source, lanes);
        if (!source->model->update(source, &setting->moment, &error))
            die(&error);
        if (!source->model->clears)
            population_clear_ports(source, lanes);
        if (!pair)
            deliver(setting);
    }
    uint32_t threads = workers_count(setting->moment.workers);
    if (threads > 1)
        workers_run(setting->moment.workers, wait_part, setting, threads);
    double start = now(setting);
    if (pair)
        deliver(setting);
    if (!population->model->update(population, &setting->moment, &error))
        die(&error);
    if (!population->model->clears)
        population_clear_ports(population, lanes);
    double end = now(setting);
    setting->wave.position += lanes;
    return end - start;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void write_json(const char *id, const char *what, const double *us)
{
    const char *path = getenv("VOLLEY_BENCH_JSON");
    FILE *file = path == NULL ? NULL : fopen(path, "a");
    if (file == NULL)
        return;
    fprintf(file,
            "{\"id\":\"%s\",\"what\":\"%s\",\"unit\":\"us/token\",\"volley\":%.4g,\"low\":%.4g,"
            "\"high\":%.4g,\"peer\":null,\"peer_value\":null,\"ratio\":null,\"target\":null,"
            "\"met\":null}\n", id, what, us[0], us[1], us[2]);
    fclose(file);
}

static void run(const struct bench *bench, const struct kernels *kernels, uint32_t runs,
                uint32_t lanes, uint32_t threads)
{
    struct error error = {0};
    struct setting setting = {.wave = {.position = POSITION, .lanes = lanes}};
    struct firing_rule rule = {.coding = coding_find("bitwise", NULL), .k = 3};
    struct workers *workers = workers_new(threads, &error);
    setting.network = network_new("bench", LANES);
    if (workers == NULL || setting.network == NULL)
        die(&error);
    setting.population = bench->build(setting.network, rule, &error);
    setting.moment = (struct moment){0, &setting.wave, workers, kernels};
    if (setting.population == NULL ||
        (setting.population->model->prepare != NULL &&
         !setting.population->model->prepare(setting.population, threads, &error)))
        die(&error);
    double times[RUNS_MOST];
    time_update(&setting);
    for (uint32_t i = 0; i < runs; i++)
        times[i] = time_update(&setting) / lanes;
    qsort(times, runs, sizeof *times, compare);
    double us[] = {times[runs / 2], times[0], times[runs - 1]};
    printf("%-20s %2u lanes, %u threads: %9.2f us a token (%.2f to %.2f), %7.3f ms in %u of them\n",
           bench->name, lanes, threads, us[0], us[1], us[2], us[0] * bench->in_model / 1000,
           bench->in_model);
    fflush(stdout);
    char id[80], what[160];
    snprintf(id, sizeof id, "populations_%s_%u_%u", bench->name, lanes, threads);
    snprintf(what, sizeof what, "update of the %s, %u lanes, %u threads, %s", bench->name, lanes,
             threads, kernels->name);
    write_json(id, what, us);
    network_free(setting.network);
    workers_free(workers);
}

static bool wanted(const char *name, int argc, char **argv)
{
    bool found = argc < 4;
    for (int i = 3; i < argc; i++)
        found |= strcmp(argv[i], name) == 0;
    return found;
}

int main(int argc, char **argv)
{
    struct error error = {0};
    const struct kernels *kernels = kernels_find(argc > 1 ? argv[1] : NULL, &error);
    if (kernels == NULL)
        die(&error);
    long runs = argc > 2 ? strtol(argv[2], NULL, 10) : 15;
    runs = runs < 1 ? 1 : runs > RUNS_MOST ? RUNS_MOST : runs;
    for (uint32_t i = 0; i < HIDDEN; i++)
        ones[i] = 1;
    for (size_t b = 0; b < sizeof benches / sizeof *benches; b++)
        for (uint32_t way = 0; way < 4 && wanted(benches[b].name, argc, argv); way++)
            run(&benches[b], kernels, (uint32_t)runs, way / 2 == 0 ? 1 : LANES, way % 2 + 1);
    return 0;
}
