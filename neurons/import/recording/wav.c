/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sound: WAV, FLAC, Ogg, AIFF, AU, CAF, Wave64 and NIST as libsndfile reads them, as values over
 * time [frames][channels]. One frame is one tick; the sampling rate is kept in recording->rate.
 *
 * Values are those of libsndfile: whole numbers are divided by their full scale and lie in
 * -1 … 1 (16 bits: by 32768), floats stay as they are. A float that is no number is refused when
 * the sample is read.
 *
 * Memory grows with what is really decoded, never with what a header promises, and by at most
 * EXPANSION values for each byte of the file, which no honest file needs.
 */
#include "neurons/import/recording/recording.h"
#include "neurons/import/utf8.h"

#include <inttypes.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXPANSION = 2048, /* most values that one byte stands for; eight silent channels in FLAC have
                         about 800 */
    EXPANSION_USUAL = 8, /* 1-bit samples; what is decoded beyond needs growing room */
    RIFF_HEADER = 12,
    CHUNK_HEADER = 8,
    LENGTH_OPEN = 0x7ffff000 /* programs that write WAV into a pipe put this or more for the length
                                they do not know yet */
};

/* ---- libsndfile reads from memory ---- */

struct cursor {
    const unsigned char *bytes; /* [length] */
    sf_count_t length, at;
};

static sf_count_t cursor_length(void *self)
{
    const struct cursor *cursor = self;
    return cursor->length;
}

static sf_count_t cursor_seek(sf_count_t offset, int whence, void *self)
{
    struct cursor *cursor = self;
    sf_count_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? cursor->at : cursor->length;
    if (offset < -from || offset > cursor->length - from)
        return -1;
    cursor->at = from + offset;
    return cursor->at;
}

static sf_count_t cursor_read(void *to, sf_count_t count, void *self)
{
    struct cursor *cursor = self;
    if (count > cursor->length - cursor->at)
        count = cursor->length - cursor->at;
    if (count <= 0)
        return 0;
    memcpy(to, cursor->bytes + cursor->at, (size_t)count);
    cursor->at += count;
    return count;
}

static sf_count_t cursor_tell(void *self)
{
    const struct cursor *cursor = self;
    return cursor->at;
}

/* ---- which files ---- */

static bool has(const struct recording_file *file, size_t at, const char *mark)
{
    size_t length = strlen(mark);
    return file->length >= at + length && memcmp(file->bytes + at, mark, length) == 0;
}

/* By its first bytes. libsndfile would also look for MP3 in any bytes whatever, and what decodes
 * that prints when it finds none. */
static bool has_mark(const struct recording_file *file)
{
    static const char *const marks[] = {"fLaC", "OggS", "caff", ".snd", "NIST_1A", "riff"};
    if (has(file, 8, "WAVE") && (has(file, 0, "RIF") || has(file, 0, "RF64")))
        return true;
    if (has(file, 0, "FORM") && has(file, 8, "AIF"))
        return true;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (has(file, 0, marks[i]))
            return true;
    return false;
}

static bool matches(const struct recording_file *file)
{
    static const char *const endings[] = {".wav", ".flac", ".ogg", ".opus", ".aiff", ".aif", ".au",
                                          ".caf", ".w64",  ".sph"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (path_ends(file->path, endings[i]))
            return true;
    return has_mark(file);
}

/* ---- reading ---- */

static bool unreadable(const char *path, const char *cause, struct error *error)
{
    size_t length = strcspn(cause, "\n"); /* libsndfile ends its sentences, some with a newline */
    while (length > 0 && strchr(". ", cause[length - 1]) != NULL)
        length--;
    return error_set(error, ERROR_FAILED, "%s: cannot be read as sound (libsndfile: %.*s); the "
                     "file is damaged or of another kind", utf8_tail(path), (int)length, cause);
}

static uint32_t chunk_length(const unsigned char *at, bool big_endian)
{
    return big_endian ? (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]
                      : (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 |
                            at[0];
}

/* libsndfile reads a WAV file that was cut short as if it were whole. */
static bool check_whole(const struct recording_file *file, struct error *error)
{
    bool big_endian = has(file, 0, "RIFX");
    if (!has(file, 0, "RIFF") && !big_endian)
        return true;
    for (size_t at = RIFF_HEADER; at < file->length && file->length - at >= CHUNK_HEADER;) {
        uint32_t promised = chunk_length(file->bytes + at + 4, big_endian);
        size_t there = file->length - at - CHUNK_HEADER;
        bool is_data = has(file, at, "data");
        if (is_data && promised > there && promised < LENGTH_OPEN)
            return error_set(error, ERROR_FAILED, "%s: promises %" PRIu32 " bytes of sound, but "
                             "%zu are there; the file was cut short, fetch it again",
                             utf8_tail(file->path), promised, there);
        if (is_data || promised >= there)
            break;
        at += CHUNK_HEADER + promised + promised % 2; /* chunks begin at even offsets */
    }
    return true;
}

struct sound {
    const struct recording_file *file;
    SNDFILE *stream;
    SF_INFO info;
    double *values; /* [room / channels][channels] */
    size_t room;    /* values */
    size_t frames;  /* read so far */
};

static bool grow(struct sound *sound, struct error *error)
{
    size_t channels = (size_t)sound->info.channels;
    size_t usual, limit;
    if (__builtin_mul_overflow(sound->file->length, (size_t)EXPANSION, &limit))
        limit = SIZE_MAX;
    usual = sound->file->length * EXPANSION_USUAL;
    size_t room = sound->room == 0 ? usual : 2 * sound->room;
    if (sound->room == 0 && (uint64_t)sound->info.frames < usual / channels)
        room = (size_t)sound->info.frames * channels;
    if (room > limit)
        return error_set(error, ERROR_FAILED, "%s: unpacks to more than %d values for each of its "
                         "%zu bytes; the file is damaged", utf8_tail(sound->file->path), EXPANSION,
                         sound->file->length);
    double *values = room <= SIZE_MAX / sizeof *values
                         ? realloc(sound->values, room * sizeof *values) : NULL;
    if (values == NULL)
        return error_no_memory(error, "a sound");
    sound->values = values;
    sound->room = room;
    return true;
}

/* Reads frames until there are no more or as many as the header says. */
static bool read_frames(struct sound *sound, struct error *error)
{
    size_t channels = (size_t)sound->info.channels;
    while (sound->frames < (uint64_t)sound->info.frames) {
        if (sound->frames >= sound->room / channels && !grow(sound, error))
            return false;
        sf_count_t wanted = (sf_count_t)(sound->room / channels - sound->frames);
        sf_count_t read = sf_readf_double(sound->stream, sound->values + sound->frames * channels,
                                          wanted);
        if (read <= 0)
            break;
        sound->frames += (size_t)read;
    }
    if (sf_error(sound->stream) != SF_ERR_NO_ERROR)
        return unreadable(sound->file->path, sf_strerror(sound->stream), error);
    if (sound->info.frames == SF_COUNT_MAX) /* not known: Ogg says it at the end */
        return error_set(error, ERROR_FAILED, "%s: its end is missing after %zu frames of sound; "
                         "the file was cut short, fetch it again", utf8_tail(sound->file->path),
                         sound->frames);
    if (sound->frames < (uint64_t)sound->info.frames)
        return error_set(error, ERROR_FAILED, "%s: promises %" PRId64 " frames of sound, but %zu "
                         "could be read; the file was cut short or is damaged, fetch it again",
                         utf8_tail(sound->file->path), (int64_t)sound->info.frames, sound->frames);
    return true;
}

static bool sound_read(struct sound *sound, struct recording *recording, struct error *error)
{
    const char *path = sound->file->path;
    if (sound->info.channels < 1 || sound->info.frames < 0 || sound->info.samplerate < 1)
        return unreadable(path, "channels, frames or sampling rate make no sense", error);
    bool read = read_frames(sound, error);
    recording->unpacked = sound->values;
    if (!read)
        return false;
    uint64_t shape[] = {sound->frames, (uint64_t)sound->info.channels};
    size_t size = sound->frames * (size_t)sound->info.channels * sizeof *sound->values;
    if (!recording_set_values(recording, ELEMENT_DOUBLE, shape, 2, false,
                              (const unsigned char *)sound->values, size, error))
        return false;
    recording->rate = sound->info.samplerate;
    recording->lowest = -1;
    recording->highest = 1;
    return true;
}

static bool open_sound(struct recording *recording, const struct recording_file *file,
                       const struct recording_options *options, struct error *error)
{
    if (options->timeless)
        return error_set(error, ERROR_MISUSED, "%s: is sound, whose rows are ticks; they cannot be "
                         "taken for samples without time", utf8_tail(file->path));
    if (!has_mark(file))
        return error_set(error, ERROR_FAILED, "%s: does not begin as a file of sound does (WAV, "
                         "FLAC, Ogg, AIFF, AU, CAF, Wave64 or NIST); convert it to WAV",
                         utf8_tail(file->path));
    if (!check_whole(file, error))
        return false;
    struct cursor cursor = {.bytes = file->bytes, .length = (sf_count_t)file->length};
    SF_VIRTUAL_IO memory = {.get_filelen = cursor_length, .seek = cursor_seek, .read = cursor_read,
                            .tell = cursor_tell};
    struct sound sound = {.file = file};
    sound.stream = sf_open_virtual(&memory, SFM_READ, &sound.info, &cursor);
    if (sound.stream == NULL)
        return unreadable(file->path, sf_strerror(NULL), error);
    bool read = sound_read(&sound, recording, error);
    sf_close(sound.stream);
    return read;
}

const struct recording_format recording_sound = {
    .name = "sound (WAV, FLAC and others)",
    .matches = matches,
    .open = open_sound,
};
