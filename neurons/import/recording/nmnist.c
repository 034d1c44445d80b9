/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * N-MNIST: one sample, what an event camera of 34 x 34 pixels saw. Events of 5 bytes,
 *
 *     x (8 bits), y (8 bits), polarity (1 bit), microseconds (23 bits, big-endian)
 *
 * An event at y = 240 is no pixel's: the camera's clock ran over, and all later events are
 * 2^13 microseconds later than they say. Neuron polarity · 34 · 34 + y · 34 + x fires at the tick
 * in which the event lies, floor(microseconds / tick length).
 */
#include "neurons/import/recording/recording.h"
#include "neurons/import/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum {
    EVENT = 5, /* bytes */
    SIDE = 34,
    NEURONS = 2 * SIDE * SIDE,
    OVERFLOW_ROW = 240,
    OVERFLOW_STEP = 1 << 13 /* microseconds */
};

static bool matches(const struct recording_file *file)
{
    return path_ends(file->path, ".bin");
}

static bool events_read(struct spike_list *list, const struct recording_file *file,
                        double tick_seconds, struct error *error)
{
    double tick_microseconds = tick_seconds * 1e6;
    int64_t late = 0;
    for (size_t at = 0; at < file->length; at += EVENT) {
        const unsigned char *event = file->bytes + at;
        uint32_t x = event[0], y = event[1], polarity = event[2] >> 7;
        if (y == OVERFLOW_ROW) {
            late += OVERFLOW_STEP;
            continue;
        }
        if (x >= SIDE || y >= SIDE)
            return error_set(error, ERROR_FAILED, "%s: byte %zu: an event at pixel (%" PRIu32 ", %"
                             PRIu32 "), but N-MNIST has %d x %d pixels; the file is damaged or not "
                             "of N-MNIST", utf8_tail(file->path), at, x, y, SIDE, SIDE);
        int64_t microseconds = late + ((event[2] & 0x7f) << 16 | event[3] << 8 | event[4]);
        struct timed_spike spike = {.tick = (int64_t)((double)microseconds / tick_microseconds),
                                    .neuron = polarity * SIDE * SIDE + y * SIDE + x,
                                    .payload = 1};
        if (!spike_list_add(list, spike, error))
            return false;
    }
    return true;
}

static bool open_events(struct recording *recording, const struct recording_file *file,
                        const struct recording_options *options, struct error *error)
{
    const char *shown = utf8_tail(file->path);
    if (file->length % EVENT != 0)
        return error_set(error, ERROR_FAILED, "%s: has %zu bytes, which is no number of events of "
                         "%d bytes; it was cut short or is not an N-MNIST file", shown,
                         file->length, EVENT);
    if (!(options->tick_seconds >= 1e-9) || !isfinite(options->tick_seconds))
        return error_set(error, ERROR_MISUSED, "%s: holds times in microseconds, so the length of "
                         "a tick must be known, and be at least 1e-9 s", shown);
    if (options->neurons != 0 && options->neurons != NEURONS)
        return error_set(error, ERROR_MISUSED, "%s: has events of 2 x 34 x 34 = %d neurons, but "
                         "the input has %" PRIu32, shown, NEURONS, options->neurons);
    struct spike_list list = {0};
    recording->neurons = NEURONS;
    bool read = events_read(&list, file, options->tick_seconds, error) &&
                recording_add_spikes(recording, &list, 0, error);
    free(list.items);
    return read;
}

const struct recording_format recording_nmnist = {
    .name = "N-MNIST events",
    .matches = matches,
    .open = open_events,
};
