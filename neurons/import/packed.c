/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading packed models. The file is mapped, and weights are used where they lie.
 *
 * The invariant of an open one: its version, settings and the list of its tensors match their
 * checksum. Every tensor is held against its own checksum before anything is computed from it:
 * when the mapping asks for it, but for codes and scales of the integer weights, most of the
 * file, which wait until a spike is about to reach them. Whatever the checksums say, no number
 * in the file leads out of it.
 */
#include "neurons/import/packed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "neurons/import/packed_format.h"
#include "neurons/import/spikingbrain.h"
#include "neurons/import/utf8.h"

enum { NAME_ROOM = 512 };

/* The large arrays of one integer weight, which are still to be checked. */
struct packed_weight {
    const struct packed *packed;
    const struct tensor *codes, *scales;
    struct packed_weight *next;
};

struct packed {
    struct weights_source source; /* first: a pointer to one is a pointer to the other */
    char *path;
    struct packed_weight *weights;
};

#define AGAIN "; pack the model again"

/* ---- checksums ---- */

static const char *find_checksum(const struct tensor_set *tensors, const struct tensor *tensor)
{
    char key[NAME_ROOM];
    if (snprintf(key, sizeof key, PACKED_CHECKSUM "%s", tensor->name) >= (int)sizeof key)
        return NULL;
    return tensor_set_metadata(tensors, key);
}

static bool check_bytes(const struct packed *packed, const struct tensor *tensor,
                        struct error *error)
{
    char digits[PACKED_DIGITS + 1];
    const char *expected = find_checksum(packed->source.tensors, tensor);
    packed_digits(XXH3_64bits(tensor->data, tensor->bytes), digits);
    if (expected != NULL && strcmp(expected, digits) == 0)
        return true;
    return error_set(error, ERROR_FAILED,
                     "%s: tensor '%.*s' is damaged: its bytes do not match their checksum; copy "
                     "the file anew or pack the model again", utf8_tail(packed->path),
                     utf8_clip(tensor->name), tensor->name);
}

static const unsigned char *buffer_of(const struct tensor_set *tensors)
{
    const unsigned char *first = NULL;
    for (size_t i = 0; i < tensor_set_length(tensors); i++) {
        const unsigned char *data = tensor_set_at(tensors, i)->data;
        first = first == NULL || data < first ? data : first;
    }
    return first;
}

static bool check_contents(const struct packed *packed, struct error *error)
{
    const struct tensor_set *tensors = packed->source.tensors;
    const unsigned char *buffer = buffer_of(tensors);
    const char *path = utf8_tail(packed->path);
    const char *expected = tensor_set_metadata(tensors, "contents");
    XXH3_state_t *contents = XXH3_createState();
    if (contents == NULL)
        return error_no_memory(error, "a checksum");
    XXH3_64bits_reset(contents);
    bool whole = true;
    for (size_t i = 0; packed_settings[i] != NULL; i++) {
        const char *setting = tensor_set_metadata(tensors, packed_settings[i]);
        whole = whole && setting != NULL;
        packed_contents_add_setting(contents, setting != NULL ? setting : "");
    }
    for (size_t i = 0; i < tensor_set_length(tensors); i++) {
        const struct tensor *tensor = tensor_set_at(tensors, i);
        const char *checksum = find_checksum(tensors, tensor);
        whole = whole && checksum != NULL;
        packed_contents_add_tensor(contents, tensor,
                                   (uint64_t)((const unsigned char *)tensor->data - buffer),
                                   checksum != NULL ? checksum : "");
    }
    char digits[PACKED_DIGITS + 1];
    packed_digits(XXH3_64bits_digest(contents), digits);
    XXH3_freeState(contents);
    if (whole && expected != NULL && strcmp(expected, digits) == 0)
        return true;
    return error_set(error, ERROR_FAILED,
                     "%s: its header is damaged: settings and tensors do not match their "
                     "checksum; copy the file anew or pack the model again", path);
}

/* ---- what is in it ---- */

static bool check_version(const struct packed *packed, struct error *error)
{
    const char *path = utf8_tail(packed->path);
    const char *format = tensor_set_metadata(packed->source.tensors, "format");
    const char *version = tensor_set_metadata(packed->source.tensors, "version");
    if (format == NULL || strcmp(format, PACKED_FORMAT) != 0)
        return error_set(error, ERROR_MISUSED,
                         "%s: is not a packed model; give the folder of the checkpoint, or what "
                         "volley pack made of it", path);
    char known[16];
    snprintf(known, sizeof known, "%d", PACKED_VERSION);
    if (version != NULL && strcmp(version, known) == 0)
        return true;
    return error_set(error, ERROR_FAILED,
                     "%s: is a packed model of version '%.20s', and this Volley reads version %s"
                     AGAIN, path, version != NULL ? version : "none", known);
}

/* A tensor of that dtype and number of elements, and, where it is not said that they may wait, of
 * the right bytes. */
static const struct tensor *find(const struct packed *packed, const char *weight, const char *part,
                                 enum dtype dtype, uint64_t elements, bool waits,
                                 struct error *error)
{
    const char *path = utf8_tail(packed->path);
    char name[NAME_ROOM];
    snprintf(name, sizeof name, "%s%s", weight, part);
    const struct tensor *tensor = tensor_set_find(packed->source.tensors, name);
    if (tensor == NULL) {
        error_set(error, ERROR_FAILED, "%s: has no tensor '%s'" AGAIN, path, name);
        return NULL;
    }
    if (tensor->dtype != dtype || tensor->elements != elements) {
        error_set(error, ERROR_FAILED,
                  "%s: tensor '%s' has %" PRIu64 " numbers of %s where %" PRIu64 " of %s belong"
                  AGAIN, path, name, tensor->elements, dtype_name(tensor->dtype), elements,
                  dtype_name(dtype));
        return NULL;
    }
    uint32_t aligned = dtype == DTYPE_U8 ? PACKED_LINE : dtype_bytes(dtype);
    if ((uintptr_t)tensor->data % aligned != 0) {
        error_set(error, ERROR_FAILED, "%s: tensor '%s' does not begin at a multiple of %u bytes"
                  AGAIN, path, name, aligned);
        return NULL;
    }
    return waits || check_bytes(packed, tensor, error) ? tensor : NULL;
}

/* A file of the checkpoint's folder, checked when the model was opened; *absent where there is
 * none. */
static const struct tensor *find_file(const struct packed *packed, const char *file, bool *absent,
                                      struct error *error)
{
    char name[NAME_ROOM];
    snprintf(name, sizeof name, PACKED_FILES "%s", file);
    const struct tensor *tensor = tensor_set_find(packed->source.tensors, name);
    *absent = tensor == NULL;
    if (tensor == NULL)
        return NULL;
    if (tensor->dtype == DTYPE_U8)
        return tensor;
    error_set(error, ERROR_FAILED, "%s: tensor '%s' is %s, not the bytes of a file" AGAIN,
              utf8_tail(packed->path), name, dtype_name(tensor->dtype));
    return NULL;
}

static bool accepts(const struct weights_source *self, const struct spikingbrain_options *options,
                    struct error *error)
{
    const char *path = utf8_tail(((const struct packed *)self)->path);
    const char *threshold = tensor_set_metadata(self->tensors, "threshold");
    const char *down_proj = tensor_set_metadata(self->tensors, "down_proj");
    const char *asked_threshold = spikingbrain_threshold_name(options->threshold);
    const char *asked_down_proj = options->down_proj_spikes ? "paper" : "repo";
    if (options->coding == NULL)
        return error_set(error, ERROR_MISUSED,
                         "%s: holds integer codes for spikes; --float needs the checkpoint it was "
                         "packed from", path);
    if (strcmp(threshold, asked_threshold) != 0)
        return error_set(error, ERROR_MISUSED,
                         "%s: was packed for a threshold for each %.20s, not for each %s; pack the "
                         "checkpoint with --threshold %s", path, threshold, asked_threshold,
                         asked_threshold);
    return strcmp(down_proj, asked_down_proj) == 0 ||
           error_set(error, ERROR_MISUSED,
                     "%s: was packed with --down-proj %.20s, not %s; pack the checkpoint with "
                     "--down-proj %s", path, down_proj, asked_down_proj, asked_down_proj);
}

static const struct tensor *floats(struct weights_source *self, const char *name, uint64_t rows,
                                   uint64_t columns, struct error *error)
{
    const struct tensor *tensor = tensor_set_find(self->tensors, name);
    if (!tensor_check_floats(tensor, name, rows, columns, error) ||
        !check_bytes((struct packed *)self, tensor, error))
        return NULL;
    tensor_release(self->tensors, tensor); /* of a table, few rows may be needed */
    return tensor;
}

/* ---- integer weights ---- */

/* Before the first delivery. */
static bool verify(void *self, struct error *error)
{
    const struct packed_weight *weight = self;
    return check_bytes(weight->packed, weight->codes, error) &&
           check_bytes(weight->packed, weight->scales, error);
}

/* The numbers of a weight, as asked for. */
static bool read_numbers(const struct packed *packed, const char *name, uint32_t outputs,
                         uint32_t inputs, uint32_t span, int64_t numbers[NUMBERS],
                         struct error *error)
{
    const char *path = utf8_tail(packed->path);
    const struct tensor *tensor =
        find(packed, name, ".numbers", DTYPE_I64, NUMBERS, false, error);
    if (tensor == NULL)
        return false;
    memcpy(numbers, tensor->data, NUMBERS * sizeof *numbers);
    if (numbers[NUMBER_OUTPUTS] != outputs || numbers[NUMBER_INPUTS] != inputs ||
        numbers[NUMBER_SPAN] != span)
        return error_set(error, ERROR_FAILED,
                         "%s: '%s' is [%" PRId64 ", %" PRId64 "] with a threshold for every %"
                         PRId64 " inputs; its config.json asks for [%u, %u] and %u" AGAIN, path,
                         name, numbers[NUMBER_OUTPUTS], numbers[NUMBER_INPUTS],
                         numbers[NUMBER_SPAN], outputs, inputs, span);
    int64_t scale_group = numbers[NUMBER_SCALE_GROUP];
    bool usable = scale_group >= 1 && scale_group <= DENSE_INTEGER_INPUTS &&
                  numbers[NUMBER_GROUP] == packed_group((uint32_t)scale_group, span) &&
                  numbers[NUMBER_CODE_LIMIT] >= 0 && numbers[NUMBER_CODE_LIMIT] <= INT16_MAX &&
                  numbers[NUMBER_SYNAPSES] >= 0 && numbers[NUMBER_EXTRAS] >= 0 &&
                  numbers[NUMBER_SYNAPSES] <= (int64_t)outputs * inputs &&
                  numbers[NUMBER_EXTRAS] <= UINT32_MAX;
    return usable || error_set(error, ERROR_FAILED,
                               "%s: tensor '%s.numbers' holds numbers that no weight has" AGAIN,
                               path, name);
}

static struct packed_weight *add_weight(struct packed *packed, struct error *error)
{
    struct packed_weight *weight = calloc(1, sizeof *weight);
    if (weight == NULL) {
        error_no_memory(error, "a packed model");
        return NULL;
    }
    *weight = (struct packed_weight){.packed = packed, .next = packed->weights};
    packed->weights = weight;
    return weight;
}

static struct dense_integer *codes(struct weights_source *self, const char *name, uint32_t outputs,
                                   uint32_t inputs, uint32_t span, struct error *error)
{
    struct packed *packed = (struct packed *)self;
    int64_t numbers[NUMBERS];
    struct packed_weight *weight = add_weight(packed, error);
    if (weight == NULL || !read_numbers(packed, name, outputs, inputs, span, numbers, error))
        return NULL;
    uint64_t rows = whole_pieces(outputs), extras = (uint64_t)numbers[NUMBER_EXTRAS];
    uint32_t group = (uint32_t)numbers[NUMBER_GROUP];
    uint64_t scales = rows * group_count(inputs, group);
    uint64_t lists = dense_integer_lists(outputs, inputs, group);
    weight->codes = find(packed, name, ".codes", DTYPE_U8, rows * inputs, true, error);
    weight->scales = find(packed, name, ".scales", DTYPE_F32, scales, true, error);
    const struct tensor *extra_list =
        find(packed, name, ".extras", DTYPE_I16, 2 * extras, false, error);
    const struct tensor *extra_start =
        find(packed, name, ".extra_start", DTYPE_I32, lists + 1, false, error);
    const struct tensor *fan_out = find(packed, name, ".fan_out", DTYPE_I32, inputs, false, error);
    if (weight->codes == NULL || weight->scales == NULL || extra_list == NULL ||
        extra_start == NULL || fan_out == NULL)
        return NULL;
    struct dense_integer arrays = {
        .outputs = outputs,
        .inputs = inputs,
        .group = group,
        .scale_group = (uint32_t)numbers[NUMBER_SCALE_GROUP],
        .code_limit = (int32_t)numbers[NUMBER_CODE_LIMIT],
        .synapses = (uint64_t)numbers[NUMBER_SYNAPSES],
        .codes = (uint8_t *)(uintptr_t)weight->codes->data,
        .scales = (float *)(uintptr_t)weight->scales->data,
        .extra_start = (uint32_t *)(uintptr_t)extra_start->data,
        .extras = (struct extra *)(uintptr_t)extra_list->data,
        .fan_out = (uint32_t *)(uintptr_t)fan_out->data,
    };
    struct dense_integer *dense = dense_integer_adopt(&arrays, extras, name, error);
    if (dense == NULL) {
        error_within(error, "%s", utf8_tail(packed->path));
        return NULL;
    }
    dense->verify = verify;
    dense->verify_self = weight;
    return dense;
}

/* ---- opening ---- */

bool packed_is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && !S_ISDIR(status.st_mode);
}

static void packed_close(struct weights_source *self)
{
    struct packed *packed = (struct packed *)self;
    while (packed->weights != NULL) {
        struct packed_weight *weight = packed->weights;
        packed->weights = weight->next;
        free(weight);
    }
    spikingbrain_config_free(&self->config);
    tensor_set_close(self->tensors);
    free(packed->path);
    free(packed);
}

/* Files of the checkpoint's folder, and what fills up. */
static bool check_files(const struct packed *packed, struct error *error)
{
    const struct tensor_set *tensors = packed->source.tensors;
    bool good = true;
    for (size_t i = 0; i < tensor_set_length(tensors) && good; i++) {
        const struct tensor *tensor = tensor_set_at(tensors, i);
        if (strncmp(tensor->name, PACKED_FILES, strlen(PACKED_FILES)) == 0 ||
            strcmp(tensor->name, PACKED_PADDING) == 0)
            good = check_bytes(packed, tensor, error);
    }
    return good;
}

static bool read_config(struct packed *packed, struct error *error)
{
    bool absent;
    char name[NAME_ROOM];
    const struct tensor *file = find_file(packed, "config.json", &absent, error);
    if (absent)
        return error_set(error, ERROR_FAILED, "%s: has no tensor '" PACKED_FILES "config.json'"
                         AGAIN, utf8_tail(packed->path));
    snprintf(name, sizeof name, "%s: config.json", utf8_tail(packed->path));
    return file != NULL && spikingbrain_config_parse(&packed->source.config, name, file->data,
                                                     file->bytes, error);
}

/* Takes `tensors`, which may be NULL because they could not be opened. */
static struct weights_source *open_set(const char *path, struct tensor_set *tensors,
                                       bool mapped, struct error *error)
{
    if (tensors == NULL)
        return NULL;
    struct packed *packed = calloc(1, sizeof *packed);
    if (packed == NULL) {
        tensor_set_close(tensors);
        error_no_memory(error, "a packed model");
        return NULL;
    }
    packed->path = strdup(path);
    packed->source = (struct weights_source){.tensors = tensors,
                                             .accepts = accepts,
                                             .mapped = mapped,
                                             .floats = floats,
                                             .stored = floats,
                                             .codes = codes,
                                             .close = packed_close};
    bool good = packed->path != NULL || error_no_memory(error, "a packed model");
    if (good && check_version(packed, error) && check_contents(packed, error) &&
        check_files(packed, error) && read_config(packed, error)) {
        snprintf(packed->source.digest, sizeof packed->source.digest, "%s",
                 tensor_set_metadata(tensors, "source_digest"));
        return &packed->source;
    }
    packed_close(&packed->source);
    return NULL;
}

struct weights_source *packed_open(const char *path, struct error *error)
{
    return open_set(path, tensor_set_open(path, error), true, error);
}

struct weights_source *packed_open_memory(const char *name, const void *bytes, size_t length,
                                          struct error *error)
{
    return open_set(name, tensor_set_open_memory(name, bytes, length, error), false, error);
}

struct tokenizer *packed_tokenizer(const char *path, struct error *error)
{
    struct packed *packed = (struct packed *)packed_open(path, error);
    if (packed == NULL)
        return NULL;
    bool no_vocabulary, no_merges;
    struct tokenizer *tokenizer = NULL;
    const struct tensor *vocabulary = find_file(packed, "vocab.json", &no_vocabulary, error);
    const struct tensor *merges = find_file(packed, "merges.txt", &no_merges, error);
    if (no_vocabulary || no_merges)
        error_set(error, ERROR_MISUSED,
                  "%s: does not hold the tokenizer, which is vocab.json and merges.txt; put them "
                  "into the checkpoint's folder and pack it again", utf8_tail(path));
    else if (vocabulary != NULL && merges != NULL) {
        tokenizer = tokenizer_open_memory(vocabulary->data, vocabulary->bytes, merges->data,
                                          merges->bytes, error);
        if (tokenizer == NULL)
            error_within(error, "%s", utf8_tail(path));
    }
    packed_close(&packed->source);
    return tokenizer;
}
