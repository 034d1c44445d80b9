/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The radix heap that queue.h describes, with digits of DIGIT_BITS bits in
 * place of single bits, so that an event moves down fewer times.
 *
 * Ticks are kept as unsigned keys (the sign bit flipped), so that keys order
 * as ticks do and two keys can be compared digit by digit. The queue is cut by
 * time into parts, from the earliest on:
 *
 *     ready    at the present key; in pushed sequence until a pop sorts it by order
 *     late     at the present key too: pushed out of order after a pop had sorted
 *              `ready`; a binary heap, so that every pop costs at most a logarithm
 *     front    few events sorted by key, present < key <= front_last
 *     buckets  the rest; bucket (level, digit) holds the keys that differ from
 *              `base` first in that level's digit and have that digit there
 *
 * An event is pushed into the part its key belongs to. When the front is used
 * up, the lowest buckets are sorted into it if they are short, and otherwise
 * spread over lower levels. A front that grows too long is put back into
 * buckets. So a push costs at most a short insertion and a few moves, however
 * the ticks are distributed.
 *
 * Main invariant, besides that of queue.h: base <= every key in a bucket, and
 * bucket (level, digit) lies wholly before every bucket of the same level with
 * a higher digit and every bucket of a higher level. An event in `late` was
 * pushed after every event in `ready`, so of equal orders the one in `ready` is
 * first.
 */
#include "scheduler/queue.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    DIGIT_BITS = 5,  /* at most 6: a level's digits are the bits of one word */
    FRONT_FILL = 32, /* events to bring to the front at once */
    DIGITS = 1 << DIGIT_BITS,
    LEVELS = (64 + DIGIT_BITS - 1) / DIGIT_BITS,
    FRONT_SIZE = 4 * FRONT_FILL,
    SMALLEST_CAPACITY = 16,
    SHORT_RUN = 16 /* sorted by insertion */
};

struct events {
    struct event *items; /* [capacity] */
    size_t length;
    size_t capacity;
};

struct bucket {
    struct event *items; /* [capacity] */
    size_t length;
    size_t capacity;
    uint64_t earliest; /* smallest key in the bucket */
};

struct late_event {
    struct event event;
    uint64_t sequence;
};

struct queue {
    uint64_t present;    /* key of the tick last taken, or of the start */
    uint64_t front_last; /* the front covers keys after the present up to here */
    uint64_t base;       /* buckets are numbered by how keys differ from it */
    size_t length;

    uint32_t front_begin; /* front[front_begin … front_end-1] is used */
    uint32_t front_end;
    uint32_t levels;           /* bit l: level l holds events */
    uint64_t occupied[LEVELS]; /* bit d: buckets[l][d] holds events */

    struct events ready;
    size_t ready_begin; /* ready[0 … ready_begin-1] have been popped */
    bool ready_sorted;  /* the rest is sorted by order */

    struct late_event *late; /* [late_capacity], a binary heap */
    size_t late_length;
    size_t late_capacity;
    uint64_t late_sequence;

    struct events due;     /* what queue_take last handed out */
    struct events scratch; /* for sorting */

    struct event front[FRONT_SIZE];
    struct bucket buckets[LEVELS][DIGITS];
};

static inline uint64_t key_of_tick(int64_t tick)
{
    return (uint64_t)tick ^ UINT64_C(1) << 63;
}

static inline int64_t tick_of_key(uint64_t key)
{
    return (int64_t)(key ^ UINT64_C(1) << 63);
}

static size_t capacity_after(size_t capacity)
{
    return capacity < SMALLEST_CAPACITY ? SMALLEST_CAPACITY : capacity * 2;
}

static bool array_grow(void **items, size_t *capacity, size_t wanted, size_t size)
{
    if (wanted <= *capacity)
        return true;
    if (wanted > SIZE_MAX / 2 / size)
        return false;
    void *larger = realloc(*items, wanted * size);
    if (larger == NULL)
        return false;
    *items = larger;
    *capacity = wanted;
    return true;
}

static bool events_reserve(struct events *events, size_t wanted)
{
    void *items = events->items;
    bool grown = array_grow(&items, &events->capacity, wanted, sizeof(struct event));
    events->items = items;
    return grown;
}

static __attribute__((noinline)) bool events_grow(struct events *events)
{
    return events_reserve(events, capacity_after(events->capacity));
}

static __attribute__((noinline)) bool bucket_grow(struct bucket *bucket)
{
    void *items = bucket->items;
    bool grown = array_grow(&items, &bucket->capacity, capacity_after(bucket->capacity),
                            sizeof(struct event));
    bucket->items = items;
    return grown;
}

static inline bool events_append(struct events *events, struct event event)
{
    if (events->length == events->capacity && !events_grow(events))
        return false;
    events->items[events->length++] = event;
    return true;
}

static inline uint32_t level_of_key(const struct queue *queue, uint64_t key)
{
    return (63 - (uint32_t)__builtin_clzll((key ^ queue->base) | 1)) / (uint32_t)DIGIT_BITS;
}

static inline uint32_t digit_of_key(uint64_t key, uint32_t level)
{
    return (uint32_t)(key >> level * DIGIT_BITS) % DIGITS;
}

/* The last key that has the digits of `key` from `level` up. */
static inline uint64_t range_last(uint64_t key, uint32_t level)
{
    return key | ((UINT64_C(1) << level * DIGIT_BITS) - 1);
}

static inline bool bucket_append(struct queue *queue, uint64_t key, struct event event)
{
    uint32_t level = level_of_key(queue, key);
    uint32_t digit = digit_of_key(key, level);
    struct bucket *bucket = &queue->buckets[level][digit];
    if (bucket->length == bucket->capacity && !bucket_grow(bucket))
        return false;
    bucket->items[bucket->length++] = event;
    if (key < bucket->earliest)
        bucket->earliest = key;
    queue->occupied[level] |= UINT64_C(1) << digit;
    queue->levels |= UINT32_C(1) << level;
    return true;
}

static inline void bucket_empty(struct queue *queue, uint32_t level, uint32_t digit)
{
    queue->buckets[level][digit].length = 0;
    queue->buckets[level][digit].earliest = UINT64_MAX;
    queue->occupied[level] &= ~(UINT64_C(1) << digit);
    if (queue->occupied[level] == 0)
        queue->levels &= ~(UINT32_C(1) << level);
}

/* Spreads a bucket over lower levels, which are all empty: beside the bucket's
 * earliest key every key of it differs in a lower digit. If memory runs out the
 * levels are emptied again and nothing has changed. Keys between the present
 * and the new base would have no bucket, so the empty front covers them. */
static bool bucket_spread(struct queue *queue, uint32_t level, uint32_t digit)
{
    const struct bucket *source = &queue->buckets[level][digit];
    const struct event *items = source->items;
    size_t length = source->length;
    uint64_t base_before = queue->base;
    queue->base = source->earliest;
    for (size_t i = 0; i < length; i++) {
        if (bucket_append(queue, key_of_tick(items[i].tick), items[i]))
            continue;
        for (uint32_t below = 0; below < level; below++)
            while (queue->occupied[below] != 0)
                bucket_empty(queue, below, (uint32_t)__builtin_ctzll(queue->occupied[below]));
        queue->base = base_before;
        return false;
    }
    bucket_empty(queue, level, digit);
    queue->front_last = queue->base - 1;
    return true;
}

/* Inserts an event into the front after all that are not later. */
static inline void front_insert(struct queue *queue, struct event event)
{
    struct event *hole = queue->front + queue->front_end++;
    const struct event *first = queue->front + queue->front_begin;
    for (; hole > first && event.tick < hole[-1].tick; hole--)
        *hole = hole[-1];
    *hole = event;
}

/* Puts a front that has grown long back into buckets, which are empty over its
 * range. Fails if memory is short, and leaves things as they were. Where time
 * could not reach the base because memory was short before, it fails too. */
static bool front_spill(struct queue *queue)
{
    if (queue->present < queue->base)
        return false;
    uint64_t base_before = queue->base;
    queue->base = queue->present;
    for (uint32_t i = queue->front_begin; i < queue->front_end; i++) {
        uint64_t key = key_of_tick(queue->front[i].tick);
        if (bucket_append(queue, key, queue->front[i]))
            continue;
        while (i-- > queue->front_begin) {
            key = key_of_tick(queue->front[i].tick);
            uint32_t level = level_of_key(queue, key);
            bucket_empty(queue, level, digit_of_key(key, level));
        }
        queue->base = base_before;
        return false;
    }
    queue->front_begin = 0;
    queue->front_end = 0;
    queue->front_last = queue->present;
    return true;
}

static __attribute__((noinline)) bool front_make_room(struct queue *queue)
{
    if (queue->front_begin < FRONT_SIZE / 2)
        return front_spill(queue);
    queue->front_end -= queue->front_begin;
    memmove(queue->front, queue->front + queue->front_begin,
            queue->front_end * sizeof queue->front[0]);
    queue->front_begin = 0;
    return true;
}

static void ready_empty(struct queue *queue)
{
    queue->ready.length = 0;
    queue->ready_begin = 0;
    queue->ready_sorted = false;
}

static bool nothing_ready(const struct queue *queue)
{
    return queue->ready.length == 0 && queue->late_length == 0;
}

/* With nothing ready and an empty front, brings the earliest events to the
 * front, or to `ready` where many have one tick. */
static bool front_fill(struct queue *queue)
{
    queue->front_begin = 0;
    queue->front_end = 0;
    while (queue->levels != 0) {
        uint32_t level = (uint32_t)__builtin_ctz(queue->levels);
        uint32_t digit = (uint32_t)__builtin_ctzll(queue->occupied[level]);
        struct bucket *bucket = &queue->buckets[level][digit];
        if (queue->front_end + bucket->length > FRONT_FILL) {
            if (queue->front_end > 0)
                break;
            if (level > 0) {
                if (!bucket_spread(queue, level, digit))
                    return false;
                continue;
            }
            struct events swap = queue->ready; /* level 0: all have one tick */
            queue->ready = (struct events){bucket->items, bucket->length, bucket->capacity};
            bucket->items = swap.items;
            bucket->capacity = swap.capacity;
            queue->present = bucket->earliest;
            queue->front_last = bucket->earliest;
            bucket_empty(queue, level, digit);
            return true;
        }
        for (size_t i = 0; i < bucket->length; i++)
            front_insert(queue, bucket->items[i]);
        queue->front_last = range_last(bucket->earliest, level);
        bucket_empty(queue, level, digit);
    }
    return true;
}

/* With nothing ready, moves time to the earliest event and makes `ready` what
 * is due then. Fails if memory is short; the next call tries again. */
static bool time_advance(struct queue *queue)
{
    if (queue->front_begin == queue->front_end) {
        if (!front_fill(queue))
            return false;
        if (queue->ready.length > 0)
            return true;
    }
    const struct event *first = queue->front + queue->front_begin;
    uint32_t length = 1;
    while (queue->front_begin + length < queue->front_end && first[length].tick == first->tick)
        length++;
    if (!events_reserve(&queue->ready, length))
        return false;
    memcpy(queue->ready.items, first, length * sizeof *first);
    queue->ready.length = length;
    queue->front_begin += length;
    queue->present = key_of_tick(first->tick);
    return true;
}

static bool sorted_by_order(const struct event *items, size_t length)
{
    for (size_t i = 1; i < length; i++)
        if (items[i].order < items[i - 1].order)
            return false;
    return true;
}

static void insertion_sort(struct event *items, size_t length)
{
    for (size_t i = 1; i < length; i++) {
        struct event event = items[i];
        size_t hole = i;
        for (; hole > 0 && event.order < items[hole - 1].order; hole--)
            items[hole] = items[hole - 1];
        items[hole] = event;
    }
}

static void merge_runs(const struct event *left, size_t left_length, const struct event *right,
                       size_t right_length, struct event *out)
{
    const struct event *left_end = left + left_length;
    const struct event *right_end = right + right_length;
    while (left < left_end && right < right_end)
        *out++ = right->order < left->order ? *right++ : *left++;
    memcpy(out, left, (size_t)(left_end - left) * sizeof *out);
    memcpy(out + (left_end - left), right, (size_t)(right_end - right) * sizeof *out);
}

/* Sorts by order and keeps the sequence of equals. */
static bool events_sort(struct queue *queue, struct events *events)
{
    size_t length = events->length;
    if (sorted_by_order(events->items, length))
        return true;
    if (length <= 2 * SHORT_RUN) {
        insertion_sort(events->items, length);
        return true;
    }
    if (!events_reserve(&queue->scratch, events->capacity))
        return false;
    for (size_t run = 0; run < length; run += SHORT_RUN)
        insertion_sort(events->items + run, length - run < SHORT_RUN ? length - run : SHORT_RUN);
    struct event *from = events->items, *to = queue->scratch.items;
    for (size_t width = SHORT_RUN; width < length; width *= 2) {
        for (size_t run = 0; run < length; run += 2 * width) {
            size_t left = length - run < width ? length - run : width;
            size_t right = length - run - left < width ? length - run - left : width;
            merge_runs(from + run, left, from + run + left, right, to + run);
        }
        struct event *swap = from;
        from = to;
        to = swap;
    }
    if (from != events->items)
        memcpy(events->items, from, length * sizeof *from);
    return true;
}

static bool late_before(const struct late_event *a, const struct late_event *b)
{
    return a->event.order != b->event.order ? a->event.order < b->event.order
                                            : a->sequence < b->sequence;
}

static bool late_push(struct queue *queue, struct event event)
{
    if (queue->late_length == queue->late_capacity) {
        void *items = queue->late;
        bool grown = array_grow(&items, &queue->late_capacity,
                                capacity_after(queue->late_capacity), sizeof *queue->late);
        queue->late = items;
        if (!grown)
            return false;
    }
    struct late_event late = {event, queue->late_sequence++};
    size_t hole = queue->late_length++;
    for (; hole > 0 && late_before(&late, &queue->late[(hole - 1) / 2]); hole = (hole - 1) / 2)
        queue->late[hole] = queue->late[(hole - 1) / 2];
    queue->late[hole] = late;
    return true;
}

static struct event late_pop(struct queue *queue)
{
    struct event first = queue->late[0].event;
    struct late_event last = queue->late[--queue->late_length];
    size_t hole = 0;
    for (;;) {
        size_t child = 2 * hole + 1;
        if (child >= queue->late_length)
            break;
        if (child + 1 < queue->late_length &&
            late_before(&queue->late[child + 1], &queue->late[child]))
            child++;
        if (!late_before(&queue->late[child], &last))
            break;
        queue->late[hole] = queue->late[child];
        hole = child;
    }
    queue->late[hole] = last;
    return first;
}

/* Adds an event at the present key. Before the first pop any sequence will do;
 * afterwards `ready` must stay sorted. */
static bool present_push(struct queue *queue, struct event event)
{
    const struct events *ready = &queue->ready;
    if (queue->late_length == 0 &&
        (!queue->ready_sorted || event.order >= ready->items[ready->length - 1].order))
        return events_append(&queue->ready, event);
    return late_push(queue, event);
}

/* Joins what is left of `ready` and all of `late` into `ready`. */
static bool late_merge(struct queue *queue)
{
    if (!events_reserve(&queue->scratch,
                        queue->ready.length - queue->ready_begin + queue->late_length))
        return false;
    struct events *merged = &queue->scratch;
    const struct event *rest = queue->ready.items + queue->ready_begin;
    const struct event *end = queue->ready.items + queue->ready.length;
    merged->length = 0;
    while (queue->late_length > 0) {
        uint32_t order = queue->late[0].event.order;
        while (rest < end && rest->order <= order)
            merged->items[merged->length++] = *rest++;
        merged->items[merged->length++] = late_pop(queue);
    }
    while (rest < end)
        merged->items[merged->length++] = *rest++;
    struct events swap = queue->ready;
    queue->ready = queue->scratch;
    queue->scratch = swap;
    queue->ready_begin = 0;
    return true;
}

struct queue *queue_new(int64_t start)
{
    struct queue *queue = calloc(1, sizeof *queue);
    if (queue != NULL)
        queue_clear(queue, start);
    return queue;
}

void queue_free(struct queue *queue)
{
    if (queue == NULL)
        return;
    for (int level = 0; level < LEVELS; level++)
        for (int digit = 0; digit < DIGITS; digit++)
            free(queue->buckets[level][digit].items);
    free(queue->ready.items);
    free(queue->due.items);
    free(queue->scratch.items);
    free(queue->late);
    free(queue);
}

void queue_clear(struct queue *queue, int64_t start)
{
    for (uint32_t level = 0; level < LEVELS; level++)
        for (uint32_t digit = 0; digit < DIGITS; digit++)
            bucket_empty(queue, level, digit);
    queue->present = key_of_tick(start);
    queue->front_last = queue->present;
    queue->base = queue->present;
    queue->length = 0;
    queue->front_begin = 0;
    queue->front_end = 0;
    queue->late_length = 0;
    ready_empty(queue);
}

size_t queue_length(const struct queue *queue)
{
    return queue->length;
}

static __attribute__((noinline, cold)) bool refuse_past(const struct queue *queue, int64_t tick,
                                                        struct error *error)
{
    return error_set(error, ERROR_FAILED,
                     "an event was pushed at tick %" PRId64
                     ", which lies before the present tick %" PRId64,
                     tick, tick_of_key(queue->present));
}

bool queue_push(struct queue *queue, struct event event, struct error *error)
{
    uint64_t key = key_of_tick(event.tick);
    if (key < queue->present)
        return refuse_past(queue, event.tick, error);
    bool filed = true;
    if (key == queue->present) {
        filed = present_push(queue, event);
    } else {
        if (key <= queue->front_last && queue->front_end == FRONT_SIZE)
            filed = front_make_room(queue);
        if (key > queue->front_last)
            filed = filed && bucket_append(queue, key, event);
        else if (filed)
            front_insert(queue, event);
    }
    if (!filed)
        return error_no_memory(error, "the event queue");
    queue->length++;
    return true;
}

bool queue_peek(struct queue *queue, int64_t *tick)
{
    if (queue->length == 0)
        return false;
    if (!nothing_ready(queue)) {
        *tick = tick_of_key(queue->present);
    } else if (queue->front_begin < queue->front_end) {
        *tick = queue->front[queue->front_begin].tick;
    } else {
        int level = __builtin_ctz(queue->levels);
        int digit = __builtin_ctzll(queue->occupied[level]);
        *tick = tick_of_key(queue->buckets[level][digit].earliest);
    }
    return true;
}

size_t queue_take(struct queue *queue, const struct event **due, struct error *error)
{
    if (queue->length == 0)
        return 0;
    bool taken = !nothing_ready(queue) || time_advance(queue);
    if (taken && queue->late_length > 0)
        taken = late_merge(queue);
    else if (taken && !queue->ready_sorted)
        taken = events_sort(queue, &queue->ready);
    if (!taken) {
        error_no_memory(error, "the event queue");
        return 0;
    }
    struct events swap = queue->due;
    queue->due = queue->ready;
    queue->ready = swap;
    size_t length = queue->due.length - queue->ready_begin;
    *due = queue->due.items + queue->ready_begin;
    queue->length -= length;
    ready_empty(queue);
    return length;
}

bool queue_pop(struct queue *queue, struct event *event)
{
    if (queue->length == 0)
        return false;
    if (nothing_ready(queue)) {
        const struct event *next = queue->front + queue->front_begin;
        uint32_t left = queue->front_end - queue->front_begin;
        if (left == 1 || (left > 1 && next[0].tick != next[1].tick)) { /* alone at its tick */
            *event = *next;
            queue->front_begin++;
            queue->present = key_of_tick(next->tick);
            queue->length--;
            return true;
        }
        if (!time_advance(queue))
            return false;
    }
    if (!queue->ready_sorted) {
        if (!events_sort(queue, &queue->ready))
            return false;
        queue->ready_sorted = true;
    }
    const struct event *first = queue->ready.items + queue->ready_begin;
    bool ready_left = queue->ready_begin < queue->ready.length;
    if (queue->late_length > 0 && (!ready_left || queue->late[0].event.order < first->order)) {
        *event = late_pop(queue);
    } else {
        *event = *first;
        queue->ready_begin++;
    }
    queue->length--;
    if (queue->ready_begin == queue->ready.length && queue->late_length == 0)
        ready_empty(queue);
    return true;
}
