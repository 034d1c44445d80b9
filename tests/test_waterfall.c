/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Waterfalls against the report's own percentages and sums worked out by hand. */
#include "traces/energy/waterfall.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char horowitz[] = "ISSCC 2014", routers[] = "DSENT", nobody[] = "nobody";

static void give(struct coefficient *coefficient, double value, const char *unit, char *source)
{
    *coefficient = (struct coefficient){.given = true, .value = value, .low = value,
                                        .high = value, .source = source};
    strcpy(coefficient->unit, unit);
}

/* 100 tokens through 100 channels with 113 spikes a token, to 10 targets, and what that costs. */
struct bench {
    struct load load;
    struct load_population population;
    struct load_projection projection;
    struct chip chips[4]; /* event, ideal, fp16, int8 */
    struct estimate estimates[4];
    struct waterfall *found;
};
enum { EVENT, IDEAL, FP16, INT8 };

static int set_up(void **state)
{
    static char names[][8] = {"event", "ideal", "fp16", "int8"}, memory[] = "SRAM";
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    *state = bench;
    bench->population = (struct load_population){.neurons = 100, .spikes_total = 11300};
    bench->projection = (struct load_projection){.spikes = true, .weight_count = 1000};
    bench->load = (struct load){.positions = 100, .populations = &bench->population,
                                .population_count = 1, .projections = &bench->projection,
                                .projection_count = 1};
    for (int i = 0; i < 4; i++) {
        bench->chips[i].name = names[i];
        bench->chips[i].dense = i == FP16 || i == INT8;
        bench->estimates[i].load = &bench->load;
        bench->estimates[i].chip = &bench->chips[i];
        if (i == IDEAL)
            continue;
        bench->chips[i].memory[0] = (struct chip_memory){.name = memory, .block_bytes = 8};
        bench->chips[i].memory_count = 1;
        give(&bench->chips[i].memory[0].read, 20e-12, "pJ", horowitz);
    }
    give(&bench->chips[EVENT].figure[CHIP_SYNOP], 0.1e-12, "pJ", horowitz);
    give(&bench->chips[IDEAL].figure[CHIP_SYNOP], 0.03e-12, "pJ", horowitz);
    give(&bench->chips[FP16].figure[CHIP_MAC], 1.5e-12, "pJ", horowitz);
    give(&bench->chips[INT8].figure[CHIP_MAC], 0.23e-12, "pJ", horowitz);
    bench->estimates[EVENT].joules[TERM_SYNOP] = 113000 * 0.1e-12;
    bench->estimates[IDEAL].joules[TERM_SYNOP] = 113000 * 0.03e-12;
    bench->estimates[FP16].joules[TERM_SYNOP] = 100000 * 1.5e-12;
    bench->estimates[FP16].joules[TERM_MEMORY] = 25000 * 20e-12;
    bench->estimates[INT8].joules[TERM_SYNOP] = 100000 * 0.23e-12;
    bench->estimates[INT8].joules[TERM_MEMORY] = 13000 * 20e-12;
    bench->estimates[EVENT].joules[TERM_MEMORY] = 13000 * 20e-12;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    waterfall_free(bench->found);
    free(bench);
    return 0;
}

static const struct waterfall *make(struct bench *bench)
{
    struct error error = {0};
    struct estimate *event = &bench->estimates[EVENT];
    event->total = 0;
    for (int term = 0; term < TERMS; term++)
        event->total += event->joules[term];
    waterfall_free(bench->found);
    bench->found = waterfall_new(event, &bench->estimates[IDEAL], &bench->estimates[FP16],
                                 &bench->estimates[INT8], &error);
    if (bench->found == NULL)
        fail_msg("%s", error.text);
    return bench->found;
}

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-12 * fabs(expected)))
        fail_msg("%.17g, not %.17g", value, expected);
}

static bool names(const struct waterfall *waterfall, const char *words)
{
    for (uint32_t i = 0; i < waterfall->missing_count; i++)
        if (strstr(waterfall->missing[i], words) != NULL)
            return true;
    return false;
}

/* -97.7 and -85.2 % as published, -92.5 and -50.9 % with a 32-bit accumulator. */
static void percentages_of_the_report(void **state)
{
    const struct waterfall *found = make(*state);
    assert_int_equal(found->row_count, 3);
    const struct waterfall_row *rows = found->rows;
    assert_near(rows[0].joules, 33.9e-12);
    assert_true(fabs(rows[0].fp16 + 0.977) < 0.0005 && fabs(rows[0].int8 + 0.852) < 0.0007);
    assert_near(rows[0].fp16, 0.0339 / 1.5 - 1);
    assert_near(rows[0].int8, 0.0339 / 0.23 - 1);
    assert_near(rows[1].joules, 113e-12);
    assert_near(rows[1].step, 79.1e-12);
    assert_true(fabs(rows[1].fp16 + 0.925) < 0.0005 && fabs(rows[1].int8 + 0.509) < 0.0005);
    assert_false(rows[0].fetches || rows[1].fetches);
    /* With memory, against dense ones with theirs. */
    assert_true(rows[2].fetches);
    assert_near(rows[2].joules, (113 + 2600) * 1e-12);
    assert_near(rows[2].step, 2600e-12);
    assert_near(rows[2].fp16, (113 + 2600.0) / (1500 + 5000) - 1);
    assert_near(rows[2].int8, (113 + 2600.0) / (230 + 2600) - 1);
    assert_near(found->fp16.arithmetic, 1500e-12);
    assert_near(found->fp16.memory, 5000e-12);
    assert_string_equal(found->int8.chip, "int8");
    assert_non_null(strstr(rows[0].added, "synop 0.03 pJ"));
    assert_non_null(strstr(rows[1].added, "synop 0.1 pJ"));
    assert_non_null(strstr(rows[2].added, "SRAM 20 pJ"));
    assert_true(names(found, "neurons: event has no figure") && names(found, "routing: event"));
    assert_true(names(found, "control: event") && names(found, "leakage: event"));
    assert_true(names(found, "Dense baselines are multiply-adds and weight fetches"));
    assert_int_equal(found->missing_count, 5);
}

/* Every term stands in one step, and the last row is the total, bit for bit. */
static void steps_add_up(void **state)
{
    struct bench *bench = *state;
    struct chip *chip = &bench->chips[EVENT];
    struct estimate *event = &bench->estimates[EVENT];
    give(&chip->figure[CHIP_NEURON_UPDATE], 43.3e-12, "pJ", horowitz);
    give(&chip->figure[CHIP_SPIKE], 1e-12, "pJ", nobody);
    give(&chip->figure[CHIP_MESSAGE_OUT], 1.753e-12, "pJ", routers);
    give(&chip->figure[CHIP_HOP_EAST], 3.045e-12, "pJ", routers);
    give(&chip->figure[CHIP_LINK_BIT], 26e-12, "pJ", nobody);
    give(&chip->figure[CHIP_CONTROL_SPIKE], 1.072e-12, "pJ", routers);
    give(&chip->figure[CHIP_POWER_BYTE], 24.8e-9, "nW", nobody);
    give(&chip->figure[CHIP_POWER_PLATFORM], 1, "W", nobody);
    uint64_t random = 7;
    for (int round = 0; round < 1000; round++) {
        for (int term = TERM_SYNOP; term < TERMS; term++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            event->joules[term] = ldexp((double)(random >> 11), -90 + (int)(random >> 60));
        }
        const struct waterfall *found = make(bench);
        const double *joules = event->joules;
        const double expected[] = {
            joules[TERM_SYNOP], joules[TERM_MEMORY], joules[TERM_NEURON] + joules[TERM_SPIKE],
            joules[TERM_MESSAGE] + joules[TERM_HOP] + joules[TERM_LINK], joules[TERM_CONTROL],
            joules[TERM_STATIC]};
        const char *labels[] = {"the report's formula", "accumulate", "block fetches", "neurons",
                                "routing", "control", "leakage"};
        double sum = 0;
        assert_int_equal(found->row_count, 7);
        for (int i = 0; i < 6; i++) {
            sum += expected[i];
            assert_near(found->rows[i + 1].joules, sum / 100);
            assert_true(i == 0 || fabs(found->rows[i + 1].step - expected[i] / 100) <=
                                      1e-12 * found->rows[6].joules);
            assert_true(found->rows[i + 1].fetches == (i > 0));
        }
        for (int i = 0; i < 7; i++)
            assert_string_equal(found->rows[i].label, labels[i]);
        assert_true(found->rows[6].joules == event->total / 100);
    }
    give(&chip->figure[CHIP_MAC], 1e-12, "pJ", nobody); /* of dense chips */
    const struct waterfall_row *rows = make(bench)->rows;
    assert_null(strstr(rows[1].added, "mac"));
    assert_non_null(strstr(rows[3].added,
                           "neuron_update 43.3 pJ, spike 1 pJ"));
    assert_non_null(strstr(rows[4].added, "message_out 1.753 pJ, hop_east 3.045 pJ, link_bit 26 pJ"));
    assert_non_null(strstr(rows[6].added, "byte 24.8 nW"));
    assert_null(strstr(rows[6].added, "platform"));
    assert_int_equal(bench->found->missing_count, 1);
}

/* A quarter of the weights is 0, and the synops are those of the others. */
static void weights_of_zero(void **state)
{
    struct bench *bench = *state;
    bench->estimates[IDEAL].joules[TERM_SYNOP] *= 0.75;
    bench->estimates[EVENT].joules[TERM_SYNOP] *= 0.75;
    const struct waterfall *found = make(bench);
    assert_int_equal(found->row_count, 4);
    assert_string_equal(found->rows[1].label, "synops of the run");
    assert_near(found->rows[0].joules, 33.9e-12);
    assert_near(found->rows[1].joules, 33.9e-12 * 0.75);
    assert_true(found->rows[1].step < 0);
    assert_near(found->rows[2].joules, 113e-12 * 0.75);
}

/* What an estimate charges stands in the sum, whatever the chip has a figure for. */
static void joules_without_figures(void **state)
{
    struct bench *bench = *state;
    bench->estimates[EVENT].joules[TERM_CONTROL] = 1e-9;
    const struct waterfall *found = make(bench);
    assert_int_equal(found->row_count, 4);
    assert_string_equal(found->rows[3].label, "control");
    assert_near(found->rows[3].step, 1e-11);
    assert_true(found->rows[3].joules == bench->estimates[EVENT].total / 100);
    assert_false(names(found, "control: event"));
}

/* Synapses without weights, as of attention, are in no dense pass; that is said. */
static void synapses_without_weights(void **state)
{
    struct bench *bench = *state;
    bench->projection.synops = 113000;
    assert_false(names(make(bench), "without weights"));
    struct load_projection projections[] = {bench->projection, {.spikes = true, .synops = 1000}};
    bench->load.projections = projections;
    bench->load.projection_count = 2;
    bench->estimates[IDEAL].joules[TERM_SYNOP] += 1000 * 0.03e-12;
    bench->estimates[EVENT].joules[TERM_SYNOP] += 1000 * 0.1e-12;
    assert_true(names(make(bench), "synapses without weights"));
    assert_near(bench->found->rows[1].step, 0.3e-12);
    assert_near(bench->found->rows[2].joules, 114e-12);
}

/* The formula takes the addition of each kind of synapse. */
static void additions_by_kind(void **state)
{
    struct bench *bench = *state;
    bench->projection.kind = SYNAPSES_CONVOLUTION;
    give(&bench->chips[IDEAL].figure[CHIP_SYNOP_CONVOLUTION], 0.06e-12, "pJ", horowitz);
    bench->estimates[IDEAL].joules[TERM_SYNOP] *= 2;
    assert_near(make(bench)->rows[0].joules, 67.8e-12);
    assert_int_equal(bench->found->row_count, 3);
    bench->projection.kind = SYNAPSES_SPARSE;
    assert_near(make(bench)->rows[0].joules, 33.9e-12);
}

static void without_baselines(void **state)
{
    struct bench *bench = *state;
    struct error error = {0};
    bench->estimates[EVENT].total =
        bench->estimates[EVENT].joules[TERM_SYNOP] + bench->estimates[EVENT].joules[TERM_MEMORY];
    bench->found = waterfall_new(&bench->estimates[EVENT], NULL, NULL, NULL, &error);
    assert_non_null(bench->found);
    assert_int_equal(bench->found->row_count, 2);
    assert_string_equal(bench->found->rows[0].label, "accumulate");
    assert_true(isnan(bench->found->rows[0].fp16) && isnan(bench->found->rows[1].int8));
    assert_null(bench->found->fp16.chip);
    assert_int_equal(bench->found->missing_count, 4);
}

static void another_memory_is_named(void **state)
{
    struct bench *bench = *state;
    bench->chips[FP16].memory[0].read.value = 1300e-12;
    const struct waterfall *found = make(bench);
    assert_true(names(found, "event and fp16 do not fetch weights from the same memory"));
    assert_false(names(found, "event and int8"));
}

/* A chip that charges nothing, and a run that did nothing. */
static void nothing_at_all(void **state)
{
    struct bench *bench = *state;
    memset(bench->estimates[EVENT].joules, 0, sizeof bench->estimates[EVENT].joules);
    memset(bench->estimates[FP16].joules, 0, sizeof bench->estimates[FP16].joules);
    memset(bench->estimates[IDEAL].joules, 0, sizeof bench->estimates[IDEAL].joules);
    bench->population = (struct load_population){0};
    const struct waterfall *found = make(bench);
    assert_int_equal(found->row_count, 3);
    assert_true(found->rows[2].joules == 0 && found->rows[2].int8 == -1);
    assert_true(isnan(found->rows[2].fp16));
    memset(bench->chips[EVENT].figure, 0, sizeof bench->chips[EVENT].figure);
    bench->chips[EVENT].memory_count = 0;
    bench->population = (struct load_population){.neurons = 100, .spikes_total = 11300};
    bench->estimates[IDEAL].joules[TERM_SYNOP] = 113000 * 0.03e-12;
    found = make(bench);
    assert_int_equal(found->row_count, 1);
    assert_near(found->rows[0].joules, 33.9e-12);
    assert_true(names(found, "accumulate: event") && names(found, "block fetches: event"));
}

static void assert_refused(struct bench *bench, const char *words)
{
    struct error error = {0};
    assert_null(waterfall_new(&bench->estimates[EVENT], &bench->estimates[IDEAL],
                              &bench->estimates[FP16], &bench->estimates[INT8], &error));
    if (strstr(error.text, words) == NULL)
        fail_msg("%s", error.text);
}

static void refusals(void **state)
{
    struct bench *bench = *state;
    struct load other = bench->load;
    bench->estimates[INT8].load = &other;
    assert_refused(bench, "event and int8 are of two");
    bench->estimates[INT8].load = &bench->load;
    bench->chips[EVENT].dense = true;
    assert_refused(bench, "event is dense");
    bench->chips[EVENT].dense = false;
    bench->chips[EVENT].figure[CHIP_SYNOP].scope = SCOPE_ALL_IN;
    assert_refused(bench, "one figure for all");
    bench->chips[EVENT].figure[CHIP_SYNOP].scope = SCOPE_INCREMENTAL;
    assert_refused(bench, "one figure for all");
    bench->chips[EVENT].figure[CHIP_SYNOP].scope = SCOPE_PER_TERM;
    bench->estimates[EVENT].total = 1;
    assert_refused(bench, "do not add up");
    bench->estimates[EVENT].total = NAN;
    assert_refused(bench, "do not add up");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(percentages_of_the_report),
        TEST(steps_add_up),
        TEST(weights_of_zero),
        TEST(joules_without_figures),
        TEST(synapses_without_weights),
        TEST(additions_by_kind),
        TEST(without_baselines),
        TEST(another_memory_is_named),
        TEST(nothing_at_all),
        TEST(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
