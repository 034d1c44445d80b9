/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The mapping: which populations and projections a SpikingBrain checkpoint
 * becomes. After this file, nothing knows that there was a transformer.
 */
#include "neurons/import/spikingbrain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "neurons/delivery/dense_integer.h"
#include "neurons/delivery/one_to_one.h"
#include "neurons/import/checkpoint.h"
#include "neurons/import/packed.h"
#include "neurons/models/models.h"

enum { THRESHOLD_CHANNELS = 128, DELAY = 1, NAME_ROOM = 160 };

/* What the parts of the mapping share while it is made. */
struct mapping {
    const struct spikingbrain_config *config; /* of the source */
    const struct spikingbrain_options *options;
    struct language_model *model;
    struct network *network;
    struct weights_source *source;
    const struct kernels *kernels;
    struct error *error;
};

/* ---- weights ---- */

/* A vector, in double; from malloc. */
static double *read_vector(const struct mapping *m, const char *name, uint32_t length)
{
    const struct tensor *tensor = m->source->floats(m->source, name, 0, length, m->error);
    if (tensor == NULL)
        return NULL;
    float *single = malloc(length * sizeof *single);
    double *values = malloc(length * sizeof *values);
    if (single == NULL || values == NULL) {
        free(single);
        free(values);
        error_no_memory(m->error, name);
        return NULL;
    }
    tensor_read_row(tensor, m->kernels, 0, length, single);
    for (uint32_t i = 0; i < length; i++)
        values[i] = (double)single[i];
    free(single);
    return values;
}

static enum float_format format_of(const struct tensor *tensor)
{
    return tensor->dtype == DTYPE_F32   ? FLOAT_SINGLE
           : tensor->dtype == DTYPE_F16 ? FLOAT_HALF
                                        : FLOAT_BFLOAT;
}

static struct dense_float *read_float_weights(const struct mapping *m, const char *name,
                                              uint32_t outputs, uint32_t inputs)
{
    const struct tensor *tensor = m->source->floats(m->source, name, outputs, inputs, m->error);
    return tensor == NULL ? NULL
                          : dense_float_new(outputs, inputs, format_of(tensor), tensor->data, false,
                                            m->error);
}

/* A table [vocabulary][hidden], in as many bits as the options say. */
static struct dense_float *read_table(const struct mapping *m, const char *name)
{
    uint32_t bits = m->options->table_bits;
    uint32_t rows = m->config->vocabulary, columns = m->config->hidden;
    if (bits == 0 || bits == 32)
        return read_float_weights(m, name, rows, columns);
    const struct tensor *tensor = m->source->stored(m->source, name, rows, columns, m->error);
    if (tensor == NULL)
        return NULL;
    if (bits == 16 && tensor->dtype == DTYPE_BF16)
        return read_float_weights(m, name, rows, columns);
    struct dense_float stored = {.outputs = rows, .inputs = columns,
                                 .format = format_of(tensor), .weights = tensor->data};
    char shown[4096 + NAME_ROOM];
    snprintf(shown, sizeof shown, "%s: tensor '%s'", tensor->file, name);
    return dense_float_convert(&stored, bits == 16 ? FLOAT_BFLOAT : FLOAT_BYTE, shown, m->kernels,
                               m->options->workers, m->source->mapped, m->error);
}

/* Weights for the spikes of `source`. */
static struct dense_integer *read_codes(const struct mapping *m, const char *name,
                                        uint32_t outputs, const struct population *source)
{
    const struct train *train = source->train;
    return m->source->codes(m->source, name, outputs, source->neurons,
                            train->vectors == 1 ? 0 : train->span, m->error);
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

/* The base checkpoint's gate where it does not spike: a pair of matrices through a narrow waist. */
static bool join_low_rank_gate(const struct mapping *m, int32_t layer, const struct tensor *narrow,
                               struct population *source, struct population *target, uint32_t port)
{
    char first[NAME_ROOM], second[NAME_ROOM], waist_name[NAME_ROOM];
    if (narrow->rank != 2 || narrow->shape[0] < 1 || narrow->shape[0] > source->neurons)
        return error_set(m->error, ERROR_FAILED, "%s: tensor '%s' must have shape [rank, %u]",
                         narrow->file, narrow->name, source->neurons);
    snprintf(first, sizeof first, "model.layers.%d.attn.gk_proj.0", layer);
    snprintf(second, sizeof second, "model.layers.%d.attn.gk_proj.1", layer);
    name_in_layer(waist_name, layer, "gate_waist");
    struct population *waist =
        sum_new(m->network, waist_name, layer, (uint32_t)narrow->shape[0], m->error);
    return waist != NULL && join_linear(m, first, false, source, waist, 0) &&
           join_linear(m, second, true, waist, target, port);
}

/* The gate of a linear-attention layer. Where it spikes, one matrix in any case. */
static bool join_gate(const struct mapping *m, int32_t layer, struct population *source,
                      struct population *target, uint32_t port)
{
    char name[NAME_ROOM];
    snprintf(name, sizeof name, "model.layers.%d.attn.gk_proj.0.weight", layer);
    const struct tensor *narrow = tensor_set_find(m->source->tensors, name);
    if (narrow != NULL && source->train == NULL)
        return join_low_rank_gate(m, layer, narrow, source, target, port);
    snprintf(name, sizeof name, "model.layers.%d.attn.gk_proj", layer);
    return join_linear(m, name, true, source, target, port);
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
    double *weight = read_vector(m, tensor, m->config->hidden);
    if (weight == NULL)
        return NULL;
    struct population *norm = rms_norm_new(m->network, name, layer, m->config->hidden, weight,
                                           m->config->epsilon, rule, m->error);
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
                                                        m->config->epsilon,
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
    return join_gate(m, layer, norm, attention, 3) ? attention : NULL;
}

static struct population *add_window_attention(const struct mapping *m, int32_t layer,
                                               struct heads heads, struct population *norm)
{
    char name[NAME_ROOM], tensor[NAME_ROOM];
    name_in_layer(name, layer, "query");
    struct population *query = rotary_query_new(m->network, name, layer, heads, m->config->theta,
                                                rule_of(m, name, heads.size), m->error);
    if (query == NULL)
        return NULL;
    name_in_layer(name, layer, "attention");
    struct population *attention =
        window_attention_new(m->network, name, layer, heads, m->config->theta, m->model->window,
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
    const struct spikingbrain_config *config = m->config;
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
    struct population *logits = readout_new(m->network, "logits", m->config->vocabulary, m->error);
    if (logits == NULL)
        return false;
    bool tied = m->config->tied;
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

/* Few rows of the embedding are ever looked up: where it is no head too, it stays as it is stored,
 * and what is looked up is rounded then. */
static struct population *add_embedding(const struct mapping *m)
{
    static const char *const name = "model.embeddings.weight";
    uint32_t bits = m->options->table_bits;
    bool late = !m->config->tied && (bits == 16 || bits == 8);
    struct dense_float *table =
        late ? read_float_weights(m, name, m->config->vocabulary, m->config->hidden)
             : read_table(m, name);
    struct population *source =
        table != NULL ? embedding_new(m->network, "embedding", table, m->error) : NULL;
    bool made = source != NULL &&
                (!late || (bits == 16 && table->format == FLOAT_BFLOAT) ||
                 embedding_round(source, bits == 16 ? FLOAT_BFLOAT : FLOAT_BYTE, m->error));
    if (made && m->source->mapped && table->owned == NULL && !m->config->tied)
        embedding_is_mapped(source);
    return made ? source : NULL;
}

static bool map_network(const struct mapping *m)
{
    struct population *source = add_embedding(m);
    m->model->tokens = source;
    struct population *middle = NULL, *unit = NULL;
    uint32_t begin[3] = {0}; /* where this layer's populations begin, and those of the two before */
    for (uint32_t layer = 0; layer <= m->config->layers && source != NULL; layer++) {
        bool last = layer == m->config->layers;
        char name[NAME_ROOM], tensor[NAME_ROOM];
        begin[layer % 3] = m->network->population_count;
        name_in_layer(name, (int32_t)layer, "attn_stream");
        struct population *stream = sum_new(m->network, last ? "stream" : name,
                                            last ? -1 : (int32_t)layer, m->config->hidden, m->error);
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
        for (uint32_t layer = 0; layer < m->config->layers; layer++) {
            char name[NAME_ROOM];
            name_in_layer(name, (int32_t)layer, names[i]);
            bool query = strcmp(names[i], "query") == 0, unit = strcmp(names[i], "gated_unit") == 0;
            bool fires = (!query || m->config->window_layer[layer]) &&
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

static const char *const threshold_names[] = {
    [THRESHOLD_TOKEN] = "token", [THRESHOLD_GROUP] = "group", [THRESHOLD_HEAD] = "head"};

const char *spikingbrain_threshold_name(enum threshold_span span)
{
    return threshold_names[span];
}

bool spikingbrain_find_threshold(const char *name, enum threshold_span *span, struct error *error)
{
    for (uint32_t i = 0; i < sizeof threshold_names / sizeof *threshold_names; i++)
        if (strcmp(name, threshold_names[i]) == 0) {
            *span = (enum threshold_span)i;
            return true;
        }
    return error_set(error, ERROR_MISUSED, "a threshold is one for each token, group or head, not "
                                           "'%.60s'", name);
}

bool spikingbrain_check(const char *path, struct error *error)
{
    if (packed_is_file(path)) {
        struct weights_source *source = packed_open(path, error);
        if (source != NULL)
            source->close(source);
        return source != NULL;
    }
    struct spikingbrain_config config;
    if (!checkpoint_read_config(path, &config, error))
        return false;
    spikingbrain_config_free(&config);
    return true;
}

struct tokenizer *spikingbrain_tokenizer(const char *path, struct error *error)
{
    return packed_is_file(path) ? packed_tokenizer(path, error) : tokenizer_open(path, error);
}

static bool map_all(struct mapping *m, const char *name)
{
    struct language_model *model = m->model;
    if (!check_names(m) ||
        (m->source->accepts != NULL && !m->source->accepts(m->source, m->options, m->error)))
        return false;
    memcpy(model->digest, m->source->digest, sizeof model->digest);
    model->tensors = m->source->tensors;
    model->vocabulary = m->config->vocabulary;
    model->end_token = m->config->end_token;
    model->window = m->options->window > 0 ? m->options->window : m->config->window;
    model->network = network_new(name, m->options->lanes);
    if (model->network == NULL)
        return error_no_memory(m->error, "the network");
    m->network = model->network;
    m->network->expand = m->options->expand;
    return map_network(m);
}

struct language_model *spikingbrain_map(struct weights_source *source, const char *name,
                                        const struct spikingbrain_options *options,
                                        struct error *error)
{
    struct language_model *model = calloc(1, sizeof *model);
    if (model == NULL) {
        source->close(source);
        error_no_memory(error, "the model");
        return NULL;
    }
    model->source = source;
    struct mapping mapping = {.config = &source->config,
                              .options = options,
                              .model = model,
                              .source = source,
                              .kernels = kernels_find("auto", NULL),
                              .error = error};
    if (map_all(&mapping, name))
        return model;
    language_model_free(model);
    return NULL;
}

struct language_model *spikingbrain_open(const char *path,
                                         const struct spikingbrain_options *options,
                                         struct error *error)
{
    struct weights_source *source = packed_is_file(path)
                                        ? packed_open(path, error)
                                        : checkpoint_open(path, options->workers, error);
    return source != NULL ? spikingbrain_map(source, path, options, error) : NULL;
}

void language_model_free(struct language_model *model)
{
    if (model == NULL)
        return;
    network_free(model->network);
    model->source->close(model->source);
    free(model);
}
