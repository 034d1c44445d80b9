/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packed models: what runs from one gives the bits of what runs from the checkpoint; the file is
 * what packed_format.h says, by a reader of its own; and a file that is damaged anywhere, or made
 * up with right checksums, is refused before anything is computed from it. Packing that fails
 * leaves nothing behind.
 */
#define _GNU_SOURCE 1
#include "tests/golden.h"
#include "tests/packed_rig.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "neurons/import/checkpoint.h"

static char work[4096]; /* a folder of this test's own, empty at the start of each */

static void variant_folder(char folder[5000], const char *name)
{
    snprintf(folder, 5000, "%s/variants/%s", golden_folder(), name);
}

static void work_path(char path[5000], const char *name)
{
    snprintf(path, 5000, "%s/%s", work, name);
}

static int open_work(void **state)
{
    (void)state;
    const char *temporary = getenv("TMPDIR");
    snprintf(work, sizeof work, "%s/packed.XXXXXX", temporary != NULL ? temporary : "/tmp");
    return mkdtemp(work) == NULL;
}

/* Names in the folder; removes them where `remove_all`. */
static size_t work_count(bool remove_all)
{
    size_t count = 0;
    DIR *folder = opendir(work);
    struct dirent *entry;
    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) {
        char path[5000];
        work_path(path, entry->d_name);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        count++;
        if (remove_all)
            assert_return_code(remove(path), 0);
    }
    closedir(folder);
    return count;
}

static int close_work(void **state)
{
    (void)state;
    work_count(true);
    return rmdir(work);
}

static bool pack(const char *folder, const char *path, const char *threshold, bool paper,
                 uint32_t table_bits, uint32_t threads, struct error *error)
{
    struct spikingbrain_options rules = rig_rules(threshold, paper);
    struct packing_options options = {&rules, table_bits};
    struct packing packing = {0};
    rules.workers = workers_new(threads, error);
    bool packed = packed_write(folder, path, &options, &packing, error);
    workers_free(rules.workers);
    return packed;
}

struct file {
    unsigned char *bytes; /* begins at a page */
    size_t length;
};

static struct file read_file(const char *path)
{
    struct stat status;
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    assert_return_code(fstat(fileno(in), &status), 0);
    struct file file = {aligned_alloc(4096, ((size_t)status.st_size + 4095) / 4096 * 4096),
                        (size_t)status.st_size};
    assert_non_null(file.bytes);
    assert_int_equal(fread(file.bytes, 1, file.length, in), file.length);
    fclose(in);
    return file;
}

/* A packed variant, in memory. */
static struct file packed_variant(const char *name, const char *threshold, bool paper)
{
    char folder[5000], path[6000];
    struct error error = {0};
    variant_folder(folder, name);
    work_path(path, "variant.volley");
    unlink(path);
    if (!pack(folder, path, threshold, paper, 32, 2, &error))
        fail_msg("%s: %s", name, error.text);
    struct file file = read_file(path);
    unlink(path);
    return file;
}

/* ---- the same bits ---- */

static double *run_path(const char *path, const struct spikingbrain_options *rules,
                        struct language_model **model)
{
    struct error error = {0};
    *model = spikingbrain_open(path, rules, &error);
    double *logits = *model != NULL ? rig_run(*model, 4, &error) : NULL;
    if (logits == NULL)
        fail_msg("%s: %s", path, error.text);
    return logits;
}

static void check_same(const char *folder, const char *threshold, bool paper)
{
    char path[5000];
    struct error error = {0};
    struct spikingbrain_options rules = rig_rules(threshold, paper);
    work_path(path, "same.volley");
    if (!pack(folder, path, threshold, paper, 32, 2, &error))
        fail_msg("%s: %s", folder, error.text);
    struct language_model *checkpoint, *packed;
    double *expected = run_path(folder, &rules, &checkpoint);
    double *logits = run_path(path, &rules, &packed);
    assert_memory_equal(logits, expected, 4 * sizeof *logits * checkpoint->vocabulary);
    assert_string_equal(packed->digest, checkpoint->digest);
    assert_int_equal(packed->dense_macs, checkpoint->dense_macs);
    assert_int_equal(packed->window, checkpoint->window);
    assert_int_equal(packed->end_token, checkpoint->end_token);
    const struct network *a = packed->network, *b = checkpoint->network;
    assert_int_equal(a->projection_count, b->projection_count);
    for (uint32_t i = 0; i < a->projection_count; i++) {
        assert_string_equal(a->projections[i]->name, b->projections[i]->name);
        assert_int_equal(a->projections[i]->synapses, b->projections[i]->synapses);
        assert_int_equal(a->projections[i]->bytes, b->projections[i]->bytes);
        if (a->projections[i]->fan_out != NULL)
            assert_memory_equal(a->projections[i]->fan_out, b->projections[i]->fan_out,
                                a->projections[i]->source->neurons * sizeof(uint32_t));
    }
    free(expected);
    free(logits);
    language_model_free(checkpoint);
    language_model_free(packed);
    unlink(path);
}

static void test_same(void **state)
{
    char folder[5000];
    variant_folder(folder, *state);
    check_same(folder, "token", true);
    check_same(folder, "token", false);
    check_same(folder, "group", true);
    check_same(folder, "head", true);
    assert_int_equal(work_count(false), 0);
}

static void test_same_tinybrain(void **state)
{
    (void)state;
    char folder[5000];
    snprintf(folder, sizeof folder, "%s/tinybrain", examples_folder());
    check_same(folder, "token", true);
}

static void test_threads(void **state)
{
    (void)state;
    char folder[5000], one[5000], three[5000];
    struct error error = {0};
    snprintf(folder, sizeof folder, "%s/tinybrain", examples_folder());
    work_path(one, "one");
    work_path(three, "three");
    assert_true(pack(folder, one, "token", true, 32, 1, &error));
    assert_true(pack(folder, three, "token", true, 32, 3, &error));
    struct file a = read_file(one), b = read_file(three);
    assert_int_equal(a.length, b.length);
    assert_memory_equal(a.bytes, b.bytes, a.length);
    free(a.bytes);
    free(b.bytes);
}

/* ---- the form of the file ---- */

static void check_place(const struct file *file, const json_t *header, const char *name)
{
    uint64_t size = 0;
    const unsigned char *data = rig_tensor(file->bytes, file->length, header, name, &size);
    assert_non_null(data);
    uint64_t place = (uint64_t)(data - file->bytes), width = 1;
    const char *dtype = json_string_value(
        json_object_get(json_object_get(header, name), "dtype"));
    size_t length = strlen(name);
    if (length > 6 && strcmp(name + length - 6, ".codes") == 0)
        width = size % 4096 == 0 ? 4096 : 64;
    else
        width = strcmp(dtype, "I64") == 0 ? 8
                : dtype[1] == '3'         ? 4
                : dtype[0] == 'U'         ? 1
                                          : 2;
    if (place % width != 0)
        fail_msg("%s begins at %llu", name, (unsigned long long)place);
}

static void test_form(void **state)
{
    struct file file = packed_variant(*state, "token", true);
    json_t *header = rig_header(file.bytes, file.length), *entry;
    assert_non_null(header);
    assert_int_equal((8 + rig_header_length(file.bytes)) % 4096, 0);
    json_t *metadata = json_object_get(header, "__metadata__");
    assert_string_equal(json_string_value(json_object_get(metadata, "format")), "volley-packed");
    assert_string_equal(json_string_value(json_object_get(metadata, "version")), "1");
    const char *name;
    size_t codes = 0;
    json_object_foreach(header, name, entry) {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        check_place(&file, header, name);
        codes += strstr(name, ".codes") != NULL;
    }
    assert_true(codes > 5);
    /* Checksums worked out from the description are those that stand there. */
    struct file again = {malloc(file.length), file.length};
    memcpy(again.bytes, file.bytes, file.length);
    assert_true(rig_rehash(again.bytes, again.length));
    assert_memory_equal(again.bytes, file.bytes, file.length);
    free(again.bytes);
    /* The folder's files are there as they are. */
    char folder[5000], path[6000];
    variant_folder(folder, *state);
    snprintf(path, sizeof path, "%s/config.json", folder);
    struct file config = read_file(path);
    uint64_t size = 0;
    const unsigned char *data =
        rig_tensor(file.bytes, file.length, header, "files/config.json", &size);
    assert_int_equal(size, config.length);
    assert_memory_equal(data, config.bytes, size);
    free(config.bytes);
    json_decref(header);
    free(file.bytes);
}

/* Every number of a weight, from the arrays as code_band.h lays them out, is code · scale of the
 * checkpoint's. */
static void test_codes(void **state)
{
    (void)state;
    char folder[5000];
    struct error error = {0};
    const char *name = "model.layers.0.attn.q_proj.weight";
    variant_folder(folder, "linear-only"); /* F32, with scales */
    struct file file = packed_variant("linear-only", "token", true);
    json_t *header = rig_header(file.bytes, file.length);
    struct weights_source *source = checkpoint_open(folder, NULL, &error);
    assert_non_null(source);
    const struct tensor *weight = tensor_set_find(source->tensors, name);
    const struct tensor *scale =
        tensor_set_find(source->tensors, "model.layers.0.attn.q_proj.weight_quantizer.scales");
    assert_non_null(weight);
    assert_non_null(scale);
    uint32_t outputs = (uint32_t)weight->shape[0], inputs = (uint32_t)weight->shape[1];
    uint32_t groups = (uint32_t)scale->shape[1], height = (outputs + 63) / 64 * 64;
    uint64_t size = 0;
    char part[200];
    snprintf(part, sizeof part, "%s.codes", name);
    const unsigned char *codes = rig_tensor(file.bytes, file.length, header, part, &size);
    assert_int_equal(size, (uint64_t)height * inputs);
    snprintf(part, sizeof part, "%s.extra_start", name);
    const uint32_t *start = (void *)rig_tensor(file.bytes, file.length, header, part, &size);
    snprintf(part, sizeof part, "%s.extras", name);
    const int16_t *extras = (void *)rig_tensor(file.bytes, file.length, header, part, &size);
    uint32_t group = inputs / groups, segments = (group + 127) / 128;
    assert_true(outputs <= 4096); /* one band of 8 stretches */
    assert_int_equal(size, 4 * (uint64_t)start[groups * segments * 8]);
    assert_true(start[groups * segments * 8] > 0);
    for (uint32_t row = 0; row < outputs; row++)
        for (uint32_t input = 0; input < inputs; input++) {
            uint32_t p = row % 64, l = p % 16 / 4, v = p / 16, j = p % 4;
            int32_t code = codes[(size_t)input * height + row / 64 * 64 + 16 * l + 4 * v + j] - 128;
            uint32_t in_group = input % group, place = row % 512 + 512 * (in_group % 128);
            uint32_t list = (input / group * segments + in_group / 128) * 8 + row / 512;
            for (uint32_t e = start[list]; e < start[list + 1]; e++)
                code += (uint16_t)extras[2 * e] == place ? extras[2 * e + 1] : 0;
            float w, s;
            memcpy(&w, (const char *)weight->data + ((size_t)row * inputs + input) * 4, 4);
            memcpy(&s, (const char *)scale->data +
                           ((size_t)row * groups + input / (inputs / groups)) * 4, 4);
            assert_int_equal(code, (int32_t)nearbyint((double)w / (double)s));
        }
    source->close(source);
    json_decref(header);
    free(file.bytes);
}

/* The nearest number of 8 significant bits, from its definition. */
static double nearest_bfloat(double value)
{
    int exponent;
    double mantissa = frexp(value, &exponent);
    return ldexp(nearbyint(ldexp(mantissa, 8)), exponent - 8);
}

/* A run of a model packed with narrow tables is a run that narrows them. */
static void test_narrow_runs(void **state)
{
    static const char *const names[] = {"linear-only", "uneven", "low-rank", "tied-text"};
    (void)state; /* F32, F16, BF16, tied */
    for (size_t i = 0; i < 4; i++) {
        char folder[5000], path[6000];
        struct error error = {0};
        struct spikingbrain_options rules = rig_rules("token", true), narrow = rules;
        narrow.table_bits = 16;
        variant_folder(folder, names[i]);
        work_path(path, names[i]);
        assert_true(pack(folder, path, "token", true, 16, 1, &error));
        struct language_model *checkpoint, *packed;
        double *expected = run_path(folder, &narrow, &checkpoint);
        double *logits = run_path(path, &rules, &packed);
        assert_memory_equal(logits, expected, 4 * sizeof *logits * checkpoint->vocabulary);
        language_model_free(packed);
        free(logits);
        logits = run_path(path, &narrow, &packed);
        assert_memory_equal(logits, expected, 4 * sizeof *logits * checkpoint->vocabulary);
        language_model_free(packed);
        language_model_free(checkpoint);
        free(logits);
        free(expected);
    }
}

static void test_tables(void **state)
{
    (void)state;
    static const char *const tables[] = {"model.embeddings.weight", "lm_head.weight"};
    char folder[5000], path[6000];
    struct error error = {0};
    variant_folder(folder, "linear-only"); /* F32 */
    work_path(path, "narrow.volley");
    assert_true(pack(folder, path, "token", true, 16, 1, &error));
    struct tensor_set *packed = tensor_set_open(path, &error);
    struct tensor_set *checkpoint = tensor_set_open(folder, &error);
    assert_non_null(packed);
    assert_non_null(checkpoint);
    size_t rounded = 0;
    for (size_t t = 0; t < 2; t++) {
        const struct tensor *narrow = tensor_set_find(packed, tables[t]);
        const struct tensor *wide = tensor_set_find(checkpoint, tables[t]);
        assert_int_equal(narrow->dtype, DTYPE_BF16);
        assert_int_equal(narrow->elements, wide->elements);
        for (uint64_t i = 0; i < wide->elements; i++) {
            uint16_t half;
            float value, held;
            memcpy(&half, (const char *)narrow->data + 2 * i, 2);
            memcpy(&value, (const char *)wide->data + 4 * i, 4);
            uint32_t bits = (uint32_t)half << 16;
            memcpy(&held, &bits, 4);
            assert_true((double)held == nearest_bfloat((double)value));
            rounded += held != value;
        }
    }
    assert_true(rounded > 0);
    assert_int_equal(tensor_set_find(packed, "model.norm.weight")->dtype, DTYPE_F32);
    tensor_set_close(packed);
    tensor_set_close(checkpoint);
    struct spikingbrain_options rules = rig_rules("token", true);
    struct language_model *model;
    free(run_path(path, &rules, &model));
    language_model_free(model);
}

/* ---- damage ---- */

/* A damaged file must fail, with one sentence. */
static void refuse(const struct file *file, const char *what, uint64_t at)
{
    struct spikingbrain_options rules = rig_rules("token", true);
    struct error error = {0};
    double *logits = rig_run_memory(file->bytes, file->length, &rules, &error);
    if (logits != NULL)
        fail_msg("%s at byte %llu is not seen", what, (unsigned long long)at);
    assert_true(error.code != ERROR_NONE);
    assert_non_null(strstr(error.text, "packed"));
}

static void flip(const struct file *file, uint64_t at, unsigned char bits, const char *what)
{
    file->bytes[at] ^= bits;
    refuse(file, what, at);
    file->bytes[at] ^= bits;
}

static void test_damaged_tensors(void **state)
{
    struct file file = packed_variant(*state, "token", true);
    json_t *header = rig_header(file.bytes, file.length), *entry;
    const char *name;
    json_object_foreach(header, name, entry) {
        uint64_t size = 0;
        if (strcmp(name, "__metadata__") == 0)
            continue;
        unsigned char *data = rig_tensor(file.bytes, file.length, header, name, &size);
        assert_non_null(data);
        uint64_t place = (uint64_t)(data - file.bytes);
        const uint64_t at[] = {0, size / 3, size / 2, size - 1};
        for (size_t i = 0; i < 4 && size > 0; i++)
            flip(&file, place + at[i], (unsigned char)(1 << i * 2), name);
    }
    json_decref(header);
    free(file.bytes);
}

static void test_damaged_header(void **state)
{
    (void)state;
    struct file file = packed_variant("tied-text", "token", true);
    uint64_t header = rig_header_length(file.bytes), text = 8 + header;
    while (file.bytes[text - 1] == ' ')
        text--;
    for (uint64_t at = 0; at < 8; at++)
        for (int bit = 0; bit < 8; bit++)
            flip(&file, at, (unsigned char)(1 << bit), "length of the header");
    for (uint64_t at = 8; at < text; at += 1 + at % 5)
        flip(&file, at, (unsigned char)(1 << at % 7), "header");
    for (uint64_t at = text; at < 8 + header; at += 97)
        flip(&file, at, 1, "space behind the header");
    struct spikingbrain_options rules = rig_rules("token", true);
    struct error error = {0};
    double *logits = rig_run_memory(file.bytes, file.length, &rules, &error);
    assert_non_null(logits); /* it is whole again */
    free(logits);
    free(file.bytes);
}

static void test_truncated(void **state)
{
    (void)state;
    struct file file = packed_variant("tied-text", "token", true);
    for (size_t length = 0; length < file.length; length += 1 + file.length / 500) {
        struct file cut = {file.bytes, length};
        refuse(&cut, "the end", length);
    }
    struct file cut = {file.bytes, file.length - 1};
    refuse(&cut, "the end", cut.length);
    free(file.bytes);
}

/* Replaces text in the header by as much other text. */
static void edit(const struct file *file, const char *from, const char *to)
{
    assert_int_equal(strlen(from), strlen(to));
    unsigned char *at = memmem(file->bytes, file->length, from, strlen(from));
    assert_non_null(at);
    memcpy(at, to, strlen(to));
}

static void refuse_edited(const char *from, const char *to, bool rehash, const char *expected)
{
    struct file file = packed_variant("tied-text", "token", true);
    struct spikingbrain_options rules = rig_rules("token", true);
    struct error error = {0};
    edit(&file, from, to);
    if (rehash)
        assert_true(rig_rehash(file.bytes, file.length));
    double *logits = rig_run_memory(file.bytes, file.length, &rules, &error);
    assert_null(logits);
    if (strstr(error.text, expected) == NULL)
        fail_msg("%s for %s gives \"%s\"", to, from, error.text);
    free(file.bytes);
}

static void test_edited_header(void **state)
{
    (void)state;
    refuse_edited("\"version\":\"1\"", "\"version\":\"2\"", false, "version '2'");
    refuse_edited("\"version\":\"1\"", "\"versiom\":\"1\"", false, "version 'none'");
    refuse_edited("volley-packed", "volley-pickle", false, "not a packed model");
    refuse_edited("\"threshold\":\"token\"", "\"threshold\":\"group\"", false, "header is damaged");
    refuse_edited("\"threshold\":\"token\"", "\"threshold\":\"group\"", true, "for each group");
    refuse_edited("\"down_proj\":\"paper\"", "\"down_proj\":\"repo \"", true, "--down-proj");
    refuse_edited("\"down_proj\":", "\"down_prok\":", true, "header is damaged");
    refuse_edited("q_proj.weight.codes\":{", "q_proj.weight.kodes\":{", true, "header is damaged");
    refuse_edited("\"contents\":", "\"kontents\":", true, "header is damaged");
    refuse_edited("files/config.json\":{", "files/konfig.json\":{", false, "header is damaged");
}

/* ---- made up, with right checksums ---- */

/* Sets number `at`, of `width` bytes, of a tensor, and expects what runs of it to fail. */
static void refuse_number(const char *tensor, uint64_t at, size_t width, int64_t value,
                          const char *expected)
{
    struct file file = packed_variant("linear-only", "token", true);
    json_t *header = rig_header(file.bytes, file.length);
    char name[200];
    uint64_t size = 0;
    snprintf(name, sizeof name, "model.layers.0.attn.q_proj.weight.%s", tensor);
    unsigned char *data = rig_tensor(file.bytes, file.length, header, name, &size);
    assert_non_null(data);
    assert_true((at + 1) * width <= size);
    memcpy(data + at * width, &value, width); /* little-endian */
    assert_true(rig_rehash(file.bytes, file.length));
    struct spikingbrain_options rules = rig_rules("token", true);
    struct error error = {0};
    double *logits = rig_run_memory(file.bytes, file.length, &rules, &error);
    if (logits != NULL)
        fail_msg("%s[%llu] = %lld is not seen", tensor, (unsigned long long)at, (long long)value);
    if (strstr(error.text, expected) == NULL || strncmp(error.text, "packed: ", 8) != 0)
        fail_msg("%s[%llu] = %lld gives \"%s\"", tensor, (unsigned long long)at, (long long)value,
                 error.text);
    json_decref(header);
    free(file.bytes);
}

static void test_hostile(void **state)
{
    (void)state;
    /* linear-only has 48 inputs and 48 outputs there */
    refuse_number("extra_start", 0, 4, 1, "out of order");
    refuse_number("extra_start", 5, 4, 0x7fffffff, "out of order");
    refuse_number("extra_start", 5, 4, -1, "out of order");
    refuse_number("extra_start", 8, 4, 0x7fffffff, "out of order");
    refuse_number("extra_start", 8, 4, 0, "out of order");
    refuse_number("extras", 0, 2, 48, "leads out");
    refuse_number("extras", 0, 2, -1, "leads out");
    refuse_number("numbers", 0, 8, 49, "asks for");
    refuse_number("numbers", 0, 8, -1, "asks for");
    refuse_number("numbers", 1, 8, INT64_MAX, "asks for");
    refuse_number("numbers", 2, 8, 0, "numbers that no weight has");
    refuse_number("numbers", 2, 8, 1, "numbers that no weight has");
    refuse_number("numbers", 3, 8, 0, "numbers that no weight has");
    refuse_number("numbers", 3, 8, INT64_MIN, "numbers that no weight has");
    refuse_number("numbers", 3, 8, (int64_t)1 << 32, "numbers that no weight has");
    refuse_number("numbers", 4, 8, 16, "asks for");
    refuse_number("numbers", 5, 8, -1, "numbers that no weight has");
    refuse_number("numbers", 5, 8, 40000, "numbers that no weight has");
    refuse_number("numbers", 6, 8, INT64_MAX, "numbers that no weight has");
    refuse_number("numbers", 7, 8, 0, "belong");
    refuse_number("numbers", 7, 8, INT64_MAX, "numbers that no weight has");
    refuse_number("numbers", 7, 8, UINT32_MAX, "belong");
}

/* A group and a scale_group that agree with each other but not with the scales that are there. */
static void test_hostile_groups(void **state)
{
    (void)state;
    struct file file = packed_variant("linear-only", "token", true);
    json_t *header = rig_header(file.bytes, file.length);
    uint64_t size = 0;
    unsigned char *data = rig_tensor(file.bytes, file.length, header,
                                     "model.layers.0.attn.q_proj.weight.numbers", &size);
    const int64_t one = 1;
    memcpy(data + 2 * 8, &one, 8);
    memcpy(data + 3 * 8, &one, 8);
    assert_true(rig_rehash(file.bytes, file.length));
    struct spikingbrain_options rules = rig_rules("token", true);
    struct error error = {0};
    assert_null(rig_run_memory(file.bytes, file.length, &rules, &error));
    assert_non_null(strstr(error.text, "q_proj.weight.scales"));
    json_decref(header);
    free(file.bytes);
}

/* ---- what a packed model is not for ---- */

static void test_other_runs(void **state)
{
    (void)state;
    char folder[5000], path[6000];
    struct error error = {0};
    variant_folder(folder, "uneven");
    work_path(path, "uneven.volley");
    assert_true(pack(folder, path, "group", false, 32, 1, &error));
    struct spikingbrain_options rules = rig_rules("group", false);
    rules.coding = NULL;
    assert_null(spikingbrain_open(path, &rules, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    assert_non_null(strstr(error.text, "--float needs the checkpoint"));
    error = (struct error){0};
    rules = rig_rules("token", false);
    assert_null(spikingbrain_open(path, &rules, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    assert_non_null(strstr(error.text, "--threshold token"));
    error = (struct error){0};
    rules = rig_rules("group", true);
    assert_null(spikingbrain_open(path, &rules, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    assert_non_null(strstr(error.text, "--down-proj paper"));
    error = (struct error){0};
    assert_null(spikingbrain_tokenizer(path, &error)); /* the variant has none */
    assert_int_equal(error.code, ERROR_MISUSED);
    error = (struct error){0};
    assert_true(spikingbrain_check(path, &error));
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    assert_false(spikingbrain_check(path, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    assert_non_null(strstr(error.text, "not a packed model"));
}

/* ---- packing that fails ---- */

static void refuse_pack(const char *folder, const char *path, enum error_code code,
                        const char *expected)
{
    struct error error = {0};
    size_t before = work_count(false);
    assert_false(pack(folder, path, "token", true, 32, 2, &error));
    if (error.code != code || strstr(error.text, expected) == NULL)
        fail_msg("\"%s\" instead of '%s'", error.text, expected);
    assert_int_equal(work_count(false), before);
}

static void test_failing(void **state)
{
    (void)state;
    char folder[5000], path[6000], text[100];
    variant_folder(folder, "tied-text");
    work_path(path, "there");
    FILE *there = fopen(path, "w");
    fputs("keep me", there);
    fclose(there);
    refuse_pack(folder, path, ERROR_MISUSED, "there already");
    there = fopen(path, "r");
    assert_non_null(fgets(text, sizeof text, there));
    fclose(there);
    assert_string_equal(text, "keep me");
    refuse_pack(path, "x", ERROR_MISUSED, "is a file");
    work_path(path, "none/x");
    refuse_pack(folder, path, ERROR_FAILED, "cannot be written");
    work_path(path, "x");
    refuse_pack("/nowhere", path, ERROR_MISUSED, "config.json");
}

static void test_stopped(void **state)
{
    (void)state;
    char folder[5000], path[6000];
    struct error error = {0};
    struct spikingbrain_options rules = rig_rules("token", true);
    struct packing_options options = {&rules, 32};
    struct packing packing = {.stop = 15};
    variant_folder(folder, "tied-text");
    work_path(path, "x");
    assert_false(packed_write(folder, path, &options, &packing, &error));
    assert_int_equal(error.code, ERROR_NONE);
    assert_int_equal(work_count(false), 0);
}

/* Copies the variant's files to the work folder and changes the weights at the first place where
 * a tensor begins. */
static void write_changed(const char *variant, const char *tensor, const void *bytes, size_t length)
{
    static const char *const names[] = {"config.json", "model.safetensors"};
    for (size_t i = 0; i < 2; i++) {
        char folder[5000], path[6000];
        variant_folder(folder, variant);
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        struct file file = read_file(path);
        if (i == 1) {
            json_t *header = rig_header(file.bytes, file.length);
            uint64_t size = 0;
            unsigned char *data = rig_tensor(file.bytes, file.length, header, tensor, &size);
            assert_non_null(data);
            memcpy(data, bytes, length);
            json_decref(header);
        }
        work_path(path, names[i]);
        FILE *out = fopen(path, "wb");
        assert_non_null(out);
        assert_int_equal(fwrite(file.bytes, 1, file.length, out), file.length);
        assert_int_equal(fclose(out), 0);
        free(file.bytes);
    }
}

static void test_failing_weights(void **state)
{
    (void)state;
    const uint32_t nan = 0x7fc00000, large = 0x7f7fffff;
    char path[5000];
    struct error error = {0};
    work_path(path, "x.volley");
    write_changed("linear-only", "model.layers.1.mlp.down_proj.weight", &nan, 4);
    refuse_pack(work, path, ERROR_FAILED, "finite");
    write_changed("linear-only", "lm_head.weight", &nan, 4);
    refuse_pack(work, path, ERROR_FAILED, "finite");
    write_changed("linear-only", "model.norm.weight", &nan, 4);
    refuse_pack(work, path, ERROR_FAILED, "finite");
    write_changed("linear-only", "lm_head.weight", &large, 4);
    assert_false(pack(work, path, "token", true, 16, 1, &error));
    assert_non_null(strstr(error.text, "lm_head.weight"));
    assert_int_equal(work_count(false), 2);
    error = (struct error){0};
    assert_true(pack(work, path, "token", true, 32, 1, &error));
}

/* Halfway between two numbers of BF16, the even one is taken. */
static void test_ties(void **state)
{
    (void)state;
    const uint32_t wide[] = {0x3f808000, 0x3f818000, 0x3f808001, 0x3f817fff, 0xbf808000, 0xbf818000,
                             0x00000001, 0x80000000};
    const uint16_t narrow[] = {0x3f80, 0x3f82, 0x3f81, 0x3f81, 0xbf80, 0xbf82, 0x0000, 0x8000};
    char path[5000];
    struct error error = {0};
    work_path(path, "x.volley");
    write_changed("linear-only", "lm_head.weight", wide, sizeof wide);
    assert_true(pack(work, path, "token", true, 16, 1, &error));
    struct tensor_set *packed = tensor_set_open(path, &error);
    assert_non_null(packed);
    assert_memory_equal(tensor_set_find(packed, "lm_head.weight")->data, narrow, sizeof narrow);
    tensor_set_close(packed);
}

/* Adds a tensor of F32 to a header of safetensors, and its bytes to *size. */
static void add_tensor(FILE *header, const char *name, uint64_t rows, uint64_t columns,
                       uint64_t *size)
{
    uint64_t bytes = (rows > 0 ? rows : 1) * columns * 4;
    fprintf(header, "%s\"%s\": {\"dtype\": \"F32\", \"shape\": [", *size > 0 ? ", " : "{", name);
    if (rows > 0)
        fprintf(header, "%" PRIu64 ", ", rows);
    fprintf(header, "%" PRIu64 "], \"data_offsets\": [%" PRIu64 ", %" PRIu64 "]}", columns, *size,
            *size + bytes);
    *size += bytes;
}

enum { VOCABULARY = 1 << 24, HIDDEN = 1 << 13, INNER = 2, HEADS = 4096, HEAD = 2 };

/* All that a model of one layer has. */
static void add_tensors(FILE *header, uint64_t *size)
{
    add_tensor(header, "model.embeddings.weight", VOCABULARY, HIDDEN, size);
    add_tensor(header, "lm_head.weight", VOCABULARY, HIDDEN, size);
    add_tensor(header, "model.norm.weight", 0, HIDDEN, size);
    add_tensor(header, "model.layers.0.attn_norm.weight", 0, HIDDEN, size);
    add_tensor(header, "model.layers.0.mlp_norm.weight", 0, HIDDEN, size);
    add_tensor(header, "model.layers.0.attn.g_norm.weight", 0, HEAD, size);
    add_tensor(header, "model.layers.0.attn.q_proj.weight", HIDDEN, HIDDEN, size);
    add_tensor(header, "model.layers.0.attn.q_proj.bias", 0, HIDDEN, size);
    static const char *const narrow[] = {"k_proj", "v_proj", "gk_proj"};
    for (size_t i = 0; i < 3; i++) {
        char name[100];
        snprintf(name, sizeof name, "model.layers.0.attn.%s.weight", narrow[i]);
        add_tensor(header, name, HEAD, HIDDEN, size);
        snprintf(name, sizeof name, "model.layers.0.attn.%s.bias", narrow[i]);
        add_tensor(header, name, 0, HEAD, size);
    }
    add_tensor(header, "model.layers.0.attn.o_proj.weight", HIDDEN, HIDDEN, size);
    add_tensor(header, "model.layers.0.mlp.gate_proj.weight", INNER, HIDDEN, size);
    add_tensor(header, "model.layers.0.mlp.up_proj.weight", INNER, HIDDEN, size);
    add_tensor(header, "model.layers.0.mlp.down_proj.weight", HIDDEN, INNER, size);
}

/* A checkpoint of zeros with more bytes than there are free: nearly all of it is a hole. */
static void test_no_space(void **state)
{
    (void)state;
    char path[5000], *text;
    size_t length;
    uint64_t size = 0;
    struct statvfs system;
    assert_return_code(statvfs(work, &system), 0);
    if (system.f_bavail * system.f_frsize > (uint64_t)VOCABULARY * HIDDEN * 8)
        skip();
    work_path(path, "config.json");
    FILE *file = fopen(path, "w");
    fprintf(file, "{\"model_type\": \"gla_swa\", \"vocab_size\": %d, \"hidden_size\": %d, "
            "\"intermediate_size\": %d, \"num_hidden_layers\": 1, \"num_attention_heads\": %d, "
            "\"num_key_value_heads\": 1, \"attn_layers\": []}", VOCABULARY, HIDDEN, INNER, HEADS);
    fclose(file);
    FILE *header = open_memstream(&text, &length);
    add_tensors(header, &size);
    fputc('}', header);
    fclose(header);
    work_path(path, "model.safetensors");
    file = fopen(path, "wb");
    for (int i = 0; i < 8; i++)
        fputc((int)((uint64_t)length >> (8 * i) & 255), file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    fflush(file);
    bool holds = ftruncate(fileno(file), (off_t)(8 + length + size)) == 0;
    fclose(file);
    free(text);
    if (!holds) /* a file system without holes, or for small files only */
        skip();
    struct error error = {0};
    struct tensor_set *tensors = tensor_set_open(work, &error);
    if (tensors == NULL && strstr(error.text, "mapped into memory") != NULL)
        skip(); /* thread sanitizers leave too little room for addresses */
    tensor_set_close(tensors);
    work_path(path, "x.volley");
    refuse_pack(work, path, ERROR_FAILED, "GB free");
}

int main(void)
{
#define IN_WORK(name, function, state) {name, function, open_work, close_work, state}
    const struct CMUnitTest tests[] = {
        IN_WORK("same grouped-query", test_same, "grouped-query"),
        IN_WORK("same low-rank", test_same, "low-rank"),
        IN_WORK("same short-group", test_same, "short-group"),
        IN_WORK("same wide-unit", test_same, "wide-unit"),
        IN_WORK("same shards", test_same, "shards"),
        IN_WORK("same window-only", test_same, "window-only"),
        IN_WORK("same linear-only", test_same, "linear-only"),
        IN_WORK("same tied-text", test_same, "tied-text"),
        IN_WORK("same uneven", test_same, "uneven"),
        IN_WORK("same tinybrain", test_same_tinybrain, NULL),
        IN_WORK("threads", test_threads, NULL),
        IN_WORK("form low-rank", test_form, "low-rank"),
        IN_WORK("form shards", test_form, "shards"),
        IN_WORK("form uneven", test_form, "uneven"),
        IN_WORK("form tied-text", test_form, "tied-text"),
        IN_WORK("codes", test_codes, NULL),
        IN_WORK("tables", test_tables, NULL),
        IN_WORK("narrow runs", test_narrow_runs, NULL),
        IN_WORK("damaged tensors tied-text", test_damaged_tensors, "tied-text"),
        IN_WORK("damaged tensors linear-only", test_damaged_tensors, "linear-only"),
        IN_WORK("damaged header", test_damaged_header, NULL),
        IN_WORK("truncated", test_truncated, NULL),
        IN_WORK("edited header", test_edited_header, NULL),
        IN_WORK("hostile", test_hostile, NULL),
        IN_WORK("hostile groups", test_hostile_groups, NULL),
        IN_WORK("other runs", test_other_runs, NULL),
        IN_WORK("failing", test_failing, NULL),
        IN_WORK("stopped", test_stopped, NULL),
        IN_WORK("failing weights", test_failing_weights, NULL),
        IN_WORK("ties", test_ties, NULL),
        IN_WORK("no space", test_no_space, NULL),
    };
    return cmocka_run_group_tests_name("packed", tests, NULL, NULL);
}
