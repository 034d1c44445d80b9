/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The values of native documents, as they are written; long arrays become tensors. */
#define _GNU_SOURCE 1
#include "neurons/import/native/native_writer.h"

#include "neurons/import/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ----------------------------------------------------------------- numbers */

bool writer_put(struct writer *writer, json_t *object, const char *key, json_t *value)
{
    if (value != NULL && json_object_set_new(object, key, value) == 0)
        return true;
    return error_set(writer->error, ERROR_FAILED,
                     "%s: '%.*s' cannot be written: it holds what is "
                     "no number or no UTF-8 text, or memory is short",
                     utf8_tail(writer->path), utf8_clip(key), key);
}

/* Takes the values into a list, nested as the shape says; NULL if one is not finite or memory is
 * short. */
static json_t *nested_make(uint32_t rank, const uint64_t *shape, const double **values)
{
    if (rank == 0)
        return json_real(*(*values)++);
    json_t *list = json_array();
    for (uint64_t i = 0; i < shape[0]; i++) {
        json_t *element = nested_make(rank - 1, shape + 1, values);
        if (element == NULL || json_array_append_new(list, element) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *pair_make(double a, double b)
{
    uint64_t shape[1] = {2};
    const double numbers[2] = {a, b}, *at = numbers;
    return nested_make(1, shape, &at);
}

bool writer_append(json_t *list, json_t *value)
{
    return value != NULL && json_array_append_new(list, value) == 0;
}

json_t *writer_integers(const uint32_t *values, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(list, json_integer(values[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* ------------------------------------------------------------------ tensors */

json_t *writer_tensor(struct writer *writer, char *name, enum dtype dtype, uint32_t rank,
                      const uint64_t *shape, const void *data, void *copy)
{
    size_t count = writer->tensor_count;
    struct tensor *tensors = reallocarray(writer->tensors, count + 1, sizeof *tensors);
    if (tensors != NULL)
        writer->tensors = tensors;
    void **copies = reallocarray(writer->copies, count + 1, sizeof *copies);
    if (copies != NULL)
        writer->copies = copies;
    if (tensors == NULL || copies == NULL || name == NULL || data == NULL) {
        free(name);
        free(copy);
        error_no_memory(writer->error, "the tensors of a network");
        return NULL;
    }
    tensors[count] = (struct tensor){.name = name, .dtype = dtype, .rank = rank, .data = data};
    memcpy(tensors[count].shape, shape, rank * sizeof *shape);
    copies[count] = copy;
    writer->tensor_count++;
    return json_pack("{s:s}", "tensor", name);
}

char *writer_name(const char *format, ...)
{
    char *name;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&name, format, arguments);
    va_end(arguments);
    return length < 0 ? NULL : name;
}

uint64_t writer_elements(uint32_t rank, const uint64_t *shape)
{
    uint64_t elements = 1;
    for (uint32_t i = 0; i < rank; i++)
        elements *= shape[i];
    return elements;
}

json_t *writer_array(struct writer *writer, char *name, uint32_t rank, const uint64_t *shape,
                     const double *values)
{
    uint64_t elements = writer_elements(rank, shape);
    for (uint64_t i = 0; i < elements; i++) {
        if (!isfinite(values[i])) {
            free(name);
            return NULL;
        }
    }
    if (elements > WRITER_INLINE_LIMIT)
        return writer_tensor(writer, name, DTYPE_F64, rank, shape, values, NULL);
    free(name);
    return nested_make(rank, shape, &values);
}

/* Their bits are those of an int32. */
json_t *writer_indices(struct writer *writer, char *name, uint64_t length, const uint32_t *indices)
{
    if (length > WRITER_INLINE_LIMIT)
        return writer_tensor(writer, name, DTYPE_I32, 1, &length, indices, NULL);
    free(name);
    return writer_integers(indices, length);
}

/* ------------------------------------------------------------------- values */

static const char *const distribution_names[] = {[DISTRIBUTION_UNIFORM] = "uniform",
                                                 [DISTRIBUTION_NORMAL] = "normal",
                                                 [DISTRIBUTION_LOGNORMAL] = "lognormal",
                                                 [DISTRIBUTION_EXPONENTIAL] = "exponential"};

json_t *writer_distribution(struct writer *writer, const struct distribution *distribution)
{
    if (distribution->kind == DISTRIBUTION_CONSTANT)
        return json_real(distribution->a);
    json_t *object = json_object();
    bool made = writer_put(writer, object, distribution_names[distribution->kind],
                           distribution->kind == DISTRIBUTION_EXPONENTIAL
                               ? json_real(distribution->a)
                               : pair_make(distribution->a, distribution->b)) &&
                (isinf(distribution->low) ||
                 writer_put(writer, object, "low", json_real(distribution->low))) &&
                (isinf(distribution->high) ||
                 writer_put(writer, object, "high", json_real(distribution->high))) &&
                (!distribution->clip || writer_put(writer, object, "clip", json_true()));
    if (made)
        return object;
    json_decref(object);
    return NULL;
}

bool writer_put_quantity(struct writer *writer, json_t *object, const char *population,
                         const char *part, const char *key, const struct quantity *quantity)
{
    uint64_t shape[1] = {quantity->length};
    switch (quantity->kind) {
    case QUANTITY_STANDARD: return true;
    case QUANTITY_CONSTANT: return writer_put(writer, object, key, json_real(quantity->constant));
    case QUANTITY_ARRAY:
        return writer_put(writer, object, key,
                          writer_array(writer,
                                       writer_name("populations.%s.%s.%s", population, part, key),
                                       1, shape, quantity->array));
    case QUANTITY_DRAWN: break;
    }
    return writer_put(writer, object, key, writer_distribution(writer, &quantity->drawn));
}

bool writer_put_part(struct writer *writer, json_t *object, const char *key, json_t *part,
                     bool made)
{
    if (!made || part == NULL) {
        json_decref(part);
        return writer_put(writer, object, key, NULL);
    }
    if (json_object_size(part) > 0 || json_array_size(part) > 0)
        return writer_put(writer, object, key, part);
    json_decref(part);
    return true;
}
