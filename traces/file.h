/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Trace files as files: opening them, telling them from others, and the
 * sentence for each way in which SQLite can fail. For the files of this room.
 */
#ifndef VOLLEY_FILE_H
#define VOLLEY_FILE_H

#include "scheduler/error.h"

#include <sqlite3.h>

enum {
    FILE_APPLICATION = 0x564f4c59, /* 'VOLY' */
    FILE_VERSION = 2               /* user_version that this program writes, the highest it reads */
};

/* What a file turned out to be. */
enum file_kind { FILE_FOREIGN, FILE_EMPTY, FILE_TRACE };

/* Opens an existing trace to read it. Its content may be hostile: triggers and views are off. */
sqlite3 *file_open_read(const char *path, struct error *error);

/* Opens or creates a file to write a trace. *created says that it was not there before. */
sqlite3 *file_open_write(const char *path, bool *created, struct error *error);

/* Finds out what it is; fills `error` unless it is a trace of a known version or empty. */
enum file_kind file_check(sqlite3 *db, const char *path, struct error *error);

/* Takes back a file that was created and is no good. */
void file_remove(const char *path);

/* The sentence for the last failure of `db`; returns false. */
bool file_failure(sqlite3 *db, const char *path, struct error *error);

/* Runs statements without results. */
bool file_execute(sqlite3 *db, const char *path, const char *sql, struct error *error);

/* Prepares one statement; NULL on failure. */
sqlite3_stmt *file_prepare(sqlite3 *db, const char *path, const char *sql, struct error *error);

/* Runs a prepared statement without results, and makes it ready for the next time. */
bool file_run(sqlite3 *db, const char *path, sqlite3_stmt *statement, struct error *error);

/* Version of this program, as the trace states it. */
const char *file_program_version(void);

#endif
