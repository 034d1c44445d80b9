/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The index of a sharded model, {"weight_map": {"tensor": "file", ...}}, as
 * safetensors and torch shards alike have it. Each tensor that it names must
 * be in the shard that it says; tensors that it does not name are there all
 * the same.
 */
#define _GNU_SOURCE 1
#include "neurons/import/tensor_set_internal.h"
#include "neurons/import/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool shard_name_is_plain(const char *name)
{
    return name[0] != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0
        && strstr(name, "..") == NULL;
}

static int name_compare(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* The different shard names of `map`, sorted: *names [*count], which the
 * caller frees; the texts belong to `map`. */
static bool shards_list(const char *path, json_t *map, const char ***names, size_t *count,
                        struct error *error)
{
    const char **list = calloc(json_object_size(map) + 1, sizeof *list), *tensor;
    if (list == NULL)
        return error_no_memory(error, "the list of shards");
    size_t length = 0, kept = 0;
    json_t *value;
    json_object_foreach(map, tensor, value) {
        const char *name = json_string_value(value);
        if (name == NULL || !shard_name_is_plain(name)) {
            free(list);
            return error_set(error, ERROR_FAILED, TENSOR "its shard '%.*s' is not the plain name "
                             "of a file in the same folder" DAMAGED, utf8_tail(path),
                             utf8_clip(tensor), tensor, name == NULL ? 0 : utf8_clip(name),
                             name == NULL ? "" : name);
        }
        list[length++] = name;
    }
    qsort(list, length, sizeof *list, name_compare);
    for (size_t i = 0; i < length; i++)
        if (kept == 0 || strcmp(list[kept - 1], list[i]) != 0)
            list[kept++] = list[i];
    *names = list;
    *count = kept;
    return true;
}

/* Every tensor of the index must be in the shard that the index says. */
static bool index_check(const struct tensor_set *set, const char *path, size_t folder_length,
                        json_t *map, struct error *error)
{
    const char *name;
    json_t *value;
    json_object_foreach(map, name, value) {
        const char *shard = json_string_value(value);
        const struct tensor *tensor = tensor_set_find(set, name);
        if (tensor == NULL || strcmp(tensor->file + folder_length, shard) != 0)
            return error_set(error, ERROR_FAILED, TENSOR "is not in '%.*s', where the index says "
                             "it is; index and shards are of different models, fetch them again",
                             utf8_tail(path), utf8_clip(name), name, utf8_clip(shard), shard);
    }
    return true;
}

static bool shards_open(struct tensor_set *set, const char *folder, const char *path,
                        const char **names, size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        char *shard;
        if (asprintf(&shard, "%s/%s", folder, names[i]) < 0)
            shard = NULL;
        struct tensor_file *file = tensor_set_add_file(set, shard, error);
        if (file == NULL)
            return false;
        struct stat status;
        if (stat(file->path, &status) != 0 && errno == ENOENT)
            return error_set(error, ERROR_FAILED, "%s: shard '%.*s' is not in the folder; fetch it "
                             "from where the model came", utf8_tail(path), utf8_clip(names[i]),
                             names[i]);
        if (!tensor_set_map_file(set, file, error))
            return false;
    }
    return true;
}

static struct tensor_set *map_open(const char *folder, const char *path, json_t *root,
                                     struct error *error)
{
    json_t *map = json_object_get(root, "weight_map");
    if (!json_is_object(map) || json_object_size(map) == 0) {
        error_set(error, ERROR_FAILED, "%s: weight_map is missing or names no tensor" DAMAGED,
                  utf8_tail(path));
        return NULL;
    }
    const char **names = NULL;
    size_t count = 0;
    if (!shards_list(path, map, &names, &count, error))
        return NULL;
    struct tensor_set *set = tensor_set_new(count, error);
    if (set != NULL && (!shards_open(set, folder, path, names, count, error)
                        || !tensor_set_sort(set, error)
                        || !index_check(set, path, strlen(folder) + 1, map, error))) {
        tensor_set_close(set);
        set = NULL;
    }
    free(names);
    return set;
}

struct tensor_set *tensor_index_open(const char *folder, const char *path, struct error *error)
{
    struct mapped_file mapped;
    if (!mapped_file_open(&mapped, path, TENSOR_HEADER_LIMIT, error))
        return NULL;
    json_error_t where;
    json_t *root = json_loadb((const char *)mapped.bytes, mapped.length, JSON_REJECT_DUPLICATES,
                              &where);
    mapped_file_close(&mapped);
    if (root == NULL) {
        error_set(error, ERROR_FAILED, "%s: line %d, column %d: %s" DAMAGED, utf8_tail(path),
                  where.line, where.column, where.text);
        return NULL;
    }
    struct tensor_set *set = map_open(folder, path, root, error);
    json_decref(root);
    return set;
}
