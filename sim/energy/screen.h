/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The screens of `volley energy`: chips side by side, one chip layer by layer, and the tables that
 * are asked for. */
#ifndef VOLLEY_SCREEN_ENERGY_H
#define VOLLEY_SCREEN_ENERGY_H

#include "sim/energy/comparison.h"
#include "sim/energy/tables.h"

#include <stdio.h>

/* Chips side by side: what they cost and how long they take. */
void screen_energy_totals(FILE *out, const struct comparison *comparison);
/* One of them: population x cause, where its neurons sit, where its time goes. */
void screen_energy_layers(FILE *out, const struct estimate *estimate);
/* What reordering channels by activity saves, of all chips that fetch weights in blocks. */
void screen_energy_channels(FILE *out, const struct comparison *comparison);
/* Break-even, waterfall, NeuroBench: those that are there. */
void screen_energy_tables(FILE *out, const struct comparison *comparison,
                          const struct energy_tables *tables);

/* The name of a population for a column, its layer before it: "0 attn_norm". */
void screen_energy_name(const struct load *load, uint32_t population, char *text, size_t size);

#endif
