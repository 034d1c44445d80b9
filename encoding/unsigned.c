/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Unsigned bitwise coding: the bits of the count, most significant first. A
 * vector that holds negative counts is shifted by its minimum, which the
 * receiver adds back as the zero point.
 *
 *     zero = min(0, min count),  u = count - zero,
 *     T = max(1, ceil(log2(max u + 1))),  payload_t = bit_(T-1-t)(u) · 2^(T-1-t)
 */
#include "encoding/codings.h"

static uint32_t shifted(int32_t count, struct frame frame)
{
    return (uint32_t)count - (uint32_t)frame.zero;
}

static struct frame frame(int32_t smallest, int32_t largest)
{
    int32_t zero = smallest < 0 ? smallest : 0;
    return (struct frame){.ticks = bits_for((uint32_t)largest - (uint32_t)zero), .zero = zero};
}

static uint32_t spikes(int32_t count, struct frame frame)
{
    return (uint32_t)__builtin_popcount(shifted(count, frame));
}

static int32_t payload(int32_t count, struct frame frame, uint32_t tick)
{
    return (int32_t)(shifted(count, frame) & UINT32_C(1) << (frame.ticks - 1 - tick));
}

const struct coding coding_unsigned = {
    .name = "unsigned",
    .summary = "bits of the count; shifted by a zero point if any count is negative",
    .frame = frame,
    .spikes = spikes,
    .payload = payload,
};
