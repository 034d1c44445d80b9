/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packed models: a SpikingBrain checkpoint in the form in which it runs, in one file that is mapped
 * and needs no conversion. What is in such a file: packed_format.h.
 */
#ifndef VOLLEY_PACKED_H
#define VOLLEY_PACKED_H

#include "neurons/import/tokenizer.h"
#include "neurons/import/weights_source.h"

#include <stdatomic.h>

/* ---- reading ---- */

/* Whether `path` is a file, and so not the folder of a checkpoint. */
bool packed_is_file(const char *path);

/* Maps a packed model. Everything is checked at once but for the codes and scales of the
 * integer weights, which are checked before the first spike meets them. NULL with error. */
struct weights_source *packed_open(const char *path, struct error *error);
/* The same from memory, for tests and fuzzing: the bytes, which begin at a page, must outlive the
 * source. */
struct weights_source *packed_open_memory(const char *name, const void *bytes, size_t length,
                                          struct error *error);

/* The tokenizer in a packed model; fails as misused if it holds none. */
struct tokenizer *packed_tokenizer(const char *path, struct error *error);

/* ---- writing ---- */

struct packing_options {
    const struct spikingbrain_options *rules; /* of the run it is for: threshold, down_proj */
    uint32_t table_bits; /* 32: embedding and head as they are; 16: rounded to BF16, as by a run */
};

/* How far it is; may be looked at, and stopped, from another thread. */
struct packing {
    atomic_int stop; /* not 0: give up soon */
    atomic_uint_fast64_t done, total; /* bytes */
};

/* Packs the checkpoint in `folder` into the new file `path`, which is not there until it is
 * complete: until then it is called PATH.unfinished-XXXXXX. When it fails, or is stopped (then
 * without an error), it leaves nothing. */
bool packed_write(const char *folder, const char *path, const struct packing_options *options,
                  struct packing *packing, struct error *error);

#endif
