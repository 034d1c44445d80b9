/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "scheduler/error.h"

#include <stdarg.h>
#include <stdio.h>

bool error_set(struct error *error, enum error_code code, const char *format, ...)
{
    if (error == NULL || error->code != ERROR_NONE)
        return false;
    error->code = code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    for (char *c = error->text; *c != '\0'; c++) /* names from hostile files stay on one line */
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    return false;
}

bool error_within(struct error *error, const char *format, ...)
{
    char place[256];
    if (error == NULL || error->code == ERROR_NONE)
        return false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(place, sizeof place, format, arguments);
    va_end(arguments);
    struct error cause = *error;
    error->code = ERROR_NONE;
    return error_set(error, cause.code, "%s: %s", place, cause.text);
}

bool error_no_memory(struct error *error, const char *what)
{
    return error_set(error, ERROR_FAILED, "not enough memory for %s", what);
}
