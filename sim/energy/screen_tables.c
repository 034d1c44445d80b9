/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tables that are asked for: break-even, waterfall, NeuroBench. */
#include "sim/energy/screen.h"

#include <math.h>

#include "sim/columns.h"

enum { NAME_WIDTH = 16 };

/* ---- break-even ---- */

static const char *times_text(enum break_even_verdict verdict, double margin,
                              char text[COLUMNS_TEXT])
{
    static const char *const verdicts[] = {"", "never", "always", "silent", "-"};
    if (verdict != BREAK_EVEN_AT)
        snprintf(text, COLUMNS_TEXT, "%s", verdicts[verdict]);
    else
        snprintf(text, COLUMNS_TEXT, margin < 9.995 ? "%.2fx" : "%.0fx", margin);
    return text;
}

/* Of the ticks, if there is one; more ticks than there are cannot have a spike. */
static const char *even_text(enum break_even_verdict verdict, const struct break_even_rate *rate,
                             char text[COLUMNS_TEXT])
{
    if (verdict != BREAK_EVEN_AT)
        return "-";
    return rate->slot > 1 ? ">100%" : columns_share(rate->slot, text);
}

static void print_even(FILE *out, const char *name, const struct break_even_row *row)
{
    char text[COLUMNS_TEXT];
    const struct break_even_point *moving = &row->moving;
    columns_cell(out, NAME_WIDTH, name);
    columns_cell(out, -8, columns_quantity(row->spiking, "J", text));
    columns_cell(out, -8, columns_quantity(row->dense, "J", text));
    snprintf(text, sizeof text, isfinite(row->measured.vector) ? "%.3g" : "-",
             row->measured.vector);
    columns_cell(out, -8, text);
    columns_cell(out, -7, columns_share(row->measured.slot, text));
    columns_cell(out, -7, even_text(row->verdict, &row->rate, text));
    columns_cell(out, -8, times_text(row->verdict, row->margin, text));
    columns_cell(out, -8, even_text(moving->verdict, &moving->rate, text));
    columns_cell(out, -8, times_text(moving->verdict, moving->margin, text));
    putc('\n', out);
}

static void print_break_even_head(FILE *out, const struct comparison *comparison, size_t column)
{
    fprintf(out, "\nbreak-even with dense %.24s, energy per %s\n", comparison->baselines[column],
            load_unit(comparison->load));
    columns_cell(out, NAME_WIDTH, "");
    fputs("                  spikes    ticks with one      what moves only\n", out);
    columns_cell(out, NAME_WIDTH, "");
    fputs(" spiking   dense per one    now   even  margin    even  margin\n", out);
}

static void print_break_even(FILE *out, const struct comparison *comparison,
                             const struct energy_tables *tables, size_t column)
{
    print_break_even_head(out, comparison, column);
    for (size_t i = 0; i < comparison->count; i++) {
        const struct break_even *table = tables->break_even[i * BASELINES + column];
        if (table != NULL)
            print_even(out, comparison->chips[i].chip->name, &table->total);
    }
    const struct break_even *table =
        tables->focus != SIZE_MAX ? tables->break_even[tables->focus * BASELINES + column] : NULL;
    if (table == NULL)
        return;
    fprintf(out, "populations on %.60s:\n", comparison->chips[tables->focus].chip->name);
    for (uint32_t r = 0; r < table->row_count; r++) {
        char name[128];
        screen_energy_name(comparison->load, table->rows[r].population, name, sizeof name);
        print_even(out, name, &table->rows[r]);
    }
}

static void print_break_evens(FILE *out, const struct comparison *comparison,
                              const struct energy_tables *tables)
{
    for (size_t column = 0; column < comparison->baseline_count; column++)
        print_break_even(out, comparison, tables, column);
    columns_paragraph(out, "", 2,
                      "spikes per one: of a neuron, in a token or a tick. Ticks with one: part of all "
                      "ticks (of a coding's virtual ticks, too). Margin: how many times as often "
                      "all could fire before the dense chip is cheaper; below 1x it is already; "
                      "beyond all ticks, with more spikes than the coding has. "
                      "Never: dearer even without a spike. Always: cheaper even when all that "
                      "ever fired do so all the time. What moves only: without neurons and power "
                      "at rest, as studies of data movement have it.");
    columns_paragraph(out, "not included: ", 2,
                      "what the chips leave out, above; and that more spikes would take longer: "
                      "power at rest is that of the time it took. "
                      "-: no weights to compare.");
}

/* ---- waterfall ---- */

static const char *change_text(double change, char text[COLUMNS_TEXT])
{
    if (isfinite(change))
        snprintf(text, COLUMNS_TEXT, "%+.1f%%", 100 * change);
    else
        snprintf(text, COLUMNS_TEXT, "-");
    return text;
}

static void print_waterfall_row(FILE *out, const struct waterfall_row *row)
{
    char text[COLUMNS_TEXT];
    columns_cell(out, 24, row->label);
    columns_cell(out, -12, columns_quantity(row->step, "J", text));
    columns_cell(out, -12, columns_quantity(row->joules, "J", text));
    columns_cell(out, -14, change_text(row->fp16, text));
    columns_cell(out, -14, change_text(row->int8, text));
    putc('\n', out);
}

static void print_waterfall(FILE *out, const struct energy_tables *tables)
{
    const struct waterfall *waterfall = tables->waterfall;
    char dense[COLUMNS_TEXT], memory[COLUMNS_TEXT], lead[64];
    fprintf(out, "\nwaterfall of %.40s, energy per %s\n", tables->waterfall_of->chip->name,
            load_unit(tables->waterfall_of->estimate->load));
    fputs("                                step      so far    beside FP16   beside INT8\n", out);
    for (uint32_t r = 0; r < waterfall->row_count; r++)
        print_waterfall_row(out, &waterfall->rows[r]);
    const struct waterfall_dense *const baselines[] = {&waterfall->fp16, &waterfall->int8};
    for (int i = 0; i < 2; i++)
        if (baselines[i]->chip != NULL)
            fprintf(out, "%.40s: %s for multiplying and adding, %s for fetching weights\n",
                    baselines[i]->chip, columns_quantity(baselines[i]->arithmetic, "J", dense),
                    columns_quantity(baselines[i]->memory, "J", memory));
    columns_paragraph(out, "", 2,
                      "Beside the dense chips without fetches until the spiking one fetches, with "
                      "all of theirs from there on.");
    for (uint32_t r = 0; r < waterfall->row_count; r++) {
        snprintf(lead, sizeof lead, "  %.40s: ", waterfall->rows[r].label);
        columns_paragraph(out, lead, 4, waterfall->rows[r].added);
    }
    fprintf(out, "  volley chips %.40s says where each figure comes from\n",
            tables->waterfall_of->chip->name);
    if (waterfall->missing_count > 0)
        fputs("not included, beside what the chip leaves out:\n", out);
    for (uint32_t m = 0; m < waterfall->missing_count; m++)
        columns_paragraph(out, "  ", 4, waterfall->missing[m]);
}

/* ---- NeuroBench ---- */

/* A metric, and beside it what it would be by another reading of the definition. */
static void print_metric(FILE *out, const char *name, double value, const char *other, double also,
                         const char *unit)
{
    char text[COLUMNS_TEXT], second[COLUMNS_TEXT];
    columns_quantity(value, unit, text);
    columns_quantity(also, unit, second);
    fprintf(out, "%-24s%12s   %s %s\n", name, text, other, second);
}

static void print_neurobench(FILE *out, const struct load *load, const struct neurobench *bench)
{
    fprintf(out,
            "\nNeuroBench, per %s\n"
            "activation sparsity     %12.4f   of all slots of the trains %.4f\n"
            "connection sparsity     %12.4f   of full matrices %.4f\n",
            load_unit(load), bench->activation_sparsity, bench->activation_sparsity_spread,
            bench->connection_sparsity, bench->connection_sparsity_full);
    print_metric(out, "footprint", bench->footprint, "weights as float32",
                 bench->footprint_float32, "B");
    print_metric(out, "dense operations", bench->dense, "of full matrices", bench->dense_full, "");
    print_metric(out, "effective MACs", bench->effective_macs,
                 bench->value_macs_bounded ? "of which from values, at most"
                                           : "of which from values",
                 bench->value_macs, "");
    print_metric(out, "effective ACs", bench->effective_acs, "if graded spikes come one by one",
                 bench->spread_acs, "");
    print_metric(out, bench->updates_bounded ? "neuron updates, at most" : "neuron updates",
                 bench->neuron_updates, "every neuron, every tick", bench->neuron_updates_dense,
                 "");
    columns_paragraph(out, "not included: ", 2,
                      "biases, norms, poolings, one-to-one projections, products of activations; "
                      "in the footprint neurons' parameters and states, embeddings and norms.");
}

void screen_energy_tables(FILE *out, const struct comparison *comparison,
                          const struct energy_tables *tables)
{
    if (tables->break_even != NULL)
        print_break_evens(out, comparison, tables);
    if (tables->waterfall != NULL)
        print_waterfall(out, tables);
    if (tables->has_neurobench)
        print_neurobench(out, comparison->load, &tables->neurobench);
}
