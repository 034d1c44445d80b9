/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The schemes there are: what each does, its formula, parameters and source. */
#include "sim/encode/encode.h"

#include <math.h>
#include <string.h>

#include "sim/columns.h"
#include "sim/figures_json.h"

enum { LEAD_WIDTH = 17, TEXT = 300 };

/* ---- for reading ---- */

static const char *const forms[] = {
    [SCHEME_VALUE] = "each value by itself, in T ticks",
    [SCHEME_SIGNAL] = "a signal through time, one tick a value",
    [SCHEME_GROUP] = "windows of values, one tick a value",
    [SCHEME_CURRENT] = "each value by itself, in T ticks; no spikes",
};

static const char *payload_text(const struct scheme *scheme)
{
    if (scheme->form == SCHEME_CURRENT)
        return "";
    if (scheme->graded)
        return scheme->is_signed ? "; graded spikes of both signs" : "; graded spikes";
    return scheme->is_signed ? "; spikes of +1 and -1" : "; plain spikes";
}

static void print_fact(FILE *out, const char *name, const char *text)
{
    char lead[LEAD_WIDTH + 40];
    snprintf(lead, sizeof lead, "  %-*.40s ", LEAD_WIDTH - 3, name);
    columns_paragraph(out, lead, LEAD_WIDTH, text);
}

static void print_parameter(FILE *out, const struct scheme_parameter *parameter)
{
    char text[TEXT];
    snprintf(text, sizeof text, "%.9g (%.9g ... %.9g%s%s%s): %s", parameter->standard,
             parameter->low, parameter->high, parameter->unit[0] != '\0' ? " " : "",
             parameter->unit, parameter->tuned ? "; --tune" : "", parameter->meaning);
    print_fact(out, parameter->name, text);
}

static void print_scheme(FILE *out, const struct scheme *scheme)
{
    char text[TEXT];
    snprintf(text, sizeof text, "%-*s", LEAD_WIDTH, scheme->name);
    columns_paragraph(out, text, LEAD_WIDTH, scheme->summary);
    print_fact(out, "definition", scheme->definition);
    for (const struct scheme_parameter *p = scheme->parameters; p->name != NULL; p++)
        print_parameter(out, p);
    snprintf(text, sizeof text, "%s%s", forms[scheme->form], payload_text(scheme));
    print_fact(out, "form", text);
    print_fact(out, "reference", scheme->reference);
}

/* ---- for scripts ---- */

static json_t *parameter_object(const struct scheme_parameter *parameter, bool *failed)
{
    json_t *object = json_object();
    figures_set(object, "name", figures_text(parameter->name), failed);
    figures_set(object, "unit", figures_text(parameter->unit), failed);
    figures_set(object, "standard", figures_number(parameter->standard), failed);
    figures_set(object, "low", figures_number(parameter->low), failed);
    figures_set(object, "high", figures_number(parameter->high), failed);
    figures_set(object, "whole", json_boolean(parameter->whole), failed);
    figures_set(object, "tuned", json_boolean(parameter->tuned), failed);
    figures_set(object, "meaning", figures_text(parameter->meaning), failed);
    return object;
}

static json_t *scheme_object(const struct scheme *scheme, bool *failed)
{
    json_t *object = json_object(), *parameters = json_array();
    figures_set(object, "name", figures_text(scheme->name), failed);
    figures_set(object, "summary", figures_text(scheme->summary), failed);
    figures_set(object, "definition", figures_text(scheme->definition), failed);
    figures_set(object, "reference", figures_text(scheme->reference), failed);
    figures_set(object, "form", figures_text(encoding_form_names[scheme->form]), failed);
    figures_set(object, "signed", json_boolean(scheme->is_signed), failed);
    figures_set(object, "graded", json_boolean(scheme->graded), failed);
    for (const struct scheme_parameter *p = scheme->parameters; p->name != NULL; p++)
        if (json_array_append_new(parameters, parameter_object(p, failed)) != 0)
            *failed = true;
    figures_set(object, "parameters", parameters, failed);
    return object;
}

bool encode_list(FILE *out, const char *name, bool json, struct error *error)
{
    size_t length;
    const struct scheme *const *table = scheme_table(&length);
    const struct scheme *only = name != NULL ? scheme_find(name, error) : NULL;
    if (name != NULL && only == NULL)
        return false;
    json_t *list = json ? json_array() : NULL;
    bool failed = false, first = true;
    for (size_t i = 0; i < length; i++) {
        if (only != NULL && table[i] != only)
            continue;
        if (json && json_array_append_new(list, scheme_object(table[i], &failed)) != 0)
            failed = true;
        if (!json && !first)
            putc('\n', out);
        if (!json)
            print_scheme(out, table[i]);
        first = false;
    }
    return !json || figures_print(out, list, failed, error);
}
