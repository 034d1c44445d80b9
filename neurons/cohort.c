/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Clocked populations: when they are due, and updating them together.
 *
 * Within a tick, populations of one cohort do not reach each other, so they can be updated at the
 * same time; what they fired is shown and sent in order of populations. In the queue a cohort
 * stands behind all populations of waves, as population_count + its level.
 *
 * Invariant: a member with due <= t, or one at which something arrives at t, finds an update of
 * its cohort at t in the queue. What members asked for stands in the queue once for each tick of
 * `planned`, which falls from the bottom to the top, so that asking again and again for a far tick
 * adds nothing. There may be updates at which nobody is due; they do nothing.
 */
#include "neurons/network_internal.h"

#include <stdlib.h>
#include <string.h>

enum { FEW_NEURONS = 6000 }; /* updating so many takes one thread a few microseconds */

static bool is_immediate(const struct projection *projection)
{
    return projection->source->clocked && projection->delay == 0;
}

/* Longest ways over projections without delay, by going over all of them until nothing grows. */
static bool find_levels(struct network *network, struct error *error)
{
    for (uint32_t round = 0; round <= network->population_count; round++) {
        const struct projection *grown = NULL;
        for (uint32_t i = 0; i < network->projection_count; i++) {
            struct projection *projection = network->projections[i];
            if (!is_immediate(projection) ||
                projection->target->level > projection->source->level)
                continue;
            projection->target->level = projection->source->level + 1;
            grown = projection;
        }
        if (grown == NULL)
            return true;
        if (round == network->population_count)
            return error_set(
                error, ERROR_MISUSED,
                "projection %s is part of a loop in which nothing takes time; give one "
                "projection of the loop a delay of a tick",
                grown->name);
    }
    return true;
}

bool cohorts_make(struct network *network, struct error *error)
{
    uint32_t clocked = 0, levels = 0;
    if (!find_levels(network, error))
        return false;
    for (uint32_t i = 0; i < network->population_count; i++) {
        const struct population *population = network->populations[i];
        clocked += population->clocked;
        if (population->clocked && population->level + 1 > levels)
            levels = population->level + 1;
    }
    if (clocked == 0)
        return true;
    network->cohorts = calloc(levels, sizeof *network->cohorts);
    struct population **members = calloc(clocked, 2 * sizeof *members);
    if (network->cohorts == NULL || members == NULL) {
        free(members);
        return error_no_memory(error, "the populations' order");
    }
    network->cohort_count = levels;
    for (uint32_t level = 0; level < levels; level++) {
        struct cohort *cohort = &network->cohorts[level];
        cohort->members = members;
        for (uint32_t i = 0; i < network->population_count; i++)
            if (network->populations[i]->clocked && network->populations[i]->level == level)
                *members++ = network->populations[i];
        cohort->count = (uint32_t)(members - cohort->members);
        cohort->due = members;
        members += cohort->count;
    }
    return true;
}

void cohorts_free(struct network *network)
{
    for (uint32_t i = 0; i < network->cohort_count; i++)
        free(network->cohorts[i].planned);
    if (network->cohorts != NULL)
        free(network->cohorts[0].members); /* all of them lie in one piece */
    free(network->cohorts);
}

static bool push(struct network *network, const struct cohort *cohort, int64_t tick,
                 struct error *error)
{
    uint32_t index = network->population_count + (uint32_t)(cohort - network->cohorts);
    return loop_push_update(network->loop, tick, index, error);
}

/* Pushes the update that a member asks for, and keeps in mind that it has been pushed. */
static bool plan(struct network *network, struct cohort *cohort, int64_t tick, struct error *error)
{
    if (cohort->planned_count == cohort->planned_room) {
        uint32_t room = 2 * cohort->planned_room + 4;
        int64_t *planned = realloc(cohort->planned, room * sizeof *planned);
        if (planned == NULL)
            return error_no_memory(error, "planned updates");
        cohort->planned = planned;
        cohort->planned_room = room;
    }
    cohort->planned[cohort->planned_count++] = tick;
    return push(network, cohort, tick, error);
}

/* The earliest tick planned; INT64_MAX: none. */
static int64_t planned(const struct cohort *cohort)
{
    return cohort->planned_count > 0 ? cohort->planned[cohort->planned_count - 1] : INT64_MAX;
}

bool cohorts_begin(struct network *network, struct error *error)
{
    for (uint32_t i = 0; i < network->cohort_count; i++) {
        struct cohort *cohort = &network->cohorts[i];
        cohort->done = cohort->called = -1;
        cohort->planned_count = 0;
        for (uint32_t m = 0; m < cohort->count; m++)
            cohort->members[m]->due = 0;
        if (!plan(network, cohort, 0, error))
            return false;
    }
    return true;
}

bool cohort_arrival(struct network *network, struct population *target, int64_t tick,
                    uint32_t extra, struct error *error)
{
    struct cohort *cohort = &network->cohorts[target->level];
    target->arrived = true;
    if (extra > 0 && tick + extra > target->busy_until)
        target->busy_until = tick + extra;
    if (cohort->called == tick || planned(cohort) == tick)
        return true;
    cohort->called = tick;
    return push(network, cohort, tick, error);
}

/* ---- updating ---- */

struct update_job {
    const struct cohort *cohort;
    const struct moment *moment;
};

static void update_part(void *argument, uint32_t part, uint32_t parts)
{
    const struct update_job *job = argument;
    for (uint32_t i = 0; i < job->cohort->due_count; i++) {
        struct population *population = job->cohort->due[i];
        if (population->model->part != NULL)
            population->model->part(population, job->moment, part, parts);
    }
}

static void find_due(struct cohort *cohort, int64_t tick)
{
    cohort->due_count = 0;
    for (uint32_t m = 0; m < cohort->count; m++) {
        struct population *population = cohort->members[m];
        if (population->due <= tick || population->arrived || tick <= population->busy_until)
            cohort->due[cohort->due_count++] = population;
    }
}

/* Plans the next update that a member wants, unless one is planned that is no later: it will plan
 * the next. */
static bool plan_next(struct network *network, struct cohort *cohort, int64_t tick,
                      struct error *error)
{
    int64_t next = INT64_MAX;
    for (uint32_t m = 0; m < cohort->count; m++) {
        const struct population *population = cohort->members[m];
        int64_t wanted = tick < population->busy_until ? tick + 1 : population->due;
        next = wanted < next ? wanted : next;
    }
    while (cohort->planned_count > 0 && planned(cohort) <= tick)
        cohort->planned_count--;
    return planned(cohort) <= next || plan(network, cohort, next, error);
}

bool cohort_update(struct network *network, struct cohort *cohort, int64_t tick,
                   struct error *error)
{
    struct moment moment = {tick, &network->wave, network->workers, network->kernels};
    if (cohort->done == tick) /* an update that was pushed twice: planned, and called for */
        return true;
    cohort->done = tick;
    find_due(cohort, tick);
    uint64_t neurons = 0;
    for (uint32_t i = 0; i < cohort->due_count; i++)
        neurons += cohort->due[i]->neurons;
    struct update_job job = {cohort, &moment};
    workers_run(network->workers, update_part, &job,
                neurons > FEW_NEURONS ? workers_count(network->workers) : 1);
    for (uint32_t i = 0; i < cohort->due_count; i++) {
        struct population *population = cohort->due[i];
        population->due = INT64_MAX;
        population->arrived = false;
        population->spike_count = population->spike_first = 0;
        if (!population->model->update(population, &moment, error))
            return error_within(error, "population %s, tick %lld", population->name,
                                (long long)tick);
        if (!network_show(network, population, tick, error) ||
            !network_send(network, population, tick, error))
            return false;
    }
    return plan_next(network, cohort, tick, error);
}
