/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef VOLLEY_INSPECT_H
#define VOLLEY_INSPECT_H

#include "sim/model_file.h"

/* `volley inspect` of a spiking network. Returns the exit code. */
int inspect_network(const char *path, const struct model_file_options *options);

/* The table of neuron models. Returns the exit code. */
int inspect_models(void);

/* Bytes in the unit that keeps them readable. */
const char *inspect_sized(uint64_t bytes, char text[32]);

#endif
