/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One chip: which population causes which cost, where its neurons sit, and where the time goes. */
#include "sim/energy/screen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/columns.h"
#include "sim/screen.h"

enum { NAME_WIDTH = 15, TERM_WIDTH = 8 };

void screen_energy_name(const struct load *load, uint32_t population, char *text, size_t size)
{
    if (population == UINT32_MAX) {
        snprintf(text, size, "(chip)");
        return;
    }
    const struct load_population *p = &load->populations[population];
    const char *dot = strncmp(p->name, "layers.", 7) == 0 ? strchr(p->name + 7, '.') : NULL;
    if (p->layer >= 0)
        snprintf(text, size, "%d %s", p->layer, dot != NULL ? dot + 1 : p->name);
    else
        snprintf(text, size, "%s", p->name);
}

/* ---- population x cause ---- */

/* A column of the table: a term, or TERMS for the sum of all. */
struct term_column {
    enum energy_term term;
    const char *name;
    int width;
};

static struct term_column term_column(enum energy_term term)
{
    const char *name = term == TERMS ? "all" : energy_term_names[term];
    int length = (int)strlen(name) + 1;
    return (struct term_column){term, name, length > TERM_WIDTH ? length : TERM_WIDTH};
}

/* The terms that are not all zero, and their sum. */
static int used_terms(const struct estimate *estimate, struct term_column columns[TERMS + 1])
{
    int count = 0;
    for (int term = 0; term < TERMS; term++)
        if (estimate->joules[term] > 0)
            columns[count++] = term_column((enum energy_term)term);
    columns[count++] = term_column(TERMS);
    return count;
}

static void print_cells(FILE *out, const struct estimate *estimate, uint32_t row,
                        const struct term_column *columns, int count)
{
    char text[COLUMNS_TEXT], name[128];
    screen_energy_name(estimate->load, estimate->rows[row].population, name, sizeof name);
    columns_cell(out, NAME_WIDTH, name);
    for (int i = 0; i < count; i++)
        columns_cell(out, -columns[i].width,
                     columns_quantity(estimate_cell(estimate, row, columns[i].term), "J", text));
    putc('\n', out);
}

static void print_sums(FILE *out, const struct estimate *estimate,
                       const struct term_column *columns, int count)
{
    char text[COLUMNS_TEXT];
    for (int share = 0; share <= 1; share++) {
        double whole = share ? estimate->total : load_inferences(estimate->load);
        columns_cell(out, NAME_WIDTH, share ? "share" : "all");
        for (int i = 0; i < count; i++) {
            enum energy_term term = columns[i].term;
            double part = (term == TERMS ? estimate->total : estimate->joules[term]) / whole;
            columns_cell(out, -columns[i].width,
                         share ? columns_share(part, text) : columns_quantity(part, "J", text));
        }
        putc('\n', out);
    }
}

/* Lines of `count` columns in as many blocks as it takes, all about as wide. */
static int columns_a_block(const struct term_column *columns, int count)
{
    int width = NAME_WIDTH, blocks = 1;
    for (int i = 0; i < count; i++) {
        width += columns[i].width;
        if (width > COLUMNS_WIDTH) {
            width = NAME_WIDTH + columns[i].width;
            blocks++;
        }
    }
    return (count + blocks - 1) / blocks;
}

/* Spreads a block's columns over the room that they leave. */
static void widen(struct term_column *columns, int count)
{
    int room = COLUMNS_WIDTH - NAME_WIDTH;
    for (int i = 0; i < count; i++)
        room -= columns[i].width;
    int more = room / count < 2 ? room / count : 2;
    for (int i = 0; i < count; i++)
        columns[i].width += more;
}

static void print_terms(FILE *out, const struct estimate *estimate)
{
    struct term_column columns[TERMS + 1];
    int count = used_terms(estimate, columns), most = columns_a_block(columns, count);
    for (int from = 0; from < count; from += most) {
        int here = count - from < most ? count - from : most;
        if (from > 0)
            putc('\n', out);
        widen(columns + from, here);
        columns_cell(out, NAME_WIDTH, from == 0 ? "population" : "… continued");
        for (int i = from; i < from + here; i++)
            columns_cell(out, -columns[i].width, columns[i].name);
        putc('\n', out);
        for (uint32_t r = 0; r < estimate->row_count; r++)
            print_cells(out, estimate, r, columns + from, here);
        print_sums(out, estimate, columns + from, here);
    }
}

/* ---- where the neurons sit ---- */

static void print_uses(FILE *out, const struct estimate *estimate)
{
    struct chip_use uses[CHIP_USES];
    char text[COLUMNS_TEXT], counted[SCREEN_NUMBER];
    chip_uses(estimate, uses);
    fputs("  of a core          mean   largest     limit      mean   largest\n", out);
    for (size_t i = 0; i < CHIP_USES; i++) {
        double limit = (double)uses[i].limit;
        fprintf(out, "  %-14s", uses[i].label);
        columns_cell(out, -9, columns_quantity(uses[i].mean, "", text));
        columns_cell(out, -10, screen_counted((uint64_t)uses[i].largest, counted));
        columns_cell(out, -10, limit > 0 ? screen_counted(uses[i].limit, counted) : "none");
        if (limit > 0) {
            columns_cell(out, -10, columns_share(uses[i].mean / limit, text));
            columns_cell(out, -10, columns_share(uses[i].largest / limit, text));
        }
        putc('\n', out);
    }
}

static void print_placement(FILE *out, const struct estimate *estimate)
{
    const struct placement *placement = estimate->placement;
    struct traffic traffic = estimate_traffic(estimate);
    double inferences = load_inferences(estimate->load);
    char text[COLUMNS_TEXT], share[COLUMNS_TEXT];
    if (placement == NULL)
        return;
    fprintf(out, "\nplacement %s: %u core%s, %u tile%s, %u chip%s (of %u cores each)%s\n",
            placement_names[placement->method], placement->core_count,
            placement->core_count == 1 ? "" : "s", placement->tiles,
            placement->tiles == 1 ? "" : "s", placement->chips, placement->chips == 1 ? "" : "s",
            chip_cores(estimate->chip), placement->beyond_limits ? ", beyond its limits" : "");
    print_uses(out, estimate);
    if (traffic.messages <= 0)
        return;
    fprintf(out,
            "  messages: %s per %s, %s of them within a tile\n"
            "  hops of a message: %.3g on average, %u at most\n",
            columns_quantity(traffic.messages / inferences, "", text), load_unit(estimate->load),
            columns_share(traffic.hops_local / traffic.messages, share),
            traffic_hops(&traffic) / traffic.messages, traffic.most_hops);
    if (placement->chips > 1)
        fprintf(out, "  borders of chips crossed: %s per %s\n",
                columns_quantity(traffic.links / inferences, "", text),
                load_unit(estimate->load));
}

/* ---- where the time goes ---- */

static void print_time_row(FILE *out, const char *name, const struct estimate *estimate,
                           double value, double queued)
{
    char text[COLUMNS_TEXT];
    fputs("  ", out);
    columns_cell(out, 27, name);
    columns_cell(out, -11, columns_quantity(value, "s", text));
    if (estimate->queue.known)
        columns_cell(out, -11, columns_quantity(queued, "s", text));
    putc('\n', out);
}

static void print_busiest(FILE *out, const struct estimate *estimate)
{
    const struct latency *latency = &estimate->latency;
    const struct placement *placement = estimate->placement;
    if (placement == NULL || latency->busiest_core >= placement->core_count)
        return;
    const struct core *core = &placement->cores[latency->busiest_core];
    char share[COLUMNS_TEXT], tiles[COLUMNS_TEXT] = "";
    if (estimate->chip->mesh.columns > 1 || estimate->chip->mesh.rows > 1)
        snprintf(tiles, sizeof tiles, ", tile %u, %u", core->x, core->y);
    fprintf(out, "  the slowest in most ticks (%s) is core %u of chip %u%s\n",
            columns_share(latency->busiest_share, share),
            core->place - core->chip * chip_cores(estimate->chip), core->chip, tiles);
}

static void print_pipeline(FILE *out, const struct estimate *estimate)
{
    const struct latency *latency = &estimate->latency;
    const struct stage *slowest = NULL;
    const char *unit = load_unit(estimate->load);
    char one[COLUMNS_TEXT], rate[COLUMNS_TEXT], each[COLUMNS_TEXT], stage[COLUMNS_TEXT];
    if (latency->pipelined <= 0 || latency->stage_count == 0)
        return;
    for (uint32_t s = 0; s < latency->stage_count; s++)
        if (slowest == NULL || latency->stages[s].seconds > slowest->seconds)
            slowest = &latency->stages[s];
    fprintf(out,
            "  %ss one after the other: %s a second, each after %s\n"
            "  a %s in each layer at a time: %s a second, each after %s\n",
            unit, columns_quantity(1 / latency->per_inference, "", one),
            columns_quantity(latency->per_inference, "s", each), unit,
            columns_quantity(1 / latency->pipelined, "", rate), each);
    if (slowest->layer >= 0)
        fprintf(out, "  slowest of %u stages: layer %d, %s\n", latency->stage_count,
                slowest->layer, columns_quantity(slowest->seconds, "s", stage));
}

static void print_time(FILE *out, const struct estimate *estimate)
{
    const struct latency *latency = &estimate->latency, *queue = &estimate->queue;
    char text[COLUMNS_TEXT], name[COLUMNS_TEXT], longest[COLUMNS_TEXT];
    if (!latency->known)
        return;
    snprintf(name, sizeof name, "time per %s", load_unit(estimate->load));
    putc('\n', out);
    columns_cell(out, 29, name);
    columns_cell(out, -11, latency->lower_bound ? "mean tick" : "per tick");
    fputs(queue->known ? "      queue\n" : "\n", out);
    print_time_row(out, latency->lower_bound ? "latency, at least" : "latency", estimate,
                   latency->per_inference, queue->per_inference);
    print_time_row(out, "slowest tick", estimate, latency->slowest_tick, queue->slowest_tick);
    print_time_row(out, "whole run", estimate, latency->seconds, queue->seconds);
    if (latency->synchronising > 0)
        fprintf(out, "  synchronising the tiles: %s of the time\n",
                columns_share(latency->synchronising / latency->seconds, text));
    print_busiest(out, estimate);
    if (latency->real_time)
        fputs("  most ticks are shorter than the chip's own: it waits, in real time\n", out);
    if (queue->known)
        fprintf(out, "  queue: %s waiting over all %s messages, up to %s at one core\n",
                columns_quantity(queue->blocked_seconds, "s", text),
                columns_quantity(queue->messages, "", name),
                columns_quantity(queue->longest_queue, "", longest));
    print_pipeline(out, estimate);
}

static void print_missing(FILE *out, const struct estimate *estimate)
{
    if (estimate->missing_count > 0)
        fputs("not included:\n", out);
    for (uint32_t i = 0; i < estimate->missing_count; i++)
        columns_paragraph(out, "  ", 4, estimate->missing[i]);
}

void screen_energy_layers(FILE *out, const struct estimate *estimate)
{
    char title[256];
    snprintf(title, sizeof title, "%.80s (%.40s, %s), energy per %s",
             estimate->chip->title != NULL ? estimate->chip->title : estimate->chip->name,
             estimate->chip->name, chip_scope_text(estimate->chip), load_unit(estimate->load));
    putc('\n', out);
    columns_paragraph(out, "", 2, title);
    print_terms(out, estimate);
    print_placement(out, estimate);
    print_time(out, estimate);
    print_missing(out, estimate);
}

/* ---- channels reordered ---- */

static void print_reordered(FILE *out, const struct estimate *estimate)
{
    char text[COLUMNS_TEXT];
    double inferences = load_inferences(estimate->load);
    const double *joules = estimate->memory_joules;
    columns_cell(out, 24, estimate->chip->name);
    columns_cell(out, -10, columns_quantity(joules[ORDER_NATURAL] / inferences, "J", text));
    columns_cell(out, -12, columns_quantity(joules[ORDER_HELD_OUT] / inferences, "J", text));
    columns_cell(out, -8, columns_share(1 - joules[ORDER_HELD_OUT] / joules[ORDER_NATURAL], text));
    columns_cell(out, -14, columns_quantity(joules[ORDER_IN_SAMPLE] / inferences, "J", text));
    columns_cell(out, -8, columns_share(1 - joules[ORDER_IN_SAMPLE] / joules[ORDER_NATURAL], text));
    putc('\n', out);
}

void screen_energy_channels(FILE *out, const struct comparison *comparison)
{
    bool any = false;
    for (size_t i = 0; i < comparison->count; i++) {
        const struct estimate *estimate = comparison->chips[i].estimate;
        if (estimate == NULL || estimate->chip->dense ||
            !(estimate->memory_joules[ORDER_NATURAL] > 0))
            continue;
        char head[COLUMNS_TEXT];
        snprintf(head, sizeof head, "weights, per %s", load_unit(estimate->load));
        if (!any) {
            putc('\n', out);
            columns_cell(out, 24, head);
            fputs("   natural by activity   saved     in sample   saved\n", out);
        }
        print_reordered(out, estimate);
        any = true;
    }
    if (any)
        columns_paragraph(
            out, "", 2,
            "by activity: channels sorted by how often they fired in the other half of the run; in "
            "sample: in the very run they are judged by, which flatters. Not included: what "
            "reordering itself costs.");
    else
        fputs("\nno chip here fetches weights in blocks of channels, so their order changes "
              "nothing\n", out);
}
