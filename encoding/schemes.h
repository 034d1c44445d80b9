/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The schemes, one file each (those of one family share one); for scheme.c, which lists them. */
#ifndef VOLLEY_SCHEMES_H
#define VOLLEY_SCHEMES_H

#include "encoding/scheme.h"

/* rates */
extern const struct scheme scheme_rate;      /* Bernoulli */
extern const struct scheme scheme_intervals; /* Poisson by exponential intervals */
extern const struct scheme scheme_regular;   /* phase accumulator */
/* times */
extern const struct scheme scheme_latency;
extern const struct scheme scheme_log_latency;
extern const struct scheme scheme_rank_order;
/* patterns */
extern const struct scheme scheme_phase;
extern const struct scheme scheme_burst;
extern const struct scheme scheme_population;
extern const struct scheme scheme_radix;
/* counts: the codings of coding.h on round(x · levels) */
extern const struct scheme scheme_binary;
extern const struct scheme scheme_ternary;
extern const struct scheme scheme_bitwise;
extern const struct scheme scheme_unsigned;
extern const struct scheme scheme_twos_complement;
/* changes */
extern const struct scheme scheme_threshold;    /* threshold-based representation */
extern const struct scheme scheme_step_forward;
extern const struct scheme scheme_moving_window;
extern const struct scheme scheme_send_on_delta;
extern const struct scheme scheme_sigma_delta;
/* filters */
extern const struct scheme scheme_bsa;
extern const struct scheme scheme_hsa;
/* no spikes */
extern const struct scheme scheme_constant;

#endif
