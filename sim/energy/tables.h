/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tables of `volley energy` that are made only when asked for. */
#ifndef VOLLEY_ENERGY_TABLES_H
#define VOLLEY_ENERGY_TABLES_H

#include "sim/energy/comparison.h"
#include "traces/energy/break_even.h"
#include "traces/energy/neurobench.h"
#include "traces/energy/waterfall.h"

/* A chip that is only needed for a table. */
struct helping_chip {
    struct chip *chip;
    struct estimate *estimate;
};

struct energy_tables {
    struct break_even **break_even; /* [chips of the comparison][BASELINES]; NULL: not asked for; an
                                       entry is NULL where there is nothing to compare */
    size_t break_even_count;        /* entries */
    size_t focus;                   /* the chip whose populations are shown */
    struct waterfall *waterfall;    /* NULL: not asked for */
    const struct chip_cost *waterfall_of;
    struct helping_chip helpers[3]; /* of the waterfall */
    bool has_neurobench;
    struct neurobench neurobench;
};

struct energy_tables_request {
    bool break_even, waterfall, neurobench;
    const struct chip_cost *focus; /* the chip that was chosen; NULL: none */
};

/* False with error; free them with energy_tables_free in any case. */
bool energy_tables_make(struct energy_tables *tables, const struct comparison *comparison,
                        const struct energy_tables_request *request, struct error *error);
void energy_tables_free(struct energy_tables *tables);

#endif
