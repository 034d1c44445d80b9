/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Time against neurons: every spike a dash, or, where there are too many for a vector drawing, bins
 * of an image, darker where more spikes are. Populations lie one above the other in bands.
 *
 * A token of a language model is a column of its virtual ticks: the "time-neuron firing map" of the
 * SpikingBrain report.
 */
#include "sim/plot/spikes.h"

#include <math.h>
#include <stdlib.h>

enum {
    DASHES = 20000,        /* more spikes are drawn as an image: 30 bytes a dash in an SVG */
    IMAGE_DOTS = 8,        /* a millimetre … */
    IMAGE_COLUMNS = 2400,  /* … but no more than these */
    IMAGE_ROWS = 1600
};
static const double BAND_GAP = 1.2, BAND_LEAST = 2.5, DASH_LEAST = 0.3; /* mm */
static const double POINTS = 72 / 25.4; /* of a millimetre */

struct dash {
    int64_t place;
    uint32_t neuron;
    uint32_t band : 31;
    uint32_t negative : 1;
};

/* Where a band lies: neuron n is at base + n x scale on the y axis. */
struct strip {
    double base, scale;
    double height; /* mm */
    uint32_t rows, bin;   /* of its image; neurons in a row of it */
    uint32_t *counts[2];  /* [rows][columns] spikes, positive and negative */
};

struct raster {
    struct spike_plan plan;
    struct page *page;
    double x_first, x_scale; /* place p is at x_first + p x x_scale */
    struct strip strips[SPIKE_BANDS];
    struct dash *dashes; /* [length]; NULL: an image */
    size_t length;
    uint32_t columns;    /* of the image */
    int64_t bin;         /* places in a column */
    bool signs[2];       /* there are positive, negative spikes */
};

/* ---- layout ---- */

static double place_width(const struct raster *raster)
{
    return (raster->page->right - raster->page->left) / (double)raster->plan.places;
}

/* Tall populations get more room, small ones enough to be seen. */
static void lay_bands(struct raster *raster)
{
    const struct spike_plan *plan = &raster->plan;
    double room = raster->page->top - raster->page->bottom, neurons = 0, given = 0;
    if (plan->band_count == 1) {
        raster->strips[0] = (struct strip){.base = 0, .scale = 1, .height = room};
        return;
    }
    for (uint32_t b = 0; b < plan->band_count; b++)
        neurons += plan->bands[b].neurons;
    room -= BAND_GAP * (plan->band_count - 1);
    for (uint32_t b = 0; b < plan->band_count; b++) {
        double height = room * plan->bands[b].neurons / neurons;
        raster->strips[b].height = height > BAND_LEAST ? height : BAND_LEAST;
        given += raster->strips[b].height;
    }
    double base = raster->page->top - raster->page->bottom;
    for (uint32_t b = 0; b < plan->band_count; b++) {
        struct strip *strip = &raster->strips[b];
        strip->height *= room / given;
        base -= strip->height;
        strip->scale = strip->height / plan->bands[b].neurons;
        strip->base = base + strip->scale / 2;
        base -= BAND_GAP;
    }
}

static void put_bands(const struct raster *raster)
{
    const struct spike_plan *plan = &raster->plan;
    struct page *page = raster->page;
    char words[32];
    for (uint32_t b = 0; b < plan->band_count; b++) {
        const struct strip *strip = &raster->strips[b];
        double bottom = page->bottom + strip->base - strip->scale / 2, middle;
        middle = bottom + strip->height / 2;
        bool two = strip->height >= 8;
        page_label(page, page->left - 2, middle + (two ? 1.7 : 0), PAGE_RIGHT, PAGE_BLACK,
                   plan->bands[b].name);
        snprintf(words, sizeof words, "%u neurons", plan->bands[b].neurons);
        if (two)
            page_label(page, page->left - 2, middle - 1.7, PAGE_RIGHT, PAGE_DARK, words);
        if (b + 1 < plan->band_count)
            page_rule(page, page->left, bottom - BAND_GAP / 2, page->right, bottom - BAND_GAP / 2,
                      PAGE_GREY, 0.4);
    }
}

/* One column for each token or sample, with its number. */
static void put_cells(const struct raster *raster, const char *label)
{
    const struct spike_plan *plan = &raster->plan;
    struct page *page = raster->page;
    int64_t cells = plan->places / plan->cell;
    double width = place_width(raster) * (double)plan->cell;
    double step = page_step((double)cells, (page->right - page->left) / 9);
    int64_t every = step < 1 ? 1 : (int64_t)step;
    page_axis_bare(page, 'x', 0, (double)plan->places, label);
    fputs("set xtics scale 0 (", page->script);
    int64_t first = (plan->position + every - 1) / every * every;
    for (int64_t number = first; number < plan->position + cells; number += every)
        fprintf(page->script, "%s'%lld' %.15g", number > first ? ", " : "", (long long)number,
                ((double)(number - plan->position) + 0.5) * (double)plan->cell);
    fputs(")\n", page->script);
    for (int64_t i = 1; i < cells && width >= 1.2; i++)
        page_rule(page, page->left + (double)i * width, page->bottom,
                  page->left + (double)i * width, page->top, PAGE_GREY, 0.25);
}

/* The time axis of what is not told apart by columns. */
static void put_time(struct raster *raster)
{
    const struct spike_plan *plan = &raster->plan;
    double last = (double)(plan->first + plan->places);
    char label[32] = "tick";
    raster->x_scale = 1;
    if (plan->run.tick_seconds > 0) {
        struct page_unit unit = page_unit(last * plan->run.tick_seconds);
        unit = unit.scale < 1 ? (struct page_unit){1, ""} : unit;
        raster->x_scale = plan->run.tick_seconds * unit.scale;
        snprintf(label, sizeof label, "time (%ss)", unit.prefix);
    }
    raster->x_first = (double)plan->first * raster->x_scale;
    page_axis(raster->page, 'x', raster->x_first, last * raster->x_scale, label);
}

static void put_ticks_label(const struct spike_plan *plan, char *label, size_t room)
{
    double seconds = plan->run.tick_seconds;
    const char *plural = plan->cell == 1 ? "" : "s";
    struct page_unit unit = page_unit(seconds);
    if (!plan->clocked)
        snprintf(label, room, "token (up to %lld virtual tick%s each)", (long long)plan->cell,
                 plural);
    else if (seconds > 0)
        snprintf(label, room, "sample (%lld tick%s of %g %ss each)", (long long)plan->cell, plural,
                 seconds * unit.scale, unit.prefix);
    else
        snprintf(label, room, "sample (%lld tick%s each)", (long long)plan->cell, plural);
}

static void lay_out(struct raster *raster)
{
    const struct spike_plan *plan = &raster->plan;
    struct page *page = raster->page;
    bool single = plan->band_count == 1;
    double label = page_text_width("00000 neurons", PAGE_TEXT);
    char words[80];
    for (uint32_t b = 0; b < plan->band_count; b++) {
        double width = page_text_width(plan->bands[b].name, PAGE_TEXT);
        label = width > label ? width : label;
    }
    page_begin(page, 160, 90);
    page_panel(page, single ? 18 : label + 5, page->width - 4, 13, page->height - 7);
    lay_bands(raster);
    raster->x_scale = 1;
    if (plan->cell > 0) {
        put_ticks_label(plan, words, sizeof words);
        put_cells(raster, words);
    } else {
        put_time(raster);
    }
    if (single) {
        page_axis_whole(page, 'y', -0.5, plan->bands[0].neurons - 0.5, "neuron");
        page_label(page, page->left, page->top + 3.5, PAGE_LEFT, PAGE_BLACK, plan->bands[0].name);
    } else {
        page_axis_bare(page, 'y', 0, page->top - page->bottom, NULL);
        put_bands(raster);
    }
}

/* ---- dashes ---- */

static bool add_dash(void *self, uint32_t band, uint32_t neuron, int64_t place, bool negative,
                     struct error *error)
{
    struct raster *raster = self;
    (void)error;
    raster->signs[negative] = true;
    raster->dashes[raster->length++] =
        (struct dash){.place = place, .neuron = neuron, .band = band, .negative = negative};
    return true;
}

static const char *colour_of(const struct raster *raster, bool negative)
{
    return !raster->signs[true] ? PAGE_BLACK : negative ? PAGE_VERMILLION : PAGE_BLUE;
}

/* A spike fills its place and its neuron, and is no smaller than what can be seen; it is drawn
 * along its longer side. */
static void put_dashes(const struct raster *raster, uint32_t band, bool negative)
{
    const struct strip *strip = &raster->strips[band];
    FILE *script = raster->page->script;
    double width = place_width(raster), scale = raster->x_scale / width; /* x of a millimetre */
    double height = strip->height / raster->plan.bands[band].neurons, rise = strip->scale / height;
    width = width > DASH_LEAST ? width : DASH_LEAST;
    height = height > DASH_LEAST ? height * 0.9 : DASH_LEAST;
    double dx = width >= height ? width * scale / 2 : 0;
    double dy = width >= height ? 0 : height * rise / 2;
    for (size_t i = 0; i < raster->length; i++) {
        const struct dash *dash = &raster->dashes[i];
        if (dash->band != band || dash->negative != negative)
            continue;
        double x = raster->x_first + ((double)dash->place + 0.5) * raster->x_scale;
        double y = strip->base + dash->neuron * strip->scale;
        fprintf(script, "%.9g %.9g\n%.9g %.9g\n\n", x - dx, y - dy, x + dx, y + dy);
    }
    fputs("e\n", script);
}

static bool has_dashes(const struct raster *raster, uint32_t band, bool negative)
{
    for (size_t i = 0; i < raster->length; i++)
        if (raster->dashes[i].band == band && raster->dashes[i].negative == negative)
            return true;
    return false;
}

static void draw_dashes(const struct raster *raster)
{
    FILE *script = raster->page->script;
    const char *before = "plot ";
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < 2 * raster->plan.band_count; i++) {
            uint32_t band = i / 2;
            bool negative = i % 2;
            if (!has_dashes(raster, band, negative))
                continue;
            if (pass == 1) {
                put_dashes(raster, band, negative);
                continue;
            }
            double width = place_width(raster);
            double height = raster->strips[band].height / raster->plan.bands[band].neurons;
            width = width > DASH_LEAST ? width : DASH_LEAST;
            height = height > DASH_LEAST ? height * 0.9 : DASH_LEAST;
            fprintf(script, "%s'-' with lines linewidth %.4f linecolor rgb '%s'", before,
                    (width >= height ? height : width) * POINTS, colour_of(raster, negative));
            before = ", ";
        }
        if (pass == 0)
            fputc('\n', script);
    }
}

/* ---- the image ---- */

static bool make_image(struct raster *raster, struct error *error)
{
    const struct page *page = raster->page;
    int64_t columns = (int64_t)((page->right - page->left) * IMAGE_DOTS);
    double dots = IMAGE_ROWS / (page->top - page->bottom);
    dots = dots < IMAGE_DOTS ? dots : IMAGE_DOTS;
    columns = columns < IMAGE_COLUMNS ? columns : IMAGE_COLUMNS;
    raster->bin = (raster->plan.places + columns - 1) / columns;
    raster->columns = (uint32_t)((raster->plan.places + raster->bin - 1) / raster->bin);
    for (uint32_t b = 0; b < raster->plan.band_count; b++) {
        struct strip *strip = &raster->strips[b];
        uint32_t neurons = raster->plan.bands[b].neurons;
        uint32_t rows = (uint32_t)(strip->height * dots) + 1;
        strip->bin = (uint32_t)(((uint64_t)neurons + rows - 1) / rows);
        strip->rows = (uint32_t)(((uint64_t)neurons + strip->bin - 1) / strip->bin);
        for (int sign = 0; sign < 2; sign++) {
            strip->counts[sign] =
                calloc((size_t)strip->rows * raster->columns, sizeof **strip->counts);
            if (strip->counts[sign] == NULL)
                return error_no_memory(error, "the picture");
        }
    }
    return true;
}

static bool count_spike(void *self, uint32_t band, uint32_t neuron, int64_t place, bool negative,
                        struct error *error)
{
    struct raster *raster = self;
    const struct strip *strip = &raster->strips[band];
    (void)error;
    raster->signs[negative] = true;
    uint32_t *count = &strip->counts[negative][(size_t)(neuron / strip->bin) * raster->columns +
                                               (size_t)(place / raster->bin)];
    *count += *count < UINT32_MAX / 2;
    return true;
}

/* The count above which all is fully dark: that of all but the densest fiftieth of bins. */
static uint32_t find_peak(const struct raster *raster)
{
    enum { LEVELS = 4096 };
    uint64_t having[LEVELS] = {0}, all = 0, passed = 0;
    for (uint32_t b = 0; b < raster->plan.band_count; b++) {
        const struct strip *strip = &raster->strips[b];
        for (size_t i = 0; i < (size_t)strip->rows * raster->columns; i++) {
            uint32_t count = strip->counts[0][i] + strip->counts[1][i];
            having[count < LEVELS ? count : LEVELS - 1] += count > 0;
            all += count > 0;
        }
    }
    uint32_t peak = 1;
    for (passed = having[1]; peak + 1 < LEVELS && passed < all - all / 50;)
        passed += having[++peak];
    return peak;
}

static void put_pixel(const struct raster *raster, uint32_t positive, uint32_t negative,
                      uint32_t peak, unsigned char *pixel)
{
    static const double colours[2][3] = {{0, 114, 178}, {213, 94, 0}};
    double count = (double)positive + negative;
    double share = count > 0 ? negative / count : 0, dark = count < peak ? count / peak : 1;
    for (int c = 0; c < 3; c++)
        pixel[c] = raster->signs[true]
                       ? (unsigned char)(colours[0][c] * (1 - share) + colours[1][c] * share)
                       : 0;
    pixel[3] = count > 0 ? (unsigned char)(60 + 195 * dark) : 0;
}

/* Dots of the image for one bin: programs that smoothe images then leave its edges sharp. */
static uint32_t repeats(double millimetres, uint32_t bins)
{
    double times = floor(millimetres * IMAGE_DOTS / bins);
    return times < 1 ? 1 : (uint32_t)times;
}

static bool put_image(const struct raster *raster, uint32_t band, uint32_t peak,
                      struct error *error)
{
    const struct strip *strip = &raster->strips[band];
    uint32_t across = repeats(raster->page->right - raster->page->left, raster->columns);
    uint32_t up = repeats(strip->height, strip->rows);
    size_t width = (size_t)raster->columns * across * 4;
    unsigned char *line = malloc(width);
    if (line == NULL)
        return error_no_memory(error, "the picture");
    for (uint32_t row = 0; row < strip->rows; row++) {
        for (uint32_t i = 0; i < raster->columns * across; i++) {
            size_t at = (size_t)row * raster->columns + i / across;
            put_pixel(raster, strip->counts[0][at], strip->counts[1][at], peak, line + 4 * i);
        }
        for (uint32_t i = 0; i < up; i++)
            fwrite(line, 1, width, raster->page->script);
    }
    free(line);
    return true;
}

static bool draw_image(const struct raster *raster, struct error *error)
{
    const struct spike_plan *plan = &raster->plan;
    const struct page *page = raster->page;
    uint32_t peak = find_peak(raster), across = repeats(page->right - page->left, raster->columns);
    double dx = raster->x_scale * (double)raster->bin / across;
    for (uint32_t b = 0; b < plan->band_count; b++) {
        const struct strip *strip = &raster->strips[b];
        uint32_t up = repeats(strip->height, strip->rows);
        double dy = strip->scale * strip->bin / up;
        fprintf(page->script,
                "%s'-' binary array=(%u,%u) dx=%.15g dy=%.15g origin=(%.15g,%.15g) "
                "format='%%uchar%%uchar%%uchar%%uchar' using 1:2:3:4 with rgbalpha",
                b > 0 ? ", " : "plot ", raster->columns * across, strip->rows * up, dx, dy,
                raster->x_first + dx / 2, strip->base - strip->scale / 2 + dy / 2);
    }
    fputc('\n', page->script);
    bool good = true;
    for (uint32_t b = 0; good && b < plan->band_count; b++)
        good = put_image(raster, b, peak, error);
    return good;
}

/* ---- the picture ---- */

static void put_legend(const struct raster *raster)
{
    struct page *page = raster->page;
    if (!raster->signs[true])
        return;
    double x = page->right - page_text_width("spike +1spike −1", PAGE_TEXT) - 12;
    x = page_legend_box(page, x, page->top + 3.5, PAGE_BLUE, "spike +1");
    page_legend_box(page, x, page->top + 3.5, PAGE_VERMILLION, "spike −1");
}

static bool fill(struct raster *raster, struct reading *reading,
                 const struct picture_request *request, struct error *error)
{
    const struct spike_plan *plan = &raster->plan;
    bool image = plan->spikes > DASHES;
    lay_out(raster);
    if (image && !make_image(raster, error))
        return false;
    if (!image && (raster->dashes = calloc(plan->spikes, sizeof *raster->dashes)) == NULL)
        return error_no_memory(error, "the picture");
    if (!spike_plan_visit(reading, request, plan, image ? count_spike : add_dash, raster))
        return false;
    if (!raster->signs[false] && !raster->signs[true])
        return error_set(error, ERROR_MISUSED, "no spike of run %lld of '%s' lies in these ticks",
                         (long long)plan->run.id, reading->path);
    put_legend(raster);
    if (image && !draw_image(raster, error))
        return false;
    if (!image)
        draw_dashes(raster);
    page_panel_end(raster->page);
    page_end(raster->page);
    if (image)
        fprintf(stderr,
                "volley: %llu spikes are too many to draw one by one; the picture is an image of "
                "%u columns, darker where more spikes are\n",
                (unsigned long long)plan->spikes, raster->columns);
    return true;
}

static bool draw(const struct picture_request *request, struct page *page, struct error *error)
{
    struct reading reading;
    struct raster *raster = calloc(1, sizeof *raster);
    if (raster == NULL)
        return error_no_memory(error, "the picture");
    raster->page = page;
    bool good = picture_open(&reading, request->path, error) &&
                spike_plan_make(&reading, request, &raster->plan) &&
                fill(raster, &reading, request, error);
    picture_close(&reading);
    for (int b = 0; b < SPIKE_BANDS; b++) {
        free(raster->strips[b].counts[0]);
        free(raster->strips[b].counts[1]);
    }
    free(raster->dashes);
    spike_plan_free(&raster->plan);
    free(raster);
    return good;
}

const struct picture picture_raster = {
    .name = "raster",
    .summary = "time against neurons: every spike of a run traced at level spike",
    .takes = " population ticks positions ",
    .draw = draw,
};
