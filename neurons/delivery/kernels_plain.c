/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The plain version of the kernels: the bodies of kernels_body.h as they stand.
 * It runs anywhere and is the measure of all other versions.
 */
#include "neurons/delivery/kernels_body.h"
#include "neurons/delivery/kernels_versions.h"

static int32_t plain_dot_key(const int8_t *codes, const int32_t *counts, uint32_t inputs)
{
    return body_dot_key(0, codes, counts, inputs);
}

const struct kernels kernels_plain = {
    .name = "plain",
    .vector = VECTOR_PLAIN,
    .pack = body_pack,
    .integrate = body_integrate,
    .dot = body_dot,
    .dot_half = body_dot_half,
    .dot_bfloat = body_dot_bfloat,
    .dot_tile = body_dot_tile,
    .dot_bytes = body_dot_bytes,
    .dot_key = plain_dot_key,
    .add_codes = body_add_codes,
    .decay_add = body_decay_add,
    .add_scaled = body_add_scaled,
    .from_half = body_from_half,
    .from_bfloat = body_from_bfloat,
};
