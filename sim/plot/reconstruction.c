/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What schemes keep of a signal: for each the signal, what is decoded from the spikes alone, and
 * the spikes below. One channel.
 */
#include "sim/plot/signal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SCHEMES = 6,      /* in one picture … */
    USUAL = 4,        /* … and where none were named */
    WINDOW = 1000,    /* values that are shown where none were asked for */
    VALUES_DRAWN = 3000, /* more are drawn as the range of each column of: */
    COLUMNS = 1400,
    ROWS = 48         /* of spikes of several neurons */
};

struct shown {
    struct picture_encoding encoding;
    double *decoded; /* [last - first], scaled back */
    float *cells[2]; /* [rows][columns], largest payload of positive and negative spikes, or, where
                        spikes lie too close to be told apart, how many there are */
    uint32_t rows, columns;
    int64_t bin;     /* ticks in a column */
    float most;      /* what is drawn in full height; few cells hold more */
};

struct reconstruction {
    struct picture_signal signal;
    int64_t channel, first, last; /* values first … last - 1 */
    double *values;               /* [last - first] */
    struct shown shown[SCHEMES];
    uint32_t count, matched;
    double lowest, highest; /* of all that is drawn */
    struct page *page;
};

static void release(struct reconstruction *picture)
{
    for (uint32_t i = 0; i < picture->count; i++) {
        struct shown *shown = &picture->shown[i];
        picture_encoding_close(&shown->encoding);
        free(shown->decoded);
        free(shown->cells[0]);
        free(shown->cells[1]);
    }
    free(picture->values);
    picture_signal_close(&picture->signal);
}

/* ---- which encodings ---- */

static bool choose_channel(struct reading *reading, int64_t wanted, struct reconstruction *picture)
{
    if (!reading_begin(reading, "encoding",
                       "SELECT channel FROM encoding WHERE signal = ?1 AND (?2 < 0 OR "
                       "channel = ?2) ORDER BY channel LIMIT 1",
                       picture->signal.id))
        return false;
    sqlite3_bind_int64(reading->row, 2, wanted);
    int got = reading_next(reading);
    bool good = got == 1 && reading_integer(reading, 0, 0, UINT32_MAX, &picture->channel);
    reading_end(reading, got);
    if (got == 0 && wanted >= 0)
        error_set(reading->error, ERROR_MISUSED,
                  "signal %lld of '%s' has no encoding of channel %lld",
                  (long long)picture->signal.id, reading->path, (long long)wanted);
    else if (got == 0)
        error_set(reading->error, ERROR_MISUSED, "signal %lld of '%s' has no encoding",
                  (long long)picture->signal.id, reading->path);
    return good;
}

static bool read_encodings(struct reading *reading, const char *schemes,
                           struct reconstruction *picture)
{
    uint32_t limit = schemes != NULL ? SCHEMES : USUAL;
    int got;
    if (!reading_begin(reading, "encoding",
                       "SELECT e.id, e.channel, e.label, e.settings, e.snr_db, e.spikes, "
                       "e.neurons, e.ticks_per_value, c.lowest, c.highest FROM encoding e "
                       "JOIN signal_channel c ON c.signal = e.signal AND c.channel = e.channel "
                       "WHERE e.signal = ?1 AND e.channel = ?2 ORDER BY e.place",
                       picture->signal.id))
        return false;
    sqlite3_bind_int64(reading->row, 2, picture->channel);
    while ((got = reading_next(reading)) == 1) {
        struct picture_encoding encoding;
        bool good = picture_encoding_read(reading, &encoding);
        bool wanted = good && encoding.settings.scheme->decode != NULL &&
                      (picture_lists(schemes, encoding.label) ||
                       picture_lists(schemes, encoding.settings.scheme->name));
        picture->matched += wanted;
        if (wanted && picture->count < limit)
            picture->shown[picture->count++].encoding = encoding;
        else
            picture_encoding_close(&encoding);
        if (!good)
            return reading_end(reading, -1);
    }
    if (!reading_end(reading, got))
        return false;
    if (picture->matched == 0)
        return error_set(reading->error, ERROR_MISUSED,
                         "signal %lld of '%s' has no encoding%s%.60s that can be decoded",
                         (long long)picture->signal.id, reading->path,
                         schemes != NULL ? " by " : "", schemes != NULL ? schemes : "");
    return true;
}

static bool choose_window(const struct reading *reading, const struct picture_request *request,
                          struct reconstruction *picture)
{
    picture->first = request->first_position;
    picture->last = request->positions_asked ? request->last_position : WINDOW;
    picture->last = picture->last < picture->signal.length ? picture->last : picture->signal.length;
    return picture->first < picture->last ||
           error_set(reading->error, ERROR_MISUSED,
                     "signal %lld of '%s' has %lld values; --positions begins behind them",
                     (long long)picture->signal.id, reading->path,
                     (long long)picture->signal.length);
}

/* ---- decoding ---- */

/* Columns of whole values, or of equal parts of one, so that none has more ticks than another. */
static void choose_columns(const struct reconstruction *picture, struct shown *shown)
{
    uint64_t wide = (uint64_t)(picture->last - picture->first), ticks = shown->encoding.ticks;
    uint64_t values = (wide + COLUMNS - 1) / COLUMNS, bin = values * ticks;
    for (uint64_t part = 1; values == 1 && part < ticks; part++)
        if (ticks % part == 0 && wide * (ticks / part) <= COLUMNS) {
            bin = part;
            break;
        }
    shown->bin = (int64_t)bin;
    shown->columns = (uint32_t)((wide * ticks + bin - 1) / bin);
}

/* Puts the spikes into cells: how many, or else the largest payload. */
static size_t fill_cells(const struct reconstruction *picture, struct shown *shown,
                         const struct timed_spike *spikes, size_t count, bool numbers)
{
    int64_t first = picture->first * shown->encoding.ticks;
    int64_t last = picture->last * shown->encoding.ticks;
    uint32_t neurons = shown->encoding.neurons;
    size_t filled = 0;
    for (size_t i = 0; i < count; i++) {
        if (spikes[i].tick < first || spikes[i].tick >= last)
            continue;
        size_t column = (size_t)((spikes[i].tick - first) / shown->bin);
        size_t row = (size_t)((uint64_t)spikes[i].neuron * shown->rows / neurons);
        float size = numbers ? 1 : fabsf((float)spikes[i].payload);
        float *cell = &shown->cells[spikes[i].payload < 0][row * shown->columns + column];
        filled += *cell == 0;
        *cell = numbers ? *cell + 1 : size > *cell ? size : *cell;
    }
    return filled;
}

static int compare(const void *left, const void *right)
{
    const float *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

/* What all but a fiftieth of the cells do not exceed: one large spike would flatten all others. */
static bool find_most(struct shown *shown, struct error *error)
{
    size_t size = (size_t)shown->rows * shown->columns, length = 0;
    float *sorted = malloc(2 * size * sizeof *sorted);
    if (sorted == NULL)
        return error_no_memory(error, "the picture");
    for (size_t i = 0; i < 2 * size; i++) {
        float cell = shown->cells[i / size][i % size];
        if (cell > 0)
            sorted[length++] = cell;
    }
    qsort(sorted, length, sizeof *sorted, compare);
    shown->most = length > 0 ? sorted[length - 1 - length / 50] : 1;
    free(sorted);
    return true;
}

static bool gather_cells(const struct reconstruction *picture, struct shown *shown,
                         const struct timed_spike *spikes, size_t count, struct error *error)
{
    uint32_t neurons = shown->encoding.neurons;
    shown->rows = neurons < ROWS ? neurons : ROWS;
    choose_columns(picture, shown);
    size_t size = (size_t)shown->rows * shown->columns;
    for (int sign = 0; sign < 2; sign++) {
        shown->cells[sign] = calloc(size, sizeof **shown->cells);
        if (shown->cells[sign] == NULL)
            return error_no_memory(error, "the picture");
    }
    bool crowded = fill_cells(picture, shown, spikes, count, false) > size * 2 / 5;
    if (crowded && shown->rows == 1 && shown->bin > 1 &&
        !shown->encoding.settings.scheme->graded) {
        memset(shown->cells[0], 0, size * sizeof **shown->cells);
        memset(shown->cells[1], 0, size * sizeof **shown->cells);
        fill_cells(picture, shown, spikes, count, true);
    }
    return find_most(shown, error);
}

static bool decode(struct reading *reading, struct reconstruction *picture, struct shown *shown)
{
    const struct picture_encoding *encoding = &shown->encoding;
    size_t count = 0, wide = (size_t)(picture->last - picture->first);
    size_t length = (size_t)picture->signal.length;
    struct timed_spike *spikes =
        picture_encoding_spikes(reading, &picture->signal, encoding, &count);
    if (spikes == NULL)
        return false;
    double *x = calloc(length, sizeof *x);
    shown->decoded = calloc(wide, sizeof *shown->decoded);
    bool good = (x != NULL && shown->decoded != NULL) ||
                error_no_memory(reading->error, "the decoded signal");
    if (good) {
        encoding->settings.scheme->decode(&encoding->settings, spikes, count, length, x);
        scheme_unscale(&encoding->settings, x + picture->first, wide, shown->decoded);
        good = gather_cells(picture, shown, spikes, count, reading->error);
    }
    free(x);
    free(spikes);
    return good;
}

static bool find_range(struct reconstruction *picture, struct error *error)
{
    size_t wide = (size_t)(picture->last - picture->first);
    picture->lowest = INFINITY;
    picture->highest = -INFINITY;
    for (uint32_t s = 0; s <= picture->count; s++) {
        const double *values = s < picture->count ? picture->shown[s].decoded : picture->values;
        for (size_t i = 0; i < wide; i++) {
            if (!isfinite(values[i]))
                return error_set(error, ERROR_FAILED, "what is decoded of %.60s is not finite",
                                 s < picture->count ? picture->shown[s].encoding.label : "it");
            picture->lowest = fmin(picture->lowest, values[i]);
            picture->highest = fmax(picture->highest, values[i]);
        }
    }
    double pad = 0.04 * (picture->highest - picture->lowest);
    pad = pad > 0 && isfinite(pad) ? pad : fmax(fabs(picture->highest), 1) * 0.1;
    picture->lowest -= pad;
    picture->highest += pad;
    return (isfinite(picture->lowest) && isfinite(picture->highest)) ||
           error_set(error, ERROR_FAILED, "the signal's values are too large for a picture");
}

/* ---- drawing ---- */

/* Scale of the horizontal axis: what one value is long. */
static double axis_scale(const struct reconstruction *picture, char *label, size_t room)
{
    double seconds = picture->signal.interval_seconds;
    if (picture->signal.timeless || seconds <= 0) {
        snprintf(label, room, "value");
        return 1;
    }
    struct page_unit unit = page_unit((double)picture->last * seconds);
    unit = unit.scale < 1 ? (struct page_unit){1, ""} : unit;
    snprintf(label, room, "time (%ss)", unit.prefix);
    return seconds * unit.scale;
}

static void put_axis(const struct reconstruction *picture, bool labelled)
{
    char label[32];
    double scale = axis_scale(picture, label, sizeof label);
    if (labelled)
        page_axis(picture->page, 'x', (double)picture->first * scale, (double)picture->last * scale,
                  label);
    else
        page_axis_bare(picture->page, 'x', (double)picture->first * scale,
                       (double)picture->last * scale, NULL);
}

/* Every value, or, of too many, the range of those in each column. */
static void put_curve(const struct reconstruction *picture, const double *values)
{
    FILE *script = picture->page->script;
    char label[32];
    double scale = axis_scale(picture, label, sizeof label);
    int64_t wide = picture->last - picture->first;
    if (wide <= VALUES_DRAWN) {
        for (int64_t i = 0; i < wide; i++)
            fprintf(script, "%.9g %.9g\n", ((double)(picture->first + i) + 0.5) * scale, values[i]);
    } else {
        for (int64_t column = 0; column < COLUMNS; column++) {
            int64_t from = wide * column / COLUMNS, to = wide * (column + 1) / COLUMNS;
            double low = values[from], high = low;
            for (int64_t i = from; i < to; i++) {
                low = fmin(low, values[i]);
                high = fmax(high, values[i]);
            }
            double x = ((double)picture->first + (double)(from + to) / 2) * scale;
            fprintf(script, "%.9g %.9g\n%.9g %.9g\n", x, low, x, high);
        }
    }
    fputs("e\n", script);
}

/* The label, and the parameters that are not as usual, in digits that can be read. */
static void put_settings(const struct picture_encoding *encoding, char *words, size_t room)
{
    const struct scheme *scheme = encoding->settings.scheme;
    int used = snprintf(words, room, "%.40s", encoding->label);
    for (int i = 0; i < SCHEME_PARAMETERS && scheme->parameters[i].name != NULL; i++) {
        const struct scheme_parameter *parameter = &scheme->parameters[i];
        if (encoding->settings.parameter[i] != parameter->standard && (size_t)used < room)
            used += snprintf(words + used, room - (size_t)used, ", %s %.4g", parameter->name,
                             encoding->settings.parameter[i]);
    }
}

static void draw_signal(const struct reconstruction *picture, const struct shown *shown)
{
    struct page *page = picture->page;
    char words[96];
    const struct picture_encoding *encoding = &shown->encoding;
    const char *minus = encoding->snr < 0 ? "−" : "";
    double spikes = (double)encoding->spikes / (double)picture->signal.length;
    put_axis(picture, false);
    page_axis(page, 'y', picture->lowest, picture->highest, "value");
    put_settings(encoding, words, sizeof words);
    page_label(page, page->left, page->top + 2.2, PAGE_LEFT, PAGE_BLACK, words);
    if (encoding->snr == INFINITY)
        snprintf(words, sizeof words, "exact, spikes per value %.3g", spikes);
    else if (!isfinite(encoding->snr))
        snprintf(words, sizeof words, "spikes per value %.3g", spikes);
    else
        snprintf(words, sizeof words, "SNR %s%.1f dB, spikes per value %.3g", minus,
                 fabs(encoding->snr), spikes);
    page_label(page, page->right, page->top + 2.2, PAGE_RIGHT, PAGE_DARK, words);
    fprintf(page->script,
            "set border 2 linewidth 0.5\nplot '-' with lines linewidth 1.6 linecolor rgb '%s', '-' "
            "with lines linewidth 0.8 linecolor rgb '%s'\n",
            PAGE_GREY, PAGE_BLUE);
    put_curve(picture, picture->values);
    put_curve(picture, shown->decoded);
    page_panel_end(page);
}

static bool has_cells(const struct shown *shown, int sign)
{
    for (size_t i = 0; i < (size_t)shown->rows * shown->columns; i++)
        if (shown->cells[sign][i] > 0)
            return true;
    return false;
}

/* Of one neuron bars, as high as the payload, negative ones below zero; of several a dash in the
 * row of each, neighbours joined. */
static void put_cells(const struct reconstruction *picture, const struct shown *shown, int sign,
                      double column)
{
    FILE *script = picture->page->script;
    char label[32];
    double scale = axis_scale(picture, label, sizeof label);
    double origin = (double)picture->first * scale;
    for (uint32_t row = 0; row < shown->rows; row++)
        for (uint32_t i = 0; i < shown->columns; i++) {
            const float *cells = &shown->cells[sign][(size_t)row * shown->columns];
            if (cells[i] == 0)
                continue;
            uint32_t from = i;
            if (shown->rows == 1) {
                double x = origin + (i + 0.5) * column, y = fmin(cells[i] / (double)shown->most, 1);
                fprintf(script, "%.9g 0\n%.9g %.4g\n\n", x, x, sign ? -y : y);
                continue;
            }
            while (i + 1 < shown->columns && cells[i + 1] > 0)
                i++;
            fprintf(script, "%.9g %u.5\n%.9g %u.5\n\n", origin + from * column, row,
                    origin + (i + 1) * column, row);
        }
    fputs("e\n", script);
}

static void draw_spikes(const struct reconstruction *picture, const struct shown *shown,
                        bool labelled)
{
    struct page *page = picture->page;
    char label[32];
    bool negative = has_cells(shown, 1), positive = has_cells(shown, 0);
    double scale = axis_scale(picture, label, sizeof label);
    double column = scale * (double)shown->bin / shown->encoding.ticks;
    double row = (page->top - page->bottom) / shown->rows * 72 / 25.4;
    put_axis(picture, labelled);
    page_axis_bare(page, 'y', shown->rows > 1 ? 0 : negative ? -1.05 : 0,
                   shown->rows > 1 ? shown->rows : 1.05, NULL);
    fprintf(page->script, "set border %d linewidth 0.5\n", labelled ? 1 : 0);
    if (shown->rows == 1 && negative)
        page_rule(page, page->left, (page->bottom + page->top) / 2, page->right,
                  (page->bottom + page->top) / 2, PAGE_PALE, 0.3);
    page_label(page, page->left - 2, (page->bottom + page->top) / 2, PAGE_RIGHT, PAGE_BLACK,
               "spikes");
    fputs("plot NaN", page->script);
    for (int sign = 0; sign < 2; sign++)
        if (sign == 1 ? negative : positive)
            fprintf(page->script, ", '-' with lines linewidth %.3f linecolor rgb '%s'",
                    shown->rows > 1 ? row * 0.85 : 0.5,
                    !negative ? PAGE_BLACK : sign == 1 ? PAGE_VERMILLION : PAGE_BLUE);
    fputc('\n', page->script);
    for (int sign = 0; sign < 2; sign++)
        if (sign == 1 ? negative : positive)
            put_cells(picture, shown, sign, column);
    page_panel_end(page);
}

static void draw_picture(struct reconstruction *picture)
{
    struct page *page = picture->page;
    double wanted = 0, unit;
    page_begin(page, 160, 13 + 6 + 33.0 * picture->count);
    unit = (page->height - 19) / picture->count / 33;
    double top = page->height - 6;
    for (uint32_t i = 0; i < picture->count; i++) {
        const struct shown *shown = &picture->shown[i];
        double strip = (shown->rows > 1 ? 9 : 6) * unit;
        wanted = top - 33 * unit;
        page_panel(page, 18, page->width - 4, wanted + strip + 2 * unit, top - 5 * unit);
        if (i == 0) {
            double x = page->right - page_text_width("signaldecoded", PAGE_TEXT) - 17;
            x = page_legend_line(page, x, page->height - 3, PAGE_GREY, 1.6, "signal");
            page_legend_line(page, x, page->height - 3, PAGE_BLUE, 0.8, "decoded");
        }
        draw_signal(picture, shown);
        page_panel(page, 18, page->width - 4, wanted + unit, wanted + unit + strip);
        draw_spikes(picture, shown, i + 1 == picture->count);
        top = wanted;
    }
    page_end(page);
}

static void put_notes(const struct reconstruction *picture, const struct picture_request *request)
{
    if (picture->count < picture->matched)
        fprintf(stderr, "volley: %u of %u encodings are shown; --scheme chooses others\n",
                picture->count, picture->matched);
    if (!request->positions_asked && picture->last < picture->signal.length)
        fprintf(stderr, "volley: the first %lld of %lld values are shown; --positions chooses "
                        "others\n",
                (long long)picture->last, (long long)picture->signal.length);
}

static bool draw(const struct picture_request *request, struct page *page, struct error *error)
{
    struct reading reading;
    struct reconstruction picture = {.page = page};
    bool good = picture_open(&reading, request->path, error) &&
                picture_signal_read(&reading, request->run, &picture.signal) &&
                choose_channel(&reading, request->channel, &picture) &&
                read_encodings(&reading, request->scheme, &picture) &&
                choose_window(&reading, request, &picture);
    if (good) {
        picture.values = picture_signal_values(&reading, &picture.signal, picture.channel,
                                               picture.first, picture.last);
        good = picture.values != NULL;
    }
    for (uint32_t i = 0; good && i < picture.count; i++)
        good = decode(&reading, &picture, &picture.shown[i]);
    good = good && find_range(&picture, error);
    if (good) {
        draw_picture(&picture);
        put_notes(&picture, request);
    }
    picture_close(&reading);
    release(&picture);
    return good;
}

const struct picture picture_reconstruction = {
    .name = "reconstruction",
    .summary = "an encoded signal, what is decoded of it, and the spikes between",
    .takes = " positions scheme channel ",
    .draw = draw,
};
