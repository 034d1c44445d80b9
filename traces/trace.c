/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The observing half of the trace: what fires in a wave waits in `pending`
 * and `bytes` until the wave is done, because only then is it known at which
 * tick each position began; then it goes to the writer's ring in order of
 * position and population. So the file is the same however many positions
 * travel together. What a clocked population fires goes to the ring at once.
 *
 * Invariant: `tick` is the sum of the ticks of all positions done; a
 * population has rows in `pending` only if `in_wave`.
 */
#include "traces/trace.h"

#include "traces/blob.h"
#include "traces/file.h"
#include "traces/lookup.h"
#include "traces/schema.h"
#include "traces/writer.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    RING_BYTES = 16 << 20, /* so few that the writer is through them in a fraction of a second */
    FIRST_BYTES_LIMIT = 64 << 20, /* that the wave's buffer may take before it is needed */
    SNAPSHOT_SECONDS = 1
};

/* A row of the wave under way. */
struct pending {
    uint32_t population, lane;
    uint32_t ticks;
    int32_t zero;
    int64_t tick; /* on the lane's own clock */
    uint64_t spikes;
    size_t at; /* in bytes */
    uint32_t length;
};

struct trace {
    struct run_rows rows; /* the file, the run in it and the network */
    char *path;
    const struct network *network;
    enum trace_level level;
    int64_t first, last;
    bool by_tick;
    bool *chosen;  /* [population_count] */
    bool *in_wave; /* [population_count] */
    struct pending *pending; /* [pending_room] */
    size_t pending_count, pending_room;
    unsigned char *bytes; /* [bytes_room] */
    size_t bytes_used, bytes_room;
    int64_t tick;
    struct lookup lookup;
    struct ring *ring;
    struct writer *writer;
    const struct tally *watched; /* or NULL */
    time_t last_snapshot;
};

/* ---- opening ---- */

/* Puts the run into the file, in one transaction: all or nothing. */
static bool begin_run(struct trace *trace, const struct trace_options *options,
                      const struct run_facts *facts, struct error *error)
{
    sqlite3 *db = trace->rows.db;
    const char *path = trace->path;
    if (file_check(db, path, error) == FILE_FOREIGN ||
        !file_execute(db, path, "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE", error))
        return false;
    enum file_kind kind = file_check(db, path, error); /* again: nobody can change it now */
    bool done = kind != FILE_FOREIGN &&
                (kind == FILE_TRACE || file_execute(db, path, schema_sql, error)) &&
                run_rows_begin(&trace->rows, options, facts, error) &&
                file_execute(db, path, "COMMIT", error);
    if (!done) {
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
        return false;
    }
    /* With a write-ahead log others can read while the run goes on. Where the file system cannot
     * do it, or somebody reads just now, the file stays with its rollback journal. */
    sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
    return true;
}

static bool choose_populations(struct trace *trace, const struct trace_options *options,
                               struct error *error)
{
    bool any = false, spiking = false;
    for (uint32_t i = 0; i < trace->network->population_count; i++) {
        const struct population *population = trace->network->populations[i];
        spiking |= population_is_spiking(population);
        trace->chosen[i] = population_is_spiking(population) &&
                           (options->populations == NULL ||
                            fnmatch(options->populations, population->name, 0) == 0);
        any |= trace->chosen[i];
    }
    if (options->populations != NULL && spiking && !any)
        return error_set(error, ERROR_MISUSED, "no spiking population matches '%s'",
                         options->populations);
    return true;
}

/* Memory for what a wave fires, and for what waits to be written. */
static bool take_memory(struct trace *trace, struct error *error)
{
    const struct network *network = trace->network;
    size_t largest = counters_length(network) * sizeof(uint64_t), rows = 0, bytes = 0;
    for (uint32_t i = 0; i < network->population_count; i++) {
        const struct population *population = network->populations[i];
        size_t limit = population->train != NULL ? blob_limit_dense(population->neurons)
                                                 : blob_limit_sparse(population->neurons);
        largest = trace->chosen[i] && limit > largest ? limit : largest;
        if (!trace->chosen[i] || population->train == NULL)
            continue;
        rows += network->lanes_limit;
        bytes += (size_t)network->lanes_limit * population->neurons;
    }
    trace->pending_room = trace->level == TRACE_SUMMARY ? 1 : rows + 1;
    trace->bytes_room = trace->level != TRACE_SPIKE  ? 1
                        : bytes < FIRST_BYTES_LIMIT ? bytes + largest
                                                    : FIRST_BYTES_LIMIT + largest;
    trace->pending = malloc(trace->pending_room * sizeof *trace->pending);
    trace->bytes = malloc(trace->bytes_room);
    trace->ring = ring_new(RING_BYTES, sizeof(struct record) + largest);
    if (trace->pending == NULL || trace->bytes == NULL || trace->ring == NULL)
        return error_no_memory(error, "the trace");
    return true;
}

static void trace_free(struct trace *trace)
{
    ring_free(trace->ring);
    free(trace->bytes);
    free(trace->pending);
    free(trace->in_wave);
    free(trace->chosen);
    free(trace->path);
    free(trace);
}

struct trace *trace_open(const char *path, const struct trace_options *options,
                         const struct run_facts *facts, const struct network *network,
                         struct error *error)
{
    struct trace *trace = calloc(1, sizeof *trace);
    if (trace == NULL) {
        error_no_memory(error, "the trace");
        return NULL;
    }
    trace->network = network;
    trace->level = options->level;
    trace->first = options->first;
    trace->last = options->last;
    trace->by_tick = options->by_tick;
    trace->path = strdup(path);
    trace->rows.path = trace->path;
    trace->rows.network = network;
    trace->chosen = calloc((size_t)network->population_count + 1, sizeof *trace->chosen);
    trace->in_wave = calloc((size_t)network->population_count + 1, sizeof *trace->in_wave);
    bool created = false;
    if (trace->path == NULL || trace->chosen == NULL || trace->in_wave == NULL)
        error_no_memory(error, "the trace");
    else if (choose_populations(trace, options, error) && take_memory(trace, error))
        trace->rows.db = file_open_write(path, &created, error);
    if (trace->rows.db == NULL) {
        trace_free(trace);
        return NULL;
    }
    if (begin_run(trace, options, facts, error))
        trace->writer = writer_start(&trace->rows, trace->ring, error);
    if (trace->writer == NULL) {
        sqlite3_close(trace->rows.db);
        if (created)
            file_remove(path);
        trace_free(trace);
        return NULL;
    }
    return trace;
}

int64_t trace_run(const struct trace *trace)
{
    return trace->rows.run;
}

void trace_watch(struct trace *trace, const struct tally *tally)
{
    trace->watched = tally;
}

/* ---- observing ---- */

static bool in_range(const struct trace *trace, int64_t position)
{
    return position >= trace->first && position < trace->last;
}

static void forget_wave(struct trace *trace)
{
    trace->pending_count = 0;
    trace->bytes_used = 0;
    memset(trace->in_wave, 0, trace->network->population_count * sizeof *trace->in_wave);
}

/* Room for one more row of up to `bytes` bytes. */
static bool grow(struct trace *trace, size_t bytes, struct error *error)
{
    if (trace->pending_count == trace->pending_room) {
        struct pending *more =
            realloc(trace->pending, 2 * trace->pending_room * sizeof *trace->pending);
        if (more == NULL)
            return error_no_memory(error, "the trace of a wave");
        trace->pending = more;
        trace->pending_room *= 2;
    }
    if (trace->bytes_room - trace->bytes_used < bytes) {
        unsigned char *more = realloc(trace->bytes, 2 * trace->bytes_room + bytes);
        if (more == NULL)
            return error_no_memory(error, "the trace of a wave");
        trace->bytes = more;
        trace->bytes_room = 2 * trace->bytes_room + bytes;
    }
    return true;
}

static bool keep_train(struct trace *trace, const struct firing *firing, struct error *error)
{
    const struct train *train = firing->train;
    uint32_t id = firing->population->id, neurons = train->neurons;
    if (trace->in_wave[id]) /* it fires once a wave: the wave before was cut off */
        forget_wave(trace);
    trace->in_wave[id] = true;
    for (uint32_t lane = 0; lane < train->lanes; lane++) {
        if (!in_range(trace, firing->wave->position + lane))
            continue;
        size_t limit = trace->level == TRACE_SPIKE ? blob_limit_dense(neurons) : 0;
        if (!grow(trace, limit, error))
            return false;
        const int32_t *count = train->count + (size_t)lane * neurons;
        struct frame frame = train->frame[lane];
        struct pending *row = &trace->pending[trace->pending_count++];
        *row = (struct pending){.population = id, .lane = lane, .ticks = frame.ticks,
                                .zero = frame.zero, .tick = train->tick[lane],
                                .at = trace->bytes_used};
        lookup_begin(&trace->lookup);
        const struct lookup_entry *entry = lookup_find(&trace->lookup, train->coding, frame);
        row->spikes = lookup_total(entry, count, neurons);
        if (limit > 0)
            row->length = (uint32_t)blob_write_dense(count, neurons, frame.zero,
                                                     trace->bytes + trace->bytes_used);
        trace->bytes_used += row->length;
    }
    return true;
}

/* Hands a record and the bytes behind it to the writer. */
static bool put_record(struct trace *trace, const struct record *record, const void *bytes,
                       struct error *error)
{
    size_t length = sizeof *record + record->data_length;
    unsigned char *room = ring_room(trace->ring, length);
    if (room == NULL)
        return writer_failure(trace->writer, error);
    memcpy(room, record, sizeof *record);
    if (bytes != NULL && record->data_length > 0)
        memcpy(room + sizeof *record, bytes, record->data_length);
    ring_put(trace->ring, length);
    return true;
}

static bool put_plain(struct trace *trace, const struct firing *firing, struct error *error)
{
    if (firing->spike_count == 0 ||
        !in_range(trace, trace->by_tick ? firing->tick : firing->wave->position))
        return true;
    size_t limit = trace->level == TRACE_SPIKE ? blob_limit_sparse(firing->spike_count) : 0;
    unsigned char *room = ring_room(trace->ring, sizeof(struct record) + limit);
    if (room == NULL)
        return writer_failure(trace->writer, error);
    struct record record = {.kind = RECORD_VOLLEY, .population = firing->population->id,
                            .tick = trace->tick + firing->tick,
                            .position = firing->wave->position, .ticks = 1,
                            .spikes = firing->spike_count};
    if (limit > 0)
        record.data_length = (uint32_t)blob_write_sparse(firing->spikes, firing->spike_count,
                                                         room + sizeof record);
    memcpy(room, &record, sizeof record);
    ring_put(trace->ring, sizeof record + limit);
    return true;
}

/* Sends the counters along when the last time is long enough ago. */
static bool snapshot(struct trace *trace, struct error *error)
{
    if (trace->watched == NULL)
        return true;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (now.tv_sec - trace->last_snapshot < SNAPSHOT_SECONDS)
        return true;
    trace->last_snapshot = now.tv_sec;
    struct record record = {.kind = RECORD_COUNTERS};
    size_t length = sizeof record + counters_length(trace->network) * sizeof(uint64_t);
    unsigned char *room = ring_room(trace->ring, length);
    if (room == NULL)
        return writer_failure(trace->writer, error);
    memcpy(room, &record, sizeof record);
    counters_copy(trace->watched, (uint64_t *)(void *)(room + sizeof record));
    ring_put(trace->ring, length);
    return true;
}

static bool fired(void *self, const struct firing *firing, struct error *error)
{
    struct trace *trace = self;
    if (ring_broken(trace->ring))
        return writer_failure(trace->writer, error);
    if (trace->level != TRACE_SUMMARY && trace->chosen[firing->population->id]) {
        if (firing->train != NULL)
            return keep_train(trace, firing, error);
        if (!put_plain(trace, firing, error))
            return false;
    }
    return firing->train != NULL || snapshot(trace, error);
}

static int compare_pending(const void *left, const void *right)
{
    const struct pending *a = left, *b = right;
    if (a->lane != b->lane)
        return a->lane < b->lane ? -1 : 1;
    return a->population < b->population ? -1 : a->population > b->population;
}

static bool put_lane(struct trace *trace, const struct wave *wave, uint32_t lane,
                     const struct pending *rows, size_t length, struct error *error)
{
    int64_t position = wave->position + lane;
    for (size_t i = 0; i < length; i++) {
        struct record record = {.kind = RECORD_VOLLEY, .population = rows[i].population,
                                .tick = trace->tick + rows[i].tick, .position = position,
                                .ticks = rows[i].ticks, .zero = rows[i].zero,
                                .spikes = rows[i].spikes, .data_length = rows[i].length};
        if (!put_record(trace, &record, trace->bytes + rows[i].at, error))
            return false;
    }
    return true;
}

static bool wave_done(void *self, const struct wave *wave, const int64_t *ticks,
                      struct error *error)
{
    struct trace *trace = self;
    if (trace->pending_count > 1)
        qsort(trace->pending, trace->pending_count, sizeof *trace->pending, compare_pending);
    const struct pending *row = trace->pending, *end = row + trace->pending_count;
    for (uint32_t lane = 0; lane < wave->lanes; lane++) {
        const struct pending *begin = row;
        while (row < end && row->lane == lane)
            row++;
        struct record token = {.kind = RECORD_TOKEN, .tick = trace->tick,
                               .position = wave->position + lane, .ticks = ticks[lane]};
        if (trace->level != TRACE_SUMMARY && (trace->by_tick || in_range(trace, token.position)) &&
            (!put_record(trace, &token, NULL, error) ||
             !put_lane(trace, wave, lane, begin, (size_t)(row - begin), error)))
            return false;
        trace->tick += ticks[lane];
    }
    forget_wave(trace);
    return snapshot(trace, error);
}

struct observer trace_observer(struct trace *trace)
{
    return (struct observer){.self = trace, .fired = fired, .wave_done = wave_done};
}

/* ---- closing ---- */

static bool write_counters(struct trace *trace, const struct tally *tally, struct error *error)
{
    uint64_t *counters = malloc(counters_length(tally->network) * sizeof *counters);
    if (counters == NULL)
        return error_no_memory(error, "the counters");
    counters_copy(tally, counters);
    bool done = run_rows_count(&trace->rows, counters, error) &&
                run_rows_histogram(&trace->rows, tally, error) &&
                run_rows_neurons(&trace->rows, tally, error);
    free(counters);
    return done;
}

/* Brings what is in the write-ahead log into the file itself. Somebody who reads just now may
 * keep the log in use; that loses nothing, and SQLite tidies up when they are done. */
static bool make_single_file(struct trace *trace, struct error *error)
{
    sqlite3_busy_timeout(trace->rows.db, 500);
    int code = sqlite3_exec(trace->rows.db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(trace->rows.db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY && (code & 0xff) != SQLITE_LOCKED)
        return file_failure(trace->rows.db, trace->path, error);
    return true;
}

bool trace_close(struct trace *trace, const struct tally *tally, const char *status,
                 double wall_seconds, struct error *error)
{
    struct error first = {0};
    bool done = writer_stop(trace->writer, &first) &&
                file_execute(trace->rows.db, trace->path, "BEGIN IMMEDIATE", &first) &&
                (tally == NULL || write_counters(trace, tally, &first)) &&
                run_rows_end(&trace->rows, status, wall_seconds, &first) &&
                file_execute(trace->rows.db, trace->path, "COMMIT", &first);
    if (!done) {
        /* As much as still goes: the run is marked, or left marked as running. */
        struct error ignored = {0};
        sqlite3_exec(trace->rows.db, "ROLLBACK", NULL, NULL, NULL);
        run_rows_end(&trace->rows, "failed", wall_seconds, &ignored);
    }
    done = make_single_file(trace, &first) && done;
    sqlite3_close(trace->rows.db);
    trace_free(trace);
    return done || error_set(error, first.code, "%s", first.text);
}
