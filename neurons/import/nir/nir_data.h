/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * NIRData: what goes into and comes out of a NIR graph, as HDF5 that NIR's own library reads and
 * writes.
 *
 *     /                     attribute __type__ = "NIRGraphData"
 *     /nodes/<node>/observables/<observable>
 *         TimeGriddedData   data [samples][ticks][neurons]; attribute dt
 *         EventData         idx, time [samples][events], unused ones -1; attributes n_neurons and
 *                           t_max
 *         ValuedEventData   and value [samples][events]
 */
#ifndef VOLLEY_NIR_DATA_H
#define VOLLEY_NIR_DATA_H

#include "neurons/models/input.h"

/* What a file holds of one node. Either values or spikes. */
struct nir_data {
    uint64_t samples;
    int64_t ticks;
    uint32_t neurons;
    double *values;             /* [samples][ticks][neurons], or NULL */
    struct timed_spike *spikes; /* [spike_count], sample by sample, by tick, then by neuron */
    uint64_t spike_count;
    uint64_t *sample_start;     /* [samples + 1] into spikes */
};

/* Whether the file is there and says that it is NIRData. */
bool nir_data_is_file(const char *path);

/* Reads what there is of `node`: dots lead into inner graphs; NULL: of the only node there is. With
 * several observables the one called "spikes" is taken. One of that name is spikes even on a time
 * grid. Events are brought to the nearest tick of `dt` seconds; several of a neuron in one tick
 * add up. A time grid must have that dt. Fails, naming file and node. */
bool nir_data_read(const char *path, const char *node, double dt, struct nir_data *data,
                   struct error *error);
void nir_data_free(struct nir_data *data);

/* One observable to write, of one sample: spikes (EventData, or ValuedEventData if a payload is
 * not 1), or, if `values` is set, values (TimeGriddedData). */
struct nir_series {
    const char *node, *observable; /* a node may come several times, all in a row */
    uint32_t neurons;
    int64_t ticks;
    const struct timed_spike *spikes; /* [spike_count] */
    uint64_t spike_count;
    const double *values; /* [ticks][neurons], or NULL */
};

/* The file is written under another name beside `path` and renamed when it is complete. */
bool nir_data_write(const char *path, const struct nir_series *series, size_t count, double dt,
                    struct error *error);

#endif
