/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `volley pack`: writes a language model in the form in which it runs. */
#include "sim/options.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "neurons/import/packed.h"
#include "neurons/import/spikingbrain.h"
#include "sim/inspect.h"
#include "sim/live.h"

/* The work, on a thread of its own. */
struct pack {
    const char *folder, *path;
    struct packing_options options;
    struct packing packing;
    struct error error;
};

static bool run_pack(void *self)
{
    struct pack *pack = self;
    return packed_write(pack->folder, pack->path, &pack->options, &pack->packing, &pack->error);
}

static void describe(void *self, char *line, size_t room)
{
    struct pack *pack = self;
    char done[32], total[32];
    uint64_t written = atomic_load(&pack->packing.done), all = atomic_load(&pack->packing.total);
    snprintf(line, room, "packing, %s of %s", inspect_sized(written < all ? written : all, done),
             inspect_sized(all, total));
}

static int perform(struct pack *pack, bool quiet)
{
    const struct live_task task = {.self = pack,
                                   .run = run_pack,
                                   .describe = describe,
                                   .stop = &pack->packing.stop,
                                   .stopping = "this weight",
                                   .error = &pack->error};
    const struct live_options live = {.quiet = quiet};
    int signal_number = 0;
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of writing */
    bool done = live_run(&task, &live, &signal_number);
    if (pack->error.code != ERROR_NONE)
        return command_failed(&pack->error);
    if (!done)
        return 128 + signal_number;
    struct stat status;
    char size[32];
    uint64_t bytes = stat(pack->path, &status) == 0 ? (uint64_t)status.st_size : 0;
    printf("%s: %s, a threshold for each %s, down-proj %s (volley run %s)\n", pack->path,
           inspect_sized(bytes, size), spikingbrain_threshold_name(pack->options.rules->threshold),
           pack->options.rules->down_proj_spikes ? "paper" : "repo", pack->path);
    if (fflush(stdout) == 0)
        return 0;
    error_set(&pack->error, ERROR_FAILED, "standard output cannot be written");
    return command_failed(&pack->error);
}

/* The network it is for. */
static bool find_rules(const char *threshold, const char *down_proj,
                       struct spikingbrain_options *rules, struct error *error)
{
    bool paper = strcmp(down_proj, "paper") == 0;
    if (!paper && strcmp(down_proj, "repo") != 0)
        return error_set(error, ERROR_MISUSED, "--down-proj is paper or repo, not '%s'", down_proj);
    *rules = (struct spikingbrain_options){
        .coding = coding_find("bitwise", NULL), .k = 3, .down_proj_spikes = paper, .lanes = 1};
    return spikingbrain_find_threshold(threshold, &rules->threshold, error);
}

static int pack_main(int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t threads = cores > 0 ? cores : 1, table_bits = 32;
    const char *threshold = "token", *down_proj = "paper", *paths[2] = {NULL, NULL};
    bool quiet = false, help = false;
    const struct option_line lines[] = {
        {"threshold", "SPAN", "of the runs: one per token (default), group of 128 or head",
         OPTION_TEXT, &threshold, 0, 0},
        {"down-proj", "MODE", "of the runs: paper, its input spikes (default), or repo",
         OPTION_TEXT, &down_proj, 0, 0},
        {"table-bits", "N", "embedding and head: 32, as they are (default), or 16: BF16",
         OPTION_INTEGER, &table_bits, 16, 32},
        {"threads", "N", "default: all cores; any number gives the same file", OPTION_INTEGER,
         &threads, 1, 1024},
        {"quiet", NULL, "no progress on standard error", OPTION_FLAG, &quiet, 0, 0},
    };
    const size_t length = sizeof lines / sizeof *lines;
    size_t count = 0;
    struct error error = {0};
    struct spikingbrain_options rules;
    if (!options_parse(argc, argv, lines, length, paths, 2, &count, &help, &error))
        return command_failed(&error);
    if (help) {
        options_print_help(stdout, &command_pack, lines, length,
                           "MODEL is the folder of a SpikingBrain checkpoint. OUT.volley is a "
                           "safetensors file\nof all that a run needs; volley run OUT.volley maps "
                           "it and starts at once.\n");
        return 0;
    }
    if (count != 2)
        error_set(&error, ERROR_MISUSED, "which model, and to which file? See volley pack --help");
    else if (table_bits != 16 && table_bits != 32)
        error_set(&error, ERROR_MISUSED, "--table-bits is 32 or 16, not %d", (int)table_bits);
    else
        find_rules(threshold, down_proj, &rules, &error);
    if (error.code == ERROR_NONE)
        rules.workers = workers_new((uint32_t)threads, &error);
    if (error.code != ERROR_NONE)
        return command_failed(&error);
    struct pack pack = {.folder = paths[0],
                        .path = paths[1],
                        .options = {.rules = &rules, .table_bits = (uint32_t)table_bits}};
    int code = perform(&pack, quiet);
    workers_free(rules.workers);
    return code;
}

const struct command command_pack = {
    .name = "pack",
    .arguments = "MODEL OUT.volley [OPTION …]",
    .summary = "Writes a language model in the form in which it runs, to start at once.",
    .run = pack_main,
};
