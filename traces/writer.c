/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The writer thread. It holds the file's write lock only while it empties the
 * ring, so that several runs can write one file at a time.
 *
 * Invariant: `failure` is written before the ring is broken and not after, so
 * whoever saw the ring broken may read it.
 */
#include "traces/writer.h"

#include "traces/file.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

enum {
    GATHER_MS = 200,      /* that a batch gathers before it is written */
    TRANSACTION_MS = 250, /* that a transaction may take before it is committed */
    PAUSE_MS = 2,         /* between transactions, for others who want the lock */
    PATIENCE_MS = 30000   /* for others who hold it */
};

struct writer {
    pthread_t thread;
    const struct run_rows *rows;
    struct ring *ring;
    sqlite3_stmt *volley, *token;
    struct error failure;
};

static int64_t milliseconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(long milliseconds)
{
    struct timespec pause = {.tv_nsec = milliseconds * 1000000};
    nanosleep(&pause, NULL);
}

/* SQLite asks this while another program holds the lock. */
static int wait_for_others(void *unused, int times)
{
    (void)unused;
    pause_ms(1);
    return times < PATIENCE_MS;
}

static bool write_volley(struct writer *writer, const struct record *record)
{
    sqlite3_stmt *statement = writer->volley;
    sqlite3_bind_int64(statement, 1, writer->rows->run);
    sqlite3_bind_int64(statement, 2, record->tick);
    sqlite3_bind_int64(statement, 3, record->population);
    sqlite3_bind_int64(statement, 4, record->position);
    sqlite3_bind_int64(statement, 5, record->ticks);
    sqlite3_bind_int64(statement, 6, record->zero);
    sqlite3_bind_int64(statement, 7, record->spikes > INT64_MAX ? INT64_MAX
                                                                : (sqlite3_int64)record->spikes);
    if (record->data_length == 0)
        sqlite3_bind_null(statement, 8);
    else
        sqlite3_bind_blob(statement, 8, record + 1, (int)record->data_length, SQLITE_STATIC);
    return file_run(writer->rows->db, writer->rows->path, statement, &writer->failure);
}

static bool write_token(struct writer *writer, const struct record *record)
{
    sqlite3_stmt *statement = writer->token;
    sqlite3_bind_int64(statement, 1, writer->rows->run);
    sqlite3_bind_int64(statement, 2, record->position);
    sqlite3_bind_int64(statement, 3, record->tick);
    sqlite3_bind_int64(statement, 4, record->ticks);
    return file_run(writer->rows->db, writer->rows->path, statement, &writer->failure);
}

static bool write_record(struct writer *writer, const struct record *record)
{
    switch (record->kind) {
    case RECORD_VOLLEY:
        return write_volley(writer, record);
    case RECORD_TOKEN:
        return write_token(writer, record);
    default:
        return run_rows_count(writer->rows, (const uint64_t *)(record + 1), &writer->failure);
    }
}

/* One transaction: what is in the ring now, as far as time allows. */
static bool write_batch(struct writer *writer)
{
    if (!file_execute(writer->rows->db, writer->rows->path, "BEGIN IMMEDIATE", &writer->failure))
        return false;
    int64_t until = milliseconds_now() + TRANSACTION_MS;
    const struct record *record;
    size_t length;
    while ((record = ring_first(writer->ring, &length)) != NULL) {
        if (!write_record(writer, record))
            return false;
        ring_drop(writer->ring);
        if (milliseconds_now() >= until)
            break;
    }
    return file_execute(writer->rows->db, writer->rows->path, "COMMIT", &writer->failure);
}

static bool write_reach(struct writer *writer)
{
    const struct run_rows *rows = writer->rows;
    return file_execute(rows->db, rows->path, "BEGIN IMMEDIATE", &writer->failure) &&
           run_rows_reach(rows, &writer->failure) &&
           file_execute(rows->db, rows->path, "COMMIT", &writer->failure);
}

static void *write_all(void *argument)
{
    struct writer *writer = argument;
    if (!write_reach(writer)) {
        sqlite3_exec(writer->rows->db, "ROLLBACK", NULL, NULL, NULL);
        ring_break(writer->ring);
        return NULL;
    }
    while (ring_wait(writer->ring, GATHER_MS)) {
        if (!write_batch(writer)) {
            sqlite3_exec(writer->rows->db, "ROLLBACK", NULL, NULL, NULL);
            ring_break(writer->ring);
            return NULL;
        }
        pause_ms(PAUSE_MS);
    }
    return NULL;
}

static bool prepare(struct writer *writer, struct error *error)
{
    writer->volley = file_prepare(writer->rows->db, writer->rows->path,
                                  "INSERT INTO volley (run, tick, population, position, ticks, "
                                  "zero, spikes, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                                  error);
    writer->token = file_prepare(writer->rows->db, writer->rows->path,
                                 "INSERT INTO token (run, position, tick, ticks) "
                                 "VALUES (?1, ?2, ?3, ?4)",
                                 error);
    return writer->volley != NULL && writer->token != NULL;
}

static void writer_free(struct writer *writer)
{
    sqlite3_finalize(writer->volley);
    sqlite3_finalize(writer->token);
    free(writer);
}

struct writer *writer_start(const struct run_rows *rows, struct ring *ring, struct error *error)
{
    struct writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL) {
        error_no_memory(error, "the trace");
        return NULL;
    }
    writer->rows = rows;
    writer->ring = ring;
    if (!prepare(writer, error)) {
        writer_free(writer);
        return NULL;
    }
    sqlite3_busy_handler(rows->db, wait_for_others, NULL);
    /* Signals are for the program's own threads. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&writer->thread, NULL, write_all, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        error_set(error, ERROR_FAILED, "cannot start the thread that writes trace '%s'",
                  rows->path);
        writer_free(writer);
        return NULL;
    }
    return writer;
}

bool writer_failure(struct writer *writer, struct error *error)
{
    return error_set(error, writer->failure.code, "%s", writer->failure.text);
}

bool writer_stop(struct writer *writer, struct error *error)
{
    ring_finish(writer->ring);
    pthread_join(writer->thread, NULL);
    bool good = writer->failure.code == ERROR_NONE || writer_failure(writer, error);
    writer_free(writer);
    return good;
}
