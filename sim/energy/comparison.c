/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/energy/comparison.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHIPS_LIMIT = 64, ENTRY_LIMIT = 4096 };

/* ---- lists on the command line ---- */

/* The next entry of a list: *list moves behind it. False at the end. */
static bool next_entry(const char **list, char entry[ENTRY_LIMIT])
{
    if (*list == NULL)
        return false;
    size_t length = strcspn(*list, ",");
    snprintf(entry, ENTRY_LIMIT, "%.*s", (int)(length < ENTRY_LIMIT ? length : ENTRY_LIMIT - 1),
             *list);
    *list = (*list)[length] == ',' ? *list + length + 1 : NULL;
    return true;
}

/* ---- chips ---- */

static bool change_chip(struct chip *chip, const char *changes, struct error *error)
{
    char entry[ENTRY_LIMIT];
    while (next_entry(&changes, entry))
        if (!chip_change(chip, entry, error))
            return false;
    return true;
}

/* The chips are told apart by their names: on the screen, in the trace. */
static bool check_name(struct comparison *comparison, const struct chip *chip,
                       struct error *error)
{
    for (size_t i = 0; i < comparison->count; i++)
        if (strcmp(comparison->chips[i].chip->name, chip->name) == 0)
            return error_set(error, ERROR_MISUSED,
                             "two of the chips are called '%.60s'; leave one out, or give it "
                             "another name",
                             chip->name);
    return true;
}

static bool add_chip(struct comparison *comparison, const char *name, const char *changes,
                     struct error *error)
{
    if (comparison->count == CHIPS_LIMIT)
        return error_set(error, ERROR_MISUSED, "more than %d chips at once", CHIPS_LIMIT);
    struct chip *chip = chip_open(name, error);
    if (chip == NULL)
        return false;
    struct chip_cost *more =
        realloc(comparison->chips, (comparison->count + 1) * sizeof *comparison->chips);
    if (more != NULL)
        comparison->chips = more;
    if (more == NULL || !check_name(comparison, chip, error) ||
        !change_chip(chip, changes, error)) {
        chip_free(chip);
        return more != NULL ? false : error_no_memory(error, "the chips");
    }
    struct chip_cost *cost = &more[comparison->count++];
    *cost = (struct chip_cost){.chip = chip, .changes = changes};
    for (size_t b = 0; b < BASELINES; b++)
        cost->against[b] = SIZE_MAX;
    cost->estimate = estimate_new(comparison->load, chip, &comparison->options, &cost->failure);
    return true;
}

/* ---- baselines ---- */

static bool is_shipped(const char *name)
{
    for (size_t i = 0; chip_names[i] != NULL; i++)
        if (strcmp(chip_names[i], name) == 0)
            return true;
    return false;
}

/* "fp16" is the dense chip of that arithmetic in the chip's technology or, where none is shipped,
 * at 45 nm. */
static void baseline_name(const char *short_name, const struct chip *chip, char name[ENTRY_LIMIT])
{
    snprintf(name, ENTRY_LIMIT, "%.100s-%.0fnm", short_name, chip->nanometres);
    if (!is_shipped(name))
        snprintf(name, ENTRY_LIMIT, "%.100s-45nm", short_name);
}

/* Finds or brings in the baseline of a column for one chip. */
static bool add_baseline(struct comparison *comparison, size_t chip, size_t column,
                         struct error *error)
{
    const char *given = comparison->baselines[column];
    char name[ENTRY_LIMIT], by_technology[ENTRY_LIMIT];
    baseline_name(given, comparison->chips[chip].chip, by_technology);
    snprintf(name, sizeof name, "%s",
             !is_shipped(given) && is_shipped(by_technology) ? by_technology : given);
    struct chip_cost *found = comparison_find(comparison, name);
    if (found == NULL && !add_chip(comparison, name, NULL, error))
        return false;
    found = found != NULL ? found : &comparison->chips[comparison->count - 1];
    comparison->chips[chip].against[column] = (size_t)(found - comparison->chips);
    return found->chip->dense ||
           error_set(error, ERROR_MISUSED,
                     "--baseline takes dense chips, which %.60s is not; see volley chips",
                     found->chip->name);
}

static bool read_baselines(struct comparison *comparison, const char *list, struct error *error)
{
    char entry[ENTRY_LIMIT];
    if (strcmp(list, "none") == 0)
        return true;
    while (next_entry(&list, entry)) {
        if (comparison->baseline_count == BASELINES)
            return error_set(error, ERROR_MISUSED, "--baseline takes at most %d chips", BASELINES);
        char *copy = strdup(entry);
        if (copy == NULL)
            return error_no_memory(error, "the chips");
        comparison->baselines[comparison->baseline_count++] = copy;
    }
    return true;
}

/* ---- all of it ---- */

struct chip_cost *comparison_find(const struct comparison *comparison, const char *name)
{
    for (size_t i = 0; i < comparison->count; i++)
        if (strcmp(comparison->chips[i].chip->name, name) == 0 ||
            strcmp(comparison->chips[i].chip->origin, name) == 0)
            return &comparison->chips[i];
    return NULL;
}

bool comparison_make(struct comparison *comparison, const struct load *load,
                     const struct comparison_request *request, struct error *error)
{
    *comparison = (struct comparison){.load = load, .options = request->options};
    const char *list = request->chips;
    char entry[ENTRY_LIMIT];
    while (next_entry(&list, entry))
        if (!add_chip(comparison, entry, request->changes, error))
            return false;
    comparison->asked = comparison->count;
    if (!read_baselines(comparison, request->baselines, error))
        return false;
    /* Baselines that this brings in are held against each other, too. */
    for (size_t i = 0; i < comparison->count; i++)
        for (size_t b = 0; b < comparison->baseline_count; b++)
            if (!add_baseline(comparison, i, b, error))
                return false;
    return true;
}

void comparison_free(struct comparison *comparison)
{
    for (size_t i = 0; i < comparison->count; i++) {
        estimate_free(comparison->chips[i].estimate);
        chip_free(comparison->chips[i].chip);
    }
    for (size_t b = 0; b < comparison->baseline_count; b++)
        free(comparison->baselines[b]);
    free(comparison->chips);
    *comparison = (struct comparison){0};
}

/* ---- what is said of a chip and of an estimate ---- */

const char *const bound_names[] = {NULL, "lower", "upper", "both"};

enum bound energy_bound(const struct estimate *estimate)
{
    bool lower = estimate->joules[TERM_STATIC] > 0 && estimate->latency.lower_bound, upper = false;
    for (uint32_t r = 0; r < estimate->row_count; r++)
        upper |= estimate->rows[r].events.updates_bounded &&
                 estimate->rows[r].events.updates > 0 &&
                 estimate->rows[r].joules[TERM_NEURON] > 0 &&
                 estimate->chip->figure[CHIP_NEURON_UPDATE].given;
    return (enum bound)((lower ? BOUND_LOWER : 0) | (upper ? BOUND_UPPER : 0));
}

const char *chip_scope_text(const struct chip *chip)
{
    bool given[3] = {false}; /* [enum chip_group] */
    for (int i = 0; i < CHIP_FIGURES; i++)
        if (i != CHIP_POWER_PLATFORM)
            given[chip_figures[i].group] |= chip->figure[i].given;
    if (!given[CHIP_ENERGY] && chip->memory_count == 0)
        return given[CHIP_POWER] ? "power" : "times";
    return chip->dense ? "dense"
                       : chip_scope_names[chip_is_all_in(chip)        ? SCOPE_ALL_IN
                                          : chip_is_incremental(chip) ? SCOPE_INCREMENTAL
                                                                      : SCOPE_PER_TERM];
}

bool chip_has_joules(const struct chip *chip)
{
    for (int term = 0; term < TERMS; term++)
        if (chip_has_term(chip, (enum energy_term)term))
            return true;
    return false;
}

const char *chip_evidence_text(const struct chip *chip)
{
    int found = -1;
    for (int i = 0; i < CHIP_FIGURES + (int)chip->memory_count; i++) {
        const struct coefficient *figure =
            i < CHIP_FIGURES ? &chip->figure[i] : &chip->memory[i - CHIP_FIGURES].read;
        if (!figure->given || i == CHIP_POWER_PLATFORM ||
            (i < CHIP_FIGURES && chip_figures[i].group == CHIP_TIME))
            continue;
        if (found >= 0 && found != (int)figure->evidence)
            return "mixed";
        found = (int)figure->evidence;
    }
    return found >= 0 ? chip_evidence_names[found] : "-";
}

bool chip_has_term(const struct chip *chip, enum energy_term term)
{
    static const struct {
        int first, last; /* first > last: the memories */
    } figures[TERMS] = {
        [TERM_ALL_IN] = {CHIP_SYNOP, CHIP_SYNOP},
        [TERM_SYNOP] = {CHIP_SYNOP, CHIP_MAC},
        [TERM_MEMORY] = {1, 0},
        [TERM_NEURON] = {CHIP_NEURON_ACCESS, CHIP_NEURON_UPDATE},
        [TERM_SPIKE] = {CHIP_SPIKE, CHIP_SPIKE},
        [TERM_MESSAGE] = {CHIP_MESSAGE_OUT, CHIP_MESSAGE_IN},
        [TERM_HOP] = {CHIP_HOP_LOCAL, CHIP_HOP_SOUTH},
        [TERM_LINK] = {CHIP_LINK_BIT, CHIP_LINK_BIT},
        [TERM_CONTROL] = {CHIP_CONTROL_SPIKE, CHIP_CONTROL_SYNOP},
        [TERM_STATIC] = {CHIP_POWER_CORE, CHIP_POWER_BYTE},
    };
    bool given = figures[term].first > figures[term].last && chip->memory_count > 0;
    for (int i = figures[term].first; i <= figures[term].last; i++)
        given |= chip->figure[i].given;
    return given;
}

static uint64_t core_neurons(const struct core *core)
{
    return core->neurons;
}

static uint64_t core_synapses(const struct core *core)
{
    return core->synapses;
}

static uint64_t core_bytes(const struct core *core)
{
    return core->synapse_bytes;
}

static uint64_t core_fan_in(const struct core *core)
{
    return core->fan_in;
}

static uint64_t core_fan_out(const struct core *core)
{
    return core->fan_out;
}

void chip_uses(const struct estimate *estimate, struct chip_use uses[CHIP_USES])
{
    const struct chip_limits *limits = &estimate->chip->limits;
    const struct placement *placement = estimate->placement;
    const struct {
        const char *key, *label;
        uint64_t limit;
        uint64_t (*of)(const struct core *);
    } lines[CHIP_USES] = {
        {"neurons", "neurons", limits->neurons, core_neurons},
        {"synapses", "synapses", limits->synapses, core_synapses},
        {"synapse_bytes", "synapse bytes", limits->synapse_bytes, core_bytes},
        {"fan_in", "fan-in", limits->fan_in, core_fan_in},
        {"fan_out", "fan-out", limits->fan_out, core_fan_out},
    };
    for (size_t i = 0; i < CHIP_USES; i++) {
        uses[i] = (struct chip_use){lines[i].key, lines[i].label, lines[i].limit, 0, 0};
        for (uint32_t c = 0; c < placement->core_count; c++) {
            double value = (double)lines[i].of(&placement->cores[c]);
            uses[i].mean += value / placement->core_count;
            uses[i].largest = fmax(uses[i].largest, value);
        }
    }
}

struct traffic estimate_traffic(const struct estimate *estimate)
{
    struct traffic sum = {0};
    for (uint32_t r = 0; r < estimate->row_count; r++) {
        const struct traffic *of = &estimate->rows[r].events.traffic;
        sum.messages += of->messages;
        sum.hops_east += of->hops_east;
        sum.hops_west += of->hops_west;
        sum.hops_north += of->hops_north;
        sum.hops_south += of->hops_south;
        sum.hops_local += of->hops_local;
        sum.links += of->links;
        sum.most_hops = of->most_hops > sum.most_hops ? of->most_hops : sum.most_hops;
    }
    return sum;
}

double traffic_hops(const struct traffic *traffic)
{
    return traffic->hops_east + traffic->hops_west + traffic->hops_north + traffic->hops_south;
}
