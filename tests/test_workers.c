/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The team of threads: every part is done exactly once, sums come out right for
 * any number of threads over thousands of runs, and slices cover a range.
 */
#include "scheduler/workers.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { MOST_PARTS = 64 };

static void test_slices(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0, 1, 2, 7, 64, 1000, 3584, UINT32_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        for (uint32_t parts = 1; parts <= 70; parts++) {
            uint32_t expected = 0, begin, end;
            for (uint32_t part = 0; part < parts; part++) {
                workers_slice(lengths[i], part, parts, &begin, &end);
                assert_int_equal(begin, expected);
                assert_true(end >= begin && end - begin <= (uint64_t)lengths[i] / parts + 1);
                expected = end;
            }
            assert_int_equal(expected, lengths[i]);
        }
}

/* Each part adds up its slice of `values`; nothing is shared but the array. */
struct summing {
    const uint32_t *values; /* [length] */
    uint32_t length;
    uint64_t sums[MOST_PARTS];
    uint32_t runs[MOST_PARTS]; /* how often each part was done */
    uint32_t parts_seen[MOST_PARTS];
};

static void sum_slice(void *argument, uint32_t part, uint32_t parts)
{
    struct summing *summing = argument;
    uint32_t begin, end;
    workers_slice(summing->length, part, parts, &begin, &end);
    uint64_t sum = 0;
    for (uint32_t i = begin; i < end; i++)
        sum += summing->values[i];
    summing->sums[part] = sum;
    summing->runs[part]++;
    summing->parts_seen[part] = parts;
}

static void test_sums(void **state)
{
    (void)state;
    enum { LENGTH = 500, RUNS = 1500 };
    uint32_t values[LENGTH];
    for (uint32_t threads = 1; threads <= 8; threads++) {
        struct error error = {0};
        struct workers *workers = workers_new(threads, &error);
        assert_non_null(workers);
        assert_int_equal(workers_count(workers), threads);
        for (uint32_t run = 0; run < RUNS; run++) {
            uint32_t parts = run % 7 == 0 ? 1 + run % MOST_PARTS : threads;
            struct summing summing = {.values = values, .length = LENGTH};
            uint64_t expected = 0, sum = 0;
            for (uint32_t i = 0; i < LENGTH; i++)
                expected += values[i] = i * run + threads;
            workers_run(workers, sum_slice, &summing, parts);
            for (uint32_t part = 0; part < parts; part++) {
                assert_int_equal(summing.runs[part], 1);
                assert_int_equal(summing.parts_seen[part], parts);
                sum += summing.sums[part];
            }
            for (uint32_t part = parts; part < MOST_PARTS; part++)
                assert_int_equal(summing.runs[part], 0);
            assert_int_equal(sum, expected);
        }
        workers_free(workers);
    }
}

static void count_call(void *argument, uint32_t part, uint32_t parts)
{
    (void)part;
    (void)parts;
    atomic_fetch_add((atomic_uint *)argument, 1);
}

/* Pauses long enough for everyone to fall asleep, then many more parts than
 * threads. */
static void test_asleep(void **state)
{
    (void)state;
    struct workers *workers = workers_new(4, NULL);
    assert_non_null(workers);
    for (uint32_t run = 0; run < 20; run++) {
        atomic_uint calls = 0;
        nanosleep(&(struct timespec){0, 2000000}, NULL);
        workers_run(workers, count_call, &calls, 1 + run * 50);
        assert_int_equal(atomic_load(&calls), 1 + run * 50);
    }
    atomic_uint calls = 0;
    workers_run(workers, count_call, &calls, 0);
    assert_int_equal(atomic_load(&calls), 0);
    workers_free(workers);
}

/* The caller sleeps while a helper is slow. */
static void dawdle(void *argument, uint32_t part, uint32_t parts)
{
    nanosleep(&(struct timespec){0, part % 2 == 0 ? 100000 : 4000000}, NULL);
    count_call(argument, part, parts);
}

static void test_slow_parts(void **state)
{
    (void)state;
    struct workers *workers = workers_new(3, NULL);
    assert_non_null(workers);
    for (uint32_t run = 0; run < 15; run++) {
        atomic_uint calls = 0;
        workers_run(workers, dawdle, &calls, 4);
        assert_int_equal(atomic_load(&calls), 4);
    }
    workers_free(workers);
}

static double process_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void test_idle_burns_nothing(void **state)
{
    (void)state;
    struct workers *workers = workers_new(4, NULL);
    assert_non_null(workers);
    atomic_uint calls = 0;
    workers_run(workers, count_call, &calls, 8);
    double before = process_seconds();
    nanosleep(&(struct timespec){0, 300000000}, NULL);
    assert_true(process_seconds() - before < 0.15); /* three spinning helpers would take 0.9 */
    workers_free(workers);
}

static void note_mask(void *argument, uint32_t part, uint32_t parts)
{
    (void)parts;
    bool *open = argument; /* [parts] */
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    open[part] = !sigismember(&mask, SIGINT);
    nanosleep(&(struct timespec){0, 3000000}, NULL);
}

/* The caller keeps its mask; no helper takes a signal meant for it. */
static void test_signals(void **state)
{
    (void)state;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_false(sigismember(&mask, SIGINT));
    struct workers *workers = workers_new(3, NULL);
    assert_non_null(workers);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_false(sigismember(&mask, SIGINT));
    bool open[12] = {false};
    workers_run(workers, note_mask, open, 12);
    int helped = 0;
    for (int part = 0; part < 12; part++)
        helped += !open[part];
    assert_true(helped > 0);
    workers_free(workers);
}

static void test_misuse(void **state)
{
    (void)state;
    struct error error = {0};
    assert_null(workers_new(0, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    workers_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slices),  cmocka_unit_test(test_sums),
        cmocka_unit_test(test_asleep),  cmocka_unit_test(test_slow_parts),
        cmocka_unit_test(test_signals), cmocka_unit_test(test_idle_burns_nothing),
        cmocka_unit_test(test_misuse),
    };
    return cmocka_run_group_tests_name("workers", tests, NULL, NULL);
}
