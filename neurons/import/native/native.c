/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading native documents: the document as a whole, its rules, recordings and placement.
 * Populations are in native_populations.c, projections in native_links.c, values in
 * native_values.c.
 */
#define _GNU_SOURCE 1
#include "neurons/import/native/native.h"

#include "neurons/import/mapped_file.h"
#include "neurons/import/native/native_values.h"
#include "neurons/import/utf8.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { VERSION = 1, FILE_LIMIT = 1 << 28 };

const double native_tick_limit = 0x1p50; /* so that tick x seconds and back is exact */

/* ------------------------------------------------------------------- rules */

static bool read_rules(const struct native_reader *reader, const struct native_item *item)
{
    static const char *const fields[] = {
        "integration", "reset",      "threshold", "several_spikes",
        "late_reset",  "spike_area", "raw_input", "single_precision",
        NULL};
    static const char *const integrations[] = {"exact", "euler", "event", NULL};
    static const char *const resets[] = {"value", "subtract", NULL};
    static const char *const thresholds[] = {"strict", "inclusive", NULL};
    static const char *const areas[] = {"hold", "impulse", "jump", NULL};
    struct cell_rules *rules = &reader->blueprint->rules;
    if (item->json == NULL)
        return true;
    if (!native_fields(reader, item, fields))
        return false;
    unsigned integration = rules->integration, reset = rules->reset, inclusive = rules->inclusive,
             area = rules->area;
    const struct {
        const char *field;
        const char *const *words;
        unsigned *value;
    } choices[] = {{"integration", integrations, &integration},
                   {"reset", resets, &reset},
                   {"threshold", thresholds, &inclusive},
                   {"spike_area", areas, &area}};
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        struct native_item choice = native_member(item, choices[i].field);
        if (choice.json != NULL &&
            !native_word(reader, &choice, choices[i].field, choices[i].words, choices[i].value))
            return false;
    }
    const struct {
        const char *field;
        bool *value;
    } flags[] = {{"several_spikes", &rules->several},
                 {"late_reset", &rules->late_reset},
                 {"raw_input", &rules->raw},
                 {"single_precision", &rules->single}};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        struct native_item flag = native_member(item, flags[i].field);
        if (flag.json != NULL && !native_flag(reader, &flag, flags[i].value))
            return false;
    }
    rules->integration = (enum integration)integration;
    rules->reset = (enum reset_rule)reset;
    rules->inclusive = inclusive;
    rules->area = (enum spike_area)area;
    return true;
}

/* ------------------------------------------------- recordings and placement */

/* A list's entries, zeroed; counted in *count. For an absent list, none. */
static bool entries_new(const struct native_reader *reader, const struct native_item *list,
                        size_t element, void **entries, size_t *count)
{
    *count = json_array_size(list->json);
    if (list->json != NULL && !json_is_array(list->json))
        return native_refuse(reader, list, "must be a list, [ … ]");
    if (*count == 0)
        return true;
    *entries = calloc(*count, element);
    return *entries != NULL || error_no_memory(reader->error, "the description of a network");
}

/* Which population, and which neurons of it; all if nothing is said. */
static bool read_neurons(const struct native_reader *reader, const struct native_item *item,
                         uint32_t *population, uint32_t *first, uint32_t *count)
{
    struct native_item range = native_member(item, "neurons");
    if (!native_population(reader, item, "population", population))
        return false;
    *count = reader->blueprint->populations[*population].neurons;
    return range.json == NULL || native_range(reader, &range, *count, first, count);
}

static bool read_recording(const struct native_reader *reader, const struct native_item *item,
                           struct blueprint_recording *recording)
{
    static const char *const fields[] = {"population", "variable", "neurons", "every", NULL};
    struct native_item variable = native_member(item, "variable"),
                       every = native_member(item, "every");
    int64_t ticks = 1;
    if (!native_fields(reader, item, fields) ||
        !read_neurons(reader, item, &recording->population, &recording->first, &recording->count) ||
        (every.json != NULL && !native_integer(reader, &every, 1, INT32_MAX, &ticks)))
        return false;
    recording->every = (uint32_t)ticks;
    const struct cell_model *model = reader->blueprint->populations[recording->population].model;
    if (model == NULL)
        return native_refuse(reader, item,
                             "the population is an input and has no variables; its "
                             "spikes are in the trace");
    const char *names[CELL_VARIABLES + 1] = {NULL};
    for (uint32_t i = 0; model->variables[i].name != NULL; i++)
        names[i] = model->variables[i].name;
    return native_word(reader, &variable, "variable", names, &recording->variable);
}

static bool read_recordings(struct native_reader *reader, const struct native_item *document)
{
    struct native_item list = native_member(document, "recordings");
    void *entries = NULL;
    size_t count;
    if (!entries_new(reader, &list, sizeof *reader->blueprint->recordings, &entries, &count))
        return false;
    reader->blueprint->recordings = entries;
    reader->blueprint->recording_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        struct native_item item = native_element(&list, i);
        if (!read_recording(reader, &item, &reader->blueprint->recordings[i]))
            return false;
    }
    return true;
}

static int placement_compare(const void *left, const void *right)
{
    const struct blueprint_placement *a = left, *b = right;
    if (a->population != b->population)
        return a->population < b->population ? -1 : 1;
    return a->first < b->first ? -1 : a->first > b->first;
}

/* No neuron sits on two cores. */
static bool placement_check(const struct native_reader *reader, const struct native_item *list)
{
    const struct blueprint *blueprint = reader->blueprint;
    size_t count = blueprint->placement_count;
    struct blueprint_placement *sorted = calloc(count + 1, sizeof *sorted);
    if (sorted == NULL)
        return error_no_memory(reader->error, "the placement");
    if (count > 0)
        memcpy(sorted, blueprint->placements, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, placement_compare);
    bool apart = true;
    for (size_t i = 1; i < count && apart; i++)
        if (sorted[i].population == sorted[i - 1].population &&
            sorted[i].first - sorted[i - 1].first < sorted[i - 1].count) {
            const char *name = blueprint->populations[sorted[i].population].name;
            apart = native_refuse(reader, list,
                                  "neuron %u of '%.*s' is placed twice, on cores %u "
                                  "and %u",
                                  sorted[i].first, utf8_clip(name), name, sorted[i - 1].core,
                                  sorted[i].core);
        }
    free(sorted);
    return apart;
}

static bool read_placement(struct native_reader *reader, const struct native_item *document)
{
    static const char *const fields[] = {"population", "neurons", "core", NULL};
    struct native_item list = native_member(document, "placement");
    void *entries = NULL;
    size_t count;
    if (!entries_new(reader, &list, sizeof *reader->blueprint->placements, &entries, &count))
        return false;
    reader->blueprint->placements = entries;
    reader->blueprint->placement_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        struct blueprint_placement *placement = &reader->blueprint->placements[i];
        struct native_item item = native_element(&list, i), core = native_member(&item, "core");
        int64_t number;
        if (!native_fields(reader, &item, fields) ||
            !read_neurons(reader, &item, &placement->population, &placement->first,
                          &placement->count) ||
            !native_integer(reader, &core, 0, INT32_MAX, &number))
            return false;
        placement->core = (uint32_t)number;
    }
    return placement_check(reader, &list);
}

/* ------------------------------------------------------------ the document */

static bool read_version(const struct native_reader *reader, const struct native_item *document)
{
    struct native_item version = native_member(document, "volley");
    if (json_is_object(document->json) && version.json == NULL)
        return native_refuse(reader, document,
                             "has no field 'volley', the version of the form; "
                             "this is not a description of a network, which begins {\"volley\": "
                             "%d, …",
                             VERSION);
    if (version.json != NULL &&
        (!json_is_integer(version.json) || json_integer_value(version.json) != VERSION))
        return native_refuse(reader, &version,
                             "must be %d, the version of the form that can be "
                             "read",
                             VERSION);
    return true;
}

/* What the network is called, how long its tick is, and so on. */
static bool read_heading(const struct native_reader *reader, const struct native_item *document)
{
    struct native_item name = native_member(document, "name"),
                       notes = native_member(document, "notes"),
                       tick = native_member(document, "tick"),
                       seed = native_member(document, "seed"),
                       duration = native_member(document, "duration");
    struct blueprint *blueprint = reader->blueprint;
    int64_t number = 0;
    const char *text = NULL;
    if ((name.json != NULL && !native_text(reader, &name, &text)) ||
        (notes.json != NULL && !json_is_string(notes.json) &&
         !native_refuse(reader, &notes, "must be a text, \"…\"")) ||
        !native_number(reader, &tick, RANGE_POSITIVE, &blueprint->rules.dt) ||
        (seed.json != NULL && !native_integer(reader, &seed, 0, INT64_MAX, &number)) ||
        (duration.json != NULL &&
         !native_number(reader, &duration, RANGE_POSITIVE, &blueprint->duration)))
        return false;
    blueprint->rules.seed = (uint64_t)number;
    if (blueprint->duration / blueprint->rules.dt > native_tick_limit)
        return native_refuse(reader, &duration, "is more ticks than can be counted");
    if (text != NULL) {
        free(blueprint->name);
        blueprint->name = strdup(text);
    }
    return blueprint->name != NULL || error_no_memory(reader->error, "the name of a network");
}

static bool read_weights_name(struct native_reader *reader, const struct native_item *document)
{
    static const char suffix[] = ".safetensors";
    struct native_item item = native_member(document, "weights");
    const char *name = strrchr(reader->name, '/'), *given;
    name = name == NULL ? reader->name : name + 1;
    const char *end = strrchr(name, '.');
    if (item.json == NULL) {
        if (asprintf(&reader->weights, "%.*s%s",
                     (int)(end == NULL ? strlen(name) : (size_t)(end - name)), name, suffix) < 0)
            reader->weights = NULL;
        return reader->weights != NULL || error_no_memory(reader->error, "the name of a file");
    }
    if (!native_text(reader, &item, &given))
        return false;
    size_t length = strlen(given);
    if (given[0] == '/' || strstr(given, "..") != NULL || length < sizeof suffix ||
        strcmp(given + length - strlen(suffix), suffix) != 0)
        return native_refuse(reader, &item,
                             "must be the name of a %s file in the document's folder "
                             "or below it",
                             suffix);
    reader->weights = strdup(given);
    return reader->weights != NULL || error_no_memory(reader->error, "the name of a file");
}

static bool read_document(struct native_reader *reader, json_t *root)
{
    static const char *const fields[] = {
        "volley", "name",        "notes",       "tick",       "seed",      "duration", "weights",
        "rules",  "populations", "projections", "recordings", "placement", "$schema",  NULL};
    struct native_item document = {.json = root}, rules = native_member(&document, "rules");
    return read_version(reader, &document) && native_fields(reader, &document, fields) &&
           read_heading(reader, &document) && read_weights_name(reader, &document) &&
           read_rules(reader, &rules) && native_read_populations(reader, &document) &&
           native_read_projections(reader, &document) && read_recordings(reader, &document) &&
           read_placement(reader, &document);
}

/* The file's name without folder and ending, for a network that has no other. */
static struct blueprint *blueprint_begin(const char *text, size_t length, const char *name,
                                         struct error *error)
{
    const char *stem = strrchr(name, '/');
    stem = stem == NULL ? name : stem + 1;
    const char *end = strrchr(stem, '.');
    char *copy = strndup(stem, end == NULL || end == stem ? strlen(stem) : (size_t)(end - stem));
    struct blueprint *blueprint = copy == NULL ? NULL : blueprint_new(copy);
    free(copy);
    if (blueprint != NULL)
        blueprint->origin = strdup(name);
    if (blueprint == NULL || blueprint->origin == NULL) {
        blueprint_free(blueprint);
        error_no_memory(error, "the description of a network");
        return NULL;
    }
    blueprint_digest(blueprint, text, length);
    return blueprint;
}

struct blueprint *native_read(const char *text, size_t length, const char *folder, const char *name,
                              struct error *error)
{
    json_error_t where;
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL) {
        error_set(error, ERROR_FAILED, "%s: line %d, column %d: %s", utf8_tail(name), where.line,
                  where.column, where.text);
        return NULL;
    }
    struct native_reader reader = {.name = name, .folder = folder, .error = error};
    reader.blueprint = blueprint_begin(text, length, name, error);
    if (reader.blueprint != NULL && !read_document(&reader, root)) {
        blueprint_free(reader.blueprint);
        reader.blueprint = NULL;
    }
    tensor_set_close(reader.tensors);
    json_decref(reader.numbers);
    json_decref(root);
    free(reader.weights);
    return reader.blueprint;
}

struct blueprint *native_open(const char *path, struct error *error)
{
    struct mapped_file file;
    if (!mapped_file_open(&file, path, FILE_LIMIT, error))
        return NULL;
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    struct blueprint *blueprint = NULL;
    if (folder == NULL)
        error_no_memory(error, "the path of a folder");
    else
        blueprint = native_read((const char *)file.bytes, file.length, folder, path, error);
    free(folder);
    mapped_file_close(&file);
    return blueprint;
}

bool native_is_file(const char *path)
{
    static const char suffix[] = ".json";
    size_t length = strlen(path);
    struct stat status;
    if (length < strlen(suffix) || strcmp(path + length - strlen(suffix), suffix) != 0 ||
        stat(path, &status) != 0 || !S_ISREG(status.st_mode))
        return false;
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return false;
    int character;
    do
        character = getc(file);
    while (character != EOF && isspace(character));
    fclose(file);
    return character == '{' || character == '[';
}
