/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Choosing: with repeats every draw stands for itself; without, by Floyd's algorithm, which
 * needs exactly one draw for each chosen one (Bentley and Floyd, Communications of the ACM 30 (9),
 * 1987).
 */
#include "neurons/connect/choose.h"

#include <stdlib.h>
#include <string.h>

enum {
    DIGIT_BITS = 8,
    DIGITS = 1 << DIGIT_BITS,
    PASSES = 32 / DIGIT_BITS,
    SHORT_RUN = 32 /* sorted by insertion */
};

bool chooser_take(struct chooser *chooser, uint32_t most, uint32_t candidates, bool repeats,
                  bool sorts, struct error *error)
{
    size_t room = ((size_t)most + 3) / 4 * 4 + 4; /* words come in fours */
    *chooser = (struct chooser){.chosen = malloc(room * sizeof *chooser->chosen)};
    if (sorts)
        chooser->other = malloc(room * sizeof *chooser->other);
    if (!repeats)
        chooser->taken = calloc((size_t)candidates / 64 + 1, sizeof *chooser->taken);
    if (chooser->chosen == NULL || (sorts && chooser->other == NULL) ||
        (!repeats && chooser->taken == NULL))
        return error_no_memory(error, "drawing connections");
    return true;
}

void chooser_release(struct chooser *chooser)
{
    free(chooser->chosen);
    free(chooser->other);
    free(chooser->taken);
    *chooser = (struct chooser){0};
}

/* Of the first j + 1 candidates one is drawn; if it has been chosen, candidate j has not. */
static void draws_part(uint32_t *chosen, uint64_t *taken, uint32_t number, uint32_t candidates)
{
    for (uint32_t i = 0; i < number; i++) {
        uint32_t j = candidates - number + i;
        uint32_t choice = (uint32_t)(((uint64_t)chosen[i] * ((uint64_t)j + 1)) >> 32);
        if (taken[choice / 64] >> choice % 64 & 1)
            choice = j;
        taken[choice / 64] |= UINT64_C(1) << choice % 64;
        chosen[i] = choice;
    }
    for (uint32_t i = 0; i < number; i++)
        taken[chosen[i] / 64] = 0;
}

void chooser_draw(struct chooser *chooser, const struct random_stream *stream, uint64_t high,
                  uint32_t number, uint32_t candidates)
{
    uint32_t *chosen = chooser->chosen;
    random_words_bulk(stream, high, 0, (uint32_t)(((uint64_t)number + 3) / 4), chosen);
    if (chooser->taken != NULL) {
        draws_part(chosen, chooser->taken, number, candidates);
        return;
    }
    for (uint32_t i = 0; i < number; i++)
        chosen[i] = random_below(chosen[i], candidates);
}

static void sort_short(uint32_t *values, uint32_t length)
{
    for (uint32_t i = 1; i < length; i++) {
        uint32_t value = values[i], hole = i;
        for (; hole > 0 && values[hole - 1] > value; hole--)
            values[hole] = values[hole - 1];
        values[hole] = value;
    }
}

/* Digit by digit from the lowest; equal values cannot be told apart. */
void chooser_sort(struct chooser *chooser, uint32_t number, uint32_t candidates)
{
    if (number <= SHORT_RUN) {
        sort_short(chooser->chosen, number);
        return;
    }
    uint32_t begin[PASSES][DIGITS], passes = 1;
    while (passes < PASSES && (candidates - 1) >> passes * DIGIT_BITS > 0)
        passes++;
    memset(begin, 0, passes * sizeof begin[0]);
    for (uint32_t i = 0; i < number; i++)
        for (uint32_t pass = 0; pass < passes; pass++)
            begin[pass][chooser->chosen[i] >> pass * DIGIT_BITS & (DIGITS - 1)]++;
    for (uint32_t pass = 0; pass < passes; pass++) {
        uint32_t sum = 0;
        for (uint32_t digit = 0; digit < DIGITS; digit++) {
            uint32_t count = begin[pass][digit];
            begin[pass][digit] = sum;
            sum += count;
        }
        uint32_t *from = chooser->chosen, *to = chooser->other;
        for (uint32_t i = 0; i < number; i++)
            to[begin[pass][from[i] >> pass * DIGIT_BITS & (DIGITS - 1)]++] = from[i];
        chooser->chosen = to;
        chooser->other = from;
    }
}
