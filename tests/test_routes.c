/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Routes and traffic against networks worked out by hand, and against random ones in which every
 * spike is followed to every synapse and every message walks tile by tile.
 */
#include "tests/placement_rig.h"

#include <math.h>

static void expect_route(const struct routes *routes, uint32_t population, uint32_t neuron,
                         const struct route *expected, uint64_t length)
{
    uint64_t count;
    const struct route *row = routes_of(routes, population, neuron, &count);
    assert_int_equal(count, length);
    for (uint64_t i = 0; i < length; i++) {
        assert_int_equal(row[i].core, expected[i].core);
        for (int kind = 0; kind < 3; kind++)
            assert_true(row[i].synapses[kind] == expected[i].synapses[kind]);
    }
}

/* ---------------------------------------------------------------- by hand */

static uint32_t window(void *self, uint32_t source, uint32_t target)
{
    (void)self;
    return source >= target && source < target + 3;
}

/* Three populations on 2 x 2 tiles of one core:
 *
 *     image (6)  cores 0 (0 … 3) and 1       tiles (0, 0) and (0, 1)
 *     filter (4) core 1 (0, 1) and 2 (2, 3)  tile (1, 0)
 *     class (2)  core 2
 *
 * Filter i takes image i … i + 2; both classes take all filters. */
static struct rig *small_network(void)
{
    struct rig *rig = rig_new();
    rig_population(rig, "image", 6, 1);
    rig_population(rig, "filter", 4, 10);
    rig_population(rig, "class", 2, 100);
    rig_rule_based(rig, SYNAPSES_CONVOLUTION, 0, 1, window, NULL, 1);
    rig_dense(rig, 1, 2);
    return rig;
}

static void small_routes(void **state)
{
    (void)state;
    struct rig *rig = small_network();
    struct chip chip = rig_chip(2, 2, 1);
    chip.limits.neurons = 4;
    struct placement *placement = rig_placed(rig, &chip, PLACEMENT_IN_ORDER);
    struct routes *routes = rig_routes(rig, placement);
    assert_int_equal(placement->core_count, 3);
    /* Image 0 goes to filter 0; 1 to 0 and 1; 2 to 0, 1 and 2; 3 to 1, 2 and 3; 4 to 2 and 3; 5 to
     * filter 3. */
    expect_route(routes, 0, 0, (struct route[]){{1, {0, 0, 1}}}, 1);
    expect_route(routes, 0, 1, (struct route[]){{1, {0, 0, 2}}}, 1);
    expect_route(routes, 0, 2, (struct route[]){{1, {0, 0, 2}}, {2, {0, 0, 1}}}, 2);
    expect_route(routes, 0, 3, (struct route[]){{1, {0, 0, 1}}, {2, {0, 0, 2}}}, 2);
    expect_route(routes, 0, 4, (struct route[]){{2, {0, 0, 2}}}, 1);
    expect_route(routes, 0, 5, (struct route[]){{2, {0, 0, 1}}}, 1);
    assert_false(routes->populations[0].shared);
    assert_true(routes->populations[1].shared);
    expect_route(routes, 1, 0, (struct route[]){{2, {2, 0, 0}}}, 1);
    expect_route(routes, 1, 3, (struct route[]){{2, {2, 0, 0}}}, 1);
    assert_null(routes->populations[2].start);
    expect_route(routes, 2, 1, NULL, 0);
    routes_free(routes);
    placement_free(placement);
    rig_free(rig);
}

/* Firings: image 1 2 3 4 5 6, filter 10 11 12 13; each spike is 3 on a chip that is not graded.
 * Image to core 1 (north of core 0): 1 + 2 + 3 + 4 from core 0. Image to core 2, at (1, 0): 3 + 4
 * from core 0, one hop east; 5 + 6 from core 1, one east, one south. Filter to core 2: 10 + 11 from
 * core 1, 12 + 13 within core 2. */
static void small_traffic(void **state)
{
    (void)state;
    struct rig *rig = small_network();
    struct chip chip = rig_chip(2, 2, 1);
    chip.limits.neurons = 4;
    struct placement *placement = rig_placed(rig, &chip, PLACEMENT_IN_ORDER);
    struct routes *routes = rig_routes(rig, placement);
    for (int graded = 0; graded < 2; graded++) {
        double times = graded ? 1 : 3;
        struct traffic traffic[3];
        struct core_traffic cores[3];
        chip.graded = graded;
        routes_traffic(&rig->load, &chip, placement, routes, traffic, cores);
        assert_true(traffic[0].messages == times * (10 + 7 + 11));
        assert_true(traffic[0].hops_north == times * 10);
        assert_true(traffic[0].hops_east == times * (7 + 11));
        assert_true(traffic[0].hops_south == times * 11);
        assert_true(traffic[0].hops_west == 0 && traffic[0].hops_local == 0);
        assert_true(traffic[0].links == 0);
        assert_int_equal(traffic[0].most_hops, 2);
        assert_true(traffic[1].messages == times * 46);
        assert_true(traffic[1].hops_east == times * 21 && traffic[1].hops_south == times * 21);
        assert_true(traffic[1].hops_local == times * 25);
        assert_true(traffic[2].messages == 0 && traffic[2].most_hops == 0);
        assert_true(cores[0].out == times * 17 && cores[0].in == 0 && cores[0].synops == 0);
        assert_true(cores[1].out == times * (11 + 21) && cores[1].in == times * 10);
        assert_true(cores[2].out == times * 25 && cores[2].in == times * (18 + 46));
        /* Core 1 has filters 0 and 1: 1 · 1 + 2 · 2 + 3 · 2 + 4 · 1. */
        assert_true(cores[1].synops == times * 15);
        assert_true(cores[2].synops == times * (3 + 4 * 2 + 5 * 2 + 6 + 46 * 2));
        struct core_traffic alone[3];
        routes_traffic(&rig->load, &chip, placement, routes, NULL, alone);
        assert_memory_equal(alone, cores, sizeof cores);
        struct traffic only[3];
        routes_traffic(&rig->load, &chip, placement, routes, only, NULL);
        assert_memory_equal(only, traffic, sizeof traffic);
    }
    routes_free(routes);
    placement_free(placement);
    rig_free(rig);
}

/* The same network on cores of four in chips of one tile: 3 chips as 2 + 1, so that the way from
 * chip 1 to chip 2 crosses two borders. */
static void small_traffic_over_chips(void **state)
{
    (void)state;
    struct rig *rig = small_network();
    struct chip chip = rig_chip(1, 1, 1);
    chip.graded = true;
    chip.limits.neurons = 4;
    struct placement *placement = rig_placed(rig, &chip, PLACEMENT_IN_ORDER);
    struct routes *routes = rig_routes(rig, placement);
    struct traffic traffic[3];
    assert_int_equal(placement->chips, 3);
    assert_int_equal(placement->side, 2);
    routes_traffic(&rig->load, &chip, placement, routes, traffic, NULL);
    /* Core 0 at (0, 0), core 1 at (1, 0), core 2 at (0, 1). */
    assert_true(traffic[0].links == 10 + 7 + 2 * 11);
    assert_true(traffic[0].hops_east == 10 && traffic[0].hops_north == 7 + 11);
    assert_true(traffic[0].hops_west == 11);
    assert_true(traffic[1].links == 2 * 21);
    routes_free(routes);
    placement_free(placement);
    rig_free(rig);
}

/* Two projections to one core are one message, whatever their kinds, also to a port. */
static void one_message_for_all_synapses_of_a_core(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    rig_population(rig, "a", 4, 1);
    rig_population(rig, "b", 4, 1);
    uint32_t port = rig_port(rig, 1, 6);
    rig_dense(rig, 0, 1);
    rig_dense(rig, 0, port);
    rig_rule_based(rig, SYNAPSES_CONVOLUTION, 0, 1, window, NULL, 1);
    rig_one_to_one(rig, 0, port);
    struct chip chip = rig_chip(2, 1, 1);
    chip.limits.neurons = 8;
    struct placement *placement = rig_placed(rig, &chip, PLACEMENT_IN_ORDER);
    struct routes *routes = rig_routes(rig, placement);
    struct traffic traffic[2];
    assert_int_equal(placement->core_count, 2);
    expect_route(routes, 0, 0, (struct route[]){{0, {4, 0, 1}}, {1, {6, 1, 0}}}, 2);
    expect_route(routes, 0, 3, (struct route[]){{0, {4, 0, 3}}, {1, {6, 1, 0}}}, 2);
    assert_int_equal(placement->cores[0].fan_in, 4);
    assert_int_equal(placement->cores[0].fan_out, 8);
    routes_traffic(&rig->load, &chip, placement, routes, traffic, NULL);
    assert_true(traffic[0].messages == 2 * 3 * (1 + 2 + 3 + 4));
    routes_free(routes);
    placement_free(placement);
    rig_free(rig);
}

/* Zero weights: 30 of 4 x 10 are there, taken as even; 3 of the 10 targets are on core 1. */
static void average_synapses_of_dense_projections(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    rig_population(rig, "a", 4, 1);
    rig_population(rig, "b", 10, 1);
    rig_dense(rig, 0, 1);
    rig->projections[0].synapses = 30;
    rig_dense(rig, 1, 0);
    rig->projections[1].synapses = 0; /* leads nowhere */
    struct chip chip = rig_chip(2, 1, 1);
    chip.limits.neurons = 11;
    struct placement *placement = rig_placed(rig, &chip, PLACEMENT_IN_ORDER);
    struct routes *routes = rig_routes(rig, placement);
    expect_route(routes, 0, 2, (struct route[]){{0, {5.25f, 0, 0}}, {1, {2.25f, 0, 0}}}, 2);
    expect_route(routes, 1, 2, NULL, 0);
    assert_int_equal(placement->cores[0].synapses, 21);
    assert_int_equal(placement->cores[1].synapses, 9);
    routes_free(routes);
    placement_free(placement);
    rig_free(rig);
}

/* A projection one to one of unequal widths, some of whose weights are 0. */
static void one_to_one_leads_to_its_own_number(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    rig_population(rig, "a", 6, 1);
    rig_population(rig, "b", 4, 1);
    struct load_projection *projection = rig_projection(rig, SYNAPSES_SPARSE, 0, 1);
    static const uint32_t fan_out[6] = {1, 0, 1, 1, 0, 0};
    projection->one_to_one = true;
    projection->synapses = 3;
    projection->fan_out = malloc(sizeof fan_out);
    assert_non_null(projection->fan_out);
    memcpy(projection->fan_out, fan_out, sizeof fan_out);
    struct chip chip = rig_chip(2, 1, 1);
    chip.limits.neurons = 8;
    struct placement *placement = rig_placed(rig, &chip, PLACEMENT_IN_ORDER);
    struct routes *routes = rig_routes(rig, placement);
    expect_route(routes, 0, 0, (struct route[]){{0, {0, 1, 0}}}, 1);
    expect_route(routes, 0, 1, NULL, 0);
    expect_route(routes, 0, 2, (struct route[]){{1, {0, 1, 0}}}, 1);
    expect_route(routes, 0, 4, NULL, 0);
    assert_int_equal(placement->cores[0].synapses, 1);
    assert_int_equal(placement->cores[1].synapses, 2);
    assert_int_equal(placement->cores[1].fan_in, 2);
    routes_free(routes);
    placement_free(placement);
    rig_free(rig);
}

/* 40 targets one by one on 5000 cores of a population: routes in order of cores, far apart. */
static uint32_t scattered(void *self, uint32_t source, uint32_t target)
{
    (void)self;
    return (target * 7919 + source) % 5000 < 40;
}

static void routes_stand_in_order_of_cores(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    rig_population(rig, "b", 5000, 1);
    rig_population(rig, "a", 3, 1);
    rig_rule_based(rig, SYNAPSES_SPARSE, 1, 0, scattered, NULL, 1);
    rig_one_to_one(rig, 1, 0);
    struct chip chip = rig_chip(100, 100, 1);
    chip.limits.neurons = 1;
    struct placement *placement = rig_placed(rig, &chip, PLACEMENT_IN_ORDER);
    struct routes *routes = rig_routes(rig, placement);
    for (uint32_t neuron = 0; neuron < 3; neuron++) {
        uint64_t count, at = 0;
        const struct route *row = routes_of(routes, 1, neuron, &count);
        for (uint32_t target = 0; target < 5000; target++) {
            float synapses = (float)scattered(NULL, neuron, target) + (target == neuron);
            if (synapses == 0)
                continue;
            assert_true(at < count);
            assert_int_equal(row[at].core, target);
            assert_true(row[at].synapses[SYNAPSES_SPARSE] == synapses);
            at++;
        }
        assert_int_equal(at, count);
    }
    routes_free(routes);
    placement_free(placement);
    rig_free(rig);
}

/* --------------------------------------------------------- random networks */

static bool near(double value, double expected)
{
    return fabs(value - expected) <= 1e-12 * fabs(expected);
}

/* Routes are floats where synapses are averages. */
static bool near_float(double value, double expected)
{
    return fabs(value - expected) <= 1e-6 * fabs(expected);
}

static void check_routes(const struct rig *rig, const struct placement *placement,
                         const struct routes *routes)
{
    double (*meets)[3] = malloc((placement->core_count + 1) * sizeof *meets);
    assert_non_null(meets);
    for (uint32_t p = 0; p < rig->load.population_count; p++)
        for (uint32_t n = 0; n < rig->populations[p].neurons; n++) {
            uint64_t count, at = 0;
            const struct route *row = routes_of(routes, p, n, &count);
            plain_meets(rig, placement, p, n, meets);
            for (uint32_t core = 0; core < placement->core_count; core++) {
                if (meets[core][0] + meets[core][1] + meets[core][2] == 0)
                    continue;
                assert_true(at < count);
                assert_int_equal(row[at].core, core);
                for (int kind = 0; kind < 3; kind++)
                    assert_true(near_float(row[at].synapses[kind], meets[core][kind]));
                at++;
            }
            assert_int_equal(at, count);
        }
    free(meets);
}

static void check_traffic(const struct rig *rig, const struct chip *chip,
                          const struct placement *placement, const struct routes *routes)
{
    struct traffic traffic[RIG_MOST], plain[RIG_MOST];
    struct core_traffic *cores = calloc(placement->core_count + 1, sizeof *cores);
    struct core_traffic *plain_cores = calloc(placement->core_count + 1, sizeof *plain_cores);
    assert_true(cores != NULL && plain_cores != NULL);
    routes_traffic(&rig->load, chip, placement, routes, traffic, cores);
    plain_traffic(rig, chip, placement, plain, plain_cores);
    double messages = 0, out = 0, in = 0;
    for (uint32_t i = 0; i < rig->load.population_count; i++) {
        assert_true(near(traffic[i].messages, plain[i].messages));
        assert_true(near(traffic[i].hops_east, plain[i].hops_east));
        assert_true(near(traffic[i].hops_west, plain[i].hops_west));
        assert_true(near(traffic[i].hops_north, plain[i].hops_north));
        assert_true(near(traffic[i].hops_south, plain[i].hops_south));
        assert_true(near(traffic[i].hops_local, plain[i].hops_local));
        assert_true(near(traffic[i].links, plain[i].links));
        assert_int_equal(traffic[i].most_hops, plain[i].most_hops);
        messages += traffic[i].messages;
    }
    for (uint32_t i = 0; i < placement->core_count; i++) {
        assert_true(near(cores[i].out, plain_cores[i].out));
        assert_true(near(cores[i].in, plain_cores[i].in));
        assert_true(near_float(cores[i].synops, plain_cores[i].synops));
        out += cores[i].out;
        in += cores[i].in;
    }
    assert_true(near(out, messages) && near(in, messages));
    free(cores);
    free(plain_cores);
}

static void random_networks(void **state)
{
    (void)state;
    int scattered_networks = 0;
    for (int i = 0; i < 1000; i++) {
        struct rig *rig = rig_random_network();
        struct chip chip = rig_random_chip();
        enum placement_method method =
            i % 20 == 3 ? PLACEMENT_GREEDY : PLACEMENT_IN_ORDER;
        if (i % 3 == 0) {
            rig_scatter(rig);
            method = PLACEMENT_EXPLICIT;
        }
        struct error error = {0};
        struct placement *placement =
            placement_new(&rig->load, &chip, method, true, 1, &error);
        if (placement == NULL) {
            assert_non_null(strstr(error.text, "of one group")); /* scattered too finely */
        } else {
            scattered_networks += method == PLACEMENT_EXPLICIT;
            struct routes *routes = rig_routes(rig, placement);
            check_routes(rig, placement, routes);
            check_traffic(rig, &chip, placement, routes);
            routes_free(routes);
        }
        placement_free(placement);
        rig_free(rig);
    }
    assert_true(scattered_networks > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_routes),
        cmocka_unit_test(small_traffic),
        cmocka_unit_test(small_traffic_over_chips),
        cmocka_unit_test(one_message_for_all_synapses_of_a_core),
        cmocka_unit_test(average_synapses_of_dense_projections),
        cmocka_unit_test(one_to_one_leads_to_its_own_number),
        cmocka_unit_test(routes_stand_in_order_of_cores),
        cmocka_unit_test(random_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
