/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The plotting program, gnuplot: a process that is started without a shell, reads a script and
 * gives a picture, both in memory.
 */
#ifndef VOLLEY_PLOT_PROGRAM_H
#define VOLLEY_PLOT_PROGRAM_H

#include "scheduler/error.h"

#include <stdio.h>

/* A file in memory to write a script to. NULL with error. */
FILE *program_script(struct error *error);

/* Runs gnuplot on the script. The picture as a file in memory, to be read from its beginning; NULL
 * with error: gnuplot's own words, as one sentence. */
FILE *program_draw(FILE *script, struct error *error);

/* Writes the picture to `path`, where it appears when it is complete; NULL: standard output. */
bool program_write(FILE *picture, const char *path, struct error *error);

#endif
