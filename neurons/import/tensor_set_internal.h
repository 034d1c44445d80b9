/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the readers of tensor files share with the set that they fill. A new
 * format is one file with a struct tensor_format, declared here, and one line
 * in the table of tensor_set.c.
 */
#ifndef VOLLEY_TENSOR_SET_INTERNAL_H
#define VOLLEY_TENSOR_SET_INTERNAL_H

#include "neurons/import/mapped_file.h"
#include "neurons/import/tensor_set.h"

#include <jansson.h>

/* The end of every sentence about a file that breaks the format. */
#define DAMAGED "; the file is damaged or was written by another tool"
/* The beginning of every sentence about one tensor, and what fills it. */
#define TENSOR "%s: tensor '%.*s': "
#define TENSOR_SHOWN(file, name) utf8_tail((file)->path), utf8_clip(name), (name)

enum { TENSOR_HEADER_LIMIT = 100000000 }; /* bytes of a safetensors header, or of an index */

struct tensor_file {
    char *path;
    struct mapped_file mapped; /* all zero if the bytes are someone else's memory */
    const unsigned char *bytes;
    size_t length;
    json_t *metadata; /* an object of strings; NULL: the file has none */
    /* The parts that say what the tensors are, for the digest; filled by the reader. */
    struct tensor_file_part {
        const unsigned char *bytes;
        size_t length;
    } described[2];
};

struct tensor_set {
    struct tensor_file *files; /* [files_length], sorted by path; it never moves */
    size_t files_length;
    struct tensor *tensors;    /* [length], sorted by name once the set is open */
    size_t length;
    size_t capacity;
};

struct tensor_format {
    const char *single_name, *index_name; /* in a model's folder */
    /* Whether `file`, whose bytes are there, is for this reader; NULL: if no other claims it. */
    bool (*claims)(const struct tensor_file *file);
    /* Adds the file's tensors to the set. */
    bool (*read)(struct tensor_set *set, struct tensor_file *file, struct error *error);
};

extern const struct tensor_format safetensors_format, torch_format;

/* Sets elements and bytes from dtype, rank and shape. False if they do not fit 64 bits. */
bool tensor_measure(struct tensor *tensor);

/* Makes room for `more` tensors; afterwards there is a list, even for none. */
bool tensor_set_reserve(struct tensor_set *set, size_t more, struct error *error);
/* Adds a copy of `tensor` under `name`, for which there is room. Takes `name`, which may be NULL
 * because there was no memory for it. */
bool tensor_set_add(struct tensor_set *set, const struct tensor *tensor, char *name,
                    struct error *error);

/* A set without files, with room for so many. */
struct tensor_set *tensor_set_new(size_t files, struct error *error);
/* The next file of the set, with no bytes yet; takes `path`, which may be NULL because there was
 * no memory for it. */
struct tensor_file *tensor_set_add_file(struct tensor_set *set, char *path, struct error *error);
/* Maps a file of the set and adds its tensors. */
bool tensor_set_map_file(struct tensor_set *set, struct tensor_file *file, struct error *error);
/* Sorts by name, when all files are read. False if a name is there twice. */
bool tensor_set_sort(struct tensor_set *set, struct error *error);

/* Opens the shards in `folder` that the index at `path` names. */
struct tensor_set *tensor_index_open(const char *folder, const char *path, struct error *error);

#endif
