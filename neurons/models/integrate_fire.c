/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The perfect integrator (NIR's IF), one forward step a tick:
 *
 *     v ← v + R · I · dt;   a spike if v > threshold, then v ← reset
 *
 * I is what the projections brought this tick plus a constant drive.
 */
#include "neurons/models/models.h"

#include <stdlib.h>
#include <string.h>

struct integrate_fire {
    struct integrate_fire_parameters parameters;
    double *potential; /* [neurons] */
    double *drive;     /* [neurons] */
};

static bool update(struct population *self, const struct moment *moment, struct error *error)
{
    (void)moment, (void)error;
    struct integrate_fire *cells = self->state;
    const struct integrate_fire_parameters *p = &cells->parameters;
    const double *current = self->ports[0].current;
    self->spike_count = 0;
    for (uint32_t i = 0; i < self->neurons; i++) {
        double v = cells->potential[i] + p->resistance * (current[i] + cells->drive[i]) * p->step;
        if (v > p->threshold) {
            self->spikes[self->spike_count++] = (struct spike){.neuron = i, .payload = 1};
            v = p->reset;
        }
        cells->potential[i] = v;
    }
    return true;
}

static void reset(struct population *self)
{
    struct integrate_fire *cells = self->state;
    for (uint32_t i = 0; i < self->neurons; i++)
        cells->potential[i] = cells->parameters.initial;
}

static void release(void *state)
{
    struct integrate_fire *cells = state;
    free(cells->potential);
    free(cells->drive);
    free(cells);
}

static const struct population_model model = {
    .name = "integrate and fire",
    .equation = "v += R I dt; spike if v > threshold, then v = reset",
    .update = update,
    .reset = reset,
    .free = release,
};

struct population *integrate_fire_new(struct network *network, const char *name, uint32_t neurons,
                                      struct integrate_fire_parameters parameters,
                                      struct error *error)
{
    struct population *population =
        network_add_population(network, name, -1, &model, neurons, error);
    struct integrate_fire *cells = calloc(1, sizeof *cells);
    if (population == NULL || cells == NULL) {
        free(cells);
        error_no_memory(error, "neurons");
        return NULL;
    }
    population->state = cells;
    population->clocked = true;
    cells->parameters = parameters;
    cells->potential = malloc(neurons * sizeof *cells->potential);
    cells->drive = calloc(neurons, sizeof *cells->drive);
    population->state_bytes = neurons * sizeof *cells->potential;
    if (cells->potential == NULL || cells->drive == NULL) {
        error_no_memory(error, "neurons");
        return NULL;
    }
    reset(population);
    if (population_add_current(population, "current", neurons, error) < 0 ||
        !population_spikes(population, error))
        return NULL;
    return population;
}

const double *integrate_fire_potential(const struct population *population)
{
    const struct integrate_fire *cells = population->state;
    return cells->potential;
}

void integrate_fire_drive(struct population *population, const double *current)
{
    struct integrate_fire *cells = population->state;
    memcpy(cells->drive, current, population->neurons * sizeof *current);
}
