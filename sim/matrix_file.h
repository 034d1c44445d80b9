/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writes a matrix of float32 or float64 row by row as a NumPy .npy file (version 1.0). The
 * file takes its name when it is complete; until then it is NAME.part.
 */
#ifndef VOLLEY_MATRIX_FILE_H
#define VOLLEY_MATRIX_FILE_H

#include "scheduler/error.h"

#include <stdint.h>

struct matrix_file;

/* `wide`: float64. */
struct matrix_file *matrix_file_open(const char *path, uint32_t columns, bool wide,
                                     struct error *error);
bool matrix_file_add(struct matrix_file *file, const double *row, struct error *error);
/* Completes the file, or with `keep` false removes it. Frees in either case. */
bool matrix_file_close(struct matrix_file *file, bool keep, struct error *error);

#endif
