/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A spiking network at work: one run of so many ticks, or one after the other the samples of a
 * recording, the network starting afresh with each. Runs on a thread of its own; the main thread
 * looks at the atomic members only.
 */
#ifndef VOLLEY_EXPERIMENT_H
#define VOLLEY_EXPERIMENT_H

#include "neurons/build.h"
#include "neurons/event_cells.h"
#include "neurons/import/recording/recording.h"
#include "sim/matrix_file.h"

#include <stdatomic.h>

/* A state variable that is written down. */
struct probe {
    uint32_t population, variable;
    uint32_t first, count; /* neurons */
    uint32_t every;        /* ticks */
    double *values;        /* [neurons of the population], room to read them into */
    struct matrix_file *file;
};

/* What an output population put out. */
struct outcome {
    uint32_t population;
    uint64_t *spikes; /* [neurons], of the present sample */
    /* All it put out, if `keeps`: spikes or, where it does not fire, values. */
    bool keeps;
    struct timed_spike *kept; /* [kept_count] */
    uint64_t kept_count, kept_room;
    double *series; /* [ticks][neurons] */
};

struct experiment {
    /* What to do; set before it runs. */
    const struct blueprint *blueprint;
    struct network *network;
    uint32_t input;                    /* population that is fed; UINT32_MAX: none */
    const struct recording *recording; /* or NULL */
    const struct scheme_settings *scheme; /* that encodes its values, or NULL */
    uint64_t first_sample, samples;    /* samples to run; 1 without a recording */
    int64_t ticks;                     /* of a run; 0: as long as each sample */
    int64_t stride;                    /* ticks of the network in one of these */
    struct probe *probes;              /* [probe_count] */
    uint32_t probe_count;
    struct outcome *outcomes;          /* [outcome_count] */
    uint32_t outcome_count;
    FILE *predictions;                 /* one class a line, or NULL */
    const char *output;                /* NIRData to write at the end, or NULL; of one sample */

    /* Looked at while it runs. */
    atomic_int stop; /* not 0: end after the stretch in hand */
    atomic_uint_fast64_t sample, tick;

    /* What came out. */
    uint64_t done, labelled, correct; /* samples */
    double seconds;                   /* wall clock of the running itself */
    int64_t longest;                  /* ticks of the longest sample run */
    struct error error;
};

/* An observer that counts what output populations fire. */
struct observer experiment_observer(struct experiment *experiment);

/* Memory for what the outputs put out, if that is to be written. */
bool experiment_keep(struct experiment *experiment, int64_t ticks, struct error *error);
/* Writes it. */
bool experiment_write(const struct experiment *experiment, struct error *error);

/* Returns false with experiment->error filled. */
bool experiment_run(struct experiment *experiment);

#endif
