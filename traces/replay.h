/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Statistics of spike trains from a trace alone. */
#ifndef VOLLEY_REPLAY_H
#define VOLLEY_REPLAY_H

#include "traces/activity.h"
#include "traces/trace.h"

/* The figures of each row of a report that was read from `path`, to figures [row_count]: what
 * the run itself showed, if it is one run (not samples) of a spiking network and every spike of
 * it was traced; all NAN otherwise, and for what nothing reaches. tick_seconds of `options` is
 * the trace's own. */
bool replay_activity(const char *path, const struct report *report,
                     const struct activity_options *options, struct activity_figures *figures,
                     struct error *error);

#endif
