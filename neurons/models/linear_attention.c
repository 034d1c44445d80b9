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
 * Threads share the work by key head and block of value channels; within one,
 * lanes follow one another and i runs upwards, so the sums have one order.
 */
#include "neurons/models/models.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "encoding/arithmetic.h"
#include "neurons/models/rms_norm.h"

enum { BLOCK = 32 }; /* value channels that one unit of work covers */
enum { QUERIES, KEYS, VALUES, GATES };

struct linear_attention {
    struct firing_rule rule;
    struct heads heads;
    double epsilon;
    double *gain;   /* [size] */
    double *state;  /* [keys][size (i)][size (j)] */
    double *decay;  /* [lanes][keys * size] */
    double *output; /* [lanes][queries * size] */
};

/* Turns the ports' currents into what the recurrence uses, in place. */
static bool prepare_lane(struct population *self, const struct moment *moment, uint32_t lane,
                         struct error *error)
{
    (void)moment, (void)error;
    struct linear_attention *attention = self->state;
    struct heads heads = attention->heads;
    size_t key_width = (size_t)heads.keys * heads.size;
    double *q = self->ports[QUERIES].current + (size_t)lane * self->neurons;
    double *k = self->ports[KEYS].current + lane * key_width;
    const double *g = self->ports[GATES].current + lane * key_width;
    double root = sqrt(heads.size);
    for (uint32_t i = 0; i < self->neurons; i++)
        q[i] = (q[i] > 0 ? q[i] : 0) / root;
    for (size_t i = 0; i < key_width; i++) {
        k[i] = k[i] > 0 ? k[i] : 0;
        /* Far below zero, sigmoid(g) is e^g to the last bit; its root does not underflow. */
        attention->decay[lane * key_width + i] =
            g[i] < -40 ? arithmetic_exp(g[i] / 16)
                       : sqrt(sqrt(sqrt(sqrt(arithmetic_sigmoid(g[i])))));
    }
    return true;
}

struct recurrence {
    struct population *self;
    const struct moment *moment;
};

static uint32_t block_count(struct heads heads)
{
    return (heads.size + BLOCK - 1) / BLOCK;
}

/* Key head `head`, value channels begin … end-1, all lanes. */
static void recur(struct population *self, const struct moment *moment, uint32_t head,
                  uint32_t begin, uint32_t end)
{
    struct linear_attention *attention = self->state;
    struct heads heads = attention->heads;
    const struct kernels *kernels = moment->kernels;
    uint32_t size = heads.size, length = end - begin, share = heads.queries / heads.keys;
    double *state = attention->state + (size_t)head * size * size + begin;
    for (uint32_t lane = 0; lane < moment->wave->lanes; lane++) {
        size_t at = ((size_t)lane * heads.keys + head) * size;
        const double *k = self->ports[KEYS].current + at;
        const double *v = self->ports[VALUES].current + at + begin;
        const double *q = self->ports[QUERIES].current +
                          ((size_t)lane * heads.queries + head * share) * size;
        double *o = attention->output + ((size_t)lane * heads.queries + head * share) * size + begin;
        for (uint32_t r = 0; r < share; r++)
            memset(o + (size_t)r * size, 0, length * sizeof *o);
        for (uint32_t i = 0; i < size; i++) {
            double *row = state + (size_t)i * size;
            kernels->decay_add(row, attention->decay[at + i], k[i], v, length);
            for (uint32_t r = 0; r < share; r++)
                if (q[(size_t)r * size + i] != 0)
                    kernels->add_scaled(o + (size_t)r * size, q[(size_t)r * size + i], row, length);
        }
    }
}

static void recur_part(void *argument, uint32_t part, uint32_t parts)
{
    struct recurrence *recurrence = argument;
    const struct linear_attention *attention = recurrence->self->state;
    uint32_t blocks = block_count(attention->heads), begin, end;
    workers_slice(attention->heads.keys * blocks, part, parts, &begin, &end);
    for (uint32_t unit = begin; unit < end; unit++) {
        uint32_t from = unit % blocks * BLOCK, to = from + BLOCK;
        to = to > attention->heads.size ? attention->heads.size : to;
        recur(recurrence->self, recurrence->moment, unit / blocks, from, to);
    }
}

static bool finish_lane(struct population *self, const struct moment *moment, uint32_t lane,
                        struct error *error)
{
    (void)moment;
    const struct linear_attention *attention = self->state;
    double *o = attention->output + (size_t)lane * self->neurons;
    for (uint32_t h = 0; h < attention->heads.queries; h++)
        rms_norm_apply(o + (size_t)h * attention->heads.size, attention->heads.size,
                       attention->gain, attention->epsilon);
    return firing_rule_apply(&attention->rule, self, lane, o, error);
}

static bool update(struct population *self, const struct moment *moment, struct error *error)
{
    struct recurrence recurrence = {self, moment};
    population_each_lane(self, moment, prepare_lane, error);
    workers_run(moment->workers, recur_part, &recurrence, workers_count(moment->workers));
    if (!population_each_lane(self, moment, finish_lane, error))
        return false;
    if (self->train != NULL)
        train_seal(self->train, moment->wave->lanes);
    return true;
}

static void reset(struct population *self)
{
    struct linear_attention *attention = self->state;
    size_t length = (size_t)attention->heads.keys * attention->heads.size * attention->heads.size;
    memset(attention->state, 0, length * sizeof *attention->state);
}

static void release(void *state)
{
    struct linear_attention *attention = state;
    free(attention->gain);
    free(attention->state);
    free(attention->decay);
    free(attention->output);
    free(attention);
}

static const struct population_model model = {
    .name = "linear attention",
    .equation = "S = sigmoid(g)^(1/16) S + k v', o = norm(q S / sqrt(d))",
    .update = update,
    .reset = reset,
    .free = release,
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
    size_t lanes = network->lanes_limit, square = (size_t)heads.size * heads.size;
    attention->gain = malloc(heads.size * sizeof *gain);
    attention->state = calloc(heads.keys * square, sizeof *attention->state);
    attention->decay = calloc(lanes * key_width, sizeof *attention->decay);
    attention->output = calloc(lanes * neurons, sizeof *attention->output);
    population->state_bytes = heads.keys * square * sizeof *attention->state;
    if (attention->gain == NULL || attention->state == NULL || attention->decay == NULL ||
        attention->output == NULL) {
        error_no_memory(error, "linear attention");
        return NULL;
    }
    memcpy(attention->gain, gain, heads.size * sizeof *gain);
    if (population_add_current(population, "queries", neurons, error) < 0 ||
        population_add_current(population, "keys", key_width, error) < 0 ||
        population_add_current(population, "values", key_width, error) < 0 ||
        population_add_current(population, "gates", key_width, error) < 0 ||
        !firing_rule_equip(&rule, population, error))
        return NULL;
    return population;
}
