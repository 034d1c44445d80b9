/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What every form of shard shares, and safetensors shards: the length of the header, the header,
 * then the tensors one after the other in the order in which they were given.
 */
#define _GNU_SOURCE 1
#include "neurons/import/shard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "neurons/import/native/safetensors_write.h"
#include "neurons/import/utf8.h"

enum { LENGTH_BYTES = 8 };

struct shard *shard_new(const struct shard_format *format, const char *name,
                        const struct tensor *tensors, size_t length, struct error *error)
{
    struct shard *shard = calloc(1, sizeof *shard);
    if (shard == NULL) {
        error_no_memory(error, "a shard");
        return NULL;
    }
    *shard = (struct shard){.format = format,
                            .name = name,
                            .tensors = calloc(length + 1, sizeof *shard->tensors),
                            .length = length,
                            .places = calloc(length + 1, sizeof *shard->places)};
    bool laid_out = shard->tensors != NULL && shard->places != NULL;
    for (size_t i = 0; i < length && laid_out; i++)
        shard->tensors[i] = &tensors[i];
    laid_out = laid_out ? format->lay_out(shard, error) : error_no_memory(error, "a shard");
    if (laid_out)
        return shard;
    shard_free(shard);
    return NULL;
}

bool shard_finish(const struct shard *shard, int file, const uint32_t *checksums,
                  struct error *error)
{
    return shard->format->finish(shard, file, checksums, error);
}

void shard_free(struct shard *shard)
{
    if (shard == NULL)
        return;
    shard->format->free(shard->own);
    free(shard->tensors);
    free(shard->places);
    free(shard);
}

bool shard_write(int file, const char *name, uint64_t place, const void *bytes, size_t length,
                 struct error *error)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t written = pwrite(file, at, length, (off_t)place);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return error_set(error, ERROR_FAILED, "%s: cannot be written: %s", utf8_tail(name),
                             written < 0 ? strerror(errno) : "the disk takes no more");
        at += written;
        place += (uint64_t)written;
        length -= (size_t)written;
    }
    return true;
}

static bool lay_out(struct shard *shard, struct error *error)
{
    shard->own = safetensors_header(shard->tensors, shard->length, "pt", shard->name, error);
    if (shard->own == NULL)
        return false;
    uint64_t place = LENGTH_BYTES + strlen(shard->own);
    for (size_t i = 0; i < shard->length; i++) {
        shard->places[i] = place;
        place += shard->tensors[i]->bytes;
    }
    shard->bytes = place;
    return true;
}

static bool finish(const struct shard *shard, int file, const uint32_t *checksums,
                   struct error *error)
{
    (void)checksums;
    unsigned char size[LENGTH_BYTES];
    uint64_t length = strlen(shard->own);
    for (int i = 0; i < LENGTH_BYTES; i++)
        size[i] = (unsigned char)(length >> (8 * i));
    return shard_write(file, shard->name, LENGTH_BYTES, shard->own, length, error) &&
           shard_write(file, shard->name, 0, size, sizeof size, error);
}

const struct shard_format safetensors_shards = {
    .name = "safetensors",
    .stem = "model",
    .suffix = ".safetensors",
    .index = "model.safetensors.index.json",
    .lay_out = lay_out,
    .finish = finish,
    .free = free,
};
