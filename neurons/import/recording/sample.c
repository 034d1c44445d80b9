/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One sample of an open recording: its spikes, its values, or what a scheme makes of its values.
 *
 * A scheme encodes one value after the other; in a network, values that come together are shown
 * together. So spikes are renumbered: of the values of one tick each gets neurons of its own, and
 * what a value says at its tick t is said at tick t of the sample. Then they are sorted by tick,
 * keeping the order of neurons.
 */
#include "neurons/import/recording/recording.h"
#include "neurons/import/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void sample_free(struct sample *sample)
{
    free(sample->spike_room);
    free(sample->sorted_room);
    free(sample->value_room);
    memset(sample, 0, sizeof *sample);
}

bool sample_feed(const struct sample *sample, struct population *population, struct error *error)
{
    if (sample->values != NULL)
        return input_feed_values(population, sample->values, sample->ticks, error);
    return input_feed_spikes(population, sample->spikes, sample->spike_count, error);
}

/* ---- room ---- */

/* Room for rows x columns doubles; what was there is lost. */
static bool reserve_values(struct sample *sample, uint64_t rows, uint64_t columns,
                           struct error *error)
{
    uint64_t wanted;
    if (__builtin_mul_overflow(rows, columns, &wanted) || wanted > SIZE_MAX / sizeof(double))
        return error_no_memory(error, "a sample's values");
    if (wanted <= sample->values_room)
        return true;
    double *room = malloc(wanted * sizeof *room);
    if (room == NULL)
        return error_no_memory(error, "a sample's values");
    free(sample->value_room);
    sample->value_room = room;
    sample->values_room = wanted;
    return true;
}

/* Room for `more` spikes behind those that are there. */
static bool reserve_spikes(struct sample *sample, size_t more, struct error *error)
{
    uint64_t room;
    struct timed_spike *larger = NULL;
    if (__builtin_add_overflow(sample->spike_count, (uint64_t)more, &room))
        return error_no_memory(error, "a sample's spikes");
    if (room <= sample->spikes_room)
        return true;
    if (room < 2 * sample->spike_count) /* several channels: copied not too often */
        room = 2 * sample->spike_count;
    if (room <= SIZE_MAX / sizeof *larger)
        larger = realloc(sample->spike_room, room * sizeof *larger);
    if (larger == NULL)
        return error_no_memory(error, "a sample's spikes");
    sample->spike_room = larger;
    sample->spikes_room = room;
    return true;
}

/* ---- values ---- */

static uint64_t rows_of(const struct recording *recording)
{
    return recording->content == RECORDING_SERIES ? (uint64_t)recording->ticks : 1;
}

/* The elements of one sample as doubles, [rows][neurons]. */
static bool read_values(const struct recording *recording, uint64_t index, double *values,
                        struct error *error)
{
    uint64_t count = rows_of(recording) * recording->neurons;
    for (uint64_t i = 0; i < count; i++) {
        values[i] = recording_element(recording, index * count + i);
        if (!isfinite(values[i]))
            return error_set(error, ERROR_FAILED, "%s: sample %" PRIu64 ", tick %" PRIu64
                             ", neuron %" PRIu64 ": the value is %g, which no neuron can take; "
                             "replace it", utf8_tail(recording->path), index,
                             i / recording->neurons, i % recording->neurons, values[i]);
    }
    return true;
}

static bool sample_series(const struct recording *recording, uint64_t index, struct sample *sample,
                          struct error *error)
{
    if (!reserve_values(sample, rows_of(recording), recording->neurons, error) ||
        !read_values(recording, index, sample->value_room, error))
        return false;
    sample->ticks = recording->ticks;
    sample->values = sample->value_room;
    return true;
}

/* ---- what a scheme can encode ---- */

static bool refuse_series(const struct recording *recording,
                          const struct scheme_settings *settings, struct error *error)
{
    const struct scheme *scheme = settings->scheme;
    const char *shown = utf8_tail(recording->path);
    if (scheme->form == SCHEME_GROUP)
        return error_set(error, ERROR_MISUSED, "%s: holds values over time, and scheme %s is for "
                         "values that come together", shown, scheme->name);
    int ticks = scheme_parameter(scheme, "ticks");
    bool settable = ticks >= 0 && scheme->parameters[ticks].low <= 1;
    return error_set(error, ERROR_MISUSED, "%s: holds a value for each tick, and scheme %s takes "
                     "%" PRIu32 " ticks for each value; %s", shown, scheme->name,
                     scheme_ticks(settings),
                     settable ? "give it ticks=1" : "choose one for values over time");
}

static bool check_scheme(const struct recording *recording, const struct scheme_settings *settings,
                         struct error *error)
{
    const struct scheme *scheme = settings->scheme;
    const char *shown = utf8_tail(recording->path);
    if (recording->content == RECORDING_SPIKES)
        return error_set(error, ERROR_MISUSED, "%s: holds spikes already, so there is nothing to "
                         "encode; leave scheme %s out", shown, scheme->name);
    if (!scheme_check(settings, error))
        return false;
    if (recording_inputs(recording, settings) >= UINT32_MAX)
        return error_set(error, ERROR_MISUSED, "%s: its %" PRIu32 " values at a time, with %" PRIu32
                         " neurons each, are more neurons than there can be", shown,
                         recording->neurons, scheme_neurons(settings));
    if (recording->content == RECORDING_SERIES)
        return scheme->form == SCHEME_SIGNAL ||
               (scheme->form != SCHEME_GROUP && scheme_ticks(settings) == 1) ||
               refuse_series(recording, settings, error);
    if (scheme->form == SCHEME_SIGNAL)
        return error_set(error, ERROR_MISUSED, "%s: holds values without time, and scheme %s is "
                         "for values over time", shown, scheme->name);
    if (scheme->form == SCHEME_GROUP && scheme_neurons(settings) != recording->neurons)
        return error_set(error, ERROR_MISUSED, "%s: all %" PRIu32 " values of a sample are one "
                         "window, but scheme %s is given windows of %" PRIu32 "; leave that out",
                         shown, recording->neurons, scheme->name, scheme_neurons(settings));
    return true;
}

/* Gives a parameter that the text left open. */
static void give(struct scheme_settings *settings, const char *name, double value)
{
    int index = scheme_parameter(settings->scheme, name);
    if (index >= 0 && !(settings->given & UINT32_C(1) << index))
        settings->parameter[index] = value;
}

/* One tick for each value, if that is possible; if not, check_scheme says so. */
static void give_one_tick(struct scheme_settings *settings)
{
    int index = scheme_parameter(settings->scheme, "ticks");
    if (index >= 0 && settings->scheme->parameters[index].low <= 1)
        give(settings, "ticks", 1);
}

bool recording_settle_scheme(const struct recording *recording, int64_t ticks,
                             struct scheme_settings *settings, struct error *error)
{
    enum scheme_form form = settings->scheme->form;
    settings->lowest = recording->lowest;
    settings->highest = recording->highest;
    if (recording->content == RECORDING_SERIES)
        give_one_tick(settings);
    else if (form == SCHEME_VALUE || form == SCHEME_CURRENT)
        give(settings, "ticks", (double)ticks);
    if (form == SCHEME_GROUP)
        give(settings, "neurons", recording->neurons);
    return check_scheme(recording, settings, error);
}

uint64_t recording_inputs(const struct recording *recording, const struct scheme_settings *settings)
{
    return settings->scheme->form == SCHEME_GROUP
               ? recording->neurons
               : (uint64_t)recording->neurons * scheme_neurons(settings);
}

/* ---- encoding ---- */

/* Sorts the spikes, of ticks below `ticks`, by tick and leaves the order within a tick: by
 * counting, a few bits of the tick at a time. */
static bool sort_spikes(struct sample *sample, int64_t ticks, struct error *error)
{
    enum { BITS = 11, DIGITS = 1 << BITS };
    if (sample->sorted_length < sample->spike_count) {
        free(sample->sorted_room);
        sample->sorted_length = 0;
        sample->sorted_room = malloc(sample->spike_count * sizeof *sample->sorted_room);
        if (sample->sorted_room == NULL)
            return error_no_memory(error, "a sample's spikes");
        sample->sorted_length = sample->spike_count;
    }
    struct timed_spike *from = sample->spike_room, *to = sample->sorted_room;
    for (int shift = 0; shift < 63 && (ticks - 1) >> shift > 0; shift += BITS) {
        uint64_t place[DIGITS] = {0}, sum = 0;
        for (uint64_t i = 0; i < sample->spike_count; i++)
            place[from[i].tick >> shift & (DIGITS - 1)]++;
        for (int digit = 0; digit < DIGITS; digit++) {
            uint64_t length = place[digit];
            place[digit] = sum;
            sum += length;
        }
        for (uint64_t i = 0; i < sample->spike_count; i++)
            to[place[from[i].tick >> shift & (DIGITS - 1)]++] = from[i];
        struct timed_spike *swap = from;
        from = to;
        to = swap;
    }
    sample->spikes = from;
    return true;
}

/* x [rows][channels], one value after the other, each for the scheme's ticks. */
static bool encode_values(const struct scheme_settings *settings, uint64_t index, uint64_t rows,
                          uint32_t channels, const double *x, struct sample *sample,
                          struct error *error)
{
    uint64_t ticks = scheme_ticks(settings), values = rows * channels;
    uint32_t neurons = scheme_neurons(settings);
    if (!reserve_spikes(sample, scheme_room(settings, values), error))
        return false;
    sample->spike_count = settings->scheme->encode(settings, x, values, index, sample->spike_room);
    for (uint64_t i = 0; i < sample->spike_count; i++) {
        struct timed_spike *spike = &sample->spike_room[i];
        uint64_t value = (uint64_t)spike->tick / ticks, tick = (uint64_t)spike->tick % ticks;
        spike->tick = (int64_t)(value / channels * ticks + tick);
        spike->neuron += (uint32_t)(value % channels) * neurons;
    }
    sample->ticks = (int64_t)(rows * ticks);
    return sort_spikes(sample, sample->ticks, error);
}

/* x [channels], a window. */
static bool encode_group(const struct scheme_settings *settings, uint64_t index, uint32_t channels,
                         const double *x, struct sample *sample, struct error *error)
{
    if (!reserve_spikes(sample, scheme_room(settings, channels), error))
        return false;
    sample->spike_count =
        settings->scheme->encode(settings, x, channels, index, sample->spike_room);
    sample->spikes = sample->spike_room;
    sample->ticks = channels;
    return true;
}

/* x [rows][channels], behind which there is room for a column. */
static bool encode_signals(const struct scheme_settings *settings, uint64_t index, uint64_t rows,
                           uint32_t channels, double *x, struct sample *sample,
                           struct error *error)
{
    uint32_t neurons = scheme_neurons(settings);
    double *column = x + rows * channels;
    for (uint32_t channel = 0; channel < channels; channel++) {
        for (uint64_t row = 0; row < rows; row++)
            column[row] = x[row * channels + channel];
        if (!reserve_spikes(sample, scheme_room(settings, rows), error))
            return false;
        struct timed_spike *spikes = sample->spike_room + sample->spike_count;
        size_t count = settings->scheme->encode(settings, column, rows,
                                                index * channels + channel, spikes);
        for (size_t i = 0; i < count; i++)
            spikes[i].neuron += channel * neurons;
        sample->spike_count += count;
    }
    sample->ticks = (int64_t)rows;
    return sort_spikes(sample, sample->ticks, error);
}

/* x [rows][channels], behind which there is room for the further ticks of one row. */
static void encode_currents(const struct scheme_settings *settings, uint64_t rows,
                            uint32_t channels, double *x, struct sample *sample)
{
    uint64_t ticks = scheme_ticks(settings);
    settings->scheme->currents(settings, x, rows * channels, x);
    for (uint64_t tick = 1; tick < ticks; tick++)
        memcpy(x + tick * channels, x, channels * sizeof *x);
    sample->values = x;
    sample->ticks = (int64_t)(rows * ticks);
}

static bool sample_encode(const struct recording *recording, uint64_t index,
                          const struct scheme_settings *settings, struct sample *sample,
                          struct error *error)
{
    if (!check_scheme(recording, settings, error))
        return false;
    enum scheme_form form = settings->scheme->form;
    uint32_t channels = recording->neurons;
    uint64_t rows = rows_of(recording);
    uint64_t lines = form == SCHEME_CURRENT ? rows * scheme_ticks(settings) : rows;
    uint64_t columns = form == SCHEME_SIGNAL ? (uint64_t)channels + 1 : channels;
    if (!reserve_values(sample, lines, columns, error) ||
        !read_values(recording, index, sample->value_room, error))
        return false;
    double *x = sample->value_room;
    scheme_scale(settings, x, rows * channels, x);
    switch (form) {
    case SCHEME_VALUE: return encode_values(settings, index, rows, channels, x, sample, error);
    case SCHEME_SIGNAL: return encode_signals(settings, index, rows, channels, x, sample, error);
    case SCHEME_GROUP: return encode_group(settings, index, channels, x, sample, error);
    case SCHEME_CURRENT: encode_currents(settings, rows, channels, x, sample); return true;
    }
    return false;
}

bool recording_sample(const struct recording *recording, uint64_t index,
                      const struct scheme_settings *settings, struct sample *sample,
                      struct error *error)
{
    const char *shown = utf8_tail(recording->path);
    sample->spikes = NULL;
    sample->values = NULL;
    sample->spike_count = 0;
    sample->ticks = 0;
    if (index >= recording->samples)
        return error_set(error, ERROR_MISUSED, "%s: there is no sample %" PRIu64 "; it holds %"
                         PRIu64 ", counted from 0", shown, index, recording->samples);
    sample->label = recording->labels != NULL ? recording->labels[index] : -1;
    if (settings != NULL)
        return sample_encode(recording, index, settings, sample, error);
    switch (recording->content) {
    case RECORDING_SPIKES:
        if (recording->spikes != NULL)
            sample->spikes = recording->spikes + recording->sample_start[index];
        sample->spike_count = recording->sample_start[index + 1] - recording->sample_start[index];
        sample->ticks = recording->sample_ticks[index];
        return true;
    case RECORDING_SERIES: return sample_series(recording, index, sample, error);
    case RECORDING_VALUES:
        return error_set(error, ERROR_MISUSED, "%s: holds values without time; choose a scheme "
                         "that turns them into spikes or currents over time", shown);
    }
    return false;
}
