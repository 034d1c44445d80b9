/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Private to the writer of native documents: the document while it is put together, and how its
 * values are made.
 *
 * Functions that make a value return NULL, and those that put one return false, when a number is
 * not finite, a text is no UTF-8 or memory is short; writer_put fills the error.
 */
#ifndef VOLLEY_NATIVE_WRITER_H
#define VOLLEY_NATIVE_WRITER_H

#include "neurons/blueprint.h"
#include "neurons/import/tensor_set.h"

#include <jansson.h>
#include <stdio.h>

enum { WRITER_INLINE_LIMIT = 8 }; /* longer arrays become tensors */

struct writer {
    const struct blueprint *blueprint;
    const char *path;
    struct tensor *tensors; /* [tensor_count] */
    void **copies;          /* [tensor_count], of data that is not the blueprint's own, or NULL */
    size_t tensor_count;
    struct error *error;
};

/* Adds to an object; takes `value`, which may be NULL because it could not be made. */
bool writer_put(struct writer *writer, json_t *object, const char *key, json_t *value);
/* Takes `part`, which is complete if `made`; leaves it out if it is empty. */
bool writer_put_part(struct writer *writer, json_t *object, const char *key, json_t *part,
                     bool made);
/* Adds to a list; takes `value`, which may be NULL. */
bool writer_append(json_t *list, json_t *value);
json_t *writer_integers(const uint32_t *values, size_t count);

/* A tensor's name, for those below, which take it and may be given NULL. */
char *writer_name(const char *format, ...) __attribute__((format(printf, 1, 2)));
uint64_t writer_elements(uint32_t rank, const uint64_t *shape);
/* Adds a tensor and returns what refers to it. Takes `copy`; `data` may be `copy`. */
json_t *writer_tensor(struct writer *writer, char *name, enum dtype dtype, uint32_t rank,
                      const uint64_t *shape, const void *data, void *copy);
/* Numbers as they are: in the document, or as a tensor of doubles. */
json_t *writer_array(struct writer *writer, char *name, uint32_t rank, const uint64_t *shape,
                     const double *values);
/* Numbers of neurons, which are below 2^31. */
json_t *writer_indices(struct writer *writer, char *name, uint64_t length, const uint32_t *indices);
json_t *writer_distribution(struct writer *writer, const struct distribution *distribution);
/* Adds a quantity under its name; nothing for a standard one. */
bool writer_put_quantity(struct writer *writer, json_t *object, const char *population,
                         const char *part, const char *key, const struct quantity *quantity);

/* native_write_links.c */
bool writer_put_projection(struct writer *writer, json_t *list,
                           const struct blueprint_projection *projection);
/* native_print.c: what fits is printed on one line. `indent` spaces stand before it. */
void document_print(FILE *file, const json_t *json, int indent);

#endif
