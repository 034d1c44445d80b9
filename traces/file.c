/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "traces/file.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unreleased"
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    WAIT_FOR_OTHERS_MS = 3000,
    LONGEST_VALUE = 1 << 28 /* bytes; a blob of 50 million neurons is below */
};

bool file_failure(sqlite3 *db, const char *path, struct error *error)
{
    int code = sqlite3_errcode(db), system = sqlite3_system_errno(db);
    switch (code & 0xff) {
    case SQLITE_FULL:
        return error_set(error, ERROR_FAILED, "cannot write trace '%s': the disk is full", path);
    case SQLITE_NOMEM:
        return error_no_memory(error, "the trace");
    case SQLITE_NOTADB:
        return error_set(error, ERROR_MISUSED,
                         "'%s' is not a trace: it is not an SQLite file; name another file", path);
    case SQLITE_CORRUPT:
        return error_set(error, ERROR_FAILED, "trace '%s' is damaged: %s", path,
                         sqlite3_errmsg(db));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return error_set(error, ERROR_FAILED,
                         "trace '%s' is locked by another program; wait for it, or name another "
                         "file", path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return error_set(error, ERROR_MISUSED, "cannot write trace '%s': it is read-only", path);
    case SQLITE_CANTOPEN:
        return error_set(error, ERROR_MISUSED, "cannot open trace '%s': %s", path,
                         system != 0 ? strerror(system) : "SQLite cannot open it");
    case SQLITE_IOERR:
        return error_set(error, ERROR_FAILED, "cannot read or write trace '%s': %s", path,
                         system != 0 ? strerror(system) : sqlite3_errmsg(db));
    default:
        return error_set(error, ERROR_FAILED, "trace '%s': %s", path, sqlite3_errmsg(db));
    }
}

bool file_execute(sqlite3 *db, const char *path, const char *sql, struct error *error)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return file_failure(db, path, error);
    return true;
}

sqlite3_stmt *file_prepare(sqlite3 *db, const char *path, const char *sql, struct error *error)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK)
        return statement;
    if ((sqlite3_errcode(db) & 0xff) == SQLITE_ERROR)
        error_set(error, ERROR_FAILED, "'%s' is not a whole trace: %s", path, sqlite3_errmsg(db));
    else
        file_failure(db, path, error);
    return NULL;
}

bool file_run(sqlite3 *db, const char *path, sqlite3_stmt *statement, struct error *error)
{
    bool done = sqlite3_step(statement) == SQLITE_DONE || file_failure(db, path, error);
    sqlite3_reset(statement);
    return done;
}

/* SQLite gives a meaning of their own to some names (":memory:", ""); a path with a folder in
 * it has none. */
static sqlite3 *open_plain(const char *path, int flags, struct error *error)
{
    sqlite3 *db = NULL;
    char *name;
    if (asprintf(&name, "%s%s", path[0] == '/' ? "" : "./", path) < 0) {
        error_no_memory(error, "the trace");
        return NULL;
    }
    int code = sqlite3_open_v2(name, &db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    free(name);
    if (db == NULL) {
        error_no_memory(error, "the trace");
        return NULL;
    }
    sqlite3_extended_result_codes(db, 1);
    if (code != SQLITE_OK) {
        file_failure(db, path, error);
        sqlite3_close(db);
        return NULL;
    }
    sqlite3_busy_timeout(db, WAIT_FOR_OTHERS_MS);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, LONGEST_VALUE);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return db;
}

static bool is_regular(const char *path, struct error *error)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return error_set(error, ERROR_MISUSED, "cannot open trace '%s': %s", path,
                         strerror(errno));
    if (!S_ISREG(status.st_mode))
        return error_set(error, ERROR_MISUSED, "cannot use '%s' as a trace: it is not a file",
                         path);
    return true;
}

/* One number that a pragma gives. */
static bool pragma(sqlite3 *db, const char *path, const char *sql, int64_t *value,
                   struct error *error)
{
    sqlite3_stmt *statement = file_prepare(db, path, sql, error);
    if (statement == NULL)
        return false;
    bool found = sqlite3_step(statement) == SQLITE_ROW;
    if (found)
        *value = sqlite3_column_int64(statement, 0);
    else
        file_failure(db, path, error);
    sqlite3_finalize(statement);
    return found;
}

enum file_kind file_check(sqlite3 *db, const char *path, struct error *error)
{
    int64_t application, version, objects;
    if (!pragma(db, path, "PRAGMA application_id", &application, error) ||
        !pragma(db, path, "PRAGMA user_version", &version, error) ||
        !pragma(db, path, "SELECT count(*) FROM sqlite_schema", &objects, error))
        return FILE_FOREIGN;
    if (application == 0 && version == 0 && objects == 0)
        return FILE_EMPTY;
    if (application != FILE_APPLICATION || version < 1) {
        error_set(error, ERROR_MISUSED,
                  "'%s' is not a trace: it belongs to another program; name another file", path);
        return FILE_FOREIGN;
    }
    if (version > FILE_VERSION) {
        error_set(error, ERROR_MISUSED,
                  "trace '%s' was written by a newer Volley (its form is %lld, this program knows "
                  "up to %d); use that one, or name another file",
                  path, (long long)version, FILE_VERSION);
        return FILE_FOREIGN;
    }
    if (version < FILE_VERSION) {
        error_set(error, ERROR_MISUSED,
                  "trace '%s' was written by an older Volley (its form is %lld, this program reads "
                  "%d); run the model again, or name another file",
                  path, (long long)version, FILE_VERSION);
        return FILE_FOREIGN;
    }
    return FILE_TRACE;
}

sqlite3 *file_open_read(const char *path, struct error *error)
{
    if (!is_regular(path, error))
        return NULL;
    /* A file whose writer was killed may need its last transaction rolled back, which a
     * connection that cannot write leaves undone. */
    const int flags[] = {SQLITE_OPEN_READONLY, SQLITE_OPEN_READWRITE};
    for (int i = 0; i < 2; i++) {
        struct error failure = {0};
        sqlite3 *db = open_plain(path, flags[i], &failure);
        int code = SQLITE_CANTOPEN;
        if (db != NULL) {
            enum file_kind kind = file_check(db, path, &failure);
            code = sqlite3_errcode(db) & 0xff;
            if (kind == FILE_TRACE)
                return db;
            if (kind == FILE_EMPTY)
                error_set(&failure, ERROR_MISUSED, "'%s' is not a trace: it is empty", path);
            sqlite3_close(db);
        }
        if (i == 1 || (code != SQLITE_READONLY && code != SQLITE_CANTOPEN)) {
            error_set(error, failure.code, "%s", failure.text);
            return NULL;
        }
    }
    return NULL;
}

sqlite3 *file_open_write(const char *path, bool *created, struct error *error)
{
    *created = false;
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file >= 0) {
        *created = true;
        close(file);
    } else if (errno != EEXIST) {
        error_set(error, ERROR_MISUSED, "cannot create trace '%s': %s", path, strerror(errno));
        return NULL;
    } else if (!is_regular(path, error)) {
        return NULL;
    }
    sqlite3 *db = open_plain(path, SQLITE_OPEN_READWRITE, error);
    if (db != NULL && sqlite3_db_readonly(db, "main") != 0) {
        error_set(error, ERROR_MISUSED, "cannot write trace '%s': it is read-only", path);
        sqlite3_close(db);
        db = NULL;
    }
    if (db == NULL && *created)
        file_remove(path);
    return db;
}

void file_remove(const char *path)
{
    static const char *const suffixes[] = {"", "-journal", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char *name;
        if (asprintf(&name, "%s%s", path, suffixes[i]) >= 0) {
            unlink(name);
            free(name);
        }
    }
}

const char *file_program_version(void)
{
    return PACKAGE_VERSION;
}
