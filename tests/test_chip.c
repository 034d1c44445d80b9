/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Chips: the shipped ones hold the figures of the papers they name, each with its source, and obey
 * the scopes; every mistake in a file is one sentence that names the file and the place; a change
 * takes effect or leaves the chip as it was.
 */
#define _GNU_SOURCE 1
#include "traces/energy/chip.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static bool near(double value, double expected)
{
    return fabs(value - expected) <= 1e-14 * fabs(expected);
}

static struct chip *shipped(const char *name)
{
    struct error error = {0};
    struct chip *chip = chip_open(name, &error);
    if (chip == NULL)
        fail_msg("%s: %s", name, error.text);
    return chip;
}

/* ---------------------------------------------------------- the shipped ones */

static void coefficient_is_sound(const char *chip, const char *key,
                                 const struct coefficient *coefficient)
{
    if (!coefficient->given || coefficient->source == NULL || strlen(coefficient->source) < 20 ||
        !(coefficient->low >= 0) || !(coefficient->low <= coefficient->value) ||
        !(coefficient->value <= coefficient->high) || !isfinite(coefficient->high) ||
        coefficient->unit[0] == '\0' || coefficient->evidence == EVIDENCE_ASSUMED)
        fail_msg("%s: %s is not sound", chip, key);
}

static void shipped_chips_have_sources_and_obey_scopes(void **state)
{
    (void)state;
    for (size_t i = 0; chip_names[i] != NULL; i++) {
        struct chip *chip = shipped(chip_names[i]);
        assert_string_equal(chip->name, chip_names[i]);
        assert_string_equal(chip->origin, "built in");
        assert_true(strlen(chip->title) > 0 && strlen(chip->title) <= 22); /* the list's column */
        assert_true(strlen(chip->name) <= 16 && strlen(chip->description) > 20);
        assert_true(chip->missing_count > 0 && chip_cores(chip) > 0);
        int energies = 0, powers = 0, figures = 0;
        for (int f = 0; f < CHIP_FIGURES; f++) {
            if (!chip->figure[f].given)
                continue;
            coefficient_is_sound(chip->name, chip_figures[f].key, &chip->figure[f]);
            figures++;
            energies += chip_figures[f].group == CHIP_ENERGY;
            powers += chip_figures[f].group == CHIP_POWER && f != CHIP_POWER_PLATFORM;
        }
        for (uint32_t m = 0; m < chip->memory_count; m++)
            coefficient_is_sound(chip->name, chip->memory[m].name, &chip->memory[m].read);
        assert_true(figures > 0);
        if (chip_is_all_in(chip))
            assert_true(energies == 1 && powers == 0 && chip->memory_count == 0);
        if (chip_is_incremental(chip))
            assert_true(energies == 1 && chip->memory_count == 0);
        chip_free(chip);
    }
}

static void there_are_the_chips_that_are_spoken_of(void **state)
{
    (void)state;
    static const char *const names[] = {
        "loihi",      "loihi-sanafe", "loihi2",     "truenorth", "spinnaker", "spinnaker2",
        "odin",       "darwin3",      "speck",      "ideal-45nm", "event-45nm", "int8-45nm",
        "fp16-45nm",  "event-7nm",    "int8-7nm",   "fp16-7nm"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_non_null(chip_text(names[i]));
    assert_null(chip_text("brain"));
}

/* Typed from the papers, in SI. */
static void figures_are_those_of_the_papers(void **state)
{
    (void)state;
    static const struct {
        const char *chip;
        enum chip_figure figure;
        double value;
    } figures[] = {
        {"loihi", CHIP_SYNOP, 23.6e-12},
        {"loihi", CHIP_NEURON_ACCESS, 52e-12},
        {"loihi", CHIP_HOP_LOCAL, 1.7e-12},
        {"loihi", CHIP_HOP_WEST, 3.0e-12},
        {"loihi", CHIP_HOP_SOUTH, 4.0e-12},
        {"loihi", CHIP_TIME_SYNOP, 3.5e-9},
        {"loihi", CHIP_TIME_HOP_NORTH, 6.5e-9},
        {"loihi-sanafe", CHIP_SYNOP_DENSE, 35.5e-12},
        {"loihi-sanafe", CHIP_SYNOP_SPARSE, 33.6e-12},
        {"loihi-sanafe", CHIP_SYNOP_CONVOLUTION, 24.0e-12},
        {"loihi-sanafe", CHIP_NEURON_ACCESS, 51.2e-12},
        {"loihi-sanafe", CHIP_NEURON_UPDATE, 21.6e-12},
        {"loihi-sanafe", CHIP_SPIKE, 69.3e-12},
        {"loihi-sanafe", CHIP_MESSAGE_OUT, 111e-12},
        {"loihi-sanafe", CHIP_HOP_NORTH, 4.2e-12},
        {"loihi-sanafe", CHIP_TIME_MESSAGE_IN, 16e-9},
        {"loihi-sanafe", CHIP_TIME_SPIKE, 30e-9},
        {"truenorth", CHIP_TIME_TICK, 1e-3},
        {"spinnaker", CHIP_SYNOP, 13.3e-9},
        {"spinnaker", CHIP_NEURON_ACCESS, 26e-9},
        {"spinnaker-board", CHIP_POWER_CHIP, 0.35},
        {"spinnaker-board", CHIP_LINK_BIT, 25e-12},
        {"spinnaker2", CHIP_SYNOP, 450e-12},
        {"spinnaker2", CHIP_NEURON_ACCESS, 2.19e-9},
        {"odin", CHIP_SYNOP, 8.43e-12},
        {"darwin3", CHIP_SYNOP, 5.47e-12},
        {"speck", CHIP_POWER_CHIP, 0.42e-3},
        {"ideal-45nm", CHIP_SYNOP, 0.03e-12},
        {"event-45nm", CHIP_SYNOP, 0.1e-12},
        {"int8-45nm", CHIP_MAC, 0.23e-12},
        {"fp16-45nm", CHIP_MAC, 1.5e-12},
        {"event-7nm", CHIP_SYNOP, 0.03e-12},
        {"int8-7nm", CHIP_MAC, 0.077e-12},
        {"fp16-7nm", CHIP_MAC, 0.5e-12},
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        struct chip *chip = shipped(figures[i].chip);
        const struct coefficient *figure = &chip->figure[figures[i].figure];
        if (!figure->given || !near(figure->value, figures[i].value))
            fail_msg("%s: %s is %.17g", figures[i].chip, chip_figures[figures[i].figure].key,
                     figure->value);
        chip_free(chip);
    }
}

/* What the papers say otherwise than the file has it. */
static void figures_give_back_what_they_were_derived_from(void **state)
{
    (void)state;
    struct chip *loihi = shipped("loihi"), *truenorth = shipped("truenorth"),
                *odin = shipped("odin"), *board = shipped("spinnaker-board"),
                *board2 = shipped("spinnaker2-board"), *event = shipped("event-45nm"),
                *loihi2 = shipped("loihi2");
    assert_true(near(loihi->figure[CHIP_NEURON_ACCESS].value +
                         loihi->figure[CHIP_NEURON_UPDATE].value,
                     81e-12));
    assert_true(near(loihi->figure[CHIP_TIME_NEURON_ACCESS].value +
                         loihi->figure[CHIP_TIME_NEURON_UPDATE].value,
                     8.4e-9));
    assert_true(fabs(32 * loihi->figure[CHIP_POWER_CHIP].value - 3.34) < 0.005);
    const struct coefficient *all = &truenorth->figure[CHIP_SYNOP];
    assert_true(fabs(all->value * 4096 * 256 * 20 * 128 - 72e-3) < 72e-3 * 1e-3);
    assert_true(near(all->low, 26e-12) && near(all->high, 27e-12));
    double synop = odin->figure[CHIP_SYNOP].value, rest = odin->figure[CHIP_POWER_CHIP].value;
    assert_true(fabs(rest + 37.5e6 * synop - 477e-6) < 0.5e-6);
    assert_true(fabs((rest + 37.5e6 * synop) / 37.5e6 - 12.7e-12) < 0.05e-12);
    assert_true(fabs(48 * board->figure[CHIP_POWER_CHIP].value - 16.82) < 0.05);
    assert_true(near(board->figure[CHIP_MESSAGE_OUT].value, 40 * 25e-12));
    assert_true(fabs(board2->figure[CHIP_POWER_CHIP].value +
                     152 * board2->figure[CHIP_POWER_CORE].value - 424.6e-3) < 1e-3);
    /* Horowitz: multiply 3.1, two adds of 0.1, two reads of 20; DSENT: its parts, and a link. */
    assert_true(near(event->figure[CHIP_NEURON_UPDATE].value, (3.1 + 2 * 0.1 + 2 * 20) * 1e-12));
    assert_true(near(event->figure[CHIP_MESSAGE_OUT].value,
                     (0.630 + 0.442 + 0.548 + 0.133) * 1e-12));
    assert_true(near(event->figure[CHIP_HOP_EAST].value, (1.753 + 1.292) * 1e-12));
    assert_true(near(loihi2->figure[CHIP_TIME_SYNOP].value, 3.5e-9 / 5));
    for (int i = CHIP_SYNOP; i <= CHIP_POWER_PLATFORM; i++)
        assert_false(loihi2->figure[i].given);
    assert_true(loihi2->graded && loihi2->payload_bits == 32);
    chip_free(loihi);
    chip_free(truenorth);
    chip_free(odin);
    chip_free(board);
    chip_free(board2);
    chip_free(event);
    chip_free(loihi2);
}

/* arXiv:2509.05276: 1.13 spikes a channel are 0.034 pJ, 97.7 % and 85.2 % less than dense. */
static void references_give_the_reports_savings(void **state)
{
    (void)state;
    struct chip *ideal = shipped("ideal-45nm"), *fp16 = shipped("fp16-45nm"),
                *int8 = shipped("int8-45nm");
    double spikes = 1.13 * ideal->figure[CHIP_SYNOP].value;
    assert_true(fabs(spikes - 0.034e-12) < 0.0005e-12);
    assert_true(fabs(1 - spikes / fp16->figure[CHIP_MAC].value - 0.977) < 0.0005);
    assert_true(fabs(1 - spikes / int8->figure[CHIP_MAC].value - 0.852) < 0.001);
    assert_true(fp16->dense && int8->dense && !ideal->dense);
    assert_true(fp16->weight_bits == 16 && int8->weight_bits == 8);
    assert_true(ideal->memory_count == 0 && int8->memory_count == 1);
    assert_int_equal(int8->memory[0].block_bytes, 8);
    assert_int_equal(int8->memory[0].layout, LAYOUT_BY_TARGET);
    assert_true(near(int8->memory[0].read.value, 20e-12));
    chip_free(ideal);
    chip_free(fp16);
    chip_free(int8);
    struct chip *dram = shipped("event-45nm-dram");
    assert_int_equal(dram->memory[0].block_bytes, 64);
    assert_true(near(dram->memory[0].read.low, 8 * 1.3e-9));
    assert_true(near(dram->memory[0].read.high, 8 * 2.6e-9));
    chip_free(dram);
}

static void capacities_are_those_of_the_papers(void **state)
{
    (void)state;
    struct chip *loihi = shipped("loihi"), *sanafe = shipped("loihi-sanafe"),
                *truenorth = shipped("truenorth");
    assert_int_equal(chip_cores(loihi), 128);
    assert_int_equal(loihi->limits.neurons, 1024);
    assert_int_equal(loihi->limits.synapse_bytes, 128 * 1024);
    assert_int_equal(loihi->limits.fan_in, 4096);
    assert_int_equal(loihi->limits.fan_out, 4096);
    assert_true(loihi->mesh.column_major && loihi->mesh.columns == 8 && loihi->mesh.rows == 4);
    static const struct {
        uint32_t tiles;
        double seconds;
    } sync[] = {{1, 0.6e-6}, {2, 1.0e-6}, {4, 1.4e-6}, {29, 1.8e-6}};
    assert_int_equal(sanafe->sync_count, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(sanafe->sync[i].tiles, sync[i].tiles);
        assert_true(near(sanafe->sync[i].seconds, sync[i].seconds));
    }
    assert_true(sanafe->sync_source.given && near(sanafe->sync_source.value, 1.8e-6));
    assert_int_equal(sanafe->mesh.link_buffer, 16);
    assert_int_equal(chip_cores(truenorth), 4096);
    assert_int_equal(truenorth->limits.neurons, 256);
    assert_int_equal(truenorth->limits.fan_in, 256);
    chip_free(loihi);
    chip_free(sanafe);
    chip_free(truenorth);
}

/* ------------------------------------------------------------------ mistakes */

#define FIGURE(value, unit) \
    "{\"value\": " value ", \"unit\": \"" unit "\", \"scope\": \"per-term\", " \
    "\"evidence\": \"silicon\", \"source\": \"s\"}"

static const char good[] =
    "{\"volley_chip\": 1, \"name\": \"mine\", \"title\": \"Mine\", \"arithmetic\": \"event\",\n"
    " \"year\": 2020, \"process_nm\": 28.5, \"graded\": true, \"message_bits\": 32,\n"
    " \"payload_bits\": 16, \"weight_bits\": 4, \"shares_kernels\": true,\n"
    " \"mesh\": {\"columns\": 2, \"rows\": 3, \"cores_per_tile\": 4, \"order\": \"by-column\",\n"
    "          \"link_buffer\": 5},\n"
    " \"limits\": {\"neurons\": 10, \"chips\": 2},\n"
    " \"energy\": {\n"
    "   \"synop\": {\"value\": 20, \"low\": 10, \"high\": 30.5, \"unit\": \"pJ\",\n"
    "     \"scope\": \"per-term\", \"evidence\": \"circuit\", \"source\": \"t\",\n"
    "     \"note\": \"N\"},\n"
    "   \"hop_east\": " FIGURE("2.5", "pJ") "},\n"
    " \"power\": {\"core\": " FIGURE("3", "mW") "},\n"
    " \"time\": {\"tick\": " FIGURE("1", "ms") ",\n"
    "   \"sync\": {\"table\": [{\"tiles\": 1, \"value\": 2}, {\"tiles\": 4, \"value\": 3}],\n"
    "     \"unit\": \"us\", \"scope\": \"per-term\", \"evidence\": \"fitted\",\n"
    "     \"source\": \"s\"}},\n"
    " \"memory\": [{\"name\": \"SRAM\", \"block_bytes\": 8, \"layout\": \"by-target\",\n"
    "   \"read\": " FIGURE("9", "nJ") "}],\n"
    " \"sources\": {\"s\": \"Source one\", \"t\": \"Source two\"},\n"
    " \"not_included\": [\"This.\", \"That.\"]}\n";

static struct chip *parse(const char *text, struct error *error)
{
    return chip_parse(text, strlen(text), "my.json", error);
}

static void a_file_is_read_as_it_stands(void **state)
{
    (void)state;
    struct error error = {0};
    struct chip *chip = parse(good, &error);
    if (chip == NULL)
        fail_msg("%s", error.text);
    assert_string_equal(chip->name, "mine");
    assert_string_equal(chip->title, "Mine");
    assert_string_equal(chip->description, "");
    assert_string_equal(chip->origin, "my.json");
    assert_int_equal(chip->year, 2020);
    assert_true(chip->nanometres == 28.5 && !chip->dense && chip->graded && chip->shares_kernels);
    assert_int_equal(chip->message_bits, 32);
    assert_int_equal(chip->payload_bits, 16);
    assert_int_equal(chip->weight_bits, 4);
    assert_int_equal(chip_cores(chip), 24);
    assert_true(chip->mesh.column_major && chip->mesh.link_buffer == 5);
    assert_true(chip->limits.neurons == 10 && chip->limits.chips == 2 && chip->limits.fan_in == 0);
    const struct coefficient *synop = &chip->figure[CHIP_SYNOP];
    assert_true(synop->value == 20e-12 && synop->low == 10e-12 && synop->high == 30.5e-12);
    assert_true(synop->evidence == EVIDENCE_CIRCUIT && synop->scope == SCOPE_PER_TERM);
    assert_string_equal(synop->source, "Source two");
    assert_string_equal(synop->note, "N");
    assert_string_equal(synop->unit, "pJ");
    const struct coefficient *hop = &chip->figure[CHIP_HOP_EAST];
    assert_true(hop->low == hop->value && hop->high == hop->value && hop->note == NULL);
    assert_false(chip->figure[CHIP_HOP_WEST].given);
    assert_true(chip->figure[CHIP_POWER_CORE].value == 3e-3);
    assert_int_equal(chip->sync_count, 2);
    assert_true(chip->sync[1].tiles == 4 && chip->sync[1].seconds == 3e-6);
    assert_int_equal(chip->memory_count, 1);
    assert_string_equal(chip->memory[0].name, "SRAM");
    assert_true(chip->memory[0].read.value == 9e-9);
    assert_int_equal(chip->missing_count, 2);
    assert_string_equal(chip->missing[1], "That.");
    assert_false(chip_is_all_in(chip) || chip_is_incremental(chip));
    chip_free(chip);
}

/* `good` with the first `from` made into `to`; the caller's. */
static char *changed(const char *from, const char *to)
{
    const char *at = strstr(good, from);
    assert_non_null(at);
    char *text;
    assert_true(asprintf(&text, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from)) > 0);
    return text;
}

static const struct mistake {
    const char *from, *to, *sentence;
} mistakes[] = {
    {"\"unit\": \"pJ\"", "\"unit\": \"kg\"",
     "my.json: /energy/synop/unit is 'kg'; energies take J, mJ, uJ, nJ, pJ, fJ"},
    {"\"unit\": \"pJ\"", "\"unit\": \"mW\"",
     "my.json: /energy/synop/unit is 'mW', a unit of power; energies take J, mJ, uJ, nJ, pJ, fJ"},
    {"\"unit\": \"mW\"", "\"unit\": \"ns\"",
     "/power/core/unit is 'ns', a unit of time; powers take W, mW, uW, nW, pW, fW"},
    {"\"unit\": \"ms\"", "\"unit\": \"pJ\"",
     "/time/tick/unit is 'pJ', a unit of energy; times take s, ms, us, ns, ps"},
    {", \"unit\": \"pJ\",", ",", "/energy/synop/unit is missing; energies take J"},
    {"\"unit\": \"pJ\"", "\"unit\": 3", "/energy/synop/unit must be a text"},
    {"\"value\": 20, ", "", "/energy/synop/value is missing; it must be a number"},
    {"\"value\": 20", "\"value\": \"20\"", "/energy/synop/value must be a number"},
    {"\"value\": 20", "\"value\": true", "/energy/synop/value must be a number"},
    {"\"value\": 20", "\"value\": -1", "/energy/synop/value is -1; no figure is less than nothing"},
    {"\"value\": 20", "\"value\": 1e999", "my.json: line 8"},
    {"\"value\": 20", "\"value\": 99999999999999999999", "my.json: line 8"},
    {"\"value\": 20", "\"value\": NaN", "my.json: line 8"},
    {"\"high\": 30.5", "\"high\": 1e308", "/energy/synop is absurd; no figure is more than 1e+06"},
    {"\"low\": 10", "\"low\": 21", "/energy/synop/low is 21, more than the value, 20"},
    {"\"high\": 30.5", "\"high\": 19", "/energy/synop/high is 19, less than the value, 20"},
    {"\"low\": 10", "\"low\": -3", "/energy/synop/low is -3"},
    {"\"scope\": \"per-term\", \"evidence\": \"circuit\"", "\"evidence\": \"circuit\"",
     "/energy/synop/scope is missing; it is one of per-term, all-in, incremental"},
    {"\"scope\": \"per-term\"", "\"scope\": \"total\"",
     "/energy/synop/scope is 'total'; it is one of per-term, all-in, incremental"},
    {"\"evidence\": \"circuit\", ", "",
     "/energy/synop/evidence is missing; it is one of silicon, pre-silicon, circuit, datasheet, "
     "fitted, scaled, assumed"},
    {"\"evidence\": \"circuit\"", "\"evidence\": \"hearsay\"",
     "/energy/synop/evidence is 'hearsay'; it is one of silicon"},
    {"\"source\": \"t\",", "", "/energy/synop/source is missing; it must be a key of /sources"},
    {"\"source\": \"t\"", "\"source\": \"q\"",
     "/energy/synop/source is 'q', which /sources does not have; it has s, t"},
    {"\"sources\": {\"s\": \"Source one\", \"t\": \"Source two\"},", "",
     "/energy/synop/source is 't', which /sources does not have; it has nothing"},
    {"\"Source two\"", "\"\"", "/sources/t must be a text"},
    {"{\"s\": \"Source one\", \"t\": \"Source two\"}", "[]", "/sources must be an object"},
    {"\"note\": \"N\"", "\"note\": 7", "/energy/synop/note must be a text"},
    {"\"note\": \"N\"", "\"note\": \"a\\u001b[2Jb\"",
     "/energy/synop/note has a control character (code 27)"},
    {"\"note\"", "\"remark\"",
     "/energy/synop/remark is not known; there is value, unit, low, high, scope, evidence, source, "
     "note"},
    {"\"synop\": {\"value\": 20, \"low\": 10, \"high\": 30.5, \"unit\": \"pJ\",\n"
     "     \"scope\": \"per-term\", \"evidence\": \"circuit\", \"source\": \"t\",\n"
     "     \"note\": \"N\"}",
     "\"synop\": 20", "/energy/synop must be an object"},
    {"\"hop_east\"", "\"hop_up\"", "/energy/hop_up is not known; there is synop, synop_dense"},
    {"\"core\":", "\"cores\":",
     "/power/cores is not known; there is core, chip, byte, platform"},
    {"\"tick\":", "\"tack\":", "/time/tack is not known; there is synop, synop_dense"},
    {"\"energy\": {", "\"energy\": {\"mac\": " FIGURE("1", "pJ") ", ",
     "/energy/mac: a chip whose /arithmetic is 'event' has no multiply-accumulates"},
    {"\"event\"", "\"dense\"",
     "/energy/synop: a chip whose /arithmetic is 'dense' has no synops"},
    {"\"event\"", "\"analog\"", "/arithmetic is 'analog'; it is one of event, dense"},
    {"\"arithmetic\": \"event\",", "", "/arithmetic is missing; it is one of event, dense"},
    {"\"title\": \"Mine\", ", "", "/title is missing; it must be a text"},
    {"\"name\": \"mine\", ", "", "/name is missing; it must be a text"},
    {"\"mine\"", "\"my chip\"", "/name must be a name of at most 64 letters, digits, - and _"},
    {"\"mine\"", "\"../x\"", "/name must be a name"},
    {"\"volley_chip\": 1", "\"volley_chip\": 2", "/volley_chip must be 1, the version"},
    {"\"volley_chip\"", "\"volley\"", "the document does not describe a chip, which begins"},
    {"\"year\": 2020", "\"year\": 20", "/year is 20; it must be from 1900 to 2999"},
    {"\"year\": 2020", "\"year\": 2020.5", "/year must be a whole number"},
    {"28.5", "0", "/process_nm is 0; it must be more than 0"},
    {"\"graded\": true", "\"graded\": 1", "/graded must be true or false"},
    {"\"weight_bits\": 4", "\"weight_bits\": 0", "/weight_bits is 0; it must be from 1 to 65536"},
    {"\"weight_bits\": 4,", "",
     "/weight_bits is missing; /memory and /limits/synapse_bytes need it"},
    {"\"message_bits\": 32", "\"message_bits\": 99999", "/message_bits is 99999; it must be"},
    {"\"columns\": 2", "\"columns\": 0", "/mesh/columns is 0; it must be from 1 to 65536"},
    {"\"columns\": 2, \"rows\": 3", "\"columns\": 65536, \"rows\": 65536",
     "my.json: /mesh has 17179869184 cores; one chip may have 16777216"},
    {"\"columns\": 2", "\"width\": 2",
     "/mesh/width is not known; there is columns, rows, cores_per_tile, link_buffer, order"},
    {"\"by-column\"", "\"zigzag\"", "/mesh/order is 'zigzag'; it is one of by-row, by-column"},
    {"\"neurons\": 10", "\"neurons\": 0", "/limits/neurons is 0; it must be from 1"},
    {"\"neurons\": 10", "\"neurons\": 1e15", "/limits/neurons must be a whole number"},
    {"\"neurons\": 10", "\"dendrites\": 10",
     "/limits/dendrites is not known; there is neurons, synapses, synapse_bytes, fan_in"},
    {"\"tiles\": 4", "\"tiles\": 1", "/time/sync/table/1/tiles is 1; it must be from 2"},
    {"\"value\": 3}", "\"value\": -3}", "/time/sync/table/1/value is -3"},
    {"\"unit\": \"us\"", "\"unit\": \"uJ\"", "/time/sync/unit is 'uJ', a unit of energy"},
    {"\"us\", \"scope\": \"per-term\"", "\"us\", \"scope\": \"all-in\"",
     "/time/sync/scope is 'all-in'; a time is 'per-term'"},
    {"[{\"tiles\": 1, \"value\": 2}, {\"tiles\": 4, \"value\": 3}]", "[]",
     "/time/sync/table has 0 rows; it must have 1 to 16"},
    {"\"block_bytes\": 8", "\"block_bytes\": 0", "/memory/0/block_bytes is 0; it must be from 1"},
    {"\"by-target\"", "\"by-row\"", "/memory/0/layout is 'by-row'; it is one of by-target"},
    {"\"SRAM\"", "\"a.b\"", "/memory/0/name must be a name"},
    {"\"unit\": \"nJ\"", "\"unit\": \"V\"", "/memory/0/read/unit is 'V'"},
    {"\"unit\": \"nJ\", \"scope\": \"per-term\"", "\"unit\": \"nJ\", \"scope\": \"all-in\"",
     "/memory/0/read/scope is 'all-in'; what one read takes is 'per-term'"},
    {"\"unit\": \"mW\", \"scope\": \"per-term\"", "\"unit\": \"mW\", \"scope\": \"all-in\"",
     "/power/core/scope is 'all-in'; only energies can be that, a figure of power is 'per-term'"},
    {"\"unit\": \"ms\", \"scope\": \"per-term\"", "\"unit\": \"ms\", \"scope\": \"incremental\"",
     "/time/tick/scope is 'incremental'; only energies can be that"},
    {"2.5, \"unit\": \"pJ\", \"scope\": \"per-term\"",
     "2.5, \"unit\": \"pJ\", \"scope\": \"all-in\"",
     "/energy/hop_east/scope is 'all-in'; such a figure is an energy per synaptic operation and "
     "stands at /energy/synop"},
    {"\"scope\": \"per-term\", \"evidence\": \"circuit\"",
     "\"scope\": \"all-in\", \"evidence\": \"circuit\"",
     "my.json: /energy/hop_east: an all-in figure (/energy/synop) already holds everything that "
     "the chip used"},
    {"\"scope\": \"per-term\", \"evidence\": \"circuit\"",
     "\"scope\": \"incremental\", \"evidence\": \"circuit\"",
     "my.json: /energy/hop_east: an incremental figure (/energy/synop) is the slope of all power"},
    {"\"not_included\": [\"This.\"", "\"not_included\": [3", "/not_included/0 must be a text"},
    {"[\"This.\", \"That.\"]", "\"This.\"", "/not_included must be a list of sentences"},
    {"\"year\"", "\"name\"", "my.json: line 2, column 7: duplicate object key"},
    {"\"Mine\"", "\"Mi\\u0000ne\"", "my.json: line 1"},
    {"\"Mine\"", "\"Mi\xff\"", "my.json: line 1"},
    {"]}\n", "]", "my.json: line "},
    {"]}\n", "]} 1", "my.json: line "},
};

static void mistakes_are_told_with_their_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        char *text = changed(mistakes[i].from, mistakes[i].to);
        struct error error = {0};
        struct chip *chip = parse(text, &error);
        if (chip != NULL)
            fail_msg("'%s' is taken for '%s'", mistakes[i].to, mistakes[i].from);
        assert_int_equal(error.code, ERROR_FAILED);
        if (strstr(error.text, mistakes[i].sentence) == NULL ||
            strncmp(error.text, "my.json: ", 9) != 0)
            fail_msg("'%s' gives: %s", mistakes[i].to, error.text);
        free(text);
    }
}

/* An all-in figure beside each other kind of entry. */
static void all_in_figures_stand_alone(void **state)
{
    (void)state;
    static const char form[] =
        "{\"volley_chip\": 1, \"name\": \"a\", \"title\": \"A\", \"arithmetic\": \"event\",\n"
        " \"weight_bits\": 8, \"sources\": {\"s\": \"S\"}, \"energy\": {\"synop\":\n"
        " {\"value\": 26, \"unit\": \"pJ\", \"scope\": \"%s\", \"evidence\": \"silicon\",\n"
        "  \"source\": \"s\"}%s";
    static const struct {
        const char *beside;
        bool all_in, incremental; /* may stand beside such a figure */
        const char *entry;
    } cases[] = {
        {"}}", true, true, NULL},
        {", \"spike\": " FIGURE("1", "pJ") "}}", false, false, "/energy/spike: an"},
        {", \"synop_dense\": " FIGURE("1", "pJ") "}}", false, false, "/energy/synop_dense: an"},
        {"}, \"power\": {\"chip\": " FIGURE("1", "W") "}}", false, true, "/power/chip: an"},
        {"}, \"power\": {\"byte\": " FIGURE("1", "nW") "}}", false, true, "/power/byte: an"},
        {"}, \"power\": {\"platform\": " FIGURE("1", "W") "}}", true, true, NULL},
        {"}, \"time\": {\"tick\": " FIGURE("1", "ms") "}}", true, true, NULL},
        {"}, \"memory\": [{\"name\": \"M\", \"block_bytes\": 8, \"layout\": \"by-source\", "
         "\"read\": " FIGURE("1", "pJ") "}]}", false, false, "/memory/0/read: an"},
    };
    for (size_t i = 0; i < 2 * (sizeof cases / sizeof *cases); i++) {
        bool all_in = i % 2 == 0, right = all_in ? cases[i / 2].all_in : cases[i / 2].incremental;
        char *text;
        assert_true(asprintf(&text, form, all_in ? "all-in" : "incremental",
                             cases[i / 2].beside) > 0);
        struct error error = {0};
        struct chip *chip = parse(text, &error);
        if ((chip != NULL) != right)
            fail_msg("%s: %s", cases[i / 2].beside, error.text);
        if (chip != NULL)
            assert_true(chip_is_all_in(chip) == all_in && chip_is_incremental(chip) == !all_in);
        else
            assert_non_null(strstr(error.text, cases[i / 2].entry));
        chip_free(chip);
        free(text);
    }
}

static void units_become_SI(void **state)
{
    (void)state;
    static const struct {
        const char *from, *unit;
        enum chip_figure figure;
        double value;
    } units[] = {
        {"pJ", "J", CHIP_SYNOP, 20},        {"pJ", "mJ", CHIP_SYNOP, 20e-3},
        {"pJ", "uJ", CHIP_SYNOP, 20e-6},    {"pJ", "nJ", CHIP_SYNOP, 20e-9},
        {"pJ", "pJ", CHIP_SYNOP, 20e-12},   {"pJ", "fJ", CHIP_SYNOP, 20e-15},
        {"mW", "W", CHIP_POWER_CORE, 3},    {"mW", "uW", CHIP_POWER_CORE, 3e-6},
        {"mW", "nW", CHIP_POWER_CORE, 3e-9}, {"mW", "pW", CHIP_POWER_CORE, 3e-12},
        {"mW", "fW", CHIP_POWER_CORE, 3e-15}, {"ms", "s", CHIP_TIME_TICK, 1},
        {"ms", "us", CHIP_TIME_TICK, 1e-6}, {"ms", "ns", CHIP_TIME_TICK, 1e-9},
        {"ms", "ps", CHIP_TIME_TICK, 1e-12},
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        char from[16], to[16];
        snprintf(from, sizeof from, "\"%s\"", units[i].from);
        snprintf(to, sizeof to, "\"%s\"", units[i].unit);
        char *text = changed(from, to);
        struct error error = {0};
        struct chip *chip = parse(text, &error);
        assert_non_null(chip);
        const struct coefficient *figure = &chip->figure[units[i].figure];
        assert_true(figure->value == units[i].value);
        assert_string_equal(figure->unit, units[i].unit);
        double shown = chip_in_unit(figure, figure->value);
        assert_true(near(shown, units[i].figure == CHIP_SYNOP ? 20
                                : units[i].figure == CHIP_POWER_CORE ? 3 : 1));
        chip_free(chip);
        free(text);
    }
}

static void weights_lie_by_target_or_by_source(void **state)
{
    (void)state;
    struct error error = {0};
    char *text = changed("by-target", "by-source");
    struct chip *by_target = parse(good, &error), *by_source = parse(text, &error);
    assert_true(by_target != NULL && by_source != NULL);
    assert_int_equal(by_target->memory[0].layout, LAYOUT_BY_TARGET);
    assert_int_equal(by_source->memory[0].layout, LAYOUT_BY_SOURCE);
    chip_free(by_target);
    chip_free(by_source);
    free(text);
}

static void hostile_text_is_refused(void **state)
{
    (void)state;
    struct error error = {0};
    size_t deep = 100000;
    char *text = malloc(deep + 1);
    assert_non_null(text);
    memset(text, '[', deep);
    text[deep] = '\0';
    assert_null(parse(text, &error));
    assert_non_null(strstr(error.text, "my.json: line 1"));
    free(text);
    static const char *const texts[] = {"",     "[]", "3", "\"x\"",
                                        "null", "{}", "{", "\xef\xbb\xbf{}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        error.code = ERROR_NONE;
        assert_null(parse(texts[i], &error));
        assert_int_equal(error.code, ERROR_FAILED);
    }
    error.code = ERROR_NONE;
    assert_null(chip_parse("{\0}", 3, "my.json", &error));
    assert_int_equal(error.code, ERROR_FAILED);
    for (size_t length = 0; length + 2 < sizeof good; length++) { /* cut short anywhere */
        char *part = malloc(length + 1); /* so that a read beyond is noticed */
        assert_non_null(part);
        memcpy(part, good, length);
        error.code = ERROR_NONE;
        assert_null(chip_parse(part, length, "my.json", &error));
        assert_int_equal(error.code, ERROR_FAILED);
        free(part);
    }
    char *name = malloc(5000);
    assert_non_null(name);
    memset(name, 'x', 4999);
    name[4999] = '\0';
    error.code = ERROR_NONE;
    char *long_key;
    assert_true(asprintf(&long_key, "{\"volley_chip\": 1, \"%s\": 3}", name) > 0);
    assert_null(parse(long_key, &error));
    assert_non_null(strstr(error.text, "is not known"));
    free(long_key);
    free(name);
}

/* --------------------------------------------------------------------- files */

static char folder[400];

static int folder_make(void **state)
{
    (void)state;
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/volley_test_chip_XXXXXX", parent != NULL ? parent : "/tmp");
    return mkdtemp(folder) == NULL;
}

static int folder_remove(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void files_are_opened_by_path(void **state)
{
    (void)state;
    char path[420];
    struct error error = {0};
    snprintf(path, sizeof path, "%s/mine.json", folder);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(good, 1, strlen(good), out), strlen(good));
    assert_int_equal(fclose(out), 0);
    struct chip *chip = chip_open(path, &error);
    assert_non_null(chip);
    assert_string_equal(chip->origin, path);
    chip_free(chip);

    assert_int_equal(truncate(path, (1 << 20) + 1), 0);
    assert_null(chip_open(path, &error));
    assert_int_equal(error.code, ERROR_FAILED);
    assert_non_null(strstr(error.text, "1048577 bytes"));
    assert_int_equal(unlink(path), 0);

    error.code = ERROR_NONE;
    assert_null(chip_open(path, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    assert_non_null(strstr(error.text, "mine.json: cannot be opened"));
    error.code = ERROR_NONE;
    assert_null(chip_open("loihi.json", &error)); /* a path, not a name */
    assert_non_null(strstr(error.text, "cannot be opened"));
    error.code = ERROR_NONE;
    assert_null(chip_open("/tmp", &error));
    assert_int_equal(error.code, ERROR_FAILED);
}

static void unknown_names_list_the_known(void **state)
{
    (void)state;
    struct error error = {0};
    assert_null(chip_open("loihi3", &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    assert_non_null(strstr(error.text, "unknown chip 'loihi3'; there is "));
    for (size_t i = 0; chip_names[i] != NULL; i++)
        assert_non_null(strstr(error.text, chip_names[i]));
}

/* ------------------------------------------------------------------- changes */

static void change(struct chip *chip, const char *assignment)
{
    struct error error = {0};
    char before[17];
    strcpy(before, chip->digest);
    if (!chip_change(chip, assignment, &error))
        fail_msg("%s: %s", assignment, error.text);
    assert_string_not_equal(chip->digest, before);
}

static void changes_take_effect(void **state)
{
    (void)state;
    struct error error = {0};
    struct chip *chip = parse(good, &error);
    assert_non_null(chip);
    change(chip, "energy.synop=3.5nJ");
    const struct coefficient *synop = &chip->figure[CHIP_SYNOP];
    assert_true(synop->value == 3.5e-9 && synop->low == 3.5e-9 && synop->high == 3.5e-9);
    assert_string_equal(synop->source, "changed on the command line");
    assert_string_equal(synop->unit, "nJ");
    assert_true(synop->note == NULL && synop->evidence == EVIDENCE_ASSUMED);
    change(chip, "energy.synop=0pJ");
    assert_true(synop->value == 0 && synop->given);
    change(chip, "energy.hop_west=2 fJ"); /* it had none */
    assert_true(chip->figure[CHIP_HOP_WEST].given && chip->figure[CHIP_HOP_WEST].value == 2e-15);
    assert_int_equal(chip->figure[CHIP_HOP_WEST].scope, SCOPE_PER_TERM);
    change(chip, "power.byte=1e-3pW");
    assert_true(near(chip->figure[CHIP_POWER_BYTE].value, 1e-15));
    change(chip, "time.tick=2ms");
    assert_true(chip->figure[CHIP_TIME_TICK].value == 2e-3);
    change(chip, "time.sync=5us");
    assert_true(chip->sync_count == 1 && chip->sync[0].tiles == 1 && chip->sync[0].seconds == 5e-6);
    change(chip, "limits.neurons=512");
    change(chip, "limits.fan_in=1000000000000000");
    assert_true(chip->limits.neurons == 512 && chip->limits.fan_in == 1000000000000000);
    change(chip, "mesh.columns=7");
    change(chip, "mesh.link_buffer=0");
    assert_true(chip->mesh.columns == 7 && chip->mesh.link_buffer == 0);
    change(chip, "memory.SRAM.read=10pJ");
    change(chip, "memory.SRAM.block_bytes=16");
    change(chip, "memory.SRAM.layout=by-source");
    assert_true(chip->memory[0].read.value == 10e-12 && chip->memory[0].block_bytes == 16);
    assert_int_equal(chip->memory[0].layout, LAYOUT_BY_SOURCE);
    change(chip, "weight_bits=2");
    change(chip, "payload_bits=0");
    change(chip, "graded=false");
    change(chip, "shares_kernels=false");
    assert_true(chip->weight_bits == 2 && chip->payload_bits == 0 && !chip->graded &&
                !chip->shares_kernels);
    chip_free(chip);
}

static void refuse(struct chip *chip, const char *assignment, const char *sentence)
{
    struct error error = {0};
    struct chip before = *chip;
    if (chip_change(chip, assignment, &error))
        fail_msg("%s is taken", assignment);
    assert_int_equal(error.code, ERROR_MISUSED);
    if (strstr(error.text, sentence) == NULL)
        fail_msg("%s gives: %s", assignment, error.text);
    assert_memory_equal(chip, &before, sizeof before);
}

static void wrong_changes_change_nothing(void **state)
{
    (void)state;
    struct error error = {0};
    struct chip *chip = parse(good, &error);
    assert_non_null(chip);
    refuse(chip, "", "changes nothing; write ENTRY=VALUE");
    refuse(chip, "=3", "changes nothing");
    refuse(chip, "energy.synop", "changes nothing");
    refuse(chip, "energy.synop=", "takes a number that is not negative with its unit; energies");
    refuse(chip, "energy.synop=3", "energies take J, mJ, uJ, nJ, pJ, fJ");
    refuse(chip, "energy.synop=pJ", "with its unit");
    refuse(chip, "energy.synop=-3pJ", "not negative");
    refuse(chip, "energy.synop=nanpJ", "not negative");
    refuse(chip, "energy.synop=infpJ", "not negative");
    refuse(chip, "energy.synop=1e300J", "with its unit");
    refuse(chip, "energy.synop=3mW", "which is of another kind; energies take J");
    refuse(chip, "time.tick=3pJ", "which is of another kind; times take s");
    refuse(chip, "energy.synap=3pJ", "unknown entry 'energy.synap'; there is energy with synop");
    refuse(chip, "power.tick=3W", "there is power with core, chip, byte, platform");
    refuse(chip, "synop=3pJ", "unknown entry 'synop'; there is energy.…, power.…");
    refuse(chip, "energy=3pJ", "unknown entry 'energy'");
    refuse(chip, "volts.synop=3", "unknown entry 'volts.synop'");
    refuse(chip, "limits.neurons=0", "this takes a whole number from 1 to 1000000000000000");
    refuse(chip, "limits.neurons=1.5", "whole number");
    refuse(chip, "limits.neurons=10x", "whole number");
    refuse(chip, "limits.size=1", "there is limits with neurons, synapses");
    refuse(chip, "mesh.rows=65537", "from 1 to 65536");
    change(chip, "mesh.rows=65536");
    refuse(chip, "mesh.columns=65536", "my.json: /mesh has 17179869184 cores");
    refuse(chip, "mesh.width=65536", "there is mesh with columns, rows");
    refuse(chip, "memory.DRAM.read=3pJ", "there is memory with SRAM");
    refuse(chip, "memory.SRAM=3pJ", "there is a memory with read, block_bytes, layout");
    refuse(chip, "memory.SRAM.layout=flat", "either by-target or by-source");
    refuse(chip, "memory.SRAM.block_bytes=0", "from 1 to 1048576");
    refuse(chip, "graded=yes", "this is either true or false");
    refuse(chip, "weight_bits=0", "from 1 to 65536");
    refuse(chip, "energy.mac=1pJ", "has no multiply-accumulates");
    chip_free(chip);
}

static void changes_keep_to_scopes(void **state)
{
    (void)state;
    struct chip *truenorth = shipped("truenorth"), *odin = shipped("odin");
    refuse(truenorth, "energy.hop_east=2.3pJ",
           "truenorth: /energy/hop_east: an all-in figure (/energy/synop) already holds everything "
           "that the chip used, its messages, updates and power at rest too, divided by its "
           "synaptic operations; so nothing can be added to it but /power/platform");
    refuse(truenorth, "power.chip=42mW", "truenorth: /power/chip: an all-in figure");
    change(truenorth, "energy.synop=30pJ");
    assert_true(chip_is_all_in(truenorth)); /* it keeps its scope */
    change(truenorth, "power.platform=1W");
    refuse(odin, "energy.spike=1pJ", "odin: /energy/spike: an incremental figure");
    change(odin, "power.chip=1mW");
    assert_true(chip_is_incremental(odin));
    chip_free(truenorth);
    chip_free(odin);
}

/* FNV-1a, 64 bit, of the bytes; written out here. */
static void digest_of(uint64_t *sum, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        *sum ^= (unsigned char)bytes[i];
        *sum *= UINT64_C(1099511628211);
    }
}

static void digests_are_of_the_text_and_its_changes(void **state)
{
    (void)state;
    struct error error = {0};
    struct chip *chip = parse(good, &error);
    assert_non_null(chip);
    uint64_t sum = UINT64_C(14695981039346656037);
    char digest[17];
    digest_of(&sum, good, strlen(good));
    snprintf(digest, sizeof digest, "%016llx", (unsigned long long)sum);
    assert_string_equal(chip->digest, digest);
    change(chip, "weight_bits=2");
    digest_of(&sum, "weight_bits=2", 14); /* with the 0 at its end */
    snprintf(digest, sizeof digest, "%016llx", (unsigned long long)sum);
    assert_string_equal(chip->digest, digest);
    chip_free(chip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shipped_chips_have_sources_and_obey_scopes),
        cmocka_unit_test(there_are_the_chips_that_are_spoken_of),
        cmocka_unit_test(figures_are_those_of_the_papers),
        cmocka_unit_test(figures_give_back_what_they_were_derived_from),
        cmocka_unit_test(references_give_the_reports_savings),
        cmocka_unit_test(capacities_are_those_of_the_papers),
        cmocka_unit_test(a_file_is_read_as_it_stands),
        cmocka_unit_test(mistakes_are_told_with_their_place),
        cmocka_unit_test(all_in_figures_stand_alone),
        cmocka_unit_test(units_become_SI),
        cmocka_unit_test(weights_lie_by_target_or_by_source),
        cmocka_unit_test(hostile_text_is_refused),
        cmocka_unit_test_setup_teardown(files_are_opened_by_path, folder_make, folder_remove),
        cmocka_unit_test(unknown_names_list_the_known),
        cmocka_unit_test(changes_take_effect),
        cmocka_unit_test(wrong_changes_change_nothing),
        cmocka_unit_test(changes_keep_to_scopes),
        cmocka_unit_test(digests_are_of_the_text_and_its_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
