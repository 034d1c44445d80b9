/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Drawing a connection: what it asks for is checked, then pairs.c says who is connected, values.c
 * how strongly and how late.
 */
#include "neurons/connect/connect.h"

#include "neurons/connect/pairs.h"
#include "neurons/connect/values.h"

#include <inttypes.h>
#include <unistd.h>

static bool range_check(const char *whose, uint32_t first, uint32_t count, uint32_t neurons,
                        struct error *error)
{
    if (count == 0)
        return error_set(error, ERROR_MISUSED, "the range of %s neurons is empty", whose);
    if (first >= neurons || count > neurons - first)
        return error_set(error, ERROR_MISUSED,
                         "the range of %s neurons goes from %" PRIu32 " to %" PRIu64
                         ", but there are %" PRIu32,
                         whose, first, (uint64_t)first + count - 1, neurons);
    return true;
}

static bool ranges_check(const struct connection *connection, uint32_t sources, uint32_t targets,
                         struct error *error)
{
    return range_check("source", connection->source_first, connection->source_count, sources,
                       error) &&
           range_check("target", connection->target_first, connection->target_count, targets,
                       error);
}

/* A degree against the `count` neurons to choose from, less the neuron itself for some. */
static bool degree_check(const struct connection *connection, const char *whose, uint32_t count,
                         struct error *error)
{
    uint64_t pairs = (uint64_t)connection->source_count * connection->target_count;
    if (pairs_possible(connection) < pairs)
        count--;
    if (connection->number > 0 && count == 0)
        return error_set(error, ERROR_MISUSED,
                         "a neuron has nothing to be connected to but itself, which is forbidden");
    if (connection->number > count && !connection->multiple)
        return error_set(error, ERROR_MISUSED,
                         "%" PRIu64 " %s neurons cannot be drawn from %" PRIu32
                         " without drawing one twice; allow \"multiple\", or draw fewer",
                         connection->number, whose, count);
    if (connection->number > UINT32_MAX)
        return error_set(error, ERROR_MISUSED, "a degree of %" PRIu64 " is more than %" PRIu32,
                         connection->number, UINT32_MAX);
    return true;
}

static bool one_to_one_check(const struct connection *connection, struct error *error)
{
    if (connection->source_count != connection->target_count)
        return error_set(error, ERROR_MISUSED,
                         "one to one needs as many targets as sources, not %" PRIu32
                         " sources and %" PRIu32 " targets",
                         connection->source_count, connection->target_count);
    if (connection->same_population && !connection->to_itself &&
        connection->source_first == connection->target_first)
        return error_set(error, ERROR_MISUSED,
                         "one to one connects every neuron to itself, which is forbidden");
    return true;
}

static bool rule_check(const struct connection *connection, struct error *error)
{
    switch (connection->rule) {
    case CONNECT_ALL_TO_ALL: return true;
    case CONNECT_ONE_TO_ONE: return one_to_one_check(connection, error);
    case CONNECT_FIXED_IN_DEGREE:
        return degree_check(connection, "source", connection->source_count, error);
    case CONNECT_FIXED_OUT_DEGREE:
        return degree_check(connection, "target", connection->target_count, error);
    case CONNECT_FIXED_TOTAL:
        return connection->number == 0 || pairs_possible(connection) > 0 ||
               error_set(error, ERROR_MISUSED,
                         "a neuron has nothing to be connected to but itself, which is forbidden");
    case CONNECT_PROBABILITY:
        return (connection->probability >= 0 && connection->probability <= 1) ||
               error_set(error, ERROR_MISUSED,
                         "the probability of a connection is %g, but must be from 0 to 1",
                         connection->probability);
    }
    return error_set(error, ERROR_MISUSED, "connection rule %d does not exist",
                     (int)connection->rule);
}

/* As a double, which no product overflows; of random numbers the mean. */
static double synapses_expected(const struct connection *connection)
{
    double number = (double)connection->number;
    switch (connection->rule) {
    case CONNECT_ALL_TO_ALL: return (double)pairs_possible(connection);
    case CONNECT_ONE_TO_ONE: return connection->source_count;
    case CONNECT_FIXED_IN_DEGREE: return number * connection->target_count;
    case CONNECT_FIXED_OUT_DEGREE: return number * connection->source_count;
    case CONNECT_FIXED_TOTAL: return number;
    case CONNECT_PROBABILITY: break;
    }
    return connection->probability * (double)pairs_possible(connection);
}

/* Against the machine's whole memory: asking for more would be granted, and the program killed
 * later. */
static bool memory_check(const struct connection *connection, uint32_t targets, uint32_t most_extra,
                         struct error *error)
{
    static const int weight_bytes[] = {
        [WEIGHT_SAME] = 0, [WEIGHT_FLOAT] = 4, [WEIGHT_INT8] = 1, [WEIGHT_INT16] = 2};
    int bytes = (targets > 65536 ? 4 : 2) + weight_bytes[connection->format] + (most_extra > 0) +
                (most_extra > UINT8_MAX);
    double synapses = synapses_expected(connection);
    double machine = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (synapses * bytes <= machine)
        return true;
    return error_set(error, ERROR_FAILED,
                     "%.4g synapses of %d bytes need %.4g GB, but this machine has %.4g GB of "
                     "memory",
                     synapses, bytes, synapses * bytes * 1e-9, machine * 1e-9);
}

static struct sparse *drawn(struct pairs *pairs, struct values *values, uint32_t sources,
                            uint32_t targets, struct error *error)
{
    const struct connection *connection = pairs->connection;
    struct sparse *sparse = sparse_new(sources, targets, pairs->synapses, connection->format,
                                       values->ticks.length - 1, error);
    if (sparse == NULL)
        return NULL;
    if (connection->format == WEIGHT_SAME)
        sparse->same = connection->weight.a;
    else if (connection->format != WEIGHT_FLOAT)
        sparse->scale = connection->scale;
    if (!pairs_fill(pairs, sparse, error)) {
        sparse_free(sparse);
        return NULL;
    }
    values_fill(values, sparse, pairs->workers);
    if (!sparse_finish(sparse, error)) {
        sparse_free(sparse);
        return NULL;
    }
    return sparse;
}

struct sparse *connect_draw(struct connection *connection, uint32_t sources, uint32_t targets,
                            uint64_t seed, uint32_t projection, struct workers *workers,
                            struct error *error)
{
    if (!ranges_check(connection, sources, targets, error) || !rule_check(connection, error))
        return NULL;

    struct sparse *sparse = NULL;
    struct pairs pairs = {0};
    struct values values;
    if (values_take(&values, connection, seed, projection, error) &&
        memory_check(connection, targets, values.ticks.length - 1, error) &&
        pairs_count(&pairs, connection, seed, projection, workers, error))
        sparse = drawn(&pairs, &values, sources, targets, error);
    if (sparse != NULL)
        connection->delay_ticks = (uint32_t)values.ticks.first;
    pairs_release(&pairs);
    values_release(&values);
    return sparse;
}
