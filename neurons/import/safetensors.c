/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading safetensors. A file is
 *
 *     offset 0        u64 little-endian: N, the length of the header
 *     offset 8        N bytes of JSON, first '{', perhaps padded with spaces
 *     offset 8 + N    the buffer, to the end of the file
 *
 * and the header is {"name": {"dtype": "F32", "shape": [2, 3],
 * "data_offsets": [begin, end]}, ...} with offsets that count from the start
 * of the buffer; "__metadata__" holds strings and no tensor.
 *
 * The invariant of a file that was read: its tensors, sorted by place, cover
 * its buffer from the first byte to the last, each byte once.
 */
#define _GNU_SOURCE 1
#include "neurons/import/tensor_set_internal.h"
#include "neurons/import/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8 };

/* Where the buffer begins: behind what describes it. */
static size_t buffer_at(const struct tensor_file *file)
{
    return file->described[0].length;
}

/* ------------------------------------------------------------- one tensor */

static bool dtype_parse(const struct tensor_file *file, const char *name, const json_t *json,
                        enum dtype *dtype, struct error *error)
{
    const char *text = json_string_value(json);
    if (text == NULL)
        return error_set(error, ERROR_FAILED, TENSOR "dtype is missing or is not a string" DAMAGED,
                         TENSOR_SHOWN(file, name));
    for (enum dtype i = DTYPE_F64; i <= DTYPE_BOOL; i++) {
        if (strcmp(text, dtype_name(i)) == 0) {
            *dtype = i;
            return true;
        }
    }
    return error_set(error, ERROR_FAILED, TENSOR "dtype '%.*s' is not one that can be read (F64 "
                     "F32 F16 BF16 I64 I32 I16 I8 U8 BOOL); convert the tensor to one of these",
                     TENSOR_SHOWN(file, name), utf8_clip(text), text);
}

static bool shape_parse(const struct tensor_file *file, const char *name, const json_t *json,
                        struct tensor *tensor, struct error *error)
{
    if (!json_is_array(json))
        return error_set(error, ERROR_FAILED, TENSOR "shape is missing or is not a list" DAMAGED,
                         TENSOR_SHOWN(file, name));
    size_t rank = json_array_size(json);
    if (rank > TENSOR_RANK_LIMIT)
        return error_set(error, ERROR_FAILED, TENSOR "shape has %zu dimensions; at most %d can be "
                         "read", TENSOR_SHOWN(file, name), rank, TENSOR_RANK_LIMIT);
    tensor->rank = (uint32_t)rank;
    for (size_t i = 0; i < rank; i++) {
        const json_t *extent = json_array_get(json, i);
        if (!json_is_integer(extent) || json_integer_value(extent) < 0)
            return error_set(error, ERROR_FAILED, TENSOR "dimension %zu of the shape is not an "
                             "integer of 0 or more" DAMAGED, TENSOR_SHOWN(file, name), i);
        tensor->shape[i] = (uint64_t)json_integer_value(extent);
    }
    if (!tensor_measure(tensor))
        return error_set(error, ERROR_FAILED, TENSOR "shape asks for more than 2^64 bytes" DAMAGED,
                         TENSOR_SHOWN(file, name));
    return true;
}

/* Writes "[2, 3]"; the longest shape there can be fits. */
static void shape_print(const struct tensor *tensor, char text[TENSOR_RANK_LIMIT * 22 + 3])
{
    char *at = text;
    *at++ = '[';
    for (uint32_t i = 0; i < tensor->rank; i++)
        at += sprintf(at, "%s%" PRIu64, i == 0 ? "" : ", ", tensor->shape[i]);
    *at++ = ']';
    *at = '\0';
}

static bool offsets_parse(const struct tensor_file *file, const char *name, const json_t *json,
                          struct tensor *tensor, struct error *error)
{
    const json_t *first = json_array_get(json, 0), *second = json_array_get(json, 1);
    if (json_array_size(json) != 2 || !json_is_integer(first) || !json_is_integer(second))
        return error_set(error, ERROR_FAILED, TENSOR "data_offsets are missing or are not two "
                         "integers" DAMAGED, TENSOR_SHOWN(file, name));
    json_int_t begin = json_integer_value(first), end = json_integer_value(second);
    if (begin < 0 || end < begin)
        return error_set(error, ERROR_FAILED, TENSOR "data_offsets [%" JSON_INTEGER_FORMAT ", %"
                         JSON_INTEGER_FORMAT "] are not in order" DAMAGED, TENSOR_SHOWN(file, name),
                         begin, end);
    size_t start = buffer_at(file), room = file->length - start;
    if ((uint64_t)end > room)
        return error_set(error, ERROR_FAILED, TENSOR "data_offsets [%" JSON_INTEGER_FORMAT ", %"
                         JSON_INTEGER_FORMAT "] reach beyond the %zu bytes of data in the file; it "
                         "was cut short, fetch it again", TENSOR_SHOWN(file, name), begin, end,
                         room);
    if ((uint64_t)(end - begin) != tensor->bytes) {
        char shape[TENSOR_RANK_LIMIT * 22 + 3];
        shape_print(tensor, shape);
        return error_set(error, ERROR_FAILED, TENSOR "data_offsets [%" JSON_INTEGER_FORMAT ", %"
                         JSON_INTEGER_FORMAT "] do not match shape %s of %s (%" PRIu64 " bytes)"
                         DAMAGED, TENSOR_SHOWN(file, name), begin, end, shape,
                         dtype_name(tensor->dtype), tensor->bytes);
    }
    tensor->data = file->bytes + start + (size_t)begin;
    return true;
}

/* Fills all of `tensor` but its name. */
static bool tensor_parse(const struct tensor_file *file, const char *name, const json_t *entry,
                         struct tensor *tensor, struct error *error)
{
    if (!json_is_object(entry))
        return error_set(error, ERROR_FAILED, TENSOR "its entry in the header is not an object"
                         DAMAGED, TENSOR_SHOWN(file, name));
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)entry, key, value) {
        if (strcmp(key, "dtype") != 0 && strcmp(key, "shape") != 0
            && strcmp(key, "data_offsets") != 0)
            return error_set(error, ERROR_FAILED, TENSOR "unknown key '%.*s'" DAMAGED,
                             TENSOR_SHOWN(file, name), utf8_clip(key), key);
    }
    memset(tensor, 0, sizeof *tensor);
    tensor->file = file->path;
    return dtype_parse(file, name, json_object_get(entry, "dtype"), &tensor->dtype, error)
        && shape_parse(file, name, json_object_get(entry, "shape"), tensor, error)
        && offsets_parse(file, name, json_object_get(entry, "data_offsets"), tensor, error);
}

/* ---------------------------------------------------------------- one file */

static int tensor_compare_place(const void *left, const void *right)
{
    const struct tensor *a = left, *b = right;
    uintptr_t begin_a = (uintptr_t)a->data, begin_b = (uintptr_t)b->data;
    if (begin_a != begin_b)
        return begin_a < begin_b ? -1 : 1;
    return a->bytes < b->bytes ? -1 : a->bytes > b->bytes; /* an empty tensor comes first */
}

/* Sorts `tensors` [count], which are all those of `file`, by place, and makes
 * sure that they cover its buffer without overlap or hole. */
static bool file_check_cover(const struct tensor_file *file, struct tensor *tensors, size_t count,
                             struct error *error)
{
    const unsigned char *buffer = file->bytes + buffer_at(file);
    size_t room = file->length - buffer_at(file), reached = 0;
    qsort(tensors, count, sizeof *tensors, tensor_compare_place);
    for (size_t i = 0; i < count; i++) {
        const struct tensor *tensor = &tensors[i];
        size_t begin = (size_t)((const unsigned char *)tensor->data - buffer);
        if (begin < reached) /* then i > 0 */
            return error_set(error, ERROR_FAILED, TENSOR "its data begins at byte %zu of the "
                             "buffer, inside tensor '%.*s', which ends at %zu" DAMAGED,
                             TENSOR_SHOWN(file, tensor->name), begin,
                             utf8_clip(tensors[i - 1].name), tensors[i - 1].name, reached);
        if (begin > reached)
            return error_set(error, ERROR_FAILED, TENSOR "bytes %zu to %zu of the buffer, before "
                             "it, belong to no tensor" DAMAGED, TENSOR_SHOWN(file, tensor->name),
                             reached, begin);
        reached = begin + (size_t)tensor->bytes;
    }
    if (reached != room)
        return error_set(error, ERROR_FAILED, "%s: the last %zu bytes belong to no tensor" DAMAGED,
                         utf8_tail(file->path), room - reached);
    return true;
}

static bool metadata_check(const struct tensor_file *file, json_t *metadata, struct error *error)
{
    const char *path = utf8_tail(file->path), *key;
    json_t *value;
    if (!json_is_object(metadata))
        return error_set(error, ERROR_FAILED, "%s: __metadata__ is not an object" DAMAGED, path);
    json_object_foreach(metadata, key, value) {
        if (!json_is_string(value))
            return error_set(error, ERROR_FAILED, "%s: __metadata__ '%.*s' is not a string" DAMAGED,
                             path, utf8_clip(key), key);
    }
    return true;
}

static bool header_read(struct tensor_set *set, struct tensor_file *file, json_t *header,
                        struct error *error)
{
    if (!tensor_set_reserve(set, json_object_size(header), error))
        return false;
    size_t first = set->length;
    const char *name;
    json_t *entry;
    json_object_foreach(header, name, entry) {
        if (strcmp(name, "__metadata__") == 0) {
            if (!metadata_check(file, entry, error))
                return false;
            file->metadata = json_incref(entry);
            continue;
        }
        struct tensor tensor;
        if (!tensor_parse(file, name, entry, &tensor, error)
            || !tensor_set_add(set, &tensor, strdup(name), error))
            return false;
    }
    return file_check_cover(file, set->tensors + first, set->length - first, error);
}

/* Reads the header of `file`, whose bytes are there, and adds its tensors. */
static bool file_read(struct tensor_set *set, struct tensor_file *file, struct error *error)
{
    const char *path = utf8_tail(file->path);
    if (file->length < LENGTH_BYTES)
        return error_set(error, ERROR_FAILED, "%s: has %zu bytes, too few for a safetensors file; "
                         "fetch it again", path, file->length);
    uint64_t header_length = 0;
    for (int i = LENGTH_BYTES - 1; i >= 0; i--)
        header_length = header_length << 8 | file->bytes[i];
    if (header_length > TENSOR_HEADER_LIMIT)
        return error_set(error, ERROR_FAILED, "%s: the header would have %" PRIu64 " bytes, "
                         "more than the %d allowed; this is not a safetensors file", path,
                         header_length, TENSOR_HEADER_LIMIT);
    if (header_length > file->length - LENGTH_BYTES)
        return error_set(error, ERROR_FAILED, "%s: the header has %" PRIu64 " bytes, but only %zu "
                         "follow; the file was cut short, fetch it again", path, header_length,
                         file->length - LENGTH_BYTES);
    file->described[0].bytes = file->bytes;
    file->described[0].length = LENGTH_BYTES + (size_t)header_length;
    const char *text = (const char *)file->bytes + LENGTH_BYTES;
    if (header_length == 0 || text[0] != '{')
        return error_set(error, ERROR_FAILED, "%s: byte 8: the header does not begin with '{'; "
                         "this is not a safetensors file", path);
    json_error_t where;
    json_t *header = json_loadb(text, (size_t)header_length, JSON_REJECT_DUPLICATES, &where);
    if (header == NULL)
        return error_set(error, ERROR_FAILED, "%s: byte %d of the header: %s" DAMAGED, path,
                         where.position, where.text);
    bool read = header_read(set, file, header, error);
    json_decref(header);
    return read;
}

const struct tensor_format safetensors_format = {
    .single_name = "model.safetensors",
    .index_name = "model.safetensors.index.json",
    .read = file_read,
};
