/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the points of a sweep would cost on chips. */
#ifndef VOLLEY_SWEEP_COSTS_H
#define VOLLEY_SWEEP_COSTS_H

#include "traces/sweeps.h"

struct cost_chips {
    const char *list; /* as given: names and files with commas between */
    bool beyond_limits;
    char **names; /* [count] */
    size_t count;
};

/* Opens every chip of the list for its name. False with error: one is unknown, or stands twice. */
bool cost_chips_read(struct cost_chips *chips, const char *list, struct error *error);
void cost_chips_free(struct cost_chips *chips);

/* Fills the point's costs from its run in the trace, and stores what `volley energy` would store.
 * A run that does not fit on a chip is no error. False with error. */
bool costs_find(struct swept_point *point, const char *trace, const struct cost_chips *chips,
                struct error *error);

#endif
