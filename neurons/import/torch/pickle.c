/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The stack machine of pickle protocols 2 to 5 (pickletools in Python's
 * library says what each opcode means), with the opcodes that a state dict
 * needs. One function an opcode, found in a table; an opcode that is not
 * there is refused.
 *
 * A value is 16 bytes and is copied freely: text lies in the pickle, what a
 * tuple or dictionary holds lies in the lists of struct pickle and is never
 * copied. So memory grows by a fixed amount with each opcode, however often
 * the memo repeats a value, and nothing here recurses.
 *
 * The invariant: whatever the values on the stack, in the memo and in the
 * lists refer to is inside the pickle or the lists; marks are on the stack
 * only.
 */
#include "neurons/import/torch/pickle.h"

#include "neurons/import/utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_LIMIT = 8 << 20, ORDERED_DICT = 255, SHOWN = 80 };

struct reader {
    struct pickle *pickle;
    const struct pickle_global *globals; /* [globals_count] */
    size_t globals_count;
    uint32_t at;                         /* next byte of the pickle */
    uint32_t stack_length, stack_capacity;
    uint32_t memo_length, memo_capacity;
    struct pickle_value *stack, *memo;
    bool stopped;
    struct error *error;
};

static bool refuse(struct reader *reader, const char *sentence)
{
    return error_set(reader->error, ERROR_FAILED, "%s; the file is damaged or was not written by "
                     "torch.save", sentence);
}

/* The array of elements of `size` bytes, of which there are `length`, with room for `more`. NULL
 * if there is no memory; then the array is as it was. */
static void *with_room(void *array, uint32_t *capacity, uint32_t length, uint32_t more,
                       size_t size, struct error *error)
{
    size_t needed = (size_t)length + more;
    if (array != NULL && needed <= *capacity)
        return array;
    size_t larger = needed + needed / 2 + 64; /* lengths stay below 2^24, as the pickle's does */
    void *moved = reallocarray(array, larger, size);
    if (moved == NULL)
        error_no_memory(error, "a pickle");
    else
        *capacity = (uint32_t)larger;
    return moved;
}

/* ------------------------------------------------------------------ reading */

/* The next `count` bytes, NULL if there are fewer. */
static const unsigned char *take(struct reader *reader, uint64_t count)
{
    if (count > reader->pickle->length - reader->at) {
        refuse(reader, "the pickle ends too early");
        return NULL;
    }
    const unsigned char *bytes = reader->pickle->bytes + reader->at;
    reader->at += (uint32_t)count;
    return bytes;
}

/* A number of `size` bytes, little-endian. */
static bool take_number(struct reader *reader, int size, uint64_t *number)
{
    const unsigned char *bytes = take(reader, (uint64_t)size);
    if (bytes == NULL)
        return false;
    *number = 0;
    while (size-- > 0)
        *number = *number << 8 | bytes[size];
    return true;
}

/* ---------------------------------------------------------------- the stack */

static bool push(struct reader *reader, struct pickle_value value)
{
    struct pickle_value *stack = with_room(reader->stack, &reader->stack_capacity,
                                           reader->stack_length, 1, sizeof *stack, reader->error);
    if (stack == NULL)
        return false;
    reader->stack = stack;
    stack[reader->stack_length++] = value;
    return true;
}

/* The `count` values on top, at least one, the lowest first; NULL if there are fewer above the
 * last mark. */
static struct pickle_value *top(struct reader *reader, uint32_t count)
{
    if (count > reader->stack_length) {
        refuse(reader, "an opcode needs more values than there are");
        return NULL;
    }
    struct pickle_value *values = reader->stack + (reader->stack_length - count);
    for (uint32_t i = 0; i < count; i++) {
        if (values[i].kind == PICKLE_MARK) {
            refuse(reader, "an opcode needs a value where a mark is");
            return NULL;
        }
    }
    return values;
}

/* How many values are above the last mark. */
static bool count_to_mark(struct reader *reader, uint32_t *count)
{
    for (*count = 0; *count < reader->stack_length; (*count)++)
        if (reader->stack[reader->stack_length - 1 - *count].kind == PICKLE_MARK)
            return true;
    return refuse(reader, "an opcode needs a mark that is not there");
}

/* ------------------------------------------------------------------- opcodes */

static bool do_protocol(struct reader *reader)
{
    uint64_t protocol;
    if (!take_number(reader, 1, &protocol))
        return false;
    if (protocol >= 2 && protocol <= 5)
        return true;
    return error_set(reader->error, ERROR_FAILED, "pickle protocol %" PRIu64 " is not read, only "
                     "2 to 5; save the file again with another torch.save", protocol);
}

/* Frames say how far to read ahead; there is nothing to read ahead. */
static bool do_frame(struct reader *reader)
{
    return take(reader, 8) != NULL;
}

static bool do_mark(struct reader *reader)
{
    return push(reader, (struct pickle_value){.kind = PICKLE_MARK});
}

static bool do_none(struct reader *reader)
{
    return push(reader, (struct pickle_value){.kind = PICKLE_NONE});
}

static bool do_true(struct reader *reader)
{
    return push(reader, (struct pickle_value){.kind = PICKLE_BOOL, .integer = 1});
}

static bool do_false(struct reader *reader)
{
    return push(reader, (struct pickle_value){.kind = PICKLE_BOOL, .integer = 0});
}

static bool push_integer(struct reader *reader, int64_t integer)
{
    return push(reader, (struct pickle_value){.kind = PICKLE_INTEGER, .integer = integer});
}

static bool do_integer_1(struct reader *reader)
{
    uint64_t number;
    return take_number(reader, 1, &number) && push_integer(reader, (int64_t)number);
}

static bool do_integer_2(struct reader *reader)
{
    uint64_t number;
    return take_number(reader, 2, &number) && push_integer(reader, (int64_t)number);
}

static bool do_integer_4(struct reader *reader)
{
    uint64_t number;
    return take_number(reader, 4, &number) && push_integer(reader, (int32_t)(uint32_t)number);
}

/* Two's complement of as many bytes as needed. */
static bool do_long(struct reader *reader)
{
    uint64_t size, number = 0;
    if (!take_number(reader, 1, &size))
        return false;
    if (size > 8)
        return refuse(reader, "an integer has more than 64 bits");
    if (!take_number(reader, (int)size, &number))
        return false;
    if (size > 0 && size < 8 && number >> (8 * size - 1) != 0)
        number |= UINT64_MAX << (8 * size);
    return push_integer(reader, (int64_t)number);
}

static bool push_text(struct reader *reader, int size)
{
    uint64_t length;
    if (!take_number(reader, size, &length))
        return false;
    uint32_t first = reader->at;
    const unsigned char *text = take(reader, length);
    if (text == NULL)
        return false;
    if (utf8_invalid_at((const char *)text, (size_t)length) != length)
        return refuse(reader, "a text is not valid UTF-8");
    return push(reader, (struct pickle_value){.kind = PICKLE_TEXT, .count = (uint32_t)length,
                                              .first = first});
}

static bool do_text_1(struct reader *reader)
{
    return push_text(reader, 1);
}

static bool do_text_4(struct reader *reader)
{
    return push_text(reader, 4);
}

/* Replaces the `count` values on top by a tuple of them. */
static bool make_tuple(struct reader *reader, uint32_t count, uint32_t marks)
{
    struct pickle *pickle = reader->pickle;
    uint32_t first = pickle->items_length;
    if (count > 0) {
        const struct pickle_value *values = top(reader, count);
        struct pickle_value *items = with_room(pickle->items, &pickle->items_capacity, first,
                                               count, sizeof *items, reader->error);
        if (items != NULL)
            pickle->items = items;
        if (values == NULL || items == NULL)
            return false;
        memcpy(items + first, values, count * sizeof *items);
    }
    pickle->items_length += count;
    reader->stack_length -= count + marks;
    return push(reader, (struct pickle_value){.kind = PICKLE_TUPLE, .count = count,
                                              .first = first});
}

static bool do_tuple_0(struct reader *reader)
{
    return make_tuple(reader, 0, 0);
}

static bool do_tuple_1(struct reader *reader)
{
    return make_tuple(reader, 1, 0);
}

static bool do_tuple_2(struct reader *reader)
{
    return make_tuple(reader, 2, 0);
}

static bool do_tuple_3(struct reader *reader)
{
    return make_tuple(reader, 3, 0);
}

static bool do_tuple_to_mark(struct reader *reader)
{
    uint32_t count;
    return count_to_mark(reader, &count) && make_tuple(reader, count, 1);
}

static bool do_dict(struct reader *reader)
{
    struct pickle *pickle = reader->pickle;
    struct pickle_dict *dicts = with_room(pickle->dicts, &pickle->dicts_capacity,
                                          pickle->dicts_length, 1, sizeof *dicts, reader->error);
    if (dicts == NULL)
        return false;
    pickle->dicts = dicts;
    dicts[pickle->dicts_length] = (struct pickle_dict){PICKLE_END, PICKLE_END};
    return push(reader, (struct pickle_value){.kind = PICKLE_DICT,
                                              .first = pickle->dicts_length++});
}

/* Adds pairs of keys and values, `count` in turn, to a dictionary. */
static bool add_pairs(struct reader *reader, uint32_t dictionary,
                      const struct pickle_value *values, uint32_t count)
{
    struct pickle *pickle = reader->pickle;
    struct pickle_dict *dict = &pickle->dicts[dictionary];
    struct pickle_pair *pairs = with_room(pickle->pairs, &pickle->pairs_capacity,
                                          pickle->pairs_length, count / 2, sizeof *pairs,
                                          reader->error);
    if (pairs == NULL)
        return false;
    pickle->pairs = pairs;
    for (uint32_t i = 0; i < count; i += 2) {
        uint32_t pair = pickle->pairs_length++;
        pairs[pair] = (struct pickle_pair){values[i], values[i + 1], PICKLE_END};
        if (dict->last == PICKLE_END)
            dict->first = pair;
        else
            pairs[dict->last].next = pair;
        dict->last = pair;
    }
    return true;
}

/* Sets `count` values on top, keys and values in turn, in the dictionary under them and `marks`
 * marks. */
static bool set_items(struct reader *reader, uint32_t count, uint32_t marks)
{
    if (count % 2 != 0)
        return refuse(reader, "a dictionary is given a key without a value");
    if (count > 0 && top(reader, count) == NULL)
        return false;
    uint32_t below = count + marks;
    if (reader->stack_length <= below)
        return refuse(reader, "an item is set in nothing");
    const struct pickle_value *under = &reader->stack[reader->stack_length - below - 1];
    if (under->kind != PICKLE_DICT)
        return refuse(reader, "an item is set in something that is no dictionary");
    if (!add_pairs(reader, under->first, under + 1 + marks, count))
        return false;
    reader->stack_length -= below;
    return true;
}

static bool do_set_item(struct reader *reader)
{
    return set_items(reader, 2, 0);
}

static bool do_set_items(struct reader *reader)
{
    uint32_t count;
    return count_to_mark(reader, &count) && set_items(reader, count, 1);
}

/* Pickles number the memo in turn, so that it never needs more than was put there. */
static bool memo_put(struct reader *reader, uint64_t index)
{
    const struct pickle_value *value = top(reader, 1);
    if (value == NULL)
        return false;
    if (index > reader->memo_length)
        return refuse(reader, "the memo is not filled in turn");
    struct pickle_value *memo = with_room(reader->memo, &reader->memo_capacity,
                                          reader->memo_length, 1, sizeof *memo, reader->error);
    if (memo == NULL)
        return false;
    reader->memo = memo;
    memo[index] = *value;
    reader->memo_length += index == reader->memo_length;
    return true;
}

static bool do_put_1(struct reader *reader)
{
    uint64_t index;
    return take_number(reader, 1, &index) && memo_put(reader, index);
}

static bool do_put_4(struct reader *reader)
{
    uint64_t index;
    return take_number(reader, 4, &index) && memo_put(reader, index);
}

static bool do_memoize(struct reader *reader)
{
    return memo_put(reader, reader->memo_length);
}

static bool memo_get(struct reader *reader, int size)
{
    uint64_t index;
    if (!take_number(reader, size, &index))
        return false;
    if (index >= reader->memo_length)
        return refuse(reader, "the memo holds nothing under a number that is asked for");
    return push(reader, reader->memo[index]);
}

static bool do_get_1(struct reader *reader)
{
    return memo_get(reader, 1);
}

static bool do_get_4(struct reader *reader)
{
    return memo_get(reader, 4);
}

/* ------------------------------------------------------------ what is called */

struct words {
    const char *at;
    size_t length;
};

static bool words_are(struct words words, const char *text)
{
    return strlen(text) == words.length && memcmp(words.at, text, words.length) == 0;
}

static int words_shown(struct words words)
{
    return (int)utf8_invalid_at(words.at, words.length < SHOWN ? words.length : SHOWN);
}

static bool push_global(struct reader *reader, struct words module, struct words name)
{
    struct pickle_value value = {.kind = PICKLE_GLOBAL, .global = ORDERED_DICT};
    if (words_are(module, "collections") && words_are(name, "OrderedDict"))
        return push(reader, value);
    for (size_t i = 0; i < reader->globals_count; i++) {
        if (words_are(module, reader->globals[i].module)
            && words_are(name, reader->globals[i].name)) {
            value.global = (uint8_t)i;
            return push(reader, value);
        }
    }
    return error_set(reader->error, ERROR_FAILED, "asks for '%.*s.%.*s', which no state dict of "
                     "tensors needs, so the file is refused, and nothing in it was run; load it "
                     "where it is trusted and save its state_dict() alone", words_shown(module),
                     module.at, words_shown(name), name.at);
}

static bool take_line(struct reader *reader, struct words *line)
{
    const unsigned char *at = reader->pickle->bytes + reader->at;
    const unsigned char *end = memchr(at, '\n', reader->pickle->length - reader->at);
    if (end == NULL)
        return refuse(reader, "the pickle ends in the middle of a name");
    *line = (struct words){(const char *)at, (size_t)(end - at)};
    reader->at += (uint32_t)line->length + 1;
    return true;
}

static bool do_global(struct reader *reader)
{
    struct words module, name;
    return take_line(reader, &module) && take_line(reader, &name)
        && push_global(reader, module, name);
}

static bool do_stack_global(struct reader *reader)
{
    const struct pickle_value *values = top(reader, 2);
    if (values == NULL)
        return false;
    if (values[0].kind != PICKLE_TEXT || values[1].kind != PICKLE_TEXT)
        return refuse(reader, "the name of what it asks for is no text");
    reader->stack_length -= 2;
    return push_global(reader,
                       (struct words){pickle_text(reader->pickle, &values[0]), values[0].count},
                       (struct words){pickle_text(reader->pickle, &values[1]), values[1].count});
}

/* A call is written down, not made; only an empty OrderedDict becomes a dictionary. */
static bool do_call(struct reader *reader)
{
    const struct pickle_value *values = top(reader, 2);
    if (values == NULL)
        return false;
    if (values[0].kind != PICKLE_GLOBAL || values[1].kind != PICKLE_TUPLE)
        return refuse(reader, "something is called that cannot be, or not with a tuple");
    struct pickle_value call = values[1];
    call.kind = PICKLE_CALL;
    call.global = values[0].global;
    if (call.global == ORDERED_DICT && call.count != 0)
        return refuse(reader, "an OrderedDict is made with arguments");
    reader->stack_length -= 2;
    return call.global == ORDERED_DICT ? do_dict(reader) : push(reader, call);
}

/* Attributes set on a dictionary tell nothing of its tensors. */
static bool do_build(struct reader *reader)
{
    const struct pickle_value *values = top(reader, 2);
    if (values == NULL)
        return false;
    if (values[0].kind != PICKLE_DICT || values[1].kind != PICKLE_DICT)
        return refuse(reader, "attributes are set on something that is no dictionary");
    reader->stack_length--;
    return true;
}

static bool do_persistent(struct reader *reader)
{
    struct pickle_value *value = top(reader, 1);
    if (value == NULL)
        return false;
    if (value->kind != PICKLE_TUPLE)
        return refuse(reader, "a persistent id is not a tuple");
    value->kind = PICKLE_PERSISTENT;
    return true;
}

static bool do_stop(struct reader *reader)
{
    const struct pickle_value *value = top(reader, 1);
    if (value == NULL)
        return false;
    if (reader->stack_length != 1 || reader->at != reader->pickle->length)
        return refuse(reader, "the pickle ends with something left over");
    reader->pickle->result = *value;
    reader->stopped = true;
    return true;
}

static bool (*const opcodes[256])(struct reader *) = {
    [0x80] = do_protocol,   [0x95] = do_frame,        ['.'] = do_stop,
    ['('] = do_mark,        ['N'] = do_none,          [0x88] = do_true,
    [0x89] = do_false,      ['K'] = do_integer_1,     ['M'] = do_integer_2,
    ['J'] = do_integer_4,   [0x8a] = do_long,         [0x8c] = do_text_1,
    ['X'] = do_text_4,      [')'] = do_tuple_0,       [0x85] = do_tuple_1,
    [0x86] = do_tuple_2,    [0x87] = do_tuple_3,      ['t'] = do_tuple_to_mark,
    ['}'] = do_dict,        ['s'] = do_set_item,      ['u'] = do_set_items,
    ['q'] = do_put_1,       ['r'] = do_put_4,         [0x94] = do_memoize,
    ['h'] = do_get_1,       ['j'] = do_get_4,         ['c'] = do_global,
    [0x93] = do_stack_global, ['R'] = do_call,        ['b'] = do_build,
    ['Q'] = do_persistent,
};

static bool step(struct reader *reader)
{
    const unsigned char *opcode = take(reader, 1);
    if (opcode == NULL)
        return false;
    if (opcodes[*opcode] == NULL)
        return error_set(reader->error, ERROR_FAILED, "opcode 0x%02x is not one that a state dict "
                         "of tensors needs; load the file where it is trusted and save its "
                         "state_dict() alone", *opcode);
    return opcodes[*opcode](reader);
}

/* -------------------------------------------------------------- the public */

bool pickle_read(struct pickle *pickle, const char *place, const void *bytes, size_t length,
                 const struct pickle_global *globals, size_t count, struct error *error)
{
    memset(pickle, 0, sizeof *pickle);
    if (length > LENGTH_LIMIT)
        return error_set(error, ERROR_FAILED, "%s: has %zu bytes, more than the %d that the names "
                         "of a model's tensors may take; split the model into shards", place,
                         length, LENGTH_LIMIT);
    pickle->bytes = bytes;
    pickle->length = (uint32_t)length;
    struct reader reader = {.pickle = pickle, .globals = globals, .globals_count = count,
                            .error = error};
    bool read = length >= 2 && pickle->bytes[0] == 0x80;
    if (!read)
        error_set(error, ERROR_FAILED, "%s: does not begin as a pickle of protocol 2 or later; the "
                  "file is damaged or was not written by torch.save", place);
    while (read && !reader.stopped) {
        uint32_t at = reader.at;
        read = step(&reader);
        if (!read)
            error_within(error, "%s: byte %" PRIu32, place, at);
    }
    free(reader.stack);
    free(reader.memo);
    if (!read)
        pickle_free(pickle);
    return read;
}

void pickle_free(struct pickle *pickle)
{
    free(pickle->items);
    free(pickle->pairs);
    free(pickle->dicts);
    memset(pickle, 0, sizeof *pickle);
}

const struct pickle_value *pickle_item(const struct pickle *pickle,
                                       const struct pickle_value *value, uint32_t index)
{
    return &pickle->items[value->first + index];
}

const char *pickle_text(const struct pickle *pickle, const struct pickle_value *text)
{
    return (const char *)pickle->bytes + text->first;
}

bool pickle_is_text(const struct pickle *pickle, const struct pickle_value *value,
                    const char *text)
{
    return value->kind == PICKLE_TEXT && value->count == strlen(text)
        && memcmp(pickle_text(pickle, value), text, value->count) == 0;
}

const char *pickle_kind_name(const struct pickle_value *value)
{
    static const char *const names[] = {
        [PICKLE_NONE] = "None", [PICKLE_BOOL] = "True or False", [PICKLE_INTEGER] = "a number",
        [PICKLE_TEXT] = "a text", [PICKLE_TUPLE] = "a tuple", [PICKLE_DICT] = "a dictionary",
        [PICKLE_GLOBAL] = "a function or type", [PICKLE_CALL] = "a call",
        [PICKLE_PERSISTENT] = "a storage", [PICKLE_MARK] = "a mark",
    };
    return names[value->kind];
}
