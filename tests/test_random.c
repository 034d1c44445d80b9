/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Random numbers: the function against the vectors published with Random123, and what is
 * made of it against statistics.
 */
#include "scheduler/random_internal.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct known {
    uint32_t counter[4], key[2], words[4];
} known[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};
enum { KNOWN = sizeof known / sizeof known[0] };

static struct random_stream known_stream(const struct known *vector)
{
    return (struct random_stream){{vector->key[0], vector->key[1]}, vector->counter[3]};
}

static uint64_t known_high(const struct known *vector)
{
    return vector->counter[1] | (uint64_t)vector->counter[2] << 32;
}

static void test_published_vectors(void **state)
{
    (void)state;
    for (int i = 0; i < KNOWN; i++) {
        struct random_stream stream = known_stream(&known[i]);
        uint32_t words[4];
        random_words(&stream, known_high(&known[i]), known[i].counter[0], words);
        assert_memory_equal(words, known[i].words, sizeof words);
        memset(words, 0, sizeof words);
        random_words_bulk(&stream, known_high(&known[i]), known[i].counter[0], 1, words);
        assert_memory_equal(words, known[i].words, sizeof words);
    }
}

static void test_every_version_gives_the_same_words(void **state)
{
    (void)state;
    assert_non_null(random_block_version(0));
    assert_null(random_block_version(RANDOM_VERSIONS));
    static const uint32_t lows[] = {0, 1, 12345, 0x7ffffff0, UINT32_MAX - RANDOM_BLOCK + 1};
    for (int version = 0; version < RANDOM_VERSIONS; version++) {
        random_block *fill = random_block_version(version);
        for (int i = 0; fill != NULL && i < KNOWN; i++)
            for (size_t k = 0; k < sizeof lows / sizeof lows[0]; k++) {
                struct random_stream stream = known_stream(&known[i]);
                uint32_t words[4 * RANDOM_BLOCK], expected[4];
                fill(&stream, known_high(&known[i]), lows[k], words);
                for (uint32_t c = 0; c < RANDOM_BLOCK; c++) {
                    random_words(&stream, known_high(&known[i]), lows[k] + c, expected);
                    assert_memory_equal(words + 4 * c, expected, sizeof expected);
                }
            }
    }
}

static void test_bulk_of_any_length(void **state)
{
    (void)state;
    struct random_stream stream = random_stream_of(99, RANDOM_WEIGHT, 7);
    enum { MOST = 3 * RANDOM_BLOCK + 5 };
    uint32_t words[4 * MOST + 1], expected[4];
    for (uint32_t length = 0; length <= MOST; length++) {
        uint32_t low = UINT32_MAX - length + 1; /* up to the last counter there is */
        memset(words, 0xab, sizeof words);
        random_words_bulk(&stream, UINT64_MAX - length, low, length, words);
        for (uint32_t c = 0; c < length; c++) {
            random_words(&stream, UINT64_MAX - length, low + c, expected);
            assert_memory_equal(words + 4 * c, expected, sizeof expected);
        }
        assert_int_equal(words[4 * length], 0xabababab); /* not a word more */
    }
}

static int compare_blocks(const void *left, const void *right)
{
    return memcmp(left, right, 4 * sizeof(uint32_t));
}

/* Counters and keys that differ in one number only, at the ends of its range too. */
static void test_no_two_draws_share_words(void **state)
{
    (void)state;
    static const uint64_t seeds[] = {0, 1, UINT64_C(1) << 32, UINT64_MAX};
    static const uint32_t owners[] = {0, 1, 2, 0x0fffffff};
    static const uint64_t highs[] = {0, 1, UINT64_C(1) << 31, UINT64_C(1) << 32, UINT64_MAX};
    static const uint32_t lows[] = {0, 1, UINT32_MAX};
    enum { PURPOSES = RANDOM_ENCODING + 1, BLOCKS = 4 * 4 * 5 * 3 * PURPOSES };
    static uint32_t blocks[BLOCKS][4];
    size_t length = 0;
    for (int s = 0; s < 4; s++)
        for (int purpose = 0; purpose < PURPOSES; purpose++)
            for (int o = 0; o < 4; o++) {
                struct random_stream stream =
                    random_stream_of(seeds[s], (enum random_purpose)purpose, owners[o]);
                for (int h = 0; h < 5; h++)
                    for (int l = 0; l < 3; l++)
                        random_words(&stream, highs[h], lows[l], blocks[length++]);
            }
    assert_int_equal(length, BLOCKS);
    qsort(blocks, length, sizeof blocks[0], compare_blocks);
    for (size_t i = 1; i < length; i++)
        assert_true(compare_blocks(blocks[i - 1], blocks[i]) != 0);
}

static void assert_uniform(const uint32_t *counts, uint32_t bins, double total)
{
    double chi_square = 0, expected = total / bins;
    for (uint32_t i = 0; i < bins; i++)
        chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
    double probability = gsl_cdf_chisq_Q(chi_square, bins - 1);
    assert_true(probability > 1e-4 && probability < 1 - 1e-4);
}

static void test_bytes_and_neighbours_are_uniform(void **state)
{
    (void)state;
    enum { WORDS = 1 << 20, BINS = 256 };
    uint32_t *words = malloc(WORDS * sizeof *words);
    assert_non_null(words);
    struct random_stream stream = random_stream_of(5, RANDOM_SOURCE, 3);
    random_words_bulk(&stream, 17, 0, WORDS / 4, words);
    for (int shift = 0; shift < 32; shift += 8) {
        uint32_t counts[BINS] = {0};
        for (size_t i = 0; i < WORDS; i++)
            counts[words[i] >> shift & 255]++;
        assert_uniform(counts, BINS, WORDS);
    }
    /* Leading bits of a word and of one 1 … 5 places on; 4: the same word of the next counter. */
    for (size_t distance = 1; distance <= 5; distance++) {
        uint32_t counts[BINS] = {0};
        for (size_t i = 0; i + distance < WORDS; i++)
            counts[words[i] >> 28 << 4 | words[i + distance] >> 28]++;
        assert_uniform(counts, BINS, (double)(WORDS - distance));
    }
    /* Neighbouring highs, owners and seeds. */
    for (int which = 0; which < 3; which++) {
        uint32_t counts[BINS] = {0};
        for (uint32_t i = 0; i < WORDS / 16; i++) {
            uint32_t here[4], there[4];
            struct random_stream other =
                random_stream_of(which == 2 ? i + 1 : i, RANDOM_SOURCE, which == 1 ? i + 1 : i);
            stream = random_stream_of(i, RANDOM_SOURCE, i);
            random_words(&stream, i, 0, here);
            random_words(&other, which == 0 ? i + 1 : i, 0, there);
            counts[here[0] >> 28 << 4 | there[0] >> 28]++;
        }
        assert_uniform(counts, BINS, WORDS / 16);
    }
    free(words);
}

static void test_uniform_and_below_at_the_ends(void **state)
{
    (void)state;
    assert_true(random_uniform(0) == 0x1p-33);
    assert_true(random_uniform(UINT32_MAX) == 1 - 0x1p-33);
    assert_int_equal(random_below(UINT32_MAX, 1), 0);
    assert_int_equal(random_below(0, UINT32_MAX), 0);
    assert_int_equal(random_below(UINT32_MAX, UINT32_MAX), UINT32_MAX - 1);
    assert_int_equal(random_below(UINT32_MAX, 10), 9);
    assert_int_equal(random_below(UINT32_MAX / 2 + 1, 10), 5);
}

static void test_gsl_generator_reads_the_words(void **state)
{
    (void)state;
    gsl_rng *generator = random_gsl_new();
    assert_non_null(generator);
    assert_true(gsl_rng_max(generator) == UINT32_MAX && gsl_rng_min(generator) == 0);
    struct random_stream stream = random_stream_of(11, RANDOM_PARAMETER, 4);
    for (uint64_t high = 0; high < 3; high++) {
        random_gsl_seek(generator, &stream, high << 40);
        for (uint32_t low = 0; low < 50; low++) {
            uint32_t words[4];
            random_words(&stream, high << 40, low, words);
            for (int k = 0; k < 4; k++)
                assert_int_equal(gsl_rng_get(generator), words[k]);
        }
    }
    random_gsl_seek(generator, &stream, 0); /* anew, in the midst of a block too */
    uint32_t words[4];
    random_words(&stream, 0, 0, words);
    assert_int_equal(gsl_rng_get(generator), words[0]);
    random_gsl_seek(generator, &stream, 0);
    assert_true(gsl_rng_uniform(generator) == words[0] * 0x1p-32);
    gsl_rng_free(generator);
}

static void test_gsl_distributions_on_it(void **state)
{
    (void)state;
    gsl_rng *generator = random_gsl_new();
    assert_non_null(generator);
    struct random_stream stream = random_stream_of(1, RANDOM_PARAMETER, 0);
    random_gsl_seek(generator, &stream, 0);
    enum { DRAWS = 100000 };
    double sum = 0, squares = 0;
    for (int i = 0; i < DRAWS; i++) {
        double value = gsl_ran_gaussian(generator, 1);
        sum += value;
        squares += value * value;
    }
    assert_true(fabs(sum / DRAWS) < 4 / sqrt(DRAWS));
    assert_true(fabs(squares / DRAWS - 1) < 4 * sqrt(2. / DRAWS));
    gsl_rng_free(generator);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_vectors),
        cmocka_unit_test(test_every_version_gives_the_same_words),
        cmocka_unit_test(test_bulk_of_any_length),
        cmocka_unit_test(test_no_two_draws_share_words),
        cmocka_unit_test(test_bytes_and_neighbours_are_uniform),
        cmocka_unit_test(test_uniform_and_below_at_the_ends),
        cmocka_unit_test(test_gsl_generator_reads_the_words),
        cmocka_unit_test(test_gsl_distributions_on_it),
    };
    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
