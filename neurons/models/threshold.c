/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fires where the input of the tick is above the threshold (NIR's Threshold). Without a state. */
#include "neurons/models/blocks.h"
#include "neurons/models/cell_models.h"

#include <math.h>
#include <stdlib.h>

enum { THRESHOLD };

struct threshold {
    struct coefficient above; /* fires above it */
};

/* A spike at or above the threshold is one above the number before it. */
static double above_of(const struct cells *cells, uint32_t i)
{
    double threshold = cells_parameter(cells, THRESHOLD, i);
    return cells->rules.inclusive ? nextafter(threshold, -INFINITY) : threshold;
}

static bool prepare(struct cells *cells, struct error *error)
{
    struct threshold *own = cells->own = calloc(1, sizeof *own);
    if (own == NULL)
        return error_no_memory(error, "neurons");
    return coefficient_fill(&own->above, cells, 1u << THRESHOLD, above_of, error);
}

VECTOR_INLINE int64_t look(const double *input, const double *above, uint32_t count)
{
    int64_t fires = 0;
    for (uint32_t i = 0; i < count; i++)
        fires |= input[i] > above[i] ? -1 : 0;
    return fires;
}
VECTOR_VERSIONS_OF(int64_t, look, (const double *input, const double *above, uint32_t count),
                   (input, above, count))

/* A block whose neurons fire without any input never sleeps. */
static bool fires_alone(const double *above, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (above[i] < 0)
            return true;
    return false;
}

static void step(struct cells *cells, struct cell_step *step)
{
    const struct threshold *own = cells->own;
    step->fired_count = 0;
    for (uint32_t begin = step->begin; begin < step->end; begin += CELL_BLOCK) {
        const double *input = step->input[0] + (begin - step->begin);
        const double *above = coefficient_block(&own->above, begin);
        uint32_t count = step->end - begin < CELL_BLOCK ? step->end - begin : CELL_BLOCK;
        bool fires = look_by[step->vector](input, above, count) != 0;
        for (uint32_t i = 0; fires && i < count; i++)
            if (input[i] > above[i])
                step->fired[step->fired_count++] = (struct spike){begin + i, 1};
        if (step->watch)
            step->awake[(begin - step->begin) / CELL_BLOCK] = fires_alone(above, count);
    }
}

const struct cell_model threshold_cells = {
    .name = "threshold",
    .summary = "a spike for an input above the threshold (NIR: Threshold)",
    .equation = "spike if I > threshold",
    .parameters = {{"threshold", "", 1, RANGE_ANY, "a spike above it"}},
    .ports = {"input"},
    .integrations = 1u << INTEGRATE_EXACT | 1u << INTEGRATE_EULER | 1u << INTEGRATE_EVENT,
    .output = CELLS_FIRE,
    .prepare = prepare,
    .step = step,
    .free = free,
};
