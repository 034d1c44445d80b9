/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/golden.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const char *golden_folder(void)
{
    const char *folder = getenv("VOLLEY_TEST_DATA");
    return folder != NULL ? folder : "tests/golden";
}

const char *examples_folder(void)
{
    const char *folder = getenv("VOLLEY_EXAMPLES");
    return folder != NULL ? folder : "examples";
}

static FILE *open_part(const char *folder, const char *mode, const char *suffix)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.%s", folder, mode, suffix);
    return fopen(path, "rb");
}

/* Whitespace-separated numbers, one in `step` of them from `first` on. */
static uint32_t *read_numbers(const char *folder, const char *mode, const char *suffix,
                              uint32_t step, uint32_t first, uint32_t *length)
{
    FILE *file = open_part(folder, mode, suffix);
    assert_non_null(file);
    uint32_t *numbers = calloc(1 << 20, sizeof *numbers);
    assert_non_null(numbers);
    double number;
    *length = 0;
    for (uint32_t i = 0; fscanf(file, "%lf", &number) == 1; i++)
        if (i % step == first)
            numbers[(*length)++] = (uint32_t)number;
    fclose(file);
    return numbers;
}

/* A two-dimensional .npy array; returns its bytes and fills type, rows, columns. */
static void *read_array(const char *folder, const char *mode, const char *suffix, char type[8],
                        uint32_t *rows, uint32_t *columns)
{
    FILE *file = open_part(folder, mode, suffix);
    assert_non_null(file);
    unsigned char start[10];
    char text[512] = "";
    assert_int_equal(fread(start, 1, 10, file), 10);
    size_t length = start[8] | (size_t)start[9] << 8;
    assert_true(length < sizeof text);
    assert_int_equal(fread(text, 1, length, file), length);
    char *type_at = strstr(text, "'descr': '"), *shape = strstr(text, "'shape': (");
    assert_non_null(type_at);
    assert_non_null(shape);
    assert_int_equal(sscanf(type_at + 10, "%7[^']", type), 1);
    assert_int_equal(sscanf(shape + 10, "%u, %u", rows, columns), 2);
    size_t bytes = (size_t)*rows * *columns * (size_t)(type[2] - '0');
    void *data = malloc(bytes);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, bytes, file), bytes);
    fclose(file);
    return data;
}

static void read_counts(struct golden *golden, const char *folder, const char *mode)
{
    char type[8];
    uint32_t rows;
    void *data = read_array(folder, mode, "counts.npy", type, &rows, &golden->channels);
    assert_int_equal(rows, golden->length);
    if (strcmp(type + 1, "i2") == 0) {
        golden->counts = data;
        return;
    }
    assert_string_equal(type + 1, "i1");
    size_t length = (size_t)rows * golden->channels;
    golden->counts = malloc(length * sizeof *golden->counts);
    assert_non_null(golden->counts);
    for (size_t i = 0; i < length; i++)
        golden->counts[i] = ((int8_t *)data)[i];
    free(data);
}

static void read_word(const json_t *root, const char *key, const char *otherwise, char *word,
                      size_t room)
{
    const char *text = json_string_value(json_object_get(root, key));
    int length = snprintf(word, room, "%s", text != NULL ? text : otherwise);
    assert_true(length >= 0 && (size_t)length < room);
}

static void read_description(struct golden *golden, json_t *root)
{
    const json_t *list = json_object_get(root, "populations");
    read_word(root, "mode", "", golden->mode, sizeof golden->mode);
    read_word(root, "threshold", "token", golden->threshold, sizeof golden->threshold);
    read_word(root, "k_at", "", golden->k_at, sizeof golden->k_at);
    golden->k = json_number_value(json_object_get(root, "k"));
    golden->largest = json_number_value(json_object_get(root, "largest_logit"));
    golden->population_count = (uint32_t)json_array_size(list);
    golden->populations = calloc(golden->population_count + 1, sizeof *golden->populations);
    golden->offsets = calloc(golden->population_count + 1, sizeof *golden->offsets);
    uint32_t offset = 0;
    for (uint32_t i = 0; i < golden->population_count; i++) {
        const json_t *item = json_array_get(list, i);
        golden->populations[i] = strdup(json_string_value(json_object_get(item, "name")));
        golden->offsets[i] = offset;
        offset += (uint32_t)json_integer_value(json_object_get(item, "neurons"));
    }
}

bool golden_read(struct golden *golden, const char *folder, const char *name)
{
    *golden = (struct golden){.counts = NULL};
    FILE *file = open_part(folder, name, "json");
    if (file == NULL)
        return false;
    json_t *root = json_loadf(file, 0, NULL);
    fclose(file);
    assert_non_null(root);
    read_description(golden, root);
    json_decref(root);
    uint32_t rows, length;
    char type[8];
    golden->tokens = read_numbers(folder, name, "tokens", 1, 0, &golden->length);
    golden->next = read_numbers(folder, name, "top", 2, 0, &length);
    assert_int_equal(length, golden->length);
    golden->columns = read_numbers(folder, name, "columns", 1, 0, &golden->column_count);
    golden->logits = read_array(folder, name, "logits.npy", type, &rows, &length);
    assert_string_equal(type, "<f4");
    assert_int_equal(rows, golden->length);
    assert_int_equal(length, golden->column_count);
    if (golden->population_count > 0)
        read_counts(golden, folder, name);
    return true;
}

void golden_free(struct golden *golden)
{
    for (uint32_t i = 0; i < golden->population_count; i++)
        free(golden->populations[i]);
    free(golden->populations);
    free(golden->offsets);
    free(golden->tokens);
    free(golden->next);
    free(golden->columns);
    free(golden->logits);
    free(golden->counts);
}
