/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Binary coding {0, 1}: one spike a tick until the count is used up. Counts
 * must not be negative, so a vector that holds negative ones is shifted by its
 * minimum, which the receiver adds back as the zero point.
 *
 *     zero = min(0, min count),  u = count - zero,
 *     T = max(1, max u),  payload_t = 1 if t < u
 */
#include "encoding/codings.h"

static uint32_t shifted(int32_t count, struct frame frame)
{
    return (uint32_t)count - (uint32_t)frame.zero;
}

static struct frame frame(int32_t smallest, int32_t largest)
{
    int32_t zero = smallest < 0 ? smallest : 0;
    uint32_t ticks = (uint32_t)largest - (uint32_t)zero;
    return (struct frame){.ticks = ticks > 0 ? ticks : 1, .zero = zero};
}

static uint32_t spikes(int32_t count, struct frame frame)
{
    return shifted(count, frame);
}

static int32_t payload(int32_t count, struct frame frame, uint32_t tick)
{
    return tick < shifted(count, frame);
}

const struct coding coding_binary = {
    .name = "binary",
    .summary = "count spikes of 1, one a tick; shifted by a zero point if any count is negative",
    .frame = frame,
    .spikes = spikes,
    .payload = payload,
};
