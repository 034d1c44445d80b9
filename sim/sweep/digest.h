/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A digest of files: equal for equal files. Of a file that is large, its size, when it was changed,
 * and both its ends stand for the rest.
 */
#ifndef VOLLEY_SWEEP_DIGEST_H
#define VOLLEY_SWEEP_DIGEST_H

#include "scheduler/error.h"

#include <stdint.h>

/* 64-bit FNV-1a. Begin with DIGEST_BEGIN. */
#define DIGEST_BEGIN UINT64_C(0xcbf29ce484222325)

/* Takes in a text, its end included. */
uint64_t digest_text(uint64_t digest, const char *text);
/* Takes in a file. False with error if it cannot be read or is no file. */
bool digest_file(uint64_t *digest, const char *path, struct error *error);
/* Takes in the files of a language model: its configuration, its vocabulary and its weights; or its
 * packed model. */
bool digest_model_folder(uint64_t *digest, const char *folder, struct error *error);

#endif
