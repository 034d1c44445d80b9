/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What every run's own screen says of energy: arithmetic and weights fetched on the digital
 * reference chips at 45 nm, from the counters alone. Everything else is `volley energy`.
 */
#ifndef VOLLEY_REFERENCE_H
#define VOLLEY_REFERENCE_H

#include "traces/energy/load.h"

enum reference_chip {
    REFERENCE_IDEAL,  /* ideal-45nm: the SpikingBrain report's formula */
    REFERENCE_SPIKES, /* event-45nm */
    REFERENCE_INT8,   /* int8-45nm */
    REFERENCE_FP16,   /* fp16-45nm */
    REFERENCES
};

struct reference {
    const char *chip;  /* its name */
    double arithmetic; /* picojoules per token, sample or run */
    double memory;     /* … fetching weights; 0: the chip has no such figure */
};

struct references {
    struct reference of[REFERENCES];
    double weights; /* multiply-accumulates of the dense passes, per token, sample or run */
    double synops;  /* per token, sample or run */
};

bool references_of(const struct load *load, struct references *references, struct error *error);

#endif
