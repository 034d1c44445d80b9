/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * IDX files, the form of MNIST and its kin, plain or packed with gzip:
 *
 *     offset 0   0, 0, type (8: unsigned bytes), rank
 *     offset 4   rank extents, u32 big-endian
 *     then       the elements, last axis fastest, to the end of the file
 *
 * Images have rank 2 or more, the first axis counting them; labels have rank 1. A packed file is
 * unpacked to exactly the length its header asks for, so a small file cannot fill the memory.
 */
#include "neurons/import/recording/idx.h"
#include "neurons/import/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum {
    HEADER_START = 4,
    TYPE_UBYTE = 8,
    RANK_LIMIT = 8,
    HEADER_LIMIT = HEADER_START + 4 * RANK_LIMIT,
    PACKED_LIMIT = 1032 /* the most bytes that one byte of deflate can stand for */
};

struct idx {
    uint64_t shape[RANK_LIMIT];
    uint32_t rank;
    const unsigned char *elements; /* [length] */
    size_t length;
    unsigned char *unpacked; /* what elements points into, or NULL: into the file */
};

static bool is_packed(const struct recording_file *file)
{
    return file->length >= 2 && file->bytes[0] == 0x1f && file->bytes[1] == 0x8b;
}

/* Reads the header out of the first `length` bytes, at least HEADER_LIMIT of them if the file has
 * as many. *size: header and elements, by what the header says. */
static bool header_read(struct idx *idx, const char *path, const unsigned char *bytes,
                        size_t length, uint64_t *size, struct error *error)
{
    const char *shown = utf8_tail(path);
    if (length < HEADER_START || bytes[0] != 0 || bytes[1] != 0)
        return error_set(error, ERROR_FAILED, "%s: is not an IDX file: it does not begin with two "
                         "zero bytes, a type and a rank", shown);
    if (bytes[2] != TYPE_UBYTE)
        return error_set(error, ERROR_FAILED, "%s: its elements are of type 0x%02x; only unsigned "
                         "bytes (0x08) can be read, convert them", shown, bytes[2]);
    idx->rank = bytes[3];
    if (idx->rank < 1 || idx->rank > RANK_LIMIT)
        return error_set(error, ERROR_FAILED, "%s: has %u axes; 1 to %d can be read", shown,
                         (unsigned)idx->rank, RANK_LIMIT);
    if (length < HEADER_START + 4 * (size_t)idx->rank)
        return error_set(error, ERROR_FAILED, "%s: ends inside its header; it was cut short, fetch "
                         "it again", shown);
    *size = 1;
    for (uint32_t i = 0; i < idx->rank; i++) {
        const unsigned char *at = bytes + HEADER_START + 4 * i;
        idx->shape[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 |
                        at[3];
        if (__builtin_mul_overflow(*size, idx->shape[i], size) || *size > SIZE_MAX / 4)
            return error_set(error, ERROR_FAILED, "%s: its extents multiply to more bytes than can "
                             "be addressed; the file is damaged", shown);
    }
    *size += HEADER_START + 4 * idx->rank;
    return true;
}

/* Unpacks up to `room` bytes; *length says how many there were. */
static bool unpack(const struct recording_file *file, unsigned char *out, size_t room,
                   size_t *length, struct error *error)
{
    z_stream stream = {0};
    if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)
        return error_no_memory(error, "unpacking");
    size_t taken = 0, made = 0;
    int code = Z_OK;
    while (code == Z_OK && made < room) {
        /* zlib counts in 32 bits */
        uInt in = file->length - taken < 1u << 30 ? (uInt)(file->length - taken) : 1u << 30;
        uInt space = room - made < 1u << 30 ? (uInt)(room - made) : 1u << 30;
        stream.next_in = (Bytef *)(uintptr_t)(file->bytes + taken);
        stream.avail_in = in;
        stream.next_out = out + made;
        stream.avail_out = space;
        code = inflate(&stream, Z_NO_FLUSH);
        taken += in - stream.avail_in;
        made += space - stream.avail_out;
    }
    inflateEnd(&stream);
    *length = made;
    if (code == Z_OK || code == Z_STREAM_END)
        return true;
    if (code == Z_MEM_ERROR)
        return error_no_memory(error, "unpacking");
    return error_set(error, ERROR_FAILED, "%s: cannot be unpacked: the gzip data are %s after %zu "
                     "bytes; fetch the file again", utf8_tail(file->path),
                     code == Z_BUF_ERROR ? "cut short" : "damaged", made);
}

static bool idx_unpack(struct idx *idx, const struct recording_file *file, struct error *error)
{
    unsigned char header[HEADER_LIMIT];
    size_t length = 0;
    uint64_t size;
    if (!unpack(file, header, sizeof header, &length, error) ||
        !header_read(idx, file->path, header, length, &size, error))
        return false;
    if (size / PACKED_LIMIT > file->length)
        return error_set(error, ERROR_FAILED, "%s: promises %" PRIu64 " bytes, more than its %zu "
                         "packed ones can hold; the file is damaged", utf8_tail(file->path), size,
                         file->length);
    idx->unpacked = malloc((size_t)size + 1); /* one more, to see whether there is more */
    if (idx->unpacked == NULL)
        return error_no_memory(error, "an unpacked file");
    if (!unpack(file, idx->unpacked, (size_t)size + 1, &length, error))
        return false;
    idx->elements = idx->unpacked + HEADER_START + 4 * (size_t)idx->rank;
    idx->length = length - HEADER_START - 4 * (size_t)idx->rank;
    return true;
}

static bool idx_read(struct idx *idx, const struct recording_file *file, struct error *error)
{
    uint64_t size;
    if (is_packed(file))
        return idx_unpack(idx, file, error);
    if (!header_read(idx, file->path, file->bytes, file->length, &size, error))
        return false;
    idx->elements = file->bytes + HEADER_START + 4 * (size_t)idx->rank;
    idx->length = file->length - HEADER_START - 4 * (size_t)idx->rank;
    return true;
}

static bool matches(const struct recording_file *file)
{
    return is_packed(file) || (file->length >= HEADER_START && file->bytes[0] == 0 &&
                               file->bytes[1] == 0 && file->bytes[2] >= TYPE_UBYTE &&
                               file->bytes[2] <= 0x0e);
}

static bool open_images(struct recording *recording, const struct recording_file *file,
                        const struct recording_options *options, struct error *error)
{
    (void)options;
    struct idx idx = {0};
    bool read = idx_read(&idx, file, error);
    recording->unpacked = idx.unpacked;
    if (read && idx.rank < 2)
        return error_set(error, ERROR_MISUSED, "%s: holds labels, not images; name the file of "
                         "images", utf8_tail(file->path));
    return read && recording_set_values(recording, ELEMENT_U1, idx.shape, idx.rank, true,
                                        idx.elements, idx.length, error);
}

const struct recording_format recording_idx = {
    .name = "IDX images",
    .matches = matches,
    .open = open_images,
};

bool idx_labels(const struct recording_file *file, unsigned char **labels, uint64_t *length,
                struct error *error)
{
    struct idx idx = {0};
    bool read = idx_read(&idx, file, error);
    if (read && (idx.rank != 1 || idx.shape[0] != idx.length))
        read = error_set(error, ERROR_FAILED, "%s: does not hold one list of labels; the file is "
                         "damaged or not the right one", utf8_tail(file->path));
    if (read) {
        *labels = malloc(idx.length + 1); /* an empty list is a list */
        *length = idx.length;
        if (*labels == NULL)
            read = error_no_memory(error, "labels");
        else
            memcpy(*labels, idx.elements, idx.length);
    }
    free(idx.unpacked);
    return read;
}

bool idx_labels_beside(const char *images, char **labels, struct error *error)
{
    static const char images_mark[] = "images-idx3", labels_mark[] = "labels-idx1";
    static const char *const endings[] = {"", ".gz"};
    const char *slash = strrchr(images, '/');
    const char *mark = strstr(slash != NULL ? slash : images, images_mark);
    *labels = NULL;
    if (mark == NULL)
        return true;
    size_t room = strlen(images) + sizeof ".gz";
    char *path = malloc(room);
    if (path == NULL)
        return error_no_memory(error, "a file name");
    size_t tail = strlen(mark + strlen(images_mark));
    if (path_ends(images, ".gz"))
        tail -= strlen(".gz");
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(path, room, "%.*s%s%.*s%s", (int)(mark - images), images, labels_mark, (int)tail,
                 mark + strlen(images_mark), endings[i]);
        if (access(path, R_OK) == 0) {
            *labels = path;
            return true;
        }
    }
    free(path);
    return true;
}
