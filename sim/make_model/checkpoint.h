/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a made-up checkpoint holds: its config.json and its tensors, with names, shapes and order as
 * published, and for each the recipe of its numbers.
 *
 * The recipes are chosen so that the network behaves as a trained one does where that matters to
 * cost: about 18 % of the channels of every population are silent at k = 3 and about 1 % of the
 * counts exceed 16, values neither grow nor vanish over the layers, and linear attention remembers
 * for tens to hundreds of tokens.
 */
#ifndef VOLLEY_CHECKPOINT_H
#define VOLLEY_CHECKPOINT_H

#include "sim/make_model/numbers.h"

struct checkpoint_shape {
    const char *name;
    uint32_t vocabulary, hidden, intermediate, layers, heads, key_heads;
    uint32_t end_token; /* and beginning */
    uint32_t window;
    bool base;       /* bf16 with low-rank gates; else F32 with scales and full gates */
    bool all_window; /* every layer is a window layer; else the odd ones */
};

struct checkpoint {
    struct checkpoint_shape shape;
    struct tensor *tensors; /* [length], in the order of a state dict; no data */
    struct recipe *recipes; /* [length] */
    size_t length;
    uint64_t elements, bytes; /* of all tensors */
};

/* "spikingbrain-7b" or "tiny"; false for another name. */
bool checkpoint_find_shape(const char *name, struct checkpoint_shape *shape, struct error *error);

bool checkpoint_plan(struct checkpoint *checkpoint, const struct checkpoint_shape *shape,
                     struct error *error);
void checkpoint_free(struct checkpoint *checkpoint);

/* The text of config.json; from malloc. */
char *checkpoint_config(const struct checkpoint_shape *shape, struct error *error);

#endif
