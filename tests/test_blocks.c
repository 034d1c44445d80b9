/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Active memory blocks against patterns that can be counted on fingers, and against a second count
 * that keeps every vector whole. The spikes come from a list in this file, not from a trace.
 */
#include "traces/energy/blocks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- spikes of a run that was never traced ---- */

enum { NEURONS = 53, VECTORS = 40, MOST = 4 * VECTORS };

static struct load_volley volleys[MOST];
static size_t volley_count;
static size_t fail_at; /* a broken trace: SIZE_MAX, never */

bool load_vectors(const struct load *load, load_visitor *visit, void *self, struct error *error)
{
    if (!load->has_spikes)
        return error_set(error, ERROR_MISUSED, "no spikes");
    for (size_t i = 0; i < volley_count; i++)
        if (i == fail_at)
            return error_set(error, ERROR_FAILED, "broken at %zu", i);
        else if (!visit(self, &volleys[i], error))
            return false;
    return true;
}

bool load_volleys(const struct load *load, load_visitor *visit, void *self, struct error *error)
{
    return load_vectors(load, visit, self, error);
}

static void set_volleys(const struct load_volley *list, size_t count)
{
    memcpy(volleys, list, count * sizeof *list);
    volley_count = count;
    fail_at = SIZE_MAX;
}

static struct load load_of(struct load_population *populations, uint32_t count, uint64_t positions,
                           uint64_t ticks, bool clocked)
{
    return (struct load){.positions = positions,
                         .ticks = ticks,
                         .clocked = clocked,
                         .has_spikes = true,
                         .populations = populations,
                         .population_count = count};
}

static struct load_population spiking(uint32_t neurons, bool clocked)
{
    static char name[] = "layer";
    return (struct load_population){
        .name = name, .neurons = neurons, .spiking = true, .clocked = clocked};
}

static struct blocks *count(const struct load *load, uint32_t width, bool by_activity)
{
    struct error error = {0};
    struct blocks *blocks = blocks_count(load, &width, 1, by_activity, &error);
    if (blocks == NULL)
        fail_msg("%s", error.text);
    return blocks;
}

static void assert_halves(const struct blocks *blocks, enum block_order order, uint64_t first,
                          uint64_t second)
{
    assert_int_equal(blocks_in_half(blocks, 0, 0, order, 0), first);
    assert_int_equal(blocks_in_half(blocks, 0, 0, order, 1), second);
    assert_int_equal(blocks_in_run(blocks, 0, 0, order), first + second);
}

/* ---- by hand ---- */

#define VOLLEY(position_, tick_, ...)                                                              \
    {.tick = (tick_), .position = (position_),                                                     \
     .length = sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t),                               \
     .neurons = (const uint32_t[]){__VA_ARGS__}}

/* Every other channel fires in every vector: side by side they fill half as many blocks. */
static void sorting_halves_what_alternates(void **state)
{
    (void)state;
    struct load_population population = spiking(8, false);
    struct load load = load_of(&population, 1, 4, 12, false);
    const struct load_volley list[] = {VOLLEY(0, 0, 0, 2, 4, 6), VOLLEY(1, 3, 0, 2, 4, 6),
                                       VOLLEY(2, 6, 0, 2, 4, 6), VOLLEY(3, 9, 0, 2, 4, 6)};
    set_volleys(list, 4);
    struct blocks *blocks = count(&load, 2, true);
    assert_halves(blocks, ORDER_NATURAL, 8, 8);
    assert_halves(blocks, ORDER_IN_SAMPLE, 4, 4);
    assert_halves(blocks, ORDER_HELD_OUT, 4, 4);
    blocks_free(blocks);
}

/* The halves differ. First: 0 1, 0 1. Second: 0 2, 0 2. In the whole run 0 leads, and 1 and 2 tie,
 * so that the order learnt is the natural one; the second half learns 0 2 1 3. */
static void held_out_orders_may_lose(void **state)
{
    (void)state;
    struct load_population population = spiking(4, false);
    struct load load = load_of(&population, 1, 4, 4, false);
    const struct load_volley list[] = {VOLLEY(0, 0, 0, 1), VOLLEY(1, 1, 0, 1),
                                       VOLLEY(2, 2, 0, 2), VOLLEY(3, 3, 0, 2)};
    set_volleys(list, 4);
    struct blocks *blocks = count(&load, 2, true);
    assert_halves(blocks, ORDER_NATURAL, 2, 4);
    assert_halves(blocks, ORDER_IN_SAMPLE, 2, 4);
    assert_halves(blocks, ORDER_HELD_OUT, 4, 4);
    blocks_free(blocks);
}

/* In-sample: 3 and 1 fire most, so the order is 3 1 0 2; ties stay in their own order. */
static void most_active_channels_come_first(void **state)
{
    (void)state;
    struct load_population population = spiking(4, false);
    struct load load = load_of(&population, 1, 3, 3, false);
    const struct load_volley list[] = {VOLLEY(0, 0, 1, 3), VOLLEY(1, 1, 0, 3),
                                       VOLLEY(2, 2, 1, 2, 3)};
    set_volleys(list, 3);
    struct blocks *blocks = count(&load, 2, true);
    assert_halves(blocks, ORDER_NATURAL, 2, 4);
    assert_halves(blocks, ORDER_IN_SAMPLE, 1, 4);
    /* the first learns 1 3 0 2, which gives 2 and 2; the second 3 0 1 2, which gives 2 */
    assert_halves(blocks, ORDER_HELD_OUT, 2, 4);
    blocks_free(blocks);
}

/* One position: nothing to learn from, so the order held out is the natural one. */
static void one_position_teaches_nothing(void **state)
{
    (void)state;
    struct load_population population = spiking(8, false);
    struct load load = load_of(&population, 1, 1, 3, false);
    const struct load_volley list[] = {VOLLEY(0, 0, 1, 4, 7)};
    set_volleys(list, 1);
    struct blocks *blocks = count(&load, 4, true);
    assert_halves(blocks, ORDER_NATURAL, 0, 2);
    assert_halves(blocks, ORDER_IN_SAMPLE, 0, 1);
    assert_halves(blocks, ORDER_HELD_OUT, 0, 2);
    blocks_free(blocks);
}

/* A spiking network: every tick is a vector; with one sample the halves are of ticks, with several
 * of samples. A tick in several volleys is one vector, and a last block may be short. */
static void ticks_are_vectors(void **state)
{
    (void)state;
    struct load_population population = spiking(7, true);
    const struct load_volley list[] = {VOLLEY(0, 0, 0, 1), VOLLEY(0, 0, 2, 6), VOLLEY(0, 1, 0),
                                       VOLLEY(0, 7, 5, 6), VOLLEY(1, 9, 3)};
    set_volleys(list, 5);
    for (uint64_t positions = 0; positions <= 2; positions++) {
        struct load load = load_of(&population, 1, positions, 10, true);
        struct blocks *blocks = count(&load, 3, false);
        if (positions == 2)
            assert_halves(blocks, ORDER_NATURAL, 2 + 1 + 2, 1);
        else
            assert_halves(blocks, ORDER_NATURAL, 2 + 1, 2 + 1);
        blocks_free(blocks);
    }
}

/* Two populations, three widths at once, one of them wider than anything; the values between
 * spiking layers have no spikes and no counters. */
static void populations_and_widths_are_apart(void **state)
{
    (void)state;
    struct load_population populations[] = {spiking(6, false), {.neurons = 6}, spiking(3, false)};
    struct load load = load_of(populations, 3, 2, 8, false);
    struct load_volley list[] = {VOLLEY(0, 0, 0, 5), VOLLEY(0, 2, 1), VOLLEY(1, 4, 2, 3)};
    list[1].population = 2;
    set_volleys(list, 3);
    const uint32_t widths[] = {1, 4, UINT32_MAX};
    struct error error = {0};
    struct blocks *blocks = blocks_count(&load, widths, 3, false, &error);
    assert_non_null(blocks);
    static const uint64_t expected[3][3] = {{4, 3, 2}, {0, 0, 0}, {1, 1, 1}};
    for (uint32_t p = 0; p < 3; p++)
        for (uint32_t w = 0; w < 3; w++)
            assert_int_equal(blocks_in_run(blocks, p, w, ORDER_NATURAL), expected[p][w]);
    blocks_free(blocks);
}

/* ---- against a second count ---- */

static uint64_t random_state = UINT64_C(88172645463325252);

static uint32_t random_number(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state * UINT64_C(0x2545f4914f6cdd1d)) >> 32) % limit;
}

static bool fired[VECTORS][NEURONS];

/* Channels by how often they fired in vectors begin … end-1, by selection. */
static void learn(uint32_t begin, uint32_t end, uint32_t order[NEURONS])
{
    bool taken[NEURONS] = {false};
    for (uint32_t place = 0; place < NEURONS; place++) {
        uint32_t best = NEURONS, most = 0;
        for (uint32_t n = 0; n < NEURONS; n++) {
            uint32_t times = 0;
            for (uint32_t v = begin; v < end; v++)
                times += fired[v][n];
            if (!taken[n] && (best == NEURONS || times > most)) {
                best = n;
                most = times;
            }
        }
        taken[best] = true;
        order[place] = best;
    }
}

static uint64_t judge(uint32_t begin, uint32_t end, const uint32_t order[NEURONS], uint32_t width)
{
    uint64_t active = 0;
    for (uint32_t v = begin; v < end; v++)
        for (uint32_t first = 0; first < NEURONS; first += width) {
            bool any = false;
            for (uint32_t i = first; i < first + width && i < NEURONS; i++)
                any |= fired[v][order[i]];
            active += any;
        }
    return active;
}

static void random_spikes(uint32_t neurons[MOST][NEURONS], struct load_volley *list, size_t *length)
{
    uint32_t often[NEURONS];
    for (uint32_t n = 0; n < NEURONS; n++)
        often[n] = 1 + random_number(12);
    *length = 0;
    for (uint32_t v = 0; v < VECTORS; v++) {
        for (uint32_t n = 0; n < NEURONS; n++)
            fired[v][n] = random_number(often[n]) == 0;
        uint32_t parts = 1 + random_number(3); /* a tick of many events: some fire twice */
        for (uint32_t part = 0; part < parts; part++) {
            struct load_volley *volley = &list[*length];
            *volley = (struct load_volley){.tick = v, .position = v, .neurons = neurons[*length]};
            for (uint32_t n = 0; n < NEURONS; n++)
                if (fired[v][n] && (n % parts == part || random_number(4) == 0))
                    neurons[*length][volley->length++] = n;
            ++*length;
        }
    }
}

static void random_patterns(void **state)
{
    (void)state;
    static uint32_t neurons[MOST][NEURONS];
    static struct load_volley list[MOST];
    for (uint32_t round = 0; round < 60; round++) {
        size_t length;
        random_spikes(neurons, list, &length);
        set_volleys(list, length);
        bool clocked = round % 2 == 0; /* round % 4 == 0: without samples */
        struct load_population population = spiking(NEURONS, clocked);
        struct load load =
            load_of(&population, 1, round % 4 == 0 ? 0 : VECTORS, VECTORS, clocked);
        uint32_t width = 1 + random_number(NEURONS + 4), half = VECTORS / 2;
        struct blocks *blocks = count(&load, width, true);
        uint32_t natural[NEURONS], whole[NEURONS], first[NEURONS], second[NEURONS];
        for (uint32_t n = 0; n < NEURONS; n++)
            natural[n] = n;
        learn(0, VECTORS, whole);
        learn(0, half, first);
        learn(half, VECTORS, second);
        assert_halves(blocks, ORDER_NATURAL, judge(0, half, natural, width),
                      judge(half, VECTORS, natural, width));
        assert_halves(blocks, ORDER_IN_SAMPLE, judge(0, half, whole, width),
                      judge(half, VECTORS, whole, width));
        assert_halves(blocks, ORDER_HELD_OUT, judge(0, half, second, width),
                      judge(half, VECTORS, first, width));
        blocks_free(blocks);
        blocks = count(&load, width, false); /* the same without the other orders */
        assert_halves(blocks, ORDER_NATURAL, judge(0, half, natural, width),
                      judge(half, VECTORS, natural, width));
        blocks_free(blocks);
    }
}

/* ---- what cannot be counted ---- */

static void assert_refused(const struct load *load, bool by_activity, const char *sentence)
{
    struct error error = {0};
    uint32_t width = 2;
    assert_null(blocks_count(load, &width, 1, by_activity, &error));
    if (strstr(error.text, sentence) == NULL)
        fail_msg("'%s' does not hold '%s'", error.text, sentence);
}

static void broken_traces_are_refused(void **state)
{
    (void)state;
    struct load_population population = spiking(4, false);
    struct load load = load_of(&population, 1, 2, 2, false);
    struct load_volley list[] = {VOLLEY(0, 0, 1), VOLLEY(1, 1, 4)};
    for (int by_activity = 0; by_activity < 2; by_activity++) {
        list[1].population = 0;
        set_volleys(list, 2);
        assert_refused(&load, by_activity, "neuron 4 of population layer fired, which has 4");
        list[1].population = 1;
        set_volleys(list, 2);
        assert_refused(&load, by_activity, "population 1, and there are 1");
        fail_at = 1;
        assert_refused(&load, by_activity, "broken at 1");
        load.has_spikes = false;
        assert_refused(&load, by_activity, "no spikes");
        load.has_spikes = true;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorting_halves_what_alternates),
        cmocka_unit_test(held_out_orders_may_lose),
        cmocka_unit_test(most_active_channels_come_first),
        cmocka_unit_test(one_position_teaches_nothing),
        cmocka_unit_test(ticks_are_vectors),
        cmocka_unit_test(populations_and_widths_are_apart),
        cmocka_unit_test(random_patterns),
        cmocka_unit_test(broken_traces_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
