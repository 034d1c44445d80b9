/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The columns of a sweep's table: figures of its points, and what they cost on each chip. */
#ifndef VOLLEY_SWEEP_COLUMNS_H
#define VOLLEY_SWEEP_COLUMNS_H

#include "sim/sweep/costs.h"
#include "sim/sweep/front.h"
#include "sim/sweep/grid.h"

#include <stdio.h>

enum { COLUMN_NAME = 128 };

struct sweep_column {
    enum { COLUMN_FIGURE, COLUMN_JOULES, COLUMN_SECONDS } kind;
    size_t index; /* enum sweep_figure, or the chip's */
    bool more;    /* more is better; else less */
};

/* All that a sweep's table is made of. */
struct sweep_table {
    const struct grid *grid;
    const struct swept_point *points; /* [count] */
    size_t count;
    const struct cost_chips *chips;
    const char *model, *data, *digest, *unit;
    const char *trace; /* NULL: it is not kept */
    bool language;     /* a language model; else a spiking network */
    struct sweep_column front[2]; /* what the front is about: across, up */
};

/* How many columns there are, and column i of them. */
size_t sweep_column_count(const struct sweep_table *table);
struct sweep_column sweep_column_at(const struct sweep_table *table, size_t i);

/* "spikes", "joules:loihi" */
const char *sweep_column_name(const struct sweep_table *table, struct sweep_column column,
                              char name[COLUMN_NAME]);
/* NAN: the point has none. */
double sweep_column_value(const struct swept_point *point, struct sweep_column column);
/* "lower", "upper", "both": what bound the value is; NULL: it is exact. */
const char *sweep_column_bound(const struct swept_point *point, struct sweep_column column);
/* Whether any point has a value in it. */
bool sweep_column_used(const struct sweep_table *table, struct sweep_column column);

/* "X,Y": which columns the front is about. NULL: quality against energy on the first chip. False
 * with error that lists the columns. */
bool sweep_front_choose(struct sweep_table *table, const char *text, struct error *error);
/* Marks the points [count of the table] that are on the front. False: no memory. */
bool sweep_front_mark(const struct sweep_table *table, struct swept_point *points);

/* The three forms of output. */
void sweep_screen(FILE *out, const struct sweep_table *table);
bool sweep_json(FILE *out, const struct sweep_table *table, struct error *error);
void sweep_csv(FILE *out, const struct sweep_table *table);

#endif
