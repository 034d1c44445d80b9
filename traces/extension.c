/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What SQLite calls when a client loads the module: `.load FOLDER/volley` in
 * the sqlite3 shell. To be compiled with VOLLEY_EXTENSION, as are spikes_table.c
 * and numbers_table.c.
 */
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1

#include "traces/trace.h"

/* SQLite derives the name from that of the file. */
int sqlite3_volley_init(sqlite3 *db, char **message, const sqlite3_api_routines *api);

int sqlite3_volley_init(sqlite3 *db, char **message, const sqlite3_api_routines *api)
{
    (void)message;
    SQLITE_EXTENSION_INIT2(api)
    int code = spikes_table_register(db);
    return code == SQLITE_OK ? numbers_table_register(db) : code;
}
