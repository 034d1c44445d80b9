/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bounded access to HDF5: what readers of NIR files need of the library, and nothing that a hostile
 * file could use against them.
 *
 * A file is opened in place, from memory. Only hard links are followed; only contiguous, compact
 * and chunked storage with deflate, shuffle and checksums is read; only plain numbers and
 * strings. All that is read of one file together stays within what its bytes can hold when
 * unpacked, and within half of the machine's memory.
 */
#ifndef VOLLEY_NIR_FILE_H
#define VOLLEY_NIR_FILE_H

#include "scheduler/error.h"

#include <hdf5.h>
#include <stddef.h>
#include <stdint.h>

enum { NIR_RANK = 8, NIR_NAME_LIMIT = 1000 /* bytes of a name or a string */ };

/* What the library did with errors before it was told to print none. */
struct nir_quiet {
    H5E_auto2_t report;
    void *data;
};

void nir_file_quiet(struct nir_quiet *quiet);
void nir_file_loud(const struct nir_quiet *quiet);

struct nir_file {
    const char *path;   /* for messages, borrowed */
    hid_t file;
    const unsigned char *bytes; /* [length] */
    uint64_t length;
    uint64_t allowance; /* bytes that may still be read */
    struct nir_quiet quiet;
};

/* Numbers as they stand in a dataset. */
struct nir_array {
    double *values;           /* [count]; NULL: the dataset is not there */
    uint64_t shape[NIR_RANK]; /* [rank]; a scalar has rank 0 */
    uint32_t rank;
    uint64_t count;
};

/* The bytes must outlive the file. */
bool nir_file_open(struct nir_file *file, const void *bytes, size_t length, const char *path,
                   struct error *error);
void nir_file_close(struct nir_file *file);
bool nir_file_signature(const void *bytes, size_t length);
/* Processor time that reading a file of that length cannot need (guard.h). */
size_t nir_file_seconds(size_t length);

enum nir_kind { NIR_ABSENT, NIR_GROUP, NIR_DATASET, NIR_OTHER };

/* What `group` holds under `name`. A link that is not hard is NIR_OTHER. */
enum nir_kind nir_file_kind(hid_t group, const char *name);
/* `place` names the group in messages. Negative with error if it is not there or no group. */
hid_t nir_file_group(const struct nir_file *file, hid_t group, const char *place, const char *name,
                     struct error *error);
/* Names in a group, sorted; at most `limit`. The caller frees each and the list. */
bool nir_file_names(const struct nir_file *file, hid_t group, const char *place, size_t limit,
                    char ***names, size_t *count, struct error *error);
void nir_file_free_names(char **names, size_t count);

/* Numbers of a dataset: floating point of 32 or 64 bits, integers, truth values. The caller
 * frees values. */
bool nir_file_numbers(struct nir_file *file, hid_t group, const char *place, const char *name,
                      struct nir_array *array, struct error *error);
/* Strings of a dataset of shape [count][width] (or, if `width` is 1, a scalar). */
bool nir_file_strings(struct nir_file *file, hid_t group, const char *place, const char *name,
                      uint32_t width, char ***strings, size_t *count, struct error *error);
/* Whether a dataset holds strings. */
bool nir_file_is_text(hid_t group, const char *name);
/* A number that is an attribute of a group. */
bool nir_file_attribute(const struct nir_file *file, hid_t group, const char *place,
                        const char *name, double *value, struct error *error);

#endif
