/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading the directory of a zip file (PKWARE's APPNOTE, sections 4.3 to 4.5).
 * All numbers are little-endian:
 *
 *     entry's local header, 30 bytes    "PK\3\4" … name length at 26, extra length at 28,
 *                                       name, extra field, then the data
 *     …
 *     directory, 46 bytes an entry      "PK\1\2" … flags at 8, method at 10, stored length at 20,
 *                                       real length at 24, name, extra and comment length at 28,
 *                                       30 and 32, offset of the local header at 42, name,
 *                                       extra field, comment
 *     zip64 end, 56 bytes or more       "PK\6\6" … entries at 32, directory's length at 40,
 *                                       offset at 48
 *     zip64 locator, 20 bytes           "PK\6\7" … offset of the zip64 end at 8
 *     end, 22 bytes and a comment       "PK\5\6" … entries at 10, directory's length at 12,
 *                                       offset at 16, length of the comment at 20
 *
 * A number of 32 (16) bits that is all ones stands for one of 64 bits: in the
 * zip64 end, or in the entry's extra field 1, which holds real length, stored
 * length and offset, those of them that are all ones.
 *
 * Why not a library: libzip and libarchive hand out copies and tell no place;
 * minizip tells one, but only by reading through callbacks, and without the
 * checks that a mapped file needs, so that no less would be left to do here.
 *
 * The invariant of an open zip: its entries are sorted by name, and each name
 * lies in the file. Where the data lies is checked when it is asked for, so
 * that a file of many gigabytes is not touched all over. Checksums are not
 * looked at: torch.save can be told to write none.
 */
#include "neurons/import/torch/zip.h"

#include "neurons/import/utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DAMAGED "; the file is damaged or was cut short, fetch it again"

enum { LOCAL_BYTES = 30, ENTRY_BYTES = 46, END64_BYTES = 56, LOCATOR_BYTES = 20, END_BYTES = 22,
       COMMENT_LIMIT = 65535, NAME_SHOWN = 80, FLAG_ENCRYPTED = 1, EXTRA_ZIP64 = 1 };

static uint64_t number(const unsigned char *at, int bytes)
{
    uint64_t value = 0;
    while (bytes-- > 0)
        value = value << 8 | at[bytes];
    return value;
}

static bool is_signed(const unsigned char *at, char third, char fourth)
{
    return at[0] == 'P' && at[1] == 'K' && at[2] == third && at[3] == fourth;
}

/* How much of the name to show: whole characters only. */
static int name_shown(const struct zip_entry *entry)
{
    return (int)utf8_invalid_at(entry->name, entry->name_length < NAME_SHOWN ? entry->name_length
                                                                             : NAME_SHOWN);
}

/* ------------------------------------------------------------- the directory */

struct end {
    size_t at;       /* where what follows the directory begins */
    uint64_t entries, length, offset;
};

/* The end record is the last thing in the file but for its comment. */
static bool end_find(const struct zip *zip, struct end *end, struct error *error)
{
    size_t farthest = zip->length < END_BYTES + COMMENT_LIMIT ? zip->length
                                                              : END_BYTES + COMMENT_LIMIT;
    for (size_t back = END_BYTES; back <= farthest; back++) {
        const unsigned char *at = zip->bytes + (zip->length - back);
        if (is_signed(at, 5, 6) && number(at + 20, 2) == back - END_BYTES) {
            end->at = zip->length - back;
            end->entries = number(at + 10, 2);
            end->length = number(at + 12, 4);
            end->offset = number(at + 16, 4);
            return true;
        }
    }
    return error_set(error, ERROR_FAILED, "%s: the directory at the end of the zip file is missing"
                     DAMAGED, utf8_tail(zip->path));
}

/* Takes from the zip64 end what the end had no room for. */
static bool end_widen(const struct zip *zip, struct end *end, struct error *error)
{
    if (end->entries != UINT16_MAX && end->length != UINT32_MAX && end->offset != UINT32_MAX)
        return true;
    if (end->at < LOCATOR_BYTES || !is_signed(zip->bytes + end->at - LOCATOR_BYTES, 6, 7))
        return end->length != UINT32_MAX && end->offset != UINT32_MAX /* just so many entries */
            ? true : error_set(error, ERROR_FAILED, "%s: the zip64 locator before the last %zu "
                               "bytes is missing" DAMAGED, utf8_tail(zip->path),
                               zip->length - end->at);
    size_t limit = end->at - LOCATOR_BYTES;
    uint64_t at = number(zip->bytes + limit + 8, 8);
    if (limit < END64_BYTES || at > limit - END64_BYTES || !is_signed(zip->bytes + at, 6, 6))
        return error_set(error, ERROR_FAILED, "%s: the zip64 directory's end is not at byte %"
                         PRIu64 DAMAGED, utf8_tail(zip->path), at);
    end->at = (size_t)at;
    end->entries = number(zip->bytes + at + 32, 8);
    end->length = number(zip->bytes + at + 40, 8);
    end->offset = number(zip->bytes + at + 48, 8);
    return true;
}

/* Replaces what is all ones by what the extra field of 64 bits says. */
static bool entry_widen(struct zip_entry *entry, uint64_t real_length, const unsigned char *extra,
                        size_t length)
{
    uint64_t *const wide[] = {&real_length, &entry->length, &entry->local};
    while (length >= 4) {
        size_t size = (size_t)number(extra + 2, 2);
        if (size > length - 4)
            return false;
        if (number(extra, 2) == EXTRA_ZIP64) {
            const unsigned char *at = extra + 4, *end = at + size;
            for (int i = 0; i < 3; i++) {
                if (*wide[i] != UINT32_MAX)
                    continue;
                if (end - at < 8)
                    return false;
                *wide[i] = number(at, 8);
                at += 8;
            }
            return true;
        }
        extra += 4 + size;
        length -= 4 + size;
    }
    return real_length != UINT32_MAX && entry->length != UINT32_MAX
        && entry->local != UINT32_MAX;
}

/* Reads the entry at the beginning of `left` bytes; returns how many it takes, 0 if it is bad. */
static size_t entry_read(struct zip_entry *entry, const unsigned char *at, size_t left)
{
    if (left < ENTRY_BYTES || !is_signed(at, 1, 2))
        return 0;
    size_t name = (size_t)number(at + 28, 2), extra = (size_t)number(at + 30, 2);
    size_t bytes = ENTRY_BYTES + name + extra + (size_t)number(at + 32, 2);
    if (bytes > left)
        return 0;
    *entry = (struct zip_entry){
        .name = (const char *)at + ENTRY_BYTES,
        .name_length = (uint32_t)name,
        .flags = (uint16_t)number(at + 8, 2),
        .method = (uint16_t)number(at + 10, 2),
        .length = number(at + 20, 4),
        .local = number(at + 42, 4),
    };
    return entry_widen(entry, number(at + 24, 4), at + ENTRY_BYTES + name, extra) ? bytes : 0;
}

static int name_compare(const char *left, size_t left_length, const char *right,
                        size_t right_length)
{
    int order = memcmp(left, right, left_length < right_length ? left_length : right_length);
    return order != 0 ? order : (left_length > right_length) - (left_length < right_length);
}

static int entry_compare(const void *left, const void *right)
{
    const struct zip_entry *a = left, *b = right;
    return name_compare(a->name, a->name_length, b->name, b->name_length);
}

static bool entries_read(struct zip *zip, struct error *error)
{
    size_t at = 0;
    for (size_t i = 0; i < zip->count; i++) {
        size_t bytes = entry_read(&zip->entries[i], zip->directory + at,
                                  zip->directory_length - at);
        if (bytes == 0)
            return error_set(error, ERROR_FAILED, "%s: entry %zu of the zip file's directory is "
                             "broken" DAMAGED, utf8_tail(zip->path), i);
        at += bytes;
    }
    qsort(zip->entries, zip->count, sizeof *zip->entries, entry_compare);
    for (size_t i = 1; i < zip->count; i++)
        if (entry_compare(&zip->entries[i - 1], &zip->entries[i]) == 0)
            return error_set(error, ERROR_FAILED, "%s: '%.*s' is in the zip file twice" DAMAGED,
                             utf8_tail(zip->path), name_shown(&zip->entries[i]),
                             zip->entries[i].name);
    return true;
}

bool zip_open(struct zip *zip, const char *path, const void *bytes, size_t length,
              struct error *error)
{
    *zip = (struct zip){.path = path, .bytes = bytes, .length = length};
    struct end end = {0};
    if (!end_find(zip, &end, error) || !end_widen(zip, &end, error))
        return false;
    if (end.length > end.at || end.offset > end.at - end.length
        || end.entries > end.length / ENTRY_BYTES)
        return error_set(error, ERROR_FAILED, "%s: a directory of %" PRIu64 " entries in %" PRIu64
                         " bytes from byte %" PRIu64 " on is not in the zip file" DAMAGED,
                         utf8_tail(path), end.entries, end.length, end.offset);
    zip->directory = zip->bytes + end.offset;
    zip->directory_length = (size_t)end.length;
    zip->count = (size_t)end.entries;
    zip->entries = calloc(zip->count + 1, sizeof *zip->entries);
    if (zip->entries == NULL)
        return error_no_memory(error, "the directory of a zip file");
    if (entries_read(zip, error))
        return true;
    zip_close(zip);
    return false;
}

void zip_close(struct zip *zip)
{
    free(zip->entries);
    *zip = (struct zip){0};
}

/* --------------------------------------------------------------- one entry */

const struct zip_entry *zip_find(const struct zip *zip, const char *name, size_t length)
{
    size_t low = 0, high = zip->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct zip_entry *entry = &zip->entries[middle];
        int order = name_compare(name, length, entry->name, entry->name_length);
        if (order == 0)
            return entry;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

bool zip_entry_locate(const struct zip *zip, const struct zip_entry *entry,
                      const unsigned char **bytes, struct error *error)
{
    const char *path = utf8_tail(zip->path);
    if (entry->flags & FLAG_ENCRYPTED)
        return error_set(error, ERROR_FAILED, "%s: '%.*s' is encrypted; unpack the file and save "
                         "it again with torch.save", path, name_shown(entry), entry->name);
    if (entry->method != 0)
        return error_set(error, ERROR_FAILED, "%s: '%.*s' is compressed (method %u), so that it "
                         "cannot be mapped; load and save the file again with torch.save, which "
                         "stores", path, name_shown(entry), entry->name, entry->method);
    size_t limit = (size_t)(zip->directory - zip->bytes); /* data lies before the directory */
    if (limit < LOCAL_BYTES || entry->local > limit - LOCAL_BYTES
        || !is_signed(zip->bytes + entry->local, 3, 4))
        return error_set(error, ERROR_FAILED, "%s: '%.*s' is not at byte %" PRIu64 ", where the "
                         "zip file's directory says" DAMAGED, path, name_shown(entry), entry->name,
                         entry->local);
    const unsigned char *header = zip->bytes + entry->local;
    size_t room = limit - LOCAL_BYTES - (size_t)entry->local;
    size_t name = (size_t)number(header + 26, 2), extra = (size_t)number(header + 28, 2);
    if (name != entry->name_length || name + extra > room
        || memcmp(header + LOCAL_BYTES, entry->name, name) != 0)
        return error_set(error, ERROR_FAILED, "%s: '%.*s' has another name at byte %" PRIu64
                         " than in the zip file's directory" DAMAGED, path, name_shown(entry),
                         entry->name, entry->local);
    if (entry->length > room - name - extra)
        return error_set(error, ERROR_FAILED, "%s: '%.*s' would have %" PRIu64 " bytes, but only "
                         "%zu are there" DAMAGED, path, name_shown(entry), entry->name,
                         entry->length, room - name - extra);
    *bytes = header + LOCAL_BYTES + name + extra;
    return true;
}
