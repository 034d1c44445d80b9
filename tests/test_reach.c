/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where source neurons lead, against a plain matrix of how many synapses join each pair. The matrix
 * is made from the lists that a sparse projection was made of, or by laying a kernel over every
 * output of a convolution; its bytes are made here by what reach.c's first comment says, at every
 * grain, and the first grain within the limit must be the one chosen.
 */
#include "traces/energy/reach.h"

#include "neurons/delivery/convolution.h"
#include "neurons/delivery/dense.h"
#include "neurons/delivery/diagonal.h"
#include "neurons/delivery/one_to_one.h"
#include "neurons/delivery/sparse.h"
#include "tests/delivery_rig.h"

#include <time.h>

/* ---- the plain way ---- */

struct matrix {
    uint32_t sources, targets;
    uint32_t *synapses; /* [sources][targets] */
};

static struct matrix new_matrix(uint32_t sources, uint32_t targets)
{
    return (struct matrix){sources, targets,
                           calloc((size_t)sources * targets + 1, sizeof(uint32_t))};
}

static uint32_t *pair_at(const struct matrix *matrix, uint32_t source, uint32_t target)
{
    return &matrix->synapses[(size_t)source * matrix->targets + target];
}

/* Synapses from one source to the targets of a group. */
static uint32_t group_synapses(const struct matrix *matrix, uint32_t source, uint32_t grain,
                               uint32_t group)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < grain && group * (uint64_t)grain + i < matrix->targets; i++)
        sum += *pair_at(matrix, source, group * grain + i);
    return sum;
}

static uint32_t groups_of(const struct matrix *matrix, uint32_t grain)
{
    return matrix->targets / grain + (matrix->targets % grain != 0);
}

struct bytes {
    unsigned char *data;
    size_t length;
};

static void append(struct bytes *bytes, uint64_t number)
{
    do {
        bytes->data[bytes->length++] = (unsigned char)(number % 128 + (number >= 128 ? 128 : 0));
        number /= 128;
    } while (number > 0);
}

static struct bytes encode_plainly(const struct matrix *matrix, uint32_t grain)
{
    uint32_t groups = groups_of(matrix, grain);
    size_t entries = (size_t)matrix->sources * groups;
    uint32_t *synapses = malloc((entries + 1) * sizeof *synapses);
    bool counted = false;
    for (size_t e = 0; e < entries; e++) {
        synapses[e] = group_synapses(matrix, (uint32_t)(e / groups), grain, (uint32_t)(e % groups));
        counted |= synapses[e] > 1;
    }
    struct bytes bytes = {malloc(1 + matrix->sources * (size_t)5 + entries * 10), 0};
    bytes.data[bytes.length++] = counted;
    for (uint32_t s = 0; s < matrix->sources; s++) {
        const uint32_t *row = synapses + (size_t)s * groups;
        uint32_t reached = 0, last = 0;
        for (uint32_t g = 0; g < groups; g++)
            reached += row[g] > 0;
        append(&bytes, reached);
        for (uint32_t g = 0; g < groups; g++) {
            if (row[g] == 0)
                continue;
            append(&bytes, g - last);
            if (counted)
                append(&bytes, row[g]);
            last = g;
        }
    }
    free(synapses);
    return bytes;
}

/* ---- comparing ---- */

/* The rows are those of the matrix. */
static void assert_rows(const struct reach *reach, const struct matrix *matrix)
{
    uint32_t most = 0;
    struct reach_entry *entries = malloc((reach->most + 1) * sizeof *entries);
    assert_int_equal(reach->sources, matrix->sources);
    assert_int_equal(reach->targets, matrix->targets);
    assert_int_equal(reach_groups(reach), groups_of(matrix, reach->grain));
    for (uint32_t s = 0; s < matrix->sources; s++) {
        uint32_t length = reach_row(reach, s, entries), next = 0;
        for (uint32_t g = 0; g < groups_of(matrix, reach->grain); g++) {
            uint32_t synapses = group_synapses(matrix, s, reach->grain, g);
            if (synapses == 0)
                continue;
            assert_true(next < length);
            assert_int_equal(entries[next].group, g);
            assert_int_equal(entries[next].synapses, synapses);
            next++;
        }
        assert_int_equal(next, length);
        most = length > most ? length : most;
    }
    assert_int_equal(reach->most, most);
    free(entries);
}

/* What the kind itself says, and that it writes no further than it may. */
static void assert_targets(const struct projection *projection, const struct matrix *matrix)
{
    for (uint32_t s = 0; s < matrix->sources; s++) {
        uint32_t fan_out = projection->fan_out[s], next = 0;
        uint32_t *targets = malloc((fan_out + (size_t)1) * sizeof *targets);
        targets[fan_out] = 0xabcdef01;
        assert_int_equal(projection->kind->reach(projection, s, targets), fan_out);
        assert_int_equal(targets[fan_out], 0xabcdef01);
        for (uint32_t t = 0; t < matrix->targets; t++)
            for (uint32_t i = 0; i < *pair_at(matrix, s, t); i++, next++)
                if (next >= fan_out || targets[next] != t)
                    fail_msg("source %u, synapse %u does not lead to target %u", s, next, t);
        assert_int_equal(next, fan_out);
        free(targets);
    }
}

/* `encoded` [grains], from 1 on. Returns the grain. */
static uint32_t compare_within(const struct projection *projection, const struct matrix *matrix,
                               const struct bytes *encoded, size_t limit)
{
    struct error error = {0};
    size_t granted = 1 + (size_t)8 * matrix->sources;
    uint32_t grain = 1;
    for (; encoded->length > (limit > granted ? limit : granted); encoded++)
        grain *= 2;
    struct reach *reach = reach_of(projection, limit, &error);
    if (reach == NULL)
        fail_msg("%s", error.text);
    assert_int_equal(reach->grain, grain);
    assert_int_equal(reach->length, encoded->length);
    assert_memory_equal(reach->data, encoded->data, encoded->length);
    assert_rows(reach, matrix);
    struct reach *copy = reach_read(reach->data, reach->length, reach->sources, reach->targets,
                                    reach->grain, &error);
    if (copy == NULL)
        fail_msg("%s", error.text);
    assert_memory_equal(copy->row, reach->row, (reach->sources + (size_t)1) * sizeof *reach->row);
    assert_rows(copy, matrix);
    reach_free(copy);
    reach_free(reach);
    return grain;
}

/* At every limit that just holds a grain, and one byte below. Returns the grains seen, as a sum. */
static uint64_t compare_grains(const struct projection *projection, const struct matrix *matrix)
{
    struct bytes encoded[32];
    uint32_t grains = 0;
    uint64_t seen = 0;
    assert_targets(projection, matrix);
    do
        encoded[grains] = encode_plainly(matrix, UINT32_C(1) << grains);
    while (UINT32_C(1) << grains++ < matrix->targets);
    for (uint32_t g = 0; g < grains; g++) {
        seen |= compare_within(projection, matrix, encoded, encoded[g].length);
        seen |= compare_within(projection, matrix, encoded, encoded[g].length - 1);
    }
    for (uint32_t g = 0; g < grains; g++)
        free(encoded[g].data);
    return seen;
}

/* ---- kinds ---- */

enum { SOURCES = 23 };

struct lists {
    uint64_t length;
    uint32_t *source, *target;
    double *weight;
};

/* `apart`: no pair twice. The last source reaches nothing, some weights are zero. */
static struct lists draw_lists(struct matrix *matrix, uint64_t length, bool apart, bool zeros)
{
    struct lists lists = {0, malloc(length * sizeof(uint32_t)), malloc(length * sizeof(uint32_t)),
                          malloc(length * sizeof(double))};
    for (uint64_t k = 0; k < length; k++) {
        uint32_t source = random_below(matrix->sources - 1);
        uint32_t target = random_below(matrix->targets);
        bool zero = zeros && random_below(5) == 0;
        if (apart && *pair_at(matrix, source, target) > 0)
            continue;
        lists.source[lists.length] = source;
        lists.target[lists.length] = target;
        lists.weight[lists.length++] = !zero ? 1 + random_below(100) : random_below(2) ? 0. : -0.;
        *pair_at(matrix, source, target) += !zero;
    }
    return lists;
}

static uint64_t compare_sparse(uint32_t targets, uint64_t length, enum weight_format format,
                               bool apart)
{
    struct error error = {0};
    struct matrix matrix = new_matrix(SOURCES, targets);
    struct lists lists = draw_lists(&matrix, length, apart, format != WEIGHT_SAME);
    struct sparse *sparse = sparse_from_lists(
        SOURCES, targets, lists.length, lists.source, lists.target,
        format == WEIGHT_SAME ? NULL : lists.weight, 0.5, format, 1, NULL, &error);
    if (sparse == NULL)
        fail_msg("%s", error.text);
    struct rig rig;
    rig_fill(&rig, &projection_sparse, sparse, SOURCES, targets, (struct rig_port){.slots = 1});
    sparse_describe(&rig.projection);
    uint64_t seen = compare_grains(&rig.projection, &matrix);
    rig_free(&rig);
    free(lists.source);
    free(lists.target);
    free(lists.weight);
    free(matrix.synapses);
    return seen;
}

static void sparse_rows_equal_the_pairs(void **state)
{
    (void)state;
    uint64_t seen = 0;
    for (int format = WEIGHT_SAME; format <= WEIGHT_INT16; format++) {
        for (int apart = 0; apart < 2; apart++) {
            seen |= compare_sparse(700, 5000, (enum weight_format)format, apart);
            seen |= compare_sparse(50, 5000, (enum weight_format)format, apart);
            seen |= compare_sparse(9000, 2000, (enum weight_format)format, apart);
        }
        compare_sparse(70000, 3000, (enum weight_format)format, format % 2 == 0);
    }
    assert_int_equal(seen & 127, 127); /* every grain from 1 to 64 */
}

static void sparse_rows_of_zeros_lead_nowhere(void **state)
{
    (void)state;
    struct error error = {0};
    static const uint32_t source[] = {0, 0, 1, 2}, target[] = {1, 4, 4, 0};
    struct matrix matrix = new_matrix(3, 5);
    struct rig rig;
    rig_fill(&rig, &projection_sparse,
             sparse_from_lists(3, 5, 4, source, target, NULL, 0, WEIGHT_SAME, 1, NULL, &error), 3,
             5, (struct rig_port){.slots = 1});
    sparse_describe(&rig.projection);
    compare_grains(&rig.projection, &matrix);
    rig_free(&rig);
    free(matrix.synapses);
}

static float kernel_at(const struct convolution_shape *shape, const float *weights, uint32_t out,
                       uint32_t in, uint32_t y, uint32_t x)
{
    uint32_t ins = shape->in_channels / shape->groups;
    return weights[((out * ins + in % ins) * shape->kernel_height + y) * shape->kernel_width + x];
}

/* The kernel laid over one output: what of the input it covers. */
static void mark_output(const struct convolution_shape *shape, const float *weights, uint32_t out,
                        uint32_t y, uint32_t x, struct matrix *matrix)
{
    uint32_t ins = shape->in_channels / shape->groups, outs = shape->out_channels / shape->groups;
    uint32_t target = (out * shape->out_height + y) * shape->out_width + x;
    for (uint32_t in = out / outs * ins; in < (out / outs + 1) * ins; in++)
        for (uint32_t ky = 0; ky < shape->kernel_height; ky++)
            for (uint32_t kx = 0; kx < shape->kernel_width; kx++) {
                int64_t iy = (int64_t)y * shape->stride_y + (int64_t)ky * shape->dilation_y -
                             shape->padding_top;
                int64_t ix = (int64_t)x * shape->stride_x + (int64_t)kx * shape->dilation_x -
                             shape->padding_left;
                if (iy < 0 || iy >= shape->in_height || ix < 0 || ix >= shape->in_width ||
                    kernel_at(shape, weights, out, in, ky, kx) == 0)
                    continue;
                int64_t source = (in * (int64_t)shape->in_height + iy) * shape->in_width + ix;
                ++*pair_at(matrix, (uint32_t)source, target);
            }
}

static struct matrix lay_kernel(const struct convolution_shape *shape, const float *weights)
{
    struct matrix matrix =
        new_matrix(shape->in_channels * shape->in_height * shape->in_width,
                   shape->out_channels * shape->out_height * shape->out_width);
    for (uint32_t out = 0; out < shape->out_channels; out++)
        for (uint32_t y = 0; y < shape->out_height; y++)
            for (uint32_t x = 0; x < shape->out_width; x++)
                mark_output(shape, weights, out, y, x, &matrix);
    return matrix;
}

static struct convolution_shape draw_shape(bool flat, bool pooled)
{
    for (;;) {
        struct error error = {0};
        struct convolution_shape shape = {
            .groups = 1 + random_below(3),
            .in_height = flat ? 1 : 1 + random_below(9), .in_width = 1 + random_below(9),
            .kernel_height = flat ? 1 : 1 + random_below(5), .kernel_width = 1 + random_below(5),
            .stride_y = 1 + random_below(4), .stride_x = 1 + random_below(4),
            .dilation_y = 1 + random_below(4), .dilation_x = 1 + random_below(4),
            .padding_top = flat ? 0 : random_below(5), .padding_bottom = flat ? 0 : random_below(5),
            .padding_left = random_below(5), .padding_right = random_below(5)};
        shape.in_channels = shape.groups * (pooled ? 1 : 1 + random_below(3));
        shape.out_channels = shape.groups * (pooled ? 1 : 1 + random_below(4));
        if (convolution_outputs(&shape, &error))
            return shape;
    }
}

/* `pooled`: every weight is `same`; else they are drawn, every third of them zero. */
static void compare_convolution(const struct convolution_shape *shape, bool pooled, float same)
{
    struct error error = {0};
    size_t length = (size_t)shape->out_channels * (shape->in_channels / shape->groups) *
                    shape->kernel_height * shape->kernel_width;
    float *weights = malloc(length * sizeof *weights);
    for (size_t k = 0; k < length; k++)
        weights[k] = pooled ? same : random_below(3) == 0 ? 0 : (float)random_value();
    struct matrix matrix = lay_kernel(shape, weights);
    void *made = pooled ? pooling_new(shape, same, &error)
                        : convolution_new(shape, weights, &error);
    assert_non_null(made);
    struct rig rig;
    rig_fill(&rig, pooled ? &projection_pooling : &projection_convolution, made, matrix.sources,
             matrix.targets, (struct rig_port){.slots = 1});
    convolution_describe(&rig.projection);
    compare_grains(&rig.projection, &matrix);
    rig_free(&rig);
    free(weights);
    free(matrix.synapses);
}

static void convolutions_equal_the_kernel_laid_over(void **state)
{
    (void)state;
    for (int i = 0; i < 250; i++) {
        struct convolution_shape shape = draw_shape(i % 4 == 0, false);
        compare_convolution(&shape, false, 0);
    }
}

static void poolings_equal_the_kernel_laid_over(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct convolution_shape shape = draw_shape(i % 4 == 0, true);
        compare_convolution(&shape, true, i % 10 == 0 ? 0 : 0.25F);
    }
}

static void diagonals_lead_to_their_own_number(void **state)
{
    (void)state;
    static const double weights[] = {1, 0, -2, -0., 0.5, 1e-300, 7};
    struct error error = {0};
    for (int same = 0; same < 3; same++) { /* 2: weights of their own */
        struct matrix matrix = new_matrix(7, 7);
        for (uint32_t i = 0; i < 7; i++)
            *pair_at(&matrix, i, i) = same == 2 ? weights[i] != 0 : (uint32_t)same;
        struct rig rig;
        rig_fill(&rig, &projection_diagonal,
                 diagonal_new(7, same == 2 ? weights : NULL, same, NULL, &error), 7, 7,
                 (struct rig_port){.slots = 1});
        diagonal_describe(&rig.projection);
        assert_int_equal(compare_grains(&rig.projection, &matrix), 1); /* none is coarser */
        rig_free(&rig);
        free(matrix.synapses);
    }
}

/* ---- rows as told ---- */

/* A kind whose rows are given: a row is told[row[s]] … told[row[s + 1] - 1]. */
struct told {
    const uint32_t *target;
    const uint32_t *row; /* [sources + 1] */
};

static uint32_t reach_told(const struct projection *self, uint32_t source, uint32_t *targets)
{
    const struct told *told = self->weights;
    uint32_t length = told->row[source + 1] - told->row[source];
    for (uint32_t i = 0; i < length; i++)
        targets[i] = told->target[told->row[source] + i];
    return length;
}

static const struct projection_kind projection_told = {.name = "told", .reach = reach_told};

static struct reach *reach_of_told(uint32_t sources, uint32_t targets, const uint32_t *row,
                                   const uint32_t *target, size_t limit)
{
    struct error error = {0};
    struct told told = {target, row};
    uint32_t *fan_out = calloc(sources + 1, sizeof *fan_out);
    for (uint32_t s = 0; s < sources; s++)
        fan_out[s] = row[s + 1] - row[s];
    struct port port = {.width = targets};
    struct population from = {.neurons = sources}, to = {.ports = &port, .port_count = 1};
    struct projection projection = {.name = "arrow", .kind = &projection_told, .source = &from,
                                    .target = &to, .weights = &told, .fan_out = fan_out};
    struct reach *reach = reach_of(&projection, limit, &error);
    if (reach == NULL)
        fail_msg("%s", error.text);
    struct reach *copy = reach_read(reach->data, reach->length, sources, targets, reach->grain,
                                    &error);
    if (copy == NULL)
        fail_msg("%s", error.text);
    reach_free(copy);
    free(fan_out);
    return reach;
}

/* Worked by hand. */
static void the_bytes_are_as_described(void **state)
{
    (void)state;
    static const uint32_t row[] = {0, 3, 3, 5}, target[] = {2, 3, 200, 0, 16584};
    static const unsigned char plain[] = {0, 3, 2, 1, 0xc5, 1, 0, 2, 0, 0xc8, 0x81, 1};
    struct reach *reach = reach_of_told(3, 20000, row, target, SIZE_MAX);
    assert_int_equal(reach->grain, 1);
    assert_int_equal(reach->length, sizeof plain);
    assert_memory_equal(reach->data, plain, sizeof plain);
    reach_free(reach);

    static const uint32_t twice[] = {2, 2, 200, 0, 16584};
    static const unsigned char counted[] = {1, 2, 2, 2, 0xc6, 1, 1, 0, 2, 0, 1, 0xc8, 0x81, 1, 1};
    reach = reach_of_told(3, 20000, row, twice, SIZE_MAX);
    assert_int_equal(reach->grain, 1);
    assert_int_equal(reach->length, sizeof counted);
    assert_memory_equal(reach->data, counted, sizeof counted);
    reach_free(reach);
}

/* A byte a synapse where targets lie less than 128 apart; a source neuron is one more (or two). */
static void near_targets_take_a_byte_each(void **state)
{
    (void)state;
    uint32_t target[127], row[] = {0, 127};
    for (uint32_t i = 0; i < 127; i++)
        target[i] = 127 * i + 100;
    struct reach *reach = reach_of_told(1, 20000, row, target, 1 + 1 + 127);
    assert_int_equal(reach->grain, 1);
    assert_int_equal(reach->length, 1 + 1 + 127);
    reach_free(reach);
    target[126]++;
    reach = reach_of_told(1, 20000, row, target, 1 + 1 + 127);
    assert_int_equal(reach->grain, 2); /* still no two in a group, and less than 128 groups apart */
    assert_int_equal(reach->length, 1 + 1 + 127);
    reach_free(reach);
    for (uint32_t i = 0; i < 126; i++) /* the same with groups side by side */
        target[i] = 2 * i;
    target[126] = 250 + 128;
    reach = reach_of_told(1, 20000, row, target, 1 + 1 + 127);
    assert_int_equal(reach->grain, 2);
    assert_int_equal(reach->length, 1 + 1 + 127);
    reach_free(reach);
}

/* At the limit to a byte, distances just take two bytes and just three. */
static void far_targets_are_not_thought_to_take_more(void **state)
{
    (void)state;
    static const uint32_t row[] = {0, 9};
    for (uint32_t bytes = 2; bytes < 4; bytes++) {
        uint32_t far = (UINT32_C(1) << 7 * bytes) - 1, target[9] = {0};
        for (uint32_t i = 2; i < 9; i++) /* the first stands twice */
            target[i] = target[i - 1] + far;
        size_t length = 1 + 1 + 2 + 7 * (bytes + 1);
        struct reach *reach = reach_of_told(1, UINT32_C(1) << 30, row, target, length);
        assert_int_equal(reach->grain, 1);
        assert_int_equal(reach->length, length);
        reach_free(reach);
    }
}

static void nothing_is_as_short_as_can_be(void **state)
{
    (void)state;
    static const uint32_t row[] = {0, 0, 0};
    struct reach *reach = reach_of_told(0, 5, row, row, 0);
    assert_int_equal(reach->length, 1);
    assert_int_equal(reach->grain, 1);
    reach_free(reach);
    reach = reach_of_told(2, 0, row, row, 0);
    assert_int_equal(reach->length, 3);
    assert_int_equal(reach->grain, 1);
    assert_int_equal(reach->most, 0);
    assert_int_equal(reach_groups(reach), 0);
    assert_int_equal(reach_row(reach, 1, NULL), 0);
    reach_free(reach);
}

/* Up to 2^32 - 1 targets: indices of five bytes at grain 1, of three where two sources have
 * 1 + 2 x 8 bytes. */
static void the_largest_targets_are_reached(void **state)
{
    (void)state;
    uint32_t target[300];
    static const uint32_t row[] = {0, 3, 300};
    struct reach_entry entries[300];
    target[0] = 0;
    target[1] = UINT32_MAX - 2;
    target[2] = UINT32_MAX - 1;
    for (uint32_t i = 3; i < 300; i++) /* 148 at the beginning, 149 at the end */
        target[i] = i < 151 ? i : UINT32_MAX - 400 + i;
    struct reach *reach = reach_of_told(2, UINT32_MAX, row, target, SIZE_MAX);
    assert_int_equal(reach->grain, 1);
    assert_int_equal(reach_groups(reach), UINT32_MAX);
    assert_int_equal(reach_row(reach, 0, entries), 3);
    assert_int_equal(entries[1].group, UINT32_MAX - 2);
    assert_int_equal(entries[2].group, UINT32_MAX - 1);
    reach_free(reach);

    reach = reach_of_told(2, UINT32_MAX, row, target, 0);
    assert_int_equal(reach_groups(reach), 1 << 21);
    assert_int_equal(reach->length, 1 + (1 + 1 + 1 + 3 + 1) + (1 + 1 + 2 + 3 + 2));
    assert_int_equal(reach_row(reach, 1, entries), 2);
    assert_int_equal(entries[0].group, 0);
    assert_int_equal(entries[0].synapses, 148);
    assert_int_equal(entries[1].group, (1 << 21) - 1);
    assert_int_equal(entries[1].synapses, 149);
    reach_free(reach);
}

/* Where not even the coarsest grain of all keeps within the limit, it is taken as it is. */
static void the_coarsest_grain_is_2_to_the_31(void **state)
{
    (void)state;
    enum { HALF = 20000 };
    uint32_t *target = malloc(2 * HALF * sizeof *target);
    static const uint32_t row[] = {0, 2 * HALF};
    struct reach_entry entries[2];
    for (uint32_t i = 0; i < HALF; i++) {
        target[i] = i;
        target[HALF + i] = UINT32_MAX - HALF + i;
    }
    struct reach *reach = reach_of_told(1, UINT32_MAX, row, target, 0);
    assert_int_equal(reach->grain, UINT32_C(1) << 31);
    assert_int_equal(reach->length, 1 + 1 + 2 * (1 + 3));
    assert_int_equal(reach->most, 2);
    assert_int_equal(reach_row(reach, 0, entries), 2);
    assert_int_equal(entries[0].group, 0);
    assert_int_equal(entries[0].synapses, HALF);
    assert_int_equal(entries[1].group, 1);
    assert_int_equal(entries[1].synapses, HALF);
    reach_free(reach);
    free(target);
}

static void kinds_that_lead_everywhere_are_refused(void **state)
{
    (void)state;
    struct error error = {0};
    struct population from = {.neurons = 3};
    struct projection projection = {.name = "arrow", .kind = &projection_dense, .source = &from};
    assert_null(projection_dense.reach);
    assert_null(projection_one_to_one.reach);
    assert_null(reach_of(&projection, SIZE_MAX, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    assert_non_null(strstr(error.text, "projection arrow"));
}

/* ---- hostile bytes ---- */

/* Refused in a sentence, or every row is one that may be: returns which. */
static bool read_is_sound(const unsigned char *data, size_t length, uint32_t sources,
                          uint32_t targets, uint32_t grain)
{
    struct error error = {0};
    struct reach *reach = reach_read(data, length, sources, targets, grain, &error);
    assert_int_equal(reach == NULL, error.code != ERROR_NONE);
    if (reach == NULL)
        return false;
    assert_true(reach->most <= length);
    struct reach_entry *entries = malloc((reach->most + 1) * sizeof *entries);
    for (uint32_t s = 0; s < sources; s++) {
        uint32_t reached = reach_row(reach, s, entries);
        uint64_t sum = 0;
        assert_true(reached <= reach->most);
        for (uint32_t i = 0; i < reached; i++) {
            assert_true(entries[i].group < reach_groups(reach));
            assert_true(i == 0 || entries[i].group > entries[i - 1].group);
            assert_true(entries[i].synapses >= 1);
            sum += entries[i].synapses;
        }
        assert_true(sum <= UINT32_MAX);
    }
    free(entries);
    reach_free(reach);
    return true;
}

static void every_truncation_and_changed_byte_is_noticed_or_harmless(void **state)
{
    (void)state;
    for (int counted = 0; counted < 2; counted++) {
        struct matrix matrix = new_matrix(12, 40000);
        for (int k = 0; k < 150; k++)
            *pair_at(&matrix, random_below(11), random_below(40000)) =
                counted ? 1 + random_below(400) : 1;
        struct bytes bytes = encode_plainly(&matrix, 1);
        assert_int_equal(bytes.data[0], counted);
        assert_true(read_is_sound(bytes.data, bytes.length, 12, 40000, 1));
        assert_false(read_is_sound(bytes.data, bytes.length, 11, 40000, 1));
        assert_false(read_is_sound(bytes.data, bytes.length, 13, 40000, 1));
        for (size_t length = 0; length < bytes.length; length++) {
            unsigned char *cut = malloc(length + 1); /* its own, so that sanitizers see its end */
            memcpy(cut, bytes.data, length);
            assert_false(read_is_sound(cut, length, 12, 40000, 1));
            free(cut);
        }
        for (size_t at = 0; at < bytes.length; at++)
            for (unsigned flip = 1; flip < 256; flip++) {
                bytes.data[at] ^= (unsigned char)flip;
                read_is_sound(bytes.data, bytes.length, 12, 40000, 1);
                bytes.data[at] ^= (unsigned char)flip;
            }
        free(bytes.data);
        free(matrix.synapses);
    }
}

#define READ(sources, targets, grain, ...)                                                         \
    read_is_sound((const unsigned char[]){__VA_ARGS__}, sizeof(const unsigned char[]){__VA_ARGS__},\
                  sources, targets, grain)

static void rows_that_cannot_be_are_refused(void **state)
{
    (void)state;
    assert_true(READ(1, 10, 1, 0, 2, 0, 9));
    assert_false(READ(1, 9, 1, 0, 2, 0, 9)); /* no such target */
    assert_false(READ(1, 10, 1, 0, 2, 1, 0)); /* one twice */
    assert_false(READ(1, 10, 1, 0, 2, 0, 9, 0)); /* one byte more */
    assert_false(READ(1, 10, 1, 2, 2, 0, 9)); /* no such form */
    assert_true(READ(1, 10, 1, 0, 0x82, 0x80, 0, 0x80, 0, 9)); /* longer than needed */
    assert_true(READ(1, 10, 1, 0, 0x81, 0x80, 0x80, 0x80, 0, 9));
    assert_false(READ(1, 10, 1, 0, 0x81, 0x80, 0x80, 0x80, 0x80, 0, 9)); /* six bytes */
    assert_false(READ(1, 10, 1, 0, 0x81, 0x80, 0x80, 0x80, 0x10, 9)); /* 33 bits */
    assert_true(READ(2, 17, 8, 1, 2, 0, 100, 1, 2, 1, 2, 5)); /* groups 0 and 1; group 2 */
    assert_false(READ(2, 16, 8, 1, 2, 0, 100, 1, 2, 1, 2, 5));
    assert_false(READ(1, 10, 1, 1, 1, 3, 0)); /* none there */
    /* 2^32 - 1 synapses, and one more */
    assert_true(READ(1, 10, 1, 1, 2, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f, 1, 1));
    assert_false(READ(1, 10, 1, 1, 2, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 1));
    /* distances that go round 2^32 */
    assert_false(READ(1, 10, 1, 0, 2, 5, 0xff, 0xff, 0xff, 0xff, 0x0f));
}

static void grains_that_cannot_be_are_refused(void **state)
{
    (void)state;
    assert_true(READ(1, 5, 8, 0, 1, 0));
    assert_false(READ(1, 5, 16, 0, 1, 0)); /* more than hold all targets */
    assert_false(READ(1, 8, 16, 0, 1, 0));
    assert_false(READ(1, 5, 0, 0, 1, 0));
    assert_false(READ(1, 5, 3, 0, 1, 0));
    assert_false(READ(1, 5, UINT32_MAX, 0, 1, 0));
    assert_true(READ(1, UINT32_MAX, UINT32_C(1) << 31, 0, 1, 1));
    assert_false(READ(1, UINT32_MAX, UINT32_C(1) << 31, 0, 1, 2));
    assert_true(READ(1, 0, 1, 0, 0));
    assert_false(READ(1, 0, 1, 0, 1, 0));
    assert_false(READ(1, 0, 2, 0, 0));
}

/* The claims alone, without the bytes for them, take neither memory nor time. */
static void huge_claims_are_refused_at_once(void **state)
{
    (void)state;
    static const unsigned char row[] = {0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 1, 1};
    clock_t begin = clock();
    for (int i = 0; i < 1000; i++) {
        assert_false(read_is_sound(row, sizeof row, UINT32_MAX, UINT32_MAX, 1));
        assert_false(read_is_sound(row, sizeof row, 1, UINT32_MAX, 1));
        assert_false(read_is_sound(NULL, 0, UINT32_MAX, 1000, 1));
        assert_false(read_is_sound(NULL, 0, 0, 0, 1));
    }
    assert_true(clock() - begin < CLOCKS_PER_SEC);
    struct error error = {0};
    assert_null(reach_read(row, sizeof row, UINT32_MAX, UINT32_MAX, 1, &error));
    assert_non_null(strstr(error.text, "only 9 bytes")); /* not after a look at the rows */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sparse_rows_equal_the_pairs),
        cmocka_unit_test(sparse_rows_of_zeros_lead_nowhere),
        cmocka_unit_test(convolutions_equal_the_kernel_laid_over),
        cmocka_unit_test(poolings_equal_the_kernel_laid_over),
        cmocka_unit_test(diagonals_lead_to_their_own_number),
        cmocka_unit_test(the_bytes_are_as_described),
        cmocka_unit_test(near_targets_take_a_byte_each),
        cmocka_unit_test(far_targets_are_not_thought_to_take_more),
        cmocka_unit_test(nothing_is_as_short_as_can_be),
        cmocka_unit_test(the_largest_targets_are_reached),
        cmocka_unit_test(the_coarsest_grain_is_2_to_the_31),
        cmocka_unit_test(kinds_that_lead_everywhere_are_refused),
        cmocka_unit_test(every_truncation_and_changed_byte_is_noticed_or_harmless),
        cmocka_unit_test(rows_that_cannot_be_are_refused),
        cmocka_unit_test(grains_that_cannot_be_are_refused),
        cmocka_unit_test(huge_claims_are_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
