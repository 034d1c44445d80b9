/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Energy by cause, from the estimates that `volley energy` stored: a bar for each chip, or for each
 * population on one chip.
 *
 * Bars of causes add up only on a linear axis. Where chips lie too far apart for one, bars show
 * shares and a second panel the totals, on a logarithmic axis.
 */
#include "sim/plot/plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "traces/energy/estimate.h"

enum { BARS_LIMIT = 1 << 14, ESTIMATES_LIMIT = 1 << 16, NAMED_BARS = 40 };
static const double LINEAR_SPAN = 20; /* largest total over smallest */
static const double DWARFING = 3;     /* the chip itself over the largest population */
static const double MOST_JOULES = 1e30, LEAST_JOULES = 1e-30; /* that can be a bar's */
static const double SEEN = 0.003;     /* the least share of a bar that can be seen */

/* Terms that stand side by side differ in lightness, too. */
static const char *const colours[TERMS] = {
    PAGE_DARK, PAGE_BLUE, PAGE_ORANGE, PAGE_GREEN, PAGE_SKY,
    PAGE_PURPLE, PAGE_VERMILLION, PAGE_YELLOW, PAGE_BLACK, PAGE_PALE,
};

struct bar {
    int64_t id; /* of the estimate or the population */
    char *name;
    int32_t layer;
    double low, high, total;
    double terms[TERMS]; /* joules per inference */
};

struct energy_picture {
    struct picture_run run;
    char *unit; /* what it is per */
    struct bar *bars; /* [count], the uppermost first */
    uint32_t count;
    bool chips;   /* else populations */
    double most, least; /* totals */
    double label; /* mm */
    double chip;  /* what the chip itself costs, where that would dwarf all populations; else 0 */
    bool used[TERMS]; /* can be seen in some bar */
};

static double sum_terms(const struct bar *bar)
{
    double sum = 0;
    for (int term = 0; term < TERMS; term++)
        sum += bar->terms[term];
    return sum;
}

static void release(struct energy_picture *picture)
{
    for (uint32_t i = 0; i < picture->count; i++)
        free(picture->bars[i].name);
    free(picture->bars);
    free(picture->unit);
    picture_run_close(&picture->run);
}

static struct bar *add_bar(struct energy_picture *picture, uint32_t limit, struct error *error)
{
    struct bar *bars =
        reading_grow(picture->bars, picture->count, limit, sizeof *bars, error);
    if (bars == NULL)
        return NULL;
    picture->bars = bars;
    bars[picture->count] = (struct bar){.layer = -1};
    return &bars[picture->count++];
}

/* ---- reading ---- */

/* The estimates of the run; of several of one chip the newest. */
static bool read_estimates(struct reading *reading, const char *chip,
                           struct energy_picture *picture)
{
    int got;
    if (!reading_begin(reading, "estimate",
                       "SELECT max(id), chip, unit, inferences, joules, low, high FROM estimate "
                       "WHERE run = ?1 AND (?2 IS NULL OR chip = ?2) GROUP BY chip "
                       "ORDER BY joules / inferences, max(id)",
                       picture->run.id))
        return false;
    sqlite3_bind_text(reading->row, 2, chip, -1, SQLITE_TRANSIENT);
    while ((got = reading_next(reading)) == 1) {
        struct bar *bar = add_bar(picture, ESTIMATES_LIMIT, reading->error);
        double inferences;
        free(picture->unit);
        picture->unit = NULL;
        if (bar == NULL || !reading_integer(reading, 0, 1, INT64_MAX, &bar->id) ||
            !reading_text(reading, 1, false, &bar->name) ||
            !reading_text(reading, 2, false, &picture->unit) ||
            !reading_real(reading, 3, &inferences) || !reading_real(reading, 5, &bar->low) ||
            !reading_real(reading, 6, &bar->high))
            return reading_end(reading, -1);
        if (!(inferences > 0)) {
            reading_damaged(reading, 3);
            return reading_end(reading, -1);
        }
        bar->low /= inferences;
        bar->high /= inferences;
        bar->total = inferences; /* until the terms are read */
    }
    if (!reading_end(reading, got))
        return false;
    if (picture->count == 0)
        return error_set(reading->error, ERROR_MISUSED,
                         "run %lld of '%s' has no estimate of %.60s; volley energy makes it",
                         (long long)picture->run.id, reading->path,
                         chip != NULL ? chip : "its energy");
    return true;
}

static int find_term(const char *name)
{
    for (int term = 0; term < TERMS; term++)
        if (strcmp(name, energy_term_names[term]) == 0)
            return term;
    return -1;
}

/* Column 1 is the term, column 2 its joules. */
static bool read_term(struct reading *reading, struct bar *bar, double inferences)
{
    char *name;
    double joules;
    if (!reading_text(reading, 1, false, &name))
        return false;
    int term = find_term(name);
    free(name);
    if (term < 0)
        return reading_damaged(reading, 1);
    if (!reading_real(reading, 2, &joules))
        return false;
    bar->terms[term] += joules / inferences;
    return true;
}

static bool read_chip_terms(struct reading *reading, struct bar *bar)
{
    int got;
    if (!reading_begin(reading, "estimate_term",
                       "SELECT estimate, term, sum(joules) AS joules FROM estimate_term "
                       "WHERE estimate = ?1 GROUP BY term",
                       bar->id))
        return false;
    while ((got = reading_next(reading)) == 1)
        if (!read_term(reading, bar, bar->total))
            return reading_end(reading, -1);
    return reading_end(reading, got);
}

/* A bar for each population that costs something, the chip's own last. Those of one layer become
 * one bar where there would be too many. */
static bool read_population_bars(struct reading *reading, int64_t estimate, double inferences,
                                 bool by_layer, struct energy_picture *picture)
{
    int got;
    int64_t last = INT64_MIN;
    if (!reading_begin(reading, "estimate_term",
                       "SELECT t.population, t.term, t.joules, coalesce(p.name, '(chip)'), "
                       "coalesce(p.layer, -1) FROM estimate_term t LEFT JOIN population p "
                       "ON p.run = ?2 AND p.id = t.population WHERE t.estimate = ?1 "
                       "ORDER BY t.population = -1, t.population, t.term",
                       estimate))
        return false;
    sqlite3_bind_int64(reading->row, 2, picture->run.id);
    while ((got = reading_next(reading)) == 1) {
        int64_t population, layer;
        struct bar *bar = picture->count > 0 ? &picture->bars[picture->count - 1] : NULL;
        if (!reading_integer(reading, 0, -1, UINT32_MAX, &population) ||
            !reading_integer(reading, 4, INT32_MIN, INT32_MAX, &layer))
            return reading_end(reading, -1);
        bool same = bar != NULL && (by_layer && layer >= 0 ? layer == bar->layer
                                                           : population == last);
        if (!same) {
            bar = add_bar(picture, BARS_LIMIT, reading->error);
            if (bar == NULL || !reading_text(reading, 3, false, &bar->name))
                return reading_end(reading, -1);
            bar->layer = (int32_t)layer;
            bar->id = population;
            char words[32];
            snprintf(words, sizeof words, "layer %d", bar->layer);
            if (by_layer && layer >= 0) {
                free(bar->name);
                if ((bar->name = strdup(words)) == NULL) {
                    error_no_memory(reading->error, "the picture");
                    return reading_end(reading, -1);
                }
            }
        }
        last = population;
        if (!read_term(reading, bar, inferences))
            return reading_end(reading, -1);
    }
    return reading_end(reading, got);
}

/* The bar of the one chip gives way to those of its populations. */
static bool open_chip(struct reading *reading, struct energy_picture *picture)
{
    int64_t estimate = picture->bars[0].id;
    double inferences = picture->bars[0].total;
    for (int by_layer = 0; by_layer < 2; by_layer++) {
        for (uint32_t i = 0; i < picture->count; i++)
            free(picture->bars[i].name);
        free(picture->bars);
        picture->bars = NULL;
        picture->count = 0;
        if (!read_population_bars(reading, estimate, inferences, by_layer == 1, picture))
            return false;
        if (picture->count <= NAMED_BARS)
            break;
    }
    picture->chips = false;
    return true;
}

/* The bar of the chip itself gives way to words where the others could not be seen beside it. */
static void leave_chip_out(struct energy_picture *picture)
{
    double most = 0;
    if (picture->chips || picture->count < 2 || picture->bars[picture->count - 1].id != -1)
        return;
    struct bar *chip = &picture->bars[picture->count - 1];
    for (uint32_t i = 0; i + 1 < picture->count; i++)
        most = sum_terms(&picture->bars[i]) > most ? sum_terms(&picture->bars[i]) : most;
    if (most > 0 && sum_terms(chip) > DWARFING * most) {
        picture->chip = sum_terms(chip);
        free(chip->name);
        picture->count--;
    }
}

static bool add_up(struct energy_picture *picture, struct error *error)
{
    picture->least = INFINITY;
    leave_chip_out(picture);
    for (uint32_t i = 0; i < picture->count; i++) {
        struct bar *bar = &picture->bars[i];
        double width = page_text_width(bar->name, PAGE_TEXT);
        bar->total = sum_terms(bar);
        for (int term = 0; term < TERMS; term++)
            picture->used[term] |= bar->terms[term] > SEEN * bar->total;
        picture->label = width > picture->label ? width : picture->label;
        picture->most = bar->total > picture->most ? bar->total : picture->most;
        if (bar->total > 0)
            picture->least = bar->total < picture->least ? bar->total : picture->least;
    }
    if (picture->most > MOST_JOULES || (picture->most > 0 && picture->least < LEAST_JOULES))
        return error_set(error, ERROR_FAILED,
                         "the trace is damaged: no estimate comes to %g or %g joules",
                         picture->least, picture->most);
    return picture->most > 0 ||
           error_set(error, ERROR_MISUSED, "the estimates of run %lld come to no energy",
                     (long long)picture->run.id);
}

/* ---- drawing ---- */

static double height_of(const struct energy_picture *picture, uint32_t bar)
{
    return (double)(picture->count - bar) - 0.5;
}

static void put_names(const struct energy_picture *picture, struct page *page)
{
    double pitch = (page->top - page->bottom) / picture->count, last = INFINITY;
    for (uint32_t i = 0; i < picture->count; i++) {
        double y = page->bottom + height_of(picture, i) * pitch;
        if (last - y < 3)
            continue;
        last = y;
        page_label(page, page->left - 2, y, PAGE_RIGHT, PAGE_BLACK, picture->bars[i].name);
    }
}

static void put_legend(const struct energy_picture *picture, struct page *page)
{
    double x = page->left, y = page->top + 4;
    for (int term = 0; term < TERMS; term++)
        if (picture->used[term])
            x = page_legend_box(page, x, y, colours[term], energy_term_names[term]);
}

/* The stacks; of `shares` each is scaled to 100. */
static void put_stacks(const struct energy_picture *picture, struct page *page, double scale,
                       bool shares)
{
    const char *before = "plot ";
    for (int term = 0; term < TERMS; term++) {
        if (!picture->used[term])
            continue;
        fprintf(page->script,
                "%s'-' using 1:2:3:4:5:6 with boxxyerror fillstyle solid noborder linecolor rgb "
                "'%s'",
                before, colours[term]);
        before = ", ";
    }
    fputc('\n', page->script);
    for (int term = 0; term < TERMS; term++) {
        if (!picture->used[term])
            continue;
        for (uint32_t i = 0; i < picture->count; i++) {
            const struct bar *bar = &picture->bars[i];
            double from = 0, y = height_of(picture, i), of = scale;
            if (shares)
                of = bar->total > 0 ? 100 / bar->total : 0;
            for (int before_it = 0; before_it < term; before_it++)
                from += bar->terms[before_it];
            fprintf(page->script, "%.9g %.3f %.9g %.9g %.3f %.3f\n", from * of, y, from * of,
                    (from + bar->terms[term]) * of, y - 0.36, y + 0.36);
        }
        fputs("e\n", page->script);
    }
}

/* In three digits. */
static void put_amount(char *words, size_t room, double joules)
{
    struct page_unit unit = page_unit(joules);
    double value = joules * unit.scale;
    int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(words, room, "%.*f %sJ", digits, value, unit.prefix);
}

/* What a bar comes to, at its end; chips' with the 90 % interval as a line. */
static void put_totals(const struct energy_picture *picture, struct page *page, double high)
{
    double pitch = (page->top - page->bottom) / picture->count;
    double millimetre = (page->right - page->left) / high;
    char words[48];
    for (uint32_t i = 0; i < picture->count && pitch >= 3; i++) {
        const struct bar *bar = &picture->bars[i];
        double y = page->bottom + height_of(picture, i) * pitch, x = bar->total;
        if (picture->chips && bar->high > bar->low) {
            page_rule(page, page->left + bar->low * millimetre, y,
                      page->left + bar->high * millimetre, y, PAGE_BLACK, 0.75);
            x = bar->high > x ? bar->high : x;
        }
        put_amount(words, sizeof words, bar->total);
        page_label(page, page->left + x * millimetre + 1.5, y, PAGE_LEFT, PAGE_BLACK, words);
    }
}

static void draw_linear(const struct energy_picture *picture, struct page *page)
{
    double most = picture->most;
    for (uint32_t i = 0; picture->chips && i < picture->count; i++)
        most = picture->bars[i].high > most ? picture->bars[i].high : most;
    struct page_unit unit = page_unit(picture->most);
    char label[64];
    snprintf(label, sizeof label, "energy per %.20s (%sJ)", picture->unit, unit.prefix);
    double room = page->right - page->left, high = most * room / (room - 18);
    page_axis(page, 'x', 0, high * unit.scale, label);
    page_axis_bare(page, 'y', 0, picture->count, NULL);
    fputs("set border 1\n", page->script);
    put_names(picture, page);
    put_legend(picture, page);
    put_totals(picture, page, high);
    if (picture->chip > 0) {
        char amount[32];
        put_amount(amount, sizeof amount, picture->chip);
        snprintf(label, sizeof label, "the chip itself: %s more", amount);
        page_label(page, page->right, page->bottom + 3, PAGE_RIGHT, PAGE_DARK, label);
    }
    put_stacks(picture, page, unit.scale, false);
    page_panel_end(page);
}

static void draw_shares(const struct energy_picture *picture, struct page *page)
{
    page_axis(page, 'x', 0, 100, "share of causes (%)");
    page_axis_bare(page, 'y', 0, picture->count, NULL);
    fputs("set border 1\n", page->script);
    put_names(picture, page);
    put_legend(picture, page);
    put_stacks(picture, page, 1, true);
    page_panel_end(page);
}

static void draw_log_totals(const struct energy_picture *picture, struct page *page)
{
    struct page_unit unit = page_unit(picture->most);
    double low = picture->least, high = picture->most;
    char label[64];
    for (uint32_t i = 0; i < picture->count; i++) {
        const struct bar *bar = &picture->bars[i];
        low = bar->low > 0 && bar->low < low ? bar->low : low;
        high = bar->high > high ? bar->high : high;
    }
    snprintf(label, sizeof label, "energy per %.20s (%sJ)", picture->unit, unit.prefix);
    page_axis_log(page, 'x', low * unit.scale / 2, high * unit.scale * 2, label);
    page_axis_bare(page, 'y', 0, picture->count, NULL);
    for (uint32_t i = 0; i < picture->count; i++)
        fprintf(page->script,
                "set arrow from graph 0, first %.3f to graph 1, first %.3f nohead back linewidth "
                "0.3 linecolor rgb '%s'\n",
                height_of(picture, i), height_of(picture, i), PAGE_PALE);
    fprintf(page->script,
            "set border 1\nplot '-' with lines linewidth 0.75 linecolor rgb '%s', '-' with points "
            "pointtype %d pointsize 0.55 linecolor rgb '%s'\n",
            PAGE_BLACK, MARK_CIRCLE, PAGE_BLACK);
    for (uint32_t i = 0; i < picture->count; i++) {
        const struct bar *bar = &picture->bars[i];
        double from = bar->low > 0 ? bar->low : low, y = height_of(picture, i);
        if (bar->total > 0)
            fprintf(page->script, "%.9g %.3f\n%.9g %.3f\n\n", from * unit.scale, y,
                    (bar->high > from ? bar->high : from) * unit.scale, y);
    }
    fputs("e\n", page->script);
    for (uint32_t i = 0; i < picture->count; i++)
        if (picture->bars[i].total > 0)
            fprintf(page->script, "%.9g %.3f\n", picture->bars[i].total * unit.scale,
                    height_of(picture, i));
    fputs("e\n", page->script);
    page_panel_end(page);
}

static void draw_picture(const struct energy_picture *picture, struct page *page)
{
    double rows = (picture->chips ? 7.5 : 5) * picture->count;
    page_begin(page, 160, 13 + 8 + (rows < 20 ? 20 : rows > 210 ? 210 : rows));
    double left = picture->label + 4, right = page->width - 4, top = page->height - 8;
    if (!picture->chips || picture->most <= LINEAR_SPAN * picture->least) {
        page_panel(page, left, right, 13, top);
        draw_linear(picture, page);
    } else {
        double middle = left + (right - left) * 0.5;
        page_panel(page, left, middle - 4, 13, top);
        draw_shares(picture, page);
        page_panel(page, middle + 4, right, 13, top);
        draw_log_totals(picture, page);
    }
    page_end(page);
}

static bool draw(const struct picture_request *request, struct page *page, struct error *error)
{
    struct reading reading;
    struct energy_picture picture = {.chips = true};
    bool good = picture_open(&reading, request->path, error) &&
                picture_run_read(&reading, request->run, &picture.run) &&
                read_estimates(&reading, request->chip, &picture);
    if (good && request->chip != NULL)
        good = open_chip(&reading, &picture);
    for (uint32_t i = 0; good && request->chip == NULL && i < picture.count; i++)
        good = read_chip_terms(&reading, &picture.bars[i]);
    good = good && add_up(&picture, error);
    if (good)
        draw_picture(&picture, page);
    picture_close(&reading);
    release(&picture);
    return good;
}

const struct picture picture_energy = {
    .name = "energy",
    .summary = "energy by cause: of all chips, or with --chip of each population",
    .takes = " chip ",
    .draw = draw,
};
