/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Trying something in a process of its own first, for libraries that a damaged file can bring down.
 *
 * HDF5 is one: of files with a few bits changed, some end in a crash or a loop within the library.
 * So a file from outside is read once in a child that may die of it, and only if that went
 * well for good, in this process. What the child does must depend on nothing but the file.
 */
#ifndef VOLLEY_GUARD_H
#define VOLLEY_GUARD_H

#include "scheduler/error.h"

#include <stddef.h>

/* Calls `attempt` in a child process, which may use `seconds` of processor time. False if it
 * failed, with its error, or did not come back, with one sentence naming the file. Nothing else
 * that it does is seen here. Where no process can be made, nothing is tried. */
bool guard_try(bool (*attempt)(void *data, struct error *error), void *data, const char *path,
               size_t seconds, struct error *error);

#endif
