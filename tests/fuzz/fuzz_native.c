/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libFuzzer target: native documents, with a safetensors file beside them that has a tensor for
 * each of the shapes in the corpus. */
#define _GNU_SOURCE 1
#include "neurons/import/native/native.h"

#include "neurons/import/native/safetensors_write.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/volley-fuzz-native-XXXXXX";
static char weights[sizeof folder + 16];

static void folder_remove(void)
{
    unlink(weights);
    rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    static const double numbers[32] = {0, 1, 2, 0.5};
    static const int8_t codes[32] = {0, 1, 2, -1};
    static const double bad[1] = {NAN};
    static const struct tensor tensors[] = {
        {.name = "times", .dtype = DTYPE_F64, .rank = 1, .shape = {3}, .data = numbers},
        {.name = "leak", .dtype = DTYPE_F64, .rank = 1, .shape = {4}, .data = numbers},
        {.name = "neurons", .dtype = DTYPE_I64, .rank = 1, .shape = {3}, .data = codes},
        {.name = "kernel", .dtype = DTYPE_F32, .rank = 4, .shape = {2, 2, 2, 2}, .data = numbers},
        {.name = "codes", .dtype = DTYPE_I8, .rank = 2, .shape = {8, 4}, .data = codes},
        {.name = "half", .dtype = DTYPE_F16, .rank = 1, .shape = {3}, .data = codes},
        {.name = "none", .dtype = DTYPE_I32, .rank = 1, .shape = {0}},
        {.name = "bad", .dtype = DTYPE_F64, .rank = 1, .shape = {1}, .data = bad},
    };
    assert(mkdtemp(folder) != NULL);
    snprintf(weights, sizeof weights, "%s/net.safetensors", folder);
    FILE *file = fopen(weights, "wb");
    assert(file != NULL);
    bool written = safetensors_write(file, weights, tensors, sizeof tensors / sizeof tensors[0],
                                     NULL);
    assert(fclose(file) == 0 && written);
    atexit(folder_remove);
    return 0;
}

/* What the builder relies on. */
static void population_check(const struct blueprint_population *population)
{
    assert(population->neurons > 0 && population->neurons <= INT32_MAX);
    for (uint64_t i = 0; i < population->spike_count; i++)
        assert(population->spikes[i].neuron < population->neurons
               && population->spikes[i].tick >= (i == 0 ? 0 : population->spikes[i - 1].tick));
    for (int i = 0; i < CELL_PARAMETERS; i++)
        if (population->parameter[i].kind == QUANTITY_ARRAY)
            assert(population->parameter[i].length == population->neurons
                   && isfinite(population->parameter[i].array[population->neurons - 1]));
}

static void projection_check(const struct blueprint *blueprint,
                             const struct blueprint_projection *projection)
{
    assert(projection->source < blueprint->population_count
           && projection->target < blueprint->population_count);
    const struct blueprint_population *source = &blueprint->populations[projection->source],
                                      *target = &blueprint->populations[projection->target];
    assert(target->model->ports[projection->port] != NULL);
    for (uint64_t i = 0; i < projection->synapses; i++)
        assert(projection->sources[i] < source->neurons && projection->targets[i] < target->neurons
               && (projection->weights == NULL || isfinite(projection->weights[i])));
    if (projection->kind == LINK_DENSE)
        assert(isfinite(projection->weights[(uint64_t)source->neurons * target->neurons - 1]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {0};
    struct blueprint *blueprint = native_read((const char *)data, size, folder, "net.json",
                                              &error);
    assert((blueprint == NULL) == (error.code != ERROR_NONE));
    assert((blueprint == NULL) == (error.text[0] != '\0'));
    if (blueprint == NULL)
        return 0;
    for (uint32_t i = 0; i < blueprint->population_count; i++)
        population_check(&blueprint->populations[i]);
    for (uint32_t i = 0; i < blueprint->projection_count; i++)
        projection_check(blueprint, &blueprint->projections[i]);
    blueprint_free(blueprint);
    return 0;
}
