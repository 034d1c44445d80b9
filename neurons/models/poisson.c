/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Poisson sources: in every tick from `start` until `stop` a neuron has a number of events drawn
 * from the Poisson distribution of mean rate · sources · dt, as `sources` independent trains of
 * `rate` would have together. The number is the payload; no spike for 0.
 *
 * A draw is one word of the stream (RANDOM_SOURCE, population) at counter (tick, neuron / 4), and
 * the number of events is how many of a table's limits it reaches: limits[k] = 2^32 P(events <= k),
 * rounded, so that events > k with probability 1 - P(events <= k) to within 2^-33. Limits of 0 are
 * always reached and only counted; the table ends at the first limit of 2^32.
 */
#include "neurons/models/blocks.h"
#include "neurons/models/cell_models.h"
#include "encoding/arithmetic.h"
#include "scheduler/random.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { RATE, SOURCES, START, STOP };
enum { MEAN_MOST = 200, LIMITS_MOST = 512 }; /* a table of mean 200 ends before 300 */
#define NOISE_MEAN 0.1 /* events a tick of one neuron, from which on they are noise (population.h) */

static const double FOREVER = 0x1p62; /* ticks: no run is as long */

/* The limits of one mean. */
struct table {
    double mean;
    uint32_t sure;   /* events that every draw has: limits of 0 */
    uint32_t length; /* limits above 0 … */
    uint32_t first;  /* … from here on in the pool */
};

struct poisson {
    struct random_stream stream;
    uint32_t *limits;        /* the pool */
    size_t limit_count, limit_room;
    struct table *tables;    /* neighbours of equal mean share one */
    uint32_t table_count;
    uint32_t *table;         /* [neurons], or NULL: all have the first */
    int64_t *start, *stop;   /* [neurons], ticks; or NULL: all have … */
    int64_t start_all, stop_all;
};

static double mean_of(const struct cells *cells, uint32_t i)
{
    return cells_parameter(cells, RATE, i) * cells_parameter(cells, SOURCES, i) * cells->rules.dt;
}

/* Fills limits [LIMITS_MOST] and says how many; the table is not yet placed in the pool. */
static struct table table_of(double mean, uint32_t *limits)
{
    struct table table = {.mean = mean};
    double term = arithmetic_exp(-mean), sum = term;
    for (uint32_t k = 1; k < LIMITS_MOST; k++) {
        double limit = floor(sum * 0x1p32 + 0.5);
        if (limit >= 0x1p32)
            break;
        if (limit < 1)
            table.sure++;
        else
            limits[table.length++] = (uint32_t)limit;
        term = term * mean / k;
        sum += term;
    }
    return table;
}

static bool add_table(struct poisson *own, double mean, struct error *error)
{
    uint32_t limits[LIMITS_MOST];
    struct table table = table_of(mean, limits);
    if (own->limit_count + table.length > own->limit_room) {
        size_t room = 2 * (own->limit_count + table.length);
        uint32_t *larger = realloc(own->limits, room * sizeof *larger);
        if (larger == NULL || room > UINT32_MAX)
            return error_no_memory(error, "neurons");
        own->limits = larger;
        own->limit_room = room;
    }
    table.first = (uint32_t)own->limit_count;
    memcpy(own->limits + own->limit_count, limits, table.length * sizeof *limits);
    own->limit_count += table.length;
    own->tables[own->table_count++] = table;
    return true;
}

static bool check_mean(const struct cells *cells, uint32_t i, struct error *error)
{
    double sources = cells_parameter(cells, SOURCES, i), mean = mean_of(cells, i);
    const char *name = cells->population->name;
    if (sources < 0)
        return error_set(error, ERROR_MISUSED,
                         "population %s: neuron %" PRIu32 " has %g sources; there cannot be fewer "
                         "than 0", name, i, sources);
    if (mean > MEAN_MOST)
        return error_set(error, ERROR_MISUSED,
                         "population %s: neuron %" PRIu32 " would have %g events a tick on "
                         "average, more than %d; choose a shorter dt or fewer sources",
                         name, i, mean, MEAN_MOST);
    return true;
}

static bool fill_tables(struct poisson *own, struct cells *cells, struct error *error)
{
    bool each = cells->each[RATE] || cells->each[SOURCES];
    uint32_t neurons = each ? cells->neurons : 1;
    own->tables = malloc(neurons * sizeof *own->tables);
    own->table = each ? cells_array(cells, sizeof *own->table, error) : NULL;
    if (own->tables == NULL || (each && own->table == NULL))
        return error_no_memory(error, "neurons");
    for (uint32_t i = 0; i < neurons; i++) {
        double mean = mean_of(cells, i);
        if (!check_mean(cells, i, error))
            return false;
        if ((i == 0 || own->tables[own->table_count - 1].mean != mean) &&
            !add_table(own, mean, error))
            return false;
        if (each)
            own->table[i] = own->table_count - 1;
        cells->population->noise |= mean > NOISE_MEAN;
    }
    cells->population->state_bytes +=
        own->limit_count * sizeof *own->limits + own->table_count * sizeof *own->tables;
    return true;
}

static int64_t tick_of(const struct cells *cells, uint32_t parameter, uint32_t i)
{
    double ticks = ticks_of_seconds(cells, cells_parameter(cells, parameter, i));
    return (int64_t)(ticks < FOREVER ? ticks : FOREVER);
}

static bool fill_times(struct poisson *own, struct cells *cells, struct error *error)
{
    own->start_all = tick_of(cells, START, 0);
    own->stop_all = tick_of(cells, STOP, 0);
    if (!cells->each[START] && !cells->each[STOP])
        return true;
    own->start = cells_array(cells, sizeof *own->start, error);
    own->stop = cells_array(cells, sizeof *own->stop, error);
    if (own->start == NULL || own->stop == NULL)
        return false;
    for (uint32_t i = 0; i < cells->neurons; i++) {
        own->start[i] = tick_of(cells, START, i);
        own->stop[i] = tick_of(cells, STOP, i);
        own->start_all = own->start[i] < own->start_all ? own->start[i] : own->start_all;
        own->stop_all = own->stop[i] > own->stop_all ? own->stop[i] : own->stop_all;
    }
    return true;
}

static bool prepare(struct cells *cells, struct error *error)
{
    struct poisson *own = cells->own = calloc(1, sizeof *own);
    if (own == NULL)
        return error_no_memory(error, "neurons");
    own->stream = random_stream_of(cells->rules.seed, RANDOM_SOURCE, cells->population->id);
    return fill_tables(own, cells, error) && fill_times(own, cells, error);
}

static void release(void *own)
{
    struct poisson *poisson = own;
    free(poisson->tables);
    free(poisson->limits);
    free(poisson);
}

/* events[i] = sure + how many limits words[i] reaches, for CELL_BLOCK words. */
VECTOR_INLINE void count_block(const uint32_t *restrict words, const uint32_t *restrict limits,
                               uint32_t length, uint32_t sure, int32_t *restrict events)
{
    int32_t counted[CELL_BLOCK];
    for (uint32_t i = 0; i < CELL_BLOCK; i++)
        counted[i] = (int32_t)sure;
    for (uint32_t k = 0; k < length; k++) {
        uint32_t limit = limits[k];
        for (uint32_t i = 0; i < CELL_BLOCK; i++)
            counted[i] += words[i] >= limit;
    }
    memcpy(events, counted, sizeof counted);
}

VECTOR_INLINE void count_events(const uint32_t *words, uint32_t neurons, const uint32_t *limits,
                                uint32_t length, uint32_t sure, int32_t *events)
{
    for (uint32_t begin = 0; begin < neurons; begin += CELL_BLOCK)
        count_block(words + begin, limits, length, sure, events + begin);
}
VECTOR_VERSIONS(count_events, (const uint32_t *words, uint32_t neurons, const uint32_t *limits,
                               uint32_t length, uint32_t sure, int32_t *events),
                (words, neurons, limits, length, sure, events))

/* Neurons of different means, from `begin` on. */
static void count_each(const struct poisson *own, const uint32_t *words, uint32_t begin,
                       uint32_t neurons, int32_t *events)
{
    for (uint32_t i = 0; i < neurons; i++) {
        const struct table *table = &own->tables[own->table[begin + i]];
        const uint32_t *limits = own->limits + table->first;
        uint32_t k = 0;
        while (k < table->length && words[i] >= limits[k])
            k++;
        events[i] = (int32_t)(table->sure + k);
    }
}

static void silence(const struct poisson *own, const struct cell_step *step, int32_t *events)
{
    for (uint32_t i = step->begin; own->start != NULL && i < step->end; i++)
        if (step->tick < own->start[i] || step->tick >= own->stop[i])
            events[i - step->begin] = 0;
}

static void step(struct cells *cells, struct cell_step *step)
{
    const struct poisson *own = cells->own;
    uint32_t words[CELL_STRETCH], neurons = step->end - step->begin, fired = 0;
    int32_t events[CELL_STRETCH];
    step->fired_count = 0;
    if (step->watch)
        memset(step->awake, step->tick + 1 < own->stop_all,
               (neurons + CELL_BLOCK - 1) / CELL_BLOCK);
    if (step->tick < own->start_all || step->tick >= own->stop_all)
        return;
    uint32_t whole = (neurons + CELL_BLOCK - 1) / CELL_BLOCK * CELL_BLOCK;
    random_words_bulk(&own->stream, (uint64_t)step->tick, step->begin / 4, whole / 4, words);
    if (own->table != NULL)
        count_each(own, words, step->begin, neurons, events);
    else
        count_events_by[step->vector](words, neurons, own->limits, own->tables[0].length,
                                      own->tables[0].sure, events);
    silence(own, step, events);
    for (uint32_t i = 0; i < neurons; i++) { /* without branches, as events come at random */
        step->fired[fired] = (struct spike){step->begin + i, events[i]};
        fired += events[i] != 0;
    }
    step->fired_count = fired;
}

const struct cell_model poisson_cells = {
    .name = "poisson",
    .summary = "Poisson sources; the payload is the number of events in the tick",
    .equation = "events in a tick: Poisson distributed, mean rate sources dt",
    .parameters = {{"rate", "Hz", NAN, RANGE_NOT_NEGATIVE, "of one source"},
                   {"sources", "", 1, RANGE_INTEGER, "independent ones that a neuron stands for"},
                   {"start", "s", 0, RANGE_NOT_NEGATIVE, "silent before"},
                   {"stop", "s", 1e300, RANGE_NOT_NEGATIVE, "silent from then on"}},
    .integrations = 1u << INTEGRATE_EXACT | 1u << INTEGRATE_EULER | 1u << INTEGRATE_EVENT,
    .output = CELLS_FIRE,
    .prepare = prepare,
    .step = step,
    .free = release,
};
