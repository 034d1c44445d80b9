/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A checkpoint as a source of weights: tensors of floats as they lie in the mapped files, and
 * integer codes made of them.
 *
 * A projection that the checkpoint keeps as a pair of factors (the base checkpoint's gate,
 * gk_proj.0 and gk_proj.1) is given as their product, under the name of the whole: gk_proj.
 */
#include "neurons/import/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "neurons/delivery/dense_float.h"

enum { QUANTISED_GROUP = 128, NAME_ROOM = 256, RELEASED_AFTER = 1 << 24 /* numbers */ };

struct checkpoint {
    struct weights_source source; /* first: a pointer to one is a pointer to the other */
    const struct kernels *kernels;
    struct workers *workers;
};

/* ---- tensors ---- */

static void describe_shape(const struct tensor *tensor, char *text, size_t room)
{
    size_t used = (size_t)snprintf(text, room, "[");
    for (uint32_t d = 0; d < tensor->rank && used < room; d++)
        used += (size_t)snprintf(text + used, room - used, "%s%llu", d > 0 ? ", " : "",
                                 (unsigned long long)tensor->shape[d]);
    if (used < room)
        snprintf(text + used, room - used, "]");
}

static bool is_float(const struct tensor *tensor)
{
    return tensor->dtype == DTYPE_F32 || tensor->dtype == DTYPE_F16 || tensor->dtype == DTYPE_BF16;
}

bool tensor_check_floats(const struct tensor *tensor, const char *name, uint64_t rows,
                         uint64_t columns, struct error *error)
{
    if (tensor == NULL)
        return error_set(error, ERROR_FAILED,
                         "the model has no tensor '%s'; its config.json asks for it", name);
    if (!is_float(tensor))
        return error_set(error, ERROR_FAILED,
                         "%s: tensor '%s' is %s; weights are F32, F16 or BF16", tensor->file, name,
                         dtype_name(tensor->dtype));
    bool fits = rows == 0 ? tensor->rank == 1 && tensor->shape[0] == columns
                          : tensor->rank == 2 && tensor->shape[0] == rows &&
                                tensor->shape[1] == columns;
    if (fits)
        return true;
    char shape[128], wanted[64];
    describe_shape(tensor, shape, sizeof shape);
    if (rows == 0)
        snprintf(wanted, sizeof wanted, "[%llu]", (unsigned long long)columns);
    else
        snprintf(wanted, sizeof wanted, "[%llu, %llu]", (unsigned long long)rows,
                 (unsigned long long)columns);
    return error_set(error, ERROR_FAILED, "%s: tensor '%s' has shape %s; config.json asks for %s",
                     tensor->file, name, shape, wanted);
}

void tensor_read_row(const struct tensor *tensor, const struct kernels *kernels, uint64_t row,
                     uint32_t width, float *out)
{
    struct dense_float view = {.inputs = width,
                               .format = tensor->dtype == DTYPE_F32   ? FLOAT_SINGLE
                                         : tensor->dtype == DTYPE_F16 ? FLOAT_HALF
                                                                      : FLOAT_BFLOAT,
                               .weights = tensor->data};
    const float *at = dense_float_row(&view, kernels, (uint32_t)row, out);
    if (at != out)
        memcpy(out, at, width * sizeof *out);
}

/* Does not let a large tensor fill the memory. */
static bool check_finite(const struct checkpoint *checkpoint, const struct tensor *tensor,
                         struct error *error)
{
    uint32_t width = (uint32_t)tensor->shape[tensor->rank - 1];
    uint64_t rows = tensor->rank == 1 ? 1 : tensor->shape[0];
    float *row = malloc((width + (size_t)1) * sizeof *row);
    if (row == NULL)
        return error_no_memory(error, tensor->name);
    bool finite = true;
    for (uint64_t r = 0; r < rows && finite; r++) {
        tensor_read_row(tensor, checkpoint->kernels, r, width, row);
        if ((r + 1) * width / RELEASED_AFTER != r * width / RELEASED_AFTER)
            tensor_release(checkpoint->source.tensors, tensor);
        for (uint32_t i = 0; i < width && finite; i++)
            if (!isfinite(row[i]))
                finite = error_set(error, ERROR_FAILED,
                                   "%s: tensor '%s' holds a number that is not finite (row %llu, "
                                   "column %u)", tensor->file, tensor->name, (unsigned long long)r,
                                   i);
    }
    free(row);
    tensor_release(checkpoint->source.tensors, tensor);
    return finite;
}

/* ---- factors ---- */

/* Where `name` ends with `end`: the name of factor `factor` of what it is part of, X.0.weight for
 * X.weight. False if it does not end so, or is too long. */
static bool name_factor(const char *name, const char *end, int factor, char out[NAME_ROOM])
{
    size_t length = strlen(name), tail = strlen(end);
    if (length < tail || strcmp(name + length - tail, end) != 0)
        return false;
    int used = snprintf(out, NAME_ROOM, "%.*s.%d%s", (int)(length - tail), name, factor, end);
    return used < NAME_ROOM;
}

/* The first factor where the weight is kept as two, else NULL. */
static const struct tensor *find_first_factor(const struct weights_source *self, const char *name)
{
    char first[NAME_ROOM];
    return name_factor(name, ".weight", 0, first) ? tensor_set_find(self->tensors, first) : NULL;
}

/* ---- floats ---- */

const struct tensor *checkpoint_find(const struct weights_source *self, const char *name,
                                     uint64_t rows, uint64_t columns, struct error *error)
{
    const struct tensor *tensor = tensor_set_find(self->tensors, name);
    char factor[NAME_ROOM];
    if (tensor == NULL && name_factor(name, ".bias", 1, factor))
        tensor = tensor_set_find(self->tensors, factor);
    return tensor_check_floats(tensor, name, rows, columns, error) ? tensor : NULL;
}

static const struct tensor *stored(struct weights_source *self, const char *name, uint64_t rows,
                                   uint64_t columns, struct error *error)
{
    return checkpoint_find(self, name, rows, columns, error);
}

static const struct tensor *floats(struct weights_source *self, const char *name, uint64_t rows,
                                   uint64_t columns, struct error *error)
{
    const struct tensor *tensor = checkpoint_find(self, name, rows, columns, error);
    return tensor != NULL && check_finite((struct checkpoint *)self, tensor, error) ? tensor : NULL;
}

/* ---- codes ---- */

/* A weight to be made into codes: a tensor with its scales, or a pair of factors. */
struct weight {
    const char *name;
    uint32_t outputs, inputs;
    const struct tensor *tensor;         /* [outputs, inputs] */
    const struct tensor *scales;         /* [outputs, inputs / scale_group], or NULL */
    uint32_t scale_group;
    const struct tensor *first, *second; /* [rank, inputs], [outputs, rank]; or NULL */
    uint32_t rank;
};

/* Group scales of a weight: [outputs, groups, 1] or [outputs, groups]. NULL, and groups of 128,
 * where the checkpoint has none. */
static bool find_scales(const struct weights_source *self, struct weight *weight,
                        struct error *error)
{
    char name[NAME_ROOM + 32];
    snprintf(name, sizeof name, "%s_quantizer.scales", weight->name);
    const struct tensor *t = weight->scales = tensor_set_find(self->tensors, name);
    weight->scale_group = QUANTISED_GROUP;
    if (t == NULL)
        return true;
    uint32_t inputs = weight->inputs;
    bool fits = is_float(t) && (t->rank == 2 || (t->rank == 3 && t->shape[2] == 1)) &&
                t->shape[0] == weight->outputs && t->shape[1] >= 1 && t->shape[1] <= inputs &&
                inputs % t->shape[1] == 0;
    if (!fits) {
        char shape[128];
        describe_shape(t, shape, sizeof shape);
        return error_set(error, ERROR_FAILED,
                         "%s: tensor '%s' is %s of shape %s; scales are floating-point numbers of "
                         "shape [%u, groups, 1] with groups dividing %u", t->file, name,
                         dtype_name(t->dtype), shape, weight->outputs, inputs);
    }
    weight->scale_group = inputs / (uint32_t)t->shape[1];
    return true;
}

static bool find_factors(const struct weights_source *self, const struct tensor *first,
                         struct weight *weight, struct error *error)
{
    char name[NAME_ROOM];
    if (first->rank != 2 || first->shape[0] < 1 || first->shape[0] > weight->inputs)
        return error_set(error, ERROR_FAILED, "%s: tensor '%s' must have shape [rank, %u]",
                         first->file, first->name, weight->inputs);
    weight->rank = (uint32_t)first->shape[0];
    weight->first = checkpoint_find(self, first->name, weight->rank, weight->inputs, error);
    name_factor(weight->name, ".weight", 1, name);
    weight->second = checkpoint_find(self, name, weight->outputs, weight->rank, error);
    weight->scale_group = QUANTISED_GROUP;
    return weight->first != NULL && weight->second != NULL;
}

static bool find_weight(const struct weights_source *self, const char *name, uint32_t outputs,
                        uint32_t inputs, struct weight *weight, struct error *error)
{
    *weight = (struct weight){.name = name, .outputs = outputs, .inputs = inputs};
    const struct tensor *first = find_first_factor(self, name);
    if (first != NULL)
        return find_factors(self, first, weight, error);
    weight->tensor = checkpoint_find(self, name, outputs, inputs, error);
    return weight->tensor != NULL && find_scales(self, weight, error);
}

bool checkpoint_find_group(const struct weights_source *self, const char *name, uint32_t outputs,
                           uint32_t inputs, uint32_t *group, struct error *error)
{
    struct weight weight;
    bool found = find_weight(self, name, outputs, inputs, &weight, error);
    *group = weight.scale_group;
    return found;
}

/* What the threads share that make codes. */
struct making {
    const struct weight *weight;
    const struct kernels *kernels;
    struct dense_integer *dense;
    struct error *errors; /* [parts] */
};

/* What one of them needs: a piece of rows. */
struct piece {
    float *weights; /* [PIECE_ROWS][inputs] */
    float *scales;  /* [PIECE_ROWS][inputs / scale_group] */
    float *factor;  /* [rank] */
    double *sum;    /* [inputs] */
};

/* A row of second · first, in double, rounded to single. */
static void multiply_row(const struct making *making, uint32_t row, struct piece *piece, float *out)
{
    const struct weight *weight = making->weight;
    memset(piece->sum, 0, weight->inputs * sizeof *piece->sum);
    tensor_read_row(weight->second, making->kernels, row, weight->rank, piece->factor);
    for (uint32_t k = 0; k < weight->rank; k++) {
        tensor_read_row(weight->first, making->kernels, k, weight->inputs, out);
        for (uint32_t i = 0; i < weight->inputs; i++)
            piece->sum[i] += (double)piece->factor[k] * (double)out[i];
    }
    for (uint32_t i = 0; i < weight->inputs; i++)
        out[i] = (float)piece->sum[i];
}

static bool fill_piece(const struct making *making, uint32_t first_row, struct piece *piece,
                       struct error *error)
{
    const struct weight *weight = making->weight;
    uint32_t left = weight->outputs - first_row, rows = left < PIECE_ROWS ? left : PIECE_ROWS;
    uint32_t groups = weight->scales != NULL ? weight->inputs / weight->scale_group : 0;
    for (uint32_t r = 0; r < rows; r++) {
        float *row = piece->weights + (size_t)r * weight->inputs;
        if (weight->first != NULL)
            multiply_row(making, first_row + r, piece, row);
        else
            tensor_read_row(weight->tensor, making->kernels, first_row + r, weight->inputs, row);
        if (groups > 0)
            tensor_read_row(weight->scales, making->kernels, first_row + r, groups,
                            piece->scales + (size_t)r * groups);
    }
    return dense_integer_fill(making->dense, first_row, rows, piece->weights,
                              groups > 0 ? piece->scales : NULL, weight->name, error);
}

static void fill_part(void *argument, uint32_t part, uint32_t parts)
{
    const struct making *making = argument;
    const struct weight *weight = making->weight;
    struct error *error = &making->errors[part];
    size_t numbers = (size_t)PIECE_ROWS * weight->inputs;
    struct piece piece = {.weights = malloc(numbers * sizeof *piece.weights),
                          .scales = malloc(numbers / weight->scale_group * sizeof *piece.scales +
                                           PIECE_ROWS * sizeof *piece.scales),
                          .factor = malloc((weight->rank + (size_t)1) * sizeof *piece.factor),
                          .sum = malloc(weight->inputs * sizeof *piece.sum)};
    uint32_t begin, end;
    workers_slice(whole_pieces(weight->outputs) / PIECE_ROWS, part, parts, &begin, &end);
    bool good = (piece.weights != NULL && piece.scales != NULL && piece.factor != NULL &&
                 piece.sum != NULL) || error_no_memory(error, weight->name);
    for (uint32_t p = begin; p < end && good; p++)
        good = fill_piece(making, p * PIECE_ROWS, &piece, error);
    free(piece.weights);
    free(piece.scales);
    free(piece.factor);
    free(piece.sum);
}

/* The first error in order of rows, whatever the number of threads. */
static bool make_codes(struct checkpoint *checkpoint, const struct weight *weight,
                       struct dense_integer *dense, struct error *error)
{
    uint32_t parts = checkpoint->workers != NULL ? workers_count(checkpoint->workers) : 1;
    struct error *errors = calloc(parts, sizeof *errors);
    if (errors == NULL)
        return error_no_memory(error, weight->name);
    struct making making = {weight, checkpoint->kernels, dense, errors};
    if (checkpoint->workers != NULL)
        workers_run(checkpoint->workers, fill_part, &making, parts);
    else
        fill_part(&making, 0, 1);
    bool good = true;
    for (uint32_t part = 0; part < parts && good; part++)
        if (errors[part].code != ERROR_NONE)
            good = error_set(error, errors[part].code, "%s", errors[part].text);
    free(errors);
    return good && dense_integer_settle(dense, checkpoint->workers, error);
}

static struct dense_integer *codes(struct weights_source *self, const char *name, uint32_t outputs,
                                   uint32_t inputs, uint32_t span, struct error *error)
{
    struct weight weight;
    if (!find_weight(self, name, outputs, inputs, &weight, error))
        return NULL;
    struct dense_integer *dense =
        span == 0 ? dense_integer_new(outputs, inputs, weight.scale_group, error)
                  : dense_integer_new_apart(outputs, inputs, weight.scale_group, span, error);
    bool made = dense != NULL && make_codes((struct checkpoint *)self, &weight, dense, error);
    if (weight.tensor != NULL)
        tensor_release(self->tensors, weight.tensor);
    if (made)
        return dense;
    dense_integer_free(dense);
    return NULL;
}

/* ---- opening ---- */

bool checkpoint_read_config(const char *folder, struct spikingbrain_config *config,
                            struct error *error)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/config.json", folder) >= (int)sizeof path)
        return error_set(error, ERROR_MISUSED, "the path of the model is too long");
    return spikingbrain_config_read(config, path, error);
}

static void checkpoint_close(struct weights_source *self)
{
    spikingbrain_config_free(&self->config);
    tensor_set_close(self->tensors);
    free(self);
}

struct weights_source *checkpoint_open(const char *folder, struct workers *workers,
                                       struct error *error)
{
    struct checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    if (checkpoint == NULL) {
        error_no_memory(error, "the model");
        return NULL;
    }
    checkpoint->kernels = kernels_find("auto", NULL);
    checkpoint->workers = workers;
    struct weights_source *source = &checkpoint->source;
    source->mapped = true;
    source->floats = floats;
    source->stored = stored;
    source->codes = codes;
    source->close = checkpoint_close;
    if (checkpoint_read_config(folder, &source->config, error)) {
        source->tensors = tensor_set_open(folder, error);
        if (source->tensors != NULL) {
            tensor_set_digest(source->tensors, source->digest);
            return source;
        }
    }
    checkpoint_close(source);
    return NULL;
}
