/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Lists of counts as bytes: LEB128 (seven bits a byte, least significant first, high bit set on all
 * but the last byte of a number), one number after the other.
 */
#ifndef VOLLEY_NUMBERS_H
#define VOLLEY_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NUMBER_BYTES = 10 }; /* of one number, at most */

/* Writes one number and returns how many bytes that took. */
static inline size_t number_write(uint64_t number, unsigned char *out)
{
    size_t length = 0;
    for (; number >= 0x80; number >>= 7)
        out[length++] = (unsigned char)(number | 0x80);
    out[length++] = (unsigned char)number;
    return length;
}

/* Reads one and moves *at behind it; false if it is not whole before `end`, or beyond 64 bits. */
static inline bool number_read(const unsigned char **at, const unsigned char *end, uint64_t *number)
{
    uint64_t value = 0;
    for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
        uint64_t byte = *(*at)++;
        if (shift == 63 && byte > 1)
            return false;
        value |= (byte & 0x7f) << shift;
        if (byte < 0x80) {
            *number = value;
            return true;
        }
    }
    return false;
}

#endif
