/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The table-valued function volley_spikes(data, coding, ticks, zero): one row
 * (step, neuron, payload) for every spike of a volley. Compiled twice: into
 * the program, and with VOLLEY_EXTENSION into the module that any SQLite
 * client can load.
 */
#ifdef VOLLEY_EXTENSION
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT3
#else
#include <sqlite3.h>
#endif

#include "traces/spikes.h"
#include "traces/trace.h"

#include <stdlib.h>
#include <string.h>

enum { COLUMN_STEP, COLUMN_NEURON, COLUMN_PAYLOAD, COLUMN_DATA, ARGUMENTS = 4 };

static const char declaration[] =
    "CREATE TABLE volley_spikes(step INTEGER, neuron INTEGER, payload INTEGER, "
    "data HIDDEN, coding HIDDEN, ticks HIDDEN, zero HIDDEN)";

struct cursor {
    sqlite3_vtab_cursor base; /* first: SQLite knows the cursor by it */
    struct spikes_reader reader;
    sqlite3_value *arguments[ARGUMENTS]; /* data, coding, ticks, zero; NULL: not given */
    bool at_end; /* else the row is the spike before the reader's next */
    sqlite3_int64 row;
};

static int table_connect(sqlite3 *db, void *unused, int count, const char *const *words,
                         sqlite3_vtab **table, char **message)
{
    (void)unused, (void)count, (void)words, (void)message;
    int code = sqlite3_declare_vtab(db, declaration);
    if (code != SQLITE_OK)
        return code;
    sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS); /* fit for views: it only reads its arguments */
    *table = sqlite3_malloc(sizeof **table);
    if (*table == NULL)
        return SQLITE_NOMEM;
    memset(*table, 0, sizeof **table);
    return SQLITE_OK;
}

static int table_disconnect(sqlite3_vtab *table)
{
    sqlite3_free(table);
    return SQLITE_OK;
}

/* The plan's number says which arguments are given, bit by bit, in order. */
static int table_plan(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    int place[ARGUMENTS] = {-1, -1, -1, -1}, given = 0, arguments = 0;
    for (int i = 0; i < info->nConstraint; i++) {
        int argument = info->aConstraint[i].iColumn - COLUMN_DATA;
        if (argument < 0 || info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
            continue;
        if (!info->aConstraint[i].usable)
            return SQLITE_CONSTRAINT; /* another order of the join will have it */
        place[argument] = i;
    }
    for (int argument = 0; argument < ARGUMENTS; argument++) {
        if (place[argument] < 0)
            continue;
        given |= 1 << argument;
        info->aConstraintUsage[place[argument]].argvIndex = ++arguments;
        info->aConstraintUsage[place[argument]].omit = 1;
    }
    info->idxNum = given;
    info->estimatedCost = given & 1 ? 1000 : 1e9;
    info->estimatedRows = 1000;
    return SQLITE_OK;
}

static int cursor_open(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor)
{
    (void)table;
    struct cursor *self = sqlite3_malloc(sizeof *self);
    if (self == NULL)
        return SQLITE_NOMEM;
    memset(self, 0, sizeof *self);
    *cursor = &self->base;
    return SQLITE_OK;
}

static void free_arguments(struct cursor *self)
{
    for (int i = 0; i < ARGUMENTS; i++) {
        sqlite3_value_free(self->arguments[i]);
        self->arguments[i] = NULL;
    }
}

static int cursor_close(sqlite3_vtab_cursor *cursor)
{
    struct cursor *self = (struct cursor *)cursor;
    spikes_close(&self->reader);
    free_arguments(self);
    sqlite3_free(self);
    return SQLITE_OK;
}

static int cursor_next(sqlite3_vtab_cursor *cursor)
{
    struct cursor *self = (struct cursor *)cursor;
    self->row++;
    if (self->reader.at == self->reader.end && !spikes_turn(&self->reader))
        self->at_end = true;
    else
        self->reader.at++;
    return SQLITE_OK;
}

static sqlite3_int64 integer_or(sqlite3_value *value, sqlite3_int64 otherwise)
{
    return value == NULL || sqlite3_value_type(value) == SQLITE_NULL ? otherwise
                                                                     : sqlite3_value_int64(value);
}

static int cursor_filter(sqlite3_vtab_cursor *cursor, int given, const char *unused, int count,
                         sqlite3_value **values)
{
    (void)unused, (void)count;
    struct cursor *self = (struct cursor *)cursor;
    free_arguments(self);
    for (int i = 0; i < ARGUMENTS; i++)
        if (given & 1 << i && (self->arguments[i] = sqlite3_value_dup(*values++)) == NULL)
            return SQLITE_NOMEM;
    self->row = 0;
    self->at_end = true;
    sqlite3_value *data = self->arguments[0], *coding = self->arguments[1];
    if (data == NULL || sqlite3_value_type(data) == SQLITE_NULL)
        return SQLITE_OK; /* no spikes were traced: no rows */

    struct error error = {0};
    const char *name = coding == NULL ? NULL : (const char *)sqlite3_value_text(coding);
    const void *bytes = sqlite3_value_blob(data);
    size_t length = (size_t)sqlite3_value_bytes(data);
    if (!spikes_open(&self->reader, bytes, length, name, integer_or(self->arguments[2], 1),
                     integer_or(self->arguments[3], 0), &error)) {
        sqlite3_free(cursor->pVtab->zErrMsg);
        cursor->pVtab->zErrMsg = sqlite3_mprintf("%s", error.text);
        return SQLITE_ERROR;
    }
    self->at_end = false;
    return cursor_next(cursor);
}

static int cursor_eof(sqlite3_vtab_cursor *cursor)
{
    return ((struct cursor *)cursor)->at_end;
}

static int cursor_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
    struct cursor *self = (struct cursor *)cursor;
    switch (column) {
    case COLUMN_STEP:
        sqlite3_result_int64(context, self->reader.step);
        break;
    case COLUMN_NEURON:
        sqlite3_result_int64(context, self->reader.spikes[self->reader.at - 1].neuron);
        break;
    case COLUMN_PAYLOAD:
        sqlite3_result_int64(context, self->reader.spikes[self->reader.at - 1].payload);
        break;
    default:
        if (self->arguments[column - COLUMN_DATA] != NULL)
            sqlite3_result_value(context, self->arguments[column - COLUMN_DATA]);
    }
    return SQLITE_OK;
}

static int cursor_row(sqlite3_vtab_cursor *cursor, sqlite3_int64 *row)
{
    *row = ((struct cursor *)cursor)->row;
    return SQLITE_OK;
}

/* Without xCreate it is there by its name alone. */
static const sqlite3_module module = {
    .iVersion = 0,
    .xConnect = table_connect,
    .xBestIndex = table_plan,
    .xDisconnect = table_disconnect,
    .xOpen = cursor_open,
    .xClose = cursor_close,
    .xFilter = cursor_filter,
    .xNext = cursor_next,
    .xEof = cursor_eof,
    .xColumn = cursor_column,
    .xRowid = cursor_row,
};

int spikes_table_register(struct sqlite3 *db)
{
    return sqlite3_create_module_v2(db, "volley_spikes", &module, NULL, NULL);
}
