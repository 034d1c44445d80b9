/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Delivering along dense integer weights; dense_integer_make.c makes them. */
#include "neurons/delivery/dense_integer.h"

#include <stdlib.h>
#include <string.h>

#include "neurons/delivery/kernels_body.h"

enum { FEW_LANES = 2 /* are integrated one by one */ };

static uint32_t sooner(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

void dense_integer_describe(struct projection *projection)
{
    const struct dense_integer *dense = projection->weights;
    struct dense_integer_sizes sizes = dense_integer_sizes(dense);
    projection->fan_out = dense->fan_out;
    projection->synapses = dense->synapses;
    projection->weight_count = (uint64_t)dense->outputs * dense->inputs;
    projection->bytes = sizes.codes + sizes.scales + sizes.extra_start + sizes.fan_out +
                        dense_integer_extras(dense) * sizeof *dense->extras +
                        (dense->bias != NULL ? dense->outputs * sizeof *dense->bias : 0);
}

static bool prepare(struct projection *self, uint32_t lanes, bool expand, struct error *error)
{
    struct dense_integer *dense = self->weights;
    const struct train *train = self->source->train;
    if (train->vectors > 1 && train->span % dense->group != 0)
        return error_set(error, ERROR_MISUSED,
                         "projection %s: sums of %u inputs do not divide the %u that share a "
                         "threshold", self->name, dense->group, train->span);
    if (!expand)
        return true;
    size_t length = (size_t)lanes * dense->groups * dense->rows;
    dense->accumulator = malloc(length * sizeof *dense->accumulator);
    return dense->accumulator != NULL || error_no_memory(error, "accumulators");
}

/* Whether finished sums stay within 32 bits: |Σ s·c| <= max|c| · Σ|s|. On the way there, with
 * half of a coding's volleys delivered or its zero point to come, they may wrap modulo 2^32. */
static bool check(const struct projection *self, const struct delivery *delivery,
                  struct error *error)
{
    struct dense_integer *dense = self->weights;
    const struct train *train = delivery->train != NULL ? delivery->train : delivery->origin;
    for (uint32_t lane = 0; lane < train->lanes; lane++) {
        if (train->magnitude[lane] > INT32_MAX / (dense->code_limit > 0 ? dense->code_limit : 1))
            return error_set(error, ERROR_FAILED,
                             "projection %s: the spikes of one vector could overflow 32 bits "
                             "(%lld counts against codes up to %d)", self->name,
                             (long long)train->magnitude[lane], dense->code_limit);
    }
    if (dense->verify != NULL && !dense->verify(dense->verify_self, error))
        return false;
    dense->verify = NULL;
    return true;
}

/* The band that holds a row; *first is its first row. */
static struct code_band band_of(const struct dense_integer *dense, uint32_t row, uint32_t *first)
{
    uint32_t band = row / BAND_ROWS;
    *first = band * BAND_ROWS;
    return (struct code_band){
        .inputs = dense->inputs,
        .group = dense->group,
        .height = dense->rows - *first < BAND_ROWS ? (uint32_t)(dense->rows - *first) : BAND_ROWS,
        .codes = dense->codes + (size_t)*first * dense->inputs,
        .scales = dense->scales + (size_t)*first * dense->groups,
        .extras = dense->extras,
        .extra_start = dense->extra_start + (size_t)band * dense->segments * STRETCHES,
    };
}

/* The groups of the inputs that share threshold v: from *first on. */
static uint32_t part_groups(const struct dense_integer *dense, const struct train *train,
                            uint32_t v, uint32_t *first)
{
    *first = v * (train->span / dense->group);
    return train->vectors == 1 ? dense->groups
                               : sooner(dense->groups - *first, train->span / dense->group);
}

/* Adds to totals [rows] the sums of part v times its threshold; the first part begins. */
static inline void add_part(double threshold, uint32_t v, const double *sums, uint32_t rows,
                            double *totals)
{
    if (v == 0)
        for (uint32_t row = 0; row < rows; row++)
            totals[row] = threshold * sums[row];
    else
        for (uint32_t row = 0; row < rows; row++)
            totals[row] += threshold * sums[row];
}

/* The totals of rows begin … end-1, to currents. */
static inline void finish(const struct projection *self, uint32_t lane, uint32_t begin,
                          uint32_t end, const double *totals)
{
    const struct dense_integer *dense = self->weights;
    const struct port *port = &self->target->ports[self->port];
    double *current = port->current + (size_t)lane * port->width;
    for (uint32_t row = begin; row < end; row++)
        current[row] += dense->bias != NULL ? totals[row - begin] + dense->bias[row]
                                            : totals[row - begin];
}

/* ---- counts that need more than 16 bits ---- */

/* Adds to totals [PIECE_ROWS] of a piece that begins at row `begin` of a band what the codes of
 * group g exceed 8 bits by, times counts [inputs]. */
static void add_extras(const struct code_band *band, uint32_t g, const int32_t *counts,
                       uint32_t begin, uint32_t *totals)
{
    uint32_t segments = segment_count(band->group), stretch = begin / EXTRA_ROWS;
    for (uint32_t segment = 0; segment < segments; segment++) {
        const uint32_t *start =
            band->extra_start + ((size_t)g * segments + segment) * STRETCHES + stretch;
        const int32_t *own = counts + (size_t)g * band->group + segment * EXTRA_INPUTS;
        for (uint32_t e = start[0]; e < start[1]; e++) {
            uint32_t row = stretch * EXTRA_ROWS + band->extras[e].place % EXTRA_ROWS - begin;
            if (row < PIECE_ROWS)
                totals[row] += (uint32_t)band->extras[e].extra *
                               (uint32_t)own[band->extras[e].place / EXTRA_ROWS];
        }
    }
}

/* The sums of a piece that begins at row `begin` of a band, over some groups. */
static void sum_wide(const struct code_band *band, const int32_t *counts, uint32_t first_group,
                     uint32_t groups, uint32_t begin, double sums[PIECE_ROWS])
{
    for (uint32_t row = 0; row < PIECE_ROWS; row++)
        sums[row] = 0;
    for (uint32_t g = first_group; g < first_group + groups; g++) {
        const float *scales = band->scales + (size_t)g * band->height + begin;
        uint32_t totals[PIECE_ROWS] = {0}, last;
        for (uint32_t input = body_group(band, g, &last); input < last; input++)
            if (counts[input] != 0)
                body_add_input(totals, band, input, counts[input], begin, begin + PIECE_ROWS);
        add_extras(band, g, counts, begin, totals);
        for (uint32_t row = 0; row < PIECE_ROWS; row++)
            sums[row] += (double)scales[row] * (double)(int32_t)totals[row];
    }
}

static void deliver_wide(const struct projection *self, const struct train *train, uint32_t lane,
                         uint32_t begin, uint32_t end)
{
    const struct dense_integer *dense = self->weights;
    const int32_t *counts = train->count + (size_t)lane * dense->inputs;
    for (uint32_t row = begin; row < end; row += PIECE_ROWS) {
        double sums[PIECE_ROWS], totals[PIECE_ROWS];
        uint32_t first_row, first_group, v = 0;
        struct code_band band = band_of(dense, row, &first_row);
        do {
            uint32_t groups = part_groups(dense, train, v, &first_group);
            sum_wide(&band, counts, first_group, groups, row - first_row, sums);
            add_part(train->threshold[(size_t)lane * train->vectors + v], v, sums, PIECE_ROWS,
                     totals);
        } while (++v < train->vectors);
        finish(self, lane, row, sooner(row + PIECE_ROWS, end), totals);
    }
}

/* ---- one lane ---- */

/* The next place whose distance from `begin` is a whole number of units, filled up with an input
 * that is there anyway. */
static uint32_t fill_unit(struct firing_list *firing, uint32_t begin, uint32_t end, uint32_t input)
{
    for (; (end - begin) % FIRING_UNIT != 0; end++) {
        firing->inputs[end] = input;
        firing->bytes[end] = 0;
    }
    return end;
}

/* Lists the inputs of a group that fire, from place `at` on; returns where the list ends. */
static uint32_t list_group(struct firing_list *firing, struct firing_group *group, uint32_t first,
                           uint32_t last, uint32_t at)
{
    group->high = at;
    for (uint32_t i = first; i < last; i++) {
        int32_t high = (firing->counts[i] + 128) >> 8;
        firing->inputs[at] = i;
        firing->bytes[at] = (int8_t)high;
        at += high != 0;
    }
    group->low = at = fill_unit(firing, group->high, at, first);
    int32_t sum = 0;
    for (uint32_t i = first; i < last; i++) {
        firing->inputs[at] = i;
        firing->bytes[at] = (int8_t)firing->counts[i];
        at += firing->counts[i] != 0;
        sum += firing->counts[i];
    }
    group->sum = sum;
    group->firing = at - group->low;
    return group->end = fill_unit(firing, group->low, at, first);
}

/* Whether two bytes hold all counts [inputs]. */
static bool fit_bytes(const int16_t *counts, uint32_t inputs)
{
    int16_t largest = 0;
    for (uint32_t i = 0; i < inputs; i++)
        largest = counts[i] > largest ? counts[i] : largest;
    return largest <= INT8_MAX * 256 + INT8_MAX;
}

static void list_firing(struct firing_list *firing, const struct dense_integer *dense)
{
    uint32_t at = 0;
    for (uint32_t g = 0; g < dense->groups; g++) {
        uint32_t first = g * dense->group, left = dense->inputs - first;
        at = list_group(firing, &firing->groups[g], first, first + sooner(left, dense->group), at);
    }
    for (uint32_t k = 0; k < FIRING_UNIT; k++)
        firing->inputs[at + k] = 0;
}

static void deliver_lane(const struct projection *self, const struct train *train, uint32_t lane,
                         const struct kernels *kernels, uint32_t begin, uint32_t end)
{
    const struct dense_integer *dense = self->weights;
    const int16_t *counts = train->narrow + (size_t)lane * dense->inputs;
    if (!fit_bytes(counts, dense->inputs)) {
        deliver_wide(self, train, lane, begin, end);
        return;
    }
    size_t room = firing_room(dense->inputs, dense->group);
    uint32_t inputs[room];
    int8_t bytes[room];
    struct firing_group groups[dense->groups];
    struct firing_list firing = {counts, inputs, bytes, groups};
    list_firing(&firing, dense);
    for (uint32_t row = begin, next; row < end; row = next) {
        double sums[BAND_ROWS], totals[BAND_ROWS];
        uint32_t first_row, first_group, v = 0;
        struct code_band band = band_of(dense, row, &first_row);
        next = sooner(first_row + band.height, end);
        uint32_t rows = whole_pieces(next - row);
        do {
            uint32_t count = part_groups(dense, train, v, &first_group);
            kernels->integrate(&band, &firing, first_group, count, row - first_row,
                               row - first_row + rows, sums);
            add_part(train->threshold[(size_t)lane * train->vectors + v], v, sums, rows, totals);
        } while (++v < train->vectors);
        finish(self, lane, row, next, totals);
    }
}

/* ---- many lanes ---- */

typedef double lane_sums[ROWS_TOGETHER][LANES_TOGETHER];

static void add_part_lanes(const struct train *train, uint32_t first_lane, uint32_t lanes,
                           uint32_t v, uint32_t rows, lane_sums sums, lane_sums totals)
{
    double threshold[LANES_TOGETHER];
    for (uint32_t lane = 0; lane < lanes; lane++)
        threshold[lane] = train->threshold[(size_t)(first_lane + lane) * train->vectors + v];
    for (uint32_t row = 0; row < rows; row++)
        for (uint32_t lane = 0; lane < lanes; lane++) {
            double part = threshold[lane] * sums[row][lane];
            totals[row][lane] = v == 0 ? part : totals[row][lane] + part;
        }
}

/* Rows begin … end-1, at most ROWS_TOGETHER in one band. */
static void deliver_lanes(const struct projection *self, const struct train *train,
                          uint32_t first_lane, uint32_t lanes, const struct kernels *kernels,
                          uint32_t begin, uint32_t end)
{
    const struct dense_integer *dense = self->weights;
    const struct port *port = &self->target->ports[self->port];
    _Alignas(64) lane_sums sums, totals;
    uint32_t first_row, first_group, rows = whole_pieces(end - begin);
    struct code_band band = band_of(dense, begin, &first_row);
    struct count_block counts = {lanes, dense->inputs,
                                 train->narrow + (size_t)first_lane * dense->inputs};
    for (uint32_t v = 0; v < train->vectors; v++) {
        uint32_t count = part_groups(dense, train, v, &first_group);
        kernels->integrate_lanes(&band, &counts, first_group, count, begin - first_row,
                                 begin - first_row + rows, sums[0]);
        add_part_lanes(train, first_lane, lanes, v, rows, sums, totals);
    }
    for (uint32_t lane = 0; lane < lanes; lane++) {
        double *current = port->current + (size_t)(first_lane + lane) * port->width;
        for (uint32_t row = begin; row < end; row++) {
            double total = totals[row - begin][lane];
            current[row] += dense->bias != NULL ? total + dense->bias[row] : total;
        }
    }
}

static void deliver_merged(const struct projection *self, const struct train *train,
                           const struct kernels *kernels, uint32_t begin, uint32_t end)
{
    if (train->lanes <= FEW_LANES) {
        for (uint32_t lane = 0; lane < train->lanes; lane++)
            deliver_lane(self, train, lane, kernels, begin, end);
        return;
    }
    /* A slice may begin anywhere in a band; pieces of ROWS_TOGETHER must not cross into the next. */
    for (uint32_t row = begin, next; row < end; row = next) {
        next = sooner(sooner(row + ROWS_TOGETHER, end), (row / BAND_ROWS + 1) * BAND_ROWS);
        for (uint32_t lane = 0; lane < train->lanes; lane += LANES_TOGETHER)
            deliver_lanes(self, train, lane, sooner(train->lanes - lane, LANES_TOGETHER), kernels,
                          row, next);
    }
}

/* ---- plainly ---- */

/* Sums [groups][rows] of rows begin … end-1, an own array of a lane: where a group's begin. */
static uint32_t *group_sums(const struct dense_integer *dense, uint32_t *sums, uint32_t g,
                            uint32_t row)
{
    return sums + (size_t)g * dense->rows + row;
}

/* Adds count times the 8 bits held of the codes of an input. */
static void add_input(const struct dense_integer *dense, uint32_t *sums, uint32_t input,
                      int32_t count, uint32_t begin, uint32_t end)
{
    for (uint32_t row = begin, next; row < end; row = next) {
        uint32_t first;
        struct code_band band = band_of(dense, row, &first);
        next = sooner(first + band.height, end);
        body_add_input(group_sums(dense, sums, input / dense->group, row), &band, input, count,
                       row - first, row - first + whole_pieces(next - row));
    }
}

/* Adds what all codes exceed that by, times counts [inputs]. */
static void add_all_extras(const struct dense_integer *dense, uint32_t *sums,
                           const int32_t *counts, uint32_t begin, uint32_t end)
{
    for (uint32_t row = begin; row < end; row += PIECE_ROWS) {
        uint32_t first;
        struct code_band band = band_of(dense, row, &first);
        for (uint32_t g = 0; g < dense->groups; g++)
            add_extras(&band, g, counts, row - first, group_sums(dense, sums, g, row));
    }
}

/* Scales the finished sums of a lane, and hands them to the target. */
static void finish_sums(const struct projection *self, const struct train *train, uint32_t lane,
                        uint32_t begin, uint32_t end, uint32_t *sums)
{
    const struct dense_integer *dense = self->weights;
    for (uint32_t row = begin; row < end; row++) {
        uint32_t first_row, first_group;
        struct code_band band = band_of(dense, row, &first_row);
        double total = 0;
        for (uint32_t v = 0; v < train->vectors; v++) {
            uint32_t count = part_groups(dense, train, v, &first_group);
            double sum = 0;
            for (uint32_t g = first_group; g < first_group + count; g++)
                sum += (double)band.scales[(size_t)g * band.height + (row - first_row)] *
                       (double)(int32_t)*group_sums(dense, sums, g, row);
            double part = train->threshold[(size_t)lane * train->vectors + v] * sum;
            total = v == 0 ? part : total + part;
        }
        finish(self, lane, row, row + 1, &total);
    }
}

static void clear_sums(const struct dense_integer *dense, uint32_t *sums, uint32_t begin,
                       uint32_t end)
{
    for (uint32_t g = 0; g < dense->groups; g++)
        memset(group_sums(dense, sums, g, begin), 0, whole_pieces(end - begin) * sizeof *sums);
}

/* Event by event: every spike adds its payload times the codes it reaches. */
static void deliver_volley(const struct projection *self, const struct delivery *delivery,
                           uint32_t begin, uint32_t end)
{
    const struct dense_integer *dense = self->weights;
    int32_t counts[dense->inputs];
    for (uint32_t lane = 0; lane < delivery->lanes; lane++) {
        uint32_t *sums = dense->accumulator + (size_t)lane * dense->groups * dense->rows;
        int32_t zero = delivery->last ? delivery->origin->frame[lane].zero : 0;
        if (delivery->first)
            clear_sums(dense, sums, begin, end);
        for (uint32_t i = 0; i < dense->inputs; i++)
            counts[i] = zero; /* what all counts were shifted by */
        for (uint32_t i = delivery->lane_start[lane]; i < delivery->lane_start[lane + 1]; i++) {
            add_input(dense, sums, delivery->spikes[i].neuron, delivery->spikes[i].payload, begin,
                      end);
            counts[delivery->spikes[i].neuron] += delivery->spikes[i].payload;
        }
        for (uint32_t i = 0; zero != 0 && i < dense->inputs; i++)
            add_input(dense, sums, i, zero, begin, end);
        add_all_extras(dense, sums, counts, begin, end);
        if (delivery->last)
            finish_sums(self, delivery->origin, lane, begin, end, sums);
    }
}

static void deliver(const struct projection *self, const struct delivery *delivery,
                    const struct kernels *kernels, uint32_t begin, uint32_t end)
{
    if (delivery->train == NULL)
        deliver_volley(self, delivery, begin, end);
    else if (delivery->train->fits)
        deliver_merged(self, delivery->train, kernels, begin, end);
    else
        for (uint32_t lane = 0; lane < delivery->train->lanes; lane++)
            deliver_wide(self, delivery->train, lane, begin, end);
}

const struct projection_kind projection_dense_integer = {
    .name = "dense integer",
    .prepare = prepare,
    .deliver = deliver,
    .check = check,
    .free = dense_integer_free,
};
