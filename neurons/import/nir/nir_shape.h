/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Shapes of a NIR graph: what goes into each node and what comes out.
 *
 * Files say the shape of inputs and weights; all else follows along the edges. Once found,
 * parameters of cells, scales and delays hold one number, or one for each element.
 */
#ifndef VOLLEY_NIR_SHAPE_H
#define VOLLEY_NIR_SHAPE_H

#include "neurons/delivery/convolution.h"
#include "neurons/import/nir/nir_graph.h"

struct nir_shape {
    uint64_t extent[NIR_RANK];
    uint32_t rank;
    uint64_t elements; /* 0: not known */
};

struct node_shapes {
    struct nir_shape in, out;
    struct convolution_shape window; /* convolutions and pools */
};

/* shapes [node_count], all zero. `room`: bytes that numbers may take when written out for each
 * element. Refuses edges whose ends do not meet (but for outputs, which may say what they like). */
bool nir_shapes_find(struct nir_graph *graph, struct node_shapes *shapes, uint64_t *room,
                     struct error *error);

#endif
