/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * UTF-8: which bytes make a character, normal form C, and the stream that
 * shows text as its bytes come in.
 *
 * Well-formed sequences are those of table 3-7 of the Unicode Standard: after
 * E0, ED, F0 and F4 the second byte has a narrower range than 80..BF, and C0,
 * C1 and F5..FF begin nothing. The invariant of the stream: `held` is empty or
 * a proper beginning of a well-formed sequence; so what is given out is
 * always whole characters, and each longest beginning that nothing can
 * complete becomes one U+FFFD.
 */
#define _GNU_SOURCE 1
#include "neurons/import/utf8.h"

#include "neurons/import/tokenizer.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { NAME_SHOWN = 120, PATH_SHOWN = 300 };

/* Bytes of the sequence that `lead` begins, 0 if it begins none. */
static size_t sequence_length(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2)
        return 0;
    if (lead < 0xe0)
        return 2;
    if (lead < 0xf0)
        return 3;
    return lead < 0xf5 ? 4 : 0;
}

/* Whether `byte` may stand at `position` (1, 2, 3) of a sequence begun by `lead`. */
static bool sequence_takes(unsigned char lead, size_t position, unsigned char byte)
{
    unsigned char least = 0x80, most = 0xbf;
    if (position == 1) {
        if (lead == 0xe0)
            least = 0xa0;
        else if (lead == 0xed)
            most = 0x9f; /* no surrogates */
        else if (lead == 0xf0)
            least = 0x90;
        else if (lead == 0xf4)
            most = 0x8f; /* nothing above U+10FFFF */
    }
    return byte >= least && byte <= most;
}

size_t utf8_invalid_at(const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t at = 0;
    while (at < length) {
        size_t expected = sequence_length(bytes[at]);
        if (expected == 0 || expected > length - at)
            return at;
        for (size_t i = 1; i < expected; i++)
            if (!sequence_takes(bytes[at], i, bytes[at + i]))
                return at;
        at += expected;
    }
    return length;
}

int utf8_clip(const char *name)
{
    size_t length = strnlen(name, NAME_SHOWN + 1);
    if (length <= NAME_SHOWN)
        return (int)length;
    length = NAME_SHOWN;
    while (length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80)
        length--;
    return (int)length;
}

const char *utf8_tail(const char *path)
{
    size_t length = strlen(path);
    if (length <= PATH_SHOWN)
        return path;
    path += length - PATH_SHOWN;
    while (((unsigned char)*path & 0xc0) == 0x80)
        path++;
    return path;
}

/* ------------------------------------------------------------- normal form C */

struct mark {
    utf8proc_int32_t character;
    utf8proc_propval_t order; /* canonical combining class */
    size_t place;
};

static int mark_compare(const void *left, const void *right)
{
    const struct mark *a = left, *b = right;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* Puts characters[length], each run of combining marks, in canonical order.
 * utf8proc_decompose would do it, in time that grows as the square of a run. */
static bool marks_sort(utf8proc_int32_t *characters, size_t length, struct error *error)
{
    struct mark *marks = NULL; /* [capacity] */
    size_t capacity = 0;
    for (size_t begin = 0; begin < length; begin++) {
        size_t end = begin;
        bool sorted = true;
        utf8proc_propval_t previous = 0, order;
        while (end < length
               && (order = utf8proc_get_property(characters[end])->combining_class) != 0) {
            sorted = sorted && order >= previous;
            previous = order;
            end++;
        }
        if (sorted) {
            begin = end;
            continue;
        }
        size_t count = end - begin;
        if (count > capacity) {
            struct mark *larger = realloc(marks, count * sizeof *marks);
            if (larger == NULL) {
                free(marks);
                return error_no_memory(error, "normalising text");
            }
            marks = larger;
            capacity = count;
        }
        for (size_t i = 0; i < count; i++) {
            marks[i].character = characters[begin + i];
            marks[i].order = utf8proc_get_property(marks[i].character)->combining_class;
            marks[i].place = i;
        }
        qsort(marks, count, sizeof *marks, mark_compare);
        for (size_t i = 0; i < count; i++)
            characters[begin + i] = marks[i].character;
        begin = end;
    }
    free(marks);
    return true;
}

/* Decomposes `text` into *characters [*count], which the caller frees and
 * which has room for one more. */
static bool text_decompose(const char *text, size_t length, utf8proc_int32_t **characters,
                           size_t *count, struct error *error)
{
    enum { LONGEST = 32 }; /* decompositions of one character have 4 at most today */
    utf8proc_int32_t *out = NULL;
    size_t used = 0, capacity = 0;
    for (size_t at = 0; at < length;) {
        if (capacity - used < LONGEST + 1) {
            size_t wanted = capacity + capacity / 2 + length / 2 + 2 * LONGEST;
            utf8proc_int32_t *larger = reallocarray(out, wanted, sizeof *out);
            if (larger == NULL) {
                free(out);
                return error_no_memory(error, "normalising text");
            }
            out = larger;
            capacity = wanted;
        }
        utf8proc_int32_t character;
        utf8proc_ssize_t step = utf8proc_iterate((const utf8proc_uint8_t *)text + at,
                                                 (utf8proc_ssize_t)(length - at), &character);
        int boundary = 0;
        utf8proc_ssize_t written = step <= 0 ? step
            : utf8proc_decompose_char(character, out + used, LONGEST,
                                      UTF8PROC_STABLE | UTF8PROC_COMPOSE, &boundary);
        if (step <= 0 || written < 0 || written > LONGEST) {
            free(out);
            return error_set(error, ERROR_FAILED, "text: cannot be normalised at byte %zu: %s", at,
                             written < 0 ? utf8proc_errmsg(written) : "unknown decomposition");
        }
        at += (size_t)step;
        used += (size_t)written;
    }
    *characters = out;
    *count = used;
    return true;
}

/* Composes characters[count] in place and returns how many remain, or a
 * negative number as utf8proc does. U+11A7 stands just before the Hangul
 * trailing consonants and is none; utf8proc 2.8 takes it for one and swallows
 * it. It joins nothing, so that what lies between two of them is composed alone. */
static utf8proc_ssize_t characters_compose(utf8proc_int32_t *characters, size_t count)
{
    enum { BEFORE_TRAILING = 0x11a7 };
    size_t used = 0;
    for (size_t begin = 0; begin < count;) {
        size_t end = begin;
        while (end < count && characters[end] != BEFORE_TRAILING)
            end++;
        utf8proc_ssize_t composed = utf8proc_normalize_utf32(characters + begin,
                                                             (utf8proc_ssize_t)(end - begin),
                                                             UTF8PROC_STABLE | UTF8PROC_COMPOSE);
        if (composed < 0)
            return composed;
        memmove(characters + used, characters + begin, (size_t)composed * sizeof *characters);
        used += (size_t)composed;
        if (end < count)
            characters[used++] = BEFORE_TRAILING;
        begin = end + 1;
    }
    return (utf8proc_ssize_t)used;
}

bool utf8_normalise(const char *text, size_t length, const char **normal, size_t *normal_length,
                    struct error *error)
{
    size_t plain = 0;
    while (plain < length && (unsigned char)text[plain] < 0xcc) /* CC 80 is U+0300 */
        plain++;
    *normal = text;
    *normal_length = length;
    if (plain == length) /* every character below U+0300 is its own normal form */
        return true;

    utf8proc_int32_t *characters = NULL;
    size_t count = 0;
    if (!text_decompose(text, length, &characters, &count, error))
        return false;
    if (!marks_sort(characters, count, error)) {
        free(characters);
        return false;
    }
    utf8proc_ssize_t bytes = characters_compose(characters, count);
    if (bytes >= 0)
        bytes = utf8proc_reencode(characters, bytes, UTF8PROC_STABLE);
    if (bytes < 0) {
        free(characters);
        return error_set(error, ERROR_FAILED, "text: cannot be normalised: %s",
                         utf8proc_errmsg(bytes));
    }
    *normal = (const char *)characters;
    *normal_length = (size_t)bytes;
    return true;
}

/* ---------------------------------------------------------------- the stream */

static size_t replacement_write(char *out)
{
    memcpy(out, "\xef\xbf\xbd", 3);
    return 3;
}

size_t utf8_stream_put(struct utf8_stream *stream, const char *bytes, size_t length, char *out)
{
    size_t written = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (stream->held_length > 0
            && !sequence_takes(stream->held[0], stream->held_length, byte)) {
            written += replacement_write(out + written);
            stream->held_length = 0;
        }
        size_t expected = sequence_length(stream->held_length > 0 ? stream->held[0] : byte);
        if (expected == 0) {
            written += replacement_write(out + written);
            continue;
        }
        stream->held[stream->held_length++] = byte;
        if (stream->held_length == expected) {
            memcpy(out + written, stream->held, expected);
            written += expected;
            stream->held_length = 0;
        }
    }
    return written;
}

size_t utf8_stream_end(struct utf8_stream *stream, char *out)
{
    if (stream->held_length == 0)
        return 0;
    stream->held_length = 0;
    return replacement_write(out);
}
