/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads a whole recording or table as rows and columns, and keeps the part that was asked for,
 * channel by channel, so that each is one array.
 */
#include "sim/encode/input.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "neurons/import/recording/recording.h"
#include "neurons/import/utf8.h"
#include "sim/run.h"

/* What is read: rows of time (or samples) with columns of channels (or values). */
struct reading_of_file {
    const char *path;
    const struct encode_input_options *options;
    struct encode_input *input;
    uint64_t rows;    /* in the file */
    uint32_t columns;
    uint64_t first_row, row_count; /* that are wanted */
    struct error *error;
};

static bool is_text_table(const char *path)
{
    return path_ends(path, ".csv") || path_ends(path, ".tsv") || path_ends(path, ".txt");
}

/* ---- which part ---- */

static bool choose_rows(struct reading_of_file *reading)
{
    int64_t first, last;
    if (!run_range("--samples", reading->options->samples, &first, &last, reading->error))
        return false;
    if ((uint64_t)first >= reading->rows)
        return error_set(reading->error, ERROR_MISUSED,
                         "%s has %" PRIu64 " samples; --samples %s begins behind them",
                         utf8_tail(reading->path), reading->rows, reading->options->samples);
    reading->first_row = (uint64_t)first;
    reading->row_count = reading->rows - (uint64_t)first;
    if (reading->row_count > (uint64_t)(last - first))
        reading->row_count = (uint64_t)(last - first);
    return true;
}

/* N, or A:B. */
static bool choose_channels(struct reading_of_file *reading)
{
    const char *text = reading->options->channels;
    int64_t first, last;
    char *end;
    if (text != NULL && strchr(text, ':') == NULL) {
        first = strtoll(text, &end, 10);
        last = first + 1;
        if (end == text || *end != '\0' || first < 0 || first > UINT32_MAX)
            return error_set(reading->error, ERROR_MISUSED,
                             "--channel takes a number from 0 or a range A:B, not '%.60s'", text);
    } else if (!run_range("--channel", text, &first, &last, reading->error)) {
        return false;
    }
    if (first >= reading->columns)
        return error_set(reading->error, ERROR_MISUSED,
                         "%s has no channel %" PRId64 "; it has %" PRIu32 ", counted from 0",
                         utf8_tail(reading->path), first, reading->columns);
    reading->input->first_channel = (uint32_t)first;
    reading->input->channels = (uint32_t)(reading->columns - first);
    if (reading->input->channels > last - first)
        reading->input->channels = (uint32_t)(last - first);
    return true;
}

static bool take_memory(struct reading_of_file *reading)
{
    struct encode_input *input = reading->input;
    uint64_t count;
    if (__builtin_mul_overflow((uint64_t)input->channels, (uint64_t)input->length, &count) ||
        count > SIZE_MAX / sizeof *input->values)
        return error_no_memory(reading->error, "the values to encode");
    input->values = malloc(count * sizeof *input->values);
    return input->values != NULL || error_no_memory(reading->error, "the values to encode");
}

/* ---- values over time ---- */

/* Takes rows and columns out of values [rows][columns]. */
static bool take_series(struct reading_of_file *reading, const double *values)
{
    struct encode_input *input = reading->input;
    if (!choose_rows(reading) || !choose_channels(reading))
        return false;
    input->length = (size_t)reading->row_count;
    input->first = reading->first_row;
    input->row = 1;
    if (!take_memory(reading))
        return false;
    const double *from = values + reading->first_row * reading->columns + input->first_channel;
    for (uint32_t c = 0; c < input->channels; c++)
        for (size_t i = 0; i < input->length; i++)
            input->values[c * input->length + i] = from[i * reading->columns + c];
    return true;
}

static bool read_text(struct reading_of_file *reading)
{
    struct number_table table;
    if (reading->options->timeless)
        return error_set(reading->error, ERROR_MISUSED,
                         "--timeless is for arrays; lines of text are one time each");
    if (!number_table_read(&table, reading->path, reading->error))
        return false;
    reading->rows = table.rows;
    reading->columns = table.columns;
    bool good = take_series(reading, table.values);
    free(table.values);
    return good;
}

static bool read_series(struct reading_of_file *reading, const struct recording *recording)
{
    if (recording->samples != 1)
        return error_set(reading->error, ERROR_MISUSED,
                         "%s holds %" PRIu64 " recordings; store one of them as time x channels, "
                         "or say --timeless if no axis is time",
                         utf8_tail(reading->path), recording->samples);
    struct sample sample = {0};
    reading->input->interval_seconds = recording->rate > 0 ? 1 / recording->rate : 0;
    reading->rows = (uint64_t)recording->ticks;
    reading->columns = recording->neurons;
    bool good = recording_sample(recording, 0, NULL, &sample, reading->error) &&
                take_series(reading, sample.values);
    sample_free(&sample);
    return good;
}

/* ---- values without time ---- */

/* The elements of the chosen samples, one sample after the other. */
static bool take_elements(struct reading_of_file *reading, const struct recording *recording)
{
    struct encode_input *input = reading->input;
    for (size_t i = 0; i < input->length; i++) {
        input->values[i] = recording_element(recording, reading->first_row * input->row + i);
        if (!isfinite(input->values[i]))
            return error_set(reading->error, ERROR_FAILED,
                             "%s: sample %" PRIu64 ", value %" PRIu64 ": it is %g; replace it by a "
                             "number",
                             utf8_tail(reading->path), reading->first_row + i / input->row,
                             i % input->row, input->values[i]);
    }
    return true;
}

static bool read_values(struct reading_of_file *reading, const struct recording *recording)
{
    struct encode_input *input = reading->input;
    if (reading->options->channels != NULL || reading->options->interval > 0)
        return error_set(reading->error, ERROR_MISUSED,
                         "%s holds values without time: it has no %s; --samples A:B chooses",
                         utf8_tail(reading->path),
                         reading->options->channels != NULL ? "channels" : "sampling interval");
    reading->rows = recording->samples;
    if (!choose_rows(reading))
        return false;
    *input = (struct encode_input){.timeless = true,
                                   .channels = 1,
                                   .row = recording->neurons,
                                   .first = reading->first_row};
    if (__builtin_mul_overflow(reading->row_count, (uint64_t)recording->neurons, &input->length))
        return error_no_memory(reading->error, "the values to encode");
    return take_memory(reading) && take_elements(reading, recording);
}

static bool read_recording(struct reading_of_file *reading)
{
    const struct recording_options options = {.tick_seconds = reading->options->interval,
                                              .timeless = reading->options->timeless};
    struct recording *recording = recording_open(reading->path, &options, reading->error);
    bool good = recording != NULL;
    if (good && recording->content == RECORDING_SPIKES)
        good = error_set(reading->error, ERROR_MISUSED,
                         "%s: holds spikes already, so there is nothing to encode",
                         utf8_tail(reading->path));
    else if (good)
        good = recording->content == RECORDING_VALUES ? read_values(reading, recording)
                                                      : read_series(reading, recording);
    recording_close(recording);
    return good;
}

bool encode_input_read(struct encode_input *input, const char *path,
                       const struct encode_input_options *options, struct error *error)
{
    struct reading_of_file reading = {
        .path = path, .options = options, .input = input, .error = error};
    *input = (struct encode_input){0};
    bool good = is_text_table(path) ? read_text(&reading) : read_recording(&reading);
    if (good && options->interval > 0) /* whoever says it knows better than the file */
        input->interval_seconds = options->interval;
    if (!good)
        encode_input_free(input);
    return good;
}

void encode_input_free(struct encode_input *input)
{
    free(input->values);
    *input = (struct encode_input){0};
}
