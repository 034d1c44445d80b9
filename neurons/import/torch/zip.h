/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A zip file in memory, and where its stored entries lie in it. Nothing is
 * copied and nothing unpacked.
 */
#ifndef VOLLEY_ZIP_H
#define VOLLEY_ZIP_H

#include "scheduler/error.h"

#include <stddef.h>
#include <stdint.h>

struct zip_entry {
    const char *name;     /* [name_length], in the file, ends with no zero */
    uint32_t name_length;
    uint16_t method;      /* 0: stored */
    uint16_t flags;
    uint64_t length;      /* in bytes, as it lies in the file */
    uint64_t local;       /* offset of its local header; not checked yet */
};

struct zip {
    const char *path;           /* for sentences; the caller's */
    const unsigned char *bytes; /* [length], the caller's */
    size_t length;
    const unsigned char *directory; /* [directory_length], in the file */
    size_t directory_length;
    struct zip_entry *entries;  /* [count], sorted by name; no name is there twice */
    size_t count;
};

/* Reads the directory of the zip file `bytes`, which must outlive the zip, as `path` must. The
 * list of entries takes at most a little more memory than the directory. */
bool zip_open(struct zip *zip, const char *path, const void *bytes, size_t length,
              struct error *error);
/* Does nothing to one that is all zero. */
void zip_close(struct zip *zip);

/* NULL if there is none of that name. */
const struct zip_entry *zip_find(const struct zip *zip, const char *name, size_t length);

/* Sets *bytes to where the entry lies, `entry->length` bytes inside the file. Fails if it is
 * compressed or encrypted, or if its local header is not where the directory says. */
bool zip_entry_locate(const struct zip *zip, const struct zip_entry *entry,
                      const unsigned char **bytes, struct error *error);

#endif
