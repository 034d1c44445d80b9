/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzzing the NIR reader: any bytes either become a network on paper, whose projections join
 * populations that are there with arrays of the right length, or are refused with a sentence.
 *
 * HDF5 1.10.8 itself does not stand all files, so a crash counts only if our own functions are at
 * the top of its stack; -fork=1 -ignore_crashes=1 goes on after the others. Files from outside
 * are read in a child process first (neurons/import/nir/guard.h).
 */
#include "neurons/import/nir/nir.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static volatile double sum; /* so that the reading is not left out */

static void numbers_touch(const double *numbers, uint64_t count)
{
    for (uint64_t i = 0; numbers != NULL && i < count; i++)
        sum += numbers[i];
}

static void projection_check(const struct blueprint *blueprint,
                             const struct blueprint_projection *projection)
{
    if (projection->source >= blueprint->population_count
        || projection->target >= blueprint->population_count)
        abort();
    const struct convolution_shape *shape = &projection->shape;
    uint64_t sources = blueprint->populations[projection->source].neurons;
    uint64_t targets = blueprint->populations[projection->target].neurons;
    uint64_t count = projection->kind == LINK_DENSE ? sources * targets : sources;
    if (projection->kind == LINK_CONVOLUTION || projection->kind == LINK_POOLING) {
        count = (uint64_t)shape->out_channels * (shape->in_channels / shape->groups)
                * shape->kernel_height * shape->kernel_width;
        if (sources != (uint64_t)shape->in_channels * shape->in_height * shape->in_width
            || targets != (uint64_t)shape->out_channels * shape->out_height * shape->out_width)
            abort();
    } else if (projection->kind == LINK_DIAGONAL && sources != targets) {
        abort();
    }
    numbers_touch(projection->weights, count);
    numbers_touch(projection->delays, sources);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct nir_options options = {.dt = 1e-3, .pipeline = length % 2 == 1};
    struct error error = {0};
    struct blueprint *blueprint = nir_read(bytes, length, "fuzz", &options, &error);
    if ((blueprint == NULL) != (error.code != ERROR_NONE))
        abort();
    if (blueprint == NULL)
        return 0;
    for (uint32_t i = 0; i < blueprint->population_count; i++)
        numbers_touch(blueprint->populations[i].drive[0], blueprint->populations[i].neurons);
    for (uint32_t i = 0; i < blueprint->projection_count; i++)
        projection_check(blueprint, &blueprint->projections[i]);
    blueprint_free(blueprint);
    return 0;
}
