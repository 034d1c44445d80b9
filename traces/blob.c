/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing and reading the blob form that blob.h lays out byte by byte.
 *
 * Invariant of a reader: at <= end, and every varint read so far was below
 * 2^32; neurons come in strictly ascending order, whatever the bytes hold.
 */
#include "traces/blob.h"

enum { VARINT_LIMIT = 5 }; /* bytes that 32 bits can take */

size_t blob_limit_dense(uint32_t neurons)
{
    return 1 + VARINT_LIMIT + (size_t)VARINT_LIMIT * neurons;
}

size_t blob_limit_sparse(uint32_t spikes)
{
    return 1 + VARINT_LIMIT + (size_t)2 * VARINT_LIMIT * spikes;
}

static unsigned char *varint_write(unsigned char *out, uint32_t value)
{
    while (value >= 0x80) {
        *out++ = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    *out++ = (unsigned char)value;
    return out;
}

static uint32_t zigzag(int32_t value)
{
    return (uint32_t)value << 1 ^ (0U - ((uint32_t)value >> 31));
}

static int32_t zigzag_back(uint32_t value)
{
    return (int32_t)(value >> 1 ^ (0U - (value & 1)));
}

/* Where writing the dense form has come to. A run of silent neurons stands there as a whole,
 * whether it ends or goes on. */
struct dense_writer {
    unsigned char *at;
    int64_t run; /* length of the silent run that was written last, less 1; -1: none */
};

static unsigned varint_length(uint32_t value)
{
    unsigned length = 1;
    while ((value >>= 7) > 0)
        length++;
    return length;
}

/* `length` more silent neurons. */
static void write_silent(struct dense_writer *writer, uint32_t length)
{
    if (writer->run < 0)
        *writer->at++ = 0;
    else
        writer->at -= varint_length((uint32_t)writer->run);
    writer->run += length;
    writer->at = varint_write(writer->at, (uint32_t)writer->run);
}

static void write_any(struct dense_writer *writer, const int32_t *counts, uint32_t length,
                      int32_t zero)
{
    for (uint32_t i = 0; i < length; i++) {
        if (counts[i] == zero) {
            write_silent(writer, 1);
            continue;
        }
        uint32_t value = zigzag((int32_t)((uint32_t)counts[i] - (uint32_t)zero));
        writer->at = varint_write(writer->at, value);
        writer->run = -1;
    }
}

/* Numbers of one byte each, when a run is sure to stay below 128: without branches, as silence
 * comes and goes too often to be foreseen. */
static void write_short(struct dense_writer *writer, const unsigned char *numbers, uint32_t length)
{
    unsigned char *at = writer->at;
    uint32_t run = (uint32_t)writer->run; /* UINT32_MAX: none */
    for (uint32_t i = 0; i < length; i++) {
        uint32_t number = numbers[i], silent = (number - 1) >> 31, mask = 0U - silent;
        run = ((run + 1) & mask) | ~mask;
        at -= (0U - run) >> 31 << 1; /* two if run > 0: over the run as it was */
        at[0] = (unsigned char)number;
        at[1] = (unsigned char)run; /* means nothing unless silent: then the next overwrites it */
        at += 1 + silent;
    }
    writer->at = at;
    writer->run = (int32_t)run;
}

size_t blob_write_dense(const int32_t *counts, uint32_t neurons, int32_t zero, unsigned char *out)
{
    enum { BLOCK = 64 };
    unsigned char numbers[BLOCK];
    struct dense_writer writer = {.run = -1};
    *out = BLOB_DENSE;
    writer.at = varint_write(out + 1, neurons);
    for (uint32_t i = 0; i < neurons; i += BLOCK) {
        uint32_t length = neurons - i < BLOCK ? neurons - i : BLOCK, any = 0;
        for (uint32_t j = 0; j < length; j++) {
            uint32_t number = zigzag((int32_t)((uint32_t)counts[i + j] - (uint32_t)zero));
            numbers[j] = (unsigned char)number;
            any |= number;
        }
        if (any == 0)
            write_silent(&writer, length);
        else if (any < 0x80 && writer.run < 0x80 - BLOCK)
            write_short(&writer, numbers, length);
        else
            write_any(&writer, counts + i, length, zero);
    }
    return (size_t)(writer.at - out);
}

size_t blob_write_sparse(const struct spike *spikes, uint32_t count, unsigned char *out)
{
    unsigned char *at = out;
    *at++ = BLOB_SPARSE;
    at = varint_write(at, count);
    uint32_t previous = 0;
    for (uint32_t i = 0; i < count; i++) {
        at = varint_write(at, spikes[i].neuron - previous);
        at = varint_write(at, zigzag(spikes[i].payload));
        previous = spikes[i].neuron;
    }
    return (size_t)(at - out);
}

static bool damaged(struct error *error, const char *what)
{
    return error_set(error, ERROR_FAILED, "the spikes of a volley are damaged: %s", what);
}

static bool varint_read(struct blob_reader *reader, uint32_t *value, struct error *error)
{
    uint64_t sum = 0;
    for (unsigned shift = 0; shift < 7 * VARINT_LIMIT; shift += 7) {
        if (reader->at == reader->end)
            return damaged(error, "they end within a number");
        unsigned char byte = *reader->at++;
        sum |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            if (sum > UINT32_MAX)
                return damaged(error, "a number exceeds 32 bits");
            *value = (uint32_t)sum;
            return true;
        }
    }
    return damaged(error, "a number has more than five bytes");
}

bool blob_open(struct blob_reader *reader, const void *bytes, size_t length, struct error *error)
{
    const unsigned char *at = bytes;
    if (length == 0)
        return damaged(error, "they are empty");
    if (at[0] != BLOB_DENSE && at[0] != BLOB_SPARSE)
        return error_set(error, ERROR_FAILED,
                         "the spikes of a volley are damaged: their form is %d, not 1 or 2", at[0]);
    *reader = (struct blob_reader){.at = at + 1, .end = at + length, .form = at[0]};
    if (!varint_read(reader, &reader->left, error))
        return false;
    if (reader->form == BLOB_DENSE)
        reader->neurons = reader->left;
    else if (reader->left > (size_t)(reader->end - reader->at) / 2) /* two bytes at least each */
        return damaged(error, "they claim more spikes than there are bytes for");
    return true;
}

static int next_dense(struct blob_reader *reader, struct spike *spike, struct error *error)
{
    while (reader->left > 0) {
        uint32_t value = 0, run = 0;
        if (!varint_read(reader, &value, error))
            return -1;
        if (value != 0) {
            *spike = (struct spike){.neuron = reader->neuron++, .payload = zigzag_back(value)};
            reader->left--;
            return 1;
        }
        if (!varint_read(reader, &run, error))
            return -1;
        if (run >= reader->left) {
            damaged(error, "a run of silent neurons is too long");
            return -1;
        }
        reader->neuron += run + 1;
        reader->left -= run + 1;
    }
    return 0;
}

static int next_sparse(struct blob_reader *reader, struct spike *spike, struct error *error)
{
    uint32_t distance = 0, value = 0;
    if (reader->left == 0)
        return 0;
    if (!varint_read(reader, &distance, error) || !varint_read(reader, &value, error))
        return -1;
    if (value == 0 || (reader->begun && distance == 0) || distance > UINT32_MAX - reader->neuron) {
        damaged(error, "a spike has no payload, or stands out of order");
        return -1;
    }
    reader->begun = true;
    reader->neuron += distance;
    reader->left--;
    *spike = (struct spike){.neuron = reader->neuron, .payload = zigzag_back(value)};
    return 1;
}

int blob_next(struct blob_reader *reader, struct spike *spike, struct error *error)
{
    int got = reader->form == BLOB_DENSE ? next_dense(reader, spike, error)
                                         : next_sparse(reader, spike, error);
    if (got == 0 && reader->at != reader->end) {
        damaged(error, "bytes follow the last neuron");
        return -1;
    }
    return got;
}

/* Reads channels of the dense form while their numbers have one byte each, and leaves the rest. */
static uint32_t read_short(struct blob_reader *reader, struct spike *spikes, uint32_t room)
{
    const unsigned char *at = reader->at, *end = reader->end;
    uint32_t left = reader->left, neuron = reader->neuron, length = 0;
    while (length < room && left > 0 && end - at >= 2) {
        uint32_t value = at[0], run = at[1];
        if (value == 0) {
            if (run >= 0x80 || run >= left)
                break;
            at += 2;
            neuron += run + 1;
            left -= run + 1;
            continue;
        }
        if (value >= 0x80)
            break;
        at++;
        left--;
        spikes[length++] = (struct spike){neuron++, zigzag_back(value)};
    }
    reader->at = at;
    reader->left = left;
    reader->neuron = neuron;
    return length;
}

bool blob_read(struct blob_reader *reader, struct spike *spikes, uint32_t room, uint32_t *length,
               struct error *error)
{
    int got = 1;
    *length = 0;
    while (*length < room && got == 1) {
        if (reader->form == BLOB_DENSE)
            *length += read_short(reader, spikes + *length, room - *length);
        if (*length < room)
            got = blob_next(reader, &spikes[*length], error);
        *length += *length < room && got == 1;
    }
    return got >= 0;
}
