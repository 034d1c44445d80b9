/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ring between the observers and the writer: nothing is lost, changed or put out of order. */
#include "traces/ring.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { RECORDS = 50000, LARGEST = 200 };

static size_t length_of(uint32_t record)
{
    return record * UINT32_C(2654435761) % (LARGEST + 1);
}

struct taken {
    struct ring *ring;
    uint32_t records, wrong, until;
};

static void *take(void *argument)
{
    struct taken *taken = argument;
    while (taken->records < taken->until && ring_wait(taken->ring, 5)) {
        const unsigned char *bytes;
        size_t length;
        while ((bytes = ring_first(taken->ring, &length)) != NULL) {
            taken->wrong += length != length_of(taken->records);
            for (size_t i = 0; i < length; i++)
                taken->wrong += bytes[i] != (unsigned char)(taken->records + i);
            taken->records++;
            ring_drop(taken->ring);
        }
    }
    if (taken->records >= taken->until)
        ring_break(taken->ring);
    return NULL;
}

/* Puts records until the taking side gives up; returns how many there was room for. */
static uint32_t put(struct ring *ring, uint32_t records)
{
    for (uint32_t record = 0; record < records; record++) {
        size_t length = length_of(record);
        unsigned char *bytes = ring_room(ring, length);
        if (bytes == NULL)
            return record;
        for (size_t i = 0; i < length; i++)
            bytes[i] = (unsigned char)(record + i);
        ring_put(ring, length);
    }
    return records;
}

static void all_arrives_in_order(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 2003, 1 << 20};
    for (int i = 0; i < 3; i++) {
        struct taken taken = {.ring = ring_new(sizes[i], LARGEST), .until = UINT32_MAX};
        pthread_t thread;
        assert_non_null(taken.ring);
        assert_int_equal(pthread_create(&thread, NULL, take, &taken), 0);
        assert_int_equal(put(taken.ring, RECORDS), RECORDS);
        ring_finish(taken.ring);
        pthread_join(thread, NULL);
        assert_int_equal(taken.records, RECORDS);
        assert_int_equal(taken.wrong, 0);
        assert_false(ring_broken(taken.ring));
        ring_free(taken.ring);
    }
}

/* Whoever waits for room is told when there will be none. */
static void giving_up_ends_the_wait(void **state)
{
    (void)state;
    struct taken taken = {.ring = ring_new(0, LARGEST), .until = 1000};
    pthread_t thread;
    assert_non_null(taken.ring);
    assert_int_equal(pthread_create(&thread, NULL, take, &taken), 0);
    assert_in_range(put(taken.ring, RECORDS), 1000, RECORDS - 1);
    pthread_join(thread, NULL);
    assert_true(ring_broken(taken.ring));
    assert_null(ring_room(taken.ring, 1));
    ring_free(taken.ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_arrives_in_order),
        cmocka_unit_test(giving_up_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
