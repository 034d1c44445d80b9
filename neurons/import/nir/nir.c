/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From a NIR file's graph to a network on paper.
 *
 * Every way between two populations (nir_path.h) becomes a projection: its one node with weights
 * says of which kind, scales are multiplied into the weights in double precision, delays add up.
 * Ways are walked twice: first counting how often each node's weights are needed and what memory
 * that takes, then making projections, of which the last to need an array takes it as it is.
 */
#define _GNU_SOURCE 1
#include "neurons/import/nir/nir.h"

#include "neurons/import/nir/guard.h"
#include "neurons/import/mapped_file.h"
#include "neurons/import/nir/nir_path.h"
#include "neurons/import/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What arrays for each element may take beyond what the file holds. */
#define ROOM_BYTES (UINT64_C(1) << 28)

#define NODE "%s: node '%.*s': "
#define NODE_SHOWN(importer, node) (importer)->graph.path, utf8_clip((node)->name), (node)->name

struct importer {
    struct nir_graph graph;
    struct nir_plan plan;
    struct node_shapes *shapes; /* [node_count] */
    uint32_t *population;       /* [node_count], index in the blueprint */
    double *factor;             /* [node_count], what its whole numbers are to be multiplied by */
    uint32_t *uses;             /* [node_count], projections that still need its weights */
    uint32_t *named;            /* [node_count], projections that bear its name */
    uint64_t room;              /* bytes */
    const struct nir_options *options;
    struct blueprint *blueprint;
};

static struct nir_node *node_at(struct importer *importer, uint32_t index)
{
    return &importer->graph.nodes[index];
}

/* ------------------------------------------------------------------- populations */

static bool parameters_set(struct importer *importer, struct nir_node *node,
                           struct blueprint_population *population, struct error *error)
{
    for (int p = 0; node->kind->parameter[p].name != NULL; p++) {
        const char *name = node->kind->parameter[p].name;
        struct nir_array *array = &node->parameter[p];
        int place = cell_model_parameter(population->model, name);
        if (place < 0)
            return error_set(error, ERROR_FAILED, NODE "cells '%s' have no parameter '%s'",
                             NODE_SHOWN(importer, node), population->model->name, name);
        struct quantity *quantity = &population->parameter[place];
        if (array->values == NULL) { /* what older files leave out */
            quantity->kind = QUANTITY_CONSTANT;
            quantity->constant = strcmp(name, "w_in") == 0 ? 1 : 0;
        } else if (array->count == 1) {
            quantity->kind = QUANTITY_CONSTANT;
            quantity->constant = array->values[0];
        } else {
            quantity->kind = QUANTITY_ARRAY;
            quantity->array = array->values;
            quantity->length = (uint32_t)array->count;
            array->values = NULL;
        }
    }
    return true;
}

static bool times_check(struct importer *importer, const struct nir_node *node,
                        struct error *error)
{
    for (int p = 0; node->kind->parameter[p].name != NULL; p++) {
        const struct nir_array *array = &node->parameter[p];
        double least = INFINITY;
        if (node->kind->parameter[p].rule != MUST_POSITIVE)
            continue;
        for (uint64_t i = 0; i < array->count; i++)
            least = fmin(least, array->values[i]);
        if (least < importer->options->dt
            && !blueprint_warn(importer->blueprint, error, NODE "%s is %g s, less than a tick of "
                               "%g s, so its dynamics are not resolved; choose a smaller dt",
                               NODE_SHOWN(importer, node), node->kind->parameter[p].name, least,
                               importer->options->dt))
            return false;
    }
    return true;
}

static void shape_set(const struct nir_shape *shape, struct blueprint_population *population)
{
    uint32_t lead = 0;
    while (shape->rank - lead > BLUEPRINT_RANK && shape->extent[lead] == 1)
        lead++;
    population->neurons = (uint32_t)shape->elements;
    if (shape->rank - lead > BLUEPRINT_RANK)
        return;
    population->rank = shape->rank - lead;
    for (uint32_t i = 0; i < population->rank; i++)
        population->shape[i] = (uint32_t)shape->extent[lead + i];
}

static bool population_make(struct importer *importer, uint32_t index, struct error *error)
{
    struct nir_node *node = node_at(importer, index);
    bool cells = node->kind->role == NODE_NEURONS;
    importer->population[index] = importer->blueprint->population_count;
    struct blueprint_population *population = blueprint_add_population(importer->blueprint,
                                                                       node->name, error);
    if (population == NULL)
        return false;
    shape_set(&importer->shapes[index].out, population);
    if (node->kind->role == NODE_INPUT)
        return true;
    const char *model = cells ? node->kind->model
                              : importer->plan.graded[index] ? "graded" : "relay";
    population->model = cell_model_find(model, error);
    if (population->model == NULL)
        return false;
    return !cells || (times_check(importer, node, error)
                      && parameters_set(importer, node, population, error));
}

static bool populations_make(struct importer *importer, struct error *error)
{
    bool inputs = false, others = false;
    for (uint32_t k = 0; k < importer->graph.node_count; k++) {
        uint32_t index = importer->plan.order[k];
        enum node_role role = node_at(importer, index)->kind->role;
        if (!importer->plan.stands[index])
            continue;
        inputs = inputs || role == NODE_INPUT;
        others = others || role != NODE_INPUT;
        if (!population_make(importer, index, error))
            return false;
    }
    if (!inputs)
        return error_set(error, ERROR_FAILED, "%s: has no Input node, so nothing can be fed to the "
                         "network; export it with one", importer->graph.path);
    return others || error_set(error, ERROR_FAILED, "%s: has no neurons, only inputs and outputs",
                               importer->graph.path);
}

/* ----------------------------------------------------------------------- composing */

static bool memory_take(struct importer *importer, const struct nir_node *node, uint64_t elements,
                        struct error *error)
{
    if (elements > importer->room / sizeof(double))
        return error_set(error, ERROR_FAILED, NODE "the network needs more memory than the file's "
                         "size or this machine allows", NODE_SHOWN(importer, node));
    importer->room -= elements * sizeof(double);
    return true;
}

static bool weighs(const struct nir_node *node)
{
    return node->kind->type != TYPE_SCALE && node->kind->type != TYPE_DELAY;
}

static bool pools(const struct nir_node *node)
{
    return node->kind->type == TYPE_SUM_POOL || node->kind->type == TYPE_AVERAGE_POOL;
}

/* Place on the way of its node with weights; its length if there is none. */
static uint32_t path_weights(struct importer *importer, const struct nir_path *path)
{
    uint32_t at = 0;
    while (at < path->length && !weighs(node_at(importer, path->linear[at])))
        at++;
    return at;
}

/* What an average pool divides by. */
static double pool_factor(struct importer *importer, uint32_t index)
{
    const struct convolution_shape *window = &importer->shapes[index].window;
    return node_at(importer, index)->kind->type != TYPE_AVERAGE_POOL ? 1
           : 1 / ((double)window->kernel_height * window->kernel_width);
}

/* Multiplies values, element i of `area` neighbours each, by the scale: values[i] by its element
 * (i / inner % count) × area. */
static void values_scale(double *values, uint64_t length, const struct nir_array *scale,
                         uint64_t inner, uint64_t count, uint64_t area)
{
    for (uint64_t i = 0; i < length; i++)
        values[i] *= scale->values[scale->count == 1 ? 0 : i / inner % count * area];
}

/* Takes a scale that lies after (`outward`) or before the weights into them. */
static void weights_scale(struct importer *importer, uint32_t index, double *weights,
                          const struct nir_array *scale, bool outward)
{
    const struct nir_node *node = node_at(importer, index);
    const struct nir_array *array = &node->parameter[WEIGHT];
    const struct convolution_shape *window = &importer->shapes[index].window;
    uint64_t outputs = array->shape[0], inputs = array->shape[1];
    if (node->kind->type == TYPE_AFFINE || node->kind->type == TYPE_LINEAR) {
        values_scale(weights, array->count, scale, outward ? inputs : 1,
                     outward ? outputs : inputs, 1);
        return;
    }
    uint64_t kernel = (uint64_t)window->kernel_height * window->kernel_width;
    if (outward) {
        values_scale(weights, array->count, scale, inputs * kernel, outputs,
                     (uint64_t)window->out_height * window->out_width);
        return;
    }
    /* an output channel of group g reads input channels g × inputs … */
    uint64_t area = (uint64_t)window->in_height * window->in_width;
    uint64_t per_group = outputs / window->groups;
    for (uint64_t i = 0; i < array->count; i++) {
        uint64_t output = i / (inputs * kernel), input = i / kernel % inputs;
        uint64_t channel = output / per_group * inputs + input;
        weights[i] *= scale->values[scale->count == 1 ? 0 : channel * area];
    }
}

/* The node's weights for one projection: the array itself for the last one. */
static double *weights_take(struct importer *importer, uint32_t index, struct error *error)
{
    struct nir_array *array = &node_at(importer, index)->parameter[WEIGHT];
    double *weights = array->values;
    if (--importer->uses[index] == 0) {
        array->values = NULL;
        return weights;
    }
    weights = malloc((size_t)array->count * sizeof *weights);
    if (weights == NULL)
        error_no_memory(error, "the weights of a NIR file");
    else
        memcpy(weights, array->values, (size_t)array->count * sizeof *weights);
    return weights;
}

/* The scales of a way without weights, one for each neuron, or one for all. */
static bool diagonal_make(struct importer *importer, const struct nir_path *path, double factor,
                          uint32_t neurons, struct blueprint_projection *projection,
                          struct error *error)
{
    projection->kind = LINK_DIAGONAL;
    projection->same = factor;
    for (uint32_t i = 0; i < path->length; i++) {
        const struct nir_node *node = node_at(importer, path->linear[i]);
        const struct nir_array *scale = &node->parameter[SCALE];
        if (node->kind->type != TYPE_SCALE)
            continue;
        if (scale->count == 1) {
            projection->same *= scale->values[0];
            continue;
        }
        if (projection->weights == NULL) {
            projection->weights = malloc(neurons * sizeof *projection->weights);
            if (projection->weights == NULL)
                return error_no_memory(error, "the weights of a NIR file");
            for (uint32_t k = 0; k < neurons; k++)
                projection->weights[k] = 1;
        }
        values_scale(projection->weights, neurons, scale, 1, neurons, 1);
    }
    if (projection->weights == NULL)
        return true;
    for (uint32_t k = 0; k < neurons; k++)
        projection->weights[k] *= projection->same;
    projection->format = WEIGHT_FLOAT;
    return true;
}

static bool weighted_make(struct importer *importer, const struct nir_path *path, uint32_t at,
                          double factor, struct blueprint_projection *projection,
                          struct error *error)
{
    uint32_t index = path->linear[at];
    enum node_type type = node_at(importer, index)->kind->type;
    projection->kind = type == TYPE_AFFINE || type == TYPE_LINEAR ? LINK_DENSE : LINK_CONVOLUTION;
    projection->format = WEIGHT_FLOAT;
    projection->shape = importer->shapes[index].window;
    projection->weights = weights_take(importer, index, error);
    if (projection->weights == NULL)
        return false;
    uint64_t count = node_at(importer, index)->parameter[WEIGHT].count;
    for (uint32_t i = 0; i < path->length; i++) {
        const struct nir_node *node = node_at(importer, path->linear[i]);
        if (node->kind->type == TYPE_SCALE)
            weights_scale(importer, index, projection->weights, &node->parameter[SCALE], i < at);
    }
    for (uint64_t i = 0; factor != 1 && i < count; i++)
        projection->weights[i] *= factor;
    return true;
}

static void pooling_make(struct importer *importer, const struct nir_path *path, uint32_t at,
                         double factor, struct blueprint_projection *projection)
{
    uint32_t index = path->linear[at];
    projection->kind = LINK_POOLING;
    projection->shape = importer->shapes[index].window;
    projection->same = factor;
    if (!importer->plan.graded[index] || path->target != index)
        projection->same *= pool_factor(importer, index);
    for (uint32_t i = 0; i < path->length; i++) {
        const struct nir_node *node = node_at(importer, path->linear[i]);
        if (node->kind->type == TYPE_SCALE)
            projection->same *= node->parameter[SCALE].values[0];
    }
}

/* ------------------------------------------------------------------------ delays */

static bool spikes_come_from(struct importer *importer, uint32_t source)
{
    const struct node_kind *kind = node_at(importer, source)->kind;
    return kind->spikes || kind->role == NODE_INPUT || importer->plan.graded[source];
}

/* Says how long the way takes. Delays by element are in seconds from spike to arrival, as `delay`
 * is, which is then the shortest of them. */
static bool delays_set(struct importer *importer, const struct nir_path *path, uint32_t source,
                       struct blueprint_projection *projection, struct error *error)
{
    const struct nir_plan *plan = &importer->plan;
    double dt = importer->options->dt, delay = 0;
    const struct nir_node *target = node_at(importer, path->target), *each = NULL;
    bool step = importer->options->pipeline && target->kind->role == NODE_NEURONS;
    for (uint32_t i = 0; i < path->length; i++) {
        const struct nir_node *node = node_at(importer, path->linear[i]);
        if (node->kind->type != TYPE_DELAY || nir_delay_is_none(plan, node))
            continue;
        if (node->parameter[DELAY].count > 1)
            each = node;
        else
            delay += node->parameter[DELAY].values[0];
    }
    if (step)
        delay += dt;
    double least = path->back ? dt : 0; /* a loop must take a tick */
    projection->delay = fmax(delay, least);
    projection->immediate = projection->delay == 0;
    if (each == NULL)
        return true;
    if (!spikes_come_from(importer, source))
        return error_set(error, ERROR_FAILED, NODE "its delays differ, which is possible only for "
                         "spikes, but '%.*s', which leads to it, gives values", NODE_SHOWN(importer,
                         each), utf8_clip(node_at(importer, source)->name),
                         node_at(importer, source)->name);
    uint32_t count = (uint32_t)each->parameter[DELAY].count;
    projection->delays = malloc(count * sizeof *projection->delays);
    if (projection->delays == NULL)
        return error_no_memory(error, "the delays of a NIR file");
    projection->delay = INFINITY;
    for (uint32_t i = 0; i < count; i++) {
        projection->delays[i] = fmax(delay + each->parameter[DELAY].values[i], least);
        projection->delay = fmin(projection->delay, projection->delays[i]);
    }
    projection->immediate = projection->delay < dt / 2;
    return true;
}

/* ------------------------------------------------------------------------- walking */

/* The first pass: what memory the projections will take. */
static bool way_count(void *self, const struct nir_path *path, uint32_t source, struct error *error)
{
    struct importer *importer = self;
    const struct nir_node *target = node_at(importer, path->target);
    uint32_t at = path_weights(importer, path);
    uint64_t each = importer->shapes[path->target].in.elements, elements = 0;
    (void)source;
    for (uint32_t i = 0; i < path->length; i++) {
        const struct nir_node *node = node_at(importer, path->linear[i]);
        if (!weighs(node) && node->parameter[0].count > 1 && at == path->length)
            elements = 2 * each; /* weights and delays of a diagonal */
    }
    if (at < path->length && !pools(node_at(importer, path->linear[at])))
        elements = importer->uses[path->linear[at]]++ == 0
                   ? 0 : node_at(importer, path->linear[at])->parameter[WEIGHT].count;
    return memory_take(importer, target, elements + sizeof(struct blueprint_projection), error);
}

static bool bias_count(void *self, const struct nir_path *path, struct error *error)
{
    struct importer *importer = self;
    return memory_take(importer, node_at(importer, path->target),
                       importer->shapes[path->target].out.elements, error);
}

/* The name of the node with weights, if it has not been given yet. */
static char *way_name(struct importer *importer, const struct nir_path *path, uint32_t source)
{
    uint32_t at = path_weights(importer, path);
    const char *from = node_at(importer, source)->name, *to = node_at(importer, path->target)->name;
    uint32_t linear = path->length == 0 ? source : path->linear[at < path->length ? at : 0];
    const char *through = node_at(importer, linear)->name;
    char *name;
    if (path->length > 0 && importer->named[linear]++ == 0)
        return strdup(through);
    int printed = path->length == 0 ? asprintf(&name, "%s->%s", from, to)
                  : asprintf(&name, "%s->%s->%s", from, through, to);
    return printed < 0 ? NULL : name;
}

static bool way_make(void *self, const struct nir_path *path, uint32_t source, struct error *error)
{
    struct importer *importer = self;
    uint32_t at = path_weights(importer, path);
    double factor = importer->factor[source];
    char *name = way_name(importer, path, source);
    struct blueprint_projection *projection = name == NULL ? NULL
        : blueprint_add_projection(importer->blueprint, name, error);
    free(name);
    if (projection == NULL)
        return name != NULL ? false : error_no_memory(error, "the name of a projection");
    projection->source = importer->population[source];
    projection->target = importer->population[path->target];
    bool made = true;
    if (at == path->length)
        made = diagonal_make(importer, path, factor,
                             (uint32_t)importer->shapes[source].out.elements, projection, error);
    else if (pools(node_at(importer, path->linear[at])))
        pooling_make(importer, path, at, factor, projection);
    else
        made = weighted_make(importer, path, at, factor, projection, error);
    return made && delays_set(importer, path, source, projection, error);
}

/* Adds the bias of the path's last node to the drive of its target. */
static bool bias_add(void *self, const struct nir_path *path, struct error *error)
{
    struct importer *importer = self;
    uint32_t index = path->linear[path->length - 1];
    struct blueprint_population *population =
        &importer->blueprint->populations[importer->population[path->target]];
    const struct nir_array *bias = &node_at(importer, index)->parameter[BIAS];
    uint64_t area = importer->shapes[index].out.elements / (bias->count == 0 ? 1 : bias->count);
    if (population->drive[0] == NULL)
        population->drive[0] = calloc(population->neurons, sizeof *population->drive[0]);
    if (population->drive[0] == NULL)
        return error_no_memory(error, "the biases of a NIR file");
    for (uint32_t i = 0; i < population->neurons; i++) {
        double value = bias->values[i / area];
        for (uint32_t k = path->length - 1; k-- > 0;) { /* what lies after it */
            const struct nir_node *node = node_at(importer, path->linear[k]);
            const struct nir_array *scale = &node->parameter[SCALE];
            if (node->kind->type == TYPE_SCALE)
                value *= scale->values[scale->count == 1 ? 0 : i];
        }
        population->drive[0][i] += value;
    }
    return true;
}

static bool projections_make(struct importer *importer, struct error *error)
{
    const struct nir_walker count = {importer, way_count, bias_count};
    const struct nir_walker make = {importer, way_make, bias_add};
    const struct nir_plan *plan = &importer->plan;
    for (uint32_t k = 0; k < importer->graph.node_count; k++)
        if (plan->stands[plan->order[k]]
            && !nir_plan_walk(&importer->plan, plan->order[k], &count, error))
            return false;
    for (uint32_t k = 0; k < importer->graph.node_count; k++)
        if (plan->stands[plan->order[k]]
            && !nir_plan_walk(&importer->plan, plan->order[k], &make, error))
            return false;
    return true;
}

/* Biases that are all 0 are none: neurons without a drive may rest. */
static void drives_trim(struct blueprint *blueprint)
{
    for (uint32_t i = 0; i < blueprint->population_count; i++) {
        struct blueprint_population *population = &blueprint->populations[i];
        bool any = false;
        for (uint32_t k = 0; population->drive[0] != NULL && !any && k < population->neurons; k++)
            any = population->drive[0][k] != 0;
        if (!any) {
            free(population->drive[0]);
            population->drive[0] = NULL;
        }
    }
}

/* ------------------------------------------------------------------------ outputs */

static bool output_mark(void *self, const struct nir_path *path, uint32_t source,
                        struct error *error)
{
    struct importer *importer = self;
    (void)path, (void)error;
    importer->blueprint->populations[importer->population[source]].output = true;
    return true;
}

/* An Output's shape is often careless: one that does not match what leads to it is only noted. */
static bool output_check(struct importer *importer, const struct nir_node *node,
                         struct error *error)
{
    const struct nir_array *shape = &node->parameter[SHAPE];
    double elements = 1;
    if (node->in_count == 0)
        return blueprint_warn(importer->blueprint, error, NODE "nothing leads to this Output",
                              NODE_SHOWN(importer, node));
    const struct nir_node *source = node_at(importer,
                                            importer->graph.edges[node->in[0]].source);
    uint64_t actual = importer->shapes[importer->graph.edges[node->in[0]].source].out.elements;
    for (uint64_t i = 0; i < shape->count; i++)
        elements *= shape->values[i];
    return shape->values == NULL || elements == (double)actual
           || blueprint_warn(importer->blueprint, error, NODE "its shape has %g elements, but "
                             "'%.*s' gives %" PRIu64 ", which are taken",
                             NODE_SHOWN(importer, node),
                             elements, utf8_clip(source->name), source->name, actual);
}

static bool outputs_mark(struct importer *importer, struct error *error)
{
    const struct nir_walker walker = {importer, output_mark, NULL}; /* no biases, as linear nodes
                                                                       before outputs stand */
    for (uint32_t i = 0; i < importer->graph.node_count; i++) {
        const struct nir_node *node = node_at(importer, i);
        if (node->kind->role == NODE_OUTPUT
            && (!output_check(importer, node, error)
                || !nir_plan_walk(&importer->plan, i, &walker, error)))
            return false;
    }
    return true;
}

/* ---------------------------------------------------------------------- all of it */

static bool delays_check(struct importer *importer, struct error *error)
{
    for (uint32_t i = 0; i < importer->graph.node_count; i++) {
        const struct nir_node *node = node_at(importer, i);
        const struct nir_array *delay = &node->parameter[DELAY];
        if (node->kind->type != TYPE_DELAY)
            continue;
        for (uint64_t k = 0; k < delay->count; k++)
            if (delay->values[k] < 0)
                return error_set(error, ERROR_FAILED, NODE "delay[%" PRIu64 "] is %g s; it must be "
                                 "0 s or more", NODE_SHOWN(importer, node), k, delay->values[k]);
    }
    return true;
}

static bool lists_make(struct importer *importer, struct error *error)
{
    size_t nodes = (size_t)importer->graph.node_count + 1;
    importer->shapes = calloc(nodes, sizeof *importer->shapes);
    importer->population = calloc(nodes, sizeof *importer->population);
    importer->factor = calloc(nodes, sizeof *importer->factor);
    importer->uses = calloc(nodes, sizeof *importer->uses);
    importer->named = calloc(nodes, sizeof *importer->named);
    if (importer->shapes == NULL || importer->population == NULL || importer->factor == NULL
        || importer->uses == NULL || importer->named == NULL)
        return error_no_memory(error, "the nodes of a NIR file");
    return true;
}

static void factors_find(struct importer *importer)
{
    for (uint32_t i = 0; i < importer->graph.node_count; i++)
        importer->factor[i] = importer->plan.graded[i] && pools(node_at(importer, i))
                              ? pool_factor(importer, i) : 1;
}

static bool graph_import(struct importer *importer, struct error *error)
{
    if (!lists_make(importer, error) || !delays_check(importer, error)
        || !nir_shapes_find(&importer->graph, importer->shapes, &importer->room, error)
        || !nir_plan_make(&importer->plan, &importer->graph, importer->shapes,
                          importer->options->dt, error))
        return false;
    factors_find(importer);
    if (!populations_make(importer, error) || !projections_make(importer, error))
        return false;
    drives_trim(importer->blueprint);
    return outputs_mark(importer, error);
}

static void importer_free(struct importer *importer)
{
    nir_plan_free(&importer->plan);
    nir_graph_free(&importer->graph);
    free(importer->shapes);
    free(importer->population);
    free(importer->factor);
    free(importer->uses);
    free(importer->named);
}

static bool blueprint_fill(struct blueprint *blueprint, const void *bytes, size_t length,
                           const char *name, const struct nir_options *options,
                           struct error *error)
{
    struct importer importer = {.options = options, .blueprint = blueprint};
    struct nir_file file;
    if (!nir_file_open(&file, bytes, length, name, error))
        return false;
    bool filled = nir_graph_read(&importer.graph, &file, error);
    importer.room = file.allowance + ROOM_BYTES;
    nir_file_close(&file);
    filled = filled && graph_import(&importer, error);
    importer_free(&importer);
    return filled;
}

/* "model" of "path/to/model.nir". */
static char *path_name(const char *path)
{
    const char *base = strrchr(path, '/');
    base = base == NULL ? path : base + 1;
    const char *dot = strrchr(base, '.');
    return strndup(base, dot == NULL || dot == base ? strlen(base) : (size_t)(dot - base));
}

struct blueprint *nir_read(const void *bytes, size_t length, const char *name,
                           const struct nir_options *options, struct error *error)
{
    if (!(options->dt > 0) || !isfinite(options->dt)) {
        error_set(error, ERROR_MISUSED, "the tick cannot last %g s; give a dt above 0",
                  options->dt);
        return NULL;
    }
    char *base = path_name(name);
    struct blueprint *blueprint = base == NULL ? NULL : blueprint_new(base);
    free(base);
    if (blueprint != NULL)
        blueprint->origin = strdup(name);
    if (blueprint == NULL || blueprint->origin == NULL) {
        blueprint_free(blueprint);
        error_no_memory(error, "the description of a network");
        return NULL;
    }
    blueprint->rules = options->rules;
    blueprint->rules.dt = options->dt;
    if (!blueprint_fill(blueprint, bytes, length, name, options, error)) {
        blueprint_free(blueprint);
        return NULL;
    }
    blueprint_digest(blueprint, bytes, length);
    return blueprint;
}

/* All of the library's part, for a child. */
struct attempt {
    struct mapped_file mapped;
    const char *path;
};

static bool graph_try(void *data, struct error *error)
{
    const struct attempt *attempt = data;
    struct nir_file file;
    struct nir_graph graph;
    if (!nir_file_open(&file, attempt->mapped.bytes, attempt->mapped.length, attempt->path, error))
        return false;
    bool read = nir_graph_read(&graph, &file, error);
    nir_graph_free(&graph);
    nir_file_close(&file);
    return read;
}

struct blueprint *nir_open(const char *path, const struct nir_options *options, struct error *error)
{
    struct attempt attempt = {.path = path};
    struct mapped_file *mapped = &attempt.mapped;
    struct blueprint *blueprint = NULL;
    if (!mapped_file_open(mapped, path, SIZE_MAX, error))
        return NULL;
    if (guard_try(graph_try, &attempt, path, nir_file_seconds(mapped->length), error))
        blueprint = nir_read(mapped->bytes, mapped->length, path, options, error);
    mapped_file_close(mapped);
    return blueprint;
}

bool nir_is_file(const char *path)
{
    struct mapped_file file;
    if (!mapped_file_open(&file, path, SIZE_MAX, NULL))
        return false;
    bool is = nir_file_signature(file.bytes, file.length);
    mapped_file_close(&file);
    return is;
}
