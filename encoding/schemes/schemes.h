/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The schemes, one file each (those of one family share one); for scheme.c, which lists them. */
#ifndef VOLLEY_SCHEMES_H
#define VOLLEY_SCHEMES_H

#include "encoding/scheme.h"
#include "scheduler/random.h"

/* The stream that a scheme draws its chance from; scheme_check has seen to the owner. */
static inline struct random_stream scheme_stream(const struct scheme_settings *settings)
{
    return random_stream_of(settings->seed, RANDOM_ENCODING, settings->owner);
}

/* The upper part of the counter of block `block` (four words) of sample `start`; the lower part is
 * (uint32_t)block. */
static inline uint64_t scheme_counter(uint64_t start, uint64_t block)
{
    return start << 32 | block >> 32;
}

/* x [length]: how many spikes each value has, in a scheme of `ticks` ticks a value. */
void scheme_count(const struct timed_spike *spikes, size_t count, uint32_t ticks, size_t length,
                  double *x);

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
