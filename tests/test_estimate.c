/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Estimates against joules worked out by hand. Coefficients are sums of powers of two where results
 * are compared exactly. The spikes, where a test has some, come from a list in this file.
 */
#include "traces/energy/estimate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- a run that was never traced ---- */

static const struct load_volley *volleys;
static size_t volley_count;

bool load_vectors(const struct load *load, load_visitor *visit, void *self, struct error *error)
{
    (void)load;
    for (size_t i = 0; i < volley_count; i++)
        if (!visit(self, &volleys[i], error))
            return false;
    return true;
}

bool load_volleys(const struct load *load, load_visitor *visit, void *self, struct error *error)
{
    return load_vectors(load, visit, self, error);
}

/* ---- helpers ---- */

static void give(struct coefficient *coefficient, double value, double low, double high)
{
    *coefficient = (struct coefficient){.given = true, .value = value, .low = low, .high = high,
                                        .unit = "J"};
}

static void figure(struct chip *chip, enum chip_figure which, double value)
{
    give(&chip->figure[which], value, value, value);
}

static void memory(struct chip *chip, int layout, uint32_t block_bytes, double value)
{
    static char name[] = "SRAM";
    struct chip_memory *of = &chip->memory[chip->memory_count++];
    of->name = name;
    of->block_bytes = block_bytes;
    of->layout = layout;
    give(&of->read, value, value, value);
}

static struct chip plain_chip(void)
{
    static char name[] = "made up";
    return (struct chip){.name = name, .title = name, .weight_bits = 8,
                         .mesh = {.columns = 1, .rows = 1, .cores_per_tile = 1}};
}

static struct estimate *estimate_with(const struct load *load, const struct chip *chip,
                                      struct estimate_options options)
{
    struct error error = {0};
    struct estimate *estimate = estimate_new(load, chip, &options, &error);
    if (estimate == NULL)
        fail_msg("%s", error.text);
    return estimate;
}

static struct estimate *estimate_of(const struct load *load, const struct chip *chip)
{
    return estimate_with(load, chip, (struct estimate_options){.method = PLACEMENT_IN_ORDER});
}

static double total_of(const struct load *load, const struct chip *chip)
{
    struct estimate *estimate = estimate_of(load, chip);
    double total = estimate->total;
    estimate_free(estimate);
    return total;
}

static void assert_refused(const struct load *load, const struct chip *chip, bool by_activity,
                           const char *sentence)
{
    struct error error = {0};
    struct estimate_options options = {.by_activity = by_activity};
    assert_null(estimate_new(load, chip, &options, &error));
    if (strstr(error.text, sentence) == NULL)
        fail_msg("'%s' does not hold '%s'", error.text, sentence);
}

static bool near(double value, double expected)
{
    return fabs(value - expected) <= 1e-12 * fabs(expected);
}

static void assert_exactly(double value, double expected)
{
    if (value != expected)
        fail_msg("%.17g is not %.17g", value, expected);
}

static bool is_missing(const struct estimate *estimate, const char *part)
{
    for (uint32_t i = 0; i < estimate->missing_count; i++)
        if (strstr(estimate->missing[i], part) != NULL)
            return true;
    return false;
}

static void assert_missing(const struct estimate *estimate, const char *part)
{
    if (is_missing(estimate, part))
        return;
    for (uint32_t i = 0; i < estimate->missing_count; i++)
        print_message("missing: %s\n", estimate->missing[i]);
    fail_msg("'%s' is not among what is not included", part);
}

/* The total is the rows' joules, and also events x coefficients. */
static void assert_conserved(const struct estimate *estimate)
{
    double total = 0, priced = 0;
    for (int term = 0; term < TERMS; term++) {
        double sum = 0;
        for (uint32_t r = 0; r < estimate->row_count; r++)
            sum += estimate->rows[r].joules[term];
        assert_exactly(estimate->joules[term], sum);
        total += sum;
    }
    assert_exactly(estimate->total, total);
    for (uint32_t i = 0; i < ESTIMATE_COEFFICIENTS; i++) {
        const struct coefficient *coefficient =
            i < CHIP_FIGURES ? &estimate->chip->figure[i]
                             : &estimate->chip->memory[i - CHIP_FIGURES].read;
        if (coefficient->given && i != CHIP_POWER_PLATFORM)
            priced += estimate->events[i] * coefficient->value;
    }
    assert_true(fabs(priced - total) <= 1e-12 * total);
    double cells = 0;
    for (uint32_t r = 0; r < estimate->row_count; r++)
        cells += estimate_cell(estimate, r, TERMS);
    assert_true(fabs(cells * load_inferences(estimate->load) - total) <= 1e-12 * total);
}

/* ---- a small network, worked out by hand ----
 *
 *   tile 0 (x = 0): core 0: in 0-2      core 1: hidden 0-1
 *   tile 1 (x = 1): core 2: hidden 2-3, out 0-1
 *
 *   in -> hidden      dense, all 12 weights
 *   hidden -> out     sparse: 0 -> 0; 1 -> 0, 1; 3 -> 1
 *   hidden -> hidden  one to one
 *   out -> hidden     a convolution's, all 8
 *
 * Two samples of 5 ticks. in fires 4, 2, 0 times, hidden 3, 1, 0, 2, out 1, 1.
 */
enum { IN, HIDDEN, OUT, SMALL_POPULATIONS };
enum { FEED, LEAD, KEEP, BACK, SMALL_PROJECTIONS };

struct small {
    struct load load;
    struct load_population populations[SMALL_POPULATIONS];
    struct load_projection projections[SMALL_PROJECTIONS];
    struct load_compartment compartments[SMALL_POPULATIONS];
};

static char in_name[] = "in", hidden_name[] = "hidden", out_name[] = "out", path[] = "by hand";
static uint64_t in_active[] = {4, 2, 0}, hidden_active[] = {3, 1, 0, 2}, out_active[] = {1, 1};
static uint64_t hidden_updates[] = {10, 8, 0, 5}, out_updates[] = {4, 4};
static uint32_t fan_feed[] = {4, 4, 4}, fan_lead[] = {1, 2, 0, 1}, fan_keep[] = {1, 1, 1, 1},
                fan_back[] = {4, 4};
/* plain; number of targets, then the first and the distances */
static const unsigned char lead_bytes[] = {0, 1, 0, 2, 0, 1, 0, 1, 1};
static struct load_placed wanted[] = {{IN, 0, 3, 0}, {HIDDEN, 0, 2, 1}, {HIDDEN, 2, 2, 2},
                                      {OUT, 0, 2, 2}};

static void small_begin(struct small *small)
{
    *small = (struct small){
        .populations = {{.name = in_name, .neurons = 3, .input = true, .active = in_active,
                         .active_total = 6, .tally = {.sram_blocks = 5}},
                        {.name = hidden_name, .neurons = 4, .active = hidden_active,
                         .updates = hidden_updates, .active_total = 6, .tally = {.sram_blocks = 4}},
                        {.name = out_name, .neurons = 2, .active = out_active,
                         .updates = out_updates, .active_total = 2, .tally = {.sram_blocks = 2}}},
        .projections = {{.name = in_name, .kind = SYNAPSES_DENSE, .source = IN, .target = HIDDEN,
                         .weight_count = 12, .synops = 24, .fan_out = fan_feed},
                        {.name = in_name, .kind = SYNAPSES_SPARSE, .source = HIDDEN, .target = OUT,
                         .weight_count = 4, .synops = 7, .fan_out = fan_lead},
                        {.name = in_name, .kind = SYNAPSES_SPARSE, .source = HIDDEN,
                         .target = HIDDEN, .weight_count = 4, .synops = 6, .fan_out = fan_keep,
                         .one_to_one = true},
                        {.name = in_name, .kind = SYNAPSES_CONVOLUTION, .source = OUT,
                         .target = HIDDEN, .weight_count = 8, .synops = 8, .fan_out = fan_back}},
    };
    for (uint32_t i = 0; i < SMALL_POPULATIONS; i++) {
        struct load_population *population = &small->populations[i];
        population->layer = -1;
        population->spiking = population->clocked = population->placed = true;
        population->spikes = population->active;
        population->spikes_total = population->active_total;
        population->tally.vectors = 10;
        population->compartment = i;
        small->compartments[i] = (struct load_compartment){i, NULL, population->neurons};
    }
    for (uint32_t p = 0; p < SMALL_PROJECTIONS; p++) {
        struct load_projection *projection = &small->projections[p];
        projection->spikes = projection->weighted = true;
        projection->compartment = projection->target;
        projection->delay = 1;
        projection->synapses = projection->parameters = projection->weight_count;
    }
    struct error error = {0};
    small->projections[LEAD].reach = reach_read(lead_bytes, sizeof lead_bytes, 4, 2, 1, &error);
    assert_non_null(small->projections[LEAD].reach);
    small->load = (struct load){
        .path = path, .positions = 2, .ticks = 10, .stride = 1, .clocked = true, .sampled = true,
        .populations = small->populations, .population_count = SMALL_POPULATIONS,
        .projections = small->projections, .projection_count = SMALL_PROJECTIONS,
        .compartments = small->compartments, .compartment_count = SMALL_POPULATIONS,
        .placed = wanted, .placed_count = sizeof wanted / sizeof *wanted,
    };
}

static void small_end(struct small *small)
{
    reach_free(small->projections[LEAD].reach);
}

static struct chip small_chip(void)
{
    struct chip chip = plain_chip();
    chip.mesh.columns = chip.mesh.cores_per_tile = 2;
    chip.message_bits = 32;
    chip.payload_bits = 8;
    figure(&chip, CHIP_SYNOP_DENSE, 2);
    figure(&chip, CHIP_SYNOP_SPARSE, 3);
    figure(&chip, CHIP_SYNOP_CONVOLUTION, 5);
    figure(&chip, CHIP_NEURON_ACCESS, 0.5);
    figure(&chip, CHIP_NEURON_UPDATE, 0.25);
    figure(&chip, CHIP_SPIKE, 7);
    figure(&chip, CHIP_MESSAGE_OUT, 11);
    figure(&chip, CHIP_MESSAGE_IN, 13);
    figure(&chip, CHIP_HOP_LOCAL, 0.125);
    figure(&chip, CHIP_HOP_EAST, 17);
    figure(&chip, CHIP_HOP_WEST, 19);
    figure(&chip, CHIP_HOP_NORTH, 23);
    figure(&chip, CHIP_HOP_SOUTH, 29);
    figure(&chip, CHIP_LINK_BIT, 1);
    figure(&chip, CHIP_CONTROL_SPIKE, 31);
    figure(&chip, CHIP_CONTROL_SYNOP, 0.0625);
    figure(&chip, CHIP_POWER_CORE, 1024);
    figure(&chip, CHIP_POWER_CHIP, 512);
    figure(&chip, CHIP_POWER_BYTE, 256);
    figure(&chip, CHIP_POWER_PLATFORM, 2048);
    figure(&chip, CHIP_TIME_TICK, 0x1p-10);
    memory(&chip, LAYOUT_BY_TARGET, 8, 0.5);
    return chip;
}

static void assert_row(const struct estimate *estimate, uint32_t row, uint32_t population,
                       const double expected[TERMS])
{
    assert_int_equal(estimate->rows[row].population, population);
    for (int term = 0; term < TERMS; term++)
        if (estimate->rows[row].joules[term] != expected[term])
            fail_msg("row %u: %s: %.17g is not %.17g", row, energy_term_names[term],
                     estimate->rows[row].joules[term], expected[term]);
}

static void every_term_by_hand(void **state)
{
    (void)state;
    struct small small;
    small_begin(&small);
    struct chip chip = small_chip();
    struct estimate *estimate = estimate_with(
        &small.load, &chip, (struct estimate_options){.method = PLACEMENT_EXPLICIT});
    assert_true(estimate->placed);
    assert_int_equal(estimate->placement->core_count, 3);
    assert_int_equal(estimate->row_count, 4);
    assert_exactly(estimate->latency.seconds, 10 * 0x1p-10);
    /* Each of 6 spikes goes to core 1 (its tile) and core 2 (one step east); a fetch brings the
     * weights of all three inputs, for each of 4 targets, in 5 ticks. */
    assert_row(estimate, 0, IN, (double[TERMS]){
        [TERM_SYNOP] = 24 * 2, [TERM_MEMORY] = 5 * 4 * 0.5, [TERM_MESSAGE] = 12 * (11 + 13),
        [TERM_HOP] = 6 * 0.125 + 6 * 17, [TERM_CONTROL] = 24 * 0.0625});
    /* 0 and 1 send to their own core and to core 2, 3 only to its own: 8 + 2 messages; 2 is silent.
     * One weight a neuron and block on average for `out`, one for itself. */
    assert_row(estimate, 1, HIDDEN, (double[TERMS]){
        [TERM_SYNOP] = 13 * 3, [TERM_MEMORY] = (4 * 1 + 4 * 1) * 0.5,
        [TERM_NEURON] = 40 * 0.5 + 23 * 0.25, [TERM_SPIKE] = 6 * 7, [TERM_MESSAGE] = 10 * 24,
        [TERM_HOP] = 6 * 0.125 + 4 * 17, [TERM_CONTROL] = 6 * 31 + 13 * 0.0625});
    /* Each of 2 spikes goes west to core 1 and to its own core. */
    assert_row(estimate, 2, OUT, (double[TERMS]){
        [TERM_SYNOP] = 8 * 5, [TERM_MEMORY] = 2 * 4 * 0.5, [TERM_NEURON] = 20 * 0.5 + 8 * 0.25,
        [TERM_SPIKE] = 2 * 7, [TERM_MESSAGE] = 4 * 24, [TERM_HOP] = 2 * 0.125 + 2 * 19,
        [TERM_CONTROL] = 2 * 31 + 8 * 0.0625});
    /* 3 cores, 1 chip, 28 bytes of synapses, for 10 ticks of 2^-10 s */
    assert_row(estimate, 3, UINT32_MAX, (double[TERMS]){
        [TERM_STATIC] = 3 * 10 + 1 * 5 + 28 * 2.5});
    assert_exactly(estimate->platform, 20);
    assert_exactly(estimate->total,
                   48 + 39 + 40 + 10 + 4 + 4 + 25.75 + 12 + 42 + 14 + 288 + 240 + 96 + 102.75 +
                       68.75 + 38.25 + 1.5 + 186.8125 + 62.5 + 105);
    assert_exactly(estimate->low, estimate->total);
    assert_exactly(estimate->high, estimate->total);
    assert_exactly(estimate_cell(estimate, 2, TERM_SYNOP), 20); /* per sample */
    assert_exactly(estimate_cell(estimate, 3, TERMS), 52.5);
    assert_exactly(estimate->rows[1].events.traffic.messages, 10);
    assert_exactly(estimate->events[CHIP_HOP_EAST], 10);
    assert_conserved(estimate);
    assert_int_equal(estimate->ranged, 0);
    assert_missing(estimate, "Inputs (in) cost nothing themselves");
    assert_false(is_missing(estimate, "No figure"));
    assert_false(is_missing(estimate, "Updates"));
    estimate_free(estimate);
    small_end(&small);
}

/* A mesh of one core each: everything that leaves core 0 crosses to another chip. Chips stand in a
 * square of side 2: 0 at (0, 0), 1 at (1, 0), 2 at (0, 1). */
static void links_between_chips(void **state)
{
    (void)state;
    struct small small;
    small_begin(&small);
    struct chip chip = small_chip();
    chip.mesh.columns = chip.mesh.cores_per_tile = 1;
    struct estimate_options options = {.method = PLACEMENT_EXPLICIT};
    struct estimate *estimate = estimate_with(&small.load, &chip, options);
    assert_int_equal(estimate->placement->chips, 3);
    /* in: to chip 1 and to chip 2, one border each; hidden: 1 -> 2 crosses two, and 6 messages
     * stay; out: 2 -> 1 crosses two */
    assert_exactly(estimate->rows[0].joules[TERM_LINK], 12 * 32);
    assert_exactly(estimate->rows[1].joules[TERM_LINK], 4 * 2 * 32);
    assert_exactly(estimate->rows[2].joules[TERM_LINK], 2 * 2 * 32);
    estimate_free(estimate);

    /* Payloads are carried where the chip has them and there are any but 1. */
    static uint64_t payloads[] = {8, 2, 0};
    chip.graded = true;
    small.populations[IN].spikes = payloads;
    small.populations[IN].spikes_total = 10;
    estimate = estimate_with(&small.load, &chip, options);
    assert_exactly(estimate->rows[0].joules[TERM_LINK], 12 * 40);
    assert_exactly(estimate->rows[1].joules[TERM_LINK], 4 * 2 * 32);
    assert_exactly(estimate->rows[0].events.graded_synops, 24);
    assert_exactly(estimate->rows[1].events.graded_synops, 0);
    estimate_free(estimate);
    small_end(&small);
}

/* A port of its own is accessed like neurons; inputs are not. */
static void ports_are_elements(void **state)
{
    (void)state;
    struct small small;
    small_begin(&small);
    struct load_compartment compartments[SMALL_POPULATIONS + 1];
    memcpy(compartments, small.compartments, sizeof small.compartments);
    compartments[SMALL_POPULATIONS] = (struct load_compartment){OUT, in_name, 9};
    small.load.compartments = compartments;
    small.load.compartment_count++;
    struct chip chip = plain_chip();
    figure(&chip, CHIP_NEURON_ACCESS, 0.5);
    struct estimate *estimate = estimate_of(&small.load, &chip);
    assert_false(estimate->placed);
    assert_exactly(estimate->rows[IN].joules[TERM_NEURON], 0);
    assert_exactly(estimate->rows[HIDDEN].joules[TERM_NEURON], 4 * 10 * 0.5);
    assert_exactly(estimate->rows[OUT].joules[TERM_NEURON], (2 + 9) * 10 * 0.5);
    estimate_free(estimate);
    small_end(&small);
}

static void updates_not_counted_are_bounded(void **state)
{
    (void)state;
    struct small small;
    small_begin(&small);
    small.populations[OUT].updates = NULL;
    struct chip chip = plain_chip();
    figure(&chip, CHIP_NEURON_UPDATE, 0.25);
    struct estimate *estimate = estimate_of(&small.load, &chip);
    assert_exactly(estimate->rows[HIDDEN].joules[TERM_NEURON], 23 * 0.25);
    assert_exactly(estimate->rows[OUT].joules[TERM_NEURON], 2 * 10 * 0.25);
    assert_true(estimate->rows[OUT].events.updates_bounded);
    assert_false(estimate->rows[HIDDEN].events.updates_bounded);
    assert_false(estimate->rows[IN].events.updates_bounded);
    assert_missing(estimate, "volley run --count-updates");
    estimate_free(estimate);
    small_end(&small);
}

/* ---- a layer of a language model: 100 channels, 100 tokens, 1.13 spikes per channel ---- */

struct layer {
    struct load load;
    struct load_population populations[3];
    struct load_projection projections[3];
    struct load_compartment compartments[2];
    uint32_t fan_out[100];
    uint64_t active[100], spikes[100];
};

/* Even channels fire in 87 vectors, odd ones in 70. */
static void layer_begin(struct layer *layer)
{
    static char bitwise[] = "bitwise", norm[] = "norm", sum[] = "sum", head[] = "head";
    static char logits[] = "logits";
    *layer = (struct layer){
        .populations = {{.name = norm, .layer = 0, .coding = bitwise, .neurons = 100,
                         .spiking = true, .placed = true,
                         .tally = {.vectors = 100, .sram_blocks = 1300, .dram_blocks = 200}},
                        {.name = sum, .layer = 0, .neurons = 10, .placed = true,
                         .compartment = 1},
                        {.name = logits, .layer = -1, .neurons = 6400,
                         .compartment = UINT32_MAX}},
        .projections = {{.name = norm, .kind = SYNAPSES_DENSE, .target = 1, .spikes = true,
                         .weighted = true, .weight_count = 1000, .synapses = 1000,
                         .compartment = 1},
                        {.name = head, .kind = SYNAPSES_DENSE, .source = 1, .target = 2,
                         .weighted = true, .weight_count = 64000, .compartment = UINT32_MAX}},
        .compartments = {{0, NULL, 100}, {1, NULL, 10}},
    };
    struct load_population *population = &layer->populations[0];
    for (uint32_t n = 0; n < 100; n++) {
        layer->fan_out[n] = 10;
        layer->active[n] = n % 2 == 0 ? 87 : 70;
        layer->spikes[n] = n % 2 == 0 ? 126 : 100;
        population->active_total += layer->active[n];
        population->spikes_total += layer->spikes[n];
    }
    population->active = layer->active;
    population->spikes = layer->spikes;
    layer->projections[0].fan_out = layer->fan_out;
    layer->projections[0].synops = 113000;
    layer->load = (struct load){
        .path = path, .positions = 100, .ticks = 400, .stride = 1, .sampled = true,
        .populations = layer->populations, .population_count = 3,
        .projections = layer->projections, .projection_count = 2,
        .compartments = layer->compartments, .compartment_count = 2,
    };
}

static struct chip adding(double joules)
{
    struct chip chip = plain_chip();
    figure(&chip, CHIP_SYNOP, joules);
    return chip;
}

static struct chip multiplying(double joules)
{
    struct chip chip = plain_chip();
    chip.dense = true;
    figure(&chip, CHIP_MAC, joules);
    return chip;
}

/* What the SpikingBrain report has in section 4 (45 nm). */
static void report_figures(void **state)
{
    (void)state;
    struct layer layer;
    layer_begin(&layer);
    struct chip add_int8 = adding(0.03e-12), add_int32 = adding(0.1e-12);
    struct chip mac_fp16 = multiplying(1.5e-12), mac_int8 = multiplying(0.23e-12);
    assert_int_equal(layer.populations[0].spikes_total, 11300);
    double narrow = total_of(&layer.load, &add_int8), wide = total_of(&layer.load, &add_int32);
    double fp16 = total_of(&layer.load, &mac_fp16), int8 = total_of(&layer.load, &mac_int8);
    assert_true(near(fp16, 100 * 1000 * 1.5e-12));
    assert_true(near(int8, 100 * 1000 * 0.23e-12));
    assert_true(near(narrow / (100 * 1000), 0.0339e-12)); /* 0.034 pJ per weight */
    assert_true(fabs((1 - narrow / fp16) - 0.977) < 0.0005);
    /* 1 - 0.034 / 0.23 = 85.2 %: the report divides the rounded figure; 0.0339 gives 85.3 % */
    assert_true(fabs((1 - narrow / int8) - 0.852) < 0.0007);
    assert_true(fabs((1 - wide / fp16) - 0.925) < 0.0005);
    assert_true(fabs((1 - wide / int8) - 0.509) < 0.0005);
    layer.populations[2].input = true; /* it is not on the chip in any case */
    struct estimate *estimate = estimate_of(&layer.load, &add_int8);
    assert_false(is_missing(estimate, "Inputs"));
    assert_missing(estimate, "64 k multiply-accumulates per token");
    assert_missing(estimate, "not on the chip and cost nothing here: logits.");
    assert_missing(estimate, "No figure for memory");
    assert_missing(estimate, "No figure for power at rest");
    assert_missing(estimate, "No figure for firing: 113 spikes per token cost nothing here");
    assert_missing(estimate, "Not placed on cores");
    assert_exactly(estimate->passes, 100);
    assert_conserved(estimate);
    estimate_free(estimate);
}

/* A population of a language model is updated once a token, when its inputs are complete, whatever
 * virtual ticks its spikes take; a chip that looks at every neuron in every tick does so here. */
static void updates_of_language_models(void **state)
{
    (void)state;
    struct layer layer;
    layer_begin(&layer);
    struct chip chip = plain_chip();
    figure(&chip, CHIP_NEURON_UPDATE, 1);
    struct estimate *estimate = estimate_of(&layer.load, &chip);
    assert_exactly(estimate->rows[0].joules[TERM_NEURON], 100 * 100);
    assert_exactly(estimate->rows[1].joules[TERM_NEURON], 10 * 100);
    assert_false(is_missing(estimate, "Updates were not counted"));
    estimate_free(estimate);
    figure(&chip, CHIP_NEURON_ACCESS, 1);
    assert_exactly(total_of(&layer.load, &chip), 110 * (100 + 400));
}

/* A graded chip takes a firing as one event, whatever its payload. */
static void graded_spikes(void **state)
{
    (void)state;
    struct layer layer;
    layer_begin(&layer);
    struct chip chip = adding(1);
    chip.graded = true;
    assert_exactly(total_of(&layer.load, &chip), 50 * (87 + 70) * 10);
    figure(&chip, CHIP_SYNOP_GRADED, 4);
    assert_exactly(total_of(&layer.load, &chip), 4 * 50 * (87 + 70) * 10);
    /* uneven: weights that are zero are not met */
    layer.fan_out[0] = 3;
    layer.projections[0].synops -= 126 * 7;
    assert_exactly(total_of(&layer.load, &chip), 4 * (50 * (87 + 70) * 10 - 87 * 7));
    /* not said: even */
    layer.projections[0].fan_out = NULL;
    layer.projections[0].synapses = 500;
    layer.projections[0].synops = 11300 * 5;
    assert_exactly(total_of(&layer.load, &chip), 4 * 7850 * 5);
    /* what a spike meets changes from token to token: only the counted synops tell */
    layer.projections[0].synapses = layer.projections[0].weight_count = 0;
    layer.projections[0].weighted = false;
    layer.projections[0].synops = 22600;
    assert_true(near(total_of(&layer.load, &chip), 4 * 2 * 7850));
    chip.graded = false;
    assert_exactly(total_of(&layer.load, &chip), 22600);
}

/* A clocked population's synops are counted by firing; where the chip has no payloads, a payload p
 * is |p| spikes. */
static void payloads_without_graded_spikes(void **state)
{
    (void)state;
    struct small small;
    small_begin(&small);
    static uint64_t payloads[] = {3, 7, 0, 2}; /* of 3, 1, 0, 2 firings */
    small.populations[HIDDEN].spikes = payloads;
    small.populations[HIDDEN].spikes_total = 12;
    struct chip chip = adding(1);
    figure(&chip, CHIP_SPIKE, 0.5);
    struct estimate *estimate = estimate_of(&small.load, &chip);
    assert_exactly(estimate->rows[HIDDEN].joules[TERM_SYNOP], (3 * 1 + 7 * 2 + 2 * 1) + 12);
    assert_exactly(estimate->rows[HIDDEN].joules[TERM_SPIKE], 6);
    estimate_free(estimate);
    chip.graded = true;
    estimate = estimate_of(&small.load, &chip);
    assert_exactly(estimate->rows[HIDDEN].joules[TERM_SYNOP], 7 + 6);
    assert_exactly(estimate->rows[HIDDEN].joules[TERM_SPIKE], 3);
    estimate_free(estimate);
    small_end(&small);
}

/* ---- scopes ---- */

static void all_in_and_incremental(void **state)
{
    (void)state;
    struct small small;
    small_begin(&small);
    struct chip chip = adding(26e-12);
    chip.figure[CHIP_SYNOP].scope = SCOPE_ALL_IN;
    struct estimate *estimate = estimate_of(&small.load, &chip);
    assert_true(near(estimate->joules[TERM_ALL_IN], (24 + 13 + 8) * 26e-12));
    assert_exactly(estimate->total, estimate->joules[TERM_ALL_IN]);
    assert_false(is_missing(estimate, "No figure"));
    assert_false(is_missing(estimate, "Inputs"));
    assert_conserved(estimate);
    estimate_free(estimate);

    figure(&chip, CHIP_SYNOP, 2);
    chip.figure[CHIP_SYNOP].scope = SCOPE_INCREMENTAL;
    estimate = estimate_of(&small.load, &chip);
    assert_exactly(estimate->joules[TERM_SYNOP], 90);
    assert_exactly(estimate->joules[TERM_ALL_IN], 0);
    assert_missing(estimate, "No figure for power at rest");
    assert_false(is_missing(estimate, "No figure for messages"));
    estimate_free(estimate);

    figure(&chip, CHIP_POWER_CORE, 1024);
    figure(&chip, CHIP_TIME_TICK, 0x1p-10);
    estimate = estimate_of(&small.load, &chip);
    assert_exactly(estimate->total, 90 + 10);
    assert_conserved(estimate);
    estimate_free(estimate);
    small_end(&small);
}

/* Dense passes: one per sample, or one per tick of a run in time. */
static void dense_passes(void **state)
{
    (void)state;
    struct small small;
    small_begin(&small);
    struct chip chip = multiplying(1);
    figure(&chip, CHIP_NEURON_UPDATE, 0.5);
    assert_exactly(estimate_passes(&small.load, IN), 2);
    struct estimate *estimate = estimate_of(&small.load, &chip);
    assert_exactly(estimate->joules[TERM_SYNOP], 2 * (12 + 4 + 4 + 8));
    assert_exactly(estimate->joules[TERM_NEURON], 2 * (4 + 2) * 0.5);
    assert_exactly(estimate->passes, 2);
    assert_false(is_missing(estimate, "Updates were not counted"));
    assert_conserved(estimate);
    estimate_free(estimate);
    figure(&chip, CHIP_MESSAGE_OUT, 1000); /* it sends none */
    chip.mesh.columns = 4;
    small.load.sampled = false;
    assert_exactly(estimate_passes(&small.load, IN), 10);
    assert_exactly(total_of(&small.load, &chip), 10 * (28 + 3));
    small_end(&small);
}

/* Spikes at keys and not at weights: no dense pass of weights holds them. */
static void dense_passes_leave_out_attention(void **state)
{
    (void)state;
    struct layer layer;
    layer_begin(&layer);
    layer.projections[2] = (struct load_projection){.name = in_name, .kind = SYNAPSES_SPARSE,
                                                    .target = 1, .spikes = true, .synops = 200};
    layer.load.projection_count = 3;
    struct chip chip = multiplying(1), spiking = adding(1);
    struct estimate *estimate = estimate_of(&layer.load, &chip);
    assert_exactly(estimate->total, 100 * 1000);
    assert_missing(estimate, "their 2 synops per token");
    estimate_free(estimate);
    assert_exactly(total_of(&layer.load, &spiking), 113000 + 200);
}

/* ---- memory ---- */

static double reads(const struct load *load, const struct chip *chip)
{
    struct estimate *estimate = estimate_of(load, chip);
    assert_exactly(estimate->total, estimate->joules[TERM_MEMORY]);
    double sum = estimate->total;
    estimate_free(estimate);
    return sum;
}

static void memory_by_target(void **state)
{
    (void)state;
    struct layer layer;
    layer_begin(&layer);
    struct chip chip = plain_chip();
    memory(&chip, LAYOUT_BY_TARGET, 8, 1);
    assert_exactly(reads(&layer.load, &chip), 1300 * 10); /* 64 bits: 8 weights */
    chip.memory[0].block_bytes = 64;
    assert_exactly(reads(&layer.load, &chip), 200 * 10); /* 64 weights */
    chip.memory[0].block_bytes = 1;
    assert_exactly(reads(&layer.load, &chip), 7850 * 10); /* each by itself */
    chip.weight_bits = 20;
    assert_exactly(reads(&layer.load, &chip), 3 * 7850 * 10); /* … in three reads */
    chip.weight_bits = 4;
    chip.memory[0].block_bytes = 4;
    assert_exactly(reads(&layer.load, &chip), 1300 * 10);
    chip.weight_bits = 3;
    assert_refused(&layer.load, &chip, false, "brings 10 weights of 3 bits at once");
    assert_refused(&layer.load, &chip, false, "--trace-level spike");
    assert_refused(&layer.load, &chip, true, "ordering channels by activity");
    chip.memory[0].block_bytes = 3; /* 24 bits */
    assert_exactly(reads(&layer.load, &chip), 1300 * 10);
    chip.weight_bits = 0;
    assert_refused(&layer.load, &chip, false, "weight_bits");
    chip.dense = true; /* all blocks: ⌈100 / 12⌉ for each target and token */
    chip.weight_bits = 2;
    assert_exactly(reads(&layer.load, &chip), 9 * 10 * 100);
}

static void memory_by_source(void **state)
{
    (void)state;
    struct layer layer;
    layer_begin(&layer);
    struct chip chip = plain_chip();
    memory(&chip, LAYOUT_BY_SOURCE, 8, 1);
    assert_exactly(reads(&layer.load, &chip), 7850 * 2); /* 10 bytes: 2 blocks */
    chip.weight_bits = 4;
    assert_exactly(reads(&layer.load, &chip), 7850); /* 5 bytes */
    chip.weight_bits = 16;
    layer.fan_out[1] = 1; /* fires 70 times; others take 20 bytes */
    assert_exactly(reads(&layer.load, &chip), (7850 - 70) * 3 + 70);
    layer.populations[0].active = NULL; /* even: 78.5 vectors each */
    assert_true(near(reads(&layer.load, &chip), 78.5 * (99 * 3 + 1)));
    layer.projections[0].fan_out = NULL;
    assert_exactly(reads(&layer.load, &chip), 7850 * 3);
    layer.projections[2] = layer.projections[0]; /* one to one: nothing to fetch */
    layer.projections[2].weighted = false;
    layer.load.projection_count = 3;
    assert_exactly(reads(&layer.load, &chip), 7850 * 3);
    layer.load.projection_count = 2;
    chip.dense = true; /* 10 targets of 100 channels, 100 times */
    assert_exactly(reads(&layer.load, &chip), 100 * 100 * 3);
    memory(&chip, LAYOUT_BY_TARGET, 8, 0x1p20); /* another one beside it; 4 weights a block */
    assert_exactly(reads(&layer.load, &chip), 100 * 100 * 3 + 25 * 10 * 100 * 0x1p20);
}

/* Six channels, of which every other one fires in each of 4 tokens; blocks of 3. */
static void memory_by_activity(void **state)
{
    (void)state;
    struct layer layer;
    layer_begin(&layer);
    struct load_population *population = &layer.populations[0];
    static const uint32_t neurons[] = {0, 2, 4};
    struct load_volley list[4];
    for (int i = 0; i < 4; i++)
        list[i] = (struct load_volley){.tick = 3 * i, .position = i, .length = 3,
                                       .neurons = neurons};
    volleys = list;
    volley_count = 4;
    population->neurons = 6;
    population->active = population->spikes = NULL;
    population->active_total = population->spikes_total = 12;
    layer.projections[0].weight_count = 60;
    layer.projections[0].fan_out = NULL;
    layer.load.positions = 4;
    layer.load.has_spikes = true;
    struct chip chip = plain_chip();
    memory(&chip, LAYOUT_BY_TARGET, 3, 0.5);
    memory(&chip, LAYOUT_BY_TARGET, 2, 0.25);
    memory(&chip, LAYOUT_BY_TARGET, 3, 4);
    memory(&chip, LAYOUT_BY_SOURCE, 3, 64);
    double rows = 12 * 64 * ceil(1000.0 / 6 / 3); /* by source, in any order */
    struct estimate *estimate = estimate_of(&layer.load, &chip);
    assert_exactly(estimate->total, 10 * 4 * (2 * 0.5 + 3 * 0.25 + 2 * 4) + rows);
    assert_exactly(estimate->memory_joules[ORDER_NATURAL], 0);
    estimate_free(estimate);
    estimate = estimate_with(&layer.load, &chip, (struct estimate_options){.by_activity = true});
    assert_exactly(estimate->total, 10 * 4 * (1 * 0.5 + 2 * 0.25 + 1 * 4) + rows);
    assert_exactly(estimate->memory_joules[ORDER_NATURAL],
                   10 * 4 * (2 * 0.5 + 3 * 0.25 + 2 * 4) + rows);
    assert_exactly(estimate->memory_joules[ORDER_IN_SAMPLE], estimate->total);
    assert_exactly(estimate->memory_joules[ORDER_HELD_OUT], estimate->total);
    assert_conserved(estimate);
    estimate_free(estimate);
    volleys = NULL;
    volley_count = 0;
}

/* ---- intervals ---- */

static struct estimate *sampled(const struct load *load, const struct chip *chip, uint64_t seed,
                                uint32_t samples)
{
    return estimate_with(load, chip, (struct estimate_options){.seed = seed, .samples = samples});
}

static void assert_interval(const struct load *load, const struct chip *chip, double low,
                            double high, double tolerance)
{
    struct estimate *estimate = sampled(load, chip, 7, 100000);
    if (fabs(estimate->low - low) > tolerance || fabs(estimate->high - high) > tolerance)
        fail_msg("%g … %g is not %g … %g", estimate->low, estimate->high, low, high);
    estimate_free(estimate);
}

/* 113000 synops at a triangle over 1, 2, 5: F(x) = (x - 1)² / 4 up to 2, 1 - (5 - x)² / 12 from
 * there on. */
static void interval_of_one_coefficient(void **state)
{
    (void)state;
    struct layer layer;
    layer_begin(&layer);
    struct chip chip = adding(2);
    figure(&chip, CHIP_SPIKE, 1);
    double certain = 11300, synops = 113000;
    give(&chip.figure[CHIP_SYNOP], 2, 1, 5);
    assert_interval(&layer.load, &chip, certain + synops * (1 + sqrt(0.05 * 4)),
                    certain + synops * (5 - sqrt(0.05 * 12)), 0.02 * synops);
    /* At an end: the interval goes on to the total itself. */
    give(&chip.figure[CHIP_SYNOP], 1, 1, 5);
    assert_interval(&layer.load, &chip, certain + synops * 1,
                    certain + synops * (5 - sqrt(0.05 * 16)), 0.02 * synops);
    give(&chip.figure[CHIP_SYNOP], 5, 1, 5);
    assert_interval(&layer.load, &chip, certain + synops * (1 + sqrt(0.05 * 16)),
                    certain + synops * 5, 0.02 * synops);
    /* Two that are drawn apart, of density 2 (1 - x): the sum is above s > 1 with (2 - s)⁴ / 6. */
    give(&chip.figure[CHIP_SYNOP], 0, 0, 1);
    give(&chip.figure[CHIP_SPIKE], 0, 0, 10);
    assert_interval(&layer.load, &chip, 0, synops * (2 - pow(0.3, 0.25)), 0.02 * synops);
}

/* One sample is one draw. Shares of a triangle over 1, 2, 5 below 1.5, 2 and 2.4: 1/16, 1/4 and
 * 1 - 2.6²/12. */
static void draws_fill_the_triangle(void **state)
{
    (void)state;
    enum { DRAWS = 20000 };
    struct layer layer;
    layer_begin(&layer);
    struct chip chip = adding(2);
    give(&chip.figure[CHIP_SYNOP], 2, 1, 5);
    double below[3] = {0};
    for (uint64_t seed = 0; seed < DRAWS; seed++) {
        struct estimate *estimate = sampled(&layer.load, &chip, seed, 1);
        /* The other end is the total. */
        double value = (estimate->low + estimate->high - estimate->total) / 113000;
        assert_true(value >= 1 && value <= 5);
        below[0] += value < 1.5;
        below[1] += value < 2;
        below[2] += value < 2.4;
        estimate_free(estimate);
    }
    assert_true(fabs(below[0] / DRAWS - 1.0 / 16) < 0.01);
    assert_true(fabs(below[1] / DRAWS - 1.0 / 4) < 0.015);
    assert_true(fabs(below[2] / DRAWS - 131.0 / 300) < 0.015);
}

static void intervals_follow_the_seed(void **state)
{
    (void)state;
    struct layer layer;
    layer_begin(&layer);
    struct chip chip = adding(2);
    give(&chip.figure[CHIP_SYNOP], 2, 1, 5);
    give(&chip.figure[CHIP_SYNOP_CONVOLUTION], 2, 1, 5); /* there is none: not in use */
    struct estimate *first = sampled(&layer.load, &chip, 1, 1000);
    struct estimate *again = sampled(&layer.load, &chip, 1, 1000);
    struct estimate *other = sampled(&layer.load, &chip, 2, 1000);
    struct estimate *none = sampled(&layer.load, &chip, 2, 0);
    assert_int_equal(first->ranged, 1);
    assert_exactly(first->low, again->low);
    assert_exactly(first->high, again->high);
    assert_true(first->low != other->low && first->high != other->high);
    assert_true(first->low < first->total && first->total < first->high);
    assert_exactly(none->low, none->total);
    assert_exactly(none->high, none->total);
    assert_int_equal(none->ranged, 1);
    estimate_free(first);
    estimate_free(again);
    estimate_free(other);
    estimate_free(none);
}

/* ---- what is not included ---- */

static void figures_that_are_missing(void **state)
{
    (void)state;
    struct small small;
    small_begin(&small);
    struct chip chip = small_chip();
    static char apart[] = "Nothing is known of the weather.";
    static char *sentences[] = {apart};
    chip.missing = sentences;
    chip.missing_count = 1;
    chip.memory_count = 0;
    static const enum chip_figure gone[] = {
        CHIP_SYNOP_SPARSE, CHIP_NEURON_ACCESS, CHIP_SPIKE,      CHIP_MESSAGE_IN,
        CHIP_HOP_WEST,     CHIP_CONTROL_SPIKE, CHIP_POWER_CORE, CHIP_TIME_TICK};
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        chip.figure[gone[i]].given = false;
    struct estimate_options options = {.method = PLACEMENT_EXPLICIT};
    struct estimate *estimate = estimate_with(&small.load, &chip, options);
    assert_string_equal(estimate->missing[0], apart);
    assert_missing(estimate, "No figure for synops of sparse projections: 6.5 of them per "
                             "inference cost nothing here.");
    assert_missing(estimate, "No figure for firing: 4 spikes per inference");
    assert_missing(estimate, "No figure for hops from tile to tile: 1 hops per inference");
    assert_missing(estimate, "No figure for memory");
    assert_missing(estimate, "How long the run takes on this chip is not known: power at rest");
    /* one of two figures is enough: the other is part of it, or nothing */
    assert_false(is_missing(estimate, "No figure for neurons"));
    assert_false(is_missing(estimate, "No figure for messages"));
    assert_false(is_missing(estimate, "No figure for control"));
    assert_int_equal(estimate->row_count, 3);
    assert_exactly(estimate->platform, 0);
    assert_conserved(estimate);
    estimate_free(estimate);
    small_end(&small);
}

/* Of a run without a trace nobody knows where sparse weights lead. */
static void runs_without_reach_are_not_placed(void **state)
{
    (void)state;
    struct small small;
    small_begin(&small);
    struct chip chip = small_chip();
    small.load.path = NULL;
    struct reach *reach = small.projections[LEAD].reach;
    small.projections[LEAD].reach = NULL;
    struct estimate *estimate = estimate_of(&small.load, &chip);
    assert_false(estimate->placed);
    assert_null(estimate->placement);
    assert_exactly(estimate->joules[TERM_MESSAGE] + estimate->joules[TERM_STATIC], 0);
    assert_exactly(estimate->joules[TERM_SYNOP], 48 + 39 + 40);
    assert_missing(estimate, "Not placed on cores, for the run has no trace");
    estimate_free(estimate);
    small.projections[LEAD].reach = reach;
    small.load.path = path;
    estimate = estimate_with(&small.load, &chip, (struct estimate_options){.unplaced = true});
    assert_false(estimate->placed);
    assert_exactly(estimate->joules[TERM_SYNOP], 48 + 39 + 40);
    assert_missing(estimate, "Not placed on cores, as was asked");
    estimate_free(estimate);
    small_end(&small);
}

/* A figure for messages is reason enough to place, also where there is but one core; dense weights
 * lead everywhere, whether the run has a trace or not. */
static void figures_of_messages_need_a_core(void **state)
{
    (void)state;
    struct small small;
    small_begin(&small);
    struct chip chip = plain_chip();
    figure(&chip, CHIP_MESSAGE_OUT, 1);
    struct estimate *estimate = estimate_of(&small.load, &chip);
    assert_true(estimate->placed);
    assert_exactly(estimate->total, 6 + 6 + 2);
    assert_false(is_missing(estimate, "Not placed"));
    estimate_free(estimate);
    small_end(&small);
    struct layer layer;
    layer_begin(&layer);
    layer.load.path = NULL;
    assert_exactly(total_of(&layer.load, &chip), 11300);
    chip.graded = true;
    assert_exactly(total_of(&layer.load, &chip), 7850);
}

/* What does not fit is an error, unless one asks for it. */
static void limits_are_kept(void **state)
{
    (void)state;
    struct small small;
    small_begin(&small);
    struct chip chip = small_chip();
    chip.limits.neurons = 4;
    chip.limits.neuron_fan_in = 1;
    struct error error = {0};
    struct estimate_options options = {.method = PLACEMENT_IN_ORDER};
    assert_null(estimate_new(&small.load, &chip, &options, &error));
    assert_true(strlen(error.text) > 0);
    options.beyond_limits = true;
    struct estimate *estimate = estimate_with(&small.load, &chip, options);
    assert_missing(estimate, "Limits of the chip were left out");
    assert_false(estimate->queue.known);
    estimate_free(estimate);
    small_end(&small);
}

/* ---- conservation ---- */

static uint64_t random_state = UINT64_C(88172645463325252);

static uint32_t random_number(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state * UINT64_C(0x2545f4914f6cdd1d)) >> 32) % limit;
}

static struct chip random_chip(void)
{
    struct chip chip = small_chip();
    chip.graded = random_number(2);
    chip.limits.neurons = 2 + random_number(4);
    for (int i = 0; i < CHIP_TIME_SYNOP; i++) {
        double value = (1 + random_number(1000)) * 1.1e-12;
        give(&chip.figure[i], value, value * 0.7, value * 1.9);
        chip.figure[i].given = random_number(5) > 0;
    }
    give(&chip.memory[0].read, 3.3e-9, 2.2e-9, 4.4e-9);
    return chip;
}

static void nothing_is_lost(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct small small;
        small_begin(&small);
        uint64_t active[4], spikes[4];
        small.populations[HIDDEN].active_total = small.populations[HIDDEN].spikes_total = 0;
        for (int n = 0; n < 4; n++) {
            active[n] = random_number(11);
            spikes[n] = active[n] * (1 + random_number(3));
            small.populations[HIDDEN].active_total += active[n];
            small.populations[HIDDEN].spikes_total += spikes[n];
        }
        small.populations[HIDDEN].active = active;
        small.populations[HIDDEN].spikes = spikes;
        small.projections[LEAD].synops = active[0] + 2 * active[1] + active[3];
        small.projections[KEEP].synops = small.populations[HIDDEN].active_total;
        struct chip chip = random_chip();
        struct estimate *estimate = sampled(&small.load, &chip, (uint64_t)round, 200);
        assert_conserved(estimate);
        assert_true(estimate->low <= estimate->high);
        assert_true(estimate->low > 0.69 * estimate->total);
        assert_true(estimate->high < 1.91 * estimate->total);
        /* messages that leave are those that arrive, and those of all rows */
        struct core_traffic cores[9] = {{0}};
        assert_true(estimate->placement->core_count <= 9);
        routes_traffic(&small.load, &chip, estimate->placement, estimate->routes, NULL, cores);
        double out = 0, in = 0, synops = 0, messages = 0, own = 0;
        for (uint32_t c = 0; c < estimate->placement->core_count; c++) {
            out += cores[c].out;
            in += cores[c].in;
            synops += cores[c].synops;
        }
        for (uint32_t r = 0; r < estimate->row_count; r++) {
            const struct estimate_events *events = &estimate->rows[r].events;
            messages += events->traffic.messages;
            own += events->synops[0] + events->synops[1] + events->synops[2];
        }
        assert_true(near(in, out) && near(messages, out));
        /* the routes' synapses met by spikes are the synops counted */
        assert_true(near(synops, own));
        estimate_free(estimate);
        small_end(&small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_term_by_hand),
        cmocka_unit_test(links_between_chips),
        cmocka_unit_test(ports_are_elements),
        cmocka_unit_test(updates_not_counted_are_bounded),
        cmocka_unit_test(report_figures),
        cmocka_unit_test(updates_of_language_models),
        cmocka_unit_test(graded_spikes),
        cmocka_unit_test(payloads_without_graded_spikes),
        cmocka_unit_test(all_in_and_incremental),
        cmocka_unit_test(dense_passes),
        cmocka_unit_test(dense_passes_leave_out_attention),
        cmocka_unit_test(memory_by_target),
        cmocka_unit_test(memory_by_source),
        cmocka_unit_test(memory_by_activity),
        cmocka_unit_test(interval_of_one_coefficient),
        cmocka_unit_test(draws_fill_the_triangle),
        cmocka_unit_test(intervals_follow_the_seed),
        cmocka_unit_test(figures_that_are_missing),
        cmocka_unit_test(runs_without_reach_are_not_placed),
        cmocka_unit_test(figures_of_messages_need_a_core),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
