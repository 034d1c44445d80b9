/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "neurons/models/blocks.h"

#include <math.h>

static void coefficient_spread(struct coefficient *coefficient, double same)
{
    coefficient->each = NULL;
    for (uint32_t i = 0; i < CELL_BLOCK; i++)
        coefficient->same[i] = same;
}

bool coefficient_fill(struct coefficient *coefficient, struct cells *cells, unsigned parameters,
                      double (*of)(const struct cells *cells, uint32_t neuron), struct error *error)
{
    bool each = false;
    for (unsigned p = 0; p < CELL_PARAMETERS; p++)
        each |= (parameters >> p & 1) != 0 && cells->each[p];
    if (!each) {
        coefficient_spread(coefficient, of(cells, 0));
        return true;
    }
    double *values = cells_array(cells, sizeof *values, error);
    if (values == NULL)
        return false;
    for (uint32_t i = 0; i < cells->neurons; i++)
        values[i] = of(cells, i);
    coefficient->each = values;
    return true;
}

void coefficient_parameter(struct coefficient *coefficient, const struct cells *cells, uint32_t p)
{
    if (cells->each[p])
        coefficient->each = cells->parameter[p];
    else
        coefficient_spread(coefficient, cells->parameter[p][0]);
}

double ticks_of_seconds(const struct cells *cells, double seconds)
{
    return floor(seconds / cells->rules.dt + 0.5);
}

bool rules_are_plain(const struct cells *cells, bool subtracts, struct error *error)
{
    const struct cell_rules *rules = &cells->rules;
    const char *rule = rules->raw          ? "the raw discrete-time form"
                       : rules->single     ? "single precision"
                       : rules->several    ? "several spikes a tick"
                       : rules->late_reset ? "a reset that acts in the next tick"
                       : rules->reset == RESET_SUBTRACT && !subtracts ? "reset by subtraction"
                                                                      : NULL;
    return rule == NULL ||
           error_set(error, ERROR_MISUSED, "population %s: the model %s does not have %s",
                     cells->population->name, cells->model->name, rule);
}

void block_finish(struct cell_step *step, uint32_t begin, uint32_t count,
                  const struct block_result *result)
{
    if (result->any != 0)
        for (uint32_t i = 0; i < count; i++) {
            step->fired[step->fired_count] =
                (struct spike){.neuron = begin + i, .payload = (int32_t)result->fired[i]};
            step->fired_count += result->fired[i] != 0;
        }
    if (step->watch)
        step->awake[(begin - step->begin) / CELL_BLOCK] = result->changed != 0;
}
