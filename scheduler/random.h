/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Random numbers without a state: a number is a function of a seed and of what it is drawn
 * for, so that it is the same for any number of threads and any order of drawing. The function
 * is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, SC11), of the Random123 library.
 *
 * A stream is one purpose of one owner: (seed, purpose, owner). Within it every counter
 * (high, low) gives four words of 32 bits. Seed, purpose, owner and counter stand side by side in
 * the function's key and counter, so no two draws ever share a block of words.
 */
#ifndef VOLLEY_RANDOM_H
#define VOLLEY_RANDOM_H

#include <gsl/gsl_rng.h>
#include <stdint.h>

/* What numbers are drawn for; at most 16. */
enum random_purpose {
    RANDOM_SOURCE,      /* a population's own spikes: owner population, counter (tick, neuron / 4) */
    RANDOM_CONNECTION,  /* who is connected: owner projection, counter (row or target, draw / 4) */
    RANDOM_WEIGHT,      /* … and with what weight: counter (row, place in the row / 4) … */
    RANDOM_DELAY,       /* … and delay, likewise */
    RANDOM_PARAMETER,   /* parameters and initial values: owner is population and parameter */
    RANDOM_ENCODING,    /* inputs that an encoder turns into spikes */
    RANDOM_COEFFICIENT, /* figures of chips within their published ranges: owner is the figure */
    RANDOM_PLACEMENT,   /* swaps of annealing */
    RANDOM_CHECKPOINT   /* numbers of a made-up checkpoint: owner is the tensor */
};

struct random_stream {
    uint32_t key[2];
    uint32_t owner; /* and purpose: the last word of every counter */
};

/* `owner` is below 2^28. */
struct random_stream random_stream_of(uint64_t seed, enum random_purpose purpose, uint32_t owner);

/* Four words for one counter. `high` is 64 bits, `low` 32. */
void random_words(const struct random_stream *stream, uint64_t high, uint32_t low,
                  uint32_t words[4]);

/* words[4 * length] for the counters (high, low) … (high, low + length - 1): what random_words
 * gives, in bulk; as fast as the processor's vectors go. low + length is at most 2^32. */
void random_words_bulk(const struct random_stream *stream, uint64_t high, uint32_t low,
                       uint32_t length, uint32_t *words);

/* In (0, 1), never 0 or 1: (word + 0.5) / 2^32. */
static inline double random_uniform(uint32_t word)
{
    return ((double)word + 0.5) * 0x1p-32;
}

/* An integer in [0, length), without bias beyond 2^-32: the upper half of word * length. */
static inline uint32_t random_below(uint32_t word, uint32_t length)
{
    return (uint32_t)(((uint64_t)word * length) >> 32);
}

/* The same numbers for GSL's distributions: a generator that gives the words of (high, 0),
 * (high, 1), … one after the other, 2^34 of them. To be set by random_gsl_seek; freed with
 * gsl_rng_free. */
gsl_rng *random_gsl_new(void); /* NULL when memory is short */
void random_gsl_seek(gsl_rng *generator, const struct random_stream *stream, uint64_t high);

#endif
