/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `volley run` of a language model: maps it to a network, runs it, and prints what was counted.
 *
 * Everything that can be found wrong is found before the first output and
 * before a file is made; what is opened is closed on every path.
 */
#include "sim/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "neurons/models/models.h"
#include "sim/live.h"
#include "sim/screen.h"
#include "sim/session.h"
#include "sim/timing.h"
#include "sim/token_file.h"
#include "traces/trace.h"

enum { DEFAULT_LANES = 128, TEXT_LIMIT = 1 << 30 };

struct run_options {
    const char *prompt, *prompt_file, *tokens, *tokens_file, *score;
    const char *coding, *down_proj, *threshold, *k_at;
    const char *trace, *trace_level, *trace_populations, *trace_tokens;
    const char *logits, *timing, *vector;
    int64_t generate, window, seed, threads, lanes, table_bits;
    double k, temperature, top_p;
    bool floating, expand, json, quiet, past_end;
};

/* All that a run holds; released together. */
struct run {
    struct run_options options;
    const char *folder;
    char *command;
    char *text; /* the prompt or the scored text */
    size_t text_length;
    uint32_t *tokens;
    size_t token_count;
    struct tokenizer *tokenizer;
    struct k_list *k_at;
    struct language_model *model;
    struct workers *workers;
    struct tally *tally;
    struct trace *trace;
    struct session session;
    struct run_facts facts;
    char *collected;   /* text, where it goes into the JSON */
    int64_t trace_run; /* id in the trace */
    struct error error;
};

/* ---- input ---- */

static bool read_text(const char *path, char **text, size_t *length, struct error *error)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return error_set(error, ERROR_MISUSED, "%s: %s", path, strerror(errno));
    size_t room = 1 << 16;
    *text = malloc(room);
    *length = 0;
    while (*text != NULL) {
        *length += fread(*text + *length, 1, room - *length, file);
        if (*length < room)
            break;
        room *= 2;
        char *grown = room <= TEXT_LIMIT ? realloc(*text, room) : NULL;
        if (grown == NULL) {
            free(*text);
            *text = NULL;
        } else {
            *text = grown;
        }
    }
    bool failed = ferror(file) != 0;
    int cause = errno;
    fclose(file);
    if (*text == NULL)
        return error_set(error, ERROR_FAILED, "%s: too long to be held in memory", path);
    return !failed || error_set(error, ERROR_FAILED, "%s: %s", path, strerror(cause));
}

static bool parse_tokens(struct run *run)
{
    const char *at = run->options.tokens;
    run->tokens = malloc((strlen(at) / 2 + 1) * sizeof *run->tokens);
    if (run->tokens == NULL)
        return error_no_memory(&run->error, "the tokens");
    while (*at != '\0') {
        char *end;
        errno = 0;
        unsigned long id = strtoul(at, &end, 10);
        bool separated = *end == '\0' || (*end == ',' && end[1] != '\0');
        if (*at < '0' || *at > '9' || errno != 0 || id > UINT32_MAX || !separated)
            return error_set(&run->error, ERROR_MISUSED,
                             "--tokens takes token ids with commas between them, not '%.60s'",
                             run->options.tokens);
        run->tokens[run->token_count++] = (uint32_t)id;
        at = *end == ',' ? end + 1 : end;
    }
    return true;
}

static bool find_input(struct run *run)
{
    const struct run_options *o = &run->options;
    struct error *error = &run->error;
    int given = (o->prompt != NULL) + (o->prompt_file != NULL) + (o->tokens != NULL) +
                (o->tokens_file != NULL) + (o->score != NULL);
    if (given != 1)
        return error_set(error, ERROR_MISUSED,
                         "one of --prompt, --prompt-file, --tokens, --tokens-file and --score is "
                         "needed, and one only");
    if (o->tokens != NULL || o->tokens_file != NULL) {
        if (o->tokens != NULL ? !parse_tokens(run)
                              : !token_file_read(o->tokens_file, &run->tokens, &run->token_count,
                                                 error))
            return false;
        struct error cause = {0}; /* where there is no vocabulary, tokens are shown as numbers */
        run->tokenizer = spikingbrain_tokenizer(run->folder, &cause);
        if (cause.code == ERROR_FAILED)
            return error_set(error, cause.code, "%s", cause.text);
    } else {
        const char *path = o->prompt_file != NULL ? o->prompt_file : o->score;
        if (o->prompt != NULL) {
            run->text = strdup(o->prompt);
            run->text_length = strlen(o->prompt);
            if (run->text == NULL)
                return error_no_memory(error, "the prompt");
        } else if (!read_text(path, &run->text, &run->text_length, error)) {
            return false;
        }
        run->tokenizer = spikingbrain_tokenizer(run->folder, error);
        if (run->tokenizer == NULL ||
            !tokenizer_encode(run->tokenizer, run->text, run->text_length, &run->tokens,
                              &run->token_count, error))
            return false;
    }
    if (run->token_count == 0)
        return error_set(error, ERROR_MISUSED, "the prompt is empty; the model needs a token to "
                                               "start from");
    if (o->score != NULL && run->token_count < 2)
        return error_set(error, ERROR_MISUSED, "%s: a text to be scored needs two tokens or more",
                         o->score);
    return true;
}

/* ---- options ---- */

static bool find_rules(const struct run_options *o, struct spikingbrain_options *rules,
                       struct k_list **k_at, struct error *error)
{
    bool paper = strcmp(o->down_proj, "paper") == 0;
    if (!paper && strcmp(o->down_proj, "repo") != 0)
        return error_set(error, ERROR_MISUSED, "--down-proj is paper or repo, not '%s'",
                         o->down_proj);
    if (o->table_bits != 32 && o->table_bits != 16 && o->table_bits != 8)
        return error_set(error, ERROR_MISUSED, "--table-bits is 32, 16 or 8, not %lld",
                         (long long)o->table_bits);
    const struct coding *coding = coding_find(o->coding, error);
    enum threshold_span threshold;
    if (coding == NULL || !spikingbrain_find_threshold(o->threshold, &threshold, error))
        return false;
    if (o->k_at != NULL) {
        *k_at = k_list_parse(o->k_at, error);
        if (*k_at == NULL)
            return false;
    }
    *rules = (struct spikingbrain_options){.coding = o->floating ? NULL : coding,
                                           .k = o->k,
                                           .k_at = *k_at,
                                           .threshold = threshold,
                                           .down_proj_spikes = paper && !o->floating,
                                           .window = (uint32_t)o->window,
                                           .lanes = (uint32_t)o->lanes,
                                           .expand = o->expand && !o->floating,
                                           .table_bits = (uint32_t)o->table_bits};
    return true;
}

/* ---- the run ---- */

static bool prepare(struct run *run, const struct spikingbrain_options *rules)
{
    struct run_options *o = &run->options;
    struct error *error = &run->error;
    run->workers = workers_new((uint32_t)o->threads, error);
    if (run->workers == NULL)
        return false;
    struct spikingbrain_options options = *rules;
    options.workers = run->workers;
    run->model = spikingbrain_open(run->folder, &options, error);
    if (run->model == NULL)
        return false;
    for (size_t i = 0; i < run->token_count; i++) /* all of them, before anything is written */
        if (!embedding_feed(run->model->tokens, run->tokens + i, 1, error))
            return false;
    struct network *network = run->model->network;
    network->kernels = kernels_find(o->vector, error);
    if (network->kernels == NULL)
        return false;
    network->workers = run->workers;
    if (!network_seal(network, error))
        return false;
    run->tally = tally_new(network, error);
    if (run->tally == NULL || !network_observe(network, tally_observer(run->tally), error))
        return false;
    run->facts = (struct run_facts){.command = run->command,
                                    .model = run->folder,
                                    .model_digest = run->model->digest,
                                    .coding = rules->coding != NULL ? rules->coding->name : NULL,
                                    .down_proj = rules->coding != NULL ? o->down_proj : NULL,
                                    .k = o->k,
                                    .window = run->model->window,
                                    .seed = (uint64_t)o->seed,
                                    .sampled = true,
                                    .dense_macs = run->model->dense_macs};
    return true;
}

/* Opens what the run writes to, last of all. */
static bool open_outputs(struct run *run, const struct trace_options *trace_options)
{
    struct run_options *o = &run->options;
    struct network *network = run->model->network;
    if (o->logits != NULL) {
        run->session.logits =
            matrix_file_open(o->logits, run->model->vocabulary, false, &run->error);
        if (run->session.logits == NULL)
            return false;
    }
    if (o->timing != NULL) {
        run->session.timing = timing_open(o->timing, &run->error);
        if (run->session.timing == NULL)
            return false;
    }
    if (o->trace == NULL)
        return true;
    run->trace = trace_open(o->trace, trace_options, &run->facts, network, &run->error);
    if (run->trace == NULL)
        return false;
    trace_watch(run->trace, run->tally);
    return network_observe(network, trace_observer(run->trace), &run->error);
}

static uint64_t count_characters(const char *text, size_t length)
{
    uint64_t characters = 0;
    for (size_t i = 0; i < length; i++)
        characters += ((unsigned char)text[i] & 0xc0) != 0x80;
    return characters;
}

static struct run_outcome outcome_of(const struct run *run, int signal_number)
{
    const struct session *session = &run->session;
    struct run_outcome outcome = {
        .end = signal_number != 0 ? "signal" : session->ended ? "end token" : "length",
        .prompt_tokens = run->token_count,
        .generated_tokens = atomic_load(&session->generated),
        .prompt_seconds = session->prompt_seconds,
        .generate_seconds = session->generate_seconds,
        .memory_bytes = run_memory(),
        .scored = session->scored > 0,
        .scored_tokens = session->scored,
        .bits = session->bits,
    };
    if (outcome.prompt_tokens > atomic_load(&session->fed))
        outcome.prompt_tokens = atomic_load(&session->fed);
    if (!outcome.scored)
        return outcome;
    /* The first token is given, the rest are predicted: their characters count. */
    size_t length;
    for (uint64_t i = 1; i <= session->scored; i++) {
        const char *bytes = tokenizer_bytes(run->tokenizer, run->tokens[i], &length);
        outcome.scored_characters += count_characters(bytes, length);
    }
    return outcome;
}

static void print_speed(FILE *out, const struct run_outcome *outcome)
{
    if (outcome->scored)
        fprintf(out, "score: %.4f bits per character, %.4f bits per token (%llu tokens, %llu "
                     "characters)\n",
                outcome->bits / (double)outcome->scored_characters,
                outcome->bits / (double)outcome->scored_tokens,
                (unsigned long long)outcome->scored_tokens,
                (unsigned long long)outcome->scored_characters);
    fprintf(out, "speed: prompt %llu tokens at %.0f tokens/s",
            (unsigned long long)outcome->prompt_tokens,
            (double)outcome->prompt_tokens / (outcome->prompt_seconds + 1e-9));
    if (outcome->generated_tokens > 1)
        fprintf(out, ", generated %llu at %.0f tokens/s",
                (unsigned long long)outcome->generated_tokens,
                (double)(outcome->generated_tokens - 1) / (outcome->generate_seconds + 1e-9));
    fprintf(out, "; %.0f MiB of memory\n", (double)outcome->memory_bytes / (1 << 20));
}

static bool print_figures(struct run *run, const char *status, double seconds, int signal_number)
{
    struct run_outcome outcome = outcome_of(run, signal_number);
    struct references references = {0};
    struct report *report = run_report(run->tally, &run->facts, status, seconds,
                                       run->options.trace, &references, &run->error);
    if (report == NULL)
        return false;
    bool printed = true;
    if (run->options.json) {
        outcome.text = run->collected;
        printed = screen_print_json(stdout, report, &references, &outcome, &run->error);
    } else {
        if (run->options.score == NULL)
            fputs("\n\n", stdout);
        screen_print(stdout, report, &references);
        fputc('\n', stdout);
        print_speed(stdout, &outcome);
        if (run->options.trace != NULL)
            fprintf(stdout, "trace: %s, run %lld (volley report %s)\n", run->options.trace,
                    (long long)run->trace_run, run->options.trace);
    }
    report_free(report);
    if (fflush(stdout) != 0)
        return error_set(&run->error, ERROR_FAILED, "standard output cannot be written");
    return printed;
}

static bool run_session(void *session)
{
    return session_run(session);
}

static bool speaks(void *self)
{
    struct session *session = self;
    return atomic_load(&session->generated) > 0;
}

static void describe(void *self, char *line, size_t room)
{
    struct session *session = self;
    uint64_t fed = atomic_load(&session->fed);
    snprintf(line, room, "%s %llu of %zu tokens of the %s, %llu generated",
             session->score ? "scoring," : "running,",
             (unsigned long long)(fed < session->prompt_length ? fed : session->prompt_length),
             session->prompt_length, session->score ? "text" : "prompt",
             (unsigned long long)atomic_load(&session->generated));
}

static int perform(struct run *run)
{
    struct run_options *o = &run->options;
    struct session *session = &run->session;
    session->model = run->model;
    session->tokenizer = run->tokenizer;
    session->prompt = run->tokens;
    session->prompt_length = run->token_count;
    session->generate = o->score != NULL ? 0 : (uint64_t)o->generate;
    session->past_end = o->past_end;
    session->score = o->score != NULL;
    session->lanes = (uint32_t)o->lanes;
    const struct live_task task = {.self = session,
                                   .run = run_session,
                                   .describe = describe,
                                   .speaks = speaks,
                                   .stop = &session->stop,
                                   .stopping = "this token",
                                   .error = &session->error};
    session->show = live_show;
    struct live_options live = {.show_text = !o->json && o->score == NULL,
                                .collected = o->json && o->score == NULL ? &run->collected : NULL,
                                .quiet = o->quiet};
    int signal_number = 0;
    double start = seconds_now();
    bool done = live_run(&task, &live, &signal_number);
    double seconds = seconds_now() - start;
    if (!done)
        run->error = session->error;
    const char *status = !done ? "failed" : signal_number != 0 ? "interrupted" : "done";
    if (run->trace != NULL) {
        run->trace_run = trace_run(run->trace);
        done = trace_close(run->trace, run->tally, status, seconds, done ? &run->error : NULL) &&
               done;
        run->trace = NULL;
    }
    struct matrix_file *logits = session->logits;
    session->logits = NULL;
    done = matrix_file_close(logits, done, done ? &run->error : NULL) && done;
    done = timing_close(session->timing, done ? &run->error : NULL) && done;
    session->timing = NULL;
    if (!done || !print_figures(run, status, seconds, signal_number))
        return command_failed(&run->error);
    return signal_number != 0 ? 128 + signal_number : 0;
}

static void release(struct run *run)
{
    if (run->trace != NULL)
        trace_close(run->trace, run->tally, "failed", 0, NULL);
    matrix_file_close(run->session.logits, false, NULL);
    timing_close(run->session.timing, NULL);
    tally_free(run->tally);
    language_model_free(run->model);
    k_list_free(run->k_at);
    workers_free(run->workers);
    tokenizer_free(run->tokenizer);
    sampler_free(&run->session.sampler);
    free(run->collected);
    free(run->tokens);
    free(run->text);
    free(run->command);
}

int run_language(int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct run run = {.options = {.coding = "bitwise",
                                  .down_proj = "paper",
                                  .threshold = "token",
                                  .trace_level = "volley",
                                  .vector = "auto",
                                  .generate = 100,
                                  .threads = cores > 0 ? cores : 1,
                                  .lanes = DEFAULT_LANES,
                                  .table_bits = 32,
                                  .k = 3,
                                  .top_p = 1}};
    struct run_options *o = &run.options;
    const struct option_line lines[] = {
        {"prompt", "TEXT", "text to go on from", OPTION_TEXT, &o->prompt, 0, 0},
        {"prompt-file", "FILE", "the same, from a file", OPTION_TEXT, &o->prompt_file, 0, 0},
        {"tokens", "1,2,3", "the same, as token ids", OPTION_TEXT, &o->tokens, 0, 0},
        {"tokens-file", "FILE", "the same, as token ids in a file", OPTION_TEXT, &o->tokens_file, 0,
         0},
        {"score", "FILE", "instead: bits per character of a text", OPTION_TEXT, &o->score, 0, 0},
        {"generate", "N", "tokens to write (default 100)", OPTION_INTEGER, &o->generate, 0, 1e12},
        {"ignore-end", NULL, "go on after the end token", OPTION_FLAG, &o->past_end, 0, 0},
        {"temperature", "T", "sample; 0 is greedy (default)", OPTION_NUMBER, &o->temperature, 0,
         1e3},
        {"top-p", "P", "sample among the likeliest that reach P", OPTION_NUMBER, &o->top_p, 1e-9,
         1},
        {"seed", "N", "of the sampling (default 0)", OPTION_INTEGER, &o->seed, 0, 9e18},
        {"coding", "NAME", "bitwise, ternary, binary, unsigned or twos-complement", OPTION_TEXT,
         &o->coding, 0, 0},
        {"k", "K", "threshold = mean|x| / K (default 3)", OPTION_NUMBER, &o->k, K_LOWEST,
         K_HIGHEST},
        {"k-at", "GLOB=K", "K for populations of such names; commas between", OPTION_TEXT, &o->k_at, 0,
         0},
        {"threshold", "SPAN", "one per token (default), group of 128 or head", OPTION_TEXT,
         &o->threshold, 0, 0},
        {"down-proj", "MODE", "paper: its input spikes (default); repo: it does not", OPTION_TEXT,
         &o->down_proj, 0, 0},
        {"window", "N", "keys a window layer sees, itself included", OPTION_INTEGER, &o->window, 1,
         1 << 24},
        {"float", NULL, "no spikes: the floating-point baseline", OPTION_FLAG, &o->floating, 0, 0},
        {"expand", NULL, "deliver every virtual tick on its own", OPTION_FLAG, &o->expand, 0, 0},
        {"lanes", "N", "prompt tokens that travel together (default 128)", OPTION_INTEGER, &o->lanes,
         1, 1024},
        {"table-bits", "N", "embedding and head: 32 as stored (default), 16 bfloat16, 8 codes",
         OPTION_INTEGER, &o->table_bits, 8, 32},
        {"threads", "N", "default: all cores; any number gives the same bits", OPTION_INTEGER,
         &o->threads, 1, 1024},
        {"vector", "NAME", "auto, plain, avx2, avx512: the same bits from each", OPTION_TEXT,
         &o->vector, 0, 0},
        {"trace", "DB", "log to this SQLite file", OPTION_TEXT, &o->trace, 0, 0},
        {"trace-level", "LEVEL", "summary, volley (default), spike", OPTION_TEXT, &o->trace_level,
         0, 0},
        {"trace-populations", "GLOB", "only populations of such names", OPTION_TEXT,
         &o->trace_populations, 0, 0},
        {"trace-tokens", "A:B", "only tokens A to B-1", OPTION_TEXT, &o->trace_tokens, 0, 0},
        {"logits", "FILE.npy", "write the logits of every token fed in", OPTION_TEXT, &o->logits, 0,
         0},
        {"timing", "FILE.csv", "write seconds and memory against tokens", OPTION_TEXT, &o->timing,
         0, 0},
        {"json", NULL, "figures (and text) as JSON", OPTION_FLAG, &o->json, 0, 0},
        {"quiet", NULL, "no progress on standard error", OPTION_FLAG, &o->quiet, 0, 0},
    };
    const size_t length = sizeof lines / sizeof *lines;
    const char *folder = NULL;
    size_t count = 0;
    bool help = false;
    struct spikingbrain_options rules;
    struct trace_options trace_options = {.level = TRACE_VOLLEY};
    struct error *error = &run.error;
    if (!options_parse(argc, argv, lines, length, &folder, 1, &count, &help, error))
        return command_failed(error);
    if (help) {
        options_print_list(stdout, lines, length);
        return 0;
    }
    run.folder = folder;
    run.command = run_command_line(argc, argv);
    trace_options.populations = o->trace_populations;
    int code;
    if (run.command == NULL)
        error_no_memory(error, "the command line");
    else if (count != 1)
        error_set(error, ERROR_MISUSED, "which model? See volley run --help");
    else if (find_rules(o, &rules, &run.k_at, error) &&
             run_trace_level(o->trace_level, &trace_options.level, error) &&
             run_range("--trace-tokens", o->trace_tokens, &trace_options.first, &trace_options.last,
                       error) &&
             spikingbrain_check(folder, error) && find_input(&run) && prepare(&run, &rules) &&
             sampler_new(&run.session.sampler, run.model->vocabulary, o->temperature, o->top_p,
                         (uint64_t)o->seed, error))
        open_outputs(&run, &trace_options);
    code = error->code != ERROR_NONE ? command_failed(error) : perform(&run);
    release(&run);
    return code;
}
