/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The plain version of the kernels: the bodies of kernels_body.h as they stand.
 * It runs anywhere and is the measure of all other versions.
 */
#include "neurons/delivery/kernels_body.h"
#include "neurons/delivery/kernels_versions.h"

const struct kernels kernels_plain = {
    .name = "plain",
    .vector = VECTOR_PLAIN,
    .integrate = body_integrate,
    .integrate_lanes = body_integrate_lanes,
    .dot = body_dot,
    .dot_half = body_dot_half,
    .dot_bfloat = body_dot_bfloat,
    .dot_tile = body_dot_tile,
    .dot_bytes = body_dot_bytes,
    .meet_keys = body_meet_keys,
    .weigh_values = body_weigh_values,
    .add_scaled = body_add_scaled,
    .from_half = body_from_half,
    .from_bfloat = body_from_bfloat,
};
