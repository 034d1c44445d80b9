/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/sweep/request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encoding/coding.h"
#include "encoding/scheme.h"
#include "neurons/import/spikingbrain.h"
#include "sim/sweep/digest.h"

/* ---- values of the lists ---- */

static bool check_coding(const char *value, struct error *error)
{
    return coding_find(value, error) != NULL;
}

static bool check_k(const char *value, struct error *error)
{
    char *end;
    double k = strtod(value, &end);
    return (*end == '\0' && k >= K_LOWEST && k <= K_HIGHEST) ||
           error_set(error, ERROR_MISUSED, "--k takes numbers from %g to %g, not '%.60s'",
                     (double)K_LOWEST, (double)K_HIGHEST, value);
}

static bool check_k_at(const char *value, struct error *error)
{
    struct k_list *list = k_list_parse(value, error);
    k_list_free(list);
    return list != NULL;
}

static bool check_threshold(const char *value, struct error *error)
{
    enum threshold_span span;
    return spikingbrain_find_threshold(value, &span, error);
}

static bool check_whole(const char *option, const char *value, int64_t high, struct error *error)
{
    char *end;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    return (*end == '\0' && errno == 0 && number >= 1 && number <= high) ||
           error_set(error, ERROR_MISUSED, "--%s takes whole numbers from 1 to %lld, not '%.60s'",
                     option, (long long)high, value);
}

static bool check_ticks(const char *value, struct error *error)
{
    return check_whole("ticks", value, UINT32_MAX, error);
}

static bool check_lanes(const char *value, struct error *error)
{
    return check_whole("lanes", value, 1024, error);
}

static bool check_window(const char *value, struct error *error)
{
    return check_whole("window", value, 1 << 24, error);
}

static bool check_down_proj(const char *value, struct error *error)
{
    return strcmp(value, "paper") == 0 || strcmp(value, "repo") == 0 ||
           error_set(error, ERROR_MISUSED, "--down-proj is paper or repo, not '%.60s'", value);
}

static bool check_encode(const char *value, struct error *error)
{
    struct scheme_settings settings;
    return scheme_parse(value, &settings, error);
}

/* ---- "all" ---- */

static const char *coding_name(size_t i)
{
    size_t length;
    const struct coding *const *table = coding_table(&length);
    return i < length ? table[i]->name : NULL;
}

static const char *scheme_name(size_t i)
{
    size_t length;
    const struct scheme *const *table = scheme_table(&length);
    return i < length ? table[i]->name : NULL;
}

/* The names of a table with commas between, from malloc; NULL when memory is short. */
static char *list_all(const char *(*name)(size_t i))
{
    char *list = NULL;
    size_t length = 0;
    FILE *text = open_memstream(&list, &length);
    if (text == NULL)
        return NULL;
    for (size_t i = 0; name(i) != NULL; i++)
        fprintf(text, "%s%s", i > 0 ? "," : "", name(i));
    if (fclose(text) == 0)
        return list;
    free(list);
    return NULL;
}

/* ---- the grid ---- */

/* An option that goes into the grid. */
struct request_line {
    const char *option, *value; /* value NULL: not given */
    bool language;              /* of language models; else of spiking networks */
    bool matched;               /* as in grid.h, of a setting */
    bool (*check)(const char *value, struct error *error); /* NULL: left to the run */
    const char *(*all)(size_t i); /* the names that "all" stands for; NULL: no such thing */
};

static bool check_values(const struct grid_axis *axis, const struct request_line *line,
                         struct error *error)
{
    for (size_t v = 0; v < axis->count; v++)
        if (line->check != NULL && !line->check(axis->values[v], error))
            return false;
    return true;
}

static bool add_list(struct grid *grid, const struct request_line *line, struct error *error)
{
    bool all = line->all != NULL && strcmp(line->value, "all") == 0;
    char *names = all ? list_all(line->all) : NULL;
    if (all && names == NULL)
        return error_no_memory(error, "the sweep");
    bool done = grid_add_axis(grid, line->option, all ? names : line->value, error) &&
                check_values(&grid->axes[grid->axis_count - 1], line, error);
    free(names);
    return done;
}

static bool check_kind(const struct request_line *lines, size_t count, const char *model,
                       bool language, struct error *error)
{
    for (size_t i = 0; i < count; i++)
        if (lines[i].value != NULL && lines[i].language != language)
            return error_set(error, ERROR_MISUSED, "--%s is for %s, and %.200s is a %s",
                             lines[i].option,
                             lines[i].language ? "language models" : "spiking networks", model,
                             language ? "language model" : "spiking network");
    return true;
}

static bool add_flag(struct grid *grid, const char *option, bool given, struct error *error)
{
    return !given || grid_add_setting(grid, option, NULL, true, error);
}

static bool add_model_options(struct grid *grid, const struct model_file_options *model,
                              struct error *error)
{
    char dt[32] = "", seed[32] = "";
    if (model->dt > 0)
        snprintf(dt, sizeof dt, "%.17g", model->dt);
    if (model->seed >= 0)
        snprintf(seed, sizeof seed, "%" PRId64, model->seed);
    const struct {
        const char *option, *value;
    } settings[] = {
        {"as", model->framework},         {"integration", model->integration},
        {"reset", model->reset},          {"threshold", model->threshold},
        {"spike-area", model->spike_area}, {"dt", *dt != '\0' ? dt : NULL},
        {"seed", *seed != '\0' ? seed : NULL},
    };
    bool done = true;
    for (size_t i = 0; done && i < sizeof settings / sizeof *settings; i++)
        done = settings[i].value == NULL ||
               grid_add_setting(grid, settings[i].option, settings[i].value, true, error);
    return done;
}

/* Whether options are given that only spiking networks have and that stand in no list. */
static bool has_model_options(const struct sweep_options *o)
{
    const struct model_file_options *m = &o->model;
    return m->framework != NULL || m->integration != NULL || m->reset != NULL ||
           m->spike_area != NULL || m->dt > 0 || m->seed >= 0 || o->timeless;
}

static bool check_data(const struct sweep_options *o, const struct grid *grid, bool language,
                       struct error *error)
{
    if (grid->axis_count == 0)
        return error_set(error, ERROR_MISUSED, "nothing to sweep over: give %s a list of values",
                         language ? "--coding, --k, --threshold or --down-proj"
                                  : "--encode or --ticks");
    if (language && o->score == NULL)
        return error_set(error, ERROR_MISUSED,
                         "a language model is swept over a text: give --score FILE");
    return language || o->input != NULL ||
           error_set(error, ERROR_MISUSED,
                     "a spiking network is swept over samples: give --input FILE");
}

bool sweep_request_read(struct grid *grid, const struct sweep_options *o, const char *model,
                        bool language, struct error *error)
{
    const struct request_line lists[] = {
        {"coding", o->coding, true, true, check_coding, coding_name},
        {"k", o->k, true, true, check_k, NULL},
        {"threshold", language ? o->model.threshold : NULL, true, true, check_threshold, NULL},
        {"down-proj", o->down_proj, true, true, check_down_proj, NULL},
        {"encode", o->encode, false, true, check_encode, scheme_name},
        {"ticks", o->ticks, false, true, check_ticks, NULL},
    };
    const struct request_line settings[] = {
        {"score", o->score, true, false, NULL, NULL},
        {"k-at", o->k_at, true, true, check_k_at, NULL},
        {"lanes", o->lanes, true, false, check_lanes, NULL}, /* any number gives the same */
        {"window", o->window, true, true, check_window, NULL},
        {"input", o->input, false, false, NULL, NULL},
        {"labels", o->labels, false, false, NULL, NULL},
        {"samples", o->samples, false, true, NULL, NULL},
        {"input-population", o->population, false, true, NULL, NULL},
    };
    const size_t list_count = sizeof lists / sizeof *lists,
                 setting_count = sizeof settings / sizeof *settings;
    if (!check_kind(lists, list_count, model, language, error) ||
        !check_kind(settings, setting_count, model, language, error))
        return false;
    if (language && has_model_options(o))
        return error_set(error, ERROR_MISUSED,
                         "%.200s is a language model; --timeless, --dt, --seed and options of "
                         "networks' files are for spiking networks",
                         model);
    for (size_t i = 0; i < list_count; i++)
        if (lists[i].value != NULL && !add_list(grid, &lists[i], error))
            return false;
    for (size_t i = 0; i < setting_count; i++) {
        const struct request_line *line = &settings[i];
        if (line->value != NULL &&
            ((line->check != NULL && !line->check(line->value, error)) ||
             !grid_add_setting(grid, line->option, line->value, line->matched, error)))
            return false;
    }
    return add_flag(grid, "timeless", o->timeless, error) &&
           (language || add_model_options(grid, &o->model, error)) &&
           check_data(o, grid, language, error);
}

/* ---- the files ---- */

static bool digest_network(uint64_t *digest, const struct sweep_options *o, const char *model,
                           struct error *error)
{
    struct blueprint *blueprint = model_file_open(model, &o->model, error);
    if (blueprint == NULL)
        return false;
    *digest = digest_text(*digest, blueprint->digest);
    blueprint_free(blueprint);
    return digest_file(digest, o->input, error) &&
           (o->labels == NULL || digest_file(digest, o->labels, error));
}

bool sweep_request_digest(const struct sweep_options *o, const char *model, bool language,
                          char digest[17], struct error *error)
{
    uint64_t sum = digest_text(DIGEST_BEGIN, language ? "language" : "network");
    bool done = language ? spikingbrain_check(model, error) &&
                               digest_model_folder(&sum, model, error) &&
                               digest_file(&sum, o->score, error)
                         : digest_network(&sum, o, model, error);
    snprintf(digest, 17, "%016" PRIx64, sum);
    return done;
}
