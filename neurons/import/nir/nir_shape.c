/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Finding shapes. A node is settled once; then those it leads to can be. Where loops leave some
 * waiting for each other, one whose own parameters have a shape goes first.
 */
#define _GNU_SOURCE 1
#include "neurons/import/nir/nir_shape.h"

#include "neurons/import/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXTENT_LIMIT = 1 << 20 /* of kernels, strides, paddings */, SHAPE_TEXT = 200 };

#define NODE "%s: node '%.*s': "

struct finder {
    struct nir_graph *graph;
    struct node_shapes *shapes;
    uint64_t *room;
    struct error *error;
    uint32_t *queue; /* [node_count], settled nodes whose targets are to be looked at */
    uint32_t queued;
};

/* Fails with a sentence about the node. */
#define FAULT(finder, node, text, ...)                                                             \
    error_set((finder)->error, ERROR_FAILED, NODE text, (finder)->graph->path,                     \
              utf8_clip((node)->name), (node)->name, __VA_ARGS__)

static const char *shape_text(const struct nir_shape *shape, char text[SHAPE_TEXT])
{
    size_t at = (size_t)snprintf(text, SHAPE_TEXT, "(");
    for (uint32_t i = 0; i < shape->rank; i++)
        at += (size_t)snprintf(text + at, SHAPE_TEXT - at, "%s%" PRIu64, i == 0 ? "" : ", ",
                               shape->extent[i]);
    snprintf(text + at, SHAPE_TEXT - at, ")");
    return text;
}

static struct nir_shape shape_flat(uint64_t elements)
{
    return (struct nir_shape){{elements}, 1, elements};
}

/* ----------------------------------------------------------------- numbers that are shapes */

/* `count` whole numbers from `least` on; one number in the file stands for all. */
static bool extents_read(const struct finder *finder, const struct nir_node *node, int p,
                         uint32_t count, double least, uint32_t standard, uint32_t *extents)
{
    const struct nir_array *array = &node->parameter[p];
    const char *name = node->kind->parameter[p].name;
    for (uint32_t i = 0; i < count; i++)
        extents[i] = standard;
    if (array->values == NULL)
        return true;
    if (array->count != 1 && array->count != count)
        return FAULT(finder, node, "%s has %" PRIu64 " numbers instead of %" PRIu32, name,
                     array->count, count);
    for (uint32_t i = 0; i < count; i++) {
        double value = array->values[array->count == 1 ? 0 : i];
        if (!(value >= least && value <= EXTENT_LIMIT) || value != (double)(uint32_t)value)
            return FAULT(finder, node, "%s is %g; it must be a whole number from %g to %d", name,
                         value, least, EXTENT_LIMIT);
        extents[i] = (uint32_t)value;
    }
    return true;
}

static bool shape_read(const struct finder *finder, const struct nir_node *node, int p,
                       struct nir_shape *shape)
{
    const struct nir_array *array = &node->parameter[p];
    *shape = (struct nir_shape){.rank = (uint32_t)array->count, .elements = 1};
    if (array->count > NIR_RANK)
        return FAULT(finder, node, "shape has %" PRIu64 " dimensions, more than %d", array->count,
                     NIR_RANK);
    for (uint64_t i = 0; i < array->count; i++) {
        double value = array->values[i];
        if (!(value >= 1 && value <= INT32_MAX) || value != (double)(uint64_t)value)
            return FAULT(finder, node, "shape has a dimension of %g; it must be a whole number "
                         "from 1 on", value);
        shape->extent[i] = (uint64_t)value;
        if (__builtin_mul_overflow(shape->elements, shape->extent[i], &shape->elements)
            || shape->elements > INT32_MAX)
            return FAULT(finder, node, "shape has more than %d elements, more than a population "
                         "can have", INT32_MAX);
    }
    return true;
}

/* ------------------------------------------------------------------- one for each element */

/* Whether numbers of shape `array` can be repeated to `shape`, aligned at the last dimension. */
static bool array_fits(const struct nir_array *array, const struct nir_shape *shape)
{
    if (array->count == 1 || (array->count == shape->elements && array->rank <= 1))
        return true;
    uint32_t lead = 0;
    while (lead < array->rank && array->rank - lead > shape->rank && array->shape[lead] == 1)
        lead++;
    uint32_t rank = array->rank - lead;
    if (rank > shape->rank)
        return false;
    for (uint32_t i = 0; i < rank; i++) {
        uint64_t extent = array->shape[lead + i];
        if (extent != 1 && extent != shape->extent[shape->rank - rank + i])
            return false;
    }
    return true;
}

/* Index into `array` of element `i` of `shape`. */
static uint64_t array_index(const struct nir_array *array, const struct nir_shape *shape,
                            uint64_t i)
{
    uint64_t index = 0, stride = 1;
    for (uint32_t d = 0; d < shape->rank && d < array->rank; d++) {
        uint64_t extent = shape->extent[shape->rank - 1 - d];
        uint64_t own = array->shape[array->rank - 1 - d];
        if (own != 1)
            index += stride * (i % extent);
        stride *= own;
        i /= extent;
    }
    return index;
}

static bool array_is_uniform(const struct nir_array *array)
{
    for (uint64_t i = 1; i < array->count; i++)
        if (memcmp(&array->values[i], &array->values[0], sizeof array->values[0]) != 0)
            return false;
    return true;
}

static bool array_spread(const struct finder *finder, const struct nir_node *node,
                         struct nir_array *array, const struct nir_shape *shape)
{
    if (array_is_uniform(array)) {
        array->count = 1;
        return true;
    }
    if (array->count == shape->elements)
        return true;
    if (shape->elements * sizeof(double) > *finder->room)
        return FAULT(finder, node, "its parameters, one for each of %" PRIu64 " elements, need "
                     "more memory than there is", shape->elements);
    *finder->room -= shape->elements * sizeof(double);
    double *values = malloc((size_t)shape->elements * sizeof *values);
    if (values == NULL)
        return error_no_memory(finder->error, "the parameters of a NIR node");
    for (uint64_t i = 0; i < shape->elements; i++)
        values[i] = array->values[array_index(array, shape, i)];
    free(array->values);
    array->values = values;
    array->count = shape->elements;
    return true;
}

/* The shape that the node's own parameters make together; elements 0 if they do not fit
 * together. */
static struct nir_shape own_shape(const struct nir_node *node)
{
    struct nir_shape shape = {{1}, 1, 1};
    for (int p = 0; node->kind->parameter[p].name != NULL; p++) {
        const struct nir_array *array = &node->parameter[p];
        if (array->values == NULL || array->count < shape.elements)
            continue;
        if (array->count == shape.elements && array->rank <= shape.rank)
            continue;
        shape.rank = array->rank;
        shape.elements = array->count;
        memcpy(shape.extent, array->shape, sizeof shape.extent);
    }
    for (int p = 0; node->kind->parameter[p].name != NULL; p++)
        if (node->parameter[p].values != NULL && !array_fits(&node->parameter[p], &shape))
            shape.elements = 0;
    return shape;
}

/* A node whose shape is that of its source (elements 0: not known) or of its parameters. */
static bool settle_each(const struct finder *finder, struct nir_node *node,
                        const struct nir_shape *source, struct node_shapes *shapes)
{
    struct nir_shape own = own_shape(node);
    bool fits = source->elements != 0;
    for (int p = 0; fits && node->kind->parameter[p].name != NULL; p++)
        fits = node->parameter[p].values == NULL || array_fits(&node->parameter[p], source);
    char one[SHAPE_TEXT], two[SHAPE_TEXT];
    if (!fits && own.elements == 0)
        return FAULT(finder, node, "the shapes of its parameters do not meet%s",
                     source->elements == 0 ? "" : " that of what leads to it");
    if (!fits && source->elements != 0 && own.elements != source->elements)
        return FAULT(finder, node, "its parameters have shape %s, but what leads to it has %s",
                     shape_text(&own, one), shape_text(source, two));
    shapes->in = shapes->out = fits ? *source : own;
    for (int p = 0; node->kind->parameter[p].name != NULL; p++)
        if (node->parameter[p].values != NULL
            && !array_spread(finder, node, &node->parameter[p], &shapes->out))
            return false;
    return true;
}

/* ------------------------------------------------------------------ weights and windows */

static bool settle_dense(const struct finder *finder, const struct nir_node *node,
                         struct node_shapes *shapes)
{
    const struct nir_array *weight = &node->parameter[WEIGHT];
    const struct nir_array *bias = node->kind->type == TYPE_AFFINE ? &node->parameter[BIAS] : NULL;
    if (weight->rank != 2)
        return FAULT(finder, node, "weight has %" PRIu32 " dimensions instead of 2 (outputs, "
                     "inputs)", weight->rank);
    shapes->in = shape_flat(weight->shape[1]);
    shapes->out = shape_flat(weight->shape[0]);
    if (bias != NULL && bias->values != NULL && bias->count != 1 && bias->count != weight->shape[0])
        return FAULT(finder, node, "bias has %" PRIu64 " numbers, but weight has %" PRIu64
                     " outputs", bias->count, weight->shape[0]);
    return true;
}

/* "same" adds what keeps the size: more at the end where it is odd. */
static void padding_same(uint32_t kernel, uint32_t dilation, uint32_t *before, uint32_t *after)
{
    uint32_t total = dilation * (kernel - 1);
    *before = total / 2;
    *after = total - *before;
}

static bool window_finish(const struct finder *finder, const struct nir_node *node,
                          struct node_shapes *shapes)
{
    struct convolution_shape *window = &shapes->window;
    struct error fault = {0};
    if (!convolution_outputs(window, &fault))
        return FAULT(finder, node, "%.500s", fault.text);
    uint64_t in = (uint64_t)window->in_height * window->in_width;
    uint64_t out = (uint64_t)window->out_height * window->out_width;
    if (in > INT32_MAX || out > INT32_MAX || in * window->in_channels > INT32_MAX
        || out * window->out_channels > INT32_MAX)
        return FAULT(finder, node, "has more than %d elements, more than a population can have",
                     INT32_MAX);
    shapes->in = (struct nir_shape){{window->in_channels, window->in_height, window->in_width}, 3,
                                    in * window->in_channels};
    shapes->out = (struct nir_shape){{window->out_channels, window->out_height, window->out_width},
                                     3, out * window->out_channels};
    if (node->kind->type == TYPE_CONV1D) { /* without the height of 1 */
        shapes->in = (struct nir_shape){{window->in_channels, window->in_width}, 2,
                                        shapes->in.elements};
        shapes->out = (struct nir_shape){{window->out_channels, window->out_width}, 2,
                                         shapes->out.elements};
    }
    return true;
}

/* `source` as (channels, …) with `rank` dimensions; false if it is not such. */
static bool shape_as(const struct nir_shape *source, uint32_t rank, uint64_t channels,
                     struct nir_shape *shape)
{
    *shape = *source;
    while (shape->rank > rank && shape->extent[0] == 1) {
        memmove(shape->extent, shape->extent + 1, (NIR_RANK - 1) * sizeof shape->extent[0]);
        shape->rank--;
    }
    if (shape->rank + 1 == rank && channels == 1) {
        memmove(shape->extent + 1, shape->extent, (NIR_RANK - 1) * sizeof shape->extent[0]);
        shape->extent[0] = 1;
        shape->rank++;
    }
    return source->elements != 0 && shape->rank == rank
           && (channels == 0 || shape->extent[0] == channels);
}

/* Height and width of a convolution's input: as the file says, or as its source is. *known is
 * false if neither is there yet. */
static bool conv_size(const struct finder *finder, const struct nir_node *node,
                      const struct nir_shape *source, struct convolution_shape *window, bool *known)
{
    bool line = node->kind->type == TYPE_CONV1D;
    uint32_t rank = line ? 1 : 2;
    const struct nir_array *given = &node->parameter[CONV_INPUT_SHAPE];
    uint32_t size[2];
    *known = true;
    if (given->values != NULL) {
        struct nir_array last = *given; /* without channels, if they are there */
        struct nir_node sized = *node;
        if (given->count == rank + 1) {
            last.values++;
            last.count--;
        }
        sized.parameter[CONV_INPUT_SHAPE] = last;
        if (!extents_read(finder, &sized, CONV_INPUT_SHAPE, rank, 1, 1, size))
            return false;
        window->in_height = line ? 1 : size[0];
        window->in_width = line ? size[0] : size[1];
        return true;
    }
    struct nir_shape shape;
    char text[SHAPE_TEXT];
    *known = source->elements != 0;
    if (!*known)
        return true;
    if (!shape_as(source, rank + 1, window->in_channels, &shape))
        return FAULT(finder, node, "input_shape is missing, and what leads to it has shape %s "
                     "instead of %" PRIu32 " channels in %" PRIu32 " dimensions",
                     shape_text(source, text),
                     window->in_channels, rank);
    window->in_height = line ? 1 : (uint32_t)shape.extent[1];
    window->in_width = (uint32_t)shape.extent[rank];
    return true;
}

static bool settle_conv(const struct finder *finder, const struct nir_node *node,
                        const struct nir_shape *source, struct node_shapes *shapes)
{
    bool line = node->kind->type == TYPE_CONV1D, known;
    uint32_t rank = line ? 1 : 2, stride[2], padding[2], dilation[2], groups;
    const struct nir_array *weight = &node->parameter[WEIGHT], *bias = &node->parameter[BIAS];
    struct convolution_shape *window = &shapes->window;
    if (weight->rank != rank + 2)
        return FAULT(finder, node, "weight has %" PRIu32 " dimensions instead of %" PRIu32
                     " (outputs, inputs, kernel)", weight->rank, rank + 2);
    if (!extents_read(finder, node, CONV_STRIDE, rank, 1, 1, stride)
        || !extents_read(finder, node, CONV_PADDING, rank, 0, 0, padding)
        || !extents_read(finder, node, CONV_DILATION, rank, 1, 1, dilation)
        || !extents_read(finder, node, CONV_GROUPS, 1, 1, 1, &groups))
        return false;
    uint64_t kernel = weight->shape[2] > weight->shape[rank + 1] ? weight->shape[2]
                                                                 : weight->shape[rank + 1];
    if (weight->shape[1] * groups > INT32_MAX || weight->shape[0] % groups != 0
        || kernel > EXTENT_LIMIT || (kernel - 1) * dilation[0] > INT32_MAX / 2
        || (kernel - 1) * dilation[rank - 1] > INT32_MAX / 2)
        return FAULT(finder, node, "weight, groups (%" PRIu32 ") and dilation do not go together",
                     groups);
    if (bias->values != NULL && bias->count != 1 && bias->count != weight->shape[0])
        return FAULT(finder, node, "bias has %" PRIu64 " numbers, but weight has %" PRIu64
                     " output channels", bias->count, weight->shape[0]);
    uint32_t last = rank - 1;
    *window = (struct convolution_shape){
        .in_channels = (uint32_t)(weight->shape[1] * groups),
        .out_channels = (uint32_t)weight->shape[0],
        .kernel_height = line ? 1 : (uint32_t)weight->shape[2],
        .kernel_width = (uint32_t)weight->shape[rank + 1],
        .stride_y = line ? 1 : stride[0], .stride_x = stride[last],
        .padding_top = line ? 0 : padding[0], .padding_bottom = line ? 0 : padding[0],
        .padding_left = padding[last], .padding_right = padding[last],
        .dilation_y = line ? 1 : dilation[0], .dilation_x = dilation[last], .groups = groups,
    };
    if (node->padding == PADDING_SAME && (window->stride_y != 1 || window->stride_x != 1))
        return FAULT(finder, node, "padding 'same' goes only with a stride of 1, not %" PRIu32,
                     window->stride_x);
    if (node->padding == PADDING_SAME) {
        padding_same(window->kernel_height, window->dilation_y, &window->padding_top,
                     &window->padding_bottom);
        padding_same(window->kernel_width, window->dilation_x, &window->padding_left,
                     &window->padding_right);
    }
    if (!conv_size(finder, node, source, window, &known))
        return false;
    return !known || window_finish(finder, node, shapes);
}

static bool settle_pool(const struct finder *finder, const struct nir_node *node,
                        const struct nir_shape *source, struct node_shapes *shapes)
{
    uint32_t kernel[2], stride[2], padding[2];
    struct nir_shape shape;
    char text[SHAPE_TEXT];
    if (!extents_read(finder, node, POOL_KERNEL, 2, 1, 1, kernel)
        || !extents_read(finder, node, POOL_STRIDE, 2, 1, 0, stride)
        || !extents_read(finder, node, POOL_PADDING, 2, 0, 0, padding))
        return false;
    if (source->elements == 0)
        return true;
    if (!shape_as(source, 3, 0, &shape))
        return FAULT(finder, node, "what leads to it has shape %s instead of (channels, height, "
                     "width)", shape_text(source, text));
    uint32_t channels = (uint32_t)shape.extent[0];
    shapes->window = (struct convolution_shape){
        .in_channels = channels, .out_channels = channels, .groups = channels,
        .in_height = (uint32_t)shape.extent[1], .in_width = (uint32_t)shape.extent[2],
        .kernel_height = kernel[0], .kernel_width = kernel[1],
        .stride_y = stride[0] != 0 ? stride[0] : kernel[0],
        .stride_x = stride[1] != 0 ? stride[1] : kernel[1],
        .padding_top = padding[0], .padding_bottom = padding[0],
        .padding_left = padding[1], .padding_right = padding[1],
        .dilation_y = 1, .dilation_x = 1,
    };
    return window_finish(finder, node, shapes);
}

/* ---------------------------------------------------------------------- all together */

/* Settles a node if what leads to it, or failing that (`alone`) what it holds, is enough. */
static bool node_settle(struct finder *finder, uint32_t index, bool alone)
{
    struct nir_graph *graph = finder->graph;
    struct nir_node *node = &graph->nodes[index];
    struct node_shapes *shapes = &finder->shapes[index];
    struct nir_shape source = {.elements = 0};
    if (shapes->out.elements != 0 || node->kind->role == NODE_OUTPUT)
        return true;
    for (uint32_t i = 0; source.elements == 0 && i < node->in_count; i++)
        source = finder->shapes[graph->edges[node->in[i]].source].out;
    bool settled = true;
    switch (node->kind->type) {
    case TYPE_INPUT:
        settled = shape_read(finder, node, SHAPE, &shapes->out);
        shapes->in = shapes->out;
        break;
    case TYPE_AFFINE:
    case TYPE_LINEAR:
        settled = settle_dense(finder, node, shapes);
        break;
    case TYPE_CONV1D:
    case TYPE_CONV2D:
        settled = settle_conv(finder, node, &source, shapes);
        break;
    case TYPE_SUM_POOL:
    case TYPE_AVERAGE_POOL:
        settled = settle_pool(finder, node, &source, shapes);
        break;
    case TYPE_WIRE:
        shapes->in = shapes->out = source;
        break;
    case TYPE_FLATTEN:
        shapes->in = source;
        if (source.elements != 0)
            shapes->out = shape_flat(source.elements);
        break;
    default:
        if (source.elements != 0 || (alone && own_shape(node).elements != 1))
            settled = settle_each(finder, node, &source, shapes);
    }
    if (settled && shapes->out.elements != 0)
        finder->queue[finder->queued++] = index;
    return settled;
}

static bool queue_follow(struct finder *finder, uint32_t *done)
{
    while (*done < finder->queued) {
        const struct nir_node *node = &finder->graph->nodes[finder->queue[(*done)++]];
        for (uint32_t i = 0; i < node->out_count; i++)
            if (!node_settle(finder, finder->graph->edges[node->out[i]].target, false))
                return false;
    }
    return true;
}

/* What still waits after everything that could be was settled: a lone neuron, or a fault. */
static bool rest_settle(struct finder *finder, uint32_t index, uint32_t *done)
{
    const struct nir_node *node = &finder->graph->nodes[index];
    if (finder->shapes[index].out.elements != 0 || node->kind->role == NODE_OUTPUT)
        return true;
    if (node->kind->role == NODE_NEURONS || node->kind->type == TYPE_SCALE
        || node->kind->type == TYPE_DELAY) {
        struct nir_shape none = {.elements = 0};
        if (!settle_each(finder, &finder->graph->nodes[index], &none, &finder->shapes[index]))
            return false;
        finder->queue[finder->queued++] = index;
        return queue_follow(finder, done);
    }
    return FAULT(finder, node, "the shape of what leads to it cannot be found%s",
                 node->in_count == 0 ? ", as no edge does"
                 : "; give the nodes before it parameters of full shape");
}

static bool edges_meet(const struct finder *finder)
{
    const struct nir_graph *graph = finder->graph;
    for (uint32_t i = 0; i < graph->edge_count; i++) {
        const struct nir_edge *edge = &graph->edges[i];
        const struct nir_shape *out = &finder->shapes[edge->source].out;
        const struct nir_shape *in = &finder->shapes[edge->target].in;
        const struct nir_node *source = &graph->nodes[edge->source];
        const struct nir_node *target = &graph->nodes[edge->target];
        char one[SHAPE_TEXT], two[SHAPE_TEXT];
        if (source->kind->role == NODE_OUTPUT || target->kind->role == NODE_INPUT)
            return FAULT(finder, source, "an edge leads from it to '%.*s', but nothing %s",
                         utf8_clip(target->name), target->name, source->kind->role == NODE_OUTPUT
                         ? "comes out of an Output" : "goes into an Input");
        if (target->kind->role != NODE_OUTPUT && in->elements != out->elements)
            return FAULT(finder, target, "takes shape %s, but '%.*s', which leads to it, gives %s",
                         shape_text(in, one), utf8_clip(source->name), source->name,
                         shape_text(out, two));
    }
    return true;
}

bool nir_shapes_find(struct nir_graph *graph, struct node_shapes *shapes, uint64_t *room,
                     struct error *error)
{
    struct finder finder = {.graph = graph, .shapes = shapes, .room = room, .error = error};
    finder.queue = malloc(((size_t)graph->node_count + 1) * sizeof *finder.queue);
    if (finder.queue == NULL)
        return error_no_memory(error, "the shapes of a NIR file");
    uint32_t done = 0;
    bool found = true;
    for (uint32_t i = 0; found && i < graph->node_count; i++)
        found = node_settle(&finder, i, false);
    found = found && queue_follow(&finder, &done);
    for (uint32_t i = 0; found && i < graph->node_count; i++)
        found = node_settle(&finder, i, true) && queue_follow(&finder, &done);
    for (uint32_t i = 0; found && i < graph->node_count; i++)
        found = rest_settle(&finder, i, &done);
    found = found && edges_meet(&finder);
    free(finder.queue);
    return found;
}
