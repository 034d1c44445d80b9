/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading projections by windows over the source's neurons: convolution and pooling, in one
 * dimension (a height of 1) and two.
 */
#include "neurons/import/native/native_links.h"

#include <string.h>

enum { EXTENT_LIMIT = 65535 }; /* of kernels, strides, padding */

/* A number for each dimension, or one for all of them; [y, x], or [x] where there is but one. */
static bool read_extents(const struct link *link, const char *field, uint32_t dimensions,
                         uint32_t *y, uint32_t *x)
{
    struct native_item item = native_member(&link->named, field);
    uint32_t values[2], count = 1;
    if (item.json == NULL)
        return true;
    if (json_is_array(item.json)) {
        if (!native_integers(link->reader, &item, dimensions, 1, values, &count))
            return false;
        if (count != dimensions)
            return native_refuse(link->reader, &item, "must have %u numbers, has %u", dimensions,
                                 count);
    } else {
        int64_t value;
        if (!native_integer(link->reader, &item, 1, EXTENT_LIMIT, &value))
            return false;
        values[0] = (uint32_t)value;
    }
    if (values[0] > EXTENT_LIMIT || values[count - 1] > EXTENT_LIMIT)
        return native_refuse(link->reader, &item, "must not be above %d", EXTENT_LIMIT);
    *x = values[count - 1];
    if (dimensions == 2)
        *y = values[0];
    return true;
}

/* n, [y, x] or [top, left, bottom, right]; in one dimension n, [x] or [left, right] */
static bool read_padding(const struct link *link, uint32_t dimensions,
                         struct convolution_shape *shape)
{
    struct native_item item = native_member(&link->named, "padding");
    uint32_t values[4] = {0}, count = 1;
    int64_t value = 0;
    if (item.json == NULL)
        return true;
    if (json_is_array(item.json)) {
        if (!native_integers(link->reader, &item, 2 * dimensions, 0, values, &count))
            return false;
        if (count != dimensions && count != 2 * dimensions)
            return native_refuse(link->reader, &item, "must have %u or %u numbers, has %u",
                                 dimensions, 2 * dimensions, count);
    } else if (!native_integer(link->reader, &item, 0, EXTENT_LIMIT, &value)) {
        return false;
    } else {
        values[0] = (uint32_t)value;
    }
    for (uint32_t i = 0; i < count; i++)
        if (values[i] > EXTENT_LIMIT)
            return native_refuse(link->reader, &item, "must not be above %d", EXTENT_LIMIT);
    uint32_t begin = count == 2 * dimensions ? dimensions - 1 : count - 1;
    shape->padding_left = values[begin];
    shape->padding_right = values[count - 1];
    if (dimensions == 2) {
        shape->padding_top = values[0];
        shape->padding_bottom = values[count == 4 ? 2 : 0];
    }
    return true;
}

/* The arrangement of the source's neurons: "input_shape", or else as the population says. */
static bool read_input_shape(const struct link *link, struct convolution_shape *shape,
                             uint32_t *dimensions)
{
    struct native_item item = native_member(&link->named, "input_shape");
    const struct blueprint_population *source =
        &link->reader->blueprint->populations[link->projection->source];
    uint32_t extents[3], rank = source->rank;
    if (item.json != NULL) {
        if (!native_integers(link->reader, &item, 3, 1, extents, &rank))
            return false;
    } else if (rank <= 3) {
        memcpy(extents, source->shape, sizeof extents);
    }
    if (rank != 2 && rank != 3)
        return native_refuse(link->reader, &item,
                             "must be [channels, height, width] or [channels, "
                             "width], here or as the 'shape' of the source population");
    *shape = (struct convolution_shape){.in_channels = extents[0],
                                        .in_height = rank == 3 ? extents[1] : 1,
                                        .in_width = extents[rank - 1],
                                        .kernel_height = 1,
                                        .kernel_width = 1,
                                        .stride_y = 1,
                                        .stride_x = 1,
                                        .dilation_y = 1,
                                        .dilation_x = 1,
                                        .groups = 1};
    *dimensions = rank - 1;
    /* as doubles: not to overflow, and exact where it matters */
    if ((double)extents[0] * shape->in_height * shape->in_width != link->sources)
        return native_refuse(link->reader, &item,
                             "%u x %u x %u does not make the source's %u "
                             "neurons",
                             extents[0], shape->in_height, shape->in_width, link->sources);
    return true;
}

static bool finish_shape(const struct link *link, struct convolution_shape *shape)
{
    struct error fault = {0};
    if (!convolution_outputs(shape, &fault))
        return native_refuse(link->reader, &link->named, "%s", fault.text);
    if ((double)shape->out_channels * shape->out_height * shape->out_width != link->targets)
        return native_refuse(link->reader, &link->named,
                             "puts out %u channels of %u x %u, but the "
                             "target has %u neurons",
                             shape->out_channels, shape->out_height, shape->out_width,
                             link->targets);
    return true;
}

static bool read_groups(const struct link *link, struct convolution_shape *shape)
{
    struct native_item channels = native_member(&link->named, "channels"),
                       groups = native_member(&link->named, "groups");
    int64_t out, parts = 1;
    if (!native_integer(link->reader, &channels, 1, INT32_MAX, &out) ||
        (groups.json != NULL && !native_integer(link->reader, &groups, 1, INT32_MAX, &parts)))
        return false;
    if (out % parts != 0 || shape->in_channels % parts != 0)
        return native_refuse(link->reader, &groups,
                             "is %lld, which does not divide the %u channels "
                             "that go in and the %lld that come out",
                             (long long)parts, shape->in_channels, (long long)out);
    shape->out_channels = (uint32_t)out;
    shape->groups = (uint32_t)parts;
    return true;
}

bool link_read_convolution(struct link *link)
{
    static const char *const fields[] = {"channels", "kernel", "stride",      "padding",
                                         "dilation", "groups", "input_shape", NULL};
    struct convolution_shape *shape = &link->projection->shape;
    struct native_item weight, kernel = native_member(&link->named, "kernel");
    uint32_t dimensions;
    link->projection->kind = LINK_CONVOLUTION;
    if (!native_fields(link->reader, &link->named, fields) ||
        !read_input_shape(link, shape, &dimensions) || !read_groups(link, shape) ||
        (kernel.json == NULL && !native_refuse(link->reader, &kernel,
                                               "is missing; it is "
                                               "[height, width]")) ||
        !read_extents(link, "kernel", dimensions, &shape->kernel_height, &shape->kernel_width) ||
        !read_extents(link, "stride", dimensions, &shape->stride_y, &shape->stride_x) ||
        !read_extents(link, "dilation", dimensions, &shape->dilation_y, &shape->dilation_x) ||
        !read_padding(link, dimensions, shape) || !finish_shape(link, shape) ||
        !link_weight_place(link, &weight))
        return false;
    uint64_t inward = shape->in_channels / shape->groups;
    uint64_t plane[4] = {shape->out_channels, inward, shape->kernel_height, shape->kernel_width},
             line[3] = {shape->out_channels, inward, shape->kernel_width};
    return link_read_weights(link, &weight, dimensions + 2, dimensions == 2 ? plane : line) &&
           link_read_delay(link);
}

bool link_read_pooling(struct link *link)
{
    static const char *const fields[] = {"kernel", "stride", "padding", "sum", "input_shape", NULL};
    struct native_reader *reader = link->reader;
    struct convolution_shape *shape = &link->projection->shape;
    struct native_item kernel = native_member(&link->named, "kernel"),
                       sum = native_member(&link->named, "sum"),
                       weight = native_member(link->item, "weight");
    uint32_t dimensions;
    bool summed = false;
    link->projection->kind = LINK_POOLING;
    if (!native_fields(reader, &link->named, fields) ||
        !read_input_shape(link, shape, &dimensions) ||
        (kernel.json == NULL && !native_refuse(reader, &kernel,
                                               "is missing; it is "
                                               "[height, width]")) ||
        !read_extents(link, "kernel", dimensions, &shape->kernel_height, &shape->kernel_width))
        return false;
    shape->stride_y = shape->kernel_height;
    shape->stride_x = shape->kernel_width;
    shape->groups = shape->out_channels = shape->in_channels;
    if (!read_extents(link, "stride", dimensions, &shape->stride_y, &shape->stride_x) ||
        !read_padding(link, dimensions, shape) || !finish_shape(link, shape) ||
        (sum.json != NULL && !native_flag(reader, &sum, &summed)))
        return false;
    static const char *const unfit[] = {"codes", "type", "scale"};
    for (size_t i = 0; i < sizeof unfit / sizeof unfit[0]; i++) {
        struct native_item item = native_member(link->item, unfit[i]);
        if (item.json != NULL)
            return native_refuse(reader, &item, "is not for pooling, which has but one weight");
    }
    link->projection->same = 1;
    if (weight.json != NULL && !native_number(reader, &weight, RANGE_ANY, &link->projection->same))
        return false;
    if (!summed)
        link->projection->same /= (double)shape->kernel_height * shape->kernel_width;
    return link_read_delay(link);
}
