/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Layouts improved by simulated annealing (GSL's): a step swaps what lies on two places, one of
 * which may be empty.
 *
 * GSL copies a whole state for every step it tries, and asks for its cost. Here a state knows its
 * cost, and a step works out only what the two cores' messages change. To copy states without
 * copying arrays, each has a version: it became what it is by swapping `swap` when it was version
 * `before`. Invariant: states of one version hold the same cores at the same places. So where
 * source and copy are one swap apart, as they are after every step refused or taken, that swap is
 * made in the copy; else all of it is copied, as it is for a new best state that comes after
 * others.
 *
 * The exponential that GSL compares a random number of 32 bits with is the C library's. Its last
 * bit differs between processors, and would have to decide such a comparison to show.
 */
#include "traces/energy/placement_internal.h"

#include "scheduler/random.h"

#include <assert.h>
#include <gsl/gsl_siman.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    STATES = 4, /* GSL's three, and that which begins */
    STEPS_PER_CORE = 4000,
    STEPS_LEAST = 20000,
    WORK_MOST = 96 << 20, /* pairs of cores looked at: about a third of a second */
    SAMPLES = 200,
    STREAM_OWNER = 1
};

struct annealing {
    const struct layout *layout;
    struct state {
        struct annealing *annealing;
        uint32_t *place; /* [cores] */
        uint32_t *core;  /* [places]; NO_CORE: empty */
        struct spot {
            int32_t x, y;
        } *spot; /* [cores], where their places lie */
        double cost;
        uint64_t version, before;
        uint32_t swap[2]; /* places */
        bool taken;
    } states[STATES];
    uint64_t versions;
};

/* ------------------------------------------------------------------ states */

static struct spot spot_of(const struct state *state, uint32_t place)
{
    const struct layout *layout = state->annealing->layout;
    return (struct spot){(int32_t)layout->x[place], (int32_t)layout->y[place]};
}

static void state_put(struct state *state, uint32_t core, uint32_t place)
{
    state->core[place] = core;
    if (core == NO_CORE)
        return;
    state->place[core] = place;
    state->spot[core] = spot_of(state, place);
}

static void state_swap(struct state *state, const uint32_t swap[2])
{
    uint32_t a = state->core[swap[0]], b = state->core[swap[1]];
    state_put(state, b, swap[0]);
    state_put(state, a, swap[1]);
}

/* What it costs more to have a core at `to` instead of `from`, all others staying where they are
 * but for `partner`, who goes the other way and stays as far from it. */
static double move_cost(const struct state *state, uint32_t core, uint32_t from, uint32_t to,
                        uint32_t partner)
{
    const struct layout *layout = state->annealing->layout;
    struct spot before = spot_of(state, from), after = spot_of(state, to);
    double cost = 0;
    for (size_t k = layout->first[core]; k < layout->first[core + 1]; k++) {
        uint32_t other = layout->other[k];
        struct spot spot = state->spot[other];
        int32_t more = abs(after.x - spot.x) + abs(after.y - spot.y) - abs(before.x - spot.x)
                       - abs(before.y - spot.y);
        cost += other != partner ? layout->messages[k] * more : 0;
    }
    return cost;
}

static double swap_cost(const struct state *state, const uint32_t swap[2])
{
    uint32_t a = state->core[swap[0]], b = state->core[swap[1]];
    double cost = 0;
    if (a != NO_CORE)
        cost += move_cost(state, a, swap[0], swap[1], b);
    if (b != NO_CORE)
        cost += move_cost(state, b, swap[1], swap[0], a);
    return cost;
}

/* The place of a core, and another one: any, or every other time one near a core that it exchanges
 * messages with, where there is a way to save. */
static void swap_draw(const struct state *state, const gsl_rng *generator, uint32_t swap[2])
{
    const struct layout *layout = state->annealing->layout;
    uint32_t core = (uint32_t)gsl_rng_uniform_int(generator, layout->core_count);
    size_t first = layout->first[core], partners = layout->first[core + 1] - first;
    swap[0] = state->place[core];
    if (partners == 0 || gsl_rng_get(generator) % 2 == 0) {
        swap[1] = (uint32_t)gsl_rng_uniform_int(generator, layout->place_count - 1);
        swap[1] += swap[1] >= swap[0];
        return;
    }
    size_t chosen = first + gsl_rng_uniform_int(generator, partners);
    uint32_t near = state->place[layout->other[chosen]];
    uint32_t reach = 2 * layout->chip->mesh.cores_per_tile;
    uint32_t low = near > reach ? near - reach : 0;
    uint32_t high = layout->place_count - 1 - near > reach ? near + reach : layout->place_count - 1;
    swap[1] = low + (uint32_t)gsl_rng_uniform_int(generator, high - low + 1);
    if (swap[1] == swap[0])
        swap[1] = swap[0] == high ? low : swap[0] + 1;
}

/* ------------------------------------------------------- what GSL is given */

static double state_cost(void *self)
{
    const struct state *state = self;
    return state->cost;
}

static void state_step(const gsl_rng *generator, void *self, double size)
{
    (void)size;
    struct state *state = self;
    uint32_t swap[2];
    swap_draw(state, generator, swap);
    state->cost += swap_cost(state, swap);
    state_swap(state, swap);
    memcpy(state->swap, swap, sizeof swap);
    state->before = state->version;
    state->version = ++state->annealing->versions;
}

static void state_copy_all(const struct state *state, struct state *copy)
{
    const struct layout *layout = state->annealing->layout;
    memcpy(copy->place, state->place, layout->core_count * sizeof *copy->place);
    memcpy(copy->core, state->core, layout->place_count * sizeof *copy->core);
    memcpy(copy->spot, state->spot, layout->core_count * sizeof *copy->spot);
}

static void state_copy_version(const struct state *state, struct state *copy)
{
    copy->cost = state->cost;
    copy->version = state->version;
    copy->before = state->before;
    memcpy(copy->swap, state->swap, sizeof copy->swap);
}

static void state_copy(void *from, void *to)
{
    const struct state *state = from;
    struct state *copy = to;
    if (copy->version == state->version)
        return;
    if (copy->version == state->before)
        state_swap(copy, state->swap);
    else if (copy->before == state->version)
        state_swap(copy, copy->swap);
    else
        state_copy_all(state, copy);
    state_copy_version(state, copy);
}

/* From those there are: GSL knows no short memory. */
static void *state_new_copy(void *from)
{
    struct state *state = from;
    struct annealing *annealing = state->annealing;
    for (int i = 0; i < STATES; i++) {
        struct state *copy = &annealing->states[i];
        if (copy->taken)
            continue;
        copy->taken = true;
        state_copy_all(state, copy);
        state_copy_version(state, copy);
        return copy;
    }
    assert(!"GSL needs more states than it says");
    return NULL;
}

static void state_drop(void *self)
{
    struct state *state = self;
    state->taken = false;
}

/* ------------------------------------------------------------ the schedule */

/* Mean of what swaps change the cost by, up or down. */
static double mean_change(const struct state *state, const gsl_rng *generator)
{
    double sum = 0;
    for (int i = 0; i < SAMPLES; i++) {
        uint32_t swap[2];
        swap_draw(state, generator, swap);
        sum += fabs(swap_cost(state, swap));
    }
    return sum / SAMPLES;
}

/* From temperatures at which about every third swap is taken to such at which none is that costs
 * anything, each 5 % below the one before. Where there is not time for a quarter of the steps that
 * a network wants, it begins as much cooler: less is found anew then, but what greedy found is
 * improved. */
static void anneal(struct state *state, const gsl_rng *generator)
{
    const struct layout *layout = state->annealing->layout;
    double cores = layout->core_count;
    double wanted = fmax(STEPS_PER_CORE * cores, STEPS_LEAST);
    double looked_at = 2 * (double)layout->first[layout->core_count] / cores + 32;
    double steps = fmin(wanted, WORK_MOST / looked_at);
    double temperature = mean_change(state, generator) / 2 * fmin(1, 4 * steps / wanted);
    gsl_siman_params_t schedule = {
        .n_tries = 1,
        .iters_fixed_T = (int)(steps / 142) + 1, /* temperatures: ⌈ln 1000 / ln 1.05⌉ */
        .step_size = 1,
        .k = 1,
        .t_initial = temperature,
        .t_min = temperature / 1000,
        .mu_t = 1.05,
    };
    if (temperature > 0)
        gsl_siman_solve(generator, state, state_cost, state_step, NULL, NULL, state_copy,
                        state_new_copy, state_drop, 0, schedule);
}

/* --------------------------------------------------------------- annealing */

static bool annealing_take_memory(struct annealing *annealing, const struct layout *layout)
{
    annealing->layout = layout;
    for (int i = 0; i < STATES; i++) {
        struct state *state = &annealing->states[i];
        state->annealing = annealing;
        state->place = malloc(((size_t)layout->core_count + 1) * sizeof *state->place);
        state->core = malloc(((size_t)layout->place_count + 1) * sizeof *state->core);
        state->spot = malloc(((size_t)layout->core_count + 1) * sizeof *state->spot);
        if (state->place == NULL || state->core == NULL || state->spot == NULL)
            return false;
    }
    return true;
}

bool layout_anneal(struct layout *layout, uint64_t seed, struct error *error)
{
    if (layout->core_count == 0 || layout->place_count < 2)
        return true;
    struct annealing annealing = {0};
    gsl_rng *generator = random_gsl_new();
    bool annealed = annealing_take_memory(&annealing, layout) && generator != NULL;
    if (annealed) {
        struct random_stream stream = random_stream_of(seed, RANDOM_PLACEMENT, STREAM_OWNER);
        random_gsl_seek(generator, &stream, 0);
        struct state *state = &annealing.states[0];
        double before = layout_cost(layout, layout->place);
        state->taken = true;
        state->cost = before;
        state->before = UINT64_MAX; /* no state's version */
        memset(state->core, 0xff, layout->place_count * sizeof *state->core); /* NO_CORE */
        for (uint32_t i = 0; i < layout->core_count; i++)
            state_put(state, i, layout->place[i]);
        anneal(state, generator);
        if (layout_cost(layout, state->place) < before)
            memcpy(layout->place, state->place, layout->core_count * sizeof *state->place);
    }
    for (int i = 0; i < STATES; i++) {
        free(annealing.states[i].place);
        free(annealing.states[i].core);
        free(annealing.states[i].spot);
    }
    if (generator != NULL)
        gsl_rng_free(generator);
    return annealed || error_no_memory(error, "the placement");
}
