/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * NumPy arrays in .npy files:
 *
 *     offset 0   0x93 "NUMPY", major version, minor version
 *     offset 8   length of the header: u16 (version 1) or u32 (versions 2 and 3), little-endian
 *     then       the header: a Python dictionary in ASCII with the keys descr (the type of the
 *                elements), fortran_order (whether the first axis is fastest) and shape, padded
 *                with spaces
 *     then       the elements to the end of the file
 *
 * Little-endian arrays in C order are read, and stay where they are.
 */
#include "neurons/import/recording/recording.h"
#include "neurons/import/utf8.h"

#include <inttypes.h>
#include <string.h>

enum { MAGIC = 6, RANK_LIMIT = 32 /* NumPy's own */ };

static const struct {
    const char *descr;
    enum element element;
} types[] = {
    {"<f4", ELEMENT_F4}, {"<f8", ELEMENT_F8}, {"|i1", ELEMENT_I1}, {"|u1", ELEMENT_U1},
    {"<i2", ELEMENT_I2}, {"<i4", ELEMENT_I4}, {"<i8", ELEMENT_I8}, {"|b1", ELEMENT_BOOL},
};

struct header {
    const char *path;
    const char *text; /* [length] */
    size_t length;
    size_t at; /* how far it has been read */
    const char *descr; /* [descr_length], as it stands in the text */
    size_t descr_length;
    enum element element;
    bool fortran;
    uint64_t shape[RANK_LIMIT];
    uint32_t rank;
    unsigned found; /* bit: descr, fortran_order, shape */
};

enum { FOUND_DESCR = 1, FOUND_ORDER = 2, FOUND_SHAPE = 4, FOUND_ALL = 7 };

static bool malformed(const struct header *header, const char *wanted, struct error *error)
{
    return error_set(error, ERROR_FAILED, "%s: header, character %zu: %s expected; the file is "
                     "damaged or was not written by NumPy", utf8_tail(header->path), header->at,
                     wanted);
}

static void skip_space(struct header *header)
{
    while (header->at < header->length && strchr(" \t\r\n", header->text[header->at]) != NULL &&
           header->text[header->at] != '\0')
        header->at++;
}

/* Takes the character if it is next. */
static bool take(struct header *header, char character)
{
    skip_space(header);
    if (header->at >= header->length || header->text[header->at] != character)
        return false;
    header->at++;
    return true;
}

static bool take_word(struct header *header, const char *word)
{
    size_t length = strlen(word);
    skip_space(header);
    if (header->length - header->at < length ||
        memcmp(header->text + header->at, word, length) != 0)
        return false;
    header->at += length;
    return true;
}

static bool take_string(struct header *header, const char **string, size_t *length)
{
    size_t before = header->at;
    char quote = take(header, '\'') ? '\'' : take(header, '"') ? '"' : '\0';
    size_t end = header->at;
    while (quote != '\0' && end < header->length && header->text[end] != quote)
        end++;
    if (quote == '\0' || end == header->length) {
        header->at = before;
        return false;
    }
    *string = header->text + header->at;
    *length = end - header->at;
    header->at = end + 1;
    return true;
}

static bool take_extent(struct header *header, uint64_t *extent, struct error *error)
{
    skip_space(header);
    size_t begin = header->at;
    for (*extent = 0; header->at < header->length; header->at++) {
        unsigned digit = (unsigned char)header->text[header->at] - (unsigned)'0';
        if (digit > 9)
            break;
        if (__builtin_mul_overflow(*extent, (uint64_t)10, extent) ||
            __builtin_add_overflow(*extent, (uint64_t)digit, extent))
            return malformed(header, "an extent below 2^64", error);
    }
    return header->at > begin || malformed(header, "an extent", error);
}

static bool take_shape(struct header *header, struct error *error)
{
    if (!take(header, '('))
        return malformed(header, "'('", error);
    header->rank = 0;
    while (!take(header, ')')) {
        if (header->rank == RANK_LIMIT)
            return malformed(header, "at most 32 axes", error);
        if (!take_extent(header, &header->shape[header->rank++], error))
            return false;
        take(header, 'L'); /* Python 2 wrote long integers so */
        if (take(header, ','))
            continue;
        if (!take(header, ')'))
            return malformed(header, "',' or ')'", error);
        break;
    }
    header->found |= FOUND_SHAPE;
    return true;
}

static bool take_entry(struct header *header, struct error *error)
{
    const char *key;
    size_t length;
    if (!take_string(header, &key, &length))
        return malformed(header, "a key in quotes", error);
    if (!take(header, ':'))
        return malformed(header, "':'", error);
    if (length == 5 && memcmp(key, "descr", 5) == 0) {
        header->found |= FOUND_DESCR;
        return take_string(header, &header->descr, &header->descr_length) ||
               malformed(header, "the name of one type (no structure)", error);
    }
    if (length == 13 && memcmp(key, "fortran_order", 13) == 0) {
        header->found |= FOUND_ORDER;
        header->fortran = take_word(header, "True");
        return header->fortran || take_word(header, "False") ||
               malformed(header, "True or False", error);
    }
    if (length == 5 && memcmp(key, "shape", 5) == 0)
        return take_shape(header, error);
    return malformed(header, "no key but descr, fortran_order and shape", error);
}

static bool header_parse(struct header *header, struct error *error)
{
    if (!take(header, '{'))
        return malformed(header, "'{'", error);
    while (!take(header, '}')) {
        if (!take_entry(header, error))
            return false;
        if (take(header, ','))
            continue;
        if (!take(header, '}'))
            return malformed(header, "',' or '}'", error);
        break;
    }
    if (header->found != FOUND_ALL)
        return malformed(header, "descr, fortran_order and shape before the end", error);
    skip_space(header);
    return header->at == header->length || malformed(header, "nothing but spaces", error);
}

static bool header_check(struct header *header, struct error *error)
{
    const char *shown = utf8_tail(header->path);
    bool known = false;
    for (size_t i = 0; i < sizeof types / sizeof *types && !known; i++) {
        known = header->descr_length == strlen(types[i].descr) &&
                memcmp(header->descr, types[i].descr, header->descr_length) == 0;
        if (known)
            header->element = types[i].element;
    }
    if (!known)
        return error_set(error, ERROR_FAILED, "%s: its elements are of type '%.*s'; float32, "
                         "float64, int8, uint8, int16, int32, int64 and bool in little-endian can "
                         "be read, convert it with astype('<f4')", shown,
                         (int)(header->descr_length < 40 ? header->descr_length : 40),
                         header->descr);
    if (header->fortran && header->rank > 1)
        return error_set(error, ERROR_FAILED, "%s: is in Fortran order; write it again from "
                         "numpy.ascontiguousarray", shown);
    return true;
}

static bool matches(const struct recording_file *file)
{
    return (file->length >= MAGIC && memcmp(file->bytes, "\x93NUMPY", MAGIC) == 0) ||
           path_ends(file->path, ".npy");
}

static bool open_array(struct recording *recording, const struct recording_file *file,
                       const struct recording_options *options, struct error *error)
{
    const char *shown = utf8_tail(file->path);
    const unsigned char *bytes = file->bytes;
    if (file->length < MAGIC + 4 || memcmp(bytes, "\x93NUMPY", MAGIC) != 0)
        return error_set(error, ERROR_FAILED, "%s: is not a NumPy array: it does not begin with "
                         "\\x93NUMPY", shown);
    if (bytes[MAGIC] < 1 || bytes[MAGIC] > 3)
        return error_set(error, ERROR_FAILED, "%s: is of version %u of the format; versions 1 to 3 "
                         "can be read", shown, bytes[MAGIC]);
    size_t start = bytes[MAGIC] == 1 ? MAGIC + 4 : MAGIC + 6;
    size_t length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (start > MAGIC + 4 && file->length >= start)
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (file->length < start || file->length - start < length)
        return error_set(error, ERROR_FAILED, "%s: ends inside its header; it was cut short, fetch "
                         "it again", shown);
    struct header header = {.path = file->path, .text = (const char *)bytes + start,
                            .length = length};
    start += length;
    return header_parse(&header, error) && header_check(&header, error) &&
           recording_set_values(recording, header.element, header.shape, header.rank,
                                options->timeless, bytes + start, file->length - start, error);
}

const struct recording_format recording_npy = {
    .name = "NumPy array",
    .matches = matches,
    .open = open_array,
};
