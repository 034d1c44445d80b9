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

/* The dense form as blob.h states it, number by number. */
static size_t write_by_definition(const int32_t *counts, uint32_t neurons, int32_t zero,
                                  unsigned char *out)
{
    size_t length = 0;
    out[length++] = 1;
    for (int64_t i = -1; i < neurons; i++) {
        uint64_t numbers[2] = {neurons, 0};
        int count = 1;
        if (i >= 0) {
            int32_t value = (int32_t)((uint32_t)counts[i] - (uint32_t)zero);
            numbers[0] = value < 0 ? -2 * (int64_t)value - 1 : 2 * (int64_t)value;
            for (; value == 0 && i + 1 < neurons && counts[i + 1] == zero; i++)
                numbers[1]++;
            count += value == 0;
        }
        for (int j = 0; j < count; j++) {
            for (; numbers[j] >= 128; numbers[j] /= 128)
                out[length++] = (unsigned char)(numbers[j] % 128 + 128);
            out[length++] = (unsigned char)numbers[j];
        }
    }
    return length;
}

/* Silence of every length beside numbers of every length. */
static void dense_by_definition(void **state)
{
    (void)state;
    enum { MOST = 40000 };
    int32_t *counts = malloc(MOST * sizeof *counts);
    unsigned char *bytes = malloc(blob_limit_dense(MOST)), *expected = malloc(5 * MOST + 16);
    struct spike *spikes = malloc(MOST * sizeof *spikes), spike;
    assert_true(counts != NULL && bytes != NULL && expected != NULL && spikes != NULL);
    for (int turn = 0; turn < 600; turn++) {
        uint32_t neurons = random_next() % (turn % 50 == 0 ? MOST : 700);
        uint32_t longest = 1 + random_next() % (turn % 10 == 0 ? 20000 : 200);
        int32_t zero = turn % 3 == 0 ? -(int32_t)(random_next() % 100) : 0;
        int32_t spread = 1 + (int32_t)(random_next() % (turn % 4 == 0 ? 1000000 : 70));
        for (uint32_t i = 0; i < neurons;) {
            uint32_t silent = random_next() % 4 == 0 ? random_next() % longest : random_next() % 2;
            for (; silent > 0 && i < neurons; silent--)
                counts[i++] = zero;
            for (uint32_t loud = random_next() % 90; loud > 0 && i < neurons; loud--)
                counts[i++] = zero + (int32_t)random_next() % spread - spread / 2;
        }
        size_t length = write_by_definition(counts, neurons, zero, expected);
        assert_int_equal(blob_write_dense(counts, neurons, zero, bytes), length);
        assert_memory_equal(bytes, expected, length);

        /* Reading many at once gives what reading one by one does. */
        struct blob_reader one, many;
        uint32_t read, room = 1 + random_next() % 600;
        assert_true(blob_open(&one, bytes, length, NULL) && blob_open(&many, bytes, length, NULL));
        do {
            assert_true(blob_read(&many, spikes, room, &read, NULL));
            for (uint32_t i = 0; i < read; i++) {
                assert_int_equal(blob_next(&one, &spike, NULL), 1);
                assert_memory_equal(&spike, &spikes[i], sizeof spike);
            }
        } while (read == room);
        assert_int_equal(blob_next(&one, &spike, NULL), 0);
    }
    free(counts);
    free(bytes);
    free(expected);
    free(spikes);
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
            struct spike spikes[8];
            uint32_t length;
            assert_true(blob_open(&reader, copy, blobs[i].length, &error));
            assert_false(blob_read(&reader, spikes, 8, &length, &error));
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

/* So many channels that not all steps are unfolded at once. */
static void unfolds_large_volleys(void **state)
{
    (void)state;
    enum { NEURONS = 600000 };
    int32_t *counts = malloc(NEURONS * sizeof *counts);
    struct spike *expected = malloc(NEURONS * sizeof *expected), spike;
    unsigned char *bytes = malloc(blob_limit_dense(NEURONS));
    struct spikes_reader reader = {0};
    assert_true(counts != NULL && expected != NULL && bytes != NULL);
    for (uint32_t i = 0; i < NEURONS; i++)
        counts[i] = (int32_t)random_next() % 5 - 2;
    counts[77] = 40;
    counts[NEURONS - 1] = -3000;
    for (int c = 0; c < 2; c++) {
        const struct coding *coding = coding_find(c == 0 ? "ternary" : "bitwise", NULL);
        struct frame frame = coding_frame(coding, counts, NEURONS);
        size_t length = blob_write_dense(counts, NEURONS, frame.zero, bytes);
        assert_true(spikes_open(&reader, bytes, length, coding->name, frame.ticks, frame.zero,
                                NULL));
        uint32_t step, fired = 0;
        for (uint32_t tick = 0; tick < frame.ticks; tick++) {
            if (tick < 100 || tick == frame.ticks - 1) /* of the last neuron only, in between */
                fired = coding_open(coding, counts, NEURONS, frame, tick, expected);
            for (uint32_t i = 0; i < fired; i++) {
                if (!spikes_next(&reader, &step, &spike) || step != tick ||
                    memcmp(&spike, &expected[i], sizeof spike) != 0)
                    fail_msg("%s: step %u, spike %u", coding->name, tick, i);
            }
        }
        assert_false(spikes_next(&reader, &step, &spike));
    }
    spikes_close(&reader);
    free(counts);
    free(expected);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_round_trip),
        cmocka_unit_test(dense_by_definition),
        cmocka_unit_test(sparse_round_trip),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(unfolds_as_coded),
        cmocka_unit_test(unfolds_large_volleys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
