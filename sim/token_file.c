/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads token ids from a file, character by character. The invariant: `tokens` holds the ids that
 * have ended; the one in hand is in `value` if `digits` is set. What stands between two ids is
 * white space with at most one comma in it, and neither end of the file has a comma.
 */
#include "sim/token_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS_MOST = 1 << 28, FIRST_ROOM = 1 << 10, PIECE = 1 << 16 };

struct reading {
    const char *path;
    uint32_t *tokens; /* [room] */
    size_t count, room;
    uint64_t value, line;
    bool digits; /* an id is in hand */
    bool comma;  /* since the last id a comma has come */
    struct error *error;
};

static bool end_token(struct reading *reading)
{
    if (!reading->digits)
        return true;
    reading->digits = false;
    if (reading->count == reading->room) {
        size_t room = reading->room == 0 ? FIRST_ROOM : 2 * reading->room;
        uint32_t *grown = room <= TOKENS_MOST ?
                              realloc(reading->tokens, room * sizeof *grown) : NULL;
        if (grown == NULL)
            return error_set(reading->error, ERROR_FAILED,
                             "%s, line %llu: more tokens than memory holds; give fewer",
                             reading->path, (unsigned long long)reading->line);
        reading->tokens = grown;
        reading->room = room;
    }
    reading->tokens[reading->count++] = (uint32_t)reading->value;
    return true;
}

static bool misplaced(const struct reading *reading, const char *what)
{
    return error_set(reading->error, ERROR_MISUSED,
                     "%s, line %llu: %s; it takes token ids with white space or one comma between "
                     "them", reading->path, (unsigned long long)reading->line, what);
}

static bool take(struct reading *reading, unsigned char byte)
{
    if (byte >= '0' && byte <= '9') {
        reading->value = (reading->digits ? 10 * reading->value : 0) + (uint64_t)(byte - '0');
        reading->digits = true;
        reading->comma = false;
        return reading->value <= UINT32_MAX || misplaced(reading, "an id beyond 32 bits");
    }
    if (!end_token(reading))
        return false;
    if (byte == ',') {
        if (reading->comma || reading->count == 0)
            return misplaced(reading, "a comma without an id before it");
        reading->comma = true;
        return true;
    }
    if (byte == '\n')
        reading->line++;
    if (byte == ' ' || (byte >= '\t' && byte <= '\r'))
        return true;
    char what[48];
    snprintf(what, sizeof what, byte > ' ' && byte < 127 ? "'%c' is no digit"
                                                         : "byte 0x%02x is no digit", byte);
    return misplaced(reading, what);
}

static bool read_all(struct reading *reading, FILE *file)
{
    unsigned char piece[PIECE];
    for (;;) {
        size_t length = fread(piece, 1, sizeof piece, file);
        for (size_t i = 0; i < length; i++)
            if (!take(reading, piece[i]))
                return false;
        if (length < sizeof piece)
            break;
    }
    if (ferror(file) != 0)
        return error_set(reading->error, ERROR_FAILED, "%s: %s", reading->path, strerror(errno));
    return end_token(reading) && (!reading->comma || misplaced(reading, "a comma at the end"));
}

bool token_file_read(const char *path, uint32_t **tokens, size_t *count, struct error *error)
{
    struct reading reading = {.path = path, .line = 1, .error = error};
    *tokens = NULL;
    *count = 0;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return error_set(error, ERROR_MISUSED, "%s: %s", path, strerror(errno));
    bool done = read_all(&reading, file);
    fclose(file);
    if (!done) {
        free(reading.tokens);
        return false;
    }
    if (reading.count > 0) { /* what was taken ahead goes back; smaller cannot fail to fit */
        uint32_t *fitted = realloc(reading.tokens, reading.count * sizeof *fitted);
        reading.tokens = fitted != NULL ? fitted : reading.tokens;
    }
    *tokens = reading.tokens;
    *count = reading.count;
    return true;
}
