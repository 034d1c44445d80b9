/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where the mapping of a language model takes its weights from: a checkpoint as it was published
 * (checkpoint.c), or a packed model (packed.c). The mapping asks by name and shape; what it gets
 * is as asked for, and sound.
 */
#ifndef VOLLEY_WEIGHTS_SOURCE_H
#define VOLLEY_WEIGHTS_SOURCE_H

#include "neurons/delivery/dense_integer.h"
#include "neurons/import/tensor_set.h"
#include "neurons/import/spikingbrain_config.h"

struct spikingbrain_options;

struct weights_source {
    struct spikingbrain_config config;
    struct tensor_set *tensors; /* all there is, as it is held; belongs to the source */
    bool mapped;                /* they lie in files */
    char digest[17];            /* of the checkpoint */
    /* Whether a network of these options can be made of it; NULL: of any. */
    bool (*accepts)(const struct weights_source *self, const struct spikingbrain_options *options,
                    struct error *error);
    /* Finite floating-point numbers (F32, F16 or BF16) of shape [rows, columns], or [columns] where
     * rows is 0. NULL with error. They last as long as the source. */
    const struct tensor *(*floats)(struct weights_source *self, const char *name, uint64_t rows,
                                   uint64_t columns, struct error *error);
    /* The same, where whoever asks looks at every number and refuses those that are not finite. */
    const struct tensor *(*stored)(struct weights_source *self, const char *name, uint64_t rows,
                                   uint64_t columns, struct error *error);
    /* Integer weights [outputs][inputs], without a bias, for spikes that have a threshold for
     * every `span` inputs (0: one for all). NULL with error. Free them before the source. */
    struct dense_integer *(*codes)(struct weights_source *self, const char *name, uint32_t outputs,
                                   uint32_t inputs, uint32_t span, struct error *error);
    void (*close)(struct weights_source *self);
};

/* What both kinds read tensors of floats with: whether it has that shape, or a sentence. */
bool tensor_check_floats(const struct tensor *tensor, const char *name, uint64_t rows,
                         uint64_t columns, struct error *error);
/* Row `row` of `width` numbers, widened into `out`. */
void tensor_read_row(const struct tensor *tensor, const struct kernels *kernels, uint64_t row,
                     uint32_t width, float *out);

#endif
