/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The trace: one SQLite file per experiment, any number of runs in it.
 *
 * An observer copies what fired into a buffer; when a wave is done its rows
 * are handed, in order of position and population, to a writer thread that
 * inserts them in batches and commits at least once a second. The simulator
 * waits only when the buffer is full, and then it waits rather than drop. A
 * killed run leaves a valid file up to its last commit, its run marked
 * 'running'. The tables are described in schema.sql.
 */
#ifndef VOLLEY_TRACE_H
#define VOLLEY_TRACE_H

#include "neurons/blueprint.h"
#include "traces/tally.h"

enum trace_level {
    TRACE_SUMMARY, /* counters only */
    TRACE_VOLLEY,  /* and one row per train: when, who, how many spikes */
    TRACE_SPIKE    /* and every spike */
};

struct trace_options {
    enum trace_level level;
    const char *populations; /* glob on population names (fnmatch); NULL for all */
    int64_t first, last;     /* positions (samples of a clocked network) first <= p < last … */
    bool by_tick;            /* … or, of a clocked network, ticks of each sample */
};

/* What the trace says about the run itself. Strings may be NULL. */
struct run_facts {
    const char *command;
    const char *model;        /* path as given */
    const char *model_digest;
    const char *coding;       /* NULL: not spiking */
    const char *down_proj;    /* "paper", "repo"; NULL if it does not apply */
    double k;
    uint32_t window;          /* 0 if it does not apply */
    uint64_t seed;
    uint64_t dense_macs;      /* multiply-accumulates of one position, all dense weights */
    bool sampled;             /* positions are samples or tokens, not one run in time */
    uint32_t stride;          /* ticks in a time step of the model; 0 or 1: they are the same */
    const struct blueprint_placement *placements; /* where neurons are wanted, [placement_count] */
    uint32_t placement_count;
};

struct trace;

/* Opens or creates the file, checks its application_id and version (refusing
 * other programs' files and newer versions), and begins a run. The network is
 * sealed and outlives the trace. When it fails, no file has been created and
 * an existing one is as it was. */
struct trace *trace_open(const char *path, const struct trace_options *options,
                         const struct run_facts *facts, const struct network *network,
                         struct error *error);

struct observer trace_observer(struct trace *trace);

/* From now on writes the counters of `tally` (but not its histogram) about once a second, so that
 * a killed run leaves them, too. The tally's observer must come before the trace's. */
void trace_watch(struct trace *trace, const struct tally *tally);

/* Writes the counters of `tally` (unless NULL), marks the run `status` ('done', 'interrupted',
 * 'failed'), commits, leaves one file that stands alone, and frees the trace. What a wave that was
 * cut off fired is left out, as the tally leaves it out. Returns false with the first error of the
 * writer, if there was one. */
bool trace_close(struct trace *trace, const struct tally *tally, const char *status,
                 double wall_seconds, struct error *error);

/* The run's id in the file. */
int64_t trace_run(const struct trace *trace);

/* ---- reading ---- */

/* One line of the screen of figures: a spiking population. */
struct report_row {
    char *name;
    int32_t layer;
    uint32_t neurons;
    struct population_tally tally;
};
/* One line per projection. */
struct report_projection {
    char *name;
    uint32_t source; /* index in rows; UINT32_MAX when its source does not spike */
    bool spiking;    /* it carries spikes */
    uint64_t synapses, weight_count;
    uint64_t synops;
};
/* All that the screen, the energy table and --json need. From a run that has
 * just ended or from a file: the same figures either way. Control characters
 * in texts have become '?'. Texts may be NULL, except names and status. */
struct report {
    char *trace; /* path of the file; NULL: from counters */
    int64_t run;
    char *model, *status, *coding, *down_proj, *command, *version, *model_digest;
    double k;
    uint32_t window;
    uint64_t positions, ticks;
    double tick_seconds; /* 0: ticks are virtual */
    double wall_seconds;
    uint32_t row_count, projection_count;
    struct report_row *rows;
    struct report_projection *projections;
};

/* NULL on failure. The run of report_from_tally is 0. */
struct report *report_from_tally(const struct tally *tally, const struct run_facts *facts,
                                 const char *status, double wall_seconds, struct error *error);
/* `run` 0 is the newest. */
struct report *report_from_file(const char *path, int64_t run, struct error *error);
void report_free(struct report *report);

/* Writes tick,population,neuron,payload of every spike of a run (0: newest) as CSV
 * to `out` (a path; "-" is standard output), one line per spike of the coding, volley by
 * volley as the trace holds them. A file appears only when it is complete. */
bool export_spikes(const char *path, int64_t run, const char *out, uint64_t *written,
                   struct error *error);

/* Registers on a connection the table-valued function
 *     volley_spikes(data, coding, ticks, zero) -> step, neuron, payload
 * of one row per spike: at virtual tick `step` of a volley. `coding` NULL (a plain volley): all
 * at step 0. */
struct sqlite3;
int spikes_table_register(struct sqlite3 *db);
/* … and volley_numbers(data) -> neuron, number: a list of counts, one for each neuron. */
int numbers_table_register(struct sqlite3 *db);

#endif
