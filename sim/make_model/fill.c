/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A shard is cut into blocks; threads take one after the other, make its numbers and write them
 * where they belong. What a block holds follows from its place alone.
 *
 * The pages that a block covers whole go to the disk past the kernel's cache where the file system
 * allows that: several times as fast, and a model larger than memory would push everything else
 * out of it. A block's first and last bytes share their pages with its neighbours and go the
 * plain way, so no page is ever written both ways.
 */
#define _GNU_SOURCE 1
#include "sim/make_model/fill.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "neurons/import/utf8.h"

/* Elements of a block: 2 MiB of F32. */
enum { BLOCK = 1 << 19, PAGE = 4096, MOST_THREADS = 64 };
_Static_assert(BLOCK % NUMBERS_CHUNK == 0, "a block begins where a part may");

struct block {
    size_t tensor;          /* within the shard */
    uint64_t begin, length; /* elements */
    uint32_t checksum;
};

/* One shard's work. */
struct work {
    struct fill *fill;
    const struct shard *shard;
    const struct recipe *recipes; /* of the shard's tensors */
    int file, direct;             /* the same file; direct is past the cache, or -1 */
    struct block *blocks;         /* [length] */
    size_t length;
    atomic_size_t next;
    atomic_bool failed;
    struct error errors[MOST_THREADS]; /* of each part */
};

/* ---- the plan ---- */

static size_t shard_end(const struct checkpoint *checkpoint, size_t begin, uint64_t shard_bytes)
{
    uint64_t bytes = checkpoint->tensors[begin].bytes;
    size_t end = begin + 1;
    while (end < checkpoint->length && checkpoint->tensors[end].bytes <= shard_bytes &&
           bytes <= shard_bytes - checkpoint->tensors[end].bytes)
        bytes += checkpoint->tensors[end++].bytes;
    return end;
}

static bool plan_shards(struct fill *fill, uint64_t shard_bytes, struct error *error)
{
    const struct checkpoint *checkpoint = fill->checkpoint;
    const struct shard_format *format =
        checkpoint->shape.base ? &torch_shards : &safetensors_shards;
    size_t begin = 0;
    for (size_t i = 0; i < fill->shard_count; i++) {
        size_t end = shard_end(checkpoint, begin, shard_bytes);
        if (asprintf(&fill->names[i], "%s-%05zu-of-%05zu%s", format->stem, i + 1, fill->shard_count,
                     format->suffix) < 0) {
            fill->names[i] = NULL;
            return error_no_memory(error, "a shard");
        }
        fill->shards[i] =
            shard_new(format, fill->names[i], checkpoint->tensors + begin, end - begin, error);
        if (fill->shards[i] == NULL)
            return false;
        fill->bytes += fill->shards[i]->bytes;
        begin = end;
    }
    return true;
}

bool fill_plan(struct fill *fill, const struct checkpoint *checkpoint, uint64_t shard_bytes,
               struct error *error)
{
    *fill = (struct fill){.checkpoint = checkpoint};
    size_t count = 0;
    for (size_t begin = 0; begin < checkpoint->length; count++)
        begin = shard_end(checkpoint, begin, shard_bytes);
    fill->shards = calloc(count, sizeof *fill->shards);
    fill->names = calloc(count, sizeof *fill->names);
    if (fill->shards == NULL || fill->names == NULL)
        return error_no_memory(error, "the list of shards");
    fill->shard_count = count;
    return plan_shards(fill, shard_bytes, error);
}

void fill_free(struct fill *fill)
{
    for (size_t i = 0; i < fill->shard_count; i++) {
        shard_free(fill->shards[i]);
        free(fill->names[i]);
    }
    free(fill->shards);
    free(fill->names);
}

/* ---- blocks ---- */

/* `bytes` lies in its page as `place` does in the file's. What cannot be written past the cache is
 * tried again the plain way, which says what is wrong. */
static bool write_bytes(const struct work *work, uint64_t place, const char *bytes, size_t length,
                        struct error *error)
{
    const char *name = work->shard->name;
    size_t head = (size_t)((PAGE - place % PAGE) % PAGE);
    if (work->direct < 0 || length < head + PAGE)
        return shard_write(work->file, name, place, bytes, length, error);
    size_t middle = (length - head) / PAGE * PAGE;
    ssize_t written = pwrite(work->direct, bytes + head, middle, (off_t)(place + head));
    size_t rest = head + (written > 0 ? (size_t)written : 0);
    return shard_write(work->file, name, place, bytes, head, error) &&
           shard_write(work->file, name, place + rest, bytes + rest, length - rest, error);
}

/* `buffer` begins at a page and has room for one more than a block has. */
static bool write_block(struct work *work, struct block *block, char *buffer, struct error *error)
{
    const struct shard *shard = work->shard;
    const struct tensor *tensor = shard->tensors[block->tensor];
    uint32_t width = dtype_bytes(tensor->dtype);
    uint64_t place = shard->places[block->tensor] + block->begin * width;
    size_t bytes = (size_t)(block->length * width);
    buffer += place % PAGE;
    numbers_fill(work->fill->numbers, &work->recipes[block->tensor], block->begin, block->length,
                 tensor->dtype, buffer);
    if (shard->format->checksums)
        block->checksum = (uint32_t)crc32_z(0, (unsigned char *)buffer, bytes);
    if (!write_bytes(work, place, buffer, bytes, error))
        return false;
    atomic_fetch_add(&work->fill->done, bytes);
    return true;
}

static void write_blocks(void *argument, uint32_t part, uint32_t parts)
{
    (void)parts;
    struct work *work = argument;
    struct error *error = &work->errors[part];
    char *buffer = aligned_alloc(PAGE, BLOCK * sizeof(float) + PAGE);
    bool well = buffer != NULL || error_no_memory(error, "a block of numbers");
    while (well && atomic_load(&work->fill->stop) == 0 && !atomic_load(&work->failed)) {
        size_t next = atomic_fetch_add(&work->next, 1);
        if (next >= work->length)
            break;
        well = write_block(work, &work->blocks[next], buffer, error);
    }
    if (!well)
        atomic_store(&work->failed, true);
    free(buffer);
}

static bool list_blocks(struct work *work, struct error *error)
{
    const struct shard *shard = work->shard;
    for (size_t i = 0; i < shard->length; i++)
        work->length += (size_t)((shard->tensors[i]->elements + BLOCK - 1) / BLOCK);
    work->blocks = calloc(work->length + 1, sizeof *work->blocks);
    if (work->blocks == NULL)
        return error_no_memory(error, "the list of blocks");
    struct block *block = work->blocks;
    for (size_t i = 0; i < shard->length; i++) {
        uint64_t elements = shard->tensors[i]->elements;
        for (uint64_t begin = 0; begin < elements; begin += BLOCK, block++)
            *block = (struct block){.tensor = i,
                                    .begin = begin,
                                    .length = elements - begin < BLOCK ? elements - begin : BLOCK};
    }
    return true;
}

/* ---- shards ---- */

/* Of each tensor, from those of its blocks. */
static bool finish_shard(const struct work *work, struct error *error)
{
    const struct shard *shard = work->shard;
    uint32_t *checksums = calloc(shard->length + 1, sizeof *checksums);
    if (checksums == NULL)
        return error_no_memory(error, "a shard");
    for (size_t i = 0; i < work->length && shard->format->checksums; i++) {
        const struct block *block = &work->blocks[i];
        uint32_t width = dtype_bytes(shard->tensors[block->tensor]->dtype);
        checksums[block->tensor] = (uint32_t)crc32_combine64(
            checksums[block->tensor], block->checksum, (off64_t)(block->length * width));
    }
    bool finished = shard_finish(shard, work->file, checksums, error);
    free(checksums);
    if (finished && fsync(work->file) != 0)
        finished = error_set(error, ERROR_FAILED, "%s: cannot be written: %s",
                             utf8_tail(shard->name), strerror(errno));
    return finished;
}

static bool write_tensors(struct work *work, struct error *error)
{
    struct fill *fill = work->fill;
    if (!list_blocks(work, error))
        return false;
    uint32_t threads = workers_count(fill->workers);
    workers_run(fill->workers, write_blocks, work, threads < MOST_THREADS ? threads : MOST_THREADS);
    if (atomic_load(&work->failed))
        for (uint32_t i = 0; i < MOST_THREADS; i++)
            if (work->errors[i].code != ERROR_NONE) {
                *error = work->errors[i];
                return false;
            }
    return atomic_load(&fill->stop) == 0 && finish_shard(work, error);
}

/* Takes the room on the disk, where the file system knows how to, so that a full one is found out
 * now. */
static bool take_room(const struct work *work, struct error *error)
{
    const struct shard *shard = work->shard;
    if (fallocate(work->file, 0, 0, (off_t)shard->bytes) == 0 || errno == EOPNOTSUPP ||
        errno == ENOSYS)
        return true;
    return error_set(error, ERROR_FAILED, "%s: cannot be written: %s", utf8_tail(shard->name),
                     strerror(errno));
}

static bool write_shard(struct fill *fill, const struct folder *folder, const struct shard *shard,
                        const struct recipe *recipes, struct error *error)
{
    struct work *work = calloc(1, sizeof *work);
    if (work == NULL)
        return error_no_memory(error, "a shard");
    work->fill = fill;
    work->shard = shard;
    work->recipes = recipes;
    work->file = folder_create(folder, shard->name, error);
    work->direct = openat(folder->handle, shard->name, O_WRONLY | O_DIRECT | O_CLOEXEC);
    bool written = work->file >= 0 && take_room(work, error) && write_tensors(work, error);
    if (work->direct >= 0)
        close(work->direct);
    if (work->file >= 0 && close(work->file) != 0 && written)
        written = error_set(error, ERROR_FAILED, "%s: cannot be written: %s",
                            utf8_tail(shard->name), strerror(errno));
    free(work->blocks);
    free(work);
    return written;
}

/* ---- the small files ---- */

/* {"metadata": {"total_size": …}, "weight_map": {tensor: file, …}}; from malloc. */
static char *index_text(const struct fill *fill)
{
    json_t *map = json_object();
    bool failed = map == NULL;
    for (size_t i = 0; i < fill->shard_count; i++) {
        const struct shard *shard = fill->shards[i];
        for (size_t t = 0; t < shard->length; t++)
            failed |=
                json_object_set_new(map, shard->tensors[t]->name, json_string(shard->name)) != 0;
    }
    json_t *root = json_pack("{s:{s:I}, s:o}", "metadata", "total_size",
                             (json_int_t)fill->checkpoint->bytes, "weight_map", map);
    char *text = failed ? NULL : json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    return text;
}

static bool write_texts(const struct fill *fill, const struct folder *folder, struct error *error)
{
    char *index = index_text(fill);
    char *config = checkpoint_config(&fill->checkpoint->shape, error);
    bool written = index != NULL || error_no_memory(error, "the list of tensors");
    written = written && config != NULL &&
              folder_write_text(folder, fill->shards[0]->format->index, index, error) &&
              folder_write_text(folder, "config.json", config, error);
    free(index);
    free(config);
    return written;
}

bool fill_run(struct fill *fill, const struct folder *folder, struct error *error)
{
    const struct recipe *recipes = fill->checkpoint->recipes;
    for (size_t i = 0; i < fill->shard_count; i++) {
        if (!write_shard(fill, folder, fill->shards[i], recipes, error))
            return false;
        recipes += fill->shards[i]->length;
    }
    return write_texts(fill, folder, error);
}
