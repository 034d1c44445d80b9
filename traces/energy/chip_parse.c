/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A chip from its JSON file; chip.schema.json describes the form. Each function below reads one
 * part of the document into the chip. What a refused file has allocated hangs in the chip, so
 * chip_free gives it all back.
 */
#define _GNU_SOURCE 1
#include "traces/energy/chip_internal.h"

#include "neurons/import/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1, NAME_LIMIT = 64 };

/* Members of an object by name; what is not there is left as it is. */
static bool has(const struct chip_item *object, const char *key, struct chip_item *member)
{
    *member = chip_member(object, key);
    return member->json != NULL;
}

/* ------------------------------------------------------------ coefficients */

static bool read_unit(const struct chip_reader *reader, const struct chip_item *item,
                      enum chip_group group, struct coefficient *coefficient)
{
    struct chip_item unit = chip_member(item, "unit");
    const char *name = NULL;
    if (unit.json == NULL)
        return chip_refuse(reader, &unit, "is missing; %s", chip_unit_remedy(group));
    if (!chip_text_at(reader, &unit, &name))
        return false;
    if (chip_unit_apply(coefficient, group, name))
        return true;
    const char *kind = chip_unit_kind(name);
    return chip_refuse(reader, &unit, "is '%.*s'%s%s; %s", utf8_clip(name), name,
                       kind != NULL ? ", a unit of " : "", kind != NULL ? kind : "",
                       chip_unit_remedy(group));
}

static bool read_source(const struct chip_reader *reader, const struct chip_item *item,
                        struct coefficient *coefficient)
{
    struct chip_item source = chip_member(item, "source");
    const char *key = NULL;
    if (!chip_expect(reader, &source, source.json != NULL, "a key of /sources") ||
        !chip_text_at(reader, &source, &key))
        return false;
    const char *text = json_string_value(json_object_get(reader->sources, key));
    if (text == NULL) {
        char list[CHIP_LIST] = "";
        const char *known;
        json_t *value;
        json_object_foreach((json_t *)(uintptr_t)reader->sources, known, value)
            chip_list(list, known);
        return chip_refuse(reader, &source, "is '%.*s', which /sources does not have; it has %s",
                           utf8_clip(key), key, list[0] != '\0' ? list : "nothing");
    }
    coefficient->source = strdup(text);
    return coefficient->source != NULL || error_no_memory(reader->error, "the source of a figure");
}

/* What every figure says beside its values: where they come from and what they mean. */
static bool read_origin(const struct chip_reader *reader, const struct chip_item *item,
                        struct coefficient *coefficient)
{
    struct chip_item scope = chip_member(item, "scope"), evidence = chip_member(item, "evidence"),
                     note;
    unsigned word = 0;
    if (!chip_word(reader, &scope, chip_scope_names, &word))
        return false;
    coefficient->scope = (enum chip_scope)word;
    if (!chip_word(reader, &evidence, chip_evidence_names, &word))
        return false;
    coefficient->evidence = (enum chip_evidence)word;
    return read_source(reader, item, coefficient) &&
           (!has(item, "note", &note) || chip_copy(reader, &note, &coefficient->note));
}

static bool read_coefficient(const struct chip_reader *reader, const struct chip_item *item,
                             enum chip_group group, struct coefficient *coefficient)
{
    static const char *const keys[] = {"value", "unit",     "low",    "high", "scope",
                                       "evidence", "source", "note", NULL};
    if (!chip_members(reader, item, keys))
        return false;
    struct chip_item value = chip_member(item, "value"), low, high;
    if (!chip_number(reader, &value, &coefficient->value))
        return false;
    coefficient->low = coefficient->high = coefficient->value;
    if ((has(item, "low", &low) && !chip_number(reader, &low, &coefficient->low)) ||
        (has(item, "high", &high) && !chip_number(reader, &high, &coefficient->high)))
        return false;
    if (coefficient->low > coefficient->value)
        return chip_refuse(reader, &low, "is %.9g, more than the value, %.9g", coefficient->low,
                           coefficient->value);
    if (coefficient->high < coefficient->value)
        return chip_refuse(reader, &high, "is %.9g, less than the value, %.9g", coefficient->high,
                           coefficient->value);
    if (!read_unit(reader, item, group, coefficient))
        return false;
    if (coefficient->high > chip_figure_most)
        return chip_refuse(reader, item, "is absurd; no figure is more than %g %s",
                           chip_figure_most,
                           group == CHIP_ENERGY ? "J" : group == CHIP_POWER ? "W" : "s");
    coefficient->given = true;
    return read_origin(reader, item, coefficient);
}

static bool read_sync(const struct chip_reader *reader, const struct chip_item *item)
{
    static const char *const keys[] = {"table",    "unit",   "scope", "evidence",
                                       "source", "note", NULL};
    static const char *const row_keys[] = {"tiles", "value", NULL};
    struct chip_item table = chip_member(item, "table");
    struct coefficient *source = &reader->chip->sync_source;
    if (!chip_members(reader, item, keys) ||
        !chip_expect(reader, &table, json_is_array(table.json), "a list of rows, [ … ]"))
        return false;
    size_t length = json_array_size(table.json);
    if (length == 0 || length > CHIP_SYNCS)
        return chip_refuse(reader, &table, "has %zu rows; it must have 1 to %d", length,
                           CHIP_SYNCS);
    uint64_t before = 0;
    for (size_t i = 0; i < length; i++) {
        struct chip_item row = chip_element(&table, i);
        if (!chip_members(reader, &row, row_keys))
            return false;
        struct chip_item tiles = chip_member(&row, "tiles"), value = chip_member(&row, "value");
        struct coefficient one = {0};
        if (!chip_integer(reader, &tiles, (double)before + 1, CHIP_CORES_LIMIT, &before) ||
            !chip_number(reader, &value, &one.value) ||
            !read_unit(reader, item, CHIP_TIME, &one))
            return false;
        if (one.value > chip_figure_most)
            return chip_refuse(reader, &value, "is absurd; no time is more than %g s",
                               chip_figure_most);
        reader->chip->sync[i].tiles = (uint32_t)before;
        reader->chip->sync[i].seconds = one.value;
        strcpy(source->unit, one.unit);
        source->value = source->low = source->high = one.value;
    }
    reader->chip->sync_count = (uint32_t)length;
    source->given = true;
    if (!read_origin(reader, item, source))
        return false;
    struct chip_item scope = chip_member(item, "scope");
    return source->scope == SCOPE_PER_TERM ||
           chip_refuse(reader, &scope, "is '%s'; a time is 'per-term'",
                       chip_scope_names[source->scope]);
}

/* "energy", "power" or "time" */
static bool read_group(const struct chip_reader *reader, const struct chip_item *item,
                       enum chip_group group)
{
    const char *keys[CHIP_FIGURES + 2];
    size_t count = 0;
    for (int i = 0; i < CHIP_FIGURES; i++)
        if (chip_figures[i].group == group)
            keys[count++] = chip_figures[i].key;
    if (group == CHIP_TIME)
        keys[count++] = "sync";
    keys[count] = NULL;
    if (!chip_members(reader, item, keys))
        return false;
    struct chip_item member;
    for (size_t i = 0; i < count; i++) {
        enum chip_figure figure = chip_figure_find(group, keys[i]);
        if (!has(item, keys[i], &member))
            continue;
        if (figure == CHIP_FIGURES ? !read_sync(reader, &member)
                                   : !read_coefficient(reader, &member, group,
                                                       &reader->chip->figure[figure]))
            return false;
    }
    return true;
}

/* ------------------------------------------------------- memory, mesh, limits */

/* A name that the command line can use, too. */
static bool read_name(const struct chip_reader *reader, const struct chip_item *item, char **name)
{
    if (!chip_copy(reader, item, name))
        return false;
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    if (strspn(*name, letters) != strlen(*name) || strlen(*name) > NAME_LIMIT)
        return chip_refuse(reader, item, "must be a name of at most %d letters, digits, - and _",
                           NAME_LIMIT);
    return true;
}

static bool read_memory(const struct chip_reader *reader, const struct chip_item *item,
                        struct chip_memory *memory)
{
    static const char *const keys[] = {"name", "block_bytes", "layout", "read", NULL};
    if (!chip_members(reader, item, keys))
        return false;
    struct chip_item name = chip_member(item, "name"), block = chip_member(item, "block_bytes"),
                     layout = chip_member(item, "layout"), read = chip_member(item, "read");
    uint64_t bytes = 0;
    unsigned word = 0;
    if (!read_name(reader, &name, &memory->name) ||
        !chip_integer(reader, &block, 1, CHIP_BLOCK_LIMIT, &bytes) ||
        !chip_word(reader, &layout, chip_layout_names, &word) ||
        !read_coefficient(reader, &read, CHIP_ENERGY, &memory->read))
        return false;
    memory->block_bytes = (uint32_t)bytes;
    if (word == LAYOUT_BY_SOURCE)
        memory->layout = LAYOUT_BY_SOURCE;
    return true;
}

static bool read_memories(const struct chip_reader *reader, const struct chip_item *item)
{
    if (!chip_expect(reader, item, json_is_array(item->json), "a list of memories, [ … ]"))
        return false;
    size_t length = json_array_size(item->json);
    if (length > CHIP_MEMORIES)
        return chip_refuse(reader, item, "has %zu memories; there can be %d", length,
                           CHIP_MEMORIES);
    for (size_t i = 0; i < length; i++) {
        struct chip_item memory = chip_element(item, i);
        reader->chip->memory_count++;
        if (!read_memory(reader, &memory, &reader->chip->memory[i]))
            return false;
    }
    return true;
}

static bool read_mesh(const struct chip_reader *reader, const struct chip_item *item)
{
    static const char *const keys[] = {"columns",     "rows",  "cores_per_tile",
                                       "link_buffer", "order", NULL};
    static const char *const orders[] = {"by-row", "by-column", NULL};
    if (!chip_members(reader, item, keys))
        return false;
    struct chip_item member;
    uint64_t number = 0;
    for (const struct chip_number_line *line = chip_mesh_lines; line->key != NULL; line++) {
        if (!has(item, line->key, &member))
            continue;
        if (!chip_integer(reader, &member, line->low, line->high, &number))
            return false;
        *(uint32_t *)(void *)((char *)&reader->chip->mesh + line->offset) = (uint32_t)number;
    }
    unsigned order = 0;
    if (has(item, "order", &member) && !chip_word(reader, &member, orders, &order))
        return false;
    reader->chip->mesh.column_major = order == 1;
    return true;
}

static bool read_limits(const struct chip_reader *reader, const struct chip_item *item)
{
    const char *keys[16] = {NULL};
    for (size_t i = 0; chip_limit_lines[i].key != NULL; i++)
        keys[i] = chip_limit_lines[i].key;
    if (!chip_members(reader, item, keys))
        return false;
    struct chip_item member;
    for (const struct chip_number_line *line = chip_limit_lines; line->key != NULL; line++)
        if (has(item, line->key, &member) &&
            !chip_integer(reader, &member, line->low, line->high,
                          (uint64_t *)(void *)((char *)&reader->chip->limits + line->offset)))
            return false;
    return true;
}

/* ------------------------------------------------------------ the document */

static bool read_version(const struct chip_reader *reader, const struct chip_item *document)
{
    struct chip_item version = chip_member(document, "volley_chip");
    if (!json_is_object(document->json) || version.json == NULL)
        return chip_refuse(reader, document,
                           "does not describe a chip, which begins {\"volley_chip\": %d, …",
                           VERSION);
    if (!json_is_integer(version.json) || json_integer_value(version.json) != VERSION)
        return chip_refuse(reader, &version, "must be %d, the version of the form that can be read",
                           VERSION);
    return true;
}

static bool read_sources(struct chip_reader *reader, const struct chip_item *document)
{
    struct chip_item sources;
    if (!has(document, "sources", &sources))
        return true;
    if (!chip_expect(reader, &sources, json_is_object(sources.json), "an object, { … }"))
        return false;
    const char *key, *text;
    json_t *value;
    json_object_foreach(sources.json, key, value)
    {
        struct chip_item source = chip_member(&sources, key);
        if (!chip_text_at(reader, &source, &text))
            return false;
    }
    reader->sources = sources.json;
    return true;
}

static bool read_heading(const struct chip_reader *reader, const struct chip_item *document)
{
    static const char *const arithmetics[] = {"event", "dense", NULL};
    struct chip *chip = reader->chip;
    struct chip_item name = chip_member(document, "name"), title = chip_member(document, "title"),
                     arithmetic = chip_member(document, "arithmetic"), member;
    uint64_t year = 0;
    unsigned word = 0;
    if (!read_name(reader, &name, &chip->name) || !chip_copy(reader, &title, &chip->title))
        return false;
    if (!has(document, "description", &member))
        chip->description = strdup("");
    else if (!chip_copy(reader, &member, &chip->description))
        return false;
    if (chip->description == NULL)
        return error_no_memory(reader->error, "the description of a chip");
    if (has(document, "year", &member) && !chip_integer(reader, &member, 1900, 2999, &year))
        return false;
    chip->year = (uint32_t)year;
    if (has(document, "process_nm", &member)) {
        if (!chip_number(reader, &member, &chip->nanometres))
            return false;
        if (!(chip->nanometres > 0) || chip->nanometres > 1e6)
            return chip_refuse(reader, &member, "is %.9g; it must be more than 0 and at most "
                               "1000000", chip->nanometres);
    }
    if (!chip_word(reader, &arithmetic, arithmetics, &word))
        return false;
    chip->dense = word == 1;
    return true;
}

/* How spikes and weights are held and sent. */
static bool read_words(const struct chip_reader *reader, const struct chip_item *document)
{
    struct chip *chip = reader->chip;
    struct chip_item member;
    uint64_t bits = 0, message = 0, payload = 0;
    if ((has(document, "weight_bits", &member) &&
         !chip_integer(reader, &member, 1, CHIP_BITS_LIMIT, &bits)) ||
        (has(document, "message_bits", &member) &&
         !chip_integer(reader, &member, 0, CHIP_BITS_LIMIT, &message)) ||
        (has(document, "payload_bits", &member) &&
         !chip_integer(reader, &member, 0, CHIP_BITS_LIMIT, &payload)) ||
        (has(document, "graded", &member) && !chip_flag(reader, &member, &chip->graded)) ||
        (has(document, "shares_kernels", &member) &&
         !chip_flag(reader, &member, &chip->shares_kernels)))
        return false;
    chip->weight_bits = (uint32_t)bits;
    chip->message_bits = (uint32_t)message;
    chip->payload_bits = (uint32_t)payload;
    return true;
}

static bool read_missing(const struct chip_reader *reader, const struct chip_item *item)
{
    if (!chip_expect(reader, item, json_is_array(item->json), "a list of sentences, [ … ]"))
        return false;
    size_t length = json_array_size(item->json);
    struct chip *chip = reader->chip;
    chip->missing = calloc(length + 1, sizeof *chip->missing);
    if (chip->missing == NULL)
        return error_no_memory(reader->error, "the description of a chip");
    for (size_t i = 0; i < length; i++) {
        struct chip_item sentence = chip_element(item, i);
        if (!chip_copy(reader, &sentence, &chip->missing[i]))
            return false;
        chip->missing_count++;
    }
    return true;
}

static bool read_document(struct chip_reader *reader, json_t *root)
{
    static const char *const keys[] = {
        "volley_chip",    "name",         "title",        "description", "year",
        "process_nm",     "arithmetic",   "graded",       "message_bits", "payload_bits",
        "weight_bits",    "shares_kernels", "mesh",       "limits",      "energy",
        "power",          "time",         "memory",       "sources",     "not_included",
        "$schema",        NULL};
    struct chip_item document = {.json = root}, member;
    return read_version(reader, &document) && chip_members(reader, &document, keys) &&
           read_sources(reader, &document) && read_heading(reader, &document) &&
           read_words(reader, &document) &&
           (!has(&document, "mesh", &member) || read_mesh(reader, &member)) &&
           (!has(&document, "limits", &member) || read_limits(reader, &member)) &&
           (!has(&document, "energy", &member) || read_group(reader, &member, CHIP_ENERGY)) &&
           (!has(&document, "power", &member) || read_group(reader, &member, CHIP_POWER)) &&
           (!has(&document, "time", &member) || read_group(reader, &member, CHIP_TIME)) &&
           (!has(&document, "memory", &member) || read_memories(reader, &member)) &&
           (!has(&document, "not_included", &member) || read_missing(reader, &member)) &&
           chip_check(reader->chip, reader->error);
}

static struct chip *chip_begin(const char *text, size_t length, const char *origin,
                               struct error *error)
{
    struct chip *chip = calloc(1, sizeof *chip);
    if (chip != NULL)
        chip->origin = strdup(origin);
    if (chip == NULL || chip->origin == NULL) {
        chip_free(chip);
        error_no_memory(error, "the description of a chip");
        return NULL;
    }
    chip->mesh = (struct chip_mesh){.columns = 1, .rows = 1, .cores_per_tile = 1};
    snprintf(chip->digest, sizeof chip->digest, "cbf29ce484222325"); /* of nothing */
    chip_digest(chip, text, length);
    return chip;
}

struct chip *chip_parse(const char *text, size_t length, const char *origin, struct error *error)
{
    json_error_t where;
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL) {
        error_set(error, ERROR_FAILED, "%s: line %d, column %d: %s", utf8_tail(origin), where.line,
                  where.column, where.text);
        return NULL;
    }
    struct chip_reader reader = {.origin = origin, .error = error};
    reader.chip = chip_begin(text, length, origin, error);
    if (reader.chip != NULL && !read_document(&reader, root)) {
        chip_free(reader.chip);
        reader.chip = NULL;
    }
    json_decref(root);
    return reader.chip;
}
