/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The first energy table: what a run's spikes would cost in 45 nm digital
 * logic, from the counters of its report alone.
 *
 * Scope: the weights that spikes reach, that is, spike-carrying projections
 * with weights of their own. A spike adds one weight to each of its targets;
 * the dense lines multiply and add every weight once per token. Projections
 * that stay dense (the head; down_proj in "repo" mode) cost the same in every
 * case and are in no line; they are stated apart, as `rest`. Nothing here
 * counts routing, control, neurons, encoding or leakage: a chip profile does.
 *
 * Memory: every token fetches its weights anew, one byte each for spikes and
 * INT8, two for FP16. Weights of consecutive inputs of one target lie side by
 * side, so a fetch brings a block of them, and it is saved only when every
 * channel in the block is silent.
 */
#ifndef VOLLEY_ENERGY_H
#define VOLLEY_ENERGY_H

#include "traces/trace.h"

struct energy_coefficient {
    const char *name;
    double value;
    const char *unit;
    const char *evidence; /* silicon, pre-silicon, circuit or datasheet */
    const char *source;
};

enum energy_cost {
    ENERGY_ADD_INT8,
    ENERGY_ADD_INT32,
    ENERGY_MAC_FP16,
    ENERGY_MAC_INT8,
    ENERGY_SRAM_READ,      /* of 64 bits */
    ENERGY_DRAM_READ_LOW,  /* of 64 bits, low end of the range */
    ENERGY_DRAM_READ_HIGH, /* of 64 bits, high end */
    ENERGY_COSTS
};

/* All coefficients in use, [ENERGY_COSTS]. */
extern const struct energy_coefficient energy_coefficients[];

enum energy_memory {
    ENERGY_NO_MEMORY,
    ENERGY_SRAM,
    ENERGY_DRAM_LOW,
    ENERGY_DRAM_HIGH,
    ENERGY_MEMORIES
};

struct energy_line {
    const char *name;         /* of the line, fit for a table */
    const char *key;          /* of the line, fit for JSON; unique */
    enum energy_memory memory;
    bool spiking;             /* false: a dense baseline */
    double picojoules;        /* per token */
    double per_fp16;          /* as a part of dense FP16 with the same memory; 0 if that is 0 */
    double per_int8;          /* as a part of dense INT8 with the same memory; 0 if that is 0 */
    const char *includes;     /* a sentence: what is counted */
};

enum { ENERGY_LINES = 13 };

struct energy {
    double tokens;          /* divisor of all below: positions, or 1 (the run) if there were none */
    double macs;            /* per token: dense multiply-accumulates of the weights in scope */
    double adds;            /* per token: spikes times targets */
    double spikes_per_mac;  /* adds / macs: mean spikes per channel, weighted by fan-out */
    double report_per_mac;  /* pJ: spikes_per_mac times an 8-bit addition */
    double rest_macs;       /* per token read out: projections that stay dense, in no line */
    double rest_fp16[ENERGY_MEMORIES]; /* pJ per token read out, of `rest` as dense FP16 */
    double rest_int8[ENERGY_MEMORIES]; /* … as dense INT8 */
    struct energy_line lines[ENERGY_LINES];
};

struct energy energy_of(const struct report *report);

#endif
