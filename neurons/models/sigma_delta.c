/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The sigma-delta neuron (O'Connor and Welling 2016; Lava's SigmaDelta): it adds up the changes
 * that arrive and passes on the changes of its own activation, when they are large enough.
 *
 *     sigma ← sigma + input
 *     activation ← sigma + bias, or max(0, sigma + bias) where relu is 1
 *     difference ← activation - step sent
 *     where |difference| >= threshold:  payload = round(difference / step), sent ← sent + payload
 *
 * A spike's payload counts steps: what it is worth is step x payload, so whoever sets the weights
 * to its targets multiplies them by the source's step. `sent` is the sum of all payloads, just
 * what targets have added up, so that rounding never accumulates: what a spike leaves behind (less
 * than a step, or beyond 2^31 steps) is part of the next difference. A payload that rounds to 0
 * is not sent.
 */
#include "neurons/models/blocks.h"
#include "neurons/models/cell_models.h"

#include <stdlib.h>

enum { THRESHOLD, STEP, BIAS, RELU };
enum { SIGMA, SENT };

struct sigma_delta {
    struct coefficient threshold, step, bias;
    struct coefficient floor; /* 0 where rectified, else the lowest number */
};

static double floor_of(const struct cells *cells, uint32_t i)
{
    return cells_parameter(cells, RELU, i) != 0 ? 0 : -0x1p1023;
}

static bool prepare(struct cells *cells, struct error *error)
{
    if (!rules_are_plain(cells, false, error))
        return false;
    for (uint32_t i = 0; i < (cells->each[RELU] ? cells->neurons : 1); i++)
        if (cells_parameter(cells, RELU, i) != 0 && cells_parameter(cells, RELU, i) != 1)
            return error_set(error, ERROR_MISUSED,
                             "population %s: relu of neuron %u is %g; it must be 0 or 1",
                             cells->population->name, i, cells_parameter(cells, RELU, i));
    struct sigma_delta *own = calloc(1, sizeof *own);
    if (own == NULL)
        return error_no_memory(error, "neurons");
    cells->own = own;
    cells_keep_port(cells, 0, SIGMA);
    coefficient_parameter(&own->threshold, cells, THRESHOLD);
    coefficient_parameter(&own->step, cells, STEP);
    coefficient_parameter(&own->bias, cells, BIAS);
    return coefficient_fill(&own->floor, cells, 1u << RELU, floor_of, error);
}

struct block {
    const double *sigma; /* [count], as all below */
    double *sent;
    const double *threshold, *step, *bias, *floor;
    uint32_t count;
};

VECTOR_INLINE void advance(const struct block *b, struct block_result *result)
{
    const double round = 6755399441055744.0; /* 1.5 · 2^52 */
    uint64_t any = 0;
#pragma GCC ivdep
    for (uint32_t i = 0; i < b->count; i++) {
        double activation = b->sigma[i] + b->bias[i];
        activation = choose(mask_of(activation < b->floor[i]), b->floor[i], activation);
        double difference = activation - b->step[i] * b->sent[i];
        double steps = difference / b->step[i];
        steps = choose(mask_of(steps > INT32_MAX), INT32_MAX, steps);
        steps = choose(mask_of(steps < -INT32_MAX), -INT32_MAX, steps);
        steps = choose(mask_of(__builtin_fabs(difference) >= b->threshold[i]), steps, 0);
        double payload = steps + round - round;
        b->sent[i] += payload;
        result->fired[i] = payload;
        any |= double_bits(payload);
    }
    result->any = any;
    result->changed = any;
}
VECTOR_VERSIONS(advance, (const struct block *b, struct block_result *result), (b, result))

static void step(struct cells *cells, struct cell_step *step)
{
    const struct sigma_delta *own = cells->own;
    step->fired_count = 0;
    for (uint32_t i = step->begin; i < step->end; i += CELL_BLOCK) {
        const struct block block = {
            .sigma = cells->variable[SIGMA] + i,
            .sent = cells->variable[SENT] + i,
            .threshold = coefficient_block(&own->threshold, i),
            .step = coefficient_block(&own->step, i),
            .bias = coefficient_block(&own->bias, i),
            .floor = coefficient_block(&own->floor, i),
            .count = step->end - i < CELL_BLOCK ? step->end - i : CELL_BLOCK,
        };
        struct block_result result;
        advance_by[step->vector](&block, &result);
        block_finish(step, i, block.count, &result);
    }
}

const struct cell_model sigma_delta_cells = {
    .name = "sigma_delta",
    .summary = "sigma-delta neuron (O'Connor and Welling 2016; Lava): payloads count steps; "
               "multiply weights to its targets by its step",
    .equation = "sigma += input; d = activation(sigma + bias) - step sent; where |d| >= threshold: "
                "payload = round(d / step), sent += payload",
    .parameters = {{"threshold", "", 0.1, RANGE_NOT_NEGATIVE, "smallest change that is sent"},
                   {"step", "", 0.1, RANGE_POSITIVE, "what a payload of 1 is worth"},
                   {"bias", "", 0, RANGE_ANY, "added to sigma"},
                   {"relu", "", 0, RANGE_INTEGER, "1: the activation is never below 0"}},
    .variables = {{"sigma", "", NULL}, {"sent", "", NULL}},
    .ports = {"input"},
    .integrations = 1u << INTEGRATE_EXACT | 1u << INTEGRATE_EULER,
    .output = CELLS_FIRE,
    .prepare = prepare,
    .step = step,
    .free = free,
};
