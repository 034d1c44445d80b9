/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A comparison: one run projected onto several chips, and onto the dense chips that they are held
 * against. What `volley energy` shows and stores.
 */
#ifndef VOLLEY_COMPARISON_H
#define VOLLEY_COMPARISON_H

#include "traces/energy/estimate.h"

enum { BASELINES = 2 }; /* that chips are held against, at most */

/* One chip of a comparison. */
struct chip_cost {
    struct chip *chip;
    struct estimate *estimate; /* NULL: the run does not fit on it, … */
    struct error failure;      /* … and why */
    const char *changes;       /* of its figures, as given; NULL: none */
    size_t against[BASELINES]; /* chips it is held against; SIZE_MAX: that there is none */
};

struct comparison {
    const struct load *load;
    struct estimate_options options;
    struct chip_cost *chips; /* [count]; those asked for, then the baselines */
    size_t count, asked;
    char *baselines[BASELINES]; /* [baseline_count], as given: "fp16" */
    size_t baseline_count;
};

/* What was asked for. Lists have commas between their entries. */
struct comparison_request {
    const char *chips;     /* names and files */
    const char *baselines; /* names of dense chips, or short names; "none" */
    const char *changes;   /* KEY=VALUE, of all chips that are no baselines; NULL: none */
    struct estimate_options options;
};

/* Projects. False with error: an unknown chip, a wrong change, short memory. A chip that the run
 * does not fit on is no error. The load must outlive it; free it with comparison_free in any case. */
bool comparison_make(struct comparison *comparison, const struct load *load,
                     const struct comparison_request *request, struct error *error);
void comparison_free(struct comparison *comparison);

/* The chip of that name, or that was asked for by that path; NULL if there is none. */
struct chip_cost *comparison_find(const struct comparison *comparison, const char *name);

/* How exact a figure is. */
enum bound { BOUND_NONE, BOUND_LOWER, BOUND_UPPER, BOUND_BOTH };
extern const char *const bound_names[]; /* NULL for BOUND_NONE */
/* Of the joules: power at rest over a time that is a lower bound; updates that were not counted. */
enum bound energy_bound(const struct estimate *estimate);

/* What the chip's joules are: "per-term", "all-in", "incremental", "dense", or, where it has none,
 * "power" or "times". */
const char *chip_scope_text(const struct chip *chip);
/* Whether anything on it costs energy. */
bool chip_has_joules(const struct chip *chip);
/* Of its joules and watts, if all are of one kind; else "mixed". */
const char *chip_evidence_text(const struct chip *chip);

/* Whether it has figures for what makes up a term. */
bool chip_has_term(const struct chip *chip, enum energy_term term);

/* How full the cores in use are, against a limit of the chip. */
enum { CHIP_USES = 5 };
struct chip_use {
    const char *key, *label;
    uint64_t limit;       /* 0: none */
    double mean, largest; /* of the cores */
};
/* Of an estimate that has a placement. */
void chip_uses(const struct estimate *estimate, struct chip_use uses[CHIP_USES]);

/* Sums of all populations, and hops in any direction. */
struct traffic estimate_traffic(const struct estimate *estimate);
double traffic_hops(const struct traffic *traffic);

#endif
