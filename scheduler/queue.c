/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The radix heap that queue.h describes. How wide its digits are, and where the lowest begins, is
 * chosen from what is seen, so that an event moves down once or twice.
 *
 * Ticks are kept as unsigned keys (the sign bit flipped), so that keys order as ticks do and two keys
 * can be compared digit by digit. The queue is cut by time into parts, from the earliest on:
 *
 *     ready    at the present key; in pushed sequence until a pop sorts it by order
 *     late     at the present key too: pushed out of order after a pop had sorted `ready`; a binary
 *              heap, so that every pop costs at most a logarithm
 *     front    few events sorted by key, order and sequence, present <= key <= front_last; at the
 *              present key only while `ready` and `late` are empty
 *     buckets  the rest; bucket (level, digit) holds the keys that differ from `base` first in that
 *              level's digit and have that digit there
 *
 * An event is pushed into the part its key belongs to. When the front is used up, the lowest buckets
 * are sorted into it if they are short, and otherwise spread over lower levels. A front that grows
 * too long is put back into buckets. So a push costs at most a short insertion and a few moves,
 * however the ticks are distributed.
 *
 * The layout says which bits of a key are which level's digit:
 *
 *     63                                             0
 *     | fallback …  | main | main | fallback … |
 *                                 ^ fine_shift: buckets of the lowest main level are so wide
 *                                   that they hold one to two events on average
 *
 * The main levels together span a few times the time in which as many events come due as are
 * pending; nearly all events stand there. Fallback levels take what is denser or later. Every so often,
 * after as many events have come due as make the work small beside theirs, the layout is compared with
 * what was seen meanwhile, and all buckets are filled anew if it is off by more than a factor of two.
 * Only speed depends on the layout, never the order of events.
 *
 * A bucket's events stand in chunks of CHUNK_SIZE bytes, which are taken from one store and given back
 * to it at once, so that the memory in use is what is pending and the chunk taken next is one the
 * processor still has at hand. A chunk begins with a link to the bucket's chunk before it. Chunks are
 * aligned to their size: a pointer past a chunk's last event shows it by its low bits, as does NULL.
 *
 * Main invariant, besides that of queue.h: base <= every key in a bucket, and bucket (level, digit)
 * lies wholly before every bucket of the same level with a higher digit and every bucket of a higher
 * level. An event in `late` was pushed after every event in `ready`, so of equal orders the one in
 * `ready` is first.
 */
#include "scheduler/queue.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRONT_FILL = 32, /* events to bring to the front at once */
    FRONT_SIZE = 4 * FRONT_FILL,
    BUCKET_FILL = 8, /* … from a bucket of several ticks: more are spread first */
    FALLBACK_BITS = 6,
    MAIN_BITS = 15, /* of one level, at most */
    MAIN_LEVELS = 4,
    LEVELS = 16,
    SMALL_CHUNK = 32, /* bytes: a link and one event */
    LARGE_CHUNK = 256,
    SLAB_SMALLEST = 4096, /* bytes taken from the system at once */
    SLAB_LARGEST = 1 << 20,
    FINER = 2, /* bits: buckets of the lowest main level are 2 to 4 times shorter than gaps */
    PERIOD_SMALLEST = 1024, /* events between two looks at the layout */
    SMALLEST_CAPACITY = 16,
    SHORT_RUN = 16 /* sorted by insertion */
};

struct events {
    struct event *items; /* [capacity] */
    size_t length;
    size_t capacity;
};

struct chunk {
    struct chunk *before;
    void *unused; /* keeps events aligned to their size */
    struct event items[];
};

struct slab {
    struct slab *before;
    void *memory;
};

/* Chunks of one size. */
struct store {
    struct chunk *spare; /* linked by `before` */
    size_t spare_count;
    size_t slab_size;    /* of the next slab, in bytes */
    uint32_t chunk_size; /* a power of two */
};
enum { SMALL, LARGE, STORES };

/* A bucket: where its next event goes; NULL if it is empty. */
typedef struct event *bucket_end;

struct level {
    bucket_end *buckets; /* [1 << bits] */
    uint64_t *occupied;  /* [(1 << bits) / 64]: bit d % 64 of word d / 64: bucket d holds events */
    uint64_t *summary;   /* likewise: bit w % 64 of word w / 64: occupied[w] is not 0 */
    uint32_t mask;       /* of a digit */
    uint8_t shift;       /* where the digit stands in a key */
    uint8_t store;       /* where its chunks come from */
};

/* How a layout is chosen. */
struct cut {
    uint8_t fine_shift; /* where the lowest main level begins */
    uint8_t main_bits;  /* of all main levels together; 0: there are none */
    bool small;         /* the lowest main level has small chunks */
};

/* A choice of levels with their buckets. */
struct layout {
    struct level levels[LEVELS];
    uint8_t level_of_bit[64]; /* the level whose digit the bit belongs to */
    uint8_t level_count;
    struct cut cut;
    uint32_t bucket_count;
    bucket_end *buckets;    /* [bucket_count]: all levels' */
    uint64_t *occupied;     /* all levels', with their summaries */
};

struct late_event {
    struct event event;
    uint64_t sequence;
};

struct queue {
    uint64_t present;    /* key of the tick last taken, or of the start */
    uint64_t front_last; /* the front covers keys from the present up to here */
    uint64_t base;       /* buckets are numbered by how keys differ from it */
    size_t length;

    uint32_t front_begin; /* front[front_begin … front_end-1] is used */
    uint32_t front_end;
    uint32_t levels; /* bit l: level l holds events */

    struct store stores[STORES];
    struct slab *slabs;

    uint64_t earliest;     /* smallest key in buckets if known, else 0 */
    uint64_t period_start; /* present key when the layout was last looked at … */
    size_t period_filled;  /* … and events that have left the buckets since */

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
    struct layout layout;
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

static inline bool events_append(struct events *events, struct event event)
{
    if (events->length == events->capacity && !events_grow(events))
        return false;
    events->items[events->length++] = event;
    return true;
}

/* ---- chunks */

static bool slab_add(struct queue *queue, struct store *store)
{
    struct slab *slab = malloc(sizeof *slab);
    char *memory = slab != NULL ? aligned_alloc(store->chunk_size, store->slab_size) : NULL;
    if (memory == NULL) {
        free(slab);
        return false;
    }
    *slab = (struct slab){queue->slabs, memory};
    queue->slabs = slab;
    for (size_t at = store->slab_size; at > 0; at -= store->chunk_size) {
        struct chunk *chunk = (struct chunk *)(memory + at - store->chunk_size);
        chunk->before = store->spare;
        store->spare = chunk;
        store->spare_count++;
    }
    if (store->slab_size < SLAB_LARGEST)
        store->slab_size *= 2;
    return true;
}

/* Makes sure that `count` chunks can be taken without fail. */
static __attribute__((noinline)) bool chunks_reserve(struct queue *queue, struct store *store,
                                                     size_t count)
{
    while (store->spare_count < count)
        if (!slab_add(queue, store))
            return false;
    return true;
}

static inline void chunk_give_back(struct store *store, struct chunk *chunk)
{
    chunk->before = store->spare;
    store->spare = chunk;
    store->spare_count++;
}

/* The chunk that holds a bucket's last event. */
static inline struct chunk *chunk_of_end(const struct event *end, const struct store *store)
{
    return (struct chunk *)((uintptr_t)(end - 1) & ~((uintptr_t)store->chunk_size - 1));
}

static inline uint32_t chunk_events(const struct store *store)
{
    return store->chunk_size / (uint32_t)sizeof(struct event) - 1;
}

/* ---- levels and their buckets */

/* Cuts the bits of a key into levels: `main_bits` from `fine_shift` on into few, the others into
 * fallback levels. */
static void layout_cut(struct layout *layout, struct cut cut)
{
    uint32_t fine_shift = cut.fine_shift, main_bits = cut.main_bits;
    uint32_t mains = (main_bits + MAIN_BITS - 1) / MAIN_BITS;
    uint32_t main_end = fine_shift + main_bits;
    layout->cut = cut;
    layout->bucket_count = 0;
    uint32_t level = 0;
    for (uint32_t shift = 0, bits; shift < 64; shift += bits, level++) {
        if (shift >= fine_shift && shift < main_end) {
            bits = (main_end - shift) / mains;
            mains--;
        } else {
            uint32_t end = shift < fine_shift ? fine_shift : 64;
            bits = end - shift < FALLBACK_BITS ? end - shift : FALLBACK_BITS;
        }
        layout->levels[level] = (struct level){.mask = (UINT32_C(1) << bits) - 1,
                                               .shift = (uint8_t)shift,
                                               .store = LARGE};
        if (cut.small && shift == fine_shift)
            layout->levels[level].store = SMALL;
        memset(layout->level_of_bit + shift, (int)level, bits);
        layout->bucket_count += UINT32_C(1) << bits;
    }
    layout->level_count = (uint8_t)level;
}

/* Returns false when memory is short. */
static bool layout_make(struct layout *layout, struct cut cut)
{
    layout_cut(layout, cut);
    layout->buckets = calloc(layout->bucket_count, sizeof *layout->buckets);
    layout->occupied = calloc(layout->bucket_count / 32 + 2 * LEVELS, sizeof *layout->occupied);
    if (layout->buckets == NULL || layout->occupied == NULL) {
        free(layout->buckets);
        free(layout->occupied);
        return false;
    }
    bucket_end *buckets = layout->buckets;
    uint64_t *occupied = layout->occupied;
    for (uint32_t level = 0; level < layout->level_count; level++) {
        struct level *filled = &layout->levels[level];
        filled->buckets = buckets;
        filled->occupied = occupied;
        buckets += filled->mask + 1;
        occupied += filled->mask / 64 + 1;
        filled->summary = occupied;
        occupied += filled->mask / 64 / 64 + 1;
    }
    return true;
}

static void layout_free(struct layout *layout)
{
    free(layout->buckets);
    free(layout->occupied);
}

static inline struct level *level_of_key(struct queue *queue, uint64_t key)
{
    uint32_t bit = 63 - (uint32_t)__builtin_clzll((key ^ queue->base) | 1);
    return &queue->layout.levels[queue->layout.level_of_bit[bit]];
}

/* The last key that has the digits of `key` from `level` up. */
static inline uint64_t range_last(uint64_t key, const struct level *level)
{
    return key | ((UINT64_C(1) << level->shift) - 1);
}

static inline struct store *store_of(struct queue *queue, const struct level *level)
{
    return &queue->stores[level->store];
}

/* Needs a spare chunk where the bucket has no room. */
static inline void level_append(struct queue *queue, struct level *level, uint64_t key,
                                struct event event)
{
    struct store *store = store_of(queue, level);
    uint32_t digit = (uint32_t)(key >> level->shift) & level->mask;
    struct event *end = level->buckets[digit];
    if (((uintptr_t)end & (store->chunk_size - 1)) == 0) {
        struct chunk *chunk = store->spare;
        store->spare = chunk->before;
        store->spare_count--;
        chunk->before = /* NULL where `end` is, without a branch that could be foreseen wrongly */
            (struct chunk *)(((uintptr_t)end - (end != NULL)) & ~((uintptr_t)store->chunk_size - 1));
        end = chunk->items;
        level->occupied[digit / 64] |= UINT64_C(1) << digit % 64;
        level->summary[digit / 64 / 64] |= UINT64_C(1) << digit / 64 % 64;
        queue->levels |= UINT32_C(1) << (level - queue->layout.levels);
    }
    *end = event;
    level->buckets[digit] = end + 1;
}

static inline bool bucket_append(struct queue *queue, uint64_t key, struct event event)
{
    struct level *level = level_of_key(queue, key);
    if (store_of(queue, level)->spare == NULL && !chunks_reserve(queue, store_of(queue, level), 1))
        return false;
    if (key < queue->earliest)
        queue->earliest = key;
    level_append(queue, level, key, event);
    return true;
}

/* The lowest level and bucket that hold events; there must be one. */
static inline struct level *lowest_level(struct queue *queue)
{
    return &queue->layout.levels[__builtin_ctz(queue->levels)];
}

static inline uint32_t lowest_word(const struct level *level)
{
    uint32_t word = 0;
    while (level->summary[word] == 0)
        word++;
    return word * 64 + (uint32_t)__builtin_ctzll(level->summary[word]);
}

static inline uint32_t lowest_digit(const struct level *level)
{
    uint32_t word = lowest_word(level);
    return word * 64 + (uint32_t)__builtin_ctzll(level->occupied[word]);
}

/* Marks that a word of `occupied` has become 0. */
static inline void word_empty(struct queue *queue, struct level *level, uint32_t word)
{
    level->summary[word / 64] &= ~(UINT64_C(1) << word % 64);
    for (uint32_t i = 0; i <= level->mask / 64 / 64; i++)
        if (level->summary[i] != 0)
            return;
    queue->levels &= ~(UINT32_C(1) << (level - queue->layout.levels));
}

/* Marks a bucket empty and returns its newest chunk. */
static inline struct chunk *bucket_detach(struct queue *queue, struct level *level, uint32_t digit)
{
    struct chunk *newest = chunk_of_end(level->buckets[digit], store_of(queue, level));
    level->buckets[digit] = NULL;
    level->occupied[digit / 64] &= ~(UINT64_C(1) << digit % 64);
    if (level->occupied[digit / 64] == 0)
        word_empty(queue, level, digit / 64);
    return newest;
}

static size_t bucket_length(const struct event *end, const struct store *store)
{
    const struct chunk *chunk = chunk_of_end(end, store);
    size_t length = (size_t)(end - chunk->items);
    while ((chunk = chunk->before) != NULL)
        length += chunk_events(store);
    return length;
}

/* Turns a chain from the newest chunk on into one from the oldest on. */
static struct chunk *chain_turn(struct chunk *chunk)
{
    struct chunk *turned = NULL;
    for (struct chunk *before; chunk != NULL; chunk = before) {
        before = chunk->before;
        chunk->before = turned;
        turned = chunk;
    }
    return turned;
}

static void chunk_prefetch(const struct chunk *chunk, const struct store *store)
{
    for (uint32_t byte = 0; chunk != NULL && byte < store->chunk_size; byte += 64)
        __builtin_prefetch((const char *)chunk + byte);
}

/* Puts the `length` events of a chain, oldest chunk first, into the buckets where they belong now;
 * chunks for them are reserved. */
static void chain_append(struct queue *queue, struct store *store, struct chunk *chunk,
                         size_t length)
{
    for (struct chunk *next; length > 0; chunk = next) {
        size_t count = length < chunk_events(store) ? length : chunk_events(store);
        next = chunk->before;
        chunk_prefetch(next, store);
        for (size_t i = 0; i < count; i++) {
            uint64_t key = key_of_tick(chunk->items[i].tick);
            level_append(queue, level_of_key(queue, key), key, chunk->items[i]);
        }
        length -= count;
        chunk_give_back(store, chunk);
    }
}

static uint64_t bucket_earliest(const struct event *end, const struct store *store)
{
    int64_t earliest = INT64_MAX;
    for (const struct chunk *chunk = chunk_of_end(end, store); chunk != NULL;
         chunk = chunk->before) {
        chunk_prefetch(chunk->before, store);
        for (const struct event *event = chunk->items; event < end; event++)
            earliest = event->tick < earliest ? event->tick : earliest;
        end = chunk->before != NULL ? chunk->before->items + chunk_events(store) : NULL;
    }
    return key_of_tick(earliest);
}

/* Spreads a bucket over lower levels, which are all empty: beside the bucket's earliest key every key
 * of it differs in a lower digit. Fails if memory is short; nothing has changed then. Keys between
 * the present and the new base would have no bucket, so the empty front covers them. */
static bool bucket_spread(struct queue *queue, struct level *level, uint32_t digit)
{
    struct store *store = store_of(queue, level);
    size_t length = bucket_length(level->buckets[digit], store);
    size_t below = (size_t)(level->buckets - queue->layout.buckets);
    const struct cut *cut = &queue->layout.cut;
    bool fine = cut->small && level->shift > cut->fine_shift;
    if (!chunks_reserve(queue, &queue->stores[LARGE], (length < below ? length : below) + 1) ||
        (fine && !chunks_reserve(queue, &queue->stores[SMALL], length)))
        return false;
    queue->base = bucket_earliest(level->buckets[digit], store);
    queue->front_last = queue->base - 1;
    chain_append(queue, store, chain_turn(bucket_detach(queue, level, digit)), length);
    return true;
}

/* ---- the layout, chosen from what is seen */

static uint32_t bits_of(uint64_t value)
{
    return value == 0 ? 0 : 64 - (uint32_t)__builtin_clzll(value);
}

/* How many events of a bucket will stand in the level of small chunks, of another layout. */
static size_t bucket_count_small(const struct event *end, const struct store *store,
                                 const struct layout *layout, uint64_t base)
{
    size_t count = 0;
    for (const struct chunk *chunk = chunk_of_end(end, store); chunk != NULL;
         chunk = chunk->before) {
        for (const struct event *event = chunk->items; event < end; event++) {
            uint64_t differing = (key_of_tick(event->tick) ^ base) | 1;
            uint32_t level = layout->level_of_bit[63 - (uint32_t)__builtin_clzll(differing)];
            count += layout->levels[level].store == SMALL;
        }
        end = chunk->before != NULL ? chunk->before->items + chunk_events(store) : NULL;
    }
    return count;
}

static bool layout_reserve(struct queue *queue, const struct layout *after)
{
    size_t small = 0, most = queue->length < after->bucket_count ? queue->length
                                                                 : after->bucket_count;
    for (uint32_t l = 0; l < queue->layout.level_count; l++) {
        struct level *level = &queue->layout.levels[l];
        for (uint32_t digit = 0; digit <= level->mask; digit++)
            if (level->buckets[digit] != NULL)
                small += bucket_count_small(level->buckets[digit], store_of(queue, level), after,
                                            queue->present);
    }
    return chunks_reserve(queue, &queue->stores[LARGE], most + 1) &&
           chunks_reserve(queue, &queue->stores[SMALL], small);
}

/* Fills all buckets anew, with levels cut in another way. Where memory is short things stay as they
 * are. The front is empty. */
static void layout_change(struct queue *queue, struct cut cut)
{
    struct layout before = queue->layout, after;
    if (!layout_make(&after, cut))
        return;
    if (!layout_reserve(queue, &after)) {
        layout_free(&after);
        return;
    }
    queue->layout = after;
    queue->levels = 0;
    queue->base = queue->present;
    queue->front_last = queue->present;
    for (uint32_t l = 0; l < before.level_count; l++) {
        const struct level *level = &before.levels[l];
        struct store *store = store_of(queue, level);
        for (uint32_t digit = 0; digit <= level->mask; digit++) {
            const struct event *end = level->buckets[digit];
            if (end != NULL)
                chain_append(queue, store, chain_turn(chunk_of_end(end, store)),
                             bucket_length(end, store));
        }
    }
    layout_free(&before);
}

/* Compares the layout with the events that have left the buckets in this period. */
static __attribute__((noinline)) void layout_review(struct queue *queue)
{
    uint64_t passed = queue->present - queue->period_start;
    uint64_t filled = queue->period_filled, gap = passed / filled;
    unsigned __int128 reach = (unsigned __int128)passed * queue->length / filled;
    uint64_t span = reach > UINT64_MAX / 4 ? UINT64_MAX / 4 : (uint64_t)reach;
    uint32_t fine_shift = bits_of(gap) > FINER ? bits_of(gap) - FINER : 0;
    uint32_t top = bits_of(span) + 2;
    if (top < fine_shift + FALLBACK_BITS)
        top = fine_shift + FALLBACK_BITS;
    if (top > fine_shift + MAIN_LEVELS * MAIN_BITS)
        top = fine_shift + MAIN_LEVELS * MAIN_BITS;
    if (top > 64)
        top = 64;
    queue->period_start = queue->present;
    queue->period_filled = 0;
    const struct cut *cut = &queue->layout.cut;
    bool small = passed >= filled / (cut->small ? 4 : 2); /* not too many events a tick */
    int shift_off = (int)fine_shift - cut->fine_shift;
    int top_off = (int)top - (cut->fine_shift + cut->main_bits);
    if (shift_off < 0 || shift_off > 1 || abs(top_off) > 1 || cut->small != small)
        layout_change(queue, (struct cut){.fine_shift = (uint8_t)fine_shift,
                                          .main_bits = (uint8_t)(top - fine_shift),
                                          .small = small});
}

/* ---- the front */

static inline bool event_before(const struct event *a, const struct event *b)
{
    return a->tick < b->tick || (a->tick == b->tick && a->order < b->order);
}

/* Inserts an event into the front after all that are not later. */
static inline void front_insert(struct queue *queue, struct event event)
{
    struct event *hole = queue->front + queue->front_end++;
    const struct event *first = queue->front + queue->front_begin;
    for (; hole > first && event_before(&event, &hole[-1]); hole--)
        *hole = hole[-1];
    *hole = event;
}

/* Puts a front that has grown long back into buckets, which are empty over its range, and what is at
 * the present key into `ready`. Fails if memory is short, and leaves things as they were. Where time
 * could not reach the base because memory was short before, it fails too. */
static bool front_spill(struct queue *queue)
{
    uint32_t length = queue->front_end - queue->front_begin;
    if (queue->present < queue->base || !chunks_reserve(queue, &queue->stores[LARGE], length) ||
        !chunks_reserve(queue, &queue->stores[SMALL], length) ||
        !events_reserve(&queue->ready, queue->ready.length + length))
        return false;
    queue->base = queue->present;
    for (uint32_t i = queue->front_begin; i < queue->front_end; i++) {
        uint64_t key = key_of_tick(queue->front[i].tick);
        if (key > queue->present)
            level_append(queue, level_of_key(queue, key), key, queue->front[i]);
        else
            queue->ready.items[queue->ready.length++] = queue->front[i];
    }
    queue->earliest = 0;
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

static inline bool nothing_ready(const struct queue *queue)
{
    return queue->ready.length == 0 && queue->late_length == 0;
}

/* Moves time to a bucket whose events all have one tick, and makes them ready. */
static bool bucket_make_ready(struct queue *queue, struct level *level, uint32_t digit)
{
    struct store *store = store_of(queue, level);
    size_t length = bucket_length(level->buckets[digit], store);
    if (!events_reserve(&queue->ready, length))
        return false;
    struct event *out = queue->ready.items;
    queue->ready.length = length;
    struct chunk *chunk = chain_turn(bucket_detach(queue, level, digit));
    for (struct chunk *next; length > 0; chunk = next) {
        size_t count = length < chunk_events(store) ? length : chunk_events(store);
        next = chunk->before;
        chunk_prefetch(next, store);
        memcpy(out, chunk->items, count * sizeof *out);
        out += count;
        length -= count;
        chunk_give_back(store, chunk);
    }
    queue->present = key_of_tick(queue->ready.items[0].tick);
    queue->front_last = queue->present;
    queue->period_filled += queue->ready.length;
    return true;
}

/* Sorts a short bucket, from its newest event on, into the front, whose events are all earlier.
 * Returns false, with the front as it was, if the front would become too long. */
static inline bool bucket_to_front(struct queue *queue, struct level *level, uint32_t digit)
{
    struct store *store = store_of(queue, level);
    uint32_t room = queue->front_end < FRONT_FILL ? FRONT_FILL - queue->front_end : 0;
    if (level->shift > 0 && room > BUCKET_FILL)
        room = BUCKET_FILL;
    struct event *first = queue->front + queue->front_end, *last = first;
    const struct event *end = level->buckets[digit];
    struct chunk *chunk = chunk_of_end(end, store);
    do {
        for (; end > chunk->items; end--) {
            if (last == first + room)
                return false;
            struct event *hole = last++;
            for (; hole > first && !event_before(&hole[-1], &end[-1]); hole--)
                *hole = hole[-1];
            *hole = end[-1];
        }
        chunk = chunk->before;
        end = chunk != NULL ? chunk->items + chunk_events(store) : NULL;
    } while (chunk != NULL);
    queue->front_end = (uint32_t)(last - queue->front);
    queue->front_last = range_last(key_of_tick(first->tick), level);
    struct chunk *newest = bucket_detach(queue, level, digit);
    while (newest != NULL) {
        chunk = newest->before;
        chunk_give_back(store, newest);
        newest = chunk;
    }
    return true;
}

/* Sorts what has been added to the front since `first`; equals stand there newest first. */
static inline void front_sort(struct queue *queue, struct event *first)
{
    const struct event *end = queue->front + queue->front_end;
    for (struct event *next = first + 1; next < end; next++) {
        if (__builtin_expect(event_before(&next[-1], next), true))
            continue;
        struct event event = *next;
        struct event *hole = next;
        for (; hole > first && !event_before(&hole[-1], &event); hole--)
            *hole = hole[-1];
        *hole = event;
    }
}

/* Takes a small-chunk bucket's events, newest first, to `out`, which has room for `room`. Returns
 * where they end; `out`, with the bucket as it was, if there are more. */
static inline struct event *bucket_unlink(struct queue *queue, struct level *level, uint32_t digit,
                                          struct event *out, uint32_t room)
{
    struct store *store = &queue->stores[SMALL];
    bucket_end *bucket = &level->buckets[digit];
    struct chunk *chunk = (struct chunk *)((char *)*bucket - SMALL_CHUNK);
    struct event *last = out;
    *bucket = NULL;
    for (struct chunk *before; chunk != NULL; chunk = before) {
        if (last == out + room) {
            *bucket = chunk->items + 1;
            while (last > out) {
                last--;
                level_append(queue, level, key_of_tick(last->tick), *last);
            }
            return out;
        }
        before = chunk->before;
        *last++ = chunk->items[0];
        chunk_give_back(store, chunk);
    }
    return last;
}

/* Brings the lowest buckets of the level with small chunks to the front, at most a word of them, until
 * it holds enough. Returns false, with all as it was, if the lowest bucket alone has more. */
static inline bool word_to_front(struct queue *queue, struct level *level)
{
    uint32_t word = lowest_word(level);
    struct event *first = queue->front + queue->front_end, *last = first;
    uint64_t left = level->occupied[word];
    for (; left != 0 && last < queue->front + FRONT_FILL; left &= left - 1) {
        uint32_t digit = word * 64 + (uint32_t)__builtin_ctzll(left);
        struct event *end = bucket_unlink(queue, level, digit, last, FRONT_FILL);
        if (end == last)
            break;
        last = end;
    }
    if (last == first)
        return false;
    queue->front_last = range_last(key_of_tick(last[-1].tick), level);
    level->occupied[word] = left;
    if (left == 0)
        word_empty(queue, level, word);
    queue->front_end += (uint32_t)(last - first);
    front_sort(queue, first);
    return true;
}

/* With nothing ready and an empty front, brings the earliest events to the front, or to `ready` where
 * many have one tick. Fails if memory is short; the next call tries again. */
static __attribute__((noinline)) bool front_fill(struct queue *queue)
{
    if (queue->period_filled >= PERIOD_SMALLEST + queue->length)
        layout_review(queue);
    queue->earliest = 0;
    queue->front_begin = 0;
    queue->front_end = 0;
    while (queue->levels != 0) {
        struct level *level = lowest_level(queue);
        if (level->store == SMALL && queue->front_end < FRONT_FILL && word_to_front(queue, level))
            continue;
        uint32_t digit = lowest_digit(level);
        if (bucket_to_front(queue, level, digit))
            continue;
        if (queue->front_end > 0)
            break;
        if (level->shift == 0)
            return bucket_make_ready(queue, level, digit);
        if (!bucket_spread(queue, level, digit))
            return false;
    }
    queue->period_filled += queue->front_end;
    return true;
}

/* ---- what is due at the present key */

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
    if (queue == NULL)
        return NULL;
    if (!layout_make(&queue->layout, (struct cut){0})) {
        free(queue);
        return NULL;
    }
    queue->stores[SMALL] = (struct store){.chunk_size = SMALL_CHUNK, .slab_size = SLAB_SMALLEST};
    queue->stores[LARGE] = (struct store){.chunk_size = LARGE_CHUNK, .slab_size = SLAB_SMALLEST};
    queue_clear(queue, start);
    return queue;
}

void queue_free(struct queue *queue)
{
    if (queue == NULL)
        return;
    for (struct slab *slab = queue->slabs, *before; slab != NULL; slab = before) {
        before = slab->before;
        free(slab->memory);
        free(slab);
    }
    layout_free(&queue->layout);
    free(queue->ready.items);
    free(queue->due.items);
    free(queue->scratch.items);
    free(queue->late);
    free(queue);
}

void queue_clear(struct queue *queue, int64_t start)
{
    while (queue->levels != 0) {
        struct level *level = lowest_level(queue);
        struct chunk *chunk = bucket_detach(queue, level, lowest_digit(level));
        for (struct chunk *next; chunk != NULL; chunk = next) {
            next = chunk->before;
            chunk_give_back(store_of(queue, level), chunk);
        }
    }
    queue->present = key_of_tick(start);
    queue->front_last = queue->present;
    queue->base = queue->present;
    queue->period_start = queue->present;
    queue->period_filled = 0;
    queue->earliest = 0;
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

/* Adds an event within the front's range. */
static __attribute__((noinline)) bool front_push(struct queue *queue, uint64_t key,
                                                 struct event event)
{
    if (key == queue->present &&
        (!nothing_ready(queue) || queue->front_begin == queue->front_end ||
         queue->front[queue->front_begin].tick != event.tick))
        return present_push(queue, event);
    if (queue->front_end == FRONT_SIZE) {
        if (!front_make_room(queue))
            return false;
        if (key > queue->front_last)
            return bucket_append(queue, key, event);
        if (key == queue->present && !nothing_ready(queue)) /* the front was put back */
            return present_push(queue, event);
    }
    front_insert(queue, event);
    return true;
}

/* All other pushes than those into buckets that have room. */
static __attribute__((noinline)) bool push_aside(struct queue *queue, struct event event,
                                                 struct error *error)
{
    uint64_t key = key_of_tick(event.tick);
    if (key < queue->present)
        return refuse_past(queue, event.tick, error);
    if (!(key > queue->front_last ? bucket_append(queue, key, event)
                                  : front_push(queue, key, event)))
        return error_no_memory(error, "the event queue");
    queue->length++;
    return true;
}

bool queue_push(struct queue *queue, struct event event, struct error *error)
{
    uint64_t key = key_of_tick(event.tick);
    struct level *level = level_of_key(queue, key);
    if (key <= queue->front_last || store_of(queue, level)->spare == NULL ||
        key < queue->earliest)
        return push_aside(queue, event, error);
    level_append(queue, level, key, event);
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
        if (queue->earliest == 0) {
            const struct level *level = lowest_level(queue);
            queue->earliest =
                bucket_earliest(level->buckets[lowest_digit(level)], store_of(queue, level));
        }
        *tick = tick_of_key(queue->earliest);
    }
    return true;
}

/* Hands out the front's events of the earliest tick, which are sorted already. */
static size_t front_take(struct queue *queue, const struct event **due, struct error *error)
{
    const struct event *first = queue->front + queue->front_begin;
    uint32_t length = 1, most = queue->front_end - queue->front_begin;
    while (length < most && first[length].tick == first->tick)
        length++;
    if (!events_reserve(&queue->due, length)) {
        error_no_memory(error, "the event queue");
        return 0;
    }
    memcpy(queue->due.items, first, length * sizeof *first);
    *due = queue->due.items;
    queue->front_begin += length;
    queue->present = key_of_tick(first->tick);
    queue->length -= length;
    return length;
}

size_t queue_take(struct queue *queue, const struct event **due, struct error *error)
{
    if (queue->length == 0)
        return 0;
    bool taken = true;
    if (nothing_ready(queue)) {
        if (queue->front_begin == queue->front_end)
            taken = front_fill(queue);
        if (taken && queue->ready.length == 0)
            return front_take(queue, due, error);
    }
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

static __attribute__((noinline)) bool ready_pop(struct queue *queue, struct event *event)
{
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

bool queue_pop(struct queue *queue, struct event *event)
{
    if (queue->length == 0)
        return false;
    if (nothing_ready(queue)) {
        if (queue->front_begin == queue->front_end && !front_fill(queue))
            return false;
        if (queue->ready.length == 0) {
            const struct event *next = queue->front + queue->front_begin++;
            *event = *next;
            queue->present = key_of_tick(next->tick);
            queue->length--;
            return true;
        }
    }
    return ready_pop(queue, event);
}
