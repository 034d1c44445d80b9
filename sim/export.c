/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `volley export`: what a trace holds, in other programs' formats. */
#include "sim/options.h"
#include "traces/trace.h"

static int export_main(int argc, char **argv)
{
    int64_t run = 0;
    const char *spikes = NULL, *path = NULL;
    bool help = false;
    const struct option_line lines[] = {
        {"spikes", "FILE.csv", "tick,population,neuron,payload of every spike; - is standard output",
         OPTION_TEXT, &spikes, 0, 0},
        {"run", "N", "which run in the file (default: the newest)", OPTION_INTEGER, &run, 1, 9e15},
    };
    size_t count = 0;
    struct error error = {0};
    if (!options_parse(argc, argv, lines, 2, &path, 1, &count, &help, &error))
        return command_failed(&error);
    if (help) {
        options_print_help(stdout, &command_export, lines, 2,
                           "The trace must have been made with --trace-level spike.\n");
        return 0;
    }
    if (count != 1 || spikes == NULL) {
        error_set(&error, ERROR_MISUSED,
                  "a trace and --spikes FILE.csv are needed; see volley export --help");
        return command_failed(&error);
    }
    uint64_t written;
    if (!export_spikes(path, run, spikes, &written, &error))
        return command_failed(&error);
    fprintf(stderr, "volley: %llu spikes written to %s\n", (unsigned long long)written, spikes);
    return 0;
}

const struct command command_export = {
    .name = "export",
    .arguments = "TRACE.db --spikes FILE.csv [OPTION …]",
    .summary = "Writes the spikes of a traced run as CSV.",
    .run = export_main,
};
