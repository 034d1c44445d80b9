/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/matrix_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEADER = 128
}; /* magic, version, length and text: fixed, so that the shape can be filled in last */

struct matrix_file {
    FILE *out;
    char *path, *part;
    uint32_t columns;
    bool wide;
    uint64_t rows;
    float *row; /* [columns] */
};

static bool write_header(struct matrix_file *file)
{
    char header[HEADER + 1];
    memset(header, ' ', HEADER);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = HEADER - 10;
    header[9] = 0;
    int length = snprintf(header + 10, HEADER - 10,
                          "{'descr': '<f%d', 'fortran_order': False, 'shape': (%llu, %u), }",
                          file->wide ? 8 : 4, (unsigned long long)file->rows, file->columns);
    header[10 + length] = ' ';
    header[HEADER - 1] = '\n';
    return fseek(file->out, 0, SEEK_SET) == 0 && fwrite(header, 1, HEADER, file->out) == HEADER;
}

static void release(struct matrix_file *file)
{
    if (file->out != NULL)
        fclose(file->out);
    free(file->path);
    free(file->part);
    free(file->row);
    free(file);
}

struct matrix_file *matrix_file_open(const char *path, uint32_t columns, bool wide,
                                     struct error *error)
{
    struct matrix_file *file = calloc(1, sizeof *file);
    if (file == NULL) {
        error_no_memory(error, path);
        return NULL;
    }
    file->columns = columns;
    file->wide = wide;
    file->path = strdup(path);
    file->row = malloc(columns * sizeof *file->row);
    if (asprintf(&file->part, "%s.part", path) < 0)
        file->part = NULL;
    if (file->path == NULL || file->part == NULL || file->row == NULL) {
        error_no_memory(error, path);
        release(file);
        return NULL;
    }
    file->out = fopen(file->part, "wb");
    if (file->out == NULL || !write_header(file)) {
        error_set(error, ERROR_MISUSED, "%s: cannot be written: %s", path, strerror(errno));
        release(file);
        return NULL;
    }
    return file;
}

bool matrix_file_add(struct matrix_file *file, const double *row, struct error *error)
{
    for (uint32_t i = 0; i < file->columns && !file->wide; i++)
        file->row[i] = (float)row[i];
    const void *bytes = file->wide ? (const void *)row : file->row;
    size_t width = file->wide ? sizeof *row : sizeof *file->row;
    if (fwrite(bytes, width, file->columns, file->out) != file->columns)
        return error_set(error, ERROR_FAILED, "%s: cannot be written: %s", file->path,
                         strerror(errno));
    file->rows++;
    return true;
}

bool matrix_file_close(struct matrix_file *file, bool keep, struct error *error)
{
    if (file == NULL)
        return true;
    bool complete = keep && write_header(file);
    complete = fclose(file->out) == 0 && complete;
    file->out = NULL;
    complete = complete && rename(file->part, file->path) == 0;
    if (keep && !complete)
        error_set(error, ERROR_FAILED, "%s: cannot be written: %s", file->path, strerror(errno));
    if (!complete)
        remove(file->part);
    release(file);
    return complete || !keep;
}
