/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Small questions about UTF-8 text, for the readers of model files. The
 * stream that turns tokens into text is declared in tokenizer.h.
 */
#ifndef VOLLEY_UTF8_H
#define VOLLEY_UTF8_H

#include "scheduler/error.h"

#include <stddef.h>

/* Where the first byte lies that begins no well-formed character; `length` if all do. */
size_t utf8_invalid_at(const char *text, size_t length);

/* Normalises valid UTF-8 to NFC in time O(n log n) whatever the text. *normal
 * is `text` itself if that already was NFC, or else the caller's to free. */
bool utf8_normalise(const char *text, size_t length, const char **normal, size_t *normal_length,
                    struct error *error);

/* For messages, which have room for one sentence: how many bytes of a name to
 * show ("%.*s"), and the end of a path. */
int utf8_clip(const char *name);
const char *utf8_tail(const char *path);

#endif
