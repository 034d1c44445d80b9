/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Convolution and pooling by event against the dense cross-correlation written out: the
 * input is padded, the kernel laid over it at every output, and the products summed in float64.
 * (Where bits are compared, they are those of one split of the targets against another's, or small
 * whole numbers.)
 */
#include "neurons/delivery/convolution.h"
#include "tests/delivery_rig.h"

#include <math.h>

/* ---- the plain way ---- */

static uint32_t in_neurons(const struct convolution_shape *shape)
{
    return shape->in_channels * shape->in_height * shape->in_width;
}

static uint32_t out_neurons(const struct convolution_shape *shape)
{
    return shape->out_channels * shape->out_height * shape->out_width;
}

static size_t weight_count(const struct convolution_shape *shape)
{
    return (size_t)shape->out_channels * (shape->in_channels / shape->groups) *
           shape->kernel_height * shape->kernel_width;
}

/* Calls nothing of the code: the sum at one output, or (fan_out) 1 added for each non-zero
 * weight. */
static double correlate_at(const struct convolution_shape *shape, const float *weights,
                           const double *input, uint32_t out, int64_t y, int64_t x,
                           uint32_t *fan_out)
{
    uint32_t ins = shape->in_channels / shape->groups, outs = shape->out_channels / shape->groups;
    double sum = 0;
    for (uint32_t c = 0; c < ins; c++) {
        for (uint32_t ky = 0; ky < shape->kernel_height; ky++) {
            for (uint32_t kx = 0; kx < shape->kernel_width; kx++) {
                int64_t iy =
                    y * shape->stride_y + (int64_t)ky * shape->dilation_y - shape->padding_top;
                int64_t ix =
                    x * shape->stride_x + (int64_t)kx * shape->dilation_x - shape->padding_left;
                if (iy < 0 || iy >= shape->in_height || ix < 0 || ix >= shape->in_width)
                    continue;
                size_t place = ((out / outs * ins + c) * (size_t)shape->in_height + (size_t)iy) *
                                   shape->in_width + (size_t)ix;
                float weight = weights[((out * (size_t)ins + c) * shape->kernel_height + ky) *
                                           shape->kernel_width + kx];
                sum += weight * input[place];
                fan_out[place] += weight != 0;
            }
        }
    }
    return sum;
}

static void correlate(const struct convolution_shape *shape, const float *weights,
                      const double *input, double *output, uint32_t *fan_out)
{
    for (uint32_t o = 0; o < shape->out_channels; o++)
        for (uint32_t y = 0; y < shape->out_height; y++)
            for (uint32_t x = 0; x < shape->out_width; x++)
                *output++ = correlate_at(shape, weights, input, o, y, x, fan_out);
}

/* Output length as the texts of PyTorch give it. */
static int64_t output_length(int64_t in, int64_t padding, int64_t kernel, int64_t dilation,
                             int64_t stride)
{
    return (int64_t)floor((double)(in + padding - dilation * (kernel - 1) - 1) / (double)stride) +
           1;
}

/* ---- comparing ---- */

struct trial {
    struct convolution_shape shape;
    float *weights;
    double *input;      /* [in] */
    struct spike *spikes; /* [in]: the input, if it is whole numbers, shuffled */
    uint32_t spike_count;
    double *output;     /* [out] */
    uint32_t *fan_out;  /* [in] */
};

static void draw_trial(struct trial *trial, const struct convolution_shape *shape, bool pooled,
                       double same)
{
    uint32_t in = in_neurons(shape), out = out_neurons(shape);
    size_t weights = weight_count(shape);
    *trial = (struct trial){.shape = *shape,
                            .weights = malloc(weights * sizeof(float)),
                            .input = calloc(in, sizeof(double)),
                            .spikes = malloc(in * sizeof(struct spike)),
                            .output = malloc(out * sizeof(double)),
                            .fan_out = calloc(in, sizeof(uint32_t))};
    for (size_t k = 0; k < weights; k++)
        trial->weights[k] = pooled ? (float)same : random_below(4) == 0 ? 0 : (float)random_value();
    for (uint32_t i = 0; i < in; i++)
        if (random_below(3) == 0)
            trial->input[i] = (int32_t)random_below(9) - 4;
    for (uint32_t i = 0; i < in; i++)
        if (trial->input[i] != 0)
            trial->spikes[trial->spike_count++] = (struct spike){i, (int32_t)trial->input[i]};
    for (uint32_t i = trial->spike_count; i > 1; i--) {
        uint32_t j = random_below(i);
        struct spike spike = trial->spikes[j];
        trial->spikes[j] = trial->spikes[i - 1];
        trial->spikes[i - 1] = spike;
    }
    correlate(shape, trial->weights, trial->input, trial->output, trial->fan_out);
}

static void free_trial(struct trial *trial)
{
    free(trial->weights);
    free(trial->input);
    free(trial->spikes);
    free(trial->output);
    free(trial->fan_out);
}

static void assert_close(const struct trial *trial, const double *got)
{
    for (uint32_t t = 0; t < out_neurons(&trial->shape); t++)
        if (!(fabs(got[t] - trial->output[t]) <= 1e-11))
            fail_msg("target %u: %.17g, not %.17g", t, got[t], trial->output[t]);
}

/* Blocks that hold a target that some event reaches: found by an input of ones on a kernel of
 * ones. */
static void find_touched(const struct trial *trial, uint8_t *touched)
{
    struct trial ones;
    struct convolution_shape shape = trial->shape;
    draw_trial(&ones, &shape, true, 1);
    for (uint32_t i = 0; i < in_neurons(&shape); i++)
        ones.input[i] = trial->input[i] != 0;
    correlate(&shape, ones.weights, ones.input, ones.output, ones.fan_out);
    for (uint32_t t = 0; t < out_neurons(&shape); t++)
        if (ones.output[t] != 0)
            touched[t / 64] = 1;
    free_trial(&ones);
}

static void compare_trial(const struct trial *trial, const struct projection_kind *kind,
                          void *convolution, bool counts)
{
    uint32_t in = in_neurons(&trial->shape), out = out_neurons(&trial->shape);
    struct rig rig;
    rig_fill(&rig, kind, convolution, in, out, (struct rig_port){1, counts, true, 0.5, 1});
    rig_prepare(&rig);
    struct delivery delivery = {.lanes = 1, .spikes = trial->spikes,
                                .spike_count = trial->spike_count};
    double *got = malloc(out * sizeof *got);
    int32_t *count = malloc(out * sizeof *count);
    uint8_t *touched = calloc(rig.blocks, 1);
    for (uint32_t t = 0; t < out; t++)
        count[t] = (int32_t)(trial->output[t] / 0.5);
    find_touched(trial, touched);
    rig_deliver(&rig, &delivery, 1);
    if (!counts) {
        assert_close(trial, rig.port.current);
        memcpy(got, rig.port.current, out * sizeof *got);
    }
    for (uint32_t parts = 1; parts < 6; parts++) {
        rig_clear(&rig);
        rig_deliver(&rig, &delivery, parts);
        rig_assert(&rig, got, count, touched);
    }
    if (!counts) {
        rig_clear(&rig);
        rig_deliver(&rig, &(struct delivery){.lanes = 1, .values = trial->input}, 2);
        assert_close(trial, rig.port.current);
    }
    convolution_describe(&rig.projection);
    uint64_t synapses = 0;
    for (uint32_t i = 0; i < in; i++)
        synapses += trial->fan_out[i];
    assert_memory_equal(rig.projection.fan_out, trial->fan_out, in * sizeof(uint32_t));
    assert_int_equal(rig.projection.synapses, synapses);
    free(got);
    free(count);
    free(touched);
    rig_free(&rig);
}

static void compare_convolution(struct convolution_shape shape)
{
    struct error error = {0};
    if (!convolution_outputs(&shape, &error))
        fail_msg("%s", error.text);
    struct trial trial;
    draw_trial(&trial, &shape, false, 0);
    void *convolution = convolution_new(&shape, trial.weights, &error);
    assert_non_null(convolution);
    compare_trial(&trial, &projection_convolution, convolution, false);
    free_trial(&trial);
}

static void compare_pooling(struct convolution_shape shape, double weight, bool counts)
{
    struct error error = {0};
    if (!convolution_outputs(&shape, &error))
        fail_msg("%s", error.text);
    struct trial trial;
    draw_trial(&trial, &shape, true, weight);
    void *pooling = pooling_new(&shape, weight, &error);
    assert_non_null(pooling);
    compare_trial(&trial, &projection_pooling, pooling, counts);
    free_trial(&trial);
}

/* A shape with at least one output, along one axis if `flat`. */
static struct convolution_shape draw_shape(bool flat, bool pooled)
{
    for (;;) {
        struct convolution_shape shape = {
            .groups = 1 + random_below(3),
            .in_height = flat ? 1 : 1 + random_below(11), .in_width = 1 + random_below(11),
            .kernel_height = flat ? 1 : 1 + random_below(5), .kernel_width = 1 + random_below(5),
            .stride_y = 1 + random_below(4), .stride_x = 1 + random_below(4),
            .dilation_y = 1 + random_below(4), .dilation_x = 1 + random_below(4),
            .padding_top = flat ? 0 : random_below(5), .padding_bottom = flat ? 0 : random_below(5),
            .padding_left = random_below(5), .padding_right = random_below(5)};
        shape.in_channels = shape.groups * (pooled ? 1 : 1 + random_below(3));
        shape.out_channels = shape.groups * (pooled ? 1 : 1 + random_below(4));
        int64_t height = output_length(shape.in_height, shape.padding_top + shape.padding_bottom,
                                       shape.kernel_height, shape.dilation_y, shape.stride_y);
        int64_t width = output_length(shape.in_width, shape.padding_left + shape.padding_right,
                                      shape.kernel_width, shape.dilation_x, shape.stride_x);
        struct error error = {0};
        bool good = convolution_outputs(&shape, &error);
        assert_int_equal(good, height > 0 && width > 0);
        if (!good)
            continue;
        assert_int_equal(shape.out_height, height);
        assert_int_equal(shape.out_width, width);
        return shape;
    }
}

static void random_shapes_equal_the_dense_way(void **state)
{
    (void)state;
    for (int i = 0; i < 400; i++)
        compare_convolution(draw_shape(i % 4 == 0, false));
}

static void chosen_shapes_equal_the_dense_way(void **state)
{
    (void)state;
    struct convolution_shape plain = {
        .in_channels = 2, .in_height = 28, .in_width = 28, .out_channels = 5, .kernel_height = 5,
        .kernel_width = 5, .stride_y = 1, .stride_x = 1, .dilation_y = 1, .dilation_x = 1,
        .groups = 1};
    compare_convolution(plain);
    struct convolution_shape shape = plain; /* dilation 2, stride 3, asymmetric padding */
    shape.stride_y = shape.stride_x = 3;
    shape.dilation_y = shape.dilation_x = 2;
    shape.padding_top = 3;
    shape.padding_right = 1;
    compare_convolution(shape);
    shape = plain; /* stride and dilation share a divisor */
    shape.stride_y = 4;
    shape.dilation_y = 6;
    shape.padding_top = shape.padding_bottom = 9;
    compare_convolution(shape);
    shape = plain; /* a kernel larger than the input */
    shape.in_height = 3;
    shape.in_width = 2;
    shape.padding_top = shape.padding_left = shape.padding_bottom = shape.padding_right = 4;
    compare_convolution(shape);
    shape = plain; /* depthwise, 1 x 1, strides that leave inputs out */
    shape.out_channels = shape.groups = 2;
    shape.kernel_height = shape.kernel_width = 1;
    shape.stride_x = 5;
    compare_convolution(shape);
}

static void pooling_equals_the_dense_way(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        struct convolution_shape shape = draw_shape(i % 4 == 0, true);
        compare_pooling(shape, 1, false);
        compare_pooling(shape, 0.25, false);
        compare_pooling(shape, -1.5, true);
    }
}

/* A worked example by hand: 3 x 3 input, 2 x 2 kernel, one spike in the middle. */
static void the_kernel_is_not_flipped(void **state)
{
    (void)state;
    struct convolution_shape shape = {
        .in_channels = 1, .in_height = 3, .in_width = 3, .out_channels = 1, .kernel_height = 2,
        .kernel_width = 2, .stride_y = 1, .stride_x = 1, .dilation_y = 1, .dilation_x = 1,
        .groups = 1};
    static const float weights[] = {1, 2, 3, 4};
    struct error error = {0};
    struct rig rig;
    rig_fill(&rig, &projection_convolution, convolution_new(&shape, weights, &error), 9, 4,
             (struct rig_port){1, false, false, 1, 1});
    rig_prepare(&rig);
    struct spike spike = {4, 10};
    rig_deliver(&rig, &(struct delivery){.lanes = 1, .spikes = &spike, .spike_count = 1}, 1);
    static const double expected[] = {40, 30, 20, 10};
    rig_assert(&rig, expected, NULL, NULL);
    rig_free(&rig);
}

/* ---- refusals ---- */

static struct convolution_shape small_shape(void)
{
    return (struct convolution_shape){
        .in_channels = 2, .in_height = 4, .in_width = 4, .out_channels = 2, .kernel_height = 2,
        .kernel_width = 2, .stride_y = 1, .stride_x = 1, .dilation_y = 1, .dilation_x = 1,
        .groups = 2};
}

static void refuse_shape(struct convolution_shape shape, const char *words)
{
    struct error error = {0};
    assert_false(convolution_outputs(&shape, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    if (strstr(error.text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, words);
}

#define REFUSE_SHAPE(field, value, words)                                                          \
    do {                                                                                           \
        struct convolution_shape shape_ = small_shape();                                           \
        shape_.field = (value);                                                                    \
        refuse_shape(shape_, words);                                                               \
    } while (0)

static void senseless_shapes_are_refused(void **state)
{
    (void)state;
    REFUSE_SHAPE(stride_y, 0, "vertical stride is 0");
    REFUSE_SHAPE(dilation_x, 0, "horizontal dilation is 0");
    REFUSE_SHAPE(kernel_width, 0, "kernel width is 0");
    REFUSE_SHAPE(in_channels, 0, "input channels is 0");
    REFUSE_SHAPE(groups, 0, "groups is 0");
    REFUSE_SHAPE(in_channels, 3, "groups");
    REFUSE_SHAPE(out_channels, 5, "groups");
    REFUSE_SHAPE(kernel_height, 5, "does not fit");
    REFUSE_SHAPE(dilation_y, 4, "does not fit");
    REFUSE_SHAPE(padding_left, UINT32_MAX, "padding at the left");
    REFUSE_SHAPE(kernel_width, UINT32_MAX, "kernel width");
    REFUSE_SHAPE(in_width, UINT32_MAX, "too large");
    REFUSE_SHAPE(out_channels, 1000000000, "too large");
}

static void bad_weights_are_refused(void **state)
{
    (void)state;
    struct convolution_shape shape = small_shape();
    float weights[] = {1, 1, 1, 1, 1, 1, NAN, 1};
    struct error error = {0};
    assert_null(convolution_new(&shape, weights, &error));
    assert_non_null(strstr(error.text, "weight [1][0][1][0]"));
    error.code = ERROR_NONE;
    assert_null(pooling_new(&shape, INFINITY, &error));
    assert_non_null(strstr(error.text, "finite"));
    error.code = ERROR_NONE;
    shape.groups = 1;
    assert_null(pooling_new(&shape, 1, &error));
    assert_non_null(strstr(error.text, "groups"));
}

static void ports_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct convolution_shape shape = small_shape();
    float weights[8] = {1};
    struct error error = {0};
    struct rig rig;
    rig_fill(&rig, &projection_convolution, convolution_new(&shape, weights, &error), 32, 18,
             (struct rig_port){1, true, false, 1, 1});
    rig_refuse(&rig, 1, "no whole numbers");
    rig.source.neurons = 31;
    rig_refuse(&rig, 1, "32 source neurons");
    rig_free(&rig);
    rig_fill(&rig, &projection_pooling, pooling_new(&shape, 0.25, &error), 32, 18,
             (struct rig_port){1, true, false, 1, 1});
    rig_refuse(&rig, 1, "weight 0.25");
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_shapes_equal_the_dense_way),
        cmocka_unit_test(chosen_shapes_equal_the_dense_way),
        cmocka_unit_test(pooling_equals_the_dense_way),
        cmocka_unit_test(the_kernel_is_not_flipped),
        cmocka_unit_test(senseless_shapes_are_refused),
        cmocka_unit_test(bad_weights_are_refused),
        cmocka_unit_test(ports_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
