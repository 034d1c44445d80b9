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
    double *turn;              /* [lanes][size], sines and cosines of a lane's position */
};

void rotary_frequencies(double theta, uint32_t size, double *inverse_frequency)
{
    for (uint32_t i = 0; i < size / 2; i++)
        inverse_frequency[i] = arithmetic_pow(theta, -(2.0 * i) / size);
}

void rotary_turn(const double *inverse_frequency, uint32_t size, int64_t position, double *sine,
                 double *cosine)
{
    for (uint32_t i = 0; i < size / 2; i++)
        arithmetic_sincos((double)position * inverse_frequency[i], &sine[i], &cosine[i]);
}

struct rotation {
    const double *sine, *cosine; /* [half] */
    uint32_t half;
    double *values; /* [2 * half] */
};

VECTOR_INLINE void rotate(const struct rotation *rotation)
{
    const double *restrict sine = rotation->sine, *restrict cosine = rotation->cosine;
    double *restrict first = rotation->values, *restrict second = first + rotation->half;
    for (uint32_t i = 0; i < rotation->half; i++) {
        double a = first[i], b = second[i];
        first[i] = a * cosine[i] - b * sine[i];
        second[i] = b * cosine[i] + a * sine[i];
    }
}
VECTOR_VERSIONS(rotate, (const struct rotation *rotation), (rotation))

void rotary_rotate(const double *sine, const double *cosine, uint32_t size, uint32_t heads,
                   double *values, enum vector_level vector)
{
    for (uint32_t h = 0; h < heads; h++) {
        const struct rotation rotation = {sine, cosine, size / 2, values + (size_t)h * size};
        rotate_by[vector](&rotation);
    }
}

static bool update_lane(struct population *self, const struct moment *moment, uint32_t lane,
                        struct error *error)
{
    const struct rotary_query *rotary = self->state;
    uint32_t size = rotary->heads.size;
    double *x = self->ports[0].current + (size_t)lane * self->neurons;
    double *sine = rotary->turn + (size_t)lane * size, *cosine = sine + size / 2;
    rotary_turn(rotary->inverse_frequency, size, moment->wave->position + lane, sine, cosine);
    rotary_rotate(sine, cosine, size, rotary->heads.queries, x, moment->kernels->vector);
    bool applied = firing_rule_apply(&rotary->rule, self, moment, lane, x, error);
    population_clear_lane(self, lane);
    return applied;
}

static bool update(struct population *self, const struct moment *moment, struct error *error)
{
    if (!population_each_lane(self, moment, update_lane, error))
        return false;
    firing_rule_seal(self, moment);
    return true;
}

static void release(void *state)
{
    struct rotary_query *rotary = state;
    free(rotary->inverse_frequency);
    free(rotary->turn);
    free(rotary);
}

static const struct population_model model = {
    .name = "rotary query",
    .equation = "y = R(position) q, per head",
    .update = update,
    .free = release,
    .clears = true,
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
    rotary->turn = calloc((size_t)network->lanes_limit * heads.size + 1, sizeof *rotary->turn);
    if (rotary->inverse_frequency == NULL || rotary->turn == NULL) {
        error_no_memory(error, "queries");
        return NULL;
    }
    rotary_frequencies(theta, heads.size, rotary->inverse_frequency);
    if (population_add_current(population, "queries", neurons, error) < 0 ||
        !firing_rule_equip(&rule, population, error))
        return NULL;
    return population;
}
