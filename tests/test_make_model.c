/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Made-up checkpoints: names, shapes and sizes against the published figures, config.json against
 * its reader, numbers against their definition and against statistics worked out apart from them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "neurons/connect/distribution.h"
#include "neurons/import/spikingbrain_config.h"
#include "scheduler/random.h"
#include "sim/make_model/checkpoint.h"
#include "sim/make_model/fill.h"

static struct numbers *numbers;

static int set_up(void **state)
{
    (void)state;
    numbers = malloc(sizeof *numbers);
    if (numbers == NULL)
        return -1;
    numbers_prepare(numbers, 5);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(numbers);
    return 0;
}

/* ---- the list ---- */

static struct checkpoint plan(const char *name, uint32_t layers, bool base, bool all)
{
    struct checkpoint_shape shape;
    struct checkpoint checkpoint;
    struct error error = {0};
    assert_true(checkpoint_find_shape(name, &shape, &error));
    shape.layers = layers;
    shape.base = base;
    shape.all_window = all;
    assert_true(checkpoint_plan(&checkpoint, &shape, &error));
    return checkpoint;
}

static size_t index_of(const struct checkpoint *checkpoint, const char *name)
{
    for (size_t i = 0; i < checkpoint->length; i++)
        if (strcmp(checkpoint->tensors[i].name, name) == 0)
            return i;
    return SIZE_MAX;
}

static void check_shape(const struct checkpoint *checkpoint, const char *name, uint64_t first,
                        uint64_t second, uint64_t third)
{
    size_t index = index_of(checkpoint, name);
    if (index == SIZE_MAX)
        fail_msg("no tensor %s", name);
    const struct tensor *tensor = &checkpoint->tensors[index];
    const uint64_t shape[] = {first, second, third};
    assert_int_equal(tensor->rank, second == 0 ? 1 : third == 0 ? 2 : 3);
    assert_memory_equal(tensor->shape, shape, tensor->rank * sizeof *shape);
}

static void test_w8aspike(void **state)
{
    (void)state;
    struct checkpoint whole = plan("spikingbrain-7b", 28, false, false);
    assert_int_equal(whole.length, 591);
    assert_int_equal(whole.bytes, 30769980416);
    for (size_t i = 0; i < whole.length; i++)
        assert_int_equal(whole.tensors[i].dtype, DTYPE_F32);
    check_shape(&whole, "model.embeddings.weight", 152064, 3584, 0);
    check_shape(&whole, "lm_head.weight", 152064, 3584, 0);
    check_shape(&whole, "model.norm.weight", 3584, 0, 0);
    check_shape(&whole, "model.layers.0.attn.gk_proj.weight", 512, 3584, 0);
    check_shape(&whole, "model.layers.26.attn.gk_proj.bias", 512, 0, 0);
    check_shape(&whole, "model.layers.0.attn.gk_proj.weight_quantizer.scales", 512, 28, 1);
    check_shape(&whole, "model.layers.0.attn.g_norm.weight", 128, 0, 0);
    check_shape(&whole, "model.layers.27.mlp.down_proj.weight", 3584, 18944, 0);
    check_shape(&whole, "model.layers.27.mlp.down_proj.weight_quantizer.scales", 3584, 148, 1);
    assert_int_equal(index_of(&whole, "model.layers.1.attn.gk_proj.weight"), SIZE_MAX);
    assert_int_equal(index_of(&whole, "model.layers.0.attn.o_proj.bias"), SIZE_MAX);
    checkpoint_free(&whole);
}

static void test_base(void **state)
{
    (void)state;
    struct checkpoint base = plan("spikingbrain-7b", 28, true, false);
    assert_int_equal(base.length, 395);
    assert_int_equal(base.elements, 7616542976);
    assert_int_equal(base.bytes, 2 * base.elements);
    check_shape(&base, "model.layers.0.attn.gk_proj.0.weight", 16, 3584, 0);
    check_shape(&base, "model.layers.0.attn.gk_proj.1.weight", 512, 16, 0);
    check_shape(&base, "model.layers.0.attn.gk_proj.1.bias", 512, 0, 0);
    for (size_t i = 0; i < base.length; i++)
        assert_null(strstr(base.tensors[i].name, "scales"));
    checkpoint_free(&base);
}

static void test_all_window(void **state)
{
    (void)state;
    struct checkpoint all = plan("tiny", 3, false, true);
    for (size_t i = 0; i < all.length; i++) {
        assert_null(strstr(all.tensors[i].name, "gk_proj"));
        assert_null(strstr(all.tensors[i].name, "g_norm"));
    }
    checkpoint_free(&all);
}

/* No two tensors draw the same numbers, but for a matrix and its scales; a tensor's numbers are
 * the same whatever the number of layers. */
static void test_owners(void **state)
{
    (void)state;
    struct checkpoint few = plan("tiny", 2, false, false), many = plan("tiny", 5, false, false);
    for (size_t i = 0; i < many.length; i++)
        for (size_t j = i + 1; j < many.length; j++)
            if (many.recipes[i].owner == many.recipes[j].owner) {
                assert_int_equal(j, i + 1);
                assert_int_equal(many.recipes[i].kind, RECIPE_MATRIX);
                assert_int_equal(many.recipes[j].kind, RECIPE_SCALES);
            }
    for (size_t i = 0; i < few.length; i++) {
        size_t same = index_of(&many, few.tensors[i].name);
        assert_int_not_equal(same, SIZE_MAX);
        assert_int_equal(few.recipes[i].owner, many.recipes[same].owner);
        if (strstr(few.tensors[i].name, "layers.") != NULL)
            assert_true(few.recipes[i].deviation == many.recipes[same].deviation);
    }
    checkpoint_free(&few);
    checkpoint_free(&many);
}

static void test_config(void **state)
{
    (void)state;
    struct checkpoint_shape shape;
    struct spikingbrain_config config;
    struct error error = {0};
    assert_true(checkpoint_find_shape("spikingbrain-7b", &shape, &error));
    shape.window = 77;
    char *text = checkpoint_config(&shape, &error);
    assert_non_null(text);
    if (!spikingbrain_config_parse(&config, "config.json", text, strlen(text), &error))
        fail_msg("%s", error.text);
    assert_int_equal(config.vocabulary, 152064);
    assert_int_equal(config.hidden, 3584);
    assert_int_equal(config.intermediate, 18944);
    assert_int_equal(config.layers, 28);
    assert_int_equal(config.heads, 28);
    assert_int_equal(config.key_heads, 4);
    assert_int_equal(config.head_size, 128);
    assert_int_equal(config.window, 77);
    assert_int_equal(config.end_token, 151643);
    assert_true(config.theta == 1e6 && config.epsilon == 1e-6 && !config.tied);
    for (uint32_t layer = 0; layer < 28; layer++)
        assert_int_equal(config.window_layer[layer], layer % 2);
    spikingbrain_config_free(&config);
    free(text);
    static const char *const keys[] = {"\"max_position_embeddings\": 131072",
                                       "\"use_short_conv\": false", "\"bos_token_id\": 151643",
                                       "\"torch_dtype\": \"float32\""};
    shape.all_window = true;
    text = checkpoint_config(&shape, &error);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_non_null(strstr(text, keys[i]));
    assert_true(spikingbrain_config_parse(&config, "config.json", text, strlen(text), &error));
    for (uint32_t layer = 0; layer < 28; layer++)
        assert_true(config.window_layer[layer]);
    spikingbrain_config_free(&config);
    free(text);
    assert_false(checkpoint_find_shape("llama", &shape, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
}

/* ---- the numbers ---- */

static const struct recipe matrix = {
    .kind = RECIPE_MATRIX, .owner = 40, .columns = 1024, .deviation = 0.02, .spread = 0.1};
enum { MATRIX_ROWS = 512, MATRIX_LENGTH = MATRIX_ROWS * 1024, MATRIX_GROUPS = MATRIX_LENGTH / 128 };

static float *filled(const struct recipe *recipe, uint64_t length)
{
    float *values = malloc(length * sizeof *values);
    assert_non_null(values);
    numbers_fill(numbers, recipe, 0, length, DTYPE_F32, values);
    return values;
}

/* Any part by itself is what it is in the whole; bfloat16 is the nearest to it. */
static void test_parts(void **state)
{
    (void)state;
    const struct recipe recipes[] = {
        matrix,
        {.kind = RECIPE_SCALES, .owner = 40, .columns = 1024, .deviation = 0.02, .spread = 0.1},
        {.kind = RECIPE_GAINS, .owner = 41, .deviation = 1, .spread = 0.7, .loud = 4},
        {.kind = RECIPE_UNIFORM, .owner = 42, .low = 1, .high = 2},
        {.kind = RECIPE_MATRIX, .owner = 43, .columns = 16, .deviation = 1},
        {.kind = RECIPE_MATRIX, .owner = 44, .columns = 256, .deviation = 1, .lift = 30}};
    const uint64_t length = 3 * NUMBERS_CHUNK + 512;
    float part[NUMBERS_CHUNK + 512];
    uint16_t *narrow = malloc(length * sizeof *narrow);
    assert_non_null(narrow);
    for (size_t r = 0; r < sizeof recipes / sizeof *recipes; r++) {
        float *whole = filled(&recipes[r], length);
        uint64_t begin = 2 * NUMBERS_CHUNK;
        numbers_fill(numbers, &recipes[r], begin, NUMBERS_CHUNK + 512, DTYPE_F32, part);
        assert_memory_equal(part, whole + begin, sizeof part);
        numbers_fill(numbers, &recipes[r], 0, length, DTYPE_BF16, narrow);
        for (uint64_t i = 0; i < length; i++) {
            uint32_t bits = (uint32_t)narrow[i] << 16;
            float value, above, below;
            uint32_t next = bits + 0x10000, before = bits - 0x10000;
            memcpy(&value, &bits, sizeof value);
            memcpy(&above, &next, sizeof above);
            memcpy(&below, &before, sizeof below);
            double off = fabs((double)value - (double)whole[i]);
            assert_true(off <= fabs((double)above - (double)whole[i]));
            assert_true(bits << 1 == 0 || off <= fabs((double)below - (double)whole[i]));
        }
        free(whole);
    }
    free(narrow);
}

/* Halfway between two bfloat16 the even one is taken. */
static void test_ties(void **state)
{
    (void)state;
    const struct {
        double value;
        uint16_t narrow;
    } cases[] = {{1 + 0x1p-8, 0x3f80}, {1 + 3 * 0x1p-8, 0x3f82}, {1 + 0x1.2p-8, 0x3f81}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const struct recipe gains = {
            .kind = RECIPE_GAINS, .deviation = 1, .spread = 0.1, .loud = cases[c].value};
        uint16_t values[64];
        numbers_fill(numbers, &gains, 0, 64, DTYPE_BF16, values);
        assert_int_equal(values[32], cases[c].narrow);
    }
}

/* The definition, followed anew for some elements. */
static void test_definition(void **state)
{
    (void)state;
    struct recipe rule = matrix;
    float *weights = filled(&rule, MATRIX_LENGTH);
    rule.kind = RECIPE_SCALES;
    float *scales = filled(&rule, MATRIX_GROUPS);
    const struct random_stream stream = random_stream_of(5, RANDOM_CHECKPOINT, 40);
    const struct distribution normal = {
        .kind = DISTRIBUTION_NORMAL, .b = 49.5, .low = -INFINITY, .high = INFINITY};
    for (uint32_t e = 0; e < MATRIX_LENGTH; e += 997) {
        uint32_t words[4];
        random_words(&stream, 0, e / 8, words);
        uint32_t half = words[e / 2 % 4] >> (e % 2 * 16) & 0xffff;
        double code = distribution_value(&normal, (half + 0.5) / 65536);
        code = code > 194 ? 194 : code < -194 ? -194 : code;
        assert_true(weights[e] == (float)code * scales[e / 128]);
    }
    /* Row factor and group factor: e^(spread z - spread²) of their own quantiles. */
    for (uint32_t g = 0; g < MATRIX_GROUPS; g += 61) {
        uint32_t row[4], group[4];
        const struct distribution standard = {
            .kind = DISTRIBUTION_NORMAL, .b = 1, .low = -INFINITY, .high = INFINITY};
        random_words(&stream, 1, g / 8, row);
        random_words(&stream, 2, g / 4, group);
        double z = distribution_value(&standard, random_uniform(row[0]));
        double y = distribution_value(&standard, ((group[g % 4] >> 20) + 0.5) / 4096);
        double scale = 0.02 / 49.5 * exp(0.1 * z - 0.01) * exp(0.15 * y - 0.0225);
        assert_float_equal(scales[g] / scale, 1, 1e-6);
    }
    free(weights);
    free(scales);
}

static void test_codes(void **state)
{
    (void)state;
    struct recipe rule = matrix;
    float *weights = filled(&rule, MATRIX_LENGTH);
    rule.kind = RECIPE_SCALES;
    float *scales = filled(&rule, MATRIX_GROUPS);
    double beyond = 0, whole = 0, largest = 0, square = 0, sum = 0;
    for (uint32_t i = 0; i < MATRIX_LENGTH; i++) {
        double exact = (double)weights[i] / (double)scales[i / 128], code = rint(exact);
        beyond += code > 127 || code < -128;
        whole += fabs(exact - code) < 1e-4;
        largest = fabs(code) > largest ? fabs(code) : largest;
        sum += exact / MATRIX_LENGTH;
        square += (double)weights[i] * (double)weights[i] / MATRIX_LENGTH;
    }
    assert_float_equal(beyond / MATRIX_LENGTH, 0.01, 0.0006);
    assert_true(whole / MATRIX_LENGTH < 0.001);
    assert_true(largest == 194);
    assert_float_equal(sum, 0, 0.3);
    assert_float_equal(sqrt(square) / 0.02, 1, 0.02);
    free(weights);
    free(scales);
}

static void test_loud(void **state)
{
    (void)state;
    const struct recipe gains = {
        .kind = RECIPE_GAINS, .owner = 41, .deviation = 2, .spread = 0.7, .loud = 4.5};
    float *values = filled(&gains, 65536);
    double square = 0, count = 0;
    for (uint32_t i = 0; i < 65536; i++) {
        assert_true(values[i] > 0);
        if (i % 64 == 32) {
            assert_true(values[i] == 4.5F);
        } else {
            square += (double)values[i] * (double)values[i];
            count++;
        }
    }
    assert_float_equal(sqrt(square / count), 2, 0.1);
    free(values);
    const struct recipe lifted = {.kind = RECIPE_MATRIX,
                                  .owner = 44,
                                  .columns = 256,
                                  .deviation = 49.5,
                                  .even = true,
                                  .lift = 60};
    values = filled(&lifted, 65536);
    double loud = 0, rest = 0;
    for (uint32_t i = 0; i < 65536; i++)
        *(i % 64 == 32 ? &loud : &rest) += (double)values[i];
    assert_float_equal(loud / 1024, 60, 1.6);
    assert_float_equal(rest / 64512, 0, 0.8);
    free(values);
}

/* Silent channels of what leaves a norm: a normal stream, loud channels, the recipe's gains. */
static void test_silent(void **state)
{
    (void)state;
    enum { WIDTH = 3584, TIMES = 20 };
    struct checkpoint model = plan("spikingbrain-7b", 2, false, false);
    size_t index = index_of(&model, "model.layers.1.mlp_norm.weight");
    float *gains = filled(&model.recipes[index], WIDTH);
    const struct random_stream stream = random_stream_of(9, RANDOM_PARAMETER, 1);
    const struct distribution normal = {
        .kind = DISTRIBUTION_NORMAL, .b = 1, .low = -INFINITY, .high = INFINITY};
    static double x[WIDTH];
    double silent = 0, many = 0;
    for (uint32_t t = 0; t < TIMES; t++) {
        double sum = 0;
        distribution_fill_from(&normal, &stream, t, 0, WIDTH, x);
        for (uint32_t i = 0; i < WIDTH; i++) { /* three branches came before this norm */
            x[i] = i % 64 == 32 ? 6 : x[i] * sqrt(1 + 3 * 0.3 * 0.3);
            x[i] *= (double)gains[i];
            sum += fabs(x[i]);
        }
        for (uint32_t i = 0; i < WIDTH; i++) {
            double count = fabs(rint(x[i] / (sum / WIDTH / 3)));
            silent += count == 0;
            many += count > 16;
        }
    }
    assert_float_equal(silent / (WIDTH * TIMES), 0.18, 0.008);
    assert_float_equal(many / (WIDTH * TIMES), 0.025, 0.006);
    free(gains);
    checkpoint_free(&model);
}

/* ---- the files ---- */

/* The file of that name in the folder, whole; from malloc. */
static unsigned char *read_whole(const char *folder, const char *name, size_t length)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    unsigned char *bytes = malloc(length + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, length + 1, file), length);
    fclose(file);
    return bytes;
}

static void remove_made(const struct fill *fill, const char *folder)
{
    const char *others[] = {"config.json", fill->shards[0]->format->index};
    char path[4096];
    for (size_t i = 0; i < fill->shard_count + 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, i < 2 ? others[i] : fill->shards[i - 2]->name);
        assert_int_equal(remove(path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
}

/* Every tensor lies where its shard says and holds what its recipe says, with its CRC-32. */
static void check_files(const struct fill *fill, const char *folder)
{
    const struct recipe *recipe = fill->checkpoint->recipes;
    for (size_t i = 0; i < fill->shard_count; i++) {
        const struct shard *shard = fill->shards[i];
        unsigned char *bytes = read_whole(folder, shard->name, (size_t)shard->bytes);
        for (size_t t = 0; t < shard->length; t++, recipe++) {
            const struct tensor *tensor = shard->tensors[t];
            const unsigned char *at = bytes + shard->places[t];
            void *wanted = malloc(tensor->bytes);
            assert_non_null(wanted);
            numbers_fill(numbers, recipe, 0, tensor->elements, tensor->dtype, wanted);
            assert_memory_equal(at, wanted, tensor->bytes);
            if (shard->format->checksums) {
                const unsigned char *end = at + tensor->bytes + 4;
                uint32_t found = end[0] | (uint32_t)end[1] << 8 | (uint32_t)end[2] << 16 |
                                 (uint32_t)end[3] << 24;
                assert_int_equal(found, crc32(0, wanted, (uInt)tensor->bytes));
            }
            free(wanted);
        }
        free(bytes);
    }
}

/* Tensors of more than one block, threads, several shards: both formats. */
static void test_files(void **state)
{
    (void)state;
    for (int base = 0; base < 2; base++) {
        struct checkpoint_shape shape;
        struct checkpoint checkpoint;
        struct fill fill;
        struct folder folder;
        struct error error = {0};
        char path[2048];
        const char *temporary = getenv("TMPDIR");
        snprintf(path, sizeof path, "%s/made.%ld.%d", temporary != NULL ? temporary : "/tmp",
                 (long)getpid(), base);
        assert_true(checkpoint_find_shape("tiny", &shape, &error));
        shape.layers = 2;
        shape.base = base == 1;
        shape.vocabulary = 5000; /* 1,280,000 numbers */
        assert_true(checkpoint_plan(&checkpoint, &shape, &error));
        assert_true(fill_plan(&fill, &checkpoint, 2000000, &error));
        assert_true(fill.shard_count >= 3);
        fill.numbers = numbers;
        fill.workers = workers_new(3, &error);
        assert_non_null(fill.workers);
        assert_true(folder_begin(&folder, path, fill.bytes, &error));
        assert_true(fill_run(&fill, &folder, &error));
        assert_int_equal(atomic_load(&fill.done), checkpoint.bytes);
        assert_true(folder_finish(&folder, &error));
        folder_abandon(&folder);
        check_files(&fill, path);
        remove_made(&fill, path);
        workers_free(fill.workers);
        fill_free(&fill);
        checkpoint_free(&checkpoint);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_w8aspike),   cmocka_unit_test(test_base),
        cmocka_unit_test(test_all_window), cmocka_unit_test(test_owners),
        cmocka_unit_test(test_config),     cmocka_unit_test(test_parts),
        cmocka_unit_test(test_definition), cmocka_unit_test(test_codes),
        cmocka_unit_test(test_ties),       cmocka_unit_test(test_files),
        cmocka_unit_test(test_loud),       cmocka_unit_test(test_silent),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
