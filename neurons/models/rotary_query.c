/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rotary position embedding (Su et al. 2021), rotate-half layout: channels i and
 * i + size/2 of a head turn by position · theta^(-2i/size). The queries of a
 * window layer fire after it, one vector a head.
 */
#include "neurons/models/models.h"

#include <stdlib.h>

#include "encoding/arithmetic.h"

struct rotary_query {
    struct firing_rule rule;
    struct heads heads;
    double *inverse_frequency; /* [size / 2] */
};

void rotary_frequencies(double theta, uint32_t size, double *inverse_frequency)
{
    for (uint32_t i = 0; i < size / 2; i++)
        inverse_frequency[i] = arithmetic_pow(theta, -(2.0 * i) / size);
}

void rotary_rotate(const double *inverse_frequency, uint32_t size, int64_t position,
                   const double *in, double *out)
{
    uint32_t half = size / 2;
    for (uint32_t i = 0; i < half; i++) {
        double sine, cosine;
        arithmetic_sincos((double)position * inverse_frequency[i], &sine, &cosine);
        double a = in[i], b = in[i + half];
        out[i] = a * cosine - b * sine;
        out[i + half] = b * cosine + a * sine;
    }
}

static bool update_lane(struct population *self, const struct moment *moment, uint32_t lane,
                        struct error *error)
{
    const struct rotary_query *rotary = self->state;
    double *x = self->ports[0].current + (size_t)lane * self->neurons;
    for (uint32_t h = 0; h < rotary->heads.queries; h++, x += rotary->heads.size)
        rotary_rotate(rotary->inverse_frequency, rotary->heads.size, moment->wave->position + lane,
                      x, x);
    return firing_rule_apply(&rotary->rule, self, lane,
                             self->ports[0].current + (size_t)lane * self->neurons, error);
}

static bool update(struct population *self, const struct moment *moment, struct error *error)
{
    if (!population_each_lane(self, moment, update_lane, error))
        return false;
    if (self->train != NULL)
        train_seal(self->train, moment->wave->lanes);
    return true;
}

static void release(void *state)
{
    struct rotary_query *rotary = state;
    free(rotary->inverse_frequency);
    free(rotary);
}

static const struct population_model model = {
    .name = "rotary query",
    .equation = "y = R(position) q, per head",
    .update = update,
    .free = release,
};

struct population *rotary_query_new(struct network *network, const char *name, int32_t layer,
                                    struct heads heads, double theta, struct firing_rule rule,
                                    struct error *error)
{
    uint32_t neurons = heads.queries * heads.size;
    struct population *population =
        network_add_population(network, name, layer, &model, neurons, error);
    struct rotary_query *rotary = calloc(1, sizeof *rotary);
    if (population == NULL || rotary == NULL) {
        free(rotary);
        error_no_memory(error, "queries");
        return NULL;
    }
    population->state = rotary;
    rule.span = heads.size; /* each head meets keys of its own */
    rotary->rule = rule;
    rotary->heads = heads;
    rotary->inverse_frequency = malloc((heads.size / 2 + 1) * sizeof(double));
    if (rotary->inverse_frequency == NULL) {
        error_no_memory(error, "queries");
        return NULL;
    }
    rotary_frequencies(theta, heads.size, rotary->inverse_frequency);
    if (population_add_current(population, "queries", neurons, error) < 0 ||
        !firing_rule_equip(&rule, population, error))
        return NULL;
    return population;
}
