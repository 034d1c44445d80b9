/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an estimate does not include, in sentences: the chip's own, then the events that happened
 * and that the chip has no figure for, then what was counted otherwise than it should be, or not at
 * all.
 */
#include "traces/energy/estimate_internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_FIGURES = 4, NAMES = 3, TEXT = 512, COUNT_TEXT = 32 };

/* Figures that stand for one thing. */
struct gap {
    const char *what, *events;
    uint32_t figures[MOST_FIGURES]; /* [figure_count] */
    uint32_t figure_count;
    bool alone; /* any one of them covers it, and each has the same events: the last are named; else
                   each covers its own */
};

static const struct gap gaps[] = {
    {"multiply-accumulates", "of them", {CHIP_MAC}, 1, true},
    {"synops of dense projections", "of them", {CHIP_SYNOP_DENSE}, 1, true},
    {"synops of sparse projections", "of them", {CHIP_SYNOP_SPARSE}, 1, true},
    {"synops of convolutions", "of them", {CHIP_SYNOP_CONVOLUTION}, 1, true},
};

/* Not asked of chips whose one figure holds all of these. */
static const struct gap term_gaps[] = {
    {"neurons", "accesses (neurons x ticks)", {CHIP_NEURON_UPDATE, CHIP_NEURON_ACCESS}, 2, true},
    {"firing", "spikes", {CHIP_SPIKE}, 1, true},
    {"messages", "messages", {CHIP_MESSAGE_OUT, CHIP_MESSAGE_IN}, 2, true},
    {"hops from tile to tile",
     "hops",
     {CHIP_HOP_EAST, CHIP_HOP_WEST, CHIP_HOP_NORTH, CHIP_HOP_SOUTH},
     4,
     false},
    {"messages within a tile", "of them", {CHIP_HOP_LOCAL}, 1, true},
    {"links between chips", "bits", {CHIP_LINK_BIT}, 1, true},
    {"control (detecting, queueing and decoding events)",
     "synops",
     {CHIP_CONTROL_SPIKE, CHIP_CONTROL_SYNOP},
     2,
     true},
};

static bool add(struct estimate *estimate, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* There is room for it: see estimate_missing. */
static bool add(struct estimate *estimate, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&estimate->missing[estimate->missing_count], format, arguments);
    va_end(arguments);
    estimate->missing_count += length >= 0;
    return length >= 0;
}

/* "1.2 M" of a count per inference. */
static const char *per_inference(const struct estimate *estimate, double count,
                                 char text[COUNT_TEXT])
{
    static const char *const prefixes[] = {"", " k", " M", " G", " T", " P"};
    double value = count / load_inferences(estimate->load);
    size_t prefix = 0;
    while (value >= 999.5 && prefix + 1 < sizeof prefixes / sizeof *prefixes) {
        value /= 1000;
        prefix++;
    }
    snprintf(text, COUNT_TEXT, "%.3g%s", value, prefixes[prefix]);
    return text;
}

static bool add_gap(struct estimate *estimate, const struct gap *gap)
{
    double events = 0;
    char text[COUNT_TEXT];
    for (uint32_t i = 0; i < gap->figure_count; i++) {
        bool given = estimate->chip->figure[gap->figures[i]].given;
        if (given && gap->alone)
            return true;
        if (!given)
            events = gap->alone ? estimate->events[gap->figures[i]]
                                : events + estimate->events[gap->figures[i]];
    }
    return events == 0 ||
           add(estimate, "No figure for %s: %s %s per %s cost nothing here.", gap->what,
               per_inference(estimate, events, text), gap->events, load_unit(estimate->load));
}

static bool add_gaps(struct estimate *estimate)
{
    const struct chip *chip = estimate->chip;
    for (size_t i = 0; i < sizeof gaps / sizeof *gaps; i++)
        if (!add_gap(estimate, &gaps[i]))
            return false;
    if (chip_is_all_in(chip))
        return true;
    if (!chip->figure[CHIP_POWER_CORE].given && !chip->figure[CHIP_POWER_CHIP].given &&
        !chip->figure[CHIP_POWER_BYTE].given &&
        !add(estimate, "No figure for power at rest: leakage costs nothing here."))
        return false;
    if (chip_is_incremental(chip))
        return true;
    for (size_t i = 0; i < sizeof term_gaps / sizeof *term_gaps; i++)
        if (!add_gap(estimate, &term_gaps[i]))
            return false;
    return chip->memory_count > 0 ||
           add(estimate, "No figure for memory: fetching weights costs nothing here.");
}

/* ---- populations ---- */

typedef bool population_filter(const struct load_population *population);

static bool is_input(const struct load_population *population)
{
    return population->placed && population->input;
}

static bool is_elsewhere(const struct load_population *population)
{
    return !population->placed;
}

/* "a, b, c and 4 more", of those that the filter takes; returns how many. */
static uint32_t name_populations(const struct load *load, population_filter *filter,
                                 char names[TEXT])
{
    uint32_t count = 0;
    size_t length = 0;
    names[0] = '\0';
    for (uint32_t i = 0; i < load->population_count; i++) {
        if (!filter(&load->populations[i]) || count++ >= NAMES)
            continue;
        /* a name that is too long is cut */
        int written = snprintf(names + length, TEXT - length - COUNT_TEXT, "%s%s",
                               count > 1 ? ", " : "", load->populations[i].name);
        length = written > 0 ? strlen(names) : length;
    }
    if (count > NAMES)
        snprintf(names + length, TEXT - length, " and %u more", count - NAMES);
    return count;
}

/* Multiply-accumulates of values that are in no spike. */
static double value_macs(const struct load *load)
{
    double macs = 0;
    for (uint32_t p = 0; p < load->projection_count; p++) {
        const struct load_projection *projection = &load->projections[p];
        bool clocked = load->populations[projection->source].clocked;
        if (!projection->spikes)
            macs += (double)projection->weight_count *
                    (clocked ? (double)load->ticks : load_inferences(load));
    }
    return macs;
}

/* Synops of spikes at something else than weights, which no dense pass of weights holds. */
static double weightless_synops(const struct load *load)
{
    double synops = 0;
    for (uint32_t p = 0; p < load->projection_count; p++)
        if (load->projections[p].spikes && !load->projections[p].weighted)
            synops += (double)load->projections[p].synops;
    return synops;
}

static bool add_populations(struct estimate *estimate)
{
    const struct load *load = estimate->load;
    char names[TEXT], text[COUNT_TEXT];
    const char *unit = load_unit(load);
    if (!chip_is_all_in(estimate->chip) && !chip_is_incremental(estimate->chip) &&
        name_populations(load, is_input, names) > 0 &&
        !add(estimate, "Inputs (%s) cost nothing themselves, only what their spikes set off.",
             names))
        return false;
    if (name_populations(load, is_elsewhere, names) > 0 &&
        !add(estimate, "Populations that neither fire nor receive spikes are not on the chip and "
             "cost nothing here: %s.", names))
        return false;
    double macs = value_macs(load), synops = weightless_synops(load);
    if (macs > 0 &&
        !add(estimate, "Values that are not spikes: their %s multiply-accumulates per %s cost "
             "nothing here.", per_inference(estimate, macs, text), unit))
        return false;
    return !estimate->chip->dense || synops == 0 ||
           add(estimate, "Spikes that meet no weights (attention): what a dense pass would do "
               "instead of their %s synops per %s costs nothing here.",
               per_inference(estimate, synops, text), unit);
}

/* ---- what was worked out otherwise ---- */

static bool add_placement(struct estimate *estimate)
{
    const struct chip *chip = estimate->chip;
    if (!estimate->placed && estimate_needs_cores(chip) &&
        (estimate->options.unplaced || !estimate_has_reach(estimate->load)))
        return add(estimate, "Not placed on cores, %s: messages, hops, links, time and power cost "
                   "nothing here.",
                   estimate->options.unplaced ? "as was asked"
                                              : "for the run has no trace that says where spikes "
                                                "lead");
    if (!estimate->placed && !chip->dense && !chip_is_all_in(chip) && !chip_is_incremental(chip))
        return add(estimate, "Not placed on cores, for the chip is given none: carrying spikes to "
                   "where they lead costs nothing here.");
    if (estimate->placed && estimate->options.beyond_limits)
        return add(estimate, "Limits of the chip were left out: its cores may hold more here than "
                   "they can.");
    return true;
}

static bool add_updates(struct estimate *estimate)
{
    bool bounded = false;
    for (uint32_t r = 0; r < estimate->row_count; r++)
        bounded |= estimate->rows[r].events.updates_bounded;
    return !bounded || !estimate->chip->figure[CHIP_NEURON_UPDATE].given ||
           add(estimate, "Updates were not counted: every neuron is charged one at every tick, an "
               "upper bound (volley run --count-updates counts them).");
}

static bool add_time(struct estimate *estimate)
{
    const struct chip *chip = estimate->chip;
    bool at_rest = chip->figure[CHIP_POWER_CORE].given || chip->figure[CHIP_POWER_CHIP].given ||
                   chip->figure[CHIP_POWER_BYTE].given;
    bool power = at_rest || chip->figure[CHIP_POWER_PLATFORM].given;
    if (power && !estimate->latency.known)
        return add(estimate, "How long the run takes on this chip is not known: power %s costs "
                   "nothing here.", at_rest ? "at rest" : "of board and host");
    return !power || !estimate->latency.lower_bound ||
           add(estimate, "Power is charged for %.3g s per %s, a lower bound of the time: the trace "
               "does not say what happened at which tick.",
               estimate->latency.seconds / load_inferences(estimate->load),
               load_unit(estimate->load));
}

bool estimate_missing(struct estimate *estimate, struct error *error)
{
    enum { OURS = sizeof gaps / sizeof *gaps + sizeof term_gaps / sizeof *term_gaps + 16 };
    const struct chip *chip = estimate->chip;
    estimate->missing = calloc((size_t)chip->missing_count + OURS, sizeof *estimate->missing);
    bool made = estimate->missing != NULL;
    for (uint32_t i = 0; made && i < chip->missing_count; i++)
        made = add(estimate, "%s", chip->missing[i]);
    made = made && add_gaps(estimate) && add_updates(estimate) && add_time(estimate) &&
           add_placement(estimate) && add_populations(estimate);
    return made || error_no_memory(error, "what an estimate does not include");
}
