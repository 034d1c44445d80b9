/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/sweep/costs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/energy/comparison.h"
#include "traces/energy/store.h"

enum {
    SAMPLES = 1000, /* as `volley energy` does: of the intervals that are stored */
    TRIES = 20      /* to store them, each waiting for runs that write at the same time */
};

/* ---- the chips ---- */

static bool add_name(struct cost_chips *chips, const char *name, struct error *error)
{
    for (size_t i = 0; i < chips->count; i++)
        if (strcmp(chips->names[i], name) == 0)
            return error_set(error, ERROR_MISUSED, "--chip has two chips that are called '%.60s'",
                             name);
    char **more = realloc(chips->names, (chips->count + 1) * sizeof *chips->names);
    if (more == NULL)
        return error_no_memory(error, "the chips");
    chips->names = more;
    more[chips->count] = strdup(name);
    return more[chips->count++] != NULL || error_no_memory(error, "the chips");
}

bool cost_chips_read(struct cost_chips *chips, const char *list, struct error *error)
{
    chips->list = list;
    bool good = true;
    for (const char *next = list; good && next != NULL;) {
        size_t length = strcspn(next, ",");
        char *entry = strndup(next, length);
        struct chip *chip = entry != NULL ? chip_open(entry, error) : NULL;
        good = chip != NULL ? add_name(chips, chip->name, error)
                            : error->code != ERROR_NONE ? false : error_no_memory(error, "chips");
        chip_free(chip);
        free(entry);
        next = next[length] == ',' ? next + length + 1 : NULL;
    }
    return good;
}

void cost_chips_free(struct cost_chips *chips)
{
    for (size_t i = 0; i < chips->count; i++)
        free(chips->names[i]);
    free(chips->names);
    *chips = (struct cost_chips){.count = 0};
}

/* ---- the costs of a point ---- */

static bool fill_cost(struct swept_cost *cost, const struct chip_cost *of, struct error *error)
{
    *cost = (struct swept_cost){.chip = strdup(of->chip->name), .joules = NAN, .seconds = NAN};
    if (of->estimate == NULL)
        cost->message = strdup(of->failure.text);
    if (cost->chip == NULL || (of->estimate == NULL && cost->message == NULL))
        return error_no_memory(error, "the sweep");
    if (of->estimate == NULL)
        return true;
    const struct latency *latency = &of->estimate->latency;
    if (chip_has_joules(of->chip)) {
        cost->joules = of->estimate->total / load_inferences(of->estimate->load);
        cost->joules_bound = bound_names[energy_bound(of->estimate)];
    }
    if (latency->known) {
        cost->seconds = latency->per_inference;
        cost->seconds_bound = latency->lower_bound ? bound_names[BOUND_LOWER] : NULL;
    }
    return true;
}

static bool fill_costs(struct swept_point *point, const struct comparison *comparison,
                       struct error *error)
{
    point->costs = calloc(comparison->asked + 1, sizeof *point->costs);
    if (point->costs == NULL)
        return error_no_memory(error, "the sweep");
    for (size_t i = 0; i < comparison->asked; i++) {
        point->cost_count = i + 1;
        if (!fill_cost(&point->costs[i], &comparison->chips[i], error))
            return false;
    }
    return true;
}

static bool store(const struct comparison *comparison, struct error *error)
{
    struct error failure = {0};
    bool done = false;
    struct stored_estimate *stored = calloc(comparison->count + 1, sizeof *stored);
    size_t count = 0;
    if (stored == NULL)
        return error_no_memory(error, "the sweep");
    for (size_t i = 0; i < comparison->count; i++)
        if (comparison->chips[i].estimate != NULL)
            stored[count++].estimate = comparison->chips[i].estimate;
    for (int i = 0; i < TRIES && !done; i++) {
        failure.code = ERROR_NONE;
        done = store_estimates(stored, count, &failure);
    }
    free(stored);
    return done || error_set(error, failure.code, "%s", failure.text);
}

bool costs_find(struct swept_point *point, const char *trace, const struct cost_chips *chips,
                struct error *error)
{
    const struct comparison_request request = {
        .chips = chips->list,
        .baselines = "none",
        .options = {.beyond_limits = chips->beyond_limits, .samples = SAMPLES, .seed = 1}};
    struct comparison comparison = {.count = 0};
    struct load *load = load_from_file(trace, point->run, error);
    bool done = load != NULL && comparison_make(&comparison, load, &request, error) &&
                fill_costs(point, &comparison, error) && store(&comparison, error);
    comparison_free(&comparison);
    load_free(load);
    return done;
}
