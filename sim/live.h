/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The main thread while a simulation runs on another: a libevent loop that
 * passes text on to standard output, shows progress on standard error, and turns
 * SIGINT and SIGTERM into a clean end.
 */
#ifndef VOLLEY_LIVE_H
#define VOLLEY_LIVE_H

#include "scheduler/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct live_options {
    bool show_text;   /* pass text on to standard output */
    char **collected; /* if not NULL: receives all text instead, from malloc */
    bool quiet;       /* no progress */
};

/* What runs. */
struct live_task {
    void *self;
    bool (*run)(void *self); /* on a thread of its own; whether it did what it should */
    /* One line of progress, from the main thread: may look at atomics only. */
    void (*describe)(void *self, char *line, size_t room);
    bool (*speaks)(void *self); /* whether text has begun to come; NULL: there is none */
    atomic_int *stop;        /* set to a signal's number: end soon */
    const char *stopping;    /* what is finished before it ends: "this token" */
    struct error *error;     /* why it did not do what it should */
};

/* Runs the task to its end. Returns whether it did what it should (task->error says why not);
 * *signal_number is the signal that ended it early, or 0. */
bool live_run(const struct live_task *task, const struct live_options *options,
              int *signal_number);

/* Text that the running task puts out, from its own thread. */
void live_show(const char *bytes, size_t length);

/* Seconds on a clock that never steps. */
double seconds_now(void);

#endif
