/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The range 0 … 1 that schemes of a single value take x to lie in; for those schemes. */
#ifndef VOLLEY_UNIT_H
#define VOLLEY_UNIT_H

#include <stddef.h>

/* x of a value that lies below `lowest` is taken as `lowest`, above 1 as 1. */
static inline double unit_clip(double x, double lowest)
{
    return x > lowest ? x < 1 ? x : 1 : lowest;
}

/* How far the farthest of x [length] lies outside `lowest` … 1: what clipping costs at most. */
static inline double unit_excess(const double *x, size_t length, double lowest)
{
    double excess = 0;
    for (size_t i = 0; i < length; i++) {
        double outside = x[i] < lowest ? lowest - x[i] : x[i] - 1;
        excess = outside > excess ? outside : excess;
    }
    return excess;
}

#endif
