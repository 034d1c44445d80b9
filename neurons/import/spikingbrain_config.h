/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config.json of a SpikingBrain checkpoint. */
#ifndef VOLLEY_SPIKINGBRAIN_CONFIG_H
#define VOLLEY_SPIKINGBRAIN_CONFIG_H

#include "scheduler/error.h"

#include <stddef.h>
#include <stdint.h>

struct spikingbrain_config {
    uint32_t vocabulary, hidden, intermediate, layers;
    uint32_t heads, key_heads, head_size;
    uint32_t window;
    double theta, epsilon;
    bool tied;          /* the head is the embedding table */
    int64_t end_token;  /* -1: none */
    bool *window_layer; /* [layers]; the others are linear attention */
};

/* Parses the text; `name` is for errors. Frees nothing but its own on failure. */
bool spikingbrain_config_parse(struct spikingbrain_config *config, const char *name,
                               const char *text, size_t length, struct error *error);
bool spikingbrain_config_read(struct spikingbrain_config *config, const char *path,
                              struct error *error);
void spikingbrain_config_free(struct spikingbrain_config *config);

#endif
