/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A run set on a chip, and the walk through its ticks.
 *
 * Ticks in which nothing fires are all alike: each core goes through its neurons, the slowest core
 * counts. They are multiplied, not walked through, so that a run of many empty ticks costs nothing.
 *
 * Updates are known of the whole run only; they are taken as even over its ticks.
 */
#include "traces/energy/latency_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double duration(const struct chip *chip, enum chip_figure figure)
{
    return chip->figure[figure].given ? chip->figure[figure].value : 0;
}

static double duration_or(const struct chip *chip, enum chip_figure figure, double otherwise)
{
    return chip->figure[figure].given ? chip->figure[figure].value : otherwise;
}

double chip_sync(const struct chip *chip, uint32_t tiles)
{
    if (chip->sync_count == 0)
        return 0;
    double seconds = chip->sync[0].seconds;
    for (uint32_t i = 1; i < chip->sync_count && chip->sync[i].tiles <= tiles; i++)
        seconds = chip->sync[i].seconds;
    return seconds;
}

static struct durations durations_of(const struct chip *chip, uint32_t tiles)
{
    struct durations durations = {
        .access = duration(chip, CHIP_TIME_NEURON_ACCESS),
        .update = duration(chip, CHIP_TIME_NEURON_UPDATE),
        .spike = duration(chip, CHIP_TIME_SPIKE),
        .message_out = duration(chip, CHIP_TIME_MESSAGE_OUT),
        .message_in = duration(chip, CHIP_TIME_MESSAGE_IN),
        .local = duration(chip, CHIP_TIME_HOP_LOCAL),
        .east = duration(chip, CHIP_TIME_HOP_EAST),
        .west = duration(chip, CHIP_TIME_HOP_WEST),
        .north = duration(chip, CHIP_TIME_HOP_NORTH),
        .south = duration(chip, CHIP_TIME_HOP_SOUTH),
        .link = duration(chip, CHIP_TIME_LINK),
        .tick = duration(chip, CHIP_TIME_TICK),
        .sync = chip_sync(chip, tiles),
    };
    static const enum chip_figure by_kind[] = {[SYNAPSES_DENSE] = CHIP_TIME_SYNOP_DENSE,
                                               [SYNAPSES_SPARSE] = CHIP_TIME_SYNOP_SPARSE,
                                               [SYNAPSES_CONVOLUTION] =
                                                   CHIP_TIME_SYNOP_CONVOLUTION};
    for (int kind = 0; kind < 3; kind++) {
        durations.synop[kind] = duration_or(chip, by_kind[kind], duration(chip, CHIP_TIME_SYNOP));
        durations.graded[kind] = duration_or(chip, CHIP_TIME_SYNOP_GRADED, durations.synop[kind]);
    }
    return durations;
}

bool latency_known(const struct chip *chip, const struct placement *placement)
{
    bool known = chip->sync_count > 0;
    for (int figure = CHIP_TIME_SYNOP; figure <= CHIP_TIME_TICK; figure++)
        known = known || chip->figure[figure].given;
    return known && !chip->dense && placement != NULL && placement->core_count > 0;
}

bool setting_graded(const struct setting *setting, uint32_t population)
{
    const struct load_population *own = &setting->load->populations[population];
    return setting->chip->graded && (own->coding != NULL || own->spikes_total != own->active_total);
}

/* ---- where neurons sit, and how long cores rest ---- */

/* Ticks, of all, in which an element is updated. A clocked population: in each, unless its neurons'
 * updates were counted; elements of its ports are not updated. Others: once for each vector, when
 * all that it is made of is there. */
static double update_share(const struct load *load, const struct load_population *population)
{
    if (population->clocked || load->ticks == 0)
        return 1;
    double vectors =
        population->spiking ? (double)population->tally.vectors : load_inferences(load);
    return vectors / (double)load->ticks;
}

static double update_of(const struct setting *setting, const struct load_population *population,
                        uint32_t neuron)
{
    const struct load *load = setting->load;
    double share = update_share(load, population);
    if (population->clocked && population->updates != NULL && load->ticks > 0)
        share = (double)population->updates[neuron] / (double)load->ticks;
    return setting->durations.update * share;
}

static void settle_population(struct setting *setting, uint32_t id)
{
    const struct load_population *population = &setting->load->populations[id];
    const struct placement *placement = setting->placement;
    uint32_t end = placement->first_range[population->compartment + 1];
    for (uint32_t i = placement->first_range[population->compartment]; i < end; i++) {
        const struct placed_range *range = &placement->ranges[i];
        for (uint32_t n = range->first; n < range->first + range->count; n++) {
            setting->home[id][n] = range->core;
            if (!population->input)
                setting->rest[range->core] +=
                    setting->durations.access + update_of(setting, population, n);
            if (setting->lead != NULL)
                setting->lead[id][n] = setting->rest[range->core];
        }
    }
}

/* The elements that are no neurons. */
static void settle_ports(struct setting *setting)
{
    const struct load *load = setting->load;
    for (uint32_t i = 0; i < setting->placement->range_count; i++) {
        const struct placed_range *range = &setting->placement->ranges[i];
        const struct load_population *population =
            &load->populations[load->compartments[range->compartment].population];
        if (population->compartment == range->compartment)
            continue;
        double update = population->clocked ? 0 : update_share(load, population);
        setting->rest[range->core] +=
            range->count * (setting->durations.access + setting->durations.update * update);
    }
}

static bool settle(struct setting *setting)
{
    for (uint32_t id = 0; id < setting->load->population_count; id++) {
        const struct load_population *population = &setting->load->populations[id];
        if (population->compartment == UINT32_MAX)
            continue;
        setting->home[id] = calloc((size_t)population->neurons + 1, sizeof **setting->home);
        if (setting->lead != NULL)
            setting->lead[id] = calloc((size_t)population->neurons + 1, sizeof **setting->lead);
        if (setting->home[id] == NULL || (setting->lead != NULL && setting->lead[id] == NULL))
            return false;
        settle_population(setting, id);
    }
    settle_ports(setting);
    for (uint32_t core = 1; core < setting->placement->core_count; core++)
        if (setting->rest[core] > setting->rest[setting->slowest])
            setting->slowest = core;
    return true;
}

static void find_sites(struct setting *setting)
{
    const struct chip_mesh *mesh = &setting->chip->mesh;
    for (uint32_t i = 0; i < setting->placement->core_count; i++) {
        const struct core *core = &setting->placement->cores[i];
        setting->sites[i] =
            (struct site){core->x, core->y, core->x / mesh->columns, core->y / mesh->rows};
    }
}

struct setting *setting_new(const struct load *load, const struct chip *chip,
                            const struct placement *placement, const struct routes *routes,
                            bool leads, struct error *error)
{
    struct setting *setting = calloc(1, sizeof *setting);
    if (setting == NULL) {
        error_no_memory(error, "the time of a run");
        return NULL;
    }
    size_t populations = (size_t)load->population_count + 1;
    *setting = (struct setting){
        .load = load,
        .chip = chip,
        .placement = placement,
        .routes = routes,
        .durations = durations_of(chip, placement->tiles),
        .sites = calloc(placement->core_count, sizeof *setting->sites),
        .home = calloc(populations, sizeof *setting->home),
        .lead = leads ? calloc(populations, sizeof *setting->lead) : NULL,
        .rest = calloc(placement->core_count, sizeof *setting->rest),
    };
    if (setting->sites != NULL && setting->home != NULL && setting->rest != NULL &&
        (!leads || setting->lead != NULL) && settle(setting)) {
        find_sites(setting);
        return setting;
    }
    error_no_memory(error, "the time of a run");
    setting_free(setting);
    return NULL;
}

void setting_free(struct setting *setting)
{
    if (setting == NULL)
        return;
    for (uint32_t id = 0; setting->home != NULL && id < setting->load->population_count; id++)
        free(setting->home[id]);
    for (uint32_t id = 0; setting->lead != NULL && id < setting->load->population_count; id++)
        free(setting->lead[id]);
    free(setting->sites);
    free(setting->home);
    free(setting->lead);
    free(setting->rest);
    free(setting);
}

/* ---- stages ---- */

enum { NO_STAGE = -1 };

static int compare_layers(const void *left, const void *right)
{
    const struct stage *a = left, *b = right;
    return (a->layer > b->layer) - (a->layer < b->layer);
}

static bool fires(const struct load_population *population)
{
    return population->placed && population->spiking;
}

/* One stage for each layer that fires, unless there are fewer than two. */
static bool stages_find(const struct load *load, struct latency *latency)
{
    if (load->clocked)
        return true;
    struct stage *stages = calloc((size_t)load->population_count + 1, sizeof *stages);
    if (stages == NULL)
        return false;
    uint32_t found = 0, count = 0, layers = 0;
    for (uint32_t id = 0; id < load->population_count; id++)
        if (fires(&load->populations[id]))
            stages[found++].layer = load->populations[id].layer;
    qsort(stages, found, sizeof *stages, compare_layers);
    for (uint32_t i = 0; i < found; i++)
        if (count == 0 || stages[count - 1].layer != stages[i].layer) {
            stages[count++].layer = stages[i].layer;
            layers += stages[i].layer >= 0;
        }
    if (layers < 2) {
        free(stages);
        return true;
    }
    latency->stages = stages;
    latency->stage_count = count;
    return true;
}

static int64_t stage_of(const struct load *load, const struct latency *latency, uint32_t population)
{
    if (latency->stages == NULL)
        return NO_STAGE;
    struct stage wanted = {.layer = load->populations[population].layer};
    const struct stage *stage =
        bsearch(&wanted, latency->stages, latency->stage_count, sizeof wanted, compare_layers);
    return stage != NULL ? stage - latency->stages : NO_STAGE;
}

/* ---- the walk ---- */

struct walk {
    const struct setting *setting;
    const struct model *model;
    struct latency *latency;
    uint64_t *slowest;    /* [core_count], ticks in which it was */
    double held;          /* ticks that waited for the chip's own */
    int64_t tick;         /* whose volleys are coming; -1: none yet */
    int64_t done;         /* ticks before this one are added up */
    int64_t stage;        /* of the present tick, so far */
    int64_t stage_before; /* of the last tick in which something fired */
};

/* Adds `count` ticks that kept the cores for `seconds`. */
static void add_ticks(struct walk *walk, uint64_t count, double seconds, uint32_t core,
                      int64_t stage)
{
    const struct durations *durations = &walk->setting->durations;
    struct latency *latency = walk->latency;
    if (count == 0)
        return;
    double length = seconds + durations->sync;
    if (length < durations->tick) {
        length = durations->tick;
        walk->held += (double)count;
    }
    latency->ticks += (double)count;
    latency->seconds += (double)count * length;
    latency->synchronising += (double)count * durations->sync;
    latency->slowest_tick = fmax(latency->slowest_tick, length);
    if (seconds > 0)
        walk->slowest[core] += count;
    if (stage != NO_STAGE)
        latency->stages[stage].seconds += (double)count * length;
}

static void add_quiet(struct walk *walk, uint64_t count, int64_t stage)
{
    const struct setting *setting = walk->setting;
    add_ticks(walk, count, setting->rest[setting->slowest], setting->slowest, stage);
}

/* Ends the present tick, if there is one. What is before the first goes with it. */
static bool finish_tick(struct walk *walk, struct error *error)
{
    if (walk->tick < 0)
        return true;
    double seconds;
    uint32_t core;
    if (!walk->model->finish(walk->model->self, &seconds, &core, error))
        return false;
    bool first = walk->done == 0 && walk->stage_before == NO_STAGE;
    add_quiet(walk, (uint64_t)(walk->tick - walk->done), first ? walk->stage : walk->stage_before);
    add_ticks(walk, 1, seconds, core, walk->stage);
    walk->done = walk->tick + 1;
    walk->stage_before = walk->stage;
    walk->stage = NO_STAGE;
    return true;
}

static bool neurons_fit(const struct load *load, const struct load_volley *volley)
{
    if (volley->population >= load->population_count)
        return false;
    uint32_t neurons = load->populations[volley->population].neurons;
    for (uint32_t i = 0; i < volley->length; i++)
        if (volley->neurons[i] >= neurons)
            return false;
    return true;
}

static bool visit(void *self, const struct load_volley *volley, struct error *error)
{
    struct walk *walk = self;
    const struct load *load = walk->setting->load;
    if (volley->tick < walk->tick || volley->tick < walk->done || !neurons_fit(load, volley))
        return error_set(error, ERROR_FAILED,
                         "trace '%s' is damaged: at tick %" PRId64 ", spikes are out of order or "
                         "beyond their population",
                         load->path != NULL ? load->path : "", volley->tick);
    if (walk->setting->home[volley->population] == NULL || volley->length == 0)
        return true;
    if (volley->tick != walk->tick && !finish_tick(walk, error))
        return false;
    walk->tick = volley->tick;
    int64_t stage = stage_of(load, walk->latency, volley->population);
    walk->stage = stage > walk->stage ? stage : walk->stage;
    return walk->model->fire(walk->model->self, volley, error);
}

/* The figures of all ticks together. */
static void conclude(struct walk *walk)
{
    struct latency *latency = walk->latency;
    double inferences = load_inferences(walk->setting->load);
    latency->known = true;
    latency->real_time = walk->held > latency->ticks / 2;
    latency->per_inference = latency->seconds / inferences;
    latency->busiest_core = UINT32_MAX;
    uint64_t most = 0;
    for (uint32_t core = 0; core < walk->setting->placement->core_count; core++)
        if (walk->slowest[core] > most) {
            most = walk->slowest[core];
            latency->busiest_core = core;
        }
    if (latency->ticks > 0)
        latency->busiest_share = (double)most / latency->ticks;
    for (uint32_t i = 0; i < latency->stage_count; i++) {
        latency->stages[i].seconds /= inferences;
        latency->pipelined = fmax(latency->pipelined, latency->stages[i].seconds);
    }
}

static bool walk_begin(struct walk *walk, struct error *error)
{
    walk->slowest = calloc(walk->setting->placement->core_count, sizeof *walk->slowest);
    walk->tick = -1;
    walk->stage = walk->stage_before = NO_STAGE;
    if (walk->slowest == NULL || !stages_find(walk->setting->load, walk->latency)) {
        free(walk->slowest);
        return error_no_memory(error, "the time of a run");
    }
    return true;
}

bool setting_walk(const struct setting *setting, const struct model *model, struct latency *latency,
                  struct error *error)
{
    const struct load *load = setting->load;
    struct walk walk = {.setting = setting, .model = model, .latency = latency};
    if (!walk_begin(&walk, error))
        return false;
    /* A graded chip sends a train as one spike, at its first tick. */
    bool good = (setting->chip->graded ? load_vectors : load_volleys)(load, visit, &walk, error) &&
                finish_tick(&walk, error);
    if (good) {
        if (load->ticks > (uint64_t)walk.done)
            add_quiet(&walk, load->ticks - (uint64_t)walk.done, walk.stage_before);
        conclude(&walk);
    }
    free(walk.slowest);
    return good;
}

/* Virtual ticks that a population's vectors took. */
static double ticks_of(const struct load_population *population)
{
    return fires(population) && population->neurons > 0
               ? (double)population->tally.slots / population->neurons
               : 0;
}

bool setting_even(const struct setting *setting, double seconds, uint32_t core,
                  struct latency *latency, struct error *error)
{
    const struct load *load = setting->load;
    struct walk walk = {.setting = setting, .latency = latency};
    if (!walk_begin(&walk, error))
        return false;
    add_ticks(&walk, load->ticks, seconds, core, NO_STAGE);
    double all = 0;
    for (uint32_t id = 0; id < load->population_count; id++)
        all += ticks_of(&load->populations[id]);
    for (uint32_t id = 0; latency->stages != NULL && all > 0 && id < load->population_count; id++) {
        double ticks = ticks_of(&load->populations[id]);
        if (ticks > 0)
            latency->stages[stage_of(load, latency, id)].seconds += latency->seconds * ticks / all;
    }
    latency->lower_bound = true;
    conclude(&walk);
    free(walk.slowest);
    return true;
}
