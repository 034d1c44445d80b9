/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Private to the reader of native documents: values with the place they stand at, so that every
 * mistake is one sentence that names it: "net.json: populations.exc.parameters.tau_m: must be
 * positive, is -0.02".
 *
 * Functions that read return false with the error filled, and then have given out no memory.
 */
#ifndef VOLLEY_NATIVE_VALUES_H
#define VOLLEY_NATIVE_VALUES_H

#include "neurons/blueprint.h"
#include "neurons/import/tensor_set.h"

#include <jansson.h>

struct native_reader {
    const char *name;            /* of the document, for sentences */
    const char *folder;          /* that it lies in; NULL: nowhere, it can have no tensors */
    char *weights;               /* name of the safetensors file in that folder */
    struct tensor_set *tensors;  /* opened when the first tensor is asked for */
    struct blueprint *blueprint; /* being filled in */
    json_t *numbers;             /* population names -> indices */
    uint64_t spread;             /* values made out of one number, see native_spread */
    struct error *error;
};

/* A value and where it stands. */
struct native_item {
    json_t *json;                 /* NULL: it is not there */
    const struct native_item *up; /* what it is in; NULL: the document itself */
    const char *key;              /* in an object; NULL: in an array, at … */
    size_t index;
};

struct native_item native_member(const struct native_item *object, const char *key);
struct native_item native_element(const struct native_item *array, size_t index);

/* "net.json: PLACE: …"; returns false. */
bool native_refuse(const struct native_reader *reader, const struct native_item *item,
                   const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Refuses `word`, which is not one of `names` [count]: says which there are and the nearest. */
bool native_unknown(const struct native_reader *reader, const struct native_item *item,
                    const char *what, const char *word, const char *const *names, size_t count);

/* Refuses, unless it is `right`: "must be WHAT". */
bool native_expect(const struct native_reader *reader, const struct native_item *item, bool right,
                   const char *what);
/* What is wrong with a value in that range; NULL if nothing. */
const char *native_fault(enum parameter_range range, double value);

/* It is an object and has no fields but these; `fields` ends with NULL. */
bool native_fields(const struct native_reader *reader, const struct native_item *item,
                   const char *const *fields);
bool native_flag(const struct native_reader *reader, const struct native_item *item, bool *value);
bool native_integer(const struct native_reader *reader, const struct native_item *item, int64_t low,
                    int64_t high, int64_t *value);
bool native_number(const struct native_reader *reader, const struct native_item *item,
                   enum parameter_range range, double *value);
/* The index of a string among `words`, which end with NULL. */
bool native_word(const struct native_reader *reader, const struct native_item *item,
                 const char *what, const char *const *words, unsigned *value);
bool native_text(const struct native_reader *reader, const struct native_item *item,
                 const char **text);
/* Up to `limit` integers from `low` on; *count says how many there are. */
bool native_integers(const struct native_reader *reader, const struct native_item *item,
                     uint32_t limit, int64_t low, uint32_t *values, uint32_t *count);
/* [first, count], within `neurons`. */
bool native_range(const struct native_reader *reader, const struct native_item *item,
                  uint32_t neurons, uint32_t *first, uint32_t *count);

/* Whether it is {"tensor": …} or an array: many values. */
bool native_is_array(const struct native_item *item);
/* How many values a list of them has. */
bool native_length(struct native_reader *reader, const struct native_item *item, uint64_t *length);
/* Finite values as nested arrays of that shape, or a tensor of that shape (or, if `loose`, of as
 * many elements). *values is the caller's. */
bool native_array(struct native_reader *reader, const struct native_item *item, uint32_t rank,
                  const uint64_t *shape, bool loose, double **values);
/* They are whole numbers from low to high. */
bool native_whole(const struct native_reader *reader, const struct native_item *item,
                  const double *values, uint64_t length, double low, double high);
/* They are all in that range. */
bool native_in_range(const struct native_reader *reader, const struct native_item *item,
                     const double *values, uint64_t length, enum parameter_range range);
/* Memory for one number repeated. A short document must not be able to ask for all there is, so
 * there is a limit for the document as a whole. NULL with error. */
double *native_spread(struct native_reader *reader, const struct native_item *item, double value,
                      uint32_t length);

/* A number or a distribution. */
bool native_distribution(const struct native_reader *reader, const struct native_item *item,
                         enum parameter_range range, struct distribution *distribution);
/* A number, a distribution, or one value for each neuron. */
bool native_quantity(struct native_reader *reader, const struct native_item *item, uint32_t neurons,
                     enum parameter_range range, struct quantity *quantity);

extern const double native_tick_limit; /* ticks that a document can speak of */

/* The document's parts, each filling in what it says. */
bool native_read_populations(struct native_reader *reader, const struct native_item *document);
bool native_read_projections(struct native_reader *reader, const struct native_item *document);
/* The population that a field of `item` names. */
bool native_population(const struct native_reader *reader, const struct native_item *item,
                       const char *key, uint32_t *index);

#endif
