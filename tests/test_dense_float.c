/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Dense floating-point weights: rounding to each format against definitions that share nothing
 * with it, and delivery in every format, for every number of lanes and version of the kernels,
 * against sums in higher precision and against itself lane by lane.
 */
#include "neurons/delivery/dense_float.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t random_state = UINT64_C(0x243f6a8885a308d3);

static uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

static double random_double(void)
{
    return ldexp((double)(int64_t)random_bits() * 0x1p-63, (int)(random_bits() % 12) - 6);
}

static float float_of(uint32_t bits)
{
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static const struct kernels *plain(void)
{
    return kernels_find("plain", NULL);
}

/* ---- rounding ---- */

/* What `format` makes of one number; false where it refuses. */
static bool rounded(enum float_format format, float number, double *out)
{
    struct error error = {0};
    struct dense_float *dense = dense_float_new_unset(1, 1, format, &error);
    assert_non_null(dense);
    bool set = dense_float_set_row(dense, 0, &number, &error);
    assert_int_equal(set, error.code == ERROR_NONE);
    if (set)
        dense_float_values(dense, plain(), 0, out);
    dense_float_free(dense);
    return set;
}

/* To `digits` binary digits, none below 2^lowest, half to even. */
static double rounded_by_definition(float number, int digits, int lowest)
{
    int exponent;
    frexp((double)number, &exponent);
    int unit = exponent - digits > lowest ? exponent - digits : lowest;
    double scaled = ldexp((double)number, -unit), whole = floor(scaled), rest = scaled - whole;
    whole += rest > 0.5 || (rest == 0.5 && fmod(whole, 2) != 0) ? 1 : 0;
    return ldexp(whole, unit);
}

static void check_narrow(float number)
{
    double got, expected = rounded_by_definition(number, 8, -133);
    bool fits = fabs(expected) < 0x1p128;
    assert_int_equal(rounded(FLOAT_BFLOAT, number, &got), fits);
    if (fits)
        assert_true(got == expected && !signbit(got) == !signbit(number));
    expected = rounded_by_definition(number, 11, -24);
    fits = fabs(expected) < 65536;
    assert_int_equal(rounded(FLOAT_HALF, number, &got), fits);
    if (fits)
        assert_true(got == expected && !signbit(got) == !signbit(number));
    assert_true(rounded(FLOAT_SINGLE, number, &got) && got == (double)number);
}

static void test_rounding(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 200000; i++) {
        uint32_t bits = (uint32_t)random_bits();
        if (i % 4 != 0) /* ties and their neighbours, where halves lie */
            bits = (bits & 0x8000ffff) % 3 + ((bits & 0x3ffff) << 12) + 0x33000000 +
                   (bits & 0x80000000) - 1;
        if ((bits & 0x7f800000) != 0x7f800000)
            check_narrow(float_of(bits));
    }
    static const uint32_t edges[] = {0,          0x80000000, 1,          0x7f7fffff, 0x7f7f8000,
                                     0x7f7f7fff, 0xff7f8000, 0x00008000, 0x00018000, 0x00008001,
                                     0x477fefff, 0x477ff000, 0x477fe000, 0x47800000, 0x33000000,
                                     0x33000001, 0x32ffffff, 0x33800000, 0x33c00000, 0x387fe000,
                                     0x387ff000, 0x387fffff, 0x38800000, 0xc77ff000, 0x007fffff};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        check_narrow(float_of(edges[i]));
}

static void test_byte_rounding(void **state)
{
    (void)state;
    enum { INPUTS = 300, ROWS = 21 };
    struct error error = {0};
    float rows[ROWS][INPUTS];
    struct dense_float *dense = dense_float_new_unset(ROWS, INPUTS, FLOAT_BYTE, &error);
    assert_non_null(dense);
    for (uint32_t row = 0; row < ROWS; row++) {
        for (uint32_t i = 0; i < INPUTS; i++)
            rows[row][i] = row == 3   ? 0
                           : row == 4 ? float_of((uint32_t)random_bits() % 999 | i << 31) /* tiny */
                           : row == 5 ? (float)((int)(random_bits() % 255) - 127) / 2 /* ties */
                           : row == 6 ? float_of(0x7f7fffff) * (random_bits() % 2 == 0 ? 1 : -1)
                                      : (float)random_double();
        if (row == 5)
            rows[row][0] = rows[row][128] = rows[row][256] = 127;
        assert_true(dense_float_set_row(dense, row, rows[row], &error));
    }
    for (uint32_t row = 0; row < ROWS; row++) {
        double values[INPUTS];
        dense_float_values(dense, plain(), row, values);
        for (uint32_t begin = 0; begin < INPUTS; begin += 128) {
            uint32_t end = begin + 128 < INPUTS ? begin + 128 : INPUTS;
            double largest = 0;
            for (uint32_t i = begin; i < end; i++)
                largest = fmax(largest, fabs((double)rows[row][i]));
            double scale = (double)(float)(largest / 127);
            for (uint32_t i = begin; i < end; i++) {
                double code = scale > 0 ? rint((double)rows[row][i] / scale) : 0;
                code = fmin(fmax(code, -127), 127);
                assert_true(values[i] == scale * code);
                if (row != 4)
                    assert_true(fabs(values[i] - (double)rows[row][i]) <= scale * 0.50001);
            }
        }
    }
    dense_float_free(dense);
}

static void test_refused_numbers(void **state)
{
    (void)state;
    static const struct {
        enum float_format format;
        uint32_t bits;
        const char *said;
    } cases[] = {
        {FLOAT_SINGLE, 0x7f800000, "not finite (row 4, column 6)"},
        {FLOAT_BFLOAT, 0x7fffffff, "not finite (row 4, column 6)"},
        {FLOAT_BFLOAT, 0xff800000, "not finite (row 4, column 6)"},
        {FLOAT_BFLOAT, 0x7f7fffff, "(row 4, column 6), which is too large for bfloat16"},
        {FLOAT_HALF, 0xff800001, "not finite (row 4, column 6)"},
        {FLOAT_HALF, 0xc77ff000, "holds -65520 (row 4, column 6), which is too large for half"},
        {FLOAT_BYTE, 0x7fc00000, "not finite (row 4, column 6)"},
        {FLOAT_BYTE, 0xff800000, "not finite (row 4, column 6)"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (uint32_t threads = 0; threads <= 3; threads++) {
            float numbers[20 * 7];
            for (uint32_t i = 0; i < 20 * 7; i++)
                numbers[i] = (float)random_double();
            numbers[4 * 7 + 6] = float_of(cases[c].bits);
            numbers[19 * 7] = INFINITY; /* a later one is not what is told */
            struct error error = {0};
            struct dense_float source = {
                .outputs = 20, .inputs = 7, .format = FLOAT_SINGLE, .weights = numbers};
            struct workers *workers = threads > 0 ? workers_new(threads, &error) : NULL;
            assert_null(dense_float_convert(&source, cases[c].format, "the table", plain(),
                                            workers, false, &error));
            workers_free(workers);
            assert_int_equal(error.code, ERROR_FAILED);
            if (strstr(error.text, cases[c].said) == NULL ||
                strstr(error.text, "the table holds") == NULL)
                fail_msg("case %zu gives \"%s\"", c, error.text);
        }
    struct error error = {0};
    assert_null(dense_float_new_unset(1, DENSE_FLOAT_INPUTS + 1, FLOAT_BYTE, &error));
    assert_non_null(strstr(error.text, "inputs"));
}

/* From a mapped file at an odd place, whose memory is handed back while it is read: the same bytes
 * for any number of threads, and the file can be read again. */
static void test_mapped_source(void **state)
{
    (void)state;
    enum { ROWS = 3000, INPUTS = 1501, SHIFT = 3 };
    const size_t length = SHIFT + (size_t)ROWS * INPUTS * sizeof(float);
    unsigned char *bytes = calloc(length, 1);
    FILE *file = tmpfile();
    assert_true(bytes != NULL && file != NULL);
    for (size_t i = 0; i < (size_t)ROWS * INPUTS; i++) {
        float number = (float)random_double();
        memcpy(bytes + SHIFT + i * sizeof number, &number, sizeof number);
    }
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fflush(file), 0);
    void *mapped = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fileno(file), 0);
    assert_true(mapped != MAP_FAILED);
    struct dense_float source = {.outputs = ROWS, .inputs = INPUTS, .format = FLOAT_SINGLE,
                                 .weights = (char *)mapped + SHIFT};
    for (int format = FLOAT_SINGLE; format <= FLOAT_BYTE; format++) {
        struct error error = {0};
        struct dense_float *copies[3];
        for (uint32_t threads = 0; threads < 3; threads++) {
            struct workers *workers = threads > 0 ? workers_new(threads, &error) : NULL;
            copies[threads] = dense_float_convert(&source, (enum float_format)format, "", plain(),
                                                  workers, threads != 1, &error);
            assert_non_null(copies[threads]);
            workers_free(workers);
            assert_memory_equal(copies[threads]->owned, copies[0]->owned,
                                dense_float_bytes(copies[0]));
        }
        if (format == FLOAT_SINGLE)
            assert_memory_equal(copies[0]->owned, bytes + SHIFT, length - SHIFT);
        for (uint32_t threads = 0; threads < 3; threads++)
            dense_float_free(copies[threads]);
    }
    dense_float_hand_back(&source);
    assert_memory_equal(mapped, bytes, length);
    munmap(mapped, length);
    fclose(file);
    free(bytes);
}

/* ---- delivery ---- */

struct stage {
    struct population target;
    struct port port;
    struct projection projection;
    struct delivery delivery;
};

static void stage_fill(struct stage *stage, struct dense_float *dense, const double *values,
                       uint32_t lanes, double *current)
{
    *stage = (struct stage){.port = {.width = dense->outputs, .current = current}};
    stage->target.ports = &stage->port;
    stage->target.port_count = 1;
    stage->projection = (struct projection){.target = &stage->target, .weights = dense};
    stage->delivery = (struct delivery){.values = values, .lanes = lanes};
}

/* The matrix, in double, and its sums, which start from what the targets hold. */
static void check_sums(const struct dense_float *dense, const double *values, uint32_t lanes,
                       const double *before, const double *got)
{
    double *row = malloc(dense->inputs * sizeof *row);
    assert_non_null(row);
    for (uint32_t r = 0; r < dense->outputs; r++) {
        dense_float_values(dense, plain(), r, row);
        for (uint32_t lane = 0; lane < lanes; lane++) {
            long double sum = dense->bias != NULL ? (long double)dense->bias[r] : 0, size = 1;
            for (uint32_t i = 0; i < dense->inputs; i++) {
                long double product = (long double)row[i] *
                                      (long double)values[(size_t)lane * dense->inputs + i];
                sum += product;
                size += fabsl(product);
            }
            size_t at = (size_t)lane * dense->outputs + r;
            long double bound = size * (dense->format == FLOAT_BYTE ? 0x1p-38L : 0x1p-45L);
            assert_true(fabsl((long double)got[at] - (sum + (long double)before[at])) <= bound);
        }
    }
    free(row);
}

/* All lanes with each version of the kernels, in two parts; then lane by lane. */
static void check_delivery(struct dense_float *dense, uint32_t lanes)
{
    size_t length = (size_t)lanes * dense->outputs;
    double *values = malloc((size_t)lanes * dense->inputs * sizeof *values);
    double *before = malloc(length * sizeof *before), *got = malloc(length * sizeof *got);
    double *expected = malloc(length * sizeof *expected);
    assert_true(values != NULL && before != NULL && got != NULL && expected != NULL);
    for (size_t i = 0; i < (size_t)lanes * dense->inputs; i++)
        values[i] = random_double();
    for (size_t i = 0; i < length; i++)
        before[i] = random_double();
    struct stage stage;
    size_t versions;
    const struct kernels *const *available = kernels_available(&versions);
    memcpy(expected, before, length * sizeof *before);
    stage_fill(&stage, dense, values, lanes, expected);
    projection_dense_float.deliver(&stage.projection, &stage.delivery, plain(), 0,
                                   dense->outputs);
    check_sums(dense, values, lanes, before, expected);
    for (size_t v = 0; v < versions; v++) {
        memcpy(got, before, length * sizeof *before);
        stage_fill(&stage, dense, values, lanes, got);
        uint32_t middle = (uint32_t)(random_bits() % dense->outputs);
        projection_dense_float.deliver(&stage.projection, &stage.delivery, available[v], 0, middle);
        projection_dense_float.deliver(&stage.projection, &stage.delivery, available[v], middle,
                                       dense->outputs);
        assert_memory_equal(got, expected, length * sizeof *got);
        memcpy(got, before, length * sizeof *before);
        for (uint32_t lane = 0; lane < lanes; lane++) {
            stage.delivery.lane_from = lane;
            stage.delivery.lanes = lane + 1;
            projection_dense_float.deliver(&stage.projection, &stage.delivery, available[v], 0,
                                           dense->outputs);
        }
        assert_memory_equal(got, expected, length * sizeof *got);
    }
    free(values);
    free(before);
    free(got);
    free(expected);
}

static void check_shape(enum float_format format, uint32_t outputs, uint32_t inputs,
                        uint32_t lanes, size_t shift)
{
    struct error error = {0};
    float *numbers = malloc(((size_t)outputs * inputs + 1) * sizeof *numbers);
    assert_non_null(numbers);
    for (size_t i = 0; i < (size_t)outputs * inputs; i++)
        numbers[i] = (float)random_double();
    struct dense_float source = {
        .outputs = outputs, .inputs = inputs, .format = FLOAT_SINGLE, .weights = numbers};
    struct dense_float *dense =
        dense_float_convert(&source, format, "", plain(), NULL, false, &error);
    assert_non_null(dense);
    char *moved = malloc(dense_float_bytes(dense) + shift);
    assert_non_null(moved);
    if (shift > 0) { /* as in a file whose header has an odd length */
        memcpy(moved + shift, dense->weights, dense_float_bytes(dense));
        dense->weights = moved + shift;
    }
    if (outputs % 2 == 0) {
        dense->bias = malloc(outputs * sizeof *dense->bias);
        assert_non_null(dense->bias);
        for (uint32_t r = 0; r < outputs; r++)
            dense->bias[r] = random_double();
    }
    check_delivery(dense, lanes);
    struct dense_float *shared = dense_float_share(dense, &error);
    assert_non_null(shared);
    assert_true(shared->weights == dense->weights && shared->bias == NULL);
    dense_float_free(shared);
    free(moved);
    dense_float_free(dense);
    free(numbers);
}

static void test_delivery(void **state)
{
    (void)state;
    for (int format = FLOAT_SINGLE; format <= FLOAT_BYTE; format++) {
        enum float_format f = (enum float_format)format;
        for (uint32_t lanes = 1; lanes <= 9; lanes++)
            check_shape(f, 37 + lanes, 128 + 9 * lanes, lanes, 0);
        for (uint32_t inputs = 1; inputs <= 40; inputs++)
            check_shape(f, inputs, inputs, 1 + inputs % 5, 0);
        check_shape(f, 20, 3584, 5, 0);
        if (f == FLOAT_BYTE)
            continue;
        for (size_t shift = 1; shift <= 3; shift++)
            for (uint32_t lanes = 1; lanes <= 5; lanes += 4)
                check_shape(f, 9, 1100, lanes, shift);
    }
}

/* Rows too long for several on the stack. */
static void test_long_rows(void **state)
{
    (void)state;
    check_shape(FLOAT_BYTE, 2, DENSE_FLOAT_INPUTS, 2, 0);
    check_shape(FLOAT_BFLOAT, 5, (1 << 16) + 1, 5, 0);
}

/* ---- values as digits ---- */

static void test_split(void **state)
{
    (void)state;
    enum { INPUTS = 1027, GROUPS = 9, PAIRS = 514 };
    double values[INPUTS], steps[GROUPS];
    int16_t digits[PAIRS * BYTE_DIGITS * 2];
    for (uint32_t i = 0; i < INPUTS; i++)
        values[i] = random_double();
    for (uint32_t i = 128; i < 256; i++)
        values[i] = 0;
    for (uint32_t i = 256; i < 384; i++) /* the largest there are */
        values[i] = i % 2 == 0 ? 0x1.fffffffffffffp1023 : -0x1p1023;
    for (uint32_t i = 384; i < 512; i++) /* too small for steps that are normal numbers */
        values[i] = random_double() * 0x1p-940;
    for (uint32_t i = 512; i < 640; i++) /* halves of a step */
        values[i] = ((double)(random_bits() % 1000) + 0.5) * 0x1p-46;
    values[600] = -0.75;
    values[700] = INFINITY; /* group 5 */
    values[800] = (double)NAN; /* group 6 */
    byte_values_split(values, INPUTS, digits, steps);
    for (uint32_t i = 0; i < INPUTS; i++) {
        uint32_t g = i / 128;
        double step = steps[g];
        const int16_t *digit = digits + (i / 2) * BYTE_DIGITS * 2 + i % 2;
        int64_t whole = digit[0] + 65536 * (digit[2] + 65536 * (int64_t)digit[4]);
        if (g == 5 || g == 6) {
            assert_true(isnan(step) && whole == 0);
            continue;
        }
        int exponent;
        assert_true(frexp(step, &exponent) == 0.5);
        double largest = 0;
        for (uint32_t j = g * 128; j < (g + 1) * 128 && j < INPUTS; j++)
            largest = fmax(largest, fabs(values[j]));
        if (g != 1 && g != 3)
            assert_true(largest < step * 0x1p46 && largest >= step * 0x1p45);
        assert_true((double)whole == rint(values[i] / step));
        assert_true(digit[4] >= -16384 && digit[4] <= 16384);
    }
    assert_int_equal(digits[(PAIRS - 1) * BYTE_DIGITS * 2 + 1], 0); /* what a pair lacks */
}

/* A value that is not a number reaches every sum. */
static void test_not_a_number(void **state)
{
    (void)state;
    struct error error = {0};
    float numbers[2 * 130] = {0};
    double values[130] = {0}, current[2];
    struct dense_float source = {
        .outputs = 2, .inputs = 130, .format = FLOAT_SINGLE, .weights = numbers};
    struct dense_float *dense =
        dense_float_convert(&source, FLOAT_BYTE, "", plain(), NULL, false, &error);
    assert_non_null(dense);
    values[129] = (double)NAN;
    size_t versions;
    const struct kernels *const *available = kernels_available(&versions);
    for (size_t v = 0; v < versions; v++) {
        struct stage stage;
        current[0] = current[1] = 0;
        stage_fill(&stage, dense, values, 1, current);
        projection_dense_float.deliver(&stage.projection, &stage.delivery, available[v], 0, 2);
        assert_true(isnan(current[0]) && isnan(current[1]));
    }
    dense_float_free(dense);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounding),      cmocka_unit_test(test_byte_rounding),
        cmocka_unit_test(test_refused_numbers), cmocka_unit_test(test_mapped_source),
        cmocka_unit_test(test_delivery),      cmocka_unit_test(test_long_rows),
        cmocka_unit_test(test_split),         cmocka_unit_test(test_not_a_number),
    };
    return cmocka_run_group_tests_name("dense float", tests, NULL, NULL);
}
