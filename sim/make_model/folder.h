/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A folder that appears under its name only when it is whole: until then its files lie in a folder
 * beside it, PATH.PID.part, which is removed again if the work fails.
 */
#ifndef VOLLEY_FOLDER_H
#define VOLLEY_FOLDER_H

#include "scheduler/error.h"

#include <stdint.h>

struct folder {
    char *path;     /* where it will be */
    char *partial;  /* where it is; NULL once it is whole, or removed */
    int handle;     /* of the partial folder; -1: not open */
    bool was_there; /* as an empty folder */
};

/* Makes the partial folder. Refuses a path where there is something other than an empty folder, and
 * a disk that has less than `bytes` free. What has been begun must be ended by folder_finish or
 * folder_abandon, also after an error. */
bool folder_begin(struct folder *folder, const char *path, uint64_t bytes, struct error *error);

/* A new file in it; -1 with `error` filled. */
int folder_create(const struct folder *folder, const char *name, struct error *error);

/* A whole text file. */
bool folder_write_text(const struct folder *folder, const char *name, const char *text,
                       struct error *error);

/* Sees that it is on the disk, and gives it its name. */
bool folder_finish(struct folder *folder, struct error *error);

/* Removes what is not whole, and frees what the struct holds. */
void folder_abandon(struct folder *folder);

#endif
