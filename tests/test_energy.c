/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The energy table against figures that can be worked out by hand. */
#include "traces/energy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct energy_line *line(const struct energy *energy, const char *key)
{
    for (int i = 0; i < ENERGY_LINES; i++)
        if (strcmp(energy->lines[i].key, key) == 0)
            return &energy->lines[i];
    fail_msg("no line %s", key);
    return NULL;
}

static bool near(double value, double expected)
{
    return fabs(value - expected) <= 1e-12 * fabs(expected);
}

/* 100 tokens through 100 channels with 113 spikes a token, to 10 targets. */
static void report_formula(void **state)
{
    (void)state;
    struct report_row row = {.neurons = 100,
                             .tally = {.vectors = 100, .channels = 10000, .spikes = 11300,
                                       .sram_blocks = 1300, .dram_blocks = 200}};
    struct report_projection projection = {.spiking = true, .weight_count = 1000};
    struct report report = {.positions = 100, .row_count = 1, .projection_count = 1, .rows = &row,
                            .projections = &projection};
    struct energy energy = energy_of(&report);
    assert_true(near(energy.spikes_per_mac, 1.13));
    assert_true(near(energy.macs, 1000));
    assert_true(near(energy.report_per_mac, 0.0339));
    assert_true(near(line(&energy, "report")->picojoules, 33.9));
    assert_true(fabs(line(&energy, "report")->per_fp16 - (1 - 0.977)) < 0.0005);
    assert_true(fabs(line(&energy, "report")->per_int8 - (1 - 0.852)) < 0.0007);
    assert_true(fabs(line(&energy, "accumulate")->per_fp16 - (1 - 0.925)) < 0.0005);
    assert_true(fabs(line(&energy, "accumulate")->per_int8 - (1 - 0.509)) < 0.0005);
    assert_true(near(line(&energy, "fp16")->picojoules, 1500));
    assert_true(near(line(&energy, "int8")->picojoules, 230));
    assert_true(line(&energy, "fp16")->per_fp16 == 1 && line(&energy, "int8")->per_int8 == 1);
    /* No block was silent: spikes fetch what INT8 fetches, 13 lines and 2 bursts for a target. */
    assert_true(near(line(&energy, "accumulate_sram")->picojoules, 113 + 13 * 10 * 20));
    assert_true(near(line(&energy, "int8_sram")->picojoules, 230 + 13 * 10 * 20));
    assert_true(near(line(&energy, "fp16_sram")->picojoules, 1500 + 25 * 10 * 20));
    assert_true(near(line(&energy, "accumulate_dram_low")->picojoules, 113 + 2 * 10 * 8 * 1300));
    assert_true(near(line(&energy, "accumulate_dram_high")->picojoules, 113 + 2 * 10 * 8 * 2600));
    assert_true(near(line(&energy, "int8_dram_high")->picojoules, 230 + 2 * 10 * 8 * 2600));
    assert_true(near(line(&energy, "fp16_dram_low")->picojoules, 1500 + 4 * 10 * 8 * 1300));
}

static void dense_projections_are_apart(void **state)
{
    (void)state;
    struct report_row row = {.neurons = 64,
                             .tally = {.vectors = 2, .channels = 128, .spikes = 64,
                                       .sram_blocks = 4, .dram_blocks = 2}};
    struct report_projection projections[] = {
        {.spiking = true, .weight_count = 640},
        {.spiking = true, .weight_count = 0}, /* has no weights of its own */
        {.spiking = false, .weight_count = 6400, .source = UINT32_MAX},
        {.spiking = true, .weight_count = 99, .source = UINT32_MAX}, /* of no known source */
    };
    struct report report = {.positions = 2, .row_count = 1, .projection_count = 4, .rows = &row,
                            .projections = projections};
    struct energy energy = energy_of(&report);
    assert_true(near(energy.macs, 640) && near(energy.adds, 320));
    assert_true(near(energy.rest_macs, 6400));
    assert_true(near(energy.rest_fp16[ENERGY_NO_MEMORY], 9600));
    assert_true(near(energy.rest_int8[ENERGY_SRAM], 6400 * 0.23 + 800 * 20));
    assert_true(near(energy.rest_fp16[ENERGY_DRAM_LOW], 9600 + 200 * 8 * 1300));
    /* Half of a line's blocks were silent. */
    assert_true(near(line(&energy, "accumulate_sram")->picojoules, 32 + 2 * 10 * 20));
}

static void nothing_spiked(void **state)
{
    (void)state;
    struct report report = {0};
    struct energy energy = energy_of(&report);
    assert_true(energy.spikes_per_mac == 0);
    for (int i = 0; i < ENERGY_LINES; i++) {
        assert_true(energy.lines[i].picojoules == 0 && energy.lines[i].per_fp16 == 0);
        assert_true(strlen(energy.lines[i].includes) > 0 && strlen(energy.lines[i].name) > 0);
    }
}

static void coefficients_have_sources(void **state)
{
    (void)state;
    for (int i = 0; i < ENERGY_COSTS; i++) {
        const struct energy_coefficient *coefficient = &energy_coefficients[i];
        assert_true(coefficient->value > 0);
        assert_non_null(strstr(coefficient->source, "ISSCC 2014"));
        assert_non_null(strstr(coefficient->unit, "pJ"));
        assert_non_null(coefficient->evidence);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(report_formula),
        cmocka_unit_test(dense_projections_are_apart),
        cmocka_unit_test(nothing_spiked),
        cmocka_unit_test(coefficients_have_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
