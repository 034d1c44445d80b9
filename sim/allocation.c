/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/allocation.h"

#include <math.h>

/* The option that loses least and, of these, needs least energy. */
static uint32_t least_loss(const struct allocation_option *options, uint32_t choices)
{
    uint32_t best = 0;
    for (uint32_t c = 1; c < choices; c++)
        if (options[c].loss < options[best].loss ||
            (options[c].loss == options[best].loss && options[c].energy < options[best].energy))
            best = c;
    return best;
}

static double total_loss(const struct allocation_option *options, uint32_t layers,
                         uint32_t choices, const uint32_t *choice)
{
    double sum = 0;
    for (uint32_t l = 0; l < layers; l++)
        sum += options[(uint64_t)l * choices + choice[l]].loss;
    return sum;
}

/* Takes the best step; false if there is none. */
static bool take_step(const struct allocation_option *options, uint32_t layers, uint32_t choices,
                      double budget, uint32_t *choice)
{
    double left = budget - total_loss(options, layers, choices, choice), best = 0;
    uint32_t layer = layers, step = 0;
    for (uint32_t l = 0; l < layers; l++) {
        const struct allocation_option *own = options + (uint64_t)l * choices;
        const struct allocation_option *now = &own[choice[l]];
        for (uint32_t c = 0; c < choices; c++) {
            double saved = now->energy - own[c].energy, lost = own[c].loss - now->loss;
            double ratio = lost > 0 ? saved / lost : INFINITY;
            if (saved > 0 && lost <= left && ratio > best) {
                best = ratio;
                layer = l;
                step = c;
            }
        }
    }
    if (layer == layers)
        return false;
    choice[layer] = step;
    return true;
}

bool allocation_choose(const struct allocation_option *options, uint32_t layers, uint32_t choices,
                       double budget, uint32_t *choice)
{
    for (uint32_t l = 0; l < layers; l++)
        choice[l] = least_loss(options + (uint64_t)l * choices, choices);
    if (total_loss(options, layers, choices, choice) > budget)
        return false;
    /* Every step lowers the energy of a layer, so that they come to an end. */
    while (take_step(options, layers, choices, budget, choice))
        continue;
    return true;
}
