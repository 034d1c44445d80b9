/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ways between the populations of a NIR graph, and which linear nodes lie on them.
 *
 * A way leads from one population over wires and linear nodes to the next, and becomes one
 * projection. What cannot be one projection together is parted by letting a linear node stand as
 * a population of its own. The invariant after nir_plan_make: no way has more than one node with
 * weights, or delays by element, and no scale on it that these could not take in; the ways that
 * close no loop make none.
 */
#ifndef VOLLEY_NIR_PATH_H
#define VOLLEY_NIR_PATH_H

#include "neurons/import/nir/nir_shape.h"

enum { PATH_LINEAR = 32 /* linear nodes on a way */ };

struct nir_plan {
    struct nir_graph *graph;
    struct node_shapes *shapes; /* [node_count] */
    double dt;
    bool *stands;    /* [node_count]: has a population */
    bool *graded;    /* [node_count]: of whole numbers, for a linear node that stands */
    bool *back;      /* [edge_count]: closes a loop */
    uint32_t *order; /* [node_count], sources before targets but for edges back */
    uint64_t steps;  /* that walking may still take */
};

/* A way, walked from its target to its source. */
struct nir_path {
    uint32_t target;             /* node */
    uint32_t linear[PATH_LINEAR]; /* [length], the one next to the target first */
    uint32_t length;
    uint32_t depth;              /* nodes walked */
    bool back;                   /* along an edge back */
};

/* What to do with each way, and with the biases that reach a population. */
struct nir_walker {
    void *self;
    bool (*way)(void *self, const struct nir_path *path, uint32_t source, struct error *error);
    /* The bias of the path's last linear node. */
    bool (*bias)(void *self, const struct nir_path *path, struct error *error);
};

/* Must be freed also when it fails. */
bool nir_plan_make(struct nir_plan *plan, struct nir_graph *graph, struct node_shapes *shapes,
                   double dt, struct error *error);
void nir_plan_free(struct nir_plan *plan);

/* All ways that end at a node that stands, or at an Output. */
bool nir_plan_walk(struct nir_plan *plan, uint32_t target, const struct nir_walker *walker,
                   struct error *error);

/* A delay rounds to no tick. */
bool nir_delay_is_none(const struct nir_plan *plan, const struct nir_node *node);

#endif
