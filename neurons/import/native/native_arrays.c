/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Many numbers at once in native documents: nested lists, or tensors of the safetensors file beside
 * it. All are measured before memory is taken for them.
 */
#define _GNU_SOURCE 1
#include "neurons/import/native/native_values.h"

#include "neurons/import/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    NAMES_LISTED = 64,
    SPREAD_LIMIT = 1 << 27 /* numbers: 1 GiB */
};

/* ----------------------------------------------------------------- tensors */

static void tensors_digest(struct native_reader *reader)
{
    for (size_t i = 0; i < tensor_set_length(reader->tensors); i++) {
        const struct tensor *tensor = tensor_set_at(reader->tensors, i);
        blueprint_digest(reader->blueprint, tensor->name, strlen(tensor->name));
        blueprint_digest(reader->blueprint, tensor->data, (size_t)tensor->bytes);
    }
}

static bool tensors_open(struct native_reader *reader, const struct native_item *item)
{
    if (reader->tensors != NULL)
        return true;
    char *path;
    if (asprintf(&path, "%s/%s", reader->folder != NULL ? reader->folder : "", reader->weights) < 0)
        return error_no_memory(reader->error, "the path of a file");
    if (reader->folder == NULL || access(path, F_OK) != 0)
        native_refuse(reader, item,
                      "asks for a tensor, but there is no '%.*s' in the document's "
                      "folder",
                      utf8_clip(reader->weights), reader->weights);
    else
        reader->tensors = tensor_set_open(path, reader->error);
    free(path);
    if (reader->tensors == NULL)
        return false;
    tensors_digest(reader);
    return true;
}

/* The tensor of an {"tensor": NAME}. */
static const struct tensor *tensor_get(struct native_reader *reader, const struct native_item *item)
{
    static const char *const fields[] = {"tensor", NULL};
    struct native_item named = native_member(item, "tensor");
    const char *name;
    if (!native_fields(reader, item, fields) || !native_text(reader, &named, &name) ||
        !tensors_open(reader, &named))
        return NULL;
    const struct tensor *tensor = tensor_set_find(reader->tensors, name);
    if (tensor == NULL) {
        const char *names[NAMES_LISTED];
        size_t count = tensor_set_length(reader->tensors);
        for (size_t i = 0; i < count && i < NAMES_LISTED; i++)
            names[i] = tensor_set_at(reader->tensors, i)->name;
        native_unknown(reader, &named, "tensor", name, names,
                       count < NAMES_LISTED ? count : NAMES_LISTED);
    } else if (tensor->dtype == DTYPE_BOOL) {
        native_refuse(reader, &named, "tensor '%.*s' is of dtype BOOL; it must hold numbers",
                      utf8_clip(name), name);
        tensor = NULL;
    }
    return tensor;
}

static double half_value(uint16_t bits)
{
    int exponent = bits >> 10 & 31;
    double fraction = bits & 1023, size;
    if (exponent == 31)
        size = fraction == 0 ? INFINITY : NAN;
    else
        size = exponent == 0 ? ldexp(fraction, -24) : ldexp(fraction + 1024, exponent - 25);
    return bits >> 15 ? -size : size;
}

static double brain_value(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return (double)value;
}

/* Copies all elements; they may lie unaligned. */
#define ELEMENTS_COPY(type, convert)                                                               \
    for (uint64_t i = 0; i < tensor->elements; i++) {                                              \
        type element;                                                                              \
        memcpy(&element, bytes + i * sizeof element, sizeof element);                              \
        values[i] = convert(element);                                                              \
    }                                                                                              \
    break

static void tensor_copy(const struct tensor *tensor, double *values)
{
    const unsigned char *bytes = tensor->data;
    switch (tensor->dtype) {
    case DTYPE_F64: ELEMENTS_COPY(double, );
    case DTYPE_F32: ELEMENTS_COPY(float, (double));
    case DTYPE_F16: ELEMENTS_COPY(uint16_t, half_value);
    case DTYPE_BF16: ELEMENTS_COPY(uint16_t, brain_value);
    case DTYPE_I64: ELEMENTS_COPY(int64_t, (double));
    case DTYPE_I32: ELEMENTS_COPY(int32_t, (double));
    case DTYPE_I16: ELEMENTS_COPY(int16_t, (double));
    case DTYPE_I8: ELEMENTS_COPY(int8_t, (double));
    case DTYPE_U8:
    case DTYPE_BOOL: ELEMENTS_COPY(uint8_t, (double));
    }
}

/* ------------------------------------------------------------------ arrays */

static void shape_print(const uint64_t *shape, uint32_t rank, char text[TENSOR_RANK_LIMIT * 22 + 3])
{
    char *at = text;
    *at++ = '[';
    for (uint32_t i = 0; i < rank; i++)
        at += sprintf(at, "%s%llu", i == 0 ? "" : ", ", (unsigned long long)shape[i]);
    strcpy(at, "]");
}

bool native_is_array(const struct native_item *item)
{
    return json_is_array(item->json) || json_object_get(item->json, "tensor") != NULL;
}

bool native_length(struct native_reader *reader, const struct native_item *item, uint64_t *length)
{
    if (!native_expect(reader, item, native_is_array(item),
                       "a list, [ … ], or {\"tensor\": \"its name\"}"))
        return false;
    *length = json_array_size(item->json);
    if (json_is_array(item->json))
        return true;
    const struct tensor *tensor = tensor_get(reader, item);
    if (tensor == NULL)
        return false;
    *length = tensor->elements;
    return true;
}

/* Makes sure of the shape of nested arrays; then, called again, copies to *values and moves it
 * on. */
static bool nested_read(const struct native_reader *reader, const struct native_item *item,
                        uint32_t rank, const uint64_t *shape, double **values)
{
    if (rank == 0) {
        double value;
        if (!native_number(reader, item, RANGE_ANY, &value))
            return false;
        if (values != NULL)
            *(*values)++ = value;
        return true;
    }
    char text[TENSOR_RANK_LIMIT * 22 + 3];
    shape_print(shape, rank, text);
    if (!json_is_array(item->json))
        return native_refuse(reader, item, "must be a list of numbers, of shape %s", text);
    if (json_array_size(item->json) != shape[0])
        return native_refuse(reader, item, "must be numbers of shape %s; here are %zu", text,
                             json_array_size(item->json));
    for (size_t i = 0; i < json_array_size(item->json); i++) {
        struct native_item element = native_element(item, i);
        if (!nested_read(reader, &element, rank - 1, shape + 1, values))
            return false;
    }
    return true;
}

static bool tensor_shape_check(const struct native_reader *reader, const struct native_item *item,
                               const struct tensor *tensor, uint32_t rank, const uint64_t *shape,
                               bool loose)
{
    uint64_t elements = 1;
    bool equal = tensor->rank == rank, fits = true;
    for (uint32_t i = 0; i < rank; i++) {
        equal = equal && tensor->shape[i] == shape[i];
        fits = fits && !__builtin_mul_overflow(elements, shape[i], &elements);
    }
    if (equal || (loose && fits && elements == tensor->elements))
        return true;
    char found[TENSOR_RANK_LIMIT * 22 + 3], wanted[TENSOR_RANK_LIMIT * 22 + 3];
    shape_print(tensor->shape, tensor->rank, found);
    shape_print(shape, rank, wanted);
    return native_refuse(reader, item, "tensor '%.*s' has shape %s; it must be %s",
                         utf8_clip(tensor->name), tensor->name, found, wanted);
}

static double *values_new(uint64_t length, struct error *error)
{
    size_t bytes;
    double *values = NULL;
    if (!__builtin_mul_overflow(length + (length == 0), sizeof *values, &bytes))
        values = malloc(bytes);
    if (values == NULL)
        error_no_memory(error, "the numbers of a network");
    return values;
}

static bool tensor_read(struct native_reader *reader, const struct native_item *item, uint32_t rank,
                        const uint64_t *shape, bool loose, double **values)
{
    const struct tensor *tensor = tensor_get(reader, item);
    if (tensor == NULL || !tensor_shape_check(reader, item, tensor, rank, shape, loose))
        return false;
    double *read = values_new(tensor->elements, reader->error);
    if (read == NULL)
        return false;
    tensor_copy(tensor, read);
    for (uint64_t i = 0; i < tensor->elements; i++) {
        if (!isfinite(read[i])) {
            native_refuse(reader, item, "element %llu of tensor '%.*s' is %g; all must be "
                          "finite",
                          (unsigned long long)i, utf8_clip(tensor->name), tensor->name, read[i]);
            free(read);
            return false;
        }
    }
    *values = read;
    return true;
}

bool native_array(struct native_reader *reader, const struct native_item *item, uint32_t rank,
                  const uint64_t *shape, bool loose, double **values)
{
    if (!native_expect(reader, item, native_is_array(item),
                       "a list, [ … ], or {\"tensor\": \"its name\"}"))
        return false;
    if (!json_is_array(item->json))
        return tensor_read(reader, item, rank, shape, loose, values);
    if (!nested_read(reader, item, rank, shape, NULL))
        return false;
    uint64_t length = 1; /* cannot overflow: that many numbers are there */
    for (uint32_t i = 0; i < rank; i++)
        length *= shape[i];
    *values = values_new(length, reader->error);
    if (*values == NULL)
        return false;
    double *at = *values;
    nested_read(reader, item, rank, shape, &at);
    return true;
}

bool native_whole(const struct native_reader *reader, const struct native_item *item,
                  const double *values, uint64_t length, double low, double high)
{
    for (uint64_t i = 0; i < length; i++)
        if (values[i] != floor(values[i]) || values[i] < low || values[i] > high)
            return native_refuse(reader, item,
                                 "must hold whole numbers from %.17g to %.17g; number "
                                 "%llu is %.17g",
                                 low, high, (unsigned long long)i, values[i]);
    return true;
}

bool native_in_range(const struct native_reader *reader, const struct native_item *item,
                     const double *values, uint64_t length, enum parameter_range range)
{
    for (uint64_t i = 0; i < length; i++) {
        const char *fault = native_fault(range, values[i]);
        if (fault != NULL)
            return native_refuse(reader, item, "%s, number %llu is %.9g", fault,
                                 (unsigned long long)i, values[i]);
    }
    return true;
}

double *native_spread(struct native_reader *reader, const struct native_item *item, double value,
                      uint32_t length)
{
    reader->spread += length;
    if (reader->spread > SPREAD_LIMIT) {
        native_refuse(reader, item,
                      "one number for %u neurons would take more memory than a "
                      "document may ask for in this way (%d neurons in all); give a tensor",
                      length, SPREAD_LIMIT);
        return NULL;
    }
    double *values = values_new(length, reader->error);
    for (uint32_t i = 0; values != NULL && i < length; i++)
        values[i] = value;
    return values;
}
