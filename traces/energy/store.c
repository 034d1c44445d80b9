/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "traces/energy/store.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "traces/file.h"

enum { OF_THE_CHIP = -1 }; /* estimate_term.population of what belongs to no population */

/* The trace that is written, and its prepared statements. */
struct store {
    sqlite3 *db;
    const char *path;
    sqlite3_stmt *forget[3]; /* placement, estimate_term, estimate: of run, chip and options */
    sqlite3_stmt *estimate, *term, *placement;
    struct error *error;
};

/* What was asked for, as JSON with sorted keys, so that equal options are equal texts; from malloc,
 * NULL when memory is short. */
static char *options_text(const struct stored_estimate *stored)
{
    const struct estimate_options *options = &stored->estimate->options;
    char seed[24];
    snprintf(seed, sizeof seed, "%" PRIu64, options->seed);
    json_t *object = json_pack("{ss ss sb sb si ss ss*}", "placement",
                               placement_names[options->method], "channel_order",
                               options->by_activity ? "by-activity" : "natural", "beyond_limits",
                               options->beyond_limits, "queue", options->queue, "samples",
                               (int)options->samples, "seed", seed, "what_if", stored->changes);
    char *text = object != NULL ? json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(object);
    return text;
}

static sqlite3_stmt *prepare(struct store *store, const char *sql)
{
    return file_prepare(store->db, store->path, sql, store->error);
}

#define ESTIMATES_OF "(SELECT id FROM estimate WHERE run = ?1 AND chip = ?2 AND options = ?3)"

static bool prepare_all(struct store *store)
{
    return (store->forget[0] = prepare(
                store, "DELETE FROM placement WHERE estimate IN " ESTIMATES_OF)) != NULL &&
           (store->forget[1] = prepare(
                store, "DELETE FROM estimate_term WHERE estimate IN " ESTIMATES_OF)) != NULL &&
           (store->forget[2] = prepare(
                store,
                "DELETE FROM estimate WHERE run = ?1 AND chip = ?2 AND options = ?3")) != NULL &&
           (store->estimate = prepare(
                store, "INSERT INTO estimate (run, chip, options, chip_digest, made, version, "
                       "unit, inferences, joules, low, high, platform_joules, seconds, "
                       "seconds_per_inference, placement, cores, chips) VALUES (?1, ?2, ?3, ?4, "
                       "?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)")) != NULL &&
           (store->term = prepare(store, "INSERT INTO estimate_term (estimate, population, term, "
                                         "joules) VALUES (?1, ?2, ?3, ?4)")) != NULL &&
           (store->placement = prepare(
                store, "INSERT INTO placement (estimate, population, port, first, count, chip, "
                       "core, x, y) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")) != NULL;
}

static bool run(struct store *store, sqlite3_stmt *statement)
{
    return file_run(store->db, store->path, statement, store->error);
}

/* Run, chip and options, which tell one estimate from another, are the first three of each. */
static void bind_key(sqlite3_stmt *statement, const struct estimate *estimate, const char *options)
{
    sqlite3_bind_int64(statement, 1, estimate->load->run);
    sqlite3_bind_text(statement, 2, estimate->chip->name, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(statement, 3, options, -1, SQLITE_TRANSIENT);
}

static bool insert_estimate(struct store *store, const struct estimate *estimate,
                            const char *options, sqlite3_int64 *id)
{
    const struct latency *latency = &estimate->latency;
    sqlite3_stmt *statement = store->estimate;
    char now[32];
    struct tm utc;
    time_t seconds = time(NULL);
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc));
    sqlite3_clear_bindings(statement); /* what is not bound below is NULL */
    bind_key(statement, estimate, options);
    sqlite3_bind_text(statement, 4, estimate->chip->digest, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(statement, 5, now, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(statement, 6, file_program_version(), -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(statement, 7, load_unit(estimate->load), -1, SQLITE_TRANSIENT);
    sqlite3_bind_double(statement, 8, load_inferences(estimate->load));
    sqlite3_bind_double(statement, 9, estimate->total);
    sqlite3_bind_double(statement, 10, estimate->low);
    sqlite3_bind_double(statement, 11, estimate->high);
    sqlite3_bind_double(statement, 12, estimate->platform);
    if (latency->known) {
        sqlite3_bind_double(statement, 13, latency->seconds);
        sqlite3_bind_double(statement, 14, latency->per_inference);
    }
    if (estimate->placement != NULL) {
        const struct placement *placement = estimate->placement;
        sqlite3_bind_text(statement, 15, placement_names[placement->method], -1,
                          SQLITE_TRANSIENT);
        sqlite3_bind_int64(statement, 16, placement->core_count);
        sqlite3_bind_int64(statement, 17, placement->chips);
    }
    if (!run(store, statement))
        return false;
    *id = sqlite3_last_insert_rowid(store->db);
    return true;
}

static bool insert_terms(struct store *store, const struct estimate *estimate, sqlite3_int64 id)
{
    for (uint32_t r = 0; r < estimate->row_count; r++) {
        const struct estimate_row *row = &estimate->rows[r];
        int64_t population =
            row->population != UINT32_MAX ? (int64_t)row->population : OF_THE_CHIP;
        for (int term = 0; term < TERMS; term++) {
            if (row->joules[term] == 0)
                continue;
            sqlite3_bind_int64(store->term, 1, id);
            sqlite3_bind_int64(store->term, 2, population);
            sqlite3_bind_text(store->term, 3, energy_term_names[term], -1, SQLITE_STATIC);
            sqlite3_bind_double(store->term, 4, row->joules[term]);
            if (!run(store, store->term))
                return false;
        }
    }
    return true;
}

static bool insert_placement(struct store *store, const struct estimate *estimate,
                             sqlite3_int64 id)
{
    const struct placement *placement = estimate->placement;
    uint32_t cores = chip_cores(estimate->chip);
    for (uint32_t i = 0; placement != NULL && i < placement->range_count; i++) {
        const struct placed_range *range = &placement->ranges[i];
        const struct load_compartment *compartment =
            &estimate->load->compartments[range->compartment];
        const struct core *core = &placement->cores[range->core];
        sqlite3_bind_int64(store->placement, 1, id);
        sqlite3_bind_int64(store->placement, 2, compartment->population);
        sqlite3_bind_text(store->placement, 3, compartment->port != NULL ? compartment->port : "",
                          -1, SQLITE_TRANSIENT);
        sqlite3_bind_int64(store->placement, 4, range->first);
        sqlite3_bind_int64(store->placement, 5, range->count);
        sqlite3_bind_int64(store->placement, 6, core->chip);
        sqlite3_bind_int64(store->placement, 7, core->place - (int64_t)core->chip * cores);
        sqlite3_bind_int64(store->placement, 8, core->x);
        sqlite3_bind_int64(store->placement, 9, core->y);
        if (!run(store, store->placement))
            return false;
    }
    return true;
}

static bool insert_all(struct store *store, const struct stored_estimate *stored)
{
    char *options = options_text(stored);
    if (options == NULL)
        return error_no_memory(store->error, "the trace");
    bool good = true;
    for (int i = 0; good && i < 3; i++) {
        bind_key(store->forget[i], stored->estimate, options);
        good = run(store, store->forget[i]);
    }
    sqlite3_int64 id = 0;
    good = good && insert_estimate(store, stored->estimate, options, &id) &&
           insert_terms(store, stored->estimate, id) &&
           insert_placement(store, stored->estimate, id);
    free(options);
    return good;
}

/* Between reading and writing, somebody may have put another file there. */
static bool find_run(struct store *store, int64_t id)
{
    sqlite3_stmt *statement = prepare(store, "SELECT 1 FROM run WHERE id = ?1");
    if (statement == NULL)
        return false;
    sqlite3_bind_int64(statement, 1, id);
    int code = sqlite3_step(statement);
    bool found = code == SQLITE_ROW;
    if (code == SQLITE_DONE)
        error_set(store->error, ERROR_FAILED, "trace '%s' no longer holds run %lld", store->path,
                  (long long)id);
    else if (!found)
        file_failure(store->db, store->path, store->error);
    sqlite3_finalize(statement);
    return found;
}

static bool open_trace(struct store *store)
{
    bool created;
    store->db = file_open_write(store->path, &created, store->error);
    if (store->db == NULL)
        return false;
    enum file_kind kind = file_check(store->db, store->path, store->error);
    if (created)
        file_remove(store->path);
    return kind == FILE_TRACE ||
           error_set(store->error, ERROR_FAILED, "trace '%s' is no longer there", store->path);
}

bool store_estimates(const struct stored_estimate *estimates, size_t count, struct error *error)
{
    if (count == 0)
        return true;
    const struct load *load = estimates[0].estimate->load;
    struct store store = {.path = load->path, .error = error};
    if (load->path == NULL)
        return error_set(error, ERROR_MISUSED, "the run has no trace to keep estimates in");
    bool good = open_trace(&store) &&
                file_execute(store.db, store.path, "BEGIN IMMEDIATE", error) &&
                find_run(&store, load->run) && prepare_all(&store);
    for (size_t i = 0; good && i < count; i++)
        good = insert_all(&store, &estimates[i]);
    good = good && file_execute(store.db, store.path, "COMMIT", error);
    for (int i = 0; i < 3; i++)
        sqlite3_finalize(store.forget[i]);
    sqlite3_finalize(store.estimate);
    sqlite3_finalize(store.term);
    sqlite3_finalize(store.placement);
    sqlite3_close(store.db); /* takes back what was not committed */
    return good;
}
