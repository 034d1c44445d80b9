/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Drawing weights and delays. What is stored as an integer (codes, ticks) is drawn from a table
 * (rounded.h), what is stored as float32 by the inverse of its cumulative function. What a word can
 * at all give is known beforehand, so a number that does not fit is found before memory is taken.
 */
#include "neurons/connect/values.h"

#include "neurons/connect/pairs.h"

#include <float.h>
#include <math.h>

enum { AT_ONCE = 1024 }; /* numbers drawn together; a multiple of 4 */

/* ---- checks ---- */

static bool weights_integer(const struct connection *connection)
{
    return connection->format == WEIGHT_INT8 || connection->format == WEIGHT_INT16;
}

static bool codes_take(struct values *values, struct error *error)
{
    const struct connection *connection = values->connection;
    int least = connection->format == WEIGHT_INT8 ? INT8_MIN : INT16_MIN;
    int most = connection->format == WEIGHT_INT8 ? INT8_MAX : INT16_MAX;
    double scale = connection->scale, smallest, largest;
    if (!isfinite(scale) || scale <= 0)
        return error_set(error, ERROR_MISUSED,
                         "the scale of integer weights is %g, but must be above 0", scale);
    rounded_range(&connection->weight, scale, &smallest, &largest);
    if (!(smallest >= least && largest <= most)) {
        double worst = -smallest > largest ? smallest : largest;
        return error_set(error, ERROR_MISUSED,
                         "weights reach %g, which is %g times their scale of %g, but %d-bit "
                         "integers go from %d to %d; choose a larger scale, or confine the weights",
                         worst * scale, worst, scale, connection->format == WEIGHT_INT8 ? 8 : 16,
                         least, most);
    }
    return rounded_take(&values->code, &connection->weight, scale, (int64_t)smallest,
                        (int64_t)largest, error);
}

static bool weights_take(struct values *values, struct error *error)
{
    const struct connection *connection = values->connection;
    const struct distribution *weight = &connection->weight;
    if (!distribution_check(weight, error))
        return false;
    if (weights_integer(connection))
        return codes_take(values, error);
    if (connection->format == WEIGHT_SAME)
        return weight->kind == DISTRIBUTION_CONSTANT ||
               error_set(error, ERROR_MISUSED,
                         "weights that are all the same must be a constant, not a distribution");
    double smallest = distribution_value(weight, random_uniform(0));
    double largest = distribution_value(weight, random_uniform(UINT32_MAX));
    if (!(fabs(smallest) <= (double)FLT_MAX && fabs(largest) <= (double)FLT_MAX))
        return error_set(error, ERROR_MISUSED,
                         "weights reach from %g to %g, more than a 32-bit float holds; confine "
                         "them",
                         smallest, largest);
    return true;
}

static bool delays_take(struct values *values, struct error *error)
{
    const struct connection *connection = values->connection;
    const struct distribution *delay = &connection->delay;
    double dt = connection->dt, smallest, largest;
    if (!isfinite(dt) || dt <= 0)
        return error_set(error, ERROR_MISUSED, "the tick is %g seconds, but must be above 0", dt);
    if (!distribution_check(delay, error))
        return false;
    if (delay->kind == DISTRIBUTION_CONSTANT && delay->a < 0)
        return error_set(error, ERROR_MISUSED, "the delay is %g seconds, but cannot be negative",
                         delay->a);
    rounded_range(delay, dt, &smallest, &largest);
    smallest = fmax(smallest, 1);
    largest = fmax(largest, 1);
    if (!(largest <= connection->delay_limit))
        return error_set(error, ERROR_MISUSED,
                         "delays reach %g seconds, %g ticks, but at most %u ticks are possible; "
                         "confine them, or choose a longer tick",
                         largest * dt, largest, (unsigned)connection->delay_limit);
    if (largest - smallest >= ROUNDED_LENGTH)
        return error_set(error, ERROR_MISUSED,
                         "delays reach from %g to %g ticks, but at most %d ticks may lie between "
                         "them; confine them, or choose a longer tick",
                         smallest, largest, ROUNDED_LENGTH - 1);
    return rounded_take(&values->ticks, delay, dt, (int64_t)smallest, (int64_t)largest, error);
}

bool values_take(struct values *values, const struct connection *connection, uint64_t seed,
                 uint32_t projection, struct error *error)
{
    *values = (struct values){.connection = connection,
                              .weights = random_stream_of(seed, RANDOM_WEIGHT, projection),
                              .delays = random_stream_of(seed, RANDOM_DELAY, projection)};
    return weights_take(values, error) && delays_take(values, error);
}

void values_release(struct values *values)
{
    rounded_release(&values->code);
    rounded_release(&values->ticks);
}

/* ---- filling; synapses place … place + count - 1 are those from k on of row `source` ---- */

static void floats_fill(const struct values *values, uint32_t source, uint32_t k, uint64_t place,
                        uint32_t count)
{
    double drawn[AT_ONCE];
    float *weight = (float *)values->sparse->weight + place;
    distribution_fill_from(&values->connection->weight, &values->weights, source, k / 4, count,
                           drawn);
    for (uint32_t i = 0; i < count; i++)
        weight[i] = (float)drawn[i];
}

static void codes_fill(const struct values *values, uint32_t source, uint32_t k, uint64_t place,
                       uint32_t count)
{
    uint32_t words[AT_ONCE];
    const struct rounded *code = &values->code;
    int first = (int)code->first;
    random_words_bulk(&values->weights, source, k / 4, (count + 3) / 4, words);
    if (values->sparse->format == WEIGHT_INT8)
        for (uint32_t i = 0; i < count; i++)
            ((int8_t *)values->sparse->weight)[place + i] =
                (int8_t)(first + (int)rounded_offset(code, words[i]));
    else
        for (uint32_t i = 0; i < count; i++)
            ((int16_t *)values->sparse->weight)[place + i] =
                (int16_t)(first + (int)rounded_offset(code, words[i]));
}

static void delays_fill(const struct values *values, uint32_t source, uint32_t k, uint64_t place,
                        uint32_t count)
{
    uint32_t words[AT_ONCE];
    const struct rounded *ticks = &values->ticks;
    random_words_bulk(&values->delays, source, k / 4, (count + 3) / 4, words);
    if (values->sparse->extra8 != NULL)
        for (uint32_t i = 0; i < count; i++)
            values->sparse->extra8[place + i] = (uint8_t)rounded_offset(ticks, words[i]);
    else
        for (uint32_t i = 0; i < count; i++)
            values->sparse->extra16[place + i] = (uint16_t)rounded_offset(ticks, words[i]);
}

static void row_fill(const struct values *values, uint32_t source)
{
    const struct sparse *sparse = values->sparse;
    uint64_t begin = sparse->row[source], end = sparse->row[source + 1];
    for (uint64_t place = begin; place < end; place += AT_ONCE) {
        uint32_t count = end - place < AT_ONCE ? (uint32_t)(end - place) : AT_ONCE;
        uint32_t k = (uint32_t)(place - begin);
        if (sparse->format == WEIGHT_FLOAT)
            floats_fill(values, source, k, place, count);
        else if (sparse->format != WEIGHT_SAME)
            codes_fill(values, source, k, place, count);
        if (sparse->most_extra > 0)
            delays_fill(values, source, k, place, count);
    }
}

static void rows_fill(void *argument, uint32_t part, uint32_t parts)
{
    const struct values *values = argument;
    uint32_t begin, end;
    workers_slice(values->connection->source_count, part, parts, &begin, &end);
    for (uint32_t row = begin; row < end; row++)
        row_fill(values, values->connection->source_first + row);
}

void values_fill(struct values *values, struct sparse *sparse, struct workers *workers)
{
    values->sparse = sparse;
    parts_run(workers, rows_fill, values, workers != NULL ? workers_count(workers) : 1);
}
