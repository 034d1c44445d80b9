/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/screen.h"

#include <string.h>

#include "sim/figures_json.h"

const char *screen_counted(uint64_t number, char text[SCREEN_NUMBER])
{
    static const char units[] = "kMGTPE";
    double value = (double)number;
    if (number < 10000) {
        snprintf(text, SCREEN_NUMBER, "%llu", (unsigned long long)number);
        return text;
    }
    int unit = -1;
    while (value >= 999.95) {
        value /= 1000;
        unit++;
    }
    snprintf(text, SCREEN_NUMBER, "%.*f %c", value < 9.9995 ? 3 : value < 99.995 ? 2 : 1, value,
             units[unit]);
    return text;
}

const char *screen_joules(double picojoules, char text[SCREEN_NUMBER])
{
    static const char *const units[] = {"pJ", "nJ", "uJ", "mJ", "J"};
    size_t unit = 0;
    while (picojoules >= 1000 && unit + 1 < sizeof units / sizeof *units) {
        picojoules /= 1000;
        unit++;
    }
    snprintf(text, SCREEN_NUMBER, "%.3g %s", picojoules, units[unit]);
    return text;
}

/* The name of a population without its layer, which has a column of its own. */
static const char *short_name(const char *name)
{
    const char *dot = strncmp(name, "layers.", 7) == 0 ? strchr(name + 7, '.') : NULL;
    return dot != NULL ? dot + 1 : name;
}

static void print_row(FILE *out, const char *layer, const char *name, uint32_t neurons,
                      const struct population_tally *tally)
{
    struct sparsity s = sparsity_of(tally);
    char spikes[SCREEN_NUMBER], synops[SCREEN_NUMBER], size[SCREEN_NUMBER] = "";
    if (neurons > 0)
        snprintf(size, sizeof size, "%u", neurons);
    fprintf(out, "%5s %-10s %7s %6.2f%% %5.3f  %5.1f%% %5.1f%% %5.1f%% %8s %8s\n", layer, name, size,
            100 * s.silent_fraction, s.mean_spikes, 100 * s.slot_sparsity_3,
            100 * s.slot_sparsity, 100 * s.report_sparsity, screen_counted(tally->spikes, spikes),
            screen_counted(tally->synops, synops));
}

static void print_layers(FILE *out, const struct report *report)
{
    struct population_tally total = {0};
    fprintf(out, "                         silent  mean   ------ sparsity -----\n"
                 "layer population neurons   chan. spikes 3 slot T slot report   spikes   synops\n");
    for (uint32_t i = 0; i < report->row_count; i++) {
        const struct report_row *row = &report->rows[i];
        char layer[SCREEN_NUMBER] = "";
        if (row->layer >= 0)
            snprintf(layer, sizeof layer, "%d", row->layer);
        print_row(out, layer, short_name(row->name), row->neurons, &row->tally);
        population_tally_add(&total, &row->tally);
    }
    print_row(out, "all", "", 0, &total);
    if (report->positions == 0)
        return;
    double tokens = (double)report->positions;
    fprintf(out, "\nper token: %.0f spikes, %.0f synops, %.1f virtual ticks\n",
            (double)total.spikes / tokens, (double)total.synops / tokens,
            (double)report->ticks / tokens);
}

static void print_reference(FILE *out, const char *name, const struct reference *reference)
{
    char arithmetic[SCREEN_NUMBER], memory[SCREEN_NUMBER] = "-", both[SCREEN_NUMBER] = "-";
    if (reference->memory > 0) {
        screen_joules(reference->memory, memory);
        screen_joules(reference->arithmetic + reference->memory, both);
    }
    fprintf(out, "  %-28s %10s  %10s  %10s  %s\n", name,
            screen_joules(reference->arithmetic, arithmetic), memory, both, reference->chip);
}

/* How much less (or more) than a dense pass, with and without weights fetched. */
static void print_saving(FILE *out, const char *name, const struct reference *spikes,
                         const struct reference *dense)
{
    double arithmetic = 100 * (spikes->arithmetic / dense->arithmetic - 1);
    double both = 100 * ((spikes->arithmetic + spikes->memory) /
                             (dense->arithmetic + dense->memory) - 1);
    if (spikes->memory > 0)
        fprintf(out, "  %-28s %+9.1f%%              %+9.1f%%\n", name, arithmetic, both);
    else
        fprintf(out, "  %-28s %+9.1f%%\n", name, arithmetic);
}

void screen_references(FILE *out, const struct references *references, const char *unit,
                       const char *trace)
{
    const struct reference *of = references->of;
    if (references->weights <= 0)
        return;
    char title[SCREEN_NUMBER];
    snprintf(title, sizeof title, "energy per %s, 45 nm", unit);
    fprintf(out, "\n%-30s arithmetic     weights        both  chip\n", title);
    print_reference(out, "spikes, the report's formula", &of[REFERENCE_IDEAL]);
    print_reference(out, "spikes, 32-bit accumulate", &of[REFERENCE_SPIKES]);
    print_reference(out, "dense INT8", &of[REFERENCE_INT8]);
    print_reference(out, "dense FP16", &of[REFERENCE_FP16]);
    print_saving(out, "report's formula to INT8", &of[REFERENCE_IDEAL], &of[REFERENCE_INT8]);
    print_saving(out, "report's formula to FP16", &of[REFERENCE_IDEAL], &of[REFERENCE_FP16]);
    print_saving(out, "32-bit spikes to INT8", &of[REFERENCE_SPIKES], &of[REFERENCE_INT8]);
    print_saving(out, "32-bit spikes to FP16", &of[REFERENCE_SPIKES], &of[REFERENCE_FP16]);
    fprintf(out,
            "  included: %.4g M weights that spikes reach, %.4g synops a weight;\n"
            "  weights fetched in lines of SRAM (volley chips %s: every figure)\n"
            "  not included: neurons, routing, control, leakage, time:\n"
            "  volley energy %s projects the run onto chips\n",
            references->weights / 1e6, references->synops / references->weights,
            of[REFERENCE_SPIKES].chip, trace != NULL ? trace : "TRACE.db (a run with --trace)");
}

json_t *screen_references_json(const struct references *references, bool *failed)
{
    json_t *object = json_object(), *list = json_array();
    figures_set(object, "weights", figures_number(references->weights), failed);
    figures_set(object, "synops", figures_number(references->synops), failed);
    for (int i = 0; i < REFERENCES; i++) {
        const struct reference *reference = &references->of[i];
        json_t *item = json_object();
        figures_set(item, "chip", figures_text(reference->chip), failed);
        figures_set(item, "arithmetic_pj", figures_number(reference->arithmetic), failed);
        figures_set(item, "memory_pj", figures_number(reference->memory), failed);
        if (json_array_append_new(list, item) != 0)
            *failed = true;
    }
    figures_set(object, "chips", list, failed);
    return object;
}

void screen_print(FILE *out, const struct report *report, const struct references *references)
{
    fprintf(out, "%s: %llu tokens", report->model != NULL ? report->model : "(unnamed)",
            (unsigned long long)report->positions);
    if (report->coding != NULL)
        fprintf(out, ", coding %s, k = %g", report->coding, report->k);
    else
        fprintf(out, ", floating point, no spikes");
    if (report->down_proj != NULL)
        fprintf(out, ", down_proj %s", report->down_proj);
    if (report->window > 0)
        fprintf(out, ", window %u", report->window);
    if (report->status != NULL && strcmp(report->status, "done") != 0)
        fprintf(out, " (%s)", report->status);
    fprintf(out, "\n\n");
    if (report->row_count == 0)
        return;
    print_layers(out, report);
    screen_references(out, references, "token", report->trace);
}
