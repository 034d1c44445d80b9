/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Time by a queue of messages.
 *
 * In every tick each core goes through its neurons in order of population and number, then through
 * the elements of other compartments; for each spike it sends one message to each core that the
 * spike leads to, in order of cores. What it takes to get to a neuron and to update it, and its
 * spike, is in the time until its first message (or, if it sends none, the next neuron's) is
 * generated; each message adds message_out. latency_mesh.c takes them from there.
 *
 * What fires in a tick is gathered, dealt to the cores it sits on, and forgotten when the tick is
 * done: memory is that of the tick with most messages.
 */
#include "traces/energy/latency_mesh.h"

#include <stdlib.h>

/* A neuron that fires. */
struct sender {
    uint32_t population, neuron;
    uint32_t spikes;
    uint32_t next; /* on the same core, + 1; 0: none */
};

struct queue_model {
    const struct setting *setting;
    struct mesh *mesh;
    /* Picoseconds */
    int64_t spike, message_out;
    double message_in, synop[3], graded[3];
    /* The present tick */
    struct sender *senders; /* [sender_count] */
    size_t sender_count, sender_room;
    bool in_order;          /* they stand by population, then neuron */
    uint32_t *first, *last; /* [core_count], the core's senders, + 1; 0: none */
    uint32_t *sources;      /* [source_count], cores with senders */
    uint32_t source_count;
    double total; /* all durations */
    /* The run */
    double messages, held_up; /* seconds */
    uint32_t longest_queue;
};

static bool too_long(struct error *error)
{
    return error_set(error, ERROR_FAILED,
                     "the queue model cannot count a tick of more than 13 days; look at the chip's "
                     "figures of time");
}

static int compare_senders(const void *left, const void *right)
{
    const struct sender *a = left, *b = right;
    if (a->population != b->population)
        return a->population < b->population ? -1 : 1;
    if (a->neuron != b->neuron)
        return a->neuron < b->neuron ? -1 : 1;
    return (a->spikes > b->spikes) - (a->spikes < b->spikes);
}

static bool fire(void *self, const struct load_volley *volley, struct error *error)
{
    struct queue_model *model = self;
    size_t wanted = model->sender_count + volley->length;
    if (wanted > UINT32_MAX - 1)
        return error_no_memory(error, "the senders of a tick");
    if (wanted > model->sender_room) {
        struct sender *more = realloc(model->senders, 2 * wanted * sizeof *more);
        if (more == NULL)
            return error_no_memory(error, "the senders of a tick");
        model->senders = more;
        model->sender_room = 2 * wanted;
    }
    for (uint32_t i = 0; i < volley->length; i++) {
        struct sender own = {.population = volley->population,
                             .neuron = volley->neurons[i],
                             .spikes = setting_spikes(model->setting, volley, i)};
        if (model->sender_count > 0 &&
            compare_senders(&model->senders[model->sender_count - 1], &own) >= 0)
            model->in_order = false;
        model->senders[model->sender_count++] = own;
    }
    return true;
}

static int compare_numbers(const void *left, const void *right)
{
    const uint32_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

/* Gives each core its senders. */
static void deal_senders(struct queue_model *model)
{
    if (!model->in_order)
        qsort(model->senders, model->sender_count, sizeof *model->senders, compare_senders);
    for (uint32_t i = 0; i < model->sender_count; i++) {
        struct sender *sender = &model->senders[i];
        uint32_t core = model->setting->home[sender->population][sender->neuron];
        sender->next = 0;
        if (model->first[core] == 0) {
            model->first[core] = i + 1;
            model->sources[model->source_count++] = core;
        } else {
            model->senders[model->last[core] - 1].next = i + 1;
        }
        model->last[core] = i + 1;
    }
    qsort(model->sources, model->source_count, sizeof *model->sources, compare_numbers);
}

static double messages_of(const struct queue_model *model)
{
    double messages = 0;
    for (size_t i = 0; i < model->sender_count; i++) {
        const struct sender *sender = &model->senders[i];
        uint64_t count;
        routes_of(model->setting->routes, sender->population, sender->neuron, &count);
        messages += (double)count * sender->spikes;
    }
    return messages;
}

/* A message for each route of a spike; the first takes `gap` longer to generate. */
static bool add_messages(struct queue_model *model, uint32_t core, const double *synop,
                         const struct route *route, uint64_t count, int64_t gap,
                         struct error *error)
{
    double longest_way = (double)mesh_longest_way(model->mesh);
    for (const struct route *end = route + count; route < end; route++) {
        double handling = model->message_in +
                          route->synapses[SYNAPSES_DENSE] * synop[SYNAPSES_DENSE] +
                          route->synapses[SYNAPSES_SPARSE] * synop[SYNAPSES_SPARSE] +
                          route->synapses[SYNAPSES_CONVOLUTION] * synop[SYNAPSES_CONVOLUTION];
        model->total += (double)model->message_out + handling + longest_way;
        if (!(model->total < MESH_LIMIT))
            return too_long(error);
        mesh_send(model->mesh, core, route->core, gap + model->message_out, whole(handling));
        gap = 0;
    }
    return true;
}

/* All spikes of a neuron, which is reached after *gap. What of that no message has waited for stays
 * in *gap. */
static bool add_spikes(struct queue_model *model, uint32_t core, const struct sender *sender,
                       int64_t *gap, struct error *error)
{
    const struct setting *setting = model->setting;
    int64_t spike = setting->load->populations[sender->population].input ? 0 : model->spike;
    bool graded = setting_graded(setting, sender->population);
    uint64_t count;
    const struct route *route =
        routes_of(setting->routes, sender->population, sender->neuron, &count);
    model->total += (double)spike * sender->spikes;
    if (!(model->total < MESH_LIMIT))
        return too_long(error);
    if (count == 0)
        *gap += spike * sender->spikes;
    for (uint32_t i = 0; count > 0 && i < sender->spikes; i++) {
        if (!add_messages(model, core, graded ? model->graded : model->synop, route, count,
                          *gap + spike, error))
            return false;
        *gap = 0;
    }
    return true;
}

/* All messages of a core, in order. */
static bool send_all(struct queue_model *model, uint32_t core, struct error *error)
{
    const struct setting *setting = model->setting;
    int64_t reached = 0, gap = 0;
    int64_t rest = whole(picoseconds(setting->rest[core]));
    model->total += (double)rest;
    for (uint32_t i = model->first[core]; i != 0; i = model->senders[i - 1].next) {
        const struct sender *sender = &model->senders[i - 1];
        int64_t lead = whole(picoseconds(setting->lead[sender->population][sender->neuron]));
        gap += lead - reached;
        reached = lead;
        if (!add_spikes(model, core, sender, &gap, error))
            return false;
    }
    mesh_trail(model->mesh, core, gap + rest - reached);
    model->first[core] = 0;
    return true;
}

static bool finish(void *self, double *seconds, uint32_t *core, struct error *error)
{
    struct queue_model *model = self;
    double messages = messages_of(model);
    if (!mesh_reserve(model->mesh, messages, error))
        return false;
    deal_senders(model);
    model->total = 0;
    for (uint32_t i = 0; i < model->source_count; i++)
        if (!send_all(model, model->sources[i], error))
            return false;
    struct mesh_passage passage;
    if (!mesh_deliver(model->mesh, &passage, error))
        return false;
    *seconds = (double)passage.duration * 1e-12;
    *core = passage.last_core;
    model->messages += messages;
    model->held_up += (double)passage.held_up * 1e-12;
    if (passage.longest_queue > model->longest_queue)
        model->longest_queue = passage.longest_queue;
    model->sender_count = 0;
    model->source_count = 0;
    model->in_order = true;
    return true;
}

static bool model_begin(struct queue_model *model, const struct setting *setting,
                        struct error *error)
{
    const struct durations *durations = &setting->durations;
    uint32_t cores = setting->placement->core_count;
    if (!(picoseconds(durations->spike + durations->message_out) < MESH_LIMIT))
        return too_long(error);
    model->setting = setting;
    model->in_order = true;
    model->spike = whole(picoseconds(durations->spike));
    model->message_out = whole(picoseconds(durations->message_out));
    model->message_in = picoseconds(durations->message_in);
    for (int kind = 0; kind < 3; kind++) {
        model->synop[kind] = picoseconds(durations->synop[kind]);
        model->graded[kind] = picoseconds(durations->graded[kind]);
    }
    model->mesh = mesh_new(setting, error);
    if (model->mesh == NULL)
        return false;
    model->first = calloc(cores, sizeof *model->first);
    model->last = calloc(cores, sizeof *model->last);
    model->sources = calloc(cores, sizeof *model->sources);
    return (model->first != NULL && model->last != NULL && model->sources != NULL) ||
           error_no_memory(error, "the time of a run");
}

static bool work_out(const struct setting *setting, struct latency *latency, struct error *error)
{
    struct queue_model own = {0};
    struct model model = {&own, fire, finish};
    bool good = model_begin(&own, setting, error) && setting_walk(setting, &model, latency, error);
    latency->messages = own.messages;
    latency->blocked_seconds = own.held_up;
    latency->longest_queue = own.longest_queue;
    mesh_free(own.mesh);
    free(own.senders);
    free(own.first);
    free(own.last);
    free(own.sources);
    return good;
}

bool latency_queue(const struct load *load, const struct chip *chip,
                   const struct placement *placement, const struct routes *routes,
                   struct latency *latency, struct error *error)
{
    *latency = (struct latency){.busiest_core = UINT32_MAX};
    if (!latency_known(chip, placement))
        return true;
    struct setting *setting = setting_new(load, chip, placement, routes, true, error);
    bool good = setting != NULL && work_out(setting, latency, error);
    setting_free(setting);
    if (!good)
        latency_free(latency);
    return good;
}
