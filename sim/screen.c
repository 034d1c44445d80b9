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
    char alone[NUMBER_ROOM], sram[NUMBER_ROOM], low[NUMBER_ROOM], high[NUMBER_ROOM];
    fprintf(out, "  %-32s %10s   %12s   %10s ... %s\n", name,
            joules(line_of(energy, key, "")->picojoules, alone),
            joules(line_of(energy, key, "_sram")->picojoules, sram),
            joules(line_of(energy, key, "_dram_low")->picojoules, low),
            joules(line_of(energy, key, "_dram_high")->picojoules, high));
}

static double saving(double part)
{
    return 100 * (part - 1);
}

static void print_energy(FILE *out, const struct report *report)
{
    struct energy energy = energy_of(report);
    char text[NUMBER_ROOM], memory[NUMBER_ROOM];
    if (energy.macs <= 0)
        return;
    const struct energy_line *formula = line_of(&energy, "report", "");
    const struct energy_line *alone = line_of(&energy, "accumulate", "");
    const struct energy_line *sram = line_of(&energy, "accumulate", "_sram");
    const struct energy_line *low = line_of(&energy, "accumulate", "_dram_low");
    const struct energy_line *high = line_of(&energy, "accumulate", "_dram_high");
    fprintf(out, "\nenergy per token, 45 nm           arithmetic   with SRAM      with DRAM\n");
    fprintf(out, "  %-32s %10s   %12s   %10s\n", "spikes, the report's formula",
            joules(formula->picojoules, text), "-", "-");
    print_energy_row(out, &energy, "spikes, 32-bit accumulate", "accumulate");
    print_energy_row(out, &energy, "dense INT8", "int8");
    print_energy_row(out, &energy, "dense FP16", "fp16");
    fprintf(out, "  %-32s %+9.1f%%   %+11.1f%%   %+9.1f%% ... %+.1f%%\n", "32-bit spikes against INT8",
            saving(alone->per_int8), saving(sram->per_int8), saving(low->per_int8),
            saving(high->per_int8));
    fprintf(out, "  %-32s %+9.1f%%   %+11.1f%%   %+9.1f%% ... %+.1f%%\n", "32-bit spikes against FP16",
            saving(alone->per_fp16), saving(sram->per_fp16), saving(low->per_fp16),
            saving(high->per_fp16));
    fprintf(out, "  %-32s %+9.1f%% against INT8, %+.1f%% against FP16\n", "the report's formula",
            saving(formula->per_int8), saving(formula->per_fp16));
    fprintf(out,
            "  included: %.4g M weights that spikes reach, %.3f spikes a weight; an 8-bit add 0.03 pJ, "
            "a\n  32-bit add 0.1 pJ, a MAC 0.23 pJ (INT8) or 1.5 pJ (FP16); weights fetched each token "
            "in lines of\n  64 bits (SRAM, 20 pJ) or bursts of 64 bytes (DRAM, 1.3 ... 2.6 nJ per 64 "
            "bits), skipped only if\n  all 8 or 64 channels in them are silent\n"
            "  not included: routing, control, neurons, encoding, leakage; and %.4g M dense weights "
            "that no\n  spike reaches (%s as FP16, %s with DRAM)\n",
            energy.macs / 1e6, energy.spikes_per_mac, energy.rest_macs / 1e6,
            joules(energy.rest_fp16[ENERGY_NO_MEMORY], text),
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
