/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values to spikes, or shown as they are: the last step of every event-driven model. */
#include "neurons/models/models.h"

#include <string.h>

bool firing_rule_equip(const struct firing_rule *rule, struct population *population,
                       struct error *error)
{
    if (rule->coding == NULL)
        return population_shows(population, error);
    return population_fires(population, rule->coding, 1, error) &&
           (train_divide(population->train, rule->span) || error_no_memory(error, "thresholds"));
}

bool firing_rule_apply(const struct firing_rule *rule, struct population *population,
                       uint32_t lane, const double *values, struct error *error)
{
    if (rule->coding != NULL)
        return train_encode(population->train, lane, values, rule->k, error);
    memcpy(population->values + (size_t)lane * population->neurons, values,
           population->neurons * sizeof *values);
    return true;
}
