/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "traces/run_rows.h"

#include "traces/energy.h"
#include "traces/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static const char *const level_names[] = {"summary", "volley", "spike"};
enum { COUNTERS = 9 }; /* of a population */

bool population_is_spiking(const struct population *population)
{
    return population->train != NULL || population->spikes != NULL;
}

static sqlite3_stmt *prepare(const struct run_rows *rows, const char *sql, struct error *error)
{
    return file_prepare(rows->db, rows->path, sql, error);
}

static bool run(const struct run_rows *rows, sqlite3_stmt *statement, struct error *error)
{
    return file_run(rows->db, rows->path, statement, error);
}

/* NULL binds NULL. */
static void bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    sqlite3_bind_text(statement, index, text, -1, SQLITE_TRANSIENT);
}

/* A count; one beyond SQLite's integers stays at the largest. */
static void bind_count(sqlite3_stmt *statement, int index, uint64_t count)
{
    sqlite3_bind_int64(statement, index, count > INT64_MAX ? INT64_MAX : (sqlite3_int64)count);
}

/* A number that is no count: beyond SQLite's integers it becomes text. */
static void bind_seed(sqlite3_stmt *statement, int index, uint64_t seed)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, seed);
    if (seed <= INT64_MAX)
        bind_count(statement, index, seed);
    else
        bind_text(statement, index, digits);
}

static const char *time_now(char text[static 32])
{
    struct tm utc;
    time_t now = time(NULL);
    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    return text;
}

static bool insert_run(struct run_rows *rows, const struct trace_options *options,
                       const struct run_facts *facts, struct error *error)
{
    sqlite3_stmt *statement = prepare(
        rows,
        "INSERT INTO run (status, started, version, command, network, model, model_digest, coding, "
        "k, down_proj, attention_window, seed, dense_macs, tick_seconds, level, pattern, "
        "first_position, last_position) VALUES ('running', ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, "
        "?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        error);
    if (statement == NULL)
        return false;
    char now[32];
    bind_text(statement, 1, time_now(now));
    bind_text(statement, 2, file_program_version());
    bind_text(statement, 3, facts->command);
    bind_text(statement, 4, rows->network->name);
    bind_text(statement, 5, facts->model);
    bind_text(statement, 6, facts->model_digest);
    bind_text(statement, 7, facts->coding);
    sqlite3_bind_double(statement, 8, facts->k);
    bind_text(statement, 9, facts->down_proj);
    sqlite3_bind_int64(statement, 10, facts->window);
    bind_seed(statement, 11, facts->seed);
    bind_count(statement, 12, facts->dense_macs);
    sqlite3_bind_double(statement, 13, rows->network->tick_seconds);
    bind_text(statement, 14, level_names[options->level]);
    bind_text(statement, 15, options->populations);
    sqlite3_bind_int64(statement, 16, options->first);
    sqlite3_bind_int64(statement, 17, options->last);
    bool done = run(rows, statement, error);
    rows->run = sqlite3_last_insert_rowid(rows->db);
    sqlite3_finalize(statement);
    return done;
}

static bool insert_populations(const struct run_rows *rows, struct error *error)
{
    sqlite3_stmt *statement = prepare(
        rows,
        "INSERT INTO population (run, id, name, layer, model, neurons, spiking, clocked, coding) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        error);
    bool done = statement != NULL;
    for (uint32_t i = 0; done && i < rows->network->population_count; i++) {
        const struct population *population = rows->network->populations[i];
        const struct train *train = population->train;
        sqlite3_bind_int64(statement, 1, rows->run);
        sqlite3_bind_int64(statement, 2, i);
        bind_text(statement, 3, population->name != NULL ? population->name : "");
        sqlite3_bind_int64(statement, 4, population->layer);
        bind_text(statement, 5, population->model != NULL ? population->model->name : "");
        sqlite3_bind_int64(statement, 6, population->neurons);
        sqlite3_bind_int64(statement, 7, population_is_spiking(population));
        sqlite3_bind_int64(statement, 8, population->clocked);
        bind_text(statement, 9, train != NULL ? train->coding->name : NULL);
        done = run(rows, statement, error);
    }
    sqlite3_finalize(statement);
    return done;
}

static bool insert_projections(const struct run_rows *rows, struct error *error)
{
    sqlite3_stmt *statement = prepare(
        rows,
        "INSERT INTO projection (run, id, name, kind, source, target, carries, delay, synapses, "
        "weight_count, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        error);
    bool done = statement != NULL;
    for (uint32_t p = 0; done && p < rows->network->projection_count; p++) {
        const struct projection *projection = rows->network->projections[p];
        sqlite3_bind_int64(statement, 1, rows->run);
        sqlite3_bind_int64(statement, 2, p);
        bind_text(statement, 3, projection->name != NULL ? projection->name : "");
        bind_text(statement, 4, projection->kind != NULL ? projection->kind->name : "");
        sqlite3_bind_int64(statement, 5, projection->source->id);
        sqlite3_bind_int64(statement, 6, projection->target->id);
        bind_text(statement, 7, projection->carries == CARRIES_SPIKES ? "spikes" : "values");
        sqlite3_bind_int64(statement, 8, projection->delay);
        bind_count(statement, 9, projection->synapses);
        bind_count(statement, 10, projection->weight_count);
        bind_count(statement, 11, projection->bytes);
        done = run(rows, statement, error);
    }
    sqlite3_finalize(statement);
    return done;
}

static bool insert_coefficients(const struct run_rows *rows, struct error *error)
{
    sqlite3_stmt *statement = prepare(rows,
                                      "INSERT OR REPLACE INTO coefficient (name, value, unit, "
                                      "evidence, source) VALUES (?1, ?2, ?3, ?4, ?5)",
                                      error);
    bool done = statement != NULL;
    for (int i = 0; done && i < ENERGY_COSTS; i++) {
        bind_text(statement, 1, energy_coefficients[i].name);
        sqlite3_bind_double(statement, 2, energy_coefficients[i].value);
        bind_text(statement, 3, energy_coefficients[i].unit);
        bind_text(statement, 4, energy_coefficients[i].evidence);
        bind_text(statement, 5, energy_coefficients[i].source);
        done = run(rows, statement, error);
    }
    sqlite3_finalize(statement);
    return done;
}

bool run_rows_begin(struct run_rows *rows, const struct trace_options *options,
                    const struct run_facts *facts, struct error *error)
{
    return insert_run(rows, options, facts, error) && insert_populations(rows, error) &&
           insert_projections(rows, error) && insert_coefficients(rows, error);
}

size_t counters_length(const struct network *network)
{
    return 2 + (size_t)COUNTERS * network->population_count + network->projection_count;
}

void counters_copy(const struct tally *tally, uint64_t *counters)
{
    *counters++ = tally->positions;
    *counters++ = tally->ticks;
    for (uint32_t i = 0; i < tally->network->population_count; i++) {
        const struct population_tally *sum = &tally->populations[i];
        *counters++ = sum->vectors;
        *counters++ = sum->channels;
        *counters++ = sum->silent;
        *counters++ = sum->spikes;
        *counters++ = sum->spikes_up_to_3;
        *counters++ = sum->slots;
        *counters++ = sum->sram_blocks;
        *counters++ = sum->dram_blocks;
        *counters++ = sum->synops;
    }
    for (uint32_t p = 0; p < tally->network->projection_count; p++)
        *counters++ = tally_synops(tally, p);
}

/* Runs sql once for every id below `ids`: ?1 is the run, ?2 the id, then come `width` counters. */
static bool update_each(const struct run_rows *rows, const char *sql, uint32_t ids,
                        const uint64_t *counters, int width, struct error *error)
{
    sqlite3_stmt *statement = prepare(rows, sql, error);
    bool done = statement != NULL;
    for (uint32_t id = 0; done && id < ids; id++) {
        sqlite3_bind_int64(statement, 1, rows->run);
        sqlite3_bind_int64(statement, 2, id);
        for (int i = 0; i < width; i++)
            bind_count(statement, 3 + i, *counters++);
        done = run(rows, statement, error);
    }
    sqlite3_finalize(statement);
    return done;
}

bool run_rows_count(const struct run_rows *rows, const uint64_t *counters, struct error *error)
{
    sqlite3_stmt *statement =
        prepare(rows, "UPDATE run SET positions = ?2, ticks = ?3 WHERE id = ?1", error);
    if (statement == NULL)
        return false;
    sqlite3_bind_int64(statement, 1, rows->run);
    bind_count(statement, 2, counters[0]);
    bind_count(statement, 3, counters[1]);
    bool done = run(rows, statement, error);
    sqlite3_finalize(statement);
    const uint64_t *of_populations = counters + 2;
    const uint64_t *of_projections =
        of_populations + (size_t)COUNTERS * rows->network->population_count;
    return done &&
           update_each(rows,
                       "UPDATE population SET vectors = ?3, channels = ?4, silent = ?5, "
                       "spikes = ?6, spikes_up_to_3 = ?7, slots = ?8, sram_blocks = ?9, "
                       "dram_blocks = ?10, synops = ?11 WHERE run = ?1 AND id = ?2",
                       rows->network->population_count, of_populations, COUNTERS, error) &&
           update_each(rows, "UPDATE projection SET synops = ?3 WHERE run = ?1 AND id = ?2",
                       rows->network->projection_count, of_projections, 1, error);
}

bool run_rows_histogram(const struct run_rows *rows, const struct tally *tally,
                        struct error *error)
{
    sqlite3_stmt *statement = prepare(rows,
                                      "INSERT OR REPLACE INTO histogram (run, population, value, "
                                      "channels) VALUES (?1, ?2, ?3, ?4)",
                                      error);
    bool done = statement != NULL;
    for (uint32_t i = 0; i < rows->network->population_count; i++)
        for (int bin = 0; done && bin <= 2 * TALLY_HISTOGRAM; bin++) {
            uint64_t channels = tally->populations[i].histogram[bin];
            if (channels == 0)
                continue;
            sqlite3_bind_int64(statement, 1, rows->run);
            sqlite3_bind_int64(statement, 2, i);
            sqlite3_bind_int64(statement, 3, bin - TALLY_HISTOGRAM);
            bind_count(statement, 4, channels);
            done = run(rows, statement, error);
        }
    sqlite3_finalize(statement);
    return done;
}

bool run_rows_end(const struct run_rows *rows, const char *status, double wall_seconds,
                  struct error *error)
{
    sqlite3_stmt *statement = prepare(
        rows, "UPDATE run SET status = ?2, finished = ?3, wall_seconds = ?4 WHERE id = ?1", error);
    if (statement == NULL)
        return false;
    char now[32];
    sqlite3_bind_int64(statement, 1, rows->run);
    bind_text(statement, 2, status);
    bind_text(statement, 3, time_now(now));
    sqlite3_bind_double(statement, 4, wall_seconds);
    bool done = run(rows, statement, error);
    sqlite3_finalize(statement);
    return done;
}
