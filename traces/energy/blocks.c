/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Counting active blocks. Each block holds the number of the vector in which it was last seen
 * active, so that it is counted once for each vector, also where a vector comes in several volleys
 * (a clocked population whose ticks have several events in them).
 *
 * Invariant: volleys come in order of ticks, and positions follow each other, so that a vector
 * that was left does not come back.
 */
#include "traces/energy/blocks.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_HALF, SECOND_HALF, WHOLE, LEARNT }; /* what an order is learnt from */

/* Of one population whose spikes are counted. */
struct channels {
    uint64_t *active[2]; /* [half][neurons], vectors in which a channel fired */
    int64_t *seen;       /* [neurons], vector in which it was last counted in `active` */
    uint32_t *rank[LEARNT]; /* [neurons], place of each channel in the order learnt */
    int64_t *last; /* [widths][orders][blocks of the width], vector of the last spike in a block */
};

struct counting {
    const struct load *load;
    struct blocks *blocks;
    struct channels *channels; /* [population_count] */
    bool by_position; /* halves are of positions, else of ticks */
    int64_t second;   /* where the second half begins */
};

static uint64_t *counter(const struct blocks *blocks, uint32_t population, uint32_t width,
                         enum block_order order, uint32_t half)
{
    size_t row = ((size_t)population * blocks->width_count + width) * BLOCK_ORDERS + order;
    return &blocks->active[row * 2 + half];
}

uint64_t blocks_in_half(const struct blocks *blocks, uint32_t population, uint32_t width,
                        enum block_order order, uint32_t half)
{
    return *counter(blocks, population, width, order, half);
}

void blocks_free(struct blocks *blocks)
{
    if (blocks == NULL)
        return;
    free(blocks->widths);
    free(blocks->active);
    free(blocks);
}

static struct blocks *blocks_new(const struct load *load, const uint32_t *widths,
                                 uint32_t width_count, bool by_activity)
{
    struct blocks *blocks = calloc(1, sizeof *blocks);
    if (blocks == NULL)
        return NULL;
    blocks->population_count = load->population_count;
    blocks->width_count = width_count;
    blocks->orders = by_activity ? BLOCK_ORDERS : 1;
    blocks->widths = malloc((width_count + (size_t)1) * sizeof *widths);
    blocks->active = calloc((size_t)load->population_count * width_count * BLOCK_ORDERS * 2 + 1,
                            sizeof *blocks->active);
    if (blocks->widths == NULL || blocks->active == NULL) {
        blocks_free(blocks);
        return NULL;
    }
    memcpy(blocks->widths, widths, width_count * sizeof *widths);
    return blocks;
}

static size_t blocks_across(uint32_t neurons, uint32_t width)
{
    return ((size_t)neurons + width - 1) / width;
}

/* ---- memory ---- */

static void channels_end(struct channels *channels)
{
    free(channels->active[0]);
    free(channels->active[1]);
    free(channels->seen);
    for (uint32_t i = 0; i < LEARNT; i++)
        free(channels->rank[i]);
    free(channels->last);
}

/* NULL if there is no memory for so many. */
static int64_t *vectors_new(size_t count)
{
    int64_t *vectors = malloc((count + 1) * sizeof *vectors);
    for (size_t i = 0; vectors != NULL && i < count; i++)
        vectors[i] = INT64_MIN;
    return vectors;
}

static bool channels_begin(struct channels *channels, uint32_t neurons, const struct blocks *blocks)
{
    size_t length = 0;
    for (uint32_t i = 0; i < blocks->width_count; i++)
        length += blocks_across(neurons, blocks->widths[i]) * blocks->orders;
    channels->last = vectors_new(length);
    if (blocks->orders == 1)
        return channels->last != NULL;
    channels->seen = vectors_new(neurons);
    channels->active[0] = calloc((size_t)neurons + 1, sizeof *channels->active[0]);
    channels->active[1] = calloc((size_t)neurons + 1, sizeof *channels->active[1]);
    for (uint32_t i = 0; i < LEARNT; i++)
        channels->rank[i] = calloc((size_t)neurons + 1, sizeof *channels->rank[i]);
    return channels->last != NULL && channels->seen != NULL && channels->active[0] != NULL &&
           channels->active[1] != NULL && channels->rank[FIRST_HALF] != NULL &&
           channels->rank[SECOND_HALF] != NULL && channels->rank[WHOLE] != NULL;
}

/* ---- orders ---- */

struct place {
    uint64_t active;
    uint32_t channel;
};

static int most_active_first(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    if (a->active != b->active)
        return a->active > b->active ? -1 : 1;
    return a->channel < b->channel ? -1 : a->channel > b->channel;
}

static void rank_channels(const struct channels *channels, uint32_t neurons, uint32_t learnt,
                          struct place *places)
{
    for (uint32_t i = 0; i < neurons; i++) {
        uint64_t first = channels->active[0][i], second = channels->active[1][i];
        uint64_t active = learnt == WHOLE ? first + second : learnt == FIRST_HALF ? first : second;
        places[i] = (struct place){active, i};
    }
    qsort(places, neurons, sizeof *places, most_active_first);
    for (uint32_t i = 0; i < neurons; i++)
        channels->rank[learnt][places[i].channel] = i;
}

static bool rank_all(struct counting *counting)
{
    const struct load *load = counting->load;
    uint32_t most = 0;
    for (uint32_t i = 0; i < load->population_count; i++)
        if (load->populations[i].neurons > most)
            most = load->populations[i].neurons;
    struct place *places = malloc(((size_t)most + 1) * sizeof *places);
    if (places == NULL)
        return false;
    for (uint32_t i = 0; i < load->population_count; i++)
        for (uint32_t learnt = 0; counting->channels[i].last != NULL && learnt < LEARNT; learnt++)
            rank_channels(&counting->channels[i], load->populations[i].neurons, learnt, places);
    free(places);
    return true;
}

/* ---- the passes ---- */

static bool refuse_volley(const struct counting *counting, const struct load_volley *volley,
                          struct error *error)
{
    const struct load *load = counting->load;
    if (volley->population >= load->population_count)
        return error_set(error, ERROR_FAILED, "%s: tick %" PRId64 " holds a volley of population %"
                         PRIu32 ", and there are %" PRIu32, load->path != NULL ? load->path : "run",
                         volley->tick, volley->population, load->population_count);
    const struct load_population *population = &load->populations[volley->population];
    for (uint32_t i = 0; i < volley->length; i++)
        if (volley->neurons[i] >= population->neurons)
            return error_set(error, ERROR_FAILED, "%s: tick %" PRId64 ": neuron %" PRIu32
                             " of population %s fired, which has %" PRIu32,
                             load->path != NULL ? load->path : "run", volley->tick,
                             volley->neurons[i], population->name, population->neurons);
    return true;
}

static uint32_t half_of(const struct counting *counting, const struct load_volley *volley)
{
    int64_t at = counting->by_position ? volley->position : volley->tick;
    return at >= counting->second ? SECOND_HALF : FIRST_HALF;
}

/* The number of the vector that a volley belongs to. */
static int64_t vector_of(const struct counting *counting, const struct load_volley *volley)
{
    return counting->load->populations[volley->population].clocked ? volley->tick
                                                                   : volley->position;
}

static bool learn_volley(void *self, const struct load_volley *volley, struct error *error)
{
    struct counting *counting = self;
    if (!refuse_volley(counting, volley, error))
        return false;
    struct channels *channels = &counting->channels[volley->population];
    if (channels->last == NULL)
        return true;
    uint64_t *active = channels->active[half_of(counting, volley)];
    int64_t vector = vector_of(counting, volley);
    for (uint32_t i = 0; i < volley->length; i++) {
        uint32_t channel = volley->neurons[i];
        active[channel] += channels->seen[channel] != vector;
        channels->seen[channel] = vector;
    }
    return true;
}

/* Where `rank` is NULL, channels stand in their own order. */
static uint64_t count_blocks(const struct load_volley *volley, uint32_t width,
                             const uint32_t *rank, int64_t vector, int64_t *last)
{
    uint64_t active = 0;
    for (uint32_t i = 0; i < volley->length; i++) {
        uint32_t channel = volley->neurons[i];
        uint32_t block = (rank != NULL ? rank[channel] : channel) / width;
        active += last[block] != vector;
        last[block] = vector;
    }
    return active;
}

static bool count_volley(void *self, const struct load_volley *volley, struct error *error)
{
    struct counting *counting = self;
    if (!refuse_volley(counting, volley, error))
        return false;
    const struct channels *channels = &counting->channels[volley->population];
    if (channels->last == NULL)
        return true;
    struct blocks *blocks = counting->blocks;
    uint32_t half = half_of(counting, volley);
    const uint32_t *rank[BLOCK_ORDERS] = {
        [ORDER_NATURAL] = NULL,
        [ORDER_IN_SAMPLE] = channels->rank[WHOLE],
        [ORDER_HELD_OUT] = channels->rank[half == FIRST_HALF ? SECOND_HALF : FIRST_HALF],
    };
    int64_t *last = channels->last;
    for (uint32_t i = 0; i < blocks->width_count; i++)
        for (uint32_t order = 0; order < blocks->orders; order++) {
            *counter(blocks, volley->population, i, order, half) +=
                count_blocks(volley, blocks->widths[i], rank[order],
                             vector_of(counting, volley), last);
            last += blocks_across(counting->load->populations[volley->population].neurons,
                                  blocks->widths[i]);
        }
    return true;
}

static bool count_all(struct counting *counting, struct error *error)
{
    const struct load *load = counting->load;
    counting->channels = calloc((size_t)load->population_count + 1, sizeof *counting->channels);
    bool made = counting->channels != NULL;
    for (uint32_t i = 0; made && i < load->population_count; i++)
        if (load->populations[i].spiking)
            made = channels_begin(&counting->channels[i], load->populations[i].neurons,
                                  counting->blocks);
    if (!made)
        return error_no_memory(error, "counting memory blocks");
    if (counting->blocks->orders > 1) {
        if (!load_vectors(load, learn_volley, counting, error))
            return false;
        if (!rank_all(counting))
            return error_no_memory(error, "ordering channels by activity");
    }
    return load_vectors(load, count_volley, counting, error);
}

struct blocks *blocks_count(const struct load *load, const uint32_t *widths, uint32_t width_count,
                            bool by_activity, struct error *error)
{
    struct counting counting = {.load = load};
    counting.by_position = !load->clocked || load->positions > 1;
    counting.second = (int64_t)((counting.by_position ? load->positions : load->ticks) / 2);
    counting.blocks = blocks_new(load, widths, width_count, by_activity);
    if (counting.blocks == NULL) {
        error_no_memory(error, "counting memory blocks");
        return NULL;
    }
    bool counted = count_all(&counting, error);
    for (uint32_t i = 0; counting.channels != NULL && i < load->population_count; i++)
        channels_end(&counting.channels[i]);
    free(counting.channels);
    if (!counted) {
        blocks_free(counting.blocks);
        return NULL;
    }
    return counting.blocks;
}
