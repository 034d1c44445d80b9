/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "neurons/models/refractory.h"

#include "neurons/models/blocks.h"

#include <inttypes.h>

enum { LONGEST = UINT16_MAX - 1 };

static bool begin_of(const struct cells *cells, uint32_t parameter, uint32_t i, uint16_t *begin,
                      struct error *error)
{
    double seconds = cells_parameter(cells, parameter, i);
    double length = ticks_of_seconds(cells, seconds);
    if (length > LONGEST)
        return error_set(error, ERROR_MISUSED,
                         "population %s: the refractory period of neuron %" PRIu32 " is %g s, more "
                         "than %d ticks of %g s; choose a longer dt", cells->population->name, i,
                         seconds, LONGEST, cells->rules.dt);
    *begin = (uint16_t)(length + 1);
    return true;
}

bool refractory_prepare(struct refractory *refractory, struct cells *cells, uint32_t parameter,
                        struct error *error)
{
    refractory->left = cells_array(cells, sizeof *refractory->left, error);
    if (refractory->left == NULL)
        return false;
    if (!cells->each[parameter])
        return begin_of(cells, parameter, 0, &refractory->same, error);
    refractory->begin = cells_array(cells, sizeof *refractory->begin, error);
    if (refractory->begin == NULL)
        return false;
    for (uint32_t i = 0; i < cells->neurons; i++)
        if (!begin_of(cells, parameter, i, &refractory->begin[i], error))
            return false;
    return true;
}
