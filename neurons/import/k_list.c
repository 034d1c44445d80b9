/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "neurons/import/k_list.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* Reads GLOB=K, `length` characters of text. */
static bool parse_item(struct k_list *list, const char *text, size_t length, struct error *error)
{
    char *glob = strndup(text, length);
    if (glob == NULL)
        return error_no_memory(error, "a list of k");
    list->items[list->length++].glob = glob;
    char *number = strrchr(glob, '='), *end = NULL;
    double k = 0;
    if (number != NULL) {
        *number++ = '\0';
        k = strtod(number, &end);
    }
    bool starts = number != NULL && ((*number >= '0' && *number <= '9') || *number == '.');
    if (!starts || *glob == '\0' || *end != '\0')
        return error_set(error, ERROR_MISUSED,
                         "k by names of populations is GLOB=K with commas between, such as "
                         "'layers.0.*=2.5,*.attention=4', not '%.*s'",
                         (int)(length < 60 ? length : 60), text);
    if (!(k >= K_LOWEST && k <= K_HIGHEST))
        return error_set(error, ERROR_MISUSED, "the k of '%.60s' must lie between %g and %g", glob,
                         K_LOWEST, K_HIGHEST);
    list->items[list->length - 1].k = k;
    return true;
}

struct k_list *k_list_parse(const char *text, struct error *error)
{
    struct k_list *list = calloc(1, sizeof *list);
    size_t items = 1;
    for (const char *at = text; *at != '\0'; at++)
        items += *at == ',';
    if (list != NULL)
        list->items = calloc(items, sizeof *list->items);
    bool read = (list != NULL && list->items != NULL) || error_no_memory(error, "a list of k");
    for (const char *at = text; read && at != NULL;) {
        const char *comma = strchr(at, ',');
        read = parse_item(list, at, comma != NULL ? (size_t)(comma - at) : strlen(at), error);
        at = comma != NULL ? comma + 1 : NULL;
    }
    if (read)
        return list;
    k_list_free(list);
    return NULL;
}

void k_list_free(struct k_list *list)
{
    for (size_t i = 0; list != NULL && i < list->length; i++)
        free(list->items[i].glob);
    if (list != NULL)
        free(list->items);
    free(list);
}

bool k_list_matches(const struct k_item *item, const char *name)
{
    return fnmatch(item->glob, name, 0) == 0;
}

double k_list_find(const struct k_list *list, const char *name, double standard)
{
    for (size_t i = list != NULL ? list->length : 0; i-- > 0;)
        if (k_list_matches(&list->items[i], name))
            return list->items[i].k;
    return standard;
}
