/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzzing the blobs of a trace. The input is a coding (one byte; beyond the
 * table: none), ticks (two bytes), the zero point (one byte, downwards from 0)
 * and a blob.
 *
 * What must hold: neurons come in ascending order; a dense blob that could be
 * read says the same when it is written and read again; unfolding gives the
 * number of spikes it announced, in order.
 */
#include "traces/blob.h"
#include "traces/spikes.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { HEADER = 4, NEURONS = 4096, SPIKES = 100000 };

/* Reads a blob; a dense one of few neurons into counts [NEURONS]. False: damaged. */
static bool blob_read(const uint8_t *bytes, size_t length, int32_t *counts, uint32_t *neurons)
{
    struct blob_reader reader;
    struct error error = {0};
    struct spike spike;
    int64_t last = -1;
    int got = -1;
    if (blob_open(&reader, bytes, length, &error)) {
        *neurons = reader.form == BLOB_DENSE && reader.neurons <= NEURONS ? reader.neurons : 0;
        while ((got = blob_next(&reader, &spike, &error)) == 1) {
            if (spike.neuron <= last || spike.payload == 0)
                abort();
            last = spike.neuron;
            if (spike.neuron < *neurons)
                counts[spike.neuron] = spike.payload;
        }
    }
    if ((got == -1) != (error.code != ERROR_NONE))
        abort();
    return got == 0;
}

static void write_again(const int32_t *counts, uint32_t neurons)
{
    int32_t *again = calloc(NEURONS, sizeof *again);
    unsigned char *bytes = malloc(blob_limit_dense(neurons));
    uint32_t length;
    if (again == NULL || bytes == NULL)
        abort();
    size_t written = blob_write_dense(counts, neurons, 0, bytes);
    if (written > blob_limit_dense(neurons) || !blob_read(bytes, written, again, &length) ||
        length != neurons || memcmp(counts, again, neurons * sizeof *again) != 0)
        abort();
    free(bytes);
    free(again);
}

static void unfold(const uint8_t *header, const uint8_t *bytes, size_t length)
{
    struct spikes_reader reader = {0};
    struct error error = {0};
    size_t codings;
    const struct coding *const *table = coding_table(&codings);
    const char *coding = header[0] < codings ? table[header[0]]->name : NULL;
    int64_t ticks = header[1] | header[2] << 8;
    uint64_t total = 0, last = 0;
    uint32_t step;
    struct spike spike;
    bool good = spikes_open(&reader, bytes, length, coding, ticks, -(int64_t)header[3], &error);
    if (good != (error.code == ERROR_NONE))
        abort();
    while (good && total < SPIKES && spikes_next(&reader, &step, &spike)) {
        uint64_t place = (uint64_t)step << 32 | spike.neuron;
        if ((total > 0 && place <= last) || spike.payload == 0 || step >= ticks)
            abort();
        last = place;
        total++;
    }
    if (good && total < SPIKES && total != reader.total)
        abort();
    spikes_close(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length < HEADER)
        return 0;
    int32_t *counts = calloc(NEURONS, sizeof *counts);
    uint32_t neurons = 0;
    if (counts == NULL)
        abort();
    if (blob_read(bytes + HEADER, length - HEADER, counts, &neurons) && neurons > 0)
        write_again(counts, neurons);
    unfold(bytes, bytes + HEADER, length - HEADER);
    free(counts);
    return 0;
}
