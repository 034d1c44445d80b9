/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One-to-one with weights, as diagonal.h describes. Every event touches one target, so a thread
 * goes through all events and takes those that are its own.
 */
#include "neurons/delivery/diagonal.h"

#include "neurons/delivery/landing.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct diagonal {
    uint32_t neurons;
    double *weight;  /* [neurons], or NULL: all `same` */
    double same;
    uint32_t *extra; /* [neurons], or NULL */
    uint32_t most_extra;
    int32_t *units;    /* [neurons], what `weight` is to a port that counts; made when prepared */
    int32_t same_units;
    uint32_t *fan_out; /* [neurons], 1 or 0 */
};

/* The first of the spikes, which are in order of neurons, that is of neuron `begin` or beyond. */
static uint32_t first_from(const struct spike *spikes, uint32_t length, uint32_t begin)
{
    uint32_t low = 0, high = length;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (spikes[middle].neuron < begin)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Spikes, one weight and no delays: what noise comes by, so nearly every neuron every tick. */
static void deliver_same(const struct diagonal *diagonal, const struct landing *port, double gain,
                         const struct delivery *delivery, uint32_t begin, uint32_t end)
{
    const struct landing landing = landing_in_slot(port, 0);
    const struct spike *spike = delivery->spikes, *last = spike + delivery->spike_count;
    const uint32_t units = (uint32_t)diagonal->same_units;
    const double same = diagonal->same;
    for (spike += first_from(spike, delivery->spike_count, begin);
         spike < last && spike->neuron < end; spike++) {
        if (landing.count != NULL)
            landing.count[spike->neuron] += (uint32_t)spike->payload * units;
        else
            landing.current[spike->neuron] += same * (spike->payload * gain);
        if (landing.touched != NULL && spike->payload != 0)
            landing_touch(&landing, spike->neuron, spike->neuron + 1);
    }
}

static void deliver(const struct projection *self, const struct delivery *delivery,
                    const struct kernels *kernels, uint32_t begin, uint32_t end)
{
    (void)kernels;
    const struct diagonal *diagonal = self->weights;
    const struct landing port = landing_of(self, delivery);
    if (delivery->spikes != NULL && diagonal->weight == NULL && diagonal->extra == NULL) {
        double gain = port_gain(&self->target->ports[self->port], delivery->tick);
        deliver_same(diagonal, &port, gain, delivery, begin, end);
        return;
    }
    struct events events = events_of(self, delivery);
    uint32_t neuron;
    double factor;
    while (events_next(&events, &neuron, &factor)) {
        if (neuron < begin || neuron >= end)
            continue;
        struct landing landing =
            landing_in_slot(&port, diagonal->extra != NULL ? diagonal->extra[neuron] : 0);
        if (landing.count != NULL)
            landing.count[neuron] += (uint32_t)(int32_t)factor *
                                     (uint32_t)(diagonal->units != NULL ? diagonal->units[neuron]
                                                                        : diagonal->same_units);
        else
            landing.current[neuron] +=
                (diagonal->weight != NULL ? diagonal->weight[neuron] : diagonal->same) * factor;
        landing_touch(&landing, neuron, neuron + 1);
    }
}

static uint32_t reach(const struct projection *self, uint32_t source, uint32_t *targets)
{
    const struct diagonal *diagonal = self->weights;
    if (diagonal->fan_out[source] > 0)
        targets[0] = source;
    return diagonal->fan_out[source];
}

static bool find_units(struct projection *self, struct diagonal *diagonal, struct error *error)
{
    if (diagonal->weight == NULL)
        return landing_units(self, diagonal->same, &diagonal->same_units, error);
    if (diagonal->units == NULL)
        diagonal->units = malloc(((uint64_t)diagonal->neurons + 1) * sizeof *diagonal->units);
    if (diagonal->units == NULL)
        return error_no_memory(error, "weights in whole numbers");
    for (uint32_t i = 0; i < diagonal->neurons; i++)
        if (!landing_units(self, diagonal->weight[i], &diagonal->units[i], error))
            return false;
    return true;
}

static bool prepare(struct projection *self, uint32_t lanes, bool expand, struct error *error)
{
    (void)expand;
    struct diagonal *diagonal = self->weights;
    return landing_check(self, lanes, diagonal->neurons, diagonal->neurons, diagonal->most_extra,
                         error) &&
           (self->target->ports[self->port].count == NULL || find_units(self, diagonal, error));
}

/* A copy of an array, or NULL if there is none; clears *good when memory is short. */
static void *copy_of(const void *array, uint32_t length, size_t element, bool *good)
{
    if (array == NULL)
        return NULL;
    void *copy = calloc((uint64_t)length + 1, element);
    if (copy == NULL)
        *good = false;
    else
        memcpy(copy, array, length * element);
    return copy;
}

static bool count_weights(struct diagonal *diagonal, struct error *error)
{
    for (uint32_t i = 0; i < diagonal->neurons; i++) {
        double weight = diagonal->weight != NULL ? diagonal->weight[i] : diagonal->same;
        if (!isfinite(weight))
            return error_set(error, ERROR_MISUSED, "weight [%" PRIu32 "] is not a finite number",
                             i);
        diagonal->fan_out[i] = weight != 0;
        if (diagonal->extra != NULL && diagonal->extra[i] > diagonal->most_extra)
            diagonal->most_extra = diagonal->extra[i];
    }
    return true;
}

void *diagonal_new(uint32_t neurons, const double *weights, double same, const uint32_t *extras,
                   struct error *error)
{
    struct diagonal *diagonal = calloc(1, sizeof *diagonal);
    bool good = diagonal != NULL;
    if (good) {
        diagonal->neurons = neurons;
        diagonal->same = same;
        diagonal->weight = copy_of(weights, neurons, sizeof *weights, &good);
        diagonal->extra = copy_of(extras, neurons, sizeof *extras, &good);
        diagonal->fan_out = calloc((uint64_t)neurons + 1, sizeof *diagonal->fan_out);
        good = good && diagonal->fan_out != NULL;
    }
    if (good ? count_weights(diagonal, error) : error_no_memory(error, "a diagonal projection"))
        return diagonal;
    diagonal_free(diagonal);
    return NULL;
}

void diagonal_free(void *weights)
{
    struct diagonal *diagonal = weights;
    if (diagonal == NULL)
        return;
    free(diagonal->weight);
    free(diagonal->extra);
    free(diagonal->units);
    free(diagonal->fan_out);
    free(diagonal);
}

void diagonal_describe(struct projection *projection)
{
    const struct diagonal *diagonal = projection->weights;
    projection->weight_count = diagonal->neurons;
    projection->fan_out = diagonal->fan_out;
    projection->synapses = 0;
    for (uint32_t i = 0; i < diagonal->neurons; i++)
        projection->synapses += diagonal->fan_out[i];
    projection->bytes = sizeof *diagonal + (uint64_t)diagonal->neurons *
                        ((diagonal->weight != NULL ? sizeof *diagonal->weight : 0) +
                         (diagonal->extra != NULL ? sizeof *diagonal->extra : 0) +
                         sizeof *diagonal->fan_out);
}

const struct projection_kind projection_diagonal = {
    .name = "diagonal",
    .prepare = prepare,
    .deliver = deliver,
    .reach = reach,
    .free = diagonal_free,
};
