/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sparse projections against their definition: for every event, for every synapse in the order it
 * was made, if it is the event's source's, add. That gives each target's sum the order that
 * sparse.h promises, so all bits must agree, whatever the format, the port and the parts.
 */
#include "neurons/delivery/sparse.h"
#include "tests/delivery_rig.h"

#include <math.h>

enum { SOURCES = 41, EVENTS = 150, SYNAPSES = 3000 };

struct sample {
    uint32_t targets;
    uint32_t source[SYNAPSES], target[SYNAPSES], extra[SYNAPSES];
    double weight[SYNAPSES];
    double scale, same;
    enum weight_format format;
    uint32_t most_extra;
};

static void draw_sample(struct sample *sample, uint32_t targets, enum weight_format format,
                        uint32_t most_extra)
{
    sample->targets = targets;
    sample->format = format;
    sample->scale = 0.1;
    sample->same = -0.3;
    sample->most_extra = most_extra;
    for (uint32_t k = 0; k < SYNAPSES; k++) {
        sample->source[k] = random_below(SOURCES - 1); /* the last reaches nothing */
        /* Half of them crowd on few targets, so that pairs repeat. */
        sample->target[k] = k % 2 == 0 ? random_below(targets)
                                       : targets - 1 - random_below(targets < 70 ? targets : 70);
        sample->extra[k] = k == 0 ? most_extra : random_below(most_extra + 1);
        switch (format) {
        case WEIGHT_SAME: sample->weight[k] = sample->same; break;
        case WEIGHT_FLOAT: sample->weight[k] = (float)random_value(); break;
        case WEIGHT_INT8: sample->weight[k] = 0.1 * ((int)random_below(256) - 128); break;
        case WEIGHT_INT16: sample->weight[k] = 0.1 * ((int)random_below(65536) - 32768); break;
        }
        if (format != WEIGHT_SAME && k % 17 == 0)
            sample->weight[k] = 0;
    }
}

static struct sparse *build_sample(const struct sample *sample)
{
    struct error error = {0};
    struct sparse *sparse = sparse_from_lists(
        SOURCES, sample->targets, SYNAPSES, sample->source, sample->target,
        sample->format == WEIGHT_SAME ? NULL : sample->weight, sample->same, sample->format,
        sample->scale, sample->most_extra > 0 ? sample->extra : NULL, &error);
    if (sparse == NULL)
        fail_msg("%s", error.text);
    return sparse;
}

/* What the port must hold. */
struct expected {
    double *current;
    int32_t *count;
    uint8_t *touched;
};

static void add_event(const struct sample *sample, const struct rig *rig, int64_t tick,
                      uint32_t source, double factor, struct expected *expected)
{
    for (uint32_t k = 0; factor != 0 && k < SYNAPSES; k++) {
        if (sample->source[k] != source)
            continue;
        size_t slot = (size_t)(tick + sample->extra[k]) % rig->port.slots;
        size_t place = slot * sample->targets + sample->target[k];
        expected->current[place] += sample->weight[k] * factor;
        expected->count[place] += (int32_t)(round(sample->weight[k] / sample->scale) * factor);
        expected->touched[slot * rig->blocks + sample->target[k] / 64] = 1;
    }
}

static void draw_spikes(struct spike spikes[EVENTS])
{
    static const int32_t payloads[] = {1, 1, 3, -1, -7, 0, 12};
    for (uint32_t i = 0; i < EVENTS; i++)
        spikes[i] = (struct spike){random_below(SOURCES), payloads[random_below(7)]};
}

static void draw_values(double values[SOURCES])
{
    for (uint32_t i = 0; i < SOURCES; i++)
        values[i] = i % 3 == 0 ? 0 : random_value();
}

/* Three volleys on the same port, so that slots wrap and sums go on. */
static void compare_sample(const struct sample *sample, struct rig_port port, bool values,
                           uint32_t parts)
{
    struct rig rig;
    rig_fill(&rig, &projection_sparse, build_sample(sample), SOURCES, sample->targets, port);
    rig.projection.carries = values ? CARRIES_VALUES : CARRIES_SPIKES;
    rig_prepare(&rig);
    assert_int_equal(rig.projection.most_extra, sample->most_extra);
    size_t cells = (size_t)port.slots * sample->targets;
    struct expected expected = {calloc(cells, sizeof(double)), calloc(cells, sizeof(int32_t)),
                                calloc((size_t)port.slots * rig.blocks, 1)};
    int64_t first = INT64_C(6) * port.slots - 2;
    for (int64_t tick = first; tick < first + 3; tick++) {
        struct spike spikes[EVENTS];
        double shown[SOURCES];
        struct delivery delivery = {.tick = tick, .lanes = 1};
        draw_spikes(spikes);
        draw_values(shown);
        for (uint32_t i = 0; !values && i < EVENTS; i++)
            add_event(sample, &rig, tick, spikes[i].neuron, spikes[i].payload, &expected);
        for (uint32_t i = 0; values && i < SOURCES; i++)
            add_event(sample, &rig, tick, i, shown[i], &expected);
        if (values) {
            delivery.values = shown;
        } else {
            delivery.spikes = spikes;
            delivery.spike_count = EVENTS;
        }
        rig_deliver(&rig, &delivery, parts);
    }
    rig_assert(&rig, expected.current, expected.count, expected.touched);
    free(expected.current);
    free(expected.count);
    free(expected.touched);
    rig_free(&rig);
}

/* Integers of 0.1 make 0.1 x code exact in the sample too: weight = 0.1 x code, rounded once. */
static void compare_all(uint32_t targets, uint32_t threads, uint32_t parts)
{
    static struct sample sample;
    static const uint32_t extras[][2] = {{0, 1}, {0, 4}, {7, 8}, {6, 32}, {300, 512}};
    for (int format = WEIGHT_SAME; format <= WEIGHT_INT16; format++) {
        for (size_t e = targets > 1000 ? 1 : 0; e < (targets > 1000 ? 3 : 5); e++) {
            draw_sample(&sample, targets, (enum weight_format)format, extras[e][0]);
            for (int touched = 0; touched < 2; touched++) {
                struct rig_port port = {extras[e][1], false, touched != 0, 0.1, threads};
                compare_sample(&sample, port, false, parts);
                compare_sample(&sample, port, true, parts);
                port.counts = true;
                if (format != WEIGHT_FLOAT)
                    compare_sample(&sample, port, false, parts);
            }
        }
    }
}

static void every_format_equals_the_plain_sum(void **state)
{
    (void)state;
    compare_all(517, 1, 1);
    compare_all(1, 1, 1);
}

static void targets_beyond_16_bits(void **state)
{
    (void)state;
    compare_all(70001, 2, 2);
}

static void parts_give_the_same_bits(void **state)
{
    (void)state;
    compare_all(517, 2, 2); /* as prepared */
    compare_all(517, 4, 4);
    compare_all(517, 4, 1); /* fewer */
    compare_all(517, 2, 3); /* others */
    compare_all(130, 5, 5); /* some without targets */
}

/* Tables of parts are for long rows; these have hundreds of synapses. */
static void long_rows_are_cut_by_table(void **state)
{
    (void)state;
    enum { TARGETS = 1000, LENGTH = 900 };
    static uint32_t source[3 * LENGTH], target[3 * LENGTH];
    for (uint32_t k = 0; k < 3 * LENGTH; k++) {
        source[k] = k % 3;
        target[k] = random_below(TARGETS);
    }
    struct error error = {0};
    struct sparse *sparse = sparse_from_lists(3, TARGETS, 3 * LENGTH, source, target, NULL, 1,
                                              WEIGHT_SAME, 1, NULL, &error);
    struct rig rig;
    rig_fill(&rig, &projection_sparse, sparse, 3, TARGETS, (struct rig_port){1, true, false, 1, 3});
    sparse_describe(&rig.projection);
    rig_prepare(&rig);
    assert_non_null(sparse->part);
    struct spike spikes[] = {{2, 1}, {0, 10}, {1, 100}};
    struct delivery delivery = {.spikes = spikes, .spike_count = 3, .lanes = 1};
    int32_t expected[TARGETS] = {0};
    for (uint32_t k = 0; k < 3 * LENGTH; k++)
        expected[target[k]] += source[k] == 2 ? 1 : source[k] == 0 ? 10 : 100;
    for (uint32_t parts = 1; parts <= 5; parts++) {
        rig_clear(&rig);
        rig_deliver(&rig, &delivery, parts);
        rig_assert(&rig, NULL, expected, NULL);
    }
    rig_clear(&rig); /* one part alone keeps to its own */
    rig.projection.kind->deliver(&rig.projection, &delivery, &rig.kernels, 320, 640);
    for (uint32_t t = 0; t < TARGETS; t++)
        assert_int_equal(rig.port.count[t], t >= 320 && t < 640 ? expected[t] : 0);
    rig_free(&rig);
}

static void rows_stand_in_order(void **state)
{
    (void)state;
    uint32_t source[] = {1, 0, 1, 1, 0, 1}, target[] = {5, 2, 3, 5, 2, 3};
    uint32_t extra[] = {9, 8, 7, 6, 5, 4};
    double weight[] = {1, 2, 3, 4, 5, 0};
    struct error error = {0};
    struct sparse *sparse = sparse_from_lists(2, 6, 6, source, target, weight, 0, WEIGHT_FLOAT, 1,
                                              extra, &error);
    assert_non_null(sparse);
    static const uint64_t row[] = {0, 2, 6};
    static const uint16_t sorted[] = {2, 2, 3, 3, 5, 5};
    static const float weights[] = {2, 5, 3, 0, 1, 4};
    static const uint8_t extras[] = {8, 5, 7, 4, 9, 6};
    assert_memory_equal(sparse->row, row, sizeof row);
    assert_memory_equal(sparse->target16, sorted, sizeof sorted);
    assert_memory_equal(sparse->weight, weights, sizeof weights);
    assert_memory_equal(sparse->extra8, extras, sizeof extras);
    assert_int_equal(sparse->most_extra, 9);
    assert_int_equal(sparse->fan_out[0], 2);
    assert_int_equal(sparse->fan_out[1], 3);
    sparse_free(sparse);
}

/* A weight of 0 is held but is no synapse; pairs that are not there are nothing at all. */
static void a_matrix_is_described(void **state)
{
    (void)state;
    const uint32_t source[] = {0, 2, 2, 1, 2}, target[] = {3, 0, 3, 1, 2};
    const double weight[] = {1, 0, -2, 0.5, 4};
    const uint32_t fan_out[] = {1, 1, 2};
    struct error error = {0};
    struct sparse *sparse = sparse_from_lists(3, 4, 5, source, target, weight, 0, WEIGHT_FLOAT, 1,
                                              NULL, &error);
    assert_non_null(sparse);
    struct rig rig;
    rig_fill(&rig, &projection_sparse, sparse, 3, 4, (struct rig_port){1, false, false, 1, 1});
    sparse_describe(&rig.projection);
    assert_int_equal(rig.projection.synapses, 4);
    assert_int_equal(rig.projection.weight_count, 5);
    assert_memory_equal(rig.projection.fan_out, fan_out, sizeof fan_out);
    assert_true(rig.projection.bytes >= 5 * (sizeof(float) + sizeof(uint16_t)));
    rig_free(&rig);
}

static void nothing_at_all(void **state)
{
    (void)state;
    struct error error = {0};
    struct sparse *sparse = sparse_from_lists(3, 4, 0, NULL, NULL, NULL, 1, WEIGHT_SAME, 1, NULL,
                                              &error);
    assert_non_null(sparse);
    struct rig rig;
    rig_fill(&rig, &projection_sparse, sparse, 3, 4, (struct rig_port){1, true, true, 1, 2});
    rig_prepare(&rig);
    struct spike spikes[] = {{0, 1}, {2, 1}};
    struct delivery delivery = {.spikes = spikes, .spike_count = 2, .lanes = 1};
    rig_deliver(&rig, &delivery, 1);
    delivery.spike_count = 0;
    rig_deliver(&rig, &delivery, 1);
    int32_t count[4] = {0};
    uint8_t touched[1] = {0};
    rig_assert(&rig, NULL, count, touched);
    sparse_describe(&rig.projection);
    assert_int_equal(rig.projection.synapses, 0);
    rig_free(&rig);
}

static void a_weight_of_zero_is_no_synapse(void **state)
{
    (void)state;
    uint32_t source[] = {0, 0}, target[] = {0, 1};
    struct error error = {0};
    struct sparse *sparse =
        sparse_from_lists(1, 2, 2, source, target, NULL, 0, WEIGHT_SAME, 1, NULL, &error);
    assert_non_null(sparse);
    assert_int_equal(sparse->fan_out[0], 0);
    sparse_free(sparse);
}

/* ---- refusals ---- */

static void refuse_lists(uint32_t source, uint32_t target, double weight, enum weight_format format,
                         uint32_t extra, const char *words)
{
    uint32_t sources[] = {0, source, 9}, targets[] = {0, target, 9}, extras[] = {0, extra, 70000};
    double weights[] = {1, weight, NAN};
    struct error error = {0};
    assert_null(
        sparse_from_lists(3, 3, 3, sources, targets, weights, 1, format, 0.5, extras, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    if (strstr(error.text, "synapse 1: ") != error.text || strstr(error.text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, words);
}

static void bad_lists_are_refused(void **state)
{
    (void)state;
    refuse_lists(3, 0, 1, WEIGHT_FLOAT, 0, "no source neuron 3");
    refuse_lists(0, UINT32_MAX, 1, WEIGHT_FLOAT, 0, "no target neuron 4294967295");
    refuse_lists(0, 0, 1, WEIGHT_FLOAT, 65536, "65536 ticks");
    refuse_lists(0, 0, NAN, WEIGHT_FLOAT, 0, "nan");
    refuse_lists(0, 0, -INFINITY, WEIGHT_FLOAT, 0, "-inf");
    refuse_lists(0, 0, 1e300, WEIGHT_FLOAT, 0, "single precision");
    refuse_lists(0, 0, 64, WEIGHT_INT8, 0, "8 bits");
    refuse_lists(0, 0, -64.5, WEIGHT_INT8, 0, "8 bits");
    refuse_lists(0, 0, 0.75, WEIGHT_INT8, 0, "no multiple of the scale 0.5");
    refuse_lists(0, 0, 16384, WEIGHT_INT16, 0, "16 bits");
    refuse_lists(0, 0, NAN, WEIGHT_INT16, 0, "nan");
    refuse_lists(0, 0, 2, WEIGHT_SAME, 0, "all others");
}

static void absurd_sizes_are_refused(void **state)
{
    (void)state;
    struct error error = {0};
    assert_null(sparse_new(1, 1, SPARSE_SYNAPSES + 1, WEIGHT_SAME, 0, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    error.code = ERROR_NONE;
    assert_null(sparse_new(1, 1, UINT64_MAX, WEIGHT_INT16, 9, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    error.code = ERROR_NONE;
    assert_null(sparse_new(1, 1, 1, WEIGHT_SAME, 65536, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
}

static void refuse_port(enum weight_format format, double scale, double same, uint32_t most_extra,
                        struct rig_port port, enum carries carries, const char *words)
{
    uint32_t source = 0, target = 0, extra = most_extra;
    struct error error = {0};
    struct sparse *sparse =
        sparse_from_lists(1, 100, 1, &source, &target, NULL, same, format, scale, &extra, &error);
    assert_non_null(sparse);
    struct rig rig;
    rig_fill(&rig, &projection_sparse, sparse, 1, 100, port);
    rig.projection.carries = carries;
    rig_refuse(&rig, 1, words);
    rig_free(&rig);
}

static void ports_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct rig_port counts = {8, true, false, 0.1, 1}, currents = {8, false, false, 1, 1};
    refuse_port(WEIGHT_SAME, 1, 0.25, 0, counts, CARRIES_SPIKES, "no whole multiple of 0.1");
    refuse_port(WEIGHT_SAME, 1, 1e300, 0, counts, CARRIES_SPIKES, "no whole multiple");
    refuse_port(WEIGHT_FLOAT, 1, 0.25, 0, counts, CARRIES_SPIKES, "no whole numbers");
    refuse_port(WEIGHT_INT8, 0.125, 0.25, 0, counts, CARRIES_SPIKES, "multiples of 0.125");
    refuse_port(WEIGHT_SAME, 1, 0.1, 0, counts, CARRIES_VALUES, "values");
    refuse_port(WEIGHT_SAME, 1, 0.1, 8, currents, CARRIES_SPIKES, "delays of 8 ticks");
    counts.scale = 0;
    refuse_port(WEIGHT_SAME, 1, 0.1, 0, counts, CARRIES_SPIKES, "no whole multiple");
    currents.slots = 6;
    refuse_port(WEIGHT_SAME, 1, 0.1, 0, currents, CARRIES_SPIKES, "power of two");
}

static void populations_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    uint32_t source = 0, target = 0;
    struct error error = {0};
    struct sparse *sparse =
        sparse_from_lists(2, 3, 1, &source, &target, NULL, 1, WEIGHT_SAME, 1, NULL, &error);
    struct rig rig;
    rig_fill(&rig, &projection_sparse, sparse, 2, 3, (struct rig_port){1, false, false, 1, 1});
    rig_refuse(&rig, 2, "several lanes");
    rig.source.neurons = 5;
    rig_refuse(&rig, 1, "population from has 5");
    rig.source.neurons = 2;
    rig.port.width = 4;
    rig_refuse(&rig, 1, "population to has 4");
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_equals_the_plain_sum),
        cmocka_unit_test(targets_beyond_16_bits),
        cmocka_unit_test(parts_give_the_same_bits),
        cmocka_unit_test(long_rows_are_cut_by_table),
        cmocka_unit_test(rows_stand_in_order),
        cmocka_unit_test(a_matrix_is_described),
        cmocka_unit_test(nothing_at_all),
        cmocka_unit_test(a_weight_of_zero_is_no_synapse),
        cmocka_unit_test(bad_lists_are_refused),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(ports_that_do_not_fit_are_refused),
        cmocka_unit_test(populations_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
