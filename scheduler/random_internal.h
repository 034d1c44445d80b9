/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The versions of the loop behind random_words_bulk, which a test holds to the same bits. */
#ifndef VOLLEY_RANDOM_INTERNAL_H
#define VOLLEY_RANDOM_INTERNAL_H

#include "scheduler/random.h"

enum { RANDOM_BLOCK = 32 }; /* counters that go through the rounds together */

/* words[4 * RANDOM_BLOCK] for RANDOM_BLOCK counters from (high, low) on. */
typedef void random_block(const struct random_stream *stream, uint64_t high, uint32_t low,
                          uint32_t *restrict words);

/* Plain C, then each vector extension; NULL for those that this processor lacks. */
enum { RANDOM_VERSIONS = 3 };
random_block *random_block_version(int version);

#endif
