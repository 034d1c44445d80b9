/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing one file of a checkpoint when its numbers are too many to be held: the file is laid out
 * first, so that every tensor's bytes have their place before there are any; they are then written
 * there in any order, by anyone; what stands around them comes last.
 *
 *     shard_new        lays out: places, length of the file
 *     pwrite           of each tensor's bytes from its place on, by the caller
 *     shard_finish     writes headers and lists
 *     shard_free
 */
#ifndef VOLLEY_SHARD_H
#define VOLLEY_SHARD_H

#include "neurons/import/tensor_set.h"

struct shard {
    const struct shard_format *format;
    const char *name;              /* of the file, without its folder; the caller's */
    const struct tensor **tensors; /* [length]: name, dtype, rank, shape and bytes count */
    size_t length;
    uint64_t *places; /* [length] where each tensor's bytes begin in the file */
    uint64_t bytes;   /* of the whole file */
    void *own;        /* the format's */
};

/* A form of file. Where `checksums` is set, shard_finish needs the CRC-32 (that of zlib) of each
 * tensor's bytes. */
struct shard_format {
    const char *name;
    const char *stem, *suffix; /* of the files of a checkpoint: stem-00001-of-00007suffix … */
    const char *index;         /* … and the name of the file that lists them */
    bool checksums;
    bool (*lay_out)(struct shard *shard, struct error *error);
    bool (*finish)(const struct shard *shard, int file, const uint32_t *checksums,
                   struct error *error);
    void (*free)(void *own); /* takes NULL */
};

/* shard_safetensors.c: numbers as safetensors.h reads them. */
extern const struct shard_format safetensors_shards;
/* shard_torch.c: what torch.save writes of a state dict, F32, F16 and BF16 only. */
extern const struct shard_format torch_shards;

/* `tensors` are copied as pointers and stay the caller's. NULL with `error` filled. */
struct shard *shard_new(const struct shard_format *format, const char *name,
                        const struct tensor *tensors, size_t length, struct error *error);

/* Writes all but the tensors' bytes into the open file. checksums[length] may be NULL where the
 * format takes none. */
bool shard_finish(const struct shard *shard, int file, const uint32_t *checksums,
                  struct error *error);
void shard_free(struct shard *shard);

/* All of `bytes` at that place; `name` is for the sentence. */
bool shard_write(int file, const char *name, uint64_t place, const void *bytes, size_t length,
                 struct error *error);

#endif
