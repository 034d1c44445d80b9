/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rate encoding: at every tick a spike with probability min(1, max(0, g x)).
 *
 * A neuron draws the word neuron % 4 of the counter (sample · 2^32 + tick, neuron / 4) of its
 * population's stream. A probability of 0 never fires and one of 1 always does, as a drawn
 * number lies strictly between.
 */
#include "encoding/encoders.h"

#include "scheduler/random.h"

enum { BULK = 64 }; /* counters drawn at once */

static uint32_t spikes(const struct encoding *encoding, const double *x, uint32_t neurons,
                       uint64_t sample, uint32_t tick, struct spike *fired)
{
    struct random_stream stream =
        random_stream_of(encoding->seed, RANDOM_ENCODING, encoding->owner);
    uint32_t words[4 * BULK], count = 0;
    uint64_t counter = sample << 32 | tick;
    for (uint32_t begin = 0; begin < neurons; begin += 4 * BULK) {
        uint32_t length = neurons - begin < 4 * BULK ? neurons - begin : 4 * BULK;
        random_words_bulk(&stream, counter, begin / 4, (length + 3) / 4, words);
        for (uint32_t i = 0; i < length; i++)
            if (random_uniform(words[i]) < encoding->gain * x[begin + i])
                fired[count++] = (struct spike){.neuron = begin + i, .payload = 1};
        if (neurons - begin <= 4 * BULK)
            break; /* begin + 4 BULK could pass 2^32 */
    }
    return count;
}

const struct encoder encoder_rate = {
    .name = "rate",
    .summary = "at every tick a spike with a probability of gain times the value",
    .spikes = spikes,
};
