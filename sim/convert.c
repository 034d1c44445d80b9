/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `volley convert`: a spiking network of any form as a native document. */
#include "sim/model_file.h"

#include <unistd.h>

#include "neurons/expand.h"
#include "neurons/import/native/native.h"

static bool expand(struct blueprint *blueprint, struct error *error)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct workers *workers = workers_new(cores > 0 ? (uint32_t)cores : 1, error);
    bool done = workers != NULL && blueprint_expand(blueprint, workers, error);
    workers_free(workers);
    return done;
}

static int convert_main(int argc, char **argv)
{
    struct model_file_options file = MODEL_FILE_DEFAULTS;
    bool expands = false;
    const struct option_line lines[] = {
        {"expand", NULL, "write out every synapse and number that rules would draw", OPTION_FLAG,
         &expands, 0, 0},
        MODEL_FILE_OPTIONS(&file),
    };
    const size_t length = sizeof lines / sizeof *lines;
    const char *paths[2];
    size_t count = 0;
    bool help = false;
    struct error error = {0};
    if (!options_parse(argc, argv, lines, length, paths, 2, &count, &help, &error))
        return command_failed(&error);
    if (help) {
        options_print_help(stdout, &command_convert, lines, length, NULL);
        return 0;
    }
    if (count != 2) {
        error_set(&error, ERROR_MISUSED,
                  "which network, and to which file? See volley convert --help");
        return command_failed(&error);
    }
    struct blueprint *blueprint = model_file_open(paths[0], &file, &error);
    bool done = blueprint != NULL;
    for (uint32_t i = 0; done && i < blueprint->warning_count; i++)
        fprintf(stderr, "volley: %s\n", blueprint->warnings[i]);
    done = done && (!expands || expand(blueprint, &error)) &&
           native_write(blueprint, paths[1], &error);
    blueprint_free(blueprint);
    return done ? 0 : command_failed(&error);
}

const struct command command_convert = {
    .name = "convert",
    .arguments = "NETWORK NEW.json [OPTION …]",
    .summary = "Writes a spiking network, of NIR or of its own kind, as a native document.",
    .run = convert_main,
};
