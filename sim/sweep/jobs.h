/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Running this program many times over, several at a time, from a libevent loop: each as a process
 * of its own, with an argument vector and no shell between. SIGINT, SIGTERM and SIGHUP are passed
 * on, and end them properly; a second one ends them at once.
 */
#ifndef VOLLEY_SWEEP_JOBS_H
#define VOLLEY_SWEEP_JOBS_H

#include "scheduler/error.h"

#include <stddef.h>
#include <stdint.h>

/* How a job ended. */
struct job_end {
    bool stopped;       /* by a signal to us: it did not come to its end, and nothing is wrong */
    bool succeeded;     /* its exit code was 0 */
    const char *output; /* what it wrote on standard output */
    const char *reason; /* if it failed: one sentence */
};

struct jobs {
    void *self;
    size_t count;
    int64_t limit; /* at a time */
    bool quiet;    /* no progress on standard error */
    /* The arguments of a job, without the program's name; NULL ends, all from malloc. NULL: short
     * memory. */
    char **(*arguments)(void *self, size_t job);
    /* Called when it has ended. False: no further job is begun, those running are ended. */
    bool (*ended)(void *self, size_t job, const struct job_end *end);
};

/* Runs all jobs, begun in their order. *signal_number: the signal that ended it early, or 0. False
 * with error if jobs cannot be run at all, or `ended` returned false (which fills its own
 * error). */
bool jobs_run(const struct jobs *jobs, int *signal_number, struct error *error);

#endif
