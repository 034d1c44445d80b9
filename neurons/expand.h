/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing out what a blueprint leaves to chance, so that others can use the very same network. */
#ifndef VOLLEY_EXPAND_H
#define VOLLEY_EXPAND_H

#include "neurons/blueprint.h"

/* Turns every connection rule into a list of synapses, with their weights and delays, and
 * everything drawn for neurons into arrays: what blueprint_build would have drawn, number for
 * number. The network that is built of it is the same. `workers` may be NULL. */
bool blueprint_expand(struct blueprint *blueprint, struct workers *workers, struct error *error);

#endif
