/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Changing one entry of a chip: "energy.hop_east=3.5pJ".
 *
 * A change is made to a copy of the struct, which shares its texts with the chip; only the source
 * of a changed figure is new. Where the copy passes chip_check it takes the chip's place and what
 * it no longer needs is released; else the new source is, and the chip is as it was.
 */
#define _GNU_SOURCE 1
#include "traces/energy/chip_internal.h"

#include "neurons/import/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct change {
    struct chip chip; /* the copy */
    struct coefficient *coefficient; /* of the copy: the figure given; NULL: it was none */
    const char *entry, *value;       /* "energy.hop_east", "3.5pJ" */
    struct error *error;
};

static bool refuse(const struct change *change, const char *remedy)
{
    return error_set(change->error, ERROR_MISUSED, "%.*s=%.*s: %s", utf8_clip(change->entry),
                     change->entry, utf8_clip(change->value), change->value, remedy);
}

/* ------------------------------------------------------------------- values */

static bool value_number(const struct change *change, double low, double high, double *number)
{
    char *end, remedy[96];
    *number = strtod(change->value, &end);
    if (end != change->value && *end == '\0' && *number >= low && *number <= high &&
        *number == floor(*number))
        return true;
    snprintf(remedy, sizeof remedy, "this takes a whole number from %.0f to %.0f", low, high);
    return refuse(change, remedy);
}

static bool value_flag(const struct change *change, bool *flag)
{
    *flag = strcmp(change->value, "true") == 0;
    return *flag || strcmp(change->value, "false") == 0 ||
           refuse(change, "this is either true or false");
}

/* "3.5pJ" into a figure, which keeps its scope. */
static bool value_figure(struct change *change, enum chip_group group,
                         struct coefficient *coefficient)
{
    char *end, *source, remedy[160];
    struct coefficient given = {.given = true,
                                .scope = coefficient->given ? coefficient->scope : SCOPE_PER_TERM,
                                .evidence = EVIDENCE_ASSUMED};
    given.value = strtod(change->value, &end);
    bool number = end != change->value && given.value >= 0 && isfinite(given.value);
    given.low = given.high = given.value;
    end += strspn(end, " ");
    if (!number || !chip_unit_apply(&given, group, end) || given.value > chip_figure_most) {
        const char *kind = number ? chip_unit_kind(end) : NULL;
        snprintf(remedy, sizeof remedy, "this takes a number that is not negative with its unit%s; "
                 "%s", kind != NULL && strcmp(kind, chip_group_names[group]) != 0
                           ? ", which is of another kind" : "", chip_unit_remedy(group));
        return refuse(change, remedy);
    }
    source = strdup("changed on the command line");
    if (source == NULL)
        return error_no_memory(change->error, "the source of a figure");
    given.source = source;
    *coefficient = given;
    change->coefficient = coefficient;
    return true;
}

/* ------------------------------------------------------------------ entries */

/* Refuses the entry: `group` is followed by one of `list`. */
static bool refuse_entry(const struct change *change, const char *group, const char *list)
{
    return error_set(change->error, ERROR_MISUSED, "unknown entry '%.*s'; there is %s%s%s",
                     utf8_clip(change->entry), change->entry, group, *group != '\0' ? " with " : "",
                     list);
}

static bool change_figure(struct change *change, enum chip_group group, const char *key)
{
    enum chip_figure figure = chip_figure_find(group, key);
    if (figure < CHIP_FIGURES)
        return value_figure(change, group, &change->chip.figure[figure]);
    if (group == CHIP_TIME && strcmp(key, "sync") == 0) { /* however many tiles there are */
        if (!value_figure(change, group, &change->chip.sync_source))
            return false;
        change->chip.sync_count = 1;
        change->chip.sync[0].tiles = 1;
        change->chip.sync[0].seconds = change->chip.sync_source.value;
        return true;
    }
    char list[CHIP_LIST] = "";
    for (int i = 0; i < CHIP_FIGURES; i++)
        if (chip_figures[i].group == group)
            chip_list(list, chip_figures[i].key);
    if (group == CHIP_TIME)
        chip_list(list, "sync");
    return refuse_entry(change, chip_group_names[group], list);
}

static bool change_limit(struct change *change, const char *key)
{
    double number;
    char list[CHIP_LIST] = "";
    for (const struct chip_number_line *line = chip_limit_lines; line->key != NULL; line++) {
        chip_list(list, line->key);
        if (strcmp(line->key, key) != 0)
            continue;
        if (!value_number(change, line->low, line->high, &number))
            return false;
        *(uint64_t *)(void *)((char *)&change->chip.limits + line->offset) = (uint64_t)number;
        return true;
    }
    return refuse_entry(change, "limits", list);
}

static bool change_mesh(struct change *change, const char *key)
{
    double number;
    char list[CHIP_LIST] = "";
    for (const struct chip_number_line *line = chip_mesh_lines; line->key != NULL; line++) {
        chip_list(list, line->key);
        if (strcmp(line->key, key) != 0)
            continue;
        if (!value_number(change, line->low, line->high, &number))
            return false;
        *(uint32_t *)(void *)((char *)&change->chip.mesh + line->offset) = (uint32_t)number;
        return true;
    }
    return refuse_entry(change, "mesh", list);
}

/* "SRAM.read" */
static bool change_memory(struct change *change, const char *key)
{
    struct chip *chip = &change->chip;
    const char *dot = strchr(key, '.');
    size_t length = dot != NULL ? (size_t)(dot - key) : strlen(key);
    struct chip_memory *memory = NULL;
    char list[CHIP_LIST] = "";
    for (uint32_t i = 0; i < chip->memory_count; i++) {
        chip_list(list, chip->memory[i].name);
        if (strlen(chip->memory[i].name) == length &&
            strncmp(chip->memory[i].name, key, length) == 0)
            memory = &chip->memory[i];
    }
    if (memory == NULL)
        return refuse_entry(change, "memory",
                            list[0] != '\0' ? list : "nothing: this chip has none");
    const char *entry = dot != NULL ? dot + 1 : "";
    double number;
    if (strcmp(entry, "read") == 0)
        return value_figure(change, CHIP_ENERGY, &memory->read);
    if (strcmp(entry, "block_bytes") == 0) {
        if (!value_number(change, 1, CHIP_BLOCK_LIMIT, &number))
            return false;
        memory->block_bytes = (uint32_t)number;
        return true;
    }
    if (strcmp(entry, "layout") == 0) {
        bool by_source = strcmp(change->value, chip_layout_names[LAYOUT_BY_SOURCE]) == 0;
        if (!by_source && strcmp(change->value, chip_layout_names[LAYOUT_BY_TARGET]) != 0)
            return refuse(change, "this is either by-target or by-source");
        memory->layout = by_source ? LAYOUT_BY_SOURCE : LAYOUT_BY_TARGET;
        return true;
    }
    return refuse_entry(change, "a memory", "read, block_bytes, layout");
}

/* What stands at the top of the file. */
static bool change_top(struct change *change)
{
    struct chip *chip = &change->chip;
    const struct {
        const char *key;
        bool *flag;
        uint32_t *number;
        double low;
    } tops[] = {
        {"graded", &chip->graded, NULL, 0},
        {"shares_kernels", &chip->shares_kernels, NULL, 0},
        {"weight_bits", NULL, &chip->weight_bits, 1},
        {"message_bits", NULL, &chip->message_bits, 0},
        {"payload_bits", NULL, &chip->payload_bits, 0},
    };
    char list[CHIP_LIST] = "energy.…, power.…, time.…, limits.…, mesh.…, memory.NAME.…";
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++) {
        chip_list(list, tops[i].key);
        if (strcmp(tops[i].key, change->entry) != 0)
            continue;
        if (tops[i].flag != NULL)
            return value_flag(change, tops[i].flag);
        double number;
        if (!value_number(change, tops[i].low, CHIP_BITS_LIMIT, &number))
            return false;
        *tops[i].number = (uint32_t)number;
        return true;
    }
    return refuse_entry(change, "", list);
}

static bool change_entry(struct change *change)
{
    const char *dot = strchr(change->entry, '.');
    if (dot == NULL)
        return change_top(change);
    size_t length = (size_t)(dot - change->entry);
    for (int group = 0; chip_group_names[group] != NULL; group++)
        if (strlen(chip_group_names[group]) == length &&
            strncmp(change->entry, chip_group_names[group], length) == 0)
            return change_figure(change, (enum chip_group)group, dot + 1);
    if (strncmp(change->entry, "limits.", length + 1) == 0)
        return change_limit(change, dot + 1);
    if (strncmp(change->entry, "mesh.", length + 1) == 0)
        return change_mesh(change, dot + 1);
    if (strncmp(change->entry, "memory.", length + 1) == 0)
        return change_memory(change, dot + 1);
    return change_top(change);
}

/* The copy takes the chip's place. */
static void change_keep(struct change *change, struct chip *chip)
{
    struct coefficient before = {0};
    if (change->coefficient != NULL) /* the same place in the chip as in the copy */
        before = *(struct coefficient *)(void *)((char *)chip + ((char *)change->coefficient -
                                                                  (char *)&change->chip));
    *chip = change->chip;
    free(before.source);
    free(before.note);
}

bool chip_change(struct chip *chip, const char *assignment, struct error *error)
{
    const char *equals = strchr(assignment, '=');
    if (equals == NULL || equals == assignment)
        return error_set(error, ERROR_MISUSED, "'%.*s' changes nothing; write ENTRY=VALUE, as in "
                         "energy.synop=20pJ", utf8_clip(assignment), assignment);
    char *entry = strndup(assignment, (size_t)(equals - assignment));
    if (entry == NULL)
        return error_no_memory(error, "a change of a chip");
    struct change change = {.chip = *chip, .entry = entry, .value = equals + 1, .error = error};
    struct error refusal = {0};
    bool done = change_entry(&change);
    if (done && !chip_check(&change.chip, &refusal))
        done = error_set(error, ERROR_MISUSED, "%s", refusal.text);
    if (done) {
        change_keep(&change, chip);
        chip_digest(chip, assignment, strlen(assignment) + 1);
    } else if (change.coefficient != NULL)
        free(change.coefficient->source);
    free(entry);
    return done;
}
