/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Dense integer weights from floating-point ones to what they deliver: codes, scales, extras and
 * fan-out against the definition, written out here plainly, over more than one band; every version
 * of the kernels, many lanes and few, slices of rows as threads take them, parts with thresholds of
 * their own, counts beyond bytes and beyond 16 bits; and arrays that somebody else made.
 */
#include "neurons/delivery/dense_integer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { OUTPUTS = BAND_ROWS + 200, INPUTS = 300, SCALE_GROUP = 96, SCALE_GROUPS = 4, LANES = 130 };

static uint64_t random_state = UINT64_C(0x853c49e6748fea9b);

static uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

/* What the weights are made from. */
struct source {
    float weights[OUTPUTS][INPUTS], scales[OUTPUTS][SCALE_GROUPS];
    double bias[OUTPUTS];
};

static struct source *source_new(void)
{
    struct source *source = malloc(sizeof *source);
    assert_non_null(source);
    for (uint32_t o = 0; o < OUTPUTS; o++) {
        source->bias[o] = (double)(int64_t)random_bits() * 0x1p-66;
        for (uint32_t g = 0; g < SCALE_GROUPS; g++)
            source->scales[o][g] = 0.001f + (float)(random_bits() % 1000) * 1e-6f;
        for (uint32_t i = 0; i < INPUTS; i++) {
            int32_t code = (int32_t)(random_bits() % 256) - 128;
            if (random_bits() % 50 == 0)
                code = (int32_t)(random_bits() % 4000) - 2000;
            if (random_bits() % 7 == 0)
                code = 0;
            double part = (double)(random_bits() % 80) / 100 - 0.4;
            source->weights[o][i] =
                (float)((code + part) * (double)source->scales[o][i / SCALE_GROUP]);
        }
    }
    return source;
}

static int32_t code_of(const struct source *source, uint32_t o, uint32_t i)
{
    return (int32_t)nearbyint((double)source->weights[o][i] /
                              (double)source->scales[o][i / SCALE_GROUP]);
}

struct fill_job {
    const struct source *source;
    struct dense_integer *dense;
    bool failed;
};

static void fill_part(void *argument, uint32_t part, uint32_t parts)
{
    struct fill_job *job = argument;
    struct error error = {0};
    uint32_t first, last;
    workers_slice((OUTPUTS + PIECE_ROWS - 1) / PIECE_ROWS, part, parts, &first, &last);
    for (uint32_t piece = first; piece < last; piece++) {
        uint32_t row = piece * PIECE_ROWS;
        uint32_t rows = OUTPUTS - row < PIECE_ROWS ? OUTPUTS - row : PIECE_ROWS;
        if (!dense_integer_fill(job->dense, row, rows, job->source->weights[row],
                                job->source->scales[row], "made", &error))
            job->failed = true;
    }
}

static struct dense_integer *dense_new(const struct source *source, uint32_t span)
{
    struct error error = {0};
    struct workers *workers = workers_new(3, &error);
    struct fill_job job = {source,
                           dense_integer_new_apart(OUTPUTS, INPUTS, SCALE_GROUP, span, &error),
                           false};
    assert_non_null(job.dense);
    workers_run(workers, fill_part, &job, 3);
    assert_false(job.failed);
    assert_true(dense_integer_settle(job.dense, workers, &error));
    assert_true(dense_integer_set_bias(job.dense, source->bias, &error));
    workers_free(workers);
    return job.dense;
}

static void test_counts_of_codes(void **state)
{
    (void)state;
    struct source *source = source_new();
    struct dense_integer *dense = dense_new(source, SCALE_GROUP);
    uint64_t synapses = 0, extras = 0;
    int32_t limit = 0;
    for (uint32_t i = 0; i < INPUTS; i++) {
        uint32_t reached = 0;
        for (uint32_t o = 0; o < OUTPUTS; o++) {
            int32_t code = code_of(source, o, i);
            reached += code != 0;
            extras += code < -128 || code > 127;
            limit = abs(code) > limit ? abs(code) : limit;
        }
        assert_int_equal(dense->fan_out[i], reached);
        synapses += reached;
    }
    assert_int_equal(dense->synapses, synapses);
    assert_int_equal(dense->code_limit, limit);
    assert_int_equal(dense_integer_extras(dense), extras);
    dense_integer_free(dense);
    free(source);
}

/* ---- delivering ---- */

/* The definition: sums of a group in 64 bits, scaled and added group by group, then part by part.
 * `group` divides both what shares a scale and what shares a threshold. */
static double expected(const struct source *source, const struct train *train, uint32_t group,
                       uint32_t lane, uint32_t o)
{
    volatile double total = 0; /* volatile: nothing fused, nothing moved */
    for (uint32_t v = 0; v < train->vectors; v++) {
        uint32_t begin = v * train->span;
        uint32_t end = begin + train->span < INPUTS ? begin + train->span : INPUTS;
        volatile double sum = 0;
        for (uint32_t first = begin; first < end; first += group) {
            int64_t whole = 0;
            for (uint32_t i = first; i < first + group && i < end; i++)
                whole += (int64_t)code_of(source, o, i) * train->count[lane * INPUTS + i];
            volatile double product =
                (double)source->scales[o][first / SCALE_GROUP] * (double)whole;
            sum = sum + product;
        }
        volatile double part = train->threshold[lane * train->vectors + v] * sum;
        total = v == 0 ? part : total + part;
    }
    return 0.25 + (total + source->bias[o]);
}

/* Counts of a lane: mostly small, some beyond a byte, and up to `limit`. */
static void fire(struct train *train, uint32_t lanes, int32_t limit)
{
    for (uint32_t lane = 0; lane < lanes; lane++) {
        train->magnitude[lane] = 0;
        for (uint32_t i = 0; i < INPUTS; i++) {
            int32_t count = (int32_t)(random_bits() % 15) - 7;
            if (random_bits() % 40 == 0)
                count = (int32_t)(random_bits() % (uint32_t)(2 * limit + 1)) - limit;
            if (random_bits() % 5 == 0 || (lane == 1 && i / 100 == 1))
                count = 0;
            train->count[lane * INPUTS + i] = count;
            train->narrow[lane * INPUTS + i] = (int16_t)count;
            train->magnitude[lane] += labs(count);
        }
        train->frame[lane] =
            coding_frame(train->coding, train->count + (size_t)lane * INPUTS, INPUTS);
        for (uint32_t v = 0; v < train->vectors; v++)
            train->threshold[lane * train->vectors + v] = 0.01 + (double)(random_bits() % 99) * 1e-4;
    }
    train_seal(train, lanes);
    train->fits = limit <= INT16_MAX;
}

struct stage {
    struct population from, to;
    struct port port;
    struct projection projection;
};

static void stage_fill(struct stage *stage, struct dense_integer *dense, uint32_t vectors_span)
{
    struct error error = {0};
    memset(stage, 0, sizeof *stage);
    stage->from = (struct population){.name = "from", .neurons = INPUTS};
    stage->from.train = train_new(coding_find("bitwise", &error), INPUTS, 1, LANES);
    assert_non_null(stage->from.train);
    assert_true(train_divide(stage->from.train, vectors_span));
    stage->port = (struct port){.name = "y", .width = OUTPUTS};
    stage->port.current = calloc((size_t)LANES * OUTPUTS, sizeof(double));
    assert_non_null(stage->port.current);
    stage->to = (struct population){.name = "to", .ports = &stage->port, .port_count = 1};
    stage->projection = (struct projection){.name = "made", .kind = &projection_dense_integer,
                                            .source = &stage->from, .target = &stage->to,
                                            .weights = dense};
}

static void stage_empty(struct stage *stage)
{
    train_free(stage->from.train);
    free(stage->port.current);
}

/* Delivers in slices that begin and end within bands, and compares every bit. */
static void check_delivery(const struct source *source, struct stage *stage,
                           const struct kernels *kernels, uint32_t lanes, uint32_t slices)
{
    const struct dense_integer *dense = stage->projection.weights;
    const struct train *train = stage->from.train;
    struct delivery delivery = {.train = train, .first = true, .last = true, .lanes = lanes};
    struct error error = {0};
    for (size_t i = 0; i < (size_t)lanes * OUTPUTS; i++)
        stage->port.current[i] = 0.25;
    assert_true(projection_dense_integer.check(&stage->projection, &delivery, &error));
    for (uint32_t s = 0; s < slices; s++) {
        uint32_t begin, end;
        workers_slice((OUTPUTS + PIECE_ROWS - 1) / PIECE_ROWS, s, slices, &begin, &end);
        end = end * PIECE_ROWS < OUTPUTS ? end * PIECE_ROWS : OUTPUTS;
        projection_dense_integer.deliver(&stage->projection, &delivery, kernels,
                                         begin * PIECE_ROWS, end);
    }
    uint32_t step = lanes > 3 ? 37 : 1; /* the definition is slow */
    for (uint32_t lane = 0; lane < lanes; lane++)
        for (uint32_t o = lane % step; o < OUTPUTS; o += step) {
            double value = expected(source, train, dense->group, lane, o);
            assert_memory_equal(&stage->port.current[(size_t)lane * OUTPUTS + o], &value,
                                sizeof value);
        }
}

static void check_spans(uint32_t span)
{
    struct source *source = source_new();
    struct dense_integer *dense = dense_new(source, span);
    struct stage stage;
    size_t length;
    const struct kernels *const *kernels = kernels_available(&length);
    stage_fill(&stage, dense, span == SCALE_GROUP ? INPUTS : span);
    static const int32_t limits[] = {100, 32639, 32767, 60000};
    for (size_t k = 0; k < length; k++)
        for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
            fire(stage.from.train, 1, limits[l]);
            check_delivery(source, &stage, kernels[k], 1, 1 + (uint32_t)l);
            fire(stage.from.train, 2, limits[l]);
            check_delivery(source, &stage, kernels[k], 2, 5);
            if (l > 0 && k == length - 1)
                continue; /* plain, and slow */
            fire(stage.from.train, LANES, limits[l]);
            check_delivery(source, &stage, kernels[k], LANES, 3);
        }
    stage_empty(&stage);
    dense_integer_free(dense);
    free(source);
}

static void test_one_threshold(void **state)
{
    (void)state;
    check_spans(SCALE_GROUP);
}

static void test_thresholds_of_parts(void **state)
{
    (void)state;
    check_spans(64); /* sums of 32 inputs */
}

/* ---- what is refused ---- */

static void check_refused(float weight, float scale, const char *sentence)
{
    enum { SMALL = 130 };
    float weights[2][SMALL] = {{0}}, scales[2][2] = {{1, 1}, {1, 1}};
    struct error error = {0};
    struct dense_integer *dense = dense_integer_new(2, SMALL, 65, &error);
    weights[1][129] = weight;
    scales[1][1] = scale;
    assert_false(dense_integer_fill(dense, 0, 2, weights[0], scales[0], "w", &error));
    assert_string_equal(error.text, sentence);
    dense_integer_free(dense);
}

static void test_refusals(void **state)
{
    (void)state;
    check_refused(NAN, 1, "w: the weight at row 1, column 129 is not a finite number");
    check_refused(-INFINITY, 1, "w: the weight at row 1, column 129 is not a finite number");
    check_refused(40000, 1, "w: the weight at row 1, column 129 is 4e+04 times its scale; codes "
                            "beyond 32767 are not supported");
    check_refused(0, 0, "w_quantizer.scales: the scale at row 1, group 1 is 0; scales are positive "
                        "numbers");
    check_refused(0, NAN, "w_quantizer.scales: the scale at row 1, group 1 is nan; scales are "
                          "positive numbers");
}

static void test_sizes(void **state)
{
    (void)state;
    struct error error = {0};
    assert_null(dense_integer_new(1, DENSE_INTEGER_INPUTS + 1, 128, &error));
    assert_null(dense_integer_new(1, DENSE_INTEGER_INPUTS, 1, &error)); /* lists for a stack */
    assert_int_equal(error.code, ERROR_FAILED);
    struct dense_integer *dense = dense_integer_new(1, DENSE_INTEGER_INPUTS, 128, &error);
    assert_non_null(dense);
    dense_integer_free(dense);
}

static void test_symmetric_scales(void **state)
{
    (void)state;
    float weights[3] = {-2.54f, 1.27f, 0};
    struct error error = {0};
    struct dense_integer *dense = dense_integer_new(1, 3, 2, &error);
    assert_true(dense_integer_fill(dense, 0, 1, weights, NULL, "w", &error));
    assert_true(dense_integer_settle(dense, NULL, &error));
    assert_true(dense->scales[0] == 2.54f / 127);
    assert_true(dense->scales[PIECE_ROWS] == 1); /* a group of zeros */
    assert_int_equal(dense->codes[0] - CODE_BIAS, -127);
    assert_int_equal(dense->codes[PIECE_ROWS] - CODE_BIAS, 64); /* 63.5, to even */
    assert_int_equal(dense->codes[2 * PIECE_ROWS] - CODE_BIAS, 0);
    dense_integer_free(dense);
}

/* ---- arrays of somebody else ---- */

static void check_not_adopted(const struct dense_integer *arrays, uint64_t extras)
{
    struct error error = {0};
    assert_null(dense_integer_adopt(arrays, extras, "file", &error));
    assert_int_equal(error.code, ERROR_FAILED);
    assert_memory_equal(error.text, "file: ", 6);
}

static void test_adopt(void **state)
{
    (void)state;
    struct source *source = source_new();
    struct dense_integer *dense = dense_new(source, SCALE_GROUP);
    struct stage stage;
    struct error error = {0};
    uint32_t *start = dense->extra_start;
    uint64_t extras = dense_integer_extras(dense);
    struct dense_integer *adopted = dense_integer_adopt(dense, extras, "file", &error);
    assert_non_null(adopted);
    assert_true(dense_integer_set_bias(adopted, source->bias, &error));
    stage_fill(&stage, adopted, INPUTS);
    fire(stage.from.train, 1, 100);
    check_delivery(source, &stage, kernels_find("auto", NULL), 1, 2);
    stage_empty(&stage);
    dense_integer_free(adopted);

    check_not_adopted(dense, extras + 1);
    start[7] += 3000000000u; /* beyond the array, and back */
    check_not_adopted(dense, extras);
    start[7] -= 3000000000u;
    struct extra *last = &dense->extras[extras - 1];
    uint16_t place = last->place;
    last->place = (uint16_t)(place / EXTRA_ROWS * EXTRA_ROWS + 200); /* the band has 200 rows */
    check_not_adopted(dense, extras);
    last->place = 12 * EXTRA_ROWS; /* and the last group 12 inputs */
    check_not_adopted(dense, extras);
    last->place = place;
    struct dense_integer odd = *dense;
    odd.group = 0;
    check_not_adopted(&odd, extras);
    odd = *dense;
    odd.code_limit = -1;
    check_not_adopted(&odd, extras);
    dense_integer_free(dense);
    free(source);
}

/* Memory that is not what it should be stops every delivery; once it is found good, it is not
 * asked about again. */
static bool find_damage(void *self, struct error *error)
{
    ++*(int *)self;
    return *(int *)self > 2 || error_set(error, ERROR_FAILED, "file: damaged");
}

static void test_verify(void **state)
{
    (void)state;
    struct source *source = source_new();
    struct dense_integer *dense = dense_new(source, SCALE_GROUP);
    struct stage stage;
    struct error error = {0};
    int asked = 0;
    dense->verify = find_damage;
    dense->verify_self = &asked;
    stage_fill(&stage, dense, INPUTS);
    fire(stage.from.train, 1, 100);
    struct delivery delivery = {.train = stage.from.train, .lanes = 1};
    for (int i = 0; i < 2; i++) {
        assert_false(projection_dense_integer.check(&stage.projection, &delivery, &error));
        assert_string_equal(error.text, "file: damaged");
    }
    for (int i = 0; i < 2; i++)
        assert_true(projection_dense_integer.check(&stage.projection, &delivery, &error));
    assert_int_equal(asked, 3);
    stage_empty(&stage);
    dense_integer_free(dense);
    free(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_of_codes),
        cmocka_unit_test(test_one_threshold),
        cmocka_unit_test(test_thresholds_of_parts),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_symmetric_scales),
        cmocka_unit_test(test_adopt),
        cmocka_unit_test(test_verify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
