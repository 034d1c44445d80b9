/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of count codings, and what can be said of any of them. */
#include "encoding/coding.h"
#include "encoding/codings.h"

#include <stdio.h>
#include <string.h>

static const struct coding *const table[] = {
    &coding_bitwise, &coding_ternary, &coding_binary, &coding_unsigned, &coding_twos_complement,
};

const struct coding *const *coding_table(size_t *length)
{
    *length = sizeof table / sizeof *table;
    return table;
}

const struct coding *coding_find(const char *name, struct error *error)
{
    char known[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                                 table[i]->name);
    }
    error_set(error, ERROR_MISUSED, "unknown coding '%s'; known are %s", name, known);
    return NULL;
}

struct frame coding_frame(const struct coding *coding, const int32_t *counts, uint32_t neurons)
{
    int32_t smallest = neurons > 0 ? counts[0] : 0, largest = smallest;
    for (uint32_t i = 1; i < neurons; i++) {
        smallest = counts[i] < smallest ? counts[i] : smallest;
        largest = counts[i] > largest ? counts[i] : largest;
    }
    return coding->frame(smallest, largest);
}

uint32_t coding_open(const struct coding *coding, const int32_t *counts, uint32_t neurons,
                     struct frame frame, uint32_t tick, struct spike *spikes)
{
    uint32_t length = 0;
    for (uint32_t i = 0; i < neurons; i++) {
        int32_t payload = coding->payload(counts[i], frame, tick);
        if (payload != 0)
            spikes[length++] = (struct spike){.neuron = i, .payload = payload};
    }
    return length;
}
