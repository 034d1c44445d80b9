/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rules. All but fixed in-degrees come down to two steps: how many synapses a source has, and
 * which targets it chooses.
 *
 *     all to all      all of them                              in order
 *     one to one      1                                        the one
 *     out-degree      the number                               with or without repeats
 *     total           binomial of what is left for this row
 *                     and the rows after it                    with repeats
 *     probability     binomial                                 without repeats
 *
 * (Chosen pair by pair with one probability, a row's number of targets is binomial, and given the
 * number every set of so many targets is equally likely.) Fixed in-degrees are drawn target by
 * target, twice: to count what each source gets, and to put it there.
 *
 * Main invariant: synapses of a row stand in order of targets, and do not depend on how many
 * threads draw.
 */
#include "neurons/connect/pairs.h"

#include <gsl/gsl_randist.h>
#include <stdlib.h>
#include <string.h>

/* Counters of degrees, which are apart from those of rows and targets. */
#define DEGREES_HIGH (UINT64_C(1) << 32)

/* gsl_ran_binomial holds its result in an int. */
#define BINOMIAL_TRIALS (UINT32_C(1) << 30)

/* ---- what there is to choose from ---- */

static bool forbids_itself(const struct connection *connection)
{
    return connection->same_population && !connection->to_itself;
}

struct choice choice_of(const struct connection *connection, uint32_t neuron, uint32_t first,
                        uint32_t count)
{
    struct choice choice = {first, count, UINT32_MAX};
    if (forbids_itself(connection) && neuron >= first && neuron - first < count) {
        choice.skip = neuron - first;
        choice.count--;
    }
    return choice;
}

/* Targets of the row-th source of the range. */
static struct choice choice_of_row(const struct connection *connection, uint32_t row)
{
    return choice_of(connection, connection->source_first + row, connection->target_first,
                     connection->target_count);
}

uint64_t pairs_possible(const struct connection *connection)
{
    uint64_t pairs = (uint64_t)connection->source_count * connection->target_count;
    uint64_t source_end = (uint64_t)connection->source_first + connection->source_count;
    uint64_t target_end = (uint64_t)connection->target_first + connection->target_count;
    uint64_t begin = connection->source_first > connection->target_first ? connection->source_first
                                                                         : connection->target_first;
    uint64_t end = source_end < target_end ? source_end : target_end;
    return forbids_itself(connection) && begin < end ? pairs - (end - begin) : pairs;
}

/* ---- how many ---- */

static uint64_t binomial(gsl_rng *generator, double probability, uint64_t trials)
{
    uint64_t successes = 0;
    for (; trials > BINOMIAL_TRIALS; trials -= BINOMIAL_TRIALS)
        successes += gsl_ran_binomial(generator, probability, BINOMIAL_TRIALS);
    return successes + gsl_ran_binomial(generator, probability, (unsigned)trials);
}

static bool too_long(const struct connection *connection, uint32_t row, struct error *error)
{
    return error_set(error, ERROR_MISUSED,
                     "source neuron %u would have more than %u synapses; spread them over more "
                     "sources",
                     (unsigned)(connection->source_first + row), (unsigned)UINT32_MAX);
}

/* Every row takes its share of what the rows before it have left. */
static bool count_total(struct pairs *pairs, gsl_rng *generator, struct error *error)
{
    const struct connection *connection = pairs->connection;
    uint64_t left = connection->number, possible = pairs_possible(connection);
    random_gsl_seek(generator, &pairs->stream, DEGREES_HIGH);
    for (uint32_t row = 0; row < connection->source_count && left > 0; row++) {
        uint64_t choices = choice_of_row(connection, row).count;
        uint64_t degree = choices == possible
                              ? left
                              : binomial(generator, (double)choices / (double)possible, left);
        if (degree > UINT32_MAX)
            return too_long(connection, row, error);
        pairs->degree[row] = (uint32_t)degree;
        left -= degree;
        possible -= choices;
    }
    return true;
}

static void count_probability(struct pairs *pairs, gsl_rng *generator)
{
    const struct connection *connection = pairs->connection;
    for (uint32_t row = 0; row < connection->source_count; row++) {
        random_gsl_seek(generator, &pairs->stream, DEGREES_HIGH + connection->source_first + row);
        pairs->degree[row] = (uint32_t)binomial(generator, connection->probability,
                                                choice_of_row(connection, row).count);
    }
}

static bool count_randomly(struct pairs *pairs, struct error *error)
{
    gsl_rng *generator = random_gsl_new();
    if (generator == NULL)
        return error_no_memory(error, "drawing connections");
    bool counted = true;
    if (pairs->connection->rule == CONNECT_FIXED_TOTAL)
        counted = count_total(pairs, generator, error);
    else
        count_probability(pairs, generator);
    gsl_rng_free(generator);
    return counted;
}

static void count_plainly(struct pairs *pairs)
{
    const struct connection *connection = pairs->connection;
    for (uint32_t row = 0; row < connection->source_count; row++) {
        struct choice choice = choice_of_row(connection, row);
        switch (connection->rule) {
        case CONNECT_ALL_TO_ALL: pairs->degree[row] = choice.count; break;
        case CONNECT_ONE_TO_ONE: pairs->degree[row] = choice.skip != row; break;
        default: pairs->degree[row] = (uint32_t)connection->number;
        }
    }
}

/* ---- fixed in-degrees ---- */

/* Draws the sources of one target; their places in the range are in chooser->chosen. */
static struct choice sources_draw(const struct pairs *pairs, struct chooser *chooser,
                                  uint32_t target)
{
    const struct connection *connection = pairs->connection;
    struct choice choice =
        choice_of(connection, target, connection->source_first, connection->source_count);
    chooser_draw(chooser, &pairs->stream, target, (uint32_t)connection->number, choice.count);
    choice.first = 0; /* rows are counted from the first of the range */
    return choice;
}

static void in_degree_count(void *argument, uint32_t part, uint32_t parts)
{
    struct pairs *pairs = argument;
    const struct connection *connection = pairs->connection;
    uint64_t *count = pairs->cursor + (size_t)part * connection->source_count;
    struct chooser *chooser = &pairs->choosers[part];
    uint32_t begin, end;
    workers_slice(connection->target_count, part, parts, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        struct choice choice = sources_draw(pairs, chooser, connection->target_first + i);
        for (uint32_t k = 0; k < connection->number; k++)
            count[choice_neuron(&choice, chooser->chosen[k])]++;
    }
}

struct filling {
    struct pairs *pairs;
    struct sparse *sparse;
};

static void in_degree_fill(void *argument, uint32_t part, uint32_t parts)
{
    const struct filling *fill = argument;
    struct pairs *pairs = fill->pairs;
    struct sparse *sparse = fill->sparse;
    const struct connection *connection = pairs->connection;
    uint64_t *cursor = pairs->cursor + (size_t)part * connection->source_count;
    struct chooser *chooser = &pairs->choosers[part];
    uint32_t begin, end;
    workers_slice(connection->target_count, part, parts, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        uint32_t target = connection->target_first + i;
        struct choice choice = sources_draw(pairs, chooser, target);
        for (uint32_t k = 0; k < connection->number; k++) {
            uint64_t place = cursor[choice_neuron(&choice, chooser->chosen[k])]++;
            if (sparse->target16 != NULL)
                sparse->target16[place] = (uint16_t)target;
            else
                sparse->target32[place] = target;
        }
    }
}

/* Counts into cursor, and adds up into degree. */
static bool count_in_degrees(struct pairs *pairs, struct error *error)
{
    const struct connection *connection = pairs->connection;
    uint32_t rows = connection->source_count;
    parts_run(pairs->workers, in_degree_count, pairs, pairs->parts);
    for (uint32_t row = 0; row < rows; row++) {
        uint64_t degree = 0;
        for (uint32_t part = 0; part < pairs->parts; part++)
            degree += pairs->cursor[(size_t)part * rows + row];
        if (degree > UINT32_MAX)
            return too_long(connection, row, error);
        pairs->degree[row] = (uint32_t)degree;
    }
    return true;
}

/* From counts to places: a row's first synapse, then part after part. */
static void cursors_place(struct pairs *pairs, const uint64_t *row_begin)
{
    uint32_t rows = pairs->connection->source_count;
    for (uint32_t row = 0; row < rows; row++) {
        uint64_t place = row_begin[row];
        for (uint32_t part = 0; part < pairs->parts; part++) {
            uint64_t *cursor = &pairs->cursor[(size_t)part * rows + row];
            uint64_t count = *cursor;
            *cursor = place;
            place += count;
        }
    }
}

/* ---- which targets ---- */

static void row_write(struct sparse *sparse, uint64_t place, const struct choice *choice,
                      const uint32_t *chosen, uint32_t degree)
{
    if (sparse->target16 != NULL)
        for (uint32_t k = 0; k < degree; k++)
            sparse->target16[place + k] = (uint16_t)choice_neuron(choice, chosen[k]);
    else
        for (uint32_t k = 0; k < degree; k++)
            sparse->target32[place + k] = choice_neuron(choice, chosen[k]);
}

/* Rows of the rules that choose nothing: `degree` targets from `first` on. */
static void row_write_plain(struct sparse *sparse, uint64_t place, struct choice choice,
                            uint32_t first, uint32_t degree)
{
    for (uint32_t k = 0; k < degree; k++) {
        uint32_t target = choice_neuron(&choice, first + k);
        if (sparse->target16 != NULL)
            sparse->target16[place + k] = (uint16_t)target;
        else
            sparse->target32[place + k] = target;
    }
}

static void rows_fill(void *argument, uint32_t part, uint32_t parts)
{
    const struct filling *fill = argument;
    struct pairs *pairs = fill->pairs;
    const struct connection *connection = pairs->connection;
    struct chooser *chooser = &pairs->choosers[part];
    uint32_t begin, end;
    workers_slice(connection->source_count, part, parts, &begin, &end);
    for (uint32_t row = begin; row < end; row++) {
        uint32_t source = connection->source_first + row, degree = pairs->degree[row];
        uint64_t place = fill->sparse->row[source];
        struct choice choice = choice_of_row(connection, row);
        if (connection->rule == CONNECT_ALL_TO_ALL) {
            row_write_plain(fill->sparse, place, choice, 0, degree);
        } else if (connection->rule == CONNECT_ONE_TO_ONE) {
            choice.skip = UINT32_MAX;
            row_write_plain(fill->sparse, place, choice, row, degree);
        } else {
            chooser_draw(chooser, &pairs->stream, source, degree, choice.count);
            chooser_sort(chooser, degree, choice.count);
            row_write(fill->sparse, place, &choice, chooser->chosen, degree);
        }
    }
}

/* ---- the whole ---- */

static bool choosers_take(struct pairs *pairs, uint32_t most, uint32_t candidates, bool repeats,
                          bool sorts, struct error *error)
{
    for (uint32_t part = 0; part < pairs->parts; part++)
        if (!chooser_take(&pairs->choosers[part], most, candidates, repeats, sorts, error))
            return false;
    return true;
}

bool pairs_count(struct pairs *pairs, const struct connection *connection, uint64_t seed,
                 uint32_t projection, struct workers *workers, struct error *error)
{
    uint32_t rows = connection->source_count;
    uint32_t parts = workers != NULL ? workers_count(workers) : 1;
    bool in_degrees = connection->rule == CONNECT_FIXED_IN_DEGREE;
    *pairs = (struct pairs){.connection = connection,
                            .stream = random_stream_of(seed, RANDOM_CONNECTION, projection),
                            .workers = workers,
                            .parts = parts,
                            .choosers = calloc(parts, sizeof *pairs->choosers),
                            .degree = calloc(rows, sizeof *pairs->degree)};
    if (in_degrees)
        pairs->cursor = calloc((size_t)rows * parts, sizeof *pairs->cursor);
    if (pairs->choosers == NULL || pairs->degree == NULL || (in_degrees && pairs->cursor == NULL))
        return error_no_memory(error, "drawing connections");

    bool counted = true;
    if (in_degrees)
        counted = choosers_take(pairs, (uint32_t)connection->number, rows, connection->multiple,
                                false, error) &&
                  count_in_degrees(pairs, error);
    else if (connection->rule == CONNECT_FIXED_TOTAL || connection->rule == CONNECT_PROBABILITY)
        counted = count_randomly(pairs, error);
    else
        count_plainly(pairs);
    for (uint32_t row = 0; counted && row < rows; row++)
        pairs->synapses += pairs->degree[row];
    return counted;
}

/* Rows of sources outside the range are empty. */
static void row_begins_fill(const struct pairs *pairs, struct sparse *sparse)
{
    const struct connection *connection = pairs->connection;
    uint64_t place = 0;
    for (uint32_t source = 0; source < sparse->sources; source++) {
        sparse->row[source] = place;
        if (source >= connection->source_first &&
            source - connection->source_first < connection->source_count)
            place += pairs->degree[source - connection->source_first];
    }
    sparse->row[sparse->sources] = place;
}

bool pairs_fill(struct pairs *pairs, struct sparse *sparse, struct error *error)
{
    const struct connection *connection = pairs->connection;
    struct filling fill = {pairs, sparse};
    row_begins_fill(pairs, sparse);
    if (connection->rule == CONNECT_FIXED_IN_DEGREE) {
        cursors_place(pairs, sparse->row + connection->source_first);
        parts_run(pairs->workers, in_degree_fill, &fill, pairs->parts);
        return true;
    }
    uint32_t most = 0;
    for (uint32_t row = 0; row < connection->source_count; row++)
        most = pairs->degree[row] > most ? pairs->degree[row] : most;
    bool repeats = connection->rule == CONNECT_FIXED_TOTAL ||
                   (connection->rule == CONNECT_FIXED_OUT_DEGREE && connection->multiple);
    bool plain = connection->rule == CONNECT_ALL_TO_ALL || connection->rule == CONNECT_ONE_TO_ONE;
    if (!plain && !choosers_take(pairs, most, connection->target_count, repeats, true, error))
        return false;
    parts_run(pairs->workers, rows_fill, &fill, pairs->parts);
    return true;
}

void pairs_release(struct pairs *pairs)
{
    for (uint32_t part = 0; pairs->choosers != NULL && part < pairs->parts; part++)
        chooser_release(&pairs->choosers[part]);
    free(pairs->choosers);
    free(pairs->degree);
    free(pairs->cursor);
    *pairs = (struct pairs){0};
}
