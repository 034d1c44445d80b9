/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of encoders, and what is the same for all of them. */
#include "encoding/encoder.h"
#include "encoding/encoders.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct encoder *const table[] = {&encoder_rate, &encoder_latency, &encoder_constant};

enum { LENGTH = sizeof table / sizeof *table };

const struct encoder *const *encoder_table(size_t *length)
{
    *length = LENGTH;
    return table;
}

const struct encoder *encoder_find(const char *name, struct error *error)
{
    char known[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < LENGTH; i++) {
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
        int printed = snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                               table[i]->name);
        used = used + (size_t)printed < sizeof known ? used + (size_t)printed : sizeof known - 1;
    }
    error_set(error, ERROR_MISUSED, "unknown encoder '%.100s'; known are %s", name, known);
    return NULL;
}

bool encoding_check(const struct encoding *encoding, struct error *error)
{
    if (encoding->ticks < 1)
        return error_set(error, ERROR_MISUSED, "encoder %s: a sample must be shown for at least "
                         "1 tick", encoding->encoder->name);
    if (!isfinite(encoding->gain) || encoding->gain < 0)
        return error_set(error, ERROR_MISUSED, "encoder %s: the gain is %g; give a number of 0 or "
                         "more", encoding->encoder->name, encoding->gain);
    /* the difference too must be a number to divide by */
    if (!isfinite(encoding->lowest) || !isfinite(encoding->highest) ||
        !(encoding->highest > encoding->lowest) || !isfinite(encoding->highest - encoding->lowest))
        return error_set(error, ERROR_MISUSED, "encoder %s: the range of values %g to %g is not "
                         "one; give two numbers, the lower first", encoding->encoder->name,
                         encoding->lowest, encoding->highest);
    return true;
}

void encoding_scale(const struct encoding *encoding, const double *values, uint32_t neurons,
                    double *x)
{
    double width = encoding->highest - encoding->lowest;
    for (uint32_t i = 0; i < neurons; i++)
        x[i] = (values[i] - encoding->lowest) / width;
}
