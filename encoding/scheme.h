/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Schemes: how values become spikes over ticks, and come back.
 *
 * A value v is first brought to the range of the input,
 *
 *     x = (v - lowest) / (highest - lowest),
 *
 * which is 0 … 1 for what lies in the range. A scheme encodes the values of one channel: x [length]
 * becomes spikes, each with its tick, the neuron of that channel (0 unless the scheme has several)
 * and a payload. decode turns the spikes alone back into x [length].
 *
 * Forms. Of VALUE, every value by itself takes `ticks` ticks: value i is spread over ticks i·T …
 * (i+1)·T - 1. Of SIGNAL, value i belongs to tick i, and what is fired depends on the values
 * before. Of GROUP, consecutive values form windows of `neurons` values, each value has a neuron of
 * its own, and what is said is their order; a window takes as many ticks as it has values. Of
 * CURRENT, there are no spikes: value i flows as a current in ticks i·T … (i+1)·T - 1.
 *
 * Chance is a function of (seed, owner, start, value, tick), so what is encoded does not depend on
 * what was encoded before. The same bits on any machine: what decides about a spike uses + - * /
 * sqrt and floor, and else the functions of arithmetic.h, none of libm.
 *
 * A new scheme is one file that defines a struct scheme, and one line in the table in scheme.c.
 */
#ifndef VOLLEY_SCHEME_H
#define VOLLEY_SCHEME_H

#include "scheduler/error.h"
#include "scheduler/volley.h"

#include <stddef.h>

enum { SCHEME_PARAMETERS = 6 };

enum scheme_form { SCHEME_VALUE, SCHEME_SIGNAL, SCHEME_GROUP, SCHEME_CURRENT };

struct scheme_parameter {
    const char *name; /* NULL ends the list; "ticks" is the T of a VALUE or CURRENT scheme */
    const char *unit; /* "ticks", "of the range", "" */
    double standard;
    double low, high; /* both are allowed */
    bool whole;       /* a whole number */
    bool tuned;       /* `volley encode --tune` looks for its best value within low … high */
    const char *meaning; /* one line */
};

struct scheme;

/* A scheme with its parameters. */
struct scheme_settings {
    const struct scheme *scheme;
    double parameter[SCHEME_PARAMETERS]; /* in the scheme's order */
    uint32_t given; /* bit i: the text that was parsed gives parameter i */
    double lowest, highest; /* the values that are brought to 0 and 1 */
    uint64_t seed;
    uint32_t owner; /* of the random numbers, below 2^28: the input population or the channel */
};

struct scheme {
    const char *name;       /* "step-forward" */
    const char *summary;    /* one line */
    const char *definition; /* one line: the formula */
    const char *reference;  /* author, year, where; or what implements it */
    enum scheme_form form;
    bool is_signed; /* payloads may be negative */
    bool graded;    /* … or beyond ±1 */
    struct scheme_parameter parameters[SCHEME_PARAMETERS + 1];
    /* Combinations of parameters that make no sense; may be NULL. Ranges are checked before. */
    bool (*check)(const struct scheme_settings *settings, struct error *error);
    /* Neurons of one channel; NULL: 1. */
    uint32_t (*neurons)(const struct scheme_settings *settings);
    /* T of a VALUE scheme in which other parameters decide it; NULL: "ticks", or 1 without it. */
    uint32_t (*ticks)(const struct scheme_settings *settings);
    /* Most spikes of `length` values; NULL: length x ticks x neurons. */
    size_t (*room)(const struct scheme_settings *settings, size_t length);
    /* x [length], finite; `start`, below 2^32, tells samples apart. Writes the spikes in order of
     * ticks, then neurons, one at most for each neuron and tick, no payload 0, and returns how
     * many; `spikes` has the room above. NULL of CURRENT only, as is decode. */
    size_t (*encode)(const struct scheme_settings *settings, const double *x, size_t length,
                     uint64_t start, struct timed_spike *spikes);
    /* Back to x [length] from such spikes alone (and what the receiver knows: settings, length; the
     * first value is not known unless the definition sends it). */
    void (*decode)(const struct scheme_settings *settings, const struct timed_spike *spikes,
                   size_t count, size_t length, double *x);
    /* The largest |x - decoded| that the definition promises for this x (values in 0 … 1);
     * INFINITY: none. May be NULL: none. */
    double (*bound)(const struct scheme_settings *settings, const double *x, size_t length);
    /* Of CURRENT only: the current [length] that each value flows as; may be in place. */
    void (*currents)(const struct scheme_settings *settings, const double *x, size_t length,
                     double *current);
};

/* All schemes, in the order they are listed; *length says how many. */
const struct scheme *const *scheme_table(size_t *length);
/* NULL with the known names in `error`. */
const struct scheme *scheme_find(const char *name, struct error *error);

/* "NAME" or "NAME:PARAMETER=VALUE,…": fills scheme and parameters (standards for those not given;
 * range 0 … 1, seed 1, owner 0), checks everything. The sentence lists what is known. */
bool scheme_parse(const char *text, struct scheme_settings *settings, struct error *error);
/* Ranges, whole numbers, the scheme's own check, lowest < highest. */
bool scheme_check(const struct scheme_settings *settings, struct error *error);
/* "NAME:PARAMETER=VALUE,…" of all parameters that were given or are not the standard; from
 * malloc. */
char *scheme_text(const struct scheme_settings *settings);
/* Index of a parameter by name; -1 if there is none. */
int scheme_parameter(const struct scheme *scheme, const char *name);

uint32_t scheme_neurons(const struct scheme_settings *settings); /* of one channel */
uint32_t scheme_ticks(const struct scheme_settings *settings);   /* of one value: T, or 1 */
/* Most spikes of `length` values; SIZE_MAX if that cannot be counted. */
size_t scheme_room(const struct scheme_settings *settings, size_t length);

/* x of values, and back; may be in place. */
void scheme_scale(const struct scheme_settings *settings, const double *values, size_t length,
                  double *x);
void scheme_unscale(const struct scheme_settings *settings, const double *x, size_t length,
                    double *values);

#endif
