/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tests of the safetensors reader: what is legal opens and is described
 * rightly, and each way to be damaged is refused with a sentence that names
 * the file, the place and the fault.
 */
#define _GNU_SOURCE 1
#include "neurons/import/tensor_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ------------------------------------------------------------- making files */

struct bytes {
    unsigned char *at; /* [length], exactly, so that a read beyond is noticed */
    size_t length;
};

/* A file with that header and a buffer of 0, 1, 2, ... */
static struct bytes file_make_sized(const char *header, size_t header_length, size_t data)
{
    struct bytes file = {malloc(8 + header_length + data), 8 + header_length + data};
    assert_non_null(file.at);
    for (int i = 0; i < 8; i++)
        file.at[i] = (unsigned char)((uint64_t)header_length >> (8 * i));
    memcpy(file.at + 8, header, header_length);
    for (size_t i = 0; i < data; i++)
        file.at[8 + header_length + i] = (unsigned char)i;
    return file;
}

static struct bytes file_make(const char *header, size_t data)
{
    return file_make_sized(header, strlen(header), data);
}

static char folder[4096];

static void path_in_folder(char *path, size_t size, const char *name)
{
    assert_true((size_t)snprintf(path, size, "%s/%s", folder, name) < size);
}

static void file_write(const char *name, const void *bytes, size_t length)
{
    char path[5000];
    path_in_folder(path, sizeof path, name);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, length, out), length);
    assert_int_equal(fclose(out), 0);
}

static void text_write(const char *name, const char *text)
{
    file_write(name, text, strlen(text));
}

static void model_write(const char *name, const char *header, size_t data)
{
    struct bytes file = file_make(header, data);
    file_write(name, file.at, file.length);
    free(file.at);
}

static const char *const names[] = {"model.safetensors.index.json", "model.safetensors",
                                    "one.safetensors", "two.safetensors", "other", "pipe"};

static int folder_make(void **state)
{
    (void)state;
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/volley-safetensors-XXXXXX",
             parent != NULL && parent[0] != '\0' ? parent : P_tmpdir);
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int folder_remove(void **state)
{
    (void)state;
    char path[5000];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        path_in_folder(path, sizeof path, names[i]);
        remove(path); /* an empty folder, too */
    }
    return rmdir(folder);
}

/* ------------------------------------------------------------------ checking */

static struct tensor_set *set_open(const struct bytes *file)
{
    struct error error = {0};
    struct tensor_set *set = tensor_set_open_memory("a.safetensors", file->at, file->length,
                                                    &error);
    if (set == NULL)
        fail_msg("did not open: %s", error.text);
    return set;
}

static void sentence_expect(struct tensor_set *set, const struct error *error, enum error_code code,
                            const char *expected)
{
    if (set != NULL)
        fail_msg("opened, but should have said: %s", expected);
    if (error->code != code || strstr(error->text, expected) == NULL)
        fail_msg("code %d, '%s' does not hold '%s'", error->code, error->text, expected);
}

static void refused_expect(struct bytes file, const char *expected)
{
    struct error error = {0};
    struct tensor_set *set = tensor_set_open_memory("a.safetensors", file.at, file.length, &error);
    sentence_expect(set, &error, ERROR_FAILED, expected);
    assert_memory_equal(error.text, "a.safetensors: ", 15);
    assert_null(tensor_set_open_memory("a.safetensors", file.at, file.length, NULL));
    free(file.at);
}

static void path_expect(const char *name, enum error_code code, const char *expected)
{
    struct error error = {0};
    char path[5000];
    path_in_folder(path, sizeof path, name);
    struct tensor_set *set = tensor_set_open(path, &error);
    sentence_expect(set, &error, code, expected);
}

/* --------------------------------------------------------------- legal files */

static void test_tensors_are_described(void **state)
{
    (void)state;
    struct bytes file = file_make(
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"z\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[1,25]},"
        "\"scalar\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]},"
        "\"empty\":{\"dtype\":\"I64\",\"shape\":[4,0,9],\"data_offsets\":[25,25]},"
        "\"empty between\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[1,1]},"
        "\"\xc3\xa4\":{\"data_offsets\":[25,27],\"shape\":[1,1,1,1,1,1,1,1],"
        "\"dtype\":\"BF16\"}}   ",
        27);
    struct tensor_set *set = set_open(&file);
    assert_int_equal(tensor_set_length(set), 5);
    assert_int_equal(tensor_set_bytes(set), file.length);
    for (size_t i = 1; i < 5; i++)
        assert_true(strcmp(tensor_set_at(set, i - 1)->name, tensor_set_at(set, i)->name) < 0);

    const struct tensor *z = tensor_set_find(set, "z");
    assert_non_null(z);
    assert_string_equal(z->name, "z");
    assert_string_equal(z->file, "a.safetensors");
    assert_int_equal(z->dtype, DTYPE_F32);
    assert_int_equal(z->rank, 2);
    assert_int_equal(z->shape[0], 2);
    assert_int_equal(z->shape[1], 3);
    assert_int_equal(z->elements, 6);
    assert_int_equal(z->bytes, 24);
    assert_int_equal(((const unsigned char *)z->data)[0], 1);
    assert_int_equal(((const unsigned char *)z->data)[23], 24);

    const struct tensor *scalar = tensor_set_find(set, "scalar");
    assert_int_equal(scalar->rank, 0);
    assert_int_equal(scalar->elements, 1);
    assert_int_equal(scalar->bytes, 1);
    assert_int_equal(tensor_set_find(set, "empty")->elements, 0);
    assert_int_equal(tensor_set_find(set, "\xc3\xa4")->rank, 8);
    assert_null(tensor_set_find(set, "__metadata__"));
    assert_null(tensor_set_find(set, ""));
    assert_null(tensor_set_find(set, "zz"));
    tensor_set_close(set);
    free(file.at);
}

static void test_no_tensor_is_legal(void **state)
{
    (void)state;
    struct bytes file = file_make("{}", 0);
    struct tensor_set *set = set_open(&file);
    assert_int_equal(tensor_set_length(set), 0);
    assert_null(tensor_set_find(set, "x"));
    tensor_set_close(set);
    free(file.at);
    tensor_set_close(NULL);
}

static void test_dtypes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t bytes;
    } expected[] = {{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8},
                    {"I32", 4}, {"I16", 2}, {"I8", 1}, {"U8", 1}, {"BOOL", 1}};
    for (int i = 0; i < 10; i++) {
        char header[200];
        snprintf(header, sizeof header, "{\"x\":{\"dtype\":\"%s\",\"shape\":[3],"
                 "\"data_offsets\":[0,%u]}}", expected[i].name, 3 * expected[i].bytes);
        struct bytes file = file_make(header, 3 * expected[i].bytes);
        struct tensor_set *set = set_open(&file);
        assert_int_equal(tensor_set_at(set, 0)->dtype, i);
        assert_string_equal(dtype_name((enum dtype)i), expected[i].name);
        assert_int_equal(dtype_bytes((enum dtype)i), expected[i].bytes);
        tensor_set_close(set);
        free(file.at);
    }
}

static void test_many_tensors_are_found(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    char *header = malloc(MANY * 100), *at = header;
    assert_non_null(header);
    *at++ = '{';
    for (int i = 0; i < MANY; i++) /* stored last to first */
        at += sprintf(at, "%s\"layer.%d\":{\"dtype\":\"I16\",\"shape\":[1],\"data_offsets\":"
                      "[%d,%d]}", i == 0 ? "" : ",", i, 2 * (MANY - 1 - i), 2 * (MANY - i));
    *at++ = '}';
    struct bytes file = file_make_sized(header, (size_t)(at - header), 2 * MANY);
    struct tensor_set *set = set_open(&file);
    const unsigned char *buffer = file.at + file.length - 2 * MANY;
    for (int i = 0; i < MANY; i++) {
        char name[30];
        snprintf(name, sizeof name, "layer.%d", i);
        const struct tensor *tensor = tensor_set_find(set, name);
        assert_non_null(tensor);
        assert_ptr_equal(tensor->data, buffer + 2 * (MANY - 1 - i));
    }
    tensor_set_close(set);
    free(file.at);
    free(header);
}

static void test_digest(void **state)
{
    (void)state;
    static const char header[] = "{\"x\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}";
    char digest[17], other[17];
    struct bytes file = file_make(header, 4);
    struct tensor_set *set = set_open(&file);
    tensor_set_digest(set, digest);
    tensor_set_close(set);
    assert_int_equal(strlen(digest), 16);
    assert_string_equal(digest, "e11c2479de21315e"); /* FNV-1a of size and header, computed elsewhere */

    file.at[file.length - 1] ^= 1; /* data does not count */
    set = set_open(&file);
    tensor_set_digest(set, other);
    tensor_set_close(set);
    assert_string_equal(digest, other);

    file.at[10] = 'y'; /* a name does */
    set = set_open(&file);
    tensor_set_digest(set, other);
    tensor_set_close(set);
    assert_string_not_equal(digest, other);
    free(file.at);
}

/* ------------------------------------------------------------- damaged files */

static void test_beginning_damaged(void **state)
{
    (void)state;
    refused_expect((struct bytes){malloc(1), 0}, "has 0 bytes, too few");
    refused_expect((struct bytes){calloc(7, 1), 7}, "has 7 bytes, too few");
    refused_expect((struct bytes){calloc(8, 1), 8}, "does not begin with '{'");
    refused_expect(file_make(" {}", 0), "does not begin with '{'");
    refused_expect(file_make("[]", 0), "does not begin with '{'");
    struct bytes file = file_make("{}", 0);
    file.at[0] = 3;
    refused_expect(file, "the header has 3 bytes, but only 2 follow");
    file = file_make("{}", 0);
    memset(file.at, 0xff, 8);
    refused_expect(file, "would have 18446744073709551615 bytes");
    file = file_make("{}", 0);
    memcpy(file.at, "\x01\xe1\xf5\x05\0\0\0\0", 8);
    refused_expect(file, "would have 100000001 bytes");
}

static void test_json_damaged(void **state)
{
    (void)state;
    refused_expect(file_make("{", 0), "of the header:");
    refused_expect(file_make("{}}", 0), "of the header:");
    refused_expect(file_make("{} x", 0), "of the header:");
    refused_expect(file_make("{\"\xff\":1}", 0), "of the header:");
    refused_expect(file_make("{\"a\\u0000\":1}", 0), "of the header:");
    refused_expect(file_make_sized("{}\0", 3, 0), "of the header:");
    refused_expect(file_make("{\"a\":{},\"a\":{}}", 0), "duplicate");
    refused_expect(file_make("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}", 0), "duplicate");
    refused_expect(file_make("{\"a\":1}", 0), "tensor 'a': its entry in the header is not");
    refused_expect(file_make("{\"a\\nb\":1}", 0), "tensor 'a?b': ");
    refused_expect(file_make("{\"__metadata__\":[]}", 0), "__metadata__ is not an object");
    refused_expect(file_make("{\"__metadata__\":{\"k\":1}}", 0), "__metadata__ 'k' is not a");
    char deep[6001];
    memset(deep, '[', sizeof deep - 1);
    memcpy(deep, "{\"a\":", 5);
    deep[sizeof deep - 1] = '\0';
    refused_expect(file_make(deep, 0), "of the header:");
}

static void test_entries_damaged(void **state)
{
    (void)state;
    static const struct {
        const char *entry;
        size_t data;
        const char *expected;
    } cases[] = {
        {"", 0, "dtype is missing"},
        {"\"dtype\":4,\"shape\":[],\"data_offsets\":[0,4]", 4, "dtype is missing or is not"},
        {"\"dtype\":\"F8_E4M3\",\"shape\":[],\"data_offsets\":[0,1]", 1,
         "dtype 'F8_E4M3' is not one that can be read (F64 F32"},
        {"\"dtype\":\"f32\",\"shape\":[],\"data_offsets\":[0,4]", 4, "dtype 'f32' is not one"},
        {"\"dtype\":\"F32\",\"data_offsets\":[0,4]", 4, "shape is missing"},
        {"\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]", 4, "shape is missing or is not"},
        {"\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]", 4, "dimension 0 of the shape"},
        {"\"dtype\":\"F32\",\"shape\":[1,1.0],\"data_offsets\":[0,4]", 4, "dimension 1 of the"},
        {"\"dtype\":\"F32\",\"shape\":[\"1\"],\"data_offsets\":[0,4]", 4, "dimension 0 of the"},
        {"\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]", 4,
         "has 9 dimensions; at most 8"},
        {"\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]", 0,
         "more than 2^64"},
        {"\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]", 0,
         "more than 2^64"},
        {"\"dtype\":\"U8\",\"shape\":[9223372036854775808],\"data_offsets\":[0,0]", 0,
         "too big integer"},
        {"\"dtype\":\"F32\",\"shape\":[1]", 4, "data_offsets are missing"},
        {"\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4]", 4, "data_offsets are missing or"},
        {"\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]", 4, "data_offsets are missing"},
        {"\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4.0]", 4, "data_offsets are missing"},
        {"\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]", 4, "[-4, 0] are not in order"},
        {"\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]", 4, "[4, 0] are not in order"},
        {"\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]", 4,
         "[0, 8] reach beyond the 4 bytes of data"},
        {"\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[9223372036854775807,"
         "9223372036854775807]", 4, "reach beyond"},
        {"\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,12]", 12,
         "a.safetensors: tensor 'x': data_offsets [0, 12] do not match shape [2, 2] of F32 "
         "(16 bytes); the file is damaged or was written by another tool"},
        {"\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,0]", 0,
         "[0, 0] do not match shape [] of F32 (4 bytes)"},
        {"\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"strides\":[1]", 4,
         "tensor 'x': unknown key 'strides'"},
        {"\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]", 5,
         "the last 1 bytes belong to no tensor"},
        {"\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]", 5,
         "bytes 0 to 1 of the buffer, before it, belong to no tensor"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char header[400];
        snprintf(header, sizeof header, "{\"x\":{%s}}", cases[i].entry);
        refused_expect(file_make(header, cases[i].data), cases[i].expected);
    }
}

static void test_cover_damaged(void **state)
{
    (void)state;
    static const struct {
        int a[2], b[2], data;
        const char *expected;
    } cases[] = {
        {{0, 4}, {2, 6}, 6, "tensor 'b': its data begins at byte 2 of the buffer, inside tensor "
                            "'a', which ends at 4"},
        {{0, 4}, {0, 4}, 4, "inside tensor"},
        {{0, 8}, {2, 4}, 8, "tensor 'b': its data begins at byte 2"},
        {{0, 4}, {2, 2}, 4, "inside tensor"},
        {{6, 8}, {0, 4}, 8, "tensor 'a': bytes 4 to 6 of the buffer"},
        {{0, 4}, {6, 6}, 6, "tensor 'b': bytes 4 to 6 of the buffer"},
        {{0, 0}, {0, 0}, 3, "the last 3 bytes belong to no tensor"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char header[400];
        snprintf(header, sizeof header, "{\"a\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":"
                 "[%d,%d]},\"b\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[%d,%d]}}",
                 cases[i].a[1] - cases[i].a[0], cases[i].a[0], cases[i].a[1],
                 cases[i].b[1] - cases[i].b[0], cases[i].b[0], cases[i].b[1]);
        refused_expect(file_make(header, (size_t)cases[i].data), cases[i].expected);
    }
}

/* Every beginning of a good file is refused, and no byte changed makes it read astray. */
static void test_cut_and_changed_files(void **state)
{
    (void)state;
    static const char header[] =
        "{\"__metadata__\":{\"a\":\"b\"},\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":"
        "[0,8]},\"y\":{\"dtype\":\"U8\",\"shape\":[2,2],\"data_offsets\":[8,12]}}";
    struct bytes file = file_make(header, 12);
    for (size_t length = 0; length < file.length; length++) {
        struct bytes cut = {malloc(length + 1), length};
        memcpy(cut.at, file.at, length);
        refused_expect(cut, "");
    }
    for (size_t at = 0; at < file.length - 12; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            file.at[at] ^= (unsigned char)(1u << bit);
            struct error error = {0};
            struct tensor_set *set = tensor_set_open_memory("m", file.at, file.length, &error);
            size_t length = set == NULL ? 0 : tensor_set_length(set);
            for (size_t i = 0; i < length; i++) {
                const struct tensor *tensor = tensor_set_at(set, i);
                const unsigned char *data = tensor->data;
                assert_true(data >= file.at && tensor->bytes <= 12);
                assert_true(data + tensor->bytes <= file.at + file.length);
            }
            assert_true((set == NULL) == (error.code == ERROR_FAILED));
            tensor_set_close(set);
            file.at[at] ^= (unsigned char)(1u << bit);
        }
    }
    free(file.at);
}

/* A name as long as it likes leaves the sentence whole. */
static void test_long_names(void **state)
{
    (void)state;
    char header[9000] = "{\"", *at = header + 2;
    for (int i = 0; i < 2000; i++)
        at = stpcpy(at, "\xe2\x82\xac");
    strcpy(at, "\":{}}");
    refused_expect(file_make(header, 0), "\xe2\x82\xac': dtype is missing or is not a string; the "
                   "file is damaged or was written by another tool");
}

/* ---------------------------------------------------------- paths and shards */

static const char header_x[] = "{\"x\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}";
static const char header_y[] = "{\"y\":{\"dtype\":\"I16\",\"shape\":[3],\"data_offsets\":[0,6]}}";

static void test_paths(void **state)
{
    (void)state;
    char path[5000];
    struct error error = {0};
    path_expect("absent", ERROR_MISUSED, "cannot be opened: No such file");
    path_expect(".", ERROR_MISUSED, "holds neither model.safetensors nor pytorch_model.bin");
    file_write("other", "", 0);
    path_expect("other", ERROR_FAILED, "has 0 bytes, too few");
    path_expect("other/x", ERROR_MISUSED, "cannot be opened");
    path_in_folder(path, sizeof path, "pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    path_expect("pipe", ERROR_FAILED, "is not a regular file");

    path_in_folder(path, sizeof path, "model.safetensors");
    assert_int_equal(mkdir(path, 0700), 0);
    path_expect(".", ERROR_FAILED, "model.safetensors: is not a regular file");
    assert_int_equal(rmdir(path), 0);

    model_write("model.safetensors", header_x, 4);
    for (int i = 0; i < 2; i++) {
        struct tensor_set *set = tensor_set_open(i == 0 ? path : folder, &error);
        assert_non_null(set);
        assert_int_equal(tensor_set_length(set), 1);
        assert_string_equal(tensor_set_at(set, 0)->file, path);
        assert_memory_equal(tensor_set_at(set, 0)->data, "\0\1\2\3", 4);
        tensor_set_close(set);
    }
    model_write("model.safetensors", header_x, 3);
    path_expect(".", ERROR_FAILED, "model.safetensors: tensor 'x': data_offsets [0, 4] reach");
}

static void test_shards(void **state)
{
    (void)state;
    char one[5000], two[5000], digest[17], other[17];
    struct error error = {0};
    path_in_folder(one, sizeof one, "one.safetensors");
    path_in_folder(two, sizeof two, "two.safetensors");
    model_write("one.safetensors", header_y, 6);
    model_write("two.safetensors", header_x, 4);
    model_write("model.safetensors", "{}", 0); /* the index goes first */
    text_write("model.safetensors.index.json",
               "{\"metadata\":{\"total_size\":10},\"weight_map\":{\"x\":\"two.safetensors\","
               "\"y\":\"one.safetensors\"}}");
    struct tensor_set *set = tensor_set_open(folder, &error);
    if (set == NULL)
        fail_msg("%s", error.text);
    assert_int_equal(tensor_set_length(set), 2);
    assert_string_equal(tensor_set_find(set, "x")->file, two);
    assert_string_equal(tensor_set_find(set, "y")->file, one);
    assert_int_equal(tensor_set_find(set, "y")->elements, 3);
    assert_int_equal(tensor_set_bytes(set), 16 + strlen(header_x) + strlen(header_y) + 10);
    tensor_set_digest(set, digest);
    tensor_set_close(set);
    text_write("model.safetensors.index.json", "{\"weight_map\":{\"y\":\"one.safetensors\",\"x\":"
               "\"two.safetensors\"}}");
    set = tensor_set_open(folder, &error);
    assert_non_null(set);
    tensor_set_digest(set, other);
    tensor_set_close(set);
    assert_string_equal(digest, other);
}

static void test_shards_damaged(void **state)
{
    (void)state;
    static const struct {
        const char *index;
        const char *expected;
    } cases[] = {
        {"", "index.json: line 1, column 0: "},
        {"[]", "weight_map is missing"},
        {"{}", "weight_map is missing"},
        {"{\"weight_map\":{}}", "names no tensor"},
        {"{\"weight_map\":{\"x\":\"one.safetensors\",\"x\":\"one.safetensors\"}}", "duplicate"},
        {"{\"weight_map\":{\"x\":1}}", "tensor 'x': its shard '' is not the plain name"},
        {"{\"weight_map\":{\"x\":\"\"}}", "its shard '' is not the plain name"},
        {"{\"weight_map\":{\"x\":\"../other\"}}", "its shard '../other' is not the plain name"},
        {"{\"weight_map\":{\"x\":\"/etc/passwd\"}}", "its shard '/etc/passwd' is not the plain"},
        {"{\"weight_map\":{\"x\":\".\"}}", "is not the plain name"},
        {"{\"weight_map\":{\"x\":\"three\"}}", "index.json: shard 'three' is not in the folder"},
        {"{\"weight_map\":{\"y\":\"one.safetensors\",\"x\":\"two.safetensors\"}}",
         "tensor 'y': is not in 'one.safetensors', where the index says it is"},
        {"{\"weight_map\":{\"z\":\"one.safetensors\"}}", "tensor 'z': is not in"},
        {"{\"weight_map\":{\"x\":\"one.safetensors\",\"y\":\"other\"}}",
         "one.safetensors: tensor 'x' is also in"},
        {"{\"weight_map\":{\"x\":\"one.safetensors\",\"y\":\"model.safetensors\"}}",
         "model.safetensors: the header has 2 bytes, but only 1 follow"},
    };
    model_write("one.safetensors", header_x, 4);
    model_write("two.safetensors", header_y, 6);
    model_write("other", header_x, 4);
    file_write("model.safetensors", "\2\0\0\0\0\0\0\0{", 9);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        text_write("model.safetensors.index.json", cases[i].index);
        path_expect(".", ERROR_FAILED, cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tensors_are_described),
        cmocka_unit_test(test_no_tensor_is_legal),
        cmocka_unit_test(test_dtypes),
        cmocka_unit_test(test_many_tensors_are_found),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_beginning_damaged),
        cmocka_unit_test(test_json_damaged),
        cmocka_unit_test(test_entries_damaged),
        cmocka_unit_test(test_cover_damaged),
        cmocka_unit_test(test_cut_and_changed_files),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test_setup_teardown(test_paths, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_shards, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_shards_damaged, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
