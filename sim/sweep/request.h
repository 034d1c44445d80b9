/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a sweep was asked to do: its options, checked, as a grid. */
#ifndef VOLLEY_SWEEP_REQUEST_H
#define VOLLEY_SWEEP_REQUEST_H

#include "sim/model_file.h"
#include "sim/sweep/grid.h"

/* Options of the command line that go into the grid; NULL: not given. */
struct sweep_options {
    const char *coding, *k, *down_proj; /* lists: language models */
    const char *score, *k_at, *lanes, *window;
    const char *encode, *ticks; /* lists: spiking networks */
    const char *input, *labels, *samples, *population;
    struct model_file_options model; /* its threshold is a list, of language models */
    bool timeless;
};

/* Fills the grid for a language model or a spiking network. False with error (misused): an option
 * of the other kind, an unknown or empty value, nothing to sweep over, no data. */
bool sweep_request_read(struct grid *grid, const struct sweep_options *options, const char *model,
                        bool language, struct error *error);

/* A digest of the model's files and of the data, as 16 hexadecimal digits. False with error if they
 * cannot be opened. */
bool sweep_request_digest(const struct sweep_options *options, const char *model, bool language,
                          char digest[17], struct error *error);

#endif
