/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The encoders, one file each; for encoder.c, which lists them. */
#ifndef VOLLEY_ENCODERS_H
#define VOLLEY_ENCODERS_H

#include "encoding/encoder.h"

extern const struct encoder encoder_rate;
extern const struct encoder encoder_latency;
extern const struct encoder encoder_constant;

#endif
