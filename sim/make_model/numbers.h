/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The numbers of a made-up checkpoint: what a recipe says, drawn from (seed, tensor, element), so
 * that any part of any tensor can be filled by anyone in any order.
 *
 * A matrix is W[o, i] = scale[o, i / group] · c, where the code c is normal, beyond 8 bits in one
 * case of a hundred, as in the published checkpoint, and goes on between the integers; scale is the
 * recipe's, times one lognormal factor for the row and one for the group.
 *
 * Some channels of the residual stream are loud: one in LOUD_EVERY has the same large value for
 * every token, as a few channels of large language models have. A matrix may treat their columns
 * in its own way (`lift`), which is how a gate gets an offset without having a bias.
 */
#ifndef VOLLEY_NUMBERS_H
#define VOLLEY_NUMBERS_H

#include "neurons/import/tensor_set.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    NUMBERS_CHUNK = 4096, /* where a part may begin: at a multiple of it */
    GROUP = 128,          /* inputs that share a scale */
    CODE_LIMIT = 194,     /* largest code, as in the published checkpoint */
    LOUD_EVERY = 64,
    LOUD_FIRST = 32 /* channels LOUD_FIRST, LOUD_FIRST + LOUD_EVERY, … */
};

/* Standard deviation of the codes: 1 % lie beyond ±127.5, which is 2.5758 of it. */
#define CODE_DEVIATION 49.5

struct recipe {
    enum recipe_kind {
        RECIPE_MATRIX, /* as above */
        RECIPE_SCALES, /* the scales of such a matrix: same recipe, same tensor number */
        RECIPE_GAINS,  /* lognormal, mean square deviation^2; loud channels are `loud` */
        RECIPE_NORMAL, /* deviation */
        RECIPE_UNIFORM /* low to high */
    } kind;
    uint32_t owner;   /* number of the tensor, below 2^28 */
    uint32_t columns; /* of a matrix, a multiple of 8; its groups are of GROUP or all columns */
    double deviation; /* of the weights, root mean square */
    double spread;    /* standard deviation of the logarithm of a row's factor, or of a gain */
    bool even;        /* a matrix with one scale throughout */
    double lift;      /* if not 0: codes of loud columns have this mean, a quarter of the spread */
    double loud;      /* gains */
    double low, high;
};

/* Quantiles, so that no weight needs a logarithm. */
struct numbers {
    uint64_t seed;
    float codes[1 << 16];
    float factors[1 << 12]; /* of groups */
};

void numbers_prepare(struct numbers *numbers, uint64_t seed);

/* Fills out[length] of dtype F32 or BF16 with elements begin … begin + length - 1 of the tensor;
 * begin is a multiple of NUMBERS_CHUNK. */
void numbers_fill(const struct numbers *numbers, const struct recipe *recipe, uint64_t begin,
                  uint64_t length, enum dtype dtype, void *out);

#endif
