/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "traces/replay.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>

#include "traces/file.h"
#include "traces/spikes.h"

/* The spikes of one population, in order of ticks. */
struct train_list {
    struct timed_spike *items; /* [room] */
    uint64_t length, room;
};

static const char complete[] =
    "SELECT count(*) FROM run WHERE id = ?1 AND level = 'spike' AND positions = 1 "
    "AND coalesce(first_position, 0) = 0 AND (last_position IS NULL OR last_position >= ticks)";

static const char volleys[] =
    "SELECT v.tick, v.ticks, v.zero, v.data FROM volley v JOIN population p "
    "ON p.run = v.run AND p.id = v.population WHERE v.run = ?1 AND p.name = ?2 ORDER BY v.id";

/* What nothing reaches is a source, of which the run says nothing either. */
static const char reached[] =
    "SELECT count(*) FROM projection j JOIN population p ON p.run = j.run AND p.id = j.target "
    "WHERE j.run = ?1 AND p.name = ?2";

enum { ROW_TICK, ROW_TICKS, ROW_ZERO, ROW_DATA };

static bool add(struct train_list *list, struct timed_spike spike, struct error *error)
{
    if (list->length == list->room) {
        uint64_t room = list->room == 0 ? 4096 : 2 * list->room;
        struct timed_spike *items = realloc(list->items, room * sizeof *items);
        if (items == NULL)
            return error_no_memory(error, "the spikes of a trace");
        list->items = items;
        list->room = room;
    }
    list->items[list->length++] = spike;
    return true;
}

static bool read_volley(sqlite3_stmt *row, struct spikes_reader *reader, struct train_list *list,
                        struct error *error)
{
    const void *data = sqlite3_column_blob(row, ROW_DATA);
    size_t length = (size_t)sqlite3_column_bytes(row, ROW_DATA);
    int64_t tick = sqlite3_column_int64(row, ROW_TICK);
    if (!spikes_open(reader, data, length, NULL, sqlite3_column_int64(row, ROW_TICKS),
                     sqlite3_column_int64(row, ROW_ZERO), error))
        return false;
    uint32_t step;
    struct spike spike;
    while (spikes_next(reader, &step, &spike))
        if (!add(list, (struct timed_spike){tick, spike.neuron, spike.payload}, error))
            return false;
    return true;
}

static bool read_train(sqlite3 *db, const char *path, int64_t run, const char *population,
                       struct train_list *list, struct error *error)
{
    sqlite3_stmt *statement = file_prepare(db, path, volleys, error);
    if (statement == NULL)
        return false;
    sqlite3_bind_int64(statement, 1, run);
    sqlite3_bind_text(statement, 2, population, -1, SQLITE_STATIC);
    struct spikes_reader reader = {0};
    struct error failure = {0};
    bool good = true;
    int code = SQLITE_DONE;
    while (good && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        good = read_volley(statement, &reader, list, &failure);
        if (!good)
            error_set(error, failure.code, "trace '%s' is damaged: %s", path, failure.text);
    }
    if (good && code != SQLITE_DONE)
        good = file_failure(db, path, error);
    spikes_close(&reader);
    sqlite3_finalize(statement);
    return good;
}

/* The number that a query of a run (?1) and a name (?2) answers; -1 with error. */
static int ask(sqlite3 *db, const char *path, const char *query, int64_t run, const char *name,
               struct error *error)
{
    sqlite3_stmt *statement = file_prepare(db, path, query, error);
    if (statement == NULL)
        return -1;
    sqlite3_bind_int64(statement, 1, run);
    if (name != NULL)
        sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
    int answer = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int(statement, 0) : -1;
    if (answer < 0)
        file_failure(db, path, error);
    sqlite3_finalize(statement);
    return answer;
}

/* Whether the population was among those that were traced: 1, 0, or -1 with error. */
static int is_traced(sqlite3 *db, const char *path, int64_t run, const char *name,
                     struct error *error)
{
    sqlite3_stmt *statement =
        file_prepare(db, path, "SELECT pattern FROM run WHERE id = ?1", error);
    if (statement == NULL)
        return -1;
    sqlite3_bind_int64(statement, 1, run);
    int answer = -1;
    if (sqlite3_step(statement) == SQLITE_ROW) {
        const char *pattern = (const char *)sqlite3_column_text(statement, 0);
        answer = pattern == NULL || fnmatch(pattern, name, 0) == 0;
    } else {
        file_failure(db, path, error);
    }
    sqlite3_finalize(statement);
    return answer;
}

static bool replay(sqlite3 *db, const char *path, const struct report *report,
                   const struct activity_options *options, struct activity_figures *figures,
                   struct error *error)
{
    for (uint32_t i = 0; i < report->row_count; i++) {
        const struct report_row *row = &report->rows[i];
        struct train_list list = {0};
        int wanted = is_traced(db, path, report->run, row->name, error);
        if (wanted > 0)
            wanted = ask(db, path, reached, report->run, row->name, error);
        bool good = wanted == 0 ||
                    (wanted > 0 && read_train(db, path, report->run, row->name, &list, error));
        if (good && wanted > 0)
            good = activity_from_spikes(list.items, list.length, row->neurons,
                                        (int64_t)report->ticks, options, &figures[i], error);
        free(list.items);
        if (!good)
            return false;
    }
    return true;
}

bool replay_activity(const char *path, const struct report *report,
                     const struct activity_options *options, struct activity_figures *figures,
                     struct error *error)
{
    for (uint32_t i = 0; i < report->row_count; i++)
        figures[i] = (struct activity_figures){.rate = NAN, .cv_mean = NAN, .cv_median = NAN,
                                               .synchrony = NAN, .correlation = NAN,
                                               .silent_fraction = NAN};
    struct activity_options own = *options;
    own.tick_seconds = report->tick_seconds;
    sqlite3 *db = file_open_read(path, error);
    int answer = db != NULL ? ask(db, path, complete, report->run, NULL, error) : -1;
    bool good = answer == 0 || (answer > 0 && replay(db, path, report, &own, figures, error));
    sqlite3_close(db);
    return good;
}
