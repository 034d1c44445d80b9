/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The file of a packed model, which is a safetensors file:
 *
 *     __metadata__
 *         format           "volley-packed"
 *         version          "1"
 *         source_digest    the digest of the checkpoint (tensor_set_digest)
 *         threshold        "token", "group" or "head"
 *         down_proj        "paper" or "repo"
 *         table_bits       "32" or "16"
 *         xxh3:<tensor>    16 digits of XXH3 (64 bits) of the tensor's bytes, for every tensor
 *         contents         the same of all of the above but the first two, and of every tensor's
 *                          name, dtype, shape and place
 *     files/<name>         U8: config.json and the files of the tokenizer, as they were
 *     <name>               F32, F16, BF16: what does not spike, in its own dtype
 *     <name>.codes         U8 [rows · inputs], and so on: an integer weight's arrays, laid out as
 *         .scales          F32   code_band.h and dense_integer.h say
 *         .extra_start     I32
 *         .fan_out         I32
 *         .extras          I16 [n, 2]
 *         .numbers         I64 [NUMBERS], as below
 *     padding              U8: zeros
 *
 * The buffer begins at a multiple of 4096 bytes of the file. Codes come first, at multiples of 4096
 * where their sizes allow, else of 64; then all other tensors by the alignment of their sizes, so
 * that each is aligned for its dtype; and the extras, whose number is known last, at the end.
 */
#ifndef VOLLEY_PACKED_FORMAT_H
#define VOLLEY_PACKED_FORMAT_H

#include "neurons/import/tensor_set.h"

#include <xxhash.h>

#define PACKED_FORMAT "volley-packed"
#define PACKED_VERSION 1
#define PACKED_CHECKSUM "xxh3:"
#define PACKED_FILES "files/"
#define PACKED_PADDING "padding"

enum { PACKED_PAGE = 4096, PACKED_LINE = 64, PACKED_DIGITS = 16 };

/* What stands in <name>.numbers. */
enum packed_number {
    NUMBER_OUTPUTS,
    NUMBER_INPUTS,
    NUMBER_GROUP,
    NUMBER_SCALE_GROUP,
    NUMBER_SPAN, /* inputs that share a threshold; 0: all */
    NUMBER_CODE_LIMIT,
    NUMBER_SYNAPSES,
    NUMBER_EXTRAS,
    NUMBERS
};

/* The checksum of `contents` is that of these parts: the settings in this order, and then the
 * tensors in the order of their names. */
extern const char *const packed_settings[]; /* keys, NULL at the end */
void packed_contents_add_setting(XXH3_state_t *contents, const char *value);
void packed_contents_add_tensor(XXH3_state_t *contents, const struct tensor *tensor,
                                uint64_t place, const char *checksum);

void packed_digits(uint64_t checksum, char digits[PACKED_DIGITS + 1]);

/* Inputs whose sums are kept together where so many share a scale and so many a threshold. */
uint32_t packed_group(uint32_t scale_group, uint32_t span);

#endif
