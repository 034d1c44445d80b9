/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Estimates of real runs against SANA-FE, the closest peer (github.com/SLAM-Lab/SANA-FE, commit
 * 8951ab07). Two ways:
 *
 *   what it prints   the figures of its own program for the same network, placement and chip, to
 *                    all 7 digits that it gives;
 *   its rules        a plain program that follows each neuron and each synapse, one by one, and
 *                    counts what the peer counts: a neuron is updated where its potential or its
 *                    bias is not 0 or anything reached it; a spike is one message to every core
 *                    that it has a synapse on; a message travels |x - x'| + |y - y'| tiles.
 *
 * And what must add up in any estimate, on each of them.
 */
#include "tests/validation_rig.h"

enum { DENSE = SYNAPSES_DENSE, SPARSE = SYNAPSES_SPARSE, CONVOLUTION = SYNAPSES_CONVOLUTION };

/* ---- the plain program ---- */

enum { PLAIN_NEURONS = 200, PLAIN_EDGES = 8192, PLAIN_FED = 4096, PLAIN_CORES = 128 };

struct plain_edge {
    uint32_t source, target;
    int kind;
    double weight;
};

/* Neurons of all populations in one row, which fire above `threshold` and are then 0. */
struct plain {
    uint32_t neurons, edges, fed;
    double threshold[PLAIN_NEURONS]; /* NAN: an input */
    double bias[PLAIN_NEURONS];
    uint32_t core[PLAIN_NEURONS];
    struct plain_edge edge[PLAIN_EDGES];
    struct timed_spike spike[PLAIN_FED]; /* of inputs */
    /* The mesh of a chip, and how many chips stand side by side. */
    int columns, rows, tile_cores, side;
    bool by_row;
};

struct plain_counts {
    double accesses, updates, fired, fed, messages, synops[3], local, east, west, north, south,
        links;
};

struct plain_place {
    int x, y, chip_x, chip_y;
};

static struct plain_place plain_place(const struct plain *plain, uint32_t core)
{
    int tile = (int)core / plain->tile_cores, tiles = plain->columns * plain->rows;
    int chip = tile / tiles, own = tile % tiles;
    struct plain_place place = {.chip_x = chip % plain->side, .chip_y = chip / plain->side};
    place.x =
        plain->columns * place.chip_x + (plain->by_row ? own % plain->columns : own / plain->rows);
    place.y =
        plain->rows * place.chip_y + (plain->by_row ? own / plain->columns : own % plain->rows);
    return place;
}

static void plain_send(const struct plain *plain, uint32_t source, double *arriving, bool *touched,
                       struct plain_counts *counts)
{
    bool reached[PLAIN_CORES] = {false};
    for (uint32_t e = 0; e < plain->edges; e++) {
        const struct plain_edge *edge = &plain->edge[e];
        if (edge->source != source)
            continue;
        arriving[edge->target] += edge->weight;
        touched[edge->target] = true;
        counts->synops[edge->kind]++;
        reached[plain->core[edge->target]] = true;
    }
    struct plain_place from = plain_place(plain, plain->core[source]);
    for (uint32_t core = 0; core < PLAIN_CORES; core++) {
        if (!reached[core])
            continue;
        struct plain_place to = plain_place(plain, core);
        int x = to.x - from.x, y = to.y - from.y;
        counts->messages++;
        counts->local += x == 0 && y == 0;
        counts->links += abs(to.chip_x - from.chip_x) + abs(to.chip_y - from.chip_y);
        *(x > 0 ? &counts->east : &counts->west) += abs(x);
        *(y > 0 ? &counts->north : &counts->south) += abs(y);
    }
}

static struct plain_counts plain_run(const struct plain *plain, int64_t ticks)
{
    struct plain_counts counts = {0};
    double v[PLAIN_NEURONS] = {0}, arrived[PLAIN_NEURONS] = {0};
    bool touched[PLAIN_NEURONS] = {false};
    for (int64_t tick = 0; tick < ticks; tick++) {
        double arriving[PLAIN_NEURONS] = {0};
        bool touching[PLAIN_NEURONS] = {false};
        for (uint32_t n = 0; n < plain->neurons; n++) {
            if (isnan(plain->threshold[n]))
                continue;
            counts.accesses++;
            counts.updates += v[n] != 0 || touched[n] || plain->bias[n] != 0;
            v[n] += plain->bias[n] + arrived[n];
            if (!(v[n] > plain->threshold[n]))
                continue;
            v[n] = 0;
            counts.fired++;
            plain_send(plain, n, arriving, touching, &counts);
        }
        for (uint32_t s = 0; s < plain->fed; s++)
            if (plain->spike[s].tick == tick) {
                counts.fed++;
                plain_send(plain, plain->spike[s].neuron, arriving, touching, &counts);
            }
        memcpy(arrived, arriving, sizeof arrived);
        memcpy(touched, touching, sizeof touched);
    }
    return counts;
}

static uint32_t plain_add(struct plain *plain, uint32_t count, double threshold)
{
    for (uint32_t i = 0; i < count; i++)
        plain->threshold[plain->neurons + i] = threshold;
    plain->neurons += count;
    return plain->neurons - count;
}

static void plain_edge(struct plain *plain, uint32_t source, uint32_t target, double weight,
                       int kind)
{
    assert_true(plain->edges < PLAIN_EDGES);
    plain->edge[plain->edges++] = (struct plain_edge){source, target, kind, weight};
}

/* ---- a pair of both: the blueprint and what the plain program follows ---- */

struct pair {
    struct blueprint *blueprint;
    struct plain *plain;
    uint32_t first[8]; /* plain number of each population's neuron 0 */
};

static struct pair pair_new(const char *name, int columns, int rows)
{
    struct pair pair = {rig_blueprint(name), calloc(1, sizeof *pair.plain), {0}};
    assert_non_null(pair.plain);
    pair.plain->columns = columns;
    pair.plain->rows = rows;
    pair.plain->tile_cores = 4;
    pair.plain->side = 1;
    return pair;
}

static void pair_population(struct pair *pair, const char *name, uint32_t neurons, double threshold)
{
    uint32_t id = rig_population(pair->blueprint, name, neurons, threshold);
    pair->first[id] = plain_add(pair->plain, neurons, threshold);
}

static void pair_bias(struct pair *pair, uint32_t population, uint32_t neuron, double bias)
{
    struct blueprint_population *p = &pair->blueprint->populations[population];
    if (p->drive[0] == NULL)
        p->drive[0] = calloc(p->neurons, sizeof *p->drive[0]);
    assert_non_null(p->drive[0]);
    p->drive[0][neuron] = bias;
    pair->plain->bias[pair->first[population] + neuron] = bias;
}

static void pair_place(struct pair *pair, uint32_t population, uint32_t first, uint32_t count,
                       uint32_t core)
{
    rig_place(pair->blueprint, population, first, count, core);
    for (uint32_t i = 0; i < count; i++)
        pair->plain->core[pair->first[population] + first + i] = core;
}

/* `spikes` are copied; of one population only. */
static void pair_feed(struct pair *pair, uint32_t population, const struct timed_spike *spikes,
                      uint32_t count)
{
    struct timed_spike *own = malloc(count * sizeof *own);
    assert_non_null(own);
    memcpy(own, spikes, count * sizeof *own);
    rig_feed(pair->blueprint, population, own, count);
    assert_true(count <= PLAIN_FED);
    for (uint32_t s = 0; s < count; s++) {
        pair->plain->spike[s] = spikes[s];
        pair->plain->spike[s].neuron += pair->first[population];
    }
    pair->plain->fed = count;
}

/* weight(target, source) of every pair. */
static void pair_dense(struct pair *pair, uint32_t source, uint32_t target,
                       double (*weight)(uint32_t, uint32_t))
{
    struct blueprint_projection *p =
        rig_projection(pair->blueprint, "dense", source, target, LINK_DENSE);
    uint32_t sources = pair->blueprint->populations[source].neurons;
    uint32_t targets = pair->blueprint->populations[target].neurons;
    double *weights = rig_weights(p, (uint64_t)sources * targets);
    for (uint32_t t = 0; t < targets; t++)
        for (uint32_t s = 0; s < sources; s++) {
            weights[(size_t)t * sources + s] = weight(t, s);
            plain_edge(pair->plain, pair->first[source] + s, pair->first[target] + t, weight(t, s),
                       DENSE);
        }
}

/* weight(source, target) where that is not 0. */
static void pair_lists(struct pair *pair, uint32_t source, uint32_t target,
                       double (*weight)(uint32_t, uint32_t))
{
    struct blueprint_projection *p =
        rig_projection(pair->blueprint, "lists", source, target, LINK_LISTS);
    uint32_t sources = pair->blueprint->populations[source].neurons;
    uint32_t targets = pair->blueprint->populations[target].neurons;
    double *weights = rig_weights(p, (uint64_t)sources * targets);
    p->sources = calloc((size_t)sources * targets, sizeof *p->sources);
    p->targets = calloc((size_t)sources * targets, sizeof *p->targets);
    assert_true(p->sources != NULL && p->targets != NULL);
    for (uint32_t s = 0; s < sources; s++)
        for (uint32_t t = 0; t < targets; t++) {
            if (weight(s, t) == 0)
                continue;
            p->sources[p->synapses] = s;
            p->targets[p->synapses] = t;
            weights[p->synapses++] = weight(s, t);
            plain_edge(pair->plain, pair->first[source] + s, pair->first[target] + t, weight(s, t),
                       SPARSE);
        }
}

/* ---- what must add up ---- */

static void rows_add_up(const struct estimate *estimate)
{
    double total = 0, charged = 0;
    for (int term = 0; term < TERMS; term++) {
        double sum = 0;
        for (uint32_t r = 0; r < estimate->row_count; r++)
            sum += estimate->rows[r].joules[term];
        rig_same_count(energy_term_names[term], estimate->joules[term], sum);
        total += sum;
    }
    rig_same_count("total", estimate->total, total);
    for (int c = 0; c < CHIP_FIGURES; c++)
        if (estimate->chip->figure[c].given && c != CHIP_POWER_PLATFORM)
            charged += estimate->events[c] * estimate->chip->figure[c].value;
    rig_near("events x coefficients", charged, total, 1e-12);
}

/* Synops of every projection: as counted in the run; from the spikes of each neuron and its
 * fan-out; and from where these synapses lie. */
static double synops_three_ways(const struct load *load)
{
    double all = 0;
    for (uint32_t i = 0; i < load->projection_count; i++) {
        const struct load_projection *p = &load->projections[i];
        const struct load_population *source = &load->populations[p->source];
        struct reach_entry entries[PLAIN_NEURONS];
        double by_fan_out = 0, by_reach = 0;
        for (uint32_t n = 0; n < source->neurons; n++) {
            double spikes = (double)source->spikes[n];
            uint32_t all_of_them = load->populations[p->target].neurons;
            uint32_t count = p->reach != NULL ? reach_row(p->reach, n, entries) : 0;
            if (p->fan_out != NULL)
                by_fan_out += spikes * p->fan_out[n];
            if (p->reach == NULL)
                by_reach += spikes * all_of_them;
            for (uint32_t e = 0; e < count; e++)
                by_reach += spikes * entries[e].synapses;
        }
        if (p->fan_out != NULL)
            rig_same_count("synops by fan-out", by_fan_out, (double)p->synops);
        rig_same_count("synops by reach", by_reach, (double)p->synops);
        all += (double)p->synops;
    }
    return all;
}

static void traffic_adds_up(const struct load *load, const struct estimate *estimate)
{
    const struct estimate_events events = rig_events(estimate);
    struct core_traffic *cores = calloc(estimate->placement->core_count, sizeof *cores);
    assert_non_null(cores);
    routes_traffic(load, estimate->chip, estimate->placement, estimate->routes, NULL, cores);
    double out = 0, in = 0, synops = 0;
    for (uint32_t c = 0; c < estimate->placement->core_count; c++) {
        out += cores[c].out;
        in += cores[c].in;
        synops += cores[c].synops;
    }
    free(cores);
    rig_same_count("messages leaving", out, events.traffic.messages);
    rig_same_count("messages arriving", in, events.traffic.messages);
    rig_near("synops of cores", synops, synops_three_ways(load), 1e-6);
    rig_same_count("synops of rows", events.synops[0] + events.synops[1] + events.synops[2],
                   synops_three_ways(load));
}

/* ---- comparing ---- */

static void same_counts(const struct estimate *estimate, const struct plain_counts *plain)
{
    const struct estimate_events events = rig_events(estimate);
    rig_same_count("accesses", events.accesses, plain->accesses);
    rig_same_count("updates", events.updates, plain->updates);
    rig_same_count("spikes", events.spikes, plain->fired);
    rig_same_count("messages", events.traffic.messages, plain->messages);
    for (int kind = 0; kind < 3; kind++)
        rig_same_count("synops", events.synops[kind], plain->synops[kind]);
    rig_same_count("messages within a tile", events.traffic.hops_local, plain->local);
    rig_same_count("hops east", events.traffic.hops_east, plain->east);
    rig_same_count("hops west", events.traffic.hops_west, plain->west);
    rig_same_count("hops north", events.traffic.hops_north, plain->north);
    rig_same_count("hops south", events.traffic.hops_south, plain->south);
    rig_same_count("links", events.traffic.links, plain->links);
}

/* The peer's three terms. */
struct peer_joules {
    double synapse, soma, network;
};

static struct peer_joules peer_terms(const struct estimate *estimate)
{
    const double *joules = estimate->joules;
    return (struct peer_joules){joules[TERM_SYNOP], joules[TERM_NEURON] + joules[TERM_SPIKE],
                                joules[TERM_MESSAGE] + joules[TERM_HOP]};
}

static void same_printed(const struct estimate *estimate, const char *synapse, const char *soma,
                         const char *network, const char *total)
{
    const struct peer_joules joules = peer_terms(estimate);
    rig_same_digits("synapse", joules.synapse, synapse);
    rig_same_digits("soma", joules.soma, soma);
    rig_same_digits("network", joules.network, network);
    rig_same_digits("total", estimate->total, total);
}

static void same_joules(const struct estimate *estimate, const struct peer_joules *expected)
{
    const struct peer_joules joules = peer_terms(estimate);
    rig_near("synapse", joules.synapse, expected->synapse, 1e-12);
    rig_near("soma", joules.soma, expected->soma, 1e-12);
    rig_near("network", joules.network, expected->network, 1e-12);
}

/* ---- its first example: example_snn on example_chip, 100 steps ---- */

enum { IN, OUT };

static double toy_weight(uint32_t target, uint32_t source)
{
    static const double weights[2][2] = {{-1, 1}, {2, 3}};
    return weights[target][source];
}

static double toy_loop(uint32_t source, uint32_t target)
{
    return source == 1 && target == 1 ? -4 : 0;
}

static struct pair toy_pair(void)
{
    static const struct timed_spike spikes[] = {{0, 1, 1}, {2, 1, 1}};
    struct pair pair = pair_new("toy", 2, 1);
    pair_population(&pair, "in", 2, NAN);
    pair_population(&pair, "out", 2, 2);
    pair_feed(&pair, IN, spikes, 2);
    pair_dense(&pair, IN, OUT, toy_weight);
    pair_lists(&pair, OUT, OUT, toy_loop);
    pair_place(&pair, IN, 0, 1, 0);
    pair_place(&pair, IN, 1, 1, 1);
    pair_place(&pair, OUT, 0, 2, 0);
    return pair;
}

static void first_example_of_the_peer(void **state)
{
    (void)state;
    struct pair pair = toy_pair();
    const struct plain_counts counts = plain_run(pair.plain, 100);
    /* By hand: in.1 fires twice, out.1 once; each out is updated from its second step on. */
    rig_same_count("updates by hand", counts.updates, 198);
    rig_same_count("messages by hand", counts.messages, 3);
    for (int level = TRACE_SUMMARY; level <= TRACE_SPIKE; level++) {
        struct pair run = toy_pair();
        struct load *load = rig_load(
            run.blueprint,
            (struct rig_run){.ticks = 100, .level = (enum trace_level)level, .updates = true});
        struct chip *chip = rig_example_chip();
        struct estimate *estimate =
            rig_estimate(load, chip, (struct estimate_options){.method = PLACEMENT_EXPLICIT});
        same_counts(estimate, &counts);
        same_printed(estimate, "1.000000e-10", "6.040000e-09", "3.000000e-10", "6.440000e-09");
        rig_same_count("cores", estimate->placement->core_count, 2);
        rig_same_count("tiles", estimate->placement->tiles, 1);
        rows_add_up(estimate);
        traffic_adds_up(load, estimate);
        estimate_free(estimate);
        chip_free(chip);
        load_free(load);
        free(run.plain);
    }
    blueprint_free(pair.blueprint);
    free(pair.plain);
}

/* ---- a mosaic: convolution, dense and sparse synapses on eight cores of seven tiles ----
 *
 * Two projections of the hidden layer, and two of the maps, end on one core: one message. */

enum { IMAGE, MAPS, HIDDEN, LAST, PACE };
enum { SIDE = 6, KERNEL = 3, MAP = 4, FED_TICKS = 48, MOSAIC_TICKS = 60 };

static uint32_t scramble(uint32_t i)
{
    i += 0x9e3779b9;
    i = (i ^ i >> 16) * 0x85ebca6b;
    i = (i ^ i >> 13) * 0xc2b2ae35;
    return i ^ i >> 16;
}

/* What lowers a potential is a whole number and 1/64, so that no inputs ever cancel out: the peer
 * also counts a neuron as updated where they do. */
static double kernel_weight(uint32_t out, uint32_t in, uint32_t y, uint32_t x)
{
    uint32_t i = ((out * 2 + in) * KERNEL + y) * KERNEL + x;
    return scramble(0x20000 + i) % 4 == 0 ? -1 - 1 / 64.0 : 2 + scramble(0x21000 + i) % 3;
}

static double hidden_weight(uint32_t target, uint32_t source)
{
    uint32_t i = target * 64 + source;
    return scramble(0x30000 + i) % 3 == 0 ? -2 - 1 / 64.0 : 3 + scramble(0x31000 + i) % 3;
}

static double lateral_weight(uint32_t target, uint32_t source)
{
    return -1 - (double)(scramble(0x40000 + target * 24 + source) % 2) - 1 / 64.0;
}

static double pace_weight(uint32_t target, uint32_t source)
{
    (void)target, (void)source;
    return 4;
}

static double last_weight(uint32_t source, uint32_t target)
{
    return scramble(0x50000 + source * 5 + target) % 3 == 0 ? 3 + target % 2 : 0;
}

static double shortcut_weight(uint32_t source, uint32_t target)
{
    return scramble(0x60000 + source * 5 + target) % 5 == 0;
}

static double brake_weight(uint32_t source, uint32_t target)
{
    return (source + target) % 2 == 0 ? -1 - 1 / 64.0 : 0;
}

static void mosaic_kernels(struct pair *pair)
{
    struct blueprint_projection *p =
        rig_projection(pair->blueprint, "kernels", IMAGE, MAPS, LINK_CONVOLUTION);
    p->shape = (struct convolution_shape){.in_channels = 2,
                                          .in_height = SIDE,
                                          .in_width = SIDE,
                                          .out_channels = MAP,
                                          .kernel_height = KERNEL,
                                          .kernel_width = KERNEL,
                                          .stride_y = 1,
                                          .stride_x = 1,
                                          .dilation_y = 1,
                                          .dilation_x = 1,
                                          .groups = 1};
    double *weights = rig_weights(p, MAP * 2 * KERNEL * KERNEL);
    for (uint32_t k = 0; k < MAP * 2 * KERNEL * KERNEL; k++) {
        uint32_t out = k / (2 * KERNEL * KERNEL), in = k / (KERNEL * KERNEL) % 2;
        uint32_t ky = k / KERNEL % KERNEL, kx = k % KERNEL;
        weights[k] = kernel_weight(out, in, ky, kx);
        for (uint32_t y = 0; y < MAP; y++)
            for (uint32_t x = 0; x < MAP; x++)
                plain_edge(pair->plain, pair->first[IMAGE] + (in * SIDE + y + ky) * SIDE + x + kx,
                           pair->first[MAPS] + (out * MAP + y) * MAP + x, weights[k], CONVOLUTION);
    }
}

static void mosaic_feed(struct pair *pair)
{
    struct timed_spike spikes[PLAIN_FED];
    uint32_t count = 0;
    for (uint32_t tick = 0; tick < FED_TICKS; tick++)
        for (uint32_t n = 0; n < 2 * SIDE * SIDE; n++)
            if (scramble(0x10000 + 64 * n + tick) % 6 == 0)
                spikes[count++] = (struct timed_spike){tick, n, 1};
    pair_feed(pair, IMAGE, spikes, count);
}

static void mosaic_places(struct pair *pair)
{
    static const uint32_t places[][4] = {
        {IMAGE, 0, 36, 0},  {IMAGE, 36, 36, 127}, {MAPS, 0, 16, 21},   {MAPS, 16, 16, 22},
        {MAPS, 32, 16, 50}, {MAPS, 48, 16, 79},   {HIDDEN, 0, 12, 21}, {HIDDEN, 12, 12, 100},
        {LAST, 0, 5, 100},  {PACE, 0, 6, 90},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        pair_place(pair, places[i][0], places[i][1], places[i][2], places[i][3]);
}

static struct pair mosaic_pair(void)
{
    struct pair pair = pair_new("mosaic", 8, 4);
    pair_population(&pair, "image", 2 * SIDE * SIDE, NAN);
    pair_population(&pair, "maps", MAP * MAP * MAP, 12);
    pair_population(&pair, "hidden", 24, 60);
    pair_population(&pair, "last", 5, 12);
    pair_population(&pair, "pace", 6, 3);
    for (uint32_t i = 0; i < MAP * MAP * MAP; i += 3)
        pair_bias(&pair, MAPS, i, 1);
    for (uint32_t i = 0; i < 6; i++)
        pair_bias(&pair, PACE, i, 2);
    mosaic_feed(&pair);
    mosaic_kernels(&pair);
    pair_dense(&pair, MAPS, HIDDEN, hidden_weight);
    pair_dense(&pair, HIDDEN, HIDDEN, lateral_weight);
    pair_dense(&pair, PACE, HIDDEN, pace_weight);
    pair_lists(&pair, HIDDEN, LAST, last_weight);
    pair_lists(&pair, MAPS, LAST, shortcut_weight);
    pair_lists(&pair, LAST, PACE, brake_weight);
    mosaic_places(&pair);
    return pair;
}

static struct load *mosaic_load(enum trace_level level)
{
    struct pair pair = mosaic_pair();
    free(pair.plain);
    return rig_load(pair.blueprint,
                    (struct rig_run){.ticks = MOSAIC_TICKS, .level = level, .updates = true});
}

static void mosaic_against_what_the_peer_prints(void **state)
{
    (void)state;
    struct pair pair = mosaic_pair();
    const struct plain_counts counts = plain_run(pair.plain, MOSAIC_TICKS);
    /* The peer prints 2495 fired and 6146 updated, inputs that fire included. */
    rig_same_count("fired", counts.fired + counts.fed, 2495);
    rig_same_count("updated", counts.updates + counts.fed, 6146);
    rig_same_count("messages", counts.messages, 5978);
    rig_same_count("synops", counts.synops[0] + counts.synops[1] + counts.synops[2], 53771);
    struct load *load = mosaic_load(TRACE_SPIKE);
    struct chip *chip = rig_chip("loihi-sanafe");
    struct estimate *estimate =
        rig_estimate(load, chip, (struct estimate_options){.method = PLACEMENT_EXPLICIT});
    same_counts(estimate, &counts);
    same_printed(estimate, "1.799945e-06", "5.572449e-07", "7.373034e-07", "3.094493e-06");
    const struct peer_joules expected = {
        35.5e-12 * counts.synops[DENSE] + 33.6e-12 * counts.synops[SPARSE] +
            24e-12 * counts.synops[CONVOLUTION],
        51.2e-12 * counts.accesses + 21.6e-12 * counts.updates + 69.3e-12 * counts.fired,
        111e-12 * counts.messages + 3e-12 * (counts.east + counts.west) +
            4.2e-12 * (counts.north + counts.south)};
    same_joules(estimate, &expected);
    rig_same_count("cores", estimate->placement->core_count, 8);
    rig_same_count("tiles", estimate->placement->tiles, 7);
    rows_add_up(estimate);
    traffic_adds_up(load, estimate);
    estimate_free(estimate);
    chip_free(chip);
    load_free(load);
    blueprint_free(pair.blueprint);
    free(pair.plain);
}

/* Each direction at a price of its own: on the same mesh, numbered row by row, and on eight small
 * chips in a square of three by three. */
static void mosaic_on_other_meshes(void **state)
{
    (void)state;
    static const char *const prices[] = {"energy.hop_east=1pJ", "energy.hop_west=10pJ",
                                         "energy.hop_north=100pJ", "energy.hop_south=1000pJ",
                                         "energy.link_bit=1uJ"};
    static const struct {
        int columns, rows, side;
        bool by_row;
    } meshes[] = {{8, 4, 1, false}, {8, 4, 1, true}, {2, 2, 3, false}, {4, 1, 3, true}};
    struct error error = {0};
    struct pair pair = mosaic_pair();
    struct load *load = mosaic_load(TRACE_SUMMARY);
    for (size_t m = 0; m < sizeof meshes / sizeof *meshes; m++) {
        struct chip *chip = rig_chip("loihi-sanafe");
        for (size_t i = 0; i < sizeof prices / sizeof *prices; i++)
            must(chip_change(chip, prices[i], &error), &error);
        pair.plain->columns = meshes[m].columns;
        pair.plain->rows = meshes[m].rows;
        pair.plain->side = meshes[m].side;
        pair.plain->by_row = meshes[m].by_row;
        chip->mesh.columns = (uint32_t)meshes[m].columns;
        chip->mesh.rows = (uint32_t)meshes[m].rows;
        chip->mesh.column_major = !meshes[m].by_row;
        const struct plain_counts counts = plain_run(pair.plain, MOSAIC_TICKS);
        struct estimate *estimate =
            rig_estimate(load, chip, (struct estimate_options){.method = PLACEMENT_EXPLICIT});
        same_counts(estimate, &counts);
        rig_near("hops", estimate->joules[TERM_HOP],
                 1e-12 *
                     (counts.east + 10 * counts.west + 100 * counts.north + 1000 * counts.south),
                 1e-12);
        rig_near("links", estimate->joules[TERM_LINK], 1e-6 * 32 * counts.links, 1e-12);
        rows_add_up(estimate);
        traffic_adds_up(load, estimate);
        estimate_free(estimate);
        chip_free(chip);
    }
    load_free(load);
    blueprint_free(pair.blueprint);
    free(pair.plain);
}

/* Whatever the placement: who is where changes hops only, and nothing is lost. */
static void every_placement_adds_up(void **state)
{
    (void)state;
    static const char *const chips[] = {"loihi-sanafe", "loihi", NULL};
    struct load *load = mosaic_load(TRACE_SPIKE);
    for (size_t c = 0; c < sizeof chips / sizeof *chips; c++) {
        struct chip *chip = chips[c] != NULL ? rig_chip(chips[c]) : rig_example_chip();
        for (int method = PLACEMENT_IN_ORDER; method <= PLACEMENT_ANNEALED; method++) {
            struct estimate *estimate = rig_estimate(
                load, chip,
                (struct estimate_options){.method = (enum placement_method)method, .seed = 3});
            rows_add_up(estimate);
            traffic_adds_up(load, estimate);
            estimate_free(estimate);
        }
        chip_free(chip);
    }
    load_free(load);
}

static int remove_trace(void **state)
{
    (void)state;
    unlink(rig_path());
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_example_of_the_peer),
        cmocka_unit_test(mosaic_against_what_the_peer_prints),
        cmocka_unit_test(mosaic_on_other_meshes),
        cmocka_unit_test(every_placement_adds_up),
    };
    return cmocka_run_group_tests_name("validation", tests, NULL, remove_trace);
}
