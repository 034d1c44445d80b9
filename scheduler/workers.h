/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A fixed team of threads that runs one function over parts 0 … parts-1.
 *
 * Part p always does the same work on the same targets, whichever thread runs
 * it and however many threads there are, so results do not depend on the
 * number of threads. The calling thread works too: a team of one has no
 * other thread.
 */
#ifndef VOLLEY_WORKERS_H
#define VOLLEY_WORKERS_H

#include "scheduler/error.h"

#include <stdint.h>

struct workers;

/* Does part `part` of `parts`. */
typedef void workers_function(void *argument, uint32_t part, uint32_t parts);

/* A team of `threads` threads (1 or more), the caller among them. NULL when
 * threads cannot be started; error says why. */
struct workers *workers_new(uint32_t threads, struct error *error);
void workers_free(struct workers *workers);
uint32_t workers_count(const struct workers *workers);

/* Runs function(argument, p, parts) for every p and returns when all are
 * done. Not to be called from within a function that a team runs. */
void workers_run(struct workers *workers, workers_function *function, void *argument,
                 uint32_t parts);

/* Part `part` of `parts` of a range of `length`: from *begin up to *end. */
static inline void workers_slice(uint32_t length, uint32_t part, uint32_t parts, uint32_t *begin,
                                 uint32_t *end)
{
    *begin = (uint32_t)((uint64_t)length * part / parts);
    *end = (uint32_t)((uint64_t)length * (part + 1) / parts);
}

#endif
