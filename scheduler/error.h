/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Errors are values. A function that can fail returns whether it succeeded
 * and, if not, has filled a struct error with one sentence that names the
 * file, the place in it, what is wrong and, where there is one, the remedy.
 * Nothing in the library prints or exits; the program shows the sentence and
 * ends with the code.
 */
#ifndef VOLLEY_ERROR_H
#define VOLLEY_ERROR_H

#include <stdbool.h>

enum error_code {
    ERROR_NONE = 0,
    ERROR_FAILED = 1, /* the work could not be done */
    ERROR_MISUSED = 2 /* what was asked for or handed in is wrong */
};

struct error {
    enum error_code code;
    char text[1024]; /* one sentence, no newline */
};

/* Fills `error` (which may be NULL) unless it already holds an error, and
 * returns false, so that a caller can write `return error_set(...)`. */
bool error_set(struct error *error, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "PLACE: ", the place made by `format`, before the sentence of an error that has been set,
 * and returns false. */
bool error_within(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The sentence for memory that could not be had; returns false. */
bool error_no_memory(struct error *error, const char *what);

#endif
