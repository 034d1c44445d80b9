/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads config.json. Every number is checked for type and range before it is
 * used to size anything: a configuration that parses has sizes whose products
 * fit 32 bits.
 */
#include "neurons/import/spikingbrain_config.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "neurons/import/mapped_file.h"

enum {
    SIZE_LIMIT = 1 << 18,  /* hidden and intermediate size */
    LAYER_LIMIT = 4096,
    VOCABULARY_LIMIT = 1 << 24,
    WINDOW_LIMIT = 1 << 24,
    FILE_LIMIT = 16 << 20
};

struct reader {
    const char *name;
    const json_t *root;
    struct error *error;
};

static bool read_integer(const struct reader *reader, const char *key, bool required, int64_t low,
                         int64_t high, int64_t *value)
{
    const json_t *item = json_object_get(reader->root, key);
    if (item == NULL || json_is_null(item)) {
        if (!required)
            return true;
        return error_set(reader->error, ERROR_FAILED, "%s: '%s' is missing", reader->name, key);
    }
    if (!json_is_integer(item))
        return error_set(reader->error, ERROR_FAILED, "%s: '%s' must be an integer", reader->name,
                         key);
    int64_t found = json_integer_value(item);
    if (found < low || found > high)
        return error_set(reader->error, ERROR_FAILED,
                         "%s: '%s' is %lld; it must lie between %lld and %lld", reader->name, key,
                         (long long)found, (long long)low, (long long)high);
    *value = found;
    return true;
}

static bool read_size(const struct reader *reader, const char *key, int64_t high, uint32_t *value)
{
    int64_t found = 0;
    if (!read_integer(reader, key, true, 1, high, &found))
        return false;
    *value = (uint32_t)found;
    return true;
}

static bool read_number(const struct reader *reader, const char *key, double fallback, double low,
                        double *value)
{
    const json_t *item = json_object_get(reader->root, key);
    *value = fallback;
    if (item == NULL || json_is_null(item))
        return true;
    if (!json_is_number(item))
        return error_set(reader->error, ERROR_FAILED, "%s: '%s' must be a number", reader->name,
                         key);
    *value = json_number_value(item);
    if (!isfinite(*value) || *value < low)
        return error_set(reader->error, ERROR_FAILED, "%s: '%s' is %g; it must be at least %g",
                         reader->name, key, *value, low);
    return true;
}

static bool read_flag(const struct reader *reader, const char *key, bool *value)
{
    const json_t *item = json_object_get(reader->root, key);
    *value = false;
    if (item == NULL || json_is_null(item))
        return true;
    if (!json_is_boolean(item))
        return error_set(reader->error, ERROR_FAILED, "%s: '%s' must be true or false",
                         reader->name, key);
    *value = json_is_true(item);
    return true;
}

/* A string that, where it is given, must be one of two. */
static bool check_word(const struct reader *reader, const char *key, const char *one,
                       const char *other)
{
    const json_t *item = json_object_get(reader->root, key);
    if (item == NULL)
        return true;
    const char *word = json_string_value(item);
    if (word != NULL && (strcmp(word, one) == 0 || strcmp(word, other) == 0))
        return true;
    return error_set(reader->error, ERROR_FAILED,
                     "%s: '%s' is %s%s%s; Volley knows '%s', the SpikingBrain architecture",
                     reader->name, key, word != NULL ? "'" : "not a string",
                     word != NULL ? word : "", word != NULL ? "'" : "", one);
}

static bool read_layers(const struct reader *reader, struct spikingbrain_config *config)
{
    const json_t *list = json_object_get(reader->root, "attn_layers");
    config->window_layer = calloc(config->layers, sizeof *config->window_layer);
    if (config->window_layer == NULL)
        return error_no_memory(reader->error, "the layers");
    if (!json_is_array(list))
        return error_set(reader->error, ERROR_FAILED,
                         "%s: 'attn_layers' must be a list of the layers (from 0) with "
                         "sliding-window attention", reader->name);
    size_t index;
    json_t *item;
    json_array_foreach(list, index, item) {
        json_int_t layer = json_integer_value(item);
        if (!json_is_integer(item) || layer < 0 || layer >= config->layers)
            return error_set(reader->error, ERROR_FAILED,
                             "%s: 'attn_layers'[%zu] is not the number of a layer, 0 to %u",
                             reader->name, index, config->layers - 1);
        config->window_layer[layer] = true;
    }
    return true;
}

static bool check_heads(const struct reader *reader, struct spikingbrain_config *config)
{
    if (config->hidden % config->heads != 0 || config->heads % config->key_heads != 0)
        return error_set(reader->error, ERROR_FAILED,
                         "%s: hidden_size %u, num_attention_heads %u and num_key_value_heads %u do "
                         "not divide one another", reader->name, config->hidden, config->heads,
                         config->key_heads);
    config->head_size = config->hidden / config->heads;
    if (config->head_size % 2 != 0)
        return error_set(reader->error, ERROR_FAILED,
                         "%s: heads of %u channels cannot be rotated: the number must be even",
                         reader->name, config->head_size);
    return true;
}

static bool read_all(const struct reader *reader, struct spikingbrain_config *config)
{
    int64_t window = WINDOW_LIMIT, end = -1;
    bool convolution;
    if (!check_word(reader, "model_type", "gla_swa", "gla_swa") ||
        !check_word(reader, "hidden_act", "swish", "silu") ||
        !read_size(reader, "vocab_size", VOCABULARY_LIMIT, &config->vocabulary) ||
        !read_size(reader, "hidden_size", SIZE_LIMIT, &config->hidden) ||
        !read_size(reader, "intermediate_size", SIZE_LIMIT, &config->intermediate) ||
        !read_size(reader, "num_hidden_layers", LAYER_LIMIT, &config->layers) ||
        !read_size(reader, "num_attention_heads", SIZE_LIMIT, &config->heads) ||
        !read_size(reader, "num_key_value_heads", SIZE_LIMIT, &config->key_heads) ||
        !read_integer(reader, "sliding_window", false, 1, WINDOW_LIMIT, &window) ||
        !read_integer(reader, "eos_token_id", false, 0, VOCABULARY_LIMIT, &end) ||
        !read_number(reader, "rope_theta", 10000, 1, &config->theta) ||
        !read_number(reader, "norm_eps", 1e-6, 0, &config->epsilon) ||
        !read_flag(reader, "tie_word_embeddings", &config->tied) ||
        !read_flag(reader, "use_short_conv", &convolution))
        return false;
    if (convolution)
        return error_set(reader->error, ERROR_FAILED,
                         "%s: 'use_short_conv' is true; layers with short convolutions are not "
                         "supported", reader->name);
    config->window = (uint32_t)window;
    config->end_token = end;
    return check_heads(reader, config) && read_layers(reader, config);
}

bool spikingbrain_config_parse(struct spikingbrain_config *config, const char *name,
                               const char *text, size_t length, struct error *error)
{
    json_error_t wrong;
    *config = (struct spikingbrain_config){.end_token = -1};
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &wrong);
    if (root == NULL)
        return error_set(error, ERROR_FAILED, "%s: line %d: %s", name, wrong.line, wrong.text);
    struct reader reader = {name, root, error};
    bool read = json_is_object(root)
                    ? read_all(&reader, config)
                    : error_set(error, ERROR_FAILED, "%s: must hold a JSON object", name);
    json_decref(root);
    if (!read)
        spikingbrain_config_free(config);
    return read;
}

bool spikingbrain_config_read(struct spikingbrain_config *config, const char *path,
                              struct error *error)
{
    struct mapped_file file;
    if (access(path, F_OK) != 0)
        return error_set(error, ERROR_MISUSED,
                         "%s: %s; a model is a folder with config.json and safetensors or .bin "
                         "files",
                         path, strerror(errno));
    if (!mapped_file_open(&file, path, FILE_LIMIT, error))
        return false;
    bool read = spikingbrain_config_parse(config, path, (const char *)file.bytes, file.length,
                                          error);
    mapped_file_close(&file);
    return read;
}

void spikingbrain_config_free(struct spikingbrain_config *config)
{
    free(config->window_layer);
    config->window_layer = NULL;
}
