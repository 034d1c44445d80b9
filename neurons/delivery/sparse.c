/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Walking the rows that sparse.h describes. (sparse_build.c makes and sorts them.)
 *
 * Rows lie anywhere in memory, and a network's rows are larger than any cache; which rows come
 * next is known from the volley. So a volley is taken in batches of events: first the places of
 * all rows of a batch are looked up (their cache misses overlap), then the rows are walked, each
 * while the beginning of a later one is on its way; the processor itself fetches ahead within a
 * row.
 *
 * There is one loop, walk(), compiled for every combination of what a row can hold and where it can
 * land, so that no synapse pays for what it does not have.
 */
#include "neurons/delivery/landing.h"
#include "neurons/delivery/sparse.h"

#include <stdlib.h>

enum {
    BATCH = 64,           /* events whose rows are looked up together */
    AHEAD = 2,            /* rows from the one walked to the one fetched */
    FETCHED_BYTES = 1024, /* of the beginning of a row, of each of its arrays */
    LINE = 64             /* bytes in a cache line */
};

/* A thread's part of one event's row. */
struct piece {
    uint64_t begin, end; /* synapses */
    double factor;       /* payload or value; WEIGHT_SAME: times the weight */
};

typedef void walk_function(const struct sparse *sparse, const struct landing *landing,
                           const struct piece *piece);

/* ---- the loop ---- */

/* Weight of synapse k as the port adds it. */
LANDING_INLINE int32_t weight_code(const struct sparse *sparse, enum weight_format format,
                                   uint64_t k)
{
    return format == WEIGHT_INT8 ? ((const int8_t *)sparse->weight)[k]
                                 : ((const int16_t *)sparse->weight)[k];
}

LANDING_INLINE double weight_value(const struct sparse *sparse, enum weight_format format,
                                   uint64_t k)
{
    return format == WEIGHT_FLOAT ? ((const float *)sparse->weight)[k]
                                  : sparse->scale * weight_code(sparse, format, k);
}

LANDING_INLINE void walk(const struct sparse *sparse, const struct landing *landing,
                         const struct piece *piece, bool wide, enum weight_format format,
                         uint32_t extra_bytes, bool counts, bool touches)
{
    /* Copies, so that the compiler need not read them anew after each addition. */
    const struct sparse own = *sparse;
    const struct landing to = extra_bytes == 0 ? landing_in_slot(landing, 0) : *landing;
    const double factor = piece->factor;
    const uint32_t payload = counts ? (uint32_t)(int64_t)factor : 0;
    const uint64_t end = piece->end;
#pragma GCC unroll 4
    for (uint64_t k = piece->begin; k < end; k++) {
        size_t target = wide ? own.target32[k] : own.target16[k];
        size_t slot = extra_bytes == 0   ? 0
                      : extra_bytes == 1 ? landing_slot(&to, own.extra8[k])
                                         : landing_slot(&to, own.extra16[k]);
        size_t place = slot * to.width + target;
        if (counts)
            to.count[place] += format == WEIGHT_SAME
                                   ? payload
                                   : payload * (uint32_t)weight_code(&own, format, k);
        else
            to.current[place] += format == WEIGHT_SAME ? factor
                                                       : weight_value(&own, format, k) * factor;
        if (touches)
            to.touched[slot * to.blocks + target / PORT_BLOCK] = 1;
    }
}

#define WALK(wide, format, extra, port, counts, touches)                                           \
    static void walk_##wide##_##format##_##extra##_##port##_##touches(                             \
        const struct sparse *sparse, const struct landing *landing, const struct piece *piece)     \
    {                                                                                              \
        walk(sparse, landing, piece, wide, format, extra, counts, touches);                        \
    }
#define WALK_ALL_EXTRAS(wide, format, port, counts, touches)                                       \
    WALK(wide, format, 0, port, counts, touches)                                                   \
    WALK(wide, format, 1, port, counts, touches)                                                   \
    WALK(wide, format, 2, port, counts, touches)
#define WALK_ALL_TARGETS(format, port, counts)                                                     \
    WALK_ALL_EXTRAS(0, format, port, counts, 0)                                                    \
    WALK_ALL_EXTRAS(0, format, port, counts, 1)                                                    \
    WALK_ALL_EXTRAS(1, format, port, counts, 0)                                                    \
    WALK_ALL_EXTRAS(1, format, port, counts, 1)
WALK_ALL_TARGETS(WEIGHT_SAME, current, false)
WALK_ALL_TARGETS(WEIGHT_FLOAT, current, false)
WALK_ALL_TARGETS(WEIGHT_INT8, current, false)
WALK_ALL_TARGETS(WEIGHT_INT16, current, false)
WALK_ALL_TARGETS(WEIGHT_SAME, count, true)
WALK_ALL_TARGETS(WEIGHT_INT8, count, true)
WALK_ALL_TARGETS(WEIGHT_INT16, count, true)

#define WALKS_EXTRAS(wide, format, port, touches)                                                  \
    {walk_##wide##_##format##_0_##port##_##touches, walk_##wide##_##format##_1_##port##_##touches, \
     walk_##wide##_##format##_2_##port##_##touches}
#define WALKS_TARGETS(format, port)                                                                \
    {{WALKS_EXTRAS(0, format, port, 0), WALKS_EXTRAS(0, format, port, 1)},                         \
     {WALKS_EXTRAS(1, format, port, 0), WALKS_EXTRAS(1, format, port, 1)}}

/* [counts][format][wide][touches][bytes of an extra delay] */
static walk_function *const walks[2][4][2][2][3] = {
    {[WEIGHT_SAME] = WALKS_TARGETS(WEIGHT_SAME, current),
     [WEIGHT_FLOAT] = WALKS_TARGETS(WEIGHT_FLOAT, current),
     [WEIGHT_INT8] = WALKS_TARGETS(WEIGHT_INT8, current),
     [WEIGHT_INT16] = WALKS_TARGETS(WEIGHT_INT16, current)},
    {[WEIGHT_SAME] = WALKS_TARGETS(WEIGHT_SAME, count),
     [WEIGHT_INT8] = WALKS_TARGETS(WEIGHT_INT8, count),
     [WEIGHT_INT16] = WALKS_TARGETS(WEIGHT_INT16, count)},
};

static walk_function *walk_for(const struct sparse *sparse, const struct landing *landing)
{
    uint32_t extra_bytes = sparse->extra8 != NULL ? 1 : sparse->extra16 != NULL ? 2 : 0;
    return walks[landing->count != NULL][sparse->format][sparse->target32 != NULL]
                [landing->touched != NULL][extra_bytes];
}

/* ---- a thread's part of a row ---- */

/* Where the targets begin … end-1 stand in the rows. */
struct share {
    const uint64_t *table; /* [sources * stride + 1]: source s begins at table[s * stride] and ends
                              at the next entry */
    size_t stride;
    bool search;           /* the table gives whole rows; find the targets in them */
    uint32_t begin, end;   /* targets */
};

/* Targets of part p as network.c slices them: whole blocks. */
static void part_targets(uint32_t width, uint32_t part, uint32_t parts, uint32_t *begin,
                         uint32_t *end)
{
    uint32_t blocks = width / PORT_BLOCK + (width % PORT_BLOCK != 0);
    workers_slice(blocks, part, parts, begin, end);
    *begin *= PORT_BLOCK;
    *end = *end == blocks ? width : *end * PORT_BLOCK;
}

static struct share share_of(const struct sparse *sparse, uint32_t begin, uint32_t end)
{
    if (begin == 0 && end == sparse->targets)
        return (struct share){.table = sparse->row, .stride = 1};
    for (uint32_t part = 0; sparse->part != NULL && part < sparse->parts; part++) {
        uint32_t part_begin, part_end;
        part_targets(sparse->targets, part, sparse->parts, &part_begin, &part_end);
        if (part_begin == begin && part_end == end)
            return (struct share){.table = sparse->part + part, .stride = sparse->parts};
    }
    return (struct share){
        .table = sparse->row, .stride = 1, .search = true, .begin = begin, .end = end};
}

static uint32_t target_at(const struct sparse *sparse, uint64_t k)
{
    return sparse->target32 != NULL ? sparse->target32[k] : sparse->target16[k];
}

/* The first synapse from `low` on and before `high` whose target is at least `target`. */
static uint64_t find_target(const struct sparse *sparse, uint64_t low, uint64_t high,
                            uint32_t target)
{
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (target_at(sparse, middle) < target)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Takes up to BATCH events and looks their pieces up. */
static uint32_t gather_pieces(const struct sparse *sparse, const struct share *share,
                              struct events *events, struct piece pieces[BATCH])
{
    uint32_t neurons[BATCH], length = 0;
    while (length < BATCH && events_next(events, &neurons[length], &pieces[length].factor)) {
        __builtin_prefetch(&share->table[neurons[length] * share->stride]);
        length++;
    }
    for (uint32_t i = 0; i < length; i++) {
        const uint64_t *entry = &share->table[neurons[i] * share->stride];
        pieces[i].begin = entry[0];
        pieces[i].end = entry[1];
        if (share->search) {
            pieces[i].begin = find_target(sparse, entry[0], entry[1], share->begin);
            pieces[i].end = find_target(sparse, pieces[i].begin, entry[1], share->end);
        }
    }
    return length;
}

static void fetch_array(const void *array, const struct piece *piece, uint32_t element)
{
    const char *begin = (const char *)array + piece->begin * element;
    uint64_t bytes = (piece->end - piece->begin) * element;
    if (bytes > FETCHED_BYTES)
        bytes = FETCHED_BYTES;
    for (uint64_t at = 0; at < bytes; at += LINE)
        __builtin_prefetch(begin + at);
}

static void fetch_piece(const struct sparse *sparse, const struct piece *piece)
{
    if (sparse->target32 != NULL)
        fetch_array(sparse->target32, piece, sizeof *sparse->target32);
    else
        fetch_array(sparse->target16, piece, sizeof *sparse->target16);
    if (sparse->weight != NULL)
        fetch_array(sparse->weight, piece, weight_bytes(sparse->format));
    if (sparse->extra8 != NULL)
        fetch_array(sparse->extra8, piece, sizeof *sparse->extra8);
    else if (sparse->extra16 != NULL)
        fetch_array(sparse->extra16, piece, sizeof *sparse->extra16);
}

/* ---- where a row leads ---- */

/* Targets from synapse k on, of those weights only that are not zero, until there are `length`. */
#define TAKE_NON_ZERO(type)                                                                        \
    for (uint32_t taken = 0; taken < length; k++) {                                                \
        targets[taken] = target_at(sparse, k);                                                     \
        taken += ((const type *)sparse->weight)[k] != 0;                                           \
    }

static uint32_t reach(const struct projection *self, uint32_t source, uint32_t *targets)
{
    const struct sparse *sparse = self->weights;
    const uint32_t length = sparse->fan_out[source];
    uint64_t k = sparse->row[source];
    if (length == sparse->row[source + 1] - k) {
        for (uint32_t i = 0; i < length; i++)
            targets[i] = target_at(sparse, k + i);
        return length;
    }
    switch (sparse->format) {
    case WEIGHT_SAME: break; /* all are zero */
    case WEIGHT_FLOAT: TAKE_NON_ZERO(float) break;
    case WEIGHT_INT8: TAKE_NON_ZERO(int8_t) break;
    case WEIGHT_INT16: TAKE_NON_ZERO(int16_t) break;
    }
    return length;
}

/* ---- the kind ---- */

static void deliver(const struct projection *self, const struct delivery *delivery,
                    const struct kernels *kernels, uint32_t begin, uint32_t end)
{
    (void)kernels;
    const struct sparse *sparse = self->weights;
    const struct landing landing = landing_of(self, delivery);
    const struct share share = share_of(sparse, begin, end);
    walk_function *function = walk_for(sparse, &landing);
    double same = sparse->format != WEIGHT_SAME ? 1 : landing.count != NULL ? sparse->units
                                                                             : sparse->same;
    struct events events = events_of(self, delivery);
    struct piece pieces[BATCH];
    uint32_t length;
    while ((length = gather_pieces(sparse, &share, &events, pieces)) > 0) {
        for (uint32_t i = 0; i < length && i < AHEAD; i++)
            fetch_piece(sparse, &pieces[i]);
        for (uint32_t i = 0; i < length; i++) {
            if (i + AHEAD < length)
                fetch_piece(sparse, &pieces[i + AHEAD]);
            pieces[i].factor *= same;
            function(sparse, &landing, &pieces[i]);
        }
    }
}

/* The table of parts, unless it would be large beside the synapses that it points to: rows so short
 * are searched through as fast as they are looked up. */
static bool find_parts(struct projection *self, struct error *error)
{
    struct sparse *sparse = self->weights;
    uint64_t synapses = sparse->row[sparse->sources];
    uint64_t entries = (uint64_t)sparse->sources * self->parts + 1;
    free(sparse->part);
    sparse->part = NULL;
    sparse->parts = 0;
    if (self->parts <= 1 || entries > synapses / 16)
        return true;
    sparse->part = malloc(entries * sizeof *sparse->part);
    if (sparse->part == NULL)
        return error_set(error, ERROR_FAILED,
                         "projection %s: not enough memory for where each of "
                         "%u parts begins in its rows; use fewer threads",
                         self->name, self->parts);
    sparse->parts = self->parts;
    uint64_t *entry = sparse->part;
    for (uint32_t s = 0; s < sparse->sources; s++) {
        uint64_t at = sparse->row[s];
        for (uint32_t part = 0; part < sparse->parts; part++) {
            uint32_t begin, end;
            part_targets(sparse->targets, part, sparse->parts, &begin, &end);
            at = part == 0 ? at : find_target(sparse, at, sparse->row[s + 1], begin);
            *entry++ = at;
        }
    }
    *entry = synapses;
    self->bytes += entries * sizeof *sparse->part;
    return true;
}

static bool prepare(struct projection *self, uint32_t lanes, bool expand, struct error *error)
{
    (void)expand;
    struct sparse *sparse = self->weights;
    if (!landing_check(self, lanes, sparse->sources, sparse->targets, sparse->most_extra, error))
        return false;
    if (self->target->ports[self->port].count != NULL) {
        if (sparse->format == WEIGHT_FLOAT)
            return landing_refuse_fractions(self, error);
        if (!(sparse->format == WEIGHT_SAME
                  ? landing_units(self, sparse->same, &sparse->units, error)
                  : landing_scale(self, sparse->scale, error)))
            return false;
    }
    return find_parts(self, error);
}

const struct projection_kind projection_sparse = {
    .name = "sparse",
    .prepare = prepare,
    .deliver = deliver,
    .reach = reach,
    .free = sparse_free,
};
