/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels in IDX files, beside the images that idx.c reads as a recording. */
#ifndef VOLLEY_IDX_H
#define VOLLEY_IDX_H

#include "neurons/import/recording/recording.h"

/* Reads a file of labels, which the caller frees also when it fails. */
bool idx_labels(const struct recording_file *file, unsigned char **labels, uint64_t *length,
                struct error *error);

/* The file of labels that belongs to a file of images by its name ("train-images-idx3-ubyte.gz":
 * "train-labels-idx1-ubyte.gz", or the same packed or unpacked), to be freed by the caller; NULL
 * where there is none. False when memory is short. */
bool idx_labels_beside(const char *images, char **labels, struct error *error);

#endif
