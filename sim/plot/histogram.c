/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How many channels had which count: of one population or of all together as bars, of a few as
 * lines.
 */
#include "sim/plot/plot.h"

#include <stdlib.h>

#include "traces/trace.h"

enum {
    BINS = 2 * TALLY_HISTOGRAM + 1,
    SERIES = PAGE_COLOURS /* more populations are added up */
};

struct histogram {
    struct series {
        const char *name;
        uint64_t channels[BINS];
    } *series; /* [count] */
    size_t count, matched;
    int first, last; /* bins that hold channels */
    uint64_t most;
};

static bool gather(struct histogram *histogram, const struct report *report, const char *glob,
                   struct error *error)
{
    for (uint32_t i = 0; i < report->row_count; i++)
        histogram->matched += picture_wants(glob, report->rows[i].name);
    bool sum = glob == NULL || histogram->matched > SERIES;
    histogram->series = calloc(SERIES, sizeof *histogram->series);
    if (histogram->series == NULL)
        return error_no_memory(error, "the picture");
    for (uint32_t i = 0; i < report->row_count; i++) {
        const struct report_row *row = &report->rows[i];
        if (!picture_wants(glob, row->name))
            continue;
        struct series *series = &histogram->series[sum ? 0 : histogram->count];
        series->name = row->name;
        histogram->count = sum ? 1 : histogram->count + 1;
        for (int bin = 0; bin < BINS; bin++)
            if (__builtin_add_overflow(series->channels[bin], row->tally.histogram[bin],
                                       &series->channels[bin]))
                return error_set(error, ERROR_FAILED, "trace '%s' is damaged: its histograms "
                                                      "count more channels than there can be",
                                 report->trace);
    }
    if (histogram->matched == 0)
        return error_set(error, ERROR_MISUSED,
                         "run %lld of '%s' has no spiking population whose name matches '%.100s'",
                         (long long)report->run, report->trace, glob != NULL ? glob : "*");
    return true;
}

static void find_extent(struct histogram *histogram)
{
    histogram->first = BINS;
    histogram->last = -1;
    for (size_t s = 0; s < histogram->count; s++)
        for (int bin = 0; bin < BINS; bin++) {
            uint64_t channels = histogram->series[s].channels[bin];
            if (channels == 0)
                continue;
            histogram->first = bin < histogram->first ? bin : histogram->first;
            histogram->last = bin > histogram->last ? bin : histogram->last;
            histogram->most = channels > histogram->most ? channels : histogram->most;
        }
}

static void put_series(const struct histogram *histogram, const struct series *series,
                       struct page *page)
{
    for (int bin = histogram->first; bin <= histogram->last; bin++)
        if (series->channels[bin] > 0)
            fprintf(page->script, "%d %.15g\n", bin - TALLY_HISTOGRAM,
                    (double)series->channels[bin]);
    fputs("e\n", page->script);
}

/* Marks that differ in form, too. */
static const int marks[] = {MARK_CIRCLE, MARK_SQUARE, MARK_TRIANGLE, MARK_DIAMOND};
enum { MARKS = sizeof marks / sizeof *marks };

static void draw_lines(const struct histogram *histogram, struct page *page)
{
    for (size_t s = 0; s < histogram->count; s++)
        page_legend_mark(page, page->left + 3, page->top + 4 * (double)(histogram->count - s) - 1,
                         marks[s % MARKS], page_colours[s], histogram->series[s].name);
    fputs("plot ", page->script);
    for (size_t s = 0; s < histogram->count; s++)
        fprintf(page->script,
                "%s'-' with linespoints linewidth 0.75 pointtype %d pointsize 0.35 linecolor rgb "
                "'%s'",
                s > 0 ? ", " : "", marks[s % MARKS], page_colours[s]);
    fputc('\n', page->script);
    for (size_t s = 0; s < histogram->count; s++)
        put_series(histogram, &histogram->series[s], page);
}

static void draw_bars(const struct histogram *histogram, struct page *page)
{
    char words[64];
    const struct series *series = &histogram->series[0];
    if (histogram->matched > 1) {
        snprintf(words, sizeof words, "%zu populations", histogram->matched);
        page_label(page, page->right, page->top + 3, PAGE_RIGHT, PAGE_BLACK, words);
    } else {
        page_label(page, page->right, page->top + 3, PAGE_RIGHT, PAGE_BLACK, series->name);
    }
    fprintf(page->script, "set boxwidth 0.8\nplot '-' with boxes linecolor rgb '%s'\n", PAGE_BLUE);
    put_series(histogram, series, page);
}

static bool draw_histogram(const struct report *report, struct histogram *histogram,
                           struct page *page, struct error *error)
{
    find_extent(histogram);
    if (histogram->last < 0)
        return error_set(error, ERROR_MISUSED,
                         "run %lld of '%s' counted no channels in these populations",
                         (long long)report->run, report->trace);
    bool bars = histogram->count == 1;
    page_begin(page, 120, bars ? 70 : 66 + 4.0 * (double)histogram->count);
    page_panel(page, 18, page->width - 4, 13,
               page->height - (bars ? 7 : 4 + 4.0 * (double)histogram->count));
    page_axis_whole(page, 'x', histogram->first - TALLY_HISTOGRAM - 0.7,
                    histogram->last - TALLY_HISTOGRAM + 0.7,
                    report->tick_seconds > 0 ? "payload of a neuron in a tick"
                                             : "count of a channel in a vector");
    page_axis_log(page, 'y', 0.7, (double)histogram->most * 1.5,
                  report->tick_seconds > 0 ? "neurons × ticks" : "channels");
    if (bars)
        draw_bars(histogram, page);
    else
        draw_lines(histogram, page);
    page_panel_end(page);
    page_end(page);
    return true;
}

static bool draw(const struct picture_request *request, struct page *page, struct error *error)
{
    struct report *report = report_from_file(request->path, request->run, error);
    struct histogram histogram = {0};
    bool good = report != NULL && gather(&histogram, report, request->population, error) &&
                draw_histogram(report, &histogram, page, error);
    free(histogram.series);
    report_free(report);
    return good;
}

const struct picture picture_histogram = {
    .name = "histogram",
    .summary = "how many channels had which count, log axis",
    .takes = " population ",
    .draw = draw,
};
