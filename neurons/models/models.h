/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The neuron models, one file each. Every function here adds a population of
 * its model to a network; NULL with `error` filled if that fails.
 */
#ifndef VOLLEY_MODELS_H
#define VOLLEY_MODELS_H

#include "neurons/delivery/dense_float.h"
#include "neurons/network.h"

/* How values become spikes: the coding and the k of V_th = mean|x| / k, a mean over `span`
 * consecutive neurons (the last may be fewer; 0: over all). A NULL coding leaves values as they
 * are: the population shows them instead of firing. */
struct firing_rule {
    const struct coding *coding;
    double k;
    uint32_t span;
};

/* Puts values [neurons] out for one lane, as the rule says. For models' updates, which
 * firing_rule_seal ends. */
bool firing_rule_apply(const struct firing_rule *rule, struct population *population,
                       const struct moment *moment, uint32_t lane, const double *values,
                       struct error *error);
void firing_rule_seal(struct population *population, const struct moment *moment);

/* Makes values [begin … end-1] of a lane, in its row of an array that the model keeps. */
typedef void compute_function(struct population *self, const struct moment *moment, uint32_t lane,
                              uint32_t begin, uint32_t end);
/* A whole update of a population whose neurons are computed one by one: computes `values`
 * [lanes][neurons], puts them out as the rule says, and clears the ports. Where lanes are fewer
 * than threads, and large, threads share each of them; the bits are the same. */
bool firing_rule_update(const struct firing_rule *rule, struct population *self,
                        const struct moment *moment, compute_function *compute,
                        const double *values, struct error *error);
/* Gives a population the output the rule needs. */
bool firing_rule_equip(const struct firing_rule *rule, struct population *population,
                       struct error *error);

/* embedding.c: a source that shows row `token` of a table. `table` [tokens][neurons] is
 * taken over, also on failure. */
struct population *embedding_new(struct network *network, const char *name,
                                 struct dense_float *table, struct error *error);
/* The tokens of the next wave [lanes]. Fails on one that the table lacks. */
bool embedding_feed(struct population *population, const uint32_t *tokens, uint32_t lanes,
                    struct error *error);
const struct dense_float *embedding_table(const struct population *population);
/* Rows are rounded to `format` when they are looked up. Once, before it is fed. */
bool embedding_round(struct population *population, enum float_format format, struct error *error);
/* The table lies in a file mapped for reading: now and then its memory is handed back to the
 * system, so that it does not grow with the rows that have been looked up. */
void embedding_is_mapped(struct population *population);

/* sum.c: shows the sum of its inputs. Port 0: inputs. */
struct population *sum_new(struct network *network, const char *name, int32_t layer,
                           uint32_t neurons, struct error *error);

/* rms_norm.c: x · rsqrt(mean(x²) + epsilon) · weight. Port 0: x. `weight` [neurons], copied. */
struct population *rms_norm_new(struct network *network, const char *name, int32_t layer,
                                uint32_t neurons, const double *weight, double epsilon,
                                struct firing_rule rule, struct error *error);

/* Heads of an attention population. */
struct heads {
    uint32_t queries, keys; /* heads of queries, heads of keys and values */
    uint32_t size;          /* channels a head */
};

/* rotary_query.c: rotary position embedding of queries. Port 0: queries [queries * size].
 * Fires one vector a head, whatever the span of the rule. */
struct population *rotary_query_new(struct network *network, const char *name, int32_t layer,
                                    struct heads heads, double theta, struct firing_rule rule,
                                    struct error *error);
/* inverse_frequency[i] = theta^(-2i/size), for i < size/2. */
void rotary_frequencies(double theta, uint32_t size, double *inverse_frequency);
/* The sines and cosines [size/2] of a position. */
void rotary_turn(const double *inverse_frequency, uint32_t size, int64_t position, double *sine,
                 double *cosine);
/* Turns `heads` heads of `size` channels, in place; halves are paired. */
void rotary_rotate(const double *sine, const double *cosine, uint32_t size, uint32_t heads,
                   double *values, enum vector_level vector);

/* linear_attention.c: gated linear attention. Ports 0 … 3: queries, keys, values, gates.
 * `gain` [size] is the weight of the norm of every head's output. */
struct population *linear_attention_new(struct network *network, const char *name, int32_t layer,
                                        struct heads heads, const double *gain, double epsilon,
                                        struct firing_rule rule, struct error *error);

/* window_attention.c: softmax attention over the last `window` positions. Port 0: queries,
 * rotated (counts if `queries` spikes, currents if it shows), ports 1, 2: keys, values. */
struct population *window_attention_new(struct network *network, const char *name, int32_t layer,
                                        struct heads heads, double theta, uint32_t window,
                                        const struct population *queries, struct firing_rule rule,
                                        struct error *error);
/* Tells it which projection brings the spikes of the queries, whose synops it counts. */
void window_attention_count_for(struct population *population, struct projection *queries);

/* gated_unit.c: SiLU(gate) · up. Ports 0, 1: gate, up. */
struct population *gated_unit_new(struct network *network, const char *name, int32_t layer,
                                  uint32_t neurons, struct firing_rule rule, struct error *error);

/* readout.c: keeps what arrives for the program to read. Port 0: inputs. */
struct population *readout_new(struct network *network, const char *name, uint32_t neurons,
                               struct error *error);

#endif
