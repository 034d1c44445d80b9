/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The grid of a sweep: options of `volley run` with the values they take, and those that are the
 * same everywhere. Its points are all combinations, the first option changing slowest. Values are
 * texts, handed on as they were given.
 */
#ifndef VOLLEY_SWEEP_GRID_H
#define VOLLEY_SWEEP_GRID_H

#include "scheduler/error.h"

#include <stddef.h>

enum { GRID_AXES = 4, GRID_SETTINGS = 24, GRID_POINTS = 10000 };

struct grid_axis {
    const char *option; /* without the dashes */
    char **values;      /* [count] */
    size_t count;
};

struct grid_setting {
    const char *option;
    char *value;  /* NULL: the option takes none */
    bool matched; /* results depend on it (of files they depend on the content instead) */
};

struct grid {
    struct grid_axis axes[GRID_AXES];
    struct grid_setting settings[GRID_SETTINGS];
    size_t axis_count, setting_count;
};

/* Adds an axis of a list with commas between its values. A part that has '=' but no ':' belongs to
 * the value before it: "rate,burst:base=2,ticks=8" are two values. False with error: an empty list
 * or value, one that stands twice, too many points. */
bool grid_add_axis(struct grid *grid, const char *option, const char *list, struct error *error);
bool grid_add_setting(struct grid *grid, const char *option, const char *value, bool matched,
                      struct error *error);
void grid_free(struct grid *grid);

/* How many points: 0 without an axis. */
size_t grid_points(const struct grid *grid);
/* The value that an axis has at a point. */
const char *grid_value(const struct grid *grid, size_t point, size_t axis);

/* As JSON, from malloc; NULL when memory is short or a text is not UTF-8. A point's options are
 * {"coding":"bitwise","k":"3",…} with sorted names and the settings that are matched, so that
 * equal points are equal texts; the axes [["coding",["bitwise",…]],…]; the settings
 * {"window":"32",…}, those that are matched. */
char *grid_point_options(const struct grid *grid, size_t point);
char *grid_axes_text(const struct grid *grid);
char *grid_settings_text(const struct grid *grid);

/* "run" and the options of a point as arguments of the program: `first` [first_count] come before
 * them, the model last. NULL ends; free them with grid_arguments_free. NULL when memory is
 * short. */
char **grid_arguments(const struct grid *grid, size_t point, const char *const *first,
                      size_t first_count, const char *model);
void grid_arguments_free(char **arguments);

#endif
