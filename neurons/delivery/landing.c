/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What landing.h describes: ports as deliveries see them, and whether weights fit them. */
#include "neurons/delivery/landing.h"

#include <inttypes.h>
#include <math.h>

/* Weights and scales are read from decimal text: 0.3 is three times 0.1 to within this. */
static const double ROUNDING = 1e-12;

static const struct port *port_of(const struct projection *projection)
{
    return &projection->target->ports[projection->port];
}

struct landing landing_of(const struct projection *projection, const struct delivery *delivery)
{
    const struct port *port = port_of(projection);
    return (struct landing){.current = port->current,
                            .count = (uint32_t *)port->count,
                            .touched = port->touched,
                            .width = port->width,
                            .blocks = port->width / PORT_BLOCK + (port->width % PORT_BLOCK != 0),
                            .tick = (uint32_t)(uint64_t)delivery->tick,
                            .mask = port->slots - 1};
}

struct events events_of(const struct projection *projection, const struct delivery *delivery)
{
    bool spikes = delivery->values == NULL;
    return (struct events){.spikes = delivery->spikes,
                           .values = delivery->values,
                           .length = spikes ? delivery->spike_count : projection->source->neurons,
                           .gain = port_gain(port_of(projection), delivery->tick)};
}

void landing_touch(const struct landing *landing, uint32_t begin, uint32_t end)
{
    if (landing->touched == NULL || begin >= end)
        return;
    for (uint32_t block = begin / PORT_BLOCK; block <= (end - 1) / PORT_BLOCK; block++)
        landing->touched[block] = 1;
}

static bool check_port(const struct projection *projection, uint32_t most_extra,
                       struct error *error)
{
    const struct port *port = port_of(projection);
    if (port->slots == 0 || (port->slots & (port->slots - 1)) != 0)
        return error_set(error, ERROR_MISUSED,
                         "projection %s: port %s of population %s has %" PRIu32
                         " slots; their number must be a power of two",
                         projection->name, port->name, projection->target->name, port->slots);
    if (most_extra >= port->slots)
        return error_set(error, ERROR_MISUSED, "projection %s: delays of %" PRIu32 " ticks beyond "
                         "the shortest do not fit port %s of population %s, which holds %" PRIu32
                         " ticks; make its delays more alike", projection->name, most_extra,
                         port->name, projection->target->name, port->slots);
    if (projection->carries == CARRIES_VALUES && port->current == NULL)
        return error_set(error, ERROR_MISUSED,
                         "projection %s: values cannot be added to port %s of "
                         "population %s, which counts whole numbers; let it take currents",
                         projection->name, port->name, projection->target->name);
    return true;
}

bool landing_check(struct projection *projection, uint32_t lanes, uint32_t sources,
                   uint32_t targets, uint32_t most_extra, struct error *error)
{
    const struct port *port = port_of(projection);
    const struct population *source = projection->source, *target = projection->target;
    if (source->neurons != sources)
        return error_set(error, ERROR_MISUSED,
                         "projection %s: its weights are for %" PRIu32 " source "
                         "neurons, but population %s has %" PRIu32,
                         projection->name, sources, source->name, source->neurons);
    if (port->width != targets)
        return error_set(error, ERROR_MISUSED,
                         "projection %s: its weights are for %" PRIu32 " targets, "
                         "but port %s of population %s has %" PRIu32,
                         projection->name, targets, port->name, target->name, port->width);
    if (lanes > 1 || (projection->carries == CARRIES_SPIKES && source->train != NULL))
        return error_set(error, ERROR_MISUSED, "projection %s: a projection of kind \"%s\" carries "
                         "single volleys in one lane, not trains or several lanes",
                         projection->name, projection->kind->name);
    projection->most_extra = most_extra;
    return check_port(projection, most_extra, error);
}

bool landing_units(const struct projection *projection, double weight, int32_t *units,
                   struct error *error)
{
    const struct port *port = port_of(projection);
    double whole = round(weight / port->scale);
    if (!(fabs(whole) <= INT32_MAX) ||
        !(fabs(whole * port->scale - weight) <= ROUNDING * fabs(weight)))
        return error_set(error, ERROR_MISUSED,
                         "projection %s: weight %.15g is no whole multiple of "
                         "%.15g, what port %s of population %s counts in; let it take currents",
                         projection->name, weight, port->scale, port->name,
                         projection->target->name);
    *units = (int32_t)whole;
    return true;
}

bool landing_scale(const struct projection *projection, double scale, struct error *error)
{
    const struct port *port = port_of(projection);
    if (!(fabs(scale - port->scale) <= ROUNDING * fabs(scale)))
        return error_set(
            error, ERROR_MISUSED,
            "projection %s: its weights are multiples of %.15g, but "
            "port %s of population %s counts in %.15g; give both one scale, or let the "
            "port take currents",
            projection->name, scale, port->name, projection->target->name, port->scale);
    return true;
}

bool landing_refuse_fractions(const struct projection *projection, struct error *error)
{
    const struct port *port = port_of(projection);
    return error_set(
        error, ERROR_MISUSED,
        "projection %s: its weights are no whole numbers, but port "
        "%s of population %s counts; use integer weights, or let the port take currents",
        projection->name, port->name, projection->target->name);
}
