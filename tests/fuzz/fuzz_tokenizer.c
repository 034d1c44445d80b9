/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzzing the tokenizer. The input is three texts with a zero byte between
 * them: vocab.json, merges.txt and what to encode. An empty vocabulary stands
 * for a small one that has every byte, so that encoding is reached often.
 *
 * What must hold: files open or are refused with a sentence; text is encoded
 * or refused; with the small vocabulary the tokens' bytes, joined, are the
 * text in NFC, and what the stream shows of any bytes is valid UTF-8.
 */
#include "neurons/import/tokenizer.h"
#include "neurons/import/utf8.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* Every byte, and the pairs and fours of 'a', 'b', space and newline. */
static size_t vocabulary_write(char *out)
{
    static const char *const letters[] = {"a", "b", "\\u0120", "\\u010a"};
    char *at = out;
    int id = 0, moved = 256;
    *at++ = '{';
    for (int byte = 0; byte < 256; byte++) {
        int printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
        at += sprintf(at, "\"\\u%04x\":%d,", printable ? byte : moved++, id++);
    }
    for (int pair = 0; pair < 16; pair++)
        at += sprintf(at, "\"%s%s\":%d,", letters[pair / 4], letters[pair % 4], id++);
    for (int four = 0; four < 256; four++)
        at += sprintf(at, "\"%s%s%s%s\":%d,", letters[four / 64], letters[four / 16 % 4],
                      letters[four / 4 % 4], letters[four % 4], id++);
    at[-1] = '}';
    return (size_t)(at - out);
}

static void stream_check(const char *bytes, size_t length)
{
    struct utf8_stream stream = {{0}, 0};
    char *out = malloc(3 * length + 12 + 4);
    size_t half = length / 2;
    if (out == NULL)
        return;
    size_t written = utf8_stream_put(&stream, bytes, half, out);
    if (utf8_invalid_at(out, written) != written)
        abort();
    written += utf8_stream_put(&stream, bytes + half, length - half, out + written);
    if (utf8_invalid_at(out, written) != written)
        abort();
    written += utf8_stream_end(&stream, out + written);
    if (written > 3 * length + 12 || utf8_invalid_at(out, written) != written)
        abort();
    if (utf8_invalid_at(bytes, length) == length
        && (written != length || memcmp(out, bytes, length) != 0))
        abort();
    free(out);
}

static void text_check(const struct tokenizer *tokenizer, const char *text, size_t length,
                       bool every_byte)
{
    struct error error = {0};
    uint32_t *tokens;
    size_t count, normal_length, at = 0;
    const char *normal;
    if (!tokenizer_encode(tokenizer, text, length, &tokens, &count, &error)) {
        if (error.code != ERROR_MISUSED || utf8_invalid_at(text, length) == length)
            abort();
        return;
    }
    if (!utf8_normalise(text, length, &normal, &normal_length, &error))
        abort();
    for (size_t i = 0; i < count; i++) {
        size_t token_length;
        const char *bytes = tokenizer_bytes(tokenizer, tokens[i], &token_length);
        if (tokens[i] >= tokenizer_size(tokenizer))
            abort();
        if (every_byte && (token_length > normal_length - at
                           || memcmp(normal + at, bytes, token_length) != 0))
            abort();
        at += token_length;
    }
    if (every_byte && at != normal_length)
        abort();
    if (normal != text)
        free((char *)(uintptr_t)normal);
    free(tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static char small[16384];
    const char *vocab = (const char *)bytes, *end = vocab + length;
    const char *zero = length == 0 ? NULL : memchr(vocab, '\0', length);
    if (zero == NULL)
        return 0;
    const char *merges = zero + 1;
    const char *second = merges == end ? NULL : memchr(merges, '\0', (size_t)(end - merges));
    const char *text = second == NULL ? end : second + 1;
    size_t vocab_length = (size_t)(zero - vocab);
    size_t merges_length = (size_t)((second == NULL ? end : second) - merges);
    bool every_byte = vocab_length == 0;
    if (every_byte) {
        vocab = small;
        vocab_length = vocabulary_write(small);
    }
    struct error error = {0};
    struct tokenizer *tokenizer = tokenizer_open_memory(vocab, vocab_length, merges, merges_length,
                                                        &error);
    if ((tokenizer == NULL) != (error.code != ERROR_NONE))
        abort();
    if (tokenizer != NULL)
        text_check(tokenizer, text, (size_t)(end - text), every_byte);
    tokenizer_free(tokenizer);
    stream_check(text, (size_t)(end - text));
    return 0;
}
