/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/sweep/columns.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In which figures more is better. */
static const bool more_is_better[SWEEP_FIGURES] = {
    [FIGURE_ACCURACY] = true,       [FIGURE_SILENT_FRACTION] = true,
    [FIGURE_SLOT_SPARSITY_3] = true, [FIGURE_SLOT_SPARSITY] = true,
    [FIGURE_REPORT_SPARSITY] = true, [FIGURE_SMALL_COUNTS] = true,
};

size_t sweep_column_count(const struct sweep_table *table)
{
    return SWEEP_FIGURES + 2 * table->chips->count;
}

struct sweep_column sweep_column_at(const struct sweep_table *table, size_t i)
{
    if (i < SWEEP_FIGURES)
        return (struct sweep_column){COLUMN_FIGURE, i, more_is_better[i]};
    size_t chip = i - SWEEP_FIGURES;
    return chip < table->chips->count
               ? (struct sweep_column){COLUMN_JOULES, chip, false}
               : (struct sweep_column){COLUMN_SECONDS, chip - table->chips->count, false};
}

const char *sweep_column_name(const struct sweep_table *table, struct sweep_column column,
                              char name[COLUMN_NAME])
{
    if (column.kind == COLUMN_FIGURE)
        snprintf(name, COLUMN_NAME, "%s", sweep_figure_names[column.index]);
    else
        snprintf(name, COLUMN_NAME, "%s:%.100s",
                 column.kind == COLUMN_JOULES ? "joules" : "seconds",
                 table->chips->names[column.index]);
    return name;
}

double sweep_column_value(const struct swept_point *point, struct sweep_column column)
{
    if (column.kind == COLUMN_FIGURE)
        return point->figure[column.index];
    if (column.index >= point->cost_count)
        return NAN;
    const struct swept_cost *cost = &point->costs[column.index];
    return column.kind == COLUMN_JOULES ? cost->joules : cost->seconds;
}

const char *sweep_column_bound(const struct swept_point *point, struct sweep_column column)
{
    if (column.kind == COLUMN_FIGURE || column.index >= point->cost_count)
        return NULL;
    const struct swept_cost *cost = &point->costs[column.index];
    return column.kind == COLUMN_JOULES ? cost->joules_bound : cost->seconds_bound;
}

bool sweep_column_used(const struct sweep_table *table, struct sweep_column column)
{
    bool used = false;
    for (size_t i = 0; i < table->count; i++)
        used |= !isnan(sweep_column_value(&table->points[i], column));
    return used;
}

/* ---- the front ---- */

static bool find_column(const struct sweep_table *table, const char *name, size_t length,
                        struct sweep_column *found, struct error *error)
{
    char known[512] = "", text[COLUMN_NAME];
    for (size_t i = 0; i < sweep_column_count(table); i++) {
        *found = sweep_column_at(table, i);
        sweep_column_name(table, *found, text);
        if (strlen(text) == length && strncmp(text, name, length) == 0)
            return true;
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "", text);
    }
    return error_set(error, ERROR_MISUSED, "--front: there is no column '%.*s'; there are %s",
                     (int)(length < 60 ? length : 60), name, known);
}

bool sweep_front_choose(struct sweep_table *table, const char *text, struct error *error)
{
    struct sweep_column *x = &table->front[0], *y = &table->front[1];
    if (text == NULL) {
        *x = sweep_column_at(table, SWEEP_FIGURES); /* joules of the first chip */
        *y = sweep_column_at(table,
                             table->language ? FIGURE_BITS_PER_CHARACTER : FIGURE_ACCURACY);
        return true;
    }
    size_t length = strcspn(text, ",");
    if (text[length] != ',' || strchr(text + length + 1, ',') != NULL)
        return error_set(error, ERROR_MISUSED, "--front takes two columns, X,Y, not '%.60s'",
                         text);
    const char *second = text + length + 1;
    return find_column(table, text, length, x, error) &&
           find_column(table, second, strlen(second), y, error);
}

bool sweep_front_mark(const struct sweep_table *table, struct swept_point *points)
{
    double *values = malloc((2 * table->count + 1) * sizeof *values);
    bool *front = malloc((table->count + 1) * sizeof *front);
    bool done = values != NULL && front != NULL;
    for (size_t i = 0; done && i < table->count; i++) {
        values[i] = sweep_column_value(&points[i], table->front[0]);
        values[table->count + i] = sweep_column_value(&points[i], table->front[1]);
    }
    done = done && front_find((struct front_side){values, table->front[0].more},
                              (struct front_side){values + table->count, table->front[1].more},
                              table->count, front);
    for (size_t i = 0; done && i < table->count; i++)
        points[i].front = front[i];
    free(values);
    free(front);
    return done;
}
