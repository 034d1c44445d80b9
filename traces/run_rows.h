/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rows that describe a run: put into a trace file when the run begins, and
 * completed with counters while it goes on and when it ends. Everything but
 * volleys and tokens. For trace.c and writer.c; each is to be called within a
 * transaction.
 */
#ifndef VOLLEY_RUN_ROWS_H
#define VOLLEY_RUN_ROWS_H

#include "traces/trace.h"

#include <sqlite3.h>

/* Where the rows go. */
struct run_rows {
    sqlite3 *db;
    const char *path; /* for sentences */
    int64_t run;
    const struct network *network;
};

/* Whether it fires spikes, as trains or one by one. */
bool population_is_spiking(const struct population *population);

/* A new run, marked 'running'; sets rows->run. */
bool run_rows_begin(struct run_rows *rows, const struct trace_options *options,
                    const struct run_facts *facts, struct error *error);

/* Where the source neurons of all projections lead. Takes a while for large networks: the writer's
 * first work. */
bool run_rows_reach(const struct run_rows *rows, struct error *error);

/* All counters as one array of numbers, so that they can travel in a record: positions, ticks,
 * then nine of each population, then the synops of each projection. */
size_t counters_length(const struct network *network);
void counters_copy(const struct tally *tally, uint64_t *counters);

bool run_rows_count(const struct run_rows *rows, const uint64_t *counters, struct error *error);
bool run_rows_histogram(const struct run_rows *rows, const struct tally *tally,
                        struct error *error);
/* What each neuron did. */
bool run_rows_neurons(const struct run_rows *rows, const struct tally *tally, struct error *error);
bool run_rows_end(const struct run_rows *rows, const char *status, double wall_seconds,
                  struct error *error);

#endif
