/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Time per tick: the slowest core counts.
 *
 *     core = generation + processing + longest way of a message that reached it
 *     generation = elements x access + updates x update + spikes x spike
 *                  + messages x message_out
 *     processing = messages x message_in + synops by kind x synop
 *     tick = max(slowest core + sync of the tiles in use, the chip's own tick)
 *
 * Inputs take no access, update or spike. SANA-FE's simple model lets a core generate and process
 * at once, so that the longer of the two counts, and leaves the way out.
 *
 * What a core needs when nothing fires (setting.rest) is the same in every tick; a tick adds what
 * its spikes cause to the cores they touch, and in the end forgets those cores only.
 *
 * The mean tick is each neuron's spikes over all ticks. A maximum of means is at most the mean of
 * maxima, so it is a lower bound; for the longest way, that holds of each neuron's way times the
 * share of ticks in which it fires.
 */
#include "traces/energy/latency_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What the present tick's spikes cause on one core. */
struct core_work {
    double seconds;
    double longest; /* way */
    bool touched;
};

struct per_tick {
    const struct setting *setting;
    struct core_work *work; /* [core_count] */
    uint32_t *touched;      /* [touched_count], cores with work */
    uint32_t touched_count;
    /* Of the population that fires: */
    const double *synop; /* [3] */
    double spike;
    /* Of a population whose neurons share their routes, by core that they sit on. */
    double *spikes;    /* [core_count], 0 but for … */
    double *fraction;  /* [core_count], the largest share of ticks in which one of them fires */
    uint32_t *sources; /* … [source_count], these cores */
    uint32_t source_count;
};

static struct core_work *touch(struct per_tick *tick, uint32_t core)
{
    struct core_work *work = &tick->work[core];
    if (!work->touched) {
        *work = (struct core_work){.touched = true};
        tick->touched[tick->touched_count++] = core;
    }
    return work;
}

static void begin_population(struct per_tick *tick, uint32_t id)
{
    const struct setting *setting = tick->setting;
    const struct durations *durations = &setting->durations;
    tick->synop = setting_graded(setting, id) ? durations->graded : durations->synop;
    tick->spike = setting->load->populations[id].input ? 0 : durations->spike;
}

/* `spikes` spikes leave a core over the routes of a neuron that fires in such a fraction of
 * ticks. */
static void send(struct per_tick *tick, uint32_t population, uint32_t neuron, uint32_t from,
                 double spikes, double fraction)
{
    const struct setting *setting = tick->setting;
    const struct durations *durations = &setting->durations;
    double in = durations->message_in, dense = tick->synop[SYNAPSES_DENSE];
    double sparse = tick->synop[SYNAPSES_SPARSE];
    double convolution = tick->synop[SYNAPSES_CONVOLUTION];
    uint64_t count;
    const struct route *route = routes_of(setting->routes, population, neuron, &count);
    touch(tick, from)->seconds += spikes * (tick->spike + (double)count * durations->message_out);
    for (const struct route *end = route + count; route < end; route++) {
        struct core_work *to = touch(tick, route->core);
        to->seconds += spikes * (in + route->synapses[SYNAPSES_DENSE] * dense +
                                 route->synapses[SYNAPSES_SPARSE] * sparse +
                                 route->synapses[SYNAPSES_CONVOLUTION] * convolution);
        double way = fraction * setting_way(setting, from, route->core);
        if (way > to->longest)
            to->longest = way;
    }
}

static void gather(struct per_tick *tick, uint32_t core, double spikes, double fraction)
{
    if (tick->spikes[core] == 0)
        tick->sources[tick->source_count++] = core;
    tick->spikes[core] += spikes;
    if (fraction > tick->fraction[core])
        tick->fraction[core] = fraction;
}

static void send_gathered(struct per_tick *tick, uint32_t population)
{
    for (uint32_t i = 0; i < tick->source_count; i++) {
        uint32_t core = tick->sources[i];
        send(tick, population, 0, core, tick->spikes[core], tick->fraction[core]);
        tick->spikes[core] = 0;
        tick->fraction[core] = 0;
    }
    tick->source_count = 0;
}

static bool fire(void *self, const struct load_volley *volley, struct error *error)
{
    (void)error;
    struct per_tick *tick = self;
    uint32_t id = volley->population;
    const uint32_t *home = tick->setting->home[id];
    bool shared = tick->setting->routes->populations[id].shared;
    begin_population(tick, id);
    for (uint32_t i = 0; i < volley->length; i++) {
        uint32_t neuron = volley->neurons[i];
        uint32_t spikes = setting_spikes(tick->setting, volley, i);
        if (spikes == 0)
            continue;
        if (shared)
            gather(tick, home[neuron], spikes, 1);
        else
            send(tick, id, neuron, home[neuron], spikes, 1);
    }
    send_gathered(tick, id);
    return true;
}

static bool finish(void *self, double *seconds, uint32_t *core, struct error *error)
{
    (void)error;
    struct per_tick *tick = self;
    *core = tick->setting->slowest;
    *seconds = tick->setting->rest[*core];
    for (uint32_t i = 0; i < tick->touched_count; i++) {
        uint32_t other = tick->touched[i];
        struct core_work *work = &tick->work[other];
        double own = tick->setting->rest[other] + work->seconds + work->longest;
        if (own > *seconds || (own == *seconds && other < *core)) {
            *seconds = own;
            *core = other;
        }
        work->touched = false;
    }
    tick->touched_count = 0;
    return true;
}

/* The mean tick's share of what a population fired. */
static void fire_mean(struct per_tick *tick, uint32_t id)
{
    const struct setting *setting = tick->setting;
    const struct load_population *own = &setting->load->populations[id];
    const uint64_t *sent = setting->chip->graded ? own->active : own->spikes;
    uint64_t sent_total = setting->chip->graded ? own->active_total : own->spikes_total;
    double ticks = (double)setting->load->ticks;
    double even = (double)sent_total / own->neurons / ticks;
    double even_active = (double)own->active_total / own->neurons / ticks;
    begin_population(tick, id);
    for (uint32_t n = 0; n < own->neurons; n++) {
        double spikes = sent != NULL ? (double)sent[n] / ticks : even;
        double active = own->active != NULL ? (double)own->active[n] / ticks : even_active;
        if (spikes == 0)
            continue;
        if (setting->routes->populations[id].shared)
            gather(tick, setting->home[id][n], spikes, fmin(active, 1));
        else
            send(tick, id, n, setting->home[id][n], spikes, fmin(active, 1));
    }
    send_gathered(tick, id);
}

static bool mean_tick(struct per_tick *tick, struct latency *latency, struct error *error)
{
    const struct load *load = tick->setting->load;
    for (uint32_t id = 0; id < load->population_count && load->ticks > 0; id++)
        if (tick->setting->home[id] != NULL)
            fire_mean(tick, id);
    double seconds;
    uint32_t core;
    return finish(tick, &seconds, &core, error) &&
           setting_even(tick->setting, seconds, core, latency, error);
}

static bool work_out(const struct setting *setting, struct latency *latency, struct error *error)
{
    uint32_t cores = setting->placement->core_count;
    struct per_tick tick = {
        .setting = setting,
        .work = calloc(cores, sizeof *tick.work),
        .touched = calloc(cores, sizeof *tick.touched),
        .spikes = calloc(cores, sizeof *tick.spikes),
        .fraction = calloc(cores, sizeof *tick.fraction),
        .sources = calloc(cores, sizeof *tick.sources),
    };
    struct model model = {&tick, fire, finish};
    bool good = false;
    if (tick.work == NULL || tick.touched == NULL || tick.spikes == NULL || tick.fraction == NULL ||
        tick.sources == NULL)
        error_no_memory(error, "the time of a run");
    else if (setting->load->has_spikes)
        good = setting_walk(setting, &model, latency, error);
    else
        good = mean_tick(&tick, latency, error);
    free(tick.work);
    free(tick.touched);
    free(tick.spikes);
    free(tick.fraction);
    free(tick.sources);
    return good;
}

bool latency_per_tick(const struct load *load, const struct chip *chip,
                      const struct placement *placement, const struct routes *routes,
                      struct latency *latency, struct error *error)
{
    *latency = (struct latency){.busiest_core = UINT32_MAX};
    if (!latency_known(chip, placement))
        return true;
    struct setting *setting = setting_new(load, chip, placement, routes, false, error);
    bool good = setting != NULL && work_out(setting, latency, error);
    setting_free(setting);
    if (!good)
        latency_free(latency);
    return good;
}

void latency_free(struct latency *latency)
{
    free(latency->stages);
    *latency = (struct latency){.busiest_core = UINT32_MAX};
}
