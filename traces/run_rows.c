/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "traces/run_rows.h"

#include "traces/energy/reach.h"
#include "traces/file.h"
#include "traces/numbers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const level_names[] = {"summary", "volley", "spike"};
enum {
    COUNTERS = 9,            /* of a population */
    REACH_BYTES = 32 << 20,  /* that all projections of a run may take to say where they lead */
    REACH_SOURCE = 48        /* … and each beyond that, for each of its source neurons */
};

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
        "first_position, last_position, stride, sampled) VALUES ('running', ?1, ?2, ?3, ?4, ?5, "
        "?6, ?7, ?8, ?9, "
        "?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
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
    sqlite3_bind_int64(statement, 18, facts->stride > 1 ? facts->stride : 1);
    sqlite3_bind_int64(statement, 19, facts->sampled);
    bool done = run(rows, statement, error);
    rows->run = sqlite3_last_insert_rowid(rows->db);
    sqlite3_finalize(statement);
    return done;
}

static bool insert_populations(const struct run_rows *rows, struct error *error)
{
    sqlite3_stmt *statement = prepare(
        rows,
        "INSERT INTO population (run, id, name, layer, model, neurons, spiking, input, clocked, "
        "coding) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
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
        sqlite3_bind_int64(statement, 8, population->port_count == 0);
        sqlite3_bind_int64(statement, 9, population->clocked);
        bind_text(statement, 10, train != NULL ? train->coding->name : NULL);
        done = run(rows, statement, error);
    }
    sqlite3_finalize(statement);
    return done;
}

/* Binds a copy of numbers [length]: `stride` 64-bit numbers from one to the next. */
static bool bind_numbers(sqlite3_stmt *statement, int index, const uint64_t *numbers,
                         size_t length, size_t stride, struct error *error)
{
    unsigned char *bytes = malloc(length * NUMBER_BYTES + 1);
    size_t used = 0;
    if (bytes == NULL)
        return error_no_memory(error, "the trace");
    for (size_t i = 0; i < length; i++)
        used += number_write(numbers[i * stride], bytes + used);
    sqlite3_bind_blob64(statement, index, bytes, used, free);
    return true;
}

/* Whether the kind says where its source neurons lead. */
static bool leads(const struct projection *projection)
{
    return projection->carries == CARRIES_SPIKES && projection->kind->reach != NULL;
}

/* Binds how many non-zero weights each source neuron reaches, unless they all reach as many or
 * `reach` says it. */
static bool bind_fan_out(sqlite3_stmt *statement, int index, const struct projection *projection,
                         struct error *error)
{
    uint32_t neurons = projection->source->neurons;
    sqlite3_bind_null(statement, index);
    if (projection->fan_out == NULL || projection->carries != CARRIES_SPIKES ||
        projection->same_fan_out > 0 || leads(projection))
        return true;
    uint64_t *numbers = malloc(((size_t)neurons + 1) * sizeof *numbers);
    if (numbers == NULL)
        return error_no_memory(error, "the trace");
    for (uint32_t i = 0; i < neurons; i++)
        numbers[i] = projection->fan_out[i];
    bool done = bind_numbers(statement, index, numbers, neurons, 1, error);
    free(numbers);
    return done;
}

static bool insert_projections(const struct run_rows *rows, struct error *error)
{
    sqlite3_stmt *statement = prepare(
        rows,
        "INSERT INTO projection (run, id, name, kind, source, target, port, width, carries, delay, "
        "synapses, weight_count, parameters, bytes, fan_out) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, "
        "?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        error);
    bool done = statement != NULL;
    for (uint32_t p = 0; done && p < rows->network->projection_count; p++) {
        const struct projection *projection = rows->network->projections[p];
        const struct port *port = &projection->target->ports[projection->port];
        sqlite3_bind_int64(statement, 1, rows->run);
        sqlite3_bind_int64(statement, 2, p);
        bind_text(statement, 3, projection->name != NULL ? projection->name : "");
        bind_text(statement, 4, projection->kind->name);
        sqlite3_bind_int64(statement, 5, projection->source->id);
        sqlite3_bind_int64(statement, 6, projection->target->id);
        bind_text(statement, 7, port->name);
        sqlite3_bind_int64(statement, 8, port->width);
        bind_text(statement, 9, projection->carries == CARRIES_SPIKES ? "spikes" : "values");
        sqlite3_bind_int64(statement, 10, projection->delay);
        bind_count(statement, 11, projection->synapses);
        bind_count(statement, 12, projection->weight_count);
        bind_count(statement, 13, projection->parameters);
        bind_count(statement, 14, projection->bytes);
        done = bind_fan_out(statement, 15, projection, error) && run(rows, statement, error);
    }
    sqlite3_finalize(statement);
    return done;
}

static bool insert_wanted(const struct run_rows *rows, const struct run_facts *facts,
                          struct error *error)
{
    sqlite3_stmt *statement = prepare(rows,
                                      "INSERT OR REPLACE INTO wanted_placement (run, population, "
                                      "first, count, core) VALUES (?1, ?2, ?3, ?4, ?5)",
                                      error);
    bool done = statement != NULL;
    for (uint32_t i = 0; done && i < facts->placement_count; i++) {
        const struct blueprint_placement *placement = &facts->placements[i];
        sqlite3_bind_int64(statement, 1, rows->run);
        sqlite3_bind_int64(statement, 2, placement->population);
        sqlite3_bind_int64(statement, 3, placement->first);
        sqlite3_bind_int64(statement, 4, placement->count);
        sqlite3_bind_int64(statement, 5, placement->core);
        done = run(rows, statement, error);
    }
    sqlite3_finalize(statement);
    return done;
}

/* ---- where projections lead ---- */

/* Statements of run_rows_reach. */
struct reach_statements {
    sqlite3_stmt *find, *insert, *refer;
};

static void digest_of(const struct reach *reach, char digest[static 40])
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* 64-bit FNV-1a */
    for (size_t i = 0; i < reach->length; i++)
        hash = (hash ^ reach->data[i]) * UINT64_C(0x100000001b3);
    snprintf(digest, 40, "%016" PRIx64 "-%zx", hash, reach->length);
}

/* The row that holds it, a new one if there is none; 0: failed. */
static sqlite3_int64 keep_reach(const struct run_rows *rows,
                                const struct reach_statements *statements,
                                const struct reach *reach, struct error *error)
{
    char digest[40];
    digest_of(reach, digest);
    sqlite3_int64 id = 0;
    bind_text(statements->find, 1, digest);
    sqlite3_bind_int64(statements->find, 2, reach->sources);
    sqlite3_bind_int64(statements->find, 3, reach->targets);
    sqlite3_bind_int64(statements->find, 4, reach->grain);
    if (sqlite3_step(statements->find) == SQLITE_ROW)
        id = sqlite3_column_int64(statements->find, 0);
    sqlite3_reset(statements->find);
    if (id > 0)
        return id;
    bind_text(statements->insert, 1, digest);
    sqlite3_bind_int64(statements->insert, 2, reach->sources);
    sqlite3_bind_int64(statements->insert, 3, reach->targets);
    sqlite3_bind_int64(statements->insert, 4, reach->grain);
    sqlite3_bind_blob64(statements->insert, 5, reach->data, reach->length, SQLITE_STATIC);
    bool done = run(rows, statements->insert, error);
    sqlite3_clear_bindings(statements->insert);
    return done ? sqlite3_last_insert_rowid(rows->db) : 0;
}

static bool insert_reach(const struct run_rows *rows, const struct reach_statements *statements,
                         const struct projection *projection, size_t limit, struct error *error)
{
    struct reach *reach = reach_of(projection, limit, error);
    if (reach == NULL)
        return false;
    sqlite3_int64 id = keep_reach(rows, statements, reach, error);
    reach_free(reach);
    if (id == 0)
        return false;
    sqlite3_bind_int64(statements->refer, 1, rows->run);
    sqlite3_bind_int64(statements->refer, 2, projection->id);
    sqlite3_bind_int64(statements->refer, 3, id);
    return run(rows, statements->refer, error);
}

bool run_rows_reach(const struct run_rows *rows, struct error *error)
{
    const struct network *network = rows->network;
    struct reach_statements statements = {
        .find = prepare(rows,
                        "SELECT id FROM reach WHERE digest = ?1 AND sources = ?2 AND targets = ?3 "
                        "AND grain = ?4",
                        error),
        .insert = prepare(rows,
                          "INSERT INTO reach (digest, sources, targets, grain, data) "
                          "VALUES (?1, ?2, ?3, ?4, ?5)",
                          error),
        .refer = prepare(rows, "UPDATE projection SET reach = ?3 WHERE run = ?1 AND id = ?2",
                         error)};
    bool done = statements.find != NULL && statements.insert != NULL && statements.refer != NULL;
    double all = 0;
    for (uint32_t p = 0; p < network->projection_count; p++)
        if (leads(network->projections[p]))
            all += (double)network->projections[p]->synapses;
    for (uint32_t p = 0; done && p < network->projection_count; p++) {
        const struct projection *projection = network->projections[p];
        if (!leads(projection))
            continue;
        double share = all > 0 ? (double)projection->synapses / all : 0;
        done = insert_reach(rows, &statements, projection,
                            (size_t)projection->source->neurons * REACH_SOURCE +
                                (size_t)(share * REACH_BYTES),
                            error);
    }
    sqlite3_finalize(statements.find);
    sqlite3_finalize(statements.insert);
    sqlite3_finalize(statements.refer);
    return done;
}

bool run_rows_begin(struct run_rows *rows, const struct trace_options *options,
                    const struct run_facts *facts, struct error *error)
{
    return insert_run(rows, options, facts, error) && insert_populations(rows, error) &&
           insert_projections(rows, error) && insert_wanted(rows, facts, error);
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

bool run_rows_neurons(const struct run_rows *rows, const struct tally *tally, struct error *error)
{
    sqlite3_stmt *statement = prepare(rows,
                                      "INSERT OR REPLACE INTO neuron_activity (run, population, "
                                      "active, spikes, updates) VALUES (?1, ?2, ?3, ?4, ?5)",
                                      error);
    const size_t stride = sizeof(struct neuron_tally) / sizeof(uint64_t);
    bool done = statement != NULL;
    for (uint32_t i = 0; done && i < rows->network->population_count; i++) {
        const struct population *population = rows->network->populations[i];
        const struct neuron_tally *neurons = tally_neurons(tally, i);
        if (neurons == NULL && population->updates == NULL)
            continue;
        sqlite3_clear_bindings(statement);
        sqlite3_bind_int64(statement, 1, rows->run);
        sqlite3_bind_int64(statement, 2, i);
        if (neurons != NULL)
            done = bind_numbers(statement, 3, &neurons->active, population->neurons, stride,
                                error) &&
                   bind_numbers(statement, 4, &neurons->spikes, population->neurons, stride,
                                error);
        if (population->updates != NULL)
            done = done && bind_numbers(statement, 5, population->updates, population->neurons, 1,
                                        error);
        done = done && run(rows, statement, error);
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
