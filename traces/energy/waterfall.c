/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Waterfalls. The steps share out the terms of an estimate: each but TERM_ALL_IN, which only chips
 * without terms have, belongs to exactly one step, so that the steps add up to the total. The rows
 * before the first step are the report's formula; the first step replaces them.
 */
#define _GNU_SOURCE 1
#include "traces/energy/waterfall.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct step {
    const char *label, *what;
    enum energy_term first, last;
    enum chip_figure first_figure, last_figure; /* first > last: the chip's memories */
} steps[] = {
    {"accumulate", "adding every weight that a spike meets, as wide as this chip adds", TERM_SYNOP,
     TERM_SYNOP, CHIP_SYNOP, CHIP_SYNOP_GRADED},
    {"block fetches", "fetching weights in whole blocks", TERM_MEMORY, TERM_MEMORY, 1, 0},
    {"neurons", "accessing and updating neurons, firing", TERM_NEURON, TERM_SPIKE,
     CHIP_NEURON_ACCESS, CHIP_SPIKE},
    {"routing", "messages, hops and links", TERM_MESSAGE, TERM_LINK, CHIP_MESSAGE_OUT,
     CHIP_LINK_BIT},
    {"control", "detecting, queueing and decoding events", TERM_CONTROL, TERM_CONTROL,
     CHIP_CONTROL_SPIKE, CHIP_CONTROL_SYNOP},
    {"leakage", "power at rest for as long as it takes", TERM_STATIC, TERM_STATIC, CHIP_POWER_CORE,
     CHIP_POWER_BYTE},
};
enum { STEPS = sizeof steps / sizeof *steps, FORMULAS = 2, MISSING = STEPS + 4 };

/* ---- figures in words ---- */

/* What a step's figures are. */
struct figures {
    struct {
        const char *name;
        const struct coefficient *coefficient;
    } figure[CHIP_FIGURES];
    uint32_t count;
};

static void add_figure(struct figures *figures, const char *name,
                       const struct coefficient *coefficient)
{
    if (!coefficient->given)
        return;
    figures->figure[figures->count].name = name;
    figures->figure[figures->count++].coefficient = coefficient;
}

static struct figures figures_of(const struct chip *chip, const struct step *step)
{
    struct figures figures = {.count = 0};
    if (step->first_figure > step->last_figure)
        for (uint32_t m = 0; m < chip->memory_count; m++)
            add_figure(&figures, chip->memory[m].name, &chip->memory[m].read);
    else
        for (int i = step->first_figure; i <= (int)step->last_figure; i++)
            add_figure(&figures, chip_figures[i].key, &chip->figure[i]);
    return figures;
}

/* "hop_east 3 pJ, hop_west 3 pJ" */
static void write_figures(FILE *stream, const struct figures *figures)
{
    for (uint32_t i = 0; i < figures->count; i++) {
        const struct coefficient *own = figures->figure[i].coefficient;
        fprintf(stream, "%s%s %.6g %s", i > 0 ? ", " : "", figures->figure[i].name,
                chip_in_unit(own, own->value), own->unit);
    }
}

/* "WHAT: FIGURES"; NULL without memory. */
static char *describe(const char *what, const struct figures *figures)
{
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);
    if (stream == NULL)
        return NULL;
    fputs(what, stream);
    if (figures->count > 0)
        fputs(": ", stream);
    write_figures(stream, figures);
    bool written = !ferror(stream);
    if (fclose(stream) == 0 && written)
        return text;
    free(text);
    return NULL;
}

/* ---- making ---- */

struct maker {
    struct waterfall *waterfall;
    const struct estimate *estimate, *ideal;
    double inferences;
    double sum;     /* whole run, of the steps so far */
    uint32_t shown; /* steps that have a row */
};

void waterfall_free(struct waterfall *waterfall)
{
    if (waterfall == NULL)
        return;
    for (uint32_t i = 0; i < waterfall->row_count; i++)
        free(waterfall->rows[i].added);
    for (uint32_t i = 0; i < waterfall->missing_count; i++)
        free(waterfall->missing[i]);
    free(waterfall->rows);
    free(waterfall->missing);
    free(waterfall);
}

static double change(double joules, const struct waterfall_dense *dense, bool fetches)
{
    double reference = dense->arithmetic + (fetches ? dense->memory : 0);
    return dense->chip != NULL && reference > 0 ? joules / reference - 1 : NAN;
}

/* `added` is handed over. `joules` are of the whole run. */
static bool add_row(struct maker *maker, const char *label, char *added, double joules)
{
    struct waterfall *waterfall = maker->waterfall;
    if (added == NULL)
        return false;
    struct waterfall_row *row = &waterfall->rows[waterfall->row_count++];
    double before = waterfall->row_count > 1 ? row[-1].joules : 0;
    row->label = label;
    row->added = added;
    row->joules = joules / maker->inferences;
    row->step = row->joules - before;
    return true;
}

static bool add_missing(struct waterfall *waterfall, char *sentence)
{
    if (sentence == NULL)
        return false;
    waterfall->missing[waterfall->missing_count++] = sentence;
    return true;
}

/* The addition that the formula takes for one kind of synapse. */
static double addition(const struct chip *chip, enum synapse_kind kind)
{
    const struct coefficient *own = &chip->figure[CHIP_SYNOP_DENSE + (int)kind];
    return own->given ? own->value : chip->figure[CHIP_SYNOP].value;
}

/* Spikes x weights x addition, zero weights too. */
static double formula(const struct load *load, const struct chip *chip)
{
    double sum = 0;
    for (uint32_t p = 0; p < load->projection_count; p++) {
        const struct load_projection *projection = &load->projections[p];
        const struct load_population *source = &load->populations[projection->source];
        if (projection->spikes && source->neurons > 0)
            sum += (double)source->spikes_total * (double)projection->weight_count /
                   source->neurons * addition(chip, projection->kind);
    }
    return sum;
}

/* Whether spikes led to synapses that a dense pass has no weights for. */
static bool has_unweighted(const struct load *load)
{
    for (uint32_t p = 0; p < load->projection_count; p++)
        if (load->projections[p].spikes && load->projections[p].weight_count == 0 &&
            load->projections[p].synops > 0)
            return true;
    return false;
}

/* The rows of the formula: as the report has it, and, where that differs, for the synops that were
 * counted in this run. */
static bool add_formula(struct maker *maker)
{
    const struct chip *chip = maker->ideal->chip;
    struct figures figures = figures_of(chip, &steps[0]);
    double joules = formula(maker->estimate->load, chip);
    double met = maker->ideal->joules[TERM_SYNOP];
    if (!add_row(maker, "the report's formula",
                 describe("mean spikes x weights x one addition, nothing else", &figures), joules))
        return false;
    if (fabs(met - joules) <= 1e-9 * fabs(joules))
        return true;
    figures.count = 0;
    const char *what = "each spike at its own weights, none of them 0";
    if (has_unweighted(maker->estimate->load))
        what = "each spike at its own weights, none of them 0, and at synapses without weights of "
               "their own (attention)";
    return add_row(maker, "synops of the run", describe(what, &figures), met);
}

static bool add_step(struct maker *maker, const struct step *step)
{
    const struct chip *chip = maker->estimate->chip;
    struct figures figures = figures_of(chip, step);
    double joules = 0;
    for (int term = step->first; term <= (int)step->last; term++)
        joules += maker->estimate->joules[term];
    maker->sum += joules;
    maker->shown += figures.count > 0 || joules != 0;
    if (figures.count > 0 || joules != 0)
        return add_row(maker, step->label, describe(step->what, &figures), maker->sum);
    char *sentence;
    if (asprintf(&sentence, "%s: %s has no figure for it.", step->label, chip->name) < 0)
        sentence = NULL;
    return add_missing(maker->waterfall, sentence);
}

static bool same_memories(const struct chip *a, const struct chip *b)
{
    if (a->memory_count != b->memory_count)
        return false;
    for (uint32_t m = 0; m < a->memory_count; m++)
        if (strcmp(a->memory[m].name, b->memory[m].name) != 0 ||
            a->memory[m].block_bytes != b->memory[m].block_bytes ||
            a->memory[m].read.value != b->memory[m].read.value)
            return false;
    return true;
}

static bool add_dense(struct maker *maker, struct waterfall_dense *dense,
                      const struct estimate *baseline)
{
    if (baseline == NULL)
        return true;
    dense->chip = baseline->chip->name;
    dense->arithmetic = baseline->joules[TERM_SYNOP] / maker->inferences;
    dense->memory = baseline->joules[TERM_MEMORY] / maker->inferences;
    char *sentence = NULL;
    if (maker->estimate->chip->memory_count > 0 &&
        !same_memories(maker->estimate->chip, baseline->chip)) {
        if (asprintf(&sentence, "%s and %s do not fetch weights from the same memory.",
                     maker->estimate->chip->name, dense->chip) < 0)
            return false;
        return add_missing(maker->waterfall, sentence);
    }
    return true;
}

/* What comparing with dense baselines leaves out. */
static bool add_limits(struct maker *maker)
{
    if (maker->waterfall->fp16.chip == NULL && maker->waterfall->int8.chip == NULL)
        return true;
    return add_missing(maker->waterfall,
                       strdup("Dense baselines are multiply-adds and weight fetches; their "
                              "neurons, routing, control and leakage are not included.")) &&
           (!has_unweighted(maker->estimate->load) ||
            add_missing(maker->waterfall,
                        strdup("Spikes at synapses without weights of their own (attention) are "
                               "counted; dense baselines multiply weights only.")));
}

/* Fills in what needs all rows. */
static void compare_rows(struct waterfall *waterfall)
{
    bool fetches = false;
    for (uint32_t i = 0; i < waterfall->row_count; i++) {
        struct waterfall_row *row = &waterfall->rows[i];
        fetches = fetches || row->label == steps[1].label;
        row->fetches = fetches;
        row->fp16 = change(row->joules, &waterfall->fp16, fetches);
        row->int8 = change(row->joules, &waterfall->int8, fetches);
    }
}

/* False for short memory. */
static bool fill(struct maker *maker, const struct estimate *fp16, const struct estimate *int8)
{
    struct waterfall *waterfall = maker->waterfall;
    waterfall->rows = calloc(FORMULAS + STEPS, sizeof *waterfall->rows);
    waterfall->missing = calloc(MISSING, sizeof *waterfall->missing);
    if (waterfall->rows == NULL || waterfall->missing == NULL ||
        (maker->ideal != NULL && !add_formula(maker)))
        return false;
    for (int i = 0; i < STEPS; i++)
        if (!add_step(maker, &steps[i]))
            return false;
    if (!add_dense(maker, &waterfall->fp16, fp16) || !add_dense(maker, &waterfall->int8, int8) ||
        !add_limits(maker))
        return false;
    compare_rows(waterfall);
    return true;
}

static bool check(const struct estimate *estimate, const struct estimate *other,
                  struct error *error)
{
    if (other != NULL && other->load != estimate->load)
        return error_set(error, ERROR_MISUSED,
                         "a waterfall compares estimates of one run; %s and %s are of two",
                         estimate->chip->name, other->chip->name);
    return true;
}

static bool check_chip(const struct chip *chip, struct error *error)
{
    const char *why = NULL;
    if (chip->dense)
        why = "is dense";
    else if (chip_is_all_in(chip) || chip_is_incremental(chip))
        why = "has one figure for all that a spike causes";
    if (why == NULL)
        return true;
    return error_set(error, ERROR_MISUSED,
                     "%s %s, so there are no terms to add one by one; take a chip with per-term "
                     "figures, such as event-45nm",
                     chip->name, why);
}

/* The last row is the total itself, not the sum of steps in their own order. */
static bool close_sum(struct maker *maker, struct error *error)
{
    struct waterfall *waterfall = maker->waterfall;
    double total = maker->estimate->total;
    if (!(fabs(maker->sum - total) <= 1e-9 * fabs(total)))
        return error_set(error, ERROR_FAILED, "the terms of the estimate for %s do not add up to "
                         "its total", maker->estimate->chip->name);
    if (maker->shown == 0)
        return true;
    struct waterfall_row *last = &waterfall->rows[waterfall->row_count - 1];
    last->joules = total / maker->inferences;
    last->step = last->joules - (waterfall->row_count > 1 ? last[-1].joules : 0);
    return true;
}

struct waterfall *waterfall_new(const struct estimate *estimate, const struct estimate *ideal,
                                const struct estimate *fp16, const struct estimate *int8,
                                struct error *error)
{
    if (!check_chip(estimate->chip, error) || !check(estimate, ideal, error) ||
        !check(estimate, fp16, error) || !check(estimate, int8, error))
        return NULL;
    struct waterfall *waterfall = calloc(1, sizeof *waterfall);
    struct maker maker = {.waterfall = waterfall,
                          .estimate = estimate,
                          .ideal = ideal,
                          .inferences = load_inferences(estimate->load)};
    if (waterfall == NULL || !fill(&maker, fp16, int8)) {
        error_no_memory(error, "the waterfall");
        waterfall_free(waterfall);
        return NULL;
    }
    if (!close_sum(&maker, error)) {
        waterfall_free(waterfall);
        return NULL;
    }
    return waterfall;
}
