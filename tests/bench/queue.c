/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How fast the queue is in the hold model: a number of events is pending; the earliest is popped and
 * pushed back a random increment later, again and again.
 *
 *     queue [REPETITIONS [LARGEST]]
 *
 * Standard: 5 repetitions, sizes up to 1,000,000. Volley's queue is used through its header, once in
 * single pops (queue_pop) and once as the simulator does (queue_take: all events of a tick at once),
 * and it is not told the distribution. Beside it, where PEERS (tests/bench/queue_peers.cc, built as a
 * library beside this program) could be built, stand the queues of that file. All of them get the
 * same events and the same increments; each repetition goes through all queues in turn; times are
 * processor time, medians of the repetitions. That all queues popped the same ticks is checked.
 *
 *     fine     increments of 10^9 ticks on average: hardly two events at one tick
 *     coarse   of 1000 ticks: with 10^6 pending some 1000 events at a tick, as in a simulation of a
 *              network in steps of 0.1 ms
 *
 * A last table shows Volley's queue alone on cases made to hurt.
 *
 * Distributions: exponential; uniform over 0 … 2 × mean; bimodal and camel as in Rönngren and Ayani
 * (ACM TOMACS 7, 1997): bimodal has one increment in ten about ten times as long as the others, camel
 * has 98 % of its mass in two humps that cover 0.1 % of its range; and all increments equal.
 */
#include "scheduler/queue.h"
#include "tests/bench/queue_peers.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { QUEUES = 8, REPETITIONS = 99, SIZES = 4 };
static const double FINE = 1e9, COARSE = 1000;

static uint64_t random_state;

/* In [0, 1). */
static double random_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (double)((random_state * UINT64_C(0x2545f4914f6cdd1d)) >> 11) * 0x1p-53;
}

static double draw_exponential(void)
{
    return -log(1 - random_number());
}

static double draw_uniform(void)
{
    return 2 * random_number();
}

static double draw_bimodal(void)
{
    double base = 0.95238 * random_number();
    return random_number() < 0.1 ? base + 9.5238 : base;
}

static double draw_equal(void)
{
    return 1;
}

static double draw_camel(void)
{
    double place = random_number();
    if (random_number() < 0.02)
        return 2 * place;
    return (random_number() < 0.5 ? 0.5 : 1.5) + 0.001 * (place - 0.5);
}

static const struct distribution {
    const char *name;
    double (*draw)(void); /* of mean 1, or nearly */
} distributions[] = {
    {"exponential", draw_exponential}, {"uniform", draw_uniform}, {"bimodal", draw_bimodal},
    {"all equal", draw_equal},         {"camel", draw_camel},
};
enum { DISTRIBUTIONS = sizeof distributions / sizeof distributions[0] };

/* ---- Volley's queue */

static void *volley_make(const struct hold_work *work)
{
    struct queue *queue = queue_new(0);
    for (size_t i = 0; queue != NULL && i < work->length; i++)
        if (!queue_push(queue, (struct event){work->first[i], 0, (uint32_t)i}, NULL)) {
            queue_free(queue);
            queue = NULL;
        }
    return queue;
}

static uint64_t volley_hold_pops(void *pointer, const struct hold_work *work, size_t from,
                                 size_t holds)
{
    struct queue *queue = pointer;
    uint64_t sum = 0;
    for (size_t i = 0; i < holds; i++) {
        struct event event;
        if (!queue_pop(queue, &event))
            return 0;
        sum += (uint64_t)event.tick;
        event.tick += work->increments[(from + i) % INCREMENTS];
        if (!queue_push(queue, event, NULL))
            return 0;
    }
    return sum;
}

/* What is taken beyond `holds` goes back as it is. */
static uint64_t volley_hold_takes(void *pointer, const struct hold_work *work, size_t from,
                                  size_t holds)
{
    struct queue *queue = pointer;
    uint64_t sum = 0;
    for (size_t i = 0; i < holds;) {
        const struct event *due;
        size_t length = queue_take(queue, &due, NULL);
        if (length == 0)
            return 0;
        for (size_t k = 0; k < length; k++) {
            struct event event = due[k];
            if (i < holds) {
                sum += (uint64_t)event.tick;
                event.tick += work->increments[(from + i++) % INCREMENTS];
            }
            if (!queue_push(queue, event, NULL))
                return 0;
        }
    }
    return sum;
}

static void volley_destroy(void *queue)
{
    queue_free(queue);
}

static const struct hold_queue volley_pops = {"Volley, pops", volley_make, volley_hold_pops,
                                              volley_destroy};
static const struct hold_queue volley_takes = {"Volley, takes", volley_make, volley_hold_takes,
                                               volley_destroy};

/* ---- measuring */

static double processor_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;
    return (first > second) - (first < second);
}

struct figure {
    double low, median, high; /* ns a hold */
};

static struct figure figure_of(double *values, size_t length)
{
    qsort(values, length, sizeof *values, compare);
    return (struct figure){values[0], (values[length / 2] + values[(length - 1) / 2]) / 2,
                           values[length - 1]};
}

/* Fills the work's increments (whose array the caller gives) and first ticks. Returns false when
 * memory is short. */
static bool work_prepare(struct hold_work *work, int64_t *increments, size_t length, double mean,
                         const struct distribution *distribution)
{
    random_state = UINT64_C(88172645463325252);
    double sum = 0;
    work->most = 0;
    for (size_t i = 0; i < INCREMENTS; i++) {
        increments[i] = (int64_t)(mean * distribution->draw());
        sum += (double)increments[i];
        work->most = increments[i] > work->most ? increments[i] : work->most;
    }
    int64_t *first = malloc(length * sizeof *first);
    if (first == NULL)
        return false;
    for (size_t i = 0; i < length; i++)
        first[i] = (int64_t)(mean * random_number() * distribution->draw());
    work->length = length;
    work->first = first;
    work->increments = increments;
    work->mean = sum / INCREMENTS;
    return true;
}

/* Measures all queues in turn. Exits where a queue fails or pops other ticks than the first. */
static void work_measure(const struct hold_work *work, const struct hold_queue *const *queues,
                         size_t count, size_t repetitions, struct figure *figures)
{
    void *made[QUEUES] = {NULL};
    double times[QUEUES][REPETITIONS];
    size_t holds = work->length < 200000 ? 200000 : work->length;
    for (size_t q = 0; q < count; q++) {
        made[q] = queues[q]->make(work);
        if (made[q] == NULL) {
            fprintf(stderr, "queue: not enough memory for %s\n", queues[q]->name);
            exit(1);
        }
    }
    for (size_t r = 0; r <= repetitions; r++) { /* the first is not counted */
        uint64_t expected = 0;
        for (size_t q = 0; q < count; q++) {
            double begin = processor_nanoseconds();
            uint64_t sum = queues[q]->hold(made[q], work, r * holds, holds);
            if (r > 0)
                times[q][r - 1] = (processor_nanoseconds() - begin) / (double)holds;
            if (q == 0)
                expected = sum;
            if (sum != expected || sum == 0) {
                fprintf(stderr, "queue: %s popped other events than %s\n", queues[q]->name,
                        queues[0]->name);
                exit(1);
            }
        }
    }
    for (size_t q = 0; q < count; q++) {
        figures[q] = figure_of(times[q], repetitions);
        queues[q]->destroy(made[q]);
    }
}

/* ---- what is printed */

static void print_json(const struct distribution *distribution, size_t length, bool coarse,
                       const struct figure *volley, const char *peer, const struct figure *best)
{
    const char *path = getenv("VOLLEY_BENCH_JSON");
    FILE *file = path != NULL ? fopen(path, "a") : NULL;
    if (file == NULL)
        return;
    fprintf(file, "{\"id\":\"queue_%s_%s_%zu\",\"what\":\"queue alone, hold model, %s, %s ticks, "
                  "%zu pending\",\"unit\":\"ns a hold\",\"volley\":%.1f,\"low\":%.1f,\"high\":%.1f,",
            strcmp(distribution->name, "all equal") == 0 ? "equal" : distribution->name,
            coarse ? "coarse" : "fine", length, distribution->name, coarse ? "coarse" : "fine", length,
            volley->median, volley->low, volley->high);
    if (best != NULL)
        fprintf(file, "\"peer\":\"%s\",\"peer_value\":%.1f,\"ratio\":%.2f,"
                      "\"target\":\"at least as fast as the best peer\",\"met\":%s}\n",
                peer, best->median, best->median / volley->median,
                volley->median <= best->median ? "true" : "false");
    else
        fprintf(file, "\"peer\":null,\"peer_value\":null,\"ratio\":null,\"target\":null,"
                      "\"met\":null}\n");
    fclose(file);
}

/* Volley's queues come first, then the peers. */
static void table_print(const struct hold_queue *const *queues, size_t volleys, size_t count,
                        bool coarse, size_t repetitions, size_t largest)
{
    static int64_t increments[INCREMENTS];
    printf("%s ticks (mean increment %g), ns a hold\n%-12s %8s", coarse ? "coarse" : "fine",
           coarse ? COARSE : FINE, "", "pending");
    for (size_t q = 0; q < count; q++)
        printf("  %19s", queues[q]->name);
    printf("  best peer / Volley\n");
    for (size_t d = 0; d < DISTRIBUTIONS; d++)
        for (size_t length = 1000; length <= largest; length *= 10) {
            struct hold_work work;
            if (!work_prepare(&work, increments, length, coarse ? COARSE : FINE, &distributions[d])) {
                fprintf(stderr, "queue: not enough memory for %zu events\n", length);
                exit(1);
            }
            struct figure figures[QUEUES];
            work_measure(&work, queues, count, repetitions, figures);
            free((void *)work.first);
            printf("%-12s %8zu", distributions[d].name, length);
            size_t best = volleys;
            for (size_t q = 0; q < count; q++) {
                printf("  %5.1f (%4.1f … %5.1f)", figures[q].median, figures[q].low, figures[q].high);
                if (q > best && figures[q].median < figures[best].median)
                    best = q;
            }
            const struct figure *volley = &figures[volleys - 1];
            if (count > volleys)
                printf("  %.2f (%s)", figures[best].median / volley->median, queues[best]->name);
            putchar('\n');
            fflush(stdout);
            print_json(&distributions[d], length, coarse, volley,
                       count > volleys ? queues[best]->name : NULL,
                       count > volleys ? &figures[best] : NULL);
        }
    putchar('\n');
}

/* ---- cases made to hurt */

static int64_t tick_one(uint64_t i, uint64_t length)
{
    (void)i, (void)length;
    return 5;
}

static int64_t tick_ascending(uint64_t i, uint64_t length)
{
    (void)length;
    return (int64_t)(i * 1000003);
}

static int64_t tick_descending(uint64_t i, uint64_t length)
{
    return (int64_t)((length - i) * 1000003);
}

static int64_t tick_far(uint64_t i, uint64_t length)
{
    (void)length;
    return i == 0 ? INT64_MAX / 2 : (int64_t)(1000 * random_number());
}

static int64_t tick_scales(uint64_t i, uint64_t length)
{
    (void)length;
    return (int64_t)ldexp(random_number(), (int)(i % 62));
}

static int64_t tick_end(uint64_t i, uint64_t length)
{
    return INT64_MAX - (int64_t)(random_number() * (double)(i % 2 == 0 ? length : 1 << 20));
}

static int64_t tick_random(uint64_t i, uint64_t length)
{
    (void)i, (void)length;
    return (int64_t)(FINE * 1000 * random_number());
}

/* Pushes all and pops all; then the same with each event popped pushed back once at a tick as far ahead
 * as the case says. ns for a push and a pop. */
static void hostile_print(const char *name, int64_t (*tick)(uint64_t, uint64_t), uint64_t length)
{
    struct queue *queue = queue_new(0);
    struct event event;
    bool done = queue != NULL;
    double begin = processor_nanoseconds();
    for (uint64_t i = 0; done && i < length; i++)
        done = queue_push(queue, (struct event){tick(i, length), 0, (uint32_t)i}, NULL);
    double middle = processor_nanoseconds();
    for (uint64_t i = 0; done && i < length; i++) {
        done = queue_pop(queue, &event);
        int64_t ahead = tick(i, length);
        event.tick = event.tick > INT64_MAX - ahead ? INT64_MAX : event.tick + ahead;
        done = done && queue_push(queue, event, NULL);
    }
    double end = processor_nanoseconds();
    int64_t before = INT64_MIN;
    for (uint64_t i = 0; done && i < length; i++) {
        done = queue_pop(queue, &event) && event.tick >= before;
        before = event.tick;
    }
    if (!done) {
        fprintf(stderr, "queue: %s: events in a wrong order, or not enough memory\n", name);
        exit(1);
    }
    double all = middle - begin + processor_nanoseconds() - end;
    printf("%-40s %9llu  %14.1f  %9.1f\n", name, (unsigned long long)length, all / (double)length,
           (end - middle) / (double)length);
    queue_free(queue);
}

static void hostile_table(size_t largest)
{
    printf("Volley on cases made to hurt, ns     %13s  %14s  %9s\n", "events", "push and pop", "hold");
    hostile_print("all at one tick", tick_one, largest);
    hostile_print("ascending", tick_ascending, largest);
    hostile_print("descending", tick_descending, largest);
    hostile_print("one far, all others near", tick_far, largest);
    hostile_print("62 scales in turn", tick_scales, largest);
    hostile_print("up to the last tick", tick_end, largest);
    hostile_print("ten times as many, uniform", tick_random, 10 * largest);
}

/* The library of peers lies beside this program. NULL where it is missing. */
static const struct hold_queue *peers_load(const char *program)
{
    char path[4096];
    const char *slash = strrchr(program, '/');
    int folder = slash != NULL ? (int)(slash - program) : 1;
    snprintf(path, sizeof path, "%.*s/queue_peers.so", folder, slash != NULL ? program : ".");
    void *library = dlopen(path, RTLD_NOW);
    return library != NULL ? dlsym(library, HOLD_PEERS) : NULL;
}

int main(int argc, char **argv)
{
    long repetitions = argc > 1 ? strtol(argv[1], NULL, 10) : 5;
    long largest = argc > 2 ? strtol(argv[2], NULL, 10) : 1000000;
    if (argc > 3 || repetitions < 1 || repetitions > REPETITIONS || largest < 1000) {
        fprintf(stderr, "usage: queue [REPETITIONS (1 to %d) [LARGEST (from 1000)]]\n", REPETITIONS);
        return 2;
    }
    const struct hold_queue *queues[QUEUES] = {&volley_pops};
    const struct hold_queue *peers = peers_load(argv[0]);
    bool boost = false;
    size_t count = 1;
    for (; peers != NULL && count < QUEUES && peers[count - 1].name != NULL; count++) {
        queues[count] = &peers[count - 1];
        boost |= strncmp(peers[count - 1].name, "boost", 5) == 0;
    }
    if (peers == NULL)
        puts("Peers could not be run: queue_peers.so is missing (it needs a C++ compiler).");
    else if (!boost)
        puts("boost's heap could not be run: its headers are missing (Debian: libboost-dev).");
    table_print(queues, 1, count, false, (size_t)repetitions, (size_t)largest);

    const struct hold_queue *coarse[QUEUES + 1] = {&volley_pops, &volley_takes};
    memcpy(coarse + 2, queues + 1, (count - 1) * sizeof queues[0]);
    table_print(coarse, 2, count + 1, true, (size_t)repetitions, (size_t)largest);
    hostile_table((size_t)largest);
    return 0;
}
