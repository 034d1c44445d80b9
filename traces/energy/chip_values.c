/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Values of chip files, each checked where it stands. Places are written as JSON pointers.
 */
#define _GNU_SOURCE 1
#include "traces/energy/chip_internal.h"

#include "neurons/import/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PLACE_SHOWN = 480 };

struct chip_item chip_member(const struct chip_item *object, const char *key)
{
    return (struct chip_item){json_object_get(object->json, key), object, key, 0};
}

struct chip_item chip_element(const struct chip_item *array, size_t index)
{
    return (struct chip_item){json_array_get(array->json, index), array, NULL, index};
}

/* Writes "/energy/synop" and returns its length; nothing for the document itself. */
static size_t place_print(const struct chip_item *item, char text[PLACE_SHOWN])
{
    if (item->up == NULL) {
        text[0] = '\0';
        return 0;
    }
    size_t length = place_print(item->up, text), room = PLACE_SHOWN - length;
    int more = item->key == NULL ? snprintf(text + length, room, "/%zu", item->index)
                                 : snprintf(text + length, room, "/%.*s", utf8_clip(item->key),
                                            item->key);
    return more < 0 || (size_t)more >= room ? PLACE_SHOWN - 1 : length + (size_t)more;
}

bool chip_refuse(const struct chip_reader *reader, const struct chip_item *item, const char *format,
                 ...)
{
    char place[PLACE_SHOWN], sentence[1024];
    size_t length = place_print(item, place);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    return error_set(reader->error, ERROR_FAILED, "%s: %s %s", utf8_tail(reader->origin),
                     length > 0 ? place : "the document", sentence);
}

bool chip_expect(const struct chip_reader *reader, const struct chip_item *item, bool right,
                 const char *what)
{
    if (right)
        return true;
    if (item->json == NULL)
        return chip_refuse(reader, item, "is missing; it must be %s", what);
    return chip_refuse(reader, item, "must be %s", what);
}

void chip_list(char list[CHIP_LIST], const char *name)
{
    static const char more[] = ", …";
    size_t length = strlen(list), needed = strlen(name) + 2;
    if (length >= strlen(more) && strcmp(list + length - strlen(more), more) == 0)
        return;
    if (length + needed + sizeof more > CHIP_LIST)
        strcpy(list + length, length > 0 ? more : more + 2);
    else
        sprintf(list + length, "%s%s", length > 0 ? ", " : "", name);
}

static bool refuse_word(const struct chip_reader *reader, const struct chip_item *item,
                        const char *word, const char *const *words)
{
    char list[CHIP_LIST] = "";
    for (size_t i = 0; words[i] != NULL; i++)
        chip_list(list, words[i]);
    if (word == NULL)
        return chip_refuse(reader, item, "is missing; it is one of %s", list);
    return chip_refuse(reader, item, "is '%.*s'; it is one of %s", utf8_clip(word), word, list);
}

bool chip_members(const struct chip_reader *reader, const struct chip_item *item,
                  const char *const *keys)
{
    if (!chip_expect(reader, item, json_is_object(item->json), "an object, { … }"))
        return false;
    const char *key;
    json_t *value;
    json_object_foreach(item->json, key, value)
    {
        size_t at = 0;
        while (keys[at] != NULL && strcmp(keys[at], key) != 0)
            at++;
        if (keys[at] != NULL)
            continue;
        char list[CHIP_LIST] = "";
        for (size_t i = 0; keys[i] != NULL; i++)
            chip_list(list, keys[i]);
        struct chip_item unknown = chip_member(item, key);
        return chip_refuse(reader, &unknown, "is not known; there is %s", list);
    }
    return true;
}

bool chip_flag(const struct chip_reader *reader, const struct chip_item *item, bool *value)
{
    if (!chip_expect(reader, item, json_is_boolean(item->json), "true or false"))
        return false;
    *value = json_is_true(item->json);
    return true;
}

bool chip_number(const struct chip_reader *reader, const struct chip_item *item, double *value)
{
    if (!chip_expect(reader, item, json_is_number(item->json), "a number"))
        return false;
    *value = json_number_value(item->json);
    if (!(*value >= 0) || !isfinite(*value))
        return chip_refuse(reader, item, "is %.9g; no figure is less than nothing", *value);
    return true;
}

bool chip_integer(const struct chip_reader *reader, const struct chip_item *item, double low,
                  double high, uint64_t *value)
{
    if (!chip_expect(reader, item, json_is_integer(item->json),
                     "a whole number, written without point and exponent"))
        return false;
    json_int_t number = json_integer_value(item->json);
    if (number < (json_int_t)low || number > (json_int_t)high)
        return chip_refuse(reader, item, "is %lld; it must be from %.0f to %.0f",
                           (long long)number, low, high);
    *value = (uint64_t)number;
    return true;
}

bool chip_word(const struct chip_reader *reader, const struct chip_item *item,
               const char *const *words, unsigned *value)
{
    const char *text = json_string_value(item->json);
    if (item->json != NULL && !chip_text_at(reader, item, &text))
        return false;
    for (size_t i = 0; text != NULL && words[i] != NULL; i++) {
        if (strcmp(words[i], text) == 0) {
            *value = (unsigned)i;
            return true;
        }
    }
    return refuse_word(reader, item, text, words);
}

bool chip_text_at(const struct chip_reader *reader, const struct chip_item *item,
                  const char **text)
{
    *text = json_string_value(item->json);
    if (!chip_expect(reader, item, *text != NULL && (*text)[0] != '\0', "a text, \"…\""))
        return false;
    for (const char *c = *text; *c != '\0'; c++) /* they would reach the terminal */
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return chip_refuse(reader, item, "has a control character (code %d); texts are one "
                               "line", (unsigned char)*c);
    return true;
}

bool chip_copy(const struct chip_reader *reader, const struct chip_item *item, char **text)
{
    const char *given;
    if (!chip_text_at(reader, item, &given))
        return false;
    *text = strdup(given);
    return *text != NULL || error_no_memory(reader->error, "the description of a chip");
}
