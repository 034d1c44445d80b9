/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A SpikingBrain checkpoint as published: a folder with config.json and tensors of floats. */
#ifndef VOLLEY_CHECKPOINT_H
#define VOLLEY_CHECKPOINT_H

#include "neurons/import/weights_source.h"

/* NULL with error. `workers`, which may be NULL, share the making of integer weights. */
struct weights_source *checkpoint_open(const char *folder, struct workers *workers,
                                       struct error *error);

/* Of config.json alone. */
bool checkpoint_read_config(const char *folder, struct spikingbrain_config *config,
                            struct error *error);

/* What `floats` of a checkpoint gives, but its numbers have not been looked at. */
const struct tensor *checkpoint_find(const struct weights_source *self, const char *name,
                                     uint64_t rows, uint64_t columns, struct error *error);

/* How many inputs share a scale in what `codes` of a checkpoint gives. False with error. */
bool checkpoint_find_group(const struct weights_source *self, const char *name, uint32_t outputs,
                           uint32_t inputs, uint32_t *group, struct error *error);

#endif
