/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A language model at work: feeds the prompt in waves of lanes, then one token
 * after another, and hands out text. Runs on a thread of its own; the main
 * thread looks at the atomic members only.
 */
#ifndef VOLLEY_SESSION_H
#define VOLLEY_SESSION_H

#include "neurons/import/spikingbrain.h"
#include "neurons/import/tokenizer.h"
#include "sim/matrix_file.h"
#include "sim/sampler.h"
#include "sim/timing.h"

#include <stdatomic.h>

struct session {
    /* What to do; set before it runs. */
    struct language_model *model;
    const struct tokenizer *tokenizer; /* NULL: tokens are shown as numbers */
    const uint32_t *prompt;            /* [prompt_length] */
    size_t prompt_length;
    uint64_t generate;                 /* tokens to generate */
    bool past_end;                     /* go on after the end token */
    bool score;                        /* add up the bits of every prompt token but the first */
    uint32_t lanes;
    struct sampler sampler;
    struct matrix_file *logits;        /* NULL: not wanted */
    struct timing *timing;             /* NULL: not wanted */
    void (*show)(const char *bytes, size_t length); /* takes text, valid UTF-8 */

    /* Looked at while it runs. */
    atomic_int stop;         /* not 0: end after the wave in hand */
    atomic_uint_fast64_t fed, generated;

    /* What came out. */
    bool ended;              /* the end token came */
    double bits;             /* of the scored tokens */
    uint64_t scored;
    double prompt_seconds, generate_seconds;
    struct error error;
};

/* Returns false with session->error filled. */
bool session_run(struct session *session);

#endif
