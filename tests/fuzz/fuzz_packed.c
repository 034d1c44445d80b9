/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzzing packed models: a whole one, changed at places that the input names (six bytes each:
 * where, and what to change), with checksums made right again, runs or is refused with a sentence. The
 * first byte of the input says which of two models, and whether checksums are left wrong.
 */
#define _GNU_SOURCE 1
#include "tests/packed_rig.h"

#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { MODELS = 2, CHANGE = 6, PAGE = 4096 };

static struct {
    unsigned char *bytes;
    size_t length;
} models[MODELS];

/* Packs a variant of the test data, which VOLLEY_TEST_DATA names. */
static void make_model(int model, const char *variant)
{
    const char *data = getenv("VOLLEY_TEST_DATA");
    char folder[4096], path[] = "/tmp/fuzz_packed.XXXXXX";
    struct spikingbrain_options rules = rig_rules("token", true);
    struct packing_options options = {&rules, 32};
    struct packing packing = {0};
    struct error error = {0};
    snprintf(folder, sizeof folder, "%s/variants/%s", data != NULL ? data : "tests/golden",
             variant);
    int descriptor = mkstemp(path);
    close(descriptor);
    unlink(path);
    if (!packed_write(folder, path, &options, &packing, &error)) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    FILE *file = fopen(path, "rb");
    fseek(file, 0, SEEK_END);
    models[model].length = (size_t)ftell(file);
    rewind(file);
    models[model].bytes = malloc(models[model].length);
    if (fread(models[model].bytes, 1, models[model].length, file) != models[model].length)
        abort();
    fclose(file);
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (models[0].bytes == NULL) {
        make_model(0, "linear-only");
        make_model(1, "tied-text");
    }
    if (length < 1)
        return 0;
    int model = bytes[0] & 1;
    size_t size = models[model].length;
    unsigned char *copy = aligned_alloc(PAGE, (size + PAGE - 1) / PAGE * PAGE);
    if (copy == NULL)
        return 0;
    memcpy(copy, models[model].bytes, size);
    for (size_t at = 1; at + CHANGE <= length; at += CHANGE) {
        uint32_t place = (uint32_t)bytes[at] | (uint32_t)bytes[at + 1] << 8 |
                         (uint32_t)bytes[at + 2] << 16 | (uint32_t)bytes[at + 3] << 24;
        copy[place % size] ^= bytes[at + 4];
        copy[(place + 1) % size] ^= bytes[at + 5];
    }
    if ((bytes[0] & 2) == 0)
        rig_rehash(copy, size);
    struct spikingbrain_options rules = rig_rules("token", true);
    struct error error = {0};
    double *logits = rig_run_memory(copy, size, &rules, &error);
    if ((logits == NULL) != (error.code != ERROR_NONE))
        abort();
    free(logits);
    free(copy);
    return 0;
}
