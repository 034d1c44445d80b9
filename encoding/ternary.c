/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ternary coding {-1, 0, 1}: one spike of the count's sign a tick until the
 * count is used up.
 *
 *     T = max(1, max|count|),  payload_t = sign(count) if t < |count|
 */
#include "encoding/codings.h"

static struct frame frame(int32_t smallest, int32_t largest)
{
    uint32_t ticks = largest_magnitude(smallest, largest);
    return (struct frame){.ticks = ticks > 0 ? ticks : 1, .zero = 0};
}

static uint32_t spikes(int32_t count, struct frame frame)
{
    (void)frame;
    return magnitude_of(count);
}

static int32_t payload(int32_t count, struct frame frame, uint32_t tick)
{
    (void)frame;
    return tick >= magnitude_of(count) ? 0 : count < 0 ? -1 : 1;
}

const struct coding coding_ternary = {
    .name = "ternary",
    .summary = "|count| spikes of +1 or -1, one a tick",
    .frame = frame,
    .spikes = spikes,
    .payload = payload,
};
