/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tests of the native form: what a document says is what the blueprint holds; every mistake is one
 * sentence with the place; what is written is read back the same, field by field, for every kind of
 * link and quantity and for pseudo-random networks; and the schema that ships knows the same fields
 * and words as the reader.
 */
#define _GNU_SOURCE 1
#include "neurons/import/native/native.h"

#include "neurons/import/native/safetensors_write.h"
#include "tests/golden.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[4000];

static const char *path_of(const char *name)
{
    static char path[2][5000];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static void text_write(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

/* Tensors that documents of these tests may ask for, as bytes, not by the writer under test:
 * half F16 [3], row F32 [3], bytes U8 [2][2], grid I16 [2][3], flags BOOL [2], bad F64 [1]
 * (NaN). */
static void tensors_write(void)
{
    static const char header[] =
        "{\"bad\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]},"
        "\"row\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[8,20]},"
        "\"grid\":{\"dtype\":\"I16\",\"shape\":[2,3],\"data_offsets\":[20,32]},"
        "\"half\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[32,38]},"
        "\"bytes\":{\"dtype\":\"U8\",\"shape\":[2,2],\"data_offsets\":[38,42]},"
        "\"flags\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[42,44]}}";
    const double bad = NAN;
    const float row[3] = {0.5f, -1.25f, 3};
    const int16_t grid[6] = {1, -2, 3, -4, 5, -300};
    const uint16_t half[3] = {0x3c00, 0xc000, 0x0001}; /* 1, -2, 2^-24 */
    const unsigned char bytes[6] = {0, 1, 1, 255, 1, 0};
    unsigned char size[8] = {(sizeof header - 1) & 255, (sizeof header - 1) >> 8};
    FILE *file = fopen(path_of("net.safetensors"), "wb");
    assert_non_null(file);
    fwrite(size, 1, sizeof size, file);
    fwrite(header, 1, sizeof header - 1, file);
    fwrite(&bad, 1, sizeof bad, file);
    fwrite(row, 1, sizeof row, file);
    fwrite(grid, 1, sizeof grid, file);
    fwrite(half, 1, sizeof half, file);
    fwrite(bytes, 1, sizeof bytes, file);
    assert_int_equal(fclose(file), 0);
}

static const char *const names[] = {"net.safetensors", "net.json",  "out.json", "out.safetensors",
                                    "other.txt",       "empty.json", "folder.json"};

static int folder_make(void **state)
{
    (void)state;
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/volley-native-XXXXXX",
             parent != NULL && parent[0] != '\0' ? parent : P_tmpdir);
    if (mkdtemp(folder) == NULL)
        return -1;
    tensors_write();
    return 0;
}

static int folder_remove(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        remove(path_of(names[i]));
    return rmdir(folder); /* fails if something was left behind */
}

/* ------------------------------------------------------------------ reading */

static struct blueprint *text_read(const char *text)
{
    struct error error = {0};
    struct blueprint *blueprint = native_read(text, strlen(text), folder, "net.json", &error);
    if (blueprint == NULL)
        fail_msg("%s\n%s", error.text, text);
    assert_int_equal(error.code, ERROR_NONE);
    return blueprint;
}

/* A document with three populations, `more` beside them. */
#define THREE                                                                                      \
    "{\"volley\": 1, \"tick\": 0.001, \"populations\": {"                                          \
    "\"in\": {\"input\": true, \"neurons\": 2}, "                                                  \
    "\"a\": {\"model\": \"lif\", \"shape\": [1, 3]}, "                                             \
    "\"b\": {\"model\": \"cuba_lif_exc_inh\", \"neurons\": 2}}"
#define LINK(more) THREE ", \"projections\": [{" more "}]}"
#define POPULATION(more)                                                                           \
    "{\"volley\": 1, \"tick\": 0.001, \"populations\": {\"x\": {" more "}}}"

static void reads_heading_and_rules(void **state)
{
    (void)state;
    struct blueprint *b = text_read(
        " {\"volley\": 1, \"$schema\": \"s\", \"name\": \"caf\u00e9\", \"notes\": \"\", "
        "\"tick\": 2.5e-4, \"seed\": 9223372036854775807, \"duration\": 3, "
        "\"rules\": {\"integration\": \"event\", \"reset\": \"subtract\", "
        "\"threshold\": \"inclusive\", \"several_spikes\": true, \"late_reset\": true, "
        "\"spike_area\": \"jump\", \"raw_input\": true, \"single_precision\": true}, "
        "\"populations\": {\"x\": {\"input\": true, \"neurons\": 2147483647}}}\n");
    assert_string_equal(b->name, "caf\u00e9");
    assert_string_equal(b->origin, "net.json");
    assert_true(b->rules.dt == 2.5e-4 && b->duration == 3);
    assert_true(b->rules.seed == INT64_MAX);
    assert_int_equal(b->rules.integration, INTEGRATE_EVENT);
    assert_int_equal(b->rules.reset, RESET_SUBTRACT);
    assert_int_equal(b->rules.area, AREA_JUMP);
    assert_true(b->rules.inclusive && b->rules.several && b->rules.late_reset && b->rules.raw
                && b->rules.single);
    assert_int_equal(b->populations[0].neurons, INT32_MAX);
    blueprint_free(b);

    b = text_read(POPULATION("\"input\": true, \"neurons\": 1"));
    assert_string_equal(b->name, "net");
    assert_true(b->duration == 0 && b->rules.seed == 0 && !b->rules.inclusive
                && !b->rules.several && !b->rules.late_reset && !b->rules.raw && !b->rules.single
                && b->rules.integration == INTEGRATE_EXACT && b->rules.reset == RESET_VALUE
                && b->rules.area == AREA_HOLD);
    blueprint_free(b);
}

static void reads_every_kind_of_quantity(void **state)
{
    (void)state;
    struct blueprint *b = text_read(POPULATION(
        "\"model\": \"lif\", \"shape\": [3, 1], \"output\": true, \"parameters\": {"
        "\"tau\": 2e-2, \"r\": {\"normal\": [1, 0.5], \"low\": 0, \"high\": 2.5}, "
        "\"v_leak\": [1, -2, 0.25], \"v_threshold\": {\"tensor\": \"half\"}, "
        "\"v_reset\": {\"lognormal\": [0, 1], \"high\": 9, \"clip\": true}}, "
        "\"initial\": {\"v\": {\"exponential\": 4}}, \"drive\": {\"input\": -0.5}"));
    const struct blueprint_population *x = &b->populations[0];
    assert_string_equal(x->model->name, "lif");
    assert_int_equal(x->neurons, 3);
    assert_true(x->rank == 2 && x->shape[0] == 3 && x->shape[1] == 1 && x->output);
    const struct quantity *tau = &x->parameter[cell_model_parameter(x->model, "tau")],
                          *r = &x->parameter[cell_model_parameter(x->model, "r")],
                          *leak = &x->parameter[cell_model_parameter(x->model, "v_leak")],
                          *top = &x->parameter[cell_model_parameter(x->model, "v_threshold")],
                          *low = &x->parameter[cell_model_parameter(x->model, "v_reset")],
                          *rest = &x->parameter[cell_model_parameter(x->model, "refractory")];
    assert_true(tau->kind == QUANTITY_CONSTANT && tau->constant == 0.02);
    assert_true(r->kind == QUANTITY_DRAWN && r->drawn.kind == DISTRIBUTION_NORMAL
                && r->drawn.a == 1 && r->drawn.b == 0.5 && r->drawn.low == 0
                && r->drawn.high == 2.5 && !r->drawn.clip);
    assert_true(leak->kind == QUANTITY_ARRAY && leak->length == 3 && leak->array[0] == 1
                && leak->array[1] == -2 && leak->array[2] == 0.25);
    assert_true(top->kind == QUANTITY_ARRAY && top->array[0] == 1 && top->array[1] == -2
                && top->array[2] == 0x1p-24);
    assert_true(low->drawn.kind == DISTRIBUTION_LOGNORMAL && low->drawn.low == -INFINITY
                && low->drawn.high == 9 && low->drawn.clip);
    assert_true(rest->kind == QUANTITY_STANDARD);
    assert_true(x->initial[0].drawn.kind == DISTRIBUTION_EXPONENTIAL
                && x->initial[0].drawn.a == 4);
    assert_true(x->drive[0][0] == -0.5 && x->drive[0][2] == -0.5);
    blueprint_free(b);
}

static void reads_spikes_as_list_and_as_arrays(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "\"neurons\": 5, \"input\": {\"spikes\": [[0.003, 4], [0.001, 2, -7], [0.0011, 1]]}",
        "\"neurons\": 5, \"input\": {\"spikes\": {\"times\": [0.003, 0.001, 0.0011], "
        "\"neurons\": [4, 2, 1], \"payloads\": [1, -7, 1]}}"};
    for (int i = 0; i < 2; i++) {
        char text[500];
        snprintf(text, sizeof text, POPULATION("%s"), forms[i]);
        struct blueprint *b = text_read(text);
        const struct timed_spike *spikes = b->populations[0].spikes;
        assert_int_equal(b->populations[0].spike_count, 3);
        assert_true(spikes[0].tick == 1 && spikes[0].neuron == 1 && spikes[0].payload == 1);
        assert_true(spikes[1].tick == 1 && spikes[1].neuron == 2 && spikes[1].payload == -7);
        assert_true(spikes[2].tick == 3 && spikes[2].neuron == 4 && spikes[2].payload == 1);
        blueprint_free(b);
    }
}

/* The one projection of a document, which the caller frees. */
static struct blueprint_projection *link_read(struct blueprint **blueprint, const char *text)
{
    *blueprint = text_read(text);
    assert_int_equal((*blueprint)->projection_count, 1);
    return &(*blueprint)->projections[0];
}

static void reads_connection_rules(void **state)
{
    (void)state;
    struct blueprint *b;
    struct blueprint_projection *p = link_read(
        &b, LINK("\"from\": \"a\", \"to\": \"b\", \"port\": \"inh\", \"weight\": -2, "
                 "\"rule\": {\"fixed_in_degree\": 7, \"multiple\": true, \"self\": false}, "
                 "\"from_neurons\": [1, 2], \"delay\": {\"uniform\": [0.001, 0.004]}"));
    const struct connection *c = &p->connection;
    assert_string_equal(p->name, "a->b");
    assert_true(p->kind == LINK_RULE && p->source == 1 && p->target == 2 && p->port == 1);
    assert_true(c->rule == CONNECT_FIXED_IN_DEGREE && c->number == 7 && c->multiple
                && !c->to_itself && !c->same_population && c->source_first == 1
                && c->source_count == 2 && c->target_first == 0 && c->target_count == 2
                && c->format == WEIGHT_SAME && c->weight.kind == DISTRIBUTION_CONSTANT
                && c->weight.a == -2 && c->weight.low == -INFINITY
                && c->delay.kind == DISTRIBUTION_UNIFORM && c->delay.b == 0.004 && c->dt == 0.001
                && !p->immediate);
    blueprint_free(b);

    p = link_read(&b, LINK("\"from\": \"a\", \"to\": \"a\", \"rule\": {\"probability\": 0.25}, "
                           "\"weight\": {\"normal\": [4, 1], \"low\": 0}, \"type\": \"int8\", "
                           "\"scale\": 0.5, \"delay\": 0, \"to_neurons\": [2, 1]"));
    c = &p->connection;
    assert_true(c->rule == CONNECT_PROBABILITY && c->probability == 0.25 && c->to_itself
                && c->same_population && c->format == WEIGHT_INT8 && c->scale == 0.5
                && c->target_first == 2 && c->target_count == 1 && p->immediate);
    blueprint_free(b);

    p = link_read(&b, LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": \"all_to_all\", "
                           "\"name\": \"n\", \"weight\": {\"uniform\": [0, 1]}"));
    assert_string_equal(p->name, "n");
    assert_true(p->connection.rule == CONNECT_ALL_TO_ALL && p->connection.format == WEIGHT_FLOAT
                && p->connection.delay.a == 0.001 && !p->immediate);
    blueprint_free(b);

    p = link_read(&b, LINK("\"from\": \"in\", \"to\": \"b\", \"rule\": \"one_to_one\", "
                           "\"weight\": 64, \"type\": \"int16\", \"scale\": 64"));
    assert_true(p->kind == LINK_RULE && p->connection.rule == CONNECT_ONE_TO_ONE
                && p->connection.format == WEIGHT_INT16 && p->connection.weight.a == 64);
    blueprint_free(b);
}

static void reads_synapses_one_by_one(void **state)
{
    (void)state;
    struct blueprint *b;
    struct blueprint_projection *p =
        link_read(&b, LINK("\"from\": \"in\", \"to\": \"b\", \"rule\": \"one_to_one\", "
                           "\"weight\": 0.1, \"delay\": [0.002, 0]"));
    assert_true(p->kind == LINK_DIAGONAL && p->weights == NULL && p->same == 0.1
                && p->format == WEIGHT_SAME && p->delays[0] == 0.002 && p->delays[1] == 0);
    blueprint_free(b);

    p = link_read(&b, LINK("\"from\": \"a\", \"to\": \"b\", \"delay\": 0.005, \"rule\": {\"list\": "
                           "{\"from\": [2, 0, 2], \"to\": [1, 1, 0]}}, \"type\": \"int8\", "
                           "\"scale\": 0.1, \"weight\": [0.3, -12.8, 12.7]"));
    assert_true(p->kind == LINK_LISTS && p->synapses == 3 && p->sources[0] == 2
                && p->sources[1] == 0 && p->targets[2] == 0 && p->format == WEIGHT_INT8
                && p->scale == 0.1 && p->weights[0] == 3 * 0.1 && p->weights[1] == -128 * 0.1
                && p->delay == 0.005 && p->delays == NULL);
    blueprint_free(b);

    p = link_read(&b, LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": \"dense\", "
                           "\"type\": \"int16\", \"scale\": 2, \"codes\": {\"tensor\": \"grid\"}"));
    assert_true(p->kind == LINK_DENSE && p->weights[0] == 2 && p->weights[1] == -4
                && p->weights[5] == -600 && p->format == WEIGHT_INT16);
    blueprint_free(b);

    p = link_read(&b, LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": {\"dense\": true}, "
                           "\"weight\": [[1, 2, 3], [4, 5, 6.5]]"));
    assert_true(p->weights[2] == 3 && p->weights[3] == 4 && p->format == WEIGHT_FLOAT);
    blueprint_free(b);
}

#define IMAGE(more)                                                                                \
    "{\"volley\": 1, \"tick\": 0.001, \"populations\": {"                                          \
    "\"image\": {\"input\": true, \"shape\": [2, 5, 7]}, "                                         \
    "\"line\": {\"input\": true, \"neurons\": 8}, "                                                \
    "\"out\": {\"model\": \"if\", \"neurons\": 24}, "                                              \
    "\"few\": {\"model\": \"if\", \"neurons\": 3}}, \"projections\": [{" more "}]}"

static void reads_convolution_and_pooling(void **state)
{
    (void)state;
    struct blueprint *b;
    /* height (5 + 1 + 0 - 1 (2 - 1) - 1) / 2 + 1 = 3,
     * width (7 + 1 + 1 - 2 (2 - 1) - 1) / 2 + 1 = 4 */
    struct blueprint_projection *p = link_read(
        &b, IMAGE("\"from\": \"image\", \"to\": \"out\", \"rule\": {\"convolution\": "
                  "{\"channels\": 2, \"kernel\": [2, 2], \"stride\": 2, \"dilation\": [1, 2], "
                  "\"padding\": [1, 1, 0, 1], \"groups\": 2}}, "
                  "\"weight\": [[[[1, 2], [3, 4]]], [[[5, 6], [7, 8]]]]"));
    const struct convolution_shape *s = &p->shape;
    assert_true(p->kind == LINK_CONVOLUTION && s->in_channels == 2 && s->in_height == 5
                && s->in_width == 7 && s->out_channels == 2 && s->out_height == 3
                && s->out_width == 4 && s->kernel_height == 2 && s->kernel_width == 2
                && s->stride_y == 2 && s->stride_x == 2 && s->dilation_y == 1
                && s->dilation_x == 2 && s->groups == 2);
    assert_true(s->padding_top == 1 && s->padding_left == 1 && s->padding_bottom == 0
                && s->padding_right == 1 && p->weights[1] == 2 && p->weights[7] == 8);
    blueprint_free(b);

    /* in one dimension: (4 + 1 + 0 - 3) + 1 = 3 */
    p = link_read(&b, IMAGE("\"from\": \"line\", \"to\": \"few\", \"rule\": {\"convolution\": "
                            "{\"channels\": 1, \"kernel\": 3, \"padding\": [1, 0], "
                            "\"input_shape\": [2, 4]}}, \"weight\": [[[1, 2, 3], [4, 5, 6]]]"));
    assert_true(p->shape.in_height == 1 && p->shape.kernel_height == 1 && p->shape.in_width == 4
                && p->shape.padding_left == 1 && p->shape.padding_right == 0
                && p->shape.padding_top == 0 && p->shape.out_width == 3 && p->weights[5] == 6);
    blueprint_free(b);

    p = link_read(&b, IMAGE("\"from\": \"image\", \"to\": \"out\", \"rule\": {\"pooling\": "
                            "{\"kernel\": [2, 3], \"stride\": [2, 2], \"padding\": [1, 1]}}"));
    assert_true(p->kind == LINK_POOLING && p->same == 1.0 / 6 && p->weights == NULL
                && p->shape.groups == 2 && p->shape.out_channels == 2 && p->shape.out_height == 3
                && p->shape.out_width == 4 && p->shape.padding_bottom == 1);
    blueprint_free(b);

    p = link_read(&b, IMAGE("\"from\": \"line\", \"to\": \"few\", \"weight\": 0.5, \"rule\": "
                            "{\"pooling\": {\"kernel\": 2, \"sum\": true, \"stride\": 3, "
                            "\"input_shape\": [1, 8]}}"));
    assert_true(p->same == 0.5 && p->shape.kernel_height == 1 && p->shape.kernel_width == 2
                && p->shape.stride_x == 3 && p->shape.stride_y == 1);
    blueprint_free(b);
}

static void reads_recordings_and_placement(void **state)
{
    (void)state;
    struct blueprint *b = text_read(THREE
        ", \"recordings\": [{\"population\": \"b\", \"variable\": \"g_inh\", \"every\": 10}, "
        "{\"population\": \"a\", \"variable\": \"v\", \"neurons\": [1, 2]}], "
        "\"placement\": [{\"population\": \"a\", \"neurons\": [1, 2], \"core\": 3}, "
        "{\"population\": \"in\", \"core\": 0}, "
        "{\"population\": \"a\", \"neurons\": [0, 1], \"core\": 2}]}");
    assert_int_equal(b->recording_count, 2);
    const struct blueprint_recording *r = b->recordings;
    assert_true(r[0].population == 2 && r[0].variable == 2 && r[0].first == 0 && r[0].count == 2
                && r[0].every == 10);
    assert_true(r[1].population == 1 && r[1].variable == 0 && r[1].first == 1 && r[1].count == 2
                && r[1].every == 1);
    assert_int_equal(b->placement_count, 3);
    assert_true(b->placements[0].population == 1 && b->placements[0].first == 1
                && b->placements[0].count == 2 && b->placements[0].core == 3);
    assert_true(b->placements[1].count == 2 && b->placements[2].count == 1);
    blueprint_free(b);
}

/* ----------------------------------------------------------------- mistakes */

static void says(const char *text, const char *expected)
{
    struct error error = {0};
    struct blueprint *blueprint = native_read(text, strlen(text), folder, "net.json", &error);
    if (blueprint != NULL)
        fail_msg("was read, but should have said: %s", expected);
    if (error.code != ERROR_FAILED || strstr(error.text, expected) == NULL)
        fail_msg("code %d, '%s' does not hold '%s'", error.code, error.text, expected);
}

static void refuses_what_is_no_document(void **state)
{
    (void)state;
    says("", "net.json: line 1, column 0: ");
    says("{\"volley\": 1,\n\"tick\": }", "net.json: line 2, column 9: ");
    says("{\"volley\": 1, \"volley\": 1}", "duplicate object key");
    says("[]", "net.json: must be an object");
    says("{}", "net.json: has no field 'volley'");
    says("{\"volley\": 2}", "net.json: volley: must be 1");
    says("{\"volley\": 1, \"tikc\": 1}", "unknown field 'tikc'; did you mean 'tick'? there is");
    says("{\"volley\": 1}", "net.json: tick: is missing");
    says("{\"volley\": 1, \"tick\": 0}", "net.json: tick: must be positive, is 0");
    says("{\"volley\": 1, \"tick\": 1e999}", "net.json: line 1");
    says("{\"volley\": 1, \"tick\": 1, \"seed\": 1.0}", "seed: must be a whole number");
    says("{\"volley\": 1, \"tick\": 1, \"duration\": -1}", "duration: must be positive, is -1");
    says("{\"volley\": 1, \"tick\": 1e-9, \"duration\": 1e9}", "duration: is more ticks than");
    says("{\"volley\": 1, \"tick\": 1, \"rules\": {\"reset\": \"minus\"}}",
         "rules.reset: unknown reset 'minus'; there is value, subtract");
    says("{\"volley\": 1, \"tick\": 1, \"rules\": {\"late_reset\": 1}}",
         "rules.late_reset: must be true or false");
    says("{\"volley\": 1, \"tick\": 1, \"weights\": \"/etc/a.safetensors\"}", "weights: must be");
    says("{\"volley\": 1, \"tick\": 1, \"weights\": \"../a.safetensors\"}", "weights: must be");
    says("{\"volley\": 1, \"tick\": 1, \"weights\": \"a.json\"}", "weights: must be the name of");
    says("{\"volley\": 1, \"tick\": 1, \"populations\": {}}", "populations: must be an object");
    char deep[5000];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    says(deep, "maximum parsing depth");
}

static void refuses_wrong_populations(void **state)
{
    (void)state;
    says(POPULATION("\"neurons\": 1"), "populations.x: has neither 'model'");
    says(POPULATION("\"model\": \"lif\", \"input\": true"), "populations.x: has both");
    says(POPULATION("\"model\": \"lift\", \"neurons\": 1"),
         "populations.x.model: unknown model 'lift'; did you mean 'lif'?");
    says(POPULATION("\"model\": \"lif\""), "populations.x: has neither 'neurons'");
    says(POPULATION("\"model\": \"lif\", \"neurons\": 0"),
         "populations.x.neurons: must be from 1 to 2147483647, is 0");
    says(POPULATION("\"model\": \"lif\", \"neurons\": 1e3"),
         "populations.x.neurons: must be a whole");
    says(POPULATION("\"model\": \"lif\", \"neurons\": 5, \"shape\": [2, 3]"),
         "populations.x.shape: has 6 neurons, but 'neurons' is 5");
    says(POPULATION("\"model\": \"lif\", \"shape\": [65536, 65536, 65536, 65536]"),
         "populations.x.shape: has more than");
    says(POPULATION("\"model\": \"lif\", \"shape\": []"), "populations.x.shape: must have 1 to 4");
    says(POPULATION("\"model\": \"lif\", \"neurons\": 1, \"parameters\": {\"tau\": -0.02}"),
         "net.json: populations.x.parameters.tau: must be positive, is -0.02");
    says(POPULATION("\"model\": \"lif\", \"neurons\": 1, \"parameters\": {\"taum\": 1}"),
         "populations.x.parameters: unknown field 'taum'; did you mean 'tau'?");
    says(POPULATION("\"model\": \"lif\", \"neurons\": 2, \"parameters\": {\"tau\": [1, 0]}"),
         "populations.x.parameters.tau: must be positive, number 1 is 0");
    says(POPULATION("\"model\": \"lif\", \"neurons\": 2, \"parameters\": {\"tau\": [1]}"),
         "populations.x.parameters.tau: must be numbers of shape [2]; here are 1");
    says(POPULATION("\"model\": \"lif\", \"neurons\": 2, \"parameters\": {\"tau\": [1, null]}"),
         "populations.x.parameters.tau[1]: must be a number");
    says(POPULATION("\"model\": \"lif\", \"neurons\": 2, \"parameters\": {\"tau\": \"1\"}"),
         "populations.x.parameters.tau: must be a number, a distribution, or one number for each");
    says(POPULATION("\"model\": \"lif\", \"neurons\": 2, \"parameters\": {\"tau\": {}}"),
         "populations.x.parameters.tau: names no distribution");
    says(POPULATION("\"model\": \"lif\", \"neurons\": 2, \"parameters\": {\"tau\": "
                    "{\"normal\": [1, 2], \"uniform\": [1, 2]}}"), "tau: is both 'uniform' and");
    says(POPULATION("\"model\": \"lif\", \"neurons\": 2, \"parameters\": {\"tau\": "
                    "{\"normal\": [1]}}"), "tau.normal: must be [mean, standard deviation]");
    says(POPULATION("\"model\": \"lif\", \"neurons\": 2, \"parameters\": {\"tau\": "
                    "{\"normal\": [1, -1]}}"), "populations.x.parameters.tau: ");
    says(POPULATION("\"model\": \"lif\", \"neurons\": 2, \"initial\": {\"u\": 1}"),
         "populations.x.initial: unknown field 'u'; there is v");
    says(POPULATION("\"model\": \"lif\", \"neurons\": 2, \"drive\": {\"exc\": 1}"),
         "populations.x.drive: unknown field 'exc'; there is input");
    says(POPULATION("\"model\": \"lif\", \"neurons\": 2147483647, \"drive\": {\"input\": 1}"),
         "populations.x.drive.input: one number for 2147483647 neurons would take more memory");
    says(POPULATION("\"model\": \"lif\", \"neurons\": 2147483647, \"parameters\": {\"tau\": [1]}"),
         "must be numbers of shape [2147483647]; here are 1");
    says(POPULATION("\"input\": false, \"neurons\": 2"), "populations.x.input: must be true");
    says(POPULATION("\"input\": true, \"neurons\": 2, \"drive\": {}"),
         "populations.x: unknown field 'drive'");
    says(POPULATION("\"model\": \"poisson\", \"neurons\": 2"),
         "populations.x.parameters.rate: is missing; model 'poisson' needs it");
}

static void refuses_wrong_spikes(void **state)
{
    (void)state;
#define SPIKES(list) POPULATION("\"neurons\": 2, \"input\": {\"spikes\": " list "}")
    says(SPIKES("1"), "populations.x.input.spikes: must be a list of");
    says(SPIKES("[[0]]"), "populations.x.input.spikes[0]: must be [time in seconds, neuron]");
    says(SPIKES("[[0, 2]]"), "populations.x.input.spikes[0][1]: must be from 0 to 1, is 2");
    says(SPIKES("[[-1, 0]]"), "populations.x.input.spikes[0][0]: must not be negative");
    says(SPIKES("[[1e300, 0]]"), "more ticks than can be counted");
    says(SPIKES("[[0.001, 0], [0.002, 1], [0.0011, 0]]"), "neuron 0 spikes twice in tick 1");
    says(SPIKES("{\"times\": [0]}"), "populations.x.input.spikes.neurons: ");
    says(SPIKES("{\"times\": [0], \"neurons\": [0, 1]}"), "must be numbers of shape [1]");
    says(SPIKES("{\"times\": [0], \"neurons\": [0.5]}"), "must hold whole numbers from 0 to 1;");
    says(SPIKES("{\"times\": [-1], \"neurons\": [0]}"), "spikes.times: spikes at -1 s");
}

static void refuses_wrong_tensors(void **state)
{
    (void)state;
#define TAU(value)                                                                                 \
    POPULATION("\"model\": \"lif\", \"neurons\": 3, \"parameters\": {\"v_leak\": "                 \
                              value "}")
    says(TAU("{\"tensor\": \"rwo\"}"),
         "populations.x.parameters.v_leak.tensor: unknown tensor 'rwo'; there is bad, bytes");
    says(TAU("{\"tensor\": \"grid\"}"),
         "populations.x.parameters.v_leak: tensor 'grid' has shape [2, 3]; it must be [3]");
    says(TAU("{\"tensor\": \"flags\"}"), "tensor 'flags' is of dtype BOOL");
    says(TAU("{\"tensor\": 1}"), "populations.x.parameters.v_leak.tensor: must be a text");
    says(TAU("{\"tensor\": \"row\", \"low\": 1}"), "unknown field 'low'");
    says(POPULATION("\"model\": \"lif\", \"neurons\": 1, \"drive\": {\"input\": "
                    "{\"tensor\": \"bad\"}}"), "element 0 of tensor 'bad' is nan");
    struct error error = {0};
    const char *text = TAU("{\"tensor\": \"row\"}");
    assert_null(native_read(text, strlen(text), NULL, "net.json", &error));
    assert_non_null(strstr(error.text, "there is no 'net.safetensors' in the document's folder"));
}

static void refuses_wrong_projections(void **state)
{
    (void)state;
    says(THREE ", \"projections\": {}}", "projections: must be a list");
    says(LINK("\"to\": \"a\""), "projections[0].from: is missing");
    says(LINK("\"from\": \"aa\", \"to\": \"a\""),
         "projections[0].from: unknown population 'aa'; did you mean 'a'? there is in, a, b");
    says(LINK("\"from\": \"a\", \"to\": \"in\""), "projections[0].to: 'in' is an input");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"port\": \"ext\""),
         "projections[0].port: unknown port 'ext'; did you mean 'exc'? there is exc, inh");
    says(LINK("\"from\": \"a\", \"to\": \"b\""), "projections[0].rule: is missing");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": \"all-to-all\""),
         "projections[0].rule: unknown rule 'all-to-all'; did you mean 'all_to_all'?");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": \"list\""), "needs to be told more");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": {\"self\": true}"), "unknown rule 'self'");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": {\"dense\": true, \"probability\": 1}"),
         "projections[0].rule: is both 'probability' and 'dense'");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": {\"probability\": 1, \"multiple\": true}"),
         "projections[0].rule: unknown field 'multiple'");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": {\"probability\": 1.5}, \"weight\": 1"),
         "projections[0].rule.probability: must be from 0 to 1, is 1.5");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": {\"fixed_in_degree\": 4}, \"weight\": 1"),
         "projections[0].rule.fixed_in_degree: is 4, but there are only 3 source neurons");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": {\"fixed_total\": 1099511627777}"),
         "projections[0].rule.fixed_total: must be from 1 to 1099511627776");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": \"one_to_one\", \"weight\": 1"),
         "projections[0].rule: one_to_one needs as many source as target neurons; there are 3 and");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": \"all_to_all\""),
         "projections[0].weight: is missing");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": \"all_to_all\", \"weight\": 1, "
              "\"from_neurons\": [1, 3]"), "projections[0].from_neurons: must be [first neuron,");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": \"dense\", \"weight\": 1, "
              "\"to_neurons\": [1, 1]"), "projections[0].to_neurons: is not for 'dense'");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": \"all_to_all\", \"weight\": 1, "
              "\"delay\": -0.1"), "projections[0].delay: must not be negative, is -0.1");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": \"all_to_all\", \"weight\": 1, "
              "\"scale\": 1"), "projections[0].scale: is only for");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": \"all_to_all\", \"weight\": 1, "
              "\"type\": \"int8\""), "projections[0].scale: is missing");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": \"all_to_all\", \"weight\": 1.5, "
              "\"type\": \"int8\", \"scale\": 1"), "projections[0].weight: weight 0, 1.5, is no");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": \"all_to_all\", \"weight\": 128, "
              "\"type\": \"int8\", \"scale\": 1"), "beyond the type's range of -128 to 127");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": \"all_to_all\", \"codes\": [1]"),
         "projections[0].codes: is only for rules");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": \"dense\", \"weight\": "
              "[[1, 2], [3, 4], [5, 6]]"), "must be numbers of shape [2, 3]; here are 3");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": \"dense\", \"weight\": "
              "[[1, 2, 3], [3, 4, 1e39]]"), "weight 5, 1e+39, is too large for float32");
    says(LINK("\"from\": \"b\", \"to\": \"a\", \"rule\": \"dense\", \"weight\": "
              "{\"tensor\": \"grid\"}"), "tensor 'grid' has shape [2, 3]; it must be [3, 2]");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": \"dense\", \"codes\": "
              "[[1, 2, 3], [3, 4, 5]]"), "projections[0].codes: needs \"type\"");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": \"dense\", \"codes\": "
              "[[1, 2, 3], [3, 4, 200]], \"type\": \"int8\", \"scale\": 1"),
         "must hold whole numbers from -128 to 127; number 5 is 200");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": {\"list\": {\"from\": [0, 3], "
              "\"to\": [0, 0]}}, \"weight\": 1"),
         "projections[0].rule.list.from: must hold whole numbers from 0 to 2; number 1 is 3");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": {\"list\": {\"from\": [0, 1], "
              "\"to\": [0]}}, \"weight\": 1"),
         "projections[0].rule.list.to: must be numbers of shape [2]");
    says(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": {\"list\": {\"from\": [0], "
              "\"to\": [0]}}, \"weight\": {\"normal\": [1, 1]}"), "nothing is drawn");
}

static void refuses_wrong_windows(void **state)
{
    (void)state;
#define CONVOLUTION(more)                                                                          \
    IMAGE("\"from\": \"image\", \"to\": \"out\", \"rule\": "                                       \
                                "{\"convolution\": {" more "}}")
    says(CONVOLUTION("\"kernel\": 2"), "projections[0].rule.convolution.channels: is missing");
    says(CONVOLUTION("\"channels\": 2"), "projections[0].rule.convolution.kernel: is missing");
    says(CONVOLUTION("\"channels\": 3, \"kernel\": 2, \"groups\": 2"),
         "projections[0].rule.convolution.groups: is 2, which does not divide");
    says(CONVOLUTION("\"channels\": 2, \"kernel\": [1, 2, 3]"), "kernel: must have 1 to 2 numbers");
    says(CONVOLUTION("\"channels\": 2, \"kernel\": 70000"), "kernel: must be from 1 to 65535");
    says(CONVOLUTION("\"channels\": 2, \"kernel\": 2, \"padding\": [1, 2, 3]"),
         "padding: must have 2 or 4 numbers, has 3");
    says(CONVOLUTION("\"channels\": 2, \"kernel\": 2, \"input_shape\": [2, 5, 8]"),
         "input_shape: 2 x 5 x 8 does not make the source's 70 neurons");
    says(CONVOLUTION("\"channels\": 2, \"kernel\": 50"), "projections[0].rule.convolution: ");
    says(CONVOLUTION("\"channels\": 2, \"kernel\": 2"),
         "puts out 2 channels of 4 x 6, but the target has 24 neurons");
    says(IMAGE("\"from\": \"line\", \"to\": \"few\", \"rule\": {\"pooling\": {\"kernel\": 2}}"),
         "projections[0].rule.pooling.input_shape: must be [channels, height, width]");
    says(IMAGE("\"from\": \"line\", \"to\": \"few\", \"rule\": {\"pooling\": {\"kernel\": 2, "
               "\"stride\": 3, \"input_shape\": [1, 8]}}, \"type\": \"int8\""),
         "projections[0].type: is not for pooling");
}

static void refuses_wrong_recordings_and_placement(void **state)
{
    (void)state;
    says(THREE ", \"recordings\": 1}", "recordings: must be a list");
    says(THREE ", \"recordings\": [{\"population\": \"in\", \"variable\": \"v\"}]}",
         "recordings[0]: the population is an input");
    says(THREE ", \"recordings\": [{\"population\": \"a\", \"variable\": \"u\"}]}",
         "recordings[0].variable: unknown variable 'u'");
    says(THREE ", \"recordings\": [{\"population\": \"a\", \"variable\": \"v\", \"every\": 0}]}",
         "recordings[0].every: must be from 1");
    says(THREE ", \"placement\": [{\"population\": \"a\"}]}", "placement[0].core: is missing");
    says(THREE ", \"placement\": [{\"population\": \"a\", \"core\": 0}, "
               "{\"population\": \"a\", \"neurons\": [2, 1], \"core\": 1}]}",
         "placement: neuron 2 of 'a' is placed twice, on cores 0 and 1");
}

static void stays_one_sentence_whatever_the_names(void **state)
{
    (void)state;
    char text[6000], name[2001];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(text, sizeof text, "{\"volley\": 1, \"tick\": 1, \"populations\": {\"%s\": {"
             "\"model\": \"%s\", \"neurons\": 1}}}", name, name);
    says(text, "unknown model 'nnn");
    says("{\"volley\": 1, \"tick\": 1, \"populations\": {\"a\\nb\": {\"model\": \"c\\td\", "
         "\"neurons\": 1}}}", "populations.a?b.model: unknown model 'c?d'");
}

/* --------------------------------------------------------- there and back */

static void same_numbers(const double *a, const double *b, uint64_t length)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a != NULL && length > 0)
        assert_memory_equal(a, b, length * sizeof *a);
}

static void same_distribution(const struct distribution *a, const struct distribution *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_true(a->a == b->a && a->b == b->b && a->low == b->low && a->high == b->high
                && a->clip == b->clip);
}

static void same_quantity(const struct quantity *a, const struct quantity *b)
{
    assert_int_equal(a->kind, b->kind);
    if (a->kind == QUANTITY_CONSTANT)
        same_numbers(&a->constant, &b->constant, 1);
    if (a->kind == QUANTITY_DRAWN)
        same_distribution(&a->drawn, &b->drawn);
    if (a->kind == QUANTITY_ARRAY) {
        assert_int_equal(a->length, b->length);
        same_numbers(a->array, b->array, a->length);
    }
}

static void same_population(const struct blueprint_population *a,
                            const struct blueprint_population *b)
{
    assert_string_equal(a->name, b->name);
    assert_ptr_equal(a->model, b->model);
    assert_true(a->neurons == b->neurons && a->rank == b->rank && a->output == b->output);
    assert_memory_equal(a->shape, b->shape, a->rank * sizeof a->shape[0]);
    for (int i = 0; i < CELL_PARAMETERS; i++)
        same_quantity(&a->parameter[i], &b->parameter[i]);
    for (int i = 0; i < CELL_VARIABLES; i++)
        same_quantity(&a->initial[i], &b->initial[i]);
    for (int i = 0; i < CELL_PORTS; i++)
        same_numbers(a->drive[i], b->drive[i], a->neurons);
    assert_int_equal(a->spikes == NULL, b->spikes == NULL);
    assert_int_equal(a->spike_count, b->spike_count);
    for (uint64_t i = 0; i < a->spike_count; i++)
        assert_true(a->spikes[i].tick == b->spikes[i].tick
                    && a->spikes[i].neuron == b->spikes[i].neuron
                    && a->spikes[i].payload == b->spikes[i].payload);
}

static void same_connection(const struct connection *a, const struct connection *b)
{
    assert_int_equal(a->rule, b->rule);
    assert_true(a->number == b->number && a->probability == b->probability
                && a->multiple == b->multiple && a->to_itself == b->to_itself
                && a->same_population == b->same_population);
    assert_true(a->source_first == b->source_first && a->source_count == b->source_count
                && a->target_first == b->target_first && a->target_count == b->target_count);
    assert_int_equal(a->format, b->format);
    assert_true(a->scale == b->scale && a->dt == b->dt);
    same_distribution(&a->weight, &b->weight);
    same_distribution(&a->delay, &b->delay);
}

static void same_projection(const struct blueprint_projection *a,
                            const struct blueprint_projection *b, uint64_t weights, uint64_t delays)
{
    assert_string_equal(a->name, b->name);
    assert_true(a->source == b->source && a->target == b->target && a->port == b->port);
    assert_int_equal(a->kind, b->kind);
    if (a->kind == LINK_RULE)
        same_connection(&a->connection, &b->connection);
    if (a->kind == LINK_CONVOLUTION || a->kind == LINK_POOLING)
        assert_memory_equal(&a->shape, &b->shape, sizeof a->shape);
    assert_int_equal(a->synapses, b->synapses);
    if (a->synapses > 0) {
        assert_memory_equal(a->sources, b->sources, a->synapses * sizeof *a->sources);
        assert_memory_equal(a->targets, b->targets, a->synapses * sizeof *a->targets);
    }
    same_numbers(a->weights, b->weights, weights);
    same_numbers(a->delays, b->delays, delays);
    same_numbers(&a->same, &b->same, 1);
    assert_int_equal(a->format, b->format);
    assert_true(a->scale == b->scale && a->delay == b->delay && a->immediate == b->immediate);
}

static uint64_t weights_of(const struct blueprint *b, const struct blueprint_projection *p)
{
    uint64_t sources = b->populations[p->source].neurons,
             targets = b->populations[p->target].neurons;
    const struct convolution_shape *s = &p->shape;
    switch (p->kind) {
    case LINK_LISTS:
        return p->synapses;
    case LINK_DENSE:
        return sources * targets;
    case LINK_CONVOLUTION:
        return (uint64_t)s->out_channels * (s->in_channels / s->groups) * s->kernel_height
               * s->kernel_width;
    case LINK_DIAGONAL:
        return sources;
    default:
        return 0;
    }
}

static void same_blueprint(const struct blueprint *a, const struct blueprint *b)
{
    assert_string_equal(a->name, b->name);
    assert_true(a->rules.dt == b->rules.dt && a->rules.seed == b->rules.seed
                && a->duration == b->duration);
    assert_true(a->rules.integration == b->rules.integration && a->rules.reset == b->rules.reset
                && a->rules.inclusive == b->rules.inclusive && a->rules.several == b->rules.several
                && a->rules.late_reset == b->rules.late_reset && a->rules.area == b->rules.area
                && a->rules.raw == b->rules.raw && a->rules.single == b->rules.single);
    assert_int_equal(a->population_count, b->population_count);
    for (uint32_t i = 0; i < a->population_count; i++)
        same_population(&a->populations[i], &b->populations[i]);
    assert_int_equal(a->projection_count, b->projection_count);
    for (uint32_t i = 0; i < a->projection_count; i++) {
        const struct blueprint_projection *p = &a->projections[i];
        same_projection(p, &b->projections[i], weights_of(a, p), weights_of(a, p));
    }
    assert_int_equal(a->placement_count, b->placement_count);
    for (uint32_t i = 0; i < a->placement_count; i++)
        assert_memory_equal(&a->placements[i], &b->placements[i], sizeof *a->placements);
    assert_int_equal(a->recording_count, b->recording_count);
    for (uint32_t i = 0; i < a->recording_count; i++)
        assert_memory_equal(&a->recordings[i], &b->recordings[i], sizeof *a->recordings);
}

/* Writes it, reads it, compares, and frees what was read. */
static void comes_back(const struct blueprint *blueprint)
{
    struct error error = {0};
    remove(path_of("out.safetensors"));
    if (!native_write(blueprint, path_of("out.json"), &error))
        fail_msg("%s", error.text);
    struct blueprint *again = native_open(path_of("out.json"), &error);
    if (again == NULL)
        fail_msg("%s", error.text);
    same_blueprint(blueprint, again);
    blueprint_free(again);
}

/* A small generator of test data: xorshift64*. */
static uint64_t dice = 88172645463325252u;

static uint32_t roll(uint32_t below)
{
    dice ^= dice >> 12;
    dice ^= dice << 25;
    dice ^= dice >> 27;
    return (uint32_t)((dice * 2685821657736338717u) >> 33) % below;
}

/* Any kind of number: round ones, and ones that need all seventeen digits. */
static double roll_number(void)
{
    double number = ((double)roll(1u << 30) + roll(1u << 30) * 0x1p-30) * 0x1p-30;
    switch (roll(6)) {
    case 0:
        return 0.1 * roll(100);
    case 1:
        return -0.0;
    case 2:
        return number * 1e-300;
    case 3:
        return -number * 1e15;
    default:
        return number;
    }
}

static double *roll_numbers(uint64_t length)
{
    double *numbers = calloc(length + 1, sizeof *numbers);
    assert_non_null(numbers);
    for (uint64_t i = 0; i < length; i++)
        numbers[i] = roll_number();
    return numbers;
}

static struct distribution roll_distribution(bool constant)
{
    struct distribution d = {.low = -INFINITY, .high = INFINITY};
    d.kind = constant ? DISTRIBUTION_CONSTANT
                      : (enum distribution_kind)(1 + roll(DISTRIBUTION_EXPONENTIAL));
    d.a = 1 + 0.001 * roll(1000);
    if (d.kind != DISTRIBUTION_CONSTANT && d.kind != DISTRIBUTION_EXPONENTIAL)
        d.b = d.a + 0.1 * (1 + roll(9)); /* also a range for the uniform one */
    if (!constant && roll(2) == 0)
        d.low = 0.01 * roll(100) + 0.1;
    if (!constant && roll(2) == 0)
        d.high = 2.01 + 0.1 * roll(10);
    d.clip = !constant && roll(3) == 0;
    return d;
}

static struct quantity roll_quantity(uint32_t neurons, enum parameter_range range)
{
    struct quantity q = {.kind = roll(4)};
    if (q.kind == QUANTITY_DRAWN && range == RANGE_INTEGER)
        q.kind = QUANTITY_STANDARD;
    if (q.kind == QUANTITY_DRAWN)
        q.drawn = roll_distribution(false);
    if (q.kind == QUANTITY_CONSTANT)
        q.constant = range == RANGE_ANY ? roll_number() : 1 + roll(100);
    if (q.kind == QUANTITY_ARRAY) {
        q.length = neurons;
        q.array = roll_numbers(neurons);
        for (uint32_t i = 0; range != RANGE_ANY && i < neurons; i++)
            q.array[i] = range == RANGE_INTEGER ? 1 + roll(9) : 1 + roll(9) + 0.001 * roll(999);
    }
    return q;
}

static void roll_population(struct blueprint *b, const struct cell_model *model, uint32_t channels,
                            uint32_t height, uint32_t width)
{
    char name[40];
    snprintf(name, sizeof name, "p%u.\u00e4 \"%u\"", b->population_count, roll(10));
    struct blueprint_population *p = blueprint_add_population(b, name, NULL);
    assert_non_null(p);
    p->model = model;
    p->neurons = channels * height * width;
    if (roll(2) == 0) {
        p->rank = 3;
        p->shape[0] = channels;
        p->shape[1] = height;
        p->shape[2] = width;
    }
    p->output = roll(2);
    if (model == NULL && roll(3) > 0) {
        p->spike_count = roll(30);
        p->spikes = calloc(p->spike_count + 1, sizeof *p->spikes);
        for (uint64_t i = 0; i < p->spike_count; i++)
            p->spikes[i] = (struct timed_spike){(int64_t)i * i * i * 1001, roll(p->neurons),
                                                roll(2) ? 1 : (int32_t)roll(99) - 50};
    }
    for (uint32_t i = 0; model != NULL && model->parameters[i].name != NULL; i++) {
        p->parameter[i] = roll_quantity(p->neurons, model->parameters[i].range);
        if (p->parameter[i].kind == QUANTITY_STANDARD && isnan(model->parameters[i].standard))
            p->parameter[i] = (struct quantity){.kind = QUANTITY_CONSTANT, .constant = 3};
    }
    for (uint32_t i = 0; model != NULL && model->variables[i].name != NULL; i++)
        p->initial[i] = roll_quantity(p->neurons, RANGE_ANY);
    for (uint32_t i = 0; model != NULL && model->ports[i] != NULL; i++) {
        p->drive[i] = roll(2) ? roll_numbers(p->neurons) : NULL;
        for (uint32_t j = 1; i == 0 && p->drive[i] != NULL && j < p->neurons; j++)
            p->drive[i][j] = p->drive[i][0];
    }
}

/* Weights of a format: floats that are or are not float32, or whole multiples of the scale. */
static void roll_weights(struct blueprint_projection *p, uint64_t length)
{
    bool narrow = roll(2);
    p->format = (enum weight_format)(1 + roll(3));
    p->weights = roll_numbers(length);
    if (p->format != WEIGHT_FLOAT)
        p->scale = 0.001 * (1 + roll(1000));
    for (uint64_t i = 0; i < length; i++) {
        int code = p->format == WEIGHT_INT8 ? (int)roll(256) - 128 : (int)roll(65536) - 32768;
        if (p->format != WEIGHT_FLOAT)
            p->weights[i] = code * p->scale;
        else if (narrow)
            p->weights[i] = (double)(float)p->weights[i];
    }
}

static void roll_delay(struct blueprint_projection *p, double dt, uint64_t each)
{
    if (each > 0 && roll(2)) {
        p->delays = roll_numbers(each);
        for (uint64_t i = 0; i < each; i++)
            p->delays[i] = fabs(p->delays[i]);
        return;
    }
    p->delay = dt * roll(4);
    p->immediate = p->delay == 0;
}

static void roll_rule(struct blueprint_projection *p, uint32_t sources, uint32_t targets, double dt)
{
    struct connection *c = &p->connection;
    c->rule = (enum connection_rule)roll(CONNECT_PROBABILITY + 1);
    bool one = c->rule == CONNECT_ONE_TO_ONE;
    c->source_count = one ? 1 : 1 + roll(sources);
    c->target_count = one ? 1 : 1 + roll(targets);
    c->source_first = roll(sources - c->source_count + 1);
    c->target_first = roll(targets - c->target_count + 1);
    c->multiple = c->rule == CONNECT_FIXED_TOTAL;
    if (c->rule == CONNECT_FIXED_IN_DEGREE || c->rule == CONNECT_FIXED_OUT_DEGREE) {
        c->multiple = roll(2);
        c->number = 1 + roll(c->rule == CONNECT_FIXED_IN_DEGREE ? c->source_count
                                                                : c->target_count);
    }
    if (c->rule == CONNECT_FIXED_TOTAL)
        c->number = 1 + ((uint64_t)roll(1000) << 20);
    if (c->rule == CONNECT_PROBABILITY)
        c->probability = 0.001 * roll(1001);
    c->to_itself = one || roll(2);
    c->same_population = p->source == p->target;
    c->format = (enum weight_format)roll(4);
    c->weight = roll_distribution(c->format == WEIGHT_SAME || roll(2));
    if (c->format == WEIGHT_INT8 || c->format == WEIGHT_INT16) {
        c->scale = 0.25;
        if (c->weight.kind == DISTRIBUTION_CONSTANT)
            c->weight.a = 0.25 * ((int)roll(200) - 100);
    }
    if (one && c->format == WEIGHT_SAME && sources == 1 && targets == 1)
        c->weight = roll_distribution(false), c->format = WEIGHT_FLOAT;
    c->dt = dt;
    c->delay = roll_distribution(roll(2));
    if (c->delay.kind == DISTRIBUTION_CONSTANT && roll(3) == 0) {
        c->delay.a = 0;
        p->immediate = true;
    }
}

static void roll_lists(struct blueprint_projection *p, uint32_t sources, uint32_t targets)
{
    p->synapses = roll(40);
    p->sources = calloc(p->synapses + 1, sizeof *p->sources);
    p->targets = calloc(p->synapses + 1, sizeof *p->targets);
    for (uint64_t i = 0; i < p->synapses; i++) {
        p->sources[i] = roll(sources);
        p->targets[i] = roll(targets);
    }
}

/* From population 0, 2 x 6 x 5, to population 1, of `shape`'s output. */
static void roll_windows(struct blueprint_projection *p, const struct convolution_shape *shape)
{
    p->shape = *shape;
    if (p->kind == LINK_POOLING)
        p->same = roll(2) ? 1.0 / (shape->kernel_height * shape->kernel_width) : roll_number();
    else
        roll_weights(p, (uint64_t)shape->out_channels * (shape->in_channels / shape->groups)
                            * shape->kernel_height * shape->kernel_width);
}

static void roll_projection(struct blueprint *b, enum link_kind kind,
                            const struct convolution_shape *shape)
{
    struct blueprint_projection *p = blueprint_add_projection(b, "a name, \u2192", NULL);
    assert_non_null(p);
    p->kind = kind;
    bool windows = kind == LINK_CONVOLUTION || kind == LINK_POOLING;
    p->source = windows ? 0 : roll(b->population_count);
    p->target = windows ? 1 : 1 + roll(b->population_count - 1);
    if (kind == LINK_DIAGONAL)
        p->source = p->target;
    uint32_t sources = b->populations[p->source].neurons,
             targets = b->populations[p->target].neurons, ports = 0;
    while (b->populations[p->target].model->ports[ports] != NULL)
        ports++;
    p->port = roll(ports);
    if (kind == LINK_RULE)
        roll_rule(p, sources, targets, b->rules.dt);
    if (kind == LINK_LISTS)
        roll_lists(p, sources, targets);
    if (kind == LINK_DENSE)
        roll_weights(p, (uint64_t)sources * targets);
    if (windows)
        roll_windows(p, shape);
    if (kind == LINK_LISTS || kind == LINK_DIAGONAL) {
        uint64_t length = kind == LINK_LISTS ? p->synapses : sources;
        if (roll(2))
            roll_weights(p, length);
        else
            p->same = roll_number();
    }
    if (kind != LINK_RULE)
        roll_delay(p, b->rules.dt, kind == LINK_LISTS ? p->synapses
                                   : kind == LINK_DIAGONAL ? sources : 0);
}

static struct convolution_shape roll_shape(bool pooling)
{
    struct convolution_shape s = {2, 6, 5, pooling ? 2 : 2 * (1 + roll(2)), 0, 0,
                                  1 + roll(3), 1 + roll(3), 1 + roll(2), 1 + roll(2),
                                  roll(2), roll(2), roll(2), roll(2), 1, 1, 1};
    if (!pooling)
        s.dilation_x = 1 + roll(2);
    s.groups = pooling ? 2 : 1 + roll(2);
    struct error error = {0};
    if (!convolution_outputs(&s, &error))
        fail_msg("%s", error.text);
    return s;
}

static struct blueprint *roll_blueprint(void)
{
    size_t length;
    const struct cell_model *const *models = cell_models(&length);
    struct blueprint *b = blueprint_new("rolled");
    assert_non_null(b);
    b->rules = (struct cell_rules){.dt = 1e-5 * (1 + roll(1000)), .integration = roll(3),
        .reset = roll(2), .inclusive = roll(2), .several = roll(2), .late_reset = roll(2),
        .area = roll(3), .raw = roll(2), .single = roll(2),
        .seed = (uint64_t)roll(INT32_MAX) << 32 | roll(INT32_MAX)};
    b->duration = roll(2) ? 0.1 * (1 + roll(100)) : 0;
    bool pooling = roll(2);
    struct convolution_shape shape = roll_shape(pooling);
    roll_population(b, NULL, 2, 6, 5);
    for (int i = 0; i < 3; i++) {
        const struct cell_model *model;
        do
            model = models[roll((uint32_t)length)];
        while (model->ports[0] == NULL);
        if (i == 0)
            roll_population(b, model, shape.out_channels, shape.out_height, shape.out_width);
        else
            roll_population(b, model, 1, 1, 1 + roll(20));
    }
    roll_projection(b, pooling ? LINK_POOLING : LINK_CONVOLUTION, &shape);
    for (uint32_t i = roll(8); i > 0; i--) {
        static const enum link_kind kinds[] = {LINK_RULE, LINK_LISTS, LINK_DENSE, LINK_DIAGONAL};
        roll_projection(b, kinds[roll(4)], NULL);
    }
    b->placement_count = roll(3);
    b->placements = calloc(3, sizeof *b->placements);
    for (uint32_t i = 0; i < b->placement_count; i++)
        b->placements[i] = (struct blueprint_placement){i, 0, 1, roll(9)};
    b->recordings = calloc(1, sizeof *b->recordings);
    if (roll(2) && b->populations[1].model->variables[0].name != NULL) {
        b->recording_count = 1;
        b->recordings[0] = (struct blueprint_recording){1, 0, 1, 2, 1 + roll(9)};
    }
    return b;
}

static void brings_random_networks_back(void **state)
{
    (void)state;
    unsigned kinds = 0, formats = 0, quantities = 0;
    for (int round = 0; round < 300; round++) {
        struct blueprint *b = roll_blueprint();
        comes_back(b);
        for (uint32_t i = 0; i < b->projection_count; i++) {
            kinds |= 1u << b->projections[i].kind;
            formats |= 1u << b->projections[i].format;
        }
        for (uint32_t i = 0; i < CELL_PARAMETERS; i++)
            quantities |= 1u << b->populations[1].parameter[i].kind;
        blueprint_free(b);
    }
    assert_int_equal(kinds, 63); /* the dice have shown everything */
    assert_int_equal(formats, 15);
    assert_int_equal(quantities, 15);
}

static void brings_documents_back(void **state)
{
    (void)state;
    static const char *const documents[] = {
        THREE "}", POPULATION("\"neurons\": 3, \"input\": {\"spikes\": []}"),
        POPULATION("\"model\": \"lif\", \"neurons\": 3, "
                   "\"initial\": {\"v\": [0.1, 1e-310, -1e99]}"),
        LINK("\"from\": \"a\", \"to\": \"a\", \"rule\": {\"one_to_one\": true}, \"weight\": 1, "
             "\"from_neurons\": [0, 2], \"to_neurons\": [1, 2], \"delay\": 0")};
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        struct blueprint *b = text_read(documents[i]);
        comes_back(b);
        blueprint_free(b);
    }
}

static void writes_whole_files_or_none(void **state)
{
    (void)state;
    struct error error = {0};
    struct blueprint *b = text_read(THREE "}");
    assert_false(native_write(b, path_of("out.txt"), &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    error = (struct error){0};
    assert_false(native_write(b, path_of("none/out.json"), &error));
    assert_non_null(strstr(error.text, "cannot be written"));

    remove(path_of("out.json"));
    remove(path_of("out.safetensors"));
    error = (struct error){0};
    b->populations[1].parameter[0] = (struct quantity){.kind = QUANTITY_CONSTANT, .constant = NAN};
    assert_false(native_write(b, path_of("out.json"), &error));
    assert_non_null(strstr(error.text, "'tau' cannot be written"));
    assert_int_not_equal(access(path_of("out.json"), F_OK), 0);
    b->populations[1].parameter[0].constant = 1;

    error = (struct error){0};
    free(b->populations[1].name);
    b->populations[1].name = strdup("b");
    assert_false(native_write(b, path_of("out.json"), &error));
    assert_non_null(strstr(error.text, "two populations called 'b'"));
    assert_int_equal(mkdir(path_of("folder.json"), 0777), 0);
    free(b->populations[1].name);
    b->populations[1].name = strdup("c");
    error = (struct error){0};
    assert_false(native_write(b, path_of("folder.json"), &error));
    blueprint_free(b);
}

static void writes_short_numbers(void **state)
{
    (void)state;
    struct error error = {0};
    struct blueprint *b = text_read(LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": "
                                         "\"all_to_all\", \"weight\": 0.1, \"delay\": 0"));
    assert_true(native_write(b, path_of("out.json"), &error));
    blueprint_free(b);
    char text[2000] = "";
    FILE *file = fopen(path_of("out.json"), "rb");
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    assert_non_null(strstr(text, "\"tick\": 0.001,"));
    assert_non_null(strstr(text, "\"weight\": 0.1,"));
    assert_non_null(strstr(text, "\"delay\": 0.0"));
}

/* What an independent reader of the format must find: offsets without holes, all aligned. */
static void writes_safetensors(void **state)
{
    (void)state;
    const int8_t bytes[3] = {1, -2, 3};
    const double wide[2] = {0.1, -5e300};
    const int16_t shorts[1] = {-7};
    const struct tensor tensors[] = {
        {.name = "b", .dtype = DTYPE_I8, .rank = 1, .shape = {3}, .data = bytes},
        {.name = "w", .dtype = DTYPE_F64, .rank = 2, .shape = {1, 2}, .data = wide},
        {.name = "s", .dtype = DTYPE_I16, .rank = 0, .data = shorts},
        {.name = "e", .dtype = DTYPE_F32, .rank = 1, .shape = {0}}};
    struct error error = {0};
    FILE *file = fopen(path_of("out.safetensors"), "wb+");
    assert_true(safetensors_write(file, "out.safetensors", tensors, 4, &error));
    unsigned char found[512];
    rewind(file);
    size_t length = fread(found, 1, sizeof found, file);
    fclose(file);
    static const char header[] =
        "{\"w\":{\"dtype\":\"F64\",\"shape\":[1,2],\"data_offsets\":[0,16]},"
        "\"e\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[16,16]},"
        "\"s\":{\"dtype\":\"I16\",\"shape\":[],\"data_offsets\":[16,18]},"
        "\"b\":{\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[18,21]}}";
    size_t padded = (sizeof header - 1 + 7) / 8 * 8;
    assert_int_equal(length, 8 + padded + 21);
    assert_true(found[0] == (padded & 255) && found[1] == padded >> 8 && found[2] == 0);
    assert_memory_equal(found + 8, header, sizeof header - 1);
    assert_memory_equal(found + 8 + padded, wide, 16);
    assert_memory_equal(found + 8 + padded + 16, shorts, 2);
    assert_memory_equal(found + 8 + padded + 18, bytes, 3);

    struct tensor_set *set = tensor_set_open(path_of("out.safetensors"), &error);
    assert_non_null(set);
    assert_int_equal(tensor_set_length(set), 4);
    tensor_set_close(set);
    const struct tensor twice[] = {tensors[0], tensors[0]};
    file = fopen(path_of("out.safetensors"), "wb");
    assert_false(safetensors_write(file, "out.safetensors", twice, 2, &error));
    assert_non_null(strstr(error.text, "tensor 'b' cannot be written"));
    fclose(file);
}

/* ------------------------------------------------- schema, models, examples */

static const char *source_path(const char *name)
{
    static char path[4200];
    snprintf(path, sizeof path, "%s/../../%s", golden_folder(), name);
    return path;
}

static json_t *schema_load(void)
{
    json_error_t where;
    json_t *schema = json_load_file(source_path("neurons/import/native/network.schema.json"),
                                    JSON_REJECT_DUPLICATES, &where);
    if (schema == NULL)
        fail_msg("%s: %s, line %d", where.source, where.text, where.line);
    return schema;
}

/* Follows object keys and array indices, "a/b/0". */
static json_t *schema_at(json_t *at, const char *path)
{
    char copy[200], *rest, *key;
    snprintf(copy, sizeof copy, "%s", path);
    for (key = strtok_r(copy, "/", &rest); key != NULL; key = strtok_r(NULL, "/", &rest))
        at = json_is_array(at) ? json_array_get(at, strtoul(key, NULL, 10))
                               : json_object_get(at, key);
    assert_non_null(at);
    return at;
}

/* Every field that the schema lists is one that the reader knows there, and the reader's list,
 * which it gives when asked for an unknown field, has no more of them. */
static void knows_the_fields_of_the_schema(void **state)
{
    (void)state;
    static const struct {
        const char *at, *document; /* %s: where the field goes */
    } objects[] = {
        {"properties", "{\"volley\": 1, %s}"},
        {"$defs/rules/properties", "{\"volley\": 1, \"tick\": 1, \"rules\": {%s}}"},
        {"$defs/projection/properties", THREE ", \"projections\": [{%s}]}"},
        {"$defs/recording/properties", THREE ", \"recordings\": [{%s}]}"},
        {"$defs/placement/properties", THREE ", \"placement\": [{%s}]}"},
        {"$defs/synapses/properties",
         LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": {\"list\": {%s}}")},
        {"$defs/convolution/properties",
         LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": {\"convolution\": {%s}}")},
        {"$defs/pooling/properties",
         LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": {\"pooling\": {%s}}")},
        {"$defs/distribution/properties", POPULATION("\"model\": \"lif\", \"neurons\": 1, "
                                                     "\"parameters\": {\"tau\": {%s}}")},
        {"$defs/spikes/anyOf/1/properties",
         POPULATION("\"neurons\": 1, \"input\": {\"spikes\": {%s}}")},
        {"$defs/population/properties/input/anyOf/1/properties",
         POPULATION("\"neurons\": 1, \"input\": {%s}")},
    };
    json_t *schema = schema_load();
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
        char text[1000];
        struct error error = {0};
        snprintf(text, sizeof text, objects[i].document, "\"no such field\": 0");
        assert_null(native_read(text, strlen(text), NULL, "net.json", &error));
        const char *list = strstr(error.text, "unknown field 'no such field'; there is ");
        if (list == NULL)
            fail_msg("%s: %s", objects[i].at, error.text);
        size_t commas = 0, fields = 0;
        for (const char *c = list; *c != '\0'; c++)
            commas += *c == ',';
        const char *key;
        json_t *value;
        json_object_foreach(schema_at(schema, objects[i].at), key, value) {
            if (strstr(list, key) == NULL)
                fail_msg("%s: the reader does not know '%s': %s", objects[i].at, key, list);
            fields++;
        }
        assert_int_equal(commas + 1, fields);
    }
    json_decref(schema);
}

static void takes_the_words_of_the_schema(void **state)
{
    (void)state;
    static const struct {
        const char *at, *document;
    } words[] = {
        {"$defs/rules/properties/integration/enum", "{\"volley\": 1, \"tick\": 1, \"rules\": "
         "{\"integration\": \"%s\"}, \"populations\": {\"x\": {\"input\": true, \"neurons\": 1}}}"},
        {"$defs/rules/properties/reset/enum", "{\"volley\": 1, \"tick\": 1, \"rules\": "
         "{\"reset\": \"%s\"}, \"populations\": {\"x\": {\"input\": true, \"neurons\": 1}}}"},
        {"$defs/rules/properties/threshold/enum", "{\"volley\": 1, \"tick\": 1, \"rules\": "
         "{\"threshold\": \"%s\"}, \"populations\": {\"x\": {\"input\": true, \"neurons\": 1}}}"},
        {"$defs/rules/properties/spike_area/enum", "{\"volley\": 1, \"tick\": 1, \"rules\": "
         "{\"spike_area\": \"%s\"}, \"populations\": {\"x\": {\"input\": true, \"neurons\": 1}}}"},
    };
    json_t *schema = schema_load(), *value;
    size_t index;
    char text[1000];
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        json_array_foreach(schema_at(schema, words[i].at), index, value) {
            snprintf(text, sizeof text, words[i].document, json_string_value(value));
            blueprint_free(text_read(text));
        }
    json_array_foreach(schema_at(schema, "$defs/projection/properties/type/enum"), index, value) {
        snprintf(text, sizeof text, LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": \"dense\", "
                 "\"weight\": [[1, 2, 3], [4, 5, 6]], \"type\": \"%s\"%s"),
                 json_string_value(value),
                 strncmp(json_string_value(value), "int", 3) == 0 ? ", \"scale\": 1" : "");
        blueprint_free(text_read(text));
    }
    json_array_foreach(schema_at(schema, "$defs/rule/anyOf/0/enum"), index, value) {
        snprintf(text, sizeof text, LINK("\"from\": \"in\", \"to\": \"b\", \"rule\": \"%s\", "
                 "\"weight\": %s"), json_string_value(value),
                 strcmp(json_string_value(value), "dense") == 0 ? "[[1, 2], [3, 4]]" : "1");
        blueprint_free(text_read(text));
    }
    struct error error = {0};
    snprintf(text, sizeof text, LINK("\"from\": \"a\", \"to\": \"b\", \"rule\": \"no such\""));
    assert_null(native_read(text, strlen(text), NULL, "net.json", &error));
    json_array_foreach(schema_at(schema, "$defs/rule/anyOf/1/oneOf"), index, value)
        assert_non_null(strstr(error.text, json_string_value(schema_at(value, "required/0"))));
    json_decref(schema);
}

/* Each parameter, variable and port of each model is taken by its name and set. */
static void takes_every_parameter_of_every_model(void **state)
{
    (void)state;
    size_t length;
    const struct cell_model *const *models = cell_models(&length);
    assert_true(length > 10);
    for (size_t i = 0; i < length; i++) {
        const struct cell_model *model = models[i];
        json_t *parameters = json_object(), *initial = json_object(), *drive = json_object();
        for (int p = 0; model->parameters[p].name != NULL; p++)
            json_object_set_new(parameters, model->parameters[p].name, json_integer(p + 1));
        for (int v = 0; model->variables[v].name != NULL; v++)
            json_object_set_new(initial, model->variables[v].name, json_integer(v + 1));
        for (int d = 0; model->ports[d] != NULL; d++)
            json_object_set_new(drive, model->ports[d], json_integer(d + 1));
        json_t *root = json_pack("{s:i, s:f, s:{s:{s:s, s:i, s:o, s:o, s:o}}}", "volley", 1, "tick",
                                 1e-3, "populations", "x", "model", model->name, "neurons", 2,
                                 "parameters", parameters, "initial", initial, "drive", drive);
        char *text = json_dumps(root, 0);
        struct blueprint *b = text_read(text);
        const struct blueprint_population *x = &b->populations[0];
        assert_ptr_equal(x->model, model);
        for (int p = 0; model->parameters[p].name != NULL; p++)
            assert_true(x->parameter[p].constant == p + 1);
        for (int v = 0; model->variables[v].name != NULL; v++)
            assert_true(x->initial[v].constant == v + 1);
        for (int d = 0; model->ports[d] != NULL; d++)
            assert_true(x->drive[d][1] == d + 1);
        comes_back(b);
        blueprint_free(b);
        free(text);
        json_decref(root);
    }
}

static void reads_the_documents_that_ship(void **state)
{
    (void)state;
    struct error error = {0};
    char path[4200];
    snprintf(path, sizeof path, "%s/brunel/brunel.json", examples_folder());
    struct blueprint *b = native_open(path, &error);
    if (b == NULL)
        fail_msg("%s", error.text);
    assert_true(b->population_count == 4 && b->projection_count == 6);
    assert_true(b->populations[0].neurons == 10000 && b->populations[1].neurons == 2500);
    assert_true(b->projections[2].connection.number == 250
                && b->projections[2].connection.weight.a == -0.5
                && !b->projections[0].connection.to_itself && b->rules.area == AREA_JUMP);
    comes_back(b);
    blueprint_free(b);
    snprintf(path, sizeof path, "%s/cuba/cuba.json", examples_folder());
    b = native_open(path, &error);
    if (b == NULL)
        fail_msg("%s", error.text);
    assert_true(b->populations[0].neurons == 3200 && b->projections[3].port == 1);
    comes_back(b);
    blueprint_free(b);
    snprintf(path, sizeof path, "%s/native/every.json", golden_folder());
    b = native_open(path, &error);
    if (b == NULL)
        fail_msg("%s", error.text);
    assert_int_equal(b->projection_count, 11);
    comes_back(b);
    blueprint_free(b);
}

/* Two documents that differ, or differ in their tensors, have different digests. */
static void digests_document_and_tensors(void **state)
{
    (void)state;
    const char *text = TAU("{\"tensor\": \"row\"}");
    struct blueprint *one = text_read(text), *two = text_read(text);
    assert_string_equal(one->digest, two->digest);
    blueprint_free(two);
    FILE *file = fopen(path_of("net.safetensors"), "rb+");
    fseek(file, -1, SEEK_END);
    putc(77, file);
    fclose(file);
    two = text_read(text);
    assert_string_not_equal(one->digest, two->digest);
    tensors_write();
    blueprint_free(two);
    blueprint_free(one);
}

static void tells_documents_by_name_and_beginning(void **state)
{
    (void)state;
    text_write("net.json", " \n\t{");
    text_write("other.txt", "{");
    text_write("empty.json", " ");
    assert_true(native_is_file(path_of("net.json")));
    assert_false(native_is_file(path_of("other.txt")));
    assert_false(native_is_file(path_of("empty.json")));
    assert_false(native_is_file(path_of("absent.json")));
    assert_false(native_is_file(folder));
    struct error error = {0};
    assert_null(native_open(path_of("absent.json"), &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    error = (struct error){0};
    assert_null(native_open(path_of("net.json"), &error));
    assert_non_null(strstr(error.text, "net.json: line 2, column 2: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_heading_and_rules),
        cmocka_unit_test(reads_every_kind_of_quantity),
        cmocka_unit_test(reads_spikes_as_list_and_as_arrays),
        cmocka_unit_test(reads_connection_rules),
        cmocka_unit_test(reads_synapses_one_by_one),
        cmocka_unit_test(reads_convolution_and_pooling),
        cmocka_unit_test(reads_recordings_and_placement),
        cmocka_unit_test(refuses_what_is_no_document),
        cmocka_unit_test(refuses_wrong_populations),
        cmocka_unit_test(refuses_wrong_spikes),
        cmocka_unit_test(refuses_wrong_tensors),
        cmocka_unit_test(refuses_wrong_projections),
        cmocka_unit_test(refuses_wrong_windows),
        cmocka_unit_test(refuses_wrong_recordings_and_placement),
        cmocka_unit_test(stays_one_sentence_whatever_the_names),
        cmocka_unit_test(brings_random_networks_back),
        cmocka_unit_test(brings_documents_back),
        cmocka_unit_test(writes_whole_files_or_none),
        cmocka_unit_test(writes_short_numbers),
        cmocka_unit_test(writes_safetensors),
        cmocka_unit_test(knows_the_fields_of_the_schema),
        cmocka_unit_test(takes_the_words_of_the_schema),
        cmocka_unit_test(takes_every_parameter_of_every_model),
        cmocka_unit_test(reads_the_documents_that_ship),
        cmocka_unit_test(digests_document_and_tensors),
        cmocka_unit_test(tells_documents_by_name_and_beginning),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
