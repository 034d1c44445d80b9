/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Building populations, and the loop over lanes that their models share. */
#include "neurons/network_internal.h"

#include <stdlib.h>
#include <string.h>

static struct port *add_port(struct population *population, const char *name, uint32_t width,
                             struct error *error)
{
    size_t bytes = (population->port_count + 1) * sizeof *population->ports;
    struct port *ports = realloc(population->ports, bytes);
    if (ports == NULL) {
        error_no_memory(error, "a population's ports");
        return NULL;
    }
    population->ports = ports;
    struct port *port = &ports[population->port_count];
    *port = (struct port){.name = name, .width = width, .slots = 1, .scale = 1};
    return port;
}

int population_add_current(struct population *population, const char *name, uint32_t width,
                           struct error *error)
{
    struct port *port = add_port(population, name, width, error);
    if (port == NULL)
        return -1;
    port->current = calloc((size_t)population->lanes_limit * width, sizeof *port->current);
    if (port->current == NULL) {
        error_no_memory(error, "a population's currents");
        return -1;
    }
    return (int)population->port_count++;
}

int population_add_count(struct population *population, const char *name, uint32_t width,
                         uint32_t vectors, struct error *error)
{
    struct port *port = add_port(population, name, width, error);
    if (port == NULL)
        return -1;
    port->vectors = vectors;
    port->count = calloc((size_t)population->lanes_limit * width, sizeof *port->count);
    port->threshold = calloc((size_t)population->lanes_limit * vectors, sizeof *port->threshold);
    if (port->count == NULL || port->threshold == NULL) {
        free(port->count);
        free(port->threshold);
        error_no_memory(error, "a population's counts");
        return -1;
    }
    return (int)population->port_count++;
}

bool population_fires(struct population *population, const struct coding *coding, uint32_t vectors,
                      struct error *error)
{
    population->train = train_new(coding, population->neurons, vectors, population->lanes_limit);
    return population->train != NULL || error_no_memory(error, "a population's spike train");
}

bool population_shows(struct population *population, struct error *error)
{
    size_t length = (size_t)population->lanes_limit * population->neurons;
    population->values = calloc(length, sizeof *population->values);
    return population->values != NULL || error_no_memory(error, "a population's values");
}

bool population_spikes(struct population *population, struct error *error)
{
    population->spikes = calloc(population->neurons, sizeof *population->spikes);
    return population->spikes != NULL || error_no_memory(error, "a population's spikes");
}

void population_clear_ports(struct population *population, uint32_t lanes)
{
    for (uint32_t p = 0; p < population->port_count; p++) {
        struct port *port = &population->ports[p];
        size_t length = (size_t)(port->slots > 1 ? port->slots : lanes) * port->width;
        if (port->current != NULL && !port->kept)
            memset(port->current, 0, length * sizeof *port->current);
        if (port->count != NULL)
            memset(port->count, 0, length * sizeof *port->count);
    }
}

/* Frees what is held for every lane, unless it is borrowed. */
static void free_lanes(struct population *population)
{
    if (population->lender != NULL)
        return;
    for (uint32_t p = 0; p < population->port_count; p++) {
        if (!population->ports[p].kept)
            free(population->ports[p].current);
        free(population->ports[p].count);
        free(population->ports[p].threshold);
    }
    train_free(population->train);
    free(population->values);
}

/* Whether they need the same memory for their lanes. */
static bool alike(const struct population *a, const struct population *b)
{
    const struct train *s = a->train, *t = b->train;
    bool same = a->model == b->model && a->neurons == b->neurons && !a->clocked && !b->clocked &&
                a->port_count == b->port_count && (a->values == NULL) == (b->values == NULL) &&
                (s == NULL) == (t == NULL) && a->lanes_limit == b->lanes_limit;
    if (same && s != NULL)
        same = s->coding == t->coding && s->neurons == t->neurons && s->vectors == t->vectors &&
               s->span == t->span;
    for (uint32_t p = 0; same && p < a->port_count; p++) {
        const struct port *x = &a->ports[p], *y = &b->ports[p];
        same = x->width == y->width && (x->current == NULL) == (y->current == NULL) &&
               (x->count == NULL) == (y->count == NULL) && x->vectors == y->vectors;
    }
    return same;
}

void population_share(struct population *self, struct population *lender)
{
    if (self->lender != NULL || !alike(self, lender))
        return;
    free_lanes(self);
    self->lender = lender;
    self->train = lender->train;
    self->values = lender->values;
    for (uint32_t p = 0; p < self->port_count; p++) {
        self->ports[p].current = lender->ports[p].current;
        self->ports[p].count = lender->ports[p].count;
        self->ports[p].threshold = lender->ports[p].threshold;
    }
}

void population_free(struct population *population)
{
    if (population == NULL)
        return;
    free_lanes(population);
    free(population->ports);
    if (population->model->free != NULL && population->state != NULL)
        population->model->free(population->state);
    free(population->spikes);
    free(population->updates);
    free(population->outgoing);
    free(population->started);
    free(population->done);
    free(population->name);
    free(population);
}

void population_clear_lane(struct population *self, uint32_t lane)
{
    for (uint32_t p = 0; p < self->port_count; p++) {
        struct port *port = &self->ports[p];
        size_t from = (size_t)lane * port->width;
        if (port->current != NULL)
            memset(port->current + from, 0, port->width * sizeof *port->current);
        if (port->count != NULL)
            memset(port->count + from, 0, port->width * sizeof *port->count);
    }
}

void population_clear_targets(struct population *self, uint32_t lane, uint32_t begin, uint32_t end)
{
    for (uint32_t p = 0; p < self->port_count; p++) {
        struct port *port = &self->ports[p];
        size_t from = (size_t)lane * port->width + begin;
        memset(port->current + from, 0, (end - begin) * sizeof *port->current);
    }
}

struct unit_job {
    uint32_t units;
    unit_function *function;
    void *argument;
    struct error *errors; /* [parts] */
    bool *failed;         /* [parts] */
};

static void run_units(void *argument, uint32_t part, uint32_t parts)
{
    struct unit_job *job = argument;
    uint32_t begin, end;
    workers_slice(job->units, part, parts, &begin, &end);
    for (uint32_t unit = begin; unit < end && !job->failed[part]; unit++)
        job->failed[part] = !job->function(job->argument, unit, &job->errors[part]);
}

bool population_each(const struct moment *moment, uint32_t units, unit_function *function,
                     void *argument, struct error *error)
{
    uint32_t parts = workers_count(moment->workers);
    if (parts > units)
        parts = units;
    if (parts <= 1) {
        for (uint32_t unit = 0; unit < units; unit++)
            if (!function(argument, unit, error))
                return false;
        return true;
    }
    struct error errors[parts];
    bool failed[parts];
    memset(failed, 0, sizeof failed);
    for (uint32_t part = 0; part < parts; part++)
        errors[part].code = ERROR_NONE;
    struct unit_job job = {units, function, argument, errors, failed};
    workers_run(moment->workers, run_units, &job, parts);
    for (uint32_t part = 0; part < parts; part++)
        if (failed[part])
            return error_set(error, errors[part].code, "%s", errors[part].text);
    return true;
}

struct lane_job {
    struct population *self;
    const struct moment *moment;
    lane_function *function;
};

static bool run_lane(void *argument, uint32_t lane, struct error *error)
{
    const struct lane_job *job = argument;
    return job->function(job->self, job->moment, lane, error);
}

bool population_each_lane(struct population *self, const struct moment *moment,
                          lane_function *function, struct error *error)
{
    struct lane_job job = {self, moment, function};
    return population_each(moment, moment->wave->lanes, run_lane, &job, error);
}
