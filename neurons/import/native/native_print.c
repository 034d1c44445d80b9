/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Printing a document as a person would write it: what fits on a line stands on one, and every
 * number has as few digits as bring the same double back.
 */
#include "neurons/import/native/native_writer.h"

#include <string.h>

enum { LINE_LIMIT = 96, INDENT = 2 };

/* The shortest text that is read as the same number. */
static void number_print(FILE *file, const json_t *number)
{
    char text[64];
    for (size_t digits = 15; digits <= 17; digits++) {
        size_t length =
            json_dumpb(number, text, sizeof text, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
        json_t *again = json_loadb(text, length, JSON_DECODE_ANY, NULL);
        bool same = json_number_value(again) == json_number_value(number);
        json_decref(again);
        if (same || digits == 17) {
            fprintf(file, "%.*s", (int)length, text);
            return;
        }
    }
}

/* About how many characters it takes on one line (a number counts as 6); LINE_LIMIT or more for
 * any that do not fit. */
static size_t line_length(const json_t *json)
{
    const char *key;
    json_t *value;
    size_t index, length = 2;
    if (!json_is_object(json) && !json_is_array(json))
        return json_is_string(json) ? 2 + json_string_length(json) : 6;
    json_object_foreach((json_t *)(uintptr_t)json, key,
                        value) if ((length += strlen(key) + 6 + line_length(value)) >
                                   LINE_LIMIT) return LINE_LIMIT;
    json_array_foreach(json, index, value) if ((length += 2 + line_length(value)) >
                                               LINE_LIMIT) return LINE_LIMIT;
    return length;
}

/* What stands between the members of an object or array, and before its end. */
static void break_print(FILE *file, bool first, bool flat, int indent)
{
    if (!first)
        putc(',', file);
    if (!flat)
        fprintf(file, "\n%*s", indent, "");
    else if (!first)
        putc(' ', file);
}

static void container_print(FILE *file, const json_t *json, int indent)
{
    bool object = json_is_object(json), first = true,
         flat = (size_t)indent + line_length(json) < LINE_LIMIT;
    const char *key;
    json_t *value;
    size_t index;
    putc(object ? '{' : '[', file);
    json_object_foreach((json_t *)(uintptr_t)json, key, value)
    {
        json_t *name = json_string(key);
        break_print(file, first, flat, indent + INDENT);
        json_dumpf(name, file, JSON_ENCODE_ANY);
        fputs(": ", file);
        document_print(file, value, indent + INDENT);
        json_decref(name);
        first = false;
    }
    json_array_foreach(json, index, value)
    {
        break_print(file, first, flat, indent + INDENT);
        document_print(file, value, indent + INDENT);
        first = false;
    }
    if (!flat)
        fprintf(file, "\n%*s", indent, "");
    putc(object ? '}' : ']', file);
}

void document_print(FILE *file, const json_t *json, int indent)
{
    if (json_is_object(json) || json_is_array(json))
        container_print(file, json, indent);
    else if (json_is_real(json))
        number_print(file, json);
    else
        json_dumpf(json, file, JSON_ENCODE_ANY);
}
