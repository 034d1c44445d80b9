/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From a network on paper to its spikes: the recordings that frameworks made of one NIR file; every
 * kind of link against the synapses it stands for, written out here one by one; delays, loops
 * and chains without delay; and the same bits for everything that must not matter.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "neurons/build.h"
#include "neurons/expand.h"
#include "neurons/import/nir/framework.h"
#include "neurons/import/nir/nir.h"
#include "neurons/models/cell_models.h"

static const double DT = 0x1p-10;

static uint64_t random_state;

static double random_number(double low, double high)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return low + (high - low) * (double)(random_state >> 11) * 0x1p-53;
}

static uint32_t random_index(uint32_t length)
{
    return (uint32_t)random_number(0, length);
}

/* A whole number of 1/16 from -2 to 2, so that sums of its multiples are exact; some are 0. */
static double random_weight(void)
{
    return ((double)random_index(65) - 32) / 16;
}

static void *taken(size_t length, size_t element)
{
    void *memory = calloc(length > 0 ? length : 1, element);
    assert_non_null(memory);
    return memory;
}

static void must(bool done, const struct error *error)
{
    if (!done)
        fail_msg("%s", error->text);
}

/* ---- blueprints by hand ---- */

static struct blueprint *blueprint_made(enum spike_area area)
{
    struct blueprint *blueprint = blueprint_new("test");
    assert_non_null(blueprint);
    blueprint->rules.dt = DT;
    blueprint->rules.area = area;
    blueprint->rules.seed = 5;
    return blueprint;
}

static uint32_t add_population(struct blueprint *blueprint, const char *name,
                               const struct cell_model *model, uint32_t neurons)
{
    struct error error = {0};
    struct blueprint_population *p = blueprint_add_population(blueprint, name, &error);
    must(p != NULL, &error);
    p->model = model;
    p->neurons = neurons;
    return blueprint->population_count - 1;
}

static void set(struct blueprint *blueprint, uint32_t population, const char *name, double value)
{
    struct blueprint_population *p = &blueprint->populations[population];
    int at = cell_model_parameter(p->model, name);
    assert_true(at >= 0);
    p->parameter[at] = (struct quantity){.kind = QUANTITY_CONSTANT, .constant = value};
}

static struct blueprint_projection *add_link(struct blueprint *blueprint, const char *name,
                                             uint32_t source, uint32_t target, enum link_kind kind)
{
    struct error error = {0};
    struct blueprint_projection *p = blueprint_add_projection(blueprint, name, &error);
    must(p != NULL, &error);
    p->source = source;
    p->target = target;
    p->kind = kind;
    p->same = 1;
    p->scale = 1;
    p->delay = DT;
    return p;
}

static struct distribution drawn(enum distribution_kind kind, double a, double b)
{
    return (struct distribution){.kind = kind, .a = a, .b = b, .low = -INFINITY, .high = INFINITY};
}

static struct blueprint_projection *add_rule(struct blueprint *blueprint, const char *name,
                                             uint32_t source, uint32_t target,
                                             enum connection_rule rule, double weight, double delay)
{
    struct blueprint_projection *p = add_link(blueprint, name, source, target, LINK_RULE);
    p->connection = (struct connection){
        .rule = rule,
        .to_itself = true,
        .source_count = blueprint->populations[source].neurons,
        .target_count = blueprint->populations[target].neurons,
        .scale = 1,
        .weight = drawn(DISTRIBUTION_CONSTANT, weight, 0),
        .delay = drawn(DISTRIBUTION_CONSTANT, delay, 0)};
    return p;
}

/* ---- running them ---- */

struct fired {
    int64_t tick;
    uint32_t population, neuron;
    int32_t payload;
};

struct run {
    struct network *network;
    struct workers *workers;
    struct fired *fired; /* [count] */
    size_t count, room;
    int64_t tick; /* next to be run */
};

static bool note(void *self, const struct firing *firing, struct error *error)
{
    (void)error;
    struct run *run = self;
    if (run->count + firing->spike_count > run->room) {
        run->room = 2 * run->room + firing->spike_count + 1024;
        run->fired = realloc(run->fired, run->room * sizeof *run->fired);
        assert_non_null(run->fired);
    }
    for (uint32_t i = 0; i < firing->spike_count; i++)
        run->fired[run->count++] =
            (struct fired){firing->tick, firing->population->id, firing->spikes[i].neuron,
                           firing->spikes[i].payload};
    return true;
}

/* How to run; zero is the plainest way. */
struct way {
    uint32_t threads;
    const struct kernels *kernels;
    enum update_rule updates;
    bool shows; /* inputs put out values */
};

static struct run run_begin(const struct blueprint *blueprint, struct way way)
{
    struct run run = {0};
    struct error error = {0};
    run.workers = workers_new(way.threads > 0 ? way.threads : 1, &error);
    must(run.workers != NULL, &error);
    struct build_options options = {.updates = way.updates, .inputs_show = way.shows,
                                    .workers = run.workers};
    run.network = blueprint_build(blueprint, &options, &error);
    must(run.network != NULL, &error);
    run.network->workers = run.workers;
    if (way.kernels != NULL)
        run.network->kernels = way.kernels;
    must(network_seal(run.network, &error), &error);
    return run;
}

static void run_ticks(struct run *run, int64_t ticks)
{
    struct error error = {0};
    if (run->tick == 0)
        must(network_observe(run->network, (struct observer){.self = run, .fired = note}, &error),
             &error);
    must(network_run(run->network, 0, ticks, NULL, &error), &error);
    run->tick += ticks;
}

static void run_end(struct run *run)
{
    network_free(run->network);
    workers_free(run->workers);
    free(run->fired);
}

static void assert_same_spikes(const struct run *got, const struct run *wanted)
{
    for (size_t i = 0; i < got->count && i < wanted->count; i++) {
        const struct fired *g = &got->fired[i], *w = &wanted->fired[i];
        if (g->tick != w->tick || g->population != w->population || g->neuron != w->neuron ||
            g->payload != w->payload)
            fail_msg("spike %zu: tick %lld, population %u, neuron %u, payload %d; wanted %lld, %u, "
                     "%u, %d", i, (long long)g->tick, g->population, g->neuron, g->payload,
                     (long long)w->tick, w->population, w->neuron, w->payload);
    }
    assert_int_equal(got->count, wanted->count);
}

/* ---- what frameworks recorded ---- */

enum { ROWS = 1000 };

struct csv {
    double input[ROWS], v[ROWS], spike[ROWS];
};

static bool read_csv(const char *name, struct csv *csv)
{
    const char *folder = getenv("VOLLEY_SHARED_DATA");
    char path[1024];
    snprintf(path, sizeof path, "%s/lif/%s.csv", folder != NULL ? folder : "", name);
    FILE *file = folder != NULL ? fopen(path, "r") : NULL;
    if (file == NULL)
        return false;
    for (int t = 0; t < ROWS; t++)
        assert_int_equal(
            fscanf(file, "%lf,%lf,%lf", &csv->input[t], &csv->v[t], &csv->spike[t]), 3);
    fclose(file);
    return true;
}

static struct blueprint *lif_as(const char *framework)
{
    struct error error = {0};
    char path[1024];
    snprintf(path, sizeof path, "%s/lif/lif_norse.nir", getenv("VOLLEY_SHARED_DATA"));
    const struct framework *habits = framework_find(framework, &error);
    must(habits != NULL, &error);
    const struct nir_options options = {.dt = 1e-4, .rules = habits->rules,
                                        .pipeline = habits->pipeline};
    struct blueprint *blueprint = nir_open(path, &options, &error);
    must(blueprint != NULL, &error);
    return blueprint;
}

static void recordings_come_out(void **state)
{
    (void)state;
    static const struct {
        const char *framework, *file;
        double factor; /* of what the file records */
        int spikes[4];
    } cases[] = {
        {"norse", "lif_norse", 1, {460, 510, 710, 760}},
        {"snntorch", "lif_snntorch", 1, {460, 510, 710, 760}},
        {"rockpool", "lif_rockpool", 1, {450, 500, 710, 760}},
        {"nengo", "lif_nengo", 10, {460, 510, 710, 760}},
        {"lava", "lif_lava_cpu_float", 1, {461, 511, 711, 761}},
    };
    static struct csv input, wanted;
    if (!read_csv("lif_norse", &input))
        skip();
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct blueprint *blueprint = lif_as(cases[c].framework);
        struct run run = run_begin(blueprint, (struct way){.shows = true});
        assert_true(read_csv(cases[c].file, &wanted));
        uint32_t lif = 0, fed = 0;
        for (uint32_t i = 0; i < blueprint->population_count; i++) {
            if (blueprint->populations[i].model == &lif_cells)
                lif = i;
            if (blueprint->populations[i].model == NULL)
                fed = i;
        }
        struct error error = {0};
        must(input_feed_values(run.network->populations[fed], input.input, ROWS, &error), &error);
        double worst = 0;
        for (int t = 0; t < ROWS; t++) {
            double v;
            run_ticks(&run, 1);
            cells_read(run.network->populations[lif], 0, t, &v);
            worst = fmax(worst, fabs(v * cases[c].factor - wanted.v[t]));
        }
        if (!(worst <= 5e-8))
            fail_msg("as %s: v is off by %g", cases[c].framework, worst);
        uint32_t seen = 0;
        for (size_t i = 0; i < run.count; i++) {
            if (run.fired[i].population != lif)
                continue;
            assert_true(seen < 4);
            assert_int_equal(run.fired[i].tick, cases[c].spikes[seen++]);
            assert_true(wanted.spike[run.fired[i].tick] != 0);
        }
        assert_int_equal(seen, 4);
        run_end(&run);
        blueprint_free(blueprint);
    }
}

/* ---- every kind of link, against its synapses one by one ---- */

enum { LINK_TICKS = 700, MOST_SYNAPSES = 20000 };

struct synapse {
    uint32_t source, target, delay; /* ticks */
    double weight;
};

struct link_case {
    struct blueprint *blueprint;
    uint32_t sources, targets;
    struct synapse *synapses; /* [count] */
    uint32_t count;
};

static void add_synapse(struct link_case *c, uint32_t source, uint32_t target, double weight,
                        uint32_t delay)
{
    assert_true(c->count < MOST_SYNAPSES);
    c->synapses[c->count++] = (struct synapse){source, target, delay, weight};
}

static void populations_of(struct link_case *c, uint32_t sources, uint32_t targets)
{
    c->sources = sources;
    c->targets = targets;
    add_population(c->blueprint, "in", NULL, sources);
    add_population(c->blueprint, "out", &relay_cells, targets);
}

static void make_all_to_all(struct link_case *c)
{
    populations_of(c, 12, 130);
    add_rule(c->blueprint, "all", 0, 1, CONNECT_ALL_TO_ALL, -0.75, 9 * DT);
    for (uint32_t s = 0; s < c->sources; s++)
        for (uint32_t t = 0; t < c->targets; t++)
            add_synapse(c, s, t, -0.75, 9);
}

static void make_one_to_one(struct link_case *c)
{
    populations_of(c, 90, 90);
    add_rule(c->blueprint, "one", 0, 1, CONNECT_ONE_TO_ONE, 1.5, 1 * DT);
    for (uint32_t i = 0; i < c->sources; i++)
        add_synapse(c, i, i, 1.5, 1);
}

/* Random lists, some pairs more than once; `most` is the longest delay. */
static void make_lists_of(struct link_case *c, enum weight_format format, uint32_t most)
{
    enum { SYNAPSES = 3000 };
    populations_of(c, 40, 140);
    struct blueprint_projection *p = add_link(c->blueprint, "lists", 0, 1, LINK_LISTS);
    p->synapses = SYNAPSES;
    p->format = format;
    p->scale = 1.0 / 16;
    p->same = 0.375;
    p->sources = taken(SYNAPSES, sizeof *p->sources);
    p->targets = taken(SYNAPSES, sizeof *p->targets);
    p->delays = taken(SYNAPSES, sizeof *p->delays);
    if (format != WEIGHT_SAME)
        p->weights = taken(SYNAPSES, sizeof *p->weights);
    for (uint32_t k = 0; k < SYNAPSES; k++) {
        double weight = format == WEIGHT_SAME ? p->same : random_weight();
        uint32_t delay = 1 + random_index(most);
        p->sources[k] = random_index(c->sources);
        p->targets[k] = random_index(c->targets);
        p->delays[k] = delay * DT;
        if (p->weights != NULL)
            p->weights[k] = weight;
        add_synapse(c, p->sources[k], p->targets[k], weight, delay);
    }
}

static void make_lists_alike(struct link_case *c)
{
    make_lists_of(c, WEIGHT_SAME, 200);
}

static void make_lists_float(struct link_case *c)
{
    make_lists_of(c, WEIGHT_FLOAT, 400);
}

static void make_lists_int8(struct link_case *c)
{
    make_lists_of(c, WEIGHT_INT8, 5);
}

static void make_lists_int16(struct link_case *c)
{
    make_lists_of(c, WEIGHT_INT16, 300);
}

static void make_dense_of(struct link_case *c, enum weight_format format)
{
    populations_of(c, 30, 77);
    struct blueprint_projection *p = add_link(c->blueprint, "dense", 0, 1, LINK_DENSE);
    p->format = format;
    p->scale = 1.0 / 16;
    p->delay = 17 * DT;
    p->weights = taken(c->sources * c->targets, sizeof *p->weights);
    for (uint32_t t = 0; t < c->targets; t++)
        for (uint32_t s = 0; s < c->sources; s++) {
            p->weights[t * c->sources + s] = random_weight();
            add_synapse(c, s, t, p->weights[t * c->sources + s], 17);
        }
}

static void make_dense_float(struct link_case *c)
{
    make_dense_of(c, WEIGHT_FLOAT);
}

static void make_dense_int8(struct link_case *c)
{
    make_dense_of(c, WEIGHT_INT8);
}

static void make_dense_int16(struct link_case *c)
{
    make_dense_of(c, WEIGHT_INT16);
}

/* The synapses of a convolution: every output place, kernel element by kernel element. weights
 * NULL: all `same`, each channel by itself. */
static void add_windows(struct link_case *c, const struct convolution_shape *s,
                        const double *weights, double same)
{
    uint32_t inputs = s->in_channels / s->groups, outputs = s->out_channels / s->groups;
    for (uint32_t o = 0; o < s->out_channels; o++)
        for (uint32_t y = 0; y < s->out_height; y++)
            for (uint32_t x = 0; x < s->out_width; x++)
                for (uint32_t i = 0; i < inputs; i++)
                    for (uint32_t ky = 0; ky < s->kernel_height; ky++)
                        for (uint32_t kx = 0; kx < s->kernel_width; kx++) {
                            int64_t iy = (int64_t)y * s->stride_y + ky * s->dilation_y -
                                         s->padding_top;
                            int64_t ix = (int64_t)x * s->stride_x + kx * s->dilation_x -
                                         s->padding_left;
                            if (iy < 0 || ix < 0 || iy >= s->in_height || ix >= s->in_width)
                                continue;
                            uint32_t channel = o / outputs * inputs + i;
                            uint32_t at = ((o * inputs + i) * s->kernel_height + ky) *
                                              s->kernel_width + kx;
                            int64_t source = (channel * s->in_height + iy) * s->in_width + ix;
                            add_synapse(c, (uint32_t)source,
                                        (o * s->out_height + y) * s->out_width + x,
                                        weights != NULL ? weights[at] : same, 1);
                        }
}

static void make_convolution(struct link_case *c)
{
    struct error error = {0};
    struct convolution_shape s = {.in_channels = 4, .in_height = 7, .in_width = 9,
                                  .out_channels = 6, .kernel_height = 3, .kernel_width = 2,
                                  .stride_y = 2, .stride_x = 1, .padding_top = 1,
                                  .padding_left = 1, .padding_bottom = 0, .padding_right = 2,
                                  .dilation_y = 1, .dilation_x = 3, .groups = 2};
    must(convolution_outputs(&s, &error), &error);
    populations_of(c, 4 * 7 * 9, s.out_channels * s.out_height * s.out_width);
    struct blueprint_projection *p = add_link(c->blueprint, "windows", 0, 1, LINK_CONVOLUTION);
    p->shape = s;
    p->format = WEIGHT_FLOAT;
    p->weights = taken(6 * 2 * 3 * 2, sizeof *p->weights);
    for (uint32_t i = 0; i < 6 * 2 * 3 * 2; i++)
        p->weights[i] = random_weight();
    add_windows(c, &s, p->weights, 0);
}

static void make_pooling(struct link_case *c)
{
    struct error error = {0};
    struct convolution_shape s = {.in_channels = 3, .in_height = 8, .in_width = 7,
                                  .out_channels = 3, .kernel_height = 2, .kernel_width = 3,
                                  .stride_y = 2, .stride_x = 2, .dilation_y = 1,
                                  .dilation_x = 1, .padding_left = 1, .groups = 3};
    must(convolution_outputs(&s, &error), &error);
    populations_of(c, 3 * 8 * 7, s.out_channels * s.out_height * s.out_width);
    struct blueprint_projection *p = add_link(c->blueprint, "pool", 0, 1, LINK_POOLING);
    p->shape = s;
    p->same = 0.125;
    add_windows(c, &s, NULL, 0.125);
}

static void make_diagonal(struct link_case *c)
{
    populations_of(c, 99, 99);
    struct blueprint_projection *p = add_link(c->blueprint, "diagonal", 0, 1, LINK_DIAGONAL);
    p->format = WEIGHT_FLOAT;
    p->weights = taken(c->sources, sizeof *p->weights);
    p->delays = taken(c->sources, sizeof *p->delays);
    for (uint32_t i = 0; i < c->sources; i++) {
        uint32_t delay = 3 + random_index(250);
        p->weights[i] = random_weight();
        p->delays[i] = delay * DT;
        add_synapse(c, i, i, p->weights[i], delay);
    }
}

static void make_plain_diagonal(struct link_case *c)
{
    populations_of(c, 99, 99);
    add_link(c->blueprint, "diagonal", 0, 1, LINK_DIAGONAL)->same = -0.25;
    for (uint32_t i = 0; i < c->sources; i++)
        add_synapse(c, i, i, -0.25, 1);
}

static const struct {
    const char *name;
    void (*make)(struct link_case *c);
    bool one_delay; /* may be immediate */
} link_kinds[] = {
    {"all to all", make_all_to_all, true},   {"one to one", make_one_to_one, true},
    {"lists alike", make_lists_alike, false}, {"lists float", make_lists_float, false},
    {"lists int8", make_lists_int8, false},  {"lists int16", make_lists_int16, false},
    {"dense float", make_dense_float, true}, {"dense int8", make_dense_int8, true},
    {"dense int16", make_dense_int16, true}, {"convolution", make_convolution, true},
    {"pooling", make_pooling, true},         {"diagonal", make_diagonal, false},
    {"plain diagonal", make_plain_diagonal, true},
};

/* What the source puts out: whole numbers, mostly 0; nothing in the last ticks' reach. */
static double *made_output(uint32_t neurons)
{
    double *values = taken((size_t)LINK_TICKS * neurons, sizeof *values);
    for (uint32_t t = 0; t < 250; t++)
        for (uint32_t i = 0; i < neurons; i++)
            if (t % 60 < 40 && random_index(9) == 0)
                values[t * neurons + i] = (double)random_index(7) - 3;
    return values;
}

/* A relay shows the very sum that arrived in each tick. */
static void compare_link(size_t kind, enum spike_area area, struct way way, bool immediate)
{
    struct link_case c = {.blueprint = blueprint_made(area),
                          .synapses = taken(MOST_SYNAPSES, sizeof(struct synapse))};
    random_state = 100 + kind;
    link_kinds[kind].make(&c);
    c.blueprint->projections[0].immediate = immediate;
    double *out = made_output(c.sources);
    double factor = area == AREA_IMPULSE && !way.shows ? 1 / DT : 1;
    double *wanted = taken((size_t)LINK_TICKS * c.targets, sizeof *wanted);
    double *got = taken(c.targets, sizeof *got);
    for (uint32_t t = 0; t < LINK_TICKS; t++)
        for (uint32_t k = 0; k < c.count; k++) {
            const struct synapse *s = &c.synapses[k];
            uint32_t delay = immediate ? 0 : s->delay;
            double value = out[t * c.sources + s->source];
            if (value != 0 && t + delay < LINK_TICKS)
                wanted[(t + delay) * c.targets + s->target] += factor * s->weight * value;
        }
    struct run run = run_begin(c.blueprint, way);
    struct error error = {0};
    must(input_feed_values(run.network->populations[0], out, LINK_TICKS, &error), &error);
    for (uint32_t t = 0; t < LINK_TICKS; t++) {
        run_ticks(&run, 1);
        cells_read(run.network->populations[1], 0, t, got);
        for (uint32_t i = 0; i < c.targets; i++)
            if (got[i] != wanted[t * c.targets + i])
                fail_msg("%s, tick %u, target %u: %g arrived, wanted %g", link_kinds[kind].name, t,
                         i, got[i], wanted[t * c.targets + i]);
    }
    run_end(&run);
    blueprint_free(c.blueprint);
    free(c.synapses);
    free(out);
    free(wanted);
    free(got);
}

static void links_bring_what_their_synapses_say(void **state)
{
    (void)state;
    static const enum spike_area areas[] = {AREA_HOLD, AREA_IMPULSE, AREA_JUMP};
    for (size_t kind = 0; kind < sizeof link_kinds / sizeof *link_kinds; kind++)
        for (int shows = 0; shows < 2; shows++) {
            for (size_t a = 0; a < 3; a++)
                compare_link(kind, areas[a],
                             (struct way){.shows = shows, .updates = (enum update_rule)a,
                                          .threads = 1 + (uint32_t)a}, false);
            if (link_kinds[kind].one_delay)
                compare_link(kind, AREA_HOLD, (struct way){.shows = shows}, true);
        }
}

/* Each target gets 1 from each source that is connected: its degree can be read off. */
static void rules_draw_their_degrees(void **state)
{
    (void)state;
    enum { SOURCES = 60, TARGETS = 70 };
    static const struct {
        enum connection_rule rule;
        uint64_t number;
        double probability, total, slack;
    } cases[] = {
        {CONNECT_FIXED_IN_DEGREE, 17, 0, 17 * TARGETS, 0},
        {CONNECT_FIXED_OUT_DEGREE, 23, 0, 23 * SOURCES, 0},
        {CONNECT_FIXED_TOTAL, 999, 0, 999, 0},
        {CONNECT_PROBABILITY, 0, 0.3, 0.3 * SOURCES * TARGETS, 5 * 30},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct blueprint *blueprint = blueprint_made(AREA_HOLD);
        add_population(blueprint, "in", NULL, SOURCES);
        add_population(blueprint, "out", &relay_cells, TARGETS);
        struct blueprint_projection *p =
            add_rule(blueprint, "rule", 0, 1, cases[c].rule, 1, 2 * DT);
        p->connection.number = cases[c].number;
        p->connection.probability = cases[c].probability;
        struct run run = run_begin(blueprint, (struct way){0});
        struct timed_spike all[SOURCES];
        for (uint32_t i = 0; i < SOURCES; i++)
            all[i] = (struct timed_spike){0, i, 1};
        struct error error = {0};
        must(input_feed_spikes(run.network->populations[0], all, SOURCES, &error), &error);
        run_ticks(&run, 3);
        double degree[TARGETS], total = 0;
        cells_read(run.network->populations[1], 0, 2, degree);
        for (uint32_t i = 0; i < TARGETS; i++) {
            total += degree[i];
            if (cases[c].rule == CONNECT_FIXED_IN_DEGREE)
                assert_true(degree[i] == 17);
        }
        assert_true(fabs(total - cases[c].total) <= cases[c].slack);
        run_end(&run);
        blueprint_free(blueprint);
    }
}

/* Seconds that are no exact multiples of dt are those next to one: 0.0003 / 1e-4 is below 3. */
static void delays_are_rounded_to_ticks(void **state)
{
    (void)state;
    enum { LENGTH = 400 };
    for (int own = 0; own < 2; own++) {
        struct blueprint *blueprint = blueprint_made(AREA_HOLD);
        blueprint->rules.dt = 1e-4;
        add_population(blueprint, "in", NULL, LENGTH);
        add_population(blueprint, "out", &graded_cells, LENGTH);
        struct blueprint_projection *p = add_link(blueprint, "each", 0, 1, LINK_DIAGONAL);
        p->delay = 0.0003;
        p->delays = own ? taken(LENGTH, sizeof *p->delays) : NULL;
        struct timed_spike spikes[LENGTH];
        for (uint32_t i = 0; i < LENGTH; i++) {
            spikes[i] = (struct timed_spike){0, i, 1};
            if (own)
                p->delays[i] = i * 1e-4 + (i % 3 == 0 ? 4e-5 : i % 3 == 1 ? -4e-5 : 0);
        }
        struct run run = run_begin(blueprint, (struct way){0});
        struct error error = {0};
        must(input_feed_spikes(run.network->populations[0], spikes, LENGTH, &error), &error);
        run_ticks(&run, LENGTH);
        assert_int_equal(run.count, 2 * LENGTH);
        for (size_t i = LENGTH; i < run.count; i++) {
            uint32_t neuron = run.fired[i].neuron;
            assert_int_equal(run.fired[i].tick, !own ? 3 : neuron > 0 ? neuron : 1);
        }
        run_end(&run);
        blueprint_free(blueprint);
    }
}

/* A pulse of area w is a current w / dt: also where weights are drawn within bounds. */
static void impulses_scale_what_is_drawn(void **state)
{
    (void)state;
    enum { SOURCES = 20, TARGETS = 30 };
    const struct distribution weights[] = {
        {.kind = DISTRIBUTION_NORMAL, .a = 0.5, .b = 1, .low = 0, .high = 0.75},
        {.kind = DISTRIBUTION_NORMAL, .a = 0.5, .b = 1, .low = 0, .high = 0.75, .clip = true},
        {.kind = DISTRIBUTION_UNIFORM, .a = -1, .b = 2, .low = -INFINITY, .high = 1},
        {.kind = DISTRIBUTION_EXPONENTIAL, .a = 0.5, .low = 0.125, .high = INFINITY},
        {.kind = DISTRIBUTION_LOGNORMAL, .a = -1, .b = 0.5, .low = 0.25, .high = 1},
        {.kind = DISTRIBUTION_CONSTANT, .a = -0.5, .low = -INFINITY, .high = INFINITY},
        {.kind = DISTRIBUTION_UNIFORM, .a = 0.25, .b = 2, .low = -INFINITY, .high = INFINITY},
    };
    static const enum weight_format formats[] = {WEIGHT_FLOAT, WEIGHT_FLOAT, WEIGHT_FLOAT,
                                                 WEIGHT_FLOAT, WEIGHT_FLOAT, WEIGHT_SAME,
                                                 WEIGHT_INT16};
    for (size_t w = 0; w < sizeof weights / sizeof *weights; w++) {
        double arrived[2][TARGETS];
        for (int impulse = 0; impulse < 2; impulse++) {
            struct blueprint *blueprint = blueprint_made(impulse ? AREA_IMPULSE : AREA_HOLD);
            add_population(blueprint, "in", NULL, SOURCES);
            add_population(blueprint, "out", &relay_cells, TARGETS);
            struct blueprint_projection *p =
                add_rule(blueprint, "rule", 0, 1, CONNECT_ALL_TO_ALL, 0, DT);
            p->connection.weight = weights[w];
            p->connection.format = formats[w];
            p->connection.scale = 1.0 / 16;
            struct run run = run_begin(blueprint, (struct way){0});
            const struct timed_spike spike = {0, 7, 1};
            struct error error = {0};
            must(input_feed_spikes(run.network->populations[0], &spike, 1, &error), &error);
            run_ticks(&run, 2);
            cells_read(run.network->populations[1], 0, 1, arrived[impulse]);
            run_end(&run);
            blueprint_free(blueprint);
        }
        for (uint32_t i = 0; i < TARGETS; i++) {
            double one = arrived[0][i];
            assert_true(one != 0 || weights[w].clip);
            assert_true(weights[w].kind == DISTRIBUTION_CONSTANT ||
                        (one >= weights[w].low && one <= weights[w].high));
            assert_true(fabs(arrived[1][i] * DT - one) <= 1e-6 * fabs(one));
        }
    }
}

/* Payloads without a bound are not counted in 32 bits. */
static void large_payloads_do_not_wrap_around(void **state)
{
    (void)state;
    struct blueprint *blueprint = blueprint_made(AREA_HOLD);
    add_population(blueprint, "in", NULL, 2);
    add_population(blueprint, "graded", &graded_cells, 2);
    add_population(blueprint, "out", &relay_cells, 1);
    add_rule(blueprint, "one", 0, 1, CONNECT_ONE_TO_ONE, 1, DT);
    add_rule(blueprint, "all", 1, 2, CONNECT_ALL_TO_ALL, 3, DT);
    struct run run = run_begin(blueprint, (struct way){0});
    const struct timed_spike spikes[] = {{0, 0, INT32_MAX}, {0, 1, INT32_MAX}};
    struct error error = {0};
    must(input_feed_spikes(run.network->populations[0], spikes, 2, &error), &error);
    run_ticks(&run, 3);
    double sum;
    cells_read(run.network->populations[2], 0, 2, &sum);
    assert_true(sum == 6.0 * INT32_MAX);
    run_end(&run);
    blueprint_free(blueprint);
}

/* ---- chains without delay, loops with little and with much ---- */

static void immediate_chains_take_no_time(void **state)
{
    (void)state;
    struct blueprint *blueprint = blueprint_made(AREA_HOLD);
    /* The order of populations is not that of the chain. */
    uint32_t d = add_population(blueprint, "d", &graded_cells, 1);
    uint32_t b = add_population(blueprint, "b", &graded_cells, 1);
    uint32_t in = add_population(blueprint, "in", NULL, 1);
    uint32_t c = add_population(blueprint, "c", &graded_cells, 1);
    uint32_t a = add_population(blueprint, "a", &graded_cells, 1);
    static const double weights[] = {2, 3, 1, 5, 7};
    const uint32_t ends[][2] = {{in, a}, {a, b}, {a, d}, {b, c}, {c, d}};
    for (int i = 0; i < 5; i++) {
        struct blueprint_projection *p =
            add_link(blueprint, "now", ends[i][0], ends[i][1], LINK_DIAGONAL);
        p->same = weights[i];
        p->immediate = true;
    }
    add_link(blueprint, "back", d, a, LINK_DIAGONAL)->same = -1; /* takes one tick */
    struct run run = run_begin(blueprint, (struct way){0});
    const struct timed_spike spike = {4, 0, 1};
    struct error error = {0};
    must(input_feed_spikes(run.network->populations[in], &spike, 1, &error), &error);
    run_ticks(&run, 7);
    int32_t payload = 1, seen[5][7] = {{0}};
    for (size_t i = 0; i < run.count; i++)
        seen[run.fired[i].population][run.fired[i].tick] = run.fired[i].payload;
    for (int64_t t = 0; t < 7; t++) {
        assert_int_equal(seen[in][t], t == 4);
        int32_t from_a = t < 4 ? 0 : t == 4 ? 2 : -payload;
        payload = t < 4 ? payload : from_a * 1 + from_a * 3 * 5 * 7;
        assert_int_equal(seen[a][t], from_a);
        assert_int_equal(seen[b][t], 3 * from_a);
        assert_int_equal(seen[c][t], 15 * from_a);
        assert_int_equal(seen[d][t], 106 * from_a);
    }
    run_end(&run);
    blueprint_free(blueprint);
}

static void loops_take_as_long_as_they_say(void **state)
{
    (void)state;
    enum { TICKS = 5000 };
    static const uint32_t delays[] = {1, 300, 700};
    struct blueprint *blueprint = blueprint_made(AREA_HOLD);
    add_population(blueprint, "in", NULL, 3);
    add_population(blueprint, "ring", &graded_cells, 3);
    add_link(blueprint, "start", 0, 1, LINK_DIAGONAL);
    struct blueprint_projection *p = add_link(blueprint, "ring", 1, 1, LINK_LISTS);
    p->synapses = 3;
    p->sources = taken(3, sizeof *p->sources);
    p->targets = taken(3, sizeof *p->targets);
    p->delays = taken(3, sizeof *p->delays);
    for (uint32_t i = 0; i < 3; i++) {
        p->sources[i] = i;
        p->targets[i] = (i + 1) % 3;
        p->delays[i] = delays[i] * DT;
    }
    add_link(blueprint, "echo", 1, 1, LINK_DIAGONAL)->delay = 65000 * DT; /* never comes */
    struct run run = run_begin(blueprint, (struct way){0});
    const struct timed_spike spike = {10, 0, 9};
    struct error error = {0};
    must(input_feed_spikes(run.network->populations[0], &spike, 1, &error), &error);
    run_ticks(&run, TICKS);
    int64_t tick = 11;
    uint32_t neuron = 0;
    for (size_t i = 1; i < run.count; i++) {
        assert_int_equal(run.fired[i].tick, tick);
        assert_int_equal(run.fired[i].neuron, neuron);
        assert_int_equal(run.fired[i].payload, 9);
        tick += delays[neuron];
        neuron = (neuron + 1) % 3;
    }
    assert_true(tick >= TICKS && run.count > 12);
    run_end(&run);
    blueprint_free(blueprint);
}

/* The input asks for tick 60 at the beginning, and the cells' slots once more at tick 59. */
static void nobody_is_updated_twice_in_a_tick(void **state)
{
    (void)state;
    enum { FAR = 60 };
    const double tau = 0.05;
    struct blueprint *blueprint = blueprint_made(AREA_JUMP);
    blueprint->rules.reset = RESET_SUBTRACT; /* each tick is a step */
    add_population(blueprint, "in", NULL, 1);
    add_population(blueprint, "cells", &lif_cells, 1);
    set(blueprint, 1, "tau", tau);
    struct blueprint_projection *p = add_link(blueprint, "lists", 0, 1, LINK_LISTS);
    p->synapses = 2;
    p->same = 0.25;
    p->sources = taken(2, sizeof *p->sources);
    p->targets = taken(2, sizeof *p->targets);
    p->delays = taken(2, sizeof *p->delays);
    p->delays[0] = 2 * DT;
    p->delays[1] = (FAR + 20) * DT;
    struct run run = run_begin(blueprint, (struct way){.updates = UPDATE_TOUCHED});
    const struct timed_spike spikes[] = {{0, 0, 1}, {FAR, 0, 1}};
    struct error error = {0};
    must(input_feed_spikes(run.network->populations[0], spikes, 2, &error), &error);
    for (int64_t t = 0; t < 3 * FAR; t++) {
        double v, expected = 0;
        run_ticks(&run, 1);
        cells_read(run.network->populations[1], 0, t, &v);
        for (int k = 0; k < 4; k++) {
            int64_t at = k / 2 * FAR + (k % 2 ? FAR + 20 : 2);
            expected += t >= at ? 0.25 * exp(-(double)(t - at) * DT / tau) : 0;
        }
        assert_true(fabs(v - expected) < 1e-13);
    }
    run_end(&run);
    blueprint_free(blueprint);
}

/* ---- a recurrent network against a plain simulation in float64 ---- */

enum { IN = 40, CELLS = 80, NET_TICKS = 3000, LONGEST = 300 };

static void recurrent_network_follows_the_plain_simulation(void **state)
{
    (void)state;
    enum { FORWARD = 800, BACK = 1600 };
    const double tau = 0.02, threshold = 1, reset = -0.2, rest = 5;
    random_state = 31;
    struct blueprint *blueprint = blueprint_made(AREA_JUMP);
    add_population(blueprint, "in", NULL, IN);
    uint32_t cells = add_population(blueprint, "cells", &lif_cells, CELLS);
    set(blueprint, cells, "tau", tau);
    set(blueprint, cells, "v_reset", reset);
    set(blueprint, cells, "refractory", rest * DT);
    uint32_t delay[FORWARD + BACK];
    for (int back = 0; back < 2; back++) {
        struct blueprint_projection *p =
            add_link(blueprint, back ? "back" : "forward", (uint32_t)back, 1, LINK_LISTS);
        p->synapses = back ? BACK : FORWARD;
        p->format = WEIGHT_FLOAT;
        p->sources = taken(p->synapses, sizeof *p->sources);
        p->targets = taken(p->synapses, sizeof *p->targets);
        p->weights = taken(p->synapses, sizeof *p->weights);
        p->delays = taken(p->synapses, sizeof *p->delays);
        for (uint32_t k = 0; k < p->synapses; k++) {
            p->sources[k] = random_index(back ? CELLS : IN);
            p->targets[k] = random_index(CELLS);
            p->weights[k] = (double)(float)random_number(back ? -0.3 : 0, 0.3);
            delay[k + (back ? FORWARD : 0)] = 1 + random_index(LONGEST);
            p->delays[k] = delay[k + (back ? FORWARD : 0)] * DT;
        }
    }
    double *in = taken(NET_TICKS * IN, sizeof *in);
    for (uint32_t i = 0; i < NET_TICKS * IN; i++)
        in[i] = random_index(25) == 0;
    /* The plain simulation. */
    bool *fired = taken(NET_TICKS * CELLS, sizeof *fired);
    double *arrives = taken((NET_TICKS + LONGEST + 1) * CELLS, sizeof *arrives);
    double v[CELLS] = {0}, decay = exp(-DT / tau);
    int64_t held[CELLS];
    for (int i = 0; i < CELLS; i++)
        held[i] = -1;
    uint32_t total = 0;
    for (uint32_t t = 0; t < NET_TICKS; t++) {
        for (uint32_t i = 0; i < CELLS; i++) {
            if (t <= held[i] && held[i] >= 0)
                continue;
            v[i] = v[i] * decay + arrives[t * CELLS + i];
            fired[t * CELLS + i] = v[i] > threshold;
            if (!fired[t * CELLS + i])
                continue;
            v[i] = reset;
            held[i] = t + (int64_t)rest;
            total++;
        }
        for (int back = 0; back < 2; back++) {
            const struct blueprint_projection *p = &blueprint->projections[back];
            for (uint32_t k = 0; k < p->synapses; k++)
                if (back ? fired[t * CELLS + p->sources[k]] : in[t * IN + p->sources[k]] != 0)
                    arrives[(t + delay[k + (back ? FORWARD : 0)]) * CELLS + p->targets[k]] +=
                        p->weights[k];
        }
    }
    assert_true(total > 1000);
    struct run run = run_begin(blueprint, (struct way){0});
    struct error error = {0};
    must(input_feed_values(run.network->populations[0], in, NET_TICKS, &error), &error);
    run_ticks(&run, NET_TICKS);
    for (size_t i = 0; i < run.count; i++) {
        if (run.fired[i].population != cells)
            continue;
        assert_true(fired[run.fired[i].tick * CELLS + run.fired[i].neuron]);
        total--;
    }
    assert_int_equal(total, 0);
    run_end(&run);
    blueprint_free(blueprint);
    free(in);
    free(fired);
    free(arrives);
}

/* ---- integers and doubles, events and matrices, rules and lists ---- */

/* Poisson noise onto cells that reach each other with whole multiples of 1/8. `doubles`: a
 * projection without synapses from a source of unbounded payloads forbids counting. */
static struct blueprint *counting_network(bool doubles, enum weight_format format)
{
    struct blueprint *blueprint = blueprint_made(AREA_JUMP);
    add_population(blueprint, "noise", &poisson_cells, 150);
    set(blueprint, 0, "rate", 60);
    set(blueprint, 0, "sources", 10);
    add_population(blueprint, "cells", &lif_cells, 150);
    set(blueprint, 1, "v_threshold", 4);
    add_population(blueprint, "input", NULL, 1);
    if (format == WEIGHT_SAME) {
        add_rule(blueprint, "noise", 0, 1, CONNECT_ONE_TO_ONE, 0.375, DT);
        struct blueprint_projection *p =
            add_rule(blueprint, "self", 1, 1, CONNECT_FIXED_IN_DEGREE, -0.125, DT);
        p->connection.number = 20;
        p->connection.delay = drawn(DISTRIBUTION_UNIFORM, 2 * DT, 40 * DT);
    } else {
        for (int back = 0; back < 2; back++) {
            struct blueprint_projection *p =
                add_rule(blueprint, "int", (uint32_t)back, 1, CONNECT_FIXED_IN_DEGREE, 0, 3 * DT);
            p->connection.number = 15;
            p->connection.format = format;
            p->connection.scale = 0.125;
            p->connection.weight = drawn(DISTRIBUTION_NORMAL, back ? -0.5 : 0.3, 0.3);
        }
    }
    if (doubles) {
        struct blueprint_projection *p = add_link(blueprint, "nothing", 2, 1, LINK_LISTS);
        p->same = 0.125;
        p->sources = taken(1, sizeof *p->sources);
        p->targets = taken(1, sizeof *p->targets);
    }
    return blueprint;
}

static void counting_gives_the_same_spikes(void **state)
{
    (void)state;
    static const enum weight_format formats[] = {WEIGHT_SAME, WEIGHT_INT8, WEIGHT_INT16};
    for (int f = 0; f < 3; f++) {
        struct run run[2];
        for (int doubles = 0; doubles < 2; doubles++) {
            struct blueprint *blueprint = counting_network(doubles, formats[f]);
            run[doubles] = run_begin(blueprint, (struct way){0});
            assert_true((run[doubles].network->populations[1]->ports[0].count == NULL) == doubles);
            run_ticks(&run[doubles], 2000);
            blueprint_free(blueprint);
        }
        uint32_t cells = 0;
        for (size_t i = 0; i < run[0].count; i++)
            cells += run[0].fired[i].population == 1;
        assert_true(cells > 1000);
        assert_same_spikes(&run[0], &run[1]);
        run_end(&run[0]);
        run_end(&run[1]);
    }
}

/* What is left of a jump after so many ticks, tau being 20 ms. */
static double fading(int64_t ticks)
{
    return exp(-(double)ticks * DT / 0.02);
}

/* Where weights are no whole multiples of one number, or payloads have no bound, ports take
 * doubles. */
static void ports_count_only_what_can_be_counted(void **state)
{
    (void)state;
    static const struct {
        double first, second;
        bool several, counts;
    } cases[] = {{0.1, 0.3, false, true},   {0.1, -0.5, false, true}, {-0.25, 0.25, false, true},
                 {0.25, 0.35, false, false}, {0.2, 0.3, false, false}, {0.1, 0.3, true, false},
                 {0, 0.3, false, false}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct blueprint *blueprint = blueprint_made(AREA_JUMP);
        blueprint->rules.several = cases[c].several;
        blueprint->rules.reset = cases[c].several ? RESET_SUBTRACT : RESET_VALUE;
        add_population(blueprint, "noise", &poisson_cells, 5);
        set(blueprint, 0, "rate", 200);
        add_population(blueprint, "cells", &lif_cells, 5);
        set(blueprint, 1, "v_threshold", 1e9);
        add_rule(blueprint, "first", 0, 1, CONNECT_ONE_TO_ONE, cases[c].first, DT);
        add_rule(blueprint, "second", 0, 1, CONNECT_ALL_TO_ALL, cases[c].second, 2 * DT);
        struct run run = run_begin(blueprint, (struct way){0});
        assert_int_equal(run.network->populations[1]->ports[0].count != NULL, cases[c].counts);
        run_ticks(&run, 300);
        double got[5], wanted[5] = {0};
        cells_read(run.network->populations[1], 0, 299, got);
        for (size_t i = 0; i < run.count; i++) {
            const struct fired *f = &run.fired[i];
            if (f->tick < 299)
                wanted[f->neuron] += cases[c].first * f->payload * fading(298 - f->tick);
            for (int k = 0; k < 5 && f->tick < 298; k++)
                wanted[k] += cases[c].second * f->payload * fading(297 - f->tick);
        }
        for (int k = 0; k < 5; k++)
            assert_true(fabs(got[k] - wanted[k]) < 1e-11);
        run_end(&run);
        blueprint_free(blueprint);
    }
}

/* Two convolutions and a pooling between integrate-and-fire cells; `as_matrix`: each as a dense
 * matrix instead. */
static struct blueprint *picture_network(bool as_matrix)
{
    struct error error = {0};
    struct convolution_shape shapes[] = {
        {.in_channels = 2, .in_height = 10, .in_width = 9, .out_channels = 4, .kernel_height = 3,
         .kernel_width = 3, .stride_y = 1, .stride_x = 1, .padding_top = 1, .padding_left = 1,
         .padding_bottom = 1, .padding_right = 1, .dilation_y = 1, .dilation_x = 1, .groups = 1},
        {.in_channels = 4, .in_height = 10, .in_width = 9, .out_channels = 4, .kernel_height = 2,
         .kernel_width = 2, .stride_y = 2, .stride_x = 2, .dilation_y = 1, .dilation_x = 1,
         .groups = 4},
        {.in_channels = 4, .in_height = 5, .in_width = 4, .out_channels = 6, .kernel_height = 3,
         .kernel_width = 2, .stride_y = 2, .stride_x = 1, .padding_left = 1, .dilation_y = 1,
         .dilation_x = 2, .groups = 2},
    };
    struct blueprint *blueprint = blueprint_made(AREA_JUMP);
    random_state = 8;
    add_population(blueprint, "in", NULL, 2 * 10 * 9);
    for (uint32_t layer = 0; layer < 3; layer++) {
        struct convolution_shape *s = &shapes[layer];
        must(convolution_outputs(s, &error), &error);
        uint32_t kernel = s->out_channels * (s->in_channels / s->groups) * s->kernel_height *
                          s->kernel_width;
        double *weights = taken(kernel, sizeof *weights);
        for (uint32_t i = 0; i < kernel; i++)
            weights[i] = layer == 1 ? 0.5 : random_weight();
        uint32_t targets = s->out_channels * s->out_height * s->out_width;
        uint32_t sources = s->in_channels * s->in_height * s->in_width;
        uint32_t to = add_population(blueprint, "layer", &if_cells, targets);
        struct blueprint_projection *p =
            add_link(blueprint, "windows", to - 1, to,
                     as_matrix ? LINK_DENSE : layer == 1 ? LINK_POOLING : LINK_CONVOLUTION);
        p->immediate = true;
        p->format = WEIGHT_FLOAT;
        p->shape = *s;
        p->same = 0.5;
        if (!as_matrix) {
            p->weights = layer == 1 ? NULL : weights;
            if (layer == 1)
                free(weights);
            continue;
        }
        struct link_case c = {.synapses = taken(MOST_SYNAPSES, sizeof(struct synapse))};
        add_windows(&c, s, layer == 1 ? NULL : weights, 0.5);
        p->weights = taken(sources * targets, sizeof *p->weights);
        for (uint32_t k = 0; k < c.count; k++)
            p->weights[c.synapses[k].target * sources + c.synapses[k].source] +=
                c.synapses[k].weight;
        free(c.synapses);
        free(weights);
    }
    return blueprint;
}

static void convolution_by_events_is_the_dense_one(void **state)
{
    (void)state;
    enum { PICTURE_TICKS = 200, PIXELS = 2 * 10 * 9 };
    static double in[PICTURE_TICKS * PIXELS];
    random_state = 99;
    for (size_t i = 0; i < PICTURE_TICKS * PIXELS; i++)
        in[i] = random_index(12) == 0;
    struct run run[2];
    for (int matrix = 0; matrix < 2; matrix++) {
        struct blueprint *blueprint = picture_network(matrix);
        run[matrix] = run_begin(blueprint, (struct way){0});
        struct error error = {0};
        must(input_feed_values(run[matrix].network->populations[0], in, PICTURE_TICKS, &error),
             &error);
        run_ticks(&run[matrix], PICTURE_TICKS);
        blueprint_free(blueprint);
        for (uint32_t i = 0; i < 3; i++)
            assert_int_equal(run[matrix].network->projections[i]->synapses,
                             run[0].network->projections[i]->synapses);
    }
    uint32_t last = 0;
    for (size_t i = 0; i < run[0].count; i++)
        last += run[0].fired[i].population == 3;
    assert_true(last > 100);
    assert_same_spikes(&run[0], &run[1]);
    run_end(&run[0]);
    run_end(&run[1]);
}

/* Excitatory and inhibitory cells with noise; parameters, weights and delays drawn. */
static struct blueprint *random_network(uint32_t neurons)
{
    struct blueprint *blueprint = blueprint_made(AREA_JUMP);
    blueprint->rules.dt = 1e-4;
    uint32_t sizes[] = {neurons * 4 / 5, neurons / 5};
    for (int i = 0; i < 2; i++) {
        uint32_t p = add_population(blueprint, i ? "inh" : "exc", &lif_cells, sizes[i]);
        set(blueprint, p, "v_threshold", 20);
        set(blueprint, p, "refractory", 0.002);
        struct blueprint_population *population = &blueprint->populations[p];
        population->initial[0] =
            (struct quantity){.kind = QUANTITY_DRAWN, .drawn = drawn(DISTRIBUTION_UNIFORM, 0, 20)};
        population->parameter[cell_model_parameter(&lif_cells, "v_reset")] = (struct quantity){
            .kind = QUANTITY_DRAWN, .drawn = drawn(DISTRIBUTION_NORMAL, 0, 1)};
    }
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t p = add_population(blueprint, i ? "noise_inh" : "noise_exc", &poisson_cells,
                                    sizes[i]);
        set(blueprint, p, "rate", 25);
        set(blueprint, p, "sources", 1000);
        add_rule(blueprint, "noise", p, i, CONNECT_ONE_TO_ONE, 0.1, 1e-4);
    }
    for (uint32_t i = 0; i < 4; i++) {
        struct blueprint_projection *p = add_rule(
            blueprint, "random", i / 2, i % 2,
            i == 3 ? CONNECT_PROBABILITY : CONNECT_FIXED_IN_DEGREE,
            i < 2 ? 0.4 : -1.6, 0.0015);
        p->connection.number = i < 2 ? 80 : 20;
        p->connection.probability = 0.2;
        p->connection.multiple = true;
        p->connection.to_itself = false;
        if (i % 2 == 0) {
            p->connection.format = WEIGHT_FLOAT;
            p->connection.weight = drawn(DISTRIBUTION_NORMAL, i < 2 ? 0.4 : -1.6, 0.04);
            p->connection.delay = drawn(DISTRIBUTION_UNIFORM, 1e-4, 0.003);
        }
    }
    return blueprint;
}

static struct run run_of(uint32_t neurons, int64_t ticks, struct way way, bool expanded)
{
    struct blueprint *blueprint = random_network(neurons);
    struct error error = {0};
    if (expanded) {
        must(blueprint_expand(blueprint, NULL, &error), &error);
        for (uint32_t i = 0; i < blueprint->projection_count; i++)
            assert_int_equal(blueprint->projections[i].kind, LINK_LISTS);
        for (uint32_t i = 0; i < 2; i++)
            assert_int_equal(blueprint->populations[i].initial[0].kind, QUANTITY_ARRAY);
    }
    struct run run = run_begin(blueprint, way);
    run_ticks(&run, ticks);
    blueprint_free(blueprint);
    return run;
}

static uint32_t spikes_of(const struct run *run, uint32_t population)
{
    uint32_t spikes = 0;
    for (size_t i = 0; i < run->count; i++)
        spikes += run->fired[i].population == population;
    return spikes;
}

static void expanding_changes_no_spike(void **state)
{
    (void)state;
    struct run drawn_run = run_of(500, 2000, (struct way){0}, false);
    struct run listed = run_of(500, 2000, (struct way){.threads = 2}, true);
    assert_true(spikes_of(&drawn_run, 0) > 1000 && spikes_of(&drawn_run, 1) > 200);
    assert_same_spikes(&listed, &drawn_run);
    run_end(&drawn_run);
    run_end(&listed);
}

static void compare_ways(uint32_t neurons, int64_t ticks)
{
    size_t levels;
    const struct kernels *const *kernels = kernels_available(&levels);
    struct run plain = run_of(neurons, ticks, (struct way){.kernels = kernels[levels - 1],
                                                           .updates = UPDATE_ALL}, false);
    assert_true(spikes_of(&plain, 0) > 1000);
    for (size_t k = 0; k < levels; k++)
        for (uint32_t threads = 1; threads <= 4; threads *= 2) {
            struct way way = {.threads = threads, .kernels = kernels[k],
                              .updates = threads == 2 ? UPDATE_TOUCHED : UPDATE_AUTO};
            struct run run = run_of(neurons, ticks, way, false);
            assert_same_spikes(&run, &plain);
            run_end(&run);
        }
    run_end(&plain);
}

static void threads_vectors_and_updates_change_no_spike(void **state)
{
    (void)state;
    compare_ways(500, 1500);
    compare_ways(8000, 150); /* enough for all threads to be woken */
}

static void resetting_begins_again(void **state)
{
    (void)state;
    struct blueprint *blueprint = random_network(500);
    struct run run = run_begin(blueprint, (struct way){0});
    run_ticks(&run, 700);
    struct run first = {.fired = run.fired, .count = run.count};
    run.fired = NULL;
    run.count = run.room = 0;
    network_reset(run.network);
    run_ticks(&run, 700);
    assert_same_spikes(&run, &first);
    free(first.fired);
    run_end(&run);
    blueprint_free(blueprint);
}

/* ---- misuse ---- */

/* Builds and seals; the sentence must say the words and name the projection. */
static void refuse(struct blueprint *blueprint, const char *name, const char *words)
{
    struct error error = {0};
    struct workers *workers = workers_new(1, NULL);
    struct network *network =
        blueprint_build(blueprint, &(struct build_options){0}, &error);
    if (network != NULL) {
        network->workers = workers;
        if (network_seal(network, &error))
            fail_msg("nobody says '%s'", words);
    }
    assert_int_equal(error.code, ERROR_MISUSED);
    if (strstr(error.text, words) == NULL || strstr(error.text, name) == NULL)
        fail_msg("'%s' does not say '%s' of '%s'", error.text, words, name);
    network_free(network);
    workers_free(workers);
    blueprint_free(blueprint);
}

/* An input of `sources` and a relay of `targets`, and a link between them. */
static struct blueprint *two(uint32_t sources, uint32_t targets, enum link_kind kind)
{
    struct blueprint *blueprint = blueprint_made(AREA_HOLD);
    add_population(blueprint, "in", NULL, sources);
    add_population(blueprint, "out", &relay_cells, targets);
    add_link(blueprint, "bridge", 0, 1, kind);
    return blueprint;
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const double delays[] = {-1e-3, NAN, INFINITY, 1e300, 3e9 * 0x1p-10};
    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        struct blueprint *blueprint = two(3, 3, LINK_DIAGONAL);
        blueprint->projections[0].delay = delays[i];
        refuse(blueprint, "projection bridge", "a delay of");
        blueprint = two(3, 3, LINK_DIAGONAL);
        blueprint->projections[0].delays = taken(3, sizeof(double));
        blueprint->projections[0].delays[1] = delays[i];
        refuse(blueprint, "projection bridge", "a delay of");
        blueprint = two(3, 3, LINK_DENSE);
        blueprint->projections[0].format = WEIGHT_FLOAT;
        blueprint->projections[0].weights = taken(9, sizeof(double));
        blueprint->projections[0].delay = delays[i];
        refuse(blueprint, "projection bridge", "a delay of");
    }
    struct blueprint *blueprint = two(3, 3, LINK_DIAGONAL);
    blueprint->projections[0].delays = taken(3, sizeof(double));
    blueprint->projections[0].delays[2] = 70000 * DT;
    refuse(blueprint, "projection bridge", "differ by");
    refuse(two(3, 4, LINK_DIAGONAL), "projection bridge", "one size");

    blueprint = two(9, 4, LINK_POOLING);
    blueprint->projections[0].shape =
        (struct convolution_shape){1, 4, 4, 1, 0, 0, 2, 2, 2, 2, 0, 0, 0, 0, 1, 1, 1};
    refuse(blueprint, "bridge", "16 source neurons");
    blueprint = two(16, 5, LINK_POOLING);
    blueprint->projections[0].shape =
        (struct convolution_shape){1, 4, 4, 1, 0, 0, 2, 2, 2, 2, 0, 0, 0, 0, 1, 1, 1};
    refuse(blueprint, "bridge", "4 targets");
    blueprint = two(16, 4, LINK_POOLING);
    blueprint->projections[0].shape =
        (struct convolution_shape){1, 4, 4, 1, 0, 0, 2, 2, 0, 2, 0, 0, 0, 0, 1, 1, 1};
    refuse(blueprint, "projection bridge", "stride");

    blueprint = two(3, 3, LINK_LISTS);
    blueprint->projections[0].synapses = 1;
    blueprint->projections[0].sources = taken(1, sizeof(uint32_t));
    blueprint->projections[0].targets = taken(1, sizeof(uint32_t));
    blueprint->projections[0].targets[0] = 3;
    refuse(blueprint, "projection bridge", "3");

    blueprint = two(3, 3, LINK_DENSE);
    blueprint->projections[0].format = WEIGHT_INT8;
    blueprint->projections[0].scale = 0.5;
    blueprint->projections[0].weights = taken(9, sizeof(double));
    blueprint->projections[0].weights[4] = 0.3;
    refuse(blueprint, "projection bridge", "0.3");
    blueprint = two(3, 3, LINK_DENSE);
    blueprint->projections[0].format = WEIGHT_FLOAT;
    blueprint->projections[0].weights = taken(9, sizeof(double));
    blueprint->projections[0].weights[4] = NAN;
    refuse(blueprint, "projection bridge", "");
    blueprint = two(3, 3, LINK_DIAGONAL);
    blueprint->projections[0].same = INFINITY;
    refuse(blueprint, "projection bridge", "finite");

    blueprint = blueprint_made(AREA_HOLD);
    add_population(blueprint, "a", &graded_cells, 2);
    add_population(blueprint, "b", &graded_cells, 2);
    add_link(blueprint, "there", 0, 1, LINK_DIAGONAL)->immediate = true;
    add_link(blueprint, "back", 1, 0, LINK_DIAGONAL)->immediate = true;
    refuse(blueprint, "projection", "loop in which nothing takes time");
    blueprint = blueprint_made(AREA_HOLD);
    add_population(blueprint, "a", &graded_cells, 2);
    add_link(blueprint, "itself", 0, 0, LINK_DIAGONAL)->immediate = true;
    refuse(blueprint, "projection itself", "loop in which nothing takes time");

    blueprint = blueprint_made(AREA_HOLD);
    add_population(blueprint, "a", &lif_cells, 2);
    set(blueprint, 0, "tau", -1);
    refuse(blueprint, "population a", "tau of neuron 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recordings_come_out),
        cmocka_unit_test(links_bring_what_their_synapses_say),
        cmocka_unit_test(rules_draw_their_degrees),
        cmocka_unit_test(delays_are_rounded_to_ticks),
        cmocka_unit_test(impulses_scale_what_is_drawn),
        cmocka_unit_test(large_payloads_do_not_wrap_around),
        cmocka_unit_test(immediate_chains_take_no_time),
        cmocka_unit_test(loops_take_as_long_as_they_say),
        cmocka_unit_test(nobody_is_updated_twice_in_a_tick),
        cmocka_unit_test(recurrent_network_follows_the_plain_simulation),
        cmocka_unit_test(counting_gives_the_same_spikes),
        cmocka_unit_test(ports_count_only_what_can_be_counted),
        cmocka_unit_test(convolution_by_events_is_the_dense_one),
        cmocka_unit_test(expanding_changes_no_spike),
        cmocka_unit_test(threads_vectors_and_updates_change_no_spike),
        cmocka_unit_test(resetting_begins_again),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
