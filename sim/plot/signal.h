/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Signals in a trace, and what `volley encode` made of them, for the pictures that show these.
 */
#ifndef VOLLEY_PLOT_SIGNAL_H
#define VOLLEY_PLOT_SIGNAL_H

#include "encoding/scheme.h"
#include "sim/plot/plot.h"

struct picture_signal {
    int64_t id;
    char *file;
    bool timeless;           /* values without time */
    int64_t length;          /* values of a channel, at least 1 */
    int64_t channels;
    double interval_seconds; /* 0: not known */
};
/* 0: the newest. False with error if there is none; picture_signal_close also after a failure. */
bool picture_signal_read(struct reading *reading, int64_t id, struct picture_signal *signal);
void picture_signal_close(struct picture_signal *signal);

/* One scheme's encoding of one channel. */
struct picture_encoding {
    int64_t id, channel;
    char *label;
    char *text;  /* of its settings */
    double snr;  /* dB; INFINITY: exact; NAN: there is none */
    int64_t spikes;
    struct scheme_settings settings; /* range and all */
    uint32_t neurons, ticks;         /* of a channel; of a value */
};
/* The row under way of a query over `encoding`, its columns being id, channel, label, settings,
 * snr_db, spikes, neurons, ticks_per_value, lowest, highest. The settings are checked against the
 * columns. picture_encoding_close also after a failure. */
bool picture_encoding_read(struct reading *reading, struct picture_encoding *encoding);
void picture_encoding_close(struct picture_encoding *encoding);

/* The channel's values first … last - 1, as they stand in the file; from malloc. NULL with
 * error. */
double *picture_signal_values(struct reading *reading, const struct picture_signal *signal,
                              int64_t channel, int64_t first, int64_t last);

/* All spikes of an encoding, in order and in range; from malloc, *count says how many. NULL with
 * error. */
struct timed_spike *picture_encoding_spikes(struct reading *reading,
                                            const struct picture_signal *signal,
                                            const struct picture_encoding *encoding,
                                            size_t *count);

/* snr_db in a column: NULL is NAN, infinity may be. False with error. */
bool picture_decibels(struct reading *reading, int column, double *decibels);

#endif
