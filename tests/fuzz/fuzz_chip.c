/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzzing the reader of chips: any bytes either are a chip whose figures are in order, and then a
 * change is made or leaves it as it was; or they are refused with a sentence. The input is also
 * taken for changes of a shipped chip, one a line.
 */
#include "traces/energy/chip.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void coefficient_check(const struct coefficient *coefficient)
{
    if (coefficient->given &&
        (!(coefficient->low >= 0) || !(coefficient->low <= coefficient->value) ||
         !(coefficient->value <= coefficient->high) || !(coefficient->high <= 1e6) ||
         coefficient->source == NULL || chip_in_unit(coefficient, 1) < 1))
        abort();
}

static void chip_look(const struct chip *chip)
{
    bool whole = chip_is_all_in(chip) || chip_is_incremental(chip);
    for (int i = 0; i < CHIP_FIGURES; i++) {
        coefficient_check(&chip->figure[i]);
        if (whole && i != CHIP_SYNOP && chip_figures[i].group == CHIP_ENERGY &&
            chip->figure[i].given)
            abort();
    }
    for (uint32_t i = 0; i < chip->memory_count; i++)
        coefficient_check(&chip->memory[i].read);
    if (strlen(chip->name) == 0 || strlen(chip->title) == 0 || strlen(chip->digest) != 16 ||
        chip_cores(chip) == 0 || chip_cores(chip) > 1 << 24 || chip->sync_count > CHIP_SYNCS ||
        (whole && chip->memory_count > 0))
        abort();
}

static void chip_try(struct chip *chip, const char *assignment)
{
    struct error error = {0};
    struct chip before = *chip;
    if (!chip_change(chip, assignment, &error) &&
        (memcmp(&before, chip, sizeof before) != 0 || error.code == ERROR_NONE))
        abort();
    chip_look(chip);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct error error = {0};
    struct chip *chip = chip_parse((const char *)bytes, length, "fuzz", &error);
    if ((chip == NULL) != (error.code != ERROR_NONE))
        abort();
    if (chip != NULL) {
        chip_look(chip);
        chip_try(chip, "energy.synop=3pJ");
        chip_try(chip, "energy.hop_east=3pJ");
        chip_try(chip, "time.sync=3us");
        chip_try(chip, "memory.SRAM.read=3nJ");
    }
    chip_free(chip);

    char *text = malloc(length + 1);
    chip = text != NULL ? chip_open(length % 2 == 0 ? "event-45nm" : "truenorth", NULL) : NULL;
    if (chip != NULL) {
        memcpy(text, bytes, length);
        text[length] = '\0';
        char *rest = text;
        for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n"))
            chip_try(chip, line);
    }
    chip_free(chip);
    free(text);
    return 0;
}
