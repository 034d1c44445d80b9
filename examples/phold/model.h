/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * PHOLD, the hold model of parallel simulators (Fujimoto, Performance of Time Warp under synthetic
 * workloads, 1990): a number of processes, and events that keep them busy. A process that meets an
 * event pushes one: a delay later, to itself or, with some probability, to any process.
 *
 * What a process draws depends on the seed, on the process, and on how many events it has met; an
 * event carries nothing but its tick and its process. So the outcome is a matter of arithmetic: the
 * same for one queue, for parts with a queue each, and for any number of threads.
 */
#ifndef PHOLD_MODEL_H
#define PHOLD_MODEL_H

#include "scheduler/error.h"
#include "scheduler/workers.h"

#include <stdint.h>

enum { PHOLD_UNIT = 1000000 }; /* ticks of a unit of time, the mean of the random part of a delay */

struct phold_settings {
    uint32_t processes;  /* 1 or more */
    uint32_t population; /* events that each process begins with, 1 or more */
    int64_t lookahead;   /* ticks, 1 or more: no delay is shorter */
    int64_t duration;    /* ticks: events before this one are met */
    double remote;       /* 0 … 1: probability that an event goes to any process, drawn evenly */
    uint64_t seed;
};

struct phold_result {
    uint64_t events;   /* met */
    uint64_t checksum; /* over tick, process and sequence of each */
    double seconds;    /* wall time from the first event to the last, building not included */
    double processor;  /* seconds of processor time meanwhile, of all threads together */
};

/* How many parts processes are divided into: a matter of their number alone. */
uint32_t phold_parts(uint32_t processes);

/* Runs with one queue for all processes. */
bool phold_run(const struct phold_settings *settings, struct phold_result *result,
               struct error *error);

/* Runs with phold_parts(…) parts, each with a queue of its own, on a team of threads. */
bool phold_run_parts(const struct phold_settings *settings, struct workers *workers,
                     struct phold_result *result, struct error *error);

#endif
