/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How fast the head of a large language model is read: 152064 × 3584 weights and one lane, in
 * 32, 16 and 8 bits, on one thread and two, beside a plain read of the same bytes.
 *
 *     head [RUNS [VERSION]]
 *
 * Standard: 7 runs, the best version of the kernels. Read and product take turns, so that what
 * else the machine does strikes both; shown are the medians, and the least and the most of the
 * ratio. One format is in memory at a time, 2.2 GB for the widest. With many lanes a row is read
 * once for all; there the work is compared with that of a lone lane. VOLLEY_BENCH_JSON names a
 * file that gets the results too, one JSON object a line.
 */
#include "neurons/delivery/dense_float.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROWS = 152064, INPUTS = 3584, LANES = 32, RUNS_LIMIT = 99 };

struct bench {
    const struct kernels *kernels;
    struct dense_float *dense;
    struct population target;
    struct port port;
    struct projection projection;
    struct delivery delivery;
    uint64_t read[2]; /* what a part read, so that it is read */
};

struct spread {
    double low, median, high;
};

static double seconds_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;
    return (first > second) - (first < second);
}

static struct spread spread_of(double *values, int length)
{
    qsort(values, (size_t)length, sizeof *values, compare);
    return (struct spread){values[0], (values[(length - 1) / 2] + values[length / 2]) / 2,
                           values[length - 1]};
}

/* A number of -1 … 1, from where it stands. */
static float number_at(uint64_t place)
{
    uint64_t bits = (place + 1) * UINT64_C(0x9e3779b97f4a7c15);
    bits = (bits ^ bits >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return (float)((double)(int64_t)(bits ^ bits >> 32) * 0x1p-63);
}

static void fill_part(void *argument, uint32_t part, uint32_t parts)
{
    struct bench *bench = argument;
    float row[INPUTS];
    uint32_t begin, end;
    workers_slice(ROWS, part, parts, &begin, &end);
    for (uint32_t r = begin; r < end; r++) {
        for (uint32_t i = 0; i < INPUTS; i++)
            row[i] = number_at((uint64_t)r * INPUTS + i) * 0.02F;
        dense_float_set_row(bench->dense, r, row, NULL);
    }
}

static void read_part(void *argument, uint32_t part, uint32_t parts)
{
    enum { STEP = 16 }; /* numbers of 8 bytes; fetching ahead by hand makes this slower */
    struct bench *bench = argument;
    size_t numbers = dense_float_bytes(bench->dense) / sizeof(uint64_t);
    size_t begin = numbers / STEP * part / parts * STEP;
    size_t end = numbers / STEP * (part + 1) / parts * STEP;
    const uint64_t *number = bench->dense->owned;
    uint64_t sums[STEP] = {0};
    for (size_t i = begin; i < end; i += STEP)
        for (size_t j = 0; j < STEP; j++)
            sums[j] += number[i + j];
    for (size_t j = 0; j < STEP; j++)
        bench->read[part] += sums[j];
}

static void deliver_part(void *argument, uint32_t part, uint32_t parts)
{
    const struct bench *bench = argument;
    uint32_t begin, end;
    workers_slice(ROWS / BYTE_ROWS, part, parts, &begin, &end);
    projection_dense_float.deliver(&bench->projection, &bench->delivery, bench->kernels,
                                   begin * BYTE_ROWS, end * BYTE_ROWS);
}

static double time_of(struct bench *bench, struct workers *workers, workers_function *function)
{
    double start = seconds_now();
    workers_run(workers, function, bench, workers_count(workers));
    return seconds_now() - start;
}

static void write_json(const char *format, uint32_t threads, struct spread head,
                       struct spread read, struct spread ratio)
{
    const char *path = getenv("VOLLEY_BENCH_JSON");
    FILE *file = path != NULL ? fopen(path, "a") : NULL;
    if (file == NULL)
        return;
    fprintf(file, "{\"id\":\"head_%s_%u\",\"what\":\"head of 152064 x 3584 in %s bits, one lane, "
            "%u thread%s\",\"unit\":\"GB/s\",\"volley\":%.2f,\"low\":%.2f,\"high\":%.2f,"
            "\"peer\":\"plain read of the same bytes\",\"peer_value\":%.2f,\"ratio\":%.3f,"
            "\"target\":\"80 %% of a plain read\",\"met\":%s}\n",
            format, threads, format, threads, threads > 1 ? "s" : "", head.median, head.low,
            head.high, read.median, ratio.median, ratio.median >= 0.8 ? "true" : "false");
    fclose(file);
}

static void measure(struct bench *bench, const char *name, struct workers *workers, int runs)
{
    double bytes = (double)dense_float_bytes(bench->dense) * 1e-9;
    double head[RUNS_LIMIT], read[RUNS_LIMIT], ratio[RUNS_LIMIT];
    bench->delivery.lanes = 1;
    time_of(bench, workers, read_part);
    for (int run = 0; run < runs; run++) {
        read[run] = bytes / time_of(bench, workers, read_part);
        head[run] = bytes / time_of(bench, workers, deliver_part);
        ratio[run] = head[run] / read[run];
    }
    struct spread heads = spread_of(head, runs), reads = spread_of(read, runs);
    struct spread ratios = spread_of(ratio, runs);
    bench->delivery.lanes = LANES;
    double many = LANES / time_of(bench, workers, deliver_part);
    printf("%-4s %7u %10.2f %10.2f %6.0f%% %5.0f%% ... %.0f%% %10.1f %14.1f\n", name,
           workers_count(workers), heads.median, reads.median, 100 * ratios.median,
           100 * ratios.low, 100 * ratios.high, heads.median / bytes, many);
    fflush(stdout);
    write_json(name, workers_count(workers), heads, reads, ratios);
}

static bool measure_format(struct bench *bench, enum float_format format, const char *name,
                           int runs)
{
    struct error error = {0};
    bench->dense = dense_float_new_unset(ROWS, INPUTS, format, &error);
    bench->projection.weights = bench->dense;
    for (uint32_t threads = 2; threads >= 1 && bench->dense != NULL; threads--) {
        struct workers *workers = workers_new(threads, &error);
        if (workers == NULL)
            break;
        if (threads == 2)
            workers_run(workers, fill_part, bench, 2);
        measure(bench, name, workers, runs);
        workers_free(workers);
    }
    dense_float_free(bench->dense);
    if (error.code != ERROR_NONE)
        fprintf(stderr, "head: %s\n", error.text);
    return error.code == ERROR_NONE;
}

int main(int argc, char **argv)
{
    int runs = argc > 1 ? atoi(argv[1]) : 7;
    struct error error = {0};
    struct bench bench = {.kernels = kernels_find(argc > 2 ? argv[2] : NULL, &error)};
    if (runs < 1 || runs > RUNS_LIMIT || bench.kernels == NULL) {
        fprintf(stderr, "usage: head [RUNS [VERSION]]\n");
        return 2;
    }
    double *values = malloc((size_t)LANES * INPUTS * sizeof *values);
    bench.port = (struct port){.width = ROWS,
                               .current = calloc((size_t)LANES * ROWS, sizeof(double))};
    if (values == NULL || bench.port.current == NULL) {
        fprintf(stderr, "head: not enough memory\n");
        return 1;
    }
    for (size_t i = 0; i < (size_t)LANES * INPUTS; i++)
        values[i] = (double)number_at(i);
    bench.target.ports = &bench.port;
    bench.target.port_count = 1;
    bench.projection.target = &bench.target;
    bench.delivery.values = values;
    printf("the head, 152064 x 3584 weights, kernels %s: GB/s beside a plain read, tokens/s\n",
           bench.kernels->name);
    printf("bits threads  head GB/s  read GB/s  ratio  low ... high   tokens/s  with 32 lanes\n");
    bool done = measure_format(&bench, FLOAT_SINGLE, "32", runs) &&
                measure_format(&bench, FLOAT_BFLOAT, "16", runs) &&
                measure_format(&bench, FLOAT_BYTE, "8", runs);
    free(values);
    free(bench.port.current);
    return done ? 0 : 1;
}
