/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Making dense floating-point weights in a narrower format.
 *
 * The copy is made by rows: each is read, widened to single precision, checked and rounded, and
 * belongs to one thread. What the source takes in memory is handed back after every CHUNK, so that
 * a mapped file and its copy are never there as a whole at once.
 */
#include "neurons/delivery/dense_float.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CACHE_LINE = 64, CHUNK = 1 << 24 /* bytes */ };

/* Aligned for whole vectors. Weights are read from end to end: huge pages spare the translation
 * of addresses. */
static void *room_new(size_t length)
{
    const size_t huge = (size_t)2 << 20;
    size_t unit = length < huge ? CACHE_LINE : huge;
    size_t rounded = length / unit * unit + (length % unit != 0 || length == 0 ? unit : 0);
    void *room = rounded >= length ? aligned_alloc(unit, rounded) : NULL;
    if (room != NULL && unit == huge)
        madvise(room, rounded, MADV_HUGEPAGE); /* advice: failing changes nothing else */
    return room;
}

struct dense_float *dense_float_new_unset(uint32_t outputs, uint32_t inputs,
                                          enum float_format format, struct error *error)
{
    struct dense_float *dense = dense_float_new(outputs, inputs, format, NULL, false, error);
    if (dense == NULL)
        return NULL;
    dense->owned = room_new(dense_float_bytes(dense));
    if (dense->owned == NULL) {
        dense_float_free(dense);
        error_no_memory(error, "weights in another format");
        return NULL;
    }
    dense->weights = dense->owned;
    if (format != FLOAT_BYTE)
        return dense;
    size_t blocks = outputs / BYTE_ROWS + (outputs % BYTE_ROWS != 0);
    size_t codes = byte_block_size(inputs), scales = (size_t)byte_groups(inputs) * BYTE_ROWS;
    int8_t *code = dense->owned;
    float *scale = (float *)(void *)(code + blocks * codes);
    dense->scales = scale;
    if (outputs % BYTE_ROWS != 0) { /* rows that will not be set */
        memset(code + (blocks - 1) * codes, 0, codes);
        memset(scale + (blocks - 1) * scales, 0, scales * sizeof *scale);
    }
    return dense;
}

/* ---- rounding ---- */

/* Cuts the lowest `cut` bits off, half to even. */
static uint32_t shortened(uint32_t bits, uint32_t cut)
{
    uint32_t half = UINT32_C(1) << (cut - 1), rest = bits & (2 * half - 1);
    uint32_t kept = bits >> cut;
    return kept + (rest > half || (rest == half && kept % 2 != 0));
}

/* Of a finite number; beyond the largest half, infinity. */
static uint16_t half_of(uint32_t bits)
{
    uint32_t sign = bits >> 16 & 0x8000, exponent = bits >> 23 & 0xff;
    uint32_t fraction = bits & 0x7fffff;
    if (exponent > 142) /* 2^16 and more */
        return (uint16_t)(sign | 0x7c00);
    if (exponent > 112) /* a carry out of the fraction raises the exponent, as it should */
        return (uint16_t)(sign | shortened((exponent - 112) << 23 | fraction, 13));
    if (exponent < 102) /* less than half the smallest */
        return (uint16_t)sign;
    return (uint16_t)(sign | shortened(fraction | 0x800000, 126 - exponent));
}

/* The same, as sums and shifts that compilers do several at a time. */
static uint16_t bfloat_of(uint32_t bits)
{
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static bool refuse(uint32_t row, uint32_t column, float number, const char *format,
                   struct error *error)
{
    if (!isfinite(number))
        return error_set(error, ERROR_FAILED,
                         "holds a number that is not finite (row %u, column %u)", row, column);
    return error_set(error, ERROR_FAILED,
                     "holds %g (row %u, column %u), which is too large for %s; keep it in 32 bits",
                     (double)number, row, column, format);
}

static bool round_to_half(const float *numbers, uint16_t *out, uint32_t row, uint32_t length,
                          struct error *error)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < length; i++) {
        uint32_t bits;
        memcpy(&bits, &numbers[i], sizeof bits);
        out[i] = half_of(bits);
        most = (out[i] & 0x7c00U) > most ? out[i] & 0x7c00U : most;
    }
    for (uint32_t i = 0; i < length && most == 0x7c00; i++)
        if ((out[i] & 0x7c00) == 0x7c00)
            return refuse(row, i, numbers[i], "half precision", error);
    return true;
}

static bool round_to_bfloat(const float *numbers, uint16_t *out, uint32_t row, uint32_t length,
                            struct error *error)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < length; i++) {
        uint32_t bits;
        memcpy(&bits, &numbers[i], sizeof bits);
        out[i] = bfloat_of(bits);
        uint32_t magnitude = bits & 0x7fffffff;
        most = magnitude > most ? magnitude : most;
    }
    const uint32_t limit = 0x7f7f8000; /* halfway from the largest bfloat16 to infinity */
    for (uint32_t i = 0; i < length && most >= limit; i++) {
        uint32_t bits;
        memcpy(&bits, &numbers[i], sizeof bits);
        if ((bits & 0x7fffffff) >= limit)
            return refuse(row, i, numbers[i], "bfloat16", error);
    }
    return true;
}

static bool check_finite(const float *numbers, uint32_t row, uint32_t length, struct error *error)
{
    float check = 0;
    for (uint32_t i = 0; i < length; i++)
        check += numbers[i] * 0; /* 0, or not a number */
    for (uint32_t i = 0; i < length && check != 0; i++)
        if (!isfinite(numbers[i]))
            return refuse(row, i, numbers[i], "", error);
    return true;
}

bool dense_float_set_row(struct dense_float *dense, uint32_t row, const float *numbers,
                         struct error *error)
{
    uint32_t inputs = dense->inputs;
    if (dense->format == FLOAT_HALF || dense->format == FLOAT_BFLOAT) {
        uint16_t *out = (uint16_t *)dense->owned + (size_t)row * inputs;
        return (dense->format == FLOAT_HALF ? round_to_half : round_to_bfloat)(numbers, out, row,
                                                                              inputs, error);
    }
    if (!check_finite(numbers, row, inputs, error))
        return false;
    if (dense->format == FLOAT_SINGLE) {
        memcpy((float *)dense->owned + (size_t)row * inputs, numbers, inputs * sizeof *numbers);
        return true;
    }
    size_t block = row / BYTE_ROWS, groups = byte_groups(inputs);
    float *scales = (float *)(uintptr_t)dense->scales; /* in `owned` */
    byte_block_set_row((int8_t *)dense->owned + block * byte_block_size(inputs),
                       scales + block * groups * BYTE_ROWS, row % BYTE_ROWS, numbers, inputs);
    return true;
}

/* ---- converting ---- */

/* Whole pages from…to. */
static void hand_back(const char *from, const char *to)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = ((uintptr_t)from + page - 1) / page * page;
    uintptr_t last = (uintptr_t)to / page * page;
    if (first < last)
        madvise((void *)first, last - first, MADV_DONTNEED); /* advice, too */
}

void dense_float_hand_back(const struct dense_float *mapped)
{
    const char *weights = mapped->weights;
    hand_back(weights, weights + dense_float_bytes(mapped));
}

struct conversion {
    const struct dense_float *source;
    struct dense_float *copy;
    const struct kernels *kernels;
    const char *name;
    bool mapped;
    struct error *errors; /* [parts] */
};

static void convert_part(void *argument, uint32_t part, uint32_t parts)
{
    const struct conversion *conversion = argument;
    const struct dense_float *source = conversion->source;
    size_t width = source->inputs * (source->format == FLOAT_SINGLE ? sizeof(float)
                                                                    : sizeof(uint16_t));
    const char *weights = source->weights;
    struct error *error = &conversion->errors[part];
    float *buffer = malloc(source->inputs * sizeof *buffer);
    if (buffer == NULL) {
        error_no_memory(error, "a row of weights");
        return;
    }
    uint32_t begin, end, handed;
    workers_slice(source->outputs, part, parts, &begin, &end);
    handed = begin;
    for (uint32_t row = begin; row < end && error->code == ERROR_NONE; row++) {
        const float *numbers = dense_float_row(source, conversion->kernels, row, buffer);
        struct error cause = {0};
        if (!dense_float_set_row(conversion->copy, row, numbers, &cause))
            error_set(error, cause.code, "%s %s", conversion->name, cause.text);
        if (conversion->mapped && (row + 1 == end || (row - handed) * width >= CHUNK)) {
            hand_back(weights + handed * width, weights + (row + 1) * width);
            handed = row + 1;
        }
    }
    free(buffer);
}

struct dense_float *dense_float_convert(const struct dense_float *source, enum float_format format,
                                        const char *name, const struct kernels *kernels,
                                        struct workers *workers, bool mapped,
                                        struct error *error)
{
    struct dense_float *copy =
        dense_float_new_unset(source->outputs, source->inputs, format, error);
    if (copy == NULL)
        return NULL;
    uint32_t parts = workers != NULL ? workers_count(workers) : 1;
    struct conversion conversion = {source, copy, kernels, name, mapped,
                                    calloc(parts, sizeof *error)};
    if (conversion.errors == NULL) {
        dense_float_free(copy);
        error_no_memory(error, "weights in another format");
        return NULL;
    }
    if (workers != NULL)
        workers_run(workers, convert_part, &conversion, parts);
    else
        convert_part(&conversion, 0, 1);
    const struct error *first = NULL;
    for (uint32_t part = 0; part < parts && first == NULL; part++)
        if (conversion.errors[part].code != ERROR_NONE)
            first = &conversion.errors[part];
    if (first != NULL) {
        error_set(error, first->code, "%s", first->text);
        dense_float_free(copy);
        copy = NULL;
    }
    free(conversion.errors);
    return copy;
}
