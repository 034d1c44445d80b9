/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sound as a recording: files written out byte by byte here hold the values they should, and what
 * is damaged, absurd or cut short is refused with a sentence.
 */
#include "neurons/import/recording/recording.h"

#include <math.h>
#include <setjmp.h>
#include <sndfile.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct recording_options no_options;

/* ---- making files ---- */

enum { PCM = 1, IEEE_FLOAT = 3, ROOM = 4096 };

struct bytes {
    unsigned char at[ROOM]; /* [length] */
    size_t length;
    bool big_endian;
};

static void put(struct bytes *bytes, const void *from, size_t length)
{
    assert_true(length <= ROOM - bytes->length);
    if (length > 0)
        memcpy(bytes->at + bytes->length, from, length);
    bytes->length += length;
}

static void put_number(struct bytes *bytes, uint64_t number, int width)
{
    for (int i = 0; i < width; i++) {
        int shift = 8 * (bytes->big_endian ? width - 1 - i : i);
        unsigned char byte = (unsigned char)(number >> shift);
        put(bytes, &byte, 1);
    }
}

struct format {
    unsigned tag, channels, rate, bits;
};

static void put_header(struct bytes *file, struct format format, uint32_t data_length)
{
    unsigned frame = format.channels * format.bits / 8;
    put(file, file->big_endian ? "RIFX" : "RIFF", 4);
    put_number(file, 36 + (uint64_t)data_length, 4);
    put(file, "WAVEfmt ", 8);
    put_number(file, 16, 4);
    put_number(file, format.tag, 2);
    put_number(file, format.channels, 2);
    put_number(file, format.rate, 4);
    put_number(file, (uint64_t)format.rate * frame, 4);
    put_number(file, frame, 2);
    put_number(file, format.bits, 2);
    put(file, "data", 4);
    put_number(file, data_length, 4);
}

static struct bytes wav_make(struct format format, const uint64_t *numbers, size_t count)
{
    struct bytes file = {.length = 0};
    put_header(&file, format, (uint32_t)(count * format.bits / 8));
    for (size_t i = 0; i < count; i++)
        put_number(&file, numbers[i], (int)format.bits / 8);
    return file;
}

static const struct format mono16 = {PCM, 1, 16000, 16};

/* In memory of exactly its length, so that a read beyond is noticed. */
static struct recording *open_as(const char *name, const void *bytes, size_t length,
                                 const struct recording_options *options, struct error *error,
                                 void **copy)
{
    *copy = malloc(length > 0 ? length : 1);
    assert_non_null(*copy);
    memcpy(*copy, bytes, length);
    return recording_open_memory(name, *copy, length, options, error);
}

static void assert_values(const struct recording *recording, uint64_t ticks, uint32_t neurons,
                          const double *expected)
{
    struct sample sample = {0};
    struct error error = {0};
    assert_int_equal(recording->content, RECORDING_SERIES);
    assert_int_equal(recording->samples, 1);
    assert_int_equal(recording->ticks, ticks);
    assert_int_equal(recording->neurons, neurons);
    assert_false(recording_is_spiking(recording));
    assert_true(recording->lowest == -1 && recording->highest == 1);
    if (!recording_sample(recording, 0, NULL, &sample, &error))
        fail_msg("%s", error.text);
    for (uint64_t i = 0; i < ticks * neurons; i++)
        if (sample.values[i] != expected[i])
            fail_msg("value %d is %.17g, not %.17g", (int)i, sample.values[i], expected[i]);
    sample_free(&sample);
}

static void holds(const struct bytes *file, double rate, uint64_t ticks, uint32_t neurons,
                  const double *expected)
{
    struct error error = {0};
    void *copy;
    struct recording *recording = open_as("a sound", file->at, file->length, &no_options, &error,
                                          &copy);
    if (recording == NULL)
        fail_msg("%s", error.text);
    assert_true(recording->rate == rate);
    assert_values(recording, ticks, neurons, expected);
    recording_close(recording);
    free(copy);
}

static void refused_with(const struct bytes *file, const struct recording_options *options,
                         const char *expected)
{
    struct error error = {0};
    void *copy;
    struct recording *recording = open_as("a/sound.wav", file->at, file->length, options, &error,
                                          &copy);
    assert_null(recording);
    if (strstr(error.text, "a/sound.wav: ") != error.text || strstr(error.text, expected) == NULL ||
        strchr(error.text, '\n') != NULL)
        fail_msg("'%s' does not say '%s'", error.text, expected);
    free(copy);
}

static void refused(const struct bytes *file, const char *expected)
{
    refused_with(file, &no_options, expected);
}

/* ---- what can be read ---- */

static void whole_numbers_are_divided_by_full_scale(void **state)
{
    (void)state;
    static const double halves[] = {-1, 0.5, 0, -0.25};
    static const uint64_t of8[] = {0, 192, 128, 96}; /* 8 bits have no sign, by tradition */
    static const uint64_t of16[] = {0x8000, 0x4000, 0, 0xe000};
    static const uint64_t of24[] = {0x800000, 0x400000, 0, 0xe00000};
    static const uint64_t of32[] = {0x80000000, 0x40000000, 0, 0xe0000000};
    static const uint64_t *const numbers[] = {of8, of16, of24, of32};
    for (unsigned i = 0; i < 4; i++) {
        struct bytes file = wav_make((struct format){PCM, 1, 8000 + i, 8 + 8 * i}, numbers[i], 4);
        holds(&file, 8000 + i, 4, 1, halves);
    }
    static const uint64_t ends[] = {0x7fff, 0x8001, 1};
    static const double of_ends[] = {32767.0 / 32768, -32767.0 / 32768, 1.0 / 32768};
    struct bytes file = wav_make(mono16, ends, 3);
    holds(&file, 16000, 3, 1, of_ends);
    static const uint64_t last_bit[] = {0x7fffffff, 0x80000001};
    static const double of_last_bit[] = {0x7fffffff / 0x1p31, -0x7fffffff / 0x1p31};
    file = wav_make((struct format){PCM, 1, 16000, 32}, last_bit, 2);
    holds(&file, 16000, 2, 1, of_last_bit);
}

static void floats_stay_as_they_are(void **state)
{
    (void)state;
    static const float singles[] = {0.1f, -17.5f, 1e-30f};
    static const double doubles[] = {0.1, -17.5, 1e-300};
    double widened[3];
    uint64_t bits[3] = {0};
    for (int i = 0; i < 3; i++) {
        memcpy(&bits[i], &singles[i], sizeof singles[i]);
        widened[i] = singles[i];
    }
    struct bytes file = wav_make((struct format){IEEE_FLOAT, 1, 44100, 32}, bits, 3);
    holds(&file, 44100, 3, 1, widened);
    memcpy(bits, doubles, sizeof doubles);
    file = wav_make((struct format){IEEE_FLOAT, 1, 192000, 64}, bits, 3);
    holds(&file, 192000, 3, 1, doubles);
}

static void channels_are_neurons(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0x4000, 0xc000, 0x2000, 0xe000, 0x1000, 0xf000};
    static const double expected[] = {0.5, -0.5, 0.25, -0.25, 0.125, -0.125};
    struct bytes file = wav_make((struct format){PCM, 2, 16000, 16}, numbers, 6);
    holds(&file, 16000, 3, 2, expected);
    file = wav_make((struct format){PCM, 6, 16000, 16}, numbers, 6);
    holds(&file, 16000, 1, 6, expected);
    struct recording_options three = {.neurons = 3};
    refused_with(&file, &three, "has values for 6 neurons, but the input has 3");
}

static void big_endian_and_au(void **state)
{
    (void)state;
    static const double expected[] = {0.5, -0.25};
    struct bytes file = {.big_endian = true};
    put_header(&file, mono16, 4);
    put_number(&file, 0x4000, 2);
    put_number(&file, 0xe000, 2);
    holds(&file, 16000, 2, 1, expected);
    struct bytes au = {.big_endian = true};
    put(&au, ".snd", 4);
    static const uint32_t fields[] = {24, 4, 3 /* 16 bits */, 11025, 1};
    for (int i = 0; i < 5; i++)
        put_number(&au, fields[i], 4);
    put_number(&au, 0x4000, 2);
    put_number(&au, 0xe000, 2);
    holds(&au, 11025, 2, 1, expected);
}

/* Other chunks may stand before the data, of odd length with a byte to fill up, and behind it. */
static void chunks_around_the_data(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0x4000, 0xe000};
    static const double expected[] = {0.5, -0.25};
    struct bytes plain = wav_make(mono16, numbers, 2), file = {.length = 0};
    put(&file, plain.at, 36);
    put(&file, "note\3\0\0\0abc\0", 12);
    put(&file, plain.at + 36, plain.length - 36);
    put(&file, "note\2\0\0\0ab", 10);
    file.at[4] = (unsigned char)(file.length - 8);
    holds(&file, 16000, 2, 1, expected);
    file.at[12 + 8 + 16 + 12 + 4] = 200; /* the data's length, with a chunk before it */
    refused(&file, "promises 200 bytes of sound, but 14 are there");
}

static void a_length_left_open_is_read_to_the_end(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0x4000, 0xe000};
    static const double expected[] = {0.5, -0.25};
    static const unsigned char open[][4] = {{0xff, 0xff, 0xff, 0xff}, {0, 0xf0, 0xff, 0x7f}};
    for (int i = 0; i < 2; i++) {
        struct bytes file = wav_make(mono16, numbers, 2);
        memcpy(file.at + 4, open[i], 4);
        memcpy(file.at + 40, open[i], 4);
        holds(&file, 16000, 2, 1, expected);
    }
}

static char *temporary(const char *ending)
{
    static char path[64];
    snprintf(path, sizeof path, "test_wav_%ld%s", (long)getpid(), ending);
    return path;
}

static void from_a_file(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0x4000, 0xe000};
    static const double expected[] = {0.5, -0.25};
    struct bytes bytes = wav_make(mono16, numbers, 2);
    char *path = temporary(".wav");
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.at, 1, bytes.length, file), bytes.length);
    fclose(file);
    struct error error = {0};
    struct recording *recording = recording_open(path, &no_options, &error);
    unlink(path);
    if (recording == NULL)
        fail_msg("%s", error.text);
    assert_values(recording, 2, 1, expected);
    recording_close(recording);
}

/* What libsndfile packs without loss comes back, also when it fills far more than the file. */
static void packed_sound(void **state)
{
    (void)state;
    enum { FRAMES = 300000, CHANNELS = 8 };
    SF_INFO info = {.samplerate = 48000, .channels = CHANNELS,
                    .format = SF_FORMAT_FLAC | SF_FORMAT_PCM_16};
    if (!sf_format_check(&info))
        skip();
    double *values = calloc((size_t)FRAMES * CHANNELS, sizeof *values);
    assert_non_null(values);
    values[0] = 0.5;
    values[(size_t)FRAMES * CHANNELS - 1] = -0.25;
    char *path = temporary(".flac");
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    assert_non_null(file);
    assert_int_equal(sf_writef_double(file, values, FRAMES), FRAMES);
    sf_close(file);
    struct error error = {0};
    struct recording *recording = recording_open(path, &no_options, &error);
    if (recording == NULL)
        fail_msg("%s", error.text);
    assert_true(recording->rate == 48000);
    assert_true(recording->file.length * 64 < FRAMES * CHANNELS);
    assert_values(recording, FRAMES, CHANNELS, values);
    recording_close(recording);
    assert_int_equal(truncate(path, 3000), 0);
    assert_null(recording_open(path, &no_options, &error));
    assert_non_null(strstr(error.text, path));
    unlink(path);
    free(values);
}

/* ---- what cannot ---- */

static void cut_short(void **state)
{
    (void)state;
    uint64_t numbers[100];
    for (int i = 0; i < 100; i++)
        numbers[i] = (uint64_t)i;
    struct bytes file = wav_make(mono16, numbers, 100);
    file.length = 44 + 130;
    refused(&file, "promises 200 bytes of sound, but 130 are there; the file was cut short");
    file.length = 44 + 199;
    refused(&file, "promises 200 bytes of sound, but 199 are there");
    for (file.length = 0; file.length <= 44; file.length++)
        refused(&file, file.length == 44  ? "but 0 are there"
                       : file.length < 12 ? "does not begin as a file of sound does"
                       : file.length < 36 ? "cannot be read as sound (libsndfile: " : "");
    struct bytes big = {.big_endian = true};
    put_header(&big, mono16, 300);
    put_number(&big, 0x4000, 2);
    refused(&big, "promises 300 bytes of sound, but 2 are there");
}

static void patched(size_t at, uint32_t number, int width, const char *expected)
{
    static const uint64_t numbers[] = {0x4000, 0xe000, 0, 0};
    struct bytes file = wav_make(mono16, numbers, 4);
    for (int i = 0; i < width; i++)
        file.at[at + (size_t)i] = (unsigned char)(number >> (8 * i));
    refused(&file, expected);
}

static void absurd_headers(void **state)
{
    (void)state;
    patched(40, 0x7fffefff, 4, "promises 2147479551 bytes of sound, but 8 are there");
    patched(22, 0, 2, "cannot be read as sound (libsndfile: ");     /* channels */
    patched(22, 60000, 2, "cannot be read as sound (libsndfile: ");
    patched(24, 0, 4, "cannot be read as sound (libsndfile: ");     /* sampling rate */
    patched(34, 0, 2, "cannot be read as sound (libsndfile: ");     /* bits */
    patched(34, 77, 2, "cannot be read as sound (libsndfile: ");
    patched(20, 0x7777, 2, "cannot be read as sound (libsndfile: "); /* kind */
    patched(16, 0xffffffff, 4, "cannot be read as sound (libsndfile: ");
    patched(36, 0x78746164, 4, "cannot be read as sound (libsndfile: "); /* "data" misspelt */
    patched(40, 0, 4, "axis of length 0");
}

static void what_is_no_sound(void **state)
{
    (void)state;
    struct bytes file = {.length = 0};
    put(&file, "t,v\n0,1\n1,2\n", 12);
    refused(&file, "does not begin as a file of sound does");
    static const char *const marks[] = {"fLaC", "OggS", "caff", ".snd", "NIST_1A", "riff"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        memcpy(file.at, marks[i], strlen(marks[i]));
        refused(&file, "cannot be read as sound (libsndfile: ");
    }
}

static void sound_has_time(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0x4000, 0xe000};
    struct bytes file = wav_make(mono16, numbers, 2);
    struct recording_options timeless = {.timeless = true};
    refused_with(&file, &timeless, "is sound, whose rows are ticks");
}

static void floats_that_are_no_numbers(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0x3f000000, 0x7fc00000 /* NaN */, 0xff800000 /* -inf */};
    for (int i = 1; i < 3; i++) {
        uint64_t pair[] = {numbers[0], numbers[0], numbers[0], numbers[i]};
        struct bytes file = wav_make((struct format){IEEE_FLOAT, 2, 16000, 32}, pair, 4);
        struct error error = {0};
        void *copy;
        struct recording *recording = open_as("a.wav", file.at, file.length, &no_options, &error,
                                              &copy);
        assert_non_null(recording);
        struct sample sample = {0};
        assert_false(recording_sample(recording, 0, NULL, &sample, &error));
        assert_non_null(strstr(error.text, "a.wav: sample 0, tick 1, neuron 1: the value is "));
        sample_free(&sample);
        recording_close(recording);
        free(copy);
    }
}

/* ---- a small file that unpacks without end ---- */

static unsigned crc(const unsigned char *bytes, size_t length, int width, unsigned polynomial)
{
    unsigned remainder = 0, top = 1u << (width - 1);
    for (size_t i = 0; i < length; i++) {
        remainder ^= (unsigned)bytes[i] << (width - 8);
        for (int bit = 0; bit < 8; bit++)
            remainder = remainder & top ? remainder << 1 ^ polynomial : remainder << 1;
    }
    return remainder & (2 * top - 1);
}

/* A frame of FLAC that says in 24 bytes that eight channels are silent for 65535 values. */
static void put_silent_frame(struct bytes *file, unsigned number)
{
    size_t begin = file->length;
    static const unsigned char head[] = {0xff, 0xf8, 0x70 /* length follows */,
                                         0x70 /* 8 channels, bits as said above */};
    put(file, head, sizeof head);
    put_number(file, number, 1);
    put_number(file, 65535 - 1, 2);
    put_number(file, crc(file->at + begin, file->length - begin, 8, 0x07), 1);
    for (int i = 0; i < 8; i++)
        put_number(file, 0 /* constant */, 2);
    put_number(file, crc(file->at + begin, file->length - begin, 16, 0x8005), 2);
}

static void a_flood_is_refused(void **state)
{
    (void)state;
    enum { FRAMES = 100 };
    struct bytes file = {.big_endian = true};
    put(&file, "fLaC\x80\0\0\x22", 8);
    put_number(&file, 65535, 2); /* values of a frame: least, most */
    put_number(&file, 65535, 2);
    put_number(&file, 0, 6);
    /* 20 bits rate, 3 bits channels - 1, 5 bits bits - 1, 36 bits values */
    put_number(&file, UINT64_C(8000) << 44 | UINT64_C(7) << 41 | UINT64_C(7) << 36 |
                          FRAMES * UINT64_C(65535), 8);
    put_number(&file, 0, 8);
    put_number(&file, 0, 8);
    for (unsigned i = 0; i < FRAMES; i++)
        put_silent_frame(&file, i);
    refused(&file, "unpacks to more than 2048 values for each of its ");
}

static uint64_t random_state = UINT64_C(88172645463325252);

static uint64_t random_below(uint64_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * UINT64_C(0x2545f4914f6cdd1d) % limit;
}

/* Whatever bytes are changed: a recording in order, or a sentence. */
static void damaged_anywhere(void **state)
{
    (void)state;
    uint64_t numbers[40];
    for (int i = 0; i < 40; i++)
        numbers[i] = (uint64_t)i * 1000;
    for (int round = 0; round < 4000; round++) {
        struct bytes file = wav_make((struct format){PCM, 2, 16000, 16}, numbers, 40);
        for (uint64_t i = 1 + random_below(4); i > 0; i--)
            file.at[random_below(i == 1 ? 44 : file.length)] = (unsigned char)random_below(256);
        struct error error = {0};
        void *copy;
        struct recording *recording = open_as("a.wav", file.at, file.length, &no_options, &error,
                                              &copy);
        assert_true((recording == NULL) == (error.code != ERROR_NONE));
        if (recording != NULL)
            assert_true(recording->samples > 0 && recording->neurons > 0);
        recording_close(recording);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_are_divided_by_full_scale),
        cmocka_unit_test(floats_stay_as_they_are),
        cmocka_unit_test(channels_are_neurons),
        cmocka_unit_test(big_endian_and_au),
        cmocka_unit_test(chunks_around_the_data),
        cmocka_unit_test(a_length_left_open_is_read_to_the_end),
        cmocka_unit_test(from_a_file),
        cmocka_unit_test(packed_sound),
        cmocka_unit_test(cut_short),
        cmocka_unit_test(absurd_headers),
        cmocka_unit_test(what_is_no_sound),
        cmocka_unit_test(sound_has_time),
        cmocka_unit_test(floats_that_are_no_numbers),
        cmocka_unit_test(a_flood_is_refused),
        cmocka_unit_test(damaged_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
