/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A comparison of chips for scripts: as one JSON object, and as CSV. */
#ifndef VOLLEY_ENERGY_JSON_H
#define VOLLEY_ENERGY_JSON_H

#include "sim/energy/comparison.h"
#include "sim/energy/tables.h"

#include <jansson.h>
#include <stdio.h>

/* All there is, in SI units. Keys without a word about it are per token, inference or run (`unit`);
 * those that begin with run_ are of the whole run. */
bool energy_json_print(FILE *out, const struct comparison *comparison,
                       const struct energy_tables *tables, struct error *error);
/* Part of that: the tables that were asked for. */
void energy_tables_set(json_t *root, const struct comparison *comparison,
                       const struct energy_tables *tables, bool *failed);

/* One line for each chip, population and term that costs something. */
void energy_csv_print(FILE *out, const struct comparison *comparison);

#endif
