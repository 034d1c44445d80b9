/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shows its input of the tick as a value. A block sleeps while all it shows is 0. */
#include "neurons/models/blocks.h"
#include "neurons/models/cell_models.h"

static void step(struct cells *cells, struct cell_step *step)
{
    double *v = cells->variable[0] + step->begin;
    const double *input = step->input[0];
    uint32_t neurons = step->end - step->begin;
    memcpy(v, input, neurons * sizeof *v);
    step->fired_count = 0;
    for (uint32_t begin = 0; step->watch && begin < neurons; begin += CELL_BLOCK) {
        uint64_t shown = 0;
        for (uint32_t i = begin; i < neurons && i < begin + CELL_BLOCK; i++)
            shown |= double_bits(v[i]);
        step->awake[begin / CELL_BLOCK] = shown != 0;
    }
}

const struct cell_model relay_cells = {
    .name = "relay",
    .summary = "shows its input as a value",
    .equation = "v = I",
    .variables = {{"v", "", NULL}},
    .ports = {"input"},
    .integrations = 1u << INTEGRATE_EXACT | 1u << INTEGRATE_EULER | 1u << INTEGRATE_EVENT,
    .output = CELLS_SHOW,
    .step = step,
};
