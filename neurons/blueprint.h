/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A network on paper: what a NIR file or a native document says, before memory is taken for
 * running it. Readers fill one in (import/nir/nir.h, import/native/native.h), the builder makes a
 * network of it (build.h), `volley convert` writes it as a native document
 * (import/native/native.h).
 *
 * Everything in it is owned by it and freed by blueprint_free. Times are in seconds.
 */
#ifndef VOLLEY_BLUEPRINT_H
#define VOLLEY_BLUEPRINT_H

#include "neurons/cells.h"
#include "neurons/connect/connect.h"
#include "neurons/delivery/convolution.h"
#include "neurons/models/input.h"

/* One number for all, one each, or drawn from a distribution for each neuron. */
struct quantity {
    enum { QUANTITY_STANDARD, QUANTITY_CONSTANT, QUANTITY_ARRAY, QUANTITY_DRAWN } kind;
    double constant;
    double *array; /* [length] */
    uint32_t length;
    struct distribution drawn;
};

enum { BLUEPRINT_RANK = 4 };

struct blueprint_population {
    char *name;
    const struct cell_model *model; /* NULL: an input, fed from outside or by `spikes` */
    uint32_t neurons;
    uint32_t shape[BLUEPRINT_RANK]; /* their arrangement, product is neurons; rank 0: not said */
    uint32_t rank;
    struct quantity parameter[CELL_PARAMETERS]; /* in the model's order */
    struct quantity initial[CELL_VARIABLES];
    double *drive[CELL_PORTS]; /* [neurons] or NULL: biases of the projections into the port */
    bool output;               /* its spikes or values are a result of the run */
    struct timed_spike *spikes; /* [spike_count], sorted by tick: an input that brings its own */
    uint64_t spike_count;
};

enum link_kind {
    LINK_RULE,        /* connection */
    LINK_LISTS,       /* synapses one by one */
    LINK_DENSE,       /* weights [target neurons][source neurons] */
    LINK_CONVOLUTION, /* weights as convolution.h says */
    LINK_POOLING,     /* every weight is `same` */
    LINK_DIAGONAL     /* neuron i to target i: `same`, or weights [neurons] */
};

struct blueprint_projection {
    char *name;
    uint32_t source, target; /* indices of populations */
    uint32_t port;           /* of the target's model */
    enum link_kind kind;
    struct connection connection;      /* LINK_RULE */
    struct convolution_shape shape;    /* LINK_CONVOLUTION, LINK_POOLING */
    uint64_t synapses;                 /* LINK_LISTS */
    uint32_t *sources, *targets;       /* [synapses] */
    double *weights;                   /* or NULL: all `same` */
    double same;
    enum weight_format format;         /* of weights; WEIGHT_SAME where they are NULL */
    double scale;                      /* integer formats: weight = scale x integer */
    double delay;                      /* seconds; all but LINK_RULE */
    double *delays;                    /* LINK_LISTS [synapses], LINK_DIAGONAL [neurons]; or NULL */
    bool immediate; /* it takes no time: what is fired arrives in the same tick (forward edges of
                       NIR); the builder refuses loops of such projections */
};

/* A range of neurons of a population and the core they sit on. */
struct blueprint_placement {
    uint32_t population, first, count;
    uint32_t core;
};

/* A state variable to be written down every `every` ticks, of neurons first … first + count - 1. */
struct blueprint_recording {
    uint32_t population, variable;
    uint32_t first, count;
    uint32_t every;
};

struct blueprint {
    char *name;
    char *origin;   /* path of the file it came from */
    char digest[17]; /* of the files, see blueprint_digest */
    struct cell_rules rules; /* dt and seed among them */
    struct blueprint_population *populations;
    uint32_t population_count;
    struct blueprint_projection *projections;
    uint32_t projection_count;
    struct blueprint_placement *placements;
    uint32_t placement_count;
    struct blueprint_recording *recordings;
    uint32_t recording_count;
    double duration; /* seconds that a run takes if nobody says otherwise; 0: not said */
    char **warnings; /* [warning_count] sentences for the user */
    uint32_t warning_count;
};

/* Empty, with the rules of NIR's specification and dt = 1e-4. NULL when memory is short. */
struct blueprint *blueprint_new(const char *name);
void blueprint_free(struct blueprint *blueprint);

/* Append; the struct is zeroed but for the name. NULL with error. The pointers stay valid until the
 * next addition. */
struct blueprint_population *blueprint_add_population(struct blueprint *blueprint, const char *name,
                                                      struct error *error);
struct blueprint_projection *blueprint_add_projection(struct blueprint *blueprint, const char *name,
                                                      struct error *error);
bool blueprint_warn(struct blueprint *blueprint, struct error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Takes bytes of a file the network came from into the digest (64-bit FNV-1a, 16 hexadecimal
 * digits). */
void blueprint_digest(struct blueprint *blueprint, const void *bytes, size_t length);
/* Index by name; -1 if there is none. */
int64_t blueprint_find(const struct blueprint *blueprint, const char *name);

#endif
