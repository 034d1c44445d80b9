/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The mutual information of a signal and what was decoded of it, in bits per value.
 *
 * Estimator: both are sorted into at most
 *
 *     B = sqrt(values / 5) bins, no fewer than 2 and no more than 256,
 *
 * so that of independent signals about five pairs fall into each of the B x B cells. A signal of
 * at most B different values has one bin for each; any other has bins of equal frequency (cut at
 * its quantiles; equal values share one bin), so that only the order of values counts and outliers
 * do not empty the other bins. From the counts, with Miller and Madow's correction of each entropy
 * (G. A. Miller 1955: + (occupied cells - 1) / (2 values), in nats),
 *
 *     I = H(X) + H(Y) - H(X, Y),
 *
 * kept within 0 … log2 of the fewer occupied bins.
 *
 * Bias. A finite number of values makes the uncorrected I too large, of independent signals by
 * about (B - 1)^2 / (2 values ln 2), 0.14 bits; the correction leaves about 0.01 of it, and more
 * where dependence empties cells. Bins hide what is within them, which makes I of continuous
 * signals too small; it cannot pass log2 B (7.2 bits for 108 000 values, 8 from 327 680 on). Both
 * together, measured on pairs of Gaussians, whose information is -1/2 log2(1 - correlation^2):
 *
 *     values     correlation 0      0.5        0.9        0.99
 *                 (0 bits)       (0.208)    (1.198)    (2.826)
 *        500       +0.02          +0.01      -0.13      -0.69
 *      2 000       +0.01          +0.02      -0.03      -0.32
 *     10 000       +0.01          +0.01       0.00      -0.12
 *    100 000       +0.01          +0.02      +0.01      -0.02
 *
 * Values count as drawn independently; where neighbours depend on each other, as in most signals,
 * chance is larger than information_chance says.
 */
#ifndef VOLLEY_QUALITY_INFORMATION_H
#define VOLLEY_QUALITY_INFORMATION_H

#include "scheduler/error.h"

#include <stddef.h>

struct information;

/* For comparisons with x [length], length > 0, finite. Takes all memory that they need; NULL with
 * error. */
struct information *information_open(const double *x, size_t length, struct error *error);
void information_close(struct information *information); /* also NULL */

/* Bits per value about x in decoded [length], finite. */
double information_bits(struct information *information, const double *decoded);

/* Standard deviation that the estimate, for the `decoded` last given, would have if decoded knew
 * nothing of x: 2 values ln 2 · I is then near to chi-square with (bins of x - 1)(bins of
 * decoded - 1) degrees of freedom. */
double information_chance(const struct information *information);

#endif
