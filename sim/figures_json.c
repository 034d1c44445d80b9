/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/figures_json.h"

#include <math.h>

void figures_set(json_t *object, const char *key, json_t *value, bool *failed)
{
    if (value == NULL || json_object_set_new(object, key, value) != 0)
        *failed = true;
}

json_t *figures_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *figures_text(const char *text)
{
    json_t *value = text != NULL ? json_string(text) : NULL;
    return value != NULL ? value : json_null();
}

bool figures_print(FILE *out, json_t *object, bool failed, struct error *error)
{
    if (!failed)
        failed = json_dumpf(object, out, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) != 0 ||
                 fputc('\n', out) == EOF;
    json_decref(object);
    return !failed || error_set(error, ERROR_FAILED, "the figures cannot be written as JSON");
}
