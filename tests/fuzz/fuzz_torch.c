/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzzing the reader of torch files: any bytes either open, and then every
 * tensor may be read to its last byte and is found by its name, or are
 * refused with a sentence.
 */
#include "neurons/import/tensor_set.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { READ_LIMIT = 1 << 20 }; /* tensors may share bytes, so that all together may be long */

static void set_check(const struct tensor_set *set, const uint8_t *bytes, size_t length)
{
    char digest[17];
    uint64_t left = READ_LIMIT;
    unsigned sum = 0;
    for (size_t i = 0; i < tensor_set_length(set); i++) {
        const struct tensor *tensor = tensor_set_at(set, i);
        const uint8_t *data = tensor->data;
        if (tensor_set_find(set, tensor->name) != tensor)
            abort();
        if (tensor->bytes != tensor->elements * dtype_bytes(tensor->dtype))
            abort();
        if (data < bytes || data > bytes + length
            || tensor->bytes > (size_t)(bytes + length - data))
            abort();
        for (uint64_t byte = 0; byte < tensor->bytes && left > 0; byte++, left--)
            sum += data[byte];
        tensor_release(set, tensor);
    }
    volatile unsigned read = sum; /* so that the reading is not left out */
    (void)read;
    tensor_set_digest(set, digest);
    if (strlen(digest) != 16 || tensor_set_bytes(set) != length)
        abort();
}

static void file_check(const uint8_t *bytes, size_t length)
{
    struct error error = {0};
    struct tensor_set *set = tensor_set_open_memory("fuzz.bin", bytes, length, &error);
    if ((set == NULL) != (error.code != ERROR_NONE))
        abort();
    if (set != NULL)
        set_check(set, bytes, length);
    tensor_set_close(set);
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t length)
{
    if (length > 0)
        memcpy(at, bytes, length);
    return at + length;
}

static uint8_t *put_number(uint8_t *at, uint64_t number, int size)
{
    for (int i = 0; i < size; i++)
        *at++ = i < 8 ? (uint8_t)(number >> (8 * i)) : 0;
    return at;
}

struct part {
    const char *name;
    const void *bytes;
    size_t length;
};

static uint8_t *put_local(uint8_t *at, const struct part *part)
{
    at = put(at, "PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 26);
    at = put_number(at, strlen(part->name), 4);
    at = put(at, part->name, strlen(part->name));
    return put(at, part->bytes, part->length);
}

static uint8_t *put_entry(uint8_t *at, const struct part *part, size_t offset)
{
    at = put(at, "PK\1\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
    at = put_number(at, part->length, 4);
    at = put_number(at, part->length, 4);
    at = put_number(at, strlen(part->name), 4);
    at = put_number(at, 0, 10);
    at = put_number(at, offset, 4);
    return put(at, part->name, strlen(part->name));
}

/* The input as the pickle of a good zip file that has storages 0, 1 and 2. */
static void pickle_check(const uint8_t *bytes, size_t length)
{
    static const uint8_t storage[64] = {0};
    const struct part parts[] = {{"m/data.pkl", bytes, length},
                                 {"m/data/0", storage, 64},
                                 {"m/data/1", storage, 24},
                                 {"m/data/2", storage, 8}};
    size_t offset[4];
    uint8_t *file = malloc(length + 1000), *at = file;
    if (file == NULL)
        return;
    for (int i = 0; i < 4; i++) {
        offset[i] = (size_t)(at - file);
        at = put_local(at, &parts[i]);
    }
    uint8_t *directory = at;
    for (int i = 0; i < 4; i++)
        at = put_entry(at, &parts[i], offset[i]);
    uint8_t *end = put(at, "PK\5\6\0\0\0\0\4\0\4\0", 12);
    end = put_number(end, (uint64_t)(at - directory), 4);
    end = put_number(end, (uint64_t)(directory - file), 4);
    end = put_number(end, 0, 2);
    size_t whole = (size_t)(end - file);
    uint8_t *exact = realloc(file, whole); /* so that a read beyond it is noticed */
    if (exact != NULL) {
        file_check(exact, whole);
        file = exact;
    }
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    file_check(bytes, length);
    pickle_check(bytes, length);
    return 0;
}
