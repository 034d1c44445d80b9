/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How fast spikes are delivered along the integer weights of a model of SpikingBrain-7B's shape.
 *
 *     delivery [COPIES [RUNS [VECTOR]]]
 *
 * A layer has q 3584x3584, k, v and gate 512x3584, o 3584x3584, gate and up 18944x3584 and down
 * 3584x18944: 233 million weights. COPIES of it (standard: 6) are gone through one after the other,
 * more than a cache holds, as decoding does. Codes are normally distributed, 1 % of them beyond 8
 * bits; counts as in the published figures. Beside it, in the same run, memory of the same size is
 * merely read. Medians of RUNS (standard: 7) in turn. In the way of a network: projections that
 * fire together are delivered together, rows divided among the threads.
 */
#include "neurons/delivery/dense_integer.h"
#include "scheduler/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HIDDEN = 3584, KEYS = 512, WIDE = 18944, MATRICES = 8, GROUP = 128, LANES = 128,
       CODES = 1 << 12, MOST_RUNS = 99 };

static const struct shape {
    uint32_t outputs, inputs, step; /* matrices of one step are delivered together */
} layer[MATRICES] = {{HIDDEN, HIDDEN, 0}, {KEYS, HIDDEN, 0}, {KEYS, HIDDEN, 0}, {KEYS, HIDDEN, 0},
                     {HIDDEN, HIDDEN, 1}, {WIDE, HIDDEN, 2}, {WIDE, HIDDEN, 2},
                     {HIDDEN, WIDE, 3}};

struct model {
    uint32_t copies;
    struct projection *projections; /* [copies][MATRICES] */
    struct population sources[2];   /* of HIDDEN and of WIDE neurons */
    struct population *targets;     /* [MATRICES] */
    struct port *ports;             /* [MATRICES] */
    double weights;                 /* of all copies */
    struct workers *workers;
    const struct kernels *kernels;
};

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;
    return (first > second) - (first < second);
}

static void stop(const char *what)
{
    fprintf(stderr, "delivery: %s\n", what);
    exit(1);
}

/* A code for each of CODES equal chances: normal, deviation 49.5, so that 1 % exceed 127. */
static void make_codes(float codes[CODES])
{
    double below = 0, z = -8;
    const double step = 1e-4;
    for (uint32_t i = 0; i < CODES; i++) {
        double wanted = (i + 0.5) / CODES;
        for (; below < wanted; z += step)
            below += step * exp(-z * z / 2) / sqrt(2 * M_PI);
        codes[i] = (float)(49.5 * z);
    }
}

struct fill_job {
    struct dense_integer *dense;
    const float *codes;
    uint32_t number;
    bool failed;
};

static void fill_part(void *argument, uint32_t part, uint32_t parts)
{
    struct fill_job *job = argument;
    struct error error = {0};
    uint32_t inputs = job->dense->inputs, groups = inputs / GROUP, first, last;
    float *rows = malloc((size_t)PIECE_ROWS * inputs * sizeof *rows);
    float *scales = malloc((size_t)PIECE_ROWS * groups * sizeof *scales);
    struct random_stream stream = random_stream_of(7, RANDOM_WEIGHT, job->number);
    workers_slice((uint32_t)(job->dense->rows / PIECE_ROWS), part, parts, &first, &last);
    for (uint32_t piece = first; piece < last && rows != NULL && scales != NULL; piece++) {
        for (uint32_t i = 0; i < PIECE_ROWS * inputs; i += 8) {
            uint32_t words[4];
            random_words(&stream, piece, i, words);
            for (uint32_t k = 0; k < 8; k++)
                rows[i + k] = job->codes[words[k / 2] >> 16 * (k % 2) & (CODES - 1)] * 1e-3f;
        }
        for (uint32_t i = 0; i < PIECE_ROWS * groups; i++)
            scales[i] = 1e-3f;
        if (!dense_integer_fill(job->dense, piece * PIECE_ROWS, PIECE_ROWS, rows, scales, "random",
                                &error))
            job->failed = true;
    }
    job->failed |= rows == NULL || scales == NULL;
    free(rows);
    free(scales);
}

static void make_model(struct model *model, uint32_t copies)
{
    static float codes[CODES];
    struct error error = {0};
    const struct coding *coding = coding_find("bitwise", &error);
    make_codes(codes);
    model->copies = copies;
    model->projections = calloc((size_t)copies * MATRICES, sizeof *model->projections);
    model->targets = calloc(MATRICES, sizeof *model->targets);
    model->ports = calloc(MATRICES, sizeof *model->ports);
    if (model->projections == NULL || model->targets == NULL || model->ports == NULL)
        stop("not enough memory");
    for (uint32_t s = 0; s < 2; s++) {
        model->sources[s].neurons = s == 0 ? HIDDEN : WIDE;
        model->sources[s].train = train_new(coding, model->sources[s].neurons, 1, LANES);
        if (model->sources[s].train == NULL)
            stop("not enough memory");
    }
    for (uint32_t m = 0; m < MATRICES; m++) {
        model->ports[m] = (struct port){.name = "y", .width = layer[m].outputs};
        model->ports[m].current = calloc((size_t)LANES * layer[m].outputs, sizeof(double));
        model->targets[m].ports = &model->ports[m];
        if (model->ports[m].current == NULL)
            stop("not enough memory");
    }
    for (uint32_t i = 0; i < copies * MATRICES; i++) {
        const struct shape *shape = &layer[i % MATRICES];
        struct fill_job job = {dense_integer_new(shape->outputs, shape->inputs, GROUP, &error),
                               codes, i, false};
        if (job.dense == NULL)
            stop(error.text);
        workers_run(model->workers, fill_part, &job, workers_count(model->workers));
        if (job.failed || !dense_integer_settle(job.dense, model->workers, &error))
            stop("the weights cannot be made");
        model->projections[i] = (struct projection){
            .name = "weights", .kind = &projection_dense_integer, .weights = job.dense,
            .source = &model->sources[shape->inputs == WIDE], .target = &model->targets[i % MATRICES]};
        dense_integer_describe(&model->projections[i]);
        model->weights += (double)shape->outputs * shape->inputs;
    }
}

/* Counts of which `silent` are 0, and of the others about as many of each size as published: a
 * geometric distribution of which 5 % exceed 7 and 0.6 % 16. */
static void fire(struct model *model, double silent, uint32_t lanes)
{
    for (uint32_t s = 0; s < 2; s++) {
        struct train *train = model->sources[s].train;
        struct random_stream stream = random_stream_of(9, RANDOM_ENCODING, s);
        for (uint32_t lane = 0; lane < lanes; lane++)
            for (uint32_t i = 0; i < train->neurons; i++) {
                uint32_t words[4];
                random_words(&stream, lane, i, words);
                int32_t size = 1 + (int32_t)(log(random_uniform(words[1])) / log(0.66));
                size = random_uniform(words[0]) < silent ? 0 : size > 200 ? 200 : size;
                train->count[(size_t)lane * train->neurons + i] =
                    words[2] % 2 == 0 ? size : -size;
            }
        for (uint32_t lane = 0; lane < lanes; lane++)
            train->threshold[lane] = 0.01;
        for (size_t i = 0; i < (size_t)lanes * train->neurons; i++)
            train->narrow[i] = (int16_t)train->count[i];
        train_seal(train, lanes);
        train->fits = true;
    }
}

struct delivery_job {
    struct model *model;
    uint32_t first, last; /* projections */
    struct delivery delivery[2];
};

static void deliver_part(void *argument, uint32_t part, uint32_t parts)
{
    struct delivery_job *job = argument;
    for (uint32_t i = job->first; i < job->last; i++) {
        const struct projection *projection = &job->model->projections[i];
        uint32_t width = layer[i % MATRICES].outputs, begin, end;
        workers_slice(width / PIECE_ROWS, part, parts, &begin, &end);
        projection->kind->deliver(projection,
                                  &job->delivery[projection->source == &job->model->sources[1]],
                                  job->model->kernels, begin * PIECE_ROWS, end * PIECE_ROWS);
    }
}

/* One token, or one wave of lanes, through all copies: seconds. */
static double deliver_all(struct model *model, struct workers *workers)
{
    double start = seconds_now();
    for (uint32_t i = 0; i < model->copies * MATRICES;) {
        struct delivery_job job = {.model = model, .first = i};
        for (uint32_t s = 0; s < 2; s++)
            job.delivery[s] = (struct delivery){.train = model->sources[s].train, .first = true,
                                                .last = true,
                                                .lanes = model->sources[s].train->lanes};
        uint32_t step = layer[i % MATRICES].step;
        while (i < model->copies * MATRICES && layer[i % MATRICES].step == step &&
               (i == job.first || i % MATRICES != 0))
            i++;
        job.last = i;
        workers_run(workers, deliver_part, &job, workers_count(workers));
    }
    return seconds_now() - start;
}

/* ---- what memory allows ---- */

struct read_job {
    const struct model *model;
    uint64_t sums[64];
};

static void read_part(void *argument, uint32_t part, uint32_t parts)
{
    struct read_job *job = argument;
    uint64_t sum[8] = {0};
    for (uint32_t i = 0; i < job->model->copies * MATRICES; i++) {
        const struct dense_integer *dense = job->model->projections[i].weights;
        size_t length = (size_t)dense->rows * dense->inputs / 64;
        const uint64_t *words = (const uint64_t *)(const void *)dense->codes;
        for (size_t line = length * part / parts; line < length * (part + 1) / parts; line++)
            for (uint32_t w = 0; w < 8; w++)
                sum[w] += words[8 * line + w];
    }
    for (uint32_t w = 0; w < 8; w++)
        job->sums[part % 64] += sum[w];
}

static double read_all(const struct model *model, struct workers *workers)
{
    struct read_job job = {model, {0}};
    double start = seconds_now();
    workers_run(workers, read_part, &job, workers_count(workers));
    double seconds = seconds_now() - start;
    volatile uint64_t used = job.sums[0]; /* so that nothing is left out */
    (void)used;
    return seconds;
}

/* Bytes of weights that a token touches: columns of the inputs that fire, scales, extras. */
static double bytes_touched(const struct model *model)
{
    double bytes = 0;
    for (uint32_t i = 0; i < model->copies * MATRICES; i++) {
        const struct projection *projection = &model->projections[i];
        const struct dense_integer *dense = projection->weights;
        const struct train *train = projection->source->train;
        double firing = 0;
        for (uint32_t input = 0; input < dense->inputs; input++)
            firing += train->count[input] != 0;
        bytes += firing * (double)dense->rows + 4.0 * (double)dense_integer_extras(dense) +
                 4.0 * (double)dense->rows * dense->groups;
    }
    return bytes;
}

struct figure {
    double median, low, high;
};

static struct figure figure_of(double *values, uint32_t length)
{
    qsort(values, length, sizeof *values, compare);
    return (struct figure){values[length / 2], values[0], values[length - 1]};
}

static void write_json(const char *id, const char *what, const char *unit, struct figure figure,
                       const char *peer, double peer_value, double ratio, const char *target,
                       int met)
{
    const char *path = getenv("VOLLEY_BENCH_JSON");
    FILE *file = path != NULL ? fopen(path, "a") : NULL;
    if (file == NULL)
        return;
    fprintf(file, "{\"id\":\"%s\",\"what\":\"%s\",\"unit\":\"%s\",\"volley\":%.4g,\"low\":%.4g,"
                  "\"high\":%.4g,", id, what, unit, figure.median, figure.low, figure.high);
    if (peer != NULL)
        fprintf(file, "\"peer\":\"%s\",\"peer_value\":%.4g,\"ratio\":%.4g,", peer, peer_value,
                ratio);
    else
        fprintf(file, "\"peer\":null,\"peer_value\":null,\"ratio\":%.4g,", ratio);
    if (target != NULL)
        fprintf(file, "\"target\":\"%s\",\"met\":%s}\n", target, met ? "true" : "false");
    else
        fprintf(file, "\"target\":null,\"met\":null}\n");
    fclose(file);
}

/* One line: rates in G weights/s (times lanes). */
static struct figure measure(struct model *model, struct workers *workers, double silent,
                             uint32_t lanes, uint32_t runs, struct figure *reading)
{
    double rates[MOST_RUNS], reads[MOST_RUNS];
    fire(model, silent, lanes);
    deliver_all(model, workers);
    for (uint32_t run = 0; run < runs; run++) {
        reads[run] = model->weights / read_all(model, workers) / 1e9;
        rates[run] = model->weights * lanes / deliver_all(model, workers) / 1e9;
    }
    *reading = figure_of(reads, runs);
    return figure_of(rates, runs);
}

int main(int argc, char **argv)
{
    uint32_t copies = argc > 1 ? (uint32_t)atoi(argv[1]) : 6;
    uint32_t runs = argc > 2 ? (uint32_t)atoi(argv[2]) : 7;
    struct error error = {0};
    struct model model = {.kernels = kernels_find(argc > 3 ? argv[3] : NULL, &error)};
    if (copies < 1 || copies > 60 || runs < 1 || runs > MOST_RUNS || model.kernels == NULL)
        stop("usage: delivery [COPIES [RUNS [VECTOR]]]");
    struct workers *teams[2] = {workers_new(1, &error), workers_new(2, &error)};
    if (teams[0] == NULL || teams[1] == NULL)
        stop(error.text);
    model.workers = teams[1];
    make_model(&model, copies);
    printf("%.2f G weights, kernels %s; medians of %u runs\n", model.weights / 1e9,
           model.kernels->name, runs);
    printf("%-10s %-8s %-7s %16s %18s %18s\n", "lanes", "threads", "silent", "G weights/s",
           "of reading memory", "memory, GB/s");
    static const double silents[] = {0, 0.18, 0.6};
    struct figure decode[2][3], prefill[2];
    for (uint32_t t = 0; t < 2; t++) {
        struct figure reading;
        for (uint32_t s = 0; s < 3; s++) {
            decode[t][s] = measure(&model, teams[t], silents[s], 1, runs, &reading);
            double share = decode[t][s].median / reading.median * bytes_touched(&model) /
                           model.weights;
            printf("%-10d %-8u %-7.2f %6.1f [%.1f-%.1f] %16.0f %% %18.1f\n", 1, t + 1, silents[s],
                   decode[t][s].median, decode[t][s].low, decode[t][s].high, 100 * share,
                   reading.median);
            if (silents[s] == 0.18) {
                char id[32], what[64];
                snprintf(id, sizeof id, "decode_%u", t + 1);
                snprintf(what, sizeof what, "decoding, 18 %% silent, %u thread%s", t + 1,
                         t > 0 ? "s" : "");
                write_json(id, what, "G weights/s", decode[t][s], "reading memory, bytes touched",
                           reading.median * model.weights / bytes_touched(&model), share,
                           "0.8 of reading memory", share >= 0.8);
            }
        }
        prefill[t] = measure(&model, teams[t], 0.18, LANES, runs < 3 ? runs : 3, &reading);
        printf("%-10d %-8u %-7.2f %6.1f [%.1f-%.1f]\n", LANES, t + 1, 0.18, prefill[t].median,
               prefill[t].low, prefill[t].high);
    }
    double sparse = decode[1][2].median / decode[1][0].median;
    double reuse = prefill[1].median / decode[1][1].median;
    double threads = decode[1][1].median / decode[0][1].median;
    double threads_prefill = prefill[1].median / prefill[0].median;
    printf("60 %% silent to none silent: %.2f; 128 lanes to one: %.2f; two threads to one: %.2f "
           "(one lane), %.2f (128 lanes)\n", sparse, reuse, threads, threads_prefill);
    write_json("decode_sparse", "decoding, 60 % silent, 2 threads", "G weights/s", decode[1][2],
               "none silent", decode[1][0].median, sparse, "1.6", sparse >= 1.6);
    write_json("prefill", "a prompt of 128 lanes, 2 threads", "G weights/s x lanes", prefill[1],
               "decoding", decode[1][1].median, reuse, "6", reuse >= 6);
    write_json("decode_threads", "decoding, two threads to one", "G weights/s", decode[1][1],
               "one thread", decode[0][1].median, threads, "1.8", threads >= 1.8);
    write_json("prefill_threads", "a prompt, two threads to one", "G weights/s x lanes",
               prefill[1], "one thread", prefill[0].median, threads_prefill, "1.8",
               threads_prefill >= 1.8);
    workers_free(teams[0]);
    workers_free(teams[1]);
    return 0;
}
