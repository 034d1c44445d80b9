/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Networks on paper: taking and giving back their memory.
 *
 * Lists grow by doubling: one that holds a power of two (or nothing) is full. So no list carries
 * a capacity, and whoever fills one in adds only through the functions here.
 */
#define _GNU_SOURCE 1
#include "neurons/blueprint.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct blueprint *blueprint_new(const char *name)
{
    struct blueprint *blueprint = calloc(1, sizeof *blueprint);
    if (blueprint == NULL)
        return NULL;
    blueprint->name = strdup(name);
    if (blueprint->name == NULL) {
        free(blueprint);
        return NULL;
    }
    blueprint->rules.dt = 1e-4;
    blueprint->rules.integration = INTEGRATE_EXACT;
    blueprint->rules.reset = RESET_VALUE;
    snprintf(blueprint->digest, sizeof blueprint->digest, "%016" PRIx64,
             UINT64_C(0xcbf29ce484222325));
    return blueprint;
}

static void population_clear(struct blueprint_population *population)
{
    free(population->name);
    for (size_t i = 0; i < CELL_PARAMETERS; i++)
        free(population->parameter[i].array);
    for (size_t i = 0; i < CELL_VARIABLES; i++)
        free(population->initial[i].array);
    for (size_t i = 0; i < CELL_PORTS; i++)
        free(population->drive[i]);
    free(population->spikes);
}

static void projection_clear(struct blueprint_projection *projection)
{
    free(projection->name);
    free(projection->sources);
    free(projection->targets);
    free(projection->weights);
    free(projection->delays);
}

void blueprint_free(struct blueprint *blueprint)
{
    if (blueprint == NULL)
        return;
    for (uint32_t i = 0; i < blueprint->population_count; i++)
        population_clear(&blueprint->populations[i]);
    for (uint32_t i = 0; i < blueprint->projection_count; i++)
        projection_clear(&blueprint->projections[i]);
    for (uint32_t i = 0; i < blueprint->warning_count; i++)
        free(blueprint->warnings[i]);
    free(blueprint->populations);
    free(blueprint->projections);
    free(blueprint->placements);
    free(blueprint->recordings);
    free(blueprint->warnings);
    free(blueprint->name);
    free(blueprint->origin);
    free(blueprint);
}

/* Makes room for one more in a list of `count` elements: `list` itself, or where it has moved
 * to. */
static void *list_reserve(void *list, uint32_t count, size_t element, struct error *error)
{
    if ((count & (count - 1)) != 0)
        return list;
    if (count > UINT32_MAX / 2) {
        error_set(error, ERROR_FAILED, "a network cannot have more than %" PRIu32 " populations, "
                  "projections or warnings", count);
        return NULL;
    }
    void *larger = reallocarray(list, count == 0 ? 1 : 2 * (size_t)count, element);
    if (larger == NULL)
        error_no_memory(error, "the description of a network");
    return larger;
}

struct blueprint_population *blueprint_add_population(struct blueprint *blueprint, const char *name,
                                                      struct error *error)
{
    struct blueprint_population *list = list_reserve(blueprint->populations,
                                                     blueprint->population_count, sizeof *list,
                                                     error);
    if (list == NULL)
        return NULL;
    blueprint->populations = list;
    struct blueprint_population *population = &list[blueprint->population_count];
    memset(population, 0, sizeof *population);
    population->name = strdup(name);
    if (population->name == NULL) {
        error_no_memory(error, "the name of a population");
        return NULL;
    }
    blueprint->population_count++;
    return population;
}

struct blueprint_projection *blueprint_add_projection(struct blueprint *blueprint, const char *name,
                                                      struct error *error)
{
    struct blueprint_projection *list = list_reserve(blueprint->projections,
                                                     blueprint->projection_count, sizeof *list,
                                                     error);
    if (list == NULL)
        return NULL;
    blueprint->projections = list;
    struct blueprint_projection *projection = &list[blueprint->projection_count];
    memset(projection, 0, sizeof *projection);
    projection->name = strdup(name);
    if (projection->name == NULL) {
        error_no_memory(error, "the name of a projection");
        return NULL;
    }
    blueprint->projection_count++;
    return projection;
}

bool blueprint_warn(struct blueprint *blueprint, struct error *error, const char *format, ...)
{
    char **list = list_reserve(blueprint->warnings, blueprint->warning_count, sizeof *list, error);
    if (list == NULL)
        return false;
    blueprint->warnings = list;
    va_list arguments;
    va_start(arguments, format);
    char *sentence;
    bool made = vasprintf(&sentence, format, arguments) >= 0;
    va_end(arguments);
    if (!made)
        return error_no_memory(error, "a warning");
    list[blueprint->warning_count++] = sentence;
    return true;
}

void blueprint_digest(struct blueprint *blueprint, const void *bytes, size_t length)
{
    const unsigned char *byte = bytes;
    uint64_t sum = strtoull(blueprint->digest, NULL, 16);
    for (size_t i = 0; i < length; i++)
        sum = (sum ^ byte[i]) * UINT64_C(0x100000001b3);
    snprintf(blueprint->digest, sizeof blueprint->digest, "%016" PRIx64, sum);
}

int64_t blueprint_find(const struct blueprint *blueprint, const char *name)
{
    for (uint32_t i = 0; i < blueprint->population_count; i++)
        if (strcmp(blueprint->populations[i].name, name) == 0)
            return i;
    return -1;
}
