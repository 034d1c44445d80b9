/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A source that fires at fixed intervals: first at `phase`, then every `interval` seconds (or
 * 1 / rate), each rounded to whole ticks.
 */
#include "neurons/models/blocks.h"
#include "neurons/models/cell_models.h"

#include <inttypes.h>
#include <stdlib.h>

enum { INTERVAL, RATE, PHASE };

static const double FOREVER = 0x1p62; /* ticks: no run is as long */

struct regular {
    int64_t *interval; /* [neurons], ticks; 0: never fires */
    int64_t *next;     /* [neurons], tick of the next spike */
};

static double ticks_of(const struct cells *cells, double seconds)
{
    double ticks = ticks_of_seconds(cells, seconds);
    return ticks < FOREVER ? ticks : FOREVER;
}

static bool interval_of(const struct cells *cells, uint32_t i, int64_t *ticks, struct error *error)
{
    double interval = cells_parameter(cells, INTERVAL, i), rate = cells_parameter(cells, RATE, i);
    const char *name = cells->population->name;
    if (interval > 0 && rate > 0)
        return error_set(error, ERROR_MISUSED,
                         "population %s: neuron %" PRIu32 " has both an interval and a rate; give "
                         "one of them", name, i);
    *ticks = 0;
    if (interval == 0 && rate == 0)
        return true;
    double length = ticks_of(cells, interval > 0 ? interval : 1 / rate);
    if (length < 1)
        return error_set(error, ERROR_MISUSED,
                         "population %s: neuron %" PRIu32 " would fire more often than once a tick "
                         "of %g s; choose a shorter dt", name, i, cells->rules.dt);
    *ticks = (int64_t)length;
    return true;
}

static bool prepare(struct cells *cells, struct error *error)
{
    struct regular *own = cells->own = calloc(1, sizeof *own);
    if (own == NULL)
        return error_no_memory(error, "neurons");
    own->interval = cells_array(cells, sizeof *own->interval, error);
    own->next = cells_array(cells, sizeof *own->next, error);
    if (own->interval == NULL || own->next == NULL)
        return false;
    for (uint32_t i = 0; i < cells->neurons; i++)
        if (!interval_of(cells, i, &own->interval[i], error))
            return false;
    return true;
}

VECTOR_INLINE int64_t look(const int64_t *next, int64_t tick, uint32_t count)
{
    int64_t due = 0;
    for (uint32_t i = 0; i < count; i++)
        due |= next[i] == tick ? -1 : 0;
    return due;
}
VECTOR_VERSIONS_OF(int64_t, look, (const int64_t *next, int64_t tick, uint32_t count),
                   (next, tick, count))

static void step(struct cells *cells, struct cell_step *step)
{
    struct regular *own = cells->own;
    step->fired_count = 0;
    for (uint32_t begin = step->begin; begin < step->end; begin += CELL_BLOCK) {
        uint32_t end = step->end - begin < CELL_BLOCK ? step->end : begin + CELL_BLOCK;
        bool due = look_by[step->vector](own->next + begin, step->tick, end - begin) != 0;
        for (uint32_t i = begin; due && i < end; i++) {
            if (own->next[i] != step->tick)
                continue;
            step->fired[step->fired_count++] = (struct spike){i, 1};
            own->next[i] += own->interval[i];
        }
        if (step->watch) /* the next spike comes by itself */
            step->awake[(begin - step->begin) / CELL_BLOCK] = 1;
    }
}

static void reset(struct cells *cells)
{
    struct regular *own = cells->own;
    for (uint32_t i = 0; i < cells->neurons; i++)
        own->next[i] = own->interval[i] > 0
                           ? (int64_t)ticks_of(cells, cells_parameter(cells, PHASE, i))
                           : -1; /* no tick */
}

const struct cell_model regular_cells = {
    .name = "regular",
    .summary = "source that fires at fixed intervals",
    .equation = "a spike at phase + n interval",
    .parameters = {{"interval", "s", 0, RANGE_NOT_NEGATIVE, "between spikes; 0: 1 / rate"},
                   {"rate", "Hz", 0, RANGE_NOT_NEGATIVE, "instead of an interval; both 0: silent"},
                   {"phase", "s", 0, RANGE_NOT_NEGATIVE, "time of the first spike"}},
    .integrations = 1u << INTEGRATE_EXACT | 1u << INTEGRATE_EULER | 1u << INTEGRATE_EVENT,
    .output = CELLS_FIRE,
    .prepare = prepare,
    .step = step,
    .reset = reset,
    .free = free,
};
