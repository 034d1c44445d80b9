/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Passes graded spikes on: the payload is the sum of what arrived in the tick, which is whole
 * where payloads and weights are (anything else is cut off after the point, and what no
 * payload can hold is brought to the largest that it can). No spike for 0. Without a state.
 */
#include "neurons/models/blocks.h"
#include "neurons/models/cell_models.h"

static int32_t payload_of(double sum)
{
    return sum >= INT32_MAX ? INT32_MAX : sum <= -INT32_MAX ? -INT32_MAX : (int32_t)sum;
}

VECTOR_INLINE uint64_t look(const double *input, uint32_t count)
{
    uint64_t any = 0;
    for (uint32_t i = 0; i < count; i++)
        any |= double_bits(input[i]);
    return any;
}
VECTOR_VERSIONS_OF(uint64_t, look, (const double *input, uint32_t count), (input, count))

static void step(struct cells *cells, struct cell_step *step)
{
    (void)cells;
    step->fired_count = 0;
    for (uint32_t begin = step->begin; begin < step->end; begin += CELL_BLOCK) {
        const double *input = step->input[0] + (begin - step->begin);
        uint32_t count = step->end - begin < CELL_BLOCK ? step->end - begin : CELL_BLOCK;
        if (look_by[step->vector](input, count) != 0)
            for (uint32_t i = 0; i < count; i++) {
                int32_t payload = payload_of(input[i]);
                step->fired[step->fired_count] = (struct spike){begin + i, payload};
                step->fired_count += payload != 0;
            }
        if (step->watch)
            step->awake[(begin - step->begin) / CELL_BLOCK] = 0;
    }
}

const struct cell_model graded_cells = {
    .name = "graded",
    .summary = "passes graded spikes on: the payload is the sum of what arrived",
    .equation = "payload = sum of inputs; a spike if it is not 0",
    .ports = {"input"},
    .integrations = 1u << INTEGRATE_EXACT | 1u << INTEGRATE_EULER | 1u << INTEGRATE_EVENT,
    .output = CELLS_FIRE,
    .step = step,
};
