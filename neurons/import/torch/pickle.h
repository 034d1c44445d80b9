/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a Python pickle says, without doing any of it. A pickle is a program
 * for a small stack machine that may call any function; here a call is only
 * written down, as its function and arguments, and only functions that the
 * reader's caller names may be called at all.
 *
 * Read is what a state dict of tensors needs: dictionaries, ordered or not,
 * tuples, text, integers of 64 bits, True, False, None, calls and persistent
 * ids. Anything else is refused.
 */
#ifndef VOLLEY_PICKLE_H
#define VOLLEY_PICKLE_H

#include "scheduler/error.h"

#include <stddef.h>
#include <stdint.h>

enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,       /* integer: 0 or 1 */
    PICKLE_INTEGER,    /* integer */
    PICKLE_TEXT,       /* count bytes of the pickle from `first`: valid UTF-8 */
    PICKLE_TUPLE,      /* items first … first + count − 1 */
    PICKLE_DICT,       /* dicts[first] */
    PICKLE_GLOBAL,     /* global: index among those allowed */
    PICKLE_CALL,       /* of `global`; its arguments are items as a tuple's */
    PICKLE_PERSISTENT, /* an id that is a tuple, whose items these are */
    PICKLE_MARK        /* on the stack only */
};

struct pickle_value {
    uint8_t kind;   /* enum pickle_kind */
    uint8_t global;
    uint32_t count;
    union {
        int64_t integer;
        uint32_t first;
    };
};

struct pickle_global {
    const char *module, *name;
};

enum { PICKLE_END = UINT32_MAX };

struct pickle_pair {
    struct pickle_value key, value;
    uint32_t next; /* among the pairs of the same dictionary; PICKLE_END after the last */
};

struct pickle_dict {
    uint32_t first, last; /* pairs, in the order in which they were set; PICKLE_END if none */
};

struct pickle {
    const unsigned char *bytes; /* [length], the caller's */
    uint32_t length;
    struct pickle_value *items; /* [items_length], those of all tuples */
    struct pickle_pair *pairs;  /* [pairs_length], those of all dictionaries */
    struct pickle_dict *dicts;  /* [dicts_length] */
    uint32_t items_length, pairs_length, dicts_length;
    uint32_t items_capacity, pairs_capacity, dicts_capacity;
    struct pickle_value result; /* a dictionary may hold itself: do not follow values blindly */
};

/* Reads a pickle of protocol 2 to 5, at most 8 MiB long, which must outlive it. `globals` [count],
 * at most 255, are what it may call or name, besides collections.OrderedDict without arguments,
 * which becomes a dictionary. The state that a dictionary's BUILD sets (attributes such as
 * _metadata) is dropped. Memory: while reading at most about 32 bytes for each byte of a hostile
 * pickle, about 4 for one that torch.save wrote. `place` begins each sentence. */
bool pickle_read(struct pickle *pickle, const char *place, const void *bytes, size_t length,
                 const struct pickle_global *globals, size_t count, struct error *error);
/* Does nothing to one that is all zero. */
void pickle_free(struct pickle *pickle);

/* Item `index` of a tuple, call or persistent id that has more than that. */
const struct pickle_value *pickle_item(const struct pickle *pickle,
                                       const struct pickle_value *value, uint32_t index);
/* The bytes of a text. */
const char *pickle_text(const struct pickle *pickle, const struct pickle_value *text);
/* Whether `value` is this text. */
bool pickle_is_text(const struct pickle *pickle, const struct pickle_value *value,
                    const char *text);
/* "a number", "a tuple", ... */
const char *pickle_kind_name(const struct pickle_value *value);

#endif
