/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A sweep on the screen: a line for each point. What does not fit the width goes on below, in
 * blocks that begin with the same names of the points.
 */
#include "sim/sweep/columns.h"

#include <math.h>
#include <string.h>

#include "sim/columns.h"

enum { LABEL_LIMIT = 24, MARK_WIDTH = 2, GAP = 2 };

/* How a figure is shown: two lines above it, and its width without the gap before it. */
struct shown {
    const char *above, *below; /* %s: the unit */
    int width;
    enum { SHOW_BITS, SHOW_COUNT, SHOW_MEAN, SHOW_SHARE } form;
};

static const struct shown shown_figures[SWEEP_FIGURES] = {
    [FIGURE_BITS_PER_CHARACTER] = {"bits per", "character", 9, SHOW_BITS},
    [FIGURE_BITS_PER_TOKEN] = {"bits per", "token", 8, SHOW_BITS},
    [FIGURE_ACCURACY] = {"", "accuracy", 8, SHOW_SHARE},
    [FIGURE_SPIKES] = {"spikes", "a %s", 8, SHOW_COUNT},
    [FIGURE_SYNOPS] = {"synops", "a %s", 8, SHOW_COUNT},
    [FIGURE_TICKS] = {"ticks", "a %s", 8, SHOW_COUNT},
    [FIGURE_MEAN_SPIKES] = {"mean", "spikes", 6, SHOW_MEAN},
    [FIGURE_SILENT_FRACTION] = {"", "silent", 6, SHOW_SHARE},
    [FIGURE_SLOT_SPARSITY_3] = {"slots", "of 3", 6, SHOW_SHARE},
    [FIGURE_SLOT_SPARSITY] = {"slots", "of all", 6, SHOW_SHARE},
    [FIGURE_REPORT_SPARSITY] = {"report's", "sparsity", 8, SHOW_SHARE},
    [FIGURE_SMALL_COUNTS] = {"|count|", "<= 7", 7, SHOW_SHARE},
};

/* Figures in the order they are shown; chips come after FIGURE_TICKS. */
static const enum sweep_figure order[SWEEP_FIGURES] = {
    FIGURE_BITS_PER_CHARACTER, FIGURE_ACCURACY,        FIGURE_SPIKES,
    FIGURE_SYNOPS,             FIGURE_TICKS,           FIGURE_BITS_PER_TOKEN,
    FIGURE_MEAN_SPIKES,        FIGURE_SILENT_FRACTION, FIGURE_SLOT_SPARSITY_3,
    FIGURE_SLOT_SPARSITY,      FIGURE_REPORT_SPARSITY, FIGURE_SMALL_COUNTS,
};
enum { BEFORE_CHIPS = 5, CHIP_WIDTH = 10 };

/* The i-th column that is shown: figures, energies, times, figures. */
static struct sweep_column column_shown(const struct sweep_table *table, size_t i)
{
    size_t costs = 2 * table->chips->count;
    if (i < BEFORE_CHIPS)
        return sweep_column_at(table, order[i]);
    return i < BEFORE_CHIPS + costs ? sweep_column_at(table, SWEEP_FIGURES + i - BEFORE_CHIPS)
                                    : sweep_column_at(table, order[i - costs]);
}

/* Whether it is on the screen: some point has it, and it says something. Sparsities of slots are of
 * counts that are spread over virtual ticks. */
static bool is_shown(const struct sweep_table *table, struct sweep_column column)
{
    bool of_slots = column.kind == COLUMN_FIGURE && (column.index == FIGURE_SLOT_SPARSITY_3 ||
                                                     column.index == FIGURE_SLOT_SPARSITY ||
                                                     column.index == FIGURE_REPORT_SPARSITY);
    return sweep_column_used(table, column) && (table->language || !of_slots);
}

static int column_width(struct sweep_column column)
{
    return GAP + (column.kind == COLUMN_FIGURE ? shown_figures[column.index].width : CHIP_WIDTH);
}

static void print_head(FILE *out, const struct sweep_table *table, struct sweep_column column,
                       bool below)
{
    char text[COLUMNS_TEXT];
    int width = column_width(column);
    if (column.kind == COLUMN_FIGURE) {
        const struct shown *shown = &shown_figures[column.index];
        snprintf(text, sizeof text, below ? shown->below : shown->above, table->unit);
    } else if (below) {
        snprintf(text, sizeof text, "%s", column.kind == COLUMN_JOULES ? "energy" : "time");
    } else {
        snprintf(text, sizeof text, "%.*s", CHIP_WIDTH, table->chips->names[column.index]);
    }
    columns_cell(out, -width, text);
}

static void print_value(FILE *out, const struct swept_point *point, struct sweep_column column)
{
    static const char *const units[] = {[COLUMN_JOULES] = "J", [COLUMN_SECONDS] = "s"};
    char text[COLUMNS_TEXT], marked[COLUMNS_TEXT + 8];
    double value = sweep_column_value(point, column);
    const char *bound = sweep_column_bound(point, column);
    const char *mark = bound == NULL                 ? ""
                       : strcmp(bound, "lower") == 0 ? "≥"
                       : strcmp(bound, "upper") == 0 ? "≤"
                                                     : "~";
    snprintf(text, sizeof text, "-");
    if (column.kind != COLUMN_FIGURE)
        columns_quantity(value, units[column.kind], text);
    else if (!isnan(value))
        switch (shown_figures[column.index].form) {
        case SHOW_BITS: snprintf(text, sizeof text, "%.4f", value); break;
        case SHOW_MEAN: snprintf(text, sizeof text, "%.3f", value); break;
        case SHOW_SHARE: columns_share(value, text); break;
        case SHOW_COUNT: columns_quantity(value, "", text); break;
        }
    snprintf(marked, sizeof marked, "%s%s", isnan(value) ? "" : mark, text);
    columns_cell(out, -column_width(column), marked);
}

/* ---- names of the points ---- */

/* Whether the axis tells points apart. */
static bool is_varied(const struct grid *grid, size_t axis)
{
    return grid->axes[axis].count > 1 || grid_points(grid) == 1;
}

static int text_width(const char *text)
{
    int width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static int axis_width(const struct grid *grid, size_t axis)
{
    int width = text_width(grid->axes[axis].option);
    for (size_t v = 0; v < grid->axes[axis].count; v++) {
        int value = text_width(grid->axes[axis].values[v]);
        width = value > width ? value : width;
    }
    return width < LABEL_LIMIT ? width : LABEL_LIMIT;
}

static int label_width(const struct grid *grid)
{
    int width = MARK_WIDTH;
    for (size_t a = 0, shown = 0; a < grid->axis_count; a++)
        if (is_varied(grid, a))
            width += (shown++ > 0) + axis_width(grid, a);
    return width;
}

/* The names of a point; of the axes themselves if `point` is SIZE_MAX. */
static void print_label(FILE *out, const struct sweep_table *table, size_t point)
{
    const struct grid *grid = table->grid;
    bool heading = point == SIZE_MAX;
    fputs(!heading && table->points[point].front ? "* " : "  ", out);
    for (size_t a = 0, shown = 0; a < grid->axis_count; a++) {
        if (!is_varied(grid, a))
            continue;
        if (shown++ > 0)
            putc(' ', out);
        columns_cell(out, axis_width(grid, a),
                     heading ? grid->axes[a].option : grid_value(grid, point, a));
    }
}

/* ---- the table ---- */

static void print_failure(FILE *out, const struct swept_point *point, int width)
{
    char text[COLUMNS_WIDTH + 1];
    snprintf(text, sizeof text, "  %s%s%s", point->status == POINT_FAILED ? "failed" : "not run",
             point->message != NULL ? ": " : "", point->message != NULL ? point->message : "");
    columns_cell(out, width, text);
    putc('\n', out);
}

/* One block: the shown columns first … last - 1 as far as they are shown. */
static void print_block(FILE *out, const struct sweep_table *table, size_t first, size_t last)
{
    int width = label_width(table->grid);
    for (int below = 0; below < 2; below++) {
        if (below)
            print_label(out, table, SIZE_MAX);
        else
            fprintf(out, "%*s", width, "");
        for (size_t c = first; c < last; c++)
            if (is_shown(table, column_shown(table, c)))
                print_head(out, table, column_shown(table, c), below != 0);
        putc('\n', out);
    }
    for (size_t i = 0; i < table->count; i++) {
        bool done = table->points[i].status == POINT_DONE;
        if (!done && first > 0) /* the first block has said it */
            continue;
        print_label(out, table, i);
        if (!done) {
            print_failure(out, &table->points[i], COLUMNS_WIDTH - width);
            continue;
        }
        for (size_t c = first; c < last; c++)
            if (is_shown(table, column_shown(table, c)))
                print_value(out, &table->points[i], column_shown(table, c));
        putc('\n', out);
    }
}

/* The column behind the last that still fits beside the names, from `first` on. */
static size_t block_end(const struct sweep_table *table, size_t first)
{
    size_t end = first, columns = sweep_column_count(table);
    int width = label_width(table->grid);
    for (bool any = false; end < columns; end++) {
        struct sweep_column column = column_shown(table, end);
        if (!is_shown(table, column))
            continue;
        width += column_width(column);
        if (any && width > COLUMNS_WIDTH)
            break;
        any = true;
    }
    return end;
}

/* ---- notes ---- */

static void print_front(FILE *out, const struct sweep_table *table)
{
    char text[512], x[COLUMN_NAME], y[COLUMN_NAME];
    if (!sweep_column_used(table, table->front[0]) || !sweep_column_used(table, table->front[1]))
        return;
    snprintf(text, sizeof text,
             "on the front: no other point is as good in %s (%s is better) and %s (%s is better), "
             "and better in one of them.",
             sweep_column_name(table, table->front[0], x), table->front[0].more ? "more" : "less",
             sweep_column_name(table, table->front[1], y), table->front[1].more ? "more" : "less");
    columns_paragraph(out, "* ", 2, text);
}

/* Sentences of failures, and of chips that a run does not fit on: each once. */
static void print_sentences(FILE *out, const struct sweep_table *table)
{
    const char *last = NULL;
    char lead[COLUMN_NAME + 2];
    for (size_t i = 0; i < table->count; i++) {
        const char *message = table->points[i].message;
        if (message == NULL || (last != NULL && strcmp(last, message) == 0))
            continue;
        columns_paragraph(out, "failed: ", 2, message);
        last = message;
    }
    for (size_t c = 0; c < table->chips->count; c++)
        for (size_t i = 0; i < table->count; i++) {
            const struct swept_point *point = &table->points[i];
            if (c >= point->cost_count || point->costs[c].message == NULL)
                continue;
            snprintf(lead, sizeof lead, "%.100s: ", point->costs[c].chip);
            columns_paragraph(out, lead, 2, point->costs[c].message);
            break;
        }
}

void sweep_screen(FILE *out, const struct sweep_table *table)
{
    uint64_t units = 0;
    for (size_t i = 0; i < table->count; i++)
        units = table->points[i].units > units ? table->points[i].units : units;
    char head[2 * COLUMNS_WIDTH];
    snprintf(head, sizeof head, "%.60s: %zu point%s, %llu %ss of %.60s", table->model,
             table->count, table->count == 1 ? "" : "s", (unsigned long long)units, table->unit,
             table->data);
    columns_paragraph(out, "", 2, head);
    for (size_t a = 0; a < table->grid->axis_count; a++)
        if (!is_varied(table->grid, a))
            fprintf(out, "%s %s\n", table->grid->axes[a].option, table->grid->axes[a].values[0]);
    size_t columns = sweep_column_count(table);
    for (size_t first = 0, last; first < columns; first = last) {
        last = block_end(table, first);
        putc('\n', out);
        print_block(out, table, first, last);
    }
    putc('\n', out);
    print_front(out, table);
    print_sentences(out, table);
    if (table->trace != NULL)
        fprintf(out, "trace: %s\n", table->trace);
}
