/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The pictures of `volley plot`, each in a file of its own. A picture reads what it needs from the
 * trace, whose content may be hostile, checks it, and then draws on the page.
 *
 * A new picture is one file and one line in the table in plot.c.
 */
#ifndef VOLLEY_PLOT_H
#define VOLLEY_PLOT_H

#include "scheduler/error.h"
#include "sim/plot/page.h"
#include "traces/reading.h"

#include <stdint.h>

/* What was asked for. Texts are NULL where nothing was. */
struct picture_request {
    const char *path;
    int64_t run;            /* run or signal; 0: the newest */
    const char *population; /* glob */
    const char *chip;
    const char *scheme;     /* names, commas between */
    int64_t channel;        /* -1: the first */
    int64_t first_tick, last_tick;         /* first … last - 1 */
    int64_t first_position, last_position; /* the same */
    bool ticks_asked, positions_asked;
};

struct picture {
    const char *name;
    const char *summary;
    const char *takes; /* options that it takes, each with a blank before and after it */
    /* Reads, checks, page_begin … page_end. */
    bool (*draw)(const struct picture_request *request, struct page *page, struct error *error);
};

extern const struct picture picture_raster, picture_histogram, picture_layers, picture_energy,
    picture_reconstruction, picture_pareto;

/* What the pictures of runs read first. */
struct picture_run {
    int64_t id;
    char *level;
    double tick_seconds; /* 0: ticks are virtual */
    bool sampled;
    bool whole;          /* the trace was not limited to some positions or ticks */
};
/* False with error where there is no such run. picture_run_close also after a failure. */
bool picture_run_read(struct reading *reading, int64_t run, struct picture_run *result);
void picture_run_close(struct picture_run *run);

/* Opens the trace for a picture, all of it as of one moment. False with error; picture_close also
 * after a failure. */
bool picture_open(struct reading *reading, const char *path, struct error *error);
void picture_close(struct reading *reading);

/* What the picture pareto draws, of encodings or of a sweep: what each is worth against what it
 * costs. */
struct pareto_point {
    char *label;
    double cost;    /* above 0; less is better */
    double quality; /* INFINITY: exact */
    bool front;
    double x, y;    /* mm on the page */
};
struct pareto {
    struct pareto_point *points; /* [count] */
    uint32_t count;
    bool less_is_better;         /* of the quality */
    double margin;               /* the least there is above and below the points */
    double floor, ceiling;       /* of the quality */
    char cost_name[96], quality_name[96]; /* on the axes */
    const char *front_name;      /* in the legend */
    const char *left_out_name;   /* why points are left out */
    uint32_t left_out;
};
/* Reads a sweep, 0: the newest, and its energy on a chip, NULL: the first, into an empty one; its
 * points belong to the caller also after a failure. */
bool pareto_read_sweep(struct reading *reading, int64_t sweep, const char *chip,
                       struct pareto *pareto);

/* Whether the name is wanted by a glob; NULL: every name. */
bool picture_wants(const char *glob, const char *name);
/* Whether a list with commas names it; NULL: yes. */
bool picture_lists(const char *list, const char *name);

#endif
