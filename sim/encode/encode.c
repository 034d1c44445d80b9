/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `volley encode`: encodes a signal or images by schemes, decodes them from the spikes alone, and
 * says side by side what was kept and what it took.
 *
 * Everything that can be found wrong with what was asked for is found before anything is encoded;
 * files are written before figures are shown, so that what is shown can be queried.
 */
#include "sim/encode/encode.h"

#include <stdlib.h>
#include <string.h>

#include "sim/options.h"
#include "sim/run.h"

struct encode_options {
    const char *scheme, *tune, *range, *reconstruct, *chip, *trace;
    int64_t seed;
    bool list, channels, json, csv;
    struct encode_input_options input;
};

struct encode_run {
    struct encode_options options;
    const char *path; /* with --list: a scheme's name, or NULL */
    char *command;
    struct encode_study study;
    struct error error;
};

/* ---- what was asked for ---- */

static bool read_goal(struct encode_run *run)
{
    static const char *const names[] = {"snr", "information"};
    static const enum quality_goal goals[] = {TUNE_SNR, TUNE_INFORMATION_PER_SPIKE};
    const char *name = run->options.tune;
    for (int i = 0; name != NULL && i < 2; i++)
        if (strcmp(name, names[i]) == 0)
            run->study.goal = (struct encode_goal){.tunes = true, .goal = goals[i]};
    return name == NULL || run->study.goal.tunes ||
           error_set(&run->error, ERROR_MISUSED, "--tune is snr or information, not '%.60s'",
                     name);
}

static bool read_options(struct encode_run *run)
{
    const struct encode_options *o = &run->options;
    struct encode_study *study = &run->study;
    if (o->json && o->csv)
        return error_set(&run->error, ERROR_MISUSED, "--json or --csv, one only");
    if (run->path == NULL)
        return error_set(&run->error, ERROR_MISUSED,
                         "which file? See volley encode --help, or volley encode --list");
    if (o->scheme == NULL)
        return error_set(&run->error, ERROR_MISUSED,
                         "which schemes? --scheme takes names with commas between, or all; volley "
                         "encode --list shows them");
    if (!read_goal(run) || (o->trace != NULL && !encodings_check(o->trace, &run->error)))
        return false;
    study->path = run->path;
    study->seed = (uint64_t)o->seed;
    if (o->chip == NULL)
        return true;
    study->chip = chip_open(o->chip, &run->error);
    return study->chip != NULL && encode_energy_check(study->chip, &run->error);
}

/* ---- what comes out ---- */

static bool print(struct encode_run *run)
{
    bool printed = true;
    if (run->options.json)
        printed = encode_json(stdout, &run->study, &run->error);
    else if (run->options.csv)
        printed = encode_csv(stdout, &run->study, &run->error);
    else
        encode_screen(stdout, &run->study, run->options.channels);
    return printed;
}

static bool encode(struct encode_run *run)
{
    const struct encode_options *o = &run->options;
    unsigned keep = (o->trace != NULL ? KEEP_SPIKES : 0) |
                    (o->reconstruct != NULL ? KEEP_DECODED : 0);
    return read_options(run) &&
           encode_input_read(&run->study.input, run->path, &o->input, &run->error) &&
           encode_schemes_read(&run->study, o->scheme, &run->error) &&
           encode_channels_make(&run->study, o->range, &run->error) &&
           encode_measure(&run->study, keep, &run->error) &&
           encode_write(&run->study, run->command, o->trace, o->reconstruct, &run->error) &&
           print(run);
}

static bool perform(struct encode_run *run, int argc, char **argv)
{
    run->command = run_command_line(argc, argv);
    bool good = run->command != NULL || error_no_memory(&run->error, "the command line");
    if (run->options.list)
        good = good && encode_list(stdout, run->path, run->options.json, &run->error);
    else
        good = good && encode(run);
    if (good && (fflush(stdout) != 0 || ferror(stdout)))
        good = error_set(&run->error, ERROR_FAILED, "standard output cannot be written");
    encode_study_free(&run->study);
    free(run->command);
    return good;
}

static int encode_main(int argc, char **argv)
{
    struct encode_run run = {.options = {.seed = 1}};
    struct encode_options *o = &run.options;
    const struct option_line lines[] = {
        {"scheme", "SCHEMES", "all, or NAME:PARAMETER=VALUE,…,NAME,… (--list)", OPTION_TEXT,
         &o->scheme, 0, 0},
        {"list", NULL, "instead: the schemes there are, or one by its name", OPTION_FLAG,
         &o->list, 0, 0},
        {"tune", "GOAL", "look for the best parameter: snr or information", OPTION_TEXT, &o->tune,
         0, 0},
        {"channel", "N|A:B", "only this channel, or A up to B (default: all)", OPTION_TEXT,
         &o->input.channels, 0, 0},
        {"samples", "A:B", "only these values in time; of images, only these", OPTION_TEXT,
         &o->input.samples, 0, 0},
        {"range", "LOW:HIGH", "values brought to 0 and 1 (default: see below)", OPTION_TEXT,
         &o->range, 0, 0},
        {"tick", "S", "seconds from one value to the next (sounds say it)", OPTION_NUMBER,
         &o->input.interval, 1e-12, 1e12},
        {"timeless", NULL, "arrays: rows are samples, no axis is time", OPTION_FLAG,
         &o->input.timeless, 0, 0},
        {"reconstruct", "OUT.npy", "the decoded signal; of several schemes OUT-NAME.npy",
         OPTION_TEXT, &o->reconstruct, 0, 0},
        {"chip", "NAME", "energy of the spikes on this chip (volley chips)", OPTION_TEXT, &o->chip,
         0, 0},
        {"seed", "N", "of all random numbers (default: 1)", OPTION_INTEGER, &o->seed, 0, 9e15},
        {"channels", NULL, "a line for each channel, too", OPTION_FLAG, &o->channels, 0, 0},
        {"trace", "FILE.db", "add signal, spikes and figures to this trace", OPTION_TEXT, &o->trace,
         0, 0},
        {"json", NULL, "everything as JSON", OPTION_FLAG, &o->json, 0, 0},
        {"csv", NULL, "a line for each scheme and channel as CSV", OPTION_FLAG, &o->csv, 0, 0},
    };
    const size_t length = sizeof lines / sizeof *lines;
    size_t count = 0;
    bool help = false;
    bool good = options_parse(argc, argv, lines, length, &run.path, 1, &count, &help, &run.error);
    if (good && help) {
        options_print_help(
            stdout, &command_encode, lines, length,
            "FILE is a NumPy array [time][channels], a table of numbers as text (.csv), a\n"
            "sound, or IDX images, whose pixels have no time. Without --range each channel\n"
            "is scaled from its own smallest to its own largest value. --tune leaves\n"
            "parameters that are given as they are.\n");
        return 0;
    }
    good = good && perform(&run, argc, argv);
    return good ? 0 : command_failed(&run.error);
}

const struct command command_encode = {
    .name = "encode",
    .arguments = "FILE --scheme SCHEMES [OPTION …] | --list [NAME]",
    .summary = "Turns a signal into spikes by schemes side by side: what is kept, at what cost.",
    .run = encode_main,
};
