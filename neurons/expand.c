/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "neurons/expand.h"

#include <stdlib.h>

#include "neurons/build.h"

static double weight_of(const struct sparse *sparse, uint64_t i)
{
    switch (sparse->format) {
    case WEIGHT_FLOAT: return (double)((const float *)sparse->weight)[i];
    case WEIGHT_INT8: return sparse->scale * ((const int8_t *)sparse->weight)[i];
    case WEIGHT_INT16: return sparse->scale * ((const int16_t *)sparse->weight)[i];
    default: return sparse->same;
    }
}

static uint32_t extra_of(const struct sparse *sparse, uint64_t i)
{
    return sparse->extra8 != NULL  ? sparse->extra8[i]
         : sparse->extra16 != NULL ? sparse->extra16[i]
                                   : 0;
}

/* Arrays as LINK_LISTS has them; weights and delays only where they differ. */
static bool take_lists(struct blueprint_projection *p, const struct sparse *sparse,
                       uint32_t delay_ticks, double dt, struct error *error)
{
    uint64_t synapses = sparse->row[sparse->sources];
    size_t room = synapses > 0 ? synapses : 1;
    p->sources = malloc(room * sizeof *p->sources);
    p->targets = malloc(room * sizeof *p->targets);
    if (sparse->format != WEIGHT_SAME)
        p->weights = malloc(room * sizeof *p->weights);
    if (sparse->most_extra > 0)
        p->delays = malloc(room * sizeof *p->delays);
    if (p->sources == NULL || p->targets == NULL ||
        (sparse->format != WEIGHT_SAME && p->weights == NULL) ||
        (sparse->most_extra > 0 && p->delays == NULL))
        return error_no_memory(error, "synapses");
    p->synapses = synapses;
    p->same = sparse->same;
    p->format = sparse->format;
    p->scale = sparse->scale;
    p->delay = delay_ticks * dt;
    for (uint32_t source = 0; source < sparse->sources; source++)
        for (uint64_t i = sparse->row[source]; i < sparse->row[source + 1]; i++) {
            p->sources[i] = source;
            p->targets[i] = sparse->target16 != NULL ? sparse->target16[i] : sparse->target32[i];
            if (p->weights != NULL)
                p->weights[i] = weight_of(sparse, i);
            if (p->delays != NULL)
                p->delays[i] = (delay_ticks + extra_of(sparse, i)) * dt;
        }
    p->kind = LINK_LISTS;
    return true;
}

static bool expand_rule(struct blueprint *blueprint, uint32_t index, struct workers *workers,
                        struct error *error)
{
    struct blueprint_projection *p = &blueprint->projections[index];
    uint32_t delay_ticks;
    struct sparse *sparse = blueprint_draw(blueprint, index, 1, blueprint->rules.dt, workers,
                                           &delay_ticks, error);
    bool done = sparse != NULL && take_lists(p, sparse, delay_ticks, blueprint->rules.dt, error);
    sparse_free(sparse);
    return done || error_within(error, "projection %s", p->name != NULL ? p->name : "(unnamed)");
}

static bool expand_quantity(struct blueprint *blueprint, uint32_t population, uint32_t stream,
                            struct quantity *quantity, struct error *error)
{
    if (quantity->kind != QUANTITY_DRAWN)
        return true;
    double *values = NULL;
    uint32_t length;
    if (blueprint_numbers(blueprint, population, stream, quantity, &length, &values, error) == NULL)
        return false;
    quantity->kind = QUANTITY_ARRAY;
    quantity->array = values;
    quantity->length = length;
    return true;
}

bool blueprint_expand(struct blueprint *blueprint, struct workers *workers, struct error *error)
{
    for (uint32_t i = 0; i < blueprint->population_count; i++) {
        struct blueprint_population *p = &blueprint->populations[i];
        for (uint32_t j = 0; p->model != NULL && j < CELL_PARAMETERS; j++)
            if (!expand_quantity(blueprint, i, j, &p->parameter[j], error))
                return false;
        for (uint32_t j = 0; p->model != NULL && j < CELL_VARIABLES; j++)
            if (!expand_quantity(blueprint, i, CELL_PARAMETERS + j, &p->initial[j], error))
                return false;
    }
    for (uint32_t i = 0; i < blueprint->projection_count; i++)
        if (blueprint->projections[i].kind == LINK_RULE &&
            !expand_rule(blueprint, i, workers, error))
            return false;
    return true;
}
