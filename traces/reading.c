/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "traces/reading.h"

#include "traces/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_LIMIT = 1 << 20 };

/* A copy that can be shown anywhere. */
bool reading_copy_text(char **copy, const char *text, struct error *error)
{
    *copy = NULL;
    if (text == NULL)
        return true;
    *copy = strndup(text, TEXT_LIMIT);
    if (*copy == NULL)
        return error_no_memory(error, "the report");
    for (char *c = *copy; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    return true;
}

bool reading_begin(struct reading *reading, const char *table, const char *sql, int64_t run)
{
    reading->table = table;
    reading->row = file_prepare(reading->db, reading->path, sql, reading->error);
    if (reading->row == NULL)
        return false;
    sqlite3_bind_int64(reading->row, 1, run);
    return true;
}

/* 1: there is a row; 0: no more; -1: failed. */
int reading_next(struct reading *reading)
{
    int code = sqlite3_step(reading->row);
    if (code == SQLITE_ROW)
        return 1;
    if (code == SQLITE_DONE)
        return 0;
    file_failure(reading->db, reading->path, reading->error);
    return -1;
}

/* Ends the reading; returns whether `last`, what reading_next said last, is a good end. */
bool reading_end(struct reading *reading, int last)
{
    sqlite3_finalize(reading->row);
    reading->row = NULL;
    return last == 0;
}

bool reading_damaged(struct reading *reading, int column)
{
    return error_set(reading->error, ERROR_FAILED,
                     "trace '%s' is damaged: in table %s, row %lld, '%s' is missing or out of "
                     "range",
                     reading->path, reading->table,
                     (long long)sqlite3_column_int64(reading->row, 0),
                     sqlite3_column_name(reading->row, column));
}

bool reading_integer(struct reading *reading, int column, int64_t least, int64_t most,
                         int64_t *value)
{
    if (sqlite3_column_type(reading->row, column) != SQLITE_INTEGER)
        return reading_damaged(reading, column);
    *value = sqlite3_column_int64(reading->row, column);
    return (*value >= least && *value <= most) || reading_damaged(reading, column);
}

bool reading_count(struct reading *reading, int column, uint64_t *value)
{
    int64_t integer = 0;
    if (!reading_integer(reading, column, 0, INT64_MAX, &integer))
        return false;
    *value = (uint64_t)integer;
    return true;
}

bool reading_real(struct reading *reading, int column, double *value)
{
    int type = sqlite3_column_type(reading->row, column);
    if (type != SQLITE_INTEGER && type != SQLITE_FLOAT)
        return reading_damaged(reading, column);
    *value = sqlite3_column_double(reading->row, column);
    return (isfinite(*value) && *value >= 0) || reading_damaged(reading, column);
}

/* Text; NULL in the file gives NULL if it may be missing. */
bool reading_text(struct reading *reading, int column, bool may_miss, char **text)
{
    int type = sqlite3_column_type(reading->row, column);
    *text = NULL;
    if (type == SQLITE_NULL && may_miss)
        return true;
    if (type != SQLITE_TEXT)
        return reading_damaged(reading, column);
    const char *value = (const char *)sqlite3_column_text(reading->row, column);
    if (value == NULL)
        return error_no_memory(reading->error, "the report");
    return reading_copy_text(text, value, reading->error);
}

/* The array with room for one more behind its `length` elements; it grows by doubling. NULL when
 * there is none, and the array is as it was. */
void *reading_grow(void *array, uint32_t length, uint32_t limit, size_t size, struct error *error)
{
    if (length >= limit) {
        error_set(error, ERROR_FAILED, "the trace is damaged: a table has more than %u rows",
                  limit);
        return NULL;
    }
    if (length > 0 && (length & (length - 1)) != 0)
        return array; /* there is room up to the next power of two */
    void *more = realloc(array, (length > 0 ? (size_t)length * 2 : 1) * size);
    if (more == NULL)
        error_no_memory(error, "the report");
    return more;
}
