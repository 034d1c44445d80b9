/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Private to the reader of native documents: what the parts of reading a projection share. */
#ifndef VOLLEY_NATIVE_LINKS_H
#define VOLLEY_NATIVE_LINKS_H

#include "neurons/import/native/native_values.h"

/* A projection while it is read. */
struct link {
    struct native_reader *reader;
    const struct native_item *item;
    struct blueprint_projection *projection;
    uint32_t sources, targets; /* neurons of the populations */
    const struct rule *rule;   /* of native_links.c */
    struct native_item
        named; /* the value of the rule's own field; JSON NULL if it is just a name */
    struct native_item rule_item;
};

/* ---- native_weights.c ---- */

/* "type" and "scale". *given says whether a type was; else the format is left alone. */
bool link_read_type(const struct link *link, enum weight_format *format, double *scale,
                    bool *given);
/* Weights that a format cannot hold are refused; those of integer formats become exactly what the
 * nearest code means, if they are that but for rounding. */
bool link_weights_fit(const struct link *link, const struct native_item *item, double *weights,
                      uint64_t length, enum weight_format format, double scale);
/* Where the weights stand: "weight" or "codes". */
bool link_weight_place(const struct link *link, struct native_item *weight);
/* One weight for each synapse, of that shape: from "weight", or from "codes". */
bool link_read_weights(struct link *link, const struct native_item *item, uint32_t rank,
                       const uint64_t *shape);
/* One weight for all of `length` synapses, or one each. */
bool link_read_weight_or_each(struct link *link, uint64_t length);
/* One delay for all; 0 means that it takes no time, nothing that it takes one tick. */
bool link_read_delay(struct link *link);
bool link_read_delay_or_each(struct link *link, uint64_t length);

/* ---- native_windows.c ---- */

bool link_read_convolution(struct link *link);
bool link_read_pooling(struct link *link);

#endif
