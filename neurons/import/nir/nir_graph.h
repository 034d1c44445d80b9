/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The graph of a NIR file as it stands there: nodes with their parameters, and edges. Nested graphs
 * are unfolded; their Input and Output nodes, and nothing else, are wires.
 *
 * The invariant of a graph that was read: names differ, every edge joins two nodes of it, no edge
 * is there twice, every parameter that a kind of node must have is there, and all numbers are
 * finite.
 */
#ifndef VOLLEY_NIR_GRAPH_H
#define VOLLEY_NIR_GRAPH_H

#include "neurons/import/nir/nir_file.h"

enum { NODE_PARAMETERS = 8 };

/* What a node is to the network. */
enum node_role {
    NODE_INPUT,  /* a population fed from outside */
    NODE_OUTPUT, /* says what is read out */
    NODE_NEURONS, /* a population of cells */
    NODE_WIRE,   /* passes on what it gets, maybe in another shape */
    NODE_LINEAR  /* weights, sums and delays */
};

enum node_type {
    TYPE_INPUT, TYPE_OUTPUT, TYPE_WIRE, TYPE_FLATTEN, TYPE_AFFINE, TYPE_LINEAR, TYPE_SCALE,
    TYPE_CONV1D, TYPE_CONV2D, TYPE_SUM_POOL, TYPE_AVERAGE_POOL, TYPE_DELAY, TYPE_THRESHOLD,
    TYPE_I, TYPE_IF, TYPE_LI, TYPE_LIF, TYPE_CUBA_LI, TYPE_CUBA_LIF
};

enum parameter_rule {
    MUST_FINITE,   /* it must be there; numbers finite */
    MUST_POSITIVE,
    MAY_FINITE,    /* it may be missing */
    MAY_SHAPE      /* it may be missing, or not be a number: then it counts as missing */
};

struct node_kind {
    const char *name; /* as in files; NULL for what no file names */
    enum node_type type;
    enum node_role role;
    const char *model; /* of NODE_NEURONS: its cells */
    bool spikes;       /* of NODE_NEURONS: puts out spikes, else values */
    struct {
        const char *name;
        enum parameter_rule rule;
    } parameter[NODE_PARAMETERS + 1];
};

/* Places of parameters in the table, for nodes that are not cells. */
enum { SHAPE = 0, WEIGHT = 0, BIAS = 1, SCALE = 0, DELAY = 0 };
enum { CONV_INPUT_SHAPE = 2, CONV_STRIDE, CONV_PADDING, CONV_DILATION, CONV_GROUPS };
enum { POOL_KERNEL = 0, POOL_STRIDE, POOL_PADDING };

enum padding { PADDING_NUMBERS, PADDING_SAME, PADDING_VALID };

struct nir_edge {
    uint32_t source, target;
};

struct nir_node {
    char *name; /* with the names of the graphs around it */
    const struct node_kind *kind;
    struct nir_array parameter[NODE_PARAMETERS]; /* as kind->parameter */
    enum padding padding; /* convolutions */
    uint32_t depth;       /* how many graphs it lies in */
    uint32_t *in, *out;   /* [in_count], [out_count]: edges, in the order of the list */
    uint32_t in_count, out_count;
};

struct nir_graph {
    const char *path; /* for messages, borrowed */
    struct nir_node *nodes; /* [node_count] */
    uint32_t node_count;
    struct nir_edge *edges; /* [edge_count], as in the file, inner graphs after outer ones */
    uint32_t edge_count;
    uint32_t *order; /* [node_count], node indices sorted by name */
};

/* Must be freed also when it fails. */
bool nir_graph_read(struct nir_graph *graph, struct nir_file *file, struct error *error);
void nir_graph_free(struct nir_graph *graph);

/* Index of a node; -1 if there is none. */
int64_t nir_graph_find(const struct nir_graph *graph, const char *name);

#endif
