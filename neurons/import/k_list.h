/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A list of the k of thresholds by names of populations: "GLOB=K,GLOB=K…".
 *
 * A population has the k of the last item that its name matches (fnmatch: * is
 * any text, ? any character, [a-c] one of these).
 */
#ifndef VOLLEY_K_LIST_H
#define VOLLEY_K_LIST_H

#include "scheduler/error.h"

#include <stddef.h>

/* The range that k of a threshold is taken from. */
#define K_LOWEST 1e-3
#define K_HIGHEST 1e3

struct k_list {
    struct k_item {
        char *glob;
        double k;
    } *items; /* [length] */
    size_t length;
};

/* NULL with `error` filled. */
struct k_list *k_list_parse(const char *text, struct error *error);
void k_list_free(struct k_list *list);

/* The k of a population; `standard` where no item matches, or `list` is NULL. */
double k_list_find(const struct k_list *list, const char *name, double standard);
bool k_list_matches(const struct k_item *item, const char *name);

#endif
