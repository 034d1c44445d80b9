/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Placement against small networks worked out by hand, layouts whose best is known, and random
 * networks in which every core is counted anew, synapse by synapse.
 */
#include "tests/placement_rig.h"

/* ----------------------------------------------------------- contents */

/* What a core with these elements would hold, fan-out left out. in [compartments][element]. */
static struct core plain_core_of(const struct rig *rig, const struct chip *chip,
                                 bool in[RIG_MOST][64])
{
    struct core core = {0};
    uint64_t weights = 0;
    static bool sends[RIG_MOST][64];
    memset(sends, 0, sizeof sends);
    bool any[RIG_MOST] = {false};
    for (uint32_t i = 0; i < rig->load.compartment_count; i++)
        for (uint32_t e = 0; e < rig->compartments[i].width; e++)
            if (in[i][e]) {
                any[i] = true;
                core.elements++;
                core.neurons += rig->compartments[i].port == NULL;
            }
    for (size_t i = 0; i < rig->synapse_count; i++) {
        const struct rig_synapse *synapse = &rig->synapses[i];
        const struct load_projection *projection = &rig->projections[synapse->projection];
        if (!in[projection->compartment][synapse->target])
            continue;
        core.synapses += synapse->synapses;
        if (!(projection->kind == SYNAPSES_CONVOLUTION && chip->shares_kernels))
            weights += synapse->synapses;
        sends[projection->source][synapse->source] = true;
    }
    for (uint32_t i = 0; i < rig->load.projection_count; i++) {
        const struct load_projection *projection = &rig->projections[i];
        uint64_t width = rig->compartments[projection->compartment].width;
        if (projection->synapses == 0)
            continue;
        if (projection->kind == SYNAPSES_CONVOLUTION && chip->shares_kernels
            && any[projection->compartment])
            weights += projection->parameters;
        if (projection->reach != NULL || projection->one_to_one)
            continue;
        for (uint32_t e = 0; e < width; e++) {
            if (!in[projection->compartment][e])
                continue;
            uint64_t here = (e + 1) * projection->synapses / width
                            - e * projection->synapses / width;
            core.synapses += here;
            weights += here;
            for (uint32_t n = 0; n < rig->populations[projection->source].neurons; n++)
                sends[projection->source][n] = true;
        }
    }
    for (uint32_t i = 0; i < rig->load.population_count; i++)
        for (uint32_t n = 0; n < rig->populations[i].neurons; n++)
            core.fan_in += sends[i][n];
    core.synapse_bytes = (weights * chip->weight_bits + 7) / 8;
    return core;
}

static bool within(const struct chip_limits *limits, const struct core *core)
{
    return (limits->neurons == 0 || core->elements <= limits->neurons)
           && (limits->synapses == 0 || core->synapses <= limits->synapses)
           && (limits->synapse_bytes == 0 || core->synapse_bytes <= limits->synapse_bytes)
           && (limits->fan_in == 0 || core->fan_in <= limits->fan_in)
           && (limits->fan_out == 0 || core->fan_out <= limits->fan_out);
}

static uint64_t plain_fan_out(const struct rig *rig, const struct placement *placement,
                              uint32_t core)
{
    double (*meets)[3] = malloc(placement->core_count * sizeof *meets);
    uint64_t fan_out = 0;
    assert_non_null(meets);
    for (uint32_t p = 0; p < rig->load.population_count; p++)
        for (uint32_t n = 0; n < rig->populations[p].neurons; n++) {
            if (plain_core(placement, rig->populations[p].compartment, n) != core)
                continue;
            plain_meets(rig, placement, p, n, meets);
            for (uint32_t i = 0; i < placement->core_count; i++)
                fan_out += meets[i][0] + meets[i][1] + meets[i][2] > 0;
        }
    free(meets);
    return fan_out;
}

/* All elements of a core; those of the first unit of a later one are added by hand. */
static void elements_of(const struct placement *placement, uint32_t core,
                        bool in[RIG_MOST][64])
{
    memset(in, 0, RIG_MOST * sizeof in[0]);
    for (uint32_t i = 0; i < placement->range_count; i++) {
        const struct placed_range *range = &placement->ranges[i];
        for (uint32_t k = 0; range->core == core && k < range->count; k++)
            in[range->compartment][range->first + k] = true;
    }
}

/* Every element once, in order, and every core with what it holds. */
static void check_contents(const struct rig *rig, const struct chip *chip,
                           const struct placement *placement)
{
    static bool in[RIG_MOST][64];
    for (uint32_t i = 0; i < rig->load.compartment_count; i++)
        for (uint32_t e = 0; e < rig->compartments[i].width; e++)
            assert_int_equal(placement_core(placement, i, e), plain_core(placement, i, e));
    for (uint32_t i = 0; i + 1 < placement->range_count; i++) {
        const struct placed_range *range = &placement->ranges[i], *next = range + 1;
        assert_true(range->count > 0);
        assert_true(range->compartment < next->compartment || range->first < next->first);
    }
    assert_int_equal(placement->first_range[rig->load.compartment_count], placement->range_count);
    for (uint32_t i = 0; i < placement->core_count; i++) {
        const struct core *core = &placement->cores[i];
        elements_of(placement, i, in);
        struct core plain = plain_core_of(rig, chip, in);
        assert_int_equal(core->elements, plain.elements);
        assert_int_equal(core->neurons, plain.neurons);
        assert_int_equal(core->synapses, plain.synapses);
        assert_int_equal(core->synapse_bytes, plain.synapse_bytes);
        assert_int_equal(core->fan_in, plain.fan_in);
        assert_int_equal(core->fan_out, plain_fan_out(rig, placement, i));
        int x, y;
        plain_tile(chip, placement->side, core->place, &x, &y);
        assert_int_equal(core->x, x);
        assert_int_equal(core->y, y);
        assert_int_equal(core->chip, core->place / chip_cores(chip));
        assert_true(core->chip < placement->chips);
        for (uint32_t k = 0; k < i; k++)
            assert_int_not_equal(placement->cores[k].place, core->place);
    }
}

/* ------------------------------------------------------- dealing, by hand */

/* 5 + 7 neurons on cores of 4: 4, then 1 + 3, then 4. */
static void deals_in_order(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    uint32_t a = rig_population(rig, "a", 5, 1), b = rig_population(rig, "b", 7, 1);
    rig_dense(rig, a, b);
    struct chip chip = rig_chip(2, 1, 2);
    chip.limits.neurons = 4;
    struct placement *placement = rig_placed(rig, &chip, PLACEMENT_IN_ORDER);
    assert_int_equal(placement->core_count, 3);
    assert_int_equal(placement->range_count, 4);
    static const struct placed_range expected[] = {{0, 0, 4, 0}, {0, 4, 1, 1}, {1, 0, 3, 1},
                                                   {1, 3, 4, 2}};
    assert_memory_equal(placement->ranges, expected, sizeof expected);
    assert_int_equal(placement->chips, 1);
    assert_int_equal(placement->tiles, 2);
    assert_int_equal(placement->side, 1);
    const struct core *cores = placement->cores;
    assert_int_equal(cores[0].synapses, 0);
    assert_int_equal(cores[1].synapses, 15);
    assert_int_equal(cores[2].synapses, 20);
    assert_int_equal(cores[1].synapse_bytes, 15);
    assert_int_equal(cores[0].fan_in, 0);
    assert_int_equal(cores[1].fan_in, 5);
    assert_int_equal(cores[0].fan_out, 8); /* 4 neurons, each to cores 1 and 2 */
    assert_int_equal(cores[1].fan_out, 2); /* neuron 4, likewise */
    assert_int_equal(cores[2].fan_out, 0);
    assert_int_equal(cores[2].x, 1);
    assert_int_equal(cores[2].place, 2);
    assert_false(placement->beyond_limits);
    check_contents(rig, &chip, placement);
    placement_free(placement);
    rig_free(rig);
}

/* 10 inputs, then neurons of 10 synapses on cores that take 35: the inputs and three, three … */
static void deals_within_synapses_and_bytes(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    rig_population(rig, "a", 10, 1);
    rig_population(rig, "b", 10, 1);
    rig_dense(rig, 0, 1);
    struct chip chip = rig_chip(10, 1, 1);
    for (int bytes = 0; bytes < 2; bytes++) {
        chip.limits.synapses = bytes ? 0 : 35;
        chip.limits.synapse_bytes = bytes ? 18 : 0; /* of 4 bits: 36 weights */
        chip.weight_bits = 4;
        struct placement *placement = rig_placed(rig, &chip, PLACEMENT_IN_ORDER);
        assert_int_equal(placement->core_count, 4);
        assert_int_equal(placement->cores[0].elements, 13);
        assert_int_equal(placement->cores[2].elements, 3);
        assert_int_equal(placement->cores[2].synapse_bytes, 15);
        assert_int_equal(placement->cores[3].elements, 1);
        placement_free(placement);
    }
    rig_free(rig);
}

/* Window of 3 over 12 neurons, as a convolution has it. */
static uint32_t window(void *self, uint32_t source, uint32_t target)
{
    (void)self;
    return source >= target && source < target + 3;
}

/* 10 targets of a kernel of 3 weights: held at each synapse, 4 of them fill 12 bytes; held once a
 * core, all fit into 3. Targets 0 … 3 are reached by neurons 0 … 5. */
static void holds_kernels_once_a_core(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    rig_population(rig, "a", 12, 1);
    rig_population(rig, "b", 10, 1);
    rig_rule_based(rig, SYNAPSES_CONVOLUTION, 0, 1, window, NULL, 1)->parameters = 3;
    struct chip chip = rig_chip(8, 1, 1);
    chip.limits.synapse_bytes = 12;
    struct placement *placement = rig_placed(rig, &chip, PLACEMENT_IN_ORDER);
    assert_int_equal(placement->core_count, 3);
    assert_int_equal(placement->cores[0].elements, 16);
    assert_int_equal(placement->cores[0].fan_in, 6);
    assert_int_equal(placement->cores[2].elements, 2);
    placement_free(placement);
    chip.shares_kernels = true;
    chip.limits.neurons = 16;
    placement = rig_placed(rig, &chip, PLACEMENT_IN_ORDER);
    assert_int_equal(placement->core_count, 2);
    assert_int_equal(placement->cores[0].synapses, 12);
    assert_int_equal(placement->cores[0].synapse_bytes, 3);
    assert_int_equal(placement->cores[1].synapses, 18);
    assert_int_equal(placement->cores[1].synapse_bytes, 3);
    check_contents(rig, &chip, placement);
    placement_free(placement);
    rig_free(rig);
}

/* A window of 3: k targets have k + 2 sources. Then these also send densely, and count once. */
static void counts_each_source_once(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    rig_population(rig, "a", 12, 1);
    rig_population(rig, "b", 10, 1);
    rig_rule_based(rig, SYNAPSES_SPARSE, 0, 1, window, NULL, 1);
    rig_rule_based(rig, SYNAPSES_SPARSE, 0, 1, window, NULL, 1);
    struct chip chip = rig_chip(8, 1, 1);
    chip.limits.fan_in = 6;
    struct placement *placement = rig_placed(rig, &chip, PLACEMENT_IN_ORDER);
    assert_int_equal(placement->core_count, 3);
    assert_int_equal(placement->cores[0].elements, 12 + 4);
    assert_int_equal(placement->cores[1].elements, 4);
    assert_int_equal(placement->cores[1].fan_in, 6);
    placement_free(placement);
    rig_dense(rig, 0, 1);
    chip.limits.fan_in = 12;
    placement = rig_placed(rig, &chip, PLACEMENT_IN_ORDER);
    assert_int_equal(placement->core_count, 1);
    assert_int_equal(placement->cores[0].fan_in, 12);
    placement_free(placement);
    rig_free(rig);
}

/* All 8 neurons of a fit one core, with two of b (8 of 16 synapses each); b lies on 4 cores, so
 * that a spike of each neuron of a is 4 messages, and a core may send but 12 of them: 3 + 3 + 2
 * neurons, and b from the third core to the sixth. */
static void splits_cores_that_send_too_much(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    rig_population(rig, "a", 8, 1);
    rig_population(rig, "b", 8, 1);
    rig_dense(rig, 0, 1);
    struct chip chip = rig_chip(16, 1, 1);
    chip.limits.synapses = 16;
    chip.limits.fan_out = 12;
    struct placement *placement = rig_placed(rig, &chip, PLACEMENT_IN_ORDER);
    assert_int_equal(placement->core_count, 6);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(placement->cores[i].elements, 3);
        assert_int_equal(placement->cores[i].fan_out, 12);
    }
    assert_int_equal(placement->cores[2].elements, 4);
    assert_int_equal(placement->cores[2].fan_out, 8);
    check_contents(rig, &chip, placement);
    placement_free(placement);
    rig_free(rig);
}

static void keeps_groups_together(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    rig_population(rig, "a", 12, 1);
    rig_population(rig, "b", 10, 1);
    rig_rule_based(rig, SYNAPSES_SPARSE, 0, 1, window, NULL, 4);
    struct chip chip = rig_chip(8, 1, 1);
    chip.limits.neurons = 7;
    struct placement *placement = rig_placed(rig, &chip, PLACEMENT_IN_ORDER);
    static const struct placed_range expected[] = {{0, 0, 7, 0}, {0, 7, 5, 1}, {1, 0, 4, 2},
                                                   {1, 4, 6, 3}};
    assert_int_equal(placement->range_count, 4);
    assert_memory_equal(placement->ranges, expected, sizeof expected);
    check_contents(rig, &chip, placement);
    placement_free(placement);
    rig_free(rig);
}

static void takes_everything_without_limits(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    rig_population(rig, "a", 12, 1);
    rig_port(rig, 0, 30);
    rig_dense(rig, 0, 1);
    struct chip chip = rig_chip(1, 1, 1);
    struct placement *placement = rig_placed(rig, &chip, PLACEMENT_IN_ORDER);
    assert_int_equal(placement->core_count, 1);
    assert_int_equal(placement->cores[0].elements, 42);
    assert_int_equal(placement->cores[0].neurons, 12);
    placement_free(placement);
    rig->load.compartment_count = rig->load.population_count = rig->load.projection_count = 0;
    placement = rig_placed(rig, &chip, PLACEMENT_ANNEALED);
    assert_int_equal(placement->core_count, 0);
    assert_int_equal(placement->chips, 0);
    placement_free(placement);
    rig->load.population_count = 1;
    rig->load.projection_count = 1;
    rig_free(rig);
}

/* -------------------------------------------------------------- sentences */

static void expect_sentence(const struct rig *rig, const struct chip *chip,
                            enum placement_method method, const char *sentence)
{
    struct error error = {0};
    struct placement *placement = placement_new(&rig->load, chip, method, false, 1, &error);
    assert_null(placement);
    assert_string_equal(error.text, sentence);
}

/* Whether it is projected beyond the limits, and says so. */
static void expect_beyond(const struct rig *rig, const struct chip *chip,
                          enum placement_method method, uint32_t cores)
{
    struct error error = {0};
    struct placement *placement = placement_new(&rig->load, chip, method, true, 1, &error);
    assert_non_null(placement);
    assert_true(placement->beyond_limits);
    assert_int_equal(placement->core_count, cores);
    placement_free(placement);
}

#define REMEDY "; choose another chip, or --beyond-limits projects it nevertheless"

static void says_what_is_short(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    rig_population(rig, "retina", 12, 1);
    rig_population(rig, "cortex", 10, 1);
    rig_dense(rig, 0, 1);
    const struct chip plain = rig_chip(2, 1, 1);
    struct chip chip = plain;
    chip.limits.synapses = 11;
    expect_sentence(rig, &chip, PLACEMENT_IN_ORDER,
                    "population cortex: one neuron needs room for 12 synapses, more than the 11 "
                    "that a core of Testchip takes" REMEDY);
    expect_beyond(rig, &chip, PLACEMENT_GREEDY, 1);
    chip = plain;
    chip.limits.synapse_bytes = 11;
    expect_sentence(rig, &chip, PLACEMENT_IN_ORDER,
                    "population cortex: one neuron needs room for 12 bytes of weights, more than "
                    "the 11 that a core of Testchip takes" REMEDY);
    expect_beyond(rig, &chip, PLACEMENT_IN_ORDER, 1);
    chip = plain;
    chip.limits.fan_in = 11;
    expect_sentence(rig, &chip, PLACEMENT_IN_ORDER,
                    "population cortex: one neuron needs room for 12 source neurons, more than "
                    "the 11 that a core of Testchip takes" REMEDY);
    expect_beyond(rig, &chip, PLACEMENT_IN_ORDER, 1);
    chip = plain;
    chip.limits.neuron_fan_in = 11;
    expect_sentence(rig, &chip, PLACEMENT_IN_ORDER,
                    "population cortex: one neuron needs room for 12 synapses, more than the 11 "
                    "that a neuron of Testchip takes" REMEDY);
    expect_beyond(rig, &chip, PLACEMENT_IN_ORDER, 1);
    chip = plain;
    chip.limits.neurons = 2;
    chip.limits.fan_out = 4;
    expect_sentence(rig, &chip, PLACEMENT_IN_ORDER,
                    "population retina: one neuron needs room for 5 messages to send for one "
                    "spike each, more than the 4 that a core of Testchip takes" REMEDY);
    expect_beyond(rig, &chip, PLACEMENT_IN_ORDER, 11);
    chip.limits.fan_out = 0;
    chip.limits.chips = 3;
    expect_sentence(rig, &chip, PLACEMENT_IN_ORDER,
                    "population cortex no longer fits: the network needs 11 cores, but 3 chips of "
                    "Testchip have 6" REMEDY);
    expect_beyond(rig, &chip, PLACEMENT_ANNEALED, 11);
    chip.limits.chips = 1;
    expect_sentence(rig, &chip, PLACEMENT_IN_ORDER,
                    "population retina no longer fits: the network needs 11 cores, but 1 chip of "
                    "Testchip has 2" REMEDY);
    chip.limits.chips = 6;
    struct placement *placement = rig_placed(rig, &chip, PLACEMENT_IN_ORDER);
    assert_int_equal(placement->chips, 6);
    assert_int_equal(placement->side, 3);
    placement_free(placement);
    rig_free(rig);
}

static void says_what_is_short_of_groups_and_ports(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    rig_population(rig, "retina", 12, 1);
    uint32_t port = rig_port(rig, 0, 20);
    rig_rule_based(rig, SYNAPSES_SPARSE, 0, port, window, NULL, 8);
    struct chip chip = rig_chip(2, 1, 1);
    chip.limits.neurons = 6;
    expect_sentence(rig, &chip, PLACEMENT_IN_ORDER,
                    "port side of population retina: a group of 8 neurons (the trace does not say "
                    "more closely where spikes go) needs room for 8 neurons, more than the 6 that "
                    "a core of Testchip takes" REMEDY);
    expect_beyond(rig, &chip, PLACEMENT_IN_ORDER, 5); /* 6, 6, 8, 8, 4 */
    rig_free(rig);
}

/* 12 neurons to 8 in one group: 24 synapses, 3 each; one more, and it is above 3. */
static void says_what_neurons_of_groups_have(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    rig_population(rig, "retina", 12, 1);
    rig_population(rig, "cortex", 8, 1);
    rig_rule_based(rig, SYNAPSES_SPARSE, 0, 1, window, NULL, 8);
    struct chip chip = rig_chip(2, 1, 1);
    chip.limits.neuron_fan_in = 3;
    placement_free(rig_placed(rig, &chip, PLACEMENT_IN_ORDER));
    rig_population(rig, "lamp", 1, 1);
    rig_rule_based(rig, SYNAPSES_SPARSE, 2, 1, window, NULL, 8);
    expect_sentence(rig, &chip, PLACEMENT_IN_ORDER,
                    "population cortex: one neuron needs room for 4 synapses, more than the 3 that "
                    "a neuron of Testchip takes" REMEDY);
    expect_beyond(rig, &chip, PLACEMENT_IN_ORDER, 1);
    rig_free(rig);
}

static void refuses_chips_without_cores(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    rig_population(rig, "a", 12, 1);
    struct chip chip = rig_chip(0, 1, 1);
    expect_sentence(rig, &chip, PLACEMENT_IN_ORDER,
                    "Testchip: its mesh has no core, or more than 2^31");
    chip = rig_chip(UINT32_MAX, UINT32_MAX, UINT32_MAX);
    expect_sentence(rig, &chip, PLACEMENT_IN_ORDER,
                    "Testchip: its mesh has no core, or more than 2^31");
    chip = rig_chip(30000, 30000, 1);
    expect_sentence(rig, &chip, PLACEMENT_GREEDY,
                    "1 chips of Testchip have 900000000 cores, too many to choose between; use "
                    "--placement in-order");
    rig_free(rig);
}

/* --------------------------------------------------------------- explicit */

static void takes_the_network_files_cores(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    rig_population(rig, "a", 6, 1);
    uint32_t port = rig_port(rig, 0, 9);
    uint32_t b = rig_population(rig, "b", 4, 1);
    rig_dense(rig, 0, rig->populations[b].compartment);
    rig_dense(rig, b, port);
    rig_place(rig, b, 2, 2, 5);
    rig_place(rig, 0, 0, 2, 9);
    rig_place(rig, 0, 2, 4, 0);
    rig_place(rig, b, 0, 2, 9);
    struct chip chip = rig_chip(2, 2, 2);
    struct placement *placement = rig_placed(rig, &chip, PLACEMENT_EXPLICIT);
    assert_int_equal(placement->core_count, 3);
    assert_int_equal(placement->cores[0].place, 0);
    assert_int_equal(placement->cores[1].place, 5);
    assert_int_equal(placement->cores[2].place, 9);
    /* Place 9 is on the second chip, tile 0; both chips stand side by side. */
    assert_int_equal(placement->chips, 2);
    assert_int_equal(placement->side, 2);
    assert_int_equal(placement->cores[2].chip, 1);
    assert_int_equal(placement->cores[2].x, 2);
    assert_int_equal(placement->tiles, 3);
    assert_int_equal(placement_core(placement, 0, 1), 2);
    assert_int_equal(placement_core(placement, 0, 2), 0);
    assert_int_equal(placement_core(placement, 2, 1), 2);
    assert_int_equal(placement_core(placement, 2, 3), 1);
    /* The port's 9 elements go with the 6 neurons: 3 with the first two, 6 with the others. */
    for (uint32_t i = 0; i < 9; i++)
        assert_int_equal(placement_core(placement, port, i), i < 3 ? 2 : 0);
    check_contents(rig, &chip, placement);
    placement_free(placement);
    chip.limits.neurons = 9;
    expect_sentence(rig, &chip, PLACEMENT_EXPLICIT,
                    "population a: core 0 of the network file's placement needs room for 10 "
                    "neurons, more than the 9 that a core of Testchip takes" REMEDY);
    expect_beyond(rig, &chip, PLACEMENT_EXPLICIT, 3);
    chip.limits.neurons = 0;
    chip.limits.chips = 1;
    expect_sentence(rig, &chip, PLACEMENT_EXPLICIT,
                    "population a: the network file puts it on core 9, but 1 chip of Testchip has "
                    "8 cores" REMEDY);
    chip.limits.chips = 0;
    chip.limits.neuron_fan_in = 3;
    expect_sentence(rig, &chip, PLACEMENT_EXPLICIT,
                    "port side of population a needs room for 4 synapses, more than the 3 that a "
                    "neuron of Testchip takes" REMEDY);
    rig_free(rig);
}

static void refuses_incomplete_placements(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    rig_population(rig, "a", 6, 1);
    rig_population(rig, "b", 10, 1);
    rig_rule_based(rig, SYNAPSES_SPARSE, 0, 1, window, NULL, 4);
    struct chip chip = rig_chip(2, 2, 2);
    expect_sentence(rig, &chip, PLACEMENT_EXPLICIT,
                    "the network file says nothing of cores; give its populations a placement, or "
                    "use another --placement");
    rig_place(rig, 0, 0, 6, 0);
    rig_place(rig, 1, 0, 3, 1);
    rig_place(rig, 1, 4, 6, 1);
    expect_sentence(rig, &chip, PLACEMENT_EXPLICIT,
                    "the network file gives neuron 3 of population b no core; place every neuron, "
                    "or use another --placement");
    rig_place(rig, 1, 3, 2, 2);
    expect_sentence(rig, &chip, PLACEMENT_EXPLICIT,
                    "the network file gives neuron 4 of population b two places, core 1 and core "
                    "2; leave one out");
    rig->placed[3].count = 1;
    expect_sentence(rig, &chip, PLACEMENT_EXPLICIT,
                    "population b: the trace says where spikes go for groups of 4 neurons, and the "
                    "network file puts neurons 0 and 3 of one group on cores 1 and 2; let cores "
                    "begin at multiples of 4");
    rig->placed[3].core = 1;
    struct placement *placement = rig_placed(rig, &chip, PLACEMENT_EXPLICIT);
    assert_int_equal(placement->core_count, 2);
    assert_int_equal(placement->range_count, 2);
    placement_free(placement);
    rig->placed[3].count = 8;
    expect_sentence(rig, &chip, PLACEMENT_EXPLICIT,
                    "population b has 10 neurons, but its placement goes to number 10");
    rig->placed[3].count = UINT32_MAX;
    expect_sentence(rig, &chip, PLACEMENT_EXPLICIT,
                    "population b has 10 neurons, but its placement goes to number 4294967297");
    rig->placed[3].population = 2;
    expect_sentence(rig, &chip, PLACEMENT_EXPLICIT,
                    "the placement in the trace names population 2 of 2; the trace is damaged");
    rig_free(rig);
}

/* Absurd core numbers neither overflow nor take memory. */
static void takes_far_cores(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    rig_population(rig, "a", 2, 1);
    rig_place(rig, 0, 0, 1, UINT32_MAX - 1);
    rig_place(rig, 0, 1, 1, 0);
    struct chip chip = rig_chip(1, 1, 1);
    struct placement *placement = rig_placed(rig, &chip, PLACEMENT_EXPLICIT);
    assert_int_equal(placement->chips, UINT32_MAX);
    assert_int_equal(placement->side, 65536);
    assert_int_equal(placement->cores[1].x, 65534);
    assert_int_equal(placement->cores[1].y, 65535);
    placement_free(placement);
    rig->placed[0].core = UINT32_MAX;
    expect_sentence(rig, &chip, PLACEMENT_EXPLICIT, "population a: there is no core 4294967295");
    rig_free(rig);
}

/* ------------------------------------------------------------------ steps */

/* `populations` of `neurons` each, which fill a core. */
static struct rig *full_cores(uint32_t populations, uint32_t neurons)
{
    struct rig *rig = rig_new();
    for (uint32_t i = 0; i < populations; i++)
        rig_population(rig, "full", neurons, 1);
    return rig;
}

/* Tiles of Loihi as its simulators have them: 8 columns, 4 rows, column by column. */
static void steps_along_the_mesh(void **state)
{
    (void)state;
    struct rig *rig = full_cores(1, 1);
    rig_place(rig, 0, 0, 1, 0);
    rig->populations[0].neurons = rig->compartments[0].width = 4;
    rig_place(rig, 0, 1, 1, 3);   /* tile 0 */
    rig_place(rig, 0, 2, 1, 127); /* tile 31: (7, 3) */
    rig_place(rig, 0, 3, 1, 23);  /* tile 5: (1, 1) */
    struct chip chip = rig_chip(8, 4, 4);
    struct placement *placement = rig_placed(rig, &chip, PLACEMENT_EXPLICIT);
    const struct core *cores = placement->cores; /* by place: 0, 3, 23, 127 */
    assert_int_equal(cores[3].x, 7);
    assert_int_equal(cores[3].y, 3);
    assert_int_equal(cores[2].x, 1);
    assert_int_equal(cores[2].y, 1);
    struct steps steps = placement_steps(&chip, &cores[0], &cores[1]);
    assert_true(steps.local);
    assert_int_equal(steps.east + steps.west + steps.north + steps.south + steps.links, 0);
    steps = placement_steps(&chip, &cores[0], &cores[3]);
    assert_false(steps.local);
    assert_int_equal(steps.east, 7);
    assert_int_equal(steps.north, 3);
    assert_int_equal(steps.west + steps.south + steps.links, 0);
    steps = placement_steps(&chip, &cores[3], &cores[2]);
    assert_int_equal(steps.west, 6);
    assert_int_equal(steps.south, 2);
    assert_int_equal(steps.east + steps.north, 0);
    placement_free(placement);
    chip.mesh.column_major = false;
    placement = rig_placed(rig, &chip, PLACEMENT_EXPLICIT);
    assert_int_equal(placement->cores[2].x, 5);
    assert_int_equal(placement->cores[2].y, 0);
    placement_free(placement);
    rig_free(rig);
}

/* Five chips of 2 x 3 tiles stand as 3 + 2; from (1, 0) of chip 0 to (0, 2) of chip 4, which is
 * in column 1, row 1: to (2, 5). */
static void steps_across_chips(void **state)
{
    (void)state;
    struct rig *rig = full_cores(1, 2);
    rig_place(rig, 0, 0, 1, 3);
    rig_place(rig, 0, 1, 1, 26);
    struct chip chip = rig_chip(2, 3, 1);
    struct placement *placement = rig_placed(rig, &chip, PLACEMENT_EXPLICIT);
    assert_int_equal(placement->chips, 5);
    assert_int_equal(placement->side, 3);
    const struct core *cores = placement->cores;
    assert_int_equal(cores[1].x, 2);
    assert_int_equal(cores[1].y, 5);
    struct steps steps = placement_steps(&chip, &cores[0], &cores[1]);
    assert_int_equal(steps.east, 1);
    assert_int_equal(steps.north, 5);
    assert_int_equal(steps.links, 2);
    steps = placement_steps(&chip, &cores[1], &cores[0]);
    assert_int_equal(steps.west, 1);
    assert_int_equal(steps.south, 5);
    assert_int_equal(steps.links, 2);
    placement_free(placement);
    rig_free(rig);
}

/* ---------------------------------------------------------------- layouts */

struct cost {
    double hops, links, messages;
};

static struct cost cost_of(const struct rig *rig, const struct chip *chip,
                           const struct placement *placement)
{
    struct traffic traffic[RIG_MOST];
    struct routes *routes = rig_routes(rig, placement);
    struct cost cost = {0};
    routes_traffic(&rig->load, chip, placement, routes, traffic, NULL);
    for (uint32_t i = 0; i < rig->load.population_count; i++) {
        cost.hops += traffic[i].hops_east + traffic[i].hops_west + traffic[i].hops_north
                     + traffic[i].hops_south;
        cost.links += traffic[i].links;
        cost.messages += traffic[i].messages;
    }
    routes_free(routes);
    return cost;
}

/* A ring of 16 cores, the neighbours of which stand far apart in order: on 4 x 4 tiles every
 * message can be brought to its neighbour by one hop, and never by fewer. */
static void finds_the_best_ring(void **state)
{
    (void)state;
    struct rig *rig = full_cores(16, 2);
    for (uint32_t i = 0; i < 16; i++)
        rig_dense(rig, i * 7 % 16, (i + 1) * 7 % 16);
    struct chip chip = rig_chip(4, 4, 1);
    chip.limits.neurons = 2;
    struct placement *ordered = rig_placed(rig, &chip, PLACEMENT_IN_ORDER);
    struct placement *greedy = rig_placed(rig, &chip, PLACEMENT_GREEDY);
    struct cost in_order = cost_of(rig, &chip, ordered), near = cost_of(rig, &chip, greedy);
    assert_true(in_order.hops > 2 * in_order.messages);
    assert_true(near.hops <= in_order.hops);
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct placement *annealed =
            placement_new(&rig->load, &chip, PLACEMENT_ANNEALED, false, seed, NULL);
        assert_non_null(annealed);
        struct cost best = cost_of(rig, &chip, annealed);
        assert_true(best.hops <= near.hops);
        assert_true(best.hops == best.messages);
        assert_int_equal(annealed->seed, seed);
        check_contents(rig, &chip, annealed);
        placement_free(annealed);
    }
    placement_free(ordered);
    placement_free(greedy);
    rig_free(rig);
}

/* Two cliques of four, woven into each other, on two chips of four cores: each belongs on a chip
 * of its own, and only the one message between them crosses. */
static void keeps_cliques_on_one_chip(void **state)
{
    (void)state;
    struct rig *rig = full_cores(8, 1);
    for (uint32_t i = 0; i < 8; i++)
        for (uint32_t k = 0; k < 8; k++)
            if (k != i && (i + k) % 2 == 0)
                rig_dense(rig, i, k);
    rig_dense(rig, 0, 1);
    struct chip chip = rig_chip(2, 2, 1);
    chip.graded = true;
    chip.limits.neurons = 1;
    for (int i = 0; i < 2; i++) {
        struct placement *placement =
            rig_placed(rig, &chip, i == 0 ? PLACEMENT_GREEDY : PLACEMENT_ANNEALED);
        struct cost cost = cost_of(rig, &chip, placement);
        assert_int_equal(placement->chips, 2);
        assert_true(cost.links == 1);
        assert_true(i == 0 || cost.hops == 2 * (8 + 8) + 1);
        placement_free(placement);
    }
    rig_free(rig);
}

/* A hub with four partners, which in order would lie in a line: around it, each is one hop away. */
static void puts_partners_around_a_hub(void **state)
{
    (void)state;
    struct rig *rig = full_cores(5, 3);
    for (uint32_t i = 0; i < 5; i++)
        if (i != 2)
            rig_dense(rig, 2, i);
    struct chip chip = rig_chip(8, 8, 1);
    chip.limits.neurons = 3;
    struct placement *placement = rig_placed(rig, &chip, PLACEMENT_GREEDY);
    struct cost cost = cost_of(rig, &chip, placement);
    assert_true(cost.hops == cost.messages);
    check_contents(rig, &chip, placement);
    placement_free(placement);
    rig_free(rig);
}

static void same_seed_same_places(void **state)
{
    (void)state;
    struct rig *rig = full_cores(20, 2);
    for (uint32_t i = 0; i < 30; i++)
        rig_dense(rig, i * i % 20, (i * 3 + 1) % 20);
    struct chip chip = rig_chip(5, 3, 2);
    chip.limits.neurons = 2;
    uint32_t places[20] = {0};
    bool differ = false;
    for (int i = 0; i < 4; i++) {
        struct placement *placement =
            placement_new(&rig->load, &chip, PLACEMENT_ANNEALED, false, i < 2 ? 7 : 8, NULL);
        assert_non_null(placement);
        assert_int_equal(placement->core_count, 20);
        for (uint32_t k = 0; k < 20; k++) {
            if (i == 1 || i == 3)
                assert_int_equal(placement->cores[k].place, places[k]);
            differ |= i == 2 && placement->cores[k].place != places[k];
            places[k] = placement->cores[k].place;
        }
        placement_free(placement);
    }
    assert_true(differ);
    rig_free(rig);
}

/* --------------------------------------------------------- random networks */

static uint32_t grain_of(const struct rig *rig, uint32_t compartment)
{
    uint32_t grain = 1;
    for (uint32_t i = 0; i < rig->load.projection_count; i++)
        if (rig->projections[i].compartment == compartment && rig->projections[i].reach != NULL
            && rig->projections[i].synapses > 0 && rig->projections[i].reach->grain > grain)
            grain = rig->projections[i].reach->grain;
    return grain;
}

/* Cores are full: with the first unit of the next one, each would break a limit. */
static void check_full(const struct rig *rig, const struct chip *chip,
                       const struct placement *placement)
{
    static bool in[RIG_MOST][64];
    for (uint32_t i = 0; i + 1 < placement->core_count; i++) {
        const struct placed_range *next = NULL;
        for (uint32_t k = 0; next == NULL; k++)
            if (placement->ranges[k].core == i + 1)
                next = &placement->ranges[k];
        elements_of(placement, i, in);
        uint32_t grain = grain_of(rig, next->compartment);
        for (uint32_t k = 0; k < grain && k < next->count; k++)
            in[next->compartment][next->first + k] = true;
        struct core core = plain_core_of(rig, chip, in);
        assert_false(within(&chip->limits, &core));
    }
}

/* Neurons with more synapses than one may have, groups being taken as their mean. */
static bool too_much_for_a_neuron(const struct rig *rig, const struct chip *chip)
{
    static bool in[RIG_MOST][64];
    for (uint32_t i = 0; i < rig->load.compartment_count; i++) {
        uint32_t grain = grain_of(rig, i), width = rig->compartments[i].width;
        for (uint32_t first = 0; first < width; first += grain) {
            memset(in, 0, sizeof in);
            for (uint32_t e = first; e < first + grain && e < width; e++)
                in[i][e] = true;
            struct core group = plain_core_of(rig, chip, in);
            if (group.synapses > group.elements * chip->limits.neuron_fan_in)
                return true;
        }
    }
    return false;
}

static bool beyond_limits(const struct rig *rig, const struct chip *chip,
                          const struct placement *placement)
{
    for (uint32_t i = 0; i < placement->core_count; i++)
        if (!within(&chip->limits, &placement->cores[i]))
            return true;
    return (chip->limits.chips > 0 && placement->chips > chip->limits.chips)
           || (chip->limits.neuron_fan_in > 0 && too_much_for_a_neuron(rig, chip));
}

static void check_random_network(const struct rig *rig, struct chip *chip,
                                 enum placement_method method)
{
    struct error error = {0};
    struct placement *placement = placement_new(&rig->load, chip, method, false, 3, &error);
    struct placement *beyond = placement_new(&rig->load, chip, method, true, 3, NULL);
    assert_non_null(beyond);
    check_contents(rig, chip, beyond);
    assert_int_equal(beyond->beyond_limits, beyond_limits(rig, chip, beyond));
    if (placement == NULL) {
        assert_true(beyond->beyond_limits);
        assert_non_null(strstr(error.text, "--beyond-limits"));
    } else {
        assert_false(placement->beyond_limits);
        check_contents(rig, chip, placement);
        assert_false(beyond_limits(rig, chip, placement));
        if (chip->limits.fan_out == 0)
            check_full(rig, chip, placement);
        if (!beyond->beyond_limits) {
            assert_int_equal(beyond->range_count, placement->range_count);
            assert_memory_equal(beyond->ranges, placement->ranges,
                                placement->range_count * sizeof *placement->ranges);
        }
        if (method != PLACEMENT_IN_ORDER) {
            struct placement *ordered = rig_placed(rig, chip, PLACEMENT_IN_ORDER);
            struct cost before = cost_of(rig, chip, ordered);
            struct cost after = cost_of(rig, chip, placement);
            assert_true(after.hops + after.links * chip->mesh.columns
                        <= (before.hops + before.links * chip->mesh.columns) * (1 + 1e-12));
            placement_free(ordered);
        }
    }
    placement_free(placement);
    placement_free(beyond);
}

static void random_networks(void **state)
{
    (void)state;
    for (int i = 0; i < 1500; i++) {
        struct rig *rig = rig_random_network();
        struct chip chip = rig_random_chip();
        enum placement_method method = PLACEMENT_IN_ORDER;
        if (i % 10 == 1)
            method = PLACEMENT_GREEDY;
        if (i % 50 == 2)
            method = PLACEMENT_ANNEALED;
        check_random_network(rig, &chip, method);
        rig_free(rig);
    }
}

/* Where the network file scatters neurons, many ranges of a population lie on one core. */
static void random_networks_of_explicit_placement(void **state)
{
    (void)state;
    int taken = 0, refused = 0;
    for (int i = 0; i < 600; i++) {
        struct rig *rig = rig_random_network();
        struct chip chip = rig_random_chip();
        struct error error = {0};
        rig_scatter(rig);
        struct placement *within_limits =
            placement_new(&rig->load, &chip, PLACEMENT_EXPLICIT, false, 1, NULL);
        struct placement *placement =
            placement_new(&rig->load, &chip, PLACEMENT_EXPLICIT, true, 1, &error);
        if (placement == NULL) {
            assert_null(within_limits);
            assert_non_null(strstr(error.text, "of one group"));
        } else {
            check_contents(rig, &chip, placement);
            assert_int_equal(placement->beyond_limits, beyond_limits(rig, &chip, placement));
            assert_int_equal(placement->beyond_limits, within_limits == NULL);
            taken += within_limits != NULL;
            refused += within_limits == NULL;
        }
        placement_free(placement);
        placement_free(within_limits);
        rig_free(rig);
    }
    assert_true(taken > 50 && refused > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deals_in_order),
        cmocka_unit_test(deals_within_synapses_and_bytes),
        cmocka_unit_test(holds_kernels_once_a_core),
        cmocka_unit_test(counts_each_source_once),
        cmocka_unit_test(splits_cores_that_send_too_much),
        cmocka_unit_test(keeps_groups_together),
        cmocka_unit_test(takes_everything_without_limits),
        cmocka_unit_test(says_what_is_short),
        cmocka_unit_test(says_what_is_short_of_groups_and_ports),
        cmocka_unit_test(says_what_neurons_of_groups_have),
        cmocka_unit_test(refuses_chips_without_cores),
        cmocka_unit_test(takes_the_network_files_cores),
        cmocka_unit_test(refuses_incomplete_placements),
        cmocka_unit_test(takes_far_cores),
        cmocka_unit_test(steps_along_the_mesh),
        cmocka_unit_test(steps_across_chips),
        cmocka_unit_test(finds_the_best_ring),
        cmocka_unit_test(keeps_cliques_on_one_chip),
        cmocka_unit_test(puts_partners_around_a_hub),
        cmocka_unit_test(same_seed_same_places),
        cmocka_unit_test(random_networks),
        cmocka_unit_test(random_networks_of_explicit_placement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
