/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Layouts: cores to places, by the messages that they exchanged in the run.
 *
 * Greedy: the core that exchanges most messages takes a place in the middle; then always that one
 * which exchanges most with cores that have a place takes the free place at which its messages to
 * these have the shortest way. As the way is |x - x'| + |y - y'|, it is the sum of one function of
 * the column and one of the row, each worked out in one sweep. Where placing in order is no
 * dearer, that is taken.
 */
#include "traces/energy/placement_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_PAIRS = 4 << 20,  /* of cores that exchange messages: some 160 MB */
    MOST_PLACES = 16 << 20
};

/* -------------------------------------------------------------- messages */

/* One pair of cores; [0] sends. */
struct exchange {
    uint32_t core[2];
    double messages;
};

struct exchanges {
    struct exchange *pairs;
    size_t count, capacity;
};

static bool exchange_add(struct exchanges *list, struct exchange pair, struct error *error)
{
    if (list->count == MOST_PAIRS)
        return error_set(error, ERROR_FAILED, "more than %d pairs of cores exchange messages, too "
                         "many to place them by; use --placement in-order", MOST_PAIRS);
    if (list->count == list->capacity) {
        size_t capacity = list->capacity < 256 ? 256 : list->capacity * 2;
        struct exchange *pairs = realloc(list->pairs, capacity * sizeof *pairs);
        if (pairs == NULL)
            return error_no_memory(error, "the placement");
        list->pairs = pairs;
        list->capacity = capacity;
    }
    list->pairs[list->count++] = pair;
    return true;
}

/* Messages of one core to all others. */
struct sent {
    double *messages; /* [cores] */
    uint32_t *cores;  /* those with any, [count] */
    uint32_t count;
};

/* Those of a range of neurons. */
static void sent_add(struct sent *sent, struct destinations *destinations, bool graded,
                     uint32_t population, const struct placed_range *range)
{
    const struct load_population *own = &destinations->load->populations[population];
    bool shared = destinations_shared(destinations, population);
    double messages = 0;
    for (uint32_t i = 0; i < range->count; i++) {
        messages += neuron_messages(own, graded, range->first + i);
        if ((shared && i + 1 < range->count) || messages == 0)
            continue;
        uint32_t core;
        destinations_of(destinations, population, range->first + i);
        while (destinations_next(destinations, &core, NULL)) {
            if (sent->messages[core] == 0)
                sent->cores[sent->count++] = core;
            sent->messages[core] += messages;
        }
        messages = 0;
    }
}

static bool sent_take(struct sent *sent, uint32_t core, struct exchanges *list,
                      struct error *error)
{
    bool taken = true;
    for (uint32_t i = 0; i < sent->count; i++) {
        uint32_t other = sent->cores[i];
        if (taken && other != core)
            taken = exchange_add(list, (struct exchange){{core, other}, sent->messages[other]},
                                 error);
        sent->messages[other] = 0;
    }
    sent->count = 0;
    return taken;
}

/* Ranges by the core they are on: order [range_count], of core i first[i] … first[i + 1] - 1. */
static void ranges_by_core(const struct placement *placement, uint32_t *order, uint32_t *first)
{
    for (uint32_t i = 0; i < placement->range_count; i++)
        first[placement->ranges[i].core + 2]++;
    for (uint32_t i = 0; i < placement->core_count; i++)
        first[i + 2] += first[i + 1];
    for (uint32_t i = 0; i < placement->range_count; i++)
        order[first[placement->ranges[i].core + 1]++] = i;
}

static bool exchanges_count(struct exchanges *list, const struct placement *placement,
                            struct destinations *destinations, bool graded, struct error *error)
{
    const struct load *load = destinations->load;
    size_t cores = placement->core_count;
    uint32_t *order = malloc(((size_t)placement->range_count + 1) * sizeof *order);
    uint32_t *first = calloc(cores + 2, sizeof *first);
    struct sent sent = {calloc(cores + 1, sizeof *sent.messages),
                        malloc((cores + 1) * sizeof *sent.cores), 0};
    bool counted = (order != NULL && first != NULL && sent.messages != NULL && sent.cores != NULL)
                   || error_no_memory(error, "the placement");
    if (counted)
        ranges_by_core(placement, order, first);
    for (uint32_t i = 0; counted && i < cores; i++) {
        for (uint32_t k = first[i]; k < first[i + 1]; k++) {
            const struct placed_range *range = &placement->ranges[order[k]];
            const struct load_compartment *own = &load->compartments[range->compartment];
            if (own->port == NULL && destinations_any(destinations, own->population))
                sent_add(&sent, destinations, graded, own->population, range);
        }
        counted = sent_take(&sent, i, list, error);
    }
    free(order);
    free(first);
    free(sent.messages);
    free(sent.cores);
    return counted;
}

/* Each pair stands at both of its cores. */
static bool exchanges_spread(struct layout *layout, const struct exchanges *list)
{
    size_t cores = layout->core_count;
    layout->first = calloc(cores + 2, sizeof *layout->first);
    layout->other = malloc((2 * list->count + 1) * sizeof *layout->other);
    layout->messages = malloc((2 * list->count + 1) * sizeof *layout->messages);
    size_t *first = layout->first;
    if (first == NULL || layout->other == NULL || layout->messages == NULL)
        return false;
    for (size_t i = 0; i < list->count; i++)
        for (int side = 0; side < 2; side++)
            first[list->pairs[i].core[side] + 2]++;
    for (size_t i = 0; i < cores; i++)
        first[i + 2] += first[i + 1];
    for (size_t i = 0; i < list->count; i++)
        for (int side = 0; side < 2; side++) {
            size_t at = first[list->pairs[i].core[side] + 1]++;
            layout->other[at] = list->pairs[i].core[1 - side];
            layout->messages[at] = list->pairs[i].messages;
        }
    return true;
}

static bool layout_count_messages(struct layout *layout, const struct placement *placement,
                                  const struct load *load, struct error *error)
{
    struct exchanges list = {0};
    struct destinations *destinations = destinations_new(load, placement, false, error);
    bool counted = destinations != NULL
                   && exchanges_count(&list, placement, destinations, layout->chip->graded, error)
                   && (exchanges_spread(layout, &list) || error_no_memory(error, "the placement"));
    destinations_free(destinations);
    free(list.pairs);
    return counted;
}

/* ---------------------------------------------------------------- places */

/* Coordinates in which each border of chips is `columns` steps more. */
static uint32_t stretched(const struct layout *layout, uint32_t at, uint32_t tiles)
{
    return at + at / tiles * layout->chip->mesh.columns;
}

/* Tiles of all chips in use, counted through, and where each lies. */
struct tiles {
    const struct layout *layout;
    uint32_t columns, rows; /* of the whole square, as far as there are chips */
    uint32_t *free;         /* [rows][columns] free cores; 0 where there is no chip */
    uint32_t *first;        /* [rows][columns] place of the first core */
    double *column_cost;    /* [columns] */
    double *row_cost;       /* [rows] */
};

/* Column and row of a place's tile over all chips. */
static void place_locate(const struct chip_mesh *mesh, uint32_t side, uint32_t place, uint32_t *x,
                         uint32_t *y)
{
    uint32_t tiles = mesh->columns * mesh->rows;
    uint32_t tile = place / mesh->cores_per_tile % tiles;
    uint32_t chip = place / mesh->cores_per_tile / tiles;
    *x = chip % side * mesh->columns
         + (mesh->column_major ? tile / mesh->rows : tile % mesh->columns);
    *y = chip / side * mesh->rows
         + (mesh->column_major ? tile % mesh->rows : tile / mesh->columns);
}

static bool layout_take_places(struct layout *layout, const struct placement *placement,
                               struct error *error)
{
    const struct chip *chip = layout->chip;
    uint64_t places = (uint64_t)placement->chips * chip_cores(chip);
    if (places > MOST_PLACES)
        return error_set(error, ERROR_FAILED, "%" PRIu32 " chips of %s have %" PRIu64 " cores, too "
                         "many to choose between; use --placement in-order", placement->chips,
                         chip_called(chip), places);
    layout->place_count = (uint32_t)places;
    layout->x = malloc((places + 1) * sizeof *layout->x);
    layout->y = malloc((places + 1) * sizeof *layout->y);
    layout->place = malloc(((size_t)layout->core_count + 1) * sizeof *layout->place);
    if (layout->x == NULL || layout->y == NULL || layout->place == NULL)
        return error_no_memory(error, "the placement");
    for (uint32_t i = 0; i < layout->place_count; i++) {
        uint32_t x, y;
        place_locate(&chip->mesh, placement->side, i, &x, &y);
        layout->x[i] = stretched(layout, x, chip->mesh.columns);
        layout->y[i] = stretched(layout, y, chip->mesh.rows);
    }
    return true;
}

double layout_cost(const struct layout *layout, const uint32_t *place)
{
    double cost = 0;
    for (uint32_t i = 0; i < layout->core_count; i++) {
        int64_t x = layout->x[place[i]], y = layout->y[place[i]];
        for (size_t k = layout->first[i]; k < layout->first[i + 1]; k++) {
            uint32_t other = place[layout->other[k]];
            cost += layout->messages[k]
                    * (double)(llabs(x - layout->x[other]) + llabs(y - layout->y[other]));
        }
    }
    return cost / 2;
}

/* ---------------------------------------------------------------- greedy */

/* Cores without a place; first of all that with most messages to those that have one, then that
 * with most messages at all, then the lowest. A binary heap that knows where each core stands. */
struct queue_of_cores {
    double *near, *all; /* [cores] */
    uint32_t *heap, *at; /* [cores]; at: NO_CORE once taken */
    uint32_t count;
};

static bool goes_before(const struct queue_of_cores *queue, uint32_t a, uint32_t b)
{
    if (queue->near[a] != queue->near[b])
        return queue->near[a] > queue->near[b];
    if (queue->all[a] != queue->all[b])
        return queue->all[a] > queue->all[b];
    return a < b;
}

static void queue_put(struct queue_of_cores *queue, uint32_t core, uint32_t at)
{
    queue->heap[at] = core;
    queue->at[core] = at;
}

static void queue_rise(struct queue_of_cores *queue, uint32_t core)
{
    uint32_t at = queue->at[core];
    while (at > 0 && goes_before(queue, core, queue->heap[(at - 1) / 2])) {
        queue_put(queue, queue->heap[(at - 1) / 2], at);
        at = (at - 1) / 2;
    }
    queue_put(queue, core, at);
}

static uint32_t queue_take_core(struct queue_of_cores *queue)
{
    uint32_t taken = queue->heap[0], last = queue->heap[--queue->count], at = 0;
    queue->at[taken] = NO_CORE;
    while (queue->count > 0) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < queue->count
            && goes_before(queue, queue->heap[child + 1], queue->heap[child]))
            child++;
        if (child >= queue->count || !goes_before(queue, queue->heap[child], last))
            break;
        queue_put(queue, queue->heap[child], at);
        at = child;
    }
    if (queue->count > 0)
        queue_put(queue, last, at);
    return taken;
}

static bool queue_fill(struct queue_of_cores *queue, const struct layout *layout)
{
    size_t cores = layout->core_count;
    queue->near = calloc(cores + 1, sizeof *queue->near);
    queue->all = calloc(cores + 1, sizeof *queue->all);
    queue->heap = malloc((cores + 1) * sizeof *queue->heap);
    queue->at = malloc((cores + 1) * sizeof *queue->at);
    if (queue->near == NULL || queue->all == NULL || queue->heap == NULL || queue->at == NULL)
        return false;
    for (uint32_t i = 0; i < cores; i++) {
        for (size_t k = layout->first[i]; k < layout->first[i + 1]; k++)
            queue->all[i] += layout->messages[k];
        queue_put(queue, i, queue->count++);
        queue_rise(queue, i);
    }
    return true;
}

static void queue_drop(struct queue_of_cores *queue)
{
    free(queue->near);
    free(queue->all);
    free(queue->heap);
    free(queue->at);
}

static bool tiles_make(struct tiles *tiles, const struct layout *layout,
                       const struct placement *placement)
{
    const struct chip_mesh *mesh = &layout->chip->mesh;
    uint32_t side = placement->side;
    uint32_t across = placement->chips < side ? placement->chips : side;
    tiles->layout = layout;
    tiles->columns = across * mesh->columns;
    tiles->rows = (placement->chips + side - 1) / side * mesh->rows;
    size_t count = (size_t)tiles->columns * tiles->rows;
    tiles->free = calloc(count + 1, sizeof *tiles->free);
    tiles->first = calloc(count + 1, sizeof *tiles->first);
    tiles->column_cost = malloc(((size_t)tiles->columns + 1) * sizeof *tiles->column_cost);
    tiles->row_cost = malloc(((size_t)tiles->rows + 1) * sizeof *tiles->row_cost);
    if (tiles->free == NULL || tiles->first == NULL || tiles->column_cost == NULL
        || tiles->row_cost == NULL)
        return false;
    for (uint32_t i = 0; i < layout->place_count; i += mesh->cores_per_tile) {
        uint32_t x, y;
        place_locate(mesh, side, i, &x, &y);
        tiles->free[(size_t)y * tiles->columns + x] = mesh->cores_per_tile;
        tiles->first[(size_t)y * tiles->columns + x] = i;
    }
    return true;
}

static void tiles_drop(struct tiles *tiles)
{
    free(tiles->free);
    free(tiles->first);
    free(tiles->column_cost);
    free(tiles->row_cost);
}

/* Makes weights [length] at places along one axis into the cost of each place: the sum of
 * weight x distance to all others. One sweep up, one down. `tiles` of the axis make a chip. */
static void weights_to_costs(const struct layout *layout, double *cost, uint32_t length,
                             uint32_t tiles)
{
    double behind = 0, way = 0, all = 0, moment = 0;
    for (uint32_t i = 0; i < length; i++) {
        all += cost[i];
        moment += cost[i] * stretched(layout, i, tiles);
    }
    for (uint32_t i = 0; i < length; i++) {
        double at = stretched(layout, i, tiles);
        behind += cost[i];
        way += cost[i] * at;
        cost[i] = (behind * at - way) + ((moment - way) - (all - behind) * at);
    }
}

/* What each column and row would cost a core, given the places of those it exchanges messages
 * with; where there are none, what lies near the middle costs less. */
static void tiles_cost(struct tiles *tiles, uint32_t core, const uint32_t *column,
                       const uint32_t *row)
{
    const struct layout *layout = tiles->layout;
    memset(tiles->column_cost, 0, tiles->columns * sizeof *tiles->column_cost);
    memset(tiles->row_cost, 0, tiles->rows * sizeof *tiles->row_cost);
    bool any = false;
    for (size_t k = layout->first[core]; k < layout->first[core + 1]; k++) {
        uint32_t other = layout->other[k];
        if (column[other] == NO_CORE)
            continue;
        any = true;
        tiles->column_cost[column[other]] += layout->messages[k];
        tiles->row_cost[row[other]] += layout->messages[k];
    }
    if (!any) {
        tiles->column_cost[tiles->columns / 2] = 1;
        tiles->row_cost[tiles->rows / 2] = 1;
    }
    weights_to_costs(layout, tiles->column_cost, tiles->columns, layout->chip->mesh.columns);
    weights_to_costs(layout, tiles->row_cost, tiles->rows, layout->chip->mesh.rows);
}

/* The cheapest tile with a free core; of equal ones the first, row by row. Rows that cannot hold a
 * cheaper one are passed over. */
static size_t tiles_choose(const struct tiles *tiles)
{
    double least = tiles->column_cost[0], best = 0;
    size_t chosen = SIZE_MAX;
    for (uint32_t x = 1; x < tiles->columns; x++)
        if (tiles->column_cost[x] < least)
            least = tiles->column_cost[x];
    for (uint32_t y = 0; y < tiles->rows; y++) {
        if (chosen != SIZE_MAX && tiles->row_cost[y] + least >= best)
            continue;
        for (uint32_t x = 0; x < tiles->columns; x++) {
            double cost = tiles->row_cost[y] + tiles->column_cost[x];
            size_t tile = (size_t)y * tiles->columns + x;
            if (tiles->free[tile] > 0 && (chosen == SIZE_MAX || cost < best)) {
                chosen = tile;
                best = cost;
            }
        }
    }
    return chosen;
}

/* Fills `place` [cores]. */
static bool place_greedily(const struct layout *layout, const struct placement *placement,
                           uint32_t *place)
{
    struct tiles tiles = {0};
    struct queue_of_cores queue = {0};
    uint32_t per_tile = layout->chip->mesh.cores_per_tile;
    uint32_t *column = malloc(((size_t)layout->core_count + 1) * sizeof *column);
    uint32_t *row = malloc(((size_t)layout->core_count + 1) * sizeof *row);
    bool made = column != NULL && row != NULL && tiles_make(&tiles, layout, placement)
                && queue_fill(&queue, layout);
    if (made) {
        memset(column, 0xff, layout->core_count * sizeof *column); /* NO_CORE: no place yet */
        while (queue.count > 0) {
            uint32_t core = queue_take_core(&queue);
            tiles_cost(&tiles, core, column, row);
            size_t tile = tiles_choose(&tiles);
            place[core] = tiles.first[tile] + per_tile - tiles.free[tile]--;
            column[core] = (uint32_t)(tile % tiles.columns);
            row[core] = (uint32_t)(tile / tiles.columns);
            for (size_t k = layout->first[core]; k < layout->first[core + 1]; k++) {
                uint32_t other = layout->other[k];
                queue.near[other] += layout->messages[k];
                if (queue.at[other] != NO_CORE)
                    queue_rise(&queue, other);
            }
        }
    }
    tiles_drop(&tiles);
    queue_drop(&queue);
    free(column);
    free(row);
    return made;
}

/* --------------------------------------------------------------- layouts */

/* Greedy, or in order where that is no dearer. */
static bool layout_begin(struct layout *layout, const struct placement *placement)
{
    uint32_t *greedy = malloc(((size_t)layout->core_count + 1) * sizeof *greedy);
    bool begun = greedy != NULL && place_greedily(layout, placement, greedy);
    if (begun) {
        for (uint32_t i = 0; i < layout->core_count; i++)
            layout->place[i] = i;
        if (layout_cost(layout, greedy) < layout_cost(layout, layout->place))
            memcpy(layout->place, greedy, layout->core_count * sizeof *greedy);
    }
    free(greedy);
    return begun;
}

bool placement_lay_out(struct placement *placement, const struct load *load,
                       const struct chip *chip, struct error *error)
{
    struct layout layout = {.chip = chip, .core_count = placement->core_count};
    if (placement->core_count == 0)
        return true;
    bool done = layout_take_places(&layout, placement, error)
                && layout_count_messages(&layout, placement, load, error)
                && (layout_begin(&layout, placement) || error_no_memory(error, "the placement"))
                && (placement->method != PLACEMENT_ANNEALED
                    || layout_anneal(&layout, placement->seed, error));
    for (uint32_t i = 0; done && i < placement->core_count; i++)
        placement->cores[i].place = layout.place[i];
    free(layout.first);
    free(layout.other);
    free(layout.messages);
    free(layout.x);
    free(layout.y);
    free(layout.place);
    return done;
}
