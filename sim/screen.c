/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/screen.h"

#include <string.h>

#include "traces/energy.h"

enum { NUMBER_ROOM = 32 };

/* A count with a comma between thousands. */
static const char *grouped(uint64_t number, char text[NUMBER_ROOM])
{
    char digits[NUMBER_ROOM];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number), used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return text;
}

/* Energy in the unit that keeps it readable. */
static const char *joules(double picojoules, char text[NUMBER_ROOM])
{
    static const char *const units[] = {"pJ", "nJ", "uJ", "mJ", "J"};
    size_t unit = 0;
    while (picojoules >= 1000 && unit + 1 < sizeof units / sizeof *units) {
        picojoules /= 1000;
        unit++;
    }
    snprintf(text, NUMBER_ROOM, "%.3g %s", picojoules, units[unit]);
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
    char spikes[NUMBER_ROOM], synops[NUMBER_ROOM], size[NUMBER_ROOM] = "";
    if (neurons > 0)
        grouped(neurons, size);
    fprintf(out, "%5s  %-12s %7s  %6.2f%% %6.3f   %6.2f%% %6.2f%% %6.2f%%  %14s %17s\n", layer, name,
            size, 100 * s.silent_fraction, s.mean_spikes, 100 * s.slot_sparsity_3,
            100 * s.slot_sparsity, 100 * s.report_sparsity, grouped(tally->spikes, spikes),
            grouped(tally->synops, synops));
}

static void print_layers(FILE *out, const struct report *report)
{
    struct population_tally total = {0};
    fprintf(out, "layer  population   neurons   silent   mean   ------ sparsity -----  %14s %17s\n"
                 "                              channels  spikes  3 slots T slots  report\n",
            "spikes", "synops");
    for (uint32_t i = 0; i < report->row_count; i++) {
        const struct report_row *row = &report->rows[i];
        char layer[NUMBER_ROOM] = "";
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

static void print_saving(FILE *out, double part)
{
    if (part > 0)
        fprintf(out, " %+7.1f%%", 100 * (part - 1));
    else
        fprintf(out, " %8s", "");
}

static void print_energy(FILE *out, const struct report *report)
{
    struct energy energy = energy_of(report);
    char text[NUMBER_ROOM], memory[NUMBER_ROOM];
    if (energy.macs <= 0)
        return;
    fprintf(out, "\nenergy per token, 45 nm, %.4g M weights that spikes reach        vs FP16  vs INT8\n",
            energy.macs / 1e6);
    for (size_t i = 0; i < ENERGY_LINES; i++) {
        const struct energy_line *line = &energy.lines[i];
        fprintf(out, "  %-46s %10s", line->name, joules(line->picojoules, text));
        print_saving(out, line->per_fp16);
        print_saving(out, line->per_int8);
        fputc('\n', out);
    }
    fprintf(out, "  not included: routing, control, neurons, encoding, leakage; and %.4g M dense "
                 "weights that\n  no spike reaches (%s as FP16, %s with DRAM)\n",
            energy.rest_macs / 1e6, joules(energy.rest_fp16[ENERGY_NO_MEMORY], text),
            joules(energy.rest_fp16[ENERGY_DRAM_LOW], memory));
}

void screen_print(FILE *out, const struct report *report)
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
    print_energy(out, report);
}
