/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tests of the tokenizer and of the stream that turns tokens into text: golden
 * results of an independent implementation in Python (the modules regex and
 * unicodedata, and merging as GPT-2 published it), a plain quadratic merging
 * loop on random merges, megabyte prompts, and files that are damaged.
 */
#define _GNU_SOURCE 1
#include "neurons/import/tokenizer.h"
#include "neurons/import/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* ------------------------------------------------------------ making a model */

/* The small vocabulary: each byte is its own id, each merge's result 256 and on. */
static const char small_merges[] =
    "t h\n\xc4\xa0 th\n\xc4\xa0th e\ni n\n\xc4\xa0 a\ne r\n\xc4\xa0 \xc4\xa0\n"
    "\xc4\xa0\xc4\xa0 \xc4\xa0\xc4\xa0\n\xc4\x8a \xc4\x8a\na b\nab ab\nabab abab\n"
    "' s\n\xc3\x90 \xc2\xbf\n\xc3\x90 \xc2\xb8\n\xc3\xa3 \xc4\xa3\n"
    "\xc3\xa0 \xc2\xa4\n\xc3\x83 \xc2\xa4\n\xc3\xa1 \xc4\xa6\n\xc3\xad \xc4\xb7\n"
    "l l\n\xc4\xa0 \xc3\xa5\nD O\nDO N\n";

struct text {
    char at[65536];
    size_t length;
};

__attribute__((format(printf, 2, 3)))
static void text_add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text->at + text->length, sizeof text->at - text->length, format,
                           arguments);
    va_end(arguments);
    assert_true(length >= 0 && text->length + (size_t)length < sizeof text->at);
    text->length += (size_t)length;
}

/* Writes vocab.json for `merges`, up to its closing brace. */
static void vocabulary_begin(struct text *vocab, const char *merges)
{
    int moved = 256, id = 256;
    vocab->length = 0;
    for (int byte = 0; byte < 256; byte++) {
        bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
        text_add(vocab, "%s\"\\u%04x\": %d", byte == 0 ? "{" : ", ", printable ? byte : moved++,
                 byte);
    }
    for (const char *line = merges; *line != '\0';) {
        int left = (int)strcspn(line, " "), right = (int)strcspn(line + left + 1, "\n");
        text_add(vocab, ", \"%.*s%.*s\": %d", left, line, right, line + left + 1, id++);
        line += left + right + 2;
    }
}

static void vocabulary_write(struct text *vocab, const char *merges)
{
    vocabulary_begin(vocab, merges);
    text_add(vocab, "}");
}

static struct tokenizer *tokenizer_make(const char *vocab, const char *merges)
{
    struct error error = {0};
    struct tokenizer *tokenizer = tokenizer_open_memory(vocab, strlen(vocab), merges,
                                                        strlen(merges), &error);
    if (tokenizer == NULL)
        fail_msg("did not open: %s", error.text);
    return tokenizer;
}

static struct text vocab_text;
static struct tokenizer *small;

static int small_open(void **state)
{
    (void)state;
    vocabulary_write(&vocab_text, small_merges);
    small = tokenizer_make(vocab_text.at, small_merges);
    return 0;
}

static int small_close(void **state)
{
    (void)state;
    tokenizer_free(small);
    return 0;
}

/* ----------------------------------------------------------------- encoding */

static void encode_expect(const struct tokenizer *tokenizer, const char *text, size_t length,
                          const uint32_t *expected, size_t expected_count)
{
    struct error error = {0};
    uint32_t *tokens;
    size_t count;
    if (!tokenizer_encode(tokenizer, text, length, &tokens, &count, &error))
        fail_msg("'%.*s': %s", (int)length, text, error.text);
    for (size_t i = 0; i < count && i < expected_count; i++)
        if (tokens[i] != expected[i])
            fail_msg("'%.*s': token %zu is %u, not %u", (int)length, text, i, tokens[i],
                     expected[i]);
    assert_int_equal(count, expected_count);
    free(tokens);
}

static void test_golden(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t length, count;
        uint32_t tokens[40];
    } cases[] = {
        {"In the beginning God created the heaven", 39, 31,
         {73, 110, 258, 32, 98, 101, 103, 259, 110, 259, 103, 32, 71, 111, 100, 32, 99, 114, 101,
          97, 116, 101, 100, 258, 32, 104, 101, 97, 118, 101, 110}},
        {"don't they're \xc5\xbf 'S's'\xc5\xbf DON'T", 30, 24,
         {100, 111, 110, 39, 116, 258, 121, 39, 114, 101, 32, 197, 191, 32, 39, 83, 268, 39, 197,
          191, 32, 279, 39, 84}},
        {"  two  spaces,    four\n\n  three\n\n\n", 34, 29,
         {32, 32, 116, 119, 111, 32, 32, 115, 112, 97, 99, 101, 115, 44, 262, 32, 32, 102, 111,
          117, 114, 264, 32, 257, 114, 101, 101, 264, 10}},
        {"abababab ababab abab'ab", 23, 9,
         {267, 260, 98, 266, 260, 98, 265, 39, 265}},
        {"12 345 \xd9\xa3\xe2\x85\xa7\xc2\xbd", 14, 14,
         {49, 50, 32, 51, 52, 53, 32, 217, 163, 226, 133, 167, 194, 189}},
        {"e\xcc\x81\xcc\xa3 a\xcc\x88""b\xc3\xa4 \xe2\x84\xab", 16, 12,
         {225, 186, 185, 204, 129, 32, 273, 98, 273, 32, 195, 133}},
        {"\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab\xed\x95\x9c \xea\xb0"
         "\x80\xe1\x86\xa7", 19, 11,
         {275, 156, 275, 156, 32, 234, 176, 128, 225, 134, 167}},
        {"\xe4\xbd\xa0\xe5\xa5\xbd\xef\xbc\x8c\xe4\xb8\x96\xe7\x95"
         "\x8c\xe3\x80\x82\xe3\x81\x93\xe3\x82\x93", 24, 23,
         {228, 189, 160, 229, 165, 189, 239, 188, 140, 228, 184, 150, 231, 149, 140, 227, 128,
          130, 271, 147, 227, 130, 147}},
        {"\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82\xcc\x81!", 15, 13,
         {269, 209, 128, 270, 208, 178, 208, 181, 209, 130, 204, 129, 33}},
        {"x\x0b\x0cy\xc2\xa0z\xc2\x85\xe2\x80\xa8w\xe1\xa0\x8ev \xe3\x80\x80", 21, 21,
         {120, 11, 12, 121, 194, 160, 122, 194, 133, 226, 128, 168, 119, 225, 160, 142, 118, 32,
          227, 128, 128}},
        {"\xe0\xa4\xa8\xe0\xa4\xae\xe0\xa4\xb8\xe0\xa5\x8d\xe0\xa4"
         "\xa4\xe0\xa5\x87", 18, 14,
         {272, 168, 272, 174, 272, 184, 224, 165, 141, 272, 164, 224, 165, 135}},
        {"...\r\n!!\n\t\r\n end \t", 17, 17,
         {46, 46, 46, 13, 10, 33, 33, 10, 9, 13, 10, 32, 101, 110, 100, 32, 9}},
        {"\xf0\x9f\x98\x80\xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd\xe2\x80"
         "\x8d \xe2\x9d\xa4\xef\xb8\x8f", 22, 22,
         {240, 159, 152, 128, 240, 159, 145, 141, 240, 159, 143, 189, 226, 128, 141, 32, 226, 157,
          164, 239, 184, 143}},
        {"a\x00""b\x7f\xef\xbf\xbd\xef\xbb\xbf\xf4\x8f\xbf\xbf", 14, 14,
         {97, 0, 98, 127, 239, 191, 189, 239, 187, 191, 244, 143, 191, 191}},
        {"\xcd\x84\xe0\xbd\xb3\xe2\x84\xa6\xef\xac\x9d\xf0\x9d\x85\x9e", 15, 24,
         {224, 189, 177, 224, 189, 178, 204, 136, 204, 129, 206, 169, 215, 153, 214, 180, 240,
          157, 133, 151, 240, 157, 133, 165}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        encode_expect(small, cases[i].text, cases[i].length, cases[i].tokens, cases[i].count);
}

static void test_empty_text(void **state)
{
    (void)state;
    encode_expect(small, "", 0, NULL, 0);
    encode_expect(small, NULL, 0, NULL, 0);
}

static void test_bytes_of_tokens(void **state)
{
    (void)state;
    size_t length;
    assert_int_equal(tokenizer_size(small), 280);
    for (uint32_t byte = 0; byte < 256; byte++) {
        const char *bytes = tokenizer_bytes(small, byte, &length);
        assert_int_equal(length, 1);
        assert_int_equal((unsigned char)bytes[0], byte);
    }
    assert_memory_equal(tokenizer_bytes(small, 258, &length), " the", 4);
    assert_int_equal(length, 4);
    assert_null(tokenizer_bytes(small, 280, &length));
    assert_int_equal(length, 0);
    assert_null(tokenizer_bytes(small, UINT32_MAX, &length));

    vocabulary_begin(&vocab_text, "");
    text_add(&vocab_text, ", \"<|endoftext|>\": 900, \"a b\": 16777215, \"\xe2\x82\xac\": 902, "
             "\"\": 903}");
    struct tokenizer *tokenizer = tokenizer_make(vocab_text.at, "");
    assert_int_equal(tokenizer_size(tokenizer), 16777216);
    assert_memory_equal(tokenizer_bytes(tokenizer, 900, &length), "<|endoftext|>", 13);
    assert_int_equal(length, 13);
    assert_memory_equal(tokenizer_bytes(tokenizer, 16777215, &length), "a b", 3);
    assert_int_equal(length, 3);
    assert_memory_equal(tokenizer_bytes(tokenizer, 902, &length), "\xe2\x82\xac", 3);
    assert_null(tokenizer_bytes(tokenizer, 903, &length));
    assert_null(tokenizer_bytes(tokenizer, 901, &length));
    assert_int_equal(length, 0);
    encode_expect(tokenizer, "a b", 3, (const uint32_t[]){'a', ' ', 'b'}, 3);
    tokenizer_free(tokenizer);
}

static void test_invalid_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"\x80", "text: byte 0 (0x80) is not valid UTF-8"},
        {"ab\xc0\x80", "byte 2 (0xc0)"},
        {"a\xc3", "byte 1 (0xc3)"},
        {"\xc3\xa4\xe2\x82", "byte 2 (0xe2)"},
        {"\xe0\x9f\xbf", "byte 0 (0xe0)"},
        {"\xed\xa0\x80", "byte 0 (0xed)"},
        {"\xf0\x8f\xbf\xbf", "byte 0 (0xf0)"},
        {"\xf4\x90\x80\x80", "byte 0 (0xf4)"},
        {"\xf5\x80\x80\x80", "byte 0 (0xf5)"},
        {"\xff", "byte 0 (0xff)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error = {0};
        uint32_t *tokens;
        size_t count;
        assert_false(tokenizer_encode(small, cases[i].text, strlen(cases[i].text), &tokens, &count,
                                      &error));
        assert_int_equal(error.code, ERROR_MISUSED);
        assert_non_null(strstr(error.text, cases[i].expected));
        assert_null(tokens);
        assert_int_equal(count, 0);
    }
}

/* Normal form C, where the library we use or a shortcut of ours could go wrong. */
static void test_normal_form(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *normal;
    } cases[] = {
        {"\xcb\xbf\xc3\xbc", "\xcb\xbf\xc3\xbc"}, /* below U+0300 */
        {"e\xcc\x81", "\xc3\xa9"},
        {"\xcc\x81" "e", "\xcc\x81" "e"},
        {"a\xcc\x81\xcc\xa3\xcc\x80\xcc\xa4", "\xe1\xba\xa1\xcc\xa4\xcc\x81\xcc\x80"},
        {"\xea\xb0\x80\xe1\x86\xa7", "\xea\xb0\x80\xe1\x86\xa7"}, /* U+11A7 is no consonant */
        {"\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa7\xe1\x86\xa8",
         "\xea\xb0\x80\xe1\x86\xa7\xe1\x86\xa8"},
        {"\xea\xb0\x80\xe1\x86\xa8", "\xea\xb0\x81"},
        {"\xe1\x86\xa7\xcc\xa3\xcc\x81", "\xe1\x86\xa7\xcc\xa3\xcc\x81"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error = {0};
        const char *normal;
        size_t length;
        assert_true(utf8_normalise(cases[i].text, strlen(cases[i].text), &normal, &length, &error));
        assert_int_equal(length, strlen(cases[i].normal));
        assert_memory_equal(normal, cases[i].normal, length);
        if (normal != cases[i].text)
            free((char *)(uintptr_t)normal);
    }
}

/* ---------------------------------------------- against the plain merging loop */

enum { RANDOM_MERGES = 60, PART_LIMIT = 64 };

struct plain {
    char left[RANDOM_MERGES][PART_LIMIT];
    char right[RANDOM_MERGES][PART_LIMIT];
    size_t count;
};

static uint32_t random_next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Random merges of letters a to d and of earlier results, in a random order of rank. */
static void plain_make(struct plain *plain, uint32_t *seed)
{
    char parts[RANDOM_MERGES + 4][PART_LIMIT] = {"a", "b", "c", "d"};
    size_t known = 4;
    plain->count = 0;
    for (int attempt = 0; attempt < RANDOM_MERGES; attempt++) {
        const char *left = parts[random_next(seed) % known];
        const char *right = parts[random_next(seed) % known];
        char joined[2 * PART_LIMIT];
        snprintf(joined, sizeof joined, "%s%s", left, right);
        bool seen = strlen(joined) > 12;
        for (size_t i = 0; i < known; i++)
            seen = seen || strcmp(parts[i], joined) == 0;
        if (seen)
            continue;
        strcpy(parts[known++], joined);
        size_t at = random_next(seed) % (plain->count + 1); /* the one there goes last */
        memmove(plain->left[plain->count], plain->left[at], PART_LIMIT);
        memmove(plain->right[plain->count], plain->right[at], PART_LIMIT);
        strcpy(plain->left[at], left);
        strcpy(plain->right[at], right);
        plain->count++;
    }
}

/* The pair of lowest rank, the leftmost, until there is none. */
static size_t plain_encode(const struct plain *plain, const char *text, uint32_t *tokens)
{
    char parts[64][PART_LIMIT];
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++) {
        parts[i][0] = text[i];
        parts[i][1] = '\0';
        tokens[i] = (unsigned char)text[i];
    }
    for (;;) {
        size_t best = plain->count, where = 0;
        for (size_t i = 0; i + 1 < length; i++)
            for (size_t merge = 0; merge < best; merge++)
                if (strcmp(parts[i], plain->left[merge]) == 0
                    && strcmp(parts[i + 1], plain->right[merge]) == 0) {
                    best = merge;
                    where = i;
                }
        if (best == plain->count)
            return length;
        memmove(parts[where] + strlen(parts[where]), parts[where + 1],
                strlen(parts[where + 1]) + 1);
        tokens[where] = (uint32_t)(256 + best);
        length--;
        memmove(parts[where + 1], parts[where + 2], (length - where - 1) * sizeof parts[0]);
        memmove(tokens + where + 1, tokens + where + 2, (length - where - 1) * sizeof *tokens);
    }
}

static void test_merging_is_the_plain_loop(void **state)
{
    (void)state;
    static struct plain plain;
    static struct text merges;
    uint32_t seed = 1;
    for (int round = 0; round < 60; round++) {
        plain_make(&plain, &seed);
        merges.length = 0;
        for (size_t i = 0; i < plain.count; i++)
            text_add(&merges, "%s %s\n", plain.left[i], plain.right[i]);
        vocabulary_write(&vocab_text, merges.at);
        struct tokenizer *tokenizer = tokenizer_make(vocab_text.at, merges.at);
        for (int word = 0; word < 100; word++) {
            char text[50];
            uint32_t expected[50];
            size_t length = 1 + random_next(&seed) % (sizeof text - 1);
            for (size_t i = 0; i < length; i++)
                text[i] = (char)('a' + random_next(&seed) % 4);
            text[length] = '\0';
            size_t count = plain_encode(&plain, text, expected);
            encode_expect(tokenizer, text, length, expected, count);
        }
        tokenizer_free(tokenizer);
    }
}

/* ------------------------------------------------------------- long prompts */

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* A megabyte without a place to cut takes a tenth of a second; a quadratic
 * step anywhere would take minutes. */
static void test_megabyte_prompts(void **state)
{
    (void)state;
    static const char *const units[] = {
        "ab", "a", "the", " ", " \n", "!", "1", "\xd0\xbf", "\xe3\x81\x81", "e\xcc\x81",
        "\xcc\x81\xcc\x96", /* marks in the wrong order, which NFC must sort */
        "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab",
    };
    enum { MEGABYTE = 1 << 20 };
    char *text = malloc(MEGABYTE);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t unit = strlen(units[i]), length = MEGABYTE / unit * unit, count;
        for (size_t at = 0; at < length; at += unit)
            memcpy(text + at, units[i], unit);
        struct error error = {0};
        uint32_t *tokens;
        double begin = seconds_now();
        if (!tokenizer_encode(small, text, length, &tokens, &count, &error))
            fail_msg("'%s' repeated: %s", units[i], error.text);
        double taken = seconds_now() - begin;
        if (taken > 30) /* for valgrind on a busy machine */
            fail_msg("'%s' repeated: took %g s", units[i], taken);
        if (i == 0) {
            assert_int_equal(count, MEGABYTE / 8);
            assert_int_equal(tokens[0], 267);
            assert_int_equal(tokens[count - 1], 267);
        }
        free(tokens);
    }
    free(text);
}

/* ------------------------------------------------------------- damaged files */

static void refused_expect(const char *vocab, const char *merges, size_t merges_length,
                           const char *expected)
{
    struct error error = {0};
    struct tokenizer *tokenizer = tokenizer_open_memory(vocab, strlen(vocab), merges,
                                                        merges_length, &error);
    if (tokenizer != NULL)
        fail_msg("opened, but should have said: %s", expected);
    if (error.code != ERROR_FAILED || strstr(error.text, expected) == NULL)
        fail_msg("code %d, '%s' does not hold '%s'", error.code, error.text, expected);
}

static void test_vocabulary_damaged(void **state)
{
    (void)state;
    static const struct {
        const char *end; /* of the vocabulary, after all the bytes */
        const char *expected;
    } cases[] = {
        {"", "vocab.json: line 1, column"},
        {", \"ab\": 256} x", "end of file expected"},
        {", \"a\": 256}", "duplicate"},
        {", \"ab\": -1}", "vocab.json: entry 'ab' has no id from 0 to 16777215"},
        {", \"ab\": 16777216}", "entry 'ab' has no id"},
        {", \"ab\": 4294967296}", "entry 'ab' has no id"},
        {", \"ab\": 99999999999999999999}", "too big integer"},
        {", \"ab\": 256.0}", "entry 'ab' has no id"},
        {", \"ab\": \"256\"}", "entry 'ab' has no id"},
        {", \"ab\": null}", "entry 'ab' has no id"},
        {", \"ab\": 97}", "two entries have the id 97"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vocabulary_begin(&vocab_text, "");
        text_add(&vocab_text, "%s", cases[i].end);
        refused_expect(vocab_text.at, "", 0, cases[i].expected);
    }
    refused_expect("", "", 0, "vocab.json: line 1");
    refused_expect("[1]", "", 0, "vocab.json: is not an object");
    refused_expect("{}", "", 0, "vocab.json: byte 33, written '!', has no entry");
    vocabulary_write(&vocab_text, "");
    memcpy(strstr(vocab_text.at, "\"\\u0120\""), "\"\\u0220\"", 8);
    refused_expect(vocab_text.at, "", 0, "byte 32, written '\xc4\xa0', has no entry");
}

static void test_merges_damaged(void **state)
{
    (void)state;
    static const struct {
        const char *merges;
        size_t length;
        const char *expected;
    } cases[] = {
        {"a", 1, "merges.txt: line 1: is not two symbols"},
        {"#version: 0.2\na b\nab\n", 21, "line 3: is not two symbols"},
        {"a b\n#version: 0.2\n", 18, "line 2: '#version:' is not in the vocabulary"},
        {"a b c\n", 6, "line 1: is not two symbols"},
        {"a  b\n", 5, "line 1: is not two symbols"},
        {" b\n", 3, "line 1: is not two symbols"},
        {"a \n", 3, "line 1: is not two symbols"},
        {" \n", 2, "line 1: is not two symbols"},
        {"a\0 b\n", 5, "line 1: is not two symbols"},
        {"a b\n\n\nxx b\n", 11, "line 4: 'xx' is not in the vocabulary"},
        {"a b\r\nb xx\r\n", 11, "line 2: 'xx' is not in the vocabulary"},
        {"b a\n", 4, "line 1: 'ba' is not in the vocabulary; take both files from the same model"},
        {"\xff \xff\n", 4, "line 1: '"},
        {"a b\n\na b", 8, "line 3: is the same merge as line 1"},
    };
    vocabulary_write(&vocab_text, "a b\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refused_expect(vocab_text.at, cases[i].merges, cases[i].length, cases[i].expected);
}

static void test_merges_lines(void **state)
{
    (void)state;
    static const char *const variants[] = {"a b", "a b\n", "#version: 0.2\r\na b\r\n",
                                           "\n\na b\n\n", "#version\n\na b"};
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        vocabulary_write(&vocab_text, "a b\n");
        struct tokenizer *tokenizer = tokenizer_make(vocab_text.at, variants[i]);
        encode_expect(tokenizer, "aab", 3, (const uint32_t[]){'a', 256}, 2);
        tokenizer_free(tokenizer);
    }
}

/* ------------------------------------------------------------------- folders */

static void file_write(const char *folder, const char *name, const char *text)
{
    char path[5000];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
    assert_int_equal(fclose(out), 0);
}

static void folder_expect(const char *folder, enum error_code code, const char *expected)
{
    struct error error = {0};
    assert_null(tokenizer_open(folder, &error));
    if (error.code != code || strstr(error.text, expected) == NULL)
        fail_msg("code %d, '%s' does not hold '%s'", error.code, error.text, expected);
}

static void test_folder(void **state)
{
    (void)state;
    char folder[4096], vocab[5000], merges[5000];
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/volley-tokenizer-XXXXXX",
             parent != NULL && parent[0] != '\0' ? parent : P_tmpdir);
    assert_non_null(mkdtemp(folder));
    snprintf(vocab, sizeof vocab, "%s/vocab.json", folder);
    snprintf(merges, sizeof merges, "%s/merges.txt", folder);

    folder_expect(vocab, ERROR_MISUSED, "does not hold the tokenizer");
    folder_expect(folder, ERROR_MISUSED, "which is vocab.json and merges.txt");
    vocabulary_write(&vocab_text, small_merges);
    file_write(folder, "vocab.json", vocab_text.at);
    folder_expect(folder, ERROR_MISUSED, "does not hold the tokenizer");
    file_write(folder, "merges.txt", "a  b\n");
    folder_expect(folder, ERROR_FAILED, "/merges.txt: line 1: is not two symbols");
    file_write(folder, "merges.txt", small_merges);
    struct error error = {0};
    struct tokenizer *tokenizer = tokenizer_open(folder, &error);
    if (tokenizer == NULL)
        fail_msg("%s", error.text);
    encode_expect(tokenizer, " the", 4, (const uint32_t[]){258}, 1);
    tokenizer_free(tokenizer);
    file_write(folder, "vocab.json", "");
    folder_expect(folder, ERROR_FAILED, "/vocab.json: line 1");

    assert_int_equal(unlink(vocab), 0);
    assert_int_equal(unlink(merges), 0);
    assert_int_equal(rmdir(folder), 0);
    tokenizer_free(NULL);
}

/* ---------------------------------------------------------------- the stream */

#define LOST "\xef\xbf\xbd"

static void test_stream(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        const char *shown;
    } cases[] = {
        {"plain", "plain"},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\x80", LOST},
        {"a\xff" "b", "a" LOST "b"},
        {"\xc3", LOST},
        {"\xc3\xc3\xa4", LOST "\xc3\xa4"},
        {"\xe2\x82" "a", LOST "a"},
        {"\xf0\x9f\x98", LOST},
        {"\xf0\x9f\x98\xf0\x9f\x98\x80", LOST "\xf0\x9f\x98\x80"},
        {"\xc0\x80", LOST LOST},
        {"\xe0\x80\x80", LOST LOST LOST},
        {"\xed\xa0\x80", LOST LOST LOST},
        {"\xf4\x90\x80\x80", LOST LOST LOST LOST},
        {"\xf0\x80\x80\x41", LOST LOST LOST "A"},
        {"\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64", /* from the Unicode Standard */
         "a" LOST LOST LOST "b" LOST "c" LOST LOST "d"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t length = strlen(cases[i].bytes), expected = strlen(cases[i].shown);
        for (size_t cut = 0; cut <= length; cut++) { /* the same wherever tokens end */
            struct utf8_stream stream = {{0}, 0};
            char out[100];
            size_t shown = utf8_stream_put(&stream, cases[i].bytes, cut, out);
            assert_int_equal(utf8_invalid_at(out, shown), shown);
            shown += utf8_stream_put(&stream, cases[i].bytes + cut, length - cut, out + shown);
            assert_int_equal(utf8_invalid_at(out, shown), shown);
            shown += utf8_stream_end(&stream, out + shown);
            assert_int_equal(shown, expected);
            assert_memory_equal(out, cases[i].shown, expected);
            assert_int_equal(utf8_stream_end(&stream, out), 0);
        }
    }
}

static void test_stream_holds_back(void **state)
{
    (void)state;
    struct utf8_stream stream = {{0}, 0};
    char out[32];
    assert_int_equal(utf8_stream_put(&stream, "\xf0", 1, out), 0);
    assert_int_equal(utf8_stream_put(&stream, "\x9f\x98", 2, out), 0);
    assert_int_equal(utf8_stream_put(&stream, "", 0, out), 0);
    assert_int_equal(utf8_stream_put(&stream, "\x80!", 2, out), 5);
    assert_memory_equal(out, "\xf0\x9f\x98\x80!", 5);
    assert_int_equal(utf8_stream_end(&stream, out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_empty_text),
        cmocka_unit_test(test_bytes_of_tokens),
        cmocka_unit_test(test_invalid_text),
        cmocka_unit_test(test_normal_form),
        cmocka_unit_test(test_merging_is_the_plain_loop),
        cmocka_unit_test(test_megabyte_prompts),
        cmocka_unit_test(test_vocabulary_damaged),
        cmocka_unit_test(test_merges_damaged),
        cmocka_unit_test(test_merges_lines),
        cmocka_unit_test(test_folder),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_stream_holds_back),
    };
    return cmocka_run_group_tests(tests, small_open, small_close);
}
