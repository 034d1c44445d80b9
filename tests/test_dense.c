/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Dense and diagonal projections against the plain product, event by event in float64, which gives
 * each target's sum the order that landing.h promises: all bits must agree.
 */
#include "neurons/delivery/dense.h"
#include "neurons/delivery/diagonal.h"
#include "tests/delivery_rig.h"

#include <math.h>

enum { FROM = 23, EVENTS = 31, WIDEST = 5000 };

static double weights[WIDEST][FROM]; /* as files hold them; as [targets][FROM] */

static void draw_weights(uint32_t targets, enum weight_format format)
{
    double (*drawn)[FROM] = weights;
    for (uint32_t t = 0; t < targets; t++) {
        for (uint32_t s = 0; s < FROM; s++) {
            switch (format) {
            case WEIGHT_INT8: drawn[t][s] = 0.3 * ((int)random_below(256) - 128); break;
            case WEIGHT_INT16: drawn[t][s] = 0.3 * ((int)random_below(65536) - 32768); break;
            default: drawn[t][s] = (float)random_value(); break;
            }
            if (random_below(5) == 0)
                drawn[t][s] = 0;
        }
    }
}

/* Which vector extensions can be tried here. */
static bool can_run(enum vector_level vector)
{
#if defined(__x86_64__)
    if (vector == VECTOR_AVX512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return vector == VECTOR_PLAIN || __builtin_cpu_supports("avx2");
#else
    return vector == VECTOR_PLAIN;
#endif
}

struct event_list {
    struct spike spikes[EVENTS];
    double values[FROM];
    bool valued;
};

static void draw_events(struct event_list *events, bool valued)
{
    static const int32_t payloads[] = {1, 1, -1, 4, 0, -9};
    events->valued = valued;
    for (uint32_t i = 0; i < EVENTS; i++)
        events->spikes[i] = (struct spike){random_below(FROM), payloads[random_below(6)]};
    for (uint32_t s = 0; s < FROM; s++)
        events->values[s] = s % 4 == 0 ? 0 : random_value();
}

static struct delivery delivery_of(const struct event_list *events, uint32_t length)
{
    struct delivery delivery = {.tick = 3, .lanes = 1};
    if (events->valued) {
        delivery.values = events->values;
    } else {
        delivery.spikes = events->spikes;
        delivery.spike_count = length;
    }
    return delivery;
}

static void compare_dense(uint32_t targets, enum weight_format format, bool valued, bool counts,
                          uint32_t length)
{
    draw_weights(targets, format);
    struct error error = {0};
    struct dense *dense = dense_new(targets, FROM, &weights[0][0], format, 0.3, &error);
    if (dense == NULL)
        fail_msg("%s", error.text);
    struct rig rig;
    rig_fill(&rig, &projection_dense, dense, FROM, targets,
             (struct rig_port){4, counts, true, 0.3, 1});
    rig_prepare(&rig);
    struct event_list events;
    draw_events(&events, valued);
    double *current = calloc(4 * targets, sizeof *current);
    int32_t *count = calloc(4 * targets, sizeof *count);
    uint8_t *touched = calloc(4 * rig.blocks, 1);
    for (uint32_t i = 0; i < (valued ? FROM : length); i++) {
        double factor = valued ? events.values[i] : events.spikes[i].payload;
        uint32_t s = valued ? i : events.spikes[i].neuron;
        if (factor != 0)
            memset(touched + 3 * rig.blocks, 1, rig.blocks);
        for (uint32_t t = 0; factor != 0 && t < targets; t++) {
            current[3 * targets + t] += weights[t][s] * factor;
            count[3 * targets + t] += (int32_t)(round(weights[t][s] / 0.3) * factor);
        }
    }
    struct delivery delivery = delivery_of(&events, length);
    for (int vector = VECTOR_PLAIN; vector < VECTOR_LEVELS; vector++) {
        for (uint32_t parts = 1; parts < 4 && can_run((enum vector_level)vector); parts++) {
            rig.kernels.vector = (enum vector_level)vector;
            rig_clear(&rig);
            rig_deliver(&rig, &delivery, parts);
            rig_assert(&rig, current, count, touched);
        }
    }
    free(current);
    free(count);
    free(touched);
    rig_free(&rig);
}

static void dense_equals_the_plain_product(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 63, 64, 130, WIDEST};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int format = WEIGHT_FLOAT; format <= WEIGHT_INT16; format++) {
            compare_dense(sizes[i], (enum weight_format)format, false, false, EVENTS);
            compare_dense(sizes[i], (enum weight_format)format, true, false, 0);
            if (format != WEIGHT_FLOAT)
                compare_dense(sizes[i], (enum weight_format)format, false, true, EVENTS);
        }
    }
}

static void any_number_of_spikes(void **state)
{
    (void)state;
    for (uint32_t length = 0; length < 10; length++)
        compare_dense(100, WEIGHT_FLOAT, false, false, length);
}

static void dense_is_described(void **state)
{
    (void)state;
    draw_weights(50, WEIGHT_INT8);
    weights[0][0] = 0.3;
    uint64_t synapses = 0;
    uint32_t fan_out[FROM] = {0};
    for (uint32_t t = 0; t < 50; t++) {
        for (uint32_t s = 0; s < FROM; s++) {
            synapses += weights[t][s] != 0;
            fan_out[s] += weights[t][s] != 0;
        }
    }
    struct error error = {0};
    struct projection projection = {
        .weights = dense_new(50, FROM, &weights[0][0], WEIGHT_INT8, 0.3, &error)};
    assert_non_null(projection.weights);
    dense_describe(&projection);
    assert_int_equal(projection.synapses, synapses);
    assert_int_equal(projection.weight_count, 50 * FROM);
    assert_memory_equal(projection.fan_out, fan_out, sizeof fan_out);
    assert_true(projection.bytes >= 50 * FROM);
    dense_free(projection.weights);
}

static void refuse_dense(double weight, enum weight_format format, double scale, const char *words)
{
    double matrix[2][3] = {{1, 1, 1}, {1, weight, NAN}};
    struct error error = {0};
    assert_null(dense_new(2, 3, &matrix[0][0], format, scale, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    if (strstr(error.text, "weight [1][1]") != error.text || strstr(error.text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, words);
}

static void bad_dense_weights_are_refused(void **state)
{
    (void)state;
    refuse_dense(NAN, WEIGHT_FLOAT, 1, "finite");
    refuse_dense(-1e200, WEIGHT_FLOAT, 1, "single precision");
    refuse_dense(128, WEIGHT_INT8, 1, "8 bits");
    refuse_dense(1.5, WEIGHT_INT8, 1, "no multiple");
    refuse_dense(-32769, WEIGHT_INT16, 1, "16 bits");
    refuse_dense(INFINITY, WEIGHT_INT16, 1, "16 bits");
}

static void dense_needs_a_port_that_fits(void **state)
{
    (void)state;
    draw_weights(10, WEIGHT_INT8);
    struct error error = {0};
    struct rig rig;
    rig_fill(&rig, &projection_dense,
             dense_new(10, FROM, &weights[0][0], WEIGHT_INT8, 0.3, &error), FROM, 10,
             (struct rig_port){1, true, false, 0.25, 1});
    rig_refuse(&rig, 1, "multiples of 0.3");
    rig_free(&rig);
    rig_fill(&rig, &projection_dense,
             dense_new(10, FROM, &weights[0][0], WEIGHT_FLOAT, 1, &error), FROM, 10,
             (struct rig_port){1, true, false, 1, 1});
    rig_refuse(&rig, 1, "no whole numbers");
    rig.port.width = 11;
    rig_refuse(&rig, 1, "targets");
    rig_free(&rig);
}

/* ---- diagonal ---- */

static void compare_diagonal(bool same, bool delayed, bool valued, bool counts)
{
    enum { NEURONS = FROM * 9 };
    double weight[NEURONS];
    uint32_t extra[NEURONS], most = 0;
    for (uint32_t i = 0; i < NEURONS; i++) {
        weight[i] = same ? -1.5 : 0.5 * ((int)random_below(7) - 3);
        extra[i] = delayed ? random_below(8) : 0;
        most = extra[i] > most ? extra[i] : most;
    }
    struct error error = {0};
    void *diagonal =
        diagonal_new(NEURONS, same ? NULL : weight, -1.5, delayed ? extra : NULL, &error);
    assert_non_null(diagonal);
    struct rig rig;
    rig_fill(&rig, &projection_diagonal, diagonal, NEURONS, NEURONS,
             (struct rig_port){8, counts, true, 0.5, 1});
    rig_prepare(&rig);
    assert_int_equal(rig.projection.most_extra, most);
    struct spike spikes[EVENTS];
    double values[NEURONS], current[8 * NEURONS] = {0};
    int32_t count[8 * NEURONS] = {0};
    uint8_t touched[8 * ((NEURONS + 63) / 64)] = {0};
    for (uint32_t i = 0; i < EVENTS; i++)
        spikes[i] = (struct spike){i * NEURONS / EVENTS, (int32_t)random_below(7) - 3};
    for (uint32_t i = 0; i < NEURONS; i++)
        values[i] = i % 2 == 0 ? 0 : random_value();
    for (uint32_t i = 0; i < (valued ? NEURONS : EVENTS); i++) {
        uint32_t n = valued ? i : spikes[i].neuron;
        double factor = valued ? values[i] : spikes[i].payload;
        uint32_t slot = (6 + extra[n]) % 8;
        if (factor == 0)
            continue;
        current[slot * NEURONS + n] += weight[n] * factor;
        count[slot * NEURONS + n] += (int32_t)(2 * weight[n] * factor);
        touched[slot * rig.blocks + n / 64] = 1;
    }
    struct delivery delivery = {.tick = 6, .lanes = 1, .values = valued ? values : NULL,
                                .spikes = valued ? NULL : spikes,
                                .spike_count = valued ? 0 : EVENTS};
    for (uint32_t parts = 1; parts < 5; parts++) {
        rig_clear(&rig);
        rig_deliver(&rig, &delivery, parts);
        rig_assert(&rig, current, count, touched);
    }
    diagonal_describe(&rig.projection);
    uint32_t synapses = 0;
    for (uint32_t i = 0; i < NEURONS; i++) {
        assert_int_equal(rig.projection.fan_out[i], weight[i] != 0);
        synapses += weight[i] != 0;
    }
    assert_int_equal(rig.projection.synapses, synapses);
    assert_int_equal(rig.projection.weight_count, NEURONS);
    rig_free(&rig);
}

static void diagonal_reaches_one_each(void **state)
{
    (void)state;
    for (int same = 0; same < 2; same++) {
        for (int delayed = 0; delayed < 2; delayed++) {
            compare_diagonal(same != 0, delayed != 0, false, false);
            compare_diagonal(same != 0, delayed != 0, true, false);
            compare_diagonal(same != 0, delayed != 0, false, true);
        }
    }
}

static void bad_diagonals_are_refused(void **state)
{
    (void)state;
    double weight[] = {1, 0.5, NAN};
    uint32_t extra[] = {0, 4};
    struct error error = {0};
    assert_null(diagonal_new(3, weight, 0, NULL, &error));
    assert_non_null(strstr(error.text, "weight [2]"));
    struct rig rig;
    rig_fill(&rig, &projection_diagonal, diagonal_new(2, weight, 0, extra, &error), 2, 2,
             (struct rig_port){4, true, false, 1, 1});
    rig_refuse(&rig, 1, "delays of 4 ticks");
    rig.port.slots = 8;
    rig_refuse(&rig, 1, "weight 0.5 is no whole multiple");
    rig.port.scale = 0.25;
    rig.projection.carries = CARRIES_VALUES;
    rig_refuse(&rig, 1, "values");
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_equals_the_plain_product),
        cmocka_unit_test(any_number_of_spikes),
        cmocka_unit_test(dense_is_described),
        cmocka_unit_test(bad_dense_weights_are_refused),
        cmocka_unit_test(dense_needs_a_port_that_fits),
        cmocka_unit_test(diagonal_reaches_one_each),
        cmocka_unit_test(bad_diagonals_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
