/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "neurons/delivery/dense_float.h"

#include <stdlib.h>
#include <string.h>

struct dense_float *dense_float_new(uint32_t outputs, uint32_t inputs, enum float_format format,
                                    const void *weights, bool owned, struct error *error)
{
    struct dense_float *dense = calloc(1, sizeof *dense);
    if (dense == NULL || inputs > DENSE_FLOAT_INPUTS) {
        if (owned)
            free((void *)(uintptr_t)weights);
        free(dense);
        error_set(error, ERROR_FAILED, inputs > DENSE_FLOAT_INPUTS
                      ? "a dense projection takes at most %d inputs"
                      : "not enough memory for weights of up to %d inputs", DENSE_FLOAT_INPUTS);
        return NULL;
    }
    dense->outputs = outputs;
    dense->inputs = inputs;
    dense->format = format;
    dense->weights = weights;
    dense->owned = owned ? (float *)(uintptr_t)weights : NULL;
    return dense;
}

void dense_float_free(void *weights)
{
    struct dense_float *dense = weights;
    if (dense == NULL)
        return;
    free(dense->owned);
    free(dense->bias);
    free(dense);
}

const float *dense_float_row(const struct dense_float *dense, const struct kernels *kernels,
                             uint32_t row, float *buffer)
{
    size_t offset = (size_t)row * dense->inputs;
    if (dense->format == FLOAT_SINGLE) {
        const char *at = (const char *)dense->weights + offset * sizeof(float);
        if ((uintptr_t)at % _Alignof(float) == 0)
            return (const float *)(const void *)at;
        memcpy(buffer, at, dense->inputs * sizeof *buffer);
        return buffer;
    }
    const char *at = (const char *)dense->weights + offset * sizeof(uint16_t);
    uint16_t copy[(uintptr_t)at % _Alignof(uint16_t) == 0 ? 1 : dense->inputs];
    const uint16_t *narrow = (const uint16_t *)(const void *)at;
    if ((uintptr_t)at % _Alignof(uint16_t) != 0)
        narrow = memcpy(copy, at, sizeof copy);
    (dense->format == FLOAT_HALF ? kernels->from_half : kernels->from_bfloat)(narrow, buffer,
                                                                             dense->inputs);
    return buffer;
}

void dense_float_describe(struct projection *projection)
{
    const struct dense_float *dense = projection->weights;
    uint64_t width = dense->format == FLOAT_SINGLE ? sizeof(float) : sizeof(uint16_t);
    projection->weight_count = (uint64_t)dense->outputs * dense->inputs;
    projection->synapses = projection->weight_count;
    projection->bytes = projection->weight_count * width;
}

/* Values of one lane: narrow weights are widened on their way, and never stored. */
static void deliver_lane(const struct projection *self, const struct delivery *delivery,
                         const struct kernels *kernels, uint32_t begin, uint32_t end)
{
    const struct dense_float *dense = self->weights;
    const struct port *port = &self->target->ports[self->port];
    double *current = port->current + (size_t)delivery->lane_from * port->width;
    const double *values = delivery->values + (size_t)delivery->lane_from * dense->inputs;
    const uint16_t *weights = dense->weights;
    for (uint32_t row = begin; row < end; row++) {
        const uint16_t *own = weights + (size_t)row * dense->inputs;
        double sum = (dense->format == FLOAT_HALF ? kernels->dot_half
                                                  : kernels->dot_bfloat)(own, values, dense->inputs);
        current[row] += dense->bias != NULL ? sum + dense->bias[row] : sum;
    }
}

static void deliver(const struct projection *self, const struct delivery *delivery,
                    const struct kernels *kernels, uint32_t begin, uint32_t end)
{
    const struct dense_float *dense = self->weights;
    const struct port *port = &self->target->ports[self->port];
    if (delivery->lanes - delivery->lane_from == 1 &&
        dense->format != FLOAT_SINGLE && (uintptr_t)dense->weights % _Alignof(uint16_t) == 0) {
        deliver_lane(self, delivery, kernels, begin, end);
        return;
    }
    float buffer[dense->inputs];
    for (uint32_t row = begin; row < end; row++) {
        const float *weights = dense_float_row(dense, kernels, row, buffer);
        for (uint32_t lane = delivery->lane_from; lane < delivery->lanes; lane++) {
            double current = kernels->dot(weights, delivery->values + (size_t)lane * dense->inputs,
                                          dense->inputs);
            if (dense->bias != NULL)
                current += dense->bias[row];
            port->current[(size_t)lane * port->width + row] += current;
        }
    }
}

const struct projection_kind projection_dense_float = {
    .name = "dense float",
    .deliver = deliver,
    .free = dense_float_free,
};
