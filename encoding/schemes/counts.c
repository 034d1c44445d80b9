/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The count codings of coding.h as schemes: x becomes an integer, the coding spreads it over ticks.
 *
 *     count = round(x L), halves to even;  x = sum of the payloads / L
 *
 * x lies in 0 … 1, or in -1 … 1 where the coding has signs. Each value is a vector of its own, and
 * all have the same frame, that of the counts 0 … L or -L … L:
 *
 *     binary, ternary    T = L
 *     bitwise, unsigned  T = bits of L
 *     two's complement   T = bits of L, and one of the sign
 *
 * So no frame need be sent: spikes alone say the value. (A population of a spiking language model
 * has a frame for each vector, as long as that vector's largest count needs, and a zero point.)
 */
#include "encoding/codings.h"
#include "encoding/schemes/schemes.h"
#include "encoding/schemes/unit.h"

/* The parameter; `high` keeps ticks and payloads within those of train.c. */
#define LEVELS(high)                                                                               \
    {{"levels", "", 15, 1, high, true, false, "L: the count of x = 1, which decides the ticks"}}

static const struct coding *coding_of(const struct scheme_settings *settings)
{
    static const struct {
        const struct scheme *scheme;
        const struct coding *coding;
    } table[] = {
        {&scheme_binary, &coding_binary},
        {&scheme_ternary, &coding_ternary},
        {&scheme_bitwise, &coding_bitwise},
        {&scheme_unsigned, &coding_unsigned},
        {&scheme_twos_complement, &coding_twos_complement},
    };
    size_t i = 0;
    while (table[i].scheme != settings->scheme)
        i++;
    return table[i].coding;
}

static double levels_of(const struct scheme_settings *settings)
{
    return settings->parameter[0];
}

static double lowest_of(const struct scheme_settings *settings)
{
    return settings->scheme->is_signed ? -1 : 0;
}

static struct frame frame_of(const struct scheme_settings *settings)
{
    int32_t levels = (int32_t)levels_of(settings);
    return coding_of(settings)->frame(settings->scheme->is_signed ? -levels : 0, levels);
}

static uint32_t ticks_of(const struct scheme_settings *settings)
{
    return frame_of(settings).ticks;
}

static size_t encode(const struct scheme_settings *settings, const double *x, size_t length,
                     uint64_t start, struct timed_spike *spikes)
{
    (void)start;
    const struct coding *coding = coding_of(settings);
    const double shift = 6755399441055744.0; /* 1.5 · 2^52: adding and subtracting it rounds */
    double levels = levels_of(settings), lowest = lowest_of(settings);
    struct frame frame = frame_of(settings);
    size_t fired = 0;
    int64_t begin = 0;
    for (size_t i = 0; i < length; i++, begin += frame.ticks) {
        int32_t count = (int32_t)(unit_clip(x[i], lowest) * levels + shift - shift);
        uint32_t left = coding->spikes(count, frame);
        for (uint32_t t = 0; left > 0; t++) {
            int32_t payload = coding->payload(count, frame, t);
            if (payload != 0) {
                spikes[fired++] = (struct timed_spike){.tick = begin + t, .payload = payload};
                left--;
            }
        }
    }
    return fired;
}

static void decode(const struct scheme_settings *settings, const struct timed_spike *spikes,
                   size_t count, size_t length, double *x)
{
    uint32_t ticks = ticks_of(settings);
    double levels = levels_of(settings);
    size_t next = 0;
    int64_t end = 0;
    for (size_t i = 0; i < length; i++) {
        int64_t sum = 0;
        end += ticks;
        for (; next < count && spikes[next].tick < end; next++)
            sum += spikes[next].payload;
        x[i] = (double)sum / levels;
    }
}

/* Half a step; and what rounding x L and the quotient costs. */
static double bound(const struct scheme_settings *settings, const double *x, size_t length)
{
    return 0.5 / levels_of(settings) + 0x1p-51 + unit_excess(x, length, lowest_of(settings));
}

const struct scheme scheme_binary = {
    .name = "binary",
    .summary = "round(x L) spikes, one a tick",
    .definition = "s = round(x L), a spike at t < s; x = spikes / L",
    .reference = "SpikingBrain (arXiv:2509.05276), Int2Spike",
    .form = SCHEME_VALUE,
    .parameters = LEVELS(65535),
    .ticks = ticks_of,
    .encode = encode,
    .decode = decode,
    .bound = bound,
};

const struct scheme scheme_ternary = {
    .name = "ternary",
    .summary = "|round(x L)| spikes of +1 or -1, one a tick",
    .definition = "s = round(x L), sign(s) at t < |s|; x = sum / L",
    .reference = "SpikingBrain (arXiv:2509.05276), Int2Spike",
    .form = SCHEME_VALUE,
    .is_signed = true,
    .parameters = LEVELS(65535),
    .ticks = ticks_of,
    .encode = encode,
    .decode = decode,
    .bound = bound,
};

const struct scheme scheme_bitwise = {
    .name = "bitwise",
    .summary = "the bits of |round(x L)|, most significant first, signed and weighted",
    .definition = "s = round(x L), sign(s) 2^(T-1-t) at t if that bit of |s| is 1; x = sum / L",
    .reference = "SpikingBrain (arXiv:2509.05276), Int2Spike",
    .form = SCHEME_VALUE,
    .is_signed = true,
    .graded = true,
    .parameters = LEVELS(4194303),
    .ticks = ticks_of,
    .encode = encode,
    .decode = decode,
    .bound = bound,
};

const struct scheme scheme_unsigned = {
    .name = "unsigned",
    .summary = "the bits of round(x L), most significant first, weighted",
    .definition = "s = round(x L), 2^(T-1-t) at t if that bit of s is 1; x = sum / L",
    .reference = "SpikingBrain (arXiv:2509.05276), Int2Spike",
    .form = SCHEME_VALUE,
    .graded = true,
    .parameters = LEVELS(4194303),
    .ticks = ticks_of,
    .encode = encode,
    .decode = decode,
    .bound = bound,
};

const struct scheme scheme_twos_complement = {
    .name = "twos-complement",
    .summary = "the bits of round(x L) modulo 2^T, weighted; the first is negative",
    .definition = "s = round(x L) mod 2^T, 2^(T-1-t) at t if that bit of s is 1, negative at "
                  "t = 0; x = sum / L",
    .reference = "SpikingBrain (arXiv:2509.05276), Int2Spike",
    .form = SCHEME_VALUE,
    .is_signed = true,
    .graded = true,
    .parameters = LEVELS(4194303),
    .ticks = ticks_of,
    .encode = encode,
    .decode = decode,
    .bound = bound,
};
