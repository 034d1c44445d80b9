/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The spikes of a trace, tick by tick.
 *
 * Rows of a spiking network stand in order of ticks. Those of a language model stand by position
 * and population, and a train covers several ticks: so a position's rows are gathered, opened,
 * and put in order of ticks; the next position begins where it ended.
 *
 * Where a time step of the model has many ticks, a population may come several times in one.
 * / */
#include "traces/energy/load.h"

#include "traces/file.h"
#include "traces/spikes.h"

#include <stdlib.h>

/* Spikes of one population at one tick, in the pool. */
struct gathered {
    int64_t tick;
    uint32_t population, length;
    size_t at;
};

struct replay {
    const struct load *load;
    sqlite3 *db;
    sqlite3_stmt *row;
    bool whole; /* trains are not opened */
    load_visitor *visit;
    void *self;
    struct error *error;
    struct spikes_reader reader;
    int64_t position; /* of what is gathered */
    struct gathered *gathered; /* [count] */
    size_t count, room;
    uint32_t *neurons; /* [used], the pool … */
    int32_t *payload;  /* … and what they carry */
    size_t used, pool_room;
};

enum { ROW_ID, ROW_TICK, ROW_POPULATION, ROW_POSITION, ROW_TICKS, ROW_ZERO, ROW_DATA };

static bool damaged(const struct replay *replay, const char *what)
{
    return error_set(replay->error, ERROR_FAILED, "trace '%s' is damaged: in volley %lld, %s",
                     replay->load->path, (long long)sqlite3_column_int64(replay->row, ROW_ID),
                     what);
}

static bool add_volley(struct replay *replay, int64_t tick, uint32_t population)
{
    if (replay->count == replay->room) {
        size_t room = replay->room > 0 ? 2 * replay->room : 256;
        struct gathered *more = realloc(replay->gathered, room * sizeof *more);
        if (more == NULL)
            return error_no_memory(replay->error, "the spikes of a trace");
        replay->gathered = more;
        replay->room = room;
    }
    replay->gathered[replay->count++] =
        (struct gathered){.tick = tick, .population = population, .at = replay->used};
    return true;
}

static bool add_spike(struct replay *replay, uint32_t neuron, int32_t payload)
{
    if (replay->used == replay->pool_room) {
        size_t room = replay->pool_room > 0 ? 2 * replay->pool_room : 4096;
        uint32_t *neurons = realloc(replay->neurons, room * sizeof *neurons);
        replay->neurons = neurons != NULL ? neurons : replay->neurons;
        int32_t *payloads = realloc(replay->payload, room * sizeof *payloads);
        replay->payload = payloads != NULL ? payloads : replay->payload;
        if (neurons == NULL || payloads == NULL)
            return error_no_memory(replay->error, "the spikes of a trace");
        replay->pool_room = room;
    }
    replay->neurons[replay->used] = neuron;
    replay->payload[replay->used++] = payload;
    replay->gathered[replay->count - 1].length++;
    return true;
}

/* The counts of a vector, or a plain volley, as they are. */
static bool gather_whole(struct replay *replay, int64_t tick, uint32_t population)
{
    const struct spikes_reader *reader = &replay->reader;
    if (reader->length > 0 && !add_volley(replay, tick, population))
        return false;
    for (size_t i = 0; i < reader->length; i++)
        if (!add_spike(replay, reader->channels[i].neuron, reader->channels[i].count))
            return false;
    return true;
}

/* Each virtual tick by itself; every spike is one. */
static bool gather_steps(struct replay *replay, int64_t tick, uint32_t population)
{
    uint32_t step, last = UINT32_MAX;
    struct spike spike;
    while (spikes_next(&replay->reader, &step, &spike)) {
        if (step != last && !add_volley(replay, tick + step, population))
            return false;
        last = step;
        if (!add_spike(replay, spike.neuron, 1))
            return false;
    }
    return true;
}

static bool gather_row(struct replay *replay)
{
    sqlite3_stmt *row = replay->row;
    const struct load *load = replay->load;
    sqlite3_int64 population = sqlite3_column_int64(row, ROW_POPULATION);
    int64_t tick = sqlite3_column_int64(row, ROW_TICK);
    if (population < 0 || population >= load->population_count)
        return damaged(replay, "there is no such population");
    if (tick < 0 || tick > INT64_MAX / 2)
        return damaged(replay, "the tick is out of range");
    tick /= load->stride;
    const struct load_population *of = &load->populations[population];
    struct error failure = {0};
    const void *data = sqlite3_column_blob(row, ROW_DATA);
    if (!spikes_open(&replay->reader, data, (size_t)sqlite3_column_bytes(row, ROW_DATA), of->coding,
                     sqlite3_column_int64(row, ROW_TICKS), sqlite3_column_int64(row, ROW_ZERO),
                     &failure))
        return damaged(replay, failure.text);
    const struct spikes_reader *reader = &replay->reader;
    if (reader->length > 0 && reader->channels[reader->length - 1].neuron >= of->neurons)
        return damaged(replay, "a neuron is beyond its population");
    return replay->whole || of->coding == NULL
               ? gather_whole(replay, tick, (uint32_t)population)
               : gather_steps(replay, tick, (uint32_t)population);
}

static int compare(const void *left, const void *right)
{
    const struct gathered *a = left, *b = right;
    if (a->tick != b->tick)
        return a->tick < b->tick ? -1 : 1;
    return a->population < b->population ? -1 : a->population > b->population;
}

static bool show_gathered(struct replay *replay)
{
    bool good = true;
    if (!replay->load->clocked && replay->count > 1)
        qsort(replay->gathered, replay->count, sizeof *replay->gathered, compare);
    for (size_t i = 0; good && i < replay->count; i++) {
        const struct gathered *gathered = &replay->gathered[i];
        struct load_volley volley = {.tick = gathered->tick,
                                     .position = replay->position,
                                     .population = gathered->population,
                                     .length = gathered->length,
                                     .neurons = replay->neurons + gathered->at,
                                     .payload = replay->payload + gathered->at};
        good = replay->visit(replay->self, &volley, replay->error);
    }
    replay->count = replay->used = 0;
    return good;
}

static bool show_all(struct replay *replay)
{
    int code;
    int64_t last_tick = 0;
    while ((code = sqlite3_step(replay->row)) == SQLITE_ROW) {
        int64_t position = sqlite3_column_int64(replay->row, ROW_POSITION);
        int64_t tick = sqlite3_column_int64(replay->row, ROW_TICK);
        bool next = replay->load->clocked || position != replay->position;
        if (next && !show_gathered(replay))
            return false;
        if (replay->load->clocked && tick < last_tick)
            return damaged(replay, "the tick is before that of the volley before");
        last_tick = tick;
        replay->position = position;
        if (!gather_row(replay))
            return false;
    }
    if (code != SQLITE_DONE)
        return file_failure(replay->db, replay->load->path, replay->error);
    return show_gathered(replay);
}

static bool replay_load(const struct load *load, bool whole, load_visitor *visit, void *self,
                        struct error *error)
{
    if (!load->has_spikes)
        return error_set(error, ERROR_MISUSED,
                         "%s does not hold every spike of its run; run the model again with "
                         "--trace-level spike, all populations and ticks",
                         load->path != NULL ? load->path : "the run");
    struct replay replay = {.load = load, .whole = whole, .visit = visit, .self = self,
                            .error = error};
    replay.db = file_open_read(load->path, error);
    if (replay.db != NULL)
        replay.row = file_prepare(replay.db, load->path,
                                  "SELECT id, tick, population, position, ticks, zero, data "
                                  "FROM volley WHERE run = ?1 ORDER BY id",
                                  error);
    bool good = replay.row != NULL;
    if (good) {
        sqlite3_bind_int64(replay.row, 1, load->run);
        good = show_all(&replay);
    }
    sqlite3_finalize(replay.row);
    sqlite3_close(replay.db);
    spikes_close(&replay.reader);
    free(replay.gathered);
    free(replay.neurons);
    free(replay.payload);
    return good;
}

bool load_volleys(const struct load *load, load_visitor *visit, void *self, struct error *error)
{
    return replay_load(load, false, visit, self, error);
}

bool load_vectors(const struct load *load, load_visitor *visit, void *self, struct error *error)
{
    return replay_load(load, true, visit, self, error);
}
