/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing the projections of a native document. Weights take float32 or integers where that loses
 * nothing.
 */
#include "neurons/import/native/native_writer.h"

#include "neurons/import/utf8.h"

#include <math.h>
#include <stdlib.h>

/* -------------------------------------------------------------- projections */

static const char *format_name(enum weight_format format)
{
    return format == WEIGHT_INT8 ? "int8" : format == WEIGHT_INT16 ? "int16" : "float32";
}

/* Whether every weight is exactly a code of the format times the scale, or exactly a float. */
static bool weights_are_exact(const struct blueprint_projection *projection, uint64_t length)
{
    double limit = projection->format == WEIGHT_INT8 ? INT8_MAX : INT16_MAX;
    for (uint64_t i = 0; i < length; i++) {
        double weight = projection->weights[i], code = round(weight / projection->scale);
        if (projection->format == WEIGHT_FLOAT
                ? (double)(float)weight != weight
                : code * projection->scale != weight || code > limit || code < -limit - 1)
            return false;
    }
    return true;
}

/* The same as codes, or as float32: [length], NULL when memory is short. */
static void *weights_narrow(const struct blueprint_projection *projection, uint64_t length)
{
    void *copy = calloc(length, projection->format == WEIGHT_INT8    ? sizeof(int8_t)
                                : projection->format == WEIGHT_INT16 ? sizeof(int16_t)
                                                                     : sizeof(float));
    for (uint64_t i = 0; copy != NULL && i < length; i++) {
        double weight = projection->weights[i];
        if (projection->format == WEIGHT_INT8)
            ((int8_t *)copy)[i] = (int8_t)round(weight / projection->scale);
        else if (projection->format == WEIGHT_INT16)
            ((int16_t *)copy)[i] = (int16_t)round(weight / projection->scale);
        else
            ((float *)copy)[i] = (float)weight;
    }
    return copy;
}

static bool put_weights(struct writer *writer, json_t *object,
                        const struct blueprint_projection *projection, uint32_t rank,
                        const uint64_t *shape)
{
    uint64_t length = writer_elements(rank, shape);
    unsigned number = (unsigned)(projection - writer->blueprint->projections);
    bool integers = projection->format == WEIGHT_INT8 || projection->format == WEIGHT_INT16;
    if (integers &&
        (!writer_put(writer, object, "type", json_string(format_name(projection->format))) ||
         !writer_put(writer, object, "scale", json_real(projection->scale))))
        return false;
    char *name = writer_name("projections.%u.weight", number);
    if (length <= WRITER_INLINE_LIMIT || !weights_are_exact(projection, length))
        return writer_put(writer, object, "weight",
                          writer_array(writer, name, rank, shape, projection->weights));
    void *copy = weights_narrow(projection, length);
    enum dtype dtype = projection->format == WEIGHT_INT8    ? DTYPE_I8
                       : projection->format == WEIGHT_INT16 ? DTYPE_I16
                                                            : DTYPE_F32;
    return writer_put(writer, object, integers ? "codes" : "weight",
                      writer_tensor(writer, name, dtype, rank, shape, copy, copy));
}

/* One for all, or one each. */
static bool put_weight_or_each(struct writer *writer, json_t *object,
                               const struct blueprint_projection *projection, uint64_t length)
{
    if (projection->weights == NULL)
        return writer_put(writer, object, "weight", json_real(projection->same));
    return put_weights(writer, object, projection, 1, &length);
}

static bool put_delay_or_each(struct writer *writer, json_t *object,
                              const struct blueprint_projection *projection, uint64_t length)
{
    unsigned number = (unsigned)(projection - writer->blueprint->projections);
    if (projection->delays == NULL)
        return writer_put(writer, object, "delay",
                          json_real(projection->immediate ? 0 : projection->delay));
    return writer_put(writer, object, "delay",
                      writer_array(writer, writer_name("projections.%u.delay", number), 1, &length,
                                   projection->delays));
}

/* The field that names a connection rule, and what goes with it. */
static bool put_connection(struct writer *writer, json_t *rule, const struct connection *connection)
{
    static const char *const names[] = {[CONNECT_ALL_TO_ALL] = "all_to_all",
                                        [CONNECT_ONE_TO_ONE] = "one_to_one",
                                        [CONNECT_FIXED_IN_DEGREE] = "fixed_in_degree",
                                        [CONNECT_FIXED_OUT_DEGREE] = "fixed_out_degree",
                                        [CONNECT_FIXED_TOTAL] = "fixed_total",
                                        [CONNECT_PROBABILITY] = "probability"};
    bool plain = connection->rule == CONNECT_ALL_TO_ALL || connection->rule == CONNECT_ONE_TO_ONE;
    bool degree =
        connection->rule == CONNECT_FIXED_IN_DEGREE || connection->rule == CONNECT_FIXED_OUT_DEGREE;
    json_t *value = plain ? json_true()
                    : connection->rule == CONNECT_PROBABILITY
                        ? json_real(connection->probability)
                        : json_integer((json_int_t)connection->number);
    return writer_put(writer, rule, names[connection->rule], value) &&
           (!degree || writer_put(writer, rule, "multiple", json_boolean(connection->multiple))) &&
           (connection->rule == CONNECT_ONE_TO_ONE ||
            writer_put(writer, rule, "self", json_boolean(connection->to_itself)));
}

static bool put_ranges(struct writer *writer, json_t *object,
                       const struct blueprint_projection *projection)
{
    const struct connection *connection = &projection->connection;
    const struct blueprint_population *populations = writer->blueprint->populations;
    const uint32_t from[2] = {connection->source_first, connection->source_count},
                   to[2] = {connection->target_first, connection->target_count};
    return (from[1] == populations[projection->source].neurons ||
            writer_put(writer, object, "from_neurons", writer_integers(from, 2))) &&
           (to[1] == populations[projection->target].neurons ||
            writer_put(writer, object, "to_neurons", writer_integers(to, 2)));
}

static bool put_rule(struct writer *writer, json_t *object,
                     const struct blueprint_projection *projection)
{
    const struct connection *connection = &projection->connection;
    bool integers = connection->format == WEIGHT_INT8 || connection->format == WEIGHT_INT16;
    json_t *rule = json_object();
    return writer_put(writer, object, "rule", rule) && put_connection(writer, rule, connection) &&
           put_ranges(writer, object, projection) &&
           writer_put(writer, object, "weight", writer_distribution(writer, &connection->weight)) &&
           (connection->format == WEIGHT_SAME ||
            writer_put(writer, object, "type", json_string(format_name(connection->format)))) &&
           (!integers || writer_put(writer, object, "scale", json_real(connection->scale))) &&
           writer_put(writer, object, "delay",
                      projection->immediate ? json_real(0)
                                            : writer_distribution(writer, &connection->delay));
}

static bool put_list(struct writer *writer, json_t *object,
                     const struct blueprint_projection *projection)
{
    unsigned number = (unsigned)(projection - writer->blueprint->projections);
    json_t *rule = json_object(), *list = json_object();
    bool made = writer_put(writer, object, "rule", rule);
    made = (made ? writer_put(writer, rule, "list", list) : (json_decref(list), false));
    return made &&
           writer_put(writer, list, "from",
                      writer_indices(writer, writer_name("projections.%u.from", number),
                                     projection->synapses, projection->sources)) &&
           writer_put(writer, list, "to",
                      writer_indices(writer, writer_name("projections.%u.to", number),
                                     projection->synapses, projection->targets)) &&
           put_weight_or_each(writer, object, projection, projection->synapses) &&
           put_delay_or_each(writer, object, projection, projection->synapses);
}

/* The fields that convolution and pooling share. */
static bool put_windows(struct writer *writer, json_t *windows,
                        const struct convolution_shape *shape)
{
    const uint32_t input[3] = {shape->in_channels, shape->in_height, shape->in_width},
                   kernel[2] = {shape->kernel_height, shape->kernel_width},
                   stride[2] = {shape->stride_y, shape->stride_x},
                   padding[4] = {shape->padding_top, shape->padding_left, shape->padding_bottom,
                                 shape->padding_right};
    bool even = padding[0] == padding[2] && padding[1] == padding[3];
    return writer_put(writer, windows, "input_shape", writer_integers(input, 3)) &&
           writer_put(writer, windows, "kernel", writer_integers(kernel, 2)) &&
           writer_put(writer, windows, "stride", writer_integers(stride, 2)) &&
           writer_put(writer, windows, "padding", writer_integers(padding, even ? 2 : 4));
}

static bool put_convolution(struct writer *writer, json_t *object,
                            const struct blueprint_projection *projection)
{
    const struct convolution_shape *shape = &projection->shape;
    const uint32_t dilation[2] = {shape->dilation_y, shape->dilation_x};
    const uint64_t extents[4] = {shape->out_channels, shape->in_channels / shape->groups,
                                 shape->kernel_height, shape->kernel_width};
    json_t *windows = json_object(), *rule = json_pack("{s:o}", "convolution", windows);
    return writer_put(writer, object, "rule", rule) &&
           writer_put(writer, windows, "channels", json_integer(shape->out_channels)) &&
           put_windows(writer, windows, shape) &&
           writer_put(writer, windows, "dilation", writer_integers(dilation, 2)) &&
           writer_put(writer, windows, "groups", json_integer(shape->groups)) &&
           put_weights(writer, object, projection, 4, extents) &&
           put_delay_or_each(writer, object, projection, 0);
}

static bool put_pooling(struct writer *writer, json_t *object,
                        const struct blueprint_projection *projection)
{
    const struct convolution_shape *shape = &projection->shape;
    bool average = projection->same == 1 / ((double)shape->kernel_height * shape->kernel_width);
    json_t *windows = json_object(), *rule = json_pack("{s:o}", "pooling", windows);
    return writer_put(writer, object, "rule", rule) && put_windows(writer, windows, shape) &&
           writer_put(writer, windows, "sum", json_boolean(!average)) &&
           (average || writer_put(writer, object, "weight", json_real(projection->same))) &&
           put_delay_or_each(writer, object, projection, 0);
}

static bool put_links(struct writer *writer, json_t *object,
                      const struct blueprint_projection *projection)
{
    const struct blueprint_population *populations = writer->blueprint->populations;
    const uint64_t dense[2] = {populations[projection->target].neurons,
                               populations[projection->source].neurons};
    switch (projection->kind) {
    case LINK_RULE: return put_rule(writer, object, projection);
    case LINK_LISTS: return put_list(writer, object, projection);
    case LINK_DENSE:
        return writer_put(writer, object, "rule", json_string("dense")) &&
               put_weights(writer, object, projection, 2, dense) &&
               put_delay_or_each(writer, object, projection, 0);
    case LINK_CONVOLUTION: return put_convolution(writer, object, projection);
    case LINK_POOLING: return put_pooling(writer, object, projection);
    case LINK_DIAGONAL: break;
    }
    return writer_put(writer, object, "rule", json_string("one_to_one")) &&
           put_weight_or_each(writer, object, projection, dense[1]) &&
           put_delay_or_each(writer, object, projection, dense[1]);
}

bool writer_put_projection(struct writer *writer, json_t *list,
                           const struct blueprint_projection *projection)
{
    const struct blueprint_population *populations = writer->blueprint->populations,
                                      *target = &populations[projection->target];
    if (target->model == NULL || target->model->ports[projection->port] == NULL)
        return error_set(writer->error, ERROR_FAILED,
                         "%s: projection '%.*s' cannot be written: '%.*s' takes no input",
                         utf8_tail(writer->path), utf8_clip(projection->name), projection->name,
                         utf8_clip(target->name), target->name);
    json_t *object = json_object();
    if (json_array_append_new(list, object) != 0)
        return error_no_memory(writer->error, "the document");
    return writer_put(writer, object, "name", json_string(projection->name)) &&
           writer_put(writer, object, "from", json_string(populations[projection->source].name)) &&
           writer_put(writer, object, "to", json_string(target->name)) &&
           writer_put(writer, object, "port",
                      json_string(target->model->ports[projection->port])) &&
           put_links(writer, object, projection);
}
