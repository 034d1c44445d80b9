/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The program: finds the command and hands over. */
#include "config.h"
#include "sim/options.h"

#include <string.h>

static const struct command *const commands[] = {
    &command_run,
    &command_report,
    &command_energy,
    &command_chips,
    &command_encode,
    &command_sweep,
    &command_allocate,
    &command_plot,
    &command_inspect,
    &command_convert,
    &command_pack,
    &command_export,
    &command_make_model,
};

static void print_help(FILE *out)
{
    fprintf(out, "Volley runs spiking networks event by event and accounts for every spike.\n\n"
                 "Usage: volley COMMAND …\n\n");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(out, "  %-11s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(out, "\n  volley COMMAND --help   options of a command\n"
                 "  volley --version        version\n\n"
                 "Results go to standard output, progress and messages to standard error.\n"
                 "Exit codes: 0 done, 1 failed, 2 misused, 130 or 143 stopped by a signal.\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("volley %s\n", PACKAGE_VERSION);
        return 0;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i]->name) == 0)
            return commands[i]->run(argc - 1, argv + 1);
    struct error error = {0};
    error_set(&error, ERROR_MISUSED, "unknown command '%s'; see volley --help", argv[1]);
    return command_failed(&error);
}
