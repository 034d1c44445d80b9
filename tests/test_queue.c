/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The queue against a plain model: a list of events sorted stably by tick, and
 * by order where that counts. Every event carries its sequence as payload, so a
 * wrong place shows.
 */
#include "scheduler/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t random_state = UINT64_C(88172645463325252);

static uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

static uint64_t random_below(uint64_t limit)
{
    return random_bits() % limit;
}

static int compare_events(const void *left, const void *right)
{
    const struct event *a = left, *b = right;
    if (a->tick != b->tick)
        return a->tick < b->tick ? -1 : 1;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    return a->payload < b->payload ? -1 : a->payload > b->payload;
}

static void assert_event(struct event event, struct event expected)
{
    assert_int_equal(event.tick, expected.tick);
    assert_int_equal(event.order, expected.order);
    assert_int_equal(event.payload, expected.payload);
}

/* Distributions of the ticks pushed: how far after the present. */
enum distribution { TIES, NEAR, FAR, BIMODAL, CLUSTERS, POWERS, DISTRIBUTIONS };

static int64_t random_increment(enum distribution distribution)
{
    switch (distribution) {
    case TIES:
        return (int64_t)random_below(4);
    case NEAR:
        return (int64_t)random_below(1000);
    case FAR:
        return (int64_t)random_below(UINT64_C(1) << 50);
    case BIMODAL:
        return random_below(10) < 9 ? (int64_t)random_below(50)
                                    : 1000000 + (int64_t)random_below(100);
    case CLUSTERS:
        return (int64_t)(random_below(8) << 40 | random_below(3));
    default:
        return INT64_C(1) << random_below(52);
    }
}

static struct event random_event(int64_t present, enum distribution distribution, size_t sequence)
{
    uint32_t orders = random_below(4) == 0 ? UINT32_MAX : 3;
    return (struct event){present + random_increment(distribution),
                          (uint32_t)random_below(orders), (uint32_t)sequence};
}

/* Pushes all, then takes or pops all. */
static void drain_in_order(enum distribution distribution, size_t length, bool pop)
{
    struct event *expected = malloc(length * sizeof *expected);
    struct queue *queue = queue_new(-5000);
    assert_non_null(expected);
    assert_non_null(queue);
    for (size_t i = 0; i < length; i++) {
        expected[i] = random_event(-5000, distribution, i);
        assert_true(queue_push(queue, expected[i], NULL));
    }
    assert_int_equal(queue_length(queue), length);
    qsort(expected, length, sizeof *expected, compare_events);
    size_t seen = 0;
    while (seen < length) {
        int64_t tick;
        assert_true(queue_peek(queue, &tick));
        assert_int_equal(tick, expected[seen].tick);
        if (pop) {
            struct event event;
            assert_true(queue_pop(queue, &event));
            assert_event(event, expected[seen++]);
        } else {
            const struct event *due;
            size_t count = queue_take(queue, &due, NULL);
            assert_true(count > 0 && count <= length - seen);
            assert_memory_equal(due, expected + seen, count * sizeof *due);
            seen += count;
            assert_true(seen == length || expected[seen].tick > tick);
        }
        assert_int_equal(queue_length(queue), length - seen);
    }
    struct event event;
    int64_t tick;
    const struct event *due;
    assert_false(queue_pop(queue, &event));
    assert_false(queue_peek(queue, &tick));
    assert_int_equal(queue_take(queue, &due, NULL), 0);
    queue_free(queue);
    free(expected);
}

static void test_drain(void **state)
{
    (void)state;
    for (int distribution = 0; distribution < DISTRIBUTIONS; distribution++)
        for (int pop = 0; pop < 2; pop++) {
            for (size_t length = 1; length < 200; length += 7)
                drain_in_order((enum distribution)distribution, length, pop != 0);
            drain_in_order((enum distribution)distribution, 200000, pop != 0);
        }
}

/* The model for interleaved use: a binary heap keyed by (tick, order, sequence). */
struct model {
    struct event *events;
    size_t length;
};

static void model_push(struct model *model, struct event event)
{
    size_t hole = model->length++;
    for (; hole > 0 && compare_events(&event, &model->events[(hole - 1) / 2]) < 0;
         hole = (hole - 1) / 2)
        model->events[hole] = model->events[(hole - 1) / 2];
    model->events[hole] = event;
}

static struct event model_pop(struct model *model)
{
    struct event first = model->events[0], last = model->events[--model->length];
    size_t hole = 0;
    for (size_t child; (child = 2 * hole + 1) < model->length; hole = child) {
        if (child + 1 < model->length &&
            compare_events(&model->events[child + 1], &model->events[child]) < 0)
            child++;
        if (compare_events(&last, &model->events[child]) <= 0)
            break;
        model->events[hole] = model->events[child];
    }
    model->events[hole] = last;
    return first;
}

/* Pushes, takes, pops and peeks at random; the queue wanders about `target`. */
static void interleave(enum distribution distribution, size_t operations, size_t target,
                       int take_percent)
{
    int64_t present = distribution == FAR ? -(INT64_C(1) << 62) : -12345;
    struct queue *queue = queue_new(present);
    struct model model = {malloc((operations + 1) * sizeof *model.events), 0};
    assert_non_null(queue);
    assert_non_null(model.events);
    for (size_t i = 0; i < operations; i++) {
        if (random_below(2 * target) >= model.length) {
            int64_t from = random_below(8) == 0 ? 0 : random_increment(distribution);
            struct event event = random_event(present, distribution, i);
            if (from == 0)
                event.tick = present;
            model_push(&model, event);
            assert_true(queue_push(queue, event, NULL));
        } else if (model.length > 0 && (int)random_below(100) < take_percent) {
            const struct event *due;
            size_t count = queue_take(queue, &due, NULL);
            present = model.events[0].tick;
            for (size_t k = 0; k < count; k++) {
                assert_event(due[k], model_pop(&model));
                assert_int_equal(due[k].tick, present);
            }
            assert_true(model.length == 0 || model.events[0].tick > present);
        } else if (model.length > 0) {
            int64_t tick;
            assert_true(queue_peek(queue, &tick));
            assert_int_equal(tick, model.events[0].tick);
            struct event event;
            assert_true(queue_pop(queue, &event));
            assert_event(event, model_pop(&model));
            present = event.tick;
        }
        assert_int_equal(queue_length(queue), model.length);
    }
    queue_free(queue);
    free(model.events);
}

static void test_interleaved(void **state)
{
    (void)state;
    static const size_t targets[] = {1, 5, 40, 130, 3000};
    static const int take_percents[] = {0, 5, 100};
    for (int distribution = 0; distribution < DISTRIBUTIONS; distribution++)
        for (size_t t = 0; t < sizeof targets / sizeof targets[0]; t++)
            for (size_t p = 0; p < sizeof take_percents / sizeof take_percents[0]; p++)
                interleave((enum distribution)distribution, 40000, targets[t], take_percents[p]);
}

/* The scale of increments changes again and again while the queue runs, from many events a tick to
 * ticks far apart and back, so that its levels are cut anew; one event stands far behind all others. */
static void test_scales(void **state)
{
    (void)state;
    enum { LENGTH = 3000, HOLDS = 20000 };
    static const int64_t scales[] = {20, INT64_C(1) << 40, 1, 1000000, 300, INT64_C(1) << 45, 7};
    int64_t present = -(INT64_C(1) << 62);
    struct queue *queue = queue_new(present);
    struct model model = {malloc((LENGTH + 2) * sizeof *model.events), 0};
    assert_non_null(queue);
    assert_non_null(model.events);
    struct event far = {INT64_MAX, 0, 0};
    model_push(&model, far);
    assert_true(queue_push(queue, far, NULL));
    uint32_t sequence = 1;
    for (size_t s = 0; s < sizeof scales / sizeof scales[0]; s++)
        for (int hold = 0; hold < HOLDS; hold++) {
            struct event event;
            if (model.length > LENGTH) {
                assert_true(queue_pop(queue, &event));
                assert_event(event, model_pop(&model));
                present = event.tick;
            }
            event = (struct event){present + (int64_t)random_below((uint64_t)scales[s]),
                                   (uint32_t)random_below(3), sequence++};
            model_push(&model, event);
            assert_true(queue_push(queue, event, NULL));
        }
    while (model.length > 0) {
        struct event event;
        assert_true(queue_pop(queue, &event));
        assert_event(event, model_pop(&model));
    }
    assert_int_equal(queue_length(queue), 0);
    queue_free(queue);
    free(model.events);
}

/* Up to the last tick of time, from many levels' last digits. */
static void test_end_of_time(void **state)
{
    (void)state;
    enum { LENGTH = 2000, HOLDS = 30000 };
    struct queue *queue = queue_new(INT64_MAX - 4000000);
    struct model model = {malloc((LENGTH + 2) * sizeof *model.events), 0};
    assert_non_null(queue);
    assert_non_null(model.events);
    int64_t present = INT64_MAX - 4000000;
    for (uint32_t i = 0; i < LENGTH + HOLDS; i++) {
        struct event event;
        if (i >= LENGTH) {
            assert_true(queue_pop(queue, &event));
            assert_event(event, model_pop(&model));
            present = event.tick;
        }
        int64_t left = INT64_MAX - present, ahead = (int64_t)random_below(800000);
        event = (struct event){present + (ahead < left ? ahead : left), 0, i};
        model_push(&model, event);
        assert_true(queue_push(queue, event, NULL));
    }
    assert_int_equal(present, INT64_MAX);
    queue_free(queue);
    free(model.events);
}

/* A few events of one tick are sorted at the front; after some are popped, hundreds more of that tick
 * and of later ones are pushed, more than the front holds. */
static void test_crowded_present(void **state)
{
    (void)state;
    for (uint32_t popped = 1; popped < 20; popped++) {
        struct queue *queue = queue_new(0);
        struct event events[1000], event;
        struct model model = {events, 0};
        uint32_t sequence = 0;
        assert_non_null(queue);
        for (; sequence < 500; sequence++) {
            for (uint32_t i = 0; sequence == 20 && i < popped; i++) {
                assert_true(queue_pop(queue, &event));
                assert_event(event, model_pop(&model));
            }
            int64_t later = sequence >= 20 && random_below(4) == 0 ? 1 : 0;
            event = (struct event){10 + later, (uint32_t)random_below(50), sequence};
            model_push(&model, event);
            assert_true(queue_push(queue, event, NULL));
        }
        while (model.length > 0) {
            assert_true(queue_pop(queue, &event));
            assert_event(event, model_pop(&model));
        }
        queue_free(queue);
    }
}

/* A look moves no time and stays right while earlier events are pushed. */
static void test_look(void **state)
{
    (void)state;
    struct queue *queue = queue_new(0);
    assert_non_null(queue);
    int64_t tick, earliest = INT64_C(1) << 50;
    for (uint32_t i = 0; i < 5000; i++) {
        int64_t pushed = i % 7 == 0 ? earliest - 1000 : earliest + (int64_t)random_below(1 << 20);
        earliest = pushed < earliest ? pushed : earliest;
        assert_true(queue_push(queue, (struct event){pushed, 0, i}, NULL));
        assert_true(queue_peek(queue, &tick));
        assert_int_equal(tick, earliest);
    }
    assert_true(queue_push(queue, (struct event){0, 0, 0}, NULL));
    assert_true(queue_peek(queue, &tick));
    assert_int_equal(tick, 0);
    queue_free(queue);
}

static void test_extremes(void **state)
{
    (void)state;
    struct queue *queue = queue_new(INT64_MIN);
    assert_non_null(queue);
    const int64_t ticks[] = {INT64_MAX, INT64_MIN, 0, -1, 1, INT64_MAX, INT64_MIN + 1,
                             INT64_MAX - 1, INT64_MIN, 0};
    enum { LENGTH = sizeof ticks / sizeof ticks[0] };
    struct event expected[LENGTH];
    for (uint32_t i = 0; i < LENGTH; i++) {
        expected[i] = (struct event){ticks[i], 7, i};
        assert_true(queue_push(queue, expected[i], NULL));
    }
    qsort(expected, LENGTH, sizeof *expected, compare_events);
    for (int i = 0; i < LENGTH; i++) {
        struct event event;
        assert_true(queue_pop(queue, &event));
        assert_event(event, expected[i]);
    }
    /* Many at the very end of time, past what the front holds. */
    for (uint32_t i = 0; i < 1000; i++)
        assert_true(queue_push(queue, (struct event){INT64_MAX, i % 5, i}, NULL));
    const struct event *due;
    assert_int_equal(queue_take(queue, &due, NULL), 1000);
    for (uint32_t i = 1; i < 1000; i++)
        assert_true(compare_events(&due[i - 1], &due[i]) < 0);
    queue_free(queue);
}

/* Thousands of pushes just after the present, each earlier than the last: the
 * front must give way to the buckets and back. */
static void test_descending(void **state)
{
    (void)state;
    struct queue *queue = queue_new(0);
    assert_non_null(queue);
    const int64_t last = 1000009;
    size_t pushed = 0, popped = 0;
    for (int64_t tick = last; tick > 0; tick -= 7, pushed++)
        assert_true(queue_push(queue, (struct event){tick, 0, 0}, NULL));
    struct event event;
    int64_t before = 0;
    while (queue_pop(queue, &event)) {
        popped++;
        assert_true(event.tick >= before);
        before = event.tick;
        if (event.payload == 0 && event.tick % 1000 == 0)
            for (int64_t ahead = 300; ahead > 0; ahead--, pushed++)
                assert_true(queue_push(queue, (struct event){event.tick + ahead, 0, 1}, NULL));
    }
    assert_int_equal(before, last);
    assert_int_equal(popped, pushed);
    assert_true(pushed > 170000);
    queue_free(queue);
}

static void test_due_survives_pushes(void **state)
{
    (void)state;
    struct queue *queue = queue_new(10);
    assert_non_null(queue);
    for (uint32_t i = 0; i < 100; i++)
        assert_true(queue_push(queue, (struct event){10, 99 - i, i}, NULL));
    const struct event *due;
    assert_int_equal(queue_take(queue, &due, NULL), 100);
    for (uint32_t i = 0; i < 5000; i++)
        assert_true(queue_push(queue, (struct event){10 + i % 3, i, i}, NULL));
    for (uint32_t i = 0; i < 100; i++)
        assert_event(due[i], (struct event){10, i, 99 - i});
    assert_int_equal(queue_take(queue, &due, NULL), 1667); /* those at the present tick */
    queue_free(queue);
}

static void test_past_refused(void **state)
{
    (void)state;
    struct error error = {0};
    struct queue *queue = queue_new(-3);
    assert_non_null(queue);
    assert_false(queue_push(queue, (struct event){-4, 0, 0}, &error));
    assert_int_equal(error.code, ERROR_FAILED);
    assert_non_null(strstr(error.text, "-4"));
    assert_non_null(strstr(error.text, "-3"));
    assert_true(queue_push(queue, (struct event){8, 0, 0}, NULL));
    int64_t tick;
    assert_true(queue_peek(queue, &tick));
    assert_true(queue_push(queue, (struct event){-3, 0, 1}, NULL)); /* a look moves no time */
    struct event event;
    assert_true(queue_pop(queue, &event));
    assert_int_equal(event.payload, 1);
    assert_true(queue_pop(queue, &event));
    assert_false(queue_push(queue, (struct event){7, 0, 0}, NULL));
    assert_int_equal(queue_length(queue), 0);
    assert_true(queue_push(queue, (struct event){8, 0, 0}, NULL));
    queue_free(queue);
}

static void test_clear(void **state)
{
    (void)state;
    struct queue *queue = queue_new(0);
    assert_non_null(queue);
    struct event event;
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 1000; i++)
            assert_true(queue_push(queue, random_event(0, FAR, i), NULL));
        for (uint32_t i = 0; i < 100; i++)
            assert_true(queue_pop(queue, &event));
        queue_clear(queue, -50);
        assert_int_equal(queue_length(queue), 0);
        assert_false(queue_pop(queue, &event));
        assert_true(queue_push(queue, (struct event){-50, 0, 3}, NULL));
        assert_true(queue_pop(queue, &event));
        assert_int_equal(event.payload, 3);
        queue_clear(queue, 0);
    }
    queue_free(queue);
    queue_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drain),         cmocka_unit_test(test_interleaved),
        cmocka_unit_test(test_extremes),      cmocka_unit_test(test_descending),
        cmocka_unit_test(test_past_refused),  cmocka_unit_test(test_due_survives_pushes),
        cmocka_unit_test(test_clear),         cmocka_unit_test(test_scales),
        cmocka_unit_test(test_end_of_time),   cmocka_unit_test(test_look),
        cmocka_unit_test(test_crowded_present),
    };
    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
