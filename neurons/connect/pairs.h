/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who is connected to whom: the rows of a connection, first counted, then filled in.
 *
 * Every row, or for fixed in-degrees every target, draws from counters of its own. So they can be
 * drawn in any order and by any number of threads, and drawn again in place of being kept.
 */
#ifndef VOLLEY_PAIRS_H
#define VOLLEY_PAIRS_H

#include "neurons/connect/choose.h"
#include "neurons/connect/connect.h"

struct pairs {
    const struct connection *connection;
    struct random_stream stream;
    struct workers *workers;  /* or NULL */
    uint32_t parts;           /* for as many threads */
    struct chooser *choosers; /* [parts] */
    uint32_t *degree;         /* [source_count] of the connection */
    uint64_t *cursor;         /* [parts][source_count], in-degrees: where the part's synapses go */
    uint64_t synapses;        /* sum of the degrees */
};

/* The neurons of a range that one neuron can be connected to: all but itself, if that is
 * forbidden. */
struct choice {
    uint32_t first, count;
    uint32_t skip; /* place of the neuron itself in the range; UINT32_MAX: not in it, or allowed */
};

struct choice choice_of(const struct connection *connection, uint32_t neuron, uint32_t first,
                        uint32_t count);
static inline uint32_t choice_neuron(const struct choice *choice, uint32_t chosen)
{
    return choice->first + chosen + (chosen >= choice->skip);
}

/* Pairs that the rule can choose from. */
uint64_t pairs_possible(const struct connection *connection);

/* Draws how many synapses each source has. The connection has been checked. False with error;
 * released by pairs_release then as ever. */
bool pairs_count(struct pairs *pairs, const struct connection *connection, uint64_t seed,
                 uint32_t projection, struct workers *workers, struct error *error);
/* Draws them: row and targets of `sparse`. */
bool pairs_fill(struct pairs *pairs, struct sparse *sparse, struct error *error);
void pairs_release(struct pairs *pairs);

/* Runs the function over the parts, by the team if there is one. */
static inline void parts_run(struct workers *workers, workers_function *function, void *argument,
                             uint32_t parts)
{
    if (workers != NULL)
        workers_run(workers, function, argument, parts);
    else
        for (uint32_t part = 0; part < parts; part++)
            function(argument, part, parts);
}

#endif
