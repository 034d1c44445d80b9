/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `volley plot`: pictures of what a trace holds, for a paper. What the pictures have in common
 * stands here: options, finding the run, and the way from the script to the file.
 */
#include "sim/plot/plot.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/options.h"
#include "sim/plot/program.h"
#include "sim/run.h"
#include "traces/file.h"

static const struct picture *const pictures[] = {
    &picture_raster, &picture_histogram,      &picture_layers,
    &picture_energy, &picture_reconstruction, &picture_pareto,
};
enum { PICTURES = sizeof pictures / sizeof *pictures };

/* ---- what pictures share ---- */

bool picture_open(struct reading *reading, const char *path, struct error *error)
{
    *reading = (struct reading){.path = path, .error = error};
    reading->db = file_open_read(path, error);
    return reading->db != NULL && file_execute(reading->db, path, "BEGIN", error);
}

void picture_close(struct reading *reading)
{
    sqlite3_close(reading->db);
    reading->db = NULL;
}

bool picture_run_read(struct reading *reading, int64_t run, struct picture_run *result)
{
    *result = (struct picture_run){0};
    if (!reading_begin(reading, "run",
                       "SELECT id, level, tick_seconds, sampled, "
                       "coalesce(first_position, 0) = 0 AND "
                       "(last_position IS NULL OR last_position >= ticks) FROM run "
                       "WHERE id = ?1 OR ?1 = 0 ORDER BY id DESC LIMIT 1",
                       run))
        return false;
    int64_t sampled = 0, whole = 0;
    int got = reading_next(reading);
    bool good = got == 1 && reading_integer(reading, 0, 1, INT64_MAX, &result->id) &&
                reading_text(reading, 1, false, &result->level) &&
                reading_real(reading, 2, &result->tick_seconds) &&
                reading_integer(reading, 3, 0, 1, &sampled) &&
                reading_integer(reading, 4, 0, 1, &whole);
    if (got == 0 && run == 0)
        error_set(reading->error, ERROR_FAILED, "trace '%s' holds no run", reading->path);
    else if (got == 0)
        error_set(reading->error, ERROR_MISUSED, "trace '%s' holds no run %lld", reading->path,
                  (long long)run);
    reading_end(reading, got);
    result->sampled = sampled == 1;
    result->whole = whole == 1;
    return good;
}

void picture_run_close(struct picture_run *run)
{
    free(run->level);
}

bool picture_wants(const char *glob, const char *name)
{
    return glob == NULL || fnmatch(glob, name, 0) == 0;
}

bool picture_lists(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return list == NULL;
}

/* ---- the command ---- */

struct plot_options {
    struct picture_request request;
    const char *what, *output, *ticks, *positions;
    int64_t width, height;
};

static bool find_picture(const char *name, const struct picture **picture, struct error *error)
{
    char known[128] = "";
    for (int i = 0; i < PICTURES; i++) {
        if (name != NULL && strcmp(name, pictures[i]->name) == 0) {
            *picture = pictures[i];
            return true;
        }
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "", pictures[i]->name);
    }
    if (name == NULL)
        return error_set(error, ERROR_MISUSED, "which picture? --what is one of %s", known);
    return error_set(error, ERROR_MISUSED, "--what is one of %s, not '%.60s'", known, name);
}

/* An option that the picture does not take would do nothing. */
static bool check_option(const struct picture *picture, const char *option, bool given,
                         struct error *error)
{
    char sought[32];
    snprintf(sought, sizeof sought, " %s ", option);
    if (!given || strstr(picture->takes, sought) != NULL)
        return true;
    return error_set(error, ERROR_MISUSED, "--what %s takes no --%s; see volley plot --help",
                     picture->name, option);
}

static bool check_options(const struct plot_options *options, const struct picture *picture,
                          struct error *error)
{
    const struct picture_request *request = &options->request;
    return check_option(picture, "population", request->population != NULL, error) &&
           check_option(picture, "ticks", request->ticks_asked, error) &&
           check_option(picture, "positions", request->positions_asked, error) &&
           check_option(picture, "chip", request->chip != NULL, error) &&
           check_option(picture, "scheme", request->scheme != NULL, error) &&
           check_option(picture, "channel", request->channel >= 0, error);
}

/* The format by the name's ending; SVG goes to standard output. */
static bool find_format(const char *output, enum page_format *format, struct error *error)
{
    static const struct {
        const char *ending;
        enum page_format format;
    } formats[] = {{".svg", PAGE_SVG}, {".png", PAGE_PNG}, {".pdf", PAGE_PDF}};
    *format = PAGE_SVG;
    if (output == NULL)
        return !isatty(STDOUT_FILENO) ||
               error_set(error, ERROR_MISUSED,
                         "name a file for the picture: -o FILE.svg, FILE.png or FILE.pdf");
    size_t length = strlen(output);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (length > 4 && strcasecmp(output + length - 4, formats[i].ending) == 0) {
            *format = formats[i].format;
            return true;
        }
    return error_set(error, ERROR_MISUSED,
                     "a picture's name ends in .svg, .png or .pdf; '%.200s' does not", output);
}

static bool is_same_file(const char *path, const char *output)
{
    struct stat a, b;
    return stat(path, &a) == 0 && stat(output, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

static bool draw(const struct plot_options *options, const struct picture *picture,
                 enum page_format format, struct error *error)
{
    struct page page = {.format = format,
                        .width = (double)options->width,
                        .height = (double)options->height};
    page.script = program_script(error);
    if (page.script == NULL)
        return false;
    FILE *drawn = NULL;
    if (picture->draw(&options->request, &page, error))
        drawn = program_draw(page.script, error);
    fclose(page.script);
    bool good = drawn != NULL && program_write(drawn, options->output, error);
    if (drawn != NULL)
        fclose(drawn);
    return good;
}

static bool plot(struct plot_options *options, struct error *error)
{
    struct picture_request *request = &options->request;
    const struct picture *picture = NULL;
    enum page_format format;
    request->ticks_asked = options->ticks != NULL;
    request->positions_asked = options->positions != NULL;
    if (!find_picture(options->what, &picture, error) ||
        !run_range("--ticks", options->ticks, &request->first_tick, &request->last_tick, error) ||
        !run_range("--positions", options->positions, &request->first_position,
                   &request->last_position, error) ||
        !check_options(options, picture, error) || !find_format(options->output, &format, error))
        return false;
    if (options->output != NULL && is_same_file(request->path, options->output))
        return error_set(error, ERROR_MISUSED, "'%s' is the trace itself; name another file",
                         options->output);
    return draw(options, picture, format, error);
}

static void print_help(const struct option_line *lines, size_t length)
{
    options_print_help(stdout, &command_plot, lines, length, NULL);
    printf("\nPictures:\n");
    for (int i = 0; i < PICTURES; i++)
        printf("  %-16s %s\n", pictures[i]->name, pictures[i]->summary);
    printf("\nThey are drawn by gnuplot (Debian: gnuplot-nox).\n");
}

static int plot_main(int argc, char **argv)
{
    struct plot_options options = {.request = {.channel = -1}};
    struct picture_request *request = &options.request;
    bool help = false;
    const struct option_line lines[] = {
        {"what", "PICTURE", "which picture; see below", OPTION_TEXT, &options.what, 0, 0},
        {"output", "FILE", "to FILE.svg, .png or .pdf (default: SVG to standard output)",
         OPTION_TEXT, &options.output, 0, 0},
        {"run", "N", "which run, signal or sweep in the file (default: the newest)", OPTION_INTEGER,
         &request->run, 1, 9e15},
        {"population", "GLOB", "raster, histogram, layers: populations of such names", OPTION_TEXT,
         &request->population, 0, 0},
        {"ticks", "A:B", "raster: only ticks A to B-1 of the run", OPTION_TEXT, &options.ticks, 0,
         0},
        {"positions", "A:B", "raster: only these tokens or samples; reconstruction: values",
         OPTION_TEXT, &options.positions, 0, 0},
        {"chip", "NAME", "energy: populations on this chip; pareto: a sweep on it", OPTION_TEXT,
         &request->chip, 0, 0},
        {"scheme", "NAMES", "reconstruction, pareto: these, commas between", OPTION_TEXT,
         &request->scheme, 0, 0},
        {"channel", "N", "reconstruction: which channel (default: the first)", OPTION_INTEGER,
         &request->channel, 0, 9e15},
        {"width", "MM", "of the picture in millimetres", OPTION_INTEGER, &options.width, 50, 1000},
        {"height", "MM", "the same", OPTION_INTEGER, &options.height, 40, 1000},
    };
    const size_t length = sizeof lines / sizeof *lines;
    size_t count = 0;
    struct error error = {0};
    if (!options_parse(argc, argv, lines, length, &request->path, 1, &count, &help, &error))
        return command_failed(&error);
    if (help) {
        print_help(lines, length);
        return 0;
    }
    if (count != 1)
        error_set(&error, ERROR_MISUSED, "which trace? See volley plot --help");
    else if (plot(&options, &error))
        return 0;
    return command_failed(&error);
}

const struct command command_plot = {
    .name = "plot",
    .arguments = "TRACE.db --what PICTURE [-o FILE] [OPTION …]",
    .summary = "Draws pictures of a trace: spikes, sparsity, energy, encodings, sweeps.",
    .run = plot_main,
};
