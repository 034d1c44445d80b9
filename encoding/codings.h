/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The count codings, one file each; for coding.c, which lists them. */
#ifndef VOLLEY_CODINGS_H
#define VOLLEY_CODINGS_H

#include "encoding/coding.h"

extern const struct coding coding_bitwise;
extern const struct coding coding_ternary;
extern const struct coding coding_binary;
extern const struct coding coding_unsigned;
extern const struct coding coding_twos_complement;

/* Virtual ticks that the bits of 0 … largest take: max(1, ceil(log2(largest + 1))). */
static inline uint32_t bits_for(uint32_t largest)
{
    return largest == 0 ? 1 : 32 - (uint32_t)__builtin_clz(largest);
}

/* |count| without overflow. */
static inline uint32_t magnitude_of(int32_t count)
{
    return count < 0 ? 0U - (uint32_t)count : (uint32_t)count;
}

static inline uint32_t largest_magnitude(int32_t smallest, int32_t largest)
{
    uint32_t below = magnitude_of(smallest), above = magnitude_of(largest);
    return below > above ? below : above;
}

#endif
