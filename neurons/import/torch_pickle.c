/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A pickle is a program for a machine with a stack. For each tensor this one is
 *
 *     X name                                    the key
 *     c torch._utils _rebuild_tensor_v2         what is to be called
 *     ( ( X 'storage' c torch FloatStorage X '0' X 'cpu' K elements t Q      storage 0, which the
 *                                               reader finds in the file by that tuple
 *         K 0  shape  strides  \x89 (False)     offset, tuples, no gradient
 *         c collections OrderedDict ) R t R     no hooks; the arguments are complete; call it
 *
 * between } ( … u for the dict. What a pickler has written it numbers in a memo (q) and names by
 * that number (h) when it meets the same thing again: the calls, the storages' types, 'storage' and
 * 'cpu'. Names and numbers of storages never come again, but are numbered all the same.
 */
#define _GNU_SOURCE 1
#include "neurons/import/torch_pickle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "neurons/import/utf8.h"

enum {
    BATCH = 1000, /* entries that Python's pickler puts between ( and u */
    TYPES = 3,    /* of storages */
};

/* What is written once and named afterwards; 0: not written yet (that is the dict's number). */
enum known { CALL, STORAGE_WORD, DEVICE, HOOKS, FIRST_TYPE, KNOWN = FIRST_TYPE + TYPES };

struct pickler {
    FILE *out;
    uint32_t memo; /* the number that the next thing gets */
    uint32_t known[KNOWN];
};

static void put_low(FILE *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++, value >>= 8)
        putc((int)(value & 0xff), out);
}

static void put_memo(struct pickler *pickler)
{
    uint32_t number = pickler->memo++;
    putc(number < 256 ? 'q' : 'r', pickler->out);
    put_low(pickler->out, number, number < 256 ? 1 : 4);
}

static void put_text(struct pickler *pickler, const char *text)
{
    size_t length = strlen(text);
    putc('X', pickler->out);
    put_low(pickler->out, length, 4);
    fwrite(text, 1, length, pickler->out);
    put_memo(pickler);
}

/* Not negative. */
static void put_integer(FILE *out, uint64_t value)
{
    if (value <= INT32_MAX) {
        int bytes = value < 1 << 8 ? 1 : value < 1 << 16 ? 2 : 4;
        putc(bytes == 1 ? 'K' : bytes == 2 ? 'M' : 'J', out);
        put_low(out, value, bytes);
        return;
    }
    int bytes = 1; /* with a bit for the sign */
    while (bytes < 9 && value >> (8 * bytes - 1) != 0)
        bytes++;
    putc('\x8a', out);
    putc(bytes, out);
    put_low(out, value, bytes);
}

static void put_tuple(struct pickler *pickler, const uint64_t *values, uint32_t length)
{
    FILE *out = pickler->out;
    if (length == 0) {
        putc(')', out);
        return;
    }
    if (length > 3)
        putc('(', out);
    for (uint32_t i = 0; i < length; i++)
        put_integer(out, values[i]);
    putc(length > 3 ? 't' : (int)(0x84 + length), out);
    put_memo(pickler);
}

/* True if it was there, and has been named. */
static bool put_known(struct pickler *pickler, enum known which)
{
    uint32_t number = pickler->known[which];
    if (number == 0) {
        pickler->known[which] = pickler->memo; /* which what follows will get */
        return false;
    }
    putc(number < 256 ? 'h' : 'j', pickler->out);
    put_low(pickler->out, number, number < 256 ? 1 : 4);
    return true;
}

/* `path` is the module's name, a line, and the thing's name. */
static void put_global(struct pickler *pickler, enum known which, const char *path)
{
    if (put_known(pickler, which))
        return;
    fprintf(pickler->out, "c%s\n", path);
    put_memo(pickler);
}

static void put_word(struct pickler *pickler, enum known which, const char *text)
{
    if (!put_known(pickler, which))
        put_text(pickler, text);
}

static const char *storage_type(enum dtype dtype, uint32_t *number)
{
    static const struct {
        enum dtype dtype;
        const char *path;
    } types[TYPES] = {{DTYPE_F32, "torch\nFloatStorage"},
                      {DTYPE_F16, "torch\nHalfStorage"},
                      {DTYPE_BF16, "torch\nBFloat16Storage"}};
    for (uint32_t i = 0; i < TYPES; i++)
        if (types[i].dtype == dtype) {
            *number = i;
            return types[i].path;
        }
    return NULL;
}

static void put_tensor(struct pickler *pickler, const struct tensor *tensor, size_t index)
{
    FILE *out = pickler->out;
    uint32_t type = 0;
    const char *path = storage_type(tensor->dtype, &type);
    uint64_t strides[TENSOR_RANK_LIMIT], stride = 1;
    for (uint32_t i = tensor->rank; i-- > 0; stride *= tensor->shape[i])
        strides[i] = stride;
    char key[24];
    snprintf(key, sizeof key, "%zu", index);
    put_text(pickler, tensor->name);
    put_global(pickler, CALL, "torch._utils\n_rebuild_tensor_v2");
    fputs("((", out);
    put_word(pickler, STORAGE_WORD, "storage");
    put_global(pickler, FIRST_TYPE + type, path);
    put_text(pickler, key);
    put_word(pickler, DEVICE, "cpu");
    put_integer(out, stride);
    putc('t', out);
    put_memo(pickler);
    putc('Q', out);
    put_integer(out, 0);
    put_tuple(pickler, tensor->shape, tensor->rank);
    put_tuple(pickler, strides, tensor->rank);
    putc('\x89', out);
    put_global(pickler, HOOKS, "collections\nOrderedDict");
    fputs(")R", out);
    put_memo(pickler);
    putc('t', out);
    put_memo(pickler);
    putc('R', out);
    put_memo(pickler);
}

static void put_dict(struct pickler *pickler, const struct tensor *const *tensors, size_t length)
{
    FILE *out = pickler->out;
    fputs("\x80\x02}", out);
    put_memo(pickler);
    for (size_t i = 0; i < length; i++) {
        if (length > 1 && i % BATCH == 0)
            putc('(', out);
        put_tensor(pickler, tensors[i], i);
        if (length == 1)
            putc('s', out);
        else if ((i + 1) % BATCH == 0 || i + 1 == length)
            putc('u', out);
    }
    if (length > 0 && length % BATCH == 0) /* the pickler looks for another batch */
        fputs("(u", out);
    putc('.', out);
}

char *torch_pickle_write(const struct tensor *const *tensors, size_t length, const char *name,
                         size_t *bytes, struct error *error)
{
    uint32_t type;
    for (size_t i = 0; i < length; i++)
        if (storage_type(tensors[i]->dtype, &type) == NULL) {
            error_set(error, ERROR_FAILED,
                      "%s: tensor '%.*s' is %s; PyTorch files are written of F32, F16 and BF16",
                      utf8_tail(name), utf8_clip(tensors[i]->name), tensors[i]->name,
                      dtype_name(tensors[i]->dtype));
            return NULL;
        }
    char *text = NULL;
    struct pickler pickler = {.out = open_memstream(&text, bytes)};
    if (pickler.out == NULL) {
        error_no_memory(error, "a pickle");
        return NULL;
    }
    put_dict(&pickler, tensors, length);
    bool whole = !ferror(pickler.out);
    whole = fclose(pickler.out) == 0 && whole;
    if (whole)
        return text;
    free(text);
    error_no_memory(error, "a pickle");
    return NULL;
}
