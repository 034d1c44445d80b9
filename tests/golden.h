/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Golden files that tests/reference writes: what an independent float64 reference
 * computed for a model, a mode and a list of tokens.
 */
#ifndef VOLLEY_GOLDEN_H
#define VOLLEY_GOLDEN_H

#include "neurons/import/spikingbrain.h"

struct golden {
    char mode[16];      /* float, repo, paper */
    double k;
    char threshold[16]; /* token, group, head */
    char k_at[128];     /* GLOB=K,…; "" for none */
    uint32_t *tokens;   /* [length] fed in */
    uint32_t length;
    uint32_t *next;     /* [length] most likely token after each */
    int16_t *counts;    /* [length][channels], NULL for float */
    uint32_t channels;
    char **populations; /* [population_count] */
    uint32_t *offsets;  /* [population_count], first channel of each */
    uint32_t population_count;
    uint32_t *columns;  /* [column_count], token ids whose logits are kept */
    uint32_t column_count;
    float *logits;      /* [length][column_count] */
    double largest;     /* largest |logit| */
};

/* Reads folder/name.*; false if there is no such file. Fails the test on damage. The files are
 * named after their mode, or after what else they show. */
bool golden_read(struct golden *golden, const char *folder, const char *name);
void golden_free(struct golden *golden);

/* The test data's folder (VOLLEY_TEST_DATA) and the examples' (VOLLEY_EXAMPLES). */
const char *golden_folder(void);
const char *examples_folder(void);

#endif
