/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading how strong and how late the synapses of a projection are: numbers as they are, or codes,
 * integers of which each is worth the scale.
 */
#include "neurons/import/native/native_links.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------- integer weights */

static double code_limit(enum weight_format format)
{
    return format == WEIGHT_INT8 ? INT8_MAX : INT16_MAX;
}

bool link_read_type(const struct link *link, enum weight_format *format, double *scale, bool *given)
{
    static const char *const types[] = {"float32", "int8", "int16", NULL};
    struct native_item type = native_member(link->item, "type"),
                       factor = native_member(link->item, "scale");
    unsigned chosen = 0;
    *given = type.json != NULL;
    if (*given && !native_word(link->reader, &type, "type", types, &chosen))
        return false;
    if (chosen == 0 && factor.json != NULL)
        return native_refuse(link->reader, &factor,
                             "is only for weights of \"type\": \"int8\" or "
                             "\"int16\"");
    if (*given)
        *format = chosen == 0 ? WEIGHT_FLOAT : chosen == 1 ? WEIGHT_INT8 : WEIGHT_INT16;
    return chosen == 0 || native_number(link->reader, &factor, RANGE_POSITIVE, scale);
}

bool link_weights_fit(const struct link *link, const struct native_item *item, double *weights,
                      uint64_t length, enum weight_format format, double scale)
{
    for (uint64_t i = 0; i < length; i++) {
        if (format == WEIGHT_FLOAT && fabs(weights[i]) > FLT_MAX)
            return native_refuse(link->reader, item,
                                 "weight %" PRIu64 ", %.9g, is too large for "
                                 "float32",
                                 i, weights[i]);
        if (format == WEIGHT_FLOAT || format == WEIGHT_SAME)
            continue;
        double code = round(weights[i] / scale);
        if (fabs(code * scale - weights[i]) > 1e-6 * scale)
            return native_refuse(link->reader, item,
                                 "weight %" PRIu64 ", %.9g, is no whole "
                                 "multiple of the scale, %.9g",
                                 i, weights[i], scale);
        if (code < -code_limit(format) - 1 || code > code_limit(format))
            return native_refuse(link->reader, item,
                                 "weight %" PRIu64 ", %.9g, is %.9g times the "
                                 "scale, beyond the type's range of %.0f to %.0f",
                                 i, weights[i], code, -code_limit(format) - 1, code_limit(format));
        weights[i] = code * scale;
    }
    return true;
}

bool link_weight_place(const struct link *link, struct native_item *weight)
{
    *weight = native_member(link->item, "weight");
    struct native_item codes = native_member(link->item, "codes");
    if ((weight->json == NULL) == (codes.json == NULL)) {
        if (codes.json != NULL)
            return native_refuse(link->reader, &codes,
                                 "is there beside 'weight'; give one of them");
        return native_refuse(link->reader, weight, "is missing");
    }
    if (codes.json != NULL)
        *weight = codes;
    return true;
}

bool link_read_weights(struct link *link, const struct native_item *item, uint32_t rank,
                       const uint64_t *shape)
{
    struct blueprint_projection *projection = link->projection;
    bool codes = strcmp(item->key, "codes") == 0, given;
    projection->format = WEIGHT_FLOAT;
    if (!link_read_type(link, &projection->format, &projection->scale, &given))
        return false;
    if (codes && projection->format == WEIGHT_FLOAT)
        return native_refuse(link->reader, item,
                             "needs \"type\": \"int8\" or \"int16\" and "
                             "\"scale\": a weight is the scale times its code");
    if (!native_array(link->reader, item, rank, shape, false, &projection->weights))
        return false;
    uint64_t length = 1;
    for (uint32_t i = 0; i < rank; i++)
        length *= shape[i];
    if (codes) {
        double limit = code_limit(projection->format);
        if (!native_whole(link->reader, item, projection->weights, length, -limit - 1, limit))
            return false;
        for (uint64_t i = 0; i < length; i++)
            projection->weights[i] *= projection->scale;
    }
    return link_weights_fit(link, item, projection->weights, length, projection->format,
                            projection->scale);
}

bool link_read_weight_or_each(struct link *link, uint64_t length)
{
    struct blueprint_projection *projection = link->projection;
    struct native_item weight;
    if (!link_weight_place(link, &weight))
        return false;
    if (native_is_array(&weight) || strcmp(weight.key, "codes") == 0)
        return link_read_weights(link, &weight, 1, &length);
    bool given;
    enum weight_format format = WEIGHT_SAME;
    if (json_is_object(weight.json))
        return native_refuse(link->reader, &weight,
                             "must be a number or one for each synapse: "
                             "nothing is drawn where synapses are listed");
    if (!native_number(link->reader, &weight, RANGE_ANY, &projection->same) ||
        !link_read_type(link, &format, &projection->scale, &given) ||
        !link_weights_fit(link, &weight, &projection->same, 1, format, projection->scale))
        return false;
    if (!given)
        return true;
    projection->weights = calloc(length + 1, sizeof *projection->weights);
    if (projection->weights == NULL)
        return error_no_memory(link->reader->error, "weights");
    for (uint64_t i = 0; i < length; i++)
        projection->weights[i] = projection->same;
    projection->same = 0;
    projection->format = format;
    return true;
}

/* ------------------------------------------------------------------- delays */

bool link_read_delay(struct link *link)
{
    struct blueprint_projection *projection = link->projection;
    struct native_item delay = native_member(link->item, "delay");
    projection->delay = link->reader->blueprint->rules.dt;
    if (delay.json == NULL)
        return true;
    if (json_is_object(delay.json) || json_is_array(delay.json))
        return native_refuse(link->reader, &delay, "must be one number of seconds for this rule");
    if (!native_number(link->reader, &delay, RANGE_NOT_NEGATIVE, &projection->delay))
        return false;
    projection->immediate = projection->delay == 0;
    return true;
}

bool link_read_delay_or_each(struct link *link, uint64_t length)
{
    struct native_item delay = native_member(link->item, "delay");
    if (!native_is_array(&delay))
        return link_read_delay(link);
    return native_array(link->reader, &delay, 1, &length, false, &link->projection->delays) &&
           native_in_range(link->reader, &delay, link->projection->delays, length,
                           RANGE_NOT_NEGATIVE);
}
