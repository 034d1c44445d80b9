/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Recordings: files written out byte by byte here say what they should, what is damaged is refused
 * with a sentence, and an input population puts out what it is fed, at its tick. Fashion-MNIST, if
 * Debian's package is there, has the mean that is published for it.
 */
#include "neurons/import/nir/nir_data.h"
#include "neurons/import/recording/recording.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

static const struct recording_options no_options;

/* ---- making files ---- */

struct bytes {
    unsigned char *at; /* [length], exactly, so that a read beyond is noticed */
    size_t length;
};

static struct bytes bytes_copy(const void *from, size_t length)
{
    struct bytes bytes = {malloc(length > 0 ? length : 1), length};
    assert_non_null(bytes.at);
    memcpy(bytes.at, from, length);
    return bytes;
}

/* A .npy file: version, header text, elements. */
static struct bytes npy_make(int version, const char *header, const void *data, size_t length)
{
    size_t text = strlen(header), start = version == 1 ? 10 : 12;
    struct bytes file = {malloc(start + text + length), start + text + length};
    assert_non_null(file.at);
    memcpy(file.at, "\x93NUMPY", 6);
    file.at[6] = (unsigned char)version;
    file.at[7] = 0;
    for (size_t i = 8; i < start; i++)
        file.at[i] = (unsigned char)(text >> (8 * (i - 8)));
    memcpy(file.at + start, header, text);
    memcpy(file.at + start + text, data, length);
    return file;
}

static struct recording *open_good(const char *name, struct bytes file,
                                   const struct recording_options *options)
{
    struct error error = {0};
    struct recording *recording = recording_open_memory(name, file.at, file.length, options,
                                                        &error);
    if (recording == NULL)
        fail_msg("%s", error.text);
    return recording;
}

/* Takes the file over. */
static void refused(const char *name, struct bytes file, const struct recording_options *options,
                    const char *expected)
{
    struct error error = {0};
    struct recording *recording = recording_open_memory(name, file.at, file.length, options,
                                                        &error);
    assert_null(recording);
    assert_int_not_equal(error.code, ERROR_NONE);
    if (strstr(error.text, expected) == NULL)
        fail_msg("'%s' does not say '%s'", error.text, expected);
    free(file.at);
}

static struct sample sample_good(const struct recording *recording, uint64_t index,
                                 const struct scheme_settings *scheme)
{
    struct sample sample = {0};
    struct error error = {0};
    if (!recording_sample(recording, index, scheme, &sample, &error))
        fail_msg("%s", error.text);
    return sample;
}

static struct scheme_settings scheme_of(const struct recording *recording, const char *text,
                                        int64_t ticks)
{
    struct scheme_settings scheme;
    struct error error = {0};
    if (!scheme_parse(text, &scheme, &error) ||
        !recording_settle_scheme(recording, ticks, &scheme, &error))
        fail_msg("%s", error.text);
    return scheme;
}

/* ---- NumPy arrays ---- */

static void test_npy_types(void **state)
{
    (void)state;
    static const struct {
        const char *descr;
        const char *bytes;
        size_t length;
        double expected[2];
        bool spiking;
    } cases[] = {
        {"<f4", "\0\0\x80\x3f\0\0\x20\xc0", 8, {1, -2.5}, false},
        {"<f4", "\0\0\x80\x3f\0\0\0\xc0", 8, {1, -2}, false},
        {"<f8", "\0\0\0\0\0\0\xf0\x3f\x9a\x99\x99\x99\x99\x99\xb9\x3f", 16, {1, 0.1}, false},
        {"|i1", "\xff\x7f", 2, {-1, 127}, true},
        {"|u1", "\xff\x7f", 2, {255, 127}, true},
        {"<i2", "\xfe\xff\x01\x02", 4, {-2, 513}, true},
        {"<i4", "\xfd\xff\xff\xff\x04\x03\x02\x01", 8, {-3, 16909060}, true},
        {"<i8", "\xfc\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\x01\0\0", 16, {-4, 0x1p40}, true},
        {"|b1", "\0\2", 2, {0, 1}, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char header[200];
        snprintf(header, sizeof header,
                 "{'descr': '%s', 'fortran_order': False, 'shape': (2,), }   \n", cases[i].descr);
        for (int version = 1; version <= 3; version++) {
            struct bytes file = npy_make(version, header, cases[i].bytes, cases[i].length);
            struct recording *recording = open_good("a.npy", file, &no_options);
            assert_int_equal(recording->content, RECORDING_SERIES);
            assert_true(recording->samples == 1 && recording->ticks == 2);
            assert_int_equal(recording->neurons, 1);
            assert_int_equal(recording_is_spiking(recording), cases[i].spiking);
            struct sample sample = sample_good(recording, 0, NULL);
            assert_memory_equal(sample.values, cases[i].expected, sizeof cases[i].expected);
            assert_int_equal(sample.ticks, 2);
            assert_int_equal(sample.label, -1);
            sample_free(&sample);
            recording_close(recording);
            free(file.at);
        }
    }
}

static void test_npy_axes(void **state)
{
    (void)state;
    static const struct {
        const char *shape;
        bool timeless;
        uint64_t samples;
        int64_t ticks;
        uint32_t neurons;
    } cases[] = {
        {"(24,)", false, 1, 24, 1},       {"(24,)", true, 1, 0, 24},
        {"(6, 4)", false, 1, 6, 4},       {"(6, 4)", true, 6, 0, 4},
        {"(2, 3, 4)", false, 2, 3, 4},    {"(2, 3, 4)", true, 2, 0, 12},
        {"(2L, 3L, 2L, 2L)", false, 2, 3, 4}, {"(2,3,2,2)", true, 2, 0, 12},
    };
    unsigned char data[24];
    for (int i = 0; i < 24; i++)
        data[i] = (unsigned char)i;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char header[200];
        snprintf(header, sizeof header, "{\"shape\": %s, 'fortran_order':False,'descr':'|u1'}",
                 cases[i].shape);
        struct recording_options options = {.timeless = cases[i].timeless,
                                            .neurons = cases[i].neurons};
        struct bytes file = npy_make(1, header, data, sizeof data);
        struct recording *recording = open_good("a.npy", file, &options);
        assert_int_equal(recording->content,
                         cases[i].timeless ? RECORDING_VALUES : RECORDING_SERIES);
        assert_true(recording->samples == cases[i].samples);
        assert_true(recording->ticks == cases[i].ticks);
        assert_int_equal(recording->neurons, cases[i].neurons);
        assert_true(recording->lowest == 0 && recording->highest == 255);
        struct scheme_settings scheme = scheme_of(recording, "constant", 2);
        scheme.highest = 1;
        for (uint64_t s = 0, at = 0; s < recording->samples; s++) {
            struct sample sample =
                sample_good(recording, s, cases[i].timeless ? &scheme : NULL);
            uint64_t length = 24 / recording->samples;
            assert_int_equal(sample.ticks, cases[i].timeless ? 2 : cases[i].ticks);
            for (uint64_t v = 0; v < length; v++, at++)
                for (int t = 0; t <= cases[i].timeless; t++) /* encoded: the same twice */
                    assert_true(sample.values[v + (uint64_t)t * length] == (double)at);
            sample_free(&sample);
        }
        recording_close(recording);
        free(file.at);
        options.neurons++;
        refused("a.npy", npy_make(1, header, data, sizeof data), &options, "but the input has");
    }
}

static void test_npy_damaged(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data;
        const char *expected;
    } cases[] = {
        {"", 0, "header, character 0: '{' expected; the file is damaged"},
        {"{", 0, "a key in quotes expected"},
        {"{'descr'", 0, "':' expected"},
        {"{'descr': 3", 0, "the name of one type"},
        {"{'descr': [('x', '<f4')], ", 0, "the name of one type (no structure)"},
        {"{'descr': '<f4', 'shape': (2,)}", 8, "descr, fortran_order and shape before the end"},
        {"{'descr': '<f4', 'fortran_order': Maybe}", 8, "True or False"},
        {"{'descr': '<f4', 'other': 3}", 8, "no key but"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x", 8, "nothing but spaces"},
        {"{'descr': '<f4', 'fortran_order': False 'shape': (2,)}", 8, "',' or '}'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': 2}", 8, "'('"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2", 8, "',' or ')'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}", 8, "an extent"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", 8,
         "an extent below 2^64"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ()}", 4, "a single number"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3)}", 0, "length 0"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}", 15,
         "asks for 16 bytes of data, but 15 are there"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}", 17, "but 17 are there"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2)}", 16, "ascontiguousarray"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2, 2)}", 16, "type '>f4'"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (2, 2)}", 16, "type '<c8'"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (2, 2)}", 16, "type '|O'"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", 16,
         "more than can be addressed"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (1, 4611686018427387904)}", 16,
         "more than can be addressed"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 4294967295)}", 16,
         "more than can be addressed"},
    };
    unsigned char data[32] = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int version = 1; version <= 2; version++)
            refused("a.npy", npy_make(version, cases[i].header, data, cases[i].data), &no_options,
                    cases[i].expected);
    refused("a.npy", bytes_copy("\x93NUMPX\1\0\0\0", 10), &no_options, "is not a NumPy array");
    refused("a", bytes_copy("\x93NUMPY\4\0\0\0", 10), &no_options, "is of version 4");
    refused("a", bytes_copy("\x93NUMPY\1\0\5\0{}", 12), &no_options, "ends inside its header");
    refused("a", bytes_copy("\x93NUMPY\2\0\0\0", 10), &no_options, "ends inside its header");
    refused("a", bytes_copy("\x93NUMPY\2\0\377\377\377\377", 12), &no_options,
            "ends inside its header");
}

/* Every beginning of a good file is refused, and no bit changed makes it read astray. */
static void test_npy_cut_and_changed(void **state)
{
    (void)state;
    static const char header[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }\n";
    unsigned char data[24] = {0};
    struct bytes file = npy_make(1, header, data, sizeof data);
    for (size_t length = 0; length < file.length; length++)
        refused("a.npy", bytes_copy(file.at, length), &no_options, "");
    for (size_t bit = 0; bit < 8 * file.length; bit++) {
        file.at[bit / 8] ^= (unsigned char)(1u << bit % 8);
        struct error error = {0};
        struct recording *recording = recording_open_memory("a.npy", file.at, file.length,
                                                            &no_options, &error);
        assert_int_equal(recording == NULL, error.code != ERROR_NONE);
        struct sample sample = {0};
        if (recording != NULL)
            recording_sample(recording, recording->samples - 1, NULL, &sample, &error);
        sample_free(&sample);
        recording_close(recording);
        file.at[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    free(file.at);
}

static void test_npy_not_finite(void **state)
{
    (void)state;
    static const char header[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2, 3)}";
    float data[12] = {0};
    data[10] = NAN;
    struct bytes file = npy_make(1, header, data, sizeof data);
    struct recording *recording = open_good("dir/a.npy", file, &no_options);
    struct error error = {0};
    struct sample sample = {0};
    assert_true(recording_sample(recording, 0, NULL, &sample, &error));
    assert_false(recording_sample(recording, 1, NULL, &sample, &error));
    assert_string_equal(error.text, "dir/a.npy: sample 1, tick 1, neuron 1: the value is nan, "
                                    "which no neuron can take; replace it");
    error.code = ERROR_NONE;
    assert_false(recording_sample(recording, 2, NULL, &sample, &error));
    assert_non_null(strstr(error.text, "there is no sample 2; it holds 2"));
    sample_free(&sample);
    recording_close(recording);
    free(file.at);
}

/* ---- CSV ---- */

static struct bytes text_of(const char *text)
{
    return bytes_copy(text, strlen(text));
}

static void test_csv(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "2,1,1\n0,3,1\n2,0,-4\n",
        "0,3\n2,0,-4\n2,1",
        "tick,neuron,payload\r\n2,1,1\r\n0,3,1\r\n2,0,-4\r\n",
        "\xef\xbb\xbf# a comment\n\n payload , tick,neuron \n1,2,1\n1, 0 ,3\n\t-4,2,+0\n",
        "tick,population,neuron,payload\n2,in,1,1\n0,\"in\",3,1\n2,in,0,-4\n",
        "population,neuron,tick,payload\n\"a,b\",1,2,1\n\"a,b\",3,0,1\n\"a,b\",0,2,-4\n",
        "0,3,1\n2,1,3\n2,0,-5\n2,1,-2\n2,0,1\n1,2,7\n1,2,-7\n0,1,0\n",
    };
    static const struct timed_spike expected[] = {{0, 3, 1}, {2, 0, -4}, {2, 1, 1}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct bytes file = text_of(texts[i]);
        struct recording *recording = open_good("a.csv", file, &no_options);
        assert_int_equal(recording->content, RECORDING_SPIKES);
        assert_true(recording->samples == 1 && recording->ticks == 3);
        assert_int_equal(recording->neurons, 4);
        struct sample sample = sample_good(recording, 0, NULL);
        assert_int_equal(sample.spike_count, 3);
        assert_int_equal(sample.ticks, 3);
        for (int s = 0; s < 3; s++) {
            assert_int_equal(sample.spikes[s].tick, expected[s].tick);
            assert_int_equal(sample.spikes[s].neuron, expected[s].neuron);
            assert_int_equal(sample.spikes[s].payload, expected[s].payload);
        }
        sample_free(&sample);
        recording_close(recording);
        free(file.at);
    }
}

static void test_csv_options(void **state)
{
    (void)state;
    static const char text[] = "tick,population,neuron,payload\n0,a,1,1\n5,b,2,1\n9,a,0,1\n";
    struct recording_options options = {.population = "b", .neurons = 10};
    struct bytes file = text_of(text);
    struct recording *recording = open_good("a.csv", file, &options);
    assert_int_equal(recording->spike_count, 1);
    assert_int_equal(recording->spikes[0].tick, 5);
    assert_int_equal(recording->neurons, 10);
    recording_close(recording);
    free(file.at);
    refused("a.csv", text_of(text), &no_options,
            "a.csv: line 3: spikes of population 'b' after ones of 'a'; say which");
    options.population = "c";
    refused("a.csv", text_of(text), &options,
            "a.csv: holds no spikes of population 'c'; the first ones are of 'a'");
    options = (struct recording_options){.neurons = 2};
    refused("a.csv", text_of("0,1\n0,2\n"), &options, "line 2: the neuron 2 is not within 0 to 1");
    file = text_of("tick,neuron\n"); /* silence */
    recording = open_good("a.csv", file, &no_options);
    assert_true(recording->neurons == 1 && recording->ticks == 0 && recording->spike_count == 0);
    struct sample sample = sample_good(recording, 0, NULL);
    assert_true(sample.values == NULL && sample.spike_count == 0);
    recording_close(recording);
    free(file.at);
}

static void test_csv_damaged(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"1,2,3,4\n", "line 1: has 4 fields; lines are tick,neuron,payload"},
        {"1\n", "line 1: has 1 fields"},
        {"1,2\nx,2\n", "line 2: the tick 'x' is not a whole number"},
        {"1,2\n1.5,2\n", "line 2: the tick '1.5' is not a whole number"},
        {"1,,3\n", "the neuron '' is not a whole number"},
        {"1,-,3\n", "the neuron '-' is not a whole number"},
        {"1,2,\n", "the payload '' is not a whole number"},
        {"-1,2\n", "the tick -1 is not within 0 to 9007199254740991"},
        {"9007199254740992,2\n", "the tick 9007199254740992 is not within"},
        {"18446744073709551620,2\n", "the tick 18446744073709551620 is not within"},
        {"99999999999999999999999,2\n", "the tick 99999999999999999999999 is not within"},
        {"1,4294967295\n", "the neuron 4294967295 is not within 0 to 4294967294"},
        {"1,2,2147483648\n", "the payload 2147483648 is not within"},
        {"1,2,2147483647\n1,2,1\n", "neuron 2 at tick 1 have payloads that sum to 2147483648"},
        {"time,neuron\n", "line 1: the column 'time' is not known"},
        {"tick,tick\n", "line 1: the column 'tick' is there twice"},
        {"tick,payload\n", "the columns tick and neuron must be there"},
        {"tick,neuron,payload\n1,2\n", "line 2: has 2 fields; lines are as the first line says"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused("a.csv", text_of(cases[i].text), &no_options, cases[i].expected);
    refused("a.xyz", text_of("what"), &no_options, "is of no format that can be read as an input "
            "(NumPy array, NIRData, sound (WAV, FLAC and others), N-MNIST events, IDX "
            "images, CSV of tick,neuron,payload)");
    refused("a", bytes_copy("", 0), &no_options, "is of no format");
    refused("a.csv", bytes_copy("1,2,\0\n", 6), &no_options, "is not a whole number");
}

/* ---- N-MNIST ---- */

static void test_nmnist(void **state)
{
    (void)state;
    static const unsigned char events[] = {
        3,  5,   0x80, 0x03, 0xe8, /* x 3, y 5, on, 1000 us */
        33, 33,  0x00, 0x03, 0xe7, /* x 33, y 33, off, 999 us */
        0,  240, 0x00, 0x00, 0x00, /* the clock ran over */
        3,  5,   0x7f, 0xff, 0xff, /* off, 2^23 - 1 + 2^13 us */
        3,  5,   0x80, 0x00, 0x00, /* on, 2^13 us */
        3,  5,   0x80, 0x00, 0x01, /* and a microsecond later */
    };
    static const struct timed_spike expected[] = {
        {0, 33 * 34 + 33, 1}, {1, 34 * 34 + 5 * 34 + 3, 1}, {8, 34 * 34 + 5 * 34 + 3, 2},
        {8396, 5 * 34 + 3, 1},
    };
    struct recording_options options = {.tick_seconds = 1e-3, .neurons = 2312};
    struct bytes file = bytes_copy(events, sizeof events);
    struct recording *recording = open_good("00001.bin", file, &options);
    assert_int_equal(recording->neurons, 2312);
    assert_int_equal(recording->ticks, 8397);
    assert_int_equal(recording->spike_count, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(recording->spikes[i].tick, expected[i].tick);
        assert_int_equal(recording->spikes[i].neuron, expected[i].neuron);
        assert_int_equal(recording->spikes[i].payload, expected[i].payload);
    }
    recording_close(recording);
    refused("a.bin", bytes_copy(events, 29), &options, "29 bytes, which is no number of events");
    options.neurons = 1156;
    refused("a.bin", bytes_copy(events, 30), &options, "2312 neurons, but the input has 1156");
    refused("a.bin", bytes_copy(events, 30), &no_options, "the length of a tick must be known");
    options = (struct recording_options){.tick_seconds = 1e-12};
    refused("a.bin", bytes_copy(events, 30), &options, "at least 1e-9");
    options.tick_seconds = 1e-3;
    refused("a.bin", bytes_copy("\1\1\0\0\0\42\1\0\0\0", 10), &options,
            "byte 5: an event at pixel (34, 1)");
    free(file.at);
}

/* With ticks of 1e-4 s every multiple of 100 us falls in its own tick: none is lost to rounding. */
static void test_nmnist_ticks_are_not_rounded_down(void **state)
{
    (void)state;
    struct recording_options options = {.tick_seconds = 1e-4};
    for (uint32_t tick = 0; tick < 80000; tick += 77) {
        uint32_t us = tick * 100;
        unsigned char event[] = {0, 0, (unsigned char)(us >> 16), (unsigned char)(us >> 8),
                                 (unsigned char)us};
        struct bytes file = bytes_copy(event, 5);
        struct recording *recording = open_good("a.bin", file, &options);
        assert_int_equal(recording->spikes[0].tick, tick);
        recording_close(recording);
        free(file.at);
    }
}

/* ---- IDX ---- */

static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3,
                                       0, 51, 102, 153, 204, 255, 1, 2, 3, 4, 5, 6};
static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 9};

static void images_check(const struct recording *recording)
{
    assert_int_equal(recording->content, RECORDING_VALUES);
    assert_true(recording->samples == 2 && recording->ticks == 0);
    assert_int_equal(recording->neurons, 6);
    assert_true(recording->lowest == 0 && recording->highest == 255);
    struct scheme_settings scheme = scheme_of(recording, "constant", 2);
    struct sample sample = sample_good(recording, 0, &scheme);
    assert_int_equal(sample.ticks, 2);
    for (int i = 0; i < 12; i++)
        assert_true(fabs(sample.values[i] - (i % 6) / 5.0) < 1e-15);
    sample_free(&sample);
    sample = sample_good(recording, 1, &scheme);
    assert_true(sample.values[5] == 6 / 255.0);
    scheme = scheme_of(recording, "latency", 6);
    struct error error = {0};
    assert_true(recording_sample(recording, 0, &scheme, &sample, &error));
    assert_null(sample.values);
    assert_int_equal(sample.spike_count, 5); /* none for 0 */
    for (int i = 0; i < 5; i++) {
        assert_int_equal(sample.spikes[i].neuron, 5 - i);
        assert_int_equal(sample.spikes[i].tick, i);
    }
    assert_false(recording_sample(recording, 0, NULL, &sample, &error));
    assert_non_null(strstr(error.text, "choose a scheme"));
    sample_free(&sample);
}

static void test_idx(void **state)
{
    (void)state;
    struct bytes file = bytes_copy(images, sizeof images);
    struct recording *recording = open_good("images", file, &no_options);
    images_check(recording);
    recording_close(recording);
    free(file.at);
    for (size_t length = 4; length < sizeof images; length++)
        refused("images", bytes_copy(images, length), &no_options, "");
    static const struct {
        const char *bytes;
        size_t length;
        const char *expected;
    } cases[] = {
        {"\0\0\x0d\1\0\0\0\1", 8, "elements are of type 0x0d"},
        {"\0\0\x08\0\0\0\0\1", 8, "has 0 axes"},
        {"\0\0\x08\x09\0\0\0\1", 8, "has 9 axes"},
        {"\0\0\x08\2\0\0\0\1", 8, "ends inside its header"},
        {"\0\0\x08\1\0\0\0\1x", 9, "holds labels, not images"},
        {"\0\0\x08\2\0\0\0\1\0\0\0\2x", 13, "asks for 2 bytes of data, but 1 are there"},
        {"\0\0\x08\2\0\0\0\0\0\0\0\2", 12, "an axis of length 0"},
        {"\0\0\x08\3\377\377\377\377\377\377\377\377\0\0\0\0", 16, "multiply to more bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused("images", bytes_copy(cases[i].bytes, cases[i].length), &no_options,
                cases[i].expected);
}

static char folder[4096];

static const char *const names[] = {"images-idx3-ubyte", "labels-idx1-ubyte",
                                    "images-idx3-ubyte.gz", "labels-idx1-ubyte.gz", "other"};

static const char *path_of(const char *name)
{
    static char path[5000];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void file_write(const char *name, const void *bytes, size_t length)
{
    FILE *out = fopen(path_of(name), "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, length, out), length);
    assert_int_equal(fclose(out), 0);
}

static int folder_make(void **state)
{
    (void)state;
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/volley-recording-XXXXXX",
             parent != NULL && parent[0] != '\0' ? parent : P_tmpdir);
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int folder_remove(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(path_of(names[i]));
    return rmdir(folder);
}

static struct recording *open_path(const char *name, const struct recording_options *options)
{
    struct error error = {0};
    struct recording *recording = recording_open(path_of(name), options, &error);
    if (recording == NULL)
        fail_msg("%s", error.text);
    return recording;
}

static void path_refused(const char *name, const struct recording_options *options,
                         const char *expected)
{
    struct error error = {0};
    assert_null(recording_open(path_of(name), options, &error));
    if (strstr(error.text, expected) == NULL)
        fail_msg("'%s' does not say '%s'", error.text, expected);
}

static void labels_check(struct recording *recording, bool there)
{
    images_check(recording);
    struct scheme_settings scheme = scheme_of(recording, "constant", 2);
    for (uint64_t i = 0; i < 2; i++) {
        struct sample sample = sample_good(recording, i, &scheme);
        assert_int_equal(sample.label, !there ? -1 : i == 0 ? 7 : 9);
        sample_free(&sample);
    }
    recording_close(recording);
}

static void test_idx_labels(void **state)
{
    (void)state;
    char other[5000];
    file_write(names[0], images, sizeof images);
    labels_check(open_path(names[0], &no_options), false);
    file_write(names[1], labels, sizeof labels);
    labels_check(open_path(names[0], &no_options), true);
    file_write("other", labels, sizeof labels - 1);
    snprintf(other, sizeof other, "%s", path_of("other"));
    struct recording_options options = {.labels = other};
    path_refused(names[0], &options, "does not hold one list of labels");
    file_write("other", "\0\0\x08\1\0\0\0\1\3", 9);
    path_refused(names[0], &options, "holds 1 labels, but ");
    static const struct {
        const char *header, *data, *expected;
    } arrays[] = {
        {"{'descr': '<i2', 'fortran_order': False, 'shape': (2,)}", "\7\0\11\0", NULL},
        {"{'descr': '<i2', 'fortran_order': False, 'shape': (2,)}", "\7\0\0\1",
         "label 1 is 256; labels are whole numbers from 0 to 255"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "\0\0\300\177",
         "label 0 is nan"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1,4)}", "aaaa", "of one axis"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (4,)}", "aaaa", "holds 4 labels, but"},
    };
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        struct bytes array = npy_make(1, arrays[i].header, arrays[i].data, 4);
        file_write("other", array.at, array.length);
        free(array.at);
        if (arrays[i].expected == NULL)
            labels_check(open_path(names[0], &options), true);
        else
            path_refused(names[0], &options, arrays[i].expected);
    }
    options.labels = "/nothing/there";
    path_refused(names[0], &options, "/nothing/there: cannot be opened");
    path_refused("absent", &no_options, "cannot be opened");
}

/* As gzip writes it. */
static struct bytes packed(const void *bytes, size_t length)
{
    struct bytes file = {malloc(length + 1000), 0};
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)bytes;
    stream.avail_in = (uInt)length;
    stream.next_out = file.at;
    stream.avail_out = (uInt)length + 1000;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    file.length = stream.total_out;
    deflateEnd(&stream);
    return file;
}

static void test_idx_packed(void **state)
{
    (void)state;
    struct bytes file = packed(images, sizeof images), list = packed(labels, sizeof labels);
    file_write(names[2], file.at, file.length);
    labels_check(open_path(names[2], &no_options), false);
    file_write(names[3], list.at, list.length);
    labels_check(open_path(names[2], &no_options), true);
    file_write(names[1], "x", 1); /* an unpacked one comes first */
    path_refused(names[2], &no_options, "labels-idx1-ubyte: is not an IDX file");
    for (size_t length = 2; length < file.length - 8; length++)
        refused("images.gz", bytes_copy(file.at, length), &no_options, "");
    for (size_t bit = 0; bit < 8 * file.length; bit++) { /* its checksum guards it */
        file.at[bit / 8] ^= (unsigned char)(1u << bit % 8);
        struct error error = {0};
        struct recording *recording = recording_open_memory("m", file.at, file.length, &no_options,
                                                            &error);
        assert_int_equal(recording == NULL, error.code != ERROR_NONE);
        recording_close(recording);
        file.at[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    free(file.at);
    free(list.at);
    refused("m", packed("\0\0\x08\2\0\0\0\1\0\0\0\2xyz", 15), &no_options,
            "asks for 2 bytes of data, but 3 are there");
    refused("m", packed("\0\0\x08\2\0\0\0\1\0\0\0\2x", 13), &no_options, "but 1 are there");
    refused("m", packed("\0\0\x08\2\377\377\0\1\0\0\0\2x", 13), &no_options,
            "more than its");
    refused("m", packed("hello", 5), &no_options, "is not an IDX file");
    refused("m", bytes_copy("\x1f\x8bxxxxxxxxxxxx", 14), &no_options, "gzip data are damaged");
}

/* The mean and the standard deviation published for its training images are 0.2860 and 0.3530;
 * every class has 6000 of them. */
static void test_fashion_mnist(void **state)
{
    (void)state;
    static const char path[] = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz";
    if (access(path, R_OK) != 0)
        skip();
    struct error error = {0};
    struct recording *recording = recording_open(path, &no_options, &error);
    if (recording == NULL)
        fail_msg("%s", error.text);
    assert_int_equal(recording->samples, 60000);
    assert_int_equal(recording->neurons, 784);
    uint32_t classes[10] = {0};
    double sum = 0, squares = 0;
    struct scheme_settings scheme = scheme_of(recording, "constant", 1);
    struct sample sample = {0};
    for (uint64_t i = 0; i < 60000; i++) {
        classes[recording->labels[i]]++;
        assert_true(recording_sample(recording, i, &scheme, &sample, &error));
        for (int n = 0; n < 784; n++) {
            sum += sample.values[n];
            squares += sample.values[n] * sample.values[n];
        }
    }
    for (int class = 0; class < 10; class++)
        assert_int_equal(classes[class], 6000);
    double mean = sum / 60000 / 784;
    assert_true(fabs(mean - 0.2860) < 5e-5);
    assert_true(fabs(sqrt(squares / 60000 / 784 - mean * mean) - 0.3530) < 5e-5);
    sample_free(&sample);
    recording_close(recording);
}

/* ---- NIRData ---- */

static void test_nir_data(void **state)
{
    (void)state;
    static const struct timed_spike spikes[] = {{1, 2, 1}, {4, 0, 3}};
    static const double values[] = {0.1, 0.2, 0.3, 0.4};
    struct nir_series series[] = {
        {.node = "a", .observable = "spikes", .neurons = 5, .ticks = 9, .spikes = spikes,
         .spike_count = 2},
        {.node = "b", .observable = "input", .neurons = 2, .ticks = 2, .values = values},
    };
    struct error error = {0};
    struct recording_options options = {.tick_seconds = 1e-3};
    assert_true(nir_data_write(path_of("other"), series, 1, 1e-3, &error));
    struct recording *recording = open_path("other", &options); /* the only node there is */
    assert_true(recording->neurons == 5 && recording->samples == 1 && recording->ticks == 9);
    struct sample sample = sample_good(recording, 0, NULL);
    assert_int_equal(sample.spike_count, 2);
    assert_memory_equal(sample.spikes, spikes, sizeof spikes);
    recording_close(recording);
    assert_true(nir_data_write(path_of("other"), series, 2, 1e-3, &error));
    options.population = "b";
    recording = open_path("other", &options);
    assert_int_equal(recording->content, RECORDING_SERIES);
    assert_true(recording->ticks == 2 && recording->neurons == 2);
    sample = sample_good(recording, 0, NULL);
    assert_memory_equal(sample.values, values, sizeof values);
    sample_free(&sample);
    recording_close(recording);
    options.population = "c";
    path_refused("other", &options, "'c'");
    path_refused("other", &no_options, "the length of a tick must be known");
    file_write("other", "\x89HDF\r\n\x1a\n", 8);
    path_refused("other", &options, "");
}

/* ---- inputs ---- */

struct seen {
    struct timed_spike spikes[64];
    uint32_t length;
};

static bool see(void *self, const struct firing *firing, struct error *error)
{
    (void)error;
    struct seen *seen = self;
    for (uint32_t i = 0; i < firing->spike_count; i++)
        seen->spikes[seen->length++] = (struct timed_spike){
            firing->tick, firing->spikes[i].neuron, firing->spikes[i].payload};
    return true;
}

struct stage {
    struct workers *workers;
    struct network *network;
    struct population *input;
    struct seen seen;
};

static void stage_set(struct stage *stage, uint32_t neurons, bool shows)
{
    struct error error = {0};
    memset(stage, 0, sizeof *stage);
    stage->workers = workers_new(1, &error);
    stage->network = network_new("stage", 1);
    assert_true(stage->workers != NULL && stage->network != NULL);
    stage->network->workers = stage->workers;
    stage->input = input_new(stage->network, "in", neurons, shows, &error);
    assert_non_null(stage->input);
    assert_true(network_seal(stage->network, &error));
    struct observer observer = {&stage->seen, see, NULL};
    assert_true(network_observe(stage->network, observer, &error));
}

static void stage_clear(struct stage *stage)
{
    network_free(stage->network);
    workers_free(stage->workers);
}

static void seen_expect(const struct stage *stage, const struct timed_spike *expected,
                        uint32_t length)
{
    assert_int_equal(stage->seen.length, length);
    for (uint32_t i = 0; i < length; i++) {
        assert_int_equal(stage->seen.spikes[i].tick, expected[i].tick);
        assert_int_equal(stage->seen.spikes[i].neuron, expected[i].neuron);
        assert_int_equal(stage->seen.spikes[i].payload, expected[i].payload);
    }
}

static void test_input_spikes(void **state)
{
    (void)state;
    static const struct timed_spike fed[] = {{0, 2, 1}, {3, 4, -2}, {3, 0, 1}, {1000000, 1, 5}};
    static const struct timed_spike come[] = {{0, 2, 1}, {3, 0, 1}, {3, 4, -2}, {1000000, 1, 5}};
    struct error error = {0};
    struct stage stage;
    stage_set(&stage, 5, false);
    assert_true(input_feed_spikes(stage.input, fed, 4, &error));
    assert_true(network_run(stage.network, 0, 3, NULL, &error)); /* in two goes */
    seen_expect(&stage, come, 1);
    assert_true(network_run(stage.network, 0, 2000000, NULL, &error));
    seen_expect(&stage, come, 4);
    stage.seen.length = 0;
    network_reset(stage.network); /* once more */
    assert_true(network_run(stage.network, 1, 2000000, NULL, &error));
    seen_expect(&stage, come, 4);
    stage.seen.length = 0;
    network_reset(stage.network);
    assert_true(input_feed_spikes(stage.input, NULL, 0, &error));
    assert_true(network_run(stage.network, 2, 100, NULL, &error));
    seen_expect(&stage, NULL, 0);
    stage_clear(&stage);
}

static void test_input_spikes_refused(void **state)
{
    (void)state;
    static const struct {
        struct timed_spike spikes[3];
        const char *expected;
    } cases[] = {
        {{{0, 0, 1}, {-1, 0, 1}, {2, 0, 1}}, "input in (2 neurons): spike 1 (tick -1, neuron 0, "
                                             "payload 1): its tick is out of range"},
        {{{0, 0, 1}, {1, 2, 1}, {2, 0, 1}}, "spike 1 (tick 1, neuron 2, payload 1): there is no"},
        {{{0, 0, 1}, {1, 1, 0}, {2, 0, 1}}, "its payload is 0"},
        {{{0, 0, 1}, {3, 1, 1}, {2, 0, 1}}, "spike 2 (tick 2, neuron 0, payload 1): the one"},
        {{{3, 0, 1}, {3, 1, 1}, {3, 0, 1}}, "spike 2 (tick 3, neuron 0, payload 1): the neuron"},
    };
    struct stage stage;
    stage_set(&stage, 2, false);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {0};
        assert_false(input_feed_spikes(stage.input, cases[i].spikes, 3, &error));
        assert_int_equal(error.code, ERROR_MISUSED);
        if (strstr(error.text, cases[i].expected) == NULL)
            fail_msg("'%s' does not say '%s'", error.text, cases[i].expected);
        error.code = ERROR_NONE;
        network_reset(stage.network);
        assert_true(network_run(stage.network, 0, 10, NULL, &error));
        assert_int_equal(stage.seen.length, 0); /* nothing is fed */
    }
    stage_clear(&stage);
}

static void test_input_values(void **state)
{
    (void)state;
    static const double values[4][3] = {{0, 0.5, -1}, {0, 0, 0}, {3, 0, 0}, {0, 0, 1e-9}};
    struct error error = {0};
    struct stage stage;
    stage_set(&stage, 3, true);
    assert_true(input_feed_values(stage.input, values[0], 4, &error));
    for (int tick = 0; tick < 6; tick++) {
        assert_true(network_run(stage.network, 0, 1, NULL, &error));
        if (tick >= 4)
            continue; /* it is no longer due: what is not sent does not count */
        assert_int_equal(stage.input->shown, tick != 1);
        assert_memory_equal(stage.input->values, values[tick], sizeof values[tick]);
        assert_true(tick == 3 ? stage.input->due == INT64_MAX : stage.input->due == tick + 1);
    }
    struct timed_spike spike = {0, 0, 1};
    assert_false(input_feed_spikes(stage.input, &spike, 1, &error));
    assert_string_equal(error.text, "input in puts out values and cannot take spikes");
    error.code = ERROR_NONE;
    network_reset(stage.network);
    assert_true(network_run(stage.network, 1, 1, NULL, &error));
    assert_false(stage.input->shown);
    assert_false(input_feed_values(stage.input, (double[]){0, 1, INFINITY}, 1, &error));
    assert_non_null(strstr(error.text, "tick 0, neuron 2: the value inf is not finite"));
    stage_clear(&stage);
}

static void test_input_whole_values_are_payloads(void **state)
{
    (void)state;
    static const double values[3][2] = {{0, 1}, {0, 0}, {-7, 2147483647}};
    static const struct timed_spike come[] = {{0, 1, 1}, {2, 0, -7}, {2, 1, 2147483647}};
    struct error error = {0};
    struct stage stage;
    stage_set(&stage, 2, false);
    assert_true(input_feed_values(stage.input, values[0], 3, &error));
    assert_true(network_run(stage.network, 0, 20, NULL, &error));
    seen_expect(&stage, come, 3);
    static const double others[] = {0.5, 2147483648.0, -2147483648.0, NAN, 1e300};
    for (int i = 0; i < 5; i++) {
        double bad[4] = {0, 1, 2, others[i]};
        error.code = ERROR_NONE;
        assert_false(input_feed_values(stage.input, bad, 2, &error));
        assert_non_null(strstr(error.text, "input in: tick 1, neuron 1: the value "));
        assert_non_null(strstr(error.text, "encode the values first"));
    }
    stage_clear(&stage);
}

/* From a file to the network: the same spikes for every sample, whatever came before. */
static void test_a_sample_is_fed(void **state)
{
    (void)state;
    struct error error = {0};
    struct bytes file = bytes_copy(images, sizeof images);
    struct recording *recording = open_good("images", file, &no_options);
    struct scheme_settings scheme = scheme_of(recording, "latency", 6);
    struct sample sample = {0};
    struct stage stage;
    static const struct timed_spike come[] = {{0, 5, 1}, {1, 4, 1}, {2, 3, 1}, {3, 2, 1},
                                              {4, 1, 1}};
    stage_set(&stage, 6, false);
    for (int round = 0; round < 2; round++) {
        for (uint64_t index = 2; index-- > 0;) {
            network_reset(stage.network);
            stage.seen.length = 0;
            assert_true(recording_sample(recording, index, &scheme, &sample, &error));
            assert_true(sample_feed(&sample, stage.input, &error));
            assert_true(network_run(stage.network, (int64_t)index, sample.ticks, NULL, &error));
        }
        seen_expect(&stage, come, 5);
    }
    stage_clear(&stage);
    stage_set(&stage, 6, true);
    scheme = scheme_of(recording, "constant", 2);
    assert_true(recording_sample(recording, 0, &scheme, &sample, &error));
    assert_true(sample_feed(&sample, stage.input, &error));
    assert_true(network_run(stage.network, 0, 3, NULL, &error));
    assert_true(stage.input->values[5] == 1);
    stage_clear(&stage);
    sample_free(&sample);
    recording_close(recording);
    free(file.at);
}

/* ---- schemes ---- */

static struct recording *array_open(const char *shape, const void *bytes, size_t length,
                                    bool timeless, struct bytes *file)
{
    char header[200];
    snprintf(header, sizeof header, "{'descr': '|u1', 'fortran_order': False, 'shape': %s, }",
             shape);
    *file = npy_make(1, header, bytes, length);
    struct recording_options options = {.timeless = timeless};
    return open_good("a.npy", *file, &options);
}

static void spikes_expect(const struct sample *sample, const struct timed_spike *expected,
                          uint64_t length)
{
    assert_null(sample->values);
    assert_int_equal(sample->spike_count, length);
    for (uint64_t i = 0; i < length; i++) {
        assert_int_equal(sample->spikes[i].tick, expected[i].tick);
        assert_int_equal(sample->spikes[i].neuron, expected[i].neuron);
        assert_int_equal(sample->spikes[i].payload, expected[i].payload);
    }
}

/* Values that come together are shown together, in order of tick and then of neuron. 51 and 204 are
 * 0.2 and 0.8: of 5 ticks with the phase 0, one spike in the last and four in all but the first. */
static void test_values_are_shown_together(void **state)
{
    (void)state;
    static const unsigned char data[] = {51, 0, 204, 255, 0, 51};
    static const struct timed_spike first[] = {{1, 2, 1}, {2, 2, 1}, {3, 2, 1}, {4, 0, 1},
                                               {4, 2, 1}};
    static const struct timed_spike order[] = {{0, 0, 1}, {1, 2, 1}};
    struct bytes file;
    struct recording *recording = array_open("(2, 3)", data, 6, true, &file);
    struct scheme_settings scheme = scheme_of(recording, "regular:phase=0,ticks=5", 80);
    assert_true(recording_inputs(recording, &scheme) == 3);
    struct sample sample = sample_good(recording, 0, &scheme);
    assert_int_equal(sample.ticks, 5);
    spikes_expect(&sample, first, 5);
    struct error error = {0};
    scheme = scheme_of(recording, "rank-order", 80);
    assert_true(recording_sample(recording, 1, &scheme, &sample, &error));
    assert_int_equal(sample.ticks, 3);
    spikes_expect(&sample, order, 2);
    sample_free(&sample);
    recording_close(recording);
    free(file.at);
}

/* A value's neurons lie side by side: neuron j of value c is neuron 8 c + j. More ticks than one
 * pass of sorting orders, and payloads, arrive as the scheme gave them. */
static void test_several_neurons_a_value(void **state)
{
    (void)state;
    enum { TICKS = 5000, CHANNELS = 4 };
    static const unsigned char data[CHANNELS] = {0, 90, 200, 255};
    struct bytes file;
    struct recording *recording = array_open("(1, 4)", data, 4, true, &file);
    struct scheme_settings scheme = scheme_of(recording, "population:neurons=8", TICKS);
    assert_true(recording_inputs(recording, &scheme) == 8 * CHANNELS);
    struct sample sample = sample_good(recording, 0, &scheme);
    assert_int_equal(sample.ticks, TICKS);
    uint64_t seen = 0;
    for (uint32_t c = 0; c < CHANNELS; c++) {
        double x = data[c] / 255.0;
        struct timed_spike *alone = calloc(scheme_room(&scheme, 1), sizeof *alone);
        size_t count = scheme.scheme->encode(&scheme, &x, 1, 0, alone);
        assert_true(count > 0);
        for (size_t i = 0; i < count; i++, seen++) {
            uint64_t at = 0;
            while (at < sample.spike_count && (sample.spikes[at].tick != alone[i].tick ||
                                               sample.spikes[at].neuron != 8 * c + alone[i].neuron))
                at++;
            assert_true(at < sample.spike_count);
            assert_int_equal(sample.spikes[at].payload, alone[i].payload);
        }
        free(alone);
    }
    assert_int_equal(seen, sample.spike_count);
    for (uint64_t i = 1; i < sample.spike_count; i++)
        assert_true(sample.spikes[i - 1].tick < sample.spikes[i].tick ||
                    (sample.spikes[i - 1].tick == sample.spikes[i].tick &&
                     sample.spikes[i - 1].neuron < sample.spikes[i].neuron));
    sample_free(&sample);
    recording_close(recording);
    free(file.at);
}

/* Each column of values over time is a channel; values that never change say nothing after the
 * first, whatever their neighbours do. */
static void test_values_over_time_are_encoded(void **state)
{
    (void)state;
    static const unsigned char data[] = {0, 255, 60, 0, 255, 120, 0, 255, 60, 0, 255, 120};
    static const struct timed_spike latency[] = {{0, 1, 1}, {0, 2, 1}, {1, 1, 1}, {1, 2, 1},
                                                 {2, 1, 1}, {2, 2, 1}, {3, 1, 1}, {3, 2, 1}};
    struct bytes file;
    struct recording *recording = array_open("(4, 3)", data, 12, false, &file);
    struct scheme_settings scheme = scheme_of(recording, "latency", 80);
    struct sample sample = sample_good(recording, 0, &scheme);
    assert_int_equal(sample.ticks, 4);
    spikes_expect(&sample, latency, 8);
    struct error error = {0};
    scheme = scheme_of(recording, "send-on-delta:delta=0.1", 80);
    assert_true(recording_sample(recording, 0, &scheme, &sample, &error));
    assert_int_equal(sample.ticks, 4);
    for (int64_t tick = 1; tick < 4; tick++) {
        uint64_t changes = 0;
        for (uint64_t i = 0; i < sample.spike_count; i++) {
            if (sample.spikes[i].tick != tick)
                continue;
            assert_int_equal(sample.spikes[i].neuron, 2);
            assert_int_equal(sample.spikes[i].payload > 0, tick % 2 == 1);
            changes++;
        }
        assert_int_equal(changes, 1);
    }
    scheme = scheme_of(recording, "constant:gain=2", 80);
    assert_true(recording_sample(recording, 0, &scheme, &sample, &error));
    assert_int_equal(sample.ticks, 4);
    for (int i = 0; i < 12; i++)
        assert_true(sample.values[i] == 2 * (data[i] / 255.0));
    sample_free(&sample);
    recording_close(recording);
    free(file.at);
}

/* The same rate at every value, yet no two neurons, samples or ticks share their chance. */
static void test_chance_is_not_shared(void **state)
{
    (void)state;
    enum { TICKS = 64, NEURONS = 64 };
    static unsigned char data[2 * NEURONS];
    memset(data, 128, sizeof data);
    uint64_t trains[2][NEURONS] = {{0}};
    struct bytes file;
    struct recording *recording = array_open("(2, 64)", data, sizeof data, true, &file);
    struct scheme_settings scheme = scheme_of(recording, "rate", TICKS);
    for (uint64_t index = 0; index < 2; index++) {
        struct sample sample = sample_good(recording, index, &scheme);
        for (uint64_t i = 0; i < sample.spike_count; i++)
            trains[index][sample.spikes[i].neuron] |= UINT64_C(1) << sample.spikes[i].tick;
        sample_free(&sample);
    }
    for (int a = 0; a < 2 * NEURONS; a++)
        for (int b = 0; b < a; b++) {
            /* bits that differ: 32 of 64, give or take four */
            int differ = __builtin_popcountll(trains[a / NEURONS][a % NEURONS] ^
                                              trains[b / NEURONS][b % NEURONS]);
            assert_true(differ > 8 && differ < 56);
        }
    recording_close(recording);
    free(file.at);
}

static void test_schemes_that_do_not_fit(void **state)
{
    (void)state;
    static const struct {
        const char *shape;
        bool timeless;
        const char *scheme;
        const char *expected;
    } cases[] = {
        {"(2, 3)", false, "rate:ticks=2", "takes 2 ticks for each value; give it ticks=1"},
        {"(2, 3)", false, "log-latency", "takes 16 ticks for each value; choose one"},
        {"(2, 3)", false, "rank-order", "values that come together"},
        {"(2, 3)", true, "step-forward", "is for values over time"},
        {"(2, 3)", true, "rank-order:neurons=2", "all 3 values of a sample are one window"},
        {"(2, 3)", true, "rate", "ticks is 80000000; it must be"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes file;
        struct recording *recording = array_open(cases[i].shape, "\1\2\3\4\5\6", 6,
                                                 cases[i].timeless, &file);
        struct scheme_settings scheme;
        struct error error = {0};
        assert_true(scheme_parse(cases[i].scheme, &scheme, &error));
        assert_false(recording_settle_scheme(recording, 80000000, &scheme, &error));
        assert_int_equal(error.code, ERROR_MISUSED);
        if (strstr(error.text, cases[i].expected) == NULL)
            fail_msg("'%s' does not say '%s'", error.text, cases[i].expected);
        struct sample sample = {0};
        error.code = ERROR_NONE;
        assert_false(recording_sample(recording, 0, &scheme, &sample, &error));
        sample_free(&sample);
        recording_close(recording);
        free(file.at);
    }
}

/* A format may bring several samples of spikes. */
static void test_samples_of_spikes(void **state)
{
    (void)state;
    struct error error = {0};
    struct bytes file = text_of("5,1\n");
    struct recording *recording = open_good("a.csv", file, &no_options);
    struct spike_list list = {0};
    assert_true(spike_list_add(&list, (struct timed_spike){3, 0, 2}, &error));
    assert_true(spike_list_add(&list, (struct timed_spike){1, 7, 1}, &error));
    assert_true(recording_add_spikes(recording, &list, 50, &error));
    assert_true(recording_add_spikes(recording, &list, 9, &error)); /* a silent one */
    assert_true(recording->samples == 3 && recording->ticks == 50 && recording->neurons == 8);
    struct sample sample = sample_good(recording, 0, NULL);
    assert_true(sample.ticks == 6 && sample.spike_count == 1 && sample.spikes[0].neuron == 1);
    sample = sample_good(recording, 1, NULL);
    assert_true(sample.ticks == 50 && sample.spike_count == 2 && sample.spikes[0].tick == 1);
    sample = sample_good(recording, 2, NULL);
    assert_true(sample.ticks == 9 && sample.spike_count == 0);
    assert_true(spike_list_add(&list, (struct timed_spike){-1, 0, 2}, &error));
    assert_false(recording_add_spikes(recording, &list, 9, &error));
    free(list.items);
    recording_close(recording);
    free(file.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_npy_types),
        cmocka_unit_test(test_npy_axes),
        cmocka_unit_test(test_npy_damaged),
        cmocka_unit_test(test_npy_cut_and_changed),
        cmocka_unit_test(test_npy_not_finite),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_csv_options),
        cmocka_unit_test(test_csv_damaged),
        cmocka_unit_test(test_nmnist),
        cmocka_unit_test(test_nmnist_ticks_are_not_rounded_down),
        cmocka_unit_test(test_idx),
        cmocka_unit_test_setup_teardown(test_idx_labels, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_idx_packed, folder_make, folder_remove),
        cmocka_unit_test(test_fashion_mnist),
        cmocka_unit_test_setup_teardown(test_nir_data, folder_make, folder_remove),
        cmocka_unit_test(test_input_spikes),
        cmocka_unit_test(test_input_spikes_refused),
        cmocka_unit_test(test_input_values),
        cmocka_unit_test(test_input_whole_values_are_payloads),
        cmocka_unit_test(test_a_sample_is_fed),
        cmocka_unit_test(test_values_are_shown_together),
        cmocka_unit_test(test_several_neurons_a_value),
        cmocka_unit_test(test_values_over_time_are_encoded),
        cmocka_unit_test(test_chance_is_not_shared),
        cmocka_unit_test(test_schemes_that_do_not_fit),
        cmocka_unit_test(test_samples_of_spikes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
