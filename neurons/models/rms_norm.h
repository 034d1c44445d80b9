/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The norm itself, for models that normalise within their update. */
#ifndef VOLLEY_RMS_NORM_H
#define VOLLEY_RMS_NORM_H

#include "encoding/vector.h"

#include <stdint.h>

struct rms_norm_job {
    double *values;       /* [length] */
    const double *weight; /* [length] */
    uint32_t length;
    double epsilon;
};

/* In place: values become values / sqrt(mean(values²) + epsilon) · weight. */
void rms_norm_apply(const struct rms_norm_job *job, enum vector_level vector);

#endif
