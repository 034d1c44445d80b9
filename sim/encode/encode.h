/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A study: schemes side by side on the channels of one signal. What `volley encode` makes, shows as
 * tables, JSON and CSV, and writes to files.
 */
#ifndef VOLLEY_ENCODE_H
#define VOLLEY_ENCODE_H

#include "sim/encode/input.h"
#include "traces/encodings.h"
#include "traces/energy/chip.h"

#include <stdio.h>

enum { ENCODE_LABEL = 48 };

struct encode_scheme {
    char label[ENCODE_LABEL]; /* its name; of one that comes again NAME-2, NAME-3, … */
    struct scheme_settings settings; /* as asked for; range and owner are those of no channel */
};

struct encode_goal {
    bool tunes;
    enum quality_goal goal;
};

struct encode_study {
    const char *path;
    struct encode_input input;
    struct encoded_channel *channels; /* [input.channels], owned */
    struct encode_scheme *schemes;    /* [scheme_count], owned */
    size_t scheme_count;
    struct encoded *encoded; /* [scheme_count][input.channels], owned */
    double **decoded;        /* the same, each [input.length], scaled back; or NULL */
    struct encode_goal goal;
    uint64_t seed;
    struct chip *chip; /* or NULL; owned */
};

void encode_study_free(struct encode_study *study);

/* "snr" or "information"; NULL: nothing was tuned. */
const char *encode_goal_name(const struct encode_study *study);

/* ---- which schemes (encode_schemes.c) ---- */

/* "all", or "NAME,NAME:PARAMETER=VALUE,PARAMETER=VALUE,NAME…": what holds a = and no : before it
 * belongs to the scheme before. Refuses those that cannot encode the study's input. */
bool encode_schemes_read(struct encode_study *study, const char *text, struct error *error);

/* ---- what they give (encode_measure.c) ---- */

/* LOW:HIGH for all channels, or with NULL each channel's own smallest and largest value. */
bool encode_channels_make(struct encode_study *study, const char *range, struct error *error);

enum encode_keep { KEEP_SPIKES = 1, KEEP_DECODED = 2 };

/* Encodes every channel by every scheme, decodes it from the spikes alone, and measures. `keep` says
 * what is kept of it. */
bool encode_measure(struct encode_study *study, unsigned keep, struct error *error);

enum encode_figure {
    FIGURE_SPIKES,
    FIGURE_DENSITY,
    FIGURE_SNR,
    FIGURE_RMSE,
    FIGURE_TICKS,
    FIGURE_SETTLING,
    FIGURE_BITS_PER_VALUE,
    FIGURE_BITS_PER_SPIKE,
    FIGURE_BITS_PER_SECOND,
    FIGURE_LINK_BITS,
    FIGURE_JOULES, /* NAN where no chip was chosen */
    ENCODE_FIGURES
};
/* [ENCODE_FIGURES], as the trace's columns, JSON and CSV call them. */
extern const char *const encode_figure_names[];
double encode_figure_of(const struct encoded *encoded, enum encode_figure figure);
/* A scheme's, mean over the channels that have it; NAN: none has. SNR and RMSE are of the values of
 * all channels together, each in units of its range: one exact channel would make any mean of
 * decibels infinite. */
double encode_overall(const struct encode_study *study, size_t scheme, enum encode_figure figure);

/* Whether no other scheme has a higher SNR with as few spikes, or fewer with as high an SNR. */
bool encode_on_front(const struct encode_study *study, size_t scheme);

/* ---- joules (encode_energy.c) ---- */

/* Refuses a chip that says nothing of spikes by themselves. */
bool encode_energy_check(const struct chip *chip, struct error *error);
/* As if a neuron of the chip fired each spike and sent it to one core: firing, its control, and the
 * message's leaving and arriving, as far as the chip has per-term figures of them. */
double encode_energy(const struct chip *chip, const struct timed_spike *spikes, size_t count);
/* What is counted, as words: "firing, messages out". */
const char *encode_energy_terms(const struct chip *chip, char text[128]);

/* ---- how it is shown ---- */

/* `channels`: every channel, too. */
void encode_screen(FILE *out, const struct encode_study *study, bool channels);
bool encode_json(FILE *out, const struct encode_study *study, struct error *error);
/* One line for each scheme and channel; an exact SNR is "inf", what there is not is empty. */
bool encode_csv(FILE *out, const struct encode_study *study, struct error *error);

/* All schemes, or one by its name. */
bool encode_list(FILE *out, const char *name, bool json, struct error *error);

/* ---- files (encode_files.c) ---- */

/* Writes the trace and the decoded signals, either of which may be NULL. A file appears only when
 * it is complete; signals that would end the program wait until then. */
bool encode_write(const struct encode_study *study, const char *command, const char *trace,
                  const char *decoded, struct error *error);

#endif
