/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sparsity by population, a line each in the network's order: by all definitions in use of a
 * language model; of a spiking network, whose virtual ticks are its ticks, how many channels are
 * silent. Beside it the mean number of spikes.
 */
#include "sim/plot/plot.h"

#include <math.h>
#include <stdlib.h>

#include "traces/trace.h"

enum { DEFINITIONS = 4 };
static const struct definition {
    const char *words;
    const char *colour;
    int mark;
} definitions[DEFINITIONS] = {
    {"silent channels", PAGE_BLACK, MARK_DIAMOND},
    {"report's definition", PAGE_VERMILLION, MARK_TRIANGLE},
    {"empty slots of 3", PAGE_SKY, MARK_SQUARE},
    {"empty slots of all ticks", PAGE_BLUE, MARK_CIRCLE},
};

struct layers {
    const struct report_row **rows; /* [count], those that counted something */
    size_t count;
    int shown;             /* definitions */
    double label, pitch;   /* mm: room for names, distance of lines */
    double least, largest; /* mean spikes */
};

/* In percent. */
static double sparsity(const struct population_tally *tally, int definition)
{
    double channels = (double)tally->channels;
    double empty = 3 * channels - (double)tally->spikes_up_to_3;
    double share = 0;
    switch (definition) {
    case 0: share = (double)tally->silent / channels; break;
    case 1: share = empty / (empty + channels - (double)tally->silent); break;
    case 2: share = empty / (3 * channels); break;
    default:
        share = tally->slots > 0 ? 1 - (double)tally->spikes / (double)tally->slots : 0;
    }
    return 100 * (share > 0 && share <= 1 ? share : 0);
}

static double mean_spikes(const struct report_row *row)
{
    return (double)row->tally.spikes / (double)row->tally.channels;
}

static bool gather(struct layers *layers, const struct report *report, const char *glob,
                   struct error *error)
{
    size_t matched = 0;
    layers->rows = calloc(report->row_count + 1, sizeof *layers->rows);
    if (layers->rows == NULL)
        return error_no_memory(error, "the picture");
    layers->least = INFINITY;
    layers->shown = report->tick_seconds > 0 ? 1 : DEFINITIONS;
    for (uint32_t i = 0; i < report->row_count; i++) {
        const struct report_row *row = &report->rows[i];
        if (!picture_wants(glob, row->name))
            continue;
        matched++;
        if (row->tally.channels == 0)
            continue;
        layers->rows[layers->count++] = row;
        double width = page_text_width(row->name, PAGE_TEXT), mean = mean_spikes(row);
        layers->label = width > layers->label ? width : layers->label;
        layers->largest = mean > layers->largest ? mean : layers->largest;
        if (mean > 0)
            layers->least = mean < layers->least ? mean : layers->least;
    }
    if (matched == 0)
        return error_set(error, ERROR_MISUSED,
                         "run %lld of '%s' has no spiking population whose name matches '%.100s'",
                         (long long)report->run, report->trace, glob != NULL ? glob : "*");
    return layers->count > 0 ||
           error_set(error, ERROR_MISUSED, "run %lld of '%s' ended before anything was counted",
                     (long long)report->run, report->trace);
}

/* Line 0 is the uppermost. */
static double height_of(const struct layers *layers, size_t line)
{
    return (double)(layers->count - line) - 0.5;
}

/* Names of populations; where they stand too close, those that begin a layer. */
static void put_names(const struct layers *layers, struct page *page)
{
    double last = INFINITY;
    char words[32];
    for (size_t i = 0; i < layers->count; i++) {
        const struct report_row *row = layers->rows[i];
        double y = page->bottom + height_of(layers, i) * layers->pitch;
        bool close = layers->pitch < 3;
        if (close && ((i > 0 && row->layer >= 0 && row->layer == layers->rows[i - 1]->layer) ||
                      last - y < 3))
            continue;
        last = y;
        if (close && row->layer >= 0)
            snprintf(words, sizeof words, "layer %d", row->layer);
        page_label(page, page->left - 2, y, PAGE_RIGHT, PAGE_BLACK,
                   close && row->layer >= 0 ? words : row->name);
    }
}

/* A thin line under the marks of every population, and one between layers. */
static void put_grid(const struct layers *layers, struct page *page)
{
    for (size_t i = 0; i < layers->count; i++) {
        double y = page->bottom + height_of(layers, i) * layers->pitch;
        if (layers->pitch >= 3)
            fprintf(page->script,
                    "set arrow from graph 0, first %.3f to graph 1, first %.3f nohead back "
                    "linewidth 0.3 linecolor rgb '%s'\n",
                    height_of(layers, i), height_of(layers, i), PAGE_PALE);
        if (i > 0 && layers->rows[i]->layer != layers->rows[i - 1]->layer)
            page_rule(page, page->left, y + layers->pitch / 2, page->right, y + layers->pitch / 2,
                      PAGE_GREY, 0.4);
    }
}

static double mark_size(const struct layers *layers)
{
    double size = layers->pitch / 7;
    return size > 0.55 ? 0.55 : size < 0.2 ? 0.2 : size;
}

static void draw_sparsity(const struct layers *layers, struct page *page)
{
    double x = page->left - (layers->shown > 1 ? layers->label : 0);
    put_names(layers, page);
    put_grid(layers, page);
    for (int d = 0; layers->shown > 1 && d < layers->shown; d++)
        x = page_legend_mark(page, x, page->top + 5, definitions[d].mark, definitions[d].colour,
                             definitions[d].words);
    page_axis(page, 'x', 0, 100,
              layers->shown > 1 ? "sparsity (%)" : "neurons silent in a tick (%)");
    page_axis_bare(page, 'y', 0, (double)layers->count, NULL);
    fputs("set border 1\nplot ", page->script);
    for (int d = 0; d < layers->shown; d++)
        fprintf(page->script, "%s'-' with points pointtype %d pointsize %.3f linecolor rgb '%s'",
                d > 0 ? ", " : "", definitions[d].mark, mark_size(layers), definitions[d].colour);
    fputc('\n', page->script);
    for (int d = 0; d < layers->shown; d++) {
        for (size_t i = 0; i < layers->count; i++)
            fprintf(page->script, "%.10g %.3f\n", sparsity(&layers->rows[i]->tally, d),
                    height_of(layers, i));
        fputs("e\n", page->script);
    }
    page_panel_end(page);
}

static void draw_means(const struct layers *layers, struct page *page, const char *label)
{
    put_grid(layers, page);
    if (layers->largest > 30 * layers->least) /* never where all are silent */
        page_axis_log(page, 'x', layers->least / 1.5, layers->largest * 1.5, label);
    else
        page_axis(page, 'x', 0, layers->largest > 0 ? layers->largest * 1.1 : 1, label);
    page_axis_bare(page, 'y', 0, (double)layers->count, NULL);
    fprintf(page->script,
            "set border 1\nplot '-' with points pointtype %d pointsize %.3f linecolor rgb '%s'\n",
            MARK_CIRCLE, mark_size(layers), PAGE_BLACK);
    bool some = false;
    for (size_t i = 0; i < layers->count; i++) {
        double mean = mean_spikes(layers->rows[i]);
        if (mean > 0 || layers->largest <= 30 * layers->least) {
            fprintf(page->script, "%.10g %.3f\n", mean, height_of(layers, i));
            some = true;
        }
    }
    fputs(some ? "e\n" : "NaN NaN\ne\n", page->script);
    page_panel_end(page);
}

static bool draw(const struct picture_request *request, struct page *page, struct error *error)
{
    struct report *report = report_from_file(request->path, request->run, error);
    struct layers layers = {0};
    bool good = report != NULL && gather(&layers, report, request->population, error);
    if (good) {
        bool clocked = report->tick_seconds > 0;
        double top = clocked ? 4 : 9;
        double rows = 4.2 * (double)layers.count;
        page_begin(page, 160, 13 + top + (rows < 25 ? 25 : rows > 210 ? 210 : rows));
        layers.pitch = (page->height - 13 - top) / (double)layers.count;
        if (layers.pitch < 3)
            layers.label = page_text_width("layer 00", PAGE_TEXT);
        double left = layers.label + 4, room = page->width - left - 4;
        page_panel(page, left, left + room * 0.62, 13, page->height - top);
        draw_sparsity(&layers, page);
        page_panel(page, left + room * 0.62 + 9, page->width - 4, 13, page->height - top);
        draw_means(&layers, page, clocked ? "spikes per neuron and tick" : "spikes per channel");
        page_end(page);
    }
    free(layers.rows);
    report_free(report);
    return good;
}

const struct picture picture_layers = {
    .name = "layers",
    .summary = "how sparse each population is, by four definitions",
    .takes = " population ",
    .draw = draw,
};
