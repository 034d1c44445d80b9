/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A train: what one update of a spiking population fires, lane by lane.
 *
 * The counts of a lane are spread by a coding over consecutive ticks, one
 * volley a tick. The train keeps the counts and the frame; a volley is opened
 * from them when it is due, so that a train costs the same memory for every
 * coding. Lanes are independent inputs that travel together (the tokens of a
 * prompt, the images of a batch).
 *
 * Invariant: narrow[i] == count[i] for all i whenever `fits` is true, and
 * vectors parts of span neurons, but for a shorter last, are all the neurons.
 */
#ifndef VOLLEY_TRAIN_H
#define VOLLEY_TRAIN_H

#include "encoding/coding.h"
#include "encoding/vector.h"

struct train {
    const struct coding *coding;
    uint32_t neurons;
    uint32_t lanes_limit; /* lanes there is room for */
    uint32_t lanes;       /* lanes in use */
    uint32_t vectors;     /* parts of a lane that have a threshold of their own … */
    uint32_t span;        /* … and neurons of each; the last may have fewer */
    int32_t *count;       /* [lanes][neurons] */
    int16_t *narrow;      /* [lanes][neurons], the same */
    bool fits;            /* all counts of all lanes fit 16 bits */
    bool *wide;           /* [lanes], this lane's do not */
    uint32_t pieces;           /* that a lane can be encoded in, by different threads */
    struct train_piece *piece; /* private: [lanes][pieces] */
    double *threshold;    /* [lanes][vectors], V_th */
    int64_t *magnitude;   /* [lanes], sum of |count| */
    struct frame *frame;  /* [lanes] */
    int64_t *tick;        /* [lanes], first tick, counted from the lane's own start */
};

/* Room for `lanes_limit` lanes of `neurons`, in `vectors` equal parts; NULL when memory is
 * short. */
struct train *train_new(const struct coding *coding, uint32_t neurons, uint32_t vectors,
                        uint32_t lanes_limit);
void train_free(struct train *train);
/* Gives every `span` consecutive neurons (0: all) a threshold of their own instead. False when
 * memory is short. Before anything is encoded. */
bool train_divide(struct train *train, uint32_t span);

/* The adaptive threshold (SpikingBrain report, section on spike coding): for
 * each of the `vectors` parts of `values` [neurons],
 *     V_th = clamp(mean|x| / k, 1e-5, 1e4),   count = round_half_even(x / V_th).
 * Fills lane `lane`; `vector` says which version of the loops does it. Fails when a value is not
 * finite or a count leaves ±4,194,303. */
bool train_encode(struct train *train, uint32_t lane, const double *values, double k,
                  enum vector_level vector, struct error *error);

/* The same in steps, for several threads to share a lane. First every one of its pieces is
 * measured, then every one fires, and when all have fired, the lane is settled, which fails as
 * train_encode does. However the pieces are shared out, the result is the same bits: sums are taken
 * within a piece, and then over the pieces in their order. Piece p is neurons train_piece_begin(p)
 * up to train_piece_begin(p + 1), for p below train->pieces. */
uint32_t train_piece_begin(const struct train *train, uint32_t piece);
void train_measure(struct train *train, uint32_t lane, const double *values, uint32_t begin,
                   uint32_t end, enum vector_level vector);
void train_fire(struct train *train, uint32_t lane, const double *values, double k, uint32_t begin,
                uint32_t end, enum vector_level vector);
bool train_settle(struct train *train, uint32_t lane, double k, struct error *error);

/* After all lanes are encoded: sets `lanes` and `fits`. */
void train_seal(struct train *train, uint32_t lanes);

#endif
