/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A regular file, mapped read-only. What it holds may be hostile; whoever
 * reads it checks every byte it relies on against `length`. A file that is
 * cut short by someone else while it is mapped is not guarded against.
 */
#ifndef VOLLEY_MAPPING_H
#define VOLLEY_MAPPING_H

#include "scheduler/error.h"

#include <stddef.h>

struct mapping {
    const unsigned char *bytes; /* [length]; never NULL once open */
    size_t length;
};

/* Maps `path`. Fails as misused if there is no such file, and as failed if it
 * cannot be read, is no regular file, or has more than `limit` bytes. */
bool mapping_open(struct mapping *mapping, const char *path, size_t limit, struct error *error);

/* Unmaps; does nothing to a mapping that is all zero. */
void mapping_close(struct mapping *mapping);

#endif
