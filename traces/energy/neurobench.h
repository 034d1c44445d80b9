/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * NeuroBench's metrics of complexity, from the load of a run alone (no chip).
 *
 * Definitions: J. Yik et al., The neurobench framework for benchmarking neuromorphic computing
 * algorithms and systems, Nature Communications (2025), arXiv:2304.04640, and the harness that
 * computes them (github NeuroBench/neurobench, neurobench/metrics). All per sample: here per token,
 * inference or run (load_unit).
 *
 *   activation sparsity    zeros / all outputs of activation layers, over layers, ticks, samples
 *   connection sparsity    zero weights / all weights of linear and convolution layers
 *   footprint              bytes of parameters and buffers
 *   synaptic operations    of linear and convolution layers, each time one is called
 *     dense                inputs x weights, zeros or not
 *     effective            inputs not 0 x weights not 0: accumulates (AC) where all inputs are 0, 1
 *                          or -1, else multiply-accumulates (MAC); no biases, no norms
 *   membrane updates       potentials that changed
 *
 * Where they do not fit, or ours differ:
 *
 * - Layers are projections with weights. A call is a vector: of a spiking network a tick, of a
 *   language model a token; so `dense` counts the weights of a spiking network once for each tick.
 *   Poolings and one-to-one projections are in no figure but the footprints, as NeuroBench has no
 *   layer for them (other_synops); nor are products of activations (attention).
 * - Graded spikes. Of a language model the vector that enters a layer holds counts, not 0 and ±1.
 *   As one call of that layer, what NeuroBench would see, a channel of count ≠ 0 is one MAC at each
 *   weight (effective_*). Spread over its train it is one AC for each spike and weight
 *   (spread_acs). A spiking network's payloads other than ±1 likewise. NeuroBench decides between
 *   AC and MAC call by call, this for each population and the whole run.
 * - Values between the populations of a language model are no spikes and not looked at one by one:
 *   every value is taken as not 0, and every token as read out; a bound from above (value_macs).
 * - Activation layers are the spiking populations, inputs apart; of a language model those that
 *   encode its values. A channel is an activation; activation_sparsity_spread takes every slot of
 *   the trains as one.
 * - Sparse projections hold the pairs that are connected and no others. NeuroBench knows full
 *   matrices only; the figures with _full take pairs that are not connected as weights of 0.
 * - A convolution's padding counts as input of 0 at weights, in `dense`, and its connection
 *   sparsity is that of connections, each time they are used, so that padding appears as zeros: a
 *   bound from above.
 * - Footprint: weights as Volley holds them, with the indices it needs; neurons' parameters and
 *   states, embeddings and norms are not in it. footprint_float32: the weights alone, 4 bytes each.
 * - Neuron updates: ticks in which a neuron was updated (it held or received something), if
 *   counted (volley run --count-updates), else every neuron in every tick (updates_bounded).
 *   NeuroBench's harness compares a potential before and after each step instead, and counts the
 *   whole layer at the first. Of a language model: each channel of each vector, once.
 */
#ifndef VOLLEY_NEUROBENCH_H
#define VOLLEY_NEUROBENCH_H

#include "traces/energy/load.h"

/* Per token, inference or run, but for the sparsities and footprints. 0 where there is nothing to
 * divide by. */
struct neurobench {
    double activation_sparsity;
    double activation_sparsity_spread;
    double connection_sparsity;
    double connection_sparsity_full;
    double footprint;         /* bytes */
    double footprint_float32; /* bytes */
    double dense;
    double dense_full;
    double effective_macs; /* with value_macs */
    double effective_acs;
    double spread_acs;     /* all spikes; the MACs beside them are value_macs */
    double value_macs;
    bool value_macs_bounded; /* from above */
    double neuron_updates;
    double neuron_updates_dense; /* every neuron, every tick */
    bool updates_bounded;        /* neuron_updates, from above */
    double other_synops; /* of poolings and one-to-one projections: in no sum above */
};

struct neurobench neurobench_of(const struct load *load);

#endif
