/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `volley run`: finds out what kind of model it is and hands over. */
#include "sim/run.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sim/model_file.h"

bool run_trace_level(const char *name, enum trace_level *level, struct error *error)
{
    static const char *const names[] = {"summary", "volley", "spike"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) {
            *level = (enum trace_level)i;
            return true;
        }
    return error_set(error, ERROR_MISUSED, "--trace-level is summary, volley or spike, not '%s'",
                     name);
}

bool run_range(const char *option, const char *text, int64_t *first, int64_t *last,
               struct error *error)
{
    *first = 0;
    *last = INT64_MAX;
    if (text == NULL)
        return true;
    char *end = NULL;
    errno = 0;
    if (*text != ':')
        *first = strtoll(text, &end, 10);
    const char *colon = end != NULL ? end : text;
    if (*colon == ':' && colon[1] != '\0')
        *last = strtoll(colon + 1, &end, 10);
    else
        end = (char *)(uintptr_t)colon + (*colon == ':');
    if (*colon != ':' || *end != '\0' || errno != 0 || *first < 0 || *last <= *first)
        return error_set(error, ERROR_MISUSED,
                         "%s takes A:B, from A up to but not including B, not '%s'", option, text);
    return true;
}

struct report *run_report(const struct tally *tally, const struct run_facts *facts,
                          const char *status, double seconds, const char *trace,
                          struct references *references, struct error *error)
{
    struct report *report = report_from_tally(tally, facts, status, seconds, error);
    struct load *load = report != NULL ? load_from_tally(tally, facts->sampled, error) : NULL;
    bool done = load != NULL && references_of(load, references, error);
    load_free(load);
    if (done && trace != NULL && (report->trace = strdup(trace)) == NULL)
        done = error_no_memory(error, "the report");
    if (!done) {
        report_free(report);
        return NULL;
    }
    return report;
}

uint64_t run_memory(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss * 1024;
}

char *run_command_line(int argc, char **argv)
{
    size_t length = sizeof "volley";
    for (int i = 0; i < argc; i++)
        length += strlen(argv[i]) + 1;
    char *command = malloc(length);
    if (command == NULL)
        return NULL;
    strcpy(command, "volley");
    for (int i = 0; i < argc; i++)
        strcat(strcat(command, " "), argv[i]);
    return command;
}

static bool asks_for_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

/* A folder that holds no language model but networks: the first of them, to be suggested. */
static bool find_network(const char *folder, char *path, size_t room)
{
    char config[PATH_MAX];
    glob_t found;
    snprintf(config, sizeof config, "%s/config.json", folder);
    snprintf(path, room, "%s/*.[jn][si][or]*", folder);
    if (access(config, F_OK) == 0 || glob(path, 0, NULL, &found) != 0)
        return false;
    bool any = false;
    for (size_t i = 0; !any && i < found.gl_pathc; i++) {
        any = model_file_is_network(found.gl_pathv[i]);
        snprintf(path, room, "%s", found.gl_pathv[i]);
    }
    globfree(&found);
    return any;
}

static int run_main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (asks_for_help(argv[i])) {
            options_print_usage(stdout, &command_run);
            printf("MODEL is a folder with a language model (safetensors or .bin files), or\n"
                   "what volley pack made of it:\n\n");
            run_language(argc, argv);
            printf("\nor a file with a spiking network (.json, or .nir):\n\n");
            return run_network(argc, argv);
        }
    for (int i = 1; i < argc; i++) {
        bool is_input = strcmp(argv[i - 1], "--input") == 0 || strcmp(argv[i - 1], "--output") == 0;
        if (!is_input && *argv[i] != '-' && model_file_is_network(argv[i]))
            return run_network(argc, argv);
    }
    char network[PATH_MAX];
    if (argc > 1 && find_network(argv[1], network, sizeof network)) {
        struct error error = {0};
        error_set(&error, ERROR_MISUSED,
                  "%s is a folder without a language model; did you mean %s?", argv[1], network);
        return command_failed(&error);
    }
    return run_language(argc, argv);
}

const struct command command_run = {
    .name = "run",
    .arguments = "MODEL [OPTION …]",
    .summary = "Runs a model through spikes and prints what fired, and what it would cost.",
    .run = run_main,
};
