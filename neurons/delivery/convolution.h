/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Convolution and pooling delivered by event: a spike scatters the kernel's column of its channel
 * around its place. No matrix is made of it.
 *
 *     out[o][y] += Σ_{c, k: y·stride - padding + k·dilation = x} weight[o][c][k] · in[c][x]
 *
 * (cross-correlation, as in PyTorch and NIR). One and two dimensions; a 1-d convolution is one of
 * height 1. Neurons are numbered channel by channel, row by row.
 */
#ifndef VOLLEY_CONVOLUTION_H
#define VOLLEY_CONVOLUTION_H

#include "neurons/projection.h"

/* Largest kernel, stride, padding and dilation. */
enum { CONVOLUTION_LIMIT = 1 << 16 };

struct convolution_shape {
    uint32_t in_channels, in_height, in_width;
    uint32_t out_channels, out_height, out_width; /* height and width by convolution_outputs */
    uint32_t kernel_height, kernel_width;
    uint32_t stride_y, stride_x;
    uint32_t padding_top, padding_left, padding_bottom, padding_right;
    uint32_t dilation_y, dilation_x;
    uint32_t groups;
};

/* Fills in out_height and out_width (rounded down: windows that do not fit are left out); false
 * with error if the shape makes no sense. */
bool convolution_outputs(struct convolution_shape *shape, struct error *error);

/* Weights [out_channels][in_channels / groups][kernel_height][kernel_width], copied. Calls
 * convolution_outputs itself. */
void *convolution_new(const struct convolution_shape *shape, const float *weights,
                      struct error *error);
/* Sum over kernel windows within a channel (channels and groups equal); every weight is `weight`
 * (average pooling: 1 / window). */
void *pooling_new(const struct convolution_shape *shape, double weight, struct error *error);
void convolution_free(void *convolution);
void convolution_describe(struct projection *projection);

/* Both take spikes and values, onto ports of currents, or (pooling of a weight that is a whole
 * multiple of the port's scale, and only spikes) counts. */
extern const struct projection_kind projection_convolution, projection_pooling;

#endif
