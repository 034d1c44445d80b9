/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Every version of the kernels this processor can run against the plain one,
 * bit for bit, on every short length, odd places and extreme values; and the
 * plain one against definitions that share nothing with it.
 *
 * Each array is a heap block of exactly its size (beginning `shift` elements in,
 * so that it is not aligned), for AddressSanitizer to see any read past it.
 */
#include "neurons/delivery/kernels.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

/* A number of any sign and of very different sizes; now and then a zero of
 * either sign or a subnormal. */
static double random_double(void)
{
    double number = ((double)(int64_t)random_bits()) * 0x1p-63;
    switch (random_bits() % 64) {
    case 0:
        return 0.0;
    case 1:
        return -0.0;
    case 2:
        return number * 0x1p-1060;
    case 3:
        return number * 0x1p100;
    case 4:
        return number * 0x1p-100;
    default:
        return ldexp(number, (int)(random_bits() % 20) - 10);
    }
}

static void *block(size_t length, size_t size)
{
    void *bytes = malloc(length * size + (length == 0));
    assert_non_null(bytes);
    return bytes;
}

static const struct kernels *plain(void)
{
    const struct kernels *kernels = kernels_find("plain", NULL);
    assert_non_null(kernels);
    return kernels;
}

/* Runs a check for each version but the plain one. */
static void each_version(void (*check)(const struct kernels *kernels))
{
    size_t length;
    const struct kernels *const *available = kernels_available(&length);
    for (size_t i = 0; i + 1 < length; i++)
        check(available[i]);
}

enum filling { RANDOM, SMALLEST, LARGEST, ALTERNATING, FILLINGS };

static int8_t filled_code(enum filling filling, size_t i)
{
    switch (filling) {
    case RANDOM:
        return (int8_t)random_bits();
    case SMALLEST:
        return -128;
    case LARGEST:
        return 127;
    default:
        return i % 2 == 0 ? -128 : 127;
    }
}

static int16_t filled_count(enum filling filling, size_t i)
{
    switch (filling) {
    case RANDOM:
        return (int16_t)(random_bits() % 65535 - 32767);
    case SMALLEST:
        return -32767;
    case LARGEST:
        return 32767;
    default:
        return i % 3 == 0 ? 32767 : -32767;
    }
}

/* One shape of dot_groups; `kernels` against plain, or plain against int64. */
static void check_shape(const struct kernels *kernels, uint32_t lanes, uint32_t inputs,
                        uint32_t group, size_t spare, enum filling filling)
{
    size_t shift = random_bits() % 5;
    size_t groups = (inputs + group - 1) / group;
    size_t counts_stride = inputs + spare, sums_stride = groups + spare;
    size_t counts_length = lanes * counts_stride - spare; /* the last lane ends the block */
    size_t sums_length = lanes * sums_stride - spare;
    int8_t *codes = block(shift + inputs, 1);
    int16_t *counts = block(shift + counts_length, sizeof *counts);
    int32_t *sums = block(shift + sums_length, sizeof *sums);
    int32_t *expected = block(shift + sums_length, sizeof *expected);
    for (size_t i = 0; i < inputs; i++)
        codes[shift + i] = filled_code(filling, i);
    for (size_t i = 0; i < counts_length; i++)
        counts[shift + i] = filled_count(filling, i);
    memset(sums, 0x5a, (shift + sums_length) * sizeof *sums);
    memset(expected, 0x5a, (shift + sums_length) * sizeof *expected);
    kernels->dot_groups(codes + shift, counts + shift, counts_stride, lanes, inputs, group,
                        sums + shift, sums_stride);
    if (kernels != plain()) {
        plain()->dot_groups(codes + shift, counts + shift, counts_stride, lanes, inputs, group,
                            expected + shift, sums_stride);
    } else {
        for (size_t lane = 0; lane < lanes; lane++)
            for (size_t g = 0; g < groups; g++) {
                int64_t sum = 0;
                for (size_t i = g * group; i < inputs && i < (g + 1) * group; i++)
                    sum += (int64_t)codes[shift + i] * counts[shift + lane * counts_stride + i];
                assert_true(sum >= INT32_MIN && sum <= INT32_MAX);
                expected[shift + lane * sums_stride + g] = (int32_t)sum;
            }
    }
    assert_memory_equal(sums, expected, (shift + sums_length) * sizeof *sums);
    free(codes);
    free(counts);
    free(sums);
    free(expected);
}

static void check_groups(const struct kernels *kernels)
{
    for (uint32_t inputs = 1; inputs <= 300; inputs++) { /* every length */
        enum filling filling = (enum filling)(inputs % FILLINGS);
        check_shape(kernels, 1, inputs, 128, 0, filling);
        check_shape(kernels, 1 + inputs % 20, inputs, 128, inputs % 3, RANDOM);
        check_shape(kernels, 1, inputs, inputs, 0, filling);
        check_shape(kernels, 5, inputs, 1 + (uint32_t)(random_bits() % inputs), 1, RANDOM);
    }
    for (uint32_t group = 1; group <= 300; group++) { /* every group size */
        check_shape(kernels, 1, 4 * group, group, 0, (enum filling)(group % FILLINGS));
        check_shape(kernels, 1, 9 * group + group / 2 + 1, group, 0, RANDOM);
        check_shape(kernels, 17, 2 * group + 1, group, 2, RANDOM);
    }
    for (uint32_t lanes = 1; lanes <= 40; lanes++)
        for (int filling = 0; filling < FILLINGS; filling++) {
            check_shape(kernels, lanes, 1000, 128, 0, (enum filling)filling);
            check_shape(kernels, lanes, 896, 128, 7, (enum filling)filling);
        }
    for (int filling = 0; filling < FILLINGS; filling++) {
        check_shape(kernels, 128, 1792, 128, 0, (enum filling)filling);
        check_shape(kernels, 1, 3584, 128, 0, (enum filling)filling);
        check_shape(kernels, 21, 1100, 511, 0, (enum filling)filling);
    }
}

static void test_dot_groups(void **state)
{
    (void)state;
    check_groups(plain());
    each_version(check_groups);
}

static void assert_same_double(double a, double b)
{
    assert_memory_equal(&a, &b, sizeof a);
}

/* Within the rounding of so many products and sums? */
static void assert_near(double got, long double sum, long double magnitude, uint32_t terms)
{
    assert_true(fabsl((long double)got - sum) <= magnitude * (terms + 8) * 0x1p-52L);
}

static void check_scale_groups(const struct kernels *kernels)
{
    for (uint32_t groups = 0; groups <= 300; groups++) {
        float *scales = block(groups, sizeof *scales);
        int32_t *sums = block(groups, sizeof *sums);
        long double sum = 0, magnitude = 0;
        for (uint32_t g = 0; g < groups; g++) {
            scales[g] = (float)random_double();
            sums[g] = g % 50 == 7 ? INT32_MIN : (int32_t)random_bits();
            sum += (long double)scales[g] * sums[g];
            magnitude += fabsl((long double)scales[g] * sums[g]);
        }
        double got = kernels->scale_groups(scales, sums, groups);
        assert_same_double(got, plain()->scale_groups(scales, sums, groups));
        assert_near(got, sum, magnitude, groups);
        free(scales);
        free(sums);
    }
}

static void test_scale_groups(void **state)
{
    (void)state;
    check_scale_groups(plain());
    each_version(check_scale_groups);
}

/* The order that kernels.h promises, written out. */
static double dot_in_order(const float *weights, const double *values, uint32_t inputs)
{
    volatile double sums[PARTIAL_SUMS] = {0}; /* volatile: nothing fused, nothing moved */
    for (uint32_t i = 0; i < inputs; i++) {
        volatile double product = (double)weights[i] * values[i];
        sums[i % PARTIAL_SUMS] = sums[i % PARTIAL_SUMS] + product;
    }
    for (int n = 16; n >= 1; n /= 2)
        for (int i = 0; i < n; i++)
            sums[i] = sums[i] + sums[i + n];
    return sums[0];
}

static void check_dot(const struct kernels *kernels)
{
    for (uint32_t inputs = 0; inputs <= 600; inputs++) {
        float *weights = block(inputs, sizeof *weights);
        double *values = block(inputs, sizeof *values);
        long double sum = 0, magnitude = 0;
        for (uint32_t i = 0; i < inputs; i++) {
            weights[i] = (float)random_double();
            values[i] = random_double();
            sum += (long double)weights[i] * values[i];
            magnitude += fabsl((long double)weights[i] * values[i]);
        }
        double got = kernels->dot(weights, values, inputs);
        assert_same_double(got, plain()->dot(weights, values, inputs));
        assert_same_double(got, dot_in_order(weights, values, inputs));
        assert_near(got, sum, magnitude, inputs);
        if (inputs > 0) { /* infinities and minus zero come through alike */
            values[inputs - 1] = INFINITY;
            weights[0] = -0.0F;
            assert_same_double(kernels->dot(weights, values, inputs),
                               plain()->dot(weights, values, inputs));
        }
        free(weights);
        free(values);
    }
}

static void test_dot(void **state)
{
    (void)state;
    check_dot(plain());
    each_version(check_dot);
}

static void check_dot_key(const struct kernels *kernels)
{
    for (uint32_t inputs = 0; inputs <= 300; inputs++)
        for (int extreme = 0; extreme < 2; extreme++) {
            size_t shift = inputs % 4;
            int8_t *codes = block(shift + inputs, 1);
            int32_t *counts = block(shift + inputs, sizeof *counts);
            int32_t limit = inputs <= 4 ? (1 << 22) - 1 : INT32_MAX / 128 / (int32_t)inputs;
            int64_t sum = 0;
            for (size_t i = shift; i < shift + inputs; i++) {
                codes[i] = extreme != 0 ? -128 : (int8_t)random_bits();
                counts[i] = extreme != 0 ? limit
                                         : (int32_t)(random_bits() % (2U * (uint32_t)limit + 1)) -
                                               limit;
                sum += (int64_t)codes[i] * counts[i];
            }
            assert_int_equal(kernels->dot_key(codes + shift, counts + shift, inputs), sum);
            free(codes);
            free(counts);
        }
}

static void test_dot_key(void **state)
{
    (void)state;
    check_dot_key(plain());
    each_version(check_dot_key);
}

/* The three that change an array of doubles in place. */
static void check_in_place(const struct kernels *kernels)
{
    for (uint32_t length = 0; length <= 300; length++) {
        size_t shift = length % 3;
        int8_t *codes = block(shift + length, 1);
        double *values = block(shift + length, sizeof *values);
        double *got[3], *expected[3], *before = block(shift + length, sizeof *before);
        for (size_t j = 0; j < shift + length; j++) {
            codes[j] = (int8_t)random_bits();
            values[j] = random_double();
            before[j] = random_double();
        }
        for (int k = 0; k < 3; k++) {
            got[k] = block(shift + length, sizeof *got[k]);
            expected[k] = block(shift + length, sizeof *expected[k]);
            memcpy(got[k], before, (shift + length) * sizeof *before);
            memcpy(expected[k], before, (shift + length) * sizeof *before);
        }
        double factor = random_double(), key = random_double();
        for (size_t j = shift; j < shift + length; j++) {
            volatile double product = factor * (double)codes[j];
            expected[0][j] = before[j] + product;
            product = factor * before[j];
            volatile double added = key * values[j];
            expected[1][j] = product + added;
            product = factor * values[j];
            expected[2][j] = before[j] + product;
        }
        kernels->add_codes(got[0] + shift, factor, codes + shift, length);
        kernels->decay_add(got[1] + shift, factor, key, values + shift, length);
        kernels->add_scaled(got[2] + shift, factor, values + shift, length);
        for (int k = 0; k < 3; k++) {
            assert_memory_equal(got[k], expected[k], (shift + length) * sizeof *before);
            free(got[k]);
            free(expected[k]);
        }
        free(before);
        free(codes);
        free(values);
    }
}

static void test_in_place(void **state)
{
    (void)state;
    check_in_place(plain());
    each_version(check_in_place);
}

static uint32_t bits_of(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

/* All 65536 of either kind, then every short length. */
static void check_floats(const struct kernels *kernels)
{
    enum { ALL = 65536 };
    uint16_t *all = block(ALL, sizeof *all);
    float *out = block(ALL, sizeof *out);
    for (uint32_t i = 0; i < ALL; i++)
        all[i] = (uint16_t)i;
    kernels->from_half(all, out, ALL);
    for (uint32_t i = 0; i < ALL; i++) {
        uint32_t exponent = i >> 10 & 31, fraction = i & 1023;
        double magnitude = exponent == 0 ? ldexp(fraction, -24)
                                         : ldexp(1024 + fraction, (int)exponent - 25);
        float expected = (float)(i >> 15 != 0 ? -magnitude : magnitude);
        uint32_t infinite = (i >> 15) << 31 | 0x7f800000;
        if (exponent == 31)
            assert_int_equal(bits_of(out[i]),
                             infinite | fraction << 13 | (fraction != 0) << 22);
        else
            assert_int_equal(bits_of(out[i]), bits_of(expected));
    }
    kernels->from_bfloat(all, out, ALL);
    for (uint32_t i = 0; i < ALL; i++)
        assert_int_equal(bits_of(out[i]), i << 16);
    free(all);
    free(out);
    for (uint32_t length = 0; length <= 100; length++) {
        uint16_t *in = block(length, sizeof *in);
        float *got = block(length, sizeof *got), *expected = block(length, sizeof *expected);
        for (uint32_t i = 0; i < length; i++)
            in[i] = (uint16_t)random_bits();
        kernels->from_half(in, got, length);
        plain()->from_half(in, expected, length);
        assert_memory_equal(got, expected, length * sizeof *got);
        kernels->from_bfloat(in, got, length);
        plain()->from_bfloat(in, expected, length);
        assert_memory_equal(got, expected, length * sizeof *got);
        free(in);
        free(got);
        free(expected);
    }
}

static void test_floats(void **state)
{
    (void)state;
    check_floats(plain());
    each_version(check_floats);
}

static void test_find(void **state)
{
    (void)state;
    size_t length;
    const struct kernels *const *available = kernels_available(&length);
    assert_true(length >= 1);
    assert_string_equal(available[length - 1]->name, "plain");
    assert_ptr_equal(kernels_find(NULL, NULL), available[0]);
    assert_ptr_equal(kernels_find("auto", NULL), available[0]);
    for (size_t i = 0; i < length; i++)
        assert_ptr_equal(kernels_find(available[i]->name, NULL), available[i]);
    struct error error = {0};
    assert_null(kernels_find("abacus", &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    assert_non_null(strstr(error.text, "abacus"));
    assert_non_null(strstr(error.text, "plain"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dot_groups), cmocka_unit_test(test_scale_groups),
        cmocka_unit_test(test_dot),        cmocka_unit_test(test_dot_key),
        cmocka_unit_test(test_in_place),   cmocka_unit_test(test_floats),
        cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
