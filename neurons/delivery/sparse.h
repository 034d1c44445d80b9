/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A sparse projection: for every source neuron the row of its synapses. A spike walks its
 * row and adds weight x payload to each target, `extra` ticks from now; a value that is not zero
 * does the same with itself as the factor.
 *
 * A row stands in order of targets (within one target: in the order the synapses were made),
 * so that a thread finds its own targets in it, and sums are always taken in one order: by
 * projection, then by spike, then along the row.
 *
 * Targets take 2 bytes where the target population has at most 65,536 neurons, else 4. Weights:
 * one for all, or float32, or 8- or 16-bit integers times a scale. Extra delays: one for all (then
 * it is part of the projection's delay), or 1 or 2 bytes.
 *
 * What is added to a current is (scale x code) x payload, each product rounded to double; what is
 * added to a count is code x payload (see landing.h for its limits).
 */
#ifndef VOLLEY_SPARSE_H
#define VOLLEY_SPARSE_H

#include "neurons/projection.h"

enum weight_format { WEIGHT_SAME, WEIGHT_FLOAT, WEIGHT_INT8, WEIGHT_INT16 };

/* Limits: more is refused. */
#define SPARSE_SYNAPSES (UINT64_C(1) << 40)
enum { SPARSE_EXTRA = UINT16_MAX };

struct sparse {
    uint32_t sources, targets;
    uint64_t *row;      /* [sources + 1], where each source's synapses begin */
    uint16_t *target16; /* [synapses], or NULL … */
    uint32_t *target32; /* … then this */
    enum weight_format format;
    double same;        /* WEIGHT_SAME: the weight */
    double scale;       /* integers: weight = scale x code. Onto a port that counts, codes are added
                           as they are, and the port's scale must be equal */
    void *weight;       /* [synapses] of float, int8_t or int16_t; NULL: WEIGHT_SAME */
    uint8_t *extra8;    /* [synapses], ticks beyond the projection's delay, or NULL … */
    uint16_t *extra16;  /* … this, or NULL: none */
    uint32_t most_extra; /* the largest of them */
    uint32_t *fan_out;  /* [sources], synapses of non-zero weight; filled by sparse_finish */
    int32_t units;      /* private: what `same` is to a port that counts */
    uint64_t *part;     /* private: [sources * parts + 1], where each thread's targets begin in each
                           row; NULL: to be searched for */
    uint32_t parts;
};

/* An empty matrix for `synapses` synapses; arrays uninitialised, as its format needs them. NULL
 * with error when memory is short or there are too many. */
struct sparse *sparse_new(uint32_t sources, uint32_t targets, uint64_t synapses,
                          enum weight_format format, uint32_t most_extra, struct error *error);
void sparse_free(void *sparse);

/* Lists as they come from files: (source, target, weight, extra) in any order; arrays of
 * `synapses`. `weights` may be NULL (all `same`), `extras` NULL. Sorts them; checks indices,
 * weights (finite, and as the format can hold them: see weight_store) and extras, naming the first
 * bad one. The result is finished. */
struct sparse *sparse_from_lists(uint32_t sources, uint32_t targets, uint64_t synapses,
                                 const uint32_t *source, const uint32_t *target,
                                 const double *weights, double same, enum weight_format format,
                                 double scale, const uint32_t *extras, struct error *error);
/* To be called once it is filled: counts fan_out. */
bool sparse_finish(struct sparse *sparse, struct error *error);
/* Fills in what the projection shows: synapses, bytes, fan_out. */
void sparse_describe(struct projection *projection);

/* Bytes of one weight; 0 for WEIGHT_SAME. */
uint32_t weight_bytes(enum weight_format format);
/* Puts `weight` into place `at` of an array of the format (not WEIGHT_SAME). False if it cannot be
 * held: not finite, no multiple of the scale (to within 1e-6 of itself, as it may come from single
 * precision), or out of the integers' range. */
bool weight_store(enum weight_format format, double scale, double weight, void *array, size_t at);
/* How many of array[begin … end-1] are not zero (not WEIGHT_SAME). */
uint64_t weight_count_non_zero(enum weight_format format, const void *array, uint64_t begin,
                               uint64_t end);

extern const struct projection_kind projection_sparse;

#endif
