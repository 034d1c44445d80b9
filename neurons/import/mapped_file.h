/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A regular file, mapped read-only. What it holds may be hostile; whoever
 * reads it checks every byte it relies on against `length`. A file that is
 * cut short by someone else while it is mapped is not guarded against.
 */
#ifndef VOLLEY_MAPPED_FILE_H
#define VOLLEY_MAPPED_FILE_H

#include "scheduler/error.h"

#include <stddef.h>

struct mapped_file {
    const unsigned char *bytes; /* [length]; never NULL once open */
    size_t length;
};

/* Maps `path`. Fails as misused if there is no such file, and as failed if it
 * cannot be read, is no regular file, or has more than `limit` bytes. */
bool mapped_file_open(struct mapped_file *file, const char *path, size_t limit,
                      struct error *error);

/* Tells the system that [length] bytes from `begin`, which lie in the file, are not needed for now:
 * the pages wholly among them stop being resident, and come from the file again if read. */
void mapped_file_release(const struct mapped_file *file, const void *begin, size_t length);

/* Unmaps; does nothing to one that is all zero. */
void mapped_file_close(struct mapped_file *file);

#endif
