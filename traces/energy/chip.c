/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Chips: the tables of what can be said of one, those that are shipped, and the rules that every
 * chip obeys, however it was made or changed.
 *
 * The invariant: a chip that a function of chip.h has given out has passed chip_check.
 */
#define _GNU_SOURCE 1
#include "traces/energy/chip_internal.h"

#include "neurons/import/mapped_file.h"
#include "neurons/import/utf8.h"
#include "traces/chips.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_LIMIT = 1 << 20 };
static const char built_in[] = "built in";

const double chip_figure_most = 1e6;

const struct chip_figure_line chip_figures[CHIP_FIGURES] = {
    [CHIP_SYNOP] = {"synop", CHIP_ENERGY, "one spike at one synapse"},
    [CHIP_SYNOP_DENSE] = {"synop_dense", CHIP_ENERGY,
                          "one spike at one synapse of a dense projection"},
    [CHIP_SYNOP_SPARSE] = {"synop_sparse", CHIP_ENERGY,
                           "one spike at one synapse of a sparse projection"},
    [CHIP_SYNOP_CONVOLUTION] = {"synop_convolution", CHIP_ENERGY,
                                "one spike at one synapse of a convolution"},
    [CHIP_SYNOP_GRADED] = {"synop_graded", CHIP_ENERGY,
                           "one graded spike at one synapse: a multiply-add"},
    [CHIP_MAC] = {"mac", CHIP_ENERGY, "one multiply-accumulate"},
    [CHIP_NEURON_ACCESS] = {"neuron_access", CHIP_ENERGY, "one neuron, every tick"},
    [CHIP_NEURON_UPDATE] = {"neuron_update", CHIP_ENERGY,
                            "one neuron, one tick in which it is updated, on top"},
    [CHIP_SPIKE] = {"spike", CHIP_ENERGY, "firing once"},
    [CHIP_MESSAGE_OUT] = {"message_out", CHIP_ENERGY, "one message leaving its core"},
    [CHIP_MESSAGE_IN] = {"message_in", CHIP_ENERGY, "one message arriving at a core"},
    [CHIP_HOP_LOCAL] = {"hop_local", CHIP_ENERGY, "one message within its tile"},
    [CHIP_HOP_EAST] = {"hop_east", CHIP_ENERGY, "one message to the next tile east"},
    [CHIP_HOP_WEST] = {"hop_west", CHIP_ENERGY, "one message to the next tile west"},
    [CHIP_HOP_NORTH] = {"hop_north", CHIP_ENERGY, "one message to the next tile north"},
    [CHIP_HOP_SOUTH] = {"hop_south", CHIP_ENERGY, "one message to the next tile south"},
    [CHIP_LINK_BIT] = {"link_bit", CHIP_ENERGY, "one bit to a neighbouring chip"},
    [CHIP_CONTROL_SPIKE] = {"control_spike", CHIP_ENERGY, "detecting and queueing one spike"},
    [CHIP_CONTROL_SYNOP] = {"control_synop", CHIP_ENERGY, "control of one synop"},
    [CHIP_POWER_CORE] = {"core", CHIP_POWER, "each core in use, at rest"},
    [CHIP_POWER_CHIP] = {"chip", CHIP_POWER, "each chip, at rest, beyond its cores"},
    [CHIP_POWER_BYTE] = {"byte", CHIP_POWER, "each byte of synaptic memory in use"},
    [CHIP_POWER_PLATFORM] = {"platform", CHIP_POWER, "board and host, for each chip; in no total"},
    [CHIP_TIME_SYNOP] = {"synop", CHIP_TIME, "one spike at one synapse"},
    [CHIP_TIME_SYNOP_DENSE] = {"synop_dense", CHIP_TIME,
                               "one spike at one synapse of a dense projection"},
    [CHIP_TIME_SYNOP_SPARSE] = {"synop_sparse", CHIP_TIME,
                                "one spike at one synapse of a sparse projection"},
    [CHIP_TIME_SYNOP_CONVOLUTION] = {"synop_convolution", CHIP_TIME,
                                     "one spike at one synapse of a convolution"},
    [CHIP_TIME_SYNOP_GRADED] = {"synop_graded", CHIP_TIME, "one graded spike at one synapse"},
    [CHIP_TIME_NEURON_ACCESS] = {"neuron_access", CHIP_TIME, "one neuron, every tick"},
    [CHIP_TIME_NEURON_UPDATE] = {"neuron_update", CHIP_TIME,
                                 "one neuron, one tick in which it is updated, on top"},
    [CHIP_TIME_SPIKE] = {"spike", CHIP_TIME, "firing once"},
    [CHIP_TIME_MESSAGE_OUT] = {"message_out", CHIP_TIME, "one message leaving its core"},
    [CHIP_TIME_MESSAGE_IN] = {"message_in", CHIP_TIME, "one message arriving at a core"},
    [CHIP_TIME_HOP_LOCAL] = {"hop_local", CHIP_TIME, "one message within its tile"},
    [CHIP_TIME_HOP_EAST] = {"hop_east", CHIP_TIME, "one message to the next tile east"},
    [CHIP_TIME_HOP_WEST] = {"hop_west", CHIP_TIME, "one message to the next tile west"},
    [CHIP_TIME_HOP_NORTH] = {"hop_north", CHIP_TIME, "one message to the next tile north"},
    [CHIP_TIME_HOP_SOUTH] = {"hop_south", CHIP_TIME, "one message to the next tile south"},
    [CHIP_TIME_LINK] = {"link", CHIP_TIME, "one message to a neighbouring chip"},
    [CHIP_TIME_TICK] = {"tick", CHIP_TIME, "the shortest tick"},
};

const char *const chip_scope_names[] = {"per-term", "all-in", "incremental", NULL};
const char *const chip_evidence_names[] = {"silicon", "pre-silicon", "circuit", "datasheet",
                                           "fitted",  "scaled",      "assumed", NULL};
const char *const chip_group_names[] = {"energy", "power", "time", NULL};
const char *const chip_layout_names[] = {"by-target", "by-source", NULL};

#define LIMIT(name) {#name, offsetof(struct chip_limits, name), 1, 1e15}
const struct chip_number_line chip_limit_lines[] = {
    LIMIT(neurons), LIMIT(synapses),      LIMIT(synapse_bytes), LIMIT(fan_in),
    LIMIT(fan_out), LIMIT(neuron_fan_in), LIMIT(chips),         {0},
};
#undef LIMIT
const struct chip_number_line chip_mesh_lines[] = {
    {"columns", offsetof(struct chip_mesh, columns), 1, 65536},
    {"rows", offsetof(struct chip_mesh, rows), 1, 65536},
    {"cores_per_tile", offsetof(struct chip_mesh, cores_per_tile), 1, 65536},
    {"link_buffer", offsetof(struct chip_mesh, link_buffer), 0, 1 << 20},
    {0},
};

enum chip_figure chip_figure_find(enum chip_group group, const char *key)
{
    int i = 0;
    while (i < CHIP_FIGURES &&
           (chip_figures[i].group != group || strcmp(chip_figures[i].key, key) != 0))
        i++;
    return (enum chip_figure)i;
}

/* ------------------------------------------------------------------- units */

static const struct unit {
    const char *name;
    enum chip_group group;
    double parts; /* so many of it make one joule, watt or second: a power of ten, thus exact */
} units[] = {
    {"J", CHIP_ENERGY, 1},   {"mJ", CHIP_ENERGY, 1e3},  {"uJ", CHIP_ENERGY, 1e6},
    {"nJ", CHIP_ENERGY, 1e9}, {"pJ", CHIP_ENERGY, 1e12}, {"fJ", CHIP_ENERGY, 1e15},
    {"W", CHIP_POWER, 1},    {"mW", CHIP_POWER, 1e3},   {"uW", CHIP_POWER, 1e6},
    {"nW", CHIP_POWER, 1e9}, {"pW", CHIP_POWER, 1e12},  {"fW", CHIP_POWER, 1e15},
    {"s", CHIP_TIME, 1},     {"ms", CHIP_TIME, 1e3},    {"us", CHIP_TIME, 1e6},
    {"ns", CHIP_TIME, 1e9},  {"ps", CHIP_TIME, 1e12},
};

static const struct unit *unit_find(const char *name)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(units[i].name, name) == 0)
            return &units[i];
    return NULL;
}

bool chip_unit_apply(struct coefficient *coefficient, enum chip_group group, const char *name)
{
    const struct unit *unit = unit_find(name);
    if (unit == NULL || unit->group != group)
        return false;
    strcpy(coefficient->unit, unit->name);
    coefficient->value /= unit->parts;
    coefficient->low /= unit->parts;
    coefficient->high /= unit->parts;
    return true;
}

const char *chip_unit_remedy(enum chip_group group)
{
    static const char *const remedies[] = {"energies take J, mJ, uJ, nJ, pJ, fJ",
                                           "powers take W, mW, uW, nW, pW, fW",
                                           "times take s, ms, us, ns, ps"};
    return remedies[group];
}

const char *chip_unit_kind(const char *name)
{
    const struct unit *unit = unit_find(name);
    return unit != NULL ? chip_group_names[unit->group] : NULL;
}

double chip_in_unit(const struct coefficient *coefficient, double value)
{
    const struct unit *unit = unit_find(coefficient->unit);
    return unit != NULL ? value * unit->parts : value;
}

/* ------------------------------------------------------------------- rules */

const char *chip_place(const struct chip *chip)
{
    return strcmp(chip->origin, built_in) == 0 ? chip->name : chip->origin;
}

static bool has_scope(const struct chip *chip, enum chip_scope scope)
{
    for (int i = 0; i < CHIP_FIGURES; i++)
        if (chip_figures[i].group == CHIP_ENERGY && chip->figure[i].given &&
            chip->figure[i].scope == scope)
            return true;
    return false;
}

bool chip_is_all_in(const struct chip *chip)
{
    return has_scope(chip, SCOPE_ALL_IN);
}

bool chip_is_incremental(const struct chip *chip)
{
    return has_scope(chip, SCOPE_INCREMENTAL);
}

/* Whether a figure of a chip whose synop holds more than itself may stand beside it. */
static bool stands_apart(enum chip_figure figure, enum chip_scope scope)
{
    if (figure == CHIP_SYNOP || figure == CHIP_POWER_PLATFORM)
        return true;
    return chip_figures[figure].group == CHIP_TIME ||
           (chip_figures[figure].group == CHIP_POWER && scope == SCOPE_INCREMENTAL);
}

/* The sentence for what cannot be added to such a chip; `entry` as in the file. */
static bool refuse_addition(const struct chip *chip, const char *entry, struct error *error)
{
    if (chip_is_all_in(chip))
        return error_set(error, ERROR_FAILED,
                         "%s: %s: an all-in figure (/energy/synop) already holds everything that "
                         "the chip used, its messages, updates and power at rest too, divided by "
                         "its synaptic operations; so nothing can be added to it but "
                         "/power/platform: leave one of the two out",
                         chip_place(chip), entry);
    return error_set(error, ERROR_FAILED,
                     "%s: %s: an incremental figure (/energy/synop) is the slope of all power over "
                     "the rate of synaptic operations and already holds what each of them sets "
                     "off; so nothing can be added to it but what /power holds: leave one of the "
                     "two out",
                     chip_place(chip), entry);
}

/* Each figure has a scope that it can have. */
static bool check_scope(const struct chip *chip, enum chip_figure i, struct error *error)
{
    if (chip->figure[i].scope == SCOPE_PER_TERM || i == CHIP_SYNOP)
        return true;
    const char *scope = chip_scope_names[chip->figure[i].scope];
    const char *group = chip_group_names[chip_figures[i].group], *key = chip_figures[i].key;
    if (chip_figures[i].group != CHIP_ENERGY)
        return error_set(error, ERROR_FAILED,
                         "%s: /%s/%s/scope is '%s'; only energies can be that, a figure of %s is "
                         "'per-term'",
                         chip_place(chip), group, key, scope, group);
    return error_set(error, ERROR_FAILED,
                     "%s: /%s/%s/scope is '%s'; such a figure is an energy per synaptic operation "
                     "and stands at /energy/synop",
                     chip_place(chip), group, key, scope);
}

static bool check_arithmetic(const struct chip *chip, enum chip_figure i, struct error *error)
{
    bool synop = i <= CHIP_SYNOP_GRADED;
    if (chip->dense ? !synop : i != CHIP_MAC)
        return true;
    return error_set(error, ERROR_FAILED, "%s: /energy/%s: a chip whose /arithmetic is '%s' has %s",
                     chip_place(chip), chip_figures[i].key, chip->dense ? "dense" : "event",
                     chip->dense ? "no synops; say what a multiply-accumulate takes, /energy/mac"
                                 : "no multiply-accumulates; say what a synop takes, "
                                   "/energy/synop");
}

static bool check_figures(const struct chip *chip, struct error *error)
{
    bool whole = chip_is_all_in(chip) || chip_is_incremental(chip);
    for (int i = 0; i < CHIP_FIGURES; i++) {
        if (!chip->figure[i].given)
            continue;
        char entry[64];
        snprintf(entry, sizeof entry, "/%s/%s", chip_group_names[chip_figures[i].group],
                 chip_figures[i].key);
        if (!check_scope(chip, (enum chip_figure)i, error) ||
            !check_arithmetic(chip, (enum chip_figure)i, error))
            return false;
        if (whole && !stands_apart((enum chip_figure)i, chip->figure[CHIP_SYNOP].scope))
            return refuse_addition(chip, entry, error);
    }
    return true;
}

static bool check_memories(const struct chip *chip, struct error *error)
{
    for (uint32_t i = 0; i < chip->memory_count; i++) {
        char entry[64];
        snprintf(entry, sizeof entry, "/memory/%" PRIu32 "/read", i);
        if (chip->memory[i].read.scope != SCOPE_PER_TERM)
            return error_set(error, ERROR_FAILED,
                             "%s: %s/scope is '%s'; what one read takes is 'per-term'",
                             chip_place(chip), entry,
                             chip_scope_names[chip->memory[i].read.scope]);
        if (chip_is_all_in(chip) || chip_is_incremental(chip))
            return refuse_addition(chip, entry, error);
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(chip->memory[i].name, chip->memory[j].name) == 0)
                return error_set(error, ERROR_FAILED,
                                 "%s: /memory/%" PRIu32 "/name is that of /memory/%" PRIu32
                                 ", too; give each memory a name of its own",
                                 chip_place(chip), i, j);
    }
    return true;
}

bool chip_check(const struct chip *chip, struct error *error)
{
    double cores = (double)chip->mesh.columns * chip->mesh.rows * chip->mesh.cores_per_tile;
    if (cores > CHIP_CORES_LIMIT)
        return error_set(error, ERROR_FAILED,
                         "%s: /mesh has %.0f cores; one chip may have %d, more are several chips",
                         chip_place(chip), cores, CHIP_CORES_LIMIT);
    if (chip->weight_bits == 0 && (chip->memory_count > 0 || chip->limits.synapse_bytes > 0))
        return error_set(error, ERROR_FAILED,
                         "%s: /weight_bits is missing; /memory and /limits/synapse_bytes need it",
                         chip_place(chip));
    return check_figures(chip, error) && check_memories(chip, error);
}

/* ------------------------------------------------------ opening and closing */

void chip_digest(struct chip *chip, const void *bytes, size_t length)
{
    const unsigned char *byte = bytes;
    uint64_t sum = strtoull(chip->digest, NULL, 16);
    for (size_t i = 0; i < length; i++)
        sum = (sum ^ byte[i]) * UINT64_C(0x100000001b3);
    snprintf(chip->digest, sizeof chip->digest, "%016" PRIx64, sum);
}

const char *chip_text(const char *name)
{
    for (size_t i = 0; chip_names[i] != NULL; i++)
        if (strcmp(chip_names[i], name) == 0)
            return chip_texts[i];
    return NULL;
}

static bool is_path(const char *name)
{
    static const char suffix[] = ".json";
    size_t length = strlen(name);
    return strchr(name, '/') != NULL ||
           (length >= strlen(suffix) && strcmp(name + length - strlen(suffix), suffix) == 0);
}

static struct chip *open_file(const char *path, struct error *error)
{
    struct mapped_file file;
    if (!mapped_file_open(&file, path, FILE_LIMIT, error))
        return NULL;
    struct chip *chip = chip_parse((const char *)file.bytes, file.length, path, error);
    mapped_file_close(&file);
    return chip;
}

struct chip *chip_open(const char *name, struct error *error)
{
    if (is_path(name))
        return open_file(name, error);
    const char *text = chip_text(name);
    if (text != NULL)
        return chip_parse(text, strlen(text), built_in, error);
    char list[CHIP_LIST] = "";
    for (size_t i = 0; chip_names[i] != NULL; i++)
        chip_list(list, chip_names[i]);
    error_set(error, ERROR_MISUSED,
              "unknown chip '%.*s'; there is %s, and any file, given by a path that has a / or "
              "ends in .json", utf8_clip(name), name, list);
    return NULL;
}

static void coefficient_clear(struct coefficient *coefficient)
{
    free(coefficient->source);
    free(coefficient->note);
}

void chip_free(struct chip *chip)
{
    if (chip == NULL)
        return;
    for (int i = 0; i < CHIP_FIGURES; i++)
        coefficient_clear(&chip->figure[i]);
    for (uint32_t i = 0; i < CHIP_MEMORIES; i++) {
        coefficient_clear(&chip->memory[i].read);
        free(chip->memory[i].name);
    }
    coefficient_clear(&chip->sync_source);
    for (uint32_t i = 0; i < chip->missing_count; i++)
        free(chip->missing[i]);
    free(chip->missing);
    free(chip->name);
    free(chip->title);
    free(chip->description);
    free(chip->origin);
    free(chip);
}
