/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Frameworks' habits: what a NIR file leaves open, as each framework that exchanges NIR files
 * settles it. The recordings of one neuron that the frameworks made of one file (lif_*.csv) tell
 * them apart.
 */
#ifndef VOLLEY_FRAMEWORK_H
#define VOLLEY_FRAMEWORK_H

#include "neurons/cells.h"

struct framework {
    const char *name;
    const char *habits;      /* one line */
    struct cell_rules rules; /* but for dt and seed, which are 0: they are the caller's to set */
    bool pipeline;           /* see nir_options */
};

/* NULL with an error that lists the names there are. */
const struct framework *framework_find(const char *name, struct error *error);
/* All of them, in the order of the table; *length says how many. */
const struct framework *frameworks(size_t *length);

#endif
