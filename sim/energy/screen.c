/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Chips side by side: what a run costs on each, how long it takes, and what that leaves out. */
#include "sim/energy/screen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/columns.h"

static const char *const bound_marks[] = {"", "≥", "≤", "~"};

/* ---- the lines ---- */

enum { NAME_WIDTH = 16 };

static void print_marked(FILE *out, int width, enum bound bound, const char *text)
{
    char marked[COLUMNS_TEXT + 8];
    snprintf(marked, sizeof marked, "%s%s", bound_marks[bound], text);
    columns_cell(out, width, marked);
}

static void print_energy_line(FILE *out, const struct comparison *comparison, size_t index)
{
    const struct chip_cost *cost = &comparison->chips[index];
    const struct estimate *estimate = cost->estimate;
    char text[COLUMNS_TEXT];
    columns_cell(out, NAME_WIDTH, cost->chip->name);
    if (estimate == NULL) {
        fputs("  it does not fit: see below\n", out);
        return;
    }
    double inferences = load_inferences(comparison->load);
    print_marked(out, -9, energy_bound(estimate),
                 chip_has_joules(cost->chip)
                     ? columns_quantity(estimate->total / inferences, "J", text)
                     : "-");
    columns_cell(out, -18,
                 estimate->ranged > 0 && estimate->options.samples > 0
                     ? columns_range(estimate->low / inferences, estimate->high / inferences, "J",
                                     text)
                     : "-");
    for (size_t b = 0; b < comparison->baseline_count; b++) {
        const struct estimate *other =
            cost->against[b] != SIZE_MAX ? comparison->chips[cost->against[b]].estimate : NULL;
        columns_cell(out, -12, other == estimate ? "1" : other == NULL ? "-"
                                   : columns_ratio(estimate->total, other->total, text));
    }
    fprintf(out, "  %s\n", chip_scope_text(cost->chip));
}

static void print_energy(FILE *out, const struct comparison *comparison)
{
    char head[COLUMNS_TEXT];
    snprintf(head, sizeof head, "per %s", load_unit(comparison->load));
    columns_cell(out, NAME_WIDTH, head);
    fputs("   energy      90% interval", out);
    for (size_t b = 0; b < comparison->baseline_count; b++) {
        snprintf(head, sizeof head, "than %.20s", comparison->baselines[b]);
        columns_cell(out, -12, head);
    }
    fputs("  figures\n", out);
    for (size_t i = 0; i < comparison->count; i++)
        print_energy_line(out, comparison, i);
}

static void print_time_line(FILE *out, const struct comparison *comparison,
                            const struct chip_cost *cost)
{
    const struct estimate *estimate = cost->estimate;
    const struct latency *latency = &estimate->latency;
    double inferences = load_inferences(comparison->load);
    enum bound bound = latency->lower_bound ? BOUND_LOWER : BOUND_NONE;
    bool timed = latency->known, costed = timed && chip_has_joules(cost->chip);
    char text[COLUMNS_TEXT], cores[COLUMNS_TEXT] = "-";
    columns_cell(out, NAME_WIDTH, cost->chip->name);
    print_marked(out, -9, bound,
                 timed ? columns_quantity(latency->per_inference, "s", text) : "-");
    costed = costed && latency->seconds > 0;
    print_marked(out, -9, costed && (bound | energy_bound(estimate)) != 0 ? BOUND_BOTH : BOUND_NONE,
                 costed ? columns_quantity(estimate->total / latency->seconds, "W", text) : "-");
    print_marked(out, -12, costed ? bound | energy_bound(estimate) : BOUND_NONE,
                 costed ? columns_quantity(estimate->total / inferences * latency->per_inference,
                                           "Js", text)
                        : "-");
    if (estimate->placement != NULL)
        snprintf(cores, sizeof cores, "%u x %u", estimate->placement->core_count,
                 estimate->placement->chips);
    columns_cell(out, -12, cores);
    columns_cell(out, -9, estimate->platform > 0
                               ? columns_quantity(estimate->platform / inferences, "J", text)
                               : "-");
    fprintf(out, "  %s\n", chip_evidence_text(cost->chip));
}

static void print_time(FILE *out, const struct comparison *comparison)
{
    fputs("                  latency    power energy*time cores*chips platform  evidence\n", out);
    for (size_t i = 0; i < comparison->count; i++)
        if (comparison->chips[i].estimate != NULL)
            print_time_line(out, comparison, &comparison->chips[i]);
}

/* ---- what has to be said of them ---- */

static void print_reasons(FILE *out, const struct comparison *comparison)
{
    for (size_t i = 0; i < comparison->count; i++)
        if (comparison->chips[i].estimate == NULL) {
            char lead[COLUMNS_TEXT + 32];
            snprintf(lead, sizeof lead, "%.32s does not fit: ", comparison->chips[i].chip->name);
            columns_paragraph(out, lead, 2, comparison->chips[i].failure.text);
        }
}

static bool any_bound(const struct comparison *comparison, enum bound bound, bool of_time)
{
    for (size_t i = 0; i < comparison->count; i++) {
        const struct estimate *estimate = comparison->chips[i].estimate;
        if (estimate != NULL && (((energy_bound(estimate) & bound) != 0 && !of_time) ||
                                 (of_time && estimate->latency.lower_bound)))
            return true;
    }
    return false;
}

/* A published figure that stands at the end of its range leaves the total outside the interval. */
static bool any_without_range(const struct comparison *comparison)
{
    for (size_t i = 0; i < comparison->count; i++)
        if (comparison->chips[i].estimate != NULL && comparison->chips[i].estimate->ranged == 0)
            return true;
    return false;
}

/* Those that hold more than they can. */
static void print_beyond(FILE *out, const struct comparison *comparison)
{
    for (size_t i = 0; i < comparison->count; i++) {
        const struct estimate *estimate = comparison->chips[i].estimate;
        if (estimate != NULL && estimate->placement != NULL && estimate->placement->beyond_limits)
            fprintf(out, "%.40s: the run does not fit; projected beyond the chip's limits\n",
                    estimate->chip->name);
    }
}

static void print_marks(FILE *out, const struct comparison *comparison)
{
    print_beyond(out, comparison);
    if (any_bound(comparison, BOUND_LOWER, true))
        columns_paragraph(out, "≥ ", 2,
                          "at least: without every spike in the trace (--trace-level spike) each "
                          "tick is taken as the mean one, so the time, and the power at rest over "
                          "it, are lower bounds");
    if (any_bound(comparison, BOUND_UPPER, false))
        columns_paragraph(out, "≤ ", 2,
                          "at most: updates were not counted in the run (--count-updates), so "
                          "every neuron is taken as updated at every tick");
    if (any_bound(comparison, BOUND_LOWER, true) || any_bound(comparison, BOUND_UPPER, false))
        columns_paragraph(out, "~ ", 2, "about: made of bounds of both kinds, or a ratio of them");
    if (any_without_range(comparison))
        columns_paragraph(out, "- ", 2,
                          "in the interval: no range is published for the chip's figures, which "
                          "does not make them exact");
    for (size_t i = 0; i < comparison->count; i++)
        if (comparison->chips[i].estimate != NULL && comparison->chips[i].estimate->platform > 0) {
            columns_paragraph(out, "platform: ", 2,
                              "what board and host take in that time, in no other figure");
            break;
        }
}

static bool lacks(const struct estimate *estimate, const char *sentence)
{
    for (uint32_t i = 0; i < estimate->missing_count; i++)
        if (strcmp(estimate->missing[i], sentence) == 0)
            return true;
    return false;
}

/* Sentences that hold for every chip here. */
static void print_common(FILE *out, const struct comparison *comparison)
{
    const struct estimate *first = NULL;
    for (size_t i = 0; first == NULL && i < comparison->count; i++)
        first = comparison->chips[i].estimate;
    for (uint32_t m = 0; first != NULL && m < first->missing_count; m++) {
        bool all = true;
        for (size_t i = 0; i < comparison->count && all; i++)
            all = comparison->chips[i].estimate == NULL ||
                  lacks(comparison->chips[i].estimate, first->missing[m]);
        if (all)
            columns_paragraph(out, "  ", 4, first->missing[m]);
    }
}

/* The causes that a chip has no figure for. */
static void print_without_figure(FILE *out, const struct chip *chip)
{
    char text[256] = "", lead[64];
    for (int term = 0; term < TERMS; term++) {
        size_t used = strlen(text);
        if (term != TERM_ALL_IN && !chip_has_term(chip, (enum energy_term)term))
            snprintf(text + used, sizeof text - used, "%s%s", used > 0 ? ", " : "",
                     energy_term_names[term]);
    }
    snprintf(lead, sizeof lead, "  %.32s: ", chip->name);
    if (*text != '\0')
        columns_paragraph(out, lead, 4, text);
}

/* In short; the screen of one chip has it all. */
static void print_missing(FILE *out, const struct comparison *comparison)
{
    fputs("not included:\n", out);
    print_common(out, comparison);
    fputs("  what a chip has no figures for (more with --layers CHIP):\n", out);
    for (size_t i = 0; i < comparison->count; i++)
        if (comparison->chips[i].estimate != NULL && !chip_is_all_in(comparison->chips[i].chip))
            print_without_figure(out, comparison->chips[i].chip);
}

static void print_title(FILE *out, const struct load *load)
{
    char tick[COLUMNS_TEXT], count[COLUMNS_TEXT] = "", title[512];
    if (load->sampled)
        snprintf(count, sizeof count, "%llu %s%s, ", (unsigned long long)load->positions,
                 load_unit(load), load->positions > 1 ? "s" : "");
    snprintf(title, sizeof title, "%.200s: %s%llu ticks%s%s; %.200s, run %lld (%.20s)",
             load->model != NULL ? load->model : "(unnamed)", count,
             (unsigned long long)load->ticks, load->tick_seconds > 0 ? " of " : "",
             load->tick_seconds > 0 ? columns_quantity(load->tick_seconds, "s", tick) : "",
             load->path != NULL ? load->path : "", (long long)load->run,
             load->status != NULL ? load->status : "");
    columns_paragraph(out, "", 2, title);
}

void screen_energy_totals(FILE *out, const struct comparison *comparison)
{
    print_title(out, comparison->load);
    putc('\n', out);
    print_energy(out, comparison);
    putc('\n', out);
    print_time(out, comparison);
    putc('\n', out);
    print_reasons(out, comparison);
    print_marks(out, comparison);
    print_missing(out, comparison);
}
