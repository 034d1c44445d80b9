/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writes down how a run goes on: a CSV file with the tokens fed so far, the seconds since the first
 * was fed, and the resident memory at that moment. A line comes with the first wave of tokens that
 * reaches a number of two significant digits (1, 2, … 99, 100, 110, … 990, 1000, 1100, …), so that
 * a run of any length has some 90 lines a decade, and differences of neighbouring lines are the
 * cost of a token at that length. It only looks: the run does not depend on it. Used by one thread.
 */
#ifndef VOLLEY_TIMING_H
#define VOLLEY_TIMING_H

#include "scheduler/error.h"

#include <stdint.h>

struct timing;

/* Creates the file with its heading; NULL with error. */
struct timing *timing_open(const char *path, struct error *error);
/* The clock starts: the line of 0 tokens. */
void timing_start(struct timing *timing);
/* `tokens` have been fed. `always`: a line at any number, as at the end of the prompt and of the
 * run, unless the last line stands there. */
void timing_note(struct timing *timing, uint64_t tokens, bool always);
/* Returns false with error (which may be NULL) if a line could not be written. Frees in either
 * case; NULL is allowed. */
bool timing_close(struct timing *timing, struct error *error);

#endif
