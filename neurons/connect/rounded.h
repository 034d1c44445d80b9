/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A distribution rounded to whole multiples of a step (half to even), drawn from one word by a
 * table.
 *
 * What is drawn by the inverse of the cumulative function F and then rounded is multiple m for the
 * words up to F((m + 1/2) step) x 2^32: the table holds that last word of every multiple. So a
 * number costs a look into the table in place of an inverse, and probabilities are right to 2^-32,
 * the resolution of a word. A guide of the words' leading bits says where to begin looking.
 */
#ifndef VOLLEY_ROUNDED_H
#define VOLLEY_ROUNDED_H

#include "neurons/connect/distribution.h"

enum { ROUNDED_LENGTH = 1 << 16 }; /* multiples at most */

struct rounded {
    int64_t first;   /* the smallest multiple */
    uint32_t length; /* multiples from the first to the largest */
    uint32_t *last;  /* [length], the last word that gives first + i; 2^32 - 1 at the end */
    uint32_t *guide; /* [words >> shift], the first i that words of these leading bits can give */
    uint32_t shift;
};

/* The smallest and the largest multiple that a word can give; may be infinite. */
void rounded_range(const struct distribution *distribution, double step, double *smallest,
                   double *largest);

/* What lies below `first` or above `last` becomes these; last - first < ROUNDED_LENGTH. False with
 * `error` when memory is short, then nothing is left allocated. */
bool rounded_take(struct rounded *rounded, const struct distribution *distribution, double step,
                  int64_t first, int64_t last, struct error *error);
void rounded_release(struct rounded *rounded);

/* The multiple's distance from the first. */
static inline uint32_t rounded_offset(const struct rounded *rounded, uint32_t word)
{
    uint32_t i = rounded->guide[word >> rounded->shift];
    while (word > rounded->last[i])
        i++;
    return i;
}

#endif
