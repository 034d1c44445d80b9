/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Time per tick against ticks worked out by hand, and against a plain model on random runs: every
 * spike is followed to every core, for every tick and core all terms are added up anew.
 */
#include "tests/latency_rig.h"

static struct latency work_out(void)
{
    struct latency latency;
    struct error error = {0};
    assert_true(
        latency_per_tick(&rig.load, &rig.chip, &rig.placement, &rig.routes, &latency, &error));
    return latency;
}

static double seconds(void)
{
    struct latency latency = work_out();
    double own = latency.seconds;
    latency_free(&latency);
    return own;
}

/* Each figure another power of ten or another digit, so that every term shows. */
static void all_times(void)
{
    rig_time(CHIP_TIME_NEURON_ACCESS, 1e-9);
    rig_time(CHIP_TIME_NEURON_UPDATE, 1e-8);
    rig_time(CHIP_TIME_SPIKE, 1e-7);
    rig_time(CHIP_TIME_MESSAGE_OUT, 1e-6);
    rig_time(CHIP_TIME_MESSAGE_IN, 1e-5);
    rig_time(CHIP_TIME_SYNOP, 1e-3);
    rig_time(CHIP_TIME_SYNOP_SPARSE, 1e-4);
    rig_time(CHIP_TIME_HOP_EAST, 1e-2);
    rig_time(CHIP_TIME_HOP_WEST, 2e-2);
    rig_time(CHIP_TIME_HOP_NORTH, 1e-1);
    rig_time(CHIP_TIME_HOP_SOUTH, 2e-1);
    rig_time(CHIP_TIME_HOP_LOCAL, 5e-3);
}

/* Core 0 on tile (0, 0): neurons 0 to 2 of a. Core 1 on tile (2, 1): neuron 3 of a, b. */
static void two_cores(uint64_t ticks)
{
    rig_begin(1, 3, 2, 1, 6, ticks);
    rig.cores[1].x = 2;
    rig.cores[1].y = 1;
    rig.placement.core_count = 2;
    rig.placement.tiles = 2;
    all_times();
    rig_population(4, (const uint32_t[]){0, 0, 0, 1});
    rig_population(2, (const uint32_t[]){1, 1});
}

static void a_tick_term_by_term(void **state)
{
    (void)state;
    two_cores(1);
    rig_route(0, 0, 1, 2, 0, 0);
    rig_route(0, 1, 0, 0, 3, 0);
    rig_route(0, 1, 1, 1, 1, 0);
    rig_route(0, 3, 0, 0, 0, 4);
    rig_fire(0, 0, 2, (const uint32_t[]){0, 1}, NULL);
    /* Core 0: three neurons, two spikes, three messages out; one in, of three sparse synapses,
     * within the tile. */
    double core_0 = 3 * (1e-9 + 1e-8) + 2 * 1e-7 + 3 * 1e-6 + 1e-5 + 3 * 1e-4 + 5e-3;
    /* Core 1: three neurons; two messages of three dense and one sparse synapse, over two hops east
     * and one north. */
    double core_1 = 3 * (1e-9 + 1e-8) + 2 * 1e-5 + 3 * 1e-3 + 1e-4 + 2 * 1e-2 + 1e-1;
    assert_true(core_1 > core_0);
    struct latency latency = work_out();
    assert_true(latency.known && !latency.lower_bound && !latency.real_time);
    assert_true(near(latency.seconds, core_1) && near(latency.slowest_tick, core_1));
    assert_true(near(latency.per_inference, core_1) && latency.ticks == 1);
    assert_int_equal(latency.busiest_core, 1);
    assert_true(latency.busiest_share == 1 && latency.synchronising == 0);
    assert_true(latency.stages == NULL && latency.pipelined == 0);
    latency_free(&latency);
    /* With nothing on the way core 0 is the slower one, once its neurons take long to fire. */
    for (int figure = CHIP_TIME_HOP_LOCAL; figure <= CHIP_TIME_HOP_SOUTH; figure++)
        rig.chip.figure[figure].given = false;
    rig_time(CHIP_TIME_SPIKE, 1);
    latency = work_out();
    assert_true(near(latency.seconds, core_0 - 5e-3 + 2 - 2e-7));
    assert_int_equal(latency.busiest_core, 0);
    latency_free(&latency);
}

static void of_equal_cores_the_first_is_the_busiest(void **state)
{
    (void)state;
    two_cores(1);
    rig_fire(0, 0, 1, (const uint32_t[]){0}, NULL);
    rig_fire(0, 1, 1, (const uint32_t[]){0}, NULL);
    struct latency latency = work_out();
    assert_int_equal(latency.busiest_core, 0);
    assert_true(near(latency.seconds, 3 * (1e-9 + 1e-8) + 1e-7));
    latency_free(&latency);
}

static void ways_back(void **state)
{
    (void)state;
    two_cores(1);
    rig_route(0, 3, 0, 0, 0, 4);
    rig_fire(0, 0, 1, (const uint32_t[]){3}, NULL);
    double core_0 = 3 * (1e-9 + 1e-8) + 1e-5 + 4 * 1e-3 + 2 * 2e-2 + 2e-1;
    assert_true(near(seconds(), core_0));
    /* The same two tiles on two chips of 2 x 1 tiles, then on four of 2 x 1: links to cross. */
    rig_time(CHIP_TIME_LINK, 1);
    assert_true(near(seconds(), core_0));
    rig.chip.mesh.columns = 2;
    assert_true(near(seconds(), core_0 + 1));
    rig.chip.mesh.rows = 1;
    assert_true(near(seconds(), core_0 + 2));
}

static void synapse_kinds_have_times_of_their_own(void **state)
{
    (void)state;
    rig_begin(1, 1, 1, 1, 1, 1);
    rig_population(1, (const uint32_t[]){0});
    rig_route(0, 0, 0, 1, 10, 100);
    rig_fire(0, 0, 1, (const uint32_t[]){0}, NULL);
    rig_time(CHIP_TIME_SYNOP, 1);
    assert_true(near(seconds(), 111));
    rig_time(CHIP_TIME_SYNOP_DENSE, 2);
    rig_time(CHIP_TIME_SYNOP_CONVOLUTION, 3);
    assert_true(near(seconds(), 2 + 10 + 300));
    rig.chip.figure[CHIP_TIME_SYNOP].given = false;
    rig_time(CHIP_TIME_SYNOP_SPARSE, 4);
    assert_true(near(seconds(), 2 + 40 + 300));
}

static void inputs_and_ports(void **state)
{
    (void)state;
    two_cores(10);
    rig.populations[0].input = true;
    rig_route(0, 0, 0, 0, 0, 0);
    rig_fire(3, 0, 1, (const uint32_t[]){0}, NULL);
    rig_compartment(1, 3, (const uint32_t[]){0, 0, 0}); /* a port of b on core 0 */
    double quiet = 3 * 1e-9;                            /* the port is gone through; b less long */
    rig.chip.figure[CHIP_TIME_NEURON_UPDATE].given = false;
    assert_true(near(seconds(), 9 * quiet + quiet + 1e-6 + 1e-5 + 5e-3));
}

static void updates_are_spread_over_the_ticks(void **state)
{
    (void)state;
    rig_begin(1, 1, 1, 1, 1, 10);
    rig_time(CHIP_TIME_NEURON_UPDATE, 1);
    rig_population(3, (const uint32_t[]){0, 0, 0});
    assert_true(near(seconds(), 30));
    rig.updates[0][0] = 10;
    rig.updates[0][2] = 4;
    rig.populations[0].updates = rig.updates[0];
    assert_true(near(seconds(), 14));
    rig_compartment(0, 2, (const uint32_t[]){0, 0}); /* a port: gone through, not updated */
    assert_true(near(seconds(), 14));
    /* In a language model all elements are, once for each vector; or, without spikes, token. */
    rig.populations[0].clocked = rig.load.clocked = false;
    rig.populations[0].tally.vectors = 4;
    rig.load.positions = 7;
    assert_true(near(seconds(), 5 * 4));
    rig.populations[0].spiking = false;
    assert_true(near(seconds(), 5 * 7));
}

static void sync_by_tiles(void **state)
{
    (void)state;
    struct chip chip = {0};
    assert_true(chip_sync(&chip, 5) == 0);
    static const uint32_t tiles[] = {1, 2, 4, 29};
    static const double times[] = {0.6e-6, 1.0e-6, 1.4e-6, 1.8e-6};
    for (int i = 0; i < 4; i++) {
        chip.sync[i].tiles = tiles[i];
        chip.sync[i].seconds = times[i];
    }
    chip.sync_count = 4;
    static const double expected[] = {0.6e-6, 0.6e-6, 1.0e-6, 1.0e-6, 1.4e-6};
    for (uint32_t n = 0; n < 5; n++)
        assert_true(chip_sync(&chip, n) == expected[n]);
    assert_true(chip_sync(&chip, 28) == 1.4e-6 && chip_sync(&chip, 29) == 1.8e-6);
    assert_true(chip_sync(&chip, 4000) == 1.8e-6);
}

/* A thousand million ticks, of which two fire. */
static void empty_ticks_are_counted_at_once(void **state)
{
    (void)state;
    two_cores(1000000000);
    rig.chip.sync_count = 1;
    rig.chip.sync[0].seconds = 3e-6;
    rig.own[1] = (struct population_routes){0}; /* b sends nothing */
    rig_fire(7, 0, 1, (const uint32_t[]){0}, NULL);
    rig_fire(999999990, 1, 1, (const uint32_t[]){1}, NULL);
    double quiet = 3 * (1e-9 + 1e-8);
    struct latency latency = work_out();
    assert_true(near(latency.seconds, 1e9 * (quiet + 3e-6) + 2e-7));
    assert_true(latency.ticks == 1e9 && near(latency.synchronising, 3e3));
    assert_true(!latency.real_time && near(latency.slowest_tick, quiet + 3e-6 + 1e-7));
    assert_int_equal(latency.busiest_core, 0); /* as slow as core 1, and in one more tick */
    assert_true(near(latency.busiest_share, 1 - 1e-9));
    latency_free(&latency);
    /* In real time all but the ticks that fire wait for the chip's own. */
    rig_time(CHIP_TIME_TICK, quiet + 3e-6 + 5e-8);
    latency = work_out();
    assert_true(near(latency.seconds, 1e9 * (quiet + 3e-6 + 5e-8) + 2 * 5e-8));
    assert_true(latency.real_time);
    latency_free(&latency);
    /* What was fired beyond the ticks counted is counted, too: a run that was cut off. */
    rig.load.ticks = 5;
    latency = work_out();
    assert_true(latency.ticks == 999999991);
    latency_free(&latency);
}

static void a_chip_without_times(void **state)
{
    (void)state;
    two_cores(10);
    for (int figure = 0; figure < CHIP_FIGURES; figure++)
        rig.chip.figure[figure].given = false;
    struct latency latency = work_out();
    assert_true(!latency.known && latency.seconds == 0 && latency.busiest_core == UINT32_MAX);
    latency_free(&latency);
    assert_true(latency_per_tick(&rig.load, &rig.chip, NULL, NULL, &latency, NULL));
    assert_false(latency.known);
    /* The chip's own tick alone is a time. */
    rig_time(CHIP_TIME_TICK, 1e-3);
    latency = work_out();
    assert_true(latency.known && near(latency.seconds, 1e-2) && latency.real_time);
    assert_int_equal(latency.busiest_core, UINT32_MAX);
    latency_free(&latency);
    rig.chip.dense = true;
    latency = work_out();
    assert_false(latency.known);
    latency_free(&latency);
    rig.chip.dense = false;
    rig.load.ticks = 0;
    latency = work_out();
    assert_true(latency.known && latency.seconds == 0 && latency.ticks == 0);
    rig.load.has_spikes = false;
    latency_free(&latency);
    latency = work_out();
    assert_true(latency.known && latency.lower_bound && latency.seconds == 0);
    latency_free(&latency);
}

static void payloads(void **state)
{
    (void)state;
    rig_begin(1, 1, 1, 1, 1, 1);
    rig_population(2, (const uint32_t[]){0, 0});
    rig_route(0, 0, 0, 1, 0, 0);
    rig_fire(0, 0, 2, (const uint32_t[]){0, 1}, (const int32_t[]){-3, 5});
    rig_time(CHIP_TIME_SYNOP, 1);
    rig_time(CHIP_TIME_MESSAGE_OUT, 10);
    rig_time(CHIP_TIME_SPIKE, 100);
    assert_true(near(seconds(), 3 * 11 + 8 * 100));
    assert_false(rig.vectors);
    rig.chip.graded = true;
    assert_true(near(seconds(), 11 + 2 * 100));
    assert_true(rig.vectors);
    rig_time(CHIP_TIME_SYNOP_GRADED, 2);
    assert_true(near(seconds(), 12 + 2 * 100));
    /* All of payload 1: plain, unless they are coded. */
    rig.populations[0].spikes_total = rig.populations[0].active_total;
    assert_true(near(seconds(), 11 + 2 * 100));
    rig.populations[0].coding = (char *)"binary";
    assert_true(near(seconds(), 12 + 2 * 100));
}

static void damaged_traces(void **state)
{
    (void)state;
    struct latency latency;
    struct error error = {0};
    two_cores(10);
    rig_fire(5, 0, 1, (const uint32_t[]){0}, NULL);
    rig_fire(4, 0, 1, (const uint32_t[]){0}, NULL);
    assert_false(
        latency_per_tick(&rig.load, &rig.chip, &rig.placement, &rig.routes, &latency, &error));
    assert_non_null(strstr(error.text, "tick 4"));
    assert_int_equal(latency.busiest_core, UINT32_MAX);
    rig.volley_count = 1;
    rig.volleys[0].neurons[0] = 4;
    assert_false(
        latency_per_tick(&rig.load, &rig.chip, &rig.placement, &rig.routes, &latency, NULL));
    rig.volleys[0].neurons[0] = 3;
    rig.volleys[0].volley.population = 2;
    assert_false(
        latency_per_tick(&rig.load, &rig.chip, &rig.placement, &rig.routes, &latency, NULL));
    rig.volleys[0].volley.population = 0;
    rig.volleys[0].volley.tick = -1;
    assert_false(
        latency_per_tick(&rig.load, &rig.chip, &rig.placement, &rig.routes, &latency, NULL));
}

/* ---- language models ---- */

/* Populations of layers -1, 0, 1, 1 on a core each; a spike takes 1 s on its core, and every tick
 * a second more to synchronise. */
static void four_layers(uint64_t ticks)
{
    static const int32_t layers[] = {-1, 0, 1, 1};
    rig_begin(1, 4, 1, 1, 4, ticks);
    for (uint32_t p = 0; p < 4; p++) {
        rig_population(4, (const uint32_t[]){p, p, p, p});
        rig.populations[p].layer = layers[p];
        rig.populations[p].clocked = false;
    }
    rig.load.clocked = false;
    rig.load.positions = 2;
    rig_time(CHIP_TIME_SPIKE, 1);
    rig.chip.sync_count = 1;
    rig.chip.sync[0].seconds = 1;
}

static void stages_of_layers(void **state)
{
    (void)state;
    four_layers(20);
    rig_fire(2, 0, 1, (const uint32_t[]){0}, NULL);       /* 0 to 3: layer -1, 1 spike */
    rig_fire(4, 1, 3, (const uint32_t[]){0, 1, 2}, NULL); /* 4, 5: layer 0, 3 spikes */
    rig_fire(6, 1, 2, (const uint32_t[]){0, 1}, NULL);    /* 6 to 8: layer 1, 2 spikes; its own */
    rig_fire(6, 2, 1, (const uint32_t[]){3}, NULL);       /* spike waits for that of layer 0 */
    rig_fire(9, 3, 4, (const uint32_t[]){0, 1, 2, 3}, NULL); /* 9, 10: layer 1, 4 spikes */
    rig_fire(11, 0, 1, (const uint32_t[]){0}, NULL);         /* 11: layer -1, 1 spike */
    rig_fire(12, 1, 1, (const uint32_t[]){1}, NULL);         /* 12 to 19: layer 0, 1 spike */
    struct latency latency = work_out();
    assert_true(near(latency.seconds, 20 + 12) && near(latency.per_inference, 16));
    assert_int_equal(latency.stage_count, 3);
    static const int32_t layers[] = {-1, 0, 1};
    static const double expected[] = {(5 + 2) / 2.0, (10 + 4) / 2.0, (5 + 6) / 2.0};
    double sum = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(latency.stages[i].layer, layers[i]);
        assert_true(near(latency.stages[i].seconds, expected[i]));
        sum += latency.stages[i].seconds;
    }
    assert_true(near(sum, latency.per_inference) && near(latency.pipelined, 7));
    latency_free(&latency);
    assert_true(latency.stages == NULL && latency.stage_count == 0);
    /* With layers 0 and 1 the other way round, tick 6 belongs to the last layer still. */
    rig.populations[1].layer = 1;
    rig.populations[2].layer = 0;
    latency = work_out();
    assert_true(latency.stages[1].seconds == 0 && near(latency.stages[2].seconds, 12.5));
    latency_free(&latency);
    rig.populations[1].layer = 0;
    rig.populations[2].layer = 1;
    /* One layer is no pipeline, nor is a spiking network of layers. */
    rig.populations[1].spiking = false;
    latency = work_out();
    assert_true(latency.stages == NULL && latency.pipelined == 0);
    assert_true(near(latency.seconds, 20 + 12));
    latency_free(&latency);
    rig.populations[1].spiking = true;
    rig.load.clocked = true;
    latency = work_out();
    assert_true(latency.stages == NULL && near(latency.per_inference, 16));
    latency_free(&latency);
}

static void stages_without_spikes(void **state)
{
    (void)state;
    four_layers(20);
    rig.load.has_spikes = false;
    static const uint64_t ticks[] = {4, 6, 8, 2};
    for (uint32_t p = 0; p < 4; p++)
        rig.populations[p].tally.slots = 4 * ticks[p];
    struct latency latency = work_out();
    assert_true(latency.lower_bound && near(latency.seconds, 20));
    assert_int_equal(latency.stage_count, 3);
    assert_true(near(latency.stages[0].seconds, 2) && near(latency.stages[1].seconds, 3));
    assert_true(near(latency.stages[2].seconds, 5) && near(latency.pipelined, 5));
    latency_free(&latency);
}

/* ---- random runs against a plain model ---- */

static double given(enum chip_figure figure, double otherwise)
{
    return rig.chip.figure[figure].given ? rig.chip.figure[figure].value : otherwise;
}

static double way(uint32_t from, uint32_t to)
{
    const struct core *a = &rig.cores[from], *b = &rig.cores[to];
    uint32_t x = a->x, y = a->y;
    double time = 0;
    if (x == b->x && y == b->y)
        return given(CHIP_TIME_HOP_LOCAL, 0);
    while (x != b->x || y != b->y) {
        uint32_t chip_x = x / rig.chip.mesh.columns, chip_y = y / rig.chip.mesh.rows;
        enum chip_figure hop = x < b->x   ? (x++, CHIP_TIME_HOP_EAST)
                               : x > b->x ? (x--, CHIP_TIME_HOP_WEST)
                               : y < b->y ? (y++, CHIP_TIME_HOP_NORTH)
                                          : (y--, CHIP_TIME_HOP_SOUTH);
        time += given(hop, 0);
        if (x / rig.chip.mesh.columns != chip_x || y / rig.chip.mesh.rows != chip_y)
            time += given(CHIP_TIME_LINK, 0);
    }
    return time;
}

/* Adds a volley to each core's time and longest way. */
static void plain_volley(const struct load_volley *volley, double *time, double *longest)
{
    uint32_t p = volley->population;
    const struct load_population *own = &rig.populations[p];
    bool graded = rig.chip.graded && own->spikes_total != own->active_total;
    for (uint32_t i = 0; i < volley->length; i++) {
        uint32_t n = volley->neurons[i], from = rig.home[p][n];
        int payload = volley->payload != NULL ? abs(volley->payload[i]) : 1;
        for (int spike = 0; spike < (rig.chip.graded ? 1 : payload); spike++) {
            time[from] += own->input ? 0 : given(CHIP_TIME_SPIKE, 0);
            for (uint64_t r = rig.start[p][n]; r < rig.start[p][n + 1]; r++) {
                const struct route *route = &rig.route[p][r];
                time[from] += given(CHIP_TIME_MESSAGE_OUT, 0);
                time[route->core] += given(CHIP_TIME_MESSAGE_IN, 0);
                for (int kind = 0; kind < 3; kind++) {
                    double synop = given(CHIP_TIME_SYNOP_DENSE + kind, given(CHIP_TIME_SYNOP, 0));
                    if (graded)
                        synop = given(CHIP_TIME_SYNOP_GRADED, synop);
                    time[route->core] += route->synapses[kind] * synop;
                }
                longest[route->core] = fmax(longest[route->core], way(from, route->core));
            }
        }
    }
}

static double plain_seconds(double *slowest)
{
    double sum = 0;
    *slowest = 0;
    for (uint64_t tick = 0; tick < rig.load.ticks; tick++) {
        double time[RIG_CORES] = {0}, longest[RIG_CORES] = {0}, most = 0;
        for (uint32_t p = 0; p < rig.load.population_count; p++)
            for (uint32_t n = 0; n < rig.populations[p].neurons && !rig.populations[p].input; n++)
                time[rig.home[p][n]] +=
                    given(CHIP_TIME_NEURON_ACCESS, 0) + given(CHIP_TIME_NEURON_UPDATE, 0);
        for (uint32_t i = 0; i < rig.volley_count; i++)
            if (rig.volleys[i].volley.tick == (int64_t)tick)
                plain_volley(&rig.volleys[i].volley, time, longest);
        for (uint32_t core = 0; core < rig.placement.core_count; core++)
            most = fmax(most, time[core] + longest[core]);
        most = fmax(most + chip_sync(&rig.chip, rig.placement.tiles), given(CHIP_TIME_TICK, 0));
        *slowest = fmax(*slowest, most);
        sum += most;
    }
    return sum;
}

static void random_runs(void **state)
{
    (void)state;
    double closest = 0;
    for (uint64_t seed = 1; seed < 600; seed++) {
        rig_random_from(seed);
        uint32_t side = 1 + (uint32_t)rig_random(2), columns = 1 + (uint32_t)rig_random(3);
        uint32_t rows = 1 + (uint32_t)rig_random(3), per_tile = 1 + (uint32_t)rig_random(2);
        uint64_t ticks = 1 + rig_random(12);
        rig_begin(side, columns, rows, per_tile, side * side * columns * rows * per_tile, ticks);
        rig_random_load(ticks, rig_random(2) ? 1 : 5);
        rig_random_times();
        rig_time(CHIP_TIME_NEURON_ACCESS, 1e-9);
        rig.chip.graded = rig_random(3) == 0;
        rig.chip.sync_count = (uint32_t)rig_random(2);
        rig.chip.sync[0].seconds = 1e-8;
        if (rig_random(3) == 0)
            rig_time(CHIP_TIME_TICK, 1e-6);
        double slowest, expected = plain_seconds(&slowest);
        struct latency latency = work_out();
        assert_true(near(latency.seconds, expected) && near(latency.slowest_tick, slowest));
        latency_free(&latency);
        /* The mean tick never takes longer. */
        rig.load.has_spikes = false;
        latency = work_out();
        assert_true(latency.lower_bound && latency.ticks == (double)ticks);
        assert_true(latency.seconds <= expected * (1 + 1e-12) && latency.seconds > 0);
        assert_true(ticks > 1 || near(latency.seconds, expected));
        closest = fmax(closest, ticks > 1 ? latency.seconds / expected : 0);
        latency_free(&latency);
    }
    assert_true(closest > 0.9); /* and it is no idle bound */
}

/* Neurons that share their routes, against the same routes written out for each. */
static void shared_routes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 100; seed++) {
        rig_random_from(seed);
        rig_begin(1, 3, 3, 2, 18, 6);
        rig_random_load(6, 3);
        rig_random_times();
        rig_time(CHIP_TIME_NEURON_ACCESS, 1e-9);
        for (uint32_t p = 0; p < rig.load.population_count; p++) {
            uint64_t count = rig.start[p][1];
            for (uint32_t n = 0; n < rig.populations[p].neurons; n++) {
                memmove(&rig.route[p][n * count], rig.route[p], count * sizeof **rig.route);
                rig.start[p][n + 1] = (n + 1) * count;
            }
        }
        double apart[2], shared[2];
        for (int mean = 0; mean < 2; mean++) {
            rig.load.has_spikes = mean == 0;
            for (uint32_t p = 0; p < rig.load.population_count; p++)
                rig.own[p].shared = false;
            apart[mean] = seconds();
            for (uint32_t p = 0; p < rig.load.population_count; p++)
                rig.own[p].shared = true;
            shared[mean] = seconds();
            assert_true(near(shared[mean], apart[mean]));
        }
    }
}

/* Counts that were not kept for each neuron are taken as even. */
static void even_counts(void **state)
{
    (void)state;
    rig_begin(1, 1, 1, 1, 1, 10);
    rig_population(4, (const uint32_t[]){0, 0, 0, 0});
    rig.populations[0].active = NULL;
    rig.populations[0].spikes = NULL;
    rig.populations[0].active_total = 6;
    rig.populations[0].spikes_total = 12;
    rig.load.has_spikes = false;
    rig_time(CHIP_TIME_SPIKE, 1);
    assert_true(near(seconds(), 12));
    rig.chip.graded = true;
    assert_true(near(seconds(), 6));
}

/* SANA-FE's example of four neurons (two inputs) on its example chip, at Volley's definition. Its
 * own simple model, in which the longer of generation and processing counts, gives 833 ns, of
 * which updates take 196 ns. */
static void example_network(void **state)
{
    (void)state;
    rig_begin(1, 2, 1, 4, 8, 100);
    rig.placement.tiles = 1;
    rig_population(2, (const uint32_t[]){0, 1});
    rig_population(2, (const uint32_t[]){0, 0});
    rig.populations[0].input = true;
    rig_route(0, 0, 0, 2, 0, 0);
    rig_route(0, 1, 0, 2, 0, 0);
    rig_route(1, 1, 0, 1, 0, 0);
    rig_fire(0, 0, 1, (const uint32_t[]){1}, NULL);
    rig_fire(1, 1, 1, (const uint32_t[]){1}, NULL);
    rig_fire(2, 0, 1, (const uint32_t[]){1}, NULL);
    rig_time(CHIP_TIME_SYNOP, 3e-9);
    rig_time(CHIP_TIME_NEURON_ACCESS, 3e-9);
    rig_time(CHIP_TIME_SPIKE, 30e-9);
    rig_time(CHIP_TIME_MESSAGE_OUT, 5e-9);
    /* 6 + 6, 36 + 5 + 3, 6 + 6, then 6 each. */
    assert_true(near(seconds(), (12 + 44 + 12 + 97 * 6) * 1e-9));
    rig.updates[1][0] = rig.updates[1][1] = 99;
    rig.populations[1].updates = rig.updates[1];
    rig_time(CHIP_TIME_NEURON_UPDATE, 1e-9);
    assert_true(near(seconds(), (12 + 44 + 12 + 97 * 6 + 198) * 1e-9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tick_term_by_term),
        cmocka_unit_test(of_equal_cores_the_first_is_the_busiest),
        cmocka_unit_test(ways_back),
        cmocka_unit_test(synapse_kinds_have_times_of_their_own),
        cmocka_unit_test(inputs_and_ports),
        cmocka_unit_test(updates_are_spread_over_the_ticks),
        cmocka_unit_test(sync_by_tiles),
        cmocka_unit_test(empty_ticks_are_counted_at_once),
        cmocka_unit_test(a_chip_without_times),
        cmocka_unit_test(payloads),
        cmocka_unit_test(damaged_traces),
        cmocka_unit_test(stages_of_layers),
        cmocka_unit_test(stages_without_spikes),
        cmocka_unit_test(random_runs),
        cmocka_unit_test(shared_routes),
        cmocka_unit_test(even_counts),
        cmocka_unit_test(example_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
