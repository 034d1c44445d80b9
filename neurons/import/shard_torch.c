/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Shards as torch.save writes them: a ZIP archive whose members are stored as they are,
 *
 *     STEM/data.pkl     the dict of tensors (torch_pickle.h)
 *     STEM/byteorder    "little"
 *     STEM/data/0 …     the bytes of each tensor
 *     STEM/version      "3\n"
 *
 * where STEM is the file's name without its suffix. A member is
 *
 *     local header (30), name, ZIP64 extra, extra "FB" that pads with Z, bytes, descriptor
 *
 * with the bytes at a multiple of 64, so that they can be mapped, and CRC-32 and lengths in the
 * descriptor behind them. After all members come the central directory, the ZIP64 end (56), its
 * locator (20) and the end (22). Lengths and places from 2^32 - 1 on stand in ZIP64 extras; the
 * length of everything follows from the members' lengths alone, which is what makes it possible to
 * lay the file out beforehand.
 */
#define _GNU_SOURCE 1
#include "neurons/import/shard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "neurons/import/torch_pickle.h"

enum {
    ALIGNMENT = 64,
    LOCAL_BYTES = 30,
    CENTRAL_BYTES = 46,
    END_BYTES = 56 + 20 + 22,
    FRONT = 2,               /* members before the tensors: data.pkl, byteorder; one comes after */
    FLAGS = 1 << 3 | 1 << 11 /* a descriptor follows the bytes; names are UTF-8 */
};

static const char byte_order[] = "little", version[] = "3\n";

struct member {
    char *name;
    const char *bytes; /* NULL for a tensor's */
    uint64_t length, header, place;
    uint32_t checksum;
};

struct archive {
    char *pickle;
    size_t pickle_length, count;
    uint64_t directory; /* where the central directory begins */
    uint64_t directory_length;
    struct member members[]; /* [count] */
};

static bool is_long(uint64_t value)
{
    return value >= UINT32_MAX;
}

static uint32_t capped(uint64_t value)
{
    return is_long(value) ? UINT32_MAX : (uint32_t)value;
}

static uint32_t wide_extra(const struct member *member)
{
    uint32_t bytes = (is_long(member->length) ? 16 : 0) + (is_long(member->header) ? 8 : 0);
    return bytes > 0 ? bytes + 4 : 0;
}

static void archive_free(void *own)
{
    struct archive *archive = own;
    if (archive == NULL)
        return;
    for (size_t i = 0; i < archive->count; i++)
        free(archive->members[i].name);
    free(archive->pickle);
    free(archive);
}

/* ---- the layout ---- */

static bool name_member(struct member *member, const struct shard *shard, const char *rest)
{
    size_t length = strlen(shard->name), suffix = strlen(torch_shards.suffix);
    if (length > suffix && strcmp(shard->name + length - suffix, torch_shards.suffix) == 0)
        length -= suffix;
    if (asprintf(&member->name, "%.*s/%s", (int)length, shard->name, rest) < 0)
        member->name = NULL;
    return member->name != NULL;
}

static bool list_members(const struct shard *shard, struct archive *archive)
{
    char rest[32];
    struct member *members = archive->members, *last = &members[archive->count - 1];
    members[0].bytes = archive->pickle;
    members[0].length = archive->pickle_length;
    members[1].bytes = byte_order;
    members[1].length = sizeof byte_order - 1;
    last->bytes = version;
    last->length = sizeof version - 1;
    bool named = name_member(&members[0], shard, "data.pkl") &&
                 name_member(&members[1], shard, "byteorder") &&
                 name_member(last, shard, "version");
    for (size_t i = 0; i < shard->length && named; i++) {
        members[FRONT + i].length = shard->tensors[i]->bytes;
        snprintf(rest, sizeof rest, "data/%zu", i);
        named = name_member(&members[FRONT + i], shard, rest);
    }
    return named;
}

static void place_members(struct shard *shard, struct archive *archive)
{
    uint64_t at = 0;
    for (size_t i = 0; i < archive->count; i++) {
        struct member *member = &archive->members[i];
        member->header = at;
        at += LOCAL_BYTES + strlen(member->name) + wide_extra(member) + 4;
        member->place = (at + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        at = member->place + member->length + (wide_extra(member) > 0 ? 24 : 16);
        archive->directory_length += CENTRAL_BYTES + strlen(member->name) + wide_extra(member);
    }
    for (size_t i = 0; i < shard->length; i++)
        shard->places[i] = archive->members[FRONT + i].place;
    archive->directory = at;
    shard->bytes = at + archive->directory_length + END_BYTES;
}

static bool lay_out(struct shard *shard, struct error *error)
{
    size_t count = FRONT + shard->length + 1;
    struct archive *archive = calloc(1, sizeof *archive + count * sizeof *archive->members);
    if (archive == NULL)
        return error_no_memory(error, "a shard");
    shard->own = archive;
    archive->count = count;
    archive->pickle = torch_pickle_write(shard->tensors, shard->length, shard->name,
                                         &archive->pickle_length, error);
    if (archive->pickle == NULL)
        return false;
    if (!list_members(shard, archive))
        return error_no_memory(error, "a shard");
    place_members(shard, archive);
    return true;
}

/* ---- the bytes ---- */

static void put(FILE *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++, value >>= 8)
        putc((int)(value & 0xff), out);
}

static void put_wide_extra(FILE *out, const struct member *member)
{
    uint32_t bytes = wide_extra(member);
    if (bytes == 0)
        return;
    put(out, 1, 2);
    put(out, bytes - 4, 2);
    if (is_long(member->length)) {
        put(out, member->length, 8);
        put(out, member->length, 8);
    }
    if (is_long(member->header))
        put(out, member->header, 8);
}

/* Up to the member's bytes; checksum and lengths are 0 here. */
static void put_local(FILE *out, const struct member *member)
{
    size_t name = strlen(member->name);
    uint64_t padding = member->place - member->header - LOCAL_BYTES - name - wide_extra(member) - 4;
    put(out, 0x04034b50, 4);
    put(out, 0, 2);
    put(out, FLAGS, 2);
    put(out, 0, 18); /* stored, no date; checksum and two lengths */
    put(out, name, 2);
    put(out, wide_extra(member) + 4 + padding, 2);
    fputs(member->name, out);
    put_wide_extra(out, member);
    fputs("FB", out);
    put(out, padding, 2);
    for (uint64_t i = 0; i < padding; i++)
        putc('Z', out);
}

static void put_descriptor(FILE *out, const struct member *member)
{
    int width = wide_extra(member) > 0 ? 8 : 4;
    put(out, 0x08074b50, 4);
    put(out, member->checksum, 4);
    put(out, member->length, width);
    put(out, member->length, width);
}

static void put_central(FILE *out, const struct member *member)
{
    put(out, 0x02014b50, 4);
    put(out, 0, 4);
    put(out, FLAGS, 2);
    put(out, 0, 6);
    put(out, member->checksum, 4);
    put(out, capped(member->length), 4);
    put(out, capped(member->length), 4);
    put(out, strlen(member->name), 2);
    put(out, wide_extra(member), 2);
    put(out, 0, 10); /* no comment, first disk, no attributes */
    put(out, capped(member->header), 4);
    fputs(member->name, out);
    put_wide_extra(out, member);
}

static void put_end(FILE *out, const struct archive *archive)
{
    uint64_t members = archive->count < 0xffff ? archive->count : 0xffff;
    put(out, 0x06064b50, 4);
    put(out, 44, 8); /* bytes that follow in this record */
    put(out, 0x31e, 2);
    put(out, 45, 2); /* version 4.5, which knows ZIP64 */
    put(out, 0, 8);
    put(out, archive->count, 8);
    put(out, archive->count, 8);
    put(out, archive->directory_length, 8);
    put(out, archive->directory, 8);
    put(out, 0x07064b50, 4);
    put(out, 0, 4);
    put(out, archive->directory + archive->directory_length, 8);
    put(out, 1, 4);
    put(out, 0x06054b50, 4);
    put(out, 0, 4);
    put(out, members, 2);
    put(out, members, 2);
    put(out, capped(archive->directory_length), 4);
    put(out, capped(archive->directory), 4);
    put(out, 0, 2);
}

/* What one of these has put out, written at `place`. */
static bool write_part(const struct shard *shard, int file, uint64_t place, FILE *out, char **text,
                       size_t *length, struct error *error)
{
    bool whole = !ferror(out);
    whole = fclose(out) == 0 && whole;
    whole = whole ? shard_write(file, shard->name, place, *text, *length, error)
                  : error_no_memory(error, "a shard");
    free(*text);
    return whole;
}

static bool write_member(const struct shard *shard, int file, const struct member *member,
                         struct error *error)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL)
        return error_no_memory(error, "a shard");
    put_local(out, member);
    if (!write_part(shard, file, member->header, out, &text, &length, error))
        return false;
    if (member->bytes != NULL &&
        !shard_write(file, shard->name, member->place, member->bytes, member->length, error))
        return false;
    out = open_memstream(&text, &length);
    if (out == NULL)
        return error_no_memory(error, "a shard");
    put_descriptor(out, member);
    return write_part(shard, file, member->place + member->length, out, &text, &length, error);
}

static bool finish(const struct shard *shard, int file, const uint32_t *checksums,
                   struct error *error)
{
    struct archive *archive = shard->own;
    for (size_t i = 0; i < archive->count; i++) {
        struct member *member = &archive->members[i];
        if (member->bytes != NULL)
            member->checksum =
                (uint32_t)crc32_z(0, (const unsigned char *)member->bytes, member->length);
        else
            member->checksum = checksums[i - FRONT];
        if (!write_member(shard, file, member, error))
            return false;
    }
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL)
        return error_no_memory(error, "a shard");
    for (size_t i = 0; i < archive->count; i++)
        put_central(out, &archive->members[i]);
    put_end(out, archive);
    return write_part(shard, file, archive->directory, out, &text, &length, error);
}

const struct shard_format torch_shards = {
    .name = "PyTorch",
    .stem = "pytorch_model",
    .suffix = ".bin",
    .index = "pytorch_model.bin.index.json",
    .checksums = true,
    .lay_out = lay_out,
    .finish = finish,
    .free = archive_free,
};
