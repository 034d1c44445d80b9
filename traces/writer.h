/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The thread that inserts records from a ring into a trace file, in batches.
 * For trace.c.
 */
#ifndef VOLLEY_WRITER_H
#define VOLLEY_WRITER_H

#include "traces/ring.h"
#include "traces/run_rows.h"

enum record_kind {
    RECORD_VOLLEY,
    RECORD_TOKEN,
    RECORD_COUNTERS /* as counters_copy lays them out */
};

/* A record of the ring; what `kind` says follows it. */
struct record {
    enum record_kind kind;
    uint32_t population; /* volley */
    int64_t tick;        /* volley, token */
    int64_t position;    /* token, volley */
    int64_t ticks;       /* volley, token */
    int32_t zero;        /* volley */
    uint32_t data_length; /* volley: bytes that follow; 0: none */
    uint64_t spikes;     /* volley */
};

struct writer;

/* Starts the thread. The connection in `rows` is the thread's until writer_stop returns. */
struct writer *writer_start(const struct run_rows *rows, struct ring *ring, struct error *error);

/* What went wrong, once the ring is broken; returns false. */
bool writer_failure(struct writer *writer, struct error *error);

/* Finishes the ring, waits for the thread and frees the writer. False with the first failure. */
bool writer_stop(struct writer *writer, struct error *error);

#endif
