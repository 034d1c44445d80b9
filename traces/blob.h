/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The compact form of a train or of a plain volley, as the trace holds it.
 *
 *   byte 0     form: 1 dense, 2 sparse
 *   dense      varint neurons, then for every neuron in order its count less
 *              the train's zero point as a zigzag varint; a run of silent
 *              neurons (count equal to the zero point) is the byte 0 followed
 *              by varint (run length - 1)
 *   sparse     varint spikes, then for every spike in order of neuron
 *              varint (neuron - previous neuron) (the first from 0) and its
 *              payload as a zigzag varint
 *
 * varint: seven bits a byte, least significant first, high bit set on all but
 * the last; zigzag: 0, -1, 1, -2, … become 0, 1, 2, 3, …. All values are
 * below 2^32, so a varint has at most five bytes.
 */
#ifndef VOLLEY_BLOB_H
#define VOLLEY_BLOB_H

#include "scheduler/error.h"
#include "scheduler/volley.h"

#include <stddef.h>

/* Most bytes that blob_write_dense and blob_write_sparse can need. */
size_t blob_limit_dense(uint32_t neurons);
size_t blob_limit_sparse(uint32_t spikes);

/* Write to `out` (of the size given by the limit) and return the length. The
 * sparse form takes spikes in order of neuron, with payloads other than 0. */
size_t blob_write_dense(const int32_t *counts, uint32_t neurons, int32_t zero, unsigned char *out);
size_t blob_write_sparse(const struct spike *spikes, uint32_t count, unsigned char *out);

enum blob_form { BLOB_DENSE = 1, BLOB_SPARSE = 2 };

/* Reads a blob, which may be hostile, spike by spike: non-silent neurons in order. */
struct blob_reader {
    const unsigned char *at, *end;
    enum blob_form form;
    uint32_t neurons; /* dense: neurons in all; sparse: 0, it does not say */
    uint32_t left;   /* dense: neurons to come; sparse: spikes to come */
    uint32_t neuron; /* next (dense) or last (sparse) */
    bool begun;      /* a spike has been read */
};
/* Fails when the bytes are not a blob. */
bool blob_open(struct blob_reader *reader, const void *bytes, size_t length, struct error *error);
/* 1: *spike is the next neuron and its count less the zero point (dense) or payload (sparse);
 * 0: no more; -1: damaged, error filled. */
int blob_next(struct blob_reader *reader, struct spike *spike, struct error *error);
/* The next up to `room` of them at once; fewer: there are no more. False: damaged, error filled. */
bool blob_read(struct blob_reader *reader, struct spike *spikes, uint32_t room, uint32_t *length,
               struct error *error);

#endif
