/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/screen.h"

#include <string.h>

#include "traces/energy.h"

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

static const struct energy_line *line_of(const struct energy *energy, const char *key,
                                         const char *memory)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "%s%s", key, memory);
    for (size_t i = 0; i < ENERGY_LINES; i++)
        if (strcmp(energy->lines[i].key, wanted) == 0)
            return &energy->lines[i];
    return NULL;
}

/* One way of computing, with each kind of memory; DRAM has a range. */
static void print_energy_row(FILE *out, const struct energy *energy, const char *name,
                             const char *key)
{
    char alone[SCREEN_NUMBER], sram[SCREEN_NUMBER], low[SCREEN_NUMBER], high[SCREEN_NUMBER];
    fprintf(out, "  %-28s %10s  %10s  %9s ... %s\n", name,
            screen_joules(line_of(energy, key, "")->picojoules, alone),
            screen_joules(line_of(energy, key, "_sram")->picojoules, sram),
            screen_joules(line_of(energy, key, "_dram_low")->picojoules, low),
            screen_joules(line_of(energy, key, "_dram_high")->picojoules, high));
}

static double saving(double part)
{
    return 100 * (part - 1);
}

/* What the exact spikes cost more or less than a dense pass, with each kind of memory. */
static void print_saving(FILE *out, const struct energy *energy, const char *name, bool int8)
{
    double part[4];
    static const char *const memories[] = {"", "_sram", "_dram_low", "_dram_high"};
    for (size_t i = 0; i < 4; i++) {
        const struct energy_line *line = line_of(energy, "accumulate", memories[i]);
        part[i] = saving(int8 ? line->per_int8 : line->per_fp16);
    }
    fprintf(out, "  %-28s %+9.1f%%  %+9.1f%%  %+8.1f%% ... %+.1f%%\n", name, part[0], part[1],
            part[2], part[3]);
}

static void print_energy(FILE *out, const struct report *report)
{
    struct energy energy = energy_of(report);
    char text[SCREEN_NUMBER], memory[SCREEN_NUMBER];
    if (energy.macs <= 0)
        return;
    const struct energy_line *formula = line_of(&energy, "report", "");
    fprintf(out, "\nenergy per token, 45 nm        arithmetic   with SRAM  with DRAM\n");
    fprintf(out, "  %-28s %10s  %10s  %9s\n", "spikes, the report's formula",
            screen_joules(formula->picojoules, text), "-", "-");
    print_energy_row(out, &energy, "spikes, 32-bit accumulate", "accumulate");
    print_energy_row(out, &energy, "dense INT8", "int8");
    print_energy_row(out, &energy, "dense FP16", "fp16");
    print_saving(out, &energy, "32-bit spikes against INT8", true);
    print_saving(out, &energy, "32-bit spikes against FP16", false);
    fprintf(out, "  %-28s %+9.1f%% against INT8, %+.1f%% against FP16\n", "the report's formula",
            saving(formula->per_int8), saving(formula->per_fp16));
    fprintf(out,
            "  included: %.4g M weights that spikes reach, %.3f spikes a weight; an 8-bit\n"
            "  add 0.03 pJ, a 32-bit add 0.1 pJ, a MAC 0.23 pJ (INT8) or 1.5 pJ (FP16);\n"
            "  weights fetched for every token in lines of 64 bits (SRAM, 20 pJ) or bursts\n"
            "  of 64 bytes (DRAM, 1.3 ... 2.6 nJ per 64 bits), skipped only if all 8 or 64\n"
            "  channels in them are silent\n"
            "  not included: routing, control, neurons, encoding, leakage; and %.4g M dense\n"
            "  weights that no spike reaches (%s as FP16, %s with DRAM)\n",
            energy.macs / 1e6, energy.spikes_per_mac, energy.rest_macs / 1e6,
            screen_joules(energy.rest_fp16[ENERGY_NO_MEMORY], text),
            screen_joules(energy.rest_fp16[ENERGY_DRAM_LOW], memory));
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
