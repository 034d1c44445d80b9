/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The exponential for loops that the compiler vectorises (vector.h): straight-line code without
 * calls, branches or conversions, giving the bits of arithmetic_exp for every double, results
 * below the normal range included (a NaN gives a NaN).
 *
 * The steps are those of arithmetic.c, with two differences that change no bit. Arguments beyond
 * the range are drawn to its edge, where the last products overflow or vanish by themselves. And
 * the integer n, which the rounding constant leaves in the low bits of a double, is taken from
 * there; how n is split over the two powers of two does not matter: only the last product rounds.
 */
#ifndef VOLLEY_VECTOR_EXP_H
#define VOLLEY_VECTOR_EXP_H

#include "encoding/vector.h"

#include <stdint.h>
#include <string.h>

VECTOR_INLINE double vector_power_of_two(uint64_t biased_exponent)
{
    uint64_t bits = biased_exponent << 52;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

VECTOR_INLINE double vector_exp(double x)
{
    const double round = 6755399441055744.0; /* 1.5 · 2^52 */
    x = x > 710 ? 710 : x;
    x = x < -746 ? -746 : x;
    double shifted = x * 1.44269504088896338700 + round, n = shifted - round;
    double r = x - n * 6.93147180369123816490e-01 - n * 1.90821492927058770002e-10;
    double sum = 1.0 / 6227020800;
    sum = sum * r + 1.0 / 479001600;
    sum = sum * r + 1.0 / 39916800;
    sum = sum * r + 1.0 / 3628800;
    sum = sum * r + 1.0 / 362880;
    sum = sum * r + 1.0 / 40320;
    sum = sum * r + 1.0 / 5040;
    sum = sum * r + 1.0 / 720;
    sum = sum * r + 1.0 / 120;
    sum = sum * r + 1.0 / 24;
    sum = sum * r + 1.0 / 6;
    sum = sum * r + 0.5;
    double value = sum * r * r + r + 1.0;
    uint64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    uint64_t biased = bits - UINT64_C(0x4338000000000000) + 2046; /* n + 2 · 1023, above 0 */
    uint64_t half = biased >> 1;
    return value * vector_power_of_two(half) * vector_power_of_two(biased - half);
}

/* 1 / (1 + e^-x), the bits of arithmetic_sigmoid: e of a negative number only. */
VECTOR_INLINE double vector_sigmoid(double x)
{
    double e = vector_exp(x < 0 ? x : -x);
    return (x < 0 ? e : 1) / (1 + e);
}

#endif
