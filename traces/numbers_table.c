/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The table-valued function volley_numbers(data): one row (neuron, number) for every number of a
 * list of counts (numbers.h), as the tables neuron_activity and projection hold them. Compiled
 * twice, as spikes_table.c is.
 */
#ifdef VOLLEY_EXTENSION
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT3
#else
#include <sqlite3.h>
#endif

#include "traces/numbers.h"
#include "traces/trace.h"

#include <string.h>

enum { COLUMN_NEURON, COLUMN_NUMBER, COLUMN_DATA };

static const char declaration[] =
    "CREATE TABLE volley_numbers(neuron INTEGER, number INTEGER, data HIDDEN)";

struct cursor {
    sqlite3_vtab_cursor base; /* first: SQLite knows the cursor by it */
    sqlite3_value *data;      /* NULL: not given */
    const unsigned char *at, *end;
    uint64_t number;
    bool at_end;
    sqlite3_int64 row; /* the neuron */
};

static int table_connect(sqlite3 *db, void *unused, int count, const char *const *words,
                         sqlite3_vtab **table, char **message)
{
    (void)unused, (void)count, (void)words, (void)message;
    int code = sqlite3_declare_vtab(db, declaration);
    if (code != SQLITE_OK)
        return code;
    sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS); /* fit for views: it only reads its argument */
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

/* The plan's number: 1 when the argument is given. */
static int table_plan(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    info->estimatedCost = 1e9;
    info->estimatedRows = 1000;
    for (int i = 0; i < info->nConstraint; i++) {
        if (info->aConstraint[i].iColumn != COLUMN_DATA ||
            info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
            continue;
        if (!info->aConstraint[i].usable)
            return SQLITE_CONSTRAINT; /* another order of the join will have it */
        info->aConstraintUsage[i].argvIndex = 1;
        info->aConstraintUsage[i].omit = 1;
        info->idxNum = 1;
        info->estimatedCost = 1000;
        break;
    }
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

static int cursor_close(sqlite3_vtab_cursor *cursor)
{
    struct cursor *self = (struct cursor *)cursor;
    sqlite3_value_free(self->data);
    sqlite3_free(self);
    return SQLITE_OK;
}

static int cursor_next(sqlite3_vtab_cursor *cursor)
{
    struct cursor *self = (struct cursor *)cursor;
    self->row++;
    self->at_end = self->at == self->end;
    if (self->at_end || number_read(&self->at, self->end, &self->number))
        return SQLITE_OK;
    sqlite3_free(cursor->pVtab->zErrMsg);
    cursor->pVtab->zErrMsg =
        sqlite3_mprintf("the list of numbers is damaged at number %lld", self->row);
    return SQLITE_ERROR;
}

static int cursor_filter(sqlite3_vtab_cursor *cursor, int given, const char *unused, int count,
                         sqlite3_value **values)
{
    (void)unused, (void)count;
    struct cursor *self = (struct cursor *)cursor;
    sqlite3_value_free(self->data);
    self->data = NULL;
    self->at_end = true;
    if (given == 0 || sqlite3_value_type(values[0]) == SQLITE_NULL)
        return SQLITE_OK; /* nothing was kept: no rows */
    self->data = sqlite3_value_dup(values[0]);
    if (self->data == NULL)
        return SQLITE_NOMEM;
    self->at = sqlite3_value_blob(self->data);
    self->end = self->at + sqlite3_value_bytes(self->data);
    self->row = -1;
    return cursor_next(cursor);
}

static int cursor_eof(sqlite3_vtab_cursor *cursor)
{
    return ((struct cursor *)cursor)->at_end;
}

static int cursor_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
    struct cursor *self = (struct cursor *)cursor;
    if (column == COLUMN_NEURON)
        sqlite3_result_int64(context, self->row);
    else if (column == COLUMN_NUMBER)
        sqlite3_result_int64(context, (sqlite3_int64)self->number);
    else if (self->data != NULL)
        sqlite3_result_value(context, self->data);
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

int numbers_table_register(struct sqlite3 *db)
{
    return sqlite3_create_module_v2(db, "volley_numbers", &module, NULL, NULL);
}
