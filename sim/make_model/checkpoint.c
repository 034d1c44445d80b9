/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The statistics, and where the constants come from. Bulk channels are all but the loud ones.
 *
 * - The residual stream begins as an embedding with deviation 1 and gets from each of its two
 *   branches a layer a part with deviation BRANCH, so that its variance after b branches is
 *   1 + b · BRANCH². Loud channels begin, and stay, near STREAM_LOUD.
 * - A norm's gains take that out again: what leaves a norm has bulk mean square 1, spread over the
 *   channels with lognormal gains of NORM_SPREAD, and LOUD in loud channels. With E the mean of
 *   |bulk| (sqrt(2/π) · exp(-spread²/2)), share f = 1/LOUD_EVERY loud at count 20, mean|x| is
 *   M = (1 - f) E / (1 - 20 f / 3), LOUD = 20 M / 3, and the share of silent channels,
 *   (1 - f) · P(|n| < M / 6 · exp(-spread · z + spread²)) for normal n and z is 0.180 at the
 *   NORM_SPREAD below; the share of counts beyond 16 is then 0.025.
 * - The same without loud channels gives VALUE_SPREAD, for the rows of v_proj and of the q_proj of
 *   window layers: 0.180 silent, 0.015 beyond 16.
 * - gated_unit is SiLU(g) · u. With u normal and g normal of deviation 1 around GATE_OFFSET 0.182
 *   are silent and 0.004 beyond 16 (sampled; around 0 it would be 0.247 and 0.026). The offset
 *   comes through the loud columns of gate_proj. GATED is the root mean square of SiLU(g).
 * - The decay of linear attention is sigmoid(g)^(1/16): it remembers for 1 / -log(decay) =
 *   16 / -log(sigmoid(g)) tokens, from 25 at g = 0.1 to 540 at 3.4: the range of the biases.
 */
#define _GNU_SOURCE 1
#include "sim/make_model/checkpoint.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BRANCH       0.3
#define STREAM_LOUD  6.0
#define NORM_SPREAD  0.69625
#define LOUD         4.587
#define VALUE_SPREAD 0.75484
#define ROW_SPREAD   0.1
#define HEAD_SPREAD  0.2 /* of the norm of linear attention's heads */
#define GATE_OFFSET  2.0
#define GATED        2.07
#define BIAS         0.3
#define DECAY_LOW    0.1
#define DECAY_HIGH   3.4
#define DECAY_CHANGE 0.3 /* deviation of what the token adds to that */
#define LOGIT        2.0

enum { WAIST = 16, OWNERS_PER_LAYER = 32 };

/* One number for each tensor of a layer, so that it is the same whatever other layers there are. */
enum owner {
    OWNER_EMBEDDINGS,
    OWNER_NORM,
    OWNER_HEAD, /* those of no layer, too, start at 0 */
    OWNER_ATTN_NORM = 0,
    OWNER_Q,
    OWNER_Q_BIAS,
    OWNER_K,
    OWNER_K_BIAS,
    OWNER_V,
    OWNER_V_BIAS,
    OWNER_O,
    OWNER_GATE,
    OWNER_GATE_BIAS,
    OWNER_WAIST,
    OWNER_HEAD_GAIN,
    OWNER_MLP_NORM,
    OWNER_MLP_GATE,
    OWNER_UP,
    OWNER_DOWN
};

static const struct checkpoint_shape shapes[] = {
    {"spikingbrain-7b", 152064, 3584, 18944, 28, 28, 4, 151643, 4096, false, false},
    {"tiny", 512, 256, 512, 4, 4, 2, 511, 128, false, false},
};

bool checkpoint_find_shape(const char *name, struct checkpoint_shape *shape, struct error *error)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(name, shapes[i].name) == 0) {
            *shape = shapes[i];
            return true;
        }
    return error_set(error, ERROR_MISUSED, "--like takes spikingbrain-7b or tiny, not '%.60s'",
                     name);
}

/* ---- the list of tensors ---- */

struct planner {
    struct checkpoint *checkpoint;
    const struct checkpoint_shape *shape;
    uint32_t layer;
    size_t capacity;
    bool failed;
};

static uint32_t owner_of(int64_t layer, enum owner owner)
{
    return (uint32_t)((layer + 1) * OWNERS_PER_LAYER + (int64_t)owner);
}

/* The tensor's name is made by the format. rows 0: a vector. */
__attribute__((format(printf, 5, 6))) static void add(struct planner *planner, struct recipe recipe,
                                                      uint64_t rows, uint64_t columns,
                                                      const char *format, ...)
{
    struct checkpoint *checkpoint = planner->checkpoint;
    if (planner->failed || checkpoint->length == planner->capacity) {
        planner->failed = true;
        return;
    }
    bool scales = recipe.kind == RECIPE_SCALES;
    struct tensor *tensor = &checkpoint->tensors[checkpoint->length];
    *tensor = (struct tensor){.dtype = planner->shape->base ? DTYPE_BF16 : DTYPE_F32};
    if (rows > 0)
        tensor->shape[tensor->rank++] = rows;
    tensor->shape[tensor->rank++] = columns;
    if (scales)
        tensor->shape[tensor->rank++] = 1;
    tensor->elements = (rows > 0 ? rows : 1) * columns;
    tensor->bytes = tensor->elements * dtype_bytes(tensor->dtype);
    char *name = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&name, format, arguments) < 0)
        name = NULL;
    va_end(arguments);
    planner->failed = name == NULL;
    tensor->name = name;
    checkpoint->recipes[checkpoint->length++] = recipe;
    checkpoint->elements += tensor->elements;
    checkpoint->bytes += tensor->bytes;
}

/* A matrix that is quantised, and its scales. */
static void add_quantised(struct planner *planner, struct recipe recipe, const char *name,
                          uint64_t rows)
{
    uint32_t layer = planner->layer, columns = recipe.columns;
    recipe.kind = RECIPE_MATRIX;
    add(planner, recipe, rows, columns, "model.layers.%u.%s.weight", layer, name);
    if (planner->shape->base)
        return;
    recipe.kind = RECIPE_SCALES;
    add(planner, recipe, rows, columns / GROUP, "model.layers.%u.%s.weight_quantizer.scales", layer,
        name);
}

static void add_bias(struct planner *planner, enum owner owner, const char *name, uint64_t length)
{
    struct recipe recipe = {
        .kind = RECIPE_NORMAL, .owner = owner_of(planner->layer, owner), .deviation = BIAS};
    if (owner == OWNER_GATE_BIAS) {
        recipe.kind = RECIPE_UNIFORM;
        recipe.low = DECAY_LOW;
        recipe.high = DECAY_HIGH;
    }
    add(planner, recipe, 0, length, "model.layers.%u.%s.bias", planner->layer, name);
}

/* ---- recipes ---- */

/* Share of loud channels in a stream of that width. */
static double loud_share(uint32_t width)
{
    return (double)((width + LOUD_EVERY - 1 - LOUD_FIRST) / LOUD_EVERY) / width;
}

/* Mean square of what leaves a norm. */
static double normed_square(uint32_t width)
{
    double share = loud_share(width);
    return 1 - share + share * LOUD * LOUD;
}

/* The norm before the branch of that number. */
static struct recipe norm_recipe(const struct checkpoint_shape *shape, uint32_t owner,
                                 uint32_t branch)
{
    double share = loud_share(shape->hidden), bulk = 1 + branch * BRANCH * BRANCH;
    double root = sqrt((1 - share) * bulk + share * STREAM_LOUD * STREAM_LOUD);
    return (struct recipe){.kind = RECIPE_GAINS,
                           .owner = owner,
                           .deviation = root / sqrt(bulk),
                           .spread = NORM_SPREAD,
                           .loud = LOUD * root / STREAM_LOUD};
}

/* A matrix that gives `result` (root mean square over rows) from `columns` values whose mean square
 * is `square`. */
static struct recipe matrix_recipe(uint32_t owner, uint32_t columns, double square, double result)
{
    return (struct recipe){.kind = RECIPE_MATRIX,
                           .owner = owner,
                           .columns = columns,
                           .deviation = result / sqrt(columns * square),
                           .spread = ROW_SPREAD};
}

/* The same from what leaves a norm. */
static struct recipe normed_recipe(const struct checkpoint_shape *shape, uint32_t owner,
                                   double result)
{
    return matrix_recipe(owner, shape->hidden, normed_square(shape->hidden), result);
}

/* gate_proj: deviation 1 by the bulk channels, GATE_OFFSET by the loud ones. */
static struct recipe gate_recipe(const struct checkpoint_shape *shape, uint32_t owner)
{
    double share = loud_share(shape->hidden), bulk = (1 - share) * shape->hidden;
    struct recipe recipe = matrix_recipe(owner, shape->hidden, 1 - share, 1);
    recipe.lift = GATE_OFFSET * CODE_DEVIATION * sqrt(bulk) / (share * shape->hidden * LOUD);
    return recipe;
}

/* ---- layers ---- */

static void add_norm(struct planner *planner, enum owner owner, const char *name, uint32_t branch)
{
    add(planner, norm_recipe(planner->shape, owner_of(planner->layer, owner), branch), 0,
        planner->shape->hidden, "model.layers.%u.%s.weight", planner->layer, name);
}

static void add_decay(struct planner *planner, uint32_t key_width)
{
    const struct checkpoint_shape *shape = planner->shape;
    uint32_t gate = owner_of(planner->layer, OWNER_GATE);
    if (shape->base) {
        add(planner, normed_recipe(shape, owner_of(planner->layer, OWNER_WAIST), 1), WAIST,
            shape->hidden, "model.layers.%u.attn.gk_proj.0.weight", planner->layer);
        add(planner, matrix_recipe(gate, WAIST, 1, DECAY_CHANGE), key_width, WAIST,
            "model.layers.%u.attn.gk_proj.1.weight", planner->layer);
    } else {
        add_quantised(planner, normed_recipe(shape, gate, DECAY_CHANGE), "attn.gk_proj", key_width);
    }
    add_bias(planner, OWNER_GATE_BIAS, shape->base ? "attn.gk_proj.1" : "attn.gk_proj", key_width);
}

static void add_attention(struct planner *planner, bool window)
{
    const struct checkpoint_shape *shape = planner->shape;
    uint32_t layer = planner->layer, hidden = shape->hidden, size = hidden / shape->heads;
    uint32_t key_width = size * shape->key_heads;
    struct recipe query = normed_recipe(shape, owner_of(layer, OWNER_Q), 1);
    struct recipe value = normed_recipe(shape, owner_of(layer, OWNER_V), 1);
    value.spread = VALUE_SPREAD;
    if (window)
        query.spread = VALUE_SPREAD;
    add_quantised(planner, query, "attn.q_proj", hidden);
    add_bias(planner, OWNER_Q_BIAS, "attn.q_proj", hidden);
    add_quantised(planner, normed_recipe(shape, owner_of(layer, OWNER_K), 1), "attn.k_proj",
                  key_width);
    add_bias(planner, OWNER_K_BIAS, "attn.k_proj", key_width);
    add_quantised(planner, value, "attn.v_proj", key_width);
    add_bias(planner, OWNER_V_BIAS, "attn.v_proj", key_width);
    if (!window) {
        add_decay(planner, key_width);
        const struct recipe gain = {.kind = RECIPE_GAINS,
                                    .owner = owner_of(layer, OWNER_HEAD_GAIN),
                                    .deviation = 1,
                                    .spread = HEAD_SPREAD};
        add(planner, gain, 0, size, "model.layers.%u.attn.g_norm.weight", layer);
    }
    add_quantised(planner, matrix_recipe(owner_of(layer, OWNER_O), hidden, 1, BRANCH),
                  "attn.o_proj", hidden);
}

static void add_layer(struct planner *planner)
{
    const struct checkpoint_shape *shape = planner->shape;
    uint32_t layer = planner->layer;
    add_norm(planner, OWNER_ATTN_NORM, "attn_norm", 2 * layer);
    add_attention(planner, shape->all_window || layer % 2 == 1);
    add_norm(planner, OWNER_MLP_NORM, "mlp_norm", 2 * layer + 1);
    add_quantised(planner, gate_recipe(shape, owner_of(layer, OWNER_MLP_GATE)), "mlp.gate_proj",
                  shape->intermediate);
    add_quantised(planner, normed_recipe(shape, owner_of(layer, OWNER_UP), 1), "mlp.up_proj",
                  shape->intermediate);
    add_quantised(
        planner,
        matrix_recipe(owner_of(layer, OWNER_DOWN), shape->intermediate, GATED * GATED, BRANCH),
        "mlp.down_proj", shape->hidden);
}

static void add_all(struct planner *planner)
{
    const struct checkpoint_shape *shape = planner->shape;
    struct recipe table = {.kind = RECIPE_MATRIX,
                           .owner = owner_of(-1, OWNER_EMBEDDINGS),
                           .columns = shape->hidden,
                           .deviation = 1,
                           .even = true,
                           .lift = STREAM_LOUD * CODE_DEVIATION};
    add(planner, table, shape->vocabulary, shape->hidden, "model.embeddings.weight");
    for (planner->layer = 0; planner->layer < shape->layers; planner->layer++)
        add_layer(planner);
    add(planner, norm_recipe(shape, owner_of(-1, OWNER_NORM), 2 * shape->layers), 0, shape->hidden,
        "model.norm.weight");
    struct recipe head = normed_recipe(shape, owner_of(-1, OWNER_HEAD), LOGIT);
    head.even = true;
    add(planner, head, shape->vocabulary, shape->hidden, "lm_head.weight");
}

bool checkpoint_plan(struct checkpoint *checkpoint, const struct checkpoint_shape *shape,
                     struct error *error)
{
    *checkpoint = (struct checkpoint){.shape = *shape};
    struct planner planner = {.checkpoint = checkpoint,
                              .shape = &checkpoint->shape,
                              .capacity = (size_t)shape->layers * OWNERS_PER_LAYER + 3};
    checkpoint->tensors = calloc(planner.capacity, sizeof *checkpoint->tensors);
    checkpoint->recipes = calloc(planner.capacity, sizeof *checkpoint->recipes);
    planner.failed = checkpoint->tensors == NULL || checkpoint->recipes == NULL;
    add_all(&planner);
    if (!planner.failed)
        return true;
    checkpoint_free(checkpoint);
    return error_no_memory(error, "the list of tensors");
}

void checkpoint_free(struct checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->length; i++)
        free((char *)(uintptr_t)checkpoint->tensors[i].name);
    free(checkpoint->tensors);
    free(checkpoint->recipes);
    *checkpoint = (struct checkpoint){0};
}

/* ---- config.json ---- */

char *checkpoint_config(const struct checkpoint_shape *shape, struct error *error)
{
    json_t *layers = json_array();
    bool failed = layers == NULL;
    for (uint32_t layer = 0; layer < shape->layers; layer++)
        if (shape->all_window || layer % 2 == 1)
            failed |= json_array_append_new(layers, json_integer(layer)) != 0;
    json_t *root = json_pack(
        "{s:[s], s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:f, s:f, s:i, s:i, s:b, s:b, s:i, s:i, "
        "s:o, s:s}",
        "architectures", "GLAswaForCausalLM", "model_type", "gla_swa", "vocab_size",
        (int)shape->vocabulary, "hidden_size", (int)shape->hidden, "num_hidden_layers",
        (int)shape->layers, "num_attention_heads", (int)shape->heads, "num_key_value_heads",
        (int)shape->key_heads, "intermediate_size", (int)shape->intermediate, "hidden_act", "swish",
        "rope_theta", 1e6, "norm_eps", 1e-6, "sliding_window", (int)shape->window,
        "max_position_embeddings", 131072, "tie_word_embeddings", 0, "use_short_conv", 0,
        "bos_token_id", (int)shape->end_token, "eos_token_id", (int)shape->end_token, "attn_layers",
        layers, "torch_dtype", shape->base ? "bfloat16" : "float32");
    char *text = failed ? NULL : json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(root);
    if (text == NULL)
        error_no_memory(error, "config.json");
    return text;
}
