/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What `volley encode` is asked to encode: the chosen part of a file, channel by channel.
 */
#ifndef VOLLEY_ENCODE_INPUT_H
#define VOLLEY_ENCODE_INPUT_H

#include "scheduler/error.h"

#include <stddef.h>
#include <stdint.h>

struct encode_input_options {
    const char *channels; /* N or A:B; NULL: all */
    const char *samples;  /* A:B, in time; of images: which of them; NULL: all */
    double interval;      /* seconds from one value to the next; 0: as the file says */
    bool timeless;        /* arrays: no axis is time, rows are samples */
};

struct encode_input {
    bool timeless;          /* values without time: one channel, sample after sample */
    double *values;         /* [channels][length], owned */
    uint32_t channels;
    uint32_t first_channel; /* number in the file of the first */
    size_t length;          /* of a channel */
    uint64_t row;           /* timeless: values of one sample; else 1 */
    uint64_t first;         /* number in the file of the first value (timeless: sample) */
    double interval_seconds; /* 0: not known */
};

/* Reads a NumPy array, a sound, images, or a table of numbers as text (.csv, .tsv, .txt). False with
 * error, and nothing to free. */
bool encode_input_read(struct encode_input *input, const char *path,
                       const struct encode_input_options *options, struct error *error);
void encode_input_free(struct encode_input *input); /* also one that is all zero */

/* Numbers in rows and columns. */
struct number_table {
    double *values; /* [rows][columns], owned */
    uint64_t rows;
    uint32_t columns;
};

/* A table of numbers as text: a line is a time, a column a channel; between numbers stand commas,
 * semicolons, tabs or spaces. A first line that begins with no number names the columns; empty lines
 * and lines that begin with # are passed over. */
bool number_table_read(struct number_table *table, const char *path, struct error *error);

#endif
