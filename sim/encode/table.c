/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Numbers in lines of text. Invariant while reading: `values` holds rows x columns numbers, all
 * finite, and each line so far had as many as the first.
 */
#include "sim/encode/input.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "neurons/import/mapped_file.h"
#include "neurons/import/utf8.h"

enum { LONGEST_NUMBER = 64, FIRST_ROOM = 1024 };

struct table_reader {
    const char *path;
    const char *at, *end;
    uint64_t line; /* counted from 1 */
    size_t room;   /* numbers that `values` has room for */
    struct number_table *table;
    struct error *error;
};

#define LINE "%s: line %" PRIu64 ": "

static bool is_separator(char c)
{
    return c == ',' || c == ';' || c == '\t' || c == ' ';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts [*begin, *end) to what is neither space nor tab nor the end of a line. */
static void trim(const char **begin, const char **end)
{
    while (*begin < *end && is_blank(**begin))
        ++*begin;
    while (*begin < *end && is_blank((*end)[-1]))
        --*end;
}

/* One field as a number; it must be all of the field. */
static bool number_of(const char *begin, const char *end, double *value)
{
    char text[LONGEST_NUMBER + 1], *rest;
    size_t length = (size_t)(end - begin);
    if (length == 0 || length > LONGEST_NUMBER)
        return false;
    memcpy(text, begin, length);
    text[length] = '\0';
    *value = strtod(text, &rest);
    return *rest == '\0' && rest != text;
}

static bool append(struct table_reader *reader, size_t used, double value)
{
    if (used == reader->room) {
        size_t room = reader->room > 0 ? 2 * reader->room : FIRST_ROOM;
        double *more = room <= SIZE_MAX / sizeof *more
                           ? realloc(reader->table->values, room * sizeof *more)
                           : NULL;
        if (more == NULL)
            return error_no_memory(reader->error, "the values of a table");
        reader->table->values = more;
        reader->room = room;
    }
    reader->table->values[used] = value;
    return true;
}

/* The next field of a line; *at moves behind the separator. Spaces around commas belong to none. */
static void next_field(const char **at, const char *end, const char **begin, const char **stop)
{
    while (*at < end && is_blank(**at))
        ++*at;
    *begin = *at;
    while (*at < end && !is_separator(**at))
        ++*at;
    *stop = *at;
    while (*at < end && is_blank(**at))
        ++*at;
    if (*at < end && (**at == ',' || **at == ';'))
        ++*at;
}

static bool refuse_field(struct table_reader *reader, uint32_t column, const char *begin,
                         const char *stop)
{
    int shown = stop - begin < 40 ? (int)(stop - begin) : 40;
    return error_set(reader->error, ERROR_FAILED,
                     LINE "column %" PRIu32 " holds '%.*s', which is no finite number",
                     utf8_tail(reader->path), reader->line, column, shown, begin);
}

static bool read_row(struct table_reader *reader, const char *at, const char *end)
{
    struct number_table *table = reader->table;
    size_t used = (size_t)table->rows * table->columns;
    uint32_t columns = 0;
    /* A separator at the end of the line begins one more field, which is empty. */
    bool more = true;
    while (more) {
        const char *begin, *stop;
        double value = 0;
        next_field(&at, end, &begin, &stop);
        more = at < end || (at > stop && (at[-1] == ',' || at[-1] == ';'));
        if (!number_of(begin, stop, &value) || !isfinite(value) || columns == UINT32_MAX)
            return refuse_field(reader, columns, begin, stop);
        if (!append(reader, used + columns++, value))
            return false;
    }
    if (table->rows > 0 && columns != table->columns)
        return error_set(reader->error, ERROR_FAILED,
                         LINE "it has %" PRIu32 " values, the lines before have %" PRIu32,
                         utf8_tail(reader->path), reader->line, columns, table->columns);
    table->columns = columns;
    table->rows++;
    return true;
}

/* Whether a first line names columns: its first field is no number. */
static bool is_heading(const char *at, const char *end)
{
    const char *begin, *stop;
    double value;
    next_field(&at, end, &begin, &stop);
    return !number_of(begin, stop, &value);
}

/* What `volley export` writes has columns of these names. */
static bool names_spikes(const char *begin, const char *end)
{
    size_t length = (size_t)(end - begin);
    return memmem(begin, length, "tick", 4) != NULL && memmem(begin, length, "neuron", 6) != NULL;
}

static bool read_lines(struct table_reader *reader)
{
    bool heading = true; /* may come */
    while (reader->at < reader->end) {
        const char *begin = reader->at;
        const char *end = memchr(begin, '\n', (size_t)(reader->end - begin));
        end = end != NULL ? end : reader->end;
        reader->at = end < reader->end ? end + 1 : end;
        reader->line++;
        trim(&begin, &end);
        if (begin == end || *begin == '#')
            continue;
        heading = heading && is_heading(begin, end);
        if (heading && names_spikes(begin, end))
            return error_set(reader->error, ERROR_MISUSED,
                             "%s: holds spikes already, so there is nothing to encode",
                             utf8_tail(reader->path));
        if (!heading && !read_row(reader, begin, end))
            return false;
        heading = false;
    }
    return reader->table->rows > 0 ||
           error_set(reader->error, ERROR_FAILED, "%s: holds no numbers",
                     utf8_tail(reader->path));
}

bool number_table_read(struct number_table *table, const char *path, struct error *error)
{
    struct mapped_file file;
    *table = (struct number_table){0};
    if (!mapped_file_open(&file, path, SIZE_MAX, error))
        return false;
    struct table_reader reader = {.path = path,
                                  .at = (const char *)file.bytes,
                                  .end = (const char *)file.bytes + file.length,
                                  .table = table,
                                  .error = error};
    static const char mark[] = "\xef\xbb\xbf"; /* that some programs put before UTF-8 */
    if (file.length >= 3 && memcmp(reader.at, mark, 3) == 0)
        reader.at += 3;
    bool good = read_lines(&reader);
    mapped_file_close(&file);
    if (!good) {
        free(table->values);
        *table = (struct number_table){0};
    }
    return good;
}
