/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The mapping: which populations and projections a SpikingBrain checkpoint
 * becomes. After this file, nothing knows that there was a transformer.
 */
#include "neurons/import/spikingbrain.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "neurons/delivery/dense_integer.h"
#include "neurons/delivery/one_to_one.h"
#include "neurons/import/spikingbrain_config.h"
#include "neurons/models/models.h"

enum { QUANTISED_GROUP = 128, THRESHOLD_CHANNELS = 128, DELAY = 1, NAME_ROOM = 160 };

/* What the parts of the mapping share while it is made. */
struct mapping {
    struct spikingbrain_config config;
    const struct spikingbrain_options *options;
    struct language_model *model;
    struct network *network;
    const struct tensor_set *tensors;
    const struct kernels *kernels;
    struct error *error;
};

/* ---- tensors ---- */

static const struct tensor *find_optional(const struct mapping *m, const char *name)
{
    return tensor_set_find(m->tensors, name);
}

static void describe_shape(const struct tensor *tensor, char *text, size_t room)
{
    size_t used = (size_t)snprintf(text, room, "[");
    for (uint32_t d = 0; d < tensor->rank && used < room; d++)
        used += (size_t)snprintf(text + used, room - used, "%s%llu", d > 0 ? ", " : "",
                                 (unsigned long long)tensor->shape[d]);
    if (used < room)
        snprintf(text + used, room - used, "]");
}

/* A tensor of floating-point numbers of shape [rows, columns], or [columns] where rows is 0. */
static const struct tensor *find(const struct mapping *m, const char *name, uint64_t rows,
                                 uint64_t columns)
{
    const struct tensor *tensor = tensor_set_find(m->tensors, name);
    if (tensor == NULL) {
        error_set(m->error, ERROR_FAILED,
                  "the model has no tensor '%s'; its config.json asks for it", name);
        return NULL;
    }
    if (tensor->dtype != DTYPE_F32 && tensor->dtype != DTYPE_F16 && tensor->dtype != DTYPE_BF16) {
        error_set(m->error, ERROR_FAILED, "%s: tensor '%s' is %s; weights are F32, F16 or BF16",
                  tensor->file, name, dtype_name(tensor->dtype));
        return NULL;
    }
    bool fits = rows == 0 ? tensor->rank == 1 && tensor->shape[0] == columns
                          : tensor->rank == 2 && tensor->shape[0] == rows &&
                                tensor->shape[1] == columns;
    if (fits)
        return tensor;
    char shape[128], wanted[64];
    describe_shape(tensor, shape, sizeof shape);
    if (rows == 0)
        snprintf(wanted, sizeof wanted, "[%llu]", (unsigned long long)columns);
    else
        snprintf(wanted, sizeof wanted, "[%llu, %llu]", (unsigned long long)rows,
                 (unsigned long long)columns);
    error_set(m->error, ERROR_FAILED, "%s: tensor '%s' has shape %s; config.json asks for %s",
              tensor->file, name, shape, wanted);
    return NULL;
}

static enum float_format format_of(const struct tensor *tensor)
{
    return tensor->dtype == DTYPE_F32   ? FLOAT_SINGLE
           : tensor->dtype == DTYPE_F16 ? FLOAT_HALF
                                        : FLOAT_BFLOAT;
}

/* Row `row` of `width` numbers, widened into out. */
static void read_row(const struct mapping *m, const struct tensor *tensor, uint64_t row,
                     uint32_t width, float *out)
{
    struct dense_float view = {.inputs = width, .format = format_of(tensor),
                               .weights = tensor->data};
    const float *at = dense_float_row(&view, m->kernels, (uint32_t)row, out);
    if (at != out)
        memcpy(out, at, width * sizeof *out);
}

static bool check_finite(const struct mapping *m, const struct tensor *tensor, uint64_t row,
                         const float *values, uint32_t width)
{
    for (uint32_t i = 0; i < width; i++)
        if (!isfinite(values[i]))
            return error_set(m->error, ERROR_FAILED,
                             "%s: tensor '%s' holds a number that is not finite (row %llu, column "
                             "%u)", tensor->file, tensor->name, (unsigned long long)row, i);
    return true;
}

/* A vector, in double; from malloc. */
static double *read_vector(const struct mapping *m, const char *name, uint32_t length)
{
    const struct tensor *tensor = find(m, name, 0, length);
    if (tensor == NULL)
        return NULL;
    float *single = malloc(length * sizeof *single);
    double *values = malloc(length * sizeof *values);
    if (single == NULL || values == NULL) {
        error_no_memory(m->error, name);
    } else {
        read_row(m, tensor, 0, length, single);
        if (check_finite(m, tensor, 0, single, length)) {
            for (uint32_t i = 0; i < length; i++)
                values[i] = (double)single[i];
            free(single);
            return values;
        }
    }
    free(single);
    free(values);
    return NULL;
}

/* ---- weights ---- */

static struct dense_float *read_float_weights(const struct mapping *m, const char *name,
                                              uint32_t outputs, uint32_t inputs)
{
    const struct tensor *tensor = find(m, name, outputs, inputs);
    if (tensor == NULL)
        return NULL;
    float *row = malloc(inputs * sizeof *row);
    bool usable = row != NULL || error_no_memory(m->error, name);
    for (uint32_t r = 0; r < outputs && usable; r++) {
        read_row(m, tensor, r, inputs, row);
        usable = check_finite(m, tensor, r, row, inputs);
    }
    free(row);
    tensor_release(m->tensors, tensor);
    return usable ? dense_float_new(outputs, inputs, format_of(tensor), tensor->data, false,
                                    m->error)
                  : NULL;
}

/* A table [vocabulary][hidden], in as many bits as the options say. */
static struct dense_float *read_table(const struct mapping *m, const char *name)
{
    uint32_t bits = m->options->table_bits;
    const struct tensor *tensor = find(m, name, m->config.vocabulary, m->config.hidden);
    if (tensor == NULL)
        return NULL;
    bool as_stored = bits == 0 || bits == 32 || (bits == 16 && tensor->dtype == DTYPE_BF16);
    if (as_stored)
        return read_float_weights(m, name, m->config.vocabulary, m->config.hidden);
    struct dense_float stored = {.outputs = m->config.vocabulary, .inputs = m->config.hidden,
                                 .format = format_of(tensor), .weights = tensor->data};
    char shown[4096 + NAME_ROOM];
    snprintf(shown, sizeof shown, "%s: tensor '%s'", tensor->file, name);
    return dense_float_convert(&stored, bits == 16 ? FLOAT_BFLOAT : FLOAT_BYTE, shown, m->kernels,
                               m->options->workers, true, m->error);
}

/* Group scales of a weight: [outputs, groups, 1] or [outputs, groups]. Sets *group; NULL with
 * *group 128 where the checkpoint has none. */
static bool find_scales(const struct mapping *m, const char *name, uint32_t outputs,
                        uint32_t inputs, const struct tensor **scales, uint32_t *group)
{
    char scale_name[NAME_ROOM + 64];
    snprintf(scale_name, sizeof scale_name, "%s_quantizer.scales", name);
    *scales = find_optional(m, scale_name);
    *group = QUANTISED_GROUP;
    if (*scales == NULL)
        return true;
    const struct tensor *t = *scales;
    bool float_type = t->dtype == DTYPE_F32 || t->dtype == DTYPE_F16 || t->dtype == DTYPE_BF16;
    bool fits = float_type && (t->rank == 2 || (t->rank == 3 && t->shape[2] == 1)) &&
                t->shape[0] == outputs && t->shape[1] >= 1 && t->shape[1] <= inputs &&
                inputs % t->shape[1] == 0;
    if (!fits) {
        char shape[128];
        describe_shape(t, shape, sizeof shape);
        return error_set(m->error, ERROR_FAILED,
                         "%s: tensor '%s' is %s of shape %s; scales are floating-point numbers of "
                         "shape [%u, groups, 1] with groups dividing %u", t->file, scale_name,
                         dtype_name(t->dtype), shape, outputs, inputs);
    }
    *group = inputs / (uint32_t)t->shape[1];
    return true;
}

/* Empty weights for the spikes of `source`. */
static struct dense_integer *new_codes(const struct mapping *m, uint32_t outputs, uint32_t group,
                                       const struct population *source)
{
    const struct train *train = source->train;
    if (train->vectors == 1)
        return dense_integer_new(outputs, source->neurons, group, m->error);
    return dense_integer_new_apart(outputs, source->neurons, group, train->span, m->error);
}

/* Weights on their way from tensors to codes, piece by piece, over the team. */
struct reading {
    const struct mapping *m;
    const char *name; /* for errors */
    const struct tensor *weights, *scales; /* scales: or NULL */
    const struct tensor *first; /* weights · first are the weights, in double, rounded to single; or
                                   NULL */
    uint32_t group, rank;
    struct dense_integer *dense;
    struct error *errors; /* [parts] */
};

/* A row of weights · first. */
static void multiply_row(const struct reading *reading, uint32_t row, float *out, double *sum,
                         float *factors)
{
    uint32_t inputs = reading->dense->inputs;
    memset(sum, 0, inputs * sizeof *sum);
    read_row(reading->m, reading->weights, row, reading->rank, factors);
    for (uint32_t k = 0; k < reading->rank; k++) {
        read_row(reading->m, reading->first, k, inputs, out);
        for (uint32_t i = 0; i < inputs; i++)
            sum[i] += (double)factors[k] * (double)out[i];
    }
    for (uint32_t i = 0; i < inputs; i++)
        out[i] = (float)sum[i];
}

/* Pieces first … last-1. */
static bool read_pieces(const struct reading *reading, uint32_t first, uint32_t last,
                        struct error *error)
{
    struct dense_integer *dense = reading->dense;
    uint32_t inputs = dense->inputs, scale_groups = group_count(inputs, reading->group);
    float *rows = malloc((size_t)PIECE_ROWS * inputs * sizeof *rows);
    float *scales = malloc((size_t)PIECE_ROWS * scale_groups * sizeof *scales);
    double *sum = malloc(inputs * sizeof *sum);
    float *factors = malloc((reading->rank + 1) * sizeof *factors);
    bool read = (rows != NULL && scales != NULL && sum != NULL && factors != NULL) ||
                error_no_memory(error, reading->name);
    for (uint32_t piece = first; piece < last && read; piece++) {
        uint32_t begin = piece * PIECE_ROWS, left = dense->outputs - begin;
        uint32_t length = left < PIECE_ROWS ? left : PIECE_ROWS;
        for (uint32_t r = 0; r < length; r++) {
            if (reading->first != NULL)
                multiply_row(reading, begin + r, rows + (size_t)r * inputs, sum, factors);
            else
                read_row(reading->m, reading->weights, begin + r, inputs,
                         rows + (size_t)r * inputs);
            if (reading->scales != NULL)
                read_row(reading->m, reading->scales, begin + r, scale_groups,
                         scales + (size_t)r * scale_groups);
        }
        read = dense_integer_fill(dense, begin, length, rows,
                                  reading->scales != NULL ? scales : NULL, reading->name, error);
    }
    free(rows);
    free(scales);
    free(sum);
    free(factors);
    return read;
}

static void read_part(void *argument, uint32_t part, uint32_t parts)
{
    const struct reading *reading = argument;
    uint32_t first, last;
    workers_slice((uint32_t)(reading->dense->rows / PIECE_ROWS), part, parts, &first, &last);
    read_pieces(reading, first, last, &reading->errors[part]);
}

/* Fills reading->dense and returns it; NULL, and it is freed, if that fails. */
static struct dense_integer *read_all(struct reading *reading)
{
    struct workers *workers = reading->m->options->workers;
    uint32_t parts = workers != NULL ? workers_count(workers) : 1;
    struct error *error = reading->m->error;
    bool filled = reading->dense != NULL;
    reading->errors = filled ? calloc(parts, sizeof *reading->errors) : NULL;
    if (filled && reading->errors == NULL)
        filled = error_no_memory(error, reading->name);
    if (filled && workers != NULL)
        workers_run(workers, read_part, reading, parts);
    else if (filled)
        read_part(reading, 0, 1);
    for (uint32_t part = 0; part < parts && filled; part++) /* the earliest in the matrix */
        if (reading->errors[part].code != ERROR_NONE) {
            *error = reading->errors[part];
            filled = false;
        }
    free(reading->errors);
    if (filled && dense_integer_settle(reading->dense, workers, error))
        return reading->dense;
    dense_integer_free(reading->dense);
    return NULL;
}

static struct dense_integer *read_codes(const struct mapping *m, const char *name,
                                        uint32_t outputs, const struct population *source)
{
    struct reading reading = {.m = m, .name = name};
    reading.weights = find(m, name, outputs, source->neurons);
    if (reading.weights == NULL || !find_scales(m, name, outputs, source->neurons, &reading.scales,
                                                &reading.group))
        return NULL;
    reading.dense = new_codes(m, outputs, reading.group, source);
    struct dense_integer *dense = read_all(&reading);
    tensor_release(m->tensors, reading.weights);
    return dense;
}

/* The low-rank gate as one matrix: second · first, in double, rounded to single. */
static struct dense_integer *read_gate_product(const struct mapping *m, const char *first_name,
                                               const char *second_name, uint32_t outputs,
                                               uint32_t rank, const struct population *source)
{
    struct reading reading = {.m = m, .name = second_name, .group = QUANTISED_GROUP, .rank = rank};
    reading.first = find(m, first_name, rank, source->neurons);
    reading.weights = find(m, second_name, outputs, rank);
    if (reading.first == NULL || reading.weights == NULL)
        return NULL;
    reading.dense = new_codes(m, outputs, QUANTISED_GROUP, source);
    return read_all(&reading);
}

/* ---- populations and projections ---- */

static void name_in_layer(char *out, int32_t layer, const char *rest)
{
    snprintf(out, NAME_ROOM, "layers.%d.%s", layer, rest);
}

static bool join_one_to_one(const struct mapping *m, struct population *source,
                            enum carries carries, struct population *target, uint32_t port)
{
    char name[2 * NAME_ROOM + 8];
    snprintf(name, sizeof name, "%s -> %s", source->name, target->name);
    struct projection *projection =
        network_add_projection(m->network, name, &projection_one_to_one, NULL, source, carries,
                               target, port, DELAY, m->error);
    return projection != NULL;
}

/* A linear projection, from spikes or from values as the source puts out. `biased`: it has
 * a bias tensor. `name` is that of the tensor without ".weight". */
static bool join_linear(const struct mapping *m, const char *name, bool biased,
                        struct population *source, struct population *target, uint32_t port)
{
    char tensor[NAME_ROOM + 16];
    uint32_t outputs = target->ports[port].width, inputs = source->neurons;
    double *bias = NULL;
    if (biased) {
        snprintf(tensor, sizeof tensor, "%s.bias", name);
        bias = read_vector(m, tensor, outputs);
        if (bias == NULL)
            return false;
    }
    snprintf(tensor, sizeof tensor, "%s.weight", name);
    bool spikes = source->train != NULL;
    void *weights;
    if (spikes) {
        struct dense_integer *dense = read_codes(m, tensor, outputs, source);
        if (dense != NULL && bias != NULL && !dense_integer_set_bias(dense, bias, m->error)) {
            dense_integer_free(dense);
            dense = NULL;
        }
        free(bias);
        weights = dense;
    } else {
        struct dense_float *dense = read_float_weights(m, tensor, outputs, inputs);
        if (dense != NULL)
            dense->bias = bias;
        else
            free(bias);
        weights = dense;
    }
    if (weights == NULL)
        return false;
    const char *shown = strncmp(name, "model.", 6) == 0 ? name + 6 : name;
    struct projection *projection = network_add_projection(
        m->network, shown, spikes ? &projection_dense_integer : &projection_dense_float, weights,
        source, spikes ? CARRIES_SPIKES : CARRIES_VALUES, target, port, DELAY, m->error);
    if (projection == NULL)
        return false;
    if (spikes)
        dense_integer_describe(projection);
    else
        dense_float_describe(projection);
    m->model->dense_macs += projection->weight_count;
    return true;
}

/* The base checkpoint's gate: a pair of matrices through a narrow waist. */
static bool join_low_rank_gate(const struct mapping *m, int32_t layer, struct population *source,
                               struct population *target, uint32_t port)
{
    char first[NAME_ROOM], second[NAME_ROOM], name[NAME_ROOM + 16];
    snprintf(first, sizeof first, "model.layers.%d.attn.gk_proj.0", layer);
    snprintf(second, sizeof second, "model.layers.%d.attn.gk_proj.1", layer);
    snprintf(name, sizeof name, "%s.weight", first);
    const struct tensor *narrow = find_optional(m, name);
    if (narrow->rank != 2 || narrow->shape[0] < 1 || narrow->shape[0] > source->neurons)
        return error_set(m->error, ERROR_FAILED,
                         "%s: tensor '%s' must have shape [rank, %u]", narrow->file, name,
                         source->neurons);
    uint32_t rank = (uint32_t)narrow->shape[0];
    if (source->train == NULL) {
        char waist_name[NAME_ROOM];
        name_in_layer(waist_name, layer, "gate_waist");
        struct population *waist = sum_new(m->network, waist_name, layer, rank, m->error);
        return waist != NULL && join_linear(m, first, false, source, waist, 0) &&
               join_linear(m, second, true, waist, target, port);
    }
    char second_weight[NAME_ROOM + 16], bias_name[NAME_ROOM + 16];
    snprintf(second_weight, sizeof second_weight, "%s.weight", second);
    snprintf(bias_name, sizeof bias_name, "%s.bias", second);
    uint32_t outputs = target->ports[port].width;
    double *bias = read_vector(m, bias_name, outputs);
    struct dense_integer *dense =
        bias == NULL ? NULL
                     : read_gate_product(m, name, second_weight, outputs, rank, source);
    bool made = dense != NULL && dense_integer_set_bias(dense, bias, m->error);
    free(bias);
    if (!made) {
        dense_integer_free(dense);
        return false;
    }
    char shown[NAME_ROOM];
    name_in_layer(shown, layer, "attn.gk_proj");
    struct projection *projection =
        network_add_projection(m->network, shown, &projection_dense_integer, dense, source,
                               CARRIES_SPIKES, target, port, DELAY, m->error);
    if (projection == NULL)
        return false;
    dense_integer_describe(projection);
    m->model->dense_macs += projection->weight_count;
    return true;
}

/* How a population of that name fires. `head_size`: channels of a head, 0 where it has none. */
static struct firing_rule rule_of(const struct mapping *m, const char *name, uint32_t head_size)
{
    const struct spikingbrain_options *options = m->options;
    return (struct firing_rule){
        .coding = options->coding,
        .k = k_list_find(options->k_at, name, options->k),
        .span = options->threshold == THRESHOLD_GROUP  ? THRESHOLD_CHANNELS
                : options->threshold == THRESHOLD_HEAD ? head_size
                                                       : 0,
    };
}

static struct population *add_norm(const struct mapping *m, const char *name, int32_t layer,
                                   const char *tensor, struct firing_rule rule)
{
    double *weight = read_vector(m, tensor, m->config.hidden);
    if (weight == NULL)
        return NULL;
    struct population *norm = rms_norm_new(m->network, name, layer, m->config.hidden, weight,
                                           m->config.epsilon, rule, m->error);
    free(weight);
    return norm;
}

static struct population *add_linear_attention(const struct mapping *m, int32_t layer,
                                               struct heads heads, struct population *norm)
{
    char name[NAME_ROOM], tensor[NAME_ROOM];
    snprintf(tensor, sizeof tensor, "model.layers.%d.attn.g_norm.weight", layer);
    double *gain = read_vector(m, tensor, heads.size);
    if (gain == NULL)
        return NULL;
    name_in_layer(name, layer, "attention");
    struct population *attention = linear_attention_new(m->network, name, layer, heads, gain,
                                                        m->config.epsilon,
                                                        rule_of(m, name, heads.size), m->error);
    free(gain);
    if (attention == NULL)
        return NULL;
    static const char *const inputs[] = {"q_proj", "k_proj", "v_proj"};
    for (uint32_t port = 0; port < 3; port++) {
        snprintf(tensor, sizeof tensor, "model.layers.%d.attn.%s", layer, inputs[port]);
        if (!join_linear(m, tensor, true, norm, attention, port))
            return NULL;
    }
    snprintf(tensor, sizeof tensor, "model.layers.%d.attn.gk_proj.0.weight", layer);
    bool low_rank = find_optional(m, tensor) != NULL;
    snprintf(tensor, sizeof tensor, "model.layers.%d.attn.gk_proj", layer);
    bool joined = low_rank ? join_low_rank_gate(m, layer, norm, attention, 3)
                           : join_linear(m, tensor, true, norm, attention, 3);
    return joined ? attention : NULL;
}

static struct population *add_window_attention(const struct mapping *m, int32_t layer,
                                               struct heads heads, struct population *norm)
{
    char name[NAME_ROOM], tensor[NAME_ROOM];
    name_in_layer(name, layer, "query");
    struct population *query = rotary_query_new(m->network, name, layer, heads, m->config.theta,
                                                rule_of(m, name, heads.size), m->error);
    if (query == NULL)
        return NULL;
    name_in_layer(name, layer, "attention");
    struct population *attention =
        window_attention_new(m->network, name, layer, heads, m->config.theta, m->model->window,
                             query, rule_of(m, name, heads.size), m->error);
    if (attention == NULL)
        return NULL;
    snprintf(tensor, sizeof tensor, "model.layers.%d.attn.q_proj", layer);
    if (!join_linear(m, tensor, true, norm, query, 0))
        return NULL;
    enum carries carries = query->train != NULL ? CARRIES_SPIKES : CARRIES_VALUES;
    if (!join_one_to_one(m, query, carries, attention, 0))
        return NULL;
    if (carries == CARRIES_SPIKES)
        window_attention_count_for(attention,
                                   m->network->projections[m->network->projection_count - 1]);
    static const char *const inputs[] = {"k_proj", "v_proj"};
    for (uint32_t i = 0; i < 2; i++) {
        snprintf(tensor, sizeof tensor, "model.layers.%d.attn.%s", layer, inputs[i]);
        if (!join_linear(m, tensor, true, norm, attention, i + 1))
            return NULL;
    }
    return attention;
}

/* One layer, from the residual stream that enters it. *middle becomes its stream after
 * attention and *unit its gated unit: what leaves the layer is their sum. */
static bool add_layer(const struct mapping *m, int32_t layer, struct population *stream,
                      struct population **middle, struct population **unit)
{
    const struct spikingbrain_config *config = &m->config;
    struct heads heads = {config->heads, config->key_heads, config->head_size};
    char name[NAME_ROOM], tensor[NAME_ROOM];
    name_in_layer(name, layer, "attn_norm");
    snprintf(tensor, sizeof tensor, "model.layers.%d.attn_norm.weight", layer);
    struct population *norm = add_norm(m, name, layer, tensor, rule_of(m, name, 0));
    if (norm == NULL || !join_one_to_one(m, stream, CARRIES_VALUES, norm, 0))
        return false;
    struct population *attention = config->window_layer[layer]
                                       ? add_window_attention(m, layer, heads, norm)
                                       : add_linear_attention(m, layer, heads, norm);
    if (attention == NULL)
        return false;
    name_in_layer(name, layer, "mlp_stream");
    *middle = sum_new(m->network, name, layer, config->hidden, m->error);
    snprintf(tensor, sizeof tensor, "model.layers.%d.attn.o_proj", layer);
    if (*middle == NULL || !join_one_to_one(m, stream, CARRIES_VALUES, *middle, 0) ||
        !join_linear(m, tensor, false, attention, *middle, 0))
        return false;
    name_in_layer(name, layer, "mlp_norm");
    snprintf(tensor, sizeof tensor, "model.layers.%d.mlp_norm.weight", layer);
    struct population *mlp_norm = add_norm(m, name, layer, tensor, rule_of(m, name, 0));
    if (mlp_norm == NULL || !join_one_to_one(m, *middle, CARRIES_VALUES, mlp_norm, 0))
        return false;
    name_in_layer(name, layer, "gated_unit");
    struct firing_rule rule = rule_of(m, name, 0);
    if (!m->options->down_proj_spikes)
        rule.coding = NULL;
    *unit = gated_unit_new(m->network, name, layer, config->intermediate, rule, m->error);
    static const char *const inputs[] = {"gate_proj", "up_proj"};
    for (uint32_t port = 0; port < 2 && *unit != NULL; port++) {
        snprintf(tensor, sizeof tensor, "model.layers.%d.mlp.%s", layer, inputs[port]);
        if (!join_linear(m, tensor, false, mlp_norm, *unit, port))
            return false;
    }
    return *unit != NULL;
}

static bool add_head(const struct mapping *m, struct population *stream)
{
    struct firing_rule shown = {.coding = NULL};
    struct population *norm = add_norm(m, "norm", -1, "model.norm.weight", shown);
    if (norm == NULL || !join_one_to_one(m, stream, CARRIES_VALUES, norm, 0))
        return false;
    struct population *logits = readout_new(m->network, "logits", m->config.vocabulary, m->error);
    if (logits == NULL)
        return false;
    bool tied = m->config.tied;
    struct dense_float *head =
        tied ? dense_float_share(embedding_table(m->model->tokens), m->error)
             : read_table(m, "lm_head.weight");
    struct projection *projection =
        head == NULL ? NULL
                     : network_add_projection(m->network, tied ? "embeddings" : "lm_head",
                                              &projection_dense_float, head, norm, CARRIES_VALUES,
                                              logits, 0, DELAY, m->error);
    if (projection == NULL)
        return false;
    dense_float_describe(projection);
    projection->readout = true;
    m->model->dense_macs += projection->weight_count;
    m->model->logits = logits;
    return true;
}

/* The memory of lanes, for every layer as that of the layer two before it: by the time the first
 * volley reaches a layer, the one before has taken all that came from there. */
static void share_lanes(const struct mapping *m, uint32_t begin, uint32_t end, uint32_t before)
{
    struct population **populations = m->network->populations;
    for (uint32_t i = begin; i < end && before + (i - begin) < begin; i++)
        population_share(populations[i], populations[before + (i - begin)]);
}

static bool map_network(const struct mapping *m)
{
    struct dense_float *table = read_table(m, "model.embeddings.weight");
    if (table == NULL)
        return false;
    if (table->owned == NULL) /* it has been checked; few of its rows will be looked up */
        dense_float_hand_back(table);
    struct population *source = embedding_new(m->network, "embedding", table, m->error);
    m->model->tokens = source;
    struct population *middle = NULL, *unit = NULL;
    uint32_t begin[3] = {0}; /* where this layer's populations begin, and those of the two before */
    for (uint32_t layer = 0; layer <= m->config.layers && source != NULL; layer++) {
        bool last = layer == m->config.layers;
        char name[NAME_ROOM], tensor[NAME_ROOM];
        begin[layer % 3] = m->network->population_count;
        name_in_layer(name, (int32_t)layer, "attn_stream");
        struct population *stream = sum_new(m->network, last ? "stream" : name,
                                            last ? -1 : (int32_t)layer, m->config.hidden, m->error);
        if (stream == NULL ||
            !join_one_to_one(m, middle != NULL ? middle : source, CARRIES_VALUES, stream, 0))
            return false;
        snprintf(tensor, sizeof tensor, "model.layers.%d.mlp.down_proj", (int)layer - 1);
        if (unit != NULL && !join_linear(m, tensor, false, unit, stream, 0))
            return false;
        if (last)
            return add_head(m, stream);
        if (!add_layer(m, (int32_t)layer, stream, &middle, &unit))
            return false;
        if (layer >= 2)
            share_lanes(m, begin[layer % 3], m->network->population_count, begin[(layer + 1) % 3]);
    }
    return false;
}

/* Whether the k is that of a population that fires. */
static bool has_population(const struct mapping *m, const struct k_item *item)
{
    static const char *const names[] = {"attn_norm", "query", "attention", "mlp_norm",
                                        "gated_unit"};
    for (uint32_t i = 0; m->options->coding != NULL && i < 5; i++)
        for (uint32_t layer = 0; layer < m->config.layers; layer++) {
            char name[NAME_ROOM];
            name_in_layer(name, (int32_t)layer, names[i]);
            bool query = strcmp(names[i], "query") == 0, unit = strcmp(names[i], "gated_unit") == 0;
            bool fires = (!query || m->config.window_layer[layer]) &&
                         (!unit || m->options->down_proj_spikes);
            if (fires && k_list_matches(item, name))
                return true;
        }
    return false;
}

/* Before weights are read, which can take minutes. */
static bool check_names(const struct mapping *m)
{
    const struct k_list *list = m->options->k_at;
    for (size_t i = 0; list != NULL && i < list->length; i++)
        if (!has_population(m, &list->items[i]))
            return error_set(m->error, ERROR_MISUSED,
                             "k %g is for '%.100s', but no population that fires has a name like "
                             "that; their names are such as layers.0.attn_norm (volley inspect)",
                             list->items[i].k, list->items[i].glob);
    return true;
}

static bool read_config(struct spikingbrain_config *config, const char *folder,
                        struct error *error)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/config.json", folder) >= (int)sizeof path)
        return error_set(error, ERROR_MISUSED, "the path of the model is too long");
    return spikingbrain_config_read(config, path, error);
}

bool spikingbrain_find_threshold(const char *name, enum threshold_span *span, struct error *error)
{
    static const char *const names[] = {"token", "group", "head"};
    for (uint32_t i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) {
            *span = (enum threshold_span)i;
            return true;
        }
    return error_set(error, ERROR_MISUSED, "a threshold is one for each token, group or head, not "
                                           "'%.60s'", name);
}

bool spikingbrain_check(const char *folder, struct error *error)
{
    struct spikingbrain_config config;
    if (!read_config(&config, folder, error))
        return false;
    spikingbrain_config_free(&config);
    return true;
}

static bool open_all(struct mapping *m, const char *folder)
{
    if (!read_config(&m->config, folder, m->error) || !check_names(m))
        return false;
    struct language_model *model = m->model;
    model->tensors = tensor_set_open(folder, m->error);
    if (model->tensors == NULL)
        return false;
    m->tensors = model->tensors;
    tensor_set_digest(model->tensors, model->digest);
    model->vocabulary = m->config.vocabulary;
    model->end_token = m->config.end_token;
    model->window = m->options->window > 0 ? m->options->window : m->config.window;
    model->network = network_new(folder, m->options->lanes);
    if (model->network == NULL)
        return error_no_memory(m->error, "the network");
    m->network = model->network;
    m->network->expand = m->options->expand;
    return map_network(m);
}

struct language_model *spikingbrain_open(const char *folder,
                                         const struct spikingbrain_options *options,
                                         struct error *error)
{
    struct language_model *model = calloc(1, sizeof *model);
    if (model == NULL) {
        error_no_memory(error, "the model");
        return NULL;
    }
    struct mapping mapping = {.options = options,
                              .model = model,
                              .kernels = kernels_find("auto", NULL),
                              .error = error};
    bool opened = open_all(&mapping, folder);
    spikingbrain_config_free(&mapping.config);
    if (opened)
        return model;
    language_model_free(model);
    return NULL;
}

void language_model_free(struct language_model *model)
{
    if (model == NULL)
        return;
    network_free(model->network);
    tensor_set_close(model->tensors);
    free(model);
}
