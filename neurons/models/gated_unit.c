/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gated linear unit (Shazeer 2020): y = SiLU(gate) · up, SiLU(x) = x · sigmoid(x). */
#include "neurons/models/models.h"

#include <stdlib.h>

#include "neurons/vector_exp.h"

enum { GATE, UP };

struct gates {
    double *gate; /* [length], becomes the unit's value */
    const double *up; /* [length] */
    uint32_t length;
};

VECTOR_INLINE void open_gates(const struct gates *gates)
{
    double *restrict gate = gates->gate;
    const double *restrict up = gates->up;
    for (uint32_t i = 0; i < gates->length; i++)
        gate[i] = gate[i] * vector_sigmoid(gate[i]) * up[i];
}
VECTOR_VERSIONS(open_gates, (const struct gates *gates), (gates))

static void compute(struct population *self, const struct moment *moment, uint32_t lane,
                    uint32_t begin, uint32_t end)
{
    size_t at = (size_t)lane * self->neurons + begin;
    const struct gates gates = {self->ports[GATE].current + at, self->ports[UP].current + at,
                                end - begin};
    open_gates_by[moment->kernels->vector](&gates);
}

static bool update(struct population *self, const struct moment *moment, struct error *error)
{
    return firing_rule_update(self->state, self, moment, compute, self->ports[GATE].current,
                              error);
}

static const struct population_model model = {
    .name = "gated unit",
    .equation = "y = gate * sigmoid(gate) * up",
    .update = update,
    .free = free,
    .clears = true,
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
