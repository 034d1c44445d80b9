/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening a spiking network of either form, and the options that settle what it leaves open. */
#ifndef VOLLEY_MODEL_FILE_H
#define VOLLEY_MODEL_FILE_H

#include "neurons/blueprint.h"
#include "sim/options.h"

struct model_file_options {
    const char *framework; /* --as; NULL: NIR's specification */
    /* NULL: as the file or the framework says. */
    const char *integration, *reset, *threshold, *spike_area;
    double dt;             /* 0: as the file says, or 1e-4 s */
    int64_t seed;          /* -1: as the file says */
};

#define MODEL_FILE_DEFAULTS {.seed = -1}

/* Lines of a table of options. */
#define MODEL_FILE_OPTIONS(o)                                                                     \
    {"as", "NAME", "habits of snntorch, norse, sinabs, rockpool, nengo, lava or spikingjelly",    \
     OPTION_TEXT, &(o)->framework, 0, 0},                                                         \
    {"dt", "S", "seconds in a tick (NIR: default 1e-4)",                                          \
     OPTION_NUMBER, &(o)->dt, 1e-12, 1e3},                                                        \
    {"integration", "HOW", "exact, euler or event (NIR: default exact)",                          \
     OPTION_TEXT, &(o)->integration, 0, 0},                                                       \
    {"reset", "HOW", "value or subtract (NIR: default value)",                                    \
     OPTION_TEXT, &(o)->reset, 0, 0},                                                             \
    {"threshold", "HOW", "strict or inclusive (NIR: default strict)",                             \
     OPTION_TEXT, &(o)->threshold, 0, 0},                                                         \
    {"spike-area", "HOW", "hold, impulse or jump: what an input spike is (NIR: default hold)",    \
     OPTION_TEXT, &(o)->spike_area, 0, 0},                                                        \
    {"seed", "N", "of all random numbers (default: what the file says)",                          \
     OPTION_INTEGER, &(o)->seed, 0, 9e18}

/* Whether the path is that of a spiking network, by its content or by its name: one that cannot be
 * opened is told so by its name. */
bool model_file_is_network(const char *path);

/* NULL with error. */
struct blueprint *model_file_open(const char *path, const struct model_file_options *options,
                                  struct error *error);

#endif
