/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tests of the reader of torch.save's files. Files are built here byte by
 * byte, so that each can be made wrong in one place; those in golden/torch
 * were written by PyTorch 1.13.
 */
#define _GNU_SOURCE 1
#include "neurons/import/tensor_set.h"

#include <fcntl.h>
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

/* --------------------------------------------------------------- zip files */

struct bytes {
    unsigned char *at; /* [length], exactly, so that a read beyond is noticed */
    size_t length;
};

struct part {
    const char *name;
    const void *bytes;
    size_t length;
    uint16_t method, flags;
};

enum zip_form { ZIP_PLAIN, ZIP_WIDE, ZIP_COMMENT };

static void put(struct bytes *file, const void *bytes, size_t length)
{
    file->at = realloc(file->at, file->length + length + 1);
    assert_non_null(file->at);
    if (length > 0)
        memcpy(file->at + file->length, bytes, length);
    file->length += length;
}

static void put_number(struct bytes *file, uint64_t number, int size)
{
    for (int i = 0; i < size; i++)
        put(file, &(unsigned char){i < 8 ? (unsigned char)(number >> (8 * i)) : 0}, 1);
}

/* As torch writes it: no sizes, which come in the directory, and an extra field that aligns. */
static void put_local(struct bytes *file, const struct part *part)
{
    put(file, "PK\3\4\0\0", 6);
    put_number(file, part->flags | 0x808, 2);
    put_number(file, part->method, 2);
    put(file, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    put_number(file, strlen(part->name), 2);
    put_number(file, 6, 2);
    put(file, part->name, strlen(part->name));
    put(file, "FB\2\0ZZ", 6);
}

static void put_entry(struct bytes *file, const struct part *part, uint64_t offset, bool wide)
{
    put(file, "PK\1\2\0\0\0\0", 8);
    put_number(file, part->flags | 0x808, 2);
    put_number(file, part->method, 2);
    put_number(file, 0, 8); /* time, date, checksum */
    put_number(file, wide ? UINT32_MAX : part->length, 4);
    put_number(file, wide ? UINT32_MAX : part->length, 4);
    put_number(file, strlen(part->name), 2);
    put_number(file, wide ? 5 + 28 : 0, 2);
    put_number(file, 0, 10);
    put_number(file, wide ? UINT32_MAX : offset, 4);
    put(file, part->name, strlen(part->name));
    if (!wide)
        return;
    put(file, "XY\1\0Z\1\0\30\0", 9); /* a field of another kind comes first */
    put_number(file, part->length, 8);
    put_number(file, part->length, 8);
    put_number(file, offset, 8);
}

static void put_end(struct bytes *file, size_t count, uint64_t at, uint64_t length, uint64_t end,
                    enum zip_form form)
{
    bool wide = form == ZIP_WIDE;
    if (wide) {
        put(file, "PK\6\6\54\0\0\0\0\0\0\0\55\0\55\0\0\0\0\0\0\0\0\0", 24);
        put_number(file, count, 8);
        put_number(file, count, 8);
        put_number(file, length, 8);
        put_number(file, at, 8);
        put(file, "PK\6\7\0\0\0\0", 8);
        put_number(file, end, 8);
        put_number(file, 1, 4);
    }
    put(file, "PK\5\6\0\0\0\0", 8);
    put_number(file, wide ? UINT16_MAX : count, 2);
    put_number(file, wide ? UINT16_MAX : count, 2);
    put_number(file, wide ? UINT32_MAX : length, 4);
    put_number(file, wide ? UINT32_MAX : at, 4);
    put_number(file, form == ZIP_COMMENT ? 5 : 0, 2);
    put(file, "PK\5\6.", form == ZIP_COMMENT ? 5 : 0);
}

static struct bytes zip_make(const struct part *parts, size_t count, enum zip_form form)
{
    struct bytes file = {NULL, 0};
    size_t offset[16];
    assert_true(count <= 16);
    for (size_t i = 0; i < count; i++) {
        offset[i] = file.length;
        put_local(&file, &parts[i]);
        put(&file, parts[i].bytes, parts[i].length);
    }
    size_t directory = file.length;
    for (size_t i = 0; i < count; i++)
        put_entry(&file, &parts[i], offset[i], form == ZIP_WIDE);
    put_end(&file, count, directory, file.length - directory, file.length, form);
    file.at = realloc(file.at, file.length);
    return file;
}

/* Where `what` is in the file, for the `nth` time. */
static unsigned char *find(const struct bytes *file, const char *what, size_t length, int nth)
{
    unsigned char *at = file->at;
    for (; nth >= 0; nth--, at++) {
        at = memmem(at, file->length - (size_t)(at - file->at), what, length);
        assert_non_null(at);
    }
    return at - 1;
}

/* ------------------------------------------------------------------ pickles */

/* Pieces of pickles, as literals. Numbers are one character. */
#define TEXT(length, text) "X" length "\0\0\0" text
#define INT(number) "K" number
#define STORAGE(type, key, elements)                                                              \
    "(" TEXT("\7", "storage") "ctorch\n" type "\n" TEXT("\1", key) TEXT("\3", "cpu")              \
    INT(elements) "tQ"
#define HOOKS "ccollections\nOrderedDict\n)R"
#define REBUILD "ctorch._utils\n_rebuild_tensor_v2\n("
#define TENSOR(storage, offset, size, strides) REBUILD storage offset size strides "\x89" HOOKS "tR"
#define FLOATS STORAGE("FloatStorage", "0", "\6")
#define PLAIN TENSOR(FLOATS, INT("\0"), INT("\2") INT("\3") "\x86", INT("\3") INT("\1") "\x86")
#define STATE(value) "\x80\2}" TEXT("\1", "x") value "s."

/* The storages of every file: six floats' bytes, and two. */
static const unsigned char storage_0[24] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                            12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23};
static const unsigned char storage_1[2] = {0x41, 0x42};

static struct bytes file_make(const void *pickle, size_t length, enum zip_form form)
{
    struct part parts[] = {{.name = "m/data.pkl", .bytes = pickle, .length = length},
                           {.name = "m/data/0", .bytes = storage_0, .length = 24},
                           {.name = "m/data/1", .bytes = storage_1, .length = 2},
                           {.name = "m/version", .bytes = "3\n", .length = 2}};
    return zip_make(parts, 4, form);
}

#define FILE_OF(literal) file_make(literal, sizeof literal - 1, ZIP_PLAIN)

/* ----------------------------------------------------------------- checking */

static struct tensor_set *set_open(const struct bytes *file)
{
    struct error error = {0};
    struct tensor_set *set = tensor_set_open_memory("a.bin", file->at, file->length, &error);
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
    struct tensor_set *set = tensor_set_open_memory("a.bin", file.at, file.length, &error);
    sentence_expect(set, &error, ERROR_FAILED, expected);
    assert_memory_equal(error.text, "a.bin: ", 7);
    assert_null(tensor_set_open_memory("a.bin", file.at, file.length, NULL));
    free(file.at);
}

static void tensor_expect(const struct tensor_set *set, const char *name, enum dtype dtype,
                          uint32_t rank, const uint64_t *shape, const void *bytes, size_t length)
{
    const struct tensor *tensor = tensor_set_find(set, name);
    if (tensor == NULL)
        fail_msg("there is no tensor '%s'", name);
    assert_int_equal(tensor->dtype, dtype);
    assert_int_equal(tensor->rank, rank);
    for (uint32_t i = 0; i < rank; i++)
        assert_int_equal(tensor->shape[i], shape[i]);
    assert_int_equal(tensor->bytes, length);
    assert_int_equal(tensor->elements, length / dtype_bytes(dtype));
    assert_memory_equal(tensor->data, bytes, length);
}

/* ------------------------------------------------------------------- folders */

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

static void model_write(const char *name, struct bytes file)
{
    file_write(name, file.at, file.length);
    free(file.at);
}

static const char *const names[] = {"pytorch_model.bin.index.json", "pytorch_model.bin", "one.bin",
                                    "two.bin", "model.safetensors.index.json",
                                    "model.safetensors", "large.bin"};

static int folder_make(void **state)
{
    (void)state;
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/volley-torch-XXXXXX",
             parent != NULL && parent[0] != '\0' ? parent : P_tmpdir);
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int folder_remove(void **state)
{
    (void)state;
    char path[5000];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        path_in_folder(path, sizeof path, names[i]);
        remove(path);
    }
    return rmdir(folder);
}

static struct tensor_set *path_open(const char *name)
{
    struct error error = {0};
    char path[5000];
    path_in_folder(path, sizeof path, name);
    struct tensor_set *set = tensor_set_open(path, &error);
    if (set == NULL)
        fail_msg("did not open: %s", error.text);
    return set;
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
    static const char state_dict[] =
        "\x80\2" HOOKS "q\0("
        TEXT("\1", "z") PLAIN
        TEXT("\1", "r") TENSOR(FLOATS, INT("\3"), INT("\3") "\x85", INT("\1") "\x85")
        TEXT("\1", "s") TENSOR(STORAGE("BFloat16Storage", "1", "\1"), INT("\0"), ")", ")")
        /* where a dimension has one element, its stride says nothing */
        TEXT("\1", "o") TENSOR(FLOATS, INT("\1"), INT("\1") INT("\2") "\x86", INT("\7") INT("\1")
                               "\x86")
        TEXT("\1", "e") TENSOR(FLOATS, INT("\6"), INT("\0") INT("\4") "\x86", INT("\1") INT("\1")
                               "\x86")
        TEXT("\1", "p") "ctorch._utils\n_rebuild_parameter\n" PLAIN "\x88" HOOKS "\x87R"
        TEXT("\2", "\xc3\xa4") REBUILD FLOATS INT("\0") INT("\6") "\x85" INT("\1") "\x85" "\x89"
            HOOKS "}tR"
        "u}" TEXT("\11", "_metadata") HOOKS "(" TEXT("\0", "") "}" TEXT("\7", "version") INT("\1")
        "susb.";
    for (enum zip_form form = ZIP_PLAIN; form <= ZIP_COMMENT; form++) {
        struct bytes file = file_make(state_dict, sizeof state_dict - 1, form);
        struct tensor_set *set = set_open(&file);
        assert_int_equal(tensor_set_length(set), 7);
        assert_int_equal(tensor_set_bytes(set), file.length);
        tensor_expect(set, "z", DTYPE_F32, 2, (uint64_t[]){2, 3}, storage_0, 24);
        tensor_expect(set, "r", DTYPE_F32, 1, (uint64_t[]){3}, storage_0 + 12, 12);
        tensor_expect(set, "s", DTYPE_BF16, 0, NULL, storage_1, 2);
        tensor_expect(set, "o", DTYPE_F32, 2, (uint64_t[]){1, 2}, storage_0 + 4, 8);
        tensor_expect(set, "e", DTYPE_F32, 2, (uint64_t[]){0, 4}, storage_0, 0);
        tensor_expect(set, "p", DTYPE_F32, 2, (uint64_t[]){2, 3}, storage_0, 24);
        tensor_expect(set, "\xc3\xa4", DTYPE_F32, 1, (uint64_t[]){6}, storage_0, 24);
        assert_string_equal(tensor_set_find(set, "z")->file, "a.bin");
        assert_ptr_equal(tensor_set_find(set, "z")->data, tensor_set_find(set, "p")->data);
        assert_null(tensor_set_find(set, "_metadata"));
        tensor_release(set, tensor_set_find(set, "z")); /* of no consequence in memory */
        tensor_set_close(set);
        free(file.at);
    }
}

static void test_dtypes(void **state)
{
    (void)state;
    static const char *const types[] = {"Double", "Float", "Half", "BFloat16", "Long", "Int",
                                        "Short", "Char", "Byte", "Bool"};
    for (enum dtype dtype = DTYPE_F64; dtype <= DTYPE_BOOL; dtype++) {
        char count[2] = {(char)(24 / dtype_bytes(dtype)), '\0'};
        struct bytes pickle = {NULL, 0};
        put(&pickle, "\x80\2}" TEXT("\1", "x") REBUILD "(" TEXT("\7", "storage") "ctorch\n",
            sizeof "\x80\2}" TEXT("\1", "x") REBUILD "(" TEXT("\7", "storage") "ctorch\n" - 1);
        put(&pickle, types[dtype], strlen(types[dtype]));
        put(&pickle, "Storage\n" TEXT("\1", "0") TEXT("\1", "c") "K",
            sizeof "Storage\n" TEXT("\1", "0") TEXT("\1", "c") "K" - 1);
        put(&pickle, count, 1);
        put(&pickle, "tQ" INT("\1") INT("\2") "\x85" INT("\1") "\x85\x89" HOOKS "tRs.",
            sizeof "tQ" INT("\1") INT("\2") "\x85" INT("\1") "\x85\x89" HOOKS "tRs." - 1);
        struct bytes file = file_make(pickle.at, pickle.length, ZIP_PLAIN);
        struct tensor_set *set = set_open(&file);
        uint32_t size = dtype_bytes(dtype);
        tensor_expect(set, "x", dtype, 1, (uint64_t[]){2}, storage_0 + size, 2 * size);
        tensor_set_close(set);
        free(pickle.at);
        free(file.at);
    }
}

/* Integers of every width, and texts and names as protocol 4 has them. */
static void test_protocol_4(void **state)
{
    (void)state;
    static const char pickle[] =
        "\x80\4\x95\377\0\0\0\0\0\0\0}\x94("
        "\x8c\1x\x94" "\x8c\14torch._utils\x94" "\x8c\22_rebuild_tensor_v2\x94" "\x93\x94("
        "(\x8c\7storage\x94" "\x8c\5torch\x94" "\x8c\14""FloatStorage\x94" "\x93\x94\x8c\1" "0\x94"
        "\x8c\3""cpu\x94" "J\6\0\0\0" "t\x94Q" "M\0\0" "\x8a\1\2" "\x8a\2\3\0" "\x86\x94"
        "\x8a\1\3" "K\1" "\x86\x94" "\x89" "\x8c\13" "collections\x94" "\x8c\13OrderedDict\x94"
        "\x93\x94)R\x94" "t\x94R\x94"
        "\x8c\1y" "h\4" "(" "(h\5" "h\10" "h\11" "h\12" "K\6" "tQ" "K\4" "\x8a\0"
        "\x85" "\x8a\10\1\0\0\0\0\0\0\0\x85" "\x89h\x10)R" "tR"
        "u.";
    struct bytes file = FILE_OF(pickle);
    struct tensor_set *set = set_open(&file);
    tensor_expect(set, "x", DTYPE_F32, 2, (uint64_t[]){2, 3}, storage_0, 24);
    tensor_expect(set, "y", DTYPE_F32, 1, (uint64_t[]){0}, storage_0, 0);
    tensor_set_close(set);
    free(file.at);
}

static const char *golden_path(char path[5000], const char *name)
{
    const char *data = getenv("VOLLEY_TEST_DATA");
    snprintf(path, 5000, "%s/torch/%s", data != NULL ? data : "tests/golden", name);
    return path;
}

/* What PyTorch itself wrote: the state dict of Linear(3, 2) and BatchNorm1d(2) … */
static void test_module_of_torch(void **state)
{
    (void)state;
    char path[5000];
    struct error error = {0};
    struct tensor_set *set = tensor_set_open(golden_path(path, "module.bin"), &error);
    if (set == NULL)
        fail_msg("%s", error.text);
    assert_int_equal(tensor_set_length(set), 7);
    tensor_expect(set, "0.weight", DTYPE_F32, 2, (uint64_t[]){2, 3},
                  (float[]){-1, -0.5f, 0, 0.5f, 1, 1.5f}, 24);
    tensor_expect(set, "0.bias", DTYPE_F32, 1, (uint64_t[]){2}, (float[]){0.25f, -3}, 8);
    tensor_expect(set, "1.running_var", DTYPE_F32, 1, (uint64_t[]){2}, (float[]){1, 1}, 8);
    tensor_expect(set, "1.num_batches_tracked", DTYPE_I64, 0, NULL, (int64_t[]){0}, 8);
    tensor_set_close(set);
}

/* … and, by protocol 4, views of one storage, a parameter, other types and an empty tensor. */
static void test_views_of_torch(void **state)
{
    (void)state;
    char path[5000];
    struct error error = {0};
    struct tensor_set *set = tensor_set_open(golden_path(path, "shared.bin"), &error);
    if (set == NULL)
        fail_msg("%s", error.text);
    assert_int_equal(tensor_set_length(set), 7);
    float whole[12];
    uint16_t narrow[12];
    for (int i = 0; i < 12; i++) {
        whole[i] = (float)i;
        uint32_t bits;
        memcpy(&bits, &whole[i], 4);
        narrow[i] = (uint16_t)(bits >> 16);
    }
    tensor_expect(set, "whole", DTYPE_F32, 2, (uint64_t[]){3, 4}, whole, 48);
    tensor_expect(set, "row", DTYPE_F32, 1, (uint64_t[]){4}, whole + 4, 16);
    tensor_expect(set, "parameter", DTYPE_F32, 1, (uint64_t[]){4}, whole + 8, 16);
    tensor_expect(set, "bf16", DTYPE_BF16, 2, (uint64_t[]){3, 4}, narrow, 24);
    tensor_expect(set, "half", DTYPE_F16, 0, NULL, (uint16_t[]){0x3e00}, 2);
    tensor_expect(set, "none", DTYPE_I16, 2, (uint64_t[]){0, 5}, "", 0);
    tensor_expect(set, "flag", DTYPE_BOOL, 1, (uint64_t[]){2}, "\1\0", 2);
    assert_ptr_equal((const char *)tensor_set_find(set, "whole")->data + 16,
                     tensor_set_find(set, "row")->data);
    tensor_set_close(set);
}

static void test_refused_of_torch(void **state)
{
    (void)state;
    static const struct {
        const char *name, *expected;
    } cases[] = {
        {"transposed.bin", "tensor 'x': is not contiguous (stride 1 is 4, not 1); save it as "
                           "tensor.contiguous()"},
        {"old.bin", "before PyTorch 1.6; load it with torch.load and save it again with"},
        {"model.bin", "data.pkl: byte 2: asks for 'torch.nn.modules.container.Sequential', which "
                      "no state dict of tensors needs"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[5000];
        struct error error = {0};
        struct tensor_set *set = tensor_set_open(golden_path(path, cases[i].name), &error);
        sentence_expect(set, &error, ERROR_FAILED, cases[i].expected);
    }
}

static void test_digest(void **state)
{
    (void)state;
    char digest[17], other[17];
    struct bytes file = FILE_OF(STATE(PLAIN));
    struct tensor_set *set = set_open(&file);
    tensor_set_digest(set, digest);
    tensor_set_close(set);
    assert_int_equal(strspn(digest, "0123456789abcdef"), 16);
    unsigned char *const places[] = {
        find(&file, TEXT("\1", "x"), 6, 0) + 5,  /* the name of the tensor */
        find(&file, "PK\1\2", 4, 1) + 16,        /* the checksum of a storage */
        find(&file, "\1\2\3\4\5", 5, 0),         /* data, which does not count by itself */
    };
    for (int i = 0; i < 3; i++) {
        *places[i] ^= 1;
        set = set_open(&file);
        tensor_set_digest(set, other);
        tensor_set_close(set);
        *places[i] ^= 1;
        assert_int_equal(strcmp(digest, other) == 0, i == 2);
    }
    free(file.at);
}

/* ------------------------------------------------------------ damaged pickles */

#define CASE(literal, expected) {literal, sizeof literal - 1, expected}
#define SIZE_2_3 INT("\2") INT("\3") "\x86"
#define STRIDES_3_1 INT("\3") INT("\1") "\x86"

struct pickle_case {
    const char *pickle;
    size_t length;
    const char *expected;
};

static void cases_refused(const struct pickle_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        refused_expect(file_make(cases[i].pickle, cases[i].length, ZIP_PLAIN), cases[i].expected);
}

static void test_pickles_refused(void **state)
{
    (void)state;
    static const struct pickle_case cases[] = {
        CASE("", "a.bin: data.pkl: does not begin as a pickle of protocol 2"),
        CASE("}.", "does not begin as a pickle of protocol 2"),
        CASE("\x80\1}.", "data.pkl: byte 0: pickle protocol 1 is not read, only 2 to 5"),
        CASE("\x80\6}.", "pickle protocol 6 is not read"),
        CASE("\x80\2", "byte 2: the pickle ends too early"),
        CASE("\x80\2}", "byte 3: the pickle ends too early"),
        CASE("\x80\2}.x", "the pickle ends with something left over"),
        CASE("\x80\2}}.", "the pickle ends with something left over"),
        CASE("\x80\2.", "needs more values than there are"),
        CASE("\x80\2(.", "needs a value where a mark is"),
        CASE("\x80\2K\1.", "holds a number, not a dictionary of tensors"),
        CASE("\x80\2N.", "holds None, not a dictionary"),
        CASE("\x80\2).", "holds a tuple, not a dictionary"),
        CASE("\x80\2].", "byte 2: opcode 0x5d is not one that a state dict of tensors needs"),
        CASE("\x80\2G\0\0\0\0\0\0\0\0.", "opcode 0x47 is not one"),
        CASE("\x80\2X\5\0\0\0abc.", "the pickle ends too early"),
        CASE("\x80\2X\xff\xff\xff\xff" "abc.", "the pickle ends too early"),
        CASE("\x80\2X\1\0\0\0\xff.", "a text is not valid UTF-8"),
        CASE("\x80\2\x8a\11\1\1\1\1\1\1\1\1\1.", "an integer has more than 64 bits"),
        CASE("\x80\2K", "the pickle ends too early"),
        CASE("\x80\2M\1", "the pickle ends too early"),
        CASE("\x80\2J\1\1\1", "the pickle ends too early"),
        CASE("\x80\4\x95\1", "the pickle ends too early"),
        CASE("\x80\2ctorch\nFloat", "the pickle ends in the middle of a name"),
        CASE("\x80\2N\x86.", "needs more values than there are"),
        CASE("\x80\2N(N\x86.", "needs a value where a mark is"),
        CASE("\x80\2Nt.", "needs a mark that is not there"),
        CASE("\x80\2}NNu.", "needs a mark that is not there"),
        CASE("\x80\2}(Nu.", "a key without a value"),
        CASE("\x80\2(NNu.", "an item is set in nothing"),
        CASE("\x80\2N(NNu.", "an item is set in something that is no dictionary"),
        CASE("\x80\2NNs.", "an item is set in nothing"),
        CASE("\x80\2)NNs.", "an item is set in something that is no dictionary"),
        CASE("\x80\2((NNs.", "an item is set in something that is no dictionary"),
        CASE("\x80\2q\0.", "needs more values"),
        CASE("\x80\2}q\1.", "the memo is not filled in turn"),
        CASE("\x80\2}r\xff\xff\xff\xff.", "the memo is not filled in turn"),
        CASE("\x80\2(q\0.", "needs a value where a mark is"),
        CASE("\x80\2h\0.", "the memo holds nothing under a number"),
        CASE("\x80\2}q\0j\1\0\0\0.", "the memo holds nothing under a number"),
        CASE("\x80\2N)R.", "something is called that cannot be"),
        CASE("\x80\2" "ccollections\nOrderedDict\nNR.", "not with a tuple"),
        CASE("\x80\2" "ccollections\nOrderedDict\n)\x85R.",
             "an OrderedDict is made with arguments"),
        CASE("\x80\2})b.", "attributes are set on something that is no dictionary"),
        CASE("\x80\2)}b.", "attributes are set on something that is no dictionary"),
        CASE("\x80\2NQ.", "a persistent id is not a tuple"),
        CASE("\x80\4NN\x93.", "the name of what it asks for is no text"),
    };
    cases_refused(cases, sizeof cases / sizeof cases[0]);
}

static void test_globals_refused(void **state)
{
    (void)state;
    static const struct pickle_case cases[] = {
        CASE("\x80\2" "cos\nsystem\n" TEXT("\4", "true") "\x85R.",
             "data.pkl: byte 2: asks for 'os.system', which no state dict of tensors needs, so the "
             "file is refused, and nothing in it was run; load it where it is trusted"),
        CASE("\x80\4\x8c\5posix\x8c\6system\x93.", "asks for 'posix.system'"),
        CASE("\x80\2" "cbuiltins\neval\n.", "asks for 'builtins.eval'"),
        CASE("\x80\2" "c__builtin__\nset\n.", "asks for '__builtin__.set'"),
        CASE("\x80\2" "ctorch\nComplexFloatStorage\n.", "asks for 'torch.ComplexFloatStorage'"),
        CASE("\x80\2" "ctorch._utils\n_rebuild_sparse_tensor\n.", "_rebuild_sparse_tensor'"),
        CASE("\x80\2" "ctorch.\nFloatStorage\n.", "asks for 'torch..FloatStorage'"),
        CASE("\x80\2" "ctorch\nFloatStorag\n.", "asks for 'torch.FloatStorag'"),
        CASE("\x80\2" "c\n\n.", "asks for '.'"),
        CASE("\x80\2" "ca\xff\nb\n.", "asks for 'a.b'"),
    };
    cases_refused(cases, sizeof cases / sizeof cases[0]);
}

static void test_tensors_refused(void **state)
{
    (void)state;
    static const struct pickle_case cases[] = {
        CASE("\x80\2}" INT("\1") PLAIN "s.", "the name of a tensor is a number, not a text"),
        CASE("\x80\2}" TEXT("\2", "a\0") PLAIN "s.", "the name of a tensor holds a zero byte"),
        CASE("\x80\2}(" TEXT("\1", "x") PLAIN TEXT("\1", "x") PLAIN "u.",
             "tensor 'x': is there twice"),
        CASE(STATE("K\1"), "a.bin: tensor 'x': is not a tensor but a number; save the model's"),
        CASE(STATE("}"), "is not a tensor but a dictionary"),
        CASE(STATE(FLOATS), "is not a tensor but a storage"),
        CASE(STATE("ctorch\nFloatStorage\n"), "is not a tensor but a function or type"),
        CASE(STATE("ctorch\nFloatStorage\n)R"), "is not a tensor but a call"),
        CASE(STATE("ctorch._utils\n_rebuild_parameter\n)R"), "is not a tensor but a call"),
        CASE(STATE("ctorch._utils\n_rebuild_parameter\nN\x85R"), "is not a tensor but None"),
        CASE(STATE("ctorch._utils\n_rebuild_parameter\nctorch._utils\n_rebuild_parameter\n" PLAIN
                   "\x85R\x85R"), "is not a tensor but a call"),
        CASE(STATE(REBUILD FLOATS "tR"), "is rebuilt from 1 arguments, not 6 or 7"),
        CASE(STATE(REBUILD FLOATS INT("\0") SIZE_2_3 STRIDES_3_1 "\x89NtR"),
             "has hooks or attributes that are not read"),
        CASE(STATE(REBUILD FLOATS INT("\0") SIZE_2_3 STRIDES_3_1 "\x89" HOOKS "}"
                   TEXT("\3", "neg") "\x88stR"), "has hooks or attributes that are not read"),
        CASE(STATE(TENSOR("N", INT("\0"), SIZE_2_3, STRIDES_3_1)),
             "its storage is not described as torch.save does"),
        CASE(STATE(TENSOR("(" TEXT("\7", "Storage") "NNNNtQ", INT("\0"), SIZE_2_3, STRIDES_3_1)),
             "its storage is not described"),
        CASE(STATE(TENSOR("(" TEXT("\7", "storage") "NNNtQ", INT("\0"), SIZE_2_3, STRIDES_3_1)),
             "its storage is not described"),
        CASE(STATE(TENSOR("(" TEXT("\7", "storage") "NNNNtQ", INT("\0"), SIZE_2_3, STRIDES_3_1)),
             "its storage has no type, key or size"),
        CASE(STATE(TENSOR("(" TEXT("\7", "storage") "ccollections\nOrderedDict\n" TEXT("\1", "0")
                          "NK\6tQ", INT("\0"), SIZE_2_3, STRIDES_3_1)),
             "its storage has no type, key or size"),
        CASE(STATE(TENSOR("(" TEXT("\7", "storage") "ctorch._utils\n_rebuild_parameter\n"
                          TEXT("\1", "0") "NK\6tQ", INT("\0"), SIZE_2_3, STRIDES_3_1)),
             "its storage has no type, key or size"),
        CASE(STATE(TENSOR("(" TEXT("\7", "storage") "ctorch\nFloatStorage\n" TEXT("\1", "0")
                          "NJ\xff\xff\xff\xfftQ", INT("\0"), SIZE_2_3, STRIDES_3_1)),
             "its storage has no type, key or size"),
        CASE(STATE(TENSOR(STORAGE("FloatStorage", "7", "\6"), INT("\0"), SIZE_2_3, STRIDES_3_1)),
             "its storage 'data/7' is not in the file"),
        CASE(STATE(TENSOR(STORAGE("FloatStorage", "0", "\5"), INT("\0"), SIZE_2_3, STRIDES_3_1)),
             "its storage 'data/0' has 24 bytes, which are not 5 elements of F32"),
        CASE(STATE(TENSOR(STORAGE("DoubleStorage", "0", "\6"), INT("\0"), SIZE_2_3, STRIDES_3_1)),
             "which are not 6 elements of F64"),
        CASE(STATE(TENSOR("(" TEXT("\7", "storage") "ctorch\nDoubleStorage\n" TEXT("\1", "0")
                          "N\x8a\10\3\0\0\0\0\0\0\x20tQ", INT("\0"), SIZE_2_3, STRIDES_3_1)),
             "which are not 2305843009213693955 elements of F64"),
        CASE(STATE(TENSOR(FLOATS, INT("\0"), "N", STRIDES_3_1)), "its size is None, not a tuple"),
        CASE(STATE(TENSOR(FLOATS, INT("\0"), "(NNNNNNNNNt", STRIDES_3_1)),
             "its size has 9 dimensions; at most 8 can be read"),
        CASE(STATE(TENSOR(FLOATS, INT("\0"), INT("\2") "N\x86", STRIDES_3_1)),
             "dimension 1 of its size is not an integer of 0 or more"),
        CASE(STATE(TENSOR(FLOATS, INT("\0"), INT("\2") "\x8a\1\xff\x86", STRIDES_3_1)),
             "dimension 1 of its size is not"),
        CASE(STATE(TENSOR(FLOATS, INT("\0"), "\x8a\5\0\0\0\0\1\x8a\5\0\0\0\0\1\x86", STRIDES_3_1)),
             "its size asks for more than 2^64 bytes"),
        CASE(STATE(TENSOR(FLOATS, INT("\0"), SIZE_2_3, "N")), "its strides are not as many"),
        CASE(STATE(TENSOR(FLOATS, INT("\0"), SIZE_2_3, "K\1\x85")), "its strides are not as many"),
        CASE(STATE(TENSOR(FLOATS, INT("\0"), SIZE_2_3, "NK\1\x86")), "stride 0 is no integer"),
        CASE(STATE(TENSOR(FLOATS, INT("\0"), SIZE_2_3, "K\1K\2\x86")),
             "is not contiguous (stride 1 is 2, not 1); save it as tensor.contiguous()"),
        CASE(STATE(TENSOR(FLOATS, INT("\0"), SIZE_2_3, "K\2K\1\x86")),
             "is not contiguous (stride 0 is 2, not 3)"),
        CASE(STATE(TENSOR(FLOATS, INT("\0"), "K\6\x85", "K\0\x85")), "stride 0 is 0, not 1"),
        CASE(STATE(TENSOR(FLOATS, INT("\0"), "K\6\x85", "\x8a\1\xff\x85")), "stride 0 is -1, not"),
        CASE(STATE(TENSOR(FLOATS, INT("\1"), SIZE_2_3, STRIDES_3_1)),
             "6 elements from its offset on are more than the 6 of its storage"),
        CASE(STATE(TENSOR(FLOATS, INT("\7"), "K\0\x85", "K\1\x85")), "0 elements from its offset"),
        CASE(STATE(TENSOR(FLOATS, "\x8a\1\xff", SIZE_2_3, STRIDES_3_1)), "from its offset on"),
        CASE(STATE(TENSOR(FLOATS, "\x8a\10\xff\xff\xff\xff\xff\xff\xff\x7f", SIZE_2_3,
                          STRIDES_3_1)), "from its offset on"),
        CASE(STATE(TENSOR(FLOATS, "N", SIZE_2_3, STRIDES_3_1)), "from its offset on"),
    };
    cases_refused(cases, sizeof cases / sizeof cases[0]);
}

/* A dictionary that holds itself, and tuples of tuples of tuples, each twice in the next, cost
 * nothing. */
static void test_self_reference(void **state)
{
    (void)state;
    enum { TIMES = 100000, LENGTH = 5 * TIMES + 6 };
    char *pickle = malloc(LENGTH);
    assert_non_null(pickle);
    memcpy(pickle, "\x80\2Nq\0", 5);
    for (int i = 1; i <= TIMES; i++)
        memcpy(pickle + 5 * i, "h\0\x86q\0", 5);
    pickle[LENGTH - 1] = '.';
    refused_expect(file_make(pickle, LENGTH, ZIP_PLAIN), "holds a tuple");
    free(pickle);
    refused_expect(FILE_OF("\x80\2}q\0" TEXT("\1", "x") "h\0s."), "is not a tensor but a dict");
}

static void test_long_pickle(void **state)
{
    (void)state;
    size_t length = (8u << 20) + 1;
    char *pickle = malloc(length);
    assert_non_null(pickle);
    memset(pickle, '(', length);
    memcpy(pickle, "\x80\2", 2);
    refused_expect(file_make(pickle, length, ZIP_PLAIN), "has 8388609 bytes, more than the");
    refused_expect(file_make(pickle, length - 1, ZIP_PLAIN), "byte 8388608: the pickle ends too");
    free(pickle);
}

/* --------------------------------------------------------------- damaged zips */

/* A good file with `length` bytes changed at `place` behind the `nth` `what`. */
static struct bytes changed(enum zip_form form, const char *what, int nth, size_t place,
                            const char *bytes, size_t length)
{
    struct bytes file = file_make(STATE(PLAIN), sizeof STATE(PLAIN) - 1, form);
    memcpy(find(&file, what, 4, nth) + place, bytes, length);
    return file;
}

static void test_zips_refused(void **state)
{
    (void)state;
    static const struct {
        enum zip_form form;
        const char *what; /* four bytes */
        int nth;
        size_t place;
        const char *bytes;
        size_t length;
        const char *expected;
    } cases[] = {
        {ZIP_PLAIN, "PK\5\6", 0, 0, "X", 1, "the directory at the end of the zip file is missing"},
        {ZIP_PLAIN, "PK\5\6", 0, 20, "\1", 1, "the directory at the end of the zip file is"},
        {ZIP_PLAIN, "PK\5\6", 0, 10, "\377\0", 2, "a directory of 255 entries in"},
        {ZIP_PLAIN, "PK\5\6", 0, 10, "\5\0", 2, "a directory of 5 entries in"},
        {ZIP_PLAIN, "PK\5\6", 0, 16, "\377\377\377\0", 4, "is not in the zip file"},
        {ZIP_PLAIN, "PK\5\6", 0, 16, "\377\377\377\377", 4, "the zip64 locator before the last 22"},
        {ZIP_PLAIN, "PK\5\6", 0, 12, "\377\377\377\377", 4, "the zip64 locator before"},
        {ZIP_PLAIN, "PK\5\6", 0, 12, "\377\377\377\1", 4, "is not in the zip file"},
        {ZIP_PLAIN, "PK\5\6", 0, 10, "\377\377", 2, "a directory of 65535 entries in"},
        {ZIP_WIDE, "PK\6\7", 0, 0, "X", 1, "the zip64 locator before the last 22 bytes is missing"},
        {ZIP_WIDE, "PK\6\7", 0, 8, "\377\377\377\377\377\377\377\377", 8,
         "the zip64 directory's end is not at byte 18446744073709551615"},
        {ZIP_WIDE, "PK\6\6", 0, 0, "X", 1, "the zip64 directory's end is not at byte"},
        {ZIP_WIDE, "PK\6\6", 0, 32, "\377\377\377\377\377\377\377\377", 8,
         "a directory of 18446744073709551615 entries"},
        {ZIP_WIDE, "PK\6\6", 0, 40, "\377\377\377\377\377\377\377\377", 8, "is not in the zip"},
        {ZIP_WIDE, "PK\6\6", 0, 44, "\1", 1, "is not in the zip"}, /* 4 GiB more */
        {ZIP_WIDE, "PK\6\6", 0, 52, "\1", 1, "is not in the zip"},
        {ZIP_WIDE, "PK\6\6", 0, 48, "\377\377\377\377\377\377\377\377", 8, "is not in the zip"},
        {ZIP_PLAIN, "PK\1\2", 1, 0, "X", 1, "entry 1 of the zip file's directory is broken"},
        {ZIP_PLAIN, "PK\1\2", 3, 28, "\377", 1, "entry 3 of the zip file's directory is broken"},
        {ZIP_PLAIN, "PK\1\2", 1, 42, "\377\377\377\377", 4, "entry 1 of the zip file's directory"},
        {ZIP_WIDE, "XY\1\0", 1, 2, "\377\377", 2, "entry 1 of the zip file's directory is broken"},
        {ZIP_WIDE, "XY\1\0", 1, 7, "\20", 1, "entry 1 of the zip file's directory is broken"},
        {ZIP_WIDE, "XY\1\0", 1, 5, "\2", 1, "entry 1 of the zip file's directory is broken"},
        {ZIP_WIDE, "XY\1\0", 1, 25, "\377\377\377\377\377\377\377\377", 8,
         "'m/data/0' is not at byte 18446744073709551615, where the zip file's directory says"},
        {ZIP_WIDE, "XY\1\0", 1, 17, "\377\377\377\377\377\377\377\377", 8,
         "its storage 'data/0' has 18446744073709551615 bytes"},
        {ZIP_PLAIN, "PK\1\2", 2, 53, "0", 1, "'m/data/0' is in the zip file twice"},
        {ZIP_PLAIN, "PK\1\2", 0, 10, "\10", 1, "'m/data.pkl' is compressed (method 8)"},
        {ZIP_PLAIN, "PK\1\2", 1, 10, "\10", 1, "'m/data/0' is compressed (method 8), so that it "
         "cannot be mapped; load and save the file again with torch.save, which stores"},
        {ZIP_PLAIN, "PK\1\2", 1, 8, "\1", 1, "'m/data/0' is encrypted"},
        {ZIP_PLAIN, "PK\1\2", 0, 46, "/", 1, "a zip file with 0 pickles NAME/data.pkl"},
        {ZIP_PLAIN, "PK\1\2", 0, 48, "D", 1, "a zip file with 0 pickles NAME/data.pkl"},
        {ZIP_PLAIN, "PK\1\2", 1, 42, "\1", 1, "'m/data/0' is not at byte"},
        {ZIP_PLAIN, "PK\1\2", 0, 42, "\377\377\377\1", 4, "'m/data.pkl' is not at byte 33554431"},
        {ZIP_PLAIN, "PK\3\4", 1, 0, "X", 1, "'m/data/0' is not at byte"},
        {ZIP_PLAIN, "PK\3\4", 1, 30, "M", 1, "'m/data/0' has another name at byte"},
        {ZIP_PLAIN, "PK\3\4", 1, 26, "\11", 1, "'m/data/0' has another name at byte"},
        {ZIP_PLAIN, "PK\3\4", 1, 28, "\377\377", 2, "'m/data/0' has another name at byte"},
        {ZIP_PLAIN, "PK\1\2", 0, 20, "\377\377\0\0", 4, "'m/data.pkl' would have 65535 bytes"},
        {ZIP_PLAIN, "PK\3\4", 0, 0, "X", 1, "does not begin as a zip file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refused_expect(changed(cases[i].form, cases[i].what, cases[i].nth, cases[i].place,
                               cases[i].bytes, cases[i].length), cases[i].expected);
}

static void test_other_files_refused(void **state)
{
    (void)state;
    refused_expect((struct bytes){malloc(1), 0}, "does not begin as a zip file");
    struct bytes file = {NULL, 0};
    put(&file, "PK\3\4", 4);
    refused_expect(file, "the directory at the end of the zip file is missing");
    file = (struct bytes){NULL, 0};
    put(&file, "\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.", 16);
    refused_expect(file, "is of the form that torch.save wrote before PyTorch 1.6; load it with "
                   "torch.load and save it again");
    refused_expect(zip_make(NULL, 0, ZIP_PLAIN), "does not begin as a zip file");

    struct part parts[] = {{.name = "m/data.pkl", .bytes = "\x80\2}.", .length = 4},
                           {.name = "n/data.pkl", .bytes = "\x80\2}.", .length = 4},
                           {.name = "m/byteorder", .bytes = "little", .length = 6}};
    refused_expect(zip_make(parts, 2, ZIP_PLAIN), "a zip file with 2 pickles NAME/data.pkl");
    parts[1].name = "a/b/data.pkl"; /* a folder deeper is another matter */
    file = zip_make(parts, 3, ZIP_PLAIN);
    tensor_set_close(set_open(&file));
    free(file.at);
    parts[2].bytes = "big";
    parts[2].length = 3;
    refused_expect(zip_make(parts, 3, ZIP_PLAIN), "its byte order is not little-endian");
    parts[2].bytes = "littles";
    parts[2].length = 7;
    refused_expect(zip_make(parts, 3, ZIP_PLAIN), "its byte order is not little-endian");
    parts[2].bytes = "litter";
    parts[2].length = 6;
    refused_expect(zip_make(parts, 3, ZIP_PLAIN), "its byte order is not little-endian");
    parts[2].method = 8;
    refused_expect(zip_make(parts, 3, ZIP_PLAIN), "'m/byteorder' is compressed");
    char long_name[1200];
    memset(long_name, 'n', sizeof long_name);
    strcpy(long_name + 1100, "/data.pkl");
    parts[0].name = long_name;
    refused_expect(zip_make(parts, 1, ZIP_PLAIN), "the name of its pickle is too long");
}

/* No beginning of a good file opens, and no bit changed makes it read astray. */
static void test_cut_and_changed_files(void **state)
{
    (void)state;
    for (enum zip_form form = ZIP_PLAIN; form <= ZIP_COMMENT; form++) {
        struct bytes file = file_make(STATE(PLAIN), sizeof STATE(PLAIN) - 1, form);
        for (size_t length = 0; length < file.length; length++) {
            struct bytes cut = {malloc(length + 1), length};
            memcpy(cut.at, file.at, length);
            refused_expect(cut, "");
        }
        for (size_t bit = 0; bit < 8 * file.length; bit++) {
            file.at[bit / 8] ^= (unsigned char)(1u << bit % 8);
            struct error error = {0};
            struct tensor_set *set = tensor_set_open_memory("m.bin", file.at, file.length, &error);
            assert_true((set == NULL) == (error.code == ERROR_FAILED));
            for (size_t i = 0; set != NULL && i < tensor_set_length(set); i++) {
                const struct tensor *tensor = tensor_set_at(set, i);
                const unsigned char *data = tensor->data;
                assert_true(data >= file.at && data <= file.at + file.length);
                assert_true(tensor->bytes <= (size_t)(file.at + file.length - data));
            }
            tensor_set_close(set);
            file.at[bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
        free(file.at);
    }
}

/* ------------------------------------------------------------ paths and shards */

static const char safetensors[] =
    "\70\0\0\0\0\0\0\0{\"y\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}   ab";

static void test_paths(void **state)
{
    (void)state;
    path_expect(".", ERROR_MISUSED, "holds neither model.safetensors nor pytorch_model.bin, nor "
                "the index of either's shards");
    model_write("pytorch_model.bin", FILE_OF(STATE(PLAIN)));
    for (int i = 0; i < 2; i++) {
        struct tensor_set *set = path_open(i == 0 ? "pytorch_model.bin" : ".");
        assert_int_equal(tensor_set_length(set), 1);
        tensor_expect(set, "x", DTYPE_F32, 2, (uint64_t[]){2, 3}, storage_0, 24);
        tensor_set_close(set);
    }
    model_write("one.bin", FILE_OF(STATE(PLAIN)));
    file_write("pytorch_model.bin.index.json", "{\"weight_map\":{\"x\":\"one.bin\"}}", 30);
    struct tensor_set *set = path_open(".");
    assert_non_null(strstr(tensor_set_at(set, 0)->file, "/one.bin"));
    tensor_set_close(set);
    file_write("model.safetensors", safetensors, sizeof safetensors - 1); /* goes first */
    set = path_open(".");
    tensor_expect(set, "y", DTYPE_U8, 1, (uint64_t[]){2}, "ab", 2);
    assert_null(tensor_set_find(set, "x"));
    tensor_set_close(set);
    file_write("one.bin", safetensors, sizeof safetensors - 1);
    path_expect("one.bin", ERROR_FAILED, "one.bin: does not begin as a zip file");
    file_write("one.bin", "", 0);
    path_expect("one.bin", ERROR_FAILED, "one.bin: does not begin as a zip file");
}

static void test_shards(void **state)
{
    (void)state;
    static const char index[] = "{\"metadata\":{\"total_size\":48},\"weight_map\":{\"x\":"
                                "\"two.bin\",\"y\":\"one.bin\"}}";
    static const char wrong[] = "{\"weight_map\":{\"x\":\"one.bin\",\"y\":\"two.bin\"}}";
    model_write("one.bin", FILE_OF("\x80\2}" TEXT("\1", "y") PLAIN "s."));
    model_write("two.bin", FILE_OF(STATE(PLAIN)));
    file_write("pytorch_model.bin.index.json", index, strlen(index));
    struct tensor_set *set = path_open(".");
    assert_int_equal(tensor_set_length(set), 2);
    assert_non_null(strstr(tensor_set_find(set, "y")->file, "/one.bin"));
    tensor_expect(set, "y", DTYPE_F32, 2, (uint64_t[]){2, 3}, storage_0, 24);
    tensor_set_close(set);
    file_write("pytorch_model.bin.index.json", wrong, strlen(wrong));
    path_expect(".", ERROR_FAILED, "pytorch_model.bin.index.json: tensor 'x': is not in 'one.bin'");
    file_write("pytorch_model.bin.index.json", index, strlen(index));
    model_write("one.bin", FILE_OF(STATE(PLAIN)));
    path_expect(".", ERROR_FAILED, "one.bin: tensor 'x' is also in");
}

/* -------------------------------------------------------------- large files */

/* A file of more than 4 GiB, nearly all of it a hole, with a storage behind it. */
static void test_beyond_four_gib(void **state)
{
    (void)state;
    static const uint64_t hole = (1ull << 32) + 4096;
    const struct part parts[] = {
        {.name = "m/data.pkl", .bytes = STATE(PLAIN), .length = sizeof STATE(PLAIN) - 1},
        {.name = "m/data/1", .length = hole},
        {.name = "m/data/0", .bytes = storage_0, .length = 24}};
    struct bytes before = {NULL, 0}, after = {NULL, 0};
    put_local(&before, &parts[0]);
    put(&before, parts[0].bytes, parts[0].length);
    uint64_t second = before.length;
    put_local(&before, &parts[1]);
    uint64_t third = before.length + hole;
    put_local(&after, &parts[2]);
    put(&after, storage_0, 24);
    size_t directory = after.length;
    put_entry(&after, &parts[0], 0, true);
    put_entry(&after, &parts[1], second, true);
    put_entry(&after, &parts[2], third, true);
    put_end(&after, 3, third + directory, after.length - directory, third + after.length, ZIP_WIDE);

    char path[5000];
    path_in_folder(path, sizeof path, "large.bin");
    int descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(descriptor >= 0);
    bool written =
        pwrite(descriptor, before.at, before.length, 0) == (ssize_t)before.length
        && pwrite(descriptor, after.at, after.length, (off_t)third) == (ssize_t)after.length;
    close(descriptor);
    free(before.at);
    free(after.at);
    if (!written)
        skip(); /* a file system without holes or large files */
    struct tensor_set *set = path_open("large.bin");
    tensor_expect(set, "x", DTYPE_F32, 2, (uint64_t[]){2, 3}, storage_0, 24);
    assert_true(tensor_set_bytes(set) > hole);
    tensor_set_close(set);
}

/* Pages of files that are resident, of this process. */
static long resident_pages(void)
{
    long size, resident, shared = -1;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%ld %ld %ld", &size, &resident, &shared) != 3)
        shared = -1;
    if (file != NULL)
        fclose(file);
    return shared;
}

static uint64_t sum_of(const struct tensor *tensor)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < tensor->bytes; i++)
        sum += ((const unsigned char *)tensor->data)[i];
    return sum;
}

/* A released tensor stops being resident and reads the same as before. */
static void test_release(void **state)
{
    (void)state;
    enum { LARGE = 16 << 20 };
    static const char pickle[] = STATE(TENSOR("(" TEXT("\7", "storage") "ctorch\nByteStorage\n"
        TEXT("\1", "0") "NJ\0\0\0\1tQ", INT("\0"), "J\0\0\0\1\x85", "K\1\x85"));
    unsigned char *data = malloc(LARGE);
    assert_non_null(data);
    for (size_t i = 0; i < LARGE; i++)
        data[i] = (unsigned char)(i * 7 + (i >> 12));
    const struct part parts[] = {
        {.name = "m/data.pkl", .bytes = pickle, .length = sizeof pickle - 1},
        {.name = "m/data/0", .bytes = data, .length = LARGE}};
    model_write("large.bin", zip_make(parts, 2, ZIP_PLAIN));
    struct tensor_set *set = path_open("large.bin");
    const struct tensor *tensor = tensor_set_find(set, "x");
    tensor_release(set, tensor); /* reading the pickle may have brought some of it in */
    long before = resident_pages();
    volatile uint64_t sum = sum_of(tensor); /* so that it is not read later */
    long read = resident_pages();
    tensor_release(set, tensor);
    long released = resident_pages();
    long pages = LARGE / sysconf(_SC_PAGESIZE);
    if (before >= 0) {
        assert_true(read - before > pages * 9 / 10);
        assert_true(released - before < pages / 10);
    }
    assert_int_equal(sum_of(tensor), sum);
    assert_memory_equal(tensor->data, data, LARGE);
    tensor_set_close(set);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tensors_are_described),
        cmocka_unit_test(test_dtypes),
        cmocka_unit_test(test_protocol_4),
        cmocka_unit_test(test_module_of_torch),
        cmocka_unit_test(test_views_of_torch),
        cmocka_unit_test(test_refused_of_torch),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_pickles_refused),
        cmocka_unit_test(test_globals_refused),
        cmocka_unit_test(test_tensors_refused),
        cmocka_unit_test(test_self_reference),
        cmocka_unit_test(test_long_pickle),
        cmocka_unit_test(test_zips_refused),
        cmocka_unit_test(test_other_files_refused),
        cmocka_unit_test(test_cut_and_changed_files),
        cmocka_unit_test_setup_teardown(test_paths, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_shards, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_beyond_four_gib, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_release, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
