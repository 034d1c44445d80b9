/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is worth most for what it costs, a point each: schemes side by side on one signal, what they
 * keep against the spikes they take, mean over the channels; or the points of a sweep, quality
 * against energy. The front is those that no other beats in both.
 */
#include "sim/plot/signal.h"

#include <math.h>
#include <stdlib.h>

#include "sim/sweep/front.h"

enum { POINTS_LIMIT = 1024, NAMED_POINTS = 60, LABEL_BYTES = 4 * PAGE_TEXT };

struct box {
    double x0, x1, y0, y1; /* mm */
};

struct drawing {
    struct pareto pareto;
    struct box *lines; /* [line_count], of the front and above */
    uint32_t line_count;
    double fewest, most, lowest, highest;
    bool exact; /* some point is */
};

static void release(struct drawing *drawing)
{
    for (uint32_t i = 0; i < drawing->pareto.count; i++)
        free(drawing->pareto.points[i].label);
    free(drawing->pareto.points);
    free(drawing->lines);
}

/* ---- encodings ---- */

/* The row under way; a point that has no place in the picture is left out. */
static bool read_point(struct reading *reading, const struct picture_signal *signal,
                       const char *schemes, struct pareto *pareto)
{
    struct pareto_point point = {0};
    if (!reading_text(reading, 1, false, &point.label))
        return false;
    char *scheme = NULL;
    bool good = reading_text(reading, 2, false, &scheme) &&
                reading_real(reading, 3, &point.cost) &&
                picture_decibels(reading, 4, &point.quality);
    bool wanted = good && (picture_lists(schemes, point.label) || picture_lists(schemes, scheme));
    free(scheme);
    point.cost /= (double)signal->length;
    bool shown = point.cost > 0 && !isnan(point.quality) && point.quality > -INFINITY;
    pareto->left_out += wanted && !shown;
    struct pareto_point *points = NULL;
    if (wanted && shown) {
        points = reading_grow(pareto->points, pareto->count, POINTS_LIMIT, sizeof *points,
                              reading->error);
        good = points != NULL;
    }
    if (points == NULL) {
        free(point.label);
        return good;
    }
    pareto->points = points;
    points[pareto->count++] = point;
    return true;
}

static bool read_points(struct reading *reading, const struct picture_signal *signal,
                        const char *schemes, struct pareto *pareto)
{
    int got;
    if (!reading_begin(reading, "encoding",
                       /* as the view encoding_summary has it: SNR of all channels together */
                       "SELECT min(e.id), e.label, e.scheme, avg(e.spikes), "
                       "CASE WHEN max(e.rmse) = 0 THEN 9e999 WHEN max(c.rms) = 0 THEN -9e999 "
                       "ELSE 10 * log10(sum(c.rms / (c.highest - c.lowest) * c.rms / (c.highest - "
                       "c.lowest)) / sum(e.rmse * e.rmse)) END FROM encoding e "
                       "JOIN signal_channel c ON c.signal = e.signal AND c.channel = e.channel "
                       "WHERE e.signal = ?1 GROUP BY e.place ORDER BY e.place",
                       signal->id))
        return false;
    while ((got = reading_next(reading)) == 1)
        if (!read_point(reading, signal, schemes, pareto))
            return reading_end(reading, -1);
    if (!reading_end(reading, got))
        return false;
    return pareto->count > 0 ||
           error_set(reading->error, ERROR_MISUSED,
                     "signal %lld of '%s' has no encoding%s%.60s with spikes and an SNR",
                     (long long)signal->id, reading->path, schemes != NULL ? " by " : "",
                     schemes != NULL ? schemes : "");
}

static bool read_encodings(struct reading *reading, const struct picture_request *request,
                           struct pareto *pareto)
{
    struct picture_signal signal;
    *pareto = (struct pareto){
        .margin = 2,
        .floor = -INFINITY,
        .ceiling = INFINITY,
        .cost_name = "spikes per value",
        .quality_name = "SNR (dB)",
        .front_name = "no other keeps more with fewer spikes",
        .left_out_name = "encodings without spikes or without an SNR",
    };
    bool good = picture_signal_read(reading, request->run, &signal) &&
                read_points(reading, &signal, request->scheme, pareto);
    picture_signal_close(&signal);
    return good;
}

/* ---- what there is to draw ---- */

/* Whether a query that counts comes to more than 0; ?1 of it is 0, ?2 the name. */
static bool has_any(struct reading *reading, const char *table, const char *sql, const char *name,
                    bool *has)
{
    if (!reading_begin(reading, table, sql, 0))
        return false;
    sqlite3_bind_text(reading->row, 2, name, -1, SQLITE_STATIC);
    int got = reading_next(reading);
    *has = got == 1 && sqlite3_column_int64(reading->row, 0) > 0;
    return reading_end(reading, got == 1 ? 0 : got);
}

/* Whether there is something in a table, which traces of versions before lack. */
static bool has_rows(struct reading *reading, const char *table, const char *sql, bool *has)
{
    return has_any(reading, "sqlite_schema",
                   "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?2", table,
                   has) &&
           (!*has || has_any(reading, table, sql, table, has));
}

/* Encodings, unless there are none or a chip is asked for, which only sweeps have. */
static bool read_any(struct reading *reading, const struct picture_request *request,
                     struct pareto *pareto)
{
    bool signals = false, sweeps = false;
    if (request->chip != NULL && request->scheme != NULL)
        return error_set(reading->error, ERROR_MISUSED,
                         "--chip is for a sweep and --scheme for encodings; give one of them");
    if (!has_rows(reading, "signal", "SELECT count(*) FROM signal WHERE id > ?1", &signals) ||
        !has_rows(reading, "sweep", "SELECT count(*) FROM sweep WHERE id > ?1", &sweeps))
        return false;
    if (request->scheme != NULL || (signals && request->chip == NULL))
        return read_encodings(reading, request, pareto);
    if (sweeps)
        return pareto_read_sweep(reading, request->run, request->chip, pareto);
    return error_set(reading->error, ERROR_MISUSED,
                     signals ? "'%s' holds no sweep; volley sweep MODEL --trace makes one"
                             : "'%s' holds no encoded signal and no sweep; volley encode and "
                               "volley sweep make them, with --trace",
                     reading->path);
}

static bool find_front(struct pareto *pareto, struct error *error)
{
    size_t count = pareto->count;
    double *values = malloc(2 * count * sizeof *values);
    bool *front = malloc(count * sizeof *front);
    bool good = values != NULL && front != NULL;
    for (size_t i = 0; good && i < count; i++) {
        values[i] = pareto->points[i].cost;
        values[count + i] = pareto->points[i].quality;
    }
    good = good && front_find((struct front_side){values, false},
                              (struct front_side){values + count, !pareto->less_is_better}, count,
                              front);
    for (size_t i = 0; good && i < count; i++)
        pareto->points[i].front = front[i];
    free(values);
    free(front);
    return good || error_no_memory(error, "the picture");
}

static void find_range(struct drawing *drawing)
{
    drawing->fewest = drawing->lowest = INFINITY;
    drawing->highest = -INFINITY;
    for (uint32_t i = 0; i < drawing->pareto.count; i++) {
        const struct pareto_point *point = &drawing->pareto.points[i];
        drawing->fewest = fmin(drawing->fewest, point->cost);
        drawing->most = fmax(drawing->most, point->cost);
        drawing->exact |= point->quality == INFINITY;
        if (point->quality < INFINITY) {
            drawing->lowest = fmin(drawing->lowest, point->quality);
            drawing->highest = fmax(drawing->highest, point->quality);
        }
    }
    if (drawing->lowest > drawing->highest)
        drawing->lowest = drawing->highest = 0; /* all are exact */
}

/* ---- names beside points ---- */

static double overlap(const struct box *a, const struct box *b)
{
    double width = fmin(a->x1, b->x1) - fmax(a->x0, b->x0);
    double height = fmin(a->y1, b->y1) - fmax(a->y0, b->y0);
    return width > 0 && height > 0 ? width * height : 0;
}

/* How much of the name would be hidden. */
static double cost_of(const struct drawing *drawing, const struct page *page,
                      const struct box *placed, uint32_t count, const struct box *box)
{
    double cost = 0;
    for (uint32_t i = 0; i < count; i++)
        cost += overlap(&placed[i], box);
    for (uint32_t i = 0; i < drawing->pareto.count; i++) {
        const struct pareto_point *point = &drawing->pareto.points[i];
        struct box mark = {point->x - 1.2, point->x + 1.2, point->y - 1.2, point->y + 1.2};
        cost += 2 * overlap(&mark, box);
    }
    for (uint32_t i = 0; i < drawing->line_count; i++)
        cost += 3 * overlap(&drawing->lines[i], box);
    cost += 20 * (fmax(0, page->left + 1 - box->x0) + fmax(0, box->x1 - page->width + 1));
    return cost + 20 * (fmax(0, page->bottom + 1 - box->y0) + fmax(0, box->y1 - page->height + 5));
}

/* Of many points only the front's names can be read. */
static bool is_named(const struct pareto *pareto, const struct pareto_point *point,
                     uint32_t named)
{
    return named < NAMED_POINTS && (pareto->count <= NAMED_POINTS || point->front);
}

/* Each name goes where it hides least, of several places around its point. */
static bool put_names(const struct drawing *drawing, struct page *page, struct error *error)
{
    static const struct {
        double dx, dy;
        int side; /* of the point on which the name stands: 1 right, 0 centre, -1 left */
    } places[] = {{2, 0, 1},     {-2, 0, -1},   {0, 3, 0},     {0, -3, 0},  {1.5, 2.2, 1},
                  {1.5, -2.2, 1}, {-1.5, 2.2, -1}, {-1.5, -2.2, -1}, {1.5, 4, 1}, {1.5, -4, 1},
                  {-1.5, 4, -1},  {-1.5, -4, -1}};
    uint32_t named = 0;
    struct box *placed = calloc(NAMED_POINTS, sizeof *placed);
    if (placed == NULL)
        return error_no_memory(error, "the picture");
    for (uint32_t i = 0; i < drawing->pareto.count; i++) {
        const struct pareto_point *point = &drawing->pareto.points[i];
        if (!is_named(&drawing->pareto, point, named))
            continue;
        double width = page_text_width(point->label, PAGE_TEXT), least = INFINITY;
        for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
            double x = point->x + places[p].dx - width * (1 - places[p].side) / 2;
            double y = point->y + places[p].dy;
            struct box box = {x, x + width, y - 1.3, y + 1.3};
            double cost = cost_of(drawing, page, placed, named, &box) + 0.01 * (double)p;
            if (cost < least) {
                least = cost;
                placed[named] = box;
            }
        }
        page_label(page, (placed[named].x0 + placed[named].x1) / 2,
                   (placed[named].y0 + placed[named].y1) / 2, PAGE_CENTRE,
                   point->front ? PAGE_BLACK : PAGE_DARK, point->label);
        named++;
    }
    free(placed);
    return true;
}

/* ---- drawing ---- */

/* A power of ten is numbered at its tic anyhow. */
static void put_tic(struct page *page, double at, const char **separator)
{
    if (fabs(log10(at) - round(log10(at))) < 1e-9)
        return;
    fprintf(page->script, "%s'%g' %.15g", *separator, at, at);
    *separator = ", ";
}

/* Numbers also between the powers of ten, of which a short axis has too few to be read by. */
static void put_numbers_between(struct page *page, double low, double high)
{
    const char *separator = "set xtics add (";
    double step = page_step(high - low, 6);
    if (low < 0.01 || high > 1000 || high > 50 * low)
        return;
    if (high <= 12 * low)
        for (double i = ceil(low / step); i * step <= high; i++)
            put_tic(page, i * step, &separator);
    else
        for (double power = pow(10, floor(log10(low))); power <= high; power *= 10) {
            put_tic(page, 2 * power, &separator);
            put_tic(page, 5 * power, &separator);
        }
    if (*separator == ',')
        fputs(")\n", page->script);
}

/* Axes, and from them where each point lies; what is exact lies on the upper edge. */
static void put_axes(struct drawing *drawing, struct page *page)
{
    const struct pareto *pareto = &drawing->pareto;
    double pad = fmax(pareto->margin, 0.07 * (drawing->highest - drawing->lowest));
    double low = fmax(pareto->floor, drawing->lowest - pad);
    double high = fmin(pareto->ceiling, drawing->highest + (drawing->exact ? 3 : 1) * pad);
    double left = drawing->fewest / 1.6, right = drawing->most * 1.6;
    page_axis_log(page, 'x', left, right, pareto->cost_name);
    put_numbers_between(page, left, right);
    page_axis(page, 'y', low, high, pareto->quality_name);
    for (uint32_t i = 0; i < drawing->pareto.count; i++) {
        struct pareto_point *point = &drawing->pareto.points[i];
        double share = point->quality == INFINITY ? 1 : (point->quality - low) / (high - low);
        point->x = page->left + (page->right - page->left) * log(point->cost / left) /
                                    log(right / left);
        point->y = page->bottom + (page->top - page->bottom) * share;
    }
    if (drawing->exact) {
        page_rule(page, page->left, page->top, page->right, page->top, PAGE_GREY, 0.4);
        page_label(page, page->left - 2, page->top, PAGE_RIGHT, PAGE_BLACK, "exact");
    }
}

static int compare(const void *left, const void *right)
{
    const struct pareto_point *a = left, *b = right;
    return a->cost != b->cost ? (a->cost < b->cost ? -1 : 1)
                              : (a->quality > b->quality) - (a->quality < b->quality);
}

static void put_line(struct drawing *drawing, struct page *page, double x0, double y0, double x1,
                     double y1)
{
    page_rule(page, x0, y0, x1, y1, PAGE_SKY, 0.75);
    drawing->lines[drawing->line_count++] =
        (struct box){x0 - 0.4, x1 + 0.4, fmin(y0, y1) - 0.4, fmax(y0, y1) + 0.4};
}

/* From each point of the front to the right, then on to the next. */
static bool put_front(struct drawing *drawing, struct page *page, struct error *error)
{
    const struct pareto_point *last = NULL;
    drawing->lines = calloc(2 * (size_t)drawing->pareto.count + 2, sizeof *drawing->lines);
    if (drawing->lines == NULL)
        return error_no_memory(error, "the picture");
    if (drawing->exact)
        drawing->lines[drawing->line_count++] =
            (struct box){page->left, page->right, page->top - 0.4, page->top + 0.4};
    for (uint32_t i = 0; i < drawing->pareto.count; i++) {
        const struct pareto_point *point = &drawing->pareto.points[i];
        if (!point->front)
            continue;
        if (last != NULL) {
            put_line(drawing, page, last->x, last->y, point->x, last->y);
            put_line(drawing, page, point->x, last->y, point->x, point->y);
        }
        last = point;
    }
    if (last != NULL)
        put_line(drawing, page, last->x, last->y, page->right, last->y);
    return true;
}

/* Points that lie on each other become one that has all their names. */
static bool merge_points(struct drawing *drawing, struct error *error)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < drawing->pareto.count; i++) {
        struct pareto_point *point = &drawing->pareto.points[i];
        uint32_t at = 0;
        while (at < kept && (fabs(drawing->pareto.points[at].x - point->x) > 0.4 ||
                             fabs(drawing->pareto.points[at].y - point->y) > 0.4 ||
                             drawing->pareto.points[at].front != point->front))
            at++;
        char *label = NULL;
        if (at == kept) {
            struct pareto_point moved = *point;
            point->label = NULL;
            drawing->pareto.points[kept++] = moved;
        } else if (asprintf(&label, "%.*s, %s", LABEL_BYTES, drawing->pareto.points[at].label,
                            point->label) < 0) {
            return error_no_memory(error, "the picture");
        } else {
            free(drawing->pareto.points[at].label);
            free(point->label);
            point->label = NULL;
            drawing->pareto.points[at].label = label;
        }
    }
    drawing->pareto.count = kept;
    return true;
}

static bool draw_picture(struct drawing *drawing, struct page *page, struct error *error)
{
    page_begin(page, 140, 95);
    page_panel(page, 18, page->width - 6, 13, page->height - 10);
    qsort(drawing->pareto.points, drawing->pareto.count, sizeof *drawing->pareto.points, compare);
    put_axes(drawing, page);
    if (!merge_points(drawing, error) || !put_front(drawing, page, error))
        return false;
    for (uint32_t i = 0; i < drawing->pareto.count; i++) {
        const struct pareto_point *point = &drawing->pareto.points[i];
        page_mark(page, point->x, point->y, point->front ? MARK_CIRCLE : MARK_CIRCLE_OPEN, 0.55,
                  point->front ? PAGE_BLUE : PAGE_GREY);
    }
    double x = page_legend_mark(page, page->left, page->height - 3, MARK_CIRCLE, PAGE_BLUE,
                                drawing->pareto.front_name);
    page_legend_mark(page, x, page->height - 3, MARK_CIRCLE_OPEN, PAGE_GREY, "others");
    if (!put_names(drawing, page, error))
        return false;
    fputs("plot NaN\n", page->script);
    page_panel_end(page);
    page_end(page);
    return true;
}

static bool draw(const struct picture_request *request, struct page *page, struct error *error)
{
    struct reading reading;
    struct drawing drawing = {.exact = false};
    const struct pareto *pareto = &drawing.pareto;
    bool good = picture_open(&reading, request->path, error) &&
                read_any(&reading, request, &drawing.pareto) &&
                find_front(&drawing.pareto, error);
    if (good) {
        find_range(&drawing);
        good = draw_picture(&drawing, page, error);
        if (good && pareto->left_out > 0)
            fprintf(stderr, "volley: %s are left out: %u\n", pareto->left_out_name,
                    pareto->left_out);
    }
    picture_close(&reading);
    release(&drawing);
    return good;
}

const struct picture picture_pareto = {
    .name = "pareto",
    .summary = "encodings: SNR against spikes; a sweep: quality against energy; the best marked",
    .takes = " scheme chip ",
    .draw = draw,
};
