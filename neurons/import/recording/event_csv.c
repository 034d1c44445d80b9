/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Spikes as text, one a line: tick,neuron,payload. The payload may be left out and is then 1. A
 * first line with names (tick, neuron, payload and population, in any order) says which column is
 * which, so that what `volley export` writes can be read; other columns are refused, as nobody
 * could say what they change. Empty lines and lines that begin with # are passed over.
 */
#include "neurons/import/recording/recording.h"
#include "neurons/import/utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum column { COLUMN_TICK, COLUMN_NEURON, COLUMN_PAYLOAD, COLUMN_POPULATION, COLUMNS };

static const char *const names[COLUMNS] = {"tick", "neuron", "payload", "population"};

struct text {
    const char *at; /* [length] */
    size_t length;
};

struct reader {
    const struct recording_file *file;
    const struct recording_options *options;
    uint64_t line;       /* counted from 1 */
    int place[COLUMNS];  /* which field of a line holds the column; -1: none */
    uint32_t fields;     /* of a line, at most */
    uint32_t fields_least;
    struct text population; /* the first one met; NULL: none yet */
    bool any;               /* a line was of the population that is wanted */
};

#define LINE "%s: line %" PRIu64 ": "
#define LINE_SHOWN(reader) utf8_tail((reader)->file->path), (reader)->line
#define TEXT_SHOWN(text) (int)((text).length < 40 ? (text).length : 40), (text).at

static struct text trimmed(struct text text)
{
    while (text.length > 0 && strchr(" \t\r", text.at[0]) != NULL && text.at[0] != '\0')
        text.at++, text.length--;
    while (text.length > 0 && strchr(" \t\r", text.at[text.length - 1]) != NULL &&
           text.at[text.length - 1] != '\0')
        text.length--;
    return text;
}

/* Splits off what stands before the next separator outside of quotes. */
static struct text text_split(struct text *rest, char separator)
{
    struct text part = {rest->at, 0};
    bool quoted = false;
    while (part.length < rest->length && (quoted || rest->at[part.length] != separator))
        quoted ^= rest->at[part.length++] == '"' && separator == ',';
    size_t taken = part.length < rest->length ? part.length + 1 : part.length;
    rest->at += taken;
    rest->length -= taken;
    return trimmed(part);
}

static bool text_is(struct text text, const char *word)
{
    return text.length == strlen(word) && memcmp(text.at, word, text.length) == 0;
}

static bool begins_number(struct text text)
{
    return text.length > 0 && (text.at[0] == '-' || text.at[0] == '+' ||
                               (text.at[0] >= '0' && text.at[0] <= '9'));
}

static bool integer_read(const struct reader *reader, enum column column, struct text text,
                         int64_t least, int64_t most, int64_t *value, struct error *error)
{
    size_t at = text.length > 0 && (text.at[0] == '-' || text.at[0] == '+');
    bool good = at < text.length, small = true;
    *value = 0;
    for (; good && at < text.length; at++) {
        unsigned digit = (unsigned char)text.at[at] - (unsigned)'0';
        good = digit <= 9;
        small = small && !__builtin_mul_overflow(*value, (int64_t)10, value) &&
                !__builtin_add_overflow(*value, (int64_t)digit, value);
    }
    if (good && small && text.at[0] == '-')
        *value = -*value;
    if (!good)
        return error_set(error, ERROR_FAILED, LINE "the %s '%.*s' is not a whole number; lines are "
                         "tick,neuron,payload", LINE_SHOWN(reader), names[column],
                         TEXT_SHOWN(text));
    if (!small || *value < least || *value > most)
        return error_set(error, ERROR_FAILED, LINE "the %s %.*s is not within %" PRId64 " to %"
                         PRId64, LINE_SHOWN(reader), names[column], TEXT_SHOWN(text), least, most);
    return true;
}

/* A line of names says which column is which. */
static bool header_read(struct reader *reader, struct text line, struct error *error)
{
    reader->fields = 0;
    for (int i = 0; i < COLUMNS; i++)
        reader->place[i] = -1;
    while (line.length > 0) {
        struct text name = text_split(&line, ',');
        int column = 0;
        while (column < COLUMNS && !text_is(name, names[column]))
            column++;
        if (column == COLUMNS || reader->place[column] >= 0)
            return error_set(error, ERROR_FAILED, LINE "the column '%.*s' is %s; columns are tick, "
                             "neuron, payload and population", LINE_SHOWN(reader),
                             TEXT_SHOWN(name), column == COLUMNS ? "not known" : "there twice");
        reader->place[column] = (int)reader->fields++;
    }
    if (reader->place[COLUMN_TICK] < 0 || reader->place[COLUMN_NEURON] < 0)
        return error_set(error, ERROR_FAILED, LINE "the columns tick and neuron must be there",
                         LINE_SHOWN(reader));
    reader->fields_least = reader->fields;
    return true;
}

/* Whether a line is of the population that is wanted. */
static bool population_taken(struct reader *reader, struct text population, bool *taken,
                             struct error *error)
{
    const char *wanted = reader->options->population;
    if (population.length >= 2 && population.at[0] == '"' &&
        population.at[population.length - 1] == '"')
        population = (struct text){population.at + 1, population.length - 2};
    if (reader->population.at == NULL)
        reader->population = population;
    *taken = wanted == NULL || text_is(population, wanted);
    reader->any |= *taken;
    if (wanted != NULL)
        return true;
    if (population.length == reader->population.length &&
        memcmp(population.at, reader->population.at, population.length) == 0)
        return true;
    return error_set(error, ERROR_MISUSED, LINE "spikes of population '%.*s' after ones of '%.*s'; "
                     "say which population to take", LINE_SHOWN(reader), TEXT_SHOWN(population),
                     TEXT_SHOWN(reader->population));
}

static bool line_read(struct reader *reader, struct text line, struct spike_list *list,
                      struct error *error)
{
    struct text fields[COLUMNS] = {{NULL, 0}};
    uint32_t count = 0;
    bool taken = true;
    int64_t tick, neuron, payload = 1;
    uint32_t neurons = reader->options->neurons != 0 ? reader->options->neurons : UINT32_MAX;
    for (bool more = true; more; count++) {
        more = memchr(line.at, ',', line.length) != NULL;
        struct text field = text_split(&line, ',');
        if (count < COLUMNS)
            fields[count] = field;
    }
    if (count < reader->fields_least || count > reader->fields)
        return error_set(error, ERROR_FAILED, LINE "has %" PRIu32 " fields; lines are %s",
                         LINE_SHOWN(reader), count,
                         reader->fields == reader->fields_least ? "as the first line says"
                                                                : "tick,neuron,payload");
    int population = reader->place[COLUMN_POPULATION], size = reader->place[COLUMN_PAYLOAD];
    if (population >= 0 && !population_taken(reader, fields[population], &taken, error))
        return false;
    if (!taken)
        return true;
    if (!integer_read(reader, COLUMN_TICK, fields[reader->place[COLUMN_TICK]], 0,
                      RECORDING_TICK_LIMIT - 1, &tick, error) ||
        !integer_read(reader, COLUMN_NEURON, fields[reader->place[COLUMN_NEURON]], 0,
                      (int64_t)neurons - 1, &neuron, error))
        return false;
    if (size >= 0 && (uint32_t)size < count &&
        !integer_read(reader, COLUMN_PAYLOAD, fields[size], INT32_MIN, INT32_MAX, &payload, error))
        return false;
    return spike_list_add(list, (struct timed_spike){.tick = tick, .neuron = (uint32_t)neuron,
                                                     .payload = (int32_t)payload}, error);
}

static bool lines_read(struct reader *reader, struct spike_list *list, struct error *error)
{
    struct text rest = {(const char *)reader->file->bytes, reader->file->length};
    bool first = true;
    /* some editors' mark of UTF-8 */
    if (rest.length >= 3 && memcmp(rest.at, "\xef\xbb\xbf", 3) == 0)
        rest = (struct text){rest.at + 3, rest.length - 3};
    while (rest.length > 0) {
        reader->line++;
        struct text line = text_split(&rest, '\n');
        if (line.length == 0 || line.at[0] == '#')
            continue;
        bool names_columns = first && !begins_number(line);
        first = false;
        if (names_columns ? !header_read(reader, line, error)
                          : !line_read(reader, line, list, error))
            return false;
    }
    return true;
}

static bool matches(const struct recording_file *file)
{
    struct text text = {(const char *)file->bytes, file->length < 64 ? file->length : 64};
    text = text_split(&text, '\n');
    return path_ends(file->path, ".csv") || path_ends(file->path, ".txt") ||
           (text.length >= 4 && memcmp(text.at, "tick", 4) == 0) ||
           (begins_number(text) && memchr(text.at, ',', text.length) != NULL);
}

static bool open_lines(struct recording *recording, const struct recording_file *file,
                       const struct recording_options *options, struct error *error)
{
    struct reader reader = {
        .file = file,
        .options = options,
        .place = {[COLUMN_TICK] = 0, [COLUMN_NEURON] = 1, [COLUMN_PAYLOAD] = 2,
                  [COLUMN_POPULATION] = -1},
        .fields = 3,
        .fields_least = 2,
    };
    struct spike_list list = {0};
    bool read = lines_read(&reader, &list, error);
    if (read && reader.population.at != NULL && !reader.any)
        read = error_set(error, ERROR_MISUSED, "%s: holds no spikes of population '%.40s'; the "
                         "first ones are of '%.*s'", utf8_tail(file->path), options->population,
                         TEXT_SHOWN(reader.population));
    read = read && recording_add_spikes(recording, &list, 0, error);
    free(list.items);
    return read;
}

const struct recording_format recording_event_csv = {
    .name = "CSV of tick,neuron,payload",
    .matches = matches,
    .open = open_lines,
};
