/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Count codings against their definitions, and the adaptive threshold against
 * closed forms for Gaussian and Laplace inputs.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <gsl/gsl_cdf.h>

#include "encoding/train.h"

enum { VECTOR = 5 };

static int bits_of(uint64_t value)
{
    int bits = 0;
    for (; value > 0; value >>= 1)
        bits += (int)(value & 1);
    return bits;
}

/* T, zero point and spikes as the facts' table states them, from first principles. */
struct expectation {
    long ticks, zero;
    int (*spikes)(long count, long zero, long ticks);
};

static int spikes_binary(long count, long zero, long ticks)
{
    (void)ticks;
    return (int)(count - zero);
}

static int spikes_ternary(long count, long zero, long ticks)
{
    (void)zero, (void)ticks;
    return (int)labs(count);
}

static int spikes_bitwise(long count, long zero, long ticks)
{
    (void)zero, (void)ticks;
    return bits_of((uint64_t)labs(count));
}

static int spikes_unsigned(long count, long zero, long ticks)
{
    (void)ticks;
    return bits_of((uint64_t)(count - zero));
}

static int spikes_wrapped(long count, long zero, long ticks)
{
    (void)zero;
    long modulus = 1L << ticks;
    return bits_of((uint64_t)((count % modulus + modulus) % modulus));
}

static long ceil_log2(long n) /* of n >= 1 */
{
    long bits = 0;
    while (1L << bits < n)
        bits++;
    return bits;
}

static long at_least(long value, long least)
{
    return value < least ? least : value;
}

static struct expectation expect(const char *name, const int32_t *counts)
{
    long smallest = counts[0], largest = counts[0];
    for (int i = 1; i < VECTOR; i++) {
        smallest = counts[i] < smallest ? counts[i] : smallest;
        largest = counts[i] > largest ? counts[i] : largest;
    }
    long zero = smallest < 0 ? smallest : 0;
    long magnitude = labs(smallest) > labs(largest) ? labs(smallest) : labs(largest);
    if (strcmp(name, "binary") == 0)
        return (struct expectation){at_least(largest - zero, 1), zero, spikes_binary};
    if (strcmp(name, "ternary") == 0)
        return (struct expectation){at_least(magnitude, 1), 0, spikes_ternary};
    if (strcmp(name, "bitwise") == 0)
        return (struct expectation){at_least(ceil_log2(magnitude + 1), 1), 0, spikes_bitwise};
    if (strcmp(name, "unsigned") == 0)
        return (struct expectation){at_least(ceil_log2(largest - zero + 1), 1), zero,
                                    spikes_unsigned};
    assert_string_equal(name, "twos-complement");
    return (struct expectation){at_least(ceil_log2(magnitude + 1) + 1, 2), 0, spikes_wrapped};
}

static void check_vector(const struct coding *coding, const int32_t *counts)
{
    struct expectation expected = expect(coding->name, counts);
    struct frame frame = coding_frame(coding, counts, VECTOR);
    assert_int_equal(frame.ticks, expected.ticks);
    assert_int_equal(frame.zero, expected.zero);
    int64_t decoded[VECTOR] = {0};
    uint32_t fired[VECTOR] = {0};
    struct spike spikes[VECTOR];
    for (uint32_t tick = 0; tick < frame.ticks; tick++) {
        uint32_t length = coding_open(coding, counts, VECTOR, frame, tick, spikes);
        for (uint32_t i = 0; i < length; i++) {
            assert_int_not_equal(spikes[i].payload, 0);
            if (i > 0)
                assert_true(spikes[i - 1].neuron < spikes[i].neuron);
            decoded[spikes[i].neuron] += spikes[i].payload;
            fired[spikes[i].neuron]++;
        }
    }
    for (int i = 0; i < VECTOR; i++) {
        assert_int_equal(decoded[i] + frame.zero, counts[i]);
        assert_int_equal(coding->spikes(counts[i], frame), fired[i]);
        assert_int_equal(fired[i], expected.spikes(counts[i], expected.zero, expected.ticks));
    }
}

static void test_definitions(void **state)
{
    (void)state;
    static const int32_t edges[] = {0, 1, -1, 2, -2, 3, 7, 8, -8, 15, 16, 127, -128, 255, -300};
    const int32_t length = sizeof edges / sizeof *edges;
    size_t codings;
    const struct coding *const *table = coding_table(&codings);
    assert_int_equal(codings, 5);
    for (size_t c = 0; c < codings; c++)
        for (int32_t a = 0; a < length; a++)
            for (int32_t b = 0; b < length; b++) {
                int32_t counts[VECTOR] = {edges[a], edges[b], 0, edges[a] / 2, edges[b] / 3};
                check_vector(table[c], counts);
                for (int i = 0; i < VECTOR; i++)
                    counts[i] = abs(counts[i]) + 1; /* none negative, none silent */
                check_vector(table[c], counts);
            }
}

/* Worked out by hand from the definitions. */
static void test_by_hand(void **state)
{
    (void)state;
    const int32_t counts[] = {5, -3, 0};
    static const struct {
        const char *coding;
        uint32_t ticks;
        int32_t zero;
        int32_t payload[3][8];
    } table[] = {
        {"bitwise", 3, 0, {{4, 0, 1}, {0, -2, -1}, {0}}},
        {"ternary", 5, 0, {{1, 1, 1, 1, 1}, {-1, -1, -1}, {0}}},
        {"binary", 8, -3, {{1, 1, 1, 1, 1, 1, 1, 1}, {0}, {1, 1, 1}}},
        {"unsigned", 4, -3, {{8, 0, 0, 0}, {0}, {0, 0, 2, 1}}},
        {"twos-complement", 4, 0, {{0, 4, 0, 1}, {-8, 4, 0, 1}, {0}}},
    };
    for (size_t c = 0; c < sizeof table / sizeof *table; c++) {
        const struct coding *coding = coding_find(table[c].coding, NULL);
        struct frame frame = coding_frame(coding, counts, 3);
        assert_int_equal(frame.ticks, table[c].ticks);
        assert_int_equal(frame.zero, table[c].zero);
        for (int i = 0; i < 3; i++)
            for (uint32_t t = 0; t < frame.ticks; t++)
                assert_int_equal(coding->payload(counts[i], frame, t), table[c].payload[i][t]);
    }
}

static void test_unknown_coding(void **state)
{
    (void)state;
    struct error error = {0};
    assert_null(coding_find("morse", &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    assert_non_null(strstr(error.text, "twos-complement"));
}

/* ---- the adaptive threshold ---- */

struct statistics {
    double silent, popcount, up_to_7;
};

/* k = 3 over an even grid of quantiles: the distribution itself, not a sample of it. */
static struct statistics encode_quantiles(double (*quantile)(double probability, double width))
{
    enum { LENGTH = 1 << 20 };
    double *x = malloc(LENGTH * sizeof *x);
    struct train *train = train_new(coding_find("bitwise", NULL), LENGTH, 1, 1);
    assert_non_null(x);
    assert_non_null(train);
    for (int i = 0; i < LENGTH; i++)
        x[i] = quantile((i + 0.5) / LENGTH, 0.7);
    assert_true(train_encode(train, 0, x, 3, VECTOR_PLAIN, NULL));
    struct statistics s = {0};
    for (int i = 0; i < LENGTH; i++) {
        int32_t count = train->count[i];
        s.silent += count == 0;
        s.popcount += train->coding->spikes(count, train->frame[0]);
        s.up_to_7 += abs(count) <= 7;
    }
    free(x);
    train_free(train);
    return (struct statistics){s.silent / LENGTH, s.popcount / LENGTH, s.up_to_7 / LENGTH};
}

static void check_close(double value, double expected)
{
    if (fabs(value - expected) > 5e-4)
        fail_msg("%.6f is not %.4f to three decimals", value, expected);
}

static void test_analytic(void **state)
{
    (void)state;
    struct statistics gaussian = encode_quantiles(gsl_cdf_gaussian_Pinv);
    check_close(gaussian.silent, 0.1058);
    check_close(gaussian.popcount, 1.2992);
    check_close(gaussian.up_to_7, 0.9539);
    struct statistics laplace = encode_quantiles(gsl_cdf_laplace_Pinv);
    check_close(laplace.silent, 0.1535);
    check_close(laplace.popcount, 1.2228);
    check_close(laplace.up_to_7, 0.9179);
}

static void test_rounding(void **state)
{
    (void)state;
    /* mean|x| = 3, so with k = 3 the threshold is 1 and ties stand as they are. */
    const double x[] = {0.5, 1.5, -2.5, 3.5, -0.5, 9.5};
    const int32_t expected[] = {0, 2, -2, 4, 0, 10};
    struct train *train = train_new(coding_find("bitwise", NULL), 6, 1, 2);
    assert_true(train_encode(train, 1, x, 3, VECTOR_PLAIN, NULL));
    train_seal(train, 2);
    assert_true(train->threshold[1] == 1);
    assert_int_equal(train->magnitude[1], 18);
    assert_true(train->fits);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(train->count[6 + i], expected[i]);
        assert_int_equal(train->narrow[6 + i], expected[i]);
    }
    train_free(train);
}

static void test_vectors_have_their_own_threshold(void **state)
{
    (void)state;
    const double x[] = {1, 1, 100, 300};
    struct train *train = train_new(coding_find("bitwise", NULL), 4, 2, 1);
    assert_true(train_encode(train, 0, x, 2, VECTOR_PLAIN, NULL));
    assert_true(train->threshold[0] == 0.5 && train->threshold[1] == 100);
    assert_int_equal(train->count[1], 2);
    assert_int_equal(train->count[3], 3);
    train_free(train);
}

static void test_clamp_and_range(void **state)
{
    (void)state;
    struct error error = {0};
    struct train *train = train_new(coding_find("bitwise", NULL), 2, 1, 1);
    const double tiny[] = {1e-9, -4e-5}, huge[] = {1e5, 4e5}, beyond[] = {1e12, 0};
    const double nan[] = {NAN, 1}, infinite[] = {INFINITY, 1}, silent[] = {0, 0};
    assert_true(train_encode(train, 0, tiny, 3, VECTOR_PLAIN, &error));
    assert_true(train->threshold[0] == 1e-5);
    assert_int_equal(train->count[1], -4);
    assert_true(train_encode(train, 0, huge, 3, VECTOR_PLAIN, &error));
    assert_true(train->threshold[0] == 1e4);
    assert_int_equal(train->count[0], 10);
    assert_true(train_encode(train, 0, silent, 3, VECTOR_PLAIN, &error));
    assert_int_equal(train->frame[0].ticks, 1);
    assert_false(train_encode(train, 0, beyond, 3, VECTOR_PLAIN, &error));
    assert_non_null(strstr(error.text, "exceeds"));
    error.code = ERROR_NONE;
    assert_false(train_encode(train, 0, nan, 3, VECTOR_PLAIN, &error));
    assert_non_null(strstr(error.text, "finite"));
    error.code = ERROR_NONE;
    assert_false(train_encode(train, 0, infinite, 3, VECTOR_PLAIN, &error));
    train_free(train);
}

static void test_wide_counts_do_not_fit(void **state)
{
    (void)state;
    enum { LENGTH = 30000 };
    double *x = calloc(LENGTH, sizeof *x);
    struct train *train = train_new(coding_find("bitwise", NULL), LENGTH, 1, 1);
    x[7] = 1; /* alone: its count is k times the length */
    assert_true(train_encode(train, 0, x, 3, VECTOR_PLAIN, NULL));
    train_seal(train, 1);
    assert_int_equal(train->count[7], 3 * LENGTH);
    assert_false(train->fits);
    free(x);
    train_free(train);
}

static double beside(double x, int side)
{
    return side == 0 ? x : nextafter(x, side == 1 ? 0 : INFINITY);
}

/* Counts of 5000 numbers by the definition, with division, and the same bits of every extension and
 * however the pieces are shared out. With `ties`, the threshold is 10,000, and the numbers lie on
 * ties, or as close as doubles come. */
static void check_encoding(uint32_t span, double k, bool ties)
{
    enum { LENGTH = 5000 };
    double *x = malloc(LENGTH * sizeof *x);
    struct train *train = train_new(coding_find("bitwise", NULL), LENGTH, 1, 1);
    struct train *other = train_new(coding_find("bitwise", NULL), LENGTH, 1, 1);
    assert_true(x != NULL && train != NULL && other != NULL);
    assert_true(train_divide(train, span) && train_divide(other, span));
    for (int i = 0; i < LENGTH; i++)
        if (ties)
            x[i] = (i % 2 != 0 ? -1 : 1) * beside((i % 977 + 9.5) * 1e4, i % 3);
        else
            x[i] = (i % 2 != 0 ? -1 : 1) * (exp(3 * sin(i * 0.7)) + (i % 13) * 1e-3);
    assert_true(train_encode(train, 0, x, k, VECTOR_PLAIN, NULL));
    for (uint32_t v = 0; v < train->vectors; v++) {
        uint32_t first = v * train->span, end = first + train->span;
        end = end < LENGTH ? end : LENGTH;
        long double sum = 0;
        for (uint32_t i = first; i < end; i++)
            sum += fabs(x[i]);
        double threshold = train->threshold[v], mean = (double)(sum / (end - first));
        assert_true(fabs(threshold - fmin(mean / k, 1e4)) <= 1e-14 * threshold);
        for (uint32_t i = first; i < end; i++)
            assert_int_equal(train->count[i], lrint(x[i] / threshold));
    }
    for (int level = VECTOR_PLAIN; level < VECTOR_LEVELS; level++) {
        if ((level == VECTOR_AVX2 && !__builtin_cpu_supports("avx2")) ||
            (level == VECTOR_AVX512 && !__builtin_cpu_supports("avx512dq")))
            continue;
        enum vector_level vector = (enum vector_level)level;
        for (uint32_t share = 1; share <= other->pieces; share += 2) {
            for (uint32_t p = 0, end; p < other->pieces; p = end) {
                end = p + share < other->pieces ? p + share : other->pieces;
                train_measure(other, 0, x, p, end, vector);
            }
            for (uint32_t p = 0, end; p < other->pieces; p = end) {
                end = p + share < other->pieces ? p + share : other->pieces;
                train_fire(other, 0, x, k, p, end, vector);
            }
            assert_true(train_settle(other, 0, k, NULL));
            assert_memory_equal(other->count, train->count, LENGTH * sizeof *train->count);
            assert_memory_equal(other->narrow, train->narrow, LENGTH * sizeof *train->narrow);
            assert_memory_equal(other->threshold, train->threshold,
                                train->vectors * sizeof *train->threshold);
            assert_int_equal(other->magnitude[0], train->magnitude[0]);
            assert_int_equal(other->frame[0].ticks, train->frame[0].ticks);
        }
    }
    free(x);
    train_free(train);
    train_free(other);
}

static void test_pieces(void **state)
{
    (void)state;
    static const uint32_t spans[] = {0, 128, 1, 1024, 1500, 2048, 4999};
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        check_encoding(spans[i], 3, false);
        check_encoding(spans[i], 3, true);
        check_encoding(spans[i], 700, false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_definitions),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_unknown_coding),
        cmocka_unit_test(test_analytic),
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_vectors_have_their_own_threshold),
        cmocka_unit_test(test_clamp_and_range),
        cmocka_unit_test(test_wide_counts_do_not_fit),
    };
    return cmocka_run_group_tests_name("coding", tests, NULL, NULL);
}
