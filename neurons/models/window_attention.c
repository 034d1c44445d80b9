/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Softmax attention over a sliding window of positions:
 *
 *     o = Σ_t softmax_t(q · k_t / sqrt(size)) v_t,   t = position - window + 1 … position
 *
 * with keys rotated to their positions (rotary_query.c). Where queries spike, keys and values are
 * held in 8 bits (window_cache.h), and q · k is the exact integer sum of counts and codes: the
 * spikes of a query travel over synapses whose weights are the cached keys. Elsewhere (the
 * floating-point baseline) they are kept as they are, in a ring of window + lanes positions.
 *
 * Threads share the work by key head and lane: the query heads that share a key head go together.
 */
#include "neurons/models/models.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "encoding/arithmetic.h"
#include "neurons/models/window_cache.h"

enum { QUERIES, KEYS, VALUES };
enum { FEW_COUNTS = 128 }; /* counts of a smaller magnitude have their spikes looked up */

/* What the baseline keeps. */
struct past {
    uint32_t capacity;     /* positions; position p stands at p mod capacity */
    double *keys, *values; /* [capacity][keys * size] */
    double **score;        /* [threads][window] */
};

struct window_attention {
    struct firing_rule rule;
    struct heads heads;
    uint32_t window, threads;
    bool spiking;
    double *inverse_frequency; /* [size / 2] */
    double *turn;              /* [lanes][size], sines and cosines of a lane's position */
    struct window_cache cache; /* spiking */
    struct window_scratch **scratch; /* [threads], spiking */
    struct past past;          /* baseline */
    uint32_t *held;    /* [keys * size], non-zero key codes within the window */
    uint32_t *reached; /* [lanes][keys * size], the same as each lane sees it */
    uint64_t *synops;  /* [lanes] */
    double *output;    /* [lanes][queries * size] */
    const struct population *queries;
    struct projection *counted; /* whose synops are counted, or NULL */
};

static bool store(struct window_attention *attention, int64_t position, const double *key,
                  const double *value, enum vector_level vector)
{
    if (attention->spiking)
        return window_cache_put(&attention->cache, position, key, value, vector);
    uint32_t width = attention->heads.keys * attention->heads.size;
    size_t at = (size_t)(position % attention->past.capacity) * width;
    memcpy(attention->past.keys + at, key, width * sizeof *key);
    memcpy(attention->past.values + at, value, width * sizeof *value);
    double sum = 0;
    for (uint32_t i = 0; i < width; i++)
        sum += fabs(key[i]) + fabs(value[i]);
    return isfinite(sum);
}

/* Rotates and stores the lane's key and value. */
static bool store_lane(struct population *self, const struct moment *moment, uint32_t lane,
                       struct error *error)
{
    struct window_attention *attention = self->state;
    uint32_t size = attention->heads.size, width = attention->heads.keys * size;
    int64_t position = moment->wave->position + lane;
    double *key = self->ports[KEYS].current + (size_t)lane * width;
    const double *value = self->ports[VALUES].current + (size_t)lane * width;
    double *sine = attention->turn + (size_t)lane * size, *cosine = sine + size / 2;
    rotary_turn(attention->inverse_frequency, size, position, sine, cosine);
    rotary_rotate(sine, cosine, size, attention->heads.keys, key, moment->kernels->vector);
    return store(attention, position, key, value, moment->kernels->vector) ||
           error_set(error, ERROR_FAILED, "a key or value is not a finite number");
}

/* ---- synops ---- */

/* Moves the counts of non-zero key codes on, lane by lane. */
static void count_reach(struct window_attention *attention, const struct wave *wave)
{
    uint32_t width = attention->heads.keys * attention->heads.size;
    for (uint32_t lane = 0; lane < wave->lanes; lane++) {
        int64_t position = wave->position + lane, leaving = position - attention->window;
        window_cache_count(&attention->cache, position, 1, attention->held);
        if (leaving >= 0)
            window_cache_count(&attention->cache, leaving, -1, attention->held);
        memcpy(attention->reached + (size_t)lane * width, attention->held,
               width * sizeof *attention->held);
    }
}

/* A query spike reaches every key of the window whose code in its channel is not zero. */
static bool count_lane(struct population *self, const struct moment *moment, uint32_t lane,
                       struct error *error)
{
    (void)moment, (void)error;
    struct window_attention *attention = self->state;
    const struct train *train = attention->queries->train;
    uint32_t size = attention->heads.size, share = attention->heads.queries / attention->heads.keys;
    const int32_t *count = train->count + (size_t)lane * self->neurons;
    const uint32_t *reached =
        attention->reached + (size_t)lane * attention->heads.keys * size;
    uint32_t few[2 * FEW_COUNTS];
    for (int32_t c = -FEW_COUNTS; c < FEW_COUNTS; c++)
        few[c + FEW_COUNTS] = train->coding->spikes(c, train->frame[lane]);
    uint64_t synops = 0;
    for (uint32_t head = 0; head < attention->heads.queries; head++, count += size) {
        const uint32_t *keys = reached + (size_t)(head / share) * size;
        for (uint32_t i = 0; i < size; i++) {
            uint32_t place = (uint32_t)count[i] + FEW_COUNTS;
            uint32_t spikes = place < 2 * FEW_COUNTS
                                  ? few[place]
                                  : train->coding->spikes(count[i], train->frame[lane]);
            synops += (uint64_t)spikes * keys[i];
        }
    }
    attention->synops[lane] = synops;
    return true;
}

static void count_synops(struct population *self, const struct moment *moment)
{
    struct window_attention *attention = self->state;
    count_reach(attention, moment->wave);
    population_each_lane(self, moment, count_lane, NULL);
    for (uint32_t lane = 0; lane < moment->wave->lanes; lane++)
        attention->counted->synops += attention->synops[lane];
}

/* ---- attending ---- */

/* The query heads of one key head, in the baseline: scores, their shares, and the sum of values. */
static void attend_past(struct population *self, const struct moment *moment,
                        const struct window_query *query, uint32_t lane, double *score)
{
    const struct window_attention *attention = self->state;
    const struct past *past = &attention->past;
    uint32_t size = attention->heads.size, share = attention->heads.queries / attention->heads.keys;
    size_t width = (size_t)attention->heads.keys * size, offset = (size_t)query->head * size;
    const double *q = self->ports[QUERIES].current + (size_t)lane * self->neurons +
                      query->head * share * size;
    double *o = query->output, root = sqrt(size);
    for (uint32_t r = 0; r < share; r++, q += size, o += size) {
        double largest = -INFINITY, total = 0;
        for (int64_t p = query->first; p <= query->position; p++) {
            const double *key = past->keys + (size_t)(p % past->capacity) * width + offset;
            double dot = 0, *s = &score[p - query->first];
            for (uint32_t i = 0; i < size; i++)
                dot += q[i] * key[i];
            *s = dot / root;
            largest = *s > largest ? *s : largest;
        }
        for (int64_t t = 0; t <= query->position - query->first; t++) {
            score[t] = arithmetic_exp(score[t] - largest);
            total += score[t];
        }
        memset(o, 0, size * sizeof *o);
        for (int64_t p = query->first; p <= query->position; p++)
            moment->kernels->add_scaled(
                o, score[p - query->first] / total,
                past->values + (size_t)(p % past->capacity) * width + offset, size);
    }
}

/* One key head of one lane. */
static void attend(struct population *self, const struct moment *moment, uint32_t lane,
                   uint32_t head, uint32_t thread)
{
    struct window_attention *attention = self->state;
    uint32_t share = attention->heads.queries / attention->heads.keys;
    size_t at = (size_t)lane * self->neurons + (size_t)head * share * attention->heads.size;
    int64_t position = moment->wave->position + lane, first = position - attention->window + 1;
    struct window_query query = {
        .head = head,
        .first = first < 0 ? 0 : first,
        .position = position,
        .output = attention->output + at,
    };
    if (!attention->spiking) {
        attend_past(self, moment, &query, lane, attention->past.score[thread]);
        return;
    }
    const struct port *port = &self->ports[QUERIES];
    query.counts = port->count + at;
    query.threshold = port->threshold + (size_t)lane * port->vectors + (size_t)head * share;
    window_cache_attend(&attention->cache, &query, attention->scratch[thread], moment->kernels);
}

struct attention_job {
    struct population *self;
    const struct moment *moment;
};

/* A key head goes through all lanes before the next: its window stays at hand. */
static void attend_part(void *argument, uint32_t part, uint32_t parts)
{
    struct attention_job *job = argument;
    const struct window_attention *attention = job->self->state;
    uint32_t lanes = job->moment->wave->lanes, begin, end;
    workers_slice(lanes * attention->heads.keys, part, parts, &begin, &end);
    for (uint32_t unit = begin; unit < end; unit++)
        attend(job->self, job->moment, unit % lanes, unit / lanes, part);
}

static bool finish_lane(struct population *self, const struct moment *moment, uint32_t lane,
                        struct error *error)
{
    const struct window_attention *attention = self->state;
    population_clear_lane(self, lane);
    return firing_rule_apply(&attention->rule, self, moment, lane,
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
    if (attention->counted != NULL)
        count_synops(self, moment);
    workers_run(moment->workers, attend_part, &job, attention->threads);
    if (!population_each_lane(self, moment, finish_lane, error))
        return false;
    firing_rule_seal(self, moment);
    return true;
}

static void threads_free(struct window_attention *attention)
{
    for (uint32_t i = 0; attention->scratch != NULL && i < attention->threads; i++)
        window_scratch_free(attention->scratch[i]);
    for (uint32_t i = 0; attention->past.score != NULL && i < attention->threads; i++)
        free(attention->past.score[i]);
    free(attention->scratch);
    free(attention->past.score);
}

static bool prepare(struct population *self, uint32_t threads, struct error *error)
{
    struct window_attention *attention = self->state;
    threads_free(attention);
    attention->threads = threads;
    attention->scratch = calloc(threads, sizeof *attention->scratch);
    attention->past.score = calloc(threads, sizeof *attention->past.score);
    bool taken = attention->scratch != NULL && attention->past.score != NULL;
    for (uint32_t i = 0; taken && i < threads; i++)
        if (attention->spiking)
            taken = (attention->scratch[i] = window_scratch_new(&attention->cache)) != NULL;
        else
            taken = (attention->past.score[i] = malloc(attention->window * sizeof(double))) != NULL;
    return taken || error_no_memory(error, "attention scores");
}

static void reset(struct population *self)
{
    struct window_attention *attention = self->state;
    size_t width = (size_t)attention->heads.keys * attention->heads.size;
    memset(attention->held, 0, width * sizeof *attention->held);
}

static bool past_take(struct past *past, struct heads heads, uint32_t window, uint32_t lanes,
                      uint64_t *bytes)
{
    size_t width = (size_t)heads.keys * heads.size;
    past->capacity = window + lanes;
    past->keys = calloc(past->capacity * width, sizeof *past->keys);
    past->values = calloc(past->capacity * width, sizeof *past->values);
    *bytes += 2 * past->capacity * width * sizeof *past->keys;
    return past->keys != NULL && past->values != NULL;
}

static void release(void *state)
{
    struct window_attention *attention = state;
    threads_free(attention);
    window_cache_free(&attention->cache);
    free(attention->past.keys);
    free(attention->past.values);
    free(attention->inverse_frequency);
    free(attention->turn);
    free(attention->held);
    free(attention->reached);
    free(attention->synops);
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
    .clears = true,
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
    attention->queries = queries;
    attention->spiking = queries->train != NULL;
    size_t lanes = network->lanes_limit;
    attention->inverse_frequency = malloc((heads.size / 2 + 1) * sizeof(double));
    attention->held = calloc(key_width, sizeof *attention->held);
    attention->reached = calloc(lanes * key_width, sizeof *attention->reached);
    attention->output = calloc(lanes * neurons, sizeof *attention->output);
    attention->turn = calloc(lanes * heads.size + 1, sizeof *attention->turn);
    attention->synops = calloc(lanes, sizeof *attention->synops);
    bool taken = attention->spiking
                     ? window_cache_take(&attention->cache, heads, window, network->lanes_limit,
                                         &population->state_bytes)
                     : past_take(&attention->past, heads, window, network->lanes_limit,
                                 &population->state_bytes);
    if (!taken || attention->inverse_frequency == NULL || attention->turn == NULL ||
        attention->held == NULL || attention->reached == NULL || attention->synops == NULL ||
        attention->output == NULL) {
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
