/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing and reading rows of 8-bit weights, and splitting values into digits.
 *
 * Numbers are rounded half to even by adding and taking away 1.5 · 2^52, exact for magnitudes
 * below 2^51, which compilers do several at a time.
 */
#include "neurons/delivery/byte_block.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum {
    CODE_LIMIT = 127,
    VALUE_BITS = 46,    /* of the largest values, without their sign */
    LEAST_EXPONENT = -900 /* smaller values lose bits, so that steps stay normal numbers */
};

static const double ROUNDER = 0x1.8p52;

static int64_t rounded(double number)
{
    double sum = number + ROUNDER;
    int64_t bits, zero;
    memcpy(&bits, &sum, sizeof bits);
    memcpy(&zero, &ROUNDER, sizeof zero);
    return bits - zero;
}

static uint32_t shorter(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

void byte_block_set_row(int8_t *codes, float *scales, uint32_t row, const float *weights,
                        uint32_t inputs)
{
    for (uint32_t begin = 0; begin < inputs; begin += BYTE_GROUP) {
        const float *weight = weights + begin;
        uint32_t length = shorter(inputs - begin, BYTE_GROUP);
        float largest = 0;
        for (uint32_t i = 0; i < length; i++)
            largest = fabsf(weight[i]) > largest ? fabsf(weight[i]) : largest;
        float scale = (float)((double)largest / CODE_LIMIT);
        scales[(size_t)(begin / BYTE_GROUP) * BYTE_ROWS + row] = scale;
        double quotients[BYTE_GROUP];
        for (uint32_t i = 0; i < length; i++) /* a scale below all numbers is 0 */
            quotients[i] = scale > 0 ? (double)weight[i] / (double)scale : 0;
        for (uint32_t i = 0; i < length; i++) {
            int64_t code = rounded(quotients[i]); /* a subnormal scale may be too small */
            code = code > CODE_LIMIT ? CODE_LIMIT : code < -CODE_LIMIT ? -CODE_LIMIT : code;
            codes[((size_t)(begin + i) / 2 * BYTE_ROWS + row) * 2 + i % 2] = (int8_t)code;
        }
    }
    if (inputs % 2 != 0)
        codes[((size_t)inputs / 2 * BYTE_ROWS + row) * 2 + 1] = 0;
}

void byte_block_row(const struct byte_block *block, uint32_t row, double *out)
{
    for (uint32_t i = 0; i < block->inputs; i++)
        out[i] = (double)block->scales[(size_t)(i / BYTE_GROUP) * BYTE_ROWS + row] *
                 (double)block->codes[((size_t)(i / 2) * BYTE_ROWS + row) * 2 + i % 2];
}

/* The exponent e of a group's largest magnitude: below 2^e, or a little more after rounding.
 * False if one is not finite. */
static bool find_exponent(const double *values, uint32_t length, int *exponent)
{
    double largest = 0, check = 0;
    for (uint32_t i = 0; i < length; i++) {
        largest = fabs(values[i]) > largest ? fabs(values[i]) : largest;
        check += values[i] * 0; /* 0, or not a number */
    }
    frexp(largest, exponent);
    *exponent = *exponent < LEAST_EXPONENT || largest == 0 ? LEAST_EXPONENT : *exponent;
    return check == 0;
}

void byte_values_split(const double *values, uint32_t inputs, int16_t *digits, double *steps)
{
    memset(digits, 0, (size_t)byte_pairs(inputs) * BYTE_DIGITS * 2 * sizeof *digits);
    for (uint32_t begin = 0; begin < inputs; begin += BYTE_GROUP) {
        uint32_t length = shorter(inputs - begin, BYTE_GROUP);
        int exponent;
        if (!find_exponent(values + begin, length, &exponent)) {
            steps[begin / BYTE_GROUP] = (double)NAN;
            continue;
        }
        steps[begin / BYTE_GROUP] = ldexp(1, exponent - VALUE_BITS);
        double inverse = ldexp(1, VALUE_BITS - exponent);
        for (uint32_t i = begin; i < begin + length; i++) {
            int64_t whole = rounded(values[i] * inverse);
            int16_t *digit = digits + (size_t)(i / 2) * BYTE_DIGITS * 2 + i % 2;
            for (uint32_t d = 0; d < BYTE_DIGITS; d++) {
                digit[2 * d] = (int16_t)whole; /* the lowest 16 bits, signed */
                whole = (whole - digit[2 * d]) / 65536;
            }
        }
    }
}
