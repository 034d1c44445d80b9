/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shows the sum of its inputs: the residual stream of a layered model. */
#include "neurons/models/models.h"

#include <string.h>

static bool update_lane(struct population *self, const struct moment *moment, uint32_t lane,
                        struct error *error)
{
    (void)moment, (void)error;
    size_t from = (size_t)lane * self->neurons;
    memcpy(self->values + from, self->ports[0].current + from,
           self->neurons * sizeof *self->values);
    population_clear_lane(self, lane);
    return true;
}

static bool update(struct population *self, const struct moment *moment, struct error *error)
{
    return population_each_lane(self, moment, update_lane, error);
}

static const struct population_model model = {
    .name = "sum",
    .equation = "y = sum of inputs",
    .update = update,
    .clears = true,
};

struct population *sum_new(struct network *network, const char *name, int32_t layer,
                           uint32_t neurons, struct error *error)
{
    struct population *population =
        network_add_population(network, name, layer, &model, neurons, error);
    if (population == NULL || population_add_current(population, "inputs", neurons, error) < 0 ||
        !population_shows(population, error))
        return NULL;
    return population;
}
