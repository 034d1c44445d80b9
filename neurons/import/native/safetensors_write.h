/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing safetensors: what safetensors.c reads. */
#ifndef VOLLEY_SAFETENSORS_WRITE_H
#define VOLLEY_SAFETENSORS_WRITE_H

#include "neurons/import/tensor_set.h"

#include <stdio.h>

/* Writes a whole file to `file`, called `name` in sentences. Of a tensor its name, dtype, rank,
 * shape and data count; sizes are worked out. Names must be valid UTF-8 and all different. The
 * tensors of the widest dtypes come first, so that each lies aligned for its dtype. */
bool safetensors_write(FILE *file, const char *name, const struct tensor *tensors, size_t length,
                       struct error *error);

/* The header of a file with these tensors in this order, padded with spaces; what is written before
 * it is its length as 8 bytes. `format`, if not NULL, stands in the metadata: "pt" in checkpoints.
 * From malloc; NULL with `error` filled. */
char *safetensors_header(const struct tensor *const *order, size_t length, const char *format,
                         const char *name, struct error *error);

#endif
