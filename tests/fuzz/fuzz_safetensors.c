/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzzing the safetensors reader: any bytes either open, and then every
 * tensor may be read to its last byte and is found by its name, or are
 * refused with a sentence.
 */
#include "neurons/import/tensor_set.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void set_check(const struct tensor_set *set, size_t length)
{
    char digest[17];
    uint64_t data = 0;
    unsigned sum = 0;
    for (size_t i = 0; i < tensor_set_length(set); i++) {
        const struct tensor *tensor = tensor_set_at(set, i);
        if (tensor_set_find(set, tensor->name) != tensor)
            abort();
        if (tensor->bytes != tensor->elements * dtype_bytes(tensor->dtype))
            abort();
        for (uint64_t byte = 0; byte < tensor->bytes; byte++)
            sum += ((const unsigned char *)tensor->data)[byte];
        data += tensor->bytes;
    }
    volatile unsigned read = sum; /* so that the reading is not left out */
    (void)read;
    tensor_set_digest(set, digest);
    if (strlen(digest) != 16 || data > length || tensor_set_bytes(set) != length)
        abort();
}

static void file_check(const uint8_t *bytes, size_t length)
{
    struct error error = {0};
    struct tensor_set *set = tensor_set_open_memory("fuzz", bytes, length, &error);
    if ((set == NULL) != (error.code != ERROR_NONE))
        abort();
    if (set != NULL)
        set_check(set, length);
    tensor_set_close(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    file_check(bytes, length);

    /* A change of the header's length breaks the file; so the input is also
     * taken for a header that ends at the first zero byte, and the buffer. */
    const uint8_t *zero = length == 0 ? NULL : memchr(bytes, 0, length);
    uint64_t header_length = zero == NULL ? length : (size_t)(zero - bytes);
    uint8_t *file = malloc(length + 8);
    if (file == NULL)
        return 0;
    for (int i = 0; i < 8; i++)
        file[i] = (uint8_t)(header_length >> (8 * i));
    if (length > 0)
        memcpy(file + 8, bytes, length);
    file_check(file, length + 8);
    free(file);
    return 0;
}
