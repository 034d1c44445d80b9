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
#include <stdbool.h>
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

static void assert_same_double(double a, double b)
{
    assert_memory_equal(&a, &b, sizeof a);
}

enum filling { RANDOM, SMALL, MIXED, SMALLEST, LARGEST, ALTERNATING, FILLINGS };

/* A code, beyond 8 bits now and then. */
static int32_t filled_code(enum filling filling, size_t i)
{
    switch (filling) {
    case SMALL: /* with small counts, codes may be anything */
        return random_bits() % 16 == 0 ? (int32_t)(random_bits() % 65535) - 32767
                                       : (int8_t)random_bits();
    case RANDOM:
    case MIXED:
        return random_bits() % 32 == 0 ? (int32_t)(random_bits() % 2000) - 1000
                                       : (int8_t)random_bits();
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
    case SMALL:
        return (int16_t)((int)(random_bits() % 256) - 128);
    case MIXED: /* a few groups hold a count just beyond a byte */
        return (int16_t)(random_bits() % 300 == 0 ? (int)(random_bits() % 3) * 257 - 129
                                                  : (int)(random_bits() % 256) - 128);
    case RANDOM:
        return (int16_t)(random_bits() % 65536);
    case SMALLEST:
        return -32768;
    case LARGEST:
        return 32767;
    default:
        return i % 3 == 0 ? 32767 : -32768;
    }
}

/* A block of random weights. */
struct weights {
    struct code_block block;
    int32_t *whole; /* [BLOCK_ROWS][inputs], the codes with their remainder */
    int8_t *codes;
    float *scales;
    int32_t *code_sums;
    struct remainder *remainder;
    uint32_t *start;
};

static struct weights weights_new(uint32_t inputs, uint32_t group, enum filling filling)
{
    uint32_t groups = group_count(inputs, group), segments = segment_count(group);
    uint32_t length = 0, filled[BLOCK_ROWS] = {0};
    size_t codes_length = row_quads(inputs, group) * QUAD * BLOCK_ROWS;
    struct weights w = {
        .whole = block((size_t)inputs * BLOCK_ROWS, sizeof *w.whole),
        .codes = block(codes_length, 1),
        .scales = block((size_t)groups * BLOCK_ROWS, sizeof *w.scales),
        .code_sums = block((size_t)groups * BLOCK_ROWS, sizeof *w.code_sums),
        .remainder = block(inputs, sizeof *w.remainder),
        .start = block((size_t)groups * segments + 1, sizeof *w.start),
    };
    memset(w.codes, 0, codes_length);
    memset(w.code_sums, 0, (size_t)groups * BLOCK_ROWS * sizeof *w.code_sums);
    for (uint32_t i = 0; i < groups * BLOCK_ROWS; i++)
        w.scales[i] = (float)random_double();
    bool exceeds = random_bits() % 4 != 0;
    size_t quads = 0; /* of the groups before */
    for (uint32_t i = 0; i < inputs; i++) {
        uint32_t g = i / group, at = i % group;
        if (at % SEGMENT == 0) {
            w.start[g * segments + at / SEGMENT] = length;
            memset(filled, 0, sizeof filled);
            quads = (size_t)g * quad_count(group);
        }
        for (uint32_t row = 0; row < BLOCK_ROWS; row++) {
            int32_t code = filled_code(filling, i + row);
            int32_t held = code < -128 ? -128 : code > 127 ? 127 : code;
            code = exceeds ? code : held;
            w.whole[(size_t)row * inputs + i] = code;
            w.codes[((quads + at / QUAD) * BLOCK_ROWS + row) * QUAD + at % QUAD] = (int8_t)held;
            w.code_sums[g * BLOCK_ROWS + row] += held;
            if (code == held)
                continue;
            uint32_t place = w.start[g * segments + at / SEGMENT] + filled[row] / 2;
            if (place == length)
                w.remainder[length++] = (struct remainder){0};
            w.remainder[place].input[row][filled[row] % 2] = (uint8_t)(at % SEGMENT);
            w.remainder[place].extra[row][filled[row]++ % 2] = (int16_t)(code - held);
        }
    }
    for (uint32_t s = (groups - 1) * segments + segment_count((inputs - 1) % group + 1);
         s <= groups * segments; s++)
        w.start[s] = length;
    w.remainder = realloc(w.remainder, length * sizeof *w.remainder + (length == 0));
    assert_non_null(w.remainder);
    w.block = (struct code_block){inputs, group, w.codes, w.scales, w.code_sums, w.remainder,
                                  w.start};
    return w;
}

static void weights_free(struct weights *w)
{
    free(w->whole);
    free(w->codes);
    free(w->scales);
    free(w->code_sums);
    free(w->remainder);
    free(w->start);
}

static double *integrated(const struct kernels *kernels, const struct weights *w,
                          const int16_t *counts, size_t stride, uint32_t lanes)
{
    size_t room = packed_size(w->block.inputs, w->block.group, lanes);
    struct count_block packed = {lanes, stride, counts, block(room, 1)};
    double *sums = block((size_t)lanes * BLOCK_ROWS, sizeof *sums);
    memset(packed.packed, 0xa5, room);
    kernels->pack(&packed, w->block.inputs, w->block.group);
    kernels->integrate(&w->block, &packed, sums);
    free(packed.packed);
    return sums;
}

/* The sum that kernels.h promises, from whole codes in 64 bits. */
static double sum_in_order(const struct weights *w, const int16_t *counts, uint32_t row)
{
    const uint32_t inputs = w->block.inputs, group = w->block.group;
    volatile double sum = 0; /* volatile: nothing fused */
    for (uint32_t g = 0; g < group_count(inputs, group); g++) {
        int64_t total = 0;
        for (size_t i = (size_t)g * group; i < inputs && i < ((size_t)g + 1) * group; i++)
            total += (int64_t)w->whole[(size_t)row * inputs + i] * counts[i];
        assert_true(total >= INT32_MIN && total <= INT32_MAX);
        volatile double product = (double)w->scales[g * BLOCK_ROWS + row] * (double)total;
        sum = sum + product;
    }
    return sum;
}

/* One shape; `kernels` against plain, or plain against the definition. */
static void check_shape(const struct kernels *kernels, uint32_t lanes, uint32_t inputs,
                        uint32_t group, size_t spare, enum filling filling)
{
    struct weights w = weights_new(inputs, group, filling);
    size_t shift = random_bits() % 5, stride = inputs + spare;
    size_t length = lanes * stride - spare; /* the last lane ends the block */
    int16_t *counts = block(shift + length, sizeof *counts);
    for (size_t i = 0; i < length; i++)
        counts[shift + i] = filled_count(filling, i);
    double *sums = integrated(kernels, &w, counts + shift, stride, lanes);
    if (kernels != plain()) {
        double *expected = integrated(plain(), &w, counts + shift, stride, lanes);
        assert_memory_equal(sums, expected, (size_t)lanes * BLOCK_ROWS * sizeof *sums);
        free(expected);
    } else {
        for (uint32_t lane = 0; lane < lanes; lane++)
            for (uint32_t row = 0; row < BLOCK_ROWS; row++)
                assert_same_double(sums[(size_t)lane * BLOCK_ROWS + row],
                                   sum_in_order(&w, counts + shift + lane * stride, row));
    }
    free(sums);
    free(counts);
    weights_free(&w);
}

static void check_integrate(const struct kernels *kernels)
{
    for (uint32_t inputs = 1; inputs <= 300; inputs++) { /* every length */
        enum filling filling = (enum filling)(inputs % FILLINGS);
        check_shape(kernels, 1, inputs, 128, 0, filling);
        check_shape(kernels, 1 + inputs % BLOCK_LANES, inputs, 128, inputs % 3, MIXED);
        check_shape(kernels, 2, inputs, inputs, 0, filling);
        check_shape(kernels, 5, inputs, 1 + (uint32_t)(random_bits() % inputs), 1, RANDOM);
    }
    for (uint32_t group = 1; group <= 160; group++) { /* every group size */
        check_shape(kernels, 1, 4 * group, group, 0, (enum filling)(group % FILLINGS));
        check_shape(kernels, 3, 9 * group + group / 2 + 1, group, 0, MIXED);
        check_shape(kernels, BLOCK_LANES, 2 * group + 1, group, 2, MIXED);
    }
    for (uint32_t lanes = 1; lanes <= BLOCK_LANES; lanes++)
        for (int filling = 0; filling < FILLINGS; filling++) {
            check_shape(kernels, lanes, 1000, 128, 0, (enum filling)filling);
            check_shape(kernels, lanes, 896, 128, 7, (enum filling)filling);
        }
    for (int filling = 0; filling < FILLINGS; filling++) {
        check_shape(kernels, 1, 3584, 128, 0, (enum filling)filling);
        check_shape(kernels, 11, 1100, 500, 0, (enum filling)filling);
    }
}

static void test_integrate(void **state)
{
    (void)state;
    check_integrate(plain());
    each_version(check_integrate);
}

/* Within the rounding of so many products and sums? */
static void assert_near(double got, long double sum, long double magnitude, uint32_t terms)
{
    assert_true(fabsl((long double)got - sum) <= magnitude * (terms + 8) * 0x1p-52L);
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

/* Narrow weights against the same weights converted first. */
static void check_dot_narrow(const struct kernels *kernels)
{
    for (uint32_t inputs = 0; inputs <= 300; inputs++) {
        uint16_t *narrow = block(inputs, sizeof *narrow);
        float *weights = block(inputs, sizeof *weights);
        double *values = block(inputs, sizeof *values);
        for (uint32_t i = 0; i < inputs; i++) {
            do /* which NaN comes of two is nobody's promise */
                narrow[i] = (uint16_t)random_bits();
            while ((narrow[i] & 0x7c00) == 0x7c00);
            values[i] = random_double();
        }
        plain()->from_half(narrow, weights, inputs);
        assert_same_double(kernels->dot_half(narrow, values, inputs),
                           dot_in_order(weights, values, inputs));
        plain()->from_bfloat(narrow, weights, inputs);
        assert_same_double(kernels->dot_bfloat(narrow, values, inputs),
                           dot_in_order(weights, values, inputs));
        free(narrow);
        free(weights);
        free(values);
    }
}

static void test_dot(void **state)
{
    (void)state;
    check_dot(plain());
    each_version(check_dot);
    check_dot_narrow(plain());
    each_version(check_dot_narrow);
}

/* Every row and lane of a tile against a dot of its own. */
static void check_tile(const struct kernels *kernels, uint32_t inputs, uint32_t rows,
                       uint32_t lanes)
{
    struct float_tile tile = {
        .rows = rows, .lanes = lanes, .inputs = inputs, .stride = inputs + inputs % 3};
    float *weights[TILE_ROWS];
    size_t length = (lanes - 1) * tile.stride + inputs;
    double *values = block(length, sizeof *values);
    double *sums = block((lanes - 1) * TILE_ROWS + rows, sizeof *sums);
    for (size_t i = 0; i < length; i++)
        values[i] = random_double();
    for (uint32_t row = 0; row < rows; row++) {
        weights[row] = block(inputs, sizeof *weights[row]);
        for (uint32_t i = 0; i < inputs; i++)
            weights[row][i] = (float)random_double();
        tile.weights[row] = weights[row];
    }
    tile.values = values;
    kernels->dot_tile(&tile, sums);
    for (uint32_t lane = 0; lane < lanes; lane++)
        for (uint32_t row = 0; row < rows; row++)
            assert_same_double(sums[lane * TILE_ROWS + row],
                               dot_in_order(weights[row], values + lane * tile.stride, inputs));
    for (uint32_t row = 0; row < rows; row++)
        free(weights[row]);
    free(values);
    free(sums);
}

static void check_tiles(const struct kernels *kernels)
{
    for (uint32_t inputs = 1; inputs <= 200; inputs++)
        check_tile(kernels, inputs, TILE_ROWS, TILE_LANES);
    for (uint32_t rows = 1; rows <= TILE_ROWS; rows++)
        for (uint32_t lanes = 1; lanes <= TILE_LANES; lanes++)
            check_tile(kernels, 64 + 7 * rows + lanes, rows, lanes);
    check_tile(kernels, 3584, TILE_ROWS, TILE_LANES);
}

static void test_tile(void **state)
{
    (void)state;
    check_tiles(plain());
    each_version(check_tiles);
}

/* The sum that kernels.h promises for weights in 8 bits, from whole numbers in 64 bits. */
static double byte_sum_in_order(const struct byte_block *weights, const struct byte_values *values,
                                uint32_t lane, uint32_t row)
{
    uint32_t pairs = byte_pairs(weights->inputs), groups = byte_groups(weights->inputs);
    volatile double sum = 0; /* volatile: nothing fused */
    for (uint32_t g = 0; g < groups; g++) {
        int64_t total = 0;
        for (uint32_t i = g * BYTE_GROUP; i < weights->inputs && i < (g + 1) * BYTE_GROUP; i++) {
            const int16_t *digit = values->digits +
                                   ((size_t)lane * pairs + i / 2) * BYTE_DIGITS * 2 + i % 2;
            int64_t whole = digit[0] + digit[2] * INT64_C(65536) + digit[4] * (INT64_C(1) << 32);
            total += whole * weights->codes[((size_t)(i / 2) * BYTE_ROWS + row) * 2 + i % 2];
        }
        volatile double factor = (double)weights->scales[(size_t)g * BYTE_ROWS + row] *
                                 values->steps[(size_t)lane * groups + g];
        volatile double product = factor * (double)total;
        sum = sum + product;
    }
    return sum;
}

/* What is random, or the largest there may be. */
static void check_bytes_shape(const struct kernels *kernels, uint32_t inputs, uint32_t lanes,
                              bool extreme)
{
    uint32_t pairs = byte_pairs(inputs), groups = byte_groups(inputs);
    size_t shift = inputs % 4, codes_length = byte_block_size(inputs);
    size_t digits_length = (size_t)lanes * pairs * BYTE_DIGITS * 2;
    int8_t *codes = block(shift + codes_length, 1);
    float *scales = block((size_t)groups * BYTE_ROWS, sizeof *scales);
    int16_t *digits = block(digits_length, sizeof *digits);
    double *steps = block((size_t)lanes * groups, sizeof *steps);
    double *sums = block((size_t)lanes * BYTE_ROWS, sizeof *sums);
    for (size_t i = 0; i < codes_length; i++)
        codes[shift + i] = extreme ? -128 : (int8_t)random_bits();
    for (size_t i = 0; i < (size_t)groups * BYTE_ROWS; i++)
        scales[i] = (float)random_double();
    for (size_t i = 0; i < digits_length; i++) /* highest digits are at most 2^14 */
        digits[i] = (int16_t)(i / 2 % BYTE_DIGITS != 2 ? (extreme ? -32768 : (int)random_bits())
                              : extreme                ? 16384
                                                       : (int)(random_bits() % 32769) - 16384);
    for (size_t i = 0; i < (size_t)lanes * groups; i++)
        steps[i] = random_bits() % 50 == 0 ? (double)NAN : ldexp(1, (int)(random_bits() % 60) - 60);
    for (uint32_t row = 0; row < BYTE_ROWS && inputs % 2 != 0; row++) /* what is not there */
        codes[shift + codes_length - 2 * BYTE_ROWS + 2 * row + 1] = 0;
    struct byte_block weights = {inputs, codes + shift, scales};
    struct byte_values values = {lanes, digits, steps};
    kernels->dot_bytes(&weights, &values, sums);
    for (uint32_t lane = 0; lane < lanes; lane++)
        for (uint32_t row = 0; row < BYTE_ROWS; row++) {
            double expected = byte_sum_in_order(&weights, &values, lane, row);
            double got = sums[lane * BYTE_ROWS + row];
            if (isnan(expected))
                assert_true(isnan(got));
            else
                assert_same_double(got, expected);
        }
    free(codes);
    free(scales);
    free(digits);
    free(steps);
    free(sums);
}

static void check_bytes(const struct kernels *kernels)
{
    for (uint32_t inputs = 1; inputs <= 300; inputs++)
        check_bytes_shape(kernels, inputs, 1 + inputs % BYTE_LANES, inputs % 7 == 0);
    for (uint32_t lanes = 1; lanes <= BYTE_LANES; lanes++)
        for (int extreme = 0; extreme < 2; extreme++) {
            check_bytes_shape(kernels, 1, lanes, extreme != 0);
            check_bytes_shape(kernels, 128, lanes, extreme != 0);
            check_bytes_shape(kernels, 3584, lanes, extreme != 0);
        }
}

static void test_bytes(void **state)
{
    (void)state;
    check_bytes(plain());
    each_version(check_bytes);
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
        cmocka_unit_test(test_integrate), cmocka_unit_test(test_dot),
        cmocka_unit_test(test_tile),      cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_dot_key),   cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_floats),    cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
