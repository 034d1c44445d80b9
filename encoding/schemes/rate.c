/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rate, Bernoulli: in each of T ticks a spike with probability p = clip(gain x + offset, 0, 1),
 * independently. Back: x = (count / T - offset) / gain.
 *
 * Tick t of value i draws word d % 4 of block d / 4, d = i T + t. A probability of 0 never fires
 * and one of 1 always does, as a drawn number lies strictly between.
 */
#include "encoding/schemes/schemes.h"

enum { TICKS, GAIN, OFFSET };
enum { BLOCKS = 256 }; /* drawn at once */

/* Fires the draws of `words` [length], the first of which is draw `draw` of all. A spike is written
 * in any case and counted if it is one, which spares a branch that nobody could predict; the place
 * is there, since no more spikes than draws have come before. */
static size_t fire(const struct scheme_settings *settings, const double *x, uint64_t draw,
                   const uint32_t *words, uint32_t length, struct timed_spike *spikes)
{
    uint32_t ticks = (uint32_t)settings->parameter[TICKS], tick = (uint32_t)(draw % ticks);
    size_t value = (size_t)(draw / ticks), count = 0;
    for (uint32_t w = 0; w < length; tick = 0, value++) {
        /* the probability in units of 2^-32, which scales exactly */
        double p = (settings->parameter[GAIN] * x[value] + settings->parameter[OFFSET]) * 0x1p32;
        uint32_t end = length - w < ticks - tick ? length : w + ticks - tick;
        for (; w < end; w++) {
            spikes[count] = (struct timed_spike){.tick = (int64_t)(draw + w), .payload = 1};
            count += (double)words[w] + 0.5 < p;
        }
    }
    return count;
}

static size_t encode(const struct scheme_settings *settings, const double *x, size_t length,
                     uint64_t start, struct timed_spike *spikes)
{
    struct random_stream stream = scheme_stream(settings);
    uint64_t draws = length * (uint64_t)settings->parameter[TICKS];
    uint32_t words[4 * BLOCKS];
    size_t count = 0;
    for (uint64_t draw = 0; draw < draws; draw += 4 * BLOCKS) {
        uint32_t wanted = draws - draw < 4 * BLOCKS ? (uint32_t)(draws - draw) : 4 * BLOCKS;
        random_words_bulk(&stream, scheme_counter(start, draw / 4), (uint32_t)(draw / 4),
                          (wanted + 3) / 4, words);
        count += fire(settings, x, draw, words, wanted, spikes + count);
    }
    return count;
}

static void decode(const struct scheme_settings *settings, const struct timed_spike *spikes,
                   size_t count, size_t length, double *x)
{
    double ticks = settings->parameter[TICKS];
    scheme_count(spikes, count, (uint32_t)ticks, length, x);
    for (size_t i = 0; i < length; i++)
        x[i] = (x[i] / ticks - settings->parameter[OFFSET]) / settings->parameter[GAIN];
}

const struct scheme scheme_rate = {
    .name = "rate",
    .summary = "at every tick a spike with a probability that follows the value",
    .definition = "p = clip(gain x + offset, 0, 1); back: (count / T - offset) / gain",
    .reference = "Bernoulli trials, as snnTorch's rate and SpikingJelly's PoissonEncoder draw them",
    .form = SCHEME_VALUE,
    .parameters =
        {
            {"ticks", "ticks", 64, 1, 1000000, true, false, "how long one value is shown"},
            {"gain", "", 1, 0.001, 1000, false, true, "probability that a value of 1 adds"},
            {"offset", "", 0, -1, 1, false, false, "probability at a value of 0"},
        },
    .encode = encode,
    .decode = decode,
};
