/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `volley make-model`: a checkpoint of a published shape with random weights. */
#include "sim/live.h"
#include "sim/make_model/fill.h"
#include "sim/options.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_LAYERS = 4096, MOST_WINDOW = 1 << 24, MOST_THREADS = 64, KEEP_FREE = 16 << 20 };

struct making {
    const char *out, *like, *format, *attn_layers;
    int64_t layers, window, seed, threads, shard_bytes; /* 0: as the model has, or the format */
    bool quiet;

    struct checkpoint_shape shape;
    struct checkpoint checkpoint;
    struct numbers *numbers;
    struct fill fill;
    struct folder folder;
    double start;
    struct error error;
};

static bool read_word(const char *option, const char *text, const char *first, const char *second,
                      bool *is_second, struct error *error)
{
    *is_second = strcmp(text, second) == 0;
    return *is_second || strcmp(text, first) == 0 ||
           error_set(error, ERROR_MISUSED, "--%s takes %s or %s, not '%.60s'", option, first,
                     second, text);
}

static bool read_options(struct making *making)
{
    struct checkpoint_shape *shape = &making->shape;
    struct error *error = &making->error;
    if (making->like == NULL)
        return error_set(error, ERROR_MISUSED, "like which model? --like spikingbrain-7b or tiny");
    if (!checkpoint_find_shape(making->like, shape, error) ||
        !read_word("format", making->format, "w8aspike", "base", &shape->base, error) ||
        !read_word("attn-layers", making->attn_layers, "odd", "all", &shape->all_window, error))
        return false;
    if (making->layers > 0)
        shape->layers = (uint32_t)making->layers;
    if (making->window > 0)
        shape->window = (uint32_t)making->window;
    if (making->shard_bytes == 0) /* which give as many shards as are published */
        making->shard_bytes = shape->base ? INT64_C(1) << 30 : INT64_C(5000000000);
    return true;
}

static bool plan(struct making *making)
{
    struct error *error = &making->error;
    if (!read_options(making) || !checkpoint_plan(&making->checkpoint, &making->shape, error) ||
        !fill_plan(&making->fill, &making->checkpoint, (uint64_t)making->shard_bytes, error))
        return false;
    making->numbers = malloc(sizeof *making->numbers);
    if (making->numbers == NULL)
        return error_no_memory(error, "tables of random numbers");
    numbers_prepare(making->numbers, (uint64_t)making->seed);
    making->fill.numbers = making->numbers;
    making->fill.workers = workers_new((uint32_t)making->threads, error);
    return making->fill.workers != NULL;
}

static bool run_fill(void *self)
{
    struct making *making = self;
    struct fill *fill = &making->fill;
    if (!folder_begin(&making->folder, making->out, fill->bytes + KEEP_FREE, &making->error))
        return false;
    if (!fill_run(fill, &making->folder, &making->error))
        return making->error.code == ERROR_NONE; /* it was stopped */
    return atomic_load(&fill->stop) != 0 || folder_finish(&making->folder, &making->error);
}

static void describe(void *self, char *line, size_t room)
{
    struct making *making = self;
    double done = (double)atomic_load(&making->fill.done), total = (double)making->fill.bytes;
    double seconds = seconds_now() - making->start;
    snprintf(line, room, "writing, %.2f of %.2f GB, %.0f MB/s, %.0f s to go", done * 1e-9,
             total * 1e-9, done * 1e-6 / seconds, done > 0 ? seconds * (total / done - 1) : 0);
}

static void print_summary(const struct making *making, double seconds)
{
    const struct fill *fill = &making->fill;
    const struct checkpoint *checkpoint = &making->checkpoint;
    printf("%s: %u layers, %zu tensors, %llu numbers, %.3f GB in %zu file%s; %.1f s, %.0f MB/s\n",
           making->folder.path, checkpoint->shape.layers, checkpoint->length,
           (unsigned long long)checkpoint->elements, (double)fill->bytes * 1e-9, fill->shard_count,
           fill->shard_count == 1 ? "" : "s", seconds, (double)fill->bytes * 1e-6 / seconds);
}

/* The exit code. */
static int perform(struct making *making)
{
    if (!plan(making))
        return command_failed(&making->error);
    const struct live_task task = {.self = making,
                                   .run = run_fill,
                                   .describe = describe,
                                   .stop = &making->fill.stop,
                                   .stopping = "removing what is not whole",
                                   .error = &making->error};
    const struct live_options live = {.quiet = making->quiet};
    int signal_number = 0;
    making->start = seconds_now();
    if (!live_run(&task, &live, &signal_number))
        return command_failed(&making->error);
    if (making->folder.partial != NULL)
        return 128 + signal_number;
    print_summary(making, seconds_now() - making->start);
    if (fflush(stdout) == 0)
        return 0;
    error_set(&making->error, ERROR_FAILED, "standard output cannot be written");
    return command_failed(&making->error);
}

static void release(struct making *making)
{
    folder_abandon(&making->folder);
    workers_free(making->fill.workers);
    fill_free(&making->fill);
    checkpoint_free(&making->checkpoint);
    free(making->numbers);
}

static int make_model_main(int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct making making = {.format = "w8aspike",
                            .attn_layers = "odd",
                            .threads = cores < 1              ? 1
                                       : cores < MOST_THREADS ? cores
                                                              : MOST_THREADS,
                            .folder = {.handle = -1}};
    const struct option_line lines[] = {
        {"like", "NAME", "spikingbrain-7b or tiny", OPTION_TEXT, &making.like, 0, 0},
        {"layers", "N", "default: as many as that model has", OPTION_INTEGER, &making.layers, 1,
         MOST_LAYERS},
        {"format", "NAME", "w8aspike (default): F32 with scales; base: bf16", OPTION_TEXT,
         &making.format, 0, 0},
        {"attn-layers", "WHICH", "odd (default) or all have sliding windows", OPTION_TEXT,
         &making.attn_layers, 0, 0},
        {"window", "N", "keys that such a layer sees, itself included", OPTION_INTEGER,
         &making.window, 1, MOST_WINDOW},
        {"shard-bytes", "N", "most in a file (default 5 GB; base: 1 GiB)", OPTION_INTEGER,
         &making.shard_bytes, 1, 1e15},
        {"seed", "N", "of the random weights (default 0)", OPTION_INTEGER, &making.seed, 0, 9e18},
        {"threads", "N", "default: all cores; any number gives the same bits", OPTION_INTEGER,
         &making.threads, 1, MOST_THREADS},
        {"quiet", NULL, "no progress on standard error", OPTION_FLAG, &making.quiet, 0, 0},
    };
    const size_t length = sizeof lines / sizeof *lines;
    size_t count = 0;
    bool help = false;
    int code = 0;
    if (!options_parse(argc, argv, lines, length, &making.out, 1, &count, &help, &making.error))
        return command_failed(&making.error);
    if (help) {
        options_print_help(stdout, &command_make_model, lines, length,
                           "There is no tokenizer with it: run it with --tokens. All of "
                           "spikingbrain-7b\nhas 30.8 GB, or 15.2 GB as base.\n");
        return 0;
    }
    if (count != 1) {
        error_set(&making.error, ERROR_MISUSED, "to which folder? See volley make-model --help");
        return command_failed(&making.error);
    }
    signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is an error like a full disk */
    code = perform(&making);
    release(&making);
    return code;
}

const struct command command_make_model = {
    .name = "make-model",
    .arguments = "FOLDER --like NAME [OPTION …]",
    .summary = "Writes a checkpoint of a known shape with random weights.",
    .run = make_model_main,
};
