/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Softmax attention over a sliding window of positions:
 *
 *     o = Σ_t softmax_t(q · k_t / sqrt(size)) v_t,   t = position - window + 1 … position
 *
 * with keys rotated to their positions (rotary_query.c). Where queries spike,
 * keys and values are held in 8 bits per (position, head),
 *
 *     scale = clamp(max|x| / 127, 1e-5, 1e4),  code = clamp(round_half_even(x / scale), -128, 127)
 *
 * and q · k is the exact integer sum of counts and codes: the spikes of a query
 * travel over synapses whose weights are the cached keys. Elsewhere (the
 * floating-point baseline) they are kept as they are.
 *
 * The cache is a ring of window + lanes positions: a wave's last lane is written
 * before its first has read, and the key that leaves the first lane's window is
 * still looked at, to be no longer counted. Position p stands at p mod capacity;
 * the memory does not grow with the sequence.
 */
#include "neurons/models/models.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "encoding/arithmetic.h"

enum { QUERIES, KEYS, VALUES };

struct cache {
    int8_t *code;  /* [capacity][keys * size], spiking */
    double *scale; /* [capacity][keys], spiking */
    double *value; /* [capacity][keys * size], baseline */
};

struct window_attention {
    struct firing_rule rule;
    struct heads heads;
    uint32_t window, capacity, threads;
    bool spiking;
    double *inverse_frequency; /* [size / 2] */
    struct cache keys, values;
    uint32_t *held;    /* [keys * size], non-zero key codes within the window */
    uint32_t *reached; /* [lanes][keys * size], the same as each lane sees it */
    double *score;     /* [threads][window] */
    double *output;    /* [lanes][queries * size] */
    const struct population *queries;
    struct projection *counted; /* whose synops are counted, or NULL */
};

static void store(const struct window_attention *attention, struct cache *cache, uint32_t slot,
                  const double *values)
{
    uint32_t size = attention->heads.size, width = attention->heads.keys * size;
    if (!attention->spiking) {
        memcpy(cache->value + (size_t)slot * width, values, width * sizeof *values);
        return;
    }
    const double shift = 6755399441055744.0; /* rounds to nearest, ties to even */
    for (uint32_t h = 0; h < attention->heads.keys; h++) {
        const double *x = values + (size_t)h * size;
        double largest = 0;
        for (uint32_t i = 0; i < size; i++)
            largest = fabs(x[i]) > largest ? fabs(x[i]) : largest;
        double scale = largest / 127;
        scale = scale < 1e-5 ? 1e-5 : scale > 1e4 ? 1e4 : scale;
        cache->scale[(size_t)slot * attention->heads.keys + h] = scale;
        int8_t *code = cache->code + (size_t)slot * width + (size_t)h * size;
        for (uint32_t i = 0; i < size; i++) {
            double scaled = x[i] / scale;
            scaled = scaled > 127 ? 127 : scaled < -128 ? -128 : scaled;
            code[i] = (int8_t)(scaled + shift - shift);
        }
    }
}

/* Rotates and stores the lane's key and value. */
static bool store_lane(struct population *self, const struct moment *moment, uint32_t lane,
                       struct error *error)
{
    struct window_attention *attention = self->state;
    uint32_t size = attention->heads.size, width = attention->heads.keys * size;
    int64_t position = moment->wave->position + lane;
    double *k = self->ports[KEYS].current + (size_t)lane * width;
    const double *v = self->ports[VALUES].current + (size_t)lane * width;
    for (uint32_t h = 0; h < attention->heads.keys; h++)
        rotary_rotate(attention->inverse_frequency, size, position, k + (size_t)h * size,
                      k + (size_t)h * size);
    double sum = 0;
    for (uint32_t i = 0; i < width; i++)
        sum += fabs(k[i]) + fabs(v[i]);
    if (!isfinite(sum))
        return error_set(error, ERROR_FAILED, "a key or value is not a finite number");
    uint32_t slot = (uint32_t)(position % attention->capacity);
    store(attention, &attention->keys, slot, k);
    store(attention, &attention->values, slot, v);
    return true;
}

/* Moves the counts of non-zero key codes on, lane by lane. */
static void count_reach(struct population *self, const struct wave *wave)
{
    struct window_attention *attention = self->state;
    uint32_t width = attention->heads.keys * attention->heads.size;
    for (uint32_t lane = 0; lane < wave->lanes; lane++) {
        int64_t position = wave->position + lane, leaving = position - attention->window;
        const int8_t *come = attention->keys.code + position % attention->capacity * width;
        for (uint32_t i = 0; i < width; i++)
            attention->held[i] += come[i] != 0;
        if (leaving >= 0) {
            const int8_t *gone = attention->keys.code + leaving % attention->capacity * width;
            for (uint32_t i = 0; i < width; i++)
                attention->held[i] -= gone[i] != 0;
        }
        memcpy(attention->reached + (size_t)lane * width, attention->held,
               width * sizeof *attention->held);
    }
}

/* One query head of one lane. */
static void attend(struct population *self, const struct moment *moment, uint32_t lane,
                   uint32_t head, double *score)
{
    struct window_attention *attention = self->state;
    uint32_t size = attention->heads.size, key_heads = attention->heads.keys;
    uint32_t key_head = head / (attention->heads.queries / key_heads);
    size_t width = (size_t)key_heads * size, offset = (size_t)key_head * size;
    int64_t position = moment->wave->position + lane;
    int64_t first = position - attention->window + 1;
    first = first < 0 ? 0 : first;
    uint32_t length = (uint32_t)(position - first + 1);
    const struct port *port = &self->ports[QUERIES];
    size_t query = (size_t)lane * self->neurons + (size_t)head * size;
    double root = sqrt(size), largest = -INFINITY, total = 0;
    uint32_t start = (uint32_t)(first % attention->capacity);
    for (uint32_t t = 0, slot = start; t < length; t++) {
        if (attention->spiking) {
            int32_t dot = moment->kernels->dot_key(attention->keys.code + slot * width + offset,
                                                   port->count + query, size);
            score[t] = port->threshold[(size_t)lane * port->vectors + head] *
                       attention->keys.scale[(size_t)slot * key_heads + key_head] * dot / root;
        } else {
            const double *k = attention->keys.value + slot * width + offset;
            double dot = 0;
            for (uint32_t i = 0; i < size; i++)
                dot += port->current[query + i] * k[i];
            score[t] = dot / root;
        }
        largest = score[t] > largest ? score[t] : largest;
        slot = slot + 1 == attention->capacity ? 0 : slot + 1;
    }
    for (uint32_t t = 0; t < length; t++) {
        score[t] = arithmetic_exp(score[t] - largest);
        total += score[t];
    }
    double *o = attention->output + query;
    memset(o, 0, size * sizeof *o);
    for (uint32_t t = 0, slot = start; t < length; t++) {
        double share = score[t] / total;
        if (attention->spiking)
            moment->kernels->add_codes(
                o, share * attention->values.scale[(size_t)slot * key_heads + key_head],
                attention->values.code + slot * width + offset, size);
        else
            moment->kernels->add_scaled(o, share, attention->values.value + slot * width + offset,
                                        size);
        slot = slot + 1 == attention->capacity ? 0 : slot + 1;
    }
}

struct attention_job {
    struct population *self;
    const struct moment *moment;
};

static void attend_part(void *argument, uint32_t part, uint32_t parts)
{
    struct attention_job *job = argument;
    struct window_attention *attention = job->self->state;
    uint32_t heads = attention->heads.queries, begin, end;
    workers_slice(job->moment->wave->lanes * heads, part, parts, &begin, &end);
    for (uint32_t unit = begin; unit < end; unit++)
        attend(job->self, job->moment, unit / heads, unit % heads,
               attention->score + (size_t)part * attention->window);
}

/* A query spike reaches every key of the window whose code in its channel is not zero. */
static void count_synops(struct population *self, const struct wave *wave)
{
    const struct window_attention *attention = self->state;
    const struct train *train = attention->queries->train;
    uint32_t size = attention->heads.size, width = attention->heads.keys * size;
    uint32_t share = attention->heads.queries / attention->heads.keys;
    uint64_t synops = 0;
    for (uint32_t lane = 0; lane < wave->lanes; lane++)
        for (uint32_t i = 0; i < self->neurons; i++) {
            uint32_t key = i / size / share * size + i % size;
            int32_t count = train->count[(size_t)lane * self->neurons + i];
            synops += (uint64_t)train->coding->spikes(count, train->frame[lane]) *
                      attention->reached[(size_t)lane * width + key];
        }
    attention->counted->synops += synops;
}

static bool finish_lane(struct population *self, const struct moment *moment, uint32_t lane,
                        struct error *error)
{
    (void)moment;
    const struct window_attention *attention = self->state;
    return firing_rule_apply(&attention->rule, self, lane,
                             attention->output + (size_t)lane * self->neurons, error);
}

static bool update(struct population *self, const struct moment *moment, struct error *error)
{
    struct window_attention *attention = self->state;
    struct attention_job job = {self, moment};
    if (!population_each_lane(self, moment, store_lane, error))
        return false;
    for (uint32_t lane = 0; attention->spiking && lane < moment->wave->lanes; lane++)
        if (attention->queries->train->magnitude[lane] > INT32_MAX / 128)
            return error_set(error, ERROR_FAILED,
                             "the spikes of a query could overflow 32 bits (%lld counts)",
                             (long long)attention->queries->train->magnitude[lane]);
    if (attention->counted != NULL) {
        count_reach(self, moment->wave);
        count_synops(self, moment->wave);
    }
    workers_run(moment->workers, attend_part, &job, attention->threads);
    if (!population_each_lane(self, moment, finish_lane, error))
        return false;
    if (self->train != NULL)
        train_seal(self->train, moment->wave->lanes);
    return true;
}

static bool prepare(struct population *self, uint32_t threads, struct error *error)
{
    struct window_attention *attention = self->state;
    attention->threads = threads;
    attention->score = malloc((size_t)threads * attention->window * sizeof *attention->score);
    return attention->score != NULL || error_no_memory(error, "attention scores");
}

static void reset(struct population *self)
{
    struct window_attention *attention = self->state;
    size_t width = (size_t)attention->heads.keys * attention->heads.size;
    memset(attention->held, 0, width * sizeof *attention->held);
}

static void cache_free(struct cache *cache)
{
    free(cache->code);
    free(cache->scale);
    free(cache->value);
}

static bool cache_take(struct cache *cache, uint32_t capacity, struct heads heads, bool spiking,
                       uint64_t *bytes)
{
    size_t width = (size_t)heads.keys * heads.size;
    if (!spiking) {
        cache->value = calloc(capacity * width, sizeof *cache->value);
        *bytes += capacity * width * sizeof *cache->value;
        return cache->value != NULL;
    }
    cache->code = calloc(capacity, width);
    cache->scale = calloc((size_t)capacity * heads.keys, sizeof *cache->scale);
    *bytes += capacity * (width + heads.keys * sizeof *cache->scale);
    return cache->code != NULL && cache->scale != NULL;
}

static void release(void *state)
{
    struct window_attention *attention = state;
    cache_free(&attention->keys);
    cache_free(&attention->values);
    free(attention->inverse_frequency);
    free(attention->held);
    free(attention->reached);
    free(attention->score);
    free(attention->output);
    free(attention);
}

static const struct population_model model = {
    .name = "window attention",
    .equation = "o = sum_t softmax(q k_t / sqrt(d)) v_t over the window",
    .prepare = prepare,
    .update = update,
    .reset = reset,
    .free = release,
};

struct population *window_attention_new(struct network *network, const char *name, int32_t layer,
                                        struct heads heads, double theta, uint32_t window,
                                        const struct population *queries, struct firing_rule rule,
                                        struct error *error)
{
    uint32_t neurons = heads.queries * heads.size, key_width = heads.keys * heads.size;
    struct population *population =
        network_add_population(network, name, layer, &model, neurons, error);
    struct window_attention *attention = calloc(1, sizeof *attention);
    if (population == NULL || attention == NULL) {
        free(attention);
        error_no_memory(error, "window attention");
        return NULL;
    }
    population->state = attention;
    attention->rule = rule;
    attention->heads = heads;
    attention->window = window;
    attention->capacity = window + network->lanes_limit;
    attention->queries = queries;
    attention->spiking = queries->train != NULL;
    size_t lanes = network->lanes_limit;
    attention->inverse_frequency = malloc((heads.size / 2 + 1) * sizeof(double));
    attention->held = calloc(key_width, sizeof *attention->held);
    attention->reached = calloc(lanes * key_width, sizeof *attention->reached);
    attention->output = calloc(lanes * neurons, sizeof *attention->output);
    if (!cache_take(&attention->keys, attention->capacity, heads, attention->spiking,
                    &population->state_bytes) ||
        !cache_take(&attention->values, attention->capacity, heads, attention->spiking,
                    &population->state_bytes) ||
        attention->inverse_frequency == NULL || attention->held == NULL ||
        attention->reached == NULL || attention->output == NULL) {
        error_no_memory(error, "window attention");
        return NULL;
    }
    rotary_frequencies(theta, heads.size, attention->inverse_frequency);
    int port = attention->spiking
                   ? population_add_count(population, "queries", neurons, heads.queries, error)
                   : population_add_current(population, "queries", neurons, error);
    if (port < 0 || population_add_current(population, "keys", key_width, error) < 0 ||
        population_add_current(population, "values", key_width, error) < 0 ||
        !firing_rule_equip(&rule, population, error))
        return NULL;
    return population;
}

void window_attention_count_for(struct population *population, struct projection *queries)
{
    struct window_attention *attention = population->state;
    attention->counted = queries;
}
