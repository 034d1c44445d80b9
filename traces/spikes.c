/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Invariant: channels[0 … kept-1] have been passed at this step and have
 * spikes left, channels[next … length-1] are still to be asked, kept <= next.
 * A channel leaves when its last spike is out, so the work is that of the
 * spikes and not of ticks times neurons.
 */
#include "traces/spikes.h"

#include "traces/blob.h"

#include <stdlib.h>

/* Of a count: what train_encode lets through. */
static const int64_t COUNT_LIMIT = 4194303;

static bool add_channel(struct spikes_reader *reader, struct channel channel, struct error *error)
{
    if (reader->length == reader->room) {
        size_t room = reader->room > 0 ? 2 * reader->room : 256;
        struct channel *more = realloc(reader->channels, room * sizeof *more);
        if (more == NULL)
            return error_no_memory(error, "the spikes of a volley");
        reader->channels = more;
        reader->room = room;
    }
    reader->channels[reader->length++] = channel;
    return true;
}

/* Reads the counts of all neurons that are not silent, and the least and greatest of all. */
static bool read_counts(struct spikes_reader *reader, struct blob_reader *blob, int64_t zero,
                        int32_t *smallest, int32_t *largest, struct error *error)
{
    struct spike spike;
    int got;
    *smallest = INT32_MAX;
    *largest = INT32_MIN;
    while ((got = blob_next(blob, &spike, error)) == 1) {
        int64_t count = spike.payload + zero;
        if (reader->coding != NULL && (count > COUNT_LIMIT || count < -COUNT_LIMIT))
            return error_set(error, ERROR_FAILED,
                             "the spikes of a volley are damaged: a count is %lld",
                             (long long)count);
        struct channel channel = {.neuron = spike.neuron, .count = (int32_t)count, .left = 1};
        *smallest = channel.count < *smallest ? channel.count : *smallest;
        *largest = channel.count > *largest ? channel.count : *largest;
        if (!add_channel(reader, channel, error))
            return false;
    }
    if (got == 0 && (blob->form == BLOB_SPARSE || reader->length < blob->neurons)) {
        *smallest = zero < *smallest ? (int32_t)zero : *smallest;
        *largest = zero > *largest ? (int32_t)zero : *largest;
    }
    return got == 0;
}

bool spikes_open(struct spikes_reader *reader, const void *data, size_t length, const char *coding,
                 int64_t ticks, int64_t zero, struct error *error)
{
    struct blob_reader blob;
    int32_t smallest, largest;
    reader->coding = NULL;
    reader->length = reader->next = reader->kept = 0;
    reader->step = 0;
    if (coding != NULL && (reader->coding = coding_find(coding, error)) == NULL)
        return false;
    if (zero < -COUNT_LIMIT || zero > COUNT_LIMIT || (coding == NULL && zero != 0))
        return error_set(error, ERROR_FAILED, "the zero point of a volley is %lld",
                         (long long)zero);
    if (!blob_open(&blob, data, length, error) ||
        !read_counts(reader, &blob, zero, &smallest, &largest, error))
        return false;
    reader->frame = (struct frame){.ticks = 1, .zero = 0};
    if (reader->coding != NULL && smallest <= largest)
        reader->frame = reader->coding->frame(smallest, largest);
    if (ticks != reader->frame.ticks || zero != reader->frame.zero)
        return error_set(error, ERROR_FAILED,
                         "the counts of a volley take %u ticks from zero point %d in coding %s, "
                         "not %lld from %lld",
                         reader->frame.ticks, reader->frame.zero, coding != NULL ? coding : "none",
                         (long long)ticks, (long long)zero);
    reader->total = 0;
    for (size_t i = 0; i < reader->length; i++) {
        struct channel *channel = &reader->channels[i];
        if (reader->coding != NULL)
            channel->left = reader->coding->spikes(channel->count, reader->frame);
        reader->total += channel->left;
    }
    return true;
}

void spikes_close(struct spikes_reader *reader)
{
    free(reader->channels);
    *reader = (struct spikes_reader){0};
}

bool spikes_next(struct spikes_reader *reader, uint32_t *step, struct spike *spike)
{
    while (reader->length > 0 && reader->step < reader->frame.ticks) {
        while (reader->next < reader->length) {
            struct channel channel = reader->channels[reader->next++];
            int32_t payload = reader->coding == NULL ? channel.count
                                                     : reader->coding->payload(channel.count,
                                                                               reader->frame,
                                                                               reader->step);
            channel.left -= payload != 0;
            if (channel.left > 0)
                reader->channels[reader->kept++] = channel;
            if (payload != 0) {
                *step = reader->step;
                *spike = (struct spike){.neuron = channel.neuron, .payload = payload};
                return true;
            }
        }
        reader->step++;
        reader->length = reader->kept;
        reader->next = reader->kept = 0;
    }
    return false;
}
