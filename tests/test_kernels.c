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
        return (int16_t)((int)(random_bits() % 65408) - 32768);
    case SMALLEST:
        return -32768;
    case LARGEST: /* that two bytes hold */
        return 32639;
    default:
        return i % 3 == 0 ? 32639 : -32768;
    }
}

/* A band of random weights, of one to a few pieces. */
struct weights {
    struct code_band band;
    int32_t *whole; /* [height][inputs], the codes with their extras */
    uint8_t *codes;
    float *scales;
    struct extra *extras;
    uint32_t *start;
};

/* Lists what codes exceed 8 bits by: for 128 inputs of a group and 512 rows at a time. */
static uint32_t list_extras(struct weights *w, uint32_t inputs, uint32_t group, uint32_t height)
{
    uint32_t length = 0, list = 0;
    for (uint32_t g = 0; g < inputs; g += group)
        for (uint32_t segment = 0; segment < group; segment += 128)
            for (uint32_t stretch = 0; stretch < BAND_ROWS; stretch += 512) {
                w->start[list++] = length;
                for (uint32_t i = 0; i < 128 && segment + i < group && g + segment + i < inputs; i++)
                    for (uint32_t r = 0; r < 512 && stretch + r < height; r++) {
                        int32_t code = w->whole[(size_t)(stretch + r) * inputs + g + segment + i];
                        int32_t extra = code < -128 ? code + 128 : code > 127 ? code - 127 : 0;
                        if (extra != 0)
                            w->extras[length++] =
                                (struct extra){(uint16_t)(r + 512 * i), (int16_t)extra};
                    }
            }
    w->start[list] = length;
    return length;
}

static struct weights weights_new(uint32_t inputs, uint32_t group, uint32_t height,
                                  enum filling filling)
{
    size_t cells = (size_t)height * inputs;
    struct weights w = {
        .whole = block(cells, sizeof *w.whole),
        .codes = block(cells, 1),
        .scales = block((size_t)group_count(inputs, group) * height, sizeof *w.scales),
        .extras = block(cells, sizeof *w.extras),
        .start = block((size_t)group_count(inputs, group) * segment_count(group) * STRETCHES + 1,
                       sizeof *w.start),
    };
    bool exceeds = random_bits() % 4 != 0;
    for (uint32_t i = 0; i < group_count(inputs, group) * height; i++)
        w.scales[i] = (float)random_double();
    for (uint32_t i = 0; i < inputs; i++) {
        for (uint32_t row = 0; row < height; row++) {
            int32_t code = filled_code(filling, i + row);
            int32_t held = code < -128 ? -128 : code > 127 ? 127 : code;
            code = exceeds ? code : held;
            w.whole[(size_t)row * inputs + i] = code;
            /* Row 16 v + 4 l + j of a piece stands at 16 l + 4 v + j. */
            uint32_t in_piece = row % 64, v = in_piece / 16, l = in_piece / 4 % 4, j = row % 4;
            w.codes[(size_t)i * height + (row - in_piece) + 16 * l + 4 * v + j] =
                (uint8_t)(held + 128);
        }
    }
    uint32_t length = list_extras(&w, inputs, group, height);
    w.extras = realloc(w.extras, length * sizeof *w.extras + (length == 0));
    assert_non_null(w.extras);
    w.band = (struct code_band){inputs, group, height, w.codes, w.scales, w.extras, w.start};
    return w;
}

static void weights_free(struct weights *w)
{
    free(w->whole);
    free(w->codes);
    free(w->scales);
    free(w->extras);
    free(w->start);
}

/* The list that code_band.h describes. */
static struct firing_list firing_new(const struct weights *w, const int16_t *counts)
{
    uint32_t inputs = w->band.inputs, group = w->band.group, at = 0;
    size_t room = firing_room(inputs, group);
    struct firing_list list = {counts, block(room, sizeof *list.inputs), block(room, 1),
                               block(group_count(inputs, group), sizeof *list.groups)};
    for (uint32_t g = 0; g < group_count(inputs, group); g++) {
        uint32_t first = g * group, last = first + group < inputs ? first + group : inputs;
        list.groups[g] = (struct firing_group){.high = at};
        for (int high = 1; high >= 0; high--) {
            uint32_t begin = at;
            for (uint32_t i = first; i < last; i++) {
                int32_t low_byte = (int8_t)(uint8_t)(counts[i] & 0xff);
                int32_t byte = high ? (counts[i] - low_byte) / 256 : low_byte;
                if (high ? byte == 0 : counts[i] == 0)
                    continue;
                list.inputs[at] = i;
                list.bytes[at++] = (int8_t)byte;
                list.groups[g].firing += high ? 0 : 1;
                list.groups[g].sum += high ? 0 : counts[i];
            }
            for (; (at - begin) % FIRING_UNIT != 0; at++) {
                list.inputs[at] = last - 1;
                list.bytes[at] = 0;
            }
            if (high)
                list.groups[g].low = at;
        }
        list.groups[g].end = at;
    }
    for (uint32_t k = 0; k < FIRING_UNIT; k++)
        list.inputs[at + k] = inputs - 1;
    return list;
}

/* The sum that kernels.h promises, from whole codes in 64 bits. */
static double sum_in_order(const struct weights *w, const int16_t *counts, uint32_t first_group,
                           uint32_t groups, uint32_t row)
{
    const uint32_t inputs = w->band.inputs, group = w->band.group;
    volatile double sum = 0; /* volatile: nothing fused */
    for (uint32_t g = first_group; g < first_group + groups; g++) {
        int64_t total = 0;
        for (size_t i = (size_t)g * group; i < inputs && i < ((size_t)g + 1) * group; i++)
            total += (int64_t)w->whole[(size_t)row * inputs + i] * counts[i];
        assert_true(total >= INT32_MIN && total <= INT32_MAX);
        volatile double product = (double)w->scales[(size_t)g * w->band.height + row] *
                                  (double)total;
        sum = sum + product;
    }
    return sum;
}

/* Some groups and rows of one lane. */
static void check_lane(const struct kernels *kernels, const struct weights *w,
                       const int16_t *counts, uint32_t first_group, uint32_t groups,
                       uint32_t begin, uint32_t end)
{
    struct firing_list firing = firing_new(w, counts);
    double *sums = block(end - begin, sizeof *sums);
    kernels->integrate(&w->band, &firing, first_group, groups, begin, end, sums);
    for (uint32_t row = begin; row < end; row++)
        assert_same_double(sums[row - begin], sum_in_order(w, counts, first_group, groups, row));
    free(sums);
    free(firing.inputs);
    free(firing.bytes);
    free(firing.groups);
}

static void check_lanes(const struct kernels *kernels, const struct weights *w,
                        struct count_block counts, uint32_t first_group, uint32_t groups,
                        uint32_t begin, uint32_t end)
{
    double *sums = block((size_t)(end - begin) * LANES_TOGETHER, sizeof *sums);
    kernels->integrate_lanes(&w->band, &counts, first_group, groups, begin, end, sums);
    for (uint32_t lane = 0; lane < counts.lanes; lane++)
        for (uint32_t row = begin; row < end; row++)
            assert_same_double(sums[(size_t)(row - begin) * LANES_TOGETHER + lane],
                               sum_in_order(w, counts.counts + lane * counts.stride, first_group,
                                            groups, row));
    free(sums);
}

/* One shape: all of it, and a part of its groups and rows. */
static void check_shape(const struct kernels *kernels, uint32_t lanes, uint32_t inputs,
                        uint32_t group, size_t spare, enum filling filling)
{
    uint32_t pieces = 1 + (uint32_t)(random_bits() % 3), groups = group_count(inputs, group);
    uint32_t height = pieces * PIECE_ROWS;
    uint32_t begin = (uint32_t)(random_bits() % pieces) * PIECE_ROWS;
    uint32_t first_group = (uint32_t)(random_bits() % groups);
    struct weights w = weights_new(inputs, group, height, filling);
    size_t shift = random_bits() % 5, stride = inputs + spare;
    size_t length = lanes * stride - spare; /* the last lane ends the block */
    int16_t *counts = block(shift + length, sizeof *counts);
    bool sparse = random_bits() % 2 == 0;
    for (size_t i = 0; i < length; i++)
        counts[shift + i] = sparse && random_bits() % 3 != 0 ? 0 : filled_count(filling, i);
    check_lane(kernels, &w, counts + shift, 0, groups, 0, height);
    check_lane(kernels, &w, counts + shift, first_group, groups - first_group, begin,
               begin + PIECE_ROWS);
    struct count_block block_of = {lanes, stride, counts + shift};
    check_lanes(kernels, &w, block_of, 0, groups, 0, height);
    check_lanes(kernels, &w, block_of, first_group, 1, begin, height);
    free(counts);
    weights_free(&w);
}

static void check_integrate(const struct kernels *kernels)
{
    for (uint32_t inputs = 1; inputs <= 300; inputs += 1 + inputs / 40) { /* short lengths */
        enum filling filling = (enum filling)(inputs % FILLINGS);
        check_shape(kernels, 1, inputs, 128, 0, filling);
        check_shape(kernels, 1 + inputs % 20, inputs, 128, inputs % 3, MIXED);
        check_shape(kernels, 2, inputs, inputs, 0, filling);
        check_shape(kernels, 5, inputs, 1 + (uint32_t)(random_bits() % inputs), 1, RANDOM);
    }
    for (uint32_t group = 1; group <= 160; group += 1 + group / 20) { /* group sizes */
        check_shape(kernels, 1, 4 * group, group, 0, (enum filling)(group % FILLINGS));
        check_shape(kernels, 3, 9 * group + group / 2 + 1, group, 0, MIXED);
        check_shape(kernels, 17, 2 * group + 1, group, 2, MIXED);
    }
    for (uint32_t lanes = 1; lanes <= LANES_TOGETHER; lanes += 1 + lanes / 3)
        check_shape(kernels, lanes, 200, 128, 7, (enum filling)(lanes % FILLINGS));
    for (int filling = 0; filling < FILLINGS; filling++) {
        check_shape(kernels, LANES_TOGETHER, 150, 100, 0, (enum filling)filling);
        check_shape(kernels, 11, 1100, 500, 0, (enum filling)filling);
        check_shape(kernels, 2, 3584, 128, 0, (enum filling)filling);
    }
}

/* A band of full height, from its first piece to its last. */
static void check_high_band(const struct kernels *kernels)
{
    struct weights w = weights_new(40, 32, BAND_ROWS, MIXED);
    int16_t counts[40];
    for (uint32_t i = 0; i < 40; i++)
        counts[i] = filled_count(MIXED, i);
    check_lane(kernels, &w, counts, 0, 2, 0, BAND_ROWS);
    check_lane(kernels, &w, counts, 0, 2, BAND_ROWS - PIECE_ROWS, BAND_ROWS);
    check_lanes(kernels, &w, (struct count_block){1, 40, counts}, 0, 2, BAND_ROWS - ROWS_TOGETHER,
                BAND_ROWS);
    weights_free(&w);
}

static void test_integrate(void **state)
{
    (void)state;
    check_integrate(plain());
    each_version(check_integrate);
    check_high_band(plain());
    each_version(check_high_band);
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

static void fill_codes(int8_t *codes, size_t length, bool extreme)
{
    for (size_t i = 0; i < length; i++)
        codes[i] = extreme ? -128 : (int8_t)random_bits();
}

/* The sums, channel by channel and position by position, of what stands where key_block.h says. */
static void check_meeting(const struct kernels *kernels, uint32_t blocks, uint32_t pairs,
                          uint32_t queries, bool extreme)
{
    size_t bytes = (size_t)blocks * pairs * KEY_POSITIONS * 2, stride = blocks * KEY_POSITIONS + 5;
    int8_t *codes = block(bytes + 1, 1);
    int16_t *counts = block((size_t)queries * 2 * pairs, sizeof *counts);
    int32_t *dots = block(queries * stride, sizeof *dots);
    fill_codes(codes + 1, bytes, extreme);
    for (size_t i = 0; i < (size_t)queries * 2 * pairs; i++)
        counts[i] = extreme ? INT16_MAX : (int16_t)random_bits();
    const struct key_meeting meeting = {codes + 1, counts, dots, blocks, pairs, queries, stride};
    kernels->meet_keys(&meeting);
    for (uint32_t q = 0; q < queries; q++)
        for (uint32_t t = 0; t < blocks * KEY_POSITIONS; t++) {
            int64_t sum = 0;
            for (uint32_t i = 0; i < 2 * pairs; i++) {
                size_t at = (size_t)(t / KEY_POSITIONS) * pairs + i / 2;
                sum += (int64_t)codes[1 + at * KEY_POSITIONS * 2 + t % KEY_POSITIONS * 2 + i % 2] *
                       counts[(size_t)q * 2 * pairs + i];
            }
            assert_int_equal(dots[q * stride + t], sum);
        }
    free(codes);
    free(counts);
    free(dots);
}

static void check_weighing(const struct kernels *kernels, uint32_t blocks, uint32_t columns,
                           uint32_t queries, bool extreme)
{
    uint32_t positions = blocks * KEY_POSITIONS, channels = columns * VALUE_CHANNELS;
    size_t column_bytes = (size_t)positions * VALUE_CHANNELS + 64, stride = positions + 7;
    int8_t *codes = block(column_bytes * columns + 1, 1);
    int32_t *weights = block(queries * stride, sizeof *weights);
    uint32_t *whole = block((size_t)queries * positions, sizeof *whole);
    int64_t *totals = block((size_t)queries * channels, sizeof *totals);
    fill_codes(codes, column_bytes * columns + 1, extreme);
    for (size_t i = 0; i < (size_t)queries * positions; i++) {
        whole[i] = extreme ? (1 << 30) - 1 : (uint32_t)random_bits() >> 2;
        uint32_t high = whole[i] >> 15, low = whole[i] & 0x7fff;
        int32_t *pair = weights + i / positions * stride + i % positions / 2 * 2;
        pair[0] = (int32_t)(i % 2 == 0 ? high : ((uint32_t)pair[0] | high << 16));
        pair[1] = (int32_t)(i % 2 == 0 ? low : ((uint32_t)pair[1] | low << 16));
    }
    for (size_t i = 0; i < (size_t)queries * channels; i++)
        totals[i] = 1000 * (int64_t)i;
    const struct value_weighing weighing = {codes + 1, weights, totals, blocks, columns, queries,
                                            stride, column_bytes};
    kernels->weigh_values(&weighing);
    for (uint32_t q = 0; q < queries; q++)
        for (uint32_t j = 0; j < channels; j++) {
            int64_t sum = 1000 * ((int64_t)q * channels + j);
            const int8_t *code = codes + 1 + j / VALUE_CHANNELS * column_bytes;
            for (uint32_t t = 0; t < positions; t++)
                sum += (int64_t)whole[(size_t)q * positions + t] *
                       code[(t / 2 * VALUE_CHANNELS + j % VALUE_CHANNELS) * 2 + t % 2];
            assert_true(totals[(size_t)q * channels + j] == sum);
        }
    free(codes);
    free(weights);
    free(whole);
    free(totals);
}

static void check_attention(const struct kernels *kernels)
{
    for (uint32_t queries = 1; queries <= 15; queries++)
        for (uint32_t blocks = 0; blocks <= 5; blocks++)
            for (int extreme = 0; extreme < 2; extreme++) {
                check_meeting(kernels, blocks, 1 + (queries + blocks) % 9, queries, extreme != 0);
                check_weighing(kernels, blocks, 1 + blocks % 3, queries, extreme != 0);
            }
    check_weighing(kernels, 3 * WEIGHED_BLOCKS + 1, 1, 8, true);
}

static void test_attention(void **state)
{
    (void)state;
    check_attention(plain());
    each_version(check_attention);
}

/* The one that changes an array of doubles in place. */
static void check_in_place(const struct kernels *kernels)
{
    for (uint32_t length = 0; length <= 300; length++) {
        size_t shift = length % 3;
        double *values = block(shift + length, sizeof *values);
        double *got = block(shift + length, sizeof *got);
        double *expected = block(shift + length, sizeof *expected);
        double factor = random_double();
        for (size_t j = 0; j < shift + length; j++) {
            values[j] = random_double();
            expected[j] = got[j] = random_double();
            volatile double product = factor * values[j];
            if (j >= shift)
                expected[j] += product;
        }
        kernels->add_scaled(got + shift, factor, values + shift, length);
        assert_memory_equal(got, expected, (shift + length) * sizeof *got);
        free(values);
        free(got);
        free(expected);
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
        cmocka_unit_test(test_attention), cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_floats),    cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
