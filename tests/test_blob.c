/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The blob form: what is written is read back, and damage is found. */
#include "encoding/coding.h"
#include "traces/blob.h"
#include "traces/spikes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint32_t random_state = 1;

static uint32_t random_next(void)
{
    random_state = random_state * 1664525 + 1013904223;
    return random_state >> 8;
}

static void check_dense(const int32_t *counts, uint32_t neurons, int32_t zero)
{
    unsigned char *bytes = malloc(blob_limit_dense(neurons));
    assert_non_null(bytes);
    size_t length = blob_write_dense(counts, neurons, zero, bytes);
    assert_in_range(length, 1, blob_limit_dense(neurons));
    struct blob_reader reader;
    struct error error = {0};
    struct spike spike;
    assert_true(blob_open(&reader, bytes, length, &error));
    assert_int_equal(reader.neurons, neurons);
    for (uint32_t i = 0; i < neurons; i++) {
        if (counts[i] == zero)
            continue;
        assert_int_equal(blob_next(&reader, &spike, &error), 1);
        assert_int_equal(spike.neuron, i);
        assert_int_equal((uint32_t)spike.payload + (uint32_t)zero, (uint32_t)counts[i]);
    }
    assert_int_equal(blob_next(&reader, &spike, &error), 0);
    assert_int_equal(error.code, ERROR_NONE);
    /* Whatever is cut off is missed. */
    for (size_t cut = 0; cut < length && length < 300; cut++) {
        error = (struct error){0};
        bool good = blob_open(&reader, bytes, cut, &error);
        int got = 1;
        while (good && (got = blob_next(&reader, &spike, &error)) == 1)
            ;
        assert_true(!good || got == -1);
        assert_int_equal(error.code, ERROR_FAILED);
    }
    free(bytes);
}

static void dense_round_trip(void **state)
{
    (void)state;
    static int32_t counts[3000];
    const int32_t extremes[] = {0, 1, -1, 63, 64, -64, -65, 8191, 8192, INT32_MAX, INT32_MIN};
    check_dense(NULL, 0, 0);
    check_dense(extremes, 11, 0);
    check_dense(extremes, 11, -1);
    check_dense(extremes, 11, INT32_MIN);
    for (uint32_t neurons = 1; neurons < 3000; neurons += 1 + neurons / 3)
        for (uint32_t share = 1; share < 200; share *= 3) {
            for (uint32_t i = 0; i < neurons; i++)
                counts[i] = random_next() % share == 0 ? (int32_t)(random_next() % 41) - 20 : -2;
            check_dense(counts, neurons, 0);
            check_dense(counts, neurons, -2);
        }
}

static void sparse_round_trip(void **state)
{
    (void)state;
    struct spike spikes[200], spike;
    unsigned char bytes[2100];
    for (uint32_t length = 0; length <= 200; length++) {
        uint32_t neuron = random_next() % 3;
        for (uint32_t i = 0; i < length; i++) {
            spikes[i] = (struct spike){neuron, random_next() % 2 ? 1 : -(int32_t)random_next() - 1};
            neuron += 1 + random_next() % (i % 10 == 0 ? 1000000 : 3);
        }
        if (length == 200) {
            spikes[199].neuron = UINT32_MAX;
            spikes[199].payload = INT32_MIN;
        }
        assert_in_range(blob_limit_sparse(length), 0, sizeof bytes);
        size_t written = blob_write_sparse(spikes, length, bytes);
        assert_in_range(written, 2, blob_limit_sparse(length));
        struct blob_reader reader;
        assert_true(blob_open(&reader, bytes, written, NULL));
        for (uint32_t i = 0; i < length; i++) {
            assert_int_equal(blob_next(&reader, &spike, NULL), 1);
            assert_memory_equal(&spike, &spikes[i], sizeof spike);
        }
        assert_int_equal(blob_next(&reader, &spike, NULL), 0);
    }
}

static void damage_is_found(void **state)
{
    (void)state;
    static const struct {
        size_t length;
        unsigned char bytes[12];
    } blobs[] = {
        {0, {0}},                                       /* nothing */
        {2, {3, 1}},                                    /* unknown form */
        {1, {1}},                                       /* no length */
        {6, {1, 0xff, 0xff, 0xff, 0xff, 0x1f}},         /* length of 33 bits */
        {8, {1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 0}}, /* length of six bytes */
        {4, {1, 3, 0, 3}},                              /* run too long */
        {4, {1, 1, 2, 2}},                              /* bytes left over */
        {3, {1, 2, 2}},                                 /* a neuron missing */
        {4, {2, 2, 1, 1}},                              /* too few bytes for the spikes */
        {4, {2, 1, 1, 0}},                              /* a spike without payload */
        {6, {2, 2, 1, 2, 0, 2}},                        /* the same neuron twice */
        {10, {2, 2, 0xff, 0xff, 0xff, 0xff, 0x0f, 2, 1, 2}}, /* a neuron beyond 32 bits */
    };
    for (size_t i = 0; i < sizeof blobs / sizeof *blobs; i++) {
        struct blob_reader reader;
        struct spike spike;
        struct error error = {0};
        int got = 1;
        unsigned char *copy = malloc(blobs[i].length + 1); /* so that reading beyond shows */
        assert_non_null(copy);
        memcpy(copy, blobs[i].bytes, blobs[i].length);
        if (blob_open(&reader, copy, blobs[i].length, &error)) {
            while ((got = blob_next(&reader, &spike, &error)) == 1)
                ;
            assert_int_equal(got, -1);
        }
        assert_int_equal(error.code, ERROR_FAILED);
        free(copy);
    }
}

/* Unfolding a blob gives, tick by tick, what the coding gives. */
static void unfolds_as_coded(void **state)
{
    (void)state;
    enum { NEURONS = 300 };
    int32_t counts[NEURONS];
    struct spike *expected = malloc(NEURONS * sizeof *expected), spike;
    unsigned char *bytes = malloc(blob_limit_dense(NEURONS));
    struct spikes_reader reader = {0};
    size_t codings;
    const struct coding *const *table = coding_table(&codings);
    assert_true(expected != NULL && bytes != NULL);
    for (size_t c = 0; c < codings; c++)
        for (int spread = 1; spread < 3000; spread *= 5) {
            for (uint32_t i = 0; i < NEURONS; i++)
                counts[i] = random_next() % 2 ? 0 : (int32_t)random_next() % spread - spread / 3;
            struct frame frame = coding_frame(table[c], counts, NEURONS);
            size_t length = blob_write_dense(counts, NEURONS, frame.zero, bytes);
            struct error error = {0};
            assert_true(spikes_open(&reader, bytes, length, table[c]->name, frame.ticks,
                                    frame.zero, &error));
            uint64_t total = 0;
            uint32_t step;
            for (uint32_t tick = 0; tick < frame.ticks; tick++) {
                uint32_t fired = coding_open(table[c], counts, NEURONS, frame, tick, expected);
                for (uint32_t i = 0; i < fired; i++) {
                    assert_true(spikes_next(&reader, &step, &spike));
                    assert_int_equal(step, tick);
                    assert_memory_equal(&spike, &expected[i], sizeof spike);
                }
                total += fired;
            }
            assert_false(spikes_next(&reader, &step, &spike));
            assert_int_equal(total, reader.total);
            /* Ticks that the counts do not take, and a zero point above 0, are damage. */
            assert_false(spikes_open(&reader, bytes, length, table[c]->name, frame.ticks + 40,
                                     frame.zero, NULL));
            assert_false(spikes_open(&reader, bytes, length, table[c]->name, frame.ticks, 1,
                                     NULL));
        }
    spikes_close(&reader);
    free(bytes);
    free(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_round_trip),
        cmocka_unit_test(sparse_round_trip),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(unfolds_as_coded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
