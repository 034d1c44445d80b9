/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing a made-up checkpoint into a folder, shard by shard, by a team of threads. */
#ifndef VOLLEY_FILL_H
#define VOLLEY_FILL_H

#include "neurons/import/shard.h"
#include "scheduler/workers.h"
#include "sim/make_model/checkpoint.h"
#include "sim/make_model/folder.h"

#include <stdatomic.h>

/* A checkpoint dealt out over files: each takes tensors in their order up to shard_bytes, or one
 * tensor that is larger. */
struct fill {
    const struct checkpoint *checkpoint;
    const struct numbers *numbers;
    struct workers *workers;

    struct shard **shards; /* [shard_count] */
    char **names;          /* [shard_count] */
    size_t shard_count;
    uint64_t bytes; /* of all files that hold tensors */

    atomic_uint_fast64_t done; /* bytes written */
    atomic_int stop;           /* not 0: end soon, with what was written being worth nothing */
};

/* Lays the files out. */
bool fill_plan(struct fill *fill, const struct checkpoint *checkpoint, uint64_t shard_bytes,
               struct error *error);

/* Writes all files, config.json last; false also when it was stopped, without an error then. Before
 * it, numbers and workers must be set. */
bool fill_run(struct fill *fill, const struct folder *folder, struct error *error);
void fill_free(struct fill *fill);

#endif
