/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The table of formats, and what all recordings have in common: axes, sorting, labels.
 *
 * Invariant of an open recording: it holds spikes, or elements of which there are exactly
 * samples x (ticks or 1) x neurons, and that product and all its bytes can be addressed.
 */
#include "neurons/import/recording/recording.h"

#include "neurons/import/recording/idx.h"
#include "neurons/import/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Formats known by their first bytes come before those known by name only. */
static const struct recording_format *const table[] = {
    &recording_npy,
    &recording_nir_data,
    &recording_sound,
    &recording_nmnist,
    &recording_idx,
    &recording_event_csv,
};

enum { FORMATS = sizeof table / sizeof *table };

static const struct {
    uint32_t bytes;
    bool whole;
} elements[] = {
    [ELEMENT_F4] = {4, false}, [ELEMENT_F8] = {8, false}, [ELEMENT_I1] = {1, true},
    [ELEMENT_U1] = {1, true},  [ELEMENT_I2] = {2, true},  [ELEMENT_I4] = {4, true},
    [ELEMENT_I8] = {8, true},  [ELEMENT_BOOL] = {1, true},
    [ELEMENT_DOUBLE] = {sizeof(double), false},
};

bool path_ends(const char *path, const char *ending)
{
    size_t length = strlen(path), tail = strlen(ending);
    return length >= tail && strcasecmp(path + length - tail, ending) == 0;
}

/* ---- spikes ---- */

bool spike_list_add(struct spike_list *list, struct timed_spike spike, struct error *error)
{
    if (list->length == list->room) {
        uint64_t room = list->room == 0 ? 1024 : 2 * list->room;
        if (room > SIZE_MAX / sizeof *list->items)
            return error_no_memory(error, "a recording's spikes");
        struct timed_spike *items = realloc(list->items, room * sizeof *items);
        if (items == NULL)
            return error_no_memory(error, "a recording's spikes");
        list->items = items;
        list->room = room;
    }
    list->items[list->length++] = spike;
    return true;
}

static int compare_spikes(const void *left, const void *right)
{
    const struct timed_spike *a = left, *b = right;
    if (a->tick != b->tick)
        return a->tick < b->tick ? -1 : 1;
    return a->neuron < b->neuron ? -1 : a->neuron > b->neuron;
}

/* Sorts, and makes one spike of those that coincide. Recordings mostly are in order already. */
static bool spikes_merge(const struct recording *recording, struct spike_list *list,
                         struct error *error)
{
    bool sorted = true;
    for (uint64_t i = 1; sorted && i < list->length; i++)
        sorted = compare_spikes(&list->items[i - 1], &list->items[i]) <= 0;
    if (!sorted)
        qsort(list->items, list->length, sizeof *list->items, compare_spikes);
    uint64_t kept = 0;
    for (uint64_t i = 0; i < list->length;) {
        struct timed_spike spike = list->items[i];
        int64_t payload = 0;
        for (; i < list->length && compare_spikes(&list->items[i], &spike) == 0; i++)
            payload += list->items[i].payload; /* of at most 2^31 spikes: memory ends sooner */
        if (payload < INT32_MIN || payload > INT32_MAX)
            return error_set(error, ERROR_FAILED, "%s: the spikes of neuron %" PRIu32 " at tick %"
                             PRId64 " have payloads that sum to %" PRId64 ", more than 32 bits "
                             "hold; make them smaller", utf8_tail(recording->path), spike.neuron,
                             spike.tick, payload);
        spike.payload = (int32_t)payload;
        if (payload != 0)
            list->items[kept++] = spike;
    }
    list->length = kept;
    return true;
}

static bool sample_start_grow(struct recording *recording, struct error *error)
{
    size_t samples = (size_t)recording->samples + 1;
    uint64_t *start = realloc(recording->sample_start, (samples + 1) * sizeof *start);
    if (start != NULL)
        recording->sample_start = start;
    int64_t *ticks = realloc(recording->sample_ticks, samples * sizeof *ticks);
    if (ticks != NULL)
        recording->sample_ticks = ticks;
    return (start != NULL && ticks != NULL) || error_no_memory(error, "a recording's samples");
}

bool recording_add_spikes(struct recording *recording, struct spike_list *list, int64_t ticks,
                          struct error *error)
{
    for (uint64_t i = 0; i < list->length; i++) {
        struct timed_spike spike = list->items[i];
        if (spike.tick < 0 || spike.tick >= RECORDING_TICK_LIMIT || spike.neuron == UINT32_MAX)
            return error_set(error, ERROR_FAILED, "%s: spike %" PRIu64 " is of neuron %" PRIu32
                             " at tick %" PRId64 "; ticks must lie in 0 … 2^53 - 1 and neurons "
                             "below 2^32 - 1", utf8_tail(recording->path), i, spike.neuron,
                             spike.tick);
        if (spike.neuron >= recording->neurons)
            recording->neurons = spike.neuron + 1;
        if (spike.tick >= ticks)
            ticks = spike.tick + 1;
    }
    if (!spikes_merge(recording, list, error) || !sample_start_grow(recording, error))
        return false;
    if (recording->samples == 0) { /* the usual one sample is taken over, not copied */
        recording->spikes = list->items;
        recording->spike_count = list->length;
        *list = (struct spike_list){NULL, 0, 0};
    } else {
        uint64_t count = recording->spike_count + list->length;
        struct timed_spike *spikes = realloc(recording->spikes, (count + 1) * sizeof *spikes);
        if (spikes == NULL)
            return error_no_memory(error, "a recording's spikes");
        if (list->length > 0)
            memcpy(spikes + recording->spike_count, list->items, list->length * sizeof *spikes);
        recording->spikes = spikes;
        recording->spike_count = count;
        list->length = 0;
    }
    recording->content = RECORDING_SPIKES;
    recording->sample_ticks[recording->samples] = ticks;
    recording->sample_start[0] = 0;
    recording->sample_start[++recording->samples] = recording->spike_count;
    if (ticks > recording->ticks)
        recording->ticks = ticks;
    return true;
}

/* ---- values ---- */

/* Multiplies extents, any of which may be absurd. */
static bool product(const uint64_t *extents, uint32_t from, uint32_t to, uint64_t *result)
{
    *result = 1;
    for (uint32_t i = from; i < to; i++)
        if (__builtin_mul_overflow(*result, extents[i], result))
            return false;
    return true;
}

bool recording_set_values(struct recording *recording, enum element element,
                          const uint64_t *shape, uint32_t rank, bool timeless,
                          const unsigned char *bytes, size_t length, struct error *error)
{
    const char *shown = utf8_tail(recording->path);
    if (rank == 0)
        return error_set(error, ERROR_FAILED, "%s: holds a single number, not an array; store it "
                         "as time x neurons or samples x neurons", shown);
    bool one_sample = timeless ? rank == 1 : rank <= 2;
    uint32_t time_axis = rank <= 2 ? 0 : 1;
    uint32_t neurons_from = timeless ? (rank == 1 ? 0 : 1) : time_axis + 1;
    uint64_t ticks = timeless ? 1 : shape[time_axis], neurons, count, size;
    uint64_t samples = one_sample ? 1 : shape[0];
    if (!product(shape, neurons_from, rank, &neurons) || neurons > UINT32_MAX - 1 ||
        ticks > (uint64_t)RECORDING_TICK_LIMIT || !product(shape, 0, rank, &count) ||
        __builtin_mul_overflow(count, (uint64_t)elements[element].bytes, &size))
        return error_set(error, ERROR_FAILED, "%s: its shape asks for more than can be addressed; "
                         "the file is damaged", shown);
    if (count == 0)
        return error_set(error, ERROR_FAILED, "%s: its shape has an axis of length 0, so there is "
                         "nothing to put in", shown);
    if (size != length)
        return error_set(error, ERROR_FAILED, "%s: its shape asks for %" PRIu64 " bytes of data, "
                         "but %zu are there; the file was cut short or is damaged, fetch it again",
                         shown, size, length);
    recording->content = timeless ? RECORDING_VALUES : RECORDING_SERIES;
    recording->samples = samples;
    recording->ticks = timeless ? 0 : (int64_t)ticks;
    recording->neurons = (uint32_t)neurons;
    recording->lowest = 0;
    recording->highest = element == ELEMENT_U1 ? 255 : 1;
    recording->elements = bytes;
    recording->element = element;
    return true;
}

static uint64_t bits_of(const unsigned char *at, uint32_t bytes)
{
    uint64_t bits = 0;
    for (uint32_t i = 0; i < bytes; i++)
        bits |= (uint64_t)at[i] << (8 * i);
    return bits;
}

static double element_value(const unsigned char *at, enum element element)
{
    uint64_t bits = bits_of(at, elements[element].bytes);
    uint32_t half = (uint32_t)bits;
    float narrow;
    double wide;
    switch (element) {
    case ELEMENT_F4: memcpy(&narrow, &half, sizeof narrow); return narrow;
    case ELEMENT_F8: memcpy(&wide, &bits, sizeof wide); return wide;
    case ELEMENT_I1: return (int8_t)bits;
    case ELEMENT_U1: return (double)bits;
    case ELEMENT_I2: return (int16_t)bits;
    case ELEMENT_I4: return (int32_t)bits;
    case ELEMENT_I8: return (double)(int64_t)bits;
    case ELEMENT_BOOL: return bits != 0;
    case ELEMENT_DOUBLE: memcpy(&wide, at, sizeof wide); return wide;
    }
    return 0;
}

double recording_element(const struct recording *recording, uint64_t index)
{
    uint32_t bytes = elements[recording->element].bytes;
    return element_value(recording->elements + index * bytes, recording->element);
}

bool recording_is_spiking(const struct recording *recording)
{
    return recording->content == RECORDING_SPIKES ||
           (recording->content == RECORDING_SERIES && elements[recording->element].whole);
}

/* ---- opening ---- */

/* Labels in a one-dimensional NumPy array of whole numbers from 0 to 255. */
static bool npy_labels(const struct recording_file *file, unsigned char **labels, uint64_t *length,
                       struct error *error)
{
    struct recording array = {.path = (char *)(uintptr_t)file->path};
    struct recording_options options = {.tick_seconds = 0};
    if (!recording_npy.open(&array, file, &options, error))
        return false;
    if (array.samples != 1 || array.neurons != 1)
        return error_set(error, ERROR_FAILED, "%s: labels must be an array of one axis",
                         utf8_tail(file->path));
    *length = (uint64_t)array.ticks;
    *labels = malloc(*length);
    if (*labels == NULL)
        return error_no_memory(error, "labels");
    uint32_t bytes = elements[array.element].bytes;
    for (uint64_t i = 0; i < *length; i++) {
        double value = element_value(array.elements + i * bytes, array.element);
        if (!(value >= 0 && value <= UINT8_MAX) || value != (double)(uint8_t)value)
            return error_set(error, ERROR_FAILED, "%s: label %" PRIu64 " is %g; labels are whole "
                             "numbers from 0 to 255", utf8_tail(file->path), i, value);
        (*labels)[i] = (unsigned char)value;
    }
    return true;
}

static bool labels_open(const char *path, unsigned char **labels, uint64_t *length,
                        struct error *error)
{
    struct mapped_file mapped;
    if (!mapped_file_open(&mapped, path, SIZE_MAX, error))
        return false;
    struct recording_file file = {path, mapped.bytes, mapped.length, true};
    bool read = recording_npy.matches(&file) ? npy_labels(&file, labels, length, error)
                                             : idx_labels(&file, labels, length, error);
    mapped_file_close(&mapped);
    return read;
}

static bool labels_read(struct recording *recording, const struct recording_file *file,
                        const struct recording_options *options, struct error *error)
{
    char *beside = NULL;
    if (options->labels == NULL && file->on_disk && recording->format == &recording_idx &&
        !idx_labels_beside(file->path, &beside, error))
        return false;
    const char *path = options->labels != NULL ? options->labels : beside;
    uint64_t count = 0;
    bool read = path == NULL || labels_open(path, &recording->labels, &count, error);
    if (read && path != NULL && count != recording->samples)
        read = error_set(error, ERROR_FAILED, "%s: holds %" PRIu64 " labels, but %s holds %" PRIu64
                         " samples; they do not belong together", utf8_tail(path), count,
                         utf8_tail(recording->path), recording->samples);
    free(beside);
    return read;
}

static bool neurons_check(struct recording *recording, uint32_t neurons, struct error *error)
{
    const char *shown = utf8_tail(recording->path);
    if (recording->content == RECORDING_SPIKES) {
        if (neurons != 0 && recording->neurons > neurons)
            return error_set(error, ERROR_MISUSED, "%s: has spikes of neuron %" PRIu32 ", but the "
                             "input has %" PRIu32 " neurons, counted from 0", shown,
                             recording->neurons - 1, neurons);
        recording->neurons = neurons != 0 ? neurons : recording->neurons;
        recording->neurons = recording->neurons != 0 ? recording->neurons : 1;
        return true;
    }
    return neurons == 0 || recording->neurons == neurons ||
           error_set(error, ERROR_MISUSED, "%s: has values for %" PRIu32 " neurons, but the input "
                     "has %" PRIu32, shown, recording->neurons, neurons);
}

static const struct recording_format *format_find(const struct recording_file *file,
                                                  struct error *error)
{
    char known[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < FORMATS; i++) {
        if (table[i]->matches(file))
            return table[i];
        int printed = snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                               table[i]->name);
        used = used + (size_t)printed < sizeof known ? used + (size_t)printed : sizeof known - 1;
    }
    error_set(error, ERROR_FAILED, "%s: is of no format that can be read as an input (%s)",
              utf8_tail(file->path), known);
    return NULL;
}

static struct recording *recording_read(const struct recording_file *file,
                                        const struct recording_options *options,
                                        struct error *error)
{
    const struct recording_format *format = format_find(file, error);
    struct recording *recording = format != NULL ? calloc(1, sizeof *recording) : NULL;
    if (recording == NULL) {
        if (format != NULL)
            error_no_memory(error, "a recording");
        return NULL;
    }
    recording->format = format;
    recording->path = strdup(file->path);
    if (recording->path == NULL) {
        error_no_memory(error, "a recording");
    } else if (format->open(recording, file, options, error) &&
               neurons_check(recording, options->neurons, error) &&
               labels_read(recording, file, options, error)) {
        return recording;
    }
    recording_close(recording);
    return NULL;
}

struct recording *recording_open(const char *path, const struct recording_options *options,
                                 struct error *error)
{
    struct mapped_file mapped;
    if (!mapped_file_open(&mapped, path, SIZE_MAX, error))
        return NULL;
    struct recording_file file = {path, mapped.bytes, mapped.length, true};
    struct recording *recording = recording_read(&file, options, error);
    if (recording == NULL)
        mapped_file_close(&mapped);
    else
        recording->file = mapped;
    return recording;
}

struct recording *recording_open_memory(const char *name, const void *bytes, size_t length,
                                        const struct recording_options *options,
                                        struct error *error)
{
    struct recording_file file = {name, bytes, length, false};
    return recording_read(&file, options, error);
}

void recording_close(struct recording *recording)
{
    if (recording == NULL)
        return;
    free(recording->spikes);
    free(recording->sample_start);
    free(recording->sample_ticks);
    free(recording->labels);
    free(recording->unpacked);
    mapped_file_close(&recording->file);
    free(recording->path);
    free(recording);
}
