/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Invariant: no statement is left half-read and no transaction open between two calls, since the
 * runs of the sweep are written into the same file meanwhile.
 */
#include "traces/sweeps.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "traces/file.h"
#include "traces/schema.h"

enum { PATIENCE_MS = 60000 }; /* for the runs, many of which may begin at once */

const char *const sweep_figure_names[] = {"bits_per_character",
                                          "bits_per_token",
                                          "accuracy",
                                          "spikes",
                                          "synops",
                                          "ticks",
                                          "mean_spikes",
                                          "silent_fraction",
                                          "slot_sparsity_3",
                                          "slot_sparsity",
                                          "report_sparsity",
                                          "small_counts"};

/* The same as columns of a statement, and as many parameters from ?7 on. */
#define FIGURE_COLUMNS                                                                             \
    "bits_per_character, bits_per_token, accuracy, spikes, synops, ticks, mean_spikes, "           \
    "silent_fraction, slot_sparsity_3, slot_sparsity, report_sparsity, small_counts"
#define FIGURE_PARAMETERS "?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18"

const char *const point_status_names[] = {"waiting", "done", "failed"};

struct sweeps {
    sqlite3 *db;
    char *path;
};

/* ---- points ---- */

void swept_point_begin(struct swept_point *point, const char *options)
{
    *point = (struct swept_point){.options = options, .wall_seconds = NAN};
    for (int i = 0; i < SWEEP_FIGURES; i++)
        point->figure[i] = NAN;
}

void swept_point_clear(struct swept_point *point)
{
    for (size_t i = 0; i < point->cost_count; i++) {
        free(point->costs[i].chip);
        free(point->costs[i].message);
    }
    free(point->costs);
    free(point->message);
    point->costs = NULL;
    point->cost_count = 0;
    point->message = NULL;
}

/* ---- statements ---- */

static sqlite3_stmt *prepare(const struct sweeps *sweeps, const char *sql, struct error *error)
{
    return file_prepare(sweeps->db, sweeps->path, sql, error);
}

static bool execute(const struct sweeps *sweeps, const char *sql, struct error *error)
{
    return file_execute(sweeps->db, sweeps->path, sql, error);
}

static void bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    sqlite3_bind_text(statement, index, text, -1, SQLITE_TRANSIENT); /* NULL binds NULL */
}

static void bind_number(sqlite3_stmt *statement, int index, double number)
{
    if (isfinite(number))
        sqlite3_bind_double(statement, index, number);
    else
        sqlite3_bind_null(statement, index);
}

/* What is not there is no figure. */
static double column_number(sqlite3_stmt *statement, int column)
{
    return sqlite3_column_type(statement, column) == SQLITE_NULL
               ? NAN
               : sqlite3_column_double(statement, column);
}

/* Whether there is a row; false with error where the query failed. */
static bool step(const struct sweeps *sweeps, sqlite3_stmt *statement, struct error *error)
{
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        file_failure(sweeps->db, sweeps->path, error);
    return code == SQLITE_ROW;
}

/* Runs a statement once and releases it. */
static bool run_once(const struct sweeps *sweeps, sqlite3_stmt *statement, struct error *error)
{
    bool done = statement != NULL && file_run(sweeps->db, sweeps->path, statement, error);
    sqlite3_finalize(statement);
    return done;
}

static bool commit(const struct sweeps *sweeps, bool done, struct error *error)
{
    if (done && execute(sweeps, "COMMIT", error))
        return true;
    sqlite3_exec(sweeps->db, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

/* ---- opening ---- */

static bool make_tables(struct sweeps *sweeps, struct error *error)
{
    if (file_check(sweeps->db, sweeps->path, error) == FILE_FOREIGN ||
        !execute(sweeps, "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE", error))
        return false;
    enum file_kind kind = file_check(sweeps->db, sweeps->path, error); /* nobody else, now */
    return commit(sweeps,
                  kind == FILE_TRACE ||
                      (kind == FILE_EMPTY && execute(sweeps, schema_sql, error)),
                  error);
}

struct sweeps *sweeps_open(const char *path, struct error *error)
{
    bool created = false, done = false;
    struct sweeps *sweeps = calloc(1, sizeof *sweeps);
    if (sweeps != NULL)
        sweeps->path = strdup(path);
    if (sweeps == NULL || sweeps->path == NULL)
        error_no_memory(error, "the sweep");
    else if ((sweeps->db = file_open_write(path, &created, error)) != NULL) {
        sqlite3_busy_timeout(sweeps->db, PATIENCE_MS);
        done = make_tables(sweeps, error);
    }
    if (done) {
        sqlite3_exec(sweeps->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        return sweeps;
    }
    if (sweeps != NULL) {
        sqlite3_close(sweeps->db);
        free(sweeps->path);
    }
    free(sweeps);
    if (created)
        file_remove(path);
    return NULL;
}

void sweeps_close(struct sweeps *sweeps)
{
    if (sweeps == NULL)
        return;
    sqlite3_busy_timeout(sweeps->db, 500);
    if (sqlite3_exec(sweeps->db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL) == SQLITE_OK)
        sqlite3_exec(sweeps->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    sqlite3_close(sweeps->db);
    free(sweeps->path);
    free(sweeps);
}

void sweeps_remove(const char *path)
{
    file_remove(path);
}

/* ---- finding what was done ---- */

static void bind_model(sqlite3_stmt *statement, const struct swept_model *model)
{
    char now[32];
    struct tm utc;
    time_t seconds = time(NULL);
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc));
    bind_text(statement, 1, model->model);
    bind_text(statement, 2, model->data);
    bind_text(statement, 3, model->digest);
    bind_text(statement, 4, model->axes);
    bind_text(statement, 5, model->settings);
    bind_text(statement, 6, file_program_version());
    bind_text(statement, 7, model->command);
    bind_text(statement, 8, model->kind);
    bind_text(statement, 9, model->unit);
    bind_text(statement, 10, now);
}

/* The sweep's row, a new one if there is none. */
static bool find_sweep(struct sweeps *sweeps, const struct swept_model *model, int64_t *id,
                       struct error *error)
{
    sqlite3_stmt *statement =
        prepare(sweeps,
                "SELECT id FROM sweep WHERE model = ?1 AND data = ?2 AND digest = ?3 AND "
                "axes = ?4 AND settings = ?5 AND version = ?6 ORDER BY id DESC LIMIT 1", error);
    if (statement == NULL)
        return false;
    bind_model(statement, model); /* what has no place in it is left out */
    bool found = step(sweeps, statement, error);
    *id = found ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    if (found || error->code != ERROR_NONE)
        return found;
    statement = prepare(sweeps,
                        "INSERT INTO sweep (model, data, digest, axes, settings, version, command, "
                        "kind, unit, made) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                        error);
    if (statement != NULL)
        bind_model(statement, model);
    bool done = run_once(sweeps, statement, error);
    *id = sqlite3_last_insert_rowid(sweeps->db);
    return done;
}

/* The point of the same options that was done last, by any sweep of the same digest. */
static bool find_done(struct sweeps *sweeps, const struct swept_model *model,
                      struct swept_point *point, sqlite3_stmt *statement, struct error *error)
{
    bind_text(statement, 1, point->options);
    bind_text(statement, 2, model->digest);
    bind_text(statement, 3, file_program_version());
    bool found = step(sweeps, statement, error);
    if (found) {
        point->status = POINT_DONE;
        point->run = sqlite3_column_int64(statement, 0);
        point->units = (uint64_t)sqlite3_column_int64(statement, 1);
        point->wall_seconds = column_number(statement, 2);
        for (int i = 0; i < SWEEP_FIGURES; i++)
            point->figure[i] = column_number(statement, 3 + i);
    }
    sqlite3_reset(statement);
    return error->code == ERROR_NONE;
}

/* The point's row in the sweep, a waiting one if there is none. */
static bool find_row(struct sweeps *sweeps, int64_t sweep, size_t number,
                     struct swept_point *point, struct error *error)
{
    sqlite3_stmt *statement =
        prepare(sweeps, "SELECT id FROM sweep_point WHERE sweep = ?1 AND number = ?2", error);
    if (statement == NULL)
        return false;
    sqlite3_bind_int64(statement, 1, sweep);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)number);
    bool found = step(sweeps, statement, error);
    point->id = found ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    if (found || error->code != ERROR_NONE)
        return found;
    statement = prepare(sweeps,
                        "INSERT INTO sweep_point (sweep, number, options, status) "
                        "VALUES (?1, ?2, ?3, 'waiting')", error);
    if (statement != NULL) {
        sqlite3_bind_int64(statement, 1, sweep);
        sqlite3_bind_int64(statement, 2, (sqlite3_int64)number);
        bind_text(statement, 3, point->options);
    }
    bool done = run_once(sweeps, statement, error);
    point->id = sqlite3_last_insert_rowid(sweeps->db);
    return done;
}

static bool begin_points(struct sweeps *sweeps, const struct swept_model *model,
                         struct swept_point *points, size_t count, struct error *error)
{
    int64_t sweep;
    sqlite3_stmt *done =
        prepare(sweeps,
                "SELECT run, units, wall_seconds, " FIGURE_COLUMNS " FROM sweep_point "
                "WHERE options = ?1 AND status = 'done' AND "
                "sweep IN (SELECT id FROM sweep WHERE digest = ?2 AND version = ?3) AND "
                "run IN (SELECT id FROM run WHERE status = 'done') ORDER BY id DESC LIMIT 1",
                error);
    bool good = done != NULL && find_sweep(sweeps, model, &sweep, error);
    for (size_t i = 0; good && i < count; i++)
        good = find_row(sweeps, sweep, i + 1, &points[i], error) &&
               find_done(sweeps, model, &points[i], done, error);
    sqlite3_finalize(done);
    return good;
}

bool sweeps_begin(struct sweeps *sweeps, const struct swept_model *model,
                  struct swept_point *points, size_t count, struct error *error)
{
    return execute(sweeps, "BEGIN IMMEDIATE", error) &&
           commit(sweeps, begin_points(sweeps, model, points, count, error), error);
}

/* ---- reading runs ---- */

static bool find_run(struct sweeps *sweeps, const char *command, struct swept_point *point,
                     struct error *error)
{
    sqlite3_stmt *statement = prepare(sweeps,
                                      "SELECT id FROM run WHERE command = ?1 AND status = 'done' "
                                      "ORDER BY id DESC LIMIT 1", error);
    if (statement == NULL)
        return false;
    bind_text(statement, 1, command);
    bool found = step(sweeps, statement, error);
    if (found)
        point->run = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return found || error_set(error, ERROR_FAILED, "trace '%s' lacks the run of this point",
                              sweeps->path);
}

/* Sums over the spiking populations; the view layer_sparsity has the same for each of them. */
static const char counters[] =
    "SELECT r.positions, r.ticks, r.wall_seconds, total(p.channels), total(p.silent), "
    "total(p.spikes), total(p.spikes_up_to_3), total(p.slots), total(p.synops) "
    "FROM run r LEFT JOIN population p ON p.run = r.id AND p.spiking WHERE r.id = ?1 GROUP BY r.id";

static void read_counters(sqlite3_stmt *row, struct swept_point *point)
{
    double *figure = point->figure;
    double channels = sqlite3_column_double(row, 3), silent = sqlite3_column_double(row, 4),
           spikes = sqlite3_column_double(row, 5), up_to_3 = sqlite3_column_double(row, 6),
           slots = sqlite3_column_double(row, 7), synops = sqlite3_column_double(row, 8);
    point->units = (uint64_t)sqlite3_column_int64(row, 0);
    point->wall_seconds = sqlite3_column_double(row, 2);
    double units = point->units > 0 ? (double)point->units : NAN;
    figure[FIGURE_TICKS] = sqlite3_column_double(row, 1) / units;
    figure[FIGURE_SPIKES] = spikes / units;
    figure[FIGURE_SYNOPS] = synops / units;
    if (channels <= 0)
        return;
    double empty_of_3 = 3 * channels - up_to_3;
    figure[FIGURE_MEAN_SPIKES] = spikes / channels;
    figure[FIGURE_SILENT_FRACTION] = silent / channels;
    figure[FIGURE_SLOT_SPARSITY_3] = 1 - up_to_3 / (3 * channels);
    figure[FIGURE_SLOT_SPARSITY] = slots > 0 ? 1 - spikes / slots : NAN;
    figure[FIGURE_REPORT_SPARSITY] = empty_of_3 / (empty_of_3 + channels - silent);
}

/* Reads what a query of one row gives for the point's run. */
static bool read_row(struct sweeps *sweeps, const char *sql, struct swept_point *point,
                     void (*take)(sqlite3_stmt *row, struct swept_point *point),
                     struct error *error)
{
    sqlite3_stmt *statement = prepare(sweeps, sql, error);
    if (statement == NULL)
        return false;
    sqlite3_bind_int64(statement, 1, point->run);
    bool found = step(sweeps, statement, error);
    if (found)
        take(statement, point);
    sqlite3_finalize(statement);
    return found || error_set(error, ERROR_FAILED, "trace '%s' no longer holds run %lld",
                              sweeps->path, (long long)point->run);
}

static void read_small(sqlite3_stmt *row, struct swept_point *point)
{
    point->figure[FIGURE_SMALL_COUNTS] = column_number(row, 0); /* no histogram: NULL */
}

static const char small_counts[] =
    "SELECT sum(h.channels) FILTER (WHERE h.value BETWEEN -7 AND 7) * 1.0 / sum(h.channels) "
    "FROM histogram h JOIN population p ON p.run = h.run AND p.id = h.population "
    "AND p.coding IS NOT NULL WHERE h.run = ?1";

bool sweeps_read_run(struct sweeps *sweeps, const char *command, struct swept_point *point,
                     struct error *error)
{
    return (point->run > 0 || find_run(sweeps, command, point, error)) &&
           read_row(sweeps, counters, point, read_counters, error) &&
           read_row(sweeps, small_counts, point, read_small, error);
}

/* ---- writing ---- */

static bool put_costs(struct sweeps *sweeps, const struct swept_point *point, struct error *error)
{
    sqlite3_stmt *statement = prepare(sweeps, "DELETE FROM sweep_energy WHERE point = ?1", error);
    if (statement != NULL)
        sqlite3_bind_int64(statement, 1, point->id);
    bool done = run_once(sweeps, statement, error);
    statement = prepare(sweeps,
                        "INSERT INTO sweep_energy (point, place, chip, joules, joules_bound, "
                        "seconds, seconds_bound, message) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                        error);
    for (size_t i = 0; done && statement != NULL && i < point->cost_count; i++) {
        const struct swept_cost *cost = &point->costs[i];
        sqlite3_bind_int64(statement, 1, point->id);
        sqlite3_bind_int64(statement, 2, (sqlite3_int64)i);
        bind_text(statement, 3, cost->chip);
        bind_number(statement, 4, cost->joules);
        bind_text(statement, 5, cost->joules_bound);
        bind_number(statement, 6, cost->seconds);
        bind_text(statement, 7, cost->seconds_bound);
        bind_text(statement, 8, cost->message);
        done = file_run(sweeps->db, sweeps->path, statement, error);
    }
    done = done && statement != NULL;
    sqlite3_finalize(statement);
    return done;
}

static bool put_point(struct sweeps *sweeps, const struct swept_point *point, struct error *error)
{
    sqlite3_stmt *statement =
        prepare(sweeps,
                "UPDATE sweep_point SET (status, message, run, units, wall_seconds, "
                FIGURE_COLUMNS ") = (?2, ?3, ?4, ?5, ?6, " FIGURE_PARAMETERS ") WHERE id = ?1",
                error);
    if (statement == NULL)
        return false;
    bool done = point->status == POINT_DONE;
    sqlite3_bind_int64(statement, 1, point->id);
    bind_text(statement, 2, point_status_names[point->status]);
    bind_text(statement, 3, point->message);
    if (point->run > 0)
        sqlite3_bind_int64(statement, 4, point->run);
    if (done)
        sqlite3_bind_int64(statement, 5, (sqlite3_int64)point->units);
    bind_number(statement, 6, point->wall_seconds);
    for (int i = 0; i < SWEEP_FIGURES; i++)
        bind_number(statement, 7 + i, point->figure[i]);
    return run_once(sweeps, statement, error);
}

bool sweeps_put(struct sweeps *sweeps, const struct swept_point *point, struct error *error)
{
    return execute(sweeps, "BEGIN IMMEDIATE", error) &&
           commit(sweeps, put_point(sweeps, point, error) && put_costs(sweeps, point, error),
                  error);
}

static bool put_marks(struct sweeps *sweeps, const struct swept_point *points, size_t count,
                      struct error *error)
{
    sqlite3_stmt *statement =
        prepare(sweeps, "UPDATE sweep_point SET front = ?2 WHERE id = ?1", error);
    bool done = statement != NULL;
    for (size_t i = 0; done && i < count; i++) {
        sqlite3_bind_int64(statement, 1, points[i].id);
        sqlite3_bind_int64(statement, 2, points[i].front);
        done = file_run(sweeps->db, sweeps->path, statement, error);
    }
    sqlite3_finalize(statement);
    return done;
}

bool sweeps_put_front(struct sweeps *sweeps, const struct swept_point *points, size_t count,
                      struct error *error)
{
    return execute(sweeps, "BEGIN IMMEDIATE", error) &&
           commit(sweeps, put_marks(sweeps, points, count, error), error);
}
