/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How fast memory is read here, with one thread and with two: what every benchmark that streams
 * weights can at most reach.
 *
 *     memory [REPETITIONS [MEGABYTES]]
 *
 * Standard: 7 repetitions; a buffer of twice the largest cache, 1024 MB at least and a third of the
 * memory at most, in huge pages where the system gives them. It is read with plain loads of every
 * width that the processor has, each thread its own half, in one stream and in four that lie side
 * by side; all ways take turns. Printed is each way's median with the lowest and highest; the
 * figure of a number of threads is the best way's. The threads meet before each repetition and it
 * lasts until the last has ended, wall time.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 2, REPETITIONS_MOST = 99, HUGE_PAGE = 2 << 20, STREAMS = 4, WAYS_MOST = 8 };

typedef uint64_t words8 __attribute__((vector_size(8)));
typedef uint64_t words16 __attribute__((vector_size(16)));
typedef uint64_t words32 __attribute__((vector_size(32)));
typedef uint64_t words64 __attribute__((vector_size(64)));

/* Reads `bytes`, a multiple of STREAMS * 1024, in as many streams; the sum, so that nothing can be
 * left out, is no result. */
#define READER(name, type, target)                                                             \
    target static uint64_t name(const char *from, size_t bytes, int streams)                   \
    {                                                                                          \
        type sum[4] = {0};                                                                     \
        size_t part = bytes / (size_t)streams;                                                 \
        for (size_t at = 0; at < part; at += 1024)                                             \
            for (int stream = 0; stream < streams; stream++) {                                 \
                const type *block = (const type *)(from + (size_t)stream * part + at);         \
                for (size_t i = 0; i < 1024 / sizeof *block; i += 4)                           \
                    for (int j = 0; j < 4; j++)                                                \
                        sum[j] += block[i + (size_t)j];                                        \
            }                                                                                  \
        sum[0] += sum[1] + sum[2] + sum[3];                                                    \
        uint64_t total = 0;                                                                    \
        for (size_t i = 0; i < sizeof sum[0] / 8; i++)                                         \
            total += sum[0][i];                                                                \
        return total;                                                                          \
    }

READER(read8, words8, )
READER(read16, words16, )
#ifdef __x86_64__
READER(read32, words32, __attribute__((target("avx2"))))
READER(read64, words64, __attribute__((target("avx512f"))))
#endif

struct way {
    const char *name;
    uint64_t (*read)(const char *from, size_t bytes, int streams);
    int streams;
    double rates[THREADS][REPETITIONS_MOST]; /* GB/s */
};

static size_t list_ways(struct way *ways)
{
    size_t count = 0;
    for (int streams = 1; streams <= STREAMS; streams += STREAMS - 1) {
        ways[count++] = (struct way){.name = "8 bytes", .read = read8, .streams = streams};
        ways[count++] = (struct way){.name = "16 bytes", .read = read16, .streams = streams};
#ifdef __x86_64__
        if (__builtin_cpu_supports("avx2"))
            ways[count++] = (struct way){.name = "32 bytes", .read = read32, .streams = streams};
        if (__builtin_cpu_supports("avx512f"))
            ways[count++] = (struct way){.name = "64 bytes", .read = read64, .streams = streams};
#endif
    }
    return count;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

struct reader {
    const struct way *way;
    const char *from;
    size_t bytes;
    pthread_barrier_t *barrier;
    uint64_t sum;
};

static void *read_part(void *argument)
{
    struct reader *reader = argument;
    pthread_barrier_wait(reader->barrier);
    reader->sum = reader->way->read(reader->from, reader->bytes, reader->way->streams);
    return NULL;
}

static volatile uint64_t sink; /* so that the sums are wanted */

/* GB/s; negative where a thread cannot be started. */
static double measure(const struct way *way, const char *buffer, size_t bytes, int threads)
{
    struct reader readers[THREADS];
    pthread_t others[THREADS];
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, (unsigned)threads);
    size_t part = bytes / (size_t)threads;
    for (int i = 0; i < threads; i++)
        readers[i] = (struct reader){way, buffer + (size_t)i * part, part, &barrier, 0};
    for (int i = 1; i < threads; i++)
        if (pthread_create(&others[i], NULL, read_part, &readers[i]) != 0)
            return -1; /* with two threads at most, none is waiting */
    pthread_barrier_wait(&barrier);
    double start = now();
    readers[0].sum = way->read(readers[0].from, part, way->streams);
    for (int i = 1; i < threads; i++)
        pthread_join(others[i], NULL);
    double seconds = now() - start;
    for (int i = 0; i < threads; i++)
        sink += readers[i].sum;
    pthread_barrier_destroy(&barrier);
    return (double)bytes / seconds / 1e9;
}

static int compare(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;
    return (first > second) - (first < second);
}

static double median(const double *sorted, int length)
{
    return (sorted[(length - 1) / 2] + sorted[length / 2]) / 2;
}

static void write_json(int threads, const double *rates, int length)
{
    const char *path = getenv("VOLLEY_BENCH_JSON");
    FILE *file = path != NULL ? fopen(path, "a") : NULL;
    if (file == NULL)
        return;
    fprintf(file, "{\"id\":\"memory_read_%d\",\"what\":\"memory read, %d thread%s (the machine's "
                  "limit)\",\"unit\":\"GB/s\",\"volley\":%.4g,\"low\":%.4g,\"high\":%.4g,"
                  "\"peer\":null,\"peer_value\":null,\"ratio\":null,\"target\":null,\"met\":null}\n",
            threads, threads, threads == 1 ? "" : "s", median(rates, length), rates[0],
            rates[length - 1]);
    fclose(file);
}

static size_t standard_bytes(void)
{
    long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
    size_t bytes = cache > 0 ? 2 * (size_t)cache : 0;
    size_t most = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE) / 3;
    bytes = bytes < (size_t)1 << 30 ? (size_t)1 << 30 : bytes;
    return bytes < most ? bytes : most;
}

static void print_threads(struct way *ways, size_t count, int threads, int repetitions)
{
    const double *best = NULL;
    for (size_t i = 0; i < count; i++) {
        double *rates = ways[i].rates[threads - 1];
        qsort(rates, (size_t)repetitions, sizeof *rates, compare);
        if (best == NULL || median(rates, repetitions) > median(best, repetitions))
            best = rates;
        printf("  %d thread%s loads of %-8s in %d stream%s %6.1f GB/s  (%.1f … %.1f)\n", threads,
               threads == 1 ? ", " : "s,", ways[i].name, ways[i].streams,
               ways[i].streams == 1 ? ", " : "s,", median(rates, repetitions), rates[0],
               rates[repetitions - 1]);
    }
    write_json(threads, best, repetitions);
}

int main(int argc, char **argv)
{
    int repetitions = argc > 1 ? atoi(argv[1]) : 7;
    size_t bytes = argc > 2 ? (size_t)atol(argv[2]) << 20 : standard_bytes();
    bytes = bytes / HUGE_PAGE * HUGE_PAGE;
    if (repetitions < 1 || repetitions > REPETITIONS_MOST || bytes == 0 || bytes > SIZE_MAX / 2) {
        fprintf(stderr, "usage: memory [REPETITIONS [MEGABYTES]]\n");
        return 2;
    }
    char *buffer = aligned_alloc(HUGE_PAGE, bytes);
    if (buffer == NULL) {
        fprintf(stderr, "memory: no memory for a buffer of %zu MB\n", bytes >> 20);
        return 1;
    }
    madvise(buffer, bytes, MADV_HUGEPAGE);
    for (size_t i = 0; i < bytes; i += 8)
        *(uint64_t *)(void *)(buffer + i) = i;
    static struct way ways[WAYS_MOST];
    size_t count = list_ways(ways);
    bool done = true;
    for (int repetition = 0; repetition < repetitions; repetition++)
        for (size_t i = 0; i < count; i++)
            for (int threads = 1; threads <= THREADS; threads++) {
                double rate = measure(&ways[i], buffer, bytes, threads);
                done = done && rate > 0;
                ways[i].rates[threads - 1][repetition] = rate;
            }
    free(buffer);
    if (!done) {
        fprintf(stderr, "memory: a thread cannot be started\n");
        return 1;
    }
    printf("memory: %zu MB read, medians of %d repetitions that take turns\n", bytes >> 20,
           repetitions);
    for (int threads = 1; threads <= THREADS; threads++)
        print_threads(ways, count, threads, repetitions);
    return 0;
}
