/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/energy/tables.h"

#include <stdlib.h>
#include <string.h>

/* What a waterfall starts from, and what it is held against. */
static const char *const helper_names[] = {"ideal-45nm", "fp16-45nm", "int8-45nm"};
enum { IDEAL, FP16, INT8 };

/* ---- break-even ---- */

static bool make_break_even(struct energy_tables *tables, const struct comparison *comparison,
                            struct error *error)
{
    tables->break_even_count = comparison->count * BASELINES;
    tables->break_even = calloc(tables->break_even_count + 1, sizeof *tables->break_even);
    if (tables->break_even == NULL)
        return error_no_memory(error, "the tables");
    if (comparison->baseline_count == 0)
        return error_set(error, ERROR_MISUSED, "--break-even needs a --baseline");
    for (size_t i = 0; i < tables->break_even_count; i++) {
        const struct chip_cost *cost = &comparison->chips[i / BASELINES];
        size_t against = cost->against[i % BASELINES];
        if (cost->estimate == NULL || cost->chip->dense || against == SIZE_MAX ||
            comparison->chips[against].estimate == NULL)
            continue;
        tables->break_even[i] =
            break_even_new(cost->estimate, comparison->chips[against].estimate, error);
        if (tables->break_even[i] == NULL)
            return false;
    }
    return true;
}

/* ---- waterfall ---- */

/* The estimate for a chip by name: one of the comparison, or one made for this. */
static const struct estimate *helper(struct energy_tables *tables,
                                     const struct comparison *comparison, int which,
                                     struct error *error)
{
    const struct chip_cost *found = comparison_find(comparison, helper_names[which]);
    if (found != NULL && found->changes == NULL && found->estimate != NULL)
        return found->estimate;
    struct helping_chip *own = &tables->helpers[which];
    own->chip = chip_open(helper_names[which], error);
    if (own->chip != NULL)
        own->estimate = estimate_new(comparison->load, own->chip, &comparison->options, error);
    return own->estimate;
}

static bool has_terms(const struct chip_cost *cost)
{
    return cost->estimate != NULL && !cost->chip->dense && !chip_is_all_in(cost->chip) &&
           !chip_is_incremental(cost->chip);
}

/* The chip that was chosen or else, of those with terms, the first that fetches weights: that is
 * what a waterfall shows best. */
static const struct chip_cost *waterfall_chip(const struct comparison *comparison,
                                              const struct chip_cost *focus)
{
    const struct chip_cost *best = focus;
    for (size_t i = 0; focus == NULL && i < comparison->asked; i++) {
        const struct chip_cost *cost = &comparison->chips[i];
        if (has_terms(cost) &&
            (best == NULL || (cost->chip->memory_count > 0 && best->chip->memory_count == 0)))
            best = cost;
    }
    return best;
}

static bool make_waterfall(struct energy_tables *tables, const struct comparison *comparison,
                           const struct chip_cost *focus, struct error *error)
{
    const struct chip_cost *of = waterfall_chip(comparison, focus);
    if (of == NULL)
        return error_set(error, ERROR_MISUSED,
                         "--waterfall needs a chip with per-term figures, such as event-45nm");
    tables->waterfall_of = of;
    const struct estimate *estimates[3];
    for (int i = IDEAL; i <= INT8; i++)
        if ((estimates[i] = helper(tables, comparison, i, error)) == NULL)
            return false;
    tables->waterfall = waterfall_new(of->estimate, estimates[IDEAL], estimates[FP16],
                                      estimates[INT8], error);
    return tables->waterfall != NULL;
}

/* ---- all of them ---- */

/* The chip whose populations are shown: the chosen one, or the first that can be. */
static size_t focus_index(const struct comparison *comparison, const struct chip_cost *focus)
{
    if (focus != NULL)
        return (size_t)(focus - comparison->chips);
    for (size_t i = 0; i < comparison->asked; i++)
        if (comparison->chips[i].estimate != NULL && !comparison->chips[i].chip->dense)
            return i;
    return SIZE_MAX;
}

bool energy_tables_make(struct energy_tables *tables, const struct comparison *comparison,
                        const struct energy_tables_request *request, struct error *error)
{
    const struct chip_cost *focus =
        request->focus != NULL && request->focus->estimate != NULL ? request->focus : NULL;
    *tables = (struct energy_tables){.focus = focus_index(comparison, focus)};
    if (request->neurobench) {
        tables->has_neurobench = true;
        tables->neurobench = neurobench_of(comparison->load);
    }
    return (!request->break_even || make_break_even(tables, comparison, error)) &&
           (!request->waterfall || make_waterfall(tables, comparison, focus, error));
}

void energy_tables_free(struct energy_tables *tables)
{
    for (size_t i = 0; i < tables->break_even_count && tables->break_even != NULL; i++)
        break_even_free(tables->break_even[i]);
    free(tables->break_even);
    waterfall_free(tables->waterfall);
    for (size_t i = 0; i < sizeof tables->helpers / sizeof *tables->helpers; i++) {
        estimate_free(tables->helpers[i].estimate);
        chip_free(tables->helpers[i].chip);
    }
    *tables = (struct energy_tables){0};
}
