/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Invariant of a packed piece: its spikes stand at places first … first + 2^32 - 1, in ascending
 * order, so that each fits the 32 bits of a blob's neuron.
 */
#include "traces/encodings.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "traces/blob.h"
#include "traces/file.h"
#include "traces/schema.h"

enum {
    PIECE_SPIKES = 1 << 20, /* of one row, at most */
    PIECE_VALUES = 1 << 17, /* 1 MiB a row */
    TUNED_TEXT = 160
};

const char *const encoding_form_names[] = {[SCHEME_VALUE] = "value",
                                           [SCHEME_SIGNAL] = "signal",
                                           [SCHEME_GROUP] = "group",
                                           [SCHEME_CURRENT] = "current"};

/* ---- packing ---- */

static uint64_t place_of(const struct timed_spike *spike, uint32_t neurons)
{
    return (uint64_t)spike->tick * neurons + spike->neuron;
}

/* How many of the spikes [count] fit one piece. */
static uint32_t piece_length(const struct timed_spike *spikes, size_t count, uint32_t neurons)
{
    uint64_t first = place_of(spikes, neurons);
    uint32_t length = 0;
    while (length < count && length < PIECE_SPIKES &&
           place_of(&spikes[length], neurons) - first <= UINT32_MAX)
        length++;
    return length;
}

/* A piece of the first spikes; `plain` has room for PIECE_SPIKES. */
static bool piece_make(struct packed_piece *piece, const struct timed_spike *spikes,
                       uint32_t count, uint32_t neurons, struct spike *plain, struct error *error)
{
    piece->first = place_of(spikes, neurons);
    piece->spikes = count;
    for (uint32_t i = 0; i < count; i++)
        plain[i] = (struct spike){
            .neuron = (uint32_t)(place_of(&spikes[i], neurons) - piece->first),
            .payload = spikes[i].payload};
    unsigned char *data = malloc(blob_limit_sparse(count));
    if (data == NULL)
        return error_no_memory(error, "the spikes of an encoding");
    piece->length = blob_write_sparse(plain, count, data);
    unsigned char *fitted = realloc(data, piece->length);
    piece->data = fitted != NULL ? fitted : data;
    return true;
}

static bool packed_spikes_add(struct packed_spikes *packed, const struct timed_spike *spikes,
                              uint32_t count, uint32_t neurons, struct spike *plain,
                              struct error *error)
{
    struct packed_piece *more =
        realloc(packed->pieces, (packed->count + 1) * sizeof *packed->pieces);
    if (more == NULL)
        return error_no_memory(error, "the spikes of an encoding");
    packed->pieces = more;
    if (!piece_make(&more[packed->count], spikes, count, neurons, plain, error))
        return false;
    packed->count++;
    return true;
}

bool packed_spikes_make(struct packed_spikes *packed, const struct timed_spike *spikes,
                        size_t count, uint32_t neurons, struct error *error)
{
    *packed = (struct packed_spikes){0};
    struct spike *plain = malloc((count < PIECE_SPIKES ? count + 1 : PIECE_SPIKES) * sizeof *plain);
    if (plain == NULL)
        return error_no_memory(error, "the spikes of an encoding");
    bool good = true;
    for (size_t done = 0; good && done < count;) {
        uint32_t length = piece_length(spikes + done, count - done, neurons);
        good = packed_spikes_add(packed, spikes + done, length, neurons, plain, error);
        done += length;
    }
    free(plain);
    if (!good)
        packed_spikes_free(packed);
    return good;
}

void packed_spikes_free(struct packed_spikes *packed)
{
    for (size_t i = 0; i < packed->count; i++)
        free(packed->pieces[i].data);
    free(packed->pieces);
    *packed = (struct packed_spikes){0};
}

/* ---- rows ---- */

/* The trace that is written, and its prepared statements. */
struct store {
    sqlite3 *db;
    const char *path;
    sqlite3_stmt *signal, *channel, *values, *encoding, *parameter, *spikes;
    struct error *error;
};

static sqlite3_stmt *prepare(struct store *store, const char *sql)
{
    return file_prepare(store->db, store->path, sql, store->error);
}

static bool prepare_all(struct store *store)
{
    return (store->signal = prepare(
                store, "INSERT INTO signal (made, version, command, file, timeless, row, first, "
                       "length, channels, interval_seconds, seed, goal) VALUES (?1, ?2, ?3, ?4, "
                       "?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")) != NULL &&
           (store->channel = prepare(store, "INSERT INTO signal_channel (signal, channel, lowest, "
                                            "highest, rms) VALUES (?1, ?2, ?3, ?4, ?5)")) != NULL &&
           (store->values = prepare(store, "INSERT INTO signal_values (signal, channel, first, "
                                           "data) VALUES (?1, ?2, ?3, ?4)")) != NULL &&
           (store->encoding = prepare(
                store,
                "INSERT INTO encoding (signal, place, label, scheme, settings, form, channel, "
                "neurons, ticks_per_value, tuned, evaluations, ticks, spikes, density, snr_db, "
                "rmse, settling_ticks, bits_per_value, bits_per_spike, bits_per_second, "
                "link_bits, chip, joules) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
                "?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)")) != NULL &&
           (store->parameter = prepare(store, "INSERT INTO encoding_parameter (encoding, name, "
                                              "value, unit) VALUES (?1, ?2, ?3, ?4)")) != NULL &&
           (store->spikes = prepare(store, "INSERT INTO encoding_spikes (encoding, first, spikes, "
                                           "data) VALUES (?1, ?2, ?3, ?4)")) != NULL;
}

static bool run(struct store *store, sqlite3_stmt *statement)
{
    return file_run(store->db, store->path, statement, store->error);
}

/* Copied: the text may be gone when the statement runs again. NULL stays NULL. */
static void bind_text(sqlite3_stmt *statement, int column, const char *text)
{
    sqlite3_bind_text(statement, column, text, -1, SQLITE_TRANSIENT);
}

/* NaN becomes NULL, infinity stays what it is. */
static void bind_number(sqlite3_stmt *statement, int column, double number)
{
    sqlite3_bind_double(statement, column, number);
}

static void bind_count(sqlite3_stmt *statement, int column, uint64_t count)
{
    sqlite3_bind_int64(statement, column, count > INT64_MAX ? INT64_MAX : (sqlite3_int64)count);
}

/* An integer if SQLite has one so large, else its digits. */
static void bind_seed(sqlite3_stmt *statement, int column, uint64_t seed)
{
    char digits[24];
    if (seed <= INT64_MAX) {
        sqlite3_bind_int64(statement, column, (sqlite3_int64)seed);
        return;
    }
    snprintf(digits, sizeof digits, "%" PRIu64, seed);
    bind_text(statement, column, digits);
}

static bool insert_signal(struct store *store, const struct encoded_signal *signal, int64_t *id)
{
    sqlite3_stmt *statement = store->signal;
    char now[32];
    struct tm utc;
    time_t seconds = time(NULL);
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc));
    bind_text(statement, 1, now);
    bind_text(statement, 2, file_program_version());
    bind_text(statement, 3, signal->command);
    bind_text(statement, 4, signal->file);
    sqlite3_bind_int(statement, 5, signal->timeless);
    bind_count(statement, 6, signal->row);
    bind_count(statement, 7, signal->first);
    bind_count(statement, 8, signal->length);
    bind_count(statement, 9, signal->channel_count);
    if (signal->interval_seconds > 0)
        bind_number(statement, 10, signal->interval_seconds);
    bind_seed(statement, 11, signal->seed);
    bind_text(statement, 12, signal->goal);
    if (!run(store, statement))
        return false;
    *id = sqlite3_last_insert_rowid(store->db);
    return true;
}

/* Values [length] as little-endian float64. */
static void values_write(const double *values, size_t length, unsigned char *out)
{
    for (size_t i = 0; i < length; i++) {
        uint64_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        for (unsigned byte = 0; byte < sizeof bits; byte++)
            *out++ = (unsigned char)(bits >> (8 * byte));
    }
}

static bool insert_values(struct store *store, int64_t id, const struct encoded_channel *channel,
                          size_t length)
{
    size_t room = length < PIECE_VALUES ? length : PIECE_VALUES;
    unsigned char *bytes = malloc(room * sizeof(double) + 1);
    if (bytes == NULL)
        return error_no_memory(store->error, "the trace");
    bool good = true;
    for (size_t first = 0; good && first < length; first += PIECE_VALUES) {
        size_t count = length - first < PIECE_VALUES ? length - first : PIECE_VALUES;
        values_write(channel->values + first, count, bytes);
        sqlite3_bind_int64(store->values, 1, id);
        sqlite3_bind_int64(store->values, 2, channel->number);
        bind_count(store->values, 3, first);
        sqlite3_bind_blob64(store->values, 4, bytes, count * sizeof(double), SQLITE_TRANSIENT);
        good = run(store, store->values);
    }
    free(bytes);
    return good;
}

static bool insert_channels(struct store *store, const struct encoded_signal *signal, int64_t id)
{
    for (uint32_t i = 0; i < signal->channel_count; i++) {
        const struct encoded_channel *channel = &signal->channels[i];
        sqlite3_bind_int64(store->channel, 1, id);
        sqlite3_bind_int64(store->channel, 2, channel->number);
        bind_number(store->channel, 3, channel->lowest);
        bind_number(store->channel, 4, channel->highest);
        bind_number(store->channel, 5, channel->rms);
        if (!run(store, store->channel) || !insert_values(store, id, channel, signal->length))
            return false;
    }
    return true;
}

static void bind_quality(sqlite3_stmt *statement, const struct quality *quality)
{
    bind_count(statement, 12, quality->ticks);
    bind_count(statement, 13, quality->spikes);
    bind_number(statement, 14, quality->density);
    bind_number(statement, 15, quality->snr);
    bind_number(statement, 16, quality->rmse);
    bind_number(statement, 17, quality->settling);
    bind_number(statement, 18, quality->information);
    bind_number(statement, 19, quality->information_per_spike);
    bind_number(statement, 20, quality->information_per_second);
    bind_number(statement, 21, quality->link_bits);
}

/* Names of the parameters that were tuned, commas between; NULL if none was. */
static const char *tuned_text(const struct encoded *encoded, char text[TUNED_TEXT])
{
    const struct scheme_parameter *parameter = encoded->settings.scheme->parameters;
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; parameter[i].name != NULL && used < TUNED_TEXT; i++)
        if (encoded->tuned >> i & 1)
            used += (size_t)snprintf(text + used, TUNED_TEXT - used, "%s%s", used > 0 ? "," : "",
                                     parameter[i].name);
    return used > 0 ? text : NULL;
}

static bool insert_encoding(struct store *store, const struct encoded_signal *signal,
                            int64_t signal_id, const struct encoded *encoded, int64_t *id)
{
    sqlite3_stmt *statement = store->encoding;
    const struct scheme_settings *settings = &encoded->settings;
    char tuned[TUNED_TEXT], *text = scheme_text(settings);
    if (text == NULL)
        return error_no_memory(store->error, "the trace");
    sqlite3_clear_bindings(statement); /* what is not bound below is NULL */
    sqlite3_bind_int64(statement, 1, signal_id);
    sqlite3_bind_int64(statement, 2, encoded->place);
    bind_text(statement, 3, encoded->label);
    bind_text(statement, 4, settings->scheme->name);
    bind_text(statement, 5, text);
    bind_text(statement, 6, encoding_form_names[settings->scheme->form]);
    sqlite3_bind_int64(statement, 7, signal->channels[encoded->channel].number);
    sqlite3_bind_int64(statement, 8, scheme_neurons(settings));
    sqlite3_bind_int64(statement, 9, scheme_ticks(settings));
    bind_text(statement, 10, tuned_text(encoded, tuned));
    sqlite3_bind_int64(statement, 11, encoded->evaluations);
    bind_quality(statement, &encoded->quality);
    if (encoded->chip != NULL) {
        bind_text(statement, 22, encoded->chip);
        bind_number(statement, 23, encoded->joules);
    }
    free(text);
    if (!run(store, statement))
        return false;
    *id = sqlite3_last_insert_rowid(store->db);
    return true;
}

static bool insert_parameters(struct store *store, const struct scheme_settings *settings,
                              int64_t id)
{
    const struct scheme_parameter *parameter = settings->scheme->parameters;
    for (int i = 0; parameter[i].name != NULL; i++) {
        sqlite3_bind_int64(store->parameter, 1, id);
        bind_text(store->parameter, 2, parameter[i].name);
        bind_number(store->parameter, 3, settings->parameter[i]);
        bind_text(store->parameter, 4, parameter[i].unit);
        if (!run(store, store->parameter))
            return false;
    }
    return true;
}

static bool insert_spikes(struct store *store, const struct packed_spikes *packed, int64_t id)
{
    for (size_t i = 0; i < packed->count; i++) {
        const struct packed_piece *piece = &packed->pieces[i];
        sqlite3_bind_int64(store->spikes, 1, id);
        bind_count(store->spikes, 2, piece->first);
        sqlite3_bind_int64(store->spikes, 3, piece->spikes);
        sqlite3_bind_blob64(store->spikes, 4, piece->data, piece->length, SQLITE_STATIC);
        if (!run(store, store->spikes))
            return false;
    }
    return true;
}

/* ---- the file ---- */

bool encodings_check(const char *path, struct error *error)
{
    if (access(path, F_OK) != 0)
        return true; /* what else could be wrong with it, creating it will say */
    bool created;
    sqlite3 *db = file_open_write(path, &created, error);
    if (db == NULL)
        return false;
    enum file_kind kind = file_check(db, path, error);
    sqlite3_close(db);
    if (created) /* it vanished meanwhile */
        file_remove(path);
    return kind != FILE_FOREIGN;
}

static bool store_rows(struct store *store, const struct encoded_signal *signal,
                       const struct encoded *encoded, size_t count, int64_t *id)
{
    enum file_kind kind = file_check(store->db, store->path, store->error);
    if (kind == FILE_FOREIGN ||
        (kind == FILE_EMPTY && !file_execute(store->db, store->path, schema_sql, store->error)))
        return false;
    bool good = prepare_all(store) && insert_signal(store, signal, id) &&
                insert_channels(store, signal, *id);
    for (size_t i = 0; good && i < count; i++) {
        int64_t row = 0;
        good = insert_encoding(store, signal, *id, &encoded[i], &row) &&
               insert_parameters(store, &encoded[i].settings, row) &&
               insert_spikes(store, &encoded[i].spikes, row);
    }
    return good;
}

bool encodings_store(const char *path, const struct encoded_signal *signal,
                     const struct encoded *encoded, size_t count, int64_t *id,
                     struct error *error)
{
    struct store store = {.path = path, .error = error};
    bool created;
    store.db = file_open_write(path, &created, error);
    if (store.db == NULL)
        return false;
    bool good = file_check(store.db, path, error) != FILE_FOREIGN &&
                file_execute(store.db, path, "BEGIN IMMEDIATE", error) &&
                store_rows(&store, signal, encoded, count, id) &&
                file_execute(store.db, path, "COMMIT", error);
    sqlite3_stmt *const statements[] = {store.signal,   store.channel,   store.values,
                                        store.encoding, store.parameter, store.spikes};
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        sqlite3_finalize(statements[i]);
    sqlite3_close(store.db); /* takes back what was not committed */
    if (!good && created)
        file_remove(path);
    return good;
}
