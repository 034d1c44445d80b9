/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The example phold: in parts or not, with any number of threads, it meets the same events, and they
 * are those that a plain list of pending events gives.
 */
#include "encoding/arithmetic.h"
#include "examples/phold/model.h"
#include "scheduler/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct phold_settings cases[] = {
    {.processes = 1, .population = 1, .lookahead = 1, .duration = 40000000, .remote = 1, .seed = 3},
    {.processes = 40, .population = 3, .lookahead = 100000, .duration = 9000000, .remote = 0.1,
     .seed = 1},
    {.processes = 33000, .population = 1, .lookahead = 100000, .duration = 3000000, .remote = 0.1,
     .seed = 1},
    {.processes = 33001, .population = 2, .lookahead = 2500000, .duration = 6000000, .remote = 1,
     .seed = UINT64_MAX},
    {.processes = 20000, .population = 1, .lookahead = 5000, .duration = 700000, .remote = 0.5,
     .seed = 7},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static void test_same_whatever_way(void **state)
{
    (void)state;
    for (size_t c = 0; c < CASES; c++) {
        struct phold_result plain, parts;
        assert_true(phold_run(&cases[c], &plain, NULL));
        assert_true(plain.events > 0);
        for (uint32_t threads = 1; threads <= 3; threads++) {
            struct workers *workers = workers_new(threads, NULL);
            assert_non_null(workers);
            assert_true(phold_run_parts(&cases[c], workers, &parts, NULL));
            assert_int_equal(parts.events, plain.events);
            assert_int_equal(parts.checksum, plain.checksum);
            workers_free(workers);
        }
    }
    assert_true(phold_parts(33000) > 2);
    assert_int_equal(phold_parts(1), 1);
}

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* The model once more, as simply as can be: look through all pending events for the earliest. */
static void plain_model(const struct phold_settings *settings, struct phold_result *result)
{
    enum { MOST = 200 };
    struct {
        int64_t tick;
        uint32_t process;
    } pending[MOST];
    uint64_t sequence[MOST] = {0}, digest[MOST] = {0};
    struct random_stream stream = random_stream_of(settings->seed, RANDOM_SOURCE, 0);
    uint32_t words[4], length = settings->processes * settings->population;
    assert_true(length <= MOST);
    for (uint32_t i = 0; i < length; i++) {
        uint32_t process = i / settings->population;
        random_words(&stream, sequence[process]++, process, words);
        pending[i].tick =
            settings->lookahead + (int64_t)(-1e6 * arithmetic_log(random_uniform(words[0])));
        pending[i].process = process;
    }
    *result = (struct phold_result){0};
    for (;;) {
        uint32_t first = 0;
        for (uint32_t i = 1; i < length; i++)
            if (pending[i].tick < pending[first].tick)
                first = i;
        uint32_t process = pending[first].process;
        if (pending[first].tick >= settings->duration)
            break;
        result->events++;
        digest[process] = mix(digest[process] + (uint64_t)pending[first].tick);
        random_words(&stream, sequence[process]++, process, words);
        pending[first].tick +=
            settings->lookahead + (int64_t)(-1e6 * arithmetic_log(random_uniform(words[0])));
        if ((double)words[1] < settings->remote * 0x1p32)
            pending[first].process =
                (uint32_t)((uint64_t)words[2] * settings->processes >> 32);
    }
    for (uint32_t p = 0; p < settings->processes; p++)
        result->checksum = mix(result->checksum + digest[p]) + sequence[p];
}

static void test_plain_model(void **state)
{
    (void)state;
    for (size_t c = 0; c < 2; c++) {
        struct phold_result expected, result;
        plain_model(&cases[c], &expected);
        assert_true(phold_run(&cases[c], &result, NULL));
        assert_int_equal(result.events, expected.events);
        assert_int_equal(result.checksum, expected.checksum);
    }
}

/* As many events a unit of time as the mean delay says. */
static void test_rate(void **state)
{
    (void)state;
    struct phold_settings settings = {.processes = 1000, .population = 4, .lookahead = 500000,
                                      .duration = 100000000, .remote = 0.1, .seed = 5};
    struct phold_result result;
    assert_true(phold_run(&settings, &result, NULL));
    double expected = 1000 * 4 * 100 / 1.5;
    assert_true((double)result.events > 0.99 * expected);
    assert_true((double)result.events < 1.01 * expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_whatever_way),
        cmocka_unit_test(test_plain_model),
        cmocka_unit_test(test_rate),
    };
    return cmocka_run_group_tests_name("phold", tests, NULL, NULL);
}
