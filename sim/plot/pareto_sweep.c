/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A sweep for the picture pareto: quality against energy on one chip. The front that is stored with
 * a sweep may be about other columns, so it is not read.
 */
#include "sim/plot/plot.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/sweep/grid.h"
#include "traces/sweeps.h"

enum { CHIPS_NAMED = 20 };
static const double MOST_JOULES = 1e30, LEAST_JOULES = 1e-30; /* that can be a point's */
static const double MOST_BITS = 1e4;                          /* of a character */

struct sweep {
    int64_t id;
    char *kind, *unit, *chip;
    json_t *axes; /* [["coding", ["bitwise", …]], …] */
    bool language;
    bool lower, upper; /* some energy is such a bound */
};

static void release(struct sweep *sweep)
{
    free(sweep->kind);
    free(sweep->unit);
    free(sweep->chip);
    json_decref(sweep->axes);
}

/* ---- the sweep ---- */

/* The column's JSON; NULL with error. */
static json_t *read_json(struct reading *reading, int column)
{
    char *text = NULL;
    if (!reading_text(reading, column, false, &text))
        return NULL;
    json_t *json = json_loads(text, 0, NULL);
    free(text);
    if (json == NULL)
        reading_damaged(reading, column);
    return json;
}

static bool are_axes(const json_t *axes)
{
    size_t count = json_array_size(axes);
    bool good = count > 0 && count <= GRID_AXES;
    for (size_t a = 0; good && a < count; a++) {
        const json_t *axis = json_array_get(axes, a);
        good = json_is_string(json_array_get(axis, 0)) &&
               json_array_size(json_array_get(axis, 1)) > 0;
    }
    return good;
}

static bool read_sweep(struct reading *reading, int64_t id, struct sweep *sweep)
{
    if (!reading_begin(reading, "sweep",
                       "SELECT id, kind, unit, axes FROM sweep WHERE id = ?1 OR ?1 = 0 "
                       "ORDER BY id DESC LIMIT 1",
                       id))
        return false;
    int got = reading_next(reading);
    bool good = got == 1 && reading_integer(reading, 0, 1, INT64_MAX, &sweep->id) &&
                reading_text(reading, 1, false, &sweep->kind) &&
                reading_text(reading, 2, false, &sweep->unit) &&
                (sweep->axes = read_json(reading, 3)) != NULL;
    if (good) {
        sweep->language = strcmp(sweep->kind, "language") == 0;
        good = (sweep->language || strcmp(sweep->kind, "network") == 0 ||
                reading_damaged(reading, 1)) &&
               (are_axes(sweep->axes) || reading_damaged(reading, 3));
    }
    if (got == 0)
        error_set(reading->error, ERROR_MISUSED, "'%s' holds no sweep %lld", reading->path,
                  (long long)id);
    reading_end(reading, got);
    return good;
}

/* ---- the chip ---- */

/* Finds the chip among those of the sweep, whose names are added up in `known`. */
static bool find_chip(struct reading *reading, const char *wanted, struct sweep *sweep,
                      char *known, size_t room)
{
    int got;
    if (!reading_begin(reading, "sweep_energy",
                       "SELECT min(e.place), e.chip FROM sweep_energy e JOIN sweep_point p "
                       "ON p.id = e.point WHERE p.sweep = ?1 GROUP BY e.chip "
                       "ORDER BY min(e.place)",
                       sweep->id))
        return false;
    for (int i = 0; (got = reading_next(reading)) == 1 && sweep->chip == NULL; i++) {
        char *chip = NULL;
        if (!reading_text(reading, 1, false, &chip))
            return reading_end(reading, -1);
        size_t used = strlen(known);
        if (i < CHIPS_NAMED)
            snprintf(known + used, room - used, "%s%.40s", i > 0 ? ", " : "", chip);
        if (wanted == NULL || strcmp(wanted, chip) == 0)
            sweep->chip = chip;
        else
            free(chip);
    }
    return reading_end(reading, got == 1 ? 0 : got);
}

static bool choose_chip(struct reading *reading, const char *wanted, struct sweep *sweep)
{
    char known[CHIPS_NAMED * 42 + 1] = "";
    if (!find_chip(reading, wanted, sweep, known, sizeof known))
        return false;
    if (sweep->chip != NULL)
        return true;
    if (*known == '\0')
        return error_set(reading->error, ERROR_MISUSED,
                         "no point of sweep %lld of '%s' is done, or none has energy on a chip",
                         (long long)sweep->id, reading->path);
    return error_set(reading->error, ERROR_MISUSED,
                     "sweep %lld of '%s' has no energy on '%.60s'; it has that on %.300s",
                     (long long)sweep->id, reading->path, wanted, known);
}

/* ---- points ---- */

static bool add_value(char **label, const char *option, const char *value)
{
    /* numbers say little without what they are of */
    bool number = strspn(value, "0123456789.-+") > 0;
    char *longer = NULL;
    int length = asprintf(&longer, "%s%s%.40s%s%.60s", *label != NULL ? *label : "",
                          *label != NULL ? " " : "", number ? option : "", number ? "=" : "",
                          value);
    free(*label);
    *label = length < 0 ? NULL : longer;
    return length >= 0;
}

/* The point's values on the axes that vary, or on all where none does. */
static bool read_label(struct reading *reading, int column, const struct sweep *sweep,
                       char **label)
{
    json_t *options = read_json(reading, column);
    size_t count = json_array_size(sweep->axes), varied = 0;
    bool good = options != NULL;
    for (size_t a = 0; a < count; a++)
        varied += json_array_size(json_array_get(json_array_get(sweep->axes, a), 1)) > 1;
    for (size_t a = 0; good && a < count; a++) {
        const json_t *axis = json_array_get(sweep->axes, a);
        const char *option = json_string_value(json_array_get(axis, 0));
        const char *value = json_string_value(json_object_get(options, option));
        if (varied > 0 && json_array_size(json_array_get(axis, 1)) < 2)
            continue;
        good = value != NULL ? add_value(label, option, value) ||
                                   error_no_memory(reading->error, "the picture")
                             : reading_damaged(reading, column);
    }
    json_decref(options);
    return good;
}

static bool read_bound(struct reading *reading, int column, struct sweep *sweep)
{
    char *bound = NULL;
    if (!reading_text(reading, column, true, &bound))
        return false;
    bool both = bound != NULL && strcmp(bound, "both") == 0;
    bool lower = both || (bound != NULL && strcmp(bound, "lower") == 0);
    bool upper = both || (bound != NULL && strcmp(bound, "upper") == 0);
    bool good = bound == NULL || lower || upper || reading_damaged(reading, column);
    free(bound);
    sweep->lower |= lower;
    sweep->upper |= upper;
    return good;
}

/* A figure that may be missing: NAN. */
static bool read_figure(struct reading *reading, int column, double most, double *figure)
{
    *figure = NAN;
    return sqlite3_column_type(reading->row, column) == SQLITE_NULL ||
           (reading_real(reading, column, figure) &&
            (*figure <= most || reading_damaged(reading, column)));
}

static bool is_done(struct reading *reading, int column, bool *done)
{
    char *status = NULL;
    bool known = false;
    if (!reading_text(reading, column, false, &status))
        return false;
    for (int i = POINT_WAITING; i <= POINT_FAILED; i++)
        known |= strcmp(status, point_status_names[i]) == 0;
    *done = strcmp(status, point_status_names[POINT_DONE]) == 0;
    free(status);
    return known || reading_damaged(reading, column);
}

/* The row under way. */
static bool read_point(struct reading *reading, struct sweep *sweep, struct pareto *pareto)
{
    bool done;
    struct pareto_point point = {.label = NULL};
    if (!is_done(reading, 2, &done) ||
        !read_figure(reading, 3, sweep->language ? MOST_BITS : 1, &point.quality) ||
        !read_figure(reading, 4, MOST_JOULES, &point.cost))
        return false;
    if (!done || isnan(point.quality) || !(point.cost > 0)) {
        pareto->left_out++;
        return true;
    }
    if (point.cost < LEAST_JOULES)
        return reading_damaged(reading, 4);
    if (!sweep->language)
        point.quality *= 100;
    struct pareto_point *points = NULL;
    if (read_bound(reading, 5, sweep) && read_label(reading, 1, sweep, &point.label))
        points = reading_grow(pareto->points, pareto->count, GRID_POINTS, sizeof *points,
                              reading->error);
    if (points == NULL) {
        free(point.label);
        return false;
    }
    pareto->points = points;
    points[pareto->count++] = point;
    return true;
}

static bool read_points(struct reading *reading, struct sweep *sweep, struct pareto *pareto)
{
    int got;
    if (!reading_begin(reading, "sweep_point",
                       sweep->language
                           ? "SELECT p.number, p.options, p.status, p.bits_per_character, "
                             "e.joules, e.joules_bound FROM sweep_point p LEFT JOIN sweep_energy e "
                             "ON e.point = p.id AND e.chip = ?2 WHERE p.sweep = ?1 "
                             "ORDER BY p.number"
                           : "SELECT p.number, p.options, p.status, p.accuracy, e.joules, "
                             "e.joules_bound FROM sweep_point p LEFT JOIN sweep_energy e "
                             "ON e.point = p.id AND e.chip = ?2 WHERE p.sweep = ?1 "
                             "ORDER BY p.number",
                       sweep->id))
        return false;
    sqlite3_bind_text(reading->row, 2, sweep->chip, -1, SQLITE_STATIC);
    while ((got = reading_next(reading)) == 1)
        if (!read_point(reading, sweep, pareto))
            return reading_end(reading, -1);
    return reading_end(reading, got) &&
           (pareto->count > 0 ||
            error_set(reading->error, ERROR_MISUSED,
                      "no point of sweep %lld of '%s' that is done has %s and energy on %.60s",
                      (long long)sweep->id, reading->path,
                      sweep->language ? "bits per character" : "an accuracy", sweep->chip));
}

/* ---- all of it ---- */

/* Energy gets a prefix, and the axis its name. */
static void name_cost(const struct sweep *sweep, struct pareto *pareto)
{
    double most = 0;
    for (uint32_t i = 0; i < pareto->count; i++)
        most = fmax(most, pareto->points[i].cost);
    struct page_unit unit = page_unit(most);
    for (uint32_t i = 0; i < pareto->count; i++)
        pareto->points[i].cost *= unit.scale;
    const char *bound = sweep->lower && sweep->upper ? ", about"
                        : sweep->lower               ? ", at least"
                        : sweep->upper               ? ", at most"
                                                     : "";
    snprintf(pareto->cost_name, sizeof pareto->cost_name, "energy per %.16s on %.32s%s (%sJ)",
             sweep->unit, sweep->chip, bound, unit.prefix);
}

bool pareto_read_sweep(struct reading *reading, int64_t id, const char *chip,
                       struct pareto *pareto)
{
    struct sweep sweep = {.id = 0};
    bool good = read_sweep(reading, id, &sweep) && choose_chip(reading, chip, &sweep);
    *pareto = (struct pareto){
        .less_is_better = sweep.language,
        .margin = sweep.language ? 0.001 : 0.5,
        .floor = 0,
        .ceiling = sweep.language ? INFINITY : 100,
        .front_name = "no other is better for less energy",
        .left_out_name = "points that are not done, or without energy or quality,",
    };
    snprintf(pareto->quality_name, sizeof pareto->quality_name, "%s",
             sweep.language ? "bits per character (less is better)" : "accuracy (%)");
    good = good && read_points(reading, &sweep, pareto);
    if (good)
        name_cost(&sweep, pareto);
    release(&sweep);
    return good;
}
