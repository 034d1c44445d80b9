/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `volley inspect` of a language model: the network that it becomes; and which of both it is. */
#include "sim/inspect.h"

#include "neurons/import/spikingbrain.h"

const char *inspect_sized(uint64_t bytes, char text[32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)bytes;
    size_t unit = 0;
    for (; size >= 1024 && unit + 1 < sizeof units / sizeof *units; unit++)
        size /= 1024;
    snprintf(text, 32, unit == 0 ? "%.0f %s" : "%.1f %s", size, units[unit]);
    return text;
}

static void print_populations(const struct network *network)
{
    char text[32];
    uint64_t neurons = 0, state = 0;
    printf("\n%-24s %-17s %8s %7s %11s\n", "population", "model", "neurons", "fires", "state");
    for (uint32_t i = 0; i < network->population_count; i++) {
        const struct population *p = network->populations[i];
        printf("%-24s %-17s %8u %7s %11s\n", p->name, p->model->name, p->neurons,
               p->train != NULL || p->spikes != NULL ? "spikes" : "values",
               p->state_bytes > 0 ? inspect_sized(p->state_bytes, text) : "");
        neurons += p->neurons;
        state += p->state_bytes;
    }
    printf("%-24s %-17s %8llu %7s %11s\n", "all", "", (unsigned long long)neurons, "",
           inspect_sized(state, text));
}

static void print_projections(const struct network *network)
{
    char text[32];
    uint64_t synapses = 0, bytes = 0;
    printf("\n%-28s %-13s %-24s %-24s %12s %11s\n", "projection", "kind", "from", "to", "synapses",
           "weights");
    for (uint32_t i = 0; i < network->projection_count; i++) {
        const struct projection *p = network->projections[i];
        bool weighted = p->weight_count > 0;
        printf("%-28s %-13s %-24s %-24s %12llu %11s\n", weighted ? p->name : "", p->kind->name,
               p->source->name, p->target->name,
               (unsigned long long)(weighted ? p->synapses : p->source->neurons),
               weighted ? inspect_sized(p->bytes, text) : "");
        synapses += weighted ? p->synapses : p->source->neurons;
        bytes += p->bytes;
    }
    printf("%-28s %-13s %-24s %-24s %12llu %11s\n", "all", "", "", "",
           (unsigned long long)synapses, inspect_sized(bytes, text));
}

static int inspect_main(int argc, char **argv)
{
    bool floating = false, models = false, help = false;
    const char *down_proj = "paper", *folder = NULL;
    struct model_file_options file = MODEL_FILE_DEFAULTS;
    const struct option_line lines[] = {
        {"float", NULL, "the network of the floating-point baseline", OPTION_FLAG, &floating, 0, 0},
        {"down-proj", "MODE", "paper: its input spikes (default); repo: it does not", OPTION_TEXT,
         &down_proj, 0, 0},
        {"models", NULL, "instead: the neuron models there are, with their parameters", OPTION_FLAG,
         &models, 0, 0},
        MODEL_FILE_OPTIONS(&file),
    };
    const size_t length = sizeof lines / sizeof *lines;
    size_t count = 0;
    struct error error = {0};
    if (!options_parse(argc, argv, lines, length, &folder, 1, &count, &help, &error))
        return command_failed(&error);
    if (help) {
        options_print_help(
            stdout, &command_inspect, lines, length,
            "--float and --down-proj are for language models, all others for spiking "
            "networks.\n");
        return 0;
    }
    if (models && count == 0)
        return inspect_models();
    bool paper = down_proj[0] == 'p' && down_proj[1] == 'a';
    if (count != 1)
        error_set(&error, ERROR_MISUSED, "which model? See volley inspect --help");
    else if (model_file_is_network(folder))
        return inspect_network(folder, &file);
    struct spikingbrain_options rules = {.coding = floating ? NULL : coding_find("bitwise", NULL),
                                         .k = 3,
                                         .down_proj_spikes = paper && !floating,
                                         .lanes = 1};
    struct language_model *model =
        error.code == ERROR_NONE ? spikingbrain_open(folder, &rules, &error) : NULL;
    if (model == NULL)
        return command_failed(&error);
    printf("%s: a SpikingBrain model as a network of %u populations and %u projections\n", folder,
           model->network->population_count, model->network->projection_count);
    char size[32];
    printf("vocabulary %u, window %u, %llu multiply-accumulates a token if dense\n",
           model->vocabulary, model->window, (unsigned long long)model->dense_macs);
    printf("%zu tensors in %s, digest %s\n", tensor_set_length(model->tensors),
           inspect_sized(tensor_set_bytes(model->tensors), size), model->digest);
    print_populations(model->network);
    print_projections(model->network);
    language_model_free(model);
    if (fflush(stdout) == 0)
        return 0;
    error_set(&error, ERROR_FAILED, "standard output cannot be written");
    return command_failed(&error);
}

const struct command command_inspect = {
    .name = "inspect",
    .arguments = "MODEL [OPTION …]",
    .summary = "Prints the network that a model becomes.",
    .run = inspect_main,
};
