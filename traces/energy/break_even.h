/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Break-even: how often neurons may spike before a spiking network on its chip costs more than one
 * dense pass of the same weights on another, data movement included.
 *
 * From two estimates of one run, that of the spiking chip as a function of a factor f on how often
 * every channel fires:
 *
 *     E(f) = fixed + c s(f) + m t(f) + sum over memories by target of r A(f) / A(1)    = E_dense
 *
 *   fixed   neurons and power at rest: as in the run (the time it took, too);
 *   m       memory by source: proportional to firings. A channel fires at most once a vector:
 *               t(f) = sum over n of min(1, f p(n)) / sum over n of p(n),
 *           p(n) being the measured share of vectors in which channel n fired;
 *   c       synops, firing, messages, hops, links, control (or the one figure of an all-in chip):
 *           proportional to spikes. s(f) = f where a firing may be several spikes; s(f) = t(f)
 *           where each is one (a spiking network whose payloads are ±1) or the chip's spikes carry
 *           their payload;
 *   r, A    joules of memory by target as measured, and the expected number of its blocks with a
 *           spike in them if channels fired independently of each other,
 *               A(f) = sum over blocks b of (1 - product over n in b of (1 - min(1, f p(n)))).
 *           Channels do not fire independently; `blocks` says how many blocks the estimate had for
 *           each one expected. The curve is scaled by that, so that E(1) is the estimate itself,
 *           but never beyond all blocks in every vector.
 *
 * The root is found by Brent's method. Break-even of a population weighs all that its row has
 * (its neurons, its spikes, the projections that leave it) against the dense pass of the weights
 * that leave it; the total has one f for all populations and the chip's power at rest besides.
 *
 * For comparison: Yan, Bai, Tang, Wong, Reconsidering the energy efficiency of spiking neural
 * networks (arXiv:2409.08290), give about 6 % as the mean spike rate per tick below which a spiking
 * network beats its quantised equivalent once data movement counts (6.4 % for 5 to 10 ticks in
 * version 2, 5.7 % for 5 ticks in version 4).
 */
#ifndef VOLLEY_BREAK_EVEN_H
#define VOLLEY_BREAK_EVEN_H

#include "traces/energy/estimate.h"

enum break_even_verdict {
    BREAK_EVEN_AT,      /* at `rate` */
    BREAK_EVEN_NEVER,   /* dearer even without a spike: rate 0 */
    BREAK_EVEN_ALWAYS,  /* cheaper even when all channels that ever fired fire all the time: rate
                           INFINITY */
    BREAK_EVEN_UNKNOWN, /* it never fired, so what a spike costs was not measured: rate NAN */
    BREAK_EVEN_NONE     /* no dense weights to compare with: rate NAN */
};

/* Measured, and at break-even, in three measures. */
struct break_even_rate {
    double vector;    /* spikes per channel and vector (clocked: per neuron and tick) */
    double inference; /* spikes per neuron and token, inference or run */
    double slot;      /* spikes per slot: part of ticks with a spike (a coding's virtual ticks as
                         many as in the run), 0.06 for 6 % */
};

struct break_even_point {
    enum break_even_verdict verdict;
    struct break_even_rate rate;
    double margin; /* rate / measured: above 1, the run was below break-even; 0, INFINITY, NAN */
};

struct break_even_row {
    uint32_t population; /* of the load; UINT32_MAX: the total */
    enum break_even_verdict verdict;
    double spiking, dense; /* joules per token, inference or run, as measured */
    double fixed;          /* … of spiking, without a spike */
    struct break_even_rate measured, rate;
    double margin; /* rate / measured: above 1, the run was below break-even; 0, INFINITY, NAN */
    struct break_even_point moving; /* the same of E(f) - fixed: what spikes themselves cause, as
                                       studies of break-even have it that leave out leakage */
    double blocks; /* fetches of memory by target, measured / expected; NAN: there were none */
};

struct break_even {
    struct break_even_row *rows; /* [row_count], of populations that have neurons, spikes or weights
                                    in either estimate; in order of populations */
    uint32_t row_count;
    struct break_even_row total; /* rates: means over populations that dense weights leave */
};

/* NULL with error: estimates of two runs, chips the wrong way round, short memory. */
struct break_even *break_even_new(const struct estimate *spiking, const struct estimate *dense,
                                  struct error *error);
void break_even_free(struct break_even *break_even);

#endif
