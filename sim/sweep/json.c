/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A sweep as JSON and as CSV: every figure of every point, in SI units. */
#include "sim/figures_json.h"
#include "sim/sweep/columns.h"

#include <math.h>
#include <string.h>

/* ---- JSON ---- */

static json_t *cost_object(const struct swept_cost *cost, bool *failed)
{
    json_t *object = json_object();
    figures_set(object, "chip", figures_text(cost->chip), failed);
    figures_set(object, "joules", figures_number(cost->joules), failed);
    figures_set(object, "joules_bound", figures_text(cost->joules_bound), failed);
    figures_set(object, "seconds", figures_number(cost->seconds), failed);
    figures_set(object, "seconds_bound", figures_text(cost->seconds_bound), failed);
    figures_set(object, "message", figures_text(cost->message), failed);
    return object;
}

static json_t *options_object(const struct sweep_table *table, size_t i, bool *failed)
{
    json_t *object = json_object();
    for (size_t a = 0; a < table->grid->axis_count; a++)
        figures_set(object, table->grid->axes[a].option,
                    figures_text(grid_value(table->grid, i, a)), failed);
    return object;
}

static json_t *point_object(const struct sweep_table *table, size_t i, bool *failed)
{
    const struct swept_point *point = &table->points[i];
    json_t *object = json_object(), *costs = json_array();
    figures_set(object, "number", json_integer((json_int_t)i + 1), failed);
    figures_set(object, "options", options_object(table, i, failed), failed);
    figures_set(object, "status", figures_text(point_status_names[point->status]), failed);
    figures_set(object, "message", figures_text(point->message), failed);
    figures_set(object, "run", point->run > 0 ? json_integer(point->run) : json_null(), failed);
    figures_set(object, "front", json_boolean(point->front), failed);
    figures_set(object, "units", json_integer((json_int_t)point->units), failed);
    for (int f = 0; f < SWEEP_FIGURES; f++)
        figures_set(object, sweep_figure_names[f], figures_number(point->figure[f]), failed);
    figures_set(object, "wall_seconds", figures_number(point->wall_seconds), failed);
    for (size_t c = 0; c < point->cost_count; c++)
        if (json_array_append_new(costs, cost_object(&point->costs[c], failed)) != 0)
            *failed = true;
    figures_set(object, "chips", costs, failed);
    return object;
}

bool sweep_json(FILE *out, const struct sweep_table *table, struct error *error)
{
    bool failed = false;
    char name[COLUMN_NAME];
    json_t *root = json_object(), *points = json_array(), *front = json_array();
    figures_set(root, "model", figures_text(table->model), &failed);
    figures_set(root, "data", figures_text(table->data), &failed);
    figures_set(root, "digest", figures_text(table->digest), &failed);
    figures_set(root, "unit", figures_text(table->unit), &failed);
    figures_set(root, "trace", figures_text(table->trace), &failed);
    for (int side = 0; side < 2; side++)
        if (json_array_append_new(
                front, json_string(sweep_column_name(table, table->front[side], name))) != 0)
            failed = true;
    figures_set(root, "front", front, &failed);
    for (size_t i = 0; i < table->count; i++)
        if (json_array_append_new(points, point_object(table, i, &failed)) != 0)
            failed = true;
    figures_set(root, "points", points, &failed);
    return figures_print(out, root, failed, error);
}

/* ---- CSV ---- */

static void print_field(FILE *out, const char *text)
{
    if (strpbrk(text, ",\"\n\r") == NULL) {
        fputs(text, out);
        return;
    }
    putc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            putc('"', out);
        putc(*text, out);
    }
    putc('"', out);
}

void sweep_csv(FILE *out, const struct sweep_table *table)
{
    const size_t columns = sweep_column_count(table);
    char name[COLUMN_NAME];
    fputs("number", out);
    for (size_t a = 0; a < table->grid->axis_count; a++)
        fprintf(out, ",%s", table->grid->axes[a].option);
    fputs(",status,run,front,units", out);
    for (size_t c = 0; c < columns; c++) {
        putc(',', out);
        print_field(out, sweep_column_name(table, sweep_column_at(table, c), name));
    }
    fputs(",message\n", out);
    for (size_t i = 0; i < table->count; i++) {
        const struct swept_point *point = &table->points[i];
        fprintf(out, "%zu", i + 1);
        for (size_t a = 0; a < table->grid->axis_count; a++) {
            putc(',', out);
            print_field(out, grid_value(table->grid, i, a));
        }
        fprintf(out, ",%s,", point_status_names[point->status]);
        if (point->run > 0)
            fprintf(out, "%lld", (long long)point->run);
        fprintf(out, ",%d,%llu", point->front, (unsigned long long)point->units);
        for (size_t c = 0; c < columns; c++) {
            double value = sweep_column_value(point, sweep_column_at(table, c));
            fprintf(out, isnan(value) ? "," : ",%.12g", value);
        }
        putc(',', out);
        print_field(out, point->message != NULL ? point->message : "");
        putc('\n', out);
    }
}
