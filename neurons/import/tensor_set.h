/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The tensors of a model by name: one file, or a folder's shards with their
 * index; safetensors, or what PyTorch's torch.save wrote.
 *
 * The files are mapped, never read whole. Nothing in them is trusted: a set
 * that opens without an error has tensors whose bytes lie inside the file,
 * in the order of their shape without gaps, and match dtype and shape. In
 * safetensors no two of them overlap; in torch files they may.
 */
#ifndef VOLLEY_TENSOR_SET_H
#define VOLLEY_TENSOR_SET_H

#include "scheduler/error.h"

#include <stddef.h>
#include <stdint.h>

enum dtype { DTYPE_F64, DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_I64, DTYPE_I32, DTYPE_I16,
             DTYPE_I8, DTYPE_U8, DTYPE_BOOL };

enum { TENSOR_RANK_LIMIT = 8 };

struct tensor {
    const char *name;  /* owned by the set */
    const char *file;  /* path of the file that holds it, owned by the set */
    enum dtype dtype;
    uint32_t rank;
    uint64_t shape[TENSOR_RANK_LIMIT];
    uint64_t elements; /* product of the shape */
    const void *data;  /* in the mapping; little-endian; possibly not aligned for the dtype */
    uint64_t bytes;
};

struct tensor_set;

/* Opens `path`: a .safetensors or .bin file; or a folder that holds, looked for in this order,
 * model.safetensors.index.json and its shards, model.safetensors, pytorch_model.bin.index.json
 * and its shards, or pytorch_model.bin. */
struct tensor_set *tensor_set_open(const char *path, struct error *error);
void tensor_set_close(struct tensor_set *set);

size_t tensor_set_length(const struct tensor_set *set);
const struct tensor *tensor_set_at(const struct tensor_set *set, size_t index);
/* NULL if there is none of that name. */
const struct tensor *tensor_set_find(const struct tensor_set *set, const char *name);
/* The string of that key in __metadata__, of the first file that has it; NULL if none does. */
const char *tensor_set_metadata(const struct tensor_set *set, const char *key);
/* The string of that key in a safetensors file's __metadata__, of the first file that has it; NULL
 * if none does. */
const char *tensor_set_metadata(const struct tensor_set *set, const char *key);
/* Bytes of all files together. */
uint64_t tensor_set_bytes(const struct tensor_set *set);
/* A digest of every file's header and size, 64 hexadecimal digits are not needed:
 * 16 digits of FNV-1a, to tell one model from another in a trace. */
void tensor_set_digest(const struct tensor_set *set, char digest[17]);

/* Tells the system that the tensor's bytes are not needed for now, so that they stop counting as
 * resident; they may still be read, and then come from the file again. `tensor` is one of the
 * set. Does nothing to a set opened from memory. */
void tensor_release(const struct tensor_set *set, const struct tensor *tensor);

const char *dtype_name(enum dtype dtype);
uint32_t dtype_bytes(enum dtype dtype);

/* Opens one file from memory, for tests and fuzzing: the bytes must outlive the set. */
struct tensor_set *tensor_set_open_memory(const char *name, const void *bytes, size_t length,
                                          struct error *error);

#endif
