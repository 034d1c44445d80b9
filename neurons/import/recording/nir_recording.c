/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * NIRData files (nir_data.h) as recordings: the only node there is, or else the one with the
 * name of the population.
 */
#include "neurons/import/nir/nir_data.h"
#include "neurons/import/recording/recording.h"
#include "neurons/import/utf8.h"

#include <stdlib.h>
#include <string.h>

static bool matches(const struct recording_file *file)
{
    /* HDF5 opens files by their path */
    return file->on_disk && file->length >= 8 && memcmp(file->bytes, "\x89HDF\r\n\x1a\n", 8) == 0;
}

static bool spikes_add(struct recording *recording, const struct nir_data *data,
                       struct error *error)
{
    struct spike_list list = {0};
    bool added = true;
    for (uint64_t s = 0; s < data->samples && added; s++) {
        for (uint64_t i = data->sample_start[s]; i < data->sample_start[s + 1] && added; i++)
            added = spike_list_add(&list, data->spikes[i], error);
        added = added && recording_add_spikes(recording, &list, data->ticks, error);
    }
    free(list.items);
    if (added && data->neurons > recording->neurons)
        recording->neurons = data->neurons;
    return added;
}

static bool values_add(struct recording *recording, struct nir_data *data, struct error *error)
{
    uint64_t shape[] = {data->samples, (uint64_t)data->ticks, data->neurons};
    recording->unpacked = data->values;
    data->values = NULL;
    return recording_set_values(recording, ELEMENT_DOUBLE, shape, 3, false, recording->unpacked,
                                shape[0] * shape[1] * shape[2] * sizeof(double), error);
}

static bool open_data(struct recording *recording, const struct recording_file *file,
                      const struct recording_options *options, struct error *error)
{
    struct nir_data data = {0};
    struct error several = {0};
    if (!(options->tick_seconds > 0))
        return error_set(error, ERROR_MISUSED, "%s: holds times in seconds, so the length of a "
                         "tick must be known", utf8_tail(file->path));
    if (!nir_data_read(file->path, NULL, options->tick_seconds, &data, &several) &&
        (options->population == NULL ||
         !nir_data_read(file->path, options->population, options->tick_seconds, &data, error)))
        return error_set(error, several.code, "%s", several.text);
    bool added = data.values != NULL ? values_add(recording, &data, error)
                                     : spikes_add(recording, &data, error);
    nir_data_free(&data);
    return added;
}

const struct recording_format recording_nir_data = {
    .name = "NIRData",
    .matches = matches,
    .open = open_data,
};
