/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading the tables of a trace, whose content may be hostile: every value is checked for its type
 * and range, and what is wrong is said with the table, the row and the column.
 */
#ifndef VOLLEY_READING_H
#define VOLLEY_READING_H

#include "scheduler/error.h"

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

/* Reading a query's rows. The first column of every query is a place to name in sentences. */
struct reading {
    sqlite3 *db;
    const char *path;
    const char *table;
    sqlite3_stmt *row;
    struct error *error;
};

/* ?1 of the query is the run. */
bool reading_begin(struct reading *reading, const char *table, const char *sql, int64_t run);
/* 1: there is a row; 0: no more; -1: failed. */
int reading_next(struct reading *reading);
/* Ends the reading; returns whether `last`, what reading_next said last, is a good end. */
bool reading_end(struct reading *reading, int last);

/* False with the sentence that this column of the row is missing or out of range. */
bool reading_damaged(struct reading *reading, int column);
bool reading_integer(struct reading *reading, int column, int64_t least, int64_t most,
                     int64_t *value);
bool reading_count(struct reading *reading, int column, uint64_t *value);
/* Finite and not negative. */
bool reading_real(struct reading *reading, int column, double *value);
/* A copy without control characters; NULL in the file gives NULL if it may be missing. */
bool reading_text(struct reading *reading, int column, bool may_miss, char **text);

/* A copy that can be shown anywhere: control characters have become '?'. NULL gives NULL. */
bool reading_copy_text(char **copy, const char *text, struct error *error);

/* The array with room for one more behind its `length` elements; it grows by doubling. NULL when
 * there is none, and the array is as it was. */
void *reading_grow(void *array, uint32_t length, uint32_t limit, size_t size, struct error *error);

#endif
