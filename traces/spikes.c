/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A window of steps is unfolded at a time: what each count that occurs fires in
 * these steps is found once (its pattern), and then the channels, in order of
 * neuron, put their spikes behind those of their step. A channel leaves when
 * its last spike is out, so the work is that of the spikes and not of ticks
 * times neurons.
 *
 * Invariant: spikes[at … end-1] are to come at `step`, spikes[ends[i-1] …
 * ends[i]-1] are those of step begin + i, and channels[0 … length-1] have
 * spikes behind the window, if there are steps behind it. `width` is 0 before
 * the first window.
 */
#include "traces/spikes.h"

#include "traces/blob.h"

#include <stdlib.h>
#include <string.h>

/* Of a count: what train_encode lets through. */
static const int64_t COUNT_LIMIT = 4194303;

enum {
    BLOCK = 512,         /* spikes that are read at a time */
    REACH = 256,         /* counts from -REACH up to REACH - 1 have a pattern that is kept */
    SLOTS = 3,           /* spikes that a channel puts without asking whether it has so many */
    NOWHERE = SPIKES_WINDOW, /* step of those it has not */
    SPIKES_LIMIT = 1 << 22 /* spikes of a window, unless a single step has more */
};

/* What a count fires in the window: at step begin + steps[i], payloads[i]. */
struct pattern {
    uint64_t round;  /* that it was found in; steps and payloads: … */
    uint64_t window; /* … and the window */
    uint32_t total;  /* spikes in all steps */
    uint32_t length; /* spikes of the window … */
    uint32_t uses;   /* … and channels that fire them */
    unsigned char steps[SPIKES_WINDOW + SLOTS]; /* [length], then NOWHERE */
    int32_t payloads[SPIKES_WINDOW + SLOTS];    /* [length] */
};

struct patterns {
    const struct coding *coding; /* the round's */
    struct frame frame;
    uint64_t round, window;
    uint32_t used[2 * REACH]; /* [used_count], patterns of this window */
    uint32_t used_count;
    struct pattern of[2 * REACH]; /* of count i - REACH */
    struct pattern other;         /* of the last count beyond */
};

static bool add_channels(struct spikes_reader *reader, size_t more, struct error *error)
{
    if (reader->room - reader->length >= more)
        return true;
    size_t room = reader->room > 0 ? 2 * reader->room : (size_t)8 * BLOCK;
    struct channel *channels = realloc(reader->channels, room * sizeof *channels);
    if (channels == NULL)
        return error_no_memory(error, "the spikes of a volley");
    reader->channels = channels;
    reader->room = room;
    return true;
}

/* Reads the counts of all neurons that are not silent, and the least and greatest of all. */
static bool read_counts(struct spikes_reader *reader, struct blob_reader *blob, int64_t zero,
                        int32_t *smallest, int32_t *largest, struct error *error)
{
    struct spike block[BLOCK];
    uint32_t length = BLOCK;
    int64_t low = INT64_MAX, high = INT64_MIN;
    while (length == BLOCK) {
        if (!blob_read(blob, block, BLOCK, &length, error) ||
            !add_channels(reader, BLOCK, error))
            return false;
        struct channel *channels = reader->channels + reader->length;
        for (uint32_t i = 0; i < length; i++) {
            int64_t count = block[i].payload + zero;
            low = count < low ? count : low;
            high = count > high ? count : high;
            channels[i] = (struct channel){block[i].neuron, (int32_t)count, 1};
        }
        reader->length += length;
        if (reader->coding != NULL && length > 0 && (high > COUNT_LIMIT || low < -COUNT_LIMIT))
            return error_set(error, ERROR_FAILED,
                             "the spikes of a volley are damaged: a count is %lld",
                             (long long)(high > COUNT_LIMIT ? high : low));
    }
    if (blob->form == BLOB_SPARSE || reader->length < blob->neurons) {
        low = zero < low ? zero : low;
        high = zero > high ? zero : high;
    }
    *smallest = low > INT32_MAX ? INT32_MAX : (int32_t)low;
    *largest = high < INT32_MIN ? INT32_MIN : (int32_t)high;
    return true;
}

/* Where the pattern of a count is, or is to be. */
static inline struct pattern *place_of(struct patterns *patterns, int32_t count)
{
    uint32_t index = (uint32_t)count + REACH;
    return index < 2 * REACH ? &patterns->of[index] : &patterns->other;
}

/* What a count fires in all. */
static inline uint32_t total_of(struct patterns *patterns, int32_t count)
{
    struct pattern *pattern = place_of(patterns, count);
    if (pattern->round != patterns->round || pattern == &patterns->other) {
        pattern->round = patterns->round;
        pattern->total = patterns->coding->spikes(count, patterns->frame);
    }
    return pattern->total;
}

/* Finds out what a count fires in the window. */
static __attribute__((noinline)) void fill_pattern(struct spikes_reader *reader,
                                                   struct pattern *pattern, int32_t count)
{
    struct patterns *patterns = reader->patterns;
    pattern->window = patterns->window;
    pattern->length = pattern->uses = 0;
    for (uint32_t i = 0; i < reader->width; i++) {
        int32_t payload = reader->coding->payload(count, reader->frame, reader->begin + i);
        pattern->steps[pattern->length] = (unsigned char)i;
        pattern->payloads[pattern->length] = payload;
        pattern->length += payload != 0;
    }
    memset(pattern->steps + pattern->length, NOWHERE, SLOTS);
    if (pattern != &patterns->other)
        patterns->used[patterns->used_count++] = (uint32_t)(pattern - patterns->of);
}

/* The pattern of a count in the window. */
static inline struct pattern *pattern_of(struct spikes_reader *reader, int32_t count)
{
    struct pattern *pattern = place_of(reader->patterns, count);
    if (pattern->window != reader->patterns->window || pattern == &reader->patterns->other)
        fill_pattern(reader, pattern, count);
    return pattern;
}

/* Counts the spikes of each step, and sets where each step's begin. */
static void lay_out(struct spikes_reader *reader, size_t next[SPIKES_WINDOW + 1])
{
    struct patterns *patterns = reader->patterns;
    size_t sizes[SPIKES_WINDOW + 1] = {0}, sum = 0;
    for (size_t i = 0; i < reader->length; i++) {
        struct pattern *pattern = pattern_of(reader, reader->channels[i].count);
        pattern->uses++;
        for (uint32_t j = 0; pattern == &patterns->other && j < pattern->length; j++)
            sizes[pattern->steps[j]]++;
    }
    for (uint32_t i = 0; i < patterns->used_count; i++) {
        const struct pattern *pattern = &patterns->of[patterns->used[i]];
        for (uint32_t j = 0; j < pattern->length; j++)
            sizes[pattern->steps[j]] += pattern->uses;
    }
    for (uint32_t i = 0; i < reader->width; i++) {
        next[i] = sum;
        reader->ends[i] = sum += sizes[i];
    }
    next[NOWHERE] = sum;
}

/* Unfolds the next window. */
static void unfold(struct spikes_reader *reader)
{
    size_t next[SPIKES_WINDOW + 1], kept = 0;
    struct spike *spikes = reader->spikes;
    struct channel *channels = reader->channels;
    reader->begin += reader->width;
    reader->width = reader->widest;
    if (reader->frame.ticks - reader->begin < reader->width)
        reader->width = reader->frame.ticks - reader->begin;
    reader->patterns->window++;
    reader->patterns->used_count = 0;
    lay_out(reader, next);
    const size_t nowhere = next[NOWHERE], length = reader->length;
    for (size_t i = 0; i < length; i++) {
        struct channel channel = channels[i];
        const struct pattern *pattern = pattern_of(reader, channel.count);
        uint32_t j = 0;
        for (; j < SLOTS; j++)
            spikes[next[pattern->steps[j]]++] =
                (struct spike){channel.neuron, pattern->payloads[j]};
        next[NOWHERE] = nowhere;
        for (; j < pattern->length; j++)
            spikes[next[pattern->steps[j]]++] =
                (struct spike){channel.neuron, pattern->payloads[j]};
        channel.left -= pattern->length;
        if (channel.left > 0)
            channels[kept++] = channel;
    }
    reader->length = kept;
}

/* A plain volley: all is at step 0. */
static void unfold_plain(struct spikes_reader *reader)
{
    for (size_t i = 0; i < reader->length; i++)
        reader->spikes[i] =
            (struct spike){reader->channels[i].neuron, reader->channels[i].count};
    reader->width = 1;
    reader->ends[0] = reader->length;
    reader->length = 0;
}

bool spikes_turn(struct spikes_reader *reader)
{
    do {
        if (reader->width > 0 && reader->step + 1 < reader->begin + reader->width) {
            reader->step++;
        } else {
            if (reader->length == 0 || reader->frame.ticks - reader->begin <= reader->width)
                return false;
            if (reader->coding != NULL)
                unfold(reader);
            else
                unfold_plain(reader);
            reader->step = reader->begin;
            reader->at = 0;
        }
        reader->end = reader->ends[reader->step - reader->begin];
    } while (reader->at == reader->end);
    return true;
}

/* Room for the spikes of a window, and for those of a channel that are nowhere. */
static bool take_window(struct spikes_reader *reader, struct error *error)
{
    size_t length = reader->length, most = length;
    reader->begin = reader->width = reader->step = 0;
    reader->at = reader->end = 0;
    reader->widest = 1;
    while (reader->widest < SPIKES_WINDOW && 2 * reader->widest * length <= SPIKES_LIMIT)
        reader->widest *= 2;
    if (reader->widest * length < reader->total)
        most = reader->widest * length;
    else if (reader->total > length)
        most = (size_t)reader->total;
    if (most + SLOTS <= reader->spikes_room)
        return true;
    struct spike *spikes = realloc(reader->spikes, (most + SLOTS) * sizeof *spikes);
    if (spikes == NULL)
        return error_no_memory(error, "the spikes of a volley");
    reader->spikes = spikes;
    reader->spikes_room = most + SLOTS;
    return true;
}

/* Sets what every channel fires in all. */
static bool find_totals(struct spikes_reader *reader, struct error *error)
{
    reader->total = reader->length;
    if (reader->coding == NULL)
        return true;
    struct patterns *patterns = reader->patterns;
    if (patterns == NULL)
        patterns = reader->patterns = calloc(1, sizeof *patterns);
    if (patterns == NULL)
        return error_no_memory(error, "the spikes of a volley");
    if (patterns->coding != reader->coding || patterns->frame.ticks != reader->frame.ticks ||
        patterns->frame.zero != reader->frame.zero) {
        patterns->coding = reader->coding;
        patterns->frame = reader->frame;
        patterns->round++;
    }
    reader->total = 0;
    for (size_t i = 0; i < reader->length; i++) {
        struct channel *channel = &reader->channels[i];
        channel->left = total_of(patterns, channel->count);
        reader->total += channel->left;
    }
    return true;
}

bool spikes_open(struct spikes_reader *reader, const void *data, size_t length, const char *coding,
                 int64_t ticks, int64_t zero, struct error *error)
{
    struct blob_reader blob;
    int32_t smallest, largest;
    reader->length = reader->at = reader->end = 0;
    reader->begin = reader->width = reader->step = 0;
    reader->coding = NULL;
    if (coding != NULL && (reader->coding = coding_find(coding, error)) == NULL)
        return false;
    if (zero < -COUNT_LIMIT || zero > COUNT_LIMIT || (coding == NULL && zero != 0))
        return error_set(error, ERROR_FAILED, "the zero point of a volley is %lld",
                         (long long)zero);
    if (!blob_open(&blob, data, length, error) ||
        !read_counts(reader, &blob, zero, &smallest, &largest, error)) {
        reader->length = 0;
        return false;
    }
    reader->frame = (struct frame){.ticks = 1, .zero = 0};
    if (reader->coding != NULL && smallest <= largest)
        reader->frame = reader->coding->frame(smallest, largest);
    if (ticks != reader->frame.ticks || zero != reader->frame.zero) {
        reader->length = 0;
        return error_set(error, ERROR_FAILED,
                         "the counts of a volley take %u ticks from zero point %d in coding %s, "
                         "not %lld from %lld",
                         reader->frame.ticks, reader->frame.zero, coding != NULL ? coding : "none",
                         (long long)ticks, (long long)zero);
    }
    if (find_totals(reader, error) && take_window(reader, error))
        return true;
    reader->length = 0;
    return false;
}

void spikes_close(struct spikes_reader *reader)
{
    free(reader->channels);
    free(reader->spikes);
    free(reader->patterns);
    *reader = (struct spikes_reader){0};
}
