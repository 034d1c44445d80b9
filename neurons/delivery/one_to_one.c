/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "neurons/delivery/one_to_one.h"

#include "encoding/vector.h"

VECTOR_INLINE void add_values(double *restrict current, const double *restrict values,
                              uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        current[i] += values[i];
}
VECTOR_VERSIONS(add_values, (double *restrict current, const double *restrict values,
                             uint32_t length), (current, values, length))

VECTOR_INLINE void add_counts(int32_t *restrict total, const int32_t *restrict counts,
                              uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        total[i] += counts[i];
}
VECTOR_VERSIONS(add_counts, (int32_t *restrict total, const int32_t *restrict counts,
                             uint32_t length), (total, counts, length))

static void learn_thresholds(const struct port *port, const struct train *train)
{
    for (uint32_t i = 0; i < train->lanes * train->vectors; i++)
        port->threshold[i] = train->threshold[i];
}

static void deliver(const struct projection *self, const struct delivery *delivery,
                    const struct kernels *kernels, uint32_t begin, uint32_t end)
{
    const struct port *port = &self->target->ports[self->port];
    const struct train *train = delivery->train != NULL ? delivery->train : delivery->origin;
    for (uint32_t lane = delivery->lane_from; lane < delivery->lanes; lane++) {
        size_t offset = (size_t)lane * port->width;
        if (delivery->values != NULL) {
            add_values_by[kernels->vector](port->current + offset + begin,
                                           delivery->values + offset + begin, end - begin);
        } else if (delivery->train != NULL) {
            add_counts_by[kernels->vector](port->count + offset + begin,
                                           train->count + offset + begin, end - begin);
        } else {
            for (uint32_t s = delivery->lane_start[lane]; s < delivery->lane_start[lane + 1]; s++)
                if (delivery->spikes[s].neuron >= begin && delivery->spikes[s].neuron < end)
                    port->count[offset + delivery->spikes[s].neuron] += delivery->spikes[s].payload;
            for (uint32_t i = begin; delivery->last && i < end; i++)
                port->count[offset + i] += train->frame[lane].zero;
        }
    }
    if (train != NULL && delivery->last && begin == 0 && end > 0)
        learn_thresholds(port, train);
}

static void no_weights(void *weights)
{
    (void)weights;
}

const struct projection_kind projection_one_to_one = {
    .name = "one to one",
    .deliver = deliver,
    .free = no_weights,
};
