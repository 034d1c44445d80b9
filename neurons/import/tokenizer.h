/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Byte-level byte-pair encoding as Qwen2 uses it: NFC, the pre-tokenisation
 * regular expression, then merges in order of rank.
 */
#ifndef VOLLEY_TOKENIZER_H
#define VOLLEY_TOKENIZER_H

#include "scheduler/error.h"

#include <stddef.h>
#include <stdint.h>

struct tokenizer;

/* Reads vocab.json and merges.txt from `folder`. */
struct tokenizer *tokenizer_open(const char *folder, struct error *error);
void tokenizer_free(struct tokenizer *tokenizer);

/* The same from memory, for tests and fuzzing; neither text is needed afterwards. */
struct tokenizer *tokenizer_open_memory(const char *vocab, size_t vocab_length, const char *merges,
                                        size_t merges_length, struct error *error);

/* Number of ids that have bytes: the largest id of the vocabulary plus one. */
uint32_t tokenizer_size(const struct tokenizer *tokenizer);

/* Encodes `text` (`length` bytes of valid UTF-8) into *tokens [*count], which
 * the caller frees. Fails on invalid UTF-8, saying at which byte. Empty text
 * gives no token. */
bool tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t length,
                      uint32_t **tokens, size_t *count, struct error *error);

/* Bytes of a token; NULL with *length 0 for an id without bytes (special or unused). */
const char *tokenizer_bytes(const struct tokenizer *tokenizer, uint32_t token, size_t *length);

/* Turns tokens into text as it comes: holds back bytes that do not yet make a
 * whole character and replaces what can never be one by U+FFFD, so that what
 * is written is valid UTF-8 at every moment. */
struct utf8_stream {
    unsigned char held[4];
    size_t held_length;
};
/* Appends `bytes` and writes to `out` (room for 3 * length + 12 bytes at least) what
 * can be shown now; returns its length. */
size_t utf8_stream_put(struct utf8_stream *stream, const char *bytes, size_t length, char *out);
/* The end: writes U+FFFD if an unfinished character is held (room for 4 bytes). */
size_t utf8_stream_end(struct utf8_stream *stream, char *out);

#endif
