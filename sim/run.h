/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `volley run` of a language model and of a spiking network share. */
#ifndef VOLLEY_RUN_H
#define VOLLEY_RUN_H

#include "sim/options.h"
#include "sim/reference.h"
#include "traces/trace.h"

/* The two ways of running, each with options of its own. argv[0] is "run". Return the exit code;
 * with --help they print their options only. */
int run_language(int argc, char **argv);
int run_network(int argc, char **argv);

/* --trace-level. */
bool run_trace_level(const char *name, enum trace_level *level, struct error *error);
/* A:B, from A up to but not including B, either of which may be left out; NULL for everything.
 * `option` is named in the error. */
bool run_range(const char *option, const char *text, int64_t *first, int64_t *last,
               struct error *error);
/* The report of a run that has just ended, and what it costs on the reference chips. NULL with
 * error. */
struct report *run_report(const struct tally *tally, const struct run_facts *facts,
                          const char *status, double seconds, const char *trace,
                          struct references *references, struct error *error);
/* The command line as one text, from malloc; NULL when memory is short. */
char *run_command_line(int argc, char **argv);
/* The most memory that the process has held, in bytes. */
uint64_t run_memory(void);

#endif
