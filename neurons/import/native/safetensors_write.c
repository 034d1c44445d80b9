/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing safetensors: the header, padded with spaces to a multiple of eight bytes, and then the
 * tensors' bytes in the order in which the header has given them their places.
 */
#define _GNU_SOURCE 1
#include "neurons/import/native/safetensors_write.h"

#include "neurons/import/utf8.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, WIDEST = 8 };

/* False if its shape is too large to be counted in bytes. */
static bool tensor_bytes(const struct tensor *tensor, uint64_t *bytes)
{
    *bytes = dtype_bytes(tensor->dtype);
    for (uint32_t i = 0; i < tensor->rank; i++)
        if (__builtin_mul_overflow(*bytes, tensor->shape[i], bytes))
            return false;
    return true;
}

/* {"dtype": …, "shape": […], "data_offsets": [begin, end]}; NULL when memory is short. */
static json_t *entry_make(const struct tensor *tensor, uint64_t begin, uint64_t end)
{
    json_t *shape = json_array();
    for (uint32_t i = 0; i < tensor->rank; i++)
        if (json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i])) != 0) {
            json_decref(shape);
            return NULL;
        }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype_name(tensor->dtype), "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)end);
}

static json_t *header_begin(const char *format)
{
    return format != NULL ? json_pack("{s:{s:s}}", "__metadata__", "format", format)
                          : json_object();
}

char *safetensors_header(const struct tensor *const *order, size_t length, const char *format,
                         const char *name, struct error *error)
{
    json_t *header = header_begin(format);
    uint64_t begin = 0, bytes;
    for (size_t i = 0; i < length; i++) {
        const struct tensor *tensor = order[i];
        if (!tensor_bytes(tensor, &bytes) || bytes > INT64_MAX - begin) {
            error_set(error, ERROR_FAILED, "%s: tensor '%.*s' is too large to be written",
                      utf8_tail(name), utf8_clip(tensor->name), tensor->name);
            json_decref(header);
            return NULL;
        }
        if (json_object_get(header, tensor->name) != NULL ||
            json_object_set_new(header, tensor->name, entry_make(tensor, begin, begin + bytes)) !=
                0) {
            error_set(error, ERROR_FAILED,
                      "%s: tensor '%.*s' cannot be written: its name is there "
                      "twice or is not UTF-8, or memory is short",
                      utf8_tail(name), utf8_clip(tensor->name), tensor->name);
            json_decref(header);
            return NULL;
        }
        begin += bytes;
    }
    char *text = json_dumps(header, JSON_COMPACT), *padded = NULL;
    json_decref(header);
    if (text != NULL) {
        size_t room = (strlen(text) + WIDEST - 1) / WIDEST * WIDEST;
        if (asprintf(&padded, "%-*s", (int)room, text) < 0)
            padded = NULL;
    }
    free(text);
    if (padded == NULL)
        error_no_memory(error, "the header of a safetensors file");
    return padded;
}

static bool file_write(FILE *file, const char *header, const struct tensor *const *order,
                       size_t length)
{
    unsigned char size[LENGTH_BYTES];
    uint64_t header_length = strlen(header), bytes;
    for (int i = 0; i < LENGTH_BYTES; i++)
        size[i] = (unsigned char)(header_length >> (8 * i));
    if (fwrite(size, 1, sizeof size, file) != sizeof size ||
        fwrite(header, 1, header_length, file) != header_length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!tensor_bytes(order[i], &bytes) ||
            (bytes > 0 && fwrite(order[i]->data, 1, bytes, file) != bytes))
            return false;
    return true;
}

bool safetensors_write(FILE *file, const char *name, const struct tensor *tensors, size_t length,
                       struct error *error)
{
    const struct tensor **order = calloc(length + 1, sizeof *order);
    if (order == NULL)
        return error_no_memory(error, "the header of a safetensors file");
    size_t placed = 0;
    for (uint32_t width = WIDEST; width > 0; width /= 2)
        for (size_t i = 0; i < length; i++)
            if (dtype_bytes(tensors[i].dtype) == width)
                order[placed++] = &tensors[i];
    char *header = safetensors_header(order, placed, NULL, name, error);
    bool written = header != NULL;
    if (written && !file_write(file, header, order, placed))
        written = error_set(error, ERROR_FAILED, "%s: cannot be written: %s", utf8_tail(name),
                            strerror(errno));
    free(header);
    free(order);
    return written;
}
