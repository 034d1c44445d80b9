/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gated linear unit (Shazeer 2020): y = SiLU(gate) · up, SiLU(x) = x · sigmoid(x). */
#include "neurons/models/models.h"

#include <stdlib.h>

#include "encoding/arithmetic.h"

enum { GATE, UP };

static bool update_lane(struct population *self, const struct moment *moment, uint32_t lane,
                        struct error *error)
{
    (void)moment;
    const struct firing_rule *rule = self->state;
    double *gate = self->ports[GATE].current + (size_t)lane * self->neurons;
    const double *up = self->ports[UP].current + (size_t)lane * self->neurons;
    for (uint32_t i = 0; i < self->neurons; i++)
        gate[i] = gate[i] * arithmetic_sigmoid(gate[i]) * up[i];
    return firing_rule_apply(rule, self, lane, gate, error);
}

static bool update(struct population *self, const struct moment *moment, struct error *error)
{
    if (!population_each_lane(self, moment, update_lane, error))
        return false;
    if (self->train != NULL)
        train_seal(self->train, moment->wave->lanes);
    return true;
}

static const struct population_model model = {
    .name = "gated unit",
    .equation = "y = gate * sigmoid(gate) * up",
    .update = update,
    .free = free,
};

struct population *gated_unit_new(struct network *network, const char *name, int32_t layer,
                                  uint32_t neurons, struct firing_rule rule, struct error *error)
{
    struct population *population =
        network_add_population(network, name, layer, &model, neurons, error);
    struct firing_rule *copy = malloc(sizeof *copy);
    if (population == NULL || copy == NULL) {
        free(copy);
        error_no_memory(error, "a gated unit");
        return NULL;
    }
    *copy = rule;
    population->state = copy;
    if (population_add_current(population, "gate", neurons, error) < 0 ||
        population_add_current(population, "up", neurons, error) < 0 ||
        !firing_rule_equip(&rule, population, error))
        return NULL;
    return population;
}
