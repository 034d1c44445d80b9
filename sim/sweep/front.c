/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From the best x on, a point is on the front if its y is better than that of all points with a
 * better x, and as good as any with the same x.
 */
#include "sim/sweep/front.h"

#include <math.h>
#include <stdlib.h>

/* Both sides as "less is better". */
struct ranked {
    double x, y;
    size_t index;
};

static int compare(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->x != b->x)
        return a->x < b->x ? -1 : 1;
    if (a->y != b->y)
        return a->y < b->y ? -1 : 1;
    return 0;
}

bool front_find(struct front_side x, struct front_side y, size_t count, bool *front)
{
    struct ranked *ranked = malloc((count + 1) * sizeof *ranked);
    size_t known = 0;
    if (ranked == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        front[i] = false;
        if (!isnan(x.values[i]) && !isnan(y.values[i]))
            ranked[known++] = (struct ranked){x.more ? -x.values[i] : x.values[i],
                                              y.more ? -y.values[i] : y.values[i], i};
    }
    qsort(ranked, known, sizeof *ranked, compare);
    double best = INFINITY; /* y of all points with a better x */
    for (size_t i = 0; i < known;) {
        double here = ranked[i].y; /* the best of those with this x */
        size_t j = i;
        for (; j < known && ranked[j].x == ranked[i].x; j++)
            front[ranked[j].index] = ranked[j].y == here && (i == 0 || here < best);
        best = here < best ? here : best;
        i = j;
    }
    free(ranked);
    return true;
}
