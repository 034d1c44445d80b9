/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading NIR files (Neuromorphic Intermediate Representation, HDF5) into a network on paper.
 *
 * Nodes with a state of their own and inputs become populations; the linear nodes between them
 * become projections, whose biases become their targets' drive. Where linear nodes follow one
 * another and cannot be one projection, and where one is read out, a population of the same name
 * stands in for it that passes on what it gets ("relay" for values, "graded" for whole numbers).
 * Delays and flattening never need one unless they differ by element. Nested graphs are unfolded,
 * their nodes' names joined by dots.
 *
 * No time passes along an edge (`immediate`), except along those that close a loop: these take one
 * tick. They are found by a search from the inputs in the order of the file's edges, each edge to a
 * node that the search has come through being one.
 */
#ifndef VOLLEY_NIR_H
#define VOLLEY_NIR_H

#include "neurons/blueprint.h"

struct nir_options {
    double dt;               /* seconds in a tick */
    struct cell_rules rules; /* its dt is not looked at */
    bool pipeline;           /* every projection into neurons takes one tick more */
};

/* NULL with one sentence that names the file and the node. */
struct blueprint *nir_open(const char *path, const struct nir_options *options,
                           struct error *error);
/* The same from memory, and without trying it in a child process first (guard.h), as nir_open
 * does; `name` stands for the path. The bytes are only needed during the call. */
struct blueprint *nir_read(const void *bytes, size_t length, const char *name,
                           const struct nir_options *options, struct error *error);
/* Whether the file is there and has HDF5's signature. */
bool nir_is_file(const char *path);

#endif
