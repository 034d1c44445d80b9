/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A source: the token of a lane picks the row of a table that it shows. */
#include "neurons/models/models.h"

#include <stdlib.h>
#include <string.h>

struct embedding {
    struct dense_float *table; /* [tokens][neurons] */
    uint32_t *tokens;          /* [lanes] */
    struct dense_float *rounded; /* [1][neurons], that rows are rounded by, or NULL */
    float *row;                  /* [neurons], room for it */
    bool mapped;                 /* the table lies in a file */
    uint32_t looked_up;          /* rows, since its memory was last handed back */
};

/* So many rows of a mapped table may stay in memory: with each, the system maps much around it. */
enum { KEPT_ROWS = 64 };

static bool update(struct population *self, const struct moment *moment, struct error *error)
{
    struct embedding *embedding = self->state;
    for (uint32_t lane = 0; lane < moment->wave->lanes; lane++) {
        double *values = self->values + (size_t)lane * self->neurons;
        uint32_t token = embedding->tokens[lane];
        if (embedding->rounded == NULL) {
            dense_float_values(embedding->table, moment->kernels, token, values);
            continue;
        }
        const float *row =
            dense_float_row(embedding->table, moment->kernels, token, embedding->row);
        if (!dense_float_set_row(embedding->rounded, 0, row, error))
            return error_within(error, "token %u", token);
        dense_float_values(embedding->rounded, moment->kernels, 0, values);
    }
    embedding->looked_up += moment->wave->lanes;
    if (embedding->mapped && embedding->looked_up >= KEPT_ROWS) {
        dense_float_hand_back(embedding->table);
        embedding->looked_up = 0;
    }
    return true;
}

static void release(void *state)
{
    struct embedding *embedding = state;
    dense_float_free(embedding->table);
    dense_float_free(embedding->rounded);
    free(embedding->row);
    free(embedding->tokens);
    free(embedding);
}

static const struct population_model model = {
    .name = "embedding", .equation = "y = table[token]", .update = update, .free = release};

struct population *embedding_new(struct network *network, const char *name,
                                 struct dense_float *table, struct error *error)
{
    struct embedding *embedding = calloc(1, sizeof *embedding);
    struct population *population =
        network_add_population(network, name, -1, &model, table->inputs, error);
    if (embedding == NULL || population == NULL) {
        free(embedding);
        dense_float_free(table);
        error_no_memory(error, "an embedding");
        return NULL;
    }
    population->state = embedding;
    embedding->table = table;
    embedding->tokens = calloc(network->lanes_limit, sizeof *embedding->tokens);
    population->state_bytes = dense_float_bytes(table);
    if (embedding->tokens == NULL) {
        error_no_memory(error, "an embedding");
        return NULL;
    }
    return population_shows(population, error) ? population : NULL;
}

bool embedding_round(struct population *population, enum float_format format, struct error *error)
{
    struct embedding *embedding = population->state;
    embedding->rounded = dense_float_new_unset(1, population->neurons, format, error);
    embedding->row = malloc(population->neurons * sizeof *embedding->row);
    return embedding->rounded != NULL &&
           (embedding->row != NULL || error_no_memory(error, "an embedding"));
}

void embedding_is_mapped(struct population *population)
{
    struct embedding *embedding = population->state;
    embedding->mapped = true;
}

bool embedding_feed(struct population *population, const uint32_t *tokens, uint32_t lanes,
                    struct error *error)
{
    struct embedding *embedding = population->state;
    for (uint32_t lane = 0; lane < lanes; lane++)
        if (tokens[lane] >= embedding->table->outputs)
            return error_set(error, ERROR_MISUSED,
                             "token %u is out of range: this model knows tokens 0 to %u",
                             tokens[lane], embedding->table->outputs - 1);
    memcpy(embedding->tokens, tokens, lanes * sizeof *tokens);
    return true;
}

const struct dense_float *embedding_table(const struct population *population)
{
    const struct embedding *embedding = population->state;
    return embedding->table;
}
