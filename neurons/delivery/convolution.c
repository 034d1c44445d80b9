/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Scattering kernels, as convolution.h describes.
 *
 * Along one axis, input x reaches output y through kernel element k where
 *
 *     y · stride + k · dilation = x + padding
 *
 * so from one solution to the next, k grows by stride / g and y falls by dilation / g, g being
 * their greatest common divisor. The solutions within bounds (a `reach`) are worked out once for
 * every row and every column of the input; what a spike reaches in a channel are all pairs of
 * one of its row's and one of its column's. Every pair is another target, so one spike adds to a
 * target once, and a target's sum is taken in the order of the spikes.
 */
#include "neurons/delivery/convolution.h"

#include "neurons/delivery/landing.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* kernel, kernel + kernel_step, … reach out, out - out_step, …: `count` of them. */
struct reach {
    uint32_t kernel, out, count;
};

struct axis {
    struct reach *reach; /* [in], of every place along it */
    uint32_t kernel_step, out_step;
};

struct convolution {
    struct convolution_shape shape;
    struct axis rows, columns;
    float *weight;      /* [in_channels][out_channels / groups][kernel_height][kernel_width], source
                           by source; NULL: pooling … */
    double same;        /* … where this is every weight */
    int32_t same_units; /* … and this what it is to a port that counts */
    uint32_t *fan_out;  /* [in_channels][in_height][in_width] */
};

/* ---- shapes ---- */

static bool check_numbers(const struct convolution_shape *shape, struct error *error)
{
    const struct {
        const char *name;
        uint32_t value, least, most;
    } numbers[] = {
        {"input channels", shape->in_channels, 1, UINT32_MAX},
        {"input height", shape->in_height, 1, UINT32_MAX},
        {"input width", shape->in_width, 1, UINT32_MAX},
        {"output channels", shape->out_channels, 1, UINT32_MAX},
        {"kernel height", shape->kernel_height, 1, CONVOLUTION_LIMIT},
        {"kernel width", shape->kernel_width, 1, CONVOLUTION_LIMIT},
        {"vertical stride", shape->stride_y, 1, CONVOLUTION_LIMIT},
        {"horizontal stride", shape->stride_x, 1, CONVOLUTION_LIMIT},
        {"vertical dilation", shape->dilation_y, 1, CONVOLUTION_LIMIT},
        {"horizontal dilation", shape->dilation_x, 1, CONVOLUTION_LIMIT},
        {"padding at the top", shape->padding_top, 0, CONVOLUTION_LIMIT},
        {"padding at the left", shape->padding_left, 0, CONVOLUTION_LIMIT},
        {"padding at the bottom", shape->padding_bottom, 0, CONVOLUTION_LIMIT},
        {"padding at the right", shape->padding_right, 0, CONVOLUTION_LIMIT},
        {"number of groups", shape->groups, 1, UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].value < numbers[i].least || numbers[i].value > numbers[i].most)
            return error_set(error, ERROR_MISUSED, "a convolution's %s is %" PRIu32 "; it must be "
                             "from %" PRIu32 " to %" PRIu32, numbers[i].name, numbers[i].value,
                             numbers[i].least, numbers[i].most);
    return true;
}

/* Outputs along one axis; 0 if the kernel does not fit in once. */
static uint32_t axis_outputs(uint32_t in, uint64_t padding, uint64_t kernel, uint64_t dilation,
                             uint32_t stride)
{
    uint64_t room = in + padding, window = dilation * (kernel - 1) + 1;
    uint64_t outputs = room < window ? 0 : (room - window) / stride + 1;
    return outputs <= UINT32_MAX ? (uint32_t)outputs : 0;
}

static bool check_neurons(uint32_t channels, uint32_t height, uint32_t width, const char *side,
                          struct error *error)
{
    uint64_t plane = (uint64_t)height * width;
    if (plane > UINT32_MAX || plane * channels > UINT32_MAX)
        return error_set(error, ERROR_MISUSED,
                         "a convolution's %s of %" PRIu32 " x %" PRIu32 " x %" PRIu32
                         " is too large: at most %" PRIu32 " neurons are possible",
                         side, channels, height, width, UINT32_MAX);
    return true;
}

bool convolution_outputs(struct convolution_shape *shape, struct error *error)
{
    if (!check_numbers(shape, error))
        return false;
    if (shape->in_channels % shape->groups != 0 || shape->out_channels % shape->groups != 0)
        return error_set(error, ERROR_MISUSED,
                         "a convolution's %" PRIu32 " input and %" PRIu32 " output "
                         "channels cannot be split into %" PRIu32 " equal groups",
                         shape->in_channels, shape->out_channels, shape->groups);
    uint64_t padding_y = (uint64_t)shape->padding_top + shape->padding_bottom;
    uint64_t padding_x = (uint64_t)shape->padding_left + shape->padding_right;
    shape->out_height = axis_outputs(shape->in_height, padding_y, shape->kernel_height,
                                     shape->dilation_y, shape->stride_y);
    shape->out_width = axis_outputs(shape->in_width, padding_x, shape->kernel_width,
                                    shape->dilation_x, shape->stride_x);
    if (shape->out_height == 0 || shape->out_width == 0)
        return error_set(error, ERROR_MISUSED,
                         "a convolution's kernel of %" PRIu32 " x %" PRIu32
                         " with dilation %" PRIu32 " x %" PRIu32
                         " does not fit into its input of %" PRIu32 " x %" PRIu32
                         " with its padding",
                         shape->kernel_height, shape->kernel_width, shape->dilation_y,
                         shape->dilation_x, shape->in_height, shape->in_width);
    return check_neurons(shape->in_channels, shape->in_height, shape->in_width, "input", error) &&
           check_neurons(shape->out_channels, shape->out_height, shape->out_width, "output", error);
}

/* ---- what reaches what ---- */

static uint32_t greatest_common_divisor(uint32_t a, uint32_t b)
{
    while (b != 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The reach of the place that is `padded` from the beginning of the padding. */
static struct reach reach_of(const struct axis *axis, uint64_t padded, uint32_t kernels,
                             uint32_t outputs, uint32_t stride, uint32_t dilation)
{
    uint64_t kernel = 0;
    while (kernel < axis->kernel_step && kernel * dilation <= padded &&
           (padded - kernel * dilation) % stride != 0)
        kernel++;
    if (kernel == axis->kernel_step || kernel * dilation > padded)
        return (struct reach){0, 0, 0};
    uint64_t out = (padded - kernel * dilation) / stride;
    if (out >= outputs) { /* the first solutions lie beyond the last output */
        uint64_t skipped = (out - outputs) / axis->out_step + 1;
        if (skipped * axis->out_step > out)
            return (struct reach){0, 0, 0};
        out -= skipped * axis->out_step;
        kernel += skipped * axis->kernel_step;
    }
    if (kernel >= kernels)
        return (struct reach){0, 0, 0};
    uint64_t by_kernel = (kernels - 1 - kernel) / axis->kernel_step, by_out = out / axis->out_step;
    return (struct reach){(uint32_t)kernel, (uint32_t)out,
                          (uint32_t)(by_kernel < by_out ? by_kernel : by_out) + 1};
}

static bool axis_fill(struct axis *axis, uint32_t in, uint32_t padding, uint32_t kernels,
                      uint32_t outputs, uint32_t stride, uint32_t dilation)
{
    uint32_t divisor = greatest_common_divisor(stride, dilation);
    axis->kernel_step = stride / divisor;
    axis->out_step = dilation / divisor;
    axis->reach = malloc(in * sizeof *axis->reach);
    for (uint32_t x = 0; axis->reach != NULL && x < in; x++)
        axis->reach[x] = reach_of(axis, (uint64_t)x + padding, kernels, outputs, stride, dilation);
    return axis->reach != NULL;
}

/* ---- scattering ---- */

/* One event's targets in one output channel: what of the kernel reaches where. */
struct scatter {
    struct reach row, column;
    uint32_t kernel_step_y, kernel_step_x, out_step_y, out_step_x;
    uint32_t kernel_width, out_width;
    double factor;       /* payload or value; pooling: times the weight */
    uint32_t begin, end; /* targets of this thread, … */
    bool partly;         /* … to be looked at: the channel is not all its own */
};

LANDING_INLINE void scatter_channel(const struct scatter *scatter, const struct landing *landing,
                                    const float *weight, uint32_t first_target, bool partly,
                                    bool counts, bool touches)
{
    const struct scatter own = *scatter;
    const struct landing to = *landing;
    const uint32_t payload = counts ? (uint32_t)(int64_t)own.factor : 0;
    for (uint32_t i = 0; i < own.row.count; i++) {
        uint32_t line =
            first_target + (own.row.out - i * own.out_step_y) * own.out_width + own.column.out;
        size_t kernel = (size_t)(own.row.kernel + i * own.kernel_step_y) * own.kernel_width +
                        own.column.kernel;
        for (uint32_t j = 0; j < own.column.count; j++) {
            uint32_t target = line - j * own.out_step_x;
            if (partly && (target < own.begin || target >= own.end))
                continue;
            if (counts)
                to.count[target] += payload;
            else
                to.current[target] += weight == NULL
                                          ? own.factor
                                          : weight[kernel + j * own.kernel_step_x] * own.factor;
            if (touches)
                to.touched[target / PORT_BLOCK] = 1;
        }
    }
}

typedef void scatter_function(const struct scatter *scatter, const struct landing *landing,
                              const float *weight, uint32_t first_target);

#define SCATTER(name, weight, counts, touches)                                                     \
    static void name(const struct scatter *scatter, const struct landing *landing,                 \
                     const float *weights, uint32_t first_target)                                  \
    {                                                                                              \
        (void)weights;                                                                             \
        if (scatter->partly)                                                                       \
            scatter_channel(scatter, landing, weight, first_target, true, counts, touches);        \
        else                                                                                       \
            scatter_channel(scatter, landing, weight, first_target, false, counts, touches);       \
    }
SCATTER(scatter_kernel, weights, false, false)
SCATTER(scatter_kernel_touching, weights, false, true)
SCATTER(scatter_pool, NULL, false, false)
SCATTER(scatter_pool_touching, NULL, false, true)
SCATTER(scatter_count, NULL, true, false)
SCATTER(scatter_count_touching, NULL, true, true)

static scatter_function *scatter_for(const struct convolution *convolution,
                                     const struct landing *landing)
{
    bool touches = landing->touched != NULL;
    if (convolution->weight != NULL)
        return touches ? scatter_kernel_touching : scatter_kernel;
    if (landing->count == NULL)
        return touches ? scatter_pool_touching : scatter_pool;
    return touches ? scatter_count_touching : scatter_count;
}

/* One event from place `place` of input channel `channel`, to those of the output channels of its
 * group that have targets in begin … end-1. */
static void scatter_event(const struct convolution *convolution, const struct landing *landing,
                          scatter_function *function, uint32_t channel, struct scatter *scatter)
{
    const struct convolution_shape *shape = &convolution->shape;
    uint32_t plane = shape->out_height * shape->out_width;
    uint32_t outs = shape->out_channels / shape->groups;
    uint32_t group_first = channel / (shape->in_channels / shape->groups) * outs;
    uint32_t first = scatter->begin / plane, last = (scatter->end - 1) / plane;
    if (first < group_first)
        first = group_first;
    if (last > group_first + outs - 1)
        last = group_first + outs - 1;
    size_t kernel = (size_t)shape->kernel_height * shape->kernel_width;
    for (uint32_t out = first; out <= last; out++) {
        uint32_t first_target = out * plane;
        const float *weight = convolution->weight;
        if (weight != NULL)
            weight += ((size_t)channel * outs + out - group_first) * kernel;
        scatter->partly = first_target < scatter->begin || scatter->end - first_target < plane;
        function(scatter, landing, weight, first_target);
    }
}

static void deliver(const struct projection *self, const struct delivery *delivery,
                    const struct kernels *kernels, uint32_t begin, uint32_t end)
{
    (void)kernels;
    const struct convolution *convolution = self->weights;
    const struct convolution_shape *shape = &convolution->shape;
    const struct landing port = landing_of(self, delivery);
    const struct landing landing = landing_in_slot(&port, 0);
    scatter_function *function = scatter_for(convolution, &landing);
    double same = convolution->weight != NULL ? 1
                  : landing.count != NULL     ? convolution->same_units
                                              : convolution->same;
    struct scatter scatter = {.kernel_step_y = convolution->rows.kernel_step,
                              .kernel_step_x = convolution->columns.kernel_step,
                              .out_step_y = convolution->rows.out_step,
                              .out_step_x = convolution->columns.out_step,
                              .kernel_width = shape->kernel_width,
                              .out_width = shape->out_width,
                              .begin = begin,
                              .end = end};
    struct events events = events_of(self, delivery);
    uint32_t neuron;
    while (events_next(&events, &neuron, &scatter.factor)) {
        uint32_t line = neuron / shape->in_width;
        scatter.factor *= same;
        scatter.column = convolution->columns.reach[neuron % shape->in_width];
        scatter.row = convolution->rows.reach[line % shape->in_height];
        if (scatter.row.count > 0 && scatter.column.count > 0)
            scatter_event(convolution, &landing, function, line / shape->in_height, &scatter);
    }
}

/* ---- making them ---- */

/* The sum of counts [kernel_height][kernel_width] over what a place reaches. */
static uint32_t sum_reached(const struct convolution *convolution, const uint32_t *counts,
                            struct reach row, struct reach column)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < row.count; i++) {
        size_t line = row.kernel + (size_t)i * convolution->rows.kernel_step;
        const uint32_t *at = counts + line * convolution->shape.kernel_width + column.kernel;
        for (uint32_t j = 0; j < column.count; j++)
            sum += at[(size_t)j * convolution->columns.kernel_step];
    }
    return sum;
}

/* Non-zero weights of input channel `channel` at each element of the kernel, over all output
 * channels, to counts [kernel_height][kernel_width]. */
static void count_kernel(const struct convolution *convolution, uint32_t channel, uint32_t *counts)
{
    const struct convolution_shape *shape = &convolution->shape;
    size_t kernel = (size_t)shape->kernel_height * shape->kernel_width;
    uint32_t outs = shape->out_channels / shape->groups;
    const float *weight = convolution->weight + (size_t)channel * outs * kernel;
    for (size_t k = 0; k < kernel; k++)
        counts[k] = 0;
    for (uint32_t out = 0; out < outs; out++)
        for (size_t k = 0; k < kernel; k++)
            counts[k] += *weight++ != 0;
}

static bool count_fan_out(struct convolution *convolution, struct error *error)
{
    const struct convolution_shape *shape = &convolution->shape;
    size_t kernel = (size_t)shape->kernel_height * shape->kernel_width;
    uint32_t *counts = convolution->weight != NULL ? malloc(kernel * sizeof *counts) : NULL;
    uint32_t *fan_out = malloc((size_t)shape->in_channels * shape->in_height * shape->in_width *
                               sizeof *fan_out);
    convolution->fan_out = fan_out;
    if (fan_out == NULL || (convolution->weight != NULL && counts == NULL)) {
        free(counts);
        return error_no_memory(error, "a convolution's fan-out counts");
    }
    for (uint32_t channel = 0; channel < shape->in_channels; channel++) {
        if (counts != NULL)
            count_kernel(convolution, channel, counts);
        for (uint32_t y = 0; y < shape->in_height; y++) {
            struct reach row = convolution->rows.reach[y];
            for (uint32_t x = 0; x < shape->in_width; x++) {
                struct reach column = convolution->columns.reach[x];
                *fan_out++ = counts != NULL ? sum_reached(convolution, counts, row, column)
                             : convolution->same != 0 ? row.count * column.count
                                                      : 0;
            }
        }
    }
    free(counts);
    return true;
}

/* All but weights and fan-out. NULL with error. */
static struct convolution *convolution_of_shape(const struct convolution_shape *wanted,
                                                struct error *error)
{
    struct convolution_shape shape = *wanted;
    if (!convolution_outputs(&shape, error))
        return NULL;
    struct convolution *convolution = calloc(1, sizeof *convolution);
    if (convolution != NULL) {
        convolution->shape = shape;
        if (axis_fill(&convolution->rows, shape.in_height, shape.padding_top, shape.kernel_height,
                      shape.out_height, shape.stride_y, shape.dilation_y) &&
            axis_fill(&convolution->columns, shape.in_width, shape.padding_left, shape.kernel_width,
                      shape.out_width, shape.stride_x, shape.dilation_x))
            return convolution;
    }
    convolution_free(convolution);
    error_no_memory(error, "a convolution");
    return NULL;
}

/* Weights as files hold them, to source by source. */
static bool copy_weights(struct convolution *convolution, const float *weights, struct error *error)
{
    const struct convolution_shape *shape = &convolution->shape;
    uint32_t ins = shape->in_channels / shape->groups, outs = shape->out_channels / shape->groups;
    size_t kernel = (size_t)shape->kernel_height * shape->kernel_width;
    uint64_t bytes = kernel * sizeof *weights;
    if (!__builtin_mul_overflow(bytes, (uint64_t)shape->in_channels, &bytes) &&
        !__builtin_mul_overflow(bytes, (uint64_t)outs, &bytes))
        convolution->weight = malloc(bytes);
    if (convolution->weight == NULL)
        return error_no_memory(error, "a convolution's weights");
    for (uint32_t out = 0; out < shape->out_channels; out++) {
        for (uint32_t in = 0; in < ins; in++) {
            size_t channel = out / outs * ins + in;
            float *to = convolution->weight + (channel * outs + out % outs) * kernel;
            for (size_t k = 0; k < kernel; k++) {
                to[k] = *weights++;
                if (!isfinite(to[k]))
                    return error_set(error, ERROR_MISUSED,
                                     "weight [%" PRIu32 "][%" PRIu32 "][%zu][%zu] of "
                                     "a convolution is not a finite number",
                                     out, in, k / shape->kernel_width, k % shape->kernel_width);
            }
        }
    }
    return true;
}

void *convolution_new(const struct convolution_shape *shape, const float *weights,
                      struct error *error)
{
    struct convolution *convolution = convolution_of_shape(shape, error);
    if (convolution != NULL && copy_weights(convolution, weights, error) &&
        count_fan_out(convolution, error))
        return convolution;
    convolution_free(convolution);
    return NULL;
}

void *pooling_new(const struct convolution_shape *shape, double weight, struct error *error)
{
    if (shape->in_channels != shape->groups || shape->out_channels != shape->groups) {
        error_set(error, ERROR_MISUSED, "pooling of %" PRIu32 " channels to %" PRIu32 " in %" PRIu32
                  " groups is not possible; the three must be equal", shape->in_channels,
                  shape->out_channels, shape->groups);
        return NULL;
    }
    if (!isfinite(weight)) {
        error_set(error, ERROR_MISUSED, "the weight of a pooling is not a finite number");
        return NULL;
    }
    struct convolution *convolution = convolution_of_shape(shape, error);
    if (convolution == NULL)
        return NULL;
    convolution->same = weight;
    if (count_fan_out(convolution, error))
        return convolution;
    convolution_free(convolution);
    return NULL;
}

void convolution_free(void *weights)
{
    struct convolution *convolution = weights;
    if (convolution == NULL)
        return;
    free(convolution->rows.reach);
    free(convolution->columns.reach);
    free(convolution->weight);
    free(convolution->fan_out);
    free(convolution);
}

/* ---- where a place leads ---- */

/* Appends what a place of the input leads to in one output channel, whose targets begin at
 * `first_target`; `weight` [kernel_height][kernel_width], or NULL: none is zero. Goes against the
 * order of `struct reach`, so that targets ascend. */
static uint32_t *append_channel(const struct convolution *convolution, struct reach row,
                                struct reach column, const float *weight, uint32_t first_target,
                                uint32_t *targets)
{
    const uint32_t kernel_step = convolution->columns.kernel_step;
    const uint32_t out_step = convolution->columns.out_step;
    for (uint32_t i = row.count; i-- > 0;) {
        uint32_t line = first_target + column.out +
                        (row.out - i * convolution->rows.out_step) * convolution->shape.out_width;
        size_t kernel = column.kernel + (row.kernel + (size_t)i * convolution->rows.kernel_step) *
                                            convolution->shape.kernel_width;
        for (uint32_t j = column.count; j-- > 0;)
            if (weight == NULL || weight[kernel + (size_t)j * kernel_step] != 0)
                *targets++ = line - j * out_step;
    }
    return targets;
}

static uint32_t reach(const struct projection *self, uint32_t source, uint32_t *targets)
{
    const struct convolution *convolution = self->weights;
    const struct convolution_shape *shape = &convolution->shape;
    if (convolution->fan_out[source] == 0)
        return 0;
    uint32_t line = source / shape->in_width, channel = line / shape->in_height;
    struct reach row = convolution->rows.reach[line % shape->in_height];
    struct reach column = convolution->columns.reach[source % shape->in_width];
    uint32_t outs = shape->out_channels / shape->groups;
    uint32_t group_first = channel / (shape->in_channels / shape->groups) * outs;
    size_t kernel = (size_t)shape->kernel_height * shape->kernel_width;
    const float *weight = convolution->weight;
    uint32_t *end = targets;
    for (uint32_t out = 0; out < outs; out++)
        end = append_channel(convolution, row, column,
                             weight != NULL ? weight + ((size_t)channel * outs + out) * kernel
                                            : NULL,
                             (group_first + out) * shape->out_height * shape->out_width, end);
    return (uint32_t)(end - targets);
}

/* ---- the kinds ---- */

void convolution_describe(struct projection *projection)
{
    const struct convolution *convolution = projection->weights;
    const struct convolution_shape *shape = &convolution->shape;
    uint64_t sources = (uint64_t)shape->in_channels * shape->in_height * shape->in_width;
    uint64_t targets = (uint64_t)shape->out_channels * shape->out_height * shape->out_width;
    uint64_t kernel = (uint64_t)shape->kernel_height * shape->kernel_width;
    uint64_t window = kernel * (shape->in_channels / shape->groups);
    projection->weight_count = targets * window;
    projection->parameters = convolution->weight != NULL ? window * shape->out_channels : 1;
    projection->fan_out = convolution->fan_out;
    projection->synapses = 0;
    for (uint64_t i = 0; i < sources; i++)
        projection->synapses += convolution->fan_out[i];
    projection->bytes = ((uint64_t)shape->in_height + shape->in_width) * sizeof(struct reach) +
                        sources * sizeof *convolution->fan_out;
    if (convolution->weight != NULL)
        projection->bytes += window * shape->out_channels * sizeof *convolution->weight;
}

static bool prepare(struct projection *self, uint32_t lanes, bool expand, struct error *error)
{
    (void)expand;
    struct convolution *convolution = self->weights;
    const struct convolution_shape *shape = &convolution->shape;
    uint32_t sources = shape->in_channels * shape->in_height * shape->in_width;
    uint32_t targets = shape->out_channels * shape->out_height * shape->out_width;
    if (!landing_check(self, lanes, sources, targets, 0, error))
        return false;
    if (self->target->ports[self->port].count == NULL)
        return true;
    return convolution->weight != NULL
               ? landing_refuse_fractions(self, error)
               : landing_units(self, convolution->same, &convolution->same_units, error);
}

const struct projection_kind projection_convolution = {
    .name = "convolution",
    .prepare = prepare,
    .deliver = deliver,
    .reach = reach,
    .free = convolution_free,
};

const struct projection_kind projection_pooling = {
    .name = "pooling",
    .prepare = prepare,
    .deliver = deliver,
    .reach = reach,
    .free = convolution_free,
};
