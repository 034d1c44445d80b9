/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packed models that were changed on purpose, with checksums that are right again: worked out from
 * the description of the format (packed_format.h), not with the code that reads or writes it.
 */
#ifndef VOLLEY_PACKED_RIG_H
#define VOLLEY_PACKED_RIG_H

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "neurons/models/models.h"
#include "neurons/import/packed.h"
#include "neurons/import/spikingbrain.h"

static inline uint64_t rig_header_length(const unsigned char *bytes)
{
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--)
        length = length << 8 | bytes[i];
    return length;
}

/* The header as JSON; the caller's. NULL if it is none. */
static inline json_t *rig_header(const unsigned char *bytes, size_t length)
{
    uint64_t header = length >= 8 ? rig_header_length(bytes) : UINT64_MAX;
    return header <= length - 8 ? json_loadb((const char *)bytes + 8, header, 0, NULL) : NULL;
}

/* Where a tensor's bytes are. NULL if there is no such tensor, or not in the file. */
static inline unsigned char *rig_tensor(unsigned char *bytes, size_t length, const json_t *header,
                                        const char *name, uint64_t *size)
{
    json_t *offsets = json_object_get(json_object_get(header, name), "data_offsets");
    json_int_t begin = json_integer_value(json_array_get(offsets, 0));
    json_int_t end = json_integer_value(json_array_get(offsets, 1));
    uint64_t buffer = 8 + rig_header_length(bytes);
    if (json_array_size(offsets) != 2 || begin < 0 || end < begin ||
        (uint64_t)end > length - buffer)
        return NULL;
    *size = (uint64_t)(end - begin);
    return bytes + buffer + begin;
}

/* Writes the digits of a checksum over those behind "key":" in the header. */
static inline void rig_set_digits(unsigned char *bytes, const char *key, uint64_t checksum)
{
    char quoted[700], digits[17];
    snprintf(quoted, sizeof quoted, "\"%s\":\"", key);
    snprintf(digits, sizeof digits, "%016" PRIx64, checksum);
    unsigned char *at = memmem(bytes + 8, rig_header_length(bytes), quoted, strlen(quoted));
    if (at != NULL && at + strlen(quoted) + 16 <= bytes + 8 + rig_header_length(bytes))
        memcpy(at + strlen(quoted), digits, 16);
}

static inline int rig_compare(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static inline size_t rig_put(char *out, const char *text)
{
    size_t length = strlen(text) + 1;
    memcpy(out, text, length);
    return length;
}

/* The line that stands for a tensor in the checksum of the contents. */
static inline size_t rig_describe(char *out, const json_t *header, const char *name,
                                  const char *checksum)
{
    json_t *entry = json_object_get(header, name), *shape = json_object_get(entry, "shape");
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    char line[512];
    int used = snprintf(line, sizeof line, "%s@%" JSON_INTEGER_FORMAT, dtype != NULL ? dtype : "",
                        json_integer_value(
                            json_array_get(json_object_get(entry, "data_offsets"), 0)));
    for (size_t d = 0; d < json_array_size(shape) && d < 8; d++)
        used += snprintf(line + used, sizeof line - (size_t)used, ",%" JSON_INTEGER_FORMAT,
                         json_integer_value(json_array_get(shape, d)));
    size_t length = rig_put(out, name);
    length += rig_put(out + length, line);
    return length + rig_put(out + length, checksum);
}

/* Makes all checksums right. False if the header is none. */
static inline bool rig_rehash(unsigned char *bytes, size_t length)
{
    json_t *header = rig_header(bytes, length);
    if (!json_is_object(header)) {
        json_decref(header);
        return false;
    }
    size_t count = 0, room = rig_header_length(bytes) * 4 + 4096, used = 0;
    const char **names = malloc((json_object_size(header) + 1) * sizeof *names), *name;
    char *text = malloc(room);
    json_t *entry, *metadata = json_object_get(header, "__metadata__");
    json_object_foreach(header, name, entry)
        if (strcmp(name, "__metadata__") != 0)
            names[count++] = name;
    qsort(names, count, sizeof *names, rig_compare);
    static const char *const settings[] = {"source_digest", "threshold", "down_proj",
                                           "table_bits"};
    for (size_t i = 0; i < 4; i++) {
        const char *value = json_string_value(json_object_get(metadata, settings[i]));
        used += rig_put(text + used, value != NULL ? value : "");
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t size = 0;
        const unsigned char *data = rig_tensor(bytes, length, header, names[i], &size);
        uint64_t checksum = XXH3_64bits(data, size);
        char key[600], digits[17];
        snprintf(key, sizeof key, "xxh3:%s", names[i]);
        snprintf(digits, sizeof digits, "%016" PRIx64, checksum);
        rig_set_digits(bytes, key, checksum);
        used += rig_describe(text + used, header, names[i], digits);
    }
    rig_set_digits(bytes, "contents", XXH3_64bits(text, used));
    free(text);
    free(names);
    json_decref(header);
    return true;
}

static inline struct spikingbrain_options rig_rules(const char *threshold, bool paper)
{
    struct spikingbrain_options rules = {
        .coding = coding_find("bitwise", NULL), .k = 3, .down_proj_spikes = paper, .lanes = 4};
    spikingbrain_find_threshold(threshold, &rules.threshold, NULL);
    return rules;
}

/* Sends tokens 0, 1, … lanes-1 through a model; its logits, from malloc. NULL with error. */
static inline double *rig_run(struct language_model *model, uint32_t lanes, struct error *error)
{
    struct workers *workers = workers_new(2, error);
    const uint32_t tokens[4] = {0, 1, 2, 3};
    struct wave wave = {0, lanes, 0};
    model->network->workers = workers;
    bool ran = workers != NULL && network_seal(model->network, error) &&
               embedding_feed(model->tokens, tokens, lanes, error) &&
               network_wave(model->network, model->tokens, wave, NULL, error);
    size_t bytes = (size_t)lanes * model->vocabulary * sizeof(double);
    double *logits = ran ? malloc(bytes) : NULL;
    if (logits != NULL)
        memcpy(logits, model->logits->values, bytes);
    workers_free(workers);
    return logits;
}

/* The same of a packed model in memory that begins at a page. */
static inline double *rig_run_memory(const unsigned char *bytes, size_t length,
                                     const struct spikingbrain_options *rules,
                                     struct error *error)
{
    struct weights_source *source = packed_open_memory("packed", bytes, length, error);
    struct language_model *model =
        source != NULL ? spikingbrain_map(source, "packed", rules, error) : NULL;
    double *logits = model != NULL ? rig_run(model, 4, error) : NULL;
    language_model_free(model);
    return logits;
}

#endif
