/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Schemes side by side on one signal: what they keep against the spikes they take, a point each,
 * mean over the channels. The front is those that no other beats in both.
 */
#include "sim/plot/signal.h"

#include <math.h>
#include <stdlib.h>

enum { POINTS_LIMIT = 1024 };

struct point {
    char *label;
    double spikes;   /* per value */
    double decibels; /* INFINITY: exact */
    bool front;
    double x, y;     /* mm on the page */
};

struct box {
    double x0, x1, y0, y1; /* mm */
};

struct pareto {
    struct picture_signal signal;
    struct point *points; /* [count] */
    uint32_t count;
    struct box *lines;    /* [line_count], of the front and above */
    uint32_t line_count;
    uint32_t left_out;    /* encodings */
    double fewest, most, lowest, highest;
    bool exact; /* some point is */
};

static void release(struct pareto *pareto)
{
    for (uint32_t i = 0; i < pareto->count; i++)
        free(pareto->points[i].label);
    free(pareto->points);
    free(pareto->lines);
    picture_signal_close(&pareto->signal);
}

/* The row under way; a point that has no place in the picture is left out. */
static bool read_point(struct reading *reading, const char *schemes, struct pareto *pareto)
{
    struct point point = {0};
    if (!reading_text(reading, 1, false, &point.label))
        return false;
    char *scheme = NULL;
    bool good = reading_text(reading, 2, false, &scheme) &&
                reading_real(reading, 3, &point.spikes) &&
                picture_decibels(reading, 4, &point.decibels);
    bool wanted = good && (picture_lists(schemes, point.label) || picture_lists(schemes, scheme));
    free(scheme);
    point.spikes /= (double)pareto->signal.length;
    bool shown = point.spikes > 0 && !isnan(point.decibels) && point.decibels > -INFINITY;
    pareto->left_out += wanted && !shown;
    struct point *points = NULL;
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

static bool read_points(struct reading *reading, const char *schemes, struct pareto *pareto)
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
                       pareto->signal.id))
        return false;
    while ((got = reading_next(reading)) == 1)
        if (!read_point(reading, schemes, pareto))
            return reading_end(reading, -1);
    if (!reading_end(reading, got))
        return false;
    return pareto->count > 0 ||
           error_set(reading->error, ERROR_MISUSED,
                     "signal %lld of '%s' has no encoding%s%.60s with spikes and an SNR",
                     (long long)pareto->signal.id, reading->path, schemes != NULL ? " by " : "",
                     schemes != NULL ? schemes : "");
}

static bool beats(const struct point *a, const struct point *b)
{
    return a->spikes <= b->spikes && a->decibels >= b->decibels &&
           (a->spikes < b->spikes || a->decibels > b->decibels);
}

static void find_front(struct pareto *pareto)
{
    pareto->fewest = pareto->lowest = INFINITY;
    pareto->highest = -INFINITY;
    for (uint32_t i = 0; i < pareto->count; i++) {
        struct point *point = &pareto->points[i];
        point->front = true;
        for (uint32_t j = 0; j < pareto->count; j++)
            point->front &= !beats(&pareto->points[j], point);
        pareto->fewest = fmin(pareto->fewest, point->spikes);
        pareto->most = fmax(pareto->most, point->spikes);
        pareto->exact |= point->decibels == INFINITY;
        if (point->decibels < INFINITY) {
            pareto->lowest = fmin(pareto->lowest, point->decibels);
            pareto->highest = fmax(pareto->highest, point->decibels);
        }
    }
    if (pareto->lowest > pareto->highest)
        pareto->lowest = pareto->highest = 0; /* all are exact */
}

/* ---- names beside points ---- */

static double overlap(const struct box *a, const struct box *b)
{
    double width = fmin(a->x1, b->x1) - fmax(a->x0, b->x0);
    double height = fmin(a->y1, b->y1) - fmax(a->y0, b->y0);
    return width > 0 && height > 0 ? width * height : 0;
}

/* How much of the name would be hidden. */
static double cost_of(const struct pareto *pareto, const struct page *page,
                      const struct box *placed, uint32_t count, const struct box *box)
{
    double cost = 0;
    for (uint32_t i = 0; i < count; i++)
        cost += overlap(&placed[i], box);
    for (uint32_t i = 0; i < pareto->count; i++) {
        const struct point *point = &pareto->points[i];
        struct box mark = {point->x - 1.2, point->x + 1.2, point->y - 1.2, point->y + 1.2};
        cost += 2 * overlap(&mark, box);
    }
    for (uint32_t i = 0; i < pareto->line_count; i++)
        cost += 3 * overlap(&pareto->lines[i], box);
    cost += 20 * (fmax(0, page->left + 1 - box->x0) + fmax(0, box->x1 - page->width + 1));
    return cost + 20 * (fmax(0, page->bottom + 1 - box->y0) + fmax(0, box->y1 - page->height + 5));
}

/* Each name goes where it hides least, of several places around its point. */
static bool put_names(const struct pareto *pareto, struct page *page, struct error *error)
{
    static const struct {
        double dx, dy;
        int side; /* of the point on which the name stands: 1 right, 0 centre, -1 left */
    } places[] = {{2, 0, 1},     {-2, 0, -1},   {0, 3, 0},     {0, -3, 0},  {1.5, 2.2, 1},
                  {1.5, -2.2, 1}, {-1.5, 2.2, -1}, {-1.5, -2.2, -1}, {1.5, 4, 1}, {1.5, -4, 1},
                  {-1.5, 4, -1},  {-1.5, -4, -1}};
    struct box *placed = calloc(pareto->count, sizeof *placed);
    if (placed == NULL)
        return error_no_memory(error, "the picture");
    for (uint32_t i = 0; i < pareto->count; i++) {
        const struct point *point = &pareto->points[i];
        double width = page_text_width(point->label, PAGE_TEXT), least = INFINITY;
        for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
            double x = point->x + places[p].dx - width * (1 - places[p].side) / 2;
            double y = point->y + places[p].dy;
            struct box box = {x, x + width, y - 1.3, y + 1.3};
            double cost = cost_of(pareto, page, placed, i, &box) + 0.01 * (double)p;
            if (cost < least) {
                least = cost;
                placed[i] = box;
            }
        }
        page_label(page, (placed[i].x0 + placed[i].x1) / 2, (placed[i].y0 + placed[i].y1) / 2,
                   PAGE_CENTRE, point->front ? PAGE_BLACK : PAGE_DARK, point->label);
    }
    free(placed);
    return true;
}

/* ---- drawing ---- */

/* Axes, and from them where each point lies; what is exact lies on the upper edge. */
static void put_axes(struct pareto *pareto, struct page *page)
{
    double pad = fmax(2, 0.07 * (pareto->highest - pareto->lowest));
    double low = pareto->lowest - pad, high = pareto->highest + (pareto->exact ? 3 : 1) * pad;
    double left = pareto->fewest / 1.6, right = pareto->most * 1.6;
    page_axis_log(page, 'x', left, right, "spikes per value");
    page_axis(page, 'y', low, high, "SNR (dB)");
    for (uint32_t i = 0; i < pareto->count; i++) {
        struct point *point = &pareto->points[i];
        double share = point->decibels == INFINITY ? 1 : (point->decibels - low) / (high - low);
        point->x = page->left + (page->right - page->left) * log(point->spikes / left) /
                                    log(right / left);
        point->y = page->bottom + (page->top - page->bottom) * share;
    }
    if (pareto->exact) {
        page_rule(page, page->left, page->top, page->right, page->top, PAGE_GREY, 0.4);
        page_label(page, page->left - 2, page->top, PAGE_RIGHT, PAGE_BLACK, "exact");
    }
}

static int compare(const void *left, const void *right)
{
    const struct point *a = left, *b = right;
    return a->spikes != b->spikes ? (a->spikes < b->spikes ? -1 : 1)
                                  : (a->decibels > b->decibels) - (a->decibels < b->decibels);
}

static void put_line(struct pareto *pareto, struct page *page, double x0, double y0, double x1,
                     double y1)
{
    page_rule(page, x0, y0, x1, y1, PAGE_SKY, 0.75);
    pareto->lines[pareto->line_count++] =
        (struct box){x0 - 0.4, x1 + 0.4, fmin(y0, y1) - 0.4, fmax(y0, y1) + 0.4};
}

/* From each point of the front to the right, then up to the next. */
static bool put_front(struct pareto *pareto, struct page *page, struct error *error)
{
    const struct point *last = NULL;
    pareto->lines = calloc(2 * (size_t)pareto->count + 2, sizeof *pareto->lines);
    if (pareto->lines == NULL)
        return error_no_memory(error, "the picture");
    if (pareto->exact)
        pareto->lines[pareto->line_count++] =
            (struct box){page->left, page->right, page->top - 0.4, page->top + 0.4};
    for (uint32_t i = 0; i < pareto->count; i++) {
        const struct point *point = &pareto->points[i];
        if (!point->front)
            continue;
        if (last != NULL) {
            put_line(pareto, page, last->x, last->y, point->x, last->y);
            put_line(pareto, page, point->x, last->y, point->x, point->y);
        }
        last = point;
    }
    if (last != NULL)
        put_line(pareto, page, last->x, last->y, page->right, last->y);
    return true;
}

/* Points that lie on each other become one that has all their names. */
static bool merge_points(struct pareto *pareto, struct error *error)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < pareto->count; i++) {
        struct point *point = &pareto->points[i];
        uint32_t at = 0;
        while (at < kept && (fabs(pareto->points[at].x - point->x) > 0.4 ||
                             fabs(pareto->points[at].y - point->y) > 0.4 ||
                             pareto->points[at].front != point->front))
            at++;
        char *label = NULL;
        if (at == kept) {
            struct point moved = *point;
            point->label = NULL;
            pareto->points[kept++] = moved;
        } else if (asprintf(&label, "%s, %s", pareto->points[at].label, point->label) < 0) {
            return error_no_memory(error, "the picture");
        } else {
            free(pareto->points[at].label);
            free(point->label);
            point->label = NULL;
            pareto->points[at].label = label;
        }
    }
    pareto->count = kept;
    return true;
}

static bool draw_picture(struct pareto *pareto, struct page *page, struct error *error)
{
    page_begin(page, 140, 95);
    page_panel(page, 18, page->width - 6, 13, page->height - 10);
    qsort(pareto->points, pareto->count, sizeof *pareto->points, compare);
    put_axes(pareto, page);
    if (!merge_points(pareto, error) || !put_front(pareto, page, error))
        return false;
    for (uint32_t i = 0; i < pareto->count; i++) {
        const struct point *point = &pareto->points[i];
        page_mark(page, point->x, point->y, point->front ? MARK_CIRCLE : MARK_CIRCLE_OPEN, 0.55,
                  point->front ? PAGE_BLUE : PAGE_GREY);
    }
    double x = page_legend_mark(page, page->left, page->height - 3, MARK_CIRCLE, PAGE_BLUE,
                                "no other keeps more with fewer spikes");
    page_legend_mark(page, x, page->height - 3, MARK_CIRCLE_OPEN, PAGE_GREY, "others");
    if (!put_names(pareto, page, error))
        return false;
    fputs("plot NaN\n", page->script);
    page_panel_end(page);
    page_end(page);
    return true;
}

static bool draw(const struct picture_request *request, struct page *page, struct error *error)
{
    struct reading reading;
    struct pareto pareto = {0};
    bool good = picture_open(&reading, request->path, error) &&
                picture_signal_read(&reading, request->run, &pareto.signal) &&
                read_points(&reading, request->scheme, &pareto);
    if (good) {
        find_front(&pareto);
        good = draw_picture(&pareto, page, error);
        if (good && pareto.left_out > 0)
            fprintf(stderr, "volley: encodings without spikes or without an SNR are left out: %u\n",
                    pareto.left_out);
    }
    picture_close(&reading);
    release(&pareto);
    return good;
}

const struct picture picture_pareto = {
    .name = "pareto",
    .summary = "encodings of a signal: SNR against spikes, the best ones marked",
    .takes = " scheme ",
    .draw = draw,
};
