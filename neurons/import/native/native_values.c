/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Values of native documents: words, numbers, distributions, each checked where it stands.
 */
#define _GNU_SOURCE 1
#include "neurons/import/native/native_values.h"

#include "neurons/import/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PLACE_SHOWN = 480, /* bytes of a place in a sentence */
    NAMES_SHOWN = 280, /* … and of a list of names */
    WORD_LIMIT = 40    /* longer words are near to nothing */
};

/* ------------------------------------------------------------------ places */

struct native_item native_member(const struct native_item *object, const char *key)
{
    return (struct native_item){json_object_get(object->json, key), object, key, 0};
}

struct native_item native_element(const struct native_item *array, size_t index)
{
    return (struct native_item){json_array_get(array->json, index), array, NULL, index};
}

/* Writes "populations.exc.shape[1]: " and returns its length; nothing for the document itself. */
static size_t place_print(const struct native_item *item, char text[PLACE_SHOWN])
{
    if (item->up == NULL) {
        text[0] = '\0';
        return 0;
    }
    size_t length = place_print(item->up, text), room = PLACE_SHOWN - length;
    int more = item->key == NULL ? snprintf(text + length, room, "[%zu]", item->index)
                                 : snprintf(text + length, room, "%s%.*s", length > 0 ? "." : "",
                                            utf8_clip(item->key), item->key);
    return more < 0 || (size_t)more >= room ? PLACE_SHOWN - 1 : length + (size_t)more;
}

bool native_refuse(const struct native_reader *reader, const struct native_item *item,
                   const char *format, ...)
{
    char place[PLACE_SHOWN], sentence[1024];
    size_t length = place_print(item, place);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    return error_set(reader->error, ERROR_FAILED, "%s: %s%s%s", utf8_tail(reader->name), place,
                     length > 0 ? ": " : "", sentence);
}

/* How many letters must be put in, left out or changed to make one of the other. */
static size_t word_distance(const char *one, const char *other)
{
    size_t row[WORD_LIMIT + 1], length = strlen(other);
    if (length > WORD_LIMIT || strlen(one) > WORD_LIMIT)
        return SIZE_MAX;
    for (size_t i = 0; i <= length; i++)
        row[i] = i;
    for (const char *letter = one; *letter != '\0'; letter++) {
        size_t diagonal = row[0]++;
        for (size_t i = 1; i <= length; i++) {
            size_t changed = diagonal + (*letter != other[i - 1]);
            size_t least = 1 + (row[i] < row[i - 1] ? row[i] : row[i - 1]);
            diagonal = row[i];
            row[i] = changed < least ? changed : least;
        }
    }
    return row[length];
}

bool native_unknown(const struct native_reader *reader, const struct native_item *item,
                    const char *what, const char *word, const char *const *names, size_t count)
{
    char list[NAMES_SHOWN] = "";
    size_t length = 0, nearest = 0, distance = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t away = word_distance(word, names[i]);
        if (away < distance) {
            distance = away;
            nearest = i;
        }
        size_t needed = (size_t)utf8_clip(names[i]) + 2;
        if (length + needed + sizeof " …" < sizeof list)
            length += (size_t)sprintf(list + length, "%s%.*s", i == 0 ? "" : ", ",
                                      utf8_clip(names[i]), names[i]);
        else {
            strcpy(list + length, " …");
            break;
        }
    }
    if (count == 0)
        return native_refuse(reader, item, "unknown %s '%.*s'; there is none", what,
                             utf8_clip(word), word);
    bool near = distance <= 1 + strlen(word) / 4 && distance < strlen(word);
    return native_refuse(reader, item, "unknown %s '%.*s';%s%.*s%s there is %s", what,
                         utf8_clip(word), word, near ? " did you mean '" : "",
                         near ? utf8_clip(names[nearest]) : 0, near ? names[nearest] : "",
                         near ? "'?" : "", list);
}

/* ------------------------------------------------------------ simple values */

bool native_expect(const struct native_reader *reader, const struct native_item *item, bool right,
                   const char *what)
{
    if (right)
        return true;
    if (item->json == NULL)
        return native_refuse(reader, item, "is missing; it must be %s", what);
    return native_refuse(reader, item, "must be %s", what);
}

bool native_fields(const struct native_reader *reader, const struct native_item *item,
                   const char *const *fields)
{
    if (!native_expect(reader, item, json_is_object(item->json), "an object, { … }"))
        return false;
    size_t count = 0;
    while (fields[count] != NULL)
        count++;
    const char *key;
    json_t *value;
    json_object_foreach(item->json, key, value)
    {
        size_t at = 0;
        while (at < count && strcmp(fields[at], key) != 0)
            at++;
        if (at == count)
            return native_unknown(reader, item, "field", key, fields, count);
    }
    return true;
}

bool native_flag(const struct native_reader *reader, const struct native_item *item, bool *value)
{
    if (!native_expect(reader, item, json_is_boolean(item->json), "true or false"))
        return false;
    *value = json_is_true(item->json);
    return true;
}

bool native_integer(const struct native_reader *reader, const struct native_item *item, int64_t low,
                    int64_t high, int64_t *value)
{
    if (!native_expect(reader, item, json_is_integer(item->json),
                       "a whole number, written without point and exponent"))
        return false;
    *value = json_integer_value(item->json);
    if (*value < low || *value > high)
        return native_refuse(reader, item, "must be from %lld to %lld, is %lld", (long long)low,
                             (long long)high, (long long)*value);
    return true;
}

/* What is wrong with a value in that range; NULL if nothing. */
const char *native_fault(enum parameter_range range, double value)
{
    if (range == RANGE_POSITIVE && !(value > 0))
        return "must be positive";
    if (range == RANGE_NOT_NEGATIVE && !(value >= 0))
        return "must not be negative";
    if (range == RANGE_INTEGER && value != floor(value))
        return "must be a whole number";
    return isfinite(value) ? NULL : "must be finite";
}

bool native_number(const struct native_reader *reader, const struct native_item *item,
                   enum parameter_range range, double *value)
{
    if (!native_expect(reader, item, json_is_number(item->json), "a number"))
        return false;
    *value = json_number_value(item->json);
    const char *fault = native_fault(range, *value);
    return fault == NULL || native_refuse(reader, item, "%s, is %.9g", fault, *value);
}

bool native_text(const struct native_reader *reader, const struct native_item *item,
                 const char **text)
{
    *text = json_string_value(item->json);
    return native_expect(reader, item, *text != NULL && (*text)[0] != '\0', "a text, \"…\"");
}

bool native_word(const struct native_reader *reader, const struct native_item *item,
                 const char *what, const char *const *words, unsigned *value)
{
    const char *text;
    if (!native_text(reader, item, &text))
        return false;
    size_t count = 0;
    for (; words[count] != NULL; count++) {
        if (strcmp(words[count], text) == 0) {
            *value = (unsigned)count;
            return true;
        }
    }
    return native_unknown(reader, item, what, text, words, count);
}

bool native_integers(const struct native_reader *reader, const struct native_item *item,
                     uint32_t limit, int64_t low, uint32_t *values, uint32_t *count)
{
    if (!native_expect(reader, item, json_is_array(item->json), "a list of whole numbers, [ … ]"))
        return false;
    size_t length = json_array_size(item->json);
    if (length == 0 || length > limit)
        return native_refuse(reader, item, "must have 1 to %u numbers, has %zu", limit, length);
    for (size_t i = 0; i < length; i++) {
        struct native_item element = native_element(item, i);
        int64_t value;
        if (!native_integer(reader, &element, low, INT32_MAX, &value))
            return false;
        values[i] = (uint32_t)value;
    }
    *count = (uint32_t)length;
    return true;
}

bool native_range(const struct native_reader *reader, const struct native_item *item,
                  uint32_t neurons, uint32_t *first, uint32_t *count)
{
    uint32_t range[2], length = 0;
    if (!native_integers(reader, item, 2, 0, range, &length))
        return false;
    if (length != 2 || range[1] == 0 || (uint64_t)range[0] + range[1] > neurons)
        return native_refuse(reader, item,
                             "must be [first neuron, how many], at least one and "
                             "within the population's %u",
                             neurons);
    *first = range[0];
    *count = range[1];
    return true;
}

/* ----------------------------------------------------------- distributions */

/* In the order of enum distribution_kind; how many numbers each takes. */
static const struct {
    const char *name;
    uint32_t numbers;
    const char *form;
} distributions[] = {
    [DISTRIBUTION_UNIFORM] = {"uniform", 2, "[from, to]"},
    [DISTRIBUTION_NORMAL] = {"normal", 2, "[mean, standard deviation]"},
    [DISTRIBUTION_LOGNORMAL] = {"lognormal", 2, "[mean, standard deviation] of the logarithm"},
    [DISTRIBUTION_EXPONENTIAL] = {"exponential", 1, "the mean"},
};
enum { DISTRIBUTIONS = sizeof distributions / sizeof distributions[0] };

static bool distribution_numbers(const struct native_reader *reader, const struct native_item *item,
                                 struct distribution *distribution)
{
    if (distributions[distribution->kind].numbers == 1)
        return native_number(reader, item, RANGE_ANY, &distribution->a);
    if (json_array_size(item->json) != 2)
        return native_refuse(reader, item, "must be %s", distributions[distribution->kind].form);
    struct native_item a = native_element(item, 0), b = native_element(item, 1);
    return native_number(reader, &a, RANGE_ANY, &distribution->a) &&
           native_number(reader, &b, RANGE_ANY, &distribution->b);
}

/* Which one an object names; 0, a constant, and an error if not exactly one. */
static enum distribution_kind distribution_find(const struct native_reader *reader,
                                                const struct native_item *item)
{
    enum distribution_kind kind = DISTRIBUTION_CONSTANT;
    for (int i = 1; i < DISTRIBUTIONS; i++) {
        if (json_object_get(item->json, distributions[i].name) == NULL)
            continue;
        if (kind != DISTRIBUTION_CONSTANT) {
            native_refuse(reader, item, "is both '%s' and '%s'; it must be one of them",
                          distributions[kind].name, distributions[i].name);
            return DISTRIBUTION_CONSTANT;
        }
        kind = (enum distribution_kind)i;
    }
    if (kind == DISTRIBUTION_CONSTANT)
        native_refuse(reader, item,
                      "names no distribution; there is uniform, normal, lognormal, "
                      "exponential");
    return kind;
}

bool native_distribution(const struct native_reader *reader, const struct native_item *item,
                         enum parameter_range range, struct distribution *distribution)
{
    static const char *const fields[] = {"uniform", "normal", "lognormal", "exponential",
                                         "low",     "high",   "clip",      NULL};
    *distribution = (struct distribution){.low = -INFINITY, .high = INFINITY};
    if (!json_is_object(item->json))
        return native_expect(reader, item, json_is_number(item->json),
                             "a number or a distribution") &&
               native_number(reader, item, range, &distribution->a);
    if (!native_fields(reader, item, fields))
        return false;
    distribution->kind = distribution_find(reader, item);
    if (distribution->kind == DISTRIBUTION_CONSTANT)
        return false;
    struct native_item numbers = native_member(item, distributions[distribution->kind].name),
                       low = native_member(item, "low"), high = native_member(item, "high"),
                       clip = native_member(item, "clip");
    if (!distribution_numbers(reader, &numbers, distribution) ||
        (low.json != NULL && !native_number(reader, &low, range, &distribution->low)) ||
        (high.json != NULL && !native_number(reader, &high, range, &distribution->high)) ||
        (clip.json != NULL && !native_flag(reader, &clip, &distribution->clip)))
        return false;
    struct error fault = {0};
    return distribution_check(distribution, &fault) ||
           native_refuse(reader, item, "%s", fault.text);
}

bool native_quantity(struct native_reader *reader, const struct native_item *item, uint32_t neurons,
                     enum parameter_range range, struct quantity *quantity)
{
    if (native_is_array(item)) {
        uint64_t shape[1] = {neurons};
        double *values;
        if (!native_array(reader, item, 1, shape, true, &values))
            return false;
        if (!native_in_range(reader, item, values, neurons, range)) {
            free(values);
            return false;
        }
        *quantity = (struct quantity){.kind = QUANTITY_ARRAY, .array = values, .length = neurons};
        return true;
    }
    if (!json_is_number(item->json) && !json_is_object(item->json))
        return native_expect(reader, item, false,
                             "a number, a distribution, or one number for each neuron");
    struct distribution drawn;
    if (!native_distribution(reader, item, range, &drawn))
        return false;
    if (drawn.kind == DISTRIBUTION_CONSTANT)
        *quantity = (struct quantity){.kind = QUANTITY_CONSTANT, .constant = drawn.a};
    else
        *quantity = (struct quantity){.kind = QUANTITY_DRAWN, .drawn = drawn};
    return true;
}
