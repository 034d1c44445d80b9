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
 * The invariant of an open set: its tensors are sorted by name, no name is
 * there twice, and each file's tensors, sorted by place, cover its buffer
 * from the first byte to the last, each byte once.
 */
#define _GNU_SOURCE 1
#include "neurons/import/safetensors.h"

#include "neurons/import/mapped_file.h"
#include "neurons/import/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LENGTH_BYTES = 8, HEADER_LIMIT = 100000000 };

static const char index_name[] = "model.safetensors.index.json";
static const char single_name[] = "model.safetensors";

static const struct {
    const char *name;
    uint32_t bytes;
} dtypes[] = {
    [DTYPE_F64] = {"F64", 8}, [DTYPE_F32] = {"F32", 4}, [DTYPE_F16] = {"F16", 2},
    [DTYPE_BF16] = {"BF16", 2}, [DTYPE_I64] = {"I64", 8}, [DTYPE_I32] = {"I32", 4},
    [DTYPE_I16] = {"I16", 2}, [DTYPE_I8] = {"I8", 1}, [DTYPE_U8] = {"U8", 1},
    [DTYPE_BOOL] = {"BOOL", 1},
};
enum { DTYPES = sizeof dtypes / sizeof dtypes[0] };

struct file {
    char *path;
    struct mapped_file mapped;  /* all zero if the bytes are someone else's memory */
    const unsigned char *bytes;
    size_t length;
    size_t header_length;
};

struct tensor_set {
    struct file *files;     /* [files_length], sorted by path; it never moves */
    size_t files_length;
    struct tensor *tensors; /* [length], sorted by name once the set is open */
    size_t length;
    size_t capacity;
};

const char *dtype_name(enum dtype dtype)
{
    return dtypes[dtype].name;
}

uint32_t dtype_bytes(enum dtype dtype)
{
    return dtypes[dtype].bytes;
}

/* ------------------------------------------------------------- one tensor */

/* The end of every sentence about a file that breaks the format. */
#define DAMAGED "; the file is damaged or was written by another tool"
/* The beginning of every sentence about one tensor, and what fills it. */
#define TENSOR "%s: tensor '%.*s': "
#define TENSOR_SHOWN(file, name) utf8_tail((file)->path), utf8_clip(name), (name)

static bool dtype_parse(const struct file *file, const char *name, const json_t *json,
                        enum dtype *dtype, struct error *error)
{
    const char *text = json_string_value(json);
    if (text == NULL)
        return error_set(error, ERROR_FAILED, TENSOR "dtype is missing or is not a string" DAMAGED,
                         TENSOR_SHOWN(file, name));
    for (int i = 0; i < DTYPES; i++) {
        if (strcmp(text, dtypes[i].name) == 0) {
            *dtype = (enum dtype)i;
            return true;
        }
    }
    return error_set(error, ERROR_FAILED, TENSOR "dtype '%.*s' is not one that can be read (F64 "
                     "F32 F16 BF16 I64 I32 I16 I8 U8 BOOL); convert the tensor to one of these",
                     TENSOR_SHOWN(file, name), utf8_clip(text), text);
}

static bool shape_parse(const struct file *file, const char *name, const json_t *json,
                        struct tensor *tensor, struct error *error)
{
    if (!json_is_array(json))
        return error_set(error, ERROR_FAILED, TENSOR "shape is missing or is not a list" DAMAGED,
                         TENSOR_SHOWN(file, name));
    size_t rank = json_array_size(json);
    if (rank > TENSOR_RANK_LIMIT)
        return error_set(error, ERROR_FAILED, TENSOR "shape has %zu dimensions; at most %d can be "
                         "read", TENSOR_SHOWN(file, name), rank, TENSOR_RANK_LIMIT);
    uint64_t bytes = dtypes[tensor->dtype].bytes;
    tensor->rank = (uint32_t)rank;
    tensor->elements = 1;
    for (size_t i = 0; i < rank; i++) {
        const json_t *extent = json_array_get(json, i);
        if (!json_is_integer(extent) || json_integer_value(extent) < 0)
            return error_set(error, ERROR_FAILED, TENSOR "dimension %zu of the shape is not an "
                             "integer of 0 or more" DAMAGED, TENSOR_SHOWN(file, name), i);
        tensor->shape[i] = (uint64_t)json_integer_value(extent);
        if (__builtin_mul_overflow(tensor->elements, tensor->shape[i], &tensor->elements)
            || __builtin_mul_overflow(bytes, tensor->shape[i], &bytes))
            return error_set(error, ERROR_FAILED, TENSOR "shape asks for more than 2^64 bytes"
                             DAMAGED, TENSOR_SHOWN(file, name));
    }
    tensor->bytes = bytes;
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

static bool offsets_parse(const struct file *file, const char *name, const json_t *json,
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
    size_t start = LENGTH_BYTES + file->header_length, room = file->length - start;
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
                         dtypes[tensor->dtype].name, tensor->bytes);
    }
    tensor->data = file->bytes + start + (size_t)begin;
    return true;
}

/* Fills `tensor`, which then owns a copy of `name`. */
static bool tensor_parse(const struct file *file, const char *name, const json_t *entry,
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
    if (!dtype_parse(file, name, json_object_get(entry, "dtype"), &tensor->dtype, error)
        || !shape_parse(file, name, json_object_get(entry, "shape"), tensor, error)
        || !offsets_parse(file, name, json_object_get(entry, "data_offsets"), tensor, error))
        return false;
    tensor->name = strdup(name);
    return tensor->name != NULL || error_no_memory(error, "the name of a tensor");
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
static bool file_check_cover(const struct file *file, struct tensor *tensors, size_t count,
                             struct error *error)
{
    const unsigned char *buffer = file->bytes + LENGTH_BYTES + file->header_length;
    size_t room = file->length - LENGTH_BYTES - file->header_length, reached = 0;
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

static bool metadata_check(const struct file *file, json_t *metadata, struct error *error)
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

/* Makes room for `more` tensors; afterwards there is a list, even for none. */
static bool set_reserve(struct tensor_set *set, size_t more, struct error *error)
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

static bool header_read(struct tensor_set *set, const struct file *file, json_t *header,
                        struct error *error)
{
    if (!set_reserve(set, json_object_size(header), error))
        return false;
    size_t first = set->length;
    const char *name;
    json_t *entry;
    json_object_foreach(header, name, entry) {
        if (strcmp(name, "__metadata__") == 0) {
            if (!metadata_check(file, entry, error))
                return false;
            continue;
        }
        if (!tensor_parse(file, name, entry, &set->tensors[set->length], error))
            return false;
        set->length++;
    }
    return file_check_cover(file, set->tensors + first, set->length - first, error);
}

/* Reads the header of `file`, whose bytes are there, and adds its tensors. */
static bool file_read(struct tensor_set *set, struct file *file, struct error *error)
{
    const char *path = utf8_tail(file->path);
    if (file->length < LENGTH_BYTES)
        return error_set(error, ERROR_FAILED, "%s: has %zu bytes, too few for a safetensors file; "
                         "fetch it again", path, file->length);
    uint64_t header_length = 0;
    for (int i = LENGTH_BYTES - 1; i >= 0; i--)
        header_length = header_length << 8 | file->bytes[i];
    if (header_length > HEADER_LIMIT)
        return error_set(error, ERROR_FAILED, "%s: the header would have %" PRIu64 " bytes, "
                         "more than the %d allowed; this is not a safetensors file", path,
                         header_length, HEADER_LIMIT);
    if (header_length > file->length - LENGTH_BYTES)
        return error_set(error, ERROR_FAILED, "%s: the header has %" PRIu64 " bytes, but only %zu "
                         "follow; the file was cut short, fetch it again", path, header_length,
                         file->length - LENGTH_BYTES);
    file->header_length = (size_t)header_length;
    const char *text = (const char *)file->bytes + LENGTH_BYTES;
    if (header_length == 0 || text[0] != '{')
        return error_set(error, ERROR_FAILED, "%s: byte 8: the header does not begin with '{'; "
                         "this is not a safetensors file", path);
    json_error_t where;
    json_t *header = json_loadb(text, file->header_length, JSON_REJECT_DUPLICATES, &where);
    if (header == NULL)
        return error_set(error, ERROR_FAILED, "%s: byte %d of the header: %s" DAMAGED, path,
                         where.position, where.text);
    bool read = header_read(set, file, header, error);
    json_decref(header);
    return read;
}

static bool file_open(struct tensor_set *set, struct file *file, struct error *error)
{
    if (!mapped_file_open(&file->mapped, file->path, SIZE_MAX, error))
        return false;
    file->bytes = file->mapped.bytes;
    file->length = file->mapped.length;
    return file_read(set, file, error);
}

/* ----------------------------------------------------------------- the set */

static struct tensor_set *set_new(size_t files, struct error *error)
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
        free(set->files[i].path);
    }
    free(set->tensors);
    free(set->files);
    free(set);
}

/* The next file of the set, with no bytes yet; takes `path`, which may be NULL
 * because there was no memory for it. */
static struct file *set_add_file(struct tensor_set *set, char *path, struct error *error)
{
    if (path == NULL) {
        error_no_memory(error, "the path of a file");
        return NULL;
    }
    struct file *file = &set->files[set->files_length++];
    file->path = path;
    return file;
}

static int tensor_compare_name(const void *left, const void *right)
{
    return strcmp(((const struct tensor *)left)->name, ((const struct tensor *)right)->name);
}

/* Sorts by name. Within one file the header had no name twice. */
static bool set_sort(struct tensor_set *set, struct error *error)
{
    qsort(set->tensors, set->length, sizeof *set->tensors, tensor_compare_name);
    for (size_t i = 1; i < set->length; i++) {
        const struct tensor *one = &set->tensors[i - 1], *other = &set->tensors[i];
        if (strcmp(one->name, other->name) == 0)
            return error_set(error, ERROR_FAILED, "%s: tensor '%.*s' is also in %s; the shards are "
                             "of different models, fetch them again", utf8_tail(one->file),
                             utf8_clip(one->name), one->name, utf8_tail(other->file));
    }
    return true;
}

/* -------------------------------------------------------------- the shards */

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
        struct file *file = set_add_file(set, asprintf(&shard, "%s/%s", folder, names[i]) < 0
                                         ? NULL : shard, error);
        if (file == NULL)
            return false;
        struct stat status;
        if (stat(file->path, &status) != 0 && errno == ENOENT)
            return error_set(error, ERROR_FAILED, "%s: shard '%.*s' is not in the folder; fetch it "
                             "from where the model came", utf8_tail(path), utf8_clip(names[i]),
                             names[i]);
        if (!file_open(set, file, error))
            return false;
    }
    return true;
}

static struct tensor_set *index_open(const char *folder, const char *path, json_t *root,
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
    struct tensor_set *set = set_new(count, error);
    if (set != NULL && (!shards_open(set, folder, path, names, count, error)
                        || !set_sort(set, error)
                        || !index_check(set, path, strlen(folder) + 1, map, error))) {
        tensor_set_close(set);
        set = NULL;
    }
    free(names);
    return set;
}

static struct tensor_set *index_read(const char *folder, const char *path, struct error *error)
{
    struct mapped_file mapped;
    if (!mapped_file_open(&mapped, path, HEADER_LIMIT, error))
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
    struct tensor_set *set = index_open(folder, path, root, error);
    json_decref(root);
    return set;
}

/* -------------------------------------------------------------- the public */

/* Takes `path`, as set_add_file does. */
static struct tensor_set *single_open(char *path, struct error *error)
{
    struct tensor_set *set = set_new(1, error);
    if (set == NULL) {
        free(path);
        return NULL;
    }
    struct file *file = set_add_file(set, path, error);
    if (file == NULL || !file_open(set, file, error) || !set_sort(set, error)) {
        tensor_set_close(set);
        return NULL;
    }
    return set;
}

static struct tensor_set *folder_open(const char *folder, struct error *error)
{
    char *path;
    struct stat status;
    if (asprintf(&path, "%s/%s", folder, index_name) < 0) {
        error_no_memory(error, "the path of a file");
        return NULL;
    }
    if (stat(path, &status) == 0) {
        struct tensor_set *set = index_read(folder, path, error);
        free(path);
        return set;
    }
    free(path);
    if (asprintf(&path, "%s/%s", folder, single_name) < 0) {
        error_no_memory(error, "the path of a file");
        return NULL;
    }
    if (stat(path, &status) != 0 && errno == ENOENT) {
        error_set(error, ERROR_MISUSED, "%s: holds neither %s nor %s; give the folder of a model "
                  "or a .safetensors file", utf8_tail(folder), index_name, single_name);
        free(path);
        return NULL;
    }
    return single_open(path, error);
}

struct tensor_set *tensor_set_open(const char *path, struct error *error)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        bool absent = errno == ENOENT || errno == ENOTDIR;
        error_set(error, absent ? ERROR_MISUSED : ERROR_FAILED, "%s: cannot be opened: %s; give a "
                  ".safetensors file or the folder of a model", utf8_tail(path), strerror(errno));
        return NULL;
    }
    return S_ISDIR(status.st_mode) ? folder_open(path, error) : single_open(strdup(path), error);
}

struct tensor_set *tensor_set_open_memory(const char *name, const void *bytes, size_t length,
                                          struct error *error)
{
    struct tensor_set *set = set_new(1, error);
    if (set == NULL)
        return NULL;
    struct file *file = set_add_file(set, strdup(name), error);
    if (file != NULL) {
        file->bytes = bytes;
        file->length = length;
    }
    if (file == NULL || !file_read(set, file, error) || !set_sort(set, error)) {
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

uint64_t tensor_set_bytes(const struct tensor_set *set)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < set->files_length; i++)
        bytes += set->files[i].length;
    return bytes;
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
        const struct file *file = &set->files[i];
        unsigned char size[8];
        for (int byte = 0; byte < 8; byte++)
            size[byte] = (unsigned char)((uint64_t)file->length >> (8 * byte));
        sum = digest_add(sum, size, sizeof size);
        sum = digest_add(sum, file->bytes, LENGTH_BYTES + file->header_length);
    }
    snprintf(digest, 17, "%016" PRIx64, sum);
}
