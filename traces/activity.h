/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Activity: an observer that gathers, while populations run in simulated time, what describes
 * their spike trains. In memory of a few words a neuron, however long the run.
 *
 * Let N be the neurons of a population, dt the length of a tick, and T = dt · (ticks observed).
 * A spike of payload k is k spikes (of payload -k, too).
 *
 *   rate         spikes / (N T), in Hz.
 *   CV           of the intervals between the ticks at which a neuron fires (several spikes at
 *                one tick are one firing), for each neuron with at least two intervals, that is
 *                three firings:
 *                    CV = sigma / mu,  mu = mean of the intervals,
 *                    sigma² = mean of (interval - mu)²
 *                with the divisor n, as in Elephant's cv and SciPy's variation. 1 for a Poisson
 *                process, 0 for a regular one, 1 / sqrt(k) for a gamma process of order k.
 *                Softky and Koch, J. Neurosci. 13 (1993) 334.
 *   synchrony    variance / mean of the population's spike count in bins of 3 ms, divisor n:
 *                the measure of Potjans and Diesmann, Cereb. Cortex 24 (2014) 785. 1 for
 *                independent Poisson neurons, more the more they fire together; also called the
 *                Fano factor of the summed activity.
 *   correlation  Pearson's coefficient of two neurons' counts in bins of 2 ms, averaged over all
 *                pairs of a sample. The sample is every n-th neuron, n = ceil(N / 200), without
 *                those whose count is the same in every bin. With z the counts less their mean,
 *                divided by their standard deviation (divisor B, the number of bins), and M
 *                neurons in the sample, the average over pairs is
 *                    (sum over bins of (sum over neurons of z)² - M B) / (M (M - 1) B)
 *                because the z of one neuron have the sum of squares B. As in Brunel, J. Comput.
 *                Neurosci. 8 (2000) 183 and Tetzlaff et al., PLoS Comput. Biol. 8 (2012) e1002596.
 *   silent       the share of neurons that did not fire at all.
 *
 * Bins are round(width / dt) ticks, at least one, from the first tick observed on; a last one
 * that is not full is left out. A figure that cannot be said is NAN.
 *
 * The first `start` ticks after every network_reset are not observed, so that a network can come
 * to its stationary state. Samples of a data set are laid end to end; intervals between spikes of
 * two samples do not count.
 */
#ifndef VOLLEY_ACTIVITY_H
#define VOLLEY_ACTIVITY_H

#include "neurons/models/input.h"
#include "neurons/network.h"

enum { ACTIVITY_SAMPLE = 200 }; /* neurons whose counts are correlated, at most */

struct activity_options {
    double tick_seconds;     /* dt; 0: ticks have no length, only the CV can be said */
    int64_t start;           /* ticks that are not observed */
    double synchrony_bin;    /* seconds; 0 means 3 ms */
    double correlation_bin;  /* seconds; 0 means 2 ms */
    bool neurons_only;       /* leave out what nothing can reach: sources and inputs */
};

struct activity_figures {
    double rate;
    double cv_mean, cv_median;  /* over the neurons that have one */
    uint64_t cv_neurons;        /* how many that are */
    double synchrony;
    double correlation;
    uint64_t correlated_neurons; /* M */
    uint64_t spikes;
    double silent_fraction;
};

struct activity;

/* Of a sealed network, which must outlive it. Refuses options that mean nothing. NULL with
 * error. */
struct activity *activity_new(const struct network *network,
                              const struct activity_options *options, struct error *error);
void activity_free(struct activity *activity);
struct observer activity_observer(struct activity *activity);

/* The figures of a population by its index, over what network_finish has ended. All NAN and 0 for
 * one that does not put out spikes in simulated time. */
bool activity_figures(const struct activity *activity, uint32_t population,
                      struct activity_figures *figures, struct error *error);

/* The same figures from a list: the spikes of one population of `neurons`, sorted by tick, of one
 * run of `ticks` ticks. Fails if a spike lies beyond. */
bool activity_from_spikes(const struct timed_spike *spikes, uint64_t length, uint32_t neurons,
                          int64_t ticks, const struct activity_options *options,
                          struct activity_figures *figures, struct error *error);

#endif
