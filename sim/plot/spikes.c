/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Two passes over the table of volleys: one without the spikes, for extents, and one with them.
 * Both see the trace as of one moment. Nothing is kept of a spike once it was shown.
 */
#include "sim/plot/spikes.h"

#include <stdlib.h>
#include <string.h>

#include "traces/spikes.h"

static const int64_t TICK_LIMIT = INT64_C(1) << 53; /* a double holds them all */
enum { POPULATIONS_LIMIT = 1 << 14 };

/* ---- which populations ---- */

void spike_plan_free(struct spike_plan *plan)
{
    for (uint32_t i = 0; i < plan->band_count; i++) {
        free(plan->bands[i].name);
        free(plan->bands[i].coding);
    }
    free(plan->bands);
    picture_run_close(&plan->run);
    *plan = (struct spike_plan){0};
}

/* A row of the table; it is kept if it is wanted. Without a glob: of a language model the first
 * population, of a spiking network all but inputs. */
static bool read_band(struct reading *reading, const char *glob, struct spike_plan *plan,
                      uint32_t *matched)
{
    int64_t input = 0, clocked = 0, neurons = 0;
    struct spike_band band = {0};
    bool good = reading_integer(reading, 0, 0, UINT32_MAX, &band.population) &&
                reading_integer(reading, 2, 1, UINT32_MAX, &neurons) &&
                reading_integer(reading, 3, 0, 1, &input) &&
                reading_integer(reading, 4, 0, 1, &clocked) &&
                reading_text(reading, 1, false, &band.name) &&
                reading_text(reading, 5, true, &band.coding);
    bool wanted = good && (glob != NULL ? picture_wants(glob, band.name)
                                        : clocked == 1 ? input == 0 : plan->band_count == 0);
    *matched += wanted;
    if (wanted && plan->band_count < SPIKE_BANDS) {
        band.neurons = (uint32_t)neurons;
        plan->clocked = clocked == 1;
        plan->bands[plan->band_count++] = band;
        return true;
    }
    free(band.name);
    free(band.coding);
    return good;
}

static bool read_bands(struct reading *reading, const char *glob, struct spike_plan *plan)
{
    uint32_t matched = 0, rows = 0;
    int got;
    plan->bands = calloc(SPIKE_BANDS, sizeof *plan->bands);
    if (plan->bands == NULL)
        return error_no_memory(reading->error, "the picture");
    if (!reading_begin(reading, "population",
                       "SELECT id, name, neurons, input, clocked, coding FROM population "
                       "WHERE run = ?1 AND spiking ORDER BY id",
                       plan->run.id))
        return false;
    while (rows++ < POPULATIONS_LIMIT && (got = reading_next(reading)) == 1)
        if (!read_band(reading, glob, plan, &matched))
            return reading_end(reading, -1);
    if (!reading_end(reading, rows > POPULATIONS_LIMIT ? 0 : got))
        return false;
    if (matched == 0)
        return error_set(reading->error, ERROR_MISUSED,
                         "run %lld of '%s' has no spiking population whose name matches '%.100s'",
                         (long long)plan->run.id, reading->path, glob != NULL ? glob : "*");
    return matched <= SPIKE_BANDS ||
           error_set(reading->error, ERROR_MISUSED,
                     "%u populations are too many for one raster, which takes %d: choose some with "
                     "--population",
                     matched, SPIKE_BANDS);
}

/* ---- which stretch of time ---- */

enum { ROW_ID, ROW_TICK, ROW_TICKS, ROW_POSITION, ROW_POPULATION, ROW_SPIKES, ROW_ZERO, ROW_DATA };

/* One row of the table volley. */
struct row {
    int64_t tick, ticks, position, spikes;
    uint32_t band;
};

/* Rows of wanted populations, ticks and positions; ?1 is the run. */
static bool begin_rows(struct reading *reading, const struct picture_request *request,
                       const struct spike_plan *plan, bool spikes)
{
    const char *sql =
        spikes ? "SELECT id, tick, ticks, position, population, spikes, zero, data FROM volley "
                 "WHERE run = ?1 AND population BETWEEN ?2 AND ?3 AND (NOT ?4 OR "
                 "(position >= ?5 AND position < ?6)) AND tick < ?7 ORDER BY id"
               : "SELECT id, tick, ticks, position, population, spikes FROM volley "
                 "WHERE run = ?1 AND population BETWEEN ?2 AND ?3 AND (NOT ?4 OR "
                 "(position >= ?5 AND position < ?6)) AND tick < ?7 ORDER BY id";
    if (!reading_begin(reading, "volley", sql, plan->run.id))
        return false;
    sqlite3_bind_int64(reading->row, 2, plan->bands[0].population);
    sqlite3_bind_int64(reading->row, 3, plan->bands[plan->band_count - 1].population);
    sqlite3_bind_int(reading->row, 4, request->positions_asked);
    sqlite3_bind_int64(reading->row, 5, request->first_position);
    sqlite3_bind_int64(reading->row, 6, request->last_position);
    sqlite3_bind_int64(reading->row, 7, request->last_tick);
    return true;
}

/* The next row that is wanted, as reading_next. */
static int next_row(struct reading *reading, const struct picture_request *request,
                    const struct spike_plan *plan, struct row *row)
{
    int got;
    while ((got = reading_next(reading)) == 1) {
        int64_t population;
        if (!reading_integer(reading, ROW_TICK, 0, TICK_LIMIT, &row->tick) ||
            !reading_integer(reading, ROW_TICKS, 1, UINT32_MAX, &row->ticks) ||
            !reading_integer(reading, ROW_POPULATION, 0, UINT32_MAX, &population) ||
            !reading_integer(reading, ROW_SPIKES, 0, TICK_LIMIT, &row->spikes))
            return -1;
        row->position = 0;
        if (sqlite3_column_type(reading->row, ROW_POSITION) != SQLITE_NULL &&
            !reading_integer(reading, ROW_POSITION, 0, TICK_LIMIT, &row->position))
            return -1;
        for (row->band = 0; row->band < plan->band_count; row->band++)
            if (plan->bands[row->band].population == population)
                break;
        if (row->band < plan->band_count && row->tick + row->ticks > request->first_tick)
            return 1;
    }
    return got;
}

struct extent {
    int64_t first_tick, last_tick;         /* first … last - 1 */
    int64_t first_position, last_position; /* first … last */
    int64_t most_ticks;
    bool some;
};

static void extent_add(struct extent *extent, int64_t tick, int64_t ticks, int64_t position)
{
    if (!extent->some) {
        *extent = (struct extent){.first_tick = tick, .last_tick = tick + ticks,
                                  .first_position = position, .last_position = position};
        extent->some = true;
    }
    extent->first_tick = tick < extent->first_tick ? tick : extent->first_tick;
    extent->last_tick = tick + ticks > extent->last_tick ? tick + ticks : extent->last_tick;
    extent->first_position =
        position < extent->first_position ? position : extent->first_position;
    extent->last_position = position > extent->last_position ? position : extent->last_position;
    extent->most_ticks = ticks > extent->most_ticks ? ticks : extent->most_ticks;
}

static bool read_extent(struct reading *reading, const struct picture_request *request,
                        struct spike_plan *plan, struct extent *extent)
{
    struct row row;
    int got;
    if (!begin_rows(reading, request, plan, false))
        return false;
    while ((got = next_row(reading, request, plan, &row)) == 1) {
        plan->spikes += (uint64_t)row.spikes;
        extent_add(extent, row.tick, row.ticks, row.position);
        if (plan->spikes > (uint64_t)TICK_LIMIT) {
            reading_damaged(reading, ROW_SPIKES);
            return reading_end(reading, -1);
        }
    }
    return reading_end(reading, got);
}

/* Of a spiking network the time that passed counts, also where nothing fired, and samples that take
 * equally long may be told apart. */
static bool read_samples(struct reading *reading, const struct picture_request *request,
                         struct spike_plan *plan, struct extent *extent)
{
    int64_t position, tick, ticks, length = 0, next = 0;
    bool even = plan->run.sampled && !request->ticks_asked;
    int got;
    if (!reading_begin(reading, "token",
                       "SELECT id, position, tick, ticks FROM token WHERE run = ?1 AND (NOT ?2 OR "
                       "(position >= ?3 AND position < ?4)) ORDER BY id",
                       plan->run.id))
        return false;
    sqlite3_bind_int(reading->row, 2, request->positions_asked);
    sqlite3_bind_int64(reading->row, 3, request->first_position);
    sqlite3_bind_int64(reading->row, 4, request->last_position);
    while ((got = reading_next(reading)) == 1) {
        if (!reading_integer(reading, 1, 0, TICK_LIMIT, &position) ||
            !reading_integer(reading, 2, 0, TICK_LIMIT, &tick) ||
            !reading_integer(reading, 3, 0, TICK_LIMIT, &ticks))
            return reading_end(reading, -1);
        even = even && ticks > 0 && (length == 0 || (ticks == length && tick == next));
        if (length == 0)
            plan->position = position;
        length = ticks;
        next = tick + ticks;
        if (ticks > 0)
            extent_add(extent, tick, ticks, position);
    }
    if (even && length > 0)
        plan->cell = length;
    return reading_end(reading, got);
}

static bool fail_empty(const struct reading *reading, const struct spike_plan *plan)
{
    return error_set(reading->error, ERROR_MISUSED,
                     "run %lld of '%s' has no spikes of these populations, ticks and positions in "
                     "its trace",
                     (long long)plan->run.id, reading->path);
}

static bool find_places(const struct reading *reading, const struct picture_request *request,
                        struct spike_plan *plan, const struct extent *extent)
{
    if (!plan->clocked) {
        plan->first = plan->position = extent->first_position;
        plan->cell = extent->most_ticks;
        int64_t cells = extent->last_position - extent->first_position + 1;
        if (__builtin_mul_overflow(cells, plan->cell, &plan->places) || plan->places > TICK_LIMIT)
            return error_set(reading->error, ERROR_FAILED,
                             "trace '%s' is damaged: its volleys are spread over %lld positions of "
                             "%lld ticks",
                             reading->path, (long long)cells, (long long)plan->cell);
        return true;
    }
    int64_t first = extent->first_tick, last = extent->last_tick;
    if (request->ticks_asked) {
        first = request->first_tick > first ? request->first_tick : first;
        last = request->last_tick < last ? request->last_tick : last;
    }
    plan->first = first;
    plan->places = last - first;
    if (plan->cell > 0 && plan->places % plan->cell != 0)
        plan->cell = 0;
    return plan->places > 0 || fail_empty(reading, plan);
}

bool spike_plan_make(struct reading *reading, const struct picture_request *request,
                     struct spike_plan *plan)
{
    struct extent extent = {0};
    *plan = (struct spike_plan){0};
    if (!picture_run_read(reading, request->run, &plan->run))
        return false;
    if (strcmp(plan->run.level, "spike") != 0)
        return error_set(reading->error, ERROR_MISUSED,
                         "run %lld of '%s' holds no spikes: it was traced at level '%.20s'; run it "
                         "again with --trace-level spike",
                         (long long)plan->run.id, reading->path, plan->run.level);
    if (!read_bands(reading, request->population, plan) ||
        !read_extent(reading, request, plan, &extent))
        return false;
    if (plan->spikes == 0 || !extent.some)
        return fail_empty(reading, plan);
    if (plan->clocked && plan->run.whole && !read_samples(reading, request, plan, &extent))
        return false;
    return find_places(reading, request, plan, &extent);
}

/* ---- the spikes themselves ---- */

struct showing {
    struct reading *reading;
    const struct picture_request *request;
    const struct spike_plan *plan;
    struct spikes_reader spikes;
    spike_visitor *visit;
    void *self;
};

static bool damaged(const struct showing *showing, const char *what)
{
    return error_set(showing->reading->error, ERROR_FAILED,
                     "trace '%s' is damaged: in volley %lld, %s", showing->reading->path,
                     (long long)sqlite3_column_int64(showing->reading->row, ROW_ID), what);
}

static bool show_row(struct showing *showing, const struct row *row)
{
    const struct spike_plan *plan = showing->plan;
    const struct spike_band *band = &plan->bands[row->band];
    sqlite3_stmt *statement = showing->reading->row;
    struct error failure = {0};
    struct spike spike;
    uint32_t step;
    int64_t zero;
    if (!reading_integer(showing->reading, ROW_ZERO, INT32_MIN, INT32_MAX, &zero))
        return false;
    const void *data = sqlite3_column_blob(statement, ROW_DATA);
    if (!spikes_open(&showing->spikes, data, (size_t)sqlite3_column_bytes(statement, ROW_DATA),
                     band->coding, row->ticks, zero, &failure))
        return damaged(showing, failure.text);
    if (showing->spikes.total != (uint64_t)row->spikes)
        return damaged(showing, "there are not as many spikes as it says");
    while (spikes_next(&showing->spikes, &step, &spike)) {
        int64_t tick = row->tick + step;
        int64_t place = plan->clocked ? tick - plan->first
                                      : (row->position - plan->first) * plan->cell + step;
        if (spike.neuron >= band->neurons)
            return damaged(showing, "a neuron is beyond its population");
        if (tick < showing->request->first_tick || tick >= showing->request->last_tick)
            continue;
        if (place < 0 || place >= plan->places)
            return damaged(showing, "a spike is outside its sample");
        if (!showing->visit(showing->self, row->band, spike.neuron, place, spike.payload < 0,
                            showing->reading->error))
            return false;
    }
    return true;
}

bool spike_plan_visit(struct reading *reading, const struct picture_request *request,
                      const struct spike_plan *plan, spike_visitor *visit, void *self)
{
    struct showing showing = {.reading = reading, .request = request, .plan = plan, .visit = visit,
                              .self = self};
    struct row row;
    int got;
    if (!begin_rows(reading, request, plan, true))
        return false;
    while ((got = next_row(reading, request, plan, &row)) == 1)
        if (!show_row(&showing, &row)) {
            got = -1;
            break;
        }
    spikes_close(&showing.spikes);
    return reading_end(reading, got);
}
