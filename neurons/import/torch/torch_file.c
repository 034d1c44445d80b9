/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading what torch.save wrote since PyTorch 1.6: a zip file whose entries
 * are stored, not compressed,
 *
 *     NAME/data.pkl     a pickle of the state dict: {"tensor": tensor, ...}
 *     NAME/data/KEY     the bytes of one storage
 *     NAME/byteorder    "little" or "big"; older files, without it, are little-endian
 *     NAME/version      and others that say nothing of the tensors
 *
 * where NAME is whatever the file was called, and each tensor is a call
 *
 *     torch._utils._rebuild_tensor_v2(storage, offset, size, stride, …)
 *
 * with the persistent id ("storage", torch.FloatStorage, KEY, device, elements)
 * as storage, perhaps inside torch._utils._rebuild_parameter(tensor, …). Offset
 * and strides count elements. Several tensors may share one storage.
 *
 * The pickle is read by pickle.c, which calls nothing. The invariant of a file
 * that was read: each tensor lies in the order of its shape, without gaps,
 * inside the entry of its storage.
 */
#define _GNU_SOURCE 1
#include "neurons/import/tensor_set_internal.h"
#include "neurons/import/torch/pickle.h"
#include "neurons/import/torch/zip.h"
#include "neurons/import/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REBUILD_TENSOR, REBUILD_PARAMETER, FIRST_STORAGE };

/* What the pickle may name: two functions and the types of storages. */
static const struct pickle_global globals[] = {
    [REBUILD_TENSOR] = {"torch._utils", "_rebuild_tensor_v2"},
    [REBUILD_PARAMETER] = {"torch._utils", "_rebuild_parameter"},
    [FIRST_STORAGE + DTYPE_F64] = {"torch", "DoubleStorage"},
    [FIRST_STORAGE + DTYPE_F32] = {"torch", "FloatStorage"},
    [FIRST_STORAGE + DTYPE_F16] = {"torch", "HalfStorage"},
    [FIRST_STORAGE + DTYPE_BF16] = {"torch", "BFloat16Storage"},
    [FIRST_STORAGE + DTYPE_I64] = {"torch", "LongStorage"},
    [FIRST_STORAGE + DTYPE_I32] = {"torch", "IntStorage"},
    [FIRST_STORAGE + DTYPE_I16] = {"torch", "ShortStorage"},
    [FIRST_STORAGE + DTYPE_I8] = {"torch", "CharStorage"},
    [FIRST_STORAGE + DTYPE_U8] = {"torch", "ByteStorage"},
    [FIRST_STORAGE + DTYPE_BOOL] = {"torch", "BoolStorage"},
};
enum { GLOBALS = sizeof globals / sizeof globals[0] };

enum { ENTRY_NAME_LIMIT = 1024 };


struct reader {
    struct tensor_file *file;
    struct zip zip;
    struct pickle pickle;
    const char *prefix;     /* NAME, [prefix_length] */
    size_t prefix_length;
    struct error *error;
};

/* The sentence about one tensor. */
#define REFUSE(reader, name, sentence, ...) \
    error_set((reader)->error, ERROR_FAILED, TENSOR sentence, \
              TENSOR_SHOWN((reader)->file, name), __VA_ARGS__)

/* ---------------------------------------------------------------- an entry */

/* The entry NAME/folder/name, NULL if there is none. */
static const struct zip_entry *entry_find(const struct reader *reader, const char *folder,
                                          const char *name, size_t length)
{
    char text[ENTRY_NAME_LIMIT];
    size_t folder_length = strlen(folder), begin = reader->prefix_length + folder_length;
    if (begin > sizeof text || length > sizeof text - begin)
        return NULL;
    memcpy(text, reader->prefix, reader->prefix_length);
    memcpy(text + reader->prefix_length, folder, folder_length);
    memcpy(text + begin, name, length);
    return zip_find(&reader->zip, text, begin + length);
}

/* ------------------------------------------------------------- one storage */

struct storage {
    enum dtype dtype;
    uint64_t elements;
    const unsigned char *bytes;
};

/* Finds the bytes of a persistent id ("storage", type, key, device, elements). */
static bool storage_find(const struct reader *reader, const char *name,
                         const struct pickle_value *id, struct storage *storage)
{
    const struct pickle *pickle = &reader->pickle;
    if (id->kind != PICKLE_PERSISTENT || id->count != 5
        || !pickle_is_text(pickle, pickle_item(pickle, id, 0), "storage"))
        return REFUSE(reader, name, "%s", "its storage is not described as torch.save does"
                      DAMAGED);
    const struct pickle_value *type = pickle_item(pickle, id, 1);
    const struct pickle_value *key = pickle_item(pickle, id, 2);
    const struct pickle_value *elements = pickle_item(pickle, id, 4);
    if (type->kind != PICKLE_GLOBAL || type->global < FIRST_STORAGE || type->global >= GLOBALS
        || key->kind != PICKLE_TEXT || elements->kind != PICKLE_INTEGER || elements->integer < 0)
        return REFUSE(reader, name, "%s", "its storage has no type, key or size" DAMAGED);
    storage->dtype = (enum dtype)(type->global - FIRST_STORAGE);
    storage->elements = (uint64_t)elements->integer;
    const char *text = pickle_text(pickle, key);
    int shown = (int)utf8_invalid_at(text, key->count < 40 ? key->count : 40);
    const struct zip_entry *entry = entry_find(reader, "/data/", text, key->count);
    if (entry == NULL)
        return REFUSE(reader, name, "its storage 'data/%.*s' is not in the file" DAMAGED, shown,
                      text);
    uint64_t bytes;
    if (__builtin_mul_overflow(storage->elements, (uint64_t)dtype_bytes(storage->dtype), &bytes)
        || bytes != entry->length)
        return REFUSE(reader, name, "its storage 'data/%.*s' has %" PRIu64 " bytes, which are not "
                      "%" PRIu64 " elements of %s" DAMAGED, shown, text, entry->length,
                      storage->elements, dtype_name(storage->dtype));
    return zip_entry_locate(&reader->zip, entry, &storage->bytes, reader->error);
}

/* -------------------------------------------------------------- one tensor */

static bool shape_read(const struct reader *reader, const char *name,
                       const struct pickle_value *size, struct tensor *tensor)
{
    if (size->kind != PICKLE_TUPLE)
        return REFUSE(reader, name, "its size is %s, not a tuple" DAMAGED,
                      pickle_kind_name(size));
    if (size->count > TENSOR_RANK_LIMIT)
        return REFUSE(reader, name, "its size has %" PRIu32 " dimensions; at most %d can be read",
                      size->count, TENSOR_RANK_LIMIT);
    tensor->rank = size->count;
    for (uint32_t i = 0; i < size->count; i++) {
        const struct pickle_value *extent = pickle_item(&reader->pickle, size, i);
        if (extent->kind != PICKLE_INTEGER || extent->integer < 0)
            return REFUSE(reader, name, "dimension %" PRIu32 " of its size is not an integer of 0 "
                          "or more" DAMAGED, i);
        tensor->shape[i] = (uint64_t)extent->integer;
    }
    return tensor_measure(tensor)
        || REFUSE(reader, name, "%s", "its size asks for more than 2^64 bytes" DAMAGED);
}

/* Elements must follow each other in the order of the shape: strides count what lies between two
 * neighbours of a dimension, and do not matter where there are no two. */
static bool strides_check(const struct reader *reader, const char *name,
                          const struct pickle_value *strides, const struct tensor *tensor)
{
    if (strides->kind != PICKLE_TUPLE || strides->count != tensor->rank)
        return REFUSE(reader, name, "%s", "its strides are not as many as its dimensions" DAMAGED);
    uint64_t expected = 1;
    for (uint32_t i = tensor->rank; i-- > 0 && tensor->elements > 0;) {
        const struct pickle_value *stride = pickle_item(&reader->pickle, strides, i);
        if (stride->kind != PICKLE_INTEGER)
            return REFUSE(reader, name, "stride %" PRIu32 " is no integer" DAMAGED, i);
        if (tensor->shape[i] != 1 && (uint64_t)stride->integer != expected)
            return REFUSE(reader, name, "is not contiguous (stride %" PRIu32 " is %" PRId64 ", not "
                          "%" PRIu64 "); save it as tensor.contiguous()", i, stride->integer,
                          expected);
        expected *= tensor->shape[i];
    }
    return true;
}

/* The tensor of a call _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks),
 * after which there may be a dictionary of attributes, such as that its sign is to be changed. */
static bool tensor_read(const struct reader *reader, const char *name,
                        const struct pickle_value *call, struct tensor *tensor)
{
    const struct pickle *pickle = &reader->pickle;
    if (call->count != 6 && call->count != 7)
        return REFUSE(reader, name, "is rebuilt from %" PRIu32 " arguments, not 6 or 7" DAMAGED,
                      call->count);
    const struct pickle_value *offset = pickle_item(pickle, call, 1);
    const struct pickle_value *last = pickle_item(pickle, call, call->count - 1);
    if (last->kind != PICKLE_DICT || (call->count == 7
                                      && pickle->dicts[last->first].first != PICKLE_END))
        return REFUSE(reader, name, "%s", "has hooks or attributes that are not read (conjugate or "
                      "negative views, for example); save a plain copy of it");
    struct storage storage;
    memset(tensor, 0, sizeof *tensor);
    tensor->file = reader->file->path;
    if (!storage_find(reader, name, pickle_item(pickle, call, 0), &storage))
        return false;
    tensor->dtype = storage.dtype;
    if (!shape_read(reader, name, pickle_item(pickle, call, 2), tensor)
        || !strides_check(reader, name, pickle_item(pickle, call, 3), tensor))
        return false;
    uint64_t room = storage.elements;
    if (offset->kind != PICKLE_INTEGER || offset->integer < 0 || (uint64_t)offset->integer > room
        || tensor->elements > room - (uint64_t)offset->integer)
        return REFUSE(reader, name, "%" PRIu64 " elements from its offset on are more than the %"
                      PRIu64 " of its storage" DAMAGED, tensor->elements, room);
    tensor->data = storage.bytes + (uint64_t)offset->integer * dtype_bytes(tensor->dtype);
    return true;
}

/* Refuses what is no tensor, and looks into a parameter for its own. */
static bool value_read(const struct reader *reader, const char *name,
                       const struct pickle_value *value, struct tensor *tensor)
{
    if (value->kind == PICKLE_CALL && value->global == REBUILD_PARAMETER && value->count > 0)
        value = pickle_item(&reader->pickle, value, 0);
    if (value->kind == PICKLE_CALL && value->global == REBUILD_TENSOR)
        return tensor_read(reader, name, value, tensor);
    return REFUSE(reader, name, "is not a tensor but %s; save the model's state_dict() alone",
                  pickle_kind_name(value));
}

/* --------------------------------------------------------------- the pickle */

static bool pair_read(const struct reader *reader, struct tensor_set *set,
                      const struct pickle_pair *pair)
{
    const char *path = utf8_tail(reader->file->path);
    if (pair->key.kind != PICKLE_TEXT)
        return error_set(reader->error, ERROR_FAILED, "%s: the name of a tensor is %s, not a text"
                         "; save the model's state_dict() alone", path,
                         pickle_kind_name(&pair->key));
    const char *text = pickle_text(&reader->pickle, &pair->key);
    if (memchr(text, '\0', pair->key.count) != NULL)
        return error_set(reader->error, ERROR_FAILED, "%s: the name of a tensor holds a zero byte"
                         DAMAGED, path);
    char *name = strndup(text, pair->key.count);
    if (name == NULL)
        return error_no_memory(reader->error, "the name of a tensor");
    struct tensor tensor;
    if (value_read(reader, name, &pair->value, &tensor))
        return tensor_set_add(set, &tensor, name, reader->error);
    free(name);
    return false;
}

static bool pairs_read(const struct reader *reader, struct tensor_set *set)
{
    const struct pickle *pickle = &reader->pickle;
    if (pickle->result.kind != PICKLE_DICT)
        return error_set(reader->error, ERROR_FAILED, "%s: holds %s, not a dictionary of tensors; "
                         "save the model's state_dict()", utf8_tail(reader->file->path),
                         pickle_kind_name(&pickle->result));
    uint32_t first = pickle->dicts[pickle->result.first].first;
    size_t count = 0;
    for (uint32_t i = first; i != PICKLE_END; i = pickle->pairs[i].next)
        count++;
    if (!tensor_set_reserve(set, count, reader->error))
        return false;
    for (uint32_t i = first; i != PICKLE_END; i = pickle->pairs[i].next)
        if (!pair_read(reader, set, &pickle->pairs[i]))
            return false;
    return true;
}

/* ------------------------------------------------------------------ the file */

/* Finds NAME, by the pickle NAME/data.pkl. */
static bool prefix_find(struct reader *reader)
{
    static const char suffix[] = "/data.pkl";
    size_t length = sizeof suffix - 1, found = 0;
    for (size_t i = 0; i < reader->zip.count; i++) {
        const struct zip_entry *entry = &reader->zip.entries[i];
        const char *slash = memchr(entry->name, '/', entry->name_length);
        if (slash == NULL || entry->name_length - (size_t)(slash - entry->name) != length
            || memcmp(slash, suffix, length) != 0)
            continue;
        reader->prefix = entry->name;
        reader->prefix_length = (size_t)(slash - entry->name);
        found++;
    }
    return found == 1 || error_set(reader->error, ERROR_FAILED, "%s: a zip file with %zu pickles "
                                   "NAME/data.pkl instead of one; it was not written by torch.save",
                                   utf8_tail(reader->file->path), found);
}

static bool byte_order_check(const struct reader *reader)
{
    const unsigned char *bytes;
    const struct zip_entry *entry = entry_find(reader, "/byteorder", "", 0);
    if (entry == NULL)
        return true;
    if (!zip_entry_locate(&reader->zip, entry, &bytes, reader->error))
        return false;
    return (entry->length == 6 && memcmp(bytes, "little", 6) == 0)
        || error_set(reader->error, ERROR_FAILED, "%s: its byte order is not little-endian; load "
                     "and save it again on an ordinary machine", utf8_tail(reader->file->path));
}

static bool zip_read(struct reader *reader, struct tensor_set *set)
{
    char place[ENTRY_NAME_LIMIT];
    const unsigned char *bytes;
    if (!prefix_find(reader) || !byte_order_check(reader))
        return false;
    const struct zip_entry *entry = entry_find(reader, "/data.pkl", "", 0);
    if (entry == NULL)
        return error_set(reader->error, ERROR_FAILED, "%s: the name of its pickle is too long; "
                         "save it under a shorter one", utf8_tail(reader->file->path));
    if (!zip_entry_locate(&reader->zip, entry, &bytes, reader->error))
        return false;
    snprintf(place, sizeof place, "%s: data.pkl", utf8_tail(reader->file->path));
    reader->file->described[0] = (struct tensor_file_part){bytes, (size_t)entry->length};
    reader->file->described[1] = (struct tensor_file_part){reader->zip.directory,
                                                           reader->zip.directory_length};
    if (!pickle_read(&reader->pickle, place, bytes, (size_t)entry->length, globals, GLOBALS,
                     reader->error))
        return false;
    bool read = pairs_read(reader, set);
    pickle_free(&reader->pickle);
    return read;
}

static bool is_zip(const struct tensor_file *file)
{
    return file->length >= 4 && memcmp(file->bytes, "PK\3\4", 4) == 0;
}

/* The form before PyTorch 1.6: pickles, one after the other, and then the storages. */
static bool is_pickle(const struct tensor_file *file)
{
    return file->length >= 2 && file->bytes[0] == 0x80 && file->bytes[1] >= 2
        && file->bytes[1] <= 5;
}

static bool file_read(struct tensor_set *set, struct tensor_file *file, struct error *error)
{
    struct reader reader = {.file = file, .error = error};
    const char *path = utf8_tail(file->path);
    if (is_pickle(file))
        return error_set(error, ERROR_FAILED, "%s: is of the form that torch.save wrote before "
                         "PyTorch 1.6; load it with torch.load and save it again with torch.save",
                         path);
    if (!is_zip(file))
        return error_set(error, ERROR_FAILED, "%s: does not begin as a zip file, so it is not one "
                         "that torch.save wrote; fetch it again", path);
    if (!zip_open(&reader.zip, file->path, file->bytes, file->length, error))
        return false;
    bool read = zip_read(&reader, set);
    zip_close(&reader.zip);
    return read;
}

/* A zip file or a pickle, unless it is a safetensors file whose header happens to be as long as
 * that; and what is called so. */
static bool claims(const struct tensor_file *file)
{
    size_t length = strlen(file->path);
    bool is_json = file->length > 8 && file->bytes[8] == '{';
    return ((is_zip(file) || is_pickle(file)) && !is_json)
        || (length >= 4 && strcmp(file->path + length - 4, ".bin") == 0);
}

const struct tensor_format torch_format = {
    .single_name = "pytorch_model.bin",
    .index_name = "pytorch_model.bin.index.json",
    .claims = claims,
    .read = file_read,
};
