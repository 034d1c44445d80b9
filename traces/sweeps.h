/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sweeps in the trace: one model run at many points, as rows of the tables sweep, sweep_point and
 * sweep_energy (schema.sql describes them). The runs themselves are written into the same file by
 * other processes at the same time; nothing here holds the file's lock for longer than its own
 * few rows take.
 */
#ifndef VOLLEY_SWEEPS_H
#define VOLLEY_SWEEPS_H

#include "scheduler/error.h"

#include <stddef.h>
#include <stdint.h>

/* The figures of a point, in the order of the columns of sweep_point. */
enum sweep_figure {
    FIGURE_BITS_PER_CHARACTER,
    FIGURE_BITS_PER_TOKEN,
    FIGURE_ACCURACY,
    FIGURE_SPIKES, /* per token or sample, as the next two */
    FIGURE_SYNOPS,
    FIGURE_TICKS,
    FIGURE_MEAN_SPIKES, /* per channel */
    FIGURE_SILENT_FRACTION,
    FIGURE_SLOT_SPARSITY_3,
    FIGURE_SLOT_SPARSITY,
    FIGURE_REPORT_SPARSITY,
    FIGURE_SMALL_COUNTS, /* share of channels whose count is -7 … 7 */
    SWEEP_FIGURES
};
extern const char *const sweep_figure_names[]; /* [SWEEP_FIGURES]: the columns */

/* What a point would cost on a chip. */
struct swept_cost {
    char *chip;
    double joules, seconds;                  /* per token or sample; NAN: not known */
    const char *joules_bound, *seconds_bound; /* "lower", "upper", "both"; NULL: exact */
    char *message;                           /* why the run does not fit; NULL: it does */
};

struct swept_point {
    const char *options; /* JSON */
    enum { POINT_WAITING, POINT_DONE, POINT_FAILED } status;
    char *message; /* why it failed */
    int64_t id;    /* sweep_point.id */
    int64_t run;   /* run.id; 0: none */
    uint64_t units; /* tokens or samples */
    double figure[SWEEP_FIGURES]; /* NAN: there is no such figure */
    double wall_seconds;
    struct swept_cost *costs; /* [cost_count], in the order of chips */
    size_t cost_count;
    bool front;
};
extern const char *const point_status_names[];

/* Makes it a waiting point without figures. */
void swept_point_begin(struct swept_point *point, const char *options);
/* Releases its message and costs. */
void swept_point_clear(struct swept_point *point);

/* What is swept. */
struct swept_model {
    const char *command, *model, *data, *kind, *digest, *axes, *settings, *unit;
};

struct sweeps;

/* Opens or creates the trace. NULL with error, a file that is there as it was. */
struct sweeps *sweeps_open(const char *path, struct error *error);

/* Finds the sweep that has the same model, data, axes and settings, or begins a new one. Points
 * [count] that have been done before, in any sweep of the file with the same digest, by the same
 * version of the program, get their figures (but no costs); the rest wait. */
bool sweeps_begin(struct sweeps *sweeps, const struct swept_model *model,
                  struct swept_point *points, size_t count, struct error *error);

/* The newest run of the file with this command line that is done, into point->run, and what was
 * counted in it into the point's figures; a point that has a run already reads that one. False
 * with error, also when there is none. */
bool sweeps_read_run(struct sweeps *sweeps, const char *command, struct swept_point *point,
                     struct error *error);

/* Writes the point and its costs in place of what there was of it. */
bool sweeps_put(struct sweeps *sweeps, const struct swept_point *point, struct error *error);

/* Writes which points [count] are on the front. */
bool sweeps_put_front(struct sweeps *sweeps, const struct swept_point *points, size_t count,
                      struct error *error);

/* Leaves one file that stands alone, unless somebody else has it open. Takes NULL. */
void sweeps_close(struct sweeps *sweeps);

/* Removes a trace that is not to be kept. */
void sweeps_remove(const char *path);

#endif
