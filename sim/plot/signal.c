/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Decoders trust their spikes to be in order and in range, and memory is asked for by what a signal
 * says its length is; so both are checked here against what is really in the trace.
 */
#include "sim/plot/signal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "traces/blob.h"

static const int64_t LENGTH_LIMIT = INT64_C(1) << 40;

void picture_signal_close(struct picture_signal *signal)
{
    free(signal->file);
    *signal = (struct picture_signal){0};
}

void picture_encoding_close(struct picture_encoding *encoding)
{
    free(encoding->label);
    free(encoding->text);
    *encoding = (struct picture_encoding){0};
}

/* Whether the file has such a table: traces of versions before had none. */
static bool has_signals(struct reading *reading, bool *has)
{
    if (!reading_begin(reading, "sqlite_schema",
                       "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND "
                       "name = 'signal' AND ?1 = ?1",
                       0))
        return false;
    int got = reading_next(reading);
    *has = got == 1 && sqlite3_column_int64(reading->row, 0) == 1;
    return reading_end(reading, got == 1 ? 0 : got);
}

bool picture_signal_read(struct reading *reading, int64_t id, struct picture_signal *signal)
{
    int64_t timeless = 0;
    int got = 0;
    bool has, good = false;
    *signal = (struct picture_signal){0};
    if (!has_signals(reading, &has))
        return false;
    if (has) {
        if (!reading_begin(reading, "signal",
                           "SELECT id, file, timeless, length, channels, "
                           "coalesce(interval_seconds, 0) FROM signal WHERE id = ?1 OR ?1 = 0 "
                           "ORDER BY id DESC LIMIT 1",
                           id))
            return false;
        got = reading_next(reading);
        good = got == 1 && reading_integer(reading, 0, 1, INT64_MAX, &signal->id) &&
               reading_text(reading, 1, false, &signal->file) &&
               reading_integer(reading, 2, 0, 1, &timeless) &&
               reading_integer(reading, 3, 1, LENGTH_LIMIT, &signal->length) &&
               reading_integer(reading, 4, 1, UINT32_MAX, &signal->channels) &&
               reading_real(reading, 5, &signal->interval_seconds);
        reading_end(reading, got);
    }
    signal->timeless = timeless == 1;
    if (got == 0 && id == 0)
        error_set(reading->error, ERROR_MISUSED,
                  "'%s' holds no encoded signal; volley encode FILE --trace makes one",
                  reading->path);
    else if (got == 0)
        error_set(reading->error, ERROR_MISUSED, "'%s' holds no signal %lld", reading->path,
                  (long long)id);
    return good;
}

bool picture_decibels(struct reading *reading, int column, double *decibels)
{
    int type = sqlite3_column_type(reading->row, column);
    *decibels = NAN;
    if (type == SQLITE_NULL)
        return true;
    if (type != SQLITE_FLOAT && type != SQLITE_INTEGER)
        return reading_damaged(reading, column);
    *decibels = sqlite3_column_double(reading->row, column);
    return true;
}

/* A range's end, which may be negative. */
static bool read_end(struct reading *reading, int column, double *value)
{
    return picture_decibels(reading, column, value) &&
           (isfinite(*value) || reading_damaged(reading, column));
}

bool picture_encoding_read(struct reading *reading, struct picture_encoding *encoding)
{
    int64_t neurons, ticks;
    struct error failure = {0};
    *encoding = (struct picture_encoding){0};
    if (!reading_integer(reading, 0, 1, INT64_MAX, &encoding->id) ||
        !reading_integer(reading, 1, 0, UINT32_MAX, &encoding->channel) ||
        !reading_text(reading, 2, false, &encoding->label) ||
        !reading_text(reading, 3, false, &encoding->text) ||
        !picture_decibels(reading, 4, &encoding->snr) ||
        !reading_integer(reading, 5, 0, INT64_MAX, &encoding->spikes) ||
        !reading_integer(reading, 6, 1, UINT32_MAX, &neurons) ||
        !reading_integer(reading, 7, 1, UINT32_MAX, &ticks))
        return false;
    struct scheme_settings *settings = &encoding->settings;
    bool good = scheme_parse(encoding->text, settings, &failure);
    if (good && (!read_end(reading, 8, &settings->lowest) ||
                 !read_end(reading, 9, &settings->highest)))
        return false;
    if (!good || !scheme_check(settings, &failure))
        return error_set(reading->error, ERROR_FAILED,
                         "trace '%s' is damaged: in encoding %lld, %s", reading->path,
                         (long long)encoding->id, failure.text);
    encoding->neurons = (uint32_t)neurons;
    encoding->ticks = (uint32_t)ticks;
    return (scheme_neurons(settings) == encoding->neurons &&
            scheme_ticks(settings) == encoding->ticks) ||
           error_set(reading->error, ERROR_FAILED,
                     "trace '%s' is damaged: encoding %lld has not the neurons and ticks of its "
                     "scheme",
                     reading->path, (long long)encoding->id);
}

/* ---- values ---- */

static bool damaged(const struct reading *reading, const struct picture_signal *signal,
                    const char *what)
{
    return error_set(reading->error, ERROR_FAILED, "trace '%s' is damaged: of signal %lld, %s",
                     reading->path, (long long)signal->id, what);
}

/* Copies what a piece has of first … last - 1; *at is where the next piece must begin. */
static bool copy_piece(struct reading *reading, const struct picture_signal *signal, int64_t first,
                       int64_t last, int64_t *at, double *values)
{
    int64_t begin;
    if (!reading_integer(reading, 1, 0, LENGTH_LIMIT, &begin))
        return false;
    const unsigned char *data = sqlite3_column_blob(reading->row, 2);
    int64_t length = sqlite3_column_bytes(reading->row, 2) / 8;
    if (begin != *at || data == NULL)
        return damaged(reading, signal, "pieces of its values are missing");
    *at = begin + length;
    int64_t from = begin > first ? begin : first, to = *at < last ? *at : last;
    for (int64_t i = from; i < to; i++) {
        uint64_t bits = 0;
        for (int byte = 7; byte >= 0; byte--)
            bits = bits << 8 | data[(i - begin) * 8 + byte];
        memcpy(&values[i - first], &bits, sizeof bits);
        if (!isfinite(values[i - first]))
            return damaged(reading, signal, "a value is not finite");
    }
    return true;
}

/* Whether all values that the signal says it has are there. */
static bool check_length(struct reading *reading, const struct picture_signal *signal,
                         int64_t channel)
{
    if (!reading_begin(reading, "signal_values",
                       "SELECT total(length(data)) FROM signal_values WHERE signal = ?1 AND "
                       "channel = ?2",
                       signal->id))
        return false;
    sqlite3_bind_int64(reading->row, 2, channel);
    int got = reading_next(reading);
    bool same = got == 1 && sqlite3_column_double(reading->row, 0) == 8.0 * (double)signal->length;
    if (!reading_end(reading, got == 1 ? 0 : got))
        return false;
    return same || damaged(reading, signal, "values are missing");
}

double *picture_signal_values(struct reading *reading, const struct picture_signal *signal,
                              int64_t channel, int64_t first, int64_t last)
{
    if (!check_length(reading, signal, channel))
        return NULL;
    double *values = calloc((size_t)(last - first), sizeof *values);
    if (values == NULL) {
        error_no_memory(reading->error, "the picture");
        return NULL;
    }
    int64_t at = 0;
    int got = -1;
    bool good = reading_begin(reading, "signal_values",
                              "SELECT signal, first, data FROM signal_values WHERE signal = ?1 AND "
                              "channel = ?2 ORDER BY first",
                              signal->id);
    if (good) {
        sqlite3_bind_int64(reading->row, 2, channel);
        while (at < last && (got = reading_next(reading)) == 1 &&
               copy_piece(reading, signal, first, last, &at, values))
            ;
        good = at >= last || (got == 0 && damaged(reading, signal, "values are missing"));
        good = reading_end(reading, good ? 0 : -1);
    }
    if (good && reading->error->code == ERROR_NONE)
        return values;
    free(values);
    return NULL;
}

/* ---- spikes ---- */

struct unpacked {
    struct timed_spike *spikes; /* [count] */
    size_t count, room;
    uint64_t next; /* the least place that the next spike may have */
};

static bool check_payload(const struct scheme *scheme, int32_t payload)
{
    return payload != 0 && (scheme->is_signed || payload > 0) &&
           (scheme->graded || payload == 1 || payload == -1);
}

/* The spikes of the row under way. */
static bool unpack_piece(struct reading *reading, const struct picture_encoding *encoding,
                         uint64_t places, struct unpacked *unpacked, struct error *error)
{
    int64_t first, spikes;
    struct blob_reader blob;
    struct spike spike;
    int got;
    if (!reading_integer(reading, 1, 0, INT64_MAX / 2, &first) ||
        !reading_integer(reading, 2, 0, UINT32_MAX, &spikes))
        return false;
    if (!blob_open(&blob, sqlite3_column_blob(reading->row, 3),
                   (size_t)sqlite3_column_bytes(reading->row, 3), error))
        return false;
    while ((got = blob_next(&blob, &spike, error)) == 1) {
        uint64_t place = (uint64_t)first + spike.neuron;
        if (place < unpacked->next || place >= places || unpacked->count == unpacked->room ||
            !check_payload(encoding->settings.scheme, spike.payload))
            return error_set(error, ERROR_FAILED, "a spike is out of order or out of range");
        unpacked->next = place + 1;
        unpacked->spikes[unpacked->count++] =
            (struct timed_spike){.tick = (int64_t)(place / encoding->neurons),
                                 .neuron = (uint32_t)(place % encoding->neurons),
                                 .payload = spike.payload};
    }
    return got == 0;
}

/* Whether there are as many spikes as it says; each takes a byte at least. */
static bool count_spikes(struct reading *reading, const struct picture_encoding *encoding)
{
    if (!reading_begin(reading, "encoding_spikes",
                       "SELECT total(spikes), total(length(data)) FROM encoding_spikes "
                       "WHERE encoding = ?1",
                       encoding->id))
        return false;
    int got = reading_next(reading);
    double spikes = sqlite3_column_double(reading->row, 0);
    double bytes = sqlite3_column_double(reading->row, 1);
    if (!reading_end(reading, got == 1 ? 0 : got))
        return false;
    return (spikes == (double)encoding->spikes && spikes <= bytes) ||
           error_set(reading->error, ERROR_FAILED,
                     "trace '%s' is damaged: encoding %lld has not the %lld spikes that it says",
                     reading->path, (long long)encoding->id, (long long)encoding->spikes);
}

struct timed_spike *picture_encoding_spikes(struct reading *reading,
                                            const struct picture_signal *signal,
                                            const struct picture_encoding *encoding, size_t *count)
{
    uint64_t places;
    if (__builtin_mul_overflow((uint64_t)signal->length, encoding->ticks, &places) ||
        __builtin_mul_overflow(places, encoding->neurons, &places)) {
        damaged(reading, signal, "an encoding has more ticks than can be counted");
        return NULL;
    }
    if (!count_spikes(reading, encoding))
        return NULL;
    struct unpacked unpacked = {.room = (size_t)encoding->spikes};
    unpacked.spikes = calloc(unpacked.room + 1, sizeof *unpacked.spikes);
    if (unpacked.spikes == NULL) {
        error_no_memory(reading->error, "the spikes of an encoding");
        return NULL;
    }
    struct error failure = {0};
    int got = -1;
    bool good = reading_begin(reading, "encoding_spikes",
                              "SELECT encoding, first, spikes, data FROM encoding_spikes "
                              "WHERE encoding = ?1 ORDER BY first",
                              encoding->id);
    if (good) {
        while ((got = reading_next(reading)) == 1 &&
               unpack_piece(reading, encoding, places, &unpacked, &failure))
            ;
        if (got == 1 && failure.code != ERROR_NONE)
            error_set(reading->error, ERROR_FAILED,
                      "trace '%s' is damaged: in encoding %lld, %s", reading->path,
                      (long long)encoding->id, failure.text);
        good = reading_end(reading, got);
    }
    if (good && unpacked.count != unpacked.room)
        good = damaged(reading, signal, "spikes of an encoding are missing");
    if (good) {
        *count = unpacked.count;
        return unpacked.spikes;
    }
    free(unpacked.spikes);
    return NULL;
}
