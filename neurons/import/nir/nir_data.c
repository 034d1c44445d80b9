/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading and writing NIRData. What is read has been checked: spikes are in order, of neurons that
 * there are, one for each neuron and tick, and numbers are finite.
 */
#define _GNU_SOURCE 1
#include "neurons/import/nir/nir_data.h"

#include "neurons/import/nir/guard.h"
#include "neurons/import/mapped_file.h"
#include "neurons/import/nir/nir_file.h"
#include "neurons/import/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NODE_LIMIT = 1 << 16 };

#define NODE "%s: node '%.*s': "
#define NODE_SHOWN(source) (source)->file.path, utf8_clip((source)->node), (source)->node

/* A file being read. */
struct source {
    struct nir_file file;
    const char *node;
    double dt;
    struct nir_data *data;
    struct error *error;
};

/* --------------------------------------------------------------------- time grids */

static bool whole(double value)
{
    return value >= INT32_MIN && value <= INT32_MAX && value == (double)(int32_t)value;
}

static bool starts_take(struct source *source)
{
    struct nir_data *data = source->data;
    data->sample_start = calloc((size_t)data->samples + 1, sizeof *data->sample_start);
    return data->sample_start != NULL || error_no_memory(source->error, "the samples of NIRData");
}

/* Values on a grid that are spikes. */
static bool grid_spikes(struct source *source, const struct nir_array *grid)
{
    struct nir_data *data = source->data;
    uint64_t per_sample = grid->count / data->samples, count = 0;
    for (uint64_t i = 0; i < grid->count; i++) {
        count += grid->values[i] != 0;
        if (!whole(grid->values[i]))
            return error_set(source->error, ERROR_FAILED, NODE "spikes[%" PRIu64 "] is %g, but a "
                             "spike's payload is a whole number", NODE_SHOWN(source), i,
                             grid->values[i]);
    }
    data->spikes = malloc((size_t)(count + 1) * sizeof *data->spikes);
    if (data->spikes == NULL)
        return error_no_memory(source->error, "the spikes of NIRData");
    if (!starts_take(source))
        return false;
    for (uint64_t i = 0; i < grid->count; i++) {
        uint64_t at = i % per_sample;
        if (grid->values[i] != 0)
            data->spikes[data->spike_count++] = (struct timed_spike){
                (int64_t)(at / data->neurons), (uint32_t)(at % data->neurons),
                (int32_t)grid->values[i]};
        data->sample_start[i / per_sample + 1] = data->spike_count;
    }
    return true;
}

static bool grid_read(struct source *source, hid_t group, bool spikes)
{
    struct nir_data *data = source->data;
    struct nir_array grid;
    double dt;
    if (!nir_file_attribute(&source->file, group, source->node, "dt", &dt, source->error)
        || !nir_file_numbers(&source->file, group, source->node, "data", &grid, source->error))
        return false;
    uint32_t lead = grid.rank == 3 ? 1 : 0;
    bool read = true;
    if (grid.rank != lead + 2)
        read = error_set(source->error, ERROR_FAILED, NODE "data has %" PRIu32 " dimensions "
                         "instead of 3 (samples, time, neurons)", NODE_SHOWN(source), grid.rank);
    else if (!(fabs(dt - source->dt) <= 1e-6 * source->dt))
        read = error_set(source->error, ERROR_MISUSED, NODE "was recorded with a dt of %g s, but "
                         "the network's tick is %g s; run it with --dt %g", NODE_SHOWN(source), dt,
                         source->dt, dt);
    for (uint64_t i = 0; read && i < grid.count; i++)
        if (!isfinite(grid.values[i]))
            read = error_set(source->error, ERROR_FAILED, NODE "data[%" PRIu64 "] is not a finite "
                             "number", NODE_SHOWN(source), i);
    if (read) {
        data->samples = lead == 1 ? grid.shape[0] : 1;
        data->ticks = (int64_t)grid.shape[lead];
        data->neurons = (uint32_t)grid.shape[lead + 1];
    }
    if (read && spikes) {
        read = grid_spikes(source, &grid);
    } else if (read) {
        data->values = grid.values;
        grid.values = NULL;
    }
    free(grid.values);
    return read;
}

/* ------------------------------------------------------------------------- events */

static int spike_compare(const void *left, const void *right)
{
    const struct timed_spike *a = left, *b = right;
    if (a->tick != b->tick)
        return a->tick < b->tick ? -1 : 1;
    return a->neuron < b->neuron ? -1 : a->neuron > b->neuron;
}

/* Sorts the spikes of one sample, from `first` on, and adds up those of one neuron in one tick. */
static bool sample_settle(struct source *source, uint64_t first)
{
    struct nir_data *data = source->data;
    uint64_t kept = first;
    qsort(data->spikes + first, (size_t)(data->spike_count - first), sizeof *data->spikes,
          spike_compare);
    for (uint64_t i = first; i < data->spike_count; i++) {
        struct timed_spike spike = data->spikes[i];
        struct timed_spike *last = kept > first ? &data->spikes[kept - 1] : NULL;
        if (last == NULL || spike_compare(last, &spike) != 0)
            data->spikes[kept++] = spike;
        else if (__builtin_add_overflow(last->payload, spike.payload, &last->payload))
            return error_set(source->error, ERROR_FAILED, NODE "the spikes of neuron %" PRIu32 " "
                             "at tick %" PRId64 " add up to more than a payload can be",
                             NODE_SHOWN(source), spike.neuron, spike.tick);
    }
    data->spike_count = kept;
    return true;
}

/* Event `i`, unless it is one that is not used. */
static bool event_take(struct source *source, uint64_t i, double neuron, double time, double value)
{
    struct nir_data *data = source->data;
    if (neuron == -1)
        return true;
    if (!(neuron >= 0 && neuron < data->neurons) || neuron != (double)(uint32_t)neuron)
        return error_set(source->error, ERROR_FAILED, NODE "idx[%" PRIu64 "] is %g, but there are %"
                         PRIu32 " neurons", NODE_SHOWN(source), i, neuron, data->neurons);
    double tick = time / source->dt;
    if (!(tick >= -0.5 && tick < 9e15))
        return error_set(source->error, ERROR_FAILED, NODE "time[%" PRIu64 "] is %g s, which no "
                         "run can reach", NODE_SHOWN(source), i, time);
    if (!whole(value))
        return error_set(source->error, ERROR_FAILED, NODE "value[%" PRIu64 "] is %g, but a "
                         "spike's payload is a whole number", NODE_SHOWN(source), i, value);
    struct timed_spike spike = {(int64_t)floor(tick + 0.5), (uint32_t)neuron, (int32_t)value};
    if (spike.tick >= data->ticks)
        data->ticks = spike.tick + 1;
    data->spikes[data->spike_count++] = spike;
    return true;
}

static bool events_take(struct source *source, const struct nir_array *index,
                        const struct nir_array *time, const struct nir_array *value)
{
    struct nir_data *data = source->data;
    if (index->rank > 2 || index->rank == 0 || time->count != index->count
        || (value->values != NULL && value->count != index->count))
        return error_set(source->error, ERROR_FAILED, NODE "idx, time and value have not the same "
                         "shape (samples, events)", NODE_SHOWN(source));
    data->samples = index->rank == 2 ? index->shape[0] : 1;
    data->spikes = malloc((size_t)(index->count + 1) * sizeof *data->spikes);
    if (data->spikes == NULL)
        return error_no_memory(source->error, "the spikes of NIRData");
    if (!starts_take(source))
        return false;
    uint64_t events = index->count / data->samples;
    for (uint64_t sample = 0; sample < data->samples; sample++) {
        uint64_t first = data->spike_count;
        for (uint64_t i = sample * events; i < (sample + 1) * events; i++)
            if (!event_take(source, i, index->values[i], time->values[i],
                            value->values == NULL ? 1 : value->values[i]))
                return false;
        if (!sample_settle(source, first))
            return false;
        data->sample_start[sample + 1] = data->spike_count;
    }
    return true;
}

static bool events_read(struct source *source, hid_t group)
{
    struct nir_data *data = source->data;
    struct nir_array index = {0}, time = {0}, value = {0};
    struct nir_file *file = &source->file;
    double neurons, end;
    if (!nir_file_attribute(file, group, source->node, "n_neurons", &neurons, source->error)
        || !nir_file_attribute(file, group, source->node, "t_max", &end, source->error))
        return false;
    if (!(neurons >= 1 && neurons <= INT32_MAX) || !(end >= 0 && end / source->dt < 9e15))
        return error_set(source->error, ERROR_FAILED, NODE "n_neurons (%g) or t_max (%g s) makes "
                         "no sense", NODE_SHOWN(source), neurons, end);
    data->neurons = (uint32_t)neurons;
    data->ticks = (int64_t)ceil(end / source->dt - 1e-6);
    bool read = nir_file_numbers(file, group, source->node, "idx", &index, source->error)
                && nir_file_numbers(file, group, source->node, "time", &time, source->error)
                && (nir_file_kind(group, "value") == NIR_ABSENT
                    || nir_file_numbers(file, group, source->node, "value", &value, source->error))
                && events_take(source, &index, &time, &value);
    free(index.values);
    free(time.values);
    free(value.values);
    return read;
}

/* --------------------------------------------------------------------- finding a node */

/* The only entry of a group, or the one called `wanted` if there are several; NULL with error. */
static char *entry_choose(struct source *source, hid_t group, const char *what, const char *wanted)
{
    char **names = NULL, *chosen = NULL;
    size_t count = 0;
    if (!nir_file_names(&source->file, group, source->node, NODE_LIMIT, &names, &count,
                        source->error))
        return NULL;
    bool found = count == 1;
    if (found)
        chosen = strdup(names[0]);
    for (size_t i = 0; count > 1 && wanted != NULL && i < count && !found; i++) {
        found = strcmp(names[i], wanted) == 0;
        chosen = found ? strdup(names[i]) : NULL;
    }
    if (!found)
        error_set(source->error, ERROR_FAILED, NODE "holds %zu %s, so it is not clear which to "
                  "read", NODE_SHOWN(source), count, what);
    else if (chosen == NULL)
        error_no_memory(source->error, "a name in NIRData");
    nir_file_free_names(names, count);
    return chosen;
}

/* The group of a node below `nodes`: of that name, or, at a dot in it, in an inner graph. -1 if
 * there is none. */
static hid_t node_find(hid_t nodes, const char *name)
{
    if (name[0] == '\0' || strchr(name, '/') != NULL)
        return -1;
    if (nir_file_kind(nodes, name) == NIR_GROUP)
        return H5Gopen2(nodes, name, H5P_DEFAULT);
    hid_t found = -1;
    const char *dot = strchr(name, '.');
    for (; found < 0 && dot != NULL; dot = strchr(dot + 1, '.')) {
        char *graph = strndup(name, (size_t)(dot - name));
        hid_t outer = graph != NULL && graph[0] != '\0' && nir_file_kind(nodes, graph) == NIR_GROUP
                      ? H5Gopen2(nodes, graph, H5P_DEFAULT) : -1;
        hid_t inner = outer >= 0 && nir_file_kind(outer, "nodes") == NIR_GROUP
                      ? H5Gopen2(outer, "nodes", H5P_DEFAULT) : -1;
        if (inner >= 0) {
            found = node_find(inner, dot + 1);
            H5Gclose(inner);
        }
        if (outer >= 0)
            H5Gclose(outer);
        free(graph);
    }
    return found;
}

static bool observable_read(struct source *source, hid_t observables, const char *name)
{
    hid_t group = nir_file_group(&source->file, observables, source->node, name, source->error);
    if (group < 0)
        return false;
    bool read;
    if (nir_file_kind(group, "data") != NIR_ABSENT)
        read = grid_read(source, group, strcmp(name, "spikes") == 0);
    else if (nir_file_kind(group, "idx") != NIR_ABSENT)
        read = events_read(source, group);
    else
        read = error_set(source->error, ERROR_FAILED, NODE "observable '%.*s' has neither data nor "
                         "idx and time", NODE_SHOWN(source), utf8_clip(name), name);
    H5Gclose(group);
    return read;
}

static bool node_read(struct source *source, hid_t nodes)
{
    hid_t node = node_find(nodes, source->node);
    if (node < 0)
        return error_set(source->error, ERROR_FAILED, NODE "there is nothing of it in the file",
                         NODE_SHOWN(source));
    hid_t observables = nir_file_group(&source->file, node, source->node, "observables",
                                       source->error);
    char *name = observables < 0 ? NULL
                 : entry_choose(source, observables, "observables", "spikes");
    bool read = name != NULL && observable_read(source, observables, name);
    free(name);
    if (observables >= 0)
        H5Gclose(observables);
    H5Gclose(node);
    return read;
}

static bool source_read(struct source *source, const char *node)
{
    source->node = node == NULL ? "/nodes" : node;
    hid_t nodes = nir_file_group(&source->file, source->file.file, "/", "nodes", source->error);
    if (nodes < 0)
        return false;
    char *only = node == NULL ? entry_choose(source, nodes, "nodes", NULL) : NULL;
    if (only != NULL)
        source->node = only;
    bool read = (node != NULL || only != NULL) && node_read(source, nodes);
    H5Gclose(nodes);
    free(only);
    return read;
}

static bool mapped_read(const struct mapped_file *mapped, const char *path, const char *node,
                        double dt, struct nir_data *data, struct error *error)
{
    struct source source = {.dt = dt, .data = data, .error = error};
    bool read = nir_file_open(&source.file, mapped->bytes, mapped->length, path, error);
    if (!read)
        return false;
    read = source_read(&source, node);
    nir_file_close(&source.file);
    return read;
}

/* The whole of it, for a child. */
struct attempt {
    struct mapped_file mapped;
    const char *path, *node;
    double dt;
};

static bool data_try(void *data, struct error *error)
{
    const struct attempt *attempt = data;
    struct nir_data found = {0};
    bool read = mapped_read(&attempt->mapped, attempt->path, attempt->node, attempt->dt, &found,
                            error);
    nir_data_free(&found);
    return read;
}

bool nir_data_read(const char *path, const char *node, double dt, struct nir_data *data,
                   struct error *error)
{
    struct attempt attempt = {.path = path, .node = node, .dt = dt};
    struct mapped_file *mapped = &attempt.mapped;
    memset(data, 0, sizeof *data);
    if (!(dt > 0) || !isfinite(dt))
        return error_set(error, ERROR_MISUSED, "the tick cannot last %g s; give a dt above 0", dt);
    if (!mapped_file_open(mapped, path, SIZE_MAX, error))
        return false;
    bool read = guard_try(data_try, &attempt, path, nir_file_seconds(mapped->length), error)
                && mapped_read(mapped, path, node, dt, data, error);
    mapped_file_close(mapped);
    if (!read)
        nir_data_free(data);
    return read;
}

void nir_data_free(struct nir_data *data)
{
    free(data->values);
    free(data->spikes);
    free(data->sample_start);
    memset(data, 0, sizeof *data);
}

static bool mapped_is_data(const struct mapped_file *mapped)
{
    struct nir_file file;
    bool is = nir_file_open(&file, mapped->bytes, mapped->length, "", NULL);
    if (!is)
        return false;
    is = H5Aexists(file.file, "__type__") > 0 && nir_file_kind(file.file, "nodes") == NIR_GROUP;
    nir_file_close(&file);
    return is;
}

static bool is_data_try(void *data, struct error *error)
{
    (void)error; /* nobody asks why */
    return mapped_is_data(data);
}

bool nir_data_is_file(const char *path)
{
    struct mapped_file mapped;
    if (!mapped_file_open(&mapped, path, SIZE_MAX, NULL))
        return false;
    bool is = nir_file_signature(mapped.bytes, mapped.length)
              && guard_try(is_data_try, &mapped, path, nir_file_seconds(mapped.length), NULL);
    mapped_file_close(&mapped);
    return is;
}

/* ------------------------------------------------------------------------ writing */

/* Creates a group that says what it is; negative when that fails. */
static hid_t group_make(hid_t parent, const char *name)
{
    return H5Gcreate2(parent, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
}

static bool type_write(hid_t group, const char *type)
{
    hid_t text = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR), attribute = -1;
    bool written = H5Tset_size(text, H5T_VARIABLE) >= 0 && H5Tset_cset(text, H5T_CSET_UTF8) >= 0;
    if (written)
        attribute = H5Acreate2(group, "__type__", text, space, H5P_DEFAULT, H5P_DEFAULT);
    written = attribute >= 0 && H5Awrite(attribute, text, &type) >= 0;
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(text);
    return written;
}

static bool attribute_write(hid_t group, const char *name, hid_t type, const void *value)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    bool written = attribute >= 0 && H5Awrite(attribute, type, value) >= 0;
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    return written;
}

static bool array_write(hid_t group, const char *name, hid_t type, int rank, const hsize_t *shape,
                        const void *values)
{
    hid_t space = H5Screate_simple(rank, shape, NULL);
    hid_t dataset = H5Dcreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    bool written = dataset >= 0
                   && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
    if (dataset >= 0)
        H5Dclose(dataset);
    H5Sclose(space);
    return written;
}

/* Without spikes there is one event that is not used, as NIR's library wants no empty arrays. */
static bool spikes_write(hid_t group, const struct nir_series *series, double dt)
{
    size_t count = series->spike_count == 0 ? 1 : (size_t)series->spike_count;
    const hsize_t shape[2] = {1, count};
    int64_t *index = malloc(count * sizeof *index), neurons = series->neurons;
    double *time = malloc(count * sizeof *time), *value = malloc(count * sizeof *value);
    double end = (double)series->ticks * dt;
    bool valued = false, written = index != NULL && time != NULL && value != NULL;
    if (written) {
        index[0] = -1;
        time[0] = INFINITY;
        value[0] = 0;
        for (uint64_t i = 0; i < series->spike_count; i++) {
            index[i] = series->spikes[i].neuron;
            time[i] = (double)series->spikes[i].tick * dt;
            value[i] = series->spikes[i].payload;
            valued = valued || series->spikes[i].payload != 1;
        }
        written = type_write(group, valued ? "ValuedEventData" : "EventData")
                  && array_write(group, "idx", H5T_NATIVE_INT64, 2, shape, index)
                  && array_write(group, "time", H5T_NATIVE_DOUBLE, 2, shape, time)
                  && (!valued || array_write(group, "value", H5T_NATIVE_DOUBLE, 2, shape, value))
                  && attribute_write(group, "n_neurons", H5T_NATIVE_INT64, &neurons)
                  && attribute_write(group, "t_max", H5T_NATIVE_DOUBLE, &end);
    }
    free(index);
    free(time);
    free(value);
    return written;
}

static bool series_write(hid_t observables, const struct nir_series *series, double dt)
{
    hid_t group = group_make(observables, series->observable);
    const hsize_t shape[3] = {1, (hsize_t)series->ticks, series->neurons};
    bool written = group >= 0;
    if (written && series->values != NULL)
        written = type_write(group, "TimeGriddedData")
                  && array_write(group, "data", H5T_NATIVE_DOUBLE, 3, shape, series->values)
                  && attribute_write(group, "dt", H5T_NATIVE_DOUBLE, &dt);
    else if (written)
        written = spikes_write(group, series, dt);
    if (group >= 0)
        H5Gclose(group);
    return written;
}

/* Writes all observables of the node that comes first; *used says how many those are. */
static bool node_write(hid_t nodes, const struct nir_series *series, size_t count, double dt,
                       size_t *used)
{
    hid_t node = group_make(nodes, series->node);
    hid_t observables = node < 0 ? -1 : group_make(node, "observables");
    bool written = observables >= 0 && type_write(node, "NIRNodeData");
    size_t i = 0;
    for (; i < count && strcmp(series[i].node, series->node) == 0; i++)
        written = written && series_write(observables, &series[i], dt);
    if (observables >= 0)
        H5Gclose(observables);
    if (node >= 0)
        H5Gclose(node);
    *used = i;
    return written;
}

/* The name of the node that could not be written goes to *failed. */
static bool file_write(const char *path, const struct nir_series *series, size_t count, double dt,
                       const char **failed)
{
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    if (file < 0)
        return false;
    hid_t nodes = group_make(file, "nodes");
    bool written = nodes >= 0 && type_write(file, "NIRGraphData");
    for (size_t i = 0, used = 0; written && i < count; i += used) {
        written = node_write(nodes, series + i, count - i, dt, &used);
        if (!written)
            *failed = series[i].node;
    }
    if (nodes >= 0)
        H5Gclose(nodes);
    return H5Fclose(file) >= 0 && written;
}

bool nir_data_write(const char *path, const struct nir_series *series, size_t count, double dt,
                    struct error *error)
{
    char *part;
    const char *failed = NULL;
    struct nir_quiet quiet;
    if (asprintf(&part, "%s.part", path) < 0)
        return error_no_memory(error, "the path of a file");
    nir_file_quiet(&quiet);
    bool written = file_write(part, series, count, dt, &failed);
    nir_file_loud(&quiet);
    if (!written)
        error_set(error, ERROR_FAILED, "%s: cannot be written%s%.*s; is there room, and may the "
                  "folder be written to?", utf8_tail(path), failed == NULL ? "" : " at node ",
                  failed == NULL ? 0 : utf8_clip(failed), failed == NULL ? "" : failed);
    else if (rename(part, path) != 0)
        written = error_set(error, ERROR_FAILED, "%s: the complete file '%.200s' cannot be renamed "
                            "to it", utf8_tail(path), part);
    if (!written)
        unlink(part);
    free(part);
    return written;
}
