/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Shards that are laid out before their numbers are there: safetensors against the reader, ZIP
 * archives against a reader of this file's own that follows the directory from the end, pickles
 * against what Python's pickler wrote for torch.save (PyTorch 1.13).
 */
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "neurons/import/shard.h"
#include "neurons/import/torch_pickle.h"

static int scratch_file(char *path, size_t room)
{
    const char *folder = getenv("TMPDIR");
    snprintf(path, room, "%s/shard.XXXXXX", folder != NULL ? folder : "/tmp");
    int file = mkstemp(path);
    assert_true(file >= 0);
    return file;
}

static struct tensor tensor_of(const char *name, enum dtype dtype, uint32_t rank,
                               const uint64_t *shape)
{
    struct tensor tensor = {.name = name, .dtype = dtype, .rank = rank, .elements = 1};
    for (uint32_t i = 0; i < rank; i++) {
        tensor.shape[i] = shape[i];
        tensor.elements *= shape[i];
    }
    tensor.bytes = tensor.elements * dtype_bytes(dtype);
    return tensor;
}

#define SHAPE(...)                                                                                 \
    (sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)), (uint64_t[])                           \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

/* What stands at byte i of tensor t. */
static unsigned char pattern(size_t t, uint64_t i)
{
    return (unsigned char)(17 * t + i * 7 + (i >> 8));
}

/* Writes the shard with pattern() in it, last tensor first. */
static void write_pattern(const struct shard *shard, int file)
{
    struct error error = {0};
    uint32_t *checksums = calloc(shard->length + 1, sizeof *checksums);
    assert_non_null(checksums);
    for (size_t t = shard->length; t-- > 0;) {
        uint64_t bytes = shard->tensors[t]->bytes;
        unsigned char *data = malloc(bytes + 1);
        assert_non_null(data);
        for (uint64_t i = 0; i < bytes; i++)
            data[i] = pattern(t, i);
        assert_true(shard_write(file, shard->name, shard->places[t], data, bytes, &error));
        checksums[t] = (uint32_t)crc32(0, data, (uInt)bytes);
        free(data);
    }
    assert_true(shard_finish(shard, file, checksums, &error));
    free(checksums);
    struct stat status;
    assert_int_equal(fstat(file, &status), 0);
    assert_int_equal(status.st_size, shard->bytes);
}

static void test_safetensors(void **state)
{
    (void)state;
    struct tensor tensors[] = {tensor_of("layers.0.weight", DTYPE_F32, SHAPE(5, 3)),
                               tensor_of("layers.0.scales", DTYPE_F32, SHAPE(5, 1, 1)),
                               tensor_of("norm", DTYPE_F32, SHAPE(7))};
    struct error error = {0};
    char path[4096];
    int file = scratch_file(path, sizeof path);
    struct shard *shard = shard_new(&safetensors_shards, "x.safetensors", tensors, 3, &error);
    assert_non_null(shard);
    assert_int_equal(shard->places[1], shard->places[0] + 60);
    write_pattern(shard, file);
    shard_free(shard);
    struct tensor_set *set = tensor_set_open(path, &error);
    if (set == NULL)
        fail_msg("%s", error.text);
    assert_int_equal(tensor_set_length(set), 3);
    for (size_t t = 0; t < 3; t++) {
        const struct tensor *found = tensor_set_find(set, tensors[t].name);
        assert_non_null(found);
        assert_int_equal(found->rank, tensors[t].rank);
        assert_memory_equal(found->shape, tensors[t].shape, found->rank * sizeof(uint64_t));
        for (uint64_t i = 0; i < found->bytes; i++)
            assert_int_equal(((const unsigned char *)found->data)[i], pattern(t, i));
    }
    tensor_set_close(set);
    char head[512] = {0};
    assert_true(pread(file, head, sizeof head - 1, 8) > 0);
    assert_non_null(strstr(head, "\"__metadata__\":{\"format\":\"pt\"}"));
    close(file);
    unlink(path);
}

/* ---- a reader of archives ---- */

static uint64_t low(const unsigned char *at, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
}

static void read_at(int file, uint64_t place, unsigned char *out, size_t length)
{
    assert_int_equal(pread(file, out, length, (off_t)place), length);
}

struct found {
    char name[128];
    uint64_t length, header, place;
    uint32_t checksum;
};

/* The central directory, found from the end by way of the ZIP64 locator. */
static size_t read_directory(int file, struct found *found, size_t room)
{
    unsigned char end[22], locator[20], wide[56], entry[46], extra[64];
    struct stat status;
    assert_int_equal(fstat(file, &status), 0);
    read_at(file, (uint64_t)status.st_size - 22, end, 22);
    assert_int_equal(low(end, 4), 0x06054b50);
    read_at(file, (uint64_t)status.st_size - 42, locator, 20);
    assert_int_equal(low(locator, 4), 0x07064b50);
    read_at(file, low(locator + 8, 8), wide, 56);
    assert_int_equal(low(wide, 4), 0x06064b50);
    size_t count = low(wide + 32, 8);
    uint64_t at = low(wide + 48, 8), after = at + low(wide + 40, 8);
    assert_int_equal(after, low(locator + 8, 8));
    assert_true(count <= room);
    assert_int_equal(low(end + 10, 2), count);
    assert_int_equal(low(end + 16, 4), at < UINT32_MAX ? at : UINT32_MAX);
    for (size_t i = 0; i < count; i++) {
        struct found *one = &found[i];
        read_at(file, at, entry, 46);
        assert_int_equal(low(entry, 4), 0x02014b50);
        assert_int_equal(low(entry + 10, 2), 0); /* stored */
        uint32_t name = (uint32_t)low(entry + 28, 2), more = (uint32_t)low(entry + 30, 2);
        *one = (struct found){.checksum = (uint32_t)low(entry + 16, 4),
                              .length = low(entry + 24, 4),
                              .header = low(entry + 42, 4)};
        assert_int_equal(low(entry + 20, 4), one->length);
        assert_true(name < sizeof one->name && more <= sizeof extra);
        read_at(file, at + 46, (unsigned char *)one->name, name);
        read_at(file, at + 46 + name, extra, more);
        const unsigned char *next = extra + 4;
        if (one->length == UINT32_MAX) {
            assert_int_equal(low(next, 8), low(next + 8, 8));
            one->length = low(next, 8);
            next += 16;
        }
        if (one->header == UINT32_MAX) {
            one->header = low(next, 8);
            next += 8;
        }
        assert_int_equal(more, next == extra + 4 ? 0 : next - extra);
        if (more > 0) {
            assert_int_equal(low(extra, 2), 1);
            assert_int_equal(low(extra + 2, 2), more - 4);
        }
        at += 46 + name + more;
    }
    assert_int_equal(at, after);
    return count;
}

/* The member's local header and what stands behind its bytes; sets found->place. */
static void check_member(int file, struct found *found, uint64_t next)
{
    unsigned char local[30], name[128], tail[24];
    read_at(file, found->header, local, 30);
    assert_int_equal(low(local, 4), 0x04034b50);
    assert_int_equal(low(local + 6, 2), 0x0808);
    uint32_t length = (uint32_t)low(local + 26, 2);
    read_at(file, found->header + 30, name, length);
    assert_memory_equal(name, found->name, length);
    found->place = found->header + 30 + length + low(local + 28, 2);
    assert_int_equal(found->place % 64, 0);
    bool wide = found->length >= UINT32_MAX || found->header >= UINT32_MAX;
    int width = wide ? 8 : 4;
    read_at(file, found->place + found->length, tail, wide ? 24 : 16);
    assert_int_equal(low(tail, 4), 0x08074b50);
    assert_int_equal(low(tail + 4, 4), found->checksum);
    assert_int_equal(low(tail + 8, width), found->length);
    assert_int_equal(low(tail + 8 + width, width), found->length);
    assert_int_equal(found->place + found->length + 8 + 2 * (uint64_t)width, next);
}

static void test_torch(void **state)
{
    (void)state;
    struct tensor tensors[] = {tensor_of("a", DTYPE_BF16, SHAPE(50, 3)),
                               tensor_of("b", DTYPE_F32, SHAPE(100)),
                               tensor_of("c", DTYPE_F16, SHAPE(1))};
    static const char *const names[] = {"m-1/data.pkl", "m-1/byteorder", "m-1/data/0",
                                        "m-1/data/1",   "m-1/data/2",    "m-1/version"};
    struct error error = {0};
    char path[4096];
    int file = scratch_file(path, sizeof path);
    struct shard *shard = shard_new(&torch_shards, "m-1.bin", tensors, 3, &error);
    assert_non_null(shard);
    write_pattern(shard, file);
    struct found found[6];
    assert_int_equal(read_directory(file, found, 6), 6);
    assert_int_equal(found[0].header, 0);
    unsigned char bytes[1024];
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(found[i].name, names[i]);
        assert_true(found[i].length <= sizeof bytes);
        if (i < 5)
            check_member(file, &found[i], found[i + 1].header);
        else
            found[i].place = (found[i].header + 30 + strlen(names[i]) + 4 + 63) / 64 * 64;
        read_at(file, found[i].place, bytes, found[i].length);
        assert_int_equal(crc32(0, bytes, (uInt)found[i].length), found[i].checksum);
        if (i >= 2 && i < 5) {
            assert_int_equal(found[i].place, shard->places[i - 2]);
            assert_int_equal(found[i].length, tensors[i - 2].bytes);
            assert_int_equal(bytes[1], pattern(i - 2, 1));
        }
    }
    read_at(file, found[1].place, bytes, 6);
    assert_memory_equal(bytes, "little", 6);
    read_at(file, found[5].place, bytes, 2);
    assert_memory_equal(bytes, "3\n", 2);
    shard_free(shard);
    close(file);
    unlink(path);
}

/* Lengths and places that 32 bits cannot hold; the file is one large hole. */
static void test_torch_large(void **state)
{
    (void)state;
    struct tensor tensors[] = {tensor_of("first", DTYPE_BF16, SHAPE(3)),
                               tensor_of("large", DTYPE_BF16, SHAPE(1 << 16, 1 << 16)),
                               tensor_of("behind", DTYPE_F32, SHAPE(9))};
    struct error error = {0};
    char path[4096];
    int file = scratch_file(path, sizeof path);
    struct shard *shard = shard_new(&torch_shards, "large.bin", tensors, 3, &error);
    assert_non_null(shard);
    const uint32_t checksums[] = {11, 22, 33};
    if (!shard_finish(shard, file, checksums, &error)) {
        shard_free(shard);
        close(file);
        unlink(path);
        print_message("no sparse file of 8 GiB: %s\n", error.text);
        skip();
    }
    struct stat status;
    assert_int_equal(fstat(file, &status), 0);
    assert_int_equal(status.st_size, shard->bytes);
    struct found found[6];
    assert_int_equal(read_directory(file, found, 6), 6);
    for (size_t i = 0; i < 5; i++)
        check_member(file, &found[i], found[i + 1].header);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(found[2 + i].checksum, checksums[i]);
        assert_int_equal(found[2 + i].length, tensors[i].bytes);
        assert_int_equal(found[2 + i].place, shard->places[i]);
    }
    assert_true(found[4].header > UINT32_MAX);
    shard_free(shard);
    close(file);
    unlink(path);
}

/* ---- pickles ---- */

/* data.pkl of torch.save({"a.weight": bfloat16 [2, 3], "b": float16 [300], "c": float32 [2, 3, 4],
 * "d": bfloat16 [1, 2, 1, 3], "e": float32 []}) */
static const char pickle[] = "\x80\x02\x7d\x71\x00\x28\x58\x08\x00\x00\x00\x61\x2e\x77\x65\x69"
                             "\x67\x68\x74\x71\x01\x63\x74\x6f\x72\x63\x68\x2e\x5f\x75\x74\x69"
                             "\x6c\x73\x0a\x5f\x72\x65\x62\x75\x69\x6c\x64\x5f\x74\x65\x6e\x73"
                             "\x6f\x72\x5f\x76\x32\x0a\x71\x02\x28\x28\x58\x07\x00\x00\x00\x73"
                             "\x74\x6f\x72\x61\x67\x65\x71\x03\x63\x74\x6f\x72\x63\x68\x0a\x42"
                             "\x46\x6c\x6f\x61\x74\x31\x36\x53\x74\x6f\x72\x61\x67\x65\x0a\x71"
                             "\x04\x58\x01\x00\x00\x00\x30\x71\x05\x58\x03\x00\x00\x00\x63\x70"
                             "\x75\x71\x06\x4b\x06\x74\x71\x07\x51\x4b\x00\x4b\x02\x4b\x03\x86"
                             "\x71\x08\x4b\x03\x4b\x01\x86\x71\x09\x89\x63\x63\x6f\x6c\x6c\x65"
                             "\x63\x74\x69\x6f\x6e\x73\x0a\x4f\x72\x64\x65\x72\x65\x64\x44\x69"
                             "\x63\x74\x0a\x71\x0a\x29\x52\x71\x0b\x74\x71\x0c\x52\x71\x0d\x58"
                             "\x01\x00\x00\x00\x62\x71\x0e\x68\x02\x28\x28\x68\x03\x63\x74\x6f"
                             "\x72\x63\x68\x0a\x48\x61\x6c\x66\x53\x74\x6f\x72\x61\x67\x65\x0a"
                             "\x71\x0f\x58\x01\x00\x00\x00\x31\x71\x10\x68\x06\x4d\x2c\x01\x74"
                             "\x71\x11\x51\x4b\x00\x4d\x2c\x01\x85\x71\x12\x4b\x01\x85\x71\x13"
                             "\x89\x68\x0a\x29\x52\x71\x14\x74\x71\x15\x52\x71\x16\x58\x01\x00"
                             "\x00\x00\x63\x71\x17\x68\x02\x28\x28\x68\x03\x63\x74\x6f\x72\x63"
                             "\x68\x0a\x46\x6c\x6f\x61\x74\x53\x74\x6f\x72\x61\x67\x65\x0a\x71"
                             "\x18\x58\x01\x00\x00\x00\x32\x71\x19\x68\x06\x4b\x18\x74\x71\x1a"
                             "\x51\x4b\x00\x4b\x02\x4b\x03\x4b\x04\x87\x71\x1b\x4b\x0c\x4b\x04"
                             "\x4b\x01\x87\x71\x1c\x89\x68\x0a\x29\x52\x71\x1d\x74\x71\x1e\x52"
                             "\x71\x1f\x58\x01\x00\x00\x00\x64\x71\x20\x68\x02\x28\x28\x68\x03"
                             "\x68\x04\x58\x01\x00\x00\x00\x33\x71\x21\x68\x06\x4b\x06\x74\x71"
                             "\x22\x51\x4b\x00\x28\x4b\x01\x4b\x02\x4b\x01\x4b\x03\x74\x71\x23"
                             "\x28\x4b\x06\x4b\x03\x4b\x03\x4b\x01\x74\x71\x24\x89\x68\x0a\x29"
                             "\x52\x71\x25\x74\x71\x26\x52\x71\x27\x58\x01\x00\x00\x00\x65\x71"
                             "\x28\x68\x02\x28\x28\x68\x03\x68\x18\x58\x01\x00\x00\x00\x34\x71"
                             "\x29\x68\x06\x4b\x01\x74\x71\x2a\x51\x4b\x00\x29\x29\x89\x68\x0a"
                             "\x29\x52\x71\x2b\x74\x71\x2c\x52\x71\x2d\x75\x2e";

static void test_pickle(void **state)
{
    (void)state;
    struct tensor tensors[] = {
        tensor_of("a.weight", DTYPE_BF16, SHAPE(2, 3)), tensor_of("b", DTYPE_F16, SHAPE(300)),
        tensor_of("c", DTYPE_F32, SHAPE(2, 3, 4)), tensor_of("d", DTYPE_BF16, SHAPE(1, 2, 1, 3)),
        tensor_of("e", DTYPE_F32, 0, NULL)};
    const struct tensor *list[5];
    for (size_t i = 0; i < 5; i++)
        list[i] = &tensors[i];
    struct error error = {0};
    size_t length = 0;
    char *text = torch_pickle_write(list, 5, "x.bin", &length, &error);
    assert_non_null(text);
    assert_int_equal(length, sizeof pickle - 1);
    assert_memory_equal(text, pickle, length);
    free(text);
}

/* Tensors t0 … t(n-1), [7] where even, [2, 3, 4, 5] where odd; every third float16: length and
 * CRC-32 of what torch.save made of them. The pickler begins a new batch after 1000. */
static void test_pickle_batches(void **state)
{
    (void)state;
    static const struct {
        size_t count, length;
        uint32_t checksum;
    } cases[] = {{0, 6, 0xc50291f2},        {1, 162, 0xc72a045b},      {2, 255, 0xcaa831b8},
                 {999, 92058, 0x72e7b3f1},  {1000, 92160, 0x84981c32}, {1001, 92248, 0x3ed16b40},
                 {2500, 234662, 0x2a9c2506}};
    enum { MOST = 2500 };
    static struct tensor tensors[MOST];
    static const struct tensor *list[MOST];
    static char names[MOST][8];
    for (size_t i = 0; i < MOST; i++) {
        snprintf(names[i], sizeof names[i], "t%zu", i);
        enum dtype dtype = i % 3 == 0 ? DTYPE_F16 : DTYPE_F32;
        tensors[i] = i % 2 == 0 ? tensor_of(names[i], dtype, SHAPE(7))
                                : tensor_of(names[i], dtype, SHAPE(2, 3, 4, 5));
        list[i] = &tensors[i];
    }
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct error error = {0};
        size_t length = 0;
        char *text = torch_pickle_write(list, cases[c].count, "x.bin", &length, &error);
        assert_non_null(text);
        assert_int_equal(length, cases[c].length);
        assert_int_equal(crc32(0, (unsigned char *)text, (uInt)length), cases[c].checksum);
        free(text);
    }
}

/* Integers as Python's pickler writes them with protocol 2: pickle.dumps((n,), 2). */
static void test_pickle_integers(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        const char *bytes;
        size_t length;
    } cases[] = {{255, "K\xff", 2},
                 {256, "M\x00\x01", 3},
                 {65535, "M\xff\xff", 3},
                 {65536, "J\x00\x00\x01\x00", 5},
                 {INT32_MAX, "J\xff\xff\xff\x7f", 5},
                 {UINT64_C(1) << 31, "\x8a\x05\x00\x00\x00\x80\x00", 7},
                 {UINT64_C(1) << 40, "\x8a\x06\x00\x00\x00\x00\x00\x01", 8},
                 {UINT64_C(1) << 63, "\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00", 11}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct tensor tensor = tensor_of("x", DTYPE_F32, SHAPE(cases[c].value));
        const struct tensor *list[] = {&tensor};
        struct error error = {0};
        size_t length = 0;
        char *text = torch_pickle_write(list, 1, "x.bin", &length, &error);
        assert_non_null(text);
        assert_non_null(memmem(text, length, cases[c].bytes, cases[c].length));
        free(text);
    }
}

static void test_failures(void **state)
{
    (void)state;
    struct tensor tensor = tensor_of("counts", DTYPE_I64, SHAPE(4));
    struct error error = {0};
    assert_null(shard_new(&torch_shards, "x.bin", &tensor, 1, &error));
    assert_non_null(strstr(error.text, "x.bin: tensor 'counts' is I64"));
    error = (struct error){0};
    struct tensor twice[] = {tensor_of("a", DTYPE_F32, SHAPE(4)),
                             tensor_of("a", DTYPE_F32, SHAPE(4))};
    assert_null(shard_new(&safetensors_shards, "x.safetensors", twice, 2, &error));
    assert_non_null(strstr(error.text, "twice"));
    const struct shard_format *formats[] = {&torch_shards, &safetensors_shards};
    int closed = open("/dev/null", O_RDONLY);
    const uint32_t checksums[] = {0};
    for (size_t i = 0; i < 2; i++) {
        struct shard *shard = shard_new(formats[i], "x.file", twice, 1, &error);
        assert_non_null(shard);
        error = (struct error){0};
        assert_false(shard_finish(shard, closed, checksums, &error));
        assert_non_null(strstr(error.text, "x.file: cannot be written"));
        shard_free(shard);
    }
    close(closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safetensors),    cmocka_unit_test(test_torch),
        cmocka_unit_test(test_torch_large),    cmocka_unit_test(test_pickle),
        cmocka_unit_test(test_pickle_batches), cmocka_unit_test(test_pickle_integers),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
