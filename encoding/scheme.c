/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The table of schemes, their settings as text, and what is the same for all of them.
 *
 * Invariant of settings that scheme_check has let through: every parameter is a finite number in
 * its range, whole where it must be, and highest - lowest is a positive number to divide by.
 */
#include "encoding/scheme.h"
#include "encoding/schemes/schemes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct scheme *const table[] = {
    &scheme_rate,
    &scheme_intervals,
    &scheme_regular,
    &scheme_latency,
    &scheme_log_latency,
    &scheme_rank_order,
    &scheme_phase,
    &scheme_burst,
    &scheme_population,
    &scheme_radix,
    &scheme_binary,
    &scheme_ternary,
    &scheme_bitwise,
    &scheme_unsigned,
    &scheme_twos_complement,
    &scheme_threshold,
    &scheme_step_forward,
    &scheme_moving_window,
    &scheme_send_on_delta,
    &scheme_sigma_delta,
    &scheme_bsa,
    &scheme_hsa,
    &scheme_constant,
};

enum { LENGTH = sizeof table / sizeof *table, OWNERS = 1 << 28 };

const struct scheme *const *scheme_table(size_t *length)
{
    *length = LENGTH;
    return table;
}

/* Adds a name to a list in words; what has no room is left out. */
static void list_add(char *list, size_t room, const char *name)
{
    size_t used = strlen(list);
    snprintf(list + used, room - used, "%s%s", used > 0 ? ", " : "", name);
}

const struct scheme *scheme_find(const char *name, struct error *error)
{
    char known[512] = "";
    for (size_t i = 0; i < LENGTH; i++) {
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
        list_add(known, sizeof known, table[i]->name);
    }
    error_set(error, ERROR_MISUSED, "unknown scheme '%.100s'; known are %s", name, known);
    return NULL;
}

int scheme_parameter(const struct scheme *scheme, const char *name)
{
    for (int i = 0; scheme->parameters[i].name != NULL; i++)
        if (strcmp(scheme->parameters[i].name, name) == 0)
            return i;
    return -1;
}

/* ---- text ---- */

static bool parameter_unknown(const struct scheme *scheme, const char *name, struct error *error)
{
    char known[256] = "";
    for (int i = 0; scheme->parameters[i].name != NULL; i++)
        list_add(known, sizeof known, scheme->parameters[i].name);
    return error_set(error, ERROR_MISUSED, "scheme %s has no parameter '%.60s'; it has %s",
                     scheme->name, name, known[0] != '\0' ? known : "none");
}

/* Reads "PARAMETER=VALUE", which is changed. */
static bool parameter_read(char *text, struct scheme_settings *settings, struct error *error)
{
    const struct scheme *scheme = settings->scheme;
    char *value = strchr(text, '='), *end;
    if (value == NULL)
        return error_set(error, ERROR_MISUSED, "scheme %s: '%.60s' is not PARAMETER=VALUE",
                         scheme->name, text);
    *value++ = '\0';
    int index = scheme_parameter(scheme, text);
    if (index < 0)
        return parameter_unknown(scheme, text, error);
    if (settings->given & UINT32_C(1) << index)
        return error_set(error, ERROR_MISUSED, "scheme %s: %s is given twice", scheme->name, text);
    settings->parameter[index] = strtod(value, &end);
    settings->given |= UINT32_C(1) << index;
    return (end != value && *end == '\0') ||
           error_set(error, ERROR_MISUSED, "scheme %s: %s takes a number, not '%.60s'",
                     scheme->name, text, value);
}

static bool parse(char *text, struct scheme_settings *settings, struct error *error)
{
    char *rest = strchr(text, ':'), *item;
    if (rest != NULL)
        *rest++ = '\0';
    *settings = (struct scheme_settings){.scheme = scheme_find(text, error), .highest = 1,
                                         .seed = 1};
    if (settings->scheme == NULL)
        return false;
    for (int i = 0; settings->scheme->parameters[i].name != NULL; i++)
        settings->parameter[i] = settings->scheme->parameters[i].standard;
    while (rest != NULL && (item = strsep(&rest, ",")) != NULL)
        if (!parameter_read(item, settings, error))
            return false;
    return scheme_check(settings, error);
}

bool scheme_parse(const char *text, struct scheme_settings *settings, struct error *error)
{
    char *copy = strdup(text);
    if (copy == NULL)
        return error_no_memory(error, "a scheme");
    bool done = parse(copy, settings, error);
    free(copy);
    return done;
}

/* As few digits as give the same number. */
static void number_print(FILE *file, double number)
{
    char text[32];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    fputs(text, file);
}

char *scheme_text(const struct scheme_settings *settings)
{
    const struct scheme *scheme = settings->scheme;
    char *text = NULL;
    size_t length;
    FILE *file = open_memstream(&text, &length);
    if (file == NULL)
        return NULL;
    fputs(scheme->name, file);
    char before = ':';
    for (int i = 0; scheme->parameters[i].name != NULL; i++) {
        if (settings->parameter[i] == scheme->parameters[i].standard &&
            (settings->given >> i & 1) == 0)
            continue;
        fprintf(file, "%c%s=", before, scheme->parameters[i].name);
        number_print(file, settings->parameter[i]);
        before = ',';
    }
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- checks ---- */

static bool parameter_check(const struct scheme *scheme, const struct scheme_parameter *parameter,
                            double value, struct error *error)
{
    bool inside = value >= parameter->low && value <= parameter->high;
    if (inside && (!parameter->whole || value == floor(value)))
        return true;
    return error_set(error, ERROR_MISUSED, "scheme %s: %s is %.15g; it must be a %snumber from "
                     "%.15g to %.15g", scheme->name, parameter->name, value,
                     parameter->whole ? "whole " : "", parameter->low, parameter->high);
}

bool scheme_check(const struct scheme_settings *settings, struct error *error)
{
    const struct scheme *scheme = settings->scheme;
    for (int i = 0; scheme->parameters[i].name != NULL; i++)
        if (!parameter_check(scheme, &scheme->parameters[i], settings->parameter[i], error))
            return false;
    /* the difference too must be a number to divide by */
    if (!isfinite(settings->lowest) || !isfinite(settings->highest) ||
        !(settings->highest > settings->lowest) ||
        !isfinite(settings->highest - settings->lowest))
        return error_set(error, ERROR_MISUSED, "scheme %s: the range of values %g to %g is not "
                         "one; give two numbers, the lower first", scheme->name,
                         settings->lowest, settings->highest);
    if (settings->owner >= OWNERS)
        return error_set(error, ERROR_MISUSED, "scheme %s: number %u is beyond the %d channels or "
                         "populations that can have chance of their own", scheme->name,
                         settings->owner, OWNERS);
    return scheme->check == NULL || scheme->check(settings, error);
}

/* ---- sizes ---- */

uint32_t scheme_neurons(const struct scheme_settings *settings)
{
    return settings->scheme->neurons != NULL ? settings->scheme->neurons(settings) : 1;
}

uint32_t scheme_ticks(const struct scheme_settings *settings)
{
    const struct scheme *scheme = settings->scheme;
    if (scheme->form != SCHEME_VALUE && scheme->form != SCHEME_CURRENT)
        return 1;
    if (scheme->ticks != NULL)
        return scheme->ticks(settings);
    int index = scheme_parameter(scheme, "ticks");
    return index >= 0 ? (uint32_t)settings->parameter[index] : 1;
}

size_t scheme_room(const struct scheme_settings *settings, size_t length)
{
    size_t room;
    if (settings->scheme->room != NULL)
        return settings->scheme->room(settings, length);
    if (__builtin_mul_overflow(length, (size_t)scheme_ticks(settings), &room) ||
        __builtin_mul_overflow(room, (size_t)scheme_neurons(settings), &room))
        return SIZE_MAX;
    return room;
}

/* ---- values ---- */

void scheme_scale(const struct scheme_settings *settings, const double *values, size_t length,
                  double *x)
{
    double width = settings->highest - settings->lowest;
    for (size_t i = 0; i < length; i++)
        x[i] = (values[i] - settings->lowest) / width;
}

void scheme_unscale(const struct scheme_settings *settings, const double *x, size_t length,
                    double *values)
{
    double width = settings->highest - settings->lowest;
    for (size_t i = 0; i < length; i++)
        values[i] = settings->lowest + x[i] * width;
}

void scheme_count(const struct timed_spike *spikes, size_t count, uint32_t ticks, size_t length,
                  double *x)
{
    for (size_t i = 0; i < length; i++)
        x[i] = 0;
    for (size_t s = 0; s < count; s++)
        x[(uint64_t)spikes[s].tick / ticks]++;
}
