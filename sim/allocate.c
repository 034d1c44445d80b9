/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `volley allocate`: the k of each layer that costs least energy for a given loss of quality.
 *
 * Each layer is given each k by itself while all others keep the standard one: what bits per
 * character and energy change by is measured, by scoring the whole text. These changes are taken to
 * add up (allocation.h); the allocation so found is then measured itself, and if it loses more than
 * was allowed, what it exceeds that by is taken off the budget and the choice is made again.
 */
#include "sim/allocation.h"
#include "sim/figures_json.h"
#include "sim/options.h"
#include "sim/screen.h"
#include "sim/session.h"
#include "traces/energy/estimate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "neurons/import/mapped_file.h"

enum { CHOICES_LIMIT = 16, TRIES = 8, TEXT_LIMIT = 1 << 30 };

struct score {
    double bits;   /* per character */
    double joules; /* per token */
};

struct search {
    const char *score, *chip_name, *choices_text, *coding, *down_proj, *threshold;
    double k, allowed;
    int64_t threads, lanes;
    bool json, quiet;

    const char *folder;
    struct spikingbrain_options rules;
    struct chip *chip;
    struct tokenizer *tokenizer;
    struct workers *workers;
    uint32_t *tokens;
    size_t token_count;
    uint64_t characters; /* of all tokens but the first: these are predicted */
    double choices[CHOICES_LIMIT]; /* choices[0] is k, the standard */
    uint32_t choice_count, layers, runs;

    struct score *measured; /* [layers][choice_count]: that layer at that k, the others at k */
    struct score uniform[CHOICES_LIMIT]; /* all layers at that k */
    struct score found;
    uint32_t *choice; /* [layers], found */
    char *k_at;       /* of these; "" where all are k */
    struct error error;
};

/* ---- one run ---- */

static uint32_t layers_of(const struct network *network)
{
    int32_t last = -1;
    for (uint32_t i = 0; i < network->population_count; i++)
        last = network->populations[i]->layer > last ? network->populations[i]->layer : last;
    return (uint32_t)(last + 1);
}

static bool weigh(struct search *search, const struct tally *tally, struct score *score)
{
    const struct estimate_options options = {.unplaced = true};
    struct load *load = load_from_tally(tally, true, &search->error);
    struct estimate *estimate =
        load != NULL ? estimate_new(load, search->chip, &options, &search->error) : NULL;
    if (estimate != NULL)
        score->joules = estimate->total / load_inferences(load);
    estimate_free(estimate);
    load_free(load);
    return estimate != NULL;
}

static bool run_model(struct search *search, struct language_model *model, struct score *score)
{
    struct error *error = &search->error;
    struct network *network = model->network;
    search->layers = layers_of(network);
    network->workers = search->workers;
    network->kernels = kernels_find("auto", error);
    if (network->kernels == NULL || !network_seal(network, error))
        return false;
    struct tally *tally = tally_new(network, error);
    struct session session = {.model = model,
                              .tokenizer = search->tokenizer,
                              .prompt = search->tokens,
                              .prompt_length = search->token_count,
                              .score = true,
                              .lanes = search->rules.lanes};
    bool done = tally != NULL && network_observe(network, tally_observer(tally), error);
    if (done && !session_run(&session)) {
        *error = session.error;
        done = false;
    }
    score->bits = session.bits / (double)search->characters;
    done = done && weigh(search, tally, score);
    tally_free(tally);
    return done;
}

/* Scores the text with k, but for the populations that k_at names. */
static bool measure(struct search *search, double k, const char *k_at, struct score *score)
{
    search->runs++;
    if (!search->quiet)
        fprintf(stderr, "run %u: k = %g%s%s\n", search->runs, k, *k_at != '\0' ? ", " : "", k_at);
    struct k_list *list = *k_at != '\0' ? k_list_parse(k_at, &search->error) : NULL;
    if (*k_at != '\0' && list == NULL)
        return false;
    search->rules.k = k;
    search->rules.k_at = list;
    search->rules.workers = search->workers;
    struct language_model *model =
        spikingbrain_open(search->folder, &search->rules, &search->error);
    bool done = model != NULL && run_model(search, model, score);
    language_model_free(model);
    k_list_free(list);
    return done;
}

/* ---- the search ---- */

/* What --k-at takes for choice [layers]; from malloc. */
static char *k_at_of(const struct search *search, const uint32_t *choice)
{
    const size_t item = 64;
    char *text = calloc(search->layers + 1, item);
    size_t used = 0;
    for (uint32_t l = 0; text != NULL && l < search->layers; l++)
        if (choice[l] != 0)
            used += (size_t)snprintf(text + used, item, "%slayers.%u.*=%.9g", used > 0 ? "," : "",
                                     l, search->choices[choice[l]]);
    return text;
}

static bool measure_choice(struct search *search, const uint32_t *choice, struct score *score)
{
    char *k_at = k_at_of(search, choice);
    bool done = k_at != NULL ? measure(search, search->k, k_at, score)
                             : error_no_memory(&search->error, "an allocation");
    free(k_at);
    return done;
}

/* The standard, every k in all layers, and every k in every layer by itself. */
static bool measure_all(struct search *search)
{
    for (uint32_t c = 0; c < search->choice_count; c++)
        if (!measure(search, search->choices[c], "", &search->uniform[c]))
            return false;
    size_t length = (size_t)search->layers * search->choice_count;
    search->measured = calloc(length, sizeof *search->measured);
    search->choice = calloc(search->layers, sizeof *search->choice);
    if (search->measured == NULL || search->choice == NULL)
        return error_no_memory(&search->error, "the search");
    for (size_t i = 0; i < length; i++) {
        uint32_t layer = (uint32_t)(i / search->choice_count), c = i % search->choice_count;
        search->measured[i] = search->uniform[0];
        search->choice[layer] = c;
        if (c > 0 && !measure_choice(search, search->choice, &search->measured[i]))
            return false;
        search->choice[layer] = 0;
    }
    return true;
}

/* Chooses and measures until a choice keeps to what is allowed; else all stay as they were. */
static bool choose(struct search *search, const struct allocation_option *options)
{
    const double standard = search->uniform[0].bits;
    double budget = search->allowed, excess = 0;
    size_t bytes = search->layers * sizeof *search->choice;
    uint32_t before[search->layers];
    for (uint32_t try = 0; try < TRIES;) {
        memcpy(before, search->choice, bytes);
        if (!allocation_choose(options, search->layers, search->choice_count, budget,
                               search->choice))
            break;
        if (excess > 0 && memcmp(before, search->choice, bytes) == 0) {
            budget -= excess;
            continue;
        }
        if (!measure_choice(search, search->choice, &search->found))
            return false;
        excess = search->found.bits - standard - search->allowed;
        if (excess <= 0)
            return true;
        budget -= excess;
        try++;
    }
    memset(search->choice, 0, bytes);
    search->found = search->uniform[0];
    return true;
}

/* The same k everywhere, where that is better than what was found. */
static void consider_uniform(struct search *search)
{
    for (uint32_t c = 0; c < search->choice_count; c++) {
        const struct score *score = &search->uniform[c];
        if (score->bits - search->uniform[0].bits > search->allowed ||
            score->joules >= search->found.joules)
            continue;
        search->found = *score;
        for (uint32_t l = 0; l < search->layers; l++)
            search->choice[l] = c;
    }
}

static bool find_best(struct search *search)
{
    if (!measure_all(search))
        return false;
    size_t length = (size_t)search->layers * search->choice_count;
    struct allocation_option *options = calloc(length, sizeof *options);
    for (size_t i = 0; options != NULL && i < length; i++)
        options[i] = (struct allocation_option){
            search->measured[i].bits - search->uniform[0].bits,
            search->measured[i].joules - search->uniform[0].joules};
    bool done = options != NULL ? choose(search, options)
                                : error_no_memory(&search->error, "the search");
    free(options);
    if (!done)
        return false;
    consider_uniform(search);
    search->k_at = k_at_of(search, search->choice);
    return search->k_at != NULL || error_no_memory(&search->error, "an allocation");
}

/* ---- what it prints ---- */

static void print_row(const struct search *search, const char *name, const struct score *score)
{
    char energy[SCREEN_NUMBER];
    const struct score *standard = &search->uniform[0];
    printf("%-28s %9.4f  %+9.4f  %10s  %+7.2f%%\n", name, score->bits,
           score->bits - standard->bits, screen_joules(score->joules * 1e12, energy),
           100 * (score->joules / standard->joules - 1));
}

static void print_table(const struct search *search)
{
    char name[64];
    printf("%s: %zu tokens, %llu characters, coding %s, threshold per %s, down_proj %s, %s\n\n",
           search->folder, search->token_count, (unsigned long long)search->characters,
           search->coding, search->threshold, search->down_proj, search->chip_name);
    printf("%-28s %9s  %9s  %10s  %8s\n", "", "bits/char", "loss", "per token", "energy");
    for (uint32_t c = 0; c < search->choice_count; c++) {
        snprintf(name, sizeof name, "k = %g everywhere", search->choices[c]);
        print_row(search, name, &search->uniform[c]);
    }
    for (uint32_t l = 0; l < search->layers; l++)
        for (uint32_t c = 1; c < search->choice_count; c++) {
            snprintf(name, sizeof name, "layer %u alone at k = %g", l, search->choices[c]);
            print_row(search, name, &search->measured[(size_t)l * search->choice_count + c]);
        }
    print_row(search, "found", &search->found);
    if (*search->k_at != '\0')
        printf("\nvolley run %s --coding %s --down-proj %s --threshold %s --k %g \\\n"
               "    --k-at '%s'\n", search->folder, search->coding, search->down_proj,
               search->threshold, search->k, search->k_at);
    else
        printf("\nNothing among these needs less energy for a loss of at most %g bits per "
               "character.\n", search->allowed);
}

static json_t *score_json(const struct score *score, double k, bool *failed)
{
    json_t *object = json_object();
    figures_set(object, "k", figures_number(k), failed);
    figures_set(object, "bits_per_character", figures_number(score->bits), failed);
    figures_set(object, "joules_per_token", figures_number(score->joules), failed);
    return object;
}

static bool print_json(struct search *search)
{
    bool failed = false;
    json_t *root = json_object(), *uniform = json_array(), *alone = json_array();
    for (uint32_t c = 0; c < search->choice_count; c++)
        failed |= json_array_append_new(uniform, score_json(&search->uniform[c], search->choices[c],
                                                            &failed)) != 0;
    for (uint32_t l = 0; l < search->layers; l++)
        for (uint32_t c = 1; c < search->choice_count; c++) {
            const struct score *score = &search->measured[(size_t)l * search->choice_count + c];
            json_t *object = score_json(score, search->choices[c], &failed);
            figures_set(object, "layer", json_integer(l), &failed);
            failed |= json_array_append_new(alone, object) != 0;
        }
    json_t *found = score_json(&search->found, search->k, &failed);
    figures_set(found, "k_at", figures_text(search->k_at), &failed);
    figures_set(root, "model", figures_text(search->folder), &failed);
    figures_set(root, "chip", figures_text(search->chip_name), &failed);
    figures_set(root, "tokens", json_integer((json_int_t)search->token_count), &failed);
    figures_set(root, "characters", json_integer((json_int_t)search->characters), &failed);
    figures_set(root, "runs", json_integer(search->runs), &failed);
    figures_set(root, "allowed_loss", figures_number(search->allowed), &failed);
    figures_set(root, "uniform", uniform, &failed);
    figures_set(root, "one_layer", alone, &failed);
    figures_set(root, "found", found, &failed);
    return figures_print(stdout, root, failed, &search->error);
}

/* ---- the command ---- */

static bool read_choices(struct search *search)
{
    search->choices[search->choice_count++] = search->k;
    for (const char *at = search->choices_text; at != NULL;) {
        char *end;
        double k = strtod(at, &end);
        if (end == at || (*end != ',' && *end != '\0') || !(k >= K_LOWEST && k <= K_HIGHEST))
            return error_set(&search->error, ERROR_MISUSED,
                             "--choices takes numbers from %g to %g with commas between, not "
                             "'%.60s'", K_LOWEST, K_HIGHEST, search->choices_text);
        if (search->choice_count == CHOICES_LIMIT)
            return error_set(&search->error, ERROR_MISUSED, "--choices takes at most %d numbers",
                             CHOICES_LIMIT - 1);
        bool known = false;
        for (uint32_t c = 0; c < search->choice_count; c++)
            known |= search->choices[c] == k;
        if (!known)
            search->choices[search->choice_count++] = k;
        at = *end == ',' ? end + 1 : NULL;
    }
    return true;
}

static bool read_rules(struct search *search)
{
    struct error *error = &search->error;
    bool paper = strcmp(search->down_proj, "paper") == 0;
    if (!paper && strcmp(search->down_proj, "repo") != 0)
        return error_set(error, ERROR_MISUSED, "--down-proj is paper or repo, not '%s'",
                         search->down_proj);
    search->rules.coding = coding_find(search->coding, error);
    search->rules.down_proj_spikes = paper;
    search->rules.lanes = (uint32_t)search->lanes;
    return search->rules.coding != NULL &&
           spikingbrain_find_threshold(search->threshold, &search->rules.threshold, error);
}

static bool read_text(struct search *search)
{
    struct error *error = &search->error;
    if (search->score == NULL || isnan(search->allowed))
        return error_set(error, ERROR_MISUSED, "--score FILE and --loss BITS are needed: the text "
                                               "and what may be lost on it");
    struct mapped_file file = {0};
    if (!mapped_file_open(&file, search->score, TEXT_LIMIT, error))
        return false;
    search->tokenizer = spikingbrain_tokenizer(search->folder, error);
    bool read = search->tokenizer != NULL &&
                tokenizer_encode(search->tokenizer, (const char *)file.bytes, file.length,
                                 &search->tokens, &search->token_count, error);
    mapped_file_close(&file);
    for (size_t i = 1; read && i < search->token_count; i++) {
        size_t length;
        const char *bytes = tokenizer_bytes(search->tokenizer, search->tokens[i], &length);
        for (size_t b = 0; b < length; b++)
            search->characters += ((unsigned char)bytes[b] & 0xc0) != 0x80;
    }
    if (read && search->characters == 0)
        return error_set(error, ERROR_MISUSED,
                         "%s: a text to be scored needs two tokens or more", search->score);
    return read;
}

static bool perform(struct search *search)
{
    if (!read_choices(search) || !read_rules(search) ||
        !spikingbrain_check(search->folder, &search->error) || !read_text(search))
        return false;
    search->chip = chip_open(search->chip_name, &search->error);
    if (search->chip == NULL)
        return false;
    search->workers = workers_new((uint32_t)search->threads, &search->error);
    if (search->workers == NULL || !find_best(search))
        return false;
    if (search->json)
        return print_json(search);
    print_table(search);
    return fflush(stdout) == 0 ||
           error_set(&search->error, ERROR_FAILED, "standard output cannot be written");
}

static void release(struct search *search)
{
    chip_free(search->chip);
    tokenizer_free(search->tokenizer);
    workers_free(search->workers);
    free(search->tokens);
    free(search->measured);
    free(search->choice);
    free(search->k_at);
}

static int allocate_main(int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct search search = {.chip_name = "event-45nm",
                            .choices_text = "1,1.5,2,2.5,4",
                            .coding = "bitwise",
                            .down_proj = "paper",
                            .threshold = "token",
                            .k = 3,
                            .allowed = NAN,
                            .threads = cores > 0 ? cores : 1,
                            .lanes = 128};
    const struct option_line lines[] = {
        {"score", "FILE", "the text whose bits per character count", OPTION_TEXT, &search.score, 0,
         0},
        {"loss", "BITS", "bits per character that may be lost", OPTION_NUMBER, &search.allowed, 0,
         100},
        {"chip", "NAME", "whose energy counts (default event-45nm; volley chips)", OPTION_TEXT,
         &search.chip_name, 0, 0},
        {"k", "K", "to begin with, in all layers (default 3)", OPTION_NUMBER, &search.k, K_LOWEST,
         K_HIGHEST},
        {"choices", "1.5,2", "others to try (default 1,1.5,2,2.5,4)", OPTION_TEXT,
         &search.choices_text, 0, 0},
        {"coding", "NAME", "as of volley run (default bitwise)", OPTION_TEXT, &search.coding, 0, 0},
        {"down-proj", "MODE", "paper (default) or repo", OPTION_TEXT, &search.down_proj, 0, 0},
        {"threshold", "SPAN", "token (default), group or head", OPTION_TEXT, &search.threshold, 0,
         0},
        {"lanes", "N", "tokens that travel together (default 128)", OPTION_INTEGER, &search.lanes, 1,
         1024},
        {"threads", "N", "default: all cores; any number gives the same bits", OPTION_INTEGER,
         &search.threads, 1, 1024},
        {"json", NULL, "everything as JSON", OPTION_FLAG, &search.json, 0, 0},
        {"quiet", NULL, "no progress on standard error", OPTION_FLAG, &search.quiet, 0, 0},
    };
    const size_t length = sizeof lines / sizeof *lines;
    size_t count = 0;
    bool help = false;
    bool good = options_parse(argc, argv, lines, length, &search.folder, 1, &count, &help,
                              &search.error);
    if (good && help) {
        options_print_help(stdout, &command_allocate, lines, length,
                           "Runs the text once for each layer and k, and a few times more.\n"
                           "Energy: what the chip says of synops, memory, neurons and spikes, "
                           "without placement.\n");
        return 0;
    }
    if (good && count != 1)
        good = error_set(&search.error, ERROR_MISUSED, "which model? See volley allocate --help");
    good = good && perform(&search);
    release(&search);
    return good ? 0 : command_failed(&search.error);
}

const struct command command_allocate = {
    .name = "allocate",
    .arguments = "MODEL --score FILE --loss BITS [OPTION …]",
    .summary = "Finds the k of each layer that needs least energy.",
    .run = allocate_main,
};
