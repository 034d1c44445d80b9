/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `volley chips`: the chips there are, and all that is known of one: its capacities, every figure
 * with range, scope, evidence and source, and what it leaves out.
 */
#include "sim/options.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "neurons/import/mapped_file.h"
#include "sim/columns.h"
#include "sim/figures_json.h"
#include "traces/energy/chip.h"

/* ---- the list ---- */

enum { TEXT = 160, EVIDENCES = EVIDENCE_ASSUMED + 1 };

/* The group that a chip's figures are mostly of: the first that it has any of. */
static bool has_group(const struct chip *chip, enum chip_group group)
{
    for (int i = 0; i < CHIP_FIGURES; i++)
        if (chip_figures[i].group == group && chip->figure[i].given)
            return true;
    return group == CHIP_ENERGY && chip->memory_count > 0;
}

static const char *kind_of(const struct chip *chip)
{
    if (chip_is_all_in(chip))
        return chip_scope_names[SCOPE_ALL_IN];
    if (chip_is_incremental(chip))
        return chip_scope_names[SCOPE_INCREMENTAL];
    if (chip->dense)
        return "dense";
    if (has_group(chip, CHIP_ENERGY))
        return chip_scope_names[SCOPE_PER_TERM];
    return has_group(chip, CHIP_POWER) ? "power" : "times";
}

/* Evidence of most figures of energy; of power or time where there is none. */
static const char *evidence_of(const struct chip *chip)
{
    unsigned count[EVIDENCES] = {0}, most = 0;
    enum chip_group group = has_group(chip, CHIP_ENERGY)  ? CHIP_ENERGY
                            : has_group(chip, CHIP_POWER) ? CHIP_POWER
                                                          : CHIP_TIME;
    for (int i = 0; i < CHIP_FIGURES; i++)
        if (chip_figures[i].group == group && chip->figure[i].given)
            count[chip->figure[i].evidence]++;
    for (unsigned i = 1; i < EVIDENCES; i++)
        if (count[i] > count[most])
            most = i;
    return count[most] > 0 ? chip_evidence_names[most] : "";
}

static void cores_text(const struct chip *chip, char text[TEXT])
{
    if (chip->limits.neurons == 0)
        snprintf(text, TEXT, "%s", chip_cores(chip) > 1 ? "" : "-");
    else
        snprintf(text, TEXT, "%" PRIu32 " x %" PRIu64, chip_cores(chip), chip->limits.neurons);
}

static void list_line(const struct chip *chip)
{
    char text[TEXT] = "-";
    columns_cell(stdout, 17, chip->name);
    columns_cell(stdout, 23, chip->title);
    if (chip->nanometres > 0)
        snprintf(text, sizeof text, "%.4g", chip->nanometres);
    columns_cell(stdout, -3, text);
    columns_cell(stdout, 2, "");
    columns_cell(stdout, 12, kind_of(chip));
    columns_cell(stdout, 12, evidence_of(chip));
    cores_text(chip, text);
    printf("%s\n", text);
}

static bool list_object(json_t *list, const struct chip *chip)
{
    bool failed = false;
    json_t *item = json_object();
    figures_set(item, "name", figures_text(chip->name), &failed);
    figures_set(item, "title", figures_text(chip->title), &failed);
    figures_set(item, "process_nm",
                chip->nanometres > 0 ? figures_number(chip->nanometres) : json_null(), &failed);
    figures_set(item, "figures", figures_text(kind_of(chip)), &failed);
    figures_set(item, "evidence", figures_text(evidence_of(chip)), &failed);
    figures_set(item, "cores", json_integer(chip_cores(chip)), &failed);
    figures_set(item, "neurons_per_core",
                chip->limits.neurons > 0 ? json_integer((json_int_t)chip->limits.neurons)
                                         : json_null(),
                &failed);
    figures_set(item, "digest", figures_text(chip->digest), &failed);
    return json_array_append_new(list, item) == 0 && !failed;
}

static bool print_list(bool json, struct error *error)
{
    json_t *list = json ? json_array() : NULL;
    bool failed = false;
    if (!json)
        printf("%-17s%-23s%3s  %-12s%-12s%s\n", "name", "chip", "nm", "figures", "evidence",
               "capacity");
    for (size_t i = 0; chip_names[i] != NULL && !failed; i++) {
        struct chip *chip = chip_open(chip_names[i], error);
        if (chip == NULL) {
            json_decref(list);
            return false;
        }
        if (!json)
            list_line(chip);
        else
            failed = !list_object(list, chip);
        chip_free(chip);
    }
    if (json)
        return figures_print(stdout, list, failed, error);
    putchar('\n');
    columns_paragraph(stdout, "", 0,
                      "Capacity: cores of a chip x neurons of a core. volley chips NAME says where "
                      "each figure comes from. A chip of your own is a file of the same form: "
                      "volley chips NAME --json > mine.json");
    return true;
}

/* ---- one chip ---- */

/* The sources of a chip, each once, in the order they are first named. */
struct sources {
    const char **text; /* [count] */
    size_t count;
};

/* Its number, from 1 on. */
static size_t source_number(struct sources *sources, const char *text)
{
    for (size_t i = 0; i < sources->count; i++)
        if (strcmp(sources->text[i], text) == 0)
            return i + 1;
    sources->text[sources->count++] = text;
    return sources->count;
}

/* Adds "1024 neurons" to a list, unless there are none. */
static void add_count(char text[TEXT], uint64_t count, const char *what)
{
    size_t used = strlen(text);
    if (count > 0)
        snprintf(text + used, TEXT - used, "%s%" PRIu64 " %s", used > 0 ? ", " : "", count, what);
}

static void print_fact(const char *name, const char *text)
{
    char lead[16];
    snprintf(lead, sizeof lead, "%-11s", name);
    if (text[0] != '\0')
        columns_paragraph(stdout, lead, (int)strlen(lead), text);
}

static void print_cores(const struct chip *chip)
{
    const struct chip_mesh *mesh = &chip->mesh;
    const struct chip_limits *limits = &chip->limits;
    char text[TEXT] = "";
    if (mesh->columns * mesh->rows > 1)
        snprintf(text, sizeof text,
                 "%" PRIu32 " in %" PRIu32 " x %" PRIu32 " tiles of %" PRIu32
                 ", which are numbered %s",
                 chip_cores(chip), mesh->columns, mesh->rows, mesh->cores_per_tile,
                 mesh->column_major ? "by column" : "by row");
    else if (mesh->cores_per_tile > 1)
        snprintf(text, sizeof text, "%" PRIu32 " in one tile", mesh->cores_per_tile);
    print_fact("cores", text);
    text[0] = '\0';
    add_count(text, limits->neurons, "neurons");
    add_count(text, limits->synapses, "synapses");
    add_count(text, limits->synapse_bytes, "bytes of synapses");
    add_count(text, limits->fan_in, "neurons that send to it");
    add_count(text, limits->fan_out, "messages if each neuron fires");
    add_count(text, limits->neuron_fan_in, "synapses a neuron");
    print_fact("a core has", text);
    text[0] = '\0';
    add_count(text, limits->chips, "at most");
    print_fact("chips", text);
}

static void print_capacities(const struct chip *chip)
{
    char text[TEXT] = "";
    if (chip->nanometres > 0)
        snprintf(text, sizeof text, "%.4g nm", chip->nanometres);
    print_fact("process", text);
    print_cores(chip);
    text[0] = '\0';
    if (!chip->dense)
        print_fact("spikes", chip->graded ? "graded: each carries its payload"
                                          : "plain: a payload p is |p| spikes");
    add_count(text, chip->message_bits, "bits");
    add_count(text, chip->payload_bits, "more with a payload");
    add_count(text, chip->mesh.link_buffer, "of them wait at a link at most");
    print_fact("messages", text);
    text[0] = '\0';
    add_count(text, chip->weight_bits, chip->weight_bits == 1 ? "bit" : "bits");
    if (!chip->dense && chip->weight_bits > 0)
        strcat(text, chip->shares_kernels ? "; a convolution's are held once a core"
                                          : "; a convolution's are held once a synapse");
    print_fact("weights", text);
}

static void print_figure(const char *name, const char *meaning,
                         const struct coefficient *coefficient, struct sources *sources)
{
    char value[TEXT], range[TEXT] = "";
    snprintf(value, sizeof value, "%.6g %s", chip_in_unit(coefficient, coefficient->value),
             coefficient->unit);
    if (coefficient->low < coefficient->high)
        snprintf(range, sizeof range, "%.4g to %.4g",
                 chip_in_unit(coefficient, coefficient->low),
                 chip_in_unit(coefficient, coefficient->high));
    printf("  ");
    columns_cell(stdout, 18, name);
    columns_cell(stdout, -11, value);
    columns_cell(stdout, 2, "");
    columns_cell(stdout, 16, range);
    columns_cell(stdout, 13, chip_scope_names[coefficient->scope]);
    columns_cell(stdout, 12, chip_evidence_names[coefficient->evidence]);
    printf("[%zu]\n", source_number(sources, coefficient->source));
    columns_paragraph(stdout, "      ", 6, meaning);
    if (coefficient->note != NULL)
        columns_paragraph(stdout, "      - ", 8, coefficient->note);
}

static void print_heading(const char *title, bool *printed)
{
    if (*printed)
        return;
    printf("\n%-20s%11s  %-16s%-13s%-12s%s\n", title, "", "range", "scope", "evidence", "source");
    *printed = true;
}

static void print_memories(const struct chip *chip, struct sources *sources, bool *printed)
{
    for (uint32_t i = 0; i < chip->memory_count; i++) {
        const struct chip_memory *memory = &chip->memory[i];
        char meaning[TEXT];
        snprintf(meaning, sizeof meaning, "fetching %" PRIu32 " bytes of weights, which lie %s",
                 memory->block_bytes,
                 memory->layout == LAYOUT_BY_TARGET ? "by target" : "by source");
        print_heading("energy", printed);
        print_figure(memory->name, meaning, &memory->read, sources);
    }
}

static void print_sync(const struct chip *chip, struct sources *sources, bool *printed)
{
    if (chip->sync_count == 0)
        return;
    char meaning[TEXT] = "synchronising";
    size_t used = strlen(meaning);
    for (uint32_t i = 0; i < chip->sync_count && used < sizeof meaning; i++)
        used += (size_t)snprintf(meaning + used, sizeof meaning - used, "%s %.6g %s from %" PRIu32,
                                 i > 0 ? "," : "",
                                 chip_in_unit(&chip->sync_source, chip->sync[i].seconds),
                                 chip->sync_source.unit, chip->sync[i].tiles);
    if (used < sizeof meaning)
        snprintf(meaning + used, sizeof meaning - used, " tiles on");
    print_heading("time", printed);
    print_figure("sync", meaning, &chip->sync_source, sources);
}

static void print_figures(const struct chip *chip, struct sources *sources)
{
    static const char *const titles[] = {
        [CHIP_ENERGY] = "energy", [CHIP_POWER] = "power", [CHIP_TIME] = "time"};
    for (int group = CHIP_ENERGY; group <= CHIP_TIME; group++) {
        bool printed = false;
        for (int i = 0; i < CHIP_FIGURES; i++) {
            if ((int)chip_figures[i].group != group || !chip->figure[i].given)
                continue;
            print_heading(titles[group], &printed);
            print_figure(chip_figures[i].key, chip_figures[i].meaning, &chip->figure[i], sources);
        }
        if (group == CHIP_ENERGY)
            print_memories(chip, sources, &printed);
        if (group == CHIP_TIME)
            print_sync(chip, sources, &printed);
    }
}

static bool print_chip(const struct chip *chip, struct error *error)
{
    struct sources sources = {
        .text = calloc(CHIP_FIGURES + CHIP_MEMORIES + 1, sizeof *sources.text)};
    if (sources.text == NULL)
        return error_no_memory(error, "the sources of a chip");
    char text[TEXT] = "";
    if (chip->year > 0)
        snprintf(text, sizeof text, ", %" PRIu32, chip->year);
    printf("%s: %s%s; digest %s\n", chip->name, chip->title, text, chip->digest);
    if (chip->description[0] != '\0')
        columns_paragraph(stdout, "", 0, chip->description);
    printf("\n");
    print_capacities(chip);
    print_figures(chip, &sources);
    if (chip->missing_count > 0)
        printf("\nnot included\n");
    for (uint32_t i = 0; i < chip->missing_count; i++)
        columns_paragraph(stdout, "  - ", 4, chip->missing[i]);
    if (sources.count > 0)
        printf("\nsources\n");
    for (size_t i = 0; i < sources.count; i++) {
        snprintf(text, sizeof text, "  [%zu] ", i + 1);
        columns_paragraph(stdout, text, 6, sources.text[i]);
    }
    free(sources.text);
    return true;
}

/* The text of its file: of a shipped one, or of the file itself. */
static bool print_text(const char *name, struct error *error)
{
    const char *text = chip_text(name);
    if (text != NULL) {
        fputs(text, stdout);
        return true;
    }
    struct mapped_file file;
    if (!mapped_file_open(&file, name, SIZE_MAX, error))
        return false;
    fwrite(file.bytes, 1, file.length, stdout);
    mapped_file_close(&file);
    return true;
}

static int chips_main(int argc, char **argv)
{
    bool json = false, help = false;
    const struct option_line lines[] = {
        {"json", NULL, "the list as JSON; of one chip its file, for a copy to start from",
         OPTION_FLAG, &json, 0, 0},
    };
    const size_t length = sizeof lines / sizeof *lines;
    const char *name = NULL;
    size_t count = 0;
    struct error error = {0};
    if (!options_parse(argc, argv, lines, length, &name, 1, &count, &help, &error))
        return command_failed(&error);
    if (help) {
        options_print_help(stdout, &command_chips, lines, length,
                           "NAME is that of a shipped chip. FILE describes one of your own; its "
                           "path has a / or ends\nin .json. chip.schema.json, which is installed "
                           "beside the shipped ones, says what it may hold.\n");
        return 0;
    }
    bool printed;
    if (count == 0)
        printed = print_list(json, &error);
    else {
        struct chip *chip = chip_open(name, &error);
        printed = chip != NULL &&
                  (json ? print_text(name, &error) : print_chip(chip, &error));
        chip_free(chip);
    }
    if (printed && (fflush(stdout) != 0 || ferror(stdout)))
        printed = error_set(&error, ERROR_FAILED, "standard output cannot be written");
    return printed ? 0 : command_failed(&error);
}

const struct command command_chips = {
    .name = "chips",
    .arguments = "[NAME | FILE] [OPTION …]",
    .summary = "Lists the chips there are, or every figure of one with its source.",
    .run = chips_main,
};
