/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Records lie one behind the other, each behind a word with its length, all
 * at multiples of 8:
 *
 *     | length | bytes … | length | bytes … |  free  … | SKIP |  (unused)  |
 *
 * A record that does not fit before the end starts at the beginning; the word
 * SKIP says so. `put` and `taken` count bytes since the start and never wrap.
 *
 * Invariant: taken <= put <= taken + size, and no record is longer than an
 * eighth of the ring, so that room is sure to come when enough was taken, and
 * a ring too full for the next record is worth taking from.
 */
#include "traces/ring.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static const uint64_t SKIP = UINT64_MAX;
enum { WORD = sizeof(uint64_t) };

struct ring {
    uint64_t *words; /* [size / WORD] */
    uint64_t size;   /* bytes */
    uint64_t put, taken;
    bool finished, broken;
    pthread_mutex_t lock;
    pthread_cond_t filled, emptied;
};

static uint64_t record_size(size_t length)
{
    return WORD + ((uint64_t)length + WORD - 1) / WORD * WORD;
}

struct ring *ring_new(size_t bytes, size_t largest)
{
    struct ring *ring = calloc(1, sizeof *ring);
    if (ring == NULL)
        return NULL;
    ring->size = 8 * record_size(largest);
    if (ring->size < bytes)
        ring->size = (uint64_t)bytes / WORD * WORD;
    ring->words = malloc(ring->size);
    if (ring->words == NULL) {
        free(ring);
        return NULL;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&ring->lock, NULL);
    pthread_cond_init(&ring->filled, &monotonic);
    pthread_cond_init(&ring->emptied, NULL);
    pthread_condattr_destroy(&monotonic);
    return ring;
}

void ring_free(struct ring *ring)
{
    if (ring == NULL)
        return;
    pthread_cond_destroy(&ring->emptied);
    pthread_cond_destroy(&ring->filled);
    pthread_mutex_destroy(&ring->lock);
    free(ring->words);
    free(ring);
}

void *ring_room(struct ring *ring, size_t length)
{
    uint64_t size = record_size(length), at = ring->put % ring->size;
    uint64_t skipped = ring->size - at >= size ? 0 : ring->size - at;
    pthread_mutex_lock(&ring->lock);
    while (!ring->broken && ring->size - (ring->put - ring->taken) < skipped + size)
        pthread_cond_wait(&ring->emptied, &ring->lock);
    bool broken = ring->broken;
    if (!broken && skipped > 0) {
        ring->words[at / WORD] = SKIP;
        ring->put += skipped;
        at = 0;
    }
    pthread_mutex_unlock(&ring->lock);
    if (broken)
        return NULL;
    ring->words[at / WORD] = length;
    return &ring->words[at / WORD + 1];
}

static bool worth_taking(const struct ring *ring)
{
    return ring->put - ring->taken >= ring->size / 4;
}

void ring_put(struct ring *ring, size_t length)
{
    pthread_mutex_lock(&ring->lock);
    bool was_empty = ring->put == ring->taken;
    ring->put += record_size(length);
    if (was_empty || worth_taking(ring))
        pthread_cond_signal(&ring->filled);
    pthread_mutex_unlock(&ring->lock);
}

void ring_finish(struct ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    ring->finished = true;
    pthread_cond_signal(&ring->filled);
    pthread_mutex_unlock(&ring->lock);
}

bool ring_broken(struct ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    bool broken = ring->broken;
    pthread_mutex_unlock(&ring->lock);
    return broken;
}

bool ring_wait(struct ring *ring, unsigned milliseconds)
{
    pthread_mutex_lock(&ring->lock);
    while (ring->put == ring->taken && !ring->finished)
        pthread_cond_wait(&ring->filled, &ring->lock);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(milliseconds % 1000) * 1000000;
    until.tv_sec += (time_t)(milliseconds / 1000) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    int late = 0;
    while (!ring->finished && !worth_taking(ring) && late == 0)
        late = pthread_cond_timedwait(&ring->filled, &ring->lock, &until);
    bool more = ring->put != ring->taken;
    pthread_mutex_unlock(&ring->lock);
    return more;
}

/* Passes over the unused end, with the lock held. */
static uint64_t first_at(struct ring *ring)
{
    uint64_t at = ring->taken % ring->size;
    if (ring->words[at / WORD] == SKIP) {
        ring->taken += ring->size - at;
        at = 0;
    }
    return at;
}

const void *ring_first(struct ring *ring, size_t *length)
{
    const void *record = NULL;
    pthread_mutex_lock(&ring->lock);
    if (ring->put != ring->taken) {
        uint64_t at = first_at(ring);
        if (ring->put != ring->taken) {
            *length = ring->words[at / WORD];
            record = &ring->words[at / WORD + 1];
        }
    }
    pthread_mutex_unlock(&ring->lock);
    return record;
}

void ring_drop(struct ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    uint64_t at = first_at(ring);
    ring->taken += record_size(ring->words[at / WORD]);
    pthread_cond_signal(&ring->emptied);
    pthread_mutex_unlock(&ring->lock);
}

void ring_break(struct ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    ring->broken = true;
    pthread_cond_signal(&ring->emptied);
    pthread_mutex_unlock(&ring->lock);
}
