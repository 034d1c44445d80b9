/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Placement, from what a network needs to cores with places: the steps of placement_new.
 *
 * What cores hold is counted anew from the ranges after dealing (placement_measure), whoever made
 * them. Fan-out of a core is known only then, as it depends on where all targets lie. Where it is
 * above the limit, units are dealt anew with the messages that they were seen to send, so that
 * cores take fewer of them; that splits targets further, and is repeated until no core sends too
 * many or one unit alone does. The messages reckoned with never get fewer, and grow by a quarter
 * from the ninth time on, so that it comes to an end.
 */
#include "traces/energy/placement_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const placement_names[] = {
    [PLACEMENT_IN_ORDER] = "in-order",
    [PLACEMENT_GREEDY] = "greedy",
    [PLACEMENT_ANNEALED] = "annealed",
    [PLACEMENT_EXPLICIT] = "explicit",
    NULL,
};

/* --------------------------------------------------------------- measure */

/* Kernels of a compartment are on a core once, however many ranges it has there. */
static bool measure_contents(struct placement *placement, const struct needs *needs)
{
    size_t count = placement->core_count;
    uint64_t *weights = calloc(count + 1, sizeof *weights);
    uint32_t *entered = calloc(count + 1, sizeof *entered); /* compartment + 1 */
    bool measured = weights != NULL && entered != NULL;
    for (uint32_t i = 0; measured && i < placement->range_count; i++) {
        const struct placed_range *range = &placement->ranges[i];
        struct core *core = &placement->cores[range->core];
        uint32_t compartment = range->compartment, grain = needs->grain[compartment];
        core->elements += range->count;
        if (needs->load->compartments[compartment].port == NULL)
            core->neurons += range->count;
        size_t unit = needs->first_unit[compartment] + range->first / grain;
        size_t end = unit + ((size_t)range->count + grain - 1) / grain;
        for (; unit < end; unit++) {
            core->synapses += needs->units[unit].synapses;
            weights[range->core] += needs->units[unit].weights;
        }
        if (entered[range->core] != compartment + 1)
            weights[range->core] += needs->kernels[compartment];
        entered[range->core] = compartment + 1;
    }
    for (size_t i = 0; measured && i < count; i++)
        placement->cores[i].synapse_bytes = weights_bytes(needs->chip, weights[i]);
    free(weights);
    free(entered);
    return measured;
}

/* Messages for a spike of each of `count` neurons from `neuron` on, which all send to the cores in
 * the set. `sent` is of the compartment's units, or NULL. */
static void measure_neurons(struct placement *placement, struct destinations *destinations,
                            const struct placed_range *range, uint32_t neuron, uint32_t count,
                            uint32_t grain, uint64_t *sent)
{
    uint32_t destination;
    uint64_t messages = 0;
    while (destinations_next(destinations, &destination, NULL)) {
        placement->cores[destination].fan_in += count;
        messages++;
    }
    placement->cores[range->core].fan_out += messages * count;
    for (uint32_t i = 0; sent != NULL && i < count; i++)
        sent[(neuron + i) / grain] += messages;
}

/* fan_in and fan_out of cores, and `sent` of all units, [units] or NULL. */
static bool measure_messages(struct placement *placement, const struct needs *needs,
                             uint64_t *sent, struct error *error)
{
    const struct load *load = needs->load;
    struct destinations *destinations = destinations_new(load, placement, false, error);
    if (destinations == NULL)
        return false;
    for (uint32_t i = 0; i < load->population_count; i++) {
        const struct load_population *own = &load->populations[i];
        if (!own->placed || !destinations_any(destinations, i))
            continue;
        bool shared = destinations_shared(destinations, i);
        uint32_t grain = needs->grain[own->compartment];
        uint64_t *own_sent = sent != NULL ? sent + needs->first_unit[own->compartment] : NULL;
        for (uint32_t k = placement->first_range[own->compartment];
             k < placement->first_range[own->compartment + 1]; k++) {
            const struct placed_range *range = &placement->ranges[k];
            uint32_t step = shared ? range->count : 1;
            for (uint32_t neuron = range->first; neuron < range->first + range->count;
                 neuron += step) {
                destinations_of(destinations, i, neuron);
                measure_neurons(placement, destinations, range, neuron, step, grain, own_sent);
            }
        }
    }
    destinations_free(destinations);
    return true;
}

static bool placement_measure(struct placement *placement, const struct needs *needs,
                              uint64_t *sent, struct error *error)
{
    for (uint32_t i = 0; i < placement->core_count; i++)
        placement->cores[i] = (struct core){.place = placement->cores[i].place};
    return (measure_contents(placement, needs) || error_no_memory(error, "the placement"))
           && measure_messages(placement, needs, sent, error);
}

/* ------------------------------------------------------- dealing, within */

static bool sends_too_much(const struct placement *placement, const struct chip *chip)
{
    for (uint32_t i = 0; i < placement->core_count; i++)
        if (placement->cores[i].fan_out > chip->limits.fan_out)
            return true;
    return false;
}

/* Reckons with at least what units were seen to send. */
static void raise_fan_out(struct needs *needs, const uint64_t *sent, uint32_t times)
{
    uint64_t most = needs->chip->limits.fan_out;
    for (size_t i = 0; i < needs->first_unit[needs->load->compartment_count]; i++) {
        uint64_t *fan_out = &needs->units[i].fan_out;
        if (sent[i] > *fan_out)
            *fan_out = sent[i];
        if (times < 8 || *fan_out >= most)
            continue;
        *fan_out += *fan_out / 4 + (*fan_out > 0);
        if (*fan_out > most)
            *fan_out = most;
    }
}

static bool deal_and_measure(struct placement *placement, struct needs *needs, bool limited,
                             struct error *error)
{
    if (!limited || needs->chip->limits.fan_out == 0)
        return placement_deal(placement, needs, limited, error)
               && placement_measure(placement, needs, NULL, error);
    size_t units = needs->first_unit[needs->load->compartment_count];
    uint64_t *sent = malloc((units + 1) * sizeof *sent);
    bool dealt = sent != NULL || error_no_memory(error, "the placement");
    for (uint32_t times = 0; dealt; times++) {
        memset(sent, 0, units * sizeof *sent);
        dealt = placement_deal(placement, needs, true, error)
                && placement_measure(placement, needs, sent, error);
        if (!dealt || !sends_too_much(placement, needs->chip))
            break;
        raise_fan_out(needs, sent, times);
    }
    free(sent);
    return dealt;
}

/* ---------------------------------------------------------------- limits */

/* A compartment with elements on a core. */
static uint32_t compartment_on(const struct placement *placement, uint32_t core)
{
    for (uint32_t i = 0; i < placement->range_count; i++)
        if (placement->ranges[i].core == core)
            return placement->ranges[i].compartment;
    return 0;
}

static bool core_sentence(const struct placement *placement, const struct needs *needs,
                          uint32_t core, enum limit limit, struct error *error)
{
    char called[200], subject[280];
    compartment_called(needs->load, compartment_on(placement, core), called);
    snprintf(subject, sizeof subject, "%s: core %" PRIu32 " of the network file's placement",
             called, placement->cores[core].place);
    return limit_sentence(needs->chip, limit, limit_needed(limit, &placement->cores[core]),
                          subject, error);
}

/* Needed by explicit placements, and by those beyond the limits to know whether they are. */
static bool limits_check(const struct placement *placement, const struct needs *needs,
                         struct error *error)
{
    const struct load *load = needs->load;
    for (uint32_t i = 0; i < placement->core_count; i++) {
        enum limit limit = limit_broken(needs->chip, &placement->cores[i]);
        if (limit != LIMIT_NONE)
            return core_sentence(placement, needs, i, limit, error);
    }
    uint64_t most = needs->chip->limits.neuron_fan_in;
    for (uint32_t i = 0; most > 0 && i < load->compartment_count; i++)
        for (size_t unit = 0; unit < needs->first_unit[i + 1] - needs->first_unit[i]; unit++)
            if (unit_fan_in(needs, i, unit) > most) {
                char subject[200];
                compartment_called(load, i, subject);
                return limit_sentence(needs->chip, LIMIT_NEURON_FAN_IN,
                                      unit_fan_in(needs, i, unit), subject, error);
            }
    return true;
}

/* The first core, as they were filled, that lies beyond `places`. */
static uint32_t first_beyond(const struct placement *placement, uint64_t places)
{
    for (uint32_t i = 0; i < placement->core_count; i++)
        if (placement->cores[i].place >= places)
            return i;
    return UINT32_MAX;
}

static bool chips_check(const struct placement *placement, const struct needs *needs,
                        struct error *error)
{
    const struct chip *chip = needs->chip;
    uint64_t places;
    if (chip->limits.chips == 0
        || __builtin_mul_overflow(chip->limits.chips, (uint64_t)chip_cores(chip), &places))
        return true;
    uint32_t core = first_beyond(placement, places);
    if (core == UINT32_MAX)
        return true;
    char called[200];
    compartment_called(needs->load, compartment_on(placement, core), called);
    if (placement->method == PLACEMENT_EXPLICIT)
        return error_set(error, ERROR_FAILED, "%s: the network file puts it on core %" PRIu32
                         ", but %" PRIu64 " %s of %s %s %" PRIu64 " cores; choose another chip, or "
                         "--beyond-limits projects it nevertheless", called,
                         placement->cores[core].place, chip->limits.chips,
                         chip->limits.chips == 1 ? "chip" : "chips", chip_called(chip),
                         chip->limits.chips == 1 ? "has" : "have", places);
    return error_set(error, ERROR_FAILED, "%s no longer fits: the network needs %" PRIu32
                     " cores, but %" PRIu64 " %s of %s %s %" PRIu64 "; choose another chip, or "
                     "--beyond-limits projects it nevertheless", called, placement->core_count,
                     chip->limits.chips, chip->limits.chips == 1 ? "chip" : "chips",
                     chip_called(chip), chip->limits.chips == 1 ? "has" : "have", places);
}

static bool placement_fit(struct placement *placement, const struct needs *needs, bool beyond,
                          struct error *error)
{
    struct error broken = {0};
    bool dealt_within = placement->method != PLACEMENT_EXPLICIT && !beyond;
    bool fits = (dealt_within || limits_check(placement, needs, &broken))
                && chips_check(placement, needs, &broken);
    placement->beyond_limits = !fits;
    return fits || beyond || error_set(error, broken.code, "%s", broken.text);
}

/* ---------------------------------------------------------------- places */

static bool chips_count(struct placement *placement, const struct chip *chip, struct error *error)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < placement->core_count; i++)
        if (placement->cores[i].place > last)
            last = placement->cores[i].place;
    placement->chips = placement->core_count > 0 ? last / chip_cores(chip) + 1 : 0;
    placement->side = 0;
    while ((uint64_t)placement->side * placement->side < placement->chips)
        placement->side++;
    const struct chip_mesh *mesh = &chip->mesh;
    if ((uint64_t)placement->side * (mesh->columns > mesh->rows ? mesh->columns : mesh->rows)
        > UINT32_MAX)
        return error_set(error, ERROR_FAILED, "%" PRIu32 " chips of %s, side by side, are more "
                         "columns or rows than can be counted", placement->chips,
                         chip_called(chip));
    return true;
}

static void core_locate(struct core *core, const struct placement *placement,
                        const struct chip *chip)
{
    const struct chip_mesh *mesh = &chip->mesh;
    core->chip = core->place / chip_cores(chip);
    core->tile = core->place % chip_cores(chip) / mesh->cores_per_tile;
    uint32_t x = mesh->column_major ? core->tile / mesh->rows : core->tile % mesh->columns;
    uint32_t y = mesh->column_major ? core->tile % mesh->rows : core->tile / mesh->columns;
    core->x = core->chip % placement->side * mesh->columns + x;
    core->y = core->chip / placement->side * mesh->rows + y;
}

static int compare_numbers(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

static bool tiles_count(struct placement *placement, const struct chip *chip)
{
    uint32_t *tiles = malloc(((size_t)placement->core_count + 1) * sizeof *tiles);
    if (tiles == NULL)
        return false;
    for (uint32_t i = 0; i < placement->core_count; i++)
        tiles[i] = placement->cores[i].place / chip->mesh.cores_per_tile;
    qsort(tiles, placement->core_count, sizeof *tiles, compare_numbers);
    placement->tiles = 0;
    for (uint32_t i = 0; i < placement->core_count; i++)
        placement->tiles += i == 0 || tiles[i] != tiles[i - 1];
    free(tiles);
    return true;
}

static bool placement_locate(struct placement *placement, const struct load *load,
                             const struct chip *chip, struct error *error)
{
    bool moved = placement->method == PLACEMENT_GREEDY || placement->method == PLACEMENT_ANNEALED;
    if (!chips_count(placement, chip, error)
        || (moved && !placement_lay_out(placement, load, chip, error)))
        return false;
    for (uint32_t i = 0; i < placement->core_count; i++)
        core_locate(&placement->cores[i], placement, chip);
    return tiles_count(placement, chip) || error_no_memory(error, "the placement");
}

/* ------------------------------------------------------------- placement */

static bool chip_check(const struct chip *chip, struct error *error)
{
    const struct chip_mesh *mesh = &chip->mesh;
    uint64_t tiles = (uint64_t)mesh->columns * mesh->rows, cores;
    if (__builtin_mul_overflow(tiles, (uint64_t)mesh->cores_per_tile, &cores) || cores == 0
        || cores > INT32_MAX)
        return error_set(error, ERROR_FAILED, "%s: its mesh has no core, or more than 2^31",
                         chip_called(chip));
    return true;
}

struct placement *placement_new(const struct load *load, const struct chip *chip,
                                enum placement_method method, bool beyond_limits, uint64_t seed,
                                struct error *error)
{
    bool dealt_within = method != PLACEMENT_EXPLICIT && !beyond_limits;
    struct needs *needs = NULL;
    struct placement *placement = NULL;
    if (chip_check(chip, error))
        needs = needs_new(load, chip, dealt_within && chip->limits.fan_in > 0, error);
    if (needs != NULL) {
        placement = calloc(1, sizeof *placement);
        if (placement == NULL)
            error_no_memory(error, "the placement");
    }
    bool placed = placement != NULL;
    if (placed) {
        placement->method = method;
        placement->seed = seed;
        if (method == PLACEMENT_EXPLICIT)
            placed = placement_take(placement, needs, error)
                     && placement_measure(placement, needs, NULL, error);
        else
            placed = deal_and_measure(placement, needs, dealt_within, error);
        placed = placed && placement_fit(placement, needs, beyond_limits, error);
    }
    needs_free(needs);
    placed = placed && placement_locate(placement, load, chip, error);
    if (!placed) {
        placement_free(placement);
        return NULL;
    }
    return placement;
}

void placement_free(struct placement *placement)
{
    if (placement == NULL)
        return;
    free(placement->cores);
    free(placement->ranges);
    free(placement->first_range);
    free(placement);
}

uint32_t placement_core(const struct placement *placement, uint32_t compartment, uint32_t element)
{
    uint32_t low = placement->first_range[compartment];
    uint32_t high = placement->first_range[compartment + 1] - 1;
    while (low < high) {
        uint32_t middle = high - (high - low) / 2;
        if (placement->ranges[middle].first <= element)
            low = middle;
        else
            high = middle - 1;
    }
    return placement->ranges[low].core;
}

/* ----------------------------------------------------------------- steps */

static uint32_t difference(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

struct steps placement_steps(const struct chip *chip, const struct core *from,
                             const struct core *to)
{
    struct steps steps = {0};
    if (from->x < to->x)
        steps.east = to->x - from->x;
    else
        steps.west = from->x - to->x;
    if (from->y < to->y)
        steps.north = to->y - from->y;
    else
        steps.south = from->y - to->y;
    steps.local = from->x == to->x && from->y == to->y;
    if (from->chip != to->chip)
        steps.links = difference(from->x / chip->mesh.columns, to->x / chip->mesh.columns)
                      + difference(from->y / chip->mesh.rows, to->y / chip->mesh.rows);
    return steps;
}
