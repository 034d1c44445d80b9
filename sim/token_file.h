/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file of token ids, for prompts that no command line holds. */
#ifndef VOLLEY_TOKEN_FILE_H
#define VOLLEY_TOKEN_FILE_H

#include "scheduler/error.h"

#include <stddef.h>
#include <stdint.h>

/* Reads the ids of a file: whole numbers below 2^32 in decimal, with white space or one comma
 * between them. A file without any gives a count of 0. *tokens [*count] comes from malloc and is
 * the caller's, NULL if this fails; it is read in pieces, so that nothing but the ids is held. */
bool token_file_read(const char *path, uint32_t **tokens, size_t *count, struct error *error);

#endif
