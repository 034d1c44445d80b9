/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Break-even against roots that can be written down. */
#include "traces/energy/break_even.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NEURONS = 10, VECTORS = 100 };

/* A population of 10 channels that lead to 20 targets each, run for 100 vectors, on a chip with one
 * memory of 4 channels a block; and a second that nothing leaves. */
struct bench {
    struct load load;
    struct load_population populations[2];
    uint64_t active[NEURONS];
    struct load_projection projection;
    struct chip spiking_chip, dense_chip;
    struct estimate_row spiking_rows[3], dense_rows[3];
    struct estimate spiking, dense;
    struct break_even *found;
};

static void set_active(struct bench *bench, const uint64_t active[NEURONS], uint64_t spikes)
{
    struct load_population *source = &bench->populations[0];
    source->active_total = 0;
    for (int n = 0; n < NEURONS; n++) {
        bench->active[n] = active[n];
        source->active_total += active[n];
    }
    source->spikes_total = spikes > 0 ? spikes : source->active_total;
    source->tally.spikes = source->spikes_total;
    source->tally.silent = source->tally.channels - source->active_total;
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    *state = bench;
    bench->populations[0] = (struct load_population){
        .neurons = NEURONS, .spiking = true, .active = bench->active,
        .tally = {.vectors = VECTORS, .channels = NEURONS * VECTORS,
                  .slots = 3 * NEURONS * VECTORS}};
    bench->populations[1] = (struct load_population){.neurons = 20};
    bench->projection = (struct load_projection){
        .spikes = true, .weighted = true, .target = 1, .synapses = 200, .weight_count = 200};
    bench->load = (struct load){.positions = 50, .ticks = VECTORS,
                                .populations = bench->populations, .population_count = 2,
                                .projections = &bench->projection, .projection_count = 1};
    static char spiking_name[] = "event", dense_name[] = "int8";
    bench->spiking_chip = (struct chip){.name = spiking_name, .weight_bits = 8, .memory_count = 1};
    bench->spiking_chip.memory[0] =
        (struct chip_memory){.block_bytes = 4, .layout = LAYOUT_BY_TARGET,
                             .read = {.given = true, .value = 1e-12}};
    bench->dense_chip = (struct chip){.name = dense_name, .dense = true, .weight_bits = 8};
    bench->spiking_rows[0].population = bench->dense_rows[0].population = 0;
    bench->spiking_rows[1].population = bench->dense_rows[1].population = 1;
    bench->spiking_rows[2].population = bench->dense_rows[2].population = UINT32_MAX;
    bench->spiking = (struct estimate){.load = &bench->load, .chip = &bench->spiking_chip,
                                       .rows = bench->spiking_rows, .row_count = 1};
    bench->dense = (struct estimate){.load = &bench->load, .chip = &bench->dense_chip,
                                     .rows = bench->dense_rows, .row_count = 1};
    set_active(bench, (const uint64_t[]){60, 60, 60, 60, 60, 60, 60, 60, 60, 60}, 1130);
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    break_even_free(bench->found);
    free(bench);
    return 0;
}

static const struct break_even_row *solve(struct bench *bench)
{
    struct error error = {0};
    break_even_free(bench->found);
    bench->found = break_even_new(&bench->spiking, &bench->dense, &error);
    if (bench->found == NULL)
        fail_msg("%s", error.text);
    return &bench->found->rows[0];
}

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-10 * fabs(expected)))
        fail_msg("%.17g, not %.17g", value, expected);
}

/* Joules of memory by target as an estimate has them: reads x their price. */
static void set_reads(struct bench *bench, double reads)
{
    bench->spiking_rows[0].events.reads[0] = reads;
    bench->spiking_rows[0].joules[TERM_MEMORY] =
        reads * bench->spiking_chip.memory[0].read.value;
}

/* All of it proportional to spikes but the neurons: 0.5 + 3 f = 1.75. */
static void linear_by_hand(void **state)
{
    struct bench *bench = *state;
    double *joules = bench->spiking_rows[0].joules;
    joules[TERM_SYNOP] = 1e-9;
    joules[TERM_SPIKE] = 0.5e-9;
    joules[TERM_MESSAGE] = 0.4e-9;
    joules[TERM_HOP] = 0.3e-9;
    joules[TERM_LINK] = 0.2e-9;
    joules[TERM_CONTROL] = 0.6e-9;
    joules[TERM_NEURON] = 0.5e-9;
    bench->dense_rows[0].joules[TERM_SYNOP] = 1e-9;
    bench->dense_rows[0].joules[TERM_MEMORY] = 0.75e-9;
    const struct break_even_row *row = solve(bench);
    assert_int_equal(bench->found->row_count, 1);
    assert_int_equal(row->verdict, BREAK_EVEN_AT);
    assert_int_equal(row->population, 0);
    assert_near(row->margin, 1.25 / 3);
    assert_near(row->measured.vector, 1.13);
    assert_near(row->rate.vector, 1.13 * 1.25 / 3);
    assert_near(row->measured.inference, 1130.0 / 10 / 50);
    assert_near(row->rate.inference, 1130.0 / 10 / 50 * 1.25 / 3);
    assert_near(row->measured.slot, 1.13 / 3);
    assert_near(row->rate.slot, 1.13 / 3 * 1.25 / 3);
    assert_near(row->spiking, 3.5e-9 / 50);
    assert_near(row->fixed, 0.5e-9 / 50);
    assert_near(row->dense, 1.75e-9 / 50);
    assert_true(isnan(row->blocks));
    assert_int_equal(row->moving.verdict, BREAK_EVEN_AT);
    assert_near(row->moving.margin, 1.75 / 3);
    assert_near(row->moving.rate.slot, 1.13 / 3 * 1.75 / 3);
    /* Ten times the dense energy: many spikes a channel, still linear. */
    bench->dense_rows[0].joules[TERM_MEMORY] = 34.5e-9;
    assert_near(solve(bench)->margin, 35.0 / 3);
    /* A language model whose channels held 1 at most may well hold more. */
    set_active(bench, (const uint64_t[]){60, 60, 60, 60, 60, 60, 60, 60, 60, 60}, 0);
    assert_near(solve(bench)->margin, 35.0 / 3);
    /* Power at rest is no spike's. */
    joules[TERM_STATIC] = 5e-9;
    assert_near(solve(bench)->margin, 30.0 / 3);
    /* One figure for everything. */
    memset(joules, 0, TERMS * sizeof *joules);
    joules[TERM_ALL_IN] = 7e-9;
    assert_near(solve(bench)->margin, 35.5 / 7);
}

/* Blocks of B channels, all with activity p:
 * J (1 - (1 - f p)^B) / (1 - (1 - p)^B) = D. */
static void blocks_of_equal_channels(void **state)
{
    struct bench *bench = *state;
    enum { WIDTH = 5 };
    bench->spiking_chip.memory[0].block_bytes = WIDTH;
    for (int p = 1; p < 100; p += 7)
        for (int kept = 0; kept < 2; kept++) {
            uint64_t active[NEURONS];
            for (int n = 0; n < NEURONS; n++)
                active[n] = (uint64_t)p;
            set_active(bench, active, 0);
            bench->populations[0].active = kept ? bench->active : NULL;
            double share = p / 100.0, any = 1 - pow(1 - share, WIDTH);
            set_reads(bench, 20 * 2 * VECTORS * any);
            double dense = 0.4 * 20 * 2 * VECTORS * 1e-12;
            bench->dense_rows[0].joules[TERM_MEMORY] = dense;
            double factor = (1 - pow(1 - 0.4, 1.0 / WIDTH)) / share;
            const struct break_even_row *row = solve(bench);
            assert_int_equal(row->verdict, BREAK_EVEN_AT);
            assert_near(row->margin, factor);
            assert_near(row->rate.vector, factor * share);
            assert_near(row->blocks, 1);
            assert_near(row->spiking * 50, 20 * 2 * VECTORS * any * 1e-12);
        }
}

static double block(const double *share, int from, int until, double factor)
{
    double silent = 1;
    for (int n = from; n < until; n++)
        silent *= 1 - fmin(1, factor * share[n]);
    return 1 - silent;
}

/* Uneven channels, the last block short, twice as many fetches as independent channels give; and
 * channels in order of activity. */
static void blocks_of_uneven_channels(void **state)
{
    struct bench *bench = *state;
    const uint64_t active[NEURONS] = {1, 40, 3, 0, 25, 0, 90, 2, 5, 10};
    set_active(bench, active, 0);
    const double natural[] = {.01, .40, .03, 0, .25, 0, .90, .02, .05, .10};
    const double sorted[] = {.90, .40, .25, .10, .05, .03, .02, .01, 0, 0};
    for (int round = 0; round < 4; round++) {
        bool by_activity = round & 1;
        const double wanted = round & 2 ? 1.7 : 0.37; /* beyond 1 / 0.9, a channel always fires */
        const double *share = by_activity ? sorted : natural;
        double expected[2];
        for (int i = 0; i < 2; i++) {
            double factor = i == 0 ? 1 : wanted;
            expected[i] = block(share, 0, 4, factor) + block(share, 4, 8, factor) +
                          block(share, 8, 10, factor);
        }
        double reads = 1.2 * expected[0] * VECTORS * 20;
        set_reads(bench, reads);
        bench->spiking_rows[0].joules[TERM_SYNOP] = 1e-9;
        bench->spiking.options.by_activity = by_activity;
        bench->dense_rows[0].joules[TERM_SYNOP] =
            wanted * 1e-9 + reads * 1e-12 * expected[1] / expected[0];
        const struct break_even_row *row = solve(bench);
        assert_near(row->margin, wanted);
        assert_near(row->blocks, 1.2);
        assert_near(row->spiking * 50, 1e-9 + reads * 1e-12); /* the measured estimate */
    }
}

/* Channels of which nothing is kept one by one are even ones; the last block is short. */
static void blocks_of_even_channels(void **state)
{
    struct bench *bench = *state;
    set_active(bench, (const uint64_t[]){30, 30, 30, 30, 30, 30, 30, 30, 30, 30}, 0);
    set_reads(bench, 4000);
    bench->dense_rows[0].joules[TERM_MEMORY] = 2500e-12;
    double margin = solve(bench)->margin, blocks = bench->found->rows[0].blocks;
    const double share[] = {.3, .3, .3, .3, .3, .3, .3, .3, .3, .3};
    assert_near(blocks, 4000 / (20.0 * VECTORS * (2 * block(share, 0, 4, 1) +
                                                  block(share, 8, 10, 1))));
    bench->populations[0].active = NULL;
    assert_near(solve(bench)->margin, margin);
    assert_near(bench->found->rows[0].blocks, blocks);
}

/* However often they fire, no more than all blocks are fetched: 3 blocks x 100 vectors x 20. */
static void fetches_end_at_all_blocks(void **state)
{
    struct bench *bench = *state;
    set_active(bench, (const uint64_t[]){10, 10, 10, 10, 10, 10, 10, 10, 10, 10}, 0);
    double expected = 20 * VECTORS * (2 * (1 - pow(0.9, 4)) + (1 - pow(0.9, 2)));
    set_reads(bench, 2 * expected);
    bench->dense_rows[0].joules[TERM_MEMORY] = 6000.1e-12;
    assert_int_equal(solve(bench)->verdict, BREAK_EVEN_ALWAYS);
    assert_true(isinf(bench->found->rows[0].rate.vector) && isinf(bench->found->rows[0].margin));
    bench->dense_rows[0].joules[TERM_MEMORY] = 5999.9e-12;
    assert_int_equal(solve(bench)->verdict, BREAK_EVEN_AT);
    assert_near(bench->found->rows[0].blocks, 2);
    /* A weight wider than a block takes several reads. */
    bench->spiking_chip.weight_bits = 64;
    bench->dense_rows[0].joules[TERM_MEMORY] = 2 * 10 * 20 * VECTORS * 1.01e-12;
    set_reads(bench, 2 * 10 * 20 * VECTORS * 0.1);
    assert_int_equal(solve(bench)->verdict, BREAK_EVEN_ALWAYS);
    bench->dense_rows[0].joules[TERM_MEMORY] = 2 * 10 * 20 * VECTORS * 0.99e-12;
    assert_near(solve(bench)->margin, 9.9);
}

/* Rows of targets, fetched once for each firing. */
static void memory_by_source(void **state)
{
    struct bench *bench = *state;
    bench->spiking_chip.memory[0].layout = LAYOUT_BY_SOURCE;
    set_active(bench, (const uint64_t[]){50, 50, 50, 50, 50, 10, 10, 10, 10, 10}, 1130);
    set_reads(bench, 1000);
    bench->dense_rows[0].joules[TERM_MEMORY] = 1500e-12;
    const struct break_even_row *row = solve(bench);
    assert_near(row->margin, 1.5);
    assert_true(isnan(row->blocks));
    /* Those of 50 have come to 1, those of 10 to 0.5: 7.5 of 3. */
    bench->dense_rows[0].joules[TERM_MEMORY] = 2500e-12;
    assert_near(solve(bench)->margin, 5);
    bench->dense_rows[0].joules[TERM_MEMORY] = 3334e-12;
    assert_int_equal(solve(bench)->verdict, BREAK_EVEN_ALWAYS);
}

/* A spiking network's neurons fire once a tick at most; so do graded spikes. */
static void firing_once(void **state)
{
    struct bench *bench = *state;
    struct load_population *source = &bench->populations[0];
    source->clocked = bench->load.clocked = true;
    source->tally.slots = source->tally.channels;
    set_active(bench, (const uint64_t[]){50, 50, 50, 50, 50, 10, 10, 10, 10, 10}, 0);
    bench->spiking_rows[0].joules[TERM_SYNOP] = 1e-9;
    bench->dense_rows[0].joules[TERM_SYNOP] = 1.5e-9;
    const struct break_even_row *row = solve(bench);
    assert_near(row->rate.vector, 0.45);
    assert_near(row->margin, 1.5);
    bench->dense_rows[0].joules[TERM_SYNOP] = 2.5e-9;
    row = solve(bench);
    assert_near(row->rate.vector, 0.75);
    assert_near(row->margin, 2.5);
    assert_near(row->rate.slot, 0.75);
    assert_near(row->rate.inference, 0.75 * VECTORS / 50);
    bench->dense_rows[0].joules[TERM_SYNOP] = 3.34e-9;
    assert_int_equal(solve(bench)->verdict, BREAK_EVEN_ALWAYS);

    /* Payloads: spikes have no such bound … */
    set_active(bench, (const uint64_t[]){50, 50, 50, 50, 50, 10, 10, 10, 10, 10}, 600);
    assert_near(solve(bench)->margin, 3.34);
    /* … but they do where a message carries them: the cost is that of firings. */
    bench->spiking_chip.graded = true;
    assert_int_equal(solve(bench)->verdict, BREAK_EVEN_ALWAYS);
    bench->dense_rows[0].joules[TERM_SYNOP] = 2.5e-9;
    row = solve(bench);
    assert_near(row->margin, 5);
    assert_near(row->rate.vector, 0.6 * 5);
}

static void never(void **state)
{
    struct bench *bench = *state;
    bench->spiking_rows[0].joules[TERM_NEURON] = 2e-9;
    bench->spiking_rows[0].joules[TERM_SYNOP] = 1e-9;
    bench->dense_rows[0].joules[TERM_SYNOP] = 2e-9;
    const struct break_even_row *row = solve(bench);
    assert_int_equal(row->verdict, BREAK_EVEN_NEVER);
    assert_true(row->rate.vector == 0 && row->rate.inference == 0 && row->rate.slot == 0);
    assert_true(row->margin == 0);
    assert_int_equal(bench->found->total.verdict, BREAK_EVEN_NEVER);
    assert_int_equal(row->moving.verdict, BREAK_EVEN_AT);
    assert_near(row->moving.margin, 2);
}

static void nothing_to_pay_for_spikes(void **state)
{
    struct bench *bench = *state;
    bench->spiking_rows[0].joules[TERM_NEURON] = 1e-9;
    bench->dense_rows[0].joules[TERM_SYNOP] = 2e-9;
    assert_int_equal(solve(bench)->verdict, BREAK_EVEN_ALWAYS);
    /* Next to nothing: the rate has no number. */
    bench->spiking_rows[0].joules[TERM_SYNOP] = 4e-323;
    assert_int_equal(solve(bench)->verdict, BREAK_EVEN_ALWAYS);
    assert_true(isinf(bench->found->rows[0].rate.slot));
}

/* More firings than vectors cannot be; nothing comes of it but a bound. */
static void too_many_firings(void **state)
{
    struct bench *bench = *state;
    set_active(bench, (const uint64_t[]){900, 1, 1, 1, 1, 1, 1, 1, 1, UINT64_MAX / 2}, 0);
    set_reads(bench, 1000);
    bench->dense_rows[0].joules[TERM_MEMORY] = 900e-12;
    assert_int_equal(solve(bench)->verdict, BREAK_EVEN_AT);
    assert_near(bench->found->rows[0].spiking * 50, 1000e-12);
    bench->spiking_chip.memory[0].layout = LAYOUT_BY_SOURCE;
    assert_near(solve(bench)->spiking * 50, 1000e-12);
}

static void nothing_spiked(void **state)
{
    struct bench *bench = *state;
    set_active(bench, (const uint64_t[NEURONS]){0}, 0);
    bench->spiking_rows[0].joules[TERM_NEURON] = 1e-9;
    bench->dense_rows[0].joules[TERM_SYNOP] = 2e-9;
    const struct break_even_row *row = solve(bench);
    assert_int_equal(row->verdict, BREAK_EVEN_UNKNOWN);
    assert_true(isnan(row->rate.vector) && isnan(row->margin) && row->measured.vector == 0);
    assert_int_equal(bench->found->total.verdict, BREAK_EVEN_UNKNOWN);
    bench->spiking_rows[0].joules[TERM_NEURON] = 3e-9;
    row = solve(bench);
    assert_int_equal(row->verdict, BREAK_EVEN_NEVER);
    assert_true(row->margin == 0);
    /* It did not even run. */
    bench->populations[0].tally = (struct population_tally){0};
    bench->spiking_rows[0].joules[TERM_NEURON] = 0;
    assert_int_equal(solve(bench)->verdict, BREAK_EVEN_UNKNOWN);
}

static void no_dense_weights(void **state)
{
    struct bench *bench = *state;
    bench->spiking_rows[0].joules[TERM_SPIKE] = 1e-9;
    const struct break_even_row *row = solve(bench);
    assert_int_equal(row->verdict, BREAK_EVEN_NONE);
    assert_true(isnan(row->rate.vector) && isnan(row->margin));
    assert_near(row->spiking, 1e-9 / 50);
    assert_int_equal(bench->found->total.verdict, BREAK_EVEN_NONE);
    /* Nor does a population that the spiking estimate has no row for. */
    bench->dense_rows[0].population = 1;
    bench->dense_rows[0].joules[TERM_SYNOP] = 3e-9;
    solve(bench);
    assert_int_equal(bench->found->row_count, 2);
    assert_int_equal(bench->found->rows[1].verdict, BREAK_EVEN_UNKNOWN);
    assert_near(bench->found->total.margin, 3);
    bench->spiking.row_count = bench->dense.row_count = 0;
    solve(bench);
    assert_int_equal(bench->found->row_count, 0);
    assert_int_equal(bench->found->total.verdict, BREAK_EVEN_NONE);
}

/* One factor for both, neurons without weights and the chip's own power besides:
 * (0.3 + 0.2 + 0.4) + (2 + 1) f = 2 + 0.4. Rates are those of what weights leave. */
static void total_of_all(void **state)
{
    struct bench *bench = *state;
    bench->spiking.row_count = bench->dense.row_count = 3;
    bench->populations[1].spiking = true;
    bench->populations[1].active_total = bench->populations[1].spikes_total = 7;
    bench->populations[1].tally =
        (struct population_tally){.vectors = VECTORS, .channels = 20 * VECTORS,
                                  .slots = 20 * VECTORS};
    bench->spiking_rows[0].joules[TERM_NEURON] = 0.3e-9;
    bench->spiking_rows[0].joules[TERM_SYNOP] = 2e-9;
    bench->spiking_rows[1].joules[TERM_NEURON] = 0.2e-9;
    bench->spiking_rows[1].joules[TERM_MESSAGE] = 1e-9;
    bench->spiking_rows[2].joules[TERM_STATIC] = 0.4e-9;
    bench->dense_rows[0].joules[TERM_SYNOP] = 2e-9;
    bench->dense_rows[2].joules[TERM_STATIC] = 0.4e-9;
    solve(bench);
    const struct break_even *found = bench->found;
    assert_int_equal(found->row_count, 2);
    assert_near(found->rows[0].margin, 1.7 / 2);
    assert_int_equal(found->rows[1].verdict, BREAK_EVEN_NONE);
    assert_int_equal(found->rows[1].population, 1);
    assert_int_equal(found->total.population, UINT32_MAX);
    assert_int_equal(found->total.verdict, BREAK_EVEN_AT);
    assert_near(found->total.margin, 0.5);
    assert_near(found->total.measured.vector, 1.13);
    assert_near(found->total.rate.vector, 1.13 / 2);
    assert_near(found->total.spiking * 50, 3.9e-9);
    assert_near(found->total.fixed * 50, 0.9e-9);
    assert_near(found->total.dense * 50, 2.4e-9);
    assert_near(found->total.moving.margin, 2.4 / 3);
    /* What costs more than a dense pass at rest never comes out ahead. */
    bench->spiking_rows[2].joules[TERM_STATIC] = 1.9e-9;
    solve(bench);
    assert_int_equal(bench->found->total.verdict, BREAK_EVEN_NEVER);
    assert_int_equal(bench->found->total.moving.verdict, BREAK_EVEN_AT);
    assert_int_equal(bench->found->rows[0].verdict, BREAK_EVEN_AT);
    /* Both have weights: the mean over channels, 1137 spikes of 3000. */
    bench->spiking_rows[2].joules[TERM_STATIC] = 0;
    bench->dense_rows[1].joules[TERM_SYNOP] = 1e-9;
    solve(bench);
    assert_near(bench->found->total.measured.vector, 1137.0 / 3000);
    assert_near(bench->found->total.margin, (3.4 - 0.5) / 3);
}

/* Blocks of two, 10000 in all, and neurons that fire once a tick. At f = 2.5 every channel of the
 * first has p = 0.5, so that 3/4 of the blocks are fetched: 7.5 nJ; the second has 2.5 x 3 nJ. */
static void total_of_blocks_and_spikes(void **state)
{
    struct bench *bench = *state;
    bench->spiking.row_count = bench->dense.row_count = 2;
    set_active(bench, (const uint64_t[]){20, 20, 20, 20, 20, 20, 20, 20, 20, 20}, 400);
    bench->spiking_chip.memory[0].block_bytes = 2;
    set_reads(bench, 20 * VECTORS * 5 * (1 - 0.8 * 0.8));
    bench->populations[1].spiking = bench->populations[1].clocked = true;
    bench->populations[1].active_total = bench->populations[1].spikes_total = 500;
    bench->populations[1].tally =
        (struct population_tally){.vectors = VECTORS, .channels = 20 * VECTORS,
                                  .slots = 20 * VECTORS};
    bench->spiking_rows[1].joules[TERM_SYNOP] = 3e-9;
    bench->dense_rows[0].joules[TERM_SYNOP] = 9e-9;
    bench->dense_rows[1].joules[TERM_SYNOP] = 6e-9;
    solve(bench);
    assert_near(bench->found->total.margin, 2.5);
    assert_near(bench->found->total.rate.vector, (400 * 2.5 + 500 * 2.5) / 3000);
    assert_near(bench->found->rows[1].margin, 2);
}

static void refusals(void **state)
{
    struct bench *bench = *state;
    struct error error = {0};
    struct load other = bench->load;
    bench->dense.load = &other;
    assert_null(break_even_new(&bench->spiking, &bench->dense, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    assert_non_null(strstr(error.text, "one run"));
    bench->dense.load = &bench->load;
    error = (struct error){0};
    assert_null(break_even_new(&bench->dense, &bench->dense, &error));
    assert_non_null(strstr(error.text, "int8 is dense"));
    error = (struct error){0};
    assert_null(break_even_new(&bench->spiking, &bench->spiking, &error));
    assert_non_null(strstr(error.text, "event is not dense"));
    error = (struct error){0};
    bench->spiking.total = NAN;
    assert_null(break_even_new(&bench->spiking, &bench->dense, &error));
    assert_int_equal(error.code, ERROR_FAILED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(linear_by_hand),
        TEST(blocks_of_equal_channels),
        TEST(blocks_of_uneven_channels),
        TEST(blocks_of_even_channels),
        TEST(fetches_end_at_all_blocks),
        TEST(memory_by_source),
        TEST(firing_once),
        TEST(never),
        TEST(nothing_to_pay_for_spikes),
        TEST(too_many_firings),
        TEST(nothing_spiked),
        TEST(no_dense_weights),
        TEST(total_of_all),
        TEST(total_of_blocks_and_spikes),
        TEST(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
