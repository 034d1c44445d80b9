/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "encoding/arithmetic.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Cody and Waite: a constant in parts whose products with small integers are exact. */
static const double LN2_HIGH = 6.93147180369123816490e-01, LN2_LOW = 1.90821492927058770002e-10;
/* pi/2 in parts of 24 bits: exact products up to 2^29 quarter turns. */
static const double HALF_PI_1 = 1.57079625129699707031e+00, HALF_PI_2 = 7.54978941586159635335e-08,
                    HALF_PI_3 = 5.39030252995776476554e-15, HALF_PI_4 = 3.28200341580791294123e-22;
static const double ROUND = 6755399441055744.0; /* 1.5 · 2^52 */

static double power_of_two(int exponent) /* -1022 … 1023 */
{
    uint64_t bits = (uint64_t)(exponent + 1023) << 52;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Taylor series of e^r for |r| <= ln2/2: the first term left out is below 2^-59. */
static double exp_near_zero(double r)
{
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
    return sum * r * r + r + 1.0;
}

double arithmetic_exp(double x)
{
    if (isnan(x))
        return x;
    if (x > 709.782712893384)
        return INFINITY;
    if (x < -745.2)
        return 0;
    double n = x * 1.44269504088896338700 + ROUND - ROUND;
    double value = exp_near_zero(x - n * LN2_HIGH - n * LN2_LOW);
    int half = (int)n / 2; /* in two steps, so that neither leaves the range of exponents */
    return value * power_of_two(half) * power_of_two((int)n - half);
}

double arithmetic_sigmoid(double x)
{
    /* e of a negative number only, so that nothing overflows. */
    double e = arithmetic_exp(x < 0 ? x : -x);
    return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

void arithmetic_sincos(double angle, double *sine, double *cosine)
{
    double n = angle * 0.636619772367581343 + ROUND - ROUND;
    double r = angle - n * HALF_PI_1 - n * HALF_PI_2 - n * HALF_PI_3 - n * HALF_PI_4;
    double z = r * r;
    /* Taylor series on |r| <= pi/4. */
    double s = -1.0 / 1307674368000.0;
    s = s * z + 1.0 / 6227020800.0;
    s = s * z - 1.0 / 39916800;
    s = s * z + 1.0 / 362880;
    s = s * z - 1.0 / 5040;
    s = s * z + 1.0 / 120;
    s = s * z - 1.0 / 6;
    s = s * z * r + r;
    double c = 1.0 / 20922789888000.0;
    c = c * z - 1.0 / 87178291200.0;
    c = c * z + 1.0 / 479001600;
    c = c * z - 1.0 / 3628800;
    c = c * z + 1.0 / 40320;
    c = c * z - 1.0 / 720;
    c = c * z + 1.0 / 24;
    c = c * z - 0.5;
    c = c * z + 1.0;
    switch ((int64_t)n & 3) {
    case 0: *sine = s, *cosine = c; break;
    case 1: *sine = c, *cosine = -s; break;
    case 2: *sine = -s, *cosine = -c; break;
    default: *sine = -c, *cosine = s; break;
    }
}

/* x = m · 2^e, ln m = 2 artanh((m-1)/(m+1)). */
double arithmetic_log(double x)
{
    int e;
    double m = frexp(x, &e); /* exact */
    if (m < 0.70710678118654752) {
        m *= 2;
        e--;
    }
    double t = (m - 1) / (m + 1), z = t * t, sum = 0;
    for (int i = 25; i >= 3; i -= 2) /* |t| <= 0.172: the first term left out is below 2^-70 */
        sum = (sum + 1.0 / i) * z;
    return e * LN2_HIGH + (e * LN2_LOW + 2 * t * (1 + sum));
}

double arithmetic_pow(double base, double exponent)
{
    return arithmetic_exp(exponent * arithmetic_log(base));
}
