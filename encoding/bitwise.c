/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bidirectional bitwise coding, the one SpikingBrain uses: the bits of |count|,
 * most significant first, each carrying the sign.
 *
 *     T = max(1, ceil(log2(max|count| + 1))),  payload_t = sign · bit_(T-1-t) · 2^(T-1-t)
 *
 * A neuron fires popcount(|count|) spikes. (Int2Spike of the SpikingBrain repository.)
 */
#include "encoding/codings.h"

static struct frame frame(int32_t smallest, int32_t largest)
{
    return (struct frame){.ticks = bits_for(largest_magnitude(smallest, largest)), .zero = 0};
}

static uint32_t spikes(int32_t count, struct frame frame)
{
    (void)frame;
    return (uint32_t)__builtin_popcount(magnitude_of(count));
}

static int32_t payload(int32_t count, struct frame frame, uint32_t tick)
{
    int32_t bit = (int32_t)(magnitude_of(count) & UINT32_C(1) << (frame.ticks - 1 - tick));
    return count < 0 ? -bit : bit;
}

const struct coding coding_bitwise = {
    .name = "bitwise",
    .summary = "bits of |count|, most significant first, signed",
    .frame = frame,
    .spikes = spikes,
    .payload = payload,
};
