/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Making the table that rounded.h describes. */
#include "neurons/connect/rounded.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum {
    GUIDE_PER_MULTIPLE = 8, /* so that the first look nearly always hits */
    GUIDE_BITS = 16         /* at most: a guide stays in the second-level cache */
};

void rounded_range(const struct distribution *distribution, double step, double *smallest,
                   double *largest)
{
    *smallest = rint(distribution_value(distribution, random_uniform(0)) / step);
    *largest = rint(distribution_value(distribution, random_uniform(UINT32_MAX)) / step);
}

/* The last word whose uniform number is at most `probability`, or -1 if there is none. */
static int64_t word_last(double probability)
{
    return (int64_t)floor(probability * 0x1p32 - 0.5);
}

static void lasts_fill(struct rounded *rounded, const struct distribution *distribution,
                       double step)
{
    int64_t before = 0; /* the first multiple is what a word of 0 gives */
    for (uint32_t i = 0; i + 1 < rounded->length; i++) {
        int64_t multiple = rounded->first + i;
        double border = ((double)multiple + 0.5) * step;
        if (multiple % 2 != 0) /* a clipped distribution may have its edge there: half to even */
            border = nextafter(border, -INFINITY);
        int64_t last = word_last(distribution_cumulative(distribution, border));
        last = last > UINT32_MAX ? UINT32_MAX : last;
        before = last > before ? last : before;
        rounded->last[i] = (uint32_t)before;
    }
    rounded->last[rounded->length - 1] = UINT32_MAX;
}

static void guide_fill(struct rounded *rounded)
{
    uint32_t i = 0;
    for (uint32_t entry = 0; entry <= UINT32_MAX >> rounded->shift; entry++) {
        while (rounded->last[i] < entry << rounded->shift)
            i++;
        rounded->guide[entry] = i;
    }
}

bool rounded_take(struct rounded *rounded, const struct distribution *distribution, double step,
                  int64_t first, int64_t last, struct error *error)
{
    assert(first <= last && last - first < ROUNDED_LENGTH);
    uint32_t bits = 1;
    *rounded = (struct rounded){.first = first, .length = (uint32_t)(last - first) + 1};
    while (bits < GUIDE_BITS && UINT32_C(1) << bits < GUIDE_PER_MULTIPLE * rounded->length)
        bits++;
    rounded->shift = 32 - bits;
    rounded->last = malloc(rounded->length * sizeof *rounded->last);
    rounded->guide = malloc(((size_t)1 << bits) * sizeof *rounded->guide);
    if (rounded->last == NULL || rounded->guide == NULL) {
        rounded_release(rounded);
        return error_no_memory(error, "a table of a distribution");
    }
    lasts_fill(rounded, distribution, step);
    guide_fill(rounded);
    return true;
}

void rounded_release(struct rounded *rounded)
{
    free(rounded->last);
    free(rounded->guide);
    *rounded = (struct rounded){0};
}
