/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Encodings in the trace: spikes come back from their pieces, rows hold what was handed in, and a
 * file that cannot be written stays as it was.
 */
#include "traces/encodings.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "traces/blob.h"
#include "traces/file.h"

static char folder[400];

static const char *path_of(const char *name)
{
    static char path[500];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/volley_test_encodings_XXXXXX", parent != NULL ? parent : "/tmp");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

/* ---- packing ---- */

/* Spikes [count] of `neurons` neurons go in and come out the same; returns the number of pieces. */
static size_t check_packing(const struct timed_spike *spikes, size_t count, uint32_t neurons)
{
    struct packed_spikes packed;
    struct error error = {0};
    assert_true(packed_spikes_make(&packed, spikes, count, neurons, &error));
    size_t done = 0, pieces = packed.count;
    for (size_t p = 0; p < pieces; p++) {
        const struct packed_piece *piece = &packed.pieces[p];
        struct blob_reader reader;
        struct spike spike;
        assert_true(blob_open(&reader, piece->data, piece->length, &error));
        uint32_t length = 0;
        for (; blob_next(&reader, &spike, &error) == 1; length++) {
            uint64_t place = piece->first + spike.neuron;
            assert_true(done < count);
            assert_int_equal(place / neurons, spikes[done].tick);
            assert_int_equal(place % neurons, spikes[done].neuron);
            assert_int_equal(spike.payload, spikes[done].payload);
            done++;
        }
        assert_int_equal(error.code, ERROR_NONE);
        assert_int_equal(length, piece->spikes);
    }
    assert_int_equal(done, count);
    packed_spikes_free(&packed);
    assert_int_equal(packed.count, 0);
    return pieces;
}

static void spikes_come_back(void **state)
{
    (void)state;
    const struct timed_spike few[] = {
        {0, 0, 1}, {0, 2, -1}, {1, 0, INT32_MAX}, {1, 1, INT32_MIN}, {900, 2, 7}};
    assert_int_equal(check_packing(few, 5, 3), 1);
    assert_int_equal(check_packing(few, 1, 1), 1);
    assert_int_equal(check_packing(NULL, 0, 1), 0);
}

static void spikes_far_apart_lie_in_pieces(void **state)
{
    (void)state;
    const int64_t far = INT64_C(1) << 32;
    const struct timed_spike last[] = {{5, 0, 1}, {far + 4, 0, 2}}; /* places 0 and 2^32 - 1 */
    assert_int_equal(check_packing(last, 2, 1), 1);
    const struct timed_spike next[] = {{5, 0, 1}, {far + 5, 0, 3}, {5 * far, 0, 4}};
    assert_int_equal(check_packing(next, 3, 1), 3);
    /* 1000 neurons: a place is a thousandth of a tick. */
    const struct timed_spike wide[] = {{0, 999, 1}, {4294968, 294, 1}, {4294968, 295, 1}};
    assert_int_equal(check_packing(wide, 3, 1000), 2);
}

static void many_spikes_lie_in_pieces(void **state)
{
    (void)state;
    const size_t count = (1 << 21) + 1; /* two pieces full, and one spike more */
    struct timed_spike *spikes = malloc(count * sizeof *spikes);
    assert_non_null(spikes);
    for (size_t i = 0; i < count; i++)
        spikes[i] = (struct timed_spike){(int64_t)(i / 4), (uint32_t)(i % 4), i % 3 ? 1 : -1};
    assert_int_equal(check_packing(spikes, count, 4), 3);
    free(spikes);
}

/* ---- rows ---- */

/* A scheme whose pieces are known without its code. */
static uint32_t three(const struct scheme_settings *settings)
{
    (void)settings;
    return 3;
}

static const struct scheme made_up = {
    .name = "made-up",
    .form = SCHEME_VALUE,
    .parameters = {{"ticks", "ticks", 4, 1, 9, true, false, "T"},
                   {"reach", "of the range", 0.5, 0, 1, false, true, "how far"},
                   {"grip", "", 2, 0, 5, false, true, "how firm"}},
    .neurons = three,
};

static const double values[] = {1, -2.5, 1e300};
static const struct timed_spike fired[] = {{1, 2, 1}, {5, 0, 1}};

/* Both channels of a signal, encoded by one scheme; the caller frees the packed spikes. */
struct made {
    struct encoded_channel channels[2];
    struct encoded_signal signal;
    struct encoded encoded[2];
};

static void make(struct made *made)
{
    *made = (struct made){
        .channels = {{.number = 4, .lowest = -2.5, .highest = 1e300, .rms = 0.5, .values = values},
                     {.number = 5, .lowest = 0, .highest = 1, .rms = 2, .values = values}},
        .signal = {.command = "volley encode it", .file = "it's.wav", .row = 1, .first = 17,
                   .length = 3, .interval_seconds = 0.25, .seed = UINT64_MAX, .goal = "snr",
                   .channel_count = 2},
    };
    made->signal.channels = made->channels;
    for (uint32_t c = 0; c < 2; c++) {
        struct encoded *encoded = &made->encoded[c];
        *encoded = (struct encoded){
            .place = 1, .label = "made-up-2", .channel = c,
            .settings = {.scheme = &made_up, .parameter = {3, 0.75, 2}, .highest = 1},
            .quality = {.values = 3, .ticks = 9, .spikes = 2, .density = 0.125, .snr = INFINITY,
                        .rmse = 0, .settling = NAN, .information = 1.5,
                        .information_per_spike = 2.25, .information_per_second = 6,
                        .link_bits = 4}};
    }
    made->encoded[0].tuned = 6;
    made->encoded[0].evaluations = 40;
    made->encoded[1].chip = "mine";
    made->encoded[1].joules = 1e-9;
    made->encoded[1].quality.snr = -3;
    struct error error = {0};
    assert_true(packed_spikes_make(&made->encoded[0].spikes, fired, 2, 3, &error));
}

static void made_free(struct made *made)
{
    packed_spikes_free(&made->encoded[0].spikes);
}

/* The result of a query, columns with | and rows with ; between. */
static void expect(const char *path, const char *sql, const char *wanted)
{
    struct error error = {0};
    char text[1024] = "";
    sqlite3 *db = file_open_read(path, &error);
    assert_string_equal(error.text, "");
    assert_non_null(db);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 1, NULL);
    sqlite3_stmt *statement = file_prepare(db, path, sql, &error);
    assert_string_equal(error.text, "");
    while (sqlite3_step(statement) == SQLITE_ROW)
        for (int c = 0; c < sqlite3_column_count(statement); c++) {
            const char *value = (const char *)sqlite3_column_text(statement, c);
            size_t used = strlen(text);
            snprintf(text + used, sizeof text - used, "%s%s", value != NULL ? value : "-",
                     c + 1 < sqlite3_column_count(statement) ? "|" : ";");
        }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    assert_string_equal(text, wanted);
}

static void rows_hold_what_was_handed_in(void **state)
{
    (void)state;
    struct made made;
    struct error error = {0};
    int64_t id = 0;
    const char *path = path_of("rows.db");
    make(&made);
    assert_true(encodings_check(path, &error));
    assert_int_not_equal(access(path, F_OK), 0); /* checking writes nothing */
    assert_true(encodings_store(path, &made.signal, made.encoded, 2, &id, &error));
    assert_int_equal(id, 1);
    expect(path, "SELECT command, file, timeless, row, first, length, channels, interval_seconds, "
                 "seed, goal FROM signal",
           "volley encode it|it's.wav|0|1|17|3|2|0.25|18446744073709551615|snr;");
    expect(path, "SELECT channel, lowest, highest, rms FROM signal_channel ORDER BY channel",
           "4|-2.5|1.0e+300|0.5;5|0.0|1.0|2.0;");
    /* 1, -2.5 and 1e300 as IEEE 754 has them, lowest byte first. */
    expect(path, "SELECT channel, first, hex(data) FROM signal_values WHERE channel = 4",
           "4|0|000000000000F03F00000000000004C09C7500883CE4377E;");
    expect(path, "SELECT place, label, scheme, settings, form, channel, neurons, ticks_per_value, "
                 "tuned, evaluations FROM encoding ORDER BY channel",
           "1|made-up-2|made-up|made-up:ticks=3,reach=0.75|value|4|3|3|reach,grip|40;"
           "1|made-up-2|made-up|made-up:ticks=3,reach=0.75|value|5|3|3|-|0;");
    expect(path, "SELECT ticks, spikes, density, snr_db, rmse, settling_ticks, bits_per_value, "
                 "bits_per_spike, bits_per_second, link_bits, chip, joules FROM encoding ORDER BY "
                 "channel",
           "9|2|0.125|Inf|0.0|-|1.5|2.25|6.0|4.0|-|-;9|2|0.125|-3.0|0.0|-|1.5|2.25|6.0|4.0|mine|"
           "1.0e-09;");
    expect(path, "SELECT name, value, unit FROM encoding_parameter WHERE encoding = 1 ORDER BY name",
           "grip|2.0|;reach|0.75|of the range;ticks|3.0|ticks;");
    /* Places 1 x 3 + 2 = 5 and 5 x 3 = 15: form 2, 2 spikes, +0 payload 1, +10 payload 1. */
    expect(path, "SELECT encoding, first, spikes, hex(data) FROM encoding_spikes",
           "1|5|2|020200020A02;");
    made_free(&made);
    unlink(path);
}

static void a_trace_takes_any_number_of_signals(void **state)
{
    (void)state;
    struct made made;
    struct error error = {0};
    int64_t id = 0;
    const char *path = path_of("many.db");
    make(&made);
    made.signal.interval_seconds = 0;
    made.signal.goal = NULL;
    for (int i = 1; i <= 3; i++) {
        assert_true(encodings_check(path, &error));
        assert_true(encodings_store(path, &made.signal, made.encoded, 2, &id, &error));
        assert_int_equal(id, i);
    }
    expect(path, "SELECT count(*), sum(interval_seconds IS NULL), sum(goal IS NULL) FROM signal",
           "3|3|3;");
    expect(path, "SELECT signal, label, channels, spikes, rmse FROM encoding_summary",
           "1|made-up-2|2|2.0|0.0;2|made-up-2|2|2.0|0.0;3|made-up-2|2|2.0|0.0;");
    made_free(&made);
    unlink(path);
}

static void long_signals_lie_in_pieces(void **state)
{
    (void)state;
    const size_t length = (1 << 17) + 5;
    double *signal = malloc(length * sizeof *signal);
    assert_non_null(signal);
    for (size_t i = 0; i < length; i++)
        signal[i] = (double)i;
    struct made made;
    struct error error = {0};
    int64_t id;
    const char *path = path_of("long.db");
    make(&made);
    made.channels[0].values = signal;
    made.signal.channel_count = 1;
    made.signal.length = length;
    assert_true(encodings_store(path, &made.signal, made.encoded, 1, &id, &error));
    expect(path, "SELECT first, length(data), hex(substr(data, -8)) FROM signal_values ORDER BY first",
           "0|1048576|00000000F0FFFF40;131072|40|0000000020000041;");
    made_free(&made);
    free(signal);
    unlink(path);
}

/* ---- files that are no good ---- */

static void check_refused(const char *path, const char *words)
{
    struct made made;
    struct error error = {0};
    int64_t id;
    make(&made);
    assert_false(encodings_store(path, &made.signal, made.encoded, 2, &id, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    assert_non_null(strstr(error.text, words));
    made_free(&made);
}

static void a_file_that_is_no_trace_stays_as_it_is(void **state)
{
    (void)state;
    const char *path = path_of("text.db");
    struct error error = {0};
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs("something else entirely, and long enough to be looked at by SQLite as a file of its own "
          "kind, which it is not", out);
    long length = ftell(out);
    fclose(out);
    assert_false(encodings_check(path, &error));
    assert_non_null(strstr(error.text, "not a trace"));
    check_refused(path, "not a trace");
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    fseek(in, 0, SEEK_END);
    assert_int_equal(ftell(in), length);
    fclose(in);
    unlink(path);
}

static void what_cannot_be_created_leaves_nothing(void **state)
{
    (void)state;
    check_refused(path_of("none/there.db"), "there.db");
    assert_int_not_equal(access(path_of("none"), F_OK), 0);
}

static void a_row_that_is_refused_takes_all_back(void **state)
{
    (void)state;
    struct made made;
    struct error error = {0};
    int64_t id;
    const char *path = path_of("twice.db");
    make(&made);
    made.encoded[1].channel = 0; /* the same scheme on the same channel twice */
    assert_false(encodings_store(path, &made.signal, made.encoded, 2, &id, &error));
    assert_int_equal(error.code, ERROR_FAILED);
    assert_int_not_equal(access(path, F_OK), 0); /* it was created, and is gone */
    made.encoded[1].channel = 1;
    error = (struct error){0};
    assert_true(encodings_store(path, &made.signal, made.encoded, 2, &id, &error));
    made.encoded[1].channel = 0;
    assert_false(encodings_store(path, &made.signal, made.encoded, 2, &id, &error));
    expect(path, "SELECT (SELECT count(*) FROM signal), (SELECT count(*) FROM encoding)", "1|2;");
    made_free(&made);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spikes_come_back),
        cmocka_unit_test(spikes_far_apart_lie_in_pieces),
        cmocka_unit_test(many_spikes_lie_in_pieces),
        cmocka_unit_test(rows_hold_what_was_handed_in),
        cmocka_unit_test(a_trace_takes_any_number_of_signals),
        cmocka_unit_test(long_signals_lie_in_pieces),
        cmocka_unit_test(a_file_that_is_no_trace_stays_as_it_is),
        cmocka_unit_test(what_cannot_be_created_leaves_nothing),
        cmocka_unit_test(a_row_that_is_refused_takes_all_back),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
