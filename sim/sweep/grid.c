/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/sweep/grid.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- lists ---- */

/* Whether the part of a list that begins here is a parameter of the value before it. */
static bool belongs_to_last(const char *part)
{
    size_t length = strcspn(part, ",");
    return memchr(part, '=', length) != NULL && memchr(part, ':', length) == NULL;
}

/* Bytes of the value that a list begins with. */
static size_t value_length(const char *list)
{
    size_t length = strcspn(list, ",");
    while (list[length] == ',' && belongs_to_last(list + length + 1))
        length += 1 + strcspn(list + length + 1, ",");
    return length;
}

static bool add_value(struct grid_axis *axis, const char *text, size_t length, struct error *error)
{
    char **more = realloc(axis->values, (axis->count + 1) * sizeof *axis->values);
    if (more != NULL)
        axis->values = more;
    char *value = more != NULL ? strndup(text, length) : NULL;
    if (value == NULL)
        return error_no_memory(error, "the sweep");
    for (size_t i = 0; i < axis->count; i++)
        if (strcmp(axis->values[i], value) == 0) {
            error_set(error, ERROR_MISUSED, "--%s has '%.60s' twice", axis->option, value);
            free(value);
            return false;
        }
    axis->values[axis->count++] = value;
    return true;
}

bool grid_add_axis(struct grid *grid, const char *option, const char *list, struct error *error)
{
    size_t points = grid->axis_count > 0 ? grid_points(grid) : 1;
    struct grid_axis *axis = &grid->axes[grid->axis_count++];
    axis->option = option;
    for (bool more = true; more;) {
        size_t length = value_length(list);
        if (length == 0)
            return error_set(error, ERROR_MISUSED,
                             "--%s takes values with commas between them; one is empty", option);
        if (axis->count >= GRID_POINTS / points)
            return error_set(error, ERROR_MISUSED, "a sweep has %d points at most", GRID_POINTS);
        if (!add_value(axis, list, length, error))
            return false;
        more = list[length] == ',';
        list += length + more;
    }
    return true;
}

bool grid_add_setting(struct grid *grid, const char *option, const char *value, bool matched,
                      struct error *error)
{
    char *copy = value != NULL ? strdup(value) : NULL;
    if (value != NULL && copy == NULL)
        return error_no_memory(error, "the sweep");
    grid->settings[grid->setting_count++] = (struct grid_setting){option, copy, matched};
    return true;
}

void grid_free(struct grid *grid)
{
    for (size_t a = 0; a < grid->axis_count; a++) {
        for (size_t v = 0; v < grid->axes[a].count; v++)
            free(grid->axes[a].values[v]);
        free(grid->axes[a].values);
    }
    for (size_t s = 0; s < grid->setting_count; s++)
        free(grid->settings[s].value);
    *grid = (struct grid){.axis_count = 0};
}

/* ---- points ---- */

size_t grid_points(const struct grid *grid)
{
    size_t points = grid->axis_count > 0;
    for (size_t a = 0; a < grid->axis_count; a++)
        points *= grid->axes[a].count;
    return points;
}

const char *grid_value(const struct grid *grid, size_t point, size_t axis)
{
    for (size_t a = grid->axis_count; a-- > axis + 1;) /* the last one changes fastest */
        point /= grid->axes[a].count;
    return grid->axes[axis].values[point % grid->axes[axis].count];
}

/* ---- as JSON ---- */

/* The text of an object that is released; NULL if it has failed. */
static char *dump(json_t *value, bool failed)
{
    char *text = failed ? NULL : json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(value);
    return text;
}

static bool set_text(json_t *object, const char *name, const char *text)
{
    return json_object_set_new(object, name, text != NULL ? json_string(text) : json_true()) == 0;
}

static bool set_settings(json_t *object, const struct grid *grid)
{
    bool done = true;
    for (size_t s = 0; s < grid->setting_count; s++)
        if (grid->settings[s].matched)
            done = done && set_text(object, grid->settings[s].option, grid->settings[s].value);
    return done;
}

char *grid_point_options(const struct grid *grid, size_t point)
{
    json_t *object = json_object();
    bool done = set_settings(object, grid);
    for (size_t a = 0; a < grid->axis_count; a++)
        done = done && set_text(object, grid->axes[a].option, grid_value(grid, point, a));
    return dump(object, !done);
}

char *grid_settings_text(const struct grid *grid)
{
    json_t *object = json_object();
    bool done = set_settings(object, grid);
    return dump(object, !done);
}

char *grid_axes_text(const struct grid *grid)
{
    json_t *list = json_array();
    bool done = list != NULL;
    for (size_t a = 0; a < grid->axis_count; a++) {
        json_t *values = json_array();
        for (size_t v = 0; v < grid->axes[a].count; v++)
            done = json_array_append_new(values, json_string(grid->axes[a].values[v])) == 0 && done;
        json_t *pair = json_pack("[so]", grid->axes[a].option, values);
        done = json_array_append_new(list, pair) == 0 && done;
    }
    return dump(list, !done);
}

/* ---- as arguments ---- */

static bool add_option(char **arguments, size_t *count, const char *option, const char *value)
{
    int length = value != NULL ? asprintf(&arguments[*count], "--%s=%s", option, value)
                               : asprintf(&arguments[*count], "--%s", option);
    if (length < 0) {
        arguments[*count] = NULL;
        return false;
    }
    (*count)++;
    return true;
}

static bool add_text(char **arguments, size_t *count, const char *text)
{
    arguments[*count] = strdup(text);
    return arguments[(*count)++] != NULL;
}

char **grid_arguments(const struct grid *grid, size_t point, const char *const *first,
                      size_t first_count, const char *model)
{
    size_t room = 3 + first_count + grid->axis_count + grid->setting_count, count = 0;
    char **arguments = calloc(room, sizeof *arguments);
    bool done = arguments != NULL && add_text(arguments, &count, "run");
    for (size_t i = 0; done && i < first_count; i++)
        done = add_text(arguments, &count, first[i]);
    for (size_t a = 0; done && a < grid->axis_count; a++)
        done = add_option(arguments, &count, grid->axes[a].option, grid_value(grid, point, a));
    for (size_t s = 0; done && s < grid->setting_count; s++)
        done =
            add_option(arguments, &count, grid->settings[s].option, grid->settings[s].value);
    if (done && add_text(arguments, &count, model))
        return arguments;
    grid_arguments_free(arguments);
    return NULL;
}

void grid_arguments_free(char **arguments)
{
    for (size_t i = 0; arguments != NULL && arguments[i] != NULL; i++)
        free(arguments[i]);
    free(arguments);
}
