/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The norm itself, for models that normalise within their update. */
#ifndef VOLLEY_RMS_NORM_H
#define VOLLEY_RMS_NORM_H

#include <stdint.h>

/* In place: values [length] become values / sqrt(mean(values²) + epsilon) · weight. */
void rms_norm_apply(double *values, uint32_t length, const double *weight, double epsilon);

#endif
