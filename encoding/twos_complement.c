/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Two's complement coding: the bits of count mod 2^T, most significant first;
 * the first tick's bit weighs -2^(T-1).
 *
 *     T = max(2, ceil(log2(max|count| + 1)) + 1)
 */
#include "encoding/codings.h"

static uint32_t wrapped(int32_t count, struct frame frame)
{
    return frame.ticks >= 32 ? (uint32_t)count
                             : (uint32_t)count & ((UINT32_C(1) << frame.ticks) - 1);
}

static struct frame frame(int32_t smallest, int32_t largest)
{
    /* bits_for(0) is 1, which gives the least T of 2. */
    return (struct frame){.ticks = bits_for(largest_magnitude(smallest, largest)) + 1, .zero = 0};
}

static uint32_t spikes(int32_t count, struct frame frame)
{
    return (uint32_t)__builtin_popcount(wrapped(count, frame));
}

static int32_t payload(int32_t count, struct frame frame, uint32_t tick)
{
    uint32_t bit = wrapped(count, frame) & UINT32_C(1) << (frame.ticks - 1 - tick);
    return tick == 0 ? -(int32_t)bit : (int32_t)bit;
}

const struct coding coding_twos_complement = {
    .name = "twos-complement",
    .summary = "bits of the count modulo 2^T; the first bit is negative",
    .frame = frame,
    .spikes = spikes,
    .payload = payload,
};
