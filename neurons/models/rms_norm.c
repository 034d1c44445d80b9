/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Root-mean-square normalisation (Zhang and Sennrich 2019):
 *
 *     y = x / sqrt(mean(x²) + epsilon) · weight
 */
#include "neurons/models/models.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "neurons/models/rms_norm.h"

struct rms_norm {
    struct firing_rule rule;
    double epsilon;
    double *weight; /* [neurons] */
};

/* Σ x²: partial sums, then a tree. */
VECTOR_INLINE double sum_squares(const double *values, uint32_t length)
{
    vector_eight sums[PARTIAL_SUMS / 8] = {{0}};
    const double *end = values + length;
    for (; end - values >= PARTIAL_SUMS; values += PARTIAL_SUMS)
#pragma GCC unroll 4
        for (int v = 0; v < PARTIAL_SUMS / 8; v++) {
            vector_eight x;
            memcpy(&x, values + 8 * v, sizeof x);
            sums[v] += x * x;
        }
    double sum[PARTIAL_SUMS];
#pragma GCC unroll 4
    for (int v = 0; v < PARTIAL_SUMS / 8; v++)
        memcpy(sum + 8 * v, &sums[v], sizeof sums[v]);
    for (uint32_t j = 0; values < end; values++, j++)
        sum[j] += *values * *values;
    for (uint32_t n = PARTIAL_SUMS / 2; n >= 1; n /= 2)
        for (uint32_t j = 0; j < n; j++)
            sum[j] += sum[j + n];
    return sum[0];
}

VECTOR_INLINE void normalise(const struct rms_norm_job *job)
{
    double *restrict values = job->values;
    const double *restrict weight = job->weight;
    double factor = 1 / sqrt(sum_squares(values, job->length) / job->length + job->epsilon);
    for (uint32_t i = 0; i < job->length; i++)
        values[i] = values[i] * factor * weight[i];
}
VECTOR_VERSIONS(normalise, (const struct rms_norm_job *job), (job))

void rms_norm_apply(const struct rms_norm_job *job, enum vector_level vector)
{
    normalise_by[vector](job);
}

static bool update_lane(struct population *self, const struct moment *moment, uint32_t lane,
                        struct error *error)
{
    const struct rms_norm *norm = self->state;
    double *x = self->ports[0].current + (size_t)lane * self->neurons;
    const struct rms_norm_job job = {x, norm->weight, self->neurons, norm->epsilon};
    rms_norm_apply(&job, moment->kernels->vector);
    bool applied = firing_rule_apply(&norm->rule, self, moment, lane, x, error);
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
    struct rms_norm *norm = state;
    free(norm->weight);
    free(norm);
}

static const struct population_model model = {
    .name = "rms norm",
    .equation = "y = x / sqrt(mean(x^2) + eps) * w",
    .update = update,
    .free = release,
    .clears = true,
};

struct population *rms_norm_new(struct network *network, const char *name, int32_t layer,
                                uint32_t neurons, const double *weight, double epsilon,
                                struct firing_rule rule, struct error *error)
{
    struct population *population =
        network_add_population(network, name, layer, &model, neurons, error);
    struct rms_norm *norm = calloc(1, sizeof *norm);
    if (population == NULL || norm == NULL) {
        free(norm);
        error_no_memory(error, "a norm");
        return NULL;
    }
    population->state = norm;
    norm->rule = rule;
    norm->epsilon = epsilon;
    norm->weight = malloc(neurons * sizeof *weight);
    if (norm->weight == NULL) {
        error_no_memory(error, "a norm");
        return NULL;
    }
    memcpy(norm->weight, weight, neurons * sizeof *weight);
    if (population_add_current(population, "x", neurons, error) < 0 ||
        !firing_rule_equip(&rule, population, error))
        return NULL;
    return population;
}
