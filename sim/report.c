/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `volley report`: the screen of figures again, from a trace alone. */
#include "sim/options.h"
#include "sim/screen.h"

static int report_main(int argc, char **argv)
{
    int64_t run = 0;
    bool json = false, help = false;
    const struct option_line lines[] = {
        {"run", "N", "which run in the file (default: the newest)", OPTION_INTEGER, &run, 1, 9e15},
        {"json", NULL, "figures as JSON", OPTION_FLAG, &json, 0, 0},
    };
    const char *path = NULL;
    size_t count = 0;
    struct error error = {0};
    if (!options_parse(argc, argv, lines, 2, &path, 1, &count, &help, &error))
        return command_failed(&error);
    if (help) {
        options_print_help(stdout, &command_report, lines, 2, NULL);
        return 0;
    }
    if (count != 1) {
        error_set(&error, ERROR_MISUSED, "which trace? See volley report --help");
        return command_failed(&error);
    }
    struct report *report = report_from_file(path, run, &error);
    if (report == NULL)
        return command_failed(&error);
    bool printed = true;
    if (json)
        printed = screen_print_json(stdout, report, NULL, &error);
    else
        screen_print(stdout, report);
    report_free(report);
    if (printed && fflush(stdout) != 0)
        printed = error_set(&error, ERROR_FAILED, "standard output cannot be written");
    return printed ? 0 : command_failed(&error);
}

const struct command command_report = {
    .name = "report",
    .arguments = "TRACE.db [OPTION …]",
    .summary = "Prints the figures of a run again, from its trace alone.",
    .run = report_main,
};
