/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tests of the NIR reader: networks as frameworks write them come out as the populations and
 * projections worked out by hand from reference/write_nir.py, and each way to be broken is refused
 * with a sentence that names the file and the node.
 */
#define _GNU_SOURCE 1
#include "neurons/import/nir/framework.h"
#include "neurons/import/nir/guard.h"
#include "neurons/import/nir/nir.h"
#include "neurons/import/nir/nir_data.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct nir_options plain = {.dt = 1e-3};

static void path_of(char path[4096], const char *name)
{
    const char *folder = getenv("VOLLEY_TEST_DATA");
    assert_true(snprintf(path, 4096, "%s/nir/%s.nir", folder != NULL ? folder : "tests/golden",
                         name) < 4096);
}

static struct blueprint *open_with(const char *name, const struct nir_options *options)
{
    char path[4096];
    struct error error = {0};
    path_of(path, name);
    struct blueprint *blueprint = nir_open(path, options, &error);
    if (blueprint == NULL)
        fail_msg("%s", error.text);
    assert_int_equal(error.code, ERROR_NONE);
    return blueprint;
}

static const struct blueprint_population *population(const struct blueprint *blueprint,
                                                     const char *name)
{
    int64_t index = blueprint_find(blueprint, name);
    if (index < 0)
        fail_msg("no population %s", name);
    return &blueprint->populations[index];
}

/* The only projection between two populations. */
static const struct blueprint_projection *between(const struct blueprint *blueprint,
                                                  const char *source, const char *target)
{
    const struct blueprint_projection *found = NULL;
    int64_t from = blueprint_find(blueprint, source), to = blueprint_find(blueprint, target);
    for (uint32_t i = 0; i < blueprint->projection_count; i++) {
        const struct blueprint_projection *p = &blueprint->projections[i];
        if (p->source != from || p->target != to)
            continue;
        assert_null(found);
        found = p;
    }
    if (found == NULL)
        fail_msg("no projection from %s to %s", source, target);
    return found;
}

static void expect_numbers(const double *values, size_t count, ...)
{
    va_list expected;
    va_start(expected, count);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) {
        double wanted = va_arg(expected, double);
        if (!(fabs(values[i] - wanted) <= 1e-12 * fabs(wanted)))
            fail_msg("number %zu is %.17g instead of %.17g", i, values[i], wanted);
    }
    va_end(expected);
}

/* A parameter that is the same for all neurons. */
static void expect_constant(const struct blueprint_population *p, const char *name, double value)
{
    int place = cell_model_parameter(p->model, name);
    assert_true(place >= 0);
    assert_int_equal(p->parameter[place].kind, QUANTITY_CONSTANT);
    assert_true(p->parameter[place].constant == value);
}

static const double *parameter_array(const struct blueprint_population *p, const char *name)
{
    int place = cell_model_parameter(p->model, name);
    assert_true(place >= 0);
    assert_int_equal(p->parameter[place].kind, QUANTITY_ARRAY);
    assert_int_equal(p->parameter[place].length, p->neurons);
    return p->parameter[place].array;
}

static void expect_wire(const struct blueprint *blueprint, const char *source, const char *target)
{
    const struct blueprint_projection *p = between(blueprint, source, target);
    assert_int_equal(p->kind, LINK_DIAGONAL);
    assert_null(p->weights);
    assert_true(p->same == 1);
    assert_true(p->immediate);
    assert_true(p->delay == 0);
    assert_int_equal(p->port, 0);
}

/* ------------------------------------------------------------------ good files */

static void test_all_cells(void **state)
{
    (void)state;
    struct blueprint *b = open_with("cells", &plain);
    assert_int_equal(b->population_count, 8);
    assert_int_equal(b->projection_count, 10);
    assert_string_equal(b->name, "cells");
    assert_null(population(b, "input")->model);
    static const char *const models[][2] = {
        {"i", "integrator"}, {"if", "if"}, {"li", "li"}, {"lif", "lif"}, {"cubali", "cuba_li"},
        {"cubalif", "cuba_lif"}, {"threshold", "threshold"}};
    for (size_t i = 0; i < 7; i++) {
        assert_string_equal(population(b, models[i][0])->model->name, models[i][1]);
        assert_int_equal(population(b, models[i][0])->neurons, 2);
        assert_int_equal(population(b, models[i][0])->output, strcmp(models[i][0], "cubalif") == 0);
    }
    expect_numbers(parameter_array(population(b, "i"), "r"), 2, 2., 3.);
    expect_constant(population(b, "if"), "r", 1);
    expect_constant(population(b, "if"), "v_reset", 0);
    expect_numbers(parameter_array(population(b, "if"), "v_threshold"), 2, 1., 2.);
    expect_numbers(parameter_array(population(b, "li"), "tau"), 2, .01, .02);
    expect_numbers(parameter_array(population(b, "li"), "v_leak"), 2, 0., .25);
    expect_constant(population(b, "lif"), "tau", .01);
    expect_numbers(parameter_array(population(b, "cubali"), "w_in"), 2, 2., 3.);
    expect_constant(population(b, "cubali"), "tau_syn", (double).005f);
    expect_constant(population(b, "cubalif"), "tau_mem", (double).01f);
    expect_constant(population(b, "cubalif"), "w_in", 1);
    expect_constant(population(b, "cubalif"), "v_reset", 0);
    expect_constant(population(b, "threshold"), "threshold", .5);

    const char *const from_input[] = {"if", "lif"};
    for (size_t i = 0; i < 2; i++) {
        const struct blueprint_projection *p = between(b, "input", from_input[i]);
        assert_int_equal(p->kind, LINK_DENSE);
        assert_int_equal(p->format, WEIGHT_FLOAT);
        expect_numbers(p->weights, 4, 1., 2., 3., 4.);
        expect_numbers(population(b, from_input[i])->drive[0], 2, .5, -.5);
        expect_wire(b, from_input[i], "threshold");
    }
    const char *const middle[] = {"i", "li", "cubali"};
    for (size_t i = 0; i < 3; i++) {
        expect_wire(b, "threshold", middle[i]);
        expect_wire(b, middle[i], "cubalif");
    }
    assert_null(population(b, "threshold")->drive[0]);
    assert_int_equal(b->warning_count, 1); /* the output's shape */
    assert_non_null(strstr(b->warnings[0], "'output'"));
    blueprint_free(b);
}

static void test_image(void **state)
{
    (void)state;
    struct blueprint *b = open_with("image", &plain);
    assert_int_equal(b->population_count, 5);
    assert_int_equal(b->projection_count, 4);
    const struct blueprint_population *one = population(b, "1");
    assert_int_equal(one->neurons, 32);
    assert_int_equal(one->rank, 3);
    assert_int_equal(one->shape[0], 2);
    assert_int_equal(one->shape[2], 4);
    for (uint32_t i = 0; i < 32; i++) {
        assert_true(parameter_array(one, "v_threshold")[i] == (i < 16 ? 1 : 2));
        assert_true(one->drive[0][i] == (i < 16 ? .5 : -1));
    }
    expect_constant(one, "r", 1);
    const struct blueprint_projection *conv = between(b, "input", "1");
    assert_int_equal(conv->kind, LINK_CONVOLUTION);
    assert_int_equal(conv->shape.padding_top, 1);
    assert_int_equal(conv->shape.padding_right, 1);
    assert_int_equal(conv->shape.out_width, 4);
    assert_int_equal(conv->shape.out_channels, 2);
    for (int i = 0; i < 18; i++)
        assert_true(conv->weights[i] == i + 1);
    const struct blueprint_projection *sum = between(b, "1", "3"), *mean = between(b, "3", "4");
    assert_int_equal(sum->kind, LINK_POOLING);
    assert_true(sum->same == 1);
    assert_int_equal(sum->shape.groups, 2);
    assert_int_equal(sum->shape.kernel_height, 2);
    assert_int_equal(sum->shape.stride_x, 2);
    /* the average pool counts; what it divides by is in the weights after it */
    assert_string_equal(population(b, "4")->model->name, "graded");
    assert_true(mean->same == 1);
    const struct blueprint_projection *dense = between(b, "4", "6");
    expect_numbers(dense->weights, 6, .25, .5, .75, 1., 1.25, 1.5);
    assert_string_equal(population(b, "6")->model->name, "relay");
    assert_true(population(b, "6")->output);
    assert_null(population(b, "6")->drive[0]); /* biases of 0 */
    blueprint_free(b);
}

static void test_convolutions(void **state)
{
    (void)state;
    struct blueprint *b = open_with("convolutions", &plain);
    const struct convolution_shape *a = &between(b, "input", "x")->shape;
    assert_int_equal(a->in_channels, 2);
    assert_int_equal(a->in_height, 5);
    assert_int_equal(a->in_width, 5);
    assert_int_equal(a->out_height, 2);
    assert_int_equal(a->groups, 2);
    assert_int_equal(a->stride_y, 2);
    assert_int_equal(a->padding_left, 0);
    assert_int_equal(population(b, "x")->neurons, 8);
    const struct convolution_shape *line = &between(b, "x", "y")->shape;
    assert_int_equal(line->in_height, 1);
    assert_int_equal(line->in_width, 8);
    assert_int_equal(line->kernel_height, 1);
    assert_int_equal(line->kernel_width, 3);
    assert_int_equal(line->padding_left, 1);
    assert_int_equal(line->padding_top, 0);
    assert_int_equal(line->out_width, 8);
    assert_int_equal(population(b, "y")->neurons, 24);
    assert_int_equal(population(b, "y")->rank, 2);
    blueprint_free(b);
}

/* weights [[1, 2], [3, 4]]: columns by (2, 3), rows by (10, 100); the bias by (10, 100). */
static void test_scales_and_delays(void **state)
{
    (void)state;
    struct blueprint *b = open_with("scales", &plain);
    const struct blueprint_projection *p = between(b, "input", "x");
    expect_numbers(p->weights, 4, 20., 60., 600., 1200.);
    expect_numbers(population(b, "x")->drive[0], 2, 10., 100.);
    assert_true(p->immediate); /* a delay of 0 */
    p = between(b, "x", "y");
    assert_false(p->immediate);
    assert_true(p->delay == .003);
    assert_null(p->delays);
    p = between(b, "y", "z");
    assert_int_equal(p->kind, LINK_DIAGONAL);
    assert_true(p->same == .5);
    expect_numbers(p->delays, 2, .001, .002);
    assert_true(p->delay == .001);
    assert_false(p->immediate);
    /* delays by element cannot be in a dense projection */
    assert_string_equal(population(b, "d4")->model->name, "graded");
    expect_numbers(between(b, "z", "d4")->delays, 2, .001, .002);
    expect_numbers(between(b, "d4", "v")->weights, 4, 1., 2., 3., 4.);
    assert_true(between(b, "d4", "v")->immediate);
    blueprint_free(b);
}

static void test_chain_and_read_out(void **state)
{
    (void)state;
    struct blueprint *b = open_with("chain", &plain);
    assert_string_equal(population(b, "a")->model->name, "relay");
    expect_numbers(population(b, "a")->drive[0], 2, 1., 2.);
    expect_numbers(between(b, "input", "a")->weights, 6, 1., 2., 3., 4., 5., 6.);
    expect_numbers(between(b, "a", "x")->weights, 4, 1., 2., 3., 4.);
    assert_string_equal(between(b, "a", "x")->name, "b");
    assert_null(population(b, "x")->drive[0]);
    assert_false(population(b, "x")->output);
    assert_string_equal(population(b, "c")->model->name, "relay");
    assert_true(population(b, "c")->output);
    expect_numbers(population(b, "c")->drive[0], 1, 3.);
    blueprint_free(b);
}

static void test_pools(void **state)
{
    (void)state;
    struct blueprint *b = open_with("pools", &plain);
    assert_int_equal(between(b, "input", "n")->kind, LINK_POOLING);
    assert_true(between(b, "input", "n")->same == .25);
    assert_int_equal(population(b, "n")->neurons, 4);
    assert_string_equal(population(b, "a")->model->name, "relay");
    expect_numbers(population(b, "a")->drive[0], 2, 1., 2.);
    assert_null(population(b, "m")->drive[0]);
    assert_true(between(b, "a", "m")->delay == .003);
    assert_true(between(b, "a", "m")->same == 1);
    blueprint_free(b);
}

static void test_nested(void **state)
{
    (void)state;
    struct blueprint *b = open_with("nested", &plain);
    assert_int_equal(b->population_count, 3);
    assert_int_equal(b->projection_count, 3);
    assert_true(between(b, "input", "rnn.lif")->immediate);
    const struct blueprint_projection *loop = between(b, "rnn.lif", "rnn.lif");
    assert_string_equal(loop->name, "rnn.w_rec");
    assert_false(loop->immediate);
    assert_true(loop->delay == 1e-3);
    assert_int_equal(loop->kind, LINK_DENSE);
    expect_numbers(loop->weights, 9, 1., 2., 3., 4., 5., 6., 7., 8., 9.);
    expect_numbers(between(b, "rnn.lif", "last")->weights, 3, 1., 2., 3.);
    assert_true(population(b, "last")->output);
    blueprint_free(b);
}

static void test_old(void **state)
{
    (void)state;
    struct blueprint *b = open_with("old", &plain);
    assert_int_equal(b->population_count, 2);
    expect_numbers(between(b, "input", "1")->weights, 1, 2.);
    expect_constant(population(b, "1"), "v_reset", 0);
    expect_constant(population(b, "1"), "v_threshold", (double).1f);
    assert_true(population(b, "1")->output);
    blueprint_free(b);
}

static void test_loops(void **state)
{
    (void)state;
    struct blueprint *b = open_with("loops", &plain);
    assert_int_equal(b->projection_count, 6);
    expect_wire(b, "input", "a");
    expect_wire(b, "a", "b");
    expect_wire(b, "b", "c");
    assert_false(between(b, "c", "a")->immediate);
    assert_true(between(b, "c", "a")->delay == 1e-3);
    expect_numbers(between(b, "c", "a")->weights, 1, 2.);
    assert_true(between(b, "b", "b")->delay == 1e-3);
    assert_true(between(b, "c", "b")->delay == .005); /* its own delay is more than a tick */
    blueprint_free(b);
}

/* Every layer takes a tick; what only passes on belongs to the next layer. */
static void test_pipeline(void **state)
{
    (void)state;
    struct nir_options options = plain;
    options.pipeline = true;
    struct blueprint *b = open_with("scales", &options);
    assert_true(between(b, "input", "x")->delay == 1e-3);
    assert_false(between(b, "input", "x")->immediate);
    assert_true(fabs(between(b, "x", "y")->delay - .004) < 1e-15);
    expect_numbers(between(b, "y", "z")->delays, 2, .002, .003);
    expect_numbers(between(b, "z", "d4")->delays, 2, .001, .002);
    assert_true(between(b, "d4", "v")->delay == 1e-3);
    blueprint_free(b);
}

static void test_order_and_rules(void **state)
{
    (void)state;
    struct nir_options options = {.dt = 1e-4, .rules = {.reset = RESET_SUBTRACT, .dt = 7}};
    struct blueprint *b = open_with("cells", &options);
    assert_true(b->rules.dt == 1e-4);
    assert_int_equal(b->rules.reset, RESET_SUBTRACT);
    for (uint32_t i = 0; i < b->projection_count; i++)
        assert_true(b->projections[i].source < b->projections[i].target);
    char digest[17];
    memcpy(digest, b->digest, sizeof digest);
    blueprint_free(b);
    b = open_with("cells", &plain);
    assert_string_equal(b->digest, digest);
    blueprint_free(b);
    b = open_with("old", &plain);
    assert_string_not_equal(b->digest, digest);
    blueprint_free(b);
    b = open_with("fast", &options); /* tau 1e-5 */
    assert_int_equal(b->warning_count, 1);
    assert_non_null(strstr(b->warnings[0], "'n': tau is 1e-05 s, less than a tick"));
    blueprint_free(b);
    struct error error = {0};
    options.dt = 0;
    assert_null(nir_read("", 0, "x", &options, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
}

/* ---------------------------------------------------------------- broken files */

static void test_broken(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"edge", "names 'ghost', which is not there"},
        {"twice", "'n': the edge to 'output' is there twice"},
        {"type", "'n': type 'Izhikevich' is not known"},
        {"shape", "'fc': takes shape (4), but 'input', which leads to it, gives (2)"},
        {"parameter_shape", "'n': its parameters have shape (2), but what leads to it has (3)"},
        {"weight", "'fc': weight has 1 dimensions"},
        {"bias", "'fc': bias has 2 numbers, but weight has 3"},
        {"nan", "'n': r[1] is not a number"},
        {"infinite", "'n': v_threshold[2] is infinite"},
        {"tau", "'n': tau[1] is 0"},
        {"missing", "'n': dataset 'tau' is missing"},
        {"no_input", "has no Input node"},
        {"no_neurons", "has no neurons"},
        {"loop", "'d': lies on a loop of edges"},
        {"into_input", "nothing goes into an Input"},
        {"name", "'a.b': is there twice"},
        {"two_inputs", "'g': is a graph with several Input nodes"},
        {"delay", "'d': delay[0] is -1 s"},
        {"padding", "'c': padding 'mirror' is not known"},
        {"stride", "'c': stride is 0"},
        {"window", "'c': "},
        {"size", "'input': shape has more than 2147483647 elements"},
        {"delay_values", "'d': its delays differ"},
        {"deep", "more than 16 deep"},
        {"cycle", "more than 16 deep"},
        {"bomb", "'fc': dataset 'weight' is larger than the file"},
        {"external", "'n' is not a group of this file"},
        {"soft", "'n' is not a group of this file"},
        {"empty", "group 'node' is missing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[64], path[4096];
        struct error error = {0};
        snprintf(name, sizeof name, "broken_%s", cases[i][0]);
        path_of(path, name);
        assert_true(nir_is_file(path));
        assert_null(nir_open(path, &plain, &error));
        if (error.code != ERROR_FAILED || strstr(error.text, cases[i][1]) == NULL
            || strstr(error.text, name) == NULL || strchr(error.text, '\n') != NULL)
            fail_msg("%s: %s", name, error.text);
    }
}

static void test_no_hdf5(void **state)
{
    (void)state;
    char path[4096];
    struct error error = {0};
    path_of(path, "../../test_nir");
    assert_false(nir_is_file(path));
    assert_null(nir_open(path, &plain, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    error = (struct error){0};
    assert_null(nir_read("{\"text\": 1}", 11, "some.nir", &plain, &error));
    assert_non_null(strstr(error.text, "some.nir: is not an HDF5 file"));
}

static unsigned char *file_load(const char *name, size_t *length)
{
    char path[4096];
    path_of(path, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *length = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(*length);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *length, file), *length);
    fclose(file);
    return bytes;
}

/* Reads what may be anything: either a network or a sentence. */
static bool damaged_read(const char *path, const unsigned char *bytes, size_t length)
{
    struct error error = {0};
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    struct blueprint *blueprint = nir_open(path, &plain, &error);
    assert_int_equal(blueprint == NULL, error.code != ERROR_NONE);
    bool read = blueprint != NULL;
    blueprint_free(blueprint);
    return read;
}

static void test_truncated(void **state)
{
    (void)state;
    char path[400];
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/volley_test_nir_XXXXXX", folder != NULL ? folder : "/tmp");
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    size_t length;
    unsigned char *bytes = file_load("old", &length);
    for (size_t cut = 0; cut < length; cut += 97)
        assert_false(damaged_read(path, bytes, cut));
    assert_true(damaged_read(path, bytes, length));
    free(bytes);
    unlink(path);
}

static bool flipped_try(void *data, struct error *error)
{
    struct error fault = {0};
    struct blueprint *blueprint = nir_open(data, &plain, &fault);
    bool said = (blueprint == NULL) == (fault.code != ERROR_NONE);
    blueprint_free(blueprint);
    return said || error_set(error, ERROR_FAILED, "neither a network nor a sentence");
}

/* Some of these bring the library down: in a child process, so that we see a sentence. All of it
 * runs in one more, as the library loses memory over others. */
static void test_flipped_bits(void **state)
{
    (void)state;
    static const char *const names[] = {"old", "image"};
    char path[] = "/tmp/volley_test_nir_XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    for (size_t n = 0; n < 2; n++) {
        size_t length;
        unsigned char *bytes = file_load(names[n], &length);
        for (size_t i = 0; i < 200; i++) {
            struct error error = {0};
            size_t at = i * 7919 % length;
            bytes[at] ^= (unsigned char)(1u << i % 8);
            assert_int_equal(pwrite(descriptor, bytes, length, 0), length);
            assert_int_equal(ftruncate(descriptor, (off_t)length), 0);
            if (!guard_try(flipped_try, path, path, 60, &error))
                fail_msg("bit %zu of byte %zu of %s: %s", i % 8, at, names[n], error.text);
            bytes[at] ^= (unsigned char)(1u << i % 8);
        }
        free(bytes);
    }
    close(descriptor);
    unlink(path);
}

static bool raise_signal(void *data, struct error *error)
{
    (void)error;
    return raise(*(int *)data) == 0;
}

static bool spin(void *data, struct error *error)
{
    (void)error;
    for (volatile int *forever = data; *forever != 0;)
        ;
    return true;
}

static bool return_at_once(void *data, struct error *error)
{
    int *number = data;
    *number -= 1; /* the child's own */
    return *number == 0 || error_set(error, ERROR_MISUSED, "not one but %d", *number + 1);
}

static void test_guard(void **state)
{
    (void)state;
    int signals[] = {SIGSEGV, SIGABRT, SIGFPE}, one = 1;
    for (size_t i = 0; i < 3; i++) {
        struct error error = {0};
        assert_false(guard_try(raise_signal, &signals[i], "some.nir", 5, &error));
        assert_non_null(strstr(error.text, "some.nir: is damaged"));
    }
    struct error error = {0};
    assert_false(guard_try(spin, &one, "some.nir", 1, &error));
    assert_true(guard_try(return_at_once, &one, "some.nir", 5, NULL));
    assert_int_equal(one, 1);
    error = (struct error){0};
    assert_false(guard_try(return_at_once, &signals[0], "some.nir", 5, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    assert_string_equal(error.text, "not one but 11");
}

/* ------------------------------------------------------------------- frameworks */

static void test_frameworks(void **state)
{
    (void)state;
    size_t count;
    const struct framework *all = frameworks(&count);
    assert_int_equal(count, 7);
    struct error error = {0};
    for (size_t i = 0; i < count; i++)
        assert_ptr_equal(framework_find(all[i].name, &error), &all[i]);
    assert_true(framework_find("lava", &error)->pipeline);
    assert_true(framework_find("snntorch", &error)->rules.single);
    assert_int_equal(framework_find("rockpool", &error)->rules.reset, RESET_SUBTRACT);
    assert_null(framework_find("keras", &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    assert_non_null(strstr(error.text, "'keras'"));
}

/* ---------------------------------------------------------------------- NIRData */

static void expect_spikes(const struct nir_data *data, size_t count,
                          const struct timed_spike *expected)
{
    assert_int_equal(data->spike_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(data->spikes[i].tick, expected[i].tick);
        assert_int_equal(data->spikes[i].neuron, expected[i].neuron);
        assert_int_equal(data->spikes[i].payload, expected[i].payload);
    }
}

static void test_data_read(void **state)
{
    (void)state;
    char path[4096];
    struct error error = {0};
    struct nir_data data;
    path_of(path, "data");
    assert_true(nir_data_is_file(path));
    assert_true(nir_data_read(path, "grid", 1e-3, &data, &error));
    assert_int_equal(data.samples, 2);
    assert_int_equal(data.ticks, 3);
    assert_int_equal(data.neurons, 2);
    for (int i = 0; i < 12; i++)
        assert_true(data.values[i] == i);
    nir_data_free(&data);

    assert_true(nir_data_read(path, "flags", 1e-3, &data, &error));
    expect_spikes(&data, 2, (struct timed_spike[]){{0, 0, 1}, {1, 1, 1}});
    assert_null(data.values);
    nir_data_free(&data);

    assert_true(nir_data_read(path, "events", 1e-3, &data, &error));
    assert_int_equal(data.samples, 2);
    assert_int_equal(data.neurons, 3);
    assert_int_equal(data.ticks, 4);
    expect_spikes(&data, 4, (struct timed_spike[]){{1, 0, 1}, {1, 2, 1}, {3, 1, 1}, {0, 2, 1}});
    assert_int_equal(data.sample_start[1], 3);
    assert_int_equal(data.sample_start[2], 4);
    nir_data_free(&data);

    assert_true(nir_data_read(path, "valued", 1e-3, &data, &error));
    expect_spikes(&data, 2, (struct timed_spike[]){{0, 0, 3}, {2, 1, -2}});
    assert_int_equal(data.ticks, 10);
    nir_data_free(&data);

    assert_false(nir_data_read(path, "grid", 1e-4, &data, &error));
    assert_non_null(strstr(error.text, "node 'grid': was recorded with a dt of 0.001 s"));
    error = (struct error){0};
    assert_false(nir_data_read(path, "nobody", 1e-3, &data, &error));
    assert_non_null(strstr(error.text, "node 'nobody'"));
    error = (struct error){0};
    assert_false(nir_data_read(path, NULL, 1e-3, &data, &error));
    assert_non_null(strstr(error.text, "holds 4 nodes"));
    path_of(path, "old");
    assert_false(nir_data_is_file(path));
}

static void test_data_write(void **state)
{
    (void)state;
    char path[] = "/tmp/volley_test_nir_XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    const struct timed_spike spikes[] = {{0, 1, 1}, {5, 0, 1}}, graded[] = {{2, 2, -7}};
    const double values[] = {.1, .2, .3, .4, .5, 1. / 3};
    const struct nir_series series[] = {
        {"a", "spikes", 2, 6, spikes, 2, NULL}, {"a", "v", 2, 3, NULL, 0, values},
        {"b.c", "spikes", 3, 6, graded, 1, NULL}, {"d", "spikes", 4, 6, NULL, 0, NULL},
        {"e", "v", 2, 3, NULL, 0, values},
    };
    struct error error = {0};
    struct nir_data data;
    assert_true(nir_data_write(path, series, 5, 1e-4, &error));
    assert_true(nir_data_is_file(path));
    assert_true(nir_data_read(path, "a", 1e-4, &data, &error));
    expect_spikes(&data, 2, spikes);
    assert_int_equal(data.ticks, 6);
    nir_data_free(&data);
    assert_true(nir_data_read(path, "b.c", 1e-4, &data, &error));
    expect_spikes(&data, 1, graded);
    nir_data_free(&data);
    assert_true(nir_data_read(path, "d", 1e-4, &data, &error));
    assert_int_equal(data.spike_count, 0);
    assert_int_equal(data.neurons, 4);
    nir_data_free(&data);
    assert_true(nir_data_read(path, "e", 1e-4, &data, &error));
    assert_memory_equal(data.values, values, sizeof values);
    nir_data_free(&data);
    char part[64];
    snprintf(part, sizeof part, "%s.part", path);
    assert_int_not_equal(access(part, F_OK), 0);
    unlink(path);
    assert_false(nir_data_write("/nowhere/at/all", series, 5, 1e-4, &error));
    assert_non_null(strstr(error.text, "/nowhere/at/all: cannot be written"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_cells),
        cmocka_unit_test(test_image),
        cmocka_unit_test(test_convolutions),
        cmocka_unit_test(test_scales_and_delays),
        cmocka_unit_test(test_chain_and_read_out),
        cmocka_unit_test(test_pools),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_old),
        cmocka_unit_test(test_loops),
        cmocka_unit_test(test_pipeline),
        cmocka_unit_test(test_order_and_rules),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_no_hdf5),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_frameworks),
        cmocka_unit_test(test_data_read),
        cmocka_unit_test(test_data_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
