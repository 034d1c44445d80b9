/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keeps what arrives until the next wave, for the program to read. */
#include "neurons/models/models.h"

#include <string.h>

static bool update(struct population *self, const struct moment *moment, struct error *error)
{
    (void)error;
    for (uint32_t lane = moment->wave->readout_from; lane < moment->wave->lanes; lane++) {
        size_t from = (size_t)lane * self->neurons;
        memcpy(self->values + from, self->ports[0].current + from,
               self->neurons * sizeof *self->values);
        population_clear_lane(self, lane);
    }
    return true;
}

static const struct population_model model = {
    .name = "readout",
    .equation = "y = input",
    .update = update,
    .clears = true,
    .reads_out = true,
};

struct population *readout_new(struct network *network, const char *name, uint32_t neurons,
                               struct error *error)
{
    struct population *population =
        network_add_population(network, name, -1, &model, neurons, error);
    if (population == NULL || population_add_current(population, "inputs", neurons, error) < 0 ||
        !population_shows(population, error))
        return NULL;
    return population;
}
