/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Building a network from its blueprint, in three steps: the weights of every projection are made
 * (drawn, sorted, turned); from their delays follows how many coming ticks each port must hold, and
 * from their weights whether it can add up integers, so that populations can be made; then the
 * projections join them.
 */
#include "neurons/build.h"

#include <math.h>
#include <stdlib.h>

#include "neurons/delivery/dense.h"
#include "neurons/delivery/diagonal.h"
#include "neurons/event_cells.h"

/* A projection's weights before it has its populations. */
struct link {
    const struct projection_kind *kind;
    void (*describe)(struct projection *projection);
    void *weights;
    uint32_t delay, most_extra; /* ticks */
};

struct build {
    const struct blueprint *blueprint;
    const struct build_options *options;
    struct network *network;
    struct link *links; /* [projection_count] */
    bool events;        /* from event to event: the network's tick is a fine one */
    double tick_seconds;
};

enum {
    DELAY_LIMIT = 65535, /* ticks that synapses' delays may differ by */
    MOST_EVENTS = 1024,  /* payload of a Poisson source, at most */
    PARAMETER_STREAMS = 64, /* random streams kept for each population's parameters */
    POPULATION_LIMIT = 1 << 22 /* so that there are enough streams */
};

/* ---- projections' weights ---- */

static const char *name_of(const struct blueprint_projection *p)
{
    return p->name != NULL ? p->name : "(unnamed)";
}

/* What a spike's weight is multiplied by: pulses of area w are currents w / dt for one tick. */
static double weight_factor(const struct build *build)
{
    const struct cell_rules *rules = &build->blueprint->rules;
    return rules->area == AREA_IMPULSE && !build->events ? 1 / rules->dt : 1;
}

static bool shows_values(const struct build *build, uint32_t population)
{
    const struct blueprint_population *p = &build->blueprint->populations[population];
    return p->model != NULL ? (p->model->output & CELLS_FIRE) == 0
                            : p->spikes == NULL && build->options->inputs_show;
}

static bool delay_in_ticks(const struct build *build, double delay, uint32_t *ticks,
                           struct error *error)
{
    double exact = delay / build->tick_seconds;
    if (!(exact >= 0 && exact < INT32_MAX))
        return error_set(error, ERROR_MISUSED, "a delay of %g s is not between 0 and %d ticks",
                         delay, INT32_MAX);
    *ticks = (uint32_t)nearbyint(exact);
    if (*ticks < 1)
        *ticks = 1;
    return true;
}

/* Delays one by one: the smallest becomes the projection's, the rest extras. */
static bool split_delays(const struct build *build, const struct blueprint_projection *p,
                         uint64_t length, struct link *link, uint32_t **extras,
                         struct error *error)
{
    *extras = NULL;
    if (p->delays == NULL || length == 0)
        return p->immediate || delay_in_ticks(build, p->delay, &link->delay, error);
    uint32_t *ticks = malloc(length * sizeof *ticks), least = UINT32_MAX, most = 0;
    if (ticks == NULL)
        return error_no_memory(error, "delays");
    *extras = ticks;
    for (uint64_t i = 0; i < length; i++) {
        if (!delay_in_ticks(build, p->delays[i], &ticks[i], error))
            return false;
        least = ticks[i] < least ? ticks[i] : least;
        most = ticks[i] > most ? ticks[i] : most;
    }
    uint32_t limit = build->events ? 0 : DELAY_LIMIT;
    if (most - least > limit)
        return error_set(error, ERROR_MISUSED,
                         "its delays differ by %u ticks; at most %u are possible%s", most - least,
                         limit, build->events ? " where integration goes by events" : "");
    for (uint64_t i = 0; i < length; i++)
        ticks[i] -= least;
    link->delay = least;
    link->most_extra = most - least;
    return true;
}

/* Weights times the factor, in memory of their own. */
static double *scaled_weights(const struct blueprint_projection *p, uint64_t length, double factor,
                              struct error *error)
{
    double *weights = malloc((length > 0 ? length : 1) * sizeof *weights);
    if (weights == NULL)
        error_no_memory(error, "weights");
    for (uint64_t i = 0; weights != NULL && i < length; i++)
        weights[i] = p->weights[i] * factor;
    return weights;
}

static void scale_distribution(struct distribution *d, double factor)
{
    if (d->kind == DISTRIBUTION_LOGNORMAL) {
        d->a += log(factor);
    } else {
        d->a *= factor;
        d->b *= factor;
    }
    d->low *= factor;
    d->high *= factor;
}

struct sparse *blueprint_draw(const struct blueprint *blueprint, uint32_t projection, double factor,
                              double tick_seconds, struct workers *workers, uint32_t *delay_ticks,
                              struct error *error)
{
    const struct blueprint_projection *p = &blueprint->projections[projection];
    struct connection connection = p->connection;
    connection.dt = tick_seconds;
    connection.delay_limit = INT32_MAX;
    connection.same_population = p->source == p->target;
    connection.scale *= factor;
    scale_distribution(&connection.weight, factor);
    struct sparse *sparse = connect_draw(&connection, blueprint->populations[p->source].neurons,
                                         blueprint->populations[p->target].neurons,
                                         blueprint->rules.seed, projection, workers, error);
    *delay_ticks = p->immediate ? 0 : connection.delay_ticks;
    return sparse;
}

static bool make_rule(const struct build *build, uint32_t index, double factor, struct link *link,
                      struct error *error)
{
    struct sparse *sparse = blueprint_draw(build->blueprint, index, factor, build->tick_seconds,
                                           build->options->workers, &link->delay, error);
    link->kind = &projection_sparse;
    link->describe = sparse_describe;
    link->weights = sparse;
    link->most_extra = sparse != NULL ? sparse->most_extra : 0;
    if (build->events && link->most_extra > 0)
        return error_set(
            error, ERROR_MISUSED,
            "synapses cannot have delays of their own where integration goes by events");
    return sparse != NULL;
}

static bool make_lists(const struct build *build, const struct blueprint_projection *p,
                       double factor, struct link *link, struct error *error)
{
    uint32_t *extras;
    bool done = split_delays(build, p, p->synapses, link, &extras, error);
    double *weights =
        done && p->weights != NULL ? scaled_weights(p, p->synapses, factor, error) : NULL;
    if (done && (p->weights == NULL || weights != NULL))
        link->weights = sparse_from_lists(build->blueprint->populations[p->source].neurons,
                                          build->blueprint->populations[p->target].neurons,
                                          p->synapses, p->sources, p->targets, weights,
                                          p->same * factor, p->format, p->scale * factor, extras,
                                          error);
    free(weights);
    free(extras);
    link->kind = &projection_sparse;
    link->describe = sparse_describe;
    return link->weights != NULL;
}

static bool make_dense(const struct build *build, const struct blueprint_projection *p,
                       double factor, struct link *link, struct error *error)
{
    uint32_t sources = build->blueprint->populations[p->source].neurons;
    uint32_t targets = build->blueprint->populations[p->target].neurons;
    double *weights = scaled_weights(p, (uint64_t)sources * targets, factor, error);
    if (weights != NULL)
        link->weights = dense_new(targets, sources, weights, p->format, p->scale * factor, error);
    free(weights);
    link->kind = &projection_dense;
    link->describe = dense_describe;
    return link->weights != NULL &&
           (p->immediate || delay_in_ticks(build, p->delay, &link->delay, error));
}

static bool make_convolution(const struct build *build, const struct blueprint_projection *p,
                             double factor, struct link *link, struct error *error)
{
    const struct convolution_shape *shape = &p->shape;
    uint64_t length = (uint64_t)shape->out_channels * (shape->in_channels / shape->groups) *
                      shape->kernel_height * shape->kernel_width;
    float *weights = malloc((length > 0 ? length : 1) * sizeof *weights);
    if (weights == NULL)
        return error_no_memory(error, "weights");
    for (uint64_t i = 0; i < length; i++)
        weights[i] = (float)(p->weights[i] * factor);
    link->weights = convolution_new(shape, weights, error);
    free(weights);
    link->kind = &projection_convolution;
    link->describe = convolution_describe;
    return link->weights != NULL &&
           (p->immediate || delay_in_ticks(build, p->delay, &link->delay, error));
}

static bool make_pooling(const struct build *build, const struct blueprint_projection *p,
                         double factor, struct link *link, struct error *error)
{
    link->weights = pooling_new(&p->shape, p->same * factor, error);
    link->kind = &projection_pooling;
    link->describe = convolution_describe;
    return link->weights != NULL &&
           (p->immediate || delay_in_ticks(build, p->delay, &link->delay, error));
}

static bool make_diagonal(const struct build *build, const struct blueprint_projection *p,
                          double factor, struct link *link, struct error *error)
{
    uint32_t neurons = build->blueprint->populations[p->source].neurons, *extras;
    if (neurons != build->blueprint->populations[p->target].neurons)
        return error_set(error, ERROR_MISUSED,
                         "one to one needs populations of one size, not %u and %u", neurons,
                         build->blueprint->populations[p->target].neurons);
    bool done = split_delays(build, p, neurons, link, &extras, error);
    double *weights = done && p->weights != NULL ? scaled_weights(p, neurons, factor, error) : NULL;
    if (done && (p->weights == NULL || weights != NULL))
        link->weights = diagonal_new(neurons, weights, p->same * factor, extras, error);
    free(weights);
    free(extras);
    link->kind = &projection_diagonal;
    link->describe = diagonal_describe;
    return link->weights != NULL;
}

static bool make_link(const struct build *build, uint32_t index, struct error *error)
{
    const struct blueprint_projection *p = &build->blueprint->projections[index];
    struct link *link = &build->links[index];
    double factor = shows_values(build, p->source) ? 1 : weight_factor(build);
    switch (p->kind) {
    case LINK_RULE: return make_rule(build, index, factor, link, error);
    case LINK_LISTS: return make_lists(build, p, factor, link, error);
    case LINK_DENSE: return make_dense(build, p, factor, link, error);
    case LINK_CONVOLUTION: return make_convolution(build, p, factor, link, error);
    case LINK_POOLING: return make_pooling(build, p, factor, link, error);
    case LINK_DIAGONAL: return make_diagonal(build, p, factor, link, error);
    }
    return false;
}

/* ---- what ports have to hold ---- */

/* The weight, if one for all that are not zero, or else what integers are multiples of; 0 where
 * neither is the case. *most is the largest multiple. */
static double measure_of(const struct build *build, uint32_t index, double *most)
{
    const struct blueprint_projection *p = &build->blueprint->projections[index];
    const struct link *link = &build->links[index];
    double factor = weight_factor(build);
    *most = 1;
    if (link->kind == &projection_sparse) {
        const struct sparse *sparse = link->weights;
        if (sparse->format == WEIGHT_SAME)
            return fabs(sparse->same);
        *most = sparse->format == WEIGHT_INT8 ? INT8_MAX : INT16_MAX;
        return sparse->format == WEIGHT_FLOAT ? 0 : sparse->scale;
    }
    if (p->kind == LINK_DIAGONAL && p->weights == NULL)
        return fabs(p->same * factor);
    if (p->kind != LINK_DENSE || p->format == WEIGHT_FLOAT)
        return 0;
    *most = p->format == WEIGHT_INT8 ? INT8_MAX : INT16_MAX;
    return p->scale * factor;
}

/* The most synapses that end in one neuron. */
static double most_inputs(const struct build *build, uint32_t index)
{
    const struct blueprint_projection *p = &build->blueprint->projections[index];
    const struct blueprint *blueprint = build->blueprint;
    const struct sparse *sparse = build->links[index].weights;
    uint32_t targets = blueprint->populations[p->target].neurons, most = 0;
    if (build->links[index].kind != &projection_sparse)
        return p->kind == LINK_DIAGONAL ? 1 : blueprint->populations[p->source].neurons;
    uint32_t *inputs = calloc(targets, sizeof *inputs);
    uint64_t synapses = sparse->row[sparse->sources];
    if (inputs == NULL)
        return INFINITY;
    for (uint64_t i = 0; i < synapses; i++)
        inputs[sparse->target16 != NULL ? sparse->target16[i] : sparse->target32[i]]++;
    for (uint32_t i = 0; i < targets; i++)
        most = inputs[i] > most ? inputs[i] : most;
    free(inputs);
    return most;
}

/* The most that one spike can bring; INFINITY where payloads have no bound. */
static double most_payload(const struct blueprint_population *source)
{
    if (source->model == NULL)
        return INFINITY;
    if (source->model == cell_model_find("poisson", NULL))
        return MOST_EVENTS;
    return source->model == cell_model_find("graded", NULL) ||
                   source->model == cell_model_find("sigma_delta", NULL)
               ? INFINITY
               : 1;
}

/* Whether all weights into a port are whole multiples of one number, and few enough that their sum
 * stays within 32 bits whatever fires: then integers can be added up. Returns that number, or 0;
 * *integers is set if weights are held as integers. */
static double common_scale(const struct build *build, uint32_t target, uint32_t port,
                           bool *integers)
{
    const struct blueprint *blueprint = build->blueprint;
    double scale = INFINITY, sum = 0;
    if (blueprint->rules.several)
        return 0;
    for (uint32_t i = 0; i < blueprint->projection_count; i++) {
        const struct blueprint_projection *p = &blueprint->projections[i];
        double most, measure;
        if (p->target != target || p->port != port)
            continue;
        measure = measure_of(build, i, &most);
        if (measure == 0 || shows_values(build, p->source))
            return 0;
        *integers |= most > 1;
        scale = measure < scale ? measure : scale;
    }
    for (uint32_t i = 0; i < blueprint->projection_count; i++) {
        const struct blueprint_projection *p = &blueprint->projections[i];
        if (p->target != target || p->port != port)
            continue;
        double most, measure = measure_of(build, i, &most), multiple = nearbyint(measure / scale);
        bool whole =
            most > 1 ? measure == scale : fabs(multiple * scale - measure) <= 1e-12 * measure;
        sum += most * multiple * most_inputs(build, i) *
               most_payload(&blueprint->populations[p->source]);
        if (!whole || !(sum < INT32_MAX))
            return 0;
    }
    return isfinite(scale) ? scale : 0;
}

static uint32_t slots_for(const struct build *build, uint32_t target, uint32_t port)
{
    uint32_t slots = 1;
    for (uint32_t i = 0; i < build->blueprint->projection_count; i++) {
        const struct blueprint_projection *p = &build->blueprint->projections[i];
        while (p->target == target && p->port == port && slots <= build->links[i].most_extra)
            slots *= 2;
    }
    return slots;
}

/* ---- populations ---- */

const double *blueprint_numbers(const struct blueprint *blueprint, uint32_t population,
                                uint32_t which, const struct quantity *quantity, uint32_t *length,
                                double **made, struct error *error)
{
    *length = 1;
    switch (quantity->kind) {
    case QUANTITY_STANDARD: return NULL;
    case QUANTITY_CONSTANT: return &quantity->constant;
    case QUANTITY_ARRAY: *length = quantity->length; return quantity->array;
    case QUANTITY_DRAWN: break;
    }
    *length = blueprint->populations[population].neurons;
    *made = malloc(*length * sizeof **made);
    if (*made == NULL) {
        error_no_memory(error, "parameters");
        return NULL;
    }
    struct random_stream stream = random_stream_of(blueprint->rules.seed, RANDOM_PARAMETER,
                                                   population * PARAMETER_STREAMS + which);
    distribution_fill(&quantity->drawn, &stream, *length, *made);
    return *made;
}

static bool add_cells(struct build *build, uint32_t index, struct error *error)
{
    const struct blueprint_population *p = &build->blueprint->populations[index];
    double *made[CELL_PARAMETERS + CELL_VARIABLES] = {NULL};
    struct cell_settings settings = {.rules = build->blueprint->rules,
                                     .updates = build->options->updates};
    for (uint32_t i = 0; p->model->parameters[i].name != NULL; i++)
        settings.parameter[i] = blueprint_numbers(build->blueprint, index, i, &p->parameter[i],
                                                  &settings.parameter_length[i], &made[i], error);
    for (uint32_t i = 0; p->model->variables[i].name != NULL; i++)
        settings.initial[i] =
            blueprint_numbers(build->blueprint, index, CELL_PARAMETERS + i, &p->initial[i],
                              &settings.initial_length[i], &made[CELL_PARAMETERS + i], error);
    for (uint32_t i = 0; p->model->ports[i] != NULL; i++) {
        settings.drive[i] = p->drive[i];
        settings.slots[i] = slots_for(build, index, i);
        bool integers = false;
        settings.scale[i] = common_scale(build, index, i, &integers);
        settings.sums[i] = settings.scale[i] <= 0 || build->events ? SUM_DOUBLES
                           : integers                              ? SUM_INTEGERS
                                                                   : SUM_EITHER;
    }
    const struct population *made_of =
        error->code != ERROR_NONE ? NULL
        : build->events
            ? event_cells_new(build->network, p->name, p->model, p->neurons, &settings,
                              build->tick_seconds, error)
            : cells_new(build->network, p->name, p->model, p->neurons, &settings, error);
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        free(made[i]);
    return made_of != NULL;
}

static bool add_population(struct build *build, uint32_t index, struct error *error)
{
    const struct blueprint_population *p = &build->blueprint->populations[index];
    if (p->model != NULL)
        return add_cells(build, index, error);
    struct population *input = input_new(build->network, p->name, p->neurons,
                                         shows_values(build, index), error);
    return input != NULL &&
           (!build->events || input_stride(input, EVENT_RESOLUTION, error)) &&
           (p->spikes == NULL || input_feed_spikes(input, p->spikes, p->spike_count, error));
}

static bool add_projection(struct build *build, uint32_t index, struct error *error)
{
    const struct blueprint_projection *p = &build->blueprint->projections[index];
    struct link *link = &build->links[index];
    bool values = shows_values(build, p->source);
    uint32_t port = p->port;
    if (build->events && values) /* a current that flows until it changes */
        port += event_cells_ports(build->blueprint->populations[p->target].model);
    struct projection *projection = network_add_projection(
        build->network, p->name, link->kind, link->weights,
        build->network->populations[p->source], values ? CARRIES_VALUES : CARRIES_SPIKES,
        build->network->populations[p->target], port, link->delay, error);
    link->weights = NULL;
    if (projection == NULL)
        return false;
    projection->most_extra = link->most_extra;
    link->describe(projection);
    return true;
}

static bool build_all(struct build *build, struct error *error)
{
    const struct blueprint *blueprint = build->blueprint;
    if (blueprint->population_count > POPULATION_LIMIT)
        return error_set(error, ERROR_MISUSED,
                         "%u populations are more than the %d that are possible",
                         blueprint->population_count, POPULATION_LIMIT);
    for (uint32_t i = 0; i < blueprint->projection_count; i++)
        if (!make_link(build, i, error))
            return error_within(error, "projection %s", name_of(&blueprint->projections[i]));
    for (uint32_t i = 0; i < blueprint->population_count; i++)
        if (!add_population(build, i, error))
            return false;
    for (uint32_t i = 0; i < blueprint->projection_count; i++)
        if (!add_projection(build, i, error))
            return false;
    return true;
}

struct network *blueprint_build(const struct blueprint *blueprint,
                                const struct build_options *options, struct error *error)
{
    struct build build = {.blueprint = blueprint,
                          .options = options,
                          .network = network_new(blueprint->name, 1),
                          .events = blueprint->rules.integration == INTEGRATE_EVENT,
                          .tick_seconds = blueprint->rules.dt};
    if (build.events)
        build.tick_seconds /= EVENT_RESOLUTION;
    build.links = calloc(blueprint->projection_count + 1, sizeof *build.links);
    bool done = false;
    if (build.network == NULL || build.links == NULL) {
        error_no_memory(error, "the network");
    } else {
        build.network->tick_seconds = build.tick_seconds;
        done = build_all(&build, error);
    }
    for (uint32_t i = 0; build.links != NULL && i < blueprint->projection_count; i++)
        if (build.links[i].weights != NULL)
            build.links[i].kind->free(build.links[i].weights);
    free(build.links);
    if (done)
        return build.network;
    network_free(build.network);
    return NULL;
}
