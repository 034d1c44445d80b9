/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Encodings in the trace: what schemes made of a signal, as rows of the tables signal, encoding and
 * those that belong to them (schema.sql describes them), with every value and every spike.
 */
#ifndef VOLLEY_ENCODINGS_H
#define VOLLEY_ENCODINGS_H

#include "encoding/quality.h"

/* Spikes as the table encoding_spikes holds them: pieces of two to three bytes a spike. */
struct packed_spikes {
    struct packed_piece {
        uint64_t first; /* the place from which the blob counts: tick x neurons + neuron */
        uint32_t spikes;
        unsigned char *data; /* [length], owned */
        size_t length;
    } *pieces; /* [count], owned */
    size_t count;
};

/* Packs the spikes [count] of a scheme of `neurons` neurons, in order of ticks and neurons. */
bool packed_spikes_make(struct packed_spikes *packed, const struct timed_spike *spikes,
                        size_t count, uint32_t neurons, struct error *error);
void packed_spikes_free(struct packed_spikes *packed); /* also one that is all zero */

struct encoded_channel {
    uint32_t number;        /* in the file */
    double lowest, highest; /* the values that were brought to 0 and 1 */
    double rms;             /* of the values, their mean included */
    const double *values;   /* [length of the signal], not scaled */
};

/* What was encoded. */
struct encoded_signal {
    const char *command; /* the command line */
    const char *file;
    bool timeless;           /* values without time: images */
    uint64_t row;            /* timeless: values of one image; else 1 */
    uint64_t first;          /* number in the file of the first value (timeless: image) */
    size_t length;           /* values of a channel */
    double interval_seconds; /* from one value to the next; 0: not known */
    uint64_t seed;
    const char *goal; /* that parameters were tuned for; NULL: none */
    const struct encoded_channel *channels; /* [channel_count] */
    uint32_t channel_count;
};

/* What a scheme gave of one channel. */
struct encoded {
    uint32_t place;          /* of the scheme among those that were asked for */
    const char *label;
    uint32_t channel;        /* index in the signal's channels */
    struct scheme_settings settings;
    uint32_t tuned;          /* bit i: the best value of parameter i was looked for … */
    uint32_t evaluations;    /* … in so many encodings */
    struct quality quality;
    const char *chip;        /* of which the joules are; NULL: none */
    double joules;
    struct packed_spikes spikes;
};

/* "value", "signal", "group", "current". */
extern const char *const encoding_form_names[];

/* Whether a signal can be written to this path: there is no such file, or it is a trace or empty.
 * Writes nothing. */
bool encodings_check(const char *path, struct error *error);

/* Writes a signal with its encodings [count] into a trace, which is created if there is none: all
 * or nothing. *id is the signal's. False with error, the file as it was. */
bool encodings_store(const char *path, const struct encoded_signal *signal,
                     const struct encoded *encoded, size_t count, int64_t *id,
                     struct error *error);

#endif
