/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The set of tensors, whatever the files' format. The invariant of an open
 * set: its tensors are sorted by name, no name is there twice, and each one's
 * bytes lie inside the file that it names.
 */
#define _GNU_SOURCE 1
#include "neurons/import/tensor_set.h"

#include "neurons/import/tensor_set_internal.h"
#include "neurons/import/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* In the order in which a folder is searched. */
static const struct tensor_format *const formats[] = {
    &safetensors_format,
    &torch_format,
};
enum { FORMATS = sizeof formats / sizeof formats[0] };

static const struct {
    const char *name;
    uint32_t bytes;
} dtypes[] = {
    [DTYPE_F64] = {"F64", 8}, [DTYPE_F32] = {"F32", 4}, [DTYPE_F16] = {"F16", 2},
    [DTYPE_BF16] = {"BF16", 2}, [DTYPE_I64] = {"I64", 8}, [DTYPE_I32] = {"I32", 4},
    [DTYPE_I16] = {"I16", 2}, [DTYPE_I8] = {"I8", 1}, [DTYPE_U8] = {"U8", 1},
    [DTYPE_BOOL] = {"BOOL", 1},
};

const char *dtype_name(enum dtype dtype)
{
    return dtypes[dtype].name;
}

uint32_t dtype_bytes(enum dtype dtype)
{
    return dtypes[dtype].bytes;
}

/* ------------------------------------------------------- filled by readers */

bool tensor_measure(struct tensor *tensor)
{
    tensor->elements = 1;
    tensor->bytes = dtypes[tensor->dtype].bytes;
    for (uint32_t i = 0; i < tensor->rank; i++)
        if (__builtin_mul_overflow(tensor->elements, tensor->shape[i], &tensor->elements)
            || __builtin_mul_overflow(tensor->bytes, tensor->shape[i], &tensor->bytes))
            return false;
    return true;
}

bool tensor_set_reserve(struct tensor_set *set, size_t more, struct error *error)
{
    if (set->tensors != NULL && more <= set->capacity - set->length)
        return true;
    struct tensor *larger = reallocarray(set->tensors, set->length + more + 1, sizeof *larger);
    if (larger == NULL)
        return error_no_memory(error, "the list of tensors");
    set->tensors = larger;
    set->capacity = set->length + more;
    return true;
}

bool tensor_set_add(struct tensor_set *set, const struct tensor *tensor, char *name,
                    struct error *error)
{
    if (name == NULL)
        return error_no_memory(error, "the name of a tensor");
    set->tensors[set->length] = *tensor;
    set->tensors[set->length++].name = name;
    return true;
}

struct tensor_set *tensor_set_new(size_t files, struct error *error)
{
    struct tensor_set *set = calloc(1, sizeof *set);
    if (set != NULL)
        set->files = calloc(files, sizeof *set->files);
    if (set == NULL || set->files == NULL) {
        free(set);
        error_no_memory(error, "a set of tensors");
        return NULL;
    }
    return set;
}

void tensor_set_close(struct tensor_set *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->length; i++)
        free((char *)(uintptr_t)set->tensors[i].name);
    for (size_t i = 0; i < set->files_length; i++) {
        mapped_file_close(&set->files[i].mapped);
        json_decref(set->files[i].metadata);
        free(set->files[i].path);
    }
    free(set->tensors);
    free(set->files);
    free(set);
}

struct tensor_file *tensor_set_add_file(struct tensor_set *set, char *path, struct error *error)
{
    if (path == NULL) {
        error_no_memory(error, "the path of a file");
        return NULL;
    }
    struct tensor_file *file = &set->files[set->files_length++];
    file->path = path;
    return file;
}

static bool file_read(struct tensor_set *set, struct tensor_file *file, struct error *error)
{
    const struct tensor_format *reader = NULL;
    for (int i = 0; i < FORMATS; i++)
        if (formats[i]->claims == NULL ? reader == NULL : formats[i]->claims(file))
            reader = formats[i];
    return reader->read(set, file, error);
}

bool tensor_set_map_file(struct tensor_set *set, struct tensor_file *file, struct error *error)
{
    if (!mapped_file_open(&file->mapped, file->path, SIZE_MAX, error))
        return false;
    file->bytes = file->mapped.bytes;
    file->length = file->mapped.length;
    return file_read(set, file, error);
}

static int tensor_compare_name(const void *left, const void *right)
{
    return strcmp(((const struct tensor *)left)->name, ((const struct tensor *)right)->name);
}

bool tensor_set_sort(struct tensor_set *set, struct error *error)
{
    qsort(set->tensors, set->length, sizeof *set->tensors, tensor_compare_name);
    for (size_t i = 1; i < set->length; i++) {
        const struct tensor *one = &set->tensors[i - 1], *other = &set->tensors[i];
        if (strcmp(one->name, other->name) != 0)
            continue;
        if (one->file == other->file)
            return error_set(error, ERROR_FAILED, TENSOR "is there twice" DAMAGED,
                             utf8_tail(one->file), utf8_clip(one->name), one->name);
        return error_set(error, ERROR_FAILED, "%s: tensor '%.*s' is also in %s; the shards are of "
                         "different models, fetch them again", utf8_tail(one->file),
                         utf8_clip(one->name), one->name, utf8_tail(other->file));
    }
    return true;
}

/* -------------------------------------------------------------- the public */

/* Takes `path`, as tensor_set_add_file does. */
static struct tensor_set *single_open(char *path, struct error *error)
{
    struct tensor_set *set = tensor_set_new(1, error);
    if (set == NULL) {
        free(path);
        return NULL;
    }
    struct tensor_file *file = tensor_set_add_file(set, path, error);
    if (file == NULL || !tensor_set_map_file(set, file, error) || !tensor_set_sort(set, error)) {
        tensor_set_close(set);
        return NULL;
    }
    return set;
}

/* *path becomes that of `name` in `folder`, or NULL if it is not there. */
static bool folder_find(const char *folder, const char *name, char **path, struct error *error)
{
    struct stat status;
    if (asprintf(path, "%s/%s", folder, name) < 0)
        return error_no_memory(error, "the path of a file");
    if (stat(*path, &status) != 0 && errno == ENOENT) {
        free(*path);
        *path = NULL;
    }
    return true;
}

static struct tensor_set *folder_open(const char *folder, struct error *error)
{
    for (int i = 0; i < FORMATS; i++) {
        char *path;
        if (!folder_find(folder, formats[i]->index_name, &path, error))
            return NULL;
        if (path != NULL) {
            struct tensor_set *set = tensor_index_open(folder, path, error);
            free(path);
            return set;
        }
        if (!folder_find(folder, formats[i]->single_name, &path, error))
            return NULL;
        if (path != NULL)
            return single_open(path, error);
    }
    error_set(error, ERROR_MISUSED, "%s: holds neither %s nor %s, nor the index of either's "
              "shards; give the folder of a model, or a .safetensors or .bin file",
              utf8_tail(folder), safetensors_format.single_name, torch_format.single_name);
    return NULL;
}

struct tensor_set *tensor_set_open(const char *path, struct error *error)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        bool absent = errno == ENOENT || errno == ENOTDIR;
        error_set(error, absent ? ERROR_MISUSED : ERROR_FAILED, "%s: cannot be opened: %s; give "
                  "the folder of a model, or a .safetensors or .bin file", utf8_tail(path),
                  strerror(errno));
        return NULL;
    }
    return S_ISDIR(status.st_mode) ? folder_open(path, error) : single_open(strdup(path), error);
}

struct tensor_set *tensor_set_open_memory(const char *name, const void *bytes, size_t length,
                                          struct error *error)
{
    struct tensor_set *set = tensor_set_new(1, error);
    if (set == NULL)
        return NULL;
    struct tensor_file *file = tensor_set_add_file(set, strdup(name), error);
    if (file != NULL) {
        file->bytes = bytes;
        file->length = length;
    }
    if (file == NULL || !file_read(set, file, error) || !tensor_set_sort(set, error)) {
        tensor_set_close(set);
        return NULL;
    }
    return set;
}

size_t tensor_set_length(const struct tensor_set *set)
{
    return set->length;
}

const struct tensor *tensor_set_at(const struct tensor_set *set, size_t index)
{
    return &set->tensors[index];
}

const struct tensor *tensor_set_find(const struct tensor_set *set, const char *name)
{
    struct tensor wanted = {.name = name};
    return bsearch(&wanted, set->tensors, set->length, sizeof wanted, tensor_compare_name);
}

const char *tensor_set_metadata(const struct tensor_set *set, const char *key)
{
    for (size_t i = 0; i < set->files_length; i++) {
        const char *value = json_string_value(json_object_get(set->files[i].metadata, key));
        if (value != NULL)
            return value;
    }
    return NULL;
}

uint64_t tensor_set_bytes(const struct tensor_set *set)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < set->files_length; i++)
        bytes += set->files[i].length;
    return bytes;
}

void tensor_release(const struct tensor_set *set, const struct tensor *tensor)
{
    for (size_t i = 0; i < set->files_length; i++)
        if (set->files[i].path == tensor->file)
            mapped_file_release(&set->files[i].mapped, tensor->data, (size_t)tensor->bytes);
}

static uint64_t digest_add(uint64_t digest, const unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        digest = (digest ^ bytes[i]) * 0x100000001b3u;
    return digest;
}

void tensor_set_digest(const struct tensor_set *set, char digest[17])
{
    uint64_t sum = 0xcbf29ce484222325u; /* FNV-1a, 64 bits */
    for (size_t i = 0; i < set->files_length; i++) {
        const struct tensor_file *file = &set->files[i];
        unsigned char size[8];
        for (int byte = 0; byte < 8; byte++)
            size[byte] = (unsigned char)((uint64_t)file->length >> (8 * byte));
        sum = digest_add(sum, size, sizeof size);
        for (int part = 0; part < 2; part++)
            sum = digest_add(sum, file->described[part].bytes, file->described[part].length);
    }
    snprintf(digest, 17, "%016" PRIx64, sum);
}
