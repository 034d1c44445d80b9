/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The keys and values of a window of positions in 8 bits, and attention over them. For
 * window_attention.c.
 *
 * A head's key or value x at a position is kept as
 *
 *     scale = clamp(max|x| / 127, 1e-5, 1e4),  code = clamp(round_half_even(x / scale), -128, 127)
 *
 * The cache is a ring of at least window + lanes positions: a wave's last lane is written before
 * its first has read, and the key that leaves the first lane's window is still looked at, to be no
 * longer counted. Position p stands at p mod capacity; the memory does not grow with the sequence,
 * and is not touched before a position is written.
 */
#ifndef VOLLEY_WINDOW_CACHE_H
#define VOLLEY_WINDOW_CACHE_H

#include "neurons/models/models.h"

struct window_cache {
    struct heads heads;
    uint32_t window;
    uint32_t blocks;  /* of KEY_POSITIONS, in the ring */
    uint32_t pairs;   /* of channels of a key */
    uint32_t columns; /* of VALUE_CHANNELS of a value */
    int8_t *keys;     /* [heads.keys][blocks], laid out as key_block.h says */
    int8_t *values;   /* the same */
    double *key_scale, *value_scale; /* [heads.keys][blocks * KEY_POSITIONS] */
};

/* Takes memory for an empty cache, and adds to *bytes how much. False when memory is short; in any
 * case window_cache_free releases it. */
bool window_cache_take(struct window_cache *cache, struct heads heads, uint32_t window,
                       uint32_t lanes, uint64_t *bytes);
void window_cache_free(struct window_cache *cache);

/* Writes the key and the value [heads.keys * size] of a position; false if one is not finite.
 * Several threads may write different positions. */
bool window_cache_put(struct window_cache *cache, int64_t position, const double *key,
                      const double *value, enum vector_level vector);

/* Adds `by` (1 or -1) to held[i] for every channel i [heads.keys * size] whose key code at the
 * position is not 0. */
void window_cache_count(const struct window_cache *cache, int64_t position, int32_t by,
                        uint32_t *held);

/* What one thread needs to attend; NULL when memory is short. */
struct window_scratch *window_scratch_new(const struct window_cache *cache);
void window_scratch_free(struct window_scratch *scratch);

/* The query heads that share a key head, at one position. */
struct window_query {
    uint32_t head;           /* the key head */
    int64_t first, position; /* positions first … position are attended to, at most `window` */
    const int32_t *counts;   /* [queries / keys][size] */
    const double *threshold; /* [queries / keys] */
    double *output;          /* [queries / keys][size] */
};

/* For each query head,
 *     output = Σ_t share_t · value_t,  share = softmax_t(threshold · counts · key_t / sqrt(size)).
 * Counts and key codes are multiplied and added exactly; a share times the scale of its value is
 * rounded to 30 bits of the largest possible one, and multiplied with the codes and added exactly,
 * so that the bits depend on nothing but the window. */
void window_cache_attend(const struct window_cache *cache, const struct window_query *query,
                         struct window_scratch *scratch, const struct kernels *kernels);

#endif
