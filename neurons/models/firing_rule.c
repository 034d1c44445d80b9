/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values to spikes, or shown as they are: the last step of every event-driven model. */
#include "neurons/models/models.h"

#include <string.h>

enum { WORTH_SHARING = 4096 }; /* neurons of a lane; threads take microseconds to meet */

bool firing_rule_equip(const struct firing_rule *rule, struct population *population,
                       struct error *error)
{
    if (rule->coding == NULL)
        return population_shows(population, error);
    return population_fires(population, rule->coding, 1, error) &&
           (train_divide(population->train, rule->span) || error_no_memory(error, "thresholds"));
}

bool firing_rule_apply(const struct firing_rule *rule, struct population *population,
                       const struct moment *moment, uint32_t lane, const double *values,
                       struct error *error)
{
    if (rule->coding != NULL)
        return train_encode(population->train, lane, values, rule->k, moment->kernels->vector,
                            error);
    memcpy(population->values + (size_t)lane * population->neurons, values,
           population->neurons * sizeof *values);
    return true;
}

void firing_rule_seal(struct population *population, const struct moment *moment)
{
    if (population->train != NULL)
        train_seal(population->train, moment->wave->lanes);
}

struct update_job {
    const struct firing_rule *rule;
    struct population *self;
    const struct moment *moment;
    compute_function *compute;
    const double *values;
};

static const double *row(const struct update_job *job, uint32_t lane)
{
    return job->values + (size_t)lane * job->self->neurons;
}

static bool update_lane(void *argument, uint32_t lane, struct error *error)
{
    const struct update_job *job = argument;
    job->compute(job->self, job->moment, lane, 0, job->self->neurons);
    bool applied =
        firing_rule_apply(job->rule, job->self, job->moment, lane, row(job, lane), error);
    population_clear_lane(job->self, lane);
    return applied;
}

static void compute_pieces(void *argument, uint32_t part, uint32_t parts)
{
    const struct update_job *job = argument;
    struct train *train = job->self->train;
    uint32_t begin, end;
    workers_slice(train->pieces, part, parts, &begin, &end);
    for (uint32_t lane = 0; lane < job->moment->wave->lanes; lane++) {
        job->compute(job->self, job->moment, lane, train_piece_begin(train, begin),
                     train_piece_begin(train, end));
        train_measure(train, lane, row(job, lane), begin, end, job->moment->kernels->vector);
    }
}

static void fire_pieces(void *argument, uint32_t part, uint32_t parts)
{
    const struct update_job *job = argument;
    struct train *train = job->self->train;
    uint32_t begin, end;
    workers_slice(train->pieces, part, parts, &begin, &end);
    for (uint32_t lane = 0; lane < job->moment->wave->lanes; lane++) {
        train_fire(train, lane, row(job, lane), job->rule->k, begin, end,
                   job->moment->kernels->vector);
        population_clear_targets(job->self, lane, train_piece_begin(train, begin),
                                 train_piece_begin(train, end));
    }
}

static bool update_pieces(struct update_job *job, struct error *error)
{
    struct train *train = job->self->train;
    uint32_t threads = workers_count(job->moment->workers);
    uint32_t parts = train->pieces < threads ? train->pieces : threads;
    workers_run(job->moment->workers, compute_pieces, job, parts);
    workers_run(job->moment->workers, fire_pieces, job, parts);
    for (uint32_t lane = 0; lane < job->moment->wave->lanes; lane++)
        if (!train_settle(train, lane, job->rule->k, error))
            return false;
    return true;
}

bool firing_rule_update(const struct firing_rule *rule, struct population *self,
                        const struct moment *moment, compute_function *compute,
                        const double *values, struct error *error)
{
    struct update_job job = {rule, self, moment, compute, values};
    bool shared = rule->coding != NULL && self->neurons >= WORTH_SHARING &&
                  moment->wave->lanes < workers_count(moment->workers);
    bool updated = shared ? update_pieces(&job, error)
                          : population_each(moment, moment->wave->lanes, update_lane, &job, error);
    if (updated)
        firing_rule_seal(self, moment);
    return updated;
}
