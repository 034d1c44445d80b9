/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The main thread while a simulation runs on another: a libevent loop that
 * passes text on to standard output, shows progress on standard error, and turns
 * SIGINT and SIGTERM into a clean end.
 */
#ifndef VOLLEY_LIVE_H
#define VOLLEY_LIVE_H

#include "sim/session.h"

struct live_options {
    bool show_text;   /* pass text on to standard output */
    char **collected; /* if not NULL: receives all text instead, from malloc */
    bool quiet;       /* no progress */
};

/* Runs the session to its end. Returns whether it did what it should (session->error says
 * why not); *signal_number is the signal that ended it early, or 0. */
bool live_run(struct session *session, const struct live_options *options, int *signal_number);

#endif
