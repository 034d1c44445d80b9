/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Building JSON objects of figures: what both screens' JSON forms share. */
#ifndef VOLLEY_FIGURES_JSON_H
#define VOLLEY_FIGURES_JSON_H

#include "scheduler/error.h"

#include <jansson.h>
#include <stdio.h>

/* Sets a member; a NULL value (short memory) makes the object incomplete, which is found at
 * the end because *failed is set. */
void figures_set(json_t *object, const char *key, json_t *value, bool *failed);
/* A number, or null for what is not finite. */
json_t *figures_number(double value);
/* A text, or null for NULL and for what is not valid UTF-8. */
json_t *figures_text(const char *text);
/* Prints the object, unless it has failed, and releases it. */
bool figures_print(FILE *out, json_t *object, bool failed, struct error *error);

#endif
