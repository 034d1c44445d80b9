/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From logits to the next token. Random numbers are counter-based (Philox4x32-10,
 * Salmon et al. 2011), keyed by the seed and the position, so that a token depends on
 * nothing but its logits, the seed and where it stands.
 */
#ifndef VOLLEY_SAMPLER_H
#define VOLLEY_SAMPLER_H

#include "scheduler/error.h"

#include <stdint.h>

struct sampler {
    double temperature; /* 0: greedy */
    double top_p;       /* keep the most likely tokens that together reach this; 1: all */
    uint64_t seed;
    uint32_t vocabulary;
    struct candidate {
        double weight;
        uint32_t token;
    } *candidates; /* [vocabulary] */
};

bool sampler_new(struct sampler *sampler, uint32_t vocabulary, double temperature, double top_p,
                 uint64_t seed, struct error *error);
void sampler_free(struct sampler *sampler);

/* The token that follows `position`. Greedy ties go to the smaller id. */
uint32_t sampler_next(const struct sampler *sampler, const double *logits, int64_t position);

/* -log2 of the probability that softmax(logits) gives `token`. */
double sampler_bits(const double *logits, uint32_t vocabulary, uint32_t token);

/* A uniform number in [0, 1), keyed by seed and position. */
double sampler_uniform(uint64_t seed, int64_t position);

#endif
