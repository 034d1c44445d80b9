/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A waterfall: how an ideal figure for spikes becomes an estimate. It starts from the formula of
 * the SpikingBrain report (arXiv:2509.05276),
 *
 *     mean spikes per channel x weights x one 8-bit addition
 *
 * and adds, one by one, what that leaves out: the accumulator, block fetches of weights, neurons,
 * routing, control, leakage. Each row is the sum so far of the terms of one estimate of an
 * event-driven chip, and the last row is that estimate's total to the last bit. Every row is
 * compared with dense baselines that have the same memory: without any until weights are fetched,
 * with all their fetches from there on.
 */
#ifndef VOLLEY_WATERFALL_H
#define VOLLEY_WATERFALL_H

#include "traces/energy/estimate.h"

struct waterfall_row {
    const char *label; /* "routing" */
    char *added;       /* what this step adds, and the chip's figures for it; owned */
    double joules;     /* per token, inference or run: this step and all before */
    double step;       /* … joules less those of the row before */
    bool fetches;      /* weights are fetched: so they are in the baselines */
    double fp16, int8; /* joules / dense - 1: -0.977; NAN without such a baseline */
};

/* Per token, inference or run. */
struct waterfall_dense {
    const char *chip;  /* its name, not owned; NULL: no such baseline */
    double arithmetic; /* multiplying and adding */
    double memory;     /* fetching all weights */
};

struct waterfall {
    struct waterfall_row *rows; /* [row_count] */
    uint32_t row_count;
    struct waterfall_dense fp16, int8;
    char **missing; /* [missing_count] sentences: steps that the chip has no figures for, and what
                       the comparison leaves out; beside the estimate's own */
    uint32_t missing_count;
};

/* From estimates of one load: of an event-driven chip; of one with the report's addition as its
 * synop and nothing else (NULL: no rows for the formula); and of dense chips (NULL: without). They
 * must outlive the waterfall. NULL with error: another load, a chip without terms of its own
 * (all-in, dense), short memory. */
struct waterfall *waterfall_new(const struct estimate *estimate, const struct estimate *ideal,
                                const struct estimate *fp16, const struct estimate *int8,
                                struct error *error);
void waterfall_free(struct waterfall *waterfall);

#endif
