/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Recordings: what a file brings for one input population. One sample or many; each is
 *
 *     spikes            struct timed_spike, sorted by tick and then by neuron, one at most for
 *                       each neuron and tick
 *     values over time  [ticks][neurons]
 *     values            [neurons] without time: images; a scheme (encoding/scheme.h) gives them
 *                       time
 *
 * A large file stays as it is, mapped or unpacked, and is read sample by sample. Whatever stands
 * in a file, reading it gives numbers that are finite and in range, or one sentence.
 *
 * A new format is one file that defines a struct recording_format, and one line in the table in
 * recording.c.
 */
#ifndef VOLLEY_RECORDING_H
#define VOLLEY_RECORDING_H

#include "encoding/scheme.h"
#include "neurons/import/mapped_file.h"
#include "neurons/models/input.h"

enum recording_content { RECORDING_SPIKES, RECORDING_SERIES, RECORDING_VALUES };

/* What a file does not say. All zero is a good beginning. */
struct recording_options {
    double tick_seconds;    /* for files that hold seconds; 0: not known, and they are refused */
    uint32_t neurons;       /* how many the input has; 0: as many as the file shows */
    bool timeless;          /* arrays: the first axis counts samples and no axis is time */
    const char *population; /* files with spikes of several populations: the one to take */
    const char *labels;     /* IDX file or .npy array with one label a sample; NULL: for IDX images
                               what lies beside them under the usual name, if anything */
};

/* Little-endian, but for ELEMENT_DOUBLE, a double as it is in memory. */
enum element { ELEMENT_F4, ELEMENT_F8, ELEMENT_I1, ELEMENT_U1, ELEMENT_I2, ELEMENT_I4, ELEMENT_I8,
               ELEMENT_BOOL, ELEMENT_DOUBLE };

struct recording {
    char *path;
    const struct recording_format *format;
    enum recording_content content;
    uint64_t samples;       /* at least 1 */
    uint32_t neurons;       /* at least 1 */
    int64_t ticks;          /* of the longest sample; 0 for values without time */
    double rate;            /* ticks per second; 0: the file does not say */
    double lowest, highest; /* range that a scheme should take: 0 … 255 for bytes, else 0 … 1 */
    struct timed_spike *spikes; /* [spike_count], of all samples one after the other, or NULL */
    uint64_t spike_count;
    uint64_t *sample_start;     /* [samples + 1] into spikes, or NULL */
    int64_t *sample_ticks;      /* [samples], or NULL */
    const unsigned char *elements; /* [samples][ticks or 1][neurons], or NULL */
    enum element element;
    unsigned char *labels;      /* [samples], or NULL */
    struct mapped_file file;    /* what `elements` may point into … */
    void *unpacked;             /* … or this; owned */
};

/* A file whose beginning has been read. */
struct recording_file {
    const char *path; /* for messages and for the name's ending */
    const unsigned char *bytes; /* [length] */
    size_t length;
    bool on_disk; /* else `path` is only a name */
};

struct recording_format {
    const char *name; /* for messages: "NumPy array" */
    /* Whether the file looks like one, by its first bytes or by the ending of its name. */
    bool (*matches)(const struct recording_file *file);
    /* Fills a recording that is all zero but for path and format. It may keep pointing into
     * file->bytes. What it has taken is freed by recording_close, also when it fails. */
    bool (*open)(struct recording *recording, const struct recording_file *file,
                 const struct recording_options *options, struct error *error);
};

/* Opens a file of any format in the table. Refuses one that has other than options->neurons
 * neurons (spikes: one that names a neuron beyond). NULL with error. */
struct recording *recording_open(const char *path, const struct recording_options *options,
                                 struct error *error);
/* The same for bytes in memory, which must outlive it. `name` stands for the path; no labels are
 * looked for. */
struct recording *recording_open_memory(const char *name, const void *bytes, size_t length,
                                        const struct recording_options *options,
                                        struct error *error);
void recording_close(struct recording *recording); /* also NULL */

/* Whether it holds spikes, or values over time in integers, which are payloads of spikes. */
bool recording_is_spiking(const struct recording *recording);

/* What one sample gives an input population. Begins all zero; its memory grows to the longest
 * sample and is freed with sample_free. */
struct sample {
    int64_t ticks;
    const struct timed_spike *spikes; /* [spike_count]; may be NULL if that is 0 */
    uint64_t spike_count;
    const double *values; /* [ticks][neurons], or NULL: it brings spikes */
    int64_t label;        /* -1: none */
    struct timed_spike *spike_room; /* [spikes_room], private */
    uint64_t spikes_room;
    struct timed_spike *sorted_room; /* [sorted_length], private */
    uint64_t sorted_length;
    double *value_room; /* [values_room], private */
    uint64_t values_room;
};

/* Which values a scheme encodes. Values without time: VALUE and CURRENT schemes, each for T ticks,
 * and GROUP schemes, of which all values of the sample are one window. Values over time: SIGNAL
 * schemes, each column a channel, and VALUE and CURRENT schemes with one tick for each value.
 * Neuron j of channel c is neuron c m + j of the input, m = scheme_neurons. */

/* Makes `settings` those for this recording: takes its range, and gives what the text left open:
 * `ticks`, as long as a sample is shown, or 1 for values over time, and the window of GROUP. Fails,
 * saying why, if the scheme cannot encode what the recording holds. */
bool recording_settle_scheme(const struct recording *recording, int64_t ticks,
                             struct scheme_settings *settings, struct error *error);
/* Neurons that the input needs then. */
uint64_t recording_inputs(const struct recording *recording,
                          const struct scheme_settings *settings);

/* Fills `sample` with number `index`. `settings`, settled before, encode its values; NULL leaves
 * them as they are, which those without time cannot be. */
bool recording_sample(const struct recording *recording, uint64_t index,
                      const struct scheme_settings *settings, struct sample *sample,
                      struct error *error);
/* Hands it to an input population: input_feed_spikes or input_feed_values. It must stay as it is
 * while the population is fed from it. */
bool sample_feed(const struct sample *sample, struct population *population, struct error *error);
void sample_free(struct sample *sample);

/* ---- for formats ---- */

/* Spikes in any order, gathered for one sample. */
struct spike_list {
    struct timed_spike *items; /* [room] */
    uint64_t length, room;
};
bool spike_list_add(struct spike_list *list, struct timed_spike spike, struct error *error);

/* Appends a sample of spikes, and empties `list` for the next one. They are sorted; several of one
 * neuron at one tick become one, whose payload is their sum, or none where that is 0. The sample
 * lasts `ticks`, or as long as its last spike needs. Raises recording->neurons to what the spikes
 * need. Ticks must lie in 0 … RECORDING_TICK_LIMIT - 1 and neurons below 2^32 - 1. */
bool recording_add_spikes(struct recording *recording, struct spike_list *list, int64_t ticks,
                          struct error *error);

/* Gives the recording values: `elements` are its file's bytes from `elements` on, as many as
 * shape [rank] asks for. The axes are
 *
 *     [time]                            one sample of one neuron
 *     [time][neurons]                   one sample
 *     [samples][time][neurons] …        all axes from the third on are neurons
 *     timeless: [neurons]               one sample
 *               [samples][neurons] …    all axes from the second on are neurons
 */
bool recording_set_values(struct recording *recording, enum element element,
                          const uint64_t *shape, uint32_t rank, bool timeless,
                          const unsigned char *elements, size_t length, struct error *error);

/* Element number `index` of all samples; may be not finite. */
double recording_element(const struct recording *recording, uint64_t index);

/* Whether `path` ends in `ending`, capital or small. */
bool path_ends(const char *path, const char *ending);

#define RECORDING_TICK_LIMIT (INT64_C(1) << 53)

extern const struct recording_format recording_npy;
extern const struct recording_format recording_nir_data;
extern const struct recording_format recording_sound;
extern const struct recording_format recording_idx;
extern const struct recording_format recording_nmnist;
extern const struct recording_format recording_event_csv;

#endif
