/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Command-line options, declared in one table per command: the table parses
 * the arguments and writes the help.
 */
#ifndef VOLLEY_OPTIONS_H
#define VOLLEY_OPTIONS_H

#include "scheduler/error.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct option_line {
    const char *name;     /* without the dashes; -o is short for "output" */
    const char *argument; /* shown in the help; NULL for a flag */
    const char *help;
    enum { OPTION_FLAG, OPTION_TEXT, OPTION_INTEGER, OPTION_NUMBER } kind;
    void *value; /* bool, const char *, int64_t or double */
    double low, high; /* range of numbers */
};

struct command {
    const char *name;
    const char *arguments; /* shown in the usage line */
    const char *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};

/* The commands, each in a file of its own; main.c lists them. */
extern const struct command command_run, command_report, command_inspect, command_export,
    command_convert, command_energy, command_chips, command_encode, command_sweep, command_allocate,
    command_plot, command_make_model, command_pack;

/* Parses argv[1 …]. Arguments that are not options go to `arguments` (at most
 * `limit`), *count says how many. *help is set for --help. */
bool options_parse(int argc, char **argv, const struct option_line *lines, size_t length,
                   const char **arguments, size_t limit, size_t *count, bool *help,
                   struct error *error);

/* Parts of that: how to call the command, and the list of options. */
void options_print_usage(FILE *out, const struct command *command);
void options_print_list(FILE *out, const struct option_line *lines, size_t length);

void options_print_help(FILE *out, const struct command *command, const struct option_line *lines,
                        size_t length, const char *notes);

/* Prints the sentence on standard error and returns the exit code. */
int command_failed(const struct error *error);

#endif
