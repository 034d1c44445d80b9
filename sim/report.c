/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `volley report`: the screen of figures again, from a trace alone. */
#include "sim/options.h"
#include "sim/screen.h"

#include <stdlib.h>

#include "traces/replay.h"

/* Of a spiking network: with the statistics of its spike trains, where they are in the trace. */
static bool print_network(const char *path, const struct report *report,
                          const struct references *references, double warm_up, bool json,
                          struct error *error)
{
    struct activity_figures *activity = calloc(report->row_count + 1, sizeof *activity);
    if (activity == NULL)
        return error_no_memory(error, "the report");
    const struct activity_options options = {.start =
                                                 (int64_t)(warm_up / report->tick_seconds + 0.5)};
    bool printed = replay_activity(path, report, &options, activity, error);
    if (printed && json)
        printed = screen_network_json(stdout, report, references, activity, NULL, error);
    else if (printed)
        screen_network(stdout, report, references, activity, NULL);
    free(activity);
    return printed;
}

static int report_main(int argc, char **argv)
{
    int64_t run = 0;
    double warm_up = 0;
    bool json = false, help = false;
    const struct option_line lines[] = {
        {"run", "N", "which run in the file (default: the newest)", OPTION_INTEGER, &run, 1, 9e15},
        {"warm-up", "S", "spiking networks: seconds left out of rates and their like",
         OPTION_NUMBER, &warm_up, 0, 1e12},
        {"json", NULL, "figures as JSON", OPTION_FLAG, &json, 0, 0},
    };
    const size_t length = sizeof lines / sizeof *lines;
    const char *path = NULL;
    size_t count = 0;
    struct error error = {0};
    if (!options_parse(argc, argv, lines, length, &path, 1, &count, &help, &error))
        return command_failed(&error);
    if (help) {
        options_print_help(stdout, &command_report, lines, length, NULL);
        return 0;
    }
    if (count != 1) {
        error_set(&error, ERROR_MISUSED, "which trace? See volley report --help");
        return command_failed(&error);
    }
    struct report *report = report_from_file(path, run, &error);
    if (report == NULL)
        return command_failed(&error);
    struct references references = {0};
    struct load *load = load_from_file(path, report->run, &error);
    bool printed = load != NULL && references_of(load, &references, &error);
    if (printed && report->tick_seconds > 0)
        printed = print_network(path, report, &references, warm_up, json, &error);
    else if (printed && json)
        printed = screen_print_json(stdout, report, &references, NULL, &error);
    else if (printed)
        screen_print(stdout, report, &references);
    load_free(load);
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
