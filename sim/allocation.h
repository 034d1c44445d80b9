/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An allocation: which of several choices every layer gets, so that energy is least while the
 * losses stay within a budget. Losses and energies of layers are taken to add up.
 */
#ifndef VOLLEY_ALLOCATION_H
#define VOLLEY_ALLOCATION_H

#include <stdbool.h>
#include <stdint.h>

struct allocation_option {
    double loss;   /* of quality; below 0: it gains */
    double energy; /* joules, in all or more than some standard */
};

/* From options [layers][choices] to choice [layers]. Greedy: every layer begins with what loses
 * least; then, again and again, the one step of one layer is taken that saves most energy for each
 * loss (any that saves and loses nothing comes first), among those that the budget allows, until
 * none is left. False, with the choices of least loss, if even these exceed the budget. */
bool allocation_choose(const struct allocation_option *options, uint32_t layers, uint32_t choices,
                       double budget, uint32_t *choice);

#endif
