/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Gated linear attention (Yang et al. 2023, as SpikingBrain uses it). Per key
 * head, with q and k after ReLU and a decay per key channel,
 *
 *     decay[i] = exp(logsigmoid(g[i]) / 16) = sigmoid(g[i])^(1/16)
 *     S[i,j]  ← decay[i] · S[i,j] + k[i] · v[j]
 *     o[j]     = Σ_i q[i] / sqrt(size) · S[i,j]      for each of its query heads
 *
 * then every query head's o is normalised over its channels. S is all that is
 * kept: it does not grow with the sequence.
 *
 * Threads share the work by key head and COLUMN value channels: that much of S is
 * moved on for every lane in turn before the next. For each i, S is read, moved on,
 * written, and added to the sums of all query heads at once; i runs upwards, so that
 * the sums have one order.
 */
#include "neurons/models/models.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "neurons/models/rms_norm.h"
#include "neurons/vector_exp.h"

enum { COLUMN = 8 };  /* value channels that are worked on together: a cache line */
enum { QUERIES, KEYS, VALUES, GATES };

struct linear_attention {
    struct firing_rule rule;
    struct heads heads;
    double epsilon;
    double *gain;   /* [size] */
    double *state;  /* [keys][columns of j][size (i)][COLUMN], 64-byte aligned */
    double *decay;  /* [lanes][keys * size] */
    double *query;  /* [lanes][keys][size (i)][queries / keys], the port's in another order */
    double *output; /* [lanes][queries * size] */
};

struct decays {
    const double *gate; /* [length] */
    double *decay;      /* [length] */
    uint32_t length;
};

/* sigmoid(g)^(1/16). Far below zero, sigmoid(g) is e^g to the last bit; its root does not
 * underflow. */
VECTOR_INLINE void find_decays(const struct decays *decays)
{
    const double *restrict g = decays->gate;
    double *restrict decay = decays->decay;
    uint64_t low = 0;
    for (uint32_t i = 0; i < decays->length; i++) {
        decay[i] = sqrt(sqrt(sqrt(sqrt(vector_sigmoid(g[i])))));
        low += g[i] < -40;
    }
    for (uint32_t i = 0; low > 0 && i < decays->length; i++) {
        double small = vector_exp(g[i] / 16);
        decay[i] = g[i] < -40 ? small : decay[i];
    }
}
VECTOR_VERSIONS(find_decays, (const struct decays *decays), (decays))

/* Turns the ports' currents into what the recurrence uses. */
static bool prepare_lane(struct population *self, const struct moment *moment, uint32_t lane,
                         struct error *error)
{
    (void)error;
    struct linear_attention *attention = self->state;
    struct heads heads = attention->heads;
    uint32_t size = heads.size, share = heads.queries / heads.keys;
    size_t key_width = (size_t)heads.keys * size;
    const double *q = self->ports[QUERIES].current + (size_t)lane * self->neurons;
    double *k = self->ports[KEYS].current + lane * key_width;
    double root = sqrt(size), *query = attention->query + (size_t)lane * self->neurons;
    for (uint32_t h = 0; h < heads.queries; h++, q += size) {
        double *to = query + (size_t)(h / share) * size * share + h % share;
        for (uint32_t i = 0; i < size; i++)
            to[(size_t)i * share] = (q[i] > 0 ? q[i] : 0) / root;
    }
    for (size_t i = 0; i < key_width; i++)
        k[i] = k[i] > 0 ? k[i] : 0;
    const struct decays decays = {self->ports[GATES].current + lane * key_width,
                                  attention->decay + lane * key_width, (uint32_t)key_width};
    find_decays_by[moment->kernels->vector](&decays);
    return true;
}

/* One column of one key head, for one lane. */
struct column {
    double *state;       /* [size][COLUMN] */
    const double *decay; /* [size] */
    const double *key;   /* [size] */
    const double *value; /* [COLUMN] */
    const double *query; /* [size][share], from the first head on */
    double *sum;         /* [heads][COLUMN] */
    uint32_t size, share, heads;
    bool moves; /* the state has not been moved on for this lane yet */
};

/* `moves` and `heads` are constants where this is inlined. */
VECTOR_INLINE void recur_heads(const struct column *column, bool moves, uint32_t heads)
{
    vector_eight value, sum[QUERIES_TOGETHER];
    memcpy(&value, column->value, sizeof value);
#pragma GCC unroll 8
    for (uint32_t r = 0; r < heads; r++)
        sum[r] = (vector_eight){0};
    double *state = column->state, *out = column->sum;
    const double *query = column->query, *decay = column->decay, *key = column->key;
    uint32_t size = column->size, share = column->share;
    for (uint32_t i = 0; i < size; i++, state += COLUMN, query += share) {
        vector_eight row;
        memcpy(&row, state, sizeof row);
        if (moves) {
            vector_eight kept = decay[i] * row, added = key[i] * value;
            row = kept + added;
            memcpy(state, &row, sizeof row);
        }
#pragma GCC unroll 8
        for (uint32_t r = 0; r < heads; r++)
            sum[r] += query[r] * row;
    }
#pragma GCC unroll 8
    for (uint32_t r = 0; r < heads; r++)
        memcpy(out + (size_t)r * COLUMN, &sum[r], sizeof *sum);
}

VECTOR_INLINE void recur_column(const struct column *column)
{
    switch (column->heads) {
    case QUERIES_TOGETHER:
        column->moves ? recur_heads(column, true, QUERIES_TOGETHER)
                      : recur_heads(column, false, QUERIES_TOGETHER);
        break;
    case 4: column->moves ? recur_heads(column, true, 4) : recur_heads(column, false, 4); break;
    case 2: column->moves ? recur_heads(column, true, 2) : recur_heads(column, false, 2); break;
    default: column->moves ? recur_heads(column, true, 1) : recur_heads(column, false, 1); break;
    }
}
VECTOR_VERSIONS(recur_column, (const struct column *column), (column))

struct recurrence {
    struct population *self;
    const struct moment *moment;
};

static uint32_t column_count(struct heads heads)
{
    return (heads.size + COLUMN - 1) / COLUMN;
}

static size_t state_bytes(struct heads heads)
{
    return (size_t)heads.keys * column_count(heads) * heads.size * COLUMN * sizeof(double);
}

/* Column `at` of key head `head`, all lanes. */
static void recur(struct population *self, const struct moment *moment, uint32_t head, uint32_t at)
{
    struct linear_attention *attention = self->state;
    struct heads heads = attention->heads;
    uint32_t size = heads.size, share = heads.queries / heads.keys, from = at * COLUMN;
    uint32_t length = size - from < COLUMN ? size - from : COLUMN;
    double value[COLUMN] = {0}, sum[QUERIES_TOGETHER * COLUMN];
    struct column column = {
        .state = attention->state + ((size_t)head * column_count(heads) + at) * size * COLUMN,
        .value = value,
        .sum = sum,
        .size = size,
        .share = share,
    };
    for (uint32_t lane = 0; lane < moment->wave->lanes; lane++) {
        size_t key = ((size_t)lane * heads.keys + head) * size;
        column.decay = attention->decay + key;
        column.key = self->ports[KEYS].current + key;
        memcpy(value, self->ports[VALUES].current + key + from, length * sizeof *value);
        for (uint32_t done = 0; done < share; done += column.heads) {
            column.query = attention->query + key * share + done;
            column.heads = queries_together(share - done);
            column.moves = done == 0;
            recur_column_by[moment->kernels->vector](&column);
            double *o = attention->output + (key * share + (size_t)done * size) + from;
            for (uint32_t r = 0; r < column.heads; r++)
                memcpy(o + (size_t)r * size, sum + (size_t)r * COLUMN, length * sizeof *o);
        }
    }
}

static void recur_part(void *argument, uint32_t part, uint32_t parts)
{
    struct recurrence *recurrence = argument;
    const struct linear_attention *attention = recurrence->self->state;
    uint32_t columns = column_count(attention->heads), begin, end;
    workers_slice(attention->heads.keys * columns, part, parts, &begin, &end);
    for (uint32_t unit = begin; unit < end; unit++)
        recur(recurrence->self, recurrence->moment, unit / columns, unit % columns);
}

static bool finish_lane(struct population *self, const struct moment *moment, uint32_t lane,
                        struct error *error)
{
    const struct linear_attention *attention = self->state;
    uint32_t size = attention->heads.size;
    double *o = attention->output + (size_t)lane * self->neurons;
    for (uint32_t h = 0; h < attention->heads.queries; h++) {
        const struct rms_norm_job job = {o + (size_t)h * size, attention->gain, size,
                                         attention->epsilon};
        rms_norm_apply(&job, moment->kernels->vector);
    }
    population_clear_lane(self, lane);
    return firing_rule_apply(&attention->rule, self, moment, lane, o, error);
}

static bool update(struct population *self, const struct moment *moment, struct error *error)
{
    struct recurrence recurrence = {self, moment};
    population_each_lane(self, moment, prepare_lane, error);
    workers_run(moment->workers, recur_part, &recurrence, workers_count(moment->workers));
    if (!population_each_lane(self, moment, finish_lane, error))
        return false;
    firing_rule_seal(self, moment);
    return true;
}

static void reset(struct population *self)
{
    struct linear_attention *attention = self->state;
    memset(attention->state, 0, state_bytes(attention->heads));
}

static void release(void *state)
{
    struct linear_attention *attention = state;
    free(attention->gain);
    free(attention->state);
    free(attention->decay);
    free(attention->query);
    free(attention->output);
    free(attention);
}

static const struct population_model model = {
    .name = "linear attention",
    .equation = "S = sigmoid(g)^(1/16) S + k v', o = norm(q S / sqrt(d))",
    .update = update,
    .reset = reset,
    .free = release,
    .clears = true,
};

struct population *linear_attention_new(struct network *network, const char *name, int32_t layer,
                                        struct heads heads, const double *gain, double epsilon,
                                        struct firing_rule rule, struct error *error)
{
    uint32_t neurons = heads.queries * heads.size, key_width = heads.keys * heads.size;
    struct population *population =
        network_add_population(network, name, layer, &model, neurons, error);
    struct linear_attention *attention = calloc(1, sizeof *attention);
    if (population == NULL || attention == NULL) {
        free(attention);
        error_no_memory(error, "linear attention");
        return NULL;
    }
    population->state = attention;
    attention->rule = rule;
    attention->heads = heads;
    attention->epsilon = epsilon;
    size_t lanes = network->lanes_limit, bytes = state_bytes(heads);
    attention->gain = malloc(heads.size * sizeof *gain);
    attention->state = aligned_alloc(COLUMN * sizeof(double), bytes);
    attention->decay = calloc(lanes * key_width, sizeof *attention->decay);
    attention->query = calloc(lanes * neurons, sizeof *attention->query);
    attention->output = calloc(lanes * neurons, sizeof *attention->output);
    population->state_bytes = bytes;
    if (attention->gain == NULL || attention->state == NULL || attention->decay == NULL ||
        attention->query == NULL || attention->output == NULL) {
        error_no_memory(error, "linear attention");
        return NULL;
    }
    memset(attention->state, 0, bytes);
    memcpy(attention->gain, gain, heads.size * sizeof *gain);
    if (population_add_current(population, "queries", neurons, error) < 0 ||
        population_add_current(population, "keys", key_width, error) < 0 ||
        population_add_current(population, "values", key_width, error) < 0 ||
        population_add_current(population, "gates", key_width, error) < 0 ||
        !firing_rule_equip(&rule, population, error))
        return NULL;
    return population;
}
