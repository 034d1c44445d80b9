/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reports: the same figures from the counters of a run that has just ended
 * and from a trace file, whose content may be hostile.
 *
 * Invariant: a finished report holds no number below zero, no text with
 * control characters, and no projection whose source is beyond its rows.
 */
#include "traces/file.h"
#include "traces/reading.h"
#include "traces/run_rows.h"

#include <stdlib.h>
#include <string.h>

enum {
    ROWS_LIMIT = 1 << 14,        /* that a file may claim: far above any network's */
    PROJECTIONS_LIMIT = 1 << 20,
    BINS_LIMIT = ROWS_LIMIT * (2 * TALLY_HISTOGRAM + 1)
};

void report_free(struct report *report)
{
    if (report == NULL)
        return;
    for (uint32_t i = 0; i < report->row_count; i++)
        free(report->rows[i].name);
    for (uint32_t p = 0; p < report->projection_count; p++)
        free(report->projections[p].name);
    free(report->rows);
    free(report->projections);
    free(report->trace);
    free(report->model);
    free(report->status);
    free(report->coding);
    free(report->down_proj);
    free(report->command);
    free(report->version);
    free(report->model_digest);
    free(report);
}

/* ---- from counters ---- */

static bool copy_facts(struct report *report, const struct run_facts *facts, const char *status,
                       struct error *error)
{
    report->k = facts->k;
    report->window = facts->window;
    return reading_copy_text(&report->model, facts->model, error) &&
           reading_copy_text(&report->status, status, error) &&
           reading_copy_text(&report->coding, facts->coding, error) &&
           reading_copy_text(&report->down_proj, facts->down_proj, error) &&
           reading_copy_text(&report->command, facts->command, error) &&
           reading_copy_text(&report->version, file_program_version(), error) &&
           reading_copy_text(&report->model_digest, facts->model_digest, error);
}

static bool copy_rows(struct report *report, const struct tally *tally, uint32_t *row_of,
                      struct error *error)
{
    const struct network *network = tally->network;
    for (uint32_t i = 0; i < network->population_count; i++) {
        const struct population *population = network->populations[i];
        row_of[i] = UINT32_MAX;
        if (!population_is_spiking(population))
            continue;
        struct report_row *row = &report->rows[report->row_count];
        row_of[i] = report->row_count;
        row->layer = population->layer;
        row->neurons = population->neurons;
        row->tally = tally->populations[i];
        if (!reading_copy_text(&row->name, population->name != NULL ? population->name : "", error))
            return false;
        report->row_count++;
    }
    return true;
}

static bool copy_projections(struct report *report, const struct tally *tally,
                             const uint32_t *row_of, struct error *error)
{
    for (uint32_t p = 0; p < tally->network->projection_count; p++) {
        const struct projection *from = tally->network->projections[p];
        struct report_projection *to = &report->projections[p];
        to->source = row_of[from->source->id];
        to->spiking = from->carries == CARRIES_SPIKES;
        to->synapses = from->synapses;
        to->weight_count = from->weight_count;
        to->synops = tally_synops(tally, p);
        if (!reading_copy_text(&to->name, from->name != NULL ? from->name : "", error))
            return false;
        report->projection_count++;
    }
    return true;
}

struct report *report_from_tally(const struct tally *tally, const struct run_facts *facts,
                                 const char *status, double wall_seconds, struct error *error)
{
    size_t populations = tally->network->population_count;
    struct report *report = calloc(1, sizeof *report);
    uint32_t *row_of = calloc(populations + 1, sizeof *row_of);
    if (report != NULL) {
        report->rows = calloc(populations + 1, sizeof *report->rows);
        report->projections =
            calloc((size_t)tally->network->projection_count + 1, sizeof *report->projections);
    }
    bool good = report != NULL && row_of != NULL && report->rows != NULL &&
                report->projections != NULL;
    if (!good)
        error_no_memory(error, "the report");
    good = good && copy_facts(report, facts, status, error) &&
           copy_rows(report, tally, row_of, error) &&
           copy_projections(report, tally, row_of, error);
    free(row_of);
    if (!good) {
        report_free(report);
        return NULL;
    }
    report->positions = tally->positions;
    report->ticks = tally->ticks;
    report->tick_seconds = tally->network->tick_seconds;
    report->wall_seconds = wall_seconds;
    return report;
}

/* ---- from a file ---- */

static bool read_run(struct reading *reading, int64_t run, struct report *report)
{
    if (!reading_begin(
            reading, "run",
            "SELECT id, status, version, command, model, model_digest, coding, "
            "down_proj, k, attention_window, positions, ticks, wall_seconds, tick_seconds "
            "FROM run "
            "WHERE id = ?1 OR ?1 = 0 ORDER BY id DESC LIMIT 1",
            run))
        return false;
    int got = reading_next(reading);
    int64_t window;
    bool good = got == 1 && reading_integer(reading, 0, 1, INT64_MAX, &report->run) &&
                reading_text(reading, 1, false, &report->status) &&
                reading_text(reading, 2, true, &report->version) &&
                reading_text(reading, 3, true, &report->command) &&
                reading_text(reading, 4, true, &report->model) &&
                reading_text(reading, 5, true, &report->model_digest) &&
                reading_text(reading, 6, true, &report->coding) &&
                reading_text(reading, 7, true, &report->down_proj) &&
                reading_real(reading, 8, &report->k) &&
                reading_integer(reading, 9, 0, UINT32_MAX, &window) &&
                reading_count(reading, 10, &report->positions) &&
                reading_count(reading, 11, &report->ticks) &&
                reading_real(reading, 12, &report->wall_seconds) &&
                reading_real(reading, 13, &report->tick_seconds);
    if (good)
        report->window = (uint32_t)window;
    else if (got == 0 && run == 0)
        error_set(reading->error, ERROR_FAILED, "trace '%s' holds no run", reading->path);
    else if (got == 0)
        error_set(reading->error, ERROR_MISUSED, "trace '%s' holds no run %lld", reading->path,
                  (long long)run);
    reading_end(reading, got);
    return good;
}

static bool read_row(struct reading *reading, struct report_row *row)
{
    int64_t layer = 0, neurons = 0;
    struct population_tally *tally = &row->tally;
    uint64_t *const counters[] = {&tally->vectors, &tally->channels, &tally->silent,
                                  &tally->spikes, &tally->spikes_up_to_3, &tally->slots,
                                  &tally->sram_blocks, &tally->dram_blocks, &tally->synops};
    memset(row, 0, sizeof *row);
    if (!reading_integer(reading, 2, INT32_MIN, INT32_MAX, &layer) ||
        !reading_integer(reading, 3, 0, UINT32_MAX, &neurons))
        return false;
    row->layer = (int32_t)layer;
    row->neurons = (uint32_t)neurons;
    for (int i = 0; i < (int)(sizeof counters / sizeof *counters); i++)
        if (!reading_count(reading, 4 + i, counters[i]))
            return false;
    if (tally->silent > tally->channels || tally->spikes_up_to_3 > tally->spikes)
        return reading_damaged(reading, 4);
    return reading_text(reading, 1, false, &row->name);
}

/* Reads the rows and, for each, its population's id into ids [row_count]. */
static bool read_rows(struct reading *reading, struct report *report, int64_t **ids)
{
    if (!reading_begin(reading, "population",
                       "SELECT id, name, layer, neurons, vectors, channels, silent, spikes, "
                       "spikes_up_to_3, slots, sram_blocks, dram_blocks, synops FROM population "
                       "WHERE run = ?1 AND spiking ORDER BY id",
                       report->run))
        return false;
    int got;
    while ((got = reading_next(reading)) == 1) {
        uint32_t length = report->row_count;
        struct report_row *rows =
            reading_grow(report->rows, length, ROWS_LIMIT, sizeof *rows, reading->error);
        report->rows = rows != NULL ? rows : report->rows;
        int64_t *more = reading_grow(*ids, length, ROWS_LIMIT, sizeof *more, reading->error);
        *ids = more != NULL ? more : *ids;
        if (rows == NULL || more == NULL ||
            !reading_integer(reading, 0, 0, UINT32_MAX, &more[length]) ||
            !read_row(reading, &rows[length]))
            return reading_end(reading, -1);
        report->row_count++;
    }
    return reading_end(reading, got);
}

/* The row of a population, by bisection; UINT32_MAX when it has none. */
static uint32_t find_row(const int64_t *ids, uint32_t length, int64_t id)
{
    uint32_t low = 0, high = length;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < length && ids[low] == id ? low : UINT32_MAX;
}

static bool read_projections(struct reading *reading, struct report *report, const int64_t *ids)
{
    if (!reading_begin(reading, "projection",
                       "SELECT id, name, source, carries = 'spikes', synapses, weight_count, "
                       "synops FROM projection WHERE run = ?1 ORDER BY id",
                       report->run))
        return false;
    int got;
    while ((got = reading_next(reading)) == 1) {
        int64_t source, spiking;
        struct report_projection *projections =
            reading_grow(report->projections, report->projection_count, PROJECTIONS_LIMIT,
                 sizeof *projections, reading->error);
        if (projections == NULL)
            return reading_end(reading, -1);
        report->projections = projections;
        struct report_projection *projection = &projections[report->projection_count];
        memset(projection, 0, sizeof *projection);
        if (!reading_integer(reading, 2, 0, UINT32_MAX, &source) ||
            !reading_integer(reading, 3, 0, 1, &spiking) ||
            !reading_count(reading, 4, &projection->synapses) ||
            !reading_count(reading, 5, &projection->weight_count) ||
            !reading_count(reading, 6, &projection->synops) ||
            !reading_text(reading, 1, false, &projection->name))
            return reading_end(reading, -1);
        projection->source = find_row(ids, report->row_count, source);
        projection->spiking = spiking == 1;
        report->projection_count++;
    }
    return reading_end(reading, got);
}

static bool read_histograms(struct reading *reading, struct report *report, const int64_t *ids)
{
    if (!reading_begin(reading, "histogram",
                       "SELECT population, value, channels FROM histogram WHERE run = ?1",
                       report->run))
        return false;
    int got;
    for (int bins = 0; bins < BINS_LIMIT && (got = reading_next(reading)) == 1; bins++) {
        int64_t population = 0, value = 0;
        uint64_t channels = 0;
        if (!reading_integer(reading, 0, 0, UINT32_MAX, &population) ||
            !reading_integer(reading, 1, -TALLY_HISTOGRAM, TALLY_HISTOGRAM, &value) ||
            !reading_count(reading, 2, &channels))
            return reading_end(reading, -1);
        uint32_t row = find_row(ids, report->row_count, population);
        if (row != UINT32_MAX)
            report->rows[row].tally.histogram[value + TALLY_HISTOGRAM] = channels;
    }
    return reading_end(reading, got);
}

struct report *report_from_file(const char *path, int64_t run, struct error *error)
{
    struct reading reading = {.path = path, .error = error};
    reading.db = file_open_read(path, error);
    if (reading.db == NULL)
        return NULL;
    int64_t *ids = NULL;
    struct report *report = calloc(1, sizeof *report);
    /* One transaction: all figures of one moment, though a run may be writing. */
    bool good = report != NULL || error_no_memory(error, "the report");
    good = good && file_execute(reading.db, path, "BEGIN", error) &&
           reading_copy_text(&report->trace, path, error) && read_run(&reading, run, report) &&
           read_rows(&reading, report, &ids) && read_projections(&reading, report, ids) &&
           read_histograms(&reading, report, ids);
    sqlite3_close(reading.db);
    free(ids);
    if (!good) {
        report_free(report);
        return NULL;
    }
    return report;
}
