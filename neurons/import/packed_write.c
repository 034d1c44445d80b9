/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing packed models.
 *
 * What a run asks for is found out by mapping the checkpoint to a network once, from a source that
 * notes every request and answers integer weights with empty ones. The places of all tensors but
 * the extras follow from that. Then weights are made and written one by one, each at its place,
 * their extras at the growing end of the file; the header, for which room was left, comes last.
 *
 * The file has another name until it is complete and on the disk.
 */
#define _GNU_SOURCE 1
#include "neurons/import/packed.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "neurons/delivery/dense_float.h"
#include "neurons/import/checkpoint.h"
#include "neurons/import/mapped_file.h"
#include "neurons/import/packed_format.h"
#include "neurons/import/spikingbrain.h"
#include "neurons/import/utf8.h"

enum {
    WRITTEN_AT_ONCE = 16 << 20, /* bytes … */
    AT_ONCE = 4 << 20,          /* … and numbers of a table, more than a row has */
    FILE_LIMIT = 1 << 28,
    LENGTH_BYTES = 8,
    NAME_ROOM = 512
};

/* Files of the checkpoint's folder that are taken along if they are there; the first must be. */
static const char *const files[] = {"config.json", "vocab.json", "merges.txt",
                                    "tokenizer_config.json", "special_tokens_map.json",
                                    "added_tokens.json", "generation_config.json"};
enum { FILES = sizeof files / sizeof *files };

/* A tensor of the file to be. */
struct planned {
    struct tensor tensor;  /* its name is its own */
    bool last;             /* extras: it grows, and has its place at the end */
    uint64_t place;        /* in the buffer */
    char checksum[PACKED_DIGITS + 1];
};

/* The parts of an integer weight, in the order in which they are planned. */
enum part { PART_CODES, PART_SCALES, PART_EXTRA_START, PART_FAN_OUT, PART_EXTRAS, PART_NUMBERS,
            PARTS };
static const struct {
    const char *name;
    enum dtype dtype;
} parts[PARTS] = {
    [PART_CODES] = {".codes", DTYPE_U8},      [PART_SCALES] = {".scales", DTYPE_F32},
    [PART_EXTRA_START] = {".extra_start", DTYPE_I32}, [PART_FAN_OUT] = {".fan_out", DTYPE_I32},
    [PART_EXTRAS] = {".extras", DTYPE_I16},   [PART_NUMBERS] = {".numbers", DTYPE_I64},
};

/* What the mapping asked for. */
struct request {
    char *name;
    bool codes;             /* an integer weight; else floats */
    uint64_t rows, columns; /* outputs and inputs of integer weights */
    uint32_t span, group, scale_group;
    void *zeros;            /* of the empty weight that was given */
    size_t first;           /* its first planned tensor */
};

struct packer {
    const char *folder, *path;
    const struct packing_options *options;
    struct packing *packing;
    struct error *error;
    struct weights_source *checkpoint;
    struct request *requests; /* [request_count] */
    size_t request_count;
    struct mapped_file files[FILES];
    size_t first_file;        /* planned tensors of files that are there follow one another */
    struct planned *planned;  /* [planned_count] */
    size_t planned_count;
    char *unfinished;         /* path; NULL: there is no file */
    int descriptor;
    uint64_t buffer;          /* where it begins in the file */
    uint64_t end;             /* of what has a place in the buffer */
};

static bool failed_to_write(struct packer *packer)
{
    return error_set(packer->error, ERROR_FAILED, "%s: cannot be written: %s",
                     utf8_tail(packer->path), strerror(errno));
}

/* ---- finding out what is wanted ---- */

/* The source that notes what it is asked for. */
struct recorder {
    struct weights_source source; /* first: a pointer to one is a pointer to the other */
    struct packer *packer;
};

/* NULL with error, and where it is known already, which sets *known. */
static struct request *add_request(struct packer *packer, const char *name, bool *known,
                                   struct error *error)
{
    *known = false;
    for (size_t i = 0; i < packer->request_count && !*known; i++)
        *known = strcmp(packer->requests[i].name, name) == 0;
    if (*known)
        return NULL;
    struct request *requests =
        reallocarray(packer->requests, packer->request_count + 1, sizeof *requests);
    char *copy = strdup(name);
    if (requests != NULL)
        packer->requests = requests;
    if (requests == NULL || copy == NULL) {
        free(copy);
        error_no_memory(error, "the list of weights");
        return NULL;
    }
    struct request *request = &requests[packer->request_count++];
    *request = (struct request){.name = copy};
    return request;
}

static const struct tensor *note_floats(struct weights_source *self, const char *name,
                                        uint64_t rows, uint64_t columns, struct error *error)
{
    struct packer *packer = ((struct recorder *)self)->packer;
    const struct tensor *tensor = checkpoint_find(packer->checkpoint, name, rows, columns, error);
    bool known;
    struct request *request =
        tensor != NULL ? add_request(packer, name, &known, error) : NULL;
    if (request == NULL)
        return tensor != NULL && known ? tensor : NULL;
    request->rows = rows;
    request->columns = columns;
    return tensor;
}

static struct dense_integer *note_codes(struct weights_source *self, const char *name,
                                        uint32_t outputs, uint32_t inputs, uint32_t span,
                                        struct error *error)
{
    struct packer *packer = ((struct recorder *)self)->packer;
    uint32_t scale_group;
    bool known;
    if (!checkpoint_find_group(packer->checkpoint, name, outputs, inputs, &scale_group, error))
        return NULL;
    struct request *request = add_request(packer, name, &known, error);
    if (request == NULL)
        return NULL;
    request->codes = true;
    request->rows = outputs;
    request->columns = inputs;
    request->span = span;
    request->scale_group = scale_group;
    request->group = packed_group(scale_group, span);
    uint64_t lists = dense_integer_lists(outputs, inputs, request->group);
    request->zeros = calloc(lists + 1 + inputs, sizeof(uint32_t)); /* for any array that is read */
    if (request->zeros == NULL) {
        error_no_memory(error, "the list of weights");
        return NULL;
    }
    struct dense_integer empty = {.outputs = outputs,
                                  .inputs = inputs,
                                  .group = request->group,
                                  .scale_group = scale_group,
                                  .codes = request->zeros,
                                  .scales = request->zeros,
                                  .extra_start = request->zeros,
                                  .extras = request->zeros,
                                  .fan_out = request->zeros};
    return dense_integer_adopt(&empty, 0, name, error);
}

static void close_recorder(struct weights_source *self)
{
    (void)self; /* what it shows is the checkpoint's */
}

/* Fills packer->requests. */
static bool find_requests(struct packer *packer)
{
    struct recorder recorder = {.source = *packer->checkpoint, .packer = packer};
    recorder.source.floats = note_floats;
    recorder.source.stored = note_floats;
    recorder.source.codes = note_codes;
    recorder.source.close = close_recorder;
    struct spikingbrain_options rules = *packer->options->rules;
    rules.lanes = 1;
    rules.window = 1; /* the network only has to be there */
    rules.table_bits = 0;
    struct language_model *model =
        spikingbrain_map(&recorder.source, packer->folder, &rules, packer->error);
    language_model_free(model);
    return model != NULL;
}

/* ---- planning ---- */

/* Adds a tensor of shape [rows, columns], or [columns] where rows is 0. */
static struct planned *plan(struct packer *packer, const char *name, const char *part,
                            enum dtype dtype, uint64_t rows, uint64_t columns)
{
    struct planned *grown =
        reallocarray(packer->planned, packer->planned_count + 1, sizeof *grown);
    char *whole = NULL;
    if (grown != NULL)
        packer->planned = grown;
    if (grown == NULL || asprintf(&whole, "%s%s", name, part) < 0) {
        error_no_memory(packer->error, "the list of tensors");
        return NULL;
    }
    struct planned *planned = &grown[packer->planned_count++];
    uint64_t elements = rows > 0 ? rows * columns : columns;
    *planned = (struct planned){.tensor = {.name = whole,
                                           .dtype = dtype,
                                           .rank = rows > 0 ? 2 : 1,
                                           .shape = {rows > 0 ? rows : columns, columns},
                                           .elements = elements,
                                           .bytes = elements * dtype_bytes(dtype)}};
    return planned;
}

static bool plan_codes(struct packer *packer, struct request *request)
{
    uint32_t outputs = (uint32_t)request->rows, inputs = (uint32_t)request->columns;
    uint64_t rows = whole_pieces(outputs);
    const uint64_t lengths[PARTS] = {
        [PART_CODES] = rows * inputs,
        [PART_SCALES] = rows * group_count(inputs, request->group),
        [PART_EXTRA_START] = dense_integer_lists(outputs, inputs, request->group) + 1,
        [PART_FAN_OUT] = inputs,
        [PART_EXTRAS] = 2,
        [PART_NUMBERS] = NUMBERS,
    };
    for (uint32_t part = 0; part < PARTS; part++) {
        struct planned *planned =
            plan(packer, request->name, parts[part].name, parts[part].dtype, 0, lengths[part]);
        if (planned == NULL)
            return false;
        if (part == PART_EXTRAS) {
            planned->last = true;
            planned->tensor.rank = 2;
            planned->tensor.shape[1] = 2;
        }
    }
    return true;
}

/* The tables that are read by tokens: they may be narrowed. */
static bool is_table(const char *name)
{
    return strcmp(name, "model.embeddings.weight") == 0 || strcmp(name, "lm_head.weight") == 0;
}

static bool plan_floats(struct packer *packer, const struct request *request)
{
    const struct tensor *tensor = checkpoint_find(packer->checkpoint, request->name, request->rows,
                                                  request->columns, packer->error);
    bool narrowed = packer->options->table_bits == 16 && is_table(request->name);
    return plan(packer, request->name, "", narrowed ? DTYPE_BF16 : tensor->dtype, request->rows,
                request->columns) != NULL;
}

static bool plan_files(struct packer *packer)
{
    packer->first_file = packer->planned_count;
    for (size_t i = 0; i < FILES; i++) {
        char *path = NULL;
        if (asprintf(&path, "%s/%s", packer->folder, files[i]) < 0)
            return error_no_memory(packer->error, "the path of a file");
        bool there = access(path, F_OK) == 0;
        bool opened =
            !there || mapped_file_open(&packer->files[i], path, FILE_LIMIT, packer->error);
        free(path);
        if (!opened || (there && plan(packer, PACKED_FILES, files[i], DTYPE_U8, 0,
                                      packer->files[i].length) == NULL))
            return false;
    }
    return true;
}

/* What the size of a tensor is a multiple of; codes as far as a page, others a cache line. */
static uint64_t alignment_of(const struct planned *planned)
{
    bool paged = planned->tensor.dtype == DTYPE_U8 &&
                 strncmp(planned->tensor.name, PACKED_FILES, strlen(PACKED_FILES)) != 0;
    uint64_t most = paged ? PACKED_PAGE : PACKED_LINE, bytes = planned->tensor.bytes;
    uint64_t lowest = bytes & -bytes;
    return lowest == 0 || lowest > most ? most : lowest;
}

/* Codes before others of the same alignment, so that they follow one another. */
static int compare_places(const void *left, const void *right, void *packer)
{
    const struct planned *list = ((const struct packer *)packer)->planned;
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    uint64_t alignment_a = alignment_of(&list[a]), alignment_b = alignment_of(&list[b]);
    bool codes_a = list[a].tensor.dtype == DTYPE_U8, codes_b = list[b].tensor.dtype == DTYPE_U8;
    if (list[a].last != list[b].last)
        return list[a].last ? 1 : -1;
    if (alignment_a != alignment_b)
        return alignment_a > alignment_b ? -1 : 1;
    if (codes_a != codes_b)
        return codes_a ? -1 : 1;
    return a < b ? -1 : a > b;
}

/* Gives everything but the extras its place. */
static bool place_all(struct packer *packer)
{
    size_t count = packer->planned_count, *order = calloc(count + 1, sizeof *order);
    if (order == NULL)
        return error_no_memory(packer->error, "the list of tensors");
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    qsort_r(order, count, sizeof *order, compare_places, packer);
    for (size_t i = 0; i < count && !packer->planned[order[i]].last; i++) {
        packer->planned[order[i]].place = packer->end;
        packer->end += packer->planned[order[i]].tensor.bytes;
    }
    free(order);
    atomic_store(&packer->packing->total, packer->end);
    uint64_t rest = -packer->end % PACKED_LINE;
    struct planned *padding = plan(packer, PACKED_PADDING, "", DTYPE_U8, 0, rest);
    if (padding == NULL)
        return false;
    padding->place = packer->end;
    packer->end += rest;
    return true;
}

static bool plan_all(struct packer *packer)
{
    for (size_t i = 0; i < packer->request_count; i++) {
        struct request *request = &packer->requests[i];
        request->first = packer->planned_count;
        if (!(request->codes ? plan_codes(packer, request) : plan_floats(packer, request)))
            return false;
    }
    return plan_files(packer) && place_all(packer);
}

/* ---- the header ---- */

static json_t *describe_tensor(const struct planned *planned, bool widest)
{
    json_t *shape = json_array();
    bool open = widest && planned->last;
    for (uint32_t d = 0; d < planned->tensor.rank; d++) {
        json_int_t extent = open ? UINT32_MAX : (json_int_t)planned->tensor.shape[d];
        json_array_append_new(shape, json_integer(extent));
    }
    json_int_t begin = open ? INT64_MAX : (json_int_t)planned->place;
    json_int_t end = open ? INT64_MAX : begin + (json_int_t)planned->tensor.bytes;
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype_name(planned->tensor.dtype), "shape",
                     shape, "data_offsets", begin, end);
}

static int compare_names(const void *left, const void *right, void *packer)
{
    const struct planned *list = ((const struct packer *)packer)->planned;
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    return strcmp(list[a].tensor.name, list[b].tensor.name);
}

/* The settings, as packed_settings orders them. */
static void find_settings(const struct packer *packer, const char *settings[4])
{
    const struct spikingbrain_options *rules = packer->options->rules;
    settings[0] = packer->checkpoint->digest;
    settings[1] = spikingbrain_threshold_name(rules->threshold);
    settings[2] = rules->down_proj_spikes ? "paper" : "repo";
    settings[3] = packer->options->table_bits == 16 ? "16" : "32";
}

static bool sum_contents(struct packer *packer, char digits[PACKED_DIGITS + 1])
{
    size_t count = packer->planned_count, *order = calloc(count + 1, sizeof *order);
    XXH3_state_t *contents = XXH3_createState();
    if (order == NULL || contents == NULL) {
        free(order);
        XXH3_freeState(contents);
        return error_no_memory(packer->error, "a checksum");
    }
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    qsort_r(order, count, sizeof *order, compare_names, packer);
    const char *settings[4];
    find_settings(packer, settings);
    XXH3_64bits_reset(contents);
    for (size_t i = 0; packed_settings[i] != NULL; i++)
        packed_contents_add_setting(contents, settings[i]);
    for (size_t i = 0; i < count; i++) {
        const struct planned *planned = &packer->planned[order[i]];
        packed_contents_add_tensor(contents, &planned->tensor, planned->place, planned->checksum);
    }
    packed_digits(XXH3_64bits_digest(contents), digits);
    XXH3_freeState(contents);
    free(order);
    return true;
}

static bool describe_metadata(struct packer *packer, json_t *metadata, const char *contents)
{
    char version[16];
    const char *settings[4];
    bool failed = false;
    snprintf(version, sizeof version, "%d", PACKED_VERSION);
    failed |= json_object_set_new(metadata, "format", json_string(PACKED_FORMAT)) != 0;
    failed |= json_object_set_new(metadata, "version", json_string(version)) != 0;
    failed |= json_object_set_new(metadata, "contents", json_string(contents)) != 0;
    find_settings(packer, settings);
    for (size_t i = 0; packed_settings[i] != NULL; i++)
        failed |= json_object_set_new(metadata, packed_settings[i], json_string(settings[i])) != 0;
    for (size_t i = 0; i < packer->planned_count; i++) {
        const struct planned *planned = &packer->planned[i];
        char key[NAME_ROOM];
        snprintf(key, sizeof key, PACKED_CHECKSUM "%s", planned->tensor.name);
        failed |= json_object_set_new(metadata, key, json_string(planned->checksum)) != 0;
    }
    return !failed || error_no_memory(packer->error, "the header of a packed model");
}

/* The header's text, from malloc; `widest`: as long as it can become. */
static char *make_header(struct packer *packer, bool widest)
{
    char contents[PACKED_DIGITS + 1] = "";
    json_t *header = json_object(), *metadata = json_object();
    bool good = (widest || sum_contents(packer, contents)) &&
                json_object_set_new(header, "__metadata__", metadata) == 0 &&
                describe_metadata(packer, metadata, contents);
    for (size_t i = 0; i < packer->planned_count && good; i++)
        good = json_object_set_new(header, packer->planned[i].tensor.name,
                                   describe_tensor(&packer->planned[i], widest)) == 0;
    char *text = good ? json_dumps(header, JSON_COMPACT) : NULL;
    json_decref(header);
    if (text == NULL)
        error_no_memory(packer->error, "the header of a packed model");
    return text;
}

/* Leaves room for the header: sets where the buffer begins. */
static bool reserve_header(struct packer *packer)
{
    for (size_t i = 0; i < packer->planned_count; i++)
        memset(packer->planned[i].checksum, '0', PACKED_DIGITS);
    char *text = make_header(packer, true);
    if (text == NULL)
        return false;
    uint64_t length = LENGTH_BYTES + strlen(text) + PACKED_DIGITS; /* of `contents` */
    packer->buffer = (length + PACKED_PAGE - 1) / PACKED_PAGE * PACKED_PAGE;
    free(text);
    return true;
}

/* ---- writing ---- */

static bool write_at(struct packer *packer, uint64_t offset, const void *bytes, uint64_t length)
{
    const char *from = bytes;
    while (length > 0) {
        size_t at_once = length < WRITTEN_AT_ONCE ? (size_t)length : WRITTEN_AT_ONCE;
        ssize_t written = pwrite(packer->descriptor, from, at_once, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return failed_to_write(packer);
        from += written;
        offset += (uint64_t)written;
        length -= (uint64_t)written;
        atomic_fetch_add(&packer->packing->done, (uint64_t)written);
        if (atomic_load(&packer->packing->stop) != 0)
            return false;
    }
    return true;
}

/* A tensor that is in memory as it is to be in the file. */
static bool write_tensor(struct packer *packer, struct planned *planned, const void *bytes)
{
    packed_digits(XXH3_64bits(bytes, planned->tensor.bytes), planned->checksum);
    return write_at(packer, packer->buffer + planned->place, bytes, planned->tensor.bytes);
}

/* A tensor on its way to the file, some rows at a time, so that a large one does not fill the
 * memory. */
struct passage {
    const struct tensor *tensor;
    uint64_t rows;
    uint32_t columns;
    bool narrowed;               /* to BF16 */
    struct dense_float *rounded; /* one row in BF16 */
    float *row;                  /* [columns] */
    uint16_t *buffer;            /* [AT_ONCE] */
    XXH3_state_t *sum;
};

/* Rows first … first+rows-1, narrowed as those of a run are, to the buffer. */
static bool narrow(struct packer *packer, struct passage *passage, uint64_t first, uint64_t rows)
{
    const struct kernels *kernels = kernels_find("auto", NULL);
    uint32_t columns = passage->columns;
    for (uint64_t r = 0; r < rows; r++) {
        tensor_read_row(passage->tensor, kernels, first + r, columns, passage->row);
        if (!dense_float_set_row(passage->rounded, 0, passage->row, packer->error))
            return error_within(packer->error, "%s: tensor '%s'",
                                utf8_tail(passage->tensor->file), passage->tensor->name);
        memcpy(passage->buffer + r * columns, passage->rounded->weights,
               columns * sizeof *passage->buffer);
    }
    return true;
}

static bool pass_on(struct packer *packer, struct planned *planned, struct passage *passage)
{
    uint64_t width = dtype_bytes(planned->tensor.dtype) * (uint64_t)passage->columns;
    uint64_t place = packer->buffer + planned->place, at_once = AT_ONCE / passage->columns;
    for (uint64_t done = 0, rows; done < passage->rows; done += rows) {
        rows = passage->rows - done < at_once ? passage->rows - done : at_once;
        const void *part = passage->narrowed ? (const void *)passage->buffer
                                             : (const char *)passage->tensor->data + done * width;
        if (passage->narrowed && !narrow(packer, passage, done, rows))
            return false;
        XXH3_64bits_update(passage->sum, part, rows * width);
        if (!write_at(packer, place + done * width, part, rows * width))
            return false;
        tensor_release(packer->checkpoint->tensors, passage->tensor);
    }
    packed_digits(XXH3_64bits_digest(passage->sum), planned->checksum);
    return true;
}

static bool write_floats(struct packer *packer, const struct request *request)
{
    struct weights_source *checkpoint = packer->checkpoint;
    struct planned *planned = &packer->planned[request->first];
    struct passage passage = {.rows = request->rows > 0 ? request->rows : 1,
                              .columns = (uint32_t)request->columns};
    passage.tensor = checkpoint->floats(checkpoint, request->name, request->rows, request->columns,
                                        packer->error);
    if (passage.tensor == NULL)
        return false;
    passage.narrowed = passage.tensor->dtype != planned->tensor.dtype;
    passage.rounded = dense_float_new_unset(1, passage.columns, FLOAT_BFLOAT, packer->error);
    passage.row = malloc(passage.columns * sizeof *passage.row);
    passage.buffer = malloc(AT_ONCE * sizeof *passage.buffer);
    passage.sum = XXH3_createState();
    bool good = (passage.rounded != NULL && passage.row != NULL && passage.buffer != NULL &&
                 passage.sum != NULL) || error_no_memory(packer->error, request->name);
    if (good) {
        XXH3_64bits_reset(passage.sum);
        good = pass_on(packer, planned, &passage);
    }
    XXH3_freeState(passage.sum);
    dense_float_free(passage.rounded);
    free(passage.row);
    free(passage.buffer);
    return good;
}

/* Gives the extras of a weight their place, at the end. */
static void place_extras(struct packer *packer, struct planned *extras, uint64_t count)
{
    extras->place = packer->end;
    extras->tensor.shape[0] = count;
    extras->tensor.elements = 2 * count;
    extras->tensor.bytes = count * sizeof(struct extra);
    packer->end += extras->tensor.bytes;
    atomic_fetch_add(&packer->packing->total, extras->tensor.bytes);
}

static bool write_codes(struct packer *packer, const struct request *request)
{
    struct weights_source *checkpoint = packer->checkpoint;
    struct planned *planned = &packer->planned[request->first];
    struct dense_integer *dense =
        checkpoint->codes(checkpoint, request->name, (uint32_t)request->rows,
                          (uint32_t)request->columns, request->span, packer->error);
    if (dense == NULL)
        return false;
    struct dense_integer_sizes sizes = dense_integer_sizes(dense);
    assert(sizes.codes == planned[PART_CODES].tensor.bytes &&
           sizes.scales == planned[PART_SCALES].tensor.bytes &&
           sizes.extra_start == planned[PART_EXTRA_START].tensor.bytes &&
           sizes.fan_out == planned[PART_FAN_OUT].tensor.bytes);
    uint64_t extras = dense_integer_extras(dense);
    const int64_t numbers[NUMBERS] = {
        [NUMBER_OUTPUTS] = dense->outputs,   [NUMBER_INPUTS] = dense->inputs,
        [NUMBER_GROUP] = dense->group,       [NUMBER_SCALE_GROUP] = dense->scale_group,
        [NUMBER_SPAN] = request->span,       [NUMBER_CODE_LIMIT] = dense->code_limit,
        [NUMBER_SYNAPSES] = (int64_t)dense->synapses, [NUMBER_EXTRAS] = (int64_t)extras,
    };
    const void *const arrays[PARTS] = {
        [PART_CODES] = dense->codes,     [PART_SCALES] = dense->scales,
        [PART_EXTRAS] = dense->extras,   [PART_EXTRA_START] = dense->extra_start,
        [PART_FAN_OUT] = dense->fan_out, [PART_NUMBERS] = numbers,
    };
    place_extras(packer, &planned[PART_EXTRAS], extras);
    bool good = true;
    for (uint32_t part = 0; part < PARTS && good; part++)
        good = write_tensor(packer, &planned[part], arrays[part]);
    dense_integer_free(dense);
    return good;
}

static bool write_rest(struct packer *packer)
{
    static const char zeros[PACKED_LINE];
    struct planned *planned = &packer->planned[packer->first_file];
    for (size_t i = 0; i < FILES; i++)
        if (packer->files[i].bytes != NULL &&
            !write_tensor(packer, planned++, packer->files[i].bytes))
            return false;
    return write_tensor(packer, planned, zeros);
}

static bool write_header(struct packer *packer)
{
    char *text = make_header(packer, false);
    if (text == NULL)
        return false;
    size_t length = strlen(text), room = packer->buffer - LENGTH_BYTES;
    unsigned char size[LENGTH_BYTES];
    for (int i = 0; i < LENGTH_BYTES; i++)
        size[i] = (unsigned char)((uint64_t)room >> (8 * i));
    char *padded = length <= room ? malloc(room) : NULL;
    bool written = padded != NULL || error_no_memory(packer->error, "the header");
    if (padded != NULL) {
        memset(padded, ' ', room);
        memcpy(padded, text, length);
        written = write_at(packer, 0, size, sizeof size) &&
                  write_at(packer, LENGTH_BYTES, padded, room);
    }
    free(padded);
    free(text);
    return written;
}

/* ---- the file ---- */

static bool check_space(struct packer *packer)
{
    struct statvfs system;
    uint64_t needed = packer->buffer + packer->end;
    if (fstatvfs(packer->descriptor, &system) != 0)
        return true; /* it will be seen when writing */
    uint64_t blocks = (uint64_t)system.f_bavail;
    if (needed / system.f_frsize < blocks)
        return true;
    double free_bytes = (double)blocks * (double)system.f_frsize;
    return error_set(packer->error, ERROR_FAILED,
                     "%s: will have %.1f GB or more, and there are only %.1f GB free; make room "
                     "or choose another disk", utf8_tail(packer->path), (double)needed * 1e-9,
                     free_bytes * 1e-9);
}

static bool open_unfinished(struct packer *packer)
{
    char *name;
    if (asprintf(&name, "%s.unfinished-XXXXXX", packer->path) < 0)
        return error_no_memory(packer->error, "the path of a file");
    packer->descriptor = mkostemp(name, O_CLOEXEC);
    if (packer->descriptor < 0) {
        failed_to_write(packer);
        free(name);
        return false;
    }
    packer->unfinished = name;
    mode_t mask = umask(0);
    umask(mask);
    return fchmod(packer->descriptor, 0666 & ~mask) == 0 || failed_to_write(packer);
}

/* On the disk, and under its name, which nobody else must have taken meanwhile. */
static bool publish(struct packer *packer)
{
    if (fsync(packer->descriptor) != 0)
        return failed_to_write(packer);
    if (renameat2(AT_FDCWD, packer->unfinished, AT_FDCWD, packer->path, RENAME_NOREPLACE) != 0) {
        bool unknown = errno == EINVAL || errno == ENOSYS; /* to this file system */
        if (!unknown || rename(packer->unfinished, packer->path) != 0)
            return failed_to_write(packer);
    }
    free(packer->unfinished);
    packer->unfinished = NULL;
    char *folder = strdup(packer->path), *slash = folder != NULL ? strrchr(folder, '/') : NULL;
    if (slash != NULL)
        slash[slash == folder] = '\0';
    int descriptor = folder != NULL ? open(slash != NULL ? folder : ".", O_RDONLY | O_CLOEXEC) : -1;
    if (descriptor >= 0) {
        fsync(descriptor); /* some file systems cannot: the file is whole in any case */
        close(descriptor);
    }
    free(folder);
    return true;
}

static bool write_all(struct packer *packer)
{
    for (size_t i = 0; i < packer->request_count; i++) {
        const struct request *request = &packer->requests[i];
        if (atomic_load(&packer->packing->stop) != 0 ||
            !(request->codes ? write_codes(packer, request) : write_floats(packer, request)))
            return false;
    }
    return write_rest(packer) && write_header(packer) && publish(packer);
}

static bool check_paths(struct packer *packer)
{
    struct stat status;
    if (packed_is_file(packer->folder))
        return error_set(packer->error, ERROR_MISUSED,
                         "%s: is a file; what is packed is the folder of a checkpoint",
                         utf8_tail(packer->folder));
    return lstat(packer->path, &status) != 0 ||
           error_set(packer->error, ERROR_MISUSED,
                     "%s: is there already; choose another name or remove it first",
                     utf8_tail(packer->path));
}

static void release(struct packer *packer)
{
    for (size_t i = 0; i < packer->request_count; i++) {
        free(packer->requests[i].name);
        free(packer->requests[i].zeros);
    }
    for (size_t i = 0; i < packer->planned_count; i++)
        free((char *)(uintptr_t)packer->planned[i].tensor.name);
    for (size_t i = 0; i < FILES; i++)
        mapped_file_close(&packer->files[i]);
    if (packer->descriptor >= 0)
        close(packer->descriptor);
    if (packer->unfinished != NULL)
        unlink(packer->unfinished);
    free(packer->unfinished);
    free(packer->requests);
    free(packer->planned);
    if (packer->checkpoint != NULL)
        packer->checkpoint->close(packer->checkpoint);
}

bool packed_write(const char *folder, const char *path, const struct packing_options *options,
                  struct packing *packing, struct error *error)
{
    struct packer packer = {.folder = folder,
                            .path = path,
                            .options = options,
                            .packing = packing,
                            .error = error,
                            .descriptor = -1};
    bool good = check_paths(&packer);
    if (good)
        packer.checkpoint = checkpoint_open(folder, options->rules->workers, error);
    good = good && packer.checkpoint != NULL && find_requests(&packer) && plan_all(&packer) &&
           reserve_header(&packer) && open_unfinished(&packer) && check_space(&packer) &&
           write_all(&packer);
    release(&packer);
    return good;
}
