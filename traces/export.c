/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Exporting the spikes of a run as CSV. The target appears only when it is
 * complete: lines go to a file beside it, which takes its name at the end.
 */
#include "traces/file.h"
#include "traces/spikes.h"
#include "traces/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct output {
    const char *name;    /* for sentences */
    const char *target;  /* takes the place of it … */
    char *temporary;     /* … when it is complete; NULL: written directly */
    FILE *file;
};

static bool output_failure(const struct output *output, struct error *error)
{
    return error_set(error, ERROR_FAILED, "cannot write '%s': %s", output->name, strerror(errno));
}

static bool output_open(struct output *output, const char *path, struct error *error)
{
    *output = (struct output){.name = path, .target = path};
    if (strcmp(path, "-") == 0) {
        output->name = "standard output";
        output->file = stdout;
        return true;
    }
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) { /* a pipe, a device */
        output->file = fopen(path, "we");
    } else {
        if (asprintf(&output->temporary, "%s.%ld.part", path, (long)getpid()) < 0) {
            output->temporary = NULL;
            return error_no_memory(error, "the export");
        }
        int file = open(output->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        output->file = file >= 0 ? fdopen(file, "w") : NULL;
    }
    if (output->file == NULL) {
        free(output->temporary);
        output->temporary = NULL;
        return error_set(error, ERROR_MISUSED, "cannot create '%s': %s", path, strerror(errno));
    }
    return true;
}

/* Completes the file (if `good`) or takes it back. */
static bool output_close(struct output *output, bool good, struct error *error)
{
    bool written = fflush(output->file) == 0 && ferror(output->file) == 0;
    if (good && !written)
        good = output_failure(output, error);
    if (output->file != stdout && fclose(output->file) != 0 && good)
        good = output_failure(output, error);
    if (output->temporary != NULL) {
        if (good && rename(output->temporary, output->target) != 0)
            good = output_failure(output, error);
        if (!good)
            unlink(output->temporary);
        free(output->temporary);
    }
    return good;
}

/* A field of CSV: in quotes where it needs them. */
static void put_text(FILE *file, const char *text)
{
    if (strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, file);
        return;
    }
    putc_unlocked('"', file);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            putc_unlocked('"', file);
        putc_unlocked(*text, file);
    }
    putc_unlocked('"', file);
}

static void put_number(FILE *file, int64_t value)
{
    char digits[24], *at = digits + sizeof digits;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do
        *--at = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (value < 0)
        *--at = '-';
    fwrite_unlocked(at, 1, (size_t)(digits + sizeof digits - at), file);
}

enum { ROW_TICK, ROW_TICKS, ROW_ZERO, ROW_SPIKES, ROW_DATA, ROW_NAME, ROW_CODING };

static const char volleys[] =
    "SELECT v.tick, v.ticks, v.zero, v.spikes, v.data, p.name, p.coding FROM volley v "
    "LEFT JOIN population p ON p.run = v.run AND p.id = v.population "
    "WHERE v.run = ?1 ORDER BY v.id";

static bool is_text(sqlite3_stmt *row, int column)
{
    return sqlite3_column_type(row, column) == SQLITE_TEXT;
}

/* One row of the table volley. */
static bool put_volley(sqlite3_stmt *row, struct spikes_reader *reader, FILE *out,
                       uint64_t *written, struct error *error)
{
    for (int column = ROW_TICK; column <= ROW_SPIKES; column++)
        if (sqlite3_column_type(row, column) != SQLITE_INTEGER)
            return error_set(error, ERROR_FAILED, "a volley lacks a number");
    if (!is_text(row, ROW_NAME) ||
        (!is_text(row, ROW_CODING) && sqlite3_column_type(row, ROW_CODING) != SQLITE_NULL))
        return error_set(error, ERROR_FAILED, "a volley's population is not known");
    const char *name = (const char *)sqlite3_column_text(row, ROW_NAME);
    const char *coding = (const char *)sqlite3_column_text(row, ROW_CODING);
    const void *data = sqlite3_column_blob(row, ROW_DATA);
    size_t length = (size_t)sqlite3_column_bytes(row, ROW_DATA);
    if (name == NULL)
        return error_no_memory(error, "the export");
    if (!spikes_open(reader, data, length, coding, sqlite3_column_int64(row, ROW_TICKS),
                     sqlite3_column_int64(row, ROW_ZERO), error))
        return false;
    if (reader->total != (uint64_t)sqlite3_column_int64(row, ROW_SPIKES))
        return error_set(error, ERROR_FAILED, "a volley holds %llu spikes, not %lld as it says",
                         (unsigned long long)reader->total,
                         (long long)sqlite3_column_int64(row, ROW_SPIKES));
    int64_t begin = sqlite3_column_int64(row, ROW_TICK), tick;
    uint32_t step;
    struct spike spike;
    while (!ferror_unlocked(out) && spikes_next(reader, &step, &spike)) {
        if (__builtin_add_overflow(begin, (int64_t)step, &tick))
            return error_set(error, ERROR_FAILED, "a volley's tick is %lld", (long long)begin);
        put_number(out, tick);
        putc_unlocked(',', out);
        put_text(out, name);
        putc_unlocked(',', out);
        put_number(out, spike.neuron);
        putc_unlocked(',', out);
        put_number(out, spike.payload);
        putc_unlocked('\n', out);
        (*written)++;
    }
    return true;
}

/* Finds the run, and whether it holds spikes. */
static bool find_run(sqlite3 *db, const char *path, int64_t *run, struct error *error)
{
    sqlite3_stmt *statement = file_prepare(db, path,
                                           "SELECT id, level FROM run WHERE id = ?1 OR ?1 = 0 "
                                           "ORDER BY id DESC LIMIT 1",
                                           error);
    if (statement == NULL)
        return false;
    sqlite3_bind_int64(statement, 1, *run);
    int code = sqlite3_step(statement);
    bool found = false;
    if (code == SQLITE_DONE && *run == 0) {
        error_set(error, ERROR_FAILED, "trace '%s' holds no run", path);
    } else if (code == SQLITE_DONE) {
        error_set(error, ERROR_MISUSED, "trace '%s' holds no run %lld", path, (long long)*run);
    } else if (code != SQLITE_ROW) {
        file_failure(db, path, error);
    } else {
        const char *level = (const char *)sqlite3_column_text(statement, 1);
        *run = sqlite3_column_int64(statement, 0);
        found = level != NULL && strcmp(level, "spike") == 0;
        if (!found)
            error_set(error, ERROR_MISUSED,
                      "run %lld of trace '%s' holds no spikes: it was traced at level '%.20s'; run "
                      "it again at level 'spike'",
                      (long long)*run, path, level != NULL ? level : "");
    }
    sqlite3_finalize(statement);
    return found;
}

static bool put_volleys(sqlite3 *db, const char *path, int64_t run, struct output *output,
                        uint64_t *written, struct error *error)
{
    sqlite3_stmt *statement = file_prepare(db, path, volleys, error);
    if (statement == NULL)
        return false;
    struct spikes_reader reader = {0};
    struct error failure = {0};
    sqlite3_bind_int64(statement, 1, run);
    fputs("tick,population,neuron,payload\n", output->file);
    int code;
    bool good = true;
    while (good && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        good = put_volley(statement, &reader, output->file, written, &failure);
        if (!good)
            error_set(error, failure.code, "trace '%s' is damaged: %s", path, failure.text);
        else if (ferror(output->file))
            good = output_failure(output, error);
    }
    if (good && code != SQLITE_DONE)
        good = file_failure(db, path, error);
    spikes_close(&reader);
    sqlite3_finalize(statement);
    return good;
}

static bool is_same_file(const char *path, const char *out)
{
    struct stat a, b;
    return stat(path, &a) == 0 && stat(out, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

bool export_spikes(const char *path, int64_t run, const char *out, uint64_t *written,
                   struct error *error)
{
    struct output output;
    *written = 0;
    if (is_same_file(path, out))
        return error_set(error, ERROR_MISUSED, "'%s' is the trace itself; name another file", out);
    sqlite3 *db = file_open_read(path, error);
    bool good = db != NULL && find_run(db, path, &run, error) && output_open(&output, out, error);
    if (good)
        good = output_close(&output, put_volleys(db, path, run, &output, written, error), error);
    sqlite3_close(db);
    return good;
}
