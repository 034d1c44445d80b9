/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Joules as CSV (RFC 4180): one line for each chip, population and term that costs something. */
#include "sim/energy/json.h"

#include <string.h>

/* A text as a field: in quotes where it holds what separates fields or lines. */
static void print_field(FILE *out, const char *text)
{
    if (strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, out);
        return;
    }
    putc('"', out);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"')
            putc('"', out);
        putc(*c, out);
    }
    putc('"', out);
}

static void print_row(FILE *out, const struct estimate *estimate, uint32_t row)
{
    uint32_t id = estimate->rows[row].population;
    const struct load_population *population =
        id != UINT32_MAX ? &estimate->load->populations[id] : NULL;
    for (int term = 0; term < TERMS; term++) {
        if (estimate->rows[row].joules[term] == 0)
            continue;
        print_field(out, estimate->chip->name);
        putc(',', out);
        if (population != NULL && population->layer >= 0)
            fprintf(out, "%d", population->layer);
        putc(',', out);
        print_field(out, population != NULL ? population->name : "(chip)");
        fprintf(out, ",%s,%.17g,%.17g\n", energy_term_names[term],
                estimate_cell(estimate, row, (enum energy_term)term),
                estimate->rows[row].joules[term]);
    }
}

void energy_csv_print(FILE *out, const struct comparison *comparison)
{
    fprintf(out, "chip,layer,population,term,joules_per_%s,joules\n",
            load_unit(comparison->load));
    for (size_t i = 0; i < comparison->count; i++) {
        const struct estimate *estimate = comparison->chips[i].estimate;
        for (uint32_t r = 0; estimate != NULL && r < estimate->row_count; r++)
            print_row(out, estimate, r);
    }
}
