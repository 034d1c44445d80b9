/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Encoding and decoding with one scheme, in memory that is exactly as large as the scheme asks for,
 * and what every scheme of single values must hold to.
 */
#ifndef VOLLEY_SCHEME_RIG_H
#define VOLLEY_SCHEME_RIG_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "encoding/scheme.h"

struct encoded {
    struct scheme_settings settings;
    struct timed_spike *spikes; /* [count], room for more */
    size_t count, length;
    double *decoded; /* [length] */
};

static inline struct scheme_settings settings_of(const char *text)
{
    struct error error = {0};
    struct scheme_settings settings;
    if (!scheme_parse(text, &settings, &error))
        fail_msg("%s: %s", text, error.text);
    return settings;
}

/* In order, in their place, not 0, ±1 unless graded, not negative unless signed. */
static inline void check_spikes(const struct encoded *e)
{
    const struct scheme *scheme = e->settings.scheme;
    int64_t end = (int64_t)e->length * scheme_ticks(&e->settings);
    for (size_t i = 0; i < e->count; i++) {
        struct timed_spike spike = e->spikes[i];
        assert_true(spike.tick >= 0 && spike.tick < end);
        assert_true(spike.neuron < scheme_neurons(&e->settings));
        assert_true(spike.payload != 0 && (scheme->is_signed || spike.payload > 0));
        assert_true(scheme->graded || abs(spike.payload) == 1);
        if (i > 0) {
            struct timed_spike before = e->spikes[i - 1];
            assert_true(before.tick < spike.tick ||
                        (before.tick == spike.tick && before.neuron < spike.neuron));
        }
    }
}

/* To be freed with encoded_free. */
static inline struct encoded encode_values(const char *text, const double *x, size_t length)
{
    struct encoded e = {.settings = settings_of(text), .length = length};
    size_t room = scheme_room(&e.settings, length);
    e.spikes = malloc(room > 0 ? room * sizeof *e.spikes : 1);
    e.decoded = malloc(length > 0 ? length * sizeof *e.decoded : 1);
    assert_true(e.spikes != NULL && e.decoded != NULL);
    e.count = e.settings.scheme->encode(&e.settings, x, length, 3, e.spikes);
    assert_true(e.count <= room);
    check_spikes(&e);
    e.settings.scheme->decode(&e.settings, e.spikes, e.count, length, e.decoded);
    return e;
}

static inline void encoded_free(struct encoded *e)
{
    free(e->spikes);
    free(e->decoded);
}

/* Returns how near the largest error comes to what is promised, 0 … 1. */
static inline double check_bound(const char *text, const double *x, size_t length)
{
    struct encoded e = encode_values(text, x, length);
    double bound = e.settings.scheme->bound(&e.settings, x, length), worst = 0;
    for (size_t i = 0; i < length; i++) {
        double error = fabs(x[i] - e.decoded[i]);
        if (!(error <= bound))
            fail_msg("%s: %.17g came back as %.17g, beyond %.17g", text, x[i], e.decoded[i], bound);
        worst = error > worst ? error : worst;
    }
    encoded_free(&e);
    return worst / bound;
}

/* A value takes the same spikes wherever it stands. */
static inline void check_independence(const char *text, const double *x, size_t length)
{
    struct encoded all = encode_values(text, x, length);
    int64_t ticks = scheme_ticks(&all.settings);
    size_t next = 0;
    for (size_t i = 0; i < length; i++) {
        struct encoded one = encode_values(text, x + i, 1);
        for (size_t j = 0; j < one.count; j++, next++) {
            assert_true(next < all.count);
            assert_true(all.spikes[next].tick == one.spikes[j].tick + (int64_t)i * ticks);
            assert_int_equal(all.spikes[next].neuron, one.spikes[j].neuron);
            assert_int_equal(all.spikes[next].payload, one.spikes[j].payload);
        }
        assert_true(all.decoded[i] == one.decoded[0]);
        encoded_free(&one);
    }
    assert_int_equal(next, all.count);
    encoded_free(&all);
}

/* Values beyond the range are taken as its ends. */
static inline void check_clipping(const char *text, double lowest)
{
    const double beyond[] = {nextafter(1, 2), 1.5, 1e300, nextafter(lowest, -2), -1.5, -1e300};
    const double ends[] = {1, 1, 1, lowest, lowest, lowest};
    struct encoded a = encode_values(text, beyond, 6), b = encode_values(text, ends, 6);
    assert_int_equal(a.count, b.count);
    for (size_t i = 0; i < a.count; i++)
        assert_true(a.spikes[i].tick == b.spikes[i].tick &&
                    a.spikes[i].neuron == b.spikes[i].neuron &&
                    a.spikes[i].payload == b.spikes[i].payload);
    encoded_free(&a);
    encoded_free(&b);
    check_bound(text, beyond, 6);
}

static inline void check_empty(const char *text)
{
    double nothing = 0;
    struct encoded e = encode_values(text, &nothing, 0);
    assert_int_equal(e.count, 0);
    assert_true(e.settings.scheme->bound(&e.settings, &nothing, 0) < 1);
    encoded_free(&e);
    assert_true(scheme_room(&e.settings, SIZE_MAX) >= SIZE_MAX - 1);
}

/* x [length] evenly spread over lowest … 1, always the same. */
static inline void fill_random(double *x, size_t length, double lowest)
{
    uint64_t state = 88172645463325252;
    for (size_t i = 0; i < length; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        x[i] = lowest + (1 - lowest) * (double)(state >> 11) * 0x1p-53;
    }
}

#endif
